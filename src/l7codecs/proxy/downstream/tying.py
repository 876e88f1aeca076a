"""What ties a client to a connection, which connections it has for itself, and what sets them up.

A client of a protocol that pins (`Message.pins`) has connections of its own where it needs such. Before it changes from one connection to
another at the same host, what it has asked is answered: so nothing overtakes. What opens (`Tie.OPENS`) is answered here, and sent where the
next goes.

    asked       GET a      SELECT 1       GET a                  MULTI      SET b         EXEC     GET a
    sent on     shared     wait, then     the one that is        wait       MULTI and     the      shared again, once
                           another        shared by who has 1               SET on its    same     EXEC is answered
                                                                            own at b
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from l7codecs.errors import L7Error
from l7codecs.kinds import Kind, Status
from l7codecs.message import Message
from l7codecs.pairing.retention import let_go
from l7codecs.protocol import Protocol
from l7codecs.proxy.downstream.answering import Answering
from l7codecs.proxy.downstream.asks import Ask
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.site import Place, Site
from l7codecs.proxy.upstream.pools import Host
from l7codecs.proxy.upstream.server import Server
from l7codecs.session import Session
from l7codecs.ties import Tie, Ties

__all__ = ["Tying"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_TIES: Final = Ties()
_FREE: Final = Tie.NONE
_OPENS: Final = Tie.OPENS
_ELSEWHERE: Final = "what is under way is at another server"
_LATE: Final = frozenset({Failure.CONNECT, Failure.DEADLINE, Failure.RESET, Failure.PROTOCOL, Failure.CLIENT_GONE})
"""Failures of what was sent, as far as its connection got."""
_PREPARED: Final = 16
_PREPARED_SIZE: Final = 1 << 16
"""What sets a client's connections up: so many messages, of so many octets."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Tying(Answering):
    """A client's connection, as far as it is tied to connections to servers, or has such for itself."""

    def __init__(self, site: Site, place: Place, session: Session, number: i64) -> None:
        super().__init__(site, place, session)
        self.number = number
        """By which clients are spread over the connections to a host."""
        self.protocol: Protocol | None = None
        """What it speaks; None until that is known."""
        self.shares = False
        self.pins = False
        """Whether messages of the protocol may pin."""
        self.speaks = False
        """Whether messages have a dialect."""
        self.broken = False
        """Nothing more is read."""
        self.host: Host | None = None
        self.server: Server | None = None
        """Those of the latest request."""
        self.key = ""
        """What those have in common who may share a connection with this client."""
        self.own: dict[Host, Server] = {}
        """The connections that it has for itself."""
        self.used: dict[Server, None] = {}
        """All connections that it has sent on, as long as they are there."""
        self.bound: Server | None = None
        """That of them which it is tied to."""
        self.how: Ties = _TIES
        """How messages tie."""
        self.ties: dict[str, None] = {}
        """Why it is: reasons of `Message.pins` that hold still."""
        self.loose = False
        """It is tied to nothing any more, or something went aside: once all is answered that is over."""
        self.aside = False
        """What it waits for came on a connection of its own which it is not tied to: nothing is sent before that is answered."""
        self.alone = False
        """All its connections are its own, since servers tell on each what was asked there; the end of one is the end of all."""
        self.opened: Message | None = None
        """What it was answered here, and its server has not had."""
        self._leading: Message | None = None
        """What it was answered here as well, and goes before whatever it asks next."""
        self._spoiled: Message | None = None
        """What that server has to be sent right behind that, since something was refused."""
        self._shared: dict[Host, Server] = {}
        """By host: what it shares with others who have the same key, and dialect."""
        self._preparation: list[Message] = []

    def _tied_server(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection to `host` for `ask`, which ties its client, belongs to what does, or blocks; None where it is answered here."""
        message = ask.request
        if self.opened is not None:
            return self._open_at(ask, host, protocol)
        if message.prepares:
            if not self._prepare(ask):
                return None
            if self.bound is not None:
                self.bound.replay(message)
            before = self._preparation[:-1]
            server = self._own_server(ask, host, protocol, before) if self.alone else None
            if not self.alone:
                server = host.server(protocol, self.key, self.number, before)
            if server is not None:
                self._shared = {host: server}
                self.host = host
                self.server = server
            return server
        if self.how.tie(message) is _OPENS and self.bound is None and not message.resources:
            self.answer_opened(ask)
            return None
        if message.blocks and (self.bound is None or self.how.tie(message) is _FREE):
            own = self._own_server(ask, host, protocol)
            if own is not None:
                self.aside = True
                self.loose = True
            return own
        if self.bound is not None:
            whole = self.how.stand_in(message) is None
            if message.kind is not _REQUEST and whole:
                self._send_beside(ask, host, protocol)
                return None
            self.fail(ask, Failure.UNSUPPORTED, _ELSEWHERE, Status.FAILED_PRECONDITION)
            if message.kind is not _REQUEST:
                self.stop_asking()  # nobody was told
            return None
        self.bound = self._own_server(ask, host, protocol)
        if self.bound is not None:
            self._note_tie(message)
        return self.bound

    def _own_server(
        self, ask: Ask, host: Host, protocol: Protocol, preparation: list[Message] | None = None
    ) -> Server | None:
        """The connection that this client has at `host` for itself; a new one is set up by `preparation`, or by all that there is."""
        server = self.own.get(host)
        if server is not None and server.serves:
            return server
        server = host.own_server(protocol, self.key, self._preparation if preparation is None else preparation)
        if server is None:
            self.fail(ask, Failure.OVERLOAD, "too many connections that clients have for themselves")
            return None
        server.owner = self
        self.own[host] = server
        return server

    def _use(self, server: Server) -> None:
        if server not in self.used:
            self.used[server] = None
            server.users[self] = None

    def _send_beside(self, ask: Ask, host: Host, protocol: Protocol) -> None:
        """Send `ask`, whose client wants no answers where it is tied, to `host`, which may give one: that is nobody's."""
        server = host.server(protocol, self.key, self.number, self._preparation)
        self._use(server)
        try:
            server.replay(ask.request)
        except L7Error as error:
            self.fail(ask, Failure.OVERLOAD, str(error))
            self.stop_asking()
            return
        ask.host = host.address
        self.end(ask)

    def _open_at(self, ask: Ask, host: Host, protocol: Protocol) -> Server | None:
        """The connection to `host`, which is first given what was answered here."""
        opened = self.opened
        server = self._own_server(ask, host, protocol)
        if server is None or opened is None:
            return None
        self.opened = None
        self.bound = server
        self._note_tie(opened)
        self._lead(server)
        server.replay(opened)
        if self._spoiled is not None:
            server.replay(self._spoiled)
            self._spoiled = None
        self._note_tie(ask.request)
        return server

    def answer_opened(self, ask: Ask) -> None:
        """Answer `ask`, which opens, here; it is sent where the next goes."""
        if self.answer_here(ask):
            self.opened = ask.request

    def _answer_leading(self, ask: Ask) -> None:
        """Answer `ask`, which leads, here; it is sent where the next goes."""
        if self.answer_here(ask):
            self._leading = ask.request
            self._shared = {}
            self.host = None
            self.server = None

    def answer_here(self, ask: Ask) -> bool:
        """Answer `ask` here, where it is to be answered; whether that can be done."""
        message = ask.request
        try:
            self.write(self.how.reply_opened(self.session, message))
        except L7Error as error:
            self.fail(ask, Failure.UNSUPPORTED, str(error))
            return False
        self.mark()
        let_go(message)
        ask.cluster = None
        ask.status = Status.OK
        self.end(ask)
        return True

    def _lead(self, server: Server) -> None:
        """What leads goes to `server` now."""
        leading = self._leading
        if leading is not None:
            self._leading = None
            server.replay(leading)

    def _note_tie(self, message: Message) -> None:
        """Remember why the client is tied, where `message` says so, and what ties it no more."""
        why = message.pins
        if why is not None:
            self.ties[why] = None
        freed = self.how.frees(message)
        if freed:
            for reason in freed:
                self.ties.pop(reason, None)
            left = [each for each in self._preparation if each.pins not in freed]
            if len(left) < len(self._preparation):
                self._prepare_as(left)
        if not self.ties:
            self.loose = True

    def untie(self) -> None:
        """All is answered."""
        self.loose = False
        self.aside = False
        if not self.ties:
            self.bound = None
        if self.shares and not self.speaks and not self.alone:
            for host, server in list(self.own.items()):
                if server is not self.bound:
                    del self.own[host]
                    self.used.pop(server, None)
                    server.users.pop(self, None)
                    server.owner = None
                    host.give_back(server, self.key)

    def has_own(self, server: Server) -> None:
        """The connection that this client had for itself has ended; what it was tied to is lost."""
        for host, each in list(self.own.items()):
            if each is server:
                del self.own[host]
        if self.bound is server and self.shares and not self.ties and not self.alone:
            self.bound = None
        elif self.bound is server or not self.shares or self.alone:
            self.bound = None
            self.stop_asking()

    def fail(self, ask: Ask, failure: Failure, text: str = "", status: Status | None = None) -> None:
        super().fail(ask, failure, text, status)
        if not self.pins or failure in _LATE:
            return
        request = ask.request
        if request.kind is _ONEWAY and request.pins is not None and ask.status is not None:
            try:
                self.write(self.session.reply_error(request, ask.status, ask.error or ""))
            except (L7Error, ValueError):
                pass  # nobody waits for its answer, be it refused
        if self.bound is not None or self.opened is not None:
            self._spoil(request)

    def _spoil(self, refused: Message) -> None:
        """`refused` belonged to what is under way at a server: that is told."""
        instead = self.how.stand_in(refused)
        if instead is None:
            return
        if self.bound is not None:
            self._note_tie(instead)
            try:
                self.bound.replay(instead)
            except L7Error:
                self.stop_asking()
        elif self.how.frees(instead):
            self.opened = None
            self._spoiled = None
        else:
            self._spoiled = instead

    def _prepare(self, ask: Ask) -> bool:
        """`ask` sets connections up: those who have had the same share them. Whether it can be; if not, it is answered."""
        message = ask.request
        why = self.how.refuses(message)
        if why is not None:
            self.fail(ask, Failure.UNSUPPORTED, why)
            return False
        before = [each for each in self._preparation if each.operation != message.operation or message.adds]
        octets = message.raw
        if message.more or len(octets) > _PREPARED_SIZE or len(before) >= _PREPARED:
            self.fail(ask, Failure.OVERLOAD, "more than a connection is set up with")
            return False
        let_go(message)
        self._prepare_as([*before, message])
        return True

    def _prepare_as(self, messages: list[Message]) -> None:
        """Connections are set up by these from now on."""
        protocol = self.protocol
        assert protocol is not None
        self._preparation = messages
        self.alone = False
        for each in messages:
            if each.unshared:
                self.alone = True
        self.key = protocol.name
        if messages:
            self.key += " " + b"".join([each.raw for each in messages]).hex()
        self._shared = {}
        self.host = None
        self.server = None
        for host, server in list(self.own.items()):
            if server is not self.bound:  # it was set up otherwise
                del self.own[host]
                server.end_with_owner()

    def stop_asking(self) -> None:
        """The client is answered what it has asked, and nothing more."""
        self.broken = True
        self.ends = True
        self.drop_unfinished()
        self.read_on(False)
        self.mark()
