"""Is this Thrift? Of which transport and encoding, from the first octets of the client.

Magic numbers of two octets stand with a type, a name that can be one and the sizes around them. What has no magic number, old binary,
is a mere resemblance, and claims nothing that another protocol claims.
"""

from __future__ import annotations

import zlib
from typing import Final

from mypy_extensions import i64

from l7codecs import Detection, Sender, Verdict

from .frames import finagle_struct

__all__ = ["detect"]

_NO: Final = Detection(Verdict.NO)
_NOTHING: Final = Detection(Verdict.MORE, 0, "", Sender.CLIENT)
_LOOK: Final[i64] = 128
"""Octets of a name that are looked at."""
_NAME: Final[i64] = 4096
"""The longest name that is believed."""
_OLD_NAME: Final[i64] = 255
_FRAME: Final[i64] = 512 * 1024 * 1024
_CONTENT: Final = (b"application/x-thrift", b"application/vnd.apache.thrift")
_HTTP_HEAD: Final[i64] = 8192
_METADATA: Final = b'{"metadata"'
_JSON: Final = b'[1,"'


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions, see `Protocol`. The client's tell."""
    if client:
        return _judge(client, 0, len(client))
    return (
        _NOTHING if not server else Detection(_NOTHING.verdict, _judge(server, 0, len(server)).score, "", Sender.CLIENT)
    )


def _yes(score: int, what: str) -> Detection:
    return Detection(Verdict.YES, score, what)


def _more(score: int, what: str) -> Detection:
    return Detection(Verdict.MORE, score, f"the beginning of {what}", Sender.CLIENT)


def _judge(octets: bytes, at: i64, end: i64) -> Detection:
    """What one direction says, that begins at `at`."""
    first: i64 = octets[at]
    if first == 0x80:
        return _strict(octets, at, end, "strict binary without a frame", _FRAME)
    if first == 0x82:
        return _compact(octets, at, end, "compact without a frame", _FRAME)
    if first == 0x5B:
        return _json(octets, at, end, "JSON without a frame")
    if first == 0x50:
        return _http(octets, at, end)
    if first == 0x78:
        return _zlib(octets, at, end)
    if first >= 0x20:
        return _NO
    return _frame(octets, at, end)


def _frame(octets: bytes, at: i64, end: i64) -> Detection:
    """A frame, or what begins with another small number."""
    if end - at < 5:
        return _more(90, "a frame")
    size: i64 = int.from_bytes(octets[at : at + 4], "big")
    behind: i64 = octets[at + 4]
    start = at + 4
    if size < 1:
        return _NO
    if behind == 0x80:
        return _strict(octets, start, end, "strict binary in a frame", size)
    if behind == 0x82:
        return _compact(octets, start, end, "compact in a frame", size)
    if behind == 0x5B:
        return _json(octets, start, end, "JSON in a frame")
    if behind == 0x0F or behind == 0x10:
        return _header(octets, start, end, size, behind == 0x0F)
    if behind == 0x7B:
        return _quoted(octets, start, end, _METADATA, "thriftpy2's JSON")
    if behind == 0:
        if end - start < 5:
            return _more(40, "a frame")
        if octets[start + 4] == 0x7B:
            return _quoted(octets, start + 4, end, _METADATA, "thriftpy2's JSON in a frame")
        if octets[start + 1] == 0x80:
            return _strict(octets, start + 1, end, "strict binary behind a struct of Finagle", size - 1)
        return _old(octets, start, end, "old binary in a frame", size, 40)
    if behind < 0x20:
        if end - start < 3:
            return _more(40, "a struct")
        return _NO if not finagle_struct(octets, start, end) else _finagle(octets, start, end, size)
    return _old(octets, at, end, "old binary without a frame", _FRAME, 30)


def _finagle(octets: bytes, at: i64, end: i64, size: i64) -> Detection:
    """A struct, behind which a strict message has to come."""
    found = i64(octets.find(b"\x00\x80\x01\x00", at, min(end, at + size)))
    if found < 0:
        return _NO if end - at >= min(size, 1024) else _more(60, "a struct of Finagle")
    return _strict(octets, found + 1, end, "strict binary behind a struct of Finagle", size)


def _strict(octets: bytes, at: i64, end: i64, what: str, size: i64) -> Detection:
    if not b"\x80\x01".startswith(octets[at : min(end, at + 2)]):
        return _NO
    if end - at >= 4 and not 1 <= octets[at + 3] <= 4:
        return _NO
    if end - at < 8:
        return _more(95, what)
    length: i64 = int.from_bytes(octets[at + 4 : at + 8], "big")
    return _name(octets, at + 8, end, length, size - 12, 95, what)


def _compact(octets: bytes, at: i64, end: i64, what: str, size: i64) -> Detection:
    if end - at < 2:
        return _more(80, what)
    second: i64 = octets[at + 1]
    if second & 0x1F != 1 or not 1 <= second >> 5 <= 4:
        return _NO
    place = at + 2
    numbers: list[int] = []
    while len(numbers) < 2:
        number = 0
        shift = 0
        while True:
            if place >= end:
                return _more(80, what)
            octet: i64 = octets[place]
            place += 1
            number |= int(octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
            if shift > 28:
                return _NO
        numbers.append(number)
    return _name(octets, place, end, numbers[1], size - (place - at), 80, what)


def _name(octets: bytes, at: i64, end: i64, length: i64, room: i64, score: int, what: str) -> Detection:
    """A name of `length` octets at `at`, in `room`."""
    if length < 1 or length > _NAME or length > room:
        return _NO
    stop = at + min(length, _LOOK)
    if not _printable(octets, at, min(stop, end)):
        return _NO
    return _yes(score, what) if end >= stop else _more(score, what)


def _printable(octets: bytes, at: i64, stop: i64) -> bool:
    while at < stop:
        octet: i64 = octets[at]
        if octet < 0x20 or octet == 0x7F:
            return False
        at += 1
    return True


def _old(octets: bytes, at: i64, end: i64, what: str, size: i64, score: int) -> Detection:
    """A message of old binary at `at`: a name, then the type, and an id."""
    if end - at < 4:
        return _more(score, what)
    length: i64 = int.from_bytes(octets[at : at + 4], "big")
    if length < 1 or length > _OLD_NAME or length + 9 > size:
        return _NO
    start = at + 4
    stop = start + length
    if not _word(octets, start, min(stop, end)):
        return _NO
    if end <= stop:
        return _more(score, what)
    if not 1 <= octets[stop] <= 4:
        return _NO
    if end < stop + 6:
        return _more(score, what)
    kind: i64 = octets[stop + 5]
    return _yes(score, what) if kind <= 16 else _NO  # the type of the first field


def _word(octets: bytes, at: i64, stop: i64) -> bool:
    """Letters, digits, and what stands in names."""
    while at < stop:
        octet: i64 = octets[at]
        letter = 0x61 <= octet <= 0x7A or 0x41 <= octet <= 0x5A or 0x30 <= octet <= 0x39
        if not letter and octet != 0x5F and octet != 0x3A and octet != 0x2E and octet != 0x24:
            return False
        at += 1
    return True


def _json(octets: bytes, at: i64, end: i64, what: str) -> Detection:
    """``[1,"name",type,``"""
    size: i64 = len(_JSON)
    if not _JSON.startswith(octets[at : min(end, at + size)]):
        return _NO
    stop = i64(octets.find(b'"', at + size, min(end, at + size + _NAME)))
    if not _printable(octets, at + size, end if stop < 0 else stop):
        return _NO
    if stop < 0:
        return _NO if end - at >= _NAME else _more(90, what)
    if end - stop < 4:
        return _more(90, what)
    right = octets[stop + 1] == 0x2C and 0x31 <= octets[stop + 2] <= 0x34 and octets[stop + 3] == 0x2C
    return _yes(90, what) if right and stop > at + size else _NO


def _quoted(octets: bytes, at: i64, end: i64, begins: bytes, what: str) -> Detection:
    size: i64 = len(begins)
    if not begins.startswith(octets[at : min(end, at + size)]):
        return _NO
    return _yes(95, what) if end - at >= size else _more(95, what)


def _header(octets: bytes, at: i64, end: i64, size: i64, apache: bool) -> Detection:
    what = "a frame with THeader" if apache else "a frame with TTHeader"
    magic = b"\x0f\xff" if apache else b"\x10\x00"
    score = 95 if apache else 80
    if not magic.startswith(octets[at : min(end, at + 2)]) or size < 12:
        return _NO
    if end - at < 12:
        return _more(score, what)
    words: i64 = int.from_bytes(octets[at + 8 : at + 10], "big")
    if words < 1 or 10 + 4 * words > size or octets[at + 10] > 16 or octets[at + 11] > 16:
        return _NO
    return _yes(score, what)


def _http(octets: bytes, at: i64, end: i64) -> Detection:
    """A POST whose type of content is one of Thrift's."""
    if not b"POST /".startswith(octets[at : min(end, at + 6)]):
        return _NO
    head = octets[at:end]
    stop = head.find(b"\r\n\r\n")
    if stop < 0:
        return _NO if end - at > _HTTP_HEAD else _more(60, "HTTP that may carry Thrift")
    for line in head[:stop].lower().split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key == b"content-type":
            return _yes(95, "HTTP that carries Thrift") if value.strip().startswith(_CONTENT) else _NO
    return _NO


def _zlib(octets: bytes, at: i64, end: i64) -> Detection:
    """A stream of zlib that inflates to one of the others."""
    if end - at < 2:
        return _more(60, "a stream of zlib")
    if octets[at + 1] not in (0x01, 0x5E, 0x9C, 0xDA):
        return _NO
    machine = zlib.decompressobj()
    plain = b""
    # One by one, so that what comes later changes nothing.
    for index in range(at, end):
        try:
            plain += machine.decompress(octets[index : index + 1], 4096)
        except zlib.error:
            return _NO
        if plain:
            if plain[0] == 0x78 or plain[0] == 0x50:
                return _NO
            found = _judge(plain, 0, len(plain))
            if found.verdict is Verdict.NO:
                return _NO
            if found.verdict is Verdict.YES:
                return _yes(90, f"a stream of zlib: {found.reason}")
    return _more(60, "a stream of zlib")
