"""What each encoding offers."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, ProtocolError

from .cursor import Cursor, build, exception_of, first_of, pick_from
from .skipper import Skipper
from .types import Field, Head, Value

__all__ = ["Encoding", "check_kind", "check_number", "check_size"]

_UNBOUNDED: Final[i64] = 1 << 62


class Encoding:
    """One encoding of messages. All offsets count from the start of the octets that are given with them.

    ``octets[at:stop]`` of `first_field`, `application_exception`, `pick` and `structure` is a body: it begins at `Head.body`, and all
    of it is there. What is behind its end is not looked at.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """The head of the message that begins at `at`; None: there are octets missing. `longest` octets may be in its name.

        Raises:
            ProtocolError: no message begins here.
            LimitExceeded: its name is too long; told as soon as its length is there.
        """
        raise NotImplementedError

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """What passes over the body of the message with `head`."""
        raise NotImplementedError

    def cursor(self, octets: bytes, at: i64, stop: i64, nesting: i64, elements: i64) -> Cursor:
        """What reads the struct that begins at `at`."""
        raise NotImplementedError

    def first_field(self, octets: bytes, at: i64, stop: i64) -> Field | None:
        """The first field of a struct; None: it has none. Of a result: 0 is success, 1 or more a declared exception, none void or null.

        Raises:
            ProtocolError: here is no struct.
        """
        return first_of(self.cursor(octets, at, stop, _UNBOUNDED, _UNBOUNDED))

    def application_exception(self, octets: bytes, at: i64, stop: i64) -> tuple[int | None, str | None]:
        """Type and message of a TApplicationException. Each may be missing; what is behind `stop` is.

        Raises:
            ProtocolError: here is no struct.
        """
        return exception_of(self.cursor(octets, at, stop, _UNBOUNDED, _UNBOUNDED))

    def pick(self, octets: bytes, at: i64, stop: i64, path: tuple[int | str, ...]) -> Value:
        """The value at a path of field ids (names in thriftpy2's own JSON); None: there is none. The rest is passed over, unbuilt.

        Raises:
            ProtocolError: here is no struct.
        """
        return pick_from(self.cursor(octets, at, stop, _UNBOUNDED, _UNBOUNDED), path)

    def structure(self, octets: bytes, at: i64, stop: i64, limits: Limits) -> Value:
        """All fields of a struct, as `Value` says.

        Raises:
            ProtocolError: here is no struct.
            LimitExceeded: it is deeper, or larger, than `limits` allows.
        """
        return build(self.cursor(octets, at, stop, limits.nesting, limits.elements))

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """A whole message of a TApplicationException; not `strict`: in the old binary encoding, where this is the binary one."""
        raise NotImplementedError

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """What replaces ``octets[head.at : head.body]``: the same head with another name, seqid or kind. All else stays as it is."""
        raise NotImplementedError


def check_kind(kind: i64, at: i64) -> None:
    """Raise `ProtocolError` where there is no such kind of messages."""
    if kind < 1 or kind > 4:
        raise ProtocolError(at, f"a message of type {kind}", "a type from 1 to 4")


def check_number(seqid: i64, at: i64) -> None:
    """Raise `ProtocolError` where a sequence id in decimal has more than 32 bits."""
    if seqid < -0x80000000 or seqid > 0x7FFFFFFF:
        raise ProtocolError(at, f"a sequence id of {seqid}", "one of 32 bits")


def check_size(size: i64, longest: i64, at: i64) -> None:
    """Raise `LimitExceeded` where a name is longer than `longest`, `ProtocolError` where it is shorter than nothing."""
    if size < 0:
        raise ProtocolError(at, f"a name of {size} octets", "a size that is not negative")
    if size > longest:
        raise LimitExceeded(at, f"a name of {size} octets", f"at most limits.head = {longest}")
