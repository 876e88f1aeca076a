"""Detection among plugins of every kind: those whose server speaks first, broken ones; and `auto` as an endpoint."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from l7codecs import (
    Data,
    Detection,
    Event,
    FramedDecoder,
    Kind,
    Limits,
    Message,
    Opaque,
    Pairing,
    PluginWarning,
    Protocol,
    ProtocolError,
    Sender,
    Session,
    Unsupported,
    Verdict,
    detect,
    get_protocol,
    list_protocols,
)
from l7codecs.detect import AutoSession
from l7codecs.message import Flow
from l7codecs.registry import refresh, usable_protocols
from l7codecs.testing.replay import Outcome

C, S = Sender.CLIENT, Sender.SERVER
PING = b"*1\r\n$4\r\nPING\r\n"
INFO = b'INFO {"server_id":"x"} \r\n'
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


class LineDecoder(FramedDecoder):
    """Lines, as one frame each."""

    header_size = 1

    def next_event(self) -> Event | None:
        size = self.buffer.line(1024)
        if size <= 0:
            return None
        self.buffer.pass_over(size)
        kind = Kind.REQUEST if self.sender is C else Kind.RESPONSE
        offset = self.buffer.message_offset
        octets = self.buffer.take()
        message = Message(self.flow, self.sender, kind, offset, octets, 0, len(octets))
        self.pair(message)
        return message


def detect_server_first(client: bytes, server: bytes) -> Detection:
    """`INFO {` of the server is magic; what the client says is not looked at."""
    if server.startswith(b"INFO {"):
        return Detection(Verdict.YES, 100, "the server's INFO")
    if b"INFO {".startswith(server):
        return Detection(Verdict.MORE, 100, "the server speaks first", S)
    return Detection(Verdict.NO)


def detect_line(client: bytes, server: bytes) -> Detection:
    """`get` is proved by the server's word, `set` with five words proves itself."""
    line, end, _ = client.partition(b"\r\n")
    if not end:
        if len(client) > 64 or not (
            client.startswith((b"get ", b"set ")) or b"get ".startswith(client) or b"set ".startswith(client)
        ):
            return Detection(Verdict.NO)
        return Detection(Verdict.MORE, 60, "a line", C)
    words = line.split(b" ")
    if words[0] == b"set" and len(words) == 5:
        return Detection(Verdict.YES, 60, "set")
    if words[0] != b"get":
        return Detection(Verdict.NO)
    for word in (b"VALUE ", b"END\r\n"):
        if server.startswith(word):
            return Detection(Verdict.YES, 70, "get, and its answer")
        if word.startswith(server):
            return Detection(Verdict.MORE, 70, "get", S)
    return Detection(Verdict.NO)


SERVER_FIRST = Protocol("first", "The server first", (), Pairing.FIFO, LineDecoder, detect=detect_server_first)
LINES = Protocol("words", "Lines", (), Pairing.FIFO, LineDecoder, detect=detect_line)


def protocols() -> list[Protocol]:
    return [SERVER_FIRST, LINES, *(get_protocol(entry.name) for entry in list_protocols())]


def auto(endpoint: Sender | None = None, among: Sequence[Protocol] | None = None) -> AutoSession:
    return AutoSession(Flow("auto"), list(protocols() if among is None else among), Limits(), endpoint)


CONVERSATIONS = {
    "first": (b'CONNECT {"verbose":false}\r\nPING\r\n', INFO + b"PONG\r\n"),
    "words": (b"get k\r\n", b"VALUE k 0 1\r\nv\r\nEND\r\n"),
    "words, set": (b"set k 0 0 1\r\nv\r\n", b"STORED\r\n"),
    "redis": (PING, b"+PONG\r\n"),
    "redis, a known word": (b"PEXPIRE k 1\r\n", b":1\r\n"),
    "redis, proved by the server": (b"GET k\r\n", b"$-1\r\n"),
    "http2": (PREFACE, bytes.fromhex("000000040000000000")),
    "none": (b"\x00\xff\x00", b"\xff\x00"),
}


@pytest.mark.parametrize("first", [C, S])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_observer_finds_the_same_whatever_the_cuts_and_the_order(name: str, first: Sender) -> None:
    octets = dict(zip((C, S), CONVERSATIONS[name], strict=True))
    expected = None if name == "none" else name.partition(",")[0]
    among = protocols()
    for at in range(len(octets[first]) + 1):
        for other in range(len(octets[first.other]) + 1):
            session = auto(among=among)
            pieces = [(first, octets[first][:at]), (first.other, octets[first.other][:other])]
            pieces += [(first, octets[first][at:]), (first.other, octets[first.other][other:])]
            events: list[Event] = []
            for sender, piece in pieces:
                events += session.receive(sender, piece)
            for sender in (first, first.other):
                events += session.eof(sender)
            protocol = session.protocol
            if name == "http2" and protocol in ("connect", "grpc", "grpc_web", "triple"):
                protocol = "http2"
            assert protocol == expected, (at, other)
            for sender in Sender:
                assert b"".join(e.raw for e in events if e.sender is sender) == octets[sender]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_endpoint_finds_the_same_whatever_the_cuts(name: str) -> None:
    for endpoint in Sender:
        octets = CONVERSATIONS[name][0 if endpoint is S else 1]
        whole: tuple[str | None, bool] | None = None
        for at in range(len(octets) + 1):
            session = auto(endpoint)
            events = [event for part in (octets[:at], octets[at:]) for event in session.receive(endpoint.other, part)]
            found = (session.protocol, session._decided)
            whole = whole or found
            assert found == whole, f"{endpoint} cut at {at}"
            if session._decided:
                assert b"".join(event.raw for event in events) == octets


def test_a_server_that_speaks_first_does_not_hold_up_what_the_client_proves() -> None:
    for endpoint in (None, S):
        session = auto(endpoint)
        (event,) = session.receive(C, PING)
        assert (session.protocol, event.raw) == ("redis", PING)


def test_an_upstream_session_that_receives_only_the_server_decides() -> None:
    session = auto(C)
    (event,) = session.receive(S, INFO)
    assert (session.protocol, event.raw) == ("first", INFO)
    session = auto(C)
    assert [type(event) for event in session.receive(S, b"220 ready\r\n")] == [Opaque]


def test_what_is_sent_tells_the_protocol() -> None:
    """A proxy that detects on both sides: the client's message tells its upstream session, the server's greeting the other."""
    downstream, upstream = auto(S), auto(C)
    (request,) = downstream.receive(C, PING)
    assert upstream.send(request) == PING
    assert upstream.protocol == "redis"
    (answer,) = upstream.receive(S, b"+PONG\r\n")
    assert isinstance(answer, Message)
    assert answer.request is request
    assert downstream.send(answer) == b"+PONG\r\n"

    downstream, upstream = auto(S), auto(C)
    (greeting,) = upstream.receive(S, INFO)
    downstream.put(greeting)
    assert downstream.pending_output() == INFO
    assert (downstream.protocol, upstream.protocol) == ("first", "first")
    (event,) = downstream.receive(C, b"PING\r\n")
    assert event.raw == b"PING\r\n"


SETTINGS = bytes.fromhex("000006040000000000000300000064")


@pytest.mark.parametrize("cut", range(len(SETTINGS) + 1))
def test_nothing_is_written_before_it_is_known_what_is_spoken(cut: int) -> None:
    """The server may speak first; what the client's connection said for itself is not written on this one."""
    down, up = get_protocol("http2").open(endpoint=S), auto(C)
    assert list(up.receive(S, SETTINGS[:cut])) == [] and up.protocol is None
    frames = PREFACE[:24] + bytes.fromhex("000006040000000000000400001000")
    written = b""
    for event in down.receive(C, frames):
        written += up.send(event)
    assert up.protocol == "http2"
    written += up.pending_output()
    own = get_protocol("http2").open(endpoint=C)
    assert written == own.pending_output()
    assert list(up.receive(S, SETTINGS[cut:])) and up.pending_output() == bytes.fromhex("000000040100000000")


def test_a_greeting_of_nothing_known_does_not_wait_for_the_client() -> None:
    up = auto(C)
    (greeting,) = up.receive(S, b"220 ready\r\n")
    assert isinstance(greeting, Opaque)
    # And what octets came of what a client said that is not known go on as well.
    up = auto(C)
    assert list(up.receive(S, SETTINGS[:5])) == []
    assert up.send(Opaque(C, 0, b"HELO\r\n")) == b"HELO\r\n"
    (said,) = up.receive(S, b"")
    assert said.raw == SETTINGS[:5]
    # Nor what the server's end leaves.
    up = auto(C)
    assert list(up.receive(S, SETTINGS[:5])) == []
    assert [event.raw for event in up.eof(S)] == [SETTINGS[:5]]


def test_a_message_is_not_written_where_its_protocol_is_not_spoken() -> None:
    down = auto(S)
    (request,) = down.receive(C, PING)
    for up in (auto(C), auto(C, [SERVER_FIRST])):
        if up.candidates == []:
            list(up.receive(S, b"220 ready\r\n"))
        for give in (up.send, up.put):
            with pytest.raises(Unsupported, match="redis"):
                give(request)
        assert up.pending_output() == b""


def test_what_cannot_be_told_is_passed_on_rather_than_kept() -> None:
    session = auto(S)
    assert [event.raw for event in session.receive(C, b"GET k\r\n")] == [b"GET k\r\n"], "the server would have to tell"


def test_no_plugin_that_waits_holds_octets_past_the_cap() -> None:
    def always(client: bytes, server: bytes) -> Detection:
        return Detection(Verdict.MORE, 100, "never enough")

    greedy = Protocol("greedy", "Greedy", (), Pairing.FIFO, LineDecoder, detect=always)
    session = auto(None, [greedy, get_protocol("redis")])
    assert list(session.receive(C, PING * 10)) == []
    assert len(list(session.receive(C, PING * 100))) == 110


# Broken plugins.


def raising(error: BaseException) -> Callable[[bytes, bytes], Detection]:
    def detect(client: bytes, server: bytes) -> Detection:
        raise error

    return detect


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each fault is told once: not only to the first test."""
    refresh()
    yield
    refresh()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (raising(ValueError("oh")), "ValueError: oh"),
        (raising(SystemExit(3)), "SystemExit: 3"),
        (raising(RecursionError("deep")), "RecursionError"),
        (lambda client, server: None, "a NoneType, not a Detection"),
    ],
)
def test_a_plugin_whose_detection_is_broken_hurts_only_itself(
    answer: Callable[[bytes, bytes], Detection], problem: str
) -> None:
    broken = Protocol("broken", "Broken", (), Pairing.FIFO, LineDecoder, detect=answer)
    session = auto(None, [broken, get_protocol("redis")])
    with pytest.warns(PluginWarning, match=f"protocol 'broken' cannot be detected: .*{problem}"):
        assert [event.raw for event in session.receive(C, PING)] == [PING]
    assert session.protocol == "redis"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is told once
        assert [item.protocol for item in detect(PING, protocols=[broken, get_protocol("redis")])] == ["redis"]


def test_a_plugin_that_cannot_be_opened_hurts_only_itself() -> None:
    def session(flow: Flow, limits: Limits, endpoint: Sender | None) -> Session:
        raise TypeError("no")

    def certain(client: bytes, server: bytes) -> Detection:
        return Detection(Verdict.YES, 100, "everything is mine")

    broken = Protocol("broken", "Broken", (), Pairing.FIFO, session=session, detect=certain)
    found = auto(None, [broken, get_protocol("redis")])
    with pytest.warns(PluginWarning, match="'broken' cannot be opened: TypeError: no"):
        (event,) = found.receive(C, PING)
    assert (found.protocol, event.raw) == ("redis", PING)


# All that a session can do.


def names() -> list[str]:
    return sorted(name for name in dir(Session) if not name.startswith("_"))


def test_auto_does_all_that_a_session_does_by_itself() -> None:
    """What is not overridden here would be done with the octets of a session that decodes nothing."""
    built_on_others = {"receive"}
    missing = [name for name in names() if name not in vars(AutoSession) and name not in built_on_others]
    # Attributes of an instance (in the compiled build they are of the class).
    assert [name for name in missing if name not in ("flow", "limits", "endpoint")] == []


@pytest.mark.parametrize("entry", list_protocols(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("endpoint", [None, C, S])
def test_what_is_set_and_asked_reaches_the_session_that_was_found(
    entry: object, endpoint: Sender | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = get_protocol(entry.name)  # type: ignore[attr-defined]  # a ProtocolEntry

    def certain(client: bytes, server: bytes) -> Detection:
        return Detection(Verdict.YES, 100, "for the test") if client or server else Detection(Verdict.MORE, 100)

    known = Protocol(
        protocol.name, "", (), protocol.pairing, protocol.decoder, protocol.session, certain, id_bits=protocol.id_bits
    )
    session = auto(endpoint, [known])
    plain = protocol.open(endpoint=endpoint)
    session.paused = True
    assert session.paused is True
    session.receive(C if endpoint is S else S, b"x")
    found = session.session
    assert found is not None
    assert found.paused is True
    session.paused = False
    assert found.paused is False
    for name in names():
        if not callable(getattr(plain, name)) and name not in ("paused",):
            assert getattr(session, name) == getattr(found, name), name
    assert session.decoder(C) is found.decoder(C)
    assert session.unanswered() == found.unanswered() == session.unprocessed() == session.abandoned() == []
    assert (session.pending_output() == b"") == (plain.pending_output() == b"")


def test_what_only_one_protocol_has_is_remembered_for_it() -> None:
    session = auto(S)
    session.extended_connect = True  # type: ignore[attr-defined]  # of HTTP/2 alone
    list(session.receive(C, PREFACE))
    assert session.extended_connect is True  # type: ignore[attr-defined]
    session = auto(S)
    session.extended_connect = True  # type: ignore[attr-defined]
    assert [event.raw for event in session.receive(C, PING)] == [PING]


def test_pausing_before_detection_holds_what_is_sent() -> None:
    downstream, upstream = auto(S), auto(C)
    upstream.paused = True
    (request,) = downstream.receive(C, PING)
    assert upstream.send(request) == b""
    assert (upstream.protocol, upstream.queued) == ("redis", len(PING))
    assert upstream.pending_output() == b""
    upstream.paused = False
    assert upstream.pending_output() == PING
    assert upstream.queued == 0


def test_what_was_put_before_detection_comes_first() -> None:
    downstream = auto(None)
    (request,) = auto(S).receive(C, PING)
    downstream.put(Opaque(S, 0, b"?"))
    assert downstream.queued == 1
    assert downstream.send(request) == b"?" + PING


def test_a_gap_behind_what_was_not_iterated_ends() -> None:
    session = auto()
    session.receive(S, b"+OK\r\n")
    session.receive(C, PING)
    events = list(session.gap(C, 5))
    assert [type(event).__name__ for event in events] == ["RedisReply", "RedisRequest", "Gap"]
    assert [event.raw for event in session.receive(S, b"+PONG\r\n")] == [b"+PONG\r\n"]


# Plugins that do not go on.


def test_events_without_octets_are_an_error_in_the_end() -> None:
    class Still(LineDecoder):
        def next_event(self) -> Event | None:
            return Message(self.flow, self.sender, Kind.REQUEST, 0, b"", 0, 0)

    class Dripping(LineDecoder):
        def next_event(self) -> Event | None:
            if self.head is None:
                self.head = Message(self.flow, self.sender, Kind.REQUEST, 0, b"", 0, 0, True)
            return Data(self.head, 0, b"", True)

    for decoder in (Still, Dripping):
        session = Protocol("still", "Still", (), Pairing.FIFO, decoder).open()
        events = session.receive(C, b"x")
        with pytest.raises(ProtocolError, match="the decoder of still"):
            list(islice(events, 100_000))
        with pytest.raises(ProtocolError, match="the decoder of still"):
            list(session.receive(C, b"y"))


def test_events_without_octets_between_others_are_right() -> None:
    class Doubled(LineDecoder):
        def next_event(self) -> Event | None:
            self.head, head = None, self.head
            if head is not None:
                return Data(head, self.buffer.offset, b"", False)
            event = super().next_event()
            if isinstance(event, Message):
                self.head = event
            return event

    session = Protocol("doubled", "Doubled", (), Pairing.FIFO, Doubled).open(limits=Limits(pending=10))
    assert len(list(session.receive(C, b"a\n" * 5000))) == 10_000


@pytest.mark.parametrize("at", [4, -6, 1 << 40, -(1 << 40)])
def test_a_boundary_beyond_the_octets_is_an_error(at: int) -> None:
    class Beyond(LineDecoder):
        def boundary(self, octets: bytes) -> int:
            return at if octets else -1

    session = Protocol("beyond", "Beyond", (), Pairing.FIFO, Beyond).open()
    list(session.gap(C, 5))
    with pytest.raises(ProtocolError, match=r"boundary at index .* of 3 octets from the decoder of beyond"):
        list(islice(session.receive(C, b"abc"), 100_000))


def test_what_waits_stays_before_a_gap_of_the_other_side() -> None:
    """Nothing is detected: the server's octets come in their order, though the client lost some between."""
    session = AutoSession(Flow("auto"), usable_protocols(), Limits(), None)
    events = [
        *session.receive(S, b"\0"),
        *session.gap(C),
        *session.receive(S, b"\x17"),
        *session.eof(C),
        *session.eof(S),
    ]
    said = [(event.offset, event.raw) for event in events if event.sender is S]
    assert said == [(0, b"\0"), (1, b"\x17")]


def test_what_waited_comes_in_the_order_in_which_it_came() -> None:
    """What a client may say depends on what its server has said: here that it breaks the protocol. An error is raised once."""
    reads = [
        (C, PREFACE),
        (S, b"aderField"),
        (C, bytes.fromhex("00000f008287840000080000000000") + b"\x03\0\0\0\0\x03abc"),
    ]
    said = []
    for size in range(1, 40):
        session = auto(None)
        heard: list[object] = []
        for sender, octets in [
            *reads,
            (C, b" "),
            (S, b" "),
        ]:  # what stands behind the error of the other side is still to come
            for at in range(0, len(octets), size):
                try:
                    for event in session.receive(sender, octets[at : at + size]):
                        heard.append(str(event))
                except ProtocolError as error:
                    if (error.sender, str(error)) not in heard:
                        heard.append((error.sender, str(error)))
        said.append(sorted(map(str, heard)))
    assert [each for each in said if each != said[0]] == []


def outcome_of_reads(reads: Sequence[tuple[Sender, bytes | int | None]]) -> Outcome:
    """What `auto` says of reads, None for an end, a number for what is lost; a direction with an error or an end gets no more."""
    outcome, session, ended = Outcome(), auto(), set[Sender]()
    for sender, octets in reads:
        if sender in ended or sender in outcome.errors:
            continue
        if octets is None:
            ended.add(sender)
            outcome.take(sender, session.eof(sender))
        elif isinstance(octets, int):
            outcome.take(sender, session.gap(sender, octets))
        else:
            outcome.take(sender, session.receive(sender, octets))
    return outcome


@pytest.mark.parametrize(
    "reads",
    [
        pytest.param([(S, b"\0"), (S, None), (C, PREFACE[:24] + b"\0\0\7\0\0\0\0\0\1"), (C, None)], id="server ends"),
        pytest.param([(C, PREFACE[:24]), (S, b"\0"), (C, b"\0\0\7\0\0\0\0\0\1"), (S, None), (C, None)], id="both wrong"),
        pytest.param([(C, bytes.fromhex("000006010400000001828784010161")), (S, b".0\rSM\r\n\r\n"), (C, None), (S, None)], id="joined"),
        pytest.param([(S, b"+PONG"), (S, None), (C, PING + b"*x\r\n"), (C, None)], id="redis, cut and wrong"),
        pytest.param([(C, PING[:9]), (C, None), (S, b"+PONG\r\n$x\r\n"), (S, None)], id="redis, both"),
        pytest.param([(S, b"\0"), (S, None), (C, 0), (C, b"\xff"), (C, None)], id="unknown, loss"),
        pytest.param([(S, b"+PONG"), (S, None), (C, PING), (C, 0), (C, None)], id="redis, loss"),
        pytest.param([(C, b"*1\r\n$4\r\n"), (S, b"+a\r\n+"), (S, None), (C, 3), (C, PING), (C, None)], id="redis, loss within"),
    ],
)  # fmt: skip
def test_an_error_of_one_side_hides_nothing_of_the_other(reads: Sequence[tuple[Sender, bytes | int | None]]) -> None:
    """Whether it comes before the protocol is known or behind, a side ends before or behind: each event and error is told."""
    octet_by_octet: list[tuple[Sender, bytes | int | None]] = []
    for sender, octets in reads:
        octet_by_octet += (
            [(sender, bytes((each,))) for each in octets] if isinstance(octets, bytes) else [(sender, octets)]
        )
    whole, cut = outcome_of_reads(reads), outcome_of_reads(octet_by_octet)
    assert not whole.difference(cut)
    for sender in Sender:
        fed = b"".join(octets for who, octets in reads if who is sender and isinstance(octets, bytes))
        assert sender in whole.errors or whole.raw(sender) == fed
