"""Several observers as one: what one raises hurts only itself."""

import l7codecs
from l7codecs import Message, Sender
from l7codecs.proxy.exchange import Exchange
from l7codecs.proxy.observing import Observer, Observers


def request() -> Message:
    session = l7codecs.open_session("redis", endpoint=Sender.SERVER)
    (message,) = session.receive(Sender.CLIENT, b"GET k\r\n")
    assert isinstance(message, Message)
    return message


class Counting(Observer):
    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self.seen: list[object] = []
        self.headers = headers
        self.wants_begun = headers is not None

    def begun(self, exchange: Exchange) -> dict[str, str] | None:
        self.seen.append("begun")
        return self.headers

    def ended(self, exchange: Exchange) -> None:
        self.seen.append(exchange)


class Broken(Observer):
    def ended(self, exchange: Exchange) -> None:
        raise KeyError("oh")


def test_a_broken_observer_is_dropped_and_told_of_once() -> None:
    counting = Counting()
    observers = Observers([Broken(), counting])
    exchange = Exchange("shop", request(), 1.5)
    observers.ended(exchange)
    observers.ended(exchange)
    assert counting.seen == [exchange, exchange]
    assert observers.failed == ["Broken is dropped: KeyError: 'oh'"]


def test_only_who_wants_is_asked_for_headers() -> None:
    first, second, third = Counting({"a": "1", "b": "1"}), Counting(), Counting({"b": "2"})
    observers = Observers([first, second, third])
    assert observers.wants_begun
    assert observers.begun(Exchange("shop", request(), 1.5)) == {"a": "1", "b": "2"}
    assert (first.seen, second.seen, third.seen) == (["begun"], [], ["begun"])
    assert not Observers([second]).wants_begun


def test_an_exchange_counts_from_its_request() -> None:
    exchange = Exchange("shop", request(), 1.5)
    assert (exchange.protocol, exchange.request_octets, exchange.duration) == ("redis", 7, 0.0)
    exchange.ended = 2.0
    assert exchange.duration == 0.5
