"""Other people's Hessian 2: libraries of Java, Node and Go, fetched by Maven, npm and Go, and programs that use them.

What is fetched and compiled is kept in a cache (``L7CODECS_DUBBO_CACHE``, or one in the home directory), made anew where a source changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from l7codecs.testing import PeerCache, installed

ROOM = Path(__file__).resolve().parent.parent
PROGRAMS = ROOM / "tests"
CACHE = PeerCache("dubbo")
PATIENCE_S = 300


class Library(NamedTuple):
    """A library of Java."""

    name: str
    group: str
    artifact: str
    version: str
    package: str


LIBRARIES = (
    Library("lite4", "org.apache.dubbo", "hessian-lite", "4.0.4", "com.alibaba.com.caucho.hessian.io"),
    Library("lite3", "com.alibaba", "hessian-lite", "3.2.13", "com.alibaba.com.caucho.hessian.io"),
    Library("caucho", "com.caucho", "hessian", "4.0.66", "com.caucho.hessian.io"),
    Library("sofa4", "com.alipay.sofa", "hessian", "4.0.4", "com.caucho.hessian.io"),
    Library("sofa3", "com.alipay.sofa", "hessian", "3.5.6", "com.caucho.hessian.io"),
)
"""The last one speaks the older draft."""

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>l7codecs</groupId><artifactId>peers</artifactId><version>1</version>
<dependencies><dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency></dependencies>
</project>"""

OPENS = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "math", "util")]
JVM = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xss8m", *OPENS]


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command that prepares something. Raises `FileNotFoundError` where it is not installed."""
    command = [installed(str(command[0])), *command[1:]]
    subprocess.run(
        command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE_S
    )


def jars(library: Library) -> Path:
    """The folder with a library's jars."""
    pom = POM.format(**library._asdict())

    def fetch(folder: Path) -> None:
        (folder / "pom.xml").write_text(pom, "utf-8")
        run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"],
            folder,
        )

    return CACHE.made(library.name, fetch, [pom.encode()]) / "jars"


def classes(program: Path, path: str = "") -> Path:
    """The folder with the classes of a program of Java."""

    def compile_java(folder: Path) -> None:
        run(["javac", "-Xlint:none", *(("-cp", path) if path else ()), "-d", folder, program], folder)

    return CACHE.made("hessian-classes", compile_java, [program])


def java(library: Library, *arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What HessianPeer.java prints with this library."""
    return _printed(java_command(library, *arguments), lines)


def java_command(library: Library, *arguments: str) -> list[str]:
    """What runs HessianPeer.java with this library."""
    path = f"{classes(PROGRAMS / 'java' / 'HessianPeer.java')}{os.pathsep}{jars(library)}/*"
    return [installed("java"), *JVM, "-cp", path, "HessianPeer", arguments[0], library.package, *arguments[1:]]


def node_program(program: Path, package: Path = PROGRAMS / "node" / "package.json") -> Path:
    """A program of Node, beside what its package needs."""

    def install(folder: Path) -> None:
        shutil.copy(program, folder)
        shutil.copy(package, folder)
        run(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder)

    return CACHE.made("hessian-node", install, [program, package]) / program.name


def node(*arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What hessian_peer.js prints."""
    return _printed(node_command(*arguments), lines)


def node_command(*arguments: str) -> list[str]:
    """What runs hessian_peer.js."""
    return [installed("node"), str(node_program(PROGRAMS / "node" / "hessian_peer.js")), *arguments]


def go(*arguments: str, lines: Sequence[str] = ()) -> list[str]:
    """What hessian_peer.go prints."""
    sources = [PROGRAMS / "go" / name for name in ("hessian_peer.go", "go.mod")]

    def build(folder: Path) -> None:
        for source in sources:
            shutil.copy(source, folder)
        run(["go", "mod", "tidy"], folder)
        run(["go", "build", "-o", "peer", "."], folder)

    folder = CACHE.made("hessian-go", build, sources)
    return _printed([str(folder / "peer"), *arguments], lines)


def _printed(command: Sequence[str], lines: Sequence[str]) -> list[str]:
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout.splitlines()
