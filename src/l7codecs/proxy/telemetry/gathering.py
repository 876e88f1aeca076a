"""The workers of a proxy report to their parent: it counts what all of them counted, and asks them how they are.

Between a worker and the parent is a pair of sockets, and on it a line of JSON for each thing said. A worker sends what it has counted
since its last report, as soon as it listens, each second, and whenever it is asked; the parent adds it to a `Metrics` of its own. So what
was reported stays counted whatever becomes of the worker, and no counter goes down. What a worker that is killed had counted since its
last report is lost; one that ends in order reports before it does.

``{"report": …}`` is said by a worker; where it was asked, ``{"ask": 7}``, with that number and its ``state``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from l7codecs.proxy.telemetry.metrics import CLOSED, OPENED, Metrics, Report
from l7codecs.proxy.telemetry.series import Counters, Label, Row

__all__ = ["Gathering", "Source", "State", "in_flight", "one_source", "report_to", "sum_of"]

State: TypeAlias = dict[str, "State | int"]
"""How an engine is, in numbers: ``listeners`` and ``clusters``, each by name. Those of several engines are added up."""

EVERY = 1.0
"""Seconds between reports."""
PATIENCE = 2.0
"""Seconds that the parent waits for a report that it asked for."""
_ROWS = ("exchanges", "clients", "hosts", "records")

LINE = 64 << 20
"""Octets of a report; what a full table makes is far below."""


class Source(ABC):
    """What can be asked how the engine is, however many workers it has."""

    metrics: Metrics
    """What was counted when `fresh` was called last, or later."""

    @abstractmethod
    async def fresh(self) -> State:
        """How all are now."""


def in_flight(state: State) -> dict[str, int]:
    """By listener: how many requests wait for their answer."""
    found = {}
    for name, listener in _mapping(state.get("listeners", 0)).items():
        count = _mapping(listener).get("in_flight", 0)
        found[name] = count if isinstance(count, int) else 0
    return found


def _mapping(value: State | int) -> State:
    return value if isinstance(value, dict) else {}


def sum_of(states: list[State]) -> State:
    """All numbers added up."""
    found: State = {}
    left = [(found, state) for state in states]
    while left:
        sums, state = left.pop()
        for name, value in state.items():
            known = sums.get(name)
            if isinstance(value, int):
                sums[name] = value + (known if isinstance(known, int) else 0)
            else:
                if not isinstance(known, dict):
                    known = sums[name] = {}
                left.append((known, value))
    return found


class _One(Source):
    """The engine of this process, which counts for itself."""

    def __init__(self, metrics: Metrics, state: Callable[[], State]) -> None:
        self.metrics = metrics
        self._state = state

    async def fresh(self) -> State:
        return self._state()


def one_source(metrics: Metrics, state: Callable[[], State]) -> Source:
    """The engine of this process, without workers."""
    return _One(metrics, state)


async def report_to(parent: socket.socket, metrics: Metrics, state: Callable[[], State], every: float = EVERY) -> None:
    """Report, in a worker that listens, at once, and until the parent is gone or the task is cancelled; then a last time."""
    reader, writer = await asyncio.open_unix_connection(sock=parent, limit=LINE)
    _say(writer, metrics, None, None)
    question: int | None = None
    asking = asyncio.ensure_future(reader.readline())
    try:
        while True:
            done, _ = await asyncio.wait((asking,), timeout=every)
            if done:
                line = asking.result()
                if not line:
                    return
                question = int(json.loads(line)["ask"])
                asking = asyncio.ensure_future(reader.readline())
            _say(writer, metrics, None if question is None else state(), question)
            question = None
            await writer.drain()
    except ConnectionError:
        return
    finally:
        asking.cancel()
        _say(writer, metrics, None, None)
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asking
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _say(writer: asyncio.StreamWriter, metrics: Metrics, state: State | None, question: int | None) -> None:
    said: dict[str, object] = {"report": metrics.drain()}
    if question is not None:
        said |= {"state": state, "ask": question}
    writer.write(json.dumps(said, separators=(",", ":")).encode() + b"\n")


class _Worker:
    """What the parent knows of one worker."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.reports = False
        """Whether it has: it listens then."""
        self.state: State = {}
        self.clients: dict[tuple[Label, ...], int] = {}
        self.hosts: dict[tuple[Label, ...], int] = {}
        """What it has open."""
        self.answers: dict[int, asyncio.Future[None]] = {}


class Gathering(Source):
    """The parent's side: a `Source` of all workers."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._workers: set[_Worker] = set()
        self._questions = 0

    @property
    def worker_count(self) -> int:
        """How many listen: those that have reported."""
        return len(self._reporting())

    async def admit(self, worker: socket.socket) -> None:
        """Take the reports of one worker, until it is gone."""
        reader, writer = await asyncio.open_unix_connection(sock=worker, limit=LINE)
        known = _Worker(writer)
        self._workers.add(known)
        try:
            while line := await reader.readline():
                if line.endswith(b"\n"):  # half a report is none
                    self._take(known, json.loads(line))
        except ConnectionError:
            pass
        finally:
            self._workers.discard(known)
            self._close(known.clients, self.metrics.clients)
            self._close(known.hosts, self.metrics.hosts)
            for answer in known.answers.values():
                if not answer.done():
                    answer.set_result(None)
            writer.close()

    def _reporting(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.reports]

    def _take(self, worker: _Worker, said: dict[str, object]) -> None:
        worker.reports = True
        report = _report(cast(dict[str, list[Any]], said["report"]))
        self.metrics.fill(report)
        _follow(worker.clients, report["clients"])
        _follow(worker.hosts, report["hosts"])
        if "ask" in said:
            worker.state = cast(State, said["state"])
            answer = worker.answers.pop(cast(int, said["ask"]), None)
            if answer is not None and not answer.done():
                answer.set_result(None)

    def _close(self, opened: dict[tuple[Label, ...], int], counters: Counters) -> None:
        """The connections of a worker ended with it."""
        for labels, count in opened.items():
            if count:
                counters.add(labels, CLOSED, count)

    async def fresh(self) -> State:
        """Ask all that listen; one that does not answer in time is as it was."""
        self._questions += 1
        waiting = []
        loop = asyncio.get_running_loop()
        for worker in self._reporting():
            waiting.append(loop.create_future())
            worker.answers[self._questions] = waiting[-1]
            worker.writer.write(b'{"ask":%d}\n' % self._questions)
        question = self._questions
        if waiting:
            await asyncio.wait(waiting, timeout=PATIENCE)
        for worker in self._workers:
            worker.answers.pop(question, None)
        return sum_of([worker.state for worker in self._workers])


def _report(said: dict[str, list[Any]]) -> Report:
    """What JSON made lists of is rows again."""
    rows = {name: [(labels, figures) for labels, figures in said[name]] for name in _ROWS}
    return cast(Report, {**rows, "overflowed": said["overflowed"]})


def _follow(opened: dict[tuple[Label, ...], int], rows: list[Row]) -> None:
    for labels, figures in rows:
        key = tuple(labels)
        count = opened.pop(key, 0) + int(figures[OPENED] - figures[CLOSED])
        if count:
            opened[key] = count
