"""What both directions of a connection share: settings, streams, and the state of both header compressions.

A setting takes effect when the peer acknowledges it (RFC 9113 §6.5.3): the server's SETTINGS_HEADER_TABLE_SIZE rules
what the client may send from the
client's ACK on.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import Limits, Sender
from l7codecs.message import Flow

from ._hpack import HpackDecoder
from ._streams import CLOSED, Stream

__all__ = ["Connection", "EndpointHooks", "Side"]

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6
ENABLE_CONNECT_PROTOCOL: Final = 8

DEFAULT_FRAME_SIZE: Final[i64] = 16384
_UNSEEN_TABLE_SIZE: Final[i64] = 65536
"""What a direction may use whose peer's settings cannot be seen."""


class EndpointHooks:
    """What the decoder tells an endpoint; `_endpoint.Endpoint` does it."""

    def on_open(self, upgraded: bool) -> None: ...

    def on_settings(self, settings: dict[int, int], offset: i64) -> None: ...

    def on_ping(self, payload: bytes, offset: i64) -> None: ...

    def on_data(self, stream: i64, size: i64) -> None: ...

    def on_window(self, stream: i64, increment: i64, offset: i64) -> None: ...

    def on_reset(self, stream: i64) -> None: ...

    def on_malformed(self, stream: i64, offset: i64) -> None: ...


@final
class Side:
    """One endpoint, as the frames that it sends tell."""

    def __init__(self, limits: Limits) -> None:
        self.hpack = HpackDecoder(4096, limits.head)
        self.heard = False
        """Frames of it have been seen."""
        self.frame_size: i64 = DEFAULT_FRAME_SIZE
        """The largest payload that it accepts."""
        self.unacknowledged: list[dict[int, int]] = []
        """Its SETTINGS that its peer has not acknowledged, oldest first."""
        self.last_stream: i64 = 0
        """The highest stream that it opened."""
        self.owed: i64 = 0
        """Its SETTINGS and PING that wait for an ACK: a flood where they pass the limit."""
        self.resets: i64 = 0
        """Streams that it reset before they were answered, less those that were."""


@final
class Connection:
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits) -> None:
        self.flows = [
            Flow("http2", flow.client, flow.server),
            Flow("grpc", flow.client, flow.server),
            Flow("triple", flow.client, flow.server),
        ]
        self.client = Side(limits)
        self.server = Side(limits)
        self.streams: dict[int, Stream] = {}
        self.joined = False
        """It was under way before it was seen, or octets were lost: streams may be unknown."""
        self.limit = limits.streams
        self.endpoint: EndpointHooks | None = None
        """What the received frames are told to where the caller plays a side."""
        self.upgraded = False

    def side(self, sender: Sender) -> Side:
        return self.client if sender is Sender.CLIENT else self.server

    def peer(self, sender: Sender) -> Side:
        return self.server if sender is Sender.CLIENT else self.client

    def close_if_done(self, stream: Stream) -> None:
        """Forget a stream that is closed."""
        if stream.state == CLOSED:
            self.streams.pop(int(stream.number), None)

    def apply_settings(self, owner: Side, peer: Side) -> None:
        """`peer` has acknowledged the oldest SETTINGS of `owner`."""
        if not owner.unacknowledged:
            return
        settings = owner.unacknowledged.pop(0)
        size = settings.get(HEADER_TABLE_SIZE)
        if size is not None:
            peer.hpack.set_table_limit(min(size, 0x7FFFFFFF))

    def lose(self, sender: Sender) -> None:
        """Octets of `sender` were lost."""
        self.joined = True
        self.side(sender).hpack.lose()
        self.side(sender).unacknowledged.clear()

    def widen(self, sender: Sender) -> None:
        """`sender` begins, and its peer has said nothing that was seen: its table may be larger than the default."""
        if not self.peer(sender).heard:
            self.side(sender).hpack.set_table_limit(_UNSEEN_TABLE_SIZE)
