"""What is timed of HTTP/2: each class is one side of a row, and a call returns what it found in the last message.

A side lives through all rounds, as a connection does. `ask` and `answer` are what is done between the rounds, untimed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import hpack  # type: ignore[import-untyped]
import jh2._hazmat

import l7codecs
from l7codecs import Sender, Session

from .http2_octets import ACK, FRAME_SIZE, PREFACE, SETTINGS

__all__ = [
    "H2Answers",
    "H2Body",
    "H2Requests",
    "Nghttp2",
    "OurAnswers",
    "OurBody",
    "OurCalls",
    "OurCopiedBody",
    "OurRequests",
    "Walk",
    "copy_body",
    "hpack_decoder",
    "jh2_decoder",
    "nghttp2_missing",
]

CLIENT: Final = Sender.CLIENT
SERVER: Final = Sender.SERVER
Receive = Callable[[Sender, bytes], Iterator[Any]]
"""`Session.receive`, as one calls it who knows that only messages come, and asks each nothing but what is measured."""
Found = tuple[object, object]


def open_session() -> Session:
    """A session whose both sides have said and acknowledged their settings."""
    session = l7codecs.open_session("http2")
    for sender, octets in ((CLIENT, PREFACE + SETTINGS), (SERVER, SETTINGS + ACK), (CLIENT, ACK)):
        for _ in session.receive(sender, octets):
            pass
    return session


class OurRequests:
    """l7codecs: method and path of each request, in one long-lived session."""

    def __init__(self) -> None:
        self.session = open_session()

    def answer(self, frames: Sequence[bytes]) -> None:
        """Let the server end the streams, which is not timed."""
        for _ in self.session.receive(SERVER, b"".join(frames)):
            pass

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        receive: Receive = self.session.receive
        method: object = None
        path: object = None
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                method = event.method
                path = event.path
        return method, path


class OurCalls(OurRequests):
    """l7codecs: what a gRPC router reads, service and operation of each request."""

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        receive: Receive = self.session.receive
        service: object = None
        operation: object = None
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                service = event.service
                operation = event.operation
        return service, operation


class OurAnswers:
    """l7codecs: HTTP and gRPC status of each response and trailers."""

    def __init__(self) -> None:
        self.session = open_session()

    def ask(self, frames: Sequence[bytes]) -> None:
        """Send requests, which is not timed."""
        for _ in self.session.receive(CLIENT, b"".join(frames)):
            pass

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        receive: Receive = self.session.receive
        code: object = None
        status: object = None
        for chunk in chunks:
            for event in receive(SERVER, chunk):
                code = event.status_code
                status = event.status
        return code, status


class OurBody:
    """l7codecs: the octets of a body, of one stream that does not end; each payload without a copy."""

    def __init__(self, head: bytes) -> None:
        self.session = open_session()
        for _ in self.session.receive(CLIENT, head):
            pass

    def __call__(self, chunks: Sequence[bytes]) -> int:
        receive: Receive = self.session.receive
        octets = 0
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                octets += len(event.payload_view)
        return octets


class OurCopiedBody(OurBody):
    """The same, each payload as `bytes`."""

    def __call__(self, chunks: Sequence[bytes]) -> int:
        receive: Receive = self.session.receive
        octets = 0
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                octets += len(event.payload)
        return octets


def copy_body(chunks: Sequence[bytes]) -> int:
    """No protocol at all: the octets, copied in pieces of a frame's size."""
    octets = 0
    for chunk in chunks:
        for at in range(0, len(chunk), FRAME_SIZE):
            octets += len(chunk[at : at + FRAME_SIZE])
    return octets


class H2Requests:
    """h2: method and path of each request.

    h2 refuses a stream beside 100 open ones, and counts the open ones at each new one. So it gets reads of few frames, and its streams are
    taken away after each, which costs nothing and spares it the answers.
    """

    def __init__(self) -> None:
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.connection.initiate_connection()
        self.connection.receive_data(PREFACE + SETTINGS + ACK)
        self.connection.data_to_send()

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        receive_data = self.connection.receive_data
        streams = self.connection.streams
        received = h2.events.RequestReceived
        method: object = None
        path: object = None
        for chunk in chunks:
            for event in receive_data(chunk):
                if isinstance(event, received):
                    for name, value in event.headers:
                        if name == b":method":
                            method = value
                        elif name == b":path":
                            path = value
                            break
            streams.clear()
        return method, path


class H2Answers:
    """h2: HTTP and gRPC status of each response and trailers."""

    def __init__(self) -> None:
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.initiate_connection()
        many = b"\x00\x00\x06\x04\x00" + bytes(4) + b"\x00\x03\x00\x01\x00\x00"  # 65 536 streams at once
        self.connection.receive_data(many + ACK)
        self.connection.data_to_send()

    def ask(self, streams: Sequence[int]) -> None:
        """Send requests, which is not timed."""
        connection = self.connection
        request = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"b")]
        connection.streams.clear()
        held: dict[int, Any] = {}  # so that h2 need not count them all at each new one
        for stream in streams:
            connection.send_headers(stream, request, end_stream=True)
            held |= connection.streams
            connection.streams.clear()
        connection.streams.update(held)
        connection.data_to_send()

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        receive_data = self.connection.receive_data
        response = h2.events.ResponseReceived
        trailers = h2.events.TrailersReceived
        code: object = None
        status: object = None
        for chunk in chunks:
            for event in receive_data(chunk):
                if isinstance(event, response):
                    status = None
                    for name, value in event.headers:
                        if name == b":status":
                            code = value
                            break
                elif isinstance(event, trailers):
                    code = None
                    for name, value in event.headers:
                        if name == b"grpc-status":
                            status = value
                            break
        return code, status


class H2Body:
    """h2: the octets of a body, of one stream that does not end. Its windows are opened as far as they go, between the rounds."""

    def __init__(self, head: bytes, stream: int) -> None:
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.connection.initiate_connection()
        self.connection.receive_data(PREFACE + SETTINGS + ACK + head)
        self.stream = stream
        self.taken = 0
        most = 2**31 - 1 - 65_535
        self.connection.increment_flow_control_window(most)
        self.connection.increment_flow_control_window(most, stream)
        self.connection.data_to_send()

    def open_windows(self) -> None:
        """Give back what was received, which is not timed."""
        if self.taken:
            self.connection.increment_flow_control_window(self.taken)
            self.connection.increment_flow_control_window(self.taken, self.stream)
            self.taken = 0
        self.connection.data_to_send()

    def __call__(self, chunks: Sequence[bytes]) -> int:
        receive_data = self.connection.receive_data
        received = h2.events.DataReceived
        octets = 0
        for chunk in chunks:
            for event in receive_data(chunk):
                if isinstance(event, received):
                    octets += len(event.data)
        self.taken += octets
        return octets


Decode = Callable[[bytes], Sequence[Sequence[Any]]]


def hpack_decoder() -> Decode:
    """`hpack`: header lists as bytes."""
    decode = hpack.Decoder().decode
    return lambda block: decode(block, raw=True)  # type: ignore[no-any-return]


def jh2_decoder() -> Decode:
    """The decoder in Rust that `jh2` carries: header lists as bytes. (``jh2.hpack.Decoder`` is another one, in Python.)"""
    decode = jh2._hazmat.Decoder().decode
    return lambda block: decode(block, True)


class Walk:
    """A plain loop over the frames of one direction, with another's HPACK decoder.

    Nothing is checked but the frame's type: no stream states, no settings, no malformed messages. Of each block,
    the first field of each of two names.
    """

    def __init__(self, decode: Decode, first: bytes, second: bytes) -> None:
        self.decode = decode
        self.first = first
        self.second = second
        self.rest = b""

    def __call__(self, chunks: Sequence[bytes]) -> Found:
        decode = self.decode
        first = self.first
        second = self.second
        one: object = None
        other: object = None
        rest = self.rest
        for chunk in chunks:
            octets = rest + chunk if rest else chunk
            end = len(octets)
            at = 0
            while at + 9 <= end:
                stop = at + 9 + (octets[at] << 16 | octets[at + 1] << 8 | octets[at + 2])
                if stop > end:
                    break
                if octets[at + 3] == 1:
                    one = other = None
                    for field in decode(octets[at + 9 : stop]):
                        name = field[0]
                        if name == first:
                            one = field[1]
                        elif name == second:
                            other = field[1]
                            break
                at = stop
            rest = octets[at:]
        self.rest = rest
        return one, other


def nghttp2_missing() -> str | None:
    """Why nghttp2 cannot be measured here; None where it can."""
    if shutil.which("cc") is None:
        return "no C compiler"
    test = subprocess.run(
        ["cc", "-E", "-x", "c", "-"], input=b"#include <nghttp2/nghttp2.h>\n", capture_output=True, check=False
    )
    return None if test.returncode == 0 else "libnghttp2's headers are not installed (apt: libnghttp2-dev)"


class Nghttp2:
    """nghttp2 in C: `nghttp2_walk.c`, in a process of its own that takes its own time; a call returns seconds.

    ``last`` is what it found in the last message, ``count`` how many there were.
    """

    def __init__(self, role: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="l7codecs-benchmarks-")
        program = Path(self._folder.name, "nghttp2_walk")
        source = Path(__file__).with_name("nghttp2_walk.c")
        subprocess.run(["cc", "-O3", "-o", program, source, "-lnghttp2"], check=True)
        self._process = subprocess.Popen([program, role], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.last: Found = (None, None)
        self.count = 0
        if role == "server":
            self._send(b"u", PREFACE + SETTINGS + ACK)
        else:
            self._send(b"u", SETTINGS + ACK)

    def __enter__(self) -> Nghttp2:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._folder.cleanup()

    def _send(self, command: bytes, octets: bytes = b"", number: int = 0) -> None:
        assert self._process.stdin is not None
        size = len(octets) or number
        self._process.stdin.write(command + size.to_bytes(4, "little") + octets)
        self._process.stdin.flush()

    def close_streams(self) -> None:
        """Let the server end the streams, which is not timed."""
        self._send(b"c")

    def ask(self, count: int) -> None:
        """Send requests, which is not timed."""
        self._send(b"o", number=count)

    def __call__(self, chunks: Sequence[bytes]) -> float:
        self._send(b"t", b"".join(chunks))
        assert self._process.stdout is not None
        taken, count, first, second = self._process.stdout.readline().rstrip(b"\n").split(b" ")
        self.count = int(count)
        self.last = (None if first == b"-" else first, None if second == b"-" else second)
        return int(taken) / 1e9
