"""After loss an answer pairs with its command or with nothing, and nothing is told that nobody said.

The oracle (``losing.py``) makes conversations, damages them, and knows the truth. A small share of it runs here; ``L7CODECS_ORACLE=1`` (and
``make fuzz``) runs all: 30 000 joins, 10 000 gaps, 2 000 runs of 3 % loss, 2 000 other orders, L7CODECS_ORACLE_SEED another such set.
"""

from __future__ import annotations

import gc
import os
import random
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from l7codecs import Kind, Limits, Message, Opaque, ProtocolError, Sender, Session, open_session
from l7codecs.testing import Outcome, Vector, growth, load_vectors

from . import losing
from .losing import C, S, Seen, Step, Traffic, Truth, array, bulk, make
from .observing import pack

FULL = os.environ.get("L7CODECS_ORACLE", "") not in ("", "0")
SEED = int(os.environ.get("L7CODECS_ORACLE_SEED", "0"))
TRIALS = {"join": 30_000, "gap": 10_000, "loss": 2_000, "order": 2_000}
SHARE = 60
VECTORS = load_vectors(Path(__file__).resolve().parent.parent / "vectors")


@pytest.mark.parametrize("damage", TRIALS)
def test_nothing_wrong_and_nothing_invented(damage: str) -> None:
    seeds = range(SEED, SEED + TRIALS[damage]) if FULL else range(SHARE)
    total, _, wrong = losing.figures(damage, seeds, 0 if FULL else 100)
    print(f"{damage}: {dict(total)}")
    assert not wrong, "\n".join(wrong[:20])
    assert total["later"] > 10 * len(seeds) and total["paired"] > total["later"] // 4, total


def sequential(chance: random.Random, count: int, only: str | None = None) -> Truth:
    return make(chance, 1, count, Traffic(chance, only=only))


def lost_later(truth: Truth, chance: random.Random) -> Seen:
    """Three of a hundred segments are lost, once ten commands have been answered one by one."""
    return losing.with_losses(truth, [at > 20 and chance.random() < 0.03 for at in range(len(truth.segments))], chance)


@pytest.mark.parametrize(
    ("damage", "only", "count"),
    [
        (losing.with_gap, None, 300),
        (losing.with_few, None, 400),
        (lost_later, "GET", 400),
        (losing.joined, None, 2000),
    ],
    ids=["gap", "loss", "loss, all alike", "join"],
)
def test_sequential_traffic_is_paired_all_the_same(
    damage: Callable[[Truth, random.Random], Seen], only: str | None, count: int
) -> None:
    """95 % of the answers that were seen behind the first loss, with their commands; the first 17 or more after a join are not."""
    paired = later = 0
    for seed in range(60 if FULL else 12):
        chance = random.Random(seed)
        seen = damage(sequential(chance, count, only), chance)
        assert not seen.first
        paired += min(seen.paired, seen.later)
        later += seen.later
    print(f"{paired} of {later}")
    assert later > 1000
    assert paired >= 0.95 * later, f"{paired} of {later}"


# What was attacked.


def said(session: Session, sender: Sender, octets: bytes) -> list[Message]:
    return [event for event in session.receive(sender, octets) if isinstance(event, Message)]


def get(number: int) -> bytes:
    return pack([b"GET", b"key:%06d" % number])


def value(number: int) -> bytes:
    return bulk(b"value:%06d" % number)


def of(number: int) -> int:
    """Where the command of that number starts."""
    return number * len(get(0))


@pytest.mark.parametrize("joined", [False, True])
def test_a_closed_loop_of_two(joined: bool) -> None:
    """One lost command, or a join with two outstanding: ever after, each answer is one or two behind."""
    session = open_session("redis")
    if joined:
        list(session.gap(C))
        list(session.gap(S))
    else:
        said(session, C, get(0) + get(1))
        (first,) = said(session, S, value(0))
        assert first.request is not None and first.request.offset == 0
        list(session.gap(C, len(get(2))))
        (second,) = said(session, S, value(1))
        assert second.request is not None and second.request.offset == of(1), "asked before the loss: certain"
    for number in range(2, 1000):
        (reply,) = [reply for reply in said(session, S, value(number)) if reply.sender is S] or [None]
        assert reply is None or reply.request is None
        said(session, C, get(number + 1))


def test_a_swapped_answer_costs_one_pair() -> None:
    session = open_session("redis")
    pairs = 0
    for number in range(200):
        pieces = [(C, get(number)), (S, value(number))]
        for sender, octets in reversed(pieces) if number == 11 else pieces:
            for message in said(session, sender, octets):
                if message.request is not None:
                    assert message.request.offset == of(number)
                    pairs += 1
    assert pairs == 199
    assert session.pending == 0


def test_answers_far_ahead_of_their_commands() -> None:
    session = open_session("redis")
    replies = said(session, S, b"".join(value(number) for number in range(100)))
    assert [(reply.kind, reply.request) for reply in replies] == [(Kind.RESPONSE, None)] * 100
    said(session, C, b"".join(get(number) for number in range(101)))
    (reply,) = said(session, S, value(100))
    assert reply.request is not None and reply.request.offset == of(100)


@pytest.mark.parametrize("sender", [C, S])
@pytest.mark.parametrize(
    "tail",
    [
        b"\r\n*1\r\n$3\r\nXyyyy",
        b"\r\n*1\r\n$3\r\nXyyyy\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*9\r\n",
        b"\r\n*2\r\n:1\r\n$9\r\n",
    ],
)
def test_a_false_start_is_taken_back(sender: Sender, tail: bytes) -> None:
    """A join inside of a value that looks like RESP does not end the direction."""
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    asked, answered = pack([b"SET", b"k", b"x" * 20 + tail]), bulk(b"y" * 20 + tail)
    whole = asked if sender is C else answered
    events = list(session.receive(sender, whole[30:]))
    assert not any(isinstance(event, Message) for event in events)
    for number in range(3):
        if sender is C or number:
            told = [*session.receive(S, value(number)), *session.receive(C, get(number))]
        else:
            told = [*session.receive(C, get(number)), *session.receive(S, value(number))]
    assert {type(event).__name__ for event in told} == {"RedisRequest", "RedisReply"}


def test_a_false_start_of_one_side_alone_is_taken_back() -> None:
    for sender in Sender:
        session = open_session("redis")
        list(session.gap(sender))
        list(session.receive(sender, b"x\r\n*1\r\n$3\r\nXyyyy\r\n" * 3))
        (last,) = said(session, sender, b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" if sender is C else b"\r\n$2\r\nab\r\n")
        assert last.offset > 0


def test_items_of_an_array_are_no_answers() -> None:
    """Joined in the middle of an array: what is left of it is told when it cannot be answers, which is never."""
    rows = array([bulk(b"item%d" % number) for number in range(50)])
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    assert said(session, S, rows[rows.index(b"$6\r\nitem10") :]) == []
    (request,) = said(session, C, get(0)) or [None]
    told = said(session, S, value(0))
    assert [message.raw for message in told if message.sender is S] == [value(0)]
    assert request is None or request.raw == get(0)


def test_a_subscriber_that_is_joined_is_heard() -> None:
    """The client says nothing any more: three deliveries prove what they are."""
    for push in (b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n", b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"):
        session = open_session("redis")
        list(session.gap(C))
        list(session.gap(S))
        told = said(session, S, push * 10)
        assert [message.kind for message in told] == [Kind.PUSH] * 8


def test_one_side_alone_is_heard_in_the_end() -> None:
    for sender, octets in ((C, get(0)), (S, value(0))):
        session = open_session("redis")
        list(session.gap(C))
        list(session.gap(S))
        assert said(session, sender, octets * 255) == []
        assert len(said(session, sender, octets * 20)) == 20


def test_what_is_held_is_not_lost() -> None:
    """Commands of which nobody knows whether they are some are octets when the connection ends, or when they are none."""
    for end in (b"", b"\r\n"):
        session = open_session("redis")
        list(session.gap(C))
        list(session.gap(S))
        events = [*session.receive(C, get(0) * 3 + end), *session.eof(C)]
        assert b"".join(event.raw for event in events if isinstance(event, Opaque)) == get(0) * 3 + end
        assert not any(isinstance(event, Message) for event in events)


def test_held_commands_come_before_the_answer() -> None:
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    assert said(session, C, get(0) + get(1)) == []
    told = said(session, S, value(0) + value(1))
    assert [(message.sender, message.raw) for message in told] == [
        (C, get(0)),
        (C, get(1)),
        (S, value(0)),
        (S, value(1)),
    ]


def test_held_commands_come_in_order_before_an_answer_that_is_cut() -> None:
    """Octets are lost within the answer that makes them certain: its head is told, and they before it."""
    session = open_session("redis")
    list(session.receive(S, b"$30\r\n"))
    list(session.gap(C))
    assert said(session, C, get(0) + get(1)) == []
    told = [event for event in session.gap(S, 1) if isinstance(event, Message)]
    assert [(message.sender, message.raw) for message in told] == [(C, get(0)), (C, get(1)), (S, b"$30\r\n")]


SILENT = [pack([b"CLIENT", b"REPLY", mode]) for mode in (b"SKIP", b"OFF")]


@pytest.mark.parametrize("silent", SILENT)
def test_lost_octets_of_a_client_reply_pair_nothing_wrongly(silent: bytes) -> None:
    """Which command gets no answer stood in them: whatever octet of it is lost, GET is not paired with what is said to PING."""
    for at in range(len(silent)):
        for size in range(1, len(silent) + 1 - at - (at == 0)):
            session = open_session("redis")
            list(session.receive(C, silent[:at]))
            list(session.gap(C, size))
            list(session.receive(C, silent[at + size :] + get(0) + pack([b"PING"])))
            for answer in said(session, S, b"+PONG\r\n") + said(session, C, get(1)) + said(session, S, value(1)):
                request = answer.request
                assert request is None or (request.operation, answer.raw) in (("PING", b"+PONG\r\n"), ("GET", value(1)))
                assert request is None or request.raw != get(0), (at, size)


def test_a_client_reply_behind_a_loss_makes_nothing_certain() -> None:
    """A command before it may have had no answer as well: one that seemed to be wanting is none."""
    session = open_session("redis")
    list(session.gap(C, len(SILENT[0])))
    octets = get(0) + pack([b"PING"])
    list(session.receive(C, octets))
    list(session.receive(S, b"+PONG\r\n"))
    list(session.receive(C, SILENT[1] + get(1) + pack([b"CLIENT", b"REPLY", b"ON"]) + get(2)))
    assert [answer.request for answer in said(session, S, b"+OK\r\n" + value(2))] == [None, None]


def test_a_confirmation_without_its_word_answers_nothing_else() -> None:
    """The name of what is confirmed is lost: it is not taken for the answer to the command behind the subscription."""
    session = open_session("redis")
    list(session.receive(C, pack([b"SUBSCRIBE", b"x"]) + pack([b"RESET"]) + get(0)))
    list(session.receive(S, b"*3\r\n$9\r\n"))
    list(session.gap(S, 1))
    for answer in said(session, S, b"ubscribe\r\n$1\r\nx\r\n:1\r\n+RESET\r\n" + value(0)):
        assert answer.request is None or (answer.request.operation, answer.raw) in (
            ("RESET", b"+RESET\r\n"),
            ("GET", value(0)),
        )


def test_an_end_of_all_subscriptions_that_are_not_counted_takes_no_other_answer() -> None:
    """How many answers it has is not known where the subscriptions were lost: the next UNSUBSCRIBE is not answered as it."""
    unsubscribe = pack([b"UNSUBSCRIBE"])
    session = open_session("redis")
    for number in range(8):
        list(session.receive(C, get(number)))
        list(session.receive(S, value(number)))
    list(session.receive(C, pack([b"SUBSCRIBE", b"a"])))
    list(session.gap(S, 33))
    list(session.receive(C, pack([b"PSUBSCRIBE", b"n*"])))
    list(session.gap(S, 36))
    first = said(session, C, unsubscribe)[0]
    list(session.receive(S, array([bulk(b"unsubscribe"), bulk(b"a"), b":1\r\n"])))
    list(session.receive(C, pack([b"PUNSUBSCRIBE", b"n*"])[:9]))
    list(session.gap(C, 28))
    list(session.receive(S, array([bulk(b"punsubscribe"), bulk(b"n*"), b":0\r\n"])))
    list(session.receive(C, unsubscribe))
    answers = said(session, S, array([bulk(b"unsubscribe"), b"$-1\r\n", b":0\r\n"]))
    assert len(answers) == 1 and answers[0].request is not first


def test_a_connection_that_is_sent_what_others_ask_monitors() -> None:
    """Though the end of its command is lost: the next MONITOR is answered with nothing."""
    monitor = pack([b"MONITOR"])
    session = open_session("redis")
    list(session.receive(C, monitor[:-3]))
    list(session.gap(C, 3))
    list(session.receive(S, b"+OK\r\n"))
    list(session.receive(C, get(0)))
    list(session.receive(S, value(0) + b'+1795351562.502788 [0 127.0.0.1:55800] "GET" "key:000000"\r\n'))
    again, reset = said(session, C, monitor + pack([b"RESET"]))
    assert (again.kind, reset.kind) == (Kind.ONEWAY, Kind.REQUEST)
    assert all(answer.request is not again for answer in said(session, S, b"+RESET\r\n"))
    assert said(session, C, monitor)[0].kind is Kind.REQUEST


def test_a_large_answer_that_holds_back_commands_streams() -> None:
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    assert said(session, C, get(0)) == []
    whole = bulk(b"v" * 3_000_000)
    events = [event for at in range(0, len(whole), 100_000) for event in session.receive(S, whole[at : at + 100_000])]
    assert [type(event).__name__ for event in events[:2]] == ["RedisRequest", "RedisReply"]
    assert isinstance(events[1], Message) and events[1].more
    assert b"".join(event.raw for event in events[1:]) == whole
    assert getattr(events[-1], "more", None) is False


def test_an_endpoint_counts_no_early_answers() -> None:
    up = open_session("redis", endpoint=C)
    (stray,) = said(up, S, b"+OK\r\n")
    assert stray.request is None
    (request,) = said(open_session("redis"), C, get(0))
    up.send(request)
    assert [reply.request for reply in said(up, S, value(0))] == [request]


# In any order, in any cut.


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if "replication" not in vector.name], ids=lambda vector: vector.name
)
def test_the_order_across_directions_changes_no_pair(vector: Vector) -> None:
    session = open_session("redis")
    messages: list[Message] = []
    for sender, octets in vector.pieces:
        for event in session.receive(sender, octets):
            assert isinstance(event, Message)
            messages.append(event)
    truth = {message.offset: message.request and message.request.offset for message in messages if message.sender is S}
    for seed in range(50):
        chance = random.Random(seed)
        order = [message.sender for message in messages]
        chance.shuffle(order)
        sides = {sender: [message.raw for message in messages if message.sender is sender] for sender in Sender}
        session = open_session("redis")
        for sender in order:
            for event in session.receive(sender, sides[sender].pop(0)):
                if isinstance(event, Message) and event.request is not None:
                    assert event.request.offset == truth[event.offset], f"seed {seed}: {event!r}"


def steps_of(damage: str, seed: int) -> list[Step]:
    """What an observer of a trial is given."""
    found: list[Step] = []

    def note(truth: Truth, steps: list[Step], *_: object) -> Seen:
        found.extend(steps)
        return Seen()

    watch = losing.watch
    losing.watch = note  # type: ignore[assignment]
    try:
        losing.trial(damage, seed, 40)
    finally:
        losing.watch = watch
    return found


def outcome(steps: list[Step], size: Callable[[], int]) -> Outcome:
    session = open_session("redis")
    seen = Outcome()
    for _, sender, octets in steps:
        if sender in seen.errors:
            continue
        if isinstance(octets, int):
            seen.take(sender, session.gap(sender, octets))
            continue
        at = 0
        while at < len(octets):
            stop = at + size()
            seen.take(sender, session.receive(sender, octets[at:stop]))
            at = stop
    return seen


def order(seen: Outcome) -> list[tuple[Sender, int]]:
    return [(event.sender, event.offset) for event in seen.events if isinstance(event, Message)]


@pytest.mark.parametrize("damage", ["join", "gap", "loss"])
def test_the_cut_of_reads_changes_nothing_after_loss(damage: str) -> None:
    for seed in range(400 if FULL else 25):
        steps = steps_of(damage, seed)
        chance = random.Random(seed)
        whole = outcome(steps, lambda: 1 << 30)
        for size in (lambda: 1, partial(chance.randint, 1, 40)):
            cut = outcome(steps, size)
            assert not whole.difference(cut), f"{damage} {seed}: {whole.difference(cut)}"
            assert order(whole) == order(cut)


# What it costs.


def cost(octets: bytes, sender: Sender, step: int) -> float:
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    start = time.process_time()
    for at in range(0, len(octets), step):
        for _event in session.receive(sender, octets[at : at + step]):
            pass
    return time.process_time() - start


@pytest.mark.parametrize("step", [7, 1 << 30])
@pytest.mark.parametrize("sender", [C, S])
@pytest.mark.parametrize(
    "piece",
    [
        b"\r\n*1\r\n$3\r\nXyyyy",
        b"*1\r\n$4\r\nPING\r\n",
        b"\r\n*1000000\r\n$3\r\n",
        b"*2\r\n$-1\r\n",
        b"\r\n*",
        b"\n",
        b"\r\n*5\r\n$100\r\n",
    ],
)
def test_search_is_linear(piece: bytes, sender: Sender, step: int) -> None:
    count = (40_000 if step > 7 else 10_000) // len(piece)
    assert growth(partial(cost, sender=sender, step=step), piece * count, piece * count * 4, 8, 0.002) <= 8


def test_what_is_not_certain_costs_and_keeps_no_more() -> None:
    """Answers that never tell anything: each costs the same, and the commands that are kept are few."""

    def run(count: int) -> float:
        session = open_session("redis", limits=Limits(pending=100))
        list(session.gap(C))
        list(session.gap(S))
        start = time.process_time()
        for number in range(count):
            list(session.receive(C, get(number)))
            list(session.receive(S, value(number)))
        assert session.pending == 0
        return time.process_time() - start

    assert growth(run, 2_000, 16_000, 24) <= 24


def test_what_is_not_certain_keeps_few_octets() -> None:
    """Large commands, small ones in large reads, and commands that are held."""
    large = pack([b"SET", b"k", b"v" * 500_000])
    small = get(0) + pack([b"SET", b"k", b"v" * 60_000])
    for octets, answers in ((large, 1), (small, 2), (small, 0)):
        gc.collect()
        tracemalloc.start()
        session = open_session("redis")
        list(session.gap(C))
        list(session.gap(S))
        for number in range(300):
            for _event in session.receive(C, bytes(bytearray(octets))):
                pass
            for _event in session.receive(S, value(number) * answers):
                pass
        del _event
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert kept < 124 * (4096 + 1200) + 64 * 1024 + 2 * len(octets), (len(octets), answers, kept)


def test_errors_behind_what_is_certain_are_errors() -> None:
    session = open_session("redis")
    list(session.gap(C))
    list(session.gap(S))
    for number in range(20):
        list(session.receive(C, get(number)))
        list(session.receive(S, value(number)))
    for sender in Sender:
        with pytest.raises(ProtocolError):
            list(session.receive(sender, b"*1\r\n$3\r\nXyyyy\r\n"))


def test_behind_octets_lost_while_replies_are_off_commands_are_no_one_way_calls() -> None:
    """CLIENT REPLY ON may be among them: none of what follows is told to get no answer, and nothing waits for one."""
    session = open_session("redis")
    list(session.receive(C, SILENT[1] + get(0)))
    list(session.gap(C, 200))
    told = said(session, C, get(1)) + said(session, S, value(1)) + said(session, C, SILENT[1] + get(2))
    kinds = [message.kind.value for message in told if message.sender is C]
    assert kinds == ["request", "oneway", "oneway"]
    assert [message.request for message in told if message.sender is S] == [None]
