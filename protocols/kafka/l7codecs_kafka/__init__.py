"""Kafka: every API key and version from 0.10 to 4.4, both directions. See the README of this room."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._change.changes import KafkaChanges
from ._change.names import Names
from ._change.nodes import Nodes
from ._meaning.outcome import Result
from ._meaning.topics import Topics
from ._records.batches import RecordBatch, Records
from ._records.carried import carried_headers
from ._records.records import Record
from ._session import ID_BITS, KafkaSession
from ._wire.detection import detect
from ._wire.messages import KafkaMessage, KafkaToken
from ._wire.requests import KafkaRequest
from ._wire.responses import KafkaResponse

__all__ = [
    "PROTOCOL",
    "KafkaChanges",
    "KafkaMessage",
    "KafkaRequest",
    "KafkaResponse",
    "KafkaToken",
    "Names",
    "Nodes",
    "Record",
    "RecordBatch",
    "Records",
    "Result",
    "Topics",
]

_BOTH = Direction.BOTH
_CLIENT = Direction.CLIENT
_SERVER = Direction.SERVER

PROTOCOL = Protocol(
    name="kafka",
    title="Apache Kafka",
    session=KafkaSession,
    detect=detect,
    ports=(9092,),
    pairing=Pairing.ID,
    id_bits=ID_BITS,
    shares=False,
    carried_headers=carried_headers,
    changes_headers=False,
    readdressed=lambda nodes: KafkaChanges(nodes=Nodes.mapped(nodes)),
    specification="Kafka protocol guide, message definitions of 4.4.0 and 3.9.2",
    memory=Topics,
    attributes=(
        Attribute("messaging.system", str, _BOTH, "always kafka"),
        Attribute("messaging.operation.name", str, _BOTH, "the name of the API key: Produce, Fetch, JoinGroup…; SaslToken of a bare token"),
        Attribute("messaging.operation.type", str, _BOTH, "send of Produce, receive of Fetch and ShareFetch, settle of commits"),
        Attribute("messaging.client.id", str, _BOTH, "ClientId of the request's header; absent where it is null", changeable=True),
        Attribute(
            "messaging.destination.name", str, _BOTH, "the topic, where the message has one: by name, else by id, as kafka.topics",
        ),
        Attribute("messaging.destination.partition.id", str, _BOTH, "the partition, where the message names one"),
        Attribute("messaging.consumer.group.name", str, _BOTH, "the group, where the message names one; FindCoordinator's key of type 0"),
        Attribute("messaging.kafka.offset", int, _BOTH, "the offset, where the message has one: fetched from, committed, found, or given"),
        Attribute("kafka.topics", str, _BOTH, "all topics; those named by an id alone by name if it is known", many=True, changeable=True),
        Attribute("kafka.topic_ids", str, _BOTH, "the ids of those that are named by an id, as UUIDs", many=True),
        Attribute("kafka.more_topics", bool, _BOTH, "present and true where a large message may name more topics behind its head"),
        Attribute("kafka.partitions", int, _BOTH, "the partitions, in the order of the wire", many=True),
        Attribute("kafka.groups", str, _BOTH, "all groups", many=True),
        Attribute("kafka.api_key", int, _BOTH, "the key of the request's header; of an answer, of what it answers"),
        Attribute("kafka.api_version", int, _BOTH, "the version of the request's header; of an answer, of what it answers"),
        Attribute("kafka.correlation_id", int, _BOTH, "the correlation id of the header, with its sign", changeable=True),
        Attribute("kafka.acks", int, _CLIENT, "Acks of Produce: -1 all, 0 no answer, 1 the leader"),
        Attribute("kafka.timeout_ms", int, _CLIENT, "how long the broker may work at it"),
        Attribute("kafka.max_wait_ms", int, _CLIENT, "how long Fetch and ShareFetch wait for records"),
        Attribute("kafka.throttle_ms", int, _SERVER, "ThrottleTimeMs"),
        Attribute("kafka.transactional_id", str, _BOTH, "the transactional id, where there is one"),
        Attribute("kafka.producer_id", int, _BOTH, "the producer's id, where a field of the message has one"),
        Attribute("kafka.producer_epoch", int, _BOTH, "its epoch"),
        Attribute("kafka.member_id", str, _BOTH, "the member of the group, where the message names one"),
        Attribute("kafka.group_instance_id", str, _BOTH, "the id of a static member, where the message names one"),
        Attribute("kafka.generation_id", int, _BOTH, "the group's generation, or the member's epoch"),
        Attribute("kafka.session_id", int, _BOTH, "SessionId of Fetch"),
        Attribute("kafka.session_epoch", int, _CLIENT, "the epoch of a fetch session or share session: 0 begins, -1 ends it"),
        Attribute("kafka.isolation_level", int, _CLIENT, "0 all records, 1 those of transactions that are committed"),
        Attribute("kafka.node_ids", int, _BOTH, "the ids of all brokers and controllers that the message names; -1 is none", many=True),
        Attribute("kafka.leader_ids", int, _BOTH, "those of leaders", many=True),
        Attribute("kafka.leader_epochs", int, _BOTH, "the epochs of leaders", many=True),
        Attribute("kafka.replica_ids", int, _BOTH, "those of replicas: all, in sync, offline, being added", many=True),
        Attribute("kafka.replica_id", int, _BOTH, "the follower that fetches, where it is one"),
        Attribute("kafka.hosts", str, _BOTH, "host:port of the brokers and controllers that the message names", many=True),
        Attribute("kafka.cluster_id", str, _BOTH, "the cluster's id"),
        Attribute("kafka.client_software_name", str, _CLIENT, "ClientSoftwareName of ApiVersions"),
        Attribute("kafka.client_software_version", str, _CLIENT, "ClientSoftwareVersion of ApiVersions"),
        Attribute("kafka.sasl_mechanisms", str, _BOTH, "the mechanism that is asked for; those that the broker takes", many=True),
        Attribute("kafka.token_size", int, _BOTH, "octets of a bare token of SASL"),
        Attribute("kafka.error_codes", int, _SERVER, "every distinct error code in it, whatever its place, sorted; 0 is none", many=True),
        Attribute("kafka.error_message", str, _BOTH, "the broker's text, where there is one that is not empty"),
        Attribute("error.type", str, _SERVER, "the name of the first error code that is not 0"),
        Attribute("kafka.internal", bool, _BOTH, "present and true where only brokers and controllers say it: by key, or replica's id"),
        Attribute("kafka.malformed", str, _BOTH, "why the body cannot be read"),
        Attribute("l7.access", str, _CLIENT, "read, write, admin or unknown, by the API"),
        Attribute("l7.pins", str, _CLIENT, "why what follows has to stay on this connection"),
        Attribute("l7.blocks", bool, _CLIENT, "present and true where the answer waits for records, or for other members of a group"),
    ),
)  # fmt: skip
