"""Names that are known by their octets are those that the octets say."""

from __future__ import annotations

import random

from l7codecs_thrift._encoding.names import NO_NAME, find_name


def test_every_name_reads_as_its_octets() -> None:
    """Names of all sizes whose ends are the same, in the same few places, behind different octets."""
    chosen = random.Random(11)
    known = [b""]
    for _ in range(3000):
        size = chosen.choice([1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 40, 255, 256, 257, 300])
        middle = bytes(chosen.choice(b"ab:\xff") for _ in range(max(0, size - 16)))
        known.append((b"abcdefgh" + middle + b"stuvwxyz")[:size] if chosen.random() < 0.5 else middle[:size])
    for octets in known + known[::-1]:
        before = bytes(chosen.randrange(256) for _ in range(chosen.randrange(12)))
        found = find_name(before + octets + b"behind", len(before), len(before) + len(octets))
        text = octets.decode("utf-8", "replace")
        service, _, method = text.rpartition(":")
        assert (found.text, found.service, found.method) == (text, service or None, method or None)


def test_a_name_is_read_once() -> None:
    """It is found again wherever it stands; a larger one, and one before which there is too little, are not kept."""
    one = find_name(b"12345678Shop:placeOrder", 8, 23)
    assert find_name(b"something else before Shop:placeOrder and behind", 22, 37) is one
    short = find_name(b"12345678ab", 8, 10)
    assert find_name(b"xxxxxxxxxxxxxxab", 14, 16) is short
    assert find_name(b"ab", 0, 2) is not short
    long = b"x" * 257
    assert find_name(long, 0, 257) is not find_name(long, 0, 257)
    assert find_name(b"12345678", 8, 8) is NO_NAME
