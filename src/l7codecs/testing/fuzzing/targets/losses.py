"""What is told after loss, held against the truth: the whole conversation, decoded whole.

A program chooses a vector, several one after the other, and damages it: octets are lost, with or without their number, it is joined in
its middle, its sides are seen in another order. No message may come that nobody sent, no answer may have another request than its own, and
no error that the octets do not deserve: they are all right.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property

from l7codecs.errors import IncompleteMessage, LimitExceeded, ProtocolError
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Event, Message
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.vectors import Vector

__all__ = ["Losses", "Truth"]

DAMAGE, JOIN, SHUFFLE = range(3)
SENDERS = (Sender.CLIENT, Sender.SERVER)
_LARGEST = 64 * 1024
_MADE = "spoken "
_SPOKEN = 64
"""Conversations that a grammar knows to be right, beside the vectors."""


@dataclass
class Truth:
    """What a conversation is: by side, messages by their offset, with their octets, kind and the offset of their request."""

    pieces: tuple[tuple[Sender, bytes], ...]
    messages: dict[Sender, dict[int, tuple[bytes, int | None]]] = field(default_factory=dict)
    pairs: int = 0
    told: dict[tuple[Sender, int], Message] = field(default_factory=dict)
    """The messages themselves."""


class Losses(Target):
    """A vector, damaged. The first step chooses it (`a` + 256 * `b`), its octets how it is cut.

    Octets are lost, or the sides are seen in another order, as the step behind it says: steps of the other kind say nothing.

    0 octets of side `a` are lost from place (octets 0 and 1) on, as many as octet 2 says (octet 3: times 32), their number told
    unless `b` is odd; 1 it is joined: side `a` is heard from place (octets 0 and 1) on; 2 the sides are seen in another order
    (`a`: by how many pieces).
    """

    name = "loss"
    number = 3
    operations = 3

    def usable(self) -> bool:
        return bool(self.vectors)

    @cached_property
    def _truths(self) -> dict[int, Truth | None]:
        return {}

    @cached_property
    def vectors(self) -> list[Vector]:
        """Those that are damaged."""
        found = [vector for vector in self.material.all_vectors if vector.size <= _LARGEST]
        if self.material.spoken is not None:
            for number in range(_SPOKEN):
                spoken = self.material.spoken(random.Random(number))
                found.append(Vector(f"{_MADE}{number}", tuple((each.sender, each.octets) for each in spoken)))
        return [vector for vector in found if not any(fnmatch(vector.name, each) for each in self.material.misleading)]

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for _ in range(60):
            yield self.damaged(chance)

    def fresh(self, chance: random.Random) -> Program | None:
        return self.damaged(chance)

    def damaged(self, chance: random.Random) -> Program:
        """A vector with some damage."""
        number = chance.randrange(len(self.vectors))
        steps = [Step(0, number & 255, number >> 8, bytes((chance.randrange(4),)))]
        kind = chance.randrange(3)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(1 << 16).to_bytes(2, "little") + bytes(
                (chance.randrange(256), chance.randrange(2))
            )
            steps.append(Step(kind, chance.randrange(4), chance.randrange(2), place))
        return Program(self.number, tuple(steps), 0, chance.randrange(1 << 16))

    def truth(self, number: int) -> Truth | None:
        """None where it cannot be decoded whole."""
        if number not in self._truths:
            self._truths[number] = self._decode_whole(self.vectors[number])
        return self._truths[number]

    def _decode_whole(self, vector: Vector) -> Truth | None:
        session = self.material.protocol.open()
        truth = Truth(vector.pieces, {sender: {} for sender in Sender})
        try:
            for sender, octets in vector.pieces:
                for event in session.receive(sender, octets):
                    self._note(truth, event)
        except ProtocolError:
            return None
        return truth

    def _note(self, truth: Truth, event: Event) -> None:
        if isinstance(event, Message):
            paired = event.kind is Kind.RESPONSE and event.request is not None
            truth.pairs += paired
            request = event.request.offset if paired and event.request is not None else None
            truth.messages[event.sender][event.offset] = (event.raw, request)
            truth.told[event.sender, event.offset] = event

    def run(self, program: Program) -> None:
        self.damage(program, False)

    def examine(self, program: Program) -> None:
        """What messages say, too: the same as if nothing had been lost, or nothing."""
        self.damage(program, True)
        self.figures["examined"] += 1

    def damage(self, program: Program, closely: bool) -> None:
        """Decode a vector that is damaged, and hold what comes against the truth; `closely` also what it says."""
        if not program.steps:
            return
        first = program.steps[0]
        number = (first.a + 256 * first.b) % len(self.vectors)
        truth = self.truth(number)
        if truth is None:
            return
        lost = {sender: bytearray(len(self.vectors[number].octets(sender))) for sender in Sender}
        order = list(range(len(truth.pieces)))
        chance = random.Random(program.seed)
        # Loss and another order together prove nothing: what is told after a loss depends on the order across directions.
        shuffles = any(step.operation % 3 == SHUFFLE for step in program.steps[1:2])
        if shuffles and self.vectors[number].name.startswith(_MADE):
            return  # what is made answers out of order: where ids are loose, an answer to what is seen later is one to what waits
        for step in program.steps[1:]:
            if (step.operation % 3 == SHUFFLE) is shuffles:
                self._damage(step, lost, order, truth, chance)
        # In another order the answer that says what follows from a request may come too late to know.
        self.decode(number, truth, lost, order, chance, closely and not shuffles)

    def _damage(
        self, step: Step, lost: dict[Sender, bytearray], order: list[int], truth: Truth, chance: random.Random
    ) -> None:
        """Mark what is lost: 1 with its number told, 2 without."""
        mark = 2 if step.b & 1 else 1
        low, high, size, scale = step.octets[:4].ljust(4, b"\0")
        way = lost[SENDERS[step.a & 1]]
        at = (low | high << 8) * len(way) >> 16
        if step.operation % 3 == DAMAGE:
            stop = min(len(way), at + 1 + size * (32 if scale & 1 else 1))
            way[at:stop] = bytes((mark,)) * (stop - at)
        elif step.operation % 3 == JOIN:
            way[:at] = b"\2" * at
        else:
            far = step.a % 8 + 1
            keys = {number: number + chance.randrange(far) for number in order}
            sides: dict[Sender, list[int]] = {sender: [] for sender in Sender}
            for number in order:
                sides[truth.pieces[number][0]].append(number)
            mixed = sorted(order, key=lambda number: keys[number])
            turns = {sender: iter(sorted(numbers)) for sender, numbers in sides.items()}
            order[:] = [next(turns[truth.pieces[number][0]]) for number in mixed]

    def decode(
        self,
        number: int,
        truth: Truth,
        lost: dict[Sender, bytearray],
        order: list[int],
        chance: random.Random,
        closely: bool,
    ) -> None:
        """Feed what is left, and hold what comes against the truth."""
        session = self.material.protocol.open()
        starts: dict[Sender, tuple[list[int], list[int]]] = {sender: ([0], [0]) for sender in Sender}
        """By side, where the session's offsets and the true ones part."""
        fed = dict.fromkeys(Sender, 0)
        begins = []
        for sender, octets in truth.pieces:
            begins.append(fed[sender])
            fed[sender] += len(octets)
        at = dict.fromkeys(Sender, 0)
        wrong: set[Sender] = set()
        heard: set[Sender] = set()
        alone = 0
        events: list[Event] = []
        where = self.vectors[number].name

        def take(sender: Sender, found: Iterator[Event]) -> None:
            try:
                events.extend(_each(found))
            except IncompleteMessage:
                wrong.add(sender)
            except LimitExceeded:
                wrong.add(sender)
            except ProtocolError as error:
                raise AssertionError(
                    f"{where}, damaged: {error!r} of the {sender.value}, of octets that are right"
                ) from error

        for piece in order:
            sender, octets = truth.pieces[piece]
            begin = begins[piece]
            marks = lost[sender][begin : begin + len(octets)]
            for start, stop, mark in _runs(marks):
                while start < stop and sender not in wrong:
                    if mark:
                        size = stop - start if mark == 1 else 0
                        take(sender, session.gap(sender, size))
                        at[sender] += size
                        starts[sender][0].append(at[sender])
                        starts[sender][1].append(begin + stop)
                        start = stop
                    else:
                        size = min(stop - start, chance.choice((1, 8, 60, 1460, 1460)))
                        heard.add(sender)
                        take(sender, session.receive(sender, octets[start : start + size]))
                        if len(heard) == 1:
                            alone = len(events)
                        at[sender] += size
                        start += size
        for sender in Sender:
            if sender not in wrong:
                take(sender, session.eof(sender))
        self._compare(where, truth, events, starts, alone if self.material.one_sided else 0, closely)

    def _compare(
        self,
        where: str,
        truth: Truth,
        events: list[Event],
        starts: dict[Sender, tuple[list[int], list[int]]],
        believed: int,
        closely: bool,
    ) -> None:
        """Of the first `believed` events nothing is asked but their pairs: they were told while one side was all that was heard."""

        def place(message: Message) -> int:
            ours, true = starts[message.sender]
            index = bisect_right(ours, message.offset) - 1
            return true[index] + message.offset - ours[index]

        self.figures["conversations"] += 1
        self.figures["answers sent"] += truth.pairs
        told = {event for event in events if isinstance(event, Message)}
        for number, event in enumerate(events):
            if not isinstance(event, Message):
                continue
            true = truth.messages[event.sender].get(place(event))
            self.figures["messages"] += 1
            # How much of a large one is its head follows from what was known when it began.
            size = min(len(true[0]), len(event.raw)) if true is not None else 0
            if true is None or true[0][:size] != event.raw[:size]:
                if number < believed:
                    continue
                self.figures["invented"] += 1
                raise AssertionError(
                    f"{where}, damaged: nobody sent {event!r} with {event.raw[:60]!r}, at its true octet "
                    f"{place(event)}; there is {true and true[0][:60]!r}"
                )
            if closely and number >= believed:
                check_said(event, truth.told[event.sender, place(event)], self.material.learnt, where)
            if event.kind is Kind.RESPONSE:
                self.figures["answers"] += 1
                if event.request is not None:
                    self.figures["paired"] += 1
                    request = place(event.request)
                    if event.request in told and true[1] is not None and request != true[1]:
                        self.figures["wrong pairs"] += 1
                        raise AssertionError(
                            f"{where}, damaged: {event!r} at its true octet {place(event)} answers the request at {true[1]}, "
                            f"and is told to answer {event.request!r} at {request}"
                        )

    def explain(self, program: Program) -> str:
        if not program.steps:
            return ""
        first = program.steps[0]
        vector = self.vectors[(first.a + 256 * first.b) % len(self.vectors)]
        names = ("lost", "joined", "another order")
        return f"vector {vector.name}\n" + "".join(
            f"{names[step.operation % 3]}: side {SENDERS[step.a & 1].value}, {step.a} {step.b} {step.octets.hex()}\n"
            for step in program.steps[1:]
        )


def check_said(event: Message, true: Message, learnt: Collection[str], where: str) -> None:
    """Raises AssertionError where `event`, told behind a loss, says what the same message does not say where nothing was lost.

    Of a request, but for what is `learnt`, and lists, of which some may be known; an answer may know less of what it answers. None is OK
    that is not, and none is told to get no answer that gets one.
    """
    if event.more or true.more:
        return  # how much of it is a head follows from what was known
    if event.kind is Kind.REQUEST and true.kind is Kind.REQUEST:
        known = true.attributes
        for name, value in event.attributes.items():
            may_differ = name in learnt or isinstance(value, tuple)
            assert name not in known or known[name] == value or may_differ, (
                f"{where}, damaged: {event!r} tells {name} as {value!r}, and it is {known[name]!r}"
            )
    assert event.kind is not Kind.ONEWAY or true.kind is Kind.ONEWAY, (
        f"{where}, damaged: {event!r} is told as one that gets no answer, and it is a {true.kind.value}"
    )
    assert event.status is not Status.OK or true.status is Status.OK or true.status is None, (
        f"{where}, damaged: {event!r} is told as OK, and it is {true.status!r}"
    )


def _each(found: Iterator[Event]) -> Iterator[Event]:
    yield from found


def _runs(marks: bytearray) -> Iterator[tuple[int, int, int]]:
    """Stretches that are marked alike: where they start and stop, and how."""
    start = 0
    for at in range(1, len(marks) + 1):
        if at == len(marks) or marks[at] != marks[start]:
            yield start, at, marks[start]
            start = at
