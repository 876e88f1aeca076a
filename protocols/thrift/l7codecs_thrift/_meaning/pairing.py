"""Which call a reply answers, for whoever plays neither side. Nobody says whether ids or order tell it: both do, with the name.

    ids move      hello 1, fire 2, tree 3   ◀── tree 3      3 by its id; 1 and 2 are overtaken: one-way calls, it may be
    ids stand     hello 0, fire 0, tree 0   ◀── hello 0     the first of that name and id

- A reply answers the first call that waits with its id and its name. Peers that always write 0 ask one call at a time, so this is order.
- Calls that are overtaken by an answer to a later one wait no longer. Where their id is theirs alone they can still be answered late;
  where it is not, what comes next would be taken for their answer, so they are forgotten.
- A name may be missing or another (peers that could not read the call): then the id decides. A server may write ids of its own, as
  one of Finagle does: while it has not repeated any, its answer is to the call that waits alone, and has its name.
- After lost octets what waits stays only where ids tell: where they stand, replies of what was lost and of what is asked next look the
  same. There a client is believed that has asked one call at a time (`TURNS` times in a row), for as long as it does. Ids that came again
  or went down, as those of counters do not, are of several clients that count for themselves: they stand, but each turn that they show
  afterwards counts. Of whom only the middle is known ids tell once they have moved for as long; before that, of one call at a time.
- Whoever sees both directions may see an answer before its call; it is remembered, and the call is answered when it comes.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Message, PairingTable
from l7codecs.limits import Limits
from l7codecs.pairing.retention import SHORT, Reads
from l7codecs.pairing.tables import TURNS

from .messages import ThriftMessage

__all__ = ["ThriftPairing", "fits"]

_LATE: Final[i64] = 256
"""Calls that were overtaken and are remembered all the same."""
_AGAIN: Final[i64] = -8
_COUNTED: Final[i64] = 1 << 24
"""Ids below are those of counters. Larger ones may be random numbers, which go down as well."""
_STREAK: Final[i64] = 1024
"""After an id that went down or came again so many have to be new until ids tell again: several clients may count for themselves."""
_NO_ID: Final[i64] = 1 << 40
_LONG: Final[i64] = 256
"""Characters of a name with which an answer before its call is remembered."""
_NONE: Final[i64] = -1
"""No place."""
_MANY: Final[i64] = 64
"""So many that wait no longer are left in the list at most, or as many as wait."""


@final
class ThriftPairing(PairingTable):
    """The calls of one side that wait for an answer."""

    def __init__(self, limits: Limits) -> None:
        self._limit: i64 = limits.pending
        self._octets: i64 = limits.waiting
        self._size: i64 = 0
        self._reads = Reads(self._octets)
        self._items: list[ThriftMessage | None] = []
        """What waits, from `_first` on, in its order; None is what has left out of it. The first one waits, where any does."""
        self._first: i64 = 0
        self._count: i64 = 0
        self._behind: i64 = 0
        """How many have been before the first of the list: with it an index is a place that stays."""
        self._places: dict[int, int | deque[int]] | None = None
        """The places of what waits, by the ids, from the first answer on that is to another than the first, until nothing waits."""
        self._late: OrderedDict[int, ThriftMessage] = OrderedDict()
        self._late_size: i64 = 0
        self._early: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._nameless: i64 = 0
        """How many answers without an id and a name have come before their calls."""
        self._posted: i64 = 0
        """How many one-way calls of HTTP have been asked behind the last other, which most servers answer."""
        self._turns: i64 = 0
        """How often in a row a call was answered before the next was asked; negative for a while after it was otherwise."""
        self._doubtful = False
        """Octets were lost."""
        self._believed = False
        """The client has asked one call at a time, before the loss and since."""
        self._turn: str | None = None
        """The name of a call that is not certain and is not answered yet; empty where its id is that of the call before. And its id."""
        self._turn_number: i64 = 0
        self._tainted: set[int] = set()
        """Ids of what waited when octets were lost: what comes with one of them next is not certain."""
        self._echoes = False
        """Whether the server has repeated an id that says something."""
        self._last: i64 = _NO_ID
        """The id of the call that was asked last."""
        self._rises: i64 = -TURNS
        """How often in a row an id was new; negative where that says nothing: at first, and for long after one that was not."""
        self.forgotten = 0

    # Calls.

    def asked(self, request: Message) -> None:
        if not isinstance(request, ThriftMessage):
            return
        number = request.number
        self._posted = 0
        if self._early and self._came_early(int(number), request.name):
            return
        if self._nameless > 0:
            self._nameless -= 1
            return
        last = self._last
        if number == last or (number < last and number >= 0 and last < _COUNTED):
            self._rises = -_STREAK
        else:
            self._rises += 1
        self._last = number
        if self._count > 0:
            self._turns = _AGAIN
            self._believed = False
        if self._doubtful and not self._is_certain(request, last):
            return
        size = request.kept
        if self._size + size > self._octets and size > SHORT:
            short = shortened(request)
            if short is None:
                self.forgotten += 1
                return
            request = short
            size = request.kept
        self._size += size
        items = self._items
        if self._places is not None:
            note(self._places, number, self._behind + len(items))
        items.append(request)
        self._count += 1
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(self.waiting())
        if self._count > self._limit:
            self._remove(self._behind + self._first)
            self.forgotten += 1

    def posted(self) -> None:
        """A one-way call of HTTP has been asked."""
        self._posted = min(self._posted + 1, self._limit)

    def _is_certain(self, request: ThriftMessage, last: i64) -> bool:
        """Whether the answer to a call can be told, after octets were lost; `last` is the id of the one before."""
        number = request.number
        if self._believed:
            return True
        if self._rises <= 0:
            if self._count == 0 and self._rises > 1 - TURNS and not self._tainted:
                return True  # one at a time, of a new id each
            self._forget()
            self._late.clear()
            self._late_size = 0
            return self._takes_turn(request, last)
        if number in self._tainted:
            known = self._all_places().get(number)
            if known is None:
                self._tainted.discard(number)
                return True
            for place in list(known) if isinstance(known, deque) else [known]:
                self._remove(place)
            return False
        return True

    def _takes_turn(self, request: ThriftMessage, last: i64) -> bool:
        """Whether its client asks one call at a time, which shows where each answer repeats an id that the call before had not."""
        if self._turn is not None:
            self._turns = _AGAIN
        elif self._turns >= TURNS:
            self._believed = True
            return True
        self._turn = request.name if request.number != last else ""
        self._turn_number = request.number
        return False

    def _turned(self, answer: ThriftMessage) -> None:
        """An answer has come of which the call does not wait, after octets were lost."""
        turn = self._turn
        self._turn = None
        if self._rises <= 0:
            self._forget()
        if turn is None or answer.number != self._turn_number:
            self._turns = min(self._turns, 0)
        elif turn and fits_name(turn, answer.name):
            self._turns += 1

    def _all_places(self) -> dict[int, int | deque[int]]:
        """Where what waits stands, by the ids."""
        places = self._places
        if places is None:
            places = {}
            place = self._behind
            for each in self._items:
                if each is not None:
                    note(places, each.number, place)
                place += 1
            self._places = places
        return places

    def _at(self, place: i64) -> ThriftMessage:
        """What waits there."""
        request = self._items[place - self._behind]
        assert request is not None
        return request

    def _remove(self, place: i64) -> None:
        """What waits at `place` waits no longer."""
        items = self._items
        request = self._at(place)
        self._size -= request.kept
        self._count -= 1
        if self._count == 0:
            self._forget()
            return
        if self._places is not None:
            remove_note(self._places, request.number, place)
        first = place - self._behind
        items[first] = None
        if first != self._first:
            return
        while items[first] is None:
            first += 1
        if first >= _MANY and first * 2 >= len(items):
            del items[:first]
            self._behind += first
            first = 0
        self._first = first

    # Answers.

    def answered(self, answer: Message) -> Message | None:
        if not isinstance(answer, ThriftMessage):
            return None
        place = self._find(answer)
        if place < 0:
            if self._doubtful and not self._believed:
                self._turned(answer)
            return self._find_late(answer)
        request = self._at(place)
        if place != self._behind + self._first:
            self._overtake(place)
        if self._count == 1:
            self._turns += 1
        if answer.number != 0 and answer.number == request.number:
            self._echoes = True
        self._remove(place)
        return request

    def answered_in_order(self, answer: ThriftMessage) -> None:
        """`answer` has no id and no name: it is to what has waited longest. With no octet in it, to one of which nothing is known, too."""
        if self._count == 0:
            if self._posted > 0:
                self._posted -= 1
            elif not self._doubtful and not answer.is_accepted:
                self._turns = _AGAIN
                self._nameless = min(self._nameless + 1, self._limit)
        elif not self._doubtful:
            place = self._behind + self._first
            first = self._at(place)
            if first.type_id != 0 and answer.is_accepted:
                return  # a one-way call has been asked, which does not wait
            self._remove(place)
            answer.number = first.number
            answer.request = first

    def _find(self, answer: ThriftMessage) -> i64:
        """The place of the call that waits and is answered; `_NONE` where there is none."""
        if self._count == 0:
            return _NONE
        number = answer.number
        name = answer.name
        place = self._behind + self._first
        first = self._at(place)
        same = first.number == number
        if same and fits(first, name):
            return place
        if self._count == 1:
            if same:
                return place if not name or (self._rises > 0 and not self._doubtful) else _NONE
            if self._doubtful or number in self._late or (self._echoes and number != 0):
                return _NONE
            return place if not name or fits(first, name) else _NONE
        known = self._all_places().get(number)
        if known is None:
            return _NONE
        if isinstance(known, deque):
            for each in known:
                if fits(self._at(each), name):
                    return each
            return _NONE if name else known[0]
        if not name or fits(self._at(known), name):
            return known
        return known if self._rises > 0 and not self._doubtful else _NONE

    def _find_late(self, answer: ThriftMessage) -> Message | None:
        """A call that was overtaken; else the answer is remembered, as one that comes before its call."""
        number = int(answer.number)
        name = answer.name
        late = self._late.get(number)
        if late is not None and (fits(late, name) or not name):
            del self._late[number]
            self._late_size -= late.kept
            return late
        if not self._doubtful and len(name) <= _LONG:
            self._turns = _AGAIN
            key = (number, name.rpartition(":")[2])
            self._early[key] = self._early.get(key, 0) + 1
            if len(self._early) > self._limit:
                self._early.popitem(last=False)
        return None

    def _came_early(self, number: int, name: str) -> bool:
        """Whether the call with this id and name has been answered before it was seen."""
        key = (number, name.rpartition(":")[2])
        count = self._early.get(key)
        if count is None:
            self._drop_strays(number)
            return False
        if count == 1:
            del self._early[key]
        else:
            self._early[key] = count - 1
        return True

    def _drop_strays(self, number: int) -> None:
        """A call comes that is not answered yet: no other of its id is to come that was answered before, as answers are in order."""
        while self._early:
            key = next(iter(self._early))
            if key[0] != number:
                return
            del self._early[key]

    def _overtake(self, place: i64) -> None:
        """Everything that was asked before what waits at `place` waits no longer."""
        number = self._at(place).number
        while True:
            before = self._behind + self._first
            if before == place:
                return
            first = self._at(before)
            alone = first.number != number and not isinstance(self._all_places()[first.number], deque)
            self._remove(before)
            if alone:
                self._remember(first)

    def _remember(self, request: ThriftMessage) -> None:
        """`request` was overtaken, and may still be answered."""
        before = self._late.pop(request.number, None)
        if before is not None:
            self._late_size -= before.kept
        size = request.kept
        if self._late_size + size > self._octets and size > SHORT:
            short = shortened(request)
            if short is None:
                return
            request = short
            size = request.kept
        request.detach()
        self._late[request.number] = request
        self._late_size += size
        if len(self._late) > _LATE:
            _number, oldest = self._late.popitem(last=False)
            self._late_size -= oldest.kept

    # Loss.

    def lose(self) -> None:
        self._early.clear()
        self._nameless = 0
        self._posted = 0
        self._late.clear()
        self._late_size = 0
        self._believed = self._turns >= TURNS and self._count <= 1 and (self._believed or not self._doubtful)
        self._doubtful = True
        self._turn = None
        if not self._believed:
            self._turns = min(self._turns, 0)
        if self._believed or self._rises <= 0:
            self._forget()
        else:
            self._tainted.update(self._all_places())

    def _forget(self) -> None:
        self._items.clear()
        self._first = 0
        self._count = 0
        self._places = None
        self._size = 0
        self._reads.clear()

    def clear(self) -> None:
        self._forget()
        self._early.clear()
        self._nameless = 0
        self._posted = 0
        self._late.clear()
        self._late_size = 0
        self._tainted.clear()

    def waits(self, request: Message) -> bool:
        if not isinstance(request, ThriftMessage):
            return False
        known = self._all_places().get(request.number)
        if isinstance(known, deque):
            return any(self._at(place) is request for place in known)
        return known is not None and self._at(known) is request

    def waiting(self) -> list[Message]:
        return [each for each in self._items if each is not None]

    @property
    def pending(self) -> int:
        return self._count


def shortened(request: ThriftMessage) -> ThriftMessage | None:
    """`request` without most of its body, for which there is no room; None where its name is too long to be kept."""
    short = request.shortened(int(SHORT))
    assert short is None or isinstance(short, ThriftMessage)
    return short


def note(places: dict[int, int | deque[int]], number: i64, place: i64) -> None:
    """One with the id `number` stands at `place`, behind all others."""
    known = places.get(number)
    if known is None:
        places[number] = place
    elif isinstance(known, deque):
        known.append(place)
    else:
        places[number] = deque((known, int(place)))


def remove_note(places: dict[int, int | deque[int]], number: i64, place: i64) -> None:
    """It stands there no longer."""
    known = places[number]
    if not isinstance(known, deque):
        del places[number]
        return
    if known[0] == place:
        known.popleft()
    else:
        known.remove(int(place))
    if len(known) == 1:
        places[number] = known[0]


def fits(request: ThriftMessage, name: str) -> bool:
    """Whether an answer with `name` can be one to `request`, whose name may have a service before it."""
    if fits_name(request.name, name):
        return True
    sent = request.sent_method
    return sent is not None and fits_name(sent, name)


def fits_name(asked: str, name: str) -> bool:
    """Whether an answer with `name` can be one to a call of `asked`."""
    return asked == name or (asked.endswith(name) and asked[-len(name) - 1 :][:1] == ":" and name != "")
