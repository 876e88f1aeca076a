"""Octets that no consumer sends, to providers of Dubbo: text of people, odd ids, events of every size, attachments of every form."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Sequence

from dubbo_stage import Stage

from l7codecs.testing import Recording, Relay


def frame(flags: int, status: int, number: int, body: bytes) -> bytes:
    """A message."""
    return struct.pack(">HBBQI", 0xDABB, flags, status, number, len(body)) + body


def text(value: str) -> bytes:
    """A short string of Hessian 2."""
    octets = value.encode()
    return (
        bytes([len(octets)]) + octets
        if len(octets) < 32
        else bytes([0x30 + (len(octets) >> 8), len(octets) & 255]) + octets
    )


def body(method: str, types: str, arguments: bytes, protocol: str = "2.0.2", attachments: bytes = b"\x48\x5a") -> bytes:
    """A request for the service."""
    words = (protocol, "l7codecs.peers.Shop", "0.0.0", method, types)
    return b"".join(map(text, words)) + arguments + attachments


HELLO = body("hello", "Ljava/lang/String;", text("raw"))
RAW: dict[str, Sequence[bytes]] = {
    "telnet": [b"GET / HTTP/1.1\r\n\r\n", b"status\r\n", frame(0xC2, 0, 1, HELLO), b"help\r\n" + frame(0xC2, 0, 2, HELLO)],
    "numbers": [frame(0xC2, 0, number, HELLO) for number in (0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)],
    "protocols": [
        frame(0xC2, 0, number, body("hello", "Ljava/lang/String;", text("raw"), protocol))
        for number, protocol in enumerate(("2.0.2", "2.0.1", "2.6.12", "2.7.23", "3.3.6"))
    ],
    "attachments": [
        frame(0xC2, 0, 1, body("hello", "Ljava/lang/String;", text("none"), attachments=b"")),
        frame(0xC2, 0, 2, body("hello", "Ljava/lang/String;", text("null"), attachments=b"N")),
        frame(0xC2, 0, 3, body("hello", "Ljava/lang/String;", text("typed"), attachments=b"M" + text("java.util.HashMap") + b"\1a\1bZ")),
        frame(0xC2, 0, 4, HELLO + b"!"),
    ],
    "heartbeats": [
        frame(0xE2, 0, 1, b"N"), frame(0xE2, 0, 2, b""), frame(0xE2, 0, 3, b"\4beat"), frame(0xA2, 0, 4, b"N"), frame(0xE2, 0, 5, b"N"),
    ],
    "serializations": [frame(0xD9, 0, 1, HELLO), frame(0xD7, 0, 2, HELLO), frame(0xC2, 63, 3, HELLO)],
}  # fmt: skip


def raw(stage: Stage, name: str, provider: str) -> Recording:
    """A conversation of `RAW`."""
    with Relay(("127.0.0.1", stage.port(provider))) as relay:
        with socket.create_connection((relay.host, relay.port), timeout=5) as connection:
            for octets in RAW[name]:
                connection.sendall(octets)
                connection.settimeout(1.0)
                with contextlib.suppress(TimeoutError):
                    while connection.recv(65536):
                        connection.settimeout(0.2)
        (recording,) = relay.wait_closed()
        return recording
