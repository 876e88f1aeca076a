"""Names, nodes and addresses in every message of the table, against the same change made in its values.

What a field is for its role says, as everywhere; `test_roles_by_their_names` holds the roles to the names of the definitions.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable

import pytest

from l7codecs import Unsupported
from l7codecs_kafka import KafkaChanges, Names, Nodes
from l7codecs_kafka._change.bodies import Asked, changed_body
from l7codecs_kafka._schema.layouts import (
    ASSIGNMENT,
    CLUSTER_ID,
    GROUP,
    HOST,
    INT8,
    INT32,
    KEY,
    KEY_TYPE,
    NODE_ID,
    PORT,
    PROTOCOL_TYPE,
    RECORDS,
    RESOURCE_NAME,
    RESOURCE_TYPE,
    STRING,
    STRUCT,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_PATTERN,
    TRANSACTIONAL_ID,
    Field,
    Layout,
    Value,
    api,
    consumer_data,
    layout,
)
from l7codecs_kafka._schema.values import decode, encode

from .schema_truth import every_layout, random_body

PREFIX = "tenant-a."
METADATA_LOG = (52, 53, 54, 55, 59)
ACLS = (29, 30, 31)
ADDRESSED = (0, 1, 3, 10, 60, 78, 79)
SHARES = (78, 79)
SAID = Asked(0, b"consumer")

LAYOUTS = [each for each in every_layout() if each.api.key >= 0]
by_layout = pytest.mark.parametrize("of", LAYOUTS, ids=repr)

Rename = Callable[[int, str], str | None]
"""The new name, by the role of what is named; None: left out."""


def body(of: Layout, value: dict[str, Value]) -> bytes:
    return encode(of, value)


def changed(of: Layout, value: dict[str, Value], changes: KafkaChanges, asked: Asked = SAID) -> dict[str, Value]:
    """The values after the change was made in the octets, in the midst of others."""
    octets = b"before" + body(of, value)
    found = changed_body(of, octets, 6, len(octets), changes, asked)
    if found is None:
        return value
    after, at = decode(of, found, 0, len(found))
    assert at == len(found)
    return after


def member(role: int, topics: list[str], chance: random.Random) -> bytes:
    """What a member of a classic group tells, or is given."""
    version = chance.randrange(5)
    name = "ConsumerProtocolSubscription" if role == SUBSCRIPTION else "ConsumerProtocolAssignment"
    of = consumer_data(name, min(version, 3))
    assert of is not None
    given: dict[str, Value]
    partitions: list[Value] = [{"Topic": topic, "Partitions": [0, 7]} for topic in topics]
    if role == SUBSCRIPTION:
        given = {"Topics": list(topics), "UserData": b"user"}
        if version > 0:
            given["OwnedPartitions"] = partitions
    else:
        given = {"AssignedPartitions": partitions, "UserData": None}
    newer = b"of a newer version" if version > 3 else b""
    return version.to_bytes(2, "big") + encode(of, given) + newer


def meaningful(of: Layout, chance: random.Random, names: list[str]) -> dict[str, Value]:
    """Random values, with names of `names`, nodes 0 to 3, and types that say what is named."""
    return _with_names(of.root, random_body(of, chance), chance, names, of)


def _with_names(
    struct: Field, value: dict[str, Value], chance: random.Random, names: list[str], of: Layout
) -> dict[str, Value]:
    for field in struct.fields:
        if field.name in value and value[field.name] is not None:
            here = value[field.name]
            if isinstance(here, list):
                value[field.name] = [_item(field, item, chance, names, of) for item in here]
            else:
                value[field.name] = _item(field, here, chance, names, of)
    return value


def _item(field: Field, item: Value, chance: random.Random, names: list[str], of: Layout) -> Value:
    if isinstance(item, dict):
        return _with_names(field, item, chance, names, of)
    role = field.role
    if role in (TOPIC, GROUP, TRANSACTIONAL_ID, KEY, RESOURCE_NAME) and isinstance(item, str):
        return chance.choice(names)
    if role == TOPIC_PATTERN and isinstance(item, str):
        return PREFIX.replace(".", "\\.") + "(?:log-.*)" if of.response else "log-.*"
    if role == NODE_ID:
        return chance.randrange(-1, 4)
    if role == KEY_TYPE:
        return chance.randrange(2)
    if role == RESOURCE_TYPE and field.kind == INT8:
        return chance.choice((2, 16, 32))
    if role == PROTOCOL_TYPE and isinstance(item, str):
        return "consumer"
    if role in (SUBSCRIPTION, ASSIGNMENT):
        return member(role, chance.choices(names, k=2), chance)
    if role == CLUSTER_ID and isinstance(item, str):
        return chance.choice(("of-server", "of-client", "other"))
    if role == HOST and isinstance(item, str):
        return chance.choice(("broker", "b" * 200))
    if role == PORT and field.kind == INT32:
        return chance.randrange(1, 65536)
    return item


def renamed(of: Layout, value: dict[str, Value], rename: Rename, key_type: int = 0) -> dict[str, Value]:
    """The same made in the values, for what is in their place; lists lose what has no name."""
    return _renamed(of.root, copy.deepcopy(value), rename, key_type, of)


def _renamed(struct: Field, value: dict[str, Value], rename: Rename, key_type: int, of: Layout) -> dict[str, Value]:
    if any(field.role == KEY_TYPE for field in struct.fields):
        found = value.get("KeyType")
        assert isinstance(found, int)
        key_type = found
    for field in struct.fields:
        here = value.get(field.name)
        if isinstance(here, list):
            kept: list[Value] = []
            for item in here:
                if isinstance(item, dict):
                    if not _foreign(field, item, rename, key_type):
                        kept.append(_renamed(field, item, rename, key_type, of))
                else:
                    new = _name(field, item, {}, rename, key_type)
                    if new is not None:
                        kept.append(new)
            value[field.name] = kept
        elif isinstance(here, dict):
            if field.nullable and _foreign(field, here, rename, key_type):
                value[field.name] = None
            else:
                _renamed(field, here, rename, key_type, of)
        elif here is not None:
            new = _name(field, here, value, rename, key_type)
            value[field.name] = ("" if not field.nullable else None) if new is None else new
    return value


def _role(field: Field, around: dict[str, Value], key_type: int) -> int:
    if field.role == KEY:
        return (GROUP, TRANSACTIONAL_ID)[key_type]
    if field.role == RESOURCE_NAME:
        return {2: TOPIC, 32: GROUP}.get(around.get("ResourceType"), 0)  # type: ignore[call-overload, no-any-return]  # by any value
    return field.role


def _name(field: Field, item: Value, around: dict[str, Value], rename: Rename, key_type: int) -> Value:
    if isinstance(item, str) and field.kind == STRING and field.role:
        return rename(_role(field, around, key_type), item)
    if isinstance(item, bytes) and field.role in (SUBSCRIPTION, ASSIGNMENT):
        version = int.from_bytes(item[:2], "big")
        name = "ConsumerProtocolSubscription" if field.role == SUBSCRIPTION else "ConsumerProtocolAssignment"
        of = consumer_data(name, min(version, 3))
        assert of is not None
        inside, at = decode(of, item, 2, len(item))
        return item[:2] + encode(of, renamed(of, inside, rename)) + item[at:]
    return item


def _foreign(field: Field, item: dict[str, Value], rename: Rename, key_type: int) -> bool:
    return any(
        isinstance(item.get(each.name), str)
        and each.kind == STRING
        and not each.array
        and each.name not in ("SinkTopic", "SubscribedTopicRegex")
        and _name(each, item[each.name], item, rename, key_type) is None
        for each in field.fields
    )


def tenant(role: int, name: str) -> str | None:
    """What a client of the tenant calls it."""
    if role == TOPIC_PATTERN:
        around = PREFIX.replace(".", "\\.") + "(?:"
        return name.removeprefix(around)[:-1] if name.startswith(around) else None
    if role not in (TOPIC, GROUP, TRANSACTIONAL_ID) or not name:
        return name
    own = name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
    return own or (own if role == GROUP else None)  # groups alone may have an empty name


def server(role: int, name: str) -> str:
    if role == TOPIC_PATTERN:
        return PREFIX.replace(".", "\\.") + f"(?:{name})"
    if not name and role in (TOPIC, TRANSACTIONAL_ID):
        return name  # the name of nothing
    return PREFIX + name if role in (TOPIC, GROUP, TRANSACTIONAL_ID) else name


def of_topics(rename: Rename, of: Layout) -> Rename:
    """But for topics of the metadata log."""
    return lambda role, name: (
        name if role in (TOPIC, TOPIC_PATTERN) and of.api.key in METADATA_LOG else rename(role, name)
    )


PREFIXED = Names.prefixed(PREFIX)
TENANT = KafkaChanges(topics=PREFIXED, groups=PREFIXED, transactional_ids=PREFIXED)


@by_layout
def test_names_of_a_tenant(of: Layout) -> None:
    """Requests get the prefix and answers lose it; what has none is left out of these."""
    if of.api.key in ACLS or of.api.key == 18:
        return  # test_change_rules
    chance = random.Random(f"{of}")
    seen = 0
    for _ in range(6):
        if of.response:
            value = meaningful(
                of, chance, ["tenant-a.one", "tenant-a.", "tenant-a.2" * 15, "tenant-b.one", "__consumer_offsets"]
            )
            _open(value)
            key_type = chance.randrange(2)
            expected = renamed(of, value, of_topics(tenant, of), key_type)
            found = changed(of, value, TENANT, Asked(key_type, b"consumer"))
        else:
            value = meaningful(of, chance, ["one", "", "two" * 41, "three", "ü" * 60])
            _open(value)
            if "TransactionalIdPattern" in value:
                value["TransactionalIdPattern"] = None
            expected = renamed(of, value, of_topics(server, of))
            found = changed(of, value, TENANT)
        assert found == expected
        seen += found != value
    wanted = TOPIC | GROUP | TRANSACTIONAL_ID | KEY | SUBSCRIPTION | ASSIGNMENT | TOPIC_PATTERN
    if of.api.key in METADATA_LOG:
        wanted &= ~TOPIC
    assert (seen > 0) == (of.has & wanted != 0 or (of.has & RESOURCE_NAME != 0 and of.has & RESOURCE_TYPE != 0))


def _open(value: dict[str, Value]) -> None:
    """Leave out the cursor of DescribeTopicPartitions, which has rules of its own."""
    for name in ("Cursor", "NextCursor"):
        if name in value:
            value[name] = None


@by_layout
def test_names_there_and_back(of: Layout) -> None:
    """Who has all names of the client sees what the client wrote."""
    if of.response or of.api.key in ACLS or of.has & TOPIC_PATTERN:
        return
    chance = random.Random(f"back {of}")
    back = KafkaChanges(
        topics=Names(str.upper, str.lower),
        groups=Names(str.upper, str.lower),
        transactional_ids=Names(str.upper, str.lower),
    )
    for _ in range(4):
        value = meaningful(of, chance, ["one", "two" * 50, "three"])
        if "TransactionalIdPattern" in value:
            value["TransactionalIdPattern"] = None
        there = changed(of, value, back)
        assert there == renamed(
            of,
            value,
            of_topics(lambda role, name: name.upper() if role in (TOPIC, GROUP, TRANSACTIONAL_ID) else name, of),
        )


@by_layout
def test_nodes(of: Layout) -> None:
    """Ids in both directions, and addresses in answers; -1 stays."""
    brokers = {0: (100, "p", 9000), 1: (101, "proxy", 9001), 2: (102, "proxy", 9002), 3: (103, "x" * 140, 9003)}
    changes = KafkaChanges(nodes=Nodes.mapped(brokers))
    chance = random.Random(f"nodes {of}")
    if of.api.key == 18 and of.response:
        return
    for _ in range(6):
        value = meaningful(of, chance, ["one"])
        if not of.response:
            value = _nodes(of.root, value, {node: known[0] for node, known in brokers.items()}, {}, of)
        there = {node: known[0] for node, known in brokers.items()}
        back = {other: node for node, other in there.items()}
        addresses = {node: (host, port) for node, (_, host, port) in brokers.items()} if of.api.key in ADDRESSED else {}
        expected = _nodes(
            of.root, copy.deepcopy(value), there if of.response else back, addresses if of.response else {}, of
        )
        assert changed(of, value, changes) == expected
        if of.has & NODE_ID == 0:
            octets = body(of, value)
            assert changed_body(of, octets, 0, len(octets), changes, SAID) is None


def _nodes(
    struct: Field,
    value: dict[str, Value],
    ids: dict[int, int],
    addresses: dict[int, tuple[str, int]],
    of: Layout,
    failed: bool = False,
) -> dict[str, Value]:
    """The values with other nodes; each struct's host and port are of the node in it."""
    codes = [value.get(field.name) for field in struct.fields if "ErrorCode" in field.name and not field.array]
    failed = failed or any(codes)
    node = -1
    for field in struct.fields:
        here = value.get(field.name)
        if isinstance(here, list) and field.kind == STRUCT:
            for item in here:
                assert isinstance(item, dict)
                _nodes(field, item, ids, addresses, of)
        elif isinstance(here, dict):
            # A share session's partition without an error tells no leader: node 0.
            quiet = of.response and of.api.key in SHARES and field.name == "CurrentLeader" and not failed
            known = {old: new for old, new in ids.items() if old or not quiet}
            _nodes(field, here, known, addresses, of)
        elif field.role == NODE_ID:
            if isinstance(here, list):
                value[field.name] = [ids.get(old, old) for old in here]  # type: ignore[call-overload]  # they are ids
            elif isinstance(here, int):
                node = here
                value[field.name] = ids.get(node, node)
        elif field.role == HOST and isinstance(here, str) and node in addresses:
            value[field.name] = addresses[node][0]
        elif field.role == PORT and isinstance(here, int) and node in addresses:
            value[field.name] = addresses[node][1]
    return value


@by_layout
def test_clusters(of: Layout) -> None:
    if of.api.key == 18 and of.response:
        return
    changes = KafkaChanges(cluster_id=("of-server", "of-client"))
    chance = random.Random(f"cluster {of}")
    told = {"of-server": "of-client"} if of.response else {"of-client": "of-server"}
    for _ in range(8):
        value = meaningful(of, chance, ["one"])
        expected = renamed(of, value, lambda role, name: told.get(name, name) if role == CLUSTER_ID else name)
        assert changed(of, value, changes) == expected


@by_layout
def test_everything_else_is_exact(of: Layout) -> None:
    """What names nothing stays to the octet; so does what has been changed there and back."""
    chance = random.Random(f"exact {of}")
    for _ in range(4):
        octets = body(of, _of_known_types(of.root, random_body(of, chance), chance))
        same = KafkaChanges(
            topics=Names(_same, _same),
            groups=Names(_same, _same),
            nodes=Nodes(int, int, lambda _, host, port: (host, port)),
        )
        if of.api.key != 18 and (of.response or (of.api.key not in ACLS and of.has & TOPIC_PATTERN == 0)):
            found = changed_body(of, octets, 0, len(octets), same, SAID)
            assert found is None or found == octets


def _of_known_types(struct: Field, value: dict[str, Value], chance: random.Random) -> dict[str, Value]:
    """`value` with types of keys and resources that there are: all others are refused, or left out."""
    for field in struct.fields:
        here = value.get(field.name)
        if isinstance(here, list):
            value[field.name] = [
                _of_known_types(field, each, chance) if isinstance(each, dict) else each for each in here
            ]
        elif isinstance(here, dict):
            _of_known_types(field, here, chance)
        elif field.role == KEY_TYPE and field.name in value:
            value[field.name] = chance.randrange(3)
        elif field.role == RESOURCE_TYPE and field.name in value:
            value[field.name] = chance.choice((2, 4))
    return value


def _same(name: str) -> str | None:
    return name


def test_roles_by_their_names() -> None:
    """No field that is named as a node, a topic or a group lacks the role; and what has one is named so."""
    node = re.compile(
        r"(Broker|Node|Leader|Controller|Replica|Voter|Candidate)(Ids?|Nodes)?$|^(Isr|NewIsr|Replicas|(Adding|Removing|Offline)Replicas)$|Elr$|Successors$|^Id$"
    )
    lacking: set[str] = set()
    having: set[str] = set()
    for of in LAYOUTS:
        for field in of.all:
            name = field.name
            if (
                field.kind == INT32
                and field.role != NODE_ID
                and (node.search(name) or re.search(r"(Replicas|Nodes|Isr)$", name))
            ):
                lacking.add(f"{of.api.name}.{field.path}")
            if field.role == NODE_ID:
                having.add(name)
            if (
                field.kind == STRING
                and field.role != TOPIC
                and re.search(r"^Topic(Name)?s?$|TopicNames$|(Source|Sink|Changelog)Topics?$", name)
            ):
                lacking.add(f"{of.api.name}.{field.path}")
            if field.kind == STRING and field.role != GROUP and re.search(r"Group(Id|Ids|sNames)$", name):
                lacking.add(f"{of.api.name}.{field.path}")
            if field.kind == STRING and field.role != TRANSACTIONAL_ID and re.search(r"TransactionalIds?$", name):
                lacking.add(f"{of.api.name}.{field.path}")
            if field.role in (TOPIC, GROUP, TRANSACTIONAL_ID):
                assert field.kind == STRING
            if field.role == RECORDS:
                assert name.endswith("Records")
    assert lacking == set()
    assert having == {
        "AddingReplicas", "BrokerId", "BrokerIds", "CandidateId", "ControllerId", "EligibleLeaderReplicas", "Id", "Isr", "IsrNodes",
        "LastKnownElr", "Leader", "LeaderId", "NewIsr", "NodeId", "OfflineReplicas", "PreferredReadReplica", "PreferredSuccessors",
        "RemovingReplicas", "ReplicaId", "ReplicaNodes", "Replicas", "VoterId",
    }  # fmt: skip


def test_every_api_is_tried() -> None:
    assert {of.api.key for of in LAYOUTS} == set(range(95))
    assert len(LAYOUTS) == len({(of.api.key, of.version, of.response) for of in LAYOUTS}) > 618


def test_a_name_that_a_client_may_not_use() -> None:
    of = layout(3, 12, False)
    assert of is not None
    mine = Names(lambda name: None if name == "secret" else name, lambda name: name)
    octets = encode(of, {"Topics": [{"Name": "one"}, {"Name": "secret"}]})
    with pytest.raises(Unsupported, match="'secret' has no name"):
        changed_body(of, octets, 0, len(octets), KafkaChanges(topics=mine), SAID)
    assert api(3) is not None
