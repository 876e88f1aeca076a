"""How records are compressed, and their octets decompressed within a bound.

    number   name     octets
    1        gzip     RFC 1952
    2        snappy   one bare block, or the stream of xerial's snappy-java:
                      82 "SNAPPY" 00 | version(32) | lowest reader(32) | size(32) block | size(32) block | …
    3        lz4      LZ4 frame; in messages of magic 0 the header's checksum also covers the frame's magic number (KAFKA-3160)
    4        zstd     RFC 8878, with the content's size in the frame or without

gzip is of the standard library. The others come with the extra ``kafka``: cramjam (snappy), lz4 and zstandard. They are imported when
something is decompressed, not before. What they raise about octets becomes `ProtocolError`, whatever it is.

A few octets can stand for many, so nothing is decompressed at once: each library is asked for no more than the bound and one octet.
Snappy says how long it is, which is believed only as far as its octets can be.

Not compiled: the libraries are compiled themselves, and all the time goes there.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

from l7codecs import L7Error, LimitExceeded, ProtocolError, Unsupported

__all__ = ["CODECS", "crc32c", "decompress"]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""By the number in a batch's attributes."""

_SPEC = "Kafka, Record Batch"
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16
_SNAPPY_RATIO = 22
"""Octets that one of Snappy can stand for, rounded up: a copy of 64 takes three."""
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
_PIECE = 1 << 17
"""Octets that are read of a stream at once."""
_ZSTD_WINDOW = 1 << 23
"""Octets that any frame may need to be kept while it is read (RFC 8878 §3.1.1.1.2); of a larger one as many as it may have."""
_ZSTD_LARGEST = 1 << 27
"""What the library itself takes."""


def _library(name: str, use: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{use} needs {name}, which the extra kafka installs: pip install 'l7codecs[kafka]'"
        ) from error


def crc32c(octets: bytes) -> int:
    """The CRC-32C (Castagnoli) of `octets`, as a number without sign. Raises ImportError where the extra ``kafka`` is not installed."""
    return int(_library("google_crc32c", "the checksum of a record batch").value(octets))


def decompress(codec: int, octets: bytes, limit: int, offset: int, magic: int) -> bytes:
    """`octets`, which are compressed with `codec`, in a batch of `magic` at `offset`.

    Raises `LimitExceeded` where they are more than `limit`, `ProtocolError` where they are not what `codec` says, ImportError that names
    the extra where a library is missing, and `Unsupported` for a number that stands for no codec.
    """
    if not 1 <= codec < len(CODECS):
        raise Unsupported(f"records are compressed with number {codec}, which no codec is known for")
    name = CODECS[codec]
    readers = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
    if codec == 3 and magic == 0:
        octets = _mend_header(octets)
    try:
        found = readers[codec](octets, limit)
    except (L7Error, ImportError, MemoryError):
        raise
    except _TooMuch:
        found = None
    except Exception as error:  # each library has its own
        raise ProtocolError(offset, f"{error}"[:120], f"octets in {name}", _SPEC) from None
    if found is None or len(found) > limit:
        seen = f"records of more than {limit} octets when decompressed from {len(octets)}"
        raise LimitExceeded(offset, seen, f"at most decoded_size = {limit}", _SPEC)
    return found


class _TooMuch(Exception):
    """The octets say that they are more than the bound."""


class _NotWhole(Exception):
    """The octets end early, or go on behind their end."""


def _gzip(octets: bytes, limit: int) -> bytes:
    """All members, of which Java's writer makes one."""
    parts: list[bytes] = []
    size = 0
    while True:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        found = stream.decompress(octets, limit + 1 - size)
        size += len(found)
        parts.append(found)
        if size > limit:
            raise _TooMuch
        if not stream.eof:
            raise _NotWhole("no end of the gzip stream")
        octets = stream.unused_data
        if not octets:
            return b"".join(parts)


def _snappy(octets: bytes, limit: int) -> bytes:
    if not octets.startswith(_XERIAL):
        return _snappy_block(octets, limit)
    if len(octets) < _XERIAL_HEADER:
        raise _NotWhole("a header of xerial that is cut")
    parts: list[bytes] = []
    left = limit
    at = _XERIAL_HEADER
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 4], "big")
        if len(octets) - at < 4 + size:
            raise _NotWhole("a block of xerial that is cut")
        part = _snappy_block(octets[at + 4 : at + 4 + size], left)
        left -= len(part)
        parts.append(part)
        at += 4 + size
    return b"".join(parts)


def _snappy_block(octets: bytes, limit: int) -> bytes:
    snappy = _library("cramjam", "snappy").snappy
    size = snappy.decompress_raw_len(octets)
    if size > _SNAPPY_RATIO * len(octets):
        raise _NotWhole(f"{len(octets)} octets of snappy that say they are {size}")
    if size > limit:
        raise _TooMuch
    return bytes(snappy.decompress_raw(octets))


def _lz4(octets: bytes, limit: int) -> bytes:
    frame = _library("lz4.frame", "lz4")
    stream = frame.LZ4FrameDecompressor()
    found: bytes = stream.decompress(octets, max_length=limit + 1)
    if len(found) > limit:
        raise _TooMuch
    if not stream.eof or stream.unused_data:
        raise _NotWhole("octets behind the frame" if stream.eof else "a frame that is cut")
    return found


def _zstd(octets: bytes, limit: int) -> bytes:
    zstandard = _library("zstandard", "zstd")
    window = min(_ZSTD_LARGEST, max(_ZSTD_WINDOW, limit))
    at = 0
    while at < len(octets):
        end = _zstd_end(octets, at)
        if octets[at] == _ZSTD_MAGIC[0] and zstandard.get_frame_parameters(octets[at:end]).window_size > window:
            raise _TooMuch
        at = end
    window = 1 << (window - 1).bit_length()
    stream = zstandard.ZstdDecompressor(max_window_size=window).stream_reader(octets, read_across_frames=True)
    parts: list[bytes] = []
    left = limit + 1
    while left > 0:
        part: bytes = stream.read(min(left, _PIECE))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise _TooMuch


def _zstd_end(octets: bytes, at: int) -> int:
    """Where the frame at `at` ends, by the sizes of its blocks (RFC 8878 §3.1): the library takes one that is cut for whole."""
    magic = octets[at : at + 4]
    if magic[1:] == _ZSTD_SKIPPED and magic[0] & 0xF0 == 0x50:
        end = at + 8 + int.from_bytes(octets[at + 4 : at + 8], "little")
    elif magic == _ZSTD_MAGIC and len(octets) > at + 4:
        flags = octets[at + 4]
        alone = flags >> 5 & 1
        end = at + 5 + (1 - alone) + (0, 1, 2, 4)[flags & 3] + (alone, 2, 4, 8)[flags >> 6]
        last = 0
        while not last and len(octets) >= end + 3:
            block = int.from_bytes(octets[end : end + 3], "little")
            last = block & 1
            end += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        end += (4 if flags & 4 else 0) if last else 3
    else:
        raise _NotWhole("octets that begin no frame")
    if end > len(octets):
        raise _NotWhole("a frame that is cut")
    return end


def _mend_header(octets: bytes) -> bytes:
    """A frame of LZ4 with the checksum that its specification says; any other is left as it is."""
    if len(octets) < 7 or not octets.startswith(_LZ4_MAGIC):
        return octets
    end = 6 + (8 if octets[4] & 8 else 0) + (4 if octets[4] & 1 else 0)
    if len(octets) <= end or octets[end] != (_xxh32(octets[:end]) >> 8) & 0xFF:
        return octets
    return octets[:end] + bytes([(_xxh32(octets[4:end]) >> 8) & 0xFF]) + octets[end + 1 :]


def _xxh32(octets: bytes) -> int:
    """XXH32 with the seed 0, of the few octets that a header is ("xxHash fast digest algorithm", XXH32)."""
    primes = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1)
    at = 0
    if len(octets) >= 16:
        lanes = [(primes[0] + primes[1]) & 0xFFFFFFFF, primes[1], 0, -primes[0] & 0xFFFFFFFF]
        while len(octets) - at >= 16:
            for index in range(4):
                word = int.from_bytes(octets[at : at + 4], "little")
                lanes[index] = _rotate((lanes[index] + word * primes[1]) & 0xFFFFFFFF, 13) * primes[0] & 0xFFFFFFFF
                at += 4
        value = sum(_rotate(lane, turn) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True))
    else:
        value = primes[4]
    value = (value + len(octets)) & 0xFFFFFFFF
    while len(octets) - at >= 4:
        value += int.from_bytes(octets[at : at + 4], "little") * primes[2]
        value = _rotate(value & 0xFFFFFFFF, 17) * primes[3] & 0xFFFFFFFF
        at += 4
    for octet in octets[at:]:
        value = _rotate((value + octet * primes[4]) & 0xFFFFFFFF, 11) * primes[0] & 0xFFFFFFFF
    value = (value ^ value >> 15) * primes[1] & 0xFFFFFFFF
    value = (value ^ value >> 13) * primes[2] & 0xFFFFFFFF
    return value ^ value >> 16


def _rotate(value: int, count: int) -> int:
    return (value << count | value >> (32 - count)) & 0xFFFFFFFF
