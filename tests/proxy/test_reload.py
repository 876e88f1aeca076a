"""What a reload means for who is connected already: the rules of now, whatever becomes of the listener."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

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
