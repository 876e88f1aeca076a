"""What the engine does for every protocol: Redis is that of most tests, since its clients and servers are quick to start."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis

from l7codecs.config import ConfigError
from l7codecs.proxy.loading import parse_settings
from l7codecs.routing import Ring
from l7codecs.testing import free_port

from .running import read, running, wait_until

TLS = Path(__file__).resolve().parent / "tls"
ONE = """
listeners:
  main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a }}
clusters:
  a: {{ hosts: ["{0}"] }}
  b: {{ hosts: ["{1}"] }}
"""


def connect(port: int = 0, **given: Any) -> redis.Redis:
    return redis.Redis(port=port, socket_timeout=10, protocol=2, **given)


def ask(raw: socket.socket, octets: bytes, size: int) -> bytes:
    raw.sendall(octets)
    return read(raw, size)


class Scripted:
    """A server that does with each connection what `serve` says."""

    def __init__(self, serve: Any) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.count = 0
        threading.Thread(target=self._accept, args=(serve,), daemon=True).start()

    def _accept(self, serve: Any) -> None:
        while True:
            connection, _ = self.listener.accept()
            self.count += 1
            threading.Thread(target=self._run, args=(serve, connection), daemon=True).start()

    def _run(self, serve: Any, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1000)


# ------------------------------------------------------------------------------------------------------------- sockets


def test_tls_on_both_sides_with_certificates_of_clients(servers: Any, tmp_path: Path) -> None:
    """A second engine ends the first one's TLS before a server that speaks none."""
    secured = f"certificate: {TLS}/server.pem, key: {TLS}/server.key"
    back = ONE.format(*servers.hosts).replace(
        "cluster: a }", f"cluster: a, tls: {{ {secured}, clients: {TLS}/ca.pem }} }}"
    )
    with running(back) as behind:
        at = f"localhost:{behind.port()}"
        front = ONE.format(at, at).replace("cluster: a }", f"cluster: a, tls: {{ {secured} }} }}")
        known = front.replace("  a: {", f"  a: {{ tls: {{ authorities: {TLS}/ca.pem, {secured} }},")
        with running(known) as here, connect(here.port(), ssl=True, ssl_ca_certs=str(TLS / "ca.pem")) as client:
            assert client.set("k", "v")
            assert client.get("k") == servers.direct[0].get("k") == b"v"
            with (
                pytest.raises(ssl.SSLCertVerificationError),
                socket.create_connection(("127.0.0.1", here.port())) as raw,
            ):
                ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
        unknown = front.replace("  a: {", f"  a: {{ tls: {{ authorities: {TLS}/ca.pem }},")
        with (
            running(unknown) as here,
            connect(here.port(), ssl=True, ssl_ca_certs=str(TLS / "ca.pem"), retry=None) as client,
        ):
            with pytest.raises(redis.RedisError):
                client.get("k")
            assert {failure for _, _, failure in here.seen.told()} <= {"CONNECT", "RESET"}


def test_alpn_tells_http2() -> None:
    secured = f"tls: {{ certificate: {TLS}/server.pem, key: {TLS}/server.key }}"
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(lambda asked, _: asked * 2)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", {"m": handler}),))
    certificate = grpc.ssl_server_credentials([((TLS / "server.key").read_bytes(), (TLS / "server.pem").read_bytes())])
    port = server.add_secure_port("127.0.0.1:0", certificate)
    server.start()
    try:
        for protocol in ("grpc", "auto"):
            text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: {protocol}, cluster: a, {secured} }} }}
clusters: {{ a: {{ hosts: ["localhost:{port}"], tls: {{ authorities: {TLS}/ca.pem }} }} }}
"""
            trusted = grpc.ssl_channel_credentials((TLS / "ca.pem").read_bytes())
            with running(text) as here, grpc.secure_channel(f"localhost:{here.port()}", trusted) as channel:
                assert channel.unary_unary("/s/m")(b"x", timeout=10) == b"xx"
    finally:
        server.stop(0)


def test_unix_sockets_on_both_sides(servers: Any, short_path: Path) -> None:
    inner = ONE.format(*servers.hosts).replace("127.0.0.1:0", f"unix:{short_path}/inner")
    outer = ONE.format(f"unix:{short_path}/inner", f"unix:{short_path}/inner").replace(
        "127.0.0.1:0", f"unix:{short_path}/outer"
    )
    with running(inner), running(outer), redis.Redis(unix_socket_path=str(short_path / "outer"), protocol=2) as client:
        assert client.set("k", "v")
        assert client.get("k") == b"v"
    for name in ("inner", "outer"):  # some Pythons clear the path at the end, and an end may be too sudden for that
        (short_path / name).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(short_path / name))
    with running(inner), running(outer), redis.Redis(unix_socket_path=str(short_path / "outer"), protocol=2) as client:
        assert client.get("k") == b"v", "the path that was left is taken again"


def test_who_says_nothing_is_let_go(servers: Any) -> None:
    text = ONE.format(*servers.hosts).replace(
        "cluster: a }", "cluster: a, opening: 300ms, idle: 300ms, connections: 2 }"
    )
    text = text.replace("  a: {", "  a: { idle: 300ms,")
    with running(text) as here:
        silent = socket.create_connection(("127.0.0.1", here.port()))
        quiet = socket.create_connection(("127.0.0.1", here.port()))
        assert ask(quiet, b"PING\r\nGET k\r\n", 12) == b"+PONG\r\n$-1\r\n"
        refused = socket.create_connection(("127.0.0.1", here.port()))
        refused.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert refused.recv(1) == b""
        for each in (silent, quiet):
            each.settimeout(10)
            assert each.recv(1) == b""
            each.close()
        wait_until(lambda: not here.engine.pools["a"].hosts[servers.hosts[0]].servers)
        refused.close()


# ---------------------------------------------------------------------------------------------------------------- rules


def test_a_mirror_gets_a_copy_and_nobody_its_answer(servers: Any) -> None:
    text = ONE.format(*servers.hosts) + "rules:\n- cluster: a\n  mirror: [{ cluster: b }]\n"
    with running(text) as here, connect(here.port()) as client:
        for number in range(100):
            assert client.incr("n") == number + 1
        wait_until(lambda: servers.direct[1].get("n") == b"100")
        assert len(here.seen.exchanges) == 102, "with two of CLIENT SETINFO"
    retried = ONE.format(f'127.0.0.1:{free_port()}", "{servers.hosts[0]}', servers.hosts[1])
    retried += "rules:\n- cluster: a\n  mirror: [{ cluster: b }]\n"
    with running(retried) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        assert ask(raw, b"INCR m\r\n", 4) + ask(raw, b"INCR last\r\n", 4) == b":1\r\n:1\r\n"
        assert [each.attempts for each in here.seen.exchanges] == [2, 1], "the first host refused"
        wait_until(lambda: servers.direct[1].get("last"))
        assert servers.direct[1].get("m") == b"1"
    lost = (
        ONE.format(servers.hosts[0], f"127.0.0.1:{free_port()}") + "rules:\n- cluster: a\n  mirror: [{ cluster: b }]\n"
    )
    with running(lost) as here, connect(here.port()) as client:
        assert client.incr("n") == 101


@pytest.mark.parametrize("late", [False, True])
def test_a_copy_is_whole_or_the_last_of_its_connection(servers: Any, late: bool) -> None:
    """A mirror takes nothing for a while, or a request is given up while it comes: nothing follows such a copy."""
    heard: list[bytearray] = []
    awake = threading.Event()

    def serve(connection: socket.socket) -> None:
        octets = bytearray()
        heard.append(octets)
        awake.wait(20)
        while more := connection.recv(1 << 20):
            octets += more

    rule = "rules:\n- cluster: a\n  mirror: [{ cluster: b }]\n" + ("  deadline: 300ms\n" if late else "")
    text = ONE.format(servers.hosts[0], Scripted(serve).host) + "limits: { queued: 65536 }\n" + rule
    large = b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$16777216\r\n" + os.urandom(1 << 20) * 16 + b"\r\n"
    small = b"*3\r\n$3\r\nSET\r\n$5\r\nsmall\r\n$1\r\nx\r\n"
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        if late:
            awake.set()
            raw.sendall(large[:-1_000_000])
            assert b"no answer in time" in raw.recv(100)
        else:
            assert ask(raw, large, 5) == b"+OK\r\n"
            awake.set()

        def copied() -> bool:
            with socket.create_connection(("127.0.0.1", here.port())) as another:
                ask(another, small, 5)
            return any(small in each for each in heard)

        wait_until(copied)
    for each in heard:
        assert (large + small * 1000).startswith(each) or (small * 1000).startswith(each)


def test_shares_of_clusters(servers: Any) -> None:
    share = "rules:\n- clusters: [{ name: a, weight: 3 }, { name: b, weight: 1 }]\n"
    with running(ONE.format(*servers.hosts) + share) as here, connect(here.port()) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(2000):
            pipeline.set(str(number), 1)
        pipeline.execute()
        found = [each.dbsize() for each in servers.direct]
        assert sum(found) == 2000 and 1350 < found[0] < 1650, found


def test_hosts_take_turns_by_weight_or_by_a_ring(servers: Any) -> None:
    one, two = servers.hosts
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters: {{ both: {{ hosts: ["{one}", {{ address: "{two}", weight: 3 }}] }} }}
rules:
- match: {{ resources: {{ prefix: "ring:" }} }}
  cluster: both
  hash: {{ by: resource }}
- cluster: both
"""
    with running(text) as here, connect(here.port()) as client:
        for number in range(400):
            client.set(f"turn:{number}", 1)
        assert [each.dbsize() for each in servers.direct] == [100, 300]
        for each in servers.direct:
            each.flushall()
        ring = Ring({one: 1, two: 3})
        for number in range(400):
            client.set(f"ring:{number}", 1)
        for direct, host in zip(servers.direct, servers.hosts, strict=True):
            keys = {key.decode() for key in direct.keys("*")}
            assert keys == {f"ring:{n}" for n in range(400) if ring.host(f"ring:{n}".encode()) == host}


def test_a_rate_limit_is_told(servers: Any) -> None:
    limit = "rules:\n- match: { operation: GET }\n  cluster: a\n  rate_limit: { tokens: 5, every: 1h }\n- cluster: a\n"
    with running(ONE.format(*servers.hosts) + limit) as here, connect(here.port(), retry=None) as client:
        for _ in range(5):
            client.get("k")
        with pytest.raises(redis.RedisError, match="too many requests: GET"):
            client.get("k")
        assert client.set("k", 1)


def test_what_a_rule_changes(servers: Any) -> None:
    edit = (
        "rules:\n- cluster: a\n  mirror: [{ cluster: b }]\n"
        '  request: { replace_prefix: { redis.keys: { from: "", to: "tenant:" } } }\n'
    )
    with running(ONE.format(*servers.hosts) + edit) as here, connect(here.port()) as client:
        assert client.mset({"x": 1, "y": 2})
        assert client.mget("x", "y") == [b"1", b"2"]
        assert sorted(servers.direct[0].keys("*")) == [b"tenant:x", b"tenant:y"]
        wait_until(lambda: sorted(servers.direct[1].keys("*")) == [b"tenant:x", b"tenant:y"])


def test_an_answer_that_cannot_be_changed_is_an_error_and_nothing_more(servers: Any) -> None:
    edit = "rules:\n- match: { operation: GET }\n  cluster: a\n  response: { set_headers: { x: y } }\n- cluster: a\n"
    error = b"-ERR replies of redis cannot be changed\r\n"
    expected = error + b":0\r\n" + error
    with (
        running(ONE.format(*servers.hosts) + edit) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        assert ask(raw, b"GET a\r\nEXISTS a\r\nGET b\r\n", len(expected)) == expected


def test_what_reads_is_tried_at_another_host(servers: Any) -> None:
    bad = Scripted(hangs_up)
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters: {{ both: {{ hosts: ["{bad.host}", "{servers.hosts[0]}"], outliers: {{ failures: 1000 }} }} }}
rules: [{{ cluster: both, retry: {{ attempts: 2 }} }}]
"""
    servers.direct[0].set("k", "v")
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        for _ in range(20):
            assert ask(raw, b"GET k\r\n", 7) == b"$1\r\nv\r\n"
        assert max(each.attempts for each in here.seen.exchanges) == 2
        raw.sendall(b"SET k v\r\n" * 2)
        answers = raw.makefile("rb")
        found = sorted(answers.readline()[:5] for _ in range(2))
        assert found == [b"+OK\r\n", b"-TRYA"], "a write may have been done"


def test_a_host_that_fails_gets_no_more(servers: Any) -> None:
    bad = Scripted(hangs_up)
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters:
  both: {{ hosts: ["{bad.host}", "{servers.hosts[0]}"], outliers: {{ failures: 3, base: 1h, share: 0.5 }} }}
rules: [{{ cluster: both, retry: {{ attempts: 2 }} }}]
"""
    with running(text) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        for _ in range(50):
            assert ask(raw, b"GET k\r\n", 5) == b"$-1\r\n"
        assert bad.count == 3
        assert Counter(each.host for each in here.seen.exchanges[10:]) == {servers.hosts[0]: 40}


# --------------------------------------------------------------------------------------------------- changes and the end


def test_a_reload_under_load_loses_nothing(servers: Any) -> None:
    text = ONE.format(*servers.hosts)
    other = text.replace("cluster: a }", "cluster: b, idle: 5m }") + "rules: []\n"
    with running(text) as here:
        done = threading.Event()
        counts: list[int] = []

        def hammer() -> None:
            with connect(here.port(), retry=None) as client:
                count = 0
                while not done.is_set():
                    pipeline = client.pipeline(transaction=False)
                    for _ in range(20):
                        pipeline.incr("n")
                    assert len(pipeline.execute()) == 20
                    count += 20
                counts.append(count)

        with futures.ThreadPoolExecutor(4) as pool:
            running_ones = [pool.submit(hammer) for _ in range(4)]
            for number in range(10):
                time.sleep(0.05)
                here.apply(other if number % 2 == 0 else text)
            done.set()
            for each in running_ones:
                each.result(10)
        assert sum(int(each.get("n") or 0) for each in servers.direct) == sum(counts)
        assert all(each.exists("n") for each in servers.direct)


def test_nobody_who_connects_is_lost_while_a_listener_changes(servers: Any) -> None:
    plain = ONE.format(*servers.hosts)
    secured = plain.replace(
        "cluster: a }", f"cluster: a, tls: {{ certificate: {TLS}/server.pem, key: {TLS}/server.key }} }}"
    )
    port = free_port()
    with running(secured.replace(":0", f":{port}")) as here:
        done = threading.Event()
        failed: list[BaseException] = []
        count = [0]

        def knock() -> None:
            while not done.is_set():
                try:
                    with connect(port, ssl=True, ssl_ca_certs=str(TLS / "ca.pem"), retry=None) as client:
                        client.ping()
                    count[0] += 1
                except Exception as error:
                    failed.append(error)

        knocking = threading.Thread(target=knock)
        knocking.start()
        for _ in range(20):
            time.sleep(0.02)
            here.apply(secured.replace(":0", f":{port}"))
        done.set()
        knocking.join()
        assert failed == [] and count[0] > 2


def test_a_reload_that_cannot_be_leaves_all_as_it_was(servers: Any) -> None:
    with running(ONE.format(*servers.hosts)) as here, socket.create_server(("127.0.0.1", 0)) as taken:
        bad = ONE.format(*servers.hosts).replace(
            "clusters:", f'  more: {{ address: "127.0.0.1:{taken.getsockname()[1]}", protocol: redis }}\nclusters:'
        )
        with pytest.raises(OSError, match="in use"):
            here.apply(bad)
        with pytest.raises(ConfigError):
            parse_settings("listeners: 1")
        with connect(here.port()) as client:
            assert client.ping()


def test_hosts_that_leave_the_configuration_answer_what_they_have(servers: Any) -> None:
    with running(ONE.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        assert ask(raw, b"SET k old\r\n", 5) == b"+OK\r\n"
        servers.direct[0].execute_command("CLIENT", "PAUSE", "300")
        raw.sendall(b"GET k\r\n")
        time.sleep(0.1)
        here.apply(ONE.format(servers.hosts[1], servers.hosts[1]).replace("  b: ", "  c: "))
        assert ask(raw, b"GET k\r\n", 14) == b"$3\r\nold\r\n$-1\r\n"
        wait_until(lambda: servers.direct[0].info("clients")["connected_clients"] == 1)


def test_draining_answers_what_is_under_way(servers: Any) -> None:
    with running(ONE.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        assert ask(raw, b"SET k v\r\n", 5) == b"+OK\r\n"
        servers.direct[0].execute_command("CLIENT", "PAUSE", "300")
        raw.sendall(b"GET k\r\n")
        time.sleep(0.1)
        draining = asyncio.run_coroutine_threadsafe(here.engine.drain(5), here.loop)
        assert ask(raw, b"", 7) == b"$1\r\nv\r\n"
        assert raw.recv(1) == b""
        draining.result(5)


@pytest.fixture
def command(servers: Any, tmp_path: Path) -> Iterator[Any]:
    """The command as a process; called with more of the file, returns it, its port, and the file."""
    started = []

    def start(more: str) -> tuple[subprocess.Popen[str], int, Path]:
        path, port = tmp_path / "proxy.yaml", free_port()
        path.write_text(ONE.format(*servers.hosts).replace("127.0.0.1:0", f"127.0.0.1:{port}") + more)
        process = subprocess.Popen(
            [sys.executable, "-m", "l7codecs", "proxy", "-c", path], stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        return process, port, path

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_the_command_reloads_and_ends(command: Any, servers: Any) -> None:
    process, port, path = command("watch: true\n")
    with connect(port) as client:
        assert client.set("k", "a")
        path.write_text(path.read_text().replace("cluster: a", "cluster: b"))
        wait_until(lambda: client.get("k") is None)
        path.write_text("nonsense: true")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert client.get("k") is None
    process.terminate()
    assert process.wait(10) == 0
    told = process.stderr.read()
    assert "main listens on 127.0.0.1" in told and "unknown key 'nonsense'" in told and "goes on as before" in told


def test_workers_share_a_port_and_are_replaced(command: Any, servers: Any) -> None:
    process, port, _ = command("workers: 2\n")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("children are found by /proc")
    wait_until(lambda: len(children.read_text().split()) == 2)
    before = {int(each) for each in children.read_text().split()}
    clients = [connect(port) for _ in range(20)]
    for client in clients:
        wait_until(lambda client=client: client.set("k", 1))
        client.close()
    gone = min(before)
    os.kill(gone, signal.SIGKILL)
    wait_until(lambda: len({int(each) for each in children.read_text().split()} - before) == 1)
    with connect(port) as client:
        assert client.get("k") == b"1"
    process.terminate()
    assert process.wait(15) == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port)).close()
