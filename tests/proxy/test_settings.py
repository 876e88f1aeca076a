"""What a file of the proxy may say, and what is told of what it may not."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from l7codecs.config import ConfigError
from l7codecs.proxy.loading import json_schema, load_settings, parse_settings

ROOT = Path(__file__).resolve().parents[2]
TLS = Path(__file__).parent / "tls"
WHOLE = """
listeners:
  shop: { address: "127.0.0.1:6380", protocol: redis, cluster: b, idle: 5m, opening: 2s, stalled: 1s, connections: 9 }
  any: { address: "unix:any.sock" }
  broker: { address: "[::1]:9092", protocol: kafka, nodes: [{ id: 1, as: 101, address: "127.0.0.1:9092" }] }
clusters:
  a:
    hosts: ["127.0.0.1:6379", { address: "127.0.0.1:6380", weight: 2 }]
    outliers: { failures: 3 }
    connect: 500ms
    connections: 2
    own: 5
    tls: { name: shop.example, verify: false }
  b: {}
rules:
  - match: { protocol: redis, resources: { prefix: "a:" } }
    cluster: a
limits: { message: 65536 }
workers: 2
drain: 5s
watch: true
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "p.yaml")
    return str(caught.value).splitlines()


def test_all_that_may_be_said() -> None:
    settings = parse_settings(WHOLE)
    shop, anything, broker = settings.listeners
    assert (shop.protocol, shop.cluster, shop.idle, shop.opening, shop.stalled) == ("redis", "b", 300, 2, 1)
    assert (anything.protocol, anything.address) == ("auto", "unix:any.sock")
    (node,) = broker.nodes
    assert (node.number, node.known_as, node.host, node.port) == (1, 101, "127.0.0.1", 9092)
    a = settings.clusters["a"]
    assert (a.connect, a.connections, a.own, a.idle) == (0.5, 2, 5, 600)
    assert a.tls is not None and (a.tls.name, a.tls.verify) == ("shop.example", False)
    assert [host.weight for host in a.cluster.hosts] == [1, 2]
    assert (settings.limits.message, settings.workers, settings.drain, settings.watch) == (65536, 2, 5, True)
    assert len(settings.table) == 1


def test_everything_that_is_wrong_is_told_at_once_with_its_place() -> None:
    assert problems("""
listeners:
  a: { address: "127.0.0.1", protocol: reddis }
  b: { address: "127.0.0.1:1", clutser: x, tls: { certificate: none.pem, key: none.key } }
  c: { address: "127.0.0.1:1", cluster: y, nodes: [{ id: 1, address: "h:1" }], protocol: redis }
clusters:
  x: { hosts: ["nowhere"], connect: soon }
rules:
  - match: { protocol: redis, operaton: GET }
    cluster: z
""") == [
        "p.yaml:3:17: '127.0.0.1' is not HOST:PORT, or [IPV6]:PORT",
        "p.yaml:3:40: unknown protocol 'reddis'; registered: connect, dubbo, grpc, grpc_web, http2, kafka, redis, "
        "thrift, thriftmux, triple; did you mean 'redis'?",
        "p.yaml:4:32: unknown key 'clutser'; did you mean 'cluster'?",
        "p.yaml:4:64: cannot be read: No such file or directory",
        "p.yaml:4:79: cannot be read: No such file or directory",
        "p.yaml:5:17: another listener has 127.0.0.1:1",
        "p.yaml:5:41: unknown cluster 'y'",
        "p.yaml:5:51: answers of redis name no nodes that could be changed",
        "p.yaml:7:16: 'nowhere' is not HOST:PORT, [IPV6]:PORT or unix:PATH",
        "p.yaml:7:37: 'soon' is not as it has to be: Seconds, or a number with one of the units ms, s, m and h.",
        "p.yaml:9:31: unknown key 'operaton'; did you mean 'operation'?",
        "p.yaml:10:14: unknown cluster 'z'",
    ]  # fmt: skip


def test_a_path_that_no_unix_socket_can_have_is_told() -> None:
    path = "unix:/" + "p" * 106
    text = f"""
listeners: {{ a: {{ address: '{path}', cluster: x }} }}
clusters: {{ x: {{ hosts: ['{path}'] }} }}
admin: {{ address: '{path[:-1]}q' }}
"""
    assert parse_settings(text).listeners[0].address == path
    assert problems(text.replace("/p", "/pp")) == [
        "p.yaml:2:28: the path of a Unix socket has at most 107 octets, this has 108",
        "p.yaml:3:26: the path of a Unix socket has at most 107 octets, this has 108",
        "p.yaml:4:19: the path of a Unix socket has at most 107 octets, this has 108",
    ]


def test_an_address_of_a_listener_is_none_for_the_operators() -> None:
    text = 'listeners: {a: {address: "127.0.0.1:1"}}\nadmin: {address: "127.0.0.1:1"}'
    assert problems(text) == ["p.yaml:2:18: a listener has 127.0.0.1:1"]
    assert parse_settings(text.replace(":1", ":0")).telemetry.admin == "127.0.0.1:0"


def test_files_that_tls_has_no_use_for_are_told_before_anybody_connects(tmp_path: Path) -> None:
    certificate, key = TLS / "server.pem", TLS / "server.key"
    encrypted, garbage = tmp_path / "encrypted.key", tmp_path / "garbage.pem"
    encrypted.write_text(key.read_text().replace("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1))
    garbage.write_text("no certificate\n")
    found = problems(f"""
listeners:
  a: {{ address: "127.0.0.1:1", tls: {{ certificate: {certificate}, key: {certificate} }} }}
  b: {{ address: "127.0.0.1:2", tls: {{ certificate: {certificate}, key: {encrypted} }} }}
  c: {{ address: "127.0.0.1:3", tls: {{ certificate: {certificate}, key: {key}, clients: {garbage} }} }}
clusters:
  d: {{ tls: {{ authorities: {garbage} }} }}
""")
    assert [each.partition(": is of no use to TLS")[0] for each in found] == [
        "p.yaml:3:37",
        "p.yaml:4:37",
        "p.yaml:5:37",
        "p.yaml:7:13",
    ]


@pytest.mark.parametrize(
    "text", ["{}", "[]", "listeners: {}", "listeners: {a: {}}", "", "listeners: {a: {address: 1}}"]
)
def test_what_is_no_configuration_is_told(text: str) -> None:
    assert problems(text)


def test_routes_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("""
"@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
stat_prefix: shop
settings: { op_timeout: 0.5s }
prefix_routes: { catch_all_route: { cluster: shop } }
""")
    main = tmp_path / "proxy.yaml"
    text = 'listeners: { a: { address: "127.0.0.1:0" } }\nroutes: { file: routes.yaml }\nclusters: { CLUSTER: {} }\n'
    main.write_text(text.replace("CLUSTER", "shop"))
    settings = load_settings(main)
    assert len(settings.table) == 1
    assert settings.files == (str(main), str(tmp_path / "routes.yaml"))
    main.write_text(text.replace("CLUSTER", "shp"))
    with pytest.raises(ConfigError, match=r"unknown cluster 'shop'; did you mean 'shp'\?"):
        load_settings(main)


def test_what_is_behind_a_name_may_stand_in_the_file_of_routes(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("""
clusters: { a: { hosts: ["h:1"] }, b: { hosts: ["h:2"], outliers: {} } }
rules: [{ clusters: [{ name: a, weight: 1 }, { name: b, weight: 1 }] }]
""")
    main = tmp_path / "proxy.yaml"
    text = 'listeners: { x: { address: "127.0.0.1:0", protocol: redis, cluster: b } }\nroutes: { file: routes.yaml }\n'
    main.write_text(text + "clusters: { b: { connect: 1s } }")
    clusters = load_settings(main).clusters
    assert [(name, clusters[name].cluster.hosts[0].address, clusters[name].connect) for name in sorted(clusters)] == [
        ("a", "h:1", 5.0),
        ("b", "h:2", 1.0),
    ]
    assert clusters["b"].cluster.outliers is not None
    main.write_text(text + 'clusters: { b: { hosts: ["h:3"] } }')
    with pytest.raises(ConfigError, match=r":2:17: cluster 'b' is described there and here") as caught:
        load_settings(main)
    assert caught.value.files == (str(main), str(tmp_path / "routes.yaml"))
    main.write_text(text.replace("routes.yaml }", "routes.yaml, protocol: redis }"))
    with pytest.raises(ConfigError, match=r":2:40: is for the file of a MetaRouter"):
        load_settings(main)


def test_rules_that_hold_for_nothing_that_is_asked_are_told() -> None:
    text = """
listeners: { a: { address: "127.0.0.1:1", protocol: redis } }
clusters: { c: {} }
rules:
- { match: { status: UNAVAILABLE }, cluster: c }
- { match: { protocol: redis, all: [{ kind: [push, response] }] }, cluster: c }
- { match: { any: [{ status: OK }, { kind: oneway }], not: { status: OK } }, cluster: c }
"""
    assert problems(text) == [
        "p.yaml:5:3: 'rule 1' would never hold: the proxy asks about requests alone, and none has this status",
        "p.yaml:6:3: 'rule 2' would never hold: the proxy asks about requests alone, and none has this kind",
    ]


def test_workers_cannot_share_any_port_that_is_free() -> None:
    assert problems('listeners: { a: { address: "127.0.0.1:0" } }\nworkers: 2') == [
        "p.yaml:1:28: each worker would have another port: a needs a number"
    ]


def test_the_schema_is_one_allows_what_we_read_and_is_in_the_documentation() -> None:
    from l7codecs.routing.reading import parse_config

    def plain(config: object) -> object:
        value = getattr(config, "value", config)
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    jsonschema.Draft202012Validator.check_schema(json_schema())
    checker = jsonschema.Draft202012Validator(json_schema())
    checker.validate(plain(parse_config(WHOLE)))
    for path in (ROOT / "examples" / "proxy.yaml",):
        checker.validate(plain(parse_config(path.read_text("utf-8"))))
        load_settings(path)
    assert json.loads((ROOT / "docs/reference/proxy.schema.json").read_text("utf-8")) == json_schema()


def test_the_command_checks_a_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text('listeners: { a: { address: "127.0.0.1:0", protocol: redis } }\n')
    bad.write_text("listeners: { a: { adress: x } }\n")
    command = [sys.executable, "-m", "l7codecs", "proxy", "--check"]
    for named in ([good], ["-c", good]):
        done = subprocess.run([*command, *named], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{good}: 1 listeners, 0 clusters, 0 rules\n")
    for named in ([], [good, "-c", bad]):
        done = subprocess.run([*command, *named], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "") and "expected one file" in done.stderr
    done = subprocess.run([*command, bad], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{bad}:1:19: unknown key 'adress'; did you mean 'address'?" in done.stderr
