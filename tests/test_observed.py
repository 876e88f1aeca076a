"""What the machine of a session holds of it, called by hand."""

from __future__ import annotations

import pytest

from l7codecs import Limits, Message, Sender, get_protocol
from l7codecs.testing.machines import Observed

C = Sender.CLIENT


def test_a_refusal_may_change_what_the_next_request_says_and_not_where_it_stands() -> None:
    """The database of a GET behind a SELECT that was refused is the one before."""
    for less in (0, 1):
        session = Observed(get_protocol("redis"), Limits(), Sender.SERVER)
        session.receive(C, b"*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n")
        session.refuse(0)
        session.receive(C, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        told = session.outcome.events
        assert isinstance(told[1], Message) and told[1].attributes["db.namespace"] == "0"
        session.outcome.descriptions[C].pop()  # which is not compared then
        if not less:
            session.finish()
            continue
        told[1].offset = 0
        with pytest.raises(AssertionError, match="is due"):
            session.finish()
