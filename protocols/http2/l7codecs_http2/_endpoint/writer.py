"""What is written on one connection: frames, in the order and as far as the peer's windows and the transport allow.

Each stream has what waits to be written on it: header blocks, DATA, trailers, the end. Streams take turns, a frame each, so that a large
one does not keep the others waiting when the connection's window is scarce. Header blocks are encoded when they are written, since the
order on the wire is the order of their compression. RFC 9113 §4.1, §5.2, §6.9.

    ready      streams that have something to write, in turn
    starved    streams whose next octet of DATA waits for the connection's window, in turn
    (neither)  nothing to write, or a stream whose own window is used up
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from l7codecs import Message

from .._connection.connection import Connection
from .._connection.streams import CLIENT, FRAME, LAST, SERVER
from .._frames.frame_writer import write_frame, write_reset
from .._frames.frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS
from .._frames.settings import DEFAULT_FRAME_SIZE, DEFAULT_WINDOW, MAX_WINDOW
from .._frames.windows import Inflow
from .._hpack.encoder import HpackEncoder
from .._hpack.static_table import HeaderField

__all__ = ["Outflow", "Writer"]

_KEPT_SIZE: Final[i64] = 1 << 16
"""Octets up to which the memory of an output is used again for the next."""
_NOTHING: Final = bytearray()
_LEAST_DATA: Final[i64] = 128
"""Octets from which a frame of DATA that the window cuts is worth the update."""


@final
class Outflow:
    """What is written on one stream."""

    def __init__(self, number: i64, window: i64) -> None:
        self.number = number
        """0 while a request waits for its turn to open a stream."""
        self.window = window
        """Octets that the peer takes."""
        self.blocks: list[tuple[list[HeaderField], bool]] = []
        """Header blocks that wait, before any DATA; whether each ends the stream."""
        self.queue = _NOTHING
        """DATA that waits. One object, however small the pieces are that it came in."""
        self.source: Inflow | None = None
        """Where `queue` came from, which is not credited until it is written."""
        self.trailers: list[HeaderField] | None = None
        self.ends = False
        """The end follows `queue`."""
        self.reset: i64 = -1
        """The code of an RST_STREAM that follows the end; -1 for none."""
        self.answered = False
        """The final response has been given to write."""
        self.done = False
        """Nothing more can be given to write."""
        self.extended = False
        """A request with :protocol (RFC 8441)."""
        self.dropped = False
        self.kept: i64 = 0
        """Octets of a request that waits for its turn to open a stream: its own, and those of its fields."""
        self.listed = False
        """In `ready` or `starved`."""
        self.heads: list[Message] = []
        """The messages that are written on it, to find it by."""


@final
class Writer:
    """The streams that are written on, and the output in progress."""

    def __init__(self, connection: Connection, me: i64) -> None:
        self._connection = connection
        self._me = me
        self._side = connection.client if me == CLIENT else connection.server
        self.encoder = HpackEncoder()
        self.window: i64 = DEFAULT_WINDOW
        """Octets that the peer takes on all streams together."""
        self.stream_window: i64 = DEFAULT_WINDOW
        """What a new stream's window begins with."""
        self.frame_size: i64 = DEFAULT_FRAME_SIZE
        self.blocked = True
        """Nothing can be written: the connection has not begun, or the transport is full."""
        self.queued: i64 = 0
        """Octets of DATA that wait."""
        self.useful: i64 = 0
        """Frames of DATA written since somebody asked, each worth a few window updates."""
        self.by_number: dict[int, Outflow] = {}
        self.by_message: dict[Message, Outflow] = {}
        self.out = BytesWriter()
        self._ready: deque[Outflow] = deque()
        self._starved: deque[Outflow] = deque()
        self._dead: i64 = 0
        """Dropped streams that are still in one of the two."""

    def output(self) -> bytes:
        """What has been written since the last time."""
        out = self.out
        if len(out) == 0:
            return b""
        octets = out.getvalue()
        if len(octets) > _KEPT_SIZE:
            self.out = BytesWriter()
        else:
            out.truncate(0)
        return octets

    # Streams.

    def begin(self, flow: Outflow) -> None:
        """A stream has its number: what waits for that can be written."""
        self.by_number[int(flow.number)] = flow
        if flow.blocks:
            self._list(flow)

    def name(self, flow: Outflow, head: Message) -> None:
        """`flow` is where the rest of `head` is written, and what answers it."""
        flow.heads.append(head)
        self.by_message[head] = flow

    def drop(self, flow: Outflow) -> None:
        """Nothing more is written on a stream; what waits is forgotten."""
        if flow.dropped:
            return
        flow.dropped = True
        flow.done = True
        size: i64 = len(flow.queue)
        if size > 0:
            self._written(flow, size)
            flow.queue = _NOTHING
        if flow.blocks:
            flow.blocks = []
        flow.trailers = None
        flow.source = None
        by_message = self.by_message
        for head in flow.heads:
            if head in by_message:  # `pop` would be looked up
                del by_message[head]
        number = int(flow.number)
        if number > 0 and number in self.by_number:
            del self.by_number[number]
        if flow.listed:
            self._dead += 1
            if self._dead > 64 and self._dead * 2 > len(self._ready) + len(self._starved):
                self._ready = deque([each for each in self._ready if not each.dropped])
                self._starved = deque([each for each in self._starved if not each.dropped])
                self._dead = 0

    def drop_all(self) -> None:
        """The connection is over."""
        for flow in list(self.by_number.values()):
            self.drop(flow)

    # Windows.

    def widen(self, flow: Outflow | None, increment: i64) -> bool:
        """The peer takes `increment` octets more, on a stream or (None) in all; False where that is too many (RFC 9113 §6.9.1)."""
        if flow is None:
            self.window += increment
            if self.window > MAX_WINDOW:
                return False
            if self._starved and self.window > 0:
                self._starved.extend(self._ready)
                self._ready = self._starved
                self._starved = deque()
            return True
        flow.window += increment
        if flow.window > MAX_WINDOW:
            return False
        if flow.window > 0 and len(flow.queue) > 0:
            self._list(flow)
        return True

    def set_stream_window(self, size: i64) -> bool:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE: changes every stream's window (RFC 9113 §6.9.2); False where one grows too large."""
        change = size - self.stream_window
        self.stream_window = size
        if change != 0:
            for flow in self.by_number.values():
                if not self.widen(flow, change):
                    return False
        return True

    # What is given to write.

    def put_block(self, flow: Outflow, fields: list[HeaderField], ends: bool) -> None:
        """A header block that stands before all DATA."""
        if ends:
            flow.done = True
        if self.blocked or flow.number == 0 or flow.listed:
            flow.blocks.append((fields, ends))
            self._list(flow)
        else:
            self._write_block(flow, fields, ends)

    def put_data(self, flow: Outflow, payload: bytes, source: Inflow | None, ends: bool) -> None:
        """Octets of a body, and maybe its end."""
        size: i64 = len(payload)
        if ends:
            flow.done = True
        if (
            not (self.blocked or flow.listed or self._ready)
            and flow.number > 0
            and len(flow.queue) == 0
            and size <= min(min(flow.window, self.window), self.frame_size)
        ):
            if size > 0 or ends:
                self._write_data(flow, payload, size, ends)
            return
        if size > 0:
            if flow.queue is _NOTHING:
                flow.queue = bytearray()
            flow.queue += payload
            self.queued += size
            if source is not None:
                flow.source = source
                source.hold(size)
        flow.ends = ends
        self._list(flow)
        self.run()

    def put_trailers(self, flow: Outflow, fields: list[HeaderField]) -> None:
        """A header block that stands behind all DATA, and ends the stream."""
        flow.done = True
        flow.trailers = fields
        self._list(flow)
        self.run()

    def put_reset(self, flow: Outflow, code: i64) -> None:
        """RST_STREAM behind what is complete."""
        flow.reset = code
        self._list(flow)
        self.run()

    def _list(self, flow: Outflow) -> None:
        if not flow.listed and not flow.dropped and flow.number > 0:
            flow.listed = True
            self._ready.append(flow)

    # Writing.

    def run(self) -> None:
        """Write all that can be written, a frame of each stream in turn."""
        while self._ready and not self.blocked:
            flow = self._ready.popleft()
            if flow.dropped:
                self._dead -= 1
                continue
            flow.listed = False
            if flow.blocks:
                blocks = flow.blocks
                flow.blocks = []
                for fields, ends in blocks:
                    self._write_block(flow, fields, ends)
            size: i64 = len(flow.queue)
            if size > 0:
                step = min(min(size, self.frame_size), min(flow.window, self.window))
                if step > 0:
                    payload = flow.queue[:step]
                    del flow.queue[:step]
                    if step < size and step < _LEAST_DATA:
                        self.useful -= 1  # a window too small to be worth a frame
                    self._written(flow, step)
                    self._write_data(flow, payload, step, step == size and flow.ends and flow.trailers is None)
                    if len(flow.queue) > 0 or flow.trailers is not None or flow.reset >= 0:
                        self._list(flow)
                elif flow.window > 0:
                    flow.listed = True
                    self._starved.append(flow)
                continue
            if flow.trailers is not None:
                fields = flow.trailers
                flow.trailers = None
                self._write_block(flow, fields, True)
            elif flow.ends:
                self._write_data(flow, b"", 0, True)
            if flow.reset >= 0 and not flow.dropped:
                if self._connection.cut_off(flow.number, self._side):
                    write_reset(self.out, flow.number, flow.reset)
                self.drop(flow)

    def _written(self, flow: Outflow, size: i64) -> None:
        """`size` octets have left the queue of a stream."""
        self.queued -= size
        if flow.source is not None:
            flow.source.release(size)

    def _write_block(self, flow: Outflow, fields: list[HeaderField], ends: bool) -> None:
        """HEADERS, and CONTINUATION where the block is larger than a frame."""
        block = self.encoder.encode(fields)
        size: i64 = len(block)
        flags: i64 = END_STREAM if ends else 0
        limit = self.frame_size
        if size <= limit:
            write_frame(self.out, HEADERS, flags | END_HEADERS, flow.number, block)
        else:
            write_frame(self.out, HEADERS, flags, flow.number, block[:limit])
            at = limit
            while at < size:
                stop = min(at + limit, size)
                write_frame(self.out, CONTINUATION, END_HEADERS if stop == size else 0, flow.number, block[at:stop])
                at = stop
        self._moved(flow, ends)

    def _write_data(self, flow: Outflow, payload: bytes | bytearray, size: i64, ends: bool) -> None:
        flow.window -= size
        self.window -= size
        self.useful += 1
        write_frame(self.out, DATA, END_STREAM if ends else 0, flow.number, payload)
        self._moved(flow, ends)

    def _moved(self, flow: Outflow, ends: bool) -> None:
        """Follow the stream's states for what was written."""
        connection = self._connection
        stream = connection.streams.get(flow.number)
        if stream is not None:
            stream.move(self._me, LAST if ends else FRAME)
            connection.close_if_done(stream)
        if ends:
            flow.ends = False
            flow.done = True
            if flow.reset < 0 and (self._me == SERVER or connection.streams.get(flow.number) is None):
                self.drop(flow)
