"""Beside nghttp2's own inflater, called by ctypes: it reads what we encode, and it accepts and refuses what we do."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from l7codecs_http2._hpack.decoder import HpackDecoder
from l7codecs_http2._hpack.encoder import HpackEncoder
from l7codecs_http2._hpack.static_table import header_field

from l7codecs import ProtocolError
from l7codecs.testing import load_tool

pytestmark = pytest.mark.interop

_inflate = load_tool(Path(__file__).resolve().parent.parent / "tools", "nghttp2_inflate")
Triple = tuple[bytes, bytes, bool]


def Inflater() -> Any:  # noqa: N802  # it stands for the class
    try:
        return _inflate.Inflater()
    except OSError:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("libnghttp2 is not installed")
        pytest.skip("libnghttp2 is not installed")


def ours(decoder: HpackDecoder, block: bytes) -> list[Triple] | None:
    try:
        fields = decoder.decode(block, 0, len(block)).fields
    except ProtocolError:
        return None
    return [(field.title.octets, field.value, field.sensitive) for field in fields]


NAMES = [
    b":path",
    b":status",
    b"cookie",
    b"te",
    b"grpc-timeout",
    b"x-a",
    b"content-type",
    b"etag",
    b"a" * 40,
    b"b\x00",
    b"",
]


def some_fields(source: random.Random) -> list[Triple]:
    fields = []
    for _ in range(source.randrange(8)):
        size = source.choice((0, 1, 3, 10, 30, 200))
        octets = bytes(source.choice((source.randrange(256), 48 + source.randrange(60))) for _ in range(size))
        value = source.choice((octets, octets, b"GET", b"/", b"200", b"/a.B/C", b"application/grpc"))
        fields.append((source.choice(NAMES), value, source.random() < 0.1))
    return fields


@pytest.mark.parametrize("seed", range(40))
def test_nghttp2_reads_what_we_encode(seed: int) -> None:
    source = random.Random(seed)
    inflater, encoder, decoder = Inflater(), HpackEncoder(), HpackDecoder()
    try:
        for _ in range(60):
            if source.random() < 0.2:
                for _ in range(source.randrange(1, 3)):
                    size = source.choice((0, 64, 100, 300, 4096, 8192))
                    inflater.set_table_limit(size)
                    encoder.set_table_limit(size)
                    decoder.set_table_limit(size)
            sent = some_fields(source)
            block = encoder.encode([header_field(*triple) for triple in sent])
            if not block:
                continue
            found = inflater.decode(block)
            assert found is not None
            assert [triple[:2] for triple in found] == [triple[:2] for triple in sent]
            assert found == ours(decoder, block)
            assert all(closed or not asked for (_, _, closed), (_, _, asked) in zip(found, sent, strict=True))
    finally:
        inflater.close()


def damaged(block: bytes, source: random.Random) -> bytes:
    """`block`, cut, extended, or with a few octets or bits changed; or octets of no meaning."""
    octets = bytearray(block)
    for _ in range(source.randrange(1, 4)):
        what = source.randrange(6)
        at = source.randrange(len(octets) + 1)
        if what == 0:
            del octets[at:]
        elif what == 1:
            octets[at:at] = bytes([source.choice((0x00, 0x10, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xBE, 0xFF, 0x0F))])
        elif what == 2 and at < len(octets):
            octets[at] ^= 1 << source.randrange(8)
        elif what == 3 and at < len(octets):
            octets[at] = source.randrange(256)
        elif what == 4:
            octets[at:at] = source.randbytes(source.randrange(8))
        else:
            octets[0:0] = source.choice((b"\x20", b"\x3f\x45", b"\x3f\xe1\x1f", b"\x3f\xff\x1f", b"\x3f\x80\x80\x00"))
    return bytes(octets)


@pytest.mark.parametrize("seed", range(60))
def test_the_same_blocks_are_accepted_and_refused(seed: int) -> None:
    source = random.Random(1000 + seed)
    refused = accepted = 0
    for _ in range(120):
        inflater, encoder, decoder = Inflater(), HpackEncoder(), HpackDecoder(4096, 1 << 40)
        try:
            for step in range(4):
                if source.random() < 0.2:
                    size = source.choice((0, 64, 100, 4096, 8192))
                    inflater.set_table_limit(size)
                    decoder.set_table_limit(size)
                    if source.random() < 0.8:
                        encoder.set_table_limit(size)
                block = encoder.encode([header_field(*triple) for triple in some_fields(source)])
                if step and source.random() < 0.7:
                    block = damaged(block, source)
                expected, found = inflater.decode(block), ours(decoder, block)
                assert found == expected, block.hex()
                if expected is None:
                    refused += 1
                    break
                accepted += 1
        finally:
            inflater.close()
    assert refused > 10 and accepted > 10
