"""What clients that have gone leave, and when it is looked for."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

import pytest

from l7codecs import Session
from l7codecs.cli.proxy import Remains

from .running import running, wait_until

CONFIG = """
listeners:
  main: { address: "127.0.0.1:0", protocol: http2, cluster: none }
clusters:
  none: { hosts: ["127.0.0.1:1"] }
"""
OPENED = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Cycle:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.itself = self


def cycles() -> int:
    return sum(isinstance(each, Cycle) for each in gc.get_objects())


def test_what_is_left_is_freed_when_enough_have_gone() -> None:
    with running(CONFIG) as here:
        engine = here.engine
        remains = Remains(least=3)

        def connect() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", here.port()))
            client.sendall(OPENED)
            assert client.recv(1)
            return client

        stays = [connect() for _ in range(4)]
        for number in range(1, 5):
            assert not remains.look(engine)
            with connect():
                assert engine.connected == 5
                Cycle(engine.clients[-1].session)
            wait_until(lambda number=number: engine.ended == number)  # type: ignore[misc]  # its type is not inferred
        assert engine.connected == 4 and cycles() == 4
        assert remains.look(engine)  # as many as are there
        assert cycles() == 0 and not remains.look(engine)
        for client in stays:
            client.close()
        wait_until(lambda: engine.ended == 8)
        assert remains.look(engine) and not remains.look(engine)
