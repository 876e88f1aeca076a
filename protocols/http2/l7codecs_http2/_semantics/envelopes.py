"""Bodies of gRPC-Web and Connect: their messages are counted, and what ends them is kept, since the outcome of the
call stands there.

    flag(8) length(32) message(length)    …    flag(8) length(32) end(length)

gRPC-Web (grpc/grpc, doc/PROTOCOL-WEB.md): bit 0x80 of the flag marks the end, lines of trailers (``grpc-status: 0``); with
``application/grpc-web-text`` all of it is base64, in pieces that may each be padded. Connect ("Connect Protocol Reference"): in a
stream bit 0x02 marks the end, JSON; a unary call has no envelopes, and where its HTTP status is not 200 its body is
the JSON of an error.
Bit 0x01 marks what is compressed, as a header names it: gzip and deflate (zlib) are undone here, anything else leaves the outcome unknown,
which is never OK.
"""

from __future__ import annotations

import binascii
import json
import zlib
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Status

__all__ = ["CONNECT_END", "WEB_END", "Envelopes", "connect_code", "connect_status", "inflate", "web_status"]

WEB_END: Final[i64] = 0x80
CONNECT_END: Final[i64] = 0x02
_COMPRESSED: Final[i64] = 0x01
_PREFIX_SIZE: Final[i64] = 5


@final
@mypyc_attr(acyclic=True)
class Envelopes:
    """One body, fed in any pieces. ``end_flag`` 0: it has no envelopes, and all of it is the ``ending``."""

    def __init__(self, end_flag: i64, text: bool, limit: i64) -> None:
        """`text`: it is base64; `limit`: octets of the ending that are kept."""
        self.end_flag = end_flag
        self.messages: i64 = 0
        self.message_octets: i64 = 0
        self.compressed: i64 = 0
        self.packed = False
        """The ending is compressed."""
        self.broken = False
        """Octets of it were lost, are no base64, or its ending passes the limit: nothing more is followed."""
        self._text = text
        self._limit = limit
        self._letters = b""
        """Up to three letters of base64 that stand for no octet yet."""
        self._prefix: i64 = 0
        self._length: i64 = 0
        self._left: i64 = 0
        self._ends = False
        """The envelope in progress is the last."""
        self._kept = bytearray()

    @property
    def ending(self) -> bytes | None:
        """What ends the call, compressed or not; None where it did not come, or not whole."""
        if self.broken or (self.end_flag != 0 and (not self._ends or self._prefix != 0)):
            return None
        return bytes(self._kept)

    def lose(self, size: i64) -> i64:
        """`size` octets were lost; returns how many of them were a message's: inside one, its length tells where the next starts."""
        if self._prefix == _PREFIX_SIZE and size < self._left and not (self._text or self._ends):
            self._left -= size
            self.message_octets += size
            return size
        self.broken = True
        return 0

    def feed(self, octets: bytes, at: i64, stop: i64) -> None:
        """Go on with ``octets[at:stop]``."""
        if self.broken or at >= stop:
            return
        if self._text:
            octets = self._letters_of(octets[at:stop])
            at = 0
            stop = len(octets)
        if self.end_flag == 0:
            self._keep(octets[at:stop])
            return
        while at < stop and not self.broken:
            if self._prefix < _PREFIX_SIZE:
                octet: i64 = octets[at]
                at += 1
                if self._prefix == 0:
                    if self._ends:
                        self.broken = True  # something behind the end
                        return
                    self._length = 0
                    self._ends = octet & self.end_flag != 0
                    if self._ends:
                        self.packed = octet & _COMPRESSED != 0
                    elif octet & _COMPRESSED != 0:
                        self.compressed += 1
                else:
                    self._length = self._length * 256 + octet
                self._prefix += 1
                if self._prefix < _PREFIX_SIZE:
                    continue
                self._left = self._length
            step = min(self._left, stop - at)
            if self._ends:
                self._keep(octets[at : at + step])
            else:
                self.message_octets += step
            at += step
            self._left -= step
            if self._left == 0:
                self._prefix = 0
                if not self._ends:
                    self.messages += 1

    def _keep(self, octets: bytes) -> None:
        if len(self._kept) + len(octets) > self._limit:
            self._kept = bytearray()
            self.broken = True
        else:
            self._kept += octets

    def _letters_of(self, octets: bytes) -> bytes:
        """What the letters so far stand for, in fours; a piece that is padded ends with its padding."""
        letters = self._letters + octets
        whole: i64 = len(letters) & ~3
        self._letters = letters[whole:]
        parts: list[bytes] = []
        at: i64 = 0
        try:
            while at < whole:
                pad: i64 = letters.find(b"=", at, whole)
                stop = whole if pad < 0 else (pad & ~3) + 4
                parts.append(binascii.a2b_base64(letters[at:stop], strict_mode=True))
                at = stop
        except binascii.Error:
            self.broken = True
        return b"".join(parts)


def inflate(octets: bytes, coding: str, limit: int) -> bytes | None:
    """The one gzip or zlib stream that `octets` are; None for anything else, for another `coding`, and for more than `limit` octets."""
    bits = _WINDOW_BITS.get(coding.strip().lower())
    if bits is None:
        return None
    stream = zlib.decompressobj(bits)
    try:
        found = stream.decompress(octets, limit + 1)
    except zlib.error:
        return None
    return found if len(found) <= limit and stream.eof and not stream.unused_data else None


def web_status(ending: bytes) -> int | None:
    """``grpc-status`` of the lines that end a body of gRPC-Web; None where there is none that is a number of up to three digits."""
    for line in ending.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"grpc-status":
            digits = value.strip()
            return int(digits) if digits.isdigit() and len(digits) < 4 else None
    return None


def connect_code(ending: bytes, streams: bool) -> str | None:
    """The ``code`` of a JSON error of Connect; of what ends a stream ``""`` where there is no error. None where it is no such JSON."""
    try:
        found = json.loads(ending.decode())  # of octets it would guess the encoding
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if streams:
        found = found.get("error")
        if found is None:
            return ""
    code = found.get("code") if isinstance(found, dict) else None
    return code[:64] if isinstance(code, str) else None


def connect_status(code: str) -> Status | None:
    """The status that an error code of Connect names; None for one that it does not have."""
    return _CODES.get(code)


_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_CODES: Final[dict[str, Status]] = {
    ("canceled" if status is Status.CANCELLED else status.name.lower()): status
    for status in Status
    if status is not Status.OK
}
