"""What is counted, how much that may become, and that a reader of Prometheus reads it."""

from __future__ import annotations

import random

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

import l7codecs
from l7codecs import Message, Sender, Status
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.telemetry.exposition import lines
from l7codecs.proxy.telemetry.metrics import LABELS, Metrics
from l7codecs.proxy.telemetry.series import BUCKETS, Counters, Table, quantile


def request(text: bytes = b"GET k\r\n") -> Message:
    (found,) = l7codecs.open_session("redis").receive(Sender.CLIENT, text)
    assert isinstance(found, Message)
    return found


def exchange(
    text: bytes = b"GET k\r\n",
    seconds: float = 0.002,
    status: Status | None = Status.OK,
    failure: Failure | None = None,
    cluster: str | None = "cache",
    attempts: int = 1,
) -> Exchange:
    found = Exchange("front", request(text), 100.0)
    found.ended = 100.0 + seconds
    found.status = status
    found.failure = failure
    found.cluster = cluster
    found.answer_octets = 5
    found.attempts = attempts
    return found


def samples(metrics: Metrics, openmetrics: bool = False) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By name and labels, as the parser of prometheus-client understands them."""
    text = "".join(lines(metrics, {"front": 3}, openmetrics))
    families = list((read_openmetrics if openmetrics else read_plain)(text))
    found = {}
    for family in families:
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def of(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return sum(
        value for (known, pairs), value in found.items() if known == name and labels.items() <= dict(pairs).items()
    )


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_scrape_says_what_there_was(openmetrics: bool) -> None:
    metrics = Metrics()
    metrics.connected("front", ("127.0.0.1", 5))
    metrics.connected("front", None)
    metrics.disconnected("front", None)
    metrics.refused("front", "bad", None)
    metrics.host_connected("cache", "127.0.0.1:6379")
    metrics.kept("access_log", 4)
    metrics.dropped("access_log", 2)
    for seconds in (0.0002, 0.002, 0.002, 0.3, 77.0):
        metrics.ended(exchange(seconds=seconds))
    metrics.ended(exchange(b"SET k v\r\n", status=Status.UNAVAILABLE, failure=Failure.CONNECT, attempts=3))
    metrics.ended(exchange(b"SET k v\r\n", status=Status.INTERNAL))
    found = samples(metrics, openmetrics)
    assert of(found, "l7codecs_requests_total", operation="GET", status="OK", listener="front", protocol="redis") == 5
    assert of(found, "l7codecs_requests_total", operation="SET", status="UNAVAILABLE", cluster="cache") == 1
    assert of(found, "l7codecs_errors_total", operation="GET") == 0
    assert of(found, "l7codecs_errors_total", operation="SET") == 2
    assert of(found, "l7codecs_errors_total", operation="SET", failure="connect") == 1
    assert of(found, "l7codecs_request_bytes_total", operation="GET") == 5 * len(b"GET k\r\n")
    assert of(found, "l7codecs_response_bytes_total", operation="GET") == 25
    assert of(found, "l7codecs_retries_total", operation="SET") == 2
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "l7codecs_request_duration_seconds_bucket" and dict(labels)["operation"] == "GET"
    }
    expected = {bound: sum(each <= bound for each in (0.0002, 0.002, 0.002, 0.3, 77.0)) for bound in BUCKETS}
    assert {float(le): value for le, value in buckets.items()} == expected | {float("inf"): 5}
    assert of(found, "l7codecs_request_duration_seconds_count", operation="GET") == 5
    assert of(found, "l7codecs_request_duration_seconds_sum", operation="GET") == pytest.approx(77.3042)
    assert of(found, "l7codecs_requests_in_flight") == 3
    assert of(found, "l7codecs_connections") == 1
    assert of(found, "l7codecs_connections_opened_total") == 2
    assert of(found, "l7codecs_connections_refused_total") == 1
    assert of(found, "l7codecs_host_connections", cluster="cache", host="127.0.0.1:6379") == 1
    assert of(found, "l7codecs_records_dropped_total", output="access_log") == 2


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "é", "a\udcffb", "{}", "a,b=c"])
def test_what_peers_say_stays_in_its_label(openmetrics: bool, name: str) -> None:
    metrics = Metrics()
    metrics.exchanges.find(("front", "redis", name, None, None, Status.OK, None)).add(0.1, 1, 1, 1)
    found = samples(metrics, openmetrics)
    shown = name.replace("\udcff", "\\udcff")
    assert of(found, "l7codecs_requests_total", service=shown) == 1


def test_peers_cannot_make_it_grow() -> None:
    """A hundred thousand names, some of them long: what is kept and what is told stays below what the limits say, and nothing is lost."""
    metrics = Metrics(values=50, series=300)
    draws = random.Random(5)
    for number in range(100_000):
        service = f"s{draws.randrange(100_000)}" if number % 2 else f"s{draws.randrange(20)}"
        operation = "x" * 500 + str(number) if number % 7 == 0 else f"m{draws.randrange(40)}"
        metrics.exchanges.find(("front", "thrift", service, operation, "c", Status.OK, None)).add(0.01, 10, 20, 1)
    assert len(metrics.exchanges) <= 301
    found = samples(metrics)
    assert of(found, "l7codecs_requests_total") == 100_000
    assert of(found, "l7codecs_request_bytes_total") == 1_000_000
    assert len({dict(labels).get("service") for _, labels in found}) <= 52
    assert max(len(value) for _, labels in found for value in dict(labels).values()) <= 120
    assert of(found, "l7codecs_labels_overflowed_total", label="service") > 10_000
    assert of(found, "l7codecs_labels_overflowed_total", label="operation") > 10_000
    assert of(found, "l7codecs_requests_total", service="other", operation="other") > 10_000


def test_the_last_series_takes_everything() -> None:
    table = Table(("cluster", "operation"), ("operation",), series=3, values=1000)
    for number in range(50):
        table.find((f"c{number}", f"o{number}")).add(0.1, 1, 1, 1)
    assert len(table) <= 7
    counts = {labels: series.requests for labels, series in table.items()}
    assert sum(counts.values()) == 50
    assert counts["c3", "other"] == 1
    assert counts["other", "other"] == 50 - 6
    assert table.overflowed == [44, 47]


def test_a_limit_that_is_reached_leaves_what_was_known() -> None:
    table = Table(("operation",), ("operation",), values=2)
    first = table.find(("a",))
    table.find(("b",))
    assert table.find(("c",)) is table.find(("d",))
    assert table.find(("a",)) is first
    assert table.overflowed == [2]


def test_what_workers_drain_sums_up_and_never_goes_down() -> None:
    """Exchanges shared out among workers, one of which is gone: the sums are those of one worker that saw all."""
    draws = random.Random(7)
    alone, all_of_them = Metrics(), Metrics()
    workers = [Metrics() for _ in range(3)]
    before = 0.0
    for turn in range(300):
        one = exchange(
            draws.choice((b"GET k\r\n", b"SET k v\r\n", b"DEL k\r\n")),
            draws.random(),
            draws.choice((Status.OK, Status.INTERNAL)),
        )
        alone.ended(one)
        draws.choice(workers).ended(one)
        if turn % 20 == 0:
            for worker in workers:
                all_of_them.fill(worker.drain())
            now = of(samples(all_of_them), "l7codecs_requests_total")
            assert now == turn + 1 > before
            before = now
    for worker in workers:
        all_of_them.fill(worker.drain())
    mine, theirs = samples(alone), samples(all_of_them)
    assert mine.keys() == theirs.keys()
    assert {key: pytest.approx(value) for key, value in mine.items()} == theirs


def test_plain_counters_are_bounded() -> None:
    counters = Counters(("host",), ("opened",), limit=3)
    for number in range(10):
        counters.add((f"h{number}",), 0)
    assert dict(counters.items()) == {("h0",): [1], ("h1",): [1], ("h2",): [1], ("other",): [7]}


def test_a_quantile_lies_in_its_bucket() -> None:
    bounds = (1.0, 2.0, 4.0)
    assert quantile(0.5, bounds, [10, 0, 0, 0]) == pytest.approx(0.5)
    assert quantile(0.5, bounds, [0, 0, 10, 0]) == pytest.approx(3.0)
    assert quantile(0.99, bounds, [1, 1, 1, 97]) == 4.0
    assert quantile(0.5, bounds, [0, 0, 0, 0]) == 0.0


def test_bounds_ascend_and_labels_exist() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Table(("a",), (), (2.0, 1.0))
    with pytest.raises(ValueError, match="not all"):
        Table(("a",), ("b",))


def test_each_exchange_counts_where_its_labels_say() -> None:
    """Whatever the one before was; beside a table that is asked for each by all of its labels."""
    chance = random.Random(3)
    metrics, plain = Metrics(values=12), Table(LABELS, ("service", "operation"), values=12)
    for number in range(3000):
        text = chance.choice([b"GET k\r\n", b"SET k v\r\n", b"cmd%d k\r\n" % chance.randrange(30)])
        status = chance.choice([Status.OK, Status.OK, Status.INTERNAL, None])
        failure = chance.choice([None, None, Failure.CONNECT])
        given = exchange(
            text, chance.choice([0.0, 0.00025, 0.0003, 0.002, 0.002, 99.0]), status, failure, f"c{number % 3}"
        )
        if number % 7 == 0:
            given = Exchange(chance.choice(["back", "front"]), given.request, 100.0)
            given.ended = 100.5
        metrics.ended(given)
        labels = (
            given.listener, "redis", None, given.request.operation, given.cluster, given.status,
            None if given.failure is None else given.failure.value,
        )  # fmt: skip
        plain.find(labels).add(given.ended - given.started, given.request_octets, given.answer_octets, given.attempts)
        if number % 500 == 0:
            assert metrics.exchanges.drain() == plain.drain()
            assert metrics.exchanges.drain_overflowed() == plain.drain_overflowed()
    assert [(labels, each.buckets) for labels, each in metrics.exchanges.items()] == [
        (labels, each.buckets) for labels, each in plain.items()
    ]


def test_buckets_are_those_of_each_exchange() -> None:
    chance = random.Random(4)
    table = Table(("operation",), ())
    seconds = [chance.choice([*BUCKETS, 0.0, 100.0, chance.random(), 0.002, 0.002, 0.002]) for _ in range(2000)]
    for number, each in enumerate(seconds):
        table.find(("GET",)).add(each, 1, 1, 1)
        if number % 97 == 0:
            assert sum(table.find(("GET",)).buckets) == number + 1
    cumulative = [sum(table.find(("GET",)).buckets[: at + 1]) for at in range(len(BUCKETS) + 1)]
    assert cumulative == [sum(each <= bound for each in seconds) for bound in BUCKETS] + [len(seconds)]
