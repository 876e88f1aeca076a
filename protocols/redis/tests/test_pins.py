"""What ties a client to its connection and what may wait, over the whole table of commands, however they are read.

What is expected is written from the descriptions of the commands (redis.io), not taken from the code.
"""

from __future__ import annotations

import pytest

from l7codecs import Message, Sender, open_session
from l7codecs_redis._table import COMMANDS

C, S = Sender.CLIENT, Sender.SERVER

PINS = {
    "transaction": ["MULTI"],
    "watch": ["WATCH"],
    "subscription": ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"],
    "monitor": ["MONITOR"],
    "replication": ["SYNC", "PSYNC", "REPLCONF"],
    "reply mode": ["CLIENT REPLY"],
    "tracking": ["CLIENT TRACKING", "CLIENT CACHING"],
    "client name": ["CLIENT SETNAME", "CLIENT SETINFO"],
    "client mode": ["CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT MAINT_NOTIFICATIONS"],
    "database": ["SELECT"],
    "protocol version": ["HELLO"],
    "authentication": ["AUTH"],
    "asking": ["ASKING"],
    "read mode": ["READONLY", "READWRITE"],
    "earlier writes": ["WAIT", "WAITAOF"],
    "script debugging": ["SCRIPT DEBUG"],
    "reset": ["RESET"],
    "end": ["QUIT"],
}
EXPECTED_PINS = {name: reason for reason, names in PINS.items() for name in names}

BLOCKING = "BLPOP BRPOP BRPOPLPUSH BLMOVE BLMOVEM BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF"
EXPECTED_BLOCKS = set(BLOCKING.split())

NAMES = [str(row[0]) for row in COMMANDS]


def words(name: str) -> list[bytes]:
    found = [word.encode() for word in name.split(" ")]
    return [*found, b"1", b"2", b"3"]


def pack(arguments: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in arguments)


def read(octets: bytes, endpoint: Sender | None, way: str) -> list[Message]:
    """The commands in `octets`, in one read (the fast lane), octet by octet (the general path), or inline."""
    session = open_session("redis", endpoint=endpoint)
    size = 1 if way == "octets" else len(octets)
    found: list[Message] = []
    for at in range(0, len(octets), size):
        found.extend(event for event in session.receive(C, octets[at : at + size]) if isinstance(event, Message))
    return found


WAYS = ["one read", "octets", "inline", "lower case"]


@pytest.fixture(params=[None, S], ids=["observer", "endpoint"])
def endpoint(request: pytest.FixtureRequest) -> Sender | None:
    return request.param  # type: ignore[no-any-return]  # pytest does not know it


def one(arguments: list[bytes], endpoint: Sender | None, way: str, before: bytes = b"") -> Message:
    if way == "lower case":
        arguments = [each.lower() for each in arguments]
    octets = b" ".join(arguments) + b"\r\n" if way == "inline" else pack(arguments)
    return read(before + octets, endpoint, way)[-1]


@pytest.mark.parametrize("way", WAYS)
def test_every_command(endpoint: Sender | None, way: str) -> None:
    wrong = []
    for name in NAMES:
        attributes = one(words(name), endpoint, way).attributes
        seen = (attributes["db.operation.name"], attributes.get("l7.pins"), attributes.get("l7.blocks"))
        expected = (name, EXPECTED_PINS.get(name), True if name in EXPECTED_BLOCKS else None)
        if seen != expected:
            wrong.append((seen, expected))
    assert not wrong


def test_the_expectation_names_commands() -> None:
    assert set(EXPECTED_PINS) | EXPECTED_BLOCKS <= set(NAMES)


def test_blocking_commands_are_those_that_the_server_flags() -> None:
    flagged = {str(row[0]) for row in COMMANDS if "blocking" in str(row[5]).split(" ")}
    assert flagged == EXPECTED_BLOCKS | {"XREAD", "XREADGROUP"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("line", "blocks"),
    [
        ("XREAD BLOCK 0 STREAMS s $", True),
        ("XREAD COUNT 2 block 100 STREAMS s $", True),
        ("XREAD COUNT 2 STREAMS s $", None),
        ("XREAD STREAMS block 0", None),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", True),
        ("XREADGROUP GROUP block block COUNT 1 STREAMS s >", None),
        ("XREADGROUP GROUP streams c NOACK BLOCK 5 STREAMS s >", True),
        ("XREAD", None),
        ("BLPOP a b 0", True),
        ("GET block", None),
    ],
)
def test_the_option_block(endpoint: Sender | None, way: str, line: str, blocks: bool | None) -> None:
    message = one([word.encode() for word in line.split(" ")], endpoint, way)
    assert message.attributes.get("l7.blocks") is blocks


@pytest.mark.parametrize("way", ["one read", "octets"])
def test_in_a_transaction_nothing_blocks_and_all_is_pinned(endpoint: Sender | None, way: str) -> None:
    for name in ("BLPOP", "XREAD", "WAIT", "AUTH", "GET", "CLIENT TRACKING"):
        message = one(words(name), endpoint, way, pack([b"MULTI"]))
        assert message.attributes["l7.pins"] == "transaction" and "l7.blocks" not in message.attributes


@pytest.mark.parametrize("way", ["one read", "octets"])
def test_what_is_refused_pins_nothing(endpoint: Sender | None, way: str) -> None:
    """Under a RESP2 subscription all but a few commands are errors without effect."""
    session = open_session("redis")
    list(session.receive(C, pack([b"SUBSCRIBE", b"a"])))
    list(session.receive(S, b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"))
    for name in ("AUTH", "BLPOP", "CLIENT TRACKING", "WAIT"):
        octets = pack(words(name))
        size = 1 if way == "octets" else len(octets)
        events = [event for at in range(0, len(octets), size) for event in session.receive(C, octets[at : at + size])]
        assert isinstance(events[-1], Message)
        assert "l7.pins" not in events[-1].attributes and "l7.blocks" not in events[-1].attributes


def test_a_changed_command_and_the_watch_before_it_keep_their_pins() -> None:
    down = open_session("redis", endpoint=S)
    watch, get, auth = (
        event
        for event in down.receive(C, pack([b"WATCH", b"k"]) + pack([b"GET", b"k"]) + pack([b"AUTH", b"p"]))
        if isinstance(event, Message)
    )
    assert [each.attributes.get("l7.pins") for each in (watch, get, auth)] == ["watch", "watch", "authentication"]
