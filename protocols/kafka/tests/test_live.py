"""What real clients say of what they did, beside what passed over the wire: producers, consumers, groups, transactions, administration."""

from __future__ import annotations

from typing import Any

import pytest

from l7codecs import Kind, Status

from .conftest import tool
from .heard import CALM, Heard, Stored, headers, topic_id

pytestmark = pytest.mark.interop

CLIENTS = [
    "java",
    "confluent",
    "aiokafka",
    "kafka_python",
    "franz_go",
    "kafka_go",
    "sarama",
    "kafkajs",
    "platformatic",
]
CODECS = {"kafkajs": ("gzip",), "platformatic": ("gzip", "snappy", "lz4")}
"""What a client compresses with, where it is not all: zstd of platformatic asks for Node 22."""
COMPRESSING = [(client, codec) for client in CLIENTS for codec in CODECS.get(client, ("gzip", "snappy", "lz4", "zstd"))]
TRANSACTING = [client for client in CLIENTS if client != "kafka_go"]
WORDS = [
    {"partition": 0, "key": "a", "value": "first", "headers": {"trace": "1", "kind": "x"}},
    {"partition": 1, "key": None, "value": "second"},
    {"partition": 1, "key": "b", "value": ""},
    {"partition": 0, "key": "", "value": "ünïcode"},
]
NULL = {"partition": 1, "key": "gone", "value": None}


def asked(records: list[dict[str, Any]], sent: list[list[int]]) -> list[dict[str, Any]]:
    """How these records are described where they stand."""
    found = []
    for record, (partition, offset) in zip(records, sent, strict=True):
        each = {"partition": partition, "offset": offset, "key": record.get("key"), "value": record.get("value")}
        found.append({**each, **({"headers": record["headers"]} if "headers" in record else {})})
    return sorted(found, key=lambda each: (each["partition"], each["offset"]))


def described(stored: list[Stored]) -> list[dict[str, Any]]:
    return sorted((each.described() for each in stored), key=lambda each: (each["partition"], each["offset"]))


def records_for(client: str) -> list[dict[str, Any]]:
    # kafka-go takes an empty key or value for none.
    return [*WORDS[:2], NULL] if client == "kafka_go" else [*WORDS, NULL]


@pytest.mark.parametrize("client", CLIENTS)
def test_produce(stage: Any, client: str) -> None:
    topic, records = stage.topic(), records_for(client)
    with stage.hear() as recordings:
        said = stage.ask(client, "produce", topic=topic, records=records)
    heard = Heard.of(recordings)
    heard.check()
    stored = heard.produced(topic)
    assert described(stored) == asked(records, said["sent"])
    assert {each.batch.compression for each in stored} == {"none"}
    for call in heard.named("Produce"):
        assert call.request.resources == call.response.resources == (topic,)
        attributes = call.request.attributes
        assert attributes["messaging.destination.name"] == topic
        assert attributes["kafka.acks"] == (1 if client == "aiokafka" else -1)
        assert call.request.kind is Kind.REQUEST and call.response.status is Status.OK
        assert call.response.attributes["kafka.error_codes"] == (0,)
        assert set(attributes["kafka.partitions"]) == {
            part["Index"] for topic_ in call.asked()["TopicData"] for part in topic_["PartitionData"]
        }


@pytest.mark.parametrize(("client", "codec"), COMPRESSING)
def test_compression(stage: Any, client: str, codec: str) -> None:
    module = tool("stage")
    topic = stage.topic(1)
    records = [{"partition": 0, "key": f"k{number}", "value": module.TEXT * 3} for number in range(4)]
    with stage.hear() as recordings:
        said = stage.ask(
            client, "produce", topic=topic, records=records, options=module.compression_options(client, codec)
        )
    heard = Heard.of(recordings)
    heard.check()
    stored = heard.produced(topic)
    assert {each.batch.compression for each in stored} == {codec}
    # kafka-go tells of a record by its value only.
    assert described(stored) == asked(records, sorted(said["sent"]))


@pytest.mark.parametrize("client", CLIENTS)
def test_no_answers(stage: Any, client: str) -> None:
    """acks=0: a request that gets no answer, among others that do."""
    topic = stage.topic()
    options = tool("stage").acks_options(client, 0)
    with stage.hear() as recordings:
        stage.ask(client, "produce", topic=topic, records=WORDS[:2], options=options)
    heard = Heard.of(recordings)
    heard.check()
    produced = heard.named("Produce")
    assert produced and all(call.request.kind is Kind.ONEWAY and call.response is None for call in produced)
    assert all(call.request.attributes["kafka.acks"] == 0 for call in produced)
    stored = heard.produced(topic)
    assert sorted(text for each in stored if (text := each.described()["value"])) == ["first", "second"]
    # What came after it on the same connection is answered, and as what it is.
    assert all(call.response is not None for call in heard.calls if call.operation != "Produce")


@pytest.mark.parametrize(
    ("client", "options"),
    [
        *((client, {}) for client in CLIENTS),
        ("java", {"group.protocol": "consumer"}),
        ("confluent", {"group.protocol": "consumer"}),
        ("platformatic", {"group.protocol": "consumer"}),
    ],
    ids=[*CLIENTS, "java-consumer", "confluent-consumer", "platformatic-consumer"],
)
def test_group(stage: Any, client: str, options: dict[str, str]) -> None:
    topic = stage.topic()
    group = f"group-of-{topic}"
    sent = stage.ask("java", "produce", topic=topic, records=WORDS)["sent"]
    with stage.hear() as recordings:
        said = stage.ask(client, "consume", topic=topic, group=group, count=len(WORDS), options=options)
    heard = Heard.of(recordings)
    heard.check(cut=True)  # a fetch may wait when its client goes
    got = sorted(said["records"], key=lambda each: (each["partition"], each["offset"]))
    seen = described(heard.fetched(topic))
    assert seen == asked(WORDS, sent)
    if client == "kafka_go":  # which takes an empty key or value for none
        seen = [{**each, "key": each["key"] or None, "value": each["value"] or None} for each in seen]
    assert got == seen
    commits = heard.named("OffsetCommit")
    told = {}
    for call in commits:
        assert call.request.attributes["messaging.consumer.group.name"] == group
        assert call.request.resources == (topic,)
        assert [(result.topic, result.error_code) for result in call.response.results()] == [(topic, 0)] * len(
            call.response.results()
        )
        told.update(
            {
                str(part["PartitionIndex"]): part["CommittedOffset"]
                for each in call.asked()["Topics"]
                for part in each["Partitions"]
            }
        )
    assert told == said["committed"] and told
    joins = heard.named("ConsumerGroupHeartbeat" if options else "JoinGroup")
    assert joins and {call.request.attributes["messaging.consumer.group.name"] for call in joins} == {group}
    if not options:
        # The subscription in what members tell each other, and the partitions that each of them is given.
        assert {call.request.resources for call in joins} == {(topic,)}
        given = [call.response for call in heard.named("SyncGroup") if call.response.status is Status.OK]
        # kafka-python's first generation gives nobody anything.
        assert {each for answer in given for each in answer.resources} == {topic}
        assert {part for answer in given for part in answer.attributes.get("kafka.partitions", ())} == {0, 1}
    members = {call.response.attributes.get("kafka.member_id") for call in joins} | {
        call.request.attributes.get("kafka.member_id") for call in joins
    }
    if "member" in said:
        assert said["member"] in members
    assert (heard.named("JoinGroup") == []) == bool(options)
    # sarama looks for the topic of all groups where there was no group yet.
    assert set(heard.errors()) <= CALM | ({"UNKNOWN_TOPIC_OR_PARTITION"} if client == "sarama" else set())


@pytest.mark.parametrize("client", ["java", "confluent", "aiokafka", "kafka_python", "franz_go", "kafka_go", "sarama"])
def test_fetch_what_all_compress(stage: Any, client: str, mixed: tuple[str, list[dict[str, Any]]]) -> None:
    """Batches of all producers in all compressions, in one answer. (What would not become smaller is not compressed by some.)"""
    topic, records = mixed
    with stage.hear() as recordings:
        said = stage.ask(client, "consume", topic=topic, count=len(records))
    heard = Heard.of(recordings)
    heard.check(cut=True)
    stored = heard.fetched(topic)
    assert described(stored) == said["records"] == records
    assert {each.batch.compression for each in stored} == {"gzip", "snappy", "lz4", "zstd"}
    assert any(call.request.attributes.get("l7.blocks") for call in heard.named("Fetch"))


@pytest.fixture(scope="module")
def mixed(stage: Any) -> tuple[str, list[dict[str, Any]]]:
    module = tool("stage")
    topic = stage.topic(1)
    expected = []
    for client in module.PRODUCERS:
        for codec in module.CODECS:
            records = [
                {"partition": 0, "key": f"{client} {codec} {number}", "value": f"{number} {module.TEXT * 5}"}
                for number in range(3)
            ]
            said = stage.ask(
                client, "produce", topic=topic, records=records, options=module.compression_options(client, codec)
            )
            expected += asked(records, said["sent"])
    return topic, expected


@pytest.mark.parametrize("client", TRANSACTING)
def test_transactions(stage: Any, client: str) -> None:
    topic = stage.topic(1)
    name = f"payments-{topic}"
    rounds = [
        {"records": [{"partition": 0, "value": "in"}], "commit": True},
        {"records": [{"partition": 0, "value": "out"}], "commit": False},
    ]
    with stage.hear() as recordings:
        said = stage.ask(client, "transact", topic=topic, id=name, rounds=rounds)
    heard = Heard.of(recordings)
    heard.check()
    # What is refused while the transaction before is not yet over is sent again.
    stored = [each for each in heard.produced(topic) if each.offset >= 0]
    assert [[each.partition, each.offset] for each in stored] == [place for sent in said["rounds"] for place in sent]
    assert all(each.batch.transactional for each in stored)
    ends = heard.named("EndTxn")
    # A client asks again where the one before is not yet over.
    settled = [call for call in ends if call.response.status is Status.OK]
    assert [call.asked()["Committed"] for call in settled] == [True, False]
    for call in [*ends, *heard.named("Produce", "AddPartitionsToTxn")]:
        assert call.request.attributes["kafka.transactional_id"] == name
        assert call.request.pins == "transaction"
    newer = all(call.request.version >= 5 for call in ends)
    assert (heard.named("AddPartitionsToTxn") == []) == newer
    read = stage.ask(
        "java", "consume", topic=topic, count=2, patience=700, options={"isolation.level": "read_committed"}
    )["records"]
    assert [each["value"] for each in read] == ["in"]


def test_transaction_with_offsets(stage: Any) -> None:
    topic = stage.topic(1)
    rounds = [{"records": [{"partition": 0, "value": "in"}], "commit": True, "group": f"group-{topic}", "offset": 1}]
    with stage.hear() as recordings:
        stage.ask("java", "transact", topic=topic, id=f"with-offsets-{topic}", rounds=rounds)
    heard = Heard.of(recordings)
    heard.check()
    (commit,) = heard.named("TxnOffsetCommit")
    assert commit.request.attributes["messaging.consumer.group.name"] == f"group-{topic}"
    assert commit.request.resources == (topic,)
    (found,) = stage.ask("java", "admin", steps=[["committed", f"group-{topic}"]])["steps"]
    assert found == {f"{topic}-0": 1}


@pytest.mark.parametrize("explicit", [False, True], ids=["implicit", "explicit"])
def test_share_group(stage: Any, explicit: bool) -> None:
    topic = stage.topic()
    sent = stage.ask("java", "produce", topic=topic, records=WORDS)["sent"]
    with stage.hear() as recordings:
        said = stage.ask("java", "share", topic=topic, group=f"share-{topic}", count=len(WORDS), explicit=explicit)
    heard = Heard.of(recordings)
    heard.check()
    assert (
        sorted(said["records"], key=lambda each: (each["partition"], each["offset"]))
        == described(heard.fetched(topic))
        == asked(WORDS, sent)
    )
    fetches = heard.named("ShareFetch")
    assert {
        call.request.attributes["messaging.consumer.group.name"]
        for call in heard.named("ShareFetch", "ShareAcknowledge")
    } == {f"share-{topic}"}
    # The first names its topic (by id); those that only continue the session name none, and are of it all the same.
    assert [call.request.resources for call in fetches] == [(topic,)] * len(fetches)
    assert fetches[0].request.attributes["kafka.session_epoch"] == 0
    beats = heard.named("ShareGroupHeartbeat")
    assert beats[-1].asked()["MemberEpoch"] == -1
    codes = [code for call in heard.named("ShareFetch", "ShareAcknowledge") for each in call.asked()["Topics"]
             for part in each["Partitions"] for batch in part["AcknowledgementBatches"] for code in batch["AcknowledgeTypes"]]  # fmt: skip
    # 1 accepts, 3 rejects; a batch of several may say it once.
    assert codes and set(codes) == ({1, 3} if explicit else {1})


@pytest.mark.parametrize("protocol", ["classic", "streams"])
def test_streams(stage: Any, protocol: str) -> None:
    """Kafka Streams counts words across a topic of its own: what it says that it counted is what it wrote."""
    source, target = stage.topic(1), stage.topic(1)
    name = f"counting-{source}"
    words = ["a", "b", "a", "c", "a", "b"]
    stage.ask("java", "produce", topic=source, records=[{"partition": 0, "value": word} for word in words])
    with stage.hear() as recordings:
        options = {"group.protocol": protocol}
        said = stage.ask("java", "stream", topic=source, target=target, group=name, count=len(words), options=options)
    assert sorted(said["counts"]) == [["a", "1"], ["a", "2"], ["a", "3"], ["b", "1"], ["b", "2"], ["c", "1"]]
    heard = Heard.of(recordings)
    heard.check(cut=True)
    stored = [each.described() for each in heard.produced(target)]
    assert [[each["key"], each["value"]] for each in stored] == said["counts"]
    own = f"{name}-by-value-repartition"
    assert sorted(str(each.described()["value"]) for each in heard.produced(own)) == sorted(words)
    joins = heard.named("StreamsGroupHeartbeat" if protocol == "streams" else "JoinGroup")
    assert joins and {call.request.attributes["messaging.consumer.group.name"] for call in joins} == {name}
    told = {topic for call in joins for topic in call.request.resources}
    assert {source, own} <= told
    if protocol == "classic":
        given = [call.response for call in heard.named("SyncGroup") if call.response.status is Status.OK]
        assert {topic for answer in given for topic in answer.resources} == {source, own}
    assert {source, own} <= {topic for call in heard.named("Fetch") for topic in call.request.resources}
    # Its own topic is asked for before it is there.
    assert set(heard.errors()) <= CALM | {"UNKNOWN_TOPIC_OR_PARTITION"}


STEPS = [
    ["create", "NEW:2:1", "TOPIC:1:1", "bad:1:9"], ["describe", "TOPIC", "none"], ["cluster"], ["topics"], ["config", "none"],
    ["set", "TOPIC", "cleanup.policy", "wrong"], ["set", "TOPIC", "retention.ms", "100000"], ["partitions", "TOPIC", "3"],
    ["partitions", "TOPIC", "1"], ["reassign", "TOPIC", "0", "7"], ["offsets", "TOPIC"], ["truncate", "TOPIC", "0"], ["groups"],
    ["describe-groups", "none"], ["delete-groups", "none"], ["producers", "TOPIC"], ["transactions"], ["log-dirs"], ["features"],
    ["quorum"], ["users"], ["acls"], ["delete", "NEW", "none"],
]  # fmt: skip
ADMINISTRATION = {
    "CreateTopics", "DescribeTopicPartitions", "DescribeCluster", "Metadata", "DescribeConfigs", "IncrementalAlterConfigs",
    "CreatePartitions", "AlterPartitionReassignments", "ListOffsets", "DeleteRecords", "ListGroups", "ConsumerGroupDescribe",
    "DeleteGroups", "DescribeAcls",
    "DescribeProducers", "ListTransactions", "DescribeLogDirs", "ApiVersions", "DescribeQuorum", "DescribeUserScramCredentials",
    "DeleteTopics", "FindCoordinator", "DescribeGroups",
}  # fmt: skip


def failures(steps: list[dict[str, Any]]) -> list[str]:
    """The errors that a client told, in its order."""
    return [
        each for step in steps for each in step.values() if isinstance(each, str) and each.isupper() and "_" in each
    ]


def test_administration(stage: Any) -> None:
    topic = stage.topic(1)
    steps = [[word.replace("TOPIC", topic).replace("NEW", f"new-{topic}") for word in step] for step in STEPS]
    with stage.hear() as recordings:
        said = stage.ask("java", "admin", steps=steps)["steps"]
    heard = Heard.of(recordings)
    heard.check()
    assert set(heard.operations) == ADMINISTRATION
    # A group of no kind at all is asked for twice, as one of either protocol.
    assert sorted(heard.errors()) == sorted([*failures(said), "GROUP_ID_NOT_FOUND"])
    (created,) = heard.named("CreateTopics")
    assert created.response.error == "TOPIC_ALREADY_EXISTS" or created.response.error == "INVALID_REPLICATION_FACTOR"
    assert created.response.attributes["kafka.error_codes"] == (0, 36, 38)
    assert {result.topic: result.error for result in created.response.results()} == {
        f"new-{topic}": None, topic: "TOPIC_ALREADY_EXISTS", "bad": "INVALID_REPLICATION_FACTOR"
    }  # fmt: skip
    assert set(created.request.resources) == {f"new-{topic}", topic, "bad"}
    ids = {each["Name"]: each["TopicId"] for each in created.told()["Topics"]}
    assert ids[f"new-{topic}"] == topic_id(said[0][f"new-{topic}"])
    (moved,) = heard.named("AlterPartitionReassignments")  # 0 at its top, the failure in the partition
    assert moved.told()["ErrorCode"] == 0 and moved.response.error == "INVALID_REPLICA_ASSIGNMENT"
    cluster = heard.named("DescribeCluster")[-1]
    assert cluster.told()["ClusterId"] == said[2]["id"]
    assert [[each["BrokerId"], each["Host"], each["Port"]] for each in cluster.told()["Brokers"]] == said[2]["nodes"]
    listed = [call for call in heard.named("Metadata") if call.response.resources]
    assert any(set(call.response.resources) >= set(said[3]["names"]) for call in listed)
    assert all(
        call.request.attributes["l7.access"] == "admin"
        for call in heard.named("CreateTopics", "DeleteTopics", "DescribeConfigs", "ListGroups")
    )


@pytest.mark.parametrize("client", CLIENTS[1:])
def test_errors(stage: Any, client: str) -> None:
    topic = stage.topic(1)
    with stage.hear() as recordings:
        said = stage.ask(
            client,
            "admin",
            steps=[
                ["create", f"{topic}:1:1"],
                ["create", f"bad-{topic}:1:9"],
                ["delete", f"none-{topic}"],
                ["topics"],
                ["groups"],
            ],
        )
    heard = Heard.of(recordings)
    heard.check()
    errors = {"TOPIC_ALREADY_EXISTS", "INVALID_REPLICATION_FACTOR", "UNKNOWN_TOPIC_OR_PARTITION"}
    assert set(heard.errors()) == errors
    results = [
        result
        for call in heard.named("CreateTopics", "DeleteTopics")
        for result in call.response.results()
        if result.error
    ]
    assert {result.topic: result.error for result in results} == {
        topic: "TOPIC_ALREADY_EXISTS", f"bad-{topic}": "INVALID_REPLICATION_FACTOR", f"none-{topic}": "UNKNOWN_TOPIC_OR_PARTITION"
    }  # fmt: skip
    assert set(failures(said["steps"])) == errors
    listed = [name for name in said["steps"][3]["names"] if not name.startswith("__")]
    assert any(set(call.response.resources) >= set(listed) for call in heard.named("Metadata"))


def test_a_broker_is_a_client_of_itself(stage: Any) -> None:
    """What the share groups and transactions of a broker make it say to itself."""
    stage.ask(
        "java",
        "transact",
        topic=stage.topic(1),
        id="again",
        rounds=[{"records": [{"partition": 0, "value": "in"}], "commit": True}],
    )
    recordings = list(stage.relays["INTERNAL"].recordings)
    heard = Heard.of(recordings)
    heard.check(cut=True)
    assert {"AddPartitionsToTxn", "WriteTxnMarkers"} <= set(heard.operations)
    assert all(call.request.attributes["kafka.internal"] for call in heard.named("WriteTxnMarkers"))
    assert {call.request.client_id for call in heard.named("AddPartitionsToTxn")} == {"AddPartitionsManager-client-1"}
    assert headers(recordings[0].octets(tool("stage").Sender.CLIENT))
