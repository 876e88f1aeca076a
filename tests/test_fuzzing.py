"""The fuzzing suite finds what it is for, says the same of the same input, and finds nothing in what is right."""

from __future__ import annotations

import ast
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import toys
from faulty_endpoints import AfterLoss, CrossesLate, WritesBackwards, with_order
from l7codecs import Data, Kind, Message, Protocol, ProtocolError, Sender, Status, Unsupported
from l7codecs.cli import fuzz as fuzz_command
from l7codecs.cli import main
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.message import Event
from l7codecs.pairing.tables import FifoPairing
from l7codecs.testing.fuzzing import TARGETS, Fuzzer, Material, Program, Spoken, Step, load_material
from l7codecs.testing.fuzzing.engine import NOT_AGAIN
from l7codecs.testing.fuzzing.material import parse_dictionary
from toys import ToyDecoder, ToyMessage, ToySession

ROOT = Path(__file__).resolve().parent.parent
C, S = Sender.CLIENT, Sender.SERVER


def fuzzer(protocol: Protocol, *targets: str, numbered: bool = False) -> Fuzzer:
    material = Material(protocol, toys.framed_vectors(numbered), spoken=lambda chance: spoken(chance, numbered))
    return Fuzzer(material, targets, 1)


def spoken(chance: random.Random, numbered: bool) -> list[Spoken]:
    """Some requests, of which some wait while others are asked, and their answers."""
    found: list[Spoken] = []
    waiting: list[int] = []
    for number in range(chance.randint(1, 8)):
        word, key = chance.choice(("GET", "PUT")), b"k" * chance.randrange(3)
        says = {"operation": word, "resources": (key,) if key else (), "toy.size": 4 + len(key)}
        own = number if numbered else None
        waiting.append(len(found))
        found.append(Spoken(C, toys.frame("?", word.encode() + b" " + key, own), says=says))
        while waiting and chance.random() < 0.5:
            place = waiting.pop(0)
            own = int(found[place].octets[6]) if numbered else None
            says = {"operation": found[place].says["operation"], "payload": b"well done"}
            found.append(Spoken(S, toys.frame(".", b"well done", own), answers=place, says=says))
    return found


def first_fault(each: Fuzzer, most: int = 4000) -> str | None:
    """What is found in so many inputs."""
    seeds = each.seeds()
    mutator = each.mutator(seeds)
    chance = random.Random(2)
    for number in range(most):
        data = seeds[number] if number < len(seeds) else mutator.mutate(chance.choice(seeds), 4096, chance)
        try:
            each.run(data)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


# ------------------------------------------------------------------------------------------------------------- the format


def test_any_octets_are_a_program() -> None:
    chance = random.Random(3)
    for size in range(200):
        program = Program.decode(chance.randbytes(size))
        assert Program.decode(program.encode()) == program


def test_a_program_is_the_same_behind_its_octets() -> None:
    program = Program(1, (Step(0, 1, 2, b"abc"), Step(3), Step(4, 0, 255, b"x" * 65535)), 3, 65535)
    assert Program.decode(program.encode()) == program
    assert len(Program.decode(Program(0, (Step(0, 0, 0, b"y" * 70_000),)).encode()).steps) == 2


def test_a_dictionary_is_read_as_others_read_it() -> None:
    assert parse_dictionary('# tokens\nname="GET"\n\n"\\x00\\"a"\n') == [b"GET", b'\0"a']
    with pytest.raises(ValueError, match="line 1"):
        parse_dictionary("GET")


# ------------------------------------------------------------------------------------------------- what is right, and what is not


@pytest.mark.parametrize("target", [each.name for each in TARGETS if each.name != "differential"])
@pytest.mark.parametrize("numbered", [False, True])
def test_nothing_is_found_in_what_is_right(target: str, numbered: bool) -> None:
    protocol = toys.numbered() if numbered else toys.framed()
    assert first_fault(fuzzer(protocol, target, numbered=numbered), {"growth": 30, "large": 3}.get(target, 120)) is None


class Raises(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        if octets[start + 5 : start + 6] == b"\xff":
            raise KeyError("255")
        return super().message(octets, start, stop, offset, more)


class RaisesOften(ToyDecoder):
    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        if octets[start + 5 : start + 6] > b"\x7f":
            raise KeyError("not ASCII")
        return super().message(octets, start, stop, offset, more)


class LooksAhead(ToyDecoder):
    """Says something that depends on what is there."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if found.kind is Kind.PUSH and len(octets) > stop and octets[stop] == 0:
            found.kind = Kind.RESPONSE
        return found


class PairsTheLast(ToyDecoder):
    """The newest request is answered first."""

    def pair(self, message: Message) -> None:
        table = self.asks if self.sender is C else self.answers
        assert isinstance(table, FifoPairing)
        if message.kind in (Kind.REQUEST, Kind.HEARTBEAT):
            table.asked(message)
        elif message.kind is Kind.RESPONSE and table.pending:
            waiting = table.waiting()
            table.clear()
            message.request = waiting.pop()
            for request in waiting:
                table.asked(request)


class Rescans(ToyDecoder):
    """Looks through all that has come, at each message."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.all = b""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        self.all += octets[start:stop]
        sum(self.all)
        return super().message(octets, start, stop, offset, more)


class Misreads(ToyMessage):
    """Says something wrong, always the same."""

    @property
    def operation(self) -> str | None:
        found = super().operation
        return found and found.lower()


class SaysMisread(ToyDecoder):
    messages = Misreads


class RefusesLong(ToyDecoder):
    def frame_size(self, data: bytes, at: int) -> int:
        size = super().frame_size(data, at)
        if size == 11:
            raise ProtocolError(at, "11 octets", "others")
        return size


class TellsTwice(ToyDecoder):
    """A message of nine octets is two."""

    def frame_size(self, data: bytes, at: int) -> int:
        size = super().frame_size(data, at)
        return size - 1 if size == 9 and data[at + 4] == 63 else size


class GoesOnBehindTheEnd(ToyDecoder):
    """What is pushed goes on with what was pushed before, which is whole."""

    before: Message | None = None

    def next_event(self) -> Event | None:
        found = super().next_event()
        if isinstance(found, Message) and found.kind is Kind.PUSH:
            if self.before is not None:
                return Data(self.before, found.offset, found.octets, False, found.start, found.stop)
            self.before = found
        return found


class SilentBehindLoss(ToyDecoder):
    """What comes first behind lost octets is told to get no answer."""

    silent = False

    def restart(self) -> None:
        super().restart()
        self.silent = True

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        if self.silent and found.kind is Kind.REQUEST:
            found.kind = Kind.ONEWAY
        return found


FAULTS = [
    (GoesOnBehindTheEnd, "conversation", "which is not announced with more"),
    (SilentBehindLoss, "loss", "is told as one that gets no answer, and it is a request"),
    (Raises, "conversation", "KeyError"),
    (Raises, "direction", "KeyError"),
    (LooksAhead, "conversation", "cut in another way"),
    (PairsTheLast, "conversation", "a later request was answered before"),
    (Rescans, "growth", "times as long"),
    (SaysMisread, "truth", "operation of the client's request at octet 0 is 'get', and 'GET' was said"),
    (PairsTheLast, "truth", "and was said to"),
    (RefusesLong, "truth", "in octets that are right"),
    (TellsTwice, "truth", "octets that are right"),
]


@pytest.mark.parametrize(("fault", "target", "says"), FAULTS, ids=[f"{f.__name__}-{t}" for f, t, _ in FAULTS])
def test_a_fault_of_a_decoder_is_found(fault: type[ToyDecoder], target: str, says: str) -> None:
    session = type("Opens", (ToySession,), {"decoders": fault})
    assert says in str(first_fault(fuzzer(toys.framed(session=session), target)))


@pytest.mark.parametrize("order", [CrossesLate, WritesBackwards])
def test_a_fault_of_an_endpoint_is_found(order: type[AnswerOrder]) -> None:
    assert "AssertionError" in str(first_fault(fuzzer(with_order(order), "endpoints")))


class RefusesNone(ToySession):
    """No answer of it says that something was refused."""

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        raise Unsupported("no answer says that")


def test_a_protocol_may_have_no_word_for_what_is_refused() -> None:
    assert first_fault(fuzzer(toys.framed(session=RefusesNone), "endpoints"), 150) is None


class CountsRequests(ToyDecoder):
    """A request says how many there were before it, as far as was heard."""

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> ToyMessage:
        found = super().message(octets, start, stop, offset, more)
        count = getattr(self, "count", 0)
        self.count = count + 1  # type: ignore[misc]
        return type("Counted", (ToyMessage,), {"collect": lambda _, said: said.update({"toy.size": count})})(
            self.flow, self.sender, found.kind, offset, octets, start, stop, more
        )


@pytest.mark.parametrize(("learnt", "found"), [((), True), (("toy.size",), False)])
def test_what_a_request_says_behind_a_loss_is_what_it_said(learnt: tuple[str, ...], found: bool) -> None:
    protocol = toys.framed(session=type("Opens", (ToySession,), {"decoders": CountsRequests}))
    each = Fuzzer(Material(protocol, toys.framed_vectors(False), learnt=learnt), ["loss"], 1)
    assert ("tells toy.size as" in str(first_fault(each, 400))) is found


def test_a_wrong_pair_after_loss_is_found() -> None:
    assert "is told to answer" in str(first_fault(fuzzer(toys.framed(session=AfterLoss), "loss")))


# ------------------------------------------------------------------------------------------------------------- the command


def test_shrinking_leaves_what_fails() -> None:
    session = type("Opens", (ToySession,), {"decoders": Raises})
    each = fuzzer(toys.framed(session=session), "conversation")
    good = [Step(0, 0, 0, toys.frame("?", b"GET key"))] * 5
    bad = Program(1, (*good, Step(0, 0, 0, toys.frame("?", b"\xffwith more behind it")), *good))
    small = Program.decode(each.shrink(bad.encode()))
    assert each.fails(small.encode()) == each.fails(bad.encode())
    assert len(small.steps) == 1 and len(small.steps[0].octets) <= 26


def test_an_author_says_in_pyproject_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "said").mkdir()
    (tmp_path / "said" / "one.txt").write_text("C GET\n")
    (tmp_path / "tokens.dict").write_text('"abc"\n')
    (tmp_path / "grammar.py").write_text(
        "from l7codecs import Sender\ndef conversation(chance):\n    return [(Sender.CLIENT, b'made')]\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.l7codecs.fuzz.redis]\nvectors = "said"\ndictionary = "tokens.dict"\ngrammar = "grammar.py"\nmisleading = ["one"]\n'
    )
    material = load_material("redis", folder=tmp_path)
    assert [vector.name for vector in material.all_vectors] == ["one"]
    assert b"abc" in material.tokens and material.misleading == ("one",)
    assert [vector.pieces for vector in material.made(random.Random(1), 1)] == [((C, b"made"),)]


def test_the_command_fuzzes_and_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    vectors = str(ROOT / "protocols" / "redis" / "vectors")
    arguments = ["fuzz", "redis", "--vectors", vectors, "--corpus", "corpus"]
    given = [*arguments, "--grow", "--seconds", "2", "--seed", "7", "--engine", "own", "--target", "direction"]
    assert main(given) == 0
    assert "nothing was found" in capsys.readouterr().out
    assert Fuzzer(load_material("redis", folder=ROOT)).left_out == []
    alone = Fuzzer(load_material("redis", vectors=[Path(vectors)]), ["truth", "direction", "differential"])
    assert alone.left_out == ["differential", "truth"]
    Path("corpus").mkdir(exist_ok=True)
    Path("corpus/one").write_bytes(Program(0, (Step(0, 0, 0, b"*1\r\n$4\r\nPING\r\n"),)).encode())
    assert main([*arguments, "--replay", "corpus"]) == 0
    assert "0 fail" in capsys.readouterr().out


def test_the_command_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fuzz", "redis"]) == 2
    assert "--vectors" in capsys.readouterr().err
    assert main(["fuzz", "nothing"]) == 2
    vectors = str(ROOT / "protocols" / "redis" / "vectors")
    assert main(["fuzz", "redis", "--vectors", vectors, "--target", "nothing"]) == 2


# ------------------------------------------------------------------------------------------------- what the repository adds for its rooms


@pytest.mark.parametrize("name", ["dubbo", "http2", "kafka", "redis", "thrift", "thriftmux"])
def test_most_conversations_of_a_grammar_are_right(name: str) -> None:
    """Whatever else happens to them later, so that they get past the first length; each says something."""
    material = load_material(name, folder=ROOT)
    chance = random.Random(4)
    whole = 0
    for vector in material.made(chance, 40):
        session = material.protocol.open()
        events: list[Event] = []
        with contextlib.suppress(ProtocolError):
            for sender, octets in vector.pieces:
                for event in session.receive(sender, octets):
                    events.append(event)
            whole += 1
        assert any(isinstance(event, Message) for event in events), vector
    assert whole >= 24


@pytest.mark.parametrize("name", ["dubbo", "http2", "kafka", "redis", "thrift", "thriftmux"])
def test_what_a_grammar_says_is_what_is_read(name: str) -> None:
    """Each message of conversations that are right: whose maker knows what it says."""
    truth = Fuzzer(load_material(name, folder=ROOT), ["truth"], 1)
    for number in range(60):
        truth.run(Program(8, (Step(0, 0, 0, number.to_bytes(4, "big")),), 0, number).encode())
    assert truth.figures()["truth"]["messages"] > 300


def test_a_grammar_may_know_all_that_it_makes(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "one.txt").write_text("C GET\n")
    (tmp_path / "grammar.py").write_text(
        "from l7codecs import Sender\nfrom l7codecs.testing.fuzzing import Spoken\n"
        "def spoken(chance):\n    return [Spoken(Sender.CLIENT, b'PING\\r\\n', says={'operation': 'PING'})]\n"
    )
    (tmp_path / "pyproject.toml").write_text('[tool.l7codecs.fuzz.redis]\ngrammar = "grammar.py"\n')
    material = load_material("redis", folder=tmp_path)
    assert [vector.pieces for vector in material.made(random.Random(1), 1)] == [((C, b"PING\r\n"),)]
    Fuzzer(material, ["truth"]).run(Program(8, (Step(0),)).encode())
    (tmp_path / "grammar.py").write_text("")
    with pytest.raises(ValueError, match="neither"):
        load_material("redis", folder=tmp_path)


def test_a_run_goes_on_behind_findings_and_counts_them(tmp_path: Path) -> None:
    each = fuzzer(toys.framed(session=type("Opens", (ToySession,), {"decoders": RaisesOften})), "direction")
    each.keep_going = True
    each.loop(60, tmp_path / "grown", tmp_path / "work", [], 1500, True)
    assert each.executions.total() == 1500
    # Which inputs are made depends on what the process has loaded: of one side or both, each says the same many times.
    assert all("KeyError" in what for what in each.found)
    assert len(list((tmp_path / "work").glob("*.fuzz"))) == len(each.found) < each.found.total()


def test_what_costs_more_is_looked_at_where_an_input_is_new(tmp_path: Path) -> None:
    each = fuzzer(toys.framed(), "conversation")
    each.loop(60, tmp_path / "grown", tmp_path / "work", [], 400, True)
    examined = each.figures()["conversation"]["examined"]
    assert 400 // 16 <= examined < 200
    assert 0 < len(list((tmp_path / "grown").iterdir())) < examined


def test_what_a_grammar_makes_comes_first() -> None:
    """Much of it no mutation comes to: it is run before anything else."""

    def grammar(chance: random.Random) -> list[tuple[Sender, bytes]]:
        return [(C, b"made %d" % chance.randrange(1 << 30))]

    each = Fuzzer(Material(toys.framed(), toys.framed_vectors(False), grammar=grammar), (), 1)
    assert [len(each.made(*asked)) for asked in ((0,), (3,), (1000,), (1000, 50))] == [0, 60, 3000, 5]
    assert {Program.decode(data).target for data in each.made(3)} == {1, 2, 3, 5}
    ran: list[Program] = []
    each.begin(ran.append, 20, 200)
    assert [program.steps[0].octets[:5] for program in ran if program.target in (1, 5)] == [b"made "] * 10
    assert [program.target for program in ran if program.target != 9][:8] == [1, 3, 1, 2, 1, 3, 5, 2]
    ran.clear()
    each.begin(ran.append, 0.0, 0)
    assert ran == []


def test_sources_are_preferred_of_our_packages_alone(tmp_path: Path) -> None:
    """Wherever they lie: a clone is called as the project is, and has others' packages below it."""
    packages = tmp_path / "l7codecs" / "site-packages"
    for name in ("l7codecs_acme", "other"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("")
        (packages / name / "part.py").write_text("")
    code = (
        "import sys; from l7codecs_command.fuzzing import prefer_sources; prefer_sources()\n"
        "import l7codecs_acme.part, other.part\n"
        "print([str(sys.path_importer_cache[sys.modules[name].__path__[0]]._loaders) for name in ('l7codecs_acme', 'other')])"
    )
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert not done.stderr
    ours, others = ast.literal_eval(done.stdout)
    assert "ExtensionFileLoader" not in ours
    assert "ExtensionFileLoader" in others


def test_what_time_says_once_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process of its own has to find it again; what is raised for another reason stays a finding, though nothing raises it again."""
    monkeypatch.chdir(tmp_path)
    seconds = []

    def start(request: Mapping[str, object], material: object, log: object) -> int:
        if request["shrink"]:
            return NOT_AGAIN
        seconds.append(request["seconds"])
        work = Path(str(request["folder"]))
        work.mkdir()
        what = "TookLonger: decoding" if len(seconds) < 3 else "KeyError: no such word"
        (work / "abc.fuzz").write_bytes(b"abc")
        (work / "abc.txt").write_text(f"{what}\ntraceback")
        return 0

    monkeypatch.setattr(fuzz_command, "_start", start)
    vectors = str(ROOT / "protocols" / "redis" / "vectors")
    assert main(["fuzz", "redis", "--vectors", vectors, "--seconds", "30", "--engine", "own"]) == 1
    assert len(seconds) == 3 and 20 < seconds[2] < seconds[1] < seconds[0] == 30
    assert capsys.readouterr().out.count("once, and not again in a process of its own: TookLonger") == 2
    assert Path("fuzz-findings", "abc.fuzz").exists()


def test_bursts_are_examined_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = fuzzer(toys.framed(), "endpoints")
    examined: list[Program] = []
    monkeypatch.setattr(each, "examine", examined.append)
    each.loop(60, tmp_path / "corpus", tmp_path / "found", [], 300)
    bursts = [Program.decode(data) for data in fuzzer(toys.framed(), "endpoints").bursts(60, 300)]
    assert len(bursts) == 1 and examined[0].seed == bursts[0].seed == 1
    assert [len(each.bursts(*asked)) for asked in ((10,), (100,), (600,))] == [0, 2, 4]


@pytest.mark.parametrize("patch", sorted((ROOT / "fuzz" / "faults").glob("*.patch")), ids=lambda each: each.stem)
def test_a_fault_can_be_put_back(patch: Path) -> None:
    """What each hunk takes away stands in the sources as they are."""
    texts: dict[str, str] = {}
    for part in patch.read_text("utf-8").split("\n--- a/")[1:]:
        name, _, rest = part.partition("\n")
        texts[name] = (ROOT / name).read_text("utf-8")
        for hunk in rest.split("\n@@ ")[1:]:
            lines = hunk.split("\n")[1:]
            old = "\n".join(line[1:] for line in lines if line[:1] in (" ", "-"))
            assert old in texts[name], f"{name}: {old}"
    assert texts
