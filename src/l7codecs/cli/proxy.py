"""``l7codecs proxy -c FILE``: the reference engine. See docs/howto/run-the-proxy.md."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from l7codecs.cli.errors import UsageError
from l7codecs.cli.terminal import say
from l7codecs.config import ConfigError
from l7codecs.kinds import Address, format_address
from l7codecs.proxy.engine import Engine
from l7codecs.proxy.loading import load_settings, parse_settings
from l7codecs.proxy.settings import Settings
from l7codecs.proxy.telemetry.running import Lead, Telemetry
from l7codecs.proxy.workers import Workers

__all__ = ["run"]

_GARBAGE = 20_000, 50, 100
"""What a request leaves is no garbage of cycles: it is looked for less often than Python would."""
_ENDED = 100
"""Clients that have gone, of which some protocols' sessions leave cycles: HTTP/2's some 25 KB each."""
_LARGE = 4 << 20
"""Octets. glibc goes by the largest block that was freed (mallopt(3), M_MMAP_THRESHOLD): twice as much that is free stays, where else each
read of a quarter of a megabyte gives its pages back and gets others, which costs as much again as reading."""
_LOOK = 1.0
"""Seconds between two looks whether a file has changed."""
_LAST = 6.0
"""Seconds that a worker has, once it is drained, to write and export what it has to tell."""
_SAME = 0.1
"""Seconds in which two signals are one: some that end a group of processes send it to the group and to its first."""


def run(options: argparse.Namespace) -> int:
    """Run the proxy until it is told to end; or, with ``--check``, only look at the file."""
    path = options.check or options.config
    if path is None or (options.check and options.config):
        raise UsageError("expected one file: -c FILE or --check FILE (see l7codecs proxy --help)")
    text = _text(path) if options.worker is None else sys.stdin.buffer.read()
    settings = _settings(text, path)
    if options.check is not None:
        print(
            f"{path}: {len(settings.listeners)} listeners, {len(settings.clusters)} clusters, "
            f"{len(settings.table)} rules"
        )
        return 0
    _allow_files()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, text, options))
    except OSError as error:
        raise UsageError(f"cannot listen: {error}") from None


def _allow_files() -> None:
    """Have as many files open as the system allows this process: each connection is one, and what is usual is some thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system may allow less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """That of uvloop, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return factory


def _text(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _settings(text: bytes, path: str) -> Settings:
    try:
        return parse_settings(text, path)
    except ConfigError as error:
        for problem in error.problems:
            say(problem)
        count = len(error.problems)
        raise UsageError(f"{path}: {count} problem{'s' if count > 1 else ''}") from None


def _telemetry(settings: Settings) -> Telemetry:
    """Who looks at what the engine does, as the settings say."""
    try:
        return Telemetry(settings.telemetry)
    except OSError as error:
        raise UsageError(f"the access log cannot be written: {error}") from None


async def _serve(settings: Settings, text: bytes, options: argparse.Namespace) -> int:
    if settings.workers > 1 and options.worker is None:
        return await _lead(settings, text, options.config)
    loop = asyncio.get_running_loop()
    files = Files(settings.files)
    telemetry = _telemetry(settings)
    engine = Engine(settings, telemetry.observers, worker=options.worker)
    await engine.start()
    parent = None if options.parent is None else socket.socket(fileno=options.parent)
    await telemetry.start(engine, parent)
    _tell(telemetry.address)
    bytes(_LARGE)  # freed at once
    gc.freeze()  # what is there by now stays
    gc.set_threshold(*_GARBAGE)
    if not options.worker:
        for name, address in engine.addresses.items():
            say(f"{name} listens on {_written(address)}")
    told = Told(options.worker is not None)
    ends, again = told.ends, told.again
    tasks = [
        loop.create_task(_care(engine)),
        loop.create_task(_reload(engine, options.config, files, again)),
    ]
    if options.worker is None:
        tasks.append(loop.create_task(_watch(files, lambda: engine.settings.watch, again)))
    if telemetry.orphaned is not None:
        telemetry.orphaned.add_done_callback(lambda _: ends.set())
    elif parent is not None:
        tasks.append(loop.create_task(_end_with(parent, ends)))
    await ends.wait()
    for task in tasks:
        task.cancel()
    if options.worker is None:
        say("ends when what is under way is answered")
    told.hurries.add_done_callback(lambda _: engine.hurry())
    await engine.drain()
    await telemetry.close()
    return 0


def _tell(address: Address | str | None) -> None:
    if address is not None:
        say(f"admin listens on {_written(address)}")


def _written(address: Address | str) -> str:
    """As a configuration has it."""
    return address if isinstance(address, str) else format_address(address)


async def _lead(settings: Settings, text: bytes, path: str) -> int:
    """Run several workers, which have `text`, or what `path` has become when a reload found nothing wrong with it."""

    def command(number: int, descriptor: int) -> list[str]:
        words = [sys.executable, "-m", "l7codecs", "proxy", "-c", path]
        return [*words, "--worker", str(number), "--parent", str(descriptor)]

    lead = Lead(settings.telemetry)
    workers = Workers(settings.workers, command, lambda: text, lead.admit)
    told = Told()
    ends, again = told.ends, told.again
    await lead.start(lambda: not ends.is_set(), lambda: settings.document)
    _tell(lead.address)
    await workers.start()
    files = Files(settings.files)
    watching = asyncio.ensure_future(_watch(files, lambda: settings.watch, again))
    while not ends.is_set():
        waiting = [asyncio.ensure_future(ends.wait()), asyncio.ensure_future(again.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        if again.is_set():
            again.clear()
            workers.send(signal.SIGHUP)
            try:  # the workers tell what is wrong
                read = await asyncio.to_thread(Path(path).read_bytes)
                settings = await asyncio.to_thread(parse_settings, read, path)
            except ConfigError as error:
                files.follow((*settings.files, *error.files))
            except OSError:
                pass
            else:
                text = read
                files.follow(settings.files)
    watching.cancel()
    say("ends when what is under way is answered")
    told.hurries.add_done_callback(lambda _: workers.hurry())
    await workers.end(settings.drain + _LAST)
    await lead.close()
    return 0


class Told:
    """What signals tell: to end in order, by the first SIGTERM or SIGINT, or at once, by the second; to read the file again, by SIGHUP.

    A worker ends at once by SIGINT alone, which its parent sends: SIGTERM comes twice where all processes of a group are ended.
    """

    def __init__(self, worker: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.ends, self.again = asyncio.Event(), asyncio.Event()
        self.hurries: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._first = 0.0
        loop.add_signal_handler(signal.SIGTERM, self.ends.set if worker else self._end)
        loop.add_signal_handler(signal.SIGINT, self._hurry if worker else self._end)
        loop.add_signal_handler(signal.SIGHUP, self.again.set)

    def _end(self) -> None:
        now = self._loop.time()
        if not self.ends.is_set():
            self._first = now
            self.ends.set()
        elif now - self._first > _SAME:
            self._hurry()

    def _hurry(self) -> None:
        self.ends.set()
        if not self.hurries.done():
            self.hurries.set_result(None)


async def _end_with(parent: socket.socket, ends: asyncio.Event) -> None:
    """End when the parent has."""
    reader, _ = await asyncio.open_unix_connection(sock=parent)
    await reader.read()
    ends.set()


async def _reload(engine: Engine, path: str, files: Files, again: asyncio.Event) -> None:
    first = engine.settings
    while True:
        await again.wait()
        again.clear()
        engine.observers.reopen()
        try:
            settings = await asyncio.to_thread(load_settings, path)
            await engine.apply(settings)
        except ConfigError as error:
            files.follow((*engine.settings.files, *error.files))
            for problem in error.problems:
                say(problem)
            say("goes on as before")
        except OSError as error:
            say(f"goes on as before: {error}")
        else:
            files.follow(settings.files)
            say(f"goes on as {path} says now")
            if (first.workers, first.telemetry) != (settings.workers, settings.telemetry):
                say("but for workers, admin, access_log, metrics and tracing, which stay as they were at the start")


class Remains:
    """Frees what clients that have gone leave in cycles, which the collector's own pace would let stand for very long.

    As many have gone then as are there, and `least`: so it costs a client as much as looking at one, and what is left is bounded.
    """

    def __init__(self, least: int = _ENDED) -> None:
        self._least = least
        self._freed = 0

    def look(self, engine: Engine) -> bool:
        """Free it, where it is time; whether it was."""
        if engine.ended - self._freed < max(self._least, engine.connected):
            return False
        self._freed = engine.ended
        gc.collect()
        return True


async def _care(engine: Engine) -> None:
    dropped = 0
    remains = Remains()
    while True:
        await asyncio.sleep(_LOOK)
        remains.look(engine)
        for text in engine.observers.failed[dropped:]:
            say(text)
        dropped = len(engine.observers.failed)


async def _watch(files: Files, watches: Callable[[], bool], again: asyncio.Event) -> None:
    """Of several workers the parent does, and tells them."""
    while True:
        await asyncio.sleep(_LOOK)
        if files.have_changed() and watches():
            again.set()


class Files:
    """The files of a configuration, those included that it names and that are not there yet; what they are like tells of a change."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._stamps: dict[str, tuple[int, ...]] = {}
        self.follow(paths)

    def follow(self, paths: Iterable[str]) -> None:
        """These are the ones from now on. What has changed of those that were before is still told."""
        self._stamps = {path: self._stamps[path] if path in self._stamps else _stamp(path) for path in paths}

    def have_changed(self) -> bool:
        """Whether one has, since this was asked last."""
        before = self._stamps
        self._stamps = {path: _stamp(path) for path in before}
        return self._stamps != before


def _stamp(path: str) -> tuple[int, ...]:
    """Time and size, and which file it is: one that is put in the place of another may have those of that."""
    try:
        seen = os.stat(path)
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_dev, seen.st_ino
