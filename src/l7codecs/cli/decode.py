"""``l7codecs decode``: captures -> one line for each message."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator

import orjson

from l7codecs import Protocol, RegistryError, get_protocol, load_protocols
from l7codecs.capture import CaptureError, StreamReader, read_streams
from l7codecs.capture.events import StreamEvent
from l7codecs.capture.records import Record, record_of, text_of
from l7codecs.capture.sessions import decode_streams
from l7codecs.cli.errors import UsageError
from l7codecs.cli.progress import tracked
from l7codecs.cli.table import HEADING, row_of

__all__ = ["run"]

_FLUSH = 512
"""Lines that are gathered before they are written."""


def run(options: argparse.Namespace) -> int:
    """Decode every file; returns the exit status."""
    chosen = _protocol(options.protocol) if options.protocol is not None else None
    ports = dict(_port(text) for text in options.port)
    protocols, broken = load_protocols()
    for problem in broken:
        print(f"l7codecs: {problem}", file=sys.stderr)
    server_ports = {port for protocol in protocols for port in protocol.ports} | set(ports)
    write = _jsonl if options.format == "jsonl" else _table
    status = 0
    for name in options.files:
        try:
            with read_streams(name, server_ports=server_ports) as reader:
                streams = reader if options.no_progress else tracked(reader)
                records = _records(streams, protocols, chosen, ports)
                if write(records) and options.strict:
                    status = max(status, 1)
        except CaptureError as error:
            sys.stdout.flush()
            print(f"l7codecs: {error}", file=sys.stderr)
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


def _records(
    streams: StreamReader | Iterable[StreamEvent],
    protocols: list[Protocol],
    chosen: Protocol | None,
    ports: dict[int, Protocol],
) -> Iterator[Record]:
    for decoded in decode_streams(streams, protocols, protocol=chosen, ports=ports):
        record = record_of(decoded)
        if record is not None:
            yield record


def _write(records: Iterable[Record], line: Callable[[Record], bytes]) -> bool:
    """Write a line for each record; True if there was an error among them. What was decoded before a damaged place is written."""
    errors = False
    lines: list[bytes] = []
    output = sys.stdout.buffer
    try:
        for record in records:
            errors = errors or record["kind"] == "error"
            lines.append(line(record))
            if len(lines) >= _FLUSH:
                output.write(b"".join(lines))
                lines.clear()
    finally:
        output.write(b"".join(lines))
        output.flush()
    return errors


def _json_line(record: Record) -> bytes:
    return orjson.dumps(record, default=text_of, option=orjson.OPT_APPEND_NEWLINE)


def _table_line(record: Record) -> bytes:
    return row_of(record).encode("utf-8", "backslashreplace")


def _jsonl(records: Iterable[Record]) -> bool:
    return _write(records, _json_line)


def _table(records: Iterable[Record]) -> bool:
    print(HEADING, flush=True)
    return _write(records, _table_line)
