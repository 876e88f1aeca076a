"""The promises that every protocol makes, each as a test: one class, put together from a module for each subject.

    base         what an author sets, and the helpers
    events       what every event has to be
    splits       any split, same events
    messages     types, schema, registration
    pairing      answers and requests
    garbage      nothing but `ProtocolError`
    bounds       limits and memory
    costs        linear time
    growing      linear time and memory, in every state that the vectors lead to
    gaps         lost octets
    detection    detection
    endpoint     what an endpoint writes
    upstream     one connection to a server that clients share
    golden       what vectors say, beside them

Every test names in its message the vector, the side and the octet, since the assertions of an installed package are not rewritten.
"""

from __future__ import annotations

from l7codecs.testing.conformance.bounds import Bounds
from l7codecs.testing.conformance.costs import Costs
from l7codecs.testing.conformance.detection import Detects
from l7codecs.testing.conformance.endpoint import Endpoints
from l7codecs.testing.conformance.gaps import Gaps
from l7codecs.testing.conformance.garbage import Garbage
from l7codecs.testing.conformance.golden import Golden
from l7codecs.testing.conformance.growing import Grows
from l7codecs.testing.conformance.messages import Messages
from l7codecs.testing.conformance.pairing import Pairs
from l7codecs.testing.conformance.splits import Splits
from l7codecs.testing.conformance.upstream import Upstreams

__all__ = ["ProtocolConformance"]


class ProtocolConformance(
    Splits, Messages, Pairs, Garbage, Bounds, Costs, Grows, Gaps, Detects, Endpoints, Upstreams, Golden
):
    """What a protocol promises. Subclass it in a module of tests, and name the protocol and its vectors.

    protocol: its registered name, or the `Protocol` itself.
    vectors: conversations without an error. Each kind of message should be in one.
    `large`: conversations in one long message each; has to be written.

    What the protocol cannot promise is said, and nothing is left out in silence. By names of vectors:

    undetected: those that detection, which is strict, may deny.
    once: those after which their connection cannot start over: after a preface, a hand-over.
    unpaired: those with answers to nothing that the client has asked.
    stateful: those whose answers mean something only behind what came before: inside of a transaction, after a change of version.
    misleading: those in which something looks like a message, behind lost octets, and is none.
    exchanges: those whose requests and answers the tests of endpoints use; None for all that are not ``stateful``.

    And:

    unsupported: what an endpoint of the protocol cannot do, among ``reply_error``, ``cancel``…; a test checks that it raises `Unsupported`.
    passing: parts of the names of what a connection holds once, or of states; in a tuple, of one. All others have to grow; None: none.
    memory: octets of memory that decoding may take at once, whatever has been received: for a decompressor's window, say.
    golden: False where the vectors stand in the code of the test, so that nothing can stand beside them.
    """
