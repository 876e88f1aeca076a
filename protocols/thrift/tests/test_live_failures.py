"""How each library numbers its calls and reports what goes wrong: what the README says of peers, with these peers."""

from __future__ import annotations

from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Sender, Status
from l7codecs_thrift import ThriftMessage

pytestmark = pytest.mark.interop

NAMES = ("python", "java", "go", "node", "cpp", "thriftpy2")
each_server = pytest.mark.parametrize("server", NAMES)
each_client = pytest.mark.parametrize("client", NAMES)

MISSING = {
    "python": (1, "Unknown function notThere"),
    "java": (1, "Invalid method name: 'notThere'"),
    "go": (1, "Unknown function notThere"),
    "node": (None, "Unknown function notThere"),
    "cpp": (1, "Invalid method name: 'notThere'"),
    "thriftpy2": (1, None),
}
FAILING = {
    "python": (6, "Internal error"),
    "java": (6, "Internal error processing failing"),
    "go": (6, "Internal error processing failing: secret"),
    "node": (None, "secret"),
    "cpp": (0, "secret"),
}
HELLO = "Shop.hello:61"


def played(recording: Any) -> tuple[l7codecs.Session, list[ThriftMessage]]:
    """A connection to its end."""
    session = l7codecs.open_session("thrift")
    messages: list[ThriftMessage] = []
    for sender, octets in recording.to_vector().pieces:
        for event in session.receive(sender, octets):
            assert isinstance(event, ThriftMessage)
            messages.append(event)
    for sender in recording.ended:
        messages += session.eof(sender)  # type: ignore[arg-type]  # none but messages come
    return session, messages


def talk(
    stage: Any, client: str, server: str, *calls: str, form: tuple[str, str] = ("framed", "binary"), **more: Any
) -> Any:
    return stage.play(client, server, *form, calls, **more)


@each_server
def test_an_unknown_method(thrift_stage: Any, server: str) -> None:
    said = talk(thrift_stage, "python", server, "Shop.notThere:61", HELLO)
    (recording,) = said.recordings  # the connection stays
    _, (call, answer, _, after) = played(recording)
    assert answer.request is call and answer.message_type == "exception"
    assert answer.exception == MISSING[server] and answer.status is Status.UNIMPLEMENTED
    assert answer.error == ("UNKNOWN_METHOD" if MISSING[server][0] else "UNKNOWN")
    assert after.status is Status.OK and said.seen == [HELLO]


@pytest.mark.parametrize("server", list(FAILING))
def test_an_exception_that_is_not_declared(thrift_stage: Any, server: str) -> None:
    said = talk(thrift_stage, "python", server, "Shop.failing:736563726574", HELLO)
    (recording,) = said.recordings
    _, (call, answer, _, after) = played(recording)
    assert answer.request is call and answer.exception == FAILING[server] and after.status is Status.OK
    assert answer.status is (Status.INTERNAL if FAILING[server][0] == 6 else Status.UNKNOWN)
    assert answer.error == ("INTERNAL_ERROR" if FAILING[server][0] == 6 else "UNKNOWN")


@each_client
def test_a_connection_that_is_closed_in_place_of_an_answer(thrift_stage: Any, client: str) -> None:
    """thriftpy2's server does that where an exception is not declared."""
    said = talk(thrift_stage, client, "thriftpy2", "Shop.hello:61", "Shop.failing:736563726574", HELLO)
    first, second = said.recordings
    assert first.ended[0] is Sender.SERVER and first.error is None
    session, (_, answer, call) = played(first)
    assert answer.status is Status.OK and call.kind is Kind.REQUEST and call.operation == "failing"
    assert session.unanswered() == [call] and session.pending == 1
    _, (_, after) = played(second)
    assert after.status is Status.OK
    assert [each.partition(":")[0] for each in said.said] == ["text", "lost", "text"]


def test_thriftpy2_with_several_services_closes_at_an_unknown_method(thrift_stage: Any) -> None:
    said = talk(thrift_stage, "python", "thriftpy2", "Shop.notThere:61", multiplexed=True)
    session, (call,) = played(said.recordings[0])
    assert session.unanswered() == [call] and said.recordings[0].ended[0] is Sender.SERVER
    assert (call.service, call.operation) == ("Shop", "notThere") and said.said[0].startswith("lost")


def test_java_with_several_services_closes_where_none_is_named(thrift_stage: Any) -> None:
    said = talk(thrift_stage, "python", "java", HELLO, multiplexed=True, prefixed=False)
    session, (call,) = played(said.recordings[0])
    assert session.unanswered() == [call] and call.service is None and said.said[0].startswith("lost")


@each_client
def test_numbers_and_one_way_calls(thrift_stage: Any, client: str) -> None:
    """Java, Go and node count, one-way calls too; Go writes these as calls. Nothing waits in vain for an answer."""
    said = talk(thrift_stage, client, "java", HELLO, "Shop.fire:61", "Shop.fire:62", HELLO, "Shop.nothing:")
    (recording,) = said.recordings
    session, messages = played(recording)
    calls = [each for each in messages if each.sender is Sender.CLIENT]
    assert [each.request_id for each in calls] == ([1, 2, 3, 4, 5] if client in ("java", "go", "node") else [0] * 5)
    written = "call" if client == "go" else "oneway"
    assert [each.message_type for each in calls] == ["call", written, written, "call", "call"]
    assert [each.request for each in messages if each.sender is Sender.SERVER] == [calls[0], calls[3], calls[4]]
    assert session.unanswered() == [] and session.pending == 0


@each_client
def test_numbers_of_two_services_on_one_connection(thrift_stage: Any, client: str) -> None:
    """Two clients on one connection repeat the ids of one another, in Java and Go; node's share them."""
    said = talk(thrift_stage, client, "go", HELLO, "Stall.hello:62", HELLO, "Stall.count:1;2", multiplexed=True)
    (recording,) = said.recordings
    session, messages = played(recording)
    calls = [each for each in messages if each.sender is Sender.CLIENT]
    expected = {"java": [1, 1, 2, 2], "go": [1, 1, 2, 2], "node": [1, 2, 3, 4]}.get(client, [0] * 4)
    assert [each.request_id for each in calls] == expected
    assert [(each.request, each.service) for each in messages if each.sender is Sender.SERVER] == [
        (call, call.service) for call in calls
    ]
    assert session.pending == 0


@each_server
def test_a_result_that_is_not_there(thrift_stage: Any, server: str) -> None:
    """It is as void; C++ has no result that is not there."""
    said = talk(thrift_stage, "python", server, "Shop.missing:", "Shop.nothing:")
    _, (_, answer, _, nothing) = played(said.recordings[0])
    assert nothing.reply_kind == "empty" and nothing.structure() == {}
    assert answer.reply_kind == ("result" if server == "cpp" else "empty") and answer.status is Status.OK
    assert said.said == ["struct:0b00010000000000" if server == "cpp" else said.said[0], "void"]
    assert server == "cpp" or said.said[0].startswith("application:5:")


@pytest.mark.parametrize("transport", ["framed", "unframed"])
@pytest.mark.parametrize("encoding", ["binary", "compact"])
def test_bare_clients_at_a_server_of_theader(thrift_stage: Any, transport: str, encoding: str) -> None:
    """Go answers each as it asks."""
    said = talk(thrift_stage, "java", "go", HELLO, HELLO, form=(transport, encoding), offered=("header", "binary"))
    _, messages = played(said.recordings[0])
    assert {(each.transport, each.encoding) for each in messages} == {(transport, encoding)}
    assert [each.kind for each in messages] == [Kind.REQUEST, Kind.RESPONSE] * 2
    assert [each.partition(":")[0] for each in said.said] == ["text", "text"]


@pytest.mark.parametrize("encoding", ["binary", "compact"])
def test_cpp_answers_bare_clients_as_theader(thrift_stage: Any, encoding: str) -> None:
    """They cannot read that; to us it is an answer."""
    said = talk(thrift_stage, "python", "cpp", HELLO, form=("framed", encoding), offered=("header", "binary"))
    session, messages = played(said.recordings[0])
    call, answer = messages[:2]
    assert (call.transport, call.encoding) == ("framed", encoding)
    assert (answer.transport, answer.encoding, answer.request) == ("header", "binary", call)
    assert answer.status is Status.OK and answer.pick(0) == "hello a" and session.pending == 0
    assert said.said[0].startswith("lost") and said.seen == [HELLO]


@pytest.mark.parametrize("client", ["python", "go", "cpp"])
@pytest.mark.parametrize("server", ["python", "go", "cpp"])
def test_encodings_of_frames_of_theader(thrift_stage: Any, client: str, server: str) -> None:
    """C++ answers a client of compact in binary, which goes on so; the others answer in kind. Infos are not sent back."""
    said = talk(thrift_stage, client, server, HELLO, HELLO, HELLO, form=("header", "compact"), infos="tenant=blue")
    _, messages = played(said.recordings[0])
    if server == "cpp":  # its last frame has no message in it
        last = messages.pop()
        assert (last.kind, last.message_type, last.payload, last.size) == (Kind.CONTROL, "none", b"", 18)
    encodings = [each.encoding for each in messages]
    assert encodings == (["compact"] + ["binary"] * 5 if server == "cpp" else ["compact"] * 6)
    assert [dict(each.headers) for each in messages] == [{"tenant": "blue"}, {}] * 3


@pytest.mark.parametrize("server", ["python", "go"])
@pytest.mark.parametrize("client", ["python", "go"])
def test_compressed_frames_of_theader(thrift_stage: Any, client: str, server: str) -> None:
    """Go answers compressed where it was asked so, Python does not."""
    said = talk(thrift_stage, client, server, HELLO, HELLO, form=("header-zlib", "binary"))
    _, messages = played(said.recordings[0])
    packed = ("zlib",)
    assert [each.transforms for each in messages] == [packed, packed if server == "go" else ()] * 2
    assert [each.pick(0) for each in messages if each.kind is Kind.RESPONSE] == ["hello a"] * 2
