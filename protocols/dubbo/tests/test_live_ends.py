"""What ends, or concerns, a whole connection: shutdown, death, heartbeats, text, octets that no consumer sends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from l7codecs import Kind, Opaque, Sender, Status
from l7codecs.testing import Relay

from .conftest import tool
from .heard import Heard, request_arguments, result_value

pytestmark = pytest.mark.interop

VERSIONS = ["3.3.6", "2.7.23"]


@pytest.mark.parametrize("provider", VERSIONS)
@pytest.mark.parametrize("consumer", VERSIONS)
def test_shutdown(dubbo_stage: Any, consumer: str, provider: str) -> None:
    """The provider tells that it takes no more calls, and the call on its way is answered.

    3.3.6 tells it twice and lets the call end; 2.7.23 first interrupts the thread of the call, and tells it once.
    """
    heard = Heard(dubbo_stage.stop(consumer, provider))
    heard.check(Kind.GOAWAY)
    bare, slow = heard.calls
    leaving = heard.of_kind(Kind.GOAWAY)
    assert len(leaving) == (2 if provider == "3.3.6" else 1)
    assert [each.sender for each in leaving] == [Sender.SERVER] * len(leaving)
    assert {each.data() for each in leaving} == {"R"} and not any(each.is_two_way for each in leaving)
    order = heard.events.index
    assert order(bare.response) < order(leaving[0])
    if provider == "3.3.6":
        assert order(leaving[0]) < order(slow.response) and result_value(slow.response) == "shop: on its way"
    else:
        assert result_value(slow.response) == "shop, interrupted: on its way"


@pytest.mark.parametrize("provider", VERSIONS)
def test_death(dubbo_stage: Any, provider: str) -> None:
    """What a killed provider has not answered waits for ever."""
    module = tool("dubbo_peers")
    with module.Peer("provider", provider) as server, Relay(("127.0.0.1", server.export())) as relay:
        client = dubbo_stage.peer("consumer")
        call = tool("dubbo_stage").call
        client.begin("call", to=relay.port, timeout=1500, calls=[call("bare"), call("slow", "text:never", "int:60000")])
        while len(relay.recordings) == 0 or b"never" not in relay.recordings[0].octets(Sender.CLIENT):
            time.sleep(0.02)
        server.kill()
        assert "failure" in client.answer()["results"][1]
        client.ask("release")
    heard = Heard(relay.recordings[0])
    bare, slow = heard.calls
    assert (bare.response.status, slow.response) == (Status.OK, None)
    assert heard.session.unanswered() == [slow.request]
    assert request_arguments(slow.request) == ["never", 60000]


@pytest.mark.parametrize("provider", VERSIONS)
def test_text(dubbo_stage: Any, provider: str) -> None:
    """Text of people among messages: it is opaque, and takes nothing of what follows it."""
    recording = tool("dubbo_raw").raw(dubbo_stage, "telnet", provider)
    heard = Heard(recording)
    for sender in Sender:
        octets = recording.octets(sender)
        assert b"".join(event.raw for event in heard.events if event.sender is sender) == octets
        text = b"".join(event.raw for event in heard.events if isinstance(event, Opaque) and event.sender is sender)
        assert b"\xda\xbb" not in text and len(text) > 20
    assert [result_value(call.response) for call in heard.calls] == ["shop: hello, raw"] * 2


@pytest.mark.parametrize("provider", VERSIONS)
def test_numbers(dubbo_stage: Any, provider: str) -> None:
    """Ids have no sign, and come back as they went."""
    heard = Heard(tool("dubbo_raw").raw(dubbo_stage, "numbers", provider))
    heard.check()
    assert [call.response.request_id for call in heard.calls] == [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@pytest.mark.parametrize("provider", VERSIONS)
def test_protocol_versions(dubbo_stage: Any, provider: str) -> None:
    """By the first string of a request a provider decides whether its answer has attachments."""
    heard = Heard(tool("dubbo_raw").raw(dubbo_stage, "protocols", provider))
    heard.check()
    found = {call.request.dubbo_version: call.response.attachments() is not None for call in heard.calls}
    assert found == {"2.0.2": True, "2.0.1": False, "2.6.12": False, "2.7.23": False, "3.3.6": False}
    assert {call.response.response_kind for call in heard.calls} == {"value"}


@pytest.mark.parametrize("provider", VERSIONS)
def test_attachments_of_every_form(dubbo_stage: Any, provider: str) -> None:
    """Null, a map of a type, an octet behind: each is served; a body that ends without any is refused."""
    heard = Heard(tool("dubbo_raw").raw(dubbo_stage, "attachments", provider))
    assert [call.request.attributes["rpc.method"] for call in heard.calls] == ["l7codecs.peers.Shop/hello"] * 4
    assert [dict(call.request.headers) for call in heard.calls] == [{}, {}, {"a": "b"}, {}]
    absent, *served = heard.calls
    assert absent.response.status_code == 40
    assert [result_value(call.response) for call in served] == [
        f"shop: hello, {each}" for each in ("null", "typed", "raw")
    ]


@pytest.mark.parametrize("provider", VERSIONS)
def test_events_of_every_size(dubbo_stage: Any, provider: str) -> None:
    """Each that asks for an answer is told as a heartbeat, whatever its body; that of none is answered by 3.3.6 with an error."""
    heard = Heard(tool("dubbo_raw").raw(dubbo_stage, "heartbeats", provider))
    beats = heard.of_kind(Kind.HEARTBEAT)
    assert [(each.request_id, each.size - 16) for each in beats] == [(1, 1), (2, 0), (3, 5), (5, 1)]
    assert [each.request_id for each in heard.of_kind(Kind.CONTROL)] == [4]
    answered = {each.request.request_id: each.status for each in heard.of_kind(Kind.RESPONSE)}
    assert {answered[1], answered[5]} == {Status.OK}
    assert (2 in answered) == (provider == "3.3.6")


@pytest.mark.parametrize("provider", VERSIONS)
def test_serializations(dubbo_stage: Any, provider: str) -> None:
    """One that nobody has, and one that is none of its octets: 2.7 refuses them in Hessian 2, 3.3 says nothing."""
    heard = Heard(tool("dubbo_raw").raw(dubbo_stage, "serializations", provider))
    assert [call.request.serialization_id for call in heard.calls] == [25, 23, 2]
    *refused, other = heard.calls
    for call in refused:
        if provider == "3.3.6":
            assert call.response is None
        else:
            assert call.response.serialization == "hessian2" and call.response.status_code == 40
            assert call.response.text().startswith("Fail to decode request")
    assert other.response.status is Status.OK  # whatever the status octet of a request says


def test_an_answer_in_another_serialization(dubbo_stage: Any) -> None:
    """A call in fastjson2 that is refused in Hessian 2, by a provider that has never offered anything in fastjson2."""
    scenario = tool("dubbo_scenarios").SCENARIOS["fastjson2-refused"]
    client = dubbo_stage.peer("consumer")
    with tool("dubbo_peers").Peer("provider") as server, Relay(("127.0.0.1", server.export())) as relay:
        results = client.ask("call", to=relay.port, calls=list(scenario.calls), **scenario.refer)["results"]
        client.ask("release")
        heard = Heard(relay.wait_closed()[0])
    heard.check()
    for call, result in zip(heard.calls, results, strict=True):
        assert (call.request.serialization, call.response.serialization) == ("fastjson2", "hessian2")
        assert call.response.status_code == 40 and call.response.text().startswith("Fail to decode request")
        assert result["failure"]["message"].endswith(call.response.text())
