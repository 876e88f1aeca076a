"""What the recorded conversations mean: bytes in, meaning out, as tables.

One line for each message: ``>`` from the client, ``<`` from the server; kind, operation, keys; of an answer its status or error and ``#n``,
the number of the client's message that it answers (from 1).
"""

from pathlib import Path

import pytest

from l7codecs import Kind, Limits, Message, Sender, open_session
from l7codecs.testing import load_vectors, replay
from l7codecs.testing.vectors import Vector

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parent.parent / "vectors")}

MEANINGS = {
    "strings": """
        > request SET user:42
        < response SET OK #1
        > request GET user:42
        < response GET OK #2
        > request GET nothing
        < response GET OK #3
        > request STRLEN user:42
        < response STRLEN OK #4
        > request MSET a b
        < response MSET OK #5
        > request MGET a b none
        < response MGET OK #6
        > request SET bin\\x00\\r\\nkey\\xff
        < response SET OK #7
        > request GET bin\\x00\\r\\nkey\\xff
        < response GET OK #8
        > request SET empty
        < response SET OK #9
        > request GET empty
        < response GET OK #10
        > request DEL a b empty
        < response DEL OK #11
    """,
    "pipeline": """
        > request SET k
        > request INCR k
        > request GET k
        > request LPUSH k
        > request NOSUCH
        > request RPUSH l
        > request LRANGE l
        > request EXISTS k l
        < response SET OK #1
        < response INCR OK #2
        < response GET OK #3
        < response LPUSH WRONGTYPE #4
        < response NOSUCH ERR #5
        < response RPUSH OK #6
        < response LRANGE OK #7
        < response EXISTS OK #8
        > request OBJECT\\ ENCODING l
        > request CONFIG\\ GET
        > request XADD s
        > request XGROUP\\ CREATE s
        > request XREAD s
        > request EVAL k
        < response OBJECT\\ ENCODING OK #9
        < response CONFIG\\ GET OK #10
        < response XADD OK #11
        < response XGROUP\\ CREATE OK #12
        < response XREAD OK #13
        < response EVAL OK #14
    """,
    "inline": """
        > heartbeat PING
        < response PING OK #1
        > request SET in\\ line
        < response SET OK #2
        > request GET in\\ line
        < response GET OK #3
        > control
        > control
        > control
        > request ECHO
        < response ECHO OK #7
        > control
        > control
        > request
        < response ERR #10
        > request
        < response ERR #11
        > request CONFIG\\ GET
        < response CONFIG\\ GET OK #12
    """,
    "transaction": """
        > request WATCH k
        < response WATCH OK #1
        > request MULTI
        < response MULTI OK #2
        > request SET k
        < response SET OK #3
        > request GET k
        < response GET OK #4
        > request EXEC
        < response EXEC OK #5
        > request MULTI
        > request NOSUCH
        > request EXEC
        < response MULTI OK #6
        < response NOSUCH ERR #7
        < response EXEC EXECABORT #8
        > request EXEC
        < response EXEC ERR #9
        > request MULTI
        > request MULTI
        > request INCR k
        > request DISCARD
        < response MULTI OK #10
        < response MULTI ERR #11
        < response INCR OK #12
        < response DISCARD OK #13
        > request MULTI
        > request EXEC
        < response MULTI OK #14
        < response EXEC OK #15
    """,
    "subscribe": """
        > request SUBSCRIBE
        < response SUBSCRIBE OK #1
        < response SUBSCRIBE OK #1
        < response SUBSCRIBE OK #1
        > heartbeat PING
        < response PING OK #2
        > request PSUBSCRIBE
        < response PSUBSCRIBE OK #3
        > request GET k
        < response GET ERR #4
        > request UNSUBSCRIBE
        < response UNSUBSCRIBE OK #5
        < response UNSUBSCRIBE OK #5
        > request PUNSUBSCRIBE
        < response PUNSUBSCRIBE OK #6
        > request UNSUBSCRIBE
        < response UNSUBSCRIBE OK #7
        > request SSUBSCRIBE
        < response SSUBSCRIBE OK #8
        > request SUNSUBSCRIBE
        < response SUNSUBSCRIBE OK #9
        > request GET k
        < response GET OK #10
    """,
    "subscribe-in-transaction": """
        > request MULTI
        > request SUBSCRIBE
        > request SET k
        > request EXEC
        < response MULTI OK #1
        < response SUBSCRIBE OK #2
        < response SET OK #3
        < response EXEC OK #4
        > request UNSUBSCRIBE
        < response UNSUBSCRIBE OK #5
        < response UNSUBSCRIBE OK #5
        < response UNSUBSCRIBE OK #5
        > request GET k
        < response GET OK #6
    """,
    "resp3-subscribe": """
        > request HELLO
        > request SUBSCRIBE
        > request PUBLISH
        > request GET k
        > heartbeat PING
        < response HELLO OK #1
        < response SUBSCRIBE OK #2
        < response SUBSCRIBE OK #2
        < push MESSAGE
        < response PUBLISH OK #3
        < response GET OK #4
        < response PING OK #5
        > request MULTI
        > request PUBLISH
        > request UNSUBSCRIBE
        > request GET k
        > request EXEC
        < response MULTI OK #6
        < response PUBLISH OK #7
        < response UNSUBSCRIBE OK #8
        < response GET OK #9
        < response EXEC OK #10
        > request UNSUBSCRIBE
        < response UNSUBSCRIBE OK #11
    """,
    "resp3-invalidate": """
        > request HELLO
        > request CLIENT\\ TRACKING
        < response HELLO OK #1
        < response CLIENT\\ TRACKING OK #2
        > request GET tk
        < response GET OK #3
        > request SET tk
        < response SET OK #4
        < push INVALIDATE tk
        > request GET tk
        < response GET OK #5
        > request FLUSHALL
        < response FLUSHALL OK #6
        < push INVALIDATE
    """,
    "client-reply": """
        > oneway CLIENT\\ REPLY
        > oneway GET k
        > heartbeat PING
        < response PING OK #3
        > oneway CLIENT\\ REPLY
        > oneway GET k
        > oneway CLIENT\\ REPLY
        > oneway SET k
        > request CLIENT\\ REPLY
        > request GET k
        < response CLIENT\\ REPLY OK #8
        < response GET OK #9
        > oneway CLIENT\\ REPLY
        > request RESET
        > request GET k
        < response RESET OK #11
        < response GET OK #12
    """,
    "monitor": """
        > request MONITOR
        < response MONITOR OK #1
        > heartbeat PING
        < response PING OK #2
        < push MONITOR
        > oneway MONITOR
        > request RESET
        < response RESET OK #4
        > heartbeat PING
        < response PING OK #5
    """,
    "reset": """
        > request SELECT
        > request MULTI
        > request SET a
        > request RESET
        > request GET a
        < response SELECT OK #1
        < response MULTI OK #2
        < response SET OK #3
        < response RESET OK #4
        < response GET OK #5
        > request SUBSCRIBE
        > request RESET
        > request GET a
        < response SUBSCRIBE OK #6
        < response RESET OK #7
        < response GET OK #8
    """,
    "errors": """
        > request SET str
        < response SET OK #1
        > request LPUSH str
        < response LPUSH WRONGTYPE #2
        > request GET
        < response GET ERR #3
        > request SET a
        < response SET ERR #4
        > request EVALSHA
        < response EVALSHA NOSCRIPT #5
        > request CLIENT
        < response CLIENT ERR #6
        > request AUTH
        < response AUTH ERR #7
        > request XREADGROUP str
        < response XREADGROUP WRONGTYPE #8
        > request SELECT
        < response SELECT ERR #9
    """,
    "replication": """
        > heartbeat PING
        < response PING OK #1
        > request REPLCONF
        < response REPLCONF OK #2
        > request REPLCONF
        < response REPLCONF OK #3
        > request PSYNC
        < response PSYNC OK #4
        < push RDB
        > oneway REPLCONF
    """,
}


def meaning(vector: Vector) -> list[str]:
    """The table of a conversation."""
    outcome = replay(open_session("redis"), vector)
    assert outcome.errors == {}
    asked = [e.offset for e in outcome.events if isinstance(e, Message) and e.sender is Sender.CLIENT]
    lines = []
    for event in outcome.events:
        if not isinstance(event, Message):
            continue
        words = [">" if event.sender is Sender.CLIENT else "<", event.kind.value]
        words += [word.replace(" ", "\\ ") for word in [event.operation] if word]
        for key in event.resources:
            assert isinstance(key, bytes)
            words.append(repr(key)[2:-1].replace(" ", "\\ "))
        if event.kind is Kind.RESPONSE:
            assert event.status is not None
            words.append(event.error or event.status.name)
            assert event.request is not None
            words.append(f"#{asked.index(event.request.offset) + 1}")
        lines.append(" ".join(words))
    return lines


@pytest.mark.parametrize("name", MEANINGS)
def test_meaning(name: str) -> None:
    assert meaning(VECTORS[name]) == [line.strip() for line in MEANINGS[name].strip().splitlines()]


def test_every_answer_of_the_types_is_paired_in_order() -> None:
    outcome = replay(open_session("redis"), VECTORS["resp3"])
    requests = [e for e in outcome.events if isinstance(e, Message) and e.kind is Kind.REQUEST]
    answers = [e for e in outcome.events if isinstance(e, Message) and e.kind is Kind.RESPONSE]
    assert [answer.request for answer in answers] == requests
    pushes = [e for e in outcome.events if isinstance(e, Message) and e.kind is Kind.PUSH]
    assert [push.operation for push in pushes] == ["SERVER-CPU-USAGE"]


def test_the_database_follows_select() -> None:
    outcome = replay(open_session("redis"), VECTORS["select"])
    found = [
        (event.operation, event.attributes["db.namespace"])
        for event in outcome.events
        if isinstance(event, Message) and event.sender is Sender.CLIENT
    ]
    assert found == [
        ("SELECT", "0"),
        ("GET", "5"),
        ("SELECT", "5"),  # 99, refused
        ("GET", "5"),
        ("MULTI", "5"),
        ("SELECT", "5"),  # queued, then discarded
        ("DISCARD", "2"),
        ("GET", "5"),
    ]


def test_attributes_of_a_command() -> None:
    (event,) = open_session("redis").receive(
        Sender.CLIENT, b"*5\r\n$7\r\nevalsha\r\n$2\r\nab\r\n$1\r\n1\r\n$4\r\nk\xffey\r\n$6\r\nsecret\r\n"
    )
    assert isinstance(event, Message)
    assert event.resources == (b"k\xffey",)
    assert {key: value for key, value in event.attributes.items() if not key.startswith("network.")} == {
        "db.system.name": "redis",
        "db.operation.name": "EVALSHA",
        "db.namespace": "0",
        "db.query.text": "EVALSHA ? ? k\\xffey ?",
        "db.stored_procedure.name": "ab",
        "l7.access": "write",
        "redis.keys": (b"k\xffey",),
    }


def test_attributes_of_a_transaction() -> None:
    outcome = replay(open_session("redis"), VECTORS["transaction"])
    pins = [
        (event.operation, event.attributes.get("l7.pins"), event.attributes.get("db.operation.batch.size"))
        for event in outcome.events
        if isinstance(event, Message) and event.sender is Sender.CLIENT
    ]
    assert pins[:6] == [
        ("WATCH", "watch", None),
        ("MULTI", "transaction", None),
        ("SET", "transaction", None),
        ("GET", "transaction", None),
        ("EXEC", "transaction", 2),
        ("MULTI", "transaction", None),
    ]


@pytest.mark.parametrize("size", [13, 64, 4096])
def test_pushes_inside_of_a_transactions_answer(size: int) -> None:
    """They stand there too where the answer is too large to buffer, and comes as a head and its rest."""
    session = open_session("redis", limits=Limits(message=size, head=40))
    commands = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\nMULTI\r\nPUBLISH a x\r\nEXEC\r\n"
    list(session.receive(Sender.CLIENT, commands))
    push = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
    answers = b"%1\r\n+p\r\n:3\r\n+OK\r\n+QUEUED\r\n*1\r\n" + push + b":1\r\n"
    events = list(session.receive(Sender.SERVER, answers))
    assert b"".join(event.raw for event in events) == answers
    (last,) = [event for event in events if isinstance(event, Message) and event.operation == "EXEC"]
    assert last.more is (size < 40)


def test_an_error_without_a_word() -> None:
    """The server counts it as ERR (`afterErrorReply`, redis/src/networking.c)."""
    session = open_session("redis")
    list(session.receive(Sender.CLIENT, b"GET a\r\n" * 3))
    for octets in (b"-\r\n", b"- no\r\n", b"!0\r\n\r\n"):
        (answer,) = session.receive(Sender.SERVER, octets)
        assert isinstance(answer, Message) and answer.error == "ERR"


def test_what_a_server_takes_for_http_pins() -> None:
    """It closes the connection, in any case and form (`securityWarningCommand`, redis/src/server.c)."""
    octets = b"POST / HTTP/1.1\r\nHost: a\r\n*1\r\n$5\r\nhost:\r\nPOSTS\r\nHOST a\r\n"
    events = open_session("redis").receive(Sender.CLIENT, octets)
    assert [(event.operation, event.pins) for event in events if isinstance(event, Message)] == [
        ("POST", "end"),
        ("HOST:", "end"),
        ("HOST:", "end"),
        ("POSTS", None),
        ("HOST", None),
    ]
