"""What real clients and servers say of their calls, beside what passed over the wire: every library, transport and encoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Sender, Status, Verdict
from l7codecs.testing import Vector, check_cuts
from l7codecs_thrift import PROTOCOL, ThriftMessage, ThriftTypes

from . import live_truth as truth
from .conftest import tool

pytestmark = pytest.mark.interop

C, S = Sender.CLIENT, Sender.SERVER
FLUSH = b"\x00\x00\xff\xff"
INFOS = {"tenant": "blue", "trace": "é"}
TYPE_NAMES = {0: "UNKNOWN", 1: "UNKNOWN_METHOD", 5: "MISSING_RESULT", 6: "INTERNAL_ERROR"}


def every() -> Iterator[Any]:
    """Each transport and encoding of each pair."""
    stage = tool("thrift_stage")
    for client, server in stage.pairs():
        for transport, encoding in stage.common(client, server):
            yield pytest.param(client, server, transport, encoding, id=f"{client}-{server}-{transport}-{encoding}")


@pytest.fixture(scope="module")
def types() -> ThriftTypes:
    return ThriftTypes.from_files(tool("thrift_peers").INTERFACE)


def heard(recording: Any) -> list[ThriftMessage]:
    """The messages of a connection, which says the same in whatever cuts, and is detected."""
    vector = in_turns(recording.to_vector())
    outcome = check_cuts(lambda: l7codecs.open_session("thrift"), vector, eof=recording.ended)
    assert not outcome.errors
    for sender in Sender:
        assert outcome.raw(sender) == vector.octets(sender)
    assert PROTOCOL.detect(vector.octets(C)[:1024], b"").verdict is Verdict.YES
    assert l7codecs.detect(vector.octets(C)[:1024], b"")[0].protocol == "thrift"
    assert all(isinstance(each, ThriftMessage) for each in outcome.events)
    return [each for each in outcome.events if isinstance(each, ThriftMessage)]


def in_turns(vector: Vector) -> Vector:
    """The same, where no answer stands before the end of a flush of zlib: whoever inflates may answer when only that is missing."""
    if vector.octets(C)[:1] != b"\x78":
        return vector
    pieces: list[tuple[Sender, bytes]] = []
    late = list(vector.pieces)
    while late:
        sender, octets = late.pop(0)
        more = next((at for at, each in enumerate(late) if each[0] is sender), -1)
        if not octets.endswith(FLUSH) and more >= 0:
            whole = octets + late[more][1]
            stop = whole.find(FLUSH, len(octets) - len(FLUSH) + 1) + len(FLUSH)
            octets = whole[:stop]
            late[more] = (sender, whole[stop:])
        pieces.append((sender, octets))
    return Vector(vector.name, tuple(pieces))


def paired(messages: list[ThriftMessage]) -> list[tuple[ThriftMessage, ThriftMessage | None]]:
    """Each call and its answer; what is neither has no message in it."""
    answers = {each.request: each for each in messages if each.kind is Kind.RESPONSE}
    assert None not in answers
    calls = [each for each in messages if each.kind in (Kind.REQUEST, Kind.ONEWAY)]
    assert all(each.sender is C for each in calls)
    for each in messages:
        if each.kind is Kind.CONTROL:
            assert (each.message_type, each.payload) == ("none", b"") and each.transport in ("header", "zlib", "http")
    return [(each, answers.get(each)) for each in calls]


@pytest.mark.parametrize(("client", "server", "transport", "encoding"), list(every()))
def test_calls(thrift_stage: Any, types: ThriftTypes, client: str, server: str, transport: str, encoding: str) -> None:
    calls = tool("thrift_stage").plain(client, server, transport, encoding)
    has_infos = transport.startswith("header")
    infos = ",".join(f"{key}={value}" for key, value in INFOS.items()) if has_infos else "-"
    talk = thrift_stage.play(client, server, transport, encoding, calls, infos=infos)
    found = [pair for each in talk.recordings if each.pieces for pair in paired(heard(each))]
    # What comes over several connections was asked in the order in which they were opened.
    assert [each.operation for each, _ in found] == [name_of(call) for call in calls]
    # What nobody waits for may come behind what is asked on another connection.
    seen, known = (talk.seen, calls) if len(talk.recordings) == 1 else (sorted(talk.seen), sorted(calls))
    check_seen(seen, known, ("flags",) if (server, encoding) == ("node", "compact") else ())
    blind = ("flags",) if "node" in (client, server) and encoding == "compact" else ()
    for (call, answer), asked, said in zip(found, calls, talk.said, strict=True):
        check_call(call, asked, types)
        assert call.transport == transport.partition("-")[0]
        if has_infos:
            assert dict(call.headers) == INFOS
            assert call.transforms == (("zlib",) if transport.endswith("zlib") else ())
        check_answer(answer, call, asked, said, types, blind)
    check_forms([call for call, _ in found], [answer for _, answer in found if answer], server, transport, encoding)


def name_of(call: str) -> str:
    return call.partition(".")[2].partition(":")[0]


def check_seen(seen: list[str], calls: list[str], blind: tuple[str, ...]) -> None:
    """The services saw the calls that reached one, with the arguments that were given."""
    expected = [each for each in calls if name_of(each) != "notThere"]
    assert [name_of(each) for each in seen] == [name_of(each) for each in expected]
    for one, other in zip(expected, seen, strict=True):
        for (_, _, given), (_, _, got) in zip(truth.arguments(one), truth.arguments(other), strict=True):
            for field in blind:
                if hasattr(given, field):
                    assert getattr(got, field) == [False] * len(getattr(given, field))  # node sees them so
                    setattr(got, field, getattr(given, field))
            assert given == got


def check_call(call: ThriftMessage, asked: str, types: ThriftTypes) -> None:
    """Arguments are those that were given, by names and by ids."""
    arguments = truth.arguments(asked)
    assert truth.is_same({name: truth.named(value) for name, _, value in arguments}, types.arguments(call)), asked
    if call.encoding != "thriftpy2-json":
        structure = {number: truth.structured(value) for _, number, value in arguments}
        assert truth.is_same(structure, call.structure(), base64=call.encoding == "json"), asked
        for _, number, value in arguments:
            if not truth.is_struct(value):
                assert call.pick(number) == value
            else:
                for inner, _, held in truth.fields(value):
                    assert truth.is_same(truth.structured(held), call.pick(number, inner)) or not isinstance(
                        held, int | str
                    )


def check_answer(
    answer: ThriftMessage | None,
    call: ThriftMessage,
    asked: str,
    said: str,
    types: ThriftTypes,
    blind: tuple[str, ...],
) -> None:
    """What the session tells of the answer is what the client got."""
    kind, _, text = said.partition(":")
    if kind == "oneway":
        assert answer is None
        return
    assert call.kind is Kind.REQUEST
    if kind == "lost":
        assert answer is None
        return
    assert answer is not None and answer.operation == name_of(asked) and answer.service == call.service
    if kind == "application":
        check_failure(answer, text)
    elif kind in ("Oops", "Denied"):
        error = truth.parsed(kind, text)
        assert (answer.reply_kind, answer.status) == ("declared", Status.UNKNOWN)
        field = 1 if kind == "Oops" else 2
        named = answer.encoding == "thriftpy2-json"
        assert answer.error == (kind.lower() if named else f"field {field}")
        outcome = types.outcome(answer)
        assert (outcome.field, outcome.type_name) == (kind.lower(), kind)
        assert truth.is_same(truth.named(error), outcome.value)
        if not named:
            assert answer.structure() == {field: truth.structured(error)}
    else:
        assert answer.status is Status.OK and answer.error is None
        value = truth.result(asked, said)
        outcome = types.outcome(answer)
        if value is None:
            assert answer.reply_kind == "empty" and outcome.field is outcome.value is None
            return
        assert answer.reply_kind == "result" and outcome.field == "success"
        names, ids = truth.named(value), truth.structured(value)
        if truth.is_struct(value):
            assert outcome.type_name == type(value).__name__ and isinstance(outcome.value, dict)
            for field in blind if hasattr(value, "flags") else ():
                names[field] = outcome.value[field]
        assert truth.is_same(names, outcome.value), asked
        if answer.encoding != "thriftpy2-json" and not blind:
            assert truth.is_same({0: ids}, answer.structure(), base64=answer.encoding == "json"), asked


def check_failure(answer: ThriftMessage, text: str) -> None:
    """A TApplicationException that the client got, or made of a result that is not there."""
    number, _, message = text.partition(":")
    if answer.message_type == "reply":
        assert (number, answer.reply_kind, answer.status) == ("5", "empty", Status.OK)
        return
    told, words = answer.exception
    assert answer.message_type == "exception" and answer.reply_kind is None
    assert int(number) == (told or 0) and answer.error == TYPE_NAMES[int(number)]
    seen = bytes.fromhex(message).decode()
    assert seen == (words or "") or (words is None and seen.startswith(("TApplicationException", "Default")))
    assert answer.status is (Status.UNIMPLEMENTED if answer.operation == "notThere" else answer.status)
    assert answer.status is not Status.OK
    attributes = answer.attributes
    assert attributes["exception.type"] == "TApplicationException"
    assert attributes.get("thrift.exception_type") == told and attributes.get("exception.message") == words


def check_forms(
    calls: list[ThriftMessage], answers: list[ThriftMessage], server: str, transport: str, encoding: str
) -> None:
    """Each message is told in the transport and encoding that its library was told to write."""
    assert {each.transport for each in [*calls, *answers]} == {transport.partition("-")[0]}
    messages = [each for each in [*calls, *answers] if each.type_id]
    if (server, transport, encoding) == ("cpp", "header", "compact"):
        # It answers in binary, and clients go on so.
        assert calls[0].encoding == "compact" and {each.encoding for each in messages if each is not calls[0]} == {
            "binary"
        }
    else:
        assert {each.encoding for each in messages} == {encoding}


def several() -> Iterator[Any]:
    """Each pair, in one form after another."""
    stage = tool("thrift_stage")
    for at, (client, server) in enumerate(stage.pairs()):
        forms = [form for form in stage.common(client, server) if form[0] != "http" and "json" not in form[1]]
        if server == "node":  # it expects names to be text, which its reader of old binary does not make of them
            forms = [form for form in forms if form[1] != "old-binary"]
        for transport, encoding in {forms[at % len(forms)], forms[-1 - at % len(forms)]}:
            yield pytest.param(client, server, transport, encoding, id=f"{client}-{server}-{transport}-{encoding}")


@pytest.mark.parametrize(
    ("client", "server", "transport", "encoding"), sorted(several(), key=lambda each: str(each.id))
)
def test_several_services_on_one_connection(
    thrift_stage: Any, types: ThriftTypes, client: str, server: str, transport: str, encoding: str
) -> None:
    calls = tool("thrift_stage").several()
    talk = thrift_stage.play(client, server, transport, encoding, calls, multiplexed=True)
    (recording,) = talk.recordings
    found = paired(heard(recording))
    assert [f"{call.service}.{call.operation}" for call, _ in found] == [each.partition(":")[0] for each in calls]
    assert talk.seen == calls
    for (call, answer), asked, said in zip(found, calls, talk.said, strict=True):
        check_call(call, asked, types)
        check_answer(answer, call, asked, said, types, ())
        if answer is not None:
            assert ":" not in answer.name
