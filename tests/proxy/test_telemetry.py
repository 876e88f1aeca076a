"""The command with all that it tells of itself: real clients, a real server, real collectors, one worker and several."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from l7codecs.config import ConfigError
from l7codecs.proxy.loading import parse_settings
from l7codecs.testing import free_port

from .running import wait_until

CONFIG = """
listeners:
  front: {{ address: "127.0.0.1:{port}", protocol: redis }}
clusters:
  cache: {{ hosts: ["{host}"] }}
rules:
  - {{ name: refused, match: {{ operation: FLUSHALL }}, reply: {{ status: PERMISSION_DENIED, text: no }} }}
  - {{ name: rest, cluster: cache }}
workers: {workers}
admin: {{ address: "127.0.0.1:{admin}" }}
"""


class Collector:
    """A receiver of OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                else:
                    for found in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                        collector.metrics += [metric for scope in found.scope_metrics for metric in scope.metrics]
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


@contextlib.contextmanager
def proxy(path: Path, text: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    path.write_text(text)
    process = subprocess.Popen([sys.executable, "-m", "l7codecs", "proxy", "-c", str(path)], stdout=subprocess.PIPE)
    try:
        wait_until(lambda: connects(port))
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 0


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def scraped(admin: int) -> dict[tuple[str, str], float]:
    """Sums by name of a sample and operation."""
    text = httpx.get(f"http://127.0.0.1:{admin}/metrics").text
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, sample.labels.get("operation", "")
            found[key] = found.get(key, 0) + sample.value
    return found


def test_one_engine_tells_everything(servers: Any, tmp_path: Path, collector: Collector) -> None:
    port, admin = free_port(), free_port()
    text = (
        CONFIG.format(port=port, admin=admin, host=servers.hosts[0], workers=1)
        + f"""
metrics: {{ push: {{ endpoint: "{collector.endpoint}", every: 60s, headers: {{ x-token: sesame }} }} }}
tracing: {{ endpoint: "{collector.endpoint}", ratio: 1.0, service: shop }}
access_log: {{ file: log }}
"""
    )
    with proxy(tmp_path / "proxy.yaml", text, port) as process:
        with redis.Redis(port=port, protocol=2, retry=None) as client:
            for number in range(20):
                client.set(f"k{number}", "v")
            with pytest.raises(redis.ResponseError):
                client.flushall()
            state = httpx.get(f"http://127.0.0.1:{admin}/stats").json()["state"]
            assert state["listeners"]["front"]["connections"] == 1
            clusters = httpx.get(f"http://127.0.0.1:{admin}/clusters").json()
            host = clusters["cache"][servers.hosts[0]]
            assert host.pop("connections") >= 1
            assert host == {"own": 0, "ejected": 0, "available": 1}
        assert httpx.get(f"http://127.0.0.1:{admin}/ready").status_code == 200
        document = httpx.get(f"http://127.0.0.1:{admin}/config").json()
        assert document["rules"][1] == {"name": "rest", "cluster": "cache"}
        assert "sesame" not in json.dumps(document)
        found = scraped(admin)
        assert found["l7codecs_requests_total", "SET"] == 20
        assert found["l7codecs_errors_total", "FLUSHALL"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    records = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    told = [(each["operation"], each["rule"], each["status"]) for each in records]
    assert told.count(("SET", "rest", "OK")) == 20
    assert told.count(("FLUSHALL", "refused", "PERMISSION_DENIED")) == 1
    assert [span.name for span in collector.spans].count("SET") == 20
    sums = {metric.name: metric for metric in collector.metrics}
    points = sums["l7codecs.request.duration"].histogram.data_points
    assert sum(point.count for point in points) == len(records)
    assert "sesame" in [headers.get("x-token") for headers in collector.headers]


def test_workers_count_as_one(servers: Any, tmp_path: Path) -> None:
    """The sums are of all, and one that is killed takes nothing with it that was told."""
    port, admin = free_port(), free_port()
    text = CONFIG.format(port=port, admin=admin, host=servers.hosts[0], workers=2) + "access_log: { file: log }\n"
    with proxy(tmp_path / "proxy.yaml", text, port) as process:
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{admin}/stats").json()["state"].get("engines") == 2)
        for _ in range(12):  # connections that the system shares out
            with redis.Redis(port=port, protocol=2, retry=None) as client:
                for _ in range(5):
                    client.set("k", "v")
        before = scraped(admin)
        assert before["l7codecs_requests_total", "SET"] == 60
        workers = [each for each in psutil.Process(process.pid).children() if "--worker" in each.cmdline()]
        assert len(workers) == 2
        workers[0].kill()
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{admin}/stats").json()["state"].get("engines") == 1)
        after = scraped(admin)
        assert all(after[key] >= value for key, value in before.items() if key[0].endswith("_total"))
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{admin}/stats").json()["state"].get("engines") == 2)
        with redis.Redis(port=port, protocol=2, retry=None) as client:
            client.set("k", "v")
        assert scraped(admin)["l7codecs_requests_total", "SET"] == 61
    assert (tmp_path / "log").read_bytes().count(b'"operation":"SET"') >= 1


def test_it_is_ready_when_a_worker_listens(servers: Any, tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    (tmp_path / "proxy.yaml").write_text(CONFIG.format(port=port, admin=admin, host=servers.hosts[0], workers=2))
    process = subprocess.Popen([sys.executable, "-m", "l7codecs", "proxy", "-c", str(tmp_path / "proxy.yaml")])
    try:
        wait_until(lambda: connects(admin))
        assert httpx.get(f"http://127.0.0.1:{admin}/healthz").status_code == 200
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{admin}/ready").status_code == 200)
        assert connects(port)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_worker_that_replaces_another_goes_by_what_all_go_by(servers: Any, tmp_path: Path) -> None:
    """Whatever the file has become since: what is wrong with it ends no worker. The parent tells of a change, and shows it."""
    port, admin, path = free_port(), free_port(), tmp_path / "proxy.yaml"
    text = CONFIG.format(port=port, admin=admin, host=servers.hosts[0], workers=2) + "watch: true\n"

    def engines() -> int:
        found: int = httpx.get(f"http://127.0.0.1:{admin}/stats").json()["state"].get("engines", 0)
        return found

    with proxy(path, text, port) as process:
        wait_until(lambda: engines() == 2)
        path.write_text(text.replace("name: rest", "name: others"))
        config = f"http://127.0.0.1:{admin}/config"
        wait_until(lambda: httpx.get(config).json()["rules"][1]["name"] == "others")
        path.write_text(text.replace("rules:", "rulez:"))
        workers = [each for each in psutil.Process(process.pid).children() if "--worker" in each.cmdline()]
        assert len(workers) == 2
        for worker in workers:
            worker.kill()
        wait_until(lambda: engines() == 0)
        wait_until(lambda: engines() == 2)
        with redis.Redis(port=port, protocol=2, retry=None) as client:
            client.set("k", "v")
        assert httpx.get(config).json()["rules"][1]["name"] == "others"


def test_the_log_is_opened_again_on_sighup(servers: Any, tmp_path: Path) -> None:
    port = free_port()
    text = CONFIG.format(port=port, admin=free_port(), host=servers.hosts[0], workers=1) + "access_log: { file: log }\n"
    with (
        proxy(tmp_path / "proxy.yaml", text, port) as process,
        redis.Redis(port=port, protocol=2, retry=None) as client,
    ):
        client.set("k", "v")
        wait_until(lambda: b'"SET"' in (tmp_path / "log").read_bytes())
        (tmp_path / "log").rename(tmp_path / "log.1")
        process.send_signal(signal.SIGHUP)
        wait_until((tmp_path / "log").exists)
        client.get("k")
        wait_until(lambda: b'"GET"' in (tmp_path / "log").read_bytes())
    assert b'"GET"' not in (tmp_path / "log.1").read_bytes()


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("admin: { address: nowhere }", "is not HOST:PORT"),
        ("admin: {}", "'address' is missing"),
        ("metrics: { buckets: [2, 1] }", "do not ascend"),
        ("metrics: { serie: 5 }", "did you mean 'series'"),
        ("tracing: { endpoint: 'localhost:4318' }", "is not as it has to be"),
        ("tracing: { endpoint: 'http://h', ratio: 2 }", "2 is not in 0…1"),
        ("access_log: { file: /no/such/folder/log }", "there is no folder"),
        ("access_log: { share: 0 }", "is not above 0"),
    ],
)
def test_what_is_wrong_with_the_sections(section: str, problem: str) -> None:
    text = CONFIG.format(port=1, admin=2, host="127.0.0.1:3", workers=1).replace("admin:", "x:").partition("x:")[0]
    with pytest.raises(ConfigError) as caught:
        parse_settings(text + section)
    (told,) = caught.value.problems
    assert problem in told.text
    assert told.line == text.count("\n") + 1
