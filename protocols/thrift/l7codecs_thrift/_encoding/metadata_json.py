"""thriftpy2's own JSON, its `TJSONProtocol`: named fields, and no types.

    size32 | {"metadata": {"version": 1, "name": "…", "ttype": kind, "seqid": n}, "payload": {"field": value, …}}

A map is a list of ``{"key": k, "value": v}``, a binary is base64. Source: `thriftpy2.protocol.json`, 0.7.1.

Not handled: metadata behind the payload; thriftpy2 writes it before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, ProtocolError

from .cursor import Cursor
from .encoding import Encoding, check_kind
from .json_head import JsonHead, patched
from .json_text import JsonScan, quoted, text_between
from .names import Name
from .skipper import Skipper
from .types import BOOL, DOUBLE, EXCEPTION, I64, LIST, STRING, STRUCT, Field, Head

if TYPE_CHECKING:
    from .types import Value

__all__ = ["MetadataJsonEncoding", "SizedSkipper", "members_of"]

_BEGIN: Final = b'{"metadata":{'
_LONGEST_HEAD: Final[i64] = 8192
"""Octets of the metadata, whatever the limits allow: they are looked at anew as more of them come."""
_MEMBERS: Final[i64] = 16


@final
class SizedSkipper(Skipper):
    """Passes over a body whose end the head tells."""

    def __init__(self, size: i64, nesting: i64, elements: i64, payload: i64) -> None:
        super().__init__(nesting, elements, payload)
        self._size: i64 = size
        self._left: i64 = size
        self.done = size <= 0

    def clear(self) -> None:
        """Begin anew, with another body of the same size."""
        self._left = self._size
        self.done = self._size <= 0

    def feed(self, octets: bytes, at: i64, stop: i64) -> i64:
        """See `Skipper.feed`."""
        left = self._left
        if left > stop - at:
            self._left = left - (stop - at)
            return stop
        self._left = 0
        self.done = True
        return at + left


class MetadataJsonEncoding(Encoding):
    """See the module. A body is the value of ``payload``; the head's `stop` is where the message ends."""

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """See `Encoding.head`."""
        if at < 0 or stop > len(octets) or stop - at < 4:
            return None
        size = i64(read_i32_be(octets, at))
        if size < len(_BEGIN):
            raise ProtocolError(at, f"a message of {size} octets", "one of JSON")
        longest_head: i64 = min(longest * 2, _LONGEST_HEAD)
        end: i64 = at + 4 + min(size, longest_head)
        reader = _Metadata(octets, at + 4, min(stop, end), longest)
        if not reader.read():
            if end > stop:
                return None
            if size > longest_head:
                raise LimitExceeded(at, "metadata without an end", f"at most {longest_head} octets")
            raise ProtocolError(at, "metadata without an end", "metadata before a payload")
        check_kind(reader.kind, reader.kind_at)
        name = text_between(octets, reader.name_at, reader.name_stop)
        if name is None:
            raise ProtocolError(reader.name_at, "a name that is no string of JSON", "one that is")
        return Head(
            reader.kind,
            Name(name),
            reader.seqid,
            at,
            reader.at,
            reader.name_at,
            reader.name_stop,
            reader.seqid_at,
            reader.seqid_stop,
            reader.kind_at,
            True,
            at + 4 + size,
        )

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """See `Encoding.skipper`. A message larger than `payload` is refused here."""
        size = head.stop - head.body
        if size > payload:
            raise LimitExceeded(head.at, f"a message of {size} octets", f"at most limits.payload = {payload}")
        return SizedSkipper(size, nesting, elements, payload)

    def first_field(self, octets: bytes, at: i64, stop: i64) -> Field | None:
        """See `Encoding.first_field`. A value of ``null`` counts as none."""
        for name, value in members_of(octets, at, stop, 1 << 62).items():
            if value is not None:
                return Field(0 if name == "success" else 1, _type_of(value), at, str(name))
        return None

    def application_exception(self, octets: bytes, at: i64, stop: i64) -> tuple[int | None, str | None]:
        """See `Encoding.application_exception`."""
        try:
            members = members_of(octets, at, stop, 1 << 62)
        except ProtocolError as error:
            if error.offset < stop:
                raise
            return None, None
        found = members.get("type")
        message = members.get("message")
        return found if isinstance(found, int) else None, message if isinstance(message, str) else None

    def pick(self, octets: bytes, at: i64, stop: i64, path: tuple[int | str, ...]) -> Value:
        """See `Encoding.pick`."""
        value: Value = members_of(octets, at, stop, 1 << 62)
        for step in path:
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        return value

    def structure(self, octets: bytes, at: i64, stop: i64, limits: Limits) -> Value:
        """See `Encoding.structure`. Values are as JSON has them."""
        return members_of(octets, at, stop, limits.nesting)

    def cursor(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> Cursor:
        """There is none: fields have neither ids nor types."""
        raise NotImplementedError

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """See `Encoding.exception_message`."""
        said = b'{"metadata": {"version": 1, "name": %s, "ttype": %d, "seqid": %d}, "payload": {"message": %s, "type": %d}}' % (
            quoted(name), int(EXCEPTION), int(seqid), quoted(text), int(type),
        )  # fmt: skip
        return len(said).to_bytes(4, "big") + said

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """See `Encoding.with_head`. The message's size, before it, is mended."""
        made = patched(octets, head, int(head.at) + 4, name, seqid, None if kind is None else b"%d" % kind)
        size = len(made) + int(head.stop - head.body)
        return size.to_bytes(4, "big") + made


@final
class _Metadata(JsonHead):
    """Reads the metadata, with their members in any order."""

    def read(self) -> bool:
        """Read up to the payload; False: it is not there yet."""
        for octet in _BEGIN:
            if not self.expect(octet):
                return False
        members: i64 = 0
        while True:
            key = self.string()
            if key is None or not self.expect(0x3A) or not self.space():
                return False
            if key == b"name":
                if not self.name():
                    return False
            elif not self._number(key):
                return False
            members += 1
            if not self.space():
                return False
            if self.octets[self.at] != 0x2C:
                break
            self.at += 1
            if members > _MEMBERS:
                raise LimitExceeded(self.at, "one more member of the metadata", f"at most {_MEMBERS}")
        for octet in b'},"payload":':
            if not self.expect(octet):
                return False
        if not self.space():
            return False
        if self.octets[self.at] != 0x7B:
            raise ProtocolError(self.at, f"octet {self.octets[self.at]:02x}", "a payload's opening brace")
        if self.name_at < 0 or self.seqid_at < 0:
            raise ProtocolError(self.at, "metadata without a name or a seqid", "both")
        return True

    def _number(self, key: bytes) -> bool:
        begin = self.at
        number = self.number(key)
        if number is None:
            return False
        if key == b"ttype":
            self.kind = number if self.at - begin == 1 else 0
            self.kind_at = begin
        elif key == b"seqid":
            self.take_seqid(number, begin)
        elif key == b"version" and number != 1:
            raise ProtocolError(begin, f"version {number}", "version 1")
        return True


def members_of(octets: bytes, at: i64, stop: i64, nesting: i64) -> dict[Value, Value]:
    """The payload at `at`: an object."""
    scan = JsonScan(nesting)
    end = scan.feed(octets, at, stop)
    if not scan.done:
        raise ProtocolError(end, "the end of the message", "the rest of it")
    try:
        found = json.loads(octets[at:end].decode())  # of octets it would guess the encoding
    except (ValueError, RecursionError) as error:
        raise ProtocolError(at, f"no JSON: {error}"[:200], "a payload of JSON") from None
    if not isinstance(found, dict):
        raise ProtocolError(at, "a payload that is no object", "an object")
    return found


def _type_of(value: Value) -> i64:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return I64
    if isinstance(value, float):
        return DOUBLE
    if isinstance(value, str):
        return STRING
    return STRUCT if isinstance(value, dict) else LIST
