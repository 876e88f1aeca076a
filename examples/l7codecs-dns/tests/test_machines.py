"""Any calls in any order, to a session and to the sessions of a proxy."""

from pathlib import Path

from hypothesis import settings

from l7codecs.testing import load_vectors, proxy_machine, session_machine

VECTORS = load_vectors(Path(__file__).parents[1] / "vectors")

TestSession = session_machine("dns", VECTORS).TestCase
TestSession.settings = settings(TestSession.settings, max_examples=50)
TestProxy = proxy_machine("dns", VECTORS).TestCase
TestProxy.settings = settings(TestProxy.settings, max_examples=50)
