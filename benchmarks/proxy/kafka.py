"""The engine before a broker of Kafka, beside a plain relay and Kroxylicious: ``python -m benchmarks.proxy.kafka [--json FILE]``.

The load is kafka-producer-perf-test itself (org.apache.kafka.tools.ProducerPerformance), records of 1 KiB as fast as they go, and
kafka-consumer-perf-test (ConsumerPerformance), which reads as many. What counts is records for each second of processor that a proxy uses.
The engine reads every header, pairs the answers and rewrites addresses and node ids; the relay, of asyncio as well, copies octets and
reads nothing: its clients come to a listener of the broker that advertises it.

`KROXYLICIOUS` is the class path of `io.kroxylicious:kroxylicious-runtime` 0.12.0 (``mvn dependency:copy-dependencies``), if it is to be
measured. It binds every interface: run all of it in a network namespace then, by
``unshare -n sh -c 'ip link set lo up; exec python -m benchmarks.proxy.kafka'``.

See protocols/kafka/tools/broker.py for what has to be installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from l7codecs.testing import free_port, load_tool

from .processes import cpu_seconds, running

_ROOT = Path(__file__).resolve().parents[2]
_TOOLS = _ROOT / "protocols" / "kafka" / "tools"
_SIZE = 1024
_TOPIC = "load"
WORKS = {"producer": ("load", "sent"), "consumer": ("fetch", "received")}
"""What a peer is told to do, and what it calls the records that it counts."""
_REACH = {"relay": 0.8, "kroxylicious": 1.0}


def engine(port: int, broker: int, folder: Path) -> list[str]:
    node = {"id": 1, "as": 101, "address": f"127.0.0.1:{port}"}
    listener = {"address": f"127.0.0.1:{port}", "protocol": "kafka", "cluster": "broker", "nodes": [node]}
    path = folder / "engine.yaml"
    path.write_text(
        json.dumps(
            {
                "listeners": {"in": listener},
                "clusters": {"broker": {"hosts": [f"127.0.0.1:{broker}"]}},
                "admin": {"address": f"unix:{folder / 'admin'}"},
            }
        )
    )
    return [str(Path(sys.executable).with_name("l7codecs")), "proxy", "-c", str(path)]


def _relay(port: int, broker: int, folder: Path) -> list[str]:
    return [sys.executable, str(_ROOT / "benchmarks" / "shared_proxy.py"), "relay", str(port), str(broker)]


def _kroxylicious(port: int, broker: int, folder: Path) -> list[str]:
    lines = [
        "virtualClusters:", "  - name: demo", "    targetCluster:", f"      bootstrapServers: 127.0.0.1:{broker}",
        "    gateways:", "      - name: default", "        portIdentifiesNode:", f"          bootstrapAddress: 127.0.0.1:{port}",
        "          advertisedBrokerAddressPattern: 127.0.0.1", f"          nodeStartPort: {port + 1}",
    ]  # fmt: skip
    path = folder / "kroxylicious.yaml"
    path.write_text("\n".join(lines) + "\n")
    return ["java", "-cp", os.environ["KROXYLICIOUS"], str(Path(__file__).with_name("Kroxylicious.java")), str(path)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ports = {name: free_port() for name in ("ours", "relay", "kroxylicious")}
    broker = load_tool(_TOOLS, "broker").Broker()
    broker.advertised["INTERNAL"] = ports["relay"]
    peer = load_tool(_TOOLS, "peers").Peer
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(broker)
        java = stack.enter_context(peer("java"))
        ways = {"relay": (_relay, broker.ports["INTERNAL"]), "ours": (engine, broker.ports["CLIENTS"])}
        if "KROXYLICIOUS" in os.environ:
            ways["kroxylicious"] = (_kroxylicious, broker.ports["CLIENTS"])
        processes: dict[str, subprocess.Popen[bytes]] = {}
        for name, (command, to) in ways.items():
            port = ports[name]
            words = command(port, to, folder)
            processes[name] = stack.enter_context(running(words, port, folder / f"{name}.log"))
        direct = f"127.0.0.1:{broker.ports['CLIENTS']}"
        java.ask("admin", to=direct, steps=[["create", f"{_TOPIC}:2:1"]])
        for turn in range(-1, given.turns):
            for name, process in processes.items():
                for work, (do, told) in WORKS.items():
                    if work not in given.works.split(",") and (turn >= 0 or do != "load"):
                        continue  # there has to be something to read
                    before = cpu_seconds(process)
                    to = f"127.0.0.1:{ports[name]}"
                    group = f"{name} {turn}"
                    said: dict[str, Any] = java.ask(
                        do, to=to, topic=_TOPIC, size=_SIZE, count=given.records, group=group
                    )
                    assert said[told] >= given.records, said
                    if turn >= 0:  # the first warms
                        side = found.setdefault(work, {}).setdefault(name, {"efficiency": [], "rates": []})
                        side["efficiency"].append(said[told] / (cpu_seconds(process) - before))
                        side["rates"].append(said[told] / said["seconds"])
    for work, sides in found.items():
        for name, side in sides.items():
            print(
                f"{work}: {name}: {statistics.median(side['efficiency']):,.0f} records of {_SIZE} octets for each CPU-second, "
                f"{statistics.median(side['rates']):,.0f}/s"
            )
        for name, reach in _REACH.items():
            if name in sides and "ours" in sides:
                pairs = zip(sides["ours"]["efficiency"], sides[name]["efficiency"], strict=True)
                ratios = sorted(one / other for one, other in pairs)
                middle = statistics.median(ratios)
                low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
                reached = "yes" if middle >= reach else "NO"
                print(f"{work}: ours to {name}: {middle:.2f} ({low:.2f} to {high:.2f}), reach {reach:g}: {reached}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
