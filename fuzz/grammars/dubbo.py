"""Calls of Dubbo at random: headers, and bodies in Hessian 2 with values, classes, references and chunks; some in lines of JSON."""

from __future__ import annotations

import json
import random
import struct

from l7codecs import Sender, Status
from l7codecs.testing.fuzzing import Spoken

REQUEST, TWO_WAY, EVENT, HESSIAN, FASTJSON = 0x80, 0x40, 0x20, 2, 6
TEXTS = ("", "a", "text", "x" * 40, "caf\u00e9", "\U0001f600", "long " * 300)
TYPES = ("I", "Ljava/lang/String;", "[J", "Ljava/util/Map;", "")


def frame(flags: int, status: int, number: int, body: bytes) -> bytes:
    return b"\xda\xbb" + bytes((flags, status)) + number.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


class Hessian:
    """One stream of values."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.classes: list[int] = []
        """How many fields each has that was defined."""
        self.types = 0
        self.containers = 0

    def text(self, text: str) -> bytes:
        """As Java counts it, a character in 16 bits; of those beyond, two."""
        units = text.encode("utf-16-be", "surrogatepass")
        count = len(units) // 2
        octets = b"".join(
            chr(int.from_bytes(units[at : at + 2], "big")).encode("utf-8", "surrogatepass")
            for at in range(0, len(units), 2)
        )
        if count < 32:
            return bytes((count,)) + octets
        if count < 1024:
            return bytes((0x30 + (count >> 8), count & 0xFF)) + octets
        if text.isascii() and self.chance.random() < 0.5:
            return b"R\0\5" + octets[:5] + self.text(text[5:])
        return b"S" + count.to_bytes(2, "big") + octets

    def number(self) -> bytes:
        chance = self.chance
        return chance.choice(
            (
                bytes((chance.randint(0x80, 0xBF),)),
                bytes((chance.randint(0xC0, 0xCF),)) + chance.randbytes(1),
                bytes((chance.randint(0xD0, 0xD7),)) + chance.randbytes(2),
                b"I" + chance.randbytes(4),
            )
        )

    def type(self) -> bytes:
        if self.types and self.chance.random() < 0.5:
            return bytes((0x90 + self.chance.randrange(self.types),))
        self.types += 1
        return self.text(self.chance.choice(("java.util.ArrayList", "[int", "java.util.TreeMap", "a.B")))

    def value(self, depth: int = 0) -> bytes:
        chance = self.chance
        choice = chance.randrange(9 if depth > 3 else 15)
        if choice == 0:
            return chance.choice((b"N", b"T", b"F"))
        if choice == 1:
            return self.number()
        if choice == 2:
            return chance.choice(
                (
                    bytes((chance.randint(0xD8, 0xEF),)),
                    bytes((chance.randint(0xF0, 0xFF),)) + chance.randbytes(1),
                    bytes((chance.randint(0x38, 0x3F),)) + chance.randbytes(2),
                    b"Y" + chance.randbytes(4),
                    b"L" + chance.randbytes(8),
                )
            )
        if choice == 3:
            return chance.choice(
                (b"\x5b", b"\x5c", b"\x5d\x80", b"\x5e\x01\0", b"\x5f\0\0\x30\x39", b"D" + struct.pack(">d", 1.1))
            )
        if choice == 4:
            return chance.choice((b"J" + chance.randbytes(8), b"K" + chance.randbytes(4)))
        if choice == 5:
            octets = chance.randbytes(chance.choice((0, 3, 15, 300)))
            if len(octets) < 16:
                return bytes((0x20 + len(octets),)) + octets
            if chance.random() < 0.5:
                return bytes((0x34 + (len(octets) >> 8), len(octets) & 0xFF)) + octets
            return b"A\0\4" + octets[:4] + b"B" + (len(octets) - 4).to_bytes(2, "big") + octets[4:]
        if choice < 8:
            return self.text(chance.choice(TEXTS))
        if choice == 8:
            return b"Q" + bytes((0x90 + chance.randrange(self.containers),)) if 0 < self.containers < 40 else b"N"
        if choice < 11:
            return self.list(depth)
        if choice < 13:
            return self.map(depth)
        return self.object(depth)

    def list(self, depth: int) -> bytes:
        chance = self.chance
        self.containers += 1
        count = chance.choice((0, 1, 2, 4))
        form = chance.randrange(6)
        start, end = b"", b""
        if form == 0:
            start = bytes((0x70 + count,)) + self.type()
        elif form == 1:
            start = bytes((0x78 + count,))
        elif form == 2:
            start, end = b"U" + self.type(), b"Z"
        elif form == 3:
            start = b"V" + self.type() + bytes((0x90 + count,))
        elif form == 4:
            start, end = b"W", b"Z"
        else:
            start = b"X" + bytes((0x90 + count,))
        return start + b"".join(self.value(depth + 1) for _ in range(count)) + end

    def map(self, depth: int) -> bytes:
        self.containers += 1
        start = b"M" + self.type() if self.chance.random() < 0.4 else b"H"
        pairs = range(self.chance.choice((0, 1, 2, 3)))
        return start + b"".join(self.text(f"key{at}") + self.value(depth + 1) for at in pairs) + b"Z"

    def attachments(self) -> bytes:
        self.containers += 1
        found = b"H"
        for key in ("path", "interface", "version", "group", "timeout", "tenant"):
            if self.chance.random() < 0.5:
                found += self.text(key) + (self.text("1.0") if self.chance.random() < 0.9 else self.value(1))
        return found + b"Z"

    def object(self, depth: int) -> bytes:
        chance = self.chance
        found = b""
        if not self.classes or chance.random() < 0.3:
            names = ["name", "next", "count"][: chance.randrange(4)]
            found = (
                b"C"
                + self.text(f"a.b.C{len(self.classes)}")
                + bytes((0x90 + len(names),))
                + b"".join(map(self.text, names))
            )
            self.classes.append(len(names))
        number = chance.randrange(len(self.classes))
        self.containers += 1
        found += bytes((0x60 + number,)) if number < 16 and chance.random() < 0.7 else b"O" + bytes((0x90 + number,))
        return found + b"".join(self.value(depth + 1) for _ in range(self.classes[number]))


def call(chance: random.Random) -> bytes:
    stream = Hessian(chance)
    types = [chance.choice(TYPES) for _ in range(chance.choice((0, 1, 1, 2)))]
    head = (
        "2.0.2",
        chance.choice(("a.Shop", "b.Other")),
        chance.choice(("1.0", "0.0.0")),
        chance.choice(("get", "$invoke", "$echo")),
    )
    found = b"".join(map(stream.text, (*head, "".join(types))))
    return found + b"".join(stream.value() for each in types if each) + stream.attachments()


def said(chance: random.Random) -> bytes:
    stream = Hessian(chance)
    kind = chance.choice((1, 1, 1, 4, 4, 0, 2, 3, 5))
    found = bytes((0x90 + kind,))
    if kind in (1, 4):
        found += stream.value()
    elif kind in (0, 3):
        found += stream.object(0)
    return found + (stream.attachments() if kind > 2 else b"")


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in values)


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    pieces: list[tuple[Sender, bytes]] = []
    waiting: list[tuple[int, bool]] = []
    number = chance.choice((0, 1, (1 << 64) - 3))
    for _ in range(chance.choice((2, 5, 10, 16))):
        if waiting and chance.random() < 0.5:
            asked, event = waiting.pop(0 if chance.random() < 0.7 else -1)
            pieces.append((Sender.SERVER, answer(asked, event, chance)))
            continue
        plain = chance.random() < 0.1
        number = (number + 1) % (1 << 64)
        if chance.random() < 0.12:
            pieces.append((Sender.CLIENT, frame(REQUEST | TWO_WAY | EVENT | HESSIAN, 0, number, b"N")))
            waiting.append((number, True))
            continue
        two_way = chance.random() < 0.9
        body = lines("2.0.2", "a.Shop", "1.0", "get", "I", 5, {"path": "a.Shop"}) if plain else call(chance)
        flags = REQUEST | (TWO_WAY if two_way else 0) | (FASTJSON if plain else HESSIAN)
        pieces.append((Sender.CLIENT, frame(flags, 0, number, body)))
        if two_way:
            waiting.append((number, False))
    pieces += [(Sender.SERVER, answer(asked, event, chance)) for asked, event in waiting]
    return pieces


def answer(number: int, event: bool, chance: random.Random) -> bytes:
    if event:
        return frame(EVENT | HESSIAN, 20, number, b"N")
    if chance.random() < 0.15:
        return frame(
            HESSIAN, chance.choice((30, 31, 40, 50, 70, 80, 100)), number, Hessian(chance).text("no such method")
        )
    if chance.random() < 0.08:
        return frame(FASTJSON, 20, number, lines(1, {"a": [1, 2]}))
    return frame(HESSIAN, 20, number, said(chance))


STATUSES = {
    30: Status.DEADLINE_EXCEEDED,
    31: Status.DEADLINE_EXCEEDED,
    40: Status.INVALID_ARGUMENT,
    50: Status.INTERNAL,
    70: Status.INTERNAL,
    80: Status.INTERNAL,
    100: Status.RESOURCE_EXHAUSTED,
}


def attached(stream: Hessian) -> tuple[bytes, tuple[tuple[str, object], ...]]:
    """Attachments that are texts, truth or numbers, and what they are."""
    chance = stream.chance
    stream.containers += 1
    found = b"H"
    pairs: list[tuple[str, object]] = []
    for key in ("group", "timeout", "tenant", "x" * 40, "caf\u00e9"):
        if chance.random() < 0.5:
            value = chance.choice(("", "blue", "\U0001f600" * 20, "6000", True, False, 3, -16))
            if isinstance(value, bool):
                octets = b"T" if value else b"F"
            elif isinstance(value, int):
                octets = bytes((0x90 + value,))
            else:
                octets = stream.text(value)
            found += stream.text(key) + octets
            pairs.append((key, value))
    return found + b"Z", tuple(pairs)


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: what is called, with which attachments behind arguments of any depth, and what becomes of it."""
    found: list[Spoken] = []
    waiting: list[tuple[int, int, str]] = []
    number = chance.choice((0, 1, (1 << 63) - 2, (1 << 64) - 3))

    def answered(at: int) -> None:
        place, its, method = waiting.pop(at)
        stream = Hessian(chance)
        says: dict[str, object] = {"request_id": its, "operation": method, "dubbo.malformed": None}
        if chance.random() < 0.15:
            status = chance.choice(tuple(STATUSES))
            body = stream.text("no such method")
            says["status"] = STATUSES[status]
        else:
            status, kind = 20, chance.choice((1, 1, 2, 4, 5))
            body = bytes((0x90 + kind,)) + (stream.value() if kind in (1, 4) else b"")
            says |= {"status": Status.OK, "dubbo.response_kind": "value" if kind in (1, 4) else "null", "headers": ()}
            if kind > 2:
                octets, says["headers"] = attached(stream)
                body += octets
        found.append(Spoken(Sender.SERVER, frame(HESSIAN, status, its, body), answers=place, says=says))

    for _ in range(chance.choice((1, 3, 6, 12))):
        stream = Hessian(chance)
        types = [chance.choice(TYPES[:4]) for _ in range(chance.randrange(4))]
        service, method = chance.choice(("a.Shop", "b.Other")), chance.choice(("get", "put", "m" * 40))
        body = b"".join(map(stream.text, ("2.0.2", service, "1.0", method, "".join(types))))
        body += b"".join(stream.value() for _ in types)
        octets, pairs = attached(stream)
        two_way = chance.random() < 0.9
        says = {
            "request_id": number,
            "service": service,
            "operation": method,
            "dubbo.service_version": "1.0",
            "headers": pairs,
            "dubbo.malformed": None,
        }
        if two_way:
            waiting.append((len(found), number, method))
        flags = REQUEST | HESSIAN | (TWO_WAY if two_way else 0)
        found.append(Spoken(Sender.CLIENT, frame(flags, 0, number, body + octets), says=says))
        number = (number + 1) % (1 << 64)
        while waiting and chance.random() < 0.5:
            answered(chance.choice((0, -1)))
    while waiting:
        answered(0)
    return found
