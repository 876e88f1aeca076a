"""What events and their values say of themselves."""

import pytest

from l7codecs import Message, Sender, Status, open_session


@pytest.mark.parametrize("status", Status)
def test_every_status_is_true(status: Status) -> None:
    assert bool(status) is True
    assert (status and status.name) == status.name


def test_ok_is_the_number_zero_still() -> None:
    assert Status.OK == 0
    assert min(Status) is Status.OK


def test_the_word_of_a_success_is_told() -> None:
    session = open_session("redis")
    (request,) = session.receive(Sender.CLIENT, b"PING\r\n")
    (answer,) = session.receive(Sender.SERVER, b"+PONG\r\n")
    assert isinstance(request, Message)
    assert isinstance(answer, Message)
    assert [event.status and event.status.name for event in (request, answer)] == [None, "OK"]
