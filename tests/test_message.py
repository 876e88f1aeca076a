"""What events and their values say of themselves."""

import copy
import pickle
from collections.abc import Callable
from functools import partial

import pytest

from l7codecs import (
    Changes,
    Data,
    Flow,
    Gap,
    Headers,
    IncompleteMessage,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    Opaque,
    Sender,
    Status,
    Unsupported,
    open_session,
)


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


def test_a_slice_that_ends_before_it_begins_is_empty() -> None:
    for start, stop in ((3, 1), (9, 4), (1, 1)):
        message = Message(Flow("x"), Sender.CLIENT, Kind.REQUEST, 0, b"abcd", start, stop)
        assert message.raw == message.payload == b""
        message.keep_own()
        assert message.octets == b""
    head = Message(Flow("x"), Sender.CLIENT, Kind.REQUEST, 0, b"abcd", 0, 4, True)
    data = Data(head, 4, b"abcd", True, 3, 1, 3, 1)
    assert data.raw == data.payload == b""


@pytest.mark.parametrize(
    "how",
    [
        copy.copy,
        copy.deepcopy,
        *(partial(pickle.dumps, protocol=each) for each in range(2, pickle.HIGHEST_PROTOCOL + 1)),
    ],
)
def test_what_belongs_to_a_connection_is_not_copied(how: Callable[[object], object]) -> None:
    """Compiled, it would be a copy without its attributes; so both builds refuse."""
    session = open_session("redis")
    (message,) = session.receive(Sender.CLIENT, b"GET k\r\n")
    plain = Message(session.flow, Sender.CLIENT, Kind.REQUEST, 0, b"", 0, 0)
    events = [message, plain, Data(plain, 0, b"", False), Gap(Sender.CLIENT, 0, 1), Opaque(Sender.CLIENT, 0, b"x")]
    for each in (*events, session, session.flow, session.decoder(Sender.CLIENT)):
        with pytest.raises(TypeError, match="is not copied or pickled"):
            how(each)


def test_what_belongs_to_none_is_copied() -> None:
    for how in (copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))):
        headers = Headers([("A", b"1"), ("a", "2"), ("a", 3), ("a", 0.5), ("a", True)], fold_case=True)
        assert how(headers) == headers and how(headers).get_all("A") == [b"1", "2", 3, 0.5, True]
        changes = Changes({"a": (b"1",)}, set_headers={"b": "2"}, remove_headers=("c",))
        assert repr(how(changes)) == repr(changes) and how(changes) is not changes
        for error in (LimitExceeded(3, "a", "b", "c"), IncompleteMessage(1, "a", "b"), Unsupported("x")):
            assert str(how(error)) == str(error) and type(how(error)) is type(error)
        assert how(Limits(head=3)) == Limits(head=3) and how(Status.OK) is Status.OK
