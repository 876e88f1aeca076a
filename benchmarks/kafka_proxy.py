"""examples/kafka_proxy.py against the broker alone and a plain TCP relay, under a Java producer: ``python benchmarks/kafka_proxy.py``.

The load is kafka-producer-perf-test itself (org.apache.kafka.tools.ProducerPerformance): records of 1 KiB as fast as they go, default
batches, one broker (see protocols/kafka/tools/broker.py for what has to be installed). The relay is that of shared_proxy.py: asyncio,
copies octets, reads nothing.
The proxy reads every header, renames topics and broker ids where they stand, and pairs the answers. They take turns; the best of each
counts, since everything else only slows, and beside it the median of the ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import shared_proxy
from shared_proxy import cpu, wait_for

from l7codecs.testing import free_port

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "protocols" / "kafka" / "tools"))

from broker import Broker  # noqa: E402
from peers import Peer  # noqa: E402

EXAMPLE = ROOT / "examples" / "kafka_proxy.py"
SIZE, RECORDS, ROUNDS, PARTITIONS = 1024, 200_000, 7, 2
PREFIX = "tenant-a."


def main() -> None:
    relay_port, proxy_port = free_port(), free_port()
    broker = Broker()
    # A second listener without SASL, whose clients are sent to the relay.
    broker.advertised["INTERNAL"] = relay_port
    with broker, Peer("java") as java:
        to, internal = broker.ports["CLIENTS"], broker.ports["INTERNAL"]
        relay = [sys.executable, shared_proxy.__file__, "relay", str(relay_port), str(internal)]
        proxy = [sys.executable, str(EXAMPLE), PREFIX, f"{proxy_port}=1@{to}"]
        with subprocess.Popen(relay) as plain, subprocess.Popen(proxy) as proxied:
            try:
                ways = {
                    "direct": (to, "load", None),
                    "relay": (relay_port, "load", plain),
                    "proxy": (proxy_port, "load", proxied),
                }
                for port in (relay_port, proxy_port):
                    wait_for(port)
                for name in ("load", f"{PREFIX}load"):
                    java.ask("admin", to=f"127.0.0.1:{to}", steps=[["create", f"{name}:{PARTITIONS}:1"]])
                rates: dict[str, list[float]] = {name: [] for name in ways}
                ticks: dict[str, list[int]] = {name: [] for name in ways}
                for turn in range(-1, ROUNDS):
                    for name, (port, topic, process) in ways.items():
                        before = 0 if process is None else cpu(process)
                        said = java.ask("load", to=f"127.0.0.1:{port}", topic=topic, size=SIZE, count=RECORDS)
                        assert said["sent"] == RECORDS, said
                        if turn >= 0:  # the first warms
                            rates[name].append(RECORDS / said["seconds"])
                            ticks[name].append(0 if process is None else cpu(process) - before)
                for name in ways:
                    print(
                        f"{name}: {max(rates[name]):,.0f} records of {SIZE} octets a second; processor {min(ticks[name])} ticks"
                    )
                ratios = [one / other for one, other in zip(rates["proxy"], rates["relay"], strict=True)]
                best = max(rates["proxy"]) / max(rates["relay"])
                print(f"proxy to relay: {best:.2f}×; median of {ROUNDS} turns {statistics.median(ratios):.2f}×")
            finally:
                plain.terminate()
                proxied.terminate()


if __name__ == "__main__":
    main()
