"""Stateful machines of hypothesis: any calls in any order, to one session and to the sessions of a proxy, beside a model of what they know.

    from l7codecs.testing import load_vectors, proxy_machine, session_machine

    TestAcmeSession = session_machine("acme", load_vectors("vectors")).TestCase
    TestAcmeProxy = proxy_machine("acme", load_vectors("vectors")).TestCase

What fails is shrunk, and shown as a script that can be run: the calls, and the octets that they were given.

    rules      what hypothesis chooses from
    observed   one session and its model
    scripts    what was done, as Python

The model of a proxy is that of the fuzzing target `endpoints` (`l7codecs.testing.fuzzing.proxy.world`).
"""

from __future__ import annotations

from l7codecs.testing.machines.observed import Observed
from l7codecs.testing.machines.rules import MACHINES, proxy_machine, session_machine

__all__ = ["MACHINES", "Observed", "proxy_machine", "session_machine"]
