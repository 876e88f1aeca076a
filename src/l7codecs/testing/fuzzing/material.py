"""What is known of a protocol for fuzzing it: its vectors, its constants, and what its author adds.

A room says where it has them in the ``pyproject.toml`` of the folder where the command runs, with paths from there::

    [tool.l7codecs.fuzz.acme]
    vectors = "vectors"              # or several, in a list
    dictionary = "fuzz/acme.dict"    # optional: a token a line, in double quotes, as libFuzzer and AFL have them
    grammar = "fuzz/grammar.py"      # optional: conversation(chance) makes one, as a list of (sender, octets)
    corpus = "fuzz/corpus/acme"      # optional: inputs that are kept
    comparisons = "fuzz/beside.py"   # optional: comparisons() returns second implementations, for the target differential
    misleading = ["a-value"]         # optional: vectors in which, behind lost octets, something looks like a message and is none
    stateful = ["*-transaction"]     # optional: vectors of which endpoints take no requests: they mean something only where they stand
    learnt = ["acme.topic"]          # optional: attributes of requests that say what was said before, and less after a loss
    loose_ids = true                 # optional: servers may answer with ids of their own
    one_sided = true                 # optional: after a loss, what a side says is believed while the other was never heard
    doubts = true                    # optional: any request may stay without an answer, so the oldest are forgotten beyond the limits

Names of vectors may have ``*`` and ``?``.
"""

from __future__ import annotations

import importlib.util
import random
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from l7codecs import Protocol, get_protocol
from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.testing.fuzzing.comparison import Comparison
from l7codecs.testing.fuzzing.spoken import Spoken
from l7codecs.testing.vectors import Vector, load_vectors

__all__ = ["Material", "constants_of", "load_material", "parse_dictionary"]

Grammar = Callable[[random.Random], Sequence[tuple[Sender, bytes]]]
Speaker = Callable[[random.Random], Sequence[Spoken]]

_LARGEST = 24 * 1024
"""Octets of a vector that is taken for a seed."""
_TOKEN = 32


@dataclass
class Material:
    """A protocol, and what its programs are made of."""

    protocol: Protocol
    all_vectors: list[Vector]
    given_tokens: list[bytes] = field(default_factory=list)
    grammar: Grammar | None = None
    spoken: Speaker | None = None
    """What makes conversations that are right."""
    corpus: Path | None = None
    stateful: tuple[str, ...] = ()
    misleading: tuple[str, ...] = ()
    learnt: tuple[str, ...] = ()
    """Attributes of requests that say what was said before, and less where that is not known."""
    doubts: bool = False
    loose_ids: bool = False
    one_sided: bool = False
    comparisons: Sequence[Comparison] = ()
    started: dict[Comparison, bool] = field(default_factory=dict)
    """Of the comparisons that have been started: whether they could be."""

    @cached_property
    def vectors(self) -> list[Vector]:
        """Those that are small enough to begin with."""
        found = [vector for vector in self.all_vectors if 0 < vector.size <= _LARGEST]
        return found or self.all_vectors[:1]

    @cached_property
    def tokens(self) -> list[bytes]:
        """The constants of the protocol's package, and the words and numbers of its vectors."""
        found = dict.fromkeys(self.given_tokens)
        found.update(dict.fromkeys(constants_of(packages_of(self.protocol))))
        for vector in self.vectors:
            for _, octets in vector.pieces:
                found.update(dict.fromkeys(re.findall(rb"[\x21-\x7e]{2,20}", octets)[:40]))
        return [token for token in found if 0 < len(token) <= _TOKEN]

    def pieces(self, vector: Vector) -> list[tuple[Sender, bytes]]:
        """`vector` in pieces of a message each, as far as it can be decoded."""
        session = self.protocol.open()
        found: list[tuple[Sender, bytes]] = []
        wrong: set[Sender] = set()
        waits = dict.fromkeys(Sender, b"")
        for sender, octets in vector.pieces:
            waits[sender] += octets
            if sender in wrong:
                continue
            try:
                for event in session.receive(sender, octets):
                    raw = event.raw
                    if raw and event.sender is sender and waits[sender].startswith(raw):
                        found.append((sender, raw))
                        waits[sender] = waits[sender][len(raw) :]
            except ProtocolError:
                wrong.add(sender)
        return found + [(sender, octets) for sender, octets in waits.items() if octets]

    def made(self, chance: random.Random, count: int) -> Iterator[Vector]:
        """Conversations that the grammar makes, where there is one."""
        if self.grammar is not None:
            for number in range(count):
                yield Vector(f"made {number}", tuple(self.grammar(chance)))


def packages_of(protocol: Protocol) -> tuple[str, ...]:
    """The top-level packages that `protocol` is made of."""
    makers = (protocol.session, protocol.decoder, protocol.detect, protocol.memory)
    found = dict.fromkeys(
        str(getattr(maker, "__module__", "")).partition(".")[0] for maker in makers if maker is not None
    )
    return tuple(name for name in found if name and name not in ("l7codecs", "functools", "builtins"))


def constants_of(packages: Iterable[str]) -> Iterator[bytes]:
    """Texts and octets that the modules of `packages` have in their code and tables; numbers of two octets and more in both orders."""
    names = tuple(packages)
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in names:
            for value in vars(module).values():
                if getattr(value, "__module__", name) == name:
                    yield from _tokens(value)


def _tokens(value: object) -> Iterator[bytes]:
    """What is in `value`, and in what it holds, four deep."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, bytes):
            yield each
        elif isinstance(each, str):
            if each.isascii() and " " not in each:
                yield each.encode()
        elif isinstance(each, int) and not isinstance(each, bool):
            if 255 < each < 1 << 32:
                size = 2 if each < 1 << 16 else 4
                yield each.to_bytes(size, "big")
                yield each.to_bytes(size, "little")
        elif depth < 5:
            waiting += [(inner, depth + 1) for inner in _inside(each)]


def _inside(value: object) -> list[object]:
    if isinstance(value, CodeType):
        return list(value.co_consts)
    if isinstance(value, FunctionType):
        return [value.__code__]
    if isinstance(value, type):
        return list(vars(value).values())
    if isinstance(value, Mapping):
        return [*list(value)[:400], *list(value.values())[:400]]
    if isinstance(value, (tuple, list, set, frozenset)):
        return list(value)[:400]
    return []


def parse_dictionary(text: str) -> list[bytes]:
    r"""The tokens of a file as libFuzzer and AFL read it: ``name="\x00\x01abc"``, a line each. Raises ValueError."""
    found: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = re.search(r'"((?:[^"\\]|\\.)*)"\s*$', line)
        if match is None:
            raise ValueError(f"line {number} of the dictionary has no token in double quotes: {line}")
        found.append(match[1].encode("latin-1").decode("unicode_escape").encode("latin-1"))
    return found


def load_material(
    name: str,
    *,
    folder: Path | None = None,
    vectors: Sequence[Path] = (),
    dictionary: Path | None = None,
    corpus: Path | None = None,
) -> Material:
    """What ``pyproject.toml`` in `folder` (default: where the process runs) says of protocol `name`, and what is given here instead.

    Raises:
        RegistryError: no such protocol is registered.
        ValueError: there are no vectors, or what is said cannot be read.
        OSError: a file cannot be read.
    """
    folder = folder or Path.cwd()
    said: dict[str, object] = {}
    file = folder / "pyproject.toml"
    if file.is_file():
        table: object = tomllib.loads(file.read_text("utf-8"))
        for key in ("tool", "l7codecs", "fuzz", name):
            table = table.get(key, {}) if isinstance(table, dict) else {}
        said = table if isinstance(table, dict) else {}
    protocol = get_protocol(name)
    places = [*vectors] or [folder / place for place in _texts(said.get("vectors"))]
    if not places and (folder / "vectors").is_dir():
        places = [folder / "vectors"]
    found = [vector for place in places for vector in load_vectors(place)]
    if not found:
        raise ValueError(f"there are no vectors of {name}: name their folder (--vectors), or say it in {file}")
    file_of_tokens = dictionary or (folder / str(said["dictionary"]) if "dictionary" in said else None)
    tokens = parse_dictionary(file_of_tokens.read_text("utf-8")) if file_of_tokens is not None else []
    grammar, spoken = _load_grammar(folder / str(said["grammar"])) if "grammar" in said else (None, None)
    kept = corpus or (folder / str(said["corpus"]) if "corpus" in said else None)
    stateful, misleading, learnt = (tuple(_texts(said.get(key))) for key in ("stateful", "misleading", "learnt"))
    flags = {key: said.get(key) is True for key in ("doubts", "loose_ids", "one_sided")}
    beside = _load_comparisons(folder / str(said["comparisons"])) if "comparisons" in said else []
    return Material(
        protocol,
        found,
        tokens,
        grammar,
        spoken,
        kept,
        stateful,
        misleading,
        learnt,
        doubts=flags["doubts"],
        loose_ids=flags["loose_ids"],
        one_sided=flags["one_sided"],
        comparisons=beside,
    )


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _load_grammar(path: Path) -> tuple[Grammar, Speaker | None]:
    module = _load_module(path)
    made, spoken = (getattr(module, name, None) for name in ("conversation", "spoken"))
    if callable(made):
        return made, spoken if callable(spoken) else None
    if not callable(spoken):
        raise ValueError(f"{path} has neither conversation(chance) nor spoken(chance)")
    speaker: Speaker = spoken
    return lambda chance: [(each.sender, each.octets) for each in speaker(chance)], speaker


def _load_comparisons(path: Path) -> list[Comparison]:
    made: object = getattr(_load_module(path), "comparisons", None)
    if not callable(made):
        raise ValueError(f"{path} has no comparisons()")
    found = list(made())
    for each in found:
        if not isinstance(each, Comparison) or not each.name:
            raise ValueError(f"comparisons() of {path} returns {each!r}, which is no Comparison with a name")
    return found


def _load_module(path: Path) -> ModuleType:
    name = f"_l7codecs_fuzz_{path.stem}_{abs(hash(str(path)))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
