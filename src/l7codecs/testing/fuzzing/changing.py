"""A message that is written anew, with another number or another value of an attribute, says that, and ends where its octets end.

One message of a conversation is taken, as a session gives it; the same conversation with its octets in place of it is decoded, up to it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from l7codecs import Changes, Protocol
from l7codecs.errors import LimitExceeded, ProtocolError, Unsupported
from l7codecs.kinds import Kind, Sender
from l7codecs.message import Message
from l7codecs.session import Session
from l7codecs.testing.fuzzing.reads import Read
from l7codecs.testing.replay import Outcome, place

__all__ = ["check_changed"]

_ASKS = frozenset((Kind.REQUEST, Kind.ONEWAY))
_TEXTS = ("x", "a-b.c", "n" * 130)


def check_changed(protocol: Protocol, reads: Sequence[Read], outcome: Outcome, seed: int) -> bool:
    """Raises AssertionError where a message of `outcome`, which `reads` came to, says something else once changed; whether one was."""
    chance = random.Random(seed)
    # What an answer says may follow from its request, whose number and words it has.
    asked = [each for each in outcome.events if isinstance(each, Message) and each.kind in _ASKS and not each.more]
    messages = [each for each in asked if each.operation is not None]
    if not messages:
        return False
    message = chance.choice(messages)
    number = chance.randrange(1 << protocol.id_bits) if protocol.id_bits else 0
    if chance.random() < 0.4 and message.request_id is not None and protocol.id_bits:
        return _check_number(protocol, reads, message, number)
    name, value = _attribute(protocol, message, chance)
    return value is not None and _check_attribute(protocol, reads, message, name, value)


def _attribute(protocol: Protocol, message: Message, chance: random.Random) -> tuple[str, str | None]:
    """One that `message` has and that can be changed, and another value of it."""
    known = message.attributes
    names = [
        each.name
        for each in protocol.attributes
        if each.changeable and each.type is str and not each.many and each.name in known
    ]
    return (chance.choice(names), chance.choice(_TEXTS)) if names else ("", None)


def _check_number(protocol: Protocol, reads: Sequence[Read], message: Message, number: int) -> bool:
    octets, own_number = message.renumbered(number), message.request_id
    same = message.renumbered(own_number % (1 << protocol.id_bits)) if isinstance(own_number, int) else None
    if octets is None or same is None or len(same) != len(message.raw):
        return False  # what an endpoint writes of it stands for nothing by itself: it is in a stream that is compressed
    here = f"{place(message)}, renumbered({number})"
    found = _decoded(protocol, reads, message, octets, here)
    if found is None:
        return False
    own = found.request_id
    said = (
        found.kind,
        found.operation,
        found.resources,
        own % (1 << protocol.id_bits) if isinstance(own, int) else own,
    )
    meant = (message.kind, message.operation, message.resources, number)
    assert said == meant, f"{here}, says {said}, where {meant} is meant: {octets[:60]!r}"
    return True


def _check_attribute(protocol: Protocol, reads: Sequence[Read], message: Message, name: str, value: str) -> bool:
    session = protocol.open()
    event = _told(session, [*_before(reads, message), Read(message.sender, message.raw)], message)
    if event is None:
        return False
    here = f"{place(message)}, sent with {name} = {value!r}"
    try:
        octets = session.send(event, Changes({name: value}))
    except (Unsupported, ValueError, LimitExceeded):
        return False
    except ProtocolError as error:
        raise AssertionError(f"{here}: send raises {error!r}") from error
    found = _decoded(protocol, reads, message, octets, here) if octets else None
    if found is None:
        return False
    said = found.attributes.get(name)
    # Words of a protocol may have one case, or be told by their first letters.
    meant = said and isinstance(said, str) and value.lower().startswith(said.lower())
    assert meant, f"{here}, says {said!r}: {octets[:60]!r}"
    assert found.kind is message.kind, f"{here}, is a {found.kind.value}, and was a {message.kind.value}"
    return True


def _told(session: Session, reads: Sequence[Read], message: Message) -> Message | None:
    """What `reads` say in the place of `message`; the other side may say what is wrong. None where nothing is said there.

    Raises:
        ProtocolError: the octets in that place are wrong.
    """
    wrong: set[Sender] = set()
    for sender, octets, *_ in reads:
        if sender in wrong:
            continue
        try:
            for event in session.receive(sender, octets):
                if (event.sender, event.offset) == (message.sender, message.offset) and isinstance(event, Message):
                    return event
        except ProtocolError:
            if sender is message.sender:
                raise
            wrong.add(sender)
    return None


def _decoded(protocol: Protocol, reads: Sequence[Read], message: Message, octets: bytes, here: str) -> Message | None:
    """The message that `octets` are, in the place of `message`; None where what comes stands for nothing by itself: a part of a stream."""
    session = protocol.open()
    try:
        found = _told(session, [*_before(reads, message), Read(message.sender, octets)], message)
    except ProtocolError as error:
        if session.keeps_books(message.sender):
            return None
        raise AssertionError(f"{here}: {error!r}, of {octets[:60]!r}") from error
    assert found is not None, f"{here}, is no message: {octets[:60]!r}"
    assert len(found.raw) == len(octets), f"{here}: {len(octets)} octets, of which it takes {len(found.raw)}"
    return found


def _before(reads: Sequence[Read], message: Message) -> Iterator[Read]:
    """What came before `message` was whole, without it."""
    stop = message.offset + len(message.raw)
    at = dict.fromkeys(Sender, 0)
    for sender, octets, *_ in reads:
        start = at[sender]
        at[sender] += len(octets)
        if sender is not message.sender or at[sender] <= message.offset:
            if octets:
                yield Read(sender, octets)
            continue
        part = octets[: max(message.offset - start, 0)]
        if part:
            yield Read(sender, part)
        if at[sender] >= stop:
            return
