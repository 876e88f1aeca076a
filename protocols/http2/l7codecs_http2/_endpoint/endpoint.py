"""One side of a connection, played by the caller: what it answers by itself, and what it is given to send.

Stream numbers, header compression and flow control belong to one connection. A proxy receives on one and sends on another, so a message is
encoded anew, by `_writer`: its fields in their order, never-indexed ones kept so; its DATA in frames that the peer accepts. Requests beyond
the number of streams that the peer allows wait for their turn. RFC 9113 §5.1.2, §6.5, §6.7, §6.8, §6.9, §8.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Message, ProtocolError, Status, Unsupported
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Data

from .._connection.streams import CLIENT, OPEN, SERVER
from .._frames.frame_message import FrameMessage
from .._frames.frame_writer import write_goaway, write_reset, write_window_update
from .._frames.frames import ERROR_NAMES
from .._hpack.static_table import HeaderField
from .._semantics.messages import INTERIM, PROMISE, REQUEST, TRAILERS, Http2Message
from .answers import error_answer
from .hearing import Hears
from .writer import Outflow

__all__ = ["Endpoint"]

_NO_ERROR: Final[i64] = 0
_INTERNAL_ERROR: Final[i64] = 2
_CANCEL: Final[i64] = 8
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@final
class Endpoint(Hears):
    """One side of a connection."""

    # What the caller asks.

    @property
    def queued(self) -> int:
        """Octets of DATA that wait."""
        return self._writer.queued

    @property
    def crowded(self) -> bool:
        """Whether no more requests can wait for a stream."""
        return self._requests.crowded

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused

    @property
    def closing(self) -> bool:
        return self._requests.closing

    @property
    def extended_connect(self) -> bool:
        return self._requests.extended

    @extended_connect.setter
    def extended_connect(self, allowed: bool) -> None:
        self._requests.extended = allowed

    def streaming(self) -> list[Message]:
        """Heads whose further DATA the peer takes, and none of which waits."""
        writer = self._writer
        if self._paused or writer.window <= 0:
            return []
        return [
            flow.heads[0]
            for flow in writer.by_number.values()
            if flow.heads and not flow.done and flow.window > 0 and not flow.queue and not flow.blocks
        ]

    def unprocessed(self) -> list[Message]:
        return self._requests.take_unprocessed()

    def abandoned(self) -> list[Message]:
        found = self._requests.take_unprocessed() + self._abandoned
        self._abandoned = []
        return found

    def close(self) -> None:
        """GOAWAY. A server that has said it once refuses what comes after the second time (RFC 9113 §6.8)."""
        self._closes += 1
        if self._me == CLIENT:
            self._requests.closing = True
        if self._open:  # else it comes behind our SETTINGS, which are the first (RFC 9113 §3.4)
            self._write_goaway()

    def _begin(self) -> bool:
        """Write what is owed before anything else; False while nothing can be written."""
        writer = self._writer
        writer.blocked = self._paused or not self._open
        if self._paused:
            return False
        owed = self._owed
        if len(owed) > 0:
            writer.out.write(owed.getvalue())
            owed.truncate(0)
        return not writer.blocked

    def pending_output(self, error: ProtocolError | None) -> bytes:
        """All that can be written now; after an error GOAWAY, even where the transport is full."""
        writer = self._writer
        if error is not None:
            if self._gone:
                return b""
            self._paused = False
        free = self._begin()
        if free:
            inflows = self._inflows
            if inflows.due:
                for inflow in inflows.due:
                    increment = inflow.credit()
                    if increment > 0 and self._connection.streams.get(inflow.number) is not None:
                        write_window_update(writer.out, inflow.number, increment)
                inflows.due = []
            increment = inflows.credit()
            if increment > 0:
                write_window_update(writer.out, 0, increment)
            self._requests.open()
            writer.run()
            self._noise.forgive(writer.useful)
            writer.useful = 0
        if error is not None:
            self._gone = True
            self._requests.closing = True
            if self._http1:
                writer.out.write(_BAD_REQUEST)
            else:
                word = error.spec.rpartition(" ")[2]
                code = ERROR_NAMES.index(word) if word in ERROR_NAMES else 1
                connection = self._connection
                last = connection.client.last_stream if self._me == SERVER else connection.server.last_stream
                write_goaway(writer.out, min(last, self._last_served), code)
        return writer.output()

    # What the caller sends.

    def output(self) -> bytes:
        """What has been written and not been returned."""
        return self._writer.output()

    def send_message(self, message: Http2Message, fields: list[HeaderField]) -> None:
        """The frames of a header block with `fields`, and the end of the stream where the message has no body.

        What it refuses, it refuses before anything changes.
        """
        if message.sender is not self._sender:
            raise Unsupported(f"this session plays the {self._sender.value}, and sends what that side says")
        if message.role == PROMISE:
            raise Unsupported("a promised request is not sent on: push belongs to one connection")
        writer = self._writer
        role = message.role
        if message.malformed is not None:
            self._begin()
            self._cut(message, message.malformed)
        elif role == REQUEST:
            extended = self._requests.check(message, fields)
            self._begin()
            self._requests.ask(message, fields, extended)
        else:
            flow = self._flow(message)
            self._begin()
            if flow is None or flow.done:
                pass
            elif role == TRAILERS:
                writer.put_trailers(flow, fields)
            elif role == INTERIM:
                writer.put_block(flow, fields, False)
            elif not flow.answered:
                flow.answered = True
                self._count_answer(flow, message)
                if message.more:
                    writer.name(flow, message)
                writer.put_block(flow, fields, not message.more)

    def send_data(self, data: Data) -> None:
        """Frames with the octets of `data` that can be written; the rest waits."""
        flow = self._writer.by_message.get(data.message)
        if flow is None or flow.done:
            return
        self._begin()
        head = data.message
        if isinstance(head, Http2Message):
            if head.malformed is not None:
                self._cut(head, head.malformed)
            else:
                if self._writer.queued + data.payload_size > self._queue_limit:
                    raise LimitExceeded(
                        int(data.offset),
                        f"{self._writer.queued + data.payload_size} octets of DATA that wait",
                        f"at most {REFUSED_AT} times limits.queued",
                    )
                self._writer.put_data(flow, data.payload, head.inflow, not data.more)

    def send_frame(self, message: FrameMessage) -> None:
        """RST_STREAM on this connection's stream, for one of the other, or for an error that ended the other's."""
        request = message.request
        if not isinstance(request, Http2Message) or message.code is None or message.sender is not self._sender:
            return
        self._begin()
        if message.name != "RST_STREAM":
            self._cut(message, f"{message.name} that earns {message.code}")
            return
        code = int.from_bytes(message.payload, "big")
        if self._me == CLIENT:
            flow = self._writer.by_message.get(request)
            if flow is not None:
                self._reset(flow, code)
            return
        flow = self._flow_of(i64(request.stream))
        if flow is None:
            self._end_stream(i64(request.stream), code)  # the answer is complete, and the request is not
        elif code == _NO_ERROR and flow.done:
            self._writer.put_reset(flow, code)
        else:
            self._reset(flow, code)

    def reply_error(self, request: Http2Message, status: Status, text: str) -> None:
        """A response made here, as the request's protocol has it. RST_STREAM where a response has begun."""
        request.settled = True
        fields, body = error_answer(request, status, text, self.list_limit)
        if request.method == "HEAD":
            body = b""
        self._begin()
        stream = self._connection.streams.get(i64(request.stream))
        flow = self._flow_of(i64(request.stream))
        if stream is None or stream.request is not request:
            return
        if flow is None:
            self._end_stream(i64(request.stream), _NO_ERROR)  # the answer is complete, and the request is not
            return
        if flow.done:
            if stream.state == OPEN:
                self._writer.put_reset(flow, _NO_ERROR)
            return
        if flow.answered:
            self._reset(flow, _INTERNAL_ERROR)
            return
        flow.answered = True
        self._count_answer(flow, None)
        if stream.state == OPEN:
            flow.reset = _NO_ERROR  # the rest of the request is not wanted (RFC 9113 §8.1)
        self._writer.put_block(flow, fields, not body)
        if body:
            self._writer.put_data(flow, body, None, True)
        if flow.reset >= 0:
            self._writer.put_reset(flow, flow.reset)

    def cancel(self, request: Message) -> None:
        """Nobody waits for the answer to `request`, which was sent here: RST_STREAM, unless it waits for a stream or is answered."""
        flow = self._writer.by_message.get(request)
        self._begin()
        if flow is not None:
            self._reset(flow, _CANCEL)
        elif request in self._abandoned:
            self._abandoned.remove(request)
        else:
            self._requests.forget(request)

    def _cut(self, message: Message, why: str) -> None:
        """What `message` belongs to cannot go on here, since it went wrong on the other connection."""
        if self._me == CLIENT:
            request = message if message.request is None else message.request
            flow = self._writer.by_message.get(request)
            if flow is not None:
                self._reset(flow, _CANCEL)
        elif isinstance(message.request, Http2Message):
            try:
                self.reply_error(message.request, Status.INTERNAL, f"the server's answer is wrong: {why}")
            except ValueError:  # the client takes no such text
                self.reply_error(message.request, Status.INTERNAL, "")

    def _reset(self, flow: Outflow, code: i64) -> None:
        """End a stream early."""
        number = flow.number
        if number > 0:
            self._writer.drop(flow)
            self._end_stream(number, code)
        else:
            self._requests.withdraw(flow)

    def _end_stream(self, number: i64, code: i64) -> None:
        """RST_STREAM, unless the stream is closed."""
        if self._connection.cut_off(number, self._connection.side(self._sender)):
            write_reset(self._owed, number, code)
            self._begin()

    def _count_answer(self, flow: Outflow, response: Http2Message | None) -> None:
        """The request is answered: that it is reset from now on is no attack."""
        stream = self._connection.streams.get(flow.number)
        if stream is not None and response is not None:
            stream.response = response
            self._connection.keep(response)
        client = self._connection.client
        if client.resets > 0:
            client.resets -= 1

    # Streams.

    def _flow(self, message: Http2Message) -> Outflow | None:
        """Where an answer or trailers are written: on the stream of their request."""
        request = message.request
        if self._me == CLIENT:
            return None if request is None else self._writer.by_message.get(request)
        if not isinstance(request, Http2Message):
            raise Unsupported("an answer to no request that is known")
        return self._flow_of(i64(request.stream))
