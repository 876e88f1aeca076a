"""A proxy that several clients use, and what has to hold of it: the model of the target `endpoints`.

    client  ══octets══▶  down ──event──▶ up  ══octets══▶  server       (and back)

All four are sessions of the protocol that play a side; what is asked and answered is taken from the vectors, so it is known what each
client has to hear. At the end all octets arrive and all is answered: then each request has its one answer, the right one, and nothing
waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from l7codecs import Changes, Limits
from l7codecs.errors import L7Error, LimitExceeded, ProtocolError, Unsupported
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.session import Session
from l7codecs.testing.conformance.exchanges import outcome_of
from l7codecs.testing.fuzzing.material import Material
from l7codecs.testing.fuzzing.proxy.exchanges import Exchange, Place, Pool, key_of
from l7codecs.testing.fuzzing.proxy.parties import Ask, Client, Server
from l7codecs.testing.replay import place

__all__ = ["CLIENTS", "World"]

CLIENTS = 3
_FORWARDED = frozenset((Kind.REQUEST, Kind.ONEWAY, Kind.RESPONSE, Kind.TRAILERS, Kind.RESET))
_ROUNDS = 400
_ROUNDS_EACH = 4
"""So often, at most, have sessions something to say to each other, and so much more often for each request."""


class World:
    """All of it."""

    def __init__(
        self, material: Material, places: Sequence[Place], pool: Pool, figures: Counter[str], limits: Limits
    ) -> None:
        """`places` is what can be asked, `pool` gives it, and `figures` count what was asked and answered."""
        self.material = material
        self.pool = pool
        self.figures = figures
        self.limits = limits
        self.wrong = False
        """The server sent what is no protocol, so nothing is held against what it leaves."""
        self.few = limits != Limits()
        self.forgets = self.few and material.doubts
        """The oldest requests, where they are more than there may be."""
        self.clients = [Client(self.open, self.wrong) for _ in range(CLIENTS)]
        self.server = Server(self.open)
        self.by_flow = {client.down.flow: client for client in self.clients}
        self.by_key = {place.key: place for place in places}
        self.overtaken = False
        """The server has answered a later one first, where any that waits may be one that gets no answer."""
        self.silent = False
        """Such a server has ended: nobody knows of those that were overtaken whether they wait."""
        self.rounds = 0
        self.change: Changes | None = None
        self.refused = 0
        self.strange = False
        """A client did, or what is none of the requests that are known: it may be wrong for a server."""

    def open(self, side: Sender) -> Session:
        return self.material.protocol.open(limits=self.limits, endpoint=side)

    # What clients and the server do.

    def ask(self, client: Client, where: Place) -> None:
        """Unless the client has as much under way as it may."""
        if client.gone or client.strange or client.agent.full or client.agent.closing:
            return
        exchange = self.pool.take(where)
        octets = b""
        ask = Ask(exchange.request, where.said)
        client.asks[exchange.request] = ask
        client.spotless.setdefault(where.key, []).append(ask)
        try:
            for event in exchange.asking:
                octets += client.agent.send(event)
        except (LimitExceeded, Unsupported):
            client.asks[exchange.request].spoilt = True
            self.leave(client)
            return
        client.asked.asked(exchange.request)
        client.wire.up += octets
        self.figures["asked"] += 1

    def answer(self, number: int) -> None:
        """The server answers one of what waits there."""
        server = self.server
        if not server.asked or server.gone:
            return
        turn = number % len(server.asked)
        self.overtaken |= turn > 0 and self.material.doubts
        request = server.asked.pop(turn)
        where = self.by_key.get(key_of(request))
        if where is None:
            self.server_ends()
            return
        exchange: Exchange = self.pool.take(where)
        try:
            for event in exchange.for_request(request):
                server.wire.down += server.origin.send(event)
        except (LimitExceeded, Unsupported):
            self.server_ends()

    # What the proxy does.

    def from_client(self, client: Client, octets: bytes) -> None:
        """Octets of a client have come."""
        if client.gone:
            return
        try:
            for event in client.down.receive(Sender.CLIENT, octets):
                if isinstance(event, Message) and event.kind is Kind.REQUEST:
                    client.heard.asked(event)
                elif isinstance(event, Message) and event.kind is Kind.RESET and event.request is not None:
                    client.heard.given_up(event.request)
                self.to_server(client, event)
                if client not in self.clients:
                    return  # it has left for what it sent
        except ProtocolError as error:
            if not client.strange and not isinstance(error, LimitExceeded):
                raise AssertionError(f"the proxy's session to an honest client raises {error!r}") from error
            self.leave(client)

    def to_server(self, client: Client, event: Event) -> None:
        if isinstance(event, Message):
            if event.kind is Kind.HEARTBEAT:
                self.write_down(client, self.attempt(lambda: client.down.reply_heartbeat(event)))
                return
            if event.kind not in _FORWARDED or (event.kind is Kind.REQUEST and event.error is not None):
                return
        elif not isinstance(event, Data):
            return
        if client.strange and isinstance(event, Message) and key_of(event) not in self.by_key:
            if event.kind is Kind.REQUEST:
                self.refuse(client, event)
            return
        changes, self.change = self.change, None
        for _turn in range(2):
            if self.server.up.closing or self.server.gone:
                self.server_ends()
            try:
                self.server.wire.up += self.server.up.send(event, changes if isinstance(event, Message) else None)
                if isinstance(event, Message) and event.kind is Kind.REQUEST:
                    self.server.books.asked(event)
                elif isinstance(event, Message) and event.kind is Kind.RESET and event.request is not None:
                    self.server.books.given_up(event.request)
                return
            except ValueError:
                changes = None
            except Unsupported:
                if changes is None:
                    break
                changes = None
            except LimitExceeded:
                break
        request = event if isinstance(event, Message) else event.message
        if request.kind is Kind.REQUEST:
            self.spoil(client)
            if not self.refuse(client, request):
                self.leave(client)

    def from_server(self, octets: bytes) -> None:
        """Octets of the server have come."""
        server = self.server
        try:
            for event in server.up.receive(Sender.SERVER, octets):
                server.books.told(event)
                self.to_client(event)
        except ProtocolError:
            server.gone = True
            return
        if server is self.server and server.up.closing:
            self.answer_left(server)

    def to_client(self, event: Event) -> None:
        if isinstance(event, Message):
            if event.kind not in _FORWARDED:
                return
            request = event.request
        else:
            request = event.message.request if isinstance(event, Data) else None
        client = self.by_flow.get(request.connection) if request is not None else None
        if client is None or client.gone:
            return
        try:
            self.write_down(client, client.down.send(event))
            client.heard.told(event, done=False)
        except (LimitExceeded, Unsupported):
            self.leave(client)

    def refuse(self, client: Client, request: Message) -> bool:
        """The proxy answers itself; False where the protocol has no such answer."""
        if client.gone:
            return True
        self.spoil_one(client, request)
        try:
            self.write_down(client, client.down.reply_error(request, Status.UNAVAILABLE, "not now"))
            client.heard.said[request] = True
        except (Unsupported, ValueError):
            return False
        except LimitExceeded:
            self.leave(client)
        return True

    def give_up(self, client: Client, number: int) -> None:
        """The proxy waits no longer for a request; a client that cannot be told has to go."""
        waits = [] if client.gone else client.down.unanswered()
        if waits:
            request = waits[number % len(waits)]
            self.cancel(request)
            if not self.refuse(client, request):
                self.leave(client)

    def cancel(self, request: Message) -> None:
        """The server need not answer `request`."""
        self.server.wire.up += self.attempt(lambda: self.server.up.cancel(request))
        self.server.books.given_up(request)

    def leave(self, client: Client) -> None:
        """A client is gone: what it asked is given up, and another comes in its place."""
        if client.gone:
            return
        client.gone = True
        for request in client.down.unanswered():
            self.cancel(request)
        self.by_flow.pop(client.down.flow, None)
        fresh = Client(self.open, self.wrong)
        self.clients[self.clients.index(client)] = fresh
        self.by_flow[fresh.down.flow] = fresh

    def server_ends(self) -> None:
        """The server is gone: what it leaves is answered here, and another comes in its place."""
        server = self.server
        server.gone = True
        self.silent |= self.overtaken
        self.overtaken = False
        if not server.up.decoder(Sender.SERVER).ended:
            try:
                for event in server.up.eof(Sender.SERVER):
                    self.to_client(event)
            except ProtocolError:
                pass
        left = server.up.abandoned()
        again = server.up.abandoned()
        assert not again, f"abandoned returns {again!r} a second time"
        self.server = Server(self.open)
        self.wrong = False
        self.answer_here(left)
        for client in list(self.clients):
            begun = client.down.unanswered()[:1]
            # An answer of which a part was written will not end: its client goes.
            if any(head.request in begun and head.sender is Sender.SERVER for head in client.down.streaming()):
                self.leave(client)

    def answer_left(self, server: Server) -> None:
        """The server takes no more: what it has certainly not processed is answered here."""
        left = server.up.abandoned()
        for request in left:
            server.books.given_up(request)
        for request in server.books.said:
            # What was answered here is not told as left: it may wait for an answer that is late, or be refused there.
            server.books.said[request] |= request.settled
        self.answer_here(left)

    def answer_here(self, left: Sequence[Message]) -> None:
        """The proxy answers what no server will."""
        for request in left:
            client = self.by_flow.get(request.connection)
            if client is not None:
                self.spoil_one(client, request)
                try:
                    self.write_down(client, client.down.reply_error(request, Status.UNAVAILABLE, "no server"))
                    client.heard.said[request] = True
                except L7Error:
                    self.leave(client)

    def attempt(self, what: object) -> bytes:
        """The octets of a call that may be refused."""
        try:
            octets: object = what() if callable(what) else b""
        except (Unsupported, LimitExceeded):
            return b""
        assert isinstance(octets, bytes)
        return octets

    def write_down(self, client: Client, octets: bytes) -> None:
        client.wire.down += octets

    def spoil_one(self, client: Client, request: Message) -> None:
        """The request that the proxy knows as `request` may get an error."""
        for ask in client.spotless.pop(key_of(request), ()):
            ask.spoilt = True

    def spoil(self, client: Client) -> None:
        for asks in client.spotless.values():
            for ask in asks:
                ask.spoilt = True
        client.spotless.clear()

    # What comes to clients and the server.

    def to_agent(self, client: Client, octets: bytes) -> None:
        if client.gone or client.strange:
            return
        try:
            for event in client.agent.receive(Sender.SERVER, octets):
                client.events.append(event)
                client.asked.told(event)
                if isinstance(event, Message) and event.kind is Kind.RESPONSE:
                    self.heard(client, event)
        except ProtocolError as error:
            if isinstance(error, LimitExceeded):
                self.leave(client)
                return
            raise AssertionError(f"an honest client hears what breaks the protocol: {error!r}") from error

    def heard(self, client: Client, answer: Message) -> None:
        request = answer.request
        if request is None and self.forgets:
            return
        assert request is not None, f"a client hears {answer!r}, an answer to nothing that it asked"
        assert request not in client.asks or not client.asks[request].given_up, (
            f"a client hears {answer!r}, an answer to {request!r}, which it has given up"
        )
        assert request in client.asks, f"a client hears {answer!r}, an answer to {request!r}, which it did not ask"
        self.figures["answers"] += 1

    def to_origin(self, octets: bytes) -> None:
        server = self.server
        try:
            for event in server.origin.receive(Sender.CLIENT, octets):
                if isinstance(event, Message) and event.kind is Kind.REQUEST:
                    server.asked.append(event)
                elif isinstance(event, Message) and event.kind is Kind.HEARTBEAT:
                    server.wire.down += self.attempt(lambda event=event: server.origin.reply_heartbeat(event))
                elif isinstance(event, Message) and event.kind is Kind.RESET and event.request in server.asked:
                    # Where it still waits, it is answered all the same, as Mux has it.
                    if event.request not in server.origin.unanswered():
                        server.asked.remove(event.request)
        except ProtocolError as error:
            if not (self.strange or self.wrong or isinstance(error, LimitExceeded)):
                raise AssertionError(f"what the proxy writes to the server breaks the protocol: {error!r}") from error
            self.server_ends()

    # Time passes.

    def move(self, number: int, size: int) -> bool:
        """Up to `size` octets of one direction of one connection arrive; whether there were any."""
        kind = number % (2 * CLIENTS + 2)
        if kind >= 2 * CLIENTS:
            wire = self.server.wire
            octets = _take(wire.up if kind & 1 else wire.down, size)
            if octets:
                self.to_origin(octets) if kind & 1 else self.from_server(octets)
            if self.server.gone:
                self.server_ends()
            return bool(octets)
        client = self.clients[kind // 2]
        octets = _take(client.wire.up if kind & 1 else client.wire.down, size)
        if octets:
            self.from_client(client, octets) if kind & 1 else self.to_agent(client, octets)
        return bool(octets)

    def flush(self) -> bool:
        """What sessions owe is written; whether there was anything."""
        moved = 0
        for client in self.clients:
            for session, way in ((client.agent, client.wire.up), (client.down, client.wire.down)):
                octets = session.pending_output()
                way += octets
                moved += len(octets)
        server = self.server
        for session, way in ((server.up, server.wire.up), (server.origin, server.wire.down)):
            octets = session.pending_output()
            way += octets
            moved += len(octets)
        return moved > 0

    def rest(self) -> None:
        """All octets arrive, and all that waits is answered."""
        for client in self.clients:
            client.agent.paused = client.down.paused = False
        self.server.up.paused = self.server.origin.paused = False
        # Where all have one number that nobody can write anew, each waits for the one before.
        waits = sum(len(client.asks) for client in self.clients)
        for _turn in range(_ROUNDS + _ROUNDS_EACH * waits):
            moved = self.flush()
            for number in range(2 * CLIENTS + 2):
                moved |= self.move(number, 1 << 30)
            while self.server.asked:
                self.answer(0)
                moved = True
            if not moved:
                return
        raise AssertionError("sessions have something to say to each other for ever")

    def check_waits(self) -> None:
        """What waits is what was asked and not answered, in every session whose side says what it should."""
        if self.few:
            return
        doubts = self.material.doubts
        for number, client in enumerate(self.clients):
            if not client.gone and not client.strange:
                client.asked.check(client.agent, f"client {number}, its own session", doubts or client.closing)
                client.heard.check(client.down, f"client {number}, the proxy's session", doubts)
        if not self.wrong and not self.server.gone:
            self.server.books.check(self.server.up, "the proxy's session to the server", doubts)

    def check(self) -> None:
        """Each request of an honest client has its one answer, and nothing waits."""
        forgets = self.forgets
        for number, client in enumerate(self.clients):
            if client.gone or client.strange:
                continue
            answers: dict[Message, list[Message]] = {}
            resets = {
                event.request for event in client.events if isinstance(event, Message) and event.kind is Kind.RESET
            }
            for event in client.events:
                if isinstance(event, Message) and event.kind is Kind.RESPONSE and event.request is not None:
                    answers.setdefault(event.request, []).append(event)
            unserved = set(client.agent.abandoned()) if client.closing else set()
            for ask in client.asks.values():
                if ask.given_up or ask.request in unserved:
                    continue
                here = f"client {number}, {place(ask.request)} ({ask.request.operation})"
                found = answers.get(ask.request, [])
                if not found and (ask.spoilt or self.few) and ask.request in resets:
                    continue  # refused, where it was more than there may be
                if not found and (forgets or self.silent):
                    continue
                assert found, f"{here}: no answer has come"
                said = outcome_of(found[-1], client.events)
                # What an error that is made here says is the protocol's: some have none for a request without parts.
                assert said == ask.said or ask.spoilt, f"{here}: the answer says {said!r}, and it is {ask.said!r}"
            for session, name in ((client.agent, "its own"), (client.down, "the proxy's")):
                # Whose answer a server that has ended may have owed, or not, waits for one of the proxy for ever.
                assert forgets or self.silent or not session.unanswered(), (
                    f"client {number}: unanswered of {name} session is {session.unanswered()!r}"
                )
                assert session.queued == 0, f"client {number}: {session.queued} octets wait in {name} session"
        # What no client sends may begin, and never come to its end.
        waits = [each for each in self.server.up.unanswered() if not (self.strange and each.more)]
        assert not waits or self.wrong or forgets, f"unanswered of the session to the server is {waits!r}"


def _take(way: bytearray, size: int) -> bytes:
    octets = bytes(way[:size])
    del way[:size]
    return octets
