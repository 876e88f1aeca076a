"""Calls of gRPC, whose messages come behind their heads, and which are sent again all the same: by whole bodies, or not at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from l7codecs.testing import free_port

from .running import running, wait_until

TEXT = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: grpc }} }}
clusters:
  both: {{ hosts: ["127.0.0.1:{0}", "127.0.0.1:{1}"] }}
  copies: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
"""
PIECE = b"p" * 20_000


class Counting(grpc.GenericRpcHandler):
    """Adds up the octets that come; one that is `away` says so of every call, at once or once it has `heard` so many messages."""

    def __init__(self, away: bool = False, heard: int = 0) -> None:
        self.away = away
        self.heard = heard
        self.calls = 0
        self.refused = threading.Event()
        self.sizes: list[int] = []

    def service(self, handler_call_details: Any) -> Any:
        return grpc.stream_unary_rpc_method_handler(self.add)

    def add(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        size = 0
        for number, message in enumerate(messages):
            if self.away and number >= self.heard:
                break
            size += len(message)
        if self.away:
            self.refused.set()
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        self.sizes.append(size)
        return str(size).encode()


@contextlib.contextmanager
def serving(handler: Counting) -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0)


def call(channel: grpc.Channel, messages: Iterator[bytes]) -> bytes:
    found: bytes = channel.stream_unary("/s/add")(messages, timeout=20)
    return found


def test_a_host_that_is_not_there_costs_no_call() -> None:
    """What a host has certainly not seen is sent to another, with what has come of it by then."""
    good = Counting()
    with (
        serving(good) as port,
        running(TEXT.format(free_port(), port) + "- cluster: both") as here,
        grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel,
    ):
        for number in range(6):
            for host in here.engine.pools["both"].hosts.values():
                host.away_until = 0.0
            assert call(channel, iter([PIECE] * number)) == str(number * len(PIECE)).encode()
        assert 2 in {each.attempts for each in here.seen.exchanges}


@pytest.mark.parametrize("heard", [0, 1, 9])
def test_a_call_is_tried_again_with_all_that_came_of_it(heard: int) -> None:
    """However much the first host has taken before it refused, and whether more comes afterwards. A copy is sent once."""
    bad, good = Counting(away=True, heard=heard), Counting()
    rule = "- { cluster: both, mirror: [{ cluster: copies }], retry: { attempts: 2, any_access: true } }"

    def messages() -> Iterator[bytes]:
        for number in range(3):
            yield PIECE
            if number == heard:
                bad.refused.wait(20)

    with (
        serving(bad) as away,
        serving(good) as port,
        running(TEXT.format(away, port) + rule) as here,
        grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel,
    ):
        assert [call(channel, messages()) for _ in range(6)] == [b"60000"] * 6
        wait_until(lambda: len(good.sizes) == 12)
        assert set(good.sizes) == {60_000} and bad.calls > 2


def test_what_is_too_much_to_keep_is_sent_once() -> None:
    bad, good = Counting(away=True, heard=1_000), Counting()
    rule = "- { cluster: both, retry: { attempts: 2, any_access: true } }"
    with (
        serving(bad) as away,
        serving(good) as port,
        running(TEXT.format(away, port) + rule) as here,
        grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel,
    ):
        outcomes = []
        for _ in range(4):
            try:
                outcomes.append(call(channel, iter([PIECE] * 100)))
            except grpc.RpcError as error:
                outcomes.append(error.code().name)
        assert sorted(map(str, outcomes)) == ["UNAVAILABLE"] * 2 + ["b'2000000'"] * 2
        assert call(channel, iter([PIECE])) == b"20000", "room for others is there again"
