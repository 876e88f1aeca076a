"""Conversations made up here, damaged, and compared with the truth: which message stands where, and which answer answers what.

The maker knows the truth, since it wrote every message; nothing of it comes from the codec. A conversation has a client that asks up to
`window` commands before it waits. It drains (asks so many, waits for all), fills up again at each answer, or changes from one to the other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from l7codecs import Gap, Message, ProtocolError, Sender, open_session

from .observing import pack

C, S = Sender.CLIENT, Sender.SERVER

Piece = tuple[Sender, bytes]


def bulk(octets: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(octets), octets)


def array(items: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(items)


FAKES = [
    b"\r\n*1\r\n$3\r\nXyyyy", b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"+OK\r\n", b":1\r\n", b"$5\r\nhello\r\n",
    b"*2\r\n", b"-ERR no\r\n", b"_\r\n", b"\r\n", b"$-1\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nx\r\n",
]  # fmt: skip


@dataclass
class Traffic:
    """What a client asks, and what it is answered."""

    chance: random.Random
    forged: float = 0.0
    """How many of the values hold what looks like RESP."""
    only: str | None = None
    """One form of command alone."""
    cycle: list[str] | None = None
    at: int = 0

    def value(self) -> bytes:
        chance = self.chance
        if chance.random() < self.forged:
            if chance.random() < 0.5:
                return chance.choice(FAKES) * chance.randint(1, 30)
            return b"".join(chance.choice(FAKES) for _ in range(chance.randint(1, 30)))
        return b"v" * chance.choice((0, 1, 5, 12, 40, 200)) + b"%d" % chance.randint(0, 99999)

    def exchanges(self) -> list[tuple[bytes, bytes]]:
        """The next commands, with their answers."""
        chance = self.chance
        form = self.only or chance.choice(FORMS)
        if self.cycle is not None:
            form = self.cycle[self.at % len(self.cycle)]
            self.at += 1
        key = b"key:%d" % chance.randint(0, 9999)
        number = b":%d\r\n" % chance.randint(0, 300)
        if form == "GET":
            return [(pack([b"GET", key]), b"$-1\r\n" if chance.random() < 0.1 else bulk(self.value()))]
        if form == "SET":
            return [(pack([b"SET", key, self.value()]), b"+OK\r\n")]
        if form in ("INCR", "EXISTS", "DEL", "LLEN"):
            return [(pack([form.encode(), key]), number)]
        if form == "RPUSH":
            return [(pack([b"RPUSH", key, self.value()]), number)]
        if form == "MGET":
            keys = [b"%b:%d" % (key, index) for index in range(chance.randint(1, 6))]
            return [(pack([b"MGET", *keys]), array([bulk(self.value()) for _ in keys]))]
        if form == "LRANGE":
            items = [bulk(self.value()) for _ in range(chance.choice((0, 1, 3, 10, 60)))]
            return [(pack([b"LRANGE", key, b"0", b"-1"]), array(items))]
        if form == "XRANGE":
            rows = [
                array([bulk(b"1-%d" % row), array([bulk(b"f"), bulk(self.value())])])
                for row in range(chance.randint(0, 4))
            ]
            return [(pack([b"XRANGE", key, b"-", b"+"]), array(rows))]
        if form == "EVAL":
            return [
                (
                    pack([b"EVAL", b"return 1", b"0"]),
                    chance.choice((number, b"$-1\r\n", array([number, array([b"+OK\r\n"])]))),
                )
            ]
        if form == "PING":
            return [(pack([b"PING"]), b"+PONG\r\n")]
        if form == "WRONG":
            wrong = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            return [(pack([chance.choice((b"GET", b"INCR", b"LLEN")), key]), wrong)]
        if form == "TYPE":
            return [(pack([b"TYPE", key]), chance.choice((b"+string\r\n", b"+none\r\n", b"+list\r\n")))]
        inner = [
            (pack([b"SET", key, b"1"]), b"+OK\r\n"),
            (pack([b"INCR", key]), number),
            (pack([b"GET", key]), bulk(self.value())),
        ][: chance.randint(1, 3)]
        queued = [(asked, b"+QUEUED\r\n") for asked, _ in inner]
        return [(pack([b"MULTI"]), b"+OK\r\n"), *queued, (pack([b"EXEC"]), array([answer for _, answer in inner]))]


FORMS = [
    "GET", "GET", "GET", "SET", "SET", "INCR", "EXISTS", "DEL", "RPUSH", "LLEN", "MGET", "LRANGE", "XRANGE", "EVAL", "PING", "WRONG",
    "TYPE", "MULTI",
]  # fmt: skip


@dataclass
class Truth:
    """A conversation: its segments in the order in which they were sent, and what stands where."""

    segments: list[Piece] = field(default_factory=list)
    messages: dict[Sender, set[tuple[int, int]]] = field(default_factory=lambda: {C: set(), S: set()})
    """Offset and size of each."""
    answers: dict[int, int] = field(default_factory=dict)
    """Where the request of an answer starts, by where the answer starts."""
    sizes: dict[int, int] = field(default_factory=dict)
    """The size of each answer."""
    requests: dict[int, int] = field(default_factory=dict)
    """The size of each request."""


def make(chance: random.Random, window: int, count: int, traffic: Traffic, style: str = "drain") -> Truth:
    """A conversation of about `count` commands."""
    truth = Truth()
    sent = {C: 0, S: 0}
    cut = chance.choice((0, 0, 100, 536, 1460))

    def say(sender: Sender, parts: list[bytes]) -> None:
        for part in parts:
            truth.messages[sender].add((sent[sender], len(part)))
            sent[sender] += len(part)
        octets = b"".join(parts)
        size = cut or len(octets)
        truth.segments += [(sender, octets[at : at + size]) for at in range(0, len(octets), size)]

    waiting: list[tuple[int, bytes]] = []
    ready: list[tuple[bytes, bytes]] = []

    def ask(number: int) -> None:
        nonlocal count
        parts = []
        at = sent[C]
        for _ in range(number):
            if not ready:
                ready.extend(traffic.exchanges())
            asked, answer = ready.pop(0)
            waiting.append((at, answer))
            truth.requests[at] = len(asked)
            at += len(asked)
            parts.append(asked)
        count -= number
        say(C, parts)

    def give(number: int) -> None:
        at = sent[S]
        parts = []
        for _ in range(number):
            request, answer = waiting.pop(0)
            truth.answers[at] = request
            truth.sizes[at] = len(answer)
            at += len(answer)
            parts.append(answer)
        say(S, parts)

    while count > 0:
        mode = chance.choice(("drain", "slide")) if style == "changing" else style
        if mode == "drain":
            ask(window if style == "drain" else chance.randint(1, window))
            while waiting:
                give(chance.randint(1, len(waiting)) if chance.random() < 0.5 else len(waiting))
        else:
            ask(window)
            for _ in range(chance.randint(1, 60) if style == "changing" else count):
                step = 1 if chance.random() < 0.9 else chance.randint(1, window)
                give(step)
                ask(step)
            while waiting:
                give(1)
    return truth


@dataclass
class Seen:
    """What a session made of a damaged conversation."""

    paired: int = 0
    wrong: int = 0
    invented: int = 0
    later: int = 0
    """Answers that were seen whole, behind the first loss, and their requests too."""
    errors: int = 0
    first: str = ""
    events: list[tuple[object, ...]] = field(default_factory=list)


Step = tuple[str, Sender, bytes | int]


def watch(
    truth: Truth,
    steps: list[Step],
    lost: dict[Sender, list[tuple[int, int]]],
    after: dict[Sender, int],
    start: dict[Sender, int],
) -> Seen:
    """Feed `steps` to an observer, and compare.

    `lost` are the ranges that it does not get; `after` is where later answers begin; `start` where each direction begins.
    """
    session = open_session("redis")
    seen = Seen()
    shift = dict(start)
    broken: set[Sender] = set()

    def take(of: Sender, events: Iterator[object]) -> None:
        sender = of
        try:
            for event in events:
                if isinstance(event, Message):
                    sender = event.sender  # commands that were held come with the server's octets
                    at = event.offset + shift[sender]
                    size = event.size
                    request = event.request
                    seen.events.append((sender, at, size, None if request is None else request.offset))
                    if size is not None and (at, size) not in truth.messages[sender]:
                        seen.invented += 1
                        seen.first = seen.first or f"invented {event!r} at {at}"
                    if request is not None:
                        if truth.answers.get(at) == request.offset + start[C]:
                            if at >= after[S] and request.offset + start[C] >= after[C]:
                                seen.paired += 1
                        else:
                            seen.wrong += 1
                            seen.first = seen.first or f"wrong {event!r} at {at}: {request!r}"
                elif not isinstance(event, Gap):
                    seen.events.append((sender, event.offset, len(event.raw)))  # type: ignore[attr-defined]
        except ProtocolError as error:
            broken.add(of)
            seen.errors += 1
            seen.first = seen.first or repr(error)

    for what, sender, octets in steps:
        if sender in broken:
            continue
        if what == "gap":
            assert isinstance(octets, int)
            take(sender, session.gap(sender, octets))
        else:
            assert isinstance(octets, bytes)
            take(sender, session.receive(sender, octets))

    def whole(sender: Sender, at: int, size: int) -> bool:
        return all(at + size <= begin or at >= end for begin, end in lost[sender])

    for at, request in truth.answers.items():
        if (
            at >= after[S]
            and request >= after[C]
            and whole(S, at, truth.sizes[at])
            and whole(C, request, truth.requests[request])
        ):
            seen.later += 1
    return seen


def joined(truth: Truth, chance: random.Random) -> Seen:
    """Heard from a moment on."""
    total = sum(len(octets) for _, octets in truth.segments)
    at = chance.randint(0, total)
    if chance.random() < 0.5:
        # Between two segments.
        at = sum(len(octets) for _, octets in truth.segments[: chance.randrange(len(truth.segments))])
    start = {C: 0, S: 0}
    steps: list[Step] = [("gap", C, 0), ("gap", S, 0)]
    passed = 0
    for sender, octets in truth.segments:
        left = max(0, min(len(octets), at - passed))
        passed += len(octets)
        start[sender] += left
        if left < len(octets):
            steps.append(("octets", sender, octets[left:]))
    lost = {sender: [(0, start[sender])] for sender in Sender}
    return watch(truth, steps, lost, start, start)


def with_losses(truth: Truth, losses: list[bool], chance: random.Random, part: bool = False) -> Seen:
    """Without the segments that are marked; with `part`, only some octets of each are lost."""
    steps: list[Step] = []
    at = {C: 0, S: 0}
    lost: dict[Sender, list[tuple[int, int]]] = {C: [], S: []}
    after: dict[Sender, int] = {}
    for (sender, octets), gone in zip(truth.segments, losses, strict=True):
        if gone:
            if not after:
                after = dict(at)
            first, last = 0, len(octets)
            if part:
                first = chance.randint(0, len(octets) - 1)
                last = chance.randint(first + 1, len(octets))
            if first:
                steps.append(("octets", sender, octets[:first]))
            steps.append(("gap", sender, last - first))
            if last < len(octets):
                steps.append(("octets", sender, octets[last:]))
            lost[sender].append((at[sender] + first, at[sender] + last))
        else:
            steps.append(("octets", sender, octets))
        at[sender] += len(octets)
    return watch(truth, steps, lost, after or dict(at), {C: 0, S: 0})


def heard(truth: Truth) -> int:
    """How many segments it takes until both sides were heard: before, nobody can tell the end of one by the other."""
    senders = [sender for sender, _ in truth.segments]
    return max(senders.index(C), senders.index(S)) + 1


def with_few(truth: Truth, chance: random.Random) -> Seen:
    """Three of a hundred segments are lost."""
    first = heard(truth)
    return with_losses(
        truth, [index >= first and chance.random() < 0.03 for index in range(len(truth.segments))], chance
    )


def with_gap(truth: Truth, chance: random.Random) -> Seen:
    """With one hole, of a segment or a few in a row, of one direction or of both, at their ends or in them."""
    first = chance.randrange(min(heard(truth), len(truth.segments) - 1), len(truth.segments))
    number = chance.choice((1, 1, 1, 2, 3, 8))
    side = chance.choice((C, S, None))
    losses = [
        first <= index < first + number and (side is None or side is sender)
        for index, (sender, _) in enumerate(truth.segments)
    ]
    return with_losses(truth, losses, chance, chance.random() < 0.4)


def interleaved(truth: Truth, chance: random.Random) -> Seen:
    """Undamaged, in another order across directions."""
    sides = {sender: [octets for who, octets in truth.segments if who is sender] for sender in Sender}
    order = [sender for sender, _ in truth.segments]
    if chance.random() < 0.5:
        chance.shuffle(order)
    else:
        for _ in range(chance.randint(1, 5)):
            index = chance.randrange(max(1, len(order) - 1))
            order[index : index + 2] = reversed(order[index : index + 2])
    steps: list[Step] = [("octets", sender, sides[sender].pop(0)) for sender in order]
    return watch(truth, steps, {C: [], S: []}, {C: 0, S: 0}, {C: 0, S: 0})


DAMAGE: dict[str, Callable[[Truth, random.Random], Seen]] = {
    "join": joined,
    "gap": with_gap,
    "loss": with_few,
    "order": interleaved,
}


def conversation(chance: random.Random, window: int, count: int) -> tuple[str, Truth]:
    """A conversation of some sort, and what it is."""
    sort = chance.choice(("mixed", "mixed", "forged", "GET", "cycle"))
    style = chance.choice(("drain", "drain", "random", "slide", "changing")) if window > 1 else "drain"
    traffic = Traffic(chance, forged=0.3 if sort == "forged" else 0.0, only="GET" if sort == "GET" else None)
    if sort == "cycle":
        traffic.cycle = [chance.choice(FORMS) for _ in range(chance.randint(2, 20))]
    return f"{sort} {style}", make(chance, window, count, traffic, style)


def trial(damage: str, seed: int, count: int = 0) -> tuple[str, int, Seen]:
    """One conversation, damaged."""
    chance = random.Random(seed)
    window = chance.choice((1, 1, 1, 1, *range(2, 17)))
    name, truth = conversation(chance, window, count or chance.choice((60, 200, 600)))
    return name, window, DAMAGE[damage](truth, chance)


def figures(damage: str, seeds: range, count: int = 0) -> tuple[Counter[str], dict[str, Counter[str]], list[str]]:
    """The sums of all trials, of sequential ones by sort, and what was wrong."""
    total: Counter[str] = Counter()
    alone: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    for seed in seeds:
        name, window, seen = trial(damage, seed, count)
        row = {name: getattr(seen, name) for name in ("paired", "wrong", "invented", "later", "errors")}
        total.update(row)
        alone.setdefault(name if window > 1 else "sequential " + name, Counter()).update(row)
        if seen.first:
            wrong.append(f"{damage} {seed}, {name}, window {window}: {seen.first}")
    return total, alone, wrong
