"""How programs are changed: their steps, and the octets in them, whose lengths are put right most of the time.

A length is a number that says where something ends: 1 to 4 octets in either order, a varint, or decimal digits before CR LF.
Which numbers are lengths is guessed from the octets: that one says how many octets follow to the end, or leads over the place that changes.
So most of what is changed passes the first check of a length, whatever the protocol.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from l7codecs.testing.fuzzing.program import STEP_SIZE, Program, Step

__all__ = ["Mutator", "resized", "woven"]

# With what compiled code has in the place of no number: -113, and 239 of an octet.
_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xEF,
    (1 << 64) - 113,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 63,
)
_TEXTS = (
    b"-1",
    b"0",
    b"1",
    b"+1",
    b"00",
    b"9" * 10,
    b"9" * 20,
    b"4294967296",
    b"-2147483649",
    b"1e9",
    b"\r\n",
    b"\0",
    b"\xff",
)
_DECIMAL = re.compile(rb"(\d{1,6})\r\n")
_CUTS = (0, 1, 1, 2, 4, 8, 16, 40)
_OFF = (-2, -1, 1, 2, 100)
_NEARBY = 64
"""Octets: a short length that leads not to the end is one of what stands so near."""
_AT_ONE = 12
_NEAR = 48
"""So many neighbours are those of one, before one of them may take its place."""


class Mutator:
    """Changes programs; `others` are those that parts are taken from, and `made` makes more of a target, by its number, where it can."""

    def __init__(
        self,
        tokens: Sequence[bytes],
        others: Sequence[Program],
        made: Callable[[int, random.Random], Program | None],
        operations: dict[int, int],
    ) -> None:
        self.tokens = list(tokens) or [b"\0"]
        self.others = list(others)
        self._alike: dict[int, list[Program]] = {}
        for other in self.others:
            if other.steps:
                self._alike.setdefault(other.target, []).append(other)
        self.made = made
        self.operations = operations
        """By number of a target: how many operations it has."""

    def mutate(
        self, data: bytes, most: int, chance: random.Random, inner: Callable[[bytes, int], bytes] | None = None
    ) -> bytes:
        """Other octets of at most `most`. `inner` is another way to change octets, which knows more of what was compared."""
        return self.changed(Program.decode(data), most, chance, inner).encode()[:most]

    def changed(
        self, program: Program, most: int, chance: random.Random, inner: Callable[[bytes, int], bytes] | None = None
    ) -> Program:
        """As `mutate`, of a program; one step alone may be longer than `most`."""
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            program = self._once(program, chance, inner)
        size = sum(STEP_SIZE + len(step.octets) for step in program.steps)
        if size > most:
            steps = list(program.steps)
            while size > most and len(steps) > 1:
                size -= STEP_SIZE + len(steps.pop(chance.randrange(len(steps))).octets)
            program = program.with_steps(steps)
        return program

    def _once(self, program: Program, chance: random.Random, inner: Callable[[bytes, int], bytes] | None) -> Program:
        steps = list(program.steps)
        choice = chance.random()
        if not steps or choice < 0.03:
            other = self.made(program.target, chance) if chance.random() < 0.6 else None
            if other is None:
                same = self._alike.get(program.target)
                other = chance.choice(same) if same else None
            if other is None:
                return program.with_steps(
                    [*steps, Step(chance.randrange(8), chance.randrange(4), chance.randrange(256))]
                )
            return Program(program.target, other.steps, program.limits, program.seed)
        at = chance.randrange(len(steps))
        step = steps[at]
        if choice < 0.5 and any(each.octets for each in steps):
            places = [number for number, each in enumerate(steps) if each.octets]
            at = chance.choice(places)
            step = steps[at]
            if inner is not None and chance.random() < 0.3:
                octets = inner(step.octets, len(step.octets) + 16)
            else:
                octets = self._octets(step.octets, chance.randrange(len(step.octets) + 1), chance)
            steps[at] = Step(step.operation, step.a, step.b, octets)
        elif choice < 0.58:
            del steps[at : at + chance.randint(1, 3)]
        elif choice < 0.66:
            steps[at:at] = steps[at : at + chance.randint(1, 4)] * chance.choice((1, 1, 2, 5))
        elif choice < 0.72:
            to = chance.randrange(len(steps))
            steps[at], steps[to] = steps[to], steps[at]
        elif choice < 0.77 and len(step.octets) > 1:
            cut = chance.randrange(1, len(step.octets))
            halves = (step.octets[:cut], step.octets[cut:])
            steps[at : at + 1] = [Step(step.operation, step.a, step.b, half) for half in halves]
        elif choice < 0.87 and self.others:
            same = self._alike.get(program.target) or self.others
            other = chance.choice(same)
            begin = chance.randrange(max(len(other.steps), 1))
            taken = other.steps[begin : begin + chance.randint(1, 4)]
            if choice < 0.83:
                steps[at:at] = taken
            else:  # what is in several frames comes between the frames of others
                steps[at : at + len(taken)] = woven(steps[at : at + len(taken)], taken, chance)
        elif choice < 0.97:
            count = self.operations.get(program.target, 1)
            operation = chance.randrange(count) if chance.random() < 0.3 else step.operation
            a = chance.choice((step.a, step.a ^ 1, chance.randrange(256)))
            b = chance.choice((step.b, chance.randrange(8), chance.randrange(256)))
            if chance.random() < 0.5:
                steps.insert(at, Step(chance.randrange(count), a, b))
            else:
                steps[at] = Step(operation, a, b, step.octets)
        elif chance.random() < 0.5:
            return Program(program.target, program.steps, chance.randrange(8), program.seed)
        else:
            return Program(program.target, program.steps, program.limits, chance.randrange(1 << 16))
        return program.with_steps(steps)

    def neighbours(self, octets: bytes, count: int, chance: random.Random) -> Iterator[bytes]:
        """`count` times `octets`, changed in a place or a few; what is changed itself is changed now and then, so some lie farther away."""
        base = octets
        at = 0
        for number in range(count):
            if number % _AT_ONE == 0:  # which lengths lead over a place is looked up once for these
                at = int(chance.random() * (len(base) + 1))
            changed = self._octets(base, at, chance)
            yield changed
            if number % _NEAR == _NEAR - 1:
                base = changed if chance.random() < 0.75 and len(changed) <= 2 * len(octets) else octets

    def _octets(self, octets: bytes, at: int, chance: random.Random) -> bytes:
        """`octets`, changed from `at` on."""
        part = chance.random  # `randrange` and `choice` cost more than what is done here
        stop = min(len(octets), at + _CUTS[int(part() * len(_CUTS))])
        choice = int(part() * 10)
        if choice == 0 and at < len(octets):
            return octets[:at] + bytes((octets[at] ^ 1 << int(part() * 8),)) + octets[at + 1 :]
        if choice == 1:
            return octets[:at] + chance.randbytes(stop - at) + octets[stop:]
        if choice == 2:
            size = 1 << int(part() * 4)
            number = (_NUMBERS[int(part() * len(_NUMBERS))] - (part() < 0.3)) % (1 << 8 * size)
            return octets[:at] + number.to_bytes(size, "big" if part() < 0.5 else "little") + octets[at + size :]
        if choice == 3:  # a length that leads a little too far, or not far enough
            found = _lengths(octets, at)
            if found:
                place, size, value, form, _ = found[int(part() * len(found))]
                return _written(octets, place, size, max(0, value + _OFF[int(part() * len(_OFF))]), form)
        if choice < 6:
            tokens = self.tokens if part() < 0.8 else _TEXTS
            token = tokens[int(part() * len(tokens))]
            if part() < 0.3:
                return octets[:at] + token + octets[at + len(token) :]
            put = token
        elif choice == 6:
            put = b""
        elif choice == 7:
            put = octets[at:stop] * (2, 3, 9)[int(part() * 3)]
        elif choice == 8:
            other = self.others[int(part() * len(self.others))].steps if self.others else ()
            source = other[int(part() * len(other))].octets if other else b""
            begin = int(part() * (len(source) + 1))
            put = source[begin : begin + (1, 4, 16, 64)[int(part() * 4)]]
        else:
            put = chance.randbytes(1 << int(part() * 4))
        return resized(octets, at, stop, put) if part() < 0.7 else octets[:at] + put + octets[stop:]


def woven(one: Sequence[Step], other: Sequence[Step], chance: random.Random) -> list[Step]:
    """Both, each in its own order, one step between others."""
    found: list[Step] = []
    left, right = list(one), list(other)
    while left or right:
        found.append((left if not right or (left and chance.random() < 0.5) else right).pop(0))
    return found


_Length = tuple[int, int, int, str, int]
"""Where it is, of how many octets, what it says, its form, and where what it leads over ends."""


def resized(octets: bytes, start: int, stop: int, put: bytes) -> bytes:
    """`put` in the place of ``octets[start:stop]``, and the lengths before it that lead over the place put right."""
    grows = len(put) - (stop - start)
    changed = octets[:start] + put + octets[stop:]
    if grows == 0:
        return changed
    for place, size, value, form, end in reversed(_lengths(octets, start)):
        if end >= stop and value + grows >= 0:
            before = len(changed)
            changed = _written(changed, place, size, value + grows, form)
            grows += len(changed) - before  # a longer number is in what lies around it
    return changed


@lru_cache(256)
def _lengths(octets: bytes, at: int) -> tuple[_Length, ...]:
    """The numbers before octet `at` that seem to be lengths of what it lies in, from the first on; no two of them overlap."""
    decimal, binary = _all_lengths(octets)
    found = [length for length in decimal if length[0] + length[1] + 2 <= at <= length[4]]
    first = not found
    free = 0
    for length, only_first in binary:
        place, size, _, _, end = length
        if place >= at:
            break
        if place < free or place + size > at or at > end or (only_first and not first):
            continue
        if size == 4 or end == len(octets) or place >= at - _NEARBY:
            found.append(length)
            first = False
            free = place + size
    found.sort()
    found.append((len(octets) + 1, 0, 0, "", 0))
    return tuple(one for one, following in pairwise(found) if one[0] + one[1] <= following[0])


@lru_cache(256)
def _all_lengths(octets: bytes) -> tuple[list[_Length], list[tuple[_Length, bool]]]:
    """What may be a length of anything behind it: decimal ones, and others, with whether they are none where one stands before."""
    decimal: list[_Length] = []
    for match in _DECIMAL.finditer(octets):
        end = match.end() + int(match[1])
        if octets[end : end + 2] == b"\r\n":
            decimal.append((match.start(1), len(match[1]), int(match[1]), "decimal", end))
    binary: list[tuple[_Length, bool]] = []
    total = len(octets)
    for place in range(min(total, 512)):
        for size in (4,) if decimal else (4, 3, 2, 1):  # letters look like short ones
            rest = total - place - size
            if rest < 0:
                continue
            value = int.from_bytes(octets[place : place + size], "big")
            end = place + size + value
            if value == rest:
                binary.append(((place, size, value, "short" if size == 1 else "big", total), False))
                continue
            # Of the first, the rest of a header may lie between.
            if size > 1 and place < 4 and 0 < value < rest <= value + 12:
                binary.append(((place, size, value, "big", total), True))
            if size > 1 and octets[place] > 0x7F and _varint(octets[place : place + size]) == rest:
                binary.append(((place, size, rest, "varint", total), False))
            elif size > 1 and int.from_bytes(octets[place : place + size], "little") == rest:
                binary.append(((place, size, rest, "little", total), False))
            elif (
                value > 0
                and end < total
                and (size == 4 or (size < 3 and value > 2 and (size == 1 or octets[place] == 0)))
            ):
                binary.append(((place, size, value, "big", end), False))
    return decimal, binary


def _varint(octets: bytes) -> int:
    """The number that is written in all of `octets`, seven bits in each, the lowest first; -1 where none is."""
    if octets[-1] > 0x7F or min(octets[:-1], default=0x80) < 0x80:
        return -1
    return sum((octet & 0x7F) << 7 * number for number, octet in enumerate(octets))


def _written(octets: bytes, place: int, size: int, value: int, form: str) -> bytes:
    if form == "decimal":
        written = b"%d" % value
    elif form == "varint" or (form == "short" and value > 0xFF):
        written = bytes(
            (value >> shift & 0x7F) | 0x80 for shift in range(0, max(value.bit_length() - 1, 0) // 7 * 7, 7)
        )
        written += bytes((value >> 7 * len(written),))
    else:
        written = (value % (1 << 8 * size)).to_bytes(size, "little" if form == "little" else "big")
    return octets[:place] + written + octets[place + size :]
