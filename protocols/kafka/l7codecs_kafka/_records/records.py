"""The records of a batch, from octets that are not compressed, or no longer.

    magic 2   length(varint) attributes(8) timestamp delta(varlong) offset delta(varint)
              key: length(varint) octets | value: length(varint) octets | count(varint) of headers, each
              key: length(varint) octets | value: length(varint) octets              length -1 is null
    magic 1   offset(64) size(32) crc(32) magic(8) attributes(8) timestamp(64) key: length(32) octets | value: length(32) octets
    magic 0   as magic 1, without the timestamp

"Record" and "Old Message Format" (Kafka, Implementation, Message Format). What does not fit its declared length is an error: two that
read it in different ways would see different records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import ProtocolError

from .wire import SPEC, Reader, int32_at, int64_at

__all__ = ["LOG_OVERHEAD", "Record", "old_record", "read_old", "read_records"]

LOG_OVERHEAD: Final[i64] = 12
"""Octets of offset and size, which all formats begin with."""

_OLD_SIZE: Final[i64] = 14
"""The least that `size` is in magic 0: crc, magic, attributes and two lengths."""

_TIMESTAMP_TYPE: Final[i64] = 8
_COMPRESSION: Final[i64] = 7


@final
@mypyc_attr(acyclic=True)
class Record:
    """One record.

    ``timestamp`` is in ms since 1970, -1 where there is none; ``key`` and ``value`` are None where they are null. ``headers`` are in
    their order, a name may come again; their names are octets, in UTF-8 by convention.
    """

    def __init__(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[bytes, bytes | None], ...],
    ) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers

    def __repr__(self) -> str:
        key = None if self.key is None else self.key[:40]
        size = None if self.value is None else len(self.value)
        return f"<Record offset={self.offset} timestamp={self.timestamp} key={key!r} size={size} headers={len(self.headers)}>"


def read_records(
    octets: bytes, at: i64, end: i64, offset: i64, count: i64, base: int, first: int, appended: int
) -> Iterator[Record]:
    """The `count` records of magic 2 in `octets[at:end]`.

    `base` is the batch's base offset, `first` its base timestamp, and `appended` the timestamp of all where the broker gave it, else -1.
    """
    reader = Reader(octets, at, end, offset)
    left: i64 = count
    while left > 0:
        left -= 1
        yield _record(reader, base, first, appended)
    if reader.at != end:
        raise ProtocolError(int(offset), f"{end - reader.at} octets behind {count} records", "none", SPEC)


def _record(reader: Reader, base: int, first: int, appended: int) -> Record:
    size = reader.varint("a record's length")
    start = reader.at
    whole = reader.end
    if size < 0 or size > whole - start:
        raise ProtocolError(
            int(reader.offset), f"a record of {size} octets", f"at most the {whole - start} that are left", SPEC
        )
    reader.end = start + size
    reader.take(1, "a record's attributes")
    delta = reader.varlong("a timestamp")
    number = reader.varint("an offset")
    key = _octets(reader, "a key")
    value = _octets(reader, "a value")
    count = reader.varint("a number of headers")
    if count < 0 or count > reader.end - reader.at:
        raise ProtocolError(int(reader.offset), f"{count} headers in {reader.end - reader.at} octets", "fewer", SPEC)
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    if count > 0:
        found: list[tuple[bytes, bytes | None]] = []
        left: i64 = count
        while left > 0:
            left -= 1
            name = _octets(reader, "a header's key")
            if name is None:
                raise ProtocolError(int(reader.offset), "a header whose key is null", "octets", SPEC)
            found.append((name, _octets(reader, "a header's value")))
        headers = tuple(found)
    if reader.at != reader.end:
        raise ProtocolError(int(reader.offset), f"a record of {reader.at - start} octets", f"{size}, its length", SPEC)
    reader.end = whole
    return Record(base + int(number), first + delta if appended < 0 else appended, key, value, headers)


def _octets(reader: Reader, what: str) -> bytes | None:
    size = reader.varint(what)
    return None if size == -1 else reader.take(size, what)


def old_record(octets: bytes, at: i64, end: i64, offset: i64, magic: i64, base: int, appended: int) -> Record:
    """The message of `magic` 0 or 1 that begins at `at` and ends at `end`; its offset is counted from `base`.

    `appended` is the timestamp that it has of the message around it, else -1.
    """
    reader = Reader(octets, at + LOG_OVERHEAD + 6, end, offset)
    timestamp = -1
    if magic > 0:
        if end - reader.at < 8:
            raise reader.cut("a timestamp")
        timestamp = int64_at(octets, reader.at) if appended < 0 else appended
        reader.at += 8
    key = _field(reader, "a key")
    value = _field(reader, "a value")
    if reader.at != end:
        raise ProtocolError(int(offset), f"{end - reader.at} octets behind a value", "none", SPEC)
    return Record(base + int64_at(octets, at), timestamp, key, value, ())


def _field(reader: Reader, what: str) -> bytes | None:
    if reader.end - reader.at < 4:
        raise reader.cut(what)
    size = int32_at(reader.octets, reader.at)
    reader.at += 4
    return None if size == -1 else reader.take(size, what)


def read_old(octets: bytes, offset: i64, magic: i64, last: int, appended: int) -> Iterator[Record]:
    """The records of the message set that a compressed message of `magic` holds: `octets`, decompressed.

    `last` is the offset of that message, which in magic 1 is that of its last record, while those inside are counted from 0.
    Producers leave 0 there: then theirs count.
    """
    size: i64 = len(octets)
    at: i64 = 0
    final: i64 = 0
    while at < size:  # nothing is told of a set that is broken further on
        final = at
        at = _next_old(octets, at, offset, magic)
    base = last - int64_at(octets, final) if magic > 0 and size > 0 else 0
    if base < 0:
        base = 0
    at = 0
    while at < size:
        end: i64 = at + LOG_OVERHEAD + int32_at(octets, at + 8)
        yield old_record(octets, at, end, offset, magic, base, appended)
        at = end


def _next_old(octets: bytes, at: i64, offset: i64, magic: i64) -> i64:
    """Where the message at `at` ends, which is whole, of `magic`, and not compressed again."""
    left: i64 = len(octets) - at - LOG_OVERHEAD
    size: i64 = int32_at(octets, at + 8) if left >= 0 else i64(-1)
    least = _OLD_SIZE if magic == 0 else _OLD_SIZE + 8
    if size < least or size > left:
        raise ProtocolError(int(offset), f"a message of {size} octets in {left}", "messages that are whole", SPEC)
    found = i64(octets[at + 16])
    if found != magic or i64(octets[at + 17]) & _COMPRESSION != 0:
        raise ProtocolError(
            int(offset), f"a message of magic {found} and attributes {octets[at + 17]} inside of one",
            f"magic {magic}, not compressed", SPEC,
        )  # fmt: skip
    return at + LOG_OVERHEAD + size
