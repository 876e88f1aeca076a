"""DATA: which message it belongs to, and what the frames of a body add up to. RFC 9113 §6.1, §8.1.1.

DATA that comes in parts, since a read or a whole connection holds no more of it, is as many events as its parts.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Kind, LimitExceeded, Limits, ProtocolError, Sender
from l7codecs.message import Data, Event, Flow

from .._frames.frames import END_STREAM, HEADER_SIZE, PADDED
from .._frames.settings import DEFAULT_FRAME_SIZE
from .._hpack.decoder import HeaderBlock
from .._semantics.bodies import Body
from .._semantics.calls import end_body, follow
from .._semantics.messages import REQUEST, RESPONSE, Http2Message
from .._semantics.names import METHOD
from .._semantics.spoken import GRPC_WEB, HTTP
from .connection import Connection
from .control_reader import ControlReader
from .streams import CLIENT, CLIENT_DONE, FRAME, IDLE, LAST, OPEN, RESERVED, SERVER, Stream

__all__ = ["BodyReader"]

_CONTROL: Final = Kind.CONTROL
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE


class BodyReader(ControlReader):
    """Bodies of one direction, and the streams that they come on."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, connection)
        self._head_limit: i64 = limits.head
        self._body_stream: Stream | None = None
        """The stream of the DATA that comes in parts."""
        self._body_head: Http2Message | None = None
        self._refused: Http2Message | None = None
        """The request on whose stream DATA went beyond its window, while that frame is not whole."""

    def restart(self) -> None:
        super().restart()
        self._refused = None
        self._body_stream = None
        self._body_head = None

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
        stream.move(self.who, FRAME)
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
            stream.body(self.who).lose(min(size, max(self.left - self.padding, 0)))

    def _count(self, head: Http2Message, stream: Stream, octets: bytes, first: i64, last: i64, ends: bool) -> None:
        """Count ``octets[first:last]`` for the body of `head`, which it `ends` or not."""
        body = stream.body(self.who)
        body.octets += last - first
        if head.framed:
            body.count_messages(octets, first, last)
        elif head.speaks >= GRPC_WEB:
            follow(head, body, octets, first, last, self._head_limit)
        if ends:
            stream.move(self.who, LAST)
            if head.framed and self.who == SERVER:
                head.settle(None)  # no trailers come: it is no success
            elif head.speaks >= GRPC_WEB:
                self._end_call(head, stream, body)
            self.check_length(head, stream, self.buffer.offset)
            self.connection.close_if_done(stream)
        elif body.octets > body.declared >= 0:
            self.check_length(head, stream, self.buffer.offset)

    def _end_call(self, head: Http2Message, stream: Stream, body: Body) -> None:
        """The body of `head`, of a call of gRPC-Web or Connect, has ended: of an answer the outcome is known now."""
        end_body(head, body, self._head_limit)
        if self.who == SERVER:
            head.note(None, stream.calls())

    def _open_stream(self) -> Stream | None:
        """The stream of DATA; None where it allows none."""
        connection = self.connection
        stream = self.known(self.stream)
        if stream is None:
            stream = connection.cut_stream(self.stream, self.peer)
        if stream is None:
            offset = self.buffer.offset
            if self.is_idle():
                raise ProtocolError(
                    offset, f"DATA on idle stream {self.stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
                )
            if not connection.joined and (
                connection.endpoint is not None or self.who == CLIENT or self.stream & 1 == 0
            ):
                return None
            return self.new_stream(self.stream, offset)
        return stream

    def _head_of(self, stream: Stream) -> Http2Message | None:
        """The message whose body DATA is, on `stream`; None where the stream allows none."""
        if not stream.allows(self.who, FRAME) and (not stream.joined or stream.has_ended(self.who)):
            return None
        head = stream.request if self.who == CLIENT else stream.response
        if head is None and self.connection.joined:
            head = self._unseen(stream)
        if head is not None and head.sender is not self.sender:
            return None  # the server has promised it: the client has no body there
        return head

    def _unwanted_data(self, stream: Stream | None) -> Event | None:
        """DATA that its stream does not allow; None while it is not whole."""
        buffer = self.buffer
        # "All implementations MUST be capable of receiving […] frames up to 2^14 octets" (RFC 9113 §4.2).
        if self.length > max(self.message_limit, DEFAULT_FRAME_SIZE):
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
            return self.frame_message(_CONTROL, self.stream, "DATA", request, code)
        if stream is None:
            if self.connection.late(self.stream, self.peer):
                code = None
        elif stream.cut:
            code = None
        elif stream.state == RESERVED and not stream.joined:
            self.not_reserved("DATA", self.stream, buffer.message_offset)
        elif stream.move(self.who, LAST if self.flags & END_STREAM != 0 else FRAME):
            code = "PROTOCOL_ERROR"  # no response has come (RFC 9113 §8.1)
            self.connection.close_if_done(stream)
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_data(None, self.stream, self.length, True, buffer.message_offset)
            if code is not None:
                endpoint.on_error(self.stream, code, buffer.message_offset)
        return self.frame_message(_CONTROL, self.stream, "DATA", request, code)

    def _unseen(self, stream: Stream) -> Http2Message:
        """A stand-in for the head of a body whose beginning was not seen."""
        client = self.who == CLIENT
        head = Http2Message(
            self.connection.flows[HTTP], self.sender, _REQUEST if client else _RESPONSE, 0, b"", 0, 0, True, None,
            i64(stream.number), REQUEST if client else RESPONSE, HTTP, HeaderBlock([], 0, 0, 0, False),
        )  # fmt: skip
        if client:
            stream.request = head
        else:
            stream.response = head
        return head

    def check_length(self, message: Http2Message, stream: Stream, offset: i64) -> None:
        """The body has ended, or is longer already: one of another size than content-length is malformed (RFC 9113 §8.1.1)."""
        body = stream.seen_body(self.who)
        if body is None or stream.joined or stream.cut or message.malformed is not None:
            return
        declared = body.declared
        if declared < 0 and (body.octets == 0 or self.who == CLIENT):
            return
        request, response = stream.request, stream.response
        if request is None:
            return
        method = request.block.get(METHOD)
        connect = method is not None and method.value == b"CONNECT"
        if self.who == CLIENT or response is None:
            if connect:
                return  # a tunnel (RFC 9113 §8.5)
        else:
            code = response.code()
            if connect and 0 <= code < 300:
                return
            if code == 204 or code == 304 or (method is not None and method.value == b"HEAD"):
                declared = 0  # content-length speaks of another response (RFC 9110 §8.6)
        if declared < 0 or declared == body.octets:
            return
        # How much longer depends on the reads: a longer body is told as soon as it is.
        length = "a longer body" if body.octets > declared else f"a body of {body.octets} octets"
        message.note(f"content-length {declared} with {length} (§8.1.1)")
        if self.connection.endpoint is not None:
            self.connection.endpoint.on_error(i64(stream.number), "PROTOCOL_ERROR", offset)

    def new_stream(self, number: i64, offset: i64) -> Stream | None:
        """A stream that is not known: new, closed already (None), or from before this connection was seen."""
        connection = self.connection
        opener = connection.opener(number)
        if connection.joined and (self.who == SERVER or number <= opener.last_stream):
            return connection.open(number, OPEN, True, offset)
        if self.who == SERVER and number & 1 == 1 and connection.endpoint is None:
            return self._unasked(number, offset)
        if number <= opener.last_stream:
            if connection.skipped(number):
                self.not_in_order(number, offset)
            return None
        if self.who == SERVER or number & 1 == 0:
            raise ProtocolError(
                offset, f"HEADERS on idle stream {number}", "a stream of the client", "RFC 9113 §5.1.1 PROTOCOL_ERROR"
            )
        if connection.endpoint is not None and connection.endpoint.refuses(number, offset):
            return None
        return connection.open(number, IDLE, False, offset)

    def not_in_order(self, number: i64, offset: i64) -> None:
        """Raise the error of a stream that opens behind one with a higher number."""
        raise ProtocolError(
            offset,
            f"HEADERS on stream {number} after stream {self.connection.opener(number).last_stream}",
            "a higher stream",
            "RFC 9113 §5.1.1 PROTOCOL_ERROR",
        )

    def _unasked(self, number: i64, offset: i64) -> Stream | None:
        """The stream of an answer whose request an observer does not know: it is behind, or was forgotten. None for one that has ended."""
        connection = self.connection
        if number > connection.client.last_stream:
            return None if connection.has_ended_ahead(number, self.side) else connection.open_ahead(number, offset)
        if connection.forgot(number):
            return connection.open(number, CLIENT_DONE, True, offset)
        return None
