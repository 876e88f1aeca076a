"""The traffic that is measured: Redis commands and replies, the same octets at every run."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["READ_SIZE", "REPLY_COUNT", "WRONG_TYPE", "Exchange", "cache_mix", "commands", "encode", "reads", "replies"]

READ_SIZE: Final = 65_536
"""Octets of one read from a socket."""
REPLY_COUNT: Final = 8_000
"""Replies of one round; no more may wait for an answer than ``limits.pending``, 10 000."""


@dataclass(frozen=True)
class Exchange:
    """Commands and the replies to them; ``pushes`` holds the indices of the replies that answer nothing."""

    commands: list[bytes]
    replies: list[bytes]
    pushes: frozenset[int]


def encode(*arguments: bytes) -> bytes:
    """One command, as an array of bulk strings."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(item), item) for item in arguments)


def reads(messages: list[bytes]) -> list[bytes]:
    """The messages as reads of `READ_SIZE` octets, which cut wherever they cut."""
    stream = b"".join(messages)
    return [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]


def commands(count: int, value_size: int) -> list[bytes]:
    """`count` commands that write values of `value_size` octets, half of them SET."""
    value = b"x" * value_size
    names = [name for name, weight in _WRITES.items() for _ in range(weight)]
    drawn = Random(6379).choices(names, k=count)
    keys = (b"key:%04d" % (index % 10_000) for index in range(count))
    return [encode(name, key, *_MIDDLE.get(name, ()), value) for name, key in zip(drawn, keys, strict=True)]


def cache_mix(size: int) -> list[bytes]:
    """About `size` octets of commands as a cache gets them: 55 % GET, 30 % SET of 100 octets, then what is rarer."""
    drawn = Random(6379)

    def key() -> bytes:
        return b"user:%06d" % drawn.randrange(100_000)

    rarer = (
        lambda: encode(b"EXPIRE", key(), b"3600"),
        lambda: encode(b"HSET", key(), b"field", b"value"),
        lambda: encode(b"MGET", *(key() for _ in range(5))),
        lambda: encode(b"DEL", key()),
        lambda: encode(b"INCR", key()),
    )
    found: list[bytes] = []
    have = 0
    while have < size:
        which = drawn.random()
        if which < 0.55:
            command = encode(b"GET", key())
        elif which < 0.85:
            command = encode(b"SET", key(), b"x" * 100)
        else:
            command = rarer[len(found) % len(rarer)]()
        found.append(command)
        have += len(command)
    return found


# How often of 20, and what stands between the key and the value.
_WRITES = {b"SET": 10, b"HSET": 3, b"SADD": 2, b"LPUSH": 2, b"SETEX": 2, b"SETNX": 1}
_MIDDLE = {b"HSET": (b"field",), b"SETEX": (b"3600",)}

WRONG_TYPE = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
_BULK = b"$100\r\n" + b"x" * 100 + b"\r\n"

# How often of 40: the command (None for a push) and its reply.
_COMMON: list[tuple[int, bytes | None, bytes]] = [
    (12, encode(b"SET", b"user:1234", b"value"), b"+OK\r\n"),
    (14, encode(b"GET", b"user:1234"), _BULK),
    (5, encode(b"INCR", b"count:1234"), b":104711\r\n"),
    (1, encode(b"HGET", b"user:1234", b"name"), WRONG_TYPE),
]
_RESP2: list[tuple[int, bytes | None, bytes]] = [
    *_COMMON,
    (3, encode(b"GET", b"absent:1234"), b"$-1\r\n"),
    (3, encode(b"MGET", b"a:1", b"a:2", b"a:3"), b"*3\r\n$5\r\nfirst\r\n$-1\r\n$5\r\nthird\r\n"),
    (2, encode(b"HGETALL", b"user:1234"), b"*4\r\n$4\r\nname\r\n$5\r\nAlice\r\n$4\r\ncity\r\n$4\r\nOslo\r\n"),
]
_RESP3: list[tuple[int, bytes | None, bytes]] = [
    *_COMMON,
    (3, encode(b"GET", b"absent:1234"), b"_\r\n"),
    (1, encode(b"HGETALL", b"user:1234"), b"%2\r\n$4\r\nname\r\n$5\r\nAlice\r\n$4\r\ncity\r\n$4\r\nOslo\r\n"),
    (1, encode(b"SMEMBERS", b"tags:1234"), b"~2\r\n$3\r\nred\r\n$4\r\nblue\r\n"),
    (1, encode(b"ZSCORE", b"rank:1234", b"Alice"), b",1.5\r\n"),
    (1, encode(b"MGET", b"a:1", b"a:2", b"a:3"), b"*3\r\n$5\r\nfirst\r\n_\r\n$5\r\nthird\r\n"),
    (1, None, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$9\r\nuser:1234\r\n"),
]


def replies(version: int) -> Exchange:
    """`REPLY_COUNT` replies of RESP `version` in a mixed order, and the commands that they answer."""
    mix = _RESP2 if version == 2 else _RESP3
    drawn = [(command, reply) for weight, command, reply in mix for _ in range(weight)] * (REPLY_COUNT // 40)
    Random(6379).shuffle(drawn)
    return Exchange(
        [command for command, _ in drawn if command is not None],
        [reply for _, reply in drawn],
        frozenset(index for index, (command, _) in enumerate(drawn) if command is None),
    )
