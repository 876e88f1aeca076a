"""Requests and answers of Kafka at random: any API in any version of the room's table, with the lengths, nulls and tags that it says.

What is written here has its own writer, which shares nothing with the room's but the table.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

from l7codecs import Sender
from l7codecs.testing import load_tool
from l7codecs.testing.fuzzing import Spoken
from l7codecs_kafka._schema.layouts import Field, Layout, apis, layout
from l7codecs_kafka._schema.values import TAGS

_varints = load_tool(Path(__file__).resolve().parent / "parts", "varints")
varint, zigzag = _varints.varint, _varints.zigzag

APIS = apis()
FREQUENT = [each for each in APIS if each.key in (0, 1, 2, 3, 9, 11, 14, 18)]
"""Produce, Fetch, ListOffsets, Metadata, OffsetFetch, JoinGroup, SyncGroup, ApiVersions."""
PRODUCE = 0
RAW = (17, 0)
"""A handshake behind which come tokens without a header."""
BOOL, INT8, INT16, UINT16, INT32, INT64, FLOAT64, UUID, STRING, BYTES, STRUCT = range(11)
SIZES = {BOOL: 1, INT8: 1, INT16: 2, UINT16: 2, INT32: 4, INT64: 8, FLOAT64: 8, UUID: 16}
TEXTS = (b"", b"t", b"topic-1", b"group", b"caf\xc3\xa9", b"x" * 130)


def _table() -> list[int]:
    found = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        found.append(number)
    return found


TABLE = _table()


def crc32c(octets: bytes) -> int:
    found = 0xFFFFFFFF
    for octet in octets:
        found = found >> 8 ^ TABLE[(found ^ octet) & 0xFF]
    return found ^ 0xFFFFFFFF


def batch(chance: random.Random) -> bytes:
    """A batch of records, with its checksum."""
    records = b""
    count = chance.choice((0, 1, 1, 3))
    for number in range(count):
        key, value = chance.choice((None, b"", b"key")), chance.choice((None, b"value", b"v" * 90))
        body = b"\0" + zigzag(number) + zigzag(number)
        for each in (key, value):
            body += zigzag(-1) if each is None else zigzag(len(each)) + each
        body += zigzag(1) + zigzag(1) + b"h" + zigzag(2) + b"hv" if chance.random() < 0.3 else zigzag(0)
        records += zigzag(len(body)) + body
    attributes = chance.choice((0, 0, 0, 16, 32, 48, 1, 4))
    counted = (
        struct.pack(">hiqqqhii", attributes, max(count - 1, 0), 1, 1, chance.choice((-1, 7)), -1, -1, count) + records
    )
    magic = b"\2" if chance.random() < 0.95 else bytes((chance.randrange(4),))
    rest = bytes(4) + magic + (crc32c(counted) if chance.random() < 0.9 else 0).to_bytes(4, "big") + counted
    return struct.pack(">qi", chance.choice((0, 5, -1)), len(rest)) + rest


class Writer:
    """Writes one body, and knows what it has written: octets and value, of each part."""

    def __init__(self, of: Layout, chance: random.Random, careful: bool = False) -> None:
        self.flexible = of.flexible
        self.chance = chance
        self.careful = careful
        """Whether it writes nothing that says how what follows is to be read."""
        self.left = 120
        """Values; behind them arrays are empty."""

    def struct(self, fields: list[Field]) -> tuple[bytes, dict[str, object]]:
        found = b""
        said: dict[str, object] = {}
        for each in fields:
            if each.tag < 0:
                octets, said[each.name] = self.field(each)
                found += octets
        if not self.flexible:
            return found, said
        tagged = []
        for each in fields:
            if each.tag >= 0 and self.chance.random() < 0.4:
                octets, said[each.name] = self.field(each)
                tagged.append((each.tag, octets))
        if self.chance.random() < 0.05:
            unknown = (self.chance.choice((30, 1000)), self.chance.randbytes(3))
            tagged.append(unknown)
            said[TAGS] = dict([unknown])
        return found + tags(tagged), said

    def length(self, size: int, small: bool) -> bytes:
        """-1 for null."""
        return varint(size + 1) if self.flexible else size.to_bytes(2 if small else 4, "big", signed=True)

    def field(self, field: Field) -> tuple[bytes, object]:
        chance = self.chance
        null = field.nullable and chance.random() < 0.2
        if not field.array:
            return self.value(field, null)
        if null:
            return self.length(-1, False), None
        count = chance.choice((0, 1, 1, 2, 3)) if self.left > 0 else 0
        items = [self.value(field, False, True) for _ in range(count)]
        return self.length(count, False) + b"".join(octets for octets, _ in items), [said for _, said in items]

    def value(self, field: Field, null: bool, item: bool = False) -> tuple[bytes, object]:
        chance = self.chance
        kind = int(field.kind)
        self.left -= 1
        if kind == STRUCT:
            if field.nullable and not item:
                if null:
                    return b"\xff", None
                octets, said = self.struct(field.fields)
                return b"\1" + octets, said
            return self.struct(field.fields)
        if kind in SIZES:
            size = SIZES[kind]
            if kind == BOOL:
                octet = chance.randrange(2)
                return bytes((octet,)), octet == 1
            if kind == FLOAT64:
                number = chance.choice((0.0, 1.5, -2e300))
                return struct.pack(">d", number), number
            if kind == UUID:
                octets = chance.choice((bytes(size), chance.randbytes(size)))
                return octets, octets
            most = 1 << 8 * size
            whole = chance.choice((0, 0, 1, 2, 5, 9, 100, -1, -1, most // 2 - 1, -most // 2, 35, 3))
            if self.careful and whole == 35:
                whole = 36  # an answer to ApiVersions with it is one of version 0
            return (whole % most).to_bytes(size, "big"), whole % most if kind == UINT16 else whole
        records = field.name.startswith("Record") and kind == BYTES
        if null:
            return self.length(-1, kind == STRING), None
        if records:
            octets = b"".join(batch(chance) for _ in range(chance.choice((0, 1, 1, 2))))
        else:
            octets = chance.choice(TEXTS) if kind == STRING or chance.random() < 0.7 else chance.randbytes(9)
        return self.length(len(octets), kind == STRING) + octets, octets.decode() if kind == STRING else octets


def tags(tagged: list[tuple[int, bytes]]) -> bytes:
    return varint(len(tagged)) + b"".join(varint(tag) + varint(len(octets)) + octets for tag, octets in tagged)


def body(of: Layout, chance: random.Random) -> bytes:
    return Writer(of, chance).struct(of.fields)[0]


def framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def request(key: int, version: int, number: int, chance: random.Random) -> bytes | None:
    of = layout(key, version, False)
    return None if of is None else requested(of, number, body(of, chance), chance)[0]


def requested(of: Layout, number: int, body: bytes, chance: random.Random) -> tuple[bytes, str | None]:
    """A request, and its client's id."""
    head = struct.pack(">hhi", of.api.key, of.version, number)
    name: str | None = None
    if of.header_version:
        client = chance.choice((b"", b"rdkafka", b"consumer-1"))
        null = chance.random() < 0.1
        head += b"\xff\xff" if null else len(client).to_bytes(2, "big") + client
        name = None if null else client.decode()
    if of.header_version == 2:
        head += tags([])
    return framed(head + body), name


def answer(key: int, version: int, number: int, chance: random.Random) -> bytes | None:
    of = layout(key, version, True)
    return None if of is None else answered(of, number, body(of, chance))


def answered(of: Layout, number: int, body: bytes) -> bytes:
    return framed(number.to_bytes(4, "big", signed=True) + (b"\0" if of.header_version else b"") + body)


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    pieces: list[tuple[Sender, bytes]] = []
    waiting: list[tuple[int, int, int]] = []
    number = chance.choice((0, 1, 1, 1000, (1 << 31) - 2))
    for _ in range(chance.choice((2, 4, 8, 14))):
        if waiting and chance.random() < 0.5:
            asked = waiting.pop(0 if chance.random() < 0.9 else -1)
            made = answer(*asked, chance)
            if made is not None:
                pieces.append((Sender.SERVER, made))
            continue
        api = chance.choice(FREQUENT if chance.random() < 0.5 else APIS)
        version = chance.randint(api.lowest, api.highest)
        made = request(api.key, version, number, chance)
        if made is not None:
            pieces.append((Sender.CLIENT, made))
            waiting.append((api.key, version, number))
            number = number + 1 if number < (1 << 31) - 1 else 0
    for asked in waiting:
        made = answer(*asked, chance)
        if made is not None:
            pieces.append((Sender.SERVER, made))
    return pieces


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: what headers and bodies say, and what is answered, one after the other as brokers do."""
    found: list[Spoken] = []
    waiting: list[tuple[int, Layout, int]] = []
    number = chance.choice((0, 1, 1000, (1 << 31) - 2, -3))
    for turn in range(chance.choice((2, 4, 8, 14)) * 2):
        if waiting and (chance.random() < 0.4 or turn > 14):
            place, of, its = waiting.pop(0)
            octets, fields = Writer(of, chance, True).struct(of.fields)
            says = {
                "fields": fields,
                "request_id": its,
                "operation": found[place].says["operation"],
                "kafka.malformed": None,
            }
            found.append(Spoken(Sender.SERVER, answered(of, its, octets), answers=place, says=says))
            continue
        api = chance.choice(FREQUENT if chance.random() < 0.5 else APIS)
        version = chance.randint(api.lowest, api.highest)
        asked, said = layout(api.key, version, False), layout(api.key, version, True)
        if asked is None or said is None or (api.key, version) == RAW:
            continue
        octets, fields = Writer(asked, chance, True).struct(asked.fields)
        request, client = requested(asked, number, octets, chance)
        says = {
            "fields": fields,
            "request_id": number,
            "operation": api.name,
            "client_id": client,
            "kafka.api_version": version,
            "kafka.malformed": None,
        }
        if api.key != PRODUCE or fields["Acks"] != 0:
            waiting.append((len(found), said, number))
        found.append(Spoken(Sender.CLIENT, request, says=says))
        number = number + 1 if number < (1 << 31) - 1 else 0
    return found
