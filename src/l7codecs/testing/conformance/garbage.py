"""Nothing but `ProtocolError`, whatever the octets; and what is told of them is as well formed as ever."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs.errors import ProtocolError
from l7codecs.kinds import Sender
from l7codecs.testing.conformance.base import EXAMPLES, ConformanceBase, mutated
from l7codecs.testing.conformance.events import check_octets, check_said
from l7codecs.testing.replay import replay
from l7codecs.testing.vectors import Vector

__all__ = ["Garbage"]


class Garbage(ConformanceBase):
    """Octets that may be wrong."""

    @given(st.binary(max_size=400), st.binary(max_size=400))
    @EXAMPLES
    def test_random_octets(self, client: bytes, server: bytes) -> None:
        self._check_garbage(Vector("random octets", ((Sender.CLIENT, client), (Sender.SERVER, server))))

    @given(st.data())
    @settings(EXAMPLES, max_examples=400)
    def test_mutated_vectors(self, data: st.DataObject) -> None:
        vector = data.draw(st.sampled_from(self.vectors))
        self._check_garbage(mutated(vector, data))

    def _check_garbage(self, vector: Vector) -> None:
        whole = self.outcome(vector, eof=True)
        check_octets(whole, vector)
        check_said(whole, self.loaded(), vector.name)
        for sender, error in whole.errors.items():
            size = len(vector.octets(sender))
            assert 0 <= error.offset <= size, (
                f"{vector.name}: an error is said to be at octet {error.offset} of {size} of the {sender.value}: {error}"
            )
            assert error.seen and error.expected, (
                f"{vector.name}: an error says not what was seen and expected: {error!r}"
            )
        self.same(self.outcome(vector.octet_by_octet(), eof=True), whole, f"{vector.name}, octet by octet and whole")

    @given(st.data())
    @EXAMPLES
    def test_an_error_is_raised_again(self, data: st.DataObject) -> None:
        vector = mutated(data.draw(st.sampled_from(self.vectors)), data)
        session = self.open()
        outcome = replay(session, vector)
        for sender, error in outcome.errors.items():
            with pytest.raises(ProtocolError) as again:
                list(session.receive(sender, b"more"))
            assert again.value is error, f"{vector.name}: {error!r} is not raised again, but {again.value!r}"
