"""What every event has to be, whatever the protocol: its octets, its types, its end. Each function raises `AssertionError`."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from l7codecs import Pairing, Protocol, get_protocol
from l7codecs.headers import Headers
from l7codecs.kinds import Kind, Sender, Status
from l7codecs.message import Data, Event, Message
from l7codecs.protocol import Direction
from l7codecs.testing.replay import Outcome, place
from l7codecs.testing.vectors import Vector

__all__ = ["check_ends", "check_message", "check_octets", "check_said"]

_ASKING = (Kind.REQUEST, Kind.ONEWAY, Kind.HEARTBEAT)


def check_octets(outcome: Outcome, vector: Vector) -> None:
    """Every octet up to the end or the error belongs to exactly one event, and stands where the event says."""
    for sender in Sender:
        octets = vector.octets(sender)
        at = 0
        for event in outcome.events:
            if event.sender is not sender:
                continue
            here = place(event)
            assert event.offset == at, f"{vector.name}: {here} comes where octet {at} is due: " + (
                "octets between them belong to no event" if event.offset > at else "its offset is that of others"
            )
            raw = event.raw
            assert type(raw) is bytes, f"{vector.name}: raw of {here} is {type(raw).__name__}, not bytes"
            assert octets[at : at + len(raw)] == raw, (
                f"{vector.name}: raw of {here} is {raw[:60]!r}, not the octets {octets[at : at + len(raw)][:60]!r} that stand there"
            )
            at += len(raw)
        assert sender in outcome.errors or at == len(octets), (
            f"{vector.name}: octets {at} to {len(octets)} of the {sender.value} belong to no event"
        )


def check_said(outcome: Outcome, protocol: Protocol, name: str) -> None:
    """Every message says what a message may say."""
    for event in outcome.events:
        if isinstance(event, Message):
            check_message(event, protocol, name)


def check_message(message: Message, protocol: Protocol, name: str) -> None:
    """Types, widths and the schema."""
    here = f"of {place(message)} in {name}"
    before = message.raw
    own = protocol if message.protocol == protocol.name else get_protocol(message.protocol)
    assert type(message.kind) is Kind, f"kind {here} is {message.kind!r}, not a Kind"
    for field in ("service", "operation", "error"):
        value = getattr(message, field)
        assert value is None or type(value) is str, f"{field} {here} is {value!r}, not str or None"
    resources = message.resources
    assert type(resources) is tuple, f"resources {here} are {resources!r}, not a tuple"
    for resource in resources:
        assert type(resource) in (str, bytes), f"resources {here} have {resource!r}, not str or bytes"
    status = message.status
    assert status is None or type(status) is Status, f"status {here} is {status!r}, not a Status or None"
    assert isinstance(message.headers, Headers), f"headers {here} are {message.headers!r}, not Headers"
    for header, value in message.headers:
        right = type(value) in (str, bytes, bool, int) or (type(value) is float and isfinite(value))
        assert right, f"header {header} {here} is {value!r}, not str, bytes, bool, int or a finite float"
    assert type(message.payload) is bytes, f"payload {here} is {type(message.payload).__name__}, not bytes"
    size = message.size
    if message.more:
        assert size is None or size >= len(before), f"size {here} is {size}, less than its head of {len(before)} octets"
    else:
        assert size == len(before), f"size {here} is {size}, and raw has {len(before)} octets"
    _check_numbers(message, own, here)
    _check_outcome(message, here)
    _check_attributes(message, own, here)
    _check_shortcuts(message, here)
    assert message.raw == before, f"raw {here} is changed by reading it"


def _check_numbers(message: Message, own: Protocol, here: str) -> None:
    """The numbers of requests and streams have the width that the protocol declares."""
    for field, pairing in (("request_id", Pairing.ID), ("stream_id", Pairing.STREAM)):
        number = getattr(message, field)
        if number is None or not own.id_bits or own.pairing is not pairing:
            continue
        assert type(number) is int, f"{field} {here} is {number!r}, not int or None"
        assert -(1 << own.id_bits - 1) <= number < 1 << own.id_bits, (
            f"{field} {here} is {number}, wider than the {own.id_bits} bits of id_bits"
        )


def _check_outcome(message: Message, here: str) -> None:
    """An answer has an outcome. A request has none and answers nothing; its error says what is wrong with itself."""
    status, error, request = message.status, message.error, message.request
    if message.kind in _ASKING:
        assert status is None, f"status {here} is {status!r}: what asks has no outcome"
        assert request is None, f"request {here} is {request!r}: what asks answers nothing"
    if error is not None:
        assert error != "", f"error {here} is empty: None is the word for none"
        assert status is not Status.OK, f"status {here} is OK, and error {error!r}"
    if message.kind is Kind.RESPONSE:
        assert status is not None or message.more, f"status {here} is None: an answer has an outcome"
        if request is not None:
            assert request.sender is message.sender.other or request.kind is Kind.PUSH, (
                f"request {here} was sent by the same side, and is no push: {request!r}"
            )


def _check_attributes(message: Message, own: Protocol, here: str) -> None:
    """Every attribute stands in the schema, has its type, and comes in its direction."""
    attributes = dict(message.attributes)
    for key, value in attributes.items():
        attribute = own.schema.get(key)
        assert attribute is not None, f"attribute {key} {here} is not in the schema of {own.name}"
        assert attribute.accepts(value), (
            f"attribute {key} {here} is {value!r}, not {attribute.type_name} as in the schema"
        )
        direction = attribute.direction
        assert direction is Direction.BOTH or direction.value == message.sender.value, (
            f"attribute {key} {here} is one of the {direction.value} alone in the schema"
        )
    assert attributes.get("network.protocol.name") == message.protocol, (
        f"attribute network.protocol.name {here} is {attributes.get('network.protocol.name')!r}, not {message.protocol!r}"
    )
    assert dict(message.attributes) == attributes, f"attributes {here} are others when they are read again"


def _check_shortcuts(message: Message, here: str) -> None:
    """What a router asks for by itself is the same as what it is a part of."""
    resources = message.resources
    only = resources[0] if len(resources) == 1 else None
    assert message.resource == only, f"resource {here} is {message.resource!r}, and resources are {resources!r}"
    at = message.resource_at
    if at >= 0:
        placed = message.octets[at : at + message.resource_size]
        assert placed == only, f"resource_at {here} is {at}, where {placed!r} stands, and resource is {only!r}"
    access = message.attributes.get("l7.access")
    assert message.access == access, f"access {here} is {message.access!r}, and l7.access is {access!r}"


def check_ends(events: Iterable[Event], name: str) -> None:
    """What is announced with `more` comes to its end once, and an answer with its outcome; for conversations without an error."""
    open_heads: dict[Message, None] = {}
    for event in events:
        if isinstance(event, Data):
            head = event.message
            assert head.more, f"{name}: {place(event)} continues {place(head)}, which is not announced with more"
            assert head in open_heads, f"{name}: {place(event)} continues {place(head)}, which has ended: a stale head"
            if not event.more:
                del open_heads[head]
                assert head.kind is not Kind.RESPONSE or head.status is not None or event.status is not None, (
                    f"{name}: status of {place(head)} is None, to the end of its Data: an answer has an outcome"
                )
        elif isinstance(event, Message):
            if event.kind in (Kind.TRAILERS, Kind.RESET, Kind.GOAWAY):
                for head in [head for head in open_heads if _ends(event, head)]:
                    del open_heads[head]
            if event.more:
                open_heads[event] = None
    for head in open_heads:
        raise AssertionError(
            f"{name}: {place(head)} is announced with more, and nothing ends it: the last Data has more=False"
        )


def _ends(event: Message, head: Message) -> bool:
    if event.stream_id is None or event.stream_id != head.stream_id:
        return False
    if event.kind is Kind.RESET:
        return True
    if event.kind is Kind.TRAILERS and event.sender is head.sender:
        assert head.kind is not Kind.RESPONSE or head.status is not None or event.status is not None, (
            f"status of {place(head)} is None, and of {place(event)} as well: an answer has an outcome"
        )
        return True
    return False
