"""One command: what a routing engine sees of it, and how its octets are written."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Message, Sender
from l7codecs.message import AttrValue, Flow

from ._commands import CommandSpec, unknown_command
from ._resp import CR, LF, STAR

__all__ = [
    "NO_COMMAND",
    "NO_PINS",
    "ORDINARY",
    "UNSEEN",
    "RedisRequest",
    "Situation",
    "channels_of",
    "encode_command",
    "ordinary_in",
]

NO_COMMAND: Final = unknown_command(b"")
"""What a command of no arguments is."""
UNSEEN: Final = unknown_command(b"")
"""What a command is whose name does not fit into the head of a message."""

_PREPARING: Final = frozenset(
    {"authentication", "client mode", "client name", "database", "protocol version", "read mode", "tracking"}
)
"""Why a command ties what follows to its connection, of those that do no more than set it up."""

_SPREADING: Final = frozenset(
    {"SCRIPT LOAD", "SCRIPT FLUSH", "FUNCTION LOAD", "FUNCTION DELETE", "FUNCTION FLUSH", "FUNCTION RESTORE"}
)
"""What is kept at a server for the commands of all."""

_QUERY_TEXT_ARGUMENTS: Final = 32
_QUERY_TEXT_SIZE: Final = 1024


@final
@mypyc_attr(acyclic=True)
class Situation:
    """What the state of its connection adds to a command; nearly all of a connection share one, which for database 0 is `ORDINARY`.

    ``database``: in which it is executed, None where that is not known; ``pins``: why what follows is tied to the connection, where that
    is not for the command's own reason; ``extra_items``: of EXEC, items that its answer has beyond one for each queued command, where a
    queued SUBSCRIBE is answered by several; ``selects``: of SELECT, which it is, and of EXEC, which the last before it is, if one was
    queued; ``fallback``: the database of an EXEC that does nothing; ``original``: the message that a caller changed into this one;
    ``queued``: it waits for EXEC; ``lasting``: of EXEC, what it does ties the connection from then on.
    """

    def __init__(
        self,
        pins: str | None = None,
        batch_size: i64 = -1,
        extra_items: i64 = 0,
        selects: i64 = -1,
        fallback: str | None = None,
        original: Message | None = None,
        database: str | None = "0",
        queued: bool = False,
        lasting: bool = False,
    ) -> None:
        self.database = database
        self.queued = queued
        self.lasting = lasting
        self.pins = pins
        self.batch_size = batch_size
        self.extra_items = extra_items
        self.selects = selects
        self.fallback = fallback
        self.original = original


ORDINARY: Final = Situation()
_NOWHERE: Final = Situation(database=None)


def ordinary_in(database: str | None) -> Situation:
    """The situation of a command in `database` of which there is nothing else to say."""
    if database is None:
        return _NOWHERE
    return ORDINARY if database == "0" else Situation(database=database)


NO_PINS: Final = ""
"""Of a situation: the command is refused, so that what it would pin it does not."""


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class RedisRequest(Message):
    """One command."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        more: bool,
        spec: CommandSpec,
        key_at: i64,
        key_size: i64,
        situation: Situation,
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
        self.more = more
        self.spec = spec
        self._operation = spec.operation
        self._key_at = key_at
        self._key_size = key_size
        self.situation = situation
        self._arguments: list[bytes] | None = None

    @property
    def database(self) -> str | None:
        """The database in which it is executed; None where that is not known."""
        return self.situation.database

    @property
    def operation(self) -> str | None:
        """The command in upper case, with its sub-command: ``SET``, ``XGROUP CREATE``."""
        return self._operation

    def become(self, spec: CommandSpec) -> None:
        """Take it for another command."""
        self.spec = spec
        self._operation = spec.operation

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The keys, in the order of the arguments."""
        if self._key_size >= 0:
            at = self.start + self._key_at
            return (self.octets[at : at + self._key_size],)
        spec = self.spec
        if spec.key_step > 0 and self._arguments is None and not self.inline:
            return tuple(_every(self.octets, self.start, self.stop, spec.first_key, spec.key_step))
        arguments = self.arguments
        return tuple([arguments[index] for index in spec.key_indices(arguments)])

    @property
    def resource(self) -> str | bytes | None:
        """The only key; None where there is none, or are several."""
        if self._key_size >= 0:
            at = self.start + self._key_at
            return self.octets[at : at + self._key_size]
        found = self.resources
        return found[0] if len(found) == 1 else None

    @property
    def resource_at(self) -> i64:
        if self._key_size < 0:
            return -1
        return self.start + self._key_at  # a conditional expression would make an object of it

    @property
    def resource_size(self) -> i64:
        return self._key_size

    @property
    def arguments(self) -> list[bytes]:
        """The command's name and its arguments; those whole in the head, of a message with ``more``."""
        found = self._arguments
        if found is None:
            found = _split_multibulk(self.octets, self.start, self.stop)
            self._arguments = found
        return found

    def take_arguments(self, arguments: list[bytes]) -> None:
        """Keep the arguments of an inline command, which a decoder has split."""
        self._arguments = arguments

    def detach(self) -> bool:
        if not self.inline:
            self._arguments = None  # copies of what can be read again
        self.keep_own()
        return True

    def shortened(self, size: int) -> Message:
        key_size = self._key_size
        end: i64 = size
        if key_size >= 0:
            last = self._key_at + key_size
            if last <= end:
                end = last  # its one key is all that routing asks for, and copying is what costs
            else:
                key_size = -1
        if end > self.stop - self.start:
            end = self.stop - self.start
        octets = self.octets[self.start : self.start + end]
        short = RedisRequest(
            self.flow, self.sender, self.kind, self.offset, octets, 0, len(octets), True, self.spec,
            self._key_at, key_size, self.situation,
        )  # fmt: skip
        if octets[0] != STAR:
            short._arguments = _first_arguments(self.arguments, size)
        short.declared_size = self.declared_size if self.more else self.stop - self.start
        return short

    @property
    def argument_count(self) -> int:
        """How many arguments the command has, its name included; the declared number, of a message with ``more``."""
        if self.more and self.octets[self.start] == STAR:
            return int(self.octets[self.start + 1 : self.octets.index(b"\r", self.start)])
        return len(self.arguments)

    @property
    def inline(self) -> bool:
        """Whether the command came as a line of words."""
        return self.start < self.stop and self.octets[self.start] != STAR

    @property
    def pins(self) -> str | None:
        situation = self.situation
        why = self.spec.pins if situation.pins is None else situation.pins
        return why if why else None

    @property
    def prepares(self) -> bool:
        why = self.spec.pins
        return (
            why is not None and self.situation.pins is None and why in _PREPARING and self.spec.name != "CLIENT CACHING"
        )

    @property
    def spreads(self) -> bool:
        return self.spec.name in _SPREADING and self.situation.pins is None

    @property
    def adds(self) -> bool:
        """CLIENT TRACKING ON BCAST PREFIX: prefixes come beside those that there are."""
        return self.spec.name == "CLIENT TRACKING" and b"PREFIX" in [each.upper() for each in self.arguments[2:]]

    @property
    def unshared(self) -> bool:
        """Whether the client is told on this connection what it may not keep any longer, of the keys that it has read here."""
        if self.spec.name != "CLIENT TRACKING" or self.situation.pins is not None:
            return False
        arguments = self.arguments
        return len(arguments) > 2 and arguments[2].upper() == b"ON"

    @property
    def blocks(self) -> bool:
        spec = self.spec
        if spec.blocks == 0 or self.situation.pins == "transaction" or self.situation.pins == NO_PINS:
            return False
        return spec.blocks == 1 or _has_block(self.arguments)

    @property
    def access(self) -> str | None:
        return None if self.spec is NO_COMMAND else self.spec.access

    @property
    def payload(self) -> bytes:
        """The last argument: the value, of most commands that write one."""
        arguments = self.arguments
        return arguments[len(arguments) - 1] if len(arguments) > 1 else b""

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["db.system.name"] = "redis"
        spec = self.spec
        if spec is NO_COMMAND:
            return
        attributes["db.operation.name"] = spec.name
        if self.database is not None:
            attributes["db.namespace"] = self.database
        attributes["l7.access"] = spec.access
        situation = self.situation
        pins = self.pins
        if pins is not None:
            attributes["l7.pins"] = pins
        if situation.batch_size >= 0:
            attributes["db.operation.batch.size"] = int(situation.batch_size)
        arguments = self.arguments
        if self.blocks:
            attributes["l7.blocks"] = True
        keys = spec.key_indices(arguments)
        attributes["db.query.text"] = _query_text(spec, arguments, keys)
        if keys:
            attributes["redis.keys"] = tuple([arguments[index] for index in keys])
        if spec.name in _SCRIPTED and len(arguments) > 1:
            attributes["db.stored_procedure.name"] = _text(arguments[1])
        channels = channels_of(spec, arguments)
        if channels:
            attributes["redis.channels"] = tuple(channels)


def _first_arguments(arguments: list[bytes], size: i64) -> list[bytes]:
    """Those that have at most `size` octets together."""
    found: list[bytes] = []
    for argument in arguments:
        size -= len(argument)
        if size < 0:
            break
        found.append(argument)
    return found


def _has_block(arguments: list[bytes]) -> bool:
    """Whether XREAD or XREADGROUP has the option BLOCK, which stands before STREAMS (`xreadCommand`, redis/src/t_stream.c)."""
    count: i64 = len(arguments)
    at: i64 = 1
    while at < count:
        word = arguments[at][:8].upper().partition(b"\0")[0]
        if word == b"BLOCK":
            return True
        if word == b"STREAMS":
            return False
        at += 3 if word == b"GROUP" else 1
    return False


_SCRIPTED: Final = frozenset({"EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"})


def channels_of(spec: CommandSpec, arguments: list[bytes]) -> list[bytes]:
    """The channels or patterns that a command of the publish/subscribe family names."""
    if spec.group != "pubsub":
        return []
    if spec.name == "PUBLISH" or spec.name == "SPUBLISH":
        return arguments[1:2]
    return arguments[1:] if spec.name.endswith("SUBSCRIBE") else []


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def _query_text(spec: CommandSpec, arguments: list[bytes], keys: list[int]) -> str:
    """The command with its keys, every other argument as ``?``; cut where it gets long."""
    words = [spec.name]
    size = len(spec.name)
    known = set(keys)
    index = spec.name.count(" ") + 1
    while index < len(arguments):
        if index > _QUERY_TEXT_ARGUMENTS or size > _QUERY_TEXT_SIZE:
            words.append("...")
            break
        word = _text(arguments[index][:_QUERY_TEXT_SIZE]) if index in known else "?"
        words.append(word)
        size += len(word) + 1
        index += 1
    return " ".join(words)


def _split_multibulk(octets: bytes, start: i64, stop: i64) -> list[bytes]:
    """The arguments in ``octets[start:stop]``, which a decoder has checked; a cut one at the end is left out."""
    found: list[bytes] = []
    at = start
    while at < stop and octets[at] != LF:
        at += 1
    at += 1
    while at < stop:
        size: i64 = 0
        at += 1
        while at < stop and octets[at] != CR:
            size = size * 10 + (octets[at] - 0x30)
            at += 1
        at += 2
        if at + size > stop:
            break
        found.append(octets[at : at + size])
        at += size + 2
    return found


def _every(octets: bytes, start: i64, stop: i64, first: i64, step: i64) -> list[bytes]:
    """As `_split_multibulk`, of the argument `first` and of each that stands `step` behind."""
    found: list[bytes] = []
    at = start
    while at < stop and octets[at] != LF:
        at += 1
    at += 1
    while at < stop:
        size: i64 = 0
        at += 1
        while at < stop and octets[at] != CR:
            size = size * 10 + (octets[at] - 0x30)
            at += 1
        at += 2
        if at + size > stop:
            break
        if first == 0:
            found.append(octets[at : at + size])
            first = step
        first -= 1
        at += size + 2
    return found


def encode_command(arguments: list[bytes]) -> bytes:
    """The octets of a command."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        parts.append(b"$%d\r\n" % len(argument))
        parts.append(argument)
        parts.append(b"\r\n")
    return b"".join(parts)
