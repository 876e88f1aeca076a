"""A body with other names, nodes and addresses: wherever the table says that one stands, in whatever message.

Most bodies are spliced: what does not change is copied. An answer that names what is none of the client's is read whole first and
written again without it (`left_out`). ACLs and ApiVersions have rules of their own.

Not changed: names inside of values (a configuration's, a telemetry's, what the assignors of Kafka Streams tell each other); topics of the
controllers' own messages, which are those of the metadata log; what brokers say to controllers in an Envelope.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Unsupported

from .._meaning.members import CONSUMER, MEMBERS, consumers_say
from .._schema.layouts import (
    CLUSTER_ID,
    ERROR_CODE,
    GROUP,
    HOST,
    KEY,
    KEY_TYPE,
    NODE_ID,
    PARTITION,
    PORT,
    PROTOCOL_TYPE,
    RECORDS,
    RESOURCE_NAME,
    RESOURCE_TYPE,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_PATTERN,
    TRANSACTIONAL_ID,
    Layout,
)
from .._schema.splice import splice
from .._schema.values import decode, encode
from .._schema.walk import Found, pick
from .acls import ACLS, changed_acls
from .changes import KafkaChanges
from .filters import (
    BROKER_CONFIG,
    BROKER_LOGGER,
    GROUP_CONFIG,
    METRICS_CONFIG,
    TOPIC_CONFIG,
    left_out,
    share_group,
)
from .members import changed_member
from .names import Names, fitting
from .versions import clamped

__all__ = ["NOTHING_ASKED", "Asked", "asked_of", "changed_body", "changed_head", "keeps", "wanted_roles"]

API_VERSIONS: Final[i64] = 18
_DESCRIBE_TOPIC_PARTITIONS: Final[i64] = 75
_LIST_TRANSACTIONS: Final[i64] = 66
_LIST_CONFIG_RESOURCES: Final[i64] = 74
_SHARE_FETCH: Final[i64] = 78
_SHARE_ACKNOWLEDGE: Final[i64] = 79

_CURSORS: Final = ("Cursor.TopicName", "NextCursor.TopicName")
"""Where DescribeTopicPartitions goes on."""

_OF_THE_METADATA_LOG: Final = frozenset((52, 53, 54, 55, 59))
"""Vote, BeginQuorumEpoch, EndQuorumEpoch, DescribeQuorum, FetchSnapshot: their only topic is the metadata log."""
_OF_BROKERS: Final = frozenset((0, 1, 3, 10, 60, 78, 79))
"""Answers with addresses at which clients find brokers; those of others are listeners of controllers."""

# Types of FindCoordinator's keys.
GROUP_KEY: Final[i64] = 0
TRANSACTION_KEY: Final[i64] = 1
_SHARE_KEY: Final[i64] = 2


_GROUP: Final = "group"

_DIGITS: Final = 11
"""No id of a broker is as long in decimal."""


@final
class Asked:
    """What an answer does not say, and its request does."""

    def __init__(self, key_type: i64, protocol_type: bytes | None) -> None:
        self.key_type: i64 = key_type
        """Of FindCoordinator's keys."""
        self.protocol_type = protocol_type
        """Of a group's members; None where it is not said."""


NOTHING_ASKED: Final = Asked(GROUP_KEY, None)


def asked_of(layout: Layout, octets: bytes, start: i64, end: i64) -> Asked:
    """What the request ``octets[start:end]`` says for its answer."""
    if layout.has & (KEY_TYPE | PROTOCOL_TYPE) == 0:
        return NOTHING_ASKED
    found = pick(layout, octets, start, end, KEY_TYPE | PROTOCOL_TYPE, False, True)
    key_type: i64 = GROUP_KEY
    protocol_type: bytes | None = None
    for number in range(len(found)):
        if found.role(number) == KEY_TYPE:
            key_type = found.number(number)
        else:
            protocol_type = found.octets_of(number)
    return Asked(key_type, protocol_type)


def changed_body(
    layout: Layout, octets: bytes, start: i64, end: i64, changes: KafkaChanges, asked: Asked
) -> bytes | None:
    """The body with `changes`; None where it stays as it is. `asked` is what its request said, of an answer.

    Raises:
        Unsupported: a name or a node has no other one.
        ProtocolError: the octets are no body of this layout.
    """
    key: i64 = layout.api.key
    if layout.response and key == API_VERSIONS:
        return clamped(layout, octets, start, end, changes.versions) if changes.clamps else None
    if key == _LIST_TRANSACTIONS and not layout.response:
        return _changed_pattern(layout, octets, start, end, changes)
    wanted = wanted_roles(layout, changes)
    if wanted == 0:
        return None
    if key in ACLS:
        return changed_acls(layout, octets, start, end, changes)
    found = pick(layout, octets, start, end, _with_context(layout, wanted))
    pass_ = _Pass(layout, found, changes, asked)
    pass_.run()
    if pass_.foreign:
        rest = left_out(layout, octets, start, end, changes, asked.key_type)
        pass_ = _Pass(layout, pick(layout, rest, 0, len(rest), _with_context(layout, wanted)), changes, asked)
        pass_.run()
        return splice(pass_.found, pass_.changed)
    return splice(found, pass_.changed) if pass_.changed else None


def changed_head(
    layout: Layout, octets: bytes, start: i64, end: i64, changes: KafkaChanges, asked: Asked
) -> tuple[bytes | None, bool]:
    """As `changed_body`, of a body of which only the octets up to `end` are there, and whether that is all that changes.

    It is not where something that changes may stand in the rest.
    """
    wanted = wanted_roles(layout, changes)
    if wanted == 0:
        return None, not (layout.response and layout.api.key == API_VERSIONS and changes.clamps)
    if layout.has & RECORDS == 0:
        return None, False  # what is large and not because of records is read whole
    found = pick(layout, octets, start, end, _with_context(layout, wanted), False, True)
    if not found.complete:
        return None, False
    pass_ = _Pass(layout, found, changes, asked)
    pass_.run()
    if pass_.foreign:
        return None, False
    return splice(found, pass_.changed) if pass_.changed else None, True


def wanted_roles(layout: Layout, changes: KafkaChanges) -> i64:
    """The roles of fields that change in messages of this layout; 0: none."""
    wanted = changes.answered_roles if layout.response else changes.asked_roles
    key: i64 = layout.api.key
    if key in _OF_THE_METADATA_LOG:
        wanted &= ~(TOPIC | TOPIC_PATTERN)
    if key not in _OF_BROKERS:
        wanted &= ~HOST
    if wanted & RESOURCE_NAME != 0 and layout.has & RESOURCE_TYPE == 0:
        wanted &= ~RESOURCE_NAME  # of client metrics
    return wanted & layout.has


def keeps(layout: Layout, changes: KafkaChanges) -> bool:
    """Whether requests of this layout stay as they are, whatever they say."""
    return layout.api.key != _LIST_TRANSACTIONS and wanted_roles(layout, changes) == 0


def _with_context(layout: Layout, wanted: i64) -> i64:
    """The roles to look for: `wanted` and what says how those are meant."""
    if wanted & HOST != 0:
        wanted |= NODE_ID | PORT
    if wanted & NODE_ID != 0 and (layout.api.key == _SHARE_FETCH or layout.api.key == _SHARE_ACKNOWLEDGE):
        wanted |= PARTITION | ERROR_CODE
    if wanted & KEY != 0:
        wanted |= KEY_TYPE
    if wanted & RESOURCE_NAME != 0:
        wanted |= RESOURCE_TYPE
    if wanted & MEMBERS != 0:
        wanted |= PROTOCOL_TYPE
    return wanted & layout.has


def _changed_pattern(layout: Layout, octets: bytes, start: i64, end: i64, changes: KafkaChanges) -> bytes | None:
    """ListTransactions with another pattern: the one pattern of transactional ids, which has no role."""
    names = changes.transactional_ids
    if names is None:
        return None
    value, at = decode(layout, octets, start, end)
    pattern = value.get("TransactionalIdPattern")
    if not isinstance(pattern, str) or not pattern:
        return None
    changed = names.server_pattern(pattern.encode("utf-8", "surrogateescape"), "transactional id")
    value["TransactionalIdPattern"] = changed.decode("utf-8", "surrogateescape")
    return encode(layout, value) + octets[at:end]


@final
class _Pass:
    """One pass over what was found in a body."""

    def __init__(self, layout: Layout, found: Found, changes: KafkaChanges, asked: Asked) -> None:
        self.found = found
        self.changed: list[tuple[int, bytes | None]] = []
        self.foreign = False
        """The body names what is none of the client's; nothing behind it was looked at."""
        self._answer = layout.response
        self._key: i64 = layout.api.key
        self._roles = changes.answered_roles if layout.response else changes.asked_roles
        self._changes = changes
        self._key_type: i64 = asked.key_type
        self._nodes: dict[int, bytes | None] = {}
        """The new ids of those that were met; None: they stay."""
        self._consumers = asked.protocol_type is None or asked.protocol_type == CONSUMER

    def run(self) -> None:
        """Gather what changes."""
        found = self.found
        changes = self._changes
        shares = self._key == _SHARE_FETCH or self._key == _SHARE_ACKNOWLEDGE
        failed = False
        node: i64 = -1
        number: i64 = 0
        count: i64 = len(found)
        while number < count and not self.foreign:
            role = found.role(number)
            if found.starts(number) < 0:
                pass
            elif role == TOPIC:
                if self._key == _DESCRIBE_TOPIC_PARTITIONS and found.field(number).path in _CURSORS:
                    self._put_place(number, changes.topics)
                else:
                    self._put_name(number, changes.topics, "topic")
            elif role == NODE_ID:
                node = found.number(number)
                hint = (
                    self._answer and shares and node == 0 and not failed
                )  # no leader is told of, which looks like broker 0
                if not hint or not found.field(number).path.endswith("CurrentLeader.LeaderId"):
                    self._put_node(number, node)
            elif role == PARTITION:
                failed = False
            elif role == ERROR_CODE:
                failed = failed or found.number(number) != 0
            elif role == HOST:
                self._put_address(number, node)
            elif role == GROUP:
                self._put_name(number, changes.groups, _GROUP)
            elif role == TRANSACTIONAL_ID:
                self._put_name(number, changes.transactional_ids, "transactional id")
            elif role == KEY_TYPE:
                self._key_type = found.number(number)
            elif role == KEY:
                self._put_key(number)
            elif role == RESOURCE_NAME:
                self._put_resource(number)
            elif role == TOPIC_PATTERN:
                self._put_pattern(number)
            elif role == PROTOCOL_TYPE:
                self._consumers = consumers_say(found, number, self._consumers)
            elif role & MEMBERS != 0:
                self._put_member(number, role == SUBSCRIPTION)
            elif role == CLUSTER_ID:
                self._put_cluster(number)
            number += 1

    def _put(self, number: i64, old: bytes, new: bytes) -> None:
        if new != old:
            self.changed.append((int(number), new))

    def _put_name(self, number: i64, names: Names | None, what: str) -> None:
        if names is None:
            return
        old = self.found.octets[self.found.starts(number) : self.found.ends(number)]
        if self._answer:
            new = names.client_name(old, what == _GROUP)
            if new is None:
                self.foreign = True
                return
        elif old or what == _GROUP:
            new = names.server_name(old, what)
        else:
            return  # no topic and no transaction: beside an id, or a mistake that the server tells of
        self._put(number, old, new)

    def _put_place(self, number: i64, names: Names | None) -> None:
        """The topic that the next part of an answer begins with."""
        if names is None:
            return
        old = self.found.octets[self.found.starts(number) : self.found.ends(number)]
        new = names.place(old) if self._answer else names.server_name(old, "topic")
        if new is None:
            self.foreign = True
        else:
            self._put(number, old, new)

    def _put_pattern(self, number: i64) -> None:
        names = self._changes.topics
        if names is None:
            return
        old = self.found.octets[self.found.starts(number) : self.found.ends(number)]
        if self._answer:
            new = names.client_pattern(old)
            if new is None:
                self.foreign = True
                return
        else:
            new = names.server_pattern(old, "topic")
        self._put(number, old, new)

    def _put_key(self, number: i64) -> None:
        found = self.found
        if number + 1 < len(found) and found.role(number + 1) == KEY_TYPE:
            self._key_type = found.number(number + 1)
        if self._key_type == GROUP_KEY:
            self._put_name(number, self._changes.groups, _GROUP)
        elif self._key_type == TRANSACTION_KEY:
            self._put_name(number, self._changes.transactional_ids, "transactional id")
        elif self._key_type == _SHARE_KEY and self._changes.groups is not None:
            self._put_share_key(number, self._changes.groups)
        elif self._key_type < GROUP_KEY or self._key_type > _SHARE_KEY:
            # What such a key names, a topic perhaps, or another's group, nobody here knows.
            raise Unsupported(f"a key of type {self._key_type} of FindCoordinator is not known, and cannot be changed")

    def _put_share_key(self, number: i64, names: Names) -> None:
        """``group:topic id:partition`` (KIP-932): the id has no colon, so the group is all before the last two."""
        found = self.found
        old = found.octets[found.starts(number) : found.ends(number)]
        group = share_group(old)
        new = names.client_name(group, True) if self._answer else names.server_name(group, _GROUP)
        if new is None:
            self.foreign = True
        else:
            self._put(number, old, fitting(new + old[len(group) :], "key of a share partition"))

    def _put_resource(self, number: i64) -> None:
        """A configuration's resource; its type stands before it, but behind it in ListConfigResources."""
        found = self.found
        kind: i64 = METRICS_CONFIG  # ListConfigResources v0 says none
        if number > 0 and found.role(number - 1) == RESOURCE_TYPE and self._key != _LIST_CONFIG_RESOURCES:
            kind = found.number(number - 1)
        elif number + 1 < len(found) and found.role(number + 1) == RESOURCE_TYPE:
            kind = found.number(number + 1)
        if kind == TOPIC_CONFIG:
            self._put_name(number, self._changes.topics, "topic")
        elif kind == GROUP_CONFIG:
            self._put_name(number, self._changes.groups, _GROUP)
        elif kind == BROKER_CONFIG or kind == BROKER_LOGGER:
            old = found.octets[found.starts(number) : found.ends(number)]
            nodes = self._changes.nodes
            if nodes is not None and old.isdigit() and len(old) < _DIGITS:
                node = int(old)
                other = nodes.client_id(node) if self._answer else nodes.server_id(node)
                if other != node:
                    self._put(number, old, b"%d" % other)
        elif kind != METRICS_CONFIG and (self._changes.topics is not None or self._changes.groups is not None):
            if self._answer:
                self.foreign = True
            else:
                raise Unsupported(f"a configuration of type {kind} is not known, and its name cannot be changed")

    def _put_node(self, number: i64, node: i64) -> None:
        nodes = self._changes.nodes
        if nodes is None or self._roles & NODE_ID == 0 or node < 0:
            return
        if node not in self._nodes:
            other: int = nodes.client_id(int(node)) if self._answer else nodes.server_id(int(node))
            self._nodes[node] = _int32(other, "the id of a broker") if other != node else None
        new = self._nodes[node]
        if new is not None:
            self.changed.append((int(number), new))

    def _put_address(self, number: i64, node: i64) -> None:
        """Host and port of the broker `node`; they stand together."""
        found = self.found
        nodes = self._changes.nodes
        if nodes is None or node < 0 or number + 1 >= len(found) or found.role(number + 1) != PORT:
            return
        old = found.octets[found.starts(number) : found.ends(number)]
        port = found.number(number + 1)
        host, other = nodes.client_address(int(node), old.decode("utf-8", "surrogateescape"), int(port))
        self._put(number, old, host.encode("utf-8", "surrogateescape"))
        if other != port:
            self.changed.append((int(number) + 1, _int32(other, "a port")))

    def _put_member(self, number: i64, subscribes: bool) -> None:
        """What a member of a classic group says of itself, or is given."""
        names = self._changes.topics
        if names is None or not self._consumers:
            return
        old = self.found.octets[self.found.starts(number) : self.found.ends(number)]
        new = changed_member(old, subscribes, names, self._answer)
        if new is not None:
            self._put(number, old, new)

    def _put_cluster(self, number: i64) -> None:
        ids = self._changes.cluster_id
        if ids is None:
            return
        servers, clients = ids[0].encode(), ids[1].encode()
        old = self.found.octets[self.found.starts(number) : self.found.ends(number)]
        if old == (servers if self._answer else clients):
            self._put(number, old, clients if self._answer else servers)


def _int32(value: int, what: str) -> bytes:
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{what} is a number of 32 bits, not {value}")
    return value.to_bytes(4, "big", signed=True)
