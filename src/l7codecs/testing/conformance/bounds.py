"""Memory follows the octets that were received, under a cap: never a declared length or count."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Limits, Pairing
from l7codecs.errors import LimitExceeded, ProtocolError
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Message
from l7codecs.testing.conformance.base import EXAMPLES, ConformanceBase, show_error
from l7codecs.testing.conformance.events import check_ends, check_octets
from l7codecs.testing.growth import peak_memory
from l7codecs.testing.replay import Outcome, describe, difference_of, place
from l7codecs.testing.vectors import Vector

__all__ = ["Bounds"]

_LENGTHS = (b"\x00\x00\xff\xff", b"\xff\xff", b"\x7f\xff\xff\xff", b"999999", b"99999999")
"""What is put in the place of octets that may be a length or a count."""
_PLACES = 20
"""Octets of a direction that are tried, from its first and spread over it."""
_EACH = 64
"""Octets of memory for each octet received, beside `memory`: many small messages have an object each."""


class Bounds(ConformanceBase):
    """Limits and memory."""

    @given(st.data())
    @EXAMPLES
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
            assert waiting <= limits.message + limits.head + 64 + len(octets), (
                f"{vector.name}: {waiting} octets of the {sender.value} wait to become an event, with {limits}"
            )
        outcome.pending = session.pending
        for error in outcome.errors.values():
            assert isinstance(error, LimitExceeded), f"{vector.name}: {error!r} is no LimitExceeded, with {limits}"
        self.same(outcome, self.outcome(vector, limits=limits), f"{vector.name}, cut and whole, with {limits}")

    def test_no_more_requests_are_remembered_than_the_limit_allows(self, vector: Vector) -> None:
        by_stream = self.loaded().pairing is Pairing.STREAM
        for pending in (1, 2):
            session = self.open(Limits(pending=pending))
            # By stream, a request waits as long as its stream is open.
            most = session.limits.streams if by_stream else pending
            outcome = Outcome()
            for sender, octet in vector.octet_by_octet().pieces:
                if sender not in outcome.errors:
                    outcome.take(sender, session.receive(sender, octet))
                    assert session.pending <= most, (
                        f"{vector.name}: {session.pending} requests are remembered, and the limit is {most}"
                    )
            assert Sender.CLIENT not in outcome.errors, (
                f"{vector.name}, at most {pending} requests: {show_error(outcome)}"
            )

    def test_what_waits_lets_go_of_its_read(self, vector: Vector) -> None:
        """A message that is remembered can keep its own octets and no neighbour's, and says the same as before."""
        joined = vector.joined()
        for one, other in zip(self.outcome(joined).events, self.outcome(joined).events, strict=True):
            if not isinstance(one, Message) or not isinstance(other, Message):
                continue
            name = f"{vector.name}, {place(one)}: {type(other).__name__}"
            done = other.detach()
            if one.kind is Kind.REQUEST or one.kind is Kind.HEARTBEAT:
                assert done, f"{name}.detach is missing: a request that waits keeps the whole read that it lies in"
            if not done:
                continue
            assert other.kept == one.kept >= len(one.raw), (
                f"{name}.kept is {other.kept}: it keeps {len(one.raw)} octets, at least"
            )
            assert other.octets == one.raw, f"{name}.detach has to call keep_own: octets are {other.octets[:60]!r}"
            after, before = describe(other), describe(one)
            assert after == before, f"{name}.detach changes what the message says: {difference_of(after, before)}"
            short = other.shortened(16)
            if short is not None:
                said = [(each.kind, each.offset, each.operation, each.request_id) for each in (short, one)]
                assert said[0] == said[1], f"{name}.shortened changes what the message says: {said[0]} and {said[1]}"
                assert len(short.octets) <= 16, (
                    f"{name}.shortened keeps {len(short.octets)} octets, and is asked for 16"
                )

    def test_large_messages_are_given(self) -> None:
        """What only a long message shows is not tested without one."""
        try:
            self.large(8192)
        except NotImplementedError:
            raise AssertionError(
                "override large(size): conversations of about so many octets in one message, of every form that can be long; "
                "where no message of the protocol can be long, let it return []"
            ) from None

    def test_large_messages_stream(self) -> None:
        limits = Limits(message=4096, head=1024)
        for vector in self.large_vectors(64 * 1024):
            session = self.open(limits)
            outcome = Outcome()
            for sender, octets in vector.split(*range(0, vector.size, 512)).pieces:
                outcome.take(sender, session.receive(sender, octets))
                waiting = session.decoder(sender).buffer.unfinished
                assert waiting <= limits.message + limits.head + 1024, (
                    f"{vector.name}: {waiting} octets wait to become an event, with {limits}"
                )
            if outcome.errors:
                wrong = [error for error in outcome.errors.values() if not isinstance(error, LimitExceeded)]
                assert not wrong, f"{vector.name}: what is too large is a LimitExceeded, not {wrong}"
                continue
            assert any(isinstance(event, Message) and event.more for event in outcome.events), (
                f"{vector.name}: a message of {vector.size} octets is not announced with more, where limits.message is {limits.message}"
            )
            check_octets(outcome, vector)
            check_ends(outcome.events, vector.name)
            outcome.pending = session.pending
            self.same(self.outcome(vector, limits=limits), outcome, f"{vector.name}, whole and cut")

    def test_memory_follows_the_octets_received(self) -> None:
        """Neither the beginning of a large message nor a length that was put in takes memory for what has not come."""
        for vector, octets in self._declaring():
            most = self.memory + _EACH * vector.size
            used = self._memory(vector)
            if used > most:
                used = self._memory(vector)  # the first time, tables of the room may have been made
            assert used <= most, (
                f"{vector.name}, of which {vector.size} octets have come: decoding takes {used} octets of memory, at most {most} "
                f"may be: is something allocated by a declared length or count?{octets}"
            )

    def _declaring(self) -> Iterator[tuple[Vector, str]]:
        for size in (512 * 1024, 8 * 1024 * 1024):
            for vector in self.large_vectors(size):
                yield vector.cut(700), ""
        for vector in self.vectors[:: max(1, len(self.vectors) // 8)]:
            for sender in Sender:
                octets = vector.octets(sender)[:800]
                for at in {*range(min(8, len(octets))), *range(0, len(octets), max(1, len(octets) // _PLACES))}:
                    length = _LENGTHS[at % len(_LENGTHS)]
                    changed = octets[:at] + length + octets[at + len(length) :][:100]
                    said = f" {length!r} was put at octet {at} of the {sender.value}"
                    yield Vector(vector.name, ((sender, changed[:800]),)), said

    def _memory(self, vector: Vector) -> int:
        """The most octets of memory that are in use at once while `vector` is decoded, octet by octet."""
        session = self.open()
        pieces = vector.octet_by_octet().pieces

        def decode() -> None:
            with contextlib.suppress(ProtocolError):
                for sender, octet in pieces:
                    for _event in session.receive(sender, octet):
                        pass

        return peak_memory(decode)

    def test_what_is_answered_is_forgotten(self) -> None:
        """A session that has seen twice as much holds no more."""
        for vector in [each for each in self.starting_over() if each.name not in self.stateful][:3]:
            rounds = 1 + 30_000 // max(vector.size, 1)
            session = self.open()
            held: list[int] = []
            gc.collect()
            tracemalloc.start()
            try:
                for _turn in range(3):
                    for sender, octets in vector.joined().pieces * rounds:
                        for _event in session.receive(sender, octets):
                            pass
                    gc.collect()
                    held.append(tracemalloc.get_traced_memory()[0])
            finally:
                tracemalloc.stop()
            grown = min(held[1] - held[0], held[2] - held[1])
            most = 4096 + rounds * vector.size // 10
            assert grown <= most, (
                f"{vector.name}: a session holds {grown} octets more after {rounds} more rounds of it, at most {most} may be: "
                "does something keep the messages that were answered?"
            )
