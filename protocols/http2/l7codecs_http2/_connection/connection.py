"""What both directions of a connection share: settings, streams, and the state of both header compressions.

A setting takes effect when the peer acknowledges it (RFC 9113 §6.5.3): the server's SETTINGS_HEADER_TABLE_SIZE rules what the client
may send from the client's ACK on.

An endpoint knows the order in which both sides spoke, and applies every rule of the RFC. An observer has both directions, not their
order: either may be behind by any number of octets. So what one direction says is judged by that direction alone, and each side keeps,
as ranges of numbers, on which of the other's streams it has said its last before they were seen to begin.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, u8

from l7codecs import LimitExceeded, Limits, Message, Sender
from l7codecs.message import Flow
from l7codecs.pairing.retention import Reads

from .._frames.settings import DEFAULT_FRAME_SIZE, DEFAULT_TABLE_SIZE, ENABLE_PUSH, HEADER_TABLE_SIZE, MAX_FRAME_SIZE
from .._hpack.decoder import HpackDecoder
from .._semantics.messages import Http2Message
from .numbers import Numbers
from .streams import CLIENT_DONE, CLOSED, OPEN, RESERVED, SERVER_DONE, Stream, StreamTable

__all__ = ["Connection", "EndpointHooks", "Side"]

_ANY_TABLE_SIZE: Final[i64] = 0xFFFFFFFF
"""What a direction may use whose peer's settings are not known."""
_SKIPS_KEPT: Final = 64
"""Ranges of numbers without a stream that are kept for each side."""
_CUT_STREAMS: Final = 100
"""Streams that a side reset and that its peer may still speak on, which are kept for it."""


class EndpointHooks:
    """What the decoder tells an endpoint; `_endpoint.Endpoint` does it. `offset` is where the frame starts."""

    def on_http1(self, waits: bool) -> None:
        """The client speaks HTTP/1.1, and asks to upgrade; `waits`: it sends its body only when it is told to."""

    def on_open(self, upgraded: bool) -> None:
        """The client's preface has come, or a request that upgrades, to its end."""

    def on_settings(self, settings: dict[int, int], offset: i64) -> None:
        """SETTINGS, or those of HTTP2-Settings."""

    def on_ack(self) -> None:
        """SETTINGS ACK."""

    def on_ping(self, payload: bytes, offset: i64) -> None:
        """PING."""

    def on_goaway(self, last: i64, offset: i64) -> None:
        """GOAWAY; `last` is the highest stream that the peer has dealt with or will."""

    def on_data(self, head: Http2Message | None, stream: i64, size: i64, ends: bool, offset: i64) -> bool:
        """DATA of `size` octets that count for flow control, of the body of `head`; None: of no open stream.

        False where the stream's window does not allow so much: the stream is reset.
        """
        raise NotImplementedError

    def on_window(self, stream: i64, increment: i64, offset: i64) -> str | None:
        """WINDOW_UPDATE; returns the code of the error that it is for its stream."""
        raise NotImplementedError

    def on_reset(self, stream: i64, offset: i64) -> None:
        """RST_STREAM."""

    def on_error(self, stream: i64, code: str, offset: i64) -> None:
        """A frame that is an error of its stream."""

    def on_noise(self, offset: i64) -> None:
        """A frame that asks for nothing: many of them are an attack."""

    def on_failed(self) -> None:
        """The peer has broken the protocol: nothing of it is read any more."""

    def on_closed(self, stream: i64) -> None:
        """Both sides have ended a stream."""

    def allows_protocol(self) -> bool:
        """Whether a request with ``:protocol`` is (RFC 8441 §3)."""
        raise NotImplementedError

    def refuses(self, stream: i64, offset: i64) -> bool:
        """Whether a stream that the peer opens is not served."""
        raise NotImplementedError


@final
class Side:
    """One endpoint, as the frames that it sends tell."""

    def __init__(self, limits: Limits) -> None:
        self.hpack = HpackDecoder(DEFAULT_TABLE_SIZE, limits.head)
        self.heard = False
        """Frames of it have been seen."""
        self.frame_size: i64 = DEFAULT_FRAME_SIZE
        """The largest payload that it accepts."""
        self.unacknowledged: list[dict[int, int]] = []
        """Its SETTINGS that its peer has not acknowledged, oldest first."""
        self.acknowledged_ahead: i64 = 0
        """How many of its SETTINGS have been acknowledged that are still to be seen."""
        self.uncounted = False
        """So many were not acknowledged that which one an ACK is for is no longer known."""
        self.acknowledged = False
        """Its first SETTINGS have been acknowledged: what its peer may do is known."""
        self.last_stream: i64 = 0
        """The highest stream that it opened."""
        self.resets: i64 = 0
        """Streams that it reset before they were answered, since its peer sent a frame."""
        self.skipped: list[tuple[i64, i64]] | None = None
        """Numbers that it passed over, which no stream can have any more (RFC 9113 §5.1.1): first and last."""
        self.cut: dict[int, None] | None = None
        """Streams that it reset before its peer had ended them, the latest: what the peer sent may have been on its way."""
        self.cut_streams: dict[int, Stream] | None = None
        self.cut_until: i64 = 0
        """The highest number that is forgotten of those."""
        """The latest of those, where the connection is seen from beside: what their peer still says belongs to them."""
        self.ended_ahead: Numbers | None = None
        """Of an observer: the other side's streams on which it has said all, and which are still to be seen to begin."""
        self.reset_ahead: Numbers | None = None
        """Those of them that it has reset."""
        self.push = True
        """It has not forbidden PUSH_PROMISE."""
        self.lost = False
        """Octets of it were lost, so it may use any table."""
        self.doubtful = False
        """It is not certain that what is taken for its frames are such."""


@final
class Connection:
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits) -> None:
        triple = Flow("triple", of=flow)
        connect = Flow("connect", of=flow)
        self.flows = [
            flow if flow.protocol == "http2" else Flow("http2", of=flow),
            Flow("grpc", of=flow),
            triple,
            triple,
            Flow("grpc_web", of=flow),
            connect,
            connect,
        ]
        """By what a stream speaks."""
        self.client = Side(limits)
        self.server = Side(limits)
        self.streams = StreamTable()
        self.joined = False
        """It was under way before it was seen, or octets were lost: streams may be unknown."""
        self.limit: i64 = limits.streams
        self.endpoint: EndpointHooks | None = None
        """What the received frames are told to where the caller plays a side."""
        self._reads = Reads(limits.waiting)
        self.forgotten: Numbers | None = None
        """Of an observer: requests that were seen whole and are no longer kept, to be answered with none known."""
        self.any_ahead = False
        """Some answer was seen before its request."""
        self.direct = False
        """The client began with the preface, so no upgrade is answered."""
        self.upgraded = False
        """The client has sent a request of HTTP/1.1 that asks for h2c."""

    def side(self, sender: Sender) -> Side:
        """The endpoint that `sender` is."""
        return self.client if sender is Sender.CLIENT else self.server

    def peer(self, sender: Sender) -> Side:
        """The endpoint that `sender` speaks to."""
        return self.server if sender is Sender.CLIENT else self.client

    def opener(self, number: i64) -> Side:
        """Who opens streams of such a number: the client those that are odd (RFC 9113 §5.1.1)."""
        return self.client if number & 1 == 1 else self.server

    # Streams.

    def open(self, number: i64, state: i64, joined: bool, offset: i64) -> Stream:
        """A new stream; `joined`: its beginning was not seen. Raises `LimitExceeded` with `offset` past ``limits.streams``."""
        self._make_room(offset)
        stream = Stream(number, state, joined or self.client.doubtful or self.server.doubtful)
        self.streams.add(stream)
        self.begin(number)
        peer = self.server if number & 1 == 1 else self.client
        if peer.ended_ahead is not None:
            self._meet(stream, peer)
        return stream

    def open_ahead(self, number: i64, offset: i64) -> Stream:
        """Of an observer: a new stream of the client's that the server answers before it is seen to begin."""
        self._make_room(offset)
        stream = Stream(number, OPEN, self.client.doubtful or self.server.doubtful)
        stream.ahead = True
        self.any_ahead = True
        self.streams.add(stream)
        return stream

    def _make_room(self, offset: i64) -> None:
        if self.streams.count < self.limit:
            return
        if self.endpoint is not None:
            if not self.joined and self.client.heard and self.server.heard:
                raise LimitExceeded(
                    offset,
                    f"{self.limit + 1} streams at once",
                    f"at most limits.streams = {self.limit}",
                    "RFC 9113 §5.1.2",
                )
        else:
            # They may have ended where it has not been seen yet.
            silent = self.streams.forget_silent()
            if silent:
                if self.forgotten is None:
                    self.forgotten = Numbers(int(self.limit))
                for number in silent:
                    self.forgotten.add(int(number))
                return
        self.streams.forget_older()
        self.joined = True

    def begin(self, number: i64) -> None:
        """The opener of `number` opens it: those that it passes over can be no streams any more."""
        opener = self.opener(number)
        last = opener.last_stream
        if number > last:
            if number > last + 2 and not self.joined:
                skipped = opener.skipped
                if skipped is None:
                    skipped = []
                    opener.skipped = skipped
                skipped.append((last + 1, number - 1))
                if len(skipped) > _SKIPS_KEPT:
                    skipped.pop(0)
            opener.last_stream = number

    def arrive(self, stream: Stream) -> bool:
        """The client opens a stream that is `ahead`; False where it has opened a higher one."""
        number = i64(stream.number)
        if number <= self.client.last_stream and not self.joined:
            return False
        stream.ahead = False
        self.begin(number)
        return True

    def _meet(self, stream: Stream, peer: Side) -> None:
        """A stream begins on which `peer` may have said its last."""
        number = i64(stream.number)
        ended, reset = peer.ended_ahead, peer.reset_ahead
        was_reset = reset is not None and reset.discard(int(number))
        if ended is not None and ended.discard(int(number)):
            stream.state = u8(CLOSED if stream.state == CLIENT_DONE else SERVER_DONE)
        elif was_reset:
            stream.cut = True
            if stream.state != RESERVED:
                stream.state = u8(CLOSED if stream.state == CLIENT_DONE else SERVER_DONE)
            if stream.state != CLOSED:
                self.note_cut(number, peer, stream)
                self.streams.remove(number)

    def end_ahead(self, number: i64, side: Side, reset: bool) -> None:
        """`side` has said its last on a stream of the other that has not been seen to begin; `reset`: by RST_STREAM."""
        if side.ended_ahead is None:
            side.ended_ahead = Numbers(int(self.limit))
        if reset:
            if side.reset_ahead is None:
                side.reset_ahead = Numbers(int(self.limit))
            side.ended_ahead.discard(int(number))
            side.reset_ahead.add(int(number))
        else:
            side.ended_ahead.add(int(number))

    def has_ended_ahead(self, number: i64, side: Side) -> bool:
        """Whether `side` has said its last on such a stream."""
        ended, reset = side.ended_ahead, side.reset_ahead
        return (ended is not None and int(number) in ended) or (reset is not None and int(number) in reset)

    def forgot(self, number: i64) -> bool:
        """Whether such a request was forgotten; from now on it is not."""
        return self.forgotten is not None and self.forgotten.discard(int(number))

    def unanswered(self) -> list[Message]:
        """The requests whose answer has not come to its end, for whoever sees both directions."""
        found: list[Message] = []
        for stream in self.streams.all():
            request = stream.request
            state = stream.state
            if request is not None and (state == OPEN or state == CLIENT_DONE):
                found.append(request)
        return found

    @property
    def waiting(self) -> int:
        """Streams whose request has been seen and that have not ended."""
        return self.streams.asked() if self.any_ahead else self.streams.count

    def keep(self, message: Http2Message) -> None:
        """`message` is remembered with its stream: past ``limits.waiting`` those that are let go of the reads that they lie in."""
        if message.octets is not self._reads.latest and self._reads.add(message.octets):
            self._reads.gather(self._heads())

    def _heads(self) -> list[Message]:
        """Every message that is remembered with a stream."""
        found: list[Message] = []
        streams = self.streams.all()
        for side in (self.client, self.server):
            if side.cut_streams is not None:
                streams += side.cut_streams.values()
        for stream in streams:
            if stream.request is not None:
                found.append(stream.request)
            if stream.response is not None:
                found.append(stream.response)
        return found

    def skipped(self, number: i64) -> bool:
        """Whether the opener of streams of such a number passed over it."""
        skipped = self.opener(number).skipped
        if skipped is not None:
            for first, last in skipped:
                if first <= number <= last:
                    return not self.joined
        return False

    def note_cut(self, number: i64, side: Side, stream: Stream | None = None) -> None:
        """`side` resets a stream that its peer has not ended: what that one says may be on its way, and is of `stream`, if given."""
        cut = side.cut
        if cut is None:
            cut = {}
            side.cut = cut
        cut[int(number)] = None
        if len(cut) > self.limit:
            oldest = next(iter(cut))
            del cut[oldest]
            side.cut_until = max(side.cut_until, i64(oldest))
        if stream is not None:
            streams = side.cut_streams
            if streams is None:
                streams = {}
                side.cut_streams = streams
            streams[int(number)] = stream
            if len(streams) > _CUT_STREAMS:
                del streams[next(iter(streams))]

    def cut_off(self, number: i64, side: Side) -> bool:
        """`side`, which the caller plays, resets a stream; False where it is closed already."""
        if self.streams.remove(number) is None:
            return False
        self.note_cut(number, side)
        return True

    def cut_stream(self, number: i64, peer: Side) -> Stream | None:
        """The stream that `peer` has reset and on which the other side goes on, not knowing it yet."""
        streams = peer.cut_streams
        return None if streams is None else streams.get(int(number))

    def forget_cut(self, number: i64) -> None:
        """Nothing more comes on a stream that was reset."""
        for side in (self.client, self.server):
            streams, cut = side.cut_streams, side.cut
            if streams is not None and streams.pop(int(number), None) is not None and cut is not None:
                cut.pop(int(number), None)  # a small limit may have forgotten it before

    def late(self, number: i64, peer: Side) -> bool:
        """Whether what comes on a closed stream may have been on its way when `peer` reset it."""
        return self.joined or (peer.cut is not None and (number <= peer.cut_until or int(number) in peer.cut))

    def close_if_done(self, stream: Stream) -> None:
        """Forget a stream that is closed."""
        state = i64(stream.state)
        if state == CLOSED:
            answer = stream.response
            if answer is not None and answer.awaits_request:
                answer.note(None, stream.calls())
            if self.streams.remove(i64(stream.number)) is None:
                self.forget_cut(i64(stream.number))
            elif self.streams.count == 0:
                self._reads.clear()
            if self.endpoint is not None:
                self.endpoint.on_closed(i64(stream.number))
        elif stream.ahead and state == SERVER_DONE:
            self.streams.remove(i64(stream.number))
            self.end_ahead(i64(stream.number), self.server, False)

    def count_reset(self, side: Side, offset: i64) -> None:
        """`side` reset a stream that was not answered: many of them are an attack ("rapid reset") on an endpoint."""
        side.resets += 1
        if side.resets > self.limit:
            raise LimitExceeded(
                offset,
                f"{side.resets} streams reset before they were answered",
                f"at most limits.streams = {self.limit}",
                "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
            )

    # Settings.

    def take_settings(self, owner: Side, settings: dict[int, int], offset: i64) -> None:
        """`owner` has sent SETTINGS."""
        # Its peer may use larger frames from its ACK on; until that is seen, a little early does no harm.
        size = settings.get(int(MAX_FRAME_SIZE))
        if size is not None:
            owner.frame_size = max(owner.frame_size, size)
        if self.endpoint is not None:
            self.endpoint.on_settings(settings, offset)
        else:
            self.expect_ack(owner, settings)

    def expect_ack(self, owner: Side, settings: dict[int, int]) -> None:
        """Of an observer: `owner` has sent SETTINGS, which its peer acknowledges in their order, or has done so already."""
        if owner.acknowledged_ahead > 0:
            owner.acknowledged_ahead -= 1
            return
        if owner.uncounted:
            return
        if len(owner.unacknowledged) > self.limit:
            owner.unacknowledged.clear()  # its peer is not heard
            owner.uncounted = True
            return
        owner.unacknowledged.append(settings)

    def apply_settings(self, owner: Side, peer: Side) -> None:
        """`peer` has acknowledged the oldest SETTINGS of `owner`."""
        if self.endpoint is not None:
            self.endpoint.on_ack()
            return
        if not owner.unacknowledged or owner.uncounted:
            # What it acknowledges is not known, or not yet.
            if not self.joined:
                if not owner.uncounted:
                    owner.acknowledged_ahead += 1
                owner.acknowledged = True
                owner.push = True
                peer.hpack.set_table_limit(_ANY_TABLE_SIZE)
            return
        settings = owner.unacknowledged.pop(0)
        push = settings.get(int(ENABLE_PUSH))
        if push is not None:
            owner.push = push == 1
        size = settings.get(int(HEADER_TABLE_SIZE))
        if not owner.acknowledged:
            owner.acknowledged = True
            if size is None:
                size = int(DEFAULT_TABLE_SIZE)
        if size is None:
            return
        if not self.joined:
            peer.hpack.set_table_limit(min(size, 0x7FFFFFFF))
        elif not peer.lost:
            # Which settings this acknowledges is not certain. What the table is, `peer` tells in its header blocks.
            peer.hpack.set_table_limit(_ANY_TABLE_SIZE)

    # Joining midway.

    def lose(self, sender: Sender, again: bool) -> None:
        """Octets of `sender` were lost: header blocks, settings, acknowledgements, ends of streams.

        `again`: more of them, while what came since was doubtful, and with it every stream.
        """
        self.joined = True
        side = self.side(sender)
        side.hpack.lose()
        side.lost = True
        peer = self.peer(sender)
        if not peer.lost:
            peer.hpack.set_table_limit(_ANY_TABLE_SIZE)
        if not again:
            self.streams.doubt()
        for each in (self.client, self.server):
            each.unacknowledged.clear()
            each.cut_streams = None
            each.acknowledged_ahead = 0
            each.uncounted = False
            each.resets = 0
            each.push = True

    def widen(self, sender: Sender) -> None:
        """`sender` begins, and its peer has said nothing that was seen: its table may be larger than the default."""
        if not self.peer(sender).heard:
            self.side(sender).hpack.set_table_limit(_ANY_TABLE_SIZE)
