"""Real peers of Apache Thrift, each a process that is client and server, and is told in lines what to do.

    with Peer("java") as server, Peer("go") as client:
        port = server.serve("framed", "compact")
        said = client.call(port, "framed", "compact", ["Shop.hello:626f62", "Shop.nothing:"])
        seen = server.seen()

They are the programs of the folder ``peers``: talk_python.py, Talk.java, talk.go, talk.js, talk.cpp, talk_thriftpy2.py, all with the
interface peers.thrift. What they read::

    serve PORT TRANSPORT ENCODING 0|1                       with 1, several services, multiplexed
    call PORT TRANSPORT ENCODING 0|1 INFOS CALL…            INFOS: key=value,… for THeader, or -
    seen                                                    what the services saw since they were asked last, as CALL…

A CALL is ``Service.method:argument,…``: text in hex, numbers in decimal, a list with ``;``, a struct as the library itself writes it
with its binary protocol, in hex. What came of each is one of ``text:HEX``, ``int:NUMBER``, ``struct:HEX``, ``void``, ``null`` and
``oneway``, or a failure, ``Oops:HEX`` and ``Denied:HEX`` (structs), ``application:TYPE:HEX`` (of the message) and ``lost:HEX`` (of
anything else; what follows goes over a new connection). So everything that a client got can be read by another library than ours.

The compiler is built from the Go module of Apache Thrift, which has the whole source (``go mod download``; needs g++, bison and flex);
npm has no newer library than 0.24, and C++ is Debian's 0.17 with a compiler of its own, which does not know ``uuid``. Needs Java and
Maven, Go, node with npm, and of Debian libthrift-dev, libboost-dev, thrift-compiler. What is downloaded and compiled goes into a cache
(``L7CODECS_THRIFT_CACHE``, else ``~/.cache/l7codecs/thrift``), once for each change.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from l7codecs.testing import PeerCache, PeerProcess, free_port, installed

VERSION = "0.25.0"
LIBRARIES = {
    "python": f"Apache Thrift {VERSION} for Python",
    "java": f"Apache Thrift {VERSION} for Java",
    "go": f"Apache Thrift {VERSION} for Go",
    "node": "thrift 0.24.0 of npm",
    "cpp": "Apache Thrift 0.17.0 for C++",
    "thriftpy2": "thriftpy2 0.7.1",
}
NAMES = tuple(LIBRARIES)
PEERS = Path(__file__).resolve().parent / "peers"
INTERFACE = PEERS / "peers.thrift"
CACHE = PeerCache("thrift")
PATIENCE_S = 60.0

FOUR = ("binary", "old-binary", "compact", "json")
HEADER = ("binary", "compact")
OFFERS: dict[str, dict[str, tuple[str, ...]]] = {
    "python": {
        "framed": FOUR,
        "unframed": FOUR,
        "zlib": FOUR,
        "http": FOUR,
        "header": HEADER,
        "header-zlib": HEADER,
    },
    "java": {"framed": FOUR, "unframed": FOUR, "zlib": FOUR, "http": FOUR},
    "go": {"framed": FOUR, "unframed": FOUR, "zlib": FOUR, "http": FOUR, "header": HEADER, "header-zlib": HEADER},
    "node": {"framed": FOUR, "unframed": FOUR, "http": FOUR},
    # 0.17 writes beyond its buffer where it compresses or inflates frames of THeader, and dies of that.
    "cpp": {"framed": FOUR, "unframed": FOUR, "zlib": FOUR, "http": FOUR, "header": HEADER},
    "thriftpy2": {
        "framed": (*FOUR, "thriftpy2-json"),
        "unframed": (*FOUR, "thriftpy2-json"),
        "http": (*FOUR, "thriftpy2-json"),
    },
}
"""What each library has: the encodings of each transport."""

# The heap is what a test needs; a compiler of one tier and one collector's thread start fastest on few processors.
JVM = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
       "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-XX:-UsePerfData")  # fmt: skip


def run(*command: str | Path, folder: Path | None = None) -> None:
    """Run a command that prepares something. Raises `FileNotFoundError` where it is not installed."""
    program = installed(str(command[0]))
    subprocess.run([program, *command[1:]], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def compiler() -> Path:
    """The compiler of `VERSION`, with the generators that are needed here."""

    def build(target: Path) -> None:
        command = [installed("go"), "mod", "download", "-json", f"github.com/apache/thrift@v{VERSION}"]
        told = subprocess.run(command, cwd=target, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
        source = Path(json.loads(told)["Dir"]) / "compiler" / "cpp" / "src"
        main = source / "thrift"
        made = target / "thrift-made"
        (made / "thrift").mkdir(parents=True)
        run("bison", "-o", made / "thrift" / "thrifty.cc", f"--defines={made}/thrift/thrifty.hh", main / "thrifty.yy")
        run("flex", "-o", made / "thrift" / "thriftl.cc", main / "thriftl.ll")
        generators = ("t_generator", "t_py_generator", "t_java_generator", "t_go_generator", "t_js_generator",
                      "go_validator_generator", "validator_parser")  # fmt: skip
        files = [main / "common.cc", main / "main.cc", *(main / "generate" / f"{name}.cc" for name in generators)]
        for pattern in ("audit/*.cpp", "parse/*.cc"):
            files += sorted(main.glob(pattern))
        files += sorted((made / "thrift").glob("*.cc"))
        objects = compiled(files, target, [made, made / "thrift", source, main])
        run("g++", "-o", target / "thrift", *objects)
        for each in objects:
            each.unlink()
        shutil.rmtree(made)

    return CACHE.made(f"compiler-{VERSION}", build) / "thrift"


def compiled(files: Sequence[Path], target: Path, includes: Sequence[Path]) -> list[Path]:
    """The object files of these sources, compiled as many at a time as there are processors."""
    options = ["-std=c++17", "-O0", "-w", *(f"-I{each}" for each in includes)]
    objects = [target / f"{file.stem}.o" for file in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(
            pool.map(lambda pair: run("g++", *options, "-c", pair[0], "-o", pair[1]), zip(files, objects, strict=True))
        )
    return objects


def older_interface() -> str:
    """The interface for those who do not know ``uuid``."""
    return re.sub(r"^.* uuid .*\n", "", INTERFACE.read_text("utf-8"), flags=re.MULTILINE)


def generated(language: str) -> Path:
    """The folder with the code that the compiler makes of the interface."""

    def generate(target: Path) -> None:
        run(compiler(), "-out", target, "--gen", language, INTERFACE)

    return CACHE.made(f"generated-{language.partition(':')[0]}", generate, [INTERFACE, language.encode()])


def python_code() -> Path:
    """The folder of the package ``l7peers`` for Apache Thrift for Python."""
    return generated("py")


def java_classes() -> str:
    """The class path of Talk."""

    def download(target: Path) -> None:
        options = ["-q", "-B", "-f", PEERS / "pom.xml", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
        run("mvn", *options, "dependency:copy-dependencies")

    jars = CACHE.made("jars", download, [PEERS / "pom.xml"])

    def build(target: Path) -> None:
        code = sorted(generated("java:generated_annotations=suppress").rglob("*.java"))
        options = ["-nowarn", "-proc:none", "-Xlint:none", "-cp", f"{jars}/*", "-d", target]
        run("javac", *options, PEERS / "Talk.java", *code)

    classes = CACHE.made("java", build, [PEERS / "Talk.java", PEERS / "pom.xml", INTERFACE])
    return f"{classes}{os.pathsep}{jars}/*"


def go_program() -> Path:
    """The program of talk.go."""
    sources = [PEERS / name for name in ("talk.go", "go.mod", "go.sum")]

    def build(target: Path) -> None:
        for each in sources:
            shutil.copy(each, target)
        code = generated("go:package_prefix=l7/") / "l7peers"
        (target / "l7peers").mkdir()
        for each in code.glob("*.go"):
            shutil.copy(each, target / "l7peers")
        run("go", "build", "-o", "talk", ".", folder=target)

    return CACHE.made("go", build, [*sources, INTERFACE]) / "talk"


def node_folder() -> Path:
    """The folder of talk.js and of what it needs."""
    sources = [PEERS / name for name in ("talk.js", "package.json", "package-lock.json")]

    def build(target: Path) -> None:
        for each in sources:
            shutil.copy(each, target)
        shutil.copytree(generated("js:node"), target / "generated")
        run("npm", "ci", "--silent", "--no-audit", "--no-fund", folder=target)

    return CACHE.made("node", build, [*sources, INTERFACE])


def cpp_program() -> Path:
    """The program of talk.cpp, with the library and the compiler of Debian."""

    def build(target: Path) -> None:
        (target / INTERFACE.name).write_text(older_interface(), "utf-8")
        run("thrift", "-out", target, "--gen", "cpp:no_skeleton", target / INTERFACE.name)
        files = [*sorted(target.glob("*.cpp")), PEERS / "talk.cpp"]
        objects = compiled(files, target, [target])
        run("g++", "-o", target / "talk", *objects, "-lthriftz", "-lthrift", "-lz", "-lpthread")
        for each in objects:
            each.unlink()

    return CACHE.made("cpp", build, [PEERS / "talk.cpp", INTERFACE]) / "talk"


def thriftpy2_interface() -> Path:
    """The interface, in a file of its own, without ``uuid``."""

    def write(target: Path) -> None:
        (target / INTERFACE.name).write_text(older_interface(), "utf-8")

    return CACHE.made("thriftpy2", write, [INTERFACE]) / INTERFACE.name


def command_of(name: str) -> list[str | Path]:
    """The command that starts one of `NAMES`; prepares what it needs. Raises `FileNotFoundError` where a tool is not installed."""
    if name == "java":
        return [installed("java"), *JVM, "-cp", java_classes(), "Talk"]
    if name == "go":
        return [go_program()]
    if name == "node":
        folder = node_folder()
        return [installed("node"), folder / "talk.js", folder / "generated"]
    if name == "cpp":
        return [cpp_program()]
    if name == "thriftpy2":
        return [sys.executable, "-W", "ignore", PEERS / "talk_thriftpy2.py", thriftpy2_interface()]
    return [sys.executable, "-W", "ignore", PEERS / "talk_python.py", python_code()]


class Peer(PeerProcess):
    """One of `NAMES`. As a context manager it ends at the end."""

    def __init__(self, name: str) -> None:
        super().__init__(command_of(name), name=name, patience=PATIENCE_S)

    def serve(self, transport: str, encoding: str, *, multiplexed: bool = False) -> int:
        """Offer the service Shop, and Stall beside it where they are `multiplexed`, on a port of its own, which is returned."""
        port = free_port()
        said = self.exchange(f"serve {port} {transport} {encoding} {int(multiplexed)}")
        if said != "serves":
            raise RuntimeError(f"the {self.name} says {said}")
        return port

    def call(
        self,
        port: int,
        transport: str,
        encoding: str,
        calls: Sequence[str],
        *,
        multiplexed: bool = False,
        infos: str = "-",
    ) -> list[str]:
        """Call these one after another; what came of each."""
        return self.exchange(f"call {port} {transport} {encoding} {int(multiplexed)} {infos} {' '.join(calls)}").split()

    def seen(self) -> list[str]:
        """What its services saw since they were asked last."""
        return self.exchange("seen").split()[1:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Offer the service of the tests with one of the libraries, on the loopback."
    )
    parser.add_argument("name", choices=NAMES, nargs="?", default="python")
    parser.add_argument("--transport", default="framed")
    parser.add_argument("--encoding", default="binary")
    parser.add_argument("--install", action="store_true", help="only download and compile what all of them need")
    options = parser.parse_args(arguments)
    if options.install:
        for name in NAMES:
            begun = time.monotonic()
            command_of(name)
            print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        return 0
    with Peer(options.name) as peer:
        print(f"127.0.0.1:{peer.serve(options.transport, options.encoding)}", flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
