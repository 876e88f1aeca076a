"""What a body says: the interface behind which every serialization stands.

    request     head: Dubbo version, path, service version, method, parameter types │ arguments │ attachments
    answer      kind 0–5 [value or exception] [attachments]       of status 20
                text                                              of any other

One `Body` for each serialization, found by its id (`l7codecs_dubbo._body.table`); it has no state. This class is the one of a
serialization that is not read: it knows nothing, and says None. Nothing is guessed.

All places are absolute indexes into ``octets``, inclusive starts and exclusive stops. ``stop`` is the end of what is at hand;
``more`` says that the body goes on behind it. Reading raises `ProtocolError`, with an index into ``octets`` as its offset, where the
octets cannot be read, or end too early while not ``more``; what lies behind the end of a body with ``more`` is None.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import HeaderValue, Limits

__all__ = [
    "EXCEPTION",
    "EXCEPTION_WITH_ATTACHMENTS",
    "NOTHING",
    "NULL",
    "NULL_WITH_ATTACHMENTS",
    "PROTOCOL_VERSION",
    "VALUE",
    "VALUE_WITH_ATTACHMENTS",
    "Attachment",
    "Attachments",
    "Body",
    "CallOutcome",
    "Head",
    "Invocation",
]

# The kinds of an answer of status 20 (`DubboCodec`).
EXCEPTION: Final[i64] = 0
VALUE: Final[i64] = 1
NULL: Final[i64] = 2
EXCEPTION_WITH_ATTACHMENTS: Final[i64] = 3
VALUE_WITH_ATTACHMENTS: Final[i64] = 4
NULL_WITH_ATTACHMENTS: Final[i64] = 5
NOTHING: Final[i64] = -1
"""No kind that is known."""
PROTOCOL_VERSION: Final = "2.0.2"
"""What Dubbo says of itself in answers, in the attachment ``dubbo``."""


@final
@mypyc_attr(acyclic=True)
class Head:
    """What stands first in a request; None where it is null. ``places`` are where each value starts, and where the last ends."""

    def __init__(
        self,
        dubbo_version: str | None,
        path: str | None,
        version: str | None,
        method: str | None,
        types: str | None,
        places: list[i64],
    ) -> None:
        self.dubbo_version = dubbo_version
        self.path = path
        """The interface, or the path under which it is exported."""
        self.version = version
        self.method = method
        self.types = types
        """The JVM's descriptor of the parameters: ``Ljava/lang/String;I``; empty where there are none."""
        self.places = places
        """Of Dubbo version, path, service version, method and types: the start of each; the sixth is where the arguments begin."""

    @property
    def at(self) -> i64:
        """Where the arguments begin."""
        return self.places[5]

    def moved(self, by: i64) -> Head:
        """The same, where ``octets`` begin `by` octets later."""
        places = [place - by for place in self.places]
        return Head(self.dubbo_version, self.path, self.version, self.method, self.types, places)


@final
@mypyc_attr(acyclic=True)
class Attachment:
    """One attachment: its key in ``octets[start:middle]``, its value in ``octets[middle:stop]``."""

    def __init__(self, key: str, value: HeaderValue, start: i64, middle: i64, stop: i64) -> None:
        self.key = key
        self.value = value
        """str, bytes, int, float or bool as it is typed on the wire; of anything else the text that the README tells."""
        self.start = start
        self.middle = middle
        self.stop = stop


@final
@mypyc_attr(acyclic=True)
class Attachments:
    """The attachments of a request or an answer, in the order of the wire, repeats kept.

    ``octets[start:stop]`` is all of the map; it is empty where the body ends without one. Its entries stand in ``octets[first:last]``, with
    nothing between them; both are ``start`` where the map is null or there is none.
    """

    def __init__(
        self, start: i64, first: i64, last: i64, stop: i64, entries: list[Attachment], borrowed: bool = False
    ) -> None:
        self.start = start
        self.first = first
        self.last = last
        self.stop = stop
        self.entries = entries
        self.borrowed = borrowed
        """Whether a reference, or an object, stands in place of a map: Java takes both. Its entries have no places of their own."""

    def get(self, key: str) -> HeaderValue | None:
        """The value of `key`, the last where it is there twice, as a Java map has it; None where it is not there."""
        for entry in reversed(self.entries):
            if entry.key == key:
                return entry.value
        return None


@final
@mypyc_attr(acyclic=True)
class Invocation:
    """What a generic call (``$invoke``) calls: the real method and the names of its parameters' types, as Java writes them."""

    def __init__(self, method: str | None, types: list[str] | None) -> None:
        self.method = method
        self.types = types


@final
@mypyc_attr(acyclic=True)
class CallOutcome:
    """What became of a call, by a body of status 20.

    ``kind`` is one of the kinds above, `NOTHING` where the body has none that is known. ``value`` is where the value or the exception
    starts, ``end`` where it ends and the attachments begin, if any; -1 where that was not looked for, or lies behind the octets at hand.
    """

    def __init__(self, kind: i64, value: i64, exception: str | None = None, message: str | None = None) -> None:
        self.kind = kind
        self.value = value
        self.exception = exception
        """The exception's class: ``java.lang.IllegalStateException``; None where there is none, or where it cannot be told."""
        self.message = message
        """The exception's message; None where it has none, or where it cannot be told."""

    @property
    def failed(self) -> bool:
        """Whether it is an exception."""
        return self.kind == EXCEPTION or self.kind == EXCEPTION_WITH_ATTACHMENTS

    @property
    def attached(self) -> bool:
        """Whether attachments follow."""
        return self.kind >= EXCEPTION_WITH_ATTACHMENTS


@mypyc_attr(acyclic=True)
class Body:
    """A serialization that is known by name alone."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        """The serialization id of the header: 0 to 31."""
        self.name = name
        self.reads = False
        """Whether bodies are read at all: subclasses set it."""

    # Reading.

    def head(self, octets: bytes, start: i64, stop: i64, more: bool) -> Head | None:
        """The head of a request whose body is ``octets[start:stop]``."""
        return None

    def attachments(
        self, octets: bytes, at: i64, stop: i64, more: bool, types: str, limits: Limits
    ) -> Attachments | None:
        """The attachments of a request, whose arguments, of which `types` is the descriptor, begin at `at`; they are passed over.

        The whole body is needed for it: ``octets[start:stop]`` with the head before `at`, since it may be referred to.
        """
        return None

    def invocation(self, octets: bytes, at: i64, stop: i64, more: bool, limits: Limits) -> Invocation | None:
        """The real method of a request for ``$invoke`` or ``$invokeAsync``, whose arguments begin at `at`."""
        return None

    def outcome(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> CallOutcome | None:
        """What became of a call: of an answer of status 20 whose body is ``octets[start:stop]``."""
        return None

    def answer_attachments(
        self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits
    ) -> Attachments | None:
        """The attachments of an answer of status 20 whose body is ``octets[start:stop]``; None where its kind has none."""
        return None

    def text(self, octets: bytes, start: i64, stop: i64, more: bool) -> str | None:
        """The one text of a body: of an answer of any other status, or of an event. Of one with `more` as much as is there, if anything."""
        return None

    def is_null(self, octets: bytes, start: i64, stop: i64) -> bool:
        """Whether the body is a null alone, as that of a heartbeat is."""
        return False

    def plausible(self, octets: bytes, start: i64, stop: i64, more: bool, limits: Limits) -> bool:
        """Whether the octets can be the values of one body; of one with `more`, its beginning. False where that cannot be told."""
        return False

    # Writing. None where nobody can write it: the caller raises `Unsupported`.

    def write_text(self, text: str) -> bytes | None:
        """A body of one text: of an answer with another status than 20."""
        return None

    def string_end(self, octets: bytes, at: i64, stop: i64) -> i64:
        """Behind the one text, or null, that begins at `at`, and can be read."""
        return at

    def write_string(self, text: str | None) -> bytes | None:
        """One value of the head of a request: a string or null."""
        return None

    def write_null(self) -> bytes | None:
        """A body that is null: a heartbeat's."""
        return None

    def write_attachment(self, key: str, value: HeaderValue) -> bytes | None:
        """One entry of a map of attachments, to stand among ``octets[first:last]`` of `Attachments`."""
        return None

    def write_attachments(self, entries: bytes) -> bytes | None:
        """A whole map of attachments that consists of `entries`, as `write_attachment` makes them, or as they stood there."""
        return None

    def kept_attachments(
        self, octets: bytes, start: i64, found: Attachments, keep: list[bool], limits: Limits
    ) -> list[bytes]:
        """What stays of the attachments `found` where ``keep[n]`` says whether entry ``n`` does.

        One piece for each entry: what stands before it that is none, and the entry if it stays; and one for what stands behind the last.
        Where a value refers to others by a number that changes, it has the new one. The values that it can refer to begin at `start`:
        the arguments of a request, the body of an answer.

        Raises:
            Unsupported: what is left out is referred to by what stays.
            ProtocolError: the octets cannot be read.
        """
        parts: list[bytes] = []
        at = found.first
        for number, entry in enumerate(found.entries):
            parts.append(octets[at : entry.stop if keep[number] else entry.start])
            at = entry.stop
        parts.append(octets[at : found.last])
        return parts

    def rewrite_attachments(self, octets: bytes, found: Attachments, parts: list[bytes]) -> bytes | None:
        """What stands in place of ``octets[found.start:found.stop]`` with the pieces and entries `parts`."""
        entries = b"".join(parts)
        if found.first == found.start:
            return self.write_attachments(entries)
        return octets[found.start : found.first] + entries + octets[found.last : found.stop]

    def write_exception(self, name: str, message: str, attached: bool) -> bytes | None:
        """A body of status 20 whose exception is of class `name`; `attached`: with attachments, for consumers that read such."""
        return None
