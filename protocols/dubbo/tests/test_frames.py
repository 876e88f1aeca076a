"""Random frames, built from a description of the header in `construct`, and read here; both read the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import l7codecs
from l7codecs import Kind, Message, Opaque
from l7codecs.testing import Vector, check_cuts, replay
from l7codecs_dubbo import DubboEvent, DubboMessage, DubboRequest, DubboResponse

from .frames import FRAME, C, S

FLAGS = st.fixed_dictionaries(
    {"request": st.booleans(), "two_way": st.booleans(), "event": st.booleans(), "serialization": st.integers(0, 31)}
)
FIELDS = st.fixed_dictionaries(
    {
        "flags": FLAGS,
        "status": st.integers(0, 255),
        "id": st.integers(0, 2**64 - 1) | st.sampled_from((0, 1, 2**63 - 1, 2**63, 2**64 - 1)),
        "body": st.binary(max_size=40) | st.sampled_from((b"N", b"\x01R", b"", b"\xda\xbb", b"\xda")),
    }
)


def expected(fields: dict[str, Any]) -> tuple[type[DubboMessage], Kind]:
    """By the protocol's own words."""
    flags = fields["flags"]
    if not flags["event"]:
        if not flags["request"]:
            return DubboResponse, Kind.RESPONSE
        return DubboRequest, Kind.REQUEST if flags["two_way"] else Kind.ONEWAY
    if not flags["request"]:
        return DubboEvent, Kind.RESPONSE
    if flags["serialization"] == 2 and fields["body"] == b"\x01R":
        return DubboEvent, Kind.GOAWAY
    return DubboEvent, Kind.HEARTBEAT if flags["two_way"] else Kind.CONTROL


@given(st.lists(st.tuples(st.sampled_from((C, S)), FIELDS), max_size=8))
def test_frames_say_what_their_description_says(several: list[tuple[Any, dict[str, Any]]]) -> None:
    vector = Vector("random", tuple((sender, FRAME.build(fields)) for sender, fields in several))
    outcome = replay(l7codecs.open_session("dubbo"), vector)
    assert not outcome.errors
    assert len(outcome.events) == len(several)
    for event, (sender, fields) in zip(outcome.events, several, strict=True):
        assert isinstance(event, DubboMessage) and event.sender is sender
        again = FRAME.parse(event.raw)
        kind, meaning = expected(fields)
        assert isinstance(event, kind) and event.kind is meaning
        assert event.request_id == again.id == fields["id"]
        assert event.payload == again.body == fields["body"]
        assert event.status_octet == again.status == fields["status"]
        assert event.serialization_id == again.flags.serialization
        assert event.is_request is again.flags.request
        assert event.is_two_way is again.flags.two_way
        assert event.is_event is again.flags.event
        assert event.size == 16 + again.size == len(event.raw)
        assert event.renumbered(7) == FRAME.build({**fields, "id": 7})
        assert event.attributes["dubbo.request_id"] == fields["id"]
    check_cuts(lambda: l7codecs.open_session("dubbo"), vector)


@given(st.lists(FIELDS, min_size=1, max_size=4), st.lists(st.binary(max_size=20), min_size=4, max_size=4))
def test_text_between_frames_swallows_none(several: list[dict[str, Any]], texts: list[bytes]) -> None:
    """Whatever stands before a frame, each is found: text ends where the magic number begins."""
    texts = [text.replace(b"\xda", b"\n") for text in texts]
    frames = [FRAME.build(fields) for fields in several]
    octets = b"".join(text + frame for text, frame in zip(texts, frames, strict=False))
    vector = Vector("random", ((C, octets),))
    outcome = replay(l7codecs.open_session("dubbo"), vector)
    assert not outcome.errors
    assert [event.raw for event in outcome.events if isinstance(event, Message)] == frames
    opaque = b"".join(event.raw for event in outcome.events if isinstance(event, Opaque))
    assert opaque == b"".join(texts[: len(frames)])
    check_cuts(lambda: l7codecs.open_session("dubbo"), vector)
