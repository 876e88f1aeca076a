"""nghttp2's inflater of header blocks, called by ctypes (Debian: libnghttp2-14)."""

from __future__ import annotations

import ctypes

from nghttp2_library import library

__all__ = ["Inflater", "Triple"]

_FINAL, _EMIT = 1, 2
_NEVER_INDEXED = 1

Triple = tuple[bytes, bytes, bool]


class _Pair(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("name_size", ctypes.c_size_t),
        ("value_size", ctypes.c_size_t),
        ("flags", ctypes.c_uint8),
    ]


class Inflater:
    """nghttp2_hd_inflater. Raises OSError where the library is not installed."""

    def __init__(self) -> None:
        self.library = library()
        self.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.library.nghttp2_hd_inflate_hd2.argtypes = [
            ctypes.c_void_p,
            ctypes.POINTER(_Pair),
            ctypes.POINTER(ctypes.c_int),
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_int,
        ]
        self.library.nghttp2_hd_inflate_change_table_size.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.library.nghttp2_hd_inflate_end_headers.argtypes = [ctypes.c_void_p]
        self.library.nghttp2_hd_inflate_del.argtypes = [ctypes.c_void_p]
        self.handle = ctypes.c_void_p()
        assert self.library.nghttp2_hd_inflate_new(ctypes.byref(self.handle)) == 0

    def close(self) -> None:
        self.library.nghttp2_hd_inflate_del(self.handle)

    def set_table_limit(self, size: int) -> None:
        assert self.library.nghttp2_hd_inflate_change_table_size(self.handle, size) == 0

    def decode(self, block: bytes) -> list[Triple] | None:
        """The fields, or None where nghttp2 refuses the block."""
        buffer = ctypes.create_string_buffer(block, len(block) or 1)
        at, found, pair, flags = 0, [], _Pair(), ctypes.c_int()
        while True:
            flags.value = 0
            read = self.library.nghttp2_hd_inflate_hd2(
                self.handle, pair, flags, ctypes.addressof(buffer) + at, len(block) - at, 1
            )
            if read < 0:
                return None
            at += read
            if flags.value & _EMIT:
                name = ctypes.string_at(pair.name, pair.name_size)
                value = ctypes.string_at(pair.value, pair.value_size)
                found.append((name, value, bool(pair.flags & _NEVER_INDEXED)))
            if flags.value & _FINAL:
                self.library.nghttp2_hd_inflate_end_headers(self.handle)
                return found
            assert read or flags.value & _EMIT
