"""A progress bar on standard error while a large file is read, if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from l7codecs.capture import StreamReader
from l7codecs.capture.events import StreamEvent
from l7codecs.cli.terminal import printable

__all__ = ["tracked"]

_LARGE = 4 * 1024 * 1024
_EVERY = 4096
"""Events between two updates."""


def tracked(reader: StreamReader) -> Iterator[StreamEvent]:
    """The reader's events, with a bar where there is a terminal to draw it on and a file large enough to wait for."""
    if sys.stderr is None or not sys.stderr.isatty() or (reader.total_size is not None and reader.total_size < _LARGE):
        yield from reader
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(reader.name), total=reader.total_size)
        for count, event in enumerate(reader):
            if count % _EVERY == 0:
                progress.update(task, completed=reader.octets_read)
            yield event
