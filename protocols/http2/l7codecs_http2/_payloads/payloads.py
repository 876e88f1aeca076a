"""The messages inside the bodies of gRPC and Triple, joined from DATA and decoded when somebody asks.

    flag(8)  length(32, big-endian)  octets(length)   flag(8)  …

"gRPC over HTTP/2" (grpc/grpc, doc/PROTOCOL-HTTP2.md), Length-Prefixed-Message. Flag 1 says that the octets are compressed as
``grpc-encoding`` tells, 0 that they are not. Frames cut a body anywhere.

Nothing of this runs unless the caller feeds the events of a session to `GrpcPayloads`. Joining needs neither a schema nor protobuf;
both are needed to decode, and stand in `_protobuf`.

Not handled: ``grpc-encoding`` other than identity, gzip and deflate; messages that are no protobuf (``application/grpc+json``), whose
octets `GrpcPayload.content` has.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import IncompleteMessage, Kind, LimitExceeded, Limits, ProtocolError, Sender, Unsupported
from l7codecs.limits import DEFAULT_LIMITS
from l7codecs.message import Data, Event, Gap

from .._frames.frame_message import FrameMessage
from .._hpack.static_table import header_name
from .._semantics.messages import REQUEST, RESPONSE, Http2Message
from .._semantics.names import CONTENT_TYPE
from .protobuf import GrpcTypes, parse_wrapper

if TYPE_CHECKING:
    import google.protobuf.message

__all__ = ["GrpcPayload", "GrpcPayloads"]

DECODED_SIZE: Final = 16 * 1024 * 1024
"""Octets that a compressed message may have when it is decompressed, unless the caller says otherwise."""

_PREFIX_SIZE: Final[i64] = 5
_ENCODING: Final = header_name(b"grpc-encoding")
_SPEC: Final = "gRPC over HTTP/2, Length-Prefixed-Message"
_PROTOBUF_TYPES: Final = ("application/grpc", "application/grpc+proto")

_WHOLE: Final[i64] = 0
_TOO_LARGE: Final[i64] = 1
_CUT: Final[i64] = 2


@final
@mypyc_attr(acyclic=True)
class GrpcPayload:
    """One length-prefixed message of a call.

    ``request`` is the call's request, None where it was not seen; ``head`` the request or response in whose body it stands. ``index``
    counts the messages of that body from 0; ``offset`` is where it starts in its sender's direction; ``flag`` is its first octet.
    """

    def __init__(
        self,
        types: GrpcTypes | None,
        decoded_size: i64,
        request: Http2Message | None,
        head: Http2Message,
        index: i64,
        offset: i64,
        flag: i64,
        length: i64,
        fault: i64,
        source: bytes,
        start: i64,
    ) -> None:
        self._types = types
        self._decoded_size = decoded_size
        self.request = request
        self.head = head
        self.sender: Sender = head.sender
        self.index = index
        self.offset = offset
        self.flag = flag
        self._length = length
        self._fault = fault
        self._source = source
        self._start = start

    @property
    def stream_id(self) -> int:
        return self.head.stream

    @property
    def compressed(self) -> bool:
        return self.flag != 0

    @property
    def size(self) -> int | None:
        """Octets on the wire without the prefix, as it declares; None where the body ended inside the prefix."""
        return self._length if self._length >= 0 else None

    @property
    def octets(self) -> bytes | None:
        """As on the wire, compressed or not; None where they were not kept: `error` tells why."""
        if self._fault != _WHOLE:
            return None
        if self._start == 0 and self._length == len(self._source):
            return self._source
        return self._source[self._start : self._start + self._length]

    @property
    def error(self) -> ProtocolError | None:
        """Why there are no octets: `LimitExceeded`, or `IncompleteMessage` where the body ended or lost octets inside it."""
        if self._fault == _TOO_LARGE:
            return LimitExceeded(self.offset, f"a message of {self._length} octets", "at most limits.message", _SPEC)
        if self._fault == _CUT:
            expected = "its prefix" if self._length < 0 else f"{self._length} octets"
            return IncompleteMessage(self.offset, "a body that ends inside a message", expected, _SPEC)
        return None

    @property
    def encoding(self) -> str:
        """``grpc-encoding`` of its body: ``gzip``; ``identity`` where there is none."""
        found = self.head.value(_ENCODING)
        return "identity" if found is None else found.strip().lower()

    @property
    def type_name(self) -> str | None:
        """The full name of its protobuf message, ``shop.Order``; None where the types do not have its method."""
        types, request = self._types, self.request
        if types is None or request is None:
            return None
        return types.type_name(request.service, request.operation, self.sender is Sender.SERVER)

    def content(self) -> bytes:
        """The octets, decompressed.

        Raises what `error` has; `LimitExceeded` where they are more than ``decoded_size``; `ProtocolError` where they are not what
        ``grpc-encoding`` says, or the flag is neither 0 nor 1; `Unsupported` for another encoding than identity, gzip and deflate.
        """
        octets = self.octets
        if octets is None:
            error = self.error
            assert error is not None
            raise error
        if self.flag == 0:
            return octets
        if self.flag != 1:
            raise ProtocolError(self.offset, f"flag {self.flag}", "0 or 1", _SPEC)
        encoding = self.encoding
        if encoding == "identity":
            if self.head.value(_ENCODING) is None and self.head.block.known:
                raise ProtocolError(self.offset, "a compressed message without grpc-encoding", "flag 0", _SPEC)
            return octets
        if encoding == "gzip":
            return self._inflate(octets, 16 + zlib.MAX_WBITS)
        if encoding == "deflate":
            return self._inflate(octets, zlib.MAX_WBITS)
        raise Unsupported(f"grpc-encoding {encoding!r} cannot be decompressed")

    def _inflate(self, octets: bytes, window_bits: int) -> bytes:
        """The one zlib or gzip stream that `octets` are."""
        limit = int(self._decoded_size)
        stream = zlib.decompressobj(window_bits)
        try:
            found = stream.decompress(octets, limit + 1)
        except zlib.error as error:
            raise ProtocolError(self.offset, f"{error}", f"octets in {self.encoding}", _SPEC) from None
        if len(found) > limit:
            seen = f"a message of more than {limit} octets when decompressed"
            raise LimitExceeded(self.offset, seen, f"at most decoded_size = {limit}", _SPEC)
        if not stream.eof or stream.unused_data:
            seen = "octets behind the end" if stream.eof else "no end"
            raise ProtocolError(
                self.offset, f"{seen} of the compressed octets", f"one stream in {self.encoding}", _SPEC
            )
        return found

    def decode(self) -> google.protobuf.message.Message:
        """The protobuf message; fields that its type does not know are kept in it.

        Raises what `content` does; `ProtocolError` where the octets are not that type's; `Unsupported` where the types do not have the
        method (`type_name` is None), or the content-type says that it is no protobuf.
        """
        content = self.content()
        kind = self.head.value(CONTENT_TYPE)
        if kind is not None and kind.partition(";")[0].strip().lower() not in _PROTOBUF_TYPES:
            raise Unsupported(f"content-type {kind!r} is not protobuf")
        types, request = self._types, self.request
        if types is None:
            raise Unsupported("no types were given to decode with")
        if request is None:
            raise Unsupported("the request was not seen, so the method is not known")
        return types.parse(request.service, request.operation, self.sender is Sender.SERVER, content, int(self.offset))

    def to_dict(self) -> dict[str, object]:
        """The decoded message in protobuf's JSON mapping; see `GrpcTypes.to_dict`. Raises what `decode` does."""
        message = self.decode()
        types = self._types
        assert types is not None
        return types.to_dict(message, int(self.offset))

    def decode_wrapper(self) -> google.protobuf.message.Message:
        """Triple's TripleRequestWrapper or TripleResponseWrapper, which carry what is no protobuf: Hessian, JSON.

        A request has ``serializeType``, ``args`` and ``argTypes``; a response ``serializeType``, ``data`` and ``type``. Nothing on the
        wire says that a message is one: it is the way of services that are declared in Java alone. Raises what `content` does,
        `ProtocolError` for octets that are no wrapper, and ImportError where protobuf is not installed.
        """
        return parse_wrapper(self.content(), self.sender is Sender.SERVER, int(self.offset))

    def __repr__(self) -> str:
        request = self.request
        name = "?" if request is None else f"{request.service}/{request.operation}"
        state = ("", " too large", " cut")[self._fault] + (" compressed" if self.flag != 0 else "")
        return f"<GrpcPayload {self.sender.value} {name} stream={self.head.stream} index={self.index} size={self.size}{state}>"


@final
@mypyc_attr(acyclic=True)
class _Body:
    """One direction of one call, up to where it has been read."""

    def __init__(self, head: Http2Message, request: Http2Message | None) -> None:
        self.head = head
        self.request = request
        self.lost = False
        """Octets were lost: where the next message starts is not known."""
        self.count: i64 = 0
        self.prefix: i64 = 0
        """Octets of the current message's prefix that have come; 0 between messages."""
        self.offset: i64 = 0
        self.flag: i64 = 0
        self.length: i64 = 0
        self.left: i64 = 0
        self.held = bytearray()
        """What has come of a message that goes on in the next DATA."""


@final
class GrpcPayloads:
    """The length-prefixed messages of all calls of one session.

    Give it every event of the session, in order and from the start; calls whose beginning it did not see are passed over. Every
    message that begins is reported, once: where it ends, or, without its octets, where its body does.

    ``types`` decode; without them there are the octets. ``limits.message`` bounds what is held of each message, in octets on the wire, and
    ``limits.streams`` the calls that are followed: past it the oldest are forgotten. Give it the limits of the session. ``decoded_size``
    bounds a compressed message, in octets when decompressed.
    """

    def __init__(
        self,
        types: GrpcTypes | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        decoded_size: int = DECODED_SIZE,
    ) -> None:
        if not 1 <= decoded_size <= 2**62:
            raise ValueError(f"decoded_size must be from 1 to 2**62, not {decoded_size}")
        self._types = types
        self._limit: i64 = limits.message
        self._body_limit: i64 = 2 * limits.streams
        self._decoded_size: i64 = decoded_size
        self._bodies: dict[int, _Body] = {}
        """By stream number times two, plus one for the server's."""

    @property
    def pending(self) -> int:
        """Bodies that are followed: those of either side that have begun and not ended."""
        return len(self._bodies)

    def receive(self, event: Event) -> list[GrpcPayload]:
        """The messages that end with this event, in order: those that DATA completes, the one that the end of a body cuts."""
        found: list[GrpcPayload] = []
        if isinstance(event, Data):
            head = event.message
            if isinstance(head, Http2Message) and head.framed:
                key = _key(i64(head.stream), head.sender)
                body = self._bodies.get(key)
                if body is not None:
                    self._read(body, event, found)
                    if not event.more:
                        self._end(key, found)
        elif isinstance(event, Http2Message):
            if event.framed:
                if event.kind is Kind.TRAILERS:
                    self._end(_key(i64(event.stream), event.sender), found)
                elif event.more and (event.role == REQUEST or event.role == RESPONSE):
                    self._begin(event, found)
        elif isinstance(event, FrameMessage):
            if event.kind is Kind.RESET:
                self._end(_key(event.stream, Sender.CLIENT), found)
                self._end(_key(event.stream, Sender.SERVER), found)
        elif isinstance(event, Gap):
            self._lose(event.sender, found)
        return found

    def eof(self, sender: Sender) -> list[GrpcPayload]:
        """`sender` sends no more: the messages that it has begun and not ended."""
        found: list[GrpcPayload] = []
        parity = _key(0, sender)
        for key in [key for key in self._bodies if key & 1 == parity]:
            self._end(key, found)
        return found

    def forget(self, stream_id: int) -> list[GrpcPayload]:
        """The caller has ended this stream itself (`Session.reply_error`): the messages that had begun on it."""
        found: list[GrpcPayload] = []
        self._end(_key(stream_id, Sender.CLIENT), found)
        self._end(_key(stream_id, Sender.SERVER), found)
        return found

    def _begin(self, head: Http2Message, found: list[GrpcPayload]) -> None:
        kind = head.value(CONTENT_TYPE)
        if kind is not None and not kind.lower().startswith("application/grpc"):
            return  # a page of HTTP in answer to a call: what it holds is not length-prefixed
        key = _key(i64(head.stream), head.sender)
        self._end(key, found)
        request = head.request
        if head.role == REQUEST:
            request = head
        self._bodies[key] = _Body(head, request if isinstance(request, Http2Message) else None)
        if len(self._bodies) > self._body_limit:
            self._end(next(iter(self._bodies)), found)

    def _end(self, key: int, found: list[GrpcPayload]) -> None:
        """Forget a body; report the message that it ends in."""
        body = self._bodies.pop(key, None)
        if body is not None and body.prefix > 0:
            self._report(body, _CUT, b"", 0, found)

    def _lose(self, sender: Sender, found: list[GrpcPayload]) -> None:
        """Octets of `sender` were lost: its bodies cannot be followed further."""
        parity = _key(0, sender)
        for key, body in self._bodies.items():
            if key & 1 == parity and not body.lost:
                if body.prefix > 0:
                    self._report(body, _CUT, b"", 0, found)
                body.lost = True
                body.held = bytearray()

    def _read(self, body: _Body, data: Data, found: list[GrpcPayload]) -> None:
        """Go on in `body` with what `data` brings."""
        if body.lost:
            return
        octets = data.payload
        at: i64 = 0
        stop: i64 = len(octets)
        while at < stop:
            if body.prefix < _PREFIX_SIZE:
                octet: i64 = octets[at]
                if body.prefix == 0:
                    body.offset = data.payload_offset + at
                    body.flag = octet
                    body.length = 0
                else:
                    body.length = body.length * 256 + octet
                at += 1
                body.prefix += 1
                if body.prefix < _PREFIX_SIZE:
                    continue
                body.left = body.length
            step: i64 = min(body.left, stop - at)
            body.left -= step
            if body.length > self._limit:
                if body.left == 0:
                    self._report(body, _TOO_LARGE, b"", 0, found)
            elif step == body.length:
                self._report(body, _WHOLE, octets, at, found)
            else:
                body.held += memoryview(octets)[at : at + step]
                if body.left == 0:
                    held = bytes(body.held)
                    body.held = bytearray()
                    self._report(body, _WHOLE, held, 0, found)
            at += step

    def _report(self, body: _Body, fault: i64, source: bytes, start: i64, found: list[GrpcPayload]) -> None:
        """The message that `body` is in has ended; the next octet begins another."""
        length: i64 = body.length if body.prefix == _PREFIX_SIZE else -1
        found.append(
            GrpcPayload(
                self._types, self._decoded_size, body.request, body.head, body.count, body.offset, body.flag, length, fault, source, start
            )
        )  # fmt: skip
        body.count += 1
        body.prefix = 0


def _key(stream: i64, sender: Sender) -> int:
    return int(stream * 2 + (1 if sender is Sender.SERVER else 0))
