"""A decoded header block: its fields, and what is known of all of them together.

The fields stand in attributes, eight in the block itself and eight in each part that follows. A list of them would be the only object of
most events that Python's garbage collector knows: it would be looked through again and again, and takes 72 octets and an allocation more.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from ._static_table import UNKNOWN_NAME, UNKNOWN_VALUE, HeaderField, HeaderName

__all__ = ["FAR", "HeaderBlock", "Part"]

FAR: Final[i64] = 127
"""A place from here on is not kept in `HeaderBlock.places`."""
_NO_FIELDS: Final[list[HeaderField]] = []


@mypyc_attr(acyclic=True)
class Part:
    """Up to eight fields. Those attributes of which there is no field are not set."""

    _field0: HeaderField
    _field1: HeaderField
    _field2: HeaderField
    _field3: HeaderField
    _field4: HeaderField
    _field5: HeaderField
    _field6: HeaderField
    _field7: HeaderField

    def __init__(self) -> None:
        self.more: Part | None = None
        """Those behind the eighth."""

    def extended(self) -> Part:
        """A new part behind this one."""
        part = Part()
        self.more = part
        return part

    def put(self, index: i64, field: HeaderField) -> None:
        """Set the field at `index`, from 0 to 7."""
        if index < 4:
            if index < 2:
                if index == 0:
                    self._field0 = field
                else:
                    self._field1 = field
            elif index == 2:
                self._field2 = field
            else:
                self._field3 = field
        elif index < 6:
            if index == 4:
                self._field4 = field
            else:
                self._field5 = field
        elif index == 6:
            self._field6 = field
        else:
            self._field7 = field

    def at(self, index: i64) -> HeaderField:
        """The field at `index`, from 0 to 7. Raises AttributeError if there is none."""
        if index < 4:
            if index < 2:
                return self._field0 if index == 0 else self._field1
            return self._field2 if index == 2 else self._field3
        if index < 6:
            return self._field4 if index == 4 else self._field5
        return self._field6 if index == 6 else self._field7


@final
@mypyc_attr(acyclic=True)
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
        self.more = None
        self.count: i64 = len(fields)
        """How many fields."""
        self.size = size
        """Octets of the header list, as RFC 7541 §4.1 counts; of all fields, also where `oversized`."""
        self.seen = seen
        """The ORed bits of all fields, and `LATE_PSEUDO` and `REPEATED`."""
        self.places = places
        self.oversized = oversized
        """The list passes the decoder's limit: the block has only the fields before. The decoder is in order all the same."""
        if self.count > 0:
            part: Part = self
            for index, field in enumerate(fields):
                if index > 0 and index % 8 == 0:
                    part = part.extended()
                part.put(index % 8, field)

    @property
    def known(self) -> bool:
        """Whether every name and value is known."""
        return self.seen & (UNKNOWN_NAME | UNKNOWN_VALUE) == 0

    @property
    def fields(self) -> list[HeaderField]:
        """The fields, as a new list."""
        found: list[HeaderField] = []
        part: Part = self
        place: i64 = 0
        index: i64 = 0
        while index < self.count:
            if place == 8:
                following = part.more
                if following is None:
                    break
                part = following
                place = 0
            found.append(part.at(place))
            place += 1
            index += 1
        return found

    def get(self, title: HeaderName) -> HeaderField | None:
        """The first field of that name, or None. `title` comes from `well_known` or `header_name`."""
        place = title.place
        if place >= 0:
            index = (self.places >> place) & FAR
            if index == 0:
                return None
            if index <= 8:
                return self.at(index - 1)
        if title.flags & ~self.seen != 0:
            return None
        part: Part = self
        place = 0
        left = self.count
        while left > 0:
            if place == 8:
                following = part.more
                if following is None:
                    break
                part = following
                place = 0
            field = part.at(place)
            other = field.title
            if other is title or (other.flags == title.flags and other.octets == title.octets):
                return field
            place += 1
            left -= 1
        return None

    def pairs(self) -> list[tuple[str, bytes]]:
        """Name and value of every field; a name or value that is not known is empty."""
        return [(field.title.text, field.value) for field in self.fields]
