"""Which request an answer answers, as seen by somebody who plays neither side: by correlation id, in the order of the requests.

A broker answers the requests of a connection one after the other, and repeats the correlation id of each. So of requests that share an id
the first is answered first; and what is certain after lost octets follows from both:

    octets lost of      certain is
    the server          what waits is known. An answer with the id of one that waits is of that one, if no other that waits has the id;
                        those before it are answered: those answers were lost
    the client          what waited before is answered next, in its order. What is asked behind the loss is found by its id, if the client
                        counts: no two in a row had the same id. Negative ids, and those that Java reserves for SASL, come again
    both, or at a join  the latter

Bare tokens of SASL have no id, and wait in their place.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64, u8

from l7codecs.message import Message
from l7codecs.pairing.retention import SHORT, Reads
from l7codecs.pairing.tables import PairingTable

from .messages import KafkaToken
from .requests import KafkaRequest

__all__ = ["RESERVED", "InFlight"]

RESERVED: Final[i64] = 0x7FFFFFF8
"""From here on Java's ids of the SASL exchange, which come again with each (`SaslClientAuthenticator`)."""

_GAPS: Final[i64] = 64
"""Places of what was taken out that may stay between those that wait, beside as many as wait."""
_CERTAIN: Final[u8] = 0
_SKIPS: Final[u8] = 1
"""Answers were lost: the next may be of any that waits."""
_LOST: Final[u8] = 2
"""Requests were lost: the next answers may be of what was not seen."""


@final
class InFlight(PairingTable):
    """The requests that wait, in their order, and by their ids once an answer has come out of order."""

    def __init__(self, limit: int, octets: int) -> None:
        self._limit: i64 = min(limit, 2**58)
        self._octets: i64 = min(octets, 2**58)
        self._size: i64 = 0
        self._reads = Reads(self._octets)
        self._items: list[Message | None] = []
        self._first: i64 = 0
        self._base: i64 = 0
        """How many were asked before the first in `_items`."""
        self._count: i64 = 0
        """How many wait: some between may have been taken out."""
        self.tokens: i64 = 0
        """How many of them are bare tokens."""
        self._index: dict[int, deque[int]] | None = None
        """By id, how many were asked before each that waits; from the first answer out of order until nothing waits."""
        self._early: dict[int, int] = {}
        """Answers that were seen before their requests, by their ids."""
        self._early_count: i64 = 0
        self._standing: u8 = _CERTAIN
        self._known: i64 = 0
        """How many that wait were asked before requests were lost: they are answered next."""
        self._highest: i64 = -1
        """The highest id that was seen, of either direction, but for those that are reserved."""
        self._repeated = False
        """The highest id came again: this client does not count."""
        self._counted: set[int] = set()
        """Of those asked since requests were lost, the ids that were higher than all before."""
        self._lone: i64 = -1
        """The first id that was seen at all, of a request, where no other has shown yet that the client counts."""
        self.forgotten = 0

    # What is asked.

    def asked(self, request: Message) -> None:
        number = _number(request)
        if self._early_count > 0 and self._came_early(number):
            return
        size = request.kept
        if self._size + size > self._octets and size > SHORT:
            short = request.shortened(int(SHORT))
            if short is not None:
                request = short
                size = short.kept
        if number >= self._highest:
            self._count_on(number)
        elif number == _NONE:
            self.tokens += 1
        self._size += size
        items = self._items
        if self._index is not None and number != _NONE:
            self._note(number, self._base + len(items))
        items.append(request)
        self._count += 1
        if self._count > self._limit:
            self._leave_first()
            self.forgotten += 1
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(self.waiting())

    def _count_on(self, number: i64) -> None:
        """A request has an id as high as the highest, or higher."""
        if number == self._highest:
            self._repeated = True
        elif number < RESERVED:
            if self._standing & _LOST != 0:
                if self._highest >= 0:
                    self._counted.add(number)
                else:
                    self._lone = number
            self._highest = number

    def _came_early(self, number: i64) -> bool:
        """Whether the answer to the request of this number has been seen already."""
        early = self._early.get(number, 0)
        if early == 0:
            return False
        self._early_count -= 1
        if early == 1:
            del self._early[number]
        else:
            self._early[number] = early - 1
        return True

    def _note(self, number: i64, place: i64) -> None:
        index = self._index
        if index is None:
            return
        places = index.get(number)
        if places is None:
            index[number] = deque((place,))
        else:
            places.append(place)

    # What is answered.

    def token_is_due(self) -> bool:
        """Whether what the server says next is the answer to a bare token."""
        first = self._first
        items = self._items
        return first < len(items) and isinstance(items[first], KafkaToken)

    def answered(self, answer: Message) -> Message | None:
        first = self._first
        items = self._items
        number = _number(answer)
        if first < len(items) and self._standing == _CERTAIN:
            head = items[first]
            if head is not None and _number(head) == number:
                return self._leave_first()
        if number == _NONE:
            return None
        if self._standing != _CERTAIN:
            return self._find(number)
        places = self._places(number)
        if places is None:
            self._keep_early(number)
            return None
        return self._take(places[0])

    def _keep_early(self, number: i64) -> None:
        """Nothing waits for this answer: it is seen before its request, or answers nothing."""
        if self._early_count < self._limit:
            self._early_count += 1
            self._early[number] = self._early.get(number, 0) + 1

    def _find(self, number: i64) -> Message | None:
        """The request of an answer while it is not certain what waits."""
        if self._highest < number < RESERVED:
            self._highest = number  # of what was not seen
        if 0 <= number < self._lone:
            self._counted.add(self._lone)
            self._lone = -1
        if self._known > 0 and self._standing == _LOST:
            # No answer was lost since: they come in their order.
            head = self._items[self._first]
            if head is not None and _number(head) == number:
                return self._leave_first()
        places = self._places(number)
        if places is None:
            return None
        if len(places) > 1:
            # Of one of them; those behind the first may wait still.
            if self._standing == _SKIPS:
                self._drop_before(places[0] + 1)
            return None
        place: i64 = places[0]
        if self._standing & _LOST != 0 and (self._repeated or number not in self._counted):
            return None
        self._drop_before(place)
        self._standing = _CERTAIN
        self._known = 0
        self._counted.clear()
        return self._leave_first()

    def _places(self, number: i64) -> deque[int] | None:
        """How many were asked before each that waits and has this id."""
        index = self._index
        if index is None:
            if self._first >= len(self._items):
                return None
            index = {}
            self._index = index
            at = self._first
            while at < len(self._items):
                item = self._items[at]
                if item is not None:
                    own = _number(item)
                    if own != _NONE:
                        self._note(own, self._base + at)
                at += 1
        places = index.get(number)
        return places if places else None

    def first_of(self, number: i64) -> KafkaRequest | None:
        """The first that waits and has this id."""
        places = self._places(number)
        item = None if places is None else self._items[places[0] - self._base]
        return item if isinstance(item, KafkaRequest) else None

    def _take(self, place: i64) -> Message | None:
        """Take out what was asked behind `place` others."""
        at = place - self._base
        if at == self._first:
            return self._leave_first()
        item = self._items[at]
        self._items[at] = None
        self._forget(item)
        if len(self._items) - self._first > 2 * self._count + _GAPS:
            self._close_gaps()
        return item

    def _close_gaps(self) -> None:
        """Keep no places of what was taken out: the first may wait for ever."""
        self._items = [item for item in self._items[self._first :] if item is not None]
        self._base += self._first
        self._first = 0
        self._index = None  # which says places

    def _drop_before(self, place: i64) -> None:
        """What was asked before `place` others were waits no longer."""
        while self._first < len(self._items) and self._base + self._first < place:
            self._leave_first()

    def _leave_first(self) -> Message | None:
        """Take the first out that waits."""
        items = self._items
        at = self._first
        item = items[at]
        items[at] = None
        if self._known > 0:
            self._known -= 1
        self._forget(item)
        at += 1
        while at < len(items) and items[at] is None:
            at += 1
        if at >= len(items):
            self._base += len(items)
            items.clear()
            at = 0
            self._index = None
            self._reads.clear()
        elif at >= 64 and at * 2 >= len(items):
            del items[:at]
            self._base += at
            at = 0
        self._first = at
        return item

    def _forget(self, item: Message | None) -> None:
        """`item` waits no longer."""
        if item is None:
            return
        self._count -= 1
        self._size -= item.kept
        if self.tokens > 0 and isinstance(item, KafkaToken):
            self.tokens -= 1
        index = self._index
        if index is not None:
            number = _number(item)
            places = index.get(number)
            if places is not None:
                places.popleft()  # of those that share an id the first is taken first
                if not places:
                    del index[number]

    # What waits.

    def waiting(self) -> list[Message]:
        return [item for item in self._items[self._first :] if item is not None]

    def waits(self, request: Message) -> bool:
        return request in self.waiting()

    @property
    def pending(self) -> int:
        return self._count

    def clear(self) -> None:
        self._base += len(self._items)
        self._items.clear()
        self._first = 0
        self._count = 0
        self.tokens = 0
        self._size = 0
        self._known = 0
        self._index = None
        self._early.clear()
        self._early_count = 0
        self._reads.clear()

    def lose(self) -> None:
        """Nothing: the room says whose octets were lost."""

    def lose_answers(self) -> None:
        """Octets of the server were lost."""
        self._begin_anew()
        self._standing |= _SKIPS

    def lose_requests(self) -> None:
        """Octets of the client were lost."""
        self._begin_anew()
        if self._standing & _LOST == 0:
            self._known = self._count
        self._standing |= _LOST
        self._counted.clear()

    def _begin_anew(self) -> None:
        self._early.clear()
        self._early_count = 0
        # A token is one of an exchange of which the rest is unknown.
        if any(isinstance(item, KafkaToken) for item in self._items[self._first :]):
            self.clear()


_NONE: Final[i64] = -(1 << 40)
"""No correlation id."""


def _number(message: Message) -> i64:
    """The correlation id; `_NONE` of a bare token."""
    if isinstance(message, KafkaRequest):
        return message.correlation
    number = message.request_id
    return number if isinstance(number, int) else _NONE
