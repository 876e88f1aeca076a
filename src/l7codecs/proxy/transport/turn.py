"""When is written: once for each connection and turn of the event loop, however many reads came in it.

A write for each event costs several times as much, and so does one for each read where many connections have something to say. Waiting for
the end of the turn costs a call of the loop; so what the last read of a turn brings is written at once, which at low load is every read.

    read a   read b   read c (the last)       write to x   write to y
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs.errors import L7Error
from l7codecs.kinds import Sender
from l7codecs.registry import BROKEN
from l7codecs.session import Session

__all__ = ["Leg", "Turn"]

_NOTHING: Final = b""
_SAMPLE: Final[i64] = 16
"""Where the loop does not say what is left of a turn, every so many reads one waits for its end, and counts what comes until then."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Leg:
    """One connection, and the session that plays a side of it. What the transport tells comes here from `l7codecs.proxy.transport.wire`."""

    def __init__(self, turn: Turn, session: Session, hears: Sender) -> None:
        self.turn = turn
        self.session = session
        self.hears = hears
        self.transport: Any = None
        """None before it is there, and from its end on."""
        self.done = False
        """Nothing more is written."""
        self.marked = False
        """Whether it is on the list of what is written at the end of the turn."""
        self.heard: float = turn.now
        """When something came of it last."""
        self.reading = True

    def received(self, octets: bytes) -> None:
        """What came in one read."""

    def ended(self) -> bool:
        """The peer says no more; whether it may still be written to."""
        return False

    def lost(self, text: str) -> None:
        """The connection has ended; `text` says why, where it is known."""

    def settle(self, wrote: bool) -> None:
        """All that could be written is given to the transport; whether there was anything."""

    def mark(self) -> None:
        """Something may have to be written."""
        if not self.marked:
            self.marked = True
            self.turn.legs.append(self)

    def at_fault(self, error: BaseException) -> None:
        """The plugin of what is spoken here has raised what no plugin may: this connection ends, and no other."""
        if not isinstance(error, L7Error):
            self.turn.fault(self.session.flow.protocol, error)
        self.abort()

    def flush(self) -> None:
        """Write what is due."""
        self.marked = False
        try:
            self._write_due()
        except BROKEN as error:
            self.at_fault(error)

    def _write_due(self) -> None:
        transport = self.transport
        if transport is None or self.done:
            return
        session = self.session
        try:
            pieces = session.pending_pieces()
            octets = session.pending_output() if pieces is None else _NOTHING
        except L7Error:
            self.abort()
            return
        if pieces is not None:
            if not transport.is_closing():
                transport.writelines(pieces)
            self.settle(True)
        elif octets:
            if not transport.is_closing():
                transport.write(octets)
            self.settle(True)
        else:
            self.settle(False)

    def write(self, octets: bytes) -> None:
        """Write octets that the session has given."""
        if octets and self.transport is not None and not self.done and not self.transport.is_closing():
            self.transport.write(octets)

    def pause(self, paused: bool) -> None:
        """The transport is full, or is not any more."""
        self.session.paused = paused
        if not paused:
            self.mark()
            self.turn.end_read()

    def read_on(self, reading: bool) -> None:
        """Whether more is to be read."""
        if reading is not self.reading:
            self.reading = reading
            if self.transport is not None:
                if reading:
                    self.transport.resume_reading()
                else:
                    self.transport.pause_reading()

    def abort(self) -> None:
        """End the connection at once."""
        self.done = True
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """End the connection when all that was given to it is written."""
        self.done = True
        if self.transport is not None:
            self.transport.close()


def _ignore(protocol: str, error: BaseException) -> None:
    """Nobody wants to know what a plugin has raised."""


@final
class Turn:
    """What is to be written at the end of this turn of the loop."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object], ready: Any = None) -> None:
        """`ready` is what the loop has still to do in this turn, where it says so: something with a length."""
        self._call_soon = call_soon
        self._ready = ready
        self.fault: Callable[[str, BaseException], None] = _ignore
        """Told what the plugin of a protocol has raised by its own fault."""
        self.legs: list[Leg] = []
        self.now: float = monotonic()
        """The time of the latest read."""
        self._awake = False
        self._waited = False
        """Whether this turn was to end once already."""
        self._reads: i64 = 0
        self._latest: i64 = 0
        """How many reads came in the latest turn that was waited for."""
        self._count: i64 = 0

    def begin_read(self) -> None:
        """Something has come."""
        self.now = monotonic()

    def end_read(self) -> None:
        """What has come is seen to: write now, or at the end of the turn."""
        if not self.legs:
            return
        ready = self._ready
        if ready is not None:
            left: i64 = len(ready)
            if left == 0 or (left == 1 and self._awake):
                self.flush()
                return
        else:
            self._reads += 1
            self._count += 1
            if self._latest <= 1 and not self._awake and self._count % _SAMPLE != 0:
                self.flush()
                return
        if not self._awake:
            self._awake = True
            self._reads = 1
            self._call_soon(self._wake)

    def later(self, call: Callable[[], None]) -> None:
        """Call `call` in the next turn."""
        self._call_soon(call)

    def _wake(self) -> None:
        ready = self._ready
        if ready is not None and len(ready) > 0 and not self._waited and self.legs:
            # Somebody's end may be among it, of which the loop tells in a turn of its own: what came behind it is not to overtake it.
            self._waited = True
            self._call_soon(self._wake)
            return
        self._waited = False
        self._awake = False
        self._latest = self._reads
        self._reads = 0
        self.flush()

    def flush(self) -> None:
        """Write all that is due; what that makes due, as well."""
        while self.legs:
            legs = self.legs
            self.legs = []
            for leg in legs:
                leg.flush()
