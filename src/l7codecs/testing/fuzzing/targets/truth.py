"""Conversations that a grammar knows to be right: each message stands where it was written, answers what it answers, says what it says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

from l7codecs.errors import ProtocolError
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Data, Event, Message
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.reads import Read, cut, joined
from l7codecs.testing.fuzzing.spoken import Spoken, said_by
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.replay import place

__all__ = ["Truth"]

_SEED = 4
"""Octets of a step of which a conversation is made."""
_SEEDS = 60


class Truth(Target):
    """The octets of the first step are the seed of a conversation, the program's seed says how it is cut.

    Of each other program another conversation is made, so that what guides guides the grammar.
    """

    name = "truth"
    number = 8
    operations = 1

    def usable(self) -> bool:
        return self.material.spoken is not None

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for _ in range(_SEEDS):
            yield self.fresh(chance)

    def fresh(self, chance: random.Random) -> Program:
        return Program(self.number, (Step(0, 0, 0, chance.randbytes(_SEED)),), 0, chance.randrange(1 << 16))

    def conversation(self, program: Program) -> Sequence[Spoken]:
        """What is said."""
        octets = program.steps[0].octets[:_SEED] if program.steps else b""
        assert self.material.spoken is not None
        return self.material.spoken(random.Random(int.from_bytes(octets, "big")))

    def run(self, program: Program) -> None:
        spoken = self.conversation(program)
        reads = [Read(each.sender, each.octets) for each in spoken]
        kind = program.seed & 3
        if kind:
            reads = joined(reads)
        if kind > 1:
            reads = list(cut(reads, 0, program.seed))
        session = self.material.protocol.open()
        events: list[Event] = []
        try:
            for read in reads:
                for event in session.receive(read.sender, read.octets):
                    events.append(event)
                    if kind == 2 and isinstance(event, Message):
                        _ = event.attributes  # what is read at once is read as it is later
            for sender in Sender:
                events += session.eof(sender)
        except ProtocolError as error:
            raise AssertionError(f"{error!r} in octets that are right") from error
        self.figures["messages"] += len(spoken)
        self.hold(spoken, events)

    def hold(self, spoken: Sequence[Spoken], events: Sequence[Event]) -> None:
        """Raises AssertionError where `events` are not what was `spoken`."""
        starts = starts_of(spoken)
        told: dict[tuple[Sender, int], Message] = {}
        rest: dict[int, list[Data]] = {}
        """By place, what went on within its octets."""
        places = {(each.sender, start): number for number, (each, start) in enumerate(zip(spoken, starts, strict=True))}
        here = dict.fromkeys(Sender, 0)
        for event in events:
            number = places.get((event.sender, event.offset))
            if number is not None:
                here[event.sender] = number
            if isinstance(event, Message):
                assert number is not None and spoken[number].part_of is None, (
                    f"{place(event)}, with {event.raw[:60]!r}, was never said: it begins within another message"
                )
                told[event.sender, event.offset] = event
                self.note((event.kind, event.operation, event.status, event.error))
            elif isinstance(event, Data):
                rest.setdefault(here[event.sender], []).append(event)
            else:
                raise AssertionError(f"{place(event)}, with {event.raw[:60]!r}, is taken for no message")
        for number, (each, start) in enumerate(zip(spoken, starts, strict=True)):
            if each.part_of is not None:
                head = spoken[each.part_of]
                body = b"".join([data.payload for data in rest.get(number, ())])
                assert all(data.message is told.get((head.sender, starts[each.part_of])) for data in rest[number])
                assert each.says.get("payload", body) == body, f"a part of {head.octets[:60]!r} is read as {body!r}"
                continue
            message = told.get((each.sender, start))
            assert message is not None, (
                f"{each.octets[:60]!r}, at octet {start} of the {each.sender.value}, is not told"
            )
            self.compare(each, message, rest.get(number, []))
            asked = None if each.answers is None else told.get((spoken[each.answers].sender, starts[each.answers]))
            if each.answers is not None or message.kind is Kind.RESPONSE:
                found = message.request
                assert (found is None) is (asked is None) and (
                    found is None or asked is None or (found.sender, found.offset) == (asked.sender, asked.offset)
                ), f"{place(message)} answers {found!r}, and was said to {asked!r}"

    def compare(self, each: Spoken, message: Message, rest: list[Data]) -> None:
        """Raises AssertionError where `message` says something else than was said."""
        for name, value in each.says.items():
            found = said_by(message, name, rest)
            assert found == value and type(found) is type(value), (
                f"{name} of {place(message)} is {found!r}, and {value!r} was said: {each.octets[:80]!r}"
            )

    def explain(self, program: Program) -> str:
        return "".join(
            f"{'C' if each.sender is Sender.CLIENT else 'S'} {repr(each.octets)[2:-1]}\n"
            for each in self.conversation(program)
        )


def starts_of(spoken: Sequence[Spoken]) -> list[int]:
    """Where in its direction each begins."""
    found = [0] * len(spoken)
    for sender in Sender:
        numbers = [number for number, each in enumerate(spoken) if each.sender is sender]
        ends = accumulate((len(spoken[number].octets) for number in numbers), initial=0)
        for number, start in zip(numbers, ends, strict=False):
            found[number] = start
    return found
