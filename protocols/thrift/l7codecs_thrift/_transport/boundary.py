"""Where decoding can go on after lost octets.

Few octets begin a message, and they stand in bodies, too. So a place is believed only where the whole message, of up to `NEAR` octets,
can be passed over, and

    with a frame      its size is that of the message, or its THeader or TTHeader fits, or it holds thriftpy2's JSON
    without one       another message of the same encoding begins directly behind it
    HTTP              its head is all there and says Thrift, unless it is known that the direction is HTTP

Not handled: old binary, messages behind a struct of Finagle, larger messages: what follows them is found. A stream of zlib cannot go on.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import Limits, ProtocolError

from .._encoding.types import Head
from .._meaning.table import CODECS
from .._meaning.words import BINARY, COMPACT, HEADER, JSON, TTHEADER
from .frames import encoding_at
from .theader import parse_header, parse_ttheader

__all__ = ["NEAR", "Place", "find_http", "find_message"]

NEAR: Final[i64] = 2048
_MARKS: Final = (b"\x80\x01\x00", b"\x82", b'[1,"', b"\x0f\xff", b"\x10\x00", b'{"metadata"')
_BEHIND: Final[i64] = 18
"""A message may begin 8 octets before its mark, of which one octet at least is missing."""
_NAME: Final[i64] = 255
_NO: Final[i64] = -1


@final
class Place:
    """Where a message starts, as `Decoder.boundary` returns it, and how many octets it takes to tell."""

    def __init__(self, at: i64, wanted: i64 = 0) -> None:
        self.at: i64 = at
        self.wanted: i64 = wanted


@final
class _Short:
    """It takes `size` octets from `at` on to tell."""

    def __init__(self, at: i64, size: i64) -> None:
        self.at = at
        self.size = size


def find_http(octets: bytes, mark: bytes) -> Place:
    """The first place where HTTP plausibly begins."""
    at = octets.find(mark)
    return Place(at) if at >= 0 else Place(-1 - max(0, len(octets) - len(mark) + 1))


def find_message(octets: bytes, limits: Limits, http: bytes) -> Place:
    """The first place where a message plausibly begins; with `http` one of HTTP does."""
    end: i64 = len(octets)
    marks = (*_MARKS, http)
    nexts = [octets.find(mark) for mark in marks]
    while True:
        kind = -1
        at: i64 = end
        for index, place in enumerate(nexts):
            if 0 <= place < at:
                at = place
                kind = index
        if kind < 0:
            return Place(-1 - max(0, end - _BEHIND))
        found = _weigh(octets, at, end, kind, limits)
        if isinstance(found, _Short):
            return Place(-1 - found.at, found.size)
        if found >= 0:
            return Place(found)
        nexts[kind] = octets.find(marks[kind], at + 1)


def _weigh(octets: bytes, at: i64, end: i64, kind: int, limits: Limits) -> i64 | _Short:
    """Where the message with the mark at `at` begins; `_NO` where there is none."""
    if kind < 3:
        return _message(octets, at, end, BINARY if kind == 0 else COMPACT if kind == 1 else JSON, limits)
    if kind < 5:
        return _headed(octets, at, end, HEADER if kind == 3 else TTHEADER)
    return _named(octets, at, end) if kind == 5 else _posted(octets, at, end)


def _posted(octets: bytes, at: i64, end: i64) -> i64 | _Short:
    """A head of HTTP that says Thrift."""
    stop = i64(octets.find(b"\r\n\r\n", at, min(end, at + NEAR)))
    if stop < 0:
        return _NO if end - at >= NEAR else _Short(at, end - at + 1)
    head = octets[at:stop].lower()
    return at if b"http/1." in head.partition(b"\r\n")[0] and b"thrift" in head else _NO


def _message(octets: bytes, at: i64, end: i64, encoding: i64, limits: Limits) -> i64 | _Short:
    begins = max(0, at - 4)
    codec = CODECS[encoding]
    try:
        head: Head | None = codec.head(octets, at, min(end, at + NEAR), _NAME)
        if head is None:
            return _NO if end - at >= NEAR else _Short(begins, end - begins + 1)
        if not _is_name(head.name):
            return _NO
        skipper = codec.skipper(head, limits.nesting, limits.elements, limits.payload)
        stands = skipper.feed(octets, head.body, min(end, at + NEAR))
    except ProtocolError:
        return _NO
    if not skipper.done:
        return _NO if end - at >= NEAR else _Short(begins, end - begins + 1)
    if at >= 4 and i64(read_i32_be(octets, at - 4)) == stands - at:
        return at - 4
    if end - stands < 2:
        return _Short(begins, stands - begins + 2)
    if encoding == BINARY:
        return at if octets[stands] == 0x80 and octets[stands + 1] == 0x01 else _NO
    if encoding == COMPACT:
        return at if octets[stands] == 0x82 and octets[stands + 1] & 0x1F == 1 else _NO
    return at if octets[stands : stands + 2] == b"[1" else _NO


def _is_name(name: str) -> bool:
    return name != "" and name.isprintable() and "\ufffd" not in name


def _headed(octets: bytes, at: i64, end: i64, transport: i64) -> i64 | _Short:
    if at < 4:
        return _NO
    begins = at - 4
    size = i64(read_i32_be(octets, begins))
    if size < 12 or size > NEAR:
        return _NO
    stop = at + size
    if end < stop:
        return _Short(begins, size + 4)
    try:
        header = parse_header(octets, at, stop) if transport == HEADER else parse_ttheader(octets, at, stop)
    except ProtocolError:
        return _NO
    if header is None or not header.known or len(header.transforms) > 4:
        return _NO
    if header.transforms:
        return begins
    if header.payload == stop:
        return begins if header.protocol <= 4 else _NO
    start = header.payload
    if transport == TTHEADER and stop - start > 8 and i64(read_i32_be(octets, start)) == stop - start - 4:
        start += 4
    encoding = encoding_at(octets, start, stop)
    if encoding > JSON:
        return _NO
    try:
        found = CODECS[encoding].head(octets, start, stop, _NAME)
    except ProtocolError:
        return _NO
    return begins if found is not None and _is_name(found.name) else _NO


def _named(octets: bytes, at: i64, end: i64) -> i64 | _Short:
    """thriftpy2's JSON."""
    if at < 4:
        return _NO
    begins = at - 4
    size = i64(read_i32_be(octets, begins))
    if size < 12 or size > NEAR:
        return _NO
    if end < at + size:
        keep = max(0, begins - 4)
        return _Short(keep, at + size - keep)
    if octets[at + size - 1] != 0x7D:
        return _NO
    if begins >= 4 and i64(read_i32_be(octets, begins - 4)) == size + 4:
        return begins - 4
    return begins
