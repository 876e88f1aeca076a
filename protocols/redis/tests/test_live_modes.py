"""What changes the way in which answers belong to commands, on real servers: transactions, SELECT, HELLO, RESET,
CLIENT REPLY, authentication.
"""

from __future__ import annotations

import pytest
import redis

from l7codecs import Kind, Status

from .conftest import FORMS, PROTOCOLS, Room
from .observing import say, say_all

# ------------------------------------------------------------------------------------------------------ transactions


@PROTOCOLS
def test_watch(room: Room, protocol: int) -> None:
    client = room.client(protocol)
    other = room.admin
    with client.pipeline() as pipeline:
        pipeline.watch("stock", "other")
        pipeline.get("stock")
        other.set("stock", "7")
        pipeline.multi()
        pipeline.decr("stock")
        with pytest.raises(redis.WatchError):
            pipeline.execute()
        pipeline.watch("stock")
        pipeline.get("stock")
        pipeline.unwatch()
        pipeline.watch("stock")
        pipeline.multi()
        pipeline.decr("stock")
        pipeline.get("stock")
        assert pipeline.execute() == [6, b"6"]
    heard = room.hear(client)
    heard.check(room.server.keys)
    pins = [
        (message.operation, message.attributes.get("l7.pins"))
        for message in heard.requests
        if message.operation != "HELLO"
    ]
    pins = [each for each in pins if not str(each[0]).startswith("CLIENT")]
    assert pins == [
        ("WATCH", "watch"), ("GET", "watch"), ("MULTI", "transaction"), ("DECRBY", "transaction"), ("EXEC", "transaction"),
        ("WATCH", "watch"), ("GET", "watch"), ("UNWATCH", None), ("WATCH", "watch"), ("MULTI", "transaction"),
        ("DECRBY", "transaction"), ("GET", "transaction"), ("EXEC", "transaction"),
    ]  # fmt: skip
    answers = [message.raw for message in heard.responses if message.operation == "EXEC"]
    assert answers[0] in (b"*-1\r\n", b"_\r\n") and answers[1] == b"*2\r\n:6\r\n$1\r\n6\r\n"


@PROTOCOLS
def test_transactions(room: Room, protocol: int) -> None:
    connection = room.connection(protocol)
    say(connection, "MULTI", "SET a 1", "MULTI", "GET a", "WATCH a", "NOSUCH", "EXEC")
    say(connection, "EXEC", "DISCARD", "MULTI", "SET a 2", "DISCARD", "GET a")
    say(connection, "MULTI", "LPUSH a x", "GET a", "PING", "ECHO hi", "EXEC", "MULTI", "EXEC", "PING")
    heard = room.hear(connection)
    heard.check(room.server.keys)
    table = [
        (operation, getattr(message, "error", None))
        for (operation, _), message in zip(heard.table(), heard.responses, strict=True)
    ]
    assert ("EXEC", "EXECABORT") in table
    assert [message.status for message in heard.responses if message.error == "EXECABORT"] == [Status.ABORTED]
    sizes = [
        message.attributes.get("db.operation.batch.size") for message in heard.requests if message.operation == "EXEC"
    ]
    assert sizes[-2:] == [4, 0]
    kinds = [message.kind for message in heard.requests if message.operation == "PING"]
    assert kinds == [Kind.REQUEST, Kind.HEARTBEAT]


# -------------------------------------------------------------------------------------------------------- namespaces


@PROTOCOLS
def test_select(room: Room, protocol: int) -> None:
    connection = room.connection(protocol)
    say(connection, "SET k zero", "SELECT 3", "SET k three", "SELECT 99", "GET k", "SELECT x", "GET k")
    say(
        connection,
        "MULTI",
        "SELECT 5",
        "SET k five",
        "EXEC",
        "GET k",
        "MULTI",
        "SELECT 6",
        "DISCARD",
        "GET k",
        "SELECT 0",
        "GET k",
    )
    heard = room.hear(connection)
    heard.check(room.server.keys)
    seen = [
        (message.attributes["db.namespace"], value)
        for message, value in zip(heard.responses, heard.values(heard.responses), strict=True)
        if message.operation == "GET"
    ]
    assert seen == [("3", b"three"), ("3", b"three"), ("5", b"five"), ("5", b"five"), ("0", b"zero")]
    assert [message.attributes["db.namespace"] for message in heard.requests if message.operation == "SET"] == [
        "0",
        "3",
        "5",
    ]


def test_select_of_the_client(room: Room) -> None:
    client = room.client(3, db=4)
    client.set("k", "v")
    assert client.get("k") == b"v"
    heard = room.hear(client)
    heard.check(room.server.keys)
    assert [
        message.attributes["db.namespace"] for message in heard.requests if message.operation in ("SET", "GET")
    ] == ["4", "4"]


@FORMS
def test_pipelined_select_that_fails(room: Room, form: str) -> None:
    """Commands pipelined behind a SELECT that fails went to the old database; what is asked later says so."""
    client = room.raw()
    say_all(client, form, "SELECT 2; SELECT 99")
    client.replies(2)
    say_all(client, form, "SET k v")
    client.replies(1)
    heard = room.hear(client)
    heard.check_any()
    heard.check_pairs()
    assert heard.requests[-1].attributes["db.namespace"] == "2"


# ------------------------------------------------------------------------------------------- HELLO, RESET, CLIENT REPLY


@FORMS
def test_hello_and_reset(room: Room, form: str) -> None:
    client = room.raw()
    lines = [
        b"SET a 1", b"HELLO", b"HELLO 3", b"HGETALL nope", b"HELLO 9", b"CLIENT TRACKING ON", b"SELECT 4", b"GET a",
        b"SUBSCRIBE c", b"MULTI", b"SET b 1", b"RESET", b"GET a", b"HELLO 3 SETNAME me", b"CLIENT GETNAME", b"HELLO 2", b"PING",
        b"MONITOR", b"RESET", b"QUIT",
    ]  # fmt: skip
    if room.server.version < (7,):
        lines.remove(b"HELLO")  # needs a version there
    for line in lines:
        say_all(client, form, line.decode())
        client.replies(1)
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    asked = [message for message in heard.requests if message.kind is not Kind.CONTROL]
    pushes = [message for message in heard.pushes if message.operation == "MONITOR"]
    assert len(heard.responses) == len(asked) == len(lines) and not [
        push for push in heard.pushes if push not in pushes
    ]
    assert [id(reply.request) for reply in heard.responses] == [id(request) for request in asked]
    spaces = [message.attributes["db.namespace"] for message in asked if message.operation == "GET"]
    assert spaces == ["4", "0"]
    assert [(message.operation, message.error) for message in heard.responses if message.error] == [
        ("HELLO", "NOPROTO")
    ]
    assert heard.values()[-1] == b"OK"


@FORMS
def test_replies_off(room: Room, form: str) -> None:
    client = room.raw()
    say_all(client, form, "SET a 0; CLIENT REPLY SKIP; SET a 1; GET a; CLIENT REPLY OFF; SET a 2; GET a; PING; NOSUCH")
    say_all(
        client,
        form,
        "CLIENT REPLY SKIP; INCR a; CLIENT REPLY ON; GET a; CLIENT REPLY SKIP; CLIENT REPLY SKIP; GET a; INCR a",
    )
    say_all(client, form, "CLIENT REPLY SKIP; CLIENT REPLY ON; ECHO last")
    room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    said = heard.vector.octets(heard.replies[0].sender)
    assert [(operation, value) for operation, value in heard.table()][:4] == [
        ("SET", b"OK"), ("GET", b"1"), ("CLIENT REPLY", b"OK"), ("GET", b"3"),
    ], said  # fmt: skip
    assert heard.table()[-1] == ("ECHO", b"last"), said
    asked = [message for message in heard.requests if message.kind is not Kind.ONEWAY]
    assert [id(message.request) for message in heard.responses] == [id(message) for message in asked]
    assert [message.attributes.get("l7.pins") for message in heard.requests[5:8]] == ["reply mode"] * 3


# ------------------------------------------------------------------------------------------------- authentication


@pytest.fixture
def guarded(room: Room):
    """A server that asks for a password."""
    room.admin.config_set("requirepass", "secret")
    room.admin.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~user:*", "+@read", "+ping")
    yield room
    room.admin.config_set("requirepass", "")
    room.admin.execute_command("ACL", "DELUSER", "reader")


@FORMS
def test_authentication(guarded: Room, form: str) -> None:
    client = guarded.raw()
    for line in (
        b"GET a", b"AUTH wrong", b"AUTH secret", b"GET a", b"AUTH reader pw", b"GET a", b"GET user:1", b"SET user:1 x",
        b"HELLO 3 AUTH default no", b"HELLO 3 AUTH default secret", b"GET a",
    ):  # fmt: skip
        say_all(client, form, line.decode())
        client.replies(1)
    heard = guarded.hear(client)
    heard.check_any()
    heard.check_pairs()
    assert [message.error for message in heard.responses] == [
        "NOAUTH", "WRONGPASS", None, None, None, "NOPERM", None, "NOPERM", "WRONGPASS", None, None,
    ]  # fmt: skip
    assert {message.error: message.status for message in heard.responses} == {
        None: Status.OK, "NOAUTH": Status.UNAUTHENTICATED, "WRONGPASS": Status.UNAUTHENTICATED, "NOPERM": Status.PERMISSION_DENIED,
    }  # fmt: skip
    texts = [str(message.attributes["db.query.text"]) for message in heard.requests]
    assert not [text for text in texts if "secret" in text or "pw" in text]


def test_authentication_of_the_client(guarded: Room) -> None:
    client = guarded.client(3, username="default", password="secret")
    client.set("a", "1")
    heard = guarded.hear(client)
    heard.check(guarded.server.keys)


def test_too_many_clients(room: Room) -> None:
    """An error that nobody asked for, before the connection is closed."""
    before = room.admin.config_get("maxclients")["maxclients"]
    room.admin.config_set("maxclients", 1)
    try:
        client = room.raw()
        assert client.read_all().startswith(b"-ERR max number of clients")
    finally:
        room.admin.config_set("maxclients", before)
    heard = room.hear(client)
    heard.check_any()
    assert [(message.error, message.status, message.request) for message in heard.responses] == [
        ("ERR", Status.RESOURCE_EXHAUSTED, None)
    ]
