"""What Produce and Fetch call records: batches one behind the other, told without decompressing.

    magic 2     0             8      12             16      17    21           23                  27
                ├─────────────┼──────┼──────────────┼───────┼─────┼────────────┼───────────────────┼────
                │ base offset │ size │ leader epoch │ magic │ crc │ attributes │ last offset delta │ …
                27               35              43            51               53              57      61
                ┼────────────────┼───────────────┼─────────────┼────────────────┼───────────────┼───────┼───────────┤
                │ base timestamp │ max timestamp │ producer id │ producer epoch │ base sequence │ count │ records … │
    magic 0, 1  0        8      12    16      17           18
                ├────────┼──────┼─────┼───────┼────────────┼────────────────────────────────┬─────┬───────┤
                │ offset │ size │ crc │ magic │ attributes │ timestamp(64), in magic 1 only │ key │ value │
    attributes  compression 3 bits | 8 timestamp is the broker's | 16 transactional | 32 control | 64 base timestamp is a delete horizon

"Record Batch" and "Old Message Format" (Kafka, Implementation, Message Format). ``size`` counts from behind itself. All of it is
big-endian. Of the old formats each message is a batch of its own; a compressed one has a message set for its value.

A Fetch answer may end inside a batch, where the partition's limit is: what is left there is ``cut``, and no error. So is a batch
whose size is no size: nothing behind it can be told.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import ProtocolError, Unsupported

from .compression import CODECS, crc32c, decompress
from .records import LOG_OVERHEAD, Record, old_record, read_old, read_records
from .wire import SPEC, int16_at, int32_at, int64_at, uint32_at

__all__ = ["DECODED_SIZE", "RecordBatch", "Records"]

DECODED_SIZE: Final = 64 * 1024 * 1024
"""Octets that a batch may have when it is decompressed, unless the caller says otherwise."""

_HEADER: Final[i64] = 61
_OLD_HEADER: Final[i64] = 18
"""As far as the attributes of magic 0 and 1."""
_OLD_LEAST: Final[i64] = 26
"""Octets of a message of magic 0 with neither key nor value."""
_MAGIC: Final[i64] = 16
_V2: Final[i64] = 2

_COMPRESSION: Final[i64] = 7
_APPENDED: Final[i64] = 8
_TRANSACTIONAL: Final[i64] = 16
_CONTROL: Final[i64] = 32
_HORIZON: Final[i64] = 64


@final
@mypyc_attr(acyclic=True)
class RecordBatch:
    """One batch that is whole. Everything but `records`, `control_type` and `checksum_matches` is read from its header.

    ``offset`` counts octets to its first in the direction. What its format does not have is None: of magic 0 and 1 everything about
    producers, and of a compressed message also ``count`` and ``base_offset``. Of a magic that is not known there is the frame alone.
    """

    def __init__(self, octets: bytes, start: i64, stop: i64, offset: i64) -> None:
        self._octets = octets
        self._start = start
        self._stop = stop
        self.offset = offset

    @property
    def raw(self) -> bytes:
        """The exact octets."""
        return self._octets[self._start : self._stop]

    @property
    def size(self) -> int:
        """Octets, with the offset and the size in front."""
        return self._stop - self._start

    @property
    def magic(self) -> int:
        """The version of the format: 0, 1 or 2."""
        return self._octets[self._start + _MAGIC]

    @property
    def _attributes(self) -> i64:
        magic = self.magic
        if magic == 2:
            return int16_at(self._octets, self._start + 21) & 0xFFFF
        return i64(self._octets[self._start + 17]) if magic < 2 else 0

    @property
    def compression(self) -> str:
        """``none``, ``gzip``, ``snappy``, ``lz4``, ``zstd``; a number's digits where it stands for none of them."""
        codec = self._attributes & _COMPRESSION
        return CODECS[codec] if codec < len(CODECS) else str(codec)

    @property
    def count(self) -> int | None:
        """How many records it says it has."""
        magic = self.magic
        if magic == 2:
            return int32_at(self._octets, self._start + 57)
        return 1 if magic < 2 and self._attributes & _COMPRESSION == 0 else None

    @property
    def base_offset(self) -> int | None:
        """The offset of the first record; of those that a producer sends, which the broker numbers, 0."""
        magic = self.magic
        if magic == 2 or (magic < 2 and self._attributes & _COMPRESSION == 0):
            return int64_at(self._octets, self._start)
        return None

    @property
    def last_offset(self) -> int | None:
        """The offset of the last record. After a compaction fewer may be left than offsets."""
        magic = self.magic
        if magic == 2:
            return int64_at(self._octets, self._start) + int32_at(self._octets, self._start + 23)
        return int64_at(self._octets, self._start) if magic < 2 else None

    @property
    def timestamp_type(self) -> str | None:
        """Whose the timestamps are: ``create``, the producer's, or ``append``, the broker's; None where there are none."""
        magic = self.magic
        if magic == 0 or magic > 2:
            return None
        return "append" if self._attributes & _APPENDED else "create"

    @property
    def base_timestamp(self) -> int | None:
        """That of the first record when it was written, in ms since 1970; None where a delete horizon has taken its place."""
        attributes = self._attributes
        if self.magic == 2:
            return None if attributes & _HORIZON else int64_at(self._octets, self._start + 27)
        return int64_at(self._octets, self._start + 18) if self.magic == 1 and not attributes & _COMPRESSION else None

    @property
    def max_timestamp(self) -> int | None:
        """The latest of all, in ms since 1970."""
        if self.magic == 2:
            return int64_at(self._octets, self._start + 35)
        return int64_at(self._octets, self._start + 18) if self.magic == 1 else None

    @property
    def delete_horizon(self) -> int | None:
        """When a compaction may drop its tombstones and markers, in ms since 1970."""
        if self.magic == 2 and self._attributes & _HORIZON:
            return int64_at(self._octets, self._start + 27)
        return None

    @property
    def partition_leader_epoch(self) -> int | None:
        return int32_at(self._octets, self._start + 12) if self.magic == 2 else None

    @property
    def producer_id(self) -> int | None:
        """-1 of a producer that is neither idempotent nor transactional."""
        return int64_at(self._octets, self._start + 43) if self.magic == 2 else None

    @property
    def producer_epoch(self) -> int | None:
        return int16_at(self._octets, self._start + 51) if self.magic == 2 else None

    @property
    def base_sequence(self) -> int | None:
        """The producer's number of the first record; -1 without one."""
        return int32_at(self._octets, self._start + 53) if self.magic == 2 else None

    @property
    def transactional(self) -> bool:
        return self.magic == 2 and self._attributes & _TRANSACTIONAL != 0

    @property
    def control(self) -> bool:
        """Whether it is a marker that the broker has written, see `control_type`, and no data."""
        return self.magic == 2 and self._attributes & _CONTROL != 0

    @property
    def checksum(self) -> int | None:
        """As it says: CRC-32C in magic 2, CRC-32 before; without sign."""
        magic = self.magic
        if magic == 2:
            return uint32_at(self._octets, self._start + 17)
        return uint32_at(self._octets, self._start + 12) if magic < 2 else None

    def checksum_matches(self) -> bool | None:
        """Whether the octets are those that ``checksum`` was made of; None where the magic is not known.

        Raises ImportError that names the extra where what computes it is not installed.
        """
        magic = self.magic
        if magic == 2:
            return crc32c(self._octets[self._start + 21 : self._stop]) == self.checksum
        if magic < 2:
            return zlib.crc32(self._octets[self._start + _MAGIC : self._stop]) == self.checksum
        return None

    @property
    def control_type(self) -> str | None:
        """What a control batch marks: ``abort``, ``commit``, a number's digits where it is another; None of data.

        Raises `ProtocolError` where its first record cannot be read.
        """
        if not self.control:
            return None
        for record in self.records():
            key = record.key
            if key is None or len(key) < 4:
                break
            number = int16_at(key, 2)
            return "abort" if number == 0 else "commit" if number == 1 else str(number)
        raise ProtocolError(
            int(self.offset), "a control batch that says nothing", "a record with a key of 4 octets", SPEC
        )

    def records(self, decoded_size: int = DECODED_SIZE) -> Iterator[Record]:
        """The records, one after the other; those of a message of magic 0 or 1 that is compressed are those inside.

        Raises `ProtocolError` where the octets are not what they say; `LimitExceeded` where they are more than `decoded_size` octets when
        decompressed; ImportError that names the extra where a library is missing; `Unsupported` for a magic or a compression that is
        not known.
        """
        if decoded_size < 0:
            raise ValueError(f"decoded_size must not be negative: {decoded_size}")
        magic: i64 = self.magic
        attributes = self._attributes
        codec = attributes & _COMPRESSION
        octets = self._octets
        start = self._start
        stop = self._stop
        if magic == _V2:
            count = int32_at(octets, start + 57)
            if count < 0:
                raise ProtocolError(int(self.offset), f"a batch of {count} records", "a number of records", SPEC)
            base = int64_at(octets, start)
            first = int64_at(octets, start + 27)
            appended = int64_at(octets, start + 35) if attributes & _APPENDED else -1
            if codec == 0:
                return read_records(octets, start + _HEADER, stop, self.offset, count, base, first, appended)
            inner = decompress(int(codec), octets[start + _HEADER : stop], decoded_size, int(self.offset), 2)
            return read_records(inner, 0, len(inner), self.offset, count, base, first, appended)
        if magic > _V2:
            raise Unsupported(f"records of magic {magic} are not known")
        record = old_record(octets, start, stop, self.offset, magic, 0, -1)
        if codec == 0:
            return iter((record,))
        value = record.value
        if value is None:
            raise ProtocolError(int(self.offset), "a compressed message without a value", "a message set", SPEC)
        inner = decompress(int(codec), value, decoded_size, int(self.offset), int(magic))
        appended = record.timestamp if magic > 0 and attributes & _APPENDED else -1
        return read_old(inner, self.offset, magic, record.offset, appended)

    def __repr__(self) -> str:
        kind = " control" if self.control else " transactional" if self.transactional else ""
        return (
            f"<RecordBatch magic={self.magic}{kind} offsets={self.base_offset}..{self.last_offset} count={self.count} "
            f"compression={self.compression} size={self.size}>"
        )


@final
@mypyc_attr(acyclic=True)
class Records:
    """All that one partition has in a message: batches, and perhaps the beginning of another.

    ``octets[start:stop]`` are the records, whose first is at ``offset`` in the direction. ``batches`` is read once, when asked for.
    """

    def __init__(self, octets: bytes, start: i64, stop: i64, offset: i64 = 0) -> None:
        self._octets = octets
        self._start = start
        self._stop = stop
        self.offset = offset
        self._batches: list[RecordBatch] | None = None
        self._cut: i64 = 0

    @property
    def size(self) -> int:
        """Octets, with those that are cut."""
        return self._stop - self._start

    @property
    def raw(self) -> bytes:
        """The exact octets."""
        return self._octets[self._start : self._stop]

    @property
    def batches(self) -> list[RecordBatch]:
        """Those that are whole, in their order."""
        found = self._batches
        if found is None:
            found = self._read()
            self._batches = found
        return found

    @property
    def cut(self) -> int:
        """Octets at the end that are no whole batch: the beginning of one; 0 where the last is whole."""
        if self._batches is None:
            self._batches = self._read()
        return self._cut

    @property
    def count(self) -> int | None:
        """The records in all batches; None where one does not say it without decompressing."""
        total = 0
        for batch in self.batches:
            count = batch.count
            if count is None:
                return None
            total += count
        return total

    def _read(self) -> list[RecordBatch]:
        found: list[RecordBatch] = []
        octets = self._octets
        at = self._start
        stop = self._stop
        while stop - at >= _OLD_HEADER:
            end = at + LOG_OVERHEAD + int32_at(octets, at + 8)
            magic = i64(octets[at + _MAGIC])
            least: i64 = _HEADER if magic == _V2 else _OLD_LEAST if magic == 0 else _OLD_LEAST + 8
            if magic > _V2:
                least = _OLD_HEADER
            if end < at + least or end > stop:
                break
            found.append(RecordBatch(octets, at, end, self.offset + at - self._start))
            at = end
        self._cut = stop - at
        return found

    def records(self, decoded_size: int = DECODED_SIZE) -> Iterator[Record]:
        """The records of all batches that are data, `decoded_size` bounding each; see `RecordBatch.records`."""
        for batch in self.batches:
            if not batch.control:
                yield from batch.records(decoded_size)

    def __repr__(self) -> str:
        return f"<Records batches={len(self.batches)} size={self.size} cut={self.cut}>"
