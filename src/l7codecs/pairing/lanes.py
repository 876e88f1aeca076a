"""Pairing in two ways on one connection (`LanePairing`): requests that have a `request_id` pair by it, all others by order."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from l7codecs.limits import DEFAULT_LIMITS
from l7codecs.message import Message
from l7codecs.pairing.keyed import IdPairing
from l7codecs.pairing.tables import FifoPairing, PairingTable

__all__ = ["LanePairing"]


@mypyc_attr(allow_interpreted_subclasses=True)
class LanePairing(PairingTable):
    """Requests that have a `request_id` pair by it, all others by order; each of both has half of the room.

    A request that is answered in both ways goes into both: a plugin overrides `asked`, and calls `ask_in_order`. One that does not observe
    belongs to an endpoint: of those in order it forgets none (see `FifoPairing`), of those with an id, which may never be answered, the
    oldest.
    """

    def __init__(self, limit: int, octets: int = DEFAULT_LIMITS.waiting, observes: bool = True) -> None:
        self.by_id = IdPairing(limit // 2, octets // 2)
        self.by_order = FifoPairing(limit - limit // 2, not observes, octets - octets // 2)
        self.by_order.observes = observes

    def asked(self, request: Message) -> None:
        if request.request_id is not None:
            self.by_id.asked(request)
        else:
            self.by_order.asked(request)

    def refuses(self, original: Message) -> str | None:
        """Two clients that wait for one text could be given each other's answer."""
        if original.request_id is None or not self.by_id.taken(original):
            return None
        return (
            f"a request of another client waits here for {original.request_id!r}: send this one on another connection"
        )

    def ask_in_order(self, request: Message) -> None:
        """`request` is answered in the order of the requests, whatever id it has."""
        self.by_order.asked(request)

    def answered(self, answer: Message) -> Message | None:
        return (self.by_id if answer.request_id is not None else self.by_order).answered(answer)

    def waits(self, request: Message) -> bool:
        return self.by_order.waits(request) or self.by_id.waits(request)

    @property
    def full(self) -> bool:
        return self.by_order.full

    @property
    def exhausted(self) -> bool:
        return self.by_order.exhausted

    def waiting(self) -> list[Message]:
        found = self.by_id.waiting() + self.by_order.waiting()
        found.sort(key=_offset)
        return [each for index, each in enumerate(found) if index == 0 or found[index - 1] is not each]

    def clear(self) -> None:
        self.by_id.clear()
        self.by_order.clear()

    def lose(self) -> None:
        self.by_id.lose()
        self.by_order.lose()

    @property
    def pending(self) -> int:
        return self.by_id.pending + self.by_order.pending


def _offset(message: Message) -> int:
    return message.offset
