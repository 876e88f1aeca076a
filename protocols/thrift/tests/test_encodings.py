"""The octets that real peers were seen to write, one by one."""

from __future__ import annotations

from uuid import UUID

import pytest

from l7codecs import Limits
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON, METADATA_JSON
from l7codecs_thrift._encoding.types import Value

LIMITS = Limits()
SEEN: dict[str, tuple[str, tuple[int, str, int], Value]] = {
    "binary: 80010001 00000005 68656c6c6f 00000000 0b0001 00000003 626f62 00": ("strict", (1, "hello", 0), {1: "bob"}),
    "binary: 00000005 68656c6c6f 01 00000007 0b0001 00000003 626f62 00": ("old", (1, "hello", 7), {1: "bob"}),
    "binary: 80010002 00000003 756964 00000001 100000 00112233445566778899aabbccddeeff 00": (
        "uuid", (2, "uid", 1), {0: UUID("00112233-4455-6677-8899-aabbccddeeff")},
    ),
    "compact: 82 21 0b 05 68656c6c6f 18 03 626f62 00": ("seqid is no zigzag", (1, "hello", 11), {1: "bob"}),
    "compact: 82 21 00 05 6c626f6f6c 19 31 01 02 01 00": ("list<bool>", (1, "lbool", 0), {1: [True, False, True]}),
    "compact: 82 21 00 05 6c626f6f6c 19 32 01 02 01 00": ("with the other type", (1, "lbool", 0), {1: [True, False, True]}),
    "compact: 82 21 00 04 656d6170 1b 00 00": ("an empty map", (1, "emap", 0), {1: {}}),
    "compact: 82 21 00 03 64626c 17 9a9999999999b9bf 00": ("little-endian", (1, "dbl", 0), {1: -0.1}),
    "compact: 82 21 00 01 61 11 0850 03666172 01d804 09 20 05 00": (
        "ids that go down", (1, "a", 0), {1: True, 40: "far", 300: True, 16: []},
    ),
    "compact: 82 21 00 03 756964 1d 00112233445566778899aabbccddeeff 00": (
        "uuid", (1, "uid", 0), {1: UUID("00112233-4455-6677-8899-aabbccddeeff")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("octets", SEEN, ids=[f"{each.split(':')[0]} {SEEN[each][0]}" for each in SEEN])
def test_seen(octets: str) -> None:
    encoding = {"binary": BINARY, "compact": COMPACT}[octets.split(":")[0]]
    data = bytes.fromhex(octets.split(":")[1])
    _, told, values = SEEN[octets]
    head = encoding.head(data, 0, len(data), 65536)
    assert head is not None
    assert (head.kind, head.name, head.seqid) == told
    skipper = encoding.skipper(head, 64, 1 << 20, 1 << 29)
    assert skipper.feed(data, head.body, len(data)) == len(data) and skipper.done
    assert encoding.structure(data, head.body, len(data), LIMITS) == values


def test_json_seen() -> None:
    data = b'[1,"hello",1,7,{"1":{"str":"bob"},"2":{"map":["i32","str",2,{"1":"a","-1":"b"}]},"3":{"dbl":nan}}][1,"x'
    head = JSON.head(data, 0, len(data), 65536)
    assert head is not None and (head.kind, head.name, head.seqid) == (1, "hello", 7)
    skipper = JSON.skipper(head, 64, 1 << 20, 1 << 29)
    assert skipper.feed(data, head.body, len(data)) == len(data) - 5 and skipper.done
    values = JSON.structure(data, head.body, len(data), LIMITS)
    assert str(values) == "{1: 'bob', 2: {1: 'a', -1: 'b'}, 3: nan}"


def test_a_text_of_json_is_utf_8_whatever_octets_it_begins_with() -> None:
    data = b'[1,"a",1,0,{"0":{"str":"\x00\\r"}}]'
    head = JSON.head(data, 0, len(data), 65536)
    assert head is not None and JSON.structure(data, head.body, len(data), LIMITS) == {0: "\x00\r"}


def test_metadata_json_seen() -> None:
    text = b'{"metadata": {"version": 1, "name": "hello", "ttype": 1, "seqid": 0}, "payload": {"name": "bob"}}'
    data = len(text).to_bytes(4, "big") + text
    head = METADATA_JSON.head(data, 0, len(data), 65536)
    assert head is not None and (head.kind, head.name, head.seqid, head.stop) == (1, "hello", 0, len(data))
    assert METADATA_JSON.structure(data, head.body, head.stop, LIMITS) == {"name": "bob"}
