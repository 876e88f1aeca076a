"""The programs that come with Redis, through the relay: redis-cli, redis-benchmark, and a replica."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter

import pytest

from l7codecs import Data, Kind, Message, Status
from l7codecs.testing import PATIENCE, Relay

from .conftest import REDIS, Room, Server, find_program, find_servers, until
from .observing import Conversation, pack


def hear_all(room: Room) -> list[Conversation]:
    """Every connection through the relay, once all have ended."""
    return [Conversation(recording) for recording in room.relay.wait_closed()]


def run_cli(room: Room, *options: str, text: str = "") -> subprocess.CompletedProcess[str]:
    program = find_program(room.server.peer, "redis-cli")
    return subprocess.run(
        [program, "-h", "127.0.0.1", "-p", str(room.port), *options],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )


def check(heard: Conversation) -> None:
    heard.check_octets()
    heard.check_pairs()
    heard.check_errors()
    heard.check_cuts()


# ---------------------------------------------------------------------------------------------------------- redis-cli

QUOTED = r"""
set plain value
set "with space" "line\nbreak\x00\xff"
get "with space"
set 'single \'quoted\'' "double \"quoted\""
GET 'single \'quoted\''
rpush list one "two three" ""
lrange list 0 -1
hset hash "f 1" v
incr plain
nosuch command
get
select 3
get plain
multi
set a 1
exec
eval "return {KEYS[1], 'x'}" 1 "key one"
object encoding plain
"""
WORDS = [
    (b"set", b"plain", b"value"), (b"set", b"with space", b"line\nbreak\0\xff"), (b"get", b"with space"),
    (b"set", b"single 'quoted'", b'double "quoted"'), (b"GET", b"single 'quoted'"), (b"rpush", b"list", b"one", b"two three", b""),
    (b"lrange", b"list", b"0", b"-1"), (b"hset", b"hash", b"f 1", b"v"), (b"incr", b"plain"), (b"nosuch", b"command"), (b"get",),
    (b"select", b"3"), (b"get", b"plain"), (b"multi",), (b"set", b"a", b"1"), (b"exec",),
    (b"eval", b"return {KEYS[1], 'x'}", b"1", b"key one"), (b"object", b"encoding", b"plain"),
]  # fmt: skip


@pytest.mark.parametrize("options", [[], ["-3"]], ids=["resp2", "resp3"])
def test_cli(room: Room, options: list[str]) -> None:
    """Lines typed with quotes come as the words that they stand for; every answer is what redis-cli printed."""
    done = run_cli(room, "--no-raw", *options, text=QUOTED)
    heard = next(each for each in hear_all(room) if each.requests)
    check(heard)
    asked = [message for message in heard.requests if message.operation not in ("HELLO", "COMMAND", "COMMAND DOCS")]
    assert [message.raw for message in asked] == [pack(words) for words in WORDS]
    for message, words in zip(asked, WORDS, strict=True):
        keys = room.server.keys(words)
        assert keys is None or message.resources == keys
    assert [message.attributes["db.namespace"] for message in asked[12:15]] == ["3"] * 3
    printed = [line for line in done.stdout.splitlines() if line.startswith("(error)")]
    failed = [message for message in heard.responses if message.error]
    assert printed == [f"(error) {message.raw[1:-2].decode()}" for message in failed] and len(failed) == 3


def test_cli_mass_insertion(room: Room) -> None:
    """`--pipe` sends commands of either form as fast as it can, and an ECHO that tells it the end."""
    count = 1500
    lines = [
        f"SET key:{number} 'value {number}'\r\n"
        if number % 3
        else pack((b"SET", b"key:%d" % number, b"v" * 50)).decode()
        for number in range(count)
    ]
    done = run_cli(room, "--pipe", text="".join(lines))
    assert f"errors: 0, replies: {count}" in done.stdout
    [heard] = [each for each in hear_all(room) if each.requests]
    check(heard)
    asked = [message for message in heard.requests if message.kind is not Kind.CONTROL]
    assert [message.operation for message in asked] == ["SET"] * count + ["ECHO"]
    assert [message.resources for message in asked[:-1]] == [(b"key:%d" % number,) for number in range(count)]
    assert [message.operation for message in heard.responses] == ["SET"] * count + ["ECHO"]
    assert room.admin.get("key:1") == b"value 1"


def test_cli_scan(room: Room) -> None:
    room.admin.mset({f"user:{number}": number for number in range(50)})
    done = run_cli(room, "--scan", "--pattern", "user:*")
    [heard] = [each for each in hear_all(room) if each.requests]
    check(heard)
    answers = heard.values([message for message in heard.responses if message.operation == "SCAN"])
    found = [key for answer in answers for key in answer[1]]
    assert sorted(done.stdout.encode().split()) == sorted(found) and len(found) == 50
    run_cli(room, "--bigkeys")
    check(hear_all(room)[-1])


# ---------------------------------------------------------------------------------------------------- redis-benchmark

REQUESTS = 20_000


@pytest.mark.interop
@pytest.mark.parametrize("protocol", [[], ["-3"]], ids=["resp2", "resp3"])
def test_benchmark(redis_room: Room, protocol: list[str]) -> None:
    """Every request that redis-benchmark says it made is found, and every answer belongs to the right one."""
    room = redis_room
    program = find_program(REDIS, "redis-benchmark")
    options = [
        "-h",
        "127.0.0.1",
        "-p",
        str(room.port),
        "-P",
        "16",
        "-n",
        str(REQUESTS),
        "-c",
        "4",
        "-r",
        "500",
        "-d",
        "20",
        "-t",
        "set,get",
        *protocol,
    ]
    done = subprocess.run([program, *options], capture_output=True, text=True, check=True, timeout=3 * PATIENCE)
    said = [
        int(each) for each in re.findall(r"^ +(\d+) requests completed", done.stdout.replace("\r", "\n"), re.MULTILINE)
    ]
    assert said == [REQUESTS, REQUESTS]
    counts: Counter[str | None] = Counter()
    answers: Counter[str | None] = Counter()
    conversations = hear_all(room)
    for heard in conversations:
        heard.check_octets()
        heard.check_pairs()
        counts.update(message.operation for message in heard.requests)
        answers.update(message.operation for message in heard.responses)
        for message in heard.requests:
            if message.operation in ("SET", "GET"):
                assert re.fullmatch(rb"key:\d{12}", message.resources[0])
        for message in heard.responses:
            if message.operation == "SET":
                assert message.raw == b"+OK\r\n"
            elif message.operation == "GET":
                assert message.raw in (b"$-1\r\n", b"_\r\n") or message.raw.startswith(b"$20\r\n")
    assert (counts["SET"], counts["GET"]) == (REQUESTS, REQUESTS)
    assert answers == counts
    longest = max(conversations, key=lambda heard: len(heard.requests))
    longest.check_cuts()


@pytest.fixture
def redis_room():
    """As `room`, with an installed Redis 7."""
    server = Server(REDIS)
    room = Room(server)
    yield room
    room.close()
    server.stop()


# -------------------------------------------------------------------------------------------------------- replication


class Replicating:
    """A primary, a relay in front of it, and a replica that comes through the relay."""

    def __init__(self, peer: str, diskless: bool) -> None:
        self.diskless = diskless
        self.closed = False
        options = [
            "--repl-diskless-sync",
            "yes" if diskless else "no",
            "--repl-diskless-sync-delay",
            "0",
            "--repl-ping-replica-period",
            "1",
        ]
        self.primary = Server(peer, *options)
        self.relay = Relay(self.primary.path)
        self.primary.admin.mset({f"before:{number}": "x" * 1000 for number in range(500)})
        self.primary.admin.set("binary", bytes(range(256)) + b"*1\r\n$4\r\nPING\r\n" + b"$EOF:")
        self.replica = Server(peer, "--replicaof", "127.0.0.1", str(self.relay.port))

    def synced(self) -> None:
        until(lambda: self.replica.admin.info("replication").get("master_link_status") == "up")
        self.primary.admin.wait(1, int(PATIENCE * 1000))

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.replica.stop()
            self.relay.close()
            self.primary.stop()


@pytest.fixture(params=["disk", "diskless"])
def replicating(request: pytest.FixtureRequest, server: Server):
    pair = Replicating(server.peer, request.param == "diskless")
    yield pair
    pair.close()


def rdb_of(heard: Conversation) -> bytes:
    """The RDB file that came."""
    return b"".join(event.raw for event in heard.events if isinstance(event, Data))


def streamed(heard: Conversation) -> list[Message]:
    """The commands that the primary streamed, without those that keep the link."""
    return [
        message for message in heard.pushes if message.operation not in ("RDB", "PING", "REPLCONF GETACK", "REPLCONF")
    ]


def test_replication(replicating: Replicating) -> None:
    """PSYNC hands over to an RDB file and then to commands, with their keys; the replica's own words are one-way from there on."""
    replicating.synced()
    admin = replicating.primary.admin
    admin.set("user:42", "Ada\r\n*1\r\n")
    admin.execute_command("SELECT", 2)
    admin.execute_command("SELECT", 0)
    admin.pipeline(transaction=True).hset("hash", "f", "v").incr("counter").execute()
    admin.eval("redis.call('set', KEYS[1], 1); redis.call('lpush', KEYS[2], 'a', 'b')", 2, "script:1", "script:2")
    admin.delete("user:42", "before:1")
    admin.set("big", b"y" * 1_500_000)
    replicating.synced()
    assert replicating.replica.admin.get("counter") == b"1"

    # The link breaks; the replica asks for the rest only.
    first = replicating.relay.number(0)
    killed = admin.execute_command("CLIENT", "KILL", "TYPE", "replica")
    assert killed == 1
    admin.rpush("while:away", "1", "2")
    replicating.relay.number(1)
    replicating.synced()
    admin.sadd("after", "x")
    replicating.synced()
    replicating.close()

    heard = Conversation(first)
    heard.check_octets()
    heard.check_cuts()
    handshake = [
        message.operation
        for message in heard.requests
        if message.kind is Kind.REQUEST or message.kind is Kind.HEARTBEAT
    ]
    assert (
        handshake[0] == "PING"
        and handshake[-1] == "PSYNC"
        and set(handshake[1:-1]) <= {"REPLCONF", "REPLCONF LISTENING-PORT", "REPLCONF CAPA"}
    )
    assert [message.request for message in heard.responses] == [
        message for message in heard.requests if message.kind in (Kind.REQUEST, Kind.HEARTBEAT)
    ]
    assert heard.responses[-1].raw.startswith(b"+FULLRESYNC ") and heard.pending == 0
    files = [message for message in heard.pushes if message.operation == "RDB"]
    assert len(files) == 1 and files[0].more
    content = rdb_of(heard)
    head = files[0].raw
    if replicating.diskless:
        assert re.fullmatch(rb"\$EOF:[0-9a-f]{40}\r\n", head)
        big = heard_data(heard, "SET")
        assert content.removesuffix(big).endswith(head[5:45])
    else:
        size = int(head[1:-2])
        assert len(content) >= size and content[:9].startswith(b"REDIS00")
    assert content.startswith(b"REDIS00") and b"before:499" in content
    commands = [(message.operation, message.resources) for message in streamed(heard)]
    assert [each for each in commands if each[0] not in ("MULTI", "EXEC", "SELECT")] == [
        ("SET", (b"user:42",)), ("HSET", (b"hash",)), ("INCRBY", (b"counter",)), ("SET", (b"script:1",)), ("LPUSH", (b"script:2",)),
        ("DEL", (b"user:42", b"before:1")), ("SET", (b"big",)),
    ]  # fmt: skip
    assert ("MULTI", ()) in commands and ("EXEC", ()) in commands
    later = heard.requests[heard.requests.index(heard.responses[-1].request) + 1 :]
    assert later and {message.kind for message in later} == {Kind.ONEWAY}
    assert "PING" in {message.operation for message in heard.pushes} or "REPLCONF" in str(
        [message.operation for message in heard.pushes]
    )

    second = Conversation(replicating.relay.recordings[1])
    second.check_octets()
    second.check_cuts()
    assert second.responses[-1].raw.startswith(b"+CONTINUE") and second.responses[-1].operation == "PSYNC"
    assert not [message for message in second.pushes if message.operation == "RDB"]
    commands = [(message.operation, message.resources) for message in streamed(second)]
    assert [each for each in commands if each[0] != "SELECT"] == [("RPUSH", (b"while:away",)), ("SADD", (b"after",))]


NEWEST = {version: path for version, path in find_servers().items() if int(version.partition(".")[0]) >= 8}


@pytest.mark.interop
@pytest.mark.parametrize("version", sorted(NEWEST) or [""])
def test_replication_through_two_connections(version: str) -> None:
    """From version 8 on another connection carries the file: behind +RDBCHANNELSYNC the commands come at once."""
    if not version:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("no redis-server 8 or newer is installed")
        pytest.skip("no redis-server 8 or newer is installed")
    pair = Replicating(NEWEST[version], True)
    try:
        pair.synced()
        pair.primary.admin.set("user:42", "Ada\r\n*1\r\n")
        pair.primary.admin.pipeline(transaction=True).hset("hash", "f", "v").incr("counter").execute()
        pair.synced()
        assert pair.replica.admin.get("counter") == b"1"
        assert pair.replica.admin.get("before:499") == b"x" * 1000
    finally:
        pair.close()
    conversations = [Conversation(recording) for recording in pair.relay.recordings]
    for each in conversations:
        each.check_octets()
        each.check_cuts()
    (main,) = (each for each in conversations if any(b"RDBCHANNELSYNC" in reply.raw for reply in each.responses))
    assert main.responses[-1].operation == "PSYNC" and main.responses[-1].status is Status.OK
    assert "RDB" not in [message.operation for message in main.pushes]
    commands = [(message.operation, message.resources) for message in streamed(main) if message.operation != "SELECT"]
    assert commands == [
        ("SET", (b"user:42",)), ("MULTI", ()), ("HSET", (b"hash",)), ("INCRBY", (b"counter",)), ("EXEC", ()),
    ]  # fmt: skip
    (file,) = (each for each in conversations if any(message.operation == "RDB" for message in each.pushes))
    assert file is not main
    assert b"before:499" in rdb_of(file) and not streamed(file)


def heard_data(heard: Conversation, operation: str) -> bytes:
    """What follows the head of a large streamed command."""
    return b"".join(
        event.raw for event in heard.events if isinstance(event, Data) and event.message.operation == operation
    )
