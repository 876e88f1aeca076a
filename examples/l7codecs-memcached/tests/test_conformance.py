"""The promises of the kit, on every vector."""

from __future__ import annotations

from pathlib import Path

from l7codecs import Sender
from l7codecs.testing import ProtocolConformance, Vector, load_vectors

C, S = Sender.CLIENT, Sender.SERVER


class TestMemcached(ProtocolConformance):
    protocol = "memcached"
    vectors = load_vectors(Path(__file__).parents[1] / "vectors")
    unpaired = ("quiet-without-tokens",)  # of which of two is not known
    undetected = ("no-commands", "refused-lines")  # they begin with what no client sends

    def large(self, size: int) -> list[Vector]:
        value = (b"END\r\nget k\r\n" * size)[:size]
        stored = b"set k 0 0 %d\r\n%s\r\n" % (size, value)
        meta = b"ms k %d T0\r\n%s\r\n" % (size, value)
        value = b"VALUE k 0 %d\r\n%s\r\n" % (size, value)
        many = b"get" + b" k" * 30 + b"\r\n"
        statistics = b"STAT abc 1\r\n" * (size // 12)
        return [
            Vector("set", ((C, stored + meta), (S, b"STORED\r\nHD\r\n"))),
            Vector("get", ((C, b"get k k\r\n"), (S, value + value + b"END\r\n"))),
            Vector("many", ((C, many), (S, b"VALUE k 0 1\r\nx\r\n" * (size // 16) + b"END\r\n"))),
            Vector("stats", ((C, b"stats\r\n"), (S, statistics + b"END\r\n"))),
        ]
