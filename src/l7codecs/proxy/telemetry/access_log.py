"""One line of JSON for each exchange: the record that ``l7codecs decode`` writes of its request, and what came of it.

The line is made when the exchange ends, so no message is kept for it. Lines are gathered, and a thread of its own writes them: a disk that
does not keep up stops nobody, what it leaves unwritten is bounded, and past that lines are dropped and counted.

Several processes may append to one file. Each write is of whole lines; into what is no file, each is small enough not to be mixed with
those of others, unless a single line is longer than that.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from random import random
from typing import Final

from l7codecs.json_lines import json_line
from l7codecs.kinds import Address, format_address
from l7codecs.message import Message
from l7codecs.proxy.exchange import Exchange
from l7codecs.proxy.observing import Observer
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.records import Record, message_record

__all__ = ["AccessLog", "exchange_record"]

GATHERED: Final = 64 << 10
"""Octets of lines that are handed over at once."""
DELAY: Final = 0.2
"""Seconds that a line waits for others."""
TOGETHER: Final = 4096
"""Octets that one write to a pipe keeps together (POSIX, PIPE_BUF)."""
CLOSING: Final = 5.0
"""Seconds that closing waits for the disk."""

Told = Callable[[int], None]


def _ignore(text: str) -> None:
    """Nobody wants to know."""


class AccessLog(Observer):
    """Writes to `path`, or to standard output where that is None. Raises OSError where it cannot be opened.

    `share` of all exchanges is written, by chance; `backlog` octets may wait for the disk. `mask` hides what the log is not to hold.
    `kept` and `dropped` are told how many lines were handed over and how many were not.
    """

    def __init__(
        self,
        path: str | None,
        mask: Mask,
        share: float = 1.0,
        backlog: int = 8 << 20,
        kept: Told | None = None,
        dropped: Told | None = None,
    ) -> None:
        self._mask = mask
        self._share = share
        self._limit = backlog
        self._kept = kept
        self._dropped = dropped
        self._lines: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._handed = 0
        self._writer = _Writer(path)

    def tell_faults(self, tell: Callable[[str], None]) -> None:
        """`tell` is called, by another thread, where lines cannot be written any more, and where they can be again."""
        self._writer.tell = tell

    def ended(self, exchange: Exchange) -> None:
        if self._share < 1.0 and random() >= self._share:
            return
        self._add(json_line(exchange_record(exchange, self._mask)))

    def refused(self, listener: str, text: str, peer: Address | None) -> None:
        found: Record = {
            "time": round(time.time(), 6),
            "flow": f"{_endpoint(peer)}>-",
            "kind": "refused",
            "listener": listener,
            "error": text,
        }
        self._add(json_line(found))

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size >= GATHERED:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines, size, self._size = self._lines, [], self._size, 0
        lost = self._writer.take_unwritable()
        if self._handed - self._writer.settled + size > self._limit:
            lost += len(lines)
        elif lines:
            self._handed += size
            self._writer.queue.put(lines)
            if self._kept is not None:
                self._kept(len(lines))
        if lost and self._dropped is not None:
            self._dropped(lost)

    def reopen(self) -> None:
        """The file was moved: the lines that follow go to a new one of its name."""
        self.flush()
        self._writer.queue.put(True)

    def close(self) -> None:
        """Write what is left, as far as the disk takes it soon."""
        self.flush()
        self._writer.queue.put(None)
        self._writer.thread.join(CLOSING)


class _Writer:
    """The thread. What it is given: lines to write, True to open the file again, None to end."""

    def __init__(self, path: str | None) -> None:
        self.queue: SimpleQueue[list[bytes] | bool | None] = SimpleQueue()
        self.settled = 0
        """Octets that wait no more, written or not; only the thread counts here."""
        self.tell: Callable[[str], None] = _ignore
        self._unwritable = 0
        self._taken = 0
        self._fails = False
        self._path = path
        self._file = self._opened()
        self.thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self.thread.start()

    def take_unwritable(self) -> int:
        """How many lines could not be written since this was asked last."""
        now = self._unwritable
        found, self._taken = now - self._taken, now
        return found

    def _opened(self) -> int:
        if self._path is None:
            return os.dup(sys.stdout.fileno())
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def _run(self) -> None:
        while (given := self.queue.get()) is not None:
            if isinstance(given, bool):
                try:
                    fresh = self._opened()
                except OSError as error:
                    self.tell(f"the access log cannot be opened again, and goes where it went: {error}")
                    continue
                os.close(self._file)
                self._file = fresh
                continue
            together = not stat.S_ISREG(os.fstat(self._file).st_mode)
            for part in _parts(given) if together else [given]:
                octets = b"".join(part)
                try:
                    self._write(octets)
                except OSError as error:
                    self._unwritable += len(part)
                    if not self._fails:
                        self._fails = True
                        self.tell(f"the access log cannot be written, and lines are lost: {error}")
                else:
                    if self._fails:
                        self._fails = False
                        self.tell("the access log is written again")
                self.settled += len(octets)
        os.close(self._file)

    def _write(self, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _parts(lines: list[bytes]) -> list[list[bytes]]:
    """Lines that fit one write to a pipe, together."""
    found: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if found[-1] and size + len(line) > TOGETHER:
            found.append([])
            size = 0
        found[-1].append(line)
        size += len(line)
    return found


def exchange_record(exchange: Exchange, mask: Mask) -> Record:
    """The record of one exchange. ``time`` is when its request began, in seconds since 1970; ``duration`` is in seconds, too."""
    request = exchange.request
    duration = exchange.duration
    began = time.time() - (time.monotonic() - exchange.started)
    found = message_record(request, round(began, 6), flow_of(request))
    mask.hide(request.protocol, found)
    status, rule, failure = exchange.status, exchange.rule, exchange.failure
    found["status"] = None if status is None else status.name
    found["error"] = exchange.error
    found["listener"] = exchange.listener
    found["rule"] = None if rule is None else rule.name
    found["cluster"] = exchange.cluster
    found["host"] = exchange.host
    found["duration"] = round(duration, 6)
    found["request_octets"] = exchange.request_octets
    found["answer_octets"] = exchange.answer_octets
    found["attempts"] = exchange.attempts
    found["failure"] = None if failure is None else failure.value
    found["reason"] = exchange.reason
    return found


def flow_of(message: Message) -> str:
    """``client>server`` as captures have it; a side that has no address is ``-``."""
    flow = message.flow
    return f"{_endpoint(flow.client)}>{_endpoint(flow.server)}"


def _endpoint(address: Address | None) -> str:
    return "-" if address is None else format_address(address)
