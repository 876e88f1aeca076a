"""The requests of an endpoint that wait for an answer by number or by stream, and the numbers that they have on its connection.

Several clients may be served on one connection to a server, and each counts for itself. So what is sent gets a number of its own, under
which the answer comes; the answer is given its request, which says what its client called it:

    client a   7 ──▶  1 ─┐                    ┌─ 2 ──▶ 7   client b
    client b   7 ──▶  2 ─┴─▶ server ─▶ 2, 1 ──┴─ 1 ──▶ 7   client a

- While one client alone is served, and has no two requests of one number under way, its numbers stay as they are.
- A text is never written anew: a request whose text waits here already, be it of another client, waits until that is answered.
- A number is used again only once its request is answered: one that was given up keeps it. Where all are used, or a room cannot write
  another (`Message.renumbered`), the next request waits until one is free (`StrictPairing.ready`).
- Nothing is forgotten: from ``limits.pending`` requests on the table is full, and `REFUSED_AT` times as many are a `LimitExceeded`.
- Where a client may give several requests under way one number, it knows their answers by their order: an answer waits for its turn among
  those of its number (`StrictPairing.has_turn`).
- What a room doubts (`StrictPairing.doubt`), since it may never be answered, counts for nothing; an answer that comes nonetheless is known.
  Where nobody can tell what will be answered, no number of requests is too many: from ``limits.pending`` on the oldest is doubted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, Literal, final

from mypy_extensions import i64

from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.kinds import Kind, RequestId
from l7codecs.limits import REFUSED_AT, Limits
from l7codecs.message import Flow, Message
from l7codecs.pairing.retention import Reads
from l7codecs.pairing.tables import PairingTable

__all__ = ["StrictPairing", "put_number"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_ONEWAY: Final = Kind.ONEWAY
_REQUEST: Final = Kind.REQUEST
_RECYCLED: Final = 1 << 16
"""Up to so many numbers are handed out again in the order in which they became free; of more, a counter finds the next soon enough."""


def put_number(octets: bytes, at: int, size: int, number: int, byteorder: Literal["big", "little"] = "big") -> bytes:
    """`octets` with `number` in the `size` octets from index `at` on, which hold its lowest bits."""
    value = (number & ((1 << (8 * size)) - 1)).to_bytes(size, byteorder)
    return octets[:at] + value + octets[at + size :]


@final
class StrictPairing(PairingTable):
    """The requests of one direction of an endpoint: those that it sends, where it ``gives`` their numbers, else those that it receives.

    ``doubts``: some of them may never be answered, and the room tells which (`doubt`). ``repeats``: clients use a number again before the
    first of its requests is answered. ``lowest``: the first number that may be given.
    """

    def __init__(
        self,
        limits: Limits,
        bits: int,
        stream: bool,
        gives: bool,
        doubts: bool = False,
        repeats: bool = False,
        lowest: int = 0,
    ) -> None:
        self._limit: i64 = min(limits.pending, 2**58)
        self._octets: i64 = min(limits.waiting, 2**58)
        self._stream = stream
        self._gives = gives
        self._count: int = 1 << (bits if bits > 0 else 64)
        """One more than the highest number."""
        self._lowest = lowest
        self._size: i64 = 0
        self._reads = Reads(self._octets)
        # Of a plain dict, which costs less, the first is behind all that were deleted before it.
        self._numbers: dict[Message, RequestId] = OrderedDict() if doubts else {}
        """By request, in their order: the number on this connection, or the text in its place."""
        self._by_number: dict[RequestId, Message] = {}
        self._behind: dict[RequestId, deque[Message]] | None = {} if repeats and not gives and not stream else None
        """By number: what is received and waits for others of its number, which are in ``_by_number``."""
        self._turned: deque[Message] = deque()
        self._given_up: OrderedDict[Message, RequestId] = OrderedDict()
        self._given_up_size: i64 = 0
        self._doubted: OrderedDict[Message, RequestId] | None = OrderedDict() if doubts else None
        """As ``_numbers``, of what may never be answered."""
        self._doubted_size: i64 = 0
        self._alone: Flow | None = None
        """Whose requests have all been, as long as they are those of one connection."""
        self._many = False
        """Numbers are given; before that each request keeps its own."""
        self._next: int = 1
        self._recycles = self._count <= _RECYCLED
        self._free: deque[int] = deque(range(min(lowest, 1), 1))
        self._rewrites = False
        """Whether the room has shown that it can write other numbers."""
        self.forgotten = 0

    # What is sent.

    def own_number(self, message: Message) -> RequestId | None:
        """The number that `message` itself has, as the wire does: never negative; or its text. None where it has neither."""
        number = message.stream_id if self._stream else message.request_id
        return number % self._count if isinstance(number, int) else number

    def ready(self, message: Message) -> bool:
        """Whether a number is free for `message`, which asks."""
        own = self.own_number(message)
        if own is None or not (message.kind is _REQUEST or message.kind is _HEARTBEAT):
            return True
        if message.request is not None and message.request.sender is message.sender:
            return True  # it belongs to what has a number
        self._meet(message, own)
        if not self._many:
            return True
        if not self._can_write(message, own):
            return own not in self._by_number
        return len(self._by_number) < self._count - self._lowest

    def asks(self, message: Message, original: Message) -> bytes | None:
        """As everywhere, with its number here. What belongs to an earlier request has that of it; nothing, where that waits no longer."""
        own = self.own_number(message)
        earlier = original.request
        if earlier is not None and earlier.sender is original.sender:
            its = self._numbers.get(earlier)
            if its is None:
                return b""
            return None if its == own or own is None else self._written(message, its)
        if own is None:
            return None
        asks = message.kind is _REQUEST or message.kind is _HEARTBEAT
        if not asks and message.kind is not _ONEWAY:
            return None
        self._meet(message, own)
        number: RequestId
        if not self._many or not self._can_write(message, own):
            number = own
        elif asks or len(self._by_number) < self._count - self._lowest:
            number = self._take_number()
        else:
            number = own
        octets = None if number == own else self._written(message, number)
        if asks:
            self._check(original)
            self._by_number[number] = original
            self._remember(original, number)
        elif self._many:
            self._release(number)
        return octets

    def keeps_number(self, message: Message) -> bool:
        """Whether `message`, were it asked now, would keep its own number."""
        own = self.own_number(message)
        if own is None:
            return True
        earlier = message.request
        if earlier is not None and earlier.sender is message.sender:
            its = self._numbers.get(earlier)
            return its is None or its == own
        self._meet(message, own)
        return not self._many

    def is_alone(self, request: Message) -> bool:
        """Whether `request` would keep its own number, as all do while there is one client, and belongs to no other request."""
        return not self._many and request.request is None and self.keeps_number(request)

    def _meet(self, message: Message, own: RequestId) -> None:
        """Whether its client is the only one, and `own` its only request of that number."""
        if not self._many:
            if self._alone is None:
                self._alone = message.connection
            self._many = message.connection is not self._alone or own in self._by_number

    def _can_write(self, message: Message, own: RequestId) -> bool:
        if not isinstance(own, int):
            return False
        if not self._rewrites:
            self._rewrites = message.renumbered(own) is not None  # it may be this message alone that cannot
        return self._rewrites

    def _written(self, message: Message, number: RequestId) -> bytes:
        octets = message.renumbered(number) if isinstance(number, int) else None
        if octets is None:
            raise Unsupported(f"{message.protocol} cannot write this message with another number")
        return octets

    def _take_number(self) -> int:
        """A number that is free. There is one."""
        used = self._by_number
        while True:
            if self._next < self._count:
                number = self._next
                self._next += 1
            elif self._recycles:
                number = self._free.popleft()
            else:
                number = self._lowest
                self._next = number + 1
            if number not in used:
                return number

    def _release(self, number: RequestId) -> None:
        """`number` is free again."""
        if self._recycles and self._many and self._rewrites and isinstance(number, int) and number < self._next:
            self._free.append(number)

    # What is answered.

    def restored(self, answer: Message, request: Message) -> bytes:
        """The octets of `answer` with the number that `request` itself has."""
        own = self.own_number(request)
        if own is None or self.own_number(answer) == own:
            return answer.raw
        return self._written(answer, own)

    def answered(self, answer: Message) -> Message | None:
        number = self.own_number(answer)
        if not self._gives:
            request = answer.request
            if request is None and self._behind is not None:
                request = self._by_number.get(number) if number is not None else None
            elif request is None:  # made here, and nobody has said what it answers
                request = next((each for each, own in self._numbers.items() if own == number), None)
            return self.take(request) if request is not None else None
        if number is None:
            return None
        request = self._by_number.get(number)
        if request is not None and not self._stream:
            self._remove(request, number)
        return request

    def again(self, request: Message, answer: Message) -> None:
        number = self.own_number(answer if self._gives else request)
        if number is None or request in self._numbers:
            return
        self._by_number[number] = request
        self._remember(request, number)

    def close(self, stream: int) -> None:
        """The stream has ended in both directions; `stream` is its number here."""
        number = stream % self._count
        request = self._by_number.get(number)
        if request is not None:
            self._remove(request, number)

    def take(self, request: Message) -> Message | None:
        """`request` is answered; None where it does not wait."""
        number = self._number_of(request)
        if number is None:
            return None
        self._remove(request, number)
        return request

    def number(self, request: Message) -> int | None:
        """The number that `request` has here; None where it does not wait, or has a text."""
        number = self._number_of(request)
        return number if isinstance(number, int) else None

    def _number_of(self, request: Message) -> RequestId | None:
        number = self._numbers.get(request)
        return self._doubted.get(request) if number is None and self._doubted is not None else number

    # Numbers that several requests have.

    def has_turn(self, request: Message) -> bool:
        """Whether no earlier request of the same number waits that is certain to be answered."""
        if not self._behind:
            return True
        number = self._numbers.get(request)
        return number is None or self._by_number.get(number) is request

    def next_turned(self) -> Message | None:
        """A request whose turn has come since it was asked last."""
        return self._turned.popleft() if self._turned else None

    def _line_up(self, request: Message, number: RequestId, behind: dict[RequestId, deque[Message]]) -> None:
        if number not in self._by_number:
            self._by_number[number] = request
            return
        others = behind.get(number)
        if others is None:
            others = deque()
            behind[number] = others
        others.append(request)

    def _move_up(self, number: RequestId, behind: dict[RequestId, deque[Message]]) -> None:
        """The first of what has `number` waits no longer."""
        others = behind.get(number)
        while others:
            request = others.popleft()
            if not others:
                del behind[number]
            if request in self._numbers:
                self._by_number[number] = request
                self._turned.append(request)
                return

    # What may never be answered.

    def find(self, answer: Message) -> Message | None:
        """The request that has the number of `answer`, which still waits; of what is received where numbers repeat the first."""
        number = self.own_number(answer)
        return None if number is None else self._by_number.get(number)

    def counts(self, request: Message) -> bool:
        """Whether `request` waits, and is not doubted."""
        return request in self._numbers

    @property
    def first(self) -> Message | None:
        """What has waited longest, in a table that ``doubts``."""
        return next(iter(self._numbers)) if self._numbers else None

    def doubt(self, request: Message) -> None:
        """`request` may never be answered. Of such, what is beyond ``limits.pending`` and ``limits.waiting`` is forgotten, oldest first."""
        doubted = self._doubted
        assert doubted is not None, "the table was made without `doubts`"
        number = self._numbers.pop(request, None)
        if number is None:
            return
        size = request.kept
        self._size -= size
        if not self._numbers:
            self._reads.clear()
        behind = self._behind
        if behind is not None and self._by_number.get(number) is request:
            del self._by_number[number]
            self._move_up(number, behind)
        request.detach()
        doubted[request] = number
        self._doubted_size += size
        while len(doubted) > self._limit or self._doubted_size > self._octets:
            oldest = next(iter(doubted))
            number = doubted[oldest]
            self._remove(oldest, number)
            if not self._recycles:
                self._pass(number)
            self.forgotten += 1

    def doubted(self) -> list[Message]:
        """What may never be answered, and is not forgotten, in its order."""
        return list(self._doubted) if self._doubted else []

    # What waits.

    def asked(self, request: Message) -> None:
        """A request is received here; or one is sent as it is."""
        own = self.own_number(request)
        if own is None:
            return
        self._check(request)
        if self._gives or self._stream:
            before = self._by_number.get(own)
            if before is not None:
                self._remove(before, own)
            self._by_number[own] = request
        elif self._behind is not None:
            self._line_up(request, own, self._behind)
        self._remember(request, own)

    def give_up(self, request: Message) -> list[Message]:
        """Nobody waits for the answer to `request`, whose number stays used until it comes; returns what there is no room for.

        Of what is given up, so much is remembered as may wait: ``limits.pending`` requests of ``limits.waiting`` octets, the latest.
        """
        number = self._numbers.pop(request, None)
        if number is None:
            number = self._drop_doubted(request)
            if number is None:
                return []
        else:
            self._size -= request.kept
        request.detach()  # a request that is not answered may stay for long
        self._given_up[request] = number
        self._given_up_size += request.kept
        forgotten: list[Message] = []
        if self._recycles:
            return forgotten  # where numbers are few, none is handed out again before its answer has come
        while len(self._given_up) > self._limit or self._given_up_size > self._octets:
            oldest = next(iter(self._given_up))
            number = self._given_up[oldest]
            self._remove(oldest, number)
            self._pass(number)
            forgotten.append(oldest)
        return forgotten

    def _pass(self, number: RequestId) -> None:
        """An answer with `number` may still come that is to nothing: others get higher ones."""
        if self._gives and not self._stream and isinstance(number, int):
            self._many = True
            if self._next <= number < self._count - 1:
                self._next = number + 1

    def owes(self, request: Message) -> bool:
        return request in self._numbers or request in self._given_up or self._doubts(request)

    def waits(self, request: Message) -> bool:
        return request in self._numbers or self._doubts(request)

    def _doubts(self, request: Message) -> bool:
        return self._doubted is not None and request in self._doubted

    def waiting(self) -> list[Message]:
        return list(self._numbers)

    def in_order(self) -> Iterator[Message]:
        """As `waiting`, one by one; nothing may be answered meanwhile."""
        return iter(self._numbers)

    @property
    def pending(self) -> int:
        return len(self._numbers)

    @property
    def full(self) -> bool:
        return self._doubted is None and (len(self._numbers) >= self._limit or self._kept >= self._octets)

    @property
    def exhausted(self) -> bool:
        if self._doubted is not None:
            return False
        return len(self._numbers) >= self._limit * REFUSED_AT or self._kept > self._octets * REFUSED_AT

    @property
    def _kept(self) -> i64:
        """Octets of what waits, and of what was given up where its number cannot be forgotten."""
        return self._size + self._given_up_size if self._recycles else self._size

    def clear(self) -> None:
        self._numbers.clear()
        self._by_number.clear()
        self._turned.clear()
        if self._behind is not None:
            self._behind.clear()
        self._given_up.clear()
        self._given_up_size = 0
        if self._doubted is not None:
            self._doubted.clear()
            self._doubted_size = 0
        self._free = deque(range(min(self._lowest, 1), 1))
        self._next = 1
        self._size = 0
        self._reads.clear()

    def _check(self, request: Message) -> None:
        if self.exhausted:
            raise LimitExceeded(
                request.offset,
                f"{len(self._numbers) + 1} requests that wait for an answer",
                f"at most {REFUSED_AT} times limits.pending = {self._limit}, of {REFUSED_AT} times limits.waiting octets",
            )

    def _remember(self, request: Message, number: RequestId) -> None:
        self._numbers[request] = number
        self._size += request.kept
        if request.octets is not self._reads.latest and self._reads.add(request.octets):
            self._reads.gather(list(self._numbers))
        if self._doubted is not None:
            while len(self._numbers) > 1 and (len(self._numbers) > self._limit or self._size > self._octets):
                self.doubt(next(iter(self._numbers)))

    def _drop_doubted(self, request: Message) -> RequestId | None:
        """The number of `request`, which was doubted; None where it was not."""
        number = None if self._doubted is None else self._doubted.pop(request, None)
        if number is not None:
            self._doubted_size -= request.kept
        return number

    def _remove(self, request: Message, number: RequestId) -> None:
        first = self._by_number.get(number) is request
        if first:
            del self._by_number[number]
        if self._numbers.pop(request, None) is not None:
            self._size -= request.kept
            if not self._numbers:
                self._reads.clear()
        elif self._drop_doubted(request) is None and self._given_up.pop(request, None) is not None:
            self._given_up_size -= request.kept
        if first and self._behind:
            self._move_up(number, self._behind)
        self._release(number)
