"""Servers that die, stall, refuse or talk nonsense while many requests are in flight: each is answered once, and the next ones go on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from l7codecs.testing import free_port

from .running import TO_ONE, Running, running, wait_until
from .servers import Upstream, echo, reset
from .tongues import TONGUES, Answer, Tongue, read_answers

HURRIED = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: {0} }}
clusters:
  a: {{ hosts: ["127.0.0.1:{1}"] }}
rules:
- cluster: a
  deadline: 200ms
"""
MANY = 20

pytestmark = pytest.mark.parametrize("tongue", TONGUES.values(), ids=TONGUES)


def ask_many(port: int, tongue: Tongue, count: int = MANY, first: int = 1) -> list[Answer]:
    """So many requests at once, and their answers."""
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"".join(tongue.ask(first + number, f"text {first + number}") for number in range(count)))
        return read_answers(raw, tongue, count)


def check(tongue: Tongue, answers: list[Answer], count: int = MANY) -> tuple[int, list[str]]:
    """Every request has one answer, and one that is a value has its own; how many are values, and the errors."""
    assert len(answers) == count, answers
    if not tongue.ordered:
        assert {each.number for each in answers} == set(range(1, count + 1)), "each is answered once"
    for place, each in enumerate(answers, 1):
        number = place if tongue.ordered else each.number
        assert each.error is not None or each.value == f"text {number}", f"{each} answers {number}"
    errors = [each.error for each in answers if each.error is not None]
    return count - len(errors), errors


def test_refused(tongue: Tongue) -> None:
    with running(TO_ONE.format(tongue.name, free_port())) as here:
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == 0 and all("no connection for" in error for error in errors)


def test_a_name_that_no_certificate_can_have(tongue: Tongue) -> None:
    """What a loop raises then is no OSError."""
    text = TO_ONE.format(tongue.name, free_port()).replace("] }", '], tls: { name: ".x" } }')
    with running(text) as here:
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == 0 and all("no connection for" in error for error in errors)


def test_killed_in_mid_flight(tongue: Tongue) -> None:
    """It has answered five of twenty, and half of the sixth."""

    def dies(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        found = [next(asked) for _ in range(MANY)]
        answers = [upstream.tongue.answer(each) for each in found]
        connection.sendall(b"".join(answers[:5]) + answers[5][:3])
        upstream.manner = echo
        upstream.go_on.wait(0.25)  # so that what was said is read before the end of it
        reset(connection)

    with Upstream(tongue, dies) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        answers = ask_many(here.port(), tongue)
        if answers[5:6] and answers[5].error is not None:
            values, errors = check(tongue, answers)
            assert values == 5 and all("the connection was lost" in error for error in errors)
        else:
            # of the sixth a part was passed on already, which nothing can take back: its client sees the end
            assert [each.value for each in answers] == [f"text {number}" for number in range(1, 6)]
        values, _ = check(tongue, ask_many(here.port(), tongue))
        assert values == MANY and upstream.accepted == 2


def test_closed_without_a_word(tongue: Tongue) -> None:
    def closes(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        next(asked)

    with Upstream(tongue, closes) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == 0 and all("the connection was lost" in error for error in errors)


def test_accepts_and_never_answers(tongue: Tongue) -> None:
    def swallows(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        for _ in asked:
            pass

    with Upstream(tongue, swallows) as upstream, running(HURRIED.format(tongue.name, upstream.port)) as here:
        began = time.monotonic()
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == 0 and all("no answer in time" in error for error in errors)
        assert 0.15 < time.monotonic() - began < 2
        assert here.engine.in_flight == 0


def test_slow_answers_that_come_too_late_answer_nobody_else(tongue: Tongue) -> None:
    def slow(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        found = [next(asked) for _ in range(MANY)]
        upstream.go_on.wait(5)
        connection.sendall(b"".join(upstream.tongue.answer(each) for each in found))
        for each in asked:
            connection.sendall(upstream.tongue.answer(each))

    with Upstream(tongue, slow) as upstream, running(HURRIED.format(tongue.name, upstream.port)) as here:
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == 0 and all("no answer in time" in error for error in errors)
        threading.Timer(0.02, upstream.go_on.set).start()
        upstream.manner = echo
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(b"".join(tongue.ask(number, f"new {number}") for number in range(1, 11)))
            answers = read_answers(raw, tongue, 10)
        assert sorted(each.value or "" for each in answers) == sorted(f"new {number}" for number in range(1, 11))


@pytest.mark.parametrize("answered", [0, 3])
def test_nonsense(tongue: Tongue, answered: int) -> None:
    def babbles(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        found = [next(asked) for _ in range(MANY)]
        answers = [upstream.tongue.answer(each) for each in found[:answered]]
        connection.sendall(b"".join(answers) + (b"?" * 40 if upstream.tongue.ordered else upstream.tongue.nonsense))
        upstream.go_on.wait(5)

    with Upstream(tongue, babbles) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        values, errors = check(tongue, ask_many(here.port(), tongue))
        assert values == answered and all("the server broke the protocol" in error for error in errors)


def test_one_that_half_closes_still_answers(tongue: Tongue) -> None:
    """Its answers stand before its end."""

    def ends(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        found = [next(asked) for _ in range(MANY)]
        connection.sendall(b"".join(upstream.tongue.answer(each) for each in found))
        connection.shutdown(socket.SHUT_WR)
        upstream.go_on.wait(5)

    with Upstream(tongue, ends) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        for _ in range(3):
            values, _ = check(tongue, ask_many(here.port(), tongue))
            assert values == MANY
            wait_until_unconnected(here)  # what is asked on a connection whose end is on its way is not answered


def wait_until_unconnected(here: Running) -> None:
    """Until no connection to a server takes requests."""
    hosts = [host for pool in here.engine.pools.values() for host in pool.hosts.values()]
    wait_until(lambda: not any(server.serves for host in hosts for server in list(host.servers)), 5)


def test_answers_to_nothing_reach_nobody(tongue: Tongue) -> None:
    """What nobody asked for, before and behind what somebody did."""

    def talks(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
        for each in asked:
            answer = upstream.tongue.answer(each)
            connection.sendall(answer + answer)

    with Upstream(tongue, talks) as upstream, running(TO_ONE.format(tongue.name, upstream.port)) as here:
        for turn in range(3):
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                raw.sendall(tongue.ask(7, f"turn {turn}"))
                answers = read_answers(raw, tongue, 1)
                if tongue.ordered and turn:
                    assert answers[0].error is not None or answers[0].value == f"turn {turn}", answers
                else:
                    assert [each.value for each in answers] == [f"turn {turn}"]
                raw.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    assert raw.recv(1) == b"only if it is the end"
