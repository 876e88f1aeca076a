"""Messages of HTTP written anew: the head keeps its lines, but for the fields that change and the one that tells the size.

A body that does not change keeps its octets, its chunks and its coding. One that does is one chunk, where it came in chunks; of one that
streams, so is what has come of it, and the rest of the chunk that has not is another.
"""

from __future__ import annotations

from typing import Final

from l7codecs import Unsupported

from .._meaning.messages import ThriftMessage
from .._transport.http import chunk_spans, coding_bits, deflated_body
from .given import Given
from .recoding import recoded

__all__ = ["posted"]

_FIXED: Final = ("content-length", "transfer-encoding", "content-encoding")
_SEPARATORS: Final = frozenset('"(),/:;<=>?@[\\]{}')


def posted(message: ThriftMessage, whole: bytes, grown: int, given: Given | None) -> bytes:
    """`message` with `whole` in its body, which is larger by `grown`, and with the fields that are `given`.

    Raises:
        Unsupported: such a field cannot change, or the body is too large once it is inflated.
        ValueError: such a field cannot be written.
    """
    raw = message.raw
    stop = _head_stop(raw)
    body = raw[stop:]
    lines = raw[:stop].split(b"\n")
    if whole != message.plain[message.head_start : message.body_stop]:
        body, length = _body(message, raw, stop, whole, grown)
        for index, line in enumerate(lines):
            if _name(line) == "content-length":
                lines[index] = line.partition(b":")[0] + b": %d" % length + (b"\r" if line.endswith(b"\r") else b"")
    if given is not None:
        lines = _changed(lines, given)
    return b"\n".join(lines) + body


def _head_stop(raw: bytes) -> int:
    """Where the head ends: behind the first line that is empty."""
    at = 0
    while True:
        end = raw.find(b"\n", at)
        if end < 0:
            return len(raw)
        if at > 0 and raw[at:end] in (b"", b"\r"):
            return end + 1
        at = end + 1


def _body(message: ThriftMessage, raw: bytes, stop: int, whole: bytes, grown: int) -> tuple[bytes, int]:
    """What stands behind the head, and the content-length."""
    chunked = any(_name(line) == "transfer-encoding" for line in raw[:stop].split(b"\n"))
    spans, missing = chunk_spans(raw, stop) if chunked else ([(stop, len(raw))], 0)
    said = whole
    if message.transforms:
        coded = raw[spans[0][0] :][:2] if spans else b""
        if len(message.plain) >= max(message.limits.message, message.limits.head):
            packed = b"".join([raw[first:last] for first, last in spans])
            new = whole[: len(whole) - int(message.body_stop - message.body_start)]
            bits = coding_bits(message.transforms[0], coded)
            said = recoded(packed, bits, 1, int(message.body_start), new, message.limits.payload)
        else:
            said = deflated_body(whole, message.transforms[0], coded)
    if not chunked:
        size = message.declared_size if message.more and message.declared_size >= 0 else len(raw)
        return said, len(said) if message.transforms else size - stop + grown
    said = b"%x\r\n%s" % (len(said), said)
    if not message.more:
        return said + b"\r\n0\r\n\r\n", 0
    return (said + b"\r\n%x\r\n" % missing if missing else said), 0


def _name(line: bytes) -> str:
    return line.partition(b":")[0].strip().lower().decode("latin-1")


def _changed(lines: list[bytes], given: Given) -> list[bytes]:
    """The lines of the head with the fields that are set and without those that are removed."""
    put = {name.lower(): (name, value) for name, value in given.set.items()}
    removed = {name.lower() for name in given.removed}
    for name in (*put, *removed):
        if name in _FIXED:
            raise Unsupported(f"the field {name} follows from the body")
    waits = dict(put)
    made = lines[:1]
    for line in lines[1:]:
        name = _name(line)
        if line in (b"", b"\r"):
            if waits:
                made += [_line(key, value) for key, value in waits.values()]
                waits = {}
            made.append(line)
            continue
        found = waits.pop(name, None)
        if found is not None:
            key = line.partition(b":")[0].decode("latin-1")
            made.append(_line(key, found[1]))
        elif name not in removed and name not in put:
            made.append(line)
    return made


def _line(name: str, value: bytes) -> bytes:
    if not name or not name.isascii() or not name.isprintable() or " " in name or _SEPARATORS & set(name):
        raise ValueError(f"no name of a field of HTTP: {name!r}")
    if any(each in value for each in (b"\r", b"\n", b"\0")):
        raise ValueError(f"no value of a field of HTTP: {value!r}")
    return name.encode() + b": " + value + b"\r"
