"""The promises of the kit, on every vector."""

from __future__ import annotations

from pathlib import Path

from l7codecs import Sender
from l7codecs.testing import ProtocolConformance, Vector, load_vectors

C, S = Sender.CLIENT, Sender.SERVER


class TestNats(ProtocolConformance):
    protocol = "nats"
    vectors = load_vectors(Path(__file__).parents[1] / "vectors")
    # CONNECT says whether +OK answers.
    stateful = tuple(vector.name for vector in vectors if b"CONNECT" in vector.octets(C))
    unpaired = ("blanks",)  # a PONG that nobody asked for

    def large(self, size: int) -> list[Vector]:
        value = (b"PING\r\nPUB a 1\r\n" * size)[:size]
        said = b"PUB a %d\r\n%s\r\n" % (size, value)
        headers = b"NATS/1.0\r\nA: b\r\n\r\n"
        with_headers = b"HMSG a 1 %d %d\r\n%s%s\r\n" % (len(headers), len(headers) + size, headers, value)
        return [
            Vector("pub", ((S, b"INFO {}\r\n"), (C, said))),
            Vector("hmsg", ((S, b"INFO {}\r\n" + with_headers),)),
        ]
