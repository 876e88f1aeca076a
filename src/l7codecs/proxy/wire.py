"""Between asyncio and `l7codecs.proxy.turn.Leg`: what a transport tells, and nothing more.

All connections read into one buffer, since what is in it is taken at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from l7codecs.proxy.turn import Leg

__all__ = ["Wire"]

_READ: Final = 1 << 16
_BUFFER: Final = memoryview(bytearray(_READ))


class Wire(asyncio.BufferedProtocol):
    """One connection of asyncio."""

    __slots__ = ("_leg", "_made", "_received")

    def __init__(self, leg: Leg, made: Callable[[Any], None]) -> None:
        """`made` is called with the transport once it is there."""
        self._leg = leg
        self._made = made
        self._received = leg.received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self._received(bytes(_BUFFER[:nbytes]))

    def eof_received(self) -> bool:
        return self._leg.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leg.lost("" if exc is None else str(exc))

    def pause_writing(self) -> None:
        self._leg.pause(True)

    def resume_writing(self) -> None:
        self._leg.pause(False)
