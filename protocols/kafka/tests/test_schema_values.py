"""Reading and writing bodies of every layout: values that hypothesis makes, cuts at every octet, and counts that lie."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs import ProtocolError
from l7codecs_kafka._schema import layouts
from l7codecs_kafka._schema.codes import codes
from l7codecs_kafka._schema.found import read_varint, varint_size
from l7codecs_kafka._schema.layouts import (
    ERROR_CODE,
    EVERY,
    NODE_ID,
    RECORDS,
    TOPIC,
    TOPIC_ID,
    Field,
    Layout,
    Value,
    layout,
)
from l7codecs_kafka._schema.names import names
from l7codecs_kafka._schema.splice import splice
from l7codecs_kafka._schema.values import TAGS, decode, encode, encode_value
from l7codecs_kafka._schema.walk import pick, skip

from .schema_truth import change, entries, every_layout, expected, random_body, values_of

LAYOUTS = every_layout()
RECORDINGS = os.environ.get("L7CODECS_RECORDINGS", "")


def get(key: int, version: int, response: bool = False) -> Layout:
    found = layout(key, version, response)
    assert found is not None
    return found


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_there_and_back(data: st.DataObject) -> None:
    of = data.draw(st.sampled_from(LAYOUTS))
    check(of, data.draw(values_of(of)), random.Random(data.draw(st.integers(0, 99))))


def test_there_and_back_everywhere() -> None:
    """Every layout, with other values in each run of its fields."""
    for number, of in enumerate(LAYOUTS):
        for each in range(3):
            chance = random.Random(1000 * each + number)
            check(of, random_body(of, chance), chance)


def check(of: Layout, value: dict[str, layouts.Value], chance: random.Random) -> None:
    """Written and read again it is the same; each role is found where the values have it; changed, it is as if written changed."""
    body = encode(of, value)
    again, end = decode(of, body, 0, len(body))
    assert (again, end) == (value, len(body))
    for wanted in (1 << chance.choice([bit for bit in range(50) if of.has & 1 << bit] or [0]), EVERY):
        found = pick(of, body, 0, len(body), wanted, check=True)
        assert found.at == len(body) and found.complete
        assert entries(found) == expected(of, value, wanted)
        assert entries(pick(of, body, 0, len(body), wanted)) == expected(of, value, wanted)
        assert splice(found, [(number, found.octets_of(number)) for number in range(len(found))]) == body
        changes = change(of, again, wanted, chance, 0.5)
        assert splice(found, changes) == encode(of, again)
        again, _ = decode(of, body, 0, len(body))


def topics_of(fields: list[Field], struct: dict[str, Value], wanted: int) -> list[str | bytes]:
    """The names and the ids in a struct, without null and zero, and without an id that stands before its name."""
    found: list[str | bytes] = []
    named = wanted == TOPIC | TOPIC_ID and any(
        field.role == TOPIC and not field.array and struct.get(field.name, field.default) is not None
        for field in fields
    )
    for field in fields:
        value = struct.get(field.name, field.default)
        for each in value if field.array and isinstance(value, list) else [value]:
            if isinstance(each, dict):
                found += topics_of(field.fields, each, wanted)
            elif field.role & wanted and isinstance(each, (str, bytes)):
                if field.role == TOPIC or (each != bytes(16) and not named):
                    found.append(each)
    return found


def test_names_and_ids() -> None:
    """The direct pass finds what the values have, and leaves what it cannot read to the other one."""
    direct = set()
    for number, of in enumerate(LAYOUTS):
        chance = random.Random(number)
        for wanted in (TOPIC, TOPIC_ID, TOPIC | TOPIC_ID):
            if of.has & wanted != wanted:
                continue
            for _ in range(3):
                value = random_body(of, chance)
                body = encode(of, value)
                found = names(of, body, 0, len(body), wanted)
                if found is not None:
                    direct.add((of.api.key, of.version, of.response))
                    assert found == topics_of(of.fields, value, wanted), of
            for cut in range(min(len(body), 300)):
                found = names(of, body, 0, cut, wanted)
                try:
                    pick(of, body, 0, cut, wanted)
                except ProtocolError:
                    assert found is None, (of, cut)
                else:
                    assert found is None or found == names(of, body, 0, len(body), wanted), (of, cut)
    assert {(0, 8, False), (0, 9, False), (0, 13, False), (1, 11, False), (1, 12, False), (1, 18, False)} <= direct
    assert {(3, 5, False), (3, 12, False), (8, 9, False), (9, 8, False), (78, 1, False)} <= direct


def test_names_that_are_null_beside_their_ids() -> None:
    of = get(3, 12)
    one, other = bytes(range(16)), bytes(range(16, 32))
    topics: list[Value] = [
        {"TopicId": one, "Name": None},
        {"TopicId": bytes(16), "Name": "a"},
        {"TopicId": other, "Name": "b"},
        {"TopicId": bytes(16), "Name": None},
    ]
    body = encode(of, {"Topics": topics})
    assert names(of, body, 0, len(body), TOPIC | TOPIC_ID) == [one, "a", "b"]
    assert names(of, body, 0, len(body), TOPIC) == ["a", "b"]
    assert names(of, body, 0, len(body), TOPIC_ID) == [one, other]


def test_codes() -> None:
    """Each error code once, in rising order, also those that no broker has."""
    of = get(0, 9, True)
    for numbers in (
        [0],
        [],
        [3, 0, 3],
        [-1, 35, 35, -1],
        [127, 128, 63, 64, -0x8000, 0x7FFF, 0, 200, 128],
        list(range(-300, 300)),
    ):
        partitions: list[layouts.Value] = [{"ErrorCode": number} for number in numbers]
        body = encode(of, {"Responses": [{"PartitionResponses": partitions}, {"PartitionResponses": partitions}]})
        assert codes(of, body, 0, len(body)) == sorted(set(numbers))
        with pytest.raises(ProtocolError):
            codes(of, body, 0, 0)
        assert codes(of, body, 0, 0, True) == []
    chance = random.Random(5)
    for each in LAYOUTS:
        body = encode(each, random_body(each, chance))
        found = pick(each, body, 0, len(body), ERROR_CODE)
        assert codes(each, body, 0, len(body)) == sorted({found.number(n) for n in range(len(found))})


def usual(value: Value, chance: random.Random, fields: list[Field]) -> None:
    """Give a body codes as brokers have them, and no tagged fields that are not known."""
    if not isinstance(value, dict):
        return
    value.pop(TAGS, None)
    for field in fields:
        inside = value.get(field.name)
        if field.role == ERROR_CODE and not field.array and field.name in value:
            value[field.name] = chance.choice((0, 0, 6, 35, 63, 64, 127))
        for each in inside if isinstance(inside, list) else [inside]:
            usual(each, chance, field.fields)


def test_codes_of_usual_answers() -> None:
    """And of what is no answer any more: cut, or with other octets, they are what the walk for all roles finds, or as wrong."""
    chance = random.Random(6)
    for of in (each for each in LAYOUTS if each.has & ERROR_CODE):
        value = random_body(of, chance)
        usual(value, chance, of.fields)
        body = encode(of, value)
        cases = [(body, len(body))] + [(body, size) for size in chance.sample(range(len(body)), min(len(body), 12))]
        for _ in range(12):
            octets = bytearray(body)
            octets[chance.randrange(len(body))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            cases.append((bytes(octets), len(octets)))
        for octets, end in cases:
            try:
                found = pick(of, octets, 0, end, ERROR_CODE)
            except ProtocolError:
                with pytest.raises(ProtocolError):
                    codes(of, octets, 0, end)
            else:
                assert codes(of, octets, 0, end) == sorted({found.number(n) for n in range(len(found))}), of


def test_defaults() -> None:
    for of in LAYOUTS:
        body = encode(of, {})
        value, end = decode(of, body, 0, len(body))
        assert end == len(body) and encode(of, value) == body
        assert skip(of, body, 0, len(body)) == len(body)


@pytest.mark.parametrize("seed", range(4))
def test_cuts(seed: int) -> None:
    """Cut anywhere, a body is an error, or read as far as it is there: what is found is what stands before the cut."""
    for number in range(seed, len(LAYOUTS), 4):
        of = LAYOUTS[number]
        chance = random.Random(number)
        body = encode(of, random_body(of, chance))
        cut_everywhere(of, body, range(min(len(body), 150)))
        cut_everywhere(of, body, chance.sample(range(len(body)), min(len(body), 30)))


def cut_everywhere(of: Layout, body: bytes, sizes: Iterable[int]) -> None:
    whole = pick(of, body, 0, len(body), EVERY, check=True)
    for size in sizes:
        for octets, end in ((body[:size], size), (body, size)):
            with pytest.raises(ProtocolError) as caught:
                decode(of, octets, 0, end)
            assert caught.value.offset <= size
            with pytest.raises(ProtocolError) as caught:
                skip(of, octets, 0, end)
            assert caught.value.offset <= size
            found = pick(of, octets, 0, end, EVERY, check=True, partial=True)
            assert not found.complete
            seen = [(found.field(n).path, found.starts(n), found.ends(n)) for n in range(len(found))]
            truth = [(whole.field(n).path, whole.starts(n), whole.ends(n)) for n in range(len(found))]
            assert seen == truth
            count = sum(1 for n in range(len(whole)) if whole.ends(n) <= size)
            assert len(found) in (count, count + 1), (of, size)
            if len(found) > count:
                assert found.role(count) == RECORDS and found.ends(count) > size


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(LAYOUTS), st.binary(max_size=200))
def test_noise(of: Layout, octets: bytes) -> None:
    """Whatever the octets are, the three readers agree; nothing but ProtocolError is raised."""
    try:
        value, end = decode(of, octets, 0, len(octets))
    except ProtocolError:
        with pytest.raises(ProtocolError):
            skip(of, octets, 0, len(octets))
        return
    assert skip(of, octets, 0, len(octets)) == end
    assert entries(pick(of, octets, 0, len(octets), EVERY)) == expected(of, value, EVERY)
    again = encode(of, value)
    assert decode(of, again, 0, len(again)) == (value, len(again))


LIES = [
    ("count", get(3, 1), bytes.fromhex("7fffffff")),
    ("count of fixed", get(11, 4, True), None),
    ("compact count", get(3, 9), bytes.fromhex("ffffffff0f")),
    ("compact count too long", get(3, 9), bytes.fromhex("ffffffffff01")),
    ("negative count", get(3, 1), bytes.fromhex("fffffffe")),
    ("string", get(10, 0), bytes.fromhex("7fff")),
    ("negative string", get(10, 0), bytes.fromhex("fffe00")),
    ("tags", get(18, 3), bytes.fromhex("0101ffffffff0f")),
    ("tag", get(18, 3), bytes.fromhex("01010105ffffffff0f")),
]


@pytest.mark.parametrize(
    ("of", "octets"), [(of, octets) for _, of, octets in LIES if octets], ids=[n for n, _, o in LIES if o]
)
def test_lies(of: Layout, octets: bytes) -> None:
    """A count or length of more than there is costs nothing, and is an error."""
    for read in (lambda: decode(of, octets, 0, len(octets)), lambda: skip(of, octets, 0, len(octets))):
        with pytest.raises(ProtocolError):
            read()


def test_counts_cost_no_memory() -> None:
    """A count of 2**31 - 1 before 64 KiB of octets: as many elements as the octets hold are made at most, or none."""
    of = get(3, 1)
    octets = bytes.fromhex("7fffffff") + bytes(65536)
    with pytest.raises(ProtocolError):
        decode(of, octets, 0, len(octets))
    found = pick(of, octets, 0, len(octets), TOPIC, partial=True)
    assert not found.complete and len(found) == 32768


def test_last_element_ends_the_walk() -> None:
    """Behind the last topic's name nothing is looked at, unless it is asked for."""
    of = get(0, 9)
    body = encode(of, {"TopicData": [{"Name": "a", "PartitionData": [{"Records": b"r" * 9}]}, {"Name": "b"}]})
    found = pick(of, body, 0, len(body), TOPIC)
    assert [found.text(number) for number in range(len(found))] == ["a", "b"]
    assert found.at == body.index(b"b") + 1
    assert pick(of, body, 0, len(body), TOPIC, check=True).at == len(body)
    assert pick(of, body, 0, len(body), layouts.HOST).at == 0


def test_head_of_a_large_produce() -> None:
    """The routing fields of the first partition, and where its records begin and will end, from the first octets."""
    of = get(0, 9)
    body = encode(
        of, {"Acks": -1, "TopicData": [{"Name": "t", "PartitionData": [{"Index": 3, "Records": bytes(1 << 20)}]}]}
    )
    found = pick(of, body[:100], 0, 100, EVERY, partial=True)
    assert not found.complete
    assert [field for field, _ in entries(found)][-2:] == [
        "TopicData.PartitionData.Index",
        "TopicData.PartitionData.Records",
    ]
    records = len(found) - 1
    assert found.number(records - 1) == 3
    assert found.ends(records) - found.starts(records) == 1 << 20
    assert body[: found.starts(records)] == body[:100][: found.starts(records)]


def test_unknown_tags_are_kept() -> None:
    of = get(3, 13)
    value = decode(
        of, bytes.fromhex("0200000000000000000000000000000000027400") + b"\x01\x00\x02\x7f\x01\x41\xff\x01\x00", 0, 29
    )
    assert value[0]["_tags"] == {0x7F: b"A", 0xFF: b""}
    assert encode(of, value[0]).endswith(b"\x02\x7f\x01\x41\xff\x01\x00")


def test_tagged_field_of_another_size() -> None:
    """The size of a tagged field is that of its value: of CurrentLeader 9 octets."""
    of = get(0, 10, True)
    body = encode(of, {"Responses": [{"Name": "t", "PartitionResponses": [{"CurrentLeader": {}}]}]})
    assert skip(of, body, 0, len(body)) == len(body)
    at = body.index(bytes.fromhex("01000 9".replace(" ", "")))
    for size in (8, 10):
        wrong = body[: at + 2] + bytes([size]) + body[at + 3 :]
        with pytest.raises(ProtocolError):
            decode(of, wrong, 0, len(wrong))
        with pytest.raises(ProtocolError):
            pick(of, wrong, 0, len(wrong), NODE_ID, check=True)


def test_marker_before_a_struct() -> None:
    of = get(75, 0)
    body = encode(of, {"Cursor": None})
    assert body[-2] == 0xFF
    wrong = body[:-2] + b"\x02\x00"
    with pytest.raises(ProtocolError):
        decode(of, wrong, 0, len(wrong))
    with pytest.raises(ProtocolError):
        skip(of, wrong, 0, len(wrong))


@pytest.mark.parametrize(
    "value",
    [
        {"Nonsense": 1},
        {"Topics": 5},
        {"Topics": [5]},
        {"Topics": [{"Name": 5}]},
        {"Topics": [{"Name": "x" * 40000}]},
        {"AllowAutoTopicCreation": "yes"},
        {"AllowAutoTopicCreation": 256},
        {"_tags": {-1: b""}},
    ],
)
def test_values_that_do_not_fit(value: dict[str, layouts.Value]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode(get(3, 9), value)


def test_numbers_that_do_not_fit() -> None:
    of = get(0, 9)
    for name, numbers in (("Acks", (-0x8001, 0x8000)), ("TimeoutMs", (-0x80000001, 0x80000000))):
        field = next(each for each in of.fields if each.name == name)
        for number in numbers:
            with pytest.raises(ValueError, match="does not fit"):
                encode_value(of, field, number)
        assert len(encode_value(of, field, -1)) in (2, 4)


def test_splice_refuses() -> None:
    of = get(3, 9)
    body = encode(of, {"Topics": [{"Name": "a"}, {"Name": "b"}]})
    found = pick(of, body, 0, len(body), TOPIC)
    for wrong in ([(1, b"x"), (0, b"y")], [(0, b"x"), (0, b"y")], [(2, b"x")], [(-1, b"x")], [(0, b"x" * 40000)]):
        with pytest.raises(ValueError, match=r"\w"):
            splice(found, wrong)
    of = get(3, 9, True)
    body = encode(of, {"ControllerId": 4})
    found = pick(of, body, 0, len(body), NODE_ID)
    with pytest.raises(ValueError, match="3 octets in place of 4"):
        splice(found, [(0, b"abc")])


@given(st.integers(0, 0xFFFFFFFF))
def test_varints(value: int) -> None:
    octets = bytearray()
    rest = value
    while rest >= 0x80:
        octets.append(rest & 0x7F | 0x80)
        rest >>= 7
    octets.append(rest)
    found = read_varint(bytes(octets), 0, len(octets))
    assert (found >> 3, found & 7) == (value, len(octets))
    assert varint_size(value) == len(octets)
    for size in range(len(octets)):
        assert read_varint(bytes(octets), 0, size) == -1


# Recordings of real peers, which are no part of this repository.

BROKEN = {"raw-notleader": 2, "raw-unknown": 8}
"""Requests that were made by hand and that the broker refused to read."""


@pytest.mark.skipif(not RECORDINGS, reason="L7CODECS_RECORDINGS is not set")
def test_recordings() -> None:
    """Every message of every conversation is read to its last octet, and written back the same; error codes are those of its truth."""
    total = compared = 0
    for folder in sorted(Path(RECORDINGS, "kafka").iterdir()):
        broken = 0
        truth = json.loads((folder / "truth.json").read_text("utf-8"))["connections"]
        for name, connection in truth.items():
            requests, answers = _frames(folder / name)
            waiting: dict[int, list[tuple[int, int]]] = {}
            for frame in requests:
                if len(frame) < 10:
                    continue
                key, version, number = struct.unpack_from(">hhi", frame)
                of = layout(key, version, False)
                waiting.setdefault(number, []).append((key, version))
                if of is None:
                    continue
                at = 10 + max(struct.unpack_from(">h", frame, 8)[0], 0) + (1 if of.header_version == 2 else 0)
                good = _read_whole(of, frame, at)
                broken += not good
                total += good
            said = [message for message in connection["messages"] if "corr" in message]
            once = {
                message["corr"]: message
                for message in said
                if [each["corr"] for each in said].count(message["corr"]) == 1
            }
            for frame in answers:
                if len(frame) < 4:
                    continue
                (number,) = struct.unpack_from(">i", frame)
                if not waiting.get(number):
                    continue
                key, version = waiting[number].pop(0)
                of = layout(key, 0 if key == 18 and frame[4:6] == b"\x00\x23" else version, True)
                assert of is not None
                at = 5 if of.header_version else 4
                assert _read_whole(of, frame, at), (folder.name, name, of)
                total += 1
                found = pick(of, frame, at, len(frame), ERROR_CODE)
                if "error_codes" in once.get(number, {}) and layout(key, version, True) is of:
                    codes = sorted({found.number(each) for each in range(len(found))})
                    assert codes == once[number]["error_codes"], (folder.name, name, of)
                    compared += 1
        assert broken == BROKEN.get(folder.name, 0), folder.name
    assert total > 500 and compared > 500


def _frames(path: Path) -> tuple[list[bytes], list[bytes]]:
    found = []
    for side in "CS":
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
        octets = b"".join(bytes.fromhex(line[1]) for line in lines if line[0] == side and len(line) > 1)
        frames = []
        at = 0
        while at + 4 <= len(octets):
            (size,) = struct.unpack_from(">i", octets, at)
            if at + 4 + size > len(octets):
                break
            frames.append(octets[at + 4 : at + 4 + size])
            at += 4 + size
        found.append(frames)
    return found[0], found[1]


def _read_whole(of: Layout, frame: bytes, at: int) -> bool:
    try:
        value, end = decode(of, frame, at, len(frame))
    except ProtocolError:
        return False
    if end != len(frame):
        return False
    assert encode(of, value) == frame[at:], of
    found = pick(of, frame, at, len(frame), EVERY, check=True)
    assert found.at == len(frame) and entries(found) == expected(of, value, EVERY), of
    return True
