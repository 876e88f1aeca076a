"""Calls of Thrift at random: values of all types, in binary, old binary, compact and JSON, bare, framed, in THeader and HTTP."""

from __future__ import annotations

import json
import random
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

from l7codecs import Sender
from l7codecs.testing import load_tool
from l7codecs.testing.fuzzing import Spoken

_varints = load_tool(Path(__file__).resolve().parent / "parts", "varints")
varint, zigzag = _varints.varint, _varints.zigzag

BOOL, I8, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST, UUID = 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16
SCALARS = (BOOL, I8, DOUBLE, I16, I32, I64, STRING, UUID)
COMPACT = {
    BOOL: 2,
    I8: 3,
    I16: 4,
    I32: 5,
    I64: 6,
    DOUBLE: 7,
    STRING: 8,
    LIST: 9,
    SET: 10,
    MAP: 11,
    STRUCT: 12,
    UUID: 13,
}
WORDS = {
    BOOL: "tf", I8: "i8", I16: "i16", I32: "i32", I64: "i64", DOUBLE: "dbl", STRING: "str", LIST: "lst", SET: "set", MAP: "map",
    STRUCT: "rec", UUID: "uid",
}  # fmt: skip
SIZES = {I8: 1, I16: 2, I32: 4, I64: 8}
CALL, REPLY, EXCEPTION, ONEWAY = range(1, 5)
NAMES = (b"get", b"Shop:put", b"a", b"m" * 60, b"caf\xc3\xa9")
TEXTS = (b"", b"text", b"x" * 200, b"caf\xc3\xa9", b'\\"/\n')

Fields = list[tuple[int, int, object]]
Value = object
"""An int, a float, octets; of a struct its fields; of a list its elements' type and they; of a map both types and its pairs."""


def value(kind: int, chance: random.Random, depth: int) -> Value:
    if kind == BOOL:
        return chance.random() < 0.5
    if kind in SIZES:
        most = 1 << 8 * SIZES[kind] - 1
        return chance.choice((0, 1, -1, 5, most - 1, -most))
    if kind == DOUBLE:
        return chance.choice((0.0, 1.5, -2e300))
    if kind == STRING:
        return chance.choice(TEXTS)
    if kind == UUID:
        return chance.randbytes(16)
    if kind == STRUCT:
        return fields(chance, depth + 1)
    count = chance.choice((0, 1, 2, 3, 17))
    if kind == MAP:
        key, of = chance.choice((I8, I32, I64, STRING)), some_kind(chance, depth + 1)
        pairs = [(value(key, chance, depth + 1), value(of, chance, depth + 1)) for _ in range(min(count, 3))]
        return key, of, list(dict(pairs).items())
    of = some_kind(chance, depth + 1)
    return of, [value(of, chance, depth + 1) for _ in range(min(count, 3) if of in (STRUCT, LIST, SET, MAP) else count)]


def some_kind(chance: random.Random, depth: int) -> int:
    if depth > 3 or chance.random() < 0.6:
        return chance.choice(SCALARS)
    return chance.choice((STRUCT, LIST, SET, MAP))


def fields(chance: random.Random, depth: int = 0) -> Fields:
    found: Fields = []
    number = 0
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        number += chance.choice((1, 1, 1, 2, 20, 3000))
        kind = some_kind(chance, depth)
        found.append((number if number < 1 << 15 else -1, kind, value(kind, chance, depth)))
    return found


# Each encoding.


def sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def binary(kind: int, it: Value) -> bytes:
    if kind == BOOL:
        return bytes((bool(it),))
    if kind in SIZES:
        assert isinstance(it, int)
        return it.to_bytes(SIZES[kind], "big", signed=True)
    if kind == DOUBLE:
        return struct.pack(">d", it)
    if kind == UUID:
        assert isinstance(it, bytes)
        return it
    if kind == STRING:
        assert isinstance(it, bytes)
        return sized(it)
    if kind == STRUCT:
        assert isinstance(it, list)
        return (
            b"".join(
                bytes((of,)) + (number % (1 << 16)).to_bytes(2, "big") + binary(of, each) for number, of, each in it
            )
            + b"\0"
        )
    assert isinstance(it, tuple)
    if kind == MAP:
        key, of, pairs = it
        return (
            bytes((key, of))
            + len(pairs).to_bytes(4, "big")
            + b"".join(binary(key, a) + binary(of, b) for a, b in pairs)
        )
    of, items = it
    return bytes((of,)) + len(items).to_bytes(4, "big") + b"".join(binary(of, each) for each in items)


def binary_message(kind: int, name: bytes, number: int, body: Fields) -> bytes:
    return bytes((0x80, 1, 0, kind)) + sized(name) + number.to_bytes(4, "big", signed=True) + binary(STRUCT, body)


def old_message(kind: int, name: bytes, number: int, body: Fields) -> bytes:
    return sized(name) + bytes((kind,)) + number.to_bytes(4, "big", signed=True) + binary(STRUCT, body)


def compact(kind: int, it: Value) -> bytes:
    if kind == BOOL:
        return b"\1" if it else b"\2"
    if kind == I8:
        assert isinstance(it, int)
        return bytes((it & 0xFF,))
    if kind in SIZES:
        assert isinstance(it, int)
        return zigzag(it)
    if kind == DOUBLE:
        return struct.pack("<d", it)
    if kind in (UUID, STRING):
        assert isinstance(it, bytes)
        return it if kind == UUID else varint(len(it)) + it
    if kind == STRUCT:
        assert isinstance(it, list)
        return compact_struct(it)
    assert isinstance(it, tuple)
    if kind == MAP:
        key, of, pairs = it
        if not pairs:
            return b"\0"
        types = bytes((COMPACT[key] << 4 | COMPACT[of],))
        return varint(len(pairs)) + types + b"".join(compact(key, a) + compact(of, b) for a, b in pairs)
    of, items = it
    few = len(items) < 15
    head = bytes(((len(items) if few else 15) << 4 | COMPACT[of],)) + (b"" if few else varint(len(items)))
    return head + b"".join(compact(of, each) for each in items)


def compact_struct(body: Fields) -> bytes:
    found, last = b"", 0
    for number, of, each in body:
        kind = (1 if each else 2) if of == BOOL else COMPACT[of]
        if 0 < number - last < 16:
            found += bytes((number - last << 4 | kind,))
        else:
            found += bytes((kind,)) + zigzag(number)
        found += b"" if of == BOOL else compact(of, each)
        last = number
    return found + b"\0"


def compact_message(kind: int, name: bytes, number: int, body: Fields) -> bytes:
    return bytes((0x82, 1 | kind << 5)) + varint(number & 0xFFFFFFFF) + varint(len(name)) + name + compact_struct(body)


def as_json(kind: int, it: Value) -> object:
    if kind == BOOL:
        return int(bool(it))
    if kind in (STRING, UUID):
        assert isinstance(it, bytes)
        return str(uuid.UUID(bytes=it)) if kind == UUID else it.decode()
    if kind == STRUCT:
        assert isinstance(it, list)
        return {str(number): {WORDS[of]: as_json(of, each)} for number, of, each in it}
    if kind == MAP:
        assert isinstance(it, tuple)
        key, of, pairs = it
        inside = {str(as_json(key, a)): as_json(of, b) for a, b in pairs}
        return [WORDS[key], WORDS[of], len(inside), inside]
    if kind in (LIST, SET):
        assert isinstance(it, tuple)
        of, items = it
        return [WORDS[of], len(items), *(as_json(of, each) for each in items)]
    return it


def json_message(kind: int, name: bytes, number: int, body: Fields) -> bytes:
    return json.dumps([1, name.decode(), kind, number, as_json(STRUCT, body)], separators=(",", ":")).encode()


# Each transport.


def header(message: bytes, number: int, protocol: int, chance: random.Random) -> bytes:
    info = b""
    if chance.random() < 0.5:
        pairs = [(b"k", b"v"), (b"key", chance.choice(TEXTS))][: chance.randint(1, 2)]
        info = b"\1" + varint(len(pairs)) + b"".join(varint(len(each)) + each for pair in pairs for each in pair)
    inner = varint(protocol) + varint(0) + info
    inner += bytes(-len(inner) % 4)
    return sized(
        b"\x0f\xff\0\0"
        + (number & 0xFFFFFFFF).to_bytes(4, "big")
        + (len(inner) // 4).to_bytes(2, "big")
        + inner
        + message
    )


def http(message: bytes, asks: bool, chance: random.Random) -> bytes:
    start = b"POST /shop HTTP/1.1\r\nHost: a\r\n" if asks else b"HTTP/1.1 200 OK\r\n"
    start += b"Content-Type: application/x-thrift\r\n"
    if chance.random() < 0.3:
        at = chance.randrange(len(message)) + 1
        parts = [part for part in (message[:at], message[at:]) if part]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return start + b"Content-Length: %d\r\n\r\n%s" % (len(message), message)


ENCODINGS: tuple[tuple[Callable[[int, bytes, int, Fields], bytes], int], ...] = (
    (binary_message, 0),
    (binary_message, 0),
    (compact_message, 2),
    (compact_message, 2),
    (old_message, -1),
    (json_message, -1),
)
"""What writes a message, and its number in THeader."""


class Wire:
    """An encoding in a transport, as one connection has it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.write, self.protocol = chance.choice(ENCODINGS)
        transport = chance.choice(("plain", "framed", "framed", "header", "http"))
        self.transport = "framed" if transport == "header" and self.protocol < 0 else transport

    def sent(self, kind: int, name: bytes, number: int, body: Fields) -> bytes:
        message = self.write(kind, name, number, body)
        if self.transport == "framed":
            return sized(message)
        if self.transport == "header":
            return header(message, number, self.protocol, self.chance)
        if self.transport == "http":
            return http(message, kind in (CALL, ONEWAY), self.chance)
        return message


def reply(chance: random.Random) -> tuple[int, Fields]:
    """Its kind, and its body."""
    if chance.random() < 0.2:
        return EXCEPTION, [(1, STRING, b"Internal error"), (2, I32, chance.randrange(12))]
    kind = some_kind(chance, 0)
    return REPLY, [(chance.choice((0, 0, 0, 1)), kind, value(kind, chance, 0))] if chance.random() < 0.8 else []


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    wire = Wire(chance)
    pieces: list[tuple[Sender, bytes]] = []
    waiting: list[tuple[bytes, int]] = []
    number = chance.choice((0, 1, 1, 500, (1 << 31) - 20))
    same = chance.random() < 0.2

    def answered() -> None:
        name, asked = waiting.pop(0 if wire.transport == "http" or chance.random() < 0.9 else -1)
        kind, body = reply(chance)
        pieces.append((Sender.SERVER, wire.sent(kind, name, asked, body)))

    for _ in range(chance.choice((1, 3, 6, 10))):
        name = chance.choice(NAMES)
        oneway = chance.random() < 0.1 and wire.transport != "http"
        pieces.append((Sender.CLIENT, wire.sent(ONEWAY if oneway else CALL, name, number, fields(chance))))
        if not oneway:
            waiting.append((name, number))
        number += 0 if same else 1
        while waiting and (wire.transport == "http" or chance.random() < 0.6):
            answered()
    while waiting:
        answered()
    return pieces


def told(kind: int, it: Value) -> object:
    """A value as the room reads it: structs by ids, texts where they are such."""
    if kind == STRING:
        assert isinstance(it, bytes)
        return it.decode()
    if kind == UUID:
        assert isinstance(it, bytes)
        return uuid.UUID(bytes=it)
    if kind == STRUCT:
        assert isinstance(it, list)
        return {number: told(of, each) for number, of, each in it}
    if kind == MAP:
        assert isinstance(it, tuple)
        key, of, pairs = it
        items = [(told(key, a), told(of, b)) for a, b in pairs]
        return dict(items) if len(dict(items)) == len(items) else items
    if kind in (LIST, SET):
        assert isinstance(it, tuple)
        of, values = it
        return [told(of, each) for each in values]
    return it


def says(name: bytes, number: int, body: Fields) -> dict[str, object]:
    method = name.decode().rpartition(":")[2]
    return {"structure": told(STRUCT, body), "request_id": number, "operation": method, "thrift.malformed": None}


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: every value of every body, and which call is answered."""
    wire = Wire(chance)
    found: list[Spoken] = []
    waiting: list[tuple[int, bytes, int]] = []
    number = chance.choice((0, 1, 1, 500, -20, (1 << 31) - 20))
    same = chance.random() < 0.2
    in_order = same or wire.transport == "http"

    def answered() -> None:
        place, name, asked = waiting.pop(0 if in_order or chance.random() < 0.8 else -1)
        kind, body = reply(chance)
        octets = wire.sent(kind, name, asked, body)
        found.append(Spoken(Sender.SERVER, octets, answers=place, says=says(name, asked, body)))

    for _ in range(chance.choice((1, 3, 6, 10))):
        name = chance.choice(NAMES)
        oneway = chance.random() < 0.1 and wire.transport != "http"
        body = distinct(fields(chance))
        octets = wire.sent(ONEWAY if oneway else CALL, name, number, body)
        if not oneway:
            waiting.append((len(found), name, number))
        found.append(Spoken(Sender.CLIENT, octets, says=says(name, number, body)))
        number += 0 if same else 1
        while waiting and (wire.transport == "http" or chance.random() < 0.6):
            answered()
    while waiting:
        answered()
    return found


def distinct(body: Fields) -> Fields:
    """Those whose ids come once."""
    return list({number: (number, kind, it) for number, kind, it in body}.values())
