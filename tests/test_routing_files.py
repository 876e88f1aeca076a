"""Configurations: every problem with its place, the published schema held against a second checker, limits, and what stands elsewhere."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from l7codecs import ConfigError, Status
from l7codecs.routing import Routes, json_schema, load_routes, parse_routes
from l7codecs.routing.conditions import FieldTest

WHOLE = """
clusters:
  cache:
    hosts: ["127.0.0.1:6379", {address: "[::1]:6379", weight: 2}, "unix:/run/cache"]
    outliers: {failures: 3, base: 10s, longest: 5m, share: 0.5}
  shadow: {}
rules:
- name: no administration
  match: {protocol: redis, attributes: {l7.access: admin}}
  reply: {status: PERMISSION_DENIED, text: not here}
- name: tenants
  match:
    kind: [request, oneway]
    all: [{resources: {prefix: "t:"}}]
    any: [{operation: {one_of: [GET, SET]}}, {headers: {x: {range: {from: 1, to: 9}}}}]
    not: {peer: {networks: [10.0.0.0/8], ports: {from: 1024}}}
  clusters: [{name: cache, weight: 9}, {name: shadow, weight: 1}]
  hash: [{by: resource, between: "{}"}, {by: header, name: x}]
  mirror: [{cluster: shadow, fraction: 0.1}]
  rate_limit: {tokens: 100, fill: 10, every: 100ms, name: all}
  request: {replace_prefix: {redis.keys: {from: "t:", to: ""}}, set_headers: {x: y}, remove_headers: [z]}
  response: {set_headers: {served-by: cache}}
  deadline: 1.5
  retry: {attempts: 2, on: [UNAVAILABLE, INTERNAL], any_access: true}
- cluster: cache
"""


def problems(text: str | bytes, **of: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_routes(text, "r.yaml", **of)
    return str(caught.value).split("\n")


def test_all_that_can_be_said() -> None:
    routes = parse_routes(WHOLE, "r.yaml")
    assert [host.weight for host in routes.clusters["cache"].hosts] == [1, 2, 1]
    outliers = routes.clusters["cache"].outliers
    assert outliers is not None and (outliers.base, outliers.longest) == (10.0, 300.0)
    refuse, tenants, rest = routes.table.rules
    assert refuse.action.reply is not None and refuse.action.reply.status is Status.PERMISSION_DENIED
    assert (tenants.name, tenants.place, rest.name) == ("tenants", "r.yaml:11:3", "rule 3")
    action = tenants.action
    assert action.names == ("cache", "shadow", "shadow") and action.deadline == 1.5
    assert action.rate_limit is not None and action.rate_limit.every == 0.1
    assert action.retry is not None and action.retry.on == {Status.UNAVAILABLE, Status.INTERNAL}
    assert action.mirrors[0].fraction == 0.1 and len(action.hash_keys) == 2


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    path.write_text(json.dumps({"rules": [{"match": {"operation": "GET"}, "cluster": "a"}]}), "utf-8")
    routes = load_routes(path)
    assert routes.table.rules[0].place == f"{path}:1:12"
    with pytest.raises(FileNotFoundError):
        load_routes(tmp_path / "none")


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_is_read_however_it_is_written(indent: int | str | None, ascii_only: bool) -> None:
    document = {"rules": [{"match": {"service": "\U0001f600/\u00e9\t"}, "cluster": "a\tb"}]}
    (rule,) = parse_routes(json.dumps(document, indent=indent, ensure_ascii=ascii_only)).table.rules
    assert rule.action.cluster == "a\tb"
    assert isinstance(rule.when, FieldTest) and rule.when.test.accepts("\U0001f600/\u00e9\t")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: []\nclsters: {}", ["r.yaml:2:1: unknown key 'clsters'; did you mean 'clusters'?"]),
        ("{}", ["r.yaml:1:1: 'rules' is missing"]),
        ("[]", ["r.yaml:1:1: expected a mapping, found a list"]),
        ("", ["r.yaml:1:1: expected a mapping, found null"]),
        (
            "rules:\n- {mach: {}, cluster: a}\n- {cluster: 5}\n- {}",
            [
                "r.yaml:2:4: unknown key 'mach'; did you mean 'match'?",
                "r.yaml:3:13: expected a string, found an integer",
                "r.yaml:4:3: expected one of cluster, clusters, reply, found none of them",
            ],
        ),
        (
            "rules: [{match: {operaton: GET, attributes: {l7.acess: read}}, cluster: a}]",
            [
                "r.yaml:1:18: unknown key 'operaton'; did you mean 'operation'?",
                "r.yaml:1:46: unknown attribute 'l7.acess'; did you mean 'l7.access'?",
            ],
        ),
        (
            "rules: [{match: {protocol: redis, attributes: {rpc.method: x}}, cluster: a}]",
            ["r.yaml:1:48: unknown attribute 'rpc.method' of redis"],
        ),
        (
            "rules: [{match: {attributes: {server.port: '80', db.namespace: 1, l7.blocks: yes}}, cluster: a}]",
            [
                "r.yaml:1:44: expected a value of type int, found a string",
                "r.yaml:1:64: expected a string, found an integer: put it in quotes",
                "r.yaml:1:78: expected a value of type bool, found a string",
            ],
        ),
        (
            "rules: [{match: {attributes: {l7.access: {range: {from: 1}}, server.port: {prefix: '8'}}}, cluster: a}]",
            [
                "r.yaml:1:50: range is of integers; this is of type str",
                "r.yaml:1:84: prefix is of strings; this is of type int",
            ],
        ),
        (
            "rules: [{match: {protocol: [redis, kafak], kind: reqest, status: UNAVAILABEL}, cluster: a}]",
            [
                "r.yaml:1:28: unknown protocol 'kafak'; did you mean 'kafka'?",
                "r.yaml:1:50: unknown value 'reqest'; did you mean 'request'?",
                "r.yaml:1:66: unknown value 'UNAVAILABEL'; did you mean 'UNAVAILABLE'?",
            ],
        ),
        (
            "rules: [{match: {service: {exact: a, prefix: b}, operation: {}, resources: {exact: a, value: any}}, cluster: a}]",
            [
                "r.yaml:1:27: expected one of exact, one_of, prefix, suffix, regex, range, present, found exact and prefix",
                "r.yaml:1:61: expected one of exact, one_of, prefix, suffix, regex, range, present, found none of them",
                "r.yaml:1:87: unknown key 'value'; did you mean 'values'?",
            ],
        ),
        (
            "rules: [{match: {operation: {exact: a, values: any}, service: {regex: a, ignore_case: true}}, cluster: a}]",
            ["r.yaml:1:48: there is one value only", "r.yaml:1:87: write (?i) in the expression"],
        ),
        ("rules: [{match: {service: {regex: '('}}, cluster: a}]", ["r.yaml:1:35: is no expression of RE2: missing ): ("]),
        (
            "rules: [{match: {headers: {x: {range: {from: 5, to: 1}}, y: {range: {}}}, peer: [10.0.0.1/8]}, cluster: a}]",
            [
                "r.yaml:1:39: is empty: 5 is above 1",
                "r.yaml:1:69: expected from, to or both",
                "r.yaml:1:82: is no network: 10.0.0.1/8 has host bits set",
            ],
        ),
        ("rules: [{match: {peer: {ports: {to: 70000}}}, cluster: a}]", ["r.yaml:1:32: a port is 0 to 65535"]),
        (
            "rules: [{cluster: a, reply: {status: UNKNOWN}}, {reply: {status: OK}, retry: {attempts: 2}}]",
            [
                "r.yaml:1:9: expected one of cluster, clusters, reply, found cluster and reply",
                "r.yaml:1:66: an answer that is made here is an error, not OK",
                "r.yaml:1:78: a reply is made here and nothing is sent on: retry has no meaning",
            ],
        ),
        (
            "clusters: {cache: {}}\nrules: [{cluster: cashe, mirror: [{cluster: b}]}]",
            ["r.yaml:2:19: unknown cluster 'cashe'; did you mean 'cache'?", "r.yaml:2:45: unknown cluster 'b'"],
        ),
        (
            "clusters: {a: {hosts: [nowhere, 'h:0', 'h:1', {address: 'h:1'}]}}\nrules: []",
            [
                "r.yaml:1:24: 'nowhere' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:33: 'h:0' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:57: 'h:1' stands here twice",
            ],
        ),
        (
            "clusters: {a: {hosts: ['a..b:1', '::1:80', '[h]:1', 'http://h:1', 'unix:', '[::1]:80', 'xn.example:80']}}\n"
            "rules: []",
            [
                "r.yaml:1:24: 'a..b:1' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:34: '::1:80' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:44: '[h]:1' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:53: 'http://h:1' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:1:67: the path of a Unix socket is missing",
            ],
        ),
        (
            "rules: [{clusters: [{name: a, weight: 0}], deadline: 0, hash: {by: header}}]",
            [
                "r.yaml:1:20: all weights are 0",
                "r.yaml:1:54: 0 is not in 1e-06…86400",
                "r.yaml:1:63: by header needs a name",
            ],
        ),
        (
            "rules: [{cluster: a, deadline: 5 years, rate_limit: {tokens: 0, every: 0s}}]",
            [
                "r.yaml:1:32: '5 years' is not as it has to be: Seconds, or a number with one of the units ms, s, m and h.",
                "r.yaml:1:62: 0 is not in 1…4294967295",
            ],
        ),
        ("rules: [{cluster: a, deadline: 0s}]", ["r.yaml:1:32: '0s' is not at least 1 µs and at most 86400 seconds"]),
        (
            "rules: [{match: {protocol: redis}, request: {set: {redis.keys: a, l7.access: read}}, cluster: a}]",
            [
                "r.yaml:1:64: redis.keys is of type bytes[], not a string",
                "r.yaml:1:67: l7.access cannot be changed; these can: db.operation.name, redis.keys",
            ],
        ),
        (
            "rules: [{match: {protocol: redis}, request: {set_headers: {a: b}}, response: {set_headers: {a: b}}, cluster: a},"
            " {match: {protocol: [redis, kafka]}, response: {remove_headers: [a]}, cluster: a},"
            " {match: {protocol: [redis, dubbo]}, response: {remove_headers: [a]}, cluster: a}]",
            [
                "r.yaml:1:59: redis has no headers that can be changed",
                "r.yaml:1:78: answers of redis cannot be changed",
                "r.yaml:1:177: kafka, redis has no headers that can be changed",
            ],
        ),
        ("rules: [{name: a, cluster: a}, {name: a, cluster: b}]", ["r.yaml:1:39: another rule is called 'a'"]),
        (
            "rules: [{cluster: a, rate_limit: {name: x, tokens: 1, every: 1}}, "
            "{cluster: b, rate_limit: {name: x, tokens: 2, every: 1}}, {cluster: c, match: {kind: [], status: []}}]",
            [
                "r.yaml:1:92: another limit is called 'x', and allows something else",
                "r.yaml:1:152: expected at least one",
                "r.yaml:1:164: expected at least one",
            ],
        ),
        ("rules: [{retry: {attempts: 2, on: [OK]}, cluster: a}]", ["r.yaml:1:35: what came out OK is not sent again"]),
        ("rules: []\nrules: []", ["r.yaml:2:1: key 'rules' stands here twice"]),
        ("rules: [*none]", ["r.yaml:1:9: unknown alias 'none'"]),
        ("rules: &a [*a]", ["r.yaml:1:12: alias 'a' stands inside of what it names"]),
        ("rules: !!python/none 5", ["r.yaml:1:8: unknown tag 'tag:yaml.org,2002:python/none'"]),
        ("rules: !!binary '*'", ["r.yaml:1:8: !!binary is no Base64"]),
        ("rules: [", ["r.yaml:1:9: expected the node content, but found '<stream end>'"]),
        ("rules: []\n---\nrules: []", ["r.yaml:2:1: a second document; a file has one"]),
        ("[" * 1_000, ["r.yaml:1:33: more than 32 mappings and lists within each other"]),
        ('rules: [{cluster: "\\ud83d"}]', ["r.yaml:1:19: a half of a character, without the other"]),
        ("rules:\n\t- {cluster: a}", ["r.yaml:2:1: found character '\\t' that cannot start any token"]),
        ("? [a]\n: b", ["r.yaml:1:3: a key is a string, not a list"]),
        (b"rules: \xff", ["r.yaml:1:8: invalid start byte"]),
        ("# \u00e9\nrules: [\0]".encode(), ["r.yaml:2:9: special characters are not allowed"]),
        ("# \u00e9\nrules: [\0]".encode("utf-16"), ["r.yaml:2:9: special characters are not allowed"]),
        ("rules: [\0]", ["r.yaml:1:9: special characters are not allowed"]),
        (
            'rules: [{cluster: a, hash: {by: resource, between: "{}\\n"}, rate_limit: {tokens: 1, every: 1.0e-308}}]',
            [
                "r.yaml:1:52: '{}\\n' is not as it has to be: Two characters; what stands between them is hashed.",
                "r.yaml:1:92: 1e-308 is not in 1e-06…86400",
            ],
        ),
        (
            "rules: [{match: {peer: {ports: {from: 9999999999999999999}}}, cluster: a, deadline: 0.0000001s}]",
            [
                "r.yaml:1:32: a port is 0 to 65535",
                "r.yaml:1:85: '0.0000001s' is not at least 1 µs and at most 86400 seconds",
            ],
        ),
        (
            "rules: [{reply: {status: ABORTED}, rate_limit: {tokens: 1, every: 1}}]",
            ["r.yaml:1:48: a reply is made here and nothing is sent on: rate_limit has no meaning"],
        ),
        (
            "rules: []\nclusters: {a: {hosts: ['h:065535999', 'h:65536', 'h:80', 'h:80']}}",
            [
                "r.yaml:2:24: 'h:065535999' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:2:39: 'h:65536' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
                "r.yaml:2:58: 'h:80' stands here twice",
            ],
        ),
    ],
)  # fmt: skip
def test_every_problem_is_told_with_its_place(text: str | bytes, expected: list[str]) -> None:
    assert problems(text) == expected


def test_aliases_are_counted_by_what_they_stand_for() -> None:
    """Thirty lines that would be a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = problems("\n".join(lines))
    assert len(found) == 1 and found[0].endswith("more than 1000000 values, those behind aliases counted each time")


def test_a_text_is_bounded() -> None:
    assert problems("#" * (17 << 20)) == [f"r.yaml:1:1: the file has {17 << 20} octets; the limit is {16 << 20}"]


def test_a_hundred_problems_are_enough() -> None:
    assert len(problems("rules: [" + "{}, " * 1_000 + "]")) == 100


def test_words_of_old_yaml_are_strings() -> None:
    table = parse_routes("rules: [{match: {operation: [no, on, 'true', y]}, cluster: off}]").table
    assert table.rules[0].action.cluster == "off"


# The published schema: what it allows, a second checker allows, and what ours tells, that one tells as well.

CHECKER = jsonschema.Draft202012Validator(json_schema())
ODD: list[Any] = [None, True, 0, -1, 1.5, "", "x", "GET", [], {}, ["a"], {"x": 1}, {"exact": "a"}, "5s", 10**12]


def spoilt(draw: random.Random, value: Any) -> Any:
    """`value` with one change somewhere."""
    nodes: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        each = stack.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        nodes += [(each, key) for key in keys]
        stack += [each[key] for key in keys]
    place, key = draw.choice(nodes)
    change = draw.randrange(3)
    if change == 0:
        place[key] = copy.deepcopy(draw.choice(ODD))
    elif change == 1:
        del place[key]
    elif isinstance(place, dict):
        place[draw.choice(["nam", "prefix", "x", "weight"])] = draw.choice(ODD)
    else:
        place.append(draw.choice(ODD))
    return value


def plain(config: Any) -> Any:
    value = config.value
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_the_documentation_has_the_schema() -> None:
    path = Path(__file__).parents[1] / "docs/reference/routes.schema.json"
    assert json.loads(path.read_text("utf-8")) == json_schema()


def test_the_example_is_one() -> None:
    assert len(load_routes(Path(__file__).parents[1] / "examples/routes.yaml").table) == 3


def test_the_schema_is_one_and_allows_what_we_read() -> None:
    from l7codecs.routing.reading import parse_config

    jsonschema.Draft202012Validator.check_schema(json_schema())
    CHECKER.validate(plain(parse_config(WHOLE)))


@pytest.mark.parametrize("seed", range(4))
def test_a_second_checker_allows_the_same(seed: int) -> None:
    from l7codecs.routing.reading import parse_config
    from l7codecs.routing.shape import check_shape

    draw = random.Random(seed)
    whole = plain(parse_config(WHOLE))
    verdicts = []
    for _ in range(50):
        document = spoilt(draw, copy.deepcopy(whole))
        for _ in range(draw.randrange(2)):
            document = spoilt(draw, document)
        config = parse_config(json.dumps(document))
        check_shape(config)
        assert (config.problem_count == 0) is CHECKER.is_valid(document), (document, config._problems)
        verdicts.append(config.problem_count == 0)
        found: Routes | ConfigError
        try:
            found = parse_routes(json.dumps(document))
        except ConfigError as error:
            found = error
        assert isinstance(found, Routes) or found.problems
    assert 3 < sum(verdicts) < 47
