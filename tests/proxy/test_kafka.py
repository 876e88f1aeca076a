"""A real Kafka client through the engine, before librdkafka's mock brokers, whose ids and addresses it never sees."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from l7codecs.testing import free_port

from .running import Running, running


@pytest.fixture(scope="module")
def brokers() -> Iterator[dict[int, tuple[str, int]]]:
    """Three brokers, by id."""
    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 3})
    found = owner.list_topics(timeout=10).brokers
    yield {number: (each.host, each.port) for number, each in found.items()}
    owner.flush(5)


@pytest.fixture
def between(brokers: dict[int, tuple[str, int]]) -> Iterator[tuple[Running, dict[int, int]]]:
    ports = {number: free_port() for number in brokers}
    nodes = ", ".join(f'{{ id: {n}, as: {n + 100}, address: "127.0.0.1:{port}" }}' for n, port in ports.items())
    listeners = "\n".join(
        f'  b{n}: {{ address: "127.0.0.1:{port}", protocol: kafka, cluster: c{n}, nodes: [{nodes}] }}'
        for n, port in ports.items()
    )
    clusters = "\n".join(f'  c{n}: {{ hosts: ["{host}:{port}"] }}' for n, (host, port) in brokers.items())
    rules = """
rules:
- match: { operation: DeleteTopics }
  reply: { status: PERMISSION_DENIED, text: not through this proxy }
"""
    with running(f"listeners:\n{listeners}\nclusters:\n{clusters}\n{rules}") as here:
        yield here, ports


def test_clients_see_the_proxy_as_all_brokers(between: tuple[Running, dict[int, int]]) -> None:
    here, ports = between
    bootstrap = f"127.0.0.1:{ports[1]}"
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
    seen = producer.list_topics("orders", timeout=10).brokers
    assert {(n, each.host, each.port) for n, each in seen.items()} == {
        (number + 100, "127.0.0.1", port) for number, port in ports.items()
    }
    told: list[Any] = []
    for number in range(1000):
        producer.produce("orders", value=b"%d" % number, key=b"%d" % number, on_delivery=lambda e, _: told.append(e))
        producer.poll(0)
    assert producer.flush(20) == 0 and told == [None] * 1000
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    try:
        consumer.assign([TopicPartition("orders", number, 0) for number in range(4)])
        values: list[bytes] = []
        end = time.monotonic() + 20
        while len(values) < 1000 and time.monotonic() < end:
            values += [message.value() for message in consumer.consume(500, 1) if message.error() is None]
        assert sorted(values) == sorted(b"%d" % number for number in range(1000))
    finally:
        consumer.close()
    leaders = {each.leader for each in producer.list_topics("orders", timeout=10).topics["orders"].partitions.values()}
    assert {cluster for operation, cluster, _ in here.seen.told() if operation == "Produce"} == {
        f"c{leader - 100}" for leader in leaders
    }
    kinds = {(operation, outcome) for operation, _, outcome in here.seen.told() if outcome != "CLIENT_GONE"}
    assert {("Produce", "OK"), ("Metadata", "OK"), ("Fetch", "OK")} <= kinds
    assert here.seen.refusals == []


def test_rules_change_messages_whose_nodes_are_changed() -> None:
    seen = b""

    def serve() -> None:
        nonlocal seen
        raw, _ = listener.accept()
        with raw:
            seen = raw.recv(1000)
            raw.sendall(struct.pack(">iihih1si", 17, 7, 0, 1, 1, b"h", 9092))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        text = f"""
listeners:
  main: {{ address: "127.0.0.1:0", protocol: kafka, nodes: [{{ id: 1, as: 101, address: "127.0.0.1:5" }}] }}
clusters: {{ a: {{ hosts: ["127.0.0.1:{listener.getsockname()[1]}"] }} }}
rules:
- cluster: a
  request: {{ set: {{ messaging.client.id: ours }} }}
"""
        with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(struct.pack(">ihhih4sh1s", 17, 10, 0, 7, 4, b"mine", 1, b"g"))
            raw.settimeout(10)
            answer = raw.recv(100)
    assert b"\0\4ours\0\1g" in seen and b"mine" not in seen
    assert answer[8:] == struct.pack(">hih9si", 0, 101, 9, b"127.0.0.1", 5)


def test_a_broker_that_cannot_be_reached_is_an_error_that_clients_try_again(
    brokers: dict[int, tuple[str, int]],
) -> None:
    port = free_port()
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:{port}", protocol: kafka, cluster: c }} }}
clusters: {{ c: {{ hosts: ["127.0.0.1:{free_port()}"] }} }}
"""
    with running(text) as here:
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0, "log.queue": True})
        producer.produce("orders", b"x")
        producer.poll(0)
        end = time.monotonic() + 10
        while not here.seen.exchanges and time.monotonic() < end:
            time.sleep(0.01)
        assert here.seen.told()[0][2] == "CONNECT"
        producer.purge()
        producer.poll(0.1)
