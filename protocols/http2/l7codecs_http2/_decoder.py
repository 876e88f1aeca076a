"""Frames of one direction -> events.

    24 octets of preface (client)    length(24) type(8) flags(8) R(1) stream(31) payload(length)    …

RFC 9113 §3.4, §4, §6. Each frame is one event; HEADERS or PUSH_PROMISE with its CONTINUATION frames is one. Types that
are not known are events that
concern nothing (§5.5). An error of the connection ends the direction; an error of one stream is told in the event
(`malformed`, or the error code that
the frame earns), and the other streams go on.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from mypy_extensions import i64

from l7codecs import Decoder, Kind, LimitExceeded, Limits, Message, ProtocolError, Sender
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing import PairingTable

from ._boundary import find_frame
from ._connection import (
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    Connection,
)
from ._frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIXED_SIZES,
    GOAWAY,
    HEADER_SIZE,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    TYPE_NAMES,
    WINDOW_UPDATE,
    error_name,
)
from ._hpack import HeaderBlock
from ._malformed import find_fault
from ._messages import (
    CONTENT_TYPE,
    GRPC,
    HTTP,
    INTERIM,
    PROMISE,
    REQUEST,
    RESPONSE,
    STATUS,
    TRAILERS,
    TRIPLE,
    FrameMessage,
    Http2Message,
)
from ._static_table import well_known
from ._streams import CLIENT, CLIENT_DONE, FRAME, IDLE, LAST, OPEN, RESERVED, RESET, SERVER, Stream
from ._upgrade import as_block, is_upgrade, may_be_upgrade, settings_of

__all__ = ["Http2Decoder"]

_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CONTROL: Final = Kind.CONTROL
_TRAILERS: Final = Kind.TRAILERS
_PUSH: Final = Kind.PUSH
_HEARTBEAT: Final = Kind.HEARTBEAT

_CONTENT_LENGTH: Final = well_known("content-length")
_MAX_CONTINUATIONS: Final = 256
"""CONTINUATION frames of one block: 64 KiB of block in frames of 256 octets."""


@final
class Http2Decoder(Decoder):
    """One direction of a connection."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, PairingTable(), PairingTable())
        self.connection = connection
        self.side = connection.side(sender)
        self.peer = connection.peer(sender)
        self._who: i64 = CLIENT if sender is Sender.CLIENT else SERVER
        self._opening = True
        """What comes before the frames is still to come: the client's preface, or HTTP/1.1 that upgrades."""
        self._first = True
        self._left: i64 = -1
        self._type: i64 = 0
        self._flags: i64 = 0
        self._stream: i64 = 0
        self._length: i64 = 0
        self._at: i64 = 0
        """Where in the message in progress the current frame starts."""
        self._block_type: i64 = -1
        self._block_flags: i64 = 0
        self._block_stream: i64 = 0
        self._first_start: i64 = 0
        self._first_stop: i64 = 0
        """Where in the message in progress the first part of its header block lies; nearly always it is the only one."""
        self._fragments: list[tuple[i64, i64]] = []
        """Where the parts in CONTINUATION frames lie: start and stop."""
        self._block_size: i64 = 0
        self._piece_head: Message | None = None
        self._padding: i64 = 0
        self._message_limit: i64 = limits.message
        self._head_limit: i64 = limits.head

    def unfinished(self) -> bool:
        return self._left >= 0 or self._block_type >= 0 or self.buffer.unfinished > 0

    def failed(self) -> None:
        self.connection.joined = True

    def restart(self) -> None:
        super().restart()
        self._left = -1
        self._block_type = -1
        self._fragments = []
        self._opening = False
        self._first = False
        self._piece_head = None

    def gap(self, size: int) -> None:
        at_start = size == 0 and not self.fed
        super().gap(size)
        if at_start:
            self.connection.joined = True
        self.connection.lose(self.sender)

    def boundary(self, octets: bytes) -> int:
        if octets.startswith(PREFACE[: len(octets)]) and self.sender is Sender.CLIENT:
            if len(octets) < len(PREFACE):
                return -1
            self._opening = True
            return 0
        return find_frame(octets)

    def next_event(self) -> Event | None:
        buffer = self.buffer
        if self._opening:
            return self._open()
        while True:
            if self._piece_head is not None:
                return self._next_piece(self._piece_head)
            if self._left < 0:
                if buffer.end - buffer.pos < HEADER_SIZE and not buffer.need(HEADER_SIZE):
                    return None
                self._read_header()
            if self._type == DATA and self._padding < 0:
                if not buffer.need(HEADER_SIZE + 1):
                    return None
                self._padding = buffer.data[buffer.pos + HEADER_SIZE]
                if self._padding >= self._length:
                    self._error(
                        f"{self._padding} octets of padding", "less than the payload", "RFC 9113 §6.1 PROTOCOL_ERROR"
                    )
            if self._type == DATA and self._left > self._message_limit and self._left == HEADER_SIZE + self._length:
                return self._start_pieces()
            if self._type == DATA:
                self._left = buffer.pass_over(self._left)
                if self._left > 0:
                    return None
            else:
                # All but DATA are read, and so made one piece.
                if not buffer.need(self._left):
                    return None
                buffer.pos += self._left
            self._left = -1
            event = self._frame()
            if event is not None:
                return event

    def _open(self) -> Event | None:
        """The preface, or the head of HTTP/1.1 that upgrades; nothing before a server's frames."""
        buffer = self.buffer
        if not buffer.need(1):
            return None
        first: i64 = buffer.data[buffer.pos]
        if self._who == SERVER:
            if first == 0x48:
                return self._upgraded()
            self._opening = False
            return self.next_event()
        have: i64 = min(buffer.available, 24)
        buffer.need(have)
        data = buffer.data
        at: i64 = 0
        while at < have and data[buffer.pos + at] == PREFACE[at]:
            at += 1
        if at < have:
            if not self.connection.upgraded and may_be_upgrade(data[buffer.pos : buffer.pos + have]):
                # Eight octets tell whether it is a method, before the limit of a head is looked at.
                return self._upgrade() if have >= 8 else None
            octet = bytes([data[buffer.pos + at]])
            raise ProtocolError(buffer.offset + at, repr(octet), "the connection preface", "RFC 9113 §3.4")
        if have < 24:
            return None
        buffer.pos += 24
        self._opening = False
        if self.connection.endpoint is not None and not self.connection.upgraded:
            self.connection.endpoint.on_open(False)
        return self._frame_message(_CONTROL, 0, "PREFACE", None, None)

    def _head_size(self) -> i64:
        """Octets of the head of HTTP/1.1 at ``buffer.pos``; 0 while it is not whole."""
        buffer = self.buffer
        have: i64 = min(buffer.available, self._head_limit)
        buffer.need(have)
        end: i64 = buffer.data.find(b"\r\n\r\n", buffer.pos, buffer.pos + have)
        if end >= 0:
            return end + 4 - buffer.pos
        if have >= self._head_limit:
            raise LimitExceeded(
                buffer.offset,
                "a head that does not end",
                f"at most limits.head = {self.limits.head} octets",
                "RFC 9112 §2.1",
            )
        return 0

    def _upgrade(self) -> Event | None:
        """A request of HTTP/1.1 that asks for h2c: it becomes stream 1, which the client has ended."""
        buffer = self.buffer
        size = self._head_size()
        if size == 0:
            return None
        head = buffer.data[buffer.pos : buffer.pos + size]
        if not is_upgrade(head):
            raise ProtocolError(
                buffer.offset, "a request of HTTP/1.1", "the preface, or an upgrade to h2c", "RFC 9113 §3.1"
            )
        connection = self.connection
        connection.upgraded = True
        settings = settings_of(head)
        connection.client.frame_size = max(connection.client.frame_size, min(settings.get(MAX_FRAME_SIZE, 0), 16777215))
        connection.client.unacknowledged.append(settings)
        if connection.endpoint is not None:
            connection.endpoint.on_open(True)
        offset = buffer.offset
        buffer.pos += size
        octets = buffer.take()
        block = as_block(head)
        message = Http2Message(
            connection.flows[HTTP],
            self.sender,
            _REQUEST,
            offset,
            octets,
            0,
            len(octets),
            False,
            None,
            1,
            REQUEST,
            HTTP,
            block,
        )
        message.malformed = find_fault(message, True)
        stream = Stream(1, CLIENT_DONE, False)
        stream.request = message
        connection.streams[1] = stream
        connection.client.last_stream = 1
        return message

    def _upgraded(self) -> Event | None:
        """The server's answer in HTTP/1.1: 101, and then frames."""
        buffer = self.buffer
        size = self._head_size()
        if size == 0:
            return None
        head = buffer.data[buffer.pos : buffer.pos + size]
        if not head.startswith(b"HTTP/1.1 101"):
            raise ProtocolError(buffer.offset, "a response of HTTP/1.1", "HTTP/1.1 101 and frames", "RFC 7540 §3.2")
        self._opening = False
        self.connection.apply_settings(self.peer, self.side)
        buffer.pos += size
        return self._frame_message(_CONTROL, 0, "UPGRADE", None, None)

    def _read_header(self) -> None:
        """The nine octets of a frame's header; checks what can be told from them alone."""
        buffer = self.buffer
        data = buffer.data
        at = buffer.pos
        length: i64 = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2]
        self._length = length
        self._type = data[at + 3]
        self._flags = data[at + 4]
        self._stream = ((data[at + 5] & 0x7F) << 24) | (data[at + 6] << 16) | (data[at + 7] << 8) | data[at + 8]
        self._at = buffer.message_size()
        if self._first:
            self._first = False
            self.side.heard = True
            self.connection.widen(self.sender)
            if self._type != SETTINGS and not self.connection.joined:
                self._error(f"{self._name()} first", "SETTINGS", "RFC 9113 §3.4 PROTOCOL_ERROR")
        if length > self.peer.frame_size and not self.connection.joined:
            self._error(
                f"a frame of {length} octets", f"at most {self.peer.frame_size}", "RFC 9113 §4.2 FRAME_SIZE_ERROR"
            )
        if self._block_type >= 0 and (self._type != CONTINUATION or self._stream != self._block_stream):
            self._error(
                f"{self._name()} inside a header block", "CONTINUATION of its stream", "RFC 9113 §6.10 PROTOCOL_ERROR"
            )
        if self._type > HEADERS and self._type in FIXED_SIZES and length != FIXED_SIZES[self._type]:
            self._error(
                f"{self._name()} of {length} octets", f"{FIXED_SIZES[self._type]}", "RFC 9113 §6 FRAME_SIZE_ERROR"
            )
        if self._type == HEADERS or self._type == CONTINUATION or self._type == PUSH_PROMISE:
            if (self._block_size + length > self._head_limit and self._block_type >= 0) or length > self._head_limit:
                raise LimitExceeded(
                    buffer.offset,
                    f"a header block of more than {self._head_limit} octets",
                    f"at most limits.head = {self.limits.head}",
                    "RFC 9113 §10.5.1 ENHANCE_YOUR_CALM",
                )
        elif self._type != DATA and length > self._message_limit:
            raise LimitExceeded(
                buffer.offset,
                f"a frame of {length} octets",
                f"at most limits.message = {self.limits.message}",
                "RFC 9113 §4.2",
            )
        if self._stream == 0:
            if self._type <= RST_STREAM or self._type == PUSH_PROMISE or self._type == CONTINUATION:
                self._error(f"{self._name()} on stream 0", "a stream", "RFC 9113 §6 PROTOCOL_ERROR")
        elif self._type == SETTINGS or self._type == PING or self._type == GOAWAY:
            self._error(f"{self._name()} on stream {self._stream}", "stream 0", "RFC 9113 §6 PROTOCOL_ERROR")
        if self._type == CONTINUATION and self._block_type < 0:
            self._error("CONTINUATION outside of a header block", "another frame", "RFC 9113 §6.10 PROTOCOL_ERROR")
        self._padding = 0
        if self._type == DATA and self._flags & PADDED != 0:
            if length < 1:
                self._error("padded DATA of 0 octets", "its padding's length", "RFC 9113 §6.1 FRAME_SIZE_ERROR")
            self._padding = -1
        self._left = HEADER_SIZE + length

    def _name(self) -> str:
        return TYPE_NAMES.get(int(self._type), f"type 0x{self._type:02x}")

    def _error(self, seen: str, expected: str, spec: str) -> NoReturn:
        """Raise for the frame at ``_at``."""
        raise ProtocolError(self.buffer.message_offset + self._at, seen, expected, spec)

    def _frame(self) -> Event | None:
        """The frame that ends at ``buffer.pos``; None where its block goes on."""
        kind = self._type
        if kind == DATA:
            return self._data()
        if kind == HEADERS or kind == PUSH_PROMISE or kind == CONTINUATION:
            return self._headers()
        if kind == RST_STREAM:
            return self._reset()
        if kind == SETTINGS:
            return self._settings()
        if kind == PING:
            return self._ping()
        if kind == GOAWAY:
            return self._goaway()
        if kind == WINDOW_UPDATE and self._number(0) & 0x7FFFFFFF == 0:
            if self._stream == 0:
                self._error("WINDOW_UPDATE by 0", "1 or more", "RFC 9113 §6.9 PROTOCOL_ERROR")
            return self._frame_message(_CONTROL, self._stream, self._name(), None, "PROTOCOL_ERROR")
        if kind == WINDOW_UPDATE and self.connection.endpoint is not None:
            self.connection.endpoint.on_window(self._stream, self._number(0) & 0x7FFFFFFF, self.buffer.message_offset)
        return self._frame_message(_CONTROL, self._stream, self._name(), None, None)

    def _number(self, at: i64) -> i64:
        """Four octets of the payload of a frame that has just been passed, from its octet `at` on, as a number."""
        octets = self.buffer.data
        at += self.buffer.pos - self._length
        return (octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]

    # Header blocks.

    def _headers(self) -> Event | None:
        """HEADERS, PUSH_PROMISE or CONTINUATION."""
        if self._type != CONTINUATION:
            self._block_type = self._type
            self._block_flags = self._flags
            self._block_stream = self._stream
            if self._fragments:
                self._fragments = []
            self._block_size = 0
        start = self._at + HEADER_SIZE
        stop = start + self._length
        if self._type != CONTINUATION:
            skipped: i64 = 0
            padding: i64 = 0
            if self._flags & PADDED != 0:
                if self._length < 1:
                    self._error(
                        f"padded {self._name()} of 0 octets", "its padding's length", "RFC 9113 §6.2 FRAME_SIZE_ERROR"
                    )
                padding = self.buffer.data[self.buffer.pos - self._length]
                skipped = 1
            if self._type == HEADERS and self._flags & PRIORITY_FLAG != 0:
                skipped += 5
            elif self._type == PUSH_PROMISE:
                skipped += 4
            if skipped + padding > self._length:
                self._error(f"{padding} octets of padding", "less than the payload", "RFC 9113 §6.2 PROTOCOL_ERROR")
            start += skipped
            stop -= padding
        elif len(self._fragments) >= _MAX_CONTINUATIONS:
            raise LimitExceeded(
                self.buffer.message_offset + self._at,
                f"more than {_MAX_CONTINUATIONS} CONTINUATION frames",
                "fewer in one header block",
                "RFC 9113 §10.5.1 ENHANCE_YOUR_CALM",
            )
        if self._type != CONTINUATION:
            self._first_start = start
            self._first_stop = stop
        else:
            self._fragments.append((start, stop))
        self._block_size += stop - start
        if self._flags & END_HEADERS == 0:
            return None
        return self._block()

    def _block(self) -> Event:
        """The header block is whole."""
        buffer = self.buffer
        offset = buffer.message_offset
        size: i64 = buffer.message_size()
        octets = buffer.message()
        begin = buffer.message_start()
        fragments = self._fragments
        promised: i64 = 0
        if self._block_type == PUSH_PROMISE:
            at = begin + self._first_start - 4
            promised = ((octets[at] & 0x7F) << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]
        try:
            if not fragments:
                block = self.side.hpack.decode(octets, begin + self._first_start, begin + self._first_stop)
            else:
                first = octets[begin + self._first_start : begin + self._first_stop]
                joined = first + b"".join([octets[begin + start : begin + stop] for start, stop in fragments])
                block = self.side.hpack.decode(joined, 0, len(joined))
        except ProtocolError as error:
            raise ProtocolError(
                self._place(offset, error.offset), error.seen, error.expected, error.spec + " COMPRESSION_ERROR"
            ) from None
        buffer.finish()
        block_type = self._block_type
        self._block_type = -1
        if fragments:
            self._fragments = []
        if block_type == PUSH_PROMISE:
            return self._promise(block, octets, begin, begin + size, offset, promised)
        return self._message(block, octets, begin, begin + size, offset)

    def _place(self, offset: i64, at: i64) -> int:
        """Where in the direction octet `at` of the joined block stands."""
        end = self._first_stop
        if at < end - self._first_start:
            return offset + self._first_start + at
        at -= end - self._first_start
        for start, stop in self._fragments:
            if at < stop - start:
                return offset + start + at
            at -= stop - start
            end = stop
        return offset + end

    def _message(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64) -> Event:
        """A request, a response, or trailers."""
        connection = self.connection
        number = self._block_stream
        ends = self._block_flags & END_STREAM != 0
        stream = connection.streams.get(int(number))
        if stream is None:
            stream = self._new_stream(number, offset)
            if stream is None:
                return FrameMessage(
                    connection.flows[HTTP],
                    self.sender,
                    _CONTROL,
                    offset,
                    octets,
                    start,
                    stop,
                    None,
                    number,
                    "HEADERS",
                    None,  # closed: it may have been on its way when the stream was reset
                )
        role = self._role(stream, block)
        last = ends and role != INTERIM
        before = stream.state
        if not stream.move(self._who, LAST if last else FRAME) and not stream.joined:
            code = "STREAM_CLOSED" if before != IDLE else "PROTOCOL_ERROR"
            return FrameMessage(
                connection.flows[HTTP],
                self.sender,
                _CONTROL,
                offset,
                octets,
                start,
                stop,
                stream.request,
                number,
                "HEADERS",
                code,
            )
        request = stream.request
        speaks = HTTP
        if role == REQUEST:
            speaks = _spoken(block)
        elif request is not None:
            speaks = request.speaks
        elif self._who == SERVER:
            speaks = _spoken(block)
        kind = (
            _REQUEST
            if role == REQUEST
            else _RESPONSE
            if role == RESPONSE
            else _TRAILERS
            if role == TRAILERS
            else _CONTROL
        )
        more = not ends and role != TRAILERS and role != INTERIM
        message = Http2Message(
            connection.flows[speaks], self.sender, kind, offset, octets, start, stop, more,
            request if (role != REQUEST and self._who == SERVER) or role == TRAILERS else None, number, role, speaks, block,
        )  # fmt: skip
        message.malformed = find_fault(message, ends)
        endpoint = connection.endpoint
        if endpoint is not None and message.malformed is not None:
            endpoint.on_malformed(number, offset)
        body = stream.request_body if self._who == CLIENT else stream.response_body
        if role == REQUEST or role == RESPONSE:
            length = message.value(_CONTENT_LENGTH)
            if length is not None and length.isascii() and length.isdigit() and len(length) < 19:
                body.declared = int(length)
            if role == REQUEST:
                stream.request = message
            else:
                stream.response = message
        if ends and role != INTERIM:
            self._check_length(message, stream, body.octets)
            if self._who == SERVER and speaks != HTTP:
                message.request_messages = stream.request_body.messages
                message.response_messages = stream.response_body.messages
        if role == RESPONSE and self.peer.resets > 0:
            self.peer.resets -= 1
        connection.close_if_done(stream)
        return message

    def _check_length(self, message: Http2Message, stream: Stream, octets: i64) -> None:
        """A message with a body of another size than content-length is malformed (RFC 9113 §8.1.1)."""
        body = stream.request_body if self._who == CLIENT else stream.response_body
        if body.declared < 0 or body.declared == octets or stream.joined:
            return
        request = stream.request
        if self._who == SERVER and (request is None or request.method == "HEAD" or message.status_code == 304):
            return
        if message.malformed is None:
            message.malformed = f"content-length {body.declared} with a body of {octets} octets"

    def _role(self, stream: Stream, block: HeaderBlock) -> i64:
        if self._who == CLIENT:
            return TRAILERS if stream.request is not None and stream.request.role == REQUEST else REQUEST
        if stream.response is not None:
            return TRAILERS
        status = block.get(STATUS)
        if status is None:
            return TRAILERS if stream.joined else RESPONSE
        return INTERIM if status.known and len(status.value) == 3 and status.value[:1] == b"1" else RESPONSE

    def _new_stream(self, number: i64, offset: i64) -> Stream | None:
        """A stream that is not known: new, closed already (None), or from before this connection was seen."""
        connection = self.connection
        opener = connection.client if number & 1 == 1 else connection.server
        if connection.joined and (self._who == SERVER or number <= opener.last_stream):
            state = OPEN
        elif number <= opener.last_stream:
            return None
        elif self._who == SERVER or number & 1 == 0:
            raise ProtocolError(
                offset, f"HEADERS on idle stream {number}", "a stream of the client", "RFC 9113 §5.1.1 PROTOCOL_ERROR"
            )
        else:
            state = IDLE
        if number > opener.last_stream:
            opener.last_stream = number
        if len(connection.streams) >= connection.limit:
            raise LimitExceeded(
                offset,
                f"{connection.limit + 1} streams at once",
                f"at most limits.streams = {connection.limit}",
                "RFC 9113 §5.1.2",
            )
        stream = Stream(number, state, state != IDLE)
        connection.streams[int(number)] = stream
        return stream

    def _promise(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64, promised: i64) -> Event:
        """PUSH_PROMISE: the request that the server answers without being asked (RFC 9113 §8.4)."""
        connection = self.connection
        if self._who == CLIENT:
            raise ProtocolError(
                offset, "PUSH_PROMISE of the client", "one of the server", "RFC 9113 §8.4 PROTOCOL_ERROR"
            )
        if promised & 1 == 1 or promised == 0 or (promised <= connection.server.last_stream and not connection.joined):
            raise ProtocolError(
                offset, f"stream {promised} promised", "a new even stream", "RFC 9113 §6.6 PROTOCOL_ERROR"
            )
        connection.server.last_stream = max(promised, connection.server.last_stream)
        parent = connection.streams.get(int(self._block_stream))
        if len(connection.streams) >= connection.limit:
            raise LimitExceeded(
                offset,
                f"{connection.limit + 1} streams at once",
                f"at most limits.streams = {connection.limit}",
                "RFC 9113 §5.1.2",
            )
        message = Http2Message(
            connection.flows[HTTP],
            self.sender,
            _PUSH,
            offset,
            octets,
            start,
            stop,
            False,
            None if parent is None else parent.request,
            promised,
            PROMISE,
            HTTP,
            block,
        )
        message.malformed = find_fault(message, True)
        stream = Stream(promised, RESERVED, False)
        stream.request = message
        connection.streams[int(promised)] = stream
        return message

    # DATA.

    def _data(self) -> Event:
        buffer = self.buffer
        length = self._length
        skipped: i64 = 1 if self._flags & PADDED != 0 else 0
        padding = self._padding
        offset = buffer.message_offset
        ends = self._flags & END_STREAM != 0
        octets = buffer.message()
        start: i64 = buffer.message_start()
        stop: i64 = start + HEADER_SIZE + length
        first = start + HEADER_SIZE + skipped
        last = stop - padding
        found = self._enter_data(offset, ends, octets, first, last)
        buffer.finish()
        if found is None:
            return FrameMessage(
                self.connection.flows[HTTP],
                self.sender,
                _CONTROL,
                offset,
                octets,
                start,
                stop,
                None,
                self._stream,
                "DATA",
                "STREAM_CLOSED" if int(self._stream) in self.connection.streams else None,
            )
        return Data(found, offset, octets, not ends, start, stop, first, last)

    def _enter_data(self, offset: i64, ends: bool, octets: bytes, first: i64, last: i64) -> Http2Message | None:
        """Count DATA for its stream; its head, or None where the stream allows none."""
        connection = self.connection
        stream = connection.streams.get(int(self._stream))
        if stream is None:
            opener = connection.client if self._stream & 1 == 1 else connection.server
            if self._stream > opener.last_stream and not connection.joined:
                raise ProtocolError(
                    offset, f"DATA on idle stream {self._stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
                )
            if not connection.joined:
                return None
            stream = self._new_stream(self._stream, offset)
            if stream is None:
                return None
        if not stream.move(self._who, LAST if ends else FRAME) and not stream.joined:
            return None
        if self._who == CLIENT:
            head = stream.request
            body = stream.request_body
        else:
            head = stream.response
            body = stream.response_body
        if head is None:
            if not stream.joined:
                return None
            head = self._unseen(stream)
        body.octets += last - first
        if connection.endpoint is not None:
            connection.endpoint.on_data(self._stream, self._length)
        if head.speaks != HTTP:
            body.count_messages(octets, first, last)
        if ends:
            self._check_length(head, stream, body.octets)
        connection.close_if_done(stream)
        return head

    def _unseen(self, stream: Stream) -> Http2Message:
        """A stand-in for the head of a body whose beginning was not seen."""
        block = HeaderBlock([], 0, 0, 0, False)
        role = REQUEST if self._who == CLIENT else RESPONSE
        kind = _REQUEST if self._who == CLIENT else _RESPONSE
        head = Http2Message(
            self.connection.flows[HTTP], self.sender, kind, 0, b"", 0, 0, True, None, stream.number, role, HTTP, block
        )
        if self._who == CLIENT:
            stream.request = head
        else:
            stream.response = head
        return head

    def _start_pieces(self) -> Event:
        """A DATA frame too large to buffer: its header, and then its payload as it comes."""
        buffer = self.buffer
        size = HEADER_SIZE + (1 if self._flags & PADDED != 0 else 0)
        offset = buffer.offset
        found = self._enter_data(offset, self._flags & END_STREAM != 0, b"", 0, 0)
        if found is None:
            raise LimitExceeded(
                offset,
                f"a frame of {self._length} octets on no open stream",
                f"at most limits.message = {self.limits.message}",
                "RFC 9113 §4.2",
            )
        buffer.pass_over(size)
        self._left -= size
        self._piece_head = found
        return Data(found, offset, buffer.take(), True, 0, -1, 0, 0)

    def _next_piece(self, head: Message) -> Event | None:
        buffer = self.buffer
        offset = buffer.offset
        before = self._left
        self._left = buffer.pass_window(before)
        octets = buffer.take()
        if not octets:
            return None
        ends = self._left == 0
        content = min(before - self._padding, len(octets))
        if ends:
            self._left = -1
            self._piece_head = None
        return Data(head, offset, octets, not (ends and self._flags & END_STREAM != 0), 0, -1, 0, max(content, 0))

    # The other frames.

    def _frame_message(
        self, kind: Kind, stream: i64, name: str, request: Message | None, code: str | None
    ) -> FrameMessage:
        buffer = self.buffer
        offset = buffer.message_offset
        size: i64 = buffer.message_size()
        octets = buffer.message()
        start = buffer.message_start()
        buffer.finish()
        return FrameMessage(
            self.connection.flows[HTTP],
            self.sender,
            kind,
            offset,
            octets,
            start,
            start + size,
            request,
            stream,
            name,
            code,
        )

    def _reset(self) -> Event:
        connection = self.connection
        code = error_name(self._number(0))
        stream = connection.streams.get(int(self._stream))
        request: Message | None = None
        if stream is None:
            opener = connection.client if self._stream & 1 == 1 else connection.server
            if self._stream > opener.last_stream and not connection.joined:
                self._error(
                    f"RST_STREAM on idle stream {self._stream}", "HEADERS first", "RFC 9113 §6.4 PROTOCOL_ERROR"
                )
        else:
            request = stream.request
            if stream.response is None and self._who == CLIENT:
                self.side.resets += 1
                if self.side.resets > connection.limit:
                    raise LimitExceeded(
                        self.buffer.message_offset,
                        f"{self.side.resets} streams reset before they were answered",
                        f"at most limits.streams = {connection.limit}",
                        "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
                    )
            stream.move(self._who, RESET)
            connection.streams.pop(int(self._stream), None)
        if connection.endpoint is not None:
            connection.endpoint.on_reset(self._stream)
        message = self._frame_message(Kind.RESET, self._stream, "RST_STREAM", request, code)
        if isinstance(request, Http2Message):
            message.flow = connection.flows[request.speaks]
        return message

    def _settings(self) -> Event:
        connection = self.connection
        if self._flags & ACK != 0:
            if self._length != 0:
                self._error(f"a SETTINGS ACK of {self._length} octets", "0", "RFC 9113 §6.5 FRAME_SIZE_ERROR")
            self.peer.owed = max(self.peer.owed - 1, 0)
            connection.apply_settings(self.peer, self.side)
            return self._frame_message(_CONTROL, 0, "SETTINGS", None, None)
        if self._length % 6 != 0:
            self._error(f"SETTINGS of {self._length} octets", "a multiple of 6", "RFC 9113 §6.5 FRAME_SIZE_ERROR")
        octets = self.buffer.data
        settings: dict[int, int] = {}
        at = self.buffer.pos - self._length
        while at < self.buffer.pos:
            number: i64 = (octets[at] << 8) | octets[at + 1]
            value: i64 = (octets[at + 2] << 24) | (octets[at + 3] << 16) | (octets[at + 4] << 8) | octets[at + 5]
            self._check_setting(number, value)
            if number == HEADER_TABLE_SIZE or number == MAX_FRAME_SIZE or number == INITIAL_WINDOW_SIZE:
                settings[int(number)] = int(value)
            at += 6
        # The peer may use the larger frames from its ACK on; until that is seen, a little early does no harm.
        size = settings.get(MAX_FRAME_SIZE)
        if size is not None:
            self.side.frame_size = max(self.side.frame_size, size)
        if connection.endpoint is not None:
            connection.endpoint.on_settings(settings, self.buffer.message_offset)
        else:
            self.side.unacknowledged.append(settings)
            self._owe("SETTINGS")
        return self._frame_message(_CONTROL, 0, "SETTINGS", None, None)

    def _check_setting(self, number: i64, value: i64) -> None:
        """RFC 9113 §6.5.2. A setting that is not known is ignored."""
        if number == ENABLE_PUSH and value > 1:
            self._error(f"SETTINGS_ENABLE_PUSH {value}", "0 or 1", "RFC 9113 §6.5.2 PROTOCOL_ERROR")
        if number == INITIAL_WINDOW_SIZE and value > 0x7FFFFFFF:
            self._error(
                f"SETTINGS_INITIAL_WINDOW_SIZE {value}", "at most 2147483647", "RFC 9113 §6.5.2 FLOW_CONTROL_ERROR"
            )
        if number == MAX_FRAME_SIZE and not 16384 <= value <= 16777215:
            self._error(f"SETTINGS_MAX_FRAME_SIZE {value}", "16384 to 16777215", "RFC 9113 §6.5.2 PROTOCOL_ERROR")

    def _owe(self, name: str) -> None:
        """The peer owes an ACK: a flood of these is an attack (RFC 9113 §10.5)."""
        if not self.peer.heard:
            return
        self.side.owed += 1
        if self.side.owed > self.connection.limit:
            raise LimitExceeded(
                self.buffer.message_offset,
                f"{self.side.owed} {name} without an ACK",
                f"at most limits.streams = {self.connection.limit}",
                "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
            )

    def _ping(self) -> Event:
        if self._flags & ACK != 0:
            self.peer.owed = max(self.peer.owed - 1, 0)
            return self._frame_message(_CONTROL, 0, "PING", None, None)
        endpoint = self.connection.endpoint
        if endpoint is not None:
            buffer = self.buffer
            endpoint.on_ping(buffer.data[buffer.pos - 8 : buffer.pos], buffer.message_offset)
        else:
            self._owe("PING")
        return self._frame_message(_HEARTBEAT, 0, "PING", None, None)

    def _goaway(self) -> Event:
        if self._length < 8:
            self._error(f"GOAWAY of {self._length} octets", "8 or more", "RFC 9113 §6.8 FRAME_SIZE_ERROR")
        return self._frame_message(Kind.GOAWAY, 0, "GOAWAY", None, error_name(self._number(4)))


def _spoken(block: HeaderBlock) -> i64:
    """What a stream speaks, from its request's headers."""
    kind = block.get(CONTENT_TYPE)
    if kind is None or not kind.known:
        return HTTP
    if kind.value != b"application/grpc":
        if not kind.value.lower().startswith(b"application/grpc") or kind.value[16:17] not in (b"", b"+", b";"):
            return HTTP
    for field in block.fields:
        name = field.title.octets
        if len(name) >= 4 and name[0] == 0x74 and name.startswith(b"tri-"):
            return TRIPLE
    return GRPC
