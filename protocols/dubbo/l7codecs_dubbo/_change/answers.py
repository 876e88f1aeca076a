"""Answers that are made here: to a call an error, which is a status with a text or an exception; to a heartbeat that all is well.

They are in the serialization of what they answer. Where that is not written here, or has no exceptions that a consumer reads (fastjson,
gson), they are in Hessian 2, which every Dubbo reads: a message says its serialization for itself, and providers answer so as well.

A consumer retries what failed with a status (`RemotingException`), and gives a time-out to its caller (`TimeoutException`); an exception
in the body is the call's result, which is not tried again.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Kind, Limits, Sender, Status, Unsupported
from l7codecs.message import Flow

from .._body.hessian2 import HESSIAN2
from .._body.table import BODIES
from .._wire.events import READ_ONLY, DubboEvent
from .._wire.header import EVENT, MAGIC, REQUEST, SERIALIZATION
from .._wire.requests import DubboRequest
from .._wire.responses import DubboResponse
from .._wire.statuses import OK

__all__ = ["RPC_EXCEPTION", "error_reply", "exception_reply", "heartbeat_reply", "read_only", "supports_attachments"]

RPC_EXCEPTION: Final = "org.apache.dubbo.rpc.RpcException"
"""What Dubbo itself throws; consumers of 2.7 and 3.x have it."""

_CODES: Final[dict[Status, int]] = {
    Status.DEADLINE_EXCEEDED: 31,
    Status.CANCELLED: 31,
    Status.UNAVAILABLE: 35,
    Status.INVALID_ARGUMENT: 40,
    Status.OUT_OF_RANGE: 40,
    Status.FAILED_PRECONDITION: 40,
    Status.NOT_FOUND: 60,
    Status.UNIMPLEMENTED: 60,
    Status.INTERNAL: 80,
    Status.DATA_LOSS: 80,
    Status.RESOURCE_EXHAUSTED: 100,
}
_OTHER: Final = 70
"""SERVICE_ERROR: the service was found, and failed."""

_LOWEST: Final = 2_000_200
_HIGHEST: Final = 2_009_900
"""2.0.2 and 2.0.99 (`Version.isSupportResponseAttachment`)."""


def error_reply(request: DubboRequest, status: Status, text: str, offset: i64) -> DubboResponse:
    """The answer to `request` of another status than 20, with `text`; it is at `offset` of its direction.

    Raises `Unsupported` where no answer is expected.
    """
    if status is Status.OK:
        raise ValueError("an error needs a status other than OK")
    _check(request)
    for body in (request.body(), BODIES[HESSIAN2]):
        octets = body.write_text(_whole(text))
        if octets is not None:
            return _answer(request, body.number, _CODES.get(status, _OTHER), octets, offset)
    raise AssertionError("Hessian 2 has texts")


def exception_reply(request: DubboRequest, name: str, message: str, offset: i64) -> DubboResponse:
    """The answer to `request` that it threw an exception of the Java class `name`; it is at `offset` of its direction."""
    if not name or not all(part.isidentifier() for part in name.replace("$", "_").split(".")):
        raise ValueError(f"no name of a Java class: {name!r}")
    _check(request)
    attached = supports_attachments(request.dubbo_version)
    for body in (request.body(), BODIES[HESSIAN2]):
        octets = body.write_exception(name, _whole(message), attached)
        if octets is not None:
            return _answer(request, body.number, OK, octets, offset)
    raise AssertionError("Hessian 2 has exceptions")


def heartbeat_reply(heartbeat: DubboEvent, offset: i64) -> DubboEvent:
    """The answer to `heartbeat`: null in its serialization; where that is not written here, what the heartbeat says, which is the same."""
    octets = heartbeat.body().write_null()
    if octets is None:
        if heartbeat.more:
            raise Unsupported("a heartbeat of so many octets is not answered")
        octets = heartbeat.payload
    flags = EVENT | heartbeat.serialization_id
    raw = _framed(flags, OK, heartbeat.request_id, octets)
    made = DubboEvent(
        heartbeat.flow, heartbeat.sender.other, Kind.RESPONSE, offset, raw, 0, len(raw), False, flags, OK, heartbeat.number,
        heartbeat.limits,
    )  # fmt: skip
    made.request = heartbeat
    return made


def read_only(flow: Flow, limits: Limits, offset: i64) -> DubboEvent:
    """What a provider says that shuts down: the read-only event, in Hessian 2, which every consumer takes. Nobody answers it."""
    flags = REQUEST | EVENT | HESSIAN2
    text = BODIES[HESSIAN2].write_text(READ_ONLY)
    assert text is not None
    raw = _framed(flags, 0, 0, text)
    return DubboEvent(flow, Sender.SERVER, Kind.GOAWAY, offset, raw, 0, len(raw), False, flags, 0, 0, limits)


def supports_attachments(version: str | None) -> bool:
    """Whether a consumer that says this version of the protocol reads attachments of answers."""
    if not version:
        return False
    parts = version.split(".")
    while parts and not parts[-1]:
        parts.pop()
    number = 0
    for part in parts:
        number = number * 100 + _leading(part)
        if number > _HIGHEST:
            return False
    return _LOWEST <= (number * 100 if len(parts) == 3 else number) <= _HIGHEST


def _leading(part: str) -> int:
    """The number with which `part` begins; 0 where it does not."""
    digits = ""
    for character in part[:10]:
        if not "0" <= character <= "9":
            break
        digits += character
    return int(digits or "0")


def _check(request: DubboRequest) -> None:
    if request.kind is not Kind.REQUEST:
        raise Unsupported("a one-way call expects no answer")


def _whole(text: str) -> str:
    """`text` without halves of surrogate pairs."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _framed(flags: i64, status: i64, number: int, body: bytes) -> bytes:
    head = MAGIC + bytes((int(flags), int(status))) + number.to_bytes(8, "big")
    return head + len(body).to_bytes(4, "big") + body


def _answer(request: DubboRequest, serialization: i64, status: i64, body: bytes, offset: i64) -> DubboResponse:
    flags = serialization & SERIALIZATION
    raw = _framed(flags, status, request.request_id, body)
    made = DubboResponse(
        request.flow, request.sender.other, Kind.RESPONSE, offset, raw, 0, len(raw), False, flags, status, request.number,
        request.limits,
    )  # fmt: skip
    made.request = request
    return made
