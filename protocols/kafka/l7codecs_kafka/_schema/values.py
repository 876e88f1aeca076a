"""Bodies as Python values, and back: exact in both directions.

A struct is a dict by the definitions' names, an array a list, a uuid 16 octets, null None. A tagged field is there where the octets
have it; those that the table does not know stand by their tags under ``_tags``. `encode` puts the default where an ordinary field is
missing, and leaves out a tagged one. How deep structs are, the table says.
"""

from __future__ import annotations

from typing import Final, cast, final

from librt.strings import (
    BytesWriter,
    read_f64_be,
    read_i16_be,
    read_i32_be,
    read_i64_be,
    write_f64_be,
    write_i16_be,
    write_i32_be,
    write_i64_be,
)
from mypy_extensions import i16, i32, i64, u8

from .found import BAD_LENGTH, BAD_MARKER, BAD_SIZE, BAD_VARINT, CUT, failure, read_varint
from .layouts import (
    BOOL,
    BYTES,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    STRUCT,
    UINT16,
    UUID,
    Field,
    Layout,
    Value,
)

__all__ = ["TAGS", "decode", "encode", "encode_value"]

TAGS: Final = "_tags"
"""The key of tagged fields that the table does not know: a dict of octets by tag."""


def decode(layout: Layout, octets: bytes, start: int, end: int) -> tuple[dict[str, Value], int]:
    """The body that starts at `start`, and where it ends; octets between there and `end` are left alone.

    Raises:
        ProtocolError: the octets are no body of this layout; its offset counts from the start of `octets`.
    """
    if end > len(octets):
        raise ValueError(f"no {end} octets: {len(octets)}")
    reader = _Reader(octets, start, end, layout.flexible)
    return reader.struct(layout.root), reader.at


def encode(layout: Layout, value: dict[str, Value]) -> bytes:
    """The octets of a body.

    Raises:
        ValueError: a value does not fit its field's type; a key is none of the layout's.
    """
    writer = _Writer(layout.flexible)
    writer.struct(layout.root, value)
    return writer.out.getvalue()


def encode_value(layout: Layout, field: Field, value: Value) -> bytes:
    """The octets of one field that has no length before it, or of what stands behind the length."""
    writer = _Writer(layout.flexible)
    kind = field.kind
    if kind == STRING or kind == BYTES:
        return _octets(field, value)
    writer.scalar(field, value)
    return writer.out.getvalue()


@final
class _Reader:
    """Reads values one behind another."""

    def __init__(self, octets: bytes, start: i64, end: i64, flexible: bool) -> None:
        self.octets = octets
        self.at: i64 = start
        self.end: i64 = end
        self.flexible = flexible

    def struct(self, struct: Field) -> dict[str, Value]:
        """The fields of a struct, and its tagged fields."""
        value: dict[str, Value] = {}
        for field in struct.fields:
            if field.tag < 0:
                value[field.name] = self.value(field)
        if self.flexible:
            self._tags(struct, value)
        return value

    def value(self, field: Field) -> Value:
        """A field."""
        if field.array:
            count = self._count()
            if count < 0:
                return None
            if count > self.end - self.at:
                raise failure(self.octets, self.at, self.end, CUT)
            items: list[Value] = []
            while count > 0:
                items.append(self._item(field))
                count -= 1
            return items
        if field.kind == STRUCT and field.nullable:
            self._need(1)
            marker: i64 = self.octets[self.at]
            if marker == 0xFF:
                self.at += 1
                return None
            if marker != 1:
                raise failure(self.octets, self.at, self.end, BAD_MARKER)
            self.at += 1
        return self._item(field)

    def _item(self, field: Field) -> Value:
        """A field that is no array, or an element of one."""
        kind = field.kind
        if kind == STRUCT:
            return self.struct(field)
        octets = self.octets
        if kind == STRING or kind == BYTES:
            size = self._size(kind)
            if size < 0:
                return None
            self._need(size)
            at = self.at
            self.at += size
            found = octets[at : at + size]
            return found.decode("utf-8", "surrogateescape") if kind == STRING else found
        if kind == INT32:
            self._need(4)
            self.at += 4
            return int(read_i32_be(octets, self.at - 4))
        if kind == INT16:
            self._need(2)
            self.at += 2
            return int(read_i16_be(octets, self.at - 2))
        if kind == INT64:
            self._need(8)
            self.at += 8
            return int(read_i64_be(octets, self.at - 8))
        if kind == UUID:
            self._need(16)
            self.at += 16
            return octets[self.at - 16 : self.at]
        if kind == UINT16:
            self._need(2)
            self.at += 2
            port: i64 = i64(read_i16_be(octets, self.at - 2)) & 0xFFFF
            return int(port)
        if kind == FLOAT64:
            self._need(8)
            self.at += 8
            return read_f64_be(octets, self.at - 8)
        self._need(1)
        octet: i64 = octets[self.at]
        self.at += 1
        if kind == BOOL and octet < 2:
            return octet == 1
        if kind == INT8 and octet > 0x7F:
            octet -= 0x100
        return int(octet)

    def _tags(self, struct: Field, value: dict[str, Value]) -> None:
        """The tagged fields of a struct."""
        count = self._varint()
        if count == 0:
            return
        unknown: dict[int, bytes] = {}
        while count > 0:
            count -= 1
            tag = self._varint()
            size = self._varint()
            self._need(size)
            behind = self.at + size
            field = _by_tag(struct, tag)
            if field is None:
                unknown[int(tag)] = self.octets[self.at : behind]
                self.at = behind
                continue
            end = self.end
            self.end = behind
            value[field.name] = self.value(field)
            if self.at != behind:
                raise failure(self.octets, self.at, behind, BAD_SIZE)
            self.end = end
        if unknown:
            value[TAGS] = cast("Value", unknown)

    def _count(self) -> i64:
        """An array's count; -1 is null."""
        return self._size(BYTES)

    def _size(self, kind: i64) -> i64:
        """The length before a string or octets, as the count before elements; -1 is null."""
        if self.flexible:
            return self._varint() - 1
        size: i64
        if kind == STRING:
            self._need(2)
            size = i64(read_i16_be(self.octets, self.at))
            width: i64 = 2
        else:
            self._need(4)
            size = i64(read_i32_be(self.octets, self.at))
            width = 4
        if size < -1:
            raise failure(self.octets, self.at, self.end, BAD_LENGTH)
        self.at += width
        return size

    def _varint(self) -> i64:
        found = read_varint(self.octets, self.at, self.end)
        if found < 0:
            raise failure(self.octets, self.at, self.end, CUT if found == -1 else BAD_VARINT)
        self.at += found & 7
        return found >> 3

    def _need(self, size: i64) -> None:
        if self.at + size > self.end:
            raise failure(self.octets, self.at, self.end, CUT)


def _by_tag(struct: Field, tag: i64) -> Field | None:
    for field in struct.tagged:
        if field.tag == tag:
            return field
    return None


@final
class _Writer:
    """Writes values one behind another."""

    def __init__(self, flexible: bool) -> None:
        self.out = BytesWriter()
        self._flexible = flexible

    def struct(self, struct: Field, value: dict[str, Value]) -> None:
        """A struct's fields, and its tagged fields."""
        known = 0
        for field in struct.fields:
            if field.tag < 0:
                if field.name in value:
                    known += 1
                    self.value(field, value[field.name])
                else:
                    self.value(field, field.default)
        if self._flexible:
            known += self._tags(struct, value)
        if known != len(value):
            names = {field.name for field in struct.fields} | ({TAGS} if self._flexible else set())
            raise ValueError(f"{struct.path or 'the body'} has no {', '.join(sorted(value.keys() - names))}")

    def value(self, field: Field, value: Value) -> None:
        """A field."""
        if field.array:
            if value is None:
                self._size(-1, BYTES)
                return
            if not isinstance(value, list):
                raise _unfit(field, value)
            self._size(len(value), BYTES)
            for item in value:
                self._item(field, item)
            return
        if field.kind == STRUCT and field.nullable:
            if value is None:
                self.out.append(0xFF)
                return
            self.out.append(1)
        self._item(field, value)

    def _item(self, field: Field, value: Value) -> None:
        """A field that is no array, or an element of one."""
        kind = field.kind
        if kind == STRUCT:
            if not isinstance(value, dict):
                raise _unfit(field, value)
            self.struct(field, value)
        elif kind == STRING or kind == BYTES:
            if value is None:
                self._size(-1, kind)
                return
            octets = _octets(field, value)
            if kind == STRING and len(octets) > 0x7FFF:
                raise ValueError(f"{field.path}: {len(octets)} octets; a string has {0x7FFF} at most")
            self._size(len(octets), kind)
            self.out.write(octets)
        else:
            self.scalar(field, value)

    def scalar(self, field: Field, value: Value) -> None:
        """A value of fixed size."""
        kind = field.kind
        out = self.out
        if kind == UUID:
            if not isinstance(value, bytes) or len(value) != 16:
                raise _unfit(field, value)
            out.write(value)
            return
        if kind == FLOAT64:
            if not isinstance(value, (int, float)):
                raise _unfit(field, value)
            write_f64_be(out, float(value))
            return
        if not isinstance(value, int):
            raise _unfit(field, value)
        if kind == INT64:
            if not -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
                raise _unfit(field, value)
            write_i64_be(out, i64(value))
        elif kind == INT32:
            if not -0x80000000 <= value <= 0x7FFFFFFF:
                raise _unfit(field, value)
            write_i32_be(out, i32(value))
        elif kind == INT16:
            if not -0x8000 <= value <= 0x7FFF:
                raise _unfit(field, value)
            write_i16_be(out, i16(value))
        elif kind == UINT16:
            if not 0 <= value <= 0xFFFF:
                raise _unfit(field, value)
            out.append(value >> 8)
            out.append(value & 0xFF)
        elif kind == INT8:
            if not -0x80 <= value <= 0x7F:
                raise _unfit(field, value)
            out.append(u8(value & 0xFF))
        else:
            if not 0 <= value <= 0xFF:
                raise _unfit(field, value)
            out.append(u8(value))

    def _tags(self, struct: Field, value: dict[str, Value]) -> int:
        """The tagged fields of a struct, in the order of their tags; returns how many keys of `value` they are."""
        unknown: dict[int, bytes] = cast("dict[int, bytes]", value.get(TAGS) or {})
        present = [field for field in struct.tagged if field.name in value]
        if not present and not unknown:
            self._varint(0)
            return 1 if TAGS in value else 0
        parts: dict[int, bytes] = dict(unknown)
        for field in present:
            inner = _Writer(self._flexible)
            inner.value(field, value[field.name])
            parts[int(field.tag)] = inner.out.getvalue()
        self._varint(len(parts))
        for tag in sorted(parts):
            part = parts[tag]
            if not 0 <= tag <= 0xFFFFFFFF:
                raise ValueError(f"{struct.path or 'the body'}: no tag: {tag}")
            self._varint(tag)
            self._varint(len(part))
            self.out.write(part)
        return len(present) + (1 if TAGS in value else 0)

    def _size(self, size: i64, kind: i64) -> None:
        """The length before a string or octets, as the count before elements; -1 is null."""
        if self._flexible:
            self._varint(size + 1)
        elif kind == STRING:
            write_i16_be(self.out, i16(size))
        else:
            write_i32_be(self.out, i32(size))

    def _varint(self, value: i64) -> None:
        write_varint(self.out, value)


def write_varint(out: BytesWriter, value: i64) -> None:
    """Append a varint."""
    while value >= 0x80:
        out.append(u8((value & 0x7F) | 0x80))
        value >>= 7
    out.append(u8(value))


def _octets(field: Field, value: Value) -> bytes:
    if field.kind == STRING and isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise _unfit(field, value)


def _unfit(field: Field, value: Value) -> ValueError:
    shown = repr(value)
    return ValueError(f"{field.path}: {shown if len(shown) < 60 else shown[:57] + '...'} does not fit its type")
