"""What soak.py asks with where load.c cannot: calls of gRPC (grpcio) and records of Kafka (confluent-kafka), each answer looked at.

    python -m benchmarks.proxy.soak_clients grpc-serve PORT
    python -m benchmarks.proxy.soak_clients grpc PORT CONNECTIONS DEPTH SECONDS
    python -m benchmarks.proxy.soak_clients kafka PORT CONNECTIONS SECONDS

Like load.c the clients print one line of JSON. Each call carries its connection and its number, and its answer has to be that. Of Kafka
each of CONNECTIONS producers writes its number and that of the record to a partition of its own, and a consumer of its own has to read
all of it, in order.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time

import confluent_kafka
import grpc
from confluent_kafka.admin import AdminClient, NewTopic

from .peers import METHODS, SERVICE

_TOPIC = "soak"
_PATIENCE = 60.0


def _same(octets: bytes) -> bytes:
    return octets


async def _answer(request: bytes, context: object) -> bytes:
    return request


async def serve_grpc(port: int) -> None:
    """A server that answers each call with what it was sent."""
    handler = grpc.unary_unary_rpc_method_handler(_answer, _same, _same)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, dict.fromkeys(METHODS, handler))])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def ask_grpc(port: int, connections: int, depth: int, seconds: float) -> dict[str, int]:
    """Keep `depth` calls in flight on each connection for so long."""
    said = {"answers": 0, "crossed": 0, "failed": 0, "lost": 0, "closed": 0}
    end = time.monotonic() + seconds

    async def call(channel: grpc.aio.Channel, name: str) -> None:
        methods = [channel.unary_unary(f"/{SERVICE}/{each}", _same, _same) for each in METHODS]
        number = 0
        while time.monotonic() < end:
            number += 1
            value = f"{name} {number} ".encode().ljust(100 if number % 500 else 200_000, b"v")
            try:
                answer = await methods[number % 2](value, timeout=_PATIENCE)
            except grpc.aio.AioRpcError as error:
                said["lost" if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else "failed"] += 1
                print(error.code(), error.details(), file=sys.stderr)
                continue
            said["answers"] += 1
            said["crossed"] += answer != value

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(connections)]
    await asyncio.gather(
        *(call(channel, f"{number}.{place}") for number, channel in enumerate(channels) for place in range(depth))
    )
    for channel in channels:
        await channel.close()
    return said


def _end(consumer: confluent_kafka.Consumer, partition: int) -> int:
    """Where a partition ends, as soon as it has a leader."""
    last = time.monotonic() + _PATIENCE
    while True:
        try:
            place = confluent_kafka.TopicPartition(_TOPIC, partition)
            return int(consumer.get_watermark_offsets(place, timeout=_PATIENCE)[1])
        except confluent_kafka.KafkaException:
            if time.monotonic() > last:
                raise
            time.sleep(0.1)


def ask_kafka(port: int, connections: int, seconds: float) -> dict[str, int]:
    """So many producers write for so long, as many consumers read it all; what is counted are records."""
    said = {"answers": 0, "crossed": 0, "failed": 0, "lost": 0, "closed": 0}
    lock = threading.Lock()
    common = {"bootstrap.servers": f"127.0.0.1:{port}"}
    options = {"segment.bytes": str(64 << 20), "retention.bytes": str(64 << 20)}
    admin = AdminClient(common)
    if _TOPIC not in admin.list_topics(timeout=_PATIENCE).topics:
        admin.create_topics([NewTopic(_TOPIC, connections, 1, config=options)])[_TOPIC].result()
    run = random.randbytes(4).hex()
    totals: list[int | None] = [None] * connections

    def produce(partition: int) -> None:
        producer = confluent_kafka.Producer(
            {**common, "linger.ms": 2, "acks": "all", "enable.idempotence": partition % 2}
        )
        failed = 0

        def delivered(error: object, message: object) -> None:
            nonlocal failed
            failed += error is not None

        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            for _ in range(20):
                producer.produce(
                    _TOPIC, f"{run} {partition} {number}".ljust(100), partition=partition, on_delivery=delivered
                )
                number += 1
            producer.poll(0.002)
            while len(producer) > 5_000:
                producer.poll(0.01)
        left = producer.flush(_PATIENCE)
        with lock:
            said["failed"] += failed
            said["lost"] += left
        totals[partition] = number - failed - left

    def consume(partition: int, start: int) -> None:
        consumer = confluent_kafka.Consumer(
            {**common, "group.id": f"{run}-{partition}", "enable.auto.commit": partition % 2}
        )
        consumer.assign([confluent_kafka.TopicPartition(_TOPIC, partition, start)])
        number = crossed = 0
        latest = time.monotonic()
        while (
            totals[partition] is None or number < (totals[partition] or 0)
        ) and time.monotonic() - latest < _PATIENCE:
            for message in consumer.consume(500, 0.2):
                latest = time.monotonic()
                if message.error():
                    continue
                crossed += (message.value() or b"").decode().rstrip() != f"{run} {partition} {number}"
                number += 1
        consumer.close()
        with lock:
            said["answers"] += number
            said["crossed"] += crossed
            said["lost"] += max((totals[partition] or 0) - number, 0)

    reader = confluent_kafka.Consumer({**common, "group.id": run})
    ends = [_end(reader, partition) for partition in range(connections)]
    reader.close()
    threads = [threading.Thread(target=produce, args=(number,)) for number in range(connections)]
    threads += [threading.Thread(target=consume, args=pair) for pair in enumerate(ends)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return said


def main() -> None:
    what, port, *rest = sys.argv[1:]
    if what == "grpc-serve":
        asyncio.run(serve_grpc(int(port)))
    elif what == "grpc":
        print(json.dumps(asyncio.run(ask_grpc(int(port), int(rest[0]), int(rest[1]), float(rest[2])))))
    else:
        print(json.dumps(ask_kafka(int(port), int(rest[0]), float(rest[1]))))


if __name__ == "__main__":
    main()
