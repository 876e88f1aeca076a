"""What a peer says beside the protocol's own fields: HTTP headers, Dubbo attachments, Kafka record headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

__all__ = ["EMPTY_HEADERS", "HeaderValue", "Headers"]

HeaderValue = str | bytes | bool | int | float
"""Text or octets where a protocol has nothing else (HTTP); where its values are typed, with the type that they have on the wire.

Floats are finite, so that headers compare and every JSON has them; what else a room has it tells as a text, or as octets.
"""


@final
class Headers:
    """Name and value pairs in the order of the wire, repeats kept. Immutable.

    ``fold_case`` says that names compare without regard to ASCII case (HTTP); they are kept as they came.
    """

    def __init__(self, pairs: Iterable[tuple[str, HeaderValue]] = (), *, fold_case: bool = False) -> None:
        self._pairs: tuple[tuple[str, HeaderValue], ...] = tuple(pairs)
        self._fold_case = fold_case

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (self._pairs, self._fold_case)

    def get_all(self, name: str) -> list[HeaderValue]:
        """Every value of `name`, in the order of the wire."""
        if self._fold_case:
            folded = name.lower()
            size = len(folded)
            return [value for key, value in self._pairs if len(key) == size and key.lower() == folded]
        return [value for key, value in self._pairs if key == name]

    def get(self, name: str, default: HeaderValue | None = None) -> HeaderValue | None:
        """The first value of `name`, or `default`."""
        values = self.get_all(name)
        return values[0] if values else default

    def __getitem__(self, name: str) -> HeaderValue:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[tuple[str, HeaderValue]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self._pairs)!r})"


def _made(pairs: tuple[tuple[str, HeaderValue], ...], fold_case: bool) -> Headers:
    return Headers(pairs, fold_case=fold_case)


EMPTY_HEADERS = Headers()
