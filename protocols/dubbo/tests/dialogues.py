"""Messages of the vectors, and with ``L7CODECS_RECORDINGS`` of what was recorded elsewhere."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import l7codecs
from l7codecs import Message, ProtocolError, Sender
from l7codecs.testing import load_vectors, replay
from l7codecs_dubbo import DubboMessage

VECTORS = Path(__file__).parents[1] / "vectors"


@cache
def every_message() -> tuple[DubboMessage, ...]:
    """All of them that are whole, each once."""
    found: dict[bytes, DubboMessage] = {}
    for message in _messages():
        if isinstance(message, DubboMessage) and not message.more:
            found.setdefault(message.raw[:2] + message.raw[2:4] + message.raw[12:], message)
    return tuple(found.values())


def _messages() -> Iterator[object]:
    for vector in load_vectors(VECTORS):
        yield from replay(l7codecs.open_session("dubbo"), vector).events
    root = os.environ.get("L7CODECS_RECORDINGS")
    if root:
        for path in sorted((Path(root) / "dubbo").glob("[!t]*/*.txt*")):
            yield from _recorded(path)


def _recorded(path: Path) -> Iterator[object]:
    session = l7codecs.open_session("dubbo", limits=l7codecs.Limits(message=4 * 1024 * 1024))
    octets = path.read_bytes()
    text = gzip.decompress(octets) if path.suffix == ".gz" else octets
    for line in text.decode().splitlines():
        if line[:2] in ("C ", "S "):
            yield from session.receive(Sender.CLIENT if line[0] == "C" else Sender.SERVER, bytes.fromhex(line[2:]))


def read_again(message: DubboMessage, octets: bytes) -> DubboMessage:
    """The one message that `octets` are, of the sender of `message`, whose request it answers too."""
    session = l7codecs.open_session("dubbo", limits=l7codecs.Limits(message=8 * 1024 * 1024))
    events = list(session.receive(message.sender, octets))
    events += list(session.eof(message.sender))
    assert len(events) == 1, events
    found = events[0]
    assert isinstance(found, DubboMessage) and not found.more
    request: Message | None = message.request
    if request is not None:
        found.request = request
    return found


def is_readable(message: DubboMessage) -> bool:
    """Whether the attachments can be reached."""
    try:
        return message.attachments() is not None
    except ProtocolError:
        return False
