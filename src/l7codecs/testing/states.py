"""The states of a session that its vectors lead to, and for each a stream that grows in it.

A state is what is held: which attributes of the decoders, and of what belongs to them, are set (not None, False, 0 or empty), and how
enumerations stand. The vectors are fed in pieces that end behind each message and at some places inside of it, and the state is noted at
each. A state grows where more octets lead back to it, again and again:

    message    the rest of the message, and its beginning again         … ││ rest │ begin ││ rest │ begin ││ …
    vector     the rest of the conversation, and its beginning again
    another    the rest of the message, and then another again and again, of those of any vector
    exchange   requests and answers that two endpoints of the protocol exchange one after the other
    large      a message so long that its octets alone do not end it

What cannot come back is passed through once: a preface, a hand-over. Attributes that are never let go of in any vector are history: how
many octets there were, whose turn it was. They tell states apart, and need not come back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, partial
from itertools import cycle

from l7codecs import Limits, Protocol
from l7codecs.buffer import Buffer
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.message import Data, Flow, Gap, Message, Opaque
from l7codecs.pairing.tables import PairingTable
from l7codecs.session import Session
from l7codecs.testing.conformance.exchanges import Joined
from l7codecs.testing.fuzzing.material import Material
from l7codecs.testing.fuzzing.proxy.exchanges import Place, Pool, find_exchanges
from l7codecs.testing.growth import growth, most_memory, steady_memory
from l7codecs.testing.vectors import Vector

__all__ = ["Grown", "State", "States", "find_states"]

_DEEP = 3
_APART = frozenset(("flow", "limits", "sender", "error", "fed", "ended", "stands", "data", "octets"))
_EVENTS = (Message, Data, Gap, Opaque)
_MOST_TIMES = 8
_FLOOR = 0.003
_SMALL = 2048
_ROUNDS = 8
"""Exchanges that endpoints have to find states that come back."""
_PLACES = 12
_OTHERS = 60

Pieces = Sequence[tuple[Sender, bytes]]
Signature = frozenset[str]


def held(session: Session, sender: Sender) -> Signature:
    """What the session holds of `sender`, by the names of what is set."""
    found: set[str] = set()
    decoder = session.decoder(sender)
    _collect(decoder, type(decoder).__name__, 0, found, set())
    return frozenset(found)


def _collect(thing: object, name: str, depth: int, found: set[str], seen: set[int]) -> None:
    seen.add(id(thing))
    for attribute, value in _attributes(thing):
        where = f"{name}.{attribute}"
        if isinstance(value, Enum):
            found.add(f"{where}={value.name}")
        elif isinstance(value, bool):
            if value:
                found.add(where)
        elif isinstance(value, (int, float)):
            if value and not depth:
                found.add(where if value > 0 else f"{where}<0")
        elif isinstance(value, PairingTable):
            if value.pending:
                found.add(f"{where} waits")
        elif isinstance(value, Buffer):
            if value.unfinished:
                found.add(f"{where} holds octets")
        elif value is None or isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset)):
            if value:
                found.add(where)
        elif isinstance(value, _EVENTS):
            found.add(f"{where}={type(value).__name__}")
        elif isinstance(value, (Flow, Limits, type)) or callable(value):
            continue
        elif type(value).__module__.startswith("l7codecs") or type(value).__module__ == type(thing).__module__:
            found.add(f"{where}={type(value).__name__}")
            if depth < _DEEP and id(value) not in seen and not is_table(value):
                _collect(value, where, depth + 1, found, seen)
        elif not hasattr(value, "__len__") or len(value):
            found.add(where)


def is_table(value: object) -> bool:
    """Whether it says something for ever: a frozen dataclass, or what has a value."""
    parameters = getattr(value, "__dataclass_params__", None)
    return bool(getattr(parameters, "frozen", False)) or isinstance(value, tuple)


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    """What an object has, be its class compiled or not."""
    names = set(getattr(thing, "__dict__", ()))
    for cls in type(thing).__mro__:
        for name, value in vars(cls).items():
            if type(value).__name__ in ("getset_descriptor", "member_descriptor"):
                names.add(name)
    for name in sorted(names - _APART):
        if not name.startswith("__"):
            try:
                yield name, getattr(thing, name)
            except AttributeError:
                continue  # of a compiled class, which is not set yet


@dataclass
class State:
    """One state: what is held, and the beginning of a vector that leads to it."""

    sender: Sender
    holds: Signature
    vector: Vector
    before: Pieces
    message: bytes
    """In which it stands; empty where it stands between two."""
    at: int
    rest: Pieces
    stays: bool = False
    """It is one of a message that is long."""

    def __str__(self) -> str:
        return f"{self.vector.name}, octet {self.at} of {len(self.message)} of a message of the {self.sender.value}"


@dataclass(frozen=True)
class Grown:
    """A state with what leads back to it."""

    state: State
    how: str
    unit: Pieces
    rest: Pieces = ()
    """What comes before it, once."""
    rounds: Callable[[int], Pieces] | None = None
    """A conversation of that many exchanges, in place of `unit`."""


@dataclass
class States:
    """All that the vectors lead to."""

    protocol: Protocol
    history: frozenset[str] = frozenset()
    grown: list[Grown] = field(default_factory=list)
    passed: list[State] = field(default_factory=list)
    """To which nothing leads back."""

    def names(self, state: State) -> str:
        """What tells a state from others, without what is history."""
        return ", ".join(sorted(state.holds - self.history)) or "nothing"

    def cost(self, grown: Grown, size: int, read: int, limits: Limits | None = None) -> float:
        """Seconds of the processor for `size` octets more in a state."""
        session = self.protocol.open(limits=limits or Limits())
        if grown.rounds is not None:
            unit = sum(len(octets) for _, octets in grown.rounds(8)) // 8
            reads: Iterable[tuple[Sender, bytes]] = _cut(grown.rounds(size // unit + 2), read)
        elif feed(session, [*grown.state.before, *grown.rest]):
            reads = _reads(grown.unit, size, read)
        else:
            return 0.0
        reads = list(reads)
        start = time.process_time()
        feed(session, reads)
        return time.process_time() - start

    def check_time(self, grown: Grown, read: int, factor: int = 1) -> None:
        """Four times the octets take no more than eight times as long; `factor` times as many. Raises AssertionError."""
        size = self._size(grown, _SMALL * factor)
        small, large = (self.cost(grown, times * size, read) for times in (1, 4))
        if large <= _MOST_TIMES * max(small, _FLOOR):
            return
        times = growth(lambda each: self.cost(grown, each * size, read), 1, 4, _MOST_TIMES, _FLOOR)
        assert times <= _MOST_TIMES, (
            f"{grown.state}: in reads of {read} four times the octets take {times:.0f} times as long ({grown.how} again and again), "
            f"where it holds {self.names(grown.state)}"
        )

    def _size(self, grown: Grown, least: int) -> int:
        """Octets of which four times as many are fed: no more than a long message has, and a few times what comes again."""
        unit = sum(len(octets) for _, octets in grown.unit)
        return unit // 4 if grown.state.stays else max(least, 2 * unit)

    def check_memory(self, grown: Grown, read: int, limits: Limits | None = None) -> None:
        """Memory follows the octets and the limits. Raises AssertionError."""
        limits = limits or Limits()
        size = 4 * self._size(grown, 4 * _SMALL)
        unit = sum(len(octets) for _, octets in grown.unit)
        messages = size // unit + 1 if unit else size // 16  # as short as they may be
        most = most_memory(limits, size, size, messages)
        used = steady_memory(lambda: self.cost(grown, size, read, limits), most)
        assert used <= most, f"{grown.state}: {size} octets take {used} octets of memory, {grown.how} again and again"


def feed(session: Session, pieces: Iterable[tuple[Sender, bytes]]) -> bool:
    """Whether all of it is taken without an error."""
    try:
        for sender, octets in pieces:
            for _event in session.receive(sender, octets):
                pass
    except ProtocolError:
        return False
    return True


def _cut(pieces: Pieces, read: int) -> Iterator[tuple[Sender, bytes]]:
    for sender, octets in pieces:
        for at in range(0, len(octets), read):
            yield sender, octets[at : at + read]


def _reads(unit: Pieces, size: int, read: int) -> Iterator[tuple[Sender, bytes]]:
    """`unit` again and again, to `size` octets, in reads of at most `read`; octets of one side are joined up to that."""
    sides = {sender for sender, _ in unit}
    if len(sides) == 1:
        sender = unit[0][0]
        octets = b"".join(octets for _, octets in unit)
        octets = (octets * (size // len(octets) + 1))[:size]
        for at in range(0, size, read):
            yield sender, octets[at : at + read]
        return
    left = size
    for sender, octets in cycle(unit):
        for at in range(0, len(octets), read):
            yield sender, octets[at : at + read]
        left -= len(octets)
        if left <= 0:
            return


def find_states(
    protocol: Protocol,
    vectors: Sequence[Vector],
    large: Callable[[int], Sequence[Vector]] | None = None,
    most: int = 1 << 13,
) -> States:
    """The states that `vectors` of at most `most` octets lead to, and which of them grow. `large` makes long messages, as of the kit."""
    found: dict[Signature, State] = {}
    let_go: set[str] = set()
    known: set[str] = set()
    for vector in sorted(vectors, key=lambda each: each.size):
        if 0 < vector.size <= most:
            _reach(protocol, vector, found, let_go, known)
    for vector in large(1 << 16) if large is not None else ():
        _reach_large(protocol, vector, found, known)
    small = [vector for vector in vectors if 0 < vector.size <= most]
    rounds = list(_exchanges(protocol, small))
    came = [(made, _visited(protocol, made(_ROUNDS), known, let_go)) for made in rounds]
    states = States(protocol, frozenset(known - let_go))
    others = list(_others(protocol, small))
    done: dict[Signature, list[State]] = {}
    for state in found.values():
        done.setdefault(frozenset((*(state.holds - states.history), state.sender.value)), []).append(state)
    for alike in done.values():
        # What is history may keep one of them from coming back.
        grown = next((each for state in alike[:4] if (each := _grow(states, state)) is not None), None)
        grown = grown or _grow_by_exchange(states, alike[0], came) or _grow_by_others(states, alike[0], others)
        if grown is None:
            states.passed.append(alike[0])
        else:
            states.grown.append(grown)
    return states


def _places(size: int) -> Sequence[int]:
    """Where a message of `size` octets is cut: at its beginning more often."""
    return sorted({at for at in (1, 2, 3, 4, 6, 9, 13, size // 3, size // 2, size * 3 // 4, size - 1) if 0 < at < size})


def _reach(
    protocol: Protocol, vector: Vector, found: dict[Signature, State], let_go: set[str], known: set[str]
) -> None:
    """Note what `vector` leads to."""
    pieces = _messages(protocol, vector)
    session = protocol.open()
    before: list[tuple[Sender, bytes]] = []
    last: dict[Sender, Signature] = dict.fromkeys(Sender, frozenset())
    for number, (sender, octets) in enumerate(pieces):
        at = 0
        for stop in [*_places(len(octets)), len(octets)]:
            if not feed(session, [(sender, octets[at:stop])]):
                return
            before.append((sender, octets[at:stop]))
            at = stop
            holds = held(session, sender)
            known |= holds
            let_go |= last[sender] - holds
            last[sender] = holds
            key = frozenset((*holds, sender.value))
            if key not in found:
                rest = [(sender, octets[stop:]), *pieces[number + 1 :]] if stop < len(octets) else pieces[number + 1 :]
                found[key] = State(sender, holds, vector, tuple(before), octets, stop, tuple(rest))


def _reach_large(protocol: Protocol, vector: Vector, found: dict[Signature, State], known: set[str]) -> None:
    """Note where a long message of `vector` stands in its middle."""
    number = max(range(len(vector.pieces)), key=lambda each: len(vector.pieces[each][1]))
    sender, octets = vector.pieces[number]
    before = [*vector.pieces[:number], (sender, octets[: len(octets) // 4])]
    session = protocol.open()
    if not feed(session, before):
        return
    holds = held(session, sender)
    known |= holds
    rest = octets[len(octets) // 4 : len(octets) * 3 // 4]
    key = frozenset((*holds, sender.value))
    if feed(session, [(sender, rest)]) and held(session, sender) == holds:
        found[key] = State(sender, holds, vector, tuple(before), octets, len(octets) // 4, ((sender, rest),), True)


def _messages(protocol: Protocol, vector: Vector) -> list[tuple[Sender, bytes]]:
    """`vector` in pieces of a message each, as far as it can be decoded."""
    session = protocol.open()
    pieces: list[tuple[Sender, bytes]] = []
    waits = dict.fromkeys(Sender, b"")
    try:
        for sender, octets in vector.pieces:
            waits[sender] += octets
            for event in session.receive(sender, octets):
                raw = event.raw
                if raw and event.sender is sender and waits[sender].startswith(raw):
                    pieces.append((sender, raw))
                    waits[sender] = waits[sender][len(raw) :]
    except ProtocolError:
        return []
    return pieces + [(sender, octets) for sender, octets in waits.items() if octets]


def _grow(states: States, state: State) -> Grown | None:
    """What leads back to it, if there is something."""
    if state.stays:
        return Grown(state, "large", state.rest)
    message = state.message[state.at :] + state.message[: state.at]
    whole = [*state.rest, *state.before]
    for how, unit in (("message", ((state.sender, message),)), ("vector", tuple(whole))):
        if _leads_back(states, state, unit):
            return Grown(state, how, unit)
    return None


def _leads_back(states: States, state: State, unit: Pieces, rest: Pieces = ()) -> bool:
    """Whether `unit`, again and again, leads to where all is held that is held in `state`, and to nothing else."""
    session = states.protocol.open()
    if not feed(session, [*state.before, *rest]):
        return False
    wanted = state.holds - states.history
    turns: list[Signature] = []
    for _turn in range(4):
        if not feed(session, unit):
            return False
        turns.append(held(session, state.sender) - states.history)
    return turns[1] == turns[2] == turns[3] and wanted <= turns[3]


# Conversations that two endpoints make: numbers, streams and compression go on in them, which the octets of a vector cannot.


def _exchanges(protocol: Protocol, vectors: Sequence[Vector]) -> Iterator[Callable[[int], Pieces]]:
    """What makes conversations of so many exchanges, of each exchange that endpoints can have, by its request."""
    material = Material(protocol, list(vectors))
    for place in find_exchanges(material)[:_PLACES]:
        yield lru_cache(maxsize=3)(partial(_converse, material, place))


def _converse(material: Material, place: Place, count: int) -> Pieces:
    pool = Pool(material, [place])
    heard: list[tuple[Sender, bytes]] = []
    joined = _Recorded(
        material.protocol.open(endpoint=Sender.CLIENT), material.protocol.open(endpoint=Sender.SERVER), heard
    )
    for _turn in range(count):
        exchange = pool.take(place)
        for event in exchange.asking:
            joined.ask(joined.client.send(event))
        for event in exchange.for_request(joined.asked[-1]):
            joined.reply(joined.server.send(event))
    return heard


class _Recorded(Joined):
    """As it is, and writes down what is said."""

    def __init__(self, client: Session, server: Session, said: list[tuple[Sender, bytes]]) -> None:
        self.said = said
        super().__init__(client, server)

    def ask(self, octets: bytes, settle: bool = True) -> None:
        if octets:
            self.said.append((Sender.CLIENT, octets))
        super().ask(octets, settle)

    def reply(self, octets: bytes, settle: bool = True) -> None:
        if octets:
            self.said.append((Sender.SERVER, octets))
        super().reply(octets, settle)


def _visited(protocol: Protocol, pieces: Pieces, known: set[str], let_go: set[str]) -> list[tuple[Sender, Signature]]:
    """The states of a conversation, in their order."""
    session = protocol.open()
    visited: list[tuple[Sender, Signature]] = []
    last: dict[Sender, Signature] = dict.fromkeys(Sender, frozenset())
    for sender, octets in _messages(protocol, Vector("made", tuple(pieces))):
        at = 0
        for stop in [*_places(len(octets)), len(octets)]:
            if not feed(session, [(sender, octets[at:stop])]):
                return visited
            at = stop
            holds = held(session, sender)
            known |= holds
            let_go |= last[sender] - holds
            last[sender] = holds
            visited.append((sender, holds))
    return visited


def _grow_by_exchange(
    states: States, state: State, came: Sequence[tuple[Callable[[int], Pieces], list[tuple[Sender, Signature]]]]
) -> Grown | None:
    """What is held again and again while endpoints exchange the same."""
    wanted = state.holds - states.history
    for rounds, visited in came:
        if (
            sum(sender is state.sender and wanted <= holds for sender, holds in visited[len(visited) // 4 :])
            > _ROUNDS // 2
        ):
            return Grown(state, "exchange", (), (), rounds)
    return None


def _others(protocol: Protocol, vectors: Sequence[Vector]) -> Iterator[tuple[Sender, bytes]]:
    """Short messages of the vectors, that differ."""
    seen: set[tuple[Sender, bytes]] = set()
    for vector in vectors:
        for sender, octets in _messages(protocol, vector):
            key = (sender, octets[:6])
            if len(octets) <= 64 and key not in seen and len(seen) < _OTHERS:
                seen.add(key)
                yield sender, octets


def _grow_by_others(states: States, state: State, others: Sequence[tuple[Sender, bytes]]) -> Grown | None:
    """Another message, cut where this one is: what is held is the same, and it can come again."""
    for sender, octets in others:
        at = min(state.at, len(octets)) if state.at < len(state.message) else len(octets)
        if sender is not state.sender:
            continue
        rest = ((sender, state.message[state.at :] + octets[:at]),)
        unit = ((sender, octets[at:] + octets[:at]),)
        if _leads_back(states, state, unit, rest):
            return Grown(state, "another", unit, rest)
    return None
