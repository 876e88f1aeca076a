"""HTTP/1.1 as far as an upgrade to h2c needs it (RFC 7540 §3.2, which RFC 9113 §3.1 leaves to those that have it; RFC 9112).

GET /path HTTP/1.1 CR LF … Upgrade: h2c CR LF HTTP2-Settings: … CR LF CR LF     becomes stream 1
HTTP/1.1 101 … CR LF CR LF                                                     then frames

What a head says, once its lines are known; `_opening` reads them.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Final, final

from l7codecs import ProtocolError

from .._frames.settings import parse_settings
from .._hpack.decoder import HeaderBlock, HpackDecoder
from .._semantics.meaning import digits

__all__ = ["Head", "begins_upgrade", "is_upgrade", "may_be_upgrade", "parse_upgrade_settings"]

_SWITCHING: Final = b"HTTP/1.1 101 "
_METHODS: Final = frozenset(b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE".split())
_DROPPED: Final = frozenset(
    (b"host", b"connection", b"upgrade", b"http2-settings", b"keep-alive", b"transfer-encoding", b"proxy-connection")
)
_REQUEST_LINE: Final = re.compile(rb"([A-Z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.1\r\n")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n")
_FIELD_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
_SETTINGS: Final = re.compile(rb"[A-Za-z0-9_-]*={0,2}")


def may_be_upgrade(octets: bytes) -> bool:
    """Whether `octets` begin as a request of HTTP/1.1 does."""
    word = octets[:8].split(b" ", 1)
    return word[0] in _METHODS if len(word) > 1 else any(method.startswith(word[0]) for method in _METHODS)


def is_upgrade(octets: bytes) -> bool:
    """Whether `octets`, the head of a request of HTTP/1.1 with its empty line, ask for h2c."""
    try:
        return Head([line + b"\r\n" for line in octets[:-4].split(b"\r\n")], False, 0).upgrades
    except ProtocolError:
        return False


def begins_upgrade(octets: bytes, client: bool, limit: int) -> bool | None:
    """Whether `octets`, from where a connection is joined, begin with the request of HTTP/1.1 that upgrades it, or with its 101.

    None where they are too few to tell; a request of more than `limit` octets is taken for none.
    """
    if not client:
        return octets.startswith(_SWITCHING) or (None if _SWITCHING.startswith(octets) else False)
    if not may_be_upgrade(octets):
        return False
    end = octets.find(b"\r\n\r\n", 0, limit)
    if end < 0:
        return None if len(octets) < limit else False
    return is_upgrade(octets[: end + 4])


@final
class Head:
    """The head of a request or a response, of lines that end with CR LF. Raises `ProtocolError` with `offset` where it is none."""

    def __init__(self, lines: list[bytes], response: bool, offset: int) -> None:
        self._offset = offset
        first = (_STATUS_LINE if response else _REQUEST_LINE).fullmatch(lines[0])
        if first is None:
            expected = "a status line" if response else "a request line of HTTP/1.1"
            raise ProtocolError(offset, repr(lines[0][:40]), expected, "RFC 9112 §3")
        self.words = [bytes(word) for word in first.groups()]
        """Method and target; or the status."""
        self.fields: list[tuple[bytes, bytes]] = []
        for line in lines[1:]:
            match = _FIELD_LINE.fullmatch(line)
            if match is None:
                raise ProtocolError(offset, repr(line[:40]), "a field line", "RFC 9112 §5")
            self.fields.append((bytes(match[1]).lower(), bytes(match[2])))

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields of that name."""
        return [value for each, value in self.fields if each == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a list, in lower case."""
        return [token.strip().lower() for token in b",".join(self.values(name)).split(b",")]

    @property
    def upgrades(self) -> bool:
        """Whether it asks for h2c: with one HTTP2-Settings, else a server must not take it (RFC 7540 §3.2.1)."""
        return b"h2c" in self.tokens(b"upgrade") and len(self.values(b"http2-settings")) == 1

    @property
    def waits(self) -> bool:
        """Whether the client waits for 100 (Continue)."""
        return b"100-continue" in self.tokens(b"expect")

    def meet_expectation(self) -> None:
        """Leave out Expect: whoever answers 100 has met it (RFC 9110 §10.1.1), and a server behind would answer it a second time."""
        self.fields = [(name, value) for name, value in self.fields if name != b"expect"]

    def body_size(self) -> int:
        """Octets of the body of a request; -1 where it is chunked. Raises where two parsers could disagree (RFC 9112 §6.3)."""
        coding, sizes = self.tokens(b"transfer-encoding"), set(self.values(b"content-length"))
        if coding == [b""]:
            if not sizes:
                return 0
            size = digits(next(iter(sizes)))
            if len(sizes) == 1 and size >= 0:
                return size
        elif coding == [b"chunked"] and not sizes:
            return -1
        raise ProtocolError(self._offset, "a body of no certain size", "content-length or chunked", "RFC 9112 §6.3")

    def block(self) -> HeaderBlock:
        """The header block that it becomes; what is of HTTP/1.1's connection is left out (RFC 9113 §8.2.2)."""
        dropped = _DROPPED.union(self.tokens(b"connection"))
        if len(self.words) == 1:
            fields = [(b":status", self.words[0])]
        else:
            method, target = self.words
            authority = self.values(b"host")[:1]
            absolute = _ABSOLUTE.fullmatch(target)
            if absolute is not None:
                authority, target = [bytes(absolute[1])], bytes(absolute[2])
                if not target.startswith(b"/"):
                    target = b"/" + target
            fields = [(b":method", method), (b":scheme", b"http"), (b":path", target)]
            fields += [(b":authority", value) for value in authority]
        for name, value in self.fields:
            if name not in dropped and (name != b"te" or value == b"trailers"):
                fields.append((name, value))
        octets = b"".join([_literal(name, value) for name, value in fields])
        return HpackDecoder(0, 1 << 24).decode(octets, 0, len(octets))


def parse_upgrade_settings(value: bytes, offset: int) -> dict[int, int]:
    """The client's settings in HTTP2-Settings, which 101 acknowledges (RFC 7540 §3.2.1). Raises `ProtocolError` with `offset`."""
    text = value.rstrip(b"=")
    if _SETTINGS.fullmatch(value) is None or len(text) % 4 == 1:
        raise ProtocolError(offset, "HTTP2-Settings that are not base64url", "SETTINGS", "RFC 7540 §3.2.1")
    octets = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return parse_settings(octets, 0, len(octets), offset)


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
