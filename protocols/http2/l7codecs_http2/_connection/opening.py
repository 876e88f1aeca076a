"""What comes before the frames of one direction: the client's preface, or HTTP/1.1 that upgrades. RFC 9113 §3; RFC 7540 §3.2.

    client   PRI * HTTP/2.0 …                                  frames
             request [body]      PRI * HTTP/2.0 …              frames
             request [body]      (anything else)               opaque: HTTP/1.1 goes on
    server   frames
             [1xx …] 101 …                                     frames
             [1xx …] another status …                          opaque: HTTP/1.1 goes on

The request becomes stream 1, with its body as `Data`. Lines are read one by one, and looked at once; a head has at most ``limits.head``
octets. Trailers of a chunked body are part of its last `Data`, and not told.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Kind, LimitExceeded, Limits, ProtocolError, Sender
from l7codecs.buffer import Buffer
from l7codecs.message import Data, Event, Opaque

from .._frames.frame_message import FrameMessage, frame_message
from .._frames.frames import PREFACE
from .._frames.settings import MAX_FRAME_SIZE
from .._semantics.malformed import find_fault
from .._semantics.messages import INTERIM, REQUEST, RESPONSE, Http2Message
from .._semantics.spoken import HTTP
from .connection import Connection
from .streams import CLIENT, CLIENT_DONE, FRAME, LAST, OPEN
from .upgrade import Head, may_be_upgrade, parse_upgrade_settings

__all__ = ["Opening"]

_START: Final[i64] = 0
_HEAD: Final[i64] = 1
_BODY: Final[i64] = 2
_CHUNK: Final[i64] = 3  # the size of a chunk
_CHUNK_DATA: Final[i64] = 4
_CHUNK_END: Final[i64] = 5  # CR LF behind its data
_TRAILERS: Final[i64] = 6
_OPAQUE: Final[i64] = 7

_PREFACE_SIZE: Final[i64] = 24
_METHOD_SIZE: Final[i64] = 8
"""Octets that tell whether it is a method."""
_CHUNK_LINE: Final[i64] = 256
"""Octets of the line before a chunk."""
_MAX_CHUNK_DIGITS: Final = 15


@final
class Opening:
    """The beginning of one direction."""

    def __init__(self, buffer: Buffer, sender: Sender, connection: Connection, limits: Limits) -> None:
        self._buffer = buffer
        self._sender = sender
        self._connection = connection
        self._limits = limits
        self._state = _START
        self._lines: list[bytes] = []
        self._size: i64 = 0
        """Octets of `_lines`."""
        self._message: Http2Message | None = None
        """The request whose body is read."""
        self._left: i64 = 0
        self.over = False
        """Frames follow."""

    @property
    def inside(self) -> bool:
        """Whether the direction stands inside a message."""
        return self._state != _START and self._state != _OPAQUE

    def next_event(self) -> Event | None:
        """The next event; None when it needs more octets, or when it is `over`."""
        buffer = self._buffer
        while buffer.need(1):
            state = self._state
            if state == _OPAQUE:
                offset: i64 = buffer.offset
                buffer.pass_window(buffer.available)
                return Opaque(self._sender, offset, buffer.take())
            if state == _START:
                if self._sender is Sender.SERVER:
                    if buffer.data[buffer.pos] != 0x48:  # H, which would be a frame of four megabytes
                        self.over = True
                        return None
                    self._state = _HEAD
                else:
                    event = self._start()
                    if event is not None or self._state == _START:
                        return event
            elif state == _HEAD:
                size = self._line(self._limits.head - self._size)
                if size == 0:
                    return None
                if size == 2:
                    return self._head()
                self._lines.append(buffer.data[buffer.pos - size : buffer.pos])
                self._size += size
            elif state == _BODY or state == _CHUNK_DATA:
                return self._body()
            else:
                size = self._line(_CHUNK_LINE if state != _TRAILERS else self._limits.head - self._size)
                if size == 0:
                    return None
                if self._chunk_line(size):
                    return self._body_ended()
        return None

    def _start(self) -> Event | None:
        """The client's preface, or what stands in its place."""
        buffer = self._buffer
        connection = self._connection
        have: i64 = min(buffer.available, _PREFACE_SIZE)
        buffer.need(have)
        data = buffer.data
        at: i64 = 0
        while at < have and data[buffer.pos + at] == PREFACE[at]:
            at += 1
        if at == _PREFACE_SIZE:
            buffer.pos += at
            self.over = True
            if not connection.upgraded:
                connection.direct = True
                if connection.endpoint is not None:
                    connection.endpoint.on_open(False)
            return self._control("PREFACE")
        if at == have:
            return None
        if connection.upgraded and connection.endpoint is None:
            self._state = _OPAQUE
            return None
        if not connection.upgraded and may_be_upgrade(data[buffer.pos : buffer.pos + have]):
            # It may be a method until eight octets are known, before the limit of a head is looked at.
            if have >= _METHOD_SIZE:
                self._state = _HEAD
            return None
        octet = bytes([data[buffer.pos + at]])
        raise ProtocolError(buffer.offset + at, repr(octet), "the connection preface", "RFC 9113 §3.4 PROTOCOL_ERROR")

    def _line(self, limit: i64) -> i64:
        """Pass a line, of at most `limit` octets; its size, 0 while it is not whole. Raises `ProtocolError` where it ends in no CR LF."""
        buffer = self._buffer
        size = buffer.line(max(limit, 0))
        if size < 0:
            raise LimitExceeded(
                buffer.message_offset,
                "a head that does not end",
                f"at most limits.head = {self._limits.head} octets",
                "RFC 9112 §2.1",
            )
        if size > 0:
            if size < 2 or buffer.data[buffer.pos + size - 2] != 0x0D:
                raise ProtocolError(buffer.offset + size - 1, "LF alone", "CR LF", "RFC 9112 §2.2")
            buffer.pos += size
        return size

    # Heads.

    def _head(self) -> Event:
        lines = self._lines
        self._lines = []
        self._size = 0
        offset: int = self._buffer.message_offset
        if not lines:
            raise ProtocolError(offset, "an empty line", "a line of HTTP/1.1", "RFC 9112 §2.2")
        if self._sender is Sender.SERVER:
            return self._answer(lines, offset)
        return self._request(lines, offset)

    def _new(self, kind: Kind, role: int, head: Head, more: bool, request: Http2Message | None) -> Http2Message:
        """The message of the head that ends at ``buffer.pos``."""
        buffer = self._buffer
        offset: i64 = buffer.message_offset
        octets = buffer.take()
        return Http2Message(
            self._connection.flows[HTTP], self._sender, kind, offset, octets, 0, len(octets), more, request, 1, role,
            HTTP, head.block(),
        )  # fmt: skip

    def _request(self, lines: list[bytes], offset: int) -> Event:
        """A request that asks for h2c: it becomes stream 1."""
        connection = self._connection
        endpoint = connection.endpoint
        if endpoint is not None:
            endpoint.on_http1(False)
        head = Head(lines, False, offset)
        if not head.upgrades:
            raise ProtocolError(offset, "a request of HTTP/1.1", "the preface, or an upgrade to h2c", "RFC 9113 §3.1")
        size = head.body_size()
        fault: str | None = None
        settings: dict[int, int] = {}
        try:
            settings = parse_upgrade_settings(head.values(b"http2-settings")[0], offset)
        except ProtocolError as error:
            if endpoint is not None:
                raise
            fault = f"{error.seen} (RFC 7540 §3.2.1)"
        if endpoint is not None and size > self._limits.message:
            self._exceed(offset, size)
        waits = head.waits
        if endpoint is not None and waits:
            head.meet_expectation()
        message = self._new(Kind.REQUEST, REQUEST, head, size != 0, None)
        fault = find_fault(message, True) or fault
        if fault is not None:
            if endpoint is not None:
                raise ProtocolError(offset, f"a request with {fault}", "a request", "RFC 9113 §8.1.1")
            message.note(fault)
        connection.upgraded = True
        connection.client.frame_size = max(connection.client.frame_size, settings.get(int(MAX_FRAME_SIZE), 0))
        stream = connection.streams.get(1)
        if stream is not None and stream.ahead and connection.arrive(stream):
            stream.move(CLIENT, LAST if size == 0 else FRAME)
        else:
            stream = connection.open(1, CLIENT_DONE if size == 0 else OPEN, False, offset)
        stream.request = message
        connection.keep(message)
        connection.close_if_done(stream)
        if endpoint is None:
            connection.expect_ack(connection.client, settings)
        else:
            endpoint.on_settings(settings, offset)
            if size != 0:
                endpoint.on_http1(waits)
        self._message = message
        if size == 0:
            self._ended()
        else:
            self._left = max(size, 0)
            self._state = _BODY if size > 0 else _CHUNK
            stream.body(CLIENT).declared = size
        return message

    def _answer(self, lines: list[bytes], offset: int) -> Event:
        """The server's answer: 101, and then frames; another 1xx, and then an answer; or HTTP/1.1 for good."""
        connection = self._connection
        if (connection.direct and not connection.joined) or connection.endpoint is not None:
            raise ProtocolError(offset, "a response of HTTP/1.1", "frames", "RFC 9113 §3.4 PROTOCOL_ERROR")
        head = Head(lines, True, offset)
        status = head.words[0]
        if status == b"101":
            self.over = True
            connection.apply_settings(connection.client, connection.server)
            return self._control("UPGRADE")
        stream = connection.streams.get(1)
        request = None if stream is None else stream.request
        if status.startswith(b"1"):
            self._state = _START
            return self._new(Kind.CONTROL, INTERIM, head, False, request)
        self._state = _OPAQUE
        if connection.streams.remove(1) is None and connection.client.last_stream == 0:
            connection.end_ahead(1, connection.server, False)
        return self._new(Kind.RESPONSE, RESPONSE, head, False, request)

    # The body of a request.

    def _chunk_line(self, size: i64) -> bool:
        """A line between the chunks has been passed; whether it was the last."""
        buffer = self._buffer
        if self._state == _CHUNK:
            line = buffer.data[buffer.pos - size : buffer.pos - 2]
            word = line.partition(b";")[0].strip(b" \t")
            if not 0 < len(word) <= _MAX_CHUNK_DIGITS or word.strip(b"0123456789abcdefABCDEF"):
                raise ProtocolError(buffer.offset - size, repr(line[:40]), "the size of a chunk", "RFC 9112 §7.1")
            self._left = int(word, 16)
            self._state = _CHUNK_DATA if self._left > 0 else _TRAILERS
            if self._connection.endpoint is not None:
                self._size += self._left
                if self._size > self._limits.message:
                    self._exceed(buffer.offset, self._size)
            if self._left == 0:
                self._size = 0
        elif self._state == _CHUNK_END:
            if size != 2:
                raise ProtocolError(buffer.offset - size, "more than the chunk's size", "CR LF", "RFC 9112 §7.1")
            self._state = _CHUNK
        else:
            self._size += size
            return size == 2
        return False

    def _exceed(self, offset: int, size: i64) -> None:
        """Nothing but memory holds a body that comes before the frames, where flow control begins."""
        raise LimitExceeded(
            offset, f"a body of {size} octets", f"at most limits.message = {self._limits.message} before an upgrade"
        )

    def _body(self) -> Event:
        """What the window has of the body or of a chunk, with the lines before it."""
        buffer = self._buffer
        before = self._left
        left = buffer.pass_window(before)
        self._left = left
        if left > 0:
            return self._data(before - left, True)
        if self._state == _CHUNK_DATA:
            self._state = _CHUNK_END
            return self._data(before, True)
        event = self._data(before, False)
        self._ended()
        return event

    def _body_ended(self) -> Event:
        event = self._data(0, False)
        self._ended()
        return event

    def _data(self, size: i64, more: bool) -> Event:
        """The octets up to ``buffer.pos``, of which the last `size` are the body's."""
        buffer = self._buffer
        message = self._message
        assert message is not None
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        stop = start + buffer.message_size()
        buffer.finish()
        stream = self._connection.streams.get(1)
        if stream is not None:
            stream.body(CLIENT).octets += size
            if not more:
                stream.move(CLIENT, LAST)
                self._connection.close_if_done(stream)
        return Data(message, offset, octets, more, start, stop, stop - size, stop)

    def _ended(self) -> None:
        """The request is whole: what follows is the preface."""
        self._message = None
        self._state = _START
        self._size = 0
        if self._connection.endpoint is not None:
            self._connection.endpoint.on_open(True)

    def _control(self, name: str) -> FrameMessage:
        """The event of the octets up to ``buffer.pos``."""
        flow = self._connection.flows[HTTP]
        return frame_message(self._buffer, flow, self._sender, Kind.CONTROL, 0, name, None, None)
