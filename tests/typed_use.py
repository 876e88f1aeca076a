"""The documented interface as a caller writes it: `make lint` holds it against the types, and `test_typed_use.py` runs it."""

from __future__ import annotations

from l7codecs_http2 import Http2Session

from l7codecs import AutoSession, Changes, Data, Event, Limits, Message, Sender, Status, open_session


def relay(name: str, octets: bytes) -> tuple[bytes, list[str | None]]:
    """What a proxy writes upstream for what its client said, and the words that it knows of each message."""
    downstream = open_session(name, endpoint=Sender.SERVER, limits=Limits(pending=10))
    upstream = open_session(name, endpoint=Sender.CLIENT)
    if isinstance(downstream, Http2Session):
        downstream.extended_connect = True
    upstream.paused = True
    words: list[str | None] = []
    event: Event
    for event in downstream.receive(Sender.CLIENT, octets):
        upstream.put(event, None)
        if isinstance(event, Message):
            word: str | None = event.status and event.status.name
            words.append(word or event.operation)
        elif isinstance(event, Data):
            downstream.hold(event)
            downstream.release(event)
    queued: int = upstream.queued
    upstream.paused = False
    written: bytes = upstream.pending_output()
    assert queued <= len(written)
    waiting: list[Message] = upstream.unanswered()
    list(upstream.eof(Sender.SERVER))
    lost: list[Message] = upstream.abandoned() + upstream.unprocessed()
    closing: bool = upstream.closing
    assert closing
    assert [request.offset for request in lost] == [request.offset for request in waiting]
    owed: bytes = b"".join(downstream.reply_error(request, Status.UNAVAILABLE, "lost") for request in lost)
    owed += downstream.pending_output() + downstream.close()
    assert owed
    return written, words


def remember(session: AutoSession, event: Event) -> bytes:
    """`auto` has the same interface."""
    session.paused = False
    session.put(event, Changes())
    return session.pending_output()
