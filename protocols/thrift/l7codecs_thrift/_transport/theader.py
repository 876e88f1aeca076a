"""THeader of Apache Thrift, and TTHeader of CloudWeGo: what stands between the length of a frame and its message.

    THeader     0fff flags16 seq32 words16 │ protocol count transform* │ (block count (key value)*)* 00* │ payload
                                            varints; texts as varint and octets
    TTHeader    1000 flags16 seq32 words16 │ protocol8 count8 transform8* │ block* 00* │ payload
                block 01: count16 (text text)*   10: count16 (key16 text)*   11: text        texts as size16 and octets

`words` is the size of what stands between it and the payload, in words of 4 octets. Sources: `THeaderTransport` of Apache Thrift 0.25;
`ttheader` of github.com/cloudwego/gopkg 0.1.4.

Not handled: transforms other than zlib (the message is told as one that cannot be read), frames of more than 2 GiB.
"""

from __future__ import annotations

import zlib
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Limits, ProtocolError

__all__ = ["FIXED", "Block", "Header", "Info", "inflated", "parse_header", "parse_ttheader"]

FIXED: Final[i64] = 10
"""Octets from the magic number to the size of the header, both included."""
_WORD: Final[i64] = 4
_ZLIB: Final = 1
_TRANSFORMS: Final = {1: "zlib", 2: "hmac", 3: "snappy", 4: "qlz", 5: "zstd"}
_SHORT_KEYS: Final = {
    1: "transport-type",
    2: "log-id",
    3: "from-service",
    4: "from-cluster",
    5: "from-idc",
    6: "to-service",
    7: "to-cluster",
    8: "to-idc",
    9: "to-method",
    10: "env",
    11: "dest-address",
    12: "rpc-timeout",
    13: "read-timeout",
    14: "ring-hash-key",
    15: "ddp-tag",
    16: "with-mesh-header",
    17: "connect-timeout",
    18: "span-context",
    19: "short-connection",
    20: "from-method",
    21: "stress-tag",
    22: "msg-type",
    23: "http-content-type",
    24: "raw-ring-hash-key",
    25: "lb-type",
    26: "cluster-shard-id",
}
_SPEC: Final = "THeader"


@final
class Info:
    """One entry: what it is called, and its octets."""

    def __init__(self, name: str, key: bytes, value: bytes) -> None:
        self.name = name
        self.key = key
        self.value = value


@final
class Block:
    """Entries of one kind."""

    def __init__(self, kind: i64, infos: list[Info]) -> None:
        self.kind = kind
        self.infos = infos


@final
class Header:
    """What a header says; ``payload`` is where it ends, ``start`` where its protocol id stands."""

    def __init__(self, start: i64, payload: i64) -> None:
        self.start = start
        self.payload = payload
        self.behind_transforms: i64 = start
        self.blocks: list[Block] = []
        self.known = True
        """Whether all blocks are known; where what is not begins otherwise."""
        self.unknown: i64 = payload
        self.protocol: i64 = 0
        self.transforms: list[int] = []

    @property
    def infos(self) -> list[tuple[str, str | bytes]]:
        """Every entry, in the order of the wire."""
        return [(info.name, _value(info.value)) for block in self.blocks for info in block.infos]

    def names(self) -> tuple[str, ...]:
        """The transforms by their names, in their order."""
        return tuple([_TRANSFORMS.get(each) or str(each) for each in self.transforms])

    @property
    def is_readable(self) -> bool:
        """Whether every transform is one that can be undone."""
        return all(each == _ZLIB for each in self.transforms)


def _words(octets: bytes, at: i64, stop: i64) -> Header | None:
    """The header whose magic number stands at `at`; None: it is not all there."""
    if stop - at < FIXED:
        return None
    start = at + FIXED
    payload = start + _WORD * (i64(octets[at + FIXED - 2]) << 8 | i64(octets[at + FIXED - 1]))
    return Header(start, payload) if payload <= stop else None


def parse_header(octets: bytes, at: i64, stop: i64) -> Header | None:
    """The THeader at `at`; None: it is not all there.

    Raises:
        ProtocolError: what it holds does not fit into it. The offset is an index into `octets`.
    """
    found = _words(octets, at, stop)
    if found is None:
        return None
    reader = _Reader(octets, found.start, found.payload)
    found.protocol = reader.varint()
    for _each in range(reader.count(1)):
        found.transforms.append(int(reader.varint()))
    found.behind_transforms = reader.at
    while reader.at < reader.stop:
        begins = reader.at
        kind = reader.varint()
        if kind == 0:
            break
        if kind > 2:
            found.known = False
            found.unknown = begins
            break  # of a block that is not known nobody can tell how long it is
        infos: list[Info] = []
        for _each in range(reader.count(2)):
            key = reader.text(reader.varint())
            infos.append(Info(_name(key), key, reader.text(reader.varint())))
        found.blocks.append(Block(kind, infos))
    return found


def parse_ttheader(octets: bytes, at: i64, stop: i64) -> Header | None:
    """The TTHeader at `at`; as `parse_header`."""
    found = _words(octets, at, stop)
    if found is None:
        return None
    reader = _Reader(octets, found.start, found.payload)
    found.protocol = reader.fixed(1)
    for _each in range(reader.fixed(1)):
        found.transforms.append(int(reader.fixed(1)))
    found.behind_transforms = reader.at
    while reader.at < reader.stop:
        begins = reader.at
        kind = reader.fixed(1)
        if kind == 0:
            continue
        infos: list[Info] = []
        if kind == 0x01:
            for _each in range(reader.fixed(2)):
                key = reader.text(reader.fixed(2))
                infos.append(Info(_name(key), key, reader.text(reader.fixed(2))))
        elif kind == 0x10:
            for _each in range(reader.fixed(2)):
                key = reader.text(2)
                number = int.from_bytes(key, "big")
                infos.append(Info(_SHORT_KEYS.get(number) or str(number), key, reader.text(reader.fixed(2))))
        elif kind == 0x11:
            infos.append(Info("acl-token", b"", reader.text(reader.fixed(2))))
        else:
            found.known = False
            found.unknown = begins
            break
        found.blocks.append(Block(kind, infos))
    return found


@final
class _Reader:
    """Reads what a header holds."""

    def __init__(self, octets: bytes, at: i64, stop: i64) -> None:
        self.octets = octets
        self.at = at
        self.stop = stop

    def fixed(self, size: i64) -> i64:
        """A number of one or two octets, big-endian."""
        at = self.at
        self._need(size)
        self.at = at + size
        number: i64 = i64(self.octets[at])
        return number if size == 1 else number << 8 | i64(self.octets[at + 1])

    def varint(self) -> i64:
        """A number of at most 5 octets, 7 bits each, the lowest first."""
        number: i64 = 0
        shift: i64 = 0
        while True:
            self._need(1)
            octet: i64 = i64(self.octets[self.at])
            self.at += 1
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                return number & 0xFFFFFFFF
            shift += 7
            if shift > 28:
                raise ProtocolError(self.at, "a number of more than 5 octets", "at most 5", _SPEC)

    def count(self, smallest: i64) -> i64:
        """A number of things of at least `smallest` octets, which fit into the header."""
        at = self.at
        number = self.varint()
        if number * smallest > self.stop - self.at:
            raise ProtocolError(at, f"{number} entries in {self.stop - self.at} octets", "what fits", _SPEC)
        return number

    def text(self, size: i64) -> bytes:
        """`size` octets."""
        self._need(size)
        at = self.at
        self.at = at + size
        return self.octets[at : at + size]

    def _need(self, size: i64) -> None:
        if self.at + size > self.stop:
            raise ProtocolError(self.at, f"{size} octets in {self.stop - self.at}", "what fits into the header", _SPEC)


def _name(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _value(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def inflated(octets: bytes, at: i64, stop: i64, limits: Limits, times: int, more: bool) -> bytes:
    """What `octets[at:stop]` is once it is inflated `times` times, up to ``limits.message`` (or ``head``) octets of it.

    Of what is cut, with `more`, it is what can be inflated.

    Raises:
        ProtocolError: it is not what zlib makes. The offset is an index into `octets`.
    """
    plain = octets[at:stop]
    for _turn in range(times):
        # A stream may end with a flush rather than with its last block, so only what comes out tells.
        try:
            plain = zlib.decompressobj().decompress(plain, max(limits.message, limits.head))
        except zlib.error as error:
            if more:
                return b""
            raise ProtocolError(at, f"octets that zlib does not read: {error}", "a stream of zlib", _SPEC) from None
    return plain
