"""Structs of every shape, and Apache's protocols that write and read them without an IDL: what the room is held to."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.transport.TTransport import TMemoryBuffer

from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON

BOOL, I8, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST, UUID_TYPE = 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16

Shape = Any
"""A type's number; of a list or set with the shape of its elements, of a map with those of keys and values; of a struct (12,)."""
Tree = tuple[Shape, Any]
"""A shape and its value: a struct's is a list of an id and a tree for each field; a map's a list of pairs."""

PROTOCOLS: dict[str, tuple[Encoding, Any]] = {
    "binary": (BINARY, lambda trans: TBinaryProtocol(trans, strictWrite=True)),
    "old": (BINARY, lambda trans: TBinaryProtocol(trans, strictWrite=False)),
    "compact": (COMPACT, TCompactProtocol),
    "json": (JSON, TJSONProtocol),
}

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
seqids = st.integers(0, 2**31 - 1)

SCALARS: dict[int, st.SearchStrategy[Any]] = {
    BOOL: st.booleans(),
    I8: st.integers(-(2**7), 2**7 - 1),
    DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    I16: st.integers(-(2**15), 2**15 - 1),
    I32: st.integers(-(2**31), 2**31 - 1),
    I64: st.integers(-(2**63), 2**63 - 1),
    STRING: st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    UUID_TYPE: st.uuids(),
}
shapes: st.SearchStrategy[Shape] = st.recursive(
    st.sampled_from([(each,) for each in (*SCALARS, STRUCT)]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([LIST, SET]), inner),
        st.tuples(st.just(MAP), st.sampled_from([(each,) for each in SCALARS if each != DOUBLE]), inner),
    ),
    max_leaves=4,
)


@st.composite
def values(draw: st.DrawFn, shape: Shape, depth: int) -> Any:
    """A value of a shape."""
    kind = shape[0]
    if kind in SCALARS:
        return draw(SCALARS[kind])
    if kind == STRUCT:
        return draw(structs(depth + 1))
    count = draw(st.integers(0, 17 if depth == 0 else 3))
    if kind != MAP:
        return [draw(values(shape[1], depth + 1)) for _ in range(count)]
    pairs = [(draw(values(shape[1], depth + 1)), draw(values(shape[2], depth + 1))) for _ in range(count)]
    return list(dict(pairs).items())


@st.composite
def structs(draw: st.DrawFn, depth: int = 0) -> Any:
    """The fields of a struct, in any order of their ids."""
    ids = draw(
        st.lists(st.integers(-(2**15), 2**15 - 1) | st.integers(0, 40), max_size=8 if depth == 0 else 2, unique=True)
    )
    fields = []
    for each in ids:
        shape = draw(shapes if depth < 3 else st.sampled_from([(scalar,) for scalar in SCALARS]))
        fields.append((each, (shape, draw(values(shape, depth)))))
    return fields


def write_value(protocol: Any, shape: Shape, value: Any) -> None:
    """Let Apache's protocol write a value."""
    kind = shape[0]
    if kind == STRUCT:
        protocol.writeStructBegin("")
        for each, (inner, held) in value:
            protocol.writeFieldBegin("", inner[0], each)
            write_value(protocol, inner, held)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()
    elif kind == MAP:
        protocol.writeMapBegin(shape[1][0], shape[2][0], len(value))
        for key, held in value:
            write_value(protocol, shape[1], key)
            write_value(protocol, shape[2], held)
        protocol.writeMapEnd()
    elif kind in (LIST, SET):
        name = "List" if kind == LIST else "Set"
        getattr(protocol, f"write{name}Begin")(shape[1][0], len(value))
        for held in value:
            write_value(protocol, shape[1], held)
        getattr(protocol, f"write{name}End")()
    else:
        name = {BOOL: "Bool", I8: "Byte", DOUBLE: "Double", I16: "I16", I32: "I32", I64: "I64", UUID_TYPE: "Uuid"}
        getattr(protocol, f"write{name.get(kind, 'String')}")(value)


def written(kind: str, name: str, type: int, seqid: int, fields: Any) -> bytes:
    """A whole message as Apache writes it."""
    trans = TMemoryBuffer()
    protocol = PROTOCOLS[kind][1](trans)
    protocol.writeMessageBegin(name, type, seqid)
    write_value(protocol, (STRUCT,), fields)
    protocol.writeMessageEnd()
    octets: bytes = trans.getvalue()
    return octets


def plain(shape: Shape, value: Any) -> Any:
    """What the structural view must be."""
    kind = shape[0]
    if kind == STRUCT:
        return {each: plain(*tree) for each, tree in value}
    if kind == MAP:
        return {key: plain(shape[2], held) for key, held in value}
    if kind in (LIST, SET):
        return [plain(shape[1], held) for held in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, of the same types, with zeros of one sign."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def depth_of(value: Any) -> int:
    """How many containers lie in each other."""
    if isinstance(value, dict):
        return 1 + max((depth_of(each) for each in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(each) for each in value), default=0)
    return 0


__all__ = ["PROTOCOLS", "SCALARS", "depth_of", "names", "plain", "same", "seqids", "structs", "write_value", "written"]
