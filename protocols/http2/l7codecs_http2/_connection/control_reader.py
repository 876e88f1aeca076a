"""Frames that are no message and no part of one. RFC 9113 §6.3 to §6.5, §6.7 to §6.9; types that are not known, §5.5.

Each is one event, and what it changes of the connection is done here. An error of its stream is told in the event, by its code.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Kind, Limits, Message, ProtocolError, Sender, Status
from l7codecs.message import Event, Flow

from .._frames.frame_message import FrameMessage, frame_message
from .._frames.frames import ACK, GOAWAY, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, error_name
from .._frames.settings import ENABLE_PUSH, parse_settings
from .._semantics.messages import Http2Message
from .._semantics.spoken import HTTP
from .connection import Connection
from .frame_reader import FrameReader
from .streams import CLIENT, CLIENT_DONE, FRAME, LAST, RESERVED, RESET, SERVER, Stream

__all__ = ["ControlReader"]

_CONTROL: Final = Kind.CONTROL
_HEARTBEAT: Final = Kind.HEARTBEAT


class ControlReader(FrameReader):
    """Control frames of one direction."""

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, connection: Connection) -> None:
        super().__init__(flow, sender, limits, connection)
        self.who: i64 = CLIENT if sender is Sender.CLIENT else SERVER

    def frame(self) -> Event:
        kind = self.type
        if kind == WINDOW_UPDATE:
            return self._window_update()
        if kind == RST_STREAM:
            return self._reset()
        if kind == SETTINGS:
            return self._settings()
        if kind == PING:
            return self._ping()
        if kind == GOAWAY:
            return self._goaway()
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_noise(self.buffer.message_offset)
        if kind == PRIORITY:
            return self._priority()
        return self.frame_message(_CONTROL, self.stream, self.name(), None, None)

    def misplaced(
        self,
        name: str,
        request: Message | None,
        number: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        offset: i64,
        code: str | None,
    ) -> Event:
        """A frame that its stream does not allow, and the error `code` that it earns; None where it may have been on its way."""
        endpoint = self.connection.endpoint
        if endpoint is not None:
            if code is None:
                endpoint.on_noise(offset)
            else:
                endpoint.on_error(number, code, offset)
        return FrameMessage(
            self.connection.flows[HTTP], self.sender, _CONTROL, offset, octets, start, stop, request, number, name, code
        )

    def not_reserved(self, name: str, number: i64, offset: i64) -> None:
        """Raise the error of a frame that a stream which was promised does not allow before its response."""
        raise ProtocolError(offset, f"{name} on reserved stream {number}", "HEADERS", "RFC 9113 §5.1 PROTOCOL_ERROR")

    def frame_message(
        self, kind: Kind, stream: i64, name: str, request: Message | None, code: str | None
    ) -> FrameMessage:
        """The event of the frame that ends at ``buffer.pos``."""
        return frame_message(self.buffer, self.connection.flows[HTTP], self.sender, kind, stream, name, request, code)

    def is_idle(self) -> bool:
        """Whether the stream of the frame in progress has certainly not been opened.

        An observer knows that of streams that this side opens: the other direction may be behind.
        """
        connection = self.connection
        opener = connection.opener(self.stream)
        if connection.joined or self.stream <= opener.last_stream:
            return False
        return opener is self.side or connection.endpoint is not None

    def known(self, number: i64) -> Stream | None:
        """The open stream of that number that this direction may speak on; the client not before it has opened it."""
        stream = self.connection.streams.get(number)
        return None if stream is not None and stream.ahead and self.who == CLIENT else stream

    def _window_update(self) -> Event:
        increment = self.number(0) & 0x7FFFFFFF
        code: str | None = None
        connection = self.connection
        offset: i64 = self.buffer.message_offset
        # Before the endpoint resets the stream, if it does.
        stream = self.known(self.stream) if self.stream > 0 else None
        if stream is not None:
            if stream.state == RESERVED and self.who == SERVER and not stream.joined:
                self.not_reserved("WINDOW_UPDATE", self.stream, offset)
        elif self.stream > 0 and self.is_idle():
            self.error_here(
                f"WINDOW_UPDATE on idle stream {self.stream}", "HEADERS first", "RFC 9113 §5.1 PROTOCOL_ERROR"
            )
        if increment == 0:
            if self.stream == 0:
                self.error_here("WINDOW_UPDATE by 0", "1 or more", "RFC 9113 §6.9 PROTOCOL_ERROR")
            code = "PROTOCOL_ERROR"
            if connection.endpoint is not None and stream is not None:
                connection.endpoint.on_error(self.stream, code, offset)
        elif connection.endpoint is not None:
            code = connection.endpoint.on_window(self.stream, increment, offset)
        request = stream.request if stream is not None and code is not None else None
        return self.frame_message(_CONTROL, self.stream, "WINDOW_UPDATE", request, code)

    def _reset(self) -> Event:
        connection = self.connection
        code = error_name(self.number(0))
        stream = self.known(self.stream)
        request: Http2Message | None = None
        outcome: Status | None = None
        if stream is None:
            if self.is_idle():
                self.error_here(
                    f"RST_STREAM on idle stream {self.stream}", "HEADERS first", "RFC 9113 §6.4 PROTOCOL_ERROR"
                )
            stream = connection.cut_stream(self.stream, self.peer)
            if stream is not None:
                request = stream.request
                connection.forget_cut(self.stream)
            elif connection.endpoint is None:
                self._reset_unseen()
        else:
            request = stream.request
            if self.who == SERVER:
                if stream.allows(SERVER, FRAME):
                    # The answer is cut, and NO_ERROR is no success.
                    outcome = Status.INTERNAL
            elif stream.state == CLIENT_DONE or (connection.endpoint is not None and stream.allows(SERVER, FRAME)):
                # The client has said all, so it would not reset what has been answered. Else an observer may not have seen the answer yet.
                outcome = Status.CANCELLED
            if stream.response is None and self.who == CLIENT and connection.endpoint is not None:
                connection.count_reset(self.side, self.buffer.message_offset)
            if stream.ahead:
                connection.end_ahead(self.stream, self.side, True)
            elif stream.allows(1 - self.who, FRAME):
                connection.note_cut(self.stream, self.side, stream if connection.endpoint is None else None)
                stream.move(self.who, LAST)
                stream.cut = True
            else:
                stream.move(self.who, RESET)
            connection.streams.remove(self.stream)
        if connection.endpoint is not None:
            connection.endpoint.on_reset(self.stream, self.buffer.message_offset)
        message = self.frame_message(Kind.RESET, self.stream, "RST_STREAM", request, code)
        message.outcome = outcome
        if request is not None:
            message.flow = connection.flows[i64(request.speaks)]
        return message

    def _reset_unseen(self) -> None:
        """RST_STREAM on a stream of the other side that is not open, as an observer sees it: it may still be seen to begin."""
        connection = self.connection
        opener = connection.opener(self.stream)
        if opener is not self.side and self.stream > opener.last_stream:
            connection.end_ahead(self.stream, self.side, True)
        else:
            connection.forgot(self.stream)

    def _settings(self) -> Event:
        connection = self.connection
        if self.flags & ACK != 0:
            if self.length != 0:
                self.error_here(f"a SETTINGS ACK of {self.length} octets", "0", "RFC 9113 §6.5 FRAME_SIZE_ERROR")
            connection.apply_settings(self.peer, self.side)
        else:
            buffer = self.buffer
            settings = parse_settings(buffer.data, buffer.pos - self.length, buffer.pos, buffer.message_offset)
            if self.who == SERVER and settings.get(int(ENABLE_PUSH)) == 1:
                self.error_here(
                    "SETTINGS_ENABLE_PUSH 1 of the server", "0, or nothing", "RFC 9113 §6.5.2 PROTOCOL_ERROR"
                )
            connection.take_settings(self.side, settings, buffer.message_offset)
        return self.frame_message(_CONTROL, 0, "SETTINGS", None, None)

    def _ping(self) -> Event:
        if self.flags & ACK != 0:
            return self.frame_message(_CONTROL, 0, "PING", None, None)
        buffer = self.buffer
        endpoint = self.connection.endpoint
        if endpoint is not None:
            endpoint.on_ping(buffer.data[buffer.pos - 8 : buffer.pos], buffer.message_offset)
        return self.frame_message(_HEARTBEAT, 0, "PING", None, None)

    def _priority(self) -> Event:
        code: str | None = None
        if self.length != 5:
            if self.connection.endpoint is not None:
                self.error_here(f"PRIORITY of {self.length} octets", "5", "RFC 9113 §6.3 FRAME_SIZE_ERROR")
            code = "FRAME_SIZE_ERROR"
        else:
            self.check_dependency(0)
        return self.frame_message(_CONTROL, self.stream, "PRIORITY", None, code)

    def _goaway(self) -> Event:
        if self.length < 8:
            self.error_here(f"GOAWAY of {self.length} octets", "8 or more", "RFC 9113 §6.8 FRAME_SIZE_ERROR")
        if self.connection.endpoint is not None:
            self.connection.endpoint.on_goaway(self.number(0) & 0x7FFFFFFF, self.buffer.message_offset)
        return self.frame_message(Kind.GOAWAY, 0, "GOAWAY", None, error_name(self.number(4)))
