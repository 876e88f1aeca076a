"""Every error that the library raises.

L7Error
├── ProtocolError            the octets break the protocol: offset, seen, expected, spec
│   ├── LimitExceeded        they may be well-formed, but pass one of our limits
│   └── IncompleteMessage    the direction ended, or lost octets, inside a message
├── Unsupported              a change or an answer that the protocol cannot make
├── RegistryError            a plugin is unknown, registered twice, or broken
└── ConfigError              a configuration is wrong, in so many places (l7codecs.config)

PluginWarning                a plugin is broken, and something else went on without it

This module stays interpreted: an error of mypyc lets go of its cause and context without the trashcan, so a long chain of those would
use up the C stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l7codecs.message import Sender

__all__ = [
    "IncompleteMessage",
    "L7Error",
    "LimitExceeded",
    "PluginWarning",
    "ProtocolError",
    "RegistryError",
    "Unsupported",
]


class L7Error(Exception):
    """The base of all errors of this library."""


class ProtocolError(L7Error):
    """The octets of one direction break the protocol.

    ``offset`` counts octets from the start of that direction (0 = its first octet); ``seen`` and ``expected``
    are short texts; ``spec`` names the rule, or is empty. ``sender`` says whose direction it is, where a session raised it.
    """

    def __init__(self, offset: int, seen: str, expected: str, spec: str = "") -> None:
        super().__init__(offset, seen, expected, spec)
        self.offset = offset
        self.seen = seen
        self.expected = expected
        self.spec = spec
        self.sender: Sender | None = None

    def __str__(self) -> str:
        rule = f" ({self.spec})" if self.spec else ""
        return f"at octet {self.offset}: saw {self.seen}, expected {self.expected}{rule}"


class LimitExceeded(ProtocolError):
    """A message passes a limit of `Limits`; ``expected`` names the limit."""


class IncompleteMessage(ProtocolError):
    """The direction ended inside a message that starts at ``offset``."""


class Unsupported(L7Error):
    """The protocol cannot make this change or this answer."""


class RegistryError(L7Error):
    """A protocol is unknown, registered twice, or its plugin is broken; the text names the distribution."""


class PluginWarning(UserWarning):
    """A plugin is broken, and detection went on without it; the text names the distribution. Told once for each fault."""
