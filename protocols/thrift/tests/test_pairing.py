"""Which call a reply answers, where ids move, where they stand, and where some of it was not seen."""

from __future__ import annotations

import random
import zlib
from struct import pack

import l7codecs
from l7codecs import Kind, Limits, Message, Sender
from l7codecs.session import Session
from l7codecs_thrift import ThriftMessage

C, S = Sender.CLIENT, Sender.SERVER
CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4


def octets(name: str, kind: int, seqid: int) -> bytes:
    message = b"\x80\x01\x00" + bytes([kind]) + pack(">i", len(name)) + name.encode() + pack(">i", seqid) + b"\0"
    return pack(">i", len(message)) + message


def observer(limits: Limits | None = None) -> Session:
    return l7codecs.open_session("thrift", limits=limits or Limits())


def say(session: Session, sender: Sender, name: str, kind: int, seqid: int) -> Message:
    (message,) = session.receive(sender, octets(name, kind, seqid))
    assert isinstance(message, Message)
    return message


def test_order_where_ids_stand() -> None:
    session = observer()
    calls = [say(session, C, name, CALL, 0) for name in ("a", "a", "b", "a")]
    answers = [say(session, S, name, REPLY, 0) for name in ("a", "a", "b", "a")]
    assert [each.request for each in answers] == calls and session.pending == 0


def test_any_order_where_ids_move() -> None:
    session = observer()
    calls = {number: say(session, C, "a", CALL, number) for number in (1, 2, 3, 4)}
    for number in (3, 1, 4, 2):
        assert say(session, S, "a", REPLY, number).request is calls[number]
    assert session.pending == 0


def test_a_multiplexed_name_is_answered_without_its_service() -> None:
    session = observer()
    one, other = say(session, C, "Shop:a", CALL, 0), say(session, C, "Bank:a", CALL, 0)
    assert say(session, S, "a", REPLY, 0).request is one
    assert say(session, S, "a", EXCEPTION, 0).request is other


def test_a_call_whose_name_is_too_long_to_be_kept_is_forgotten() -> None:
    """Where there is no room: its name alone is more than is kept of it, and what is kept of others answers as ever."""
    session = observer(Limits(waiting=4096))
    first = say(session, C, "a" * 5000, CALL, 1)
    assert first.kept > 4096 and session.pending == 0
    short = say(session, C, "b", CALL, 2)
    for number in range(3, 9):
        say(session, C, "c" * 20_000, CALL, number)
    assert session.pending == 1
    assert say(session, S, "c" * 20_000, REPLY, 5).request is None
    assert say(session, S, "b", REPLY, 2).request is short
    assert session.pending == 0


def test_one_way_calls_that_are_written_as_calls_take_no_place() -> None:
    session = observer()
    for number in range(1, 2001, 2):
        say(session, C, "fire", CALL, number)
        call = say(session, C, "a", CALL, number + 1)
        assert say(session, S, "a", REPLY, number + 1).request is call
        assert session.pending == 0


def test_one_way_calls_in_the_order_of_ids_that_stand() -> None:
    session = observer()
    for _turn in range(50):
        say(session, C, "fire", CALL, 0)
        say(session, C, "fire", ONEWAY, 0)
        call = say(session, C, "a", CALL, 0)
        assert say(session, S, "a", REPLY, 0).request is call
        assert session.pending == 0


def test_two_clients_that_count_alike_on_one_connection() -> None:
    session = observer()
    for number in range(1, 20):
        one, other = say(session, C, "a", CALL, number), say(session, C, "b", CALL, number)
        assert say(session, S, "a", REPLY, number).request is one
        assert say(session, S, "b", REPLY, number).request is other
        again, then = say(session, C, "a", CALL, number), say(session, C, "a", CALL, number)
        assert say(session, S, "a", REPLY, number).request is again
        assert say(session, S, "a", REPLY, number).request is then


def test_an_answer_that_is_seen_before_its_call_takes_no_other() -> None:
    for step in (0, 1):
        session = observer()
        calls = [say(session, C, "a", CALL, 0)]
        say(session, S, "a", REPLY, 0)
        assert say(session, S, "a", REPLY, step).request is None  # its call comes now
        say(session, C, "a", CALL, step)
        assert session.pending == 0
        calls.append(say(session, C, "a", CALL, 2 * step))
        assert say(session, S, "a", REPLY, 2 * step).request is calls[-1]


def test_an_answer_to_nothing_takes_no_call() -> None:
    session = observer()
    first, other = say(session, C, "a", CALL, 0), say(session, C, "b", CALL, 0)
    assert say(session, S, "zzz", REPLY, 0).request is None
    assert say(session, S, "a", REPLY, 0).request is first
    assert say(session, S, "b", REPLY, 0).request is other


def test_a_server_that_writes_no_id() -> None:
    session = observer()
    for number in (5, 6):
        call = say(session, C, "a", CALL, number)
        assert say(session, S, "a", REPLY, 0).request is call
    call = say(session, C, "a", CALL, 7)
    assert say(session, S, "a", REPLY, 99).request is call
    call = say(session, C, "a", CALL, 7)
    assert say(session, S, "a", REPLY, 7).request is call
    call = say(session, C, "a", CALL, 8)
    assert say(session, S, "a", REPLY, 99).request is None
    assert say(session, S, "a", REPLY, 8).request is call
    call = say(session, C, "a", CALL, 7)
    assert say(session, S, "", EXCEPTION, 7).request is call


def test_pending_is_bounded() -> None:
    session = observer(Limits(pending=5))
    for number in range(100):
        say(session, C, "a", CALL, number)
        assert session.pending <= 5
    assert say(session, S, "a", REPLY, 99).request is not None
    assert say(session, S, "a", REPLY, 1).request is None


def test_a_loss_inside_of_a_frame_ends_with_it() -> None:
    message = b"\x80\x01\x00\x02\0\0\0\1a\0\0\0\1\x0b\0\0\0\0\0\x64" + bytes(100) + b"\0"
    session = observer()
    call = say(session, C, "a", CALL, 1)
    events = list(session.receive(S, pack(">i", len(message)) + message[:40]))
    events += list(session.gap(S, 30)) + list(session.receive(S, message[70:] + octets("b", REPLY, 9)))
    assert isinstance(events[0], Message) and events[0].request is call and events[0].more
    assert isinstance(events[-1], Message) and events[-1].operation == "b" and session.pending == 0


def test_after_a_loss_only_what_is_certain_pairs() -> None:
    """Clients of every kind and servers that answer in order: nothing is ever paired wrongly, and ids that move go on to pair."""
    chance = random.Random(5)
    paired = {0: 0, 1: 0, 2: 0}
    for turn in range(900):
        clients = turn % 3  # 0: ids stand; else so many count on one connection, each for itself
        depth = chance.choice((1, 1, 3))
        session = observer()
        numbers = [0] if clients == 0 else [chance.randrange(3) for _each in range(clients)]
        waiting: list[tuple[str, int, Message | None]] = []
        lost = 0
        for _step in range(60):
            sender = chance.choice((C, S)) if len(waiting) < depth and waiting else S if waiting else C
            if lost == 0 and chance.random() < 0.05:
                lost = chance.choice((1, 2, 6))
            if lost > 0:
                list(session.gap(sender))
                lost -= 1
            if sender is C:
                who = chance.randrange(len(numbers))
                numbers[who] += clients > 0
                name = chance.choice("ab")
                said = octets(name, CALL, numbers[who])
                found = [] if lost > 0 else [each for each in session.receive(C, said) if isinstance(each, Message)]
                waiting.append((name, numbers[who], found[0] if found else None))
            else:
                name, own, call = waiting.pop(0)
                for answer in session.receive(S, octets(name, REPLY, own)) if lost == 0 else ():
                    if isinstance(answer, Message) and answer.kind is Kind.RESPONSE and answer.request is not None:
                        assert answer.request is call, f"{clients} clients, {depth} at a time"
                        paired[clients] += 1
    assert paired[0] > 2500 and paired[1] > 5500 and paired[2] > 3500, paired


def test_clients_that_count_for_themselves_are_certain_once_they_take_turns() -> None:
    session = observer()
    for number in (1, 2, 1, 2):
        say(session, C, "a", CALL, number)
        assert say(session, S, "a", REPLY, number).request is not None
    kept = say(session, C, "a", CALL, 3)
    call = say(session, C, "b", CALL, 4)
    list(session.gap(S))
    say(session, C, "a", CALL, 3)
    assert say(session, S, "a", REPLY, 3).request is None is kept.request  # one of two
    assert say(session, S, "b", REPLY, 4).request is None is call.request
    asked = [say_both(session, number) for number in range(20, 60, 2)]
    first = asked.index(True)
    assert 4 <= first < 16 and all(asked[first:])


def say_both(session: Session, number: int) -> bool:
    """Whether an answer pairs that comes before anything else is asked."""
    call = say(session, C, "a", CALL, number)
    answer = say(session, S, "a", REPLY, number)
    assert answer.request in (None, call)
    return answer.request is call


def test_a_call_that_was_overtaken_is_forgotten_where_ids_come_again_after_a_loss() -> None:
    session = observer()
    list(session.gap(C))
    for number in range(1, 8):
        say(session, C, "a", CALL, number)
    assert say(session, S, "a", REPLY, 7).request is not None
    say(session, C, "a", CALL, 2)
    assert say(session, S, "a", REPLY, 6).request is None  # the one that was overtaken, or that of another client


def test_an_answer_without_an_id_that_is_seen_before_its_call_takes_no_other() -> None:
    session = observer()
    post = b"POST / HTTP/1.1\r\nContent-Type: application/x-thrift\r\nContent-Length: 14\r\n\r\n"
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-thrift\r\nContent-Length: 14\r\n\r\n"
    list(session.receive(S, b"HTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\nx"))
    list(session.receive(C, post + octets("a", CALL, 3)[4:]))
    (answer,) = session.receive(S, ok + octets("a", REPLY, 4)[4:])
    assert isinstance(answer, Message) and answer.operation == "a" and answer.request is None
    list(session.receive(C, post + octets("a", CALL, 4)[4:]))
    assert session.pending == 0


def test_many_that_wait_are_answered_in_their_order_and_out_of_it() -> None:
    """A hundred wait at any time: those at the front, and one among them now and then, by which the ones before it are overtaken."""
    for ids in (1, 3, 1_000_000):
        session = observer()
        waiting: list[Message] = []
        for number in range(2_000):
            waiting.append(say(session, C, f"m{number % 7}", CALL, number % ids))
            assert session.pending == len(waiting)
            if len(waiting) < 100:
                continue
            at = 5 if number % 50 == 0 and ids > 3 else 0
            answered = waiting[at]
            overtaken = waiting[:at]
            del waiting[: at + 1]
            name = answered.operation
            assert name is not None and isinstance(answered.request_id, int)
            assert say(session, S, name, REPLY, answered.request_id).request is answered
            for late in overtaken:
                assert late.operation is not None and isinstance(late.request_id, int)
                assert say(session, S, late.operation, REPLY, late.request_id).request is late
        for sender in (C, S):
            assert [each.offset for each in session.decoder(sender).asks.waiting()] == [
                each.offset for each in (waiting if sender is C else [])
            ]


def test_what_is_inflated_counts_as_what_waits() -> None:
    session = observer(Limits(waiting=200_000))
    body = b"\x0b\0\1" + pack(">i", 50_000) + bytes(50_000) + b"\0"
    for number in range(40):
        message = zlib.compress(octets("a", CALL, number)[4:-1] + body)
        said = b"\x0f\xff\0\0" + pack(">iH", number, 1) + b"\0\1\1\0" + message
        list(session.receive(C, pack(">i", len(said)) + said))
    waits = [each for each in session.unanswered() if isinstance(each, ThriftMessage)]
    assert len(waits) == 40 and sum(len(each.plain) for each in waits) <= 200_000
    for number in reversed(range(40)):
        answer = say(session, S, "a", REPLY, number)
        assert answer.request is not None and answer.request.request_id == number


def test_what_was_overtaken_is_bounded_in_octets() -> None:
    session = observer(Limits(waiting=200_000))
    body = b"\x0b\0\1" + pack(">i", 50_000) + bytes(50_000) + b"\0"
    for turn in range(2):  # once those of the first have been answered late, there is room again
        for number in range(0, 80, 2):
            call = octets("fire", CALL, number)[4:-1] + body
            list(session.receive(C, pack(">i", len(call)) + call))
            say(session, C, "a", CALL, number + 1)
            say(session, S, "a", REPLY, number + 1)
        late = [say(session, S, "fire", REPLY, number).request for number in range(0, 80, 2)]
        sizes = [len(each.raw) for each in late if each is not None]
        assert len(sizes) == 40 and 150_000 < sum(sizes) <= 200_000 + 40 * 1024, turn


def test_answers_before_their_calls_have_names_of_a_size() -> None:
    session = observer()
    for name in ("a" * 256, "a" * 257):
        say(session, S, name, REPLY, 1)
        say(session, C, name, CALL, 1)
    assert session.pending == 1


def test_a_stray_answer_costs_no_call_where_another_comes_before_its_own() -> None:
    """Ids that stand have answers in order: what answers nothing that was asked before a call that waits answers nothing."""
    session = observer()
    for _turn in range(3):
        call = say(session, C, "a", CALL, 0)
        assert say(session, S, "a", REPLY, 0).request is call
        assert say(session, S, "a", REPLY, 0).request is None  # again
        for name in ("b", "a"):
            call = say(session, C, name, CALL, 0)
            assert say(session, S, name, REPLY, 0).request is call


def test_a_reply_that_repeats_its_service_is_split_as_its_call() -> None:
    session = observer()
    call = say(session, C, "S:hello", CALL, 0)
    reply = say(session, S, "S:hello", REPLY, 0)
    assert reply.request is call and (reply.service, reply.operation) == ("S", "hello")
    stray = say(session, S, "T:hello", REPLY, 0)  # it comes before its call
    assert stray.request is None and (stray.service, stray.operation) == ("T", "hello")
    say(session, C, "T:hello", CALL, 0)
    assert session.pending == 0
