"""Record the vectors of this room from real peers: ``python protocols/kafka/tools/record.py [name…]``.

Each is one connection, as a relay on the loopback has heard it between a client of `peers` and a broker of `broker`, and goes to
``vectors/<name>.txt``. Needs what these two need (Java, Maven, Go, node and npm; confluent-kafka, aiokafka and kafka-python).
"""

# ruff: noqa: E501
from __future__ import annotations

import base64
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from broker import NEWEST, OLDER, PLAIN_USERS, SCRAM_USERS, Broker
from peers import Peer
from stage import CODECS, PRODUCERS, TEXT, Stage, compression_options, keys, sasl_options

from l7codecs.testing import Recording, Relay

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SIZE_LIMIT = 60_000
"""Octets of one vector; a longer one is a mistake."""

PRODUCE, FETCH, LIST_OFFSETS, METADATA, FIND_COORDINATOR, JOIN_GROUP = 0, 1, 2, 3, 10, 11
SASL_HANDSHAKE, API_VERSIONS, CREATE_TOPICS, END_TXN, WRITE_TXN_MARKERS = 17, 18, 19, 26, 27
ADD_PARTITIONS_TO_TXN, SASL_AUTHENTICATE, GROUP_HEARTBEAT, SHARE_HEARTBEAT, SHARE_FETCH = 24, 36, 68, 76, 78
WRITE_SHARE_GROUP_STATE, STREAMS_GROUP_HEARTBEAT = 85, 88


def values(*texts: str, partition: int = 0) -> list[dict[str, object]]:
    """Records of one partition."""
    return [{"partition": partition, "key": f"k{number}", "value": each} for number, each in enumerate(texts)]


ORDERS = [
    {"partition": 0, "key": "a", "value": "first", "headers": {"trace": "1", "empty": ""}},
    {"partition": 1, "value": "second"},
    {"partition": 1, "key": "b"},
]

Found = dict[str, Recording]


def java_plain(stage: Stage) -> Found:
    """A producer, and a consumer of either protocol of groups."""
    topic = stage.topic()
    with stage.hear(None, PRODUCE) as produced:
        stage.ask("java", "produce", topic=topic, records=ORDERS)
    with stage.hear(JOIN_GROUP, FETCH) as classic:
        stage.ask("java", "consume", topic=topic, group="classic", count=3)
    with stage.hear(GROUP_HEARTBEAT, FETCH) as newer:
        stage.ask("java", "consume", topic=topic, group="newer", count=3, options={"group.protocol": "consumer"})
    return {
        "java-bootstrap": produced[0], "java-produce": produced[1], "java-classic-group": classic[0],
        "java-classic-fetch": classic[1], "java-consumer-group": newer[0], "java-consumer-fetch": newer[1],
    }  # fmt: skip


def java_share(stage: Stage) -> Found:
    """Consumers of share groups, and what the broker keeps of these."""
    topic = stage.topic()
    stage.ask("java", "produce", topic=topic, records=ORDERS)
    with stage.hear(SHARE_HEARTBEAT, SHARE_FETCH) as implicit:
        stage.ask("java", "share", topic=topic, group="shared", count=3)
    with stage.hear(SHARE_FETCH) as explicit:
        stage.ask("java", "share", topic=topic, group="explicit", count=3, explicit=True)
    kept = next(each for each in stage.relays["INTERNAL"].recordings if WRITE_SHARE_GROUP_STATE in keys(each))
    return {"broker-keeps-shares": kept, "java-share-group": implicit[0], "java-share-fetch": implicit[1],
            "java-share-explicit": explicit[0]}  # fmt: skip


def java_transaction(stage: Stage) -> Found:
    """A transaction that is committed, and one that is not; what the broker says to itself for them."""
    topic = stage.topic()
    rounds = [
        {"records": values("in"), "commit": True, "group": "g", "offset": 1},
        {"records": values("out"), "commit": False},
    ]
    with stage.hear(END_TXN) as heard:
        stage.ask("java", "transact", topic=topic, id="payments", rounds=rounds)
    internal = [each for each in stage.relays["INTERNAL"].recordings if ADD_PARTITIONS_TO_TXN in keys(each)]
    markers = [each for each in stage.relays["INTERNAL"].recordings if WRITE_TXN_MARKERS in keys(each)]
    assert internal and markers
    return {"java-transaction": heard[0], "broker-adds-partitions": internal[0], "broker-writes-markers": markers[0]}


def java_admin(stage: Stage) -> Found:
    """Administration, most of which fails."""
    name = stage.topic()
    steps = [
        ["create", "made:1:1", f"{name}:1:1", "bad:1:9"], ["describe", "made", "none"], ["cluster"], ["config", "none"],
        ["set", name, "cleanup.policy", "wrong"], ["set", name, "retention.ms", "100000"], ["partitions", name, "3"], ["partitions", name, "1"],
        ["reassign", name, "0", "7"], ["offsets", name], ["truncate", name, "0"], ["groups"], ["describe-groups", "none"],
        ["delete-groups", "none"], ["producers", name], ["transactions"], ["log-dirs"], ["quorum"], ["users"], ["acls"], ["delete", "made", "none"],
    ]  # fmt: skip
    with stage.hear(CREATE_TOPICS) as heard:
        stage.ask("java", "admin", steps=steps)
    return {"java-admin": heard[0]}


def java_acks_0(stage: Stage) -> Found:
    """A producer that wants no answers."""
    topic = stage.topic()
    with stage.hear(PRODUCE) as heard:
        stage.ask("java", "produce", topic=topic, records=ORDERS, options={"acks": "0", "enable.idempotence": "false"})
    return {"java-acks-0": heard[0]}


def java_sasl(stage: Stage) -> Found:
    """SASL: again in mid-connection, with a wrong word, with an unknown mechanism."""
    topic = stage.topic()
    (alice,) = PLAIN_USERS.items()
    (carol,) = SCRAM_USERS.items()
    twice = [{"partition": 0, "value": "one", "pause": 2500}, {"partition": 0, "value": "two"}]
    with stage.hear(PRODUCE, listener="AGAIN") as again:
        stage.ask("java", "produce", "AGAIN", topic=topic, records=twice, options=sasl_options("java", "PLAIN", *alice))
    with stage.hear(PRODUCE, listener="SASL") as scram:
        stage.ask(
            "java",
            "produce",
            "SASL",
            topic=topic,
            records=ORDERS,
            options=sasl_options("java", "SCRAM-SHA-512", *carol),
        )
    with stage.hear(SASL_AUTHENTICATE, listener="SASL") as wrong:
        options = {**sasl_options("java", "PLAIN", "alice", "wrong"), "max.block.ms": "2000"}
        stage.ask("java", "admin", "SASL", topic=topic, steps=[["topics"]], options=options)
    with stage.hear(SASL_HANDSHAKE, listener="SASL") as unknown:
        options = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "OAUTHBEARER", "sasl.username": "a",
                   "sasl.password": "b", "sasl.oauthbearer.config": "principal=a", "enable.sasl.oauthbearer.unsecure.jwt": "true",
                   "socket.timeout.ms": "1000", "message.timeout.ms": "1500"}  # fmt: skip
        stage.ask("confluent", "produce", "SASL", topic=topic, records=values("x"), options=options)
    with stage.hear(PRODUCE, listener="SASL") as confluent:
        options = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": carol[0],
                   "sasl.password": carol[1]}  # fmt: skip
        stage.ask("confluent", "produce", "SASL", topic=topic, records=ORDERS, options=options)
    return {
        "java-sasl-again": again[0], "java-scram": scram[0], "java-sasl-wrong": wrong[0],
        "confluent-sasl-unknown": unknown[0], "confluent-scram": confluent[0],
    }  # fmt: skip


def of_client(peer: str, group: bool = True, transaction: bool = True) -> Callable[[Stage], Found]:
    """A producer, a consumer of a group, and a transaction."""

    def record(stage: Stage) -> Found:
        topic = stage.topic()
        name = peer.replace("_", "-")
        found: Found = {}
        with stage.hear(PRODUCE) as produced:
            stage.ask(peer, "produce", topic=topic, records=ORDERS)
        found[f"{name}-produce"] = produced[0]
        with stage.hear(JOIN_GROUP, FETCH) as heard:
            stage.ask(peer, "consume", topic=topic, group=f"of-{name}", count=3)
        if heard[0] is not heard[1]:
            found[f"{name}-group"] = heard[0]
        found[f"{name}-fetch"] = heard[1]
        if transaction:
            with stage.hear(END_TXN) as ended:
                rounds = [{"records": values("in"), "commit": True}, {"records": values("out"), "commit": False}]
                stage.ask(peer, "transact", topic=topic, id=f"of-{name}", rounds=rounds)
            found[f"{name}-transaction"] = ended[0]
        return found

    return record


def java_streams(stage: Stage) -> Found:
    """Kafka Streams, with a topic of its own, in the classic and in its own group protocol."""
    found: Found = {}
    for protocol, key in (("classic", JOIN_GROUP), ("streams", STREAMS_GROUP_HEARTBEAT)):
        topic, target = stage.topic(1), stage.topic(1)
        stage.ask("java", "produce", topic=topic, records=values("a", "b", "a"))
        with stage.hear(key) as heard:
            options = {"group.protocol": protocol}
            stage.ask(
                "java", "stream", topic=topic, target=target, group=f"counts-{protocol}", count=3, options=options
            )
        found[f"java-streams-{protocol}"] = heard[0]
    return found


def kafka_go(stage: Stage) -> Found:
    """As `of_client`, and a writer that wants no answers, which is its default."""
    topic = stage.topic()
    with stage.hear(PRODUCE) as heard:
        stage.ask("kafka_go", "produce", topic=topic, records=ORDERS[:2], options={"acks": "0"})
    return {"kafka-go-acks-0": heard[0], **of_client("kafka_go", transaction=False)(stage)}


def compressed(stage: Stage) -> Found:
    """What every producer compresses in every way, fetched at once."""
    topic = stage.topic(1)
    for peer in PRODUCERS:
        for codec in CODECS:
            records = [{"partition": 0, "key": f"{peer} {codec} {number}", "value": TEXT} for number in range(3)]
            stage.ask(peer, "produce", topic=topic, records=records, options=compression_options(peer, codec))
    with stage.hear(FETCH) as heard:
        stage.ask("java", "consume", topic=topic, count=3 * len(PRODUCERS) * len(CODECS))
    return {"java-fetch-compressed": heard[0]}


# ------------------------------------------------------------------------------------------------- octets of our own


def frame(
    key: int, version: int, correlation: int, body: bytes, client: bytes | None = b"raw", tags: bytes = b""
) -> bytes:
    """A request; `tags` is the end of a header of version 2."""
    name = struct.pack(">h", -1) if client is None else struct.pack(">h", len(client)) + client
    octets = struct.pack(">hhi", key, version, correlation) + name + tags + body
    return struct.pack(">i", len(octets)) + octets


def produce_0(topic: bytes) -> bytes:
    """The body of Produce v7 with acks=0 and an empty list of partitions' records that are null."""
    name = struct.pack(">h", len(topic)) + topic
    return struct.pack(">hhii", -1, 0, 1000, 1) + name + struct.pack(">iii", 1, 0, -1)


AGENT = b"\4raw\2\x31\0"  # name and version of the software, no tags
RAW: dict[str, tuple[str, list[bytes]]] = {
    # name: the listener, and what is sent, each when the one before is answered.
    "api-versions": ("CLIENTS", [
        frame(API_VERSIONS, 127, 1, AGENT, tags=b"\0"), frame(API_VERSIONS, -1, 2, b""), frame(API_VERSIONS, 3, 3, b"\1\1\0", tags=b"\0"),
        frame(API_VERSIONS, 5, 4, b"\4raw\2\x31\4abc\0\0\0\1\0", tags=b"\0"), frame(API_VERSIONS, 0, -1, b"") * 2,
        frame(API_VERSIONS, 4, -2147483648, AGENT, tags=b"\2\0\1x\7\2yz"), frame(API_VERSIONS, 2, 5, b"", None),
        frame(METADATA, 1, 6, struct.pack(">i", 0)),
    ]),
    "unknown-key": ("CLIENTS", [frame(METADATA, 0, 1, struct.pack(">i", 0)), frame(999, 0, 2, b"\0\0\0\1")]),
    "newer-version": ("CLIENTS", [frame(METADATA, 1, 1, struct.pack(">i", 0)), frame(METADATA, 99, 2, b"\1\0\0\0", tags=b"\0")]),
    "sasl-bare": ("SASL", [
        frame(SASL_HANDSHAKE, 0, 1, b"\0\5PLAIN"), struct.pack(">i", 19) + b"\0alice\0alice-secret",
        frame(API_VERSIONS, 0, 2, b""), frame(METADATA, 1, 3, struct.pack(">i", 0)),
    ]),
    "sasl-plain-listener": ("CLIENTS", [frame(SASL_HANDSHAKE, 1, 1, b"\0\5PLAIN"), frame(METADATA, 1, 2, struct.pack(">i", 0))]),
    "acks-0-nowhere": ("CLIENTS", [frame(METADATA, 1, 1, struct.pack(">i", 0)), frame(PRODUCE, 7, 2, produce_0(b"nowhere"))]),
    "waits-in-order": ("CLIENTS", [
        frame(FETCH, 4, 7, struct.pack(">iiiibi", -1, 700, 1, 1000, 0, 0)) + frame(API_VERSIONS, 0, 3, b"")
        + frame(FIND_COORDINATOR, 1, 3, b"\0\1g\0"),
    ]),
}  # fmt: skip


def raw(name: str) -> Callable[[Stage], Found]:
    """A conversation of `RAW`."""

    def record(stage: Stage) -> Found:
        listener, said = RAW[name]
        with stage.hear(None, listener=listener) as heard:
            relay = stage.relays[listener]
            with socket.create_connection((relay.host, relay.port), timeout=5) as connection:
                for octets in said:
                    connection.sendall(octets)
                    connection.settimeout(1.5)
                    with contextlib.suppress(TimeoutError):
                        while connection.recv(65536):
                            connection.settimeout(0.3)
        return {f"raw-{name}": heard[0]}

    return record


# ------------------------------------------------------------------------------------------------ more than one broker


def older() -> Found:
    """The newest clients before a broker that does not know the version with which they begin."""
    stage = Stage(OLDER)
    try:
        topic = stage.topic()
        with stage.hear(PRODUCE) as java:
            stage.ask("java", "produce", topic=topic, records=ORDERS)
        with stage.hear(None) as franz:
            stage.ask("franz_go", "produce", topic=topic, records=ORDERS)
        return {"java-to-3.9": java[0], "franz-go-to-3.9": franz[0]}
    finally:
        stage.close()


def several() -> Found:
    """What a broker says that is not the leader, and how one follows another."""
    with contextlib.ExitStack() as stack:
        first = Broker(brokers=2)
        second = Broker(node=2, voter=first, brokers=2)
        relays = []
        for each in (first, second):
            relays.append(stack.enter_context(Relay(("127.0.0.1", each.ports["INTERNAL"]))))
            each.advertised["INTERNAL"] = relays[-1].port
            stack.callback(each.close)
            each.start()
        first.wait(2)
        second.wait(2)
        java = stack.enter_context(Peer("java"))
        steps = [
            ["create", "copied:2:2", "alone:1:1"],
            ["describe", "alone"],
        ]  # of a copy any broker lets clients fetch
        _, asked = java.ask("admin", to=first.address, steps=steps)["steps"]
        java.ask("produce", to=first.address, topic="copied", records=ORDERS)
        uuid, _, leader = asked["alone"]
        with Relay(("127.0.0.1", (second if leader == 1 else first).ports["CLIENTS"])) as relay:
            fetch = (
                struct.pack(">iiibii", 500, 1, 10_000, 0, 0, -1) + b"\2" + base64.urlsafe_b64decode(uuid + "==") + b"\2"
                + struct.pack(">iiqiqi", 0, -1, 0, -1, -1, 10_000) + b"\0\0\1\1\0"
            )  # fmt: skip
            with socket.create_connection((relay.host, relay.port), timeout=5) as connection:
                connection.sendall(frame(FETCH, 18, 1, fetch, tags=b"\0"))
                connection.recv(65536)
            (heard,) = relay.wait_closed()
        for each in (second, first):
            each.stop()
        followed = [each for relay in relays for each in relay.recordings if keys(each)[:1] == [FETCH]]
        for each in followed:
            each.wait_closed()
        return {"raw-not-leader": heard, "broker-follows": min(followed, key=lambda each: each.to_vector().size)}


SINGLE: Sequence[Callable[[Stage], Found]] = (
    java_plain, java_share, java_transaction, java_admin, java_acks_0, java_sasl, of_client("confluent"), of_client("aiokafka"),
    of_client("kafka_python"), of_client("franz_go"), kafka_go, of_client("kafkajs"), compressed, *(raw(name) for name in RAW),
    of_client("sarama"), of_client("platformatic"), java_streams,
)  # fmt: skip


def source(name: str, versions: dict[str, str]) -> str:
    """What a vector's comment says."""
    broker = f"Apache Kafka {OLDER if name.endswith('3.9') else NEWEST}"
    client = next(
        (text for peer, text in versions.items() if name.startswith(peer.replace("_", "-") + "-")),
        "octets of record.py",
    )
    if name.startswith("broker-"):
        client = "the broker itself"
    return f"{broker}; {client}: python protocols/kafka/tools/record.py {name}"


def client_versions(stage: Stage) -> dict[str, str]:
    """What each client is, with its version, by the beginning of its vectors' names."""
    confluent, librdkafka = stage.peer("confluent").ask("versions")["versions"]
    (aiokafka,) = stage.peer("aiokafka").ask("versions")["versions"]
    (kafka_python,) = stage.peer("kafka_python").ask("versions")["versions"]
    modules = dict(line.split()[-2:] for line in (Path(__file__).parent / "peers" / "go.mod").read_text().splitlines() if " v" in line
                   and "indirect" not in line)  # fmt: skip
    return {
        "java": f"kafka-clients {NEWEST}", "confluent": f"confluent-kafka {confluent} (librdkafka {librdkafka})",
        "aiokafka": f"aiokafka {aiokafka}", "kafka_python": f"kafka-python {kafka_python}",
        "franz_go": f"franz-go {modules['github.com/twmb/franz-go']}", "kafka_go": f"kafka-go {modules['github.com/segmentio/kafka-go']}",
        "kafkajs": "kafkajs 2.2.4",
        "sarama": f"sarama {modules['github.com/IBM/sarama']}", "platformatic": "@platformatic/kafka 2.12.1",
    }  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Record those with these names, or all."""
    VECTORS.mkdir(exist_ok=True)
    stage = Stage()
    try:
        versions = client_versions(stage)
        for record in [*(lambda record=record: record(stage) for record in SINGLE), older, several]:
            begun = time.monotonic()
            for name, recording in record().items():
                vector = recording.to_vector(name)
                if (names and name not in names) or not vector.size:
                    continue
                assert vector.size <= SIZE_LIMIT, (name, vector.size)
                vector.save(VECTORS, source(name, versions))
                print(
                    f"{name}: {vector.size} octets, {[*keys(recording)] if 'bare' not in name else ''}"[:200],
                    flush=True,
                )
            print(f"({time.monotonic() - begun:.1f} s)", flush=True)
    finally:
        stage.close()


if __name__ == "__main__":
    main(sys.argv[1:])
