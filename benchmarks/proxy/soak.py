"""Many messages through one engine, and what became of them: ``python -m benchmarks.proxy.soak [--messages 10000000] [--protocols …]``.

Each request carries its connection and its number, and its answer has to carry both again (load.c; soak_clients.py for gRPC and Kafka):
what is lost, crossed or answered with an error is counted, and after each part how much memory the engine holds. Of `h2` and `h2-grpc`
h2load counts what did not go well; it looks at no body. The first part is for what it fills once, such as caches: memory is flat where
the last parts hold no more than the first ones after it.

Messages are requests and answers together, as the engine counts them. With ``--seconds`` a protocol ends after so many of them as well:
real clients of gRPC and Kafka ask less often than load.c. Kafka needs what protocols/kafka/tools/broker.py does.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from l7codecs.testing import free_port, load_tool

from . import kafka
from .peers import PEERS
from .processes import cpu_seconds, resident, running
from .works import WORKS, build_load

_PART = 10.0
"""Seconds of one part."""
_BY_H2LOAD = {"h2": "h2", "h2-grpc": "grpc"}
"""By the name here, the work: ten connections, others in each part, with 100 streams each."""
_ROOT = Path(__file__).resolve().parents[2]
_TOOLS = _ROOT / "protocols" / "kafka" / "tools"
_CLIENTS = ["env", f"PYTHONPATH={_ROOT}", sys.executable, "-m", "benchmarks.proxy.soak_clients"]


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def counted(folder: Path) -> int:
    """The requests that the engine has counted."""
    with contextlib.closing(_Unix(folder / "admin")) as admin:
        admin.request("GET", "/metrics")
        page = admin.getresponse().read().decode()
    return sum(int(float(each)) for each in re.findall(r"^l7codecs_requests_total\{.*\} (\S+)$", page, re.MULTILINE))


@contextlib.contextmanager
def started(protocol: str, depth: int, folder: Path) -> Iterator[tuple[int, list[str], Callable[[], dict[str, int]]]]:
    """With servers: the port for the engine, the command that starts it there, and what asks for one part, and says what became of it."""
    port = free_port()

    def asking(*words: str) -> Callable[[], dict[str, int]]:
        return lambda: json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)

    if protocol == "kafka":
        with load_tool(_TOOLS, "broker").Broker() as broker:
            ours = kafka.engine(port, broker.ports["CLIENTS"], folder)
            yield port, ours, asking(*_CLIENTS, "kafka", str(port), "8", str(_PART))
        return
    servers = [free_port(), free_port()]
    name = _BY_H2LOAD.get(protocol)
    work = WORKS[name] if name else next(each for each in WORKS.values() if each.protocol == protocol)
    with contextlib.ExitStack() as stack:
        for each in servers:
            command = [*_CLIENTS, "grpc-serve", str(each)] if protocol == "grpc" else work.server(each, folder)
            stack.enter_context(running(command, each, folder / "servers.log"))
        ours = PEERS["ours"](work.protocol, port, servers, folder)
        if name:

            def ask() -> dict[str, int]:
                said = work.ask(port, folder, _PART, 0)
                return {"answers": said.count, "failed": said.bad}

            yield port, ours, ask
        elif protocol == "grpc":
            yield port, ours, asking(*_CLIENTS, "grpc", str(port), "20", str(depth), str(_PART))
        else:
            load = [str(folder / "load"), "ask", protocol, str(port), "50", str(depth)]
            yield port, ours, asking(*load, str(_PART), "0")


def soak(protocol: str, messages: int, seconds: float, depth: int, folder: Path) -> bool:
    """So many messages, requests and answers together, or for so long; whether all are right."""
    with started(protocol, depth, folder) as (port, command, ask), running(command, port, folder / "log") as ours:
        held: list[int] = []
        right = bad = 0
        began = time.monotonic()
        while 2 * counted(folder) < messages and time.monotonic() - began < seconds:
            said = ask()
            right += said["answers"]
            bad += sum(said.get(each, 0) for each in ("crossed", "failed", "lost", "closed"))
            held.append(resident(ours))
            print(f"{protocol}: {2 * counted(folder):,} messages, {said}, {held[-1] / 1e6:.1f} MB", flush=True)
        took = time.monotonic() - began
        later = held[1:] or held
        print(
            f"{protocol}: {2 * counted(folder):,} messages in {took:.0f} s, {right:,} right and {bad} lost, crossed or failed; "
            f"{cpu_seconds(ours):.0f} s of processor, {later[0] / 1e6:.1f} MB after {2 if len(held) > 1 else 1} parts, "
            f"{max(later) / 1e6:.1f} MB at most and {later[-1] / 1e6:.1f} MB at the end"
        )
        return bad == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--protocols", default="redis,thrift,dubbo")
    parser.add_argument("--depth", type=int, default=16)
    given = parser.parse_args()
    good = True
    for protocol in given.protocols.split(","):
        with tempfile.TemporaryDirectory() as made:
            build_load(Path(made))
            good &= soak(protocol, given.messages, given.seconds, given.depth, Path(made))
    sys.exit(not good)


if __name__ == "__main__":
    main()
