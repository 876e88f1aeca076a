"""What rules have beside their match: rings, shares, tokens, hosts that fail, retries, changes, keys."""

from __future__ import annotations

import pytest
import uhashring

import l7codecs
from l7codecs import Sender, Status
from l7codecs.routing import (
    Action,
    Edit,
    HashKey,
    OutlierDetector,
    OutlierPolicy,
    RateLimit,
    Retry,
    Ring,
    TokenBucket,
    TokenBuckets,
    WeightedCluster,
    parse_routes,
)


def redis(octets: bytes) -> l7codecs.Message:
    (event,) = l7codecs.open_session("redis", client=("192.0.2.7", 5)).receive(Sender.CLIENT, octets)
    return event


@pytest.mark.parametrize(
    "weights", [{"a:1": 1}, {f"10.0.0.{n}:6379": 1 for n in range(7)}, {"a:1": 1, "b:1": 3, "c": 2}]
)
def test_the_ring_is_that_of_ketama(weights: dict[str, int]) -> None:
    """uhashring wrote it a second time."""
    theirs = uhashring.HashRing(nodes={host: {"weight": weight} for host, weight in weights.items()}, hash_fn="ketama")
    ours = Ring(weights)
    assert 160 * len(weights) - 4 * len(weights) < len(ours) <= 160 * len(weights)
    for number in range(2_000):
        key = f"key:{number}"
        assert ours.host(key.encode()) == theirs.get_node(key)


def test_the_usual_port_of_memcached_is_no_part_of_a_name() -> None:
    """As twemproxy 0.5.0 has sent ``key:0`` to ``key:11``, with ``hash: md5`` and ``distribution: ketama``."""
    ring = Ring({"127.0.0.2:11211": 1, "127.0.0.3:11211": 2, "127.0.0.4:11211": 5})
    assert [ring.host(b"key:%d" % number) for number in range(12)] == [
        f"127.0.0.{at}:11211" for at in (3, 3, 4, 2, 3, 3, 4, 4, 4, 4, 4, 4)
    ]


def test_few_keys_move_when_a_host_goes() -> None:
    whole = Ring({f"h{n}": 1 for n in range(10)})
    fewer = Ring({f"h{n}": 1 for n in range(9)})
    keys = [b"%d" % number for number in range(5_000)]
    moved = [key for key in keys if whole.host(key) != fewer.host(key)]
    assert {whole.host(key) for key in moved} == {"h9"}
    assert all(fewer.host(key) == whole.hosts(key)[1] for key in moved)
    assert sorted(whole.hosts(b"x")) == sorted(f"h{n}" for n in range(10))


def test_a_ring_of_nothing() -> None:
    assert Ring({}).host(b"x") is None and Ring({}).hosts(b"x") == []
    with pytest.raises(ValueError, match="at least 1"):
        Ring({"a": 0})
    with pytest.raises(ValueError, match="at most"):
        Ring(dict.fromkeys(map(str, range(25_001)), 1))


def test_shares() -> None:
    action = Action(clusters=(WeightedCluster("a", 1), WeightedCluster("none", 0), WeightedCluster("b", 3)))
    found = [action.cluster_for(number / 1000) for number in range(1000)]
    assert [found.count(name) for name in ("a", "none", "b")] == [250, 0, 750]
    assert action.cluster_for(0.9999999999999999) == "b"
    assert Action(cluster="c").cluster_for(0.5) == "c"


def test_tokens() -> None:
    bucket = TokenBucket(RateLimit(tokens=3, fill=2, every=10.0))
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(104.0) == 6.0 and bucket.wait(104.0, 3) == 16.0
    assert bucket.wait(104.0, 4) == float("inf")
    assert not bucket.take(109.9)
    assert [bucket.take(110.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(50.0), "a clock that goes back gives nothing"
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False], "never more than it holds"


def test_rules_may_share_tokens() -> None:
    table = parse_routes(
        """
        rules:
        - {match: {operation: GET}, cluster: a, rate_limit: {name: both, tokens: 1, every: 1s}}
        - {match: {operation: SET}, cluster: a, rate_limit: {name: both, tokens: 1, every: 1s}}
        - {match: {operation: DEL}, cluster: a, rate_limit: {tokens: 1, every: 1s}}
        - {cluster: a}
        """
    ).table
    buckets = TokenBuckets()
    assert [buckets.allow(rule, 0.0) for rule in table.rules] == [True, False, True, True]
    assert [buckets.allow(rule, 0.5) for rule in table.rules] == [False, False, False, True]
    assert [buckets.allow(rule, 1.0) for rule in table.rules] == [True, False, True, True]


def test_tokens_outlive_a_reload_where_the_limit_stays() -> None:
    text = """
    rules:
    - {match: {operation: GET}, cluster: a, rate_limit: {name: both, tokens: 1, every: 1h}}
    - {name: mine, match: {operation: SET}, cluster: a, rate_limit: {tokens: 1, every: 1h}}
    """
    table = parse_routes(text).table
    buckets = TokenBuckets()
    assert [buckets.allow(rule, 0.0) for rule in table.rules] == [True, True]
    for change, allowed in [
        (("cluster: a", "cluster: b"), [False, False]),
        (("both, tokens: 1", "both, tokens: 2"), [True, False]),
        (("{tokens: 1", "{tokens: 2"), [False, True]),
        (("name: mine", "name: other"), [False, True]),
    ]:
        after = parse_routes(text.replace(*change)).table
        following = buckets.following(after.rules)
        assert [following.allow(rule, 1.0) for rule in after.rules] == allowed, change
        assert not following.following(table.rules[:0])._own, "of what is gone nothing is kept"


def test_outliers() -> None:
    detector = OutlierDetector(OutlierPolicy(failures=2, base=10.0, longest=15.0, share=0.5), ["a", "b", "c", "d"])
    assert not detector.failed("a", 0.0)
    detector.succeeded("a", 0.0)
    assert not detector.failed("a", 0.0), "two in a row, not in all"
    assert detector.failed("a", 1.0)
    assert detector.ejected("a", 10.9) and detector.available(10.9) == ["b", "c", "d"]
    assert not detector.ejected("a", 11.0)
    detector.failed("a", 12.0)
    assert detector.failed("a", 12.0)
    assert detector.ejected("a", 26.9) and not detector.ejected("a", 27.0), "twice as long, at most 15"
    for host in "bcd":
        detector.failed(host, 20.0)
    assert [detector.failed(host, 20.0) for host in "bcd"] == [True, False, False], "half of four"
    detector.set_hosts(["b", "e"])
    assert detector.available(21.0) == ["e"]
    assert not detector.failed("unknown", 21.0) and not detector.ejected("unknown", 21.0)


def test_ejections_are_forgiven() -> None:
    detector = OutlierDetector(OutlierPolicy(failures=1, base=10.0, share=1.0), ["a"])
    assert detector.failed("a", 0.0)
    assert detector.available(1.0) == ["a"], "all of them rather than none"
    detector.succeeded("a", 20.0)
    assert detector.failed("a", 21.0)
    assert not detector.ejected("a", 31.0), "as the first time"


@pytest.mark.parametrize(
    ("octets", "any_access", "expected"),
    [
        (b"GET a\r\n", False, True),
        (b"SET a b\r\n", False, False),
        (b"SET a b\r\n", True, True),
        (b"EVAL x 0\r\n", False, False),
        (b"SUBSCRIBE a\r\n", True, False),
    ],
)
def test_only_what_reads_is_sent_again(octets: bytes, any_access: bool, expected: bool) -> None:
    retry = Retry(3, frozenset({Status.UNAVAILABLE}), any_access)
    assert retry.allows(redis(octets), Status.UNAVAILABLE, 1) is expected
    assert not retry.allows(redis(octets), Status.UNAVAILABLE, 3)
    assert not retry.allows(redis(octets), Status.INTERNAL, 1)


@pytest.mark.parametrize(
    ("key", "octets", "expected"),
    [
        (HashKey("resource"), b"GET a{b}c\r\n", b"a{b}c"),
        (HashKey("resource", between="{}"), b"GET a{b}c{d}\r\n", b"b"),
        (HashKey("resource", between="{}"), b"GET a{}c{d}\r\n", b"a{}c{d}"),
        (HashKey("resource", between="{}"), b"GET }a{\r\n", b"}a{"),
        (HashKey("resource"), b"PING\r\n", None),
        (HashKey("operation"), b"GET a\r\n", b"GET"),
        (HashKey("service"), b"GET a\r\n", None),
        (HashKey("peer"), b"GET a\r\n", b"192.0.2.7"),
        (HashKey("attribute", "redis.keys"), b"MGET a b\r\n", b"a"),
        (HashKey("attribute", "network.peer.port"), b"GET a\r\n", b"5"),
        (HashKey("header", "x"), b"GET a\r\n", None),
    ],
)
def test_what_is_hashed(key: HashKey, octets: bytes, expected: bytes | None) -> None:
    assert key.of(redis(octets)) == expected
    assert Action(hash_keys=(HashKey("header", "x"), key)).hash_key(redis(octets)) == expected


def test_beginnings_are_replaced() -> None:
    edit = Edit(prefixes={"redis.keys": ("t:", "tenant:")})
    request = redis(b"MGET t:a other t:b\r\n")
    changes = edit.changes(request)
    assert changes.attributes == {"redis.keys": (b"tenant:a", b"other", b"tenant:b")}
    session = l7codecs.open_session("redis", endpoint=Sender.CLIENT)
    assert b"tenant:a" in session.send(request, changes)
    assert not edit.changes(redis(b"GET other\r\n")) and not edit.changes(redis(b"PING\r\n"))
