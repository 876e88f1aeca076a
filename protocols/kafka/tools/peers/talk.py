"""One of the clients for Python, as `Talk.java` is for Java: ``python talk.py confluent`` (or ``aiokafka``, ``kafka_python``).

Reads a line of JSON for each thing to do, and prints one of JSON for what came of it, as the client itself says. Errors have their word in
the protocol, where the client knows it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time
from typing import Any

Ask = dict[str, Any]
Said = dict[str, Any]


def octets(text: str | None) -> bytes | None:
    """UTF-8; None stands for null."""
    return None if text is None else text.encode()


def text(octets: bytes | None) -> str | None:
    """The text of UTF-8; None stands for null."""
    return None if octets is None else octets.decode()


def described(partition: int, offset: int, key: bytes | None, value: bytes | None, headers: Any) -> Said:
    """A record as it is told."""
    found: Said = {"partition": partition, "offset": offset, "key": text(key), "value": text(value)}
    if headers:
        found["headers"] = {name: text(each) for name, each in headers}
    return found


def headers_of(record: Ask) -> list[tuple[str, bytes]]:
    """The headers of a record that is asked for."""
    return [(name, each.encode()) for name, each in record.get("headers", {}).items()]


def spelled(name: str) -> str:
    """``UnknownTopicOrPartitionError`` as the protocol spells it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Error")).upper()


class Confluent:
    """confluent-kafka, around librdkafka."""

    def __init__(self) -> None:
        import confluent_kafka
        import confluent_kafka.admin

        self.kafka, self.admins = confluent_kafka, confluent_kafka.admin

    def versions(self) -> list[str]:
        return [self.kafka.version()[0] if isinstance(self.kafka.version(), tuple) else self.kafka.version(),
                self.kafka.libversion()[0]]  # fmt: skip

    def options(self, ask: Ask, **more: str) -> dict[str, str]:
        found = {"bootstrap.servers": ask["to"], "log_level": ask.get("log", "2")}
        found.update({key.replace("_", "."): value for key, value in more.items()})
        return {**found, **ask.get("options", {})}

    def name(self, error: Any) -> str:
        return {"UNKNOWN_TOPIC_OR_PART": "UNKNOWN_TOPIC_OR_PARTITION"}.get(error.name(), str(error.name()))

    def produce(self, ask: Ask) -> Said:
        sent: list[Any] = [None] * len(ask["records"])
        producer = self.kafka.Producer(self.options(ask))
        for number, record in enumerate(ask["records"]):

            def told(error: Any, message: Any, number: int = number) -> None:
                sent[number] = self.name(error) if error else [message.partition(), message.offset()]

            place = {"partition": record["partition"]} if "partition" in record else {}
            producer.produce(
                ask["topic"], octets(record.get("value")), octets(record.get("key")), headers=headers_of(record),
                on_delivery=told, **place,
            )  # fmt: skip
            if "pause" in record:
                producer.flush(60)
                time.sleep(record["pause"] / 1000)
        producer.flush(60)
        return {"sent": sent}

    def consume(self, ask: Ask) -> Said:
        group = ask.get("group")
        consumer = self.kafka.Consumer(
            self.options(ask, group_id=group or "none", auto_offset_reset="earliest", enable_auto_commit="false")
        )
        records: list[Said] = []
        if group:
            consumer.subscribe([ask["topic"]])
        else:
            found = consumer.list_topics(ask["topic"], 10).topics[ask["topic"]]
            consumer.assign([self.kafka.TopicPartition(ask["topic"], each, 0) for each in found.partitions])
        end = time.monotonic() + ask.get("patience", 20_000) / 1000
        while len(records) < ask["count"] and time.monotonic() < end:
            message = consumer.poll(0.1)
            if message is None or message.error():
                continue
            records.append(
                described(message.partition(), message.offset(), message.key(), message.value(), message.headers())
            )
        said: Said = {"records": records}
        if group:
            consumer.commit(asynchronous=False)
            committed = consumer.committed(consumer.assignment(), 10)
            said["committed"] = {str(each.partition): each.offset for each in committed if each.offset >= 0}
            said["member"] = consumer.memberid()
        consumer.close()
        return said

    def transact(self, ask: Ask) -> Said:
        rounds: list[Any] = []
        producer = self.kafka.Producer(self.options(ask, transactional_id=ask["id"]))
        producer.init_transactions(20)
        for each in ask["rounds"]:
            producer.begin_transaction()
            sent: list[Any] = []
            for record in each["records"]:
                producer.produce(
                    ask["topic"], octets(record.get("value")), octets(record.get("key")), record.get("partition", 0),
                    on_delivery=lambda error, message, sent=sent: sent.append([message.partition(), message.offset()]),
                )  # fmt: skip
            producer.flush(60)
            rounds.append(sent)
            producer.commit_transaction(20) if each["commit"] else producer.abort_transaction(20)
        return {"rounds": rounds}

    def process(self, ask: Ask) -> Said:
        """Copies count records to another topic, each batch in a transaction with its offsets; starts again after an error."""
        done = batches = aborted = 0
        why = None
        end = time.monotonic() + ask.get("patience", 60_000) / 1000
        while done < ask["count"] and time.monotonic() < end:
            consumer = self.kafka.Consumer(
                self.options(
                    ask, group_id=ask["group"], auto_offset_reset="earliest", enable_auto_commit="false",
                    isolation_level="read_committed",
                )
            )  # fmt: skip
            producer = self.kafka.Producer(self.options(ask, transactional_id=ask["id"]))
            try:
                producer.init_transactions(30)
                consumer.subscribe([ask["topic"]])
                while done < ask["count"] and time.monotonic() < end:
                    records = [each for each in consumer.consume(ask.get("batch", 50), 0.3) if not each.error()]
                    if not records:
                        found = consumer.list_topics(ask["topic"], 10).topics[ask["topic"]].partitions
                        places = [self.kafka.TopicPartition(ask["topic"], each) for each in found]
                        done = sum(max(each.offset, 0) for each in consumer.committed(places, 10))
                        continue
                    producer.begin_transaction()
                    for each in records:
                        producer.produce(ask["target"], each.value(), each.key(), each.partition())
                    offsets = consumer.position(consumer.assignment())
                    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 20)
                    producer.commit_transaction(20)
                    batches += 1
                    time.sleep(ask.get("pause", 0) / 1000)
            except self.kafka.KafkaException as error:
                aborted += 1
                why = str(error)
            consumer.close()
        return {"done": done, "batches": batches, "aborted": aborted, "aborted-by": why}

    def admin(self, ask: Ask) -> Said:
        admin = self.admins.AdminClient(self.options(ask))
        steps: list[Said] = []
        for word, *names in ask["steps"]:
            found: Said = {}
            steps.append(found)
            try:
                if word == "create":
                    made = [self.admins.NewTopic(name, int(parts), int(copies))
                            for name, parts, copies in (each.split(":") for each in names)]  # fmt: skip
                    self.settle(found, admin.create_topics(made))
                elif word == "delete":
                    self.settle(found, admin.delete_topics(names))
                elif word == "topics":
                    found["names"] = sorted(admin.list_topics(timeout=10).topics)
                elif word == "cluster":
                    cluster = admin.describe_cluster().result(10)
                    found["id"] = cluster.cluster_id
                    found["nodes"] = [[each.id, each.host, each.port] for each in cluster.nodes]
                elif word == "groups":
                    listed = admin.list_consumer_groups().result(10)
                    found["names"] = sorted(each.group_id for each in listed.valid)
                elif word == "delete-groups":
                    self.settle(found, admin.delete_consumer_groups(names))
                elif word == "offsets":
                    place = self.kafka.TopicPartition(names[0], 0)
                    listed = admin.list_offsets({place: self.admins.OffsetSpec.latest()})
                    found[f"{names[0]}-0"] = listed[place].result(10).offset
                else:
                    raise ValueError(word)
            except self.kafka.KafkaException as error:
                found["error"] = self.name(error.args[0])
        return {"steps": steps}

    def settle(self, found: Said, futures: dict[str, Any]) -> None:
        for name, future in futures.items():
            try:
                future.result(10)
                found[name] = "NONE"
            except self.kafka.KafkaException as error:
                found[name] = self.name(error.args[0])


class Aiokafka:
    """aiokafka."""

    def __init__(self) -> None:
        import aiokafka
        import aiokafka.admin
        import aiokafka.errors

        self.kafka, self.admins, self.errors = aiokafka, aiokafka.admin, aiokafka.errors

    def versions(self) -> list[str]:
        return [self.kafka.__version__]

    def options(self, ask: Ask) -> dict[str, Any]:
        return {"bootstrap_servers": ask["to"], **ask.get("options", {})}

    def name(self, error: Exception) -> str:
        return spelled(type(error).__name__)

    def produce(self, ask: Ask) -> Said:
        return asyncio.run(self._produce(ask))

    async def _produce(self, ask: Ask) -> Said:
        sent: list[Any] = []
        async with self.kafka.AIOKafkaProducer(**self.options(ask)) as producer:
            waiting = [await self._send(producer, ask["topic"], record) for record in ask["records"]]
            await producer.flush()
            for each in waiting:
                try:
                    where = await each
                    sent.append([where.partition, where.offset])
                except self.errors.KafkaError as error:
                    sent.append(self.name(error))
        return {"sent": sent}

    async def _send(self, producer: Any, topic: str, record: Ask) -> Any:
        return await producer.send(
            topic, octets(record.get("value")), octets(record.get("key")), record.get("partition"),
            headers=headers_of(record),
        )  # fmt: skip

    def consume(self, ask: Ask) -> Said:
        return asyncio.run(self._consume(ask))

    async def _consume(self, ask: Ask) -> Said:
        group = ask.get("group")
        records: list[Said] = []
        consumer = self.kafka.AIOKafkaConsumer(
            group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, **self.options(ask)
        )
        async with consumer:
            if group:
                consumer.subscribe([ask["topic"]])
            else:
                await consumer._client.add_topic(ask["topic"])
                await consumer._client.force_metadata_update()
                found = consumer.partitions_for_topic(ask["topic"]) or ()
                consumer.assign([self.kafka.TopicPartition(ask["topic"], each) for each in found])
            end = time.monotonic() + 60
            while len(records) < ask["count"] and time.monotonic() < end:
                for several in (await consumer.getmany(timeout_ms=100)).values():
                    records += [described(r.partition, r.offset, r.key, r.value, r.headers) for r in several]
            said: Said = {"records": records}
            if group:
                await consumer.commit()
                said["committed"] = {
                    str(each.partition): await consumer.committed(each) for each in consumer.assignment()
                }
        return said

    def transact(self, ask: Ask) -> Said:
        return asyncio.run(self._transact(ask))

    async def _transact(self, ask: Ask) -> Said:
        rounds: list[Any] = []
        async with self.kafka.AIOKafkaProducer(transactional_id=ask["id"], **self.options(ask)) as producer:
            for each in ask["rounds"]:
                await producer.begin_transaction()
                waiting = [await self._send(producer, ask["topic"], record) for record in each["records"]]
                found = [await one for one in waiting]
                rounds.append([[where.partition, where.offset] for where in found])
                await (producer.commit_transaction() if each["commit"] else producer.abort_transaction())
        return {"rounds": rounds}

    def admin(self, ask: Ask) -> Said:
        return asyncio.run(self._admin(ask))

    async def _admin(self, ask: Ask) -> Said:
        admin = self.admins.AIOKafkaAdminClient(**self.options(ask))
        await admin.start()
        steps: list[Said] = []
        for word, *names in ask["steps"]:
            found: Said = {}
            steps.append(found)
            try:
                if word == "create":
                    made = [self.admins.NewTopic(name, int(parts), int(copies))
                            for name, parts, copies in (each.split(":") for each in names)]  # fmt: skip
                    answer = await admin.create_topics(made)
                    for topic, code, *_ in answer.topic_errors:
                        found[topic] = self.word(code)
                elif word == "delete":
                    for topic, code, *_ in (await admin.delete_topics(names)).topic_error_codes:
                        found[topic] = self.word(code)
                elif word == "topics":
                    found["names"] = sorted(await admin.list_topics())
                elif word == "groups":
                    found["names"] = sorted(each[0] for each in await admin.list_consumer_groups())
                else:
                    raise ValueError(word)
            except self.errors.KafkaError as error:
                found["error"] = self.name(error)
        await admin.close()
        return {"steps": steps}

    def word(self, code: int) -> str:
        return "NONE" if code == 0 else spelled(self.errors.for_code(code).__name__)


class KafkaPython:
    """kafka-python."""

    def __init__(self) -> None:
        import kafka
        import kafka.admin
        import kafka.errors

        self.kafka, self.errors = kafka, kafka.errors

    def versions(self) -> list[str]:
        return [self.kafka.__version__]

    def options(self, ask: Ask) -> dict[str, Any]:
        return {"bootstrap_servers": ask["to"], **ask.get("options", {})}

    def name(self, error: Exception) -> str:
        return spelled(type(error).__name__)

    def produce(self, ask: Ask) -> Said:
        sent: list[Any] = []
        producer = self.kafka.KafkaProducer(**self.options(ask))
        waiting = [self._send(producer, ask["topic"], record) for record in ask["records"]]
        producer.flush()
        for each in waiting:
            try:
                where = each.get(10)
                sent.append([where.partition, where.offset])
            except self.errors.KafkaError as error:
                sent.append(self.name(error))
        producer.close()
        return {"sent": sent}

    def _send(self, producer: Any, topic: str, record: Ask) -> Any:
        return producer.send(
            topic, octets(record.get("value")), octets(record.get("key")), headers_of(record), record.get("partition")
        )

    def consume(self, ask: Ask) -> Said:
        group = ask.get("group")
        records: list[Said] = []
        consumer = self.kafka.KafkaConsumer(
            group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, **self.options(ask)
        )
        if group:
            consumer.subscribe([ask["topic"]])
        else:
            places = [
                self.kafka.TopicPartition(ask["topic"], each) for each in consumer.partitions_for_topic(ask["topic"])
            ]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
        end = time.monotonic() + 60
        while len(records) < ask["count"] and time.monotonic() < end:
            for several in consumer.poll(100).values():
                records += [described(r.partition, r.offset, r.key, r.value, r.headers) for r in several]
        said: Said = {"records": records}
        if group:
            consumer.commit()
            said["committed"] = {str(each.partition): consumer.committed(each) for each in consumer.assignment()}
        consumer.close()
        return said

    def transact(self, ask: Ask) -> Said:
        rounds: list[Any] = []
        producer = self.kafka.KafkaProducer(transactional_id=ask["id"], **self.options(ask))
        producer.init_transactions()
        for each in ask["rounds"]:
            producer.begin_transaction()
            waiting = [self._send(producer, ask["topic"], record) for record in each["records"]]
            producer.flush()
            found = [one.get(10) for one in waiting]
            rounds.append([[where.partition, where.offset] for where in found])
            producer.commit_transaction() if each["commit"] else producer.abort_transaction()
        producer.close()
        return {"rounds": rounds}

    def admin(self, ask: Ask) -> Said:
        admin = self.kafka.KafkaAdminClient(**self.options(ask))
        steps: list[Said] = []
        for word, *names in ask["steps"]:
            found: Said = {}
            steps.append(found)
            for name in names or [""]:  # one for each: where one of several fails, this client only raises
                try:
                    if word == "create":
                        topic, parts, copies = name.split(":")
                        name = topic
                        admin.create_topics([self.kafka.admin.NewTopic(topic, int(parts), int(copies))])
                        found[topic] = "NONE"
                    elif word == "delete":
                        admin.delete_topics([name])
                        found[name] = "NONE"
                    elif word == "topics":
                        found["names"] = sorted(admin.list_topics())
                    elif word == "groups":
                        listed = admin.list_groups()
                        found["names"] = sorted(
                            each["group_id"] if isinstance(each, dict) else each[0] for each in listed
                        )
                    else:
                        raise ValueError(word)
                except self.errors.KafkaError as error:
                    found[name or "error"] = self.name(error)
        admin.close()
        return {"steps": steps}


CLIENTS = {"confluent": Confluent, "aiokafka": Aiokafka, "kafka_python": KafkaPython}


def main() -> None:
    """Do what is asked, line for line."""
    client = CLIENTS[sys.argv[1]]()
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            said = {"versions": client.versions()} if ask["do"] == "versions" else getattr(client, ask["do"])(ask)
        except Exception as error:
            said = {"error": spelled(type(error).__name__), "message": str(error)}
        gc.collect()  # confluent-kafka closes what it has opened only once it is freed, and errors are parts of cycles
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
