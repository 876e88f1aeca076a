#!/usr/bin/env bash
# kafka-go 0.4.51 (segmentio): its Reader gives nil for a key or a value of no octets, as for one that is null. So a program cannot tell an
# empty value from a tombstone, which deletes its key in a compacted topic. On the wire they are two lengths (0 and -1), and franz-go
# 1.22.3 and kafka-clients 4.4.0 tell them apart. Uses the broker and clients of protocols/kafka/tools: needs Java, Maven and Go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../protocols/kafka/tools"
python3 - <<'PY'
import sys
sys.path.insert(0, ".")
from broker import Broker
from peers import Peer

with Broker() as broker, Peer("java") as java, Peer("franz_go") as franz, Peer("kafka_go") as kafka_go:
    java.ask("admin", to=broker.address, steps=[["create", "t:1:1"]])
    records = [{"partition": 0, "key": "k", "value": value} for value in ("text", "", None)]
    print(java.ask("produce", to=broker.address, topic="t", records=records))
    found = {
        name: [each["value"] for each in peer.ask("consume", to=broker.address, topic="t", count=3)["records"]]
        for name, peer in (("kafka-clients", java), ("franz-go", franz), ("kafka-go", kafka_go))
    }
for name, values in found.items():
    print(f"{name}:", values)
assert found["kafka-clients"] == found["franz-go"] == ["text", "", None]
assert found["kafka-go"] == ["text", None, None]
PY
