"""The event of a frame that carries no header block and is no DATA of a message. RFC 9113 §6."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Message, Sender, Status
from l7codecs.buffer import Buffer
from l7codecs.message import AttrValue, Flow

__all__ = ["FrameMessage", "frame_message"]


@final
@mypyc_attr(acyclic=True)
class FrameMessage(Message):
    """A frame that carries no header block: it concerns the connection, or ends a stream."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        request: Message | None,
        stream: i64,
        name: str,
        code: str | None,
    ) -> None:
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request = None
        self._attributes = None
        self._referred = False
        self.settled = False
        self.declared_size = -1
        self.kept = stop - start
        self.more = False
        self.stream = stream
        self.name = name
        self.code = code
        """The name of the error code, of RST_STREAM and GOAWAY; of a frame that its stream does not allow, the code that it earns."""
        self.outcome: Status | None = None
        """Of RST_STREAM with NO_ERROR: what it means for the call; None where the answer was complete, or is not known."""
        if request is not None:
            self.request = request

    def detach(self) -> bool:
        self.keep_own()
        return True

    @property
    def stream_id(self) -> int | None:
        return self.stream if self.stream > 0 else None

    @property
    def service(self) -> str | None:
        return None if self.request is None else self.request.service

    @property
    def operation(self) -> str | None:
        """The type of the frame: SETTINGS, WINDOW_UPDATE…; of the end of a stream, what it ends."""
        return self.name if self.request is None else self.request.operation

    @property
    def status(self) -> Status | None:
        if self.kind is not Kind.RESET:
            return None
        return self.outcome if self.code == "NO_ERROR" else _RESET_STATUS.get(self.code or "", Status.UNKNOWN)

    @property
    def error(self) -> str | None:
        return None if self.code == "NO_ERROR" and self.outcome is None else self.code

    @property
    def payload(self) -> bytes:
        """The frame without its header."""
        return self.octets[self.start + 9 : self.stop]

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["network.protocol.version"] = "2"
        attributes["http2.frame_type"] = self.name
        if self.stream > 0:
            attributes["http2.stream_id"] = int(self.stream)
        if self.code is not None:
            attributes["http2.error_code"] = self.code
            error = self.error
            if error is not None:
                attributes["error.type"] = error


_RESET_STATUS: Final = {
    "CANCEL": Status.CANCELLED,
    "REFUSED_STREAM": Status.UNAVAILABLE,
    "ENHANCE_YOUR_CALM": Status.RESOURCE_EXHAUSTED,
    "INADEQUATE_SECURITY": Status.PERMISSION_DENIED,
    "INTERNAL_ERROR": Status.INTERNAL,
    "PROTOCOL_ERROR": Status.INTERNAL,
}


def frame_message(
    buffer: Buffer,
    flow: Flow,
    sender: Sender,
    kind: Kind,
    stream: i64,
    name: str,
    request: Message | None,
    code: str | None,
) -> FrameMessage:
    """The event of the octets up to ``buffer.pos``, which are used up."""
    offset: i64 = buffer.message_offset
    size = buffer.message_size()
    octets = buffer.message()
    start = buffer.message_start()
    buffer.finish()
    return FrameMessage(flow, sender, kind, offset, octets, start, start + size, request, stream, name, code)
