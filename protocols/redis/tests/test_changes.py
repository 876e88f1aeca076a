"""Changes and errors that Redis cannot say are refused and leave no trace; what is accepted is read back, also by a few lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs import (
    Changes,
    Event,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Sender,
    Session,
    Status,
    Unsupported,
    get_protocol,
    open_session,
)
from l7codecs_redis import RedisRequest

C, S = Sender.CLIENT, Sender.SERVER
KEYS, NAME = "redis.keys", "db.operation.name"


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])


def words_of(octets: bytes) -> list[bytes]:
    """The arguments of the one command in `octets`, read by the lengths alone."""
    head, octets = octets.split(b"\r\n", 1)
    found = []
    for _ in range(int(head[1:])):
        size, octets = octets.split(b"\r\n", 1)
        found.append(octets[: int(size[1:])])
        octets = octets[int(size[1:]) + 2 :]
    assert octets == b"", "octets behind the command"
    return found


def asked(octets: bytes, limits: Limits | None = None) -> Message:
    session = open_session("redis", endpoint=S, limits=limits or Limits())
    [message] = session.receive(C, octets)
    assert isinstance(message, Message)
    return message


GET = command(b"GET", b"k")
REFUSED: list[tuple[bytes, Changes, str]] = [
    *[
        (GET, Changes({NAME: value}), NAME)
        for value in ("", " ", "GET ", " GET", "G\r\nT", "G\0", "Ä", "\ud800", "G\x7fT")
    ],
    *[(GET, Changes({NAME: value}), NAME) for value in (5, True, [b"GET"], b"GET", ("GET",), 1.5)],
    *[
        (GET, Changes({NAME: value}), value)
        for value in ("CLIENT ID", "SUBSCRIBE", "MULTI", "MONITOR", "QUIT", "PING", "SELECT")
    ],
    (command(b"PING"), Changes({NAME: "ECHO"}), "PING"),
    (command(b"CONFIG", b"GET", b"x"), Changes({NAME: "CONFIG "}), NAME),
    *[(GET, Changes({KEYS: value}), "key") for value in ((), (b"a", b"b"), b"a", "a", 5, ("a",), (5,), [b"a"])],
    (b"\r\n", Changes({NAME: "GET"}), NAME),
    (GET, Changes({"db.namespace": "1"}), "db.namespace"),
    (GET, Changes({"db.response.status_code": "ERR"}), "db.response.status_code"),
    (GET, Changes({"x": "1", KEYS: (b"a",)}), "x"),
    (GET, Changes({5: "1"}), "5"),
    (GET, Changes(set_headers={"a": "b"}), "headers"),
    (GET, Changes(remove_headers=("a",)), "headers"),
]


@pytest.mark.parametrize(("octets", "changes", "name"), REFUSED, ids=lambda value: repr(value)[:60])
def test_what_cannot_be_said_is_refused(octets: bytes, changes: Changes, name: str) -> None:
    session = open_session("redis", endpoint=C)
    for call in (session.send, session.put):
        with pytest.raises((ValueError, Unsupported)) as refused:
            call(asked(octets), changes)
        assert name in str(refused.value) and not isinstance(refused.value, UnicodeError)
    assert (
        session.pending_output() == b"" and session.queued == 0 and session.unanswered() == [] and session.pending == 0
    )


def test_the_schema_tells_what_can_change() -> None:
    values = {NAME: "TTL", KEYS: (b"other",)}
    for name, attribute in get_protocol("redis").schema.items():
        session, changes = open_session("redis", endpoint=C), Changes({name: values.get(name, "x")})
        if attribute.changeable:
            assert session.send(asked(GET), changes) != GET
        else:
            with pytest.raises(Unsupported, match=re.escape(name)):
                session.send(asked(GET), changes)


def test_a_key_beyond_the_limit_is_refused() -> None:
    limits = Limits(payload=10)
    session = open_session("redis", endpoint=C, limits=limits)
    with pytest.raises(ValueError, match=r"redis\.keys has one of 11 octets"):
        session.send(asked(GET), Changes({KEYS: (b"x" * 11,)}))
    assert words_of(session.send(asked(GET), Changes({KEYS: (b"x" * 10,)}))) == [b"GET", b"x" * 10]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [[b"GET", b"k"], [b"MSET", b"a", b"1", b"b\r\n", b"2"], [b"EVAL", b"x", b"2", b"a", b"b", b"c"], [b"PING"]]
    ),
    st.booleans(),
    st.lists(st.one_of(st.binary(max_size=8), st.sampled_from([b"\r\n*1\r\n$1\r\nx\r\n", b"", b"\0"])), max_size=3),
    st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["GET", "DEL", "nosuch", "SUBSCRIBE"])),
)
def test_what_is_accepted_is_read_back(words: list[bytes], inline: bool, keys: list[bytes], name: str | None) -> None:
    octets = b" ".join(words) + b"\r\n" if inline and all(word.isalnum() for word in words) else command(*words)
    message = asked(octets)
    assert isinstance(message, RedisRequest)
    session = open_session("redis", endpoint=C)
    values: dict[str, Any] = {KEYS: tuple(keys)}
    if name is not None:
        values[NAME] = name
    try:
        sent = session.send(message, Changes(values))
    except UnicodeError:
        raise
    except (ValueError, Unsupported):
        assert session.pending == 0
        assert session.send(message) == octets
        return
    found = words_of(sent)
    expected = list(words)
    for index, key in zip(message.spec.key_indices(words), keys, strict=True):
        expected[index] = key
    if name is not None:
        expected[0] = name.encode("ascii")
    assert found == expected
    [again] = open_session("redis").receive(C, sent)
    assert isinstance(again, RedisRequest) and again.arguments == expected


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([status for status in Status if status is not Status.OK]), st.text(max_size=30))
def test_every_text_of_an_error_is_one_line(status: Status, text: str) -> None:
    session = open_session("redis", endpoint=S)
    request = next(iter(session.receive(C, GET + GET)))
    assert isinstance(request, Message)
    octets = session.reply_error(request, status, text)
    assert octets.startswith(b"-") and octets.endswith(b"\r\n") and octets.count(b"\n") == octets.count(b"\r") == 1
    line = octets[1:-2].decode().partition(" ")[2]
    assert line == " ".join(text.encode("utf-8", "replace").decode().split())
    [answer] = open_session("redis").receive(S, octets)
    assert isinstance(answer, Message) and answer.error is not None


def test_an_error_text_beyond_the_limit_of_a_line_is_refused() -> None:
    session = open_session("redis", endpoint=S, limits=Limits(head=100))
    [request] = session.receive(C, GET)
    assert isinstance(request, Message)
    for text in ("x" * 94, "ä" * 47):
        with pytest.raises(ValueError, match="text makes a line of 101 octets"):
            session.reply_error(request, Status.INTERNAL, text)
    assert session.unanswered() == [request]
    assert len(session.reply_error(request, Status.INTERNAL, "x" * 93)) == 100


BAD = [
    Changes({KEYS: (b"a", b"b", b"c")}),
    Changes({KEYS: ("a",)}),  # type: ignore[dict-item]  # it is wrong
    Changes({NAME: "G\r\nT"}),
    Changes({NAME: "A B C"}),
    Changes({"db.namespace": "2"}),
    Changes(set_headers={"a": "b"}),
]


def be_bad(session: Session, event: Event) -> None:
    before = (session.queued, session.paused, session.closing, session.pending, session.unanswered())
    for changes in BAD:
        for call in (session.send, session.put):
            with pytest.raises((ValueError, Unsupported)):
                call(event, changes)
    if isinstance(event, Message):
        for status, text in ((Status.OK, "fine"), (Status.INTERNAL, "x" * 70_000)):
            with pytest.raises((ValueError, Unsupported)):
                session.reply_error(event, status, text)
    assert before == (session.queued, session.paused, session.closing, session.pending, session.unanswered())


def traffic(bad: Callable[[Session, Event], None]) -> bytes:
    """Pipelines, transactions, subscriptions, errors made here, pauses; before each event `bad` has its way. What was written."""
    down, up = open_session("redis", endpoint=S), open_session("redis", endpoint=C)
    log: list[bytes] = []

    def passed(target: Session, events: list[Event], changes: Changes | None = None) -> None:
        for event in events:
            bad(target, event)
            change = changes if isinstance(event, Message) and event.operation == "GET" else None
            target.put(event, change)
            if isinstance(event, Message) and event.kind is Kind.REQUEST:
                bad(down, event)
        log.extend([up.pending_output(), down.pending_output()])

    said = GET * 3 + command(b"MULTI") + command(b"SELECT", b"1") + GET + command(b"EXEC") + b"GET inline\r\n"
    passed(up, list(down.receive(C, said)), Changes({KEYS: (b"other",)}))
    [refused] = down.receive(C, command(b"CONFIG", b"GET", b"x"))
    assert isinstance(refused, Message)
    bad(down, refused)
    log.append(down.reply_error(refused, Status.PERMISSION_DENIED, "no\r\n+OK"))
    down.paused = True
    passed(up, list(down.receive(C, command(b"SUBSCRIBE", b"a", b"b") + GET)))
    answers = b"$1\r\na\r\n" * 3 + b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nb\r\n"
    passed(down, list(up.receive(S, answers)))
    down.paused = False
    passed(
        down,
        list(
            up.receive(
                S, b"$-1\r\n" + b"".join(b"*3\r\n$9\r\nsubscribe\r\n$1\r\n%c\r\n:1\r\n" % each for each in b"ab")
            )
        ),
    )
    passed(down, list(up.receive(S, b"-ERR only\r\n")))
    log.extend([up.close(), down.close()])
    return b"|".join(log)


def test_a_refused_call_leaves_no_trace() -> None:
    """Octet by octet, sessions that were given every bad call at every moment write what those write that never were."""
    good = traffic(lambda session, event: None)
    assert b"other" in good and b"-NOPERM no +OK\r\n" in good and b"-ERR only" in good
    assert traffic(be_bad) == good


def test_what_is_too_much_to_wait_leaves_no_trace() -> None:
    """A command that is refused is not remembered: the answers behind it would all be shifted."""
    requests = [asked(command(b"GET", b"%d" % number)) for number in range(4)]
    size = len(requests[0].raw)
    up = open_session("redis", endpoint=C, limits=Limits(queued=(2 * size + 7) // 8))
    up.paused = True
    for request in requests[:2]:
        up.put(request)
    for call in (up.send, up.put):
        with pytest.raises(LimitExceeded, match=r"limits\.queued"):
            call(requests[2])
    assert up.pending == 2 and up.queued == 2 * size
    up.paused = False
    assert up.pending_output() == requests[0].raw + requests[1].raw
    assert up.send(requests[3]) == requests[3].raw
    answers = list(up.receive(S, b"+0\r\n+1\r\n+3\r\n"))
    assert [answer.request for answer in answers if isinstance(answer, Message)] == [
        requests[0],
        requests[1],
        requests[3],
    ]


def test_many_puts_are_joined_once() -> None:
    """Each was joined with all before it: 50 seconds here."""
    session = open_session("redis", endpoint=C, limits=Limits(pending=200_000))
    request = asked(GET)
    started = time.process_time()
    for _ in range(150_000):
        session.put(request)
    assert time.process_time() - started < 10
    assert len(session.pending_output()) == 150_000 * len(GET)
