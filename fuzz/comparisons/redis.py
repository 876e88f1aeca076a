"""Replies of Redis beside hiredis (PyPI): where each ends, and what it is."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from l7codecs import Message, ProtocolError, Sender, get_protocol
from l7codecs.testing.fuzzing import Comparison, Refusal
from l7codecs.testing.fuzzing.comparison import NOTHING, first_difference, name_of

MOST = 4096
"""Octets that are fed one by one."""
KINDS = {
    "simple_string": "text",
    "bulk_string": "text",
    "verbatim_string": "text",
    "big_number": "text",
    "simple_error": "error",
    "bulk_error": "error",
    "set": "array",
}
UNKNOWN = re.compile(rb"(?:\A|\n)(?:[!;.]|[$*%~>|]\?\r)")

OTHERWISE = {
    "Bad simple string value": "no CR in a line",
    "Bad integer value": "no number with a zero before it",
    "unhashable": "no keys of maps or members of sets that are containers",
    "Bad double value": "no doubles beyond what 64 bits hold",
}


LENIENT = {
    "a count of -1": "takes a count of -1 for null, whatever is counted",
    "a push stands between replies": "a push between the items of an array is one",
    "expected t or f": "takes T and F for truth",
    "saw b'.', expected a digit": "takes doubles without a digit before the point",
}
"""What hiredis takes and is refused here, by words of our refusal."""


class BesideHiredis(Comparison):
    name = "hiredis"
    side: ClassVar[Sender] = Sender.SERVER

    def start(self) -> None:
        self.hiredis: Any = importlib.import_module("hiredis")

    def ours(self, pieces: Sequence[bytes]) -> object:
        """Size and kind of each reply, and a refusal at the end."""
        session = get_protocol("redis").open()
        found: list[object] = []
        try:
            for event in session.receive(Sender.SERVER, b"".join(pieces)[:MOST]):
                if isinstance(event, Message):
                    if event.more:  # a large one is told before it is whole
                        break
                    kind = str(event.attributes["redis.reply_type"])
                    null = event.payload.startswith((b"$-1", b"*-1"))
                    found.append((len(event.raw), "null" if null else KINDS.get(kind, kind)))
        except ProtocolError as error:
            found.append(Refusal(str(error)))
        return found

    def theirs(self, pieces: Sequence[bytes]) -> object:
        reader = self.hiredis.Reader(notEnoughData=Ellipsis)
        found: list[object] = []
        start = 0
        octets = b"".join(pieces)[:MOST]
        for at in range(len(octets)):
            reader.feed(octets[at : at + 1])
            try:
                value = reader.gets()
            except (self.hiredis.ProtocolError, RecursionError) as error:
                found.append(Refusal(str(error)))
                break
            except TypeError:
                found.append(Refusal("unhashable"))
                break
            if value is not Ellipsis:
                found.append((at + 1 - start, self.kind(value)))
                start = at + 1
        return found

    def kind(self, value: object) -> str:
        if isinstance(value, self.hiredis.PushNotification):
            return "push"
        for of, kind in (
            (self.hiredis.ReplyError, "error"),
            ((str, bytes), "text"),
            (bool, "boolean"),
            (int, "integer"),
            (float, "double"),
            (dict, "map"),
            ((list, set), "array"),
        ):
            if isinstance(value, of):
                return kind
        return "null"

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        assert isinstance(ours, list)
        if isinstance(theirs, Refusal):  # of all of it
            return "counts to the number of items that is declared" if theirs.why.startswith("_Hangs") else None
        assert isinstance(theirs, list)
        one, other = first_difference(ours, theirs)
        start = 0
        for mine, its in zip(ours, theirs, strict=False):
            if mine != its:
                break
            start += mine[0]
        reply = b"".join(pieces)[start:MOST]
        if isinstance(one, Refusal) and other is NOTHING:
            return "waits where a line cannot end well any more"
        name = name_of(one, LENIENT)
        if name is not None:
            return name
        if (
            isinstance(one, Refusal)
            and re.search("expected (CR LF|LF after CR)", one.why)
            and not isinstance(other, Refusal)
        ):
            return "does not look at what ends a string"
        if reply.startswith(b"|") or b"\n|" in reply:
            return "tells attributes apart from their reply"
        if UNKNOWN.search(reply):
            return "knows no bulk errors, and nothing streamed"
        if isinstance(other, Refusal) and other.why in OTHERWISE:
            return OTHERWISE[other.why]
        if reply.startswith((b"*", b">", b"|")) and b"\n>" in reply:
            return "a push between the items of an array is one"
        return None


def comparisons() -> list[Comparison]:
    return [BesideHiredis()]
