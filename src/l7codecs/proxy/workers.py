"""Several processes that run an engine each, on the same ports (``SO_REUSEPORT``), and the parent that looks after them.

A worker that dies is replaced; one that dies at once, again and again, not faster than once a second. Between the parent and each worker
is a pair of sockets: a worker whose parent is gone ends in order. Each is given, as its standard input, the configuration that the parent
has, so that one that replaces another goes by what all others go by, whatever has become of the file since. A Unix socket is that of the
first worker alone.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["Workers"]

_AGAIN = 1.0
"""Seconds between two starts of one worker."""


class Workers:
    """The parent's side."""

    def __init__(
        self,
        count: int,
        command: Callable[[int, int], Sequence[str]],
        configuration: Callable[[], bytes],
        admit: Callable[[socket.socket], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`command` is what runs the worker of a number, which finds its end of the pair at a descriptor, and
        `configuration` as its standard input; `admit` takes the other one.
        """
        self._command = command
        self._configuration = configuration
        self._admit = admit
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._count = count
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.restarts = 0
        """How often a worker had to be replaced."""

    @property
    def pids(self) -> list[int]:
        """Those of the workers that run."""
        return [each.pid for each in self._processes.values()]

    async def start(self) -> None:
        """Start all."""
        for number in range(self._count):
            task = asyncio.create_task(self._keep(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep(self, number: int) -> None:
        """Run the worker of `number`, and another where that dies."""
        while not self._ends():
            ours, theirs = socket.socketpair()
            with tempfile.TemporaryFile() as given:
                given.write(self._configuration())
                given.seek(0)
                process = await asyncio.create_subprocess_exec(
                    *self._command(number, theirs.fileno()),
                    stdin=given,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            theirs.close()
            self._processes[number] = process
            if self._ends():
                self._signal(process, signal.SIGTERM)
            admitted = None if self._admit is None else asyncio.ensure_future(self._admit(ours))
            await process.wait()
            if admitted is not None:
                await asyncio.wait((admitted,), timeout=_AGAIN)  # what it said last
                admitted.cancel()
            ours.close()
            del self._processes[number]
            if not self._ends():
                self.restarts += 1
                await asyncio.sleep(_AGAIN)

    def _ends(self) -> bool:
        return self._ending

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all."""
        for process in self._processes.values():
            self._signal(process, number)

    def _signal(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

    async def end(self, seconds: float) -> None:
        """Tell all to end in order; kill those that have not after so many seconds."""
        self._ending = True
        self.send(signal.SIGTERM)
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            if late:
                self.send(signal.SIGKILL)
                await asyncio.wait(late)

    def hurry(self) -> None:
        """Those that end in order are to end at once. SIGTERM again would not say that: who ends all of a group sends it beside ours."""
        self.send(signal.SIGINT)
