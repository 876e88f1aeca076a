"""Which request an answer answers: by order, by number, or by stream.

Each keeps at most `limit` requests. Past it the oldest is forgotten and its answer pairs with nothing; the answers to the others still
pair as they should. `forgotten` counts them. Past `octets` of them each further one is remembered by its first octets alone
(`Message.shortened`), and none keeps the read that it lies in (see `l7codecs.retention`). Every call costs O(1) amortised.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import Enum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr, u8

from l7codecs._layout import check_layout
from l7codecs.errors import LimitExceeded
from l7codecs.limits import DEFAULT_LIMITS, REFUSED_AT
from l7codecs.message import Kind, Message, RequestId
from l7codecs.retention import SHORT, Reads, gather

__all__ = ["NO_PAIRING", "TURNS", "FifoPairing", "IdPairing", "Pairing", "PairingTable", "StreamPairing", "new_pairing"]


TURNS: Final[i64] = 4
"""How often in a row a client has to ask one request at a time to be taken for one that always does."""
_CERTAIN: Final[u8] = 0
_TURNS: Final[u8] = 1
"""Octets were lost of a client that takes turns."""
_LOST: Final[u8] = 2
"""Nobody knows how many answers are still to come."""
_AGAIN: Final[i64] = -8
"""What `FifoPairing.turns` falls to where a client asks more than that: it takes so many more to be taken for one again."""


class Pairing(Enum):
    """How a protocol pairs answers with requests."""

    FIFO = "fifo"
    """Answers come in the order of the requests."""
    ID = "id"
    """An answer repeats the number of its request, or a text in its place; answers come in any order."""
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

    def again(self, request: Message, answer: Message) -> None:
        """`answer` was not the last one to `request`, as turns out: another will come like it."""
        self.asked(request)

    def waiting(self) -> list[Message]:
        """The requests that are remembered, in their order; those that share a number are together."""
        return []

    def waits(self, request: Message) -> bool:
        """Whether `request` is remembered."""
        return request in self.waiting()

    # What an endpoint asks.

    def ready(self, message: Message) -> bool:
        """Whether `message`, which asks, can be sent now."""
        return True

    def asks(self, message: Message, original: Message) -> bytes | None:
        """The octets to send of `message`, which is in place of `original`; None: its own. The answer is to `original`."""
        if message.kind is Kind.REQUEST or message.kind is Kind.HEARTBEAT:
            self.asked(original)
        return None

    def give_up(self, request: Message) -> Message | None:
        """Nobody waits for the answer to `request`, which keeps its place; returns a request that is forgotten for it."""
        return None

    def owes(self, request: Message) -> bool:
        """Whether an answer to `request` is still to come, be it given up."""
        return self.waits(request)

    @property
    def full(self) -> bool:
        """Whether no more should be asked for now."""
        return False

    @property
    def exhausted(self) -> bool:
        """Whether `asked` would raise `LimitExceeded`."""
        return False

    # What makes nothing certain.

    def clear(self) -> None:
        """Forget all."""

    def lose(self) -> None:
        """Octets of either direction were lost, so nothing is certain: forget all, unless the room keeps what still is."""
        self.clear()

    @property
    def pending(self) -> int:
        """How many requests are remembered."""
        return 0


NO_PAIRING: Final = PairingTable()
"""For a direction that asks nothing, or whose answers nobody knows: it remembers nothing, so that one serves all."""


@final
class FifoPairing(PairingTable):
    """Answers come in the order of the requests.

    One that is `strict` forgets nothing. From `limit` requests on it is `full`, and beyond `REFUSED_AT` times as many `asked` raises
    `LimitExceeded`.

    Whoever sees both directions may see an answer before its request. The count tells which that is all the same: `came_early` says that an
    answer is ahead, and the next request that is `asked` is then answered already. One that `observes` counts by itself.

    After lost octets the count is lost as well, and a wrong one pairs every answer wrongly. One that `observes` pairs on only where
    the client has always waited for each answer before it asked again (`TURNS` times in a row), and for as long as it does; else it
    pairs nothing any more. A room whose answers tell more than their order sets `keeps`, and decides itself (`l7codecs.alignment`).
    """

    def __init__(self, limit: int, strict: bool = False, octets: int = DEFAULT_LIMITS.waiting) -> None:
        self._octets: i64 = min(octets, 2**58)
        self._size: i64 = 0
        """Octets of what is remembered."""
        self._read = b""
        """Where what was asked last lies; the octets of all such reads, and how many of them make it time to let them go."""
        self._pinned: i64 = 0
        self._room: i64 = self._octets
        self._limit: i64 = min(limit, 2**58) * (REFUSED_AT if strict else 1)
        self._index: set[Message] | None = None
        """What is remembered, from the first question for it until nothing is."""
        self._items: list[Message | None] = []
        self._first: i64 = 0
        self._skip: i64 = 0
        self._early: i64 = 0
        self.forgotten = 0
        self.strict = strict
        self._unusual = False
        """Whether `asked` has more to look at than that there is room."""
        self.observes = False
        """Whether it belongs to somebody who plays neither side."""
        self.keeps = False
        """Whether `lose` leaves everything to the room."""
        self._standing: u8 = _CERTAIN
        self.turns: i64 = 0
        """How often in a row a request was answered before the next was asked; negative for a while after it was otherwise."""

    def asked(self, request: Message) -> None:
        if self._unusual:
            self._asked_else(request)
            return
        items = self._items
        items.append(request)
        waiting: i64 = len(items) - self._first
        if waiting > 1:
            self.turns = _AGAIN
            if waiting > self._limit:
                self._too_many(request)
        size = self._size + request.stop - request.start
        self._size = size
        if size > self._octets:
            self._unusual = True
        if request.octets is not self._read:
            self._lies_in(request.octets)

    def _asked_else(self, request: Message) -> None:
        """As `asked`: after a loss, with answers that came early, where there is no room, or while `waits` is asked for."""
        items = self._items
        if self._standing != _CERTAIN and (self._standing == _LOST or len(items) > self._first):
            self.clear()
            self._standing = _LOST
            return
        if self._size > self._octets:
            self._too_large(request)
        items.append(request)
        waiting: i64 = len(items) - self._first
        if self._index is not None:
            self._index.add(request)
        if waiting > 1:
            self.turns = _AGAIN
            if waiting > self._limit:
                self._too_many(request)
        self._size += request.stop - request.start
        if request.octets is not self._read:
            self._lies_in(request.octets)
        if self._early > 0 and waiting == 1:
            self._early -= 1
            self.pop()
        self._settle()

    def _settle(self) -> None:
        self._unusual = (
            self._standing != _CERTAIN or self._size > self._octets or self._index is not None or self._early > 0
        )

    def _mark(self) -> i64:
        """From how many on it is full."""
        return self._limit // REFUSED_AT if self.strict else self._limit

    def _lies_in(self, read: bytes) -> None:
        """What is asked lies in another read. All of them are let go where they are more than there is room for."""
        self._read = read
        self._pinned += len(read)
        if self._pinned > self._room:
            self._pinned = gather(self.waiting())
            self._room = max(self._octets, 2 * self._pinned)

    def _let_go(self) -> None:
        """Nothing is remembered."""
        self._read = b""
        self._pinned = 0
        self._room = self._octets

    def no_turn(self) -> None:
        """The client asks more than one request at a time, as is seen elsewhere."""
        self.turns = _AGAIN

    def came_early(self) -> None:
        """An answer has come while nothing waits: the next request is answered already. At most `limit` are counted."""
        self.turns = _AGAIN
        if self._early < self._limit:
            self._early += 1
            self._unusual = True

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
        if self.observes and self._first >= len(self._items) and self._standing == _CERTAIN:
            self.came_early()
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
            self._unusual = True
        return request in index

    @property
    def full(self) -> bool:
        """Whether no more should be asked for now."""
        return len(self._items) - self._first >= self._mark() or self._size >= self._octets

    @property
    def exhausted(self) -> bool:
        """Whether `asked` would raise."""
        return self.strict and (len(self._items) - self._first >= self._limit or self._size > self._octets * REFUSED_AT)

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
        if request is not None:
            self._size -= request.stop - request.start
        if self._index is not None:
            if first + 1 == count:
                self._index = None
            elif request is not None:
                self._index.discard(request)
        if first + 1 == count:
            self._let_go()
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

    def pass_head(self, size: i64) -> None:
        """As `pop`, of a `head` that is known, with its `size`."""
        first = self._first
        items = self._items
        count: i64 = len(items)
        if first + 1 >= count or self._index is not None:
            self.pop()
            return
        self._size -= size
        items[first] = None
        first += 1
        if first >= 64 and first * 2 >= count:
            del items[:first]
            first = 0
        self._first = first

    def waiting(self) -> list[Message]:
        return [item for item in self._items[self._first :] if item is not None]

    def clear(self) -> None:
        self._items.clear()
        self._first = 0
        self._skip = 0
        self._early = 0
        self._index = None
        self._size = 0
        self._let_go()

    def lose(self) -> None:
        if self.keeps:
            return
        takes_turns = self.turns >= TURNS
        self.clear()
        if self.observes:
            self._standing = _TURNS if takes_turns and self._standing != _LOST else _LOST
            self._unusual = True

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
                f"at most {REFUSED_AT} times limits.pending = {self._mark()}",
            )
        oldest = self._items[self._first]
        if oldest is not None:
            self._size -= oldest.stop - oldest.start
            if self._index is not None:
                self._index.discard(oldest)
        self._items[self._first] = None
        self._advance()
        self._skip += 1
        self.forgotten += 1

    def _too_large(self, request: Message) -> None:
        """There is no room for what was asked last: its first octets stay. Who forgets nothing refuses `request`."""
        if self.strict:
            if self._size <= self._octets * REFUSED_AT:
                return
            raise LimitExceeded(
                request.offset,
                f"requests of {self._size} octets that wait for an answer",
                f"at most {REFUSED_AT} times limits.waiting = {self._octets}",
            )
        last: i64 = len(self._items) - 1
        latest = self._items[last] if last >= self._first else None
        if latest is None or latest.stop - latest.start <= SHORT:
            return
        if self._index is not None:
            self._index.discard(latest)
        short = latest.shortened(int(SHORT))
        self._size -= latest.stop - latest.start
        self._items[last] = short
        if short is None:
            self.forgotten += 1
            return
        self._size += short.stop - short.start
        if self._index is not None:
            self._index.add(short)

    def _advance(self) -> None:
        """Leave the head behind; the list is cut once half of it lies behind, which costs O(1) for each request."""
        first = self._first + 1
        if first >= 64 and first * 2 >= len(self._items):
            del self._items[:first]
            first = 0
        self._first = first


@final
class _Kept:
    """The octets of the requests in a table, in which they are found by a key."""

    def __init__(self, octets: int) -> None:
        self._limit: i64 = octets
        self._size: i64 = 0
        self._count: i64 = 0
        self._reads = Reads(octets)
        self.crowded = False
        """It is time to `gather`."""

    def keep(self, request: Message) -> Message | None:
        """What to remember of `request`; None where it has to be forgotten."""
        size = request.stop - request.start
        if self._size + size > self._limit and size > SHORT:
            short = request.shortened(int(SHORT))
            if short is None:
                return None
            request = short
            size = short.stop - short.start
        self._size += size
        self._count += 1
        if request.octets is not self._reads.latest:
            self.crowded = self._reads.add(request.octets)
        return request

    def drop(self, request: Message) -> None:
        """`request` is remembered no longer."""
        self._size -= request.stop - request.start
        self._count -= 1
        if self._count == 0:
            self._reads.clear()

    def gather(self, requests: list[Message]) -> None:
        """`requests` are all of them: let them go of their reads."""
        self._reads.gather(requests)
        self.crowded = False

    def clear(self) -> None:
        self._size = 0
        self._count = 0
        self._reads.clear()
        self.crowded = False


@final
class IdPairing(PairingTable):
    """An answer repeats the number of its request, or a text in its place. Requests that share one are answered in their order."""

    def __init__(self, limit: int, octets: int = DEFAULT_LIMITS.waiting) -> None:
        self._limit = limit
        self._kept = _Kept(octets)
        # The first of a dict is behind all that were deleted before it, which costs O(limit) each time; not so here.
        self._by_id: OrderedDict[RequestId, Message | deque[Message]] = OrderedDict()
        self._count = 0
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        number = request.request_id
        if number is None:
            return
        kept = self._kept.keep(request)
        if kept is None:
            self.forgotten += 1
            return
        request = kept
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
        if self._kept.crowded:
            self._kept.gather(self.waiting())

    def answered(self, answer: Message) -> Message | None:
        number = answer.request_id
        if number is None:
            return None
        return self._take(number)

    def _take(self, number: RequestId) -> Message | None:
        known = self._by_id.get(number)
        if known is None:
            return None
        self._count -= 1
        if isinstance(known, deque):
            request = known.popleft()
            if not known:
                del self._by_id[number]
            self._kept.drop(request)
            return request
        del self._by_id[number]
        self._kept.drop(known)
        return known

    def waits(self, request: Message) -> bool:
        number = request.request_id
        known = None if number is None else self._by_id.get(number)
        return request in known if isinstance(known, deque) else known is request

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
        self._kept.clear()

    @property
    def pending(self) -> int:
        return self._count


@final
class StreamPairing(PairingTable):
    """A request and all its answers share a stream, until `close`."""

    def __init__(self, limit: int, octets: int = DEFAULT_LIMITS.waiting) -> None:
        self._limit = limit
        self._kept = _Kept(octets)
        self._by_stream: OrderedDict[int, Message] = OrderedDict()
        self.forgotten = 0

    def asked(self, request: Message) -> None:
        stream = request.stream_id
        if stream is None:
            return
        kept = self._kept.keep(request)
        if kept is None:
            self.forgotten += 1
            return
        before = self._by_stream.get(stream)
        if before is not None:
            self._kept.drop(before)
        self._by_stream[stream] = kept
        if len(self._by_stream) > self._limit:
            self._kept.drop(self._by_stream.popitem(last=False)[1])
            self.forgotten += 1
        if self._kept.crowded:
            self._kept.gather(self.waiting())

    def answered(self, answer: Message) -> Message | None:
        stream = answer.stream_id
        if stream is None:
            return None
        return self._by_stream.get(stream)

    def close(self, stream: int) -> None:
        """The stream has ended in both directions."""
        request = self._by_stream.pop(stream, None)
        if request is not None:
            self._kept.drop(request)

    def waiting(self) -> list[Message]:
        return list(self._by_stream.values())

    def clear(self) -> None:
        self._by_stream.clear()
        self._kept.clear()

    @property
    def pending(self) -> int:
        return len(self._by_stream)


def new_pairing(kind: Pairing, limit: int, octets: int = DEFAULT_LIMITS.waiting) -> PairingTable:
    """An empty table of the declared kind, for at most `limit` requests and about so many octets."""
    if kind is Pairing.FIFO:
        return FifoPairing(limit, octets=octets)
    if kind is Pairing.ID:
        return IdPairing(limit, octets)
    if kind is Pairing.STREAM:
        return StreamPairing(limit, octets)
    return NO_PAIRING
