"""Values of Hessian 2 beside hessian-lite (Maven) and hessian.js (npm): what a stream of them is, and where it is none."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from l7codecs import Limits
from l7codecs.testing import load_tool
from l7codecs.testing.fuzzing import Comparison, LineReader, Refusal
from l7codecs.testing.fuzzing.comparison import first_difference, name_of
from l7codecs.testing.fuzzing.material import Material
from l7codecs_dubbo._hessian.scan import decode
from l7codecs_dubbo._hessian.values import HessianList, HessianMap, HessianObject, Value
from l7codecs_dubbo._hessian.writer import Writer

ROOM = Path(__file__).resolve().parent.parent.parent / "protocols/dubbo"
LIMITS = Limits(nesting=64, elements=1 << 20)
OTHERWISE = {
    "a longer stream": "takes values that are cut",
    "older draft": "takes values that are cut",
    "UTF-8": "takes any octets for UTF-8",
    "an int": "takes other numbers for an int",
    "expected a string": "takes other values for a string",
    "count that is not negative": "takes a negative count for none",
}
"""Of what is refused here: what those do that read it."""


def inside(values: list[Value]) -> Iterable[Value]:
    """All values of a stream, each container once."""
    seen: set[int] = set()
    waiting: list[Any] = list(values)
    while waiting:
        value = waiting.pop()
        yield value
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, HessianList):
            waiting += value.items
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, HessianMap):
            waiting += [each for pair in value.pairs for each in pair]
        elif isinstance(value, HessianObject):
            waiting += value.values


def one_nan(token: list[Any]) -> list[Any]:
    """The same, every number that is none alike."""
    if token[0] == "number" and math.isnan(struct.unpack(">d", bytes.fromhex(token[1]))[0]):
        return ["number", "7ff8000000000000"]
    return token


LENIENT = {
    "UTF-8": "takes any octets for UTF-8",
    "a longer stream": "takes values that are cut",
    "before it": "takes a reference to nothing for null",
    "count that is not negative": "takes a negative count for none",
    "a type's name": "takes a type that was not named",
    "older draft": "takes a tag that is none for a number",
}
"""What hessian.js reads and is refused here, by words of our refusal."""


class OfValues(Comparison):
    tells_types = True
    typed = False
    """Whether there were lists with a type in what was read last."""
    odd = False
    """Whether there were objects, or maps whose keys are not text, in what was read last."""

    def start(self) -> None:
        self.tokens: Any = load_tool(ROOM / "tools", "hessian_tokens")
        self.reader = LineReader(self.command(load_tool(ROOM / "tools", "hessian_programs")), name=self.name)

    def command(self, programs: Any) -> list[str]:
        raise NotImplementedError

    def stop(self) -> None:
        self.reader.close()

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        truth: Any = load_tool(ROOM / "tests", "hessian_truth")
        for number in range(120):
            make = truth.random_values if number % 4 == 0 else truth.random_plain
            writer = Writer()
            for value in make(chance, chance.randint(1, 12)):
                writer.value(value)
            yield [writer.getvalue()]

    def ours(self, pieces: Sequence[bytes]) -> object:
        octets = b"".join(pieces)
        values = decode(octets, 0, len(octets), LIMITS)[0]
        self.odd = any(isinstance(each, (HessianMap, HessianObject)) for each in inside(values))
        self.typed = any(isinstance(each, HessianList) for each in inside(values))
        return self.tokens.tokens_of(values, typed=self.tells_types)

    def theirs(self, pieces: Sequence[bytes]) -> object:
        said = self.reader.read([b"".join(pieces)])
        return said if isinstance(said, Refusal) else [one_nan(token) for token in json.loads(said)]


class BesideHessianLite(OfValues):
    name = "hessian-lite"

    def command(self, programs: Any) -> list[str]:
        return list(programs.java_command(programs.LIBRARIES[0], "read"))

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        if isinstance(ours, Refusal):
            return name_of(ours, OTHERWISE)
        if self.odd:
            return "makes objects of classes, and of maps what their types are"
        if self.typed:
            return "makes of lists what their types are"
        return None


class BesideHessianJs(OfValues):
    name = "hessian.js"
    tells_types = False

    def command(self, programs: Any) -> list[str]:
        return list(programs.node_command("read"))

    def ours(self, pieces: Sequence[bytes]) -> object:
        told = []
        for token in super().ours(pieces):
            if token[0] == "double":
                token = ["number", token[1]]
            elif token[0] in ("int", "long"):
                safe = abs(token[1]) < 2**53
                token = ["number", struct.pack(">d", float(token[1])).hex()] if safe else ["str", str(token[1])]
            told.append(token)
        return told

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        if isinstance(ours, Refusal):
            return name_of(ours, LENIENT)
        if isinstance(theirs, Refusal) and "0x57" in theirs.why:
            return "has no lists of any length without a type"
        if isinstance(theirs, Refusal) and "readObject error" in theirs.why:
            return "wants an object behind a class"
        elif self.odd:
            return "tells objects as maps, and their keys as text"
        elif isinstance(ours, list) and isinstance(theirs, list):
            one, other = first_difference(ours, theirs)
            if isinstance(one, list) and isinstance(other, list) and one[0] == other[0] == "date":
                return "has no dates that are far away"
        return None


def comparisons() -> list[Comparison]:
    return [BesideHessianLite(), BesideHessianJs()]
