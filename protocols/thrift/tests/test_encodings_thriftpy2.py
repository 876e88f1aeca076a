"""What thriftpy2 writes of random values, in each of its protocols, is read as it was; and what is written here it reads."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
import thriftpy2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thriftpy2.protocol.apache_json import TApacheJSONProtocol
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.protocol.compact import TCompactProtocol
from thriftpy2.protocol.cybin import TCyBinaryProtocol
from thriftpy2.protocol.json import TJSONProtocol
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TMemoryBuffer
from thriftpy2.transport.memory import TCyMemoryBuffer

from l7codecs import Limits
from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON, METADATA_JSON

IDL = """
struct Inner { 1: string text, 2: list<i32> numbers, 3: Inner inner }
struct All {
  1: bool flag, 2: i8 small, 3: i16 short, 4: i32 number, 5: i64 large, 6: double real, 7: string text, 8: binary octets,
  9: list<bool> flags, 10: list<list<i64>> lists, 11: map<i32, string> names, 12: map<string, Inner> structs, 14: Inner inner,
  40: string far, 300: bool last
}
"""
IDS = {
    "flag": 1, "small": 2, "short": 3, "number": 4, "large": 5, "real": 6, "text": 7, "octets": 8, "flags": 9, "lists": 10, "names": 11,
    "structs": 12, "inner": 14, "far": 40, "last": 300,
}  # fmt: skip
INNER_IDS = {"text": 1, "numbers": 2, "inner": 3}
made = thriftpy2.load_fp(io.StringIO(IDL), "random_values_thrift")

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
inner = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"text": text, "numbers": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=17)}
    ),
    lambda deeper: st.fixed_dictionaries({"inner": deeper}, optional={"text": text}),
    max_leaves=3,
)
everything = st.fixed_dictionaries(
    {},
    optional={
        "flag": st.booleans(),
        "small": st.integers(-(2**7), 2**7 - 1),
        "short": st.integers(-(2**15), 2**15 - 1),
        "number": st.integers(-(2**31), 2**31 - 1),
        "large": st.integers(-(2**63), 2**63 - 1),
        "real": st.floats(allow_nan=False, allow_infinity=False),
        "text": text,
        "octets": st.binary(max_size=12),
        "flags": st.lists(st.booleans(), max_size=17),
        "lists": st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3), max_size=3),
        "names": st.dictionaries(st.integers(-(2**31), 2**31 - 1), text, max_size=4),
        "structs": st.dictionaries(text, inner, max_size=3),
        "inner": inner,
        "far": text,
        "last": st.booleans(),
    },
)
PROTOCOLS: dict[str, tuple[Encoding, Any, Any]] = {
    "binary": (BINARY, TBinaryProtocol, TMemoryBuffer),
    "old": (BINARY, lambda trans: TBinaryProtocol(trans, strict_read=False, strict_write=False), TMemoryBuffer),
    "cybinary": (BINARY, TCyBinaryProtocol, TCyMemoryBuffer),
    "compact": (COMPACT, TCompactProtocol, TMemoryBuffer),
    "json": (JSON, TApacheJSONProtocol, TMemoryBuffer),
    "own json": (METADATA_JSON, TJSONProtocol, TMemoryBuffer),
}
calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
each_protocol = pytest.mark.parametrize("kind", PROTOCOLS)


def struct_of(cls: Any, values: dict[str, Any]) -> Any:
    """thriftpy2's object."""
    held = dict(values)
    if "inner" in held:
        held["inner"] = struct_of(made.Inner, held["inner"])
    if "structs" in held:
        held["structs"] = {key: struct_of(made.Inner, value) for key, value in held["structs"].items()}
    return cls(**held)


def by_id(values: dict[str, Any], ids: dict[str, int], kind: str) -> Any:
    """What the structural view must be; in thriftpy2's own JSON by names."""
    found: dict[Any, Any] = {}
    named = kind == "own json"
    for name, value in values.items():
        told: Any = value
        if name == "inner":
            told = by_id(value, INNER_IDS, kind)
        elif name == "structs":
            told = {key: by_id(each, INNER_IDS, kind) for key, each in value.items()}
        elif name == "octets":
            told = base64.b64encode(value).decode() if "json" in kind else as_text(value)
        if named and name in ("names", "structs"):
            told = [{"key": key, "value": each} for key, each in told.items()]
        found[name if named else ids[name]] = told
    return found


def as_text(octets: bytes) -> str | bytes:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def written(kind: str, name: str, type: int, seqid: int, struct: Any) -> bytes:
    _, protocol, transport = PROTOCOLS[kind]
    trans = transport()
    writer = protocol(trans)
    writer.write_message_begin(name, type, seqid)
    writer.write_struct(struct)
    writer.write_message_end()
    octets: bytes = trans.getvalue()
    return octets


@each_protocol
@calm
@given(text.filter(bool), st.integers(0, 2**31 - 1), everything)
def test_read(kind: str, name: str, seqid: int, values: dict[str, Any]) -> None:
    encoding = PROTOCOLS[kind][0]
    if kind == "json":
        values.pop("lists", None)  # thriftpy2 0.7.1 raises IndexError where it writes a list of an empty list
    octets = written(kind, name, 1, seqid, struct_of(made.All, values))
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None and (head.kind, head.name, head.seqid) == (1, name, seqid)
    skipper = encoding.skipper(head, 64, 1 << 20, 1 << 29)
    assert skipper.feed(octets, head.body, len(octets)) == len(octets) and skipper.done
    found = encoding.structure(octets, head.body, len(octets), Limits())
    assert found == by_id(values, IDS, kind)
    if "inner" in values and "text" in values["inner"]:
        path = ("inner", "text") if kind == "own json" else (14, 1)
        assert encoding.pick(octets, head.body, len(octets), path) == values["inner"]["text"]


@each_protocol
@calm
@given(text.filter(bool), text.filter(bool), st.integers(0, 2**31 - 1), st.integers(0, 10), text)
def test_exceptions_and_heads_are_read(kind: str, name: str, new: str, seqid: int, type: int, said: str) -> None:
    encoding, protocol, transport = PROTOCOLS[kind]
    octets = encoding.exception_message(name, seqid, type, said, kind != "old")
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None
    for whole, told in (
        (octets, (name, 3, seqid)),
        (encoding.with_head(octets, head, new, 5, 2) + octets[head.body :], (new, 2, 5)),
    ):
        reader = protocol(transport(whole))
        assert tuple(reader.read_message_begin()) == told
        error = TApplicationException()
        reader.read_struct(error)
        reader.read_message_end()
        assert (error.type, error.message) == (type, said)
    mine = written(kind, name, 3, seqid, TApplicationException(type, said))
    head = encoding.head(mine, 0, len(mine), 65536)
    assert head is not None and encoding.application_exception(mine, head.body, len(mine)) == (type, said)
    if kind != "json":
        assert mine == octets or "json" in kind


def test_results_of_its_own_json() -> None:
    """Success is a name; any other is a declared exception."""
    for payload, told in ((b'{"success": 1}', (0, "success")), (b'{"e": {"why": "w"}}', (1, "e")), (b"{}", None)):
        said = b'{"metadata": {"version": 1, "name": "n", "ttype": 2, "seqid": 0}, "payload": %s}' % payload
        octets = len(said).to_bytes(4, "big") + said
        head = METADATA_JSON.head(octets, 0, len(octets), 65536)
        assert head is not None
        field = METADATA_JSON.first_field(octets, head.body, head.stop)
        assert (None if field is None else (field.id, field.name)) == told
