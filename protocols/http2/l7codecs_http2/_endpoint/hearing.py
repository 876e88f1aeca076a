"""What one side of a connection hears of its peer: settings, windows, pings, resets; and what it owes for that.

RFC 9113 §5.1.2, §6.5, §6.7, §6.8, §6.9.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from l7codecs import Limits, Message, ProtocolError, Sender
from l7codecs.limits import REFUSED_AT

from .._connection.connection import Connection, EndpointHooks
from .._connection.streams import CLIENT, CLIENT_DONE, FRAME, OPEN, SERVER, SERVER_DONE
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
from .._semantics.messages import Http2Message
from .noise import Noise
from .requests import LAST_STREAM, Requests
from .writer import Outflow, Writer

__all__ = ["Hears"]

_WINDOWS: Final[i64] = 16
"""How many streams' windows the connection's is worth."""
_TABLE_SIZE: Final[i64] = 4096
"""Octets of the dynamic table that we use at most."""
_FRAME_SIZE: Final[i64] = 65536
"""Octets of the largest frame that we write, so that streams take turns."""
_OWED_LIMIT: Final[i64] = 1 << 16
"""Octets of acknowledgements that may wait to be written: more are a flood."""
_NO_ERROR: Final[i64] = 0
_PROBE: Final = bytes(8)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


class Hears(EndpointHooks):
    """What one side knows of its peer, and owes it."""

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

    def probe(self) -> None:
        """Owe a PING, whose ACK is passed over: RFC 9113 §6.7."""
        if self._open:
            write_frame(self._owed, PING, 0, 0, _PROBE)

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

    def _write_goaway(self) -> None:
        last: i64 = 0
        if self._me == SERVER:
            if self._closes > 1:
                self._refusing = True
                self._last_served = min(self._last_served, self._connection.client.last_stream)
            last = self._last_served
        write_goaway(self._owed, last, _NO_ERROR)

    # What is left.

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

    def end(self) -> None:
        """The peer sends nothing more: what waits for it is given up."""
        if not self._ended:
            self._ended = True
            if self._me == CLIENT:
                half = [stream for stream in self._connection.streams.all() if stream.state == SERVER_DONE]
                self._abandoned = self.unanswered() + [each.request for each in half if each.request is not None]
            self._requests.end()
            self._writer.drop_all()

    def _flow_of(self, number: i64) -> Outflow | None:
        """What is written on a stream; None if nothing can be."""
        flow = self._writer.by_number.get(int(number))
        if flow is None and self._me == SERVER:
            stream = self._connection.streams.get(number)
            if stream is not None and stream.allows(SERVER, FRAME):
                flow = Outflow(number, self._writer.stream_window)
                self._writer.begin(flow)
        return flow
