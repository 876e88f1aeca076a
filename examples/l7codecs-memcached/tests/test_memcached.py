"""What a command and an answer are: as memcached answered, and as pymemcache reads the answers."""

from __future__ import annotations

import os
import re
import socket
import threading
from pathlib import Path

import pytest
from l7codecs_memcached import MetaCommand
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError

import l7codecs
from l7codecs import Data, Kind, Limits, Message, Sender, Status, Unsupported
from l7codecs.testing import Vector, check_cuts, load_vectors, replay

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parents[1] / "vectors")}
RECORDINGS = os.environ.get("L7CODECS_RECORDINGS", "")
C, S = Sender.CLIENT, Sender.SERVER


def said(name: str) -> list[tuple[str | None, ...]]:
    """Of each answer: the line of its command, its first word, its status."""
    outcome = replay(l7codecs.open_session("memcached"), VECTORS[name])
    return [
        (
            None if event.request is None else event.request.raw.split(b"\n")[0].strip().decode(),
            event.raw.split()[0].decode(),
            event.status and event.status.name,
        )
        for event in outcome.events
        if isinstance(event, Message) and event.kind is Kind.RESPONSE
    ]


def test_every_command_that_is_answered_has_its_answer() -> None:
    """memcached answers each line once but for noreply, quiet ones and quit: so the numbers tell who is left."""
    for name, vector in VECTORS.items():
        outcome = replay(l7codecs.open_session("memcached"), vector)
        assert outcome.errors == {}
        commands = [each for each in outcome.events if isinstance(each, Message) and each.kind is Kind.REQUEST]
        answers = [each for each in outcome.events if isinstance(each, Message) and each.kind is Kind.RESPONSE]
        quiet = [each for each in commands if isinstance(each, MetaCommand) and each.quiet]
        assert len(commands) - len(quiet) <= len(answers) <= len(commands), name
        if not quiet:
            assert [each.request for each in answers] == commands, name


def test_classic() -> None:
    assert said("classic")[:6] == [
        ("set a 5 0 3", "STORED", "OK"),
        ("add a 0 0 1", "NOT_STORED", "FAILED_PRECONDITION"),
        ("get a zz", "VALUE", "OK"),
        ("get zz", "END", "NOT_FOUND"),
        ("replace zz 0 0 1", "NOT_STORED", "FAILED_PRECONDITION"),
        ("append a 0 0 1", "STORED", "OK"),
    ]
    assert ("cas a 0 0 1 1", "EXISTS", "ABORTED") in said("classic")


def test_quiet_commands_that_answer_all_the_same() -> None:
    assert said("quiet") == [
        ("mg q v q k Ob", "VA", "OK"),
        ("md zz q Od", "NF", "NOT_FOUND"),
        ("ms q 2 q ME Oe", "NS", "FAILED_PRECONDITION"),
        ("mg q q Of", "HD", "OK"),
        ("mn", "MN", "OK"),
    ]


def test_what_cannot_be_told_pairs_with_nothing() -> None:
    assert said("quiet-without-tokens") == [
        (None, "VA", "OK"),  # of either get: only the server knows which of them missed
        ("mn", "MN", "OK"),
        ("mg q v q k", "VA", "OK"),  # it repeats the key
        ("mn", "MN", "OK"),
    ]


def test_noreply_is_a_key_as_well() -> None:
    outcome = replay(l7codecs.open_session("memcached"), VECTORS["noreply"])
    commands = [(e.kind.value, e.operation, e.resources) for e in outcome.events if e.sender is C]  # type: ignore[attr-defined]
    assert commands == [
        ("oneway", "set", (b"noreply",)),
        ("request", "get", (b"noreply",)),
        ("request", "delete", (b"noreply",)),
        ("oneway", "delete", (b"noreply",)),
        ("oneway", "verbosity", ()),
        ("oneway", "flush_all", ()),
        ("request", "get", (b"noreply",)),
    ]


@pytest.mark.parametrize(
    ("line", "swallowed"),
    [
        (b"set k 0 0 7", True),
        (b"set k 4294967296 0 7", True),
        (b"set k 0 -1 7", True),
        (b"set k 0 0 7 noreply", True),
        (b"set k xx 0 7", False),
        (b"set k 0 0 abc", False),
        (b"set k 0 0 -1", False),
        (b"set " + b"k" * 251 + b" 0 0 7", False),
        (b"set k 0 0 2147483648", False),
        (b"cas k 0 0 7 1", True),
        (b"ms k 7 Fxx", True),
        (b"ms k 7 MX", True),
        (b"ms k", False),
        (b"ms k abc", False),
        (b"ms k S7", False),
        (b"ms " + b"k" * 251 + b" 7", False),
    ],
)
def test_a_value_is_swallowed_or_run(line: bytes, swallowed: bool) -> None:
    """As memcached 1.6.18 does: behind some lines that it refuses, the value is commands."""
    session = l7codecs.open_session("memcached")
    found = list(session.receive(C, line + b"\r\nversion\r\nversion\r\n"))
    assert [each.operation for each in found].count("version") == (1 if swallowed else 2)  # type: ignore[attr-defined]


def test_a_key_in_base64_is_the_key() -> None:
    outcome = replay(l7codecs.open_session("memcached"), VECTORS["base64"])
    assert {e.resources for e in outcome.events if e.sender is C} == {(b"foo",)}  # type: ignore[attr-defined]
    assert [line for line, _, _ in said("base64")] == ["ms Zm9v 2 b", "mg Zm9v b k v", "mg foo k v"]


def test_values_are_one_message_that_streams() -> None:
    session = l7codecs.open_session("memcached", limits=Limits(message=100))
    list(session.receive(C, b"get a b c\r\n"))
    values = b"".join(b"VALUE %s 0 60\r\n%s\r\n" % (key, b"x" * 60) for key in (b"a", b"b", b"c"))
    head, *rest = session.receive(S, values + b"END\r\n")
    assert isinstance(head, Message)
    assert (head.more, head.status, head.operation) == (True, Status.OK, "get")
    assert all(isinstance(each, Data) for each in rest)
    assert b"".join(each.raw for each in (head, *rest)) == values + b"END\r\n"
    assert session.pending == 0


def test_a_log_is_pushed() -> None:
    outcome = replay(l7codecs.open_session("memcached"), VECTORS["watch"])
    kinds = [event.kind for event in outcome.events if isinstance(event, Message)]
    assert kinds[:2] == [Kind.REQUEST, Kind.RESPONSE]
    assert kinds[2:] and set(kinds[2:]) == {Kind.PUSH}


def test_attributes() -> None:
    session = l7codecs.open_session("memcached")
    command, meta = session.receive(C, b"gets a b\r\nmg k v q Oxyz\r\n")
    assert isinstance(command, Message) and isinstance(meta, Message)
    assert {key: command.attributes[key] for key in ("l7.access", "memcached.keys", "db.operation.batch.size")} == {
        "l7.access": "read",
        "memcached.keys": (b"a", b"b"),
        "db.operation.batch.size": 2,
    }
    assert (meta.request_id, meta.attributes["memcached.quiet"]) == (b"xyz", True)
    (answer,) = session.receive(S, b"SERVER_ERROR out of memory storing object\r\n")
    assert isinstance(answer, Message)
    assert (answer.status, answer.attributes["error.type"]) == (Status.RESOURCE_EXHAUSTED, "SERVER_ERROR")


def test_detection() -> None:
    assert l7codecs.detect(b"set k 0 0 1\r\nv\r\n", b"STORED\r\n")[0].protocol == "memcached"
    for other in (b"GET / HTTP/1.1\r\n", b"*1\r\n$4\r\nPING\r\n", b"get \x00\r\n", b"PING\r\n"):
        assert "memcached" not in [item.protocol for item in l7codecs.detect(other)]


def test_an_error_waits_for_its_turn() -> None:
    session = l7codecs.open_session("memcached", endpoint=Sender.SERVER)
    first, second = session.receive(C, b"get a\r\nget b\r\n")
    assert isinstance(first, Message) and isinstance(second, Message)
    assert session.reply_error(second, Status.PERMISSION_DENIED, "no") == b""
    assert (
        session.reply_error(first, Status.UNAVAILABLE, "not\r\ntoday")
        == b"SERVER_ERROR not today\r\nCLIENT_ERROR no\r\n"
    )
    assert session.pending == 0
    with pytest.raises(Unsupported, match="answered already"):
        session.reply_error(first, Status.UNAVAILABLE, "no")
    with pytest.raises(ValueError, match="status"):
        session.reply_error(first, Status.OK, "no")


def test_a_quiet_command_holds_up_nobody() -> None:
    """Once a later one is answered it has stayed silent; and an answer to it that comes in time has its place."""
    commands = b"get a\r\nmg b v q O1\r\nmg c v q O2\r\nmn\r\n"
    for given, written in (
        ("get mn", b"END\r\nMN\r\n"),
        ("mn get", b"END\r\nMN\r\n"),
        ("2 mn 1 get", b"END\r\nVA 1 O1\r\nx\r\nVA 1 O2\r\nx\r\nMN\r\n"),
        ("get 2 1 mn", b"END\r\nVA 1 O2\r\nx\r\nMN\r\n"),  # the answer to 1 is late
    ):
        session = l7codecs.open_session("memcached", endpoint=S)
        asked = [each for each in session.receive(C, commands) if isinstance(each, Message)]
        answers = replay(
            l7codecs.open_session("memcached"),
            Vector("", ((C, commands), (S, b"END\r\nVA 1 O1\r\nx\r\nVA 1 O2\r\nx\r\nMN\r\n"))),
        )
        found = [each for each in answers.events if isinstance(each, Message) and each.kind is Kind.RESPONSE]
        by_name = dict(zip(("get", "1", "2", "mn"), zip(found, asked, strict=True), strict=True))
        octets = b""
        for name in given.split():
            answer, answer.request = by_name[name]
            octets += session.send(answer)
        assert octets == written, given
        assert session.unanswered() == [] and session.queued == 0


@pytest.mark.parametrize("count", [10_000, 30_000])
def test_a_long_quiet_run_gets_through_a_proxy(count: int) -> None:
    """An engine reads nobody while a session is full, and there is always room for the mn that ends a run."""
    down, up = l7codecs.open_session("memcached", endpoint=S), l7codecs.open_session("memcached", endpoint=C)
    said = b"".join(b"ms k%d 1 q\r\nv\r\n" % number for number in range(count)) + b"mn\r\n"
    sent = b""
    for at in range(0, len(said), 1 << 16):
        assert not down.full and not up.full
        for event in down.receive(C, said[at : at + (1 << 16)]):
            up.put(event)
        sent += up.pending_output()
    assert sent == said and up.pending == down.pending <= 10_001
    written = b"".join(down.send(event) for event in up.receive(S, b"MN\r\n"))
    assert written == b"MN\r\n" and up.pending == down.pending == 0 and up.unanswered() == down.unanswered() == []
    # And what was given up holds up nobody, either.
    for event in down.receive(C, said):
        up.send(event)
    for request in up.unanswered():
        up.cancel(request)
    assert not up.full
    (after,) = down.receive(C, b"mg k v\r\n")
    up.send(after)
    (answer,) = [each for each in up.receive(S, b"MN\r\nEN\r\n") if isinstance(each, Message)]
    assert answer.request is after


def test_a_failure_of_one_that_was_forgotten_is_passed_on_and_pairs_with_nothing() -> None:
    limits = Limits(pending=10)
    down, up = (l7codecs.open_session("memcached", endpoint=side, limits=limits) for side in (S, C))
    said = b"".join(b"ms k%d 1 q ME\r\nv\r\n" % number for number in range(30)) + b"mn\r\n"
    assert b"".join(map(up.send, down.receive(C, said))) == said
    answers = b"NS\r\nNS\r\nMN\r\n"
    events = list(up.receive(S, answers))
    assert [getattr(each, "request", None) and each.request.operation for each in events] == [None, None, "mn"]  # type: ignore[attr-defined]
    assert b"".join(map(down.send, events)) == answers and up.pending == down.pending == 0


def test_an_error_made_here_does_not_overtake_the_outcome_of_a_quiet_command() -> None:
    """It says nothing of who was asked before; what the server says of the next does."""
    for outcome in (b"", b"NS\r\n"):
        down, up = l7codecs.open_session("memcached", endpoint=S), l7codecs.open_session("memcached", endpoint=C)
        first, refused, end = down.receive(C, b"ms a 1 q ME\r\n1\r\nms b 1 q\r\n1\r\nmn\r\n")
        up.send(first)
        assert isinstance(refused, Message)
        assert down.reply_error(refused, Status.PERMISSION_DENIED, "no") == b"" and down.queued > 0
        with pytest.raises(Unsupported):
            down.reply_error(refused, Status.PERMISSION_DENIED, "twice")
        up.send(end)
        written = b"".join(map(down.send, up.receive(S, outcome + b"MN\r\n")))
        assert written == outcome + b"CLIENT_ERROR no\r\nMN\r\n" and down.queued == 0 and down.pending == 0


def test_an_error_made_here_takes_the_place_of_a_late_answer() -> None:
    """That tells as well that nobody before it is answered any more."""
    down, up = l7codecs.open_session("memcached", endpoint=S), l7codecs.open_session("memcached", endpoint=C)
    first, slow, end = down.receive(C, b"ms a 1 q ME\r\n1\r\nms b 1 q ME O1\r\n1\r\nmn\r\n")
    for event in (first, slow, end):
        up.send(event)
    assert isinstance(slow, Message) and down.reply_error(slow, Status.DEADLINE_EXCEEDED, "slow") == b""
    (answer,) = up.receive(S, b"NS O1\r\n")
    assert isinstance(answer, Message) and answer.request is slow
    assert down.send(answer) == b"SERVER_ERROR slow\r\n" and down.queued == 0
    assert b"".join(map(down.send, up.receive(S, b"MN\r\n"))) == b"MN\r\n" and down.pending == 0


def test_equal_opaques_of_two_clients_do_not_cross() -> None:
    up = l7codecs.open_session("memcached", endpoint=C)
    asked = []
    for key in (b"a", b"b"):
        down = l7codecs.open_session("memcached", endpoint=S)
        (request,) = down.receive(C, b"mg %s v q O1\r\n" % key)
        asked.append(request)
        up.send(request)
    (end,) = l7codecs.open_session("memcached", endpoint=S).receive(C, b"mn\r\n")
    up.send(end)
    events = [each for each in up.receive(S, b"VA 1 O1\r\n1\r\nMN\r\n") if isinstance(each, Message)]
    assert [each.request for each in events] == [None, end], "of a or of b"


def test_pymemcache_understands_our_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,), daemon=True)
        thread.start()
        client = Client(listener.getsockname()[:2], timeout=10)
        with pytest.raises(MemcacheServerError, match="not today"):
            client.get("k")
        client.close()
        thread.join(10)


def refuse(listener: socket.socket) -> None:
    connection = listener.accept()[0]
    with connection:
        session = l7codecs.open_session("memcached", endpoint=Sender.SERVER)
        while octets := connection.recv(4096):
            for event in session.receive(C, octets):
                assert isinstance(event, Message)
                connection.sendall(session.reply_error(event, Status.UNAVAILABLE, "not today"))


# Recordings of other clients, which are no part of this distribution.


def recordings() -> list[Vector]:
    found = []
    for path in sorted(Path(RECORDINGS, "memcached").glob("*.txt")) if RECORDINGS else []:
        pieces: list[tuple[Sender, bytes]] = []
        name = path.stem
        for line in [*path.read_text().splitlines(), "# case end"]:
            if line.startswith("# case"):
                if pieces and pieces[0][1][:1] < b"\x80":  # else the binary protocol
                    found.append(Vector(name, tuple(pieces)))
                pieces, name = [], f"{path.stem}, {line[7:]}"
            elif cut := re.match(r"# cut (\d+) octets", line):
                sender, octets = pieces[-1]
                at = octets.find(b"x" * 32) + 32
                pieces[-1] = sender, octets[:at] + b"x" * int(cut[1]) + octets[at:]
            elif line[:2] in ("C ", "S "):
                pieces.append((C if line[0] == "C" else S, bytes.fromhex(line[2:])))
    return found


@pytest.mark.skipif(not RECORDINGS, reason="L7CODECS_RECORDINGS is not set")
def test_recordings() -> None:
    """Every client's conversation: no error in any cut, and every answer has its command, but for what only the server knows."""
    silent = {"raw-cases, http", "raw-cases, watch", "raw-cases, lru"}  # closed, became a log, closed
    unsure = {"raw-cases, meta-miss": 1, "raw-cases, meta-ma": 1}
    found = recordings()
    assert len(found) > 50
    for vector in found:
        outcome = check_cuts(lambda: l7codecs.open_session("memcached"), vector)
        assert outcome.errors == {}, vector.name
        answers = [each for each in outcome.events if isinstance(each, Message) and each.kind is Kind.RESPONSE]
        assert sum(1 for each in answers if each.request is None) == unsure.get(vector.name, 0), vector.name
        assert outcome.pending == 0 or vector.name in silent, vector.name
        for each in answers:
            if each.raw.startswith(b"VERSION") and each.request is not None:
                assert each.request.operation == "version", vector.name
