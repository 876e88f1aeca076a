"""Fields to blocks: decoded by the PyPI package hpack and by our own decoder, with the tables compared."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from l7codecs_http2._hpack import HpackDecoder
from l7codecs_http2._hpack_encoder import HpackEncoder
from l7codecs_http2._static_table import NO_FIELD, HeaderField, header_field

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


def test_huffman_only_where_shorter() -> None:
    assert HpackEncoder().encode([header_field("age", b"12")]) == b"\x0f\x06\x0212"
    assert HpackEncoder().encode([header_field("age", b"123")]) == b"\x0f\x06\x82\x08\x99"


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
