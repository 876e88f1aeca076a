"""What real clients make of answers that a proxy gives in the broker's place: they try again where that is said, and fail where not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Message, Sender, Session, Status
from l7codecs_kafka import KafkaChanges, Nodes

pytestmark = pytest.mark.interop

Refuses = Callable[[Message], "Status | None"]
PRODUCERS = ("java", "confluent", "aiokafka", "kafka_python", "franz_go")


class Proxy:
    """Stands before one broker, and answers what `refuses` says with that status."""

    def __init__(self, broker: int, refuses: Refuses) -> None:
        self.broker = broker
        self.refuses = refuses
        self.port = 0
        self.refused: list[str | None] = []
        self.changes: KafkaChanges | None = None

    async def run(self, begun: threading.Event, ends: asyncio.Event) -> None:
        listener = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self.changes = KafkaChanges(nodes=Nodes(address=lambda node, host, port: ("127.0.0.1", self.port)))
        begun.set()
        await ends.wait()
        listener.close()
        await asyncio.sleep(0.2)  # what was accepted at the end is served, too
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        tasks: list[asyncio.Task[None]] = []
        try:
            answers, asks = await asyncio.open_connection("127.0.0.1", self.broker)
            writers.append(asks)
            down = l7codecs.open_session("kafka", endpoint=Sender.SERVER)
            up = l7codecs.open_session("kafka", endpoint=Sender.CLIENT)
            tasks = [
                asyncio.create_task(self.requests(reader, writer, down, asks, up)),
                asyncio.create_task(self.answers(answers, writer, down, up)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the test ends
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for each in writers:
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        down: Session,
        asks: asyncio.StreamWriter,
        up: Session,
    ) -> None:
        while octets := await reader.read(65536):
            for event in down.receive(Sender.CLIENT, octets):
                status = self.refuses(event) if isinstance(event, Message) and event.kind is Kind.REQUEST else None
                if isinstance(event, Message) and status is not None:
                    self.refused.append(event.operation)
                    writer.write(down.reply_error(event, status, "refused by a proxy"))
                else:
                    up.put(event, self.changes if isinstance(event, Message) else None)
            asks.write(up.pending_output())
            await asks.drain()

    async def answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, down: Session, up: Session
    ) -> None:
        while octets := await reader.read(65536):
            for event in up.receive(Sender.SERVER, octets):
                down.put(event, self.changes if isinstance(event, Message) else None)
            writer.write(down.pending_output())
            await writer.drain()


@contextmanager
def proxied(broker: int, refuses: Refuses) -> Iterator[Proxy]:
    proxy = Proxy(broker, refuses)
    begun = threading.Event()
    loop = asyncio.new_event_loop()
    ends = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.run(begun, ends)))
    thread.start()
    begun.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(10)
        loop.close()


def twice(status: Status, *operations: str) -> Refuses:
    """Refuse each of `operations` the first two times."""
    seen = dict.fromkeys(operations, 0)

    def refuses(request: Message) -> Status | None:
        name = request.operation
        if name not in seen or seen[name] >= 2:
            return None
        seen[name] += 1
        return status

    return refuses


@pytest.mark.parametrize(
    ("client", "status"),
    [(client, Status.UNAVAILABLE) for client in PRODUCERS]
    + [("java", Status.DEADLINE_EXCEEDED), ("confluent", Status.DEADLINE_EXCEEDED)],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_a_producer_tries_again(stage: Any, client: str, status: Status) -> None:
    """Metadata, InitProducerId and Produce are refused twice each; the record is stored once."""
    topic = stage.topic(1)
    with proxied(stage.broker.ports["CLIENTS"], twice(status, "Produce", "InitProducerId")) as proxy:
        said = stage.peer(client).ask(
            "produce", to=f"127.0.0.1:{proxy.port}", topic=topic, records=[{"partition": 0, "value": "v"}]
        )
    assert said["sent"] == [[0, 0]]
    assert proxy.refused.count("Produce") == 2


@pytest.mark.parametrize("client", PRODUCERS)
def test_a_producer_gives_up(stage: Any, client: str) -> None:
    topic = stage.topic(1)

    def refuses(request: Message) -> Status | None:
        return Status.PERMISSION_DENIED if request.operation == "Produce" else None

    with proxied(stage.broker.ports["CLIENTS"], refuses) as proxy:
        said = stage.peer(client).ask(
            "produce", to=f"127.0.0.1:{proxy.port}", topic=topic, records=[{"partition": 0, "value": "v"}]
        )
    assert "TOPIC_AUTHORIZATION_FAILED" in str(said).upper().replace("TOPICAUTHORIZATION", "TOPIC_AUTHORIZATION_")
    assert proxy.refused == ["Produce"]


@pytest.mark.parametrize("client", ["java", "confluent", "aiokafka", "kafka_python", "franz_go"])
def test_a_group_goes_on(stage: Any, client: str) -> None:
    """Whatever a consumer of a group asks for is refused twice, and it reads and commits all the same."""
    topic = stage.topic(1)
    records = [{"partition": 0, "value": f"v{number}"} for number in range(3)]
    stage.peer("java").ask("produce", to=stage.plain, topic=topic, records=records)
    asked = ("FindCoordinator", "JoinGroup", "SyncGroup", "OffsetFetch", "ListOffsets", "Fetch", "OffsetCommit")
    with proxied(stage.broker.ports["CLIENTS"], twice(Status.UNAVAILABLE, *asked)) as proxy:
        said = stage.peer(client).ask(
            "consume", to=f"127.0.0.1:{proxy.port}", topic=topic, group=f"refused-{topic}", count=3, patience=40_000
        )
    assert len(said.get("records", ())) == 3, (said, proxy.refused)
    assert proxy.refused.count("Fetch") == 2 and proxy.refused.count("FindCoordinator") == 2


@pytest.mark.parametrize("client", PRODUCERS)
def test_a_transaction_goes_on(stage: Any, client: str) -> None:
    topic = stage.topic(1)
    asked = ("FindCoordinator", "InitProducerId", "AddPartitionsToTxn", "Produce", "EndTxn")
    rounds = [{"records": [{"partition": 0, "value": "kept"}], "commit": True}]
    with proxied(stage.broker.ports["CLIENTS"], twice(Status.UNAVAILABLE, *asked)) as proxy:
        said = stage.peer(client).ask(
            "transact", to=f"127.0.0.1:{proxy.port}", topic=topic, id=f"refused-{topic}", rounds=rounds
        )
    assert "error" not in said, (said, proxy.refused)
    assert proxy.refused.count("EndTxn") == 2 and proxy.refused.count("Produce") == 2
    read = stage.peer("java").ask(
        "consume", to=stage.plain, topic=topic, count=1, options={"isolation.level": "read_committed"}
    )
    assert [record["value"] for record in read["records"]] == ["kept"]
