"""Pairing against plain models of the three ways."""

from hypothesis import given
from hypothesis import strategies as st

from l7codecs import FifoPairing, Flow, IdPairing, Kind, Message, Pairing, Sender, StreamPairing, new_pairing

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
