"""The sides of each row of Thrift find the same in the same octets: a benchmark that compares unequal work is a defect."""

from __future__ import annotations

import pytest

from .thrift_octets import COUNT, framed, messages, reads
from .thrift_sides import ApacheCompact, ApacheWhole, CyHeads, CySkips, CyWhole, OurHeads, OurPicks, PyCompact

BINARY, COMPACT = messages(compact=False), messages(compact=True)
HEADS = [("echo", 1, number) for number in range(1, COUNT + 1)]


@pytest.mark.parametrize("octets", [BINARY, framed(BINARY), COMPACT, framed(COMPACT)])
def test_our_heads(octets: list[bytes]) -> None:
    assert OurHeads()(reads(octets)) == [("echo", "call", number) for number in range(1, COUNT + 1)]


def test_heads_of_peers() -> None:
    assert [tuple(each) for each in CyHeads()(framed(BINARY))] == HEADS
    assert [tuple(each) for each in CySkips()(BINARY)] == HEADS
    assert [tuple(each) for each in ApacheWhole()(BINARY)] == HEADS
    for is_framed in (True, False):
        assert [tuple(each) for each in PyCompact(is_framed)(COMPACT)] == HEADS
        assert [tuple(each) for each in ApacheCompact(is_framed)(COMPACT)] == HEADS


def test_fields() -> None:
    assert OurPicks()(reads(framed(BINARY))) == CyWhole()(BINARY) == ["far"] * COUNT
