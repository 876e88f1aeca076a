"""Bodies of fastjson2: every value stands behind its size, so none is read to pass over it.

    size(32) value │ size(32) value │ …            a value is one of JSONB, with references and names of its own

Source: `FastJson2ObjectOutput` and `FastJson2ObjectInput` of Dubbo 3.3.6.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64, mypyc_attr

from l7codecs import HeaderValue, Limits, ProtocolError, Unsupported

from .._jsonb.scan import GB18030, TEXT, TEXT_SIZED, Scanner
from .._jsonb.values import Typed, encode, read
from .apart import BodyOfValues
from .interface import (
    EXCEPTION,
    EXCEPTION_WITH_ATTACHMENTS,
    NULL_WITH_ATTACHMENTS,
    PROTOCOL_VERSION,
    Attachment,
    Attachments,
)
from .jsonb_plain import JsonbTexts

__all__ = ["Fastjson2Body"]

_SIZE: Final[i64] = 4
_NULL_BODY: Final = b"\x00\x00\x00\x01\xaf"
_NULL: Final[i64] = 0xAF
_TYPED: Final[i64] = 0x92
_OBJECT: Final[i64] = 0xA6
_OBJECT_END: Final[i64] = 0xA5
_BEYOND: Final[i64] = -1


def _end(octets: bytes, at: i64, stop: i64, more: bool) -> i64:
    """Behind the value whose size stands at `at`; `_BEYOND` where that is behind `stop`, and the body has `more`."""
    if stop - at < _SIZE:
        if more:
            return _BEYOND
        raise ProtocolError(at, f"{stop - at} octets", "the size of a value, 4 octets")
    size = i64(read_i32_be(octets, at))
    if size < 1:
        raise ProtocolError(at, f"a value of {size} octets", "at least 1")
    if size > stop - at - _SIZE:
        if more:
            return _BEYOND
        raise ProtocolError(at, f"a value of {size} octets", f"at most {stop - at - _SIZE}")
    return at + _SIZE + size


def _string(octets: bytes, at: i64, end: i64) -> str | None:
    """The text, or null, whose size stands at `at`."""
    first: i64 = octets[at + _SIZE]
    if TEXT <= first < TEXT_SIZED and first - TEXT == end - at - _SIZE - 1:
        return octets[at + _SIZE + 1 : end].decode("latin-1")
    return Scanner(octets, at + _SIZE, end).string()


def _is_text_of(octets: bytes, at: i64, stop: i64, size: i64) -> bool:
    """Whether what stands behind the size at `at` begins a text that is as long as `size` says."""
    begin = at + _SIZE
    if begin + 1 >= stop or not TEXT_SIZED <= octets[begin] <= GB18030:
        return False
    scanner = Scanner(octets, begin + 1, stop)
    length = scanner.number()
    return scanner.at + length == begin + size


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


@final
@mypyc_attr(acyclic=True)
class Fastjson2Body(BodyOfValues):
    """See the module."""

    def end_of(self, octets: bytes, at: i64, stop: i64, more: bool) -> i64:
        return _end(octets, at, stop, more)

    def text_of(self, octets: bytes, at: i64, end: i64) -> str | None:
        return _string(octets, at, end)

    def kind_of(self, octets: bytes, at: i64, end: i64) -> i64:
        kind = Scanner(octets, at + _SIZE, end).long()
        if not 0 <= kind <= NULL_WITH_ATTACHMENTS:
            raise ProtocolError(at + _SIZE, f"an answer of kind {kind}", "0 to 5")
        return i64(kind)

    def attached(self, octets: bytes, at: i64, end: i64, limits: Limits) -> Attachments:
        scanner = Scanner(octets, at + _SIZE, end)
        if scanner.peek() == _NULL:
            return Attachments(at, at, at, end, [])
        while scanner.peek() == _TYPED:
            scanner.at += 1
            scanner.skip_name()
        begin = scanner.at
        if scanner.peek() != _OBJECT:
            raise ProtocolError(begin, f"octet {octets[begin]:02x}", "a map of attachments, a6, or null")
        scanner.at = begin + 1
        entries: list[Attachment] = []
        texts = JsonbTexts()
        while scanner.peek() != _OBJECT_END:
            first = scanner.at
            key = scanner.key()
            middle = scanner.at
            value = texts.header(read(scanner, limits.nesting))
            if key is not None:
                entries.append(Attachment(key, value, first, middle, scanner.at))
        return Attachments(at, begin + 1, scanner.at, end, entries)

    def list_of(self, octets: bytes, at: i64, end: i64, limits: Limits) -> list[object] | None:
        value = read(Scanner(octets, at + _SIZE, end), limits.nesting)
        if isinstance(value, Typed):
            value = value.value
        return list(value) if isinstance(value, list) else None

    def thrown(self, octets: bytes, at: i64, end: i64) -> tuple[str | None, str | None]:
        return Scanner(octets, at + _SIZE, end).throwable()

    def is_null(self, octets: bytes, start: i64, stop: i64) -> bool:
        return octets[start:stop] == _NULL_BODY

    def plausible(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> bool:
        at = start
        try:
            while at < stop:
                end = _end(octets, at, stop, more)
                if end < 0:
                    return at > start or _is_text_of(octets, at, stop, i64(read_i32_be(octets, at)))
                scanner = Scanner(octets, at + _SIZE, end)
                scanner.skip()
                if scanner.at != end:
                    return False
                at = end
        except ProtocolError:
            return False
        return at > start

    def write_text(self, text: str) -> bytes:
        return _sized(encode(text))

    def string_end(self, octets: bytes, at: i64, stop: i64) -> i64:
        return _end(octets, at, stop, False)

    def write_string(self, text: str | None) -> bytes:
        return _sized(encode(text))

    def write_null(self) -> bytes:
        return _NULL_BODY

    def write_attachment(self, key: str, value: HeaderValue) -> bytes:
        return encode(key) + encode(value)

    def write_attachments(self, entries: bytes) -> bytes:
        return _sized(b"\xa6" + entries + b"\xa5")

    def rewrite_attachments(self, octets: bytes, found: Attachments, parts: list[bytes]) -> bytes:
        entries = b"".join(parts)
        if found.first == found.start:
            return self.write_attachments(entries)
        return _sized(octets[found.start + _SIZE : found.first] + entries + octets[found.last : found.stop])

    def kept_attachments(
        self, octets: bytes, start: i64, found: Attachments, keep: list[bool], limits: Limits
    ) -> list[bytes]:
        scanner = Scanner(octets, found.first, found.last)
        parts: list[bytes] = []
        gone: set[int] = set()
        # Whether what is left out may be referred to, or has a reference, which the next one may say again.
        lost = False
        for number, entry in enumerate(found.entries):
            begin = scanner.at
            self._pass(scanner, entry.start, gone, lost)
            if keep[number]:
                self._pass(scanner, entry.stop, gone, lost)
                parts.append(octets[begin : entry.stop])
            else:
                parts.append(octets[begin : entry.start])
                before = scanner.references
                scanner.defined = set()
                self._pass(scanner, entry.stop, set(), False)
                gone |= scanner.defined
                first: i64 = octets[entry.middle]
                lost = lost or _TYPED <= first <= _OBJECT or scanner.references != before
        begin = scanner.at
        self._pass(scanner, found.last, gone, lost)
        parts.append(octets[begin : found.last])
        return parts

    def _pass(self, scanner: Scanner, stop: i64, gone: set[int], lost: bool) -> None:
        """Pass over what is before `stop`. Raises `Unsupported` where it needs what is left out."""
        before = scanner.references
        scanner.used = set()
        while scanner.at < stop:
            scanner.skip()
        if not scanner.used.isdisjoint(gone) or (lost and scanner.references != before):
            raise Unsupported("an attachment cannot change whose value another one refers to")

    def write_exception(self, name: str, message: str, attached: bool) -> bytes:
        kind = EXCEPTION_WITH_ATTACHMENTS if attached else EXCEPTION
        value = b"\x92" + encode(name) + b"\x00\xa6\x7f" + encode("detailMessage") + b"\x01" + encode(message) + b"\xa5"
        body = _sized(bytes((0xBD, int(kind)))) + _sized(value)
        return body + self.write_attachments(self.write_attachment("dubbo", PROTOCOL_VERSION)) if attached else body
