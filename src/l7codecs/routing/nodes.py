"""What the index of a table is made of, and how a message finds its way down: the hot half. `indexing` builds it.

A switch looks at one thing of the message (protocol, service, operation, access, the only resource, a header, an attribute) and goes on to
the child of its value, which has the rules that may still hold, without what is decided.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i64_le
from mypy_extensions import i64

from l7codecs.errors import ProtocolError
from l7codecs.message import Message
from l7codecs.routing.actions import Action
from l7codecs.routing.conditions import Condition, field_value

__all__ = ["ATTRIBUTE", "HEADER", "LEAF", "RESOURCE", "Branch", "Candidate", "Rule", "Start", "Starts", "bucket"]

RESOURCE: Final = 4
HEADER: Final = 5
ATTRIBUTE: Final = 6
"""What a switch looks at, beside the four fields of `conditions`."""
LEAF: Final = -1

_LAST_BUCKET: Final = 255
_WORD: Final = 8


@final
class Rule:
    """One rule: ``name`` is for people, ``when`` says which messages it is for, ``action`` what is done with them.

    ``place`` is where it stands: ``file:line:column``, or empty.
    """

    def __init__(self, name: str, when: Condition, action: Action, place: str = "") -> None:
        self.name = name
        self.when = when
        self.action = action
        self.place = place

    def __repr__(self) -> str:
        return f"<Rule {self.name!r} {self.place}>"


@final
class Candidate:
    """A rule, and what is not decided of it."""

    def __init__(self, order: i64, rule: Rule, left: list[Condition]) -> None:
        self.order = order
        self.rule = rule
        self.left = left


@final
class Start:
    """What a resource may start with, and the child of those that do."""

    def __init__(self, octets: bytes, node: Branch, following: Start | None) -> None:
        self.octets = octets
        self.size: i64 = len(octets)
        self.node = node
        self.following = following
        """The next one of the same bucket."""
        self.first_word: i64 = 0
        self.last_word: i64 = 0
        if len(octets) >= _WORD:
            self.first_word = read_i64_le(octets, 0)
            self.last_word = read_i64_le(octets, len(octets) - _WORD)

    def short(self, octets: bytes, at: i64) -> Branch | None:
        """The child of this or one of those that follow, of less than a word, that `octets`, which are long enough, have at `at`."""
        start: Start | None = self
        while start is not None:
            own = start.octets
            place: i64 = 0
            while place < start.size and own[place] == octets[at + place]:
                place += 1
            if place == start.size:
                return start.node
            start = start.following
        return None


@final
class Starts:
    """All starts of one size, looked up by two of their octets: a hash of all of them would take longer."""

    def __init__(self, size: i64, first: i64, second: i64) -> None:
        self.size = size
        self.first = first
        self.second = second
        self.buckets: list[Start | None] = [None] * (_LAST_BUCKET + 1)

    def add(self, octets: bytes, node: Branch) -> None:
        place = bucket(octets, 0, self.first, self.second)
        self.buckets[place] = Start(octets, node, self.buckets[place])

    def find(self, octets: bytes, at: i64) -> Branch | None:
        """The child of what stands at `at`, where there are as many octets."""
        start = self.buckets[bucket(octets, at, self.first, self.second)]
        size = self.size
        if start is None or size < _WORD:
            return None if start is None else start.short(octets, at)
        first_word = read_i64_le(octets, at)
        last_word = read_i64_le(octets, at + size - _WORD)
        while start is not None:
            if (
                start.first_word == first_word
                and start.last_word == last_word
                and (size <= 2 * _WORD or octets[at + _WORD : at + size] == start.octets[_WORD:])
            ):
                return start.node
            start = start.following
        return None


def bucket(octets: bytes, at: i64, first: i64, second: i64) -> i64:
    """The place in the table of what stands at `at`, told by its octets `first` and `second`."""
    return ((i64(octets[at + first]) << 4) ^ i64(octets[at + second])) & _LAST_BUCKET


@final
class Branch:
    """A switch of `field`, and `name` where headers and attributes have one; or, of `LEAF`, the rules that are left."""

    def __init__(self, field: i64, name: str, entries: list[Candidate]) -> None:
        self.field = field
        self.name = name
        self.entries = entries
        self.sure: Candidate | None = None
        """That which holds without a further look."""
        if entries and not entries[0].left:
            self.sure = entries[0]
        self.none: Branch | None = None
        """Where there is no value; for a resource, where it is not the only one."""
        self.several: Branch | None = None
        """Where a header or an attribute has several, or is no text and no octets, or cannot be read: nothing is decided."""
        self.other: Branch | None = None
        """Where the value is none of those below."""
        self.texts: dict[str, Branch] = {}
        self.octets: dict[bytes, Branch] = {}
        self.text_starts: dict[str, Branch] = {}
        self.octet_starts: dict[bytes, Branch] = {}
        self.text_sizes: list[int] = []
        self.octet_sizes: list[int] = []
        """Of what values start with, longest first."""
        self.starts: list[Starts] = []
        """The same, where a resource is only asked what it starts with: it is not cut out of the message."""

    def next(self, message: Message) -> Branch | None:
        """The child of `message`; None where no rule is left."""
        field = self.field
        if field < RESOURCE:
            value = field_value(message, field)
            if value is None:
                return self.none
            child = self.texts.get(value)
            return self.other if child is None else child
        if field == RESOURCE:
            return self._by_resource(message)
        return self._by_header(message) if field == HEADER else self._by_attribute(message)

    def _by_resource(self, message: Message) -> Branch | None:
        if self.starts:
            at = message.resource_at
            if at >= 0:
                octets = message.octets
                size = message.resource_size
                for starts in self.starts:
                    if starts.size <= size:
                        found = starts.find(octets, at)
                        if found is not None:
                            return found
                return self.other
        return self._by_value(message.resource)

    def _by_header(self, message: Message) -> Branch | None:
        try:
            values = message.headers.get_all(self.name)
        except ProtocolError:
            return self.several  # it is raised again where a rule does ask for it
        if not values:
            return self.none
        value = values[0]
        if len(values) > 1 or not isinstance(value, str | bytes):
            return self.several
        return self._by_value(value)

    def _by_attribute(self, message: Message) -> Branch | None:
        try:
            value = message.attribute(self.name)
        except ProtocolError:
            return self.several
        if value is not None and not isinstance(value, str | bytes):
            return self.several
        return self._by_value(value)

    def _by_value(self, value: str | bytes | None) -> Branch | None:
        """The child of `value`, or of the longest that it starts with."""
        if value is None:
            return self.none
        if isinstance(value, bytes):
            found = self.octets.get(value)
            if found is not None:
                return found
            for size in self.octet_sizes:
                if size <= len(value):
                    found = self.octet_starts.get(value[:size])
                    if found is not None:
                        return found
            return self.other
        found = self.texts.get(value)
        if found is not None:
            return found
        for size in self.text_sizes:
            if size <= len(value):
                found = self.text_starts.get(value[:size])
                if found is not None:
                    return found
        return self.other
