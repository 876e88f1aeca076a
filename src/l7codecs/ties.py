"""How messages tie their client to one connection to a server, where such are shared: what `Message.pins` means for where they go.

    asked        WATCH a   GET b   MULTI   SET a   SET b               EXEC
    Tie          BINDS     NONE    OPENS   STAYS   STAYS, elsewhere    STAYS
    at a         WATCH a           MULTI   SET a   what stands in      EXEC: refused, by a itself
    at b                   GET b

Without `Protocol.ties` whatever pins stays: it goes where its client is tied already, and else ties it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr

from l7codecs.errors import Unsupported
from l7codecs.message import Message
from l7codecs.session import Session

__all__ = ["Tie", "Ties"]


class Tie(Enum):
    """How a message stands to the connection that its client has for itself."""

    NONE = "none"
    """It goes where it would, whether its client is tied or not."""
    BINDS = "binds"
    """It ties its client to the server that it goes to: it cannot be done where the client is tied to another."""
    OPENS = "opens"
    """It ties its client to the server that the next of its messages goes to (``MULTI``); its answer is known: `Ties.reply_opened`."""
    STAYS = "stays"
    """It belongs to what ties its client already (``EXEC``), and has no meaning elsewhere; where nothing does, it binds."""
    LEADS = "leads"
    """It concerns the next message, wherever that goes, of a client whose connections are its own (`Message.unshared`); its answer is
    known: `Ties.reply_opened`. Of any other client it goes where it would."""
    HERE = "here"
    """It concerns the connection to its client alone: it goes to no server, and its answer, where it has one, is `Ties.reply_opened`."""


_NONE: Final = Tie.NONE
_STAYS: Final = Tie.STAYS


@mypyc_attr(allow_interpreted_subclasses=True)
class Ties:
    """What a protocol says of its messages in this; what is here is right where all that pins does so for good."""

    def tie(self, message: Message) -> Tie:
        """How `message` stands to what ties its client."""
        return _NONE if message.pins is None else _STAYS

    def frees(self, message: Message) -> tuple[str, ...]:
        """Those reasons of `Message.pins`, told by earlier messages, that hold no more behind `message`."""
        return ()

    def refuses(self, message: Message) -> str | None:
        """Why `message`, which prepares (`Message.prepares`), can mean nothing where connections are shared; None where it can."""
        return None

    def stand_in(self, message: Message) -> Message | None:
        """What the server that its client is tied to gets in place of `message`, which is refused on the way; None where nothing need be.

        With it that server goes on from what the client believes: a transaction that lacks a command is refused there as well.
        """
        return None

    def reply_opened(self, session: Session, message: Message) -> bytes:
        """The octets by which `session`, to a client, answers `message`, which opens, leads or stays here. Raises `Unsupported`."""
        raise Unsupported(f"{message.protocol} has nothing that opens")
