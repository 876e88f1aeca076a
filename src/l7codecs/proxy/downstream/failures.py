"""What a client is told where the engine answers in a server's place."""

from __future__ import annotations

from typing import Final

from l7codecs.kinds import Status
from l7codecs.message import Message
from l7codecs.proxy.exchange import Failure

__all__ = ["status_of", "text_of"]

_STATUS: Final = {
    Failure.NO_ROUTE: Status.UNIMPLEMENTED,
    Failure.REPLIED: Status.PERMISSION_DENIED,
    Failure.RATE_LIMITED: Status.RESOURCE_EXHAUSTED,
    Failure.NO_HOST: Status.UNAVAILABLE,
    Failure.CONNECT: Status.UNAVAILABLE,
    Failure.DEADLINE: Status.DEADLINE_EXCEEDED,
    Failure.RESET: Status.UNAVAILABLE,
    Failure.PROTOCOL: Status.INTERNAL,
    Failure.UNSUPPORTED: Status.UNIMPLEMENTED,
    Failure.OVERLOAD: Status.RESOURCE_EXHAUSTED,
    Failure.CLIENT_GONE: Status.CANCELLED,
    Failure.PLUGIN: Status.INTERNAL,
}
_TEXT: Final = {
    Failure.NO_ROUTE: "no route for",
    Failure.REPLIED: "refused:",
    Failure.RATE_LIMITED: "too many requests:",
    Failure.NO_HOST: "no host for",
    Failure.CONNECT: "no connection for",
    Failure.DEADLINE: "no answer in time to",
    Failure.RESET: "the connection was lost with",
    Failure.PROTOCOL: "the server broke the protocol:",
    Failure.UNSUPPORTED: "cannot be passed on:",
    Failure.OVERLOAD: "too much waits for",
    Failure.CLIENT_GONE: "the client has gone:",
    Failure.PLUGIN: "the plugin of its protocol failed at",
}
_NAME: Final = 200
"""Characters of a name that a text has."""


def status_of(failure: Failure) -> Status:
    """The outcome that a client is told."""
    return _STATUS[failure]


def text_of(failure: Failure, request: Message) -> str:
    """The text that a client is told."""
    name = request.operation or "a request"
    if request.service:
        name = f"{request.service}/{name}"
    return f"{_TEXT[failure]} {name[:_NAME]}"
