"""Ports for servers that are told where to listen."""

from __future__ import annotations

import atexit
import contextlib
import random
import socket
import sys

__all__ = ["free_port"]

_HOST = "127.0.0.1"
_FIRST = 10_000
_LAST = 29_999
"""Below those that systems give to clients and to who asks for any: 32768 and up on Linux, 49152 elsewhere."""
_TRIES = 2_000
_held: list[socket.socket] = []


def free_port() -> int:
    """A port of the loopback on which nobody listens, from 10000 to 29999, and which no other process gets from here.

    What a system gives for port 0, and anybody closes again, is given to the next who asks as well, be it a client or a server: a
    server that starts a moment later meets it there, or shares it where both allow that (``SO_REUSEPORT``). So the port stays with
    this process until it ends, by an unconnected socket of UDP that is bound to the same number.

    Raises:
        OSError: no port is free.
    """
    chance = random.SystemRandom()
    for port in chance.sample(range(_FIRST, _LAST + 1), _TRIES):
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            held.bind((_HOST, port))
            # Where another listens on all addresses, Windows alone would allow to bind one of them.
            with socket.socket() as listener:
                if sys.platform != "win32":
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((_HOST, port))
                listener.listen(1)
        except OSError:
            held.close()
            continue
        _held.append(held)
        return port
    raise OSError("no port of the loopback is free")


@atexit.register
def _release() -> None:
    while _held:
        with contextlib.suppress(OSError):
            _held.pop().close()
