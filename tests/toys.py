"""Three small protocols that keep every promise, for the kit to be tested with: one of each sort of framing and pairing.

    Framed   ┌─────────┬──────┬────────────┐    FIFO. size counts the body. A client's kind is ? (ask), ! (one way) or h (heartbeat);
             │ size 32 │ kind │ body …     │    a server's is . (done), x (failed, the body begins with a word) or p (push).
             └─────────┴──────┴────────────┘    body of a request: "GET key"
    Numbered the same with a number of 16 bits behind the kind; paired by it.
    Text     FIFO. "get key\\r\\n", "set key 5\\r\\nhello\\r\\n"; "value 5\\r\\nhello\\r\\n", "done\\r\\n", "error not_found key\\r\\n"

Their faulty variants are in `test_kit_catches` and `faulty_endpoints`.
"""

from __future__ import annotations

import re

from l7codecs import (
    Attribute,
    AttrValue,
    Detection,
    Direction,
    Event,
    FifoPairing,
    Flow,
    FramedDecoder,
    Kind,
    Limits,
    Message,
    Pairing,
    PairingTable,
    Protocol,
    ProtocolError,
    Sender,
    Session,
    Status,
    Verdict,
    new_pairing,
    put_number,
)
from l7codecs.decoder import Decoder
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.testing import Vector

C, S = Sender.CLIENT, Sender.SERVER

KINDS = {
    C: {63: Kind.REQUEST, 33: Kind.ONEWAY, 104: Kind.HEARTBEAT},
    S: {46: Kind.RESPONSE, 120: Kind.RESPONSE, 112: Kind.PUSH},
}
STATUS = {"NOT_FOUND": Status.NOT_FOUND, "DENIED": Status.PERMISSION_DENIED}


class ToyMessage(Message):
    """``words`` is where the body begins, behind the header."""

    header = 5

    def __init__(
        self, flow: Flow, sender: Sender, kind: Kind, offset: int, octets: bytes, start: int, stop: int, more: bool
    ) -> None:
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.words = start + self.header

    def detach(self) -> bool:
        self.words -= self.start
        self.keep_own()
        return True

    @property
    def payload(self) -> bytes:
        return self.octets[self.words : self.stop]

    @property
    def failed(self) -> bool:
        return self.octets[self.words - self.header + 4] == 120

    @property
    def operation(self) -> str | None:
        if self.sender is S:
            return self.request.operation if self.request is not None else None
        return self.payload[:100].partition(b" ")[0].decode("latin-1") or None

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        key = self.payload[:100].partition(b" ")[2]
        return (key,) if key and self.sender is C else ()

    @property
    def status(self) -> Status | None:
        if self.kind is not Kind.RESPONSE:
            return None
        return STATUS.get(self.error or "", Status.UNKNOWN) if self.failed else Status.OK

    @property
    def error(self) -> str | None:
        if self.kind is not Kind.RESPONSE or not self.failed:
            return None
        return self.payload[:100].partition(b" ")[0].decode("latin-1") or "FAILED"

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        if self.operation is not None:
            attributes["toy.operation"] = self.operation
        if self.sender is C:
            attributes["toy.size"] = self.octets[self.words - self.header + 3]
        if self.error is not None:
            attributes["error.type"] = self.error


class NumberedMessage(ToyMessage):
    header = 7

    @property
    def request_id(self) -> int | None:
        at = self.words - 2
        return self.octets[at] << 8 | self.octets[at + 1]

    def renumbered(self, number: int) -> bytes:
        return put_number(self.raw, 5, 2, number)


class ToyDecoder(FramedDecoder):
    header_size = 5
    messages = ToyMessage

    def frame_size(self, data: bytes, at: int) -> int:
        return self.header_size + int.from_bytes(data[at : at + 4])

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        kind = KINDS[self.sender].get(octets[start + 4])
        if kind is None:
            raise ProtocolError(offset + 4, f"a frame of kind {octets[start + 4]}", "a kind that is known")
        return self.messages(self.flow, self.sender, kind, offset, octets, start, stop, more)

    def boundary(self, octets: bytes) -> int:
        for at in range(len(octets)):
            verdict = self.plausible(octets, at)
            if verdict:
                return at if verdict > 0 else -1 - at
        return -1 - len(octets)

    def plausible(self, octets: bytes, at: int) -> int:
        """Whether a short message begins at `at`: 1 yes, 0 no, -1 more octets are needed."""
        have = len(octets) - at
        if octets[at] != 0 or (have > 1 and octets[at + 1] != 0):
            return 0
        if have > 4:
            return int(octets[at + 4] in KINDS[self.sender])
        return -1


class NumberedDecoder(ToyDecoder):
    header_size = 7
    messages = NumberedMessage


class ToySession(Session):
    """Answers with errors; everything else is the framework's."""

    decoders: type[Decoder] = ToyDecoder
    pairing = Pairing.FIFO

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked: PairingTable
        if self.pairing is Pairing.FIFO:
            asked = FifoPairing(limits.pending, endpoint is not None, limits.waiting)
            asked.observes = endpoint is None
        elif endpoint is None:
            asked = new_pairing(self.pairing, limits.pending, limits.waiting)
        else:
            asked = StrictPairing(limits, 16, False, endpoint is C)
        other = new_pairing(Pairing.NONE, limits.pending)
        client, server = self.decoders(flow, C, limits, asked, other), self.decoders(flow, S, limits, other, asked)
        super().__init__(flow, client, server, limits, endpoint)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        return self.answer(request, self.error_reply(request, status))

    def error_reply(self, request: Message, status: Status) -> Message:
        word = next((word for word, each in STATUS.items() if each is status), "FAILED").encode()
        head = len(word).to_bytes(4) + b"x"
        if request.request_id is not None:
            head += request.request_id.to_bytes(2)
        decoder = self.decoder(S)
        assert isinstance(decoder, ToyDecoder)
        return decoder.message(head + word, 0, len(head + word), 0, False)


class NumberedSession(ToySession):
    decoders = NumberedDecoder
    pairing = Pairing.ID


def detect(client: bytes, server: bytes) -> Detection:
    """The client's first octets decide."""
    for at, octet in enumerate(client[:5]):
        if (at < 2 and octet != 0) or (at == 4 and octet not in KINDS[C]):
            return Detection(Verdict.NO)
    if len(client) < 5:
        return Detection(Verdict.MORE, 50, "the beginning of a frame", C)
    return Detection(Verdict.YES, 50, "a short frame of a known kind")


ATTRIBUTES = (
    Attribute("toy.operation", str, Direction.BOTH, "first word of the body"),
    Attribute("toy.size", int, Direction.CLIENT, "size"),
    Attribute("error.type", str, Direction.SERVER, "first word of a body that failed"),
)


# ------------------------------------------------------------------------------------------------------------------- text

LINE = re.compile(rb"(get|set|value|done|error|ping|pong)(?: ([^ \r\n]+))?(?: ([0-9]{1,9}|[a-z]+))?\r\n")
WORDS = {C: (b"get", b"set", b"ping"), S: (b"value", b"done", b"error", b"pong")}


class TextMessage(Message):
    """``words`` are those of its line."""

    def __init__(
        self, flow: Flow, sender: Sender, kind: Kind, offset: int, octets: bytes, start: int, stop: int, more: bool,
        words: list[bytes],
    ) -> None:  # fmt: skip
        super().__init__(flow, sender, kind, offset, octets, start, stop, more)
        self.words = words

    def detach(self) -> bool:
        self.keep_own()
        return True

    @property
    def operation(self) -> str | None:
        if self.sender is S:
            return self.request.operation if self.request is not None else None
        return self.words[0].decode()

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return tuple(self.words[1:2]) if self.sender is C else ()

    @property
    def status(self) -> Status | None:
        if self.kind is not Kind.RESPONSE:
            return None
        return Status.OK if self.error is None else STATUS.get(self.error.upper(), Status.UNKNOWN)

    @property
    def error(self) -> str | None:
        return self.words[1].decode("latin-1") if self.words[0] == b"error" else None

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        if self.operation is not None:
            attributes["toy.operation"] = self.operation
        if self.error is not None:
            attributes["error.type"] = self.error


class TextDecoder(Decoder):
    """A line, perhaps a block of a declared size and a line's end."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self.words: list[bytes] = []
        self.left = 0

    def restart(self) -> None:
        super().restart()
        self.words = []
        self.left = 0

    def next_event(self) -> Event | None:
        buffer = self.buffer
        if self.head is not None:
            self.left = buffer.pass_window(self.left)
            return self.rest() if self.left else self.end()
        if not self.words:
            words = self.line()
            if words is None:
                return None
            self.words = words
        if self.left and buffer.message_size() + self.left > self.limits.message:
            self.head = message = self.make(True)
            return message
        self.left = buffer.pass_over(self.left)
        return None if self.left else self.make(False)

    def line(self) -> list[bytes] | None:
        """The words of the next line; `left` octets follow it."""
        size = self.buffer.line(self.limits.head)
        if size < 0:
            self.exceed(0, "a longer line", f"at most limits.head = {self.limits.head}")
        if size == 0:
            return None
        found = self.buffer.data[self.buffer.pos : self.buffer.pos + size]
        match = LINE.fullmatch(found)
        if match is None or match[1] not in WORDS[self.sender] or (match[1] == b"error") > (match[2] is not None):
            self.fail(0, f"{found[:40]!r}", "a line that is known")
        words = [word for word in match.groups() if word is not None]
        self.left = 0
        sized = {b"set": 3, b"value": 2}.get(words[0])
        if sized is not None:
            if len(words) != sized or not words[-1].isdigit():
                self.fail(0, f"{found[:40]!r}", "a size")
            self.left = int(words[-1]) + 2
            if self.left > self.limits.payload:
                self.exceed(0, f"a block of {self.left}", f"at most limits.payload = {self.limits.payload}")
        self.buffer.pass_over(size)
        return words

    def make(self, more: bool) -> TextMessage:
        buffer = self.buffer
        size, offset, start = buffer.message_size(), buffer.message_offset, buffer.message_start()
        octets = buffer.message()
        kind = (Kind.HEARTBEAT if self.words[0] == b"ping" else Kind.REQUEST) if self.sender is C else Kind.RESPONSE
        message = TextMessage(self.flow, self.sender, kind, offset, octets, start, start + size, more, self.words)
        buffer.finish()
        self.words = []
        self.pair(message)
        return message

    def boundary(self, octets: bytes) -> int:
        """A known word behind a line's end, or right behind the gap."""
        starts = [0] if self.passed == 0 and octets else []
        starts += [found.end() for found in re.finditer(b"\n", octets)]
        for at in starts:
            for word in WORDS[self.sender]:
                if octets.startswith(word, at) and octets[at + len(word) : at + len(word) + 1] in (b" ", b"\r"):
                    return at
                if len(octets) - at <= len(word) and word.startswith(octets[at:]) and at < len(octets):
                    return -1 - max(0, at - 1)  # with the line's end before it, to be asked again
        return -1 - len(octets) + octets.endswith(b"\n")


class TextSession(ToySession):
    decoders = TextDecoder

    def error_reply(self, request: Message, status: Status) -> Message:
        line = (
            b"error %s\r\n" % next((word for word, each in STATUS.items() if each is status), "FAILED").lower().encode()
        )
        decoder = self.decoder(S)
        return TextMessage(decoder.flow, S, Kind.RESPONSE, 0, line, 0, len(line), False, line[:-2].split(b" "))


def text_detect(client: bytes, server: bytes) -> Detection:
    first = client[:5]
    for word in (b"get ", b"set ", b"ping\r"):
        if first.startswith(word):
            return Detection(Verdict.YES, 80, "a command that is known")
        if word.startswith(first):
            return Detection(Verdict.MORE, 80, "the beginning of a command", C)
    return Detection(Verdict.NO)


# --------------------------------------------------------------------------------------------------------------- vectors


def frame(kind: str, body: bytes, number: int | None = None) -> bytes:
    return len(body).to_bytes(4) + kind.encode() + (b"" if number is None else number.to_bytes(2)) + body


def framed_vectors(numbered: bool = False) -> list[Vector]:
    numbers = iter(range(1, 100))
    asked: list[int] = []

    def ask(kind: str, body: bytes) -> tuple[Sender, bytes]:
        number = next(numbers) if numbered else None
        if number is not None and kind != "!":
            asked.append(number)
        return C, frame(kind, body, number)

    def answer(kind: str, body: bytes, which: int = 0) -> tuple[Sender, bytes]:
        return S, frame(kind, body, asked.pop(which) if numbered else None)

    in_turns = [
        ask("?", b"GET user:1"), answer(".", b"value one"), ask("?", b"GET nobody"), answer("x", b"NOT_FOUND nobody"),
        ask("?", b"SET a"), answer(".", b""), ask("?", b"DEL a"), answer("x", b"DENIED"),
    ]  # fmt: skip
    together = [ask("?", b"GET b"), ask("?", b"GET c"), ask("?", b"SET d")]
    last = 2 if numbered else 0  # by number, the last is answered first
    together += [answer("x", b"NOT_FOUND b", last), answer(".", b"value of c"), answer(".", b"")]
    others = [
        ask("!", b"LOG line"), ask("h", b""), answer(".", b""), (S, frame("p", b"news", 0 if numbered else None)),
        ask("?", b"GET user:2"), answer(".", b"value two"),
    ]  # fmt: skip
    named = {"in-turns": in_turns, "together": together, "others": others}
    return [Vector(name, tuple(pieces)) for name, pieces in named.items()]


def framed_large(size: int, numbered: bool = False) -> list[Vector]:
    number = 7 if numbered else None
    return [
        Vector("a large request", ((C, frame("?", b"SET key " + b"v" * size, number)),)),
        Vector("a large answer", ((C, frame("?", b"GET key", number)), (S, frame(".", b"v" * size, number)))),
    ]


TEXT_VECTORS = [
    Vector(
        "in-turns",
        (
            (C, b"get user:1\r\n"), (S, b"value 5\r\nhello\r\n"), (C, b"get nobody\r\n"), (S, b"error not_found nobody\r\n"),
            (C, b"set a 3\r\nabc\r\n"), (S, b"done\r\n"), (C, b"ping\r\n"), (S, b"pong\r\n"),
        ),
    ),
    Vector(
        "together",
        ((C, b"get b\r\nget c\r\nset d 0\r\n\r\n"), (S, b"error not_found b\r\nvalue 2\r\ncc\r\nerror denied\r\n")),
    ),
]  # fmt: skip


def text_large(size: int) -> list[Vector]:
    return [
        Vector("a large value", ((C, b"set key %d\r\n%s\r\n" % (size, b"v" * size)),)),
        Vector("a large answer", ((C, b"get key\r\n"), (S, b"value %d\r\n%s\r\n" % (size, b"v" * size)))),
        Vector("a long line", ((C, b"get %s\r\n" % (b"k" * size)),)),
    ]


def framed(session: type[ToySession] = ToySession, **changes: object) -> Protocol:
    return Protocol(**{  # type: ignore[arg-type]
        "name": "framed", "title": "Framed", "attributes": ATTRIBUTES, "pairing": Pairing.FIFO, "session": session, "detect": detect,
        **changes,
    })  # fmt: skip


def numbered(session: type[ToySession] = NumberedSession, **changes: object) -> Protocol:
    return framed(session, **{"name": "numbered", "pairing": Pairing.ID, "id_bits": 16, **changes})


def text(session: type[ToySession] = TextSession, **changes: object) -> Protocol:
    return framed(
        session, **{"name": "text", "attributes": (ATTRIBUTES[0], ATTRIBUTES[2]), "detect": text_detect, **changes}
    )


FRAMED = framed()
