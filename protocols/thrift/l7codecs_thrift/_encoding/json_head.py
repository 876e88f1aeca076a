"""Heads of messages that are objects of JSON: a name, a sequence id and a kind among the first members."""

from __future__ import annotations

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .encoding import check_number
from .json_text import SPACE, quoted, string_end
from .types import Head

__all__ = ["JsonHead", "patched"]


class JsonHead:
    """Reads the members in their order, as far as they are there."""

    def __init__(self, octets: bytes, at: i64, stop: i64, longest: i64) -> None:
        self.octets = octets
        self.at: i64 = at
        self.stop: i64 = stop
        self.longest: i64 = longest
        self.kind: i64 = 0
        self.kind_at: i64 = at
        self.seqid: i64 = 0
        self.seqid_at: i64 = -1
        self.seqid_stop: i64 = -1
        self.name_at: i64 = -1
        self.name_stop: i64 = -1

    def space(self) -> bool:
        """Go to what comes next, behind white space; False: it is not there yet."""
        while self.at < self.stop:
            if self.octets[self.at] not in SPACE:
                return True
            self.at += 1
        return False

    def expect(self, octet: i64) -> bool:
        if not self.space():
            return False
        if i64(self.octets[self.at]) != octet:
            raise ProtocolError(self.at, f"octet {self.octets[self.at]:02x}", f"octet {octet:02x} of the metadata")
        self.at += 1
        return True

    def string(self) -> bytes | None:
        """What is between two quotes; None: it is not there yet."""
        if not self.expect(0x22):
            return None
        begin = self.at
        end = string_end(self.octets, begin, self.stop)
        if (end if end >= 0 else self.stop) - begin > min(self.longest, 4096):
            raise LimitExceeded(begin, "a long name", f"at most {min(self.longest, 4096)} octets")
        if end < 0:
            return None
        self.at = end + 1
        return self.octets[begin:end]

    def name(self) -> bool:
        """Read the name; False: it is not there yet."""
        name = self.string()
        if name is None:
            return False
        self.name_stop = self.at - 1
        self.name_at = self.name_stop - len(name)
        return True

    def number(self, key: bytes) -> i64 | None:
        """The number of the member `key`; None: it is not there yet."""
        begin = self.at
        end = begin
        while end < self.stop and self.octets[end] in b"-0123456789":
            end += 1
        if end - begin > 12 or (end == begin and end < self.stop):
            raise ProtocolError(begin, f"the member {key[:20]!r}", "a number of 32 bits")
        if end >= self.stop:
            return None
        try:
            number = i64(int(self.octets[begin:end]))
        except ValueError:
            raise ProtocolError(begin, f"{self.octets[begin:end]!r}", "a number") from None
        self.at = end
        return number

    def take_seqid(self, number: i64, begin: i64) -> None:
        """`number`, which begins at `begin` and has been read, is the sequence id."""
        check_number(number, begin)
        self.seqid = number
        self.seqid_at = begin
        self.seqid_stop = self.at


def patched(octets: bytes, head: Head, at: int, name: str | None, seqid: int | None, kind: bytes | None) -> bytes:
    """``octets[at : head.body]`` with another name, sequence id or kind, which has one octet."""
    changes: list[tuple[int, int, bytes]] = []
    if name is not None:
        changes.append((int(head.name_at - 1), int(head.name_stop + 1), quoted(name)))
    if seqid is not None:
        changes.append((int(head.seqid_at), int(head.seqid_stop), b"%d" % seqid))
    if kind is not None:
        changes.append((int(head.kind_at), int(head.kind_at + 1), kind))
    parts: list[bytes] = []
    for begin, end, new in sorted(changes):
        parts.append(octets[at:begin])
        parts.append(new)
        at = end
    parts.append(octets[at : head.body])
    return b"".join(parts)
