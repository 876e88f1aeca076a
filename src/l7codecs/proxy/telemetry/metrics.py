"""What an engine counts: exchanges by what they were, connections of clients and to hosts.

One worker counts in a `Metrics` of its own. Where there are several, each drains what it counted into that of their parent (`gathering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict, final

from mypy_extensions import i64

from l7codecs.kinds import Address, Status
from l7codecs.message import Message
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.observing import Observer
from l7codecs.proxy.telemetry.series import BUCKETS, Counters, Label, Row, Series, Table

__all__ = ["LABELS", "Metrics", "Report"]

LABELS: Final = ("listener", "protocol", "service", "operation", "cluster", "status", "failure")
"""Of each exchange; ``status`` is the outcome's number, ``failure`` why there was no answer of a server."""

OPENED: Final = 0
CLOSED: Final = 1
FAILED: Final = 2
"""Of clients: they broke the protocol. Of hosts: a connection could not be made, or broke."""

KEPT: Final = 0
DROPPED: Final = 1

_FEW: Final[i64] = 4


class Report(TypedDict):
    """What one worker has counted since its last one."""

    exchanges: list[Row]
    overflowed: list[int]
    clients: list[Row]
    hosts: list[Row]
    records: list[Row]


@final
class _Recent:
    """The series of the latest exchange of a cluster's operation, and what else it was found by."""

    def __init__(
        self,
        labels: tuple[str, str, str | None, str | None, str | None],
        status: Status | None,
        failure: Failure | None,
        series: Series,
    ) -> None:
        self.listener, self.protocol, self.service, self.operation, self.cluster = labels
        self.status = status
        self.failure = failure
        self.series = series

    def is_of(self, exchange: Exchange, request: Message) -> bool:
        """Whether `exchange`, of the same cluster and operation, is of that series."""
        if (
            self.status is not exchange.status
            or self.failure is not exchange.failure
            or self.listener is not exchange.listener
            or self.protocol is not request.protocol
        ):
            return False
        own = self.service
        other = request.service
        return own is other or (own is not None and other is not None and own == other)


@final
class Metrics(Observer):
    """Counts what it observes; see `Table` for how much that may become."""

    def __init__(self, bounds: Sequence[float] = BUCKETS, values: i64 = 200, series: i64 = 2000) -> None:
        self.exchanges: Final = Table(LABELS, ("service", "operation"), bounds, values, series)
        self.clients: Final = Counters(("listener",), ("opened", "closed", "failed"))
        self.hosts: Final = Counters(("cluster", "host"), ("opened", "closed", "failed"))
        self.records: Final = Counters(("output",), ("kept", "dropped"))
        """Lines of logs and spans: those that were taken, and those that nobody took in time."""
        self._recent: Final[dict[str | None, dict[str | None, _Recent]]] = {}
        """By cluster and operation. Only what has a series of its own is here, so it is bounded as they are."""
        self._latest: Final[list[_Recent]] = []
        """The few of them that were looked up last, whose names need no comparison where they are the very same."""
        self._oldest: i64 = 0
        """Which of these has been there for longest."""

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
        cluster = exchange.cluster
        operation = request.operation
        for recent in self._latest:
            if recent.operation is operation and recent.cluster is cluster and recent.is_of(exchange, request):
                series = recent.series
                break
        else:
            series = self._find(exchange, request, operation)
        series.add(
            exchange.ended - exchange.started, exchange.request_octets, exchange.answer_octets, exchange.attempts
        )

    def _find(self, exchange: Exchange, request: Message, operation: str | None) -> Series:
        """The series that counts `exchange`."""
        operations = self._recent.get(exchange.cluster)
        recent = None if operations is None else operations.get(operation)
        if recent is None or not recent.is_of(exchange, request):
            return self._look_up(exchange, request, operation)
        if len(self._latest) < _FEW:
            self._latest.append(recent)
        else:
            self._latest[self._oldest] = recent
            self._oldest = (self._oldest + 1) % _FEW
        return recent.series

    def _look_up(self, exchange: Exchange, request: Message, operation: str | None) -> Series:
        """As `_find`, where the latest of that cluster and operation was otherwise."""
        failure = exchange.failure
        labels: tuple[Label, ...] = (
            exchange.listener,
            request.protocol,
            request.service,
            operation,
            exchange.cluster,
            exchange.status,
            None if failure is None else failure._value_,
        )
        series = self.exchanges.find(labels)
        if self.exchanges.has(labels):
            operations = self._recent.get(exchange.cluster)
            if operations is None:
                operations = self._recent[exchange.cluster] = {}
            named = (exchange.listener, request.protocol, request.service, operation, exchange.cluster)
            operations[operation] = _Recent(named, exchange.status, failure, series)
        return series

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
