"""Frames of HTTP/2 at random: of few streams, with blocks of HPACK whose indices, tables and Huffman codes mostly make sense."""

from __future__ import annotations

import random

from l7codecs import Sender

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
KINDS = (DATA, DATA, HEADERS, HEADERS, HEADERS, PROMISE, PROMISE, RESET, PING, WINDOW, SETTINGS, GOAWAY, PRIORITY, 11)
NAMES = (b"content-type", b"grpc-status", b"te", b":path", b":method", b":status", b"x", b"content-length", b"cookie")
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
