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
import pytest

RELAY = Path(__file__).resolve().parents[3] / "examples" / "http2_relay.py"
CALLS = 1000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < until, f"nothing listens on {port}"
        time.sleep(0.02)


@contextlib.contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield
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


OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


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


@pytest.mark.interop
def test_h2load_and_curl(tmp_path: Path) -> None:
    octets = os.urandom(20_000)
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
        for options in (["--http2-prior-knowledge"], ["--http2"]):
            for path, expected in (("/a", octets), ("/b", b"two")):
                found = subprocess.run(
                    [tool("curl"), "-sS", *options, f"{url}{path}"], capture_output=True, timeout=20, check=True
                )
                assert found.stdout == expected
