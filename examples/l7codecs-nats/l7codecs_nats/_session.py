"""One connection: what answers what. Three things do, on one connection:

PONG         a PING of the other side, in order
+OK          whatever a client that is verbose says, in order
PUB or MSG   the request whose reply subject it is sent on
"""

from __future__ import annotations

from l7codecs import (
    Flow,
    Kind,
    LanePairing,
    Limits,
    Line,
    LineDecoder,
    Message,
    Sender,
    Session,
    Status,
    Unsupported,
    Verb,
)  # fmt: skip

from ._messages import CLIENT, SERVER, Info, NatsMessage, Refusal, options

__all__ = ["NatsSession"]

PREFIXES = 64
"""Different first words of reply subjects that are remembered of each side."""
ANSWERED_AS_WELL = "invalid publish subject"
"""A refusal behind which the +OK comes all the same."""


class Connection:
    """What both directions know."""

    def __init__(self) -> None:
        self.verbose = True  # until CONNECT says something else
        self.inboxes: dict[Sender, set[bytes]] = {sender: {b"_INBOX"} for sender in Sender}
        """By who asks: how the subjects begin that its answers come on."""

    def learn(self, sender: Sender, reply: bytes) -> None:
        inboxes = self.inboxes[sender]
        if len(inboxes) < PREFIXES:
            inboxes.add(reply.partition(b".")[0])

    def answers(self, sender: Sender, subject: bytes) -> bool:
        """Whether what `sender` sends on `subject` answers something."""
        return subject.partition(b".")[0] in self.inboxes[sender.other]


class NatsDecoder(LineDecoder):
    """One direction."""

    tabs = True
    any_case = True

    def __init__(
        self, flow: Flow, sender: Sender, limits: Limits, asks: LanePairing, answers: LanePairing, shared: Connection
    ) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self.shared = shared
        self.lanes = asks
        self.other = answers

    def verb(self, word: bytes) -> Verb:
        """What is no operation of this side: a server says so, and closes."""
        return Verb(Kind.ONEWAY if self.sender is Sender.CLIENT else Kind.PUSH, made=NatsMessage)

    def carried(self, line: Line, fewest: int) -> NatsMessage:
        """A message with a payload, whose words are at least so many."""
        count = len(line.words)
        if not fewest <= count <= fewest + 1:
            self.fail(0, f"{line.verb.operation} with {count} words", f"{fewest} or {fewest + 1}")
        header = line.number(-2) if line.verb.head != 0 else 0
        if not 0 <= header <= line.number(-1):
            self.fail(0, f"{line.word(-2)!r} for the size of the headers", "at most the size of all")
        message = NatsMessage(line, Kind.ONEWAY if self.sender is Sender.CLIENT else Kind.PUSH)
        reply = message.reply
        if self.shared.answers(self.sender, line.word(1) or b""):
            message.kind = Kind.RESPONSE
        elif reply is not None:
            message.kind = Kind.REQUEST
        if reply is not None:
            self.shared.learn(self.sender, reply)
        return message

    def plausible(self, line: bytes) -> bool:
        return line.isascii() and line.decode("ascii").replace("\t", " ").isprintable()


class ClientDecoder(NatsDecoder):
    verbs = CLIENT

    def message(self, line: Line) -> Message:
        if line.verb.block != 0:
            message = self.carried(line, 4 if line.verb.head != 0 else 3)
        elif line.verb.operation == "CONNECT":
            message = Info(line, Kind.CONTROL)
            self.shared.verbose = options(message).get("verbose") is not False
        else:
            message = NatsMessage(line, Kind.ONEWAY)
        if self.shared.verbose and message.kind is not Kind.RESPONSE:
            message.kind = Kind.REQUEST
        return message

    def pair(self, message: Message) -> None:
        if message.kind is not Kind.REQUEST or message.request_id is not None:
            super().pair(message)
        if self.shared.verbose and isinstance(message, NatsMessage) and message.operation not in (None, "PING", "INFO"):
            self.lanes.ask_in_order(message)


class ServerDecoder(NatsDecoder):
    verbs = SERVER

    def message(self, line: Line) -> Message:
        return self.carried(line, 5 if line.verb.head != 0 else 4)

    def pair(self, message: Message) -> None:
        if isinstance(message, Refusal):
            if self.shared.verbose and not message.text.lower().startswith(ANSWERED_AS_WELL):
                waiting = self.other.by_order.head()
                if waiting is not None and waiting.operation != "PING":
                    message.request = self.other.by_order.answered(message)
            return
        super().pair(message)


class NatsSession(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        shared = self._shared = Connection()
        asked, asked_by_server = (LanePairing(limits.pending, limits.waiting, endpoint is None) for _ in range(2))
        client = ClientDecoder(flow, Sender.CLIENT, limits, asked, asked_by_server, shared)
        super().__init__(
            flow, client, ServerDecoder(flow, Sender.SERVER, limits, asked_by_server, asked, shared), limits, endpoint
        )

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """PONG, whoever asked."""
        if heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only PING is answered with PONG")
        self.decoder(heartbeat.sender).asks.answered(heartbeat)
        return self.flush(b"PONG\r\n")

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """``-ERR 'text'``, which is how a server refuses SUB and PUB. To a verbose client it has to be its turn."""
        if request.sender is not Sender.CLIENT or request.operation is None:
            raise Unsupported("only what the client asks can be refused")
        asked = self.decoder(Sender.CLIENT).asks
        if self._shared.verbose and isinstance(asked, LanePairing):
            if asked.by_order.head() is not request:
                raise Unsupported("something before this one waits for its answer")
            asked.by_order.pop()
        said = " ".join(text.split()).replace("'", "").encode("utf-8", "replace")[:1000]
        return self.flush(b"-ERR '" + said + b"'\r\n")
