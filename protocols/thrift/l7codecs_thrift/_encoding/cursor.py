"""Structs read where somebody asks: all of one, one value of it, or what an exception says. The same for all encodings but one."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .types import I8, I16, I32, I64, MAP, STOP, STRING, STRUCT, UUID_TYPE, Field

if TYPE_CHECKING:
    from .types import Value

__all__ = ["Cursor", "build", "exception_of", "first_of", "pick_from", "text_or_octets"]


class Cursor:
    """Stands at ``at`` in ``octets[:stop]``, of which nothing is missing. All methods raise `ProtocolError` where it is not what they say.

    `nesting` and `elements` limit what `build` makes.
    """

    def __init__(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> None:
        if at < 0 or stop > len(octets):
            raise ValueError(f"no octets from {at} to {stop}: {len(octets)}")
        self.octets = octets
        self.at: i64 = at
        self.stop: i64 = stop
        self.nesting: i64 = nesting
        self.elements: i64 = elements
        self.id: i64 = 0
        """Id and type of the field that `field` found."""
        self.type: i64 = 0
        self.key_type: i64 = 0
        """What is in the container that was opened last, and how many of it."""
        self.element_type: i64 = 0
        self.count: i64 = 0
        self.is_marked = False
        """Whether there is a place to go back to."""
        self._marked_at: i64 = at
        self._marked_type: i64 = 0
        self.is_cut = False
        """Whether octets were missing, where `cut` was asked for an error."""

    def open_struct(self) -> None:
        """Go into a struct, before its first field."""
        raise NotImplementedError

    def field(self) -> bool:
        """Go to the next field's value; False: the struct had ended, and is passed."""
        raise NotImplementedError

    def seek(self, wanted: i64) -> bool:
        """Go to the value of the next field with an id, from where it stands in a struct; False: the struct had none, and is passed."""
        while self.field():
            if self.id == wanted:
                return True
            self.skip(self.type)
            self.after_field()
        return False

    def mark(self) -> None:
        """Remember the field before whose value it stands."""
        self.is_marked = True
        self._marked_at = self.at
        self._marked_type = self.type

    def go_back(self) -> None:
        """Stand where `mark` was called last."""
        self.at = self._marked_at
        self.type = self._marked_type

    def after_field(self) -> None:
        """Leave the value of a field, behind which it stands."""

    def open_list(self) -> None:
        """Go into a list or set, before its first element."""
        raise NotImplementedError

    def open_map(self) -> None:
        """Go into a map, before its first key."""
        raise NotImplementedError

    def close(self, kind: i64) -> None:
        """Leave a list, set or map, behind the last of whose elements it stands."""

    def scalar(self, type: i64) -> Value:
        """Read a value that is no container."""
        raise NotImplementedError

    def skip(self, type: i64) -> None:
        """Pass over a value."""
        raise NotImplementedError

    def cut(self) -> ProtocolError:
        """The error of octets that end too early."""
        self.is_cut = True
        return ProtocolError(self.at, "the end of the message", "the rest of it")

    def check_count(self, at: i64, smallest: i64) -> None:
        """Refuse more elements, `smallest` octets each, than there are octets left, or than are allowed."""
        count = self.count
        if count < 0:
            raise ProtocolError(at, f"a container of {count} elements", "a count that is not negative")
        if count > self.elements:
            raise LimitExceeded(at, f"a container of {count} elements", f"at most limits.elements = {self.elements}")
        if count > (self.stop - self.at) // smallest:
            raise ProtocolError(
                at, f"a container of {count} elements", f"what fits into the {self.stop - self.at} octets that are left"
            )


@final
class _Open:
    """A container that is being built."""

    def __init__(self, cursor: Cursor, kind: i64) -> None:
        self.kind: i64 = kind
        self.left: i64 = 0
        self.key_type: i64 = 0
        self.element_type: i64 = 0
        self.items: list[Value] = []
        self.by_key: dict[Value, Value] = {}
        self.keys: list[Value] = []
        self.id: int = 0
        self.in_field = False
        if kind == STRUCT:
            cursor.open_struct()
            return
        if kind == MAP:
            cursor.open_map()
            self.left = cursor.count * 2
        else:
            cursor.open_list()
            self.left = cursor.count
        self.key_type = cursor.key_type
        self.element_type = cursor.element_type

    def next(self, cursor: Cursor) -> i64:
        """The type of the value that comes next in it; `STOP`: it has ended, and is passed."""
        if self.kind == STRUCT:
            if self.in_field:
                cursor.after_field()
            if not cursor.field():
                return STOP
            self.in_field = True
            self.id = int(cursor.id)
            return cursor.type
        if self.left == 0:
            cursor.close(self.kind)
            return STOP
        self.left -= 1
        return self.key_type if self.kind == MAP and self.left & 1 else self.element_type

    def add(self, value: Value) -> None:
        """Take the value of the type that `next` said."""
        if self.kind == STRUCT:
            self.by_key[self.id] = value
        elif self.kind == MAP and self.left & 1:
            self.keys.append(value)
        else:
            self.items.append(value)

    def value(self) -> Value:
        """What it is, when it has ended."""
        if self.kind == STRUCT:
            return self.by_key
        if self.kind != MAP:
            return self.items
        if self.key_type < STRUCT or self.key_type == UUID_TYPE:
            made: dict[Value, Value] = dict(zip(self.keys, self.items, strict=True))
            if len(made) == len(self.keys):
                return made
        return list(zip(self.keys, self.items, strict=True))


def build(cursor: Cursor) -> Value:
    """The struct at which `cursor` stands. Raises `ProtocolError`, `LimitExceeded`."""
    return build_value(cursor, STRUCT)


def build_value(cursor: Cursor, kind: i64) -> Value:
    """The value of type `kind` at which `cursor` stands. Raises `ProtocolError`, `LimitExceeded`."""
    if kind < STRUCT or kind == UUID_TYPE:
        return cursor.scalar(kind)
    opened: list[_Open] = []
    while True:
        if kind < STRUCT or kind == UUID_TYPE:
            opened[-1].add(cursor.scalar(kind))
        else:
            if len(opened) >= cursor.nesting:
                raise LimitExceeded(
                    cursor.at, "one more level of containers", f"at most limits.nesting = {cursor.nesting}"
                )
            opened.append(_Open(cursor, kind))
        kind = opened[-1].next(cursor)
        while kind == STOP:
            value = opened.pop().value()
            if not opened:
                return value
            opened[-1].add(value)
            kind = opened[-1].next(cursor)


def first_of(cursor: Cursor) -> Field | None:
    """The first field of the struct at which `cursor` stands."""
    cursor.open_struct()
    return Field(cursor.id, cursor.type, cursor.at) if cursor.field() else None


def exception_of(cursor: Cursor) -> tuple[int | None, str | None]:
    """Type and message of the TApplicationException at which `cursor` stands, as far as its octets are there."""
    found: int | None = None
    message: str | None = None
    try:
        cursor.open_struct()
        while cursor.field():
            kind = cursor.type
            if cursor.id == 1 and kind == STRING:
                value = cursor.scalar(kind)
                message = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            elif cursor.id == 2 and (kind == I32 or kind == I16 or kind == I8 or kind == I64):
                number = cursor.scalar(kind)
                found = number if isinstance(number, int) else None
            else:
                cursor.skip(kind)
            cursor.after_field()
    except ProtocolError:
        if not cursor.is_cut:
            raise
    return found, message


def pick_from(cursor: Cursor, path: tuple[int | str, ...]) -> Value:
    """The value at `path` in the struct at which `cursor` stands; None: there is none. Of a field that comes twice, it is the last.

    Where octets are missing behind it, as of a large message, it is that of what is there.
    """
    last: i64 = len(path) - 1
    if last < 0:
        return build(cursor)
    steps = [step for step in path if isinstance(step, int) and -0x8000 <= step <= 0x7FFF]
    if len(steps) != len(path):
        return None
    found = False
    try:
        found = _find_last(cursor, steps)
    except ProtocolError:
        if not cursor.is_cut or not cursor.is_marked:
            raise
        found = True
    if not found:
        return None
    cursor.go_back()
    return build_value(cursor, cursor.type)


def _find_last(cursor: Cursor, steps: list[int]) -> bool:
    """Mark the last field that `steps` lead to, behind all of the struct; whether there is one."""
    last: i64 = len(steps) - 1
    depth: i64 = 0
    cursor.open_struct()
    while True:
        if cursor.seek(i64(steps[depth])):
            if depth == last:
                cursor.mark()
            else:
                cursor.is_marked = False  # what was in one before it counts no more
                if cursor.type == STRUCT:
                    depth += 1
                    cursor.open_struct()
                    continue
            cursor.skip(cursor.type)
        elif depth == 0:
            return cursor.is_marked
        else:
            depth -= 1
        cursor.after_field()


def text_or_octets(octets: bytes) -> str | bytes:
    """A text, where it is one."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets
