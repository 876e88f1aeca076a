"""Frames of Mux written anew: the tag, contexts, and the head of the message that is carried; nothing else changes."""

from __future__ import annotations

from typing import Final

from l7codecs import Changes, Unsupported
from l7codecs.pairing.numbering import put_number

from .._change.given import Given
from .._change.rewriting import changed as changed_message
from .frames import FRAGMENT, HEADER, TAG, TYPE, Dispatch
from .messages import MuxMessage

__all__ = ["MUX_TAG", "changed", "joined"]

MUX_TAG: Final = "mux.tag"
_MOST: Final = 0xFFFF


def changed(message: MuxMessage, changes: Changes) -> MuxMessage:
    """`message` with `changes`.

    Raises:
        Unsupported: it cannot be changed so.
        ValueError: it cannot say such a value.
    """
    attributes = dict(changes.attributes)
    tag = _tag(attributes.pop(MUX_TAG)) if MUX_TAG in attributes else None
    given = Given(Changes(attributes, set_headers=changes.set_headers, remove_headers=changes.remove_headers))
    put, removed = given.set, given.removed
    given.set, given.removed = {}, []
    made = message
    if attributes:
        carried = made.carried()
        if carried is None:
            raise Unsupported("what carries no message that is read has no name and no id")
        octets = changed_message(carried, given)
        assert octets is not None
        made = message.again(octets, message.more)
    if put or removed:
        made = made.again(_with_contexts(made, put, removed), made.more)
    if tag is not None:
        made = made.again(put_number(made.raw, int(HEADER if made.discards else TAG), 3, tag), made.more)
    return made


def joined(message: MuxMessage, octets: bytes) -> MuxMessage:
    """The message of which `octets` are all frames, as one frame."""
    at = 0
    bodies: list[bytes] = []
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 4], "big")
        bodies.append(octets[at + int(HEADER) : at + 4 + size])
        at += 4 + size
    body = b"".join(bodies)
    tag = message.tag & (FRAGMENT - 1)
    head = (len(body) + 4).to_bytes(4, "big") + octets[TYPE:TAG] + int(tag).to_bytes(3, "big")
    return message.again(head + body, False)


def _tag(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unsupported(f"{MUX_TAG} is a number, not {type(value).__name__}")
    if not 0 <= value < FRAGMENT:
        raise ValueError(f"{MUX_TAG} has 23 bits: {value}")
    return value


def _with_contexts(message: MuxMessage, put: dict[str, bytes], removed: list[str]) -> bytes:
    """`message` without the contexts `removed`, and with those of `put`."""
    parts: Dispatch = message.parts()
    if parts.contexts_stop == 0:
        raise Unsupported(f"{message.type_name} has no contexts that can be changed")
    waits = dict(put)
    said = b""
    count = 0
    for each in parts.contexts:
        value = waits.pop(each.name, None)
        if value is None and (each.name in removed or each.name in put):
            continue
        said += _sized(each.key) + _sized(each.value if value is None else value)
        count += 1
    for name, value in waits.items():
        said += _sized(name.encode()) + _sized(value)
        count += 1
    if count > _MOST:
        raise ValueError(f"{count} contexts: at most {_MOST}")
    said = count.to_bytes(2, "big") + said
    octets = message.octets
    grown = len(said) - int(parts.contexts_stop - parts.contexts_start)
    size = int.from_bytes(octets[message.start : message.start + 4], "big") + grown
    if size >= 1 << 31:
        raise ValueError(f"a frame of {size} octets")
    before = octets[message.start + 4 : parts.contexts_start]
    return size.to_bytes(4, "big") + before + said + octets[parts.contexts_stop : message.stop]


def _sized(octets: bytes) -> bytes:
    if len(octets) > _MOST:
        raise ValueError(f"a context of {len(octets)} octets: at most {_MOST}")
    return len(octets).to_bytes(2, "big") + octets
