"""Routes as others write them: what they decide, and that what cannot be expressed is an error with its place."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import l7codecs
from l7codecs import ConfigError, Sender
from l7codecs.routing import Routes, RouteTable, TokenBuckets, parse_routes
from routing_toys import Said

TYPE = "type.googleapis.com/envoy.extensions.filters.network."


def whole(kind: str, body: dict[str, Any]) -> str:
    return json.dumps({"@type": TYPE + kind, "stat_prefix": "x", **body})


def clusters(table: RouteTable, *messages: l7codecs.Message) -> list[str | None]:
    found = []
    for message in messages:
        rule = table.route(message)
        assert rule is table.walk(message)
        action = None if rule is None else rule.action
        found.append(action and (action.cluster or (action.reply.status.name if action.reply else "shares")))
    return found


def problems(text: str, **of: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_routes(text, "f", **of)
    return [each.text for each in caught.value.problems]


# Redis

REDIS = {
    "settings": {"op_timeout": "0.25s", "enable_hashtagging": True, "read_policy": "MASTER", "enable_redirection": False},
    "prefix_routes": {
        "routes": [
            {"prefix": "a", "cluster": "short"},
            {"prefix": "ab:", "cluster": "long", "remove_prefix": True},
            {
                "prefix": "m:",
                "cluster": "mirrored",
                "request_mirror_policy": [
                    {"cluster": "all", "runtime_fraction": {"default_value": {"numerator": 5, "denominator": "TEN_THOUSAND"}}},
                    {"cluster": "writes", "exclude_read_commands": True},
                ],
            },
            {"prefix": "r:", "cluster": "primary", "read_command_policy": {"cluster": "replica"}},
        ],
        "catch_all_route": {"cluster": "rest"},
    },
}  # fmt: skip


def commands(*lines: bytes) -> list[l7codecs.Message]:
    return list(l7codecs.open_session("redis").receive(Sender.CLIENT, b"".join(line + b"\r\n" for line in lines)))


def test_redis() -> None:
    table = parse_routes(whole("redis_proxy.v3.RedisProxy", REDIS)).table
    lines = (b"GET a1", b"GET ab:1", b"SET x 1", b"MGET a1 a2", b"MGET a1 ab:1", b"MGET a1 x", b"MGET x y", b"PING")
    assert clusters(table, *commands(*lines)) == [
        "short",
        "long",
        "rest",
        "short",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "rest",
        None,
    ], "a key of the longer prefix is none of the shorter one's"
    (request,) = commands(b"GET ab:{k}1")
    rule = table.route(request)
    assert rule is not None and rule.action.request is not None
    assert rule.action.request.changes(request).attributes == {"redis.keys": (b"{k}1",)}
    assert rule.action.hash_key(request) == b"k" and rule.action.deadline == 0.25


def test_redis_reads_are_told_apart() -> None:
    table = parse_routes(whole("redis_proxy.v3.RedisProxy", REDIS)).table
    rules = [table.route(each) for each in commands(b"GET m:1", b"SET m:1 x")]
    mirrors = [[(each.cluster, each.fraction) for each in rule.action.mirrors] for rule in rules if rule]
    assert mirrors == [[("all", 0.0005)], [("all", 0.0005), ("writes", 1.0)]]
    assert clusters(table, *commands(b"GET r:1", b"SET r:1 x")) == ["replica", "primary"]


def test_redis_without_case() -> None:
    routes = {"caseInsensitive": True, "routes": [{"prefix": "AB", "cluster": "c"}]}
    table = parse_routes(whole("redis_proxy.v3.RedisProxy", {"prefixRoutes": routes})).table
    assert clusters(table, *commands(b"GET abc", b"GET ABC", b"GET b")) == ["c", "c", None]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"faults": [{}]}, "faults: faults are not injected"),
        ({"setings": {}}, "unknown key 'setings'; did you mean 'settings'?"),
        ({"settings": {"op_timeout": "1s", "read_policy": "ANY"}}, "which of a cluster's servers are replicas is not known"),
        ({"settings": {"op_timeout": "1h"}}, "'1h' is no duration: 0.5s"),
        ({"settings": {"enable_redirection": True}}, "enable_redirection: MOVED and ASK would have to be followed"),
        (
            {"prefix_routes": {"routes": [{"prefix": "a", "cluster": "c", "key_formatter": "x"}]}},
            "key_formatter: only beginnings of keys are changed",
        ),
        ({"prefix_routes": {"routes": [{"prefix": "a"}]}}, "is empty"),
        ({"prefix_routes": {"routes": [{"prefix": "a", "cluster": "c"}] * 2}}, "another route has the prefix 'a'"),
        (
            {"prefix_routes": {"case_insensitive": True, "routes": [{"prefix": "a", "cluster": "c", "remove_prefix": True}]}},
            "a prefix whose case is ignored cannot be removed",
        ),
        ({"prefix_routes": None}, "'prefix_routes' is missing"),
    ],
)  # fmt: skip
def test_redis_that_cannot_be_expressed(change: dict[str, Any], expected: str) -> None:
    assert expected in problems(whole("redis_proxy.v3.RedisProxy", {**REDIS, **change}))


# Thrift


def thrift(name: str) -> l7codecs.Message:
    octets = b"\x80\1\0\1" + len(name).to_bytes(4, "big") + name.encode() + b"\0\0\0\7\0"
    (event,) = l7codecs.open_session("thrift").receive(Sender.CLIENT, len(octets).to_bytes(4, "big") + octets)
    return event


THRIFT_ROUTES = [
    {"match": {"method_name": "ping"}, "route": {"cluster": "bare"}},
    {"match": {"method_name": "Svc:ping"}, "route": {"cluster": "one", "strip_service_name": True}},
    {
        "match": {"service_name": "Svc"},
        "route": {
            "weighted_clusters": {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3}]},
            "request_mirror_policies": [{"cluster": "m", "runtime_fraction": {"default_value": {"numerator": 10}}}],
        },
    },
    {
        "match": {"method_name": "", "headers": [{"name": "Tenant", "string_match": {"exact": "b"}}]},
        "route": {"cluster": "b"},
    },
    {"match": {"method_name": "last", "invert": True}, "route": {"cluster": "others"}},
]
THRIFT = {"transport": "FRAMED", "protocol": "BINARY", "route_config": {"name": "r", "routes": THRIFT_ROUTES}}


def test_thrift() -> None:
    table = parse_routes(whole("thrift_proxy.v3.ThriftProxy", THRIFT)).table
    names = ("ping", "Svc:ping", "Svc:pong", "Svc:More:pong", "Svcs:pong", "last", "Svc:last")
    assert clusters(table, *map(thrift, names)) == ["bare", "one", "shares", "shares", "others", None, "shares"]
    call = Said({"operation": "last", "headers": [("tenant", "b")]}, "thrift")
    assert clusters(table, call) == ["b"]
    request = thrift("Svc:ping")
    rule = table.route(request)
    assert rule is not None and rule.action.request is not None
    session = l7codecs.open_session("thrift", endpoint=Sender.CLIENT)
    assert b"\0\0\0\4ping" in session.send(request, rule.action.request.changes(request))


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"method_name": "Svc:ping"}, {"Svc:ping": "ping"}),
        ({"method_name": "Svc:More:ping"}, {"Svc:More:ping": "More:ping"}),
        ({"service_name": "Svc:"}, {"Svc:ping": "ping", "Svc:More:ping": "More:ping", "ping": None}),
        ({"service_name": "a:b"}, {"a:b:ping": "b:ping", "a:b:c:ping": "b:c:ping", "a:c:ping": None}),
        ({"method_name": ""}, {"Svc:ping": "ping", "ping": "ping", "Svc:More:ping": "INVALID_ARGUMENT"}),
        ({"method_name": "ping", "invert": True}, {"Svc:ping": "ping", "ping": None, "a:b:c": "INVALID_ARGUMENT"}),
    ],
)
def test_thrift_strips_what_stands_before_the_first_colon(
    match: dict[str, Any], expected: dict[str, str | None]
) -> None:
    route = {"match": match, "route": {"cluster": "c", "strip_service_name": True}}
    table = parse_routes(whole("thrift_proxy.v3.ThriftProxy", {"route_config": {"routes": [route]}})).table
    found: dict[str, str | None] = {}
    for name in expected:
        request = thrift(name)
        rule = table.route(request)
        found[name] = None if rule is None or rule.action.reply is None else rule.action.reply.status.name
        if rule is not None and rule.action.request is not None:
            sent = l7codecs.open_session("thrift", endpoint=Sender.CLIENT).send(
                request, rule.action.request.changes(request)
            )
            found[name] = sent[12:-5].decode()
    assert found == expected


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (
            {"match": {"method_name": "Svc:"}, "route": {"cluster": "c"}},
            "'Svc:' begins or ends with its only colon: such calls are not told from those without",
        ),
        ({"match": {"method_name": "a"}, "route": {"cluster_header": "x"}}, "cluster_header: a header would name the cluster"),
        ({"match": {}, "route": {"cluster": "c"}}, "expected one of method_name and service_name, found none"),
        ({"match": {"method_name": "", "invert": True}, "route": {"cluster": "c"}}, "every call has a method: none is left"),
        (
            {"match": {"method_name": "a"}, "route": {"cluster": "c", "rate_limits": [{}]}},
            "rate_limits: another server would have to be asked for each call",
        ),
        ({"match": {"method_name": "a"}}, "expected match and route"),
        (
            {"match": {"method_name": "a", "headers": [{"name": "x", "range_match": {"start": 1.5}}]}, "route": {"cluster": "c"}},
            "expected an integer, found a number",
        ),
    ],
)  # fmt: skip
def test_thrift_that_cannot_be_expressed(route: dict[str, Any], expected: str) -> None:
    assert expected in problems(
        whole("thrift_proxy.v3.RouteConfiguration", {"routes": [route]}).replace('"stat_prefix": "x", ', "")
    )


def test_thrift_filters() -> None:
    filters = [{"name": "envoy.filters.thrift.rate_limit"}, {"name": "envoy.filters.thrift.router"}]
    expected = "only envoy.filters.thrift.router is a route's; a filter that does more cannot be expressed"
    assert problems(whole("thrift_proxy.v3.ThriftProxy", {**THRIFT, "thrift_filters": filters})) == [expected]


# Dubbo


def dubbo(service: str, method: str, /, attributes: dict[str, Any] | None = None, **attachments: str) -> Said:
    says = {
        "service": service,
        "operation": method,
        "attributes": attributes or {},
        "headers": list(attachments.items()),
    }
    return Said(says, "dubbo")


def dubbo_route(cluster: str, method: dict[str, Any], *headers: dict[str, Any]) -> dict[str, Any]:
    match: dict[str, Any] = {"method": {"name": method}}
    if headers:
        match["headers"] = list(headers)
    return {"match": match, "route": {"cluster": cluster}}


ANY = {"safe_regex": {"regex": ".*"}}
DUBBO = {
    "protocol_type": "Dubbo",
    "serialization_type": "Hessian2",
    "multiple_route_config": {
        "name": "m",
        "route_config": [
            {
                "name": "one",
                "interface": "com.acme.Orders",
                "group": "g",
                "version": "1.0.0",
                "routes": [dubbo_route("grouped", ANY)],
            },
            {
                "name": "two",
                "interface": "com.acme.Orders",
                "routes": [
                    dubbo_route("exact", {"exact": "place"}),
                    dubbo_route("contains", {"contains": "an.c", "ignore_case": True}),
                    dubbo_route("range", ANY, {"name": "n", "range_match": {"start": "1", "end": 5}}),
                    dubbo_route("not", ANY, {"name": "t", "string_match": {"exact": "b"}, "invert_match": True}),
                    dubbo_route(
                        "empty",
                        ANY,
                        {"name": "e", "string_match": {"exact": ""}, "treat_missing_header_as_empty": True},
                        {"name": "f", "present_match": True},
                    ),
                ],
            },
            {
                "name": "more",
                "interface": "com.acme.Users*",
                "version": "0.0.0",
                "routes": [dubbo_route("star", {"exact": "find"})],
            },
            {"name": "three", "interface": "com.acme.*", "routes": [dubbo_route("prefix", {"prefix": "get"})]},
            {"name": "four", "interface": "*", "routes": [dubbo_route("any", {"suffix": "All"})]},
        ],
    },
}


def test_dubbo() -> None:
    table = parse_routes(whole("dubbo_proxy.v3.DubboProxy", DUBBO)).table
    orders = "com.acme.Orders"
    versioned = {"dubbo.group": "g", "dubbo.service_version": "1.0.0"}
    assert clusters(table, dubbo(orders, "x", versioned), dubbo(orders, "place"), dubbo(orders, "xAN.Cx")) == [
        "grouped",
        "exact",
        "contains",
    ]
    found = clusters(table, *(dubbo(orders, "x", N=n) for n in ("1", "4", "5", "x")))
    assert found == ["range", "range", None, None], "the end is none of it; names compare without case"
    assert clusters(table, dubbo(orders, "x", t="a"), dubbo(orders, "x", t="b")) == ["not", None]
    assert clusters(table, dubbo(orders, "x", f="1"), dubbo(orders, "x", f="1", e="2")) == ["empty", None]
    assert clusters(table, dubbo("com.acme.Users", "getIt"), dubbo("b", "getAll"), dubbo("b", "get")) == [
        "prefix",
        "any",
        None,
    ]


def test_a_star_of_dubbo_stands_for_something_and_no_version_may_be_written() -> None:
    table = parse_routes(whole("dubbo_proxy.v3.DubboProxy", DUBBO)).table
    more = "com.acme.UsersMore"
    assert clusters(table, dubbo("com.acme.Users", "find"), dubbo(more, "find")) == [None, "star"]
    assert clusters(table, dubbo(more, "find", {"dubbo.service_version": "1.0.0"})) == [None]
    table = parse_routes(
        whole(
            "dubbo_proxy.v3.DubboProxy", {"route_config": [{"interface": "*.Users", "routes": [dubbo_route("c", ANY)]}]}
        )
    ).table
    assert clusters(table, dubbo("a.Users", "x"), dubbo(".Users", "x")) == ["c", None]


def test_dubbo_that_cannot_be_expressed() -> None:
    route = {
        "match": {"method": {"name": {"exact": "a"}, "params_match": {"0": {"exact_match": "x"}}}},
        "route": {"cluster": "c", "metadata_match": {}},
    }
    found = problems(whole("dubbo_proxy.v3.DubboProxy", {"route_config": [{"interface": "i", "routes": [route]}]}))
    assert found == [
        "params_match: values of parameters are not looked at",
        "metadata_match: a load balancer would have to be told of subsets",
    ]


def test_a_filter_is_read_whole() -> None:
    body = {"@type": TYPE + "thrift_proxy.v3.ThriftProxy", "stat_prefix": "x", **THRIFT}
    text = json.dumps({"name": "envoy.filters.network.thrift_proxy", "typed_config": body})
    assert len(parse_routes(text).table) == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nspec: {}", "2:7: of Kubernetes' resources only"),
        (
            "apiVersion: metaprotocol.aeraki.io/v1alpha1\nkind: ApplicationProtocol\nspec: {codec: a}",
            "2:7: expected the kind MetaRouter",
        ),
        ("static_resources: {listeners: []}", "1:19: this is all of Envoy's configuration"),
    ],
)
def test_what_is_no_routes_is_refused_as_what_it_is(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_routes(text, "f", protocol="dubbo")
    (problem,) = caught.value.problems
    assert f"f:{expected}" in str(problem)


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [("{seconds: 3}", "a string, found a mapping"), ("3", "a string, "), ("3h", "is no duration")],
)
def test_a_duration_that_is_none_is_told_once(timeout: str, expected: str) -> None:
    name = "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"
    rest = "prefix_routes: {catch_all_route: {cluster: a}}"
    with pytest.raises(ConfigError) as caught:
        parse_routes(f'"@type": {name}\nsettings: {{op_timeout: {timeout}}}\n{rest}')
    (problem,) = caught.value.problems
    assert expected in str(problem) and "Config" not in str(problem)


def test_an_empty_list_of_what_is_refused_says_nothing() -> None:
    """As in protobuf, where it is the same as none."""
    name = "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"
    text = f'"@type": {name}\nprefix_routes: {{catch_all_route: {{cluster: a}}}}\n'
    assert len(parse_routes(text + "faults: []\ndownstreamAuthPasswords: []").table) == 1
    with pytest.raises(ConfigError, match="faults are not injected"):
        parse_routes(text + "faults: [{}]")


def test_what_nobody_reads() -> None:
    found = problems(whole("thrift_proxy.v3.ThriftProxi", THRIFT))
    assert found == [
        "no protocol reads 'envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxi'; "
        "did you mean 'envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy'?"
    ]


# Aeraki's MetaRouter

META = """
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders.shop.svc.cluster.local]
  localRateLimit:
    conditions:
    - match: {attributes: {method: {exact: place}}}
      tokenBucket: {maxTokens: 1, tokensPerFill: 1, fillInterval: 1m0s}
    tokenBucket: {maxTokens: 2, fillInterval: {seconds: 30}}
  routes:
  - name: canary
    match:
      attributes:
        interface: {prefix: com.acme.}
        user: {regex: "t[0-9]+"}
        trial: {}
    route:
    - destination: {host: orders.shop.svc.cluster.local, subset: v2, port: {number: 20880}}
    requestMutation: [{key: lane, value: canary}]
  - name: split
    route:
    - destination: {host: orders.shop.svc.cluster.local, subset: v1}
      weight: 80
    - destination: {host: orders.shop.svc.cluster.local, subset: v2}
      weight: 20
    mirror: {host: orders.shop.svc.cluster.local, subset: v3}
    mirrorPercentage: {value: 2.5}
"""


def meta() -> Routes:
    return parse_routes(META, "meta.yaml", protocol="dubbo")


def test_metarouter() -> None:
    routes = meta()
    host = "orders.shop.svc.cluster.local"
    assert routes.hosts == (host,)
    canary = dubbo("com.acme.Orders", "get", user="t12", trial="")
    assert clusters(routes.table, canary, dubbo("com.acme.Orders", "get", user="t12"), dubbo("x", "place")) == [
        f"outbound|20880|v2|{host}",
        "shares",
        "shares",
    ]
    rule = routes.table.route(canary)
    assert rule is not None and rule.action.request is not None
    assert rule.action.request.changes(canary).set_headers == {"lane": "canary"}
    rule = routes.table.route(dubbo("x", "get"))
    assert rule is not None and rule.action.mirrors[0].fraction == 0.025
    assert (
        rule.action.cluster_for(0.79) == f"outbound||v1|{host}"
        and rule.action.cluster_for(0.8) == f"outbound||v2|{host}"
    )


def test_metarouter_limits_come_before_routes() -> None:
    """One bucket for a condition, whatever the route; and what it is for does not count for the others."""
    table = meta().table
    buckets = TokenBuckets()

    def asked(method: str, **attachments: str) -> bool:
        rule = table.route(dubbo("com.acme.Orders", method, **attachments))
        assert rule is not None
        return buckets.allow(rule, 100.0)

    assert [asked("place", user="t1", trial=""), asked("place"), asked("get"), asked("get", user="t1", trial=""), asked("get")] == [
        True,
        False,
        True,
        True,
        False,
    ]  # fmt: skip


def test_metarouter_without_routes_goes_to_its_host() -> None:
    text = META[: META.index("  routes:")]
    assert clusters(parse_routes(text, protocol="thrift").table, dubbo("x", "y")) == [
        "outbound|||orders.shop.svc.cluster.local"
    ]


def test_metarouter_may_have_a_name_twice() -> None:
    assert len(parse_routes(META.replace("name: split", "name: canary"), protocol="dubbo").table) == 4


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  routes:", "  gateways: [a]\n  routes:", "gateways: which proxies have these routes is not for a table of routes to say"),
        ("  routes:", "  globalRateLimit: {}\n  routes:", "globalRateLimit: another server would have to be asked for each message"),
        ("requestMutation", "requestMutations", "unknown key 'requestMutations'; did you mean 'requestMutation'?"),
        ("key: lane", "key: method", "method chooses the route, and cannot be changed by it"),
        ("{regex: \"t[0-9]+\"}", "{regex: \"(\"}", "is no expression of RE2: missing ): ("),
        ("20880", "1e999", "expected an integer, found a string"),
        ("20880", "80.5", "expected an integer, found a number"),
        ("v1alpha1", "v1", "expected metaprotocol.aeraki.io/v1alpha1"),
        ("1m0s", "soon", "'soon' is no duration"),
        ("weight: 80", "weights: 80", "unknown key 'weights'; did you mean 'weight'?"),
    ],
)  # fmt: skip
def test_metarouter_that_cannot_be_expressed(old: str, new: str, expected: str) -> None:
    assert expected in problems(META.replace(old, new, 1), protocol="dubbo")


def test_metarouter_needs_a_protocol_that_has_names() -> None:
    assert problems(META) == ["a MetaRouter does not say of which protocol its routes are: give protocol="]
    assert "kafka has no names for the attributes of a MetaRouter" in problems(META, protocol="kafka")


# Envoy takes what is read here


def envoy() -> Path:
    path = Path(__file__).parents[1] / "protocols/dubbo/tools/dubbo_peers.py"
    spec = importlib.util.spec_from_file_location("routing_dubbo_peers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Path = module.envoy()
    return found


@pytest.mark.interop
@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("redis_proxy", "redis_proxy.v3.RedisProxy", REDIS),
        ("thrift_proxy", "thrift_proxy.v3.ThriftProxy", THRIFT),
        ("dubbo_proxy", "dubbo_proxy.v3.DubboProxy", DUBBO),
    ],
)
def test_envoy_takes_them(name: str, kind: str, body: dict[str, Any], tmp_path: Path) -> None:
    if os.environ.get("L7CODECS_INTEROP") != "1":
        pytest.skip("real peers are not asked for")
    config = json.loads(whole(kind, body))
    named = {rule.action.names for rule in parse_routes(json.dumps(config)).table.rules}
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "filter_chains": [{"filters": [{"name": f"envoy.filters.network.{name}", "typed_config": config}]}],
    }
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}}}}
    described = [
        {
            "name": each,
            "type": "STATIC",
            "load_assignment": {"cluster_name": each, "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        for each in sorted({each for names in named for each in names})
    ]
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": described}}), "utf-8")
    command = [str(envoy()), "--mode", "validate", "-c", str(path), "--use-dynamic-base-id", "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
