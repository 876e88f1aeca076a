"""Frames of one direction -> events. RFC 9113 §5, §6, §8.

Each frame is one event; HEADERS or PUSH_PROMISE with its CONTINUATION frames is one; DATA that comes in parts is as many as its parts.
Types that are not known are events that concern nothing (§5.5). An error of the connection ends the direction; an error of one stream is
told in the event (`malformed`, or the error code that the frame earns), and the other streams go on.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, u8

from l7codecs import Kind, LimitExceeded, Limits, Message, ProtocolError, Sender
from l7codecs.message import Data, Event, Flow

from ._connection import Connection
from ._frame_reader import FrameReader
from ._frames import (
    ACK,
    END_STREAM,
    GOAWAY,
    HEADER_SIZE,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    error_name,
)
from ._hpack import HeaderBlock
from ._malformed import find_fault, has_protocol
from ._messages import (
    HTTP,
    INTERIM,
    METHOD,
    PROMISE,
    REQUEST,
    RESPONSE,
    STATUS,
    TRAILERS,
    FrameMessage,
    Http2Message,
    digits,
    spoken,
)
from ._opening import Opening
from ._settings import ENABLE_PUSH, parse_settings
from ._static_table import UNKNOWN_NAME, well_known
from ._streams import CLIENT, CLIENT_DONE, FRAME, IDLE, LAST, OPEN, RESERVED, RESET, SERVER, Stream

__all__ = ["Http2Decoder"]

_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CONTROL: Final = Kind.CONTROL
_TRAILERS: Final = Kind.TRAILERS
_PUSH: Final = Kind.PUSH
_HEARTBEAT: Final = Kind.HEARTBEAT
_KINDS: Final = [_REQUEST, _RESPONSE, _CONTROL, _TRAILERS]
"""By role: REQUEST, RESPONSE, INTERIM, TRAILERS."""

_CONTENT_LENGTH: Final = well_known("content-length")


@final
class Http2Decoder(FrameReader):
    """One direction of a connection."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, connection)
        self._who: i64 = CLIENT if sender is Sender.CLIENT else SERVER
        self._body_stream: Stream | None = None
        """The stream of the DATA that comes in parts."""
        self._body_head: Http2Message | None = None
        self._refused: Http2Message | None = None
        """The request on whose stream DATA went beyond its window, while that frame is not whole."""
        self._opening: Opening | None = None

    def restart(self) -> None:
        super().restart()
        self._refused = None
        self._opening = None
        self._body_stream = None
        self._body_head = None

    def start(self) -> Event | None:
        opening = self._opening
        if opening is None:
            opening = Opening(self.buffer, self.sender, self.connection, self.limits)
            self._opening = opening
        event = opening.next_event()
        if opening.over:
            self.opening = False
            self._opening = None
            if event is None:
                return self.next_event()
        return event

    def unfinished(self) -> bool:
        return super().unfinished() or (self._opening is not None and self._opening.inside)

    def frame(self) -> Event:
        kind = self.type
        if kind == WINDOW_UPDATE:
            return self._window_update()
        if kind == RST_STREAM:
            return self._reset()
        if kind == SETTINGS:
            return self._settings()
        if kind == PING:
            return self._ping()
        if kind == GOAWAY:
            return self._goaway()
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_noise(self.buffer.message_offset)
        if kind == PRIORITY:
            return self._priority()
        return self._frame_message(_CONTROL, self.stream, self.name(), None, None)

    # Header blocks.

    def header_block(self) -> Event:
        buffer = self.buffer
        offset: i64 = buffer.message_offset
        size: i64 = buffer.message_size()
        octets = buffer.message()
        start = buffer.message_start()
        block = self.decode_block(octets, start)
        kind = self.block_type
        self.block_type = -1
        buffer.finish()
        if kind == PUSH_PROMISE:
            return self._promise(block, octets, start, start + size, offset)
        return self._message(block, octets, start, start + size, offset)

    def _message(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64) -> Event:
        """A request, a response, or trailers."""
        connection = self.connection
        number = self.block_stream
        ends = self.block_flags & END_STREAM != 0
        stream = connection.streams.get(number)
        if stream is None:
            stream = self._new_stream(number, offset)
            if stream is None:
                code = None if connection.late(number, self.peer) else "STREAM_CLOSED"
                if code is not None and connection.endpoint is not None:
                    raise ProtocolError(
                        offset,
                        f"HEADERS on stream {number}, which is closed",
                        "a new stream",
                        "RFC 9113 §5.1 STREAM_CLOSED",
                    )
                return self._misplaced("HEADERS", None, number, octets, start, stop, offset, code)
        role = self._role(stream, block)
        if role == TRAILERS and stream.state == IDLE:
            stream.joined = True
            stream.state = u8(OPEN)
        idle = stream.state == IDLE
        frame = FRAME
        if ends and role != INTERIM:
            frame = LAST
        if not stream.move(self._who, frame) and not stream.joined:
            if stream.state == RESERVED:
                self._not_reserved("HEADERS", number, offset)
            code = "PROTOCOL_ERROR" if idle else "STREAM_CLOSED"
            return self._misplaced("HEADERS", stream.request, number, octets, start, stop, offset, code)
        request = stream.request
        speaks = HTTP
        if role != REQUEST and request is not None:
            speaks = request.speaks
            if speaks == HTTP and not request.certain:
                speaks = spoken(block)
        elif role == REQUEST or self._who == SERVER:
            speaks = spoken(block)
        message = Http2Message(
            connection.flows[i64(speaks)], self.sender, _KINDS[i64(role)], offset, octets, start, stop,
            not ends and (role == REQUEST or role == RESPONSE),
            None if role == REQUEST else request,
            number, role, speaks, block,
        )  # fmt: skip
        endpoint = connection.endpoint
        fault = find_fault(message, ends)
        if fault is None and endpoint is not None and role == REQUEST and has_protocol(block):
            if not endpoint.allows_protocol():
                fault = ":protocol, which our SETTINGS do not allow (RFC 8441 §3)"
        if fault is not None:
            message.note(fault)
            if endpoint is not None:
                endpoint.on_error(number, "PROTOCOL_ERROR", offset)
        if role == REQUEST:
            stream.request = message
        elif role == RESPONSE:
            stream.response = message
        if role == REQUEST or role == RESPONSE:
            length = block.get(_CONTENT_LENGTH)
            if length is not None:
                stream.body(self._who).declared = digits(length.value)
        if ends and role != INTERIM:
            self._check_length(message, stream, offset)
            if self._who == SERVER and message.framed:
                message.note(None, stream.calls())
        connection.close_if_done(stream)
        return message

    def _misplaced(
        self,
        name: str,
        request: Message | None,
        number: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        code: str | None,
    ) -> Event:
        """A frame that its stream does not allow, and the error `code` that it earns; None where it may have been on its way."""
        endpoint = self.connection.endpoint
        if endpoint is not None:
            if code is None:
                endpoint.on_noise(offset)
            else:
                endpoint.on_error(number, code, offset)
        return FrameMessage(
            self.connection.flows[HTTP], self.sender, _CONTROL, offset, octets, start, stop, request, number, name, code
        )

    def _role(self, stream: Stream, block: HeaderBlock) -> u8:
        if self._who == CLIENT:
            if stream.request is not None and stream.request.role == REQUEST:
                return TRAILERS
            seen = not self.connection.joined or block.get(METHOD) is not None or not _pseudo_are_known(block)
            return REQUEST if seen else TRAILERS
        if stream.response is not None:
            return TRAILERS
        status = block.get(STATUS)
        if status is None:
            return TRAILERS if self.connection.joined and _pseudo_are_known(block) else RESPONSE
        return INTERIM if status.known and len(status.value) == 3 and status.value[0] == 0x31 else RESPONSE

    def _new_stream(self, number: i64, offset: i64) -> Stream | None:
        """A stream that is not known: new, closed already (None), or from before this connection was seen."""
        connection = self.connection
        opener = connection.opener(number)
        if not self.peer.heard and self._who == SERVER:
            connection.joined = True  # what the client says is not seen
        if connection.joined and (self._who == SERVER or number <= opener.last_stream):
            return connection.open(number, OPEN, True, offset)
        if number <= opener.last_stream:
            if connection.skipped(number):
                raise ProtocolError(
                    offset,
                    f"HEADERS on stream {number} after stream {opener.last_stream}",
                    "a higher stream",
                    "RFC 9113 §5.1.1 PROTOCOL_ERROR",
                )
            return None
        if self._who == SERVER or number & 1 == 0:
            raise ProtocolError(
                offset, f"HEADERS on idle stream {number}", "a stream of the client", "RFC 9113 §5.1.1 PROTOCOL_ERROR"
            )
        if connection.endpoint is not None and connection.endpoint.refuses(number, offset):
            return None
        return connection.open(number, IDLE, False, offset)

    def _promise(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64) -> Event:
        """PUSH_PROMISE: the request that the server answers without being asked (RFC 9113 §8.4)."""
        connection = self.connection
        if self._who == CLIENT:
            raise ProtocolError(
                offset, "PUSH_PROMISE of the client", "one of the server", "RFC 9113 §8.4 PROTOCOL_ERROR"
            )
        if connection.endpoint is not None:
            raise ProtocolError(
                offset, "PUSH_PROMISE", "none: SETTINGS_ENABLE_PUSH is 0", "RFC 9113 §8.4 PROTOCOL_ERROR"
            )
        promised = self.promised(octets, start)
        if promised & 1 == 1 or promised == 0 or (promised <= connection.server.last_stream and not connection.joined):
            raise ProtocolError(
                offset, f"stream {promised} promised", "a new even stream", "RFC 9113 §6.6 PROTOCOL_ERROR"
            )
        parent = self._parent(offset)
        message = Http2Message(
            connection.flows[HTTP], self.sender, _PUSH, offset, octets, start, stop, False,
            None if parent is None else parent.request, promised, PROMISE, HTTP, block,
        )  # fmt: skip
        fault = find_fault(message, True)
        if fault is not None:
            message.note(fault)
        connection.open(promised, RESERVED, False, offset).request = message
        return message

    def _parent(self, offset: i64) -> Stream | None:
        """The stream that PUSH_PROMISE comes on; None where it is closed or not known."""
        connection = self.connection
        number = self.block_stream
        parent = connection.streams.get(number)
        if connection.joined:
            return parent
        if not self.peer.push:
            raise ProtocolError(
                offset, "PUSH_PROMISE", "none: SETTINGS_ENABLE_PUSH is 0", "RFC 9113 §6.6 PROTOCOL_ERROR"
            )
        if parent is None:
            fits = number <= connection.client.last_stream and connection.late(number, self.peer)
        else:
            fits = parent.state == OPEN or parent.state == CLIENT_DONE
        if not fits or number & 1 == 0:
            raise ProtocolError(
                offset,
                f"PUSH_PROMISE on stream {number}",
                "an open stream of the client",
                "RFC 9113 §6.6 PROTOCOL_ERROR",
            )
        return parent

    def _not_reserved(self, name: str, number: i64, offset: i64) -> None:
        """Raise the error of a frame that a stream which was promised does not allow before its response."""
        raise ProtocolError(offset, f"{name} on reserved stream {number}", "HEADERS", "RFC 9113 §5.1 PROTOCOL_ERROR")

    # DATA.

    def data(self) -> Event | None:
        buffer = self.buffer
        stream = self._open_stream()
        head = None if stream is None else self._head_of(stream)
        if stream is None or head is None:
            return self._unwanted_data(stream)
        connection = self.connection
        endpoint = connection.endpoint
        if endpoint is not None and not endpoint.on_data(
            head, self.stream, self.length, self.flags & END_STREAM != 0, buffer.offset
        ):
            self._refused = stream.request
            return self._unwanted_data(None)
        left = self.left
        offset: i64 = buffer.offset
        start = buffer.pos
        first = start + HEADER_SIZE
        if self.flags & PADDED != 0:
            first += 1
        stream.move(self._who, FRAME)
        if buffer.end - start < left:
            self._body_stream = stream
            self._body_head = head
            self.streaming = True
            self.left = left - (first - start)
            buffer.pos = first
            return self._part(offset)
        stop = start + left
        last = stop - self.padding
        octets = buffer.data
        buffer.pos = stop
        buffer.finish()
        self.left = -1
        ends = self.flags & END_STREAM != 0
        self._count(head, stream, octets, first, last, ends)
        return Data(head, offset, octets, not ends, start, stop, first, last)

    def more_data(self) -> Event | None:
        buffer = self.buffer
        return self._part(buffer.offset) if buffer.available > 0 or self.left == 0 else None

    def _part(self, offset: i64) -> Event:
        """What the window has of the payload of DATA that comes in parts, behind what is parsed already."""
        buffer = self.buffer
        stream = self._body_stream
        head = self._body_head
        assert stream is not None and head is not None
        before = self.left
        left = buffer.pass_window(before)
        octets = buffer.message()
        start = buffer.message_start()
        stop = start + buffer.message_size()
        buffer.finish()
        first = stop - (before - left)
        last = stop if left >= self.padding else max(first, stop - (self.padding - left))
        self.left = left
        if left > 0:
            self._count(head, stream, octets, first, last, False)
            return Data(head, offset, octets, True, start, stop, first, last)
        self.left = -1
        self.streaming = False
        self._body_stream = None
        self._body_head = None
        ends = self.flags & END_STREAM != 0
        self._count(head, stream, octets, first, last, ends)
        return Data(head, offset, octets, not ends, start, stop, first, last)

    def lose_data(self, size: i64) -> None:
        stream = self._body_stream
        if stream is not None:
            stream.body(self._who).lose(min(size, max(self.left - self.padding, 0)))

    def _count(self, head: Http2Message, stream: Stream, octets: bytes, first: i64, last: i64, ends: bool) -> None:
        """Count ``octets[first:last]`` for the body of `head`, which it `ends` or not."""
        body = stream.body(self._who)
        body.octets += last - first
        if head.framed:
            body.count_messages(octets, first, last)
        if ends:
            stream.move(self._who, LAST)
            self._check_length(head, stream, self.buffer.offset)
            self.connection.close_if_done(stream)

    def _open_stream(self) -> Stream | None:
        """The stream of DATA; None where it allows none."""
        connection = self.connection
        stream = connection.streams.get(self.stream)
        if stream is None:
            offset = self.buffer.offset
            if self._is_idle():
                raise ProtocolError(
                    offset, f"DATA on idle stream {self.stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
                )
            if not connection.joined and (self.peer.heard or self._who == CLIENT):
                return None
            return self._new_stream(self.stream, offset)
        return stream

    def _head_of(self, stream: Stream) -> Http2Message | None:
        """The message whose body DATA is, on `stream`; None where the stream allows none."""
        if not stream.allows(self._who, FRAME) and not stream.joined:
            return None
        head = stream.request if self._who == CLIENT else stream.response
        if head is None and self.connection.joined:
            head = self._unseen(stream)
        return head

    def _unwanted_data(self, stream: Stream | None) -> Event | None:
        """DATA that its stream does not allow; None while it is not whole."""
        buffer = self.buffer
        if self.left > self.message_limit:
            raise LimitExceeded(
                buffer.offset,
                f"a frame of {self.length} octets on no open stream",
                f"at most limits.message = {self.limits.message}",
                "RFC 9113 §4.2",
            )
        if not buffer.need(self.left):
            return None
        buffer.pos += self.left
        self.left = -1
        request = None if stream is None else stream.request
        code: str | None = "STREAM_CLOSED"
        if self._refused is not None:
            request, code = self._refused, "FLOW_CONTROL_ERROR"
            self._refused = None
            return self._frame_message(_CONTROL, self.stream, "DATA", request, code)
        if stream is None:
            if self.connection.late(self.stream, self.peer):
                code = None
        elif stream.state == RESERVED and not stream.joined:
            self._not_reserved("DATA", self.stream, buffer.message_offset)
        elif stream.move(self._who, LAST if self.flags & END_STREAM != 0 else FRAME):
            code = "PROTOCOL_ERROR"  # no response has come (RFC 9113 §8.1)
            self.connection.close_if_done(stream)
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_data(None, self.stream, self.length, True, buffer.message_offset)
            if code is not None:
                endpoint.on_error(self.stream, code, buffer.message_offset)
        return self._frame_message(_CONTROL, self.stream, "DATA", request, code)

    def _unseen(self, stream: Stream) -> Http2Message:
        """A stand-in for the head of a body whose beginning was not seen."""
        client = self._who == CLIENT
        head = Http2Message(
            self.connection.flows[HTTP], self.sender, _REQUEST if client else _RESPONSE, 0, b"", 0, 0, True, None,
            i64(stream.number), REQUEST if client else RESPONSE, HTTP, HeaderBlock([], 0, 0, 0, False),
        )  # fmt: skip
        if client:
            stream.request = head
        else:
            stream.response = head
        return head

    def _check_length(self, message: Http2Message, stream: Stream, offset: i64) -> None:
        """The body has ended: a message with one of another size than content-length is malformed (RFC 9113 §8.1.1)."""
        body = stream.seen_body(self._who)
        if body is None or stream.joined or (body.declared < 0 and body.octets == 0):
            return
        request, response = stream.request, stream.response
        if request is None:
            return
        field = request.block.get(METHOD)
        method = b"" if field is None else field.value
        declared = body.declared
        if self._who == CLIENT or response is None:
            if method == b"CONNECT":
                return  # a tunnel (RFC 9113 §8.5)
        else:
            code = response.status_code
            if method == b"CONNECT" and code is not None and code < 300:
                return
            if method == b"HEAD" or code == 204 or code == 304:
                declared = 0  # content-length speaks of another response (RFC 9110 §8.6)
        if declared < 0 or declared == body.octets:
            return
        message.note(f"content-length {declared} with a body of {body.octets} octets (§8.1.1)")
        if self.connection.endpoint is not None:
            self.connection.endpoint.on_error(i64(stream.number), "PROTOCOL_ERROR", offset)

    # The other frames.

    def _frame_message(
        self, kind: Kind, stream: i64, name: str, request: Message | None, code: str | None
    ) -> FrameMessage:
        """The event of the frame that ends at ``buffer.pos``."""
        buffer = self.buffer
        offset: i64 = buffer.message_offset
        size = buffer.message_size()
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

    def _is_idle(self) -> bool:
        """Whether the stream of the frame in progress has certainly not been opened."""
        connection = self.connection
        opener = connection.opener(self.stream)
        return not connection.joined and (opener is self.side or opener.heard) and self.stream > opener.last_stream

    def _window_update(self) -> Event:
        increment = self.number(0) & 0x7FFFFFFF
        code: str | None = None
        connection = self.connection
        offset: i64 = self.buffer.message_offset
        # Before the endpoint resets the stream, if it does.
        stream = connection.streams.get(self.stream) if self.stream > 0 else None
        if stream is not None:
            if stream.state == RESERVED and self._who == SERVER and not stream.joined:
                self._not_reserved("WINDOW_UPDATE", self.stream, offset)
        elif self.stream > 0 and self._is_idle():
            self.error_here(
                f"WINDOW_UPDATE on idle stream {self.stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
            )
        if increment == 0:
            if self.stream == 0:
                self.error_here("WINDOW_UPDATE by 0", "1 or more", "RFC 9113 §6.9 PROTOCOL_ERROR")
            code = "PROTOCOL_ERROR"
            if connection.endpoint is not None and stream is not None:
                connection.endpoint.on_error(self.stream, code, offset)
        elif connection.endpoint is not None:
            code = connection.endpoint.on_window(self.stream, increment, offset)
        request = stream.request if stream is not None and code is not None else None
        return self._frame_message(_CONTROL, self.stream, "WINDOW_UPDATE", request, code)

    def _reset(self) -> Event:
        connection = self.connection
        code = error_name(self.number(0))
        stream = connection.streams.get(self.stream)
        request: Http2Message | None = None
        if stream is None:
            if self._is_idle():
                self.error_here(
                    f"RST_STREAM on idle stream {self.stream}", "HEADERS first", "RFC 9113 §6.4 PROTOCOL_ERROR"
                )
        else:
            request = stream.request
            if stream.response is None and self._who == CLIENT:
                connection.count_reset(self.side, self.buffer.message_offset)
            if stream.allows(1 - self._who, FRAME):
                connection.note_cut(self.stream, self.side)
            stream.move(self._who, RESET)
            connection.streams.remove(self.stream)
        if connection.endpoint is not None:
            connection.endpoint.on_reset(self.stream, self.buffer.message_offset)
        message = self._frame_message(Kind.RESET, self.stream, "RST_STREAM", request, code)
        if request is not None:
            message.flow = connection.flows[i64(request.speaks)]
        return message

    def _settings(self) -> Event:
        connection = self.connection
        if self.flags & ACK != 0:
            if self.length != 0:
                self.error_here(f"a SETTINGS ACK of {self.length} octets", "0", "RFC 9113 §6.5 FRAME_SIZE_ERROR")
            self.peer.owed = max(self.peer.owed - 1, 0)
            connection.apply_settings(self.peer, self.side)
        else:
            buffer = self.buffer
            settings = parse_settings(buffer.data, buffer.pos - self.length, buffer.pos, buffer.message_offset)
            if self._who == SERVER and settings.get(int(ENABLE_PUSH)) == 1:
                self.error_here(
                    "SETTINGS_ENABLE_PUSH 1 of the server", "0, or nothing", "RFC 9113 §6.5.2 PROTOCOL_ERROR"
                )
            connection.take_settings(self.side, settings, buffer.message_offset)
        return self._frame_message(_CONTROL, 0, "SETTINGS", None, None)

    def _ping(self) -> Event:
        if self.flags & ACK != 0:
            self.peer.owed = max(self.peer.owed - 1, 0)
            return self._frame_message(_CONTROL, 0, "PING", None, None)
        buffer = self.buffer
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_ping(buffer.data[buffer.pos - 8 : buffer.pos], buffer.message_offset)
        else:
            self.connection.owe(self.side, "PING", buffer.message_offset)
        return self._frame_message(_HEARTBEAT, 0, "PING", None, None)

    def _priority(self) -> Event:
        code: str | None = None
        if self.length != 5:
            if self.connection.endpoint is not None:
                self.error_here(f"PRIORITY of {self.length} octets", "5", "RFC 9113 §6.3 FRAME_SIZE_ERROR")
            code = "FRAME_SIZE_ERROR"
        else:
            self.check_dependency(0)
        return self._frame_message(_CONTROL, self.stream, "PRIORITY", None, code)

    def _goaway(self) -> Event:
        if self.length < 8:
            self.error_here(f"GOAWAY of {self.length} octets", "8 or more", "RFC 9113 §6.8 FRAME_SIZE_ERROR")
        if self.connection.endpoint is not None:
            self.connection.endpoint.on_goaway(self.number(0) & 0x7FFFFFFF, self.buffer.message_offset)
        return self._frame_message(Kind.GOAWAY, 0, "GOAWAY", None, error_name(self.number(4)))


def _pseudo_are_known(block: HeaderBlock) -> bool:
    """Whether the first field is known: pseudo-headers stand first."""
    return block.known or (block.count > 0 and not block.at(0).flags & UNKNOWN_NAME)
