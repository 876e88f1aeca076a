"""What both directions do after lost octets: look for the next message, doubt it, and take it back where it is none.

``_certainty.py`` says when a doubt ends. While a direction is wary, `ResumingDecoder.next_wary` stands before what decodes.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Decoder, Limits, Message, ProtocolError, Sender
from l7codecs.message import Event, Flow, Opaque
from l7codecs.pairing.tables import PairingTable

from ._certainty import searched
from ._state import ConnectionState, Standing

__all__ = ["ResumingDecoder"]

_CLIENT: Final = Sender.CLIENT
_UNSURE: Final[i64] = 8
"""Messages that have to be right until what was found is certain to be messages: before that, an error is none."""
_HELD: Final = 16
"""Messages that are held at most until the other side speaks."""


class ResumingDecoder(Decoder):
    """A direction that goes on after lost octets, as its `standing` says.

    Subclasses call `next_wary` while `wary`, and `resume` after a loss.
    """

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        limits: Limits,
        asks: PairingTable,
        answers: PairingTable,
        state: ConnectionState,
    ) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self.state = state
        self.wary = False
        """Whether what is found may be none, after lost octets."""

    @property
    def standing(self) -> Standing:
        """What is known of where messages begin."""
        return self.state.client if self.sender is _CLIENT else self.state.server

    def find(self, octets: bytes, fresh: bool, at: int) -> int:
        """Where from index `at` on a message begins, as `Decoder.boundary` returns it; right at `at` only where `fresh`."""
        raise NotImplementedError

    def lose_again(self) -> None:
        """What was told for certain was none: doubt it anew."""
        raise NotImplementedError

    def announce(self) -> Event:
        """The head of the message in progress."""
        raise NotImplementedError

    def set_aside_begun(self) -> None:
        """What is known of the message in progress comes behind what waits; held messages that are certain by it, before it."""
        waiting = self._take_backlog()
        first = self.announce() if self.head is None else self.rest()
        if first is not None:
            waiting.append(first)
        waiting.extend(self._take_backlog())
        for event in waiting:
            self.set_aside(event)

    def _take_backlog(self) -> list[Event]:
        """What waits, which then does not any more."""
        waiting = self.backlog
        self.backlog = None
        return [] if waiting is None else list(waiting)

    def resume(self) -> None:
        """Octets were lost; the gap has been told."""
        standing = self.standing
        standing.gap = self.lost
        standing.unsure = _UNSURE
        self.wary = self.state.observer

    def boundary(self, octets: bytes) -> int:
        standing = self.standing
        at = self.find(octets, self.passed == 0 or standing.after_lf or standing.fresh, 0)
        searched(self.state, standing, octets, at)
        if octets and at != -1:
            standing.after_lf = False
        return at

    def next_wary(self) -> Event | None:
        """As `next_event`, where what is found may be none: then it is passed over."""
        standing = self.standing
        if standing.again and self.lost is None:
            standing.again = False
            if standing.doubted and self.unfinished():
                offset = self.buffer.message_offset
                before = b""
                if standing.held:  # they were said before what is none
                    held_back = self.passed_over()
                    offset = held_back.offset
                    before = held_back.raw
                return self._search_on(offset, before + self.buffer.take(), True)
        self.wary = False
        event: Event | None = None
        while True:
            standing.holds = False
            try:
                event = self.next_event()
            except ProtocolError as error:
                rest = self.rest()  # of a message that was told: other cuts have told it before it went wrong
                event = self._search_again(error.offset)
                if rest is not None:
                    self.set_aside(event)
                    event = rest
                break
            if not standing.holds:
                if isinstance(event, Message) and event.sender is self.sender:
                    standing.unsure -= 1
                break
            held = standing.held
            if event is None or len(held) > _HELD or event.offset - held[0].offset > self.limits.head:
                event = self.passed_over()
                break
        if event is None and self.ended and standing.held:
            event = self.passed_over()
        self.wary = standing.unsure > 0 or standing.doubted
        if self.lost is None:
            standing.quiet = not self.unfinished()
        return event

    def passed_over(self) -> Opaque:
        """The messages that were held, as the octets that they may be."""
        held = self.standing.take_held()
        return Opaque(self.sender, held[0].offset, b"".join([message.raw for message in held]))

    def _search_again(self, wrong: i64) -> Opaque:
        """What was taken for a message is none, which shows at offset `wrong`: pass it over up to there, and look for another one."""
        buffer = self.buffer
        standing = self.standing
        offset = buffer.message_offset
        before = b""
        if not standing.doubted:
            self.lose_again()
        elif standing.held:
            held = self.passed_over()
            offset = held.offset
            before = held.raw
        # Where it shows does not depend on the cuts; how far parsing had come may.
        buffer.pass_over(max(max(wrong, buffer.message_offset + 1) - buffer.offset, 0))
        return self._search_on(offset, before + buffer.take(), False)

    def _search_on(self, offset: i64, passed: bytes, here: bool) -> Opaque:
        """Look for a message behind what was `passed` from `offset` on; right behind it too if it ends a line, or `here` is asked for."""
        buffer = self.buffer
        standing = self.standing
        self.restart()
        standing.unsure = _UNSURE
        standing.after_lf = here or passed.endswith(b"\n")
        # In the window first, so that each octet is looked at once, however many of them begin what is none.
        at = self.find(buffer.data, standing.after_lf, buffer.pos)
        gap = standing.gap
        if at >= 0:
            buffer.pass_over(at - buffer.pos)
            if gap is not None:
                gap.resumed_at = buffer.offset
            return Opaque(self.sender, offset, passed + buffer.take())
        if gap is not None:
            gap.resumed_at = None
        self.lost = gap
        self.passed += len(passed)
        self.special = True
        standing.quiet = False
        return Opaque(self.sender, offset, passed)
