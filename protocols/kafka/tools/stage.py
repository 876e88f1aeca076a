"""A stage for real peers: a broker of Kafka with a recording relay in front of each of its listeners, and the clients that come.

    stage = Stage()
    with stage.hear(PRODUCE) as heard:
        stage.ask("java", "produce", topic=stage.topic(), records=[{"partition": 0, "value": "v"}])
    heard[0].to_vector()

What a client is to be told differs only in its options: `sasl_options`, `compression_options`, `acks_options`.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

from broker import NEWEST, Broker
from peers import Peer

from l7codecs import Sender
from l7codecs.testing import Recording, Relay

CODECS = ("gzip", "snappy", "lz4", "zstd")
PRODUCERS = ("java", "confluent", "aiokafka", "kafka_python", "franz_go", "kafka_go")
TEXT = "a value that a compressor can shorten, shorten, shorten, shorten"


def requests(octets: bytes) -> Iterator[tuple[int, int, int]]:
    """Key, version and correlation id of each request in a direction that holds nothing but whole requests."""
    at = 0
    while at + 12 <= len(octets):
        size, key, version, correlation = struct.unpack_from(">ihhi", octets, at)
        yield key, version, correlation
        at += 4 + size


def keys(recording: Recording) -> list[int]:
    """The keys of the API that its client asked for."""
    return [key for key, _, _ in requests(recording.octets(Sender.CLIENT))]


class Stage:
    """A broker, a relay in front of each of its listeners, and the clients that have come by now."""

    def __init__(self, version: str = NEWEST, **settings: str) -> None:
        self._stack = contextlib.ExitStack()
        self.broker = Broker(version, **settings)
        self.relays: dict[str, Relay] = {}
        for name in ("CLIENTS", "SASL", "AGAIN", "INTERNAL"):
            relay = self._stack.enter_context(Relay(("127.0.0.1", self.broker.ports[name])))
            self.relays[name] = relay
            self.broker.advertised[name] = relay.port
        self._stack.enter_context(self.broker)
        self._peers: dict[str, Peer] = {}
        self._count = 0

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def peer(self, name: str) -> Peer:
        """The client of that name, which is started where it is not."""
        if name not in self._peers:
            self._peers[name] = self._stack.enter_context(Peer(name))
        return self._peers[name]

    def topic(self, partitions: int = 2) -> str:
        """A new one, whose partitions take records."""
        self._count += 1
        name = f"orders-{self._count}"
        steps = [[word, f"{name}:{partitions}:1"] for word in ("create", "lead")]
        created, led = self.peer("java").ask("admin", to=self.plain, steps=steps)["steps"]
        assert len(created[name]) == 22 and led == {"partitions": partitions}, (created, led)
        return name

    @property
    def plain(self) -> str:
        """The broker itself, past the relay; what it advertises is the relay all the same."""
        return f"127.0.0.1:{self.broker.ports['CLIENTS']}"

    @contextlib.contextmanager
    def hear(self, *which: int | None, listener: str = "CLIENTS") -> Iterator[list[Recording]]:
        """What connects meanwhile, at the end: the first of each that asks for a key of `which`, in its order; without these, all.

        None stands for the first at all.
        """
        relay = self.relays[listener]
        start = len(relay.recordings)
        found: list[Recording] = []
        yield found
        come = relay.recordings[start:]
        for recording in come:
            recording.wait_closed()
        if not which:
            found.extend(come)
        for key in which:
            found.append(next(each for each in come if key is None or key in keys(each)))

    def ask(self, name: str, do: str, listener: str = "CLIENTS", **what: object) -> dict[str, object]:
        """What a client says of what it is to do, through a relay."""
        said = self.peer(name).ask(do, to=self.relays[listener].address, **what)
        assert "error" not in said or what.get("options"), said
        return said


def compression_options(peer: str, codec: str) -> dict[str, str]:
    """The options with which a producer compresses."""
    if peer == "java":
        return {"compression.type": codec}
    return {"confluent": {"compression.codec": codec}, "aiokafka": {"compression_type": codec},
            "kafka_python": {"compression_type": codec}}.get(peer, {"compression": codec})  # fmt: skip


def sasl_options(peer: str, mechanism: str, user: str, word: str) -> dict[str, str]:
    """The options with which a client authenticates."""
    if peer == "java":
        kind = "plain.Plain" if mechanism == "PLAIN" else "scram.Scram"
        login = f"org.apache.kafka.common.security.{kind}LoginModule required"
        return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
                "sasl.jaas.config": f'{login} username="{user}" password="{word}";'}  # fmt: skip
    if peer == "confluent":
        return {
            "security.protocol": "sasl_plaintext",
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": word,
        }
    if peer in ("aiokafka", "kafka_python"):
        return {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_plain_username": user,
                "sasl_plain_password": word}  # fmt: skip
    return {"mechanism": mechanism, "user": user, "password": word}


def acks_options(peer: str, acks: int) -> dict[str, object]:
    """The options with which a producer asks for answers, or for none."""
    return {
        "java": {"acks": str(acks), "enable.idempotence": "false"}, "confluent": {"acks": str(acks)}, "aiokafka": {"acks": acks},
        "kafka_python": {"acks": acks, "enable_idempotence": False},
    }.get(peer, {"acks": str(acks)})  # fmt: skip
