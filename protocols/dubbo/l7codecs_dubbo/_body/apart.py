"""Bodies whose values stand apart: each ends where its size or its line says, so that it is passed over without being read.

A serialization says where a value ends and what it is; what the values of a body mean is the same in all of them.
"""

from __future__ import annotations

from mypy_extensions import i64, mypyc_attr

from l7codecs import Limits, ProtocolError

from .interface import (
    EXCEPTION,
    EXCEPTION_WITH_ATTACHMENTS,
    NULL,
    NULL_WITH_ATTACHMENTS,
    Attachments,
    Body,
    CallOutcome,
    Head,
    Invocation,
)
from .types import parameter_count

__all__ = ["BodyOfValues"]


@mypyc_attr(acyclic=True)
class BodyOfValues(Body):
    """See the module."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(number, name)
        self.reads = True

    # What a serialization says.

    def end_of(self, octets: bytes, at: i64, stop: i64, more: bool) -> i64:
        """Behind the value at `at`; negative where that is behind `stop`, and the body has `more`."""
        raise NotImplementedError

    def text_of(self, octets: bytes, at: i64, end: i64) -> str | None:
        """The text, or null, in ``octets[at:end]``."""
        raise NotImplementedError

    def kind_of(self, octets: bytes, at: i64, end: i64) -> i64:
        """The kind of an answer, 0 to 5. Raises ProtocolError for any other."""
        raise NotImplementedError

    def attached(self, octets: bytes, at: i64, end: i64, limits: Limits) -> Attachments:
        """The map of attachments in ``octets[at:end]``, or null."""
        raise NotImplementedError

    def list_of(self, octets: bytes, at: i64, end: i64, limits: Limits) -> list[object] | None:
        """The list in ``octets[at:end]``; None where it is none, or cannot be read."""
        raise NotImplementedError

    def thrown(self, octets: bytes, at: i64, end: i64) -> tuple[str | None, str | None]:
        """Class and message of the exception in ``octets[at:end]``, as far as they are told."""
        raise NotImplementedError

    # What its values mean.

    def head(self, octets: bytes, start: i64, stop: i64, more: bool) -> Head | None:
        places: list[i64] = [start]
        texts: list[str | None] = []
        at = start
        for _ in range(5):
            end = self.end_of(octets, at, stop, more)
            if end < 0:
                return None
            texts.append(self.text_of(octets, at, end))
            at = end
            places.append(at)
        return Head(texts[0], texts[1], texts[2], texts[3], texts[4], places)

    def attachments(
        self, octets: bytes, at: i64, stop: i64, more: bool, types: str, limits: Limits
    ) -> Attachments | None:
        count = parameter_count(types)
        if count < 0:
            raise ProtocolError(at, f"parameters of types {types[:80]!r}", "a descriptor as the JVM has them")
        while count > 0:
            at = self.end_of(octets, at, stop, more)
            if at < 0:
                return None
            count -= 1
        return self._attachments(octets, at, stop, more, limits)

    def _attachments(self, octets: bytes, at: i64, stop: i64, more: bool, limits: Limits) -> Attachments | None:
        if at == stop:
            return None if more else Attachments(at, at, at, at, [])
        end = self.end_of(octets, at, stop, more)
        return None if end < 0 else self.attached(octets, at, end, limits)

    def invocation(self, octets: bytes, at: i64, stop: i64, more: bool, limits: Limits) -> Invocation | None:
        end = self.end_of(octets, at, stop, more)
        if end < 0:
            return None
        method = self.text_of(octets, at, end)
        behind = self.end_of(octets, end, stop, more)
        value = None if behind < 0 else self.list_of(octets, end, behind, limits)
        if value is None:
            return Invocation(method, None)
        types = [item for item in value if isinstance(item, str)]
        return Invocation(method, types if len(types) == len(value) else None)

    def outcome(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> CallOutcome | None:
        end = self.end_of(octets, start, stop, more)
        if end < 0:
            return None
        kind = self.kind_of(octets, start, end)
        if kind == NULL or kind == NULL_WITH_ATTACHMENTS:
            return CallOutcome(kind, -1)
        if kind == EXCEPTION or kind == EXCEPTION_WITH_ATTACHMENTS:
            behind = self.end_of(octets, end, stop, more)
            if behind >= 0:
                name, message = self.thrown(octets, end, behind)
                return CallOutcome(kind, end, name, message)
        return CallOutcome(kind, end)

    def answer_attachments(
        self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits
    ) -> Attachments | None:
        at = self.end_of(octets, start, stop, more)
        if at < 0:
            return None
        kind = self.kind_of(octets, start, at)
        if kind < EXCEPTION_WITH_ATTACHMENTS:
            return None
        if kind != NULL_WITH_ATTACHMENTS:
            at = self.end_of(octets, at, stop, more)
            if at < 0:
                return None
        return self._attachments(octets, at, stop, more, limits)

    def text(self, octets: bytes, start: i64, stop: i64, more: bool) -> str | None:
        end = self.end_of(octets, start, stop, more)
        return None if end < 0 else self.text_of(octets, start, end)
