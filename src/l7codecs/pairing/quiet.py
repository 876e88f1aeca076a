"""Pairing by order where some requests may get no answer (`QuietPairing`).

Answers come in the order of the requests, and some requests may get none. What an answer can be of tells which stayed
silent. Where it tells too little, the answer pairs with nothing, and what it leaves open is settled by the next that tells more:

    asked        a (quiet)   b (quiet)   c
    answered                             c       a and b stayed silent
    answered     ?           ?           c       the first answer is of a or of b: of neither, then

At an endpoint it is `strict`: it forgets none that is sure to be answered, and says whose turn it is. Where the answer to a later request
is written, those before it that may stay silent have stayed so.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from heapq import heappop, heappush
from typing import Final, final

from mypy_extensions import i64

from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.kinds import RequestId
from l7codecs.limits import DEFAULT_LIMITS, REFUSED_AT
from l7codecs.message import Message
from l7codecs.pairing.retention import SHORT, Reads
from l7codecs.pairing.tables import TURNS, PairingTable

__all__ = ["QuietPairing"]

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
    certain, since it repeats something of that request alone (of a ``request_id`` the table sees whether another waits that has it), 3 it
    can, and none that may stay silent is answered so. After lost octets, and where an answer fits nothing that waits, answers pair
    on only while the client takes turns, as `FifoPairing` does.

    One that is `strict` belongs to an endpoint. It forgets none that is sure to be answered: from `limit` requests on it is `full`, and
    beyond `REFUSED_AT` times as many `asked` raises `LimitExceeded`. Of those that may stay silent the oldest are taken to have done so
    where `limit` wait with none before them that is sure: nothing but a further request could tell, for which there has to be room. What
    answers one of them all the same answers nothing, and what could be of one pairs only where it is certain. Behind an answer that fits
    nothing it pairs no more, and all that waits waits on.
    """

    def __init__(
        self,
        limit: int,
        quiet: Callable[[Message], bool],
        fits: Callable[[Message, Message], int],
        octets: int = DEFAULT_LIMITS.waiting,
        strict: bool = False,
    ) -> None:
        self.strict: Final = strict
        self.quiet: Final = quiet
        self.fits: Final = fits
        self._limit: i64 = limit
        self._refused_at: i64 = min(limit * REFUSED_AT, 2**62)
        self._octets: i64 = min(octets, 2**58)
        self._size: i64 = 0
        self._reads = Reads(octets)
        self._items: list[Message] = []
        self._first: i64 = 0
        self._base: i64 = 0
        """The number of the first in `_items`: how many were asked before it."""
        self._numbers: dict[Message, int] = {}
        """By request its number, where it is `strict`."""
        self._loud: i64 = 0
        """All that wait and have a number below it may stay silent."""
        self._looked: i64 = 0
        """No answer is there to those in turn that have a number below it."""
        self._doubt: i64 = 0
        """How many of the requests from the first on may have been answered already."""
        self._skip: i64 = 0
        """Answers that are still to come to requests that were forgotten."""
        self._early: i64 = 0
        self._standing: i64 = _CERTAIN
        self._turns: i64 = 0
        self._patient: list[int] = []
        self._patience: dict[int, Message] = {}
        """Those whose answer is held back, by their numbers, of which the other is a heap."""
        self._held: set[int] = set()
        """The numbers of all that wait and whose answer is there."""
        self._silenced = False
        """Some were forgotten that may be answered yet."""
        self._tokens: dict[RequestId, int] | None = None
        """How many of those that wait have each id, from the first question for it until nothing waits."""
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        waiting: i64 = len(self._items) - self._first
        if self.strict:
            self._ask_strictly(request, waiting)
            return
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
        size = request.kept
        if self._size + size > self._octets and size > SHORT:
            short = request.shortened(int(SHORT))
            if short is None:
                self.forgotten += 1
                self.lose()
                return
            request = short
            size = short.kept
        self._items.append(request)
        if self._tokens is not None:
            self._add_token(self._tokens, request)
        self._size += size
        if waiting >= self._limit:
            self._forget()
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(self.waiting())

    def _ask_strictly(self, request: Message, waiting: i64) -> None:
        if request in self._numbers:
            raise Unsupported("this request is under way here: send it again when it is answered, or elsewhere")
        if waiting >= self._limit or self._size >= self._octets:
            self._silence()
            waiting = len(self._items) - self._first
        if waiting >= self._refused_at or self._size > self._octets * REFUSED_AT:
            raise LimitExceeded(
                request.offset,
                f"{waiting + 1} requests, behind {self._size} octets of them that wait for an answer",
                f"at most {REFUSED_AT} times limits.pending = {self._limit}, and limits.waiting = {self._octets}",
            )
        self._numbers[request] = self._base + len(self._items)
        self._items.append(request)
        if self._tokens is not None:
            self._add_token(self._tokens, request)
        self._size += request.kept
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(self.waiting())

    def _silence(self) -> None:
        """So many wait that those in front that may stay silent are taken to have done so: nothing but another request could tell."""
        while True:
            waiting: i64 = len(self._items) - self._first
            if not self._can_silence() or (waiting < self._limit and self._size < self._octets):
                return
            self._silenced = True
            self.forgotten += 1
            self._leave(self._first + 1, max(self._doubt - 1, 0))

    def _can_silence(self) -> bool:
        """Whether the first may stay silent, and no answer to it is there."""
        if self._first >= len(self._items) or not self.quiet(self._items[self._first]):
            return False
        number: int = self._base + self._first
        return number not in self._held

    # Whose turn it is.

    def turn(self, request: Message) -> bool:
        """Whether an answer to `request` can be written now: all that wait before it may stay silent."""
        number = self._numbers.get(request)
        return number is not None and number <= self._first_loud()

    def held(self, request: Message) -> None:
        """An answer to `request` is there, and cannot be written yet."""
        number = self._numbers.get(request)
        if number is not None:
            self._looked = min(self._looked, number)
            self._held.add(number)

    def holds_back(self, request: Message) -> bool:
        """Whether an answer made here to `request`, which may stay silent, comes too soon.

        It says nothing of those before it, which may be answered yet. So it waits until they are, or until something behind it is.
        """
        number = self._numbers.get(request)
        if number is None or number <= self._base + self._first or not self.quiet(request):
            return False
        if number not in self._patience:
            heappush(self._patient, number)
            self._patience[number] = request
        return True

    def settled_by(self, request: Message) -> Message | None:
        """The next whose answer was held back until one like that to `request` is written; None where there is none."""
        patient = self._patient
        number = self._numbers.get(request)
        while patient and number is not None and patient[0] < number:
            waits = self._patience.pop(heappop(patient), None)
            if waits is not None:
                return waits
        return None

    def settle(self, request: Message) -> bool:
        """Whether the answer made here to `request` was held back, which another has come to from its server: it waits no longer then."""
        if not self._patience:
            return False
        number = self._numbers.get(request)
        if number is None or self._patience.pop(number, None) is None:
            return False
        self._looked = min(self._looked, number)
        return True

    def due(self, answered: Container[Message]) -> Message | None:
        """The first whose turn it is of those that are `answered`."""
        last: i64 = min(self._first_loud(), self._base + len(self._items) - 1)
        number: i64 = max(self._looked, self._base + self._first)
        patient = self._patient
        while patient and i64(patient[0]) <= self._base + self._first:
            waits = self._patience.pop(heappop(patient), None)
            if waits is not None and waits in answered:
                return waits  # nobody is before it any more
        number = max(number, self._base + self._first)
        while number <= last:
            request = self._items[number - self._base]
            if request in answered and (not patient or int(number) not in self._patience):
                self._looked = number
                return request
            number += 1
        self._looked = last
        return None

    def _first_loud(self) -> i64:
        """The number of the first that waits and cannot stay silent; where there is none, of the next request."""
        number: i64 = max(self._loud, self._base + self._first)
        end: i64 = self._base + len(self._items)
        while number < end and self.quiet(self._items[number - self._base]):
            number += 1
        self._loud = number
        return number

    def answered(self, answer: Message) -> Message | None:
        if self.strict and answer.request is not None:
            number = self._numbers.get(answer.request)
            if number is not None:
                self._leave(number - self._base + 1, 0)
            return answer.request
        if self._standing == _LOST:
            return None
        if self._skip > 0:
            self._skip -= 1
            return None
        items = self._items
        count: i64 = len(items)
        at = self._first
        if at >= count and self._silenced:
            return None  # of one that was forgotten
        if at >= count:
            if self._standing == _CERTAIN and self._early < self._limit and not self.strict:
                self._early += 1
                self._turns = _AGAIN
            return None
        sure = at + self._doubt
        found: i64 = -1
        second = False
        certain = False
        shares = False
        tries: i64 = 0
        while at < count:
            request = items[at]
            fit = self.fits(request, answer)
            shares = shares or (fit == 2 and self._shares_token(request))
            if (fit == 2 and not shares) or (fit == 3 and at >= sure and found < 0):
                found = at
                second = False
                certain = True
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
        if self._silenced and found < 0:
            return None
        if found < 0:
            self.lose()
            return None
        if self._silenced and not certain:
            second = True  # it may be of one that was forgotten
        if not second:
            request = items[found]
            self._silenced = False
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

    def _shares_token(self, request: Message) -> bool:
        """Whether another waits with what `request` is known by, and either may stay silent: then it tells nothing."""
        token = request.request_id
        if token is None or not self.quiet(request):
            return False
        tokens = self._tokens
        if tokens is None:
            tokens = {}
            for each in self.waiting():
                self._add_token(tokens, each)
            self._tokens = tokens
        return tokens.get(token, 0) > 1

    def _add_token(self, tokens: dict[RequestId, int], request: Message) -> None:
        token = request.request_id
        if token is not None:
            tokens[token] = tokens.get(token, 0) + 1

    def _drop_token(self, tokens: dict[RequestId, int], request: Message) -> None:
        token = request.request_id
        if token is not None:
            left = tokens.get(token, 0) - 1
            if left > 0:
                tokens[token] = left
            else:
                tokens.pop(token, None)

    def _leave(self, first: i64, doubt: i64) -> None:
        """All before `first` are answered, or stayed silent."""
        items = self._items
        for index in range(self._first, first):
            done = items[index]
            self._size -= done.kept
            if self._tokens is not None:
                self._drop_token(self._tokens, done)
            if self.strict:
                self._numbers.pop(done, None)
                if self._held:
                    self._held.discard(self._base + index)
        self._doubt = doubt
        if first >= len(items):
            if first - self._first == 1:
                self._turns += 1
            self._base += len(items)
            items.clear()
            self._tokens = None
            self._reads.clear()
            self._first = 0
            return
        if first >= 64 and first * 2 >= len(items):
            del items[:first]
            self._base += first
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

    def waits(self, request: Message) -> bool:
        return request in self._numbers if self.strict else request in self.waiting()

    @property
    def full(self) -> bool:
        """Whether as many wait as should, and the first of them is sure to be answered: of others only the next request tells."""
        many = len(self._items) - self._first >= self._limit or self._size >= self._octets
        return self.strict and many and not self._can_silence()

    @property
    def exhausted(self) -> bool:
        waiting: i64 = len(self._items) - self._first
        many = waiting >= self._refused_at or self._size > self._octets * REFUSED_AT
        return self.strict and many and not self._can_silence()

    def clear(self) -> None:
        self._base += len(self._items)
        self._numbers.clear()
        self._patient.clear()
        self._patience.clear()
        self._held.clear()
        self._silenced = False
        self._items.clear()
        self._tokens = None
        self._reads.clear()
        self._first = 0
        self._doubt = 0
        self._skip = 0
        self._early = 0
        self._size = 0

    def lose(self) -> None:
        if self.strict:
            self._standing = _LOST
            return
        takes_turns = self._turns >= TURNS
        self.clear()
        self._standing = _TURNS if takes_turns and self._standing != _LOST else _LOST

    @property
    def pending(self) -> int:
        return len(self._items) - self._first
