"""Streams: what a connection is made of. RFC 9113 §5.1.

The states are those of the RFC, seen from beside the connection: a stream is half closed by the client or by the server. The table says
where each frame leads; a frame that is not in it is an error of the stream, or of the connection where the stream is idle.

    state          sender  frame                 → state
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from ._messages import Http2Message

__all__ = ["CLOSED", "TRANSITIONS", "Stream"]

IDLE: Final[i64] = 0
RESERVED: Final[i64] = 1
OPEN: Final[i64] = 2
CLIENT_DONE: Final[i64] = 3
SERVER_DONE: Final[i64] = 4
CLOSED: Final[i64] = 5

CLIENT: Final[i64] = 0
SERVER: Final[i64] = 1

FRAME: Final[i64] = 0  # HEADERS or DATA
LAST: Final[i64] = 1  # the same with END_STREAM
RESET: Final[i64] = 2

REFUSED: Final[i64] = -1

_TABLE: Final[dict[tuple[i64, i64, i64], i64]] = {
    (IDLE, CLIENT, FRAME): OPEN,
    (IDLE, CLIENT, LAST): CLIENT_DONE,
    (RESERVED, SERVER, FRAME): CLIENT_DONE,
    (RESERVED, SERVER, LAST): CLOSED,
    (RESERVED, SERVER, RESET): CLOSED,
    (RESERVED, CLIENT, RESET): CLOSED,
    (OPEN, CLIENT, FRAME): OPEN,
    (OPEN, CLIENT, LAST): CLIENT_DONE,
    (OPEN, CLIENT, RESET): CLOSED,
    (OPEN, SERVER, FRAME): OPEN,
    (OPEN, SERVER, LAST): SERVER_DONE,
    (OPEN, SERVER, RESET): CLOSED,
    (CLIENT_DONE, CLIENT, RESET): CLOSED,
    (CLIENT_DONE, SERVER, FRAME): CLIENT_DONE,
    (CLIENT_DONE, SERVER, LAST): CLOSED,
    (CLIENT_DONE, SERVER, RESET): CLOSED,
    (SERVER_DONE, SERVER, RESET): CLOSED,
    (SERVER_DONE, CLIENT, FRAME): SERVER_DONE,
    (SERVER_DONE, CLIENT, LAST): CLOSED,
    (SERVER_DONE, CLIENT, RESET): CLOSED,
}
TRANSITIONS: Final[list[int]] = [
    _TABLE.get((state, sender, frame), REFUSED) for state in range(6) for sender in range(2) for frame in range(3)
]
"""The table as a list: index ``(state * 2 + sender) * 3 + frame``."""


@final
@mypyc_attr(acyclic=True)
class Stream:
    """One stream that is not closed."""

    def __init__(self, number: i64, state: i64, joined: bool) -> None:
        self.number = number
        self.state = state
        self.joined = joined
        """It was open before its beginning could be seen."""
        self.request: Http2Message | None = None
        self.response: Http2Message | None = None
        self.request_body = Body()
        self.response_body = Body()

    def move(self, sender: i64, frame: i64) -> bool:
        """Follow the table; False where it has no such entry."""
        following: i64 = TRANSITIONS[(self.state * 2 + sender) * 3 + frame]
        if following == REFUSED:
            return False
        self.state = following
        return True


@final
@mypyc_attr(acyclic=True)
class Body:
    """What DATA frames of one direction of a stream add up to: octets, and the length-prefixed messages of gRPC.

    Each such message is a flag (1: compressed), four octets of length, and that many octets (gRPC over HTTP/2,
    "Length-Prefixed-Message"); they may
    be cut anywhere by frames.
    """

    def __init__(self) -> None:
        self.octets: i64 = 0
        self.declared: i64 = -1
        """content-length, -1 where there is none."""
        self.messages: i64 = 0
        """Length-prefixed messages that are complete."""
        self.compressed: i64 = 0
        """How many of them, or of the one that has begun, are compressed."""
        self.largest: i64 = 0
        """Octets of the largest whose length is known."""
        self._prefix: i64 = 0
        self._length: i64 = 0
        self._left: i64 = 0

    def count_messages(self, payload: bytes, at: i64, stop: i64) -> None:
        """Go on counting the length-prefixed messages in ``payload[at:stop]``."""
        while at < stop:
            if self._prefix < 5:
                octet: i64 = payload[at]
                at += 1
                if self._prefix == 0:
                    self._length = 0
                    if octet != 0:
                        self.compressed += 1
                else:
                    self._length = self._length * 256 + octet
                self._prefix += 1
                if self._prefix < 5:
                    continue
                self._left = self._length
                if self._length > self.largest:
                    self.largest = self._length
            step = min(self._left, stop - at)
            at += step
            self._left -= step
            if self._left == 0:
                self.messages += 1
                self._prefix = 0

    @property
    def inside(self) -> bool:
        """Whether a length-prefixed message has begun and not ended."""
        return self._prefix > 0
