"""Octets to messages. Each message says by its first octets how it stands in the stream; what it is follows from the octets alone.

0x80, 0x82, `[1,`             a message without a frame: it ends where its fields end
`POST`, `HTTP`                HTTP/1.1 with a message for its body
78 01, 5e, 9c or da           at the very beginning: a stream of zlib, with messages of any kind inside
anything else                 the size of a frame; or that of an old binary name, or of thriftpy2's JSON: see `frames`
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import FramedDecoder, Kind, LimitExceeded, Limits, Message, ProtocolError, Sender
from l7codecs.message import Data, Event, Flow
from l7codecs.pairing.numbering import StrictPairing
from l7codecs.pairing.tables import NO_PAIRING, PairingTable

from .._encoding.json_text import SPACE
from .._encoding.skipper import Skipper
from .._encoding.types import Head
from .._meaning.messages import ThriftMessage
from .._meaning.origin import Origin, Renumbering
from .._meaning.pairing import ThriftPairing, fits
from .._meaning.posts import Posts
from .._meaning.table import CODECS
from .._meaning.words import BINARY, COMPACT, FRAMED, HTTP, JSON, OLD_BINARY, UNFRAMED
from .boundary import find_http, find_message
from .frames import Frames
from .http import HttpReader
from .zlib_stream import ZlibStream, begins_zlib

__all__ = ["ThriftDecoder"]

_CLIENT: Final = Sender.CLIENT
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CONTROL: Final = Kind.CONTROL
_ONEWAY: Final = Kind.ONEWAY
_HEAD: Final[i64] = 64
"""Octets that a head may have at least."""
_NAME: Final[i64] = 4096
"""Octets of a name that is looked for anew with each read."""
_BRACE: Final[i64] = 0x7B
_OWN: Final[i64] = 16
"""Calls that are looked at for an answer with an id of its own."""


def _with_heads(limits: Limits) -> Limits:
    """`limits` with heads that hold a short name at least."""
    return limits if limits.head >= _HEAD else replace(limits, head=int(_HEAD))


@final
class ThriftDecoder(FramedDecoder):
    """What one side says."""

    header_size = 4

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        limits: Limits,
        asks: PairingTable,
        answers: PairingTable,
        writer: Renumbering,
        inside: bool = False,
    ) -> None:
        """`inside` of a stream of zlib there is no other."""
        super().__init__(flow, sender, _with_heads(limits), asks, answers)
        self._writer = writer
        self._inside = inside
        self._largest: i64 = limits.payload
        self._buffered: i64 = limits.message
        self._frames = Frames(flow, sender, Origin(self.limits, writer))
        self._skipper: Skipper | None = None
        """What passes over a message without a frame; its encoding, how many octets may be buffered, and the head, which is passed."""
        self._passed: Head | None = None
        self._shadow: Skipper | None = None
        """Of a large one: another, that has passed what is handed out. Where octets are wrong, it tells what still is not."""
        self._encoding: i64 = BINARY
        self._budget: i64 = 0
        self._echoes = False
        """At an endpoint: whether the other side has repeated an id that says something."""
        self._http: HttpReader | None = None
        self._zlib: ZlibStream | None = None
        self._posts: Posts | None = None
        """At an endpoint, of the server's direction: what was sent to it over HTTP."""

    def next_event(self) -> Event | None:
        if self._skipper is not None:
            return self._go_on()
        if self._zlib is not None:
            return self._zlib.next_event(self)
        if self._http is not None and self._http.streams and self.head is not None:
            return self._rest_of_http(self._http)
        if self._left >= 0 or self.head is not None:
            return super().next_event()  # a frame that has begun
        buffer = self.buffer
        if self._http is not None:
            return self._next_http()
        if self.ended and self._encoding == JSON:
            space = self._space_at_the_end()
            if space is not None:
                return space
        if not buffer.need(4):
            return None
        data = buffer.data
        at: i64 = buffer.pos
        first: i64 = data[at]
        if first >= 0x40:
            if first == 0x80:
                return self._begin_strict()
            if first == 0x82:
                return self._begin(COMPACT)
            if first == 0x5B:
                return self._begin(JSON)
            if data[at : at + 4] == (b"POST" if self.sender is _CLIENT else b"HTTP"):
                self._http = HttpReader(self.sender, self.limits)
                return self._next_http()
            if first == 0x78 and buffer.base + at == 0 and not self._inside and begins_zlib(data, at):
                self._zlib = ZlibStream(self.limits, self._made_inside(), self._frames)
                return self._zlib.next_event(self)
        elif self._encoding == JSON and first in SPACE:
            return self._begin(JSON)  # what is between two messages of JSON belongs to the second
        size = i64(read_i32_be(data, at))
        if size < 0:
            self.fail(0, f"octets {data[at : at + 4].hex()}", "a message, or the size of a frame")
        if size > 0:
            if not buffer.need(5):
                return None
            data = buffer.data
            at = buffer.pos
            behind: i64 = data[at + 4]
            if 0x20 < behind < 0x7F and behind != 0x5B and behind != _BRACE:
                return self._begin(OLD_BINARY)
        size += 4
        if size > self._largest:
            self.exceed(0, f"a frame of {size} octets", f"at most limits.payload = {self.limits.payload}")
        self._size = size
        if size > self._buffered:
            self._left = size
            return self._announce()
        left = buffer.pass_over(size)
        if left > 0:
            self._left = left
            return None
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        message = self._frames.strict(octets, start, start + size, offset, False, start + 4, FRAMED)
        if message is None:
            message = self._message(octets, start, start + size, offset, False)
        buffer.finish()
        if message.kind is _REQUEST:
            self.asks.asked(message)
        else:
            self.pair(message)
        return message

    @property
    def packs(self) -> bool:
        """Whether the direction is a stream of zlib."""
        return self._zlib is not None

    def _made_inside(self) -> ThriftDecoder:
        """What decodes what this direction inflates to."""
        return ThriftDecoder(self.flow, self.sender, self.limits, NO_PAIRING, NO_PAIRING, self._writer, True)

    # Frames.

    def frame_size(self, data: bytes, at: int) -> int:
        return 4 + int(read_i32_be(data, at))

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        return self._message(octets, start, stop, offset, more)

    def _message(self, octets: bytes, start: i64, stop: i64, offset: i64, more: bool) -> ThriftMessage:
        """What ``octets[start:stop]`` holds, which is a frame, or a message of HTTP."""
        try:
            http = self._http
            if http is not None:
                return http.message(self._frames, octets, start, stop, offset, more)
            at = start + 4
            if stop > at and octets[at] == _BRACE:
                return self._frames.plain(octets, start, stop, offset, more, octets, start, stop, UNFRAMED)
            return self._frames.framed(octets, start, stop, offset, more, at, FRAMED)
        except ProtocolError as error:
            raise _moved(error, start, stop, offset) from None

    # Messages without a frame.

    def _begin_strict(self) -> Event | None:
        """A message of the strict binary protocol begins here that has no frame: mostly all of it is in the window."""
        buffer = self.buffer
        at: i64 = buffer.pos
        stop = self._frames.strict_end(buffer.data, at, min(buffer.end, at + self._buffered))
        if stop < 0:
            return self._begin(BINARY)
        self._encoding = BINARY
        size = stop - at
        buffer.pass_over(size)
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        message = self._frames.strict(octets, start, start + size, offset, False, start, UNFRAMED)
        assert message is not None
        buffer.finish()
        if message.kind is _REQUEST:
            self.asks.asked(message)
        else:
            self.pair(message)
        return message

    def _space_at_the_end(self) -> Message | None:
        """What is left behind the last message of JSON, where it is white space: no message comes that it could belong to."""
        buffer = self.buffer
        size: i64 = buffer.available
        if not 0 < size <= self.limits.head or buffer.message_size() > 0 or not buffer.need(size):
            return None
        at: i64 = buffer.pos
        if buffer.data[at : at + size].strip(SPACE):
            return None
        buffer.pass_over(size)
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        stop = start + size
        message = self._frames.nothing(octets, start, stop, offset, False, UNFRAMED, octets, stop)
        buffer.finish()
        return message

    def _begin(self, encoding: i64) -> Event | None:
        """A message begins here that has no frame."""
        buffer = self.buffer
        codec = CODECS[encoding]
        longest: i64 = self.limits.head
        if encoding != BINARY and encoding != OLD_BINARY:
            longest = min(longest, _NAME)
        while True:
            at: i64 = buffer.pos
            end: i64 = buffer.end
            try:
                head = codec.head(buffer.data, at, end, longest)
            except ProtocolError as error:
                raise _moved(error, at, end, buffer.base + at) from None
            if head is not None:
                break
            have: i64 = end - at
            wanted = have + 1
            if encoding == BINARY and have >= 8:
                wanted = 12 + i64(read_i32_be(buffer.data, at + 4))
            elif encoding == OLD_BINARY:
                wanted = 5 + i64(read_i32_be(buffer.data, at))  # with the type, which may be wrong
                if have >= wanted:
                    wanted += 4
            elif have > longest + _HEAD:
                most = f"at most {_HEAD} beyond a name of limits.head = {self.limits.head}"
                if longest < self.limits.head:
                    most += f", of which {longest} count where no size is before it"
                self.exceed(0, f"a head of more than {have} octets", most)
            if not buffer.need(max(wanted, have + 1)):
                return None
        size: i64 = head.body - buffer.pos
        self._skipper = codec.skipper(head, self.limits.nesting, self.limits.elements, self.limits.payload)
        self._encoding = encoding
        self._passed = head
        buffer.pass_over(size)
        self._budget = max(0, self._buffered - size)
        return self._go_on()

    def _go_on(self) -> Event | None:
        """Pass over the body of a message without a frame."""
        buffer = self.buffer
        skipper = self._skipper
        assert skipper is not None
        while True:
            at: i64 = buffer.pos
            end: i64 = buffer.end
            stop = end
            full = False
            if self.head is None and end - at >= self._budget:
                stop = at + self._budget
                full = True
            try:
                stands = skipper.feed(buffer.data, at, stop)
            except ProtocolError as error:
                moved = _moved(error, at, end, buffer.base + at)
                self._pass_right(at, end)
                raise moved from None
            if self._shadow is not None:
                self._shadow.feed(buffer.data, at, stop)
            buffer.pass_over(stands - at)
            self._budget -= stands - at
            if skipper.done:
                self._skipper = None
                self._shadow = None
                return self._unframed(False) if self.head is None else self.end()
            if full:
                return self._unframed(True)
            if not buffer.need(end - stands + 1):
                return self.rest()

    def _pass_right(self, at: i64, end: i64) -> None:
        """Octets of the window are wrong: pass those that would have been handed out, had they come one by one."""
        shadow = self._shadow
        if shadow is None:
            return
        data = self.buffer.data
        stands = at
        shown = at
        while shown < end:
            shown += 1
            try:
                stands = shadow.feed(data, stands, shown)
            except ProtocolError:
                break
        self.buffer.pass_over(stands - at)

    def _unframed(self, more: bool) -> Message:
        """The message without a frame that is passed; its head and what else is passed of it, where `more`."""
        buffer = self.buffer
        offset: i64 = buffer.message_offset
        size = buffer.message_size()
        octets = buffer.message()
        start = buffer.message_start()
        head = self._passed
        assert head is not None
        self._passed = None
        if head.at != start:
            head = _shifted(head, start - head.at)
        message = self._frames.made(
            octets, start, start + size, offset, more, octets, start, start + size, UNFRAMED, self._encoding, head
        )
        buffer.finish()
        if more:
            self.head = message
            limits = self.limits
            shadow = CODECS[self._encoding].skipper(head, limits.nesting, limits.elements, limits.payload)
            shadow.feed(octets, head.body, start + size)
            self._shadow = shadow
        self.pair(message)
        return message

    # HTTP.

    def _next_http(self) -> Event | None:
        """Go on with a message of HTTP, whose head comes line by line."""
        http = self._http
        assert http is not None
        if self.ended and self.buffer.unfinished == 0:
            return None
        size = http.size_of(self.buffer, self.ended)
        if size < 0:
            return None
        if http.refused is not None:
            self.exceed(0, http.refused, http.limit)
        if http.streams or http.goes_to_end:
            return self._http_so_far(http.streams)
        self._size = size
        self._left = size - self.buffer.message_size()
        if size > self._buffered and http.is_simple:
            return self._announce()
        return super().next_event()

    def _http_so_far(self, more: bool) -> Message:
        """What is passed is a message; with `more` its rest comes as `_rest_of_http`."""
        buffer = self.buffer
        offset: i64 = buffer.message_offset
        octets = buffer.message()
        start = buffer.message_start()
        message = self._message(octets, start, start + buffer.message_size(), offset, more)
        buffer.finish()
        if more:
            self.head = message
        self.pair(message)
        return message

    def _rest_of_http(self, http: HttpReader) -> Event | None:
        buffer = self.buffer
        head = self.head
        assert head is not None
        passed = http.rest_of(buffer, self.ended)
        if http.refused is not None:
            self.exceed(0, http.refused, http.limit)
        if passed < 0:
            return None
        ends = http.ends
        offset = buffer.message_offset
        octets = buffer.take()
        size: i64 = len(octets)
        if ends:
            self.head = None
            http.restart()
        return Data(head, offset, octets, not ends, 0, size, size - passed, size)

    # What comes of it.

    def pair(self, message: Message) -> None:
        if message.kind is _RESPONSE and isinstance(message, ThriftMessage) and message.type_id == 0:
            answers = self.answers
            if message.transport_id == HTTP:
                if isinstance(answers, ThriftPairing):
                    answers.answered_in_order(message)
                elif isinstance(answers, StrictPairing):
                    self._answer_in_order(message, answers)
            request = message.request
            if message.is_accepted and (request is None or request.kind is _ONEWAY):
                message.kind = _CONTROL  # to a one-way call
            return
        answers = self.answers
        if message.kind is _RESPONSE and isinstance(answers, StrictPairing):
            request = answers.find(message)
            if request is None:
                request = self._unknown_id(message, answers)
                if request is not None:
                    message.request = answers.take(request)
                    return
            else:
                if isinstance(message, ThriftMessage) and message.number != 0:
                    self._echoes = True
                if answers.counts(request):
                    overtake(answers, request)
                if self._posts is not None:
                    self._posts.answered(request)
        if message.kind is _ONEWAY and isinstance(message, ThriftMessage) and message.transport_id == HTTP:
            asks = self.asks
            if isinstance(asks, ThriftPairing):
                asks.posted()
        super().pair(message)

    def posted(self, message: ThriftMessage) -> None:
        """`message` is sent here over HTTP to the side that this decodes."""
        if self._posts is None:
            self._posts = Posts(self.limits.pending)
        self._posts.sent(message)

    def _answer_in_order(self, answer: ThriftMessage, answers: StrictPairing) -> None:
        """`answer` has no id: it is to what has waited longest, or to a one-way call that was sent before that."""
        first = answers.first
        posts = self._posts
        one_way = posts.take_before(first) if posts is not None else None
        if one_way is not None:
            answer.request = one_way
        elif first is not None:
            answer.request = answers.take(first)

    def _unknown_id(self, answer: Message, answers: StrictPairing) -> Message | None:
        """What `answer` is to, whose id nobody has asked with: servers that write ids of their own answer in order.

        Where calls were forgotten, it may be one of theirs.
        """
        if self._echoes or answers.forgotten > 0 or not isinstance(answer, ThriftMessage):
            return None
        left = _OWN
        for request in answers.in_order():
            left -= 1
            if left < 0:
                break
            if isinstance(request, ThriftMessage) and (not answer.name or fits(request, answer.name)):
                return request
        return None

    def stood(self, event: Event) -> None:
        """Of a piece of zlib many messages may come, and only the first has octets."""
        if self._zlib is None:
            super().stood(event)

    def unfinished(self) -> bool:
        if self._zlib is not None and (self._zlib.unfinished() or self.head is not None):
            return True
        if self._http is not None and self.head is not None:
            return True
        return self._skipper is not None or super().unfinished()

    def restart(self) -> None:
        super().restart()
        self._skipper = None
        self._shadow = None
        if self._http is not None:
            self._http.restart()

    def gap(self, size: int) -> None:
        if not self._go_on_inside(size):
            super().gap(size)

    def _go_on_inside(self, size: i64) -> bool:
        """Go on behind `size` lost octets of a frame, of which the head has come; False where they are not such."""
        if size <= 0 or self._left < size or self.error is not None or self.lost is not None or self._http is not None:
            return False
        buffer = self.buffer
        if self.head is None:
            octets = buffer.message()
            start = buffer.message_start()
            try:
                message = self._message(octets, start, start + buffer.message_size(), buffer.message_offset, True)
            except ProtocolError:
                return False
            if message.type_id == 0:
                return False
            self._head_left = 0
            message.declared_size = self._size
            buffer.finish()
            self.pair(message)
            self.set_aside(message)
            self.head = message
        self._left -= size
        self.go_on_behind(int(size))
        return True

    def boundary(self, octets: bytes) -> int:
        if self._zlib is not None:
            return -1 - len(octets)
        mark = b"POST /" if self.sender is _CLIENT else b"HTTP/1."
        found = find_message(octets, self.limits, mark) if self._http is None else find_http(octets, mark)
        self.wanted = found.wanted
        return found.at

    def rest(self) -> Event | None:
        """None as well where the message without a frame is not announced, and of a stream of zlib, whose pieces are not cut."""
        return None if self.head is None or self._zlib is not None else super().rest()


def overtake(answers: StrictPairing, request: Message) -> None:
    """`request` is answered: what was asked before it is not answered any more, it may be: one-way calls that are written as calls."""
    while True:
        first = answers.first
        if first is None or first is request:
            return
        if isinstance(first, ThriftMessage):
            first.is_overtaken = True
        answers.doubt(first)


def _shifted(head: Head, by: i64) -> Head:
    """`head`, which stands `by` octets further on."""
    return Head(
        head.kind, head.named, head.seqid, head.at + by, head.body + by, head.name_at + by, head.name_stop + by,
        head.seqid_at + by, head.seqid_stop + by, head.kind_at + by, head.strict, head.stop,
    )  # fmt: skip


def _moved(error: ProtocolError, start: i64, stop: i64, offset: i64) -> ProtocolError:
    """`error`, whose offset is an index into what holds the message, as one of the direction, where `start` is `offset`."""
    place = min(max(error.offset - int(start), 0), int(stop - start)) + int(offset)
    if isinstance(error, LimitExceeded):
        return LimitExceeded(place, error.seen, error.expected, error.spec)
    return ProtocolError(place, error.seen, error.expected, error.spec)
