"""What a walk over a body found, the numbers that lengths and counts are, and why a walk ends early."""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i16_be, read_i32_be, read_i64_be
from librt.vecs import vec
from mypy_extensions import i64, mypyc_attr

from l7codecs import ProtocolError

from .layouts import INT8, UINT16, Field, Layout

__all__ = ["ENTRY", "Found", "failure", "read_number", "read_varint", "text_of", "varint_size"]

SPEC: Final = "Kafka protocol guide, Protocol Primitive Types"

# Why a walk stops.
GOES_ON: Final[i64] = 0
CUT: Final[i64] = 1
BAD_LENGTH: Final[i64] = 2
BAD_VARINT: Final[i64] = 3
BAD_MARKER: Final[i64] = 4
BAD_SIZE: Final[i64] = 5

ENTRY: Final[i64] = 4
"""Numbers of an entry: its field, and where its length, its value and what is behind it stand."""
_VARINT: Final[i64] = 5
"""Octets of a varint of 32 bits at most."""


def read_varint(octets: bytes, at: i64, end: i64) -> i64:
    """The varint at `at`, times eight, plus its size in octets; -1 where it is cut off, -2 where it is longer than 32 bits."""
    value: i64 = 0
    size: i64 = 0
    while size < _VARINT:
        if at + size >= end:
            return -1
        octet: i64 = octets[at + size]
        value |= (octet & 0x7F) << (7 * size)
        size += 1
        if octet < 0x80:
            if value > 0xFFFFFFFF:
                return -2
            return (value << 3) | size
    return -2


def varint_size(value: i64) -> i64:
    """Octets of `value` as a varint."""
    size: i64 = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size


def text_of(octets: bytes) -> str:
    """A string's octets as text, with lone surrogates for what is no UTF-8."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("utf-8", "surrogateescape")


@final
@mypyc_attr(acyclic=True)
class Found:
    """What `pick` found, in the order of the wire. ``len`` counts the entries; each is asked for by its number."""

    def __init__(self, layout: Layout, octets: bytes, start: i64, end: i64) -> None:
        self.layout = layout
        self.octets = octets
        self.start: i64 = start
        """Where the body starts in `octets`."""
        self.end: i64 = end
        """Where it ends, or the octets do that there are of it."""
        self.at: i64 = start
        """Behind the last octet that was looked at; of a walk with ``check``, the end of the body."""
        self.complete = True
        """False: the body is cut, and what stands before the cut is here."""
        self.count: i64 = 0
        """Entries that were found."""
        self.entries: vec[i64] = vec[i64]()
        """Their numbers, and room for more."""
        self.codes: i64 = 0
        self.higher_codes: i64 = 0
        """Of a walk for error codes: the values from 0 on, and from 64 on, as bits. Others are entries."""
        self.tags: vec[i64] = vec[i64]()
        """Of each tagged field that was looked into: where its size, its octets and what is behind them stand."""

    def __len__(self) -> int:
        return self.count

    def field(self, number: i64) -> Field:
        """The field of an entry."""
        return self.layout.all[self.entries[number * ENTRY]]

    def role(self, number: i64) -> i64:
        """Its role."""
        return self.layout.all[self.entries[number * ENTRY]].role

    def prefix(self, number: i64) -> i64:
        """Where in the octets its length stands, or the value itself where it has none."""
        return self.entries[number * ENTRY + 1]

    def starts(self, number: i64) -> i64:
        """Where in the octets its value stands; -1: null."""
        return self.entries[number * ENTRY + 2]

    def ends(self, number: i64) -> i64:
        """Behind its value. Of RECORDS that are cut it is where they would end."""
        return self.entries[number * ENTRY + 3]

    def octets_of(self, number: i64) -> bytes | None:
        """Its value as octets, without its length; None: null."""
        at = self.entries[number * ENTRY + 2]
        return None if at < 0 else self.octets[at : self.entries[number * ENTRY + 3]]

    def text(self, number: i64) -> str:
        """A string's value, with lone surrogates for what is no UTF-8; empty where it is null."""
        at = self.entries[number * ENTRY + 2]
        if at < 0:
            return ""
        return text_of(self.octets[at : self.entries[number * ENTRY + 3]])

    def is_blank(self, number: i64) -> bool:
        """Whether its value is an id of zeros, which is none."""
        at = self.entries[number * ENTRY + 2]
        return read_i64_be(self.octets, at) == 0 and read_i64_be(self.octets, at + 8) == 0

    def number(self, number: i64) -> int:
        """An integer's value."""
        at = self.entries[number * ENTRY + 2]
        return read_number(self.octets, at, self.entries[number * ENTRY + 3] - at, self.field(number).kind)


def read_number(octets: bytes, at: i64, size: i64, kind: i64) -> i64:
    """The integer of `size` octets."""
    if size == 2:
        value = i64(read_i16_be(octets, at))
        return value & 0xFFFF if kind == UINT16 else value
    if size == 4:
        return i64(read_i32_be(octets, at))
    if size == 8:
        return read_i64_be(octets, at)
    octet: i64 = octets[at]
    return octet - 0x100 if octet > 0x7F and kind == INT8 else octet


def failure(octets: bytes, at: i64, limit: i64, reason: i64) -> ProtocolError:
    """The error of a walk that cannot go on at the value which begins at `at`."""
    shown = octets[at : min(at + 8, limit)].hex(" ")
    if reason == CUT:
        return ProtocolError(at, f"{limit - at} octets: {shown}", "a longer body", SPEC)
    if reason == BAD_LENGTH:
        return ProtocolError(at, f"a negative length: {shown}", "a length, or -1", SPEC)
    if reason == BAD_VARINT:
        return ProtocolError(at, f"a varint of more than 32 bits: {shown}", "a varint", SPEC)
    if reason == BAD_MARKER:
        return ProtocolError(at, f"0x{shown[:2]} before a struct", "0xff or 0x01", SPEC)
    return ProtocolError(at, f"{limit - at} more octets in a tagged field", "its end", SPEC)
