"""Dubbo is told from everything else by 16 octets of the client, in whatever pieces they come."""

from __future__ import annotations

import pytest

import l7codecs
from l7codecs import Verdict
from l7codecs_dubbo._body.table import BODIES, NAMES, serialization_name
from l7codecs_dubbo._wire.detection import detect

from .frames import FRAME, C, S, answer, beaten, call, failure, frame, heartbeat

FIRST = [
    call(2**64 - 1),
    call(0, two_way=False),
    heartbeat(7),
    heartbeat(7, b""),
    beaten(1),
    answer(1),
    failure(1, 40, "x"),
    frame(1, b"N", request=True, two_way=True, serialization=13),  # one that an application adds
]


@pytest.mark.parametrize("octets", FIRST)
def test_a_header_is_enough(octets: bytes) -> None:
    for size in range(len(octets)):
        said = detect(octets[:size], b"")
        assert said.verdict is (Verdict.MORE if size < 16 else Verdict.YES)
        assert said.score == 100


@pytest.mark.parametrize(
    "octets",
    [
        frame(1, b"N", request=True, two_way=True, serialization=0),  # no serialization
        frame(1, b"N", request=True, two_way=True, status=20),
        frame(1, b"N", two_way=True, status=20),  # an answer that asks
        frame(1, b"N", status=21),
        b"\xda\xbb\xc2\x00" + bytes(8) + b"\xff\xff\xff\xff",
        b"\xda\xba" + bytes(14),
        b"\xbb\xda" + bytes(14),
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"ls\r\n",
    ],
)
def test_nonsense_is_none(octets: bytes) -> None:
    assert detect(octets, b"").verdict is Verdict.NO


def test_the_client_tells() -> None:
    """What a provider says first may be text, or its own heartbeat; neither takes a verdict back."""
    assert detect(b"", b"").verdict is Verdict.MORE
    assert detect(b"", answer(1)).verdict is Verdict.MORE and detect(b"", b"dubbo>").verdict is Verdict.MORE
    assert detect(call(1), b"dubbo>").verdict is Verdict.YES
    session = l7codecs.open_session("auto")
    assert list(session.receive(S, heartbeat(1))) == []
    events = list(session.receive(C, call(1)))
    assert session.protocol == "dubbo" and [event.kind.value for event in events] in (
        ["request"],
        ["heartbeat", "request"],
    )


def test_serializations_by_name() -> None:
    """As the constants of Dubbo 3.3.6 have them."""
    assert [serialization_name(number) for number in (2, 3, 6, 8, 16, 21, 22, 23, 31)] == [
        "hessian2", "java", "fastjson", "kryo", "gson", "protobuf-json", "protobuf", "fastjson2", "custom-messagepack",
    ]  # fmt: skip
    assert [body.number for body in BODIES] == list(range(32))
    assert {body.number: body.name for body in BODIES if not body.name.isdigit()} == NAMES
    assert {body.name for body in BODIES if body.reads} == {"hessian2", "fastjson2", "fastjson", "gson"}


def test_the_header_is_described_twice() -> None:
    said = FRAME.parse(call(0x0102030405060708))
    assert (said.flags.request, said.flags.two_way, said.flags.event, said.flags.serialization) == (
        True,
        True,
        False,
        2,
    )
    assert said.id == 0x0102030405060708 and call(1)[:4] == b"\xda\xbb\xc2\x00"
