"""One connection to a server that clients share: what streams, who leaves, a server that fails, and what is answered here all the same."""

from __future__ import annotations

from contextlib import suppress

from l7codecs import Limits, Pairing
from l7codecs.errors import LimitExceeded, ProtocolError, Unsupported
from l7codecs.kinds import Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.session import Session
from l7codecs.testing.conformance.exchanges import Exchanges, Joined, with_rest
from l7codecs.testing.replay import place
from l7codecs.testing.vectors import Vector

__all__ = ["Upstreams"]

_LARGE = 1 << 15
_FEW = Limits(message=4096, head=1024, pending=2, streams=1)
"""So few that the session is full behind one message."""
_WRONG = (
    b"\xff" * 4096,
    b"\0" * 4096,
    b"\x80" * 4096,
    b"{" * 4096 + b"\r\n\r\n",
    b"\r\n" * 2048,
    b"\0\0\0\0" + b"\xff" * 4096,
)
"""Octets with which hardly any protocol's answer begins."""


class Upstreams(Exchanges):
    """Sessions to a server, and what whoever serves several clients on one has to know."""

    def test_what_streams_is_named_while_others_wait(self) -> None:
        """An engine that reads nobody while the session is full has to know whom it reads all the same."""
        for vector in self.large_vectors(_LARGE):
            head, *rest = self._streamed(vector, 0) or (None,)
            if head is None:
                continue
            assert isinstance(head, Message)
            joined = self.join(_FEW)
            joined.ask(joined.client.send(head))
            self._wait_behind(joined.client.full, joined)
            named = joined.client.streaming()
            assert named == [head], (
                f"{vector.name}: streaming is {named!r} while {place(head)} is written and has not come to its end"
            )
            for event in rest:
                joined.ask(joined.client.send(event))
            named = joined.client.streaming()
            assert named == [], f"{vector.name}: streaming is {named!r} behind the end of {place(head)}"
            ends = [event for event in joined.heard if isinstance(event, Data) and not event.more]
            assert ends, (
                f"{vector.name}: the end of {place(head)} does not come to the server: its rest waits behind other requests"
            )

    def test_whoever_leaves_inside_of_a_message_holds_up_nobody(self) -> None:
        """What a client has not sent to its end is listed, and given up the connection goes on, or is closing."""
        for vector in self.large_vectors(_LARGE):
            events = self._streamed(vector, 2)
            if not events:
                continue
            head = events[0]
            assert isinstance(head, Message)
            waits = self._received(vector, 2).unanswered()
            assert any(each.raw == head.raw for each in waits), (
                f"{vector.name}: unanswered of the session that receives {place(head)} is {waits!r} before its end: who would give it up?"
            )
            joined = self.join(_FEW)
            for event in events:
                joined.ask(joined.client.send(event))
            try:
                joined.ask(joined.client.cancel(head))
            except Unsupported as error:
                self.check_unsupported("cancel", error)
                return
            named = joined.client.streaming()
            assert named == [], f"{vector.name}: streaming is {named!r} behind cancel"
            if joined.client.closing or not self.places():
                continue
            exchange = self.some(1)[0]
            asked = len(joined.asked)
            joined.send_request(exchange)
            assert len(joined.asked) > asked, (
                f"{vector.name}: behind cancel of {place(head)}, which was written in part, {place(exchange.request)} is not written, "
                "and closing is not set"
            )

    def test_a_server_that_breaks_the_protocol_is_told_at_once(self) -> None:
        """`closing` and `abandoned` tell before anything else is called."""
        for octets in _WRONG if self.places() else ():
            joined, _ = self.asking()
            try:
                for _event in joined.client.receive(Sender.SERVER, octets):
                    pass
            except ProtocolError as error:
                where = f"behind {type(error).__name__} of the server"
            else:
                continue
            closing = joined.client.closing
            assert closing, f"closing is not set {where}"
            waits = joined.client.unanswered()
            left = joined.client.abandoned()
            assert sorted(left, key=id) == sorted(waits, key=id), (
                f"abandoned is {left!r} {where}, and unanswered were {waits!r}"
            )
            again = joined.client.abandoned()
            assert again == [], f"abandoned returns {again!r} a second time {where}"

    def test_what_was_answered_here_is_not_abandoned(self) -> None:
        """A request that `reply_error` has answered needs no other answer when its server ends."""
        if self.loaded().pairing is Pairing.NONE:
            return
        joined, _ = self.asking()
        upstream = self.join()
        for request in joined.asked:
            for event in with_rest(request, joined.heard):
                upstream.ask(upstream.client.send(event))
        sent = [each for each in upstream.client.unanswered() if each in joined.asked]
        refused = sent[-1]
        try:
            joined.server.reply_error(refused, Status.UNAVAILABLE, "too slow")
        except Unsupported as error:
            self.check_unsupported("reply_error", error)
            return
        with suppress(ProtocolError):
            for _event in upstream.client.eof(Sender.SERVER):
                pass
        left = upstream.client.abandoned()
        assert refused not in left, f"abandoned is {left!r}, and reply_error has answered {place(refused)}"
        assert sorted(left, key=id) == sorted(sent[:-1], key=id), (
            f"abandoned is {left!r}, and not answered were {sent[:-1]!r}"
        )

    # What they are made of.

    def _streamed(self, vector: Vector, part: int) -> list[Event]:
        """The client's first message that streams, with its rest; of all its octets, or of one in `part` of them."""
        session = self.open(_FEW)
        events: list[Event] = []
        with suppress(ProtocolError):  # some are too long for so small limits
            for event in session.receive(Sender.CLIENT, _of_client(vector, part)):
                events.append(event)
        for event in events:
            if isinstance(event, Message) and event.more:
                found = list(with_rest(event, events))
                ends = isinstance(found[-1], Data) and not found[-1].more
                if ends is (part == 0) and len(found) > 1:
                    return found
        return []

    def _received(self, vector: Vector, part: int) -> Session:
        """A session to a client that has received so much."""
        session = self.open_endpoint(Sender.SERVER, _FEW)
        for _event in session.receive(Sender.CLIENT, _of_client(vector, part)):
            pass
        return session

    def _wait_behind(self, full: bool, joined: Joined) -> None:
        """Ask until the session is full."""
        for _turn in range(40 if self.places() and not full else 0):
            try:
                joined.send_request(self.some(1)[0])
            except (LimitExceeded, Unsupported):
                return
            if joined.client.full:
                return


def _of_client(vector: Vector, part: int) -> bytes:
    octets = b"".join(octets for sender, octets in vector.pieces if sender is Sender.CLIENT)
    return octets[: len(octets) // part] if part else octets
