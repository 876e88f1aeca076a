"""Vectors: conversations, octet for octet, quoted from a specification or captured from a named server.

In a file each line is one piece: who sent it, a space, and its octets with Python's escapes. Lines that begin with ``#`` say where
the octets come from::

    # a-server 7.0: a-cli SET greeting hello
    C *3\\r\\n$3\\r\\nSET\\r\\n$8\\r\\ngreeting\\r\\n$5\\r\\nhello\\r\\n
    S +OK\\r\\n
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from l7codecs.kinds import Sender

__all__ = ["Vector", "load_vectors", "parse_vector"]

_SENDERS = {"C": Sender.CLIENT, "S": Sender.SERVER}
_OCTET_BY_OCTET_SIZE = 100_000
"""`Vector.recut` does not cut more octets than that one by one: it takes too long."""


@dataclass(frozen=True)
class Vector:
    """One conversation: who sent what, in the order seen. The cuts between the pieces mean nothing but order.

    ``path`` is the file that it was loaded from; None where it comes from none, and in what is made of it.
    """

    name: str
    pieces: tuple[tuple[Sender, bytes], ...]
    path: Path | None = field(default=None, compare=False, repr=False)

    @property
    def size(self) -> int:
        """Octets in all."""
        return sum(len(octets) for _, octets in self.pieces)

    def octets(self, sender: Sender) -> bytes:
        """All that `sender` sends."""
        return b"".join(octets for who, octets in self.pieces if who is sender)

    def cut(self, at: int) -> Vector:
        """The first `at` octets."""
        pieces: list[tuple[Sender, bytes]] = []
        for sender, octets in self.pieces:
            pieces.append((sender, octets[:at]))
            at -= len(octets)
            if at <= 0:
                break
        return Vector(self.name, tuple(pieces))

    def split(self, *cuts: int) -> Vector:
        """The same conversation with further cuts at these octets, counted over all pieces."""
        places = sorted(set(cuts))
        pieces: list[tuple[Sender, bytes]] = []
        start = 0
        for sender, octets in self.pieces:
            inside = places[bisect_right(places, start) : bisect_left(places, start + len(octets))]
            edges = [0, *(place - start for place in inside), len(octets)]
            pieces += [(sender, octets[at:to]) for at, to in pairwise(edges)]
            start += len(octets)
        return Vector(self.name, tuple(pieces))

    def joined(self) -> Vector:
        """The same octets in as few pieces as the order of the senders allows."""
        runs: list[tuple[Sender, list[bytes]]] = []
        for sender, octets in self.pieces:
            if not runs or runs[-1][0] is not sender:
                runs.append((sender, []))
            runs[-1][1].append(octets)
        return Vector(self.name, tuple((sender, b"".join(run)) for sender, run in runs))

    def octet_by_octet(self) -> Vector:
        return Vector(
            self.name, tuple((who, octets[i : i + 1]) for who, octets in self.pieces for i in range(len(octets)))
        )

    def recut(self, seed: int = 7) -> Iterator[Vector]:
        """The same octets in other pieces, the order of the senders kept; each vector's name says how it is cut.

        First joined, then in random pieces (`seed` makes them), few and many, then octet by octet where there are not too many.
        """
        joined = self.joined()
        yield Vector(f"{self.name}, joined", joined.pieces)
        chance = random.Random(seed)
        many = max(97, self.size // 2_000)
        for name, largest in (("few", 40 * many), ("many", many)):
            yield Vector(f"{self.name}, in {name} pieces", joined.split(*_places(self.size, largest, chance)).pieces)
        if self.size <= _OCTET_BY_OCTET_SIZE:
            yield Vector(f"{self.name}, octet by octet", self.octet_by_octet().pieces)

    def save(self, folder: str | Path, source: str) -> Path:
        """Write ``<name>.txt`` for `load_vectors` into `folder`, and return its path.

        `source` says where the octets come from (peers, versions, command); its lines become the file's comments.
        """
        path = Path(folder) / f"{self.name}.txt"
        comments = "".join(f"# {line}\n" for line in source.splitlines())
        path.write_text(comments + self.to_text(), "utf-8")
        return path

    def to_text(self) -> str:
        """The lines of a file, as `parse_vector` reads them."""
        names = {sender: letter for letter, sender in _SENDERS.items()}
        return "".join(f"{names[sender]} {repr(octets)[2:-1]}\n" for sender, octets in self.pieces)

    def __add__(self, other: Vector) -> Vector:
        return Vector(f"{self.name}+{other.name}", self.pieces + other.pieces)


def _places(size: int, largest: int, chance: random.Random) -> Iterator[int]:
    """Where to cut `size` octets into random pieces of 1 to `largest`."""
    at = chance.randint(1, largest)
    while at < size:
        yield at
        at += chance.randint(1, largest)


def parse_vector(name: str, text: str) -> Vector:
    """The vector in the text of a file. Raises `ValueError` with the number of a line that is none."""
    pieces: list[tuple[Sender, bytes]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        who, _, octets = line.partition(" ")
        if who not in _SENDERS:
            raise ValueError(f"{name}, line {number}: begins with {who!r}, not with 'C' or 'S' and a space")
        try:
            pieces.append((_SENDERS[who], octets.encode("latin-1").decode("unicode_escape").encode("latin-1")))
        except UnicodeError as error:
            raise ValueError(f"{name}, line {number}: {error}") from None
    return Vector(name, tuple(pieces))


def load_vectors(folder: str | Path) -> list[Vector]:
    """The vectors in the ``*.txt`` files of `folder`, by name. Raises `ValueError` where there are none."""
    found = [
        Vector(path.stem, parse_vector(path.stem, path.read_text("utf-8")).pieces, path)
        for path in sorted(Path(folder).glob("*.txt"))
    ]
    if not found:
        raise ValueError(f"no vectors (*.txt) in {folder}")
    return found
