"""What is compressed, with another beginning: piece by piece, so that what it inflates to is never held as a whole.

    packed ──▶ inflate ──▶ 64 KiB ──▶ the first octets are others ──▶ deflate ──▶ packed

Of what is inflated a message holds ``limits.message`` octets at most. All that changes stands in those.
"""

from __future__ import annotations

import zlib
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Unsupported

__all__ = ["recoded"]

_PIECE: Final = 1 << 16
_TIMES: Final = 4
"""How often what inflates to more than a message holds may be compressed."""


@final
class _Layer:
    """One coding: what it inflates by, and is deflated by again."""

    def __init__(self, bits: int) -> None:
        self.opens = zlib.decompressobj(bits)
        self.closes = zlib.compressobj(wbits=bits)
        self.waits = b""
        """What it has still to inflate."""
        self.holds = False
        """Whether it may have more to say without further octets: it said as much as it was asked for."""

    def open(self) -> bytes:
        """What comes next of what waits, up to a piece."""
        machine = self.opens
        plain = machine.decompress(self.waits, _PIECE)
        self.waits = b"" if machine.eof else machine.unconsumed_tail  # behind the end stays what nobody reads
        self.holds = len(plain) == _PIECE
        return plain


def recoded(packed: bytes, bits: int, times: int, old: int, new: bytes, most: int) -> bytes:
    """`packed`, deflated `times` times in the coding of `bits`, with `new` in place of the first `old` octets inside.

    Raises:
        Unsupported: it inflates to more than `most` octets, is no such coding, or has too many of them.
    """
    if times > _TIMES:
        raise Unsupported(f"a large message that is compressed {times} times cannot be changed")
    layers = [_Layer(bits) for _each in range(times)]
    made = [_closed(layers, new)]
    skip: i64 = old
    size: i64 = 0
    try:
        for start in range(0, len(packed), _PIECE):
            layers[0].waits = packed[start : start + _PIECE]
            while True:
                piece = _opened(layers)
                if piece is None:
                    break
                size += len(piece)
                if size > most:
                    raise Unsupported(f"a message that inflates to more than limits.payload = {most} cannot be changed")
                if skip > 0:
                    cut = min(skip, i64(len(piece)))
                    skip -= cut
                    piece = piece[cut:]
                made.append(_closed(layers, piece))
    except zlib.error as error:
        raise Unsupported(f"a message that is not compressed as it says cannot be changed: {error}") from None
    for at in range(times - 1, -1, -1):
        octets = layers[at].closes.flush()
        for outer in range(at - 1, -1, -1):
            octets = layers[outer].closes.compress(octets)
        made.append(octets)
    return b"".join(made)


def _opened(layers: list[_Layer]) -> bytes | None:
    """What comes next inside, perhaps nothing; None: more octets are needed."""
    inner: i64 = len(layers) - 1
    for at in range(inner, -1, -1):
        layer = layers[at]
        if layer.waits or layer.holds:
            plain = layer.open()
            if at == inner:
                return plain
            layers[at + 1].waits = plain  # which had none
            return b""
    return None


def _closed(layers: list[_Layer], octets: bytes) -> bytes:
    """What has to be written by now of `octets`, which come next inside."""
    for at in range(len(layers) - 1, -1, -1):
        octets = layers[at].closes.compress(octets)
    return octets
