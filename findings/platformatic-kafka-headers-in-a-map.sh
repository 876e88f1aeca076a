#!/usr/bin/env bash
# @platformatic/kafka 2.12.1: the headers of a record are a Map, where Kafka has a list in which a key may stand twice. With stringDeserializers the
# last value of a key is left, and the others are gone without a word; with the default, octets, all are there, but no look-up finds any of them,
# since two Buffers are two keys. kafkajs 2.2.4, which shares the records here, gives both values of a key, and aiokafka 0.14.0 the list as it
# is. The broker is Apache Kafka 4.4.0. Needs Java, Maven and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.4.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=jars -DincludeScope=runtime
read -r port control < <(python3 -c '
import socket
found = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in found))')
cat >server.properties <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$control
listeners=CLIENTS://127.0.0.1:$port,CONTROL://127.0.0.1:$control
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROL:PLAINTEXT
controller.listener.names=CONTROL
inter.broker.listener.name=CLIENTS
log.dirs=$folder/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
CONF
java -cp 'jars/*' kafka.tools.StorageTool format -t Zm91bmQtYS1zdXJwcmlzZQ -c server.properties >broker.log 2>&1
java -Xmx512m -cp 'jars/*' kafka.Kafka server.properties >>broker.log 2>&1 &
broker=$!
disown
trap 'kill -9 $broker; rm -rf "$folder"' EXIT
python3 -m venv venv
venv/bin/pip install -q aiokafka==0.14.0
npm install --silent --no-audit --no-fund @platformatic/kafka@2.12.1 kafkajs@2.2.4 >/dev/null
cat >produce.py <<'PY'
import asyncio, sys
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

async def produce(broker):
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait("t", b"v", headers=[("hop", b"first"), ("hop", b"second"), ("id", b"7")])

async def main(broker):
    for attempt in range(60):  # until the broker has begun
        try:
            await produce(broker)
            break
        except KafkaConnectionError:
            await asyncio.sleep(1)
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
python3 - "127.0.0.1:$port" <<'PY'
import subprocess, sys

found = {}
for name, command in (
    ("aiokafka", ["venv/bin/python", "produce.py"]),
    ("platformatic", ["node", "platformatic.js"]),
    ("kafkajs", ["node", "kafkajs.js"]),
):
    told = subprocess.run([*command, sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    found[name] = told.stdout.strip()
    print(f"{name}: {found[name]}")
assert found["aiokafka"] == "['hop=first', 'hop=second', 'id=7']" and found["kafkajs"] == "hop=first,second id=7"
octets, strings = found["platformatic"].splitlines()
assert octets == "as octets, count 3 and found by key undefined"
assert strings == 'as strings [["hop","second"],["id","7"]]'
PY
