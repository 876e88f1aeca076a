"""A field that comes twice in a struct: of all readers the last one wins, so it does in what is picked and in what is built."""

from __future__ import annotations

import io

import pytest
import thriftpy2
from thrift.protocol.TBinaryProtocol import TBinaryProtocol as ApacheBinary
from thrift.protocol.TCompactProtocol import TCompactProtocol as ApacheCompact
from thrift.protocol.TJSONProtocol import TJSONProtocol as ApacheJson
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer as ApacheBuffer
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.protocol.compact import TCompactProtocol
from thriftpy2.transport import TMemoryBuffer

from l7codecs import Limits, ProtocolError
from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON

IDL = """
struct Inner { 1: i32 number, 2: bool flag }
struct Outer { 1: i32 number, 2: bool flag, 3: Inner inner, 4: string text, 5: bool other }
"""
made = thriftpy2.load_fp(io.StringIO(IDL), "picks_thrift")
each_encoding = pytest.mark.parametrize(
    ("encoding", "writer", "reader"),
    [
        (BINARY, ApacheBinary, TBinaryProtocol),
        (COMPACT, ApacheCompact, TCompactProtocol),
        (JSON, ApacheJson, None),
    ],
    ids=["binary", "compact", "json"],
)


def write_inner(said: object, number: int, flag: bool) -> None:
    said.writeStructBegin("Inner")  # type: ignore[attr-defined]
    for number_of, kind, value in ((1, TType.I32, number), (2, TType.BOOL, flag)):
        write_field(said, number_of, kind, value)
    said.writeFieldStop()  # type: ignore[attr-defined]
    said.writeStructEnd()  # type: ignore[attr-defined]


def write_field(said: object, number: int, kind: int, value: object) -> None:
    said.writeFieldBegin("", kind, number)  # type: ignore[attr-defined]
    if kind == TType.STRUCT:
        assert isinstance(value, tuple)
        write_inner(said, *value)
    else:
        {TType.I32: said.writeI32, TType.BOOL: said.writeBool, TType.STRING: said.writeString}[kind](value)  # type: ignore[attr-defined]
    said.writeFieldEnd()  # type: ignore[attr-defined]


def written(writer: type) -> bytes:
    """A struct of which every field but the last comes twice; ids go down on the way."""
    buffer = ApacheBuffer()
    said = writer(buffer)
    said.writeStructBegin("Outer")
    for number_of, kind, value in (
        (1, TType.I32, 7), (2, TType.BOOL, False), (3, TType.STRUCT, (1, False)), (4, TType.STRING, "first"),
        (1, TType.I32, 8), (2, TType.BOOL, True), (3, TType.STRUCT, (2, True)), (4, TType.STRING, "last"),
        (5, TType.BOOL, True),
    ):  # fmt: skip
        write_field(said, number_of, kind, value)
    said.writeFieldStop()
    said.writeStructEnd()
    octets: bytes = buffer.getvalue()
    return octets


@each_encoding
def test_the_last_of_a_field_is_picked_and_built(encoding: Encoding, writer: type, reader: type | None) -> None:
    octets = written(writer)
    built = encoding.structure(octets, 0, len(octets), Limits())
    assert built == {1: 8, 2: True, 3: {1: 2, 2: True}, 4: "last", 5: True}
    picked = [encoding.pick(octets, 0, len(octets), path) for path in ((1,), (2,), (3,), (3, 1), (3, 2), (4,), (5,))]
    assert picked == [8, True, {1: 2, 2: True}, 2, True, "last", True]
    assert encoding.pick(octets, 0, len(octets), (6,)) is None is encoding.pick(octets, 0, len(octets), (3, 9))
    if reader is not None:
        theirs = made.Outer()
        theirs.read(reader(TMemoryBuffer(octets)))
        assert (theirs.number, theirs.flag, theirs.text, theirs.other) == (8, True, "last", True)
        assert (theirs.inner.number, theirs.inner.flag) == (2, True)


@each_encoding
def test_a_part_has_what_is_there(encoding: Encoding, writer: type, reader: type | None) -> None:
    """As of a large message; nothing is told before it is all there."""
    octets = written(writer)
    found = []
    for stop in range(len(octets)):
        try:
            found.append(encoding.pick(octets, 0, stop, (4,)))
        except ProtocolError:
            found.append(None)
    seen = [value for at, value in enumerate(found) if at == 0 or found[at - 1] != value]
    assert seen == [None, "first", None, "last"] or seen == [None, "first", "last"]
