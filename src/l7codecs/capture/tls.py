"""Whether a direction begins with a handshake of TLS (RFC 8446 §5.1, §4).

    type=22(8) version=0x0300..0x0304(16) length(16)    type=1 ClientHello, 2 ServerHello (8)    …

No protocol that starts with a length makes one of 0x160300xx octets, so six octets are proof.
"""

from __future__ import annotations

__all__ = ["begins_tls"]

_LARGEST = 16_384
"""Octets of a record in the clear."""


def begins_tls(octets: bytes) -> bool | None:
    """Whether `octets`, the first of a direction, begin a handshake; None where they are too few to tell."""
    if not b"\x16\x03".startswith(octets[:2]):
        return False
    if len(octets) >= 3 and octets[2] > 4:
        return False
    if len(octets) >= 5 and not 4 <= int.from_bytes(octets[3:5], "big") <= _LARGEST:
        return False
    return octets[5] in (1, 2) if len(octets) >= 6 else None
