"""What an endpoint writes: a client and a server of the protocol, joined back to back.

The kit plays both sides with sessions of the protocol itself, so that whatever they owe each other (prefaces, acknowledgements, credit)
is exchanged as on a wire, and takes requests and answers from the vectors:

    a vector's request ──send──▶ client session ══octets══▶ server session ──receive──▶ the request, as a server sees it
    its answer, for it ◀─receive── client session ◀══octets══ server session ◀──send── a vector's answer
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from l7codecs import Limits, Pairing
from l7codecs.errors import LimitExceeded, ProtocolError, Unsupported
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Data, Event, Kind, Message, Sender, Status
from l7codecs.session import Session
from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.replay import place
from l7codecs.testing.vectors import Vector

__all__ = ["Endpoints"]

_PLACES: dict[type, list[tuple[int, int]]] = {}
_ENOUGH = 6
"""Requests that wait together."""


@dataclass
class _Exchange:
    """A request and its answer, each with what follows its head, decoded anew for each use."""

    name: str
    request: Message
    asking: list[Event]
    answer: Message
    answering: list[Event] = field(default_factory=list)

    def for_request(self, request: Message) -> list[Event]:
        """The answer and what follows it, for `request`, as another session would give them."""
        for event in self.answering:
            if isinstance(event, Message):
                event.request = request
        return self.answering


class Joined:
    """A client's session and a server's, and what each has received."""

    def __init__(self, client: Session, server: Session) -> None:
        self.client = client
        self.server = server
        self.asked: list[Message] = []
        """What the server has received of requests."""
        self.heard: list[Event] = []
        """All that the server has received."""
        self.answered: list[Message] = []
        """What the client has received of answers."""
        self.events: list[Event] = []
        """All that the client has received."""
        self.to_client = b""
        """Every octet that was written to the client."""
        self.settle()

    def settle(self) -> None:
        """Pass on what the two sessions owe each other, until neither has more."""
        for _turn in range(100):
            octets = self.client.pending_output()
            back = self.server.pending_output()
            if not octets and not back:
                return
            self.ask(octets, False)
            self.reply(back, False)
        raise AssertionError(
            "two endpoints of the protocol have something to say to each other for ever: pending_output"
        )

    def ask(self, octets: bytes, settle: bool = True) -> None:
        """The client has written `octets`."""
        for event in self.server.receive(Sender.CLIENT, octets):
            self.heard.append(event)
            if isinstance(event, Message) and event.kind in (Kind.REQUEST, Kind.HEARTBEAT):
                self.asked.append(event)
        if settle:
            self.settle()

    def reply(self, octets: bytes, settle: bool = True) -> None:
        """The server has written `octets`."""
        self.to_client += octets
        for event in self.client.receive(Sender.SERVER, octets):
            self.events.append(event)
            if isinstance(event, Message) and event.kind is Kind.RESPONSE:
                self.answered.append(event)
        if settle:
            self.settle()

    def send_request(self, exchange: _Exchange) -> None:
        for event in exchange.asking:
            self.ask(self.client.send(event))

    def send_answer(self, exchange: _Exchange, request: Message) -> bytes:
        """Answer `request`; returns what was written at once."""
        written = b""
        for event in exchange.for_request(request):
            octets = self.server.send(event)
            written += octets
            self.reply(octets)
        return written


class Endpoints(ConformanceBase):
    """Sessions that were opened with ``endpoint``."""

    def open_endpoint(self, side: Sender, limits: Limits | None = None) -> Session:
        """A new session that plays `side`."""
        return self.loaded().open(limits=limits or Limits(), endpoint=side)

    def test_send_without_changes_returns_the_octets(self, vector: Vector) -> None:
        """What is not changed is forwarded as it came, octet for octet."""
        other = self.open()
        for event in self.outcome(vector).events:
            sent = other.send(event)
            assert sent == event.raw, (
                f"{vector.name}: send of {place(event)} returns {sent[:60]!r}, and its octets are {event.raw[:60]!r}"
            )

    def test_there_are_exchanges(self) -> None:
        """The tests of endpoints have something to send."""
        if self.loaded().pairing is Pairing.NONE:
            return
        assert self._exchanges(1), (
            "no vector has a request with one answer that an endpoint could send: give one, or name those in `exchanges`"
        )

    def test_an_endpoint_forwards_requests_and_answers(self) -> None:
        """One at a time: the server receives what was sent, the client its answer, and then nothing waits."""
        for turn, index in self._places()[:50]:
            exchange = self._of_vector(index)[turn]
            joined = self._join()
            joined.send_request(exchange)
            name = f"{exchange.name}, {place(exchange.request)}"
            assert len(joined.asked) == 1, (
                f"{name}: the server's session receives {len(joined.asked)} requests of 1 that was sent"
            )
            asked = joined.asked[0]
            assert _same_request(asked, exchange.request), (
                f"{name}: the server's session receives {asked!r} of what was sent as {exchange.request!r}"
            )
            waits = joined.client.unanswered()
            assert waits == [exchange.request], (
                f"{name}: unanswered of the client's session is {waits!r}, behind its send"
            )
            assert joined.server.unanswered() == [asked], (
                f"{name}: unanswered of the server's session is {joined.server.unanswered()!r}, before an answer"
            )
            joined.send_answer(exchange, asked)
            self._check_answers(joined, [exchange], name)
            assert joined.client.unanswered() == joined.server.unanswered() == [], (
                f"{name}: unanswered is {joined.client.unanswered()!r} and {joined.server.unanswered()!r}, behind the answer"
            )

    def test_answers_come_in_an_order_that_the_client_understands(self) -> None:
        """However they are given: in the order of the requests, backwards, and mixed."""
        for order in (
            sorted,
            lambda numbers: sorted(numbers, reverse=True),
            lambda numbers: [*numbers[1::2], *numbers[::2]],
        ):
            joined, exchanges = self._asked()
            for number in order(list(range(len(exchanges)))):
                joined.send_answer(exchanges[number], joined.asked[number])
            self._check_answers(
                joined, exchanges, f"answers are given in the order {order(list(range(len(exchanges))))}"
            )
            assert joined.server.queued == 0, (
                f"{joined.server.queued} octets wait in the server's session, behind the last answer"
            )

    def test_an_answer_that_comes_late_is_swallowed(self) -> None:
        """A request that was answered with `reply_error` has its answer; what the upstream says of it later goes nowhere."""
        for early in (True, False):
            joined, exchanges = self._asked()
            refused = joined.asked[0 if early else -1]
            try:
                octets = joined.server.reply_error(refused, Status.UNAVAILABLE, "no server")
            except Unsupported as error:
                self._check_unsupported("reply_error", error)
                return
            self._check_supported("reply_error")
            joined.reply(octets)
            for exchange, request in zip(exchanges, joined.asked, strict=True):
                written = joined.send_answer(exchange, request)
                assert request is not refused or not written, (
                    f"{exchange.name}: an answer to {place(request)} is written, which reply_error has answered: {written[:60]!r}"
                )
            self._check_answers(joined, exchanges, "the first is refused" if early else "the last is refused", refused)
            waits = joined.server.unanswered()
            assert waits == [], (
                f"unanswered of the server's session is {waits!r}, where reply_error and send have answered all"
            )

    def test_a_request_is_refused_once(self) -> None:
        """`reply_error` for a request that has its answer is Unsupported, or writes nothing."""
        joined, _ = self._asked()
        try:
            joined.reply(joined.server.reply_error(joined.asked[0], Status.UNAVAILABLE, "no server"))
        except Unsupported as error:
            self._check_unsupported("reply_error", error)
            return
        try:
            again = joined.server.reply_error(joined.asked[0], Status.UNAVAILABLE, "no server")
        except Unsupported:
            again = b""
        assert not again, f"reply_error answers {place(joined.asked[0])} a second time: {again[:60]!r}"

    def test_a_request_that_is_given_up_yields_nothing(self) -> None:
        """After `cancel` its answer is swallowed, and all others find their requests."""
        if self.loaded().pairing is Pairing.NONE:
            return
        for which in (0, -1):
            joined, exchanges = self._asked()
            given_up = exchanges[which].request
            try:
                octets = joined.client.cancel(given_up)
            except Unsupported as error:
                self._check_unsupported("cancel", error)
                return
            self._check_supported("cancel")
            joined.ask(octets)
            waits = joined.client.unanswered()
            assert given_up not in waits, f"unanswered is {waits!r}, behind cancel of {given_up!r}"
            for exchange, request in zip(exchanges, joined.asked, strict=True):
                joined.send_answer(exchange, request)
            late = [answer for answer in joined.answered if answer.request is given_up]
            assert not late, (
                f"{exchanges[which].name}: {late[0]!r} is told of {place(given_up)}, which was given up with cancel"
            )
            self._check_answers(joined, exchanges, f"{place(given_up)} was given up", given_up=given_up)

    def test_many_clients_share_a_connection_to_a_server(self) -> None:
        """Two clients ask the same with the same number; each gets one answer, with its own number."""
        if self.loaded().pairing is Pairing.NONE or not self._places():
            return
        exchanges = [self._exchanges(1)[0], self._exchanges(1)[0]]
        clients = [self._join(), self._join()]
        upstream = self._join()
        for exchange, client in zip(exchanges, clients, strict=True):
            begun = len(client.heard)
            client.send_request(exchange)
            for event in client.heard[begun:]:
                if isinstance(event, Data) or (
                    isinstance(event, Message) and event.kind in (Kind.REQUEST, Kind.TRAILERS)
                ):
                    upstream.ask(upstream.client.send(event))
        done = 0
        while done < len(upstream.asked):
            # One that waits for a number comes once another is free.
            upstream.send_answer(exchanges[done], upstream.asked[done])
            done += 1
        for event in upstream.events:
            if isinstance(event, Data) or (isinstance(event, Message) and event.kind in (Kind.RESPONSE, Kind.TRAILERS)):
                request = (event.message if isinstance(event, Data) else event).request
                for client in clients:
                    if request is not None and request in client.asked:
                        client.reply(client.server.send(event))
        assert done == 2, f"{exchanges[0].name}: of requests of two clients {done} come to the server that they share"
        for number, (exchange, client) in enumerate(zip(exchanges, clients, strict=True)):
            where = f"client {number} of two that share a connection to a server"
            self._check_answers(client, [exchange], where)
            answer = client.answered[0]
            assert answer.request_id == exchange.request.request_id, (
                f"{where}: the answer has number {answer.request_id!r}, and the request {exchange.request.request_id!r}"
            )

    def test_what_is_written_while_paused_waits(self) -> None:
        """And is counted, and comes out once, in its order."""
        joined, exchanges = self._asked()
        joined.server.paused = True
        for exchange, request in zip(exchanges, joined.asked, strict=True):
            written = joined.send_answer(exchange, request)
            assert not written, f"{exchange.name}: {written[:60]!r} is written while the session is paused"
        assert joined.server.queued > 0, "queued is 0, and answers wait in a session that is paused"
        assert joined.server.paused, "paused is set, and is not"
        joined.server.paused = False
        joined.settle()
        self._check_answers(joined, exchanges, "answers waited while paused")
        assert joined.server.queued == 0, f"queued is {joined.server.queued}, and all is written"

    def test_what_is_put_comes_with_the_next_octets(self) -> None:
        """`put` is `send` whose octets come later: the same, in the same order."""
        joined, exchanges = self._asked()
        for exchange, request in zip(exchanges, joined.asked, strict=True):
            for event in exchange.for_request(request):
                joined.server.put(event)
        joined.settle()
        self._check_answers(joined, exchanges, "answers were put")

    def test_what_waits_has_a_cap(self) -> None:
        """A session that nobody reads from refuses at `REFUSED_AT` times ``limits.queued``, before it holds more."""
        queued = 200
        joined = self._join(Limits(queued=queued))
        joined.server.paused = True
        most = queued * REFUSED_AT
        biggest = 0
        for _turn in range(400 if self._places() else 0):
            exchange = self._exchanges(1)[0]
            try:
                joined.send_request(exchange)
                request = joined.asked[-1]
                for event in exchange.for_request(request):
                    joined.server.send(event)
                    biggest = max(biggest, len(event.raw))
            except (LimitExceeded, Unsupported):
                break
            room = most + 2 * biggest + 1024
            assert joined.server.queued <= room, (
                f"{joined.server.queued} octets wait in a session that is paused, more than {REFUSED_AT} times limits.queued = {queued}"
            )
            if len(joined.server.unanswered()) >= 64 or joined.client.queued > room:
                break  # by credit, the client is held back: nothing more comes to be answered

    def test_the_requests_that_wait_have_a_cap(self) -> None:
        """An endpoint never forgets who asked: it refuses at `REFUSED_AT` times ``limits.pending``, or holds back what is sent."""
        pending = 4
        limits = Limits(pending=pending, streams=pending)
        joined = self._join(limits)
        sent: list[Message] = []
        for _turn in range(pending * REFUSED_AT + 3 if self._places() else 0):
            exchange = self._exchanges(1)[0]
            try:
                joined.send_request(exchange)
            except (LimitExceeded, Unsupported):
                break
            sent.append(exchange.request)
        waits = joined.client.unanswered()
        most = pending * REFUSED_AT
        assert len(waits) <= most, (
            f"{len(waits)} requests wait in an endpoint, more than {REFUSED_AT} times limits.pending = {pending}"
        )
        if self.loaded().pairing is not Pairing.ID:
            assert waits == sent, (
                f"{len(sent)} requests were sent and not refused, and {len(waits)} of them wait: an endpoint forgets none"
            )

    def test_what_the_server_leaves_unanswered_is_told(self) -> None:
        """At its end: `unanswered` lists what waits, `abandoned` returns it once, and the session takes no more."""
        joined, exchanges = self._asked()
        joined.send_answer(exchanges[0], joined.asked[0])
        waits = joined.client.unanswered()
        expected = [exchange.request for exchange in exchanges[1:]]
        assert sorted(waits, key=id) == sorted(expected, key=id), (
            f"unanswered is {waits!r}, and sent and not answered were {expected!r}"
        )
        assert joined.client.abandoned() == [], "abandoned tells requests whose server has not ended"
        closing = joined.client.closing
        assert not closing, "closing is set, and the server has not ended"
        try:
            for _event in joined.client.eof(Sender.SERVER):
                pass
        except ProtocolError:
            pass
        closing = joined.client.closing
        assert closing, "closing is not set behind the server's end"
        left = joined.client.abandoned()
        assert sorted(left, key=id) == sorted(expected, key=id), (
            f"abandoned is {left!r} behind the server's end, and sent and not answered were {expected!r}"
        )
        again = joined.client.abandoned()
        assert again == [], f"abandoned returns {again!r} a second time"

    # What they are made of.

    def _exchanges(self, most: int) -> list[_Exchange]:
        """Requests of the vectors with the one answer that each got, decoded anew; those of different vectors first."""
        found: list[_Exchange] = []
        for turn, index in self._places()[:most]:
            found.append(self._of_vector(index)[turn])
        return found

    @classmethod
    def _places(cls) -> list[tuple[int, int]]:
        """Where exchanges are: in which turn, in which vector."""
        known = _PLACES.get(cls)
        if known is None:
            counts = [len(cls()._of_vector(index)) for index in range(len(cls.vectors))]
            known = sorted((turn, index) for index, count in enumerate(counts) for turn in range(count))
            _PLACES[cls] = known
        return known

    def _of_vector(self, index: int) -> list[_Exchange]:
        vector = self.vectors[index]
        if vector.name in self.stateful if self.exchanges is None else vector.name not in self.exchanges:
            return []
        found: list[_Exchange] = []
        events = self.outcome(vector).events
        for request in events:
            if (
                not isinstance(request, Message)
                or request.kind is not Kind.REQUEST
                or request.sender is not Sender.CLIENT
            ):
                continue
            answers = [event for event in events if isinstance(event, Message) and event.request is request]
            if any(answer.kind is Kind.PUSH or answer.kind is Kind.RESET for answer in answers):
                continue
            heads = [answer for answer in answers if answer.kind is Kind.RESPONSE]
            if len(heads) == 1:
                asking, answering = list(_with_rest(request, events)), list(_with_rest(heads[0], events))
                found.append(_Exchange(vector.name, request, asking, heads[0], answering))
        return found

    def _join(self, limits: Limits | None = None) -> Joined:
        return Joined(self.open_endpoint(Sender.CLIENT, limits), self.open_endpoint(Sender.SERVER, limits))

    def _asked(self, limits: Limits | None = None) -> tuple[Joined, list[_Exchange]]:
        """Several requests that wait together."""
        exchanges = self._exchanges(_ENOUGH)
        if self.loaded().pairing is Pairing.ID:
            # A client does not use a number again while it waits.
            exchanges = list({exchange.request.request_id: exchange for exchange in exchanges}.values())
        else:
            while self._places() and len(exchanges) < 3:
                exchanges += self._exchanges(1)
        joined = self._join(limits)
        for exchange in exchanges:
            joined.send_request(exchange)
        assert len(joined.asked) == len(exchanges), (
            f"the server's session receives {len(joined.asked)} requests of {len(exchanges)} that were sent"
        )
        return joined, exchanges

    def _check_answers(
        self,
        joined: Joined,
        exchanges: Sequence[_Exchange],
        where: str,
        refused: Message | None = None,
        given_up: Message | None = None,
    ) -> None:
        """The client has received one answer for each request, and each is the one that was given for it."""
        by_request: dict[Message, list[Message]] = {}
        for answer in joined.answered:
            assert answer.request is not None, f"{where}: the client receives {answer!r}, an answer to nothing"
            by_request.setdefault(answer.request, []).append(answer)
        for number, exchange in enumerate(exchanges):
            if exchange.request is given_up:
                continue
            name = f"{where}: of request {number} of {len(exchanges)} ({exchange.name}, {place(exchange.request)})"
            answers = by_request.get(exchange.request, [])
            assert len(answers) == 1, f"{name} the client receives {len(answers)} answers"
            said = _outcome(answers[0], joined.events)
            if refused is joined.asked[number]:
                assert said[0] is not Status.OK, (
                    f"{name} the answer has the status OK, and reply_error was called for it"
                )
                continue
            given = _outcome(exchange.answer, exchange.answering)
            assert said == given, (
                f"{name} the client receives the answer {said!r}, and what was given for it is {given!r}: the order of answers"
            )

    def _check_unsupported(self, name: str, error: Unsupported) -> None:
        """What raises Unsupported is declared."""
        assert name in self.unsupported, f"{name} raises Unsupported ({error}): write it, or name it in `unsupported`"

    def _check_supported(self, name: str) -> None:
        assert name not in self.unsupported, f"{name} is named in `unsupported`, and works"


def _with_rest(head: Message, events: Sequence[Event]) -> Iterator[Event]:
    """A message and what belongs to it."""
    yield head
    behind = False
    for event in events:
        if event is head:
            behind = True
        elif behind and isinstance(event, Data) and event.message is head:
            yield event
        elif behind and isinstance(event, Message) and event.kind is Kind.TRAILERS and event.sender is head.sender:
            if event.stream_id == head.stream_id:
                yield event
                return


def _same_request(one: Message, other: Message) -> bool:
    return (one.kind, one.service, one.operation, one.resources) == (
        other.kind,
        other.service,
        other.operation,
        other.resources,
    )


def _outcome(answer: Message, events: Sequence[Event]) -> tuple[Status | None, str | None, bytes]:
    """What an answer came to, with its payload, as far as it does not depend on the connection."""
    status, error = answer.status, answer.error
    payload = [answer.payload] if answer.stream_id is None and answer.request_id is None else []
    for event in _with_rest(answer, events):
        if isinstance(event, Data):
            payload.append(event.payload)
        elif isinstance(event, Message) and event is not answer and status is None:
            status, error = event.status, event.error
    return status, error, b"".join(payload)
