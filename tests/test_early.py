"""Answers that wait by their places: the same as a dictionary of them would say, and no reads kept for long."""

from __future__ import annotations

import random

import pytest

from l7codecs import Kind, Message, Sender
from l7codecs.endpoint.early import Early
from l7codecs.endpoint.held import AT_ONCE
from l7codecs.message import Flow

FLOW = Flow("toy")


def answer(octets: bytes, start: int = 0, stop: int | None = None) -> Message:
    return Message(FLOW, Sender.SERVER, Kind.RESPONSE, 0, octets, start, len(octets) if stop is None else stop)


@pytest.mark.parametrize("span", [3, 80, 1000])
def test_places_say_what_a_dictionary_does(span: int) -> None:
    chance = random.Random(span)
    early = Early()
    waiting: dict[int, Message] = {}
    head = 0
    for _ in range(4000):
        if chance.random() < 0.55:
            place = head + chance.randrange(1, span)
            message = answer(b"x")
            assert early.keep(place, head, message) is (place not in waiting)
            waiting.setdefault(place, message)
        else:
            for _ in range(chance.randrange(1, 4)):
                assert early.has_at(head) is (head in waiting)
                assert early.take_next(head) is waiting.pop(head, None)
                head += 1
            if waiting and chance.random() < 0.2:
                place = chance.choice(list(waiting))
                assert early.take_at(place) is waiting.pop(place)
        assert early.count == len(waiting)
    assert early.take_at(-1) is None and not early.has_at(-1)


def test_a_few_reads_are_kept_and_no_more() -> None:
    early = Early()
    read = bytes(AT_ONCE // 2)
    kept = [answer(bytes(bytearray(read)), 100, 110) for _ in range(40)]
    for place, each in enumerate(kept):
        assert early.keep(place + 1, 0, each)
        pinned = {id(one.octets): len(one.octets) for one in kept[: place + 1]}
        assert sum(pinned.values()) <= 2 * AT_ONCE + 10 * len(kept)
    assert [early.take_at(place + 1) for place in range(len(kept))] == kept
    assert all(each.raw == bytes(10) for each in kept)
