"""memcached's commands as they were best written by hand before there was a base for lines: `Decoder`, `Buffer`, and one method.

It does what the plugin of examples/ does of the client's direction, but for what only large messages and lost octets need.
"""

from __future__ import annotations

from l7codecs import Decoder, Event, Flow, Kind, Limits, Message, Pairing, PairingTable, Protocol, Sender

__all__ = ["BY_HAND"]

STORES = {b"set", b"add", b"replace", b"append", b"prepend", b"cas"}
NOREPLY = STORES | {b"touch", b"incr", b"decr", b"delete", b"flush_all", b"verbosity"}
NAMES = {
    name: name.decode()
    for name in NOREPLY
    | {b"get", b"gets", b"gat", b"gats", b"mg", b"ms", b"md", b"ma", b"me", b"mn", b"version", b"stats", b"quit"}
}
MANY = {"get": 1, "gets": 1, "gat": 2, "gats": 2}
REQUEST, ONEWAY = Kind.REQUEST, Kind.ONEWAY


class Command(Message):
    """One command; its words are split anew where somebody asks for a key, so that one that waits does not keep them."""

    def __init__(
        self, flow: Flow, sender: Sender, kind: Kind, offset: int, octets: bytes, start: int, stop: int, line: int, word: bytes
    ) -> None:  # fmt: skip
        super().__init__(flow, sender, kind, offset, octets, start, stop)
        self.line = line
        self.operation_ = NAMES.get(word)

    @property
    def operation(self) -> str | None:
        return self.operation_

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        words = self.octets[self.start : self.start + self.line].split()
        first = MANY.get(self.operation_ or "")
        if first is not None:
            return tuple(words[first:])
        return (words[1],) if len(words) > 1 else ()

    def detach(self) -> bool:
        self.keep_own()
        return True


class CommandDecoder(Decoder):
    """The client's direction."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self.left = 0
        self.line = 0
        self.first: list[bytes] = []

    def next_event(self) -> Event | None:
        buffer = self.buffer
        left = self.left
        if left == 0:
            size = buffer.line(self.limits.head)
            if size <= 0:
                if size < 0:
                    self.exceed(0, f"a line of more than {self.limits.head} octets", "limits.head")
                return None
            at = buffer.pos
            self.first = words = buffer.data[at : at + size].split()
            self.line = left = size
            if words:
                word = words[0]
                place = 4 if word in STORES else 2 if word == b"ms" else 0
                if place and len(words) > place and words[place].isdigit() and len(words[1]) <= 250:
                    block = int(words[place])
                    if block > self.limits.payload:
                        self.exceed(0, f"a block of {block} octets", "limits.payload")
                    left += block + 2
        left = buffer.pass_over(left)
        if left > 0:
            self.left = left
            return None
        self.left = 0
        words = self.first
        kind = REQUEST
        word = words[0] if words else b""
        if words and words[-1] == b"noreply" and word in NOREPLY and len(words) > 2:
            kind = ONEWAY
        start = buffer.message_start()
        message = Command(
            self.flow, self.sender, kind, buffer.message_offset, buffer.message(), start, start + buffer.message_size(), self.line, word
        )  # fmt: skip
        buffer.finish()
        if kind is REQUEST:
            self.asks.asked(message)
        return message


BY_HAND = Protocol(
    name="memcached-by-hand", title="memcached by hand", attributes=(), pairing=Pairing.FIFO, decoder=CommandDecoder
)
