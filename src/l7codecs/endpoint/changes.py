"""What a caller changes in a message that it sends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from l7codecs._layout import check_layout
from l7codecs.headers import HeaderValue
from l7codecs.kinds import AttrValue

__all__ = ["Changes"]


class Changes:
    """What to change in a message on its way through: attributes by name, headers by name.

    A protocol declares in its schema which attributes can change; any other raises `Unsupported`, and so does a value of another type.
    A value that the protocol cannot say, or its peers would not take, is a ValueError. What is refused leaves the session as it was.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    def __init__(
        self,
        attributes: Mapping[str, AttrValue] | None = None,
        *,
        set_headers: Mapping[str, HeaderValue] | None = None,
        remove_headers: Iterable[str] = (),
    ) -> None:
        self.attributes = dict(attributes or {})
        self.set_headers = dict(set_headers or {})
        if isinstance(remove_headers, str):
            raise ValueError(f"remove_headers are names, not one name: ({remove_headers!r},)")
        self.remove_headers = tuple(remove_headers)

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (type(self), self.attributes, self.set_headers, self.remove_headers)

    def joined(self, others: Changes) -> Changes:
        """These and `others`, which have the last word. What a protocol has beside attributes and headers stays."""
        return Changes(
            {**self.attributes, **others.attributes},
            set_headers={**self.set_headers, **others.set_headers},
            remove_headers=(*self.remove_headers, *others.remove_headers),
        )

    def __bool__(self) -> bool:
        return bool(self.attributes or self.set_headers or self.remove_headers)

    def __repr__(self) -> str:
        return f"Changes({self.attributes!r}, set_headers={self.set_headers!r}, remove_headers={self.remove_headers!r})"


def _made(
    cls: type[Changes],
    attributes: dict[str, AttrValue],
    set_headers: dict[str, HeaderValue],
    remove_headers: tuple[str, ...],
) -> Changes:
    return cls(attributes, set_headers=set_headers, remove_headers=remove_headers)
