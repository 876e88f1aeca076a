"""What a client waits for is found as a dictionary would find it, in whatever order it is answered."""

from __future__ import annotations

import random

import pytest

from l7codecs import Kind, Message, Sender
from l7codecs.message import Flow
from l7codecs.proxy.downstream.asks import Ask, Asks

FLOW = Flow("toy")


def asked() -> Ask:
    return Ask("in", Message(FLOW, Sender.CLIENT, Kind.REQUEST, 0, b"x", 0, 1), 0.0, False)


@pytest.mark.parametrize("reach", [1, 3, 15, 60, 500])
def test_asks_are_found(reach: int) -> None:
    """`reach` is how many may be answered before the first of them."""
    chance = random.Random(reach)
    asks = Asks()
    known: dict[Message, Ask] = {}
    gone = asked()
    for _ in range(6000):
        if len(known) < reach * 2 and chance.random() < 0.52:
            ask = asked()
            asks.add(ask)
            known[ask.request] = ask
        elif known:
            request = list(known)[chance.randrange(min(reach, len(known)))]
            assert asks.find(request) is known[request]
            if chance.random() < 0.8:
                gone = known.pop(request)
                asks.remove(gone)
                assert gone.following is None and gone.before is None
        assert asks.find(gone.request) is None
        assert asks.count == len(known)
        assert (asks.first is None) is (not known)
    assert asks.each() == list(known.values())
    asks.remove(gone)
    assert asks.count == len(known)
