"""One connection of ThriftMux: tags of both directions, pings, fragments, changes and answers.

A message in several frames is a head, which is its first, and a `Data` for each further one; an endpoint puts them together, and writes one
frame. The check that clients begin with and Tinit are requests as dispatches are, so that clients that share a connection get each its own
answer; a proxy that answers the check with an error is taken for a server that knows no Tinit.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import (
    Changes,
    Data,
    Detection,
    FramedDecoder,
    IdPairing,
    Kind,
    Limits,
    Message,
    PairingTable,
    Sender,
    Status,
    Unsupported,
    Verdict,
)
from l7codecs.endpoint.rewriting import RewritingSession
from l7codecs.message import Event, Flow
from l7codecs.pairing.numbering import StrictPairing

from .._change.given import METHOD
from .._change.rewriting import with_method
from .._meaning.origin import Origin, Renumbering
from .._transport.frames import Frames
from .boundary import find_dispatch
from .changing import MUX_TAG, changed, joined
from .frames import FRAGMENT, HEADER, NAMES, TAG, TYPE
from .messages import MuxMessage

__all__ = ["TAG_BITS", "MuxDecoder", "MuxSession", "detect"]

TAG_BITS: Final = 23
_CHECK: Final = b"tinit check"
_KINDS: Final = {
    1: Kind.REQUEST, 2: Kind.REQUEST, -1: Kind.RESPONSE, -2: Kind.RESPONSE, 65: Kind.HEARTBEAT, -65: Kind.RESPONSE,
    64: Kind.GOAWAY, -66: Kind.RESPONSE, -128: Kind.RESPONSE, 127: Kind.RESPONSE, 68: Kind.REQUEST, -68: Kind.RESPONSE,
    66: Kind.RESET, -62: Kind.RESET,
}  # fmt: skip
_TPING: Final[i64] = 65
_RDISCARDED: Final[i64] = -66
_TREQ: Final[i64] = 1
_TDISPATCH: Final[i64] = 2
_RERR: Final = 127
"""As Finagle writes it; -128 is the number that was meant."""
_NO_CHANGES: Final = Changes()
_FRAME: Final[i64] = 512 * 1024 * 1024
_FIRST: Final = (0x7F, 0x44, 0x41, 0x02, 0x01)
"""Types that a client begins with."""
_NO: Final = Detection(Verdict.NO)
_MORE: Final = Detection(Verdict.MORE, 100, "the beginning of a frame", Sender.CLIENT)
_NOTHING: Final = Detection(Verdict.MORE, 0, "", Sender.CLIENT)


@final
class MuxDecoder(FramedDecoder):
    """What one side says."""

    header_size = 8

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self._frames = Frames(flow, sender, Origin(limits, Renumbering()))
        self._open: dict[int, MuxMessage] = {}
        """By tag: heads of what comes in several frames, and has not come to its end."""
        self._open_size: i64 = 0
        """Octets of those heads."""
        self._sizes: dict[int, int] = {}
        """Octets that have come of each."""

    def frame_size(self, data: bytes, at: int) -> int:
        return 4 + int(read_i32_be(data, at))

    def next_event(self) -> Event | None:
        event = super().next_event()
        if not isinstance(event, MuxMessage) or event.continues is None:
            return event
        head = event.continues
        return Data(
            head,
            event.offset,
            event.octets,
            event.is_fragment,
            event.start,
            event.stop,
            event.start + HEADER,
            event.stop,
        )

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind_id = int.from_bytes(octets[start + TYPE : start + TYPE + 1], "big", signed=True)
        tag = int.from_bytes(octets[start + TAG : start + HEADER], "big")
        kind = _KINDS.get(kind_id, Kind.CONTROL)
        fragment = tag & int(FRAGMENT) != 0
        made = MuxMessage(
            self.flow, self.sender, kind, offset, octets, start, stop, more or fragment, kind_id, tag, self._frames
        )
        if fragment or self._open:
            self._gather(made, more)
        return made

    def _gather(self, made: MuxMessage, more: bool) -> None:
        """`made` is the first of several frames, or may be a further one; with `more` octets than are at hand."""
        tag = int(made.tag & (FRAGMENT - 1))
        if not made.is_fragment and (made.discards or made.type_id == _RDISCARDED):
            given_up = made.request_id
            if given_up is not None and given_up in self._open:
                made.ends = self._open[given_up]
                self._close(given_up)
            return
        head = self._open.get(tag)
        if head is None and not made.is_fragment:
            return
        size: i64 = made.stop - made.start
        if more:
            self.exceed(
                0, "a large frame among several of a message", f"at most limits.message = {self.limits.message}"
            )
        if head is None:
            self._open_size += size
            if self._open_size > self.limits.waiting or len(self._open) >= self.limits.streams:
                limit = f"limits.streams = {self.limits.streams}, limits.waiting = {self.limits.waiting}"
                self.exceed(0, f"{len(self._open) + 1} messages in several frames", f"at most {limit}")
            made.detach()
            self._open[tag] = made
            self._sizes[tag] = int(size)
            return
        if head.type_id != made.type_id:
            self.fail(TYPE, f"type {made.type_name} for a tag of which more is to come", head.type_name, "Mux")
        have = self._sizes[tag] + int(size)
        self._sizes[tag] = have
        if have > self.limits.payload:
            self.exceed(0, f"frames of {have} octets", f"at most limits.payload = {self.limits.payload}")
        made.continues = head
        if not made.is_fragment:
            self._close(tag)

    def _close(self, tag: int) -> None:
        head = self._open.pop(tag)
        del self._sizes[tag]
        self._open_size -= head.stop - head.start

    def unfinished(self) -> bool:
        return len(self._open) > 0 or super().unfinished()

    def restart(self) -> None:
        super().restart()
        self._open.clear()
        self._sizes.clear()
        self._open_size = 0

    def boundary(self, octets: bytes) -> int:
        found = find_dispatch(octets, self.limits)
        self.wanted = found.wanted
        return found.at

    def pair(self, message: Message) -> None:
        if not isinstance(message, MuxMessage) or message.continues is not None:
            return
        if message.kind is Kind.RESET:
            asks = self.asks
            if isinstance(asks, (StrictPairing, IdPairing)) and message.discards:
                message.request = asks.find(message)
                if message.ends is not None and message.ends is message.request and isinstance(asks, StrictPairing):
                    asks.take(message.ends)  # nobody gets it, so nobody answers it
            return
        ends = message.ends
        if ends is not None and ends.request is not None:
            message.request = ends.request  # whose answer had begun
            return
        if message.kind is Kind.RESPONSE and not self._can_answer(message):
            answers, tag = self.answers, message.request_id
            if isinstance(answers, IdPairing) and tag is not None and self.sender is Sender.SERVER:
                answers.came_early(tag)
            return
        super().pair(message)
        if message.kind is Kind.RESPONSE and message.request is None and message.type_name == "Rerr":
            message.kind = Kind.CONTROL  # to what was no request
            if self.sender is Sender.CLIENT and message.reason == _CHECK.decode():
                message.kind = Kind.REQUEST
                super().pair(message)

    def _can_answer(self, answer: MuxMessage) -> bool:
        """Whether what waits with the tag of `answer` can have such an answer. Rerr answers everything."""
        answers = self.answers
        if answer.type_name == "Rerr" or not isinstance(answers, (StrictPairing, IdPairing)):
            return True
        asked = answers.find(answer)
        if not isinstance(asked, MuxMessage):
            return True
        if answer.type_id == _RDISCARDED:
            return asked.type_id == _TDISPATCH or asked.type_id == _TREQ
        return asked.type_id == -answer.type_id


def _tables(limits: Limits, endpoint: Sender | None) -> tuple[PairingTable, PairingTable]:
    """What the client asks and what the server asks."""
    if endpoint is None:
        return IdPairing(limits.pending, limits.waiting, reused=True), IdPairing(limits.pending, limits.waiting)
    client, server = [StrictPairing(limits, TAG_BITS, False, asks is endpoint, False, True, 1) for asks in Sender]
    return client, server


def _with_method_back(answer: MuxMessage, changes: Changes | None) -> Changes | None:
    """`changes`, and the method that was called, where `answer` has that which the dispatch was sent with."""
    request = answer.request
    if not isinstance(request, MuxMessage) or request.sent_method is None:
        return changes
    carried, method = answer.carried(), request.operation
    if carried is None or not method or carried.operation != request.sent_method:
        return changes
    return with_method(changes, method)


@final
class MuxSession(RewritingSession):
    """One connection of ThriftMux."""

    number_attribute = MUX_TAG

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        asked, back = _tables(limits, endpoint)
        client = MuxDecoder(flow, Sender.CLIENT, limits, asked, back)
        super().__init__(flow, client, MuxDecoder(flow, Sender.SERVER, limits, back, asked), limits, endpoint)

    # Changes, and frames put together.

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if not isinstance(message, MuxMessage) or not self.keeps_books(message.sender):
            return super().send_message(message, changes)
        if message.discards and self.endpoint is not None:
            if message.request is None:
                return b""  # it is answered, and its tag may be that of another client's here
            if self.gathering.drop(message.request):
                return b""  # nothing of it was written
        if message.ends is not None and message.request is not None:
            self.gathering.drop_answer(message.request)
        if message.kind is Kind.RESPONSE:
            changes = _with_method_back(message, changes)
        elif changes is not None and message.kind is Kind.REQUEST:
            method = changes.attributes.get(METHOD)
            message.sent_method = method if isinstance(method, str) else None
        if not message.is_fragment:
            return super().send_message(message, changes)
        made = message if changes is None else changed(message, changes)  # what is refused is refused now
        if self.endpoint is None:
            return made.raw  # others may come between, and do no harm
        self.gathering.begin(message, changes or _NO_CHANGES)
        return b""

    def send_rest(self, event: Event) -> bytes:
        if self.endpoint is None and isinstance(event, Data):
            head = event.message
            if isinstance(head, MuxMessage) and head.is_fragment:
                return event.raw
        return super().send_rest(event)

    def rewritten(self, message: Message, changes: Changes) -> Message | None:
        if not isinstance(message, MuxMessage):
            raise Unsupported(f"this is no message of ThriftMux: {message!r}")
        return changed(message, changes)

    def reread(self, head: Message, octets: bytes) -> Message:
        if not isinstance(head, MuxMessage):
            raise Unsupported(f"this is no message of ThriftMux: {head!r}")
        return joined(head, octets)

    # Answers.

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: Rdispatch with ERROR and `text`; with NACK, which clients try again, for UNAVAILABLE. Rerr to a check or Tinit."""
        if not isinstance(request, MuxMessage) or request.kind is not Kind.REQUEST:
            raise Unsupported("only a dispatch can be answered with an error")
        if status is Status.OK:
            raise ValueError("an error has another status than OK")
        said = text.encode("utf-8", "replace")
        if request.type_id != _TREQ and request.type_id != _TDISPATCH:
            return self.answer(request, self._made(request, _RERR, said))
        code = b"\2" if status is Status.UNAVAILABLE else b"\1"
        body = code + b"\0\0" + said if request.type_id == _TDISPATCH else code + said
        return self.answer(request, self._made(request, -int(request.type_id), body))

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, MuxMessage) or heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only a ping that asks for an answer is a heartbeat")
        return self.answer(heartbeat, self._made(heartbeat, -int(_TPING), b""))

    def _made(self, request: MuxMessage, kind_id: int, body: bytes) -> MuxMessage:
        number = int(request.tag & (FRAGMENT - 1))
        tag = number.to_bytes(3, "big")
        octets = (len(body) + 4).to_bytes(4, "big") + kind_id.to_bytes(1, "big", signed=True) + tag + body
        sender = request.sender.other
        made = MuxMessage(
            request.flow, sender, Kind.RESPONSE, self.decoder(sender).buffer.offset, octets, 0, len(octets), False,
            kind_id, number, request.frames,
        )  # fmt: skip
        made.request = request
        return made


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions. Clients begin with a check of theirs, with Tinit, a ping or a request."""
    if not client:
        return _NOTHING
    if client[0] >= 0x20:
        return _NO
    if len(client) < HEADER + 2:
        return _NO if len(client) > TYPE and client[TYPE] not in _FIRST else _MORE
    size = int.from_bytes(client[:4], "big")
    kind = client[TYPE]
    if kind not in _FIRST or not 4 <= size < _FRAME:
        return _NO
    body = client[HEADER : 4 + size]
    if kind == 0x7F:
        body = body[: len(_CHECK)]
        if size != 4 + len(_CHECK) or not _CHECK.startswith(body):
            return _NO
        return Detection(Verdict.YES, 100, "the check of Mux") if len(body) == len(_CHECK) else _MORE
    several = client[TAG] == 0x80 and kind <= _TDISPATCH
    if (client[TAG] != 0 and not several) or client[TAG + 1] != 0 or client[TAG + 2] == 0:
        return _NO
    if kind == 0x44:
        return Detection(Verdict.YES, 90, "Tinit of Mux") if body[:2] == b"\0\1" else _NO
    if kind == 0x41:
        return Detection(Verdict.YES, 40, "Tping of Mux") if size == 4 else _NO
    if kind == _TREQ:
        fits = size >= 6 and (body[:2] == b"\0\x80" or (1 <= body[0] <= 2 and 1 <= body[1] <= 2))
        return Detection(Verdict.YES, 40, f"{NAMES[1]} of Mux") if fits else _NO
    return Detection(Verdict.YES, 50, f"{NAMES[2]} of Mux") if size >= 10 and body[0] == 0 else _NO
