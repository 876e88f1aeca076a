"""Frames of Mux: numbers, and where the parts of dispatches stand.

    0      4      5     8
    ├──────┼──────┼─────┼───────
    │ size │ type │ tag │ body           size counts from the type on; type is signed, what answers is negative
    └──────┴──────┴─────┴───────

    Tdispatch    contexts, destination, delegations │ message        contexts      count16 (key value)*
    Rdispatch    status8, contexts │ message                         delegations   count16 (prefix destination)*
    Treq         count8 (key8 value)* │ message                      texts         size16 and octets; of Treq size8
    Rreq         status8 │ message
    Tdiscarded   tag of what is given up, why
    Tlease       unit8 (0: ms), how much64
    Rerr         text

The highest bit of a tag says that more of the message follows in another frame with its type and tag. Frames of others may come between.
Source: the Mux protocol of twitter/finagle; Finagle 22.7.0.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import ProtocolError

__all__ = [
    "FRAGMENT",
    "HEADER",
    "NAMES",
    "STATUSES",
    "TAG",
    "TYPE",
    "Context",
    "Dispatch",
    "parse_dispatch",
    "parse_req",
]

HEADER: Final[i64] = 8
TYPE: Final[i64] = 4
TAG: Final[i64] = 5
FRAGMENT: Final[i64] = 0x800000
"""Of a tag: more of this message follows in another frame."""

NAMES: Final[dict[int, str]] = {
    1: "Treq", -1: "Rreq", 2: "Tdispatch", -2: "Rdispatch", 64: "Tdrain", -64: "Rdrain", 65: "Tping", -65: "Rping",
    66: "Tdiscarded", -66: "Rdiscarded", 67: "Tlease", 68: "Tinit", -68: "Rinit", -128: "Rerr", 127: "Rerr", -62: "Tdiscarded",
}  # fmt: skip
STATUSES: Final = ("OK", "ERROR", "NACK")
_KEYS: Final = {1: "trace-id", 2: "trace-flag"}


@final
class Context:
    """One context: what it is called, and its octets."""

    def __init__(self, name: str, key: bytes, value: bytes) -> None:
        self.name = name
        self.key = key
        self.value = value


@final
class Dispatch:
    """The parts of a dispatch; ``body`` is where the message begins, ``contexts_start`` and ``contexts_stop`` where the contexts stand."""

    def __init__(self) -> None:
        self.status: i64 = 0
        self.contexts: list[Context] = []
        self.contexts_start: i64 = 0
        self.contexts_stop: i64 = 0
        self.destination = ""
        self.delegations: list[str] = []
        self.body: i64 = 0


def parse_dispatch(octets: bytes, at: i64, stop: i64, answer: bool) -> Dispatch:
    """The dispatch whose body begins at `at`.

    Raises:
        ProtocolError: it is none, or not all there. The offset is an index into `octets`.
    """
    found = Dispatch()
    reader = _Reader(octets, at, stop)
    if answer:
        found.status = reader.status()
    found.contexts_start = reader.at
    for _each in range(reader.number(2)):
        key = reader.text(2)
        found.contexts.append(Context(key.decode("utf-8", "replace"), key, reader.text(2)))
    found.contexts_stop = reader.at
    if not answer:
        found.destination = reader.text(2).decode("utf-8", "replace")
        for _each in range(reader.number(2)):
            prefix = reader.text(2).decode("utf-8", "replace")
            found.delegations.append(f"{prefix}=>{reader.text(2).decode('utf-8', 'replace')}")
    found.body = reader.at
    return found


def parse_req(octets: bytes, at: i64, stop: i64, answer: bool) -> Dispatch:
    """Treq or Rreq, as `parse_dispatch`; its headers are the contexts."""
    found = Dispatch()
    reader = _Reader(octets, at, stop)
    if answer:
        found.status = reader.status()
    else:
        for _each in range(reader.number(1)):
            key = reader.number(1)
            found.contexts.append(Context(_KEYS.get(key) or str(key), bytes((key,)), reader.text(1)))
    found.body = reader.at
    return found


@final
class _Reader:
    def __init__(self, octets: bytes, at: i64, stop: i64) -> None:
        self.octets = octets
        self.at = at
        self.stop = stop

    def status(self) -> i64:
        at = self.at
        status = self.number(1)
        if status > 2:
            raise ProtocolError(at, f"status {status}", "0, 1 or 2", "Mux")
        return status

    def number(self, size: i64) -> i64:
        at = self.at
        if at + size > self.stop:
            raise ProtocolError(at, f"{self.stop - at} octets", f"{size} at least", "Mux")
        self.at = at + size
        first: i64 = i64(self.octets[at])
        return first if size == 1 else first << 8 | i64(self.octets[at + 1])

    def text(self, width: i64) -> bytes:
        """A text whose size has `width` octets."""
        size = self.number(width)
        at = self.at
        if at + size > self.stop:
            raise ProtocolError(at, f"{self.stop - at} octets", f"{size} at least", "Mux")
        self.at = at + size
        return self.octets[at : at + size]
