"""Which request an answer answers, and that an answer is told by itself and not by its neighbours."""

from __future__ import annotations

from itertools import pairwise

from l7codecs import Pairing
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Message
from l7codecs.testing.conformance.base import ConformanceBase, show_error
from l7codecs.testing.conformance.events import check_octets
from l7codecs.testing.replay import Outcome, place
from l7codecs.testing.vectors import Vector

__all__ = ["Pairs", "answers_of"]


class Pairs(ConformanceBase):
    """Answers and their requests."""

    def test_an_answer_finds_its_request(self, vector: Vector) -> None:
        """A conversation that is seen from its beginning leaves no answer without its request."""
        pairing = self.loaded().pairing
        if pairing is Pairing.NONE or vector.name in self.unpaired:
            return
        for event in _responses(self.outcome(vector)):
            request = event.request
            assert request is not None, (
                f"{vector.name}: {place(event)} has no request, though the protocol pairs by {pairing.value}: does the decoder "
                "call `pair` for every message? (`unpaired` is for vectors whose requests were not seen)"
            )
            if pairing is Pairing.ID:
                assert request.request_id == event.request_id, (
                    f"{vector.name}: {place(event)} has number {event.request_id!r}, and its request {request.request_id!r}"
                )
            if pairing is Pairing.STREAM:
                assert request.stream_id == event.stream_id, (
                    f"{vector.name}: {place(event)} has stream {event.stream_id}, and its request {request.stream_id}"
                )

    def test_requests_that_wait_together_are_answered_in_order(self, vector: Vector) -> None:
        """All that one side says first, then all of the other: every answer of the other finds the request that it found in turns."""
        # By number, the same conversation twice would use a number again that waits.
        if (
            self.loaded().pairing is not Pairing.ID
            and vector.name not in self.once
            and vector.name not in self.stateful
        ):
            vector = vector + vector
        client, server = vector.octets(Sender.CLIENT), vector.octets(Sender.SERVER)
        together = self.outcome(Vector(vector.name, ((Sender.CLIENT, client), (Sender.SERVER, server))))
        in_turns = self.outcome(vector)
        assert not together.errors, f"{vector.name}, its requests together: {show_error(together)}"
        check_octets(together, vector)
        answers = [answer for answer in _responses(together) if answer.sender is Sender.SERVER]
        others = [answer for answer in _responses(in_turns) if answer.sender is Sender.SERVER]
        for one, other in zip(answers, others, strict=True):
            assert _asked(one) == _asked(other), (
                f"{vector.name}: {place(one)} answers the request at octet {_asked(one)} where all requests wait together, "
                f"and that at octet {_asked(other)} where they come in turns"
            )
        if self.loaded().pairing is Pairing.FIFO:
            for one, other in pairwise(answers):
                first, second = _asked(one), _asked(other)
                assert first is None or second is None or first <= second, (
                    f"{vector.name}: {place(other)} answers the request at octet {second}, and the answer before it the one at {first}: "
                    "the first asked is the first answered"
                )
        # What the server asks is answered by the client.
        answers = [answer for answer in _responses(in_turns) if answer.sender is Sender.CLIENT]
        if answers:
            together = self.outcome(Vector(vector.name, ((Sender.SERVER, server), (Sender.CLIENT, client))))
            found = {answer.offset: answer for answer in _responses(together) if answer.sender is Sender.CLIENT}
            for other in answers:
                asked = _asked(found[other.offset]) if other.offset in found else None
                assert asked == _asked(other), (
                    f"{vector.name}: {place(other)} answers the request at octet {asked} where all requests of the server wait together, "
                    f"and that at octet {_asked(other)} where they come in turns"
                )

    def test_an_answer_says_the_same_whatever_came_before(self, vector: Vector) -> None:
        """Behind an answer that failed, and behind one that did not, on a connection of its own."""
        if self.loaded().pairing not in (Pairing.FIFO, Pairing.ID) or vector.name in self.stateful:
            return
        others = self._good_and_bad()
        for request, answer in answers_of(self.outcome(vector)):
            for before in others:
                pieces = [(each.sender, each.raw) for each in (*before, request, answer)]
                outcome = self.outcome(Vector(vector.name, tuple(pieces)))
                found = [event for event in outcome.events if isinstance(event, Message)]
                where = f"{vector.name}: {place(answer)}, behind an answer with status {_name(before[1])}"
                assert not outcome.errors and len(found) == 4, f"{where}, is not decoded: {show_error(outcome)}"
                assert _told(found[3]) == _told(answer), (
                    f"{where}, says {_told(found[3])}, and in its own conversation {_told(answer)}: state is left of the answer before "
                    "(`stateful` is for vectors whose answers mean something only behind what came before)"
                )

    def _good_and_bad(self) -> list[tuple[Message, Message]]:
        """A request with an answer that failed, and one with an answer that did not, as far as vectors have them."""
        found: dict[bool, tuple[Message, Message]] = {}
        for vector in self.vectors:
            if vector.name not in self.stateful and vector.name not in self.once:
                for request, answer in answers_of(self.outcome(vector)):
                    found.setdefault(answer.status is Status.OK, (request, answer))
        return list(found.values())


def answers_of(outcome: Outcome) -> list[tuple[Message, Message]]:
    """Requests of the client with the only answer that they got, where neither streams."""
    found: dict[Message, list[Message]] = {}
    for event in _responses(outcome):
        if event.request is not None:
            found.setdefault(event.request, []).append(event)
    return [
        (request, answers[0])
        for request, answers in found.items()
        if len(answers) == 1 and not request.more and not answers[0].more and request.sender is Sender.CLIENT
    ]


def _responses(outcome: Outcome) -> list[Message]:
    return [event for event in outcome.events if isinstance(event, Message) and event.kind is Kind.RESPONSE]


def _asked(answer: Message) -> int | None:
    return answer.request.offset if answer.request is not None else None


def _told(message: Message) -> tuple[object, ...]:
    return message.kind.value, message.operation, _name(message), message.error


def _name(message: Message) -> str:
    return message.status.name if message.status is not None else "None"
