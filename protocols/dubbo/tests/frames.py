"""Frames as `construct` describes them, and bodies put together octet by octet: nothing here is read or written by the room itself."""

from __future__ import annotations

from typing import Any

from construct import (
    BitsInteger,
    BitStruct,
    Byte,
    Bytes,
    Const,
    Flag,
    Int32ub,
    Int64ub,
    Rebuild,
    Struct,
    len_,
    this,
)

from l7codecs import Sender

__all__ = [
    "FRAME",
    "JSONB",
    "C",
    "S",
    "answer",
    "body",
    "call",
    "exception",
    "frame",
    "heartbeat",
    "integer",
    "mapping",
    "string",
]

C, S = Sender.CLIENT, Sender.SERVER
HESSIAN, JSONB = 2, 23
NULL = b"N"

FRAME = Struct(
    "magic" / Const(b"\xda\xbb"),
    "flags"
    / BitStruct(
        "request" / Flag,
        "two_way" / Flag,
        "event" / Flag,
        "serialization" / BitsInteger(5),
    ),
    "status" / Byte,
    "id" / Int64ub,
    "size" / Rebuild(Int32ub, len_(this.body)),
    "body" / Bytes(this.size),
)
"""The header a second time: what `l7codecs_dubbo._wire.header` says, told to another library."""


def frame(
    number: int,
    body: bytes,
    *,
    request: bool = False,
    two_way: bool = False,
    event: bool = False,
    serialization: int = HESSIAN,
    status: int = 0,
) -> bytes:
    flags = {"request": request, "two_way": two_way, "event": event, "serialization": serialization}
    built: bytes = FRAME.build({"flags": flags, "status": status, "id": number % (1 << 64), "body": body})
    return built


# Hessian 2, of what is short.


def string(text: str | None) -> bytes:
    if text is None:
        return NULL
    octets = text.encode("utf-16-be", "surrogatepass")
    units = [octets[at : at + 2].decode("utf-16-be", "surrogatepass") for at in range(0, len(octets), 2)]
    size = len(units)
    assert size < 0x10000
    raw = "".join(units).encode("utf-8", "surrogatepass")
    if size < 0x20:
        return bytes([size]) + raw
    return (bytes([0x30 + (size >> 8), size & 0xFF]) if size < 0x400 else b"S" + size.to_bytes(2, "big")) + raw


def integer(value: int) -> bytes:
    return bytes([0x90 + value]) if -16 <= value <= 47 else b"I" + value.to_bytes(4, "big", signed=True)


def mapping(pairs: dict[str, bytes | str]) -> bytes:
    """An untyped map; values are octets, or strings."""
    entries = [string(key) + (value if isinstance(value, bytes) else string(value)) for key, value in pairs.items()]
    return b"H" + b"".join(entries) + b"Z"


def body(
    service: str | None = "com.acme.Orders",
    method: str | None = "place",
    types: str = "Ljava/lang/String;",
    arguments: bytes = b"\x04book",
    attachments: bytes | None = None,
    version: str | None = "1.2.3",
    protocol: str | None = "2.0.2",
) -> bytes:
    head = string(protocol) + string(service) + string(version) + string(method) + string(types)
    if attachments is None:
        attachments = mapping({"path": service or "", "interface": service or "", "version": version or "0.0.0"})
    return head + arguments + attachments


def call(number: int, *, two_way: bool = True, **said: Any) -> bytes:
    """A request of a method."""
    return frame(number, body(**said), request=True, two_way=two_way)


def answer(
    number: int, value: bytes | None = b"\x02ok", attachments: bytes | None = b"H\x05dubbo\x052.0.2Z", kind: int = -1
) -> bytes:
    """An answer of status 20: a value, or null where that is None."""
    if kind < 0:
        kind = (1 if value is not None else 2) + (0 if attachments is None else 3)
    return frame(number, integer(kind) + (value or b"") + (attachments or b""), status=20)


def failure(number: int, status: int, text: str) -> bytes:
    return frame(number, string(text), status=status)


def heartbeat(number: int, body: bytes = NULL, *, serialization: int = HESSIAN, two_way: bool = True) -> bytes:
    return frame(number, body, request=True, two_way=two_way, event=True, serialization=serialization)


def beaten(number: int, body: bytes = NULL, *, serialization: int = HESSIAN) -> bytes:
    return frame(number, body, event=True, status=20, serialization=serialization)


def exception(name: str, message: str | None, frames: int = 2) -> bytes:
    """An exception as Java writes one: its stack frames stand before the message, and without a cause it is its own."""
    thrown = b"C" + string(name) + integer(4)
    thrown += b"".join(map(string, ("suppressedExceptions", "stackTrace", "cause", "detailMessage"))) + b"\x60"
    thrown += b"\x70" + string("java.util.Collections$EmptyList")
    element = b""
    for number in range(frames):
        if number == 0:
            fields = ("format", "lineNumber", "fileName", "methodName", "declaringClass", "moduleVersion", "moduleName",
                      "classLoaderName")  # fmt: skip
            element += b"C" + string("java.lang.StackTraceElement") + integer(8) + b"".join(map(string, fields))
        element += b"\x61" + integer(1) + integer(number) + string("Orders.java") + string("place")
        element += string("com.acme.Orders") + NULL + NULL + string("app")
    thrown += b"V" + string("[java.lang.StackTraceElement") + integer(frames) + element
    return thrown + b"Q" + integer(0) + string(message)


# fastjson2.


def jsonb(value: bytes) -> bytes:
    """One value of a body: its size, and the value."""
    return len(value).to_bytes(4, "big") + value


def jsonb_string(text: str) -> bytes:
    """A short string of ASCII."""
    octets = text.encode("ascii")
    return bytes([0x49 + len(octets)]) + octets if len(octets) < 48 else b"\x79\x38" + bytes([len(octets)]) + octets
