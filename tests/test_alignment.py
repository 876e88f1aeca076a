"""How many requests wait after loss, against a model that knows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Flow, Kind, Message, Sender
from l7codecs.pairing.alignment import ANY_SHAPE, BEYOND, SHAPES, SPAN, Alignment

FLOW = Flow("example")


def ask(number: int) -> Message:
    return Message(FLOW, Sender.CLIENT, Kind.REQUEST, number, b"", 0, 0)


class Model:
    """A client and a server that are heard from some moment on."""

    def __init__(self, waiting: list[int], shapes: int) -> None:
        self.waiting: list[tuple[int, int]] = [(-1, shape) for shape in waiting]
        """Number and shape of what waits; -1 for what was not heard."""
        self.shapes = shapes
        self.number = 0

    def ask(self, alignment: Alignment, shape: int) -> None:
        self.waiting.append((self.number, shape))
        alignment.asked(ask(self.number), 1 << shape)
        self.number += 1

    def answer(self, alignment: Alignment) -> None:
        _, shape = self.waiting.pop(0)
        alignment.answered(shape)

    def check(self, alignment: Alignment) -> bool:
        """What is called certain is so; returns whether something is."""
        count = alignment.certain()
        if count < 0:
            return False
        assert [message.offset for message in alignment.latest(count)] == [number for number, _ in self.waiting]
        return True


@given(st.integers(0, 2**32), st.integers(0, 8), st.integers(1, 6), st.integers(1, 5))
def test_what_is_proven_is_so(seed: int, lost: int, window: int, shapes: int) -> None:
    """So many were lost at most: a count that is left is proven, whatever the shapes."""
    chance = random.Random(seed)
    model = Model([chance.randrange(shapes) for _ in range(chance.randint(0, lost))], shapes)
    alignment = Alignment()
    alignment.begin(lost)
    for _ in range(100):
        if len(model.waiting) < window and (not model.waiting or chance.random() < 0.5):
            model.ask(alignment, chance.randrange(shapes))
        elif model.waiting:
            model.answer(alignment)
        if model.check(alignment):
            return


@given(st.integers(0, 2**32), st.integers(0, 16))
def test_what_is_believed_after_a_join_is_so(seed: int, before: int) -> None:
    """With up to 16 waiting, and answers that differ, it is certain after some dozens, and right."""
    chance = random.Random(seed)
    model = Model([chance.randrange(4) for _ in range(before)], 4)
    alignment = Alignment()
    alignment.begin(-1)
    for _ in range(200):
        model.ask(alignment, chance.randrange(4))
        model.answer(alignment)
        if model.check(alignment):
            assert model.number >= BEYOND
            return
    raise AssertionError("never certain")


def test_answers_that_are_all_alike_prove_nothing() -> None:
    for before in (0, 1, 2):
        model = Model([0] * before, 1)
        alignment = Alignment()
        alignment.begin(-1)
        for _ in range(5000):
            model.ask(alignment, 0)
            model.answer(alignment)
            assert not model.check(alignment)


def test_a_cycle_is_never_taken_for_another_turn_of_it() -> None:
    """Of commands that repeat every `period`, a client that is a whole turn ahead looks the same."""
    for period in range(1, 17):
        model = Model([index % period for index in range(period)], period)
        alignment = Alignment()
        alignment.begin(-1)
        for index in range(2000):
            model.ask(alignment, index % period % SHAPES)
            _, shape = model.waiting.pop(0)
            alignment.answered(shape % SHAPES)
            assert not model.check(alignment)


def test_as_many_answers_as_could_be_due() -> None:
    alignment = Alignment()
    alignment.begin(2)
    for number in range(2):
        alignment.asked(ask(number), 1)
    for _ in range(3):
        alignment.answered(ANY_SHAPE)
        assert alignment.certain() < 0
    alignment.answered(ANY_SHAPE)
    assert alignment.certain() == 0


def test_what_contradicts_itself_begins_anew() -> None:
    alignment = Alignment()
    alignment.begin(0)
    alignment.asked(ask(0), 1)
    alignment.answered(1)
    assert alignment.certain() < 0
    for _ in range(3 * SPAN):
        alignment.answered(1)
        assert alignment.certain() < 0


@given(
    st.lists(st.sampled_from(["ask", "answer", "any", "widen", "lessen", "join"]), max_size=400), st.integers(0, 2**32)
)
def test_no_misuse_breaks_it(steps: list[str], seed: int) -> None:
    chance = random.Random(seed)
    alignment = Alignment()
    for number, step in enumerate(steps):
        if step == "ask":
            alignment.asked(ask(number), chance.randrange(1 << SHAPES))
        elif step == "answer":
            alignment.answered(chance.randrange(SHAPES))
        elif step == "any":
            alignment.answered(ANY_SHAPE)
        elif step == "widen":
            alignment.widen(chance.choice((-1, 0, 1, 5, 61, 62, 10**6, 2**61)))
        elif step == "lessen":
            alignment.lessen()
        else:
            alignment.begin(chance.choice((-1, 0, 5, 61, 62, 2**61)))
        count = alignment.certain()
        assert count < 0 or len(alignment.latest(count)) == count


def test_no_more_is_kept_than_is_needed() -> None:
    alignment = Alignment()
    for number in range(10_000):
        alignment.asked(ask(number), 1)
        assert len(alignment.latest(SPAN)) == min(number + 1, SPAN)
    assert len(alignment.latest(10**6)) < 2 * SPAN
