"""What is due when, held against a list that is looked at whole."""

import random

import l7codecs
from l7codecs import Message, Sender
from l7codecs.proxy.deadlines import Deadlines
from l7codecs.proxy.exchange import Exchange


def request() -> Message:
    session = l7codecs.open_session("redis", endpoint=Sender.SERVER)
    (message,) = session.receive(Sender.CLIENT, b"GET k\r\n")
    assert isinstance(message, Message)
    return message


def test_the_same_are_due_as_if_all_were_looked_at() -> None:
    draw = random.Random(1)
    deadlines, message, now = Deadlines(), request(), 1.0
    waiting: list[tuple[float, Exchange]] = []
    for _ in range(8_000):
        now += draw.random()
        seconds, exchange = draw.choice([1.0, 30.0, 2_000.0]), Exchange("shop", message, now)
        alone = not any(each == seconds for each, other in waiting if not other.ended)
        assert deadlines.add(exchange, seconds) is alone
        waiting.append((seconds, exchange))
        for _ in range(draw.randrange(3)):
            draw.choice(waiting)[1].ended = now
        waiting = [(each, other) for each, other in waiting if not other.ended]
        assert deadlines.next() == min([each + other.started for each, other in waiting], default=float("inf"))
        if draw.random() < 0.1:
            due = {other for each, other in waiting if each + other.started <= now}
            assert set(deadlines.due(now)) == due
            for other in due:
                other.ended = now
            waiting = [(each, other) for each, other in waiting if other not in due]


def test_one_that_waits_keeps_none_that_has_ended() -> None:
    deadlines, message = Deadlines(), request()
    deadlines.add(Exchange("shop", message, 1.0), 3600)
    for number in range(10_000):
        exchange = Exchange("shop", message, 2.0 + number)
        deadlines.add(exchange, 3600)
        exchange.ended = 3.0 + number
    assert len(deadlines) <= 1_001
    assert deadlines.next() == 3601.0
