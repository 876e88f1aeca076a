"""Random conversations through a proxy without sockets: clients and servers that are h2 (PyPI), between them sessions that play both sides.

A conversation is a list of steps, each a name and the number that its own chances follow from, so that one which fails still means the same
when others are taken out of it. What any of the peers sent is written down beside what came, and compared when all has come to rest.
"""

from __future__ import annotations

import random
from typing import Any

from l7codecs_http2 import FrameMessage, Http2Message, Http2Session

from l7codecs import Data, Event, IncompleteMessage, Kind, Limits, Message, Sender, Status, Unsupported, open_session

from .talkers import CODES, LAST, NO_ERROR, REFUSED, Peer, Said, Shared, Stream

__all__ = ["STEPS", "Conversation", "Step", "script"]

Step = tuple[str, int]


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
