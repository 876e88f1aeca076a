"""Ids of topics: 16 octets, written as a UUID. Apart from `topics`, which is interpreted: ids become text wherever no name is known."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

__all__ = ["NO_TOPIC", "Learnt", "topic_text"]

NO_TOPIC: Final = bytes(16)
"""The id of no topic."""
_texts: Final[dict[bytes, str]] = {}
"""Those that were asked for lately: a connection speaks of few topics, over and over."""
_TEXTS: Final = 512


@final
class Learnt:
    """How many names were learnt: a number that every message takes down."""

    def __init__(self) -> None:
        self.count: i64 = 0


def topic_text(topic: bytes) -> str:
    """The id of a topic as a UUID: ``e5532d07-ce2f-4236-a640-526fe54d905e``."""
    found = _texts.get(topic)
    if found is None:
        text = topic.hex()
        found = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
        if len(_texts) >= _TEXTS:
            _texts.clear()
        _texts[topic] = found
    return found
