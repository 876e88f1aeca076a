"""Octets that stand for a message, read again: those that were made here of it."""

from __future__ import annotations

from dataclasses import replace

from l7codecs.buffer import Buffer

from .._meaning.messages import ThriftMessage
from .._meaning.words import FRAMED, HTTP, UNFRAMED
from .frames import Frames
from .http import HttpReader

__all__ = ["reread"]


def reread(message: ThriftMessage, octets: bytes, more: bool) -> ThriftMessage:
    """The message that `octets` are, which stand in place of `message`.

    Raises:
        ProtocolError: they are none.
    """
    frames = Frames(message.flow, message.sender, message.origin)
    size = len(octets)
    transport = message.transport_id
    if transport == UNFRAMED:
        made = frames.plain(octets, 0, size, message.offset, more, octets, 0, size, UNFRAMED)
    elif transport == HTTP:
        buffer = Buffer()
        buffer.feed(octets)
        limits = message.limits
        if not more and size > limits.message:
            limits = replace(limits, message=size)  # it has been gathered
        reader = HttpReader(message.sender, limits)
        reader.size_of(buffer, True)
        made = reader.message(frames, octets, 0, size, message.offset, more)
    else:
        made = frames.framed(octets, 0, size, message.offset, more, 4, FRAMED)
    if more and message.declared_size >= 0:
        made.declared_size = message.declared_size + size - (message.stop - message.start)
    if message.request is not None:
        made.request = message.request
    return made
