"""What a machine has done, as a script that does it again."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from l7codecs import Limits, Protocol
from l7codecs.testing.fuzzing.proxy.exchanges import Place

__all__ = ["Script", "begun_proxy", "begun_session", "spelled"]


def spelled(value: object) -> str:
    """`value` as Python reads it."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        inner = ", ".join(map(spelled, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Limits):
        changed = [
            f"{name}={given}" for name in Limits.__slots__ if (given := getattr(value, name)) != getattr(Limits(), name)
        ]
        return f"Limits({', '.join(changed)})"
    return repr(value)


class Script:
    """Lines of Python: first `lines`, then a call for each step."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)

    def call(self, name: str, *given: object) -> None:
        """`name` was called with what was `given`."""
        self.lines.append(f"{name}({', '.join(map(spelled, given))})")

    @property
    def text(self) -> str:
        """The whole."""
        return "\n".join(self.lines) + "\n"


def begun_session(
    protocol: Protocol,
    limits: Limits,
    endpoint: object,
    flags: Iterable[tuple[str, bool]],
    pairs: dict[int, int] | None,
) -> Iterable[str]:
    """The lines that open a session as `Observed`, named ``session``."""
    yield "from l7codecs import Limits, Sender, get_protocol"
    yield "from l7codecs.testing.machines import Observed"
    yield ""
    said = "".join(f", {name}=True" for name, flag in flags if flag)
    if endpoint is None:
        said += f", pairs={pairs}"
    yield f"session = Observed(get_protocol({protocol.name!r}), {spelled(limits)}, {spelled(endpoint)}{said})"


def begun_proxy(
    protocol: Protocol, limits: Limits, places: Iterable[Place], flags: Iterable[tuple[str, bool]]
) -> Iterable[str]:
    """The lines that make a proxy with its clients and server, named ``proxy``; `places` is what they ask, by number."""
    yield "from l7codecs import Limits, Sender, get_protocol"
    yield "from l7codecs.testing import Vector"
    yield "from l7codecs.testing.fuzzing import Material"
    yield "from l7codecs.testing.fuzzing.proxy.exchanges import place_in"
    yield "from l7codecs.testing.fuzzing.proxy.steps import Steps"
    yield ""
    said = "".join(f", {name}=True" for name, flag in flags if flag)
    yield f"material = Material(get_protocol({protocol.name!r}), []{said})"
    yield "places = ["
    for place in places:
        yield f"    place_in(material, Vector({place.vector.name!r}, {spelled(place.vector.pieces)}), {place.turn}),"
    yield "]"
    yield f"proxy = Steps(material, places, {spelled(limits)})"
