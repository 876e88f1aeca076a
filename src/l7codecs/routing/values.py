"""Tests of one value: a text, octets, a number or a boolean of a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from mypy_extensions import mypyc_attr

__all__ = ["Exact", "Pattern", "Prefix", "Present", "Range", "Suffix", "ValueTest"]

_DIGITS = 20
"""A text of more is no number."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ValueTest:
    """Whether a value is one of those that are meant. Texts are compared with octets by their UTF-8."""

    def accepts(self, value: object) -> bool:
        """Whether `value` is meant; never of None, which is no value."""
        raise NotImplementedError


def _lower(octets: bytes) -> bytes:
    """`octets` in lower case, by the characters that they are of UTF-8."""
    if octets.isascii():
        return octets.lower()
    return octets.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


@final
class Present(ValueTest):
    """Any value."""

    def accepts(self, value: object) -> bool:
        return value is not None


@final
class Exact(ValueTest):
    """One of several values. Numbers and booleans are their own, and are also compared with texts that write them so."""

    def __init__(self, values: Iterable[str | int | bool | bytes], fold: bool = False) -> None:
        """`fold` compares texts and octets without regard to case."""
        self.values = list(values)
        self.fold = fold
        self.texts: dict[str, bool] = {}
        self.octets: dict[bytes, bool] = {}
        self.numbers: dict[int, bool] = {}
        self.flags: dict[bool, bool] = {}
        for value in self.values:
            if isinstance(value, bool):
                self.flags[value] = True
                self.texts["true" if value else "false"] = True
                self.octets[b"true" if value else b"false"] = True
            elif isinstance(value, int):
                self.numbers[value] = True
                self.texts[str(value)] = True
                self.octets[str(value).encode()] = True
            elif isinstance(value, str):
                text = value.lower() if fold else value
                self.texts[text] = True
                self.octets[text.encode("utf-8", "surrogatepass")] = True
            else:
                octets = _lower(value) if fold else value
                self.octets[octets] = True
                text = octets.decode("utf-8", "replace")
                if text.encode() == octets:
                    self.texts[text] = True

    def accepts(self, value: object) -> bool:
        if isinstance(value, str):
            return (value.lower() if self.fold else value) in self.texts
        if isinstance(value, bytes):
            return (_lower(value) if self.fold else value) in self.octets
        if isinstance(value, bool):
            return value in self.flags
        if isinstance(value, int):
            return value in self.numbers
        return False


class _Affix(ValueTest):
    """What stands at one end of texts and octets; compared without case where `fold` says so."""

    def __init__(self, text: str, fold: bool = False) -> None:
        self.fold = fold
        self.text = text.lower() if fold else text
        self.octets = self.text.encode("utf-8", "surrogatepass")


@final
class Prefix(_Affix):
    """Texts and octets that begin with ``text``."""

    def accepts(self, value: object) -> bool:
        if isinstance(value, str):
            return (value.lower() if self.fold else value).startswith(self.text)
        if isinstance(value, bytes):
            return (_lower(value) if self.fold else value).startswith(self.octets)
        return False


@final
class Suffix(_Affix):
    """Texts and octets that end with ``text``."""

    def accepts(self, value: object) -> bool:
        if isinstance(value, str):
            return (value.lower() if self.fold else value).endswith(self.text)
        if isinstance(value, bytes):
            return (_lower(value) if self.fold else value).endswith(self.octets)
        return False


@final
class Pattern(ValueTest):
    """Texts and octets that an expression matches from their first character to their last. What is no UTF-8 in them is U+FFFD to it.

    `compiled` has ``fullmatch``, in time that is linear in what it is given: what it is given comes from peers.
    """

    def __init__(self, compiled: Any) -> None:
        self._match: Any = compiled.fullmatch

    def accepts(self, value: object) -> bool:
        if isinstance(value, bytes):
            if value.isascii():
                return self._match(value) is not None
            return self._match(value.decode("utf-8", "replace")) is not None
        if isinstance(value, str):
            try:
                return self._match(value) is not None
            except UnicodeEncodeError:  # peers of Java's write halves of characters
                return self._match(value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")) is not None
        return False


@final
class Range(ValueTest):
    """Numbers from ``low`` to ``high``, both included, and texts and octets that are such in decimal; None is no bound."""

    def __init__(self, low: int | None, high: int | None) -> None:
        self.low = low
        self.high = high

    def accepts(self, value: object) -> bool:
        if isinstance(value, bool):
            return False
        number = 0
        if isinstance(value, int):
            number = value
        elif isinstance(value, str | bytes):
            text = value if isinstance(value, str) else value.decode("latin-1")
            digits = text[1:] if text[:1] == "-" else text
            if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS:
                return False
            number = int(text)
        else:
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
