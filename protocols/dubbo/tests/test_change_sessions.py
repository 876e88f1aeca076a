"""Sessions that change messages: large ones, answers for several consumers, errors, exceptions and heartbeats that are made here."""

from __future__ import annotations

import pytest

import l7codecs
from l7codecs import Changes, Kind, LimitExceeded, Limits, Message, Sender, Session, Status, Unsupported
from l7codecs.message import Event
from l7codecs_dubbo import DubboEvent, DubboMessage, DubboRequest, DubboResponse, DubboSession
from l7codecs_dubbo._change.answers import RPC_EXCEPTION, supports_attachments
from l7codecs_dubbo._hessian.writer import Writer
from l7codecs_dubbo._jsonb.values import encode

C, S = Sender.CLIENT, Sender.SERVER
LIMITS = Limits(message=4096, head=512)
TENANT = Changes(set_headers={"tenant": "a"})


def body(*values: object, version: str = "2.0.2") -> bytes:
    """A request's body in Hessian 2: its arguments are texts."""
    writer = Writer()
    for text in (version, "com.acme.Orders", "1.0.0", "place", "Ljava/lang/Object;" * len(values)):
        writer.string(text)
    for value in values:
        writer.value(value)  # type: ignore[arg-type]
    writer.value({"path": "com.acme.Orders", "interface": "com.acme.Orders", "version": "1.0.0"})
    return writer.getvalue()


def framed(octets: bytes, number: int, flags: int = 0xC2, status: int = 0) -> bytes:
    return bytes((0xDA, 0xBB, flags, status)) + number.to_bytes(8, "big") + len(octets).to_bytes(4, "big") + octets


def answer(number: int, value: object = "done") -> bytes:
    writer = Writer()
    writer.integer(4)
    writer.value(value)  # type: ignore[arg-type]
    writer.value({"dubbo": "2.0.2"})
    return framed(writer.getvalue(), number, 2, 20)


def open_dubbo(endpoint: Sender | None, limits: Limits = LIMITS) -> DubboSession:
    session: Session = l7codecs.open_session("dubbo", endpoint=endpoint, limits=limits)
    assert isinstance(session, DubboSession)
    return session


def receive(session: Session, sender: Sender, octets: bytes) -> list[Event]:
    return list(session.receive(sender, octets))


def only(session: Session, sender: Sender, octets: bytes) -> DubboMessage:
    (event,) = receive(session, sender, octets)
    assert isinstance(event, DubboMessage)
    return event


def read(octets: bytes, sender: Sender) -> DubboMessage:
    return only(open_dubbo(None, Limits(message=10**7)), sender, octets)


# Large messages.


def in_pieces(session: Session, sender: Sender, octets: bytes, size: int = 1000) -> list[Event]:
    found: list[Event] = []
    for at in range(0, len(octets), size):
        found += receive(session, sender, octets[at : at + size])
    return found


@pytest.mark.parametrize("changes", [TENANT, Changes({"dubbo.service": "x.Y"}), Changes({"dubbo.method": "m"})])
def test_a_large_request_is_gathered(changes: Changes) -> None:
    down, up = open_dubbo(S), open_dubbo(C)
    octets = framed(body("x" * 100_000), 5)
    events = in_pieces(down, C, octets)
    assert isinstance(events[0], Message)
    assert events[0].more
    written = [up.send(event, changes if isinstance(event, Message) else None) for event in events]
    assert not any(written[:-1])
    assert up.queued == 0
    new, old = read(written[-1], C), read(octets, C)
    assert isinstance(new, DubboRequest)
    assert isinstance(old, DubboRequest)
    assert (new.headers.get("tenant"), new.service, new.operation) == (
        changes.set_headers.get("tenant"), changes.attributes.get("dubbo.service", old.service),
        changes.attributes.get("dubbo.method", old.operation),
    )  # fmt: skip
    (back,) = receive(up, S, answer(5))
    assert isinstance(back, DubboResponse)
    assert back.request is events[0]
    assert down.send(back) == answer(5)


def test_a_large_answer_is_gathered() -> None:
    down, up = open_dubbo(S), open_dubbo(C)
    request = only(down, C, framed(body(), 5))
    up.send(request)
    events = in_pieces(up, S, answer(5, "y" * 100_000))
    written = [down.send(event, TENANT if isinstance(event, Message) else None) for event in events]
    assert not any(written[:-1])
    new = read(written[-1], S)
    assert list(new.headers) == [("dubbo", "2.0.2"), ("tenant", "a")]
    assert new.request_id == 5
    assert down.unanswered() == []


@pytest.mark.parametrize("sender", [C, S])
def test_the_id_of_a_large_message_changes_as_it_streams(sender: Sender) -> None:
    octets = framed(body("x" * 100_000), 5) if sender is C else answer(5, "y" * 100_000)
    observer, session = open_dubbo(None), open_dubbo(C)
    events = in_pieces(observer, sender, octets)
    changes = Changes({"dubbo.request_id": 9})
    written = [session.send(event, changes if isinstance(event, Message) else None) for event in events]
    assert all(written)
    assert b"".join(written) == octets[:4] + (9).to_bytes(8, "big") + octets[12:]


def test_too_much_to_be_gathered() -> None:
    limits = Limits(message=4096, head=512, queued=2000)
    down, up = open_dubbo(S, limits), open_dubbo(C, limits)
    events = in_pieces(down, C, framed(body("x" * 30_000), 5))
    up.send(events[0], TENANT)

    def send_the_rest() -> None:
        for event in events[1:]:
            up.send(event)

    with pytest.raises(LimitExceeded, match="queued"):
        send_the_rest()
    assert 0 < up.queued <= 16_000
    assert up.cancel(events[0]) == b""  # type: ignore[arg-type]
    assert up.queued == 0
    assert up.send(events[-1]) == b""


def test_what_is_gathered_when_the_server_ends() -> None:
    down, up = open_dubbo(S), open_dubbo(C)
    events = in_pieces(down, C, framed(body("x" * 30_000), 5))
    up.send(events[0], TENANT)
    assert up.unanswered() == [events[0]]
    list(up.eof(S))
    assert up.abandoned() == [events[0]]
    assert up.abandoned() == []
    assert up.queued == 0


def test_an_answer_that_is_gathered_and_answered_here() -> None:
    down, up = open_dubbo(S), open_dubbo(C)
    request = only(down, C, framed(body(), 5))
    up.send(request)
    events = in_pieces(up, S, answer(5, "y" * 100_000))
    down.send(events[0], TENANT)
    assert down.queued > 0
    assert read(down.reply_error(request, Status.UNAVAILABLE, "gone"), S).status is Status.UNAVAILABLE
    assert down.queued == 0
    assert not any(down.send(event) for event in events[1:])


def test_a_head_that_cannot_change_is_refused_at_once() -> None:
    observer, up = open_dubbo(None), open_dubbo(C)
    head = in_pieces(observer, C, framed(body("x" * 30_000), 5, 0xC3))[0]
    for changes, error in ((TENANT, Unsupported), (Changes({"dubbo.version": "x"}), Unsupported)):
        with pytest.raises(error):
            up.send(head, changes)
    assert up.queued == 0
    assert isinstance(head, Message)
    assert up.send(head) == head.raw


# Ids of several consumers.


def test_two_consumers() -> None:
    """Answers are changed, and have each consumer's own id."""
    downs, up = [open_dubbo(S), open_dubbo(S)], open_dubbo(C)
    requests = [only(down, C, framed(body(f"{at}"), 7)) for at, down in enumerate(downs)]
    sent = [up.send(request, TENANT) for request in requests]
    ids = [read(octets, C).request_id for octets in sent]
    assert len(set(ids)) == 2
    for at in (1, 0):
        number = ids[at]
        assert number is not None
        back = only(up, S, answer(number, f"v{at}"))
        assert back.request is requests[at]
        written = downs[at].send(back, Changes(set_headers={"who": at}))
        new = read(written, S)
        assert (new.request_id, new.headers["who"]) == (7, at)
    again = only(open_dubbo(None), S, answer(9))
    again.request = requests[0]
    assert downs[0].send(again, TENANT) == b"", "it is late"


def test_the_request_of_an_answer_is_what_was_received() -> None:
    down, up = open_dubbo(S), open_dubbo(C)
    request = only(down, C, framed(body(), 7))
    octets = up.send(request, Changes({"dubbo.service": "com.acme.Other", "dubbo.request_id": 77}))
    assert read(octets, C).service == "com.acme.Other"
    back = only(up, S, answer(77))
    assert back.request is request
    assert back.service == "com.acme.Orders"
    assert down.send(back)[4:12] == (7).to_bytes(8, "big")


# Errors.

STATUSES = [each for each in Status if each is not Status.OK]


@pytest.mark.parametrize("status", STATUSES)
def test_errors(status: Status) -> None:
    down = open_dubbo(S)
    request = only(down, C, framed(body(), 7))
    text = "no server for com.acme.Orders: é😀"
    back = read(down.reply_error(request, status, text), S)
    assert isinstance(back, DubboResponse)
    assert (back.request_id, back.text(), back.serialization) == (7, text, "hessian2")
    assert back.status_code in (31, 35, 40, 60, 70, 80, 100)
    same = {
        Status.UNKNOWN: Status.INTERNAL,
        Status.NOT_FOUND: Status.UNIMPLEMENTED,
        Status.CANCELLED: Status.DEADLINE_EXCEEDED,
        Status.OUT_OF_RANGE: Status.INVALID_ARGUMENT,
        Status.FAILED_PRECONDITION: Status.INVALID_ARGUMENT,
        Status.DATA_LOSS: Status.INTERNAL,
        Status.ABORTED: Status.INTERNAL,
        Status.ALREADY_EXISTS: Status.INTERNAL,
        Status.PERMISSION_DENIED: Status.INTERNAL,
        Status.UNAUTHENTICATED: Status.INTERNAL,
    }
    assert back.status is same.get(status, status)
    with pytest.raises(Unsupported):
        down.reply_error(request, status, text)


def requests_in() -> list[tuple[str, bytes, str]]:
    texts = ("2.0.2", "com.acme.Orders", "1.0.0", "place", "")
    values = [*(encode(text) for text in texts), b"\xa6\xa5"]
    jsonb = b"".join(len(each).to_bytes(4, "big") + each for each in values)
    lines = "".join(f'"{text}"\n' for text in texts).encode() + b"{}\n"
    return [
        ("hessian2", framed(body(), 1), "hessian2"),
        ("fastjson2", framed(jsonb, 1, 0xC0 | 23), "fastjson2"),
        ("fastjson", framed(lines, 1, 0xC0 | 6), "fastjson"),
        ("gson", framed(lines, 1, 0xC0 | 16), "gson"),
        ("java", framed(b"\xac\xed\0\x05", 1, 0xC0 | 3), "hessian2"),
        ("14", framed(b"?", 1, 0xC0 | 14), "hessian2"),
    ]


@pytest.mark.parametrize(("name", "octets", "answered"), requests_in(), ids=[each[0] for each in requests_in()])
def test_errors_in_every_serialization(name: str, octets: bytes, answered: str) -> None:
    down = open_dubbo(S)
    request = only(down, C, octets)
    assert request.serialization == name
    back = read(down.reply_error(request, Status.UNAVAILABLE, "no\nserver 😀"), S)
    assert isinstance(back, DubboResponse)
    assert (back.serialization, back.text(), back.status) == (answered, "no\nserver 😀", Status.UNAVAILABLE)
    down = open_dubbo(S)
    back = read(down.reply_exception(only(down, C, octets), "no\nserver 😀"), S)
    assert isinstance(back, DubboResponse)
    assert back.serialization == ("hessian2" if name in ("fastjson", "gson") else answered)
    assert back.exception == (RPC_EXCEPTION, "no\nserver 😀")
    assert (back.status, back.error) == (Status.UNKNOWN, RPC_EXCEPTION)
    assert list(back.headers) == ([("dubbo", "2.0.2")] if name not in ("java", "14") else [])


@pytest.mark.parametrize(
    ("version", "attached"),
    [("2.0.2", True), ("2.0.3", True), ("2.0.9", True), ("2.0.10", True), ("2.0.99", True), ("2.0.2-x", True), ("2.0", False),
     ("2.0.1", False), ("2.5.3", False), ("2.6.12", False), ("2.7.0", False), ("2.7.23", False), ("3.0.0", False),
     ("3.3.6", False), ("", False), (None, False), ("x", False), ("9" * 5000, False)],
)  # fmt: skip
def test_versions_whose_answers_have_attachments(version: str | None, attached: bool) -> None:
    """As providers of 3.3.6 and 2.7.23 were seen to decide."""
    assert supports_attachments(version) == attached


def test_exceptions_that_have_no_name() -> None:
    down = open_dubbo(S)
    request = only(down, C, framed(body(), 7))
    for name in ("", "a b", "a..b", "1a", "a;"):
        with pytest.raises(ValueError, match="class"):
            down.reply_exception(request, "m", name)
    back = read(down.reply_exception(request, "m", "com.acme.Orders$Sold_Out"), S)
    assert back.error == "com.acme.Orders$Sold_Out"


def test_what_is_not_answered() -> None:
    down = open_dubbo(S)
    oneway = only(down, C, framed(body(), 7, 0x82))
    for each in (oneway, only(down, C, framed(b"N", 8, 0xE2)), only(down, C, framed(b"\x01R", 9, 0xA2))):
        with pytest.raises(Unsupported):
            down.reply_error(each, Status.INTERNAL, "x")
        with pytest.raises(Unsupported):
            down.reply_exception(each, "x")
    with pytest.raises(ValueError, match="OK"):
        down.reply_error(only(down, C, framed(body(), 7)), Status.OK, "x")


def test_halves_of_surrogates_in_a_text() -> None:
    down = open_dubbo(S)
    back = read(down.reply_error(only(down, C, framed(body(), 7)), Status.INTERNAL, "a\ud800b"), S)
    assert isinstance(back, DubboResponse)
    assert back.text() == "a�b"


# Heartbeats.


@pytest.mark.parametrize(
    ("serialization", "asked", "answered"),
    [
        (2, b"N", b"N"),
        (2, b"", b"N"),
        (23, b"\0\0\0\x01\xaf", b"\0\0\0\x01\xaf"),
        (6, b"null\n", b"null\n"),
        (3, b"\xac\xed\0\x05p", b"\xac\xed\0\x05p"),
    ],
)
def test_heartbeats(serialization: int, asked: bytes, answered: bytes) -> None:
    for sender in (C, S):
        session = open_dubbo(sender.other)
        heartbeat = only(session, sender, framed(asked, 2**64 - 1, 0xE0 | serialization))
        assert heartbeat.kind is Kind.HEARTBEAT
        octets = session.reply_heartbeat(heartbeat)
        assert octets == framed(answered, 2**64 - 1, 0x20 | serialization, 20)
        with pytest.raises(Unsupported):
            session.reply_heartbeat(heartbeat)
        back = read(octets, sender.other)
        assert isinstance(back, DubboEvent)
        assert back.status is Status.OK


def test_what_is_no_heartbeat() -> None:
    session = open_dubbo(S)
    for octets in (framed(b"\x01R", 9, 0xA2), framed(b"N", 9, 0xA2), framed(body(), 7)):
        with pytest.raises(Unsupported):
            session.reply_heartbeat(only(session, C, octets))


# Answers whose request says a version without attachments.


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_answers_without_attachments(kind: int) -> None:
    writer = Writer()
    writer.integer(kind)
    if kind != 2:
        writer.value("value")
    octets = framed(writer.getvalue(), 5, 2, 20)
    session = open_dubbo(None)
    back = only(session, S, octets)
    with pytest.raises(Unsupported, match="version"):
        session.send(back, TENANT)
    assert session.send(back, Changes(remove_headers=["tenant"])) == octets
    assert session.send(back, Changes({"dubbo.request_id": 6})) == octets[:4] + (6).to_bytes(8, "big") + octets[12:]


@pytest.mark.parametrize("map_", [b"N", b"HZ", b""])
def test_answers_whose_attachments_are_empty(map_: bytes) -> None:
    octets = framed(b"\x95" + map_, 5, 2, 20)
    session = open_dubbo(None)
    assert session.send(only(session, S, octets), TENANT) == framed(b"\x95H\x06tenant\x01aZ", 5, 2, 20)
