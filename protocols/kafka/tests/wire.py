"""Messages for tests, made of the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import l7codecs
from l7codecs import Limits, Message, Sender, Session, Shared
from l7codecs_kafka import KafkaRequest, KafkaResponse
from l7codecs_kafka._schema.layouts import api, apis, layout
from l7codecs_kafka._schema.values import encode

C, S = Sender.CLIENT, Sender.SERVER
KEYS = {each.name: each.key for each in apis()}


def frame(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def request(name: str, version: int, number: int, client_id: bytes | None = b"me", **fields: Any) -> bytes:
    """A request with these fields; all others have their defaults."""
    key = KEYS[name]
    found = layout(key, version, False)
    assert found is not None
    head = key.to_bytes(2, "big") + version.to_bytes(2, "big") + number.to_bytes(4, "big", signed=True)
    head += b"\xff\xff" if client_id is None else len(client_id).to_bytes(2, "big") + client_id
    return frame(head + (b"\0" if found.header_version == 2 else b"") + encode(found, fields))


def answer(name: str, version: int, number: int, **fields: Any) -> bytes:
    """An answer to such a request."""
    found = layout(KEYS[name], version, True)
    assert found is not None
    head = number.to_bytes(4, "big", signed=True) + (b"\0" if found.header_version == 1 else b"")
    return frame(head + encode(found, fields))


def opened(shared: Shared | None = None, limits: Limits | None = None, endpoint: Sender | None = None) -> Session:
    return l7codecs.get_protocol("kafka").open(shared=shared, limits=limits or Limits(), endpoint=endpoint)


def said(session: Session, *pieces: tuple[Sender, bytes]) -> list[Any]:
    """All events of these pieces."""
    return [event for sender, octets in pieces for event in session.receive(sender, octets)]


def pairs(events: Iterable[Any]) -> list[tuple[int, int | None]]:
    """Of each answer its number, and the offset of its request."""
    return [
        (each.correlation_id, None if each.request is None else each.request.offset)
        for each in events
        if isinstance(each, KafkaResponse)
    ]


__all__ = [
    "KEYS",
    "C",
    "KafkaRequest",
    "KafkaResponse",
    "Message",
    "S",
    "answer",
    "api",
    "frame",
    "opened",
    "pairs",
    "request",
    "said",
]
