"""Pairing against plain models of the three ways."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import (
    FifoPairing,
    Flow,
    FramedDecoder,
    IdPairing,
    Kind,
    Message,
    Pairing,
    Protocol,
    Sender,
    StreamPairing,
    new_pairing,
)

FLOW = Flow("example")


class Numbered(Message):
    """A message with a number, as a plugin would make one."""

    def __init__(self, sender: Sender, number: int) -> None:
        super().__init__(FLOW, sender, Kind.REQUEST, 0, b"", 0, 0)
        self.number = number

    @property
    def request_id(self) -> int | None:
        return self.number

    @property
    def stream_id(self) -> int | None:
        return self.number


def ask(number: int) -> Numbered:
    return Numbered(Sender.CLIENT, number)


def answer(number: int) -> Numbered:
    return Numbered(Sender.SERVER, number)


@given(st.lists(st.booleans(), max_size=400), st.integers(1, 40))
def test_fifo(asks: list[bool], limit: int) -> None:
    """True asks, False answers; past the limit the oldest is forgotten, but keeps its place."""
    table = FifoPairing(limit)
    model: list[Message | None] = []
    for number, asking in enumerate(asks):
        if asking:
            model.append(ask(number))
            table.asked(model[-1])
            kept = [index for index, item in enumerate(model) if item is not None]
            if len(kept) > limit:
                model[kept[0]] = None
        else:
            expected = model.pop(0) if model else None
            assert table.head() is expected
            assert table.answered(answer(0)) is expected
        assert table.pending == sum(item is not None for item in model) <= limit


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=200), st.integers(1, 10))
def test_by_id(steps: list[tuple[bool, int]], limit: int) -> None:
    table = IdPairing(limit)
    model: dict[int, list[Message]] = {}
    for asking, number in steps:
        if asking:
            request = ask(number)
            model.setdefault(number, []).append(request)
            table.asked(request)
            if sum(map(len, model.values())) > limit:
                oldest = next(iter(model))
                model[oldest].pop(0)
                model = {key: items for key, items in model.items() if items}
        else:
            waiting = model.get(number)
            expected = waiting.pop(0) if waiting else None
            if waiting == []:
                del model[number]
            assert table.answered(answer(number)) is expected
        assert table.pending == sum(map(len, model.values())) <= limit


def test_by_stream() -> None:
    table = StreamPairing(2)
    first, second, third = ask(1), ask(3), ask(5)
    table.asked(first)
    table.asked(second)
    assert table.answered(answer(1)) is first
    assert table.answered(answer(1)) is first
    table.close(1)
    assert table.answered(answer(1)) is None
    table.asked(third)
    table.asked(ask(7))
    assert table.answered(answer(3)) is None
    assert table.forgotten == 1


def test_nothing_is_paired_where_nothing_is_declared() -> None:
    table = new_pairing(Pairing.NONE, 10)
    table.asked(ask(1))
    assert table.answered(answer(1)) is None
    assert table.pending == 0


@given(st.lists(st.booleans(), max_size=400))
def test_fifo_with_answers_that_come_early(asks: list[bool]) -> None:
    """The n-th answer answers the n-th request, whichever is seen first; in time, only the order of each side counts."""
    table = FifoPairing(1000)
    requests: list[Message] = []
    answers = 0
    for asking in asks:
        if asking:
            requests.append(ask(len(requests)))
            table.asked(requests[-1])
        elif table.pending == 0:
            table.came_early()
            answers += 1
        else:
            assert table.answered(answer(0)) is requests[answers]
            answers += 1
        assert table.pending == max(0, len(requests) - answers)
        assert table.ahead == max(0, answers - len(requests))


def test_fifo_counts_turns() -> None:
    table = FifoPairing(10)
    for number in range(5):
        assert table.turns == number
        table.asked(ask(number))
        table.answered(answer(0))
    table.asked(ask(6))
    table.asked(ask(7))
    assert table.turns < 0
    table.answered(answer(0))
    table.answered(answer(0))
    assert table.turns < 0, "not at once"


def test_fifo_forgets_early_answers_past_the_limit_and_when_told() -> None:
    table = FifoPairing(3)
    for _ in range(5):
        table.came_early()
    assert table.ahead == 3
    table.forget_early()
    table.asked(ask(1))
    assert table.pending == 1
    table.clear()
    table.came_early()
    table.lose()
    assert table.ahead == 0


# --------------------------------------------------------------------- what any plugin of a protocol by order does after loss


class Echo(FramedDecoder):
    """kind(1) number(1): a request, or the answer to that of the same number, which nothing but the test looks at."""

    header_size = 2

    def frame_size(self, data: bytes, at: int) -> int:
        return 2

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind = Kind.REQUEST if octets[start] == 0x3F else Kind.RESPONSE
        return Message(self.flow, self.sender, kind, offset, octets, start, stop, more)

    def boundary(self, octets: bytes) -> int:
        found = [at for at in range(len(octets)) if octets[at] in b"?!"]
        return found[0] if found else -1 - len(octets)


ECHO = Protocol(name="echo", title="Echo", decoder=Echo, attributes=(), pairing=Pairing.FIFO)


def talked(window: int, chance: random.Random, joined: bool) -> tuple[int, int, int]:
    """Wrong pairs, right pairs, and answers, of a client that asks up to `window` at once, whose octets are lost now and then."""
    observer = ECHO.open()
    wrong = right = answers = 0
    if joined:
        for sender in Sender:
            list(observer.gap(sender))
    waiting: list[int] = []
    numbers = itertools.cycle(range(200))
    for step in range(400):
        asks = len(waiting) < window and (not waiting or chance.random() < 0.6)
        if asks:
            waiting.append(next(numbers))
        sender, octets = (Sender.CLIENT, b"?%c" % waiting[-1]) if asks else (Sender.SERVER, b"!%c" % waiting.pop(0))
        if step >= 20 and chance.random() < 0.01:
            list(observer.gap(sender, 2))
            continue
        for event in observer.receive(sender, octets):
            if isinstance(event, Message) and event.sender is Sender.SERVER:
                answers += 1
                if event.request is not None:
                    same = event.request.raw[1] == event.raw[1]
                    right += same
                    wrong += not same
    return wrong, right, answers


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("window", [1, 2, 3, 16])
def test_after_loss_nothing_rather_than_something_wrong(window: int, joined: bool) -> None:
    right = answers = 0
    for seed in range(100):
        wrong, paired, told = talked(window, random.Random(seed), joined)
        assert wrong == 0, seed
        right += paired
        answers += told
    if window == 1 and not joined:
        assert right > 0.95 * answers
    if joined:
        assert right == 0, "how many waited cannot be known"


def test_an_answer_before_its_request_costs_one_pair() -> None:
    observer = ECHO.open()
    list(observer.receive(Sender.SERVER, b"!\1"))
    first, second = (event for event in observer.receive(Sender.CLIENT, b"?\1?\2") if isinstance(event, Message))
    assert observer.pending == 1
    (answer,) = (event for event in observer.receive(Sender.SERVER, b"!\2") if isinstance(event, Message))
    assert answer.request is second and first is not second


def test_an_endpoint_counts_no_answer_ahead() -> None:
    upstream = ECHO.open(endpoint=Sender.CLIENT)
    list(upstream.receive(Sender.SERVER, b"!\1"))
    (request,) = (event for event in ECHO.open().receive(Sender.CLIENT, b"?\2") if isinstance(event, Message))
    upstream.send(request)
    (answer,) = (event for event in upstream.receive(Sender.SERVER, b"!\2") if isinstance(event, Message))
    assert answer.request is request


class Named(Message):
    """A message with a text in place of a number."""

    def __init__(self, name: str | bytes | int) -> None:
        super().__init__(FLOW, Sender.CLIENT, Kind.REQUEST, 0, b"", 0, 0)
        self.name = name

    @property
    def request_id(self) -> str | bytes | int | None:
        return self.name


def test_ids_may_be_text() -> None:
    table = IdPairing(3)
    requests = [Named(name) for name in (b"inbox.1", "inbox.1", 1)]
    for request in requests:
        table.asked(request)
    assert [table.answered(Named(name)) for name in (1, b"inbox.1", b"inbox.1", "inbox.1")] == [
        requests[2],
        requests[0],
        None,
        requests[1],
    ]
    for name in (b"a", b"b", b"c", b"d"):
        table.asked(Named(name))
    assert (table.forgotten, table.answered(Named(b"a")), table.pending) == (1, None, 3)


@pytest.mark.parametrize("unique", [False, True])
def test_numbers_that_never_come_again_survive_a_loss(unique: bool) -> None:
    table = IdPairing(3, unique=unique)
    requests = [ask(number) for number in (1, 2, 3, 4)]
    for request in requests:
        table.asked(request)
    table.lose()
    expected = [None, *requests[1:]] if unique else [None] * 4
    assert table.pending == (3 if unique else 0)
    assert [table.answered(answer(number)) for number in (1, 2, 3, 4)] == expected


def test_an_answer_that_is_seen_before_its_request_takes_no_later_one() -> None:
    """Where numbers come again at once: what answered 1 early is not the answer of the request 1 that waits."""
    table = IdPairing(3, reused=True)
    first, second = ask(1), ask(1)
    assert table.answered(answer(1)) is None
    table.asked(first)
    assert (table.pending, table.answered(answer(2))) == (0, None)
    table.asked(second)
    assert table.answered(answer(1)) is second
    table.lose()  # from here on what is not known may have answered what was lost
    assert table.answered(answer(1)) is None
    table.asked(first)
    assert table.answered(answer(1)) is first


def test_a_number_that_is_asked_again_behind_a_loss() -> None:
    """The first of them may have been answered by what was lost: the next answer is nobody's, and what comes then is certain again."""
    for reused in (False, True):
        table = IdPairing(9, reused=reused)
        table.lose()
        first, second, third = ask(1), ask(1), ask(1)
        table.asked(first)
        table.asked(second)
        assert (table.pending, table.waiting()) == (1, [second])
        assert (table.answered(answer(1)), table.pending) == (None, 0)
        table.asked(third)
        assert table.answered(answer(1)) is third


def test_what_was_asked_while_answers_were_passed_over() -> None:
    for reused in (False, True):
        table = IdPairing(9, reused=reused)
        first = ask(1)
        table.lose()
        table.asked(first)
        table.resume()
        assert table.answered(answer(1)) is (None if reused else first)


def test_answers_to_nothing_are_counted_within_the_limit() -> None:
    table = IdPairing(3, reused=True)
    for number in range(1, 6):
        assert table.answered(answer(number)) is None
    request = ask(1)
    table.asked(request)
    assert table.answered(answer(1)) is request


@given(st.integers(0, 10_000), st.booleans())
def test_what_waits_in_order_of_answers(seed: int, shuffled: bool) -> None:
    """Whoever asks what waits is told by place where one client asked, and by an index where several did."""
    chance = random.Random(seed)
    table = FifoPairing(1000)
    offsets = sorted(chance.randrange(500) for _ in range(60))
    if shuffled:
        chance.shuffle(offsets)
    asked = [Message(FLOW, Sender.CLIENT, Kind.REQUEST, offset, b"", 0, 0) for offset in offsets]
    waiting: list[Message] = []
    for request in asked:
        table.asked(request)
        waiting.append(request)
        while waiting and chance.random() < 0.4:
            assert table.pop() is waiting.pop(0)
        for each in chance.sample(asked, 3):
            assert table.waits(each) is any(each is other for other in waiting)
