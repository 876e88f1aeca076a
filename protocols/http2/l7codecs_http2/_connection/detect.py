"""Is this HTTP/2, and what does it carry? The client's preface is certain; the first request tells whether its stream is gRPC or Triple."""

from __future__ import annotations

from typing import Final

from mypy_extensions import u8

from l7codecs import Detection, ProtocolError, Sender, Verdict

from .._frames.boundary import agree, plausible_header
from .._frames.frames import HEADER_SIZE, PREFACE
from .._hpack.decoder import HeaderBlock, HpackDecoder
from .._hpack.static_table import well_known
from .._semantics.names import METHOD
from .._semantics.spoken import CONNECT, CONNECT_STREAM, GRPC, GRPC_WEB, TRIPLE, TRIPLE_HTTP, spoken
from .upgrade import is_upgrade, may_be_upgrade

__all__ = ["detect_connect", "detect_grpc", "detect_grpc_web", "detect_http2", "detect_triple"]

_NO: Final = Detection(Verdict.NO)
_EMPTY: Final = HeaderBlock([], 0, 0, 0, False)
_JOINED: Final = 45
"""A frame has no magic: less than any structure that was checked."""
_SCHEME: Final = well_known(":scheme")
_SWITCHES: Final = b"HTTP/1.1 101 "
_SETTINGS: Final = b"\4\0\0\0\0\0"
"""Type, flags and stream of the server's first frame."""
_FRAMES: Final = 16
"""Frames before the first request that are looked at."""


def detect_http2(client: bytes, server: bytes) -> Detection:
    """YES for the preface, for a request of HTTP/1.1 that upgrades, and for frames that reach a request which makes sense by itself."""
    if client.startswith(PREFACE):
        return Detection(Verdict.YES, 90, "the client's connection preface")
    if not client:
        return Detection(Verdict.MORE, 95 if server and _begins(server) else 90, "", Sender.CLIENT)
    if PREFACE.startswith(client):
        return Detection(Verdict.MORE, 90, "the beginning of the preface", Sender.CLIENT)
    if may_be_upgrade(client):
        line = client.find(b"\n")
        end = client.find(b"\r\n\r\n")
        if line >= 0 and not client[:line].endswith(b" HTTP/1.1\r"):
            return _NO
        if end < 0:
            return Detection(Verdict.MORE, 80, "a request of HTTP/1.1", Sender.CLIENT)
        if is_upgrade(client[: end + 4]):
            return Detection(Verdict.YES, 80, "a request of HTTP/1.1 that upgrades to h2c")
        return _NO
    block = _first_request(client, 0)
    if block is None:
        return Detection(Verdict.MORE, _JOINED, "what may be a frame", Sender.CLIENT)
    if sum(1 for field in block.fields if field.known) < 2:
        return _NO
    return Detection(Verdict.YES, _JOINED, "frames of a connection under way, and a request whose headers are known")


def detect_grpc(client: bytes, server: bytes) -> Detection:
    """YES for the preface and a first request of gRPC that is not Triple."""
    return _of_first_request(client, server, "gRPC", GRPC, GRPC)


def detect_grpc_web(client: bytes, server: bytes) -> Detection:
    """YES for the preface and a first request of gRPC-Web."""
    return _of_first_request(client, server, "gRPC-Web", GRPC_WEB, GRPC_WEB)


def detect_connect(client: bytes, server: bytes) -> Detection:
    """YES for the preface and a first request of Connect, unary or not."""
    return _of_first_request(client, server, "Connect", CONNECT, CONNECT_STREAM)


def detect_triple(client: bytes, server: bytes) -> Detection:
    """YES for the preface and a first request of Triple."""
    return _of_first_request(client, server, "Triple", TRIPLE, TRIPLE_HTTP)


def _of_first_request(client: bytes, server: bytes, name: str, one: u8, other: u8) -> Detection:
    """YES where the first request speaks `one` or `other`."""
    if PREFACE.startswith(client) and len(client) < len(PREFACE):
        return Detection(Verdict.MORE, 100 if client or _begins(server) else 90, "", Sender.CLIENT)
    begun = client.startswith(PREFACE)
    score = 100 if begun else _JOINED + 1
    block = _first_request(client, len(PREFACE) if begun else 0)
    if block is None:
        return Detection(Verdict.MORE, score, "what may be a frame", Sender.CLIENT)
    speaks = spoken(block)
    if speaks != one and speaks != other:
        return _NO
    return Detection(Verdict.YES, score, f"the first request's headers are those of {name}")


def _begins(server: bytes) -> bool:
    """Whether a server may begin so: with nothing yet, with SETTINGS (RFC 9113 §3.4), or with 101 (RFC 7540 §3.2)."""
    if _SWITCHES.startswith(server[: len(_SWITCHES)]):
        return True
    size = int.from_bytes(server[:3], "big") if len(server) > 2 else 0
    return server[:1] == b"\0" and size % 6 == 0 and _SETTINGS.startswith(server[3:HEADER_SIZE])


def _asks(block: HeaderBlock) -> bool:
    """Whether a block is a request's: it names its method or scheme, of which the usual ones stand in the static table (RFC 7541 §A)."""
    return block.get(METHOD) is not None or block.get(_SCHEME) is not None


def _first_request(octets: bytes, at: int) -> HeaderBlock | None:
    """The first header block behind `at`; an empty one where there is something else, None while it is not whole.

    A connection that is joined midway may refer to what was before: only fields that are known count. What answers, with ``:status`` or
    with trailers, is something else: these octets are not the client's.
    """
    joined = at == 0
    block: bytes | None = None
    before = -1
    for _ in range(_FRAMES):
        if at + HEADER_SIZE > len(octets):
            return None if at + 3 > len(octets) or octets[at] == 0 or not joined else _EMPTY
        size = plausible_header(octets, at, True)
        if not size or (before >= 0 and not agree(octets, before, at)):
            return _EMPTY
        kind, flags = octets[at + 3], octets[at + 4]
        if at + size > len(octets):
            return None
        if kind == 1 or kind == 9:
            start, stop = at + HEADER_SIZE, at + size
            if kind == 1:
                if flags & 0x08:
                    if octets[start] > stop - start - 1:
                        return _EMPTY
                    stop -= octets[start]
                    start += 1
                if flags & 0x20:
                    start += 5
            block = (block or b"") + octets[start : max(start, stop)]
            if flags & 0x04:
                try:
                    found = HpackDecoder(65536, 65536, joined).decode(block, 0, len(block))
                except ProtocolError:
                    return _EMPTY
                return found if not joined or _asks(found) else _EMPTY
        elif block is not None:
            return _EMPTY
        if joined:
            before = at
        at += size
    return _EMPTY
