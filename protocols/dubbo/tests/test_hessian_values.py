"""Hessian 2: each form of each value, as several writers were seen to write it."""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs import IncompleteMessage, LimitExceeded, Limits, ProtocolError
from l7codecs_dubbo._hessian.scan import Entry, Scanner, decode
from l7codecs_dubbo._hessian.strings import string_at, string_end
from l7codecs_dubbo._hessian.tags import BAD_UTF8, CUT, NO_STRING
from l7codecs_dubbo._hessian.values import (
    ClassDefinition,
    HessianList,
    HessianMap,
    HessianObject,
    Long,
    Milliseconds,
    Reference,
    Value,
)
from l7codecs_dubbo._hessian.writer import Writer

from .hessian_truth import EPOCH, random_values, told


def read(octets: bytes) -> Value:
    """The only value of a stream, which skipping passes over as well."""
    values, end = decode(octets, 0, len(octets))
    assert end == len(octets)
    assert skips(octets) == len(values)
    [value] = values
    return value


def skips(octets: bytes) -> int:
    """How many values are passed over up to the end."""
    scanner = Scanner(octets, 0, len(octets))
    count = 0
    while scanner.at < len(octets):
        scanner.skip()
        count += 1
    return count


def written(*values: Value) -> bytes:
    writer = Writer()
    for value in values:
        writer.value(value)
    return writer.getvalue()


def at(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


SAME: dict[str, tuple[str, Value]] = {
    "null": ("4e", None),
    "true": ("54", True),
    "false": ("46", False),
    "int 0": ("90", 0),
    "int -16": ("80", -16),
    "int 47": ("bf", 47),
    "int -17": ("c7ef", -17),
    "int 48": ("c830", 48),
    "int -2048": ("c000", -2048),
    "int 2047": ("cfff", 2047),
    "int 2048": ("d40800", 2048),
    "int -2049": ("d3f7ff", -2049),
    "int -262144": ("d00000", -262144),
    "int 262143": ("d7ffff", 262143),
    "int 262144": ("4900040000", 262144),
    "int lowest": ("4980000000", -(2**31)),
    "long 0": ("e0", Long(0)),
    "long -8": ("d8", Long(-8)),
    "long 15": ("ef", Long(15)),
    "long 16": ("f810", Long(16)),
    "long -9": ("f7f7", Long(-9)),
    "long 42": ("f82a", Long(42)),
    "long -2048": ("f000", Long(-2048)),
    "long 2047": ("ffff", Long(2047)),
    "long 2048": ("3c0800", Long(2048)),
    "long -2049": ("3bf7ff", Long(-2049)),
    "long -262144": ("380000", Long(-262144)),
    "long 262143": ("3fffff", Long(262143)),
    "long 262144": ("5900040000", Long(262144)),
    "long 2**31": ("4c0000000080000000", Long(2**31)),
    "long lowest": ("4c8000000000000000", Long(-(2**63))),
    "0.0": ("5b", 0.0),
    "1.0": ("5c", 1.0),
    "-128.0": ("5d80", -128.0),
    "127.0": ("5d7f", 127.0),
    "128.0": ("5e0080", 128.0),
    "-32768.0": ("5e8000", -32768.0),
    "32768.0": ("5f01f40000", 32768.0),
    "12.25": ("5f00002fda", 12.25),
    "Float 1.1": ("5f0000044c", 1.1),
    "-0.5": ("5ffffffe0c", -0.5),
    "pi": ("44400921fb54442d18", math.pi),
    "infinite": ("447ff0000000000000", math.inf),
    "minutes": ("4b01b05516", at(0x01B05516 * 60_000)),
    "before 1970": ("4bffffffff", at(-60_000)),
    "ms": ("4a0000018bcfe56801", datetime(2023, 11, 14, 22, 13, 20, 1000, tzinfo=UTC)),
    "year 292278994": ("4a7fffffffffffffff", Milliseconds(2**63 - 1)),
    "empty string": ("00", ""),
    "hello": ("0568656c6c6f", "hello"),
    "31": ("1f" + "61" * 31, "a" * 31),
    "32": ("3020" + "61" * 32, "a" * 32),
    "1023": ("33ff" + "61" * 1023, "a" * 1023),
    "1024": ("530400" + "61" * 1024, "a" * 1024),
    "32768": ("538000" + "61" * 32768, "a" * 32768),
    "40000": ("528000" + "61" * 32768 + "531c40" + "61" * 7232, "a" * 40000),
    "a pair at the chunk's end": ("527fff" + "78" * 32767 + "06eda0bdedb880" + "7461696c", "x" * 32767 + "😀tail"),
    "é€": ("02c3a9e282ac", "é€"),
    "a😀b": ("0461eda0bdedb88062", "a😀b"),
    "a lone surrogate": ("01eda0bd", "\ud83d"),
    "no octets": ("20", b""),
    "15 octets": ("2f" + "01" * 15, b"\1" * 15),
    "16 octets": ("3410" + "01" * 16, b"\1" * 16),
    "1023 octets": ("37ff" + "01" * 1023, b"\1" * 1023),
    "1024 octets": ("420400" + "01" * 1024, b"\1" * 1024),
    "9000 octets": ("411ffd" + "01" * 8189 + "372b" + "01" * 811, b"\1" * 9000),
    "empty list": ("78", []),
    "list": ("7a9192", [1, 2]),
    "list of 8": ("5898" + "90" * 8, [0] * 8),
    "empty map": ("485a", {}),
    "map": ("48016191016292" + "5a", {"a": 1, "b": 2}),
}  # fmt: skip

READ: dict[str, tuple[str, Value]] = {
    "go's 12.25": ("444028800000000000", 12.25),
    "go's NaN": ("447ff8000000000001", math.nan),
    "an int that is longer than it has to be": ("4900000001", 1),
    "a long that is longer than it has to be": ("4c0000000000000001", Long(1)),
    "a date in milliseconds that is whole minutes": ("4a000000000000ea60", at(60_000)),
    "go's character of four octets": ("0461f09f988062", "a😀b"),
    "halves in two chunks": ("520001eda0bd01edb880", "😀"),
    "three chunks, the last of 30": ("52000161" + "52000162" + "300163", "abc"),
    "empty chunks": ("520000" + "520000" + "00", ""),
    "binary chunks": ("41000101" + "4100020203" + "2104", b"\1\2\3\4"),
    "binary chunks, the last of 34": ("41000101" + "340102", b"\1\2"),
    "go's list": ("58929192", [1, 2]),
    "an open list": ("579192" + "5a", [1, 2]),
    "an empty open list": ("575a", []),
    "an open list of a type": ("55045b696e74" + "9192" + "5a", HessianList("[int", [1, 2])),
    "lite 3's list": ("7213" + b"java.util.ArrayList".hex() + "9192", HessianList("java.util.ArrayList", [1, 2])),
    "a fixed list of a type": ("56045b696e74929192", HessianList("[int", [1, 2])),
    "int keys": ("4891016192" + "0162" + "5a", HessianMap(None, [(1, "a"), (2, "b")])),
    "a key twice": ("480161910161925a", HessianMap(None, [("a", 1), ("a", 2)])),
    "a typed map": ("4d0174016191" + "5a", HessianMap("t", [("a", 1)])),
    "two lists of a type": (
        "7a" + "71045b696e7491" + "719092",
        [HessianList("[int", [1]), HessianList("[int", [2])],
    ),
    "an object": ("43036f626a" + "92" + "01780179" + "609192", HessianObject(ClassDefinition("obj", ("x", "y")), [1, 2])),
    "a class by an int": ("430161" + "91" + "0178" + "4f9091", HessianObject(ClassDefinition("a", ("x",)), [1])),
    "an object of no fields": ("43016190" + "60", HessianObject(ClassDefinition("a", ()), [])),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_written_and_read(name: str) -> None:
    octets, value = SAME[name]
    assert written(value).hex() == octets
    assert told(read(bytes.fromhex(octets))) == told(value)


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    octets, value = READ[name]
    assert told(read(bytes.fromhex(octets))) == told(value)


def test_zero_and_nan_are_written_as_java_does() -> None:
    assert written(-0.0) == b"\x5b"
    assert written(struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]).hex() == "447ff8000000000000"


def test_thousandths_at_their_ends() -> None:
    assert written(2147483.647).hex() == "5f7fffffff"
    assert written(-2147483.648).hex() == "5f80000000"
    assert written(2147483.648).hex()[:2] == "44"
    assert read(bytes.fromhex("5f7fffffff")) == 0.001 * 2147483647


def test_a_class_is_defined_once_and_its_fields_may_come_twice() -> None:
    child = ClassDefinition("Child", ("x", "name", "y", "name"))
    octets = written(HessianObject(child, [1, "parent", 2, "child"]), HessianObject(child, [3, None, 4, None]))
    assert octets.hex() == (
        "43054368696c64" + "94" + "0178046e616d650179046e616d65" + "60" + "9106706172656e7492056368696c64" + "6093" + "4e944e"
    )  # fmt: skip
    (first, second), _ = decode(octets, 0, len(octets))
    assert isinstance(first, HessianObject) and isinstance(second, HessianObject)
    assert first.fields == (("x", 1), ("name", "parent"), ("y", 2), ("name", "child"))
    assert first.get("name") == "parent" and first.get("z") is None
    assert second.definition is first.definition


def test_the_sixteenth_class_is_named_by_an_int() -> None:
    values: list[Value] = [HessianObject(ClassDefinition(f"c{n}", ()), []) for n in range(18)]
    octets = written(*values)
    assert octets.endswith(b"\x43\x03c17\x90\x4f\xa1")
    assert told(*decode(octets, 0, len(octets))[0]) == told(*values)


def test_references_are_the_same_object() -> None:
    shared: list[Value] = [1]
    octets = written([shared, shared], {"a": shared})
    assert octets.hex() == "7a7991" + "5191" + "480161" + "5191" + "5a"
    (both, entries), _ = decode(octets, 0, len(octets))
    assert isinstance(both, list) and isinstance(entries, dict)
    assert both[0] is both[1] is entries["a"]


def test_cycles() -> None:
    """A list, a map and an exception without a cause, each in itself."""
    items: list[Value] = []
    items.append(items)
    mapped = HessianMap(None, [])
    mapped.pairs.append(("self", mapped))
    cause = HessianObject(ClassDefinition("E", ("cause",)), [None])
    cause.values[0] = cause
    octets = written(items, mapped, cause)
    assert octets.hex() == "795190" + "480473656c66" + "5191" + "5a" + "43014591" + "056361757365" + "60" + "5192"
    (first, second, third), _ = decode(octets, 0, len(octets))
    assert isinstance(first, list) and first[0] is first
    assert isinstance(second, HessianMap) and second.pairs[0][1] is second
    assert isinstance(third, HessianObject) and third.get("cause") is third


def test_writer_refuses() -> None:
    cases: list[tuple[type[Exception], Callable[[], object]]] = [
        (ValueError, lambda: written(2**63)),
        (ValueError, lambda: written(Long(-(2**63) - 1))),
        (ValueError, lambda: written(HessianList("", []))),
        (ValueError, lambda: written(HessianObject(ClassDefinition("a", ("x",)), []))),
        (ValueError, lambda: written(Reference(0))),
        (ValueError, lambda: Writer().integer(2**31)),
        (TypeError, lambda: written((1, 2))),  # type: ignore[arg-type]  # what it refuses
        (TypeError, lambda: written([{1}])),  # type: ignore[list-item]  # what it refuses
    ]
    for kind, work in cases:
        with pytest.raises(kind):
            work()


def test_ints_beyond_32_bits_are_longs() -> None:
    assert written(2**31).hex() == "4c0000000080000000"
    assert written(True, 1).hex() == "5491"


def test_writer_goes_on_in_a_stream() -> None:
    """With the numbers that a scanner has, what follows refers to nothing before it by chance."""
    before = written([1], HessianList("t", []), HessianObject(ClassDefinition("a", ()), []))
    scanner = Scanner(before, 0, len(before))
    for _ in range(3):
        scanner.skip()
    assert (scanner.references, scanner.type_count, scanner.class_count) == (3, 1, 1)
    writer = Writer(scanner.references, scanner.type_count, scanner.class_count)
    again: list[Value] = []
    behind: list[Value] = [HessianList("t", []), HessianObject(ClassDefinition("a", ("x",)), [5]), again, again]
    for value in behind:
        writer.value(value)
    octets = before + writer.getvalue()
    assert told(*decode(octets, 0, len(octets))[0][3:]) == told(*behind)


# Passing over.


def test_what_is_passed_over_is_counted() -> None:
    """Arguments hold lists, maps, objects, dates, octets, strings, definitions, types; then a map refers to all of it."""
    point = HessianObject(ClassDefinition("P", ("x",)), [HessianList("t", [1])])
    argument: Value = [at(1), b"12", "text", {"k": point}, HessianObject(ClassDefinition("E", ("name",)), ["RED"])]
    whole = written(
        argument,
        {
            "same": point,
            "typed": HessianList("t", [2]),
            "classed": HessianObject(ClassDefinition("E", ("name",)), ["B"]),
        },
    )
    scanner = Scanner(whole, 0, len(whole))
    scanner.skip()
    assert scanner.references == 5
    entries = scanner.map_entries()
    assert entries is not None and scanner.at == len(whole)
    same, typed, classed = entries
    assert isinstance(same.value, Reference) and same.value.number == 2
    found = scanner.resolve(same.value)
    assert told(found) == told(point)
    assert told(typed.value) == told(HessianList("t", [2]))
    assert isinstance(classed.value, HessianObject) and classed.value.fields == (("name", "B"),)


def test_entries_say_where_they_stand() -> None:
    octets = b"\x90" + written({"path": "a.B", "n": Long(42), "none": None, "list": ["x"]}) + b"\xff"
    scanner = Scanner(octets, 1, len(octets) - 1)
    entries = scanner.map_entries()
    assert entries is not None and scanner.at == len(octets) - 1
    assert [(entry.key, entry.value) for entry in entries] == [
        ("path", "a.B"),
        ("n", 42),
        ("none", None),
        ("list", ["x"]),
    ]
    assert type(entries[1].value) is Long
    for entry in entries:
        assert decode(octets[: entry.key_end], entry.start, entry.key_end) == ([entry.key], entry.key_end)
        assert decode(octets[: entry.stop], entry.key_end, entry.stop) == ([entry.value], entry.stop)
    assert [(entry.start, entry.stop) for entry in entries] == [(2, 11), (11, 15), (15, 21), (21, 29)]
    assert repr(Entry("a", 1, 2, 3, 4)) == "Entry('a', 1, 2, 3, 4)"


def test_pairs_are_the_entries() -> None:
    """Without their places; one that comes again is the same object, though others have come in between."""
    long = "x" * 200
    shared: list[Value] = ["s"]
    entries: dict[str, Value] = {
        "path": "a.B",
        "empty": "",
        "emoji": "a😀",
        "n": Long(42),
        "none": None,
        "long": long,
        "l": shared,
    }
    octets = b"\x90" + written(shared, entries, HessianMap("t", [(1, "a"), ("k", "v"), ("k", "w")]), None, {})

    def scanned() -> Scanner:
        scanner = Scanner(octets, 1, len(octets))
        scanner.skip()
        return scanner

    whole, pairs = scanned(), scanned()
    for _ in range(4):
        told_of, found = whole.map_entries(), pairs.map_pairs()
        if told_of is None:
            assert found is None
        else:
            assert found is not None
            assert [(each.key, repr(each.value)) for each in told_of] == [(key, repr(value)) for key, value in found]
        assert (whole.at, whole.references) == (pairs.at, pairs.references)
    assert whole.at == len(octets)
    first = scanned().map_pairs()
    for number in range(300):
        other = written({f"trace-{number}": "1", "path": "other"})
        Scanner(other, 0, len(other)).map_pairs()
    again = scanned().map_pairs()
    assert first is not None and again is not None
    assert [mine is theirs for mine, theirs in zip(first, again, strict=True)][:3] == [True, True, True]
    for bad in (b"\x78", octets[6:20], b"\x48\x01a", b"\x48\x01a\x40", b"\x48\x01a\x01\x80\x5a"):
        with pytest.raises(ProtocolError) as raised:
            Scanner(bad, 0, len(bad)).map_pairs()
        with pytest.raises(ProtocolError, match=re.escape(str(raised.value))):
            Scanner(bad, 0, len(bad)).map_entries()


def test_other_maps_and_none() -> None:
    octets = written(None, HessianMap("t", [(1, "a"), ("k", "v"), (None, None)]), {})
    scanner = Scanner(octets, 0, len(octets))
    assert scanner.map_entries() is None
    entries = scanner.map_entries()
    assert entries is not None and [(entry.key, entry.value) for entry in entries] == [("k", "v")]
    assert scanner.map_entries() == []
    with pytest.raises(ProtocolError, match="a map, or null"):
        Scanner(b"\x78", 0, 1).map_entries()


def test_exceptions() -> None:
    frame = ClassDefinition("java.lang.StackTraceElement", ("methodName", "lineNumber"))
    frames = HessianList("[java.lang.StackTraceElement", [HessianObject(frame, ["run", n]) for n in range(50)])
    fields = ("suppressedExceptions", "stackTrace", "cause", "detailMessage", "code")
    thrown = HessianObject(ClassDefinition("a.OrderException", fields), [[], frames, None, "out of é", 7])
    thrown.values[2] = thrown
    bare = HessianObject(ClassDefinition("E", ("detailMessage",)), [None])
    other = HessianObject(ClassDefinition("F", ("code",)), [1])
    mapped = HessianMap("a.G", [("code", 1), ("detailMessage", "m")])
    octets = written(thrown, bare, other, mapped, "text", thrown, {"a": 1})
    scanner = Scanner(octets, 0, len(octets))
    assert scanner.throwable() == ("a.OrderException", "out of é")
    assert scanner.throwable() == ("E", None)
    assert scanner.throwable() == ("F", None)
    assert scanner.throwable() == ("a.G", "m")
    assert scanner.throwable() == (None, None)
    assert scanner.throwable() == (None, None)
    assert scanner.value() == {"a": 1}
    assert scanner.at == len(octets)


def test_strings_in_place() -> None:
    octets = b"\xff\x05hello\x4e"
    assert string_end(octets, 1, 8) == 7
    assert string_at(octets, 1, 8) == "hello"
    assert string_end(octets, 1, 6) == -CUT
    assert string_end(octets, 7, 8) == 8 and string_at(octets, 7, 8) is None
    assert string_end(b"\x90", 0, 1) == -NO_STRING
    with pytest.raises(ProtocolError, match="at octet 0: saw 90, expected a string, or null"):
        string_at(b"\x90", 0, 1)
    scanner = Scanner(octets, 1, 8)
    scanner.skip_string()
    assert scanner.string() is None
    with pytest.raises(ProtocolError):
        scanner.string()


@pytest.mark.parametrize(
    "octets",
    ["0180", "01c1bf", "01c0", "01c341", "01e09fbf", "01e28241", "01f48f", "01f0808080", "02f08fbfbf", "02f4908080", "02f5808080", "01ff",
     "01f09f9880", "03e2f09f9880"],
)  # fmt: skip
def test_no_utf_8(octets: str) -> None:
    """Surrogates apart, what Python reads is what is read: no other parser finds other text in it. The last would split a pair."""
    padded = bytes.fromhex(octets) + b"a" * 8
    assert string_end(padded, 0, len(padded)) == -BAD_UTF8


@given(
    st.text(max_size=40).map(
        lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    )
)
def test_any_text(text: str) -> None:
    """As Java writes it, and with four octets for what is above U+FFFF."""
    assert read(written(text)) == text
    units = len(text.encode("utf-16-le")) // 2
    long = units.to_bytes(2, "big")
    for octets in (b"\x53" + long, b"\x30" + long[1:]):
        whole = octets + text.encode() + b"\x90" * 9
        assert string_end(whole, 0, len(whole)) == len(whole) - 9
        assert string_at(whole, 0, len(whole)) == text


# What is hostile, cut or random.


@pytest.mark.parametrize(
    ("octets", "offset", "expected"),
    [
        ("40", 0, "a value"),
        ("7a9140", 2, "a value"),
        ("5a", 0, "a value"),
        ("795a", 1, "a value"),
        ("4801615a", 3, "a value"),
        ("5190", 0, "number of a list, map or object"),
        ("7951915a", 1, "number of a list, map or object"),
        ("51c7ff", 0, "number of a list, map or object"),
        ("51" + "01", 0, "an int"),
        ("61", 0, "number of a class"),
        ("67", 0, "older draft"),
        ("64" + "00" * 8, 0, "older draft"),
        ("4f93" + "412e42" + "90" + "6f90", 0, "older draft"),
        ("566e02" + "9192" + "7a", 0, "older draft"),
        ("4d7400016101" + "61917a", 0, "older draft"),
        ("67" + "61", 0, "number of a class"),
        ("430161" + "90" + "61", 4, "number of a class"),
        ("430161" + "90" + "4fc7ff", 4, "number of a class"),
        ("4301618f", 0, "a count that is not negative"),
        ("434e90", 0, "a string"),
        ("588f", 0, "a count that is not negative"),
        ("719091", 0, "a type's name"),
        ("714e91", 0, "a type's name"),
        ("52000161" + "21" + "62", 0, "a string"),
        ("41000101" + "0162", 0, "binary data"),
        ("0180", 0, "UTF-8"),
    ],
)  # fmt: skip
def test_refused(octets: str, offset: int, expected: str) -> None:
    whole = bytes.fromhex(octets)
    for work in (lambda: Scanner(whole, 0, len(whole)).skip(), lambda: Scanner(whole, 0, len(whole)).value()):
        with pytest.raises(ProtocolError, match=expected) as raised:
            work()
        assert raised.value.offset == offset
        assert not isinstance(raised.value, IncompleteMessage)


@pytest.mark.parametrize("count", ["497fffffff", "4940000000", "cfff", "d7ffff"])
def test_counts_beyond_the_octets(count: str) -> None:
    for head in ("58", "56015b", "430161"):
        octets = bytes.fromhex(head + count) + b"\x90" * 50
        for partial in (False, True):
            for work in (
                Scanner(octets, 0, len(octets), partial=partial).skip,
                Scanner(octets, 0, len(octets), partial=partial).value,
            ):
                with pytest.raises(IncompleteMessage if partial else ProtocolError):
                    work()


def test_limits() -> None:
    limits = Limits(nesting=3, elements=4)
    for octets in (
        b"\x79" * 4 + b"\x90",
        b"\x57" * 4 + b"\x5a" * 4,
        b"\x58\x95" + b"\x90" * 5,
        b"\x43\x01a\x95" + b"\x01x" * 5,
    ):
        with pytest.raises(LimitExceeded):
            decode(octets, 0, len(octets), limits)
        scanner = Scanner(octets, 0, len(octets), limits.nesting, limits.elements)
        with pytest.raises(LimitExceeded):
            scanner.skip()
    assert decode(b"\x79" * 3 + b"\x90", 0, 4, limits) == ([[[[0]]]], 4)


@pytest.mark.parametrize("opens", [b"\x79", b"\x57", b"\x48\x00", b"\x60", b"\x71\x90"])
def test_deep(opens: bytes) -> None:
    """A hundred thousand containers inside each other are refused, and no matter for who allows them."""
    head = b"\x43\x01a\x91\x01x" + b"\x70\x01t"
    octets = head + opens * 100_000 + b"\x90" + (b"\x5a" * 100_000 if opens[0] in (0x57, 0x48) else b"")
    with pytest.raises(LimitExceeded):
        decode(octets, 0, len(octets))
    scanner = Scanner(octets, 0, len(octets), nesting=100_000)
    scanner.skip()
    scanner.skip()
    assert scanner.at == len(octets)
    values, end = decode(octets, 0, len(octets), Limits(nesting=100_000))
    assert end == len(octets)
    again = written(*values)
    assert told(*decode(again, 0, len(again), Limits(nesting=100_000))[0]) == told(*values)
    del values


def test_streams_end_everywhere() -> None:
    """Cut at any octet they are incomplete, and never anything else."""
    chance = random.Random(5)
    for _ in range(40):
        octets = written(random_values(chance, 12))
        for cut in range(min(len(octets), 600)):
            for work in (Scanner(octets, 0, cut, partial=True).skip, Scanner(octets, 0, cut, partial=True).value):
                with pytest.raises(IncompleteMessage):
                    work()
            with pytest.raises(ProtocolError) as raised:
                Scanner(octets[:cut], 0, cut).skip()
            assert not isinstance(raised.value, IncompleteMessage)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_there_and_back(seed: int, size: int) -> None:
    values = random_values(random.Random(seed), size)
    octets = written(*values)
    found, end = decode(b"\xff" + octets + b"\xff", 1, len(octets) + 1)
    assert end == len(octets) + 1
    assert told(*found) == told(*values)
    assert written(*found) == octets
    assert skips(octets) == len(values)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_skipping_and_reading_agree(seed: int, data: st.DataObject) -> None:
    """Of anything: both end at the same octet, or fail at the same one."""
    chance = random.Random(seed)
    octets = bytearray(written(random_values(chance, 15))[:400])
    for _ in range(chance.randrange(1, 4)):
        if octets:
            octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    _agree(bytes(octets))


@given(st.binary(max_size=60))
def test_random_octets(octets: bytes) -> None:
    _agree(octets)


def _agree(octets: bytes) -> None:
    skipping, reading = Scanner(octets, 0, len(octets)), Scanner(octets, 0, len(octets))
    while skipping.at < len(octets):
        ended = _failure(skipping.skip)
        assert _failure(reading.value) == ended
        if ended:
            return
        assert (skipping.at, skipping.references) == (reading.at, reading.references)
        assert (skipping.type_count, skipping.class_count) == (reading.type_count, reading.class_count)


def _failure(work: Callable[[], object]) -> str:
    """Of what cannot be read, the error's text."""
    try:
        work()
    except ProtocolError as error:
        return str(error)
    return ""
