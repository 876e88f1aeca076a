"""One session with all that can be called on it, and what has to hold at every moment, whatever is called.

    an observer    is fed what both sides send, at any cut, with losses and ends; sends what it told, with and without changes
    a server       is fed what a client sends, and refuses its requests, answers its heartbeats, pauses, closes

The events are those of the same octets decoded whole, octets are in one event each, what waits is what was asked and not answered,
what is held is within the limits, and nothing is raised but what is documented. What a server's session writes is read by an observer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping

from l7codecs import Changes, Limits, Pairing, Protocol
from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.kinds import AttrValue, Kind, Sender, Status
from l7codecs.limits import REFUSED_AT
from l7codecs.message import Event, Gap, Message
from l7codecs.testing.fuzzing.properties import check_answers, check_conserved, check_messages
from l7codecs.testing.fuzzing.proxy.parties import Books
from l7codecs.testing.fuzzing.reads import Read, is_lossy, joined, replay_reads, with_ends
from l7codecs.testing.fuzzing.targets.conversation import Outline
from l7codecs.testing.loss import difference_after_loss
from l7codecs.testing.replay import Outcome, difference_by_cuts, place

__all__ = ["Observed"]

_REFUSALS = (Unsupported, LimitExceeded, ValueError)
"""What a call may raise, beside what is right."""


class Observed:
    """A session and what is known of it. ``endpoint`` is None for an observer's, or `Sender.SERVER`."""

    def __init__(
        self,
        protocol: Protocol,
        limits: Limits | None = None,
        endpoint: Sender | None = None,
        *,
        doubts: bool = False,
        loose_ids: bool = False,
        pairs: Mapping[int, int] | None = None,
    ) -> None:
        """`doubts` and `loose_ids` are what they are for fuzzing: any request may stay unanswered; servers write ids of their own.

        `pairs` are the octets at which answers begin in what the server sends whole, and at which the requests that they answer do.
        """
        if endpoint is Sender.CLIENT:
            raise ValueError("a client's session is one of a proxy: see proxy_machine")
        self.protocol = protocol
        self.limits = limits or Limits()
        self.endpoint = endpoint
        self.doubts = doubts
        self.loose_ids = loose_ids
        self.session = protocol.open(limits=self.limits, endpoint=endpoint)
        self.outcome = Outcome()
        self.reads: list[Read] = []
        """What came, and of a server's session what it wrote, in its order."""
        self.books = Books()
        self.pairs = pairs
        self.foreign = False
        """Something came that neither side has sent, or in another order."""
        self.starts: dict[Sender, tuple[list[int], list[int]]] = {sender: ([0], [0]) for sender in Sender}
        """Where the session's offsets and the true ones part."""
        self.certain = True
        """Each side was heard in the order in which it spoke, and nothing was lost."""
        self.interferes = False
        """What was answered or said here may change how the rest is taken."""
        self.refused: list[Message] = []
        self.expected = bytearray()
        """What an observer's session was given to send, and what it wrote of it."""
        self.written = bytearray()
        self.figures: Counter[str] = Counter()

    # What comes.

    def receive(self, sender: Sender, octets: bytes) -> None:
        """`sender` has sent them."""
        if self._goes_on(sender) and octets:
            self._take(Read(sender, octets))

    def lose(self, sender: Sender, size: int, told: bool) -> None:
        """`size` octets of it are lost, and it is `told` how many, or not; an endpoint loses none."""
        if not self._goes_on(sender) or self.endpoint is not None or size == 0:
            return
        ours, true = self.starts[sender]
        lost = sum(there - here for here, there in zip(ours[-1:], true[-1:], strict=True))
        came = sum(len(read.octets) + max(read.lost, 0) for read in self.reads if read.sender is sender)
        ours.append(came + (size if told else 0))
        true.append(came + lost + size)
        self._doubt()
        self._take(Read(sender, lost=size if told else 0))

    def eof(self, sender: Sender) -> None:
        """It sends no more."""
        if self._goes_on(sender):
            self._take(Read(sender, end=True))

    def uncertain(self) -> None:
        """What follows comes in another order than it was sent, or was never sent: nobody knows what waits."""
        self.foreign = True
        self._doubt()

    def _doubt(self) -> None:
        self.certain = False
        self.books.uncertain()

    def _goes_on(self, sender: Sender) -> bool:
        if self.endpoint is sender:
            return False
        return sender not in self.outcome.errors and not self.session.decoder(sender).ended

    def _take(self, read: Read) -> None:
        before, waited = len(self.outcome.events), self.outcome.pending
        ended = any(self.session.decoder(sender).ended for sender in Sender)
        self.reads.append(read)
        replay_reads(self.session, [read], self.outcome, self.endpoint is None)
        if ended:
            self.outcome.pending = waited  # as it was when the first of the sides ended
        for event in self.outcome.events[before:]:
            self.figures["events"] += 1
            if isinstance(event, Message) and event.sender is Sender.CLIENT and event.kind is Kind.REQUEST:
                self._asked(event)
            elif isinstance(event, Message) and event.kind is Kind.RESPONSE and event.request is None:
                self._doubt()  # the next request may be taken for what it answers
            else:
                # What is given up may be answered still.
                self.books.told(event, not isinstance(event, Message) or event.kind is not Kind.RESET)
            if isinstance(event, Message) and event.kind in (Kind.HEARTBEAT, Kind.CONTROL, Kind.ONEWAY):
                self.books.said[event] = True  # it may wait, as far as anybody knows
        if self.outcome.errors:
            self._doubt()

    def _asked(self, request: Message) -> None:
        number = request.request_id
        if request.error is not None:
            self._doubt()  # it is refused, or not
        if self.protocol.pairing is Pairing.ID and any(each.request_id == number for each in self.books.said):
            self._doubt()  # a client would have waited for the answer to the first
        self.books.asked(request)

    # What is called.

    def _event(self, number: int) -> Event | None:
        events = self.outcome.events
        return events[number % len(events)] if events else None

    def send(self, number: int) -> None:
        """The session sends what it has told: the octets are its own, at once or later."""
        event = self._event(number)
        if event is None or self.endpoint is not None:
            return
        try:
            octets = self.session.send(event)
        except LimitExceeded:
            return
        except Unsupported:
            if isinstance(event, Gap):
                return
            raise
        self.expected += event.raw
        self.written += octets

    def put(self, number: int) -> None:
        """As `send`, later."""
        event = self._event(number)
        if event is None or self.endpoint is not None or isinstance(event, Gap):
            return
        try:
            self.session.put(event)
        except LimitExceeded:
            return
        self.expected += event.raw

    def change(self, number: int, attributes: dict[str, AttrValue], headers: dict[str, str]) -> None:
        """The session sends what it has told with changes: octets, or a refusal that leaves it as it was."""
        event = self._event(number)
        if (
            event is None
            or self.endpoint is not None
            or self.session.paused
            or self.session.queued
            or self.written != self.expected
        ):
            return
        try:
            octets = self.session.send(event, Changes(attributes, set_headers=headers))
        except _REFUSALS:
            self.figures["changes refused"] += 1
            return
        assert isinstance(octets, bytes), f"send of {place(event)} with changes returns {octets!r}"
        self.figures["changed"] += 1

    def refuse(self, number: int) -> None:
        """A request is answered with an error; one that waits no longer is not."""
        if self.endpoint is None:
            return
        asked = [
            each
            for each in self.outcome.events
            if isinstance(each, Message) and each.kind is Kind.REQUEST and each.sender is Sender.CLIENT
        ]
        if not asked:
            return
        request = asked[number % len(asked)]
        waited = request in self.session.unanswered()
        try:
            octets = self.session.reply_error(request, Status.UNAVAILABLE, "not now")
        except _REFUSALS:
            return
        self.wrote(octets)
        self.interferes |= request.more
        if waited and request not in self.refused:
            self.refused.append(request)
            self.books.said[request] = True
            self.figures["refused"] += 1

    def beat(self, number: int) -> None:
        """A heartbeat is answered; any other message is Unsupported."""
        event = self._event(number)
        if self.endpoint is None or not isinstance(event, Message):
            return
        try:
            octets = self.session.reply_heartbeat(event)
        except _REFUSALS:
            return
        assert event.kind is Kind.HEARTBEAT, f"reply_heartbeat answers {place(event)}"
        self.wrote(octets)

    def cancel(self, number: int) -> None:
        """What was received is not given up: Unsupported, or nothing."""
        event = self._event(number)
        if not isinstance(event, Message) or event.kind is not Kind.REQUEST:
            return
        try:
            octets = self.session.cancel(event)
        except Unsupported:
            return
        assert not octets, f"cancel of {place(event)}, which was received here, writes {octets[:60]!r}"

    def pause(self) -> None:
        """The transport is full, or is so no longer."""
        self.session.paused = not self.session.paused

    def flush(self) -> None:
        """What is owed is written."""
        self.wrote(self.session.pending_output())

    def close(self) -> None:
        """It begins to shut down."""
        self.interferes = True
        self.wrote(self.session.close())
        # A server's may serve what comes until its client has heard of it.
        assert self.session.closing or self.endpoint is not None, "closing is not set behind close"

    def wrote(self, octets: bytes) -> None:
        """The session has written `octets`, which a client reads."""
        if self.endpoint is None:
            self.written += octets
        elif octets:
            self.reads.append(Read(Sender.SERVER, octets))

    # What has to hold.

    def check(self) -> None:
        """At every moment."""
        session = self.session
        if self.certain and self.limits == Limits():
            self.books.check(session, "the session", self.doubts, self.protocol.pairing is Pairing.FIFO)
        if self.endpoint is not None:
            most = (self.limits.pending + 1) * REFUSED_AT
            assert session.pending <= most, f"{session.pending} requests are remembered, with {self.limits}"
        most = self.limits.queued * REFUSED_AT
        assert session.queued <= most + self.limits.message + self.limits.head, f"{session.queued} octets are queued"
        if self.endpoint is None and not session.paused and session.queued == 0:
            assert self.written == self.expected, (
                f"{bytes(self.written)[-60:]!r} was written last, and given to send was {bytes(self.expected)[-60:]!r}"
            )

    def finish(self) -> None:
        """At the end: of both sides, where there are two."""
        self.session.paused = False
        self.flush()
        self.check()
        for sender in (Sender.CLIENT, Sender.SERVER):
            self.eof(sender)
        sides = [Sender.CLIENT] if self.endpoint is not None else list(Sender)
        came = [read for read in self.reads if read.sender in sides]
        for sender in Sender:
            check_conserved(self.outcome, sender, b"".join(read.octets for read in came if read.sender is sender))
        check_messages(self.outcome, self.protocol)
        whole = Outcome()
        replay_reads(self.protocol.open(limits=self.limits, endpoint=self.endpoint), joined(came), whole, False)
        if self.endpoint is not None:
            self.outcome.pending = whole.pending = 0  # what is answered here waits no longer
            one, other = self.outcome, whole
            if self.refused:  # that SELECT was refused, say, is told of what comes next
                one, other = Outline.of(one), Outline.of(other)
            difference = "" if self.interferes else difference_by_cuts(one, other)
        elif is_lossy(came):
            difference = difference_after_loss(self.outcome, whole)
        else:
            check_answers(self.outcome, self.protocol, self.loose_ids)
            difference = difference_by_cuts(self.outcome, whole)
        assert not difference, f"decoded whole, without any call between: {difference}"
        if self.pairs is not None and not self.foreign:
            self._check_pairs(self.pairs)
        if self.refused and not self.outcome.errors:
            self._check_refused()

    def _check_pairs(self, pairs: Mapping[int, int]) -> None:
        """No answer is told to answer another request than the one that it answers in truth, whatever was lost."""
        for event in self.outcome.events:
            if not isinstance(event, Message) or event.kind is not Kind.RESPONSE or event.sender is not Sender.SERVER:
                continue
            request, true = event.request, pairs.get(self._true_place(event))
            if true is not None and request is not None and request in self.outcome.events:
                assert self._true_place(request) == true, (
                    f"{place(event)} answers the request at true octet {true}, and is told to answer {place(request)}, "
                    f"at true octet {self._true_place(request)}"
                )

    def _true_place(self, message: Message) -> int:
        ours, true = self.starts[message.sender]
        index = bisect_right(ours, message.offset) - 1
        return true[index] + message.offset - ours[index]

    def _check_refused(self) -> None:
        """A client understands what was written, and each request that was refused has an answer: what it says is the protocol's."""
        heard = Outcome()
        replay_reads(self.protocol.open(), with_ends([read for read in self.reads if not read.end]), heard, False)
        error = heard.errors.get(Sender.SERVER)
        assert error is None, f"what the session writes breaks the protocol: {error!r}"
        if not self.certain or self.limits != Limits():
            return
        said = {
            event.request.offset: event
            for event in heard.events
            if isinstance(event, Message)
            and event.sender is Sender.SERVER
            and event.kind is Kind.RESPONSE
            and event.request is not None
        }
        missing = [each for each in self.refused if each.offset not in said]
        waits = self.session.unanswered()
        # Those behind one that is not answered wait for their turn.
        missing = [each for each in missing if each not in waits]
        assert not missing, f"{place(missing[0])} was refused, and no answer to it was written"
