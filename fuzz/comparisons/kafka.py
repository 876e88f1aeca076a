"""Bodies of Kafka's requests and responses beside kio (PyPI) and kafka-clients (Maven): how large each is, and what is written of it again.

The first piece is key, version (16 bits each) and whether it is a response (8 bits), the others are the body.
"""

from __future__ import annotations

import importlib
import os
import random
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from l7codecs import ProtocolError
from l7codecs.testing import PeerCache, installed, load_tool
from l7codecs.testing.fuzzing import Comparison, LineReader, Refusal
from l7codecs.testing.fuzzing.material import Material
from l7codecs_kafka._schema.layouts import BOOL, STRUCT, Field, layout
from l7codecs_kafka._schema.values import decode, encode

HERE = Path(__file__).resolve().parent
ROOM = HERE.parent.parent / "protocols/kafka"
HEAD = struct.Struct(">hhB")
JARS = "4.4.0"


def head_of(pieces: Sequence[bytes]) -> tuple[int, int, bool]:
    key, version, response = HEAD.unpack(pieces[0][:5].ljust(5, b"\0"))
    return key, version, bool(response & 1)


def reading(reader: LineReader, pieces: Sequence[bytes]) -> object:
    """Of a program that says the size of a body, and the octets that it writes of it."""
    said = reader.read([HEAD.pack(*head_of(pieces)), b"".join(pieces[1:])])
    if isinstance(said, Refusal):
        return said
    size, _, octets = said.partition(" ")
    return [int(size), octets]


def without_defaults(struct: Field, value: dict[str, Any]) -> dict[str, Any]:
    """The same without tagged fields that say what is taken for granted."""
    found: dict[str, Any] = {}
    known = {field.name: field for field in struct.fields}
    for name, each in value.items():
        field = known.get(name)
        if field is None or each is None:
            found[name] = each
        elif field.kind == BOOL and not field.array:
            if field.tag < 0 or bool(each) != field.default:
                found[name] = bool(each)
        elif field.tag < 0 or each != field.default:
            if field.kind != STRUCT:
                found[name] = each
            elif field.array:
                found[name] = [without_defaults(field, item) for item in each]
            else:
                found[name] = without_defaults(field, each)
    return found


class OfBodies(Comparison):
    otherwise: ClassVar[dict[str, str]] = {"no such version": "has no such version"}
    """Words of its refusals, and what they tell of it."""

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        truth: Any = load_tool(ROOM / "tests", "schema_truth")
        for of in truth.every_layout():
            if of.api.key >= 0:
                head = HEAD.pack(of.api.key, int(of.version), of.response)
                yield [head, encode(of, truth.random_body(of, chance))]

    def ours(self, pieces: Sequence[bytes]) -> object:
        of = layout(*head_of(pieces))
        if of is None:
            return Refusal("no such version")
        body = b"".join(pieces[1:])
        value, end = decode(of, body, 0, len(body))
        return [int(end), encode(of, without_defaults(of.root, value)).hex()]

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        if isinstance(theirs, Refusal):
            return next((name for said, name in self.otherwise.items() if said in theirs.why), None)
        if isinstance(ours, Refusal) and self.name == "kio":
            return "does not hold a tagged field to its size"
        if isinstance(ours, Refusal) and "more than 32 bits" in ours.why:
            return "drops the bits of a varint beyond 32"
        if isinstance(ours, Refusal) and "a negative length" in ours.why:
            return "takes any negative length for null"
        if isinstance(theirs, list) and "efbfbd" in theirs[1]:
            return "writes U+FFFD for text that is no UTF-8"
        if isinstance(ours, Refusal) and isinstance(theirs, list) and self.changes_sizes(pieces, *theirs):
            return "does not hold a tagged field to its size"
        return None

    def changes_sizes(self, pieces: Sequence[bytes], size: int, written: str) -> bool:
        """Whether what is written of a body that is refused here is other octets, which are read here, of an API that has tags."""
        of = layout(*head_of(pieces))
        octets = bytes.fromhex(written)
        if of is None or not of.flexible or octets == b"".join(pieces[1:])[:size]:
            return False
        try:
            return self.ours([pieces[0], octets]) == [len(octets), written]
        except ProtocolError:
            return False


class BesideKio(OfBodies):
    name = "kio"
    otherwise: ClassVar[dict[str, str]] = {
        **OfBodies.otherwise,
        "is not a valid ErrorCode": "wants codes of errors that it knows",
        "Unknown tagged field tag": "wants tagged fields that it knows",
        "Invalid boolean value": "wants 0 or 1 for truth",
        "timedelta milliseconds overflow": "wants times that Python has",
        "is out of range": "wants times that Python has",
        "InvalidUnicode": "wants text to be UTF-8",
        "UnexpectedNull": "wants no null where the table has none",
    }

    def start(self) -> None:
        importlib.import_module("kio")
        self.reader = LineReader([sys.executable, HERE / "kio_reader.py"], name=self.name)

    def stop(self) -> None:
        self.reader.close()

    def theirs(self, pieces: Sequence[bytes]) -> object:
        return reading(self.reader, pieces)


class BesideKafkaClients(OfBodies):
    name = "kafka-clients"
    otherwise: ClassVar[dict[str, str]] = {
        **OfBodies.otherwise,
        "Invalid raw tag field list": "wants unknown tags in their order",
        "is not valid for version": "refuses tags of other versions",
        "was serialized as null": "wants no null where the table has none",
    }

    def start(self) -> None:
        table: Any = load_tool(ROOM / "tools", "table")
        installed("mvn")
        jars = f"{table.fetch(JARS, table.default_cache())}/*"
        program = HERE / "java" / "KafkaBodies.java"

        def build(folder: Path) -> None:
            table.subprocess.run([installed("javac"), "-cp", jars, "-d", folder, program], check=True, timeout=120)

        classes = PeerCache("kafka").made("fuzz-bodies", build, [program])
        command = [
            "java",
            "-Xmx256m",
            "-Xss4m",
            "-XX:+UseSerialGC",
            "-cp",
            f"{classes}{os.pathsep}{jars}",
            "KafkaBodies",
        ]
        self.reader = LineReader(command, name=self.name)

    def stop(self) -> None:
        self.reader.close()

    def theirs(self, pieces: Sequence[bytes]) -> object:
        return reading(self.reader, pieces)


def comparisons() -> list[Comparison]:
    return [BesideKio(), BesideKafkaClients()]
