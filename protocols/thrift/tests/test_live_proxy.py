"""examples/thrift_proxy.py between real clients and two servers: what goes where, what is shared, and what a server's end does."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from thrift.Thrift import TApplicationException, TMessageType
from thriftpy2.thrift import TApplicationException as TApplicationException2

import l7codecs
from l7codecs import Kind, Sender
from l7codecs.testing import Recording, Relay, check_cuts, free_port
from l7codecs_thrift import ThriftMessage

from .conftest import needs, tool

ROOM = Path(__file__).resolve().parents[1]
EXAMPLE = ROOM.parents[1] / "examples" / "thrift_proxy.py"
python_shop = tool("python_shop")
pytestmark = pytest.mark.interop

REFUSED = (TApplicationException, TApplicationException2)
HOST = "127.0.0.1"


def started(program: Path, port: int, *words: str) -> subprocess.Popen[bytes]:
    """A process that listens on that port."""
    command = [sys.executable, "-u", str(program), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection((HOST, port)):
            return process
        time.sleep(0.05)
    process.kill()
    raise TimeoutError(f"{program.name} does not listen: {process.communicate()[1].decode()}")


class Setup:
    """Two servers, a relay before each, a proxy, and clients. Calls of echo, and of what begins with `f`, go to the second first."""

    def __init__(self, transport: str = "framed", encoding: str = "binary", library: str = "apache") -> None:
        self.how = transport, encoding
        self._stack = ExitStack()
        self.servers: list[subprocess.Popen[bytes]] = []
        self.relays: list[Relay] = []
        for name in "ab":
            port = free_port()
            self.servers.append(started(ROOM / "tools" / "python_shop.py", port, library, str(port), *self.how, name))
            self.relays.append(self._stack.enter_context(Relay((HOST, port))))
        first, second = (each.port for each in self.relays)
        self.port = free_port()
        rules = [f"echo@{second},{first}", f"*f*@{second},{first}", f"*@{first},{second}"]
        self._proxy = started(EXAMPLE, self.port, str(self.port), *rules)
        self._clients: list[Any] = []

    def client(self, library: str = "apache", **options: Any) -> Any:
        """A new connection."""
        made = {"apache": python_shop.ApacheClient, "thriftpy2": python_shop.Thriftpy2Client}[library]
        self._clients.append(made(self.port, *self.how, **options))
        return self._clients[-1]

    def close(self) -> str:
        """End it; what the proxy has printed."""
        for client in self._clients:
            client.close()
        time.sleep(0.05)
        self._proxy.kill()
        printed = self._proxy.communicate()[1]
        for each in self.servers:
            each.kill()
            each.communicate()
        self._stack.close()
        return printed.decode()

    def kill(self, number: int) -> None:
        """End a server at once."""
        self.servers[number].kill()
        self.servers[number].wait()

    def fired(self, number: int) -> str:
        """The one-way call that a server got next."""
        output = self.servers[number].stdout
        assert output is not None
        return output.readline().decode().strip()

    def heard(self, number: int) -> list[list[ThriftMessage]]:
        """What passed before a server, on each connection on which anything did."""
        found = []
        for recording in self.relays[number].recordings:
            if recording.pieces:
                found.append(messages(recording))
        return found


def messages(recording: Recording) -> list[ThriftMessage]:
    """What a session tells of it, in whatever cuts."""
    outcome = check_cuts(lambda: l7codecs.open_session("thrift"), recording.to_vector())
    assert not outcome.errors
    found = [each for each in outcome.events if isinstance(each, ThriftMessage)]
    assert len(found) == len(outcome.events)
    for each in found:
        assert each.sender is Sender.CLIENT or (each.request is not None and each.request.number == each.number)
    return found


def used(*words: str, **options: Any) -> Iterator[Setup]:
    opened = needs(Setup, *words, **options)
    try:
        yield opened
    finally:
        printed = opened.close()
    assert "closing" not in printed and "Traceback" not in printed, printed


@pytest.fixture(params=["framed", "unframed"])
def setup(request: pytest.FixtureRequest) -> Iterator[Setup]:
    yield from used(request.param)


HOWS = [
    ("framed", "binary", "apache"),
    ("unframed", "compact", "apache"),
    ("header", "binary", "apache"),
    ("header", "compact", "apache"),
    ("unframed", "json", "apache"),
    ("unframed", "binary", "thriftpy2"),
    ("framed", "compact", "thriftpy2"),
]


@pytest.fixture(params=HOWS, ids=lambda how: "-".join(how))
def any_setup(request: pytest.FixtureRequest) -> Iterator[Setup]:
    yield from used(*request.param)


def test_methods_are_split_over_shared_connections(any_setup: Setup) -> None:
    """Every client has its own answers, and each server has one connection with all calls of its methods, small and large."""
    libraries = ["apache"] * 3
    if any_setup.how[0] in ("framed", "unframed") and any_setup.how[1] != "json":
        libraries += ["thriftpy2"] * 2
    said: list[Any] = [None] * len(libraries)

    def talk(number: int) -> None:
        client = any_setup.client(libraries[number])
        found = [client.call("hello", f"é{number}.{turn}") for turn in range(5)]
        found.append(client.call("echo", f"{number}" * 200_000) == f"{number}" * 200_000)
        found += [client.call("nothing"), client.call("fire", f"fired {number}"), client.call("slow", str(number), 20)]
        try:
            client.call("failing", "declared")
        except (python_shop.Gone, python_shop.SHOP.Gone) as gone:
            found.append(gone.why)
        said[number] = found

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(len(libraries))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    for number, found in enumerate(said):
        hellos = [f"a: é{number}.{turn}" for turn in range(5)]
        assert found == [*hellos, True, None, None, f"a: {number}", "sold"], number
    assert sorted(any_setup.fired(1) for _ in said) == [f"fired {number}" for number in range(len(said))]
    for number, expected in enumerate([{"hello": 5, "nothing": 1, "slow": 1}, {"echo": 1, "fire": 1, "failing": 1}]):
        (found,) = any_setup.heard(number)
        asked = [each.operation for each in found if each.sender is Sender.CLIENT]
        assert {each: asked.count(each) for each in asked} == {name: n * len(said) for name, n in expected.items()}
        assert {(each.transport, each.encoding) for each in found} == {any_setup.how}
        calls = [each for each in found if each.kind is Kind.REQUEST]
        assert {each.request for each in found if each.sender is Sender.SERVER} == set(calls)


def test_a_server_that_is_killed(any_setup: Setup) -> None:
    """What was on its way is answered with an error, at once, to each as it has asked; the next calls have the other server."""
    clients = [any_setup.client() for _ in range(3)]
    for number, client in enumerate(clients):
        assert client.call("hello", "x", seqid=number) == "a: x"
    for number, client in enumerate(clients):
        client.send("slow", f"n{number}", 15_000, seqid=number)
    while sum(each.octets(Sender.CLIENT).count(b"slow") for each in any_setup.relays[0].recordings) < len(clients):
        time.sleep(0.02)
    begun = time.monotonic()
    any_setup.kill(0)
    for number, client in enumerate(clients):
        with pytest.raises(TApplicationException, match="the server is gone") as refused:
            client.receive("slow", seqid=number)
        assert refused.value.type == TApplicationException.INTERNAL_ERROR
    assert time.monotonic() - begun < 10
    for number, client in enumerate(clients):
        assert client.call("hello", "again", seqid=number) == "b: again"
        assert client.call("echo", "still") == "still"
    (found,) = any_setup.heard(1)
    assert [each.operation for each in found if each.sender is Sender.CLIENT] == ["hello", "echo"] * 3


@pytest.mark.parametrize("kind", [TMessageType.ONEWAY, TMessageType.CALL])
def test_one_way_calls_of_a_server_that_is_killed(setup: Setup, kind: int) -> None:
    """Nobody waits for their answers, not even where they are written as calls, as Go does: none is made here."""
    client = setup.client(one_way=kind)
    assert [client.call("hello", str(turn), seqid=turn) for turn in range(2)] == ["a: 0", "a: 1"]
    client.call("fire", "first", seqid=2)
    assert client.call("hello", "x", seqid=3) == "a: x"
    for number in range(4, 40):
        client.call("fire", "more", seqid=number)
    client.send("slow", "x", 15_000, seqid=40)
    assert [setup.fired(1) for _ in range(37)] == ["first"] + ["more"] * 36
    setup.kill(1)
    time.sleep(0.3)
    setup.kill(0)
    with pytest.raises(TApplicationException, match="the server is gone"):
        client.receive("slow", seqid=40)
    for number, name in enumerate(("echo", "hello", "fire", "nothing"), 41):  # nobody is there
        if name == "fire":
            client.call(name, "x", seqid=number)
            continue
        with pytest.raises(TApplicationException, match="gone"):
            client.call(name, *(["x"] if name != "nothing" else []), seqid=number)


def test_more_one_way_calls_than_wait(setup: Setup) -> None:
    """A server that has nothing else but one-way calls that are written as calls does not fill the proxy."""
    client = setup.client(one_way=TMessageType.CALL)
    for number in range(25_000):
        client.send("fire", "x", seqid=number)
    for _ in range(25_000):
        assert setup.fired(1) == "x"
    assert client.call("hello", "there") == "a: there"
    assert client.call("echo", "there") == "there"


def test_a_server_that_closes_in_place_of_an_answer() -> None:
    """As thriftpy2 does, for a failure that is not declared: that connection was shared, and is made again."""
    for setup in used("framed", "binary", library="thriftpy2"):
        failing, waiting = setup.client(), setup.client("thriftpy2")
        assert waiting.call("echo", "x") == "x"
        with pytest.raises(TApplicationException, match="the server is gone"):
            failing.call("failing", "undeclared")
        assert failing.call("echo", "on") == waiting.call("echo", "on") == "on"
        assert waiting.call("fire", "on") is None


def test_nothing_fits(setup: Setup) -> None:
    """Finagle asks whether it may write a struct before each message: not on a connection that clients share."""
    client = setup.client()
    with pytest.raises(TApplicationException, match="Unknown function") as refused:
        client.call("__can__finagle__trace__v3__")
    assert refused.value.type == TApplicationException.UNKNOWN_METHOD
    assert client.call("hello", "x") == "a: x"
    with pytest.raises(TApplicationException, match="Unknown function"):
        client.call("notThere")
