"""Where decoding can go on after lost octets, and what detection takes for a request.

A size and a few small numbers stand everywhere in the messages of Kafka, so a place is believed only where the table reads a body there:

    a request   a key and a version that the table has, a client id of printable text, and a body that ends with its frame
    an answer   the correlation id of a request that waits, and a body of that key and version that ends with its frame;
                or, where nobody knows the request: it is followed by such a one, or by two more frames, with the next ids

Of a frame longer than `LOOK` octets, so many are looked at, and have to be the beginning of such a body. What is looked at does not depend
on how many octets there are: first `GLANCE` of them, then `LOOK`.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64

from l7codecs import Limits, ProtocolError

from .._meaning.errors import is_known_error
from .._schema.layouts import ERROR_CODE, Layout, layout
from .._schema.walk import pick
from .apis import API_VERSIONS, is_flexible, is_known
from .header import ANSWER, CLIENT_ID, KEY, VERSION, skip_tags
from .pairing import InFlight
from .requests import KafkaRequest
from .responses import is_refused

__all__ = ["GLANCE", "LOOK", "NO", "YES", "AnswerSearch", "Place", "find_request", "weigh_request"]

GLANCE: Final[i64] = 64
LOOK: Final[i64] = 1024
"""Octets of a frame that are looked at."""
YES: Final[i64] = -1
NO: Final[i64] = 0
"""What weighs a place says; any other number: it needs so many octets."""
_SIZE: Final[i64] = 4
_FAR: Final[i64] = 1 << 60
_MAGIC: Final[i64] = 2
"""Of a batch of records, whose size, leader epoch and magic stand as the size, the id and the first octet of an answer do."""
_BATCH: Final[i64] = 49
"""What the size of such a batch is at least."""
_CHAINED: Final[i64] = 1 << 10
"""The largest answer of an unknown request that is believed by those that follow."""


@final
class Place:
    """Where a message starts, as `Decoder.boundary` returns it, and how many octets it takes to tell."""

    def __init__(self, at: i64, wanted: i64 = 0) -> None:
        self.at: i64 = at
        self.wanted: i64 = wanted


def find_request(octets: bytes, limits: Limits) -> Place:
    """The first place where a request plausibly begins."""
    end: i64 = len(octets)
    largest: i64 = limits.payload
    at: i64 = 0
    while at < end:
        verdict = weigh_request(octets, at, end, largest)
        if verdict == YES:
            return Place(at)
        if verdict != NO:
            return Place(-1 - at, verdict)
        at += 1
    return Place(-1 - end)


def weigh_request(octets: bytes, at: i64, end: i64, largest: i64) -> i64:
    """`YES` where a request begins at `at`, `NO`, or how many octets from there on it needs to tell."""
    have = end - at
    if octets[at] > 0x1F:
        return NO
    if have < CLIENT_ID + 2:
        # What can be told of the first octets is told of them.
        if have > KEY and octets[at + KEY] != 0:
            return NO
        return CLIENT_ID + 2
    size = i64(read_i32_be(octets, at))
    frame = size + _SIZE
    if frame < CLIENT_ID + 2 or size > largest:
        return NO
    key = i64(read_i16_be(octets, at + KEY))
    version = i64(read_i16_be(octets, at + VERSION))
    if not is_known(key, version):
        return NO
    length = i64(read_i16_be(octets, at + CLIENT_ID))
    body: i64 = CLIENT_ID + 2 + max(length, 0)
    if length < -1 or body > frame:
        return NO
    for part in (GLANCE, LOOK):
        seen: i64 = min(frame, part)
        if have < seen:
            return seen
        if not is_text(octets, at + CLIENT_ID + 2, at + min(body, seen)):
            return NO
        if body > seen:
            continue
        start = at + body
        if is_flexible(key, version):
            start = skip_tags(octets, start, at + seen)
            if start < 0:
                if seen == frame:
                    return NO
                continue
        found = layout(key, version, False)
        if found is None or not _reads(found, octets, start, at + seen, seen == frame):
            return NO
        if seen == frame:
            return YES
    return YES


def is_text(octets: bytes, start: i64, stop: i64) -> bool:
    """Whether there are no control characters."""
    at = start
    while at < stop:
        octet: i64 = octets[at]
        if octet < 0x20 or octet == 0x7F:
            return False
        at += 1
    return True


def _reads(found: Layout, octets: bytes, start: i64, stop: i64, whole: bool) -> bool:
    """Whether a body ends at `stop`; of one that is cut, whether it can begin so."""
    try:
        walked = pick(found, octets, start, stop, 0, check=True, partial=not whole)
    except ProtocolError:
        return False
    return not whole or walked.at == stop


@final
class AnswerSearch:
    """The search for an answer behind lost octets: each place is weighed once, and again when there are the octets that it needs.

    Of several places it is the one that takes the fewest octets of the direction to tell, so that a number that looks like a size, and
    has to be waited for, hides none.
    """

    def __init__(self) -> None:
        self._next: i64 = -1
        """The offset of the first place that was not weighed."""
        self._open: list[tuple[int, int]] = []
        """A heap: up to which offset there have to be octets, and the offset of the place."""

    def find(self, octets: bytes, offset: i64, largest: i64, waiting: InFlight | None) -> Place:
        """The place in `octets`, which stand at `offset`, while `waiting` has the requests that wait."""
        if self._next < offset:
            self._next = offset
            self._open.clear()
        end: i64 = offset + len(octets)
        found: i64 = -1
        certain: i64 = _FAR
        while True:
            if self._open and self._open[0][0] <= end:
                at: i64 = heappop(self._open)[1]
                if at < offset:
                    continue
            elif self._next + ANSWER <= end and self._next + ANSWER < certain:
                at = self._next
                self._next += 1
            else:
                break
            verdict = _weigh_answer(octets, at - offset, end - offset, largest, waiting)
            if verdict < 0:
                if at - verdict < certain:
                    found = at
                    certain = at - verdict
            elif verdict != NO:
                heappush(self._open, (at + verdict, at))
        if found >= 0:
            self._next = -1
            self._open.clear()
            return Place(found - offset)
        first: i64 = self._next
        soonest: i64 = self._next + ANSWER
        for needed, place in self._open:
            first = min(first, place)
            soonest = min(soonest, needed)
        first = max(first, offset)
        return Place(offset - first - 1, soonest - first)


def _weigh_answer(octets: bytes, at: i64, end: i64, largest: i64, waiting: InFlight | None) -> i64:
    if octets[at] > 0x1F:
        return NO
    have = end - at
    if have < ANSWER:
        return ANSWER
    size = i64(read_i32_be(octets, at))
    if size < 4 or size > largest:
        return NO
    known = None if waiting is None else waiting.first_of(i64(read_i32_be(octets, at + _SIZE)))
    if known is not None:
        verdict = _weigh_known(octets, at, end, size + _SIZE, known)
        if verdict != NO:
            return verdict
    return _weigh_chain(octets, at, end, waiting)


def _weigh_known(octets: bytes, at: i64, end: i64, frame: i64, request: KafkaRequest) -> i64:
    """Whether an answer with the id of `request` begins at `at`, in a frame of so many octets.

    `NO`, how many octets from there on it needs to tell, or, negative, how many it has needed to say yes.
    """
    key = request.api_key
    version = request.version
    for part in (GLANCE, LOOK):
        seen: i64 = min(frame, part)
        if end - at < seen:
            return seen
        start = at + ANSWER
        if key == API_VERSIONS:
            if version != 0 and is_refused(octets, start, at + seen, at + frame):
                version = 0
        elif is_flexible(key, version):
            start = skip_tags(octets, start, at + seen)
            if start < 0:
                return NO
        found = layout(key, version, True)
        if found is None or not _reads(found, octets, start, at + seen, seen == frame):
            return NO
        if seen == frame:
            return -seen if _has_known_errors(found, octets, start, at + seen) else NO
    return -LOOK


def _has_known_errors(found: Layout, octets: bytes, start: i64, stop: i64) -> bool:
    """Whether every error code is one: a short body of others reads anything."""
    codes = pick(found, octets, start, stop, ERROR_CODE)
    return all(is_known_error(codes.number(at)) for at in range(len(codes)))


def _weigh_chain(octets: bytes, at: i64, end: i64, waiting: InFlight | None) -> i64:
    """As `_weigh_known`, of an answer whose request is not known: by what follows it."""
    first = i64(read_i32_be(octets, at + _SIZE))
    if first < 0:
        return NO
    if end - at > ANSWER and octets[at + ANSWER] == _MAGIC and i64(read_i32_be(octets, at)) >= _BATCH:
        return NO  # no answer of today begins its body so, and a batch ends where its answer does
    here = at
    latest = first
    count = 0
    while True:
        size = i64(read_i32_be(octets, here))
        if size < 4 or size > _CHAINED:
            return NO
        here += size + _SIZE
        if here + ANSWER > end:
            return here + ANSWER - at
        number = i64(read_i32_be(octets, here + _SIZE))
        if number != latest + 1:
            return NO  # what ends a frame, and looks like one, is followed by a frame as well
        size = i64(read_i32_be(octets, here))
        if size < 4:
            return NO
        known = None if waiting is None else waiting.first_of(number)
        if known is not None:
            verdict = _weigh_known(octets, here, end, size + _SIZE, known)
            if verdict < 0:
                return at - here + verdict
            if verdict != NO:
                return here + verdict - at
        count += 1
        if count == 2:
            return at - here - ANSWER
        latest = number
