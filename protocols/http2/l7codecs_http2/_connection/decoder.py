"""Frames of one direction -> events. RFC 9113 §5, §6, §8.

Each frame is one event; HEADERS or PUSH_PROMISE with its CONTINUATION frames is one; DATA that comes in parts is as many as its parts.
An error of the connection ends the direction; an error of one stream is told in the event (`malformed`, or the error code that the frame
earns), and the other streams go on. Four layers, each the base of the next:

    FrameReader      frames whole, their form, blocks joined
    ControlReader    frames that are no part of a message
    BodyReader       DATA and its streams
    Http2Decoder     the beginning of a connection, and messages
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, u8

from l7codecs import Kind, Limits, ProtocolError, Sender
from l7codecs.message import Event, Flow

from .._frames.frames import END_STREAM, PUSH_PROMISE
from .._hpack.decoder import HeaderBlock
from .._hpack.static_table import UNKNOWN_NAME, well_known
from .._semantics.calls import end_trailers
from .._semantics.malformed import find_fault, has_protocol
from .._semantics.meaning import digits
from .._semantics.messages import INTERIM, PROMISE, REQUEST, RESPONSE, TRAILERS, Http2Message
from .._semantics.names import GRPC_STATUS_NAME, METHOD, STATUS
from .._semantics.spoken import GRPC, GRPC_WEB, HTTP, TRIPLE, spoken
from .body_reader import BodyReader
from .connection import Connection
from .opening import Opening
from .streams import CLIENT, CLIENT_DONE, FRAME, IDLE, LAST, OPEN, RESERVED, SERVER, Stream

__all__ = ["Http2Decoder"]

_PUSH: Final = Kind.PUSH
_KINDS: Final = [Kind.REQUEST, Kind.RESPONSE, Kind.CONTROL, Kind.TRAILERS]
"""By role: REQUEST, RESPONSE, INTERIM, TRAILERS."""

_CONTENT_LENGTH: Final = well_known("content-length")


@final
class Http2Decoder(BodyReader):
    """One direction of a connection."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, connection)
        self._opening: Opening | None = None

    def restart(self) -> None:
        super().restart()
        self._opening = None

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

    # Header blocks.

    def header_block(self) -> Event:
        buffer = self.buffer
        if buffer.held is None:
            octets = buffer.data
            start = buffer.start
            size = buffer.pos - start
            offset = buffer.base + start
        else:
            offset = buffer.message_offset
            size = buffer.message_size()
            octets = buffer.message()
            start = 0
        block = self.decode_block(octets, start)
        kind = self.block_type
        self.block_type = -1
        if kind == PUSH_PROMISE:
            event = self._promise(block, octets, start, start + size, offset)
        else:
            event = self._message(block, octets, start, start + size, offset)
        buffer.finish()  # not before it makes sense: what does not is passed over
        return event

    def _message(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64) -> Event:
        """A request, a response, or trailers."""
        connection = self.connection
        number = self.block_stream
        ends = self.block_flags & END_STREAM != 0
        stream = connection.streams.get(number)
        if stream is None:
            stream = connection.cut_stream(number, self.peer)
        elif stream.ahead and self.who == CLIENT and not connection.arrive(stream):
            self.not_in_order(number, offset)
        if stream is None:
            stream = self.new_stream(number, offset)
            if stream is None:
                code = None if connection.late(number, self.peer) else "STREAM_CLOSED"
                if code is not None and connection.endpoint is not None:
                    raise ProtocolError(
                        offset,
                        f"HEADERS on stream {number}, which is closed",
                        "a new stream",
                        "RFC 9113 §5.1 STREAM_CLOSED",
                    )
                return self.misplaced("HEADERS", None, number, octets, start, stop, offset, code)
        role = self._role(stream, block)
        idle = i64(stream.state) == IDLE  # without the cast both would be objects, compiled
        if idle and role == TRAILERS:
            stream.joined = True
            stream.state = u8(OPEN)
            idle = False
        frame = FRAME
        if ends and role != INTERIM:
            frame = LAST
        if not stream.move(self.who, frame) and not stream.joined:
            code = None
            if not stream.cut:
                if stream.state == RESERVED:
                    self.not_reserved("HEADERS", number, offset)
                code = "PROTOCOL_ERROR" if idle else "STREAM_CLOSED"
            return self.misplaced("HEADERS", stream.request, number, octets, start, stop, offset, code)
        request = stream.request
        speaks = HTTP
        if role != REQUEST and request is not None:
            speaks = request.speaks
            answer = stream.response if role == TRAILERS else None
            if answer is not None and answer.request is None:
                # What answered before its request was known goes on as it began.
                late = not (answer.framed and request.framed)
            else:
                late = speaks == HTTP and not request.certain
            if late:
                speaks = self._spoken_late(stream, block)
        elif role == REQUEST:
            speaks = spoken(block)
        elif self.who == SERVER:
            speaks = self._spoken_late(stream, block)
        message = Http2Message(
            connection.flows[i64(speaks)], self.sender, _KINDS[i64(role)], offset, octets, start, stop,
            not ends and (role == REQUEST or role == RESPONSE),
            None if role == REQUEST else request,
            number, role, speaks, block,
        )  # fmt: skip
        endpoint = connection.endpoint
        fault = None if stream.cut else find_fault(message, ends)
        if fault is None and endpoint is not None and role == REQUEST and has_protocol(block):
            if not endpoint.allows_protocol():
                fault = ":protocol, which our SETTINGS do not allow (RFC 8441 §3)"
        if fault is not None:
            message.note(fault)
            if endpoint is not None:
                endpoint.on_error(number, "PROTOCOL_ERROR", offset)
        if role == REQUEST:
            stream.request = message
            connection.keep(message)
        elif role == RESPONSE:
            stream.response = message
            connection.keep(message)
        if role == REQUEST or role == RESPONSE:
            length = block.get(_CONTENT_LENGTH)
            if length is not None:
                stream.body(self.who).declared = digits(length.value)
        if ends and role != INTERIM:
            self.check_length(message, stream, offset)
            if self.who == SERVER and (message.framed or speaks >= GRPC_WEB):
                message.note(None, stream.calls())
                response = stream.response
                if speaks >= GRPC_WEB and role == TRAILERS and response is not None and response.speaks == speaks:
                    end_trailers(message, response, stream.body(SERVER), self.head_limit)
                elif speaks > GRPC_WEB:
                    pass  # its status tells that no body comes
                elif speaks == TRIPLE or message.grpc_number() < 0:
                    message.settle(response)
                if role == TRAILERS and not stream.joined:
                    stream.response = message  # which the end of the request, where that comes later, adds to
        connection.close_if_done(stream)
        return message

    def _role(self, stream: Stream, block: HeaderBlock) -> u8:
        if self.who == CLIENT:
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

    def _spoken_late(self, stream: Stream, block: HeaderBlock) -> u8:
        """What a stream speaks whose request is not wholly known: what this block of the server's says, or its response did."""
        speaks = spoken(block)
        if speaks == HTTP:
            response = stream.response
            if response is not None:
                speaks = response.speaks
            if speaks == HTTP and block.get(GRPC_STATUS_NAME) is not None:
                speaks = GRPC
        return speaks

    def _promise(self, block: HeaderBlock, octets: bytes, start: i64, stop: i64, offset: i64) -> Event:
        """PUSH_PROMISE: the request that the server answers without being asked (RFC 9113 §8.4)."""
        connection = self.connection
        if self.who == CLIENT:
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
        connection.keep(message)
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
            if number <= connection.client.last_stream:
                fits = connection.late(number, self.peer) or (
                    connection.forgotten is not None and int(number) in connection.forgotten
                )
            else:
                fits = not connection.has_ended_ahead(number, self.side)
        else:
            fits = parent.state == OPEN or parent.state == CLIENT_DONE
        if not fits:
            raise ProtocolError(
                offset,
                f"PUSH_PROMISE on stream {number}",
                "an open stream of the client",
                "RFC 9113 §6.6 PROTOCOL_ERROR",
            )
        return parent


def _pseudo_are_known(block: HeaderBlock) -> bool:
    """Whether the first field is known: pseudo-headers stand first."""
    return block.known or (block.count > 0 and not block.at(0).flags & UNKNOWN_NAME)
