"""What all messages of one direction have in common: the limits, and what can write them with another id."""

from __future__ import annotations

from typing import final

from l7codecs import Limits, Message

__all__ = ["Origin", "Renumbering"]


class Renumbering:
    """Writes messages anew. This one cannot."""

    def renumbered(self, message: Message, number: int) -> bytes | None:
        """`message` with another sequence id, see `Message.renumbered`."""
        return None


@final
class Origin:
    """Of one direction."""

    def __init__(self, limits: Limits, writer: Renumbering) -> None:
        self.limits = limits
        self.writer = writer
