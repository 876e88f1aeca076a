"""Apache Thrift for Python over every transport and encoding that it has, through a relay: what its client saw is what is told."""

from __future__ import annotations

import pytest

import l7codecs
from l7codecs import Kind, Sender, Status
from l7codecs.testing import Relay, check_cuts
from l7codecs_thrift import PROTOCOL, ThriftMessage

from . import apache_python as peer

C, S = Sender.CLIENT, Sender.SERVER
TALKS = [(transport, encoding) for transport in peer.TRANSPORTS for encoding in peer.PROTOCOLS]
TALKS += [("header", "binary"), ("header", "compact")]
STATUSES = {"empty": Status.OK, "field 0": Status.OK, "field 1": Status.UNKNOWN, "1 no notThere": Status.UNIMPLEMENTED}


@pytest.mark.parametrize(("transport", "encoding"), TALKS)
@pytest.mark.parametrize("service", ["", "Shop"])
def test_what_a_client_saw_is_told(transport: str, encoding: str, service: str) -> None:
    port, thread = peer.server(transport, encoding)
    with Relay(("127.0.0.1", port)) as relay:
        said = peer.talk(relay.host, relay.port, transport, encoding, service)
        (recording,) = relay.wait_closed()
    thread.join(20)
    vector = recording.to_vector("apache")
    outcome = check_cuts(lambda: l7codecs.open_session("thrift"), vector)
    assert not outcome.errors and outcome.pending == 0
    assert PROTOCOL.detect(vector.octets(C)[:1024], b"").verdict.value == "yes"
    messages = [each for each in outcome.events if isinstance(each, ThriftMessage)]
    assert {(each.transport, each.encoding) for each in messages} == {(transport, encoding)}
    calls = [each for each in messages if each.sender is C]
    assert [(each.service or "", each.operation) for each in calls] == [(service, name) for name in peer.CALLS]
    answers = {each.request: each for each in messages if each.sender is S}
    assert len(answers) == len(calls) - 1
    for call, seen in zip(calls, said, strict=True):
        if seen == "oneway":
            assert call.kind is Kind.ONEWAY and call not in answers
            continue
        answer = answers[call]
        assert answer.status is STATUSES.get(seen, Status.INTERNAL)
        if " no " in seen:
            assert f"{answer.exception[0]} {answer.exception[1]}" == seen
        else:
            assert {"result": "field 0", "declared": "field 1", "empty": "empty"}[answer.reply_kind or ""] == seen
        assert call.structure() == {1: "déjà vu " * 20} and call.pick(1) == "déjà vu " * 20
