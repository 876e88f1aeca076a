"""Frames as octets. RFC 9113 §4.1, §6.4, §6.8, §6.9.

length(24) type(8) flags(8) R(1) stream(31) payload(length)
"""

from __future__ import annotations

from librt.strings import BytesWriter, write_i32_be
from mypy_extensions import i32, i64, u8

from .frames import GOAWAY, RST_STREAM, WINDOW_UPDATE

__all__ = ["write_frame", "write_goaway", "write_head", "write_reset", "write_window_update"]


def write_head(out: BytesWriter, size: i64, kind: i64, flags: i64, stream: i64) -> None:
    """Append the nine octets that begin a frame with a payload of `size` octets."""
    write_i32_be(out, i32((size << 8) | kind))
    out.append(u8(flags))
    write_i32_be(out, i32(stream))


def write_frame(out: BytesWriter, kind: i64, flags: i64, stream: i64, payload: bytes | bytearray) -> None:
    """Append one frame."""
    write_head(out, i64(len(payload)), kind, flags, stream)
    if isinstance(payload, bytes):
        out.write(payload)  # compiled, what may be either is written by way of a look-up
    else:
        out.write(payload)


def _write_u32(out: BytesWriter, value: i64) -> None:
    """Append 32 bits."""
    out.append(u8(value >> 24))
    out.append(u8((value >> 16) & 0xFF))
    out.append(u8((value >> 8) & 0xFF))
    out.append(u8(value & 0xFF))


def write_reset(out: BytesWriter, number: i64, code: i64) -> None:
    """Append RST_STREAM."""
    write_head(out, 4, RST_STREAM, 0, number)
    _write_u32(out, code)


def write_goaway(out: BytesWriter, last: i64, code: i64) -> None:
    """Append GOAWAY; `last` is the highest stream that was processed, or may be."""
    write_head(out, 8, GOAWAY, 0, 0)
    write_i32_be(out, i32(last))
    _write_u32(out, code)


def write_window_update(out: BytesWriter, stream: i64, increment: i64) -> None:
    """Append WINDOW_UPDATE of a stream, or of the connection as stream 0."""
    write_head(out, 4, WINDOW_UPDATE, 0, stream)
    write_i32_be(out, i32(increment))
