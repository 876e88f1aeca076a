"""Which request an answer answers: what every table of them can do, and the one of answers that come in order (`keyed` has the others).

Each keeps at most `limit` requests. Past it the oldest is forgotten and its answer pairs with nothing; the answers to the others still
pair as they should. `forgotten` counts them. Past `octets` of them each further one is remembered by its first octets alone
(`Message.shortened`), and none keeps the read that it lies in (see `l7codecs.pairing.retention`). Every call costs O(1) amortised.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr, u8

from l7codecs._layout import check_layout
from l7codecs.errors import LimitExceeded
from l7codecs.kinds import Kind
from l7codecs.limits import DEFAULT_LIMITS, REFUSED_AT
from l7codecs.message import Message
from l7codecs.pairing.retention import SHORT, gather

__all__ = ["NO_PAIRING", "TURNS", "FifoPairing", "Pairing", "PairingTable"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_REQUEST: Final = Kind.REQUEST

TURNS: Final[i64] = 4
"""How often in a row a client has to ask one request at a time to be taken for one that always does."""
_CERTAIN: Final[u8] = 0
_TURNS: Final[u8] = 1
"""Octets were lost of a client that takes turns."""
_LOST: Final[u8] = 2
"""Nobody knows how many answers are still to come."""
_AGAIN: Final[i64] = -8
"""What `FifoPairing.turns` falls to where a client asks more than that: it takes so many more to be taken for one again."""


_ENOUGH: Final[i64] = 64
"""So many are remembered before those are looked for that wait no longer."""


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

    def refuses(self, original: Message) -> str | None:
        """Why `original` can never be asked here beside what waits; None where it can."""
        return None

    def asks(self, message: Message, original: Message) -> bytes | None:
        """The octets to send of `message`, which is in place of `original`; None: its own. The answer is to `original`."""
        if message.kind is _REQUEST or message.kind is _HEARTBEAT:
            self.asked(original)
        return None

    def give_up(self, request: Message) -> list[Message]:
        """Nobody waits for the answer to `request`, which keeps its place; returns the requests that are forgotten for it."""
        return []

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

    def resume(self) -> None:
        """Answers are decoded again behind a loss: what was asked since then may have been answered by what was passed over."""

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
    pairs nothing any more. A room whose answers tell more than their order sets `keeps`, and decides itself (`l7codecs.pairing.alignment`).
    """

    def __init__(self, limit: int, strict: bool = False, octets: int = DEFAULT_LIMITS.waiting) -> None:
        self._octets: i64 = min(octets, 2**58)
        self._size: i64 = 0
        """Octets of what is remembered."""
        self._read = b""
        """Where what was asked last lies; the octets of all such reads, and how many of them make it time to let them go."""
        self._pinned: i64 = 0
        self._room: i64 = 2 * self._octets
        self._crowded = False
        """Whether there was no room, and is not for half as much yet: what was asked last is cut when the next is asked."""
        self._limit: i64 = min(limit, 2**58) * (REFUSED_AT if strict else 1)
        self._index: dict[Message, int] | None = None
        """How often each is remembered: from the first question that needs it until nothing is."""
        self._renamed: dict[Message, Message] | None = None
        """What waits of what was changed on its way, by what its sender knows it as; kept as long as the index is."""
        self._renamed_room: i64 = 0
        self._items: list[Message | None] = []
        self._first: i64 = 0
        self._passed: i64 = 0
        """How many were asked before the first in the list."""
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
        size = self._size + request.kept
        self._size = size
        if size > self._octets:
            self._crowded = True
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
        if self._crowded:
            self._relieve(request)
        items.append(request)
        waiting: i64 = len(items) - self._first
        if self._index is not None:
            self._index[request] = self._index.get(request, 0) + 1
        if waiting > 1:
            self.turns = _AGAIN
            if waiting > self._limit:
                self._too_many(request)
        self._size += request.kept
        if self._size > self._octets:
            self._crowded = True
        if request.octets is not self._read and (self.strict or not self._crowded):
            self._lies_in(request.octets)  # else it is seen with the next request what stays of this one
        if self._early > 0 and waiting == 1:
            self._early -= 1
            self.pop()
        self._settle()

    def _settle(self) -> None:
        self._unusual = self._standing != _CERTAIN or self._crowded or self._index is not None or self._early > 0

    def _mark(self) -> i64:
        """From how many on it is full."""
        return self._limit // REFUSED_AT if self.strict else self._limit

    def _lies_in(self, read: bytes) -> None:
        """What is asked lies in another read. All of them are let go where they are more than there is room for."""
        self._read = read
        self._pinned += len(read)
        if self._pinned > self._room:
            self._pinned = gather(self.waiting(), self._octets)
            self._room = 2 * max(self._octets, self._pinned)

    def _let_go(self) -> None:
        """Nothing is remembered."""
        self._read = b""
        self._pinned = 0
        self._room = 2 * self._octets
        self._crowded = False

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

    @property
    def place(self) -> i64:
        """Where the `head` stands among all that were ever asked; -1 where there is none."""
        if self._skip > 0 or self._first >= len(self._items):
            return -1
        return self._passed + self._first

    def place_of(self, request: Message) -> i64:
        """Where `request` stands among all that were ever asked; -1 where that has to be looked for."""
        at = self._found_at(request)
        return at if at < 0 else self._passed + at

    def waits(self, request: Message) -> bool:
        """Whether `request` is remembered."""
        if self._index is None and self._found_at(request) >= 0:
            return True
        return request in self._indexed()

    def _indexed(self) -> dict[Message, int]:
        index = self._index
        if index is None:
            index = {}
            for item in self._items:
                if item is not None:
                    index[item] = index.get(item, 0) + 1
            self._index = index
            self._unusual = True
        return index

    def _found_at(self, request: Message) -> i64:
        """Where `request` is found in the list, else -1: what one client asked stands in the order of its octets, and needs no index."""
        items = self._items
        offset = request.offset
        low = self._first
        high: i64 = len(items)
        while low < high:
            middle = (low + high) // 2
            item = items[middle]
            if item is request:
                return middle
            if item is None:
                return -1
            if item.offset < offset:
                low = middle + 1
            else:
                high = middle
        return -1

    @property
    def knows_names(self) -> bool:
        """Whether `find` finds, and `rename` is of use."""
        return self._renamed is not None

    def learn_names(self, names: dict[Message, Message]) -> None:
        """All that waits, by what its sender knows it as; whoever sends goes on with `rename`, until nothing waits."""
        if names and self._first < len(self._items):
            self._indexed()
            self._renamed = names
            self._renamed_room = 2 * len(names) + _ENOUGH

    def rename(self, original: Message, sent: Message) -> None:
        """`sent` waits in place of `original`."""
        names = self._renamed
        if names is not None:
            names[original] = sent
            if len(names) > self._renamed_room:
                names = {each: waits for each, waits in names.items() if self.waits(waits)}
                self._renamed = names
                self._renamed_room = 2 * len(names) + _ENOUGH

    def find(self, original: Message) -> Message | None:
        """What waits in place of `original`; None where nothing does."""
        sent = self._renamed.get(original) if self._renamed is not None else None
        return sent if sent is not None and self.waits(sent) else None

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
            self._size -= request.kept
        if self._index is not None:
            if first + 1 == count:
                self._index = None
                self._renamed = None
            elif request is not None:
                self._forget(request)
        if first + 1 == count:
            self._let_go()
            self.turns += 1
            self._passed += count
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
            self._passed += first
            first = 0
        self._first = first

    def waiting(self) -> list[Message]:
        return [item for item in self._items[self._first :] if item is not None]

    def clear(self) -> None:
        self._passed += len(self._items)
        self._items.clear()
        self._first = 0
        self._skip = 0
        self._early = 0
        self._index = None
        self._renamed = None
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

    def _forget(self, request: Message) -> None:
        """`request` is remembered once less."""
        index = self._index
        if index is not None:
            count = index.get(request, 0)
            if count > 1:
                index[request] = count - 1
            elif count == 1:
                del index[request]  # `pop` would be looked up

    def _too_many(self, request: Message) -> None:
        if self.strict:
            self._items.pop()
            self._forget(request)
            raise LimitExceeded(
                request.offset,
                f"{self._limit + 1} requests that wait for an answer",
                f"at most {REFUSED_AT} times limits.pending = {self._mark()}",
            )
        oldest = self._items[self._first]
        if oldest is not None:
            self._size -= oldest.kept
            self._forget(oldest)
        self._items[self._first] = None
        self._advance()
        self._skip += 1
        self.forgotten += 1

    def _relieve(self, request: Message) -> None:
        """There was no room for what was asked last: its first octets stay. Who forgets nothing refuses `request` in the end."""
        if self.strict:
            if self._size > self._octets * REFUSED_AT:
                raise LimitExceeded(
                    request.offset,
                    f"requests of {self._size} octets that wait for an answer",
                    f"at most {REFUSED_AT} times limits.waiting = {self._octets}",
                )
            self._crowded = self._size > self._octets
            return
        last: i64 = len(self._items) - 1
        latest = self._items[last] if last >= self._first else None
        if latest is None:
            return
        if self._size <= self._octets // 2:
            self._crowded = False
        if self._crowded and latest.kept > SHORT:
            self._cut(last, latest)
        elif latest.octets is not self._read:
            self._lies_in(latest.octets)

    def _cut(self, last: i64, latest: Message) -> None:
        """Keep of `latest`, which was asked last, what it says without reading further."""
        self._forget(latest)
        short = latest.shortened(int(SHORT))
        self._size -= latest.kept
        self._items[last] = short
        if short is None:
            self.forgotten += 1
            return
        self._size += short.kept
        if self._index is not None:
            self._index[short] = 1

    def _advance(self) -> None:
        """Leave the head behind; the list is cut once half of it lies behind, which costs O(1) for each request."""
        first = self._first + 1
        if first >= 64 and first * 2 >= len(self._items):
            del self._items[:first]
            self._passed += first
            first = 0
        self._first = first
