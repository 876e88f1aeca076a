"""Apache Thrift for Python through a proxy of two endpoints that changes each call: client and server read what it writes."""

from __future__ import annotations

import select
import socket
import threading

import pytest

import l7codecs
from l7codecs import Changes, Sender
from l7codecs_thrift import ThriftMessage

from . import apache_python as peer

C, S = Sender.CLIENT, Sender.SERVER
TALKS = [(transport, encoding) for transport in peer.TRANSPORTS for encoding in peer.PROTOCOLS]
TALKS += [("header", "binary"), ("header", "compact")]


def serve(listener: socket.socket, port: int) -> None:
    """Pass the messages of one connection on, with another name of the service and other ids."""
    with listener, listener.accept()[0] as near, socket.create_connection(("127.0.0.1", port)) as far:
        to_client = l7codecs.open_session("thrift", endpoint=S)
        to_server = l7codecs.open_session("thrift", endpoint=C)
        number = 100
        while True:
            for ready in select.select([near, far], [], [], 20)[0]:
                octets = ready.recv(1000)
                if not octets:
                    return
                if ready is near:
                    for event in to_client.receive(C, octets):
                        assert isinstance(event, ThriftMessage)
                        number += 1
                        changes = Changes({"thrift.service": "Renamed", "thrift.seqid": number})
                        far.sendall(to_server.send(event, changes))
                else:
                    near.sendall(b"".join(to_client.send(event) for event in to_server.receive(S, octets)))


@pytest.mark.parametrize(("transport", "encoding"), TALKS)
def test_a_client_sees_the_same_through_a_proxy(transport: str, encoding: str) -> None:
    port, thread = peer.server(transport, encoding)
    direct = peer.talk("127.0.0.1", port, transport, encoding, "Shop")
    thread.join(20)
    port, thread = peer.server(transport, encoding)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    proxy = threading.Thread(target=serve, args=(listener, port))
    proxy.start()
    assert peer.talk("127.0.0.1", listener.getsockname()[1], transport, encoding, "Shop") == direct
    proxy.join(20)
    thread.join(20)
    assert not proxy.is_alive() and not thread.is_alive()
