"""A capture of 64 MiB, the same at every run: what a Redis of a web shop hears, 48 connections at once.

Reads and writes of values between 20 octets and 8 KiB, most of them near 150; single commands and pipelines of up to 16; answers in
segments of 1448 octets. Ethernet, IPv4 and TCP with handshakes and acknowledgments, nothing lost and nothing out of order.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from random import Random

from l7codecs import Sender
from l7codecs.capture.writer import CaptureWriter, WrittenConnection

from .octets import WRONG_TYPE, encode

__all__ = ["CAPTURE_SIZE", "make_capture"]

CAPTURE_SIZE = 64 * 1024 * 1024
CONNECTION_COUNT = 48
START_NS = 1_760_000_000_000_000_000


def make_capture() -> tuple[Path, int]:
    """The capture and how many messages it holds; made once and kept in the directory for temporary files."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"l7codecs-benchmarks-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path, counted = folder / f"redis-{source}.pcap", folder / f"redis-{source}.count"
    if not (path.exists() and counted.exists()):
        for old in folder.glob("redis-*"):
            old.unlink()
        unfinished = path.with_suffix(f".{os.getpid()}")
        count = _write(unfinished)
        unfinished.replace(path)
        counted.write_text(str(count))
    return path, int(counted.read_text())


def _write(path: Path) -> int:
    random = Random(6379)
    count = 0
    now = START_NS
    with CaptureWriter(path) as writer:
        connections: list[WrittenConnection] = []
        for index in range(CONNECTION_COUNT):
            now += random.randrange(100_000)
            client = (f"10.0.{index // 200}.{index % 200 + 1}", 40_000 + index)
            connections.append(writer.open_connection(now, client, ("10.1.0.1", 6379)))
        while path.stat().st_size < CAPTURE_SIZE:
            for _ in range(1_000):
                commands, replies = _pipeline(random)
                connection = random.choice(connections)
                now += random.randrange(20_000, 200_000)
                connection.send(now, Sender.CLIENT, b"".join(commands))
                now += random.randrange(20_000, 80_000)
                connection.send(now, Sender.SERVER, b"".join(replies))
                count += len(commands) + len(replies)
        for connection in connections:
            now += random.randrange(100_000)
            connection.close(now)
    return count


def _pipeline(random: Random) -> tuple[list[bytes], list[bytes]]:
    """What a client sends in one go, and the answers."""
    size = random.choice((1, 1, 1, 1, 2, 4, 8, 16))
    pairs = [_exchange(random) for _ in range(size)]
    return [command for command, _ in pairs], [reply for _, reply in pairs]


def _exchange(random: Random) -> tuple[bytes, bytes]:
    number = b"%06d" % random.randrange(200_000)
    drawn = random.random()
    if drawn < 0.50:
        return encode(b"GET", b"product:" + number), _bulk(_value(random)) if drawn < 0.44 else b"$-1\r\n"
    if drawn < 0.70:
        return encode(b"SET", b"session:" + number, _value(random), b"EX", b"3600"), b"+OK\r\n"
    if drawn < 0.80:
        return encode(b"HGET", b"user:" + number, b"name"), _bulk(b"Ada Lovelace")
    if drawn < 0.90:
        return encode(b"INCR", b"views:" + number), b":%d\r\n" % random.randrange(1_000_000)
    if drawn < 0.96:
        keys = [b"price:%06d" % random.randrange(200_000) for _ in range(4)]
        return encode(b"MGET", *keys), b"*4\r\n" + b"".join(_bulk(b"%d.95" % random.randrange(500)) for _ in keys)
    if drawn < 0.99:
        return encode(b"EXPIRE", b"session:" + number, b"3600"), b":1\r\n"
    return encode(b"LPUSH", b"user:" + number, b"x"), WRONG_TYPE


def _value(random: Random) -> bytes:
    size = 20 + int(random.expovariate(1 / 130))
    if random.random() < 0.02:
        size = random.randrange(2_048, 8_193)
    return b'{"name": "a thing to buy", "price": 12.95}'.ljust(size, b".")[:size]


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)
