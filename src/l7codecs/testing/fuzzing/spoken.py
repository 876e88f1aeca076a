"""A conversation that is right, message by message, as whoever made it knows it: what a grammar can say beside octets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from l7codecs.kinds import Sender
from l7codecs.message import Data, Message

__all__ = ["NOTHING_ELSE", "Spoken", "said_by"]

NOTHING_ELSE: Mapping[str, object] = {}


@dataclass(frozen=True)
class Spoken:
    """The octets of one message, of `sender`.

    answers: the place in the conversation of what it answers; None where it answers nothing that it has.
    part_of: the place of the message whose body goes on here; what has no body of its own is a message.
    says: what has to be read of it, by name: an attribute (a name with a dot), ``headers`` as pairs, ``payload`` with what follows
    the head within these octets, or what the message has by that name, called where it is a method.
    """

    sender: Sender
    octets: bytes
    answers: int | None = None
    part_of: int | None = None
    says: Mapping[str, object] = field(default_factory=lambda: NOTHING_ELSE)


def said_by(message: Message, name: str, rest: list[Data]) -> object:
    """What `message` says by `name`; `rest` is what followed its head."""
    if "." in name:
        return message.attributes.get(name)
    if name == "headers":
        return tuple(message.headers)
    if name == "payload":
        return message.payload + b"".join([each.payload for each in rest])
    found: object = getattr(message, name)
    return found() if callable(found) else found
