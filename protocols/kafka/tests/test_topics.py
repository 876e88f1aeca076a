"""Names of topics: of ids alone, of fetch sessions and share sessions, and what connections teach each other."""

from __future__ import annotations

import tracemalloc

import pytest

from l7codecs import Limits, Sender, Shared

from .kafka_python import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from .wire import C, S, answer, opened, request, said

ONE, TWO, THREE = (bytes([number]) * 16 for number in (1, 2, 3))
ONE_TEXT = "01010101-0101-0101-0101-010101010101"


def metadata(number: int = 1) -> bytes:
    topics = [{"Name": "one", "TopicId": ONE}, {"Name": "two", "TopicId": TWO}]
    return answer("Metadata", 13, number, Topics=topics)


def fetch(
    number: int, session: int, epoch: int, topics: dict[bytes, list[int]], forgotten: dict[bytes, list[int]]
) -> bytes:
    return request(
        "Fetch",
        18,
        number,
        SessionId=session,
        SessionEpoch=epoch,
        Topics=[
            {"TopicId": topic, "Partitions": [{"Partition": each} for each in many]} for topic, many in topics.items()
        ],
        ForgottenTopicsData=[{"TopicId": topic, "Partitions": many} for topic, many in forgotten.items()],
    )


@pytest.mark.parametrize(
    ("name", "version", "fields", "teaches"),
    [
        ("Metadata", 10, {"Topics": [{"Name": "one", "TopicId": ONE}]}, True),
        ("Metadata", 13, {"Topics": [{"Name": None, "TopicId": ONE}]}, False),
        ("CreateTopics", 7, {"Topics": [{"Name": "one", "TopicId": ONE}]}, True),
        ("DeleteTopics", 6, {"Responses": [{"Name": "one", "TopicId": ONE}]}, True),
        ("DescribeTopicPartitions", 0, {"Topics": [{"Name": "one", "TopicId": ONE}]}, True),
        (
            "ConsumerGroupDescribe",
            1,
            {
                "Groups": [
                    {
                        "Members": [
                            {
                                "SubscribedTopicNames": ["x", "y"],
                                "Assignment": {"TopicPartitions": [{"TopicId": ONE, "TopicName": "one"}]},
                            }
                        ]
                    }
                ]
            },
            True,
        ),
        ("DescribeShareGroupOffsets", 1, {"Groups": [{"Topics": [{"TopicName": "one", "TopicId": ONE}]}]}, True),
    ],
)
def test_what_teaches_names(name: str, version: int, fields: dict[str, object], teaches: bool) -> None:
    shared = Shared()
    one, other = opened(shared), opened(shared)
    (before,) = said(other, (C, fetch(1, 0, 0, {ONE: [0]}, {})))
    said(one, (C, request(name, version, 1)), (S, answer(name, version, 1, **fields)))
    (behind,) = said(other, (C, fetch(2, 0, 0, {ONE: [0]}, {})))
    assert before.resources == (ONE_TEXT,)  # whenever it is read, it says what was known when it came
    assert behind.resources == (("one",) if teaches else (ONE_TEXT,))
    assert behind.attributes["kafka.topic_ids"] == (ONE_TEXT,)
    assert behind.attributes["messaging.destination.name"] == behind.resources[0]


def test_without_sharing_a_connection_teaches_itself_alone() -> None:
    one, other = opened(), opened()
    said(one, (C, request("Metadata", 13, 1)), (S, metadata()))
    assert said(one, (C, fetch(2, 0, 0, {ONE: [0]}, {})))[0].resources == ("one",)
    assert said(other, (C, fetch(2, 0, 0, {ONE: [0]}, {})))[0].resources == (ONE_TEXT,)


def test_what_is_known_is_bounded() -> None:
    shared = Shared(Limits(shared=10_000))
    session = opened(shared)
    for number in range(100):
        topics = [{"Name": f"topic-{number}", "TopicId": number.to_bytes(16, "big")}]
        said(session, (C, request("Metadata", 13, number)), (S, answer("Metadata", 13, number, Topics=topics)))
    assert shared.size <= 10_000
    assert shared.evicted > 0
    (last,) = said(session, (C, fetch(200, 0, 0, {(99).to_bytes(16, "big"): [0]}, {})))
    assert last.resources == ("topic-99",)


def test_a_fetch_session_is_followed_through_its_epochs() -> None:
    session = opened()
    said(session, (C, request("Metadata", 13, 1)), (S, metadata()))
    steps = [
        (0, 0, {ONE: [0, 1], TWO: [0]}, {}, ("one", "two")),
        (7, 1, {}, {}, ("one", "two")),
        (7, 2, {}, {ONE: [0]}, ("one", "two")),
        (7, 3, {THREE: [0]}, {ONE: [1]}, ("03030303-0303-0303-0303-030303030303", "01010101", "two")),
        (7, 4, {}, {}, ("two", "03030303-0303-0303-0303-030303030303")),
        (7, -1, {}, {}, ("two", "03030303-0303-0303-0303-030303030303")),
        (7, 5, {}, {}, ()),
    ]
    for number, (its, epoch, added, forgotten, expected) in enumerate(steps, 2):
        (asked,) = said(session, (C, fetch(number, its, epoch, added, forgotten)))
        (reply,) = said(session, (S, answer("Fetch", 18, number, SessionId=7)))
        if number == 5:  # what is named to be forgotten is named
            assert set(asked.resources) == {"one", "two", "03030303-0303-0303-0303-030303030303"}
        else:
            assert asked.resources == expected, number
        assert reply.resources == asked.resources


@pytest.mark.parametrize("code", [70, 71, 106])
def test_a_session_that_the_broker_does_not_know_is_none(code: int) -> None:
    session = opened()
    said(session, (C, fetch(1, 0, 0, {ONE: [0]}, {})), (S, answer("Fetch", 18, 1, SessionId=7)))
    first, _, second = said(
        session, (C, fetch(2, 7, 1, {}, {})), (S, answer("Fetch", 18, 2, ErrorCode=code)), (C, fetch(3, 7, 2, {}, {}))
    )
    assert (first.resources, second.resources) == ((ONE_TEXT,), ())


def test_sessions_of_names() -> None:
    """Up to version 12, with and without compact lengths."""
    for version in range(7, 13):
        session = opened()
        topics = [{"Topic": "one", "Partitions": [{"Partition": 0}]}]
        said(
            session,
            (C, request("Fetch", version, 1, SessionEpoch=0, Topics=topics)),
            (S, answer("Fetch", version, 1, SessionId=3)),
        )
        (asked,) = said(session, (C, request("Fetch", version, 2, SessionId=3, SessionEpoch=1)))
        assert asked.resources == ("one",), version


def test_share_sessions() -> None:
    session = opened()
    mine = {"GroupId": "g", "MemberId": "m"}
    topics = [{"TopicId": ONE, "Partitions": [{"PartitionIndex": 0}]}]
    other = [{"TopicId": TWO, "Partitions": [{"PartitionIndex": 0}]}]
    steps = [
        ("ShareFetch", {"ShareSessionEpoch": 0, "Topics": topics}, {ONE}),
        ("ShareFetch", {"ShareSessionEpoch": 1}, {ONE}),
        ("ShareFetch", {"ShareSessionEpoch": 2, "Topics": other}, {ONE, TWO}),
        ("ShareAcknowledge", {"ShareSessionEpoch": 3, "Topics": topics}, {ONE}),
        ("ShareFetch", {"ShareSessionEpoch": 4, "MemberId": "another"}, set()),
        ("ShareAcknowledge", {"ShareSessionEpoch": -1}, {ONE, TWO}),
        ("ShareFetch", {"ShareSessionEpoch": 5}, set()),
    ]
    for number, (name, fields, expected) in enumerate(steps):
        (asked,) = said(session, (C, request(name, 2, number, **{**mine, **fields})))
        said(session, (S, answer(name, 2, number)))
        assert set(asked.keys()) == expected, number
        assert asked.pins == "share session"


def test_sessions_are_bounded() -> None:
    session = opened(limits=Limits(shared=5_000))
    for number in range(100):
        said(session, (C, fetch(number, 0, 0, {ONE: [0]}, {})), (S, answer("Fetch", 18, number, SessionId=number + 1)))
    (last,) = said(session, (C, fetch(200, 100, 1, {}, {})))
    (first,) = said(session, (C, fetch(201, 1, 1, {}, {})))
    assert (last.resources, first.resources) == ((ONE_TEXT,), ())


def test_a_session_to_a_client_learns_from_what_it_sends() -> None:
    upstream, client = opened(endpoint=Sender.CLIENT), opened(endpoint=Sender.SERVER)

    def ask(octets: bytes, reply: bytes) -> object:
        (asked,) = said(client, (C, octets))
        upstream.send(asked)
        (event,) = said(upstream, (S, reply))
        client.send(event)
        return asked

    ask(request("Metadata", 13, 1), metadata())
    ask(fetch(2, 0, 0, {ONE: [0]}, {}), answer("Fetch", 18, 2, SessionId=9))
    assert ask(fetch(3, 9, 1, {}, {}), answer("Fetch", 18, 3, SessionId=9)).resources == ("one",)  # type: ignore[attr-defined]


def test_topics_of_every_kind() -> None:
    cases = [
        (
            "DescribeConfigs",
            4,
            {"Resources": [{"ResourceType": 2, "ResourceName": "t"}, {"ResourceType": 4, "ResourceName": "1"}]},
            ("t",),
        ),
        ("CreateAcls", 3, {"Creations": [{"ResourceType": 2, "ResourceName": "t", "ResourcePatternType": 3}]}, ("t",)),
        ("CreateAcls", 3, {"Creations": [{"ResourceType": 2, "ResourceName": "t", "ResourcePatternType": 4}]}, ()),
        (
            "DeleteTopics",
            6,
            {"Topics": [{"Name": "a", "TopicId": bytes(16)}, {"Name": None, "TopicId": ONE}]},
            ("a", ONE_TEXT),
        ),
        (
            "AddPartitionsToTxn",
            5,
            {"Transactions": [{"Topics": [{"Name": "a"}, {"Name": "b"}]}, {"Topics": [{"Name": "a"}]}]},
            ("a", "b"),
        ),
        ("Metadata", 1, {"Topics": [{"Name": "ä"}, {"Name": "b"}]}, ("ä", "b")),
        ("Metadata", 13, {"Topics": None}, ()),
        ("DeleteTopics", 3, {"TopicNames": ["a", "b"]}, ("a", "b")),
    ]
    for name, version, fields, expected in cases:
        (event,) = said(opened(), (C, request(name, version, 1, **fields)))
        assert event.resources == expected, (name, version)


@pytest.mark.parametrize("version", range(4))
def test_what_members_of_a_classic_group_tell(version: int) -> None:
    """What kafka-python writes as a subscription and as an assignment names their topics and partitions, in every message that has one."""
    own = [ConsumerProtocolSubscription.TopicPartition(topic="three", partitions=[5])]
    subscription = ConsumerProtocolSubscription(topics=["one", "two"], user_data=b"any", owned_partitions=own)
    subscribed = subscription.encode(version=version)
    given = [
        ConsumerProtocolAssignment.TopicPartition(topic="two", partitions=[3, 4]),
        ConsumerProtocolAssignment.TopicPartition(topic="one", partitions=[7]),
    ]
    assigned = ConsumerProtocolAssignment(assigned_partitions=given, user_data=None).encode(version=version)
    owned, owned_partitions = (("three",), (5,)) if version else ((), None)
    for kind, are in (("consumer", True), ("connect", False)):
        for joined, synced in ((0, 0), (6, 4), (9, 5)):
            session = opened()
            says_joined, says = ({"ProtocolType": kind} if there else {} for there in (joined >= 7, synced >= 5))
            asked, told, shared, given_to = said(
                session,
                (C, request("JoinGroup", joined, 1, GroupId="g", ProtocolType=kind, Protocols=[{"Name": "range", "Metadata": subscribed}])),
                (S, answer("JoinGroup", joined, 1, **says_joined, Members=[{"MemberId": "m", "Metadata": subscribed}])),
                (C, request("SyncGroup", synced, 2, **says, Assignments=[{"MemberId": "m", "Assignment": assigned}])),
                (S, answer("SyncGroup", synced, 2, **says, Assignment=assigned)),
            )  # fmt: skip
            for event in (asked, told):
                assert event.resources == (("one", "two", *owned) if are else ()), (joined, event)
                assert event.attributes.get("kafka.partitions") == (owned_partitions if are else None)
            known = are or synced < 5  # before version 5 nobody says what the group is of
            for event in (shared, given_to):
                assert event.resources == (("two", "one") if known else ()), (synced, event)
                assert event.attributes.get("kafka.partitions") == ((3, 4, 7) if known else None)
        member = {"MemberMetadata": subscribed, "MemberAssignment": assigned}
        groups = [
            {"GroupId": "g", "ProtocolType": kind, "Members": [member]},
            {"ProtocolType": "other", "Members": [member]},
        ]
        _, described = said(
            opened(), (C, request("DescribeGroups", 5, 1)), (S, answer("DescribeGroups", 5, 1, Groups=groups))
        )
        assert set(described.resources) == ({"one", "two", *owned} if are else set())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\xff\xff" + bytes(20),
        b"\0\0\0\0\0\1\0\3one\xff\xff\xff\xffx",
        b"\0\0\0\0\0\1\0\4one\xff\xff\xff\xff",
        b"\0\0\x7f\xff\xff\xff\0\3one\xff\xff\xff\xff",
        b'{"instances": []}',
    ],
)
def test_what_is_no_subscription_names_nothing(octets: bytes) -> None:
    protocols = [{"Name": "range", "Metadata": octets}]
    (asked,) = said(opened(), (C, request("JoinGroup", 9, 1, ProtocolType="consumer", Protocols=protocols)))
    assert asked.resources == () and "kafka.malformed" not in asked.attributes
    (asked,) = said(opened(), (C, request("SyncGroup", 5, 1, Assignments=[{"MemberId": "m", "Assignment": octets}])))
    assert asked.resources == ()


def test_requests_say_the_topics_that_their_session_had() -> None:
    """Whenever they are read, and however often topics come and go."""
    session = opened()
    said(session, (C, fetch(0, 0, 0, {ONE: [0]}, {})), (S, answer("Fetch", 18, 0, SessionId=7)))
    events = []
    for number in range(1, 400):
        topic = bytes([number % 5 + 1]) * 16
        added, forgotten = ({topic: [0]}, {}) if number % 3 else ({}, {topic: [0]})
        events += said(session, (C, fetch(number, 7, number, added, forgotten)))
    topics = {ONE: None}
    for number, event in enumerate(events, 1):
        topic = bytes([number % 5 + 1]) * 16
        if number % 3:
            topics.setdefault(topic)
        else:
            topics.pop(topic, None)
        own = [topic]
        assert event.keys() == own + [each for each in topics if each != topic]


def test_requests_that_wait_share_the_topics_of_their_session() -> None:
    """Each adds a topic, or forgets one, and is not answered: no more is kept than the octets that came."""
    session = opened()
    many = {number.to_bytes(16, "big"): [0] for number in range(1, 1_500)}
    said(session, (C, fetch(0, 0, 0, many, {})), (S, answer("Fetch", 18, 0, SessionId=7)))
    assert said(session, (C, fetch(1, 7, 1, {}, {})))[0].resources
    came = 0
    tracemalloc.start()
    try:
        for number in range(2, 1_000):
            topic = (5_000 + number // 2).to_bytes(16, "big")
            octets = (
                fetch(number, 7, number, {}, {topic: [0]}) if number % 2 else fetch(number, 7, number, {topic: [0]}, {})
            )
            came += len(octets)
            said(session, (C, octets))
        assert tracemalloc.get_traced_memory()[0] < came * 8 + 500_000
    finally:
        tracemalloc.stop()
