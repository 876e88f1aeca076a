"""What a server says: one line, or values and statistics up to END."""

from __future__ import annotations

from l7codecs import AttrValue, Kind, Line, LineDecoder, LineMessage, RequestId, Status, Verb

from ._commands import decoded, opaque_of

__all__ = ["ANSWERS", "Answer", "AnswerDecoder"]

STATUS = {
    "STORED": Status.OK, "DELETED": Status.OK, "TOUCHED": Status.OK, "OK": Status.OK, "RESET": Status.OK,
    "VERSION": Status.OK, "HD": Status.OK, "ME": Status.OK, "MN": Status.OK,
    "NOT_FOUND": Status.NOT_FOUND, "NF": Status.NOT_FOUND, "EN": Status.NOT_FOUND, "END": Status.NOT_FOUND,
    "NOT_STORED": Status.FAILED_PRECONDITION, "NS": Status.FAILED_PRECONDITION,
    "EXISTS": Status.ABORTED, "EX": Status.ABORTED,
    "ERROR": Status.UNIMPLEMENTED, "CLIENT_ERROR": Status.INVALID_ARGUMENT, "SERVER_ERROR": Status.INTERNAL,
    "BUSY": Status.UNAVAILABLE,
}  # fmt: skip


def answers(word: str, status: Status) -> Verb:
    failed = status is not Status.OK
    return Verb(Kind.RESPONSE, status=status, error=word if failed else None, note=word)


ANSWERS = {word.encode(): answers(word, status) for word, status in STATUS.items()}
ANSWERS[b"VALUE"] = Verb(Kind.RESPONSE, block=3, goes_on=True, status=Status.OK, note="VALUE")
ANSWERS[b"VA"] = Verb(Kind.RESPONSE, block=1, status=Status.OK, note="VA")
ANSWERS |= {
    word: Verb(Kind.RESPONSE, goes_on=True, status=Status.OK, note="STAT")
    for word in (b"STAT", b"ITEM", b"PREFIX", b"mg")
}
NUMBER = Verb(Kind.RESPONSE, status=Status.OK, note="NUMBER")
DUMP = Verb(Kind.RESPONSE, goes_on=True, status=Status.OK, note="STAT")
LOG = Verb(Kind.PUSH, "watch")
META = {"HD", "VA", "EN", "NF", "NS", "EX"}


class Answer(LineMessage):
    """One answer."""

    __slots__ = ()

    @property
    def request_id(self) -> RequestId | None:
        if self.verb.note not in META:
            return None
        return opaque_of(self.flags)

    @property
    def flags(self) -> list[bytes]:
        """Those of the answer to a meta command."""
        return self.words[2 if self.verb.note == "VA" else 1 :]

    @property
    def key(self) -> bytes | None:
        """The key that flag k asked to repeat."""
        for flag in self.flags:
            if flag.startswith(b"k"):
                return decoded(flag[1:], self.flags)
        return None

    @property
    def status(self) -> Status | None:
        """END alone is a miss, unless something else than keys was asked for."""
        if self.verb.note == "END" and self.operation in ("stats", "lru_crawler"):
            return Status.OK
        if self.verb.note == "SERVER_ERROR" and (b"too large" in self.raw or b"out of memory" in self.raw):
            return Status.RESOURCE_EXHAUSTED
        return super().status

    @property
    def error(self) -> str | None:
        return None if self.status is Status.OK else super().error

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["db.system.name"] = "memcached"
        if self.operation is not None:
            attributes["db.operation.name"] = self.operation
        if self.error is not None:
            attributes["error.type"] = attributes["db.response.status_code"] = self.error
        if isinstance(self.request_id, bytes):
            attributes["memcached.opaque"] = self.request_id


class AnswerDecoder(LineDecoder):
    """The server's direction."""

    verbs = ANSWERS

    def verb(self, word: bytes) -> Verb:
        """No word of the table: a number, a line of a dump or a log, or a new answer."""
        if word.isdigit():
            return NUMBER
        if word.startswith(b"key="):
            return DUMP
        if word.startswith(b"ts="):
            return LOG
        if word == b"ERROR:":
            return ANSWERS[b"ERROR"]
        text = word[:32].decode("ascii", "backslashreplace")
        return Verb(Kind.RESPONSE, status=Status.UNKNOWN, error=text or "empty", note=text)

    def message(self, line: Line) -> Answer:
        return Answer(line, line.verb.kind)

    def plausible(self, line: bytes) -> bool:
        return line.isascii() and line.decode("ascii").isprintable()
