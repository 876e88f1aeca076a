"""One process that fuzzes: it runs inputs until the time is over or a promise is broken.

With atheris (extra ``fuzz``) libFuzzer chooses the inputs by what they cover and compare; without it this does, by the lines that they
reach where Python is 3.12 or newer, at random from what there is otherwise. How inputs are changed is the same (`mutation`).
A finding is written to a folder, with what was raised, and ends the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from l7codecs.testing.fuzzing.bursts import Burst
from l7codecs.testing.fuzzing.material import Material, packages_of
from l7codecs.testing.fuzzing.measuring import Lines
from l7codecs.testing.fuzzing.mutation import Mutator
from l7codecs.testing.fuzzing.program import Program
from l7codecs.testing.fuzzing.targets import TARGETS
from l7codecs.testing.fuzzing.targets.conversation import Conversation
from l7codecs.testing.fuzzing.targets.detection import Detection
from l7codecs.testing.fuzzing.targets.endpoints import Endpoints
from l7codecs.testing.fuzzing.targets.large import Large
from l7codecs.testing.fuzzing.targets.losses import Losses
from l7codecs.testing.fuzzing.targets.truth import Truth

__all__ = ["FOUND", "NOT_AGAIN", "Fuzzer", "TookTooLong", "inputs_of", "signature"]

FOUND = 77
"""The exit status of a process that has found something."""
NOT_AGAIN = 78
"""The same of one that was to find something again, and has not."""
MOST_OCTETS = 16 * 1024
_SEEDS = 80
"""Of a target."""
_EXAMINED = 16
"""Of so many inputs one is examined, beside those that are new."""
_FRESH = 0.2
"""How many are made from nothing, where a target can."""
_DRIFT = 0.01
"""How many of those that are not new are changed further, where nothing guides."""
_MADE = 3000
"""Inputs that are made and run before anything else, of the targets in these turns: 2 ms each."""
_TURNS = tuple(
    each.number
    for each in (
        Conversation, Losses, Conversation, Endpoints, Conversation, Losses, Detection, Endpoints, Truth, Truth,
    )
)  # fmt: skip
_BURSTS = 4
_LARGE = 40
_BURST = 0.2
"""Of how many of those that are not new neighbours are run, too; they are of all that are new."""
_SIZES = (128, 512, 2048, MOST_OCTETS)
"""Octets of inputs, at most, where nothing guides: as many small ones as large, which take longer."""
_WORDS = 600
_LINE = "\n"
_PATIENCE = 30.0
"""Seconds of the processor after which an input hangs."""


class TookTooLong(BaseException):
    """An input does not come to its end."""


def inputs_of(paths: Iterable[Path]) -> list[tuple[Path, bytes]]:
    """The files of a corpus: those named, and all in the folders named."""
    found: list[tuple[Path, bytes]] = []
    for path in paths:
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        found += [(file, file.read_bytes()) for file in files]
    return found


def signature(error: BaseException) -> str:
    """What tells one fault from another: what was raised, and its words without numbers and octets."""
    words = str(error).partition("\n")[0]
    plain = "".join(c for c in words if not c.isdigit())
    return f"{type(error).__name__}: {plain[:48]}"


class Fuzzer:
    """Runs inputs against the targets of a protocol."""

    def __init__(self, material: Material, names: Sequence[str] = (), seed: int = 0) -> None:
        """`names` are those of the targets, default all. Raises ValueError for one that is unknown."""
        unknown = set(names) - {target.name for target in TARGETS}
        if unknown:
            raise ValueError(
                f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(t.name for t in TARGETS)}"
            )
        chosen = [target(material) for target in TARGETS if not names or target.name in names]
        self.material = material
        self.targets = {target.number: target for target in chosen if target.usable()}
        self.left_out = [target.name for target in chosen if target.number not in self.targets]
        """Those for which there is nothing."""
        if not self.targets:
            raise ValueError(f"{material.protocol.name} has nothing for {', '.join(names) or 'any target'}")
        self.chance = random.Random(seed)
        self.executions: Counter[str] = Counter()
        self.spent: Counter[int] = Counter()
        """Nanoseconds of the processor, by target: each gets as many as any other."""
        self.closely = False
        """Whether the loop examines every input."""
        self.keep_going = False
        """Whether the loop goes on behind a finding; of those that say the same the first is kept."""
        self.found: Counter[str] = Counter()
        """By what they say, findings of the loop."""
        self.lines: Lines | None = None

    def seeds(self, seconds: float = 1000) -> list[bytes]:
        """Good programs of every target, not too many for so many `seconds`, which are for what is made of them."""
        most = max(6, min(_SEEDS, int(seconds / 3)))
        found: list[bytes] = []
        for target in self.targets.values():
            programs = [program.encode() for program in target.seeds(self.chance)]
            found += programs if len(programs) <= most else self.chance.sample(programs, most)
        return found

    def made(self, seconds: float = 1000, most: int = 0) -> list[bytes]:
        """What the grammar and targets make, for the first tenth of `seconds` or `most` executions: much of it no mutation comes to."""
        count = min(_MADE, int(seconds) * 20, most // 10 if most else _MADE)
        found: list[bytes] = []
        turns = [turn for turn in _TURNS if turn in self.targets]
        for turn in range(count if turns else 0):
            target = self.targets[turns[turn % len(turns)]]
            if isinstance(target, Conversation):
                found += [target.program(vector).encode() for vector in self.material.made(self.chance, 1)]
            else:
                program = target.fresh(self.chance)
                found += [program.encode()] if program is not None else []
        return found

    def bursts(self, seconds: float = 1000, most: int = 0) -> list[bytes]:
        """What is asked at once and refused, so often that it shows what it costs: few, since looking at each takes seconds."""
        asks = self.targets.get(Endpoints.number)
        if not isinstance(asks, Endpoints):
            return []
        count = min(_BURSTS, int(seconds / 50), most // 100 if most else _BURSTS)
        return [program.encode() for program in asks.bursts(self.chance, count)]

    def large(self, seconds: float = 1000, most: int = 0) -> list[bytes]:
        """Messages that are stretched, which the loop examines seldom, as it takes a second or so."""
        target = self.targets.get(Large.number)
        count = min(_LARGE, int(seconds / 15), most // 25 if most else _LARGE) if target is not None else 0
        found = [target.fresh(self.chance) for _ in range(count)] if target is not None else []
        return [program.encode() for program in found if program is not None]

    def run(self, data: bytes, examine: bool = True) -> None:
        """Run one input. Raises whatever is wrong. Without `examine` what costs little is looked at, and no more."""
        program = Program.decode(data)
        with self.patience():
            self.hold(program)
            if examine:
                self.examine(program)

    def hold(self, program: Program) -> None:
        """Run one program, without patience."""
        target = self.targets.get(program.target)
        if target is not None:
            self.executions[target.name] += 1
            target.run(program)

    def examine(self, program: Program) -> None:
        """Look at a program that was run more closely."""
        target = self.targets.get(program.target)
        if target is not None:
            target.examine(program)

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """Raises `TookTooLong` where what is done here takes too long."""
        previous = signal.signal(signal.SIGVTALRM, _too_long)
        signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, previous)

    def explain(self, data: bytes) -> str:
        """An input in words."""
        program = Program.decode(data)
        target = self.targets.get(program.target)
        return program.to_text() if target is None else f"{target.name}\n{target.explain(program)}"

    def mutator(self, seeds: Iterable[bytes]) -> Mutator:
        """What changes inputs."""

        def made(number: int, chance: random.Random) -> Program | None:
            target = self.targets.get(number)
            return None if target is None else target.fresh(chance)

        operations = {target.number: target.operations for target in self.targets.values()}
        return Mutator(self.material.tokens, [Program.decode(seed) for seed in seeds], made, operations)

    def figures(self) -> dict[str, dict[str, int]]:
        """By target, what was counted."""
        return {
            target.name: {"executions": self.executions[target.name], **target.figures}
            for target in self.targets.values()
        }

    def shrink(self, data: bytes, seconds: float = 20.0) -> bytes:
        """Fewer steps and octets that fail alike."""
        why = self.fails(data)
        if why is None:
            return data
        until = time.monotonic() + seconds
        program = Program.decode(data)
        size = max(len(program.steps) // 2, 1)
        while size and time.monotonic() < until:
            at = 0
            while at < len(program.steps) and time.monotonic() < until:
                fewer = program.with_steps(program.steps[:at] + program.steps[at + size :])
                if self.fails(fewer.encode()) == why:
                    program = fewer
                else:
                    at += size
            size //= 2
        return self._shorter(program, why, until).encode()

    def _shorter(self, program: Program, why: str, until: float) -> Program:
        """The same steps with fewer octets."""
        for number in range(len(program.steps)):
            size = len(program.steps[number].octets) // 2
            while size and time.monotonic() < until:
                at = 0
                while time.monotonic() < until:
                    step = program.steps[number]
                    if at >= len(step.octets):
                        break
                    short = type(step)(step.operation, step.a, step.b, step.octets[:at] + step.octets[at + size :])
                    steps = (*program.steps[:number], short, *program.steps[number + 1 :])
                    if self.fails(program.with_steps(steps).encode()) == why:
                        program = program.with_steps(steps)
                    else:
                        at += size
                size //= 2
        return program

    def fails(self, data: bytes) -> str | None:
        """The signature of what an input raises; None where it raises nothing."""
        error = self.raised(data)
        return None if error is None else signature(error)

    def says(self, data: bytes) -> str | None:
        """As `fails`, with all words and numbers of the first line."""
        error = self.raised(data)
        return None if error is None else f"{type(error).__name__}: {str(error).partition(_LINE)[0][:_WORDS]}"

    def raised(self, data: bytes) -> BaseException | None:
        """What an input raises."""
        try:
            self.run(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return error
        return None

    # The loop.

    def guard(self, folder: Path, seconds: float) -> Callable[[Program, BaseException | None], bool]:
        """What runs a program, examines it where it is new, or by chance, and says whether it is new.

        It may be given what the program has raised already: so it is a finding, whatever comes of it now.

        A finding is written into `folder`, and ends the process, as it ends after `seconds`; the figures are written now and then.
        """
        began = written = time.monotonic()
        signal.signal(signal.SIGVTALRM, _too_long)  # `patience` for each input would cost as much as a short one
        folder.mkdir(parents=True, exist_ok=True)
        count = 0

        def one(program: Program, failed: BaseException | None = None) -> bool:
            nonlocal written, count
            count += 1
            target = self.targets.get(program.target)
            if target is None:
                return False
            lines = self.lines
            if lines is not None:
                lines.fresh = 0
            said = len(target.seen)
            start = time.process_time_ns()
            signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
            try:
                self.hold(program)
                if failed is not None:
                    raise failed
                new = lines.fresh > 0 if lines is not None else len(target.seen) > said
                if new or self.closely or count % _EXAMINED == 0:
                    self.examine(program)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                what = f"{target.name}: {signature(error)}"
                self.found[what] += 1
                if self.found[what] == 1:
                    self.keep(program.encode(), error, folder)
                new = False
                if not self.keep_going:
                    self.write_figures(folder, time.monotonic() - began)
                    sys.stdout.flush()
                    os._exit(FOUND)
            self.spent[program.target] += time.process_time_ns() - start
            now = time.monotonic()
            if now - written > 1:
                written = now
                self.write_figures(folder, now - began)
                if now - began > seconds:
                    sys.stdout.flush()
                    os._exit(0)
            return new

        return one

    def keep(self, data: bytes, error: BaseException, folder: Path) -> None:
        """Write a finding into `folder`."""
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12]
        (folder / f"{name}.fuzz").write_bytes(data)
        said = "".join(traceback.format_exception(error, limit=-12))
        (folder / f"{name}.txt").write_text(
            f"{signature(error)}\n{said}\n{self.explain(data)}", "utf-8", "backslashreplace"
        )

    def write_figures(self, folder: Path, seconds: float) -> None:
        """For whoever started the process."""
        (folder / "figures.json").write_text(
            json.dumps({"seconds": seconds, "targets": self.figures(), "found": self.found})
        )

    def loop(
        self, seconds: float, corpus: Path, folder: Path, kept: Sequence[bytes], most: int = 0, blind: bool = False
    ) -> None:
        """Without atheris: choose, change, run; what is new is kept in `corpus`. `most` executions, 0 for as many as come.

        New is what reaches new lines, or with `blind`, as the compiled build has to be, what is told of.
        """
        one = self.guard(folder, seconds + 5)
        corpus.mkdir(parents=True, exist_ok=True)
        chance = self.chance
        first = [*kept, *self.seeds(seconds)]
        mutator = self.mutator(first)
        pools: dict[int, list[Program]] = {number: [] for number in self.targets}
        if sys.version_info >= (3, 12) and not blind:
            self.lines = Lines(("l7codecs", *packages_of(self.material.protocol)))
            self.lines.start()
        began = time.monotonic()

        def goes_on() -> bool:
            return time.monotonic() - began < seconds and not 0 < most <= self.executions.total()

        def take(program: Program) -> None:
            if program.target in pools and goes_on():
                pools[program.target].append(program)
                one(program, None)

        def keep(program: Program) -> None:
            pools[program.target].append(program)
            data = program.encode()
            (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)

        bursts = {
            number: Burst(target, mutator, chance, self.lines)
            for number, target in self.targets.items()
            if isinstance(target, Conversation)
        }

        def beside(program: Program) -> None:
            """Run neighbours of `program`."""
            start, spent = time.process_time_ns(), self.spent[program.target]
            signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
            for near, failed in bursts[program.target].around(program):
                reached = self.lines is not None and self.lines.fresh > 0
                if goes_on() and (one(near, failed) or reached):
                    keep(near)
            self.spent[program.target] = spent + time.process_time_ns() - start

        self.begin(take, seconds, most)
        for data in first:
            take(Program.decode(data))
        while goes_on():
            # Of a given number of inputs each run has the same.
            number = chance.choice([*pools]) if most else min(pools, key=lambda each: self.spent[each])
            pool = pools[number]
            made = self.targets[number].fresh(chance) if not pool or chance.random() < _FRESH else None
            if made is None:
                recent = pool[-60:] if chance.random() < 0.5 else pool
                most_octets = MOST_OCTETS if self.lines is not None else chance.choice(_SIZES)
                made = mutator.changed(chance.choice(recent) if recent else Program(number), most_octets, chance)
            new = one(made, None)
            if new:
                keep(made)
            elif self.lines is None and pool and chance.random() < _DRIFT:
                pool[chance.randrange(len(pool))] = made
            if number in bursts and (new or chance.random() < _BURST):
                beside(made)
        if self.lines is not None:
            self.lines.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.write_figures(folder, time.monotonic() - began)

    def begin(self, one: Callable[[Program], object], seconds: float, most: int) -> None:
        """Run what is made: a quarter of the time, at most, unless the number of inputs is given."""
        until = time.monotonic() + seconds / 4
        for closely, made in ((True, self.bursts), (True, self.large), (False, self.made)):
            self.closely = closely
            for data in made(seconds, most):
                if most or time.monotonic() < until:
                    one(Program.decode(data))

    def guided(self, seconds: float, corpus: Path, folder: Path, kept: Sequence[bytes], most: int = 0) -> None:
        """As `loop`, with atheris; it does not return."""
        import atheris

        seeds_folder = folder / "seeds"
        seeds_folder.mkdir(parents=True, exist_ok=True)
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = [*kept, *self.seeds(seconds)]
        for data in seeds:
            (seeds_folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
        mutator = self.mutator(seeds)
        one = self.guard(folder, seconds)

        def run(data: bytes) -> None:
            one(Program.decode(data), None)

        self.begin(lambda program: one(program, None), seconds, most)

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            return mutator.mutate(bytes(data), most, random.Random(seed), _inner)

        def _inner(octets: bytes, most: int) -> bytes:
            return bytes(atheris.Mutate(octets, most)) if octets else octets

        arguments = [
            sys.argv[0],
            f"-max_total_time={max(1, int(seconds))}",
            f"-max_len={MOST_OCTETS}",
            f"-runs={most or -1}",
            f"-seed={self.chance.randrange(1, 1 << 31)}",
            f"-artifact_prefix={folder}/",
            "-timeout=120",
            "-rss_limit_mb=4096",
            "-print_final_stats=1",
            "-len_control=0",
            "-reload=0",
            str(corpus),
            str(seeds_folder),
        ]

        atheris.Setup(arguments, run, custom_mutator=mutate)
        atheris.Fuzz()


def _too_long(number: int, frame: object) -> None:
    raise TookTooLong(f"an input takes more than {_PATIENCE:.0f} s of the processor")
