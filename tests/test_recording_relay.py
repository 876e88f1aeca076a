"""The relay of l7codecs.testing, between sockets whose ends are both in these tests: what either sees, and what is recorded."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import random
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from l7codecs import Sender
from l7codecs.testing import Recording, Relay

C, S = Sender.CLIENT, Sender.SERVER
PATIENCE = 20.0
Pair = tuple[socket.socket, socket.socket]


def relay_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("relay")]


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    process = psutil.Process()
    gc.collect()
    files = process.num_fds()
    yield
    assert relay_threads() == []
    assert process.num_fds() <= files  # what tests before this one left may be gone by now


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The server, before it accepts."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(PATIENCE)
        yield opened


@pytest.fixture
def relay(listener: socket.socket) -> Iterator[Relay]:
    with Relay(listener.getsockname()) as opened:
        yield opened


def connect(relay: Relay) -> socket.socket:
    return socket.create_connection((relay.host, relay.port), PATIENCE)


def accept(listener: socket.socket) -> socket.socket:
    accepted, _ = listener.accept()
    accepted.settimeout(PATIENCE)
    return accepted


@pytest.fixture
def pair(relay: Relay, listener: socket.socket) -> Iterator[Pair]:
    """Both ends of a connection through the relay: the client's, the server's."""
    with connect(relay) as client, accept(listener) as server:
        yield client, server


def read(end: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = end.recv(size - len(octets))
        assert more, f"ended after {octets!r}"
        octets += more
    return octets


def read_all(end: socket.socket) -> bytes:
    octets = b""
    while more := end.recv(65536):
        octets += more
    return octets


def reset(end: socket.socket) -> None:
    """Close as a program does that crashes with octets unread."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while octets := self.request.recv(65536):
                self.request.sendall(octets)


@pytest.fixture
def echoing() -> Iterator[Relay]:
    """A relay before a server that sends back whatever comes, to any number of clients."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.socket.listen(100)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        with Relay(("127.0.0.1", server.server_address[1])) as opened:
            yield opened
        server.shutdown()
        serving.join(PATIENCE)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


# ------------------------------------------------------------------------------------------------------ what is recorded


def test_what_passes_is_recorded(relay: Relay, pair: Pair) -> None:
    client, server = pair
    before = time.time_ns()
    client.sendall(b"ask")
    assert read(server, 3) == b"ask"
    server.sendall(b"answer")
    assert read(client, 6) == b"answer"
    recording = relay.number(0)
    assert [(piece.sender, piece.octets) for piece in recording.pieces] == [(C, b"ask"), (S, b"answer")]
    assert recording.client == client.getsockname()
    assert recording.server == server.getsockname()
    times = [recording.opened, before, *(piece.time for piece in recording.pieces), time.time_ns()]
    assert times == sorted(times)
    assert (recording.ended, recording.closed, recording.error) == ((), 0, None)
    assert recording.octets(C) == b"ask" and recording.octets(S) == b"answer"
    vector = recording.to_vector("said")
    assert (vector.name, vector.pieces) == ("said", ((C, b"ask"), (S, b"answer")))


def test_no_answer_stands_before_its_request(echoing: Relay) -> None:
    """At every place in the recording, the echo has sent no more than it was asked."""
    chance = random.Random(5)
    sent = b""
    with connect(echoing) as client:
        for _ in range(1000):
            octets = chance.randbytes(chance.randint(1, 50))
            client.sendall(octets)
            sent += octets
            if chance.random() < 0.3:
                assert client.recv(65536)
        client.shutdown(socket.SHUT_WR)
        read_all(client)
    recording = echoing.number(0)
    recording.wait_closed()
    counts = {C: 0, S: 0}
    for piece in recording.pieces:
        counts[piece.sender] += len(piece.octets)
        assert counts[S] <= counts[C]
    assert recording.octets(C) == recording.octets(S) == sent
    assert len(recording.pieces) > 100


@pytest.mark.parametrize("first", Sender)
def test_a_half_close_is_one(relay: Relay, pair: Pair, first: Sender) -> None:
    """The side that has not ended goes on, and the other still hears it."""
    ending, going_on = pair if first is C else pair[::-1]
    ending.sendall(b"last words")
    ending.shutdown(socket.SHUT_WR)
    assert read_all(going_on) == b"last words"
    recording = relay.number(0)
    for part in (b"much", b" more"):
        going_on.sendall(part)
        assert read(ending, len(part)) == part
        assert recording.ended == (first,)
    going_on.shutdown(socket.SHUT_WR)
    assert read_all(ending) == b""
    recording.wait_closed()
    assert recording.ended == (first, S if first is C else C)
    assert recording.error is None
    assert recording.closed >= recording.pieces[-1].time
    assert recording.octets(first) == b"last words"


@pytest.mark.parametrize("lost", Sender)
def test_a_reset_is_one(relay: Relay, pair: Pair, lost: Sender) -> None:
    """What was said before it arrives; then the other side is reset, also in the midst of waiting."""
    resetting, other = pair if lost is C else pair[::-1]
    resetting.sendall(b"last words")
    assert read(other, 10) == b"last words"
    reset(resetting)
    with pytest.raises(ConnectionResetError):
        other.recv(1)
    recording = relay.number(0)
    recording.wait_closed()
    assert recording.ended == (lost, S if lost is C else C)
    assert isinstance(recording.error, ConnectionResetError)


def test_a_reset_after_a_half_close(relay: Relay, pair: Pair) -> None:
    client, server = pair
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b""
    reset(server)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    recording = relay.number(0)
    recording.wait_closed()
    assert recording.ended == (C, S)
    assert isinstance(recording.error, ConnectionResetError)


def test_a_client_that_goes_away_stops_the_server(relay: Relay, pair: Pair) -> None:
    """It closes in the midst of an answer; a server that only writes learns of it, as it would without a relay."""
    client, server = pair
    server.sendall(b"x" * 100_000)
    read(client, 50_000)
    client.close()
    with pytest.raises(ConnectionError):
        server.sendall(b"x" * 100_000_000)
    recording = relay.number(0)
    recording.wait_closed()
    assert recording.ended == (C, S)
    assert isinstance(recording.error, ConnectionError)


def test_a_server_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with Relay(address) as relay:
        for number in range(2):
            with pytest.raises(ConnectionResetError), connect(relay) as client:
                client.recv(1)
            recording = relay.number(number)
            recording.wait_closed()
            assert isinstance(recording.error, ConnectionRefusedError)
            assert (recording.ended, recording.pieces) == ((S, C), [])
        # It may come later.
        with socket.create_server(address) as late, connect(relay) as client, accept(late) as server:
            client.sendall(b"now")
            assert read(server, 3) == b"now"


# ------------------------------------------------------------------------------------------------------------ Unix socket


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_unix_socket(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(short_path / "s"))
        listener.listen()
        with Relay(short_path / "s") as relay, connect(relay) as client, accept(listener) as server:
            client.sendall(b"ask")
            client.shutdown(socket.SHUT_WR)
            assert read_all(server) == b"ask"
            server.sendall(b"answer")
            server.close()
            assert read_all(client) == b"answer"
            (recording,) = relay.wait_closed()
    assert [(piece.sender, piece.octets) for piece in recording.pieces] == [(C, b"ask"), (S, b"answer")]
    assert recording.ended == (C, S)
    assert recording.server == (relay.host, relay.port)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_unix_socket_that_is_not_there(short_path: Path) -> None:
    with Relay(str(short_path / "s")) as relay, connect(relay) as client:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        (recording,) = relay.wait_closed()
    assert isinstance(recording.error, FileNotFoundError)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_unix_socket_with_a_full_queue(short_path: Path) -> None:
    """More connections than the server lets wait: all are served when it comes to them, and close does not wait for it."""
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(os.fspath(short_path / "s"))
        listener.listen(0)
        relay = stack.enter_context(Relay(short_path / "s"))
        clients = [stack.enter_context(connect(relay)) for _ in range(8)]
        relay.number(7)
        for number, client in enumerate(clients):
            client.sendall(bytes([number]))
        served = [stack.enter_context(accept(listener)) for _ in range(5)]
        assert len({read(each, 1) for each in served}) == 5
        relay.close()
        assert [len(recording.ended) for recording in relay.recordings] == [2] * 8


# ------------------------------------------------------------------------------------------------------ who speaks first


def test_client_first(listener: socket.socket) -> None:
    with Relay(listener.getsockname(), client_first=True) as relay, connect(relay) as silent:
        relay.recording(silent.getsockname()[1])
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.settimeout(PATIENCE)
        # One that says nothing does not hold up the next.
        with connect(relay) as client:
            client.sendall(b"hello")
            with accept(listener) as server:
                server.sendall(b"welcome")
                assert read(client, 7) == b"welcome"
                assert read(server, 5) == b"hello"
        assert [piece.sender for piece in relay.number(1).pieces] == [C, S]
        # To end counts too.
        silent.shutdown(socket.SHUT_WR)
        with accept(listener) as server:
            assert read_all(server) == b""
        relay.wait_closed()
        relay.client_first = False
        with connect(relay), accept(listener):
            pass


def test_client_first_and_a_client_that_is_lost(listener: socket.socket) -> None:
    with Relay(listener.getsockname(), client_first=True) as relay:
        silent = connect(relay)
        relay.number(0)
        reset(silent)
        (recording,) = relay.wait_closed()
        assert recording.ended == (C, S)


def test_the_server_may_speak_first(relay: Relay, pair: Pair) -> None:
    client, server = pair
    server.sendall(b"welcome")
    assert read(client, 7) == b"welcome"
    assert [piece.sender for piece in relay.number(0).pieces] == [S]


# -------------------------------------------------------------------------------------------------------- much, and many


def test_who_does_not_read_holds_up_who_sends(relay: Relay, pair: Pair) -> None:
    client, server = pair
    octets = random.Random(3).randbytes(1 << 20)
    sent, limit = 0, 256
    client.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        for _ in range(limit):
            sent += client.send(octets[sent % len(octets) :])
    recorded = len(relay.number(0).octets(C))
    assert recorded <= sent < limit * len(octets), "the client was never held up"
    # Nothing is lost of what was held.
    client.shutdown(socket.SHUT_WR)
    received = read_all(server)
    assert len(received) == sent
    assert received == (octets * limit)[:sent]
    assert relay.number(0).octets(C) == received


def test_much_both_ways_at_once(relay: Relay, pair: Pair) -> None:
    said = [random.Random(seed).randbytes(12_000_000) for seed in (1, 2)]

    def talk(end: socket.socket, octets: bytes) -> None:
        end.sendall(octets)
        end.shutdown(socket.SHUT_WR)

    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(talk, end, octets) for end, octets in zip(pair, said, strict=True)]
        heard = [pool.submit(read_all, end) for end in pair[::-1]]
        for each in sending:
            each.result(PATIENCE)
        for octets, found in zip(said, heard, strict=True):
            assert hashlib.sha256(found.result(PATIENCE)).digest() == hashlib.sha256(octets).digest()
    (recording,) = relay.wait_closed()
    assert [recording.octets(sender) for sender in Sender] == said


def test_many_connections_at_once(echoing: Relay) -> None:
    """None gets another's octets; each is found by its port; they are in order."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(echoing)) for _ in range(100)]
        said = {client.getsockname()[1]: b"%d" % number * 50 for number, client in enumerate(clients)}
        for client in clients:
            client.sendall(said[client.getsockname()[1]])
        for client in reversed(clients):
            octets = said[client.getsockname()[1]]
            assert read(client, len(octets)) == octets
    found = echoing.wait_closed()
    assert [recording.client[1] for recording in found] == list(said)
    for port, octets in said.items():
        recording = echoing.recording(port)
        assert recording.octets(C) == recording.octets(S) == octets


def test_a_connection_that_has_ended_keeps_nothing_open(echoing: Relay) -> None:
    process = psutil.Process()
    files = process.num_fds()
    for number in range(50):
        with connect(echoing) as client:
            client.sendall(b"hello")
            read(client, 5)
        echoing.number(number).wait_closed()
    # What is kept would be 50 at least. Other tests' servers are in this process as well, and open something now and then.
    until(lambda: process.num_fds() < files + 25 and len(relay_threads()) == 1)


# ---------------------------------------------------------------------------------------------------------------- closing


def test_close_while_transfers_go_on(echoing: Relay) -> None:
    """Everything has ended when it returns, whatever the connections were about."""

    def talk() -> None:
        with connect(echoing) as client, contextlib.suppress(ConnectionError):
            while True:
                client.sendall(b"x" * 10_000)
                if not client.recv(100_000):
                    return

    with ThreadPoolExecutor(8) as pool:
        talks = [pool.submit(talk) for _ in range(8)]
        for number in range(8):
            echoing.number(number).wait_for(b"x")
        echoing.close()
        assert relay_threads() == []
        recordings = echoing.recordings
        assert [set(recording.ended) for recording in recordings] == [{C, S}] * 8
        sizes = [len(recording.pieces) for recording in recordings]
        for each in talks:
            each.result(PATIENCE)
    assert [len(recording.pieces) for recording in recordings] == sizes


def test_close_ends_connections_that_say_nothing(listener: socket.socket) -> None:
    relay = Relay(listener.getsockname())
    with connect(relay) as client, accept(listener) as server:
        relay.close()
        assert client.recv(1) == server.recv(1) == b""
    relay.close()
    with pytest.raises(ConnectionRefusedError):
        connect(relay)


def test_close_while_one_does_not_read(listener: socket.socket) -> None:
    with Relay(listener.getsockname()) as relay, connect(relay) as client, accept(listener):
        client.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                client.send(b"x" * 1_000_000)
        relay.close()


# ---------------------------------------------------------------------------------------------------------------- waiting


def test_wait_for_octets_in_pieces(relay: Relay, pair: Pair) -> None:
    client, server = pair
    recording = relay.number(0)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(recording.wait_for, octets) for octets in (b"mind", b"never mind")]
        for letter in b"never mind":
            assert not any(each.done() for each in waiting)
            server.sendall(bytes([letter]))
            assert read(client, 1) == bytes([letter])
        for each in waiting:
            each.result(PATIENCE / 2)
    assert len(recording.pieces) == 10


def test_what_does_not_come_in_time(listener: socket.socket) -> None:
    with Relay(listener.getsockname(), patience=0.05) as relay:
        for wait in (lambda: relay.number(0), lambda: relay.recording(1), relay.wait_closed):
            with pytest.raises(TimeoutError, match="there is no connection"):
                wait()
        with connect(relay) as client, accept(listener):
            client.sendall(b"ask")
            recording = relay.number(0)
            recording.wait_for(b"ask", C)
            with pytest.raises(TimeoutError, match="the server never sent b'ask'"):
                recording.wait_for(b"ask")
            client.shutdown(socket.SHUT_WR)
            with pytest.raises(TimeoutError, match="the server did not end"):
                relay.wait_closed()


def test_what_cannot_come_any_more_is_not_waited_for(relay: Relay, pair: Pair) -> None:
    client, _ = pair
    client.sendall(b"ask")
    client.shutdown(socket.SHUT_WR)
    recording: Recording = relay.number(0)
    recording.wait_for(b"ask", C)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        recording.wait_for(b"more", C)
    assert time.monotonic() - start < PATIENCE / 2
