"""A second implementation beside ours: what it reads from some octets, and what we do, in words that both can say.

Its author writes a `Comparison` for each, in a module with ``comparisons()``, which ``pyproject.toml`` names::

    class BesideLibacme(Comparison):
        name = "libacme"

        def start(self) -> None:
            self.library = importlib.import_module("libacme")

        def ours(self, pieces: Sequence[bytes]) -> object:
            return [(message.operation, message.size) for message in decoded(b"".join(pieces))]

        def theirs(self, pieces: Sequence[bytes]) -> object:
            return [(each.command, each.length) for each in self.library.parse(b"".join(pieces))]

A program of another language is a `LineReader`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from l7codecs.kinds import Sender
from l7codecs.testing.peers import PeerProcess

if TYPE_CHECKING:
    from l7codecs.testing.fuzzing.material import Material

__all__ = [
    "NOTHING",
    "Comparison",
    "LineReader",
    "Refusal",
    "first_difference",
    "how_they_differ",
    "name_of",
    "side_by_side",
]

_SHOWN = 400
"""Characters of one side of one row."""
_ROWS = 40


class Refusal:
    """The reading of octets that are refused. One refusal is as good as another: ``why`` is for people."""

    def __init__(self, why: str = "") -> None:
        self.why = why

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refusal)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"refused: {self.why}" if self.why else "refused"


class _Nothing:
    """Stands where one reading has no item any more."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


class Comparison:
    """One second implementation, and how its readings and ours compare. An input is a few pieces of octets, none of them empty.

    name: what it is called, with its version where that is known from the start.
    side: whose octets of the vectors are the inputs to begin with, a piece for each message.
    """

    name = ""
    side: ClassVar[Sender] = Sender.CLIENT

    def start(self) -> None:
        """Make it ready; called once, before anything is read. Raises `ImportError` or `OSError` where it is not installed."""

    def stop(self) -> None:
        """Called at the end."""

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        """Good inputs to begin with."""
        for vector in material.vectors:
            yield [octets for sender, octets in material.pieces(vector) if sender is self.side]

    def ours(self, pieces: Sequence[bytes]) -> object:
        """What we read: anything that compares by ``==``; a list is shown an item a row. A `ProtocolError` is taken for a refusal."""
        raise NotImplementedError

    def theirs(self, pieces: Sequence[bytes]) -> object:
        """What the other reads. Whatever it raises is taken for a refusal."""
        raise NotImplementedError

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """The name of a difference that is known, and counted instead of told; None: it is new."""
        return None


class LineReader:
    """A program that reads a line for each input and writes a line of what it has read; one that dies or hangs is started again.

    The line is its pieces in hexadecimal, with a space between; a line back that begins with ``!`` is a refusal.
    """

    def __init__(self, command: Sequence[str | Path], *, name: str = "peer", patience: float = 20.0) -> None:
        """`patience` is in seconds. Raises `OSError` where it cannot be started."""
        self._command = list(command)
        self._name = name
        self._patience = patience
        self._process: PeerProcess | None = None
        self._start()

    def _start(self) -> PeerProcess:
        if self._process is None:
            self._process = PeerProcess(self._command, name=self._name, patience=self._patience)
        return self._process

    def read(self, pieces: Sequence[bytes]) -> str | Refusal:
        """What it says of an input."""
        try:
            said = self._start().exchange(" ".join(piece.hex() for piece in pieces))
        except (RuntimeError, TimeoutError, BrokenPipeError) as error:
            self.close()
            return Refusal(f"no answer: {type(error).__name__}")
        return Refusal(said[1:].strip()) if said.startswith("!") else said

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.close()
            self._process = None


def first_difference(ours: object, theirs: object) -> tuple[object, object]:
    """What differs first: of two lists their items, `NOTHING` where one has none any more; else the readings."""
    return next((pair for pair in _rows(ours, theirs) if pair[0] != pair[1]), (ours, theirs))


def name_of(reading: object, names: Mapping[str, str]) -> str | None:
    """Of a refusal whose reason has some words, what `names` has for them; the first that it has."""
    if isinstance(reading, Refusal):
        for words, name in names.items():
            if words in reading.why:
                return name
    return None


def how_they_differ(ours: object, theirs: object) -> str:
    """What the other one does, in few words."""
    one, other = first_difference(ours, theirs)
    if isinstance(other, Refusal):
        return "refuses what is waited for here" if one is NOTHING else "refuses what is read here"
    if isinstance(one, Refusal):
        return "waits for more of what is refused here" if other is NOTHING else "reads what is refused here"
    if one is NOTHING or other is NOTHING:
        return "reads more" if one is NOTHING else "reads less"
    return "reads otherwise"


def _rows(ours: object, theirs: object) -> Iterable[tuple[object, object]]:
    if isinstance(ours, list) and isinstance(theirs, list):
        return zip_longest(ours, theirs, fillvalue=NOTHING)
    return [(ours, theirs)]


def side_by_side(ours: object, theirs: object) -> str:
    """Both readings, those of lists an item a row; ``!`` before what differs."""
    lines: list[str] = []
    left = 0
    for one, other in _rows(ours, theirs):
        same = one == other
        if same and len(lines) > _ROWS:
            continue
        if len(lines) > 2 * _ROWS:
            left += 1
            continue
        if same:
            lines.append(f"    both    {_short(repr(one))}")
        else:
            mine, its = repr(one), repr(other)
            start = _first_shown(mine, its)
            lines += [f"  ! ours    {_short(mine, start)}", f"  ! theirs  {_short(its, start)}"]
    if left:
        lines.append(f"    and {left} further ones")
    return "\n".join(lines)


def _first_shown(one: str, other: str) -> int:
    """A little before where two long texts part."""
    if len(one) <= _SHOWN and len(other) <= _SHOWN:
        return 0
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return max(0, same - _SHOWN // 4)


def _short(text: str, start: int = 0) -> str:
    """`text` from `start` on, as far as it is shown."""
    shown = ("… " if start else "") + text[start : start + _SHOWN]
    return shown if len(text) <= start + _SHOWN else f"{shown} … ({len(text)} characters)"
