"""Random conversations through a proxy without sockets: clients and servers that are h2 (PyPI), between them sessions that play both sides.

A conversation is a list of steps, each a name and the number that its own chances follow from, so that one which fails still means the same
when others are taken out of it. What any of the peers sent is written down beside what came, and compared when all has come to rest.
"""

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
from l7codecs_http2 import FrameMessage, Http2Message, Http2Session

from l7codecs import Data, Event, IncompleteMessage, Kind, Limits, Message, Sender, Status, Unsupported, open_session

__all__ = ["STEPS", "Conversation", "Step", "script"]

Step = tuple[str, int]
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


class Watch:
    """An observer of one link, and what each side said there as it tells."""

    def __init__(self) -> None:
        self.session = open_session("http2")
        self.said: dict[Sender, dict[int, Said]] = {sender: {} for sender in Sender}

    def feed(self, sender: Sender, octets: bytes) -> None:
        for event in self.session.receive(sender, octets):
            if isinstance(event, Data):
                number = event.message.stream_id
                assert number is not None
                said = self.of(sender, number)
                said.body += event.payload
                said.ended = not event.more
            elif isinstance(event, Http2Message):
                assert event.error != "PROTOCOL_ERROR" and event.stream_id is not None
                said = self.of(sender, event.stream_id)
                fields = [
                    (name.encode(), value) for name, value, _ in event.fields if name is not None and value is not None
                ]
                if event.kind is Kind.CONTROL:
                    said.interim.append(fields)
                    continue
                if event.kind is Kind.TRAILERS:
                    said.trailers = fields
                else:
                    said.head = fields
                said.ended = not event.more
            elif isinstance(event, FrameMessage) and event.kind is Kind.RESET:
                said = self.of(sender, event.stream_id or 0)
                said.reset = int.from_bytes(event.payload, "big") if said.reset is None else said.reset

    def of(self, sender: Sender, number: int) -> Said:
        return self.said[sender].setdefault(number, Said())


class Leg:
    """One connection: a session of ours, and a peer."""

    def __init__(self, side: Sender, peer: Peer, limits: Limits, tap: bool, watched: bool) -> None:
        session = open_session("http2", endpoint=side, limits=limits)
        assert isinstance(session, Http2Session)
        self.session = session
        self.side = side
        self.hears = side.other
        self.peer = peer
        self.out = bytearray()
        """On its way to the peer."""
        self.watch = Watch() if watched else None
        self.tap = tap
        """The observer stands near to the peer, else near to us."""
        self.lost = False

    def wrote(self, octets: bytes) -> None:
        self.out += octets
        if self.watch is not None and not self.tap:
            self.watch.feed(self.side, octets)

    def to_peer(self, size: int) -> bool:
        octets = bytes(self.out[:size])
        del self.out[:size]
        if self.watch is not None and self.tap:
            self.watch.feed(self.side, octets)
        self.peer.receive(octets)
        return bool(octets)

    def from_peer(self, size: int) -> bytes:
        octets = bytes(self.peer.out[:size])
        del self.peer.out[:size]
        if self.watch is not None:
            self.watch.feed(self.hears, octets)
        return octets


class Conversation:
    """Clients, servers, and the proxy between them."""

    def __init__(self, seed: int, *, watched: bool = True) -> None:
        chance = random.Random(seed)
        self.limits = Limits(message=chance.choice((1000, 4096, 20_000, 65_536, 1 << 20)))
        self.shared = Shared()
        self.chance = chance
        self.watched = watched
        """Observers see all, too. They keep the latest streams that were reset."""
        self.downs: list[Leg] = []
        self.ups: list[Leg] = []
        self.owners: dict[Message, Leg] = {}
        self.connect()

    @property
    def legs(self) -> list[Leg]:
        return [leg for leg in (*self.downs, *self.ups) if not leg.lost]

    def connect(self) -> None:
        peer = Peer(f"client {len(self.downs)}", True, self.shared)
        self.downs.append(Leg(Sender.SERVER, peer, self.limits, self.chance.random() < 0.5, self.watched))
        self.flush()

    # The proxy.

    def route(self, name: str) -> Leg:
        for leg in self.ups:
            if leg.peer.name == name and not leg.session.closing:
                return leg
        leg = Leg(Sender.CLIENT, Peer(name, False, self.shared), self.limits, self.chance.random() < 0.5, self.watched)
        self.ups.append(leg)
        return leg

    def put(self, leg: Leg, event: Event, send: bool) -> None:
        if send:
            leg.wrote(leg.session.send(event))
        else:
            leg.session.put(event)

    def pass_on(self, leg: Leg, event: Event, send: bool) -> None:
        request = (
            event.message.request if isinstance(event, Data) else event.request if isinstance(event, Message) else None
        )
        if leg.side is Sender.CLIENT:
            if request is not None and request in self.owners:
                self.put(self.owners[request], event, send)
        elif isinstance(event, Message) and event.kind is Kind.REQUEST:
            assert isinstance(event, Http2Message)
            self.owners[event] = leg
            try:
                self.put(self.route((event.path or "").split("/")[1]), event, send)
            except Unsupported as error:
                leg.wrote(leg.session.reply_error(event, Status.UNAVAILABLE, str(error)))
        else:
            for up in self.ups:
                if not up.lost:
                    self.put(up, event, send)

    def hear(self, leg: Leg, octets: bytes, send: bool) -> None:
        for event in leg.session.receive(leg.hears, octets):
            self.pass_on(leg, event, send)

    def flush(self) -> None:
        for _ in range(2):
            for leg in self.ups:
                for request in leg.session.abandoned():
                    down = self.owners[request]
                    down.wrote(down.session.reply_error(request, Status.UNAVAILABLE, "no server"))
            for leg in self.legs:
                leg.wrote(leg.session.pending_output())

    # Steps.

    def do(self, step: Step) -> None:
        name, number = step
        if name == "rest":
            self.rest()
            return
        getattr(self, f"step_{name}")(random.Random(number))

    def a_peer(self, chance: random.Random, client: bool | None = None) -> Peer | None:
        legs = [leg for leg in self.legs if client is None or leg.peer.client is client]
        return chance.choice(legs).peer if legs else None

    def a_stream(self, chance: random.Random, peer: Peer, speaks: bool) -> Stream | None:
        found = [s for s in peer.streams.values() if peer.alive(s) and (s.speaks if speaks else not s.over)]
        return chance.choice(found) if found else None

    def step_ask(self, chance: random.Random) -> None:
        peer = self.a_peer(chance, True)
        if peer is not None:
            peer.ask(chance)

    def step_answer(self, chance: random.Random) -> None:
        peer = self.a_peer(chance, False)
        if peer is None:
            return
        found = [s for s in peer.streams.values() if peer.alive(s) and s.said.head is None and not s.dead]
        if found:
            peer.answer(chance.choice(found), chance)

    def step_say(self, chance: random.Random) -> None:
        peer = self.a_peer(chance)
        for _ in range(chance.randint(1, 6)):
            stream = peer and self.a_stream(chance, peer, True)
            if peer is None or stream is None:
                return
            pad = chance.randint(0, 255) if chance.random() < 0.1 else None
            peer.say(stream, chance.choice((1, 100, 5000, 16_384, 16_384)), pad)

    def step_reset(self, chance: random.Random) -> None:
        peer = self.a_peer(chance)
        stream = peer and self.a_stream(chance, peer, False)
        if peer is not None and stream is not None:
            codes = [8, 0, 2, 7, 11, 0xFFFF0001]
            if not peer.client and stream.said.ended:
                codes = [0, 0, 8]
            peer.reset(stream, chance.choice(codes))

    def step_credit(self, chance: random.Random) -> None:
        peer = self.a_peer(chance)
        if peer is not None:
            size = chance.choice((1, 100, 10_000, LAST))
            peer.credit(self.a_stream(chance, peer, False), size)
            peer.credit(None, size)

    def step_settings(self, chance: random.Random) -> None:
        peer = self.a_peer(chance)
        if peer is None:
            return
        values: dict[Any, int] = {}
        for _ in range(chance.randint(1, 2)):
            kind = chance.randrange(4)
            if kind == 0:
                values[CODES.INITIAL_WINDOW_SIZE] = chance.choice((0, 1, 100, 5000, 65_535, 100_000))
            elif kind == 1:
                values[CODES.MAX_FRAME_SIZE] = chance.choice((16_384, 16_385, 40_000, 100_000))
            elif kind == 2:
                values[CODES.HEADER_TABLE_SIZE] = chance.choice((0, 50, 200, 4096, 10_000))
            elif not peer.client:
                values[CODES.MAX_CONCURRENT_STREAMS] = chance.choice((0, 1, 2, 5, 100))
        if values:
            peer.settings(values)

    def step_ping(self, chance: random.Random) -> None:
        peer = self.a_peer(chance)
        if peer is not None:
            data = chance.randbytes(8)
            peer.pings.append(data)
            peer.h2.ping(data)
            peer.write()

    def step_deliver(self, chance: random.Random) -> None:
        for _ in range(chance.randint(1, 4)):
            leg = chance.choice(self.legs)
            size = chance.choice((1, 20, 500, 20_000, LAST, LAST))
            if chance.random() < 0.5:
                leg.to_peer(size)
            else:
                octets = leg.from_peer(size)
                if octets:
                    self.hear(leg, octets, chance.random() < 0.3)
                    if chance.random() < 0.9:
                        self.flush()

    def step_pause(self, chance: random.Random) -> None:
        leg = chance.choice(self.legs)
        leg.session.paused = not leg.session.paused
        if chance.random() < 0.5:
            self.flush()

    def step_flush(self, chance: random.Random) -> None:
        self.flush()

    def step_goaway(self, chance: random.Random) -> None:
        peer = self.a_peer(chance, False)
        if peer is not None:
            touched = [
                s.number for s in peer.streams.values() if s.said.head or s.said.interim or s.said.reset is not None
            ]
            least = max(touched, default=0)
            peer.say_goaway(chance.choice((LAST, least, max([least, *peer.streams]))))

    def step_lose(self, chance: random.Random) -> None:
        legs = [leg for leg in self.ups if not leg.lost]
        if not legs:
            return
        leg = chance.choice(legs)
        self.hear(leg, leg.from_peer(chance.choice((0, 10, 1000, LAST))), False)
        leg.lost = True
        try:
            for event in leg.session.eof(Sender.SERVER):
                self.pass_on(leg, event, False)
        except IncompleteMessage:
            pass
        self.flush()

    def step_close(self, chance: random.Random) -> None:
        leg = chance.choice(self.legs)
        leg.wrote(leg.session.close())

    def step_connect(self, chance: random.Random) -> None:
        if len(self.downs) < 4:
            self.connect()

    # The end.

    def rest(self) -> None:
        """Come to rest, look whether all is as it must be, and begin anew on the same connections."""
        self.drain()
        self.check()
        self.forget()

    def drain(self) -> None:
        """Everything that waits for something gets it, until nothing moves."""
        chance = random.Random(self.shared.count)
        for leg in self.legs:
            leg.session.paused = False
        while True:
            for leg in self.legs:
                peer = leg.peer
                if peer.h2.local_settings.initial_window_size < 1000 or (
                    not peer.client and peer.h2.local_settings.max_concurrent_streams < 100
                ):
                    peer.settings({CODES.INITIAL_WINDOW_SIZE: 65_535, CODES.MAX_CONCURRENT_STREAMS: 100})
            self.quiet()
            moved = [self.go_on(leg.peer, chance) for leg in self.legs]
            if not any(moved) and not any(leg.out or leg.peer.out for leg in self.legs):
                return

    def fill(self) -> None:
        """Bodies larger than the connection's window, in both directions: it is whole."""
        windows = [leg.session._writer._inflows.granted for leg in self.legs if leg.session._writer is not None]
        if max(windows) > 100_000:
            return
        self.shared.size = max(windows) + 1000
        for leg in self.downs:
            leg.peer.ask(self.chance)
        self.drain()
        self.shared.size = 0
        self.check()

    def quiet(self) -> None:
        """Deliver all that is on its way."""
        self.flush()
        moved = True
        while moved:
            moved = False
            for leg in self.legs:
                moved |= leg.to_peer(LAST)
                octets = leg.from_peer(LAST)
                if octets:
                    moved = True
                    self.hear(leg, octets, False)
                    self.flush()

    def go_on(self, peer: Peer, chance: random.Random) -> bool:
        """A peer does all that it has to do; whether there was anything."""
        moved = False
        for stream in list(peer.streams.values()):
            if not peer.alive(stream):
                continue
            if stream.consumed:
                moved = True
                peer.credit(stream, LAST)
            while not peer.client and stream.said.head is None and not stream.dead:
                moved = True
                peer.answer(stream, chance)
            while stream.speaks and peer.say(stream, LAST):
                moved = True
            if (
                not peer.client
                and stream.said.ended
                and not stream.over
                and b"POST" in dict(stream.got.head or []).values()
            ):
                # What is left of the request may never end.
                moved = True
                peer.reset(stream, NO_ERROR)
        if peer.consumed:
            moved = True
        peer.credit(None, LAST)
        if peer.h2.inbound_flow_control_window < 65_535:
            moved = True
            peer.h2.increment_flow_control_window(65_535 - peer.h2.inbound_flow_control_window)
            peer.write()
        return moved

    def check(self) -> None:
        """What must hold when all has come to rest."""
        for leg in self.legs:
            self.check_rest(leg)
        for leg in (*self.downs, *self.ups):
            self.check_watch(leg)
        servers: dict[bytes, tuple[Leg, Stream]] = {}
        for leg in self.ups:
            for stream in leg.peer.streams.values():
                path = dict(stream.got.head or [])[b":path"]
                assert path not in servers, f"{path!r} came twice"
                assert path.split(b"/")[1].decode() == leg.peer.name
                servers[path] = leg, stream
        for leg in self.downs:
            for stream in leg.peer.streams.values():
                path = dict(stream.said.head or [])[b":path"]
                up, other = servers.pop(path, (None, None))
                refused = leg.peer.goaway is not None and stream.number > leg.peer.goaway
                gone = up is not None and other is not None and (up.lost or not up.peer.alive(other))
                where = "\n".join(
                    f"{who}: said {s.said.brief()}, got {s.got.brief()}"
                    for who, s in ((leg.peer.name, stream), (up and up.peer.name, other))
                    if s
                )
                try:
                    self.check_stream(stream, other, gone, refused)
                except AssertionError as error:
                    error.add_note(f"stream {stream.number}, {path!r}, gone {gone}, refused {refused}\n{where}")
                    raise
        assert not servers, f"nobody asked for {servers}"

    def check_stream(self, mine: Stream, other: Stream | None, gone: bool, refused: bool) -> None:
        """A client's stream, and the server's that became of it."""
        assert mine.over, "it hangs"
        if other is None:
            if mine.said.reset is None and mine.got.head is None:
                assert mine.got.reset == REFUSED and refused
                return
            if mine.said.reset is None:
                self.check_error(mine)
            return
        assert other.got.within(mine.said), "the request is another"
        if gone:
            if mine.got.head is not None and mine.got.head != other.said.head:
                self.check_error(mine)
            else:
                assert mine.got.ended is False or mine.got.whole(other.said)
                assert mine.got.within(other.said)
            return
        assert mine.got.within(other.said), "the answer is another"
        assert other.over, "it hangs on the server's side"
        if mine.said.reset is None and other.said.reset is None:
            assert other.got.whole(mine.said) and mine.got.whole(other.said), "it is not whole"
            assert mine.got.reset is None and other.got.reset is None
        elif mine.said.reset is None:
            if other.said.reset == NO_ERROR and other.said.ended:
                assert mine.got.whole(other.said), "the answer is cut"
            if not mine.got.ended or not mine.said.ended:
                assert mine.got.reset == other.said.reset, "the server's reset is lost"
        elif other.said.reset is None and not (other.said.ended and other.got.ended):
            assert other.got.reset == mine.said.reset, "the client's reset is lost"

    def check_error(self, mine: Stream) -> None:
        """The proxy's own answer."""
        head = dict(mine.got.head or [])
        assert head[b":status"] == b"503"
        assert b"no server".startswith(mine.got.body)
        assert (mine.got.ended and mine.got.body == b"no server") or mine.said.reset is not None

    def check_rest(self, leg: Leg) -> None:
        """A session keeps nothing, and both sides agree on the windows."""
        session = leg.session
        endpoint: Any = session._writer
        writer, inflows, requests = endpoint._writer, endpoint._inflows, endpoint._requests
        assert session.pending_output() == b""
        assert session.queued == 0
        assert inflows.held == 0
        assert session.unanswered() == [], leg.peer.name
        assert session.pending == 0, leg.peer.name
        assert not writer.by_number and not writer.by_message and not writer._starved
        assert all(flow.dropped for flow in (*writer._ready, *requests._waiting))
        assert not endpoint._early and not inflows.due
        assert inflows.window + inflows.spent == inflows.granted, "credit is lost"
        assert inflows.window == leg.peer.h2.outbound_flow_control_window
        assert inflows.spent * 2 < inflows.granted
        assert writer.window == leg.peer.h2.inbound_flow_control_window
        assert leg.peer.pings == []

    def check_watch(self, leg: Leg) -> None:
        """What an observer tells is what was said, and came."""
        peer, watch = leg.peer, leg.watch
        if watch is None:
            return
        mine = Sender.CLIENT if peer.client else Sender.SERVER
        for stream in peer.streams.values():
            told = watch.of(mine, stream.number)
            came = watch.of(mine.other, stream.number)
            if leg.lost:
                assert told.within(stream.said) and stream.got.within(came)
                continue
            assert told == Said(**{**vars(stream.said), "reset": told.reset}), (
                peer.name,
                stream.number,
                told.brief(),
                stream.said.brief(),
            )
            assert stream.said.reset == told.reset or stream.got.reset is not None
            if stream.dead or not peer.alive(stream):
                assert stream.got.within(came)
            else:
                assert stream.got.whole(came)
            assert stream.got.reset is None or stream.got.reset == came.reset

    def forget(self) -> None:
        """Begin anew, on the same connections."""
        self.owners.clear()
        self.ups = [leg for leg in self.ups if not leg.lost]
        for leg in self.legs:
            leg.peer.streams.clear()
            for said in leg.watch.said.values() if leg.watch is not None else ():
                said.clear()
        self.downs = [leg for leg in self.downs if leg.peer.goaway is None] or [self.downs[-1]]


WEIGHTS = {
    "ask": 12,
    "answer": 12,
    "say": 25,
    "credit": 8,
    "reset": 4,
    "settings": 5,
    "ping": 2,
    "deliver": 45,
    "pause": 4,
    "flush": 3,
    "goaway": 0.4,
    "lose": 0.4,
    "close": 0.3,
    "connect": 1,
    "rest": 0.5,
}
STEPS = list(WEIGHTS)


def script(seed: int, size: int) -> list[Step]:
    """A conversation of `size` steps."""
    chance = random.Random(seed)
    return [(name, chance.getrandbits(32)) for name in chance.choices(STEPS, list(WEIGHTS.values()), k=size)]
