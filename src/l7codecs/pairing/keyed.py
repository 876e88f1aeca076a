"""Which request an answer answers, where both have a key: a number, a text, or the stream that they share."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import final

from mypy_extensions import i64

from l7codecs.kinds import RequestId
from l7codecs.limits import DEFAULT_LIMITS
from l7codecs.message import Message
from l7codecs.pairing.retention import SHORT, Reads
from l7codecs.pairing.tables import NO_PAIRING, FifoPairing, Pairing, PairingTable

__all__ = ["IdPairing", "StreamPairing", "new_pairing"]


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
        size = request.kept
        if self._size + size > self._limit and size > SHORT:
            short = request.shortened(int(SHORT))
            if short is None:
                return None
            request = short
            size = short.kept
        self._size += size
        self._count += 1
        if request.octets is not self._reads.latest:
            self.crowded = self._reads.add(request.octets)
        return request

    def drop(self, request: Message) -> None:
        """`request` is remembered no longer."""
        self._size -= request.kept
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
class _Oldest:
    """What has been in a dict longest, of all that were there at one time: listed again when none of those is left, O(1) amortised.

    The first of a dict itself is behind all that were deleted before it, which are passed each time.
    """

    def __init__(self) -> None:
        self._listed: list[RequestId] = []
        """The oldest last."""
        self._left: set[RequestId] = set()
        """Those that have been there ever since."""

    def first(self) -> RequestId | None:
        """The oldest; None where none of them is left."""
        listed = self._listed
        while listed:
            number = listed[-1]
            if number in self._left:
                return number
            listed.pop()
        return None

    def remove(self, number: RequestId) -> None:
        """`number` is deleted; it may come again."""
        self._left.discard(number)

    def list_all(self, numbers: Iterable[RequestId]) -> None:
        """These are there, in their order."""
        self._listed = list(numbers)
        self._listed.reverse()
        self._left = set(self._listed)


@final
class IdPairing(PairingTable):
    """An answer repeats the number of its request, or a text in its place. Requests that share one are answered in their order.

    Where those came on several connections nobody can say whose an answer is: it pairs with none.
    `unique` says that a connection never uses a number again: what waits stays certain, whatever is lost. `reused` says that it does at
    once: so where nothing was lost, an answer that is seen before its request is remembered, and that request does not wait; and what was
    asked while answers were passed over may have been answered by one of them. Behind a loss who asks again with a number that waits may
    have had its answer, or not: the next answer is to one of the two.
    """

    def __init__(
        self, limit: int, octets: int = DEFAULT_LIMITS.waiting, unique: bool = False, reused: bool = False
    ) -> None:
        self._limit = limit
        self._unique = unique
        self._kept = _Kept(octets)
        self._by_id: dict[RequestId, Message | deque[Message]] = {}
        self._oldest: _Oldest | None = None
        """Once there were too many."""
        self._count = 0
        self._crossed: set[RequestId] = set()
        """What requests of several connections share, or two of which one may have been answered."""
        self._early: dict[RequestId, int] | None = {} if reused else None
        """How many answers were seen before their requests; None where nobody counts them."""
        self._early_count = 0
        self._reused = reused
        self._lossy = False
        self.forgotten = 0

    def find(self, message: Message) -> Message | None:
        """The first request that waits and has the number of `message`."""
        number = message.request_id
        known = None if number is None else self._by_id.get(number)
        return known[0] if isinstance(known, deque) else known

    def asked(self, request: Message) -> None:
        number = request.request_id
        if number is None or (self._early and self._answered_early(number)):
            return
        kept = self._kept.keep(request)
        if kept is None:
            self.forgotten += 1
            return
        request = kept
        known = self._by_id.get(number)
        if known is not None and self._lossy:
            while self._take(number) is not None:
                pass
            self._crossed.add(number)
            self._by_id[number] = request
        elif known is None:
            self._by_id[number] = request
        elif isinstance(known, deque):
            if known[-1].connection is not request.connection:
                self._crossed.add(number)
            known.append(request)
        else:
            if known.connection is not request.connection:
                self._crossed.add(number)
            self._by_id[number] = deque((known, request))
        self._count += 1
        if self._count > self._limit:
            self._take(self._first())
            self.forgotten += 1
        if self._kept.crowded:
            self._kept.gather(self.waiting())

    def answered(self, answer: Message) -> Message | None:
        number = answer.request_id
        if number is None:
            return None
        crossed = number in self._crossed if self._crossed else False
        request = self._take(number)
        if request is None and self._early is not None:
            self.came_early(number)
        return None if crossed else request

    def came_early(self, number: RequestId) -> None:
        """An answer is none to what waits: where that is counted, it is one to the next request of its number."""
        early = self._early
        if early is None:
            return
        early[number] = early.get(number, 0) + 1
        self._early_count += 1
        if self._early_count > self._limit:
            self._early = None  # no other order of what was seen: they answer nothing

    def _answered_early(self, number: RequestId) -> bool:
        """Whether the answer to a request of `number` was seen before it."""
        early = self._early
        count = 0 if early is None else early.get(number, 0)
        if early is None or count == 0:
            return False
        self._early_count -= 1
        if count == 1:
            del early[number]
        else:
            early[number] = count - 1
        return True

    def taken(self, request: Message) -> bool:
        """Whether one of another connection waits that shares what `request` pairs by."""
        number = request.request_id
        known = None if number is None else self._by_id.get(number)
        if known is None:
            return False
        return (known[-1] if isinstance(known, deque) else known).connection is not request.connection

    def _take(self, number: RequestId) -> Message | None:
        known = self._by_id.get(number)
        if known is None:
            return None
        self._count -= 1
        if isinstance(known, deque):
            request = known.popleft()
            if not known:
                self._remove(number)
                self._crossed.discard(number)
            self._kept.drop(request)
            return request
        self._remove(number)
        if self._crossed:
            self._crossed.discard(number)
        self._kept.drop(known)
        return known

    def _remove(self, number: RequestId) -> None:
        del self._by_id[number]
        if self._oldest is not None:
            self._oldest.remove(number)

    def _first(self) -> RequestId:
        """What has been there longest."""
        oldest = self._oldest
        if oldest is None:
            oldest = _Oldest()
            self._oldest = oldest
        found = oldest.first()
        if found is None:
            oldest.list_all(self._by_id)
            found = oldest.first()
            assert found is not None
        return found

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

    def lose(self) -> None:
        self._early = None
        if not self._unique:
            self._lossy = True
            self.clear()

    def resume(self) -> None:
        if self._reused:
            self.clear()

    def clear(self) -> None:
        self._by_id.clear()
        self._oldest = None
        self._crossed.clear()
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
