"""How programs are changed: their steps, and the octets in them, whose lengths are put right most of the time.

A length is a number that says where something ends: 1 to 4 octets in either order, a varint of one octet, or decimal digits before CR LF.
Which numbers are lengths is guessed from the octets: that one says how many octets follow to the end, or leads over the place that changes.
So most of what is changed passes the first check of a length, whatever the protocol.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from l7codecs.testing.fuzzing.program import STEP_SIZE, Program, Step

__all__ = ["Mutator", "resized"]

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
                octets = self._octets(step.octets, chance)
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
            steps[at:at] = other.steps[begin : begin + chance.randint(1, 4)]
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

    def _octets(self, octets: bytes, chance: random.Random) -> bytes:
        at = chance.randrange(len(octets) + 1)
        stop = min(len(octets), at + chance.choice((0, 1, 1, 2, 4, 8, 16, 40)))
        choice = chance.randrange(10)
        if choice == 0 and at < len(octets):
            return octets[:at] + bytes((octets[at] ^ 1 << chance.randrange(8),)) + octets[at + 1 :]
        if choice == 1:
            return octets[:at] + chance.randbytes(stop - at) + octets[stop:]
        if choice == 2:
            size = chance.choice((1, 2, 4, 8))
            number = (chance.choice(_NUMBERS) - chance.choice((0, 0, 1))) % (1 << 8 * size)
            return octets[:at] + number.to_bytes(size, chance.choice(("big", "little"))) + octets[at + size :]
        if choice == 3:  # a length that leads a little too far, or not far enough
            found = _lengths(octets, at)
            if found:
                place, size, value, form, _ = chance.choice(found)
                return _written(octets, place, size, max(0, value + chance.choice((-2, -1, 1, 2, 100))), form)
        if choice < 6:
            token = chance.choice(self.tokens) if chance.random() < 0.8 else chance.choice(_TEXTS)
            if chance.random() < 0.3:
                return octets[:at] + token + octets[at + len(token) :]
            put = token
        elif choice == 6:
            put = b""
        elif choice == 7:
            put = octets[at:stop] * chance.choice((2, 3, 9))
        elif choice == 8:
            other = chance.choice(self.others).steps if self.others else ()
            source = chance.choice(other).octets if other else b""
            begin = chance.randrange(len(source) + 1)
            put = source[begin : begin + chance.choice((1, 4, 16, 64))]
        else:
            put = chance.randbytes(chance.choice((1, 2, 4, 8)))
        return resized(octets, at, stop, put) if chance.random() < 0.7 else octets[:at] + put + octets[stop:]


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
            changed = _written(changed, place, size, value + grows, form)
    return changed


def _lengths(octets: bytes, at: int) -> list[_Length]:
    """The numbers before octet `at` that seem to be lengths of what it lies in, from the first on; no two of them overlap."""
    found: list[_Length] = []
    for match in _DECIMAL.finditer(octets[:at]):
        end = match.end() + int(match[1])
        if at <= end and octets[end : end + 2] == b"\r\n":
            found.append((match.start(1), len(match[1]), int(match[1]), "decimal", end))
    place = 0
    while place < min(at, 512):
        length = _length_at(octets, place, at, not found)
        if length is None:
            place += 1
        else:
            found.append(length)
            place += length[1]
    found.sort()
    return [
        one for one, following in pairwise([*found, (len(octets) + 1, 0, 0, "", 0)]) if one[0] + one[1] <= following[0]
    ]


def _length_at(octets: bytes, place: int, at: int, first: bool) -> _Length | None:
    """The length that begins at `place`, if there seems to be one."""
    total = len(octets)
    for size in (4, 3, 2, 1):
        if place + size > at:
            continue
        rest = total - place - size
        value = int.from_bytes(octets[place : place + size], "big")
        # Of the first, the rest of a header may lie between.
        if value == rest or (first and size > 1 and place < 4 and 0 < value < rest <= value + 12):
            return place, size, value, "big", total
        if size > 1 and int.from_bytes(octets[place : place + size], "little") == rest:
            return place, size, rest, "little", total
        end = place + size + value
        if value and at <= end < total:
            if size == 4 or (size < 3 and value > 2 and place >= at - 64 and (size == 1 or octets[place] == 0)):
                return place, size, value, "big", end
    return None


def _written(octets: bytes, place: int, size: int, value: int, form: str) -> bytes:
    if form == "decimal":
        written = b"%d" % value
    else:
        written = (value % (1 << 8 * size)).to_bytes(size, "little" if form == "little" else "big")
    return octets[:place] + written + octets[place + size :]
