"""What has to hold, whatever the octets: the oracles. Each function raises `AssertionError` where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from l7codecs import Limits, Pairing, Protocol
from l7codecs.errors import LimitExceeded
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Data, Event, Gap, Message
from l7codecs.session import Session
from l7codecs.testing.conformance.events import check_message
from l7codecs.testing.growth import growth
from l7codecs.testing.replay import Outcome, place

__all__ = [
    "LIMITS",
    "TookLonger",
    "check_answers",
    "check_bounds",
    "check_conserved",
    "check_cost",
    "check_ends",
    "check_forwarded",
    "check_messages",
    "limits_of",
]

LIMITS = (
    Limits(),
    Limits(head=64, message=256),
    Limits(head=300, message=300, elements=16, nesting=4),
    Limits(pending=2, streams=2, waiting=512, queued=1024),
    Limits(head=1024, message=1024, payload=4096, nesting=8, elements=64, pending=16, streams=8),
)
"""What a program's ``limits`` choose from; the default is chosen most often."""

_SENDERS = tuple(Sender)
_FREE_SECONDS = 0.15
_SECONDS = 60e-6
"""Seconds of the processor for an octet or a step, in all replays, while coverage is traced: what takes more is measured again."""


class TookLonger(AssertionError):
    """A measure of time says so. Whatever else the machine does may be why: it is told where another process says so too."""


def limits_of(number: int) -> Limits:
    """The limits that a program asks for."""
    return LIMITS[number % 8] if number % 8 < len(LIMITS) else LIMITS[0]


def check_conserved(outcome: Outcome, sender: Sender, fed: bytes) -> None:
    """Every octet that `sender` was fed is in one event, in its order, up to the end or an error; offsets count them and what was lost."""
    at = 0
    parts: list[bytes] = []
    for event in [each for each in outcome.events if each.sender is sender]:
        assert event.offset == at, f"{place(event)} comes where octet {at} is due"
        if isinstance(event, Gap):
            at += event.size
        else:
            raw = event.raw
            parts.append(raw)
            at += len(raw)
    octets = b"".join(parts)
    if octets != fed:
        assert fed.startswith(octets), f"the events of the {sender.value} have other octets than it sent"
        assert sender in outcome.errors, f"{len(fed) - len(octets)} octets of the {sender.value} are in no event"


def check_messages(outcome: Outcome, protocol: Protocol) -> None:
    """What messages say has its type and stands in the schema; messages are no chain."""
    for event in outcome.events:
        if isinstance(event, Message):
            check_message(event, protocol, "the program")
            further, count = event.request, 0
            while further is not None:
                further, count = further.request, count + 1
                assert count < 3, (
                    f"{place(event)} is the end of a chain of requests: peers make it as long as they like"
                )


def check_ends(outcome: Outcome) -> None:
    """Nothing goes on behind its end: a message is told before its Data, with more, and no Data follows the last of it."""
    ended: set[Message] = set()
    for event in outcome.events:
        if isinstance(event, Data):
            head = event.message
            assert head.more, f"{place(event)} continues {place(head)}, which is not announced with more"
            assert head not in ended, f"{place(event)} continues {place(head)}, whose last Data has come before"
            if not event.more:
                ended.add(head)


def check_answers(outcome: Outcome, protocol: Protocol, loose_ids: bool = False) -> None:
    """No answer to a request that did not ask for it: it came on this connection, from the other side, with its number, in its turn.

    With `loose_ids` the number is not looked at.
    """
    answers = [event for event in outcome.events if event.kind is Kind.RESPONSE]
    if not answers:
        return
    seen = {event for event in outcome.events if isinstance(event, Message)}
    turn = dict.fromkeys(_SENDERS, -1)
    for event in answers:
        if not isinstance(event, Message) or event.request is None:
            continue
        request = event.request
        here = f"{place(event)} answers {place(request)}"
        assert request.kind in (Kind.REQUEST, Kind.HEARTBEAT, Kind.PUSH, Kind.ONEWAY), f"{here}, which asks nothing"
        if request.kind is Kind.PUSH:
            continue
        assert request.sender is event.sender.other, f"{here}, of the same side"
        if request not in seen:  # what stays of a large one while many wait is a copy
            assert request.more, f"{here}, which was never told"
        numbers = (request.request_id, event.request_id)
        if protocol.pairing is Pairing.ID and not loose_ids and None not in numbers:
            assert numbers[0] == numbers[1], f"{here}, of number {request.request_id!r}, with {event.request_id!r}"
        elif protocol.pairing is Pairing.STREAM:
            assert request.stream_id == event.stream_id, f"{here}, of stream {request.stream_id}, on {event.stream_id}"
        elif protocol.pairing is Pairing.FIFO:
            assert request.offset >= turn[event.sender], f"{here}, and a later request was answered before"
            turn[event.sender] = request.offset


def check_forwarded(session: Session, events: Iterable[Event]) -> None:
    """What a session has received it sends as it came."""
    for event in events:
        if not isinstance(event, Gap) and not session.keeps_books(event.sender):
            octets = session.send(event)
            assert octets == event.raw, (
                f"send of {place(event)} returns {octets[:60]!r}, and its octets are {event.raw[:60]!r}"
            )


def check_bounds(session: Session, sender: Sender, last: int) -> None:
    """What waits is within the limits; `last` are the octets of the last read."""
    limits = session.limits
    waiting = session.decoder(sender).buffer.unfinished
    assert waiting <= limits.message + limits.head + 1024 + last, (
        f"{waiting} octets of the {sender.value} wait to become an event, with {limits}"
    )
    most = max(limits.pending, limits.streams)
    assert session.pending <= most, f"{session.pending} requests are remembered, with {limits}"


def check_cost(run: Callable[[int], None], seconds: float, units: int, what: str) -> None:
    """`run(times)` does it so many times over; where once took too many `seconds` for its `units`, twice and eight times are compared."""
    if seconds <= _FREE_SECONDS + units * _SECONDS:
        return

    def cost(times: int) -> float:
        start = time.process_time()
        run(times)
        return time.process_time() - start

    best = min(cost(1) for _ in range(3))
    if best > 4 * (_FREE_SECONDS + units * _SECONDS):
        raise TookLonger(f"{what}: {best:.2f} s for {units} octets and steps")
    times = growth(cost, 1, 4, 10)
    if times > 10:
        raise TookLonger(f"{what}: four times as much takes {times:.1f} times as long")


def is_limit(error: BaseException) -> bool:
    """Whether it says that something is more than it may be."""
    return isinstance(error, LimitExceeded)


def joined_data(events: Iterable[Event], head: Message) -> bytes:
    """The payload of all `Data` of `head`."""
    return b"".join(event.payload for event in events if isinstance(event, Data) and event.message is head)
