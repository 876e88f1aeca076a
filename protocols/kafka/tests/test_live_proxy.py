"""examples/kafka_proxy.py before two brokers: a tenant's names, other node ids and addresses, and both brokers started again in turns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l7codecs.testing import free_port

from .conftest import needs, tool

pytestmark = pytest.mark.interop

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "kafka_proxy.py"
PREFIX = "tenant-a."
CLIENTS = (
    "java",
    "confluent",
    "aiokafka",
    "kafka_python",
    "franz_go",
    "kafka_go",
    "sarama",
    "kafkajs",
    "platformatic",
)


@dataclass
class Cluster:
    """Two brokers, a proxy, and clients."""

    brokers: list[Any]
    ports: list[int]
    peers: dict[str, Any]

    @property
    def direct(self) -> str:
        return ",".join(each.address for each in self.brokers)

    @property
    def proxied(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def admin(self, to: str, *steps: list[str]) -> list[dict[str, Any]]:
        said = self.peers["java"].ask("admin", to=to, steps=steps)
        found: list[dict[str, Any]] = said["steps"]
        return found

    def create(self, *topics: str) -> None:
        """Create topics of two partitions, each a name and the numbers of partitions and copies; they take records then."""
        created, led = self.admin(self.proxied, ["create", *topics], ["lead", *topics])
        assert "error" not in created and led == {"partitions": 2 * len(topics)}, (created, led)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    module, peers = tool("broker"), tool("peers")
    first = module.Broker(brokers=2)
    second = module.Broker(node=2, voter=first, brokers=2)
    ports = [free_port(), free_port()]
    places = [f"{port}={each.node}@{each.ports['CLIENTS']}" for port, each in zip(ports, (first, second), strict=True)]
    opened = Cluster([first, second], ports, {})
    proxy = None
    try:
        for each in opened.brokers:
            needs(each.start)
        proxy = subprocess.Popen([sys.executable, str(EXAMPLE), PREFIX, *places])
        for name in CLIENTS:
            opened.peers[name] = needs(peers.Peer, name)
        for each in opened.brokers:
            each.wait(2)
        yield opened
    finally:
        if proxy is not None:
            proxy.kill()
            proxy.wait()
        for peer in opened.peers.values():
            peer.close()
        for each in opened.brokers:
            each.close()


def test_a_tenant_sees_its_own(cluster: Cluster) -> None:
    cluster.admin(cluster.direct, ["create", "of-another:1:1"])
    made, topics, described, nodes, missing = cluster.admin(
        cluster.proxied, ["create", "mine:2:2"], ["topics"], ["describe", "mine"], ["cluster"], ["delete", "of-another"]
    )
    assert topics["names"] == ["mine"] and missing == {"of-another": "UNKNOWN_TOPIC_OR_PARTITION"}
    assert described["mine"][:2] == [made["mine"], 2] and described["mine"][2] in (101, 102)
    assert sorted(nodes["nodes"]) == [[101, "127.0.0.1", cluster.ports[0]], [102, "127.0.0.1", cluster.ports[1]]]
    assert nodes["controller"] in (101, 102)
    assert set(cluster.admin(cluster.direct, ["topics"])[0]["names"]) >= {"of-another", f"{PREFIX}mine"}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client(cluster: Cluster, client: str) -> None:
    topic = f"of-{client.replace('_', '-')}"
    cluster.create(f"{topic}:2:2")
    peer = cluster.peers[client]
    records = [{"partition": number % 2, "key": f"k{number}", "value": f"v{number}"} for number in range(20)]
    said = peer.ask("produce", to=cluster.proxied.split(",")[0], topic=topic, records=records)
    assert sorted(said["sent"]) == [[partition, offset] for partition in (0, 1) for offset in range(10)]
    read = peer.ask("consume", to=cluster.proxied.split(",")[1], topic=topic, group=f"group-{topic}", count=20)
    assert sorted(each["value"] for each in read["records"]) == sorted(str(each["value"]) for each in records)
    assert read["committed"] == {"0": 10, "1": 10}
    found, groups = cluster.admin(cluster.direct, ["committed", f"{PREFIX}group-{topic}"], ["groups"])
    assert found == {f"{PREFIX}{topic}-0": 10, f"{PREFIX}{topic}-1": 10}
    assert f"group-{topic}" not in groups["names"]
    if client != "kafka_go":
        rounds = [{"records": records[:1], "commit": True}, {"records": records[1:2], "commit": False}]
        said = peer.ask("transact", to=cluster.proxied, topic=topic, id=f"id-{topic}", rounds=rounds)
        assert said == {"rounds": [[[0, 10]], [[1, 10]]]}


def test_group_protocols(cluster: Cluster) -> None:
    """The new consumer protocol and share groups name topics by id, and groups by name."""
    cluster.create("newer:2:2")
    java = cluster.peers["java"]
    records = [{"partition": number % 2, "value": f"v{number}"} for number in range(6)]
    java.ask("produce", to=cluster.proxied, topic="newer", records=records)
    options = {"group.protocol": "consumer"}
    read = java.ask("consume", to=cluster.proxied, topic="newer", group="by-id", count=6, options=options)
    assert read["committed"] == {"0": 3, "1": 3}
    shared = java.ask("share", to=cluster.proxied, topic="newer", group="shared", count=6)
    assert sorted(each["value"] for each in shared["records"]) == [each["value"] for each in records]
    assert {f"{PREFIX}by-id", f"{PREFIX}shared"} <= set(cluster.admin(cluster.direct, ["groups"])[0]["names"])


def test_brokers_that_start_again(cluster: Cluster) -> None:
    """Records are copied in transactions with the offsets of their group, while each broker is away for a while: each is there once."""
    count, names = 400, ("java", "confluent")
    for name in names:
        cluster.create(f"from-{name}:2:2", f"to-{name}:2:2")
        records = [{"partition": number % 2, "value": f"{name} {number}"} for number in range(count)]
        assert (
            len(cluster.peers[name].ask("produce", to=cluster.proxied, topic=f"from-{name}", records=records)["sent"])
            == count
        )
    for name in names:
        cluster.peers[name].begin(
            "process", to=cluster.proxied, topic=f"from-{name}", target=f"to-{name}", group=f"copies-{name}", id=f"copy-{name}",
            count=count, batch=20, pause=150,
        )  # fmt: skip
    time.sleep(1)
    for broker in reversed(cluster.brokers):
        broker.restart()
        broker.wait(2)
    for name in names:
        said = cluster.peers[name].answer()
        assert said["done"] == count, said
    for name in names:
        options = {"isolation.level": "read_committed"}
        read = cluster.peers["java"].ask(
            "consume", to=cluster.proxied, topic=f"to-{name}", count=count, options=options
        )["records"]
        for partition in (0, 1):
            expected = [f"{name} {number}" for number in range(partition, count, 2)]
            assert [each["value"] for each in read if each["partition"] == partition] == expected
