"""The relay of examples/: two sessions to each connection, real clients, real servers, requests routed one by one."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.events
import psutil
import pytest

from l7codecs.testing import free_port

RELAY = Path(__file__).resolve().parents[3] / "examples" / "http2_relay.py"
CALLS = 1000


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < until, f"nothing listens on {port}"
        time.sleep(0.02)


@contextlib.contextmanager
def running(*command: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield process
        finally:
            process.terminate()


class Echo(grpc.GenericRpcHandler):
    """Answers with its own name, so that a crossed response shows."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = details.method.rpartition("/")[2]
        if method == "Echo":
            return grpc.unary_unary_rpc_method_handler(self.echo)
        if method == "Count":
            return grpc.unary_stream_rpc_method_handler(lambda n, _: (b"%d" % i for i in range(int(n))))
        if method == "Sum":
            return grpc.stream_unary_rpc_method_handler(lambda parts, _: b"%d" % sum(len(part) for part in parts))
        if method == "Turn":
            return grpc.stream_stream_rpc_method_handler(lambda parts, _: (part[::-1] for part in parts))
        return None

    def echo(self, octets: bytes, context: grpc.ServicerContext) -> bytes:
        if octets == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        context.set_trailing_metadata((("served-by", self.name.decode()), ("raw-bin", b"\0\xff")))
        return self.name + b":" + octets


OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    servers, ports = [], []
    for name in (b"one", b"two"):
        server = grpc.server(futures.ThreadPoolExecutor(8), options=OPTIONS)
        server.add_generic_rpc_handlers((Echo(name),))
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        servers.append(server)
    port = free_port()
    with (
        running(
            sys.executable,
            str(RELAY),
            str(port),
            f"/two.={ports[1]}",
            f"/none.={free_port()}",
            str(ports[0]),
            port=port,
        ),
        grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as found,
    ):
        yield found
    for server in servers:
        server.stop(None)


@pytest.mark.parametrize("name", ["one", "two"])
def test_every_kind_of_call(channel: grpc.Channel, name: str) -> None:
    answer, call = channel.unary_unary(f"/{name}.S/Echo").with_call(
        b"hi", metadata=(("x", "1"), ("x", "2"), ("y-bin", b"\0\xff")), timeout=10
    )
    assert answer == name.encode() + b":hi"
    assert dict(call.trailing_metadata()) == {"served-by": name, "raw-bin": b"\0\xff"}
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(f"/{name}.S/Echo")(b"fail", timeout=10)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
    assert list(channel.unary_stream(f"/{name}.S/Count")(b"300", timeout=10)) == [b"%d" % i for i in range(300)]
    assert channel.stream_unary(f"/{name}.S/Sum")(iter([b"x" * 5000] * 100), timeout=10) == b"500000"
    assert list(channel.stream_stream(f"/{name}.S/Turn")(iter([b"ab", b"cd"]), timeout=10)) == [b"ba", b"dc"]


def test_messages_larger_than_every_window(channel: grpc.Channel) -> None:
    large = os.urandom(6_000_000)
    assert channel.unary_unary("/two.S/Echo")(large, timeout=30) == b"two:" + large


def test_no_response_is_lost_or_crossed(channel: grpc.Channel) -> None:
    calls = [
        (name, b"%d" % n, channel.unary_unary(f"/{name}.S/Echo").future(b"%d" % n, timeout=60))
        for n in range(CALLS)
        for name in ("one", "two")
    ]
    for name, octets, call in calls:
        assert call.result() == name.encode() + b":" + octets


def test_a_server_that_is_not_there_concerns_its_requests_alone(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/none.S/Echo")(b"x" * 100_000, timeout=10)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.UNAVAILABLE, "no server")
    assert channel.unary_unary("/one.S/Echo")(b"x", timeout=10) == b"one:x"


def test_cancelled_calls_leave_the_others_alone(channel: grpc.Channel) -> None:
    stream = channel.unary_stream("/one.S/Count")(b"100000", timeout=10)
    assert next(stream) == b"0"
    stream.cancel()
    assert channel.unary_unary("/one.S/Echo")(b"x", timeout=10) == b"one:x"


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def memory(process: subprocess.Popen[bytes]) -> int:
    return int(psutil.Process(process.pid).memory_info().rss)


@pytest.mark.interop
def test_a_client_that_does_not_read_one_answer_gets_the_others(tmp_path: Path) -> None:
    """One stream's window stays closed: the relay neither stops the others, nor keeps what the server could send of it."""
    (tmp_path / "large").write_bytes(bytes(40_000_000))
    (tmp_path / "small").write_bytes(b"small")
    port, relay = free_port(), free_port()
    with (
        running(tool("nghttpd"), "--no-tls", "-d", str(tmp_path), str(port), port=port),
        running(sys.executable, str(RELAY), str(relay), str(port), port=relay) as process,
        socket.create_connection(("127.0.0.1", relay), timeout=20) as connection,
    ):
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        client.increment_flow_control_window(2**30)
        get = [(":method", "GET"), (":scheme", "http"), (":authority", "x")]
        client.send_headers(1, [*get, (":path", "/large")], end_stream=True)
        connection.sendall(client.data_to_send())
        before, bodies = memory(process), {1: 0}
        for stream in range(3, 203, 2):
            client.send_headers(stream, [*get, (":path", "/small")], end_stream=True)
            bodies[stream] = 0
            ended = False
            while not ended:
                connection.sendall(client.data_to_send())
                for event in client.receive_data(connection.recv(65536)):
                    if isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] += len(event.data)
                    ended |= isinstance(event, h2.events.StreamEnded) and event.stream_id == stream
        assert bodies.pop(1) == 65_535
        assert set(bodies.values()) == {5}
        assert memory(process) - before < 8_000_000
        # What was held back comes when the client reads on.
        client.increment_flow_control_window(2**30, stream_id=1)
        left = 40_000_000 - 65_535
        while left:
            connection.sendall(client.data_to_send())
            left -= sum(len(e.data) for e in client.receive_data(connection.recv(1 << 20)) if hasattr(e, "data"))


@pytest.mark.interop
def test_a_server_that_goes_away(tmp_path: Path) -> None:
    """What it was asked is answered with an error, what is asked afterwards goes to the next that listens there."""
    port, relay = free_port(), free_port()
    server = grpc.server(futures.ThreadPoolExecutor(2), options=OPTIONS)
    server.add_generic_rpc_handlers((Echo(b"one"),))
    other = server.add_insecure_port("127.0.0.1:0")
    server.start()
    (tmp_path / "a").write_bytes(b"there")
    with (
        running(sys.executable, str(RELAY), str(relay), f"/one={other}", str(port), port=relay),
        grpc.insecure_channel(f"127.0.0.1:{relay}", options=OPTIONS) as channel,
    ):
        listener = socket.create_server(("127.0.0.1", port))
        hanging = channel.unary_unary("/two.S/Echo").future(b"x", timeout=20)
        connection, _ = listener.accept()
        assert connection.recv(24).startswith(b"PRI * HTTP/2.0")
        connection.close()
        listener.close()
        assert hanging.exception().code() is grpc.StatusCode.UNAVAILABLE
        assert channel.unary_unary("/one.S/Echo")(b"x", timeout=10) == b"one:x"
        with running(tool("nghttpd"), "--no-tls", "-d", str(tmp_path), str(port), port=port):
            command = [tool("curl"), "-sS", "--http2-prior-knowledge", f"http://127.0.0.1:{relay}/a"]
            assert subprocess.run(command, capture_output=True, timeout=20, check=True).stdout == b"there"
    server.stop(None)


@pytest.mark.interop
def test_no_response_is_lost_or_crossed_in_100_000(tmp_path: Path) -> None:
    """Two servers, ten connections with a hundred streams at once; every body has the size that its path has."""
    ports, relay = [free_port(), free_port()], free_port()
    with contextlib.ExitStack() as stack:
        for number, port in enumerate(ports):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "ab"[number]).write_bytes(b"x" * (1 + 999 * number))
            stack.enter_context(running(tool("nghttpd"), "--no-tls", "-d", str(folder), str(port), port=port))
        stack.enter_context(
            running(sys.executable, str(RELAY), str(relay), f"/b={ports[1]}", str(ports[0]), port=relay)
        )
        urls = [f"http://127.0.0.1:{relay}/{name}" for name in "ab"]
        command = [tool("h2load"), "-n", "100000", "-c", "10", "-m", "100", *urls]
        report = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
        assert "100000 succeeded, 0 failed, 0 errored, 0 timeout" in report
        assert "status codes: 100000 2xx" in report
        assert f"({50_000 * 1 + 50_000 * 1000}) data" in report, report


@pytest.mark.interop
def test_clients_that_leave_with_requests_in_flight(tmp_path: Path) -> None:
    """h2load ends when its time is over; nothing is written to its connections then, and others are served."""
    (tmp_path / "a").write_bytes(b"x" * 500)
    server, relay = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(tool("nghttpd"), "--no-tls", "-d", str(tmp_path), str(server), port=server))
        errors = stack.enter_context((tmp_path / "errors").open("w+b"))
        command = [sys.executable, str(RELAY), str(relay), str(server)]
        process = stack.enter_context(subprocess.Popen(command, stderr=errors))
        stack.callback(process.terminate)
        wait_for(relay)
        load = [tool("h2load"), "-c", "10", "-m", "100", f"http://127.0.0.1:{relay}/a"]
        subprocess.run([*load, "-D", "2"], capture_output=True, timeout=60, check=True)
        report = subprocess.run([*load, "-n", "2000"], capture_output=True, text=True, timeout=60, check=True).stdout
        assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in report
        time.sleep(0.5)
        written = [line for line in (tmp_path / "errors").read_text().splitlines() if not line.startswith("l7codecs:")]
        assert written == []


@pytest.mark.interop
def test_h2load_and_curl(tmp_path: Path) -> None:
    octets = os.urandom(20_000).replace(b"two", b"owt")
    ports = [free_port(), free_port()]
    relay = free_port()
    with contextlib.ExitStack() as stack:
        for number, port in enumerate(ports):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "a").write_bytes(octets)
            (folder / "b").write_bytes(b"two" if number else b"one")
            stack.enter_context(running(tool("nghttpd"), "--no-tls", "-d", str(folder), str(port), port=port))
        stack.enter_context(
            running(sys.executable, str(RELAY), str(relay), f"/b={ports[1]}", str(ports[0]), port=relay)
        )
        url = f"http://127.0.0.1:{relay}"
        command = [tool("h2load"), "-n", "4000", "-c", "4", "-m", "25", f"{url}/a", f"{url}/b"]
        report = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert "4000 succeeded, 0 failed, 0 errored, 0 timeout" in report
        assert re.search(r"\(40006000\) data", report), report
        found = subprocess.run(
            [tool("nghttp"), "-u", f"{url}/b", f"{url}/a"], capture_output=True, timeout=20, check=True
        )
        # The answers come in any order, and one inside the other.
        assert len(found.stdout) == len(octets) + 3 and found.stdout.replace(b"two", b"", 1) == octets
        for options in (
            ["--http2-prior-knowledge"],
            ["--http2"],
            ["--http2", "-d", "x" * 100],
            ["--http2", "-T", __file__],
        ):
            for path, expected in (("/a", octets), ("/b", b"two")):
                found = subprocess.run(
                    [tool("curl"), "-sS", *options, f"{url}{path}"], capture_output=True, timeout=20, check=True
                )
                assert found.stdout == expected
