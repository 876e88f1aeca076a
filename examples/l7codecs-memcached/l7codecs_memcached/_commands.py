"""What a client says: a line, and the value behind it where one is stored."""

from __future__ import annotations

import binascii

from l7codecs import AttrValue, Kind, Line, LineDecoder, LineMessage, RequestId, Verb

__all__ = ["ACCESS", "COMMANDS", "Command", "CommandDecoder", "MetaCommand", "decoded", "opaque_of"]

KEY_SIZE = 250
ACCESS = {
    "read": "get gets mg me mn version stats",
    "write": "set add replace append prepend cas touch gat gats incr decr delete ms md ma",
    "admin": "flush_all verbosity shutdown quit watch slabs lru lru_crawler cache_memlimit",
}
ACCESS = {operation: access for access, operations in ACCESS.items() for operation in operations.split()}


def opaque_of(flags: list[bytes]) -> bytes | None:
    """The token of flag O, which the answer repeats."""
    for flag in flags:
        if flag.startswith(b"O"):
            return flag[1:]
    return None


def decoded(key: bytes, flags: list[bytes]) -> bytes:
    """The key that is meant: flag b says that it is written in base64."""
    if b"b" in flags:
        try:
            return binascii.a2b_base64(key, strict_mode=True)
        except binascii.Error:
            pass  # the server will refuse it
    return key


class Command(LineMessage):
    """One command."""

    __slots__ = ()

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["db.system.name"] = "memcached"
        attributes["l7.access"] = ACCESS.get(self.operation or "", "unknown")
        if self.operation is not None:
            attributes["db.operation.name"] = self.operation
        if self.resources:
            attributes["memcached.keys"] = tuple(key for key in self.resources if isinstance(key, bytes))
        if len(self.resources) > 1:
            attributes["db.operation.batch.size"] = len(self.resources)
        if self.kind is Kind.ONEWAY and self.operation != "quit":
            attributes["memcached.noreply"] = True
        if self.block_size is not None:
            attributes["memcached.value.size"] = self.block_size
        if self.operation == "watch":
            attributes["l7.pins"] = "watch"


class MetaCommand(Command):
    """One of the meta commands, whose flags say more."""

    __slots__ = ()

    @property
    def flags(self) -> list[bytes]:
        return self.words[3 if self.operation == "ms" else 2 :]

    @property
    def quiet(self) -> bool:
        """Whether an answer that tells nothing new is left out; anything else is answered all the same."""
        return any(flag.startswith(b"q") for flag in self.flags)

    @property
    def request_id(self) -> RequestId | None:
        return opaque_of(self.flags)

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The key, which flag b says is in base64: the same key must not have two names."""
        key = self.word(1)
        return () if key is None else (decoded(key, self.flags),)

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        if self.quiet:
            attributes["memcached.quiet"] = True
        if isinstance(self.request_id, bytes):
            attributes["memcached.opaque"] = self.request_id


def asks(operation: str, resource: int = 0, many: bool = False, block: int = 0, note: str | None = None) -> Verb:
    kind = Kind.ONEWAY if operation == "quit" else Kind.REQUEST
    made = None if note == "noreply" else MetaCommand if note == "meta" else Command
    return Verb(kind, operation, resource=resource, many=many, block=block, note=note, made=made)


COMMANDS = {name.encode(): asks(name) for name in ACCESS}
COMMANDS |= {name: asks(name.decode(), 1, many=True) for name in (b"get", b"gets")}
COMMANDS |= {name: asks(name.decode(), 2, many=True) for name in (b"gat", b"gats")}
COMMANDS |= {name: asks(name.decode(), 1, note="noreply") for name in (b"touch", b"incr", b"decr", b"delete")}
COMMANDS |= {name: asks(name.decode(), 0, note="noreply") for name in (b"flush_all", b"verbosity")}
COMMANDS |= {
    name: asks(name.decode(), 1, block=4, note="noreply")
    for name in (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
}
COMMANDS |= {name: asks(name.decode(), 1, note="meta") for name in (b"mg", b"md", b"ma", b"me")}
COMMANDS[b"ms"] = asks("ms", 1, block=2, note="meta")


class CommandDecoder(LineDecoder):
    """The client's direction."""

    verbs = COMMANDS
    strict = False  # the server takes two octets behind a value, whatever they are, and answers with an error

    def verb(self, word: bytes) -> Verb:
        """A command that is not in the table is one all the same: the server answers ERROR."""
        known = len(word) <= 32 and word.isascii() and word.isalnum()
        return Verb(Kind.REQUEST, word.decode("ascii") if known else None, made=Command)

    def block_size(self, line: Line) -> int:
        """Where the server refuses the line alone, it takes what follows for commands."""
        words = line.words
        if len(words) < 2 or len(words[1]) > KEY_SIZE:
            return -1
        if line.verb.note == "meta":
            size = line.number(2)
        else:
            numbers = words[2:6] if words[0] == b"cas" else words[2:5]
            extra = len(words) - 2 - len(numbers)
            if extra not in (0, 1) or len(numbers) < 3 or not numbers[0].isdigit():
                return -1
            if not numbers[1].removeprefix(b"-").isdigit() or not numbers[-1].isdigit():
                return -1
            size = line.number(4)
        return size if size < 2**31 - 2 else -1

    def message(self, line: Line) -> Command:
        """Of a command that may end with noreply; the table makes all others."""
        kind = line.verb.kind
        if line.ends_with(b"noreply"):
            if line.word(2) is not None or line.verb.operation == "flush_all":  # else it is the key
                kind = Kind.ONEWAY
        return Command(line, kind)

    def plausible(self, line: bytes) -> bool:
        """Values hold text as well: a line of words that can be printed."""
        return line.isascii() and line.decode("ascii").isprintable()
