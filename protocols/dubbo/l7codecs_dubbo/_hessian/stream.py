"""A Hessian 2 stream that is passed over: what later values refer to is counted, nothing else is kept.

Lists, maps and objects are numbered from 0 in the order in which they begin, types and class definitions likewise. A list or map with a
type names it, or says the number of one named before. A class is defined (``43 name count names``) right before the first value that
needs it. All values of a stream share these numbers; in Dubbo's body they are the arguments and the attachments together.
"""

from __future__ import annotations

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64, mypyc_attr

from l7codecs import ProtocolError
from l7codecs.limits import DEFAULT_LIMITS

from .known import find_definition, note_definition
from .older import is_older
from .strings import binary_end, string_between, string_end, units_end
from .tags import (
    BAD_COUNT,
    BAD_TAG,
    BINARY_CHUNK,
    BINARY_LAST,
    CUT,
    DEEP,
    DEFINITION,
    END,
    INT_SIZES,
    LIST_FIXED,
    LIST_FIXED_UNTYPED,
    LIST_OPEN,
    LIST_OPEN_UNTYPED,
    MANY,
    MAP,
    MAP_UNTYPED,
    NO_CLASS,
    NO_INT,
    NO_REFERENCE,
    NO_STRING,
    NO_TYPE,
    NULL,
    OBJECT,
    OLDER,
    REFERENCE,
    SIZES,
    STRING_CHUNK,
    STRING_LAST,
    failure,
    read_int,
)
from .values import ClassDefinition

__all__ = ["Stream"]

NESTING: Final = DEFAULT_LIMITS.nesting
ELEMENTS: Final = DEFAULT_LIMITS.elements

# What a container still takes, where that is no number.
TO_END: Final[i64] = -1
KEY: Final[i64] = -2
VALUE: Final[i64] = -3
_OTHER: Final[i64] = -5
"""KEY and VALUE together."""


@mypyc_attr(acyclic=True)
class Stream:
    """The values in ``octets[start:stop]``, one after another. Offsets count from the start of `octets`.

    With `partial` the octets may be the head of a stream: what goes on beyond `stop` raises `IncompleteMessage`.
    """

    def __init__(
        self,
        octets: bytes,
        start: i64,
        stop: i64,
        nesting: i64 = NESTING,
        elements: i64 = ELEMENTS,
        partial: bool = False,
    ) -> None:
        if start < 0 or stop > len(octets):
            raise ValueError(f"no octets {start} to {stop}: {len(octets)}")
        self.octets = octets
        self.start: i64 = start
        self.stop: i64 = stop
        self.at: i64 = start
        """Where the next value begins."""
        self.nesting: i64 = nesting
        self.elements: i64 = elements
        self.partial = partial
        self.references: i64 = 0
        """Lists, maps and objects so far."""
        self.types: vec[i64] = vec[i64]()
        """Where each type's name stands."""
        self.type_number: i64 = 0
        """The type that was read last."""
        self.classes: vec[i64] = vec[i64]()
        """Of each class: where its name stands, where its fields' names do, how many they are."""
        self.definitions: list[ClassDefinition | None] | None = None
        """The classes that somebody asked for."""
        self.type_names: list[str | None] | None = None
        """The types' names that somebody asked for."""

    @property
    def type_count(self) -> int:
        """Types that were named so far."""
        return len(self.types)

    @property
    def class_count(self) -> int:
        """Classes that were defined so far."""
        return len(self.classes) // 3

    def skip(self) -> None:
        """Pass over one value, with the definitions before it.

        Raises:
            ProtocolError: there is none that can be read. The stream is of no use then.
        """
        self.skip_many(1)

    def skip_many(self, count: i64) -> None:
        """Pass over so many values. Raises as `skip` does."""
        octets = self.octets
        at = self.at
        stop = self.stop
        references = self.references
        left = count
        stack = vec[i64]()
        depth: i64 = 0
        fail = CUT
        mark = at
        while True:
            while left == 0:
                if depth == 0:
                    self.at = at
                    self.references = references
                    return
                depth -= 1
                left = stack[depth]
            mark = at
            if at >= stop:
                break
            tag: i64 = octets[at]
            if tag < 0x20:
                at = units_end(octets, at + 1, tag, stop)
                if at < 0:
                    fail = -at
                    break
                if left > 0:
                    left -= 1
                elif left < TO_END:
                    left = _OTHER - left
                continue
            size: i64 = SIZES[tag]
            if size > 0:
                at += size
                if at > stop:
                    break
                if left > 0:
                    left -= 1
                elif left < TO_END:
                    left = _OTHER - left
                continue
            if tag == DEFINITION:
                at = self.define(at)
                if at < 0:
                    fail = -at
                    break
                continue
            if tag == END:
                if left != TO_END and left != KEY:
                    fail = BAD_TAG
                    break
                at += 1
                depth -= 1
                left = stack[depth]
                continue
            if left > 0:
                left -= 1
            elif left < TO_END:
                left = _OTHER - left
            items: i64 = TO_END
            if 0x60 <= tag < 0x70 or tag == OBJECT:
                number = tag - 0x60
                at += 1
                if tag == OBJECT:
                    at = self.int_end(at)
                    if at < 0:
                        fail = -at
                        break
                    number = read_int(octets, mark + 1)
                if not 0 <= number * 3 < len(self.classes):
                    fail = NO_CLASS
                    break
                items = self.classes[number * 3 + 2]
            elif 0x78 <= tag < 0x80:
                items = tag - 0x78
                at += 1
            elif 0x70 <= tag < 0x78:
                at = self.type_end(at + 1)
                if at < 0:
                    fail = -at
                    break
                items = tag - 0x70
            elif tag == MAP_UNTYPED:
                items = KEY
                at += 1
            elif tag == MAP or tag == LIST_OPEN:
                at = self.type_end(at + 1)
                if at < 0:
                    fail = -at
                    break
                if tag == MAP:
                    items = KEY
            elif tag == LIST_FIXED or tag == LIST_FIXED_UNTYPED:
                at += 1
                if tag == LIST_FIXED:
                    at = self.type_end(at)
                    if at < 0:
                        fail = -at
                        break
                where = at
                at = self.int_end(at)
                if at < 0:
                    fail = -at
                    break
                items = read_int(octets, where)
                if items < 0:
                    fail = BAD_COUNT
                    break
            elif tag == LIST_OPEN_UNTYPED:
                at += 1
            elif tag == REFERENCE:
                at = self.int_end(at + 1)
                if at < 0:
                    fail = -at
                    break
                if not 0 <= read_int(octets, mark + 1) < references:
                    fail = NO_REFERENCE
                    break
                continue
            else:
                if 0x30 <= tag <= 0x33 or tag == STRING_CHUNK or tag == STRING_LAST:
                    at = string_end(octets, at, stop)
                elif 0x34 <= tag <= 0x37 or tag == BINARY_CHUNK or tag == BINARY_LAST:
                    at = binary_end(octets, at, stop)
                else:
                    at = -BAD_TAG
                if at < 0:
                    fail = -at
                    break
                continue
            references += 1
            if items == 0:
                continue
            if items > stop - at:  # each has an octet at least
                break
            if items > self.elements:
                fail = MANY
                break
            if depth >= self.nesting:
                fail = DEEP
                break
            if depth == len(stack):
                stack = append(stack, left)
            else:
                stack[depth] = left
            depth += 1
            left = items
        raise self.failure(mark, fail)

    def define(self, at: i64) -> i64:
        """Behind the class definition at `at`, which is counted; negative: why it cannot be read."""
        octets = self.octets
        stop = self.stop
        begin = at
        name = at + 1
        known = find_definition(octets, at, stop)
        if known is not None and known.count <= self.elements:
            self.classes = append(append(append(self.classes, name), at + known.first), known.count)
            return at + known.size
        at = self._name_end(name)
        if at < 0:
            return at
        where = at
        at = self.int_end(at)
        if at < 0:
            return at
        count = read_int(octets, where)
        if count < 0:
            return -BAD_COUNT
        if count > stop - at:
            return -CUT
        if count > self.elements:
            return -MANY
        first = at
        left = count
        while left > 0:
            at = self._name_end(at)
            if at < 0:
                return at
            left -= 1
        note_definition(octets, begin, at, stop, first, count)
        self.classes = append(append(append(self.classes, name), first), count)
        return at

    def _name_end(self, at: i64) -> i64:
        """Behind a string that is not null."""
        if at >= self.stop:
            return -CUT
        if self.octets[at] == NULL:
            return -NO_STRING
        return string_end(self.octets, at, self.stop)

    def type_end(self, at: i64) -> i64:
        """Behind a type at `at`, a name or the number of one; `type_number` says which. Negative: why it cannot be read."""
        if at >= self.stop:
            return -CUT
        octets = self.octets
        tag: i64 = octets[at]
        if tag >= 0x80 or tag == 0x49:
            end = self.int_end(at)
            if end < 0:
                return end
            number = read_int(octets, at)
            if not 0 <= number < len(self.types):
                return -NO_TYPE
            self.type_number = number
            return end
        if tag >= 0x20 and not 0x30 <= tag <= 0x33 and tag != STRING_CHUNK and tag != STRING_LAST:
            return -NO_TYPE
        end = string_end(octets, at, self.stop)
        if end < 0:
            return end
        self.type_number = len(self.types)
        self.types = append(self.types, at)
        return end

    def int_end(self, at: i64) -> i64:
        """Behind the int at `at`; negative: why it cannot be read."""
        if at >= self.stop:
            return -CUT
        size: i64 = INT_SIZES[self.octets[at]]
        if size == 0:
            return -NO_INT
        return at + size if at + size <= self.stop else -CUT

    def type_name(self, number: i64) -> str:
        """The name of a type that was read."""
        names = self.type_names
        if names is None:
            names = []
            self.type_names = names
        while len(names) <= number:
            names.append(None)
        found = names[number]
        if found is None:
            found = self._string(self.types[number])
            names[number] = found
        return found

    def definition(self, number: i64) -> ClassDefinition:
        """A class that was defined."""
        definitions = self.definitions
        if definitions is None:
            definitions = []
            self.definitions = definitions
        while len(definitions) <= number:
            definitions.append(None)
        found = definitions[number]
        if found is not None:
            return found
        names: list[str] = []
        at = self.classes[number * 3 + 1]
        left = self.classes[number * 3 + 2]
        while left > 0:
            names.append(self._string(at))
            at = string_end(self.octets, at, self.stop)
            left -= 1
        made = ClassDefinition(self._string(self.classes[number * 3]), tuple(names))
        definitions[number] = made
        return made

    def _string(self, at: i64) -> str:
        """A string that was passed over before."""
        text = string_between(self.octets, at, string_end(self.octets, at, self.stop))
        assert text is not None
        return text

    def failure(self, at: i64, reason: i64) -> ProtocolError:
        """The error of what cannot be read at `at`."""
        if (reason == CUT and self.partial) or reason == DEEP or reason == MANY or at >= self.stop:
            return failure(self.octets, at, self.stop, reason, self.partial)
        if is_older(self.octets, self.start, self.stop, self.partial):
            reason = OLDER
        return failure(self.octets, at, self.stop, reason, self.partial)
