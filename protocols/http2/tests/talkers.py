"""Clients and servers that are h2 (PyPI) and talk at random; what each has sent is written down beside what came to it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple
from hyperframe.frame import GoAwayFrame

__all__ = ["CODES", "LAST", "NO_ERROR", "REFUSED", "Peer", "Said", "Shared", "Stream"]

Fields = list[tuple[bytes, bytes]]
CODES = h2.settings.SettingCodes
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LAST = 2**31 - 1
GOAWAY = 7
NO_ERROR = 0
REFUSED = 7
SERVERS = ("a", "b")
NAMES = [b"x-%d" % n for n in range(12)]


def octets_of(number: int, size: int) -> bytes:
    """A body that no other one is like, nor itself from another place on."""
    return random.Random(number).randbytes(size)


def some_fields(chance: random.Random) -> list[HeaderTuple]:
    """Fields that fill and use the compression's table; sometimes more than a frame holds."""
    found: list[HeaderTuple] = []
    for _ in range(chance.randint(0, 5)):
        value = b"%d" % chance.randint(0, 9) * chance.choice((1, 1, 3, 40, 400))
        kind = NeverIndexedHeaderTuple if chance.random() < 0.2 else HeaderTuple
        found.append(kind(chance.choice(NAMES), value))
    if chance.random() < 0.03:
        found.append(HeaderTuple(b"x-large", chance.randbytes(9000).hex().encode()))
    return found


@dataclass
class Said:
    """One side of one stream: what it sent, or what came of it."""

    head: Fields | None = None
    interim: list[Fields] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: Fields | None = None
    ended: bool = False
    reset: int | None = None

    def whole(self, other: Said) -> bool:
        """Whether all of `other` has come, and nothing else."""
        return self.ended and other.ended and self.within(other) and self.body == other.body

    def within(self, other: Said) -> bool:
        """Whether what came is a beginning of `other`."""
        return (
            (self.head is None or self.head == other.head)
            and self.interim == other.interim[: len(self.interim)]
            and other.body.startswith(self.body)
            and (not self.ended or (len(self.body) == len(other.body) and self.trailers == other.trailers))
            and (not self.ended or other.ended)
        )

    def brief(self) -> str:
        head = None if self.head is None else dict(self.head)
        head = head and {k: v[:40] for k, v in head.items() if k in (b":status", b":path", b"content-type")}
        size = f"+{len(self.interim)} body {len(self.body)} trailers {self.trailers is not None}"
        return f"{head} {size} ended {self.ended} reset {self.reset}"


@dataclass
class Stream:
    """One stream, as a peer sees it."""

    number: int
    said: Said = field(default_factory=Said)
    got: Said = field(default_factory=Said)
    left: bytes = b""
    """What is still to be sent."""
    trailers: list[HeaderTuple] | None = None
    endless: bool = False
    """The sender waits to be told to stop."""
    consumed: int = 0
    """Octets that came and that no credit was given for."""

    @property
    def dead(self) -> bool:
        return self.said.reset is not None or self.got.reset is not None

    @property
    def over(self) -> bool:
        return self.dead or (self.said.ended and self.got.ended)

    @property
    def speaks(self) -> bool:
        """More can be sent."""
        return self.said.head is not None and not self.said.ended and not self.dead


class Peer:
    """h2, and an application that says what it is made to."""

    def __init__(self, name: str, client: bool, shared: Shared) -> None:
        self.name = name
        self.client = client
        self.shared = shared
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
        self.streams: dict[int, Stream] = {}
        self.goaway: int | None = None
        """The last stream that the other side deals with."""
        self.my_goaway = LAST
        self.unread = b""
        self.block = b""
        self.pings: list[bytes] = []
        self.consumed = 0
        self.settles = True
        """SETTINGS are under way. h2 counts the next ACK for all that it ever sent."""
        self.h2.initiate_connection()
        self.out = bytearray(self.h2.data_to_send())

    # What comes.

    def receive(self, octets: bytes) -> None:
        """Frames one by one; GOAWAY past h2, for which it is the end of everything."""
        self.unread += octets
        while len(self.unread) >= 9:
            if not self.client and self.unread.startswith(PREFACE[:9]):
                size = len(PREFACE)
            else:
                size = 9 + int.from_bytes(self.unread[:3], "big")
            if len(self.unread) < size:
                return
            frame, self.unread = self.unread[:size], self.unread[size:]
            if frame[3] == GOAWAY and not frame.startswith(b"PRI"):
                assert frame[13:17] == bytes(4), f"{self.name} is told of an error: {frame.hex()}"
                self.goaway = int.from_bytes(frame[9:13], "big")
                continue
            if self.late_block(frame):
                continue
            self.make_room(frame)
            for event in self.h2.receive_data(frame):
                self.take(event)
            self.write()

    def late_block(self, frame: bytes) -> bool:
        """HEADERS that crossed our reset. h2 counts them as a new stream, or refuses them where they are a 103."""
        stream = self.streams.get(int.from_bytes(frame[5:9], "big"))
        if frame.startswith(b"PRI") or frame[3] not in (1, 9) or stream is None or stream.said.reset is None:
            return False
        self.block += frame[9:]
        if frame[4] & 4:
            self.h2.decoder.decode(self.block, raw=True)
            self.block = b""
        return True

    def make_room(self, frame: bytes) -> None:
        """Empty DATA needs no window (RFC 9113 §6.9.1); h2 forgets that where SETTINGS have made one negative."""
        stream = self.h2.streams.get(int.from_bytes(frame[5:9], "big"))
        if stream is not None and stream.open and frame[:4] == bytes(4) and stream.inbound_flow_control_window < 0:
            self.h2.increment_flow_control_window(-stream.inbound_flow_control_window, stream.stream_id)

    def take(self, event: h2.events.Event) -> None:
        number = getattr(event, "stream_id", None)
        stream = self.streams.get(number or 0)
        match event:
            case h2.events.RequestReceived():
                assert number not in self.streams
                self.streams[number] = Stream(number, got=Said(head=list(event.headers)))
            case h2.events.ResponseReceived():
                assert stream is not None and stream.got.head is None
                stream.got.head = list(event.headers)
            case h2.events.InformationalResponseReceived():
                assert stream is not None
                stream.got.interim.append(list(event.headers))
            case h2.events.TrailersReceived():
                assert stream is not None
                stream.got.trailers = list(event.headers)
            case h2.events.DataReceived():
                assert stream is not None
                stream.got.body += event.data
                stream.consumed += event.flow_controlled_length
                self.consumed += event.flow_controlled_length
            case h2.events.StreamEnded():
                assert stream is not None
                stream.got.ended = True
            case h2.events.StreamReset():
                if event.remote_reset and stream is not None and stream.said.reset is None:
                    stream.got.reset = event.error_code
            case h2.events.SettingsAcknowledged():
                self.settles = False
            case h2.events.PingAckReceived():
                assert self.pings.pop(0) == event.ping_data

    # What is said.

    def write(self) -> None:
        self.out += self.h2.data_to_send()

    def alive(self, stream: Stream) -> bool:
        """Whether this side deals with it."""
        return self.client or stream.number <= self.my_goaway

    def ask(self, chance: random.Random) -> None:
        if self.goaway is not None or self.h2.open_outbound_streams >= self.h2.remote_settings.max_concurrent_streams:
            return
        number = self.h2.get_next_available_stream_id()
        identity = self.shared.next()
        stream = Stream(number)
        post = bool(self.shared.size) or chance.random() < 0.7
        path = f"/{chance.choice(SERVERS)}/{identity}".encode()
        fields = [
            HeaderTuple(b":method", b"POST" if post else b"GET"),
            HeaderTuple(b":scheme", b"http"),
            HeaderTuple(b":path", path),
            HeaderTuple(b":authority", b"here"),
        ]
        self.begin(stream, fields, 2 * identity, post, chance)
        self.streams[number] = stream

    def begin(self, stream: Stream, fields: list[HeaderTuple], body: int, more: bool, chance: random.Random) -> None:
        """A head, and what is to follow it."""
        if more:
            size = chance.choice((0, 1, 100, 5000, 20_000, 70_000, 200_000))
            stream.left = octets_of(body, self.shared.size or (size and chance.randint(1, size)))
            stream.endless = self.client and not self.shared.size and chance.random() < 0.1
            if chance.random() < 0.3 and not stream.endless:
                fields.append(HeaderTuple(b"content-length", b"%d" % len(stream.left)))
            if chance.random() < 0.3:
                stream.trailers = [HeaderTuple(b"x-end", b"%d" % body), *some_fields(chance)]
        fields += some_fields(chance)
        self.h2.send_headers(stream.number, fields, end_stream=not more)
        stream.said.head = [(f[0], f[1]) for f in fields]
        stream.said.ended = not more
        self.write()

    def answer(self, stream: Stream, chance: random.Random) -> None:
        head = dict(stream.got.head or [])
        identity = int(head[b":path"].rpartition(b"/")[2])
        if chance.random() < 0.2:
            fields = [HeaderTuple(b":status", b"103"), *some_fields(chance)]
            self.h2.send_headers(stream.number, fields)
            stream.said.interim.append([(f[0], f[1]) for f in fields])
            self.write()
            return
        fields = [
            HeaderTuple(b":status", chance.choice((b"200", b"404"))),
            HeaderTuple(b"x-server", self.name.encode()),
        ]
        self.begin(stream, fields, 2 * identity + 1, bool(self.shared.size) or chance.random() < 0.7, chance)

    def say(self, stream: Stream, size: int, pad: int | None = None) -> bool:
        """The next of a body, `size` octets at most, as the windows allow; whether there was anything."""
        if stream.left:
            room = min(self.h2.local_flow_control_window(stream.number), self.h2.max_outbound_frame_size)
            room -= 0 if pad is None else pad + 1
            size = min(size, room, len(stream.left))
            if size <= 0:
                return False
            part, stream.left = stream.left[:size], stream.left[size:]
            ends = not stream.left and stream.trailers is None and not stream.endless and size % 2 == 0
            self.h2.send_data(stream.number, part, end_stream=ends, pad_length=pad)
            stream.said.body += part
        elif stream.endless:
            return False
        else:
            ends = True
            if stream.trailers is not None:
                self.h2.send_headers(stream.number, stream.trailers, end_stream=True)
                stream.said.trailers = [(f[0], f[1]) for f in stream.trailers]
            else:
                self.h2.end_stream(stream.number)
        stream.said.ended = ends
        self.write()
        return True

    def reset(self, stream: Stream, code: int) -> None:
        self.h2.reset_stream(stream.number, code)
        stream.said.reset = code
        self.write()

    def credit(self, stream: Stream | None, size: int) -> None:
        """Window updates that were withheld."""
        if stream is None:
            size = min(size, self.consumed)
            self.consumed -= size
            if size:
                self.h2.increment_flow_control_window(size)
        else:
            size = min(size, stream.consumed)
            stream.consumed -= size
            if size and not stream.over and not stream.got.ended:
                self.h2.increment_flow_control_window(size, stream.number)
        self.write()

    def settings(self, values: dict[Any, int]) -> None:
        if not self.settles:
            self.settles = True
            self.h2.update_settings(values)
            self.write()

    def say_goaway(self, last: int) -> None:
        self.my_goaway = min(last, self.my_goaway)
        self.write()
        self.out += GoAwayFrame(0, last_stream_id=self.my_goaway, error_code=0).serialize()


class Shared:
    """What all peers go by."""

    def __init__(self) -> None:
        self.count = 0
        """Requests so far."""
        self.size = 0
        """Octets of every body; 0 for any."""

    def next(self) -> int:
        self.count += 1
        return self.count
