"""What both sides say, and what a router sees of it."""

from __future__ import annotations

import json

from l7codecs import AttrValue, Headers, Kind, LineMessage, RequestId, Status, Verb

__all__ = ["CLIENT", "SERVER", "Info", "NatsMessage", "Refusal", "options"]

STATUS = {
    "100": Status.OK,
    "404": Status.NOT_FOUND,
    "408": Status.DEADLINE_EXCEEDED,
    "409": Status.ABORTED,
    "503": Status.UNAVAILABLE,
}
REFUSALS = {
    "authorization violation": Status.UNAUTHENTICATED,
    "authentication": Status.UNAUTHENTICATED,
    "user authentication": Status.UNAUTHENTICATED,
    "permissions violation": Status.PERMISSION_DENIED,
    "maximum": Status.RESOURCE_EXHAUSTED,
    "slow consumer": Status.RESOURCE_EXHAUSTED,
    "stale connection": Status.UNAVAILABLE,
    "unknown protocol operation": Status.UNIMPLEMENTED,
    "invalid": Status.INVALID_ARGUMENT,
}
"""By how the text begins."""
ACCESS = {
    "PUB": "publish",
    "HPUB": "publish",
    "MSG": "publish",
    "HMSG": "publish",
    "SUB": "subscribe",
    "UNSUB": "subscribe",
}


def options(message: LineMessage) -> dict[str, object]:
    """The JSON of CONNECT and INFO; empty where it is none."""
    try:
        found = json.loads(message.raw.partition(b"{")[1] + message.raw.partition(b"{")[2])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class NatsMessage(LineMessage):
    """One line, with its payload."""

    __slots__ = ()

    @property
    def carries(self) -> bool:
        """Whether it carries a payload: PUB, HPUB, MSG, HMSG."""
        return self.verb.block != 0

    @property
    def subject(self) -> bytes | None:
        return self.word(1) if self.carries or self.verb.operation == "SUB" else None

    @property
    def reply(self) -> bytes | None:
        """The subject that answers are wanted on."""
        if not self.carries:
            return None
        words = self.words
        sizes = 2 if self.verb.head != 0 else 1
        before = 3 if self.verb.operation in ("MSG", "HMSG") else 2  # the sid is between
        return words[before] if len(words) == before + 1 + sizes else None

    @property
    def request_id(self) -> RequestId | None:
        """The subject that an answer is sent on, or that those to a request are wanted on."""
        return self.subject if self.kind is Kind.RESPONSE else self.reply

    @property
    def header_size(self) -> int:
        """Octets of the header section."""
        return int(self.word(-2) or b"0") if self.verb.head != 0 else 0

    @property
    def headers(self) -> Headers:
        """What the peer says, unseen by the server; values without blanks at their ends."""
        found = []
        for line in (self.block or b"")[: self.header_size].split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if colon:
                found.append((name.decode("latin-1"), value.strip(b" \t")))
        return Headers(found)

    @property
    def code(self) -> str | None:
        """The number in the first line of the headers: the server answers in place of a service."""
        first = (self.block or b"")[: self.header_size].partition(b"\r\n")[0].split()
        if len(first) > 1 and first[0].startswith(b"NATS/") and first[1].isdigit():
            return first[1][:8].decode("ascii")
        return None

    @property
    def payload(self) -> bytes:
        return (self.block or b"")[self.header_size :]

    @property
    def status(self) -> Status | None:
        if self.kind is not Kind.RESPONSE:
            return None
        code = self.code
        return Status.OK if code is None else STATUS.get(code, Status.UNKNOWN)

    @property
    def error(self) -> str | None:
        return self.code if self.status not in (None, Status.OK) else None

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        said = self.verb.operation  # ``operation`` of an answer is what was asked
        attributes["messaging.system"] = "nats"
        if self.operation is not None:
            attributes["messaging.operation.name"] = self.operation
            attributes["l7.access"] = ACCESS.get(self.operation, "unknown")
        if self.subject is not None:
            attributes["messaging.destination.name"] = self.subject.decode("utf-8", "backslashreplace")
        if self.carries:
            attributes["messaging.message.body.size"] = (self.block_size or 0) - self.header_size
        if self.reply is not None:
            attributes["nats.reply_to"] = self.reply.decode("utf-8", "backslashreplace")
        if said in ("MSG", "HMSG", "SUB", "UNSUB"):
            number = 1 if said == "UNSUB" else -1 if said == "SUB" else 2
            attributes["nats.sid"] = (self.word(number) or b"").decode("utf-8", "backslashreplace")
        if said == "SUB":
            attributes["l7.pins"] = "subscription"
            words = self.words
            if len(words) == 4:
                attributes["messaging.consumer.group.name"] = words[2].decode("utf-8", "backslashreplace")
        if self.error is not None:
            attributes["error.type"] = self.error


class Info(NatsMessage):
    """INFO of the server, CONNECT of the client."""

    __slots__ = ()

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        told = options(self)
        for name in ("version", "lang", "name", "server_id", "server_name"):
            value = told.get(name)
            if isinstance(value, str) and value:
                attributes[f"nats.{name}"] = value
        if told.get("ldm") is True:
            attributes["nats.lame_duck"] = True
        if self.verb.operation == "CONNECT":
            attributes["nats.verbose"] = told.get("verbose") is not False


class Refusal(NatsMessage):
    """-ERR."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """What stands between the quotes."""
        return self.raw[4:].strip(b" \t\r\n").strip(b"'").decode("utf-8", "backslashreplace")

    @property
    def status(self) -> Status | None:
        text = self.text.lower()
        return next((status for begin, status in REFUSALS.items() if text.startswith(begin)), Status.UNKNOWN)

    @property
    def error(self) -> str | None:
        return self.text.partition(" for ")[0] or "-ERR"  # the rest names subjects


def carries(operation: str, header: bool) -> Verb:
    return Verb(Kind.ONEWAY, operation, resource=1, block=-1, head=-2 if header else 0)


CLIENT = {
    b"CONNECT": Verb(Kind.CONTROL, "CONNECT"),
    b"PUB": carries("PUB", False),
    b"HPUB": carries("HPUB", True),
    b"SUB": Verb(Kind.ONEWAY, "SUB", resource=1),
    b"UNSUB": Verb(Kind.ONEWAY, "UNSUB"),
    b"PING": Verb(Kind.HEARTBEAT, "PING", made=NatsMessage),
    b"PONG": Verb(Kind.RESPONSE, made=NatsMessage),
    b"INFO": Verb(Kind.CONTROL, "INFO", made=Info),
}
SERVER = {
    b"INFO": Verb(Kind.CONTROL, "INFO", made=Info),
    b"MSG": carries("MSG", False),
    b"HMSG": carries("HMSG", True),
    b"PING": Verb(Kind.HEARTBEAT, "PING", made=NatsMessage),
    b"PONG": Verb(Kind.RESPONSE, made=NatsMessage),
    b"+OK": Verb(Kind.RESPONSE, made=NatsMessage),
    b"-ERR": Verb(Kind.PUSH, made=Refusal),
}
