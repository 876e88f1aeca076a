"""One connection: what answers what. Three things do, on one connection:

PONG         a PING of the other side, in order
+OK, -ERR    whatever a client that is verbose says, in order
PUB or MSG   the request whose reply subject it is sent on
"""

from __future__ import annotations

from l7codecs import (
    AnswerOrder,
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


class Lanes(LanePairing):
    """What one side asks."""

    def __init__(self, limits: Limits, observes: bool, shared: Connection) -> None:
        super().__init__(limits.pending, limits.waiting, observes)
        self.shared = shared

    def asked(self, request: Message) -> None:
        """A PUB of a verbose client is answered twice: +OK in order, and on its reply subject."""
        super().asked(request)
        if request.request_id is not None and request.sender is Sender.CLIENT and self.shared.verbose:
            self.ask_in_order(request)


class NatsDecoder(LineDecoder):
    """One direction."""

    tabs = True
    any_case = True

    def __init__(
        self, flow: Flow, sender: Sender, limits: Limits, asks: Lanes, answers: Lanes, shared: Connection
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
        super().pair(message)
        if self.shared.verbose and message.kind is Kind.RESPONSE and message.request_id is not None:
            self.lanes.ask_in_order(message)  # +OK answers what answers


class ServerDecoder(NatsDecoder):
    verbs = SERVER

    def message(self, line: Line) -> Message:
        return self.carried(line, 5 if line.verb.head != 0 else 4)

    def pair(self, message: Message) -> None:
        if isinstance(message, Refusal):
            if self.shared.verbose and not message.text.lower().startswith(ANSWERED_AS_WELL):
                waiting = self.other.by_order.head()
                if waiting is not None and waiting.kind is not Kind.HEARTBEAT:
                    message.kind = Kind.RESPONSE
                    message.request = self.other.by_order.answered(message)
            return
        super().pair(message)


class ClientOrder(AnswerOrder):
    """What a client writes that plays here: what it says counts from when it is written."""

    def __init__(self, waiting: Lanes, limits: Limits, asks: Lanes, shared: Connection) -> None:
        super().__init__(waiting, limits, asks)
        self.lanes = asks
        self.shared = shared

    def begun(self, message: Message) -> None:
        super().begun(message)
        if message.kind is Kind.RESPONSE and message.request_id is not None and self.shared.verbose:
            self.lanes.ask_in_order(message)  # +OK answers what answers

    def asked(self, message: Message, original: Message) -> bytes | None:
        if isinstance(message, Info) and message.operation == "CONNECT":
            self.shared.verbose = options(message).get("verbose") is not False
        return super().asked(message, original)


class NatsSession(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        shared = self._shared = Connection()
        asked, asked_by_server = (Lanes(limits, endpoint is None, shared) for _ in range(2))
        self._asked = asked
        self._answered = asked_by_server
        client = ClientDecoder(flow, Sender.CLIENT, limits, asked, asked_by_server, shared)
        super().__init__(
            flow, client, ServerDecoder(flow, Sender.SERVER, limits, asked_by_server, asked, shared), limits, endpoint
        )

    def new_order(self, sender: Sender) -> AnswerOrder:
        if sender is Sender.SERVER:
            return super().new_order(sender)
        return ClientOrder(self._answered, self.limits, self._asked, self._shared)

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        """PONG, whoever asked. It is written when what was asked before it is answered."""
        if heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only PING is answered with PONG")
        return self.answer(heartbeat, self._made(heartbeat.sender.other, b"PONG\r\n", heartbeat))

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """``-ERR 'text'``, as a server refuses SUB and PUB; to a verbose client in its turn."""
        if request.sender is not Sender.CLIENT or request.operation is None or request.kind is Kind.HEARTBEAT:
            raise Unsupported("only what the client asks can be refused")
        said = " ".join(text.split()).replace("'", "")
        if said.lower().startswith(ANSWERED_AS_WELL):
            said = f"Refused: {said}"
        octets = b"-ERR '" + said.encode("utf-8", "replace")[:1000] + b"'\r\n"
        if self._shared.verbose:
            return self.answer(request, self._made(Sender.SERVER, octets, request))
        return self.flush(self.pass_on(self._made(Sender.SERVER, octets)))

    def _made(self, sender: Sender, octets: bytes, request: Message | None = None) -> Message:
        """The message that `octets` are; it answers `request`."""
        message = next(NatsSession(self.flow, self.limits).receive(sender, octets))
        assert isinstance(message, Message)
        if request is not None:
            message.kind = Kind.RESPONSE
            message.request = request
        return message
