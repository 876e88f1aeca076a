"""Requests that may be answered, and several ways of pairing on one connection."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Flow, Kind, LanePairing, Message, QuietPairing, RequestId, Sender
from l7codecs.testing.growth import growth

FLOW = Flow("example")


class Asked(Message):
    """A request of one `form`, quiet or not, perhaps with a token; or an answer."""

    def __init__(self, form: str, quiet: bool = False, token: str = "", octets: bytes = b"") -> None:
        super().__init__(FLOW, Sender.CLIENT, Kind.REQUEST, 0, octets, 0, len(octets))
        self.form = form
        self.quiet = quiet
        self.token = token

    @property
    def request_id(self) -> RequestId | None:
        return self.token or None


def quiet(request: Message) -> bool:
    assert isinstance(request, Asked)
    return request.quiet


def fits(request: Message, answer: Message) -> int:
    assert isinstance(request, Asked) and isinstance(answer, Asked)
    if request.token != answer.token:
        return 0
    return int(request.form == answer.form) * (2 if answer.token else 1)


def new_table(limit: int) -> QuietPairing:
    return QuietPairing(limit, quiet, fits)


def ask(table: QuietPairing, *forms: str) -> list[Asked]:
    """``get`` asks, ``get?`` may stay silent, ``get?t`` has the token t."""
    found = []
    for form in forms:
        name, quiet, token = form.partition("?")
        found.append(Asked(name, bool(quiet), token))
        table.asked(found[-1])
    return found


def test_in_order_where_all_are_answered() -> None:
    table = new_table(10)
    a, b = ask(table, "get", "get")
    assert [table.answered(Asked("get")) for _ in range(2)] == [a, b]
    assert table.pending == 0


def test_who_stays_silent_is_passed_over() -> None:
    table = new_table(10)
    a, _, c, end = ask(table, "get?1", "get?2", "get?3", "noop")
    assert table.waiting()[0] is a
    assert table.answered(Asked("get", token="3")) is c
    assert table.answered(Asked("noop")) is end
    (later,) = ask(table, "get")
    assert table.answered(Asked("get")) is later


def test_what_is_uncertain_pairs_with_nothing_until_something_is_certain() -> None:
    table = new_table(10)
    _, _, end, after = ask(table, "get?", "get?", "noop", "get")
    assert table.answered(Asked("get")) is None, "of the first or of the second"
    assert table.answered(Asked("noop")) is end
    assert table.answered(Asked("get")) is after


def test_what_ends_a_run_ends_that_one() -> None:
    table = new_table(10)
    _, _, end, _, _, other = ask(table, "get?", "get?", "noop", "get?", "get?", "noop")
    assert table.answered(Asked("get")) is None
    assert table.answered(Asked("noop")) is end
    assert table.answered(Asked("get")) is None
    assert table.answered(Asked("noop")) is other


@pytest.mark.parametrize("count", [62, 63, 64, 65, 66, 200])
def test_a_long_run_of_which_only_the_first_fits(count: int) -> None:
    """Where more would have to be looked at than is worth it, the answer pairs with nothing."""
    table = new_table(1_000)
    (first,) = ask(table, "get?")
    ask(table, *["set?"] * count)
    assert table.answered(Asked("get")) is (first if count < 63 else None)
    (end,) = ask(table, "noop")
    assert table.answered(Asked("noop")) is end


def test_an_uncertain_answer_may_be_of_one_that_is_never_silent() -> None:
    table = new_table(10)
    _, b, end = ask(table, "get?", "get", "noop")
    assert table.answered(Asked("get")) is None
    # Had it been of the first, this were of the second; nothing else is left.
    assert table.answered(Asked("get")) is b
    assert table.answered(Asked("noop")) is end


def test_what_fits_nothing_ends_the_certainty() -> None:
    table = new_table(10)
    ask(table, "get", "get")
    assert table.answered(Asked("noop")) is None
    ask(table, "get")
    assert (table.answered(Asked("get")), table.pending) == (None, 0)


def test_a_client_that_takes_turns_pairs_on_after_a_loss() -> None:
    table = new_table(10)
    for _ in range(5):
        (request,) = ask(table, "get")
        assert table.answered(Asked("get")) is request
    ask(table, "get")
    table.lose()
    (request,) = ask(table, "get")
    assert table.answered(Asked("get")) is request
    ask(table, "get", "get")
    assert table.answered(Asked("get")) is None


def test_an_answer_before_its_request() -> None:
    table = new_table(10)
    assert table.answered(Asked("get")) is None
    _, second = ask(table, "get", "get")
    assert table.answered(Asked("get")) is second


def test_past_the_limit_the_oldest_is_forgotten() -> None:
    table = new_table(2)
    _, b, c = ask(table, "get", "get", "noop")
    assert (table.forgotten, table.pending) == (1, 2)
    assert [table.answered(Asked("get")), table.answered(Asked("get")), table.answered(Asked("noop"))] == [None, b, c]
    table = new_table(2)
    ask(table, "get?", "get", "get")
    assert (table.answered(Asked("get")), table.pending) == (None, 0), "how many answers come is not known"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_no_answer_pairs_with_a_wrong_request(asked: list[tuple[bool, bool]]) -> None:
    """A server that knows who stays silent; a noop ends it, which is certain whatever was before."""
    table = new_table(100)
    requests = []
    for quiet, silent in asked:
        (request,) = ask(table, "get?" if quiet else "get")
        requests.append((request, quiet and silent))
    (end,) = ask(table, "noop")
    for request, silent in requests:
        if not silent:
            assert table.answered(Asked("get")) in (request, None)
    assert table.answered(Asked("noop")) is end
    assert table.pending == 0


@pytest.mark.parametrize("form", ["get?", "get?x", "get"])
def test_it_costs_linear_time(form: str) -> None:
    def cost(count: int) -> float:
        table = new_table(100_000)
        for number in range(count):
            ask(table, form.replace("x", str(number)))
        start = time.process_time()
        for number in range(count):
            table.answered(Asked("get", token=str(number) if "x" in form else ""))
        return time.process_time() - start

    assert growth(cost, 1_000, 4_000, 8) <= 8


def test_what_waits_lets_go_of_its_reads() -> None:
    table = QuietPairing(1_000, quiet, fits, 10_000)
    for _ in range(100):
        table.asked(Message(FLOW, Sender.CLIENT, Kind.REQUEST, 0, bytes(5_000), 0, 10))
    assert sum({id(each.octets): len(each.octets) for each in table.waiting()}.values()) <= 20_000


def test_lanes() -> None:
    table = LanePairing(10)
    a, ping, b = Asked("get", token="1"), Asked("ping"), Asked("get", token="2")
    for request in (a, ping, b):
        table.asked(request)
    assert (table.pending, set(table.waiting())) == (3, {a, ping, b})
    assert table.answered(Asked("get", token="2")) is b
    assert table.answered(Asked("pong")) is ping
    assert table.answered(Asked("get", token="1")) is a
    both = Asked("get", token="3")
    table.asked(both)
    table.ask_in_order(both)
    assert table.waiting() == [both]
    assert [table.answered(Asked("ok")), table.answered(Asked("get", token="3"))] == [both, both]
    table.asked(a)
    table.lose()
    assert (table.pending, table.answered(Asked("get", token="1"))) == (0, None)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_lanes_share_a_limit(limit: int) -> None:
    table = LanePairing(limit)
    for number in range(20):
        table.asked(Asked("get", token=str(number)))
        table.asked(Asked("ping"))
        assert table.pending <= limit
