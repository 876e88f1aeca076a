"""Fields to blocks: decoded by the PyPI package hpack and by our own decoder, with the tables compared."""

import random

import hpack
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from l7codecs_http2._hpack.decoder import HpackDecoder
from l7codecs_http2._hpack.encoder import HpackEncoder
from l7codecs_http2._hpack.huffman_table import SIZES
from l7codecs_http2._hpack.static_table import NO_FIELD, HeaderField, header_field

from l7codecs import ProtocolError, Unsupported

Triple = tuple[bytes, bytes, bool]

NAMES = [
    b":path",
    b":method",
    b":status",
    b"cookie",
    b"authorization",
    b"te",
    b"grpc-timeout",
    b"x-a",
    b"x-b",
    b"content-type",
    b"etag",
]
FIELDS = st.tuples(
    st.sampled_from(NAMES) | st.binary(max_size=12),
    st.sampled_from([b"", b"GET", b"200", b"/", b"/a.B/C", b"trailers", b"x" * 150]) | st.binary(max_size=40),
    st.sampled_from([False, False, False, True]),
)
STEPS = st.lists(
    st.tuples(st.none() | st.sampled_from([0, 31, 40, 100, 200, 4096, 10_000]), st.lists(FIELDS, max_size=8)),
    max_size=12,
)


def fields_of(triples: list[Triple]) -> list[HeaderField]:
    return [header_field(*triple) for triple in triples]


def triples_of(fields: list[HeaderField]) -> list[Triple]:
    return [(field.title.octets, field.value, field.sensitive) for field in fields]


def peer_decode(decoder: hpack.Decoder, block: bytes) -> list[Triple]:
    return [(bytes(h[0]), bytes(h[1]), not h.indexable) for h in decoder.decode(block, raw=True)]


def ours(decoder: HpackDecoder, block: bytes) -> list[HeaderField]:
    return decoder.decode(block, 0, len(block)).fields


def check_decoded(found: list[Triple], sent: list[Triple]) -> None:
    assert [triple[:2] for triple in found] == [triple[:2] for triple in sent]
    for (_, _, closed), (_, _, asked) in zip(found, sent, strict=True):
        assert closed or not asked  # never-indexed stays so


@given(STEPS)
def test_hpack_and_our_decoder_read_what_we_encode(steps: list[tuple[int | None, list[Triple]]]) -> None:
    encoder = HpackEncoder()
    peer = hpack.Decoder()
    peer.max_header_list_size = 1 << 20
    decoder = HpackDecoder()
    for limit, triples in steps:
        if limit is not None:
            encoder.set_table_limit(limit)
            decoder.set_table_limit(limit)
            peer.max_allowed_table_size = limit
        block = encoder.encode(fields_of(triples))
        if block:
            check_decoded(peer_decode(peer, block), triples)
        decoded = ours(decoder, block)
        check_decoded(triples_of(decoded), triples)
        assert triples_of(encoder.table) == triples_of(decoder.table)
        assert encoder.table_size == decoder.table_size
        if block:
            assert [(bytes(n), bytes(v)) for n, v in peer.header_table.dynamic_entries] == [
                t[:2] for t in triples_of(encoder.table)
            ]


@given(STEPS)
def test_we_read_what_hpack_encodes(steps: list[tuple[int | None, list[Triple]]]) -> None:
    encoder = hpack.Encoder()
    decoder = HpackDecoder()
    for limit, triples in steps:
        if limit is not None:
            encoder.header_table_size = limit
            decoder.set_table_limit(limit)
        block = encoder.encode(
            [hpack.NeverIndexedHeaderTuple(n, v) if s else hpack.HeaderTuple(n, v) for n, v, s in triples]
        )
        if not block:
            continue  # hpack says the new size in a block of its own; ours waits for a field too
        found = triples_of(ours(decoder, block))
        assert [triple[:2] for triple in found] == [triple[:2] for triple in triples]
        # hpack sends a sensitive field as an index if an equal one is in the table.
        assert all(asked or not closed for (_, _, closed), (_, _, asked) in zip(found, triples, strict=True))
        assert [t[:2] for t in triples_of(decoder.table)] == [
            (bytes(n), bytes(v)) for n, v in encoder.header_table.dynamic_entries
        ]


@given(st.binary(max_size=60), st.sampled_from([0, 64, 4096]))
@settings(max_examples=300)
def test_any_octets_give_fields_or_a_protocol_error(octets: bytes, limit: int) -> None:
    for joined in (False, True):
        decoder = HpackDecoder(limit, 1000, joined)
        error = None
        try:
            fields = ours(decoder, octets)
        except ProtocolError as caught:
            error = caught
        if error is not None:
            assert 0 <= error.offset <= len(octets)
            assert error.seen and error.expected and error.spec.startswith("RFC 7541 §")
        else:
            again = [field for field in fields if field.known]
            check_decoded(triples_of(ours(HpackDecoder(), HpackEncoder().encode(again))), triples_of(again))


def test_what_is_indexed() -> None:
    encoder = HpackEncoder()
    sent = [
        header_field(":path", b"/shop.Orders/Place"),
        header_field("content-type", b"application/grpc"),
        header_field("authorization", b"Bearer 1"),
        header_field("cookie", b"short"),
        header_field("cookie", b"long enough not to be guessed"),
        header_field("content-length", b"17"),
        header_field("x-own", b"1", sensitive=True),
    ]
    first = triples_of(ours(HpackDecoder(), encoder.encode(sent)))
    assert [closed for _, _, closed in first] == [False, False, True, True, False, False, True]
    assert [field.name for field in encoder.table] == ["cookie", "content-type"]
    encoder.encode(sent[:1])  # a path that comes again
    assert [field.name for field in encoder.table] == [":path", "cookie", "content-type"]
    assert encoder.encode(sent[:2]) == b"\xbe\xc0"


def test_values_that_never_repeat_do_not_flush_the_table() -> None:
    encoder, decoder = HpackEncoder(), HpackDecoder()
    agent = header_field("user-agent", b"grpc-python/1.76.0")
    for number in range(300):
        fresh = [header_field(name, b"%s-%040d" % (name.encode(), number)) for name in ("x-request-id", "x-own-id")]
        block = encoder.encode([agent, *fresh])
        assert triples_of(ours(decoder, block)) == triples_of([agent, *fresh])
    # One of each stands in the table for its name; then come those few whose tag is that of one before.
    assert 1 <= sum(field.name == "x-request-id" for field in encoder.table) <= 10
    assert 1 <= sum(field.name == "x-own-id" for field in encoder.table) <= 15
    assert len(encoder.encode([agent])) == 1


def test_values_that_repeat_are_indexed_whatever_their_name() -> None:
    for name in ("traceparent", "x-request-id", "etag", "set-cookie", "content-length", ":path", "x-own"):
        encoder = HpackEncoder()
        values = [header_field(name, b"value %d" % number) for number in range(16)]
        sizes = [[len(encoder.encode([field])) for field in values] for _ in range(4)]
        assert sizes[2] == sizes[3] == [1] * 16, name
        assert len(encoder.encode([header_field(name, b"another one")])) > 1  # by now a new one goes in at once
        assert len(encoder.encode([header_field(name, b"another one")])) == 1


@pytest.mark.parametrize("fresh", [False, True])
def test_blocks_of_a_grpc_client_are_as_small_as_those_of_hpack(fresh: bool) -> None:
    source = random.Random(7541)
    ids = [b"%032x" % source.getrandbits(128) for _ in range(16)]
    encoder, peer = HpackEncoder(), hpack.Encoder()
    octets = peer_octets = 0
    for _ in range(500):
        fields = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/shop.Orders/" + source.choice((b"Get", b"List", b"Create", b"Update"))),
            (b":authority", b"orders.shop.svc.cluster.local:50051"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
            (b"grpc-timeout", b"%dm" % source.randrange(1000, 30_000) if fresh else b"5S"),
            (b"traceparent", b"00-%032x-%016x-01" % (source.getrandbits(128), 7) if fresh else source.choice(ids)),
            (b"x-request-id", b"%032x" % source.getrandbits(128) if fresh else source.choice(ids)),
        ]
        octets += len(encoder.encode([header_field(name, value) for name, value in fields]))
        peer_octets += len(peer.encode(fields))
    assert octets <= peer_octets * (0.95 if fresh else 1.15)  # each id is sent twice before it goes in


def test_huffman_only_where_shorter() -> None:
    assert HpackEncoder().encode([header_field("age", b"12")]) == b"\x0f\x06\x0212"
    assert HpackEncoder().encode([header_field("age", b"123")]) == b"\x0f\x06\x82\x08\x99"


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_strings_are_as_long_as_those_of_hpack(value: bytes) -> None:
    """A literal of :path, not to be indexed; hpack Huffman-codes even where that is longer."""
    assume(value not in (b"/", b"/index.html"))  # they are in the static table
    wire = HpackEncoder(0).encode([header_field(":path", value)])
    size, coded = len(value), (sum(SIZES[octet] for octet in value) + 7) // 8
    shortest = min(size, coded)
    assert len(wire) == 2 + (1 if shortest < 127 else 2 if shortest < 255 else 3) + shortest
    assert ours(HpackDecoder(), wire)[0].value == value


def test_sizes_are_announced_smallest_first() -> None:
    encoder = HpackEncoder()
    encoder.set_table_limit(100)
    encoder.set_table_limit(4096)
    encoder.set_table_limit(1000)
    assert encoder.encode([header_field(":method", b"GET")]) == bytes.fromhex("3f45 3fc907 82")
    assert encoder.encode([header_field(":method", b"GET")]) == b"\x82"
    encoder.set_table_limit(1000)
    assert encoder.encode([]) == b""
    assert HpackEncoder(0).encode([]) == b"\x20"


def test_a_field_that_is_not_known_is_not_sent() -> None:
    encoder = HpackEncoder()
    with pytest.raises(Unsupported):
        encoder.encode([header_field("a", b"1"), NO_FIELD])
    assert encoder.table == []
    with pytest.raises(ValueError, match="-1 octets"):
        encoder.set_table_limit(-1)


def test_a_block_that_is_known_is_what_would_be_encoded() -> None:
    """Lists that come again, between others and changes of the table, beside an encoder that knows none."""
    chance = random.Random(9)
    lists = [
        fields_of([(chance.choice(NAMES), chance.choice([b"GET", b"/", b"a", b"b", b"x" * 30]), chance.random() < 0.1) for _ in range(5)])
        for _ in range(12)
    ]  # fmt: skip
    known, plain = HpackEncoder(), HpackEncoder()
    again = 0
    for _ in range(20_000):
        if chance.random() < 0.002:
            size = chance.choice([0, 100, 300, 4096])
            known.set_table_limit(size)
            plain.set_table_limit(size)
        few = chance.random() < 0.97
        fields = chance.choice(lists[:3] if few else lists)
        if chance.random() < 0.01:
            fields = [*fields, header_field(b"x-id", b"%d" % chance.randrange(10**9), False)]
        plain._known.clear()
        again += any(each.is_of(fields) for each in known._known)
        assert known.encode(fields) == plain.encode(fields)
    assert again > 1000
