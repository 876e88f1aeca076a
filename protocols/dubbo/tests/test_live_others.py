"""Consumers that are not Apache Dubbo's own: dubbo-go and apache-dubbo-js call providers of both versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from l7codecs import Kind, Status
from l7codecs.testing import Relay

from .conftest import tool
from .heard import Heard, headers_of, is_same, plain, request_arguments, result_value

pytestmark = pytest.mark.interop

CALLS = [
    ("hello", ["text:others"]), ("hello", ["text:é😀€", "int:3"]), ("bare", []), ("note", ["text:n"]), ("failing", ["text:declared"]),
    ("failing", ["text:runtime"]), ("nowhere", ["text:x"]), ("hello", ["text:"]),
]  # fmt: skip
ANSWERS = ["shop: hello, others", "é😀€" * 3, 42, None, "sold out", "no such tea: 😀", None, "shop: hello, "]


@pytest.mark.parametrize("provider", ["3.3.6", "2.7.23"])
@pytest.mark.parametrize("consumer", list(tool("dubbo_peers").OTHERS))
def test_calls(dubbo_stage: Any, consumer: str, provider: str) -> None:
    server, client = dubbo_stage.peer("provider", provider), dubbo_stage.peer(consumer)
    server.ask("seen")
    with Relay(("127.0.0.1", dubbo_stage.port(provider))) as relay:
        calls = [{"method": method, "arguments": arguments} for method, arguments in CALLS]
        results = client.ask("call", to=relay.port, calls=calls)["results"]
        recording = next(each for each in relay.recordings if each.pieces)
    heard = Heard(recording)
    heard.check()
    assert len(heard.calls) == len(results) == len(CALLS)
    seen = server.ask("seen")
    reached = iter(seen["calls"])
    for call, result, (method, _), answer in zip(heard.calls, results, CALLS, ANSWERS, strict=True):
        request, response = call.request, call.response
        assert (request.kind, request.service, request.operation) == (Kind.REQUEST, "l7codecs.peers.Shop", method)
        assert (request.serialization, request.dubbo_version, request.service_version) == ("hessian2", "2.0.2", None)
        if method == "nowhere":
            assert response.status_code == 40 and response.text().split("\n")[0] in result["failure"]
            continue
        served = next(reached)
        assert served["method"] == method
        for java, ours in zip(served["arguments"], request_arguments(request), strict=True):
            assert is_same(java, ours)
        attachments = plain(served["attachments"])
        assert attachments == {key: headers_of(request)[key] for key in attachments} and attachments
        if method == "failing":
            assert response.status is Status.UNKNOWN and response.attributes["exception.message"] == answer
            assert answer in result["failure"]
        else:
            assert response.status is Status.OK and result_value(response) == answer
            assert result["value"] == answer or (answer, result["value"]) == (None, "")
    for logged in seen["heard"]:
        sent = {**plain(logged["attachments"])}
        sent.pop("dubbo")
        assert json.dumps(sent, sort_keys=True) in [
            json.dumps(headers_of(call.request), sort_keys=True) for call in heard.calls
        ]
