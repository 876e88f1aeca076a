"""Several clients on one connection to a server, in any order that a network allows: `Steps`, chosen at random.

Requests are refused and given up, clients leave or send what is no protocol, the server ends or breaks it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import cached_property

from l7codecs import Limits, Pairing
from l7codecs.kinds import Sender
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.properties import TookLonger
from l7codecs.testing.fuzzing.proxy.exchanges import Place, Pool, find_exchanges
from l7codecs.testing.fuzzing.proxy.steps import Steps
from l7codecs.testing.fuzzing.proxy.world import CLIENTS
from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.growth import growth

__all__ = ["Endpoints"]

WRONG, ASK, MOVE, ANSWER, REFUSE, LEAVE, PAUSE, FLUSH, GIVE_UP, END, CHANGE, STRANGE, REPEAT = range(13)
_MOST_STEPS = 400
_GROWS = 1
"""The seed, modulo 8, of programs that are also run many times over; few, since that takes long."""
LIMITS = (
    Limits(),
    Limits(),
    Limits(),
    Limits(pending=4, streams=4, queued=2048, waiting=4096),
    Limits(head=4096, message=4096),
)


class Endpoints(Target):
    """A proxy with several clients.

    0 the server sends `octets`, which are no protocol, or any; 1 client `a` asks `b`; 2 `b` octets of wire `a` arrive, all where it is
    255; 3 the server answers the `a`th that waits; 4 the proxy refuses one of client `a`, at `b` / 256 of all that wait; 5 client `a`
    leaves; 6 a session pauses or goes on; 7 what sessions owe is written; 8 the proxy gives up the `b`th of client `a`; 9 the server
    ends; 10 what is sent next is changed; 11 client `a` sends `octets`; 12 the last `a` % 8 + 1 steps `b` % 64 times over.
    """

    name = "endpoints"
    number = 2
    operations = 13

    @cached_property
    def places(self) -> list[Place]:
        """What can be asked."""
        return find_exchanges(self.material)

    @cached_property
    def pool(self) -> Pool:
        """Where they are taken from."""
        return Pool(self.material, self.places)

    def usable(self) -> bool:
        return self.material.protocol.pairing is not Pairing.NONE and bool(self.places)

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for number in range(40):
            steps = [self.step(chance, hostile=number % 4 == 3) for _ in range(chance.randint(3, 60))]
            yield Program(self.number, tuple(steps), chance.randrange(5) if number % 3 == 2 else 0)
        yield from self.bursts(chance, 4)

    def bursts(self, chance: random.Random, count: int) -> Iterator[Program]:
        """Those whose growth is looked at."""
        for _ in range(count):
            yield Program(self.number, tuple(self.burst(chance)), 0, _GROWS)

    def burst(self, chance: random.Random) -> Iterator[Step]:
        """A client asks several times before it reads; some of it is refused, or given up, while the first waits."""
        client = chance.randrange(CLIENTS)
        for _ in range(chance.randint(3, 5)):
            yield Step(ASK, client, chance.randrange(256))
        yield Step(MOVE, 2 * client + 1, 255)
        for _ in range(chance.randint(1, 3)):
            yield Step(chance.choice((REFUSE, REFUSE, GIVE_UP)), client, chance.randrange(64, 192))
        for _ in range(chance.randint(0, 2)):
            yield Step(ANSWER, 0)

    def step(self, chance: random.Random, hostile: bool) -> Step:
        """One step at random, the usual ones most of the time."""
        choice = chance.choices(
            (ASK, MOVE, ANSWER, REFUSE, LEAVE, PAUSE, FLUSH, GIVE_UP, END, CHANGE, REPEAT, WRONG, STRANGE),
            (30, 40, 20, 6, 2, 2, 3, 4, 1, 2, 1, hostile, hostile),
        )[0]
        octets = chance.choice(self.material.vectors).octets(Sender.SERVER)[:300] if choice in (WRONG, STRANGE) else b""
        size = chance.choice((255, 255, 1, 7, 40))
        return Step(choice, chance.randrange(8), size if choice == MOVE else chance.randrange(256), octets)

    def steps(self, program: Program, times: int = 1) -> list[Step]:
        """The steps with those that are repeated, so many times as often."""
        found: list[Step] = []
        for step in program.steps:
            if step.operation % self.operations == REPEAT:
                last = found[-(step.a % 8 + 1) :]
                count = step.b % 64
                found += last * min(count, max(1, (_MOST_STEPS - len(found)) // max(len(last), 1)))
            else:
                found.append(step)
            if len(found) > _MOST_STEPS:
                break
        return found * times

    def run(self, program: Program) -> None:
        steps = self.steps(program)
        self.converse(program, steps)
        self.figures["steps"] += len(steps)

    def examine(self, program: Program) -> None:
        """Of a few programs, whether many times over costs as many times as much."""
        if program.seed % 8 == _GROWS:
            start = time.process_time()
            self.converse(program, self.steps(program))
            if (time.process_time() - start) * 256 < 8:
                self.check_growth(program)
                self.figures["examined"] += 1

    def fresh(self, chance: random.Random) -> Program | None:
        if chance.random() < 0.1:
            return Program(self.number, tuple(self.burst(chance)), 0, _GROWS)
        hostile = chance.random() < 0.25
        steps = [self.step(chance, hostile) for _ in range(chance.choice((3, 10, 20, 60)))]
        return Program(self.number, tuple(steps), chance.choice((0, 0, chance.randrange(5))), chance.randrange(1 << 16))

    def check_growth(self, program: Program) -> None:
        """The same steps 64 times over and four times as often take a time that follows their number."""
        plain = [
            step for step in program.steps if step.operation % self.operations not in (WRONG, STRANGE, END, REPEAT)
        ]

        def cost(times: int) -> float:
            start, decoding = time.process_time(), self.pool.seconds
            self.converse(program, [step for step in plain for _ in range(times)], check=False)
            return time.process_time() - start - (self.pool.seconds - decoding)

        small, large = cost(64), cost(256)
        if large > 9 * max(small, 0.05):
            times = growth(cost, 64, 256, 9, 0.05)
            if times > 9:
                raise TookLonger(f"four times as many of each step take {times:.1f} times as long")

    def converse(self, program: Program, steps: list[Step], check: bool = True) -> None:
        limits = LIMITS[program.limits % len(LIMITS)]
        world = Steps(self.material, self.places, limits, self.pool, self.figures)
        for step in steps:
            self.do(world, step)
        if check:
            world.check_waits()
        world.rest()
        if check:
            world.check()

    def do(self, world: Steps, step: Step) -> None:
        """One step."""
        operation = step.operation % self.operations
        if operation == ASK:
            world.asks(step.a, step.b)
        elif operation == MOVE:
            world.arrives(step.a, 1 << 30 if step.b == 255 else step.b)
        elif operation == ANSWER:
            world.answers(step.a)
        elif operation == REFUSE:
            world.refuses(step.a, step.b)
        elif operation == LEAVE:
            world.leaves(step.a)
        elif operation == PAUSE:
            world.pauses(step.a, step.b)
        elif operation == FLUSH:
            world.writes()
        elif operation == GIVE_UP:
            world.gives_up(step.a, step.b)
        elif operation == END:
            world.ends()
        elif operation == CHANGE:
            world.changes(bool(step.b & 1), step.a)
        elif operation == WRONG:
            world.breaks(step.octets)
        elif operation == STRANGE:
            world.misbehaves(step.a, step.octets)

    def explain(self, program: Program) -> str:
        names = (
            "the server sends", "asks", "arrive", "server answers", "refuse", "leave", "pause", "flush", "give up", "server ends",
            "change", "client sends", "repeat",
        )  # fmt: skip
        lines = [
            f"{names[step.operation % self.operations]} {step.a} {step.b} {step.octets!r}\n" for step in program.steps
        ]
        asked = [f"# {number}: {place.vector.name}, {place.key}\n" for number, place in enumerate(self.places)]
        return "".join(asked + lines)
