"""One request's life in the engine, from its first octet to the last of its answer: what observers are given.

It is written by the engine alone. What is not known yet, or does not exist, is None; times are seconds of `time.monotonic`.
"""

from __future__ import annotations

from enum import Enum

from mypy_extensions import i64, mypyc_attr

from l7codecs.kinds import Status
from l7codecs.message import Message
from l7codecs.routing.table import Rule

__all__ = ["Exchange", "Failure"]


class Failure(Enum):
    """Why a request has no answer of a server, or not a whole one."""

    NO_ROUTE = "no route"
    """No rule holds for it, or none that can send it anywhere."""
    REPLIED = "replied"
    """A rule has an answer of its own."""
    RATE_LIMITED = "rate limited"
    NO_HOST = "no host"
    """Its cluster has none."""
    CONNECT = "connect"
    """No connection to a host could be made in time."""
    DEADLINE = "deadline"
    """No answer in time."""
    RESET = "reset"
    """The connection to the host ended before the answer did."""
    PROTOCOL = "protocol"
    """The host broke the protocol."""
    UNSUPPORTED = "unsupported"
    """What the rule asks for cannot be done to it, or it cannot be sent on."""
    OVERLOAD = "overload"
    """More waits than there may be."""
    CLIENT_GONE = "client gone"
    """The client left before it had its answer."""
    PLUGIN = "plugin"
    """The plugin of its protocol raised what no plugin may; ``reason`` is what."""


@mypyc_attr(acyclic=True)
class Exchange:
    """One request and what came of it."""

    def __init__(self, listener: str, request: Message, started: float) -> None:
        self.listener = listener
        """The name of the listener that it came to."""
        self.request = request
        self.started = started
        """When its first octets were read."""
        self.ended: float = 0.0
        """When the last of its answer was given to the client's connection; of a one-way request, when the last of it was sent on."""
        self.rule: Rule | None = None
        self.cluster: str | None = None
        self.host: str | None = None
        """The address of the latest host that it was sent to."""
        self.attempts: i64 = 0
        """How often it was sent, to whatever host."""
        self.request_octets: i64 = request.stop - request.start
        """As they were received, `Data` included without the framing around each; so are those of the answer."""
        self.answer_octets: i64 = 0
        self.answer: Message | None = None
        """The first of what its server answered: its head, where it has one. None where it was answered here."""
        self.status: Status | None = None
        """The outcome, whoever said so; None of one-way requests, and where a protocol has none."""
        self.error: str | None = None
        """The protocol's own word for a failure, or the text that was answered here."""
        self.failure: Failure | None = None
        self.reason: str | None = None
        """What was the matter with the connection to a host that failed, or broke the protocol: for operators, not for clients."""

    @property
    def protocol(self) -> str:
        """The protocol's registered name."""
        return self.request.protocol

    @property
    def duration(self) -> float:
        """Seconds from the first octet of the request to the last of the answer; 0 while it has not ended."""
        return self.ended - self.started if self.ended else 0.0
