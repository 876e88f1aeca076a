"""What a message that streams says behind the first records: topics of a Produce, topics and error codes of a Fetch.

A Fetch of many partitions has a code before the records of each. What is between the records is kept, and the records are passed over:

    head and Data     throttle code session │ topic │ partition code … records(3 MiB) │ partition code … records(2 MiB) │ tags
    what is kept      throttle code session │ topic │ partition code … records(0)     │ partition code … records(0)     │ tags

It is looked at again only when it has grown by half, so that each octet costs the same; beyond ``limits.message`` it is given up.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import ProtocolError, Sender

from .._meaning.naming import has_topics, topic_keys
from .._meaning.outcome import error_codes
from .._schema.layouts import RECORDS, Layout
from .._schema.walk import pick
from .messages import Ending, KafkaMessage

__all__ = ["Streamed", "follow"]

_SERVER: Final = Sender.SERVER
_STEP: Final[i64] = 4096
_NO_RECORDS: Final = b"\x01"
_NO_RECORDS_FIXED: Final = bytes(4)


@final
class Streamed:
    """What is kept of one message."""

    def __init__(self, found: Layout | None, octets: bytes, start: i64, stop: i64, limit: int) -> None:
        """``octets[start:stop]`` is what has come of the body."""
        self._layout = found
        self._kept = bytearray()
        self._limit: i64 = limit
        self._skip: i64 = 0
        """Octets of records that are still to come."""
        self._next: i64 = 0
        """How much is kept when it is looked at again."""
        if found is not None:
            self._look(octets, start, stop)

    def add(self, octets: bytes, start: i64, stop: i64) -> None:
        """Further octets of the message: ``octets[start:stop]``."""
        at = start
        while at < stop and self._layout is not None:
            if self._skip > 0:
                step: i64 = min(self._skip, stop - at)
                self._skip -= step
                at += step
                continue
            room: i64 = max(self._next - len(self._kept), 1)
            part = octets[at : min(at + room, stop)]
            self._kept += part
            at += len(part)
            if len(self._kept) >= self._next:
                self._look_again()

    def _look_again(self) -> None:
        octets = bytes(self._kept)
        self._look(octets, 0, len(octets))

    def _look(self, octets: bytes, at: i64, size: i64) -> None:
        """Keep ``octets[at:size]``, which begin the body, without the records that are there, as far as they are."""
        found = self._layout
        if found is None:
            return
        try:
            records = pick(found, octets, at, size, RECORDS, partial=True)
        except ProtocolError:
            self._give_up()
            return
        kept = bytearray()
        for number in range(len(records)):
            start = records.starts(number)
            stop = records.ends(number)
            if start < 0 or start == stop:
                continue
            kept += octets[at : records.prefix(number)]
            kept += _NO_RECORDS if found.flexible else _NO_RECORDS_FIXED
            at = min(stop, size)
            self._skip = max(stop - size, 0)
        kept += octets[at:size]
        self._kept = kept
        self._next = len(kept) + max(_STEP, len(kept) // 2)
        if len(kept) > self._limit:
            self._give_up()

    def lose(self) -> None:
        """Octets of the message were lost."""
        self._give_up()

    def _give_up(self) -> None:
        self._layout = None
        self._kept = bytearray()

    def end(self, consumers: bool) -> Ending:
        """All has come. `consumers`: see `topic_keys`."""
        self._look_again()
        found = self._layout
        if found is None or self._skip > 0:
            return Ending(None, None)
        octets = bytes(self._kept)
        size = len(octets)
        try:
            codes = error_codes(found, octets, 0, size, False)
            return Ending(codes, topic_keys(found, octets, 0, size, False, consumers))
        except ProtocolError:
            return Ending(None, None)


def follow(message: KafkaMessage, limit: int) -> Streamed | None:
    """Follow `message`, of which the head has come, to its end; None where that says nothing that is asked for."""
    found = message.layout
    if found is None:
        return Streamed(None, b"", 0, 0, limit) if message.sender is _SERVER else None
    if message.sender is not _SERVER and not has_topics(found):
        return None
    return Streamed(found, message.octets, message.body, message.stop, limit)
