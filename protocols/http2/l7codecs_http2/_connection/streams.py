"""Streams: what a connection is made of. RFC 9113 §5.1.

The states are those of the RFC, seen from beside the connection: a stream is half closed by the client or by the server. The table
says where each frame leads; a frame that is not in it is an error of the stream, or of the connection where the stream is idle.

    state          sender  frame                 → state
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i32, i64, mypyc_attr, u8

from .._semantics.bodies import Body, Calls
from .._semantics.messages import Http2Message

__all__ = ["CLOSED", "TRANSITIONS", "Stream", "StreamTable"]

IDLE: Final[i64] = 0
RESERVED: Final[i64] = 1
OPEN: Final[i64] = 2
CLIENT_DONE: Final[i64] = 3
SERVER_DONE: Final[i64] = 4
CLOSED: Final[i64] = 5

CLIENT: Final[i64] = 0
SERVER: Final[i64] = 1

FRAME: Final[i64] = 0  # HEADERS or DATA
LAST: Final[i64] = 1  # the same with END_STREAM
RESET: Final[i64] = 2

REFUSED: Final[i64] = -1

_MIN_SLOTS: Final[i64] = 16
_GROWTH: Final[i64] = 4
"""How many times as many slots a table gets that is two thirds full, and how many times fewer one that is sparse."""
_SPARSE: Final[i64] = 16
"""Slots for each stream from which on a table is sparse."""

_TABLE: Final[dict[tuple[i64, i64, i64], i64]] = {
    (IDLE, CLIENT, FRAME): OPEN,
    (IDLE, CLIENT, LAST): CLIENT_DONE,
    (RESERVED, SERVER, FRAME): CLIENT_DONE,
    (RESERVED, SERVER, LAST): CLOSED,
    (RESERVED, SERVER, RESET): CLOSED,
    (RESERVED, CLIENT, RESET): CLOSED,
    (OPEN, CLIENT, FRAME): OPEN,
    (OPEN, CLIENT, LAST): CLIENT_DONE,
    (OPEN, CLIENT, RESET): CLOSED,
    (OPEN, SERVER, FRAME): OPEN,
    (OPEN, SERVER, LAST): SERVER_DONE,
    (OPEN, SERVER, RESET): CLOSED,
    (CLIENT_DONE, CLIENT, RESET): CLOSED,
    (CLIENT_DONE, SERVER, FRAME): CLIENT_DONE,
    (CLIENT_DONE, SERVER, LAST): CLOSED,
    (CLIENT_DONE, SERVER, RESET): CLOSED,
    (SERVER_DONE, SERVER, RESET): CLOSED,
    (SERVER_DONE, CLIENT, FRAME): SERVER_DONE,
    (SERVER_DONE, CLIENT, LAST): CLOSED,
    (SERVER_DONE, CLIENT, RESET): CLOSED,
}
TRANSITIONS: Final[list[int]] = [
    _TABLE.get((state, sender, frame), REFUSED) for state in range(6) for sender in range(2) for frame in range(3)
]
"""The table as a list: index ``(state * 2 + sender) * 3 + frame``."""
_NONE: Final[i64] = 255
_MOVES: Final = bytes(_NONE if state == REFUSED else state for state in TRANSITIONS)
"""The same in octets."""


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Stream:
    """One stream that is not closed."""

    def __init__(self, number: i64, state: i64, joined: bool) -> None:
        self.number: i32 = i32(number)
        self.state: u8 = u8(state)
        self.joined = joined
        """It was open before its beginning could be seen, or while octets were lost."""
        self.cut = False
        """One side has reset it: what the other sent before it knew is no error."""
        self.ahead = False
        """Its answer is seen before its request, which is still to come."""
        self.request: Http2Message | None = None
        self.response: Http2Message | None = None
        self._request_body: Body | None = None
        self._response_body: Body | None = None

    def move(self, sender: i64, frame: i64) -> bool:
        """Follow the table; False where it has no such entry."""
        following: i64 = _MOVES[(i64(self.state) * 2 + sender) * 3 + frame]
        if following == _NONE:
            return False
        self.state = u8(following)
        return True

    def allows(self, sender: i64, frame: i64) -> bool:
        """Whether the table has an entry for such a frame."""
        return _MOVES[(i64(self.state) * 2 + sender) * 3 + frame] != _NONE

    def has_ended(self, sender: i64) -> bool:
        """Whether `sender` has said END_STREAM."""
        return i64(self.state) == (CLIENT_DONE if sender == CLIENT else SERVER_DONE)

    def seen_body(self, sender: i64) -> Body | None:
        """What is known of the body that `sender` sends; None while nothing is."""
        return self._request_body if sender == CLIENT else self._response_body

    def body(self, sender: i64) -> Body:
        """The body that `sender` sends."""
        found = self._request_body if sender == CLIENT else self._response_body
        if found is None:
            found = Body()
            if sender == CLIENT:
                self._request_body = found
            else:
                self._response_body = found
        return found

    def calls(self) -> Calls:
        """Both bodies, as far as they are certain; the server's has ended.

        How many messages the client sends is not known before its end, and where its body is not seen.
        """
        request, response = self._request_body, self._response_body
        head = self.request
        if self.joined:
            return Calls(None, None)
        if i64(self.state) != CLOSED or head is None or (request is None and head.more):
            return Calls(None, _NO_BODY if response is None else response)
        return Calls(_NO_BODY if request is None else request, _NO_BODY if response is None else response)


NO_STREAM: Final = Stream(-1, CLOSED, False)
_NO_BODY: Final = Body()


@final
class StreamTable:
    """The streams that are not closed, by number: a hash table with linear probing, in which nobody stands nearer to its home than one
    that it stands behind ("Robin Hood").

    Streams that follow one another are neighbours in it, each at home. A peer that chooses numbers which collide makes a lookup look at
    every open stream, of which there are at most ``limits.streams``.
    """

    def __init__(self) -> None:
        self._slots = [NO_STREAM] * _MIN_SLOTS
        self._mask: i64 = _MIN_SLOTS - 1
        self.count: i64 = 0

    def get(self, number: i64) -> Stream | None:
        """The stream of that number; None where there is none."""
        stream = self._slots[self._find(number)]
        return stream if i64(stream.number) == number else None

    def all(self) -> list[Stream]:
        """Every stream, in the order of their numbers."""
        return sorted([stream for stream in self._slots if stream.number >= 0], key=lambda stream: stream.number)

    def doubt(self) -> None:
        """Octets were lost: what has come on any stream is not certain."""
        for stream in self._slots:
            if stream.number >= 0:
                stream.joined = True

    def asked(self) -> int:
        """How many streams there are whose request is no longer to come."""
        return sum(1 for stream in self._slots if stream.number >= 0 and not stream.ahead)

    def forget_silent(self) -> list[i64]:
        """Take out streams whose client has said all and whose server has said nothing, half of all: their numbers.

        Nothing, where they are not so many.
        """
        numbers = sorted(
            [
                i64(stream.number)
                for stream in self._slots
                if stream.number >= 0 and stream.state == CLIENT_DONE and stream.response is None
            ]
        )
        wanted = (self.count + 1) // 2
        if len(numbers) < wanted:
            return []
        for number in numbers[:wanted]:
            self.remove(number)
        return numbers[:wanted]

    def forget_older(self) -> None:
        """Take out the half of the streams that have the lowest numbers."""
        numbers = sorted([i64(stream.number) for stream in self._slots if stream.number >= 0])
        for number in numbers[: (len(numbers) + 1) // 2]:
            self.remove(number)

    def add(self, stream: Stream) -> None:
        """Put `stream` in, in place of one that has its number."""
        if self.count * 3 > self._mask * 2:
            self._rehouse((self._mask + 1) * _GROWTH)
        slots = self._slots
        mask = self._mask
        number: i64 = i64(stream.number)
        at = self._find(number)
        other = slots[at]
        slots[at] = stream
        if i64(other.number) == number:
            return
        self.count += 1
        while other.number >= 0:
            at = (at + 1) & mask
            displaced = slots[at]
            # The one that stands nearer to its home makes way.
            if displaced.number < 0 or _distance(displaced, at, mask) < _distance(other, at, mask):
                slots[at] = other
                other = displaced

    def remove(self, number: i64) -> Stream | None:
        """Take the stream of that number out; None where there is none."""
        slots = self._slots
        mask = self._mask
        at = self._find(number)
        found = slots[at]
        if i64(found.number) != number:
            return None
        self.count -= 1
        behind = (at + 1) & mask
        while slots[behind].number >= 0 and _distance(slots[behind], behind, mask) > 0:
            slots[at] = slots[behind]
            at = behind
            behind = (at + 1) & mask
        slots[at] = NO_STREAM
        if mask >= _MIN_SLOTS and self.count * _SPARSE <= mask:
            self._rehouse((mask + 1) // _GROWTH)
        return found

    def _find(self, number: i64) -> i64:
        """The slot of the stream of that number, or the one where it belongs."""
        slots = self._slots
        mask = self._mask
        at = (number >> 1) & mask
        distance: i64 = 0
        while True:
            stream = slots[at]
            found: i64 = i64(stream.number)
            if found == number or found < 0 or (at - (found >> 1)) & mask < distance:
                return at
            at = (at + 1) & mask
            distance += 1

    def _rehouse(self, size: i64) -> None:
        """Move to a table of `size` slots."""
        streams = [stream for stream in self._slots if stream.number >= 0]
        self._slots = [NO_STREAM] * size
        self._mask = size - 1
        self.count = 0
        for stream in streams:
            self.add(stream)


def _distance(stream: Stream, at: i64, mask: i64) -> i64:
    """How far from its home `stream` stands at the slot `at`."""
    return (at - (i64(stream.number) >> 1)) & mask
