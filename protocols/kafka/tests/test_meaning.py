"""What messages say beside topics: outcomes, access, pins, what blocks, fields; and messages that cannot be read."""

from __future__ import annotations

import random
import runpy
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Data, Kind, Limits, ProtocolError, Status
from l7codecs_kafka import KafkaMessage, KafkaToken
from l7codecs_kafka._meaning.error_table import ERROR_NAMES, RETRIABLE
from l7codecs_kafka._meaning.errors import error_status
from l7codecs_kafka._schema.layouts import apis, layout

from .wire import C, S, answer, frame, opened, request, said

MILD = (Status.UNAVAILABLE, Status.ABORTED, Status.RESOURCE_EXHAUSTED)


def asked(name: str, version: int, **fields: object):  # type: ignore[no-untyped-def]
    return said(opened(), (C, request(name, version, 1, **fields)))[0]


def answered(name: str, version: int, **fields: object):  # type: ignore[no-untyped-def]
    return said(opened(), (C, request(name, version, 1)), (S, answer(name, version, 1, **fields)))[1]


def test_every_error_code_has_an_outcome() -> None:
    for code in ERROR_NAMES:
        assert (error_status(code) is Status.OK) == (code == 0)
        assert (error_status(code) is Status.UNKNOWN) == (code == -1), code
    assert error_status(12345) is Status.UNKNOWN


def test_what_is_normal_says_try_again() -> None:
    assert [error_status(code) for code in (79, 14, 15, 51)] == [Status.ABORTED] + [Status.UNAVAILABLE] * 3
    # What a client may try again as it is, by Kafka itself, is no outcome that says otherwise; a topic may still be created.
    others = {code for code in RETRIABLE if error_status(code) not in MILD}
    assert others == {2, 3, 7, 84, 100, 103}


def test_a_code_of_0_hides_no_other() -> None:
    reply = answered(
        "AlterPartitionReassignments",
        1,
        Responses=[{"Name": "t", "Partitions": [{"PartitionIndex": 3, "ErrorCode": 85, "ErrorMessage": "no"}]}],
    )
    assert (reply.error_codes, reply.error, reply.status) == ((0, 85), "NO_REASSIGNMENT_IN_PROGRESS", Status.NOT_FOUND)
    assert reply.attributes["kafka.error_codes"] == (0, 85)
    assert reply.attributes["kafka.error_message"] == "no"
    (top, item) = reply.results()
    assert (top.error_code, top.topic, top.partition) == (0, None, -1)
    assert (item.error, item.topic, item.partition, item.fields["ErrorMessage"]) == (
        "NO_REASSIGNMENT_IN_PROGRESS",
        "t",
        3,
        "no",
    )


def test_the_worst_outcome_and_the_first_error() -> None:
    partitions = [{"PartitionIndex": number, "ErrorCode": code} for number, code in enumerate((0, 6, 29, 0))]
    reply = answered("ListOffsets", 11, Topics=[{"Name": "t", "Partitions": partitions}])
    assert (reply.error, reply.status) == ("NOT_LEADER_OR_FOLLOWER", Status.PERMISSION_DENIED)
    assert reply.error_codes == (0, 6, 29)
    assert [result.partition for result in reply.results()] == [0, 1, 2, 3]


def test_an_error_that_is_not_known_is_its_number() -> None:
    reply = answered("Heartbeat", 4, ErrorCode=999)
    assert (reply.error, reply.status, reply.error_codes) == ("999", Status.UNKNOWN, (999,))


def test_access_pins_and_what_blocks() -> None:
    cases = [
        (("Produce", 13), {"Acks": -1}, ("write", None, False)),
        (("Produce", 13), {"Acks": -1, "TransactionalId": "t"}, ("write", "transaction", False)),
        (("InitProducerId", 5), {"TransactionalId": None}, ("write", None, False)),
        (("InitProducerId", 5), {"TransactionalId": "t"}, ("write", "transaction", False)),
        (("EndTxn", 5), {"TransactionalId": "t"}, ("write", "transaction", False)),
        (("DescribeTransactions", 0), {"TransactionalIds": ["t"]}, ("admin", None, False)),
        (("Fetch", 18), {"MaxWaitMs": 500, "MinBytes": 1}, ("read", None, True)),
        (("Fetch", 18), {"MaxWaitMs": 500, "MinBytes": 0}, ("read", None, False)),
        (("Fetch", 4), {"MaxWaitMs": 0, "MinBytes": 1}, ("read", None, False)),
        (("Fetch", 4), {"MaxWaitMs": 1, "MinBytes": 1}, ("read", None, True)),
        (("ShareFetch", 2), {"MaxWaitMs": 5, "MinBytes": 1}, ("write", "share session", True)),
        (("JoinGroup", 9), {}, ("write", None, True)),
        (("SyncGroup", 5), {}, ("write", None, True)),
        (("Heartbeat", 4), {}, ("read", None, False)),
        (("SaslHandshake", 1), {}, ("read", "authentication", False)),
        (("SaslAuthenticate", 2), {}, ("read", "authentication", False)),
        (("CreateTopics", 7), {}, ("admin", None, False)),
        (("DescribeConfigs", 4), {}, ("admin", None, False)),
    ]
    for (name, version), fields, (access, pins, blocks) in cases:
        event = asked(name, version, **fields)
        found = event.attributes
        assert (found["l7.access"], found.get("l7.pins"), found.get("l7.blocks", False)) == (access, pins, blocks), (
            name,
            fields,
        )
        assert (event.pins, event.blocks) == (pins, blocks)


def test_every_api_has_an_access() -> None:
    """And the words of the table are those of the definitions."""
    for each in apis():
        event = asked(each.name, each.highest)
        assert event.attributes["l7.access"] in ("read", "write", "admin")
        if each.listeners and "broker" not in each.listeners:
            assert event.attributes.get("kafka.internal") is True, each.name
    from l7codecs_kafka._meaning import access

    names = {each.name for each in apis()}
    assert access._READ | access._WRITE | access._INTERNAL | set(access._TYPES) <= names
    assert not access._READ & access._WRITE


def test_a_follower_is_internal() -> None:
    for fields in ({"ReplicaState": {"ReplicaId": 2}},):
        event = asked("Fetch", 18, **fields)
        assert (event.attributes["kafka.replica_id"], event.attributes["kafka.internal"]) == (2, True)
    assert asked("Fetch", 11, ReplicaId=2).attributes["kafka.internal"] is True
    assert "kafka.internal" not in asked("Fetch", 11, ReplicaId=-1).attributes


def test_fields_of_groups_and_transactions() -> None:
    found = asked("JoinGroup", 9, GroupId="g", MemberId="m", GroupInstanceId="i").attributes
    assert (found["messaging.consumer.group.name"], found["kafka.member_id"], found["kafka.group_instance_id"]) == (
        "g",
        "m",
        "i",
    )
    found = asked("DescribeGroups", 6, Groups=["a", "b"]).attributes
    assert (found["kafka.groups"], found.get("messaging.consumer.group.name")) == (("a", "b"), None)
    found = asked("FindCoordinator", 6, KeyType=0, CoordinatorKeys=["g"]).attributes
    assert found["messaging.consumer.group.name"] == "g"
    found = asked("FindCoordinator", 6, KeyType=1, CoordinatorKeys=["t"]).attributes
    assert (found["kafka.transactional_id"], found.get("kafka.groups")) == ("t", None)
    events = said(
        opened(),
        (C, request("FindCoordinator", 6, 1, KeyType=1, CoordinatorKeys=["t"])),
        (S, answer("FindCoordinator", 6, 1, Coordinators=[{"Key": "t", "NodeId": 4, "Host": "h", "Port": 9}])),
    )
    found = events[1].attributes
    assert (found["kafka.transactional_id"], found.get("kafka.groups"), found["kafka.hosts"]) == ("t", None, ("h:9",))
    found = answered("EndTxn", 5, ProducerId=7, ProducerEpoch=3).attributes
    assert (found["kafka.producer_id"], found["kafka.producer_epoch"]) == (7, 3)


def test_leaders_and_replicas() -> None:
    partitions = [{"PartitionIndex": 0, "LeaderId": 2, "LeaderEpoch": 5, "ReplicaNodes": [2, 3], "IsrNodes": [2]}]
    found = answered(
        "Metadata",
        13,
        ControllerId=9,
        Brokers=[{"NodeId": 2, "Host": "b", "Port": 19}],
        Topics=[{"Name": "t", "Partitions": partitions}],
    ).attributes
    assert (found["kafka.leader_ids"], found["kafka.replica_ids"], found["kafka.leader_epochs"]) == ((2,), (2, 3), (5,))
    assert (found["kafka.node_ids"], found["kafka.hosts"]) == ((2, 9, 3), ("b:19",))
    assert found["messaging.destination.partition.id"] == "0"


def test_a_client_id_that_is_null_or_empty_or_no_text() -> None:
    for octets, expected in ((None, None), (b"", ""), ("ä".encode(), "ä"), (b"\xff", "�")):
        (event,) = said(opened(), (C, request("ApiVersions", 2, 1, octets)))
        assert event.client_id == expected
        assert event.attributes.get("messaging.client.id") == expected


def test_client_ids_that_change_on_a_connection() -> None:
    """Each request has its own, however much that is like the one before."""
    ids = [
        b"producer-1",
        b"producer-2",
        b"producer-2",
        b"Producer-2",
        b"",
        b"12345678",
        b"12345679",
        b"2345678",
        b"1234567812345678",
    ]
    ids += [
        b"1234567812345670",
        None,
        b"1234567812345670",
        b"x" * 2000,
        b"x" * 1999 + b"y",
        b"x" * 2000,
        b"\xff" * 8,
        b"a",
    ]
    session = opened()
    found = said(session, *[(C, request("ApiVersions", 2, number, each)) for number, each in enumerate(ids)])
    assert [each.client_id for each in found] == [
        each if each is None else each.decode("utf-8", "replace") for each in ids
    ]


# What cannot be read.


def test_unknown_keys_newer_versions_and_broken_bodies_are_messages() -> None:
    head = (1).to_bytes(4, "big") + b"\x00\x02me"
    for key, version, name in (
        (999, 0, None),
        (-5, 0, None),
        (3, 14, "Metadata"),
        (0, 99, "Produce"),
        (3, 13, "Metadata"),
    ):
        octets = frame(key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big") + head + b"\0\xff\xff\xff\xff")
        session = opened()
        event, reply, behind = said(
            session, (C, octets), (S, frame(b"\0\0\0\1\0\xff")), (C, request("ApiVersions", 0, 2))
        )
        assert (event.kind, event.operation, event.version, event.client_id) == (Kind.REQUEST, name, version, "me")
        assert (event.attributes["kafka.api_key"], event.resources) == (key, ())
        assert event.attributes["l7.access"] == ("unknown" if name is None else "write" if key == 0 else "read")
        assert (reply.request, reply.status, reply.error) == (event, Status.UNKNOWN, None)
        assert behind.operation == "ApiVersions"
        assert ("kafka.malformed" in event.attributes) == (version == 13)
        with pytest.raises(ProtocolError):
            event.fields()


def test_tagged_fields_that_are_not_known() -> None:
    """In the header, and in the body: they are passed over."""
    head = b"\x00\x03\x00\x0d\x00\x00\x00\x01\x00\x02me"
    event, _ = said(
        opened(),
        (
            C,
            frame(
                head + b"\x02\x05\x03abc\x81\x01\x00" + b"\x02" + bytes(16) + b"\x02t\x01\x63\x01x" + b"\x01\x00\x00"
            ),
        ),
        (C, request("ApiVersions", 0, 2)),
    )
    assert (event.resources, event.fields()["AllowAutoTopicCreation"]) == (("t",), True)


def test_what_is_broken_is_an_error() -> None:
    for octets, offset in ((b"\xff\xff\xff\xff", 0), (b"\0\0\0\4abcd", 4), (frame(b"\0\3\0\1\0\0\0\1\x7f\xff"), 12)):
        with pytest.raises(ProtocolError) as error:
            said(opened(), (C, octets))
        assert error.value.offset == offset
    with pytest.raises(ProtocolError):
        said(opened(), (C, request("ApiVersions", 0, 1)), (S, b"\0\0\0\2ab"))


def test_the_answer_that_refuses_a_version_of_api_versions() -> None:
    for version in (3, 5, 6, 127, 32767, 1, 2):
        head = b"\x00\x12" + version.to_bytes(2, "big") + b"\0\0\0\7\0\1x" + (b"\0" if version > 2 else b"")
        octets = bytes.fromhex("00000010 00000007 0023 00000001 0012 0000 0005")
        _, reply = said(opened(), (C, frame(head)), (S, octets))
        assert (reply.body_version, reply.error, reply.status) == (0, "UNSUPPORTED_VERSION", Status.UNIMPLEMENTED)
        assert reply.fields()["ApiKeys"] == [{"ApiKey": 18, "MinVersion": 0, "MaxVersion": 5}]


# SASL.


@pytest.mark.parametrize(
    ("mechanism", "tokens"),
    [
        ("PLAIN", [b"\0A\0\0\0\0\0\0\0\0\0\0"]),  # of a user A: key 65, version 0
        ("SCRAM-SHA-256", [b"n,,n=u,r=x", b"c=biws,r=xy,p=z"]),
        ("OAUTHBEARER", [b"n,,\x01auth=Bearer x\x01\x01"]),
        ("GSSAPI", [b"\x60\x82\x01\x02abcdefgh", b"", b"\x05\x04\x04\xffabcdefgh"]),
    ],
)
def test_bare_tokens(mechanism: str, tokens: list[bytes]) -> None:
    session = opened()
    events = said(session, (C, request("SaslHandshake", 0, 1, Mechanism=mechanism)), (S, answer("SaslHandshake", 0, 1)))
    for token in tokens:
        mine, theirs = said(session, (C, frame(token)), (S, frame(b"")))
        assert isinstance(mine, KafkaToken) and isinstance(theirs, KafkaToken)
        assert (mine.payload, mine.pins, theirs.request, theirs.status) == (token, "authentication", mine, Status.OK)
        events.append(mine)
    asks, reply = said(session, (C, request("Metadata", 1, 2)), (S, answer("Metadata", 1, 2)))
    assert reply.request is asks and asks.operation == "Metadata"


def test_no_tokens_follow_a_handshake_that_is_refused() -> None:
    """A listener without SASL says error 34, and the connection goes on with requests."""
    session = opened()
    said(session, (C, request("SaslHandshake", 0, 1, Mechanism="PLAIN")))
    said(session, (S, answer("SaslHandshake", 0, 1, ErrorCode=34)))
    (asked,) = said(session, (C, request("ApiVersions", 0, 2)))
    (found,) = said(session, (S, answer("ApiVersions", 0, 2)))
    assert (asked.operation, found.operation, found.request) == ("ApiVersions", "ApiVersions", asked)


def test_a_token_that_is_not_accepted_stays_unanswered() -> None:
    session = opened()
    events = said(
        session,
        (C, request("SaslHandshake", 0, 1, Mechanism="PLAIN")),
        (S, answer("SaslHandshake", 0, 1)),
        (C, frame(b"\0a\0wrong")),
    )
    list(session.eof(S))
    assert session.unanswered() == [events[2]]


def test_kerberos_without_a_handshake() -> None:
    session = opened()
    events = said(session, (C, frame(b"\x60\x82\x02\x00" + bytes(40))), (S, frame(b"\x60\x10" + bytes(20))))
    assert [type(event) for event in events] == [KafkaToken, KafkaToken]


# Large messages.


def big_answer(codes: list[int], size: int) -> bytes:
    partitions = [
        {"PartitionIndex": number, "ErrorCode": code, "Records": bytes(size)} for number, code in enumerate(codes)
    ]
    return answer("Fetch", 12, 1, Responses=[{"Topic": "t", "Partitions": partitions}])


@pytest.mark.parametrize("read", [1 << 20, 1000, 7])
@pytest.mark.parametrize(
    ("codes", "status", "error"),
    [
        ([0, 0, 0], Status.OK, None),
        ([0, 0, 6], Status.UNAVAILABLE, "NOT_LEADER_OR_FOLLOWER"),
        ([0, 1, 6], Status.OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE"),
    ],
)
def test_the_outcome_of_an_answer_that_streams(read: int, codes: list[int], status: Status, error: str | None) -> None:
    session = opened(limits=Limits(message=2000, head=500))
    said(session, (C, request("Fetch", 12, 1, Topics=[{"Topic": "t"}])))
    octets = big_answer(codes, 5000)
    events = [event for at in range(0, len(octets), read) for event in said(session, (S, octets[at : at + read]))]
    head, *rest = events
    assert head.more and all(isinstance(each, Data) for each in rest)
    assert (rest[-1].status, rest[-1].error, head.status, head.error) == (status, error, status, error)
    assert head.error_codes == tuple(sorted(set(codes)))
    assert b"".join(each.raw for each in events) == octets


def test_an_answer_that_streams_and_is_not_known_is_not_ok() -> None:
    session = opened(limits=Limits(message=2000, head=500))
    events = said(session, (S, big_answer([0], 5000)))
    assert (events[0].status, events[-1].status) == (Status.UNKNOWN, Status.UNKNOWN)


def test_a_produce_that_streams_says_where_it_goes() -> None:
    session = opened(limits=Limits(message=2000, head=500))
    topics = [{"Name": "t", "PartitionData": [{"Index": 4, "Records": bytes(100_000)}]}]
    head, *rest = said(session, (C, request("Produce", 9, 1, Acks=1, TimeoutMs=3, TopicData=topics)))
    assert (head.operation, head.resources, head.more, head.size) == ("Produce", ("t",), True, head.declared_size)
    assert (head.attributes["kafka.acks"], head.attributes["kafka.partitions"]) == (1, (4,))
    assert len(head.raw) + sum(len(each.raw) for each in rest) == head.size


@pytest.mark.parametrize("read", [1 << 20, 1000, 7])
@pytest.mark.parametrize("version", [3, 8, 9, 12])
@pytest.mark.parametrize("counts", [[1], [3], [1, 1], [2, 1, 3]])
def test_a_produce_that_streams_tells_all_topics_at_its_end(read: int, version: int, counts: list[int]) -> None:
    """Until then those in its head, and whether there may be more; both look the same whenever they are asked for."""
    names = tuple(f"topic-{number}" for number in range(len(counts)))
    topics = [
        {"Name": name, "PartitionData": [{"Index": index, "Records": bytes(5000)} for index in range(count)]}
        for name, count in zip(names, counts, strict=True)
    ]
    octets = request("Produce", version, 1, Acks=1, TimeoutMs=3, TopicData=topics)
    session = opened(limits=Limits(message=4000, head=500))
    seen = []
    head: Any = None
    for at in range(0, len(octets), read):
        for event in session.receive(C, octets[at : at + read]):
            head = head or event
            last = isinstance(event, Data) and not event.more
            seen.append((last, head.resources, head.more_topics))
    assert head is not None and head.more
    assert set(seen[:-1]) == {(False, names[:1], len(names) > 1)}
    assert seen[-1] == (True, names, False)
    assert head.attributes["kafka.topics"] == names and "kafka.more_topics" not in head.attributes
    assert head.keys() == head.own_topics() == list(names)
    early = said(opened(limits=Limits(message=4000, head=500)), (C, octets[:600]))[0]
    assert early.attributes["kafka.topics"] == names[:1]
    assert early.attributes.get("kafka.more_topics") == (True if len(names) > 1 else None)


def test_topics_of_a_large_message_that_cannot_be_followed() -> None:
    """Octets were lost, or what is no records is too much: there may be more topics, to the end."""
    topics = [{"Name": f"t{number}", "PartitionData": [{"Records": bytes(5000)}]} for number in range(3)]
    octets = request("Produce", 9, 1, Acks=1, TopicData=topics)
    session = opened(limits=Limits(message=4000, head=500))
    events = said(session, (C, octets[:7000]))
    events += [*session.gap(C, 1000), *said(session, (C, octets[8000:]))]
    assert (events[0].resources, events[0].more_topics) == (("t0",), True)
    assert not [event for event in events if event.kind is Kind.DATA][-1].more
    many = request("Metadata", 9, 1, Topics=[{"Name": f"topic-{number:05}"} for number in range(5000)])
    head, *_, last = said(opened(limits=Limits(message=4000, head=500)), (C, many))
    assert not last.more and head.more_topics and 0 < len(head.resources) < 5000
    whole, *_ = said(opened(limits=Limits(message=len(many) - 1, head=500)), (C, many))
    assert whole.more and len(whole.resources) == 5000 and not whole.more_topics
    short, *_ = said(opened(limits=Limits(message=4000, head=14)), (C, many[:100]))
    assert (short.resources, short.more_topics) == ((), True)
    beat, *_ = said(opened(limits=Limits(message=20, head=14)), (C, request("Heartbeat", 4, 1, GroupId="g" * 100)))
    assert beat.more and not beat.more_topics


def test_an_answer_that_streams_tells_all_topics_at_its_end() -> None:
    session = opened(limits=Limits(message=2000, head=500))
    said(session, (C, request("Fetch", 12, 1, Topics=[{"Topic": "t"}, {"Topic": "u"}])))
    told = [{"Topic": name, "Partitions": [{"Records": bytes(5000)}]} for name in ("t", "u")]
    octets = answer("Fetch", 12, 1, Responses=told)
    (head, *_), (*_, last) = said(session, (S, octets[:600])), said(session, (S, octets[600:-1]))
    assert (head.resources, head.more_topics, last.more) == (("t",), True, True)
    (last,) = said(session, (S, octets[-1:]))
    assert (head.resources, head.more_topics, last.more) == (("t", "u"), False, False)


def test_the_vector_of_outcomes_is_what_its_tool_writes() -> None:
    path = Path(__file__).parents[1] / "tools" / "outcomes.py"
    names = runpy.run_path(str(path))
    assert "\n".join(names["lines"]()) + "\n" == names["OUTPUT"].read_text("ascii")


def test_every_code_is_told_as_it_is() -> None:
    every = sorted({*ERROR_NAMES, 63, 64, 127, 128, 999, -2, 32767, -32768})
    partitions = [{"PartitionIndex": number, "ErrorCode": code} for number, code in enumerate(every)]
    reply = answered("ListOffsets", 11, Topics=[{"Name": "t", "Partitions": partitions}])
    assert reply.error_codes == tuple(every)
    for code in every:
        assert answered("Heartbeat", 4, ErrorCode=code).error_codes == (code,)


def test_256_mib_in_reads_of_64_kib_take_no_memory() -> None:
    """Its head says where it goes, and everything behind is passed on."""
    size, read = 256 << 20, bytes(64 * 1024)
    empty = request("Produce", 9, 1, Acks=1, TopicData=[{"Name": "t", "PartitionData": [{"Records": b""}]}])
    at = empty.rindex(b"\x01\x00\x00\x00")  # the size of the records, and what is behind them
    length = bytes([(size + 1 >> 7 * digit & 0x7F) | (0x80 if digit < 4 else 0) for digit in range(5)])
    head, tail = empty[4:at] + length, empty[at + 1 :]
    session = opened()
    tracemalloc.start()
    try:
        events = said(session, (C, (len(head) + size + len(tail)).to_bytes(4, "big") + head))
        for _ in range(size // len(read)):
            for event in session.receive(C, read):
                events[1:] = [event]
        events[1:] = said(session, (C, tail))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    first, *_, last = events
    assert (first.operation, first.resources, first.size) == ("Produce", ("t",), 4 + len(head) + size + len(tail))
    assert isinstance(last, Data) and not last.more
    assert most < 2 << 20


def test_whether_it_blocks_is_asked_of_a_broken_body() -> None:
    head = request("ShareFetch", 1, 1)[4:17]
    (asked,) = said(opened(), (C, frame(head + b"\xff" * 20)))
    assert not asked.blocks
    assert "varint" in asked.attributes["kafka.malformed"]


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_body_raises_in_no_attribute(seed: int) -> None:
    """Only `fields` and `results` say that it is broken; whatever else is asked for has an answer."""
    chance = random.Random(seed)
    for each in apis():
        for version in range(each.lowest, each.highest + 1):
            if layout(each.key, version, False) is None or layout(each.key, version, True) is None:
                continue
            octets = chance.randbytes(chance.randrange(80))
            client, server = request(each.name, version, 1), answer(each.name, version, 1)
            pieces = []
            for sender, message in ((C, client), (S, server)):
                whole = message[4:] + octets if chance.random() < 0.3 else message[4:20] + octets
                pieces.append((sender, frame(whole)))
            try:
                events = said(opened(), *pieces)
            except ProtocolError:
                continue  # a client id that does not fit
            for event in events:
                assert event.attributes["messaging.system"] == "kafka"
                for name in (
                    "resources",
                    "status",
                    "error",
                    "error_codes",
                    "codes",
                    "operation",
                    "pins",
                    "blocks",
                    "access",
                ):
                    getattr(event, name, None)
                event.own_topics()


def test_what_is_wrong_is_told_as_it_came() -> None:
    with pytest.raises(ProtocolError, match="a size of -2"):
        said(opened(), (C, b"\xff\xff\xff\xfe"))
    (found,) = said(opened(), (S, answer("Metadata", 9, 1)))
    with pytest.raises(ProtocolError, match="whose request was not seen"):
        found.fields()


@pytest.mark.parametrize("number", [-113, 239])
def test_no_number_of_a_peer_is_taken_for_none(number: int) -> None:
    """Compiled code has -113 in the place of a number that is not set (239 of an octet): keys, versions and ids may be that."""
    short, long = (number.to_bytes(size, "big", signed=True) for size in (2, 4))
    for octets, field in (
        (short + b"\0\0" + b"\0\0\0\1", "api_key"),
        (b"\0\3" + short + b"\0\0\0\1", "version"),
        (b"\0\x12\0\0" + long, "correlation_id"),
    ):
        session = opened()
        (request,) = session.receive(C, (len(octets) + 2).to_bytes(4, "big") + octets + b"\xff\xff")
        assert isinstance(request, KafkaMessage) and getattr(request, field) == number
        assert request.attributes["kafka.correlation_id"] == request.request_id
    answer = long + bytes(6)
    (answered,) = session.receive(S, len(answer).to_bytes(4, "big") + answer)
    assert isinstance(answered, KafkaMessage) and (answered.correlation_id, answered.request) == (number, request)


@pytest.mark.parametrize("broker", [0, 5, 0xFFFF, 0x10000, 0x0003_0001, -1])
def test_the_first_version_of_controlled_shutdown_has_no_client_id(broker: int) -> None:
    """Its header is the oldest: the broker's id stands where others have their client's, and most ids look like an empty one."""
    (request,) = opened().receive(C, frame(b"\0\7\0\0" + bytes((0, 0, 0, 9)) + broker.to_bytes(4, "big", signed=True)))
    assert isinstance(request, KafkaMessage)
    assert (request.client_id, request.fields()) == (None, {"BrokerId": broker})
    assert "kafka.malformed" not in request.attributes


@pytest.mark.parametrize("client", [None, b"", b"t", b"tool"])
def test_what_sends_the_first_controlled_shutdown_with_a_client_id(client: bytes | None) -> None:
    """As a tool does that knows one header only, seen in a recording."""
    named = b"\xff\xff" if client is None else len(client).to_bytes(2, "big") + client
    (request,) = opened().receive(C, frame(b"\0\7\0\0" + bytes((0, 0, 0, 9)) + named + bytes((0, 0, 0, 5))))
    assert isinstance(request, KafkaMessage)
    assert request.client_id == (None if client is None else client.decode()) and request.fields() == {"BrokerId": 5}
