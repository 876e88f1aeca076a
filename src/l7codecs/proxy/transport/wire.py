"""Between asyncio and `l7codecs.proxy.transport.turn.Leg`: what a transport tells, and nothing more.

A loop that gives what it has read as octets (uvloop) gives them to the leg itself, which is compiled. asyncio's own would allocate for the
largest read each time: there all connections read into one buffer, since what is in it is taken at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from l7codecs.proxy.transport.turn import Leg

__all__ = ["Handshake"]

_READ: Final = 1 << 16
_BUFFER: Final = memoryview(bytearray(_READ))


class Wire(asyncio.BaseProtocol):
    """One connection, as its transport tells of it."""

    _leg: Leg

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def attach(self, leg: Leg) -> None:
        """It is that of `leg`."""
        self._leg = leg

    def eof_received(self) -> bool:
        return self._leg.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leg.lost("" if exc is None else str(exc))
        self._lost()

    def pause_writing(self) -> None:
        self._leg.pause(True)

    def resume_writing(self) -> None:
        self._leg.pause(False)


class _Buffered(Wire, asyncio.BufferedProtocol):
    _full = False

    def attach(self, leg: Leg) -> None:
        super().attach(leg)
        self._received = leg.received

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self._received(bytes(_BUFFER[:nbytes]))

    def pause_writing(self) -> None:
        self._full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        # asyncio goes on with the transport behind this: one that was closed within would be ended there and once more later.
        self._full = False
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._full:
            super().resume_writing()


class _Direct(Wire, asyncio.Protocol):
    def attach(self, leg: Leg) -> None:
        super().attach(leg)
        self.data_received = leg.received  # type: ignore[method-assign,assignment]  # a call less for each read


class Handshake(asyncio.Protocol):
    """A connection that is not there yet: calls `made` with the transport, which returns the leg, and what to call at its end.

    Or None, where it has ended the connection.
    """

    def __init__(self, made: Callable[[Any], tuple[Leg, Callable[[], None]] | None]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        secured = transport.get_extra_info("socket")
        if secured is not None and secured.family in (socket.AF_INET, socket.AF_INET6):
            secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = self._made(transport)
        if made is None:
            return
        leg, lost = made
        buffered = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
        wire: _Buffered | _Direct = _Buffered(lost) if buffered else _Direct(lost)
        wire.attach(leg)
        transport.set_protocol(wire)
