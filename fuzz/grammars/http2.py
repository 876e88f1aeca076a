"""Frames of HTTP/2 at random: of few streams, with blocks of HPACK whose indices, tables and Huffman codes mostly make sense."""

from __future__ import annotations

import random

from l7codecs import Sender, Status
from l7codecs.testing.fuzzing import Spoken

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
KINDS = (DATA, DATA, HEADERS, HEADERS, HEADERS, PROMISE, PROMISE, RESET, PING, WINDOW, SETTINGS, GOAWAY, PRIORITY, 11)
NAMES = (b"content-type", b"grpc-status", b"te", b":path", b":method", b":status", b"x", b"content-length", b"cookie")
DATA_SAID = b"any message"
VALUES = (b"application/grpc", b"0", b"5", b"trailers", b"/a.B/C", b"POST", b"200", b"", b"v" * 40)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + (stream & 0xFFFFFFFF).to_bytes(4, "big") + payload


def integer(number: int, bits: int, mark: int) -> bytes:
    """An integer of HPACK (RFC 7541 §5.1)."""
    most = (1 << bits) - 1
    if number < most:
        return bytes((mark | number,))
    found = bytes((mark | most,))
    number -= most
    while number > 127:
        found += bytes((number & 127 | 128,))
        number >>= 7
    return found + bytes((number,))


class Maker:
    """Makes blocks of one conversation, and knows how many entries each side has put into its table."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.careful = chance.random() < 0.75
        """Nothing that ends a connection is made."""
        self.builds = chance.random() < 0.05
        """Often something is promised, and begun, on the stream that was promised last: what refers to what gets long, where it may."""
        self.careful |= self.builds
        self.entries = dict.fromkeys(Sender, 0)

    def wrong(self, often: float) -> bool:
        return not self.careful and self.chance.random() < often

    def text(self, octets: bytes) -> bytes:
        if self.wrong(0.1):
            code = self.chance.randbytes(self.chance.randrange(6)) + b"\xff" * self.chance.randrange(2)
            return integer(len(code), 7, 0x80) + code
        return integer(len(octets), 7, 0) + octets

    def index(self, sender: Sender, few: bool) -> int:
        """Of a field, or of its name alone (`few`)."""
        if self.wrong(0.2):
            return self.chance.choice((62, 63, 64, 70))
        if self.entries[sender] and self.chance.random() < 0.3:
            return 61 + self.chance.randint(1, self.entries[sender])
        return self.chance.choice((4, 8, 31, 54, 28)) if few else self.chance.choice((2, 3, 4, 5, 6, 7, 8, 13))

    def field(self, sender: Sender) -> bytes:
        chance = self.chance
        choice = chance.randrange(10)
        if choice < 4:
            return integer(self.index(sender, False), 7, 0x80)
        if choice == 4 and not self.careful:
            return integer(chance.choice((0, 31, 100, 4096)), 5, 0x20)
        bits, mark = chance.choice(((6, 0x40), (4, 0), (4, 0x10)))
        if chance.random() < 0.4:
            found = integer(self.index(sender, True), bits, mark) + self.text(chance.choice(VALUES))
        else:
            found = integer(0, bits, mark) + self.text(chance.choice(NAMES)) + self.text(chance.choice(VALUES))
        if mark == 0x40:
            self.entries[sender] = min(self.entries[sender] + 1, 20)
        return found

    def block(self, sender: Sender, asks: bool) -> bytes:
        start = b"\x82\x87\x84\x01\x01a" if asks else b"\x88"
        fields = b"".join(self.field(sender) for _ in range(self.chance.randrange(4)))
        return (start if self.chance.random() < 0.8 else b"") + fields

    def headers(self, kind: int, flags: int, stream: int, before: bytes, block: bytes) -> bytes:
        """In one frame, or several."""
        if self.chance.random() < 0.8 or not block:
            return frame(kind, flags | (0 if self.wrong(0.1) else 4), stream, before + block)
        at = self.chance.randrange(len(block))
        first = frame(kind, flags & ~4, stream, before + block[:at])
        return first + frame(CONTINUATION, 4, stream, block[at:])


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    maker = Maker(chance)
    pieces: list[tuple[Sender, bytes]] = [
        (Sender.CLIENT, PREFACE + frame(SETTINGS, 0, 0, b"")),
        (Sender.SERVER, frame(SETTINGS, 0, 0, b"")),
    ]
    asked, promised = 1, 2
    # The streams on which each side may still write, and those that are promised.
    writes: dict[Sender, list[int]] = {sender: [1] for sender in Sender}
    waits: list[int] = []
    pieces.append((Sender.CLIENT, maker.headers(HEADERS, 0, 1, b"", maker.block(Sender.CLIENT, True))))
    for _ in range(chance.randint(2, 24)):
        sender = chance.choice(tuple(Sender))
        client = sender is Sender.CLIENT
        kind = PROMISE if maker.builds and not client and chance.random() < 0.4 else chance.choice(KINDS)
        flags = chance.choice((0, 0, 1))
        if kind in (DATA, HEADERS, PROMISE, RESET, WINDOW) and not writes[sender] and not (client and kind == HEADERS):
            continue
        stream = chance.choice(writes[sender] or [1])
        if maker.wrong(0.1):
            stream, flags = chance.randrange(8), chance.randrange(256)
            kind = chance.choice((*KINDS, CONTINUATION))
        if kind == HEADERS and client and (maker.careful or chance.random() < 0.7):
            asked += 2
            stream = asked
            for streams in writes.values():
                streams.append(asked)
        elif kind == HEADERS and waits and not client and chance.random() < 0.4:
            stream = waits.pop()
            writes[sender].append(stream)
        ends = kind in (DATA, HEADERS) and flags & 1
        for who in Sender if kind == RESET else (sender,) if ends else ():
            if stream in writes[who]:
                writes[who].remove(stream)
        if kind == DATA:
            octets = chance.choice((b"", b"\0\0\0\0\3abc", b"\0\0\0\0\3ab", chance.randbytes(9)))
            made = frame(kind, flags, stream, octets)
        elif kind == HEADERS:
            made = maker.headers(kind, flags, stream, b"", maker.block(sender, client))
        elif kind == PROMISE:
            if client and not maker.wrong(0.1):
                continue
            if maker.builds:
                stream = max(promised - 2, 1)
            elif not maker.careful:
                stream = chance.choice((stream, max(promised - 2, 1)))
            elif not stream % 2:
                continue
            made = maker.headers(kind, 0, stream, promised.to_bytes(4, "big"), maker.block(sender, True))
            if maker.builds:
                made += maker.headers(HEADERS, 0, promised, b"", maker.block(sender, False))
            else:
                waits.append(promised)
            promised += 2
        elif kind == RESET:
            made = frame(kind, 0, stream, chance.choice((0, 1, 2, 7, 8)).to_bytes(4, "big"))
        elif kind == PING:
            made = frame(kind, flags, 0, b"12345678")
        elif kind == SETTINGS:
            number, value = chance.choice(((1, 0), (1, 100), (1, 4096), (3, 100), (4, 16384), (5, 16384), (8, 1)))
            if not maker.careful:
                value = chance.choice((0, 1, 100, 16384))
            said = number.to_bytes(2, "big") + value.to_bytes(4, "big")
            made = frame(kind, flags, 0, b"" if flags or (number == 1 and maker.careful) else said)
        elif kind == GOAWAY:
            if maker.careful and chance.random() < 0.8:
                continue
            made = frame(kind, 0, 0, chance.choice((0, 1, 99)).to_bytes(4, "big") + bytes(4))
        elif kind == WINDOW:
            size = 0 if maker.wrong(0.3) else chance.choice((1, 65535))
            made = frame(kind, 0, chance.choice((0, stream)), size.to_bytes(4, "big"))
        elif kind == CONTINUATION:
            made = frame(kind, flags, stream, maker.field(sender))
        else:
            made = frame(kind, 0 if maker.careful else flags, stream, bytes(5))
        pieces.append((sender, made))
    return pieces


Field = tuple[str, str]
STATIC: dict[Field, int] = {
    (":authority", ""): 1,
    (":method", "GET"): 2,
    (":method", "POST"): 3,
    (":path", "/"): 4,
    (":scheme", "http"): 6,
    (":scheme", "https"): 7,
    (":status", "200"): 8,
    (":status", "404"): 13,
    ("accept-encoding", "gzip, deflate"): 16,
    ("content-type", ""): 31,
    ("server", ""): 54,
    ("user-agent", ""): 58,
}
"""Some of RFC 7541, appendix A."""
ENTRY, LAST_STATIC, TABLE_SIZE = 32, 61, 4096
OTHERS: tuple[Field, ...] = (
    ("x", "1"), ("x", "v" * 700), ("server", "a"), ("user-agent", "b" * 90), ("accept-encoding", "gzip, deflate"), ("y" * 40, ""),
    ("cookie", "c=1"), ("x-id", "7"), ("x", "w" * 1500),
)  # fmt: skip
PADDED, PRIORITIZED, END_HEADERS, END_STREAM = 8, 32, 4, 1


class Table:
    """The dynamic table of one side, as RFC 7541 §4 has it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.entries: list[Field] = []
        """The newest first."""
        self.most = TABLE_SIZE

    def resize(self, most: int) -> None:
        """Leave out the oldest entries until the rest has at most so many octets."""
        while sum(len(name) + len(value) + ENTRY for name, value in self.entries) > most:
            self.entries.pop()

    def text(self, text: str) -> bytes:
        octets = text.encode()
        return integer(len(octets), 7, 0) + octets

    def field(self, field: Field) -> bytes:
        name, value = field
        if field in self.entries and self.chance.random() < 0.8:
            return integer(LAST_STATIC + 1 + self.entries.index(field), 7, 0x80)
        if field in STATIC and value and self.chance.random() < 0.8:
            return integer(STATIC[field], 7, 0x80)
        bits, mark = self.chance.choice(((6, 0x40), (6, 0x40), (4, 0), (4, 0x10)))
        named = [LAST_STATIC + 1 + at for at, entry in enumerate(self.entries) if entry[0] == name]
        named += [index for entry, index in STATIC.items() if entry[0] == name]
        index = self.chance.choice(named) if named and self.chance.random() < 0.7 else 0
        if mark == 0x40:
            size = len(name) + len(value) + ENTRY
            self.resize(max(self.most - size, 0))
            if size <= self.most:
                self.entries.insert(0, field)
        return integer(index, bits, mark) + (b"" if index else self.text(name)) + self.text(value)

    def block(self, fields: list[Field]) -> bytes:
        found = b""
        if self.chance.random() < 0.1:
            full = sum(len(name) + len(value) + ENTRY for name, value in self.entries)
            # Also what is in it exactly, and another entry: the next ones make it full to the last octet.
            self.most = min(self.chance.choice((0, 100, 1000, full, full + ENTRY + 2, TABLE_SIZE)), TABLE_SIZE)
            self.resize(self.most)
            found = integer(self.most, 5, 0x20)
        return found + b"".join(map(self.field, fields))


def padded(kind: int, flags: int, stream: int, payload: bytes, chance: random.Random) -> bytes:
    """A frame, maybe with padding."""
    if chance.random() < 0.7:
        return frame(kind, flags, stream, payload)
    size = chance.choice((0, 1, 9, 255))
    return frame(kind, flags | PADDED, stream, bytes((size,)) + payload + bytes(size))


def headed(flags: int, stream: int, block: bytes, chance: random.Random) -> bytes:
    """HEADERS, maybe with a priority, and CONTINUATION."""
    cut = chance.randrange(len(block) + 1) if chance.random() < 0.2 else len(block)
    before = b""
    if chance.random() < 0.1:
        flags, before = flags | PRIORITIZED, bytes((0, 0, 0, 0, 15))
    flags |= END_HEADERS if cut == len(block) else 0
    found = padded(HEADERS, flags, stream, before + block[:cut], chance)
    return found if cut == len(block) else found + frame(CONTINUATION, END_HEADERS, stream, block[cut:])


class Call:
    """One stream."""

    def __init__(self, number: int, grpc: bool) -> None:
        self.number = number
        self.grpc = grpc
        self.asked = -1
        """The place of its request; its answer's."""
        self.answered = -1
        self.asks = True
        """Whether its client goes on."""


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: every field of every block, with the table between them, bodies without their padding, outcomes."""
    tables = {sender: Table(chance) for sender in Sender}
    found = [
        Spoken(Sender.CLIENT, PREFACE),
        Spoken(Sender.CLIENT, frame(SETTINGS, 0, 0, b"")),
        Spoken(Sender.SERVER, frame(SETTINGS, 0, 0, b"")),
        Spoken(Sender.CLIENT, frame(SETTINGS, 1, 0, b"")),
        Spoken(Sender.SERVER, frame(SETTINGS, 1, 0, b"")),
    ]
    calls: list[Call] = []

    def others() -> list[Field]:
        return [chance.choice(OTHERS) for _ in range(chance.randrange(4))]

    def said(sender: Sender, call: Call, fields: list[Field], flags: int, says: dict[str, object]) -> None:
        said_there = tuple((name, value.encode()) for name, value in fields if name[0] != ":")
        says = {"headers": said_there, "stream_id": call.number, **says}
        octets = headed(flags, call.number, tables[sender].block(fields), chance)
        answers = call.asked if sender is Sender.SERVER and call.answered < 0 else None
        found.append(Spoken(sender, octets, answers=answers, says={**says, "http2.malformed": None}))

    def asks(call: Call) -> None:
        call.asked = len(found)
        method = "POST" if call.grpc or chance.random() < 0.5 else "GET"
        path = "/a.B/Get" if call.grpc else chance.choice(("/", "/shop", "/shop?x=1"))
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a:80")]
        says: dict[str, object] = {"service": "a.B", "operation": "Get"}
        if call.grpc:
            fields += [("content-type", "application/grpc"), ("te", "trailers")]
        else:
            says = {"service": "a:80", "operation": method, "resources": (path.partition("?")[0],)}
        call.asks = call.grpc or chance.random() < 0.5
        said(Sender.CLIENT, call, fields + others(), 0 if call.asks else END_STREAM, says)

    def body(sender: Sender, call: Call, place: int, ends: bool) -> None:
        data = (
            b"\0" + len(DATA_SAID).to_bytes(4, "big") + DATA_SAID
            if call.grpc
            else chance.randbytes(chance.choice((0, 1, 60)))
        )
        octets = padded(DATA, END_STREAM if ends else 0, call.number, data, chance)
        found.append(Spoken(sender, octets, part_of=place, says={"payload": data}))

    def answers(call: Call) -> None:
        code = 200 if call.grpc or chance.random() < 0.7 else 404
        fields = [(":status", str(code))] + ([("content-type", "application/grpc")] if call.grpc else [])
        says: dict[str, object] = {} if call.grpc else {"status": Status.OK if code == 200 else Status.NOT_FOUND}
        place = len(found)
        ends = not call.grpc and chance.random() < 0.2
        said(Sender.SERVER, call, fields + others(), END_STREAM if ends else 0, says)
        call.answered = place
        trailers = call.grpc or chance.random() < 0.3
        for left in range(0 if ends else chance.randrange(1, 3), -1, -1):
            if not ends and (left or not trailers):
                body(Sender.SERVER, call, place, not left)
        if trailers and not ends:
            code = chance.choice((0, 0, 5, 14))
            outcome = {"status": Status(code)} if call.grpc else {}
            named = [("grpc-status", str(code))] if call.grpc else [("x-end", "1")]
            said(Sender.SERVER, call, named + others()[:1], END_STREAM, dict(outcome))

    number = 1
    for _ in range(chance.choice((2, 6, 14))):
        choice = chance.randrange(8)
        if choice < 3 or not calls:
            calls.append(Call(number, chance.random() < 0.5))
            number += 2
            asks(calls[-1])
        elif choice == 3:
            found.append(Spoken(chance.choice(tuple(Sender)), frame(WINDOW, 0, 0, b"\0\0\0\1")))
        elif choice == 4:
            found.append(Spoken(chance.choice(tuple(Sender)), frame(PING, 0, 0, b"12345678")))
        else:
            call = chance.choice(calls)
            if call.asks:
                call.asks = chance.random() < 0.4
                body(Sender.CLIENT, call, call.asked, not call.asks)
            if not call.asks:
                calls.remove(call)
                answers(call)
    return found
