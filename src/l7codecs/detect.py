"""Which protocol a connection speaks, from its first octets.

Every protocol is asked before anything is decided. A YES or NO is final; while a protocol that says MORE could still beat the best YES, the
detector waits, but never past its cap of octets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from l7codecs.decoder import Decoder
from l7codecs.errors import ProtocolError
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Event, Flow, Message, Opaque, Sender, Status
from l7codecs.pairing import PairingTable
from l7codecs.protocol import Protocol, Verdict
from l7codecs.registry import load_protocols
from l7codecs.session import Changes, Session

__all__ = ["AutoSession", "Candidate", "decide", "detect"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One protocol's answer, see `Detection`."""

    protocol: str
    verdict: Verdict
    score: int
    reason: str


def detect(client: bytes = b"", server: bytes = b"", protocols: Iterable[Protocol] | None = None) -> list[Candidate]:
    """Every protocol that does not say NO to the first octets of both directions, best first.

    `protocols` are asked, by default all that are registered and load.
    """
    asked = load_protocols()[0] if protocols is None else protocols
    found: list[Candidate] = []
    for protocol in asked:
        answer = protocol.detect(client, server)
        if answer.verdict is not Verdict.NO:
            found.append(Candidate(protocol.name, answer.verdict, answer.score, answer.reason))
    found.sort(key=lambda item: (-item.score, item.verdict is Verdict.MORE, item.protocol))
    return found


def decide(candidates: list[Candidate], final: bool) -> str | None:
    """The protocol that is decided on, ``""`` for none, None while it is worth waiting; `final`: no more octets will help.

    The best YES wins as soon as no better candidate asks for more.
    """
    for candidate in candidates:
        if candidate.verdict is Verdict.YES:
            return candidate.protocol
        if not final:
            return None
    return ""


class _Undecided(Decoder):
    """Keeps octets until the protocol is known; passes them through when none is."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits) -> None:
        nothing = PairingTable()
        super().__init__(flow, sender, limits, nothing, nothing)
        self.passing = False

    def first(self) -> bytes:
        """The octets so far."""
        buffer = self.buffer
        buffer.need(buffer.available)
        return buffer.data[buffer.pos : buffer.end]

    def unfinished(self) -> bool:
        return False

    def next_event(self) -> Event | None:
        if not self.passing:
            return None
        offset = self.buffer.offset
        octets = self.buffer.take_all()
        return Opaque(self.sender, offset, octets) if octets else None


class AutoSession(Session):
    """A session whose protocol is detected; until then its octets wait, at most ``limits.detection`` of each direction.

    ``protocol`` is None until it is known, and stays None where no protocol claims the octets: they come as `Opaque`.
    """

    def __init__(
        self,
        flow: Flow,
        protocols: list[Protocol],
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
    ) -> None:
        self._undecided = (_Undecided(flow, Sender.CLIENT, limits), _Undecided(flow, Sender.SERVER, limits))
        super().__init__(flow, self._undecided[0], self._undecided[1], limits, endpoint)
        self._protocols = protocols
        self._found: Session | None = None
        self._decided = False
        self._order: list[Sender] = []
        self._ends: list[Sender] = []
        self._gaps: list[tuple[Sender, int]] = []
        """Octets that were lost before any came."""
        self._replay: deque[tuple[Sender, bytes | None]] = deque()
        """What the detected session still has to be fed; None ends a direction."""
        self.candidates: list[Candidate] = []

    @property
    def protocol(self) -> str | None:
        return None if self._found is None else self._found.protocol

    @property
    def session(self) -> Session | None:
        """The session of the detected protocol."""
        return self._found

    def decoder(self, sender: Sender) -> Decoder:
        return super().decoder(sender) if self._found is None else self._found.decoder(sender)

    @property
    def pending(self) -> int:
        return 0 if self._found is None else self._found.pending

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        if self._found is None:
            super().receive(sender, data)
            if sender not in self._order:
                self._order.append(sender)
            self._look(final=False)
            return self
        if self._replay:
            self._replay.append((sender, bytes(data)))
            return self
        return self._found.receive(sender, data)

    def eof(self, sender: Sender) -> Iterator[Event]:
        if self._found is None:
            super().eof(sender)
            self._ends.append(sender)
            self._look(final=all(decoder.ended for decoder in self._undecided))
            return self
        if self._replay:
            self._replay.append((sender, None))
            return self
        return self._found.eof(sender)

    def gap(self, sender: Sender, size: int = 0) -> Iterator[Event]:
        if self._found is None:
            if not self._order:
                self._gaps.append((sender, size))
                self._active = self.decoder(sender)
                return self
            self._look(final=True)
        if self._found is None:
            return super().gap(sender, size)
        while self._replay:
            # An error in here is raised again when that direction is iterated.
            with suppress(ProtocolError):
                for event in self:
                    self._found.decoder(event.sender).set_aside(event)
        return self._found.gap(sender, size)

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        return (
            super().send_message(message, changes)
            if self._found is None
            else self._found.send_message(message, changes)
        )

    def send_rest(self, event: Event) -> bytes:
        return event.raw if self._found is None else self._found.send_rest(event)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        if self._found is None:
            return super().reply_error(request, status, text)
        return self._found.reply_error(request, status, text)

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if self._found is None:
            return super().reply_heartbeat(heartbeat)
        return self._found.reply_heartbeat(heartbeat)

    def pending_output(self) -> bytes:
        return b"" if self._found is None else self._found.pending_output()

    def __next__(self) -> Event:
        found = self._found
        if found is None:
            if self._decided:
                # What waited in the other direction is due as well, in the order in which it came.
                for sender in self._order:
                    if self._undecided[sender is Sender.SERVER].buffer.available:
                        self._active = self._undecided[sender is Sender.SERVER]
                        break
            return super().__next__()
        while self._replay:
            try:
                return next(found)
            except StopIteration:
                self._step(found)
            except ProtocolError:
                self._step(found)
                raise
        return next(found)

    def _step(self, found: Session) -> None:
        """The first entry of the replay is done: feed the next."""
        self._replay.popleft()
        if self._replay:
            self._feed(found, *self._replay[0])

    @staticmethod
    def _feed(found: Session, sender: Sender, octets: bytes | None) -> None:
        if octets is None:
            found.eof(sender)
        else:
            found.receive(sender, octets)

    def _look(self, final: bool) -> None:
        """Ask all protocols, and decide if that is possible."""
        if self._decided:
            return
        client, server = (decoder.first() for decoder in self._undecided)
        if not client and not server and not final:
            return
        cap = self.limits.detection
        full = max(len(client), len(server)) >= cap
        self.candidates = detect(client[:cap], server[:cap], self._protocols)
        name = decide(self.candidates, final or full or not self.candidates)
        if name is None:
            return
        self._decided = True
        for protocol in self._protocols:
            if protocol.name == name:
                self._enter(protocol, client, server)
                return
        for decoder in self._undecided:
            decoder.passing = True

    def _enter(self, protocol: Protocol, client: bytes, server: bytes) -> None:
        found = protocol.open(
            limits=self.limits, endpoint=self.endpoint, client=self.flow.client, server=self.flow.server
        )
        self._found = found
        for sender, size in self._gaps:
            found.gap(sender, size)
        for sender in self._order:
            self._replay.append((sender, client if sender is Sender.CLIENT else server))
        for sender in self._ends:
            self._replay.append((sender, None))
        if self._replay:
            self._feed(found, *self._replay[0])
