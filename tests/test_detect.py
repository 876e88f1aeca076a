"""Detection: ranked, bounded, and with neighbours that must not be mistaken."""

import pytest

from l7codecs import Message, Opaque, ProtocolError, Sender, Verdict, detect, open_session
from l7codecs.limits import Limits

C, S = Sender.CLIENT, Sender.SERVER
GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"

NEIGHBOURS = {
    "http/1": (b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
    "http/1 post": (b"POST /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
    "tls": (bytes.fromhex("16030100c8010000c4"), bytes.fromhex("160303007a")),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"),
    "mysql": (b"\x20\x00\x00\x01\x85\xa6", b"\x4a\x00\x00\x00\x0a8.0.35\x00"),
    "postgresql": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N"),
    "mongodb": (b"\x3f\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xd4\x07\x00\x00", b""),
    "mqtt": (b"\x10\x16\x00\x04MQTT\x04\x02\x00\x3c\x00\x0aclient-id-", b"\x20\x02\x00\x00"),
    "amqp": (b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00\x00\x00\x01\xd4"),
    "nats": (b'CONNECT {"verbose":false}\r\nPING\r\n', b'INFO {"server_id":"x"}\r\n'),
    "zookeeper": (b"\x00\x00\x00\x2c\x00\x00\x00\x00", b""),
    "memcached get": (b"get key\r\n", b"END\r\n"),
    "memcached set": (b"set key 0 0 5\r\nhello\r\n", b"STORED\r\n"),
    "dns": (b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example", b""),
    "pop3": (b"USER bob\r\nPASS x\r\nQUIT\r\n", b"+OK POP3 ready\r\n+OK\r\n+OK\r\n"),
    "pop3 quit": (b"QUIT\r\n", b"+OK bye\r\n"),
    "smtp": (b"EHLO example.org\r\n", b"220 mail ready\r\n"),
    "imap": (b"a1 LOGIN x y\r\n", b"* OK ready\r\n"),
    "ftp": (b"USER anonymous\r\n", b"220 ready\r\n"),
    "kafka": (b"\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x00\x01\x00\x04test", b""),
    "gibberish": (b"\x00\xff\x00\xff\x00", b""),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_are_not_mistaken(name: str) -> None:
    client, server = NEIGHBOURS[name]
    for n in range(len(client) + 1):
        for m in (0, 1, len(server)):
            assert all(candidate.verdict is not Verdict.YES for candidate in detect(client[:n], server[:m]))
    session = open_session("auto")
    events = [*session.receive(S, server), *session.receive(C, client), *session.eof(C), *session.eof(S)]
    assert session.protocol is None
    assert all(isinstance(event, Opaque) for event in events)
    for sender, octets in ((C, client), (S, server)):
        assert b"".join(event.raw for event in events if event.sender is sender) == octets


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (GET, b""),
        (b"PEXPIRE k 1\r\n", b""),
        (b"SET k v\r\n", b"+OK\r\n"),
        (b"PING\r\n", b"+PONG\r\n"),
        (b"GET k\r\n", b"$-1\r\n"),
        (b"NOSUCH\r\n", b"-ERR unknown command 'NOSUCH'\r\n"),
    ],
)
def test_redis_is_found(client: bytes, server: bytes) -> None:
    (best, *_) = detect(client, server)
    assert (best.protocol, best.verdict) == ("redis", Verdict.YES)
    assert best.reason
    assert 0 < best.score <= 100


def test_a_detected_session_yields_what_waited() -> None:
    session = open_session("auto")
    assert list(session.receive(C, GET[:4])) == []
    assert session.protocol is None
    (event,) = session.receive(C, GET[4:])
    assert isinstance(event, Message)
    assert (session.protocol, event.operation, event.offset) == ("redis", "GET", 0)
    (answer,) = session.receive(S, b"$-1\r\n")
    assert isinstance(answer, Message)
    assert answer.request is event


def test_both_directions_wait_and_come_in_order() -> None:
    session = open_session("auto")
    assert list(session.receive(C, b"GET k\r\n")) == []
    events = list(session.receive(S, b"$-1\r\n"))
    assert [event.sender for event in events] == [C, S]
    assert events[1].request is events[0]  # type: ignore[attr-defined]


def test_octets_wait_no_longer_than_the_cap() -> None:
    session = open_session("auto", limits=Limits(detection=100))
    octets = b"A" * 99
    assert list(session.receive(C, octets)) == []
    events = list(session.receive(C, b"A" * 3))
    assert b"".join(event.raw for event in events) == b"A" * 102


def test_an_error_in_what_waited_does_not_hold_up_the_other_direction() -> None:
    session = open_session("auto")
    session.receive(S, b"+OK\r\n")
    with pytest.raises(ProtocolError):
        list(session.receive(C, GET + b"*x\r\n"))
    assert [event.raw for event in session.receive(S, b":1\r\n")] == [b":1\r\n"]
    with pytest.raises(ProtocolError):
        list(session.receive(C, GET))


def test_the_end_decides() -> None:
    session = open_session("auto")
    list(session.receive(C, b"hello"))
    assert list(session.eof(C)) == [], "the server may still tell"
    assert [event.raw for event in session.eof(S)] == [b"hello"]


def test_what_is_lost_or_ends_before_anything_came_decides_nothing() -> None:
    session = open_session("auto")
    assert list(session.eof(S)) == []
    assert list(session.gap(C, 5)) == []
    events = list(session.receive(C, GET))
    assert session.protocol == "redis"
    assert [type(event).__name__ for event in events] == ["Gap", "RedisRequest"]
    assert events[1].offset == 5
