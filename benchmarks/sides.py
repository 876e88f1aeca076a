"""What is timed: each function is one side of one row, and returns what it found in the last message.

The functions that are timed are the very ones that `test_equal_work` calls message by message, to compare what the sides find.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import hiredis
from redis._parsers import _RESP2Parser
from redis._parsers.encoders import Encoder

import l7codecs
from l7codecs import Kind, Message, Sender, Session, Status

__all__ = [
    "HiredisCommands",
    "HiredisMix",
    "HiredisReplies",
    "HiredisValues",
    "OurCommands",
    "OurMix",
    "OurReplies",
    "RedisPyCommands",
    "Request",
]

CLIENT: Final = Sender.CLIENT
SERVER: Final = Sender.SERVER
REQUEST: Final = Kind.REQUEST
RESPONSE: Final = Kind.RESPONSE
PUSH: Final = Kind.PUSH
OK: Final = Status.OK
UNKNOWN: Final = Status.UNKNOWN
Receive = Callable[[Sender, bytes], Iterator[Any]]
"""`Session.receive`, as one calls it who knows that only messages come, and asks each nothing but what is measured."""
Request = tuple[bytes, bytes]
"""What a user of hiredis would keep of a command until it is answered: its name and its key."""


class OurCommands:
    """l7codecs: operation and first key of each command, in one long-lived session."""

    def __init__(self) -> None:
        self.session = l7codecs.open_session("redis")

    def __call__(self, chunks: Sequence[bytes]) -> tuple[object, object]:
        receive: Receive = self.session.receive
        operation: object = None
        key: object = None
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                operation = event.operation
                key = event.resources[0]
        return operation, key


class HiredisCommands:
    """hiredis: the first two items of each command, from one long-lived reader."""

    def __init__(self) -> None:
        self.reader = hiredis.Reader()

    def __call__(self, chunks: Sequence[bytes]) -> tuple[object, object]:
        reader = self.reader
        gets = reader.gets
        operation: object = None
        key: object = None
        for chunk in chunks:
            reader.feed(chunk)
            while (message := gets()) is not False:
                operation = message[0]
                key = message[1]
        return operation, key


class OurMix:
    """l7codecs: whether it is a request, its operation and all its keys; a session for each round, whose requests all wait."""

    def __call__(self, chunks: Sequence[bytes]) -> tuple[object, object]:
        receive: Receive = l7codecs.open_session("redis").receive
        operation: object = None
        keys: object = None
        for chunk in chunks:
            for event in receive(CLIENT, chunk):
                if event.kind is REQUEST:
                    operation = event.operation
                    keys = event.resources
        return operation, keys


class HiredisMix:
    """hiredis: the first two items of each command, from a reader for each round. It does not know which of them are keys."""

    def __call__(self, chunks: Sequence[bytes]) -> tuple[object, object]:
        return HiredisCommands()(chunks)


class _Reads:
    """Looks to redis-py's parser like a socket whose every read succeeds at once."""

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()

    def recv(self, size: int) -> bytes:
        return self.chunks.popleft()


class _Connection:
    """What redis-py's parser wants to know of a connection."""

    socket_timeout = None
    encoder = Encoder("utf-8", "strict", False)  # type: ignore[no-untyped-call]

    def __init__(self, reads: _Reads) -> None:
        self._sock = reads


class RedisPyCommands:
    """redis-py without hiredis: the first two items of each command.

    The blocking parser, which is faster than the one for asyncio; nothing is decoded to text; it is told how many messages there are, and
    so never has to ask whether there is another.
    """

    def __init__(self) -> None:
        self.reads = _Reads()
        self.parser = _RESP2Parser(65_536)  # type: ignore[no-untyped-call]  # these modules have no types
        self.parser.on_connect(_Connection(self.reads))  # type: ignore[no-untyped-call]

    def __call__(self, chunks: Sequence[bytes], count: int) -> tuple[object, object]:
        self.reads.chunks.extend(chunks)
        read_response = self.parser.read_response
        operation: object = None
        key: object = None
        for _ in range(count):
            message = read_response(disable_decoding=True)
            operation = message[0]
            key = message[1]
        return operation, key


class OurReplies:
    """l7codecs: kind, status and request of each reply."""

    def __init__(self, version: int) -> None:
        self.session: Session = l7codecs.open_session("redis")
        if version == 3:
            for octets, sender in (
                (b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", CLIENT),
                (b"%1\r\n$5\r\nproto\r\n:3\r\n", SERVER),
            ):
                list(self.session.receive(sender, octets))

    def ask(self, chunks: Sequence[bytes]) -> None:
        """Send commands, which is not timed."""
        for chunk in chunks:
            for _ in self.session.receive(CLIENT, chunk):
                pass

    def __call__(self, chunks: Sequence[bytes]) -> tuple[Kind | None, Status | None, Message | None]:
        receive: Receive = self.session.receive
        kind = status = request = None
        for chunk in chunks:
            for event in receive(SERVER, chunk):
                kind = event.kind
                status = event.status
                request = event.request
        return kind, status, request


class HiredisReplies:
    """hiredis, and what its user has to add to know kind, outcome and request of each reply.

    ``pushes`` is False for RESP2, which has none to look for. An error is only told from a success, not made a status of its own as ours
    does.
    """

    def __init__(self, pushes: bool) -> None:
        self.reader = hiredis.Reader()
        self.waiting: deque[Request] = deque()
        self.pushes = pushes

    def ask(self, requests: Sequence[Request]) -> None:
        """Send commands, which is not timed."""
        self.waiting.extend(requests)

    def __call__(self, chunks: Sequence[bytes]) -> tuple[Kind | None, Status | None, Request | None]:
        reader = self.reader
        gets = reader.gets
        popleft = self.waiting.popleft
        is_error = hiredis.ReplyError
        is_push = hiredis.PushNotification
        kind = status = request = None
        if not self.pushes:
            for chunk in chunks:
                reader.feed(chunk)
                while (message := gets()) is not False:
                    kind = RESPONSE
                    status = UNKNOWN if isinstance(message, is_error) else OK
                    request = popleft()
            return kind, status, request
        for chunk in chunks:
            reader.feed(chunk)
            while (message := gets()) is not False:
                if isinstance(message, is_push):
                    kind = PUSH
                    status = request = None
                else:
                    kind = RESPONSE
                    status = UNKNOWN if isinstance(message, is_error) else OK
                    request = popleft()
        return kind, status, request


class HiredisValues:
    """hiredis alone: the values of replies, which is less than the row asks for."""

    def __init__(self) -> None:
        self.reader = hiredis.Reader()

    def __call__(self, chunks: Sequence[bytes]) -> object:
        reader = self.reader
        gets = reader.gets
        message: object = None
        for chunk in chunks:
            reader.feed(chunk)
            while (message := gets()) is not False:
                pass
        return message
