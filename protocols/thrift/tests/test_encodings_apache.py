"""What Apache Thrift writes of random structs, without an IDL, is read as it was, in every encoding and split anywhere; and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thrift.Thrift import TApplicationException
from thrift.transport.TTransport import TMemoryBuffer

from l7codecs import LimitExceeded, Limits
from l7codecs_thrift._encoding.encodings import METADATA_JSON

from .thrift_trees import PROTOCOLS, depth_of, names, plain, same, seqids, structs, written

each_protocol = pytest.mark.parametrize("kind", PROTOCOLS)
LIMITS = Limits()
calm = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@each_protocol
@calm
@given(names, st.sampled_from([1, 2, 3, 4]), seqids, structs(), st.data())
def test_read(kind: str, name: str, type: int, seqid: int, fields: Any, data: st.DataObject) -> None:
    encoding, _ = PROTOCOLS[kind]
    octets = written(kind, name, type, seqid, fields)
    padded = b"??" + octets + b"!?"
    stop = len(octets) + 2
    head = encoding.head(padded, 2, stop, 65536)
    assert head is not None and (head.kind, head.name, head.seqid) == (type, name, seqid)
    assert head.strict == (kind != "old")
    values = plain((12,), fields)
    assert same(encoding.structure(padded, head.body, stop, LIMITS), values)
    assert encoding.with_head(padded, head) == padded[2 : head.body]
    first = encoding.first_field(padded, head.body, stop)
    assert (None if first is None else (first.id, first.type)) == (
        (fields[0][0], fields[0][1][0][0]) if fields else None
    )
    for each in fields[:4]:
        assert same(encoding.pick(padded, head.body, stop, (each[0],)), values[each[0]])
        if isinstance(values[each[0]], dict) and each[1][0] == (12,):
            for inner, value in values[each[0]].items():
                assert same(encoding.pick(padded, head.body, stop, (each[0], inner)), value)
    absent = next(each for each in range(100) if each not in values)
    assert encoding.pick(padded, head.body, stop, (absent,)) is None
    skipper = encoding.skipper(head, 64, 1 << 20, 1 << 29)
    assert skipper.feed(padded, head.body, len(padded)) == stop and skipper.done
    split = data.draw(st.integers(1, 9))
    skipper.clear()
    at = head.body
    for end in range(at, len(padded) + split, split):
        shown = padded[: min(end, len(padded))]
        before, at = at, skipper.feed(shown, at, len(shown))
        assert before <= at <= len(shown)
        assert skipper.done or len(shown) - at <= 16
        if skipper.done:
            break
    assert at == stop


@each_protocol
@calm
@given(names, seqids, structs())
def test_heads_octet_by_octet(kind: str, name: str, seqid: int, fields: Any) -> None:
    encoding, _ = PROTOCOLS[kind]
    octets = written(kind, name, 1, seqid, fields)
    whole = encoding.head(octets, 0, len(octets), 65536)
    assert whole is not None
    for end in range(len(octets)):
        head = encoding.head(octets[:end], 0, end, 65536)
        if kind == "json":
            assert (head is not None) == (end > whole.body)
        else:
            assert (head is not None) == (end >= whole.body)


@each_protocol
@calm
@given(structs())
def test_nesting(kind: str, fields: Any) -> None:
    """As deep as it is, and no less; JSON is passed over by its own levels."""
    encoding, _ = PROTOCOLS[kind]
    octets = written(kind, "n", 1, 0, fields)
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None
    deep = depth_of(plain((12,), fields))
    encoding.structure(octets, head.body, len(octets), Limits(nesting=deep))
    skipper = encoding.skipper(head, deep, 1 << 20, 1 << 29)
    skipper.feed(octets, head.body, len(octets))
    assert skipper.done
    if deep < 2:
        return
    with pytest.raises(LimitExceeded):
        encoding.structure(octets, head.body, len(octets), Limits(nesting=deep - 1))


@each_protocol
@calm
@given(names, names, seqids, seqids, st.sampled_from([1, 2, 3, 4]), structs())
def test_patched_heads_are_read_by_apache(
    kind: str, name: str, new: str, seqid: int, other: int, type: int, fields: Any
) -> None:
    encoding, protocol = PROTOCOLS[kind]
    octets = written(kind, name, 1, seqid, fields)
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None
    patched = encoding.with_head(octets, head, new, other, type) + octets[head.body :]
    if kind != "json":
        assert patched == written(kind, new, type, other, fields)
    reader = protocol(TMemoryBuffer(patched))
    assert reader.readMessageBegin() == (new, type, other)
    again = encoding.head(patched, 0, len(patched), 65536)
    assert again is not None and encoding.with_head(patched, again, name, seqid, 1) + patched[again.body :] == (
        octets if kind != "json" else encoding.with_head(octets, head, name) + octets[head.body :]
    )
    for changed in ({"name": new}, {"seqid": other}, {"kind": type}):
        once = encoding.with_head(octets, head, **changed)  # type: ignore[arg-type]  # each has one of the types
        told = encoding.head(once + octets[head.body :], 0, len(once) + 1, 65536)
        assert told is not None
        assert (told.name, told.seqid, told.kind) == (
            changed.get("name", name), changed.get("seqid", seqid), changed.get("kind", 1),
        )  # fmt: skip


@each_protocol
@calm
@given(names, seqids, st.integers(0, 10), names)
def test_exceptions_are_read_by_apache(kind: str, name: str, seqid: int, type: int, text: str) -> None:
    encoding, protocol = PROTOCOLS[kind]
    octets = encoding.exception_message(name, seqid, type, text, kind != "old")
    reader = protocol(TMemoryBuffer(octets))
    assert reader.readMessageBegin() == (name, 3, seqid)
    error = TApplicationException()
    error.read(reader)
    reader.readMessageEnd()
    assert (error.type, error.message) == (type, text)
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None and head.strict == (kind != "old")
    assert encoding.application_exception(octets, head.body, len(octets)) == (type, text)
    skipper = encoding.skipper(head, 64, 1 << 20, 1 << 29)
    assert skipper.feed(octets, head.body, len(octets)) == len(octets) and skipper.done
    trans = TMemoryBuffer()
    writer = protocol(trans)
    writer.writeMessageBegin(name, 3, seqid)
    TApplicationException(type, text).write(writer)
    writer.writeMessageEnd()
    apache = trans.getvalue()
    if kind != "json":
        assert apache == octets
    head = encoding.head(apache, 0, len(apache), 65536)
    assert head is not None and encoding.application_exception(apache, head.body, len(apache)) == (type, text)


@each_protocol
def test_exceptions_that_are_cut(kind: str) -> None:
    """What is there of them is told."""
    encoding, _ = PROTOCOLS[kind]
    octets = encoding.exception_message("n", 1, 6, "Internal error")
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None
    told = [encoding.application_exception(octets, head.body, end) for end in range(head.body, len(octets) + 1)]
    assert list(dict.fromkeys(told)) == [(None, None), (None, "Internal error"), (6, "Internal error")]


@each_protocol
def test_exceptions_without_a_field(kind: str) -> None:
    """As Node (no type), thriftpy2 and Armeria (no message) write them."""
    encoding, _ = PROTOCOLS[kind]
    for fields, told in (
        ([(1, ((11,), "secret boom"))], (None, "secret boom")),
        ([(2, ((8,), 6))], (6, None)),
        ([], (None, None)),
        ([(9, ((15, (12,)), [[], []])), (2, ((8,), 1)), (1, ((11,), "m"))], (1, "m")),
    ):
        octets = written(kind, "n", 3, 0, fields)
        head = encoding.head(octets, 0, len(octets), 65536)
        assert head is not None and encoding.application_exception(octets, head.body, len(octets)) == told


def test_metadata_json_exception_reads_back() -> None:
    octets = METADATA_JSON.exception_message('a"b', 7, 1, "Unknown é")
    head = METADATA_JSON.head(octets, 0, len(octets), 65536)
    assert head is not None and (head.name, head.seqid, head.kind, head.stop) == ('a"b', 7, 3, len(octets))
    assert METADATA_JSON.application_exception(octets, head.body, head.stop) == (1, "Unknown é")
