"""What an engine counts: exchanges by what they were, connections of clients and to hosts.

One worker counts in a `Metrics` of its own. Where there are several, each drains what it counted into that of their parent (`gathering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict, final

from mypy_extensions import i64

from l7codecs.kinds import Address
from l7codecs.proxy.exchange import Exchange
from l7codecs.proxy.observing import Observer
from l7codecs.proxy.telemetry.series import BUCKETS, Counters, Label, Row, Table

__all__ = ["LABELS", "Metrics", "Report"]

LABELS: Final = ("listener", "protocol", "service", "operation", "cluster", "status", "failure")
"""Of each exchange; ``status`` is the outcome's number, ``failure`` why there was no answer of a server."""

OPENED: Final = 0
CLOSED: Final = 1
FAILED: Final = 2
"""Of clients: they broke the protocol. Of hosts: a connection could not be made, or broke."""

KEPT: Final = 0
DROPPED: Final = 1


class Report(TypedDict):
    """What one worker has counted since its last one."""

    exchanges: list[Row]
    overflowed: list[int]
    clients: list[Row]
    hosts: list[Row]
    records: list[Row]


@final
class Metrics(Observer):
    """Counts what it observes; see `Table` for how much that may become."""

    def __init__(self, bounds: Sequence[float] = BUCKETS, values: i64 = 200, series: i64 = 2000) -> None:
        self.exchanges: Final = Table(LABELS, ("service", "operation"), bounds, values, series)
        self.clients: Final = Counters(("listener",), ("opened", "closed", "failed"))
        self.hosts: Final = Counters(("cluster", "host"), ("opened", "closed", "failed"))
        self.records: Final = Counters(("output",), ("kept", "dropped"))
        """Lines of logs and spans: those that were taken, and those that nobody took in time."""

    def connected(self, listener: str, peer: Address | None) -> None:
        self.clients.add((listener,), OPENED)

    def disconnected(self, listener: str, peer: Address | None) -> None:
        self.clients.add((listener,), CLOSED)

    def refused(self, listener: str, text: str, peer: Address | None) -> None:
        self.clients.add((listener,), FAILED)

    def host_connected(self, cluster: str, host: str) -> None:
        self.hosts.add((cluster, host), OPENED)

    def host_disconnected(self, cluster: str, host: str, failed: bool) -> None:
        self.hosts.add((cluster, host), FAILED if failed else CLOSED)

    def ended(self, exchange: Exchange) -> None:
        request = exchange.request
        failure = exchange.failure
        status = exchange.status
        labels: tuple[Label, ...] = (
            exchange.listener,
            request.protocol,
            request.service,
            request.operation,
            exchange.cluster,
            status,
            None if failure is None else failure._value_,
        )
        self.exchanges.find(labels).add(
            exchange.ended - exchange.started, exchange.request_octets, exchange.answer_octets, exchange.attempts
        )

    def kept(self, output: str, count: i64) -> None:
        """That many lines or spans were handed to `output`."""
        self.records.add((output,), KEPT, count)

    def dropped(self, output: str, count: i64) -> None:
        """That many were not: it does not keep up."""
        self.records.add((output,), DROPPED, count)

    def drain(self) -> Report:
        """What was counted since the last time; it is gone from here."""
        return {
            "exchanges": self.exchanges.drain(),
            "overflowed": self.exchanges.drain_overflowed(),
            "clients": self.clients.drain(),
            "hosts": self.hosts.drain(),
            "records": self.records.drain(),
        }

    def fill(self, report: Report) -> None:
        """Add what a worker has counted."""
        self.exchanges.fill(report["exchanges"], report["overflowed"])
        self.clients.fill(report["clients"])
        self.hosts.fill(report["hosts"])
        self.records.fill(report["records"])
