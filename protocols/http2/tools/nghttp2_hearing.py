"""What nghttp2 hears as a server, called by ctypes (Debian: libnghttp2-14): its events in the order of the frames."""

from __future__ import annotations

import ctypes
from functools import cache

from nghttp2_library import library

__all__ = ["Hearing"]

DATA, HEADERS, RESET, GOAWAY = 0, 1, 3, 7


class _Head(ctypes.Structure):
    """nghttp2_frame_hd, with which every frame begins."""

    _fields_ = [
        ("length", ctypes.c_size_t),
        ("stream", ctypes.c_int32),
        ("type", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
    ]


_AT = ctypes.c_void_p
_ON_FRAME = ctypes.CFUNCTYPE(ctypes.c_int, _AT, ctypes.POINTER(_Head), _AT)
_ON_FIELD = ctypes.CFUNCTYPE(
    ctypes.c_int, _AT, ctypes.POINTER(_Head), _AT, ctypes.c_size_t, _AT, ctypes.c_size_t, ctypes.c_uint8, _AT
)
_ON_DATA = ctypes.CFUNCTYPE(ctypes.c_int, _AT, ctypes.c_uint8, ctypes.c_int32, _AT, ctypes.c_size_t, _AT)


@cache
def _library() -> ctypes.CDLL:
    found = library()
    found.nghttp2_option_del.argtypes = [_AT]
    found.nghttp2_option_set_no_http_messaging.argtypes = [_AT, ctypes.c_int]
    for kind in ("frame_recv", "header", "data_chunk_recv"):
        getattr(found, f"nghttp2_session_callbacks_set_on_{kind}_callback").argtypes = [_AT, _AT]
    return found


class Hearing:
    """A session of a server that does not look at what fields mean. Raises OSError where the library is not installed.

    ``heard``: ("headers", stream, pairs), ("data", stream, octets), ("reset", stream), ("goaway", None). ``sent``: what it has written.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.sent = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._data = b""
        self._library = nghttp2 = _library()
        callbacks, option = ctypes.c_void_p(), ctypes.c_void_p()
        nghttp2.nghttp2_session_callbacks_new(ctypes.byref(callbacks))
        self._kept = (_ON_FRAME(self._on_frame), _ON_FIELD(self._on_field), _ON_DATA(self._on_data))
        for kind, call in zip(("frame_recv", "header", "data_chunk_recv"), self._kept, strict=True):
            getattr(nghttp2, f"nghttp2_session_callbacks_set_on_{kind}_callback")(callbacks, ctypes.cast(call, _AT))
        nghttp2.nghttp2_option_new(ctypes.byref(option))
        nghttp2.nghttp2_option_set_no_http_messaging(option, 1)
        self._session = ctypes.c_void_p()
        assert nghttp2.nghttp2_session_server_new2(ctypes.byref(self._session), callbacks, None, option) == 0
        nghttp2.nghttp2_option_del(option)
        nghttp2.nghttp2_session_callbacks_del(callbacks)
        assert nghttp2.nghttp2_submit_settings(self._session, 0, None, ctypes.c_size_t(0)) == 0

    def close(self) -> None:
        self._library.nghttp2_session_del(self._session)

    def hear(self, octets: bytes) -> bool:
        """Whether it took them; `sent` is renewed."""
        taken = self._library.nghttp2_session_mem_recv(self._session, octets, len(octets))
        at = ctypes.c_void_p()
        self.sent = b""
        while (size := self._library.nghttp2_session_mem_send(self._session, ctypes.byref(at))) > 0:
            self.sent += ctypes.string_at(at, size)
        return int(taken) == len(octets)

    def _on_field(
        self, session: int, head: object, name: int, name_size: int, value: int, value_size: int, flags: int, user: int
    ) -> int:
        self._fields.append((ctypes.string_at(name, name_size), ctypes.string_at(value, value_size)))
        return 0

    def _on_data(self, session: int, flags: int, stream: int, octets: int, size: int, user: int) -> int:
        self._data += ctypes.string_at(octets, size)
        return 0

    def _on_frame(self, session: int, head: ctypes._Pointer[_Head], user: int) -> int:
        kind, stream = head.contents.type, head.contents.stream
        if kind == HEADERS:
            self.heard.append(("headers", stream, [(name.decode("latin-1"), value) for name, value in self._fields]))
        elif kind == DATA:
            self.heard.append(("data", stream, self._data))
        elif kind == RESET:
            self.heard.append(("reset", stream))
        elif kind == GOAWAY:
            self.heard.append(("goaway", None))
        self._fields, self._data = [], b""
        return 0
