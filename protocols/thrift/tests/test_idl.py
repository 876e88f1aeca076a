"""Messages by the names of an interface."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import thriftpy2

import l7codecs
from l7codecs import LimitExceeded, Limits, Sender, Unsupported
from l7codecs_thrift import ThriftMessage, ThriftOutcome, ThriftTypes

from . import thrift_recorded as recorded
from .test_encodings_recordings import FOLDER
from .thrift_trees import written

IDL = """\
namespace py shop
enum Colour { RED = 1, BLUE = 300 }
struct Item { 1: string name, 2: Colour colour, 3: binary picture, 4: list<Item> parts, 9: uuid id }
exception Gone { 1: string why }
union Either { 1: i32 number, 2: Item item }
service Base { void ping() }
service Orders extends Base {
  Item find(1: Item item, 2: map<Colour, list<Item>> others, 3: set<Colour> colours, 4: map<list<i32>, i32> odd) throws (1: Gone gone)
  Either either(1: Either either)
  oneway void tell(1: double much)
}
service Other { string find(1: i32 number) }
"""
STRING, STRUCT, MAP, SET, LIST, I32, DOUBLE, UUID_TYPE = (11,), (12,), 13, 14, 15, (8,), (4,), (16,)


@pytest.fixture
def types(tmp_path: Path) -> ThriftTypes:
    path = tmp_path / "shop.thrift"
    path.write_text(IDL)
    return ThriftTypes.from_files(path)


def said(*messages: tuple[Sender, bytes], limits: Limits | None = None) -> list[ThriftMessage]:
    """The messages of one connection."""
    session = l7codecs.open_session("thrift") if limits is None else l7codecs.open_session("thrift", limits=limits)
    found: list[Any] = []
    for sender, octets in messages:
        found += session.receive(sender, len(octets).to_bytes(4, "big") + octets)
    return [each for each in found if isinstance(each, ThriftMessage)]


ITEM = [
    (1, (STRING, "a")),
    (2, (I32, 300)),
    (3, (STRING, "AP8=")),
    (4, ((LIST, STRUCT), [[(1, (STRING, "b")), (2, (I32, 7))]])),
    (9, (UUID_TYPE, UUID(int=1))),
    (77, (I32, 5)),
]
NAMED = {
    "name": "a",
    "colour": "BLUE",
    "picture": b"AP8=",
    "parts": [{"name": "b", "colour": 7}],
    "id": UUID(int=1),
    77: 5,
}
CALL = [
    (1, (STRUCT, ITEM)),
    (2, ((MAP, I32, (LIST, STRUCT)), [(1, [[(1, (STRING, "c"))]]), (300, [])])),
    (3, ((SET, I32), [1, 300])),
    (4, ((MAP, (LIST, I32), I32), [([1, 2], 3)])),
]


@pytest.mark.parametrize("kind", ["binary", "old", "compact", "json"])
def test_arguments(kind: str, types: ThriftTypes) -> None:
    (message,) = said((Sender.CLIENT, written(kind, "find", 1, 1, CALL)))
    found = types.arguments(message)
    picture = b"\x00\xff" if kind == "json" else b"AP8="
    assert found == {
        "item": NAMED | {"picture": picture},
        "others": {"RED": [{"name": "c"}], "BLUE": []},
        "colours": ["RED", "BLUE"],
        "odd": [([1, 2], 3)],
    }


@pytest.mark.parametrize("kind", ["binary", "old", "compact", "json"])
def test_outcomes(kind: str, types: ThriftTypes) -> None:
    def outcome(fields: Any, type: int = 2, name: str = "Orders:find") -> ThriftOutcome:
        call, answer = said(
            (Sender.CLIENT, written(kind, name, 1, 1, [])),
            (Sender.SERVER, written(kind, name.rpartition(":")[2], type, 1, fields)),
        )
        assert answer.request is call
        return types.outcome(answer)

    assert outcome([(0, (STRUCT, ITEM[:1]))]) == ThriftOutcome("success", "Item", {"name": "a"})
    assert outcome([(1, (STRUCT, [(1, (STRING, "sold"))]))]) == ThriftOutcome("gone", "Gone", {"why": "sold"})
    assert outcome([]) == ThriftOutcome(None, None, None)
    assert outcome([], name="ping") == ThriftOutcome(None, None, None)
    assert outcome([(0, (STRING, "text"))], name="Other:find") == ThriftOutcome("success", None, "text")
    assert outcome([(0, (STRUCT, [(2, (STRUCT, ITEM[:1]))]))], name="either").value == {"item": {"name": "a"}}
    with pytest.raises(Unsupported, match="exception is no reply"):
        outcome([], type=3)
    with pytest.raises(Unsupported, match="no method 'nope'"):
        outcome([], name="nope")
    with pytest.raises(Unsupported, match="one-way"):
        outcome([], name="tell")


def test_what_the_interface_does_not_say_stays(types: ThriftTypes) -> None:
    """Another type than the interface's is another version of it."""
    (message,) = said(
        (Sender.CLIENT, written("binary", "find", 1, 1, [(1, (I32, 5)), (2, (STRING, "x")), (8, (DOUBLE, 0.5))]))
    )
    assert types.arguments(message) == {"item": 5, "others": "x", 8: 0.5}


@pytest.mark.parametrize("kind", ["binary", "compact", "json"])
def test_a_value_of_another_type_is_no_error(kind: str, types: ThriftTypes) -> None:
    for held, seen in (
        (((MAP, DOUBLE, I32), [(1.5, 3)]), {1.5: 3}),
        (((MAP, STRING, I32), [("name", 3)]), {"name": 3}),
        (((LIST, I32), [1]), [1]),
    ):
        (message,) = said((Sender.CLIENT, written(kind, "find", 1, 1, [(1, held)])))
        assert types.arguments(message) == {"item": seen}
    for much in ((STRING, "abc"), (I32, 5)):
        (message,) = said((Sender.CLIENT, written(kind, "tell", 1, 1, [(1, much)])))
        found = types.arguments(message)["much"]
        assert found == much[1] and type(found) is type(much[1])


@pytest.mark.parametrize(("much", "seen"), [('"abc"', "abc"), ("9" * 400, int("9" * 400)), ('"NaN"', None), ("5", 5.0)])
def test_a_double_in_its_own_json(much: str, seen: object, types: ThriftTypes) -> None:
    text = '{"metadata": {"version": 1, "name": "tell", "ttype": 4, "seqid": 0}, "payload": {"much": ' + much + "}}"
    (message,) = said((Sender.CLIENT, len(text).to_bytes(4, "big") + text.encode()))
    found = types.arguments(message)["much"]
    assert found == seen and type(found) is type(seen) if seen is not None else found != found


def test_its_own_json(types: ThriftTypes, tmp_path: Path) -> None:
    text = (
        b'{"metadata": {"version": 1, "name": "find", "ttype": 1, "seqid": 0}, "payload": {"item": {"name": "a", "picture": "AP8=", '
        b'"colour": 1}, "others": [{"key": 300, "value": [{"name": "c"}]}], "colours": [300]}}'
    )
    (message,) = said((Sender.CLIENT, len(text).to_bytes(4, "big") + text))
    assert types.arguments(message) == {
        "item": {"name": "a", "picture": b"\x00\xff", "colour": "RED"},
        "others": {"BLUE": [{"name": "c"}]},
        "colours": ["BLUE"],
    }


def test_deeper_than_is_named(types: ThriftTypes) -> None:
    item: Any = []
    for _ in range(120):
        item = [(4, ((LIST, STRUCT), [item]))]
    octets = written("binary", "find", 1, 1, [(1, (STRUCT, item))])
    (message,) = said((Sender.CLIENT, octets), limits=Limits(nesting=1000))
    with pytest.raises(LimitExceeded, match="200 levels"):
        types.arguments(message)


def test_modules_and_files(tmp_path: Path) -> None:
    (tmp_path / "base.thrift").write_text("service Base { string hello(1: string name) }\n")
    path = tmp_path / "more.thrift"
    path.write_text('include "base.thrift"\nservice More extends base.Base { void more() }\n')
    octets = written("binary", "hello", 1, 1, [(1, (STRING, "bob"))])
    for types in (ThriftTypes.from_files(path), ThriftTypes(thriftpy2.load(str(path), module_name="more_thrift"))):
        (message,) = said((Sender.CLIENT, octets))
        assert types.arguments(message) == {"name": "bob"}
    with pytest.raises(TypeError, match="thriftpy2"):
        ThriftTypes(sys)
    path.write_text("service {")
    with pytest.raises(ValueError, match=r"more\.thrift"):
        ThriftTypes.from_files(path)
    with pytest.raises(OSError, match="absent"):
        ThriftTypes.from_files(tmp_path / "absent.thrift")


def test_without_thriftpy2() -> None:
    code = (
        "import sys; sys.modules['thriftpy2'] = None\n"
        "from l7codecs_thrift import ThriftTypes\n"
        "try: ThriftTypes.from_files('x.thrift')\n"
        "except ImportError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "l7codecs[thrift]" in told


@pytest.mark.skipif("not recorded.FOLDER", reason="L7CODECS_RECORDINGS is not set")
def test_recorded() -> None:
    """What Python's clients say that they have called and got."""
    types = ThriftTypes.from_files(FOLDER / "service.thrift")
    everything = json.loads((FOLDER / "all.json").read_text())
    checked = 0
    for run in recorded.runs():
        if not run.name.startswith("python"):
            continue
        heard: list[ThriftMessage] = []
        for vector, _ in run.connections:
            session = l7codecs.open_session("thrift")
            for sender, octets in vector.pieces:
                heard += [each for each in session.receive(sender, octets) if isinstance(each, ThriftMessage)]
        calls = [each for each in heard if each.message_type in ("call", "oneway")]
        answers = {each.request: each for each in heard if each.message_type == "reply"}
        assert len(calls) == len(run.calls)
        for call, told in zip(calls, run.calls, strict=True):
            if call.operation == "notThere":
                continue
            wanted = [everything] if told["args"] == "ALL" else told["args"]
            assert [plain(each) for each in types.arguments(call).values()] == wanted
            if "result" in told and told["result"] is not None:
                outcome = types.outcome(answers[call])
                assert plain(outcome.value) == (everything if told["result"] == "ALL" else told["result"])
                checked += 1
            elif told.get("exception") == "Oops":
                assert types.outcome(answers[call]) == ThriftOutcome("e", "Oops", {"why": "why", "code": 7})
    assert checked >= 50


def plain(value: Any) -> Any:
    """As the truth writes it."""
    if isinstance(value, dict):
        return {
            str(key): {"set": plain(each)} if key == "st" else 300 if each == "BLUE" else plain(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return str(value) if isinstance(value, UUID) else value
