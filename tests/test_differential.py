"""Differential fuzzing tells where two implementations part, shrunk; and second implementations that are at hand say what we do."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import toys
from l7codecs import ProtocolError, Sender
from l7codecs.testing.fuzzing import Comparison, Fuzzer, LineReader, Material, Program, Refusal, Step, load_material
from l7codecs.testing.fuzzing.comparison import NOTHING, how_they_differ, side_by_side

ROOT = Path(__file__).resolve().parent.parent


class Beside(Comparison):
    """Octets by their number; the other says 7 of what is larger, as far as `wrong`."""

    name = "the other"
    side = Sender.SERVER
    wrong = True

    def ours(self, pieces: Sequence[bytes]) -> object:
        octets = b"".join(pieces)
        if b"\xff" in octets:
            raise ProtocolError(octets.index(b"\xff"), "255", "less")
        return list(octets)

    def theirs(self, pieces: Sequence[bytes]) -> object:
        octets = b"".join(pieces)
        if b"\xff" in octets:
            raise ValueError("255")
        return [7 if octet == 200 and self.wrong else octet for octet in octets]


def fuzzer(comparison: Comparison) -> Fuzzer:
    return Fuzzer(Material(toys.framed(), toys.framed_vectors(), comparisons=[comparison]), ["differential"], 1)


def program(*pieces: bytes) -> bytes:
    return Program(7, tuple(Step(0, 0, 0, piece) for piece in pieces)).encode()


def test_what_two_read_alike_is_counted() -> None:
    each = fuzzer(Beside())
    each.run(program(b"abc", b"d"))
    each.run(program(b"a\xff"))
    assert each.figures()["differential"] == {"executions": 2, "the other agrees": 1, "the other refuses too": 1}


def test_a_difference_is_shown_shrunk_with_both_readings() -> None:
    each = fuzzer(Beside())
    data = program(b"some octets", b"more \xc8 of them", b"and more")
    with pytest.raises(AssertionError, match="the other reads otherwise"):
        each.run(data)
    small = each.shrink(data)
    assert [step.octets for step in Program.decode(small).steps] == [b"\xc8"]
    assert each.explain(small).splitlines()[1:] == [
        "beside the other:",
        r"  '\xc8'",
        "  ! ours    200",
        "  ! theirs  7",
    ]


def test_what_is_known_is_counted() -> None:
    class Knows(Beside):
        def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
            return "200"

    each = fuzzer(Knows())
    each.run(program(b"\xc8"))
    assert each.figures()["differential"]["the other otherwise: 200"] == 1


def test_ours_may_raise_nothing_else() -> None:
    class Raises(Beside):
        def ours(self, pieces: Sequence[bytes]) -> object:
            raise KeyError("x")

    with pytest.raises(KeyError):
        fuzzer(Raises()).run(program(b"a"))


def test_one_that_hangs_refuses() -> None:
    class Hangs(Beside):
        def theirs(self, pieces: Sequence[bytes]) -> object:
            while True:
                pass

    with pytest.raises(AssertionError, match="the other refuses what is read here"):
        fuzzer(Hangs()).run(program(b"a"))


def test_one_that_is_not_installed_is_left_out() -> None:
    class Missing(Beside):
        def start(self) -> None:
            raise ModuleNotFoundError("no module")

    with pytest.raises(ValueError, match="nothing for differential"):
        fuzzer(Missing())


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([1], [1, 2], "reads more"),
        ([1, 2], [1], "reads less"),
        ([1, Refusal("x")], [1], "waits for more of what is refused here"),
        ([1, Refusal("x")], [1, 2], "reads what is refused here"),
        ([1], [1, Refusal("x")], "refuses what is waited for here"),
        ([1, 2], [1, Refusal("x")], "refuses what is read here"),
        (1, 2, "reads otherwise"),
        (Refusal(), 2, "reads what is refused here"),
    ],
)
def test_how_two_differ(ours: object, theirs: object, said: str) -> None:
    assert how_they_differ(ours, theirs) == said


def test_what_is_long_is_shown_where_it_differs() -> None:
    shown = side_by_side(["a", "x" * 5000 + "1" + "z" * 5000], ["a", "x" * 5000 + "2" + "z" * 5000])
    assert "x1z" in shown
    assert "x2z" in shown
    assert len(shown) < 1200
    assert repr(NOTHING) in side_by_side([1], [])


READER = """
import sys
for line in sys.stdin:
    pieces = [bytes.fromhex(each) for each in line.split()]
    if pieces == [b"die"]:
        sys.exit(1)
    print("! no x" if b"x" in pieces else b"+".join(pieces).decode(), flush=True)
"""


def test_a_program_reads_lines_and_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    path.write_text(READER, "utf-8")
    reader = LineReader([sys.executable, path])
    try:
        assert reader.read([b"a", b"b"]) == "a+b"
        refused = reader.read([b"x"])
        assert isinstance(refused, Refusal)
        assert refused.why == "no x"
        assert isinstance(reader.read([b"die"]), Refusal)
        assert reader.read([b"again"]) == "again"
    finally:
        reader.close()


def test_a_project_names_its_comparisons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vectors = ROOT / "protocols" / "redis" / "vectors"
    (tmp_path / "pyproject.toml").write_text('[tool.l7codecs.fuzz.redis]\ncomparisons = "beside.py"\n', "utf-8")
    module = "from l7codecs.testing.fuzzing import Comparison\n\nclass Other(Comparison):\n    name = 'o'\n\ndef comparisons():\n"
    (tmp_path / "beside.py").write_text(f"{module}    return [Other()]\n", "utf-8")
    assert [each.name for each in load_material("redis", vectors=[vectors]).comparisons] == ["o"]
    for wrong in ("    return [1]\n", "    return [Comparison()]\n"):
        (tmp_path / "beside.py").write_text(module + wrong, "utf-8")
        with pytest.raises(ValueError, match="no Comparison with a name"):
            load_material("redis", vectors=[vectors])
    (tmp_path / "beside.py").write_text("", "utf-8")
    with pytest.raises(ValueError, match=r"no comparisons\(\)"):
        load_material("redis", vectors=[vectors])


@pytest.mark.parametrize(
    ("protocol", "name", "count"),
    [
        ("redis", "hiredis", 250),
        ("http2", "hpack", 250),
        ("kafka", "kio", 250),
        ("thrift", "thriftpy2, binary", 150),
        ("thrift", "thriftpy2, compact", 150),
        ("thrift", "Apache Thrift, compact", 100),
    ],
)
def test_others_read_what_we_do(protocol: str, name: str, count: int) -> None:
    """As far as it is not known, with inputs that are the same each time; many more by ``make fuzz-differential``."""
    material = load_material(protocol, folder=ROOT)
    material.comparisons = [each for each in material.comparisons if each.name == name]
    material.tokens = [b"\0", b"\1", b"\xff", b"\r\n", b"-1", b"word"]  # those found depend on what is imported
    each = Fuzzer(material, ["differential"], 1)
    try:
        seeds = each.seeds(100)
        mutator = each.mutator(seeds)
        chance = random.Random(2)
        for number in range(count):
            each.run(seeds[number] if number < len(seeds) else mutator.mutate(chance.choice(seeds), 2048, chance))
        figures = each.figures()["differential"]
        assert figures[f"{name} agrees"] > count // 10
        assert sum(figures.values()) > 1.8 * count  # but for inputs of nothing
    finally:
        material.comparisons[0].stop()


def test_what_differs_has_a_name_only_where_it_is_that() -> None:
    """A tagged field of FetchSnapshot says that it has 8 octets, and its text ends behind 6, with the body."""
    material = load_material("kafka", folder=ROOT)
    clients = next(each for each in material.comparisons if each.name == "kafka-clients")
    begins = "7b378c381c0e8df40206742d6f6e6501000100"
    pieces = [b"\0\x3b\0\0\0", bytes.fromhex(begins + "08062d6f6e6f6e")]
    with pytest.raises(ProtocolError, match="a longer body") as error:
        clients.ours(pieces)
    ours = Refusal(str(error.value))
    right = begins + "06062d6f6e6f6e"
    assert clients.known(pieces, ours, [26, right]) == "does not hold a tagged field to its size"
    assert clients.known(pieces, ours, [26, pieces[1].hex()]) is None, "it writes what is refused here"
    assert clients.known(pieces, ours, [26, right[:-2]]) is None, "what it writes is refused here, too"
    assert clients.known([b"\0\x3b\0\0\0", bytes.fromhex(right)], ours, [26, right]) is None
