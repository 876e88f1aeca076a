"""The base of every codec: one direction of one connection, octets in, events out.

A decoder does no I/O and never waits. `Decoder.next_event` returns the next event, or None when it needs more octets; what it has
parsed so far it keeps, so that nothing is looked at twice. Length-prefixed protocols subclass `FramedDecoder` and write two methods.

After lost octets (`Decoder.gap`) the session asks `Decoder.boundary` where decoding can go on.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar, Final, NoReturn

from mypy_extensions import i32, i64, mypyc_attr

from l7codecs._layout import check_layout
from l7codecs.buffer import Buffer
from l7codecs.endpoint.giving_up import GivenUp
from l7codecs.errors import IncompleteMessage, LimitExceeded, ProtocolError
from l7codecs.kinds import Kind, Sender
from l7codecs.limits import Limits
from l7codecs.message import Data, Event, Flow, Gap, Message, Opaque
from l7codecs.pairing.tables import PairingTable

__all__ = ["Decoder", "FramedDecoder"]

_WINDOW: Final[i64] = 256
"""Octets behind a gap that are looked at first; more of them while nothing is found, so that each is looked at a few times at most."""
_MAX_WINDOW: Final[i64] = 1 << 16
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_HEARTBEAT: Final = Kind.HEARTBEAT
_GOAWAY: Final = Kind.GOAWAY
_NO_LIMIT: Final = 1 << 62
"""More octets than any frame has."""
_IDLE: Final[i64] = 1024
"""Events in a row that may take no octet: ends of messages are such, but a stream has no more of them than it has messages."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Decoder:
    """One direction of one connection.

    ``asks`` holds the requests of this direction that wait for an answer, ``answers`` those of the other direction.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_layout(cls)

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        self.flow = flow
        self.sender = sender
        self.limits = limits
        self.asks = asks
        self.answers = answers
        self.buffer = Buffer()
        self.fed = False
        self.ended = False
        self.special = False
        """Anything but decoding comes first: an error to raise again, events set aside, octets lost, the end."""
        self.gone = False
        """The sender has said that it takes no more requests."""
        self._idle: i32 = 0  # behind the flags, whose place in memory it shares
        self.error: ProtocolError | None = None
        self.backlog: deque[Event] | None = None
        self.lost: Gap | None = None
        self.passed: i64 = 0
        """Octets passed over since the last gap in search of a boundary."""
        self.wanted: i64 = 0
        """Octets from the place that `boundary` told last that have to be there before it is asked again; `boundary` sets it."""
        self.stands: i64 = -1
        """Where parsing stood at the latest event; how many took no octet at which place."""
        self._idle_at: i64 = -1
        self.head: Message | None = None
        """The message that is streaming: announced with ``more``, and not at its end."""
        self.given_up: GivenUp | None = None
        """Answers that are for nobody."""

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a decoder is not copied or pickled: open another session")

    def next_event(self) -> Event | None:
        """The next event; None when it needs more octets. Raises `ProtocolError` where the octets are wrong."""
        raise NotImplementedError

    def boundary(self, octets: bytes) -> int:
        """Where, after lost octets, a message starts.

        Returns the index of the first octet of the first plausible message, or ``-1 - n`` when nothing starts before index n and
        what does from there on needs more octets to tell. ``passed`` octets lie between the gap and `octets`.

        The answer must follow from the octets from the gap on, however many of them are at hand: with more of them it is the same, or
        comes where it waited. What has to wait for more than a few octets sets ``wanted`` to how many it needs from index n on.
        """
        return -1 - len(octets)

    def unfinished(self) -> bool:
        """Whether the direction stands inside a message."""
        return self.buffer.unfinished > 0

    def restart(self) -> None:
        """Forget the message in progress: decoding goes on at a boundary."""
        self.head = None

    def gap(self, size: int) -> None:
        """`size` octets are lost after those fed so far (0: an unknown number). What is fed next starts anywhere."""
        rest = self.buffer.unfinished
        if rest:
            at = self.buffer.message_offset
            self.set_aside(Opaque(self.sender, at, self.buffer.take_all()))
        self.restart()
        self.buffer.skip_lost(size)
        lost = Gap(self.sender, self.buffer.offset, size)
        lost.offset -= size
        self.set_aside(lost)
        self.lost = lost
        self.passed = 0
        self.wanted = 0
        self.asks.lose()
        self.answers.lose()

    def go_on_behind(self, size: int) -> None:
        """`size` octets are lost inside something whose end is known: decoding goes on behind them. Everything fed has been handed out."""
        lost = Gap(self.sender, self.buffer.offset, size)
        self.buffer.skip_lost(size)
        lost.resumed_at = self.buffer.offset
        self.set_aside(lost)

    def stood(self, event: Event) -> None:
        """`event` has come and parsing stands where it stood before. Raises `ProtocolError` where that goes on without an octet."""
        if isinstance(event, Message):
            told: i64 = event.stop - event.start
        elif isinstance(event, Gap):
            told = 1  # the caller's
        else:
            told = len(event.raw)
        if told > 0 or self._idle_at != self.stands:
            self._idle = 0
            self._idle_at = self.stands
            return
        self._idle += 1
        if i64(self._idle) >= _IDLE:
            raise ProtocolError(
                self.buffer.offset,
                f"{_IDLE} events in a row without an octet from the decoder of {self.flow.protocol}",
                "events that go on in the stream",
                "the plugin is at fault",
            )

    def set_aside(self, event: Event) -> None:
        """Let `event` come before anything that is decoded from now on."""
        if self.backlog is None:
            self.backlog = deque()
        self.backlog.append(event)
        self.special = True

    def next_special(self) -> Event | None:
        """As `next_event`, with everything that is not ordinary decoding."""
        backlog = self.backlog
        if backlog is not None:
            event: Event = backlog.popleft()
            if not backlog:
                self.backlog = None
            return event
        if self.error is not None:
            raise self.error.with_traceback(None)  # else each time makes it longer
        lost = self.lost
        if lost is not None:
            passed = self._resume(lost)
            if passed is not None or lost.resumed_at is None:
                return passed
        given_up = self.given_up
        self.special = self.ended or given_up is not None
        found = self.next_event()
        if given_up is not None:
            while found is not None and given_up.swallows(found):
                found = self.next_event()
            if given_up.count == 0:
                self.given_up = None
                self.special = self.ended
        if found is None and self.ended and self.unfinished():
            at = self.buffer.message_offset
            raise IncompleteMessage(
                at, f"the end of the stream after {self.buffer.unfinished} octets", "the rest of the message"
            )
        return found

    def give_up(self, request: Message, sent: Message) -> None:
        """The answer to `request`, for which `sent` waits, is for nobody."""
        self._gives_up().add(request, sent)

    def give_up_rest(self, request: Message) -> None:
        """What is still to come of an answer to `request` that has begun is for nobody."""
        head = self.head
        if head is not None and head.request is request:
            self._gives_up().add_head(head)

    def _gives_up(self) -> GivenUp:
        found = self.given_up
        if found is None:
            found = GivenUp(self.answers)
            self.given_up = found
            self.special = True
        return found

    def _resume(self, lost: Gap) -> Event | None:
        """Look for the next boundary; the octets before it, or None when there are none.

        The octets at hand are looked at window by window: where many places turn out to be none, the rest is not copied for each.
        """
        buffer = self.buffer
        offset = buffer.offset
        window = _WINDOW
        while True:
            have: i64 = buffer.available
            if have < self.wanted and not self.ended:
                break
            size = min(have, max(window, self.wanted))
            buffer.need(size)
            self.wanted = 0
            at: i64 = self._ask(size)
            if at >= 0:
                self._skip(at)
                self.wanted = 0
                lost.resumed_at = buffer.offset
                self.lost = None
                self.answers.resume()
                break
            at = -1 - at
            self._skip(at)
            if size == have:
                if self.ended:
                    self._skip(size - at)
                break
            window = min(window * 2, _MAX_WINDOW) if at > 0 else size * 2
        return Opaque(self.sender, offset, buffer.take()) if buffer.message_size() > 0 else None

    def _ask(self, size: i64) -> int:
        """What `boundary` says of the next `size` octets, which are in the window."""
        buffer = self.buffer
        at = self.boundary(buffer.data[buffer.pos : buffer.pos + size])
        if at > int(size) or -1 - at > int(size):
            raise ProtocolError(
                buffer.offset,
                f"a boundary at index {at if at >= 0 else -1 - at} of {size} octets from the decoder of {self.flow.protocol}",
                "one inside of them",
                "the plugin is at fault",
            )
        return at

    def _skip(self, size: i64) -> None:
        self.buffer.pass_over(size)
        self.passed += size

    def failed(self) -> None:
        """The direction has ended with an error; the other goes on, and may refer to what is not known now. For rooms to override."""

    def rest(self) -> Event | None:
        """What is parsed of the streaming message and not yet handed out; None where there is nothing."""
        head = self.head
        if head is None:
            return None
        return self._piece(head, True) if self.buffer.message_size() > 0 else None

    def end(self) -> Event:
        """The last of the streaming message, which ends where parsing stands."""
        head = self.head
        assert head is not None
        self.head = None
        return self._piece(head, False)

    def _piece(self, head: Message, more: bool) -> Data:
        """What is parsed of the message that began with `head`, as it lies in its read."""
        buffer = self.buffer
        offset = buffer.message_offset
        size = buffer.message_size()
        if size == 0:
            return Data(head, offset, b"", more)
        octets = buffer.message()
        start = buffer.message_start()
        buffer.finish()
        return Data(head, offset, octets, more, start, start + size)

    def pair(self, message: Message) -> None:
        """Remember a request, or give an answer its request, as the protocol declares; GOAWAY is ``gone``."""
        kind = message.kind
        if kind is _REQUEST or kind is _HEARTBEAT:
            self.asks.asked(message)
        elif kind is _RESPONSE:
            message.request = self.answers.answered(message)
        elif kind is _GOAWAY:
            self.gone = True

    def fail(self, at: int, seen: str, expected: str, spec: str = "") -> NoReturn:
        """Raise `ProtocolError` for octet `at` of the message in progress, counted from its first."""
        raise ProtocolError(self.buffer.message_offset + at, seen, expected, spec)

    def exceed(self, at: int, seen: str, limit: str, spec: str = "") -> NoReturn:
        """Raise `LimitExceeded` for octet `at` of the message in progress, counted from its first."""
        raise LimitExceeded(self.buffer.message_offset + at, seen, limit, spec)


@mypyc_attr(allow_interpreted_subclasses=True)
class FramedDecoder(Decoder):
    """Frames that begin with a header of fixed size that tells how long they are.

    Subclasses set ``header_size`` (octets) and write `frame_size` and `message`. A frame larger than ``limits.message`` becomes a message
    of its first ``limits.head`` octets, with the rest as `Data`.
    """

    header_size: ClassVar[int] = 4

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self._header_size: i64 = type(self).header_size
        # Of `Limits`, which is no native class: what is looked up there for each frame costs more than the rest of a short one.
        self._most: int = limits.payload
        self._whole: i64 = min(limits.message, _NO_LIMIT)
        self._left: i64 = -1
        self._head_left: i64 = 0
        self._size: i64 = 0

    def frame_size(self, data: bytes, at: int) -> int:
        """Octets of the whole frame, header included, whose header is ``data[at:at + header_size]``."""
        raise NotImplementedError

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        """The message in ``octets[start:stop]``, which starts at `offset` of the direction; its head alone where `more`.

        The head has at least ``header_size`` octets. What stands outside of ``octets[start:stop]`` belongs to other messages.
        """
        raise NotImplementedError

    def unfinished(self) -> bool:
        return self._left > 0 or self.buffer.unfinished > 0

    def restart(self) -> None:
        self._left = -1
        self._head_left = 0
        self.head = None

    def next_event(self) -> Event | None:
        buffer = self.buffer
        if self.head is not None:
            self._left = buffer.pass_window(self._left)
            if self._left > 0:
                return self.rest()
            self._left = -1
            return self.end()
        if self._left < 0:
            if not buffer.need(self._header_size):
                return None
            # An int, which no header overflows, until the limit has been checked.
            size: int = self.frame_size(buffer.data, buffer.pos)
            if size < int(self._header_size):
                self.fail(0, f"a frame of {size} octets", f"at least {self._header_size}")
            if size > self._most:
                self.exceed(0, f"a frame of {size} octets", f"at most limits.payload = {self._most}")
            self._left = size
            self._size = size
        if self._left > self._whole or self._head_left > 0:
            return self._announce()
        self._left = buffer.pass_over(self._left)
        if self._left > 0:
            return None
        return self._complete(False)

    def _announce(self) -> Event | None:
        """The head of a frame that is too large to buffer."""
        buffer = self.buffer
        if self._head_left == 0:
            self._head_left = min(max(self.limits.head, self._header_size), self._left)
        before = self._head_left
        self._head_left = buffer.pass_over(before)
        self._left -= before - self._head_left
        if self._head_left > 0:
            return None
        if self._left == 0:
            return self._complete(False)
        message = self._complete(True)
        self.head = message
        return message

    def _complete(self, more: bool) -> Message:
        buffer = self.buffer
        offset = buffer.message_offset
        size = buffer.message_size()
        octets = buffer.message()
        start = buffer.message_start()
        message = self.message(octets, start, start + size, offset, more)
        buffer.finish()
        if more:
            message.declared_size = self._size
        else:
            self._left = -1
        self.pair(message)
        return message
