"""Which cluster Envoy takes, and which a table takes that has read the same routes: routes and requests by chance, a real Envoy."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import l7codecs
from l7codecs import Sender
from l7codecs.config import ConfigError
from l7codecs.routing import Routes, parse_routes
from l7codecs.testing import free_port, load_tool

pytestmark = pytest.mark.interop

TYPE = "type.googleapis.com/envoy.extensions.filters.network."
CLUSTERS = ("c0", "c1", "c2", "c3")
TABLES = 20
REQUESTS = 25
WAIT = 10.0
REFUSED = "refused"
"""What Envoy does and a table cannot: it says so (docs/howto/route-messages.md)."""
NAMES = ("tenant", "x-lane")
VALUES = ("a", "ab", "5", "10", "-3", "A", "x y", "0010")
EXPRESSIONS = ("a.*", "[0-9]+", "a|b")

_peers: Any = load_tool(Path(__file__).parents[1] / "protocols" / "dubbo" / "tools", "dubbo_peers")


@dataclass(frozen=True)
class Tongue:
    """One protocol, spoken by hand: ``answer`` has the text, which ``read`` finds again; None is an error."""

    routes: Callable[[random.Random], dict[str, Any]]
    request: Callable[[random.Random], bytes]
    size: Callable[[bytes], int]
    answer: Callable[[bytes, str], bytes]
    read: Callable[[bytes], str | None]
    asked: Callable[[bytes], str]
    """What a server says that it was asked."""


def header_match(chance: random.Random) -> dict[str, Any]:
    value = chance.choice(VALUES)
    ways: list[dict[str, Any]] = [
        {},
        {"present_match": chance.random() < 0.5},
        {"range_match": {"start": chance.choice((0, -5, 5)), "end": chance.choice((6, 11, 100))}},
        {"string_match": {"safe_regex": {"regex": chance.choice(EXPRESSIONS)}}},
        {"string_match": {"exact": chance.choice(("", value))}},
        {
            "string_match": {
                chance.choice(("exact", "prefix", "suffix", "contains")): value,
                "ignore_case": chance.random() < 0.3,
            }
        },
        {chance.choice(("exact_match", "prefix_match", "suffix_match", "contains_match")): value},
    ]
    found = {"name": chance.choice((*NAMES, "Tenant")), **chance.choice(ways)}
    if chance.random() < 0.3:
        found["invert_match"] = True
    if chance.random() < 0.2:
        found["treat_missing_header_as_empty"] = True
    return found


def given_headers(chance: random.Random) -> list[tuple[str, str]]:
    return [(chance.choice((name, name.title())), chance.choice(VALUES)) for name in NAMES if chance.random() < 0.6]


# Redis: commands with one key.

_PREFIXES = ["a", "ab", "ab:", "abc", "b", "A", "Ab", "user:", "u", "é", "ab:{"]
_KEYS = ["a", "ab", "ab:1", "abc", "b", "B1", "A", "AB:2", "user:7", "u", "é1", "ab:{z}", "zz", "aB:q", ""]


def redis_routes(chance: random.Random) -> dict[str, Any]:
    fold = chance.random() < 0.3
    chosen = {(each.lower() if fold else each): each for each in chance.sample(_PREFIXES, chance.randrange(6))}
    routes: list[dict[str, Any]] = [{"prefix": each, "cluster": chance.choice(CLUSTERS)} for each in chosen.values()]
    for each in routes:
        if not fold and chance.random() < 0.3:
            each["remove_prefix"] = True
        if chance.random() < 0.3:
            each["read_command_policy"] = {"cluster": chance.choice(CLUSTERS)}
    found: dict[str, Any] = {"routes": routes, "case_insensitive": fold}
    if not routes or chance.random() < 0.6:
        found["catch_all_route"] = {"cluster": chance.choice(CLUSTERS)}
    settings = {"op_timeout": "5s"}
    return {"@type": TYPE + "redis_proxy.v3.RedisProxy", "settings": settings, "prefix_routes": found}


def redis_request(chance: random.Random) -> bytes:
    words = [chance.choice(("GET", "TTL", "INCR", "SET", "HGETALL", "ZADD")), chance.choice(_KEYS)]
    words += {"SET": ["v"], "ZADD": ["1", "m"]}.get(words[0], [])
    octets = [each.encode() for each in words]
    return b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in octets)


def redis_size(octets: bytes) -> int:
    lines = 1 if octets[:1] != b"*" else 1 + 2 * int(octets[1 : octets.find(b"\r\n")] or b"1000")
    if octets[:1] == b"$":
        lines = 2
    at = 0
    for _ in range(lines):
        at = octets.find(b"\n", at) + 1
        if not at:
            return 0
    return at


def redis_asked(octets: bytes) -> str:
    return octets.split(b"\r\n")[4].decode()


# Thrift: framed, or with headers.

_METHODS = ("ping", "Svc:ping", "Svc:pong", "Svc2:ping", "a.Svc:ping", "Svc:More:x", "Svc", "S")


def thrift_routes(chance: random.Random) -> dict[str, Any]:
    routes = []
    for _ in range(chance.randrange(1, 6)):
        names = {"method_name": chance.choice((*_METHODS, ""))}
        if chance.random() < 0.4:
            names = {"service_name": chance.choice(("Svc", "Svc:", "S", "a.Svc", ""))}
        match: dict[str, Any] = dict(names)
        if "" not in names.values() and chance.random() < 0.3:
            match["invert"] = True
        if chance.random() < 0.4:
            match["headers"] = [header_match(chance) for _ in range(chance.randrange(1, 3))]
        route: dict[str, Any] = {"cluster": chance.choice(CLUSTERS)}
        if chance.random() < 0.3:
            route["strip_service_name"] = True
        routes.append({"match": match, "route": route})
    return {"@type": TYPE + "thrift_proxy.v3.ThriftProxy", "route_config": {"name": "r", "routes": routes}}


def thrift_request(chance: random.Random) -> bytes:
    name = chance.choice(_METHODS).encode()
    body = struct.pack(">Ii", 0x80010001, len(name)) + name + b"\0\0\0\7\0"
    headers = given_headers(chance)
    if headers or chance.random() < 0.3:
        info = b"\1" + bytes([len(headers)]) if headers else b""
        info += b"".join(bytes([len(each)]) + each.encode() for pair in headers for each in pair)
        head = b"\0\0" + info + bytes(-(2 + len(info)) % 4)
        body = struct.pack(">HHiH", 0x0FFF, 0, 7, len(head) // 4) + head + body
    return struct.pack(">i", len(body)) + body


def thrift_size(octets: bytes) -> int:
    size = 4 + int.from_bytes(octets[:4], "big")
    return size if 4 < size <= len(octets) else 0


def thrift_message(octets: bytes) -> bytes:
    return octets[14 + 4 * int.from_bytes(octets[12:14], "big") :] if octets[4:6] == b"\x0f\xff" else octets[4:]


def thrift_asked(octets: bytes) -> str:
    message = thrift_message(octets)
    return message[8 : 8 + int.from_bytes(message[4:8], "big")].decode()


def thrift_answer(octets: bytes, text: str) -> bytes:
    message = thrift_message(octets)
    body = message[:3] + b"\2" + message[4:-1] + b"\x0b\0\0" + struct.pack(">i", len(text)) + text.encode() + b"\0"
    if message != octets[4:]:
        body = octets[4:12] + b"\0\1" + bytes(4) + body
    return struct.pack(">i", len(body)) + body


def thrift_read(octets: bytes) -> str | None:
    message = thrift_message(octets)
    return message[19 + int.from_bytes(message[4:8], "big") : -1].decode() if message[3] == 2 else None


# Dubbo: calls in Hessian.

_INTERFACES = ("com.acme.Orders", "com.acme.Users", "com.Orders", "acme", "x.Orders")
_WILD = ("*", "com.acme.*", "*.Orders", "com.*", "*Orders", "com.acme.Orders*")
_CALLED = ("place", "get", "getAll", "Get", "x")


def hessian(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def dubbo_routes(chance: random.Random) -> dict[str, Any]:
    found = []
    for number in range(chance.randrange(1, 5)):
        one: dict[str, Any] = {"name": f"n{number}", "interface": chance.choice(_INTERFACES + _WILD), "routes": []}
        if chance.random() < 0.3:
            one["group"] = chance.choice(("g", "h", ""))
        if chance.random() < 0.3:
            one["version"] = chance.choice(("1.0.0", "2", "0.0.0"))
        for _ in range(chance.randrange(1, 4)):
            way = chance.choice(("exact", "prefix", "suffix", "contains"))
            name = chance.choice(
                (
                    {way: chance.choice((*_CALLED, "g", "All"))},
                    {way: chance.choice(_CALLED), "ignore_case": True},
                    {"safe_regex": {"regex": chance.choice((".*", "get.*", "p.+", "(get|place)"))}},
                )
            )
            match: dict[str, Any] = {"method": {"name": name}}
            if chance.random() < 0.4:
                match["headers"] = [header_match(chance) for _ in range(chance.randrange(1, 3))]
            one["routes"].append({"match": match, "route": {"cluster": chance.choice(CLUSTERS)}})
        found.append(one)
    top: dict[str, Any] = {"route_config": found}
    if chance.random() < 0.5:
        top = {"multiple_route_config": {"name": "m", **top}}
    return {"@type": TYPE + "dubbo_proxy.v3.DubboProxy", **top}


def dubbo_request(chance: random.Random) -> bytes:
    interface = chance.choice(_INTERFACES)
    attachments = [("path", interface), *given_headers(chance)]
    if chance.random() < 0.5:
        attachments.append(("group", chance.choice(("g", "h"))))
    version = chance.choice(("0.0.0", "1.0.0", "2"))
    body = b"".join(map(hessian, ("2.0.2", interface, version, chance.choice(_CALLED), "")))
    body += b"H" + b"".join(hessian(key) + hessian(value) for key, value in attachments) + b"Z"
    return b"\xda\xbb\xc2\0" + struct.pack(">qi", 9, len(body)) + body


def dubbo_size(octets: bytes) -> int:
    size = 16 + int.from_bytes(octets[12:16], "big")
    return size if len(octets) >= size else 0


def dubbo_answer(octets: bytes, text: str) -> bytes:
    body = b"N" if octets[2] & 0x20 else b"\x91" + hessian(text)
    return bytes([0xDA, 0xBB, octets[2] & 0x3F, 20]) + octets[4:12] + struct.pack(">i", len(body)) + body


def dubbo_read(octets: bytes) -> str | None:
    return octets[18:].decode() if octets[3] == 20 and octets[16] == 0x91 else None


TONGUES = {
    "redis": Tongue(
        redis_routes, redis_request, redis_size, lambda _, text: b"$%d\r\n%s\r\n" % (len(text.encode()), text.encode()),
        lambda octets: octets.split(b"\r\n")[1].decode() if octets[:1] == b"$" else None, redis_asked,
    ),
    "thrift": Tongue(thrift_routes, thrift_request, thrift_size, thrift_answer, thrift_read, thrift_asked),
    "dubbo": Tongue(dubbo_routes, dubbo_request, dubbo_size, dubbo_answer, dubbo_read, lambda _: ""),
}  # fmt: skip


def serve(name: str, tongue: Tongue) -> int:
    """A server that says its name, and what it was asked; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(raw: socket.socket) -> None:
        left = b""
        with suppress(OSError), raw:
            while more := raw.recv(65536):
                left += more
                while left and (size := tongue.size(left)):
                    raw.sendall(tongue.answer(left[:size], f"{name} {tongue.asked(left[:size])}"))
                    left = left[size:]

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def asked(port: int, tongue: Tongue, request: bytes) -> str | None:
    """The text that a request is answered with; None where that is an error, or nothing."""
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(WAIT)
        raw.sendall(request)
        found = b""
        while not (size := tongue.size(found) if found else 0):
            more = raw.recv(65536)
            if not more:
                return None
            found += more
        return tongue.read(found[:size])


def ours(routes: Routes, protocol: str, tongue: Tongue, request: bytes) -> str | None:
    (message,) = l7codecs.open_session(protocol).receive(Sender.CLIENT, request)
    rule = routes.table.route(message)
    if rule is None:
        return None
    if rule.action.reply is not None:
        return REFUSED
    changes = None if rule.action.request is None else rule.action.request.changes(message)
    sent = l7codecs.open_session(protocol, endpoint=Sender.CLIENT).send(message, changes)
    return f"{rule.action.cluster} {tongue.asked(sent)}"


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@pytest.fixture
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[tuple[int, str]]]:
    """Ports where Envoy listens, and the routes that it has there."""
    protocol: str = request.param
    tongue = TONGUES[protocol]
    chance = random.Random(protocol)
    found: list[tuple[int, str]] = []
    while len(found) < TABLES:
        text = json.dumps({"stat_prefix": "x", **tongue.routes(chance)})
        with suppress(ConfigError):  # what cannot be expressed
            parse_routes(text)
            found.append((free_port(), text))
    clusters = []
    for name in CLUSTERS:
        ends = [{"lb_endpoints": [{"endpoint": {"address": address(serve(name, tongue))}}]}]
        clusters.append({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": ends}})
    listeners = []
    for port, text in found:
        filters = [{"name": f"envoy.filters.network.{protocol}_proxy", "typed_config": json.loads(text)}]
        listeners.append({"address": address(port), "filter_chains": [{"filters": filters}]})
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}), "utf-8")
    command = [str(_peers.envoy()), "-c", str(path), "--use-dynamic-base-id", "--concurrency", "1", "-l", "off"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        for port, _ in found:
            while process.poll() is None and time.monotonic() < end:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
        assert process.poll() is None, "Envoy does not take these routes"
        yield found
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.skipif(os.environ.get("L7CODECS_INTEROP") != "1", reason="real peers are not asked for")
@pytest.mark.parametrize(("protocol", "tables"), [(each, each) for each in TONGUES], indirect=["tables"], ids=TONGUES)
def test_envoy_chooses_the_same(protocol: str, tables: list[tuple[int, str]]) -> None:
    tongue = TONGUES[protocol]
    chance = random.Random(1)
    chosen = 0
    for port, text in tables:
        routes = parse_routes(text)
        for _ in range(REQUESTS):
            request = tongue.request(chance)
            found = ours(routes, protocol, tongue, request)
            if found == REFUSED:
                continue
            theirs = asked(port, tongue, request)
            assert found == theirs, f"{request!r}\n{text}"
            chosen += theirs is not None
    assert chosen > len(tables)
