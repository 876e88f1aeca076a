"""What an endpoint writes: order, late answers, caps, ids, what is given up and what is left. See `exchanges` for how."""

from __future__ import annotations

from l7codecs import Limits, Pairing
from l7codecs.errors import LimitExceeded, ProtocolError, Unsupported
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Data, Message
from l7codecs.testing.conformance.exchanges import Exchanges, same_request, with_rest
from l7codecs.testing.replay import place
from l7codecs.testing.vectors import Vector

__all__ = ["Endpoints"]


class Endpoints(Exchanges):
    """Sessions that were opened with ``endpoint``."""

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
        assert self.some(1), (
            "no vector has a request with one answer that an endpoint could send: give one, or name those in `exchanges`"
        )

    def test_an_endpoint_forwards_requests_and_answers(self) -> None:
        """One at a time: the server receives what was sent, the client its answer, and then nothing waits."""
        for turn, index in self.places()[:50]:
            exchange = self.of_vector(index)[turn]
            joined = self.join()
            joined.send_request(exchange)
            name = f"{exchange.name}, {place(exchange.request)}"
            assert len(joined.asked) == 1, (
                f"{name}: the server's session receives {len(joined.asked)} requests of 1 that was sent"
            )
            asked = joined.asked[0]
            assert same_request(asked, exchange.request), (
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
            self.check_answers(joined, [exchange], name)
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
            joined, exchanges = self.asking()
            for number in order(list(range(len(exchanges)))):
                joined.send_answer(exchanges[number], joined.asked[number])
            self.check_answers(
                joined, exchanges, f"answers are given in the order {order(list(range(len(exchanges))))}"
            )
            assert joined.server.queued == 0, (
                f"{joined.server.queued} octets wait in the server's session, behind the last answer"
            )

    def test_an_answer_that_comes_late_is_swallowed(self) -> None:
        """A request that was answered with `reply_error` has its answer; what the upstream says of it later goes nowhere."""
        for early in (True, False):
            joined, exchanges = self.asking()
            refused = joined.asked[0 if early else -1]
            try:
                octets = joined.server.reply_error(refused, Status.UNAVAILABLE, "no server")
            except Unsupported as error:
                self.check_unsupported("reply_error", error)
                return
            self.check_supported("reply_error")
            joined.reply(octets)
            for exchange, request in zip(exchanges, joined.asked, strict=True):
                written = joined.send_answer(exchange, request)
                assert request is not refused or not written, (
                    f"{exchange.name}: an answer to {place(request)} is written, which reply_error has answered: {written[:60]!r}"
                )
            self.check_answers(joined, exchanges, "the first is refused" if early else "the last is refused", refused)
            waits = joined.server.unanswered()
            assert waits == [], (
                f"unanswered of the server's session is {waits!r}, where reply_error and send have answered all"
            )

    def test_a_request_is_refused_once(self) -> None:
        """`reply_error` for a request that has its answer is Unsupported, or writes nothing."""
        joined, _ = self.asking()
        try:
            joined.reply(joined.server.reply_error(joined.asked[0], Status.UNAVAILABLE, "no server"))
        except Unsupported as error:
            self.check_unsupported("reply_error", error)
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
            joined, exchanges = self.asking()
            given_up = exchanges[which].request
            try:
                octets = joined.client.cancel(given_up)
            except Unsupported as error:
                self.check_unsupported("cancel", error)
                return
            self.check_supported("cancel")
            joined.ask(octets)
            waits = joined.client.unanswered()
            assert given_up not in waits, f"unanswered is {waits!r}, behind cancel of {given_up!r}"
            for exchange, request in zip(exchanges, joined.asked, strict=True):
                joined.send_answer(exchange, request)
            late = [answer for answer in joined.answered if answer.request is given_up]
            assert not late, (
                f"{exchanges[which].name}: {late[0]!r} is told of {place(given_up)}, which was given up with cancel"
            )
            self.check_answers(joined, exchanges, f"{place(given_up)} was given up", given_up=given_up)

    def test_many_clients_share_a_connection_to_a_server(self) -> None:
        """Two clients ask the same with the same number; each gets one answer, with its own number."""
        if self.loaded().pairing is Pairing.NONE or not self.places():
            return
        exchanges = [self.some(1)[0], self.some(1)[0]]
        clients = [self.join(), self.join()]
        upstream = self.join()
        for exchange, client in zip(exchanges, clients, strict=True):
            begun = len(client.heard)
            client.send_request(exchange)
            client.pass_on(upstream, begun)
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
            self.check_answers(client, [exchange], where)
            answer = client.answered[0]
            assert answer.request_id == exchange.request.request_id, (
                f"{where}: the answer has number {answer.request_id!r}, and the request {exchange.request.request_id!r}"
            )

    def test_answers_of_a_shared_server_are_put_in_any_order(self) -> None:
        """Two clients ask several things with the same numbers; however their answers are `put`, each is as if sent at its turn."""
        if self.loaded().pairing is Pairing.NONE or not self.places():
            return
        for backwards in (False, True):
            (first, exchanges), (second, others) = self.asking(), self.asking()
            upstream = self.join()
            for client in (first, second):
                client.pass_on(upstream)
            done = 0
            while done < len(upstream.asked):
                upstream.send_answer([*exchanges, *others][done], upstream.asked[done])
                done += 1
            for number, (client, given) in enumerate(((first, exchanges), (second, others))):
                where = f"answers are put {'backwards' if backwards else 'in order'} for client {number} of two"
                order = [*reversed(client.asked)] if backwards else client.asked
                for request in order:
                    for head in upstream.answered:
                        if head.request is request:
                            for event in with_rest(head, upstream.events):
                                client.server.put(event)
                client.settle()
                self.check_answers(client, given, where)

    def test_what_is_written_while_paused_waits(self) -> None:
        """And is counted, and comes out once, in its order."""
        joined, exchanges = self.asking()
        joined.server.paused = True
        for exchange, request in zip(exchanges, joined.asked, strict=True):
            written = joined.send_answer(exchange, request)
            assert not written, f"{exchange.name}: {written[:60]!r} is written while the session is paused"
        assert joined.server.queued > 0, "queued is 0, and answers wait in a session that is paused"
        assert joined.server.paused, "paused is set, and is not"
        joined.server.paused = False
        joined.settle()
        self.check_answers(joined, exchanges, "answers waited while paused")
        assert joined.server.queued == 0, f"queued is {joined.server.queued}, and all is written"

    def test_what_is_put_comes_with_the_next_octets(self) -> None:
        """`put` is `send` whose octets come later: the same, in the same order."""
        joined, exchanges = self.asking()
        for exchange, request in zip(exchanges, joined.asked, strict=True):
            for event in exchange.for_request(request):
                joined.server.put(event)
        joined.settle()
        self.check_answers(joined, exchanges, "answers were put")

    def test_what_waits_has_a_cap(self) -> None:
        """A session that nobody reads from refuses at `REFUSED_AT` times ``limits.queued``, before it holds more."""
        queued = 200
        joined = self.join(Limits(queued=queued))
        joined.server.paused = True
        most = queued * REFUSED_AT
        biggest = 0
        for _turn in range(400 if self.places() else 0):
            exchange = self.some(1)[0]
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
        joined = self.join(limits)
        sent: list[Message] = []
        full, refused = False, ""
        for _turn in range(pending * REFUSED_AT + 3 if self.places() else 0):
            exchange = self.some(1)[0]
            full = joined.client.full
            try:
                joined.send_request(exchange)
            except (LimitExceeded, Unsupported) as error:
                refused = f"a request is refused behind {len(sent)} ({error}), and full had not been told"
                break
            sent.append(exchange.request)
        assert full or not refused, refused
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
        joined, exchanges = self.asking()
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
