"""Sessions that play a side: order, ids, tokens, what is unanswered, what streams."""

from __future__ import annotations

import random

import pytest

from l7codecs import Kind, Limits, Message, Status
from l7codecs_kafka import KafkaResponse, KafkaToken

from .wire import C, S, answer, frame, opened, request, said


def numbers(octets: bytes) -> list[int]:
    """The correlation ids of the answers in `octets`."""
    found = []
    while octets:
        size = 4 + int.from_bytes(octets[:4], "big")
        found.append(int.from_bytes(octets[4:8], "big", signed=True))
        octets = octets[size:]
    return found


def test_two_clients_share_a_broker_and_each_has_its_own_ids_in_order() -> None:
    upstream = opened(endpoint=C)
    clients = [opened(endpoint=S) for _ in range(2)]
    sent = b""
    for number in (5, 6, -1):
        for client in clients:
            (event,) = said(client, (C, request("Metadata", 1, number)))
            sent += upstream.send(event)
    broker = opened(endpoint=S)
    asked = [event for event in said(broker, (C, sent)) if isinstance(event, Message)]
    assert len({event.request_id for event in asked}) == 6
    written = {client.flow: b"" for client in clients}
    for event in asked:
        for reply in said(upstream, (S, answer("Metadata", 1, event.request_id))):
            for client in clients:
                if reply.request.connection is client.flow:
                    written[client.flow] += client.send(reply)
    assert [numbers(octets) for octets in written.values()] == [[5, 6, -1]] * 2


@pytest.mark.parametrize("put", [False, True])
def test_answers_of_several_brokers_come_in_the_order_of_the_requests(put: bool) -> None:
    """With the client's ids, whole or streaming."""
    limits = Limits(message=200, head=100)
    client = opened(endpoint=S, limits=limits)
    asked = said(client, *((C, request("Heartbeat", 4, number)) for number in range(20, 26)))
    replies = []
    for each in asked:
        broker = opened(endpoint=C, limits=limits)
        other = opened(endpoint=C, limits=limits)
        for session in (broker, other):  # so that the second has other ids
            session.send(said(opened(endpoint=S), (C, request("ApiVersions", 0, 20)))[0])
        (sent,) = said(opened(), (C, broker.send(each)))
        octets = answer("Heartbeat", 4, sent.correlation_id)
        if each.correlation_id % 2:
            octets = frame(octets[4:] + bytes(1000))  # a peer may add
        replies.append(said(broker, (S, octets)))
    random.Random(3).shuffle(replies)
    written = b""
    for events in replies:
        for event in events:
            if put:
                client.put(event)
            else:
                written += client.send(event)
    written += client.pending_output()
    assert numbers(written) == list(range(20, 26))
    assert client.unanswered() == [] and client.queued == 0


def test_bare_tokens_pass_a_proxy() -> None:
    client, upstream = opened(endpoint=S), opened(endpoint=C)

    def passes(octets: bytes, reply: bytes) -> tuple[object, bytes]:
        (event,) = said(client, (C, octets))
        assert upstream.send(event) == octets
        assert upstream.unanswered() == [event] == client.unanswered()
        (back,) = said(upstream, (S, reply))
        assert back.request is event
        return back, client.send(back)

    _, octets = passes(request("SaslHandshake", 0, 9, Mechanism="SCRAM-SHA-256"), answer("SaslHandshake", 0, 9))
    assert octets == answer("SaslHandshake", 0, 9)
    for token in (b"n,,n=u,r=x", b"c=biws,r=xy,p=z"):
        back, octets = passes(frame(token), frame(b"r=y"))
        assert isinstance(back, KafkaToken) and octets == frame(b"r=y")
    back, octets = passes(request("ApiVersions", 0, 10), answer("ApiVersions", 0, 10))
    assert isinstance(back, KafkaResponse) and octets == answer("ApiVersions", 0, 10)


def test_a_token_that_the_broker_does_not_answer_is_abandoned() -> None:
    client, upstream = opened(endpoint=S), opened(endpoint=C)
    for octets, reply in (
        (request("SaslHandshake", 0, 9, Mechanism="PLAIN"), answer("SaslHandshake", 0, 9)),
        (frame(b"\0u\0wrong"), None),
    ):
        (event,) = said(client, (C, octets))
        upstream.send(event)
        if reply is not None:
            said(upstream, (S, reply))
    list(upstream.eof(S))
    assert upstream.abandoned() == [event]
    assert upstream.abandoned() == []


def test_what_is_not_answered_is_sent_and_forgotten() -> None:
    client, upstream = opened(endpoint=S), opened(endpoint=C)
    (event,) = said(client, (C, request("Produce", 9, 1, Acks=0)))
    assert event.kind is Kind.ONEWAY
    upstream.send(event)
    assert upstream.unanswered() == client.unanswered() == []


def test_an_answer_before_its_turn_waits_and_an_error_made_here_too() -> None:
    client, upstream = opened(endpoint=S), opened(endpoint=C)
    first, second = said(client, (C, request("Metadata", 1, 1) + request("Metadata", 1, 2)))
    upstream.send(first)
    assert client.reply_error(second, Status.UNAVAILABLE, "no broker") == b""
    (reply,) = said(upstream, (S, answer("Metadata", 1, 1)))
    assert numbers(client.send(reply)) == [1, 2]


def test_ten_thousand_through_a_proxy() -> None:
    client, upstream = opened(endpoint=S), opened(endpoint=C)
    asked = said(client, (C, b"".join(request("Heartbeat", 4, number) for number in range(10_000))))
    assert client.full
    for event in asked:
        upstream.put(event)
    sent = [
        event.correlation_id for event in said(opened(limits=Limits(pending=20_000)), (C, upstream.pending_output()))
    ]
    replies = said(upstream, (S, b"".join(answer("Heartbeat", 4, number) for number in sent)))
    for reply in replies:
        client.put(reply)
    assert numbers(client.pending_output()) == list(range(10_000))
