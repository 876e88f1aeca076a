"""The headers of the records that a request carries, for whoever asks where these belong: traces."""

from __future__ import annotations

from l7codecs import Headers, Message, ProtocolError, Unsupported

from .._schema.layouts import RECORDS
from .._schema.walk import pick
from .._wire.requests import KafkaRequest
from .batches import Records

__all__ = ["carried_headers"]

_DECODED = 256 << 10
"""Octets of a batch that are decompressed for it."""


def carried_headers(message: Message, count: int) -> list[Headers]:
    """Of each of the first `count` records of a Produce that has any; none where they cannot be read."""
    found: list[Headers] = []
    layout = message.layout if isinstance(message, KafkaRequest) else None
    if layout is None or layout.has & RECORDS == 0 or not isinstance(message, KafkaRequest):
        return found
    try:
        fields = pick(layout, message.octets, message.body, message.stop, RECORDS, partial=message.more)
        for number in range(len(fields)):
            start, stop = fields.starts(number), min(fields.ends(number), message.stop)
            for batch in Records(message.octets, start, stop).batches if start >= 0 else ():
                for record in batch.records(_DECODED):
                    if record.headers:
                        pairs = [(name.decode("utf-8", "replace"), value or b"") for name, value in record.headers]
                        found.append(Headers(pairs))
                    count -= 1
                    if count <= 0:
                        return found
    except (ProtocolError, Unsupported, ImportError):  # what is compressed may need a library, or be larger
        pass
    return found
