"""What is said and what answers what, as nats-server behaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import l7codecs
from l7codecs import Kind, Limits, Message, ProtocolError, Sender, Status, Unsupported, Verdict
from l7codecs.testing import Vector, check_cuts, load_vectors, replay

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parents[1] / "vectors")}
RECORDINGS = os.environ.get("L7CODECS_RECORDINGS", "")
C, S = Sender.CLIENT, Sender.SERVER


def messages(name: str, sender: Sender) -> list[Message]:
    outcome = replay(l7codecs.open_session("nats"), VECTORS[name])
    assert outcome.errors == {}
    return [event for event in outcome.events if isinstance(event, Message) and event.sender is sender]


def first_line(message: Message | None) -> str | None:
    return None if message is None else message.raw.split(b"\r\n")[0].decode()


def said(name: str, sender: Sender = S) -> list[tuple[str, str, str | None]]:
    """Of each message its kind, its first word, and the line of its request; without INFO."""
    return [
        (each.kind.value, each.raw.split()[0].decode(), first_line(each.request))
        for each in messages(name, sender)
        if each.operation != "INFO"
    ]


def test_a_verbose_client_is_answered_in_order() -> None:
    assert said("verbose") == [
        ("response", "+OK", 'CONNECT {"verbose":true}'),
        ("response", "+OK", "SUB a 1"),
        ("response", "+OK", "PUB a 2"),
        ("push", "MSG", None),
        ("response", "PONG", "PING"),
        ("response", "-ERR", "SUB a..b 2"),
        ("response", "+OK", "UNSUB 1"),
        ("response", "PONG", "PING"),
    ]


def test_verbose_is_the_default() -> None:
    ok = messages("no-connect", S)[1]
    assert (ok.operation, ok.attributes.get("nats.sid"), ok.attributes.get("l7.pins")) == ("SUB", None, None)
    assert said("no-connect")[:2] == [("response", "+OK", "SUB a 1"), ("response", "+OK", "PUB a 2")]


def test_a_refusal_behind_which_ok_comes_all_the_same() -> None:
    assert said("pedantic")[1:] == [
        ("push", "-ERR", None),
        ("response", "+OK", "PUB a.* 0"),
        ("response", "PONG", "PING"),
    ]


def test_a_request_is_answered_on_its_reply_subject() -> None:
    assert said("request") == [
        ("response", "PONG", "PING"),
        ("request", "MSG", None),
        ("response", "MSG", "PUB svc my.inbox.7 2"),
        ("response", "PONG", "PING"),
    ]
    # A client that answers: what it is asked has to be seen first.
    answered = [request for kind, word, request in said("nats-py", C) if kind == "response" and word in ("PUB", "HPUB")]
    assert len(answered) == 3 and all(request and request.split()[0] in ("MSG", "HMSG") for request in answered)


def test_no_responders() -> None:
    (answer,) = [each for each in messages("no-responders", S) if each.operation == "HMSG"]
    assert (answer.kind, answer.status, answer.error) == (Kind.RESPONSE, Status.UNAVAILABLE, "503")
    assert answer.request is not None and answer.request.resources == (b"none",)
    assert answer.headers["Nats-Subject"] == b"none"


def test_headers() -> None:
    first, second = (each for each in messages("headers", S) if each.operation == "HMSG")
    assert list(first.headers) == [("A", b"b"), ("A", b"b2"), ("a", b"c")]
    assert (first.payload, first.attributes["messaging.message.body.size"]) == (b"hi", 2)
    assert (list(second.headers), second.payload) == ([], b"hi")  # the server does not look into them


def test_heartbeats_of_both_sides() -> None:
    assert said("heartbeat") == [("response", "PONG", "PING"), ("heartbeat", "PING", None)]
    assert said("heartbeat", C)[1:] == [("heartbeat", "PING", None), ("response", "PONG", "PING")]


def test_the_second_info_and_attributes() -> None:
    infos = [each for each in messages("plain", S) if each.operation == "INFO"]
    assert [each.kind for each in infos] == [Kind.CONTROL] * 2
    assert infos[1].attributes["nats.version"] == "2.15.2"
    assert b'"connect_info":true' in infos[1].raw and b'"connect_info"' not in infos[0].raw
    sub, pub = (each for each in messages("plain", C) if each.operation in ("SUB", "PUB"))
    assert (sub.attributes["l7.access"], sub.attributes["l7.pins"]) == ("subscribe", "subscription")
    assert (sub.attributes["messaging.consumer.group.name"], sub.attributes["nats.sid"]) == ("q", "1")
    assert (pub.attributes["l7.access"], pub.attributes["nats.reply_to"]) == ("publish", "re")
    assert (pub.resources, pub.payload) == ((b"a",), b"hi")


def test_case_and_blanks() -> None:
    found = [(each.operation, each.resources) for each in messages("blanks", C)]
    assert found[2:4] == [("SUB", (b"a",)), ("PUB", (b"a",))]


@pytest.mark.parametrize(
    "line",
    [
        b"PUB a -1\r\n\r\n",
        b"PUB a\r\n",
        b"PUB a b c 1\r\nx\r\n",
        b"PUB 1\r\nx\r\n",
        b"PUB a 2\r\nhello\r\n",
        b"HPUB a 30 24\r\n" + b"x" * 24 + b"\r\n",
        b"HPUB a -1 2\r\nhi\r\n",
        b"PUB a 2\r\nhi\n\n",
    ],
)
def test_what_the_server_closes_at(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(l7codecs.open_session("nats").receive(C, line))


def test_headers_of_a_large_message_are_in_its_head() -> None:
    session = l7codecs.open_session("nats", limits=Limits(message=100))
    head, *rest = session.receive(S, b"HMSG a 1 18 1018\r\nNATS/1.0\r\nA: b\r\n\r\n" + b"x" * 1000 + b"\r\n")
    assert isinstance(head, Message)
    assert (head.more, list(head.headers), head.payload) == (True, [("A", b"b")], b"")
    assert sum(len(each.payload) for each in rest) == 1000  # type: ignore[attr-defined]


def test_endpoints_answer() -> None:
    session = l7codecs.open_session("nats", endpoint=C)
    _, ping = session.receive(S, b"INFO {}\r\nPING\r\n")
    assert isinstance(ping, Message)
    assert session.reply_heartbeat(ping) == b"PONG\r\n"
    assert session.decoder(S).asks.pending == 0
    server = l7codecs.open_session("nats", endpoint=S)
    _, pub, ping = server.receive(C, b'CONNECT {"verbose":false}\r\nPUB a 1\r\nx\r\nPING\r\n')
    assert isinstance(pub, Message) and isinstance(ping, Message)
    assert server.reply_error(pub, Status.PERMISSION_DENIED, "Permissions Violation for Publish to a") == (
        b"-ERR 'Permissions Violation for Publish to a'\r\n"
    )
    assert server.reply_heartbeat(ping) == b"PONG\r\n"
    assert server.pending == 0
    with pytest.raises(Unsupported):
        server.reply_heartbeat(pub)


def test_a_verbose_client_is_answered_in_order_by_an_endpoint() -> None:
    """Whatever was answered first; a PUB with a reply subject is answered twice, the second time in no order."""
    server = l7codecs.open_session("nats", endpoint=S)
    client = l7codecs.open_session("nats", endpoint=C)
    said = list(l7codecs.open_session("nats").receive(C, b"SUB a 1\r\nPUB a _INBOX.1 1\r\nx\r\nPING\r\nSUB b 2\r\n"))
    heard = list(server.receive(C, b"".join(client.send(event) for event in said)))
    sub, pub, ping, other = (event for event in heard if isinstance(event, Message))
    assert server.reply_heartbeat(ping) == server.reply_error(other, Status.PERMISSION_DENIED, "no") == b""
    assert server.reply_error(sub, Status.INVALID_ARGUMENT, "Invalid Subject") == b"-ERR 'Invalid Subject'\r\n"
    seen = l7codecs.open_session("nats")
    list(seen.receive(C, pub.raw))
    answer, ok = seen.receive(S, b"MSG _INBOX.1 9 2\r\nhi\r\n+OK\r\n")
    assert isinstance(answer, Message) and isinstance(ok, Message)
    answer.request = ok.request = pub
    written = server.send(answer) + server.send(ok)
    assert written == answer.raw + b"+OK\r\nPONG\r\n-ERR 'no'\r\n"
    answers = [each for each in client.receive(S, b"-ERR 'Invalid Subject'\r\n" + written) if isinstance(each, Message)]
    assert [each.request for each in answers] == [said[0], said[1], said[1], said[2], said[3]]
    assert {each.kind for each in answers} == {Kind.RESPONSE}
    with pytest.raises(Unsupported, match="answered already"):
        server.reply_error(sub, Status.INVALID_ARGUMENT, "Invalid Subject")


def test_what_a_client_says_comes_in_its_order() -> None:
    """On a connection that others share: an answer does not overtake what was published before it."""
    limits = Limits(message=2000, head=64)
    other, down = (l7codecs.open_session("nats", endpoint=S, limits=limits) for _ in range(2))
    up = l7codecs.open_session("nats", endpoint=C, limits=limits)
    quiet = b'CONNECT {"verbose":false}\r\n'
    for session in (other, down):
        for event in session.receive(C, quiet):
            up.send(event)
    large = b"PUB big 5000\r\n" + bytes(5000) + b"\r\n"
    sent = b"".join(map(up.send, other.receive(C, large[:3000])))
    list(up.receive(S, b"MSG ask 1 _INBOX.a 1\r\nq\r\n"))
    said = b"PUB first 1\r\n1\r\nPUB _INBOX.a 1\r\na\r\nPUB last 1\r\n1\r\n"
    events = list(down.receive(C, said))
    assert b"".join(map(up.send, events)) == b""
    sent += b"".join(map(up.send, other.receive(C, large[3000:])))
    assert sent == large + said


def test_a_verbose_client_counts_an_answer_when_it_is_written() -> None:
    limits = Limits(message=2000, head=64)
    other, down = (l7codecs.open_session("nats", endpoint=S, limits=limits) for _ in range(2))
    up = l7codecs.open_session("nats", endpoint=C, limits=limits)
    large = b"PUB big 5000\r\n" + bytes(5000) + b"\r\n"
    asked = [*other.receive(C, large[:3000])][:1]
    for event in asked:
        up.send(event)
    behind = list(down.receive(C, b"PUB first 1\r\n1\r\nPUB _INBOX.a 1\r\na\r\nPUB last 1\r\n1\r\n"))
    for event in behind:
        up.send(event)
    for event in other.receive(C, large[3000:]):
        up.send(event)
    answers = [each for each in up.receive(S, b"+OK\r\n" * 4) if isinstance(each, Message)]
    assert [each.request for each in answers] == [*asked, *behind]


def test_one_reply_subject_of_two_clients_is_refused() -> None:
    """Nobody could tell whose the answer is."""
    limits = Limits()
    one, two = (l7codecs.open_session("nats", endpoint=S, limits=limits) for _ in range(2))
    up = l7codecs.open_session("nats", endpoint=C, limits=limits)
    quiet = b'CONNECT {"verbose":false}\r\n'
    for session in (one, two):
        for event in session.receive(C, quiet):
            up.send(event)
    (mine,) = one.receive(C, b"PUB ask _INBOX.same 1\r\n1\r\n")
    (theirs,) = two.receive(C, b"PUB ask _INBOX.same 1\r\n1\r\n")
    assert up.send(mine) == mine.raw
    for give in (up.send, up.put):
        with pytest.raises(Unsupported, match=r"_INBOX\.same"):
            give(theirs)
    (answer,) = up.receive(S, b"MSG _INBOX.same 1 1\r\n1\r\n")
    assert isinstance(answer, Message) and answer.request is mine
    assert up.send(theirs) == theirs.raw


def test_a_refusal_without_a_text_has_an_error() -> None:
    for line in (b"-ERR ''\r\n", b"-ERR\r\n", b"-ERR ' for x'\r\n"):
        (refusal,) = l7codecs.open_session("nats").receive(S, line)
        assert isinstance(refusal, Message)
        assert (refusal.status, refusal.error) == (Status.UNKNOWN, "-ERR")


def test_requests_that_nobody_answers_are_forgotten() -> None:
    """A reply subject is no promise: of such requests so many are remembered, and no more."""
    session = l7codecs.open_session("nats", limits=Limits(pending=100))
    list(session.receive(C, b'CONNECT {"verbose":false}\r\n'))
    for number in range(1000):
        list(session.receive(C, b"PUB a _INBOX.%d 1\r\nx\r\n" % number))
        assert session.pending <= 50


def test_detection_waits_for_the_server() -> None:
    client, server = VECTORS["plain"].octets(C), VECTORS["plain"].octets(S)
    verdicts = {item.protocol: item.verdict for item in l7codecs.detect(b"", server)}
    assert verdicts["nats"] is Verdict.YES  # others still wait for the client
    session = l7codecs.open_session("auto")
    assert [type(event).__name__ for event in session.receive(S, server)][:1] == ["Info"]
    assert session.protocol == "nats"
    assert l7codecs.detect(client, server)[0].protocol == "nats"
    for server in (b"HTTP/1.1 200 OK\r\n", b"+OK\r\n", b"220 INFO {\r\n"):
        assert "nats" not in [item.protocol for item in l7codecs.detect(b"", server)]
    silent = {item.protocol: item.score for item in l7codecs.detect(b"GET / HTTP/1.1\r\n", b"")}
    assert silent.get("nats", 0) == 0


# Recordings of other clients, which are no part of this distribution.


def recordings() -> list[Vector]:
    found = []
    for path in sorted(Path(RECORDINGS, "nats").glob("*.txt")) if RECORDINGS else []:
        pieces: list[tuple[Sender, bytes]] = []
        name = path.stem
        for line in [*path.read_text().splitlines(), "# case end"]:
            if line.startswith("# case"):
                if pieces:
                    found.append(Vector(name, tuple(pieces)))
                pieces, name = [], f"{path.stem}, {line[7:]}"
            elif line[:2] in ("C ", "S "):
                pieces.append((C if line[0] == "C" else S, bytes.fromhex(line[2:])))
    return found


@pytest.mark.skipif(not RECORDINGS, reason="L7CODECS_RECORDINGS is not set")
def test_recordings() -> None:
    """Every conversation, in any cut: an error only where the server closes, and every answer has its request."""
    found = recordings()
    assert len(found) > 90
    for vector in found:
        outcome = check_cuts(lambda: l7codecs.open_session("nats"), vector)
        assert S not in outcome.errors, vector.name
        answers = [each for each in outcome.events if isinstance(each, Message) and each.kind is Kind.RESPONSE]
        unasked = [each for each in answers if each.request is None]
        assert len(unasked) == (1 if vector.name.endswith("pong unasked") else 0), vector.name
        if not vector.name.startswith("raw"):
            assert outcome.errors == {} and outcome.pending == 0, vector.name
        elif outcome.errors:  # the server refused it, or closed
            assert b"PONG" not in vector.octets(S), vector.name
        for each in answers:
            request = each.request
            if each.raw.startswith(b"PONG"):
                assert request is None or request.operation == "PING"
            elif each.resources:
                assert request is not None and request.attributes["nats.reply_to"].encode() == each.resources[0]  # type: ignore[union-attr]
