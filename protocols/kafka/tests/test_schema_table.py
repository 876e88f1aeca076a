"""The table itself: whence it comes, and what it says of what the notes of a real broker say."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

from l7codecs_kafka._schema import layouts
from l7codecs_kafka._schema.layouts import ROLES, STRUCT, Field, api, apis, consumer_data, layout, role_of
from l7codecs_kafka._schema.table import CHECKSUM, SOURCES, TABLE

from .schema_truth import every_layout

GENERATOR = Path(__file__).resolve().parents[1] / "tools" / "table.py"


def load_generator():
    spec = importlib.util.spec_from_file_location("kafka_table_generator", GENERATOR)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_table_is_as_generated() -> None:
    """Nobody edited it by hand, and it is of the releases that the generator names."""
    assert hashlib.sha256(TABLE.encode()).hexdigest() == CHECKSUM
    assert [name for name, _ in SOURCES] == [f"kafka-clients-{version}.jar" for version in load_generator().VERSIONS]


@pytest.mark.interop
def test_table_is_what_the_generator_writes() -> None:
    generator = load_generator()
    cache = generator.default_cache()
    jars = [generator.read_jar(version, generator.fetch(version, cache)) for version in generator.VERSIONS]
    assert generator.make(jars) == generator.OUTPUT.read_text("utf-8")


def test_every_api_and_version() -> None:
    """Of 4.4.0 as `ApiMessageType` has it, with the lower versions that 3.9.2 still had; keys 4 to 7 are 3.9.2's."""
    known = {each.key: (each.name, each.lowest, each.highest) for each in apis()}
    assert list(known) == list(range(95))
    assert known[0] == ("Produce", 0, 13)
    assert known[1] == ("Fetch", 0, 18)
    assert known[2] == ("ListOffsets", 0, 11)
    assert known[3] == ("Metadata", 0, 13)
    assert known[4] == ("LeaderAndIsr", 0, 7)
    assert known[5] == ("StopReplica", 0, 4)
    assert known[6] == ("UpdateMetadata", 0, 8)
    assert known[7] == ("ControlledShutdown", 0, 3)
    assert known[10] == ("FindCoordinator", 0, 6)
    assert known[11] == ("JoinGroup", 0, 9)
    assert known[18] == ("ApiVersions", 0, 5)
    assert known[74] == ("ListConfigResources", 0, 1)
    assert known[78] == ("ShareFetch", 0, 2)
    assert known[94] == ("UnregisterController", 0, 0)
    assert [(each.key, each.unstable) for each in apis() if each.unstable >= 0 and each.lowest != each.unstable] == [
        (22, 6)
    ]
    assert sum(each.highest - each.lowest + 1 for each in apis()) == 368


def test_no_version_is_missing_or_twice() -> None:
    for each in apis():
        for parts in each.parts:
            versions = sorted(version for part in parts for version in range(part.low, part.high + 1))
            assert versions == list(range(each.lowest, each.highest + 1)), each


def test_unknown_keys_and_versions() -> None:
    assert api(95) is None and api(-1) is None and api(999) is None
    for key, version in ((0, 14), (0, -1), (3, 14), (18, 6), (18, 127), (18, -1), (999, 0), (-5, 0), (97, 27753)):
        assert layout(key, version, False) is None
        assert layout(key, version, True) is None
    assert consumer_data("ConsumerProtocolSubscription", 4) is None
    assert layout(0, 13, False) is layout(0, 13, False)


def test_unknown_versions_fill_no_memory() -> None:
    for version in range(0x8000):
        layout(999, version, False)
    assert len(layouts._layouts) <= layouts._LAYOUTS + 736
    assert layout(22, 6, True) is not None  # all that exist are made all the same


@pytest.mark.parametrize(
    ("key", "version", "response", "header"),
    [
        (0, 8, False, 1), (0, 9, False, 2), (0, 8, True, 0), (0, 9, True, 1),
        (18, 2, False, 1), (18, 3, False, 2), (18, 5, False, 2), (18, 2, True, 0), (18, 3, True, 0), (18, 5, True, 0),
        (17, 0, False, 1), (17, 1, False, 1), (17, 1, True, 0), (47, 0, False, 1), (47, 0, True, 0),
        (7, 0, False, 0), (7, 1, False, 1), (7, 3, False, 2), (7, 0, True, 0), (68, 0, False, 2), (68, 1, True, 1),
    ],
)  # fmt: skip
def test_header_versions(key: int, version: int, response: bool, header: int) -> None:
    found = layout(key, version, response)
    assert found is not None
    assert found.header_version == header


def test_roles() -> None:
    """Their bits are what the table's words say; all are used, and no word is unknown."""
    names = {name.lower(): value for name, value in vars(layouts).items() if name.lower() in ROLES}
    assert names == {name: role_of(name) for name in ROLES}
    assert sum(names.values()) == layouts.EVERY
    used = 0
    for each in every_layout():
        used |= each.has
    assert used == layouts.EVERY


# Where topics, nodes and addresses stand: read off the definitions' names, which the roles do not come from alone.
TOPIC_NAMES = {
    "Topic",
    "TopicName",
    "TopicNames",
    "SubscribedTopicNames",
    "SourceTopics",
    "RepartitionSinkTopics",
    "SinkTopic",
}
NODE_NAMES = {
    "BrokerId", "BrokerIds", "NodeId", "LeaderId", "ControllerId", "Leader", "Isr", "IsrNodes", "Replicas", "ReplicaNodes", "ReplicaId",
    "OfflineReplicas", "PreferredReadReplica", "AddingReplicas", "RemovingReplicas", "CandidateId", "VoterId", "PreferredSuccessors",
    "EligibleLeaderReplicas", "LastKnownElr", "NewIsr",
}  # fmt: skip


def test_roles_hold_every_field_of_the_name() -> None:
    for each in every_layout():
        for field in each.all:
            where = (each, field.path)
            if field.name in TOPIC_NAMES and field.kind == layouts.STRING:
                assert field.role == layouts.TOPIC, where
            if field.name in NODE_NAMES and field.kind == layouts.INT32:
                assert field.role == layouts.NODE_ID, where
            if field.name == "ErrorCode" or field.name.endswith("ErrorCode"):
                assert field.role == layouts.ERROR_CODE, where
            if "TopicId" in field.name and field.kind == layouts.UUID:
                assert field.role == layouts.TOPIC_ID, where
            if field.name == "Port" and field.kind != STRUCT and not each.api.name.startswith("StreamsGroup"):
                assert field.role == layouts.PORT, where
            if field.role == layouts.HOST:
                assert field.name in ("Host", "HostName", "V0Host"), where
    acl = layout(29, 3, True)
    assert acl is not None and not acl.has & layouts.HOST  # the Host of an ACL is a client's


def test_elements_have_an_octet() -> None:
    """A count can be held against the octets that there are, since no element is empty; and structs do not nest deep."""

    def smallest(field: Field, flexible: bool) -> int:
        if field.kind != STRUCT:
            return max(layouts.SIZES[field.kind], 1)
        return (
            sum(1 if each.array or each.nullable else smallest(each, flexible) for each in field.fields if each.tag < 0)
            + flexible
        )

    def depth(field: Field) -> int:
        return 1 + max(map(depth, field.fields), default=0)

    deepest = 0
    for each in every_layout():
        for field in each.all:
            if field.array:
                assert smallest(field, each.flexible) > 0, (each, field)
        deepest = max(deepest, depth(each.root))
    assert deepest == 7
