"""Which request an answer answers: by order, by number, or by stream.

Each keeps at most `limit` requests. Past it the oldest is forgotten and its answer pairs with nothing; the answers to the others still
pair as they should. `forgotten` counts them. Every call costs O(1) amortised.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import Enum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs._layout import check_layout
from l7codecs.errors import LimitExceeded
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Message

__all__ = ["TURNS", "FifoPairing", "IdPairing", "Pairing", "PairingTable", "StreamPairing", "new_pairing"]


TURNS: Final[i64] = 4
"""How often in a row a client has to ask one request at a time to be taken for one that always does."""
_AGAIN: Final[i64] = -8
"""What `FifoPairing.turns` falls to where a client asks more than that: it takes so many more to be taken for one again."""


class Pairing(Enum):
    """How a protocol pairs answers with requests."""

    FIFO = "fifo"
    """Answers come in the order of the requests."""
    ID = "id"
    """An answer repeats the number of its request; answers come in any order."""
    STREAM = "stream"
    """A request and its answers share a stream."""
    NONE = "none"
    """The protocol has no answers, or they cannot be told."""


@mypyc_attr(allow_interpreted_subclasses=True)
class PairingTable:
    """The requests of one connection that wait for an answer. This one pairs nothing."""

    forgotten: i64 = 0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    def asked(self, request: Message) -> None:
        """Remember `request`."""

    def answered(self, answer: Message) -> Message | None:
        """The request that `answer` answers, which is then no longer waited for; None where it is not known."""
        return None

    def waiting(self) -> list[Message]:
        """The requests that are remembered, in their order; those that share a number are together."""
        return []

    def clear(self) -> None:
        """Forget all."""

    def lose(self) -> None:
        """Octets of either direction were lost, so nothing is certain: forget all, unless the room keeps what still is."""
        self.clear()

    @property
    def pending(self) -> int:
        """How many requests are remembered."""
        return 0


@final
class FifoPairing(PairingTable):
    """Answers come in the order of the requests.

    One that is `strict` forgets nothing. From `limit` requests on it is `full`, and beyond `REFUSED_AT` times as many `asked` raises
    `LimitExceeded`.

    Whoever sees both directions may see an answer before its request. The count tells which that is all the same: `came_early` says that an
    answer is ahead, and the next request that is `asked` is then answered already.
    """

    def __init__(self, limit: int, strict: bool = False) -> None:
        self.strict = strict
        self._mark: i64 = limit
        self._limit: i64 = min(limit * REFUSED_AT, 2**62) if strict else limit
        self._index: set[Message] | None = None
        """What is remembered, from the first question for it until nothing is."""
        self._items: list[Message | None] = []
        self._first: i64 = 0
        self._skip: i64 = 0
        self._early: i64 = 0
        self.forgotten = 0
        self.keeps = False
        """Whether `lose` leaves everything to the room."""
        self.turns: i64 = 0
        """How often in a row a request was answered before the next was asked; negative for a while after it was otherwise."""

    def asked(self, request: Message) -> None:
        items = self._items
        items.append(request)
        waiting: i64 = len(items) - self._first
        if self._index is not None:
            self._index.add(request)
        if waiting > 1:
            self.turns = _AGAIN
            if waiting > self._limit:
                self._too_many(request)
        elif self._early > 0:
            self._early -= 1
            self.pop()

    def no_turn(self) -> None:
        """The client asks more than one request at a time, as is seen elsewhere."""
        self.turns = _AGAIN

    def came_early(self) -> None:
        """An answer has come while nothing waits: the next request is answered already. At most `limit` are counted."""
        self.turns = _AGAIN
        if self._early < self._limit:
            self._early += 1

    def forget_early(self) -> None:
        """What came while nothing waited answers nothing."""
        self._early = 0

    @property
    def ahead(self) -> int:
        """How many answers have come before their requests."""
        return self._early

    def answered(self, answer: Message) -> Message | None:
        if self._skip > 0:
            self._skip -= 1
            return None
        return self.pop()

    def head(self) -> Message | None:
        """The request that the next answer answers; None where it is forgotten or there is none."""
        if self._skip > 0 or self._first >= len(self._items):
            return None
        return self._items[self._first]

    def waits(self, request: Message) -> bool:
        """Whether `request` is remembered."""
        index = self._index
        if index is None:
            index = {item for item in self._items if item is not None}
            self._index = index
        return request in index

    @property
    def full(self) -> bool:
        """Whether no more should be asked for now."""
        return len(self._items) - self._first >= self._mark

    @property
    def exhausted(self) -> bool:
        """Whether `asked` would raise."""
        return self.strict and len(self._items) - self._first >= self._limit

    @property
    def skipping(self) -> bool:
        """Whether the next answer is to a request that is forgotten."""
        return self._skip > 0

    def pop(self) -> Message | None:
        """Take the head out."""
        first = self._first
        items = self._items
        count: i64 = len(items)
        if first >= count:
            return None
        request = items[first]
        if self._index is not None:
            if first + 1 == count:
                self._index = None
            elif request is not None:
                self._index.discard(request)
        if first + 1 == count:
            self.turns += 1
            if first == 0:
                items.pop()
            else:
                items.clear()
                self._first = 0
        else:
            items[first] = None
            self._advance()
        return request

    def waiting(self) -> list[Message]:
        return [item for item in self._items[self._first :] if item is not None]

    def clear(self) -> None:
        self._items.clear()
        self._first = 0
        self._skip = 0
        self._early = 0
        self._index = None

    def lose(self) -> None:
        if not self.keeps:
            self.clear()

    @property
    def pending(self) -> int:
        return len(self._items) - self._first

    def _too_many(self, request: Message) -> None:
        if self.strict:
            self._items.pop()
            if self._index is not None:
                self._index.discard(request)
            raise LimitExceeded(
                request.offset,
                f"{self._limit + 1} requests that wait for an answer",
                f"at most {REFUSED_AT} times limits.pending = {self._mark}",
            )
        oldest = self._items[self._first]
        if self._index is not None and oldest is not None:
            self._index.discard(oldest)
        self._items[self._first] = None
        self._advance()
        self._skip += 1
        self.forgotten += 1

    def _advance(self) -> None:
        """Leave the head behind; the list is cut once half of it lies behind, which costs O(1) for each request."""
        first = self._first + 1
        if first >= 64 and first * 2 >= len(self._items):
            del self._items[:first]
            first = 0
        self._first = first


@final
class IdPairing(PairingTable):
    """An answer repeats the number of its request. Requests that share a number are answered in their order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # The first of a dict is behind all that were deleted before it, which costs O(limit) each time; not so here.
        self._by_id: OrderedDict[int, Message | deque[Message]] = OrderedDict()
        self._count = 0
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        number = request.request_id
        if number is None:
            return
        known = self._by_id.get(number)
        if known is None:
            self._by_id[number] = request
        elif isinstance(known, deque):
            known.append(request)
        else:
            self._by_id[number] = deque((known, request))
        self._count += 1
        if self._count > self._limit:
            self._take(next(iter(self._by_id)))
            self.forgotten += 1

    def answered(self, answer: Message) -> Message | None:
        number = answer.request_id
        if number is None:
            return None
        return self._take(number)

    def _take(self, number: int) -> Message | None:
        known = self._by_id.get(number)
        if known is None:
            return None
        self._count -= 1
        if isinstance(known, deque):
            request = known.popleft()
            if not known:
                del self._by_id[number]
            return request
        del self._by_id[number]
        return known

    def waiting(self) -> list[Message]:
        found: list[Message] = []
        for known in self._by_id.values():
            if isinstance(known, deque):
                found += known
            else:
                found.append(known)
        return found

    def clear(self) -> None:
        self._by_id.clear()
        self._count = 0

    @property
    def pending(self) -> int:
        return self._count


@final
class StreamPairing(PairingTable):
    """A request and all its answers share a stream, until `close`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_stream: OrderedDict[int, Message] = OrderedDict()
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        stream = request.stream_id
        if stream is None:
            return
        self._by_stream[stream] = request
        if len(self._by_stream) > self._limit:
            self._by_stream.popitem(last=False)
            self.forgotten += 1

    def answered(self, answer: Message) -> Message | None:
        stream = answer.stream_id
        if stream is None:
            return None
        return self._by_stream.get(stream)

    def close(self, stream: int) -> None:
        """The stream has ended in both directions."""
        self._by_stream.pop(stream, None)

    def waiting(self) -> list[Message]:
        return list(self._by_stream.values())

    def clear(self) -> None:
        self._by_stream.clear()

    @property
    def pending(self) -> int:
        return len(self._by_stream)


def new_pairing(kind: Pairing, limit: int) -> PairingTable:
    """An empty table of the declared kind."""
    if kind is Pairing.FIFO:
        return FifoPairing(limit)
    if kind is Pairing.ID:
        return IdPairing(limit)
    if kind is Pairing.STREAM:
        return StreamPairing(limit)
    return PairingTable()
