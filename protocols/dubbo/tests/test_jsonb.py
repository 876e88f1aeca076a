"""JSONB: every form of value, by what fastjson2 2.0.56 wrote for it, and hostile octets."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import LimitExceeded, ProtocolError
from l7codecs_dubbo._jsonb.scan import Scanner
from l7codecs_dubbo._jsonb.values import Pairs, Reference, Typed, Value, decode, encode, read

SPOKEN: list[tuple[str, Value]] = [
    ("af", None),
    ("b1", True),
    ("b0", False),
    ("00", 0),
    ("f0", -16),
    ("2f", 47),
    ("3830", 48),
    ("3fff", 2047),
    ("3000", -2048),
    ("440800", 2048),
    ("47ffff", 262143),
    ("400000", -262144),
    ("4800040000", 262144),
    ("487fffffff", 2**31 - 1),
    ("4880000000", -(2**31)),
    ("d8", -8),
    ("e0", 0),
    ("ef", 15),
    ("d010", 16),
    ("c800", -2048),
    ("d7ff", 2047),
    ("c40800", 2048),
    ("c00000", -262144),
    ("bf00040000", 262144),
    ("be0000000080000000", 2**31),
    ("be8000000000000000", -(2**63)),
    ("bd04", 4),
    ("bdff", -1),
    ("bc8000", -32768),
    ("b2", 0.0),
    ("b3", 1.0),
    ("b4ea", 10.0),
    ("b4c5ffff", 131071.0),
    ("b53fb999999999999a", 0.1),
    ("b605", 5.0),
    ("b73fc00000", 1.5),
    ("49", ""),
    ("4a61", "a"),
    ("78" + "61" * 47, "a" * 47),
    ("793830" + "61" * 48, "a" * 48),
    ("4ae9", "é"),
    ("7a0661f09f988062", "a😀b"),
    ("7a0861eda0bdedb88062", "a😀b"),
    ("7c042d4e8765", "中文"),
    ("7d044e2d6587", "中文"),
    ("7b06feff4e2d6587", "中文"),
    ("7b06fffe2d4e8765", "中文"),
    ("7e04d6d0cec4", "中文"),
    ("9038e9", "é"),
    ("9103010203", b"\x01\x02\x03"),
    ("924b5b42009103010203", Typed("[B", b"\x01\x02\x03")),
    ("94", []),
    ("960102", [1, 2]),
    ("a41001" + "02" * 15, [1] + [2] * 15),
    ("a6a5", {}),
    ("a64a6101a5", {"a": 1}),
    ("a60102a5", Pairs([(1, 2)])),
    ("a64a61014a6102a5", Pairs([("a", 1), ("a", 2)])),
    ("924c782e79000d", Typed("x.y", 13)),
    ("a67f4a61014a767f4a620296a67f010ba5a67f020ca5a5", {"a": "v", "b": [{"a": 11}, {"b": 12}]}),
    ("934d245b305d", Reference("$[0]")),
    ("b902bb0207d0", Decimal("20.00")),
    ("b902ba3fff", Decimal("20.47")),
    ("b9033fff", Decimal("2.047")),
    ("b8d010", Decimal(16)),
    ("ba48000f4240", 1_000_000),
    ("bb09010000000000000000", 2**64),
    ("ab0000018bcfe56800", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("ac6553f100", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("ad01b05516", datetime(2023, 11, 14, 22, 14, tzinfo=UTC)),
    ("aebf6553f10048000f4240", datetime(2023, 11, 14, 22, 13, 20, 1000, tzinfo=UTC)),
    ("a907e70b0e", date(2023, 11, 14)),
    ("a7160d1400", time(22, 13, 20)),
    ("a807e70b0e160d1448000f4240", datetime(2023, 11, 14, 22, 13, 20, 1000)),
    ("a807e70b0e160d1401", "2023-11-14T22:13:20.000000001"),
    ("aa07e70b0e160d140056" + b"Europe/Berlin".hex(), "2023-11-14T22:13:20[Europe/Berlin]"),
]


@pytest.mark.parametrize(("octets", "value"), SPOKEN, ids=[octets[:24] for octets, _ in SPOKEN])
def test_values(octets: str, value: Value) -> None:
    raw = bytes.fromhex(octets)
    found = decode(raw, 0, len(raw), 64)
    assert found == value
    assert type(found) is type(value)
    for around in (b"", b"\x96\x96", b"\0"):
        scanner = Scanner(around + raw + around, len(around), len(raw) + len(around))
        scanner.skip()
        assert scanner.at == len(around) + len(raw)
    for cut in range(len(raw)):
        with pytest.raises(ProtocolError):
            Scanner(raw, 0, cut).skip()
        with pytest.raises(ProtocolError):
            decode(raw, 0, cut, 64)


def same(one: Value, other: Value) -> bool:
    return repr(one) == repr(other)


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=30,
)


@given(VALUES)
def test_there_and_back(value: Value) -> None:
    octets = encode(value)
    found = decode(octets, 0, len(octets), 64)
    assert same(found, value)
    scanner = Scanner(octets, 0, len(octets))
    scanner.skip()
    assert scanner.at == len(octets)


@given(st.binary(max_size=64))
def test_any_octets(octets: bytes) -> None:
    """Reading and passing over agree, and nothing but ProtocolError is raised."""
    scanner = Scanner(octets, 0, len(octets))
    try:
        scanner.skip()
        end = scanner.at
    except ProtocolError:
        end = -1
    reader = Scanner(octets, 0, len(octets))
    try:
        read(reader, 64)
        assert reader.at == end
    except LimitExceeded:
        pass
    except ProtocolError:
        assert end == -1
    try:
        Scanner(octets, 0, len(octets)).throwable()
    except ProtocolError:
        pass


@pytest.mark.parametrize("opened", [b"\x95", b"\xa6\x4a\x61", b"\xa6", b"\x92\x4a\x61\x01", b"\x92\x00"])
def test_depth(opened: bytes) -> None:
    """Passing over has no depth; reading has a limit."""
    octets = opened * 100_000
    with pytest.raises(ProtocolError):
        Scanner(octets, 0, len(octets)).skip()
    with pytest.raises(LimitExceeded):
        decode(octets, 0, len(octets), 64)
    whole = b"\x95" * 100_000 + b"\xaf"
    scanner = Scanner(whole, 0, len(whole))
    scanner.skip()
    assert scanner.at == len(whole)


@pytest.mark.parametrize(
    "octets", ["a4487fffffff00", "79487fffffff61", "91f0", "79ff", "a4ff", "9148ffffffff", "bb48ffffffff"]
)
def test_counts(octets: str) -> None:
    raw = bytes.fromhex(octets)
    with pytest.raises(ProtocolError):
        Scanner(raw, 0, len(raw)).skip()
    with pytest.raises(ProtocolError):
        decode(raw, 0, len(raw), 64)


def test_nothing_else_is_a_value() -> None:
    """The end of an object without one; every other octet begins a value, but for those whose texts are none here."""
    rest = bytes(60)
    for first in range(256):
        octets = bytes((first,)) + rest
        try:
            decode(octets, 0, len(octets), 64)
        except ProtocolError:
            assert first in (0x92, 0x93, 0xA5, 0xA6, 0xAA) or 0x80 <= first < 0x90, hex(first)


def test_throwable() -> None:
    cause = "92 4a78 02 a6 7f 56 64657461696c4d657373616765 01 4a63 a5"
    octets = bytes.fromhex("92 4a79 00 a6 7f4e6361757365 03" + cause + "7f 01 4a6d 7f 4a73 04 94 a5")
    scanner = Scanner(octets, 0, len(octets))
    assert scanner.throwable() == ("y", "m")
    assert scanner.at == len(octets)


def test_a_name_that_is_not_known() -> None:
    octets = bytes.fromhex("92 05 a6 7f 07 00 a5")
    assert decode(octets, 0, len(octets), 64) == Typed(None, Pairs([(None, 0)]))


def test_what_is_not_written() -> None:
    for value in (2**63, Decimal(1), "\ud800", Typed("x", 1)):
        with pytest.raises(ValueError, match=r"[a-z]"):
            encode(value)
    deep: Value = None
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match=r"[a-z]"):
        encode(deep)
    assert math.copysign(1, float(str(decode(encode(-0.0), 0, 9, 1)))) == -1


def test_a_name_that_comes_again_is_one_string() -> None:
    """A name is written once, and said by an octet from then on: so few octets take no memory for each."""
    name = b"\x79\x3b\xe8" + b"n" * 1000
    first = b"\x92" + name + b"\x00\xa6\x7f" + name + b"\x01\x05\xa5"
    octets = b"\xa4\x38\x64" + first + b"\x92\x00\xa6\x7f\x01\x05\xa5" * 99
    found = decode(octets, 0, len(octets), 64)
    assert isinstance(found, list) and len(found) == 100
    classes = [each.class_name for each in found if isinstance(each, Typed)]
    keys = [key for each in found if isinstance(each, Typed) and isinstance(each.value, dict) for key in each.value]
    assert set(classes) == set(keys) == {"n" * 1000} and len(classes) == len(keys) == 100
    assert len({id(each) for each in classes[1:]}) == len({id(each) for each in keys[1:]}) == 1


def test_a_name_that_is_given_another_text() -> None:
    octets = bytes.fromhex("99 7f4a6101 7f01 7f01 7f4a6201 7f01".replace(" ", ""))
    assert decode(octets, 0, len(octets), 64) == ["a", "a", "a", "b", "b"]


@pytest.mark.parametrize("size", [512, 513, 100_000])
def test_numbers_of_any_size_cost_what_they_are(size: int) -> None:
    value = b"\x7f" * size
    length = b"\x48" + size.to_bytes(4, "big")
    said = decode(b"\xbb" + length + value, 0, size + 6, 64)
    number = int.from_bytes(value, "big")
    assert said == (number if size <= 512 else hex(number))
    if size > 512:
        octets = b"\xb9\x03\xbb" + length + value
        assert decode(octets, 0, len(octets), 64) == f"{hex(number)}E-3"
