"""Clients of Redis that break the protocol: told as the server itself tells them, and nobody else has to wait."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from .running import TWO_OF_REDIS, read, running, wait_until

SPLIT = TWO_OF_REDIS + '- match: {{ resources: {{ prefix: "a:" }} }}\n  cluster: a\n- cluster: b\n'
BROKEN = {
    "an argument too large": b"*2\r\n$3\r\nGET\r\n$536870913\r\n",
    "an argument of less than nothing": b"*2\r\n$3\r\nGET\r\n$-1\r\n",
    "an argument of no number": b"*2\r\n$3\r\nGET\r\n$abc\r\n",
    "an argument of twenty digits": b"*1\r\n$99999999999999999999\r\n",
    "too many arguments": b"*2147483648\r\n",
    "no number of arguments": b"*abc\r\n",
    "arguments without a number": b"*?\r\n",
    "a zero before the number": b"*01\r\n$4\r\nPING\r\n",
    "another type": b"*2\r\n$3\r\nGET\r\n:3\r\n",
    "a quote for a type": b"*1\r\n'\r\n",
    "a line too long": b"a" * 65537,
    "quotes that do not close": b'SET a "b\r\n',
}
BEFORE = {
    "nothing": b"",
    "within a transaction": b"PING\r\nMULTI\r\nSET a:k 1\r\n",
    "of two servers": b"GET a:k\r\nGET b:k\r\nPING\r\n",
    "subscribed": b"SUBSCRIBE a:c\r\n",
}


def told(port: int, said: bytes) -> bytes:
    """All that is answered, to the end."""
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.sendall(said)
        found = b""
        with contextlib.suppress(ConnectionResetError):  # where not all is read that was said
            while more := raw.recv(65536):
                found += more
        return found


@pytest.mark.parametrize("before", BEFORE)
def test_is_told_what_the_server_tells(servers: Any, before: str) -> None:
    with running(SPLIT.format(*servers.hosts)) as here:
        for what, said in BROKEN.items():
            answer = told(servers.ports[0], BEFORE[before] + said)
            assert b"-ERR Protocol error: " in answer
            assert told(here.port(), BEFORE[before] + said) == answer, what
        assert len(here.seen.refusals) == len(BROKEN)


def test_what_only_we_refuse_is_told_as_well(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here:
        for said, text in (
            (b"*1\r\n$4\r\nPINGXX", b"expected CR LF behind an argument"),
            (b"GET a\0b\r\n", b"NUL in an inline request"),
            (b"*1048577\r\n", b"invalid multibulk length"),
            (b"*1\r\n\xff", b"expected '$', got '\\xff'"),
        ):
            assert told(here.port(), b"PING\r\n" + said) == b"+PONG\r\n-ERR Protocol error: " + text + b"\r\n"


@pytest.mark.parametrize("quiet", ["OFF", "SKIP"])
def test_who_wants_no_answers_is_told_nothing(servers: Any, quiet: str) -> None:
    with running(SPLIT.format(*servers.hosts)) as here:
        assert told(here.port(), f"GET a:k\r\nCLIENT REPLY {quiet}\r\n*x\r\n".encode()) == b"$-1\r\n"


def test_who_leaves_off_in_the_middle_is_told_nothing(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"GET a:k\r\n*2\r\n$3\r\nGET\r\n")
        raw.shutdown(socket.SHUT_WR)
        assert read(raw, 100) == b"$-1\r\n"


BEGUN = b"*3\r\n$3\r\nSET\r\n$3\r\nb:k\r\n$2000000\r\n" + b"x" * 1_999_999


def test_nobody_waits_for_the_rest_of_a_command_that_breaks_off(servers: Any) -> None:
    """It is written in part on a connection that others share."""
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as other:
        answer = told(here.port(), b"GET a:k\r\n" + BEGUN + b"x??")
        assert answer == b"$-1\r\n-ERR Protocol error: expected CR LF behind an argument\r\n"
        other.sendall(b"GET b:k\r\n")
        assert read(other, 5) == b"$-1\r\n"
        assert ("SET", "b", "CLIENT_GONE") in here.seen.told()


def test_nor_where_the_client_is_ended_within_it(servers: Any) -> None:
    """Since the server is lost at which it watches; what it is about to send goes to another."""
    with running(SPLIT.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as other:
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(b"WATCH a:k\r\n")
            assert read(raw, 5) == b"+OK\r\n"
            raw.sendall(BEGUN)
            first = servers.direct[1]
            wait_until(lambda: any(int(each["qbuf"]) > 1_000_000 for each in first.client_list()))
            for each in servers.direct[0].client_list():
                if each["cmd"] == "watch":
                    servers.direct[0].client_kill(each["addr"])
            assert read(raw, 1) == b""
        other.sendall(b"GET b:k\r\n")
        assert read(other, 5) == b"$-1\r\n"
