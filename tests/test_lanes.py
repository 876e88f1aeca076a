"""Requests that may be answered, and several ways of pairing on one connection."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Flow, Kind, LanePairing, LimitExceeded, Message, QuietPairing, RequestId, Sender
from l7codecs.endpoint.giving_up import GivenUp
from l7codecs.testing.growth import growth

FLOW = Flow("example")


class Asked(Message):
    """A request of one `form`, quiet or not, perhaps with a token; or an answer."""

    def __init__(self, form: str, quiet: bool = False, token: str = "", octets: bytes = b"", flow: Flow = FLOW) -> None:
        super().__init__(flow, Sender.CLIENT, Kind.REQUEST, 0, octets, 0, len(octets))
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

    assert growth(cost, 1_000, 8_000, 24) <= 24


def test_what_waits_lets_go_of_its_reads() -> None:
    table = QuietPairing(1_000, quiet, fits, 10_000)
    for _ in range(100):
        table.asked(Message(FLOW, Sender.CLIENT, Kind.REQUEST, 0, bytes(5_000), 0, 10))
    assert sum({id(each.octets): len(each.octets) for each in table.waiting()}.values()) <= 20_000


def strict_table(limit: int = 10, octets: int = 10_000) -> QuietPairing:
    return QuietPairing(limit, quiet, fits, octets, strict=True)


def answer_to(request: Asked) -> Asked:
    answer = Asked(request.form)
    answer.request = request
    return answer


def test_whose_turn_it_is_at_an_endpoint() -> None:
    table = strict_table()
    a, b, c, d, e = ask(table, "get", "get?", "get?", "get", "get?")
    assert [table.turn(each) for each in (a, b, c, d, e)] == [True, False, False, False, False]
    table.held(c)
    assert table.due({c, d}) is None
    table.answered(answer_to(a))
    assert [table.turn(each) for each in (b, c, d, e)] == [True, True, True, False]
    assert table.due({d, c}) is c
    table.answered(answer_to(c))
    assert not table.waits(b) and not table.turn(b) and table.due({d}) is d
    table.answered(answer_to(d))
    assert table.waiting() == [e] and table.turn(e)
    assert table.due({e: 1}) is e
    table.answered(answer_to(e))
    assert table.pending == 0 and table.due({e}) is None


def test_an_endpoint_forgets_nothing() -> None:
    table = strict_table(limit=4)
    asked = ask(table, *["get", "get?"] * 16)
    assert table.full and table.exhausted and table.waiting() == asked
    with pytest.raises(LimitExceeded):
        table.asked(Asked("get"))
    assert table.waiting() == asked and table.forgotten == 0
    # Behind an answer that fits nothing, nothing is certain, and everybody still waits.
    assert table.answered(Asked("other")) is None
    assert table.answered(Asked("get")) is None
    assert table.waiting() == asked and all(table.waits(each) for each in asked)
    table.clear()
    assert not table.full and not table.waits(asked[0])
    # By octets as well.
    table = strict_table(octets=100)
    large = [Asked("get", octets=bytes(200)) for _ in range(5)]
    for each in large[:4]:
        table.asked(each)
        assert table.full
    table.asked(large[4])
    with pytest.raises(LimitExceeded, match="waiting"):
        table.asked(Asked("get"))
    assert [each.raw for each in table.waiting()] == [bytes(200)] * 5


def test_an_endpoint_looks_at_each_once() -> None:
    """However many stay silent, and however many answers wait behind them."""

    def run(count: int) -> int:
        looked = 0

        class Answered(dict[Message, int]):
            def __contains__(self, request: object) -> bool:
                nonlocal looked
                looked += 1
                return super().__contains__(request)

        table = strict_table(limit=2 * count)
        quiet_ones = ask(table, *["get?"] * count)
        behind = ask(table, *["get"] * count)
        answered = Answered(dict.fromkeys(behind[1:], 1))
        for each in quiet_ones:
            table.answered(answer_to(each))
            assert table.due(answered) is None
        return looked

    assert run(1000) <= 3000


def test_what_was_given_up_and_stayed_silent_is_forgotten() -> None:
    table = strict_table(limit=100)
    given_up = GivenUp(table)
    for _ in range(100):
        silent = ask(table, *["get?"] * 10)
        for each in silent:
            given_up.add(each, each)
        (loud,) = ask(table, "end")
        assert table.answered(Asked("end")) is loud
        assert given_up.count <= 64 + 10


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


def test_lanes_of_an_endpoint() -> None:
    """What is answered in order is never forgotten; what may never be answered is."""
    table = LanePairing(4, observes=False)
    pings = [Asked("ping") for _ in range(16)]
    for number, ping in enumerate(pings):
        table.asked(ping)
        table.asked(Asked("get", token=str(number)))
    assert table.full and table.exhausted and table.by_order.waiting() == pings
    with pytest.raises(LimitExceeded):
        table.asked(Asked("ping"))
    assert table.by_id.pending == 2
    assert table.waits(pings[0]) and not table.waits(Asked("get", token="15"))
    assert table.waits(table.by_id.waiting()[0])


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_lanes_share_a_limit(limit: int) -> None:
    table = LanePairing(limit)
    for number in range(20):
        table.asked(Asked("get", token=str(number)))
        table.asked(Asked("ping"))
        assert table.pending <= limit


def test_one_text_of_two_connections_pairs_with_neither() -> None:
    table = LanePairing(100, observes=False)
    one, two = Flow("toy"), Flow("toy")
    mine, other = Asked("get", token="x", flow=one), Asked("get", token="x", flow=two)
    table.asked(mine)
    assert table.refuses(Asked("get", token="x", flow=one)) is None, "of one client they come in order"
    said = table.refuses(other)
    assert said is not None and "'x'" in said
    table.asked(other)
    assert table.answered(Asked("get", token="x")) is None
    assert table.answered(Asked("get", token="x")) is None
    table.asked(mine)
    assert table.answered(Asked("get", token="x")) is mine


@pytest.mark.parametrize("strict", [False, True])
def test_a_token_that_two_have_tells_nothing(strict: bool) -> None:
    table = QuietPairing(100, quiet, fits, strict=strict)
    _, _, c, end = ask(table, "get?t", "get?t", "get?u", "end")
    assert table.answered(Asked("get", token="t")) is None, "of a or of b"
    assert table.answered(Asked("get", token="u")) is c
    assert table.answered(Asked("end")) is end and table.pending == 0
    # Also where the other is sure to be answered; before what comes behind such a one.
    for request in (Asked("get", quiet=True, token="t"), Asked("get", token="t"), g := Asked("get", token="v")):
        table.asked(request)
    assert table.answered(Asked("get", token="t")) is None
    assert table.answered(Asked("get", token="v")) is g
    for request in (h := Asked("get", token="t"), Asked("get", quiet=True, token="t")):
        table.asked(request)
    assert table.answered(Asked("get", token="t")) is h


def test_a_long_run_of_those_that_may_stay_silent_does_not_fill_an_endpoint() -> None:
    """Nothing but a further request could end it: so there is room for that, and the oldest are taken to have stayed silent."""
    table = strict_table(limit=100)
    run = []
    for turn in range(50):
        run += ask(table, *["get?"] * 100)
        assert not table.full and not table.exhausted and table.pending <= 100, turn
    assert table.waiting() == run[-100:] and table.forgotten == len(run) - 100
    assert not any(table.waits(each) for each in run[:-100])
    # What may be of one that was forgotten is of nobody; what is certain is.
    assert table.answered(Asked("get")) is None
    (certain,) = ask(table, "get?t")
    assert table.answered(Asked("get", token="t")) is certain
    (loud,) = ask(table, "get")
    assert table.answered(Asked("get")) is loud, "nothing that was forgotten is answered behind it"
    # By octets as well.
    table = strict_table(octets=1000)
    for _ in range(100):
        table.asked(Asked("get", quiet=True, octets=bytes(100)))
        assert not table.full
    # Behind one that is sure to be answered they count: it will be.
    table = strict_table(limit=10)
    (first,) = ask(table, "get")
    ask(table, *["get?"] * 30)
    assert table.full and table.pending == 31
    assert table.answered(Asked("get")) is first and not table.full


def test_one_whose_answer_is_there_is_not_forgotten() -> None:
    table = strict_table(limit=4)
    a, b, *_ = ask(table, *["get?"] * 4)
    table.held(b)
    ask(table, *["get?"] * 10)
    assert not table.waits(a) and table.waits(b) and table.full
    table.answered(answer_to(b))
    assert not table.full


def test_an_answer_made_here_waits_for_who_may_yet_be_answered() -> None:
    table = strict_table()
    a, b, c, d = ask(table, "get?", "get?", "get?", "get")
    assert not table.holds_back(a) and table.holds_back(b) and not table.holds_back(d)
    table.held(b)
    assert table.due({b: 1}) is None and table.settled_by(a) is None
    table.answered(answer_to(a))
    assert table.due({b: 1}) is b, "nobody is before it"
    table.answered(answer_to(b))
    (e,) = ask(table, "get?")
    assert table.holds_back(e)
    table.held(e)
    assert table.settled_by(c) is None and table.due({e: 1}) is None
    table.answered(answer_to(d))
    assert table.due({e: 1}) is e


def test_what_none_that_may_stay_silent_has_is_of_the_first_that_is_sure() -> None:
    """Unless that may have been answered already."""
    table = QuietPairing(
        100, quiet, lambda asked, answer: 3 * fits(asked, answer) if answer.form == "end" else fits(asked, answer)
    )  # type: ignore[attr-defined]
    a, b, c = Asked("get", quiet=True), Asked("end"), Asked("end")
    for request in (a, b, c):
        table.asked(request)
    assert table.answered(Asked("end")) is b
    assert table.answered(Asked("end")) is c and table.pending == 0
