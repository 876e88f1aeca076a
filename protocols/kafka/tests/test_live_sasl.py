"""Clients that authenticate: PLAIN and SCRAM, again in mid-connection, and in vain."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from l7codecs import Kind, Sender, Status

from .conftest import tool
from .heard import Heard
from .test_live import CLIENTS, WORDS, asked, described

pytestmark = pytest.mark.interop

USERS = {
    "PLAIN": ("alice", "alice-secret"),
    "SCRAM-SHA-256": ("carol", "carol-secret"),
    "SCRAM-SHA-512": ("carol", "carol-secret"),
}


@pytest.mark.parametrize("mechanism", USERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_authenticate(stage: Any, client: str, mechanism: str) -> None:
    topic = stage.topic()
    options = tool("stage").sasl_options(client, mechanism, *USERS[mechanism])
    with stage.hear(listener="SASL") as recordings:
        said = stage.ask(client, "produce", "SASL", topic=topic, records=WORDS[:2], options=options)
    heard = Heard.of(recordings)
    heard.check()
    assert described(heard.produced(topic)) == asked(WORDS[:2], said["sent"])
    shakes, proofs = heard.named("SaslHandshake"), heard.named("SaslAuthenticate")
    assert shakes and len(proofs) == len(shakes) * (1 if mechanism == "PLAIN" else 2)
    for call in shakes:
        assert call.asked()["Mechanism"] == mechanism
        assert set(call.response.attributes["kafka.sasl_mechanisms"]) == set(USERS)
    for call in [*shakes, *proofs]:
        assert call.request.pins == "authentication" and call.response.status is Status.OK
    if mechanism == "PLAIN":
        assert {call.asked()["AuthBytes"].partition(b"\0")[2] for call in proofs} == {b"alice\0alice-secret"}
    # What a client proves with is in no attribute, and in no text about a message.
    for call in proofs:
        for message in (call.request, call.response):
            shown = repr(message) + repr(dict(message.attributes))
            assert "secret" not in shown and "AuthBytes" not in shown


@pytest.mark.parametrize("client", ["java", "confluent"])
def test_authenticate_again(stage: Any, client: str) -> None:
    topic = stage.topic(1)
    records = [{"partition": 0, "value": "one", "pause": 2500}, {"partition": 0, "value": "two"}]
    options = tool("stage").sasl_options(client, "PLAIN", *USERS["PLAIN"])
    with stage.hear(listener="AGAIN") as recordings:
        said = stage.ask(client, "produce", "AGAIN", topic=topic, records=records, options=options)
    heard = Heard.of(recordings)
    heard.check()
    assert said["sent"] == [[0, 0], [0, 1]]
    connection = heard.named("Produce")[-1].connection
    operations = [call.operation for call in heard.calls if call.connection == connection]
    assert operations.count("SaslHandshake") == 2 and operations.count("SaslAuthenticate") == 2
    again = len(operations) - 1 - operations[::-1].index("SaslHandshake")
    assert "Produce" in operations[:again] and "Produce" in operations[again:]
    lives = {
        call.told()["SessionLifetimeMs"] for call in heard.named("SaslAuthenticate") if call.connection == connection
    }
    assert all(0 < life <= 2000 for life in lives)
    if client == "java":  # whose numbers for it come again
        ids = [
            call.request.request_id
            for call in heard.named("SaslHandshake", "ApiVersions")
            if call.connection == connection
        ]
        assert len(set(ids)) < len(ids)


@pytest.mark.parametrize("client", ["java", "aiokafka", "kafka_go", "kafkajs"])
def test_wrong_password(stage: Any, client: str) -> None:
    options: dict[str, Any] = tool("stage").sasl_options(client, "PLAIN", "alice", "guessed")
    with stage.hear(listener="SASL") as recordings:
        stage.ask(client, "admin", "SASL", steps=[["topics"]], options=options)
    heard = Heard.of(recordings)
    heard.check(cut=True)
    failed = heard.named("SaslAuthenticate")
    assert failed and {call.response.error for call in failed} == {"SASL_AUTHENTICATION_FAILED"}
    assert {call.response.status for call in failed} == {Status.UNAUTHENTICATED}
    assert failed[0].response.attributes["kafka.error_message"] == "Authentication failed: Invalid username or password"
    assert heard.calls[-1].operation == "SaslAuthenticate", "nothing follows"


def test_bare_tokens(stage: Any) -> None:
    """Behind SaslHandshake v0 come tokens that have no header; the answer to PLAIN is one of no octets."""
    module = tool("record")
    relay = stage.relays["SASL"]
    said = module.RAW["sasl-bare"][1]
    with (
        stage.hear(listener="SASL") as recordings,
        socket.create_connection((relay.host, relay.port), 10) as connection,
    ):
        for octets in said:
            connection.sendall(octets)
            (size,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
            if size:
                connection.recv(size, socket.MSG_WAITALL)
    heard = Heard.of(recordings)
    heard.check()
    assert heard.operations == ["SaslHandshake", "SaslToken", "ApiVersions", "Metadata"]
    token = heard.calls[1]
    assert token.request.payload == b"\0alice\0alice-secret" and token.response.payload == b""
    assert "secret" not in repr(token.request) + repr(dict(token.request.attributes))
    assert [each.kind for each in heard.events[0] if each.sender is Sender.SERVER] == [Kind.RESPONSE] * 4
