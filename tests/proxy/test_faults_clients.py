"""Clients that leave, reset, half-close, send one octet at a time or nonsense, beside others who notice nothing of it."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from .running import TO_ONE, Running, running, wait_until
from .servers import Upstream, reset
from .test_faults_servers import HURRIED, MANY, ask_many, check
from .tongues import TONGUES, Tongue, read_answers

TWO = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: {0}, cluster: {2} }}
clusters:
  {2}: {{ hosts: ["127.0.0.1:{1}"] }}
"""

pytestmark = pytest.mark.parametrize("tongue", TONGUES.values(), ids=TONGUES)


def wait_until_empty(here: Running) -> None:
    """Until nobody is connected and nothing under way."""
    wait_until(lambda: (len(here.engine.clients), here.engine.in_flight) == (0, 0), 5)


@pytest.mark.parametrize("way", ["fin", "rst"])
def test_gone_in_mid_request_and_before_the_answers(tongue: Tongue, way: str) -> None:
    """What its server answers then reaches nobody else, though they share its connection."""

    def late(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        found = [next(asked) for _ in range(MANY)]
        upstream.go_on.wait(5)
        connection.sendall(b"".join(upstream.tongue.answer(each) for each in found))
        for each in asked:
            connection.sendall(upstream.tongue.answer(each))

    with Upstream(tongue, late) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        gone = socket.create_connection(("127.0.0.1", here.port()))
        asked = [tongue.ask(number, f"gone {number}") for number in range(MANY)]
        gone.sendall(b"".join(asked) + tongue.ask(99, "half of it")[:-3])
        while len(upstream.asked) < MANY:
            time.sleep(0.01)
        if way == "rst":
            reset(gone)
        else:
            gone.close()
        threading.Timer(0.1, upstream.go_on.set).start()
        values, _ = check(tongue, ask_many(here.port(), tongue))
        assert values == MANY
        wait_until_empty(here)


def test_half_closes(tongue: Tongue) -> None:
    """Right behind its last request: it gets every answer, then the end."""

    def slow(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        for each in asked:
            upstream.go_on.wait(0.01)
            connection.sendall(upstream.tongue.answer(each))

    with Upstream(tongue, slow) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(b"".join(tongue.ask(number, f"text {number}") for number in range(1, MANY + 1)))
            raw.shutdown(socket.SHUT_WR)
            values, _ = check(tongue, read_answers(raw, tongue, MANY + 1))
            assert values == MANY
        wait_until_empty(here)


def test_one_octet_at_a_time(tongue: Tongue) -> None:
    with (
        Upstream(tongue) as upstream,
        running(TO_ONE.format(tongue.name, upstream.port)) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in tongue.ask(1, "text 1") + tongue.ask(2, "text 2"):
            raw.sendall(bytes([octet]))
        check(tongue, read_answers(raw, tongue, 2), 2)


def test_a_flood_of_nonsense_harms_nobody_else(tongue: Tongue) -> None:
    """Connections of octets at random, of requests that are cut and changed, and of what no side ever says."""
    draw = random.Random(tongue.name)
    with Upstream(tongue) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        with socket.create_connection(("127.0.0.1", here.port())) as honest:
            for turn in range(21):
                octets = bytearray(b"".join(tongue.ask(number, f"bad {number}") for number in range(50)))
                for _ in range(draw.choice((1, 5, 50))):
                    octets[draw.randrange(len(octets))] = draw.randrange(256)
                flood = (bytes(octets), draw.randbytes(20_000), tongue.nonsense * 500)[turn % 3]
                with socket.create_connection(("127.0.0.1", here.port())) as raw, contextlib.suppress(OSError):
                    raw.settimeout(1)
                    raw.sendall(flood)
                    if turn % 2:
                        raw.shutdown(socket.SHUT_WR)
                honest.sendall(tongue.ask(turn, f"good {turn}"))
                (answer,) = read_answers(honest, tongue, 1)
                assert answer.value == f"good {turn}", f"{answer} of another"
        wait_until_empty(here)


def test_many_clients_at_once_each_get_their_own(tongue: Tongue) -> None:
    """Thirty clients with the same ids, some of whom leave in the middle."""
    with Upstream(tongue) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        wrong: list[str] = []

        def client(name: int) -> None:
            draw = random.Random(name)
            for turn in range(5):
                with socket.create_connection(("127.0.0.1", here.port())) as raw:
                    said = [f"{name}.{turn}.{number}" for number in range(10)]
                    raw.sendall(b"".join(tongue.ask(number, text) for number, text in enumerate(said)))
                    if not draw.randrange(4):
                        reset(raw)
                        continue
                    for place, each in enumerate(read_answers(raw, tongue, 10)):
                        number = place if each.number is None else each.number
                        if each.value != said[number]:
                            wrong.append(f"{each} instead of {said[number]}")

        threads = [threading.Thread(target=client, args=(name,)) for name in range(30)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        assert wrong == []
        wait_until_empty(here)


def test_reloaded_under_load(tongue: Tongue) -> None:
    """The cluster and its server are others after each of ten reloads: no request is lost, and each server has some."""
    with Upstream(tongue) as one, Upstream(tongue) as other, running(TWO.format(tongue.name, one.port, "a")) as here:
        stop = threading.Event()
        done = [0] * 4
        wrong: list[str] = []

        def client(name: int) -> None:
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                while not stop.is_set():
                    said = [f"{name}.{done[name]}.{number}" for number in range(8)]
                    raw.sendall(b"".join(tongue.ask(number, text) for number, text in enumerate(said)))
                    answers = read_answers(raw, tongue, 8)
                    for place, each in enumerate(answers):
                        if each.value != said[place if each.number is None else each.number]:
                            wrong.append(f"{each}")
                    if len(answers) != 8:
                        wrong.append("the end")
                        return
                    done[name] += 1

        threads = [threading.Thread(target=client, args=(name,)) for name in range(len(done))]
        for each in threads:
            each.start()
        for turn in range(10):
            time.sleep(0.05)
            here.apply(TWO.format(tongue.name, (other if turn % 2 == 0 else one).port, f"c{turn % 3}"))
        time.sleep(0.05)
        stop.set()
        for each in threads:
            each.join(10)
        assert wrong == [] and min(done) > 3, done
        assert one.asked and other.asked


def test_drained_under_load(tongue: Tongue) -> None:
    """Whatever was asked before the engine ends is answered."""

    def slow(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        for each in asked:
            upstream.go_on.wait(0.02)
            connection.sendall(upstream.tongue.answer(each))

    with (
        Upstream(tongue, slow) as upstream,
        running(TO_ONE.format(tongue.name, upstream.port)) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        raw.sendall(b"".join(tongue.ask(number, f"text {number}") for number in range(1, MANY + 1)))
        while not upstream.asked:
            time.sleep(0.005)
        here.call(here.engine.drain(5))
        values, _ = check(tongue, read_answers(raw, tongue, MANY))
        assert values == MANY and raw.recv(1000) in (b"", tongue.nonsense)


def test_who_reads_nothing_holds_up_nobody(tongue: Tongue) -> None:
    """It asks for ever, and reads no answer; the others share the server's connection with it."""
    with Upstream(tongue) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        with socket.socket() as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", here.port()))
            greedy.settimeout(0.3)
            asked = b"".join(tongue.ask(number, "x" * 30) for number in range(1_000))
            with contextlib.suppress(OSError):
                for _ in range(20):
                    greedy.sendall(asked)
            values, _ = check(tongue, ask_many(here.port(), tongue))
            assert values == MANY
        wait_until_empty(here)


def test_a_client_that_is_too_late_hears_of_it_once(tongue: Tongue) -> None:
    """Deadlines of one client do not touch those of another on the same connection to the server."""

    def by_name(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        for each in asked:
            if b"slow" in each:
                upstream.go_on.wait(0.4)
            connection.sendall(upstream.tongue.answer(each))

    with (
        Upstream(tongue, by_name) as upstream,
        running(HURRIED.format(tongue.name, upstream.port)) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        raw.sendall(tongue.ask(1, "text 1") + tongue.ask(2, "slow") + tongue.ask(3, "text 3"))
        found = read_answers(raw, tongue, 3)
        assert len(found) == 3 and found[0].value == "text 1"
        late = {place if each.number is None else each.number: each for place, each in enumerate(found, 1)}
        assert "no answer in time" in (late[2].error or ""), late
        raw.settimeout(0.5)
        with pytest.raises(TimeoutError):
            raw.recv(1)
