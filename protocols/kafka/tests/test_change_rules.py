"""The rules that are not told by where a name stands: ACLs, ranges of versions, patterns, cursors, keys of coordinators, members."""

from __future__ import annotations

import ast
import re

import pytest

from l7codecs import Unsupported
from l7codecs_kafka import KafkaChanges, Names, Nodes
from l7codecs_kafka._change.bodies import NOTHING_ASKED, Asked, asked_of, changed_body
from l7codecs_kafka._schema.layouts import Value, apis, layout
from l7codecs_kafka._schema.values import decode, encode

Body = dict[str, Value]

PREFIXED = Names.prefixed("tenant-a.", shared=("__shared",))
TOPICS = KafkaChanges(topics=PREFIXED)
ALL = KafkaChanges(topics=PREFIXED, groups=PREFIXED, transactional_ids=PREFIXED)


def change(
    key: int, version: int, response: bool, value: Body, changes: KafkaChanges, asked: Asked = NOTHING_ASKED
) -> Body | None:
    of = layout(key, version, response)
    assert of is not None
    octets = encode(of, value)
    found = changed_body(of, octets, 0, len(octets), changes, asked)
    if found is None:
        return None
    after, at = decode(of, found, 0, len(found))
    assert at == len(found)
    return after


def topics(found: Body | None, key: str = "Topics", name: str = "Name") -> list[Value]:
    assert found is not None
    items = found[key]
    assert isinstance(items, list)
    return [item[name] if isinstance(item, dict) else item for item in items]


# Names.


def test_names_that_all_share() -> None:
    assert topics(change(3, 9, False, {"Topics": [{"Name": "__shared"}, {"Name": "one"}]}, TOPICS)) == [
        "__shared",
        "tenant-a.one",
    ]
    answer: Body = {"Topics": [{"Name": "__shared"}, {"Name": "tenant-a.one"}, {"Name": "one"}]}
    assert topics(change(3, 9, True, answer, TOPICS)) == ["__shared", "one"]


def test_all_topics_are_those_of_the_client() -> None:
    """Asked for all topics, as many clients do, the broker tells all, and the client its own."""
    assert change(3, 12, False, {"Topics": None}, TOPICS) is None
    answer: Body = {
        "Topics": [{"Name": name, "Partitions": [{"LeaderId": 1}]} for name in ("a", "tenant-a.a", "tenant-b.a")]
    }
    found = change(3, 12, True, answer, TOPICS)
    assert topics(found) == ["a"]
    unknown: Body = {"Topics": [{"ErrorCode": 100, "Name": None, "TopicId": bytes(range(16))}]}
    assert change(3, 12, True, unknown, TOPICS) is None


def test_names_that_are_mapped() -> None:
    mapped = KafkaChanges(topics=Names.mapped({"orders": "orders-v2"}))
    assert topics(change(3, 9, False, {"Topics": [{"Name": "orders"}, {"Name": "other"}]}, mapped)) == [
        "orders-v2",
        "other",
    ]
    with pytest.raises(Unsupported, match="'orders-v2' has no name"):
        change(3, 9, False, {"Topics": [{"Name": "orders-v2"}]}, mapped)
    answer: Body = {"Topics": [{"Name": "orders-v2"}, {"Name": "orders"}, {"Name": "other"}]}
    assert topics(change(3, 9, True, answer, mapped)) == ["orders", "other"]
    with pytest.raises(ValueError, match="two names"):
        Names.mapped({"a": "x", "b": "x"})
    with pytest.raises(ValueError, match="empty"):
        Names.prefixed("")


# FindCoordinator.


@pytest.mark.parametrize("version", range(7))
@pytest.mark.parametrize(
    ("kind", "key", "new"), [(0, "g", "tenant-a.g"), (1, "t", "tenant-a.t"), (2, "g:id:0", "tenant-a.g:id:0")]
)
def test_keys_of_coordinators(version: int, kind: int, key: str, new: str) -> None:
    value: Body = {"Key": key} if version < 4 else {"CoordinatorKeys": [key]}
    if version > 0:
        value["KeyType"] = kind
    elif kind:
        return
    found = change(10, version, False, value, ALL)
    assert found is not None
    assert found.get("Key", found.get("CoordinatorKeys")) == (new if version < 4 else [new])
    asked = layout(10, version, False)
    assert asked is not None
    octets = encode(asked, value)
    if version >= 4:
        answer: Body = {"Coordinators": [{"Key": new, "NodeId": 1, "Host": "h", "Port": 1}]}
        told = change(10, version, True, answer, ALL, asked_of(asked, octets, 0, len(octets)))
        assert topics(told, "Coordinators", "Key") == [key]
    only = KafkaChanges(groups=PREFIXED)
    assert (change(10, version, False, value, only) is None) == (kind == 1)


@pytest.mark.parametrize("group", ["g", "a:b", ":", ""])
def test_a_share_partition_of_a_group_with_colons(group: str) -> None:
    """As Java's SharePartitionKey: the group is all before the last two colons."""
    mapped = KafkaChanges(groups=Names.mapped({group: "theirs", "a": "wrong", "a:b:id": "wrong too"}))
    found = change(10, 6, False, {"KeyType": 2, "CoordinatorKeys": [f"{group}:id:0"]}, mapped)
    assert found is not None and found["CoordinatorKeys"] == ["theirs:id:0"]
    answer: Body = {"Coordinators": [{"Key": "theirs:id:0"}]}
    told = change(10, 6, True, answer, mapped, Asked(2, None))
    assert topics(told, "Coordinators", "Key") == [f"{group}:id:0"]


@pytest.mark.parametrize("kind", [3, 127, -1, -128])
def test_keys_of_coordinators_that_are_not_known(kind: int) -> None:
    """What they name may be another's: they are refused, and pass where no names change."""
    for version in range(1, 7):
        value: Body = {"KeyType": kind, **({"Key": "k"} if version < 4 else {"CoordinatorKeys": ["k"]})}
        for changes in (ALL, KafkaChanges(groups=PREFIXED), KafkaChanges(transactional_ids=PREFIXED)):
            with pytest.raises(Unsupported, match=f"type {kind} of FindCoordinator"):
                change(10, version, False, value, changes)
        assert change(10, version, False, value, KafkaChanges(topics=PREFIXED)) is None


def test_resources_that_are_not_known() -> None:
    """Configurations and ACLs of a type that nobody here knows are refused, and left out of what is told."""
    for key in (32, 33, 44):
        with pytest.raises(Unsupported, match="configuration of type 64"):
            change(key, 1, False, {"Resources": [{"ResourceType": 64, "ResourceName": "x"}]}, ALL)
        nodes = KafkaChanges(nodes=Nodes.mapped({1: (101, "p", 1)}))
        assert change(key, 1, False, {"Resources": [{"ResourceType": 64, "ResourceName": "x"}]}, nodes) is None
    rows: list[Value] = [{"ResourceType": 64, "ResourceName": "x"}, {"ResourceType": 16, "ResourceName": "m"}]
    assert topics(change(74, 1, True, {"ConfigResources": rows}, ALL), "ConfigResources", "ResourceName") == ["m"]
    with pytest.raises(Unsupported, match="resource of type 9"):
        change(30, 3, False, {"Creations": [acl(9, "x", LITERAL)]}, ALL)
    with pytest.raises(Unsupported, match="without a name"):
        change(31, 3, False, {"Filters": [{"ResourceTypeFilter": 9, "ResourceNameFilter": None}]}, ALL)
    acls: list[Value] = [{"ResourceType": kind, "ResourceName": "x", "PatternType": LITERAL} for kind in (4, 6, 7, 9)]
    found = change(29, 3, True, {"Resources": acls}, ALL)
    assert topics(found, "Resources", "ResourceType") == [4, 6, 7]


def test_a_coordinator_that_is_none_stays_none() -> None:
    nodes = KafkaChanges(nodes=Nodes.mapped({0: (10, "p", 1)}))
    answer: Body = {"Coordinators": [{"Key": "g", "NodeId": -1, "Host": "", "Port": -1, "ErrorCode": 15}]}
    assert change(10, 4, True, answer, nodes) is None


# Nodes.


def test_nodes_that_are_not_known() -> None:
    nodes = KafkaChanges(nodes=Nodes.mapped({1: (2, "p", 1)}))
    broker: Body = {"NodeId": 7, "Host": "h", "Port": 1}
    with pytest.raises(Unsupported, match="broker 7 at h:1 has no address"):
        change(3, 9, True, {"Brokers": [broker]}, nodes)
    with pytest.raises(Unsupported, match="broker 2 has no id"):
        change(3, 9, True, {"ControllerId": 2}, nodes)
    with pytest.raises(Unsupported, match="clients know no broker 1"):
        change(64, 0, False, {"BrokerId": 1}, nodes)
    assert change(3, 9, True, {"ControllerId": 3000}, nodes) is None
    with pytest.raises(ValueError, match="one id"):
        Nodes.mapped({1: (5, "p", 1), 2: (5, "p", 2)})
    with pytest.raises(ValueError, match="both"):
        Nodes(to_client=lambda node: node)


def test_addresses_alone() -> None:
    nodes = KafkaChanges(nodes=Nodes(address=lambda node, host, port: (f"{host}.proxy", port + node)))
    answer: Body = {"Brokers": [{"NodeId": 3, "Host": "h", "Port": 9000}], "ControllerId": 3}
    found = change(3, 9, True, answer, nodes)
    assert found is not None and found["Brokers"] == [{"NodeId": 3, "Host": "h.proxy", "Port": 9003, "Rack": None}]


def test_a_share_partition_without_a_leader() -> None:
    """ShareFetch tells leader 0 of epoch 0 where there is no error, whoever leads; with one it is broker 0."""
    nodes = KafkaChanges(nodes=Nodes.mapped({0: (10, "p", 1), 1: (11, "p", 2)}))

    def answer(code: int, leader: int) -> Body:
        return {
            "Responses": [
                {"Partitions": [{"ErrorCode": code, "CurrentLeader": {"LeaderId": leader, "LeaderEpoch": 0}}]}
            ]
        }

    assert change(78, 1, True, answer(0, 0), nodes) is None
    assert change(79, 1, True, answer(0, 0), nodes) is None
    for code, leader in ((6, 0), (0, 1), (6, 1)):
        found = change(78, 1, True, answer(code, leader), nodes)
        assert f"'LeaderId': {leader + 10}" in str(found)


def test_configurations_of_brokers() -> None:
    """A broker's configuration is named by its id, as text; the default of all by none."""
    nodes = KafkaChanges(nodes=Nodes.mapped({1: (101, "p", 1)}))
    for key in (32, 33, 44):
        for kind in (4, 8):
            asked: Body = {"Resources": [{"ResourceType": kind, "ResourceName": "101"}]}
            assert topics(change(key, 1, False, asked, nodes), "Resources", "ResourceName") == ["1"]
            told: Body = {("Results" if key == 32 else "Responses"): [{"ResourceType": kind, "ResourceName": "1"}]}
            name = "Results" if key == 32 else "Responses"
            assert topics(change(key, 1, True, told, nodes), name, "ResourceName") == ["101"]
    for kind, name in ((4, ""), (2, "101"), (4, "x")):
        assert change(32, 1, False, {"Resources": [{"ResourceType": kind, "ResourceName": name}]}, nodes) is None


def test_configurations_by_their_type() -> None:
    rows: list[Value] = [{"ResourceType": kind, "ResourceName": f"tenant-a.{kind}"} for kind in (2, 4, 8, 16, 32)]
    found = change(74, 1, True, {"ConfigResources": rows}, ALL)
    assert topics(found, "ConfigResources", "ResourceName") == ["2", "tenant-a.4", "tenant-a.8", "tenant-a.16", "32"]
    assert change(74, 0, True, {"ConfigResources": [{"ResourceName": "metrics"}]}, ALL) is None
    foreign: Body = {
        "ConfigResources": [{"ResourceType": 2, "ResourceName": "tenant-b.x"}, {"ResourceType": 4, "ResourceName": "1"}]
    }
    assert topics(change(74, 1, True, foreign, ALL), "ConfigResources", "ResourceName") == ["1"]


# Cursors, patterns, the metadata log.


@pytest.mark.parametrize(
    ("server", "client"),
    [
        ("tenant-a.x", "x"),
        ("tenant-a.", ""),
        ("tenant", ""),
        ("__consumer_offsets", ""),
        ("tenant-b.x", None),
        ("z", None),
    ],
)
def test_a_cursor_among_the_topics_of_others(server: str, client: str | None) -> None:
    """The broker goes on at a topic of another client: before the first of this one's, or behind its last."""
    found = change(75, 0, True, {"NextCursor": {"TopicName": server, "PartitionIndex": 3}}, TOPICS)
    assert found is not None
    assert found["NextCursor"] == (None if client is None else {"TopicName": client, "PartitionIndex": 3})
    if client is not None:
        back = change(75, 0, False, {"Cursor": {"TopicName": client, "PartitionIndex": 3}}, TOPICS)
        assert back is not None and isinstance(back["Cursor"], dict)
        assert str(back["Cursor"]["TopicName"]).startswith("tenant-a.")


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("log-.*", ["log-1"], ["xlog-1"]),
        ("^log-.*$", ["log-1"], ["xlog-1"]),
        ("a|b", ["a", "b"], ["ab", ""]),
        ("[^a]b", ["cb"], ["ab"]),
        ("\\^x", ["^x"], ["x"]),
    ],
)
def test_patterns(pattern: str, matches: list[str], others: list[str]) -> None:
    """RE2 as Python's re, as far as these go; the broker matches whole names."""
    for key, version, field in ((68, 1, "SubscribedTopicRegex"), (66, 2, "TransactionalIdPattern")):
        found = change(key, version, False, {field: pattern}, ALL)
        assert found is not None and isinstance(found[field], str)
        made = re.compile(str(found[field]))
        for name in matches:
            assert (
                made.fullmatch("tenant-a." + name)
                and not made.fullmatch(name)
                and not made.fullmatch("tenant-ax" + name)
            )
        for name in others:
            assert not made.fullmatch("tenant-a." + name)


def test_patterns_that_cannot_be_changed() -> None:
    for pattern in ("^a|^b", "(^a)", "a\\Ab"):
        with pytest.raises(Unsupported, match="start of a name"):
            change(68, 1, False, {"SubscribedTopicRegex": pattern}, ALL)
    with pytest.raises(Unsupported, match="prefix"):
        change(68, 1, False, {"SubscribedTopicRegex": "a"}, KafkaChanges(topics=Names.mapped({})))


def test_the_metadata_log_keeps_its_name() -> None:
    """DescribeQuorum asks for the one topic of the controllers."""
    assert change(55, 2, False, {"Topics": [{"TopicName": "__cluster_metadata"}]}, TOPICS) is None
    assert change(55, 2, True, {"Topics": [{"TopicName": "__cluster_metadata"}]}, TOPICS) is None


# Members of classic groups.


def subscription(*names: bytes) -> bytes:
    return (
        b"\0\0"
        + len(names).to_bytes(4, "big")
        + b"".join(len(name).to_bytes(2, "big") + name for name in names)
        + b"\xff" * 4
    )


def test_members_of_other_protocol_types() -> None:
    """Connect's workers join groups, too; what they say is their own."""
    said = subscription(b"one")
    for kind, renamed in (("consumer", True), ("connect", False)):
        asked: Body = {"ProtocolType": kind, "Protocols": [{"Name": "range", "Metadata": said}]}
        assert (change(11, 5, False, asked, TOPICS) is not None) == renamed
        answer: Body = {"Members": [{"MemberId": "m", "Metadata": subscription(b"tenant-a.one")}]}
        assert (change(11, 5, True, answer, TOPICS, Asked(0, kind.encode())) is not None) == renamed


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        b"\0\0",
        b"\0\1\0\0\0\0\0\6leader\0\3url" + bytes(12),
        b"\xff\xff" + bytes(20),
        subscription(b"one") + b"x",
    ],
)
def test_what_is_no_subscription_is_left_alone(octets: bytes) -> None:
    assert (
        change(11, 5, False, {"ProtocolType": "consumer", "Protocols": [{"Name": "x", "Metadata": octets}]}, TOPICS)
        is None
    )
    assert change(14, 3, False, {"Assignments": [{"MemberId": "m", "Assignment": octets}]}, TOPICS) is None


def test_a_subscription_that_says_more_than_it_has() -> None:
    """kafka-go 0.4.51 says version 1 and leaves out what that added."""
    said = b"\0\1" + subscription(b"one")[2:]
    found = change(11, 2, False, {"ProtocolType": "consumer", "Protocols": [{"Name": "x", "Metadata": said}]}, TOPICS)
    assert found is not None and found["Protocols"] == [
        {"Name": "x", "Metadata": b"\0\1" + subscription(b"tenant-a.one")[2:]}
    ]
    told: Body = {
        "Members": [{"MemberId": "m", "Metadata": b"\0\1" + subscription(b"tenant-a.one", b"tenant-b.two")[2:]}]
    }
    found = change(11, 2, True, told, TOPICS, Asked(0, b"consumer"))
    assert found is not None and found["Members"] == [{"MemberId": "m", "Metadata": said}]


def test_a_subscription_of_a_newer_version() -> None:
    newer = b"\0\x09" + subscription(b"one")[2:] + bytes(4) + bytes(4) + b"\xff\xff" + b"what is added"
    found = change(11, 5, False, {"ProtocolType": "consumer", "Protocols": [{"Name": "x", "Metadata": newer}]}, TOPICS)
    assert found is not None
    assert b"\0\x0ctenant-a.one" in str(found).encode().decode("unicode_escape").encode("latin-1")
    assert "what is added" in str(found)


# ACLs.

LITERAL, PREFIX = 3, 4


def acl(kind: int, name: str | None, pattern: int) -> Body:
    return {"ResourceType": kind, "ResourceName": name, "ResourcePatternType": pattern}


@pytest.mark.parametrize("kind", [2, 3, 5])
@pytest.mark.parametrize(
    ("name", "pattern", "new", "as_"),
    [
        ("orders", LITERAL, "tenant-a.orders", LITERAL),
        ("ord", PREFIX, "tenant-a.ord", PREFIX),
        ("*", LITERAL, "tenant-a.", PREFIX),
    ],
)
def test_acls_there_and_back(kind: int, name: str, pattern: int, new: str, as_: int) -> None:
    found = change(30, 3, False, {"Creations": [acl(kind, name, pattern)]}, ALL)
    assert found is not None
    (made,) = found["Creations"]  # type: ignore[misc]  # a list
    assert (made["ResourceName"], made["ResourcePatternType"]) == (new, as_)  # type: ignore[index, call-overload]  # a struct
    asked: Body = {"ResourceTypeFilter": kind, "ResourceNameFilter": name, "PatternTypeFilter": pattern}
    for key, value in ((29, asked), (31, {"Filters": [asked]})):
        assert f"'ResourceNameFilter': '{new}', 'PatternTypeFilter': {as_}" in str(change(key, 3, False, value, ALL))  # type: ignore[arg-type]  # invariant
    told: Body = {"ResourceType": kind, "ResourceName": new, "PatternType": as_}
    for key, value in ((29, {"Resources": [told]}), (31, {"FilterResults": [{"MatchingAcls": [told]}]})):
        assert f"'ResourceName': '{name}', 'PatternType': {pattern}" in str(change(key, 3, True, value, ALL))  # type: ignore[arg-type]  # invariant


def test_acls_of_others_are_not_told() -> None:
    others: list[Value] = [
        {"ResourceType": 2, "ResourceName": "*", "PatternType": LITERAL},
        {"ResourceType": 2, "ResourceName": "tenant-b.x", "PatternType": LITERAL},
        {"ResourceType": 2, "ResourceName": "tenant", "PatternType": PREFIX},
        {"ResourceType": 4, "ResourceName": "kafka-cluster", "PatternType": LITERAL},
    ]
    assert topics(change(29, 3, True, {"Resources": others}, ALL), "Resources", "ResourceName") == ["kafka-cluster"]


def test_acls_that_would_reach_others() -> None:
    for value in ({"ResourceTypeFilter": 2}, {"ResourceTypeFilter": 1}):
        filter_: Body = {**value, "ResourceNameFilter": None, "PatternTypeFilter": 1}  # type: ignore[dict-item]  # invariant
        with pytest.raises(Unsupported, match="would delete"):
            change(31, 3, False, {"Filters": [filter_]}, ALL)
        assert change(29, 3, False, filter_, ALL) is None
    with pytest.raises(Unsupported, match="any type"):
        change(29, 3, False, {"ResourceTypeFilter": 1, "ResourceNameFilter": "x", "PatternTypeFilter": 1}, ALL)
    with pytest.raises(Unsupported, match="pattern"):
        change(30, 0, False, {"Creations": [{"ResourceType": 2, "ResourceName": "*"}]}, ALL)
    mapped = KafkaChanges(topics=Names.mapped({"a": "b"}))
    for name, pattern in (("*", LITERAL), ("x", PREFIX)):
        with pytest.raises(Unsupported, match="prefix"):
            change(30, 3, False, {"Creations": [acl(2, name, pattern)]}, mapped)
    assert change(30, 3, False, {"Creations": [acl(4, "kafka-cluster", LITERAL)]}, ALL) is None


# ApiVersions.


def listed(found: Body | None) -> dict[int, tuple[int, int]]:
    assert found is not None
    return {row["ApiKey"]: (row["MinVersion"], row["MaxVersion"]) for row in found["ApiKeys"]}  # type: ignore[union-attr, index, call-overload, misc]  # rows


def versions(**said: tuple[int, int] | None) -> KafkaChanges:
    return KafkaChanges(versions={int(key[1:]): value for key, value in said.items()})


EVERY: list[Value] = [
    {"ApiKey": each.key, "MinVersion": each.lowest, "MaxVersion": each.highest} for each in apis() if each.key >= 0
]


@pytest.mark.parametrize("version", range(6))
def test_what_this_codec_reads(version: int) -> None:
    newer: list[Value] = [
        {"ApiKey": 0, "MinVersion": 3, "MaxVersion": 99},
        {"ApiKey": 999, "MinVersion": 0, "MaxVersion": 0},
    ]
    features: Body = {"SupportedFeatures": [{"Name": "x", "MinVersion": 1, "MaxVersion": 2}]} if version >= 3 else {}
    found = change(18, version, True, {"ApiKeys": newer, **features}, TOPICS)
    assert listed(found) == {0: (3, 13)}
    assert found is not None and {key: found[key] for key in features} == features
    assert change(18, version, True, {"ApiKeys": EVERY}, TOPICS) is None
    assert change(18, version, True, {"ApiKeys": EVERY}, KafkaChanges(versions={})) is None


def test_what_an_operator_allows() -> None:
    found = change(18, 4, True, {"ApiKeys": EVERY}, versions(_0=(5, 9), _1=(0, 11), _76=None, _3=(13, 20)))
    told = listed(found)
    assert (told[0], told[1], told[3]) == ((5, 9), (0, 11), (13, 13)) and 76 not in told
    assert all(low <= high for low, high in told.values())
    assert set(told) == {each.key for each in apis() if each.key >= 0} - {76}
    assert {22, 24, 25, 26, 28, 77, 78, 79} < set(told)  # transactions and share groups


def test_no_range_is_empty() -> None:
    rows: list[Value] = [{"ApiKey": key, "MinVersion": 4, "MaxVersion": 6} for key in (0, 1, 3, 18)]
    found = change(18, 4, True, {"ApiKeys": rows}, versions(_0=(7, 9), _1=(6, 9), _3=(0, 3), _18=(0, 1)))
    assert listed(found) == {1: (6, 6), 18: (4, 6)}


def test_a_version_of_api_versions_that_is_not_known() -> None:
    """Error 35 comes in a body of version 0, with ApiVersions' own range alone."""
    refused: Body = {"ErrorCode": 35, "ApiKeys": [{"ApiKey": 18, "MinVersion": 0, "MaxVersion": 4}]}
    assert change(18, 0, True, refused, TOPICS) is None
    newer: Body = {"ErrorCode": 35, "ApiKeys": [{"ApiKey": 18, "MinVersion": 0, "MaxVersion": 9}]}
    assert listed(change(18, 0, True, newer, TOPICS)) == {18: (0, 5)}


def test_a_client_that_knows_whom_it_asks() -> None:
    """ApiVersions 5 carries cluster and node: what a proxy has renumbered it has to number back, else the answer is error 129."""
    changes = KafkaChanges(nodes=Nodes.mapped({1: (101, "p", 1)}), cluster_id=("real", "virtual"))
    asked: Body = {"ClientSoftwareName": "x", "ClientSoftwareVersion": "1", "ClusterId": "virtual", "NodeId": 101}
    found = change(18, 5, False, asked, changes)
    assert found is not None and (found["ClusterId"], found["NodeId"]) == ("real", 1)
    nobody: Body = {**asked, "ClusterId": None, "NodeId": -1}
    assert change(18, 5, False, nobody, changes) is None


# Names that are too long, empty, or another's.


@pytest.mark.parametrize(
    ("key", "version", "value"),
    [
        (3, 9, {"Topics": [{"Name": "LONG"}]}),
        (10, 0, {"Key": "LONG"}),
        (10, 6, {"KeyType": 2, "CoordinatorKeys": ["LONG:1:2"]}),
        (22, 0, {"TransactionalId": "LONG"}),
        (30, 1, {"Creations": [{"ResourceType": 2, "ResourceName": "LONG", "ResourcePatternType": 3}]}),
        (32, 1, {"Resources": [{"ResourceType": 2, "ResourceName": "LONG"}]}),
        (66, 2, {"TransactionalIdPattern": "LONG"}),
        (68, 1, {"GroupId": "g", "SubscribedTopicRegex": "LONG"}),
    ],
)
def test_names_that_become_too_long_are_refused(key: int, version: int, value: Body) -> None:
    """A string has 32767 octets at most; who asks is told, and nothing else breaks."""
    of = layout(key, version, False)
    assert of is not None
    octets = encode(of, value)
    assert changed_body(of, octets, 0, len(octets), ALL, NOTHING_ASKED) is not None
    long = "x" * 32_760
    text = repr(value).replace("LONG", long)
    octets = encode(of, ast.literal_eval(text))
    with pytest.raises(Unsupported, match="octets at the server"):
        changed_body(of, octets, 0, len(octets), ALL, NOTHING_ASKED)


def test_a_topic_that_has_nothing_behind_the_prefix_is_none_of_the_clients() -> None:
    answer: Body = {"Topics": [{"Name": "tenant-a."}, {"Name": "tenant-a.one"}]}
    assert topics(change(3, 9, True, answer, TOPICS)) == ["one"]
    assert PREFIXED.place(b"tenant-a.") == b""
    groups: Body = {"Groups": [{"GroupId": "tenant-a."}, {"GroupId": "tenant-b."}]}  # groups may have an empty name
    assert topics(change(16, 4, True, groups, ALL), "Groups", "GroupId") == [""]


def test_what_all_share_is_told_once() -> None:
    """The client cannot get at a topic of its own by a name that is another's for it."""
    answer: Body = {"Topics": [{"Name": "__shared"}, {"Name": "tenant-a.__shared"}]}
    assert topics(change(3, 9, True, answer, TOPICS)) == ["__shared"]
    with pytest.raises(ValueError, match="would be one of this client's"):
        Names.prefixed("a.", shared=("a.b",))


@pytest.mark.parametrize(
    "brokers",
    [
        {-1: (1, "h", 1)},
        {1: (-1, "h", 1)},
        {1: (2**31, "h", 1)},
        {1: (1, "", 1)},
        {1: (1, "h", 0)},
        {1: (1, "h", 65536)},
    ],
)
def test_brokers_that_cannot_be(brokers: dict[int, tuple[int, str, int]]) -> None:
    with pytest.raises(ValueError, match=r"the id of a broker|no address"):
        Nodes.mapped(brokers)


def test_versions_and_prefixes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="above the highest"):
        KafkaChanges(versions={0: (9, 3)})
    with pytest.raises(ValueError, match="32767 at most"):
        Names.prefixed("x" * 32_768)
