"""The conformance kit, on small protocols that keep every promise."""

from __future__ import annotations

import toys
from l7codecs.testing import ProtocolConformance, Vector


class TestFramed(ProtocolConformance):
    protocol = toys.framed()
    vectors = toys.framed_vectors()
    golden = False

    def large(self, size: int) -> list[Vector]:
        return toys.framed_large(size)


class TestNumbered(ProtocolConformance):
    protocol = toys.numbered()
    vectors = toys.framed_vectors(numbered=True)
    golden = False

    def large(self, size: int) -> list[Vector]:
        return toys.framed_large(size, numbered=True)


class TestText(ProtocolConformance):
    protocol = toys.text()
    vectors = toys.TEXT_VECTORS
    golden = False

    def large(self, size: int) -> list[Vector]:
        return toys.text_large(size)
