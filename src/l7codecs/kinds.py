"""The words that events are told in: who has sent them, what they are for, how a request came out; and the types of their values."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Literal, TypeAlias

__all__ = ["Address", "AttrValue", "Kind", "RequestId", "Sender", "Status", "format_address"]

AttrValue: TypeAlias = (
    str | int | bool | bytes | tuple[str, ...] | tuple[int, ...] | tuple[bool, ...] | tuple[bytes, ...]
)
"""The value of one attribute: never a stringified number."""

RequestId: TypeAlias = int | str | bytes
"""What pairs an answer with its request: a number, or the text that a protocol has in its place."""

Address: TypeAlias = tuple[str, int]
"""Host (an IP address, or a name that the caller gave) and port."""


class Sender(Enum):
    """Who sent the octets."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Sender:
        return Sender.SERVER if self is Sender.CLIENT else Sender.CLIENT


class Kind(Enum):
    """What a message is for; the last three are of events that are no messages, so that one look tells all of them apart."""

    REQUEST = "request"
    """Asks for an answer."""
    ONEWAY = "oneway"
    """A request that gets no answer."""
    RESPONSE = "response"
    """Answers a request; ``request`` is None where that one was not seen."""
    PUSH = "push"
    """Sent by the server without being asked."""
    HEARTBEAT = "heartbeat"
    """A request whose only purpose is to be answered; see `Session.reply_heartbeat`."""
    CONTROL = "control"
    """Concerns the connection only: settings, window updates, empty lines."""
    TRAILERS = "trailers"
    """Ends a message whose head came before."""
    RESET = "reset"
    """Ends one stream early."""
    GOAWAY = "goaway"
    """The connection takes no new requests."""
    DATA = "data"
    """Of `Data`: further octets of a message."""
    GAP = "gap"
    """Of `Gap`: octets were lost."""
    OPAQUE = "opaque"
    """Of `Opaque`: octets that no codec claims."""


class Status(IntEnum):
    """The outcome of a request, as one of the 17 canonical codes of gRPC (google.rpc.Code).

    Every one of them is true, OK as well, whose number is 0: ``event.status and event.status.name`` is the word or None.
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    def __bool__(self) -> Literal[True]:
        return True


def format_address(address: Address) -> str:
    """``10.0.0.1:6379``, or ``[::1]:6379``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
