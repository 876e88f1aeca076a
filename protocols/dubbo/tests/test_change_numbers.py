"""Attachments that refer to each other and to the arguments, of which some are left out: what stays means the same.

What is expected is written anew from the values, without what is left out: the octets have to be the same.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import l7codecs
from l7codecs import Changes, Sender, Unsupported
from l7codecs.testing import growth
from l7codecs_dubbo import DubboRequest
from l7codecs_dubbo._hessian.values import ClassDefinition, HessianList, HessianMap, HessianObject, Value
from l7codecs_dubbo._hessian.writer import Writer
from l7codecs_dubbo._jsonb.values import encode

from .frames import C, call, frame

HEAD = ("2.0.2", "com.acme.Orders", "1.0.0", "place")


def request(arguments: list[Value], attachments: Value) -> bytes:
    """A request in Hessian 2."""
    writer = Writer()
    for text in (*HEAD, "Ljava/lang/Object;" * len(arguments)):
        writer.string(text)
    for value in arguments:
        writer.value(value)
    writer.value(attachments)
    return framed(writer.getvalue(), 2)


def framed(body: bytes, serialization: int) -> bytes:
    return bytes((0xDA, 0xBB, 0xC0 | serialization, 0)) + (7).to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


def changed(octets: bytes, changes: Changes) -> bytes:
    (event,) = l7codecs.open_session("dubbo").receive(Sender.CLIENT, octets)
    assert isinstance(event, DubboRequest)
    return l7codecs.open_session("dubbo", endpoint=Sender.CLIENT).send(event, changes)


CLASSES = [ClassDefinition(f"C{size}", tuple(f"f{at}" for at in range(size))) for size in range(4)] + [
    ClassDefinition(f"D{number}", ("a",)) for number in range(20)
]
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.text("aé😀", max_size=40),
    st.binary(max_size=40),
    st.floats(allow_nan=False),
)


@st.composite
def graphs(draw: st.DrawFn) -> list[Value]:
    """Values that hold values before them, so that some are shared."""
    made: list[Value] = []
    for _ in range(draw(st.integers(1, 12))):
        inner = st.one_of(PLAIN, st.sampled_from(made)) if made else PLAIN
        items = draw(st.lists(inner, max_size=9))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            made.append(items)
        elif kind == 1:
            made.append(HessianList(draw(st.sampled_from(["[int", "[string", "java.util.Vector"])), items))
        elif kind == 2:
            made.append({f"k{at}": item for at, item in enumerate(items)})
        elif kind == 3:
            made.append(
                HessianMap(
                    draw(st.sampled_from(["java.util.TreeMap", "[int"])), [(at, item) for at, item in enumerate(items)]
                )
            )
        elif kind == 4:
            definition = draw(st.sampled_from(CLASSES))
            made.append(HessianObject(definition, (items + [None] * 4)[: len(definition.fields)]))
        else:
            made.append(draw(PLAIN))
    return made


def parts_of(value: Value, found: dict[int, set[Any]]) -> set[Any]:
    """What a value has of what others may refer to: itself and the containers in it, their types and classes."""
    known = found.get(id(value))
    if known is not None:
        return known
    inside: set[Any] = set()
    items: list[Value] = []
    if isinstance(value, list):
        items = value
    elif isinstance(value, HessianList):
        items = value.items
        inside.add(f"type {value.type_name}")
    elif isinstance(value, dict):
        items = list(value.values())
    elif isinstance(value, HessianMap):
        items = [item for _, item in value.pairs]
        inside.add(f"type {value.type_name}")
    elif isinstance(value, HessianObject):
        items = value.values
        inside.add(value.definition)
    else:
        return inside
    inside.add(id(value))
    for item in items:
        inside |= parts_of(item, found)
    found[id(value)] = inside
    return inside


@given(graphs(), st.data())
def test_what_stays_has_new_numbers(values: list[Value], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, min(3, len(values))))
    arguments = values[:cut]
    attachments: dict[str, Value] = {"path": "com.acme.Orders"}
    for at in range(data.draw(st.integers(0, 8))):
        attachments[f"a{at}"] = data.draw(st.sampled_from(values))
    names = [key for key in attachments if key != "path"]
    fate = {name: data.draw(st.sampled_from(["stays", "stays", "goes", "changes"])) for name in names}
    gone = [name for name in names if fate[name] == "goes"]
    new = {name: f"new {name}" for name in names if fate[name] == "changes"}
    typed = data.draw(st.booleans())

    def mapped(entries: dict[str, Value]) -> Value:
        return HessianMap("java.util.TreeMap", list(entries.items())) if typed else entries

    before = request(arguments, mapped(attachments))
    expected = {key: new.get(key, value) for key, value in attachments.items() if key not in gone}
    try:
        after = changed(before, Changes(set_headers=new, remove_headers=gone))
    except Unsupported:
        # Something that is left out was the first of what stays.
        found: dict[int, set[Any]] = {}
        earlier: set[Any] = set()
        for value in arguments:
            earlier |= parts_of(value, found)
        if typed:
            earlier.add("type java.util.TreeMap")
        lost: set[Any] = set()
        shared = False
        for key, value in attachments.items():
            its = parts_of(value, found) - earlier
            if fate.get(key, "stays") == "stays":
                shared = shared or bool(its & lost)
                earlier |= its
            else:
                lost |= its
        assert shared
        return
    assert after == request(arguments, mapped(expected))


def test_many_classes() -> None:
    """Beyond the sixteenth a class's number is an int."""
    objects: dict[str, Value] = {f"k{at}": HessianObject(CLASSES[4 + at], [at]) for at in range(20)}
    attachments: dict[str, Value] = {"path": HEAD[1], **objects, "last": HessianObject(CLASSES[23], ["x"])}
    for gone in (["k0"], ["k3", "k17"], ["k0", "k1", "k2", "k3", "k4"]):
        rest = {key: value for key, value in attachments.items() if key not in gone}
        assert changed(request([], attachments), Changes(remove_headers=gone)) == request([], rest)


def test_many_that_are_left_out_cost_linear_time() -> None:
    def cost(count: int) -> float:
        entries: list[tuple[Value, Value]] = []
        for at in range(count):
            kept: Value = [at]
            entries += [("gone", [at]), (f"a{at}", kept), (f"b{at}", kept)]
        octets = request([], HessianMap(None, entries))
        (event,) = l7codecs.open_session("dubbo", limits=l7codecs.Limits(message=10**8)).receive(Sender.CLIENT, octets)
        assert isinstance(event, DubboRequest)
        begin = time.process_time()
        after = l7codecs.open_session("dubbo", endpoint=Sender.CLIENT).send(event, Changes(remove_headers=["gone"]))
        seconds = time.process_time() - begin
        assert after == request([], HessianMap(None, [each for each in entries if each[0] != "gone"]))
        return seconds

    assert growth(cost, 2_000, 16_000, 24) <= 24


def test_a_cycle() -> None:
    thrown = HessianObject(ClassDefinition("java.lang.Exception", ("cause", "detailMessage")), [None, "m"])
    thrown.values[0] = thrown
    attachments: dict[str, Value] = {"list": [1, 2], "error": thrown, "again": thrown}
    after = changed(request([], attachments), Changes(remove_headers=["list"]))
    assert after == request([], {"error": thrown, "again": thrown})
    with pytest.raises(Unsupported):
        changed(request([], attachments), Changes(remove_headers=["error"]))


def test_no_attachments_at_all() -> None:
    """Null, an empty map, and a body that ends before them: a map is written."""
    expected = request([1], {"tenant": "a"})
    for attachments in (None, {}):
        assert changed(request([1], attachments), Changes(set_headers={"tenant": "a"})) == expected
    whole = request([1], None)
    body = whole[16:-1]
    assert changed(framed(body, 2), Changes(set_headers={"tenant": "a"})) == expected
    assert changed(framed(body, 2), Changes(remove_headers=["tenant"])) == framed(body, 2)


def test_attachments_that_are_a_reference() -> None:
    """A map that is an argument as well is not changed."""
    shared: Value = {"tenant": "a"}
    with pytest.raises(Unsupported):
        changed(request([shared], shared), Changes(set_headers={"tenant": "b"}))


def test_octets_behind_the_attachments() -> None:
    octets = request([], {"tenant": "a"})
    longer = framed(octets[16:] + b"\x90\x91", 2)
    assert changed(longer, Changes(set_headers={"tenant": "b"})) == framed(
        request([], {"tenant": "b"})[16:] + b"\x90\x91", 2
    )


def test_names_twice() -> None:
    """Java keeps the last of them. Set, there is one; removed, there is none."""
    twice = HessianMap(None, [("t", "1"), (7, "seven"), ("t", "2"), ("u", "3")])
    assert changed(request([], twice), Changes(set_headers={"t": "9"})) == request(
        [], HessianMap(None, [("t", "9"), (7, "seven"), ("u", "3")])
    )
    assert changed(request([], twice), Changes(remove_headers=["t"])) == request(
        [], HessianMap(None, [(7, "seven"), ("u", "3")])
    )


# fastjson2.


def jsonb(attachments: bytes) -> bytes:
    """A request of fastjson2."""
    body = b"".join(
        len(each).to_bytes(4, "big") + each for each in [*(encode(text) for text in (*HEAD, "")), attachments]
    )
    return framed(body, 23)


def entry(key: str, octets: str) -> bytes:
    return encode(key) + bytes.fromhex(octets)


NAMES = "92 4c782e79 00 a6 7f 4a61 01 05 a5"
"""An object of class x.y with a field a."""


@pytest.mark.parametrize(
    ("later", "works"),
    [
        ("92 00 a6 7f 01 06 a5", False),  # its class and the name of its field
        ("a6 7f 01 06 a5", False),  # the name alone
        ("92 4c782e7a 02 a6 7f 4a62 03 06 a5", True),
        ("93 4a2e", False),  # a reference, to whatever
        ("95 01", True),
    ],
)
def test_names_and_references_of_jsonb(later: str, works: bool) -> None:
    octets = jsonb(b"\xa6" + entry("one", NAMES) + entry("two", later) + b"\xa5")
    for changes, first in (
        (Changes(remove_headers=["one"]), b""),
        (Changes(set_headers={"one": 5}), entry("one", "05")),
    ):
        if works:
            assert changed(octets, changes) == jsonb(b"\xa6" + first + entry("two", later) + b"\xa5")
        else:
            with pytest.raises(Unsupported):
                changed(octets, changes)
    assert changed(octets, Changes(remove_headers=["two"])) == jsonb(b"\xa6" + entry("one", NAMES) + b"\xa5")


def test_texts_of_any_form_in_a_head() -> None:
    """Short ones may say their size behind their first octet, too, or be in another encoding."""
    name = "com.acme." + "x" * 38
    forms = [bytes((0x49 + 47,)) + name.encode(), b"\x79\x2f" + name.encode(), b"\x7a\x2f" + name.encode()]
    forms.append(b"\x7c\x38\x5e" + name.encode("utf-16-le"))
    for form in forms:
        values = [encode("2.0.2"), form, encode("1.0.0"), encode("place"), encode(""), b"\xa6\xa5"]
        body = b"".join(len(each).to_bytes(4, "big") + each for each in values)
        (event,) = l7codecs.open_session("dubbo").receive(Sender.CLIENT, framed(body, 23))
        assert isinstance(event, DubboRequest)
        assert event.service == name


def test_keys_of_jsonb_that_are_no_text() -> None:
    octets = jsonb(b"\xa6" + entry("a", "01") + b"\x05\x06" + entry("b", "02") + b"\x07\x08\xa5")
    assert changed(octets, Changes(remove_headers=["a"])) == jsonb(b"\xa6\x05\x06" + entry("b", "02") + b"\x07\x08\xa5")
    assert changed(octets, Changes(set_headers={"b": 3, "c": 4})) == jsonb(
        b"\xa6" + entry("a", "01") + b"\x05\x06" + entry("b", "03") + b"\x07\x08" + entry("c", "04") + b"\xa5"
    )


def test_a_map_of_a_class_in_jsonb() -> None:
    octets = jsonb(b"\x92" + encode("TreeMap") + b"\0\xa6" + entry("a", "01") + b"\xa5")
    assert changed(octets, Changes(set_headers={"a": "x"})) == jsonb(
        b"\x92" + encode("TreeMap") + b"\0\xa6" + entry("a", "4a78") + b"\xa5"
    )
    assert changed(jsonb(b"\xaf"), Changes(set_headers={"a": 1})) == jsonb(b"\xa6" + entry("a", "01") + b"\xa5")


# JSON, a line for each value.


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ('{"a":"1","b":[1,{"c":"},"}],"d":2}', Changes(remove_headers=["a"]), '{"b":[1,{"c":"},"}],"d":2}'),
        ('{"a":"1","b":2}', Changes(remove_headers=["a", "b"]), "{}"),
        ("{}", Changes(set_headers={"a": 1.5, "é": True}), '{"a":1.5,"é":true}'),
        ("null", Changes(set_headers={"a": "\n"}), '{"a":"\\n"}'),
        ('{ "a" : "1" , "b" : 2 }', Changes(set_headers={"b": "x"}), '{"a" : "1","b":"x"}'),
        ('{"a\\"":"1"}', Changes(set_headers={'a"': "2"}), '{"a\\"":"2"}'),
    ],
)
def test_json(before: str, changes: Changes, after: str) -> None:
    head = "".join(f'"{text}"\n' for text in (*HEAD, ""))
    assert changed(framed(f"{head}{before}\n".encode(), 6), changes)[16:] == f"{head}{after}\n".encode()


def test_a_name_with_half_a_surrogate_pair_can_be_removed() -> None:
    """It cannot be written, but a peer can say it."""
    octets = call(1, attachments=b"H\x01\xed\xa0\xbd\x01x\x01a\x01bZ")
    (request,) = l7codecs.open_session("dubbo").receive(C, octets)
    session = l7codecs.open_session("dubbo", endpoint=C)
    assert session.send(request, Changes(remove_headers=["\ud83d"])).endswith(b"H\x01a\x01bZ")
    with pytest.raises(ValueError, match="half"):
        session.send(request, Changes(set_headers={"\ud83d": "x"}))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n", b"\nnull\n", b"\nnull"])
def test_attachments_in_json_begin_a_line(end: bytes) -> None:
    """The last line may have no end."""
    octets = b"\n".join([b'"2.0.2"', b'"a"', b'"1"', b'"m"', b'"I"', b"5"]) + end
    (request,) = l7codecs.open_session("dubbo").receive(C, frame(1, octets, request=True, serialization=6))
    session = l7codecs.open_session("dubbo", endpoint=C)
    changed = session.send(request, Changes(set_headers={"new": "x"}))
    (again,) = l7codecs.open_session("dubbo").receive(C, changed)
    assert list(again.headers) == [("new", "x")] and "dubbo.malformed" not in again.attributes
    assert changed[16:].splitlines()[5:] == [b"5", b'{"new":"x"}']
