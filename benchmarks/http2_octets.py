"""The traffic that is measured: HTTP/2 as gRPC uses it, the same octets at every run.

Blocks are made by the encoder of `hpack`, which puts every field into the dynamic table and Huffman-codes every string. Each round has
octets of its own, because both header compression and stream numbers go on: a `Conversation` makes them when they are first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

import hpack  # type: ignore[import-untyped]

__all__ = [
    "ACK",
    "FRAME_SIZE",
    "PREFACE",
    "ROUND_COUNT",
    "SETTINGS",
    "Conversation",
    "Round",
    "body",
    "frame",
    "reads",
]

READ_SIZE: Final = 65_536
"""Octets of one read from a socket."""
ROUND_COUNT: Final = 100
"""Requests of one round, all open until its end: h2 allows no more, and RFC 9113 §6.5.2 asks of nobody to allow more."""
FRAME_SIZE: Final = 16_384
"""Octets of the largest payload that every peer accepts (RFC 9113 §6.5.2)."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS: Final = bytes(3) + b"\x04\x00" + bytes(4)
ACK: Final = bytes(3) + b"\x04\x01" + bytes(4)

_DATA: Final = 0
_HEADERS: Final = 1
_END_STREAM: Final = 0x01
_END_HEADERS: Final = 0x04

Fields = list[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def reads(frames: list[bytes]) -> list[bytes]:
    """The frames as reads of `READ_SIZE` octets, which cut wherever they cut."""
    stream = b"".join(frames)
    return [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]


def groups(frames: list[bytes], size: int) -> list[bytes]:
    """The frames as reads of `size` whole frames each."""
    return [b"".join(frames[at : at + size]) for at in range(0, len(frames), size)]


@dataclass(frozen=True)
class Round:
    """Requests, and the answers to them: for each a response and its trailers, as frames."""

    streams: range
    requests: list[bytes]
    answers: list[bytes]
    closing: list[bytes]
    """Answers that cost little to read, for sides of which only the requests are timed; not to be mixed with `answers`."""
    fields: list[Fields]
    """Of each request."""
    statuses: list[bytes]
    """``grpc-status`` of each answer."""


class Conversation:
    """What one client and one server say, `count` requests in each round.

    ``fresh``: paths, ids and messages never repeat; else they are drawn from small sets.
    """

    def __init__(self, fresh: bool, count: int = ROUND_COUNT) -> None:
        self.fresh = fresh
        self.count = count
        self.rounds: list[Round] = []
        self._random = Random(9113)
        self._client = hpack.Encoder()
        self._server = hpack.Encoder()
        self._paths = [
            b"/shop.%s.v1.%sService/%s" % (area.lower(), area, verb)
            for area in (b"Orders", b"Catalog", b"Payments", b"Shipping", b"Accounts", b"Pricing")
            for verb in (b"Get", b"List", b"Create", b"StreamUpdates")
        ]
        self._traces = [self._trace() for _ in range(16)]
        self._ids = [self._id() for _ in range(16)]

    def round(self, index: int) -> Round:
        while len(self.rounds) <= index:
            self.rounds.append(self._make(1 + 2 * self.count * len(self.rounds)))
        return self.rounds[index]

    def _make(self, first: int) -> Round:
        streams = range(first, first + 2 * self.count, 2)
        fields = [self._request() for _ in streams]
        whole = _END_HEADERS | _END_STREAM
        requests: list[bytes] = []
        answers: list[bytes] = []
        statuses: list[bytes] = []
        for stream, request in zip(streams, fields, strict=True):
            requests.append(frame(_HEADERS, whole, stream, self._client.encode(request, huffman=True)))
            response, trailers = self._answer(dict(request)[b"x-request-id"])
            answers.append(frame(_HEADERS, _END_HEADERS, stream, self._server.encode(response, huffman=True)))
            answers.append(frame(_HEADERS, whole, stream, self._server.encode(trailers, huffman=True)))
            statuses.append(trailers[0][1])
        closing = [frame(_HEADERS, whole, stream, b"\x88") for stream in streams]  # :status 200, static
        return Round(streams, requests, answers, closing, fields, statuses)

    def _trace(self) -> bytes:
        return b"00-%032x-%016x-01" % (self._random.getrandbits(128), self._random.getrandbits(64))

    def _id(self) -> bytes:
        digits = b"%032x" % self._random.getrandbits(128)
        return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _request(self) -> Fields:
        """Twelve fields, in the order in which gRPC sends them."""
        random = self._random
        path = random.choice(self._paths)
        return [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"%s%06x" % (path, random.getrandbits(24)) if self.fresh else path),
            (b":authority", b"orders.shop.svc.cluster.local:50051"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"),
            (b"grpc-accept-encoding", b"identity, deflate, gzip"),
            (
                b"grpc-timeout",
                b"%dm" % random.randrange(1_000, 30_000) if self.fresh else random.choice((b"1S", b"5S")),
            ),
            (b"traceparent", self._trace() if self.fresh else random.choice(self._traces)),
            (b"x-request-id", self._id() if self.fresh else random.choice(self._ids)),
            (b"x-tenant", b"tenant-%d" % random.randrange(8)),
        ]

    def _answer(self, request_id: bytes) -> tuple[Fields, Fields]:
        """A response that has a body, though an empty one, and its trailers; one of sixteen fails."""
        random = self._random
        failed = random.random() < 1 / 16
        number = random.getrandbits(24) if self.fresh else random.randrange(8)
        took = random.randrange(1, 100_000 if self.fresh else 8)
        response = [
            (b":status", b"200"),
            (b"content-type", b"application/grpc"),
            (b"grpc-encoding", b"identity"),
            (b"server", b"envoy"),
            (b"x-request-id", request_id),
            (b"x-envoy-upstream-service-time", b"%d" % took),
        ]
        if failed:
            return response, [(b"grpc-status", b"5"), (b"grpc-message", b"order %06x was not found" % number)]
        return response, [(b"grpc-status", b"0"), (b"grpc-message", b"")]


def body(stream: int, size: int, ends: bool) -> list[bytes]:
    """`size` octets of body, in DATA frames of `FRAME_SIZE` octets."""
    last = size // FRAME_SIZE - 1
    payload = b"x" * FRAME_SIZE
    return [
        frame(_DATA, _END_STREAM if ends and index == last else 0, stream, payload)
        for index in range(size // FRAME_SIZE)
    ]
