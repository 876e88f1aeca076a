"""What passed over the connections of some clients, as sessions see it, to be held against what the clients say themselves."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from l7codecs import Kind, Message, Sender, Session, Shared, open_session
from l7codecs.testing import Recording, Vector, check_cuts
from l7codecs_kafka._records.batches import RecordBatch, Records
from l7codecs_kafka._schema.values import encode

__all__ = ["CALM", "Call", "Heard", "Stored", "frames", "headers"]

CALM = {"COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "MEMBER_ID_REQUIRED", "CONCURRENT_TRANSACTIONS", "NOT_COORDINATOR",
        "REBALANCE_IN_PROGRESS", "UNSUPPORTED_VERSION"}  # fmt: skip
"""Errors of which clients say nothing: they try again."""


def frames(octets: bytes) -> Iterator[bytes]:
    """The frames of a direction, without their sizes."""
    at = 0
    while at < len(octets):
        (size,) = struct.unpack_from(">i", octets, at)
        assert at + 4 + size <= len(octets), "a cut frame"
        yield octets[at + 4 : at + 4 + size]
        at += 4 + size


def headers(octets: bytes) -> list[tuple[int, int, int, str | None]]:
    """Key, version, correlation id and client id of each request in a direction that holds requests only."""
    found = []
    for frame in frames(octets):
        key, version, correlation, size = struct.unpack_from(">hhih", frame)
        found.append((key, version, correlation, frame[10 : 10 + size].decode() if size >= 0 else None))
    return found


@dataclass
class Call:
    """A request and its answer; None where it has none."""

    connection: int
    request: Any
    response: Any = None

    @property
    def operation(self) -> str:
        return str(self.request.operation)

    def asked(self) -> dict[str, Any]:
        found: dict[str, Any] = self.request.fields()
        return found

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.response.fields()
        return found


@dataclass(frozen=True)
class Stored:
    """A record, and the batch that it came in."""

    partition: int
    offset: int
    record: Any
    batch: RecordBatch

    def described(self) -> dict[str, Any]:
        """As the clients describe it."""
        found = {
            "partition": self.partition,
            "offset": self.offset,
            "key": text(self.record.key),
            "value": text(self.record.value),
        }
        if self.record.headers:
            found["headers"] = {_word(name): text(value) for name, value in self.record.headers}
        return found


def text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode()


def _word(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


@dataclass
class Heard:
    """All connections, read in the order of time by sessions that share what they know."""

    vectors: list[Vector]
    sessions: list[Session] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @staticmethod
    def of(recordings: Iterable[Recording], shared: Shared | None = None) -> Heard:
        said = [tuple(each.pieces) for each in recordings if each.pieces]  # they may go on
        heard = Heard(
            [
                Vector(f"connection {number}", tuple((p.sender, p.octets) for p in each))
                for number, each in enumerate(said)
            ]
        )
        shared = shared or Shared()
        heard.sessions = [open_session("kafka", shared=shared) for _ in said]
        heard.events = [[] for _ in said]
        steps = [
            (piece.time, number, place, piece) for number, each in enumerate(said) for place, piece in enumerate(each)
        ]
        waiting: dict[int, Call] = {}
        for _, number, _, piece in sorted(steps, key=lambda step: step[:3]):
            for event in heard.sessions[number].receive(piece.sender, piece.octets):
                heard.events[number].append(event)
                if not isinstance(event, Message):
                    continue
                if event.sender is Sender.CLIENT:
                    waiting[id(event)] = call = Call(number, event)
                    heard.calls.append(call)
                else:
                    assert event.request is not None, event
                    waiting[id(event.request)].response = event
        return heard

    def check(self, cut: bool = False) -> None:
        """Every octet belongs to an event, in whatever cuts; every request is answered that waits for it, and by what its header says.

        cut: whether a connection may end with requests that wait.
        """
        for vector, events, session in zip(self.vectors, self.events, self.sessions, strict=True):
            for sender in Sender:
                raw = b"".join(event.raw for event in events if event.sender is sender)
                assert raw == vector.octets(sender)
            assert {event.kind for event in events} <= {Kind.REQUEST, Kind.ONEWAY, Kind.RESPONSE, Kind.DATA}
            assert cut or session.pending == 0, session.unanswered()
            # Octet by octet where that does not take too long.
            check_cuts(lambda: open_session("kafka"), vector)
            self._check_headers(vector, events)
        for call in self.calls:
            if call.request.operation != "SaslToken" and not call.request.more:
                self._check_bodies(call)

    def _check_headers(self, vector: Vector, events: list[Any]) -> None:
        """The header of each message is what `struct` reads there."""
        requests = [each for each in events if isinstance(each, Message) and each.sender is Sender.CLIENT]
        if any(each.operation == "SaslToken" for each in requests):
            return
        seen = [(each.api_key, each.version, each.request_id, each.client_id) for each in requests]
        assert seen == headers(vector.octets(Sender.CLIENT))
        answers = [each for each in events if isinstance(each, Message) and each.sender is Sender.SERVER]
        assert [each.request_id for each in answers] == [
            struct.unpack_from(">i", frame)[0] for frame in frames(vector.octets(Sender.SERVER))
        ]
        # A broker answers in order, and each with the number that it was asked with.
        asked = [each for each in requests if each.kind is Kind.REQUEST]
        assert [each.request for each in answers] == asked[: len(answers)]
        assert [each.request_id for each in answers] == [each.request_id for each in asked[: len(answers)]]

    def _check_bodies(self, call: Call) -> None:
        """The table reads all of both bodies, and writes the same octets again.

        librdkafka 2.16.0 leaves room for four octets where Metadata asks for all topics and a count is one: three follow the body.
        """
        for message in (call.request, call.response):
            if message is not None and message.layout is not None and not message.more:
                fields = message.fields()
                behind = b""
                if message is call.request and (call.operation, fields.get("Topics", 0)) == ("Metadata", None):
                    behind = b"\1\0\0" if message.client_id == "rdkafka" else b""
                assert encode(message.layout, fields) + behind == message.payload, message

    def named(self, *operations: str) -> list[Call]:
        return [call for call in self.calls if call.operation in operations]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    def errors(self) -> list[str]:
        """Every error of every answer, item by item, but those of which clients say nothing."""
        found = []
        for call in self.calls:
            if call.response is not None and call.operation != "SaslToken":
                found += [each.error for each in call.response.results() if each.error and each.error not in CALM]
        return found

    # -------------------------------------------------------------------------------------------------------- records

    def produced(self, topic: str) -> list[Stored]:
        """What was produced to `topic`, with the offsets that the answers say; -1 where there is none, or it says an error."""
        found = []
        for call in self.named("Produce"):
            if topic not in call.request.resources:
                continue
            places: dict[int, int] = {}
            if call.response is not None:
                assert set(call.response.resources) == set(call.request.resources)
                for result in call.response.results():
                    if result.topic == topic:
                        places[result.partition] = -1 if result.error_code else int(result.fields["BaseOffset"])
            own = [each for each in call.asked()["TopicData"] if _name(call, each) == topic]
            for part in partitions({"TopicData": own}, "TopicData", "PartitionData"):
                base = places.get(part["Index"], -1)
                stored = list(records(part["Index"], part["Records"]))
                found += [
                    Stored(each.partition, -1 if base < 0 else base + number, each.record, each.batch)
                    for number, each in enumerate(stored)
                ]
        return found

    def fetched(self, topic: str) -> list[Stored]:
        """What was fetched of `topic`, control records left out, in the order of the offsets."""
        found: dict[tuple[int, int], Stored] = {}
        for call in self.named("Fetch", "ShareFetch"):
            if call.response is None:
                continue
            assert set(call.request.resources) <= {topic}
            assert set(call.response.resources) <= {topic}
            for part in partitions(call.told(), "Responses", "Partitions"):
                for each in records(part["PartitionIndex"], part["Records"]):
                    if not each.batch.control:
                        found[each.partition, each.offset] = each
        return [found[place] for place in sorted(found)]


def _name(call: Call, struct: dict[str, Any]) -> str:
    """What the topic of a struct is called."""
    found: str = (
        struct["Name"] if "Name" in struct else call.request.topics.name(struct["TopicId"], call.request.reached)
    )
    return found


def partitions(body: dict[str, Any], topics: str, parts: str) -> Iterator[dict[str, Any]]:
    for topic in body[topics]:
        yield from topic[parts]


def records(partition: int, octets: bytes | None) -> Iterator[Stored]:
    """The records of one field, each with the offset that its batch says; whole and undamaged."""
    if not octets:
        return
    for batch in Records(octets, 0, len(octets)).batches:
        assert batch.magic < 2 or batch.checksum_matches()
        several = list(batch.records())
        assert batch.magic < 2 or batch.count == len(several)
        for each in several:
            yield Stored(partition, each.offset, each, batch)


def topic_id(text: str) -> bytes:
    """The octets of an id as Java prints it."""
    return base64.urlsafe_b64decode(text + "==")
