"""Several workers count into one table, and one that dies takes nothing with it that was told."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time

from l7codecs import Status
from l7codecs.proxy.telemetry import gathering
from l7codecs.proxy.telemetry.gathering import Gathering, State, in_flight, one_source, report_to, sum_of
from l7codecs.proxy.telemetry.metrics import Metrics

CALL = ("front", "redis", None, "GET", "cache", Status.OK, None)


def state(number: int) -> State:
    return {
        "listeners": {"front": {"connections": 1, "in_flight": number}},
        "clusters": {"cache": {"h:1": {"ejected": 1}}},
    }


def counted(metrics: Metrics) -> int:
    return sum(series.requests for _, series in metrics.exchanges.items())


def opened(metrics: Metrics) -> int:
    return sum(counts[0] - counts[1] for _, counts in metrics.clients.items())


def test_a_scrape_asks_all_workers() -> None:
    async def run() -> None:
        parent = Gathering(Metrics())
        workers = [Metrics() for _ in range(3)]
        tasks = []
        for number, worker in enumerate(workers):
            mine, theirs = socket.socketpair()
            tasks.append(asyncio.ensure_future(parent.admit(mine)))
            tasks.append(
                asyncio.ensure_future(report_to(theirs, worker, lambda number=number: state(number), every=60))
            )
        while parent.worker_count < 3:
            await asyncio.sleep(0)
        for turn in range(1, 4):
            for worker in workers:
                worker.exchanges.find(CALL).add(0.1, 10, 20, 1)
                worker.connected("front", None)
            found = await parent.fresh()
            assert counted(parent.metrics) == opened(parent.metrics) == 3 * turn
        assert in_flight(found) == {"front": 3}
        assert found["listeners"] == {"front": {"connections": 3, "in_flight": 3}}
        assert found["clusters"] == {"cache": {"h:1": {"ejected": 3}}}
        starting, silent = socket.socketpair()
        tasks.append(asyncio.ensure_future(parent.admit(starting)))
        await asyncio.sleep(0)
        before = time.monotonic()
        assert (await parent.fresh())["listeners"] == found["listeners"]
        assert parent.worker_count == 3, "one that has not reported does not listen, and is not waited for"
        assert time.monotonic() - before < gathering.PATIENCE
        silent.close()
        workers[1].exchanges.find(CALL).add(0.1, 10, 20, 1)
        tasks[3].cancel()  # in order: it reports once more
        await asyncio.wait([tasks[3], tasks[2]])
        assert counted(parent.metrics) == 10
        assert opened(parent.metrics) == 6
        assert in_flight(await parent.fresh()) == {"front": 2}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(run())


WORKER = """
import asyncio, socket, sys
from l7codecs.proxy.telemetry.gathering import report_to
from l7codecs.proxy.telemetry.metrics import Metrics

async def run():
    metrics = Metrics()
    reporting = asyncio.ensure_future(report_to(socket.socket(fileno=int(sys.argv[1])), metrics, dict, every=0.05))
    for _ in range(1000):
        metrics.connected("front", None)
        metrics.exchanges.find(("front", "redis", None, "GET", "cache", 0, None)).add(0.1, 10, 20, 1)
    await asyncio.sleep(0.2)
    print("counted", flush=True)
    await asyncio.sleep(60)

asyncio.run(run())
"""


def test_a_worker_that_is_killed_leaves_its_counts() -> None:
    """What it reported stays, and its connections are closed: killed by the system, in a process of its own."""

    async def run() -> None:
        parent = Gathering(Metrics())
        mine, theirs = socket.socketpair()
        admitting = asyncio.ensure_future(parent.admit(mine))
        command = [sys.executable, "-c", WORKER, str(theirs.fileno())]
        worker = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
        theirs.close()
        assert worker.stdout is not None
        with worker, worker.stdout:
            line = await asyncio.to_thread(worker.stdout.readline)
            assert line == b"counted\n"
            await parent.fresh()
            assert counted(parent.metrics) == opened(parent.metrics) == 1000
            worker.send_signal(signal.SIGKILL)
        await asyncio.wait_for(admitting, 10)
        assert counted(parent.metrics) == 1000
        assert opened(parent.metrics) == 0
        assert parent.worker_count == 0
        assert await parent.fresh() == {}

    asyncio.run(run())


def test_one_that_does_not_answer_holds_nobody_up(monkeypatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE", 0.1)

    async def run() -> None:
        parent = Gathering(Metrics())
        mine, theirs = socket.socketpair()
        admitting = asyncio.ensure_future(parent.admit(mine))
        theirs.send(json.dumps({"report": Metrics().drain()}).encode() + b"\n")
        while not parent.worker_count:
            await asyncio.sleep(0)
        began = time.monotonic()
        assert await parent.fresh() == {}
        assert 0.05 < time.monotonic() - began < 5
        theirs.send(b'{"report":{"exchanges":[[["front","redis",null,"G')  # half a report is none
        theirs.close()
        await admitting
        assert counted(parent.metrics) == 0

    asyncio.run(run())


def test_numbers_add_up_by_name() -> None:
    assert sum_of([{"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"d": 4}}, {}]) == {"a": 4, "b": {"c": 2, "d": 4}}
    assert in_flight({}) == {}


def test_a_process_alone_is_its_own_source() -> None:
    metrics = Metrics()
    source = one_source(metrics, lambda: state(2))
    assert source.metrics is metrics
    assert asyncio.run(source.fresh()) == state(2)
