"""Lines of the access log: what `decode` writes, masked, with what came of it; to files that are moved and disks that are slow."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import l7codecs
from l7codecs import Message, Sender, Status
from l7codecs.capture import CaptureWriter
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.telemetry import access_log as module
from l7codecs.proxy.telemetry.access_log import AccessLog
from l7codecs.proxy.telemetry.masking import Mask, shown
from l7codecs.routing.reading import parse_config

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 6379)
CONVERSATIONS = {
    "redis": b"*2\r\n$3\r\nGET\r\n$6\r\nuser:\xff\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\nsecret\r\nPING\r\n",
    "http2": None,
    "thrift": b"\0\0\0\x19\x80\x01\0\x01\0\0\0\x0cOrders:place\0\0\0\x07\0",
}


def messages(protocol: str, octets: bytes) -> Iterator[Message]:
    session = l7codecs.get_protocol(protocol).open(client=CLIENT, server=SERVER)
    for event in session.receive(Sender.CLIENT, octets):
        assert isinstance(event, Message)
        yield event


def exchange(request: Message, **given: object) -> Exchange:
    found = Exchange("front", request, 100.0)
    found.ended = 100.25
    found.status = Status.OK
    for name, value in given.items():
        setattr(found, name, value)
    return found


def http2() -> bytes:
    import h2.config
    import h2.connection

    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    fields = [(":method", "GET"), (":path", "/a?token=1"), (":scheme", "http"), (":authority", "shop")]
    client.send_headers(1, [*fields, ("authorization", "Bearer x"), ("x-a", "1")], end_stream=True)
    return client.data_to_send()


@pytest.mark.parametrize("protocol", CONVERSATIONS)
@pytest.mark.parametrize("sensitive", [True, False])
def test_the_records_are_those_of_decode(tmp_path: Path, protocol: str, sensitive: bool) -> None:
    octets = CONVERSATIONS[protocol] or http2()
    with CaptureWriter(tmp_path / "c.pcap") as capture:
        connection = capture.open_connection(0, CLIENT, SERVER)
        connection.send(1, Sender.CLIENT, octets)
        connection.close(2)
    command = [
        sys.executable,
        "-m",
        "l7codecs",
        "decode",
        "--format",
        "jsonl",
        "--protocol",
        protocol,
        tmp_path / "c.pcap",
    ]
    decoded = [
        json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    ]

    async def run() -> None:
        log = AccessLog(str(tmp_path / "log"), Mask((), True) if sensitive else Mask())
        for message in messages(protocol, octets):
            log.ended(exchange(message))
        log.close()

    asyncio.run(run())
    written = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert len(written) == len(decoded) > 0
    for mine, theirs in zip(written, decoded, strict=True):
        assert mine["duration"] == 0.25
        assert mine["status"] == "OK"
        assert list(mine)[: len(theirs)] == list(theirs)
        schema = l7codecs.get_protocol(protocol).schema
        for name in theirs["attributes"]:
            if schema[name].sensitive and not sensitive:
                theirs["attributes"][name] = "***"
        for pair in theirs["headers"]:
            if pair[0] == "authorization" and not sensitive:
                pair[1] = "***"
        assert {key: mine[key] for key in theirs if key not in ("time", "status")} == {
            key: value for key, value in theirs.items() if key not in ("time", "status")
        }
    text = (tmp_path / "log").read_text()
    assert ("Bearer" in text) is (protocol == "http2" and sensitive)


def test_a_line_says_what_came_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        (request,) = messages("redis", b"GET k\r\n")
        log = AccessLog(str(tmp_path / "log"), Mask())
        log.ended(
            exchange(
                request,
                status=Status.UNAVAILABLE,
                failure=Failure.CONNECT,
                error="no connection",
                cluster="cache",
                host="10.0.0.9:6379",
                attempts=2,
                answer_octets=30,
            )
        )
        log.ended(exchange(request, status=None))
        log.close()

    asyncio.run(run())
    first, second = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    expected = {
        "flow": "10.0.0.1:40000>10.0.0.2:6379",
        "operation": "GET",
        "status": "UNAVAILABLE",
        "error": "no connection",
        "listener": "front",
        "rule": None,
        "cluster": "cache",
        "host": "10.0.0.9:6379",
        "duration": 0.25,
        "request_octets": 7,
        "answer_octets": 30,
        "attempts": 2,
        "failure": "connect",
    }
    assert {key: first[key] for key in expected} == expected
    assert second["status"] is second["failure"] is None


def test_a_file_that_is_moved_is_opened_again(tmp_path: Path) -> None:
    async def run() -> None:
        (request,) = messages("redis", b"GET k\r\n")
        log = AccessLog(str(tmp_path / "log"), Mask())
        for turn in range(3):
            for _ in range(turn + 1):
                log.ended(exchange(request))
            log.flush()
            async with asyncio.timeout(10):
                while not (tmp_path / "log").exists() or (tmp_path / "log").read_bytes().count(b"\n") < turn + 1:
                    await asyncio.sleep(0.01)
            (tmp_path / "log").rename(tmp_path / f"log.{turn}")
            log.reopen()
        log.close()

    asyncio.run(run())
    assert [(tmp_path / f"log.{turn}").read_bytes().count(b"\n") for turn in range(3)] == [1, 2, 3]
    assert (tmp_path / "log").read_bytes() == b""


def test_a_slow_disk_stops_nobody_and_drops_are_counted(tmp_path: Path) -> None:
    """A pipe that nobody reads: what waits is bounded, and every line is either written or counted as dropped."""
    os.mkfifo(tmp_path / "log")
    counts = {"kept": 0, "dropped": 0}

    async def run() -> bytes:
        reading = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
        (request,) = messages("redis", b"GET k\r\n")
        log = AccessLog(
            str(tmp_path / "log"),
            Mask(),
            backlog=200_000,
            kept=lambda count: counts.__setitem__("kept", counts["kept"] + count),
            dropped=lambda count: counts.__setitem__("dropped", counts["dropped"] + count),
        )
        for _ in range(5000):
            log.ended(exchange(request))
        log.flush()
        assert counts["dropped"] > 1000
        assert counts["kept"] + counts["dropped"] == 5000
        os.set_blocking(reading, True)
        found: list[bytes] = []

        def read() -> None:
            while octets := os.read(reading, 1 << 16):
                found.append(octets)

        reader = threading.Thread(target=read)
        reader.start()
        await asyncio.to_thread(log.close)
        reader.join(10)
        os.close(reading)
        return b"".join(found)

    lines = asyncio.run(run()).splitlines()
    assert len(lines) == counts["kept"]
    assert all(json.loads(line)["operation"] == "GET" for line in lines)


def test_a_full_disk_is_counted_and_told_once() -> None:
    dropped: list[int] = []
    said: list[str] = []

    async def run() -> None:
        (request,) = messages("redis", b"GET k\r\n")
        log = AccessLog("/dev/full", Mask(), dropped=dropped.append)
        log.tell_faults(said.append)
        for _ in range(2):
            log.ended(exchange(request))
            before = log._writer.settled
            log.flush()
            async with asyncio.timeout(10):
                while log._writer.settled == before:
                    await asyncio.sleep(0.01)
        log.flush()
        log.close()

    asyncio.run(run())
    assert sum(dropped) == 2
    (text,) = said
    assert "lines are lost" in text and "No space left" in text


def test_a_share_is_written(tmp_path: Path) -> None:
    async def run() -> None:
        (request,) = messages("redis", b"GET k\r\n")
        log = AccessLog(str(tmp_path / "log"), Mask(), share=0.1)
        for _ in range(3000):
            log.ended(exchange(request))
        await asyncio.sleep(module.DELAY + 0.1)  # nobody flushes: the clock does
        log.close()

    asyncio.run(run())
    assert 180 < (tmp_path / "log").read_bytes().count(b"\n") < 430


def test_what_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AccessLog(str(tmp_path / "no" / "log"), Mask())


def test_settings_are_shown_without_credentials() -> None:
    text = """
tracing: {endpoint: "http://me:pw@127.0.0.1:4318", headers: {authorization: Bearer abc}}
rules:
  - name: a
    request: {set_headers: {x-key: sesame}}
    match: [{header: {name: x, exact: y}}, 2, true, null]
"""
    found = shown(parse_config(text))
    assert found == {
        "tracing": {"endpoint": "http://***@127.0.0.1:4318", "headers": {"authorization": "***"}},
        "rules": [
            {
                "name": "a",
                "request": {"set_headers": {"x-key": "***"}},
                "match": [{"header": {"name": "x", "exact": "y"}}, 2, True, None],
            }
        ],
    }
    json.dumps(found)
