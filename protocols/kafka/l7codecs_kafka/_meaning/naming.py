"""All topics of a message: by their names, or by their ids and what is known of those.

A topic is named by its name, by its id, or by either of both in one struct, of which one is null or zero: there the name counts.
Configurations and literal ACLs name it as a resource of type 2. Members of classic groups name it in what they tell each other.
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from l7codecs import ProtocolError
from l7codecs.message import Flow

from .._schema.layouts import (
    PATTERN_TYPE,
    PROTOCOL_TYPE,
    RESOURCE_NAME,
    RESOURCE_TYPE,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_ID,
    Layout,
)
from .._schema.names import names
from .._schema.walk import Found, pick
from .members import MEMBERS, add_topics, consumers_say
from .topic_ids import NO_TOPIC, topic_text
from .topics import Topics

__all__ = ["TopicKey", "has_all_topics", "has_topics", "known_topics", "learn_names", "topic_keys", "topic_names"]

TopicKey = str | bytes
"""A topic as a message names it: its name, or the 16 octets of its id."""

_NAMED: Final[i64] = TOPIC | TOPIC_ID | RESOURCE_NAME | RESOURCE_TYPE | PATTERN_TYPE | MEMBERS
_EITHER: Final[i64] = TOPIC | TOPIC_ID
_TOPIC_RESOURCE: Final = 2
_PREFIXED: Final = 4
_FEW: Final[i64] = 8
"""Topics that are compared one by one, which costs less than a dict."""

_beside: Final[dict[Layout, dict[int, int]]] = {}
"""By layout, and in it by the number of a field that is an id: that of the name in the same struct."""


def topic_keys(
    layout: Layout, octets: bytes, start: i64, end: i64, partial: bool, consumers: bool = True
) -> list[TopicKey]:
    """Every topic that the body names, each once, in the order of the wire. Raises ProtocolError where it cannot be read.

    `consumers`: whether members of a classic group, of which it does not say the protocol type, may be consumers.
    """
    wanted: i64 = layout.has & _NAMED
    if wanted == 0:
        return []
    if not partial and wanted & ~_EITHER == 0:
        plain = names(layout, octets, start, end, wanted)
        if plain is not None:
            return plain if len(plain) < 2 else _each_once(plain)
    if wanted & MEMBERS != 0:
        wanted |= PROTOCOL_TYPE & layout.has
    found = pick(layout, octets, start, end, wanted, partial=partial)
    keys: dict[TopicKey, None] = {}
    beside = names_beside(layout) if wanted & _EITHER == _EITHER else None
    resource_type = 0
    count = found.count
    at: i64 = 0
    while at < count:
        role = found.role(at)
        if role == TOPIC:
            if found.starts(at) >= 0:
                keys[found.text(at)] = None
        elif role == TOPIC_ID:
            if not found.is_blank(at) and not _is_named(found, at, count, beside):
                topic = found.octets_of(at)
                if topic is not None:
                    keys[topic] = None
        elif role == RESOURCE_TYPE:
            resource_type = found.number(at)
        elif role == RESOURCE_NAME:
            prefixed = at + 1 < count and found.role(at + 1) == PATTERN_TYPE and found.number(at + 1) == _PREFIXED
            if resource_type == _TOPIC_RESOURCE and not prefixed and found.starts(at) >= 0:
                keys[found.text(at)] = None
        elif role == PROTOCOL_TYPE:
            consumers = consumers_say(found, at, consumers)
        elif role & MEMBERS != 0 and consumers:
            add_topics(keys, found.octets_of(at), role == SUBSCRIPTION)
        at += 1
    return list(keys)


def has_all_topics(layout: Layout, octets: bytes, start: i64, end: i64) -> bool:
    """Whether a body of which only the octets up to `end` are there names no topic behind them; also where it cannot be read."""
    try:
        return pick(layout, octets, start, end, layout.has & _NAMED, False, True).complete
    except ProtocolError:
        return True


def _each_once(keys: list[TopicKey]) -> list[TopicKey]:
    """The same without what comes again."""
    count: i64 = len(keys)
    if count > _FEW:
        return list(dict.fromkeys(keys))
    at: i64 = 1
    while at < count:
        key = keys[at]
        before: i64 = 0
        while before < at and keys[before] != key:
            before += 1
        if before < at:
            break
        at += 1
    if at == count:  # nothing does
        return keys
    once: list[TopicKey] = []
    for key in keys:
        if key not in once:
            once.append(key)
    return once


def names_beside(layout: Layout) -> dict[int, int]:
    """By the number of each field that is an id: that of the name in the same struct, where there is one."""
    found = _beside.get(layout)
    if found is None:
        found = {}
        names = {
            each.path.rpartition(".")[0]: each.number for each in layout.all if each.role == TOPIC and not each.array
        }
        for field in layout.all:
            name = names.get(field.path.rpartition(".")[0])
            if field.role == TOPIC_ID and not field.array and name is not None:
                found[field.number] = name
        _beside[layout] = found
    return found


def name_of(found: Found, at: i64, count: i64, beside: dict[int, int]) -> i64:
    """The entry of the name that stands beside the id at entry `at`; -1 where there is none."""
    number = beside.get(found.field(at).number)
    if number is None:
        return -1
    if at + 1 < count and found.field(at + 1).number == number and number > found.field(at).number:
        return at + 1
    if at > 0 and found.field(at - 1).number == number and number < found.field(at).number:
        return at - 1
    return -1


def _is_named(found: Found, at: i64, count: i64, beside: dict[int, int] | None) -> bool:
    """Whether the id at entry `at` has its name beside it."""
    if not beside:
        return False
    name = name_of(found, at, count, beside)
    return name >= 0 and found.starts(name) >= 0


def topic_names(keys: list[TopicKey], flow: Flow, reached: i64) -> tuple[str, ...]:
    """What the topics are called, as far as that was known in the connection of `flow` when `reached` names were, each once."""
    count: i64 = len(keys)
    at: i64 = 0
    while at < count and isinstance(keys[at], str):
        at += 1
    if at == count:  # as most are
        return cast("tuple[str, ...]", tuple(keys))
    names: list[str] = []
    if reached == 0:  # nothing was known
        for key in keys:
            names.append(key if isinstance(key, str) else topic_text(key))
        return tuple(names)
    topics: Topics | None = None
    for key in keys:
        if isinstance(key, str):
            names.append(key)
            continue
        if topics is None:
            topics = known_topics(flow)
        names.append(topic_text(key) if topics is None else topics.name(key, reached))
    return tuple(names) if topics is None or len(names) < 2 else tuple(dict.fromkeys(names))


def known_topics(flow: Flow) -> Topics | None:
    """What is known of topics in the connection of `flow`."""
    memory = flow.memory
    return memory if isinstance(memory, Topics) else None


def has_topics(layout: Layout) -> bool:
    """Whether such a body may name topics."""
    return layout.has & _NAMED != 0


def learn_names(topics: Topics, layout: Layout, octets: bytes, start: i64, end: i64, partial: bool) -> None:
    """Learn which ids the body gives to which names. Raises ProtocolError where it cannot be read."""
    if layout.has & _EITHER != _EITHER:
        return
    beside = names_beside(layout)
    if not beside:
        return
    found = pick(layout, octets, start, end, _EITHER, partial=partial)
    count: i64 = len(found)
    at: i64 = 0
    while at < count:
        if found.role(at) == TOPIC_ID:
            name = name_of(found, at, count, beside)
            topic = found.octets_of(at)
            if name >= 0 and found.starts(name) >= 0 and topic is not None and topic != NO_TOPIC:
                topics.learn(topic, found.text(name))
        at += 1
