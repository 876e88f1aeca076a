"""Fuzzing of any registered protocol: the promises of the conformance kit, held against octets that nobody wrote.

``l7codecs fuzz NAME`` is the command; see the guide "Fuzz your protocol". What it does:

    material      a protocol's vectors, constants, dictionary and grammar: what inputs are made of
    program       an input: steps, in one compact form for all targets
    spoken        a conversation whose maker knows what it says
    mutation      how inputs are changed
    targets/      what is done with them: direction, conversation, endpoints, loss, growth, detection, capture, differential, truth,
                  large
    proxy/        whom a proxy serves, for `endpoints` and for the machine of a proxy
    comparison    a second implementation, for the last of these
    bursts        hundreds of neighbours of an input, each for a fraction of what it costs
    properties    what has to hold; `changing` of what is written anew
    engine        the loop, with atheris or without

Needs the extra ``fuzz``; atheris, which it brings where there is a wheel, guides by coverage.
"""

from __future__ import annotations

from l7codecs.testing.fuzzing.comparison import Comparison, LineReader, Refusal
from l7codecs.testing.fuzzing.engine import Fuzzer
from l7codecs.testing.fuzzing.material import Material, load_material
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.spoken import Spoken
from l7codecs.testing.fuzzing.targets import TARGETS

__all__ = [
    "TARGETS",
    "Comparison",
    "Fuzzer",
    "LineReader",
    "Material",
    "Program",
    "Refusal",
    "Spoken",
    "Step",
    "load_material",
]
