"""What hypothesis chooses from: the rules of the machines, which call the models and write down what they call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from random import Random
from typing import ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from l7codecs import Limits, Pairing, Protocol, get_protocol
from l7codecs.kinds import AttrValue, Kind, Sender
from l7codecs.message import Message
from l7codecs.testing.fuzzing.material import Material
from l7codecs.testing.fuzzing.properties import LIMITS, limits_of
from l7codecs.testing.fuzzing.proxy.exchanges import Place, Pool, find_exchanges
from l7codecs.testing.fuzzing.proxy.steps import Steps
from l7codecs.testing.fuzzing.proxy.world import CLIENTS
from l7codecs.testing.fuzzing.reads import SENDERS
from l7codecs.testing.fuzzing.targets.endpoints import LIMITS as PROXY_LIMITS
from l7codecs.testing.machines.observed import Observed
from l7codecs.testing.machines.scripts import Script, begun_proxy, begun_session
from l7codecs.testing.replay import replay
from l7codecs.testing.vectors import Vector

__all__ = ["MACHINES", "ProxyMachine", "SessionMachine", "proxy_machine", "session_machine"]

MACHINES = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
"""Of a machine's ``TestCase``, unless it is given others."""
_LARGEST = 8 * 1024
_ALL = 1 << 30

_M = TypeVar("_M", bound="_Machine")
_CLIENTS = st.integers(0, CLIENTS - 1)
_NUMBERS = st.integers(0, 31)
_SIZES = st.one_of(st.just(_ALL), st.integers(1, 48))
_SIDES = st.sampled_from(SENDERS)
_NOISE = st.binary(min_size=1, max_size=12)


class _Machine(RuleBasedStateMachine):
    """What is called is written down, and shown where it fails."""

    material: ClassVar[Material]

    def script(self) -> Script:
        """What was done up to now."""
        raise NotImplementedError

    @contextmanager
    def shown(self, line: str = "") -> Iterator[None]:
        """A failure shows the script, with `line` behind it."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"As a script:\n\n{self.script().text}{line}")
            raise

    def count(self, name: str) -> None:
        """A call was made; for whoever wants to know how many."""

    def flags(self) -> Iterable[tuple[str, bool]]:
        """What the author says of the protocol."""
        yield "doubts", self.material.doubts
        yield "loose_ids", self.material.loose_ids


class SessionMachine(_Machine):
    """One session, fed with a conversation, at any cut and in any order."""

    conversations: ClassVar[Sequence[Vector]]

    def __init__(self) -> None:
        super().__init__()
        self.left: deque[tuple[Sender, bytes]] = deque()
        self.model: Observed | None = None
        self.done = Script(())

    def script(self) -> Script:
        return self.done

    def call(self, name: str, *given: object) -> None:
        self.done.call(f"session.{name}", *given)
        self.count(name)
        with self.shown():
            getattr(self.model, name)(*given)

    @initialize(
        which=st.integers(0, 1 << 16), limits=st.sampled_from([0, 0, 0, *range(1, len(LIMITS))]), serves=st.booleans()
    )
    def begins(self, which: int, limits: int, serves: bool) -> None:
        material = self.material
        endpoint = Sender.SERVER if serves else None
        vector, pairs = self.conversation(which)
        self.left.extend((sender, octets) for sender, octets in vector.pieces if sender is not endpoint)
        chosen = limits_of(limits)
        self.done = Script(begun_session(material.protocol, chosen, endpoint, self.flags(), pairs))
        self.model = Observed(
            material.protocol,
            chosen,
            endpoint,
            doubts=material.doubts,
            loose_ids=material.loose_ids,
            pairs=pairs,
        )

    def conversation(self, which: int) -> tuple[Vector, dict[int, int] | None]:
        """One of the vectors, or one that the grammar makes; and which of its answers answers what, where that is known.

        Behind losses, of which some mislead.
        """
        if which & 1 and self.material.grammar is not None:
            return Vector("made", tuple(self.material.grammar(Random(which)))), None  # a grammar's answers are no truth
        vector = self.conversations[(which >> 1) % len(self.conversations)]
        if any(fnmatch(vector.name, each) for each in self.material.misleading):
            return vector, None
        try:
            outcome = replay(self.material.protocol.open(), vector)
        except AssertionError:  # which the machine finds as well
            return vector, None
        if outcome.errors:
            return vector, None
        return vector, {
            event.offset: event.request.offset
            for event in outcome.events
            if isinstance(event, Message)
            and event.kind is Kind.RESPONSE
            and event.sender is Sender.SERVER
            and event.request is not None
        }

    def take(self, at: int, size: int) -> None:
        sender, octets = self.left[at]
        del self.left[at]
        if octets[size:]:
            self.left.insert(at, (sender, octets[size:]))
        self.call("receive", sender, octets[:size])

    @precondition(lambda self: self.left)
    @rule(size=_SIZES)
    def goes_on(self, size: int) -> None:
        """The next octets come."""
        self.take(0, size)

    @precondition(lambda self: self.left)
    @rule(pieces=st.integers(2, 12))
    def goes_far(self, pieces: int) -> None:
        """Several pieces come, each whole."""
        for _ in range(min(pieces, len(self.left))):
            self.take(0, _ALL)

    @precondition(lambda self: self.left)
    @rule(sender=_SIDES, size=_SIZES)
    def overtakes(self, sender: Sender, size: int) -> None:
        """Octets of one side come, whatever the other has sent before."""
        at = next((number for number, piece in enumerate(self.left) if piece[0] is sender), None)
        if at:
            self.call("uncertain")
        if at is not None:
            self.take(at, size)

    @precondition(lambda self: self.left)
    @rule(size=_SIZES, told=st.booleans(), pieces=st.integers(0, 6))
    def loses(self, size: int, told: bool, pieces: int) -> None:
        """The next octets are lost, and it goes on behind them."""
        sender, octets = self.left[0]
        if self.model is None or self.model.endpoint is not None:
            return
        self.left[0] = (sender, octets[size:])
        if not octets[size:]:
            del self.left[0]
        self.call("lose", sender, len(octets[:size]), told)
        self.goes_far(pieces)

    @rule(sender=_SIDES, octets=_NOISE)
    def says_anything(self, sender: Sender, octets: bytes) -> None:
        self.call("uncertain")
        self.call("receive", sender, octets)

    @rule(sender=_SIDES)
    def ends(self, sender: Sender) -> None:
        self.call("uncertain")
        self.call("eof", sender)
        self.left = deque(piece for piece in self.left if piece[0] is not sender)

    @rule(number=_NUMBERS)
    def sends(self, number: int) -> None:
        self.call("send", number)

    @rule(number=_NUMBERS)
    def puts(self, number: int) -> None:
        self.call("put", number)

    @rule(number=_NUMBERS, which=st.integers(0, 255), value=st.sampled_from(("x", "", "a longer text\r\n", "é", 7, -1)))
    def changes(self, number: int, which: int, value: str | int) -> None:
        """An attribute that can be changed, to what it may be or not; or a header."""
        changeable = [each for each in self.material.protocol.attributes if each.changeable]
        attributes: dict[str, AttrValue] = {}
        headers: dict[str, str] = {}
        if changeable and which % 4:
            chosen = changeable[which // 4 % len(changeable)]
            one: AttrValue = str(value).encode() if chosen.type is bytes else value
            given: object = (one,) if chosen.many else one
            assert isinstance(given, (str, int, bytes, tuple))
            attributes[chosen.name] = given
        else:
            headers["x-machine"] = str(value)
        self.call("change", number, attributes, headers)

    @rule(number=_NUMBERS)
    def refuses(self, number: int) -> None:
        self.call("refuse", number)

    @rule(number=_NUMBERS)
    def beats(self, number: int) -> None:
        self.call("beat", number)

    @rule(number=_NUMBERS)
    def cancels(self, number: int) -> None:
        self.call("cancel", number)

    @rule()
    def pauses(self) -> None:
        self.call("pause")

    @rule()
    def writes(self) -> None:
        self.call("flush")

    @rule()
    def closes(self) -> None:
        self.call("close")

    @invariant()
    def holds(self) -> None:
        if self.model is not None:
            with self.shown("session.check()"):
                self.model.check()

    def teardown(self) -> None:
        if self.model is not None:
            self.call("finish")


class ProxyMachine(_Machine):
    """Clients that share a connection to a server, through a proxy."""

    places: ClassVar[Sequence[Place]]
    pool: ClassVar[Pool]

    def __init__(self) -> None:
        super().__init__()
        self.world: Steps | None = None
        self.limits = Limits()
        self.steps: list[tuple[str, tuple[object, ...]]] = []

    def script(self) -> Script:
        count = len(self.places)
        used = sorted({int(str(given[1])) % count for name, given in self.steps if name == "asks"})
        chosen = [self.places[number] for number in used]
        made = Script(begun_proxy(self.material.protocol, self.limits, chosen, self.flags()))
        for name, given in self.steps:
            if name == "asks":
                given = (given[0], used.index(int(str(given[1])) % count))
            made.call(f"proxy.{name}", *given)
        return made

    def call(self, name: str, *given: object) -> None:
        self.steps.append((name, given))
        self.count(name)
        with self.shown():
            getattr(self.world, name)(*given)

    @initialize(limits=st.sampled_from([0, 0, *range(len(PROXY_LIMITS))]))
    def begins(self, limits: int) -> None:
        self.limits = PROXY_LIMITS[limits]
        self.world = Steps(self.material, self.places, self.limits, self.pool)

    @rule(client=_CLIENTS, what=_NUMBERS)
    def asks(self, client: int, what: int) -> None:
        self.call("asks", client, what)

    @rule(client=_CLIENTS, what=st.lists(_NUMBERS, min_size=1, max_size=5))
    def asks_and_arrives(self, client: int, what: list[int]) -> None:
        """Requests come to the proxy, and on to the server."""
        for each in what:
            self.call("asks", client, each)
        self.call("arrives", 2 * client + 1, _ALL)
        self.call("arrives", 2 * CLIENTS + 1, _ALL)

    @rule(wire=st.integers(0, 2 * CLIENTS + 1), size=_SIZES)
    def arrives(self, wire: int, size: int) -> None:
        self.call("arrives", wire, size)

    @rule(number=st.integers(0, 7))
    def answers(self, number: int) -> None:
        self.call("answers", number)

    @rule(number=st.integers(0, 7))
    def answers_and_arrives(self, number: int) -> None:
        """An answer comes to the proxy, and on to all clients."""
        self.call("answers", number)
        for wire in (2 * CLIENTS, *range(0, 2 * CLIENTS, 2)):
            self.call("arrives", wire, _ALL)

    @rule(
        client=_CLIENTS,
        what=st.lists(_NUMBERS, min_size=2, max_size=5),
        refused=st.lists(st.integers(0, 255), max_size=2),
        answered=st.lists(st.integers(0, 7), max_size=3),
    )
    def bursts(self, client: int, what: list[int], refused: list[int], answered: list[int]) -> None:
        """A client asks several times before it reads; some is refused here, and the server answers."""
        self.asks_and_arrives(client, what)
        for part in refused:
            self.call("refuses", client, part)
        for number in answered:
            self.answers_and_arrives(number)

    @rule(client=_CLIENTS, part=st.integers(0, 255))
    def refuses(self, client: int, part: int) -> None:
        self.call("refuses", client, part)

    @rule(client=_CLIENTS, number=_NUMBERS)
    def gives_up(self, client: int, number: int) -> None:
        self.call("gives_up", client, number)

    @rule(client=_CLIENTS, number=_NUMBERS)
    def cancels(self, client: int, number: int) -> None:
        self.call("cancels", client, number)

    @rule(client=_CLIENTS)
    def leaves(self, client: int) -> None:
        self.call("leaves", client)

    @rule(client=_CLIENTS, which=st.integers(0, 3))
    def pauses(self, client: int, which: int) -> None:
        self.call("pauses", client, which)

    @rule()
    def writes(self) -> None:
        self.call("writes")

    @rule(client=_CLIENTS, which=st.integers(0, 3))
    def closes(self, client: int, which: int) -> None:
        self.call("closes", client, which)

    @rule()
    def ends(self) -> None:
        self.call("ends")

    @rule(header=st.booleans(), number=_NUMBERS)
    def changes(self, header: bool, number: int) -> None:
        self.call("changes", header, number)

    @rule(octets=_NOISE)
    def breaks(self, octets: bytes) -> None:
        self.call("breaks", octets)

    @rule(client=_CLIENTS, octets=_NOISE)
    def misbehaves(self, client: int, octets: bytes) -> None:
        self.call("misbehaves", client, octets)

    @invariant()
    def holds(self) -> None:
        if self.world is not None:
            with self.shown("proxy.check_waits()"):
                self.world.check_waits()

    def teardown(self) -> None:
        if self.world is not None:
            self.call("rest")
            self.call("check")


def session_machine(
    protocol: str | Protocol | Material,
    vectors: Sequence[Vector] = (),
    *,
    doubts: bool = False,
    loose_ids: bool = False,
) -> type[SessionMachine]:
    """A state machine of one session of `protocol`: an observer's or a server's, fed with one of `vectors`.

    `doubts` and `loose_ids` are what they are for fuzzing, where any request may stay without an answer, and where servers write ids of
    their own. A `Material` says all of it. Raises ValueError where there is no vector.
    """
    material = _material(protocol, vectors, doubts, loose_ids)
    small = [each for each in material.vectors if each.size <= _LARGEST] or material.vectors
    return _made(SessionMachine, material, {"conversations": small})


def proxy_machine(
    protocol: str | Protocol | Material,
    vectors: Sequence[Vector] = (),
    *,
    doubts: bool = False,
    loose_ids: bool = False,
) -> type[ProxyMachine]:
    """A state machine of a proxy of `protocol` with several clients on one connection to a server, who exchange what is in `vectors`.

    Arguments as of `session_machine`. Raises ValueError where no vector has a request and its answer that endpoints can exchange.
    """
    material = _material(protocol, vectors, doubts, loose_ids)
    places = find_exchanges(material)
    if material.protocol.pairing is Pairing.NONE or not places:
        raise ValueError(
            f"no vector of {material.protocol.name} has a request with an answer that endpoints can exchange"
        )
    return _made(ProxyMachine, material, {"places": places, "pool": Pool(material, places)})


def _material(
    protocol: str | Protocol | Material, vectors: Sequence[Vector], doubts: bool, loose_ids: bool
) -> Material:
    if isinstance(protocol, str):
        protocol = get_protocol(protocol)
    if isinstance(protocol, Protocol):
        protocol = Material(protocol, [*vectors], doubts=doubts, loose_ids=loose_ids)
    if not protocol.vectors:
        raise ValueError(f"there are no vectors of {protocol.protocol.name}")
    return protocol


def _made(base: type[_M], material: Material, given: dict[str, object]) -> type[_M]:
    """The machine of a protocol, as a class of its own."""
    name = f"{material.protocol.name.title().replace('_', '')}{base.__name__}"
    made = type(name, (base,), {"material": material, "__module__": base.__module__, **given})
    assert issubclass(made, base)
    made.TestCase.settings = MACHINES
    return made
