"""Sessions that play a side: consumers that share a provider's connection, heartbeats, requests the other way, what ends."""

from __future__ import annotations

import random
from typing import Any

import pytest

import l7codecs
from l7codecs import Kind, Limits, Message, Sender, Session, Status, Unsupported
from l7codecs.testing import growth

from .frames import FRAME, C, S, answer, beaten, call, failure, frame, heartbeat

READ_ONLY = frame(77, b"\x01R", request=True, event=True)


def opened(endpoint: Sender | None = None, limits: Limits | None = None) -> Session:
    return l7codecs.open_session("dubbo", endpoint=endpoint, limits=limits or Limits())


def frames(octets: bytes) -> list[Any]:
    """What `construct` reads."""
    found = []
    while octets:
        one = FRAME.parse(octets)
        found.append(one)
        octets = octets[16 + one.size :]
    return found


def numbers(octets: bytes) -> list[int]:
    return [each.id for each in frames(octets)]


def one(session: Session, sender: Sender, octets: bytes) -> Any:
    (event,) = session.receive(sender, octets)
    return event


@pytest.mark.parametrize("start", [0, 2**63 - 2, 2**64 - 4])
def test_consumers_share_a_provider_and_each_has_its_own_ids(start: int) -> None:
    """Whatever the ids are, and in whatever order the answers come."""
    upstream = opened(C)
    consumers = [opened(S) for _ in range(5)]
    said: dict[Any, list[int]] = {each.flow: [] for each in consumers}
    sent = b""
    for turn in range(4):
        for consumer in consumers:
            number = (start + turn) % 2**64
            said[consumer.flow].append(number)
            sent += upstream.send(one(consumer, C, call(number, method=f"m{turn}")))
    asked = frames(sent)
    assert len({each.id for each in asked}) == 20 == upstream.pending
    random.Random(3).shuffle(asked)
    written: dict[Any, list[int]] = {each.flow: [] for each in consumers}
    for each in asked:
        reply = one(upstream, S, answer(each.id, b"\x02ok"))
        for consumer in consumers:
            if reply.request.connection is consumer.flow:
                octets = consumer.send(reply)
                written[consumer.flow] += numbers(octets)
                assert FRAME.parse(octets).body == FRAME.parse(answer(0, b"\x02ok")).body
    assert {flow: sorted(found) for flow, found in written.items()} == {
        flow: sorted(each) for flow, each in said.items()
    }
    assert upstream.pending == 0 and all(consumer.unanswered() == [] for consumer in consumers)


def test_one_consumer_alone_is_passed_on_to_the_octet() -> None:
    upstream, consumer = opened(C), opened(S)
    octets = call(2**64 - 1) + heartbeat(5) + call(6, two_way=False) + call(7)
    assert b"".join(upstream.send(each) for each in consumer.receive(C, octets)) == octets
    back = answer(7) + beaten(5) + answer(2**64 - 1)
    assert b"".join(consumer.send(each) for each in upstream.receive(S, back)) == back


def test_one_way_calls_get_numbers_that_collide_with_none() -> None:
    upstream = opened(C)
    consumers = [opened(S) for _ in range(2)]
    sent = b"".join(upstream.send(one(each, C, call(4, two_way=False))) for each in consumers)
    sent += b"".join(upstream.send(one(each, C, call(5))) for each in consumers)
    assert len(set(numbers(sent))) >= 3 and len(set(numbers(sent)[2:])) == 2
    assert upstream.pending == 2


def test_a_heartbeat_is_answered_without_the_provider() -> None:
    consumer = opened(S)
    beat = one(consumer, C, heartbeat(2**63 + 5))
    assert consumer.unanswered() == [beat]
    (reply,) = frames(consumer.reply_heartbeat(beat))
    assert (reply.id, reply.status, reply.body) == (2**63 + 5, 20, b"N")
    assert (reply.flags.request, reply.flags.two_way, reply.flags.event) == (False, False, True)
    assert consumer.unanswered() == []
    with pytest.raises(Unsupported):
        consumer.reply_heartbeat(beat)
    with pytest.raises(Unsupported):
        consumer.reply_heartbeat(one(consumer, C, call(1)))


def test_a_heartbeat_of_the_provider_is_answered_here() -> None:
    """It repeats the id of a call that is under way, which stays so."""
    upstream, consumer = opened(C), opened(S)
    upstream.send(one(consumer, C, call(0)))
    beat = one(upstream, S, heartbeat(0))
    assert beat.kind is Kind.HEARTBEAT and beat.sender is S
    (reply,) = frames(upstream.reply_heartbeat(beat))
    assert (reply.id, reply.status, reply.flags.event) == (0, 20, True)
    assert upstream.pending == 1
    assert one(upstream, S, answer(0)).request.request_id == 0


def test_a_call_of_the_provider_goes_the_other_way() -> None:
    upstream, consumer = opened(C), opened(S)
    upstream.send(one(consumer, C, call(3)))
    back = one(upstream, S, call(3, method="changed"))
    assert back.kind is Kind.REQUEST and back.sender is S
    assert consumer.send(back) == call(3, method="changed")
    reply = one(consumer, C, answer(3))
    assert reply.request is back
    assert upstream.send(reply) == answer(3)
    final = one(upstream, S, answer(3, None))
    assert final.request.operation == "place" and consumer.send(final) == answer(3, None)


def test_what_is_under_way_at_a_shutdown_is_answered() -> None:
    upstream, consumer = opened(C), opened(S)
    first, second = consumer.receive(C, call(1) + call(2))
    upstream.send(first)
    upstream.send(second)
    assert not upstream.closing
    for event in upstream.receive(S, READ_ONLY):
        assert event.kind is Kind.GOAWAY
    assert upstream.closing and upstream.abandoned() == []
    for event in upstream.receive(S, answer(2) + READ_ONLY + answer(1)):
        if isinstance(event, Message) and event.kind is Kind.RESPONSE:
            assert consumer.send(event)
    assert consumer.unanswered() == []
    assert list(upstream.eof(S)) == [] and upstream.abandoned() == []


def test_a_close_tells_the_consumer_once_and_what_is_under_way_is_answered() -> None:
    upstream, consumer = opened(C), opened(S)
    request = one(consumer, C, call(1))
    upstream.send(request)
    (said,) = frames(consumer.close())
    assert (said.flags.request, said.flags.two_way, said.flags.event, said.body) == (True, False, True, b"\x01R")
    assert consumer.closing and consumer.close() == b"" and consumer.unanswered() == [request]
    assert upstream.close() == b"" and upstream.closing  # a provider is not told
    assert consumer.send(one(upstream, S, answer(1))) == answer(1)
    real = opened(C)
    assert one(real, S, FRAME.build(said)).kind is Kind.GOAWAY and real.closing


def test_a_close_waits_for_the_end_of_what_streams() -> None:
    limits = Limits(message=100, head=50)
    upstream, consumer = opened(C, limits), opened(S, limits)
    for event in consumer.receive(C, call(1)):
        upstream.send(event)
    octets = answer(1, b"S\x01\x00" + b"x" * 256)
    half = b"".join(consumer.send(event) for event in upstream.receive(S, octets[:150]))
    assert half and consumer.close() == b""
    rest = b"".join(consumer.send(event) for event in upstream.receive(S, octets[150:])) + consumer.pending_output()
    assert (half + rest)[: len(octets)] == octets and FRAME.parse((half + rest)[len(octets) :]).body == b"\x01R"
    paused = opened(S)
    paused.paused = True
    assert paused.close() == b""
    paused.paused = False
    assert FRAME.parse(paused.pending_output()).body == b"\x01R"


def test_a_provider_that_dies_leaves_nobody_without_an_answer() -> None:
    upstream = opened(C)
    consumers = [opened(S) for _ in range(3)]
    for consumer in consumers:
        upstream.send(one(consumer, C, call(9)))
    reply = one(upstream, S, answer(9))  # of the first, whose number was kept
    assert consumers[0].send(reply)
    assert list(upstream.eof(S)) == []
    left = upstream.abandoned()
    assert [each.connection for each in left] == [each.flow for each in consumers[1:]]
    for request, consumer in zip(left, consumers[1:], strict=True):
        (refused,) = frames(consumer.reply_error(request, Status.UNAVAILABLE, "the provider is gone"))
        assert refused.id == 9 and refused.status != 20 and b"the provider is gone" in refused.body
        assert consumer.unanswered() == []
    assert upstream.abandoned() == []


def test_the_answer_to_what_was_given_up_is_nothing() -> None:
    upstream, consumer = opened(C), opened(S)
    first, second = consumer.receive(C, call(1) + call(2))
    sent = upstream.send(first) + upstream.send(second)
    assert upstream.cancel(first) == b""
    assert upstream.unanswered() == [second]
    assert consumer.reply_error(first, Status.DEADLINE_EXCEEDED, "too slow")
    events = list(upstream.receive(S, b"".join(answer(number) for number in numbers(sent))))
    assert [event.request for event in events] == [second]
    assert consumer.send(events[0]) and consumer.unanswered() == []


def test_a_refusal_of_here_is_not_followed_by_the_late_answer() -> None:
    upstream, consumer = opened(C), opened(S)
    request = one(consumer, C, call(1))
    upstream.send(request)
    assert consumer.reply_error(request, Status.DEADLINE_EXCEEDED, "too slow")
    late = one(upstream, S, answer(1))
    assert late.request is request and consumer.send(late) == b""


def test_an_answer_to_nothing_is_told_and_belongs_to_nobody() -> None:
    upstream, consumer = opened(C), opened(S)
    upstream.send(one(consumer, C, call(1)))
    stray = one(upstream, S, answer(2))
    assert stray.request is None and stray.status is Status.OK
    assert one(upstream, S, answer(1)).request is not None
    assert one(upstream, S, answer(1)).request is None


def test_error_answers_in_another_serialization_are_passed_on() -> None:
    upstream, consumer = opened(C), opened(S)
    upstream.send(one(consumer, C, frame(1, b"\x00", request=True, two_way=True, serialization=23)))
    refused = one(upstream, S, failure(1, 40, "no"))
    assert consumer.send(refused) == failure(1, 40, "no")


def test_large_messages_stream_through_with_other_ids() -> None:
    limits = Limits(message=1000, head=100)
    upstream = opened(C, limits)
    consumers = [opened(S, limits) for _ in range(2)]
    large = call(1, types="[B", arguments=b"A\x20\x00" + bytes(8192) + b"\x20")
    sent = b""
    for consumer in consumers:
        for event in consumer.receive(C, large):
            sent += upstream.send(event)
    sent += upstream.pending_output()
    first, second = frames(sent)
    assert first.id != second.id and first.body == second.body == FRAME.parse(large).body
    written = {each.flow: b"" for each in consumers}
    back = answer(second.id, b"A\x20\x00" + bytes(8192) + b"\x20") + answer(first.id, None)
    for event in upstream.receive(S, back):
        head = event if isinstance(event, Message) else event.message
        for consumer in consumers:
            if head.request.connection is consumer.flow:
                written[consumer.flow] += consumer.send(event)
    assert [numbers(octets) for octets in written.values()] == [[1], [1]]


def test_text_of_the_console_passes() -> None:
    upstream, consumer = opened(C), opened(S)
    assert b"".join(upstream.send(each) for each in consumer.receive(C, b"status\r\n")) == b"status\r\n"
    assert b"".join(consumer.send(each) for each in upstream.receive(S, b"dubbo>")) == b"dubbo>"


def test_more_requests_cost_no_more_each() -> None:
    import time

    def cost(count: int) -> float:
        upstream = opened(C)
        consumers = [opened(S) for _ in range(2)]
        start = time.process_time()
        for number in range(count):
            for consumer in consumers:
                upstream.send(one(consumer, C, call(number)))
        return time.process_time() - start

    assert growth(cost, 500, 4000, 24) <= 24
