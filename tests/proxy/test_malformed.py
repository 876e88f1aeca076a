"""HTTP/2 whose messages break its rules on one stream only (RFC 9113 §8.1.1): that one ends, for both sides and for who observes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import pytest

from l7codecs import Status
from l7codecs.proxy.exchange import Exchange, Failure

from .running import TO_ONE, Running, running, wait_until

Fields = list[tuple[str, str]]
Step = tuple[str, Fields | bytes]
"""A header block, DATA, or a frame as it is but for its stream; with END_STREAM where its name ends so."""

GRPC = ("content-type", "application/grpc")
ASK: Fields = [(":method", "POST"), (":scheme", "http"), (":authority", "shop"), ("te", "trailers"), GRPC]
HEAD: Fields = [(":status", "200"), GRPC]
OK: Fields = [("grpc-status", "0")]
WRONG = ("X-Upper-Case", "1")
BODY = ("data", b"\0\0\0\0\3abc")
LAST = ("data, end", b"\0\0\0\0\3abc")
NO_CREDIT = ("frame", b"\0\0\4\x08\0%s\0\0\0\0")
"""WINDOW_UPDATE of 0: PROTOCOL_ERROR of its stream (RFC 9113 §6.9)."""
BEFORE_THE_HEAD = ("frame", b"\0\0\1\0\0%sx")
GOOD: list[Step] = [("head", HEAD), BODY, ("head, end", OK)]
ANSWERS: dict[str, list[Step]] = {
    "Good": GOOD,
    "Silent": [],
    "Head": [("head", [*HEAD, WRONG]), BODY, ("head, end", OK)],
    "HeadAlone": [("head, end", [*HEAD, *OK, WRONG])],
    "Interim": [("head", [(":status", "103"), WRONG]), *GOOD],
    "Long": [("head", [*HEAD, ("content-length", "3")]), BODY, ("head, end", OK)],
    "Short": [("head", [*HEAD, ("content-length", "30")]), BODY, ("head, end", OK)],
    "Trailers": [("head", HEAD), BODY, ("head, end", [*OK, WRONG])],
    "Data": [BEFORE_THE_HEAD, *GOOD],
    "Credit": [("head", HEAD), NO_CREDIT],
    "CreditFirst": [NO_CREDIT],
}
REQUESTS: dict[str, list[Step]] = {
    "Long": [("head", [*ASK, ("content-length", "3")]), BODY],
    "Short": [("head", [*ASK, ("content-length", "30")]), LAST],
    "Trailers": [("head", ASK), BODY, ("head, end", [WRONG])],
    "Credit": [("head", ASK), LAST, NO_CREDIT],
}
"""By what is wrong with them, each for a server that says nothing."""


class Side:
    """One end of a connection, which says what it is told, be it wrong."""

    def __init__(self, raw: socket.socket, client: bool) -> None:
        self.raw = raw
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.h2.initiate_connection()

    def say(self, stream: int, steps: list[Step], path: str | None = None) -> None:
        for name, what in steps:
            ends = name.endswith("end")
            octets = b""
            if isinstance(what, list):
                self.h2.send_headers(stream, what if path is None else [(":path", path), *what], end_stream=ends)
                path = None
            elif name == "frame":
                octets = what % stream.to_bytes(4, "big")
            else:
                self.h2.send_data(stream, what, end_stream=ends)
            self.raw.sendall(self.h2.data_to_send() + octets)

    def hear(self) -> Iterator[h2.events.Event]:
        while octets := self.raw.recv(65536):
            yield from self.h2.receive_data(octets)
            self.raw.sendall(self.h2.data_to_send())


def serve(raw: socket.socket) -> None:
    """Answer as the last part of the path says."""
    side = Side(raw, client=False)
    with raw, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
        for event in side.hear():
            if isinstance(event, h2.events.RequestReceived):
                assert event.headers is not None and event.stream_id is not None
                path = str(dict(event.headers)[":path"])
                with contextlib.suppress(h2.exceptions.ProtocolError):  # it is reset in the middle
                    side.say(event.stream_id, ANSWERS[path.rpartition("/")[2]])


@pytest.fixture
def between() -> Iterator[tuple[Running, Side]]:
    """An engine before such a server, and a client that stays."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        with (
            running(TO_ONE.format("http2", listener.getsockname()[1])) as here,
            socket.create_connection(("127.0.0.1", here.port()), timeout=10) as raw,
        ):
            yield here, Side(raw, client=True)
        listener.shutdown(socket.SHUT_RDWR)


def outcome(side: Side, stream: int) -> str:
    """How `stream` ended: with which status of gRPC, or reset."""
    found = "nothing"
    for event in side.hear():
        if getattr(event, "stream_id", None) != stream:
            continue
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            found = dict(event.headers or []).get("grpc-status", found)
        elif isinstance(event, h2.events.StreamReset):
            return "reset"
        elif isinstance(event, h2.events.StreamEnded):
            return found
    return "closed"


def ended(here: Running, count: int) -> Exchange:
    """The last of so many, once that has ended; its client is there still."""
    wait_until(lambda: len(here.seen.exchanges) == count)
    wait_until(lambda: all(each.asks.count == 0 for each in here.engine.clients))
    return here.seen.exchanges[-1]


def test_of_servers(between: tuple[Running, Side]) -> None:
    here, side = between
    for number, name in enumerate(name for name in ANSWERS if name != "Silent"):
        side.say(2 * number + 1, [("head", ASK), LAST], f"/pack.Shop/{name}")
        found = outcome(side, 2 * number + 1)
        exchange = ended(here, number + 1)
        if name == "Good":
            assert (found, exchange.status, exchange.failure) == ("0", Status.OK, None)
            continue
        begun = name in ("Long", "Short", "Trailers", "Credit")
        assert found == ("reset" if begun else str(int(Status.INTERNAL))), name
        assert (exchange.status, exchange.failure) == (Status.INTERNAL, Failure.PROTOCOL), name
        assert exchange.reason == "PROTOCOL_ERROR" and exchange.request.operation == name


def test_of_a_server_that_has_not_heard_all(between: tuple[Running, Side]) -> None:
    """The rest of the request is not wanted, and goes nowhere."""
    here, side = between
    side.say(1, [("head", ASK), BODY], "/pack.Shop/Head")
    assert outcome(side, 1) == str(int(Status.INTERNAL))
    assert ended(here, 1).failure is Failure.PROTOCOL
    (client,) = here.engine.clients
    assert not client.streams
    side.say(3, [("head", ASK), LAST], "/pack.Shop/Good")
    assert outcome(side, 3) == "0"


def test_of_clients(between: tuple[Running, Side]) -> None:
    here, side = between
    for number, (name, steps) in enumerate(REQUESTS.items()):
        side.say(2 * number + 1, steps, "/pack.Shop/Silent")
        assert outcome(side, 2 * number + 1) == "reset", name
        exchange = ended(here, number + 1)
        assert (exchange.status, exchange.failure) == (Status.CANCELLED, Failure.CLIENT_GONE), name
    last = 2 * len(REQUESTS) + 1
    side.say(last, [("head", ASK), LAST], "/pack.Shop/Good")
    assert outcome(side, last) == "0"
