"""What is to be changed in a message, or in all messages of a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from mypy_extensions import i64

from l7codecs import Changes, Unsupported
from l7codecs.message import AttrValue

from .._schema.layouts import (
    ASSIGNMENT,
    CLUSTER_ID,
    GROUP,
    HOST,
    KEY,
    NODE_ID,
    RESOURCE_NAME,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_PATTERN,
    TRANSACTIONAL_ID,
)
from .names import Names
from .nodes import Nodes

__all__ = ["KafkaChanges"]

_TOPICS: Final[i64] = TOPIC | TOPIC_PATTERN | SUBSCRIPTION | ASSIGNMENT | RESOURCE_NAME


@final
class KafkaChanges(Changes):
    """How messages change between the clients of a proxy and a server; one serves both directions of any number of connections.

    topics, groups, transactional_ids: other names, see `Names`. What is none of the client's is left out of the answers.
    nodes: other ids and addresses of brokers, see `Nodes`.
    cluster_id: the server's cluster id and what clients are told in its place.
    versions: the lowest and highest version of each API, by its key, that clients are told of; None: not of this API. What this codec
        cannot read they are never told of, if anything else is changed; and ApiVersions itself stays.

    `attributes` as everywhere: see the protocol's schema for those that can change.
    """

    def __init__(
        self,
        attributes: Mapping[str, AttrValue] | None = None,
        *,
        topics: Names | None = None,
        groups: Names | None = None,
        transactional_ids: Names | None = None,
        nodes: Nodes | None = None,
        cluster_id: tuple[str, str] | None = None,
        versions: Mapping[int, tuple[int, int] | None] | None = None,
    ) -> None:
        super().__init__(attributes)
        self.topics = topics
        self.groups = groups
        self.transactional_ids = transactional_ids
        self.nodes = nodes
        self.cluster_id = cluster_id
        self.versions = None if versions is None else dict(versions)
        for key, said in (self.versions or {}).items():
            if said is not None and said[0] > said[1]:
                raise ValueError(
                    f"the lowest version of key {key}, {said[0]}, is above the highest, {said[1]}; None: not of this API"
                )
        roles: i64 = 0
        if topics is not None:
            roles |= _TOPICS
        if groups is not None:
            roles |= GROUP | KEY | RESOURCE_NAME
        if transactional_ids is not None:
            roles |= TRANSACTIONAL_ID | KEY | RESOURCE_NAME
        if cluster_id is not None:
            roles |= CLUSTER_ID
        self.only_nodes = roles == 0
        """Nothing but nodes changes, beside attributes and versions."""
        if nodes is not None and nodes.changes_ids:
            roles |= NODE_ID | RESOURCE_NAME
        self.asked_roles: i64 = roles
        """The roles of fields that change in requests."""
        if nodes is not None and nodes.changes_addresses:
            roles |= HOST
        self.answered_roles: i64 = roles
        """The same in answers."""

    @property
    def without_nodes(self) -> KafkaChanges:
        """The same, but for nodes."""
        return KafkaChanges(
            topics=self.topics,
            groups=self.groups,
            transactional_ids=self.transactional_ids,
            cluster_id=self.cluster_id,
            versions=self.versions,
        )

    def joined(self, others: Changes) -> KafkaChanges:
        """These, with the attributes of `others` as well. Raises `Unsupported` where those have headers."""
        if others.set_headers or others.remove_headers:
            raise Unsupported("kafka has no headers that are not of a record")
        return KafkaChanges(
            {**self.attributes, **others.attributes},
            topics=self.topics,
            groups=self.groups,
            transactional_ids=self.transactional_ids,
            nodes=self.nodes,
            cluster_id=self.cluster_id,
            versions=self.versions,
        )

    @property
    def clamps(self) -> bool:
        """Whether answers to ApiVersions change."""
        return self.answered_roles != 0 or self.versions is not None

    def __bool__(self) -> bool:
        return self.clamps or super().__bool__()

    def __repr__(self) -> str:
        words = [
            f"{name}={value!r}"
            for name, value in (
                ("topics", self.topics),
                ("groups", self.groups),
                ("transactional_ids", self.transactional_ids),
                ("nodes", self.nodes),
                ("cluster_id", self.cluster_id),
                ("versions", self.versions),
            )
            if value is not None
        ]
        return f"KafkaChanges({', '.join([repr(self.attributes), *words])})"
