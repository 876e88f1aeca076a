"""Blocks to fields: the examples of RFC 7541, errors, limits, table sizes, connections that were joined."""

from itertools import pairwise

import hpack
import pytest
from hpack.table import HeaderTable
from hypothesis import given
from hypothesis import strategies as st
from l7codecs_http2._hpack.decoder import HeaderBlock, HpackDecoder
from l7codecs_http2._hpack.huffman import encode_huffman
from l7codecs_http2._hpack.static_table import (
    CONNECTION,
    LATE_PSEUDO,
    NAME_BAD,
    PSEUDO,
    REGULAR,
    REPEATED,
    STATIC_FIELDS,
    TRIPLE,
    VALUE_BAD,
    HeaderField,
    header_field,
    header_name,
    well_known,
)
from librt.strings import BytesWriter

from l7codecs import ProtocolError

Pairs = list[tuple[str, bytes]]

# RFC 7541 C.3 to C.6: the table's limit, and of each block the octets, the fields, and the table behind it, newest first.
REQUESTS: list[tuple[Pairs, Pairs, int]] = [
    (
        [(":method", b"GET"), (":scheme", b"http"), (":path", b"/"), (":authority", b"www.example.com")],
        [(":authority", b"www.example.com")],
        57,
    ),
    (
        [
            (":method", b"GET"),
            (":scheme", b"http"),
            (":path", b"/"),
            (":authority", b"www.example.com"),
            ("cache-control", b"no-cache"),
        ],
        [("cache-control", b"no-cache"), (":authority", b"www.example.com")],
        110,
    ),
    (
        [
            (":method", b"GET"),
            (":scheme", b"https"),
            (":path", b"/index.html"),
            (":authority", b"www.example.com"),
            ("custom-key", b"custom-value"),
        ],
        [("custom-key", b"custom-value"), ("cache-control", b"no-cache"), (":authority", b"www.example.com")],
        164,
    ),
]
PRIVATE = ("cache-control", b"private")
DATE_21 = ("date", b"Mon, 21 Oct 2013 20:13:21 GMT")
DATE_22 = ("date", b"Mon, 21 Oct 2013 20:13:22 GMT")
PLACE = ("location", b"https://www.example.com")
ENCODING = ("content-encoding", b"gzip")
COOKIE = ("set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
RESPONSES: list[tuple[Pairs, Pairs, int]] = [
    ([(":status", b"302"), PRIVATE, DATE_21, PLACE], [PLACE, DATE_21, PRIVATE, (":status", b"302")], 222),
    ([(":status", b"307"), PRIVATE, DATE_21, PLACE], [(":status", b"307"), PLACE, DATE_21, PRIVATE], 222),
    ([(":status", b"200"), PRIVATE, DATE_22, PLACE, ENCODING, COOKIE], [COOKIE, ENCODING, DATE_22], 215),
]
C3 = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
C4 = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]
C5 = [
    "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
    "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157"
    "454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
]
C6 = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab27"
    "0fb5291f9587316065c003ed4ee5b1063d5007",
]


def decode(decoder: HpackDecoder, octets: bytes) -> HeaderBlock:
    return decoder.decode(octets, 0, len(octets))


def pairs(fields: list[HeaderField]) -> Pairs:
    return [(field.name, field.value) for field in fields]


def failure(octets: bytes, decoder: HpackDecoder | None = None) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode(decoder or HpackDecoder(), octets)
    if decoder is None:
        # The offset counts from the block's first octet, wherever that stands.
        with pytest.raises(ProtocolError) as shifted:
            HpackDecoder().decode(b"123456789" + octets + b"987654321", 9, 9 + len(octets))
        assert shifted.value.args == caught.value.args
    return caught.value


def test_the_static_table_is_that_of_hpack() -> None:
    rows = [(field.title.octets, field.value) for field in STATIC_FIELDS[1:]]
    assert rows == list(HeaderTable.STATIC_TABLE)
    for index, field in enumerate(STATIC_FIELDS[1:], 1):
        assert pairs(decode(HpackDecoder(), bytes([0x80 + index])).fields) == [(field.name, field.value)]


@pytest.mark.parametrize(
    ("wire", "expected", "table", "size"),
    [  # RFC 7541 C.2
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", ("custom-key", b"custom-header"), True, 55),
        ("040c2f73616d706c652f70617468", (":path", b"/sample/path"), False, 0),
        ("100870617373776f726406736563726574", ("password", b"secret"), False, 0),
        ("82", (":method", b"GET"), False, 0),
    ],
)
def test_single_fields_of_the_rfc(wire: str, expected: tuple[str, bytes], table: bool, size: int) -> None:
    decoder = HpackDecoder()
    block = decode(decoder, bytes.fromhex(wire))
    assert block.pairs() == [expected]
    assert block.fields[0].sensitive == (expected[0] == "password")
    assert pairs(decoder.table) == ([expected] if table else [])
    assert decoder.table_size == size


@pytest.mark.parametrize(
    ("limit", "wires", "expected"),
    [(4096, C3, REQUESTS), (4096, C4, REQUESTS), (256, C5, RESPONSES), (256, C6, RESPONSES)],
    ids=["C.3", "C.4", "C.5", "C.6"],
)
def test_blocks_of_the_rfc(limit: int, wires: list[str], expected: list[tuple[Pairs, Pairs, int]]) -> None:
    decoder = HpackDecoder(limit)
    for wire, (fields, table, size) in zip(wires, expected, strict=True):
        block = decode(decoder, bytes.fromhex(wire))
        assert block.pairs() == fields
        assert pairs(decoder.table) == table
        assert decoder.table_size == size
        assert block.size == sum(len(name) + len(value) + 32 for name, value in fields)


def literal(name: bytes, value: bytes, first: int = 0x40) -> bytes:
    assert len(name) < 127 and len(value) < 127
    return bytes([first, len(name)]) + name + bytes([len(value)]) + value


@pytest.mark.parametrize(
    ("wire", "offset", "seen", "spec"),
    [
        ("80", 0, "index 0", "RFC 7541 §6.1"),
        ("8280", 1, "index 0", "RFC 7541 §6.1"),
        ("be", 0, "index 62", "RFC 7541 §2.3.3"),
        ("82ff00", 2, "index 127", "RFC 7541 §2.3.3"),
        ("7e0161", 0, "index 62", "RFC 7541 §2.3.3"),
        ("ff", 1, "the end of the block", "RFC 7541 §3.2"),
        ("ff80", 2, "the end of the block", "RFC 7541 §3.2"),
        ("ff808080808000", 5, "an integer of more than 32 bits", "RFC 7541 §5.1"),
        ("ffffffffff7f", 5, "an integer of more than 32 bits", "RFC 7541 §5.1"),
        ("40", 1, "the end of the block", "RFC 7541 §3.2"),
        ("4001", 2, "the end of the block", "RFC 7541 §3.2"),
        ("400161", 3, "the end of the block", "RFC 7541 §3.2"),
        ("40016101", 4, "the end of the block", "RFC 7541 §3.2"),
        ("4001617fffffffff0761", 10, "the end of the block", "RFC 7541 §3.2"),
        ("8220", 1, "a table size update behind a field", "RFC 7541 §4.2"),
        ("3fe21f", 0, "a table size of 4097", "RFC 7541 §6.3"),
        ("04847fffffff", 5, "a code that is cut, or more than 7 bits of padding", "RFC 7541 §5.2"),
        ("0484ffffffff", 2, "EOS in a string", "RFC 7541 §5.2"),
        ("048100", 2, "padding with a 0", "RFC 7541 §5.2"),
        ("0081ff0161", 2, "a code that is cut, or more than 7 bits of padding", "RFC 7541 §5.2"),
    ],
)
def test_errors(wire: str, offset: int, seen: str, spec: str) -> None:
    error = failure(bytes.fromhex(wire))
    assert (error.offset, error.seen, error.spec) == (offset, seen, spec)
    assert error.expected


def test_a_range_outside_the_octets_is_the_callers_error() -> None:
    for start, stop in ((-1, 1), (2, 1), (0, 3)):
        with pytest.raises(ValueError, match="not inside"):
            HpackDecoder().decode(b"\x82\x82", start, stop)


# Limits --------------------------------------------------------------------------------------------------------------


def test_a_list_past_the_limit_keeps_the_table_in_order() -> None:
    decoder = HpackDecoder(4096, 200)
    block = decode(decoder, literal(b"a", b"x" * 100) + b"\xbe\xbe" + literal(b"b", b"y") + b"\x82")
    assert block.oversized
    assert block.pairs() == [("a", b"x" * 100)]
    assert block.size == 133 * 3 + 34 + 42
    assert pairs(decoder.table) == [("b", b"y"), ("a", b"x" * 100)]
    assert not decode(decoder, b"\xbf").oversized


def test_a_bomb_is_counted_and_not_kept() -> None:
    decoder = HpackDecoder()
    block = decode(decoder, literal(b"a", b"x" * 120) * 26 + b"\xbe" * 60_000)
    assert block.oversized
    assert block.size == (60_026) * 153
    assert len(block.fields) == 65536 // 153


def test_the_cache_and_the_table_do_not_grow_with_what_a_peer_invents() -> None:
    decoder = HpackDecoder()
    for number in range(5000):
        decode(decoder, literal(b"name-%d" % number, b"value-%d" % number))
    assert decoder.table_size <= 4096
    assert len(decoder._ring) <= 256


# Table sizes ---------------------------------------------------------------------------------------------------------


def test_updates_at_the_beginning_evict() -> None:
    decoder = HpackDecoder()
    decode(decoder, literal(b"a", b"1") + literal(b"b", b"2"))
    assert decode(decoder, bytes.fromhex("3f0582")).pairs() == [(":method", b"GET")]  # 36
    assert pairs(decoder.table) == [("b", b"2")]
    decode(decoder, b"\x20\x3f\xe1\x1f")  # 0, then 4096
    assert pairs(decoder.table) == []


def test_a_reduced_limit_must_be_acknowledged_by_an_update() -> None:
    decoder = HpackDecoder()
    decoder.set_table_limit(1000)
    error = failure(b"\x82", decoder)
    assert error.spec == "RFC 7541 §4.2"
    decoder = HpackDecoder()
    decoder.set_table_limit(100)
    decoder.set_table_limit(4096)
    assert failure(b"\x3f\x46\x82", decoder).seen == "a table size of 101"
    decoder = HpackDecoder()
    decoder.set_table_limit(100)
    decoder.set_table_limit(4096)
    assert decode(decoder, b"\x3f\x45\x3f\xe1\x1f\x82").pairs() == [(":method", b"GET")]  # 100, then 4096
    decoder.set_table_limit(8192)  # a larger limit asks for nothing
    decode(decoder, b"\x82")


def test_the_first_block_after_a_reduction_says_so_even_if_it_has_no_fields() -> None:
    decoder = HpackDecoder()
    decoder.set_table_limit(1000)
    assert failure(b"", decoder).seen == "the end of the block"
    peer = hpack.Decoder()
    peer.max_allowed_table_size = 1000
    with pytest.raises(hpack.InvalidTableSizeError):
        peer.decode(b"")
    decoder = HpackDecoder()
    decoder.set_table_limit(1000)
    assert decode(decoder, b"\x3f\xc9\x07").fields == []  # 1000
    assert decode(decoder, b"").fields == []


@pytest.mark.parametrize("count", [3, 10])
def test_any_number_of_updates_is_taken_as_by_hpack(count: int) -> None:
    wire = b"\x20" * (count - 1) + b"\x3f\x45\x82"
    assert decode(HpackDecoder(), wire).pairs() == [(":method", b"GET")]
    assert hpack.Decoder().decode(wire) == [(":method", "GET")]


def test_an_entry_larger_than_the_table_empties_it() -> None:
    decoder = HpackDecoder(64)
    decode(decoder, literal(b"a", b"1"))
    assert decode(decoder, literal(b"a", b"x" * 40)).pairs() == [("a", b"x" * 40)]
    assert decoder.table == []
    assert decoder.table_size == 0


def test_a_name_from_an_entry_that_its_own_insertion_evicts() -> None:
    """RFC 7541 §4.4: the name is referenced before the entry is evicted."""
    decoder = HpackDecoder(64)
    decode(decoder, literal(b"name", b"1234567890"))
    assert decode(decoder, b"\x7e\x0a0987654321").pairs() == [("name", b"0987654321")]
    assert pairs(decoder.table) == [("name", b"0987654321")]


# Fields --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "bits"),
    [
        (b"a", b"1", 0),
        (b"", b"1", NAME_BAD),
        (b"A", b"1", NAME_BAD),
        (b"a b", b"1", NAME_BAD),
        (b"a:", b"1", NAME_BAD),
        (b":", b"1", NAME_BAD),
        (b"a\x80", b"1", NAME_BAD),
        (b"a", b" 1", VALUE_BAD),
        (b"a", b"1\t", VALUE_BAD),
        (b"a", b"1\x002", VALUE_BAD),
        (b"a", b"1\r2", VALUE_BAD),
        (b"a", b"1\n2", VALUE_BAD),
        (b"a", b"1\t2 3\x80", 0),
        (b"connection", b"close", CONNECTION),
        (b"te", b"trailers", 0),
    ],
)
def test_what_rfc_9113_forbids(name: bytes, value: bytes, bits: int) -> None:
    checked = NAME_BAD | VALUE_BAD | CONNECTION
    assert decode(HpackDecoder(), literal(name, value)).seen & checked == bits
    parts = []
    for text in (name, value):
        out = BytesWriter()
        encode_huffman(text, out)
        parts.append(bytes([0x80 + len(out.getvalue())]) + out.getvalue())
    for _ in range(3):  # the third comes from the cache
        assert decode(HpackDecoder(), b"\x00" + parts[0] + parts[1]).seen & checked == bits
    assert header_field(name, value).flags & checked == bits


def test_pseudo_headers() -> None:
    get, path, date = b"\x82", b"\x84", b"\x0f\x12\x011"
    assert decode(HpackDecoder(), get + path + date).seen & (LATE_PSEUDO | REPEATED) == 0
    assert decode(HpackDecoder(), get + path + date).seen & (PSEUDO | REGULAR) == PSEUDO | REGULAR
    assert decode(HpackDecoder(), get + date + path).seen & (LATE_PSEUDO | REPEATED) == LATE_PSEUDO
    assert decode(HpackDecoder(), get + path + get).seen & (LATE_PSEUDO | REPEATED) == REPEATED


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 12, 13, 130])
def test_a_block_keeps_its_fields_in_order(count: int) -> None:
    fields = [header_field(f"n{number}", b"%d" % number) for number in range(count)]
    assert HeaderBlock(fields).fields == fields
    decoded = decode(HpackDecoder(), b"".join(literal(field.title.octets, field.value) for field in fields))
    assert pairs(decoded.fields) == pairs(fields) == decoded.pairs()
    assert decoded.count == count
    assert decoded.size == sum(field.size for field in fields)


@pytest.mark.parametrize(
    ("name", "triple"), [(b"tri-req-id", True), (b"tri-own", True), (b"tri", False), (b"x-tri-a", False)]
)
def test_names_of_triple(name: bytes, triple: bool) -> None:
    assert (decode(HpackDecoder(), b"\x82" + literal(name, b"1")).seen & TRIPLE != 0) is triple


@pytest.mark.parametrize("before", [0, 1, 125, 126, 127, 200])
def test_fields_are_found_by_name(before: int) -> None:
    other = literal(b"x", b"y", 0)
    block = decode(
        HpackDecoder(),
        b"\x82"
        + other * before
        + b"\x84"
        + literal(b"user-agent", b"1", 0)
        + literal(b"user-agent", b"2", 0)
        + literal(b"own", b"3"),
    )
    for name, value in ((":method", b"GET"), (":path", b"/"), ("user-agent", b"1")):
        found = block.get(well_known(name))
        assert found is not None and found.value == value
    found = block.get(header_name(b"own"))
    assert found is not None and found.value == b"3"
    for absent in (
        well_known(":status"),
        well_known("te"),
        well_known("server"),
        header_name(b"none"),
        well_known("grpc-status"),
    ):
        assert block.get(absent) is None


def test_a_cached_literal_is_the_right_one() -> None:
    """Values that differ in one octet only, at every place, three times each: none is taken for another."""
    for size in (1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 40, 127):
        for prefix in (b"", b"\x82" * 8):
            values = [bytes([97 + (at == changed) for at in range(size)]) for changed in range(-1, size)]
            for _ in range(3):
                for value in values:
                    length = bytes([size]) if size < 127 else b"\x7f\x00"
                    block = decode(HpackDecoder(), prefix + b"\x04" + length + value)
                    assert block.fields[-1].value == value
    for left, right in pairwise(
        (b"\x00\x01a\x01b", b"\x00\x01b\x01b", b"\x00\x81\x1f\x81\x1f", b"\x00\x01\x1f\x01\x1f")
    ):
        for _ in range(3):
            fields = [decode(HpackDecoder(), b"\x82" * 8 + wire).fields[-1] for wire in (left, right)]
            assert fields[0].title.octets != fields[1].title.octets


def test_a_name_whose_values_never_repeat_is_still_looked_for_now_and_then() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder()
    encoder.header_table_size = 0
    for number in range(200):
        block = encoder.encode([("traceparent", f"00-{number:032x}-0-01")])
        assert decode(decoder, block).fields[0].value == b"00-%032x-0-01" % number
    block = encoder.encode([("traceparent", "00-7-7-01")])
    found = [decode(decoder, block).fields[0] for _ in range(40)]
    assert {field.value for field in found} == {b"00-7-7-01"}
    assert found[-1] is found[-2], "by now it is kept"


def test_a_sensitive_literal_is_never_taken_from_the_cache() -> None:
    for _ in range(3):
        open_ = decode(HpackDecoder(), b"\x82" * 8 + literal(b"cookie", b"secret", 0x00)).fields[-1]
        closed = decode(HpackDecoder(), b"\x82" * 8 + literal(b"cookie", b"secret", 0x10)).fields[-1]
        assert not open_.sensitive and closed.sensitive


# Joined --------------------------------------------------------------------------------------------------------------


def test_what_came_before_the_join_is_said_to_be_unknown() -> None:
    decoder = HpackDecoder(joined=True)
    block = decode(decoder, b"\x82\xbe\xff\x41" + literal(b"a", b"1"))
    assert [field.known for field in block.fields] == [True, False, False, True]
    assert not block.known
    block = decode(decoder, b"\xbe\xbf")
    assert block.fields[0].known and pairs(block.fields[:1]) == [("a", b"1")]
    assert not block.fields[1].known and pairs(block.fields[1:]) == [("", b"")]
    assert repr(block.fields[1]) == "HeaderField(<unknown>, <unknown>)"


def test_a_literal_with_an_unknown_name_keeps_its_value() -> None:
    decoder = HpackDecoder(joined=True)
    field = decode(decoder, b"\x7f\x00\x011").fields[0]
    assert (field.known, field.value_known, field.name, field.value) == (False, True, "", b"1")
    assert decode(decoder, b"\xbe").fields[0] is field


def test_unknown_entries_end_when_the_table_is_emptied() -> None:
    decoder = HpackDecoder(joined=True)
    assert not decode(decoder, b"\xbe").known
    decode(decoder, b"\x20")
    assert failure(b"\xbe", decoder).seen == "index 62"
    decoder = HpackDecoder(joined=True)
    decode(decoder, b"\x3f\x45")  # 100 octets
    assert not decode(decoder, b"\xc0").known  # three entries may be there
    assert failure(b"\xc1", decoder).seen == "index 65"
    decoder = HpackDecoder(joined=True)
    decode(decoder, b"\x3f\x45" + literal(b"a", b"x" * 40))
    assert pairs(decode(decoder, b"\xbe").fields) == [("a", b"x" * 40)]
    assert failure(b"\xbf", decoder).seen == "index 63"  # 73 of 100 octets are taken, and an entry has 32


def test_a_table_of_unknown_size_is_remembered_up_to_64_kib() -> None:
    decoder = HpackDecoder(joined=True)
    for number in range(2000):
        decode(decoder, literal(b"name-%d" % number, b"x" * 100))
        assert decoder.table_size <= 65536
    assert decode(decoder, b"\xbe").fields[0].name == "name-1999"
    assert not decode(decoder, b"\xff\xd0\x0f").fields[0].known
    decode(decoder, b"\x3f\xe1\xff\xff\x0f")  # 32 Mi octets
    assert decoder.table_size <= 65536
    huge = b"x" * 70_000
    block = HpackDecoder(joined=True)
    field = decode(block, b"\x40\x01a\x7f\xf1\xa1\x04" + huge).fields
    assert not field  # it passes the list's limit …
    assert not decode(block, b"\xbe").known  # … and has its place in the table, but not in our memory


def test_octets_that_were_lost() -> None:
    decoder = HpackDecoder()
    decode(decoder, literal(b"a", b"1"))
    decoder.lose()
    assert not decode(decoder, b"\xbe").known
    decoder.set_table_limit(0)
    assert failure(b"\xbe", decoder).seen == "index 62"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60),
    st.integers(0, 59),
    st.sampled_from([4096, 200, 100]),
)
def test_a_join_never_tells_anything_wrong(steps: list[tuple[int, bool]], join: int, limit: int) -> None:
    """Beside a decoder that saw everything, one that joined later agrees wherever it claims to know."""
    whole = HpackDecoder(limit)
    late = HpackDecoder(joined=True)
    for number, (pick, insert) in enumerate(steps):
        known = len(whole.table)
        if insert or not known:
            wire = (
                literal(b"name-%d" % pick, b"%d" % number)
                if pick % 3
                else (b"\x7e\x02%02d" % pick if known else literal(b"n", b"v"))
            )
        else:
            wire = bytes([0x80 + 62 + pick % known])
        if number == 40:
            wire = b"\x3f\x31" + (wire if insert and wire[0] == 0x40 else literal(b"a", b"b"))  # 80
        expected = decode(whole, wire)
        if number < join:
            continue
        for ours, theirs in zip(decode(late, wire).fields, expected.fields, strict=True):
            if ours.known:
                assert (ours.name, ours.value) == (theirs.name, theirs.value)
            elif ours.value_known:
                assert ours.value == theirs.value


def test_no_more_than_a_mebibyte_is_remembered() -> None:
    """Peers may agree on any size; what falls out of memory is not known, which is no error."""
    decoder = HpackDecoder()
    decoder.set_table_limit(1 << 30)
    encoder = hpack.Encoder()
    encoder.header_table_size = 1 << 30
    for number in range(400):
        fields = [(f"x-{number}", "v" * 10_000)]
        (field,) = decode(decoder, encoder.encode(fields)).fields
        assert field.value == b"v" * 10_000
    assert decoder.table_size <= 1 << 20
    (old,) = decode(decoder, encoder.encode([("x-0", "v" * 10_000)])).fields
    assert not old.known
    (new,) = decode(decoder, encoder.encode([("x-399", "v" * 10_000)])).fields
    assert new.known and new.value == b"v" * 10_000
