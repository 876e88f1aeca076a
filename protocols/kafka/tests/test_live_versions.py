"""Clients and brokers that do not know the same versions, brokers that close, and one that is started again meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest

from l7codecs import Kind, Sender, Status

from .conftest import needs, tool
from .heard import Heard
from .test_live import CLIENTS, WORDS, asked, described

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("client", CLIENTS)
def test_an_older_broker(older_stage: Any, client: str) -> None:
    topic = older_stage.topic()
    with older_stage.hear() as recordings:
        sent = older_stage.ask(client, "produce", topic=topic, records=WORDS[:2])["sent"]
        said = older_stage.ask(client, "consume", topic=topic, group=f"group-{topic}", count=2)
    heard = Heard.of(recordings)
    heard.check(cut=True)
    assert described(heard.produced(topic)) == asked(WORDS[:2], sent)
    assert described(heard.fetched(topic)) == asked(WORDS[:2], sent)
    assert sorted(said["records"], key=lambda each: each["partition"]) == asked(WORDS[:2], sent)
    refused = [call for call in heard.named("ApiVersions") if call.response.error == "UNSUPPORTED_VERSION"]
    assert bool(refused) == (client in ("java", "franz_go"))
    for call in refused:
        assert call.request.version == 5 and call.response.body_version == 0
        assert call.told()["ApiKeys"] == [{"ApiKey": 18, "MinVersion": 0, "MaxVersion": 4}]
        assert call.response.status is Status.UNIMPLEMENTED
    # Whoever was refused asks again, and is told.
    assert {call.request.version for call in heard.named("ApiVersions") if call.response.error is None} <= {
        0,
        1,
        2,
        3,
        4,
    }


@pytest.mark.parametrize("name", ["api-versions", "unknown-key", "newer-version", "acks-0-nowhere", "waits-in-order"])
def test_octets_of_our_own(stage: Any, name: str) -> None:
    module = tool("record")
    ((_, recording),) = module.raw(name)(stage).items()
    heard = Heard.of([recording])
    heard.check(cut=True)
    if name == "api-versions":
        assert [call.response.error for call in heard.calls[:4]] == [
            "UNSUPPORTED_VERSION",
            "UNSUPPORTED_VERSION",
            "INVALID_REQUEST",
            "REBOOTSTRAP_REQUIRED",
        ]
        assert [call.response.error for call in heard.calls[4:]] == [None] * 5
    elif name == "waits-in-order":
        assert [call.response is not None for call in heard.calls] == [True] * 3
        assert heard.calls[0].request.blocks
    else:  # the broker closes, and says nothing to the last
        *others, last = heard.calls
        assert all(call.response is not None for call in others) and last.response is None
        session = heard.sessions[0]
        assert [event for sender in Sender for event in session.eof(sender)] == []
        kind = Kind.ONEWAY if name == "acks-0-nowhere" else Kind.REQUEST
        assert last.request.kind is kind
        assert session.unanswered() == ([] if kind is Kind.ONEWAY else [last.request])
        assert last.operation == {"unknown-key": "None", "newer-version": "Metadata", "acks-0-nowhere": "Produce"}[name]


def test_a_broker_that_starts_again() -> None:
    """Clients go on where they were: every record once, in what they say and in what we see."""
    stage = needs(tool("stage").Stage)
    try:
        count = 100
        with stage.hear() as recordings:
            source, target, topic = (stage.topic(1) for _ in range(3))
            records = [{"partition": 0, "value": f"record {number}"} for number in range(count)]
            stage.ask("java", "produce", topic=source, records=records)
            to = stage.relays["CLIENTS"].address
            options = {"topic": source, "target": target, "group": f"group-{source}", "id": f"copies-{source}"}
            stage.peer("java").begin("process", to=to, count=count, batch=10, pause=150, **options)
            waits = [{"partition": 0, "value": "before", "pause": 10_000}, {"partition": 0, "value": "after"}]
            stage.peer("confluent").begin("produce", to=to, topic=topic, records=waits)
            time.sleep(1)
            stage.broker.restart()
            said, sent = stage.peer("java").answer(), stage.peer("confluent").answer()
        heard = Heard.of(recordings)
        heard.check(cut=True)
        assert said["done"] == count and sent == {"sent": [[0, 0], [0, 1]]}
        assert [each.described()["value"] for each in heard.produced(topic)] == ["before", "after"]
        found = stage.ask("java", "consume", topic=target, count=count, options={"isolation.level": "read_committed"})
        assert [each["value"] for each in found["records"]] == [each["value"] for each in records]
        # Seen: what was refused was sent again, and what was committed stands once.
        stored = {each.offset: each.described()["value"] for each in heard.produced(target) if each.offset >= 0}
        assert [stored[each["offset"]] for each in found["records"]] == [each["value"] for each in records]
    finally:
        stage.close()
