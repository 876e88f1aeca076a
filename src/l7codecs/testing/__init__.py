"""The conformance kit: what every protocol of this interface has to do, as tests that any protocol's author can run.

    from l7codecs.testing import ProtocolConformance, load_vectors

    class TestAcme(ProtocolConformance):
        protocol = "acme"
        vectors = load_vectors("vectors")

Needs pytest and hypothesis (the extra ``testing``).
"""

from __future__ import annotations

from l7codecs.testing.conformance import ProtocolConformance
from l7codecs.testing.replay import Outcome, replay
from l7codecs.testing.vectors import Vector, load_vectors, parse_vector

__all__ = ["Outcome", "ProtocolConformance", "Vector", "load_vectors", "parse_vector", "replay"]
