"""Pairing where order alone, or a number alone, does not do.

`QuietPairing`: answers come in the order of the requests, and some requests may get none. What an answer can be of tells which stayed
silent. Where it tells too little, the answer pairs with nothing, and what it leaves open is settled by the next that tells more:

    asked        a (quiet)   b (quiet)   c
    answered                             c       a and b stayed silent
    answered     ?           ?           c       the first answer is of a or of b: of neither, then

`LanePairing`: requests that have a `request_id` pair by it, all others by order, on one connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs.limits import DEFAULT_LIMITS
from l7codecs.message import Message
from l7codecs.pairing import TURNS, FifoPairing, IdPairing, PairingTable
from l7codecs.retention import SHORT, Reads

__all__ = ["LanePairing", "QuietPairing"]

_TRIES: Final[i64] = 64
"""Requests that are looked at for a second one that an answer can be of."""
_AGAIN: Final[i64] = -8
"""What the count of turns falls to where a client asks more than that: see `FifoPairing`."""
_CERTAIN: Final[i64] = 0
_TURNS: Final[i64] = 1
"""Octets were lost of a client that takes turns."""
_LOST: Final[i64] = 2
"""Nobody knows what waits."""


@final
class QuietPairing(PairingTable):
    """Answers come in the order of the requests, and some requests may get none.

    ``quiet(request)`` says which those are. ``fits(request, answer)`` says whether `answer` can be of `request`: 0 no, 1 it can, 2 it is
    certain, since it repeats something of that request alone. After lost octets, and where an answer fits nothing that waits, answers pair
    on only while the client takes turns, as `FifoPairing` does.
    """

    def __init__(
        self,
        limit: int,
        quiet: Callable[[Message], bool],
        fits: Callable[[Message, Message], int],
        octets: int = DEFAULT_LIMITS.waiting,
    ) -> None:
        self.quiet: Final = quiet
        self.fits: Final = fits
        self._limit: i64 = limit
        self._octets: i64 = octets
        self._size: i64 = 0
        self._reads = Reads(octets)
        self._items: list[Message] = []
        self._first: i64 = 0
        self._doubt: i64 = 0
        """How many of the requests from the first on may have been answered already."""
        self._skip: i64 = 0
        """Answers that are still to come to requests that were forgotten."""
        self._early: i64 = 0
        self._standing: i64 = _CERTAIN
        self._turns: i64 = 0
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        waiting: i64 = len(self._items) - self._first
        if self._standing != _CERTAIN and (self._standing == _LOST or waiting > 0):
            self.clear()
            self._standing = _LOST
            return
        if self._early > 0:
            if self.quiet(request):
                self.lose()
                return
            self._early -= 1
            return
        if waiting > 0:
            self._turns = _AGAIN
        size = request.stop - request.start
        if self._size + size > self._octets and size > SHORT:
            short = request.shortened(int(SHORT))
            if short is None:
                self.forgotten += 1
                self.lose()
                return
            request = short
            size = short.stop - short.start
        self._items.append(request)
        self._size += size
        if waiting >= self._limit:
            self._forget()
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(self.waiting())

    def answered(self, answer: Message) -> Message | None:
        if self._standing == _LOST:
            return None
        if self._skip > 0:
            self._skip -= 1
            return None
        items = self._items
        count: i64 = len(items)
        at = self._first
        if at >= count:
            if self._standing == _CERTAIN and self._early < self._limit:
                self._early += 1
                self._turns = _AGAIN
            return None
        sure = at + self._doubt
        found: i64 = -1
        second = False
        tries: i64 = 0
        while at < count:
            request = items[at]
            fit = self.fits(request, answer)
            if fit == 2:
                found = at
                second = False
                break
            if fit != 0:
                if found >= 0:
                    second = True
                    break
                found = at
            if at >= sure and not self.quiet(request):
                break  # it is answered before any behind it
            at += 1
            tries += 1
            if found >= 0 and tries >= _TRIES:
                second = True
                break
        if found < 0:
            self.lose()
            return None
        if not second:
            request = items[found]
            self._leave(found + 1, 0)
            return request
        # Of any that it can be of, up to the first that cannot have stayed silent.
        last = min(at, count - 1)
        while at < count and (at < sure or self.quiet(items[at])):
            at += 1
            tries += 1
            if at >= count:
                break
            if tries >= 2 * _TRIES:
                last = count - 1
                break
            if self.fits(items[at], answer) != 0:
                last = at
        self._leave(found + 1, max(last + 1, sure) - found - 1)
        return None

    def _leave(self, first: i64, doubt: i64) -> None:
        """All before `first` are answered, or stayed silent."""
        items = self._items
        for index in range(self._first, first):
            done = items[index]
            self._size -= done.stop - done.start
        self._doubt = doubt
        if first >= len(items):
            if first - self._first == 1:
                self._turns += 1
            items.clear()
            self._reads.clear()
            self._first = 0
            return
        if first >= 64 and first * 2 >= len(items):
            del items[:first]
            first = 0
        self._first = first

    def _forget(self) -> None:
        """There are too many: the oldest goes."""
        self.forgotten += 1
        oldest = self._items[self._first]
        if self._doubt > 0 or self.quiet(oldest):
            self.lose()  # nobody can say how many answers are still to come to what is forgotten
            return
        self._skip += 1
        self._leave(self._first + 1, 0)

    def waiting(self) -> list[Message]:
        return self._items[self._first :]

    def clear(self) -> None:
        self._items.clear()
        self._reads.clear()
        self._first = 0
        self._doubt = 0
        self._skip = 0
        self._early = 0
        self._size = 0

    def lose(self) -> None:
        takes_turns = self._turns >= TURNS
        self.clear()
        self._standing = _TURNS if takes_turns and self._standing != _LOST else _LOST

    @property
    def pending(self) -> int:
        return len(self._items) - self._first


@mypyc_attr(allow_interpreted_subclasses=True)
class LanePairing(PairingTable):
    """Requests that have a `request_id` pair by it, all others by order; each of both has half of the room.

    A request that is answered in both ways goes into both: a plugin overrides `asked`, and calls `ask_in_order`.
    """

    def __init__(self, limit: int, octets: int = DEFAULT_LIMITS.waiting, observes: bool = True) -> None:
        self.by_id = IdPairing(limit // 2, octets // 2)
        self.by_order = FifoPairing(limit - limit // 2, octets=octets - octets // 2)
        self.by_order.observes = observes

    def asked(self, request: Message) -> None:
        if request.request_id is not None:
            self.by_id.asked(request)
        else:
            self.by_order.asked(request)

    def ask_in_order(self, request: Message) -> None:
        """`request` is answered in the order of the requests, whatever id it has."""
        self.by_order.asked(request)

    def answered(self, answer: Message) -> Message | None:
        return (self.by_id if answer.request_id is not None else self.by_order).answered(answer)

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
