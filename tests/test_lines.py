"""Lines with blocks: a toy protocol passes the conformance kit, and a reader of a few lines says what each conversation is."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import (
    Data,
    Detection,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Line,
    LineDecoder,
    LineMessage,
    Message,
    Opaque,
    Pairing,
    Protocol,
    ProtocolError,
    Sender,
    Session,
    Status,
    Verb,
    Verdict,
)
from l7codecs.testing import ProtocolConformance, Vector, check_cuts, replay

C, S = Sender.CLIENT, Sender.SERVER


class Decoder(LineDecoder):
    """put KEY SIZE, hput KEY HEADER SIZE, fetch KEY…, drop KEY [quietly]; VALUE KEY SIZE … DONE, OK, ERR."""

    verbs: ClassVar[dict[bytes, Verb]] = {
        b"put": Verb(Kind.REQUEST, "put", resource=1, block=2),
        b"hput": Verb(Kind.REQUEST, "hput", resource=1, block=-1, head=-2),
        b"fetch": Verb(Kind.REQUEST, "fetch", resource=1, many=True),
        b"drop": Verb(Kind.REQUEST, "drop", resource=1, quietly=b"quietly"),
        b"VALUE": Verb(Kind.RESPONSE, block=2, goes_on=True, status=Status.OK),
        b"NOTE": Verb(Kind.RESPONSE, goes_on=True, status=Status.OK),
        b"DONE": Verb(Kind.RESPONSE, status=Status.NOT_FOUND, error="nothing"),
        b"OK": Verb(Kind.RESPONSE, status=Status.OK),
        b"ERR": Verb(Kind.RESPONSE, status=Status.UNKNOWN, error="ERR"),
    }


def detect(client: bytes, server: bytes) -> Detection:
    return Detection(Verdict.NO)


def protocol(decoder: type[LineDecoder]) -> Protocol:
    return Protocol(name="toy", title="Toy", attributes=(), pairing=Pairing.FIFO, decoder=decoder, detect=detect)


TOY = protocol(Decoder)


def vector(name: str, *pieces: tuple[Sender, bytes]) -> Vector:
    return Vector(name, pieces)


VECTORS = [
    vector(
        "values",
        (C, b"put a 3\r\nx\r\n\r\n"),
        (S, b"OK\r\n"),
        (C, b"fetch a  b\tc \r\ndrop a quietly\r\nfetch z\n"),
        (S, b"VALUE a 3\r\nx\r\n\r\nNOTE\r\nVALUE b 0\r\n\r\nDONE\r\nDONE \r\n"),
    ),
    vector("headers", (C, b"hput k 4 0006\r\na: bcd\r\nput e 0\r\n\r\n"), (S, b"ERR too much\r\nOK\n")),
]


class TestToy(ProtocolConformance):
    protocol = TOY
    vectors = VECTORS
    undetected: ClassVar[list[str]] = ["values", "headers"]
    unsupported = ("reply_error",)
    golden = False

    def large(self, size: int) -> list[Vector]:
        value = b"put x 3\r\n" * (size // 9)
        put = b"put big %d\r\n%s\r\n" % (len(value), value)
        fetched = b"VALUE a 1\r\nx\r\nVALUE big %d\r\n%s\r\nNOTE 1\r\nDONE\r\n" % (len(value), value)
        notes = b"NOTE abcdef\r\n" * (size // 13) + b"DONE\r\n"
        return [
            vector("large block", (C, put + put), (S, b"OK\r\n")),
            vector("large values", (C, b"fetch a big\r\n"), (S, fetched + fetched)),
            vector("large in lines", (C, b"fetch a\r\n"), (S, notes)),
        ]


def events(octets: bytes, sender: Sender = C, limits: Limits | None = None, by: int = 1 << 30) -> list[object]:
    session = TOY.open(limits=limits or Limits())
    return [event for at in range(0, len(octets), by) for event in session.receive(sender, octets[at : at + by])]


def test_what_a_line_says() -> None:
    session = TOY.open()
    outcome = replay(session, VECTORS[0], eof=True)
    said = [
        (e.sender.value, e.kind.value, e.operation, e.resources, e.status and e.status.name, e.error, e.raw)
        for e in outcome.events
        if isinstance(e, LineMessage)
    ]
    values = b"VALUE a 3\r\nx\r\n\r\nNOTE\r\nVALUE b 0\r\n\r\nDONE\r\n"
    assert said == [
        ("client", "request", "put", (b"a",), None, None, b"put a 3\r\nx\r\n\r\n"),
        ("server", "response", "put", (), "OK", None, b"OK\r\n"),
        ("client", "request", "fetch", (b"a", b"b\tc"), None, None, b"fetch a  b\tc \r\n"),
        ("client", "oneway", "drop", (b"a",), None, None, b"drop a quietly\r\n"),
        ("client", "request", "fetch", (b"z",), None, None, b"fetch z\n"),
        ("server", "response", "fetch", (), "OK", None, values),
        ("server", "response", "fetch", (), "NOT_FOUND", "nothing", b"DONE \r\n"),
    ]
    put = outcome.events[0]
    assert isinstance(put, LineMessage)
    assert (put.word(1), put.word(-1), put.word(3), put.words) == (b"a", b"3", None, [b"put", b"a", b"3"])
    assert (put.block, put.block_size, put.payload) == (b"x\r\n", 3, b"x\r\n")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"drop a quietly", Kind.ONEWAY),
        (b"drop a quietly  ", Kind.ONEWAY),
        (b"drop quietly quietly", Kind.ONEWAY),
        (b"drop quietly", Kind.REQUEST),  # that is the key
        (b"drop a unquietly", Kind.REQUEST),
        (b"drop a quietly b", Kind.REQUEST),
        (b"fetch a quietly", Kind.REQUEST),
        (b"quietly", None),
    ],
)
def test_a_last_word_that_wants_no_answer(line: bytes, kind: Kind | None) -> None:
    if kind is None:
        with pytest.raises(ProtocolError):
            events(line + b"\r\n")
        return
    (message,) = events(line + b"\r\n")
    assert isinstance(message, Message)
    assert message.kind is kind


def test_tabs_and_case() -> None:
    class Loud(Decoder):
        tabs = True
        any_case = True
        verbs: ClassVar[dict[bytes, Verb]] = {
            word.upper(): verb for word, verb in Decoder.verbs.items() if word.islower()
        }

    session = protocol(Loud).open()
    (first, second) = session.receive(C, b" Fetch\ta\t b\t\r\nPUT\tk\t2\t\nxy\r\n")
    assert isinstance(first, LineMessage) and isinstance(second, LineMessage)
    assert (first.resources, second.block, second.words) == ((b"a", b"b"), b"xy", [b"PUT", b"k", b"2"])


def read_whole(octets: bytes) -> list[bytes]:
    """The messages of the client in `octets`, in the simplest way there is."""
    found = []
    while octets:
        line, _, _ = octets.partition(b"\n")
        size = len(line) + 1
        words = line.removesuffix(b"\r").split(b" ")
        if words[0] == b"put":
            size += int(words[2]) + 2
        found.append(octets[:size])
        octets = octets[size:]
    return found


PUT = st.builds(
    lambda key, value, end: b"put %s %d%s%s\r\n" % (key, len(value), end, value),
    st.sampled_from([b"a", b"key"]),
    st.one_of(st.binary(max_size=20), st.sampled_from([b"put a 2\r\nxy\r\n", b"x" * 100])),
    st.sampled_from([b"\n", b"\r\n"]),
)
FETCH = st.sampled_from([b"fetch a\r\n", b"fetch a b c\n", b"drop k quietly\r\n"])


@given(st.lists(st.one_of(PUT, FETCH), max_size=20), st.integers(1, 40))
def test_messages_are_those_of_a_simple_reader(parts: list[bytes], by: int) -> None:
    octets = b"".join(parts)
    assert [event.raw for event in events(octets, by=by)] == read_whole(octets) == parts  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("octets", "error", "offset"),
    [
        (b"put a 3\r\nxyzab", ProtocolError, 12),  # no line end behind the block
        (b"drop a\r\nput a -1\r\n", ProtocolError, 8),
        (b"drop a\r\nput a 1x\r\n", ProtocolError, 8),
        (b"put a\r\n", ProtocolError, 0),
        (b"put a 536870913\r\n", LimitExceeded, 0),
        (b"put a 99999999999999999999999999999999999999\r\n", LimitExceeded, 0),
        (b"put a 18446744073709551617\r\n", LimitExceeded, 0),  # 2**64 + 1
        (b"drop a\r\nfetch " + b"a" * 65536, LimitExceeded, 8),
        (b"what\r\n", ProtocolError, 0),
        (b"\r\n", ProtocolError, 0),
    ],
)
def test_errors(octets: bytes, error: type[ProtocolError], offset: int) -> None:
    for by in (1, 1 << 30):
        with pytest.raises(ProtocolError) as raised:
            events(octets, by=by)
        assert type(raised.value) is error
        assert raised.value.offset == offset


def test_a_declared_size_is_not_allocated() -> None:
    session = TOY.open()
    assert list(session.receive(C, b"put a 1000000\r\nx")) == []
    assert session.decoder(C).buffer.unfinished == 16
    with pytest.raises(IncompleteMessage):
        list(session.eof(C))


def test_a_large_block_streams_and_its_header_section_stays_together() -> None:
    limits = Limits(message=64, head=40)
    octets = b"hput k 9 200\r\n" + b"a: b\r\nc:\n" + b"x" * 191 + b"\r\n"
    for by in (1, 7, 1 << 30):
        head, *rest = events(octets, limits=limits, by=by)
        assert isinstance(head, LineMessage)
        assert (head.more, head.size, head.raw) == (True, len(octets), octets[:23])
        assert (head.block, head.block_size) == (b"a: b\r\nc:\n", 200)
        assert all(isinstance(each, Data) for each in rest)
        pieces = [each for each in rest if isinstance(each, Data)]
        assert b"".join(each.raw for each in pieces) == octets[23:]
        assert b"".join(each.payload for each in pieces) == b"x" * 191
        assert [each.more for each in pieces] == [True] * (len(pieces) - 1) + [False]
    with pytest.raises(LimitExceeded, match="a head of 53 octets"):  # 15 of the line
        events(b"hput k 38 200\r\n" + b"x" * 200, limits=limits)


def test_values_that_are_too_large_together_stream() -> None:
    octets = b"".join(b"VALUE k%d 10\r\n0123456789\r\n" % number for number in range(10)) + b"DONE\r\n"
    outcome = check_cuts(
        lambda: TOY.open(limits=Limits(message=100)), vector("v", (C, b"fetch a\r\n"), (S, octets + b"OK\r\n"))
    )
    _, head, *rest, last = outcome.events
    assert isinstance(head, LineMessage) and isinstance(last, LineMessage)
    assert (head.more, head.size, head.operation, head.status) == (True, None, "fetch", Status.OK)
    assert head.raw + b"".join(each.raw for each in rest) == octets
    assert (last.raw, last.request) == (b"OK\r\n", None)


def test_octets_lost_in_a_block_that_streams() -> None:
    session = TOY.open(limits=Limits(message=64))
    found = list(session.receive(C, b"put a 1000\r\n" + b"x" * 300))
    found += session.gap(C, 500)
    found += session.receive(C, b"x" * 200 + b"\r\nfetch a\r\n")
    assert [type(each).__name__ for each in found] == ["LineMessage", "Data", "Gap", "Data", "Data", "LineMessage"]
    assert [each.more for each in found if isinstance(each, Data)] == [True, True, False]


@pytest.mark.parametrize("by", [1, 3, 1 << 30])
def test_behind_a_gap_decoding_goes_on_at_a_line(by: int) -> None:
    octets = b"xyz fetch\nno: put\r\n" + b"y" * 70_000 + b"fetch a\r\nfetch b\r\nput c 1\r\nx\r\n"
    session = TOY.open()
    found = list(session.gap(C, 0))
    for at in range(0, len(octets), by):
        found += session.receive(C, octets[at : at + by])
    messages = [each.raw for each in found if isinstance(each, Message)]
    assert messages == [b"fetch b\r\n", b"put c 1\r\nx\r\n"]
    assert b"".join(each.raw for each in found if isinstance(each, Opaque | Message)) == octets


def test_a_wrong_end_may_be_told_in_place_of_an_error() -> None:
    class Lenient(Decoder):
        strict = False

        def message(self, line: Line) -> Message:
            ended.append(line.ended)
            return LineMessage(line, line.kind)

    ended: list[bool] = []
    for by in (1, 1 << 30):
        session = protocol(Lenient).open()
        octets = b"put a 2\r\nxyzzput a 2\r\nxy\r\n"
        raw = [event.raw for at in range(0, len(octets), by) for event in session.receive(C, octets[at : at + by])]
        assert raw == [b"put a 2\r\nxyzz", b"put a 2\r\nxy\r\n"]
    assert ended == [False, True] * 2


def test_a_line_is_not_looked_at_twice() -> None:
    """Octets that wait keep nothing alive, and a message has no neighbour's octets once it was let go."""
    session = TOY.open()
    read = b"fetch abc\r\n" + b"fetch d" * 10
    (message,) = session.receive(C, read)
    assert isinstance(message, LineMessage)
    assert message.octets is read
    message.detach()
    assert (message.octets, message.resources, message.operation) == (b"fetch abc\r\n", (b"abc",), "fetch")
    short = message.shortened(8)
    assert isinstance(short, LineMessage)
    assert (short.raw, short.size, short.more, short.operation) == (b"fetch ab", 11, True, "fetch")
    assert (short.resources, short.words) == ((), [b"fetch"]), "a key that is cut is another key"
    short = message.shortened(9)
    assert short is not None and short.resources == (b"abc",)


def test_sessions_write_what_they_read() -> None:
    other: Session = TOY.open()
    assert b"".join(other.send(event) for event in replay(TOY.open(), VECTORS[0]).events if event.sender is C) == (
        VECTORS[0].octets(C)
    )
