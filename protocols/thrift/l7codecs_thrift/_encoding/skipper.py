"""Passing over a message's body: what each encoding's skipper offers."""

from __future__ import annotations

from mypy_extensions import i64

__all__ = ["Skipper"]


class Skipper:
    """Passes over one message's body as its octets come. It keeps none of them, and looks at none twice but in a value's head.

    nesting: levels of containers; elements: items that one container may declare; payload: octets that one string may declare.
    """

    def __init__(self, nesting: i64, elements: i64, payload: i64) -> None:
        self.done = False
        """Whether the body has ended, where `feed` said."""
        self.nesting: i64 = nesting
        self.elements: i64 = elements
        self.payload: i64 = payload

    def feed(self, octets: bytes, at: i64, stop: i64) -> i64:
        """Pass over ``octets[at:stop]``; return where it stands. Unless `done`, what is behind that (at most 16 octets) comes again.

        Raises:
            ProtocolError: here is no body. Its offset counts from the start of `octets`.
            LimitExceeded: one of the limits is passed.
        """
        raise NotImplementedError

    def clear(self) -> None:
        """Begin anew, with another body."""
        raise NotImplementedError
