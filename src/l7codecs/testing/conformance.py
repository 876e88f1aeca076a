"""The promises that every protocol makes, each as a test.

Subclass `ProtocolConformance`, name the protocol, give vectors. Nothing else is needed; `large` and `limits` make two of the tests sharper.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import partial
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l7codecs import Limits, Pairing, Protocol, get_protocol
from l7codecs.errors import IncompleteMessage, LimitExceeded, ProtocolError
from l7codecs.message import Kind, Message, Sender
from l7codecs.protocol import Direction, Verdict
from l7codecs.registry import list_protocols
from l7codecs.session import Session
from l7codecs.testing.growth import growth
from l7codecs.testing.loss import Loss, difference_after_loss, replay_lossy
from l7codecs.testing.replay import Outcome, describe, replay
from l7codecs.testing.vectors import Vector

__all__ = ["ProtocolConformance"]

_EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
)


class ProtocolConformance:
    """What a protocol promises.

    protocol: its registered name, or the `Protocol` itself.
    vectors: conversations without an error. Each kind of message should be in one.
    undetected: the names of vectors that detection, which is strict, may deny.
    once: the names of vectors after which their connection cannot start over: after a preface, a hand-over.
    """

    protocol: ClassVar[str | Protocol]
    vectors: ClassVar[Sequence[Vector]]
    once: ClassVar[Collection[str]] = ()
    undetected: ClassVar[Collection[str]] = ()

    def large(self, size: int) -> list[Vector]:
        """Conversations of about `size` octets in one message each, of every form that can be long. None by default."""
        return []

    # What the tests are made of.

    @classmethod
    def loaded(cls) -> Protocol:
        return get_protocol(cls.protocol) if isinstance(cls.protocol, str) else cls.protocol

    def open(self, limits: Limits | None = None) -> Session:
        """A new session."""
        return self.loaded().open(limits=limits or Limits())

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "vector" in metafunc.fixturenames:
            vectors = type(self).vectors
            metafunc.parametrize("vector", vectors, ids=[vector.name for vector in vectors])

    def outcome(self, vector: Vector, *, eof: bool = False, limits: Limits | None = None) -> Outcome:
        return replay(self.open(limits), vector, eof=eof)

    # Any split, same events.

    def test_a_vector_decodes_whole(self, vector: Vector) -> None:
        outcome = self.outcome(vector, eof=True)
        assert outcome.errors == {}
        for sender in Sender:
            assert outcome.raw(sender) == vector.octets(sender), "every octet belongs to exactly one event"
            offset = 0
            for event in outcome.events:
                if event.sender is sender:
                    assert event.offset == offset
                    offset += len(event.raw)

    def test_octet_by_octet(self, vector: Vector) -> None:
        self._same(self.outcome(vector.octet_by_octet()), self.outcome(vector))

    def test_every_split_point(self, vector: Vector) -> None:
        whole = self.outcome(vector)
        for at in range(1, vector.size):
            self._same(self.outcome(vector.split(at)), whole, f"split at {at}")

    @given(st.data())
    @_EXAMPLES
    def test_any_split(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        cuts = data.draw(st.lists(st.integers(0, max(vector.size, 1)), max_size=12))
        self._same(self.outcome(vector.split(*cuts)), self.outcome(vector))

    @staticmethod
    def _same(outcome: Outcome, other: Outcome, where: str = "") -> None:
        difference = outcome.difference(other)
        assert not difference, f"{where}: {difference}" if where else difference

    def test_events_come_as_soon_as_they_are_complete(self, vector: Vector) -> None:
        """What the first n octets complete is yielded when they are there, not later."""
        session = self.open()
        fed = self.outcome(vector)
        ends = {sender: [e.offset + len(e.raw) for e in fed.events if e.sender is sender] for sender in Sender}
        seen = dict.fromkeys(Sender, 0)
        received = dict.fromkeys(Sender, 0)
        for sender, octet in vector.octet_by_octet().pieces:
            seen[sender] += sum(1 for event in session.receive(sender, octet) if isinstance(event, Message))
            received[sender] += 1
            if not any(event.sender is sender and not isinstance(event, Message) for event in fed.events):
                assert seen[sender] == sum(1 for end in ends[sender] if end <= received[sender])

    # Truncated, concatenated.

    def test_truncated_everywhere(self, vector: Vector) -> None:
        whole = self.outcome(vector)
        for at in range(vector.size):
            part = self.outcome(vector.cut(at))
            assert part.errors == {}, f"cut at {at}: the beginning of what is right is not wrong"
            for sender in Sender:
                found = part.descriptions[sender]
                expected = whole.descriptions[sender][: len(found)]
                if found and found[-1][0] == "data":
                    found, expected = found[:-1], expected[:-1]
                assert found == expected, f"cut at {at}"

    def test_the_end_inside_a_message_is_told(self, vector: Vector) -> None:
        boundaries: dict[Sender, set[int]] = {sender: {0} for sender in Sender}
        for event in self.outcome(vector).events:
            boundaries[event.sender].add(event.offset + len(event.raw))
        for at in range(vector.size):
            part = vector.cut(at)
            outcome = self.outcome(part, eof=True)
            for sender in Sender:
                error = outcome.errors.get(sender)
                if len(part.octets(sender)) in boundaries[sender]:
                    continue
                assert isinstance(error, IncompleteMessage), f"cut at {at}"
                assert outcome.raw(sender) == part.octets(sender)[: len(outcome.raw(sender))]

    def test_concatenated(self, vector: Vector) -> None:
        if vector.name in self.once:
            return
        outcome = self.outcome(vector + vector + vector)
        assert outcome.errors == {}
        for sender in Sender:
            once = [event.raw for event in self.outcome(vector).events if event.sender is sender]
            assert [event.raw for event in outcome.events if event.sender is sender] == once * 3

    # Forwarding.

    def test_send_without_changes_returns_the_octets(self, vector: Vector) -> None:
        other = self.open()
        for event in self.outcome(vector).events:
            assert other.send(event) == event.raw

    # Nothing but ProtocolError.

    @given(st.binary(max_size=400), st.binary(max_size=400))
    @_EXAMPLES
    def test_random_octets(self, client: bytes, server: bytes) -> None:
        self._check_garbage(Vector("random", ((Sender.CLIENT, client), (Sender.SERVER, server))))

    @given(st.data())
    @settings(_EXAMPLES, max_examples=400)
    def test_mutated_vectors(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        self._check_garbage(_mutated(vector, data))

    def _check_garbage(self, vector: Vector) -> None:
        whole = self.outcome(vector, eof=True)
        for sender in Sender:
            raw = whole.raw(sender)
            assert vector.octets(sender)[: len(raw)] == raw
            error = whole.errors.get(sender)
            if error is None:
                assert len(raw) == len(vector.octets(sender))
            else:
                assert 0 <= error.offset <= len(vector.octets(sender))
                assert error.seen and error.expected
        self._same(self.outcome(vector.octet_by_octet(), eof=True), whole)

    @given(st.data())
    @_EXAMPLES
    def test_an_error_is_raised_again(self, data: st.DataObject) -> None:
        vector = _mutated(data.draw(st.sampled_from(self.vectors)), data)
        session = self.open()
        outcome = replay(session, vector)
        for sender, error in outcome.errors.items():
            with pytest.raises(ProtocolError) as again:
                list(session.receive(sender, b"more"))
            assert again.value is error

    # Limits.

    @given(st.data())
    @_EXAMPLES
    def test_limits_hold(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        limits = Limits(
            head=data.draw(st.integers(1, 64)),
            message=data.draw(st.integers(1, 64)),
            payload=data.draw(st.integers(1, 1000)),
            nesting=data.draw(st.integers(1, 4)),
            elements=data.draw(st.integers(1, 8)),
        )
        session = self.open(limits)
        outcome = Outcome()
        cuts = data.draw(st.lists(st.integers(0, max(vector.size, 1)), max_size=12))
        for sender, octets in data.draw(st.sampled_from((vector.octet_by_octet(), vector.split(*cuts)))).pieces:
            if sender in outcome.errors:
                continue
            outcome.take(sender, session.receive(sender, octets))
            waiting = session.decoder(sender).buffer.unfinished
            assert waiting <= limits.message + limits.head + 64 + len(octets), f"{waiting} octets wait"
        for error in outcome.errors.values():
            assert isinstance(error, LimitExceeded)
        self._same(outcome, self.outcome(vector, limits=limits))

    def test_no_more_requests_are_remembered_than_the_limit_allows(self, vector: Vector) -> None:
        by_stream = self.loaded().pairing is Pairing.STREAM
        for pending in (1, 2):
            session = self.open(Limits(pending=pending))
            outcome = Outcome()
            for sender, octet in vector.octet_by_octet().pieces:
                if sender not in outcome.errors:
                    outcome.take(sender, session.receive(sender, octet))
                    # By stream, a request waits as long as its stream is open.
                    assert session.pending <= (session.limits.streams if by_stream else pending)
            assert Sender.CLIENT not in outcome.errors

    def test_what_waits_lets_go_of_its_read(self, vector: Vector) -> None:
        """A message that is remembered can keep its own octets and no neighbour's, and says the same as before."""
        joined = vector.joined()
        for one, other in zip(self.outcome(joined).events, self.outcome(joined).events, strict=True):
            if not isinstance(one, Message) or not isinstance(other, Message):
                continue
            name = type(other).__name__
            done = other.detach()
            if one.kind is Kind.REQUEST or one.kind is Kind.HEARTBEAT:
                assert done, f"{name}.detach is missing: a request that waits keeps the whole read that it lies in"
            if not done:
                continue
            assert other.octets == one.raw, f"{name}.detach has to call keep_own"
            assert describe(other) == describe(one), f"{name}.detach changes what the message says"
            assert other.payload == one.payload, f"{name}.detach changes the payload"
            short = other.shortened(16)
            if short is not None:
                said = [(each.kind, each.offset, each.operation, each.request_id) for each in (short, one)]
                assert said[0] == said[1], f"{name}.shortened changes what the message says"
                assert len(short.octets) <= 16, f"{name}.shortened keeps more than it is asked to"

    def test_large_messages_stream(self) -> None:
        limits = Limits(message=4096, head=1024)
        for vector in self.large(64 * 1024):
            session = self.open(limits)
            outcome = Outcome()
            for sender, octets in vector.split(*range(0, vector.size, 512)).pieces:
                outcome.take(sender, session.receive(sender, octets))
                waiting = session.decoder(sender).buffer.unfinished
                assert waiting <= limits.message + limits.head + 1024, f"{vector.name}: {waiting} octets wait"
            if outcome.errors:
                assert all(isinstance(error, LimitExceeded) for error in outcome.errors.values()), vector.name
                continue
            assert any(isinstance(event, Message) and event.more for event in outcome.events), vector.name
            for sender in Sender:
                assert outcome.raw(sender) == vector.octets(sender)
            self._same(self.outcome(vector, limits=limits), outcome, vector.name)

    def test_octets_one_by_one_cost_linear_time(self) -> None:
        """Four times the octets may take at most eight times as long."""
        again = [vector for vector in self.vectors if vector.name not in self.once][:1]
        vectors = [(_repeated(vector, 8192), _repeated(vector, 4 * 8192)) for vector in again]
        vectors += list(zip(self.large(8192), self.large(4 * 8192), strict=True))
        for small, big in vectors:
            times = growth(self._cost, small, big, 8)
            assert times <= 8, f"{small.name}: four times the octets take {times:.1f} times as long"

    def _cost(self, vector: Vector) -> float:
        pieces = vector.octet_by_octet().pieces
        session = self.open()
        start = time.process_time()
        for sender, octet in pieces:
            for _event in session.receive(sender, octet):
                pass
        return time.process_time() - start

    # Lost octets.

    def test_a_gap_loses_no_other_octet(self, vector: Vector) -> None:
        for at in range(0, vector.size, max(1, vector.size // 40)):
            for size in (0, 1, 7):
                self._check_gap(vector, at, size)

    def _check_gap(self, vector: Vector, at: int, size: int) -> None:
        session = self.open()
        outcome = Outcome()
        fed = dict.fromkeys(Sender, b"")
        start = 0
        for sender, octets in vector.split(at, at + size).pieces:
            if sender in outcome.errors:
                continue
            if start == at:
                outcome.take(sender, session.gap(sender, size))
            if not at <= start < at + size:
                outcome.take(sender, session.receive(sender, octets))
                fed[sender] += octets
            start += len(octets)
        for sender in Sender:
            if sender not in outcome.errors:
                outcome.take(sender, session.eof(sender))
            raw = outcome.raw(sender)
            assert fed[sender][: len(raw)] == raw
            if sender not in outcome.errors:
                assert raw == fed[sender]

    def test_behind_a_gap_any_split(self, vector: Vector) -> None:
        """How the octets behind a gap are cut changes nothing: not what is found there, nor an error."""
        for sender in Sender:
            size = len(vector.octets(sender))
            for at in range(0, size, max(1, size // 10)):
                for loss in (Loss(at, min(at + 1, size)), Loss(at, min(at + 7, size), False)):
                    self._check_lossy(vector, {sender: [loss]}, [[1], [20]])

    @given(st.data())
    @_EXAMPLES
    def test_behind_gaps_any_split(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        if data.draw(st.booleans()):
            vector = _mutated(vector, data)
        losses = {sender: _losses(len(vector.octets(sender)), data) for sender in Sender}
        self._check_lossy(vector, losses, [[1], data.draw(_READS)])

    @given(st.data())
    @_EXAMPLES
    def test_behind_a_gap_what_is_no_message_in_any_split(self, data: st.DataObject) -> None:
        """Pieces of conversations, which no longer fit together, with other octets between them: false starts."""
        numbers = data.draw(st.randoms(use_true_random=False))
        pieces: list[tuple[Sender, bytes]] = []
        for sender in data.draw(st.sampled_from(((Sender.CLIENT,), (Sender.SERVER,), tuple(Sender)))) * 6:
            octets = numbers.choice(self.vectors).octets(sender)
            at = numbers.randrange(len(octets) + 1)
            noise = bytes(numbers.randrange(numbers.choice((4, 256))) for _ in range(numbers.randrange(12)))
            pieces.append((sender, octets[at : at + numbers.randrange(200)] + noise))
        joined = Vector("pieces", tuple((sender, octets) for sender, octets in pieces if octets))
        self._check_lossy(joined, {sender: [Loss(0, 1, False)] for sender in Sender}, [[1], data.draw(_READS)])

    def _check_lossy(self, vector: Vector, losses: dict[Sender, list[Loss]], cuts: Sequence[Sequence[int]]) -> None:
        whole = replay_lossy(self.open(), vector, losses, [1 << 30])
        for reads in cuts:
            cut = replay_lossy(self.open(), vector, losses, reads)
            difference = difference_after_loss(cut, whole)
            assert not difference, f"{losses}, in reads of {reads}: {difference}"

    def test_a_gap_costs_linear_time(self) -> None:
        """What is looked for behind a gap is found, or not, in a time that follows the octets: in one read and in many."""
        for vector in self.vectors[:: max(1, len(self.vectors) // 6)]:
            for sender in Sender:
                again = vector.octets(sender)[len(vector.octets(sender)) // 2 :]
                if not again:
                    continue
                small, big = (again * (size // len(again) + 1) for size in (1 << 16, 1 << 18))
                for most in (1 << 30, 16):
                    times = growth(partial(self._cost_after_gap, sender, most), small, big, 8, 0.002)
                    where = f"{vector.name}, {sender.value}, reads of {most}"
                    assert times <= 8, f"{where}: four times the octets take {times:.1f} times as long"

    def _cost_after_gap(self, sender: Sender, most: int, octets: bytes) -> float:
        session = self.open()
        start = time.process_time()
        try:
            for _event in session.gap(sender, 1):
                pass
            for at in range(0, len(octets), most):
                for _event in session.receive(sender, octets[at : at + most]):
                    pass
        except ProtocolError:
            pass
        return time.process_time() - start

    # Metadata.

    def test_schema_and_attributes_agree(self, vector: Vector) -> None:
        protocol = self.loaded()
        for event in self.outcome(vector).events:
            if not isinstance(event, Message):
                continue
            schema = (protocol if event.protocol == protocol.name else get_protocol(event.protocol)).schema
            for key, value in event.attributes.items():
                attribute = schema.get(key)
                assert attribute is not None, f"{key} is not in the schema"
                assert attribute.accepts(value), f"{key} is {attribute.type_name}, not {value!r}"
                assert attribute.direction is Direction.BOTH or attribute.direction.value == event.sender.value, key
            if event.kind in (Kind.REQUEST, Kind.ONEWAY, Kind.HEARTBEAT):
                assert event.request is None
            if event.kind is Kind.RESPONSE:
                assert event.status is not None or event.more, "an answer has an outcome"

    def test_it_is_registered_once(self) -> None:
        if isinstance(self.protocol, str):
            assert [entry.name for entry in list_protocols()].count(self.protocol) == 1
            assert self.loaded().name == self.protocol

    # Detection.

    def test_detection_is_monotone(self, vector: Vector) -> None:
        client, server = vector.octets(Sender.CLIENT), vector.octets(Sender.SERVER)
        prefixes = [(client[:n], b"") for n in range(len(client) + 1)]
        prefixes += [(client, server[:n]) for n in range(len(server) + 1)]
        final = self._check_monotone(prefixes)
        if vector.name not in self.undetected:
            assert final is not Verdict.NO, "a conversation of this protocol is not denied"

    @given(st.binary(max_size=64), st.binary(max_size=64))
    @_EXAMPLES
    def test_detection_is_total_and_monotone(self, client: bytes, server: bytes) -> None:
        self._check_monotone([(client[:n], server) for n in range(len(client) + 1)])
        self._check_monotone([(client, server[:n]) for n in range(len(server) + 1)])

    @given(st.data())
    @_EXAMPLES
    def test_detection_of_a_mutated_vector_is_monotone(self, data: st.DataObject) -> None:
        vector = _mutated(data.draw(st.sampled_from(self.vectors)), data)
        client, server = vector.octets(Sender.CLIENT)[:80], vector.octets(Sender.SERVER)[:80]
        self._check_monotone([(client[:n], server) for n in range(len(client) + 1)])
        self._check_monotone([(client, server[:n]) for n in range(len(server) + 1)])

    def test_detection_says_what_it_waits_for(self, vector: Vector) -> None:
        """Octets of a side that a MORE does not need change nothing; one that waits for the silent side says so."""
        protocol = self.loaded()
        octets = {sender: vector.octets(sender)[: Limits().detection] for sender in Sender}
        client, server = octets[Sender.CLIENT], octets[Sender.SERVER]
        for sender in Sender:
            for at in range(len(octets[sender]) + 1):
                part = {**octets, sender.other: b"", sender: octets[sender][:at]}
                answer = protocol.detect(part[Sender.CLIENT], part[Sender.SERVER])
                if answer.verdict is Verdict.MORE and answer.needs is not None:
                    more = {**octets, answer.needs: part[answer.needs]}
                    later = protocol.detect(more[Sender.CLIENT], more[Sender.SERVER])
                    assert later.verdict is Verdict.MORE and later.needs is answer.needs, (
                        f"with {at} octets of the {sender.value}, it does not need the {answer.needs.value} alone"
                    )
        if client and server:
            for sender, answer in (
                (Sender.CLIENT, protocol.detect(b"", server)),
                (Sender.SERVER, protocol.detect(client, b"")),
            ):
                if answer.verdict is Verdict.MORE and protocol.detect(client, server).verdict is not Verdict.MORE:
                    assert answer.needs is sender, f"it waits for the {sender.value}: Detection(…, needs=…)"

    def _check_monotone(self, prefixes: list[tuple[bytes, bytes]]) -> Verdict | None:
        """Once YES or NO, always; returns that, None for MORE to the end."""
        protocol = self.loaded()
        final: Verdict | None = None
        for client, server in prefixes:
            verdict = protocol.detect(client, server).verdict
            assert final is None or verdict is final, f"{final} became {verdict} at {client!r}, {server!r}"
            final = verdict if verdict is not Verdict.MORE else None
        return final


def _mutated(vector: Vector, data: st.DataObject) -> Vector:
    """`vector` with some octets flipped, left out, put in or doubled."""
    pieces = list(vector.pieces)
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(pieces) - 1))
        sender, octets = pieces[index]
        at = data.draw(st.integers(0, len(octets)))
        end = min(len(octets), at + data.draw(st.integers(0, 8)))
        action = data.draw(st.sampled_from(("replace", "insert", "delete", "double")))
        if action == "replace":
            octets = octets[:at] + data.draw(st.binary(min_size=end - at, max_size=end - at)) + octets[end:]
        elif action == "insert":
            octets = octets[:at] + data.draw(st.binary(max_size=8)) + octets[at:]
        elif action == "delete":
            octets = octets[:at] + octets[end:]
        else:
            octets = octets[:end] + octets[at:end] + octets[end:]
        pieces[index] = (sender, octets)
    return Vector(f"{vector.name}, mutated", tuple(pieces))


def _losses(size: int, data: st.DataObject) -> list[Loss]:
    """Up to two stretches of `size` octets."""
    places = sorted(data.draw(st.lists(st.integers(0, size), max_size=4, unique=True)))
    return [Loss(start, stop, data.draw(st.booleans())) for start, stop in zip(places[::2], places[1::2], strict=False)]


_READS = st.lists(st.sampled_from((1, 2, 3, 7, 20, 100, 400, 5000)), min_size=1, max_size=30)


def _repeated(vector: Vector, size: int) -> Vector:
    """`vector` as often as it takes to have `size` octets."""
    return Vector(vector.name, vector.pieces * max(1, size // max(vector.size, 1)))
