"""Real servers on the loopback, each with a recording relay in front."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from l7codecs.testing import PATIENCE, Relay, free_port

from .observing import Conversation

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "http2_relay.py"

# ----------------------------------------------------------------------------------------------------------------- gRPC

Metadata = list[tuple[str, bytes]]


def as_octets(metadata: object) -> Metadata:
    """Metadata of grpcio with all values as octets, sorted by name; the values of one name keep their order."""
    pairs = [(str(key), value.encode() if isinstance(value, str) else bytes(value)) for key, value in metadata or ()]
    return sorted(pairs, key=lambda pair: pair[0])


@dataclass
class ServerCall:
    """What the server says of one call."""

    method: str
    metadata: Metadata
    remaining: float | None = None
    received: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the server knows that the call is over, for whatever reason."""


class GrpcService(grpc.GenericRpcHandler):
    """Methods by the last part of their names; everything that they see is noted."""

    def __init__(self) -> None:
        self.calls: list[ServerCall] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        action = getattr(self, f"do_{details.method.rpartition('/')[2].lower()}", None)
        if action is None:
            return None

        def behave(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            call = ServerCall(details.method, as_octets(context.invocation_metadata()), context.time_remaining())
            self.calls.append(call)
            context.add_callback(call.ended.set)
            for answer in action(self._noted(call, requests), context):
                call.sent.append(answer)
                yield answer

        return grpc.stream_stream_rpc_method_handler(behave)

    @staticmethod
    def _noted(call: ServerCall, requests: Iterator[bytes]) -> Iterator[bytes]:
        for request in requests:
            call.received.append(request)
            yield request

    @staticmethod
    def do_echo(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.send_initial_metadata(
            (("x-initial", "one"), ("x-initial", "two"), ("x-initial-bin", bytes(range(256))))
        )
        context.set_trailing_metadata((("x-trailing", "last"), ("x-trailing-bin", b"\xff\0\r\n ")))
        yield from requests

    @staticmethod
    def do_collect(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"".join(requests)

    @staticmethod
    def do_mirror(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Sends metadata back as it came, first and last."""
        own = tuple((key, value) for key, value in context.invocation_metadata() if key.startswith("x-"))
        context.send_initial_metadata(own)
        context.set_trailing_metadata(own)
        yield from requests

    @staticmethod
    def do_squeeze(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.set_compression(grpc.Compression.Gzip)
        yield from requests

    @staticmethod
    def do_many(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        count, size = next(requests).split(b",")
        for _ in range(int(count)):
            yield b"m" * int(size)

    @staticmethod
    def do_fail(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """The request: how many answers come first, a code, and details."""
        count, code, details = next(requests).decode().split(",")
        for _ in range(int(count)):
            yield b"before"
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05\x12\x00\xff"),))
        context.abort(next(each for each in grpc.StatusCode if each.value[0] == int(code)), details)

    @staticmethod
    def do_wait(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield next(requests)
        while context.is_active():
            time.sleep(0.01)


class GrpcRoom:
    """A server of grpcio, a relay that records, and a channel through it.

    The relay of examples/, which encodes anew whatever passes, may stand before the recording one or behind it.
    """

    def __init__(self, where: str = "direct") -> None:
        self.service = GrpcService()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self.service,))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._example: subprocess.Popen[bytes] | None = None
        if where == "before the example":
            port = self._start_example(port)
        self.relay = Relay(("127.0.0.1", port))
        port = self.relay.port
        if where == "behind the example":
            port = self._start_example(port)
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)

    def _start_example(self, to: int) -> int:
        """Start the relay of examples/ before that port, and tell its own."""
        port = free_port()
        self._example = subprocess.Popen([sys.executable, str(EXAMPLE), str(port), str(to)], stderr=subprocess.DEVNULL)
        wait_for_port(port, self._example)
        return port

    def call(self, name: str) -> grpc.StreamStreamMultiCallable:
        return self.channel.stream_stream(f"/pack.Test/{name}")

    def hear(self) -> Conversation:
        """End the only connection, and observe it."""
        self.channel.close()
        (recording,) = self.relay.wait_closed()
        return Conversation.of(recording)

    def close(self) -> None:
        self.channel.close()
        self._server.stop(0).wait()
        if self._example is not None:
            self._example.terminate()
            self._example.wait()
        self.relay.close()


@pytest.fixture
def grpc_room(request: pytest.FixtureRequest) -> Iterator[GrpcRoom]:
    """Direct, or where the fixture's parameter says."""
    room = GrpcRoom(getattr(request, "param", "direct"))
    yield room
    room.close()


# --------------------------------------------------------------------------------------------------------------- Triple

PEER = Path(__file__).with_name("dubbo_peer.py")


class TripleRoom:
    """A server of apache-dubbo, a relay, and clients through it; all in processes of their own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [sys.executable, str(PEER), "server", str(port)]
        self._said = folder / "server.jsonl"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.DEVNULL, text=True
            )
        wait_for_port(port, self._process)
        self.port = port
        self.relay = Relay(("127.0.0.1", port))

    def talk(self, *calls: dict[str, object], port: int | None = None) -> list[dict[str, Any]]:
        """What a client says of each of these calls, through the relay or another port."""
        command = [sys.executable, str(PEER), "client", str(port or self.relay.port)]
        printed = subprocess.run(
            command,
            input=json.dumps(calls),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return [json.loads(line) for line in printed.stdout.splitlines()]

    def hear(self) -> Conversation:
        """The only connection."""
        (recording,) = self.relay.wait_closed()
        return Conversation.of(recording)

    def finish(self) -> list[dict[str, Any]]:
        """End the server, and tell what it said."""
        self._process.communicate(timeout=PATIENCE)
        return [json.loads(line) for line in self._said.read_text().splitlines()]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self.relay.close()


@pytest.fixture
def triple_room(tmp_path: Path) -> Iterator[TripleRoom]:
    room = TripleRoom(tmp_path)
    yield room
    room.close()


# ---------------------------------------------------------------------------------------------- servers that are programs


def program(name: str) -> str:
    """The path of an installed program; skips or fails where there is none."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    """Wait until the process listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        if time.monotonic() > end or process.poll() is not None:
            raise RuntimeError("the server does not listen")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as found:
            # Where nobody listens, a port that the system gives out can be connected to itself.
            if found.getsockname() != found.getpeername():
                return
        time.sleep(0.02)


class Room:
    """A server, and a relay in front of it."""

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.folder = folder
        self._printed = folder / "printed"
        with self._printed.open("w") as printed:
            self._process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.DEVNULL)
        wait_for_port(port, self._process)
        self.relay = Relay(("127.0.0.1", port))
        self.url = f"http://{self.relay.address}"

    def run(self, name: str, *options: str) -> str:
        """What a client prints that is given these options; HTTP stands for the relay."""
        words = [word.replace("HTTP", self.url) for word in options]
        return subprocess.run(
            [program(name), *words], cwd=self.folder, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    def hear(self) -> Conversation:
        """The only connection."""
        (found,) = self.hear_all()
        return found

    def hear_all(self) -> list[Conversation]:
        """All connections, which the clients have closed."""
        return [Conversation.of(recording) for recording in self.relay.wait_closed()]

    def finish(self) -> str:
        """End the server, and tell what it printed."""
        self._process.terminate()
        self._process.wait()
        return self._printed.read_text()

    def close(self) -> None:
        self.finish()
        self.relay.close()


APPLICATION = '''
import json

async def app(scope, receive, send):
    """Answers with what it saw: ``/answer?status`` with that status."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    seen = {
        "method": scope["method"], "path": scope["raw_path"].decode(), "query": scope["query_string"].decode(), "body": len(body),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "version": scope["http_version"],
    }
    status = int(scope["query_string"]) if scope["path"] == "/answer" else 200
    headers = [(b"x-repeat", b"one"), (b"x-repeat", b"two"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    text = b"" if status == 204 or scope["method"] == "HEAD" else json.dumps(seen).encode()
    for start in range(0, len(text), 100):
        await send({"type": "http.response.body", "body": text[start:start + 100], "more_body": True})
    await send({"type": "http.response.body", "body": body if scope["path"] == "/large" else b""})
'''


@pytest.fixture
def hypercorn(tmp_path: Path) -> Iterator[Room]:
    """hypercorn with an application that tells what it saw."""
    (tmp_path / "application.py").write_text(APPLICATION)
    port = free_port()
    options = ["-b", f"127.0.0.1:{port}", "--keep-alive", "1", "--graceful-timeout", "0"]
    room = Room([sys.executable, "-m", "hypercorn", *options, "application:app"], port, tmp_path)
    yield room
    room.close()


@pytest.fixture
def nghttpd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Room]:
    """nghttpd with four files; the fixture's parameter are further options."""
    (tmp_path / "index.html").write_text("<p>index</p>\n")
    (tmp_path / "style.css").write_text("p { color: red }\n")
    (tmp_path / "medium").write_bytes(b"0123456789" * 1_000)
    (tmp_path / "large").write_bytes(b"0123456789" * 60_000)
    port = free_port()
    options = getattr(request, "param", [])
    room = Room(
        [program("nghttpd"), "--no-tls", "-a", "127.0.0.1", "-d", str(tmp_path), *options, str(port)], port, tmp_path
    )
    yield room
    room.close()
