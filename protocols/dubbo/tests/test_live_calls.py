"""What real consumers and providers say of their calls, beside what passed over the wire: every scenario, every pair of versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from l7codecs import Kind, Sender, Status

from .conftest import tool
from .heard import Call, Heard, headers_of, is_same, plain, request_arguments, result_value, told

pytestmark = pytest.mark.interop

PAIRS = [("3.3.6", "3.3.6"), ("2.7.23", "3.3.6"), ("3.3.6", "2.7.23"), ("2.7.23", "2.7.23")]
SHOP = "l7codecs.peers.Shop"
HEARTBEATS = ("heartbeats", "fastjson2-heartbeats")


def every() -> Iterator[Any]:
    """Each scenario of each pair that has it."""
    for consumer, provider in PAIRS:
        for name, scenario in tool("dubbo_scenarios").SCENARIOS.items():
            if (
                name != "callback"
                and consumer in (scenario.consumers or (consumer,))
                and provider in (scenario.providers or (provider,))
            ):
                yield pytest.param(name, consumer, provider, id=f"{consumer}-{provider}-{name}")


def paired(logged: list[dict[str, Any]], calls: list[Call], together: bool) -> list[tuple[dict[str, Any], Call]]:
    """What Dubbo logged, beside each call: in order, or in that of their contents where they ran at the same time."""
    if together:
        logged = sorted(logged, key=lambda each: str(each["method"]))
        calls = sorted(calls, key=lambda each: str(each.request.method))
    return list(zip(logged, calls, strict=True))


@pytest.mark.parametrize(("name", "consumer", "provider"), list(every()))
def test_scenario(dubbo_stage: Any, name: str, consumer: str, provider: str) -> None:
    scenario = tool("dubbo_scenarios").SCENARIOS[name]
    talk = dubbo_stage.play(scenario, consumer, provider)
    (recording,) = talk.recordings
    heard = Heard(recording)
    heard.check(*([Kind.HEARTBEAT] if name in HEARTBEATS else []))
    assert len(heard.calls) == len(talk.sent) == len(scenario.calls)
    together = bool(scenario.refer.get("together"))
    for logged, call in paired(talk.sent, heard.calls, together):
        check_request(call.request, logged)
        if call.response is not None:
            check_answer(call, logged)
    check_served(talk, heard.calls)
    if heard.calls[0].request.serialization == "hessian2" and not together:
        check_values(talk, heard.calls, scenario.refer.get("generic"))
    if name in HEARTBEATS:
        check_heartbeats(heard)


def check_request(request: Any, logged: dict[str, Any]) -> None:
    """The consumer's Dubbo sent what the session tells."""
    attributes = request.attributes
    assert attributes["rpc.system.name"] == "dubbo"
    if not request.body().reads:
        return
    assert request.service == attributes["dubbo.service"] == logged["interface"]
    assert request.method == logged["method"]
    assert request.operation == attributes["dubbo.method"]
    if not request.is_generic:
        assert list(request.param_types) == logged["types"]
        assert request.operation == logged["method"]
    sent = plain(logged["attachments"])
    if request.serialization not in ("hessian2", "fastjson2"):
        return
    assert told(headers_of(request)) == sent
    assert request.group == sent.get("group") == attributes.get("dubbo.group")
    assert (request.service_version or "0.0.0") == sent.get("version", "0.0.0")
    assert request.path == sent.get("path", logged["interface"])
    assert attributes.get("dubbo.timeout_ms") == (int(sent["timeout"]) if "timeout" in sent else None)
    assert attributes.get("dubbo.application") == sent.get("remote.application")


def check_answer(call: Call, logged: dict[str, Any]) -> None:
    """The consumer's Dubbo got what the session tells."""
    response = call.response
    if not response.body().reads:
        return
    assert (response.service, response.operation) == (call.request.service, call.request.operation)
    if "error" in logged:
        message = logged["error"]["message"]
        if "imeout" not in message and response.status is not Status.OK:
            # What the consumer tells ends with what the provider said.
            assert response.status_code != 20 and response.text()
            assert message.endswith(response.text()) or response.text().strip() in message, message
        return
    if "failure" in logged:
        failure = logged["failure"]
        assert response.response_kind == "exception" and response.status is Status.UNKNOWN
        assert response.error == response.attributes["exception.type"] == failure["exception"]
        # fastjson2 makes a declared exception anew, by a constructor that it gives no message.
        if failure["message"] is not None or response.serialization != "fastjson2":
            assert response.attributes.get("exception.message") == failure["message"]
    else:
        assert response.status is Status.OK and response.error is None
    assert told(headers_of(response)) == plain(logged["answered"])


def check_served(talk: Any, calls: list[Call]) -> None:
    """Of each call that reached a service the provider's Dubbo saw what the session tells."""
    sent = [
        (call.request.method, call.request.dubbo_version, told(headers_of(call.request)))
        for call in calls
        if reads_all(call)
    ]
    for logged in talk.served if sent else []:
        seen = plain(logged["attachments"])
        sent.remove((logged["method"], seen.pop("dubbo"), seen))


def reads_all(call: Call) -> bool:
    return call.request.serialization in ("hessian2", "fastjson2")


def check_values(talk: Any, calls: list[Call], generic: str | None) -> None:
    """Arguments and results are those that the consumer describes; what comes back as it went, those that the provider describes."""
    seen = list(talk.seen)
    for result, call in zip(talk.results, calls, strict=True):
        arguments = request_arguments(call.request)
        if generic is not None:
            assert call.request.is_generic and arguments[0] == result["method"] == call.request.operation
            arguments = arguments[2].items
        if generic != "bean":
            for java, ours in zip(result["arguments"], arguments, strict=True):
                assert is_same(java, ours)
        response = call.response
        if response is None or response.status is not Status.OK:
            continue
        if generic == "bean":
            continue
        expected = result.get("value")
        if result["method"] == "any":
            expected = next(each for each in seen if each["method"] == "any")["arguments"][0]
            seen = seen[1:]
        if "failure" not in result:
            assert is_same(expected, result_value(response))


def check_heartbeats(heard: Heard) -> None:
    beats = heard.of_kind(Kind.HEARTBEAT)
    assert len(beats) >= 2
    for each in beats:
        (answer,) = [event for event in heard.of_kind(Kind.RESPONSE) if event.request is each]
        assert (answer.request_id, answer.status) == (each.request_id, Status.OK)


@pytest.mark.parametrize("provider", ["3.3.6", "2.7.23"])
def test_callback(dubbo_stage: Any, provider: str) -> None:
    """A provider calls what its consumer gave it as an argument, on the connection of the consumer, while that waits."""
    talk = dubbo_stage.play(tool("dubbo_scenarios").SCENARIOS["callback"], "2.7.23", provider)
    heard = Heard(talk.recordings[0])
    heard.check()
    watch, first, second, hello = heard.calls
    assert [each.request.sender for each in heard.calls] == [Sender.CLIENT, Sender.SERVER, Sender.SERVER, Sender.CLIENT]
    assert result_value(watch.response) == talk.results[0]["value"] == "Ada heard tea 1, Ada heard tea 2"
    assert result_value(hello.response) == talk.results[1]["value"]
    order = heard.events.index
    assert order(watch.request) < order(first.request) < order(second.response) < order(watch.response)
    for number, each in enumerate((first, second), 1):
        assert (each.request.service, each.request.operation) == ("l7codecs.peers.Listener", "changed")
        assert each.request.head().version is None and each.request.service_version is None
        assert request_arguments(each.request) == ["tea", number]
        assert result_value(each.response) == f"Ada heard tea {number}"
        # The provider tells which of the consumer's arguments it calls, by the number that the consumer gave it.
        assert each.request.attachment("callback.service.instid") == watch.request.attachment("sys_callback_arg-1")
