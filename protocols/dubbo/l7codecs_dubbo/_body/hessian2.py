"""Bodies in Hessian 2, the serialization of nearly all Dubbo.

    request     string × 5 │ arguments │ map of attachments, or null, or nothing       one stream: they share references and classes
    answer      int 0–5 │ [value or exception] │ [map of attachments]
                string                                                                 of any status but 20
    heartbeat   null

Five strings need no state, so the head is read directly. Arguments are passed over by the structure of their values.
"""

from __future__ import annotations

from typing import Final, cast, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import HeaderValue, IncompleteMessage, Limits, ProtocolError

from .._hessian.scan import Scanner
from .._hessian.strings import string_between, string_end
from .._hessian.tags import CUT, INT_SIZES, MAP, MAP_UNTYPED, NO_INT, NO_MAP, NULL, OBJECT, REFERENCE, failure, read_int
from .._hessian.values import ClassDefinition, HessianList, HessianMap, HessianObject, Reference, Value
from .._hessian.writer import Writer
from .callees import NOT_FOUND, Callee
from .entries import kept_entries
from .interface import (
    EXCEPTION,
    EXCEPTION_WITH_ATTACHMENTS,
    NULL_WITH_ATTACHMENTS,
    PROTOCOL_VERSION,
    Attachment,
    Attachments,
    Body,
    CallOutcome,
    Head,
    Invocation,
)
from .plain import Texts
from .types import parameter_count

__all__ = ["HESSIAN2", "Hessian2", "call_pairs"]

HESSIAN2: Final[i64] = 2
"""The serialization id."""
_NULL_BODY: Final = b"N"
_THROWABLE: Final = ("suppressedExceptions", "stackTrace", "cause", "detailMessage")
"""The fields of `java.lang.Throwable`, in the order in which Dubbo writes them."""


@final
@mypyc_attr(acyclic=True)
class Hessian2(Body):
    """Hessian 2; the draft before it, which SOFA 3 writes under the same name, is refused."""

    def __init__(self) -> None:
        super().__init__(int(HESSIAN2), "hessian2")
        self.reads = True

    # Requests.

    def head(self, octets: bytes, start: i64, stop: i64, more: bool) -> Head | None:
        places: list[i64] = [start]
        at = start
        texts: list[str | None] = []
        while len(texts) < 5:
            end = string_end(octets, at, stop)
            if end < 0:
                if more and -end == CUT:
                    return None
                raise failure(octets, at, stop, -end)
            texts.append(string_between(octets, at, end))
            places.append(end)
            at = end
        return Head(texts[0], texts[1], texts[2], texts[3], texts[4], places)

    def attachments(
        self, octets: bytes, at: i64, stop: i64, more: bool, types: str, limits: Limits
    ) -> Attachments | None:
        count: i64 = parameter_count(types)
        if count < 0:
            raise ProtocolError(int(at), f"parameters of types {types[:80]!r}", "a descriptor as the JVM has them")
        scanner = Scanner(octets, at, stop, limits.nesting, limits.elements, more)
        try:
            scanner.skip_many(count)
            return _attached(scanner, octets, stop, more)
        except IncompleteMessage:
            return None

    def invocation(self, octets: bytes, at: i64, stop: i64, more: bool, limits: Limits) -> Invocation | None:
        scanner = Scanner(octets, at, stop, limits.nesting, limits.elements, more)
        try:
            method = scanner.string()
        except IncompleteMessage:
            return None
        types: list[str] | None = None
        try:
            value = scanner.value()
        except IncompleteMessage:
            value = None
        items = value.items if isinstance(value, HessianList) else value if isinstance(value, list) else None
        if items is not None:
            types = [each for each in items if isinstance(each, str)]
            if len(types) < len(items):
                types = None
        return Invocation(method, types)

    # Answers.

    def outcome(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> CallOutcome | None:
        kind = _kind(octets, start, stop, more)
        if kind < 0:
            return None
        value = start + INT_SIZES[octets[start]]
        if kind != EXCEPTION and kind != EXCEPTION_WITH_ATTACHMENTS:
            return CallOutcome(kind, value)
        scanner = Scanner(octets, value, stop, limits.nesting, limits.elements, more)
        try:
            name, message = scanner.throwable()
        except IncompleteMessage:
            return CallOutcome(kind, value)
        return CallOutcome(kind, value, name, message)

    def answer_attachments(
        self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits
    ) -> Attachments | None:
        kind = _kind(octets, start, stop, more)
        if kind < EXCEPTION_WITH_ATTACHMENTS:
            return None
        scanner = Scanner(octets, start + INT_SIZES[octets[start]], stop, limits.nesting, limits.elements, more)
        try:
            if kind != NULL_WITH_ATTACHMENTS:
                scanner.skip()
            return _attached(scanner, octets, stop, more)
        except IncompleteMessage:
            return None

    def text(self, octets: bytes, start: i64, stop: i64, more: bool) -> str | None:
        if start >= stop:
            return None
        end = string_end(octets, start, stop)
        if end < 0:
            if more and -end == CUT:
                return None
            raise failure(octets, start, stop, -end)
        return string_between(octets, start, end)

    def is_null(self, octets: bytes, start: i64, stop: i64) -> bool:
        return stop - start == 1 and octets[start] == NULL

    def plausible(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> bool:
        scanner = Scanner(octets, start, stop, limits.nesting, limits.elements, more)
        try:
            while scanner.at < stop:
                scanner.skip()
        except IncompleteMessage:
            return more
        except ProtocolError:
            return False
        return True

    # Writing.

    def write_text(self, text: str) -> bytes | None:
        return self.write_string(text)

    def string_end(self, octets: bytes, at: i64, stop: i64) -> i64:
        return string_end(octets, at, stop)

    def write_string(self, text: str | None) -> bytes | None:
        writer = Writer()
        writer.string(text)
        return writer.getvalue()

    def write_null(self) -> bytes | None:
        return _NULL_BODY

    def write_attachment(self, key: str, value: HeaderValue) -> bytes | None:
        writer = Writer()
        writer.string(key)
        writer.value(value)
        return writer.getvalue()

    def write_attachments(self, entries: bytes) -> bytes | None:
        return b"H" + entries + b"Z"

    def kept_attachments(
        self, octets: bytes, start: i64, found: Attachments, keep: list[bool], limits: Limits
    ) -> list[bytes]:
        return kept_entries(octets, start, found, keep, limits)

    def write_exception(self, name: str, message: str, attached: bool) -> bytes | None:
        writer = Writer()
        writer.integer(EXCEPTION_WITH_ATTACHMENTS if attached else EXCEPTION)
        values: list[Value] = [
            HessianList("java.util.Collections$EmptyList", []),
            HessianList("[java.lang.StackTraceElement", []),
        ]
        thrown = HessianObject(ClassDefinition(name, _THROWABLE), values)
        values.append(thrown)  # no cause, as Java has it
        values.append(message)
        writer.value(thrown)
        if attached:
            writer.value({"dubbo": PROTOCOL_VERSION})
        return writer.getvalue()


def call_pairs(
    octets: bytes, at: i64, stop: i64, callee: Callee, limits: Limits
) -> list[tuple[str, HeaderValue]] | None:
    """Names and values of the attachments of a whole request; None where there are none.

    `callee` is what is called, and its descriptor begins at `at`; of one that was not found its interface does.

    Raises:
        ProtocolError: they cannot be read.
    """
    if callee is NOT_FOUND:
        left: i64 = 3
        while left > 0:
            at = _string_end(octets, at, stop)
            left -= 1
    end = _string_end(octets, at, stop)
    count = callee.arguments(octets, at, end)
    if count < 0:
        raise ProtocolError(int(at), "parameters of unknown types", "a descriptor as the JVM has them")
    scanner = Scanner(octets, end, stop, limits.nesting, limits.elements)
    scanner.skip_many(count)
    if scanner.at >= stop:
        return None
    found = scanner.map_pairs()
    if found is None:
        return None
    if not scanner.is_mixed:
        return cast(list[tuple[str, HeaderValue]], found)
    texts: Texts | None = None
    index: i64 = 0
    while index < len(found):
        pair = found[index]
        if not isinstance(pair[1], str):
            if texts is None:
                texts = Texts()
            found[index] = (pair[0], _header(scanner, cast(Value, pair[1]), texts))
        index += 1
    return cast(list[tuple[str, HeaderValue]], found)


def _string_end(octets: bytes, at: i64, stop: i64) -> i64:
    """As `string_end`. Raises `ProtocolError` where it cannot be read."""
    end = string_end(octets, at, stop)
    if end < 0:
        raise failure(octets, at, stop, -end)
    return end


def _kind(octets: bytes, start: i64, stop: i64, more: bool) -> i64:
    """The kind of an answer, 0 to 5; -1 where the body goes on before it is told."""
    if start >= stop:
        if more:
            return -1
        raise failure(octets, start, stop, CUT)
    size: i64 = INT_SIZES[octets[start]]
    if size == 0:
        raise failure(octets, start, stop, NO_INT)
    if start + size > stop:
        if more:
            return -1
        raise failure(octets, start, stop, CUT)
    kind = read_int(octets, start)
    if not 0 <= kind <= NULL_WITH_ATTACHMENTS:
        raise ProtocolError(int(start), f"kind {kind} of an answer", "0 to 5", "DubboCodec")
    return kind


def _attached(scanner: Scanner, octets: bytes, stop: i64, more: bool) -> Attachments | None:
    """The attachments where `scanner` stands; None where the body goes on there."""
    start: i64 = scanner.at
    if start >= stop:
        return None if more else Attachments(start, start, start, start, [])
    tag: i64 = octets[scanner.value_start()]
    if tag == REFERENCE or tag == OBJECT or 0x60 <= tag < 0x70:
        return _borrowed(scanner, start)
    tag = octets[start]
    entries = scanner.map_entries()
    if entries is None:
        return Attachments(start, start, start, scanner.at, [])
    last = scanner.at - 1
    first = last
    if tag == MAP_UNTYPED:
        first = start + 1
    elif tag == MAP:
        size: i64 = INT_SIZES[octets[start + 1]]
        first = start + 1 + size if size > 0 else string_end(octets, start + 1, stop)
    elif entries:
        first = entries[0].start
    texts = Texts()
    found = [
        Attachment(each.key, _header(scanner, each.value, texts), each.start, each.key_end, each.stop)
        for each in entries
    ]
    return Attachments(start, first, last, scanner.at, found)


def _borrowed(scanner: Scanner, start: i64) -> Attachments:
    """Attachments that are a reference to a map before, or an object, whose fields Java puts into a map."""
    at = scanner.at
    value = scanner.value()
    if isinstance(value, Reference):
        value = scanner.resolve(value)
    pairs: list[tuple[Value, Value]]
    if isinstance(value, dict):
        pairs = [(key, item) for key, item in value.items()]
    elif isinstance(value, HessianMap):
        pairs = value.pairs
    elif isinstance(value, HessianObject):
        pairs = [(key, item) for key, item in value.fields]
    else:
        raise scanner.failure(at, NO_MAP)
    texts = Texts()
    found: list[Attachment] = []
    for key, item in pairs:
        if isinstance(key, str):
            found.append(Attachment(key, _header(scanner, item, texts), start, start, scanner.at))
    return Attachments(start, start, start, scanner.at, found, True)


def _header(scanner: Scanner, value: Value, texts: Texts) -> HeaderValue:
    """What a header has of an attachment."""
    if isinstance(value, str):
        return value
    if isinstance(value, Reference):
        value = scanner.resolve(value)
    return texts.header(value)
