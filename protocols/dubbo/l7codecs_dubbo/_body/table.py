"""The serializations by their ids: names as the constants of Dubbo 3.3.6 have them (``*_SERIALIZATION_ID``), and what reads each."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from .fastjson2 import Fastjson2Body
from .hessian2 import Hessian2
from .interface import Body
from .json_lines import JsonLines

__all__ = ["BODIES", "NAMES", "body_of", "serialization_name"]

NAMES: Final[dict[int, str]] = {
    2: "hessian2",
    3: "java",
    4: "compactedjava",
    6: "fastjson",
    7: "nativejava",
    8: "kryo",
    9: "fst",
    10: "native-hessian",
    11: "avro",
    12: "protostuff",
    16: "gson",
    18: "jackson",
    21: "protobuf-json",
    22: "protobuf",
    23: "fastjson2",
    25: "kryo2",
    27: "msgpack",
    28: "fury",
    31: "custom-messagepack",
}
"""By serialization id."""

_READ: Final[list[Body]] = [Hessian2(), JsonLines(6, "fastjson"), JsonLines(16, "gson"), Fastjson2Body(23, "fastjson2")]


def _bodies() -> list[Body]:
    found = [Body(number, NAMES.get(number, str(number))) for number in range(32)]
    for body in _READ:
        found[body.number] = body
    return found


BODIES: Final = _bodies()
"""By serialization id, all 32 of them."""


def body_of(number: i64) -> Body:
    """What reads and writes bodies of the serialization id `number`: 0 to 31."""
    return BODIES[number & 31]


def serialization_name(number: i64) -> str:
    """The name of the serialization id `number`; the number itself where it has none."""
    return BODIES[number & 31].name
