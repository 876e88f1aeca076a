"""Frames of requests and answers, put together from their fields."""

from __future__ import annotations

from l7codecs_kafka._schema.layouts import Layout, Value, layout
from l7codecs_kafka._schema.values import decode, encode

Body = dict[str, Value]


def of(key: int, version: int, response: bool) -> Layout:
    found = layout(key, version, response)
    assert found is not None
    return found


def framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def ask(
    key: int, version: int, number: int, value: Body | bytes, client: str | None = "me", tags: bytes = b"\0"
) -> bytes:
    """A request; `tags` are those of its header where it has such."""
    known = of(key, version, False)
    header = key.to_bytes(2, "big") + version.to_bytes(2, "big") + number.to_bytes(4, "big", signed=True)
    if known.header_version > 0:
        name = b"" if client is None else client.encode()
        header += (-1 if client is None else len(name)).to_bytes(2, "big", signed=True) + name
    if known.header_version > 1:
        header += tags
    return framed(header + (value if isinstance(value, bytes) else encode(known, value)))


def answer(key: int, version: int, number: int, value: Body | bytes, tags: bytes = b"\0") -> bytes:
    """The answer to it."""
    known = of(key, version, True)
    header = number.to_bytes(4, "big", signed=True) + (tags if known.header_version > 0 else b"")
    return framed(header + (value if isinstance(value, bytes) else encode(known, value)))


def read_answer(key: int, version: int, octets: bytes) -> tuple[int, Body]:
    """The correlation id and the fields of one answer, to its last octet."""
    known = of(key, version, True)
    assert int.from_bytes(octets[:4], "big") == len(octets) - 4
    start = 8 + (1 if known.header_version > 0 else 0)
    value, at = decode(known, octets, start, len(octets))
    assert at == len(octets)
    return int.from_bytes(octets[4:8], "big", signed=True), value


def read_request(key: int, version: int, octets: bytes) -> tuple[int, str | None, Body]:
    """The correlation id, the client id and the fields of one request, to its last octet."""
    known = of(key, version, False)
    assert int.from_bytes(octets[:4], "big") == len(octets) - 4
    assert octets[4:8] == key.to_bytes(2, "big") + version.to_bytes(2, "big")
    size = int.from_bytes(octets[12:14], "big", signed=True)
    client = octets[14 : 14 + size].decode() if size >= 0 else None
    start = 14 + max(size, 0) + (1 if known.header_version > 1 else 0)
    value, at = decode(known, octets, start, len(octets))
    assert at == len(octets)
    return int.from_bytes(octets[8:12], "big", signed=True), client, value
