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
        """Whether an answer that tells nothing new is left out; all else is answered."""
        return any(flag.startswith(b"q") for flag in self.flags)

    @property
    def request_id(self) -> RequestId | None:
        return opaque_of(self.flags)

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The key, which flag b says is in base64: the same key must not have two names."""
        keys = super().resources
        return tuple(decoded(key, self.flags) for key in keys if isinstance(key, bytes)) if b" b" in self.raw else keys

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        super().collect(attributes)
        if self.quiet:
            attributes["memcached.quiet"] = True
            attributes["l7.pins"] = "quiet"  # who asks next tells whether it was answered
        if isinstance(self.request_id, bytes):
            attributes["memcached.opaque"] = self.request_id


def asks(word: str, resource: int = 0, many: bool = False, block: int = 0, noreply: bool = True) -> Verb:
    kind = Kind.ONEWAY if word == "quit" else Kind.REQUEST
    quietly = b"noreply" if noreply else None
    return Verb(
        kind, word, resource=resource, many=many, block=block, numbers=2 if block else 0, quietly=quietly, made=Command
    )


def asks_meta(word: str, block: int = 0) -> Verb:
    return Verb(Kind.REQUEST, word, resource=1, block=block, made=MetaCommand)


COMMANDS = {word.encode(): asks(word, noreply=word in ("flush_all", "verbosity")) for word in ACCESS}
COMMANDS |= {word.encode(): asks(word, 1, many=True, noreply=False) for word in ("get", "gets")}
COMMANDS |= {word.encode(): asks(word, 2, many=True, noreply=False) for word in ("gat", "gats")}
COMMANDS |= {word.encode(): asks(word, 1) for word in ("touch", "incr", "decr", "delete")}
COMMANDS |= {word.encode(): asks(word, 1, block=4) for word in ("set", "add", "replace", "append", "prepend", "cas")}
COMMANDS |= {word.encode(): asks_meta(word) for word in ("mg", "md", "ma", "me")}
COMMANDS[b"ms"] = asks_meta("ms", block=2)


class CommandDecoder(LineDecoder):
    """The client's direction."""

    verbs = COMMANDS
    ordinary = 200  # octets of a line in which no key can be too long
    strict = False  # the server takes any two octets behind a value, and answers with an error

    def verb(self, word: bytes) -> Verb:
        """A command that is not in the table is one all the same: the server answers ERROR."""
        known = len(word) <= 32 and word.isascii() and word.isalnum()
        return Verb(Kind.REQUEST, word.decode("ascii") if known else None, made=Command)

    def block_size(self, line: Line, size: int) -> int:
        """Where the server refuses the line alone, it takes what follows for commands."""
        if size > 2**31 - 3 or len(line.word(1) or b"") > KEY_SIZE:
            return -1
        if line.verb.block == 4:
            flags, time = line.word(2) or b"", (line.word(3) or b"").removeprefix(b"-")
            return size if flags.isdigit() and time.isdigit() else -1
        return size

    def plausible(self, line: bytes) -> bool:
        """Values hold text as well: a line of words that can be printed."""
        return line.isascii() and line.decode("ascii").isprintable()
