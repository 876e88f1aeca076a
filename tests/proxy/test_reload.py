"""What a reload means for who is connected already: the rules of now, whatever becomes of the listener."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from l7codecs.cli.proxy import Files
from l7codecs.proxy.loading import parse_settings
from l7codecs.testing import free_port

from .running import read, running, wait_until

TLS = Path(__file__).resolve().parent / "tls"
REFUSED = b"-NOPERM not any more\r\n"


def text_of(
    listeners: dict[str, int], host: str, refuses: bool = False, tls: bool = False, connections: int = 1
) -> str:
    of_all: dict[str, Any] = {"protocol": "redis", "cluster": "a"}
    if tls:
        of_all["tls"] = {"certificate": f"{TLS}/server.pem", "key": f"{TLS}/server.key"}
    reply = {"status": "PERMISSION_DENIED", "text": "not any more"}
    return json.dumps(
        {
            "listeners": {name: {"address": f"127.0.0.1:{port}", **of_all} for name, port in listeners.items()},
            "clusters": {"a": {"hosts": [host], "connections": connections}},
            "rules": [{"match": {"operation": "ECHO"}, "reply": reply}] if refuses else [],
        }
    )


def echoed(raw: socket.socket) -> bytes:
    raw.sendall(b"ECHO abc\r\n")
    first = read(raw, 9)
    return first if first == b"$3\r\nabc\r\n" else first + read(raw, len(REFUSED) - 9)


def connect(port: int, tls: bool = False) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", port))
    if not tls:
        return raw
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    return context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("names", [("main", "more"), ("other", "more"), ("more", "main"), ("main",), ("more",)])
def test_rules_are_those_of_now_for_who_is_connected(servers: Any, names: tuple[str, ...], tls: bool) -> None:
    """Listeners keep their names, get new ones, swap their addresses, or go."""
    ports = [free_port(), free_port()]
    host = servers.hosts[0]
    with running(text_of(dict(zip(("main", "more"), ports, strict=True)), host, tls=tls)) as here:
        clients = [connect(port, tls) for port in ports]
        assert [echoed(each) for each in clients] == [b"$3\r\nabc\r\n"] * 2
        here.apply(text_of(dict(zip(names, ports, strict=False)), host, refuses=True, tls=tls))
        assert [echoed(each) for each in clients] == [REFUSED] * 2
        for name, port in zip(names, ports, strict=False):
            assert here.port(name) == port
            with connect(port, tls) as new:
                assert echoed(new) == REFUSED
        for each in clients:
            each.close()


def test_a_path_that_is_taken_stays_as_it_is(servers: Any, short_path: Path) -> None:
    """Of a file that is no socket, of a proxy that listens, and of one that has gone."""
    path = short_path / "s"

    def text(more: bool) -> str:
        settings = json.loads(text_of({"main": 0}, servers.hosts[0]))
        if more:
            settings["listeners"]["more"] = {"address": f"unix:{path}", "protocol": "redis", "cluster": "a"}
        return json.dumps(settings)

    def ping() -> bytes:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            return echoed(raw)

    with running(text(False)) as here:
        path.write_text("precious")
        with pytest.raises(OSError, match="in use"):
            here.apply(text(True))
        assert path.read_text() == "precious"
        path.unlink()
        with running(text(True)):
            with pytest.raises(OSError, match="in use"):
                here.apply(text(True))
            assert ping() == b"$3\r\nabc\r\n"
        with socket.socket(socket.AF_UNIX) as left:
            path.unlink(missing_ok=True)
            left.bind(str(path))
        here.apply(text(True))
        assert ping() == b"$3\r\nabc\r\n"


def test_clients_share_as_many_connections_as_the_settings_say_now(servers: Any) -> None:
    listeners, host = {"main": free_port()}, servers.hosts[0]
    with running(text_of(listeners, host)) as here:
        clients = [connect(here.port()) for _ in range(6)]
        for count in (1, 3, 2):
            here.apply(text_of(listeners, host, connections=count))
            clients += [connect(here.port()) for _ in range(6)]
            for each in clients:
                assert echoed(each) == b"$3\r\nabc\r\n"
            wait_until(lambda count=count: len(here.engine.pools["a"].hosts[host].servers) == count)  # type: ignore[misc]
        for each in clients:
            each.close()


def test_clients_of_a_listener_that_is_renamed_follow_its_address(servers: Any) -> None:
    port = free_port()

    def text(listener: str, cluster: str, host: str) -> str:
        listeners = {listener: {"address": f"127.0.0.1:{port}", "protocol": "redis", "cluster": cluster}}
        return json.dumps({"listeners": listeners, "clusters": {cluster: {"hosts": [host]}}})

    with running(text("one", "a", servers.hosts[0])) as here, connect(port) as raw:
        assert echoed(raw) == b"$3\r\nabc\r\n"
        here.apply(text("two", "b", servers.hosts[1]))
        assert echoed(raw) == b"$3\r\nabc\r\n"
        assert [each.cluster for each in here.seen.exchanges] == ["a", "b"]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_nobody_who_connects_is_lost_while_a_listener_changes(servers: Any, address: str) -> None:
    """Whenever that is: before the socket that listened is given up, and after."""
    port = free_port()
    text = json.dumps(
        {
            "listeners": {"main": {"address": f"{address}:{port}", "protocol": "auto", "cluster": "a"}},
            "clusters": {"a": {"hosts": [servers.hosts[0]]}},
        }
    )
    texts = text, text.replace("auto", "redis")
    with running(text) as here:

        async def reload(number: int) -> list[socket.socket]:
            found = [socket.create_connection((address, port)) for _ in range(3)]
            for _ in range(number % 5):
                await asyncio.sleep(0)
            await here.engine.apply(parse_settings(texts[number % 2]))
            return [*found, socket.create_connection((address, port))]

        for number in range(1, 21):
            for raw in here.call(reload(number)):
                with raw:
                    raw.sendall(b"*1\r\n$4\r\nPING\r\n")
                    assert read(raw, 7) == b"+PONG\r\n"
        assert here.seen.refusals == []


def test_who_only_looks_whether_anybody_listens_is_no_refusal() -> None:
    with running('listeners: {main: {address: "127.0.0.1:0"}}') as here:
        for first in (b"", b"\x16"):
            with socket.create_connection(("127.0.0.1", here.port())) as raw:
                raw.sendall(first)
                raw.shutdown(socket.SHUT_WR)
                assert read(raw, 1) == b""
        wait_until(lambda: here.seen.refusals)
        assert len(here.seen.refusals) == 1 and "and then nothing" not in here.seen.refusals[0]


def test_a_file_in_the_place_of_another_is_a_change_and_so_is_one_that_comes(tmp_path: Path) -> None:
    """As a ConfigMap's are put: a link to a folder is renamed, and what is behind it may be as old and as long as before."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "p.yaml").write_text(version)
        os.utime(tmp_path / version / "p.yaml", (1e9, 1e9))
    (tmp_path / "data").symlink_to("one")
    main, other = str(tmp_path / "data" / "p.yaml"), str(tmp_path / "other.yaml")
    files = Files((main, other))
    assert not files.have_changed()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    assert files.have_changed() and not files.have_changed()
    (tmp_path / "other.yaml").write_text("now")
    files.follow((other,))
    assert files.have_changed() and not files.have_changed()
    (tmp_path / "other.yaml").unlink()
    assert files.have_changed() and not files.have_changed()


def test_what_a_configuration_names_and_comes_later_is_waited_for(servers: Any, tmp_path: Path) -> None:
    main, port = tmp_path / "p.yaml", free_port()
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:{port}", protocol: redis, cluster: a }} }}
clusters: {{ a: {{ hosts: ["{servers.hosts[0]}"] }} }}
watch: true
"""
    main.write_text(text)
    command = f"ulimit -Sn 64; exec {sys.executable} -m l7codecs proxy -c {main}"
    with (
        subprocess.Popen(["bash", "-c", command], stderr=subprocess.PIPE, text=True) as process,
        contextlib.ExitStack() as held,
    ):
        try:
            assert process.stderr is not None
            assert "main listens on" in process.stderr.readline()
            many = [held.enter_context(connect(port)) for _ in range(80)]
            assert {echoed(each) for each in many} == {b"$3\r\nabc\r\n"}, "so many files as the system allows are open"
            main.write_text(text + "routes: { file: routes.yaml }\n")
            assert "cannot be read" in process.stderr.readline()
            assert "goes on as before" in process.stderr.readline()
            reply = "reply: { status: PERMISSION_DENIED, text: not any more }"
            (tmp_path / "routes.yaml").write_text(f"rules: [{{ match: {{ operation: ECHO }}, {reply} }}]")
            assert "says now" in process.stderr.readline()
            assert {echoed(each) for each in many[:2]} == {REFUSED}
            main.write_text(main.read_text() + "workers: 2\n")
            assert "says now" in process.stderr.readline()
            assert "but for workers" in process.stderr.readline()
        finally:
            process.terminate()


def test_who_waits_for_nothing_by_tls_does_not_hold_up_the_end(servers: Any) -> None:
    """It does not read, and so never says that it has seen the end: its bound is that of who reads nothing."""
    tls = f"tls: {{ certificate: {TLS}/server.pem, key: {TLS}/server.key }}"
    text = f"""
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis, cluster: a, stalled: 200ms, {tls} }} }}
clusters: {{ a: {{ hosts: ["{servers.hosts[0]}"] }} }}
"""
    with running(text) as here, connect(here.port(), tls=True) as raw:
        assert echoed(raw) == b"$3\r\nabc\r\n"
        begun = time.monotonic()
        here.call(here.engine.drain(15))
        assert time.monotonic() - begun < 10
