"""HTTP/1.1 as far as an upgrade to h2c needs it (RFC 7540 §3.2, which RFC 9113 §3.1 leaves to those that have it).

GET /path HTTP/1.1 CR LF … Upgrade: h2c CR LF HTTP2-Settings: … CR LF CR LF     becomes stream 1, half closed
HTTP/1.1 101 … CR LF CR LF                                                     then frames
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Final

from ._hpack import HeaderBlock, HpackDecoder

__all__ = ["as_block", "is_upgrade", "may_be_upgrade", "settings_of"]

_METHODS: Final = frozenset(b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE".split())
_DROPPED: Final = frozenset(
    (b"host", b"connection", b"upgrade", b"http2-settings", b"keep-alive", b"transfer-encoding", b"proxy-connection")
)


def may_be_upgrade(octets: bytes) -> bool:
    """Whether `octets` begin as a request of HTTP/1.1 does."""
    word = octets[:8].split(b" ", 1)
    return word[0] in _METHODS if len(word) > 1 else any(method.startswith(word[0]) for method in _METHODS)


def is_upgrade(head: bytes) -> bool:
    """Whether the head of a request of HTTP/1.1 asks for h2c."""
    lines = head.lower().split(b"\r\n")
    return (
        lines[0].endswith(b" http/1.1")
        and any(line.startswith(b"upgrade:") and b"h2c" in line for line in lines)
        and any(line.startswith(b"http2-settings:") for line in lines)
    )


def settings_of(head: bytes) -> dict[int, int]:
    """The client's settings in HTTP2-Settings, which 101 acknowledges (RFC 7540 §3.2.1); none if they are wrong."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"http2-settings":
            text = value.strip()
            try:
                octets = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
            except ValueError:
                return {}
            return {
                int.from_bytes(octets[at : at + 2], "big"): int.from_bytes(octets[at + 2 : at + 6], "big")
                for at in range(0, len(octets) - 5, 6)
            }
    return {}


def as_block(head: bytes) -> HeaderBlock:
    """The head of a request as the header block that it becomes; what is of HTTP/1.1's connection is left out."""
    lines = head.rstrip(b"\r\n").split(b"\r\n")
    method, _, rest = lines[0].partition(b" ")
    target = rest.rpartition(b" ")[0]
    fields = [(b":method", method), (b":scheme", b"http"), (b":path", target)]
    others: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name == b"host":
            fields.append((b":authority", value.strip()))
        elif name not in _DROPPED and name:
            others.append((name, value.strip()))
    octets = b"".join(_literal(name, value) for name, value in fields + others)
    return HpackDecoder(0, 1 << 24).decode(octets, 0, len(octets))


def _literal(name: bytes, value: bytes) -> bytes:
    """A literal without indexing (RFC 7541 §6.2.2)."""
    return b"\0" + _string(name) + _string(value)


def _string(octets: bytes) -> bytes:
    size = len(octets)
    if size < 127:
        return bytes([size]) + octets
    size -= 127
    prefix = bytearray(b"\x7f")
    while size >= 128:
        prefix.append(size & 127 | 128)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + octets
