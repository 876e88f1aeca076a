"""What is timed of Kafka: each class is one side of a row, and a call returns what it found in all messages of a round.

The peers get whole frames and are told which answer belongs to which request; ours finds both in the octets of the reads, in a session that
is opened for each round.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kio.index import load_request_schema, load_response_schema
from kio.schema.request_header.v1.header import RequestHeader as KioHeader1
from kio.schema.request_header.v2.header import RequestHeader as KioHeader2
from kio.serial import entity_reader, entity_writer

import l7codecs
from l7codecs import Sender, Session
from l7codecs_kafka import KafkaChanges, Names

from .kafka_octets import Exchange

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # kafka-python warns of itself
    from kafka.protocol.api_header import RequestHeader as PythonHeader


__all__ = [
    "AiokafkaCodes",
    "AiokafkaTopics",
    "KioCodes",
    "KioHeaders",
    "KioRenamed",
    "KioTopics",
    "OurCodes",
    "OurHeaders",
    "OurRenamed",
    "OurTopics",
    "PythonCodes",
    "PythonHeaders",
    "PythonTopics",
]

CLIENT: Final = Sender.CLIENT
SERVER: Final = Sender.SERVER
Receive = Callable[[Sender, bytes], Iterator[Any]]
Header = tuple[object, object, object, object]
FLEXIBLE: Final = {0: 9, 1: 12, 3: 9, 18: 3}
"""The first flexible version of each API that is timed."""


def _open() -> Session:
    return l7codecs.open_session("kafka")


# ----------------------------------------------------------------------------------------------------------------- ours


class OurHeaders:
    """l7codecs: API, version, correlation id and client id of each request."""

    def __call__(self, chunks: Sequence[bytes]) -> list[Header]:
        receive: Receive = _open().receive
        found: list[Header] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append((event.operation, event.version, event.correlation_id, event.client_id))
        return found


class OurTopics:
    """l7codecs: the same, and all topics."""

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = _open().receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                found.append((event.operation, event.version, event.correlation_id, event.client_id, event.resources))
        return found


class OurCodes:
    """l7codecs: every distinct error code of each answer."""

    def __init__(self) -> None:
        self._session = _open()

    def ask(self, chunks: Sequence[bytes]) -> None:
        """Send the requests, which is not timed."""
        self._session = _open()
        for chunk in chunks:
            for _ in self._session.receive(CLIENT, chunk):
                pass

    def __call__(self, chunks: Sequence[bytes]) -> list[object]:
        receive: Receive = self._session.receive
        found: list[object] = []
        for chunk in chunks:
            for event in receive(SERVER, chunk):
                found.append(event.error_codes)
        return found


class OurRenamed:
    """l7codecs: an answer with a prefix taken off its topics, as octets."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._changes = KafkaChanges(topics=Names.mapped({"tenant-orders": "orders"}))
        self._session = _open()

    def ask(self) -> None:
        """Send the request, which is not timed."""
        self._session = _open()
        for _ in self._session.receive(CLIENT, self._exchange.request):
            pass

    def __call__(self) -> bytes:
        session = self._session
        out = b""
        for event in session.receive(SERVER, self._exchange.answer):
            out = session.send(event, self._changes)
        return out


# ------------------------------------------------------------------------------------------------------------------ kio


def _requests_of(frames: Sequence[bytes]) -> Iterator[tuple[bytes, int, int]]:
    for frame in frames:
        yield frame, int.from_bytes(frame[4:6], "big"), int.from_bytes(frame[6:8], "big")


class KioHeaders:
    """kio: the header alone."""

    def __init__(self) -> None:
        plain, flexible = entity_reader(KioHeader1), entity_reader(KioHeader2)
        self._readers = {
            (key, version): (flexible if version >= FLEXIBLE[key] else plain)
            for key in FLEXIBLE
            for version in range(20)
        }

    def __call__(self, frames: Sequence[bytes]) -> list[Header]:
        found: list[Header] = []
        for frame, key, version in _requests_of(frames):
            header, _ = self._readers[key, version](frame, 4)
            found.append((key, version, header.correlation_id, header.client_id))
        return found


def _produced(request: Any) -> list[object]:
    return [topic.name for topic in request.topic_data]


def _fetched(request: Any) -> list[object]:
    return [topic.topic for topic in request.topics]


def _ids(topics: str) -> Callable[[Any], list[object]]:
    return lambda request: [topic.topic_id for topic in getattr(request, topics)]


_KIO_TOPICS: Final[dict[tuple[int, int], Callable[[Any], list[object]]]] = {
    (0, 9): _produced,
    (0, 13): _ids("topic_data"),
    (1, 12): _fetched,
    (1, 18): _ids("topics"),
    (3, 12): lambda request: [topic.name for topic in request.topics],
    (18, 3): lambda request: [],
}


class KioTopics:
    """kio: header and body."""

    def __init__(self) -> None:
        plain, flexible = entity_reader(KioHeader1), entity_reader(KioHeader2)
        self._readers = {
            (key, version): (
                flexible if version >= FLEXIBLE[key] else plain,
                entity_reader(load_request_schema(key, version)),
                topics,
            )
            for (key, version), topics in _KIO_TOPICS.items()
        }

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        for frame, key, version in _requests_of(frames):
            read_header, read_body, topics = self._readers[key, version]
            header, size = read_header(frame, 4)
            body, _ = read_body(frame, 4 + size)
            found.append((key, version, header.correlation_id, header.client_id, topics(body)))
        return found


_KIO_CODES: Final[dict[int, Callable[[Any], set[int]]]] = {
    0: lambda answer: {each.error_code for topic in answer.responses for each in topic.partition_responses},
    1: lambda answer: {
        answer.error_code,
        *(each.error_code for topic in answer.responses for each in topic.partitions),
    },
    3: lambda answer: {
        *(topic.error_code for topic in answer.topics),
        *(each.error_code for topic in answer.topics for each in topic.partitions),
    },
    18: lambda answer: {answer.error_code},
}


class KioCodes:
    """kio: every distinct error code of each answer."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._readers = [
            (
                8 + (each.version >= FLEXIBLE[each.key] and each.key != 18),
                entity_reader(load_response_schema(each.key, each.version)),
                _KIO_CODES[each.key],
            )
            for each in exchanges
        ]

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        count = len(self._readers)
        for number, frame in enumerate(frames):
            start, read, codes = self._readers[number % count]
            answer, _ = read(frame, start)
            found.append(tuple(sorted(codes(answer))))
        return found


class KioRenamed:
    """kio: an answer of Metadata decoded, its topics renamed, and encoded."""

    def __init__(self, exchange: Exchange) -> None:
        schema = load_response_schema(exchange.key, exchange.version)
        self._read, self._write = entity_reader(schema), entity_writer(schema)
        self._exchange = exchange

    def __call__(self) -> bytes:
        frame = self._exchange.answer
        answer: Any
        answer, _ = self._read(frame, 9)
        topics = tuple(dataclasses.replace(topic, name=f"tenant-{topic.name}") for topic in answer.topics)
        out = io.BytesIO()
        self._write(out, dataclasses.replace(answer, topics=topics))
        body = out.getvalue()
        return (5 + len(body)).to_bytes(4, "big") + frame[4:9] + body


# --------------------------------------------------------------------------------------------------------- kafka-python


class PythonHeaders:
    """kafka-python: the header alone."""

    def __call__(self, frames: Sequence[bytes]) -> list[Header]:
        found: list[Header] = []
        for frame, key, version in _requests_of(frames):
            header = PythonHeader.decode(io.BytesIO(frame[4:]), flexible=version >= FLEXIBLE[key])
            found.append((key, version, header.correlation_id, header.client_id))
        return found


def _python_class(key: int, kind: str) -> Any:
    name = _PYTHON[key]
    return getattr(importlib.import_module(f"kafka.protocol.{_MODULES[key]}"), f"{name}{kind}")


_MODULES: Final = {0: "producer.produce", 1: "consumer.fetch", 3: "metadata.metadata", 18: "metadata.api_versions"}
_PYTHON: Final = {0: "Produce", 1: "Fetch", 3: "Metadata", 18: "ApiVersions"}


class PythonTopics:
    """kafka-python: header and body."""

    def __init__(self) -> None:
        self._classes = {key: _python_class(key, "Request") for key in _PYTHON}

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        for frame, key, version in _requests_of(frames):
            header = PythonHeader.decode(io.BytesIO(frame[4:]), flexible=version >= FLEXIBLE[key])
            at = 14 + len(header.client_id) + (version >= FLEXIBLE[key])
            body = self._classes[key].decode(frame[at:], version=version)
            found.append((key, version, header.correlation_id, header.client_id, _KIO_TOPICS[key, version](body)))
        return found


class PythonCodes:
    """kafka-python: every distinct error code of each answer."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._readers = [
            (
                8 + (each.version >= FLEXIBLE[each.key] and each.key != 18),
                each.version,
                _python_class(each.key, "Response"),
                _KIO_CODES[each.key],
            )
            for each in exchanges
        ]

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        count = len(self._readers)
        for number, frame in enumerate(frames):
            start, version, read, codes = self._readers[number % count]
            found.append(tuple(sorted(codes(read.decode(frame[start:], version=version)))))
        return found


# ------------------------------------------------------------------------------------------------------------- aiokafka


class AiokafkaTopics:
    """aiokafka: header and body."""

    def __init__(self) -> None:
        from aiokafka.protocol.admin import ApiVersionRequest_v0
        from aiokafka.protocol.api import RequestHeader_v1
        from aiokafka.protocol.fetch import FetchRequest_v11
        from aiokafka.protocol.metadata import MetadataRequest_v5
        from aiokafka.protocol.produce import ProduceRequest_v8

        self._header: Any = RequestHeader_v1
        self._classes: dict[int, Any] = {
            0: ProduceRequest_v8,
            1: FetchRequest_v11,
            3: MetadataRequest_v5,
            18: ApiVersionRequest_v0,
        }

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        for frame, key, version in _requests_of(frames):
            octets = io.BytesIO(frame)
            octets.seek(4)
            number, client_id = [field.decode(octets) for field in self._header.SCHEMA.fields][2:]
            body = self._classes[key].decode(octets)
            if key == 0 or key == 1:
                topics = [topic[0] for topic in body.topics]
            else:
                topics = list(body.topics) if key == 3 else []
            found.append((key, version, number, client_id, topics))
        return found


class AiokafkaCodes:
    """aiokafka: every distinct error code of each answer."""

    def __init__(self) -> None:
        from aiokafka.protocol.admin import ApiVersionResponse_v0
        from aiokafka.protocol.fetch import FetchResponse_v11
        from aiokafka.protocol.metadata import MetadataResponse_v5
        from aiokafka.protocol.produce import ProduceResponse_v8

        self._classes: list[Any] = [ProduceResponse_v8, FetchResponse_v11, MetadataResponse_v5, ApiVersionResponse_v0]

    def __call__(self, frames: Sequence[bytes]) -> list[object]:
        found: list[object] = []
        for number, frame in enumerate(frames):
            octets = io.BytesIO(frame)
            octets.seek(8)
            kind = number % 4
            answer = self._classes[kind].decode(octets)
            if kind == 0:
                codes = {each[1] for topic in answer.topics for each in topic[1]}
            elif kind == 1:
                codes = {answer.error_code, *(each[1] for topic in answer.topics for each in topic[1])}
            elif kind == 2:
                codes = {topic[0] for topic in answer.topics} | {
                    each[0] for topic in answer.topics for each in topic[3]
                }
            else:
                codes = {answer.error_code}
            found.append(tuple(sorted(codes)))
        return found
