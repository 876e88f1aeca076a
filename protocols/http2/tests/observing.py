"""A recorded connection as a session sees it, in any cut, as calls: a request with its response, trailers and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from l7codecs import Data, Kind, Message, Sender, Status, open_session
from l7codecs.testing import Outcome, Recording, Vector, check_cuts, replay

__all__ = ["Call", "Conversation", "headers_of", "observe"]

Fields = list[tuple[str, bytes]]


@dataclass
class Call:
    """One stream: what either side said on it."""

    stream: int
    request: Message
    response: Message | None = None
    interim: list[Message] = field(default_factory=list)
    trailers: dict[Sender, Message] = field(default_factory=dict)
    resets: list[Message] = field(default_factory=list)
    bodies: dict[Sender, list[bytes]] = field(default_factory=lambda: {sender: [] for sender in Sender})
    ended: set[Sender] = field(default_factory=set)

    @property
    def method(self) -> object:
        return self.request.attributes.get("http.request.method")

    @property
    def path(self) -> str:
        """The path with its query."""
        attributes = self.request.attributes
        query = attributes.get("url.query")
        return str(attributes.get("url.path")) + ("" if query is None else f"?{query}")

    @property
    def code(self) -> object:
        """The status of HTTP."""
        return None if self.response is None else self.response.attributes.get("http.response.status_code")

    @property
    def last(self) -> Message:
        """What tells the outcome: the server's trailers, or its response, or a reset."""
        return self.trailers.get(Sender.SERVER) or self.resets_or_response()

    def resets_or_response(self) -> Message:
        if self.response is None or self.response.status is None:
            return self.resets[0]
        return self.response

    @property
    def status(self) -> Status | None:
        return self.last.status

    @property
    def counts(self) -> tuple[object, object]:
        """The length-prefixed messages of the client and of the server, as the last event tells."""
        attributes = self.last.attributes
        return attributes.get("grpc.request.message_count"), attributes.get("grpc.response.message_count")

    def body(self, sender: Sender) -> bytes:
        return b"".join(self.bodies[sender])

    def messages(self, sender: Sender) -> list[bytes]:
        """The length-prefixed messages of gRPC, taken apart here."""
        return [message for _, message in self._prefixed(sender)]

    def flags(self, sender: Sender) -> list[int]:
        """The flag before each of them: 1 where it is compressed."""
        return [flag for flag, _ in self._prefixed(sender)]

    def _prefixed(self, sender: Sender) -> list[tuple[int, bytes]]:
        octets, found = self.body(sender), []
        while octets:
            size = int.from_bytes(octets[1:5], "big")
            found.append((octets[0], octets[5 : 5 + size]))
            octets = octets[5 + size :]
        return found


def observe(vector: Vector, ended: Sequence[Sender] = ()) -> Outcome:
    """What one observer makes of it; there must be no error."""
    outcome = replay(open_session("http2"), vector, eof=ended)
    assert outcome.errors == {}
    return outcome


class Conversation:
    """One connection, observed; `ended` says whose end was seen."""

    def __init__(self, vector: Vector, ended: Sequence[Sender] = ()) -> None:
        self.vector = vector
        self.ended = ended
        self.outcome = observe(vector, ended)
        self.events, self.pending = self.outcome.events, self.outcome.pending
        self.messages = [event for event in self.events if isinstance(event, Message)]
        self.calls: list[Call] = []
        self.pushes: list[Call] = []
        by_stream: dict[int, Call] = {}
        for event in self.events:
            stream = event.stream_id if isinstance(event, (Message, Data)) else None
            if stream is None:
                continue
            if isinstance(event, Data):
                call = by_stream[stream]
                call.bodies[event.sender].append(event.payload)
                if not event.more:
                    call.ended.add(event.sender)
            elif event.kind is Kind.REQUEST or event.kind is Kind.PUSH:
                assert stream not in by_stream, "one request to a stream"
                call = by_stream[stream] = Call(stream, event)
                (self.calls if event.kind is Kind.REQUEST else self.pushes).append(call)
                if not event.more:
                    call.ended.add(Sender.CLIENT)
            elif stream in by_stream:
                self._note(by_stream[stream], event)

    @classmethod
    def of(cls, recording: Recording) -> Conversation:
        return cls(recording.to_vector(), recording.ended)

    @staticmethod
    def _note(call: Call, event: Message) -> None:
        closed = call.ended | {each.sender for each in call.resets} == set(Sender)
        if event.kind is Kind.RESPONSE:
            assert call.response is None, "one response to a stream"
            call.response = event
        elif event.kind is Kind.TRAILERS:
            call.trailers[event.sender] = event
        elif event.kind is Kind.RESET:
            call.resets.append(event)
        elif "http2.interim_status" in event.attributes:
            call.interim.append(event)
        else:
            return
        # A stream that is closed is forgotten, and may be reset all the same.
        assert event.request is (None if closed else call.request)
        if not event.more and event.kind is not Kind.CONTROL:
            call.ended.add(event.sender)

    @property
    def call(self) -> Call:
        """The only call."""
        assert len(self.calls) == 1
        return self.calls[0]

    def called(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.request.operation == operation]

    def check(self, *, malformed: bool = False) -> None:
        """Nothing is lost, nothing is made up, no cut matters, no call is left over, and nobody broke a rule."""
        for sender in Sender:
            assert self.outcome.raw(sender) == self.vector.octets(sender)
        assert self.pending == 0
        for call in self.calls + self.pushes:
            assert call.resets or call.ended == set(Sender) or call in self.pushes, call.path
        if not malformed:
            assert [m.attributes["http2.malformed"] for m in self.messages if "http2.malformed" in m.attributes] == []
        check_cuts(partial(open_session, "http2"), self.vector, eof=self.ended)


def headers_of(message: Message | None) -> Fields:
    """Names and values in order, without pseudo-headers."""
    assert message is not None
    return [(name, value if isinstance(value, bytes) else value.encode()) for name, value in message.headers]
