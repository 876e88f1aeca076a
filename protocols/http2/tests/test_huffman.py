"""The Huffman code against RFC 7541 Appendix C's strings and against the PyPI package hpack, which has its own implementation."""

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman as peer_decode
from hypothesis import given
from hypothesis import strategies as st
from l7codecs_http2._hpack.huffman import (
    BAD_OCTET,
    DECODED,
    EOS_SEEN,
    PADDING_LONG,
    PADDING_ZERO,
    decode_huffman,
    encode_huffman,
    huffman_bits,
)
from l7codecs_http2._hpack.huffman_table import CODES, SIZES
from librt.strings import BytesWriter

PEER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)

# RFC 7541 C.4 and C.6.
STRINGS = {
    "f1e3c2e5f23a6ba0ab90f4ff": b"www.example.com",
    "a8eb10649cbf": b"no-cache",
    "25a849e95ba97d7f": b"custom-key",
    "25a849e95bb8e8b4bf": b"custom-value",
    "6402": b"302",
    "aec3771a4b": b"private",
    "d07abe941054d444a8200595040b8166e082a62d1bff": b"Mon, 21 Oct 2013 20:13:21 GMT",
    "9d29ad171863c78f0b97c8e9ae82ae43d3": b"https://www.example.com",
    "640eff": b"307",
    "9bd9ab": b"gzip",
    "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007": (
        b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
    ),
}


def decode(octets: bytes, before: bytes = b"", after: bytes = b"") -> tuple[int, bytes]:
    out = BytesWriter()
    result = decode_huffman(before + octets + after, len(before), len(before) + len(octets), out)
    return result, out.getvalue()


def encode(octets: bytes) -> bytes:
    out = BytesWriter()
    encode_huffman(octets, out)
    return out.getvalue()


def bits(text: str) -> bytes:
    """The octets of a string of 0 and 1, padded with ones."""
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def code(symbol: int) -> str:
    return f"{CODES[symbol]:0{SIZES[symbol]}b}"


@pytest.mark.parametrize("wire", STRINGS)
def test_the_strings_of_the_rfc(wire: str) -> None:
    octets = bytes.fromhex(wire)
    assert decode(octets) == (DECODED, STRINGS[wire])
    assert encode(STRINGS[wire]) == octets


@pytest.mark.parametrize("symbol", range(256))
def test_every_octet_at_every_bit(symbol: int) -> None:
    # "0" has a code of 5 bits, so that the code in question begins at every place of the window.
    expected = BAD_OCTET if symbol in (0, 10, 13) else DECODED
    for before in range(13):
        for behind in range(3):
            text = b"0" * before + bytes([symbol]) + b"0" * behind
            assert decode(encode(text)) == (expected, text)


@given(st.binary(max_size=200), st.binary(max_size=9), st.binary(max_size=9))
def test_both_ways_with_any_neighbours(octets: bytes, before: bytes, after: bytes) -> None:
    wire = encode(octets)
    assert wire == PEER.encode(octets)
    assert huffman_bits(octets) == sum(SIZES[octet] for octet in octets)
    result, decoded = decode(wire, before, after)
    assert decoded == octets
    assert result == (BAD_OCTET if set(octets) & {0, 10, 13} else DECODED)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300))
def test_text(text: str) -> None:
    octets = text.encode()
    wire = encode(octets)
    assert wire == PEER.encode(octets)
    assert decode(wire) == (DECODED, octets)


def check_same_as_peer(wire: bytes) -> None:
    try:
        expected = peer_decode(wire)
    except HPACKDecodingError:
        expected = None
    result, decoded = decode(wire)
    assert (decoded if result >= 0 else None) == expected


@given(st.binary(max_size=40))
def test_any_octets_are_accepted_or_refused_as_by_hpack(wire: bytes) -> None:
    check_same_as_peer(wire)


@given(st.binary(max_size=30), st.integers(0, 60), st.integers(0, 255))
def test_damaged_strings_are_accepted_or_refused_as_by_hpack(octets: bytes, at: int, octet: int) -> None:
    wire = bytearray(encode(octets))
    if wire:
        wire[at % len(wire)] = octet
    check_same_as_peer(bytes(wire))
    check_same_as_peer(bytes(wire[:-1]))
    check_same_as_peer(bytes(wire) + b"\xff")


@pytest.mark.parametrize(
    ("wire", "result"),
    [
        (b"", DECODED),
        (b"\xff", PADDING_LONG),  # 8 bits of padding and no octet
        (b"\xff\xff", PADDING_LONG),
        (b"\xff\xff\xff", PADDING_LONG),
        (b"\xff\xff\xff\xff", EOS_SEEN),
        (b"\xff\xff\xff\xfc", EOS_SEEN),  # its 30 bits, then 00
        (b"\x00", PADDING_ZERO),  # "0", then 000
        (b"\x07\xff", PADDING_LONG),  # "0", then 11 ones
        (b"\x06", PADDING_ZERO),  # "0", then 110
        (bits(code(97) + code(256)), EOS_SEEN),
        (bits(code(92))[:-1], PADDING_LONG),  # the code of "\\" is 19 bits
        (bits(code(97) * 40 + code(10)), BAD_OCTET),
        (bits(code(0)), BAD_OCTET),
        (bits(code(9)), DECODED),
    ],
)
def test_the_end_of_a_string(wire: bytes, result: int) -> None:
    assert decode(wire)[0] == result
    assert decode(wire, b"0000000000", b"\xff" * 10)[0] == result
