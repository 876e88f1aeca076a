"""The conformance kit: what every protocol of this interface has to do, as tests that any protocol's author can run.

    from l7codecs.testing import ProtocolConformance, load_vectors

    class TestAcme(ProtocolConformance):
        protocol = "acme"
        vectors = load_vectors("vectors")

State machines of hypothesis, of one session and of a proxy: see `l7codecs.testing.machines`.

And a relay that records what real peers say to each other, as vectors to replay: see `l7codecs.testing.relay`.

Needs pytest and hypothesis (the extra ``testing``).
"""

from __future__ import annotations

from l7codecs.testing.conformance import ProtocolConformance
from l7codecs.testing.growth import growth
from l7codecs.testing.machines import proxy_machine, session_machine
from l7codecs.testing.peers import JsonPeer, PeerCache, PeerProcess, installed, load_tool, start_peers
from l7codecs.testing.ports import free_port
from l7codecs.testing.relay import PATIENCE, Piece, Recording, Relay
from l7codecs.testing.replay import Outcome, check_cuts, replay
from l7codecs.testing.vectors import Vector, load_vectors, parse_vector

__all__ = [
    "PATIENCE",
    "JsonPeer",
    "Outcome",
    "PeerCache",
    "PeerProcess",
    "Piece",
    "ProtocolConformance",
    "Recording",
    "Relay",
    "Vector",
    "check_cuts",
    "free_port",
    "growth",
    "installed",
    "load_tool",
    "load_vectors",
    "parse_vector",
    "proxy_machine",
    "replay",
    "session_machine",
    "start_peers",
]
