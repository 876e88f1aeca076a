"""The end of a connection at once: loops tell the other side in a later turn, when others have been written to."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

__all__ = ["shut_down"]


def shut_down(transport: Any) -> None:
    """Let the peer of `transport` hear now that nothing more comes. What waits to be written is lost, and it is still to be closed."""
    at = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError):  # it has gone already
        number = os.dup(at.fileno())
        with socket.socket(fileno=number) as same:
            same.shutdown(socket.SHUT_WR)
