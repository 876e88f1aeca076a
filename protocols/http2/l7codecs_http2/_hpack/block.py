"""A decoded header block: its fields, and what is known of all of them together.

The first twelve fields stand in attributes, six in the block itself and six in a tail. A list of them would be the only object of most
events that Python's garbage collector knows: it would be looked through again and again, and takes 72 octets and an allocation more.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i32, i64, mypyc_attr

from .static_table import (
    AGAIN,
    FIRST_MARK,
    LATE_PSEUDO,
    PSEUDO,
    REGULAR,
    REPEATED,
    UNKNOWN_NAME,
    UNKNOWN_VALUE,
    HeaderField,
    HeaderName,
)

__all__ = ["FAR", "PART_SIZE", "HeaderBlock", "block_of"]

PART_SIZE: Final[i64] = 6
FAR: Final[i64] = 127
"""A place from here on is not kept in `HeaderBlock.places`."""
_NO_FIELDS: Final[list[HeaderField]] = []


@mypyc_attr(acyclic=True)
class Part:
    """Up to `PART_SIZE` fields in attributes. Those of which there is no field are not set."""

    _field0: HeaderField
    _field1: HeaderField
    _field2: HeaderField
    _field3: HeaderField
    _field4: HeaderField
    _field5: HeaderField

    def put(self, index: i64, field: HeaderField) -> None:
        """Set the field at `index`, from 0 to 5."""
        if index < 3:
            if index == 0:
                self._field0 = field
            elif index == 1:
                self._field1 = field
            else:
                self._field2 = field
        elif index == 3:
            self._field3 = field
        elif index == 4:
            self._field4 = field
        else:
            self._field5 = field

    def at(self, index: i64) -> HeaderField:
        """The field at `index`, from 0 to 5. Raises AttributeError if there is none."""
        if index < 3:
            if index == 0:
                return self._field0
            return self._field1 if index == 1 else self._field2
        if index == 3:
            return self._field3
        return self._field4 if index == 4 else self._field5


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Tail(Part):
    """The fields behind the first six."""

    def __init__(self) -> None:
        self.rest: list[HeaderField] | None = None
        """Those behind the first twelve."""


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class HeaderBlock(Part):
    """The fields of one header block, in the order of the wire, repeats kept."""

    def __init__(
        self,
        fields: list[HeaderField] = _NO_FIELDS,
        size: i64 = 0,
        seen: i64 = 0,
        places: i64 = 0,
        oversized: bool = False,
    ) -> None:
        self.tail: Tail | None = None
        self.count: i32 = 0
        """How many fields."""
        self.oversized = oversized
        """The list passes the decoder's limit: the block has only the fields before. The decoder is in order all the same."""
        self.size = size
        """Octets of the header list, as RFC 7541 §4.1 counts; of all fields, also where `oversized`."""
        self.seen = seen
        """The ORed bits of all fields, and `LATE_PSEUDO` and `REPEATED`."""
        self.places = places
        for field in fields:
            self.append(field)

    def append(self, field: HeaderField) -> None:
        """Put `field` behind the others; what is known of all of them is up to the caller."""
        count = i64(self.count)
        self.count = i32(count + 1)
        if count < PART_SIZE:
            self.put(count, field)
            return
        tail = self.tail
        if tail is None:
            tail = Tail()
            self.tail = tail
        if count < 2 * PART_SIZE:
            tail.put(count - PART_SIZE, field)
            return
        rest = tail.rest
        if rest is None:
            tail.rest = [field]
        else:
            rest.append(field)

    @property
    def known(self) -> bool:
        """Whether every name and value is known."""
        return self.seen & (UNKNOWN_NAME | UNKNOWN_VALUE) == 0

    def field(self, index: i64) -> HeaderField:
        """The field at `index`, from 0 to ``count - 1``."""
        if index < PART_SIZE:
            return self.at(index)
        tail = self.tail
        assert tail is not None
        if index < 2 * PART_SIZE:
            return tail.at(index - PART_SIZE)
        rest = tail.rest
        assert rest is not None
        return rest[index - 2 * PART_SIZE]

    @property
    def fields(self) -> list[HeaderField]:
        """The fields, as a new list."""
        found: list[HeaderField] = []
        count = i64(self.count)
        index: i64 = 0
        while index < count:
            found.append(self.field(index))
            index += 1
        return found

    def get(self, title: HeaderName) -> HeaderField | None:
        """The first field of that name, or None. `title` comes from `well_known` or `header_name`."""
        place = title.place
        if place >= 0:
            index = (self.places >> place) & FAR
            if index == 0:
                return None
            if index <= PART_SIZE:
                return self.at(index - 1)
        if title.flags & ~self.seen != 0:
            return None
        count = i64(self.count)
        index = 0
        while index < count:
            field = self.field(index)
            other = field.title
            if other is title or (other.flags == title.flags and other.octets == title.octets):
                return field
            index += 1
        return None

    def agrees(self, first: HeaderField) -> bool:
        """Whether every field of the name of `first`, which is well known, has its value."""
        count = i64(self.count)
        index: i64 = 0
        while index < count:
            field = self.field(index)
            if field.title is first.title and field.value != first.value:
                return False
            index += 1
        return True

    def pairs(self) -> list[tuple[str, bytes]]:
        """Name and value of every field; a name or value that is not known is empty."""
        return [(field.title.text, field.value) for field in self.fields]


def block_of(fields: list[HeaderField]) -> HeaderBlock:
    """The block that a decoder makes of `fields`. Its loop has the same in it."""
    size: i64 = 0
    seen: i64 = 0
    places: i64 = 0
    block = HeaderBlock()
    for field in fields:
        size += field.size
        flags = field.flags
        place = field.title.place
        if place >= 0:
            if (places >> place) & FAR == 0:
                places |= min(i64(block.count) + 1, FAR) << place
            elif flags & PSEUDO != 0:
                seen |= REPEATED
        if flags & PSEUDO != 0 and seen & REGULAR != 0:
            seen |= LATE_PSEUDO
        if seen & flags >= FIRST_MARK:
            seen |= AGAIN
        seen |= flags
        block.append(field)
    block.size = size
    block.seen = seen
    block.places = places
    return block
