"""Which protocol a connection speaks, from its first octets.

Every protocol is asked before anything is decided. A YES or NO is final; while a protocol that says MORE could still beat the best YES, the
detector waits, but never past its cap of octets, and never for octets that cannot come: of a direction that has ended, or that this side of
the connection sends itself. A plugin that raises says NO, with a warning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l7codecs.decoder import Decoder
from l7codecs.endpoint.changes import Changes
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.errors import ProtocolError, Unsupported
from l7codecs.kinds import Sender, Status
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Data, Event, Flow, Message, Opaque
from l7codecs.pairing.tables import NO_PAIRING
from l7codecs.protocol import NOT_THIS, Detection, Protocol, Verdict
from l7codecs.registry import BROKEN, fault, tell, usable_protocols
from l7codecs.session import Session
from l7codecs.sharing import Shared

__all__ = ["AutoSession", "Candidate", "decide", "detect"]

_CERTAIN = 80
"""The score from which a YES does not wait for a direction that has said nothing yet."""
_SURE = 95
"""The score from which what a server says first is worth to wait for what its client, the caller, sends."""
_BOTH = frozenset(Sender)
_END = -1
"""In the place of a number of octets: the end of that direction."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One protocol's answer, see `Detection`."""

    protocol: str
    verdict: Verdict
    score: int
    reason: str
    needs: Sender | None = None


def detect(client: bytes = b"", server: bytes = b"", protocols: Iterable[Protocol] | None = None) -> list[Candidate]:
    """Every protocol that does not say NO to the first octets of both directions, best first.

    `protocols` are asked, by default all that are registered and load.
    """
    asked = usable_protocols() if protocols is None else protocols
    found: list[Candidate] = []
    for protocol in asked:
        answer = _ask(protocol, client, server)
        if answer.verdict is not Verdict.NO:
            found.append(Candidate(protocol.name, answer.verdict, answer.score, answer.reason, answer.needs))
    found.sort(key=lambda item: (-item.score, item.verdict is Verdict.MORE, item.protocol))
    return found


def _ask(protocol: Protocol, client: bytes, server: bytes) -> Detection:
    """The protocol's answer; NO where its plugin is broken."""
    try:
        answer: object = protocol.detect(client, server)
    except BROKEN as error:
        tell(fault(protocol, f"cannot be detected: {type(error).__name__}: {error}"))
        return NOT_THIS
    if not isinstance(answer, Detection):
        tell(fault(protocol, f"cannot be detected: its answer is a {type(answer).__name__}, not a Detection"))
        return NOT_THIS
    return answer


def decide(
    candidates: list[Candidate],
    final: bool,
    coming: Collection[Sender] = _BOTH,
    heard: Collection[Sender] = _BOTH,
) -> str | None:
    """The protocol that is decided on, ``""`` for none, None while it is worth waiting; `final`: no more octets will help.

    The best YES wins as soon as no better candidate waits for octets that may still come: those of `coming`. From 80 on it does not
    wait for what needs a direction that has said nothing, that is not in `heard`.
    """
    best = next((item for item in candidates if item.verdict is Verdict.YES), None)
    for candidate in candidates:
        if candidate is best:
            return candidate.protocol
        needs = candidate.needs
        if final or candidate.verdict is Verdict.YES:
            continue
        if needs is None:
            waits = len(coming) > 0
        else:
            waits = needs in coming and (needs in heard or best is None or best.score < _CERTAIN)
        if waits:
            return None
    return ""


class _Undecided(Decoder):
    """Keeps octets until the protocol is known; passes them through when none is."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits) -> None:
        super().__init__(flow, sender, limits, NO_PAIRING, NO_PAIRING)
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

    ``protocol`` is None until it is known, and stays None where no protocol claims the octets: they come as `Opaque`. What is set before
    (``paused``) holds for the session of the protocol that is found, and all that a session can do is what that one does.

    An endpoint receives one direction only. What the other says is known from what is sent: a message tells its protocol. So where a
    server speaks first and only its client could tell, its octets wait for what is sent; and nothing is written that another connection's
    session says before it is known that this one speaks that, too.
    """

    def __init__(
        self,
        flow: Flow,
        protocols: list[Protocol],
        limits: Limits = DEFAULT_LIMITS,
        endpoint: Sender | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._shared = shared
        self._found: Session | None = None
        self._settings: dict[str, object] = {}
        """What was set that not every session has; it is set where the protocol that is found has it."""
        self._undecided = (_Undecided(flow, Sender.CLIENT, limits), _Undecided(flow, Sender.SERVER, limits))
        super().__init__(flow, self._undecided[0], self._undecided[1], limits, endpoint)
        self._protocols = protocols
        self._decided = False
        self._said = False
        """Something was sent that tells no protocol."""
        self._order: list[Sender] = []
        self._turns: list[tuple[Sender, int]] = []
        """Whose octets came, and how many, or its end, while no protocol is known: what one side says may depend on what the other has
        said before."""
        self._gaps: list[tuple[Sender, int]] = []
        """Octets that were lost before any came."""
        self._replay: deque[tuple[Sender, bytes | None]] = deque()
        """What the detected session still has to be fed; None ends a direction."""
        self._told: deque[Event | ProtocolError] = deque()
        """What was replayed before octets were lost, of both sides: it comes first."""
        self.candidates: list[Candidate] = []

    if not TYPE_CHECKING:  # the interface is that of Session; this is for what one protocol alone has

        def __getattr__(self, name: str) -> object:
            if not name.startswith("_"):
                if self._found is not None:
                    return getattr(self._found, name)
                if name in self._settings:
                    return self._settings[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __setattr__(self, name: str, value: object) -> None:
            if name.startswith("_") or name in _OWN or hasattr(AutoSession, name):
                super().__setattr__(name, value)
            elif self._found is not None:
                setattr(self._found, name, value)
            else:
                self._settings[name] = value

    @property
    def protocol(self) -> str | None:
        return None if self._found is None else self._found.protocol

    @property
    def session(self) -> Session | None:
        """The session of the detected protocol."""
        return self._found

    def decoder(self, sender: Sender) -> Decoder:
        return super().decoder(sender) if self._found is None else self._found.decoder(sender)

    # What is received.

    def receive(self, sender: Sender, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        if self._found is None:
            super().receive(sender, data)
            if sender not in self._order:
                self._order.append(sender)
            if not self._decided:
                self._note(sender, memoryview(data).nbytes)
            self._look(final=False)
            return self
        if self._replay:
            self._replay.append((sender, bytes(data)))
            self._active = self._undecided[sender is Sender.SERVER]
            return self
        if self._told:
            self._found.receive(sender, data)
            return self
        return self._found.receive(sender, data)

    def _note(self, sender: Sender, size: int) -> None:
        turns = self._turns
        if turns and turns[-1][0] is sender:
            turns[-1] = (sender, turns[-1][1] + size)
        else:
            turns.append((sender, size))

    def eof(self, sender: Sender) -> Iterator[Event]:
        if self._found is None:
            super().eof(sender)
            self._turns.append((sender, _END))
            self._look(final=all(each.ended or each.sender is self.endpoint for each in self._undecided))
            return self
        if self._replay:
            self._replay.append((sender, None))
            self._active = self._undecided[sender is Sender.SERVER]
            return self
        if self._told:
            self._found.eof(sender)
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
            for decoder in self._undecided:  # what waits of either side stays that side's
                rest = decoder.next_event()
                if rest is not None:
                    decoder.set_aside(rest)
            return super().gap(sender, size)
        if self._replay or self._told:
            self._active = self._undecided[sender is Sender.SERVER]
            told = self._told
            self._told = deque()
            told.extend(self._replayed(sender))
            self._told = told
            self._found.gap(sender, size)
            return self
        return self._found.gap(sender, size)

    def _replayed(self, sender: Sender) -> deque[Event | ProtocolError]:
        """All that is to be replayed; errors of `sender` itself are raised again, those of the other side are among it."""
        told: deque[Event | ProtocolError] = deque()
        while self._replay:
            try:
                for event in self:
                    told.append(event)
            except ProtocolError as error:
                if error.sender is not sender:
                    told.append(error)
        return told

    def __next__(self) -> Event:
        found = self._found
        if found is None:
            if self._decided:
                # What waited in the other direction is due as well, in the order in which it came.
                for sender in (*self._order, Sender.CLIENT, Sender.SERVER):
                    decoder = self._undecided[sender is Sender.SERVER]
                    if decoder.backlog is not None or decoder.buffer.available:
                        self._active = decoder
                        break
            return super().__next__()
        if self._told:
            first = self._told.popleft()
            if isinstance(first, ProtocolError):
                raise first
            return first
        while self._replay:
            try:
                return next(found)
            except StopIteration:
                self._step(found)
            except ProtocolError as error:
                self._step(found)
                if error.sender is not self._active.sender:
                    raise
                # Its error ends an iteration, and nobody may iterate the other direction again: what waits of that comes first.
        return next(found)

    def _step(self, found: Session) -> None:
        """The first entry of the replay is done: feed the next. A direction with an error takes no more; it has been raised once."""
        self._replay.popleft()
        while self._replay and found.decoder(self._replay[0][0]).error is not None:
            self._replay.popleft()
        if self._replay:
            self._feed(found, *self._replay[0])
        else:
            found._active = found.decoder(self._active.sender)

    @staticmethod
    def _feed(found: Session, sender: Sender, octets: bytes | None) -> None:
        if octets is None:
            found.eof(sender)
        else:
            found.receive(sender, octets)

    # Detection.

    def _look(self, final: bool) -> None:
        """Ask all protocols, and decide if that is possible."""
        if self._decided:
            return
        client, server = (decoder.first() for decoder in self._undecided)
        if not client and not server and not final:
            return
        cap = self.limits.detection
        final = final or max(len(client), len(server)) >= cap
        tells = self.endpoint is Sender.CLIENT and not self._said
        coming = {
            each.sender for each in self._undecided if not each.ended and (each.sender is not self.endpoint or tells)
        }
        heard = {each.sender for each in self._undecided if each.fed}
        while True:
            self.candidates = detect(client[:cap], server[:cap], self._protocols)
            # Only what much speaks for is worth to wait for the caller: the server may have greeted, and the client may wait for that.
            likely = [
                each
                for each in self.candidates
                if each.verdict is Verdict.YES or each.needs is not self.endpoint or each.score >= _SURE or not tells
            ]
            name = decide(likely, final, coming, heard)
            if name is None or self._opened(name):
                return
            if name == "":
                break
        self._decided = True
        self._turns.clear()
        for decoder in self._undecided:
            decoder.passing = True

    def _learn(self, event: Event, changes: Changes | None) -> None:
        """`event` is sent here: a message of a direction that is not received tells what is spoken, unless `changes` are refused.

        Raises `Unsupported` for one of what this connection does not speak: its octets may mean something on its own connection only.
        """
        if isinstance(event, Opaque) and not self._decided:
            self._said = True
            self._look(final=False)
        if not isinstance(event, Message) or self._undecided[event.sender is Sender.SERVER].fed:
            return
        if self._decided:
            if self.endpoint is not None:
                raise Unsupported(f"a message of {event.protocol} on a connection that speaks nothing known")
            return
        if changes:
            self._try(event, changes)
        if self._opened(event.protocol):
            self.candidates = [
                Candidate(event.protocol, Verdict.YES, 100, "a message of it is sent on this connection")
            ]
        elif self.endpoint is not None:
            raise Unsupported(f"a message of {event.protocol}, which is not among what this session may speak")

    def _try(self, event: Message, changes: Changes) -> None:
        """Raise what a session of the protocol of `event` says of `changes`, before there is one that has begun to write."""
        for protocol in self._protocols:
            if protocol.name == event.protocol:
                try:
                    trial = protocol.open(limits=self.limits, endpoint=self.endpoint)
                except BROKEN:
                    return  # told where it is opened
                trial.send(event, changes)

    def _opened(self, name: str) -> bool:
        """Go on with a session of the protocol `name`; False where there is none, which is then no longer a candidate."""
        protocol = next((item for item in self._protocols if item.name == name), None)
        if protocol is None:
            return False
        flow = self.flow
        undecided = flow.protocol
        flow.name(protocol.name)  # the connection's own from the start, so that it can be known by it
        try:
            found = protocol.open_on(flow, limits=self.limits, endpoint=self.endpoint, shared=self._shared)
        except BROKEN as error:
            flow.name(undecided)
            tell(fault(protocol, f"cannot be opened: {type(error).__name__}: {error}"))
            self._protocols = [item for item in self._protocols if item is not protocol]
            return False
        self._enter(found)
        return True

    def _enter(self, found: Session) -> None:
        self._decided = True
        self._found = found
        if self._paused:
            found.paused = True
            self._pause(False)
        if self._closed:
            self._hold(found.close())
        for name, value in self._settings.items():
            if hasattr(found, name):
                setattr(found, name, value)
        for sender, size in self._gaps:
            found.gap(sender, size)
        heard = {each.sender: memoryview(each.first()) for each in self._undecided}
        for sender, size in self._turns:
            if size == _END:
                self._replay.append((sender, None))
            else:
                self._replay.append((sender, bytes(heard[sender][:size])))
                heard[sender] = heard[sender][size:]
        self._turns.clear()
        if self._replay:
            self._feed(found, *self._replay[0])

    # What is written.

    def _behind(self, octets: bytes) -> bytes:
        """`octets` of the detected session, behind what was put before it was there."""
        if not self._holds:
            return octets
        if self.paused:
            self._hold(octets)
            return b""
        return self.flush(octets)

    def send(self, event: Event, changes: Changes | None = None) -> bytes:
        if self._found is None:
            self._learn(event, changes)
        return super().send(event, changes) if self._found is None else self._behind(self._found.send(event, changes))

    def put(self, event: Event, changes: Changes | None = None) -> None:
        if self._found is None:
            self._learn(event, changes)
        if self._found is None:
            super().put(event, changes)
        else:
            self._found.put(event, changes)

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if self._found is None:
            return super().send_message(message, changes)
        return self._found.send_message(message, changes)

    def send_rest(self, event: Event) -> bytes:
        return super().send_rest(event) if self._found is None else self._found.send_rest(event)

    def sent(self, message: Message) -> None:
        if self._found is None:
            super().sent(message)
        else:
            self._found.sent(message)

    def keeps_books(self, sender: Sender) -> bool:
        return super().keeps_books(sender) if self._found is None else self._found.keeps_books(sender)

    def flush(self, octets: bytes) -> bytes:
        return super().flush(octets if self._found is None else self._found.flush(octets))

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        if self._found is None:
            return super().reply_error(request, status, text)
        return self._behind(self._found.reply_error(request, status, text))

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if self._found is None:
            return super().reply_heartbeat(heartbeat)
        return self._behind(self._found.reply_heartbeat(heartbeat))

    def probe(self) -> bytes:
        return b"" if self._found is None else self._behind(self._found.probe())

    def last_words(self, error: ProtocolError) -> bytes:
        return b"" if self._found is None else self._found.last_words(error)

    def pending_output(self) -> bytes:
        return super().pending_output() if self._found is None else self._behind(self._found.pending_output())

    def pending_pieces(self) -> list[bytes] | None:
        return None if self._found is None or self._holds else self._found.pending_pieces()

    def cancel(self, request: Message) -> bytes:
        return b"" if self._found is None else self._behind(self._found.cancel(request))

    def pass_on(self, message: Message, original: Message | None = None) -> bytes:
        return super().pass_on(message, original) if self._found is None else self._found.pass_on(message, original)

    def answer(self, request: Message, reply: Message) -> bytes:
        return (
            super().answer(request, reply) if self._found is None else self._behind(self._found.answer(request, reply))
        )

    def new_order(self, sender: Sender) -> AnswerOrder:
        return super().new_order(sender) if self._found is None else self._found.new_order(sender)

    def close(self) -> bytes:
        return super().close() if self._found is None else self._behind(self._found.close())

    # What is asked.

    @property
    def pending(self) -> int:
        return 0 if self._found is None else self._found.pending

    @property
    def paused(self) -> bool:
        return self._paused if self._found is None else self._found.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if self._found is None:
            self._pause(paused)
        else:
            self._found.paused = paused

    @property
    def queued(self) -> int:
        return self._held_size + (0 if self._found is None else self._found.queued)

    @property
    def full(self) -> bool:
        return super().full if self._found is None else self._found.full or self.queued >= self.limits.queued

    @property
    def closing(self) -> bool:
        return super().closing if self._found is None else self._found.closing

    def streaming(self) -> list[Message]:
        return super().streaming() if self._found is None else self._found.streaming()

    def unanswered(self) -> list[Message]:
        return super().unanswered() if self._found is None else self._found.unanswered()

    def original(self, request: Message) -> Message:
        return request if self._found is None else self._found.original(request)

    def unprocessed(self) -> list[Message]:
        return super().unprocessed() if self._found is None else self._found.unprocessed()

    def abandoned(self) -> list[Message]:
        return super().abandoned() if self._found is None else self._found.abandoned()

    def hold(self, data: Data) -> None:
        if self._found is not None:
            self._found.hold(data)

    def release(self, data: Data) -> None:
        if self._found is not None:
            self._found.release(data)


_OWN = frozenset(("flow", "limits", "endpoint", "candidates"))
"""Attributes that are not of the class."""
