"""What is timed of Thrift: each class is one side of a row, and a call returns what it found in all messages of a round.

thriftpy2's side reads one stream through its own transport in Cython; Apache's reads each message from a buffer of its own. Ours finds the
messages in the octets of the reads, in a session that is opened for each round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import thriftpy2.protocol.compact
from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer
from thriftpy2.protocol.cybin import TCyBinaryProtocol
from thriftpy2.transport.framed import TCyFramedTransport
from thriftpy2.transport.memory import TCyMemoryBuffer

import l7codecs
from l7codecs import Sender

from .thrift_octets import PATH, SERVICE

__all__ = [
    "ApacheCompact",
    "ApacheWhole",
    "CyHeads",
    "CySkips",
    "CyWhole",
    "OurHeads",
    "OurPicks",
    "PyCompact",
]

Head = tuple[object, object, object]
CLIENT: Final = Sender.CLIENT

Receive = Callable[[Sender, bytes], Iterator[Any]]


class OurHeads:
    """l7codecs: method, type and sequence id of each message."""

    def __call__(self, chunks: Sequence[bytes]) -> list[Head]:
        receive: Receive = l7codecs.open_session("thrift").receive
        found: list[Head] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append((event.operation, event.message_type, event.request_id))
        return found


class OurPicks:
    """l7codecs: one field by its path."""

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = l7codecs.open_session("thrift").receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append(event.pick(*PATH))
        return found


class CyHeads:
    """thriftpy2: the head of each frame."""

    def __call__(self, frames: Sequence[bytes]) -> list[Head]:
        found: list[Head] = []
        for frame in frames:
            protocol = TCyBinaryProtocol(TCyFramedTransport(TCyMemoryBuffer(frame)))
            found.append(protocol.read_message_begin())
        return found


class CySkips:
    """thriftpy2: the head of each message, and its fields passed over."""

    def __call__(self, messages: Sequence[bytes]) -> list[Head]:
        protocol = TCyBinaryProtocol(TCyMemoryBuffer(b"".join(messages)))
        found: list[Head] = []
        for _ in messages:
            found.append(protocol.read_message_begin())
            protocol.skip(TType.STRUCT)
        return found


class CyWhole:
    """thriftpy2: each message decoded; one field of it."""

    def __call__(self, messages: Sequence[bytes]) -> list[object]:
        protocol = TCyBinaryProtocol(TCyMemoryBuffer(b"".join(messages)))
        found: list[object] = []
        for _ in messages:
            protocol.read_message_begin()
            arguments = SERVICE.echo_args()
            protocol.read_struct(arguments)
            protocol.read_message_end()
            found.append(arguments.a.far)
        return found


class PyCompact:
    """thriftpy2's compact protocol: heads, and fields passed over where there is no frame to tell their end."""

    def __init__(self, framed: bool) -> None:
        self._framed = framed

    def __call__(self, messages: Sequence[bytes]) -> list[Head]:
        found: list[Head] = []
        for message in messages:
            protocol = thriftpy2.protocol.compact.TCompactProtocol(thriftpy2.transport.TMemoryBuffer(message))
            found.append(protocol.read_message_begin())
            if not self._framed:
                protocol.skip(TType.STRUCT)
        return found


class ApacheCompact:
    """Apache's compact protocol, of Python: as `PyCompact`, with fields read, for it cannot pass over octets that are no text."""

    def __init__(self, framed: bool) -> None:
        self._framed = framed

    def __call__(self, messages: Sequence[bytes]) -> list[Head]:
        found: list[Head] = []
        for message in messages:
            protocol = TCompactProtocol.TCompactProtocol(TMemoryBuffer(message))
            found.append(protocol.readMessageBegin())
            if not self._framed:
                protocol.readStruct(_Arguments(), _Arguments.thrift_spec)
        return found


class ApacheWhole:
    """Apache's accelerated binary protocol: each message decoded."""

    def __call__(self, messages: Sequence[bytes]) -> list[Head]:
        found: list[Head] = []
        for message in messages:
            protocol = TBinaryProtocol.TBinaryProtocolAccelerated(TMemoryBuffer(message), fallback=False)
            found.append(protocol.readMessageBegin())
            arguments = _Arguments()
            protocol._fast_decode(arguments, protocol, [_Arguments, _Arguments.thrift_spec])
            assert arguments.a.far == "far"
        return found


def _spec(*fields: tuple[int, int, str, object]) -> tuple[object, ...]:
    """What Apache's compiler writes of a struct's fields."""
    found: list[object] = [None] * (max(each[0] for each in fields) + 1)
    for number, kind, name, more in fields:
        found[number] = (number, kind, name, more, None)
    return tuple(found)


class _All:
    """A struct as Apache's compiler writes it."""

    far = ""
    thrift_spec = _spec(
        (1, TType.BOOL, "t", None),
        (2, TType.BOOL, "f", None),
        (3, TType.BYTE, "b", None),
        (4, TType.I16, "s", None),
        (5, TType.I32, "i", None),
        (6, TType.I64, "l", None),
        (7, TType.DOUBLE, "d", None),
        (8, TType.STRING, "str", "UTF8"),
        (9, TType.STRING, "bin", "BINARY"),
        (10, TType.LIST, "bools", (TType.BOOL, None, False)),
        (11, TType.MAP, "empty", (TType.STRING, "UTF8", TType.I32, None, False)),
        (12, TType.MAP, "m", (TType.I32, None, TType.STRING, "UTF8", False)),
        (13, TType.SET, "st", (TType.I64, None, False)),
        (14, TType.I32, "c", None),
        (15, TType.LIST, "ll", (TType.LIST, (TType.I32, None, False), False)),
        (16, TType.LIST, "many", (TType.STRING, "UTF8", False)),
        (40, TType.STRING, "far", "UTF8"),
        (300, TType.BOOL, "farbool", None),
    )

    def read(self, protocol: Any) -> None:
        protocol.readStruct(self, self.thrift_spec)


class _Arguments(_All):
    """The arguments of the call."""

    a = _All()
    thrift_spec = _spec((1, TType.STRUCT, "a", [_All, _All.thrift_spec]))
