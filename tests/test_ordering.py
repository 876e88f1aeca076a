"""Answers in the order of the requests, with a toy protocol that pairs by order, against a plain model."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import (
    AnswerOrder,
    Data,
    FifoPairing,
    Flow,
    IdPairing,
    Kind,
    LimitExceeded,
    Limits,
    Message,
    PairingTable,
    Sender,
    StreamPairing,
)
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.testing import growth

FLOW = Flow("toy")


class Ask(Message):
    """A request with a number, which is its stream too."""

    def __init__(self, number: int) -> None:
        super().__init__(FLOW, Sender.CLIENT, Kind.REQUEST, number, b"", 0, 0)
        self.number = number

    @property
    def request_id(self) -> int | None:
        return self.number

    @property
    def stream_id(self) -> int | None:
        return self.number


def reply(octets: bytes, more: bool = False, kind: Kind = Kind.RESPONSE) -> Message:
    return Message(FLOW, Sender.SERVER, kind, 0, octets, 0, len(octets), more)


class Toy:
    """The side that writes to a client: requests are numbers, answers are octets."""

    def __init__(self, requests: int, limits: Limits | None = None, strict: bool = True) -> None:
        limits = limits or Limits()
        self.waiting = FifoPairing(limits.pending, strict)
        self.order = AnswerOrder(self.waiting, limits)
        self.requests = [Ask(number) for number in range(requests)]
        for request in self.requests:
            self.waiting.asked(request)

    def answer(self, number: int, octets: bytes) -> bytes:
        return self.order.answer(self.requests[number], reply(octets), octets)

    def begin(self, number: int, octets: bytes) -> tuple[Message, bytes]:
        head = reply(octets, more=True)
        return head, self.order.answer(self.requests[number], head, octets)

    def rest(self, head: Message, octets: bytes, more: bool = False) -> bytes:
        return self.order.rest(Data(head, 0, octets, more))

    def push(self, octets: bytes) -> bytes:
        return self.order.push(reply(octets, kind=Kind.PUSH), octets)


def test_an_early_answer_waits() -> None:
    toy = Toy(3)
    assert toy.answer(2, b"c") == toy.answer(1, b"b") == b""
    assert toy.order.queued == 2
    assert toy.answer(0, b"a") == b"abc"
    assert toy.order.queued == toy.waiting.pending == 0


def test_a_late_answer_is_dropped_whole_and_in_pieces() -> None:
    toy = Toy(3)
    assert toy.answer(0, b"here") == b"here"
    head, written = toy.begin(0, b"late")
    assert written == b""
    assert toy.answer(1, b"b") == b"b"
    assert toy.rest(head, b"-and-more", more=True) == toy.rest(head, b"-end") == b""
    assert toy.answer(2, b"c") == b"c"
    assert toy.answer(2, b"again") == b""
    assert toy.order.queued == 0


def test_an_answer_that_waits_in_part_is_replaced_and_its_rest_is_late() -> None:
    toy = Toy(2)
    head, written = toy.begin(1, b"half")
    assert written == b"" and not toy.order.holds(toy.requests[1])
    assert toy.order.replace(toy.requests[1], reply(b"lost"), b"lost") == b""
    assert toy.order.holds(toy.requests[1])
    assert toy.rest(head, b"other half") == b""
    assert toy.order.queued == 4
    assert toy.answer(0, b"a") == b"alost"


def test_nothing_interrupts_an_answer_that_streams() -> None:
    toy = Toy(3)
    head, written = toy.begin(0, b"a")
    assert written == b"a"
    early, _ = toy.begin(1, b"b")
    assert toy.push(b"!") == toy.answer(2, b"c") == toy.rest(early, b"B", more=True) == b""
    assert toy.rest(head, b"A") == b"A!bB"
    assert toy.push(b"?") == b""
    assert toy.rest(early, b".") == b".?c"


def test_a_push_that_streams_is_not_interrupted_either() -> None:
    toy = Toy(1)
    first, second = reply(b"p", True, Kind.PUSH), reply(b"q", True, Kind.PUSH)
    assert toy.order.push(first, b"p") == b"p"
    assert toy.order.push(second, b"q") == toy.answer(0, b"a") == b""
    assert toy.rest(second, b"Q") == b""
    assert toy.rest(first, b"P") == b"PqQa"


def test_what_is_paused_comes_later_in_its_order() -> None:
    toy = Toy(3)
    toy.order.paused = True
    assert toy.answer(0, b"a") == toy.push(b"!") == toy.answer(2, b"c") == toy.order.output() == b""
    assert toy.order.queued == 3
    toy.order.paused = False
    assert toy.order.output() == b"a!" and toy.order.output() == b""
    assert toy.answer(1, b"b") == b"bc"


def test_past_the_limit_of_octets_it_is_full_and_then_refuses() -> None:
    toy = Toy(10, Limits(queued=10))
    toy.answer(1, b"123456789")
    assert not toy.order.full
    toy.answer(2, b"0")
    assert toy.order.full and toy.order.queued == 10
    toy.answer(3, b"x" * 70)  # 8 times the limit
    with pytest.raises(LimitExceeded, match=r"limits\.queued") as raised:
        toy.answer(4, b"x")
    with pytest.raises(LimitExceeded) as again:
        toy.answer(0, b"a")
    assert again.value is raised.value


def test_a_paused_transport_has_the_same_limit() -> None:
    toy = Toy(100, Limits(queued=10))
    toy.order.paused = True
    for number in range(8):
        assert toy.answer(number, b"0123456789") == b""
    assert toy.order.full
    with pytest.raises(LimitExceeded):
        toy.answer(8, b"0")


def test_a_strict_table_never_forgets() -> None:
    toy = Toy(80, Limits(pending=10))
    assert toy.waiting.full and toy.waiting.exhausted and toy.waiting.forgotten == 0
    with pytest.raises(LimitExceeded, match=r"limits\.pending"):
        toy.waiting.asked(Ask(80))
    assert toy.waiting.pending == 80 and toy.waiting.waiting() == toy.requests
    for number in reversed(range(1, 80)):
        assert toy.answer(number, b"%d " % number) == b""
    assert toy.answer(0, b"0 ") == b"".join(b"%d " % number for number in range(80))


def test_a_table_that_forgot_refuses_rather_than_to_reorder() -> None:
    toy = Toy(3, Limits(pending=2), strict=False)
    assert toy.answer(2, b"c") == b""
    with pytest.raises(LimitExceeded, match="endpoint"):
        toy.answer(0, b"a")


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.sampled_from(["answer", "begin", "rest", "push", "pause"]), st.integers(0, 11)), max_size=60),
)
def test_against_a_model(count: int, steps: list[tuple[str, int]]) -> None:
    """The written answers are the first answer to each request, in the order of the requests, as far as none is missing."""
    toy = Toy(count)
    first: dict[int, list[bytes]] = {}
    open_heads: dict[int, Message] = {}
    late: list[Message] = []
    pushed = 0
    written = b""
    for step, (what, number) in enumerate(steps):
        octets = b"<%d:%d>" % (number, step)
        if what == "push":
            written += toy.push(b"!")
            pushed += 1
        elif what == "pause":
            toy.order.paused = not toy.order.paused
            written += toy.order.output()
        elif number >= count:
            if late:
                written += toy.rest(late[number % len(late)], b"LATE", more=True)
        elif what == "answer" and number not in first:
            first[number] = [octets]
            written += toy.answer(number, octets)
        elif what == "begin" and number not in first:
            first[number] = [octets]
            open_heads[number], now = toy.begin(number, octets)
            written += now
        elif what == "rest" and number in open_heads:
            first[number].append(octets)
            written += toy.rest(open_heads[number], octets, more=step % 2 == 0)
            if step % 2:
                del open_heads[number]
        elif what == "begin" and number not in open_heads and toy.waiting.pending < count - number:
            head, now = toy.begin(number, b"LATE")  # its request was answered and written
            late.append(head)
            written += now
    toy.order.paused = False
    written += toy.order.output()
    expected = b""
    pushes_due = pushed
    for number in range(count):
        expected += b"".join(first.get(number, []))
        if number not in first or number in open_heads:
            pushes_due = written.count(b"!") if number in open_heads else pushed
            break
    assert written.replace(b"!", b"") == expected
    assert written.count(b"!") == pushes_due
    if toy.order.queued == 0:
        assert toy.order.output() == b""


# Growth: four times as much takes about four times as long; the square of it would be sixteen.


def refused_behind_waiting(count: int) -> None:
    toy = Toy(count * 2, Limits(pending=count * 2))
    for number in range(count, count * 2):
        toy.answer(number, b"no")
    written = [toy.answer(number, b"ok") for number in range(count)]
    assert b"".join(written) == b"ok" * count + b"no" * count


def late_behind_waiting(count: int) -> None:
    toy = Toy(count, Limits(pending=count))
    for number in range(count // 2):
        toy.answer(number, b"x")
    for number in range(count // 2):
        assert toy.answer(number, b"late") == b""


def pieces_of_an_early_answer(count: int) -> None:
    toy = Toy(2)
    head, _ = toy.begin(1, b"b")
    for _ in range(count):
        toy.rest(head, b"b", more=True)
    toy.rest(head, b"b")
    assert len(toy.answer(0, b"a")) == count + 3


def pushes_behind_an_answer(count: int) -> None:
    toy = Toy(1)
    head, _ = toy.begin(0, b"a")
    for _ in range(count):
        toy.push(b"p")
    assert len(toy.rest(head, b"a")) == count + 1


def paused_answers(count: int) -> None:
    toy = Toy(count, Limits(pending=count))
    toy.order.paused = True
    for number in range(count):
        toy.answer(number, b"x")
    toy.order.paused = False
    assert len(toy.order.output()) == count


def questions_between(count: int) -> None:
    table = FifoPairing(count)
    requests = [Ask(number) for number in range(count)]
    for request in requests:
        table.asked(request)
        assert table.waits(request)
    for request in requests:
        assert table.answered(request) is request
        assert not table.waits(request)


def forgetting(table: PairingTable, count: int) -> None:
    for number in range(count):
        table.asked(Ask(number))
    assert table.forgotten == count - count // 4


def same_number(count: int) -> None:
    table = IdPairing(count)
    for _ in range(count):
        table.asked(Ask(7))
    for _ in range(count):
        assert table.answered(Ask(7)) is not None


@pytest.mark.parametrize(
    "run",
    [
        refused_behind_waiting,
        late_behind_waiting,
        pieces_of_an_early_answer,
        pushes_behind_an_answer,
        paused_answers,
        questions_between,
        same_number,
        pytest.param(lambda count: forgetting(FifoPairing(count // 4), count), id="forgetting, by order"),
        pytest.param(lambda count: forgetting(IdPairing(count // 4), count), id="forgetting, by number"),
        pytest.param(lambda count: forgetting(StreamPairing(count // 4), count), id="forgetting, by stream"),
    ],
)
def test_every_operation_is_linear(run: Callable[[int], None]) -> None:
    def seconds(count: int) -> float:
        start = time.process_time()
        run(count)
        return time.process_time() - start

    assert growth(seconds, 10_000, 80_000, 24) <= 24


class Numbered:
    """As `Toy`, with requests of these numbers, which tell what is answered."""

    def __init__(self, numbers: list[int]) -> None:
        self.waiting = StrictPairing(Limits(), 32, False, False, True, True)
        self.order = AnswerOrder(self.waiting, Limits())
        self.requests = [Ask(number) for number in numbers]
        for request in self.requests:
            self.waiting.asked(request)

    def answer(self, index: int, octets: bytes) -> bytes:
        message = reply(octets)
        message.request = self.requests[index]
        return self.order.answer(self.requests[index], message, octets)


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=8).flatmap(
        lambda n: st.tuples(st.just(n), st.permutations(range(len(n))))
    )
)
def test_answers_to_one_number_are_written_in_the_order_of_its_requests(case: tuple[list[int], list[int]]) -> None:
    numbers, turns = case
    toy = Numbered(numbers)
    written = b""
    answered: set[int] = set()
    for index in turns:
        written += toy.answer(index, bytes((index,)))
        answered.add(index)
        for number in set(numbers):
            mine = [each for each, own in enumerate(numbers) if own == number]
            ready = next((place for place, each in enumerate(mine) if each not in answered), len(mine))
            assert [each for each in written if numbers[each] == number] == mine[:ready]
    assert toy.order.queued == toy.waiting.pending == 0 and len(written) == len(numbers)


def test_an_answer_that_waits_for_another_of_its_number_may_stream_and_be_replaced() -> None:
    toy = Numbered([7, 7, 7, 8])
    head = reply(b"b", more=True)
    head.request = toy.requests[1]
    assert toy.order.answer(toy.requests[1], head, b"b") == toy.answer(2, b"c") == b""
    assert toy.order.rest(Data(head, 0, b"B", True)) == b""
    assert toy.order.replace(toy.requests[2], reply(b"!"), b"!") == b""
    assert toy.answer(3, b"d") == b"d"
    assert toy.answer(0, b"a") == b"abB"
    assert toy.answer(3, b"late") == b"" and toy.order.queued == 1
    assert toy.order.rest(Data(head, 0, b".", False)) == b".!"
    assert toy.order.queued == toy.waiting.pending == 0


def test_what_may_never_be_answered_keeps_nobody_of_its_number_waiting() -> None:
    toy = Numbered([7, 7, 7, 9])
    assert toy.answer(2, b"c") == toy.answer(1, b"b") == b""
    toy.waiting.doubt(toy.requests[0])
    assert toy.answer(3, b"d") == b"dbc"
    assert toy.answer(0, b"a") == b"a"


def test_a_number_that_stands_costs_no_more_than_one_that_moves() -> None:
    def seconds(count: int) -> float:
        toy = Numbered([0] * count)
        start = time.process_time()
        for index in reversed(range(count)):
            toy.answer(index, b"x")
        return time.process_time() - start

    assert growth(seconds, 4000, 32_000, 24) <= 24
