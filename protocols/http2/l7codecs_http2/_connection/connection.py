"""What both directions of a connection share: settings, streams, and the state of both header compressions.

A setting takes effect when the peer acknowledges it (RFC 9113 §6.5.3): the server's SETTINGS_HEADER_TABLE_SIZE rules what the client
may send from the client's ACK on.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, Limits, Message, Sender
from l7codecs.message import Flow
from l7codecs.retention import Reads

from .._frames.settings import DEFAULT_FRAME_SIZE, DEFAULT_TABLE_SIZE, ENABLE_PUSH, HEADER_TABLE_SIZE, MAX_FRAME_SIZE
from .._hpack.decoder import HpackDecoder
from .._semantics.messages import Http2Message
from .streams import CLOSED, Stream, StreamTable

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
        self.acknowledged = False
        """Its first SETTINGS have been acknowledged: what its peer may do is known."""
        self.last_stream: i64 = 0
        """The highest stream that it opened."""
        self.owed: i64 = 0
        """Its SETTINGS and PING that wait for an ACK: a flood where they pass the limit."""
        self.resets: i64 = 0
        """Streams that it reset before they were answered, since its peer sent a frame."""
        self.skipped: list[tuple[i64, i64]] = []
        """Numbers that it passed over, which no stream can have any more (RFC 9113 §5.1.1): first and last."""
        self.cut: dict[int, None] = {}
        """Streams that it reset before its peer had ended them, the latest: what the peer sent may have been on its way."""
        self.cut_streams: dict[int, Stream] = {}
        """The latest of those, where the connection is seen from beside: what their peer still says belongs to them."""
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
        self.flows = [
            Flow("http2", flow.client, flow.server),
            Flow("grpc", flow.client, flow.server),
            Flow("triple", flow.client, flow.server),
            Flow("triple", flow.client, flow.server),
            Flow("grpc_web", flow.client, flow.server),
            Flow("connect", flow.client, flow.server),
            Flow("connect", flow.client, flow.server),
        ]
        self.client = Side(limits)
        self.server = Side(limits)
        self.streams = StreamTable()
        self.joined = False
        """It was under way before it was seen, or octets were lost: streams may be unknown."""
        self.limit: i64 = limits.streams
        self.endpoint: EndpointHooks | None = None
        """What the received frames are told to where the caller plays a side."""
        self._reads = Reads(limits.waiting)
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
        if self.streams.count >= self.limit:
            if not self.joined and self.client.heard and self.server.heard:
                raise LimitExceeded(
                    offset,
                    f"{self.limit + 1} streams at once",
                    f"at most limits.streams = {self.limit}",
                    "RFC 9113 §5.1.2",
                )
            # They may have ended where it could not be seen.
            self.streams.forget_older()
            self.joined = True
        stream = Stream(number, state, joined or self.client.doubtful or self.server.doubtful)
        self.streams.add(stream)
        opener = self.opener(number)
        last = opener.last_stream
        if number > last:
            if number > last + 2 and not self.joined:
                opener.skipped.append((last + 1, number - 1))
                if len(opener.skipped) > _SKIPS_KEPT:
                    opener.skipped.pop(0)
            opener.last_stream = number
        return stream

    def keep(self, message: Http2Message) -> None:
        """`message` is remembered with its stream: past ``limits.waiting`` those that are let go of the reads that they lie in."""
        if message.octets is not self._reads.latest and self._reads.add(message.octets):
            self._reads.gather(self._heads())

    def _heads(self) -> list[Message]:
        """Every message that is remembered with a stream."""
        found: list[Message] = []
        streams = self.streams.all()
        for side in (self.client, self.server):
            streams += side.cut_streams.values()
        for stream in streams:
            if stream.request is not None:
                found.append(stream.request)
            if stream.response is not None:
                found.append(stream.response)
        return found

    def skipped(self, number: i64) -> bool:
        """Whether the opener of streams of such a number passed over it."""
        for first, last in self.opener(number).skipped:
            if first <= number <= last:
                return not self.joined
        return False

    def note_cut(self, number: i64, side: Side, stream: Stream | None = None) -> None:
        """`side` resets a stream that its peer has not ended: what that one says may be on its way, and is of `stream`, if given."""
        side.cut[int(number)] = None
        if len(side.cut) > self.limit:
            del side.cut[next(iter(side.cut))]
        if stream is not None:
            side.cut_streams[int(number)] = stream
            if len(side.cut_streams) > _CUT_STREAMS:
                del side.cut_streams[next(iter(side.cut_streams))]

    def cut_off(self, number: i64, side: Side) -> bool:
        """`side`, which the caller plays, resets a stream; False where it is closed already."""
        if self.streams.remove(number) is None:
            return False
        self.note_cut(number, side)
        return True

    def cut_stream(self, number: i64, peer: Side) -> Stream | None:
        """The stream that `peer` has reset and on which the other side goes on, not knowing it yet."""
        return peer.cut_streams.get(int(number)) if peer.cut_streams else None

    def forget_cut(self, number: i64) -> None:
        """Nothing more comes on a stream that was reset."""
        for side in (self.client, self.server):
            if side.cut_streams.pop(int(number), None) is not None:
                side.cut.pop(int(number), None)  # a small limit may have forgotten it before

    def late(self, number: i64, peer: Side) -> bool:
        """Whether what comes on a closed stream may have been on its way when `peer` reset it."""
        return self.joined or int(number) in peer.cut

    def close_if_done(self, stream: Stream) -> None:
        """Forget a stream that is closed."""
        if stream.state == CLOSED:
            if self.streams.remove(i64(stream.number)) is None:
                self.forget_cut(i64(stream.number))
            elif self.streams.count == 0:
                self._reads.clear()
            if self.endpoint is not None:
                self.endpoint.on_closed(i64(stream.number))

    def count_reset(self, side: Side, offset: i64) -> None:
        """`side` reset a stream that was not answered: many of them are an attack ("rapid reset")."""
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
            if len(owner.unacknowledged) > self.limit:
                owner.unacknowledged.clear()  # its peer is not heard
            owner.unacknowledged.append(settings)
            self.owe(owner, "SETTINGS", offset)

    def apply_settings(self, owner: Side, peer: Side) -> None:
        """`peer` has acknowledged the oldest SETTINGS of `owner`."""
        if self.endpoint is not None:
            self.endpoint.on_ack()
            return
        if not owner.unacknowledged:
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

    def owe(self, owner: Side, name: str, offset: i64) -> None:
        """The peer of `owner` owes an ACK: a flood of these is an attack (RFC 9113 §10.5)."""
        peer = self.server if owner is self.client else self.client
        if not peer.heard:
            return
        owner.owed += 1
        if owner.owed > self.limit:
            raise LimitExceeded(
                offset,
                f"{owner.owed} {name} without an ACK",
                f"at most limits.streams = {self.limit}",
                "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
            )

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
            each.cut_streams.clear()
            each.owed = 0
            each.resets = 0
            each.push = True

    def widen(self, sender: Sender) -> None:
        """`sender` begins, and its peer has said nothing that was seen: its table may be larger than the default."""
        if not self.peer(sender).heard:
            self.side(sender).hpack.set_table_limit(_ANY_TABLE_SIZE)
