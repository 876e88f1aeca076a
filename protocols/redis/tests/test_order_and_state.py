"""Answers in the order of the requests, effects of commands that are refused, and what is known after lost octets."""

from itertools import pairwise

import pytest

from l7codecs import (
    Data,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    ProtocolError,
    Sender,
    Session,
    Status,
    Unsupported,
    open_session,
)
from l7codecs.testing import Vector, replay

C, S = Sender.CLIENT, Sender.SERVER


def command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)


def asked(session: Session, *commands: str) -> list[Message]:
    octets = b"".join(command(*line.split(" ")) for line in commands)
    return [event for event in session.receive(C, octets) if isinstance(event, Message)]


def answered(session: Session, octets: bytes) -> list[Message]:
    return [event for event in session.receive(S, octets) if isinstance(event, Message)]


def test_an_answer_waits_for_the_end_of_the_one_before_it() -> None:
    down, up = open_session("redis"), open_session("redis")
    first, second, third = asked(down, "GET a", "GET b", "GET c")
    up.send(first)
    value = b"$2000000\r\n" + b"A" * 2_000_000 + b"\r\n"
    written = b"".join(down.send(event) for event in up.receive(S, value[:1000]))
    assert down.reply_error(second, Status.INTERNAL, "b") == b""
    assert down.reply_error(third, Status.INTERNAL, "c") == b""
    written += b"".join(down.send(event) for event in up.receive(S, value[1000:]))
    assert written == value + b"-ERR b\r\n-ERR c\r\n"


def test_an_early_answer_that_streams_is_not_interrupted() -> None:
    down, one, other = open_session("redis"), open_session("redis"), open_session("redis")
    first, second, third = asked(down, "GET a", "GET b", "GET c")
    one.send(first)
    other.send(second)
    value = b"$1500000\r\n" + b"B" * 1_500_000 + b"\r\n"
    assert b"".join(down.send(event) for event in other.receive(S, value[:1000])) == b""
    assert down.reply_error(third, Status.INTERNAL, "c") == b""
    (answer,) = one.receive(S, b"+A\r\n")
    written = down.send(answer)
    written += b"".join(down.send(event) for event in other.receive(S, value[1000:]))
    assert written == b"+A\r\n" + value + b"-ERR c\r\n"


def test_what_is_remembered_no_longer_is_waited_for_all_the_same() -> None:
    down = open_session("redis", limits=Limits(pending=2))
    _, _, third = asked(down, "GET a", "GET b", "GET c")
    assert down.reply_error(third, Status.INTERNAL, "c") == b""


def test_a_request_is_answered_once() -> None:
    down = open_session("redis")
    (request,) = asked(down, "GET a")
    assert down.reply_error(request, Status.INTERNAL, "x") == b"-ERR x\r\n"
    with pytest.raises(Unsupported, match="already"):
        down.reply_error(request, Status.INTERNAL, "x")


def test_attributes_too_large_for_a_message() -> None:
    octets = b"|1\r\n+k\r\n+" + b"a" * 60 + b"\r\n+OK\r\n|1\r\n+k\r\n$1100000\r\n" + b"v" * 500
    session = open_session("redis")
    events = session.receive(S, octets)
    assert next(events).raw.endswith(b"+OK\r\n")
    with pytest.raises(LimitExceeded, match="attributes"):
        next(events)


def test_an_empty_command_has_no_keys() -> None:
    octets = command("GET", "k") + b"*0\r\n" + command("SET", "pw", "x") + b"*-1\r\n"
    found = [event for event in open_session("redis").receive(C, octets) if isinstance(event, Message)]
    assert [event.resources for event in found] == [(b"k",), (), (b"pw",), ()]


def test_inline_words_end_where_the_servers_do() -> None:
    """redis-server 7.0.15 stores the key a VT b; a vertical tab separates words only behind a quote."""
    (event,) = open_session("redis").receive(C, b"SET a\x0bb 1\r\n")
    assert event.resources == (b"a\x0bb",)  # type: ignore[attr-defined]  # a Message
    (event,) = open_session("redis").receive(C, b"\x0bSET 'a'\x0c\"b\"\r\n")
    assert event.resources == (b"a",)  # type: ignore[attr-defined]  # a Message
    with pytest.raises(ProtocolError) as raised:
        list(open_session("redis").receive(C, b"SET n \0x\r\n"))
    assert raised.value.offset == 6
    assert raised.value.sender is C


@pytest.mark.parametrize(
    ("refused", "answer"),
    [
        ("MULTI", b"-NOAUTH Authentication required.\r\n"),
        ("WATCH k", b"-NOPERM no\r\n"),
        ("CLIENT REPLY OFF x", b"-ERR wrong number of arguments\r\n"),
    ],
)
def test_a_command_that_is_refused_has_no_effect(refused: str, answer: bytes) -> None:
    session = open_session("redis")
    asked(session, refused)
    answered(session, answer)
    (ping,) = asked(session, "PING")
    assert ping.kind is Kind.HEARTBEAT
    assert "l7.pins" not in ping.attributes
    assert [reply.request for reply in answered(session, b"+PONG\r\n")] == [ping]


@pytest.mark.parametrize("refused", ["CLIENT REPLY OFF", "CLIENT REPLY SKIP", "REPLCONF ACK 1", "MULTI", "MONITOR"])
def test_a_resp2_connection_with_subscriptions_refuses_most_commands(refused: str) -> None:
    session = open_session("redis")
    asked(session, "SUBSCRIBE c")
    answered(session, b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    request, ping = asked(session, refused, "PING")
    found = answered(session, b"-ERR Can't execute: only (P|S)SUBSCRIBE\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n")
    assert [reply.request for reply in found] == [request, ping]


@pytest.mark.parametrize(
    ("commands", "answers", "database"),
    [
        (["SELECT 99", "SELECT 1"], b"-ERR DB index is out of range\r\n+OK\r\n", "1"),
        (["SELECT 1", "SELECT 99"], b"+OK\r\n-ERR DB index is out of range\r\n", "1"),
        (["WATCH k", "MULTI", "SELECT 5", "EXEC"], b"+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n", "0"),
        (["MULTI", "SELECT 5", "EXEC"], b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", "5"),
        (["MULTI", "SELECT 5", "NO", "EXEC"], b"+OK\r\n+QUEUED\r\n-ERR\r\n-EXECABORT no\r\n", "0"),
        (["SELECT 3", "RESET"], b"+OK\r\n+RESET\r\n", "0"),
    ],
)
def test_the_database_after_failures(commands: list[str], answers: bytes, database: str) -> None:
    session = open_session("redis")
    asked(session, *commands)
    answered(session, answers)
    (request,) = asked(session, "GET k")
    assert request.attributes["db.namespace"] == database


def test_the_database_is_unknown_after_a_gap_in_select() -> None:
    session = open_session("redis")
    list(session.receive(C, b"*2\r\n$6\r\nSELECT\r\n$2\r\n1"))
    list(session.gap(C, 1))
    list(session.receive(C, b"\r\n"))
    (request,) = asked(session, "GET k")
    assert "db.namespace" not in request.attributes


REFUSED = b"-ERR DB index is out of range\r\n"


@pytest.mark.parametrize(("answer", "database"), [(b"+OK\r\n", "7"), (REFUSED, None)])
def test_the_database_where_the_answer_to_select_came_before_it(answer: bytes, database: str | None) -> None:
    session = open_session("redis")
    answered(session, answer)
    asked(session, "SELECT 7")
    (request,) = asked(session, "GET k")
    assert request.attributes.get("db.namespace") == database


@pytest.mark.parametrize(("answer", "known"), [(b"+OK\r\n", "7"), (REFUSED, "5")])
def test_the_database_after_a_loss_is_that_which_an_answer_confirms(answer: bytes, known: str) -> None:
    """Which answer is that to SELECT is not certain at first; before it is, nobody knows the database."""
    session = open_session("redis")
    asked(session, "SELECT 5")
    answered(session, b"+OK\r\n")
    list(session.gap(S, 0))
    list(session.gap(C, 0))
    for number in range(60):
        asked(session, "INCR k" if number % 3 else "GET k", "LRANGE l 0 1")
        answered(session, (b":1\r\n" if number % 3 else b"$-1\r\n") + b"*0\r\n")
    for database in (None, None, "5"):
        (request,) = asked(session, "SELECT 5")
        assert request.attributes.get("db.namespace") == database
        answered(session, b"+OK\r\n")
    asked(session, "SELECT 7")
    answered(session, answer)
    (request,) = asked(session, "GET k")
    assert request.attributes.get("db.namespace") == known


def test_a_select_that_nobody_saw_answered_tells_no_database() -> None:
    """Joined midway, it may have been refused."""
    session = open_session("redis")
    list(session.gap(S, 0))
    list(session.gap(C, 0))
    asked(session, "SELECT 99")
    answered(session, REFUSED)
    (request,) = asked(session, "GET k")
    assert "db.namespace" not in request.attributes


def test_hello_without_an_answer_switches_all_the_same() -> None:
    session = open_session("redis")
    asked(session, "CLIENT REPLY SKIP", "HELLO 3")
    (subscribe,) = asked(session, "SUBSCRIBE a")
    found = answered(session, b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
    assert found[0].request is subscribe
    (request,) = asked(session, "GET k")
    assert [reply.request for reply in answered(session, b"$-1\r\n")] == [request]


def test_after_a_gap_an_answer_pairs_with_nothing_rather_than_with_the_wrong_request() -> None:
    session = open_session("redis")
    asked(session, "GET a", "GET b")
    list(session.gap(S, 5))
    asked(session, "GET c")
    assert [reply.request for reply in answered(session, b"$1\r\nb\r\n")] == [None]
    assert [reply.request for reply in answered(session, b"$1\r\nc\r\n")] == [None]
    for key in ("d", "e", "f"):
        (request,) = asked(session, f"GET {key}")
        (reply,) = answered(session, b"$-1\r\n")
    assert reply.request is request, "command and answer have taken turns"


def test_after_a_gap_in_its_only_answer_the_next_request_pairs() -> None:
    session = open_session("redis")
    asked(session, "GET a")
    list(session.gap(S, 5))
    (request,) = asked(session, "GET b")
    assert [reply.request for reply in answered(session, b"$-1\r\n")] == [request]


def test_a_string_with_a_bad_end_is_the_same_however_it_is_read() -> None:
    octets = b"$2000000\r\n" + b"x" * 2_000_000 + b"XX"
    found = []
    for step in (len(octets), 65_536):
        session = open_session("redis")
        outcome = replay(session, Vector("x", tuple((S, octets[at : at + step]) for at in range(0, len(octets), step))))
        kinds = [type(event).__name__ for event in outcome.events]
        found.append((kinds[0], set(kinds[1:]) == {"Data"}, outcome.errors[S].offset))
    assert found[0] == found[1] == ("RedisReply", True, 2_000_010)


def test_where_decoding_resumes_does_not_depend_on_the_reads() -> None:
    octets = b"zz" + command("GET", "b") + command("GET", "c")
    raws = []
    for cuts in ([], [2], [1, 2, 3]):
        session = open_session("redis")
        list(session.gap(C, 7))
        events = [e for a, b in pairwise([0, *cuts, len(octets)]) for e in session.receive(C, octets[a:b])]
        raws.append([event.raw for event in events if isinstance(event, Message)])
    assert raws[0] == raws[1] == raws[2] == [command("GET", "c")]


def test_a_gap_in_a_verbatim_string() -> None:
    session = open_session("redis")
    events = [*session.receive(S, b"=15\r\nt"), *session.gap(S, 4), *session.receive(S, b"some strin\r\n+OK\r\n")]
    assert [type(event).__name__ for event in events] == ["RedisReply", "Gap", "Data", "RedisReply"]
    assert isinstance(events[2], Data)
    assert not events[2].more


def test_a_select_that_is_confirmed_behind_a_loss() -> None:
    """What was lost may have been RESET or another SELECT: an answer to the one before says nothing of what comes behind."""
    session = open_session("redis")
    asked(session, "SELECT 3")
    list(session.gap(C))
    asked(session, "GET a")
    assert [reply.request is None for reply in answered(session, b"+OK\r\n$1\r\nb\r\n")] == [False, True]
    (request,) = asked(session, "GET a")
    assert "db.namespace" not in request.attributes


def test_a_client_reply_that_begins_in_lost_octets() -> None:
    """SKIP leaves the next command without an answer, so where some of it is seen nobody knows how many wait."""
    skip = command("CLIENT", "REPLY", "SKIP")
    for lost in range(1, len(skip)):
        session = open_session("redis")
        list(session.gap(C, lost))
        list(session.receive(C, skip[lost:]))
        asked(session, "GET a", "SET a b", "LRANGE l 0 1")
        replies = answered(session, b"+OK\r\n*1\r\n$1\r\na\r\n")
        (last,) = asked(session, "GET a")
        replies += answered(session, b"$1\r\nb\r\n")
        operations = [reply.request.operation if reply.request is not None else None for reply in replies]
        assert all(seen in (None, right) for seen, right in zip(operations, ("SET", "LRANGE", "GET"), strict=True)), (
            lost
        )
        assert replies[-1].request in (None, last)


def test_one_answer_that_was_waited_for_says_little_behind_several_losses() -> None:
    """A client that has waited once is not taken for one that always does, where commands are lost and pushes are torn as well."""
    session = open_session("redis")
    asked(session, "HELLO 3")
    list(session.gap(S, 1))
    answered(session, b"1\r\n$5\r\nproto\r\n:3\r\n")
    torn = command("TOUCH", "a")
    list(session.receive(C, torn[:10]))
    list(session.gap(C, 1))
    list(session.receive(C, torn[11:]))
    asked(session, "MSET a 1 key 2")
    list(session.receive(S, b">2\r\n$10\r\ninvalidate"))
    list(session.gap(S, 1))
    answered(session, b"\n*1\r\n$3\r\nkey\r\n")
    asked(session, "MULTI")
    assert [reply.request for reply in answered(session, b"-LOADING not yet\r\n+OK\r\n+OK\r\n")] == [None] * 3
