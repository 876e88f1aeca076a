"""Frames of HTTP/2 at random: of few streams, with blocks of HPACK whose indices, tables and Huffman codes mostly make sense."""

from __future__ import annotations

import random

from l7codecs import Sender

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
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


def text(octets: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        code = chance.randbytes(chance.randrange(6)) + b"\xff" * chance.randrange(2)
        return integer(len(code), 7, 0x80) + code
    return integer(len(octets), 7, 0) + octets


def field(chance: random.Random) -> bytes:
    choice = chance.randrange(10)
    if choice < 4:
        return integer(chance.choice((2, 3, 4, 5, 6, 7, 8, 13, 62, 63, 64, 70)), 7, 0x80)
    if choice == 4:
        return integer(chance.choice((0, 31, 100, 4096)), 5, 0x20)
    bits, mark = chance.choice(((6, 0x40), (4, 0), (4, 0x10)))
    if chance.random() < 0.4:
        return integer(chance.choice((1, 4, 8, 31, 62, 65)), bits, mark) + text(chance.choice(VALUES), chance)
    return integer(0, bits, mark) + text(chance.choice(NAMES), chance) + text(chance.choice(VALUES), chance)


def block(chance: random.Random, asks: bool) -> bytes:
    start = b"\x82\x87\x84\x01\x01a" if asks else b"\x88"
    return (start if chance.random() < 0.8 else b"") + b"".join(field(chance) for _ in range(chance.randrange(4)))


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    pieces: list[tuple[Sender, bytes]] = [
        (Sender.CLIENT, PREFACE + frame(SETTINGS, 0, 0, b"")),
        (Sender.SERVER, frame(SETTINGS, 0, 0, b"")),
    ]
    asked, promised = 1, 2
    pieces.append((Sender.CLIENT, frame(HEADERS, chance.choice((4, 5)), 1, block(chance, True))))
    for _ in range(chance.randint(2, 24)):
        sender = chance.choice(tuple(Sender))
        client = sender is Sender.CLIENT
        stream = chance.choice((1, asked, asked, promised - 2, chance.randrange(8)))
        kind = chance.choice(
            (
                DATA,
                HEADERS,
                HEADERS,
                PROMISE,
                PROMISE,
                RESET,
                PING,
                WINDOW,
                SETTINGS,
                GOAWAY,
                CONTINUATION,
                PRIORITY,
                11,
            )
        )
        flags = chance.choice((0, 1, 4, 5, 4, 4, 8, 0x20, chance.randrange(256)))
        payload = b""
        if kind == DATA:
            payload = chance.choice((b"", b"\0\0\0\0\3abc", b"\0\0\0\0\3ab", chance.randbytes(9)))
        elif kind == HEADERS:
            if client and chance.random() < 0.7:
                asked += 2
                stream, flags = asked, chance.choice((4, 5, 4, 0))
            payload = block(chance, client)
        elif kind == PROMISE:
            if client and chance.random() < 0.9:
                continue
            stream = chance.choice((1, asked, max(promised - 2, 1), max(promised - 2, 1)))
            payload = promised.to_bytes(4, "big") + block(chance, True)
            promised += 2
            flags = 4
        elif kind == RESET:
            payload = chance.choice((0, 1, 2, 7, 8)).to_bytes(4, "big")
        elif kind in (PING, SETTINGS, GOAWAY):
            stream, flags = 0, chance.choice((0, 0, 1))
            settings = chance.choice((1, 2, 3, 4, 5, 8)).to_bytes(2, "big") + chance.choice(
                (0, 1, 100, 16384)
            ).to_bytes(4, "big")
            payload = {
                PING: b"12345678",
                SETTINGS: b"" if flags else settings,
                GOAWAY: chance.choice((0, 1, 99)).to_bytes(4, "big") + bytes(4),
            }[kind]
        elif kind == WINDOW:
            payload = chance.choice((0, 1, 65535, (1 << 31) - 1)).to_bytes(4, "big")
        elif kind == PRIORITY:
            payload = bytes(5)
        elif kind == CONTINUATION:
            payload, flags = field(chance), chance.choice((0, 4))
        pieces.append((sender, frame(kind, flags, stream, payload)))
    return pieces
