"""Messages of Thrift beside Apache Thrift (PyPI), which reads all, and thriftpy2 (PyPI), which passes over what it has no IDL for."""

from __future__ import annotations

import importlib
import random
import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from l7codecs import Limits, ProtocolError
from l7codecs.testing import load_tool
from l7codecs.testing.fuzzing import Comparison, Refusal
from l7codecs.testing.fuzzing.comparison import first_difference
from l7codecs.testing.fuzzing.material import Material
from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON

ROOM = Path(__file__).resolve().parent.parent.parent / "protocols/thrift"
LIMITS = Limits(nesting=64, elements=1 << 20)
BOOL, I8, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST, UUID_TYPE = 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16
SCALARS = (BOOL, I8, DOUBLE, I16, I32, I64, STRING, UUID_TYPE)
DEEPEST = 64


def random_shape(chance: random.Random, depth: int) -> Any:
    kind = chance.choice(SCALARS if depth > 2 else (*SCALARS, STRUCT, MAP, SET, LIST))
    if kind in (SET, LIST):
        return kind, random_shape(chance, depth + 1)
    if kind == MAP:
        return kind, (chance.choice((I32, STRING, BOOL, I64)),), random_shape(chance, depth + 1)
    return (kind,)


def random_value(shape: Any, chance: random.Random, depth: int) -> Any:
    kind = shape[0]
    if kind == STRUCT:
        return random_fields(chance, depth + 1)
    if kind in (SET, LIST):
        return [random_value(shape[1], chance, depth + 1) for _ in range(chance.choice((0, 1, 2, 16)))]
    if kind == MAP:
        keys = {random_value(shape[1], chance, depth + 1) for _ in range(chance.randrange(3))}
        return [(key, random_value(shape[2], chance, depth + 1)) for key in sorted(keys)]
    if kind == BOOL:
        return chance.random() < 0.5
    if kind == DOUBLE:
        return chance.choice((0.0, -1.5, 1e300, chance.random()))
    if kind == STRING:
        return chance.choice(("", "a", "é€", "word" * 9, '"\\\n'))
    if kind == UUID_TYPE:
        return uuid.UUID(int=chance.getrandbits(128))
    bits = {I8: 7, I16: 15, I32: 31, I64: 63}[kind]
    return (chance.getrandbits(bits) >> chance.randrange(bits)) * chance.choice((1, -1))


def random_fields(chance: random.Random, depth: int = 0) -> Any:
    ids = chance.sample(range(1, 40), chance.randrange(1, 6)) + chance.sample((0, 300, -5, 32767), chance.randrange(2))
    if chance.random() < 0.7:
        ids.sort()
    shapes = [(each, random_shape(chance, depth)) for each in ids]
    return [(each, (shape, random_value(shape, chance, depth))) for each, shape in shapes]


class OfMessages(Comparison):
    """Head, where it ends, and what is in it."""

    kind = ""
    encoding: Encoding

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        trees: Any = load_tool(ROOM / "tests", "thrift_trees")
        for _ in range(100):
            name = chance.choice(("ping", "é", "Shop:buy"))
            yield [trees.written(self.kind, name, chance.randint(1, 4), chance.getrandbits(31), random_fields(chance))]

    def ours(self, pieces: Sequence[bytes]) -> object:
        octets = b"".join(pieces)
        head = self.encoding.head(octets, 0, len(octets), 1 << 16)
        if head is None:
            return Refusal("cut")
        skipper = self.encoding.skipper(head, LIMITS.nesting, LIMITS.elements, 1 << 29)
        end = skipper.feed(octets, head.body, len(octets))
        if not skipper.done:
            return Refusal("cut")
        return self.told(octets, head, end)

    def told(self, octets: bytes, head: Any, end: int) -> object:
        told = [head.name, int(head.kind), int(head.seqid), int(end)]
        return [*told, repr(self.encoding.structure(octets, head.body, end, LIMITS))]


class BesideApache(OfMessages):
    """With its class `protocol`, ``arguments`` of it."""

    protocol = ""
    arguments: ClassVar[dict[str, Any]] = {}

    def start(self) -> None:
        module = importlib.import_module(f"thrift.protocol.{self.protocol}")
        self.made: Any = getattr(module, self.protocol)
        self.transport: Any = importlib.import_module("thrift.transport.TTransport").TMemoryBuffer

    def theirs(self, pieces: Sequence[bytes]) -> object:
        transport = self.transport(b"".join(pieces))
        reader = self.made(transport, **self.arguments)
        name, kind, seqid = reader.readMessageBegin()
        value = self.value(reader, STRUCT, 0)
        reader.readMessageEnd()
        if not 1 <= kind <= 4:
            raise ValueError(f"a message of type {kind}")
        return [name, kind, seqid, transport._buffer.tell(), repr(value)]

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        if isinstance(theirs, Refusal):
            if theirs.why.startswith("UnicodeDecodeError"):
                return "wants names, and text in JSON, to be UTF-8"
            if (
                self.kind == "json"
                and isinstance(ours, list)
                and re.search(r"control char|\\\\", theirs.why + str(ours[-1]))
            ):
                return "wants escapes in JSON to be some"
            if self.kind == "json" and re.search(r"Unexpected character: b'( |\\[tnr])'", theirs.why):
                return "takes no white space within a message"
            if theirs.why.startswith("KeyError"):
                return "wants the type even of no elements to be one"
            if self.kind == "json" and "numeric data" in theirs.why:
                return "wants numbers in JSON to be some"
            if self.kind == "json" and "nan" in str(ours[-1] if isinstance(ours, list) else ""):
                return "wants numbers in JSON to be some"
        elif isinstance(ours, Refusal):
            if "expected an id of 16 bits" in ours.why:
                return "has numbers of any size"
            if "field of type 0" in ours.why:
                return "takes a stop with a step for a stop"
            if "sequence id" in ours.why or "expected one of 32 bits" in ours.why:
                return "has numbers of any size"
        elif isinstance(ours, list) and isinstance(theirs, list):
            one, other = first_difference(ours, theirs)
            if self.kind == "json" and re.sub(r"\d+|True", "", str(one)) == re.sub(r"\d+|True", "", str(other)):
                return "tells any number but 0 as true"
            if re.sub(r"-?\d{5,}", "", str(one)) == re.sub(r"-?\d{5,}", "", str(other)):
                return "has numbers of any size"
            if isinstance(other, int) and other >= 1 << 31 and (int(str(one)) - other) % (1 << 32) == 0:
                return "has numbers of any size"
        return None

    def value(self, reader: Any, kind: int, depth: int) -> Any:
        if kind in (STRUCT, MAP, SET, LIST) and depth > DEEPEST:
            raise ValueError("too deep")
        if kind == STRUCT:
            fields: dict[int, Any] = {}
            reader.readStructBegin()
            while True:
                _, inner, number = reader.readFieldBegin()
                if inner == 0:
                    break
                fields[number] = self.value(reader, inner, depth + 1)
                reader.readFieldEnd()
            reader.readStructEnd()
            return fields
        if kind == MAP:
            keys, values, count = reader.readMapBegin()
            pairs = []
            for _ in range(count):
                key = self.value(reader, keys, depth + 1)
                pairs.append((key, self.value(reader, values, depth + 1)))
            reader.readMapEnd()
            plain = keys in SCALARS
            made = dict(pairs) if plain else {}
            return made if (plain or keys == 0) and len(made) == len(pairs) else pairs
        if kind in (SET, LIST):
            begin, end = (
                (reader.readSetBegin, reader.readSetEnd) if kind == SET else (reader.readListBegin, reader.readListEnd)
            )
            inner, count = begin()
            items = [self.value(reader, inner, depth + 1) for _ in range(count)]
            end()
            return items
        if kind == STRING:
            return self.text(reader)
        if kind == BOOL:
            return bool(reader.readBool())
        names = {I8: "Byte", DOUBLE: "Double", I16: "I16", I32: "I32", I64: "I64", UUID_TYPE: "Uuid"}
        if kind not in names:
            raise ValueError(f"a value of type {kind}")
        return getattr(reader, f"read{names[kind]}")()

    def text(self, reader: Any) -> str | bytes:
        octets: bytes = reader.readBinary()
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return octets


class ApacheBinary(BesideApache):
    name = "Apache Thrift, binary"
    kind, encoding, protocol = "binary", BINARY, "TBinaryProtocol"


class ApacheCompact(BesideApache):
    name = "Apache Thrift, compact"
    kind, encoding, protocol = "compact", COMPACT, "TCompactProtocol"


class ApacheJson(BesideApache):
    name = "Apache Thrift, JSON"
    kind, encoding, protocol = "json", JSON, "TJSONProtocol"

    def text(self, reader: Any) -> str | bytes:
        return reader.readString()


class BesideThriftpy2(OfMessages):
    """With the class `protocol` of `module`: head, and where the message ends."""

    module = ""
    protocol = ""
    buffer = "TMemoryBuffer"

    def start(self) -> None:
        self.made: Any = getattr(importlib.import_module(self.module), self.protocol)
        self.transport: Any = getattr(importlib.import_module("thriftpy2.transport.memory"), self.buffer)

    def told(self, octets: bytes, head: Any, end: int) -> object:
        return [head.name, int(head.kind), int(head.seqid), int(end)]

    def theirs(self, pieces: Sequence[bytes]) -> object:
        octets = b"".join(pieces)
        if not self.asks(octets):
            return Refusal("not asked")
        transport = self.transport(octets)
        reader = self.made(transport)
        name, kind, seqid = reader.read_message_begin()
        reader.skip(STRUCT)
        reader.read_message_end()
        if not 1 <= kind <= 4:
            raise ValueError(f"a message of type {kind}")
        return [name, kind, seqid, self.place_in(transport, octets)]

    def asks(self, octets: bytes) -> bool:
        """What is no message is not asked about, or has UUIDs, which it does not know: it goes on in the middle of them, and counts to
        billions.
        """
        try:
            head = self.encoding.head(octets, 0, len(octets), 1 << 16)
            return head is not None and "UUID(" not in repr(
                self.encoding.structure(octets, head.body, len(octets), LIMITS)
            )
        except ProtocolError:
            return False

    def place_in(self, transport: Any, octets: bytes) -> int:
        return int(transport._pos)

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        if isinstance(theirs, Refusal):
            if theirs.why.startswith("UnicodeDecodeError"):
                return "wants names to be UTF-8"
            if theirs.why in ("KeyError: 13", "not asked"):
                return "has no UUIDs"
            if self.kind == "binary" and theirs.why.startswith("error: unpack") and b"\x10" in b"".join(pieces):
                return "has no UUIDs"
            if theirs.why.startswith("KeyError"):
                return "wants the type even of no elements to be one"
            if theirs.why.startswith("_Hangs"):
                return "passes over elements that take no octets one by one"
        elif isinstance(ours, Refusal):
            if re.search("field of type 0", ours.why):
                return "takes a stop with a step for a stop"
            if "elements of type" in ours.why or "value of type" in ours.why:
                return "takes elements of types that are none"
        elif isinstance(theirs, list) and isinstance(theirs[0], bytes):
            return "tells names that are no UTF-8 as octets"
        elif self.kind == "binary" and b"\x10" in b"".join(pieces):
            return "has no UUIDs"
        elif isinstance(ours, list) and isinstance(theirs, list):
            one, other = first_difference(ours, theirs)
            if isinstance(one, int) and isinstance(other, int) and (one - other) % (1 << 32) == 0:
                return "has numbers of any size"
        return None


class Thriftpy2Binary(BesideThriftpy2):
    name = "thriftpy2, binary"
    kind, encoding, module, protocol = "binary", BINARY, "thriftpy2.protocol.binary", "TBinaryProtocol"


class Thriftpy2Cython(BesideThriftpy2):
    name = "thriftpy2, binary in Cython"
    kind, encoding, module, protocol = "binary", BINARY, "thriftpy2.protocol.cybin", "TCyBinaryProtocol"
    buffer = "TCyMemoryBuffer"

    def place_in(self, transport: Any, octets: bytes) -> int:
        rest = 0
        try:
            while transport.read(1):
                rest += 1
        except Exception:
            pass
        return len(octets) - rest


class Thriftpy2Compact(BesideThriftpy2):
    name = "thriftpy2, compact"
    kind, encoding, module, protocol = "compact", COMPACT, "thriftpy2.protocol.compact", "TCompactProtocol"


def comparisons() -> list[Comparison]:
    return [ApacheBinary(), ApacheCompact(), ApacheJson(), Thriftpy2Binary(), Thriftpy2Cython(), Thriftpy2Compact()]
