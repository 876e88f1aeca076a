"""Write the vectors: what nats-py and lines written by hand, and a real nats-server, say to each other.

Usage: ``python tools/record_vectors.py`` with nats-py installed and ``nats-server`` on the path
(``go install github.com/nats-io/nats-server/v2@v2.15.2``). The server runs on the loopback, and is stopped when done.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import nats

from l7codecs.testing import Relay

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}\r\nPING\r\n'

CASES = {
    "verbose": b'CONNECT {"verbose":true}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\nSUB a..b 2\r\nUNSUB 1\r\nPING\r\n',
    "no-connect": b"SUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n",
    "pedantic": b'CONNECT {"pedantic":true}\r\nPUB a.* 0\r\n\r\nPING\r\n',
    "plain": CONNECT + b"SUB a q 1\r\nPUB a re 0002\r\nhi\r\nPING\r\n",
    "blanks": CONNECT + b"sub\ta  s-1.x \r\npub   a\t2 \nhi\r\nPING\nUNSUB s-1.x 3\r\nPONG\r\nPING\r\n",
    "headers": CONNECT
    + b"SUB h 1\r\nHPUB h re 30 32\r\nNATS/1.0\r\nA:b\r\nA: b2\r\na: c\r\n\r\nhi\r\nHPUB h 5 7\r\nxyz\r\nhi\r\nPING\r\n",
    "no-responders": CONNECT + b"SUB _INBOX.x 1\r\nPUB none _INBOX.x 2\r\nhi\r\nPING\r\n",
    "request": CONNECT
    + b"SUB svc 1\r\nSUB my.inbox.* 2\r\nPUB svc my.inbox.7 2\r\nhi\r\nPUB my.inbox.7 4\r\npong\r\nPING\r\n",
    "closed": b'CONNECT {"verbose":false}\r\nFOO\r\n',
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with server() as (port, name):
        for case, octets in CASES.items():
            record(port, f"{name}, lines by hand", case, lambda address, said=octets: say(address, said))
        record(
            port,
            f"{name}, asked by nats-py {version('nats-py')}",
            "nats-py",
            lambda address: asyncio.run(ask(*address)),
        )
    with server("ping_interval: 1\n") as (port, name):
        record(port, f"{name}, lines by hand, ping_interval 1 s", "heartbeat", heartbeat)


@contextlib.contextmanager
def server(config: str = "") -> Iterator[tuple[int, str]]:
    """A running nats-server: its port, and its name with the version."""
    program = shutil.which("nats-server")
    if program is None:
        raise SystemExit("nats-server is not there")
    found = re.search(r"v[\d.]+", subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(config)
        file.flush()
        process = subprocess.Popen(
            [program, "-a", "127.0.0.1", "-p", str(port), "-c", file.name], stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if time.monotonic() > deadline:
                    raise SystemExit("nats-server does not listen")
                time.sleep(0.05)
            yield port, f"nats-server {found[0] if found else ''}"
        finally:
            process.terminate()
            process.wait(20)


def record(port: int, source: str, name: str, client: Callable[[tuple[str, int]], None]) -> None:
    """Let `client` speak through a relay, and write down what was said."""
    with Relay(("127.0.0.1", port)) as relay:
        client(("127.0.0.1", relay.port))
        (recording,) = relay.wait_closed()
    print(recording.to_vector(name).save(FOLDER, f"{source}; tools/record_vectors.py"))


def say(address: tuple[str, int], octets: bytes) -> None:
    """Wait for INFO, send all at once, and read until nothing comes any more."""
    with socket.create_connection(address, 5) as connection:
        connection.recv(65536)
        connection.sendall(octets)
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while connection.recv(65536):
                pass


def heartbeat(address: tuple[str, int]) -> None:
    """Answer the server's first PING."""
    with socket.create_connection(address, 5) as connection:
        connection.recv(65536)
        connection.sendall(CONNECT)
        octets = b""
        while b"PING\r\n" not in octets:
            octets += connection.recv(65536)
        connection.sendall(b"PONG\r\n")
        time.sleep(0.2)


async def ask(host: str, port: int) -> None:
    client = await nats.connect(f"nats://{host}:{port}")

    async def answer(message: nats.aio.msg.Msg) -> None:
        await message.respond(b"pong")

    await client.subscribe("svc", cb=answer)
    await client.subscribe("svc2", queue="q", cb=answer)
    assert (await client.request("svc", b"hi")).data == b"pong"
    await client.request("svc", b"hi", headers={"A": "b"})
    await client.request("svc", b"hi", old_style=True)
    with contextlib.suppress(nats.errors.NoRespondersError):
        await client.request("none", b"x")
    await client.publish("a", b"x", headers={"K": "v"})
    await client.flush()
    await client.drain()


if __name__ == "__main__":
    main()
