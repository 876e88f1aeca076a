"""What is read at once is what is read octet by octet: the grammar stands twice, for speed."""

from __future__ import annotations

from random import Random

import pytest

from l7codecs import Data, Limits, Message, ProtocolError, Sender, open_session
from l7codecs_redis._commands import find_command
from l7codecs_redis._table import COMMANDS

CLIENT, SERVER = Sender.CLIENT, Sender.SERVER
_PIECES = (
    b"+OK\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$5\r\nhello\r\n", b"$12\r\nhello, world\r\n", b"$100\r\n" + b"x" * 100 + b"\r\n",
    b"$1000\r\n" + b"y" * 1000 + b"\r\n", b":0\r\n", b":42\r\n", b":-7\r\n", b":123456\r\n", b":1234567\r\n", b"_\r\n", b"#t\r\n",
    b",1.5\r\n", b",10\r\n", b",-1e9\r\n", b",inf\r\n", b"-ERR no\r\n", b"-WRONGTYPE " + b"z" * 80 + b"\r\n", b"(123\r\n",
    b"=5\r\ntxt:a\r\n", b"*0\r\n", b"*-1\r\n", b"%0\r\n", b"~0\r\n", b"*?\r\n.\r\n", b"|1\r\n+a\r\n+b\r\n",
)  # fmt: skip


def _reply(draw: Random, depth: int = 0) -> bytes:
    if depth < 3 and draw.random() < 0.35:
        kind = draw.choice((b"*", b"*", b"%", b"~", b">"))
        count = draw.choice((1, 2, 3, 9, 10, 12)) if depth == 0 else draw.randrange(3)
        items = count * 2 if kind == b"%" else count
        return b"%s%d\r\n%s" % (kind, count, b"".join(_reply(draw, depth + 1) for _ in range(items)))
    return draw.choice(_PIECES)


def _command(draw: Random) -> bytes:
    name = draw.choice(
        (b"GET", b"get", b"SET", b"MGET", b"OBJECT", b"HINCRBYFLOAT", b"X", b"ZREVRANGEBYSCORE", b"nonsense")
    )
    words = [
        name,
        *(
            draw.choice((b"", b"k", b"HELP", b"user:42", b"v" * 12, b"w" * 100, b"u" * 1200))
            for _ in range(draw.randrange(12))
        ),
    ]
    return b"*%d\r\n%s" % (len(words), b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))


def _damaged(draw: Random, octets: bytes) -> bytes:
    if draw.random() < 0.5:
        return octets
    at = draw.randrange(len(octets))
    how = draw.randrange(3)
    if how == 0:
        return octets[:at] + octets[at + 1 :]
    return octets[:at] + bytes([draw.choice(b"\r\n$*:0129-+?.,_%~>|")]) + octets[at + (how == 1) :]


def _told(sender: Sender, octets: bytes, size: int, limits: Limits) -> tuple[list[object], str]:
    """What a session says of `octets` in reads of so many."""
    session = open_session("redis", limits=limits)
    if sender is SERVER:
        for _ in session.receive(CLIENT, b"*1\r\n$3\r\nGET\r\n" * 40):
            pass
    found: list[object] = []
    try:
        for at in range(0, len(octets), size):
            for event in session.receive(sender, octets[at : at + size]):
                if isinstance(event, Message):
                    answered = event.request and event.request.offset
                    found.append((event.kind, event.offset, event.operation, event.resources))
                    found.append((event.status, event.error, event.more, answered))
                if isinstance(event, Data):
                    found.append(b"")
                if found and isinstance(found[-1], bytes):
                    found[-1] += event.raw
                else:
                    found.append(event.raw)
    except ProtocolError as error:
        return found, f"{type(error).__name__} {error}"
    return found, ""


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
@pytest.mark.parametrize(
    "limits",
    [Limits(), Limits(elements=9), Limits(nesting=1), Limits(payload=99), Limits(head=12)],
    ids=["usual", "elements", "nesting", "payload", "head"],
)
def test_reading_at_once_is_reading_octet_by_octet(sender: Sender, limits: Limits) -> None:
    draw = Random(7)
    errors = 0
    for _ in range(150):
        make = _command if sender is CLIENT else _reply
        octets = b"".join(_damaged(draw, make(draw)) if index == 3 else make(draw) for index in range(6))
        whole = _told(sender, octets, len(octets), limits)
        assert whole == _told(sender, octets, 1, limits), octets
        errors += whole[1] != ""
    assert 10 < errors <= 150


def test_keys_are_those_of_the_specifications() -> None:
    """Whatever way they are found by: a key noted while decoding, each argument of a range, or the command's own way."""
    stepped = 0
    for name, *_ in COMMANDS:
        for count in range(8):
            words = [word.encode() for word in name.split(" ")] + [b"arg%d" % index for index in range(count)]
            octets = b"*%d\r\n%s" % (len(words), b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            (message,) = list(open_session("redis").receive(CLIENT, octets))
            assert isinstance(message, Message)
            spec = find_command(words[0])
            assert spec is not None
            assert message.resources == tuple(words[index] for index in spec.key_indices(words)), words
            stepped += spec.key_step > 0
    assert stepped > 50


@pytest.mark.parametrize("name", [b"MGET", b"MSET", b"GET", b"EVAL"])
def test_a_request_that_is_cut_anywhere_has_the_keys_before(name: bytes) -> None:
    words = [name, b"first", b"12", b"k" * 12, b"4", b"5"]
    octets = b"*%d\r\n%s" % (len(words), b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    (message,) = list(open_session("redis").receive(CLIENT, octets))
    assert isinstance(message, Message)
    keys = message.resources
    for size in range(1, len(octets)):
        short = message.shortened(size)
        assert short is not None and short.more
        assert short.resources == keys[: len(short.resources)]


@pytest.mark.parametrize("head", [b"$%c", b"$%c0", b"$1%c", b"$%c00", b"$1%c0", b"$10%c", b"*1\r\n$%c", b"*1\r\n$%c0"])
def test_no_octet_behind_nine_is_a_digit(head: bytes) -> None:
    """Though the string is as long as its value less that of zero would make it."""
    for octet in range(0x3A, 0x100):
        session = open_session("redis")
        line = head % octet
        size = 0
        for each in line.rpartition(b"$")[2]:
            size = size * 10 + each - 0x30
        with pytest.raises(ProtocolError):
            list(session.receive(SERVER, line + b"\r\n" + b"a" * size + b"\r\n+OK\r\n+OK\r\n"))
