"""One side of a connection, played by the caller: what it answers by itself, and what it is given to send.

Stream numbers, header compression and flow control belong to one connection. A proxy receives on one and sends on another, so a message is
encoded anew, by `_writer`: its fields in their order, never-indexed ones kept so; its DATA in frames that the peer accepts. Requests beyond
the number of streams that the peer allows wait for their turn. RFC 9113 §5.1.2, §6.5, §6.7, §6.8, §6.9, §8.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, Message, ProtocolError, Sender, Status, Unsupported
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Data

from .._connection.connection import Connection, EndpointHooks
from .._connection.streams import CLIENT, CLIENT_DONE, FRAME, OPEN, SERVER, SERVER_DONE
from .._frames.frame_message import FrameMessage
from .._frames.frame_writer import write_frame, write_goaway, write_head, write_reset, write_window_update
from .._frames.frames import ACK, ERROR_NAMES, PING, PREFACE, SETTINGS
from .._frames.settings import (
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MAX_WINDOW,
    setting,
)
from .._frames.windows import Inflow, Inflows
from .._hpack.static_table import HeaderField
from .._semantics.messages import INTERIM, PROMISE, REQUEST, TRAILERS, Http2Message
from .answers import error_answer
from .noise import Noise
from .requests import LAST_STREAM, Requests
from .writer import Outflow, Writer

__all__ = ["Endpoint"]

_WINDOWS: Final[i64] = 16
"""How many streams' windows the connection's is worth."""
_TABLE_SIZE: Final[i64] = 4096
"""Octets of the dynamic table that we use at most."""
_FRAME_SIZE: Final[i64] = 65536
"""Octets of the largest frame that we write, so that streams take turns."""
_OWED_LIMIT: Final[i64] = 1 << 16
"""Octets of acknowledgements that may wait to be written: more are a flood."""

_NO_ERROR: Final[i64] = 0
_INTERNAL_ERROR: Final[i64] = 2
_CANCEL: Final[i64] = 8

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@final
class Endpoint(EndpointHooks):
    """One side of a connection."""

    def __init__(self, connection: Connection, me: Sender, limits: Limits) -> None:
        self._connection = connection
        self._sender = me
        self._me: i64 = CLIENT if me is Sender.CLIENT else SERVER
        self._writer = Writer(connection, self._me)
        self._streams_limit: i64 = min(limits.streams, MAX_WINDOW)
        self._head_limit: i64 = min(limits.head, MAX_WINDOW)
        # What the peer may send.
        self._granted: i64 = min(limits.message, MAX_WINDOW)
        self._queue_limit: i64 = min(limits.queued, 2**58) * REFUSED_AT
        self._inflows = Inflows(max(DEFAULT_WINDOW, min(self._granted, MAX_WINDOW // _WINDOWS) * _WINDOWS))
        self._first_window: i64 = max(self._granted, DEFAULT_WINDOW)
        """A new stream's window: until our SETTINGS are acknowledged, the peer may go by the default."""
        self._early: list[Inflow] = []
        """Streams that began with a larger window than they are to have."""
        self._requests = Requests(connection, self._writer, limits)
        # The connection itself.
        self._owed = BytesWriter()
        self._noise = Noise()
        self._paused = False
        self._open = self._me == CLIENT
        self._http1 = False
        self.list_limit: i64 = -1
        """Octets of a header list that the peer takes, as it has said; -1 while it has not."""
        self._gone = False
        self._ended = False
        self._abandoned: list[Message] = []
        """Requests that were sent and are not answered, or not read, to their end, now that the peer has ended."""
        self._closes: i64 = 0
        """How many times the caller has begun to shut down."""
        self._last_served: i64 = LAST_STREAM
        """What our GOAWAY said: a later one must not say more (RFC 9113 §6.8)."""
        self._refusing = False
        connection.side(me).heard = True
        if self._me == CLIENT:
            self._write_settings()

    def _write_settings(self) -> None:
        """Our SETTINGS and the connection's window."""
        settings = setting(INITIAL_WINDOW_SIZE, self._granted) + setting(MAX_HEADER_LIST_SIZE, self._head_limit)
        settings += setting(MAX_CONCURRENT_STREAMS, self._streams_limit)
        if self._me == CLIENT:
            settings += setting(ENABLE_PUSH, 0)
            self._owed.write(PREFACE)
        elif self._requests.extended:
            settings += setting(ENABLE_CONNECT_PROTOCOL, 1)
        write_frame(self._owed, SETTINGS, 0, 0, settings)
        more = self._inflows.granted - DEFAULT_WINDOW
        if more > 0:
            write_window_update(self._owed, 0, more)

    def _owe(self, offset: i64) -> None:
        """Octets have been added to `_owed`."""
        size: i64 = len(self._owed)
        if size > _OWED_LIMIT:
            raise ProtocolError(
                offset, f"{size} octets of answers that wait to be written", "fewer", "RFC 9113 §10.5 ENHANCE_YOUR_CALM"
            )

    # What the decoder tells.

    def on_http1(self, waits: bool) -> None:
        self._http1 = True
        if waits and self._me == SERVER:
            self._owed.write(_CONTINUE)

    def on_open(self, upgraded: bool) -> None:
        if self._me == SERVER:
            if upgraded:
                self._owed.write(_SWITCHING)
            self._http1 = False
            self._open = True
            self._write_settings()
            if self._closes > 0:
                self._write_goaway()

    def on_settings(self, settings: dict[int, int], offset: i64) -> None:
        writer = self._writer
        size = settings.get(int(HEADER_TABLE_SIZE))
        if size is not None:
            writer.encoder.set_table_limit(min(size, _TABLE_SIZE))
        size = settings.get(int(MAX_FRAME_SIZE))
        if size is not None:
            writer.frame_size = min(size, _FRAME_SIZE)
        size = settings.get(int(INITIAL_WINDOW_SIZE))
        if size is not None and not writer.set_stream_window(size):
            raise ProtocolError(offset, "a window of more than 2^31-1", "less", "RFC 9113 §6.9.2 FLOW_CONTROL_ERROR")
        size = settings.get(int(MAX_HEADER_LIST_SIZE))
        if size is not None:
            self.list_limit = size
        if self._me == CLIENT:
            self._requests.told_settings(settings)
        if self._open:  # else they came in HTTP2-Settings, which 101 acknowledges
            write_head(self._owed, 0, SETTINGS, ACK, 0)
            self.on_noise(offset)
            self._owe(offset)

    def on_ack(self) -> None:
        more = self._first_window - self._granted
        self._first_window = self._granted
        for inflow in self._early:
            inflow.window -= more
        self._early = []

    def on_ping(self, payload: bytes, offset: i64) -> None:
        write_frame(self._owed, PING, ACK, 0, payload)
        self.on_noise(offset)
        self._owe(offset)

    def on_goaway(self, last: i64, offset: i64) -> None:
        self.on_noise(offset)
        if self._me == SERVER:
            return
        self._requests.refuse_beyond(last)

    def on_data(self, head: Http2Message | None, stream: i64, size: i64, ends: bool, offset: i64) -> bool:
        self._noise.add_data(size, ends, offset)
        inflows = self._inflows
        if not inflows.take(size):
            raise ProtocolError(
                offset,
                f"DATA of {size} octets",
                f"at most {inflows.window + size}, the connection's window",
                "RFC 9113 §6.9.1 FLOW_CONTROL_ERROR",
            )
        if head is None:
            return True
        inflow = head.inflow
        if inflow is None:
            inflow = Inflow(stream, self._granted, self._first_window, inflows)
            head.receive_body(inflow)
            if self._first_window > self._granted:
                self._early.append(inflow)
        if inflow.take(size, ends):
            return True
        self.on_error(stream, "FLOW_CONTROL_ERROR", offset)
        return False

    def on_window(self, stream: i64, increment: i64, offset: i64) -> str | None:
        self.on_noise(offset)
        if stream == 0:
            if not self._writer.widen(None, increment):
                raise ProtocolError(
                    offset, "a window of more than 2^31-1", "less", "RFC 9113 §6.9.1 FLOW_CONTROL_ERROR"
                )
            return None
        if stream > self._connection.opener(stream).last_stream:
            raise ProtocolError(
                offset, f"WINDOW_UPDATE on idle stream {stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
            )
        flow = self._flow_of(stream)
        if flow is None or self._writer.widen(flow, increment):
            return None
        self.on_error(stream, "FLOW_CONTROL_ERROR", offset)
        return "FLOW_CONTROL_ERROR"

    def on_reset(self, stream: i64, offset: i64) -> None:
        self.on_noise(offset)
        flow = self._writer.by_number.get(int(stream))
        if flow is not None:
            self._writer.drop(flow)

    def on_failed(self) -> None:
        self._requests.closing = True
        if self._me == CLIENT:
            self.end()

    def on_closed(self, stream: i64) -> None:
        flow = self._writer.by_number.get(int(stream))
        if flow is not None and flow.reset < 0:
            self._writer.drop(flow)

    def on_error(self, stream: i64, code: str, offset: i64) -> None:
        found = self._connection.streams.remove(stream)
        self._connection.note_cut(stream, self._connection.side(self._sender))
        flow = self._writer.by_number.get(int(stream))
        if flow is not None:
            self._writer.drop(flow)
        write_reset(self._owed, stream, ERROR_NAMES.index(code))
        self.on_noise(offset)
        self._owe(offset)
        if self._me == SERVER and found is not None and found.response is None:
            # A peer can make us reset streams, too.
            self._connection.count_reset(self._connection.client, offset)

    def on_noise(self, offset: i64) -> None:
        self._noise.add(offset)

    def allows_protocol(self) -> bool:
        return self._requests.extended

    def refuses(self, stream: i64, offset: i64) -> bool:
        if not self._refusing and self._connection.streams.count < self._streams_limit:
            return False
        opener = self._connection.opener(stream)
        opener.last_stream = max(opener.last_stream, stream)
        self.on_error(stream, "REFUSED_STREAM", offset)
        return True

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

    def unanswered(self) -> list[Message]:
        found: list[Message] = []
        for stream in self._connection.streams.all():
            request = stream.request
            if request is None:
                continue
            state = stream.state
            flow = self._writer.by_number.get(int(stream.number))
            if self._me == SERVER and (state == OPEN or state == SERVER_DONE):
                if flow is None or flow.reset < 0:
                    found.append(request)  # it has not come to its end, be it answered
            elif state == OPEN or state == CLIENT_DONE:
                if self._me == CLIENT or flow is None or not flow.done:
                    found.append(request)
        return found + self._requests.waiting()

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

    def _write_goaway(self) -> None:
        last: i64 = 0
        if self._me == SERVER:
            if self._closes > 1:
                self._refusing = True
                self._last_served = min(self._last_served, self._connection.client.last_stream)
            last = self._last_served
        write_goaway(self._owed, last, _NO_ERROR)

    def end(self) -> None:
        """The peer sends nothing more: what waits for it is given up."""
        if not self._ended:
            self._ended = True
            if self._me == CLIENT:
                half = [stream for stream in self._connection.streams.all() if stream.state == SERVER_DONE]
                self._abandoned = self.unanswered() + [each.request for each in half if each.request is not None]
            self._requests.end()
            self._writer.drop_all()

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

    def _flow_of(self, number: i64) -> Outflow | None:
        """What is written on a stream; None if nothing can be."""
        flow = self._writer.by_number.get(int(number))
        if flow is None and self._me == SERVER:
            stream = self._connection.streams.get(number)
            if stream is not None and stream.allows(SERVER, FRAME):
                flow = Outflow(number, self._writer.stream_window)
                self._writer.begin(flow)
        return flow
