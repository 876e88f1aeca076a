"""Apache's JSON: heads, and passing over bodies.

    [1,"name",kind,seqid,{"id":{"type":value},…}]

    bool           tf    1, 0                   list, set    lst, set   ["type",count,value,…]
    i8 to i64      i8 …  number                 map          map        ["type","type",count,{key:value,…}]
    double         dbl   number, "NaN"          struct       rec        {"id":{"type":value},…}
    string         str   string                 uuid         uid        string, with dashes
    binary         str   string, base64

A key that is a number is quoted. Messages follow one another with nothing between. Sources: `TJSONProtocol`, Apache Thrift
0.25; thriftpy2's `TApacheJSONProtocol`.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .cursor import Cursor
from .encoding import Encoding, check_kind, check_number
from .json_text import SPACE, JsonScan, quoted, string_end, text_between
from .json_values import JsonCursor
from .names import Name
from .skipper import Skipper
from .types import EXCEPTION, Head

__all__ = ["LONGEST_NAME", "JsonEncoding", "JsonSkipper"]

LONGEST_NAME: Final[i64] = 4096
"""Octets of a name, with its escapes, whatever the limits allow: what has no length before it is looked at anew as more of it comes."""

_DIGITS: Final[i64] = 12
_LEVELS: Final[i64] = 3
"""Levels of JSON for one of Thrift, at most: a field of a struct is an object in an object, with an array or object in it."""


@final
class JsonSkipper(Skipper):
    """See `Skipper`. Of its limits, the nesting is one of Thrift's levels."""

    def __init__(self, nesting: i64, elements: i64, payload: i64) -> None:
        super().__init__(nesting, elements, payload)
        self._scan = JsonScan(nesting * _LEVELS if nesting < 1 << 60 else nesting)

    def clear(self) -> None:
        """Begin anew, with another body."""
        self.done = False
        self._scan.clear()

    def feed(self, octets: bytes, at: i64, stop: i64) -> i64:
        """See `Skipper.feed`."""
        if not self._scan.done:
            at = self._scan.feed(octets, at, stop)
            if not self._scan.done:
                return at
        while at < stop and not self.done:
            octet = octets[at]
            if octet not in SPACE:
                if octet != 0x5D:
                    raise ProtocolError(at, f"octet {octet:02x}", "the message's closing bracket")
                self.done = True
            at += 1
        return at


@final
class JsonEncoding(Encoding):
    """See the module. White space is passed over wherever JSON has it."""

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """See `Encoding.head`. The body begins at its brace."""
        if at < 0 or stop > len(octets):
            return None
        begin = at
        for expected in (0x5B, 0x31, 0x2C, 0x22):
            at = _expect(octets, at, stop, expected)
            if at < 0:
                return None
        name_at = at
        if longest > LONGEST_NAME:
            longest = LONGEST_NAME
        end = string_end(octets, at, stop)
        if (end if end >= 0 else stop) - at > longest:
            raise LimitExceeded(at, f"a name of more than {longest} octets", f"at most {longest}")
        if end < 0:
            return None
        name = text_between(octets, at, end)
        if name is None:
            raise ProtocolError(at, "a name that is no string of JSON", "one that is")
        kind_at = _expect(octets, end + 1, stop, 0x2C)
        kind_at = _space(octets, kind_at, stop)
        kind_stop = _number_end(octets, kind_at, stop)
        if kind_stop < 0:
            return None
        kind = i64(int(octets[kind_at:kind_stop]))
        check_kind(kind if kind_stop - kind_at == 1 else 0, kind_at)
        seqid_at = _space(octets, _expect(octets, kind_stop, stop, 0x2C), stop)
        seqid_stop = _number_end(octets, seqid_at, stop)
        if seqid_stop < 0:
            return None
        body = _space(octets, _expect(octets, seqid_stop, stop, 0x2C), stop)
        if body < 0 or body >= stop:
            return None
        if octets[body] != 0x7B:
            raise ProtocolError(body, f"octet {octets[body]:02x}", "a struct's opening brace")
        seqid = i64(int(octets[seqid_at:seqid_stop]))
        check_number(seqid, seqid_at)
        return Head(kind, Name(name), seqid, begin, body, name_at, end, seqid_at, seqid_stop, kind_at)

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """See `Encoding.skipper`."""
        return JsonSkipper(nesting, elements, payload)

    def cursor(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> Cursor:
        """See `Encoding.cursor`."""
        return JsonCursor(octets, at, stop, nesting, elements)

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """See `Encoding.exception_message`."""
        return b'[1,%s,%d,%d,{"1":{"str":%s},"2":{"i32":%d}}]' % (
            quoted(name), int(EXCEPTION), int(seqid), quoted(text), int(type),
        )  # fmt: skip

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """See `Encoding.with_head`."""
        named = octets[head.name_at - 1 : head.name_stop + 1] if name is None else quoted(name)
        number = octets[head.seqid_at : head.seqid_stop] if seqid is None else b"%d" % seqid
        return b"".join(
            [
                octets[head.at : head.name_at - 1],
                named,
                octets[head.name_stop + 1 : head.kind_at],
                b"%d" % (int(head.kind) if kind is None else kind),
                octets[head.kind_at + 1 : head.seqid_at],
                number,
                octets[head.seqid_stop : head.body],
            ]
        )


def _space(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind white space from `at`; -1 where that is -1."""
    while at >= 0 and at < stop and octets[at] in SPACE:
        at += 1
    return at


def _expect(octets: bytes, at: i64, stop: i64, expected: i64) -> i64:
    """Behind an octet that must come next, but for white space; -1: it has not come yet. `at` may be -1."""
    at = _space(octets, at, stop)
    if at < 0 or at >= stop:
        return -1
    if i64(octets[at]) != expected:
        raise ProtocolError(at, f"octet {octets[at]:02x}", f"octet {expected:02x} of a message in JSON")
    return at + 1


def _number_end(octets: bytes, at: i64, stop: i64) -> i64:
    """Behind the integer that begins at `at`; -1: it may go on. `at` may be -1."""
    if at < 0 or at >= stop:
        return -1
    end = at + 1 if octets[at] == 0x2D else at
    while end < stop and octets[end] >= 0x30 and octets[end] <= 0x39:
        end += 1
        if end - at > _DIGITS:
            raise ProtocolError(at, f"a number of more than {_DIGITS} digits", "one of 32 bits")
    if end >= stop:
        return -1
    if end == at or octets[end - 1] == 0x2D:
        raise ProtocolError(end, f"octet {octets[end]:02x}", "a digit")
    return end
