"""What is asked of the proxies: two servers, and a client that says how many answers it got."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .peers import METHODS, SERVICE

__all__ = ["WORKS", "Answers", "Work", "build_load"]

_HERE = Path(__file__).parent
_FIRST = re.compile(r"requests: .*?(\d+) succeeded, (\d+) failed")


@dataclass(frozen=True)
class Answers:
    """Of one run: how many, how many not, in which time; and how long the slowest in a hundred took at the least, seconds."""

    count: int
    bad: int
    seconds: float
    slow: float = 0.0


@dataclass(frozen=True)
class Work:
    """``server`` is a command for a port and a folder; ``ask`` asks at a port for so many seconds, about, at a rate where it is not 0.

    ``reach`` says which ratios to which peers are wanted.
    """

    protocol: str
    title: str
    server: Callable[[int, Path], list[str]]
    ask: Callable[[int, Path, float, float], Answers]
    reach: Mapping[str, float]


def build_load(folder: Path) -> Path:
    """Compile load.c."""
    program = folder / "load"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(_HERE / "load.c")], check=True)
    return program


def _run(command: Sequence[str], patience: float, folder: Path) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=patience + 120, cwd=folder)
    return done.stdout.decode()


def _loaded(protocol: str, connections: int, depth: int) -> Callable[[int, Path, float, float], Answers]:
    def ask(port: int, folder: Path, seconds: float, rate: float) -> Answers:
        words = [str(folder / "load"), "ask", protocol, *map(str, (port, connections, depth, seconds, rate))]
        said = json.loads(_run(words, seconds, folder))
        bad = said["crossed"] + said["failed"] + said["lost"]
        return Answers(said["answers"], bad, said["seconds"], said["p99"] / 1e6)

    return ask


def _benchmarked(depth: int) -> Callable[[int, Path, float, float], Answers]:
    paced = _loaded("redis", 50, depth)

    def ask(port: int, folder: Path, seconds: float, rate: float) -> Answers:
        if rate:
            return paced(port, folder, seconds, rate)
        each = int(seconds * (60_000 if depth > 1 else 15_000))
        words = ["redis-benchmark", "-p", str(port), "-t", "set,get", "-n", str(each), "-c", "50", "-P", str(depth)]
        said = _run([*words, "-r", "100000", "-d", "100", "--csv"], seconds, folder)
        rates = [
            float(line.split(",")[1].strip('"')) for line in said.splitlines() if line.startswith(('"SET', '"GET'))
        ]
        return Answers(each * len(rates), 2 - len(rates), sum(each / one for one in rates))

    return ask


def _h2load(words: Sequence[str], paths: Sequence[str]) -> Callable[[int, Path, float, float], Answers]:
    def ask(port: int, folder: Path, seconds: float, rate: float) -> Answers:
        count = int(seconds * (rate or 20_000))
        log = folder / "h2load.log"
        log.unlink(missing_ok=True)
        addresses = [f"http://127.0.0.1:{port}{path}" for path in paths]
        pace = [f"--rps={rate / 10}", f"--log-file={log}"] if rate else []
        said = _run(["h2load", "-c", "10", "-m", "100", "-n", str(count), *pace, *words, *addresses], seconds, folder)
        found = _FIRST.search(said)
        took = re.search(r"finished in ([\d.]+)(s|ms)", said)
        assert found is not None and took is not None, said
        times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines()) if rate else [0]
        done = float(took[1]) / (1 if took[2] == "s" else 1000)
        return Answers(int(found[1]), count - int(found[1]), done, times[len(times) * 99 // 100] / 1e6)

    return ask


def _nghttpd(port: int, folder: Path) -> list[str]:
    for name in "ab":
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "x").write_bytes(b"x" * 100)
    return ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", str(folder), str(port)]


def _grpc(port: int, folder: Path) -> list[str]:
    """It answers each method with a message of 100 octets, and with the trailers of a call that went well."""
    message = b"\0" + (100).to_bytes(4, "big") + b"\x0a\x62" + b"x" * 98
    (folder / SERVICE).mkdir(exist_ok=True)
    for name in ("call", *(f"{SERVICE}/{method}" for method in METHODS)):
        (folder / name).write_bytes(message)
    return [*_nghttpd(port, folder)[:-1], "--trailer=grpc-status: 0", str(port)]


def _redis(port: int, folder: Path) -> list[str]:
    server = shutil.which("redis-server") or "redis-server"
    return [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]


def _echo(protocol: str) -> Callable[[int, Path], list[str]]:
    return lambda port, folder: [str(folder / "load"), "serve", protocol, str(port)]


_GRPC_WORDS = (
    "-H",
    "content-type: application/grpc",
    "-H",
    "te: trailers",
    "-d",
    "call",
)  # the file is in the folder of the run

WORKS: Mapping[str, Work] = {
    "redis-16": Work(
        "redis", "Redis GET and SET of 100 octets by key prefix, -P 16 -c 50", _redis, _benchmarked(16),
        {"envoy": 1.3, "nutcracker": 1.3},
    ),
    "redis-1": Work(
        "redis", "the same, -P 1", _redis, _benchmarked(1), {"envoy": 1.0},
    ),
    "h2": Work(
        "h2", "HTTP/2 by path, h2load -c 10 -m 100", _nghttpd, _h2load((), ("/a/x", "/b/x")),
        {"haproxy": 1.0, "nghttpx": 1.0, "envoy": 0.0},
    ),
    "grpc": Work(
        "grpc", "gRPC unary by method, h2load -c 10 -m 100", _grpc,
        _h2load(_GRPC_WORDS, tuple(f"/{SERVICE}/{method}" for method in METHODS)),
        {"envoy": 6.0, "haproxy": 0.0},
    ),
    "thrift-1": Work(
        "thrift", "Thrift framed calls by method, 50 connections x 1", _echo("thrift"), _loaded("thrift", 50, 1),
        {"envoy": 1.3},
    ),
    "thrift-16": Work(
        "thrift", "the same x 16", _echo("thrift"), _loaded("thrift", 50, 16), {"envoy": 4.0},
    ),
    "dubbo-1": Work(
        "dubbo", "Dubbo calls by method, 50 connections x 1", _echo("dubbo"), _loaded("dubbo", 50, 1), {"envoy": 1.0},
    ),
    "dubbo-16": Work(
        "dubbo", "the same x 16", _echo("dubbo"), _loaded("dubbo", 50, 16), {"envoy": 3.0},
    ),
}  # fmt: skip
