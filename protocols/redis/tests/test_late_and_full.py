"""A proxy's session to its client: late answers, answers that wait, and what happens past the limits."""

from __future__ import annotations

import time

import pytest

from l7codecs import Data, LimitExceeded, Limits, Message, Sender, Session, Status, Unsupported, open_session
from l7codecs.testing import growth

C, S = Sender.CLIENT, Sender.SERVER


def sessions(limits: Limits | None = None, ups: int = 1) -> list[Session]:
    """One to the client, and one to each of the servers."""
    limits = limits or Limits()
    down = open_session("redis", endpoint=S, limits=limits)
    return [down, *(open_session("redis", endpoint=C, limits=limits) for _ in range(ups))]


def asked(down: Session, octets: bytes) -> list[Message]:
    return [event for event in down.receive(C, octets) if isinstance(event, Message)]


def carry(up: Session, down: Session, octets: bytes) -> bytes:
    return b"".join(down.send(event) for event in up.receive(S, octets))


def test_a_late_answer_does_not_reach_the_next_request() -> None:
    down, up = sessions()
    (a,) = asked(down, b"GET a\r\n")
    up.send(a)
    assert down.reply_error(a, Status.DEADLINE_EXCEEDED, "too slow") == b"-ERR too slow\r\n"
    (b,) = asked(down, b"GET b\r\n")
    up.send(b)
    assert carry(up, down, b"$8\r\nsecret-a\r\n$7\r\nvalue-b\r\n") == b"$7\r\nvalue-b\r\n"
    assert down.pending == up.pending == 0


@pytest.mark.parametrize("read", [999, 100_000, 4_000_000])
def test_a_late_answer_that_streams_is_dropped_to_its_end(read: int) -> None:
    down, up = sessions()
    a, b = asked(down, b"GET a\r\nGET b\r\n")
    up.send(a)
    up.send(b)
    down.reply_error(a, Status.DEADLINE_EXCEEDED, "too slow")
    value = b"$1500000\r\n" + b"s" * 1_500_000 + b"\r\n"
    octets = value + value.replace(b"s", b"b")
    kinds = set()
    written = b""
    for at in range(0, len(octets), read):
        for event in up.receive(S, octets[at : at + read]):
            kinds.add(type(event))
            written += down.send(event)
    assert Data in kinds
    assert written == value.replace(b"s", b"b")


def test_an_answer_that_streams_when_its_request_is_given_up_ends_as_it_began() -> None:
    """Part of it is written: an error behind that would be part of the value."""
    down, up = sessions()
    (a,) = asked(down, b"GET a\r\n")
    up.send(a)
    value = b"$1500000\r\n" + b"s" * 1_500_000 + b"\r\n"
    written = carry(up, down, value[:1000])
    with pytest.raises(Unsupported):
        down.reply_error(a, Status.INTERNAL, "lost")
    assert written + carry(up, down, value[1000:]) == value


def test_an_answer_that_waits_in_part_can_be_given_up() -> None:
    down, one, other = sessions(ups=2)
    a, b = asked(down, b"GET a\r\nGET b\r\n")
    one.send(a)
    other.send(b)
    value = b"$1500000\r\n" + b"s" * 1_500_000 + b"\r\n"
    assert carry(other, down, value[:1000]) == b""
    assert down.reply_error(b, Status.UNAVAILABLE, "gone") == b""
    assert carry(other, down, value[1000:]) == b""
    assert carry(one, down, b"+A\r\n") == b"+A\r\n-TRYAGAIN gone\r\n"


def test_a_late_confirmation_is_dropped_and_deliveries_are_not() -> None:
    down, up = sessions()
    subscribe, ping = asked(down, b"SUBSCRIBE a b\r\nPING\r\n")
    up.send(subscribe)
    up.send(ping)
    refused = down.reply_error(subscribe, Status.UNAVAILABLE, "no")
    assert refused == b"-TRYAGAIN no\r\n"
    confirmed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
    assert carry(up, down, confirmed + b"+PONG\r\n") == b"+PONG\r\n"


def test_all_answers_to_one_early_command_wait() -> None:
    down, one, other = sessions(ups=2)
    get, subscribe = asked(down, b"GET a\r\nSUBSCRIBE x y\r\n")
    one.send(get)
    other.send(subscribe)
    confirmed = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:2\r\n"
    assert carry(other, down, confirmed) == b""
    assert carry(one, down, b"+A\r\n") == b"+A\r\n" + confirmed
    assert down.pending == 0


def test_a_subscription_that_is_confirmed_in_part_is_not_refused() -> None:
    down, up = sessions()
    subscribe, ping = asked(down, b"SUBSCRIBE a b\r\nPING\r\n")
    up.send(subscribe)
    up.send(ping)
    first = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    assert carry(up, down, first) == first
    with pytest.raises(Unsupported, match="in part"):
        down.reply_error(subscribe, Status.UNAVAILABLE, "no")
    rest = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    assert carry(up, down, rest) == rest


def test_a_push_that_streams_is_not_cut_by_answers_of_another_server() -> None:
    down, one, other = sessions(ups=2)
    a, b = asked(down, b"GET a\r\nGET b\r\n")
    one.send(a)
    other.send(b)
    push = b">2\r\n$10\r\ninvalidate\r\n$1500000\r\n" + b"k" * 1_500_000 + b"\r\n"
    written = carry(one, down, push[:1000])
    assert written == push[: len(written)] and written
    assert carry(one, down, push[1000:2000]) is not None
    down, one, other = sessions(ups=2)
    a, b = asked(down, b"GET a\r\nGET b\r\n")
    other.send(a)
    one.send(b)
    written = carry(one, down, push[:1000])
    written += carry(other, down, b"+A\r\n")
    written += carry(one, down, push[1000:] + b"+B\r\n")
    assert written == push + b"+A\r\n+B\r\n"


def test_more_than_the_limit_waits_in_order() -> None:
    """GET a, GET b, a refused CONFIG, and 10 000 GET c."""
    down, up = sessions()
    requests = asked(down, b"GET a\r\nGET b\r\nCONFIG GET x\r\n" + b"GET c\r\n" * 10_000)
    assert len(requests) == down.pending == 10_003 and down.full
    written = b""
    for request in requests:
        if request.operation == "CONFIG GET":
            written += down.reply_error(request, Status.PERMISSION_DENIED, "no")
        else:
            up.send(request)
    assert up.full and down.unanswered()[0] is requests[0]
    written += carry(up, down, b"+A\r\n+B\r\n" + b"+C\r\n" * 10_000)
    assert written == b"+A\r\n+B\r\n-NOPERM no\r\n" + b"+C\r\n" * 10_000
    assert not down.full and not up.full and down.queued == 0


def test_more_than_the_limit_with_two_servers() -> None:
    down, one, other = sessions(Limits(pending=10), ups=2)
    requests = asked(down, b"GET k\r\n" * 60)
    for number, request in enumerate(requests):
        (one, other)[number % 2].send(request)
    assert carry(other, down, b"".join(b"$3\r\no%02d\r\n" % number for number in range(30))) == b""
    written = carry(one, down, b"".join(b"$3\r\ne%02d\r\n" % number for number in range(30)))
    assert written == b"".join(b"$3\r\ne%02d\r\n$3\r\no%02d\r\n" % (number, number) for number in range(30))


def test_far_past_the_limit_commands_are_refused() -> None:
    down, up = sessions(Limits(pending=10))
    received = down.receive(C, b"GET k\r\n" * 100)
    taken = [next(received) for _ in range(80)]
    with pytest.raises(LimitExceeded, match=r"limits\.pending") as raised:
        next(received)
    assert raised.value.sender is C
    for event in taken:
        up.send(event)
    (more,) = asked(open_session("redis"), b"GET z\r\n")
    with pytest.raises(LimitExceeded):
        up.send(more)
    assert carry(up, down, b"".join(b":%d\r\n" % number for number in range(80))) == b"".join(
        b":%d\r\n" % number for number in range(80)
    )


def test_an_observer_that_forgot_does_not_write_in_a_wrong_order() -> None:
    down = open_session("redis", limits=Limits(pending=2))
    up = open_session("redis", endpoint=C)
    for request in asked(down, b"GET a\r\nGET b\r\nGET c\r\n"):
        up.send(request)
    with pytest.raises(LimitExceeded, match="endpoint"):
        carry(up, down, b"+A\r\n")


def test_answers_behind_a_slow_one_are_counted_and_capped() -> None:
    down, slow, fast = sessions(Limits(queued=1_000_000), ups=2)
    requests = asked(down, b"GET slow\r\n" + b"GET fast\r\n" * 300)
    slow.send(requests[0])
    for request in requests[1:]:
        fast.send(request)
    value = b"$500000\r\n" + b"f" * 500_000 + b"\r\n"
    assert carry(fast, down, value) == b"" and down.queued == len(value) and not down.full
    assert carry(fast, down, value) == b"" and down.queued == 2 * len(value) and down.full
    with pytest.raises(LimitExceeded, match=r"limits\.queued"):
        carry(fast, down, value * 298)
    assert down.queued <= 8_000_000 + len(value)


def test_held_back_answers_come_whole() -> None:
    """A caller that stops reading where the session is full sees no error and every octet."""
    down, slow, fast = sessions(Limits(queued=1_000_000), ups=2)
    requests = asked(down, b"GET slow\r\n" + b"GET fast\r\n" * 30)
    slow.send(requests[0])
    for request in requests[1:]:
        fast.send(request)
    value = b"$500000\r\n" + b"f" * 500_000 + b"\r\n"
    unread = [value] * 30
    written = b""
    while unread and not down.full:
        written += carry(fast, down, unread.pop())
    assert unread and written == b""
    written += carry(slow, down, b"+S\r\n")
    assert not down.full
    while unread:
        written += carry(fast, down, unread.pop())
    assert written == b"+S\r\n" + value * 30


def test_endless_refused_commands_behind_a_blocked_one_are_stopped() -> None:
    down, up = sessions(Limits(pending=100))
    (blpop,) = asked(down, b"BLPOP q 0\r\n")
    up.send(blpop)

    def refuse(octets: bytes) -> None:
        for event in down.receive(C, octets):
            assert isinstance(event, Message)
            assert down.reply_error(event, Status.PERMISSION_DENIED, "no") == b""

    with pytest.raises(LimitExceeded):
        refuse(b"CONFIG GET m\r\n" * 10_000)
    assert down.queued <= 800 * len(b"-NOPERM no\r\n")


def test_paused() -> None:
    down, up = sessions()
    a, b, c = asked(down, b"GET a\r\nCONFIG GET m\r\nGET c\r\n")
    up.send(a)
    up.send(c)
    down.paused = True
    assert carry(up, down, b"+A\r\n") == b""
    assert down.reply_error(b, Status.PERMISSION_DENIED, "no") == down.pending_output() == b""
    assert down.queued == len(b"+A\r\n-NOPERM no\r\n")
    down.paused = False
    assert down.pending_output() == b"+A\r\n-NOPERM no\r\n"
    assert down.pending_output() == b"" and down.queued == 0
    assert carry(up, down, b"+C\r\n") == b"+C\r\n"
    up.paused = True
    (d,) = asked(down, b"GET d\r\n")
    assert up.send(d) == b"" and up.queued == len(d.raw)
    up.paused = False
    assert up.pending_output() == b"GET d\r\n"


def refused_behind(count: int) -> float:
    start = time.process_time()
    down, up = sessions()
    requests = asked(down, b"GET k\r\n" * count + b"CONFIG GET m\r\n" * count)
    for request in requests[:count]:
        up.send(request)
    for request in requests[count:]:
        down.reply_error(request, Status.PERMISSION_DENIED, "no")
    written = carry(up, down, b"+OK\r\n" * count)
    assert written == b"+OK\r\n" * count + b"-NOPERM no\r\n" * count
    return time.process_time() - start


def test_refused_commands_behind_waiting_ones_cost_the_same_each() -> None:
    assert growth(refused_behind, 2_000, 8_000, 9) <= 9
