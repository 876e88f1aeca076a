"""Dubbo keeps every promise of the interface."""

from pathlib import Path

import l7codecs
from l7codecs.message import Sender
from l7codecs.testing import ProtocolConformance, Vector, check_cuts, load_vectors
from l7codecs.testing.conformance.golden import Golden
from l7codecs.testing.conformance.messages import Messages
from l7codecs.testing.conformance.pairing import Pairs

from .frames import S, answer, body, call, frame, integer

VECTORS = load_vectors(Path(__file__).parent.parent / "vectors")
C = Sender.CLIENT
MANIFOLD = (
    "made-attachments", "made-both-ask", "made-calls", "made-exceptions", "made-generic", "made-heartbeats", "made-oneway",
    "made-other-paths", "made-other-serializations", "made-references", "made-shutdown", "made-statuses", "made-telnet",
    "2.7-2.7-stops", "3.3-3.3-attachments", "3.3-3.3-fastjson2-generic-gson", "3.3-3.3-one-way", "raw-3.3-telnet",
)  # fmt: skip
"""Vectors that between them have what others repeat: each of them is cut at every octet, in many tests."""


def binary(size: int) -> bytes:
    """A byte[], in chunks as Java writes them."""
    out = []
    while size > 8189:
        out.append(b"A\x1f\xfd" + bytes(8189))
        size -= 8189
    return b"".join(out) + b"B" + size.to_bytes(2, "big") + bytes(size)


class TestDubbo(ProtocolConformance):
    protocol = "dubbo"
    vectors = tuple(vector for vector in VECTORS if vector.name in MANIFOLD)
    passing = ()
    golden = False  # of all vectors: below
    undetected = ("made-telnet", "raw-3.3-telnet")

    def large(self, size: int) -> list[Vector]:
        numbers = b"X" + integer(size) + b"\x91" * size
        return [
            Vector("a long argument", ((C, call(1, types="[B", arguments=binary(size))), (S, answer(1, b"N")))),
            Vector("a long answer", ((C, call(1)), (S, answer(1, binary(size))))),
            Vector("a long list", ((C, call(1)), (S, answer(1, numbers)))),
            Vector("a serialization that is not read", ((C, frame(1, bytes(size), request=True, two_way=True, serialization=3)),)),
            Vector("a heartbeat with a long body", ((C, frame(1, body(arguments=binary(size)), request=True, two_way=True, event=True)),)),
        ]  # fmt: skip


class TestEveryVector(Golden, Messages, Pairs):
    """What does not take long, of all of them."""

    protocol = "dubbo"
    vectors = VECTORS

    def test_any_reads_say_the_same(self, vector: Vector) -> None:
        outcome = check_cuts(lambda: l7codecs.open_session("dubbo"), vector)
        assert not outcome.errors
        for sender in Sender:
            assert outcome.raw(sender) == vector.octets(sender)
