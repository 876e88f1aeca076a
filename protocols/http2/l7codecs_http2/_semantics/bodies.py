"""Bodies: what the DATA frames of one direction of a stream add up to.

    flag(8) length(32) message(length)    …

is a body of gRPC (grpc/grpc, doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message").
"""

from __future__ import annotations

from typing import final

from mypy_extensions import i64, mypyc_attr

from .envelopes import Envelopes

__all__ = ["Body", "Calls"]


@final
@mypyc_attr(acyclic=True)
class Body:
    """One body: its octets, and the length-prefixed messages of gRPC in it, which may be cut anywhere by frames."""

    def __init__(self) -> None:
        self.octets: i64 = 0
        self.declared: i64 = -1
        """content-length, -1 where there is none."""
        self.messages: i64 = 0
        """Length-prefixed messages that are complete."""
        self.message_octets: i64 = 0
        """Octets of those and of the one that has begun, without their prefixes, as they came."""
        self.compressed: i64 = 0
        """How many of them, or of the one that has begun, are compressed."""
        self.certain = True
        """No octet that the numbers of messages depend on was lost."""
        self.envelopes: Envelopes | None = None
        """Of gRPC-Web and Connect: its messages, and what ends it."""
        self._prefix: i64 = 0
        """Octets seen of the prefix in progress."""
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
            step = min(self._left, stop - at)
            at += step
            self._left -= step
            self.message_octets += step
            if self._left == 0:
                self.messages += 1
                self._prefix = 0

    def lose(self, size: i64) -> None:
        """`size` octets were lost: nothing else is where they lie inside a message whose length is known."""
        self.octets += size
        if self.envelopes is not None:
            self.message_octets += self.envelopes.lose(size)
            self.certain = self.certain and not self.envelopes.broken
        elif self._prefix == 5 and size < self._left:
            self._left -= size
            self.message_octets += size
        else:
            self.certain = False

    @property
    def inside(self) -> bool:
        """Whether a length-prefixed message has begun and not ended."""
        return self._prefix > 0


@final
@mypyc_attr(acyclic=True)
class Calls:
    """Both bodies of a stream, at the end of an RPC; None for one whose end, or part of which, has not been seen."""

    def __init__(self, request: Body | None, response: Body | None) -> None:
        self.request = request if request is not None and request.certain else None
        self.response = response if response is not None and response.certain else None

    @property
    def streaming(self) -> str | None:
        """Which side sent more than one message: none, client, server, both. With one message, nobody can tell a stream."""
        request, response = self.request, self.response
        if request is None or response is None:
            return None
        if request.messages > 1:
            return "both" if response.messages > 1 else "client"
        return "server" if response.messages > 1 else "none"
