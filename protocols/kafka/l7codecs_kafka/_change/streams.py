"""A large answer to Fetch with other nodes, while it streams.

    head and Data     … partition │ records(3 MiB) │ CurrentLeader … partition │ records(2 MiB) │ CurrentLeader │ NodeEndpoints
    changes           in place    │ pass           │ in place                  │ pass           │ in place      │ hidden

The size of the message is written before its rest is known, so nothing may grow. Ids do not. The addresses that come last, where a broker
has just lost its partitions, would: in their place, and in as many octets, stands a field of zeros with the tag of no field, which clients
skip. It is the last one, since tags rise. Clients ask for Metadata then, as older ones do. For the same reason an id that has no other one
becomes -1, no node.

What is between the records is kept, without them, to know where in the message it stands. It is looked at again only when it has grown by
half, so that each octet costs the same.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError, Unsupported

from .._schema.layouts import HOST, NODE_ID, RECORDS, Layout
from .._schema.walk import Found, pick, read_varint
from .nodes import Nodes

__all__ = ["FETCH", "StreamedFetch"]

FETCH: Final[i64] = 1
_STEP: Final[i64] = 4096
_NO_RECORDS: Final = b"\x01"
_NO_RECORDS_FIXED: Final = bytes(4)
_NO_FIELD: Final[i64] = 0x7F
"""A tag that no field has; the highest that is written as one octet."""
_NO_NODE: Final = b"\xff\xff\xff\xff"


@final
class StreamedFetch:
    """The body of one answer, which is given and returned in pieces."""

    def __init__(self, layout: Layout, nodes: Nodes, limit: i64, offset: i64) -> None:
        """`limit` bounds what is kept, in octets; the answer is at `offset` of its direction."""
        self._layout = layout
        self._nodes = nodes
        self._limit: i64 = limit
        self._offset: i64 = offset
        self._kept = b""
        """What was returned, without records."""
        self._raw = bytearray()
        """What was not returned."""
        self._skip: i64 = 0
        """Octets of records that are still to come."""
        self._next: i64 = 0
        """How much of ``_raw`` there is when it is looked at again."""

    @property
    def size(self) -> int:
        """Octets that are kept."""
        return len(self._kept) + len(self._raw)

    def begin(self, octets: bytes, start: i64, stop: i64) -> bytes | None:
        """The first octets of the body, ``octets[start:stop]``; returns what can be written of it, None where that is all as it is.

        Raises as `add`.
        """
        written = self._look(octets, start, start, stop, False)
        return written if written is not None or not self._raw else octets[start : stop - len(self._raw)]

    def add(self, octets: bytes, start: i64, stop: i64, more: bool) -> bytes | None:
        """Further octets of the body, ``octets[start:stop]``; returns what can be written of it, None where that is all as it is.

        Without `more` nothing follows. Raises `ProtocolError` where they are no answer to Fetch, `LimitExceeded` where too much of it is no
        records.
        """
        if more and self._skip >= stop - start:
            self._skip -= stop - start
            return None  # records, as nearly all is
        written: list[bytes] = []
        at = start
        while True:
            if self._skip > 0:
                step: i64 = min(self._skip, stop - at)
                written.append(octets[at : at + step])
                self._skip -= step
                at += step
            if at >= stop:
                break
            room: i64 = max(self._next - len(self._raw), 1)
            part = octets[at : min(at + room, stop)]
            self._raw += part
            at += len(part)
            if len(self._raw) >= self._next:
                written.append(self._look_again(False))
        if not more:
            written.append(self._look_again(True))
        return b"".join(written)

    def _look_again(self, last: bool) -> bytes:
        """What is certain of ``_raw``, with other nodes."""
        kept = self._kept
        begun: i64 = len(kept)
        octets = kept + bytes(self._raw)
        size: i64 = len(octets)
        found = self._look(octets, 0, begun, size, last)
        return octets[begun : size - len(self._raw)] if found is None else found

    def _look(self, octets: bytes, start: i64, begun: i64, size: i64, last: bool) -> bytes | None:
        """What is certain of ``octets[begun:size]``, with other nodes: all up to the end of the last records in it. None: as it is.

        The body begins at `start`; what is not certain is ``_raw`` then.
        """
        layout = self._layout
        found = pick(layout, octets, start, size, RECORDS | NODE_ID | HOST, last, not last)
        stop = begun
        parts = [octets[start:begun]]
        at = begun
        for number in range(len(found)):
            if found.role(number) != RECORDS:
                continue
            prefix = found.prefix(number)
            start = found.starts(number)
            end = found.ends(number)
            if prefix < begun or start < 0 or start == end:
                continue
            parts.append(octets[at:prefix])
            parts.append(_NO_RECORDS if layout.flexible else _NO_RECORDS_FIXED)
            at = min(end, size)
            stop = at
            self._skip = max(end - size, 0)
        if last:
            if self._skip > 0:
                raise ProtocolError(int(self._offset), "records that end behind their message", "whole ones")
            stop = size
            self._raw = bytearray()
        else:
            self._kept = b"".join(parts)
            self._raw = bytearray(octets[stop:size])
            self._next = len(self._raw) + max(_STEP, (len(self._kept) + len(self._raw)) // 2)
            if len(self._kept) > self._limit:
                raise LimitExceeded(
                    int(self._offset),
                    f"{len(self._kept)} octets of an answer to Fetch that are no records",
                    f"at most limits.message = {self._limit}",
                )
        return self._changed(found, begun, stop)

    def _changed(self, found: Found, begun: i64, stop: i64) -> bytes | None:
        """The octets from `begun` to `stop` with other nodes; None where they have none."""
        octets = found.octets
        parts: list[bytes] = []
        at = begun
        for number in range(len(found)):
            start = found.starts(number)
            if start < at or start >= stop or found.role(number) != NODE_ID:
                continue
            if found.field(number).path.startswith("NodeEndpoints"):
                break
            node = found.number(number)
            if node < 0:
                continue
            parts.append(octets[at:start])
            parts.append(self._other(node))
            at = start + 4
        tags = found.tags
        tag: i64 = 0
        while tag < len(tags):
            # A tag is an octet before its size; the only one outside of partitions is that of the addresses.
            place = tags[tag] - 1
            if place >= at and tags[tag + 2] <= stop and self._has_addresses(found, tags[tag + 1], tags[tag + 2]):
                # Those with higher tags come first then. Behind them the body ends.
                parts.append(octets[at:place])
                parts.append(octets[tags[tag + 2] : found.at])
                highest = _highest_tag(octets, tags[tag + 2], found.at)
                parts.append(_hidden(highest, tags[tag + 1] - tags[tag], tags[tag + 2] - tags[tag + 1]))
                at = found.at
            tag += 3
        if not parts:
            return None
        parts.append(octets[at:stop])
        return b"".join(parts)

    def _has_addresses(self, found: Found, start: i64, stop: i64) -> bool:
        """Whether the tagged field ``octets[start:stop]`` is that of the addresses."""
        hosts = (found.prefix(number) for number in range(len(found)) if found.role(number) == HOST)
        return any(start <= host < stop for host in hosts)

    def _other(self, node: int) -> bytes:
        try:
            other = self._nodes.client_id(node)
        except Unsupported:
            return _NO_NODE
        return other.to_bytes(4, "big", signed=True) if -(2**31) <= other < 2**31 else _NO_NODE


def _highest_tag(octets: bytes, at: i64, end: i64) -> i64:
    """The highest tag of the tagged fields ``octets[at:end]``, which were read before; -1 where there are none."""
    highest: i64 = -1
    while at < end:
        tag = read_varint(octets, at, end)
        at += tag & 7
        size = read_varint(octets, at, end)
        at += (size & 7) + (size >> 3)
        highest = max(highest, tag >> 3)
    return highest


def _hidden(highest: i64, width: i64, size: i64) -> bytes:
    """A tagged field that says nothing, behind that with the tag `highest`.

    It is as long as the one in whose place it is: a tag of one octet, a size of `width`, and a value of `size`. A tag of more octets takes
    them of the value, whose size is written in as many octets as before.
    """
    tag = _varint(max(_NO_FIELD, highest + 1))
    rest = size - (len(tag) - 1)
    return tag + _varint(rest, width) + bytes(rest)


def _varint(value: i64, width: i64 = 1) -> bytes:
    """`value` as a varint of at least `width` octets."""
    octets = bytearray()
    while value >= 0x80 or len(octets) + 1 < width:
        octets.append(int(value & 0x7F | 0x80))
        value >>= 7
    octets.append(int(value))
    return bytes(octets)
