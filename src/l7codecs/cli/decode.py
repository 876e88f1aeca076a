"""``l7codecs decode``: captures -> one line for each message."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable

from l7codecs import Protocol, RegistryError, get_protocol, load_protocols
from l7codecs.capture import CaptureError, read_streams
from l7codecs.capture.records import record_of
from l7codecs.capture.sessions import decode_streams
from l7codecs.cli.errors import UsageError
from l7codecs.cli.progress import tracked
from l7codecs.cli.table import heading, row_of, widths
from l7codecs.cli.terminal import say
from l7codecs.json_lines import json_line
from l7codecs.records import Record

__all__ = ["run"]

_FLUSH = 512
"""Lines that are gathered before they are written."""


def run(options: argparse.Namespace) -> int:
    """Decode every file; returns the exit status."""
    chosen = _protocol(options.protocol) if options.protocol is not None else None
    ports = dict(_port(text) for text in options.port)
    protocols, broken = load_protocols()
    for problem in broken:
        say(problem)
    server_ports = {port for protocol in protocols for port in protocol.ports} | set(ports)
    output = _Output(json_line if options.format == "jsonl" else _table_lines())
    status = 2 if broken and chosen is None else 0  # what they would have claimed is not told
    for name in options.files:
        try:
            with read_streams(name, server_ports=server_ports, on_pause=output.flush) as reader:
                streams = reader if options.no_progress else tracked(reader)
                decoded = decode_streams(streams, protocols, protocol=chosen, ports=ports)
                if output.write(map(record_of, decoded)) and options.strict:
                    status = max(status, 1)
        except CaptureError as error:
            sys.stdout.flush()
            say(error)
            status = 2
    return status


def _protocol(name: str) -> Protocol:
    try:
        return get_protocol(name)
    except RegistryError as error:
        raise UsageError(str(error)) from None


def _port(text: str) -> tuple[int, Protocol]:
    port, equals, name = text.partition("=")
    if not equals or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"--port takes PORT=NAME, a port from 1 to 65535 and a protocol, not {text!r}")
    return int(port), _protocol(name)


class _Output:
    """Lines on standard output, gathered while input comes without a pause."""

    def __init__(self, line: Callable[[Record], bytes]) -> None:
        self._line = line
        self._lines: list[bytes] = []

    def write(self, records: Iterable[Record | None]) -> bool:
        """Write a line for each record; True if there was an error among them. What was decoded before a damaged place is written."""
        errors = False
        line, lines = self._line, self._lines
        try:
            for record in records:
                if record is None:
                    continue
                if record["kind"] == "error":
                    errors = True
                lines.append(line(record))
                if len(lines) >= _FLUSH:
                    self._hand_over()
        finally:
            self.flush()
        return errors

    def flush(self) -> None:
        """Let everything so far be seen."""
        self._hand_over()
        sys.stdout.buffer.flush()

    def _hand_over(self) -> None:
        lines = b"".join(self._lines)
        self._lines.clear()
        sys.stdout.buffer.write(lines)


def _table_lines() -> Callable[[Record], bytes]:
    """Print the heading; returns what makes the line of a record."""
    layout = widths(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
    print(heading(layout), flush=True)
    return lambda record: row_of(record, layout).encode("utf-8", "backslashreplace")
