"""What a session, h2 and nghttp2 each say of the same octets: the error of the connection or of the stream that they earn.

A verdict is "connection CODE", "stream CODE" or "fine". Of h2 and nghttp2 it is read from the frames that they answer with.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from l7codecs import Event, Message, ProtocolError, Sender, Session, open_session
from l7codecs.testing import load_tool

CLIENT, SERVER = Sender.CLIENT, Sender.SERVER
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITIZED = 0x01, 0x04, 0x08, 0x20
TOOLS = Path(__file__).resolve().parent.parent / "tools"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CODES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
    "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip

Field = tuple[bytes, bytes]
REQUEST: list[Field] = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a.test")]
RESPONSE: list[Field] = [(b":status", b"200")]
TRAILERS: list[Field] = [(b"x-end", b"1")]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def setting(number: int, value: int) -> bytes:
    return number.to_bytes(2, "big") + u32(value)


def integer(value: int, bits: int, first: int) -> bytes:
    """RFC 7541 §5.1."""
    full = (1 << bits) - 1
    if value < full:
        return bytes([first | value])
    octets = bytearray([first | full])
    value -= full
    while value >= 128:
        octets.append(value & 127 | 128)
        value >>= 7
    return bytes(octets) + bytes([value])


def block(fields: Iterable[Field], first: int = 0x00) -> bytes:
    """A header block of literals: not inserted (0x00), inserted (0x40), never indexed (0x10)."""
    octets = b""
    for name, value in fields:
        octets += bytes([first]) + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value
    return octets


def headers(stream: int, fields: Iterable[Field], end: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(fields))


def rst(stream: int, code: str = "CANCEL") -> bytes:
    return frame(RST_STREAM, 0, stream, u32(CODES.index(code)))


def frames_of(octets: bytes) -> list[tuple[int, int, int, bytes]]:
    """Type, flags, stream and payload of each frame in `octets`."""
    if octets.startswith(PREFACE):
        octets = octets[len(PREFACE) :]
    found, at = [], 0
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 3], "big")
        stream = int.from_bytes(octets[at + 5 : at + 9], "big")
        found.append((octets[at + 3], octets[at + 4], stream, octets[at + 9 : at + 9 + size]))
        at += 9 + size
    assert at == len(octets)
    return found


def verdict_in(octets: bytes) -> str:
    """What an endpoint says that answers with `octets`."""
    found = "fine"
    for kind, _, _, payload in frames_of(octets):
        if kind == GOAWAY:
            code = CODES[int.from_bytes(payload[4:8], "big")]
            if code != "NO_ERROR":
                return f"connection {code}"
        elif kind == RST_STREAM and found == "fine":
            found = f"stream {CODES[int.from_bytes(payload, 'big')]}"
    return found


class Observer:
    """A session that sees both sides."""

    def __init__(self) -> None:
        self.session: Session = open_session("http2")
        self.events: list[Event] = []

    def hear(self, sender: Sender, octets: bytes) -> str:
        events: list[Event] = []
        try:
            for event in self.session.receive(sender, octets):
                events.append(event)
        except ProtocolError as error:
            word = error.spec.rpartition(" ")[2]
            return f"connection {word if word in CODES else error.spec}"
        finally:
            self.events += events
        for event in events:
            # The code that a frame earns; that of RST_STREAM and GOAWAY is the frame's own.
            if isinstance(event, Message) and event.kind.value not in ("reset", "goaway") and event.error in CODES:
                return f"stream {event.error}"
        return "fine"


class Endpoint(Protocol):
    """An implementation that plays one side, and what it can be told to do. `out` takes what it has written."""

    def hear(self, octets: bytes) -> None: ...

    def out(self) -> bytes: ...

    def send_headers(self, stream: int, fields: list[Field], end: bool) -> None: ...

    def reset(self, stream: int) -> None: ...

    def push(self, stream: int, promised: int, fields: list[Field]) -> None: ...


class H2:
    """h2 of PyPI."""

    def __init__(self, side: Sender) -> None:
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=side is CLIENT, header_encoding=False)
        )
        self.connection.initiate_connection()

    def hear(self, octets: bytes) -> None:
        try:
            self.connection.receive_data(octets)
        except h2.exceptions.ProtocolError:
            pass  # GOAWAY tells

    def out(self) -> bytes:
        return self.connection.data_to_send()

    def send_headers(self, stream: int, fields: list[Field], end: bool) -> None:
        self.connection.send_headers(stream, fields, end_stream=end)

    def reset(self, stream: int) -> None:
        self.connection.reset_stream(stream, 8)

    def push(self, stream: int, promised: int, fields: list[Field]) -> None:
        self.connection.push_stream(stream, promised, fields)


class _Pair(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("value", ctypes.c_char_p),
        ("name_size", ctypes.c_size_t),
        ("value_size", ctypes.c_size_t),
        ("flags", ctypes.c_uint8),
    ]


def _library() -> ctypes.CDLL:
    try:
        library: ctypes.CDLL = load_tool(TOOLS, "nghttp2_library").library()
    except OSError:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("libnghttp2 is not installed")
        pytest.skip("libnghttp2 is not installed")
    library.nghttp2_strerror.restype = ctypes.c_char_p
    for name in ("submit_headers", "submit_push_promise"):
        getattr(library, f"nghttp2_{name}").restype = ctypes.c_int32
    return library


class Nghttp2:
    """libnghttp2, with its checks of messages on."""

    def __init__(self, side: Sender) -> None:
        self._library = library = _library()
        callbacks = ctypes.c_void_p()
        library.nghttp2_session_callbacks_new(ctypes.byref(callbacks))
        self._session = ctypes.c_void_p()
        new = library.nghttp2_session_client_new if side is CLIENT else library.nghttp2_session_server_new
        assert new(ctypes.byref(self._session), callbacks, None) == 0
        library.nghttp2_session_callbacks_del(callbacks)
        assert library.nghttp2_submit_settings(self._session, 0, None, ctypes.c_size_t(0)) == 0
        self._failed = b""

    def __del__(self) -> None:
        self._library.nghttp2_session_del(self._session)

    def hear(self, octets: bytes) -> None:
        taken = self._library.nghttp2_session_mem_recv(self._session, octets, len(octets))
        if taken < 0:
            assert taken == -903, self._library.nghttp2_strerror(int(taken))  # NGHTTP2_ERR_BAD_CLIENT_MAGIC
            self._failed = frame(GOAWAY, 0, 0, u32(0) + u32(1))

    def out(self) -> bytes:
        found, at = self._failed, ctypes.c_void_p()
        while (size := self._library.nghttp2_session_mem_send(self._session, ctypes.byref(at))) > 0:
            found += ctypes.string_at(at, size)
        assert size == 0
        return found

    @staticmethod
    def _pairs(fields: list[Field]) -> ctypes.Array[_Pair]:
        return (_Pair * len(fields))(*[_Pair(name, value, len(name), len(value), 0) for name, value in fields])

    def send_headers(self, stream: int, fields: list[Field], end: bool) -> None:
        # A request is given without its number.
        number = -1 if fields[0][0] == b":method" else stream
        found = self._library.nghttp2_submit_headers(
            self._session, int(end), number, None, self._pairs(fields), ctypes.c_size_t(len(fields)), None
        )
        assert found in (0, stream)

    def reset(self, stream: int) -> None:
        assert self._library.nghttp2_submit_rst_stream(self._session, 0, stream, 8) == 0

    def push(self, stream: int, promised: int, fields: list[Field]) -> None:
        found = self._library.nghttp2_submit_push_promise(
            self._session, 0, stream, self._pairs(fields), ctypes.c_size_t(len(fields)), None
        )
        assert found == promised


class Ours:
    """A session that plays a side. It never pushes."""

    def __init__(self, side: Sender) -> None:
        self.side = side
        self.session: Session = open_session("http2", endpoint=side)

    def hear(self, octets: bytes) -> None:
        try:
            for _ in self.session.receive(self.side.other, octets):
                pass
        except ProtocolError:
            pass  # GOAWAY tells

    def out(self) -> bytes:
        return self.session.pending_output()

    def send_headers(self, stream: int, fields: list[Field], end: bool) -> None:
        begin = (PREFACE if self.side is CLIENT else b"") + frame(SETTINGS, 0, 0)
        said = list(open_session("http2").receive(self.side, begin + headers(stream, fields, end)))
        self.session.put(said[-1])

    def reset(self, stream: int) -> None:
        raise NotImplementedError

    def push(self, stream: int, promised: int, fields: list[Field]) -> None:
        raise NotImplementedError


Action = Callable[[Endpoint], None]
Step = tuple[Sender, "bytes | Action"]
"""Who acts: the one under test does an action, its peer sends octets."""


def judge(new: Callable[[Sender], Endpoint], receiver: Sender, steps: list[Step]) -> tuple[str, str]:
    """What the receiver of the last step's octets says of them, and what an observer of that connection says.

    The preface and SETTINGS of both come first.
    """
    endpoint, observer = new(receiver), Observer()
    sender = receiver.other

    def hear(octets: bytes) -> str:
        endpoint.hear(octets)
        return observer.hear(sender, octets)

    def answer() -> bytes:
        octets = endpoint.out()
        observer.hear(receiver, octets)
        return octets

    if receiver is CLIENT:
        answer()
        hear(frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0))
    else:
        hear(PREFACE + frame(SETTINGS, 0, 0))
        answer()
        hear(frame(SETTINGS, 1, 0))
    answer()
    for who, what in steps[:-1]:
        if who is receiver:
            assert callable(what)
            what(endpoint)
            answer()
        else:
            assert isinstance(what, bytes)
            assert hear(what) == "fine", what
            answer()
    octets = steps[-1][1]
    assert isinstance(octets, bytes)
    ours = hear(octets)
    return verdict_in(answer()), ours
