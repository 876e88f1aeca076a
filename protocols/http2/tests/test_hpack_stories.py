"""The stories of http2jp/hpack-test-case. They are not part of this repository: L7CODECS_CAPTURES names the folder that holds them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from l7codecs_http2._hpack.decoder import HpackDecoder
from l7codecs_http2._hpack.encoder import HpackEncoder
from l7codecs_http2._hpack.static_table import header_field

CAPTURES = os.environ.get("L7CODECS_CAPTURES", "")
pytestmark = pytest.mark.skipif(not CAPTURES, reason="L7CODECS_CAPTURES is not set")
FOLDER = Path(CAPTURES) / "http2jp+hpack-test-case"
STORIES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/story_*.json")) if CAPTURES else []
ENCODED = [story for story in STORIES if not story.startswith("raw-data/")]


def cases(story: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((FOLDER / story).read_text())["cases"]
    return loaded


def headers(case: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(name, value.encode("utf-8")) for header in case["headers"] for name, value in header.items()]


def test_there_are_stories() -> None:
    assert ENCODED and len(ENCODED) < len(STORIES)


@pytest.mark.parametrize("story", ENCODED)
def test_a_story_decodes(story: str) -> None:
    decoder = HpackDecoder()
    for case in cases(story):
        if "header_table_size" in case:
            decoder.set_table_limit(case["header_table_size"])
        wire = bytes.fromhex(case["wire"])
        assert decoder.decode(wire, 0, len(wire)).pairs() == headers(case)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("size", [4096, 256, 0])
def test_a_story_encoded_by_us_decodes(story: str, size: int) -> None:
    encoder = HpackEncoder(size)
    decoder = HpackDecoder(4096)
    for case in cases(story):
        wire = encoder.encode([header_field(name, value) for name, value in headers(case)])
        assert decoder.decode(wire, 0, len(wire)).pairs() == headers(case)
        assert decoder.table_size == encoder.table_size <= size


@pytest.mark.parametrize("story", ENCODED)
def test_a_story_joined_in_its_middle_tells_nothing_wrong(story: str) -> None:
    every = cases(story)
    decoder = HpackDecoder(joined=True)
    for case in every[len(every) // 2 :]:
        wire = bytes.fromhex(case["wire"])
        fields = decoder.decode(wire, 0, len(wire)).fields
        for field, (name, value) in zip(fields, headers(case), strict=True):
            assert not field.known or (field.name, field.value) == (name, value)
