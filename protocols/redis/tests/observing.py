"""A recorded conversation as a session sees it, in any cut, beside what the client itself says that it sent and got.

The client's word is independent: `LoggedConnection` notes the arguments that redis-py was given and the values that its own
parser returned.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import redis

from l7codecs import Data, Kind, Message, Sender, open_session
from l7codecs.testing import PATIENCE, Recording, check_cuts, replay

__all__ = [
    "Conversation",
    "ErrorText",
    "Log",
    "LoggedConnection",
    "RawClient",
    "pack",
    "parse",
    "say",
    "say_all",
]

# ------------------------------------------------------------------------------------------------------ what was said


@dataclass
class Log:
    """What one connection of redis-py sent and got."""

    port: int
    commands: list[tuple[bytes, ...]] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)


class LoggedConnection(redis.Connection):
    """A connection of redis-py that notes its commands and the answers that redis-py's parser returned."""

    def __init__(self, *arguments, logs: list[Log], **options) -> None:
        super().__init__(*arguments, **options)
        self.logs = logs

    @property
    def log(self) -> Log:
        if self._sock is None:
            self.connect()
        port = self._sock.getsockname()[1]
        for log in reversed(self.logs):
            if log.port == port:
                return log
        self.logs.append(Log(port))
        return self.logs[-1]

    def send_command(self, *arguments, **options):
        self._note(arguments)
        return super().send_command(*arguments, **options)

    def pack_commands(self, commands):
        commands = list(commands)
        for arguments in commands:
            self._note(arguments)
        return super().pack_commands(commands)

    def _note(self, arguments: Iterable[object]) -> None:
        words: list[bytes] = []
        for index, argument in enumerate(arguments):
            word = self.encoder.encode(argument)
            words += word.split(b" ") if index == 0 else [word]
        self.log.commands.append(tuple(words))

    def read_response(self, *arguments, **options):
        log = self.log
        try:
            answer = super().read_response(*arguments, **options)
        except redis.ResponseError as error:
            log.answers.append(error)
            raise
        log.answers.append(answer)
        return answer


class RawClient:
    """A client of bare octets."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.port = self.socket.getsockname()[1]
        self._read = b""

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def command(self, *arguments: bytes) -> None:
        self.send(pack(arguments))

    def replies(self, count: int) -> list[object]:
        """The next `count` replies or pushes."""
        found: list[object] = []
        while len(found) < count:
            try:
                value, at = parse(self._read)
            except (IndexError, ValueError):
                octets = self.socket.recv(65536)
                if not octets:
                    raise EOFError(f"the server closed after {found!r} and {self._read!r}") from None
                self._read += octets
            else:
                self._read = self._read[at:]
                found.append(value)
        return found

    def ask(self, *arguments: bytes) -> object:
        self.command(*arguments)
        return self.replies(1)[0]

    def read_all(self) -> bytes:
        """Everything until the server closes."""
        octets = self._read
        try:
            while more := self.socket.recv(65536):
                octets += more
        except ConnectionResetError:
            pass
        return octets

    def close(self) -> None:
        self.socket.close()


def say(connection: LoggedConnection, *lines: str) -> None:
    """Send each line as a command, and read its answer; a double space stands for an empty argument."""
    for line in lines:
        connection.send_command(*line.split(" "))
        with contextlib.suppress(redis.ResponseError):
            connection.read_response()


def say_all(client: RawClient, form: str, text: str) -> None:
    """Send commands, between which stands ``;``, all at once: as arrays of RESP or as inline commands."""
    lines = text.split("; ")
    if form == "inline":
        client.send("".join(f"{line}\r\n" for line in lines).encode())
    else:
        client.send(b"".join(pack(line.encode().split(b" ")) for line in lines))


# --------------------------------------------------------------------------------------------------- RESP, for the tests


class ErrorText(str):
    """An error reply."""


class SetItems(list):
    """A set."""


def pack(arguments: Sequence[bytes]) -> bytes:
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in arguments)


def parse(octets: bytes, at: int = 0) -> tuple[object, int]:
    """The reply at `at`, and where it ends; maps as flat lists. Raises ValueError or IndexError where it is cut."""
    end = octets.index(b"\r\n", at)
    kind, text = octets[at : at + 1], octets[at + 1 : end]
    at = end + 2
    if kind == b"+":
        return text, at
    if kind == b"-":
        return ErrorText(text.decode()), at
    if kind in b":(":
        return int(text), at
    if kind == b",":
        return float(text), at
    if kind == b"#":
        return text == b"t", at
    if kind == b"_" or text == b"-1":
        return None, at
    if kind in b"$=!":
        value = octets[at : at + int(text)]
        at += int(text) + 2
        if at > len(octets):
            raise IndexError("a cut string")
        return (ErrorText(value.decode()) if kind == b"!" else value[4:] if kind == b"=" else value), at
    items: list[object] = SetItems() if kind == b"~" else []
    for _ in range(int(text) * (2 if kind in b"%|" else 1)):
        item, at = parse(octets, at)
        items.append(item)
    if kind == b"|":
        return parse(octets, at)
    return items, at


def same(said: object, seen: object) -> bool:
    """Whether redis-py's value is that of our parsed reply."""
    if isinstance(said, Exception):
        return isinstance(seen, ErrorText) and seen.endswith(str(said))
    if isinstance(said, dict):
        said = [each for pair in said.items() for each in pair]
    if isinstance(said, (set, frozenset)):
        return isinstance(seen, list) and sorted(map(repr, said)) == sorted(map(repr, seen))
    if isinstance(said, (list, tuple)):
        return isinstance(seen, list) and len(said) == len(seen) and all(map(same, said, seen))
    if isinstance(said, str):
        said = said.encode()
    return said == seen and not isinstance(seen, ErrorText)


# --------------------------------------------------------------------------------------------------------- observing


class Conversation:
    """One recorded connection, observed; the client's own log may stand beside it."""

    def __init__(self, recording: Recording, log: Log | None = None, *, unfinished: bool = False) -> None:
        self.vector = recording.to_vector()
        self.log = log
        self.ended = () if unfinished else recording.ended
        self.outcome = replay(open_session("redis"), self.vector, eof=self.ended)
        assert self.outcome.errors == {}
        self.events, self.pending = self.outcome.events, self.outcome.pending
        self.messages = [event for event in self.events if isinstance(event, Message)]
        self.requests = [message for message in self.messages if message.sender is Sender.CLIENT]
        self.replies = [message for message in self.messages if message.sender is Sender.SERVER]
        self.responses = [message for message in self.replies if message.kind is Kind.RESPONSE]
        self.pushes = [message for message in self.replies if message.kind is Kind.PUSH]
        self._data: dict[int, list[Data]] = {}
        for event in self.events:
            if isinstance(event, Data):
                self._data.setdefault(id(event.message), []).append(event)

    def whole(self, message: Message) -> bytes:
        """All octets of a message, also of a streamed one."""
        return message.raw + b"".join(data.raw for data in self._data.get(id(message), ()))

    def values(self, messages: Iterable[Message] | None = None) -> list[object]:
        """The parsed replies."""
        return [parse(self.whole(message))[0] for message in (self.replies if messages is None else messages)]

    def table(self) -> list[tuple[object, ...]]:
        """For each response the operation and the value."""
        return [
            (message.operation, value)
            for message, value in zip(self.responses, self.values(self.responses), strict=True)
        ]

    def check_octets(self) -> None:
        """Nothing is lost, nothing is made up."""
        for sender in Sender:
            assert self.outcome.raw(sender) == self.vector.octets(sender)

    def check_cuts(self) -> None:
        """Other cuts give the same events; the last Data of a message alone says that no more comes."""
        check_cuts(partial(open_session, "redis"), self.vector, eof=self.ended)
        for events in self._data.values():
            assert [data.more for data in events] == [True] * (len(events) - 1) + [False]

    def check_log(self, keys=None) -> None:
        """Every command of the client's log is found in order, with its keys; every answer too, as redis-py read it.

        `keys` is asked what the keys of a command are; None where it cannot tell.
        """
        log = self.log
        assert log is not None
        assert [self.whole(request) for request in self.requests] == [pack(command) for command in log.commands]
        for request, command in zip(self.requests, log.commands, strict=True):
            words = (request.operation or "").encode().split(b" ")
            assert words == [word.upper() for word in command[: len(words)]]
            if keys is not None and not request.more:
                expected = keys(command)
                if expected is not None:
                    assert request.resources == expected, command
        for said, seen in zip(log.answers, self.values(), strict=True):
            assert same(said, seen), (said, seen)

    def check_errors(self) -> None:
        """An error is told from every other answer."""
        for reply, value in zip(self.responses, self.values(self.responses), strict=True):
            if isinstance(value, ErrorText):
                assert reply.error == value.split(" ")[0]
                assert reply.status is not None and reply.status != 0
            else:
                assert reply.error is None and reply.status == 0

    def check_pairs(self) -> None:
        """One answer to each request that is answered, in order; and none left over."""
        asked = [request for request in self.requests if request.kind in (Kind.REQUEST, Kind.HEARTBEAT)]
        assert [id(reply.request) for reply in self.responses] == [id(request) for request in asked]
        assert self.pending == 0

    def check_any(self) -> None:
        """What holds whatever belongs to what."""
        self.check_octets()
        self.check_errors()
        self.check_cuts()

    def check(self, keys=None) -> None:
        """All of it, for a connection where every command has one answer."""
        self.check_octets()
        self.check_log(keys)
        self.check_errors()
        self.check_pairs()
        self.check_cuts()
