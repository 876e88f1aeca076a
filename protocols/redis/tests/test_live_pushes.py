"""What real servers send without being asked, and the commands that ask for it: publish/subscribe, MONITOR, CLIENT TRACKING."""

from __future__ import annotations

import pytest
import redis

from l7codecs import Kind

from .conftest import FORMS, PROTOCOLS, Room
from .observing import say, say_all

# ----------------------------------------------------------------------------------------------- publish, subscribe


@PROTOCOLS
def test_subscriptions(room: Room, protocol: int) -> None:
    client = room.client(protocol)
    channels = client.pubsub()
    channels.subscribe("news", "sport")
    channels.psubscribe("user:*", "n?ws")
    got = []

    def read(count: int) -> None:
        for _ in range(count):
            got.append(channels.parse_response(block=True))

    read(4)
    for channel, text in (("news", "one"), ("user:7", "two"), ("sport", "three"), ("nothing", "four")):
        room.admin.publish(channel, text)
    read(4)
    channels.unsubscribe("news")
    read(1)
    room.admin.publish("news", "five")
    read(1)
    channels.ping("alive")
    read(1)
    channels.unsubscribe()
    channels.punsubscribe()
    read(3)
    channels.subscribe("again")
    read(1)
    channels.close()
    heard = room.hear(client)
    heard.check_any()
    heard.check_log(room.server.keys)
    assert heard.pending == 0
    answered = [
        (message.operation, message.request.arguments[1:])
        for message in heard.responses
        if message.operation.endswith("SCRIBE")
    ]
    assert answered == [
        ("SUBSCRIBE", [b"news", b"sport"]), ("SUBSCRIBE", [b"news", b"sport"]), ("PSUBSCRIBE", [b"user:*", b"n?ws"]),
        ("PSUBSCRIBE", [b"user:*", b"n?ws"]), ("UNSUBSCRIBE", [b"news"]), ("UNSUBSCRIBE", []), ("PUNSUBSCRIBE", []),
        ("PUNSUBSCRIBE", []), ("SUBSCRIBE", [b"again"]),
    ]  # fmt: skip
    pushed = [
        (message.operation, message.attributes["redis.channels"], heard.values([message])[0][-1])
        for message in heard.pushes
    ]
    assert sorted(pushed) == sorted([
        ("MESSAGE", (b"news",), b"one"), ("PMESSAGE", (b"news",), b"one"), ("PMESSAGE", (b"user:7",), b"two"),
        ("MESSAGE", (b"sport",), b"three"), ("PMESSAGE", (b"news",), b"five"),
    ])  # fmt: skip
    assert [message.request for message in heard.pushes] == [None] * 5
    assert [message.kind for message in heard.requests if message.operation == "PING"] == [Kind.HEARTBEAT]


@FORMS
def test_subscribed_and_asking(room: Room, form: str) -> None:
    """RESP3 lets a subscribed connection ask: its answers stand between the pushes."""
    client = room.raw()
    client.ask(b"HELLO", b"3")
    say_all(
        client,
        form,
        "SUBSCRIBE c1 c2; GET a; PUBLISH c1 own; PSUBSCRIBE c*; MGET a b; PUBLISH c2 twice; UNSUBSCRIBE; PUNSUBSCRIBE",
    )
    say_all(client, form, "UNSUBSCRIBE; PUNSUBSCRIBE nope; LRANGE l 0 -1; PING last")
    room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    assert [message.operation for message in heard.responses[1:]] == [
        "SUBSCRIBE", "SUBSCRIBE", "GET", "PUBLISH", "PSUBSCRIBE", "MGET", "PUBLISH", "UNSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE",
        "UNSUBSCRIBE", "PUNSUBSCRIBE", "LRANGE", "PING",
    ]  # fmt: skip
    assert [message.operation for message in heard.pushes] == ["MESSAGE", "MESSAGE", "PMESSAGE"]
    assert heard.values(heard.pushes)[0] == [b"message", b"c1", b"own"]


@FORMS
def test_pipelined_subscriptions(room: Room, form: str) -> None:
    """RESP2: what belongs to what, when nothing is waited for."""
    client = room.raw()
    say_all(
        client,
        form,
        "GET a; UNSUBSCRIBE; PUNSUBSCRIBE x y; SUBSCRIBE a b c; PSUBSCRIBE p*; GET refused; PING; "
        "SUBSCRIBE a; UNSUBSCRIBE b nope; UNSUBSCRIBE; PUNSUBSCRIBE; GET b; SUBSCRIBE z; UNSUBSCRIBE z; "
        "ECHO last",
    )
    room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0 and not heard.pushes
    assert [(message.operation, message.error) for message in heard.responses] == [
        ("GET", None), ("UNSUBSCRIBE", None), ("PUNSUBSCRIBE", None), ("PUNSUBSCRIBE", None), ("SUBSCRIBE", None), ("SUBSCRIBE", None),
        ("SUBSCRIBE", None), ("PSUBSCRIBE", None), ("GET", "ERR"), ("PING", None), ("SUBSCRIBE", None), ("UNSUBSCRIBE", None),
        ("UNSUBSCRIBE", None), ("UNSUBSCRIBE", None), ("UNSUBSCRIBE", None), ("PUNSUBSCRIBE", None), ("GET", None), ("SUBSCRIBE", None),
        ("UNSUBSCRIBE", None), ("ECHO", None),
    ]  # fmt: skip


@FORMS
def test_shard_channels(room: Room, form: str) -> None:
    if room.server.version < (7,):
        client = room.client(2)
        with pytest.raises(redis.ResponseError):
            client.execute_command("SSUBSCRIBE", "s1")
        room.hear(client).check(room.server.keys)
        return
    for protocol in (b"2", b"3"):
        client = room.raw()
        client.ask(b"HELLO", protocol)
        say_all(client, form, "SSUBSCRIBE s1 s2; SUBSCRIBE c")
        client.replies(3)
        room.admin.execute_command("SPUBLISH", "s1", "hello")
        client.replies(1)
        say_all(client, form, "SUNSUBSCRIBE s2; UNSUBSCRIBE; SUNSUBSCRIBE; SUNSUBSCRIBE; ECHO last")
        room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
        heard = room.hear(client)
        heard.check_any()
        assert heard.pending == 0
        assert [message.operation for message in heard.responses[1:]] == [
            "SSUBSCRIBE", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "UNSUBSCRIBE", "SUNSUBSCRIBE", "SUNSUBSCRIBE", "ECHO",
        ]  # fmt: skip
        assert [(message.operation, message.attributes["redis.channels"]) for message in heard.pushes] == [
            ("SMESSAGE", (b"s1",))
        ]
        assert heard.requests[1].attributes["redis.channels"] == (b"s1", b"s2")


@FORMS
@pytest.mark.parametrize("protocol", [b"2", b"3"])
def test_subscribe_in_a_transaction(room: Room, protocol: bytes, form: str) -> None:
    """EXEC's answer has one item for each channel of a queued SUBSCRIBE, beyond those that it declares."""
    client = room.raw()
    client.ask(b"HELLO", protocol)
    say_all(client, form, "MULTI; SET a 1; SUBSCRIBE c d; GET a; EXEC")
    recording = room.relay.recording(client.port)
    recording.wait_for(b"$1\r\n1\r\n")
    say_all(client, form, "UNSUBSCRIBE; ECHO last")
    recording.wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    operations = [message.operation for message in heard.responses[1:]]
    assert operations == ["MULTI", "SET", "SUBSCRIBE", "GET", "EXEC", "UNSUBSCRIBE", "UNSUBSCRIBE", "ECHO"]
    assert heard.responses[5].raw.endswith(b"$1\r\n1\r\n")


@pytest.mark.parametrize("queued", [False, True], ids=["subscribed before", "subscribed inside"])
def test_message_in_a_transaction(room: Room, queued: bool) -> None:
    """RESP3: a message that a queued PUBLISH sends to its own connection stands inside EXEC's answer, and is no item of it."""
    client = room.raw()
    client.ask(b"HELLO", b"3")
    if not queued:
        client.ask(b"SUBSCRIBE", b"c")
    client.command(b"MULTI")
    if queued:
        client.command(b"SUBSCRIBE", b"c")
    say_all(client, "arrays", "PUBLISH c hello; GET a; EXEC; ECHO last")
    room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    answer = next(message for message in heard.responses if message.operation == "EXEC")
    assert b"hello" in answer.raw and answer.raw.endswith(b":1\r\n_\r\n")
    assert heard.responses[-1].operation == "ECHO"


# ------------------------------------------------------------------------------------------------- MONITOR, tracking


@FORMS
@PROTOCOLS
def test_monitor(room: Room, protocol: int, form: str) -> None:
    client = room.raw()
    client.ask(b"HELLO", str(protocol).encode())
    client.ask(b"MONITOR")
    busy = room.client(2)
    busy.set("seen", "quoted \"'\r\n")
    busy.get("seen")
    recording = room.relay.recording(client.port)
    recording.wait_for(b'"GET" "seen"')
    say_all(client, form, "GET own; ECHO last; RESET; GET after; PING done")
    recording.wait_for(b"$4\r\ndone\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert heard.pending == 0
    answered = [message.operation for message in heard.responses]
    assert answered == [message.operation for message in heard.requests]
    assert {message.operation for message in heard.pushes} == {"MONITOR"}
    assert any(b'"SET" "seen" "quoted \\"\'\\r\\n"' in message.raw for message in heard.pushes)
    assert heard.requests[1].attributes["l7.pins"] == "monitor"


def test_tracking(room: Room) -> None:
    connection = room.connection(3)
    connection._parser.set_invalidation_push_handler(lambda push: push)
    say(connection, "CLIENT TRACKING ON", "GET watched", "MGET w1 w2")
    room.admin.set("watched", "new")
    room.admin.mset({"w1": "1", "w2": "2"})
    for _ in range(3):
        assert connection.read_response(push_request=True)[0] in (b"invalidate", "invalidate")
    say(connection, "GET watched")
    room.admin.flushall()
    connection.read_response(push_request=True)
    say(connection, "CLIENT TRACKING OFF", "PING")
    heard = room.hear(connection)
    heard.check_any()
    heard.check_log(room.server.keys)
    heard.check_pairs()
    assert [message.operation for message in heard.pushes] == ["INVALIDATE"] * 4
    assert [heard.values([message])[0][1] for message in heard.pushes] == [[b"watched"], [b"w1"], [b"w2"], None]
    assert all(message.status is None and message.request is None for message in heard.pushes)


@FORMS
def test_own_invalidations(room: Room, form: str) -> None:
    """Invalidations that a connection causes itself come between its own answers, and inside EXEC's."""
    client = room.raw()
    client.ask(b"HELLO", b"3")
    client.ask(b"CLIENT", b"TRACKING", b"ON")
    say_all(client, form, "GET a; SET a 1; GET a; MULTI; SET a 2; GET a; SET a 3; EXEC; DEL a; ECHO last")
    recording = room.relay.recording(client.port)
    recording.wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_any()
    assert [message.operation for message in heard.responses[2:]] == [
        "GET", "SET", "GET", "MULTI", "SET", "GET", "SET", "EXEC", "DEL", "ECHO",
    ]  # fmt: skip
    assert heard.pending == 0
    assert {message.operation for message in heard.pushes} <= {"INVALIDATE"}
