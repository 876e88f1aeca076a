#!/usr/bin/env bash
# kafka-go 0.4.51 (segmentio): its Reader gives nil for a key or a value of no octets, as for one that is null. So a program cannot tell an
# empty value from a tombstone, which deletes its key in a compacted topic. On the wire they are two lengths (0 and -1), and franz-go
# 1.22.3 and aiokafka 0.14.0 tell them apart. The broker is Apache Kafka 4.4.0. Needs Java, Maven and Go.
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
cat >produce.py <<'PY'
import asyncio, sys
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

async def produce(broker):
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for value in (b"text", b"", None):
            await producer.send_and_wait("t", value, key=b"k")

async def main(broker):
    for attempt in range(60):  # until the broker has begun
        try:
            await produce(broker)
            break
        except KafkaConnectionError:
            await asyncio.sleep(1)
    async with AIOKafkaConsumer("t", bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        print(["null" if value is None else f"{len(value)} octets" for value in [(await consumer.getone()).value for _ in range(3)]])

asyncio.run(main(sys.argv[1]))
PY
cat >consume.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

func said(value []byte) string {
	if value == nil {
		return "null"
	}
	return fmt.Sprintf("%d octets", len(value))
}

func main() {
	ctx := context.Background()
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		panic(err)
	}
	fmt.Print("franz-go")
	for count := 0; count < 3; {
		for _, record := range client.PollFetches(ctx).Records() {
			fmt.Print(" | ", said(record.Value))
			count++
		}
	}
	fmt.Print("\nkafka-go")
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: os.Args[1:], Topic: "t"})
	for count := 0; count < 3; count++ {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Print(" | ", said(message.Value))
	}
	fmt.Println()
}
GO
go mod init found >/dev/null 2>&1
go get github.com/segmentio/kafka-go@v0.4.51 github.com/twmb/franz-go@v1.22.3 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o consume .
told=$(timeout 120 venv/bin/python produce.py "127.0.0.1:$port")
go=$(timeout 120 ./consume "127.0.0.1:$port")
printf 'aiokafka %s\n%s\n' "$told" "$go"
[ "$told" = "['4 octets', '0 octets', 'null']" ]
[ "$go" = "franz-go | 4 octets | 0 octets | null
kafka-go | 4 octets | null | null" ]
