"""Kafka keeps every promise of the interface."""

from pathlib import Path

import l7codecs
from l7codecs.message import Sender
from l7codecs.testing import ProtocolConformance, Vector, check_cuts, load_vectors
from l7codecs.testing.conformance.golden import Golden
from l7codecs.testing.conformance.messages import Messages
from l7codecs.testing.conformance.pairing import Pairs

VECTORS = load_vectors(Path(__file__).parent.parent / "vectors")
MANIFOLD = (
    "raw-acks-0-nowhere", "raw-newer-version", "raw-not-leader", "raw-sasl-bare", "raw-sasl-plain-listener", "raw-unknown-key",
    "raw-waits-in-order", "broker-follows", "kafka-go-acks-0", "java-sasl-wrong", "kafkajs-fetch", "franz-go-to-3.9",
    "aiokafka-transaction", "java-acks-0", "confluent-produce", "java-consumer-fetch", "java-share-explicit", "confluent-scram",
)  # fmt: skip
"""Vectors that between them have what others repeat: each of them is cut at every octet, in many tests."""


def frame(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


class TestKafka(ProtocolConformance):
    protocol = "kafka"
    vectors = tuple(vector for vector in VECTORS if vector.name in MANIFOLD)
    passing = ("_fresh",)  # of the first request of a connection
    golden = False  # of all vectors: below
    # A bare token is one behind SaslHandshake v0 alone.
    stateful = ("raw-sasl-bare",)
    # The topics of a fetch session or a share session are those of its earlier requests.
    exchanges = tuple(name for name in MANIFOLD if not name.endswith(("-fetch", "-follows", "-explicit", "-bare")))

    def large(self, size: int) -> list[Vector]:
        batch = bytes(size)
        produce = b"\x00\x00\x00\x09\x00\x00\x00\x05\x00\x01c\x00" + b"\x00\xff\xff\x00\x00\x75\x30"
        topics = b"\x02\x02t\x02\x00\x00\x00\x00" + _varint(size + 1) + batch + b"\x00\x00\x00"
        fetch = b"\x00\x01\x00\x0c\x00\x00\x00\x06\x00\x01c\x00" + b"\xff\xff\xff\xff" + bytes(12) + b"\x00"
        fetch += bytes(4) + b"\xff\xff\xff\xff" + b"\x01\x01\x01\x00"
        answer = b"\x00\x00\x00\x06\x00" + bytes(4) + b"\x00\x00" + bytes(4) + b"\x02\x02t\x02" + bytes(4) + b"\x00\x00"
        answer += bytes(24) + b"\x01" + b"\xff\xff\xff\xff" + _varint(size + 1) + batch + b"\x00\x00\x00"
        metadata = (
            b"\x00\x03\x00\x00\x00\x00\x00\x07\x00\x01c" + (size // 5).to_bytes(4, "big") + b"\x00\x03abc" * (size // 5)
        )
        return [
            Vector("a long batch", ((Sender.CLIENT, frame(produce + topics)),)),
            Vector("a long answer", ((Sender.CLIENT, frame(fetch)), (Sender.SERVER, frame(answer)))),
            Vector("many topics", ((Sender.CLIENT, frame(metadata)),)),
            Vector("an answer to nothing", ((Sender.SERVER, frame(b"\x00\x00\x00\x07" + batch)),)),
        ]


class TestEveryVector(Golden, Messages, Pairs):
    """What does not take long, of all of them."""

    protocol = "kafka"
    vectors = VECTORS
    stateful = TestKafka.stateful

    def test_any_reads_say_the_same(self, vector: Vector) -> None:
        outcome = check_cuts(lambda: l7codecs.open_session("kafka"), vector)
        assert not outcome.errors
        for sender in Sender:
            assert outcome.raw(sender) == vector.octets(sender)


def _varint(value: int) -> bytes:
    octets = b""
    while value >= 0x80:
        octets += bytes([value & 0x7F | 0x80])
        value >>= 7
    return octets + bytes([value])
