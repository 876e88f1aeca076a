#!/usr/bin/env bash
# @platformatic/kafka 2.12.1: the headers of a record are a Map, where Kafka has a list in which a key may stand twice. With stringDeserializers the
# last value of a key is left, and the others are gone without a word; with the default, octets, all are there, but no look-up finds any of them,
# since two Buffers are two keys. kafkajs 2.2.4, which shares the records here, gives both values of a key, and aiokafka 0.14.0 the list as it
# is. Uses the broker of protocols/kafka/tools: needs Java, Maven and Node.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/../protocols/kafka/tools" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q aiokafka==0.14.0
npm install --silent --no-audit --no-fund @platformatic/kafka@2.12.1 kafkajs@2.2.4 >/dev/null
cat >produce.py <<'PY'
import asyncio, sys
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

async def main(broker):
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait("t", b"v", headers=[("hop", b"first"), ("hop", b"second"), ("id", b"7")])
    async with AIOKafkaConsumer("t", bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        print([f"{key}={value.decode()}" for key, value in (await consumer.getone()).headers])

asyncio.run(main(sys.argv[1]))
PY
cat >platformatic.js <<'JS'
Promise.withResolvers ??= function () { // which Node has from version 22 on
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const { Consumer, stringDeserializers } = require("@platformatic/kafka");
async function read(deserializers) {
  const consumer = new Consumer({ clientId: "c", groupId: `of-${Math.random()}`, bootstrapBrokers: [process.argv[2]], deserializers });
  const stream = await consumer.consume({ topics: ["t"], mode: "earliest" });
  for await (const { headers } of stream) return headers;
}
async function main() {
  const octets = await read();
  console.log("as octets, count", octets.size, "and found by key", octets.get(Buffer.from("hop")));
  console.log("as strings", JSON.stringify([...(await read(stringDeserializers))]));
  process.exit();
}
main();
JS
cat >kafkajs.js <<'JS'
const { Kafka, logLevel } = require("kafkajs");
async function main() {
  const consumer = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING }).consumer({ groupId: "kafkajs" });
  await consumer.connect();
  await consumer.subscribe({ topics: ["t"], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message: { headers } }) => {
    console.log(`hop=${headers.hop} id=${headers.id}`);
    process.exit();
  } });
}
main();
JS
PYTHONPATH="$tools" python3 - <<'PY'
import subprocess
from broker import Broker

with Broker() as broker:
    found = {}
    for name, command in (
        ("aiokafka", ["venv/bin/python", "produce.py"]),
        ("platformatic", ["node", "platformatic.js"]),
        ("kafkajs", ["node", "kafkajs.js"]),
    ):
        told = subprocess.run([*command, broker.address], capture_output=True, text=True, check=True, timeout=120)
        found[name] = told.stdout.strip()
        print(f"{name}: {found[name]}")
assert found["aiokafka"] == "['hop=first', 'hop=second', 'id=7']" and found["kafkajs"] == "hop=first,second id=7"
octets, strings = found["platformatic"].splitlines()
assert octets == "as octets, count 3 and found by key undefined"
assert strings == 'as strings [["hop","second"],["id","7"]]'
PY
