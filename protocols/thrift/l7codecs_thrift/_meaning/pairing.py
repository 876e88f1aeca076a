"""Which call a reply answers, for whoever plays neither side. Nobody says whether ids or order tell it: both do, with the name.

    ids move      hello 1, fire 2, tree 3   ◀── tree 3      3 by its id; 1 and 2 are overtaken: one-way calls, it may be
    ids stand     hello 0, fire 0, tree 0   ◀── hello 0     the first of that name and id

- A reply answers the first call that waits with its id and its name. Peers that always write 0 ask one call at a time, so this is order.
- Calls that are overtaken by an answer to a later one wait no longer. Where their id is theirs alone they can still be answered late;
  where it is not, what comes next would be taken for their answer, so they are forgotten.
- A name may be missing or another (peers that could not read the call): then the id decides. A server may write ids of its own, as
  one of Finagle does: while it has not repeated any, its answer is to the call that waits alone, and has its name.
- After lost octets what waits stays only where ids tell: where they stand, replies of what was lost and of what is asked next look the
  same. There a client is believed that has asked one call at a time (`TURNS` times in a row), for as long as it does.
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


@final
class ThriftPairing(PairingTable):
    """The calls of one side that wait for an answer."""

    def __init__(self, limits: Limits) -> None:
        self._limit: i64 = limits.pending
        self._octets: i64 = limits.waiting
        self._size: i64 = 0
        self._reads = Reads(self._octets)
        self._waiting: OrderedDict[ThriftMessage, int] = OrderedDict()
        """In their order, with the octets that each has been counted with."""
        self._by_id: dict[int, ThriftMessage | deque[ThriftMessage]] = {}
        self._late: OrderedDict[int, ThriftMessage] = OrderedDict()
        self._early: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._turns: i64 = 0
        """How often in a row a call was answered before the next was asked; negative for a while after it was otherwise."""
        self._doubtful = False
        """Octets were lost."""
        self._believed = False
        """The client has asked one call at a time, before the loss and since."""
        self._tainted: set[int] = set()
        """Ids of what waited when octets were lost: what comes with one of them next is not certain."""
        self._echoes = False
        """Whether the server has repeated an id that says something."""
        self._any = False
        self._last: int = 0
        """The id of the call that was asked last, if there was any; whether it was another than that of the one before."""
        self._moves = False
        self.forgotten = 0

    # Calls.

    def asked(self, request: Message) -> None:
        if not isinstance(request, ThriftMessage):
            return
        number = int(request.number)
        if self._early and self._came_early(number, request.name):
            return
        self._moves = self._any and number != self._last
        self._any = True
        self._last = number
        if self._waiting:
            self._turns = _AGAIN
            self._believed = False
        if self._doubtful and not self._is_certain(number):
            return
        kept = self._keep(request)
        if kept is None:
            self.forgotten += 1
            return
        known = self._by_id.get(number)
        if known is None:
            self._by_id[number] = kept
        elif isinstance(known, deque):
            known.append(kept)
        else:
            self._by_id[number] = deque((known, kept))
        if len(self._waiting) > self._limit:
            self._remove(next(iter(self._waiting)))
            self.forgotten += 1

    def _is_certain(self, number: int) -> bool:
        """Whether the answer to a call with this id can be told, after octets were lost."""
        if self._believed:
            return True
        if not self._moves:
            self._forget()
            return False
        if number in self._tainted:
            known = self._by_id.get(number)
            if known is None:
                self._tainted.discard(number)
                return True
            for each in list(known) if isinstance(known, deque) else [known]:
                self._remove(each)
            return False
        return True

    def _keep(self, request: ThriftMessage) -> ThriftMessage | None:
        """What to remember of `request`; None where it has to be forgotten."""
        size = request.stop - request.start
        if self._size + size > self._octets and size > SHORT:
            short = request.shortened(int(SHORT))
            assert isinstance(short, ThriftMessage)
            request = short
            size = request.stop - request.start
        self._size += size
        self._waiting[request] = int(size)
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(list(self._waiting))
        return request

    def _remove(self, request: ThriftMessage) -> None:
        """`request` waits no longer."""
        self._size -= self._waiting.pop(request)
        if not self._waiting:
            self._reads.clear()
        number = int(request.number)
        known = self._by_id[number]
        if isinstance(known, deque):
            if known[0] is request:
                known.popleft()
            else:
                known.remove(request)
            if len(known) == 1:
                self._by_id[number] = known[0]
        else:
            del self._by_id[number]

    # Answers.

    def answered(self, answer: Message) -> Message | None:
        if not isinstance(answer, ThriftMessage):
            return None
        request = self._find(answer)
        if request is None:
            return self._find_late(answer)
        first = next(iter(self._waiting))
        if request is not first:
            self._overtake(request)
        if len(self._waiting) == 1:
            self._turns += 1
        if answer.number != 0 and answer.number == request.number:
            self._echoes = True
        self._remove(request)
        return request

    def answered_in_order(self, answer: ThriftMessage) -> None:
        """`answer` has no id and no name: it is to what has waited longest. With no octet in it, to one of which nothing is known, too."""
        if self._waiting and not self._doubtful:
            first = next(iter(self._waiting))
            if first.type_id != 0 and answer.http_status == 200 and answer.is_empty:
                return  # a one-way call has been asked, which does not wait
            self._remove(first)
            answer.number = first.number
            answer.request = first

    def _find(self, answer: ThriftMessage) -> ThriftMessage | None:
        """The call that waits and is answered."""
        known = self._by_id.get(int(answer.number))
        name = answer.name
        if known is not None:
            if isinstance(known, deque):
                for each in known:
                    if fits(each, name):
                        return each
                return None if name else known[0]
            if fits(known, name) or not name:
                return known
            return known if self._moves and not self._doubtful else None
        number = int(answer.number)
        if self._doubtful or len(self._waiting) != 1 or number in self._late or (self._echoes and number != 0):
            return None
        alone = next(iter(self._waiting))
        return alone if not name or fits(alone, name) else None

    def _find_late(self, answer: ThriftMessage) -> Message | None:
        """A call that was overtaken; else the answer is remembered, as one that comes before its call."""
        number = int(answer.number)
        name = answer.name
        late = self._late.get(number)
        if late is not None and (fits(late, name) or not name):
            del self._late[number]
            return late
        if not self._doubtful:
            self._turns = _AGAIN
            key = (number, name)
            self._early[key] = self._early.get(key, 0) + 1
            if len(self._early) > self._limit:
                self._early.popitem(last=False)
        return None

    def _came_early(self, number: int, name: str) -> bool:
        """Whether the call with this id and name has been answered before it was seen."""
        key = (number, name.rpartition(":")[2])
        count = self._early.get(key)
        if count is None:
            return False
        if count == 1:
            del self._early[key]
        else:
            self._early[key] = count - 1
        return True

    def _overtake(self, request: ThriftMessage) -> None:
        """Everything that was asked before `request` waits no longer."""
        while True:
            first = next(iter(self._waiting))
            if first is request:
                return
            number = int(first.number)
            alone = number != int(request.number) and not isinstance(self._by_id[number], deque)
            self._remove(first)
            if alone:
                first.detach()
                self._late[number] = first
                if len(self._late) > _LATE:
                    self._late.popitem(last=False)

    # Loss.

    def lose(self) -> None:
        self._early.clear()
        self._late.clear()
        self._believed = self._turns >= TURNS and len(self._waiting) <= 1 and (self._believed or not self._doubtful)
        self._doubtful = True
        if self._believed or not self._moves:
            self._forget()
        else:
            self._tainted.update(self._by_id)

    def _forget(self) -> None:
        self._waiting.clear()
        self._by_id.clear()
        self._size = 0
        self._reads.clear()

    def clear(self) -> None:
        self._forget()
        self._early.clear()
        self._late.clear()
        self._tainted.clear()

    def waits(self, request: Message) -> bool:
        return isinstance(request, ThriftMessage) and request in self._waiting

    def waiting(self) -> list[Message]:
        return list(self._waiting)

    @property
    def pending(self) -> int:
        return len(self._waiting)


def fits(request: ThriftMessage, name: str) -> bool:
    """Whether an answer with `name` can be one to `request`, whose name may have a service before it."""
    asked = request.name
    return asked == name or (asked.endswith(name) and asked[-len(name) - 1 :][:1] == ":" and name != "")
