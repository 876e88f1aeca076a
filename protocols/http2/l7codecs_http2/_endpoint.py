"""What an endpoint writes: messages encoded for its own connection, and what it owes its peer.

Stream numbers, header compression and flow control belong to one connection. A proxy receives on one and sends on
another, so a message is encoded anew: its
fields in their order, never-indexed ones kept so; its DATA in frames that the peer accepts, as far as both windows
allow. What does not fit waits, and comes
out of `pending_output` when the peer has widened the window. RFC 9113 §5.2, §6.5, §6.7, §6.9, §8.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Limits, Message, ProtocolError, Sender, Status, Unsupported
from l7codecs.message import Data

from ._changes import error_fields
from ._connection import Connection, EndpointHooks
from ._frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ERROR_NAMES,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from ._hpack_encoder import HpackEncoder
from ._messages import INTERIM, PROMISE, REQUEST, TRAILERS, FrameMessage, Http2Message
from ._settings import (
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MAX_WINDOW,
)
from ._static_table import HeaderField
from ._streams import CLIENT, CLOSED, FRAME, IDLE, LAST, RESET, SERVER, Stream

__all__ = ["Endpoint"]

_STREAM_WINDOW: Final[i64] = 1 << 20
"""Octets that the peer may send on a stream ahead of what was received."""
_CONNECTION_WINDOW: Final[i64] = 1 << 24
_OWED_LIMIT: Final[i64] = 1 << 16
"""Octets of acknowledgements that may wait to be written: more are a flood."""


def frame(kind: i64, flags: i64, stream: i64, payload: bytes) -> bytes:
    """The octets of one frame."""
    size: i64 = len(payload)
    head = bytes(
        [
            int(size >> 16),
            int((size >> 8) & 0xFF),
            int(size & 0xFF),
            int(kind),
            int(flags),
            int(stream >> 24),
            int((stream >> 16) & 0xFF),
            int((stream >> 8) & 0xFF),
            int(stream & 0xFF),
        ]
    )
    return head + payload


def _u32(value: i64) -> bytes:
    return int(value).to_bytes(4, "big")


def _setting(number: i64, value: i64) -> bytes:
    return int(number).to_bytes(2, "big") + _u32(value)


@final
class _Out:
    """What is written on one stream."""

    def __init__(self, number: i64, window: i64) -> None:
        self.number = number
        self.window = window
        self.queue: list[bytes] = []
        self.queued: i64 = 0
        self.ends = False
        """The queue is followed by the end of the stream."""
        self.trailers: list[HeaderField] | None = None
        self.heads: list[Message] = []
        """The messages that are written on it, to find it by."""


@final
class Endpoint(EndpointHooks):
    """One side of a connection, played by the caller."""

    def __init__(self, connection: Connection, me: Sender, limits: Limits) -> None:
        self._connection = connection
        self._me: i64 = CLIENT if me is Sender.CLIENT else SERVER
        self._encoder = HpackEncoder()
        self._window: i64 = DEFAULT_WINDOW
        self._stream_window: i64 = DEFAULT_WINDOW
        self._frame_size: i64 = DEFAULT_FRAME_SIZE
        self._next: i64 = 1
        self._out: dict[int, _Out] = {}
        self._by_message: dict[Message, _Out] = {}
        self._received: dict[int, int] = {}
        """Octets of DATA received since the peer was last told, of each stream; 0 for the connection."""
        settings = _setting(INITIAL_WINDOW_SIZE, _STREAM_WINDOW) + _setting(MAX_CONCURRENT_STREAMS, limits.streams)
        if self._me == CLIENT:
            settings += _setting(ENABLE_PUSH, 0)
        settings += _setting(MAX_HEADER_LIST_SIZE, limits.head)
        self._settings = frame(SETTINGS, 0, 0, settings) + frame(
            WINDOW_UPDATE, 0, 0, _u32(_CONNECTION_WINDOW - DEFAULT_WINDOW)
        )
        # A server waits for the client's first octets, which may ask for an upgrade.
        self._owed: list[bytes] = [PREFACE, self._settings] if self._me == CLIENT else []
        self._owed_size: i64 = 0
        self._gone = False
        connection.side(me).heard = True

    # What the decoder tells.

    def on_open(self, upgraded: bool) -> None:
        """The client has begun the connection: the server's preface is due, behind 101 where HTTP/1.1 was upgraded."""
        if self._me == SERVER:
            if upgraded:
                self._owed.append(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            self._owed.append(self._settings)

    def on_settings(self, settings: dict[int, int], offset: i64) -> None:
        """The peer's settings take effect now, and are acknowledged."""
        size = settings.get(int(HEADER_TABLE_SIZE))
        if size is not None:
            self._encoder.set_table_limit(min(size, 4096))
        size = settings.get(int(MAX_FRAME_SIZE))
        if size is not None:
            self._frame_size = size
        size = settings.get(int(INITIAL_WINDOW_SIZE))
        if size is not None:
            change: i64 = size - self._stream_window
            self._stream_window = size
            for out in self._out.values():
                out.window += change
                if out.window > MAX_WINDOW:
                    raise ProtocolError(
                        offset, "a window of more than 2^31-1", "less", "RFC 9113 §6.9.2 FLOW_CONTROL_ERROR"
                    )
        self._owe(frame(SETTINGS, ACK, 0, b""), offset)

    def on_ping(self, payload: bytes, offset: i64) -> None:
        """A PING is answered with the same octets."""
        self._owe(frame(PING, ACK, 0, payload), offset)

    def on_data(self, stream: i64, size: i64) -> None:
        """`size` octets that count for flow control came on `stream`."""
        if size > 0:
            self._received[0] = self._received.get(0, 0) + int(size)
            self._received[int(stream)] = self._received.get(int(stream), 0) + int(size)

    def on_window(self, stream: i64, increment: i64, offset: i64) -> None:
        """The peer takes `increment` octets more."""
        if stream == 0:
            self._window += increment
            if self._window > MAX_WINDOW:
                raise ProtocolError(
                    offset, "a window of more than 2^31-1", "less", "RFC 9113 §6.9.1 FLOW_CONTROL_ERROR"
                )
            return
        out = self._out.get(int(stream))
        if out is not None:
            out.window += increment
            if out.window > MAX_WINDOW:
                self.reset(stream, "FLOW_CONTROL_ERROR", offset)

    def on_reset(self, stream: i64) -> None:
        """The peer takes nothing more on `stream`."""
        self._forget(stream)

    def on_malformed(self, stream: i64, offset: i64) -> None:
        """A malformed message is an error of its stream (RFC 9113 §8.1.1)."""
        self.reset(stream, "PROTOCOL_ERROR", offset)

    def reset(self, stream: i64, code: str, offset: i64) -> None:
        """End a stream with an error."""
        self._forget(stream)
        self._connection.streams.remove(stream)
        self._owe(frame(RST_STREAM, 0, stream, _u32(ERROR_NAMES.index(code))), offset)

    def _owe(self, octets: bytes, offset: i64) -> None:
        self._owed.append(octets)
        self._owed_size += len(octets)
        if self._owed_size > _OWED_LIMIT:
            raise ProtocolError(
                offset,
                f"{self._owed_size} octets of answers that wait to be written",
                "fewer",
                "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
            )

    def _forget(self, stream: i64) -> None:
        self._received.pop(int(stream), None)
        out = self._out.pop(int(stream), None)
        if out is not None:
            for head in out.heads:
                self._by_message.pop(head, None)

    # What the caller writes.

    @property
    def queued(self) -> int:
        """Octets of DATA that wait for a window."""
        return sum([int(out.queued) for out in self._out.values()])

    def _take_owed(self) -> list[bytes]:
        """What is owed goes before anything else: a connection begins with SETTINGS."""
        parts = self._owed
        self._owed = []
        self._owed_size = 0
        return parts

    def pending_output(self, error: ProtocolError | None) -> bytes:
        """Everything that can be written now: acknowledgements, window updates, DATA that waited; GOAWAY after an error."""
        parts = self._take_owed()
        for number, size in self._received.items():
            if size > 0 and (number == 0 or self._connection.streams.get(number) is not None):
                parts.append(frame(WINDOW_UPDATE, 0, number, _u32(size)))
        self._received = {}
        for out in list(self._out.values()):
            if out.queue or out.trailers is not None:
                self._flush(out, parts)
        if error is not None and not self._gone:
            self._gone = True
            word = error.spec.rpartition(" ")[2]
            code = ERROR_NAMES.index(word) if word in ERROR_NAMES else 1
            last = self._connection.client.last_stream if self._me == SERVER else self._connection.server.last_stream
            parts.append(frame(GOAWAY, 0, 0, _u32(last) + _u32(code)))
        return b"".join(parts)

    def send_message(self, message: Http2Message, fields: list[HeaderField]) -> bytes:
        """The frames of a header block with `fields`, and the end of the stream where the message has no body."""
        if message.malformed is not None:
            raise Unsupported(f"a malformed message is not sent on: {message.malformed}")
        if message.role == PROMISE:
            raise Unsupported("a promised request is not sent on: this endpoint has switched off push")
        parts = self._take_owed()
        if message.role == REQUEST and self._me == CLIENT:
            self._open(message, fields, parts)
            return b"".join(parts)
        out = self._of(message)
        if out is None:
            return b"".join(parts)
        if message.role == TRAILERS:
            out.trailers = fields
            self._flush(out, parts)
            return b"".join(parts)
        ends = not message.more and message.role != INTERIM
        if message.role != INTERIM:
            self._by_message[message] = out
            out.heads.append(message)
        self._block(out.number, fields, ends, parts)
        if message.role != INTERIM:
            self._move(out, ends)
        return b"".join(parts)

    def send_data(self, data: Data) -> bytes:
        """Frames with the octets of `data` that the windows allow; the rest waits."""
        out = self._by_message.get(data.message)
        if out is None:
            return b""
        payload = data.payload
        if payload:
            out.queue.append(payload)
            out.queued += len(payload)
        if not data.more:
            out.ends = True
        parts = self._take_owed()
        self._flush(out, parts)
        return b"".join(parts)

    def send_reset(self, message: FrameMessage) -> bytes:
        """RST_STREAM with the same code, on this connection's stream."""
        request = message.request
        out = self._by_message.get(request) if request is not None else None
        if out is None and isinstance(request, Http2Message) and self._me == SERVER:
            out = self._out_of(i64(request.stream))
        if out is None:
            return b""
        stream = self._connection.streams.remove(out.number)
        if stream is not None:
            stream.move(self._me, RESET)
        self._forget(out.number)
        return b"".join(self._take_owed()) + frame(RST_STREAM, 0, out.number, message.payload)

    def reply_error(self, request: Http2Message, status: Status, text: str) -> bytes:
        """A response without asking anybody: an HTTP status with `text`, or for gRPC a response that is all trailers."""
        out = self._out_of(i64(request.stream))
        if out is None:
            return b""
        stream = self._connection.streams.get(out.number)
        parts = self._take_owed()
        body = text.encode("utf-8", "replace") if not request.framed and request.method != "HEAD" else b""
        self._block(out.number, error_fields(request.framed, status, text, len(body)), not body, parts)
        if body:
            out.queue.append(body)
            out.queued += len(body)
            out.ends = True
            self._flush(out, parts)
        else:
            self._move(out, True)
        if stream is not None and stream.state != CLOSED and not out.queue:
            # The rest of the request is not wanted (RFC 9113 §8.1).
            parts.append(frame(RST_STREAM, 0, out.number, _u32(0)))
            self._connection.streams.remove(out.number)
            self._forget(out.number)
        return b"".join(parts)

    def _open(self, message: Http2Message, fields: list[HeaderField], parts: list[bytes]) -> None:
        """A request opens the next stream."""
        number = self._next
        self._next += 2
        connection = self._connection
        stream = Stream(number, IDLE, False)
        stream.request = message
        connection.streams.add(stream)
        connection.client.last_stream = number
        out = _Out(number, self._stream_window)
        out.heads.append(message)
        self._out[int(number)] = out
        self._by_message[message] = out
        ends = not message.more
        self._block(number, fields, ends, parts)
        self._move(out, ends)

    def _of(self, message: Http2Message) -> _Out | None:
        """Where an answer or trailers are written: on the stream of their request."""
        request = message.request
        if self._me == CLIENT:
            return self._by_message.get(request) if request is not None else None
        if not isinstance(request, Http2Message):
            raise Unsupported("an answer to no request that is known")
        return self._out_of(i64(request.stream))

    def _out_of(self, number: i64) -> _Out | None:
        """What is written on a stream that the peer opened; None if it is closed."""
        out = self._out.get(int(number))
        if out is None and self._connection.streams.get(number) is not None:
            out = _Out(number, self._stream_window)
            self._out[int(number)] = out
        return out

    def _block(self, number: i64, fields: list[HeaderField], ends: bool, parts: list[bytes]) -> None:
        """HEADERS, and CONTINUATION where the block is larger than a frame."""
        block = self._encoder.encode(fields)
        size: i64 = len(block)
        flags: i64 = END_STREAM if ends else 0
        limit = self._frame_size
        if size <= limit:
            parts.append(frame(HEADERS, flags | END_HEADERS, number, block))
            return
        parts.append(frame(HEADERS, flags, number, block[:limit]))
        at = limit
        while at < size:
            stop = min(at + limit, size)
            parts.append(frame(CONTINUATION, END_HEADERS if stop == size else 0, number, block[at:stop]))
            at = stop

    def _flush(self, out: _Out, parts: list[bytes]) -> None:
        """Write what the windows allow, then what follows the body."""
        while out.queue:
            payload = out.queue[0]
            size: i64 = len(payload)
            step = min(min(size, self._frame_size), min(out.window, self._window))
            if step <= 0:
                return
            last = step == size and len(out.queue) == 1 and out.ends and out.trailers is None
            parts.append(
                frame(DATA, END_STREAM if last else 0, out.number, payload if step == size else payload[:step])
            )
            out.window -= step
            self._window -= step
            out.queued -= step
            if step == size:
                out.queue.pop(0)
            else:
                out.queue[0] = payload[step:]
            if last:
                self._move(out, True)
                return
        if out.trailers is not None:
            fields = out.trailers
            out.trailers = None
            self._block(out.number, fields, True, parts)
            self._move(out, True)
        elif out.ends:
            parts.append(frame(DATA, END_STREAM, out.number, b""))
            self._move(out, True)

    def _move(self, out: _Out, ends: bool) -> None:
        """Follow the stream's states for what was written."""
        stream = self._connection.streams.get(out.number)
        if stream is not None:
            stream.move(self._me, LAST if ends else FRAME)
            self._connection.close_if_done(stream)
        if ends:
            self._forget_written(out)

    def _forget_written(self, out: _Out) -> None:
        """Nothing more is written on the stream."""
        out.ends = False
        if self._me == SERVER or self._connection.streams.get(out.number) is None:
            self._forget(out.number)
