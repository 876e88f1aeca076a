"""Brokers of Apache Kafka, each one process, on free ports of the loopback: ``python protocols/kafka/tools/broker.py [options]``.

    with Broker() as broker:
        run_a_client("127.0.0.1", broker.ports["CLIENTS"])

The jars come through Maven into a cache (``L7CODECS_KAFKA_CACHE``, else ``~/.cache/l7codecs/kafka``), once for each version. Needs Java (17
or newer), and Maven where the cache does not have them yet.

A broker listens for CLIENTS, for clients that use SASL, for such that have to authenticate AGAIN after a while, for itself and other
brokers (INTERNAL), and, where it is a controller, for its quorum. Where the clients of a listener are to come another way (through a relay,
through a proxy), say so before it starts::

    broker = Broker()
    with Relay(("127.0.0.1", broker.ports["CLIENTS"])) as relay:
        broker.advertised["CLIENTS"] = relay.port
        with broker:
            ...

As a command it prints its addresses and stays until its standard input ends.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from l7codecs.testing import PeerCache, free_port, installed

NEWEST = "4.4.0"
OLDER = "3.9.2"
POM = Path(__file__).resolve().parent / "peers" / "pom.xml"
LISTENERS = ("CLIENTS", "SASL", "AGAIN", "INTERNAL", "CONTROLLER")
CLUSTER = base64.urlsafe_b64encode(b"l7codecs-kafka-1").decode().rstrip("=")
CACHE = PeerCache("kafka")
PATIENCE_S = 90.0
REAUTHENTICATION_MS = 2000
"""After so long a connection of the listener AGAIN has to authenticate again."""

PLAIN_USERS = {"alice": "alice-secret"}
SCRAM_USERS = {"carol": "carol-secret"}

# The heap is what a broker of tests needs; a compiler of one tier and one collector's thread start fastest on few processors.
JVM = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
       "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")  # fmt: skip


def install(version: str = NEWEST) -> str:
    """The class path of Kafka `version`, which is downloaded where the cache does not have it."""

    def download(target: Path) -> None:
        command = [
            installed("mvn"),
            "-q",
            "-B",
            "-f",
            POM,
            f"-Dkafka.version={version}",
            "dependency:copy-dependencies",
        ]
        options = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
        subprocess.run([*command, *options], check=True, stdin=subprocess.DEVNULL)

    return f"{CACHE.made(f'kafka-{version}', download, [POM])}/*"


class Broker:
    """One process. As a context manager it is started, and stopped at the end.

    version: of Apache Kafka.
    node: its number.
    ports: where it listens, by the listener's name.
    advertised: the ports that it tells to clients, where these are others. As they are when it starts.
    """

    def __init__(
        self, version: str = NEWEST, node: int = 1, *, voter: Broker | None = None, brokers: int = 1, **settings: str
    ) -> None:
        """Find ports.

        Args:
            version: see above.
            node: see above.
            voter: the broker that is the controller as well; this one where it is None.
            brokers: how many there will be: topics of the broker's own have so many replicas.
            settings: further lines of its configuration, with ``_`` for ``.``.
        """
        self.version = version
        self.node = node
        self.ports = {name: free_port() for name in LISTENERS}
        self.advertised: dict[str, int] = {}
        self._voter = voter or self
        self._brokers = brokers
        self._settings = {key.replace("_", "."): value for key, value in settings.items()}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients find it: ``host:port``."""
        return f"127.0.0.1:{self.advertised.get('CLIENTS', self.ports['CLIENTS'])}"

    @property
    def sasl_address(self) -> str:
        """Where clients that use SASL find it: ``host:port``."""
        return f"127.0.0.1:{self.advertised.get('SASL', self.ports['SASL'])}"

    def __enter__(self) -> Broker:
        try:
            self.start()
            self.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to start it: for the first time with an empty folder, then with what is there."""
        path = install(self.version)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="l7k")
        folder = Path(self._folder.name)
        settings = folder / "server.properties"
        settings.write_text("".join(f"{key}={value}\n" for key, value in self._configuration(folder / "log").items()))
        java = [installed("java"), *JVM, "-cp", path]
        with (folder / "printed").open("ab") as printed:
            if not (folder / "log").exists():
                users = [f"--add-scram=SCRAM-SHA-{size}=[name={name},password={word}]"
                         for name, word in SCRAM_USERS.items() for size in (256, 512)]  # fmt: skip
                format_ = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings), *users]
                self._run(format_, printed)
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", str(settings)],
                stdout=printed,
                stderr=printed,
                stdin=subprocess.DEVNULL,
                cwd=folder,
            )

    def _run(self, command: list[str], printed: object) -> None:
        subprocess.run(command, stdout=printed, stderr=printed, stdin=subprocess.DEVNULL, check=True)  # type: ignore[call-overload]

    def wait(self, brokers: int = 1) -> None:
        """Wait until it answers, and knows of so many brokers. Raises `RuntimeError` with the last it printed where that never comes."""
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError, struct.error):
                if ask_brokers(self.ports["CLIENTS"]) >= brokers:
                    return
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Kafka {self.version} does not answer: {self.printed()[-2000:]}")
            time.sleep(0.05)

    def printed(self) -> str:
        """What the process has printed."""
        return "" if self._folder is None else (Path(self._folder.name) / "printed").read_text("utf-8", "replace")

    def stop(self) -> None:
        """End it in order; what it has kept stays, for `start`."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it in order, start it again, and wait until it answers."""
        self.stop()
        self.start()
        self.wait()

    def close(self) -> None:
        """End it at once, and throw away what it has kept."""
        self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _configuration(self, log: Path) -> dict[str, str]:
        controls = self._voter is self
        own = LISTENERS if controls else LISTENERS[:-1]
        copies = str(self._brokers)
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        users = " ".join(f'user_{name}="{word}"' for name, word in PLAIN_USERS.items())
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        found = {
            "process.roles": "broker,controller" if controls else "broker",
            "node.id": str(self.node),
            "controller.quorum.voters": f"{self._voter.node}@127.0.0.1:{self._voter.ports['CONTROLLER']}",
            "listeners": ",".join(f"{name}://127.0.0.1:{self.ports[name]}" for name in own),
            "advertised.listeners": ",".join(
                f"{name}://127.0.0.1:{self.advertised.get(name, self.ports[name])}" for name in LISTENERS[:-1]
            ),
            "listener.security.protocol.map": ",".join(
                f"{name}:{'SASL_PLAINTEXT' if name in ('SASL', 'AGAIN') else 'PLAINTEXT'}" for name in LISTENERS
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl.plain.sasl.jaas.config": f"{plain} {users};",
            "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.again.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.again.plain.sasl.jaas.config": f"{plain} {users};",
            "listener.name.again.plain.connections.max.reauth.ms": str(REAUTHENTICATION_MS),
            "log.dirs": str(log),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.num.partitions": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.share.heartbeat.interval.ms": "1000",
            "group.share.min.heartbeat.interval.ms": "1000",
            "log.cleaner.enable": "false",
        }
        if self.version < "4":
            found = {key: value for key, value in found.items() if "share" not in key}
        return {**found, **self._settings}


def ask_brokers(port: int, host: str = "127.0.0.1") -> int:
    """How many brokers the one there knows of, by Metadata v1 without topics."""
    request = struct.pack(">hhihi", 3, 1, 0, -1, 0)
    with socket.create_connection((host, port), timeout=5) as connection:
        if connection.getsockname() == connection.getpeername():
            return 0  # where nobody listens, a port that the system gives out can be connected to itself
        connection.sendall(struct.pack(">i", len(request)) + request)
        head = connection.recv(12, socket.MSG_WAITALL)
        (brokers,) = struct.unpack_from(">i", head, 8)
    return int(brokers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Run brokers of Apache Kafka on the loopback.")
    parser.add_argument("--version", default=NEWEST, help=f"of Kafka ({NEWEST})")
    parser.add_argument("--brokers", type=int, default=1, help="how many (1)")
    parser.add_argument("--install", action="store_true", help="only download what is needed")
    options = parser.parse_args(arguments)
    install(options.version)
    if options.install:
        return 0
    with contextlib.ExitStack() as stack:
        brokers = [Broker(options.version, brokers=options.brokers)]
        brokers += [
            Broker(options.version, 2 + number, voter=brokers[0], brokers=options.brokers)
            for number in range(options.brokers - 1)
        ]
        for broker in brokers:
            stack.callback(broker.close)
            broker.start()
        for broker in brokers:
            broker.wait(options.brokers)
            print(f"node {broker.node}: {broker.address}, with SASL {broker.sasl_address}", flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
