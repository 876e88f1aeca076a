#!/usr/bin/env bash
# Producers of one topic, each with its defaults, choose other partitions for the same key: librdkafka 2.16.0 (confluent-kafka 2.16.1, and what
# else is built on it) takes CRC-32 of the key, aiokafka 0.14.0 and kafkajs 2.2.4 murmur2 as the Java client does, sarama 1.61.1 FNV-1a. Each
# looks right alone. With two of them on one topic the order of a key's records is lost, a tombstone deletes nothing in the other partition,
# and joins find nothing. The first three produce to librdkafka's mock cluster, on loopback; sarama's partitioner is asked. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q confluent-kafka==2.16.1 aiokafka==0.14.0
npm install --silent --no-audit --no-fund kafkajs@2.2.4 >/dev/null
cat >produce.js <<'JS'
const { Kafka, logLevel } = require("kafkajs");
const [broker, ...keys] = process.argv.slice(2);
const producer = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR }).producer();
async function main() {
  await producer.connect();
  for (const key of keys) {
    const [{ partition }] = await producer.send({ topic: "t", messages: [{ key, value: "v" }] });
    console.log(partition);
  }
  await producer.disconnect();
}
main();
JS
cat >go.mod <<'MOD'
module choose

go 1.24

require github.com/IBM/sarama v1.61.1
MOD
cat >choose.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/IBM/sarama"
)

func main() {
	partitioner := sarama.NewConfig().Producer.Partitioner("t")
	for _, key := range os.Args[1:] {
		partition, err := partitioner.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, 4)
		if err != nil {
			panic(err)
		}
		fmt.Println(partition)
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod go build -o choose choose.go 2>/dev/null
venv/bin/python - <<'PY'
import asyncio, os, subprocess

import confluent_kafka
from aiokafka import AIOKafkaProducer

keys = [f"user-{number}" for number in range(12)]
cluster = confluent_kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
(node,) = cluster.list_topics(timeout=10).brokers.values()
broker = f"{node.host}:{node.port}"
assert len(cluster.list_topics("t", timeout=10).topics["t"].partitions) == 4

chosen = {}
for key in keys:
    cluster.produce("t", b"v", key, on_delivery=lambda error, record: chosen.update({record.key().decode(): record.partition()}))
cluster.flush(20)

async def by_aiokafka():
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        return [(await producer.send_and_wait("t", b"v", key.encode())).partition for key in keys]

def told_by(*command):
    quiet = os.environ | {"KAFKAJS_NO_PARTITIONER_WARNING": "1"}
    told = subprocess.run([*command, *keys], capture_output=True, text=True, check=True, timeout=60, env=quiet)
    return [int(each) for each in told.stdout.split()]

found = {
    "librdkafka": [chosen[key] for key in keys],
    "aiokafka": asyncio.run(by_aiokafka()),
    "kafkajs": told_by("node", "produce.js", broker),
    "sarama": told_by("./choose"),
}
for client, partitions in found.items():
    print(f"{client:10}", *partitions)
assert found["aiokafka"] == found["kafkajs"]
kinds = [found["librdkafka"], found["aiokafka"], found["sarama"]]
apart = [sum(len(set(of_one)) == 3 for of_one in zip(*kinds)), sum(len(set(of_one)) == 1 for of_one in zip(*kinds))]
print(f"of {len(keys)} keys, {apart[0]} have three partitions, and {apart[1]} the same with all")
assert apart[0] and apart[1] < len(keys) / 4
PY
