"""Infos of THeader and TTHeader written anew: those that stay keep their octets and their order; see `theader` for the layout."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from .._meaning.words import HEADER
from .._transport.theader import Block, Header, Info

__all__ = ["changed_header", "head_of"]

_WORDS: Final = 0xFFFF
_WORD: Final = 4


def changed_header(
    octets: bytes, at: i64, header: Header, transport: i64, put: dict[str, bytes], removed: list[str]
) -> bytes:
    """The header whose magic number stands at `at`, without the infos `removed`, and with those of `put`.

    From a block of an unknown kind on all stays as it is: nobody can tell where it ends.

    Raises:
        ValueError: a name or a value is longer than can be said.
    """
    waits = dict(put)
    blocks: list[Block] = []
    for block in header.blocks:
        infos: list[Info] = []
        for info in block.infos:
            if info.name in removed and info.name not in put:
                continue
            value = waits.pop(info.name, None)
            if value is not None:
                infos.append(Info(info.name, info.key, value))
            elif info.name not in put:
                infos.append(info)
        blocks.append(Block(block.kind, infos))
    if waits:
        new = [Info(name, name.encode(), value) for name, value in waits.items()]
        plain = next((block for block in blocks if block.kind == 1), None)
        if plain is None:
            blocks.append(Block(1, new))
        else:
            plain.infos.extend(new)
    said = octets[header.start : header.behind_transforms]
    for block in blocks:
        if block.infos:
            said += _apache(block) if transport == HEADER else _cloudwego(block)
    rest = octets[header.unknown : header.payload]
    said += rest + b"\0" * (-(len(said) + len(rest)) % _WORD)
    words = len(said) // _WORD
    if words > _WORDS:
        raise ValueError(f"a header of {len(said)} octets: at most {_WORD * _WORDS}")
    return octets[at : at + 8] + words.to_bytes(2, "big") + said


def head_of(transport: i64, seqid: int, protocol: int) -> bytes:
    """A header without transforms and infos."""
    magic = b"\x0f\xff\0\0" if transport == HEADER else b"\x10\0\0\0"
    return magic + (seqid & 0xFFFFFFFF).to_bytes(4, "big") + b"\0\1" + bytes((protocol, 0, 0, 0))


def _apache(block: Block) -> bytes:
    said = _varint(int(block.kind)) + _varint(len(block.infos))
    for info in block.infos:
        said += _varint(len(info.key)) + info.key + _varint(len(info.value)) + info.value
    return said


def _cloudwego(block: Block) -> bytes:
    kind = int(block.kind)
    if kind == 0x11:
        return b"".join([b"\x11" + _sized(info.value) for info in block.infos])
    said = bytes((kind,)) + len(block.infos).to_bytes(2, "big")
    for info in block.infos:
        said += (info.key if kind == 0x10 else _sized(info.key)) + _sized(info.value)
    return said


def _sized(octets: bytes) -> bytes:
    if len(octets) > 0xFFFF:
        raise ValueError(f"a text of {len(octets)} octets in a header of TTHeader: at most 65535")
    return len(octets).to_bytes(2, "big") + octets


def _varint(number: int) -> bytes:
    said = bytearray()
    while number > 0x7F:
        said.append(number & 0x7F | 0x80)
        number >>= 7
    said.append(number)
    return bytes(said)
