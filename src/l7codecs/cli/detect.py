"""``l7codecs detect``: which protocol each connection of a capture speaks, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import orjson

from l7codecs import Candidate, Limits, Protocol, Sender, load_protocols
from l7codecs.capture import CaptureError, Closed, Connection, Segment, StreamReader, read_streams
from l7codecs.capture.sessions import rank
from l7codecs.capture.tls import begins_tls
from l7codecs.cli.terminal import printable, say, show
from l7codecs.records import json_safe

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print the ranked candidates of every connection; returns the exit status."""
    protocols, broken = load_protocols()
    for problem in broken:
        say(problem)
    server_ports = {port for protocol in protocols for port in protocol.ports}
    status = 2 if broken else 0
    for name in options.files:
        try:
            with read_streams(name, server_ports=server_ports, on_pause=sys.stdout.flush) as reader:
                for connection, candidates, encrypted in _detected(reader, protocols):
                    line = _json if options.json else _text
                    show(line(connection, candidates, encrypted))
        except CaptureError as error:
            sys.stdout.flush()
            say(error)
            status = 2
    return status


def _detected(reader: StreamReader, protocols: list[Protocol]) -> Iterator[tuple[Connection, list[Candidate], bool]]:
    """Every connection with its candidates, and whether it is encrypted, when it ends; only the first octets of each direction are kept.

    Where it was joined midway, who is its client is as the best candidate says.
    """
    cap = Limits().detection
    first: dict[int, dict[Sender, bytes]] = {}
    for event in reader:
        if isinstance(event, Segment):
            seen = first.setdefault(event.connection.id, dict.fromkeys(Sender, b""))
            if len(seen[event.sender]) < cap:
                seen[event.sender] = (seen[event.sender] + event.data)[:cap]
        elif isinstance(event, Closed) and event.connection.id in first:
            seen = first.pop(event.connection.id)
            connection = event.connection
            if any(begins_tls(octets) for octets in seen.values()):
                yield connection, [], True
                continue
            candidates, reverse = rank(connection, seen[Sender.CLIENT], seen[Sender.SERVER], protocols)
            if candidates and any(candidates[0] is candidate for candidate in reverse):
                connection = Connection(connection.id, connection.server, connection.client, midstream=True)
                yield connection, reverse, False
            else:
                yield connection, [each for each in candidates if all(each is not other for other in reverse)], False


def _json(connection: Connection, candidates: list[Candidate], encrypted: bool) -> str:
    ranked = [
        {"protocol": c.protocol, "verdict": c.verdict.value, "score": c.score, "reason": c.reason} for c in candidates
    ]
    record = {"flow": connection.flow, "candidates": ranked, "encrypted": encrypted}
    return json_safe(orjson.dumps(record)).decode()


def _text(connection: Connection, candidates: list[Candidate], encrypted: bool) -> str:
    if encrypted:
        return f"{connection.flow}  tls: its messages cannot be read"
    if not candidates:
        return f"{connection.flow}  unknown: no registered protocol claims it"
    ranked = [f"{c.protocol} {c.verdict.value} {c.score}" + (f": {c.reason}" if c.reason else "") for c in candidates]
    return printable(f"{connection.flow}  " + "; ".join(ranked))
