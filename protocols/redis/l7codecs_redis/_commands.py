"""What is known of each Redis command, and which of its arguments are keys.

Arguments are counted as the server counts them: the command's name is argument 0, and for a command
with sub-commands the sub-command's name is argument 1::

    XGROUP CREATE orders workers $          EVAL script 2 k1 k2 arg
    0      1      2=key  3       4          0    1      2 3=key 4=key 5

The generated table (``_table.py``) holds the server's key specifications ("Key specifications", redis.io):
where the search begins (an index, or after a keyword) and how the keys are found from there (a range, or a
count followed by keys). Where these are incomplete the server has a function per command (`getkeys_proc`,
redis/src/db.c); the few needed are written out here. The result is that of `COMMAND GETKEYS` wherever that
answers. Where it refuses (a bad count, arguments missing), the keys that are certain are given.

Where options are given oddly servers differ, and the newest is followed, which names what the command does: of
GEORADIUS … STORE a STORE b it is b that is written (8.10.2; 7.0.15 and 8.2.3 name a, and write b), and in
XREADGROUP COUNT 1 GROUP STREAMS c STREAMS k > it is k that is read (7.0.15 and 8.2.3 take the group for the keyword).

Deviation: a count of keys outside 32 bits is no count. The server cuts it to 32 bits in `COMMAND GETKEYS`
(4294967298 becomes 2), and the command itself then refuses it.

Channels of the publish/subscribe family are not keys. Key patterns (SORT … BY, GET) name keys only once the
server has expanded them, and are not given.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from ._table import COMMANDS, FIND_KEYNUM, FIND_RANGE, KeySpecRow

__all__ = ["CommandSpec", "find_command", "unknown_command"]

# Octets of an unknown command's name that are kept; the longest known name is far shorter.
_NAME_CAP: Final = 64

# Commands whose specifications the server marks as incomplete or unknown, or backs with a function of its own.
_PLAIN: Final = 0
_SORT: Final = 1
_MIGRATE: Final = 2
_XREAD: Final = 3
_GEORADIUS: Final = 4

_SPECIAL: Final[dict[str, int]] = {
    "SORT": _SORT,
    "MIGRATE": _MIGRATE,
    "XREAD": _XREAD,
    "XREADGROUP": _XREAD,
    "GEORADIUS": _GEORADIUS,
    "GEORADIUSBYMEMBER": _GEORADIUS,
}

# SORT_RO has the same unknown specification as SORT, but its only key is its first argument.
_ONE_KEY: Final = frozenset({"SORT_RO"})

_COUNT_CAP: Final = 0x7FFFFFFF


def _is_word(arg: bytes, word: bytes) -> bool:
    """Tell whether `arg` is the upper-case `word` for the server, which compares with strcasecmp.

    That ends at a NUL: "STREAMS" is the same to it as "streams", a NUL and more. A peer could hide keys behind one.
    """
    size: i64 = len(word)
    found: i64 = len(arg)
    if found < size or (found > size and arg[size] != 0):
        return False
    return arg[:size].upper() == word


def _parse_count(arg: bytes) -> i64:
    """Return the number that `arg` begins with, as C's atoi does; 0 for none, -1 for a negative or too large one."""
    size: i64 = len(arg)
    at: i64 = 0
    while at < size and (arg[at] == 0x20 or 0x09 <= arg[at] <= 0x0D):
        at += 1
    negative = False
    if at < size and (arg[at] == 0x2B or arg[at] == 0x2D):
        negative = arg[at] == 0x2D
        at += 1
    count: i64 = 0
    while at < size and 0x30 <= arg[at] <= 0x39:
        count = count * 10 + (arg[at] - 0x30)
        if count > _COUNT_CAP:
            return -1
        at += 1
    return -1 if negative and count > 0 else count


@final
@mypyc_attr(acyclic=True)
class _KeySpec:
    """One key specification: see ``_table.py`` for the meaning of the numbers."""

    def __init__(self, row: KeySpecRow) -> None:
        _flags, keyword, begin, find, a, b, c = row
        self.keyword: bytes = keyword
        self.begin: i64 = begin
        self.find: i64 = find
        self.a: i64 = a
        self.b: i64 = b
        self.c: i64 = c

    def begin_index(self, args: list[bytes]) -> i64:
        """Return the argument where the search begins; 0 when the keyword is not there."""
        if not self.keyword:
            return self.begin
        count: i64 = len(args)
        at: i64 = self.begin
        if at >= 0:
            # The last argument cannot be the keyword: nothing would follow it.
            while at < count - 1:
                if _is_word(args[at], self.keyword):
                    return at + 1
                at += 1
            return 0
        at += count
        while at > 0:
            if _is_word(args[at], self.keyword):
                return at + 1
            at -= 1
        return 0

    def collect(self, args: list[bytes], found: list[int]) -> None:
        """Append the indices of the keys to `found`: none where the server finds the specification invalid.

        A range with a fixed last key that runs past the end gives the keys that are there.
        """
        count: i64 = len(args)
        first: i64 = self.begin_index(args)
        if first <= 0 or first >= count:
            return
        last: i64 = 0
        step: i64 = 1
        if self.find == FIND_RANGE:
            step = self.b
            if self.a >= 0:
                last = min(first + self.a, count - 1)
            elif self.c > 1:
                last = first + (count - first) // self.c + self.a
            else:
                last = count + self.a
        elif self.find == FIND_KEYNUM:
            if first + self.a >= count:
                return
            step = self.c
            keys: i64 = _parse_count(args[first + self.a])
            first += self.b
            # Compared without a product, so that nothing is computed from a count that cannot be right.
            if keys <= 0 or step < 1 or first >= count or keys - 1 > (count - 1 - first) // step:
                return
            last = first + (keys - 1) * step
        else:
            return
        if step < 1 or last < first:
            return
        while first <= last:
            found.append(int(first))
            first += step


_NO_SPECS: Final[tuple[_KeySpec, ...]] = ()


@final
@mypyc_attr(acyclic=True)
class CommandSpec:
    """A command or sub-command: its access, and where its keys stand."""

    def __init__(
        self, name: str, arity: int, access: str, group: str, known: bool, specs: tuple[_KeySpec, ...]
    ) -> None:
        self.name: str = name  # upper case; "XGROUP CREATE" for a sub-command
        self.arity: i64 = arity  # arguments, name included; negative: at least so many; 0 when unknown
        self.access: str = access  # "read", "write", "admin" or "unknown"
        self.group: str = group  # the server's documentation group, such as "string"; "" when unknown
        self.known: bool = known
        self.first_key: i64 = 0  # argument index of the first key where that is fixed, otherwise 0
        self.single_key: bool = False  # that argument, if present, is the only key whatever follows
        self.key_index: i64 = -1  # where the only key stands; -1 where that is not fixed, or there may be more
        self.key_step: i64 = (
            0  # more than 0: the first key and each that many arguments behind, to the last, are the keys
        )
        self.operation: str | None = name if name else None
        self.has_subcommands: bool = False
        self.effect: i64 = 0  # what the command does to the connection; this and the next two are set by `_state.py`
        self.pins: str | None = None  # why it ties what follows to its connection, outside of a transaction
        self.blocks: i64 = 0  # whether its answer may wait for others: NEVER, ALWAYS, or with a BLOCK option
        self._specs = specs
        self._special: i64 = _SPECIAL.get(name, _PLAIN)
        self._subcommands: dict[bytes, CommandSpec] | None = None
        if specs and not specs[0].keyword and (specs[0].find == FIND_RANGE or name in _ONE_KEY):
            self.first_key = specs[0].begin
            fixed = len(specs) == 1 and specs[0].a == 0 and self._special == _PLAIN
            self.single_key = fixed or name in _ONE_KEY
            ordinary = len(specs) == 1 and specs[0].find == FIND_RANGE and self._special == _PLAIN
            if ordinary and not self.single_key and specs[0].a == -1 and specs[0].c <= 1 and self.first_key > 0:
                self.key_step = specs[0].b
        if self._special == _MIGRATE:
            self.first_key = 0
        if self.single_key:
            self.key_index = self.first_key

    def __repr__(self) -> str:
        return f"CommandSpec({self.name!r}, access={self.access!r})"

    def add_subcommand(self, word: bytes, spec: CommandSpec) -> None:
        """Make `spec` known under `word` in upper and lower case."""
        if self._subcommands is None:
            self._subcommands = {}
            self.has_subcommands = True
        self._subcommands[word.upper()] = spec
        self._subcommands[word.lower()] = spec

    def subcommand(self, arg: bytes) -> CommandSpec | None:
        """Return the sub-command that the argument after the name selects; None when there is none such."""
        if self._subcommands is None:
            return None
        return _look_up(self._subcommands, arg)

    def key_indices(self, args: list[bytes]) -> list[int]:
        """Return the indices in `args` of all keys, ascending; `args[0]` is the command's name.

        Never raises, whatever the arguments; takes time linear in their number, and no count that
        they hold is trusted beyond it. A command with sub-commands answers for the one selected.
        """
        if self.single_key:
            return [int(self.first_key)] if self.first_key < len(args) else []
        if self._subcommands is not None and len(args) > 1:
            selected = self.subcommand(args[1])
            if selected is not None:
                return selected.key_indices(args)
        if self._special == _SORT:
            return _sort_keys(args)
        if self._special == _MIGRATE:
            return _migrate_keys(args)
        if self._special == _XREAD:
            return _xread_keys(args)
        if self._special == _GEORADIUS:
            return _georadius_keys(args, self._specs[1].begin)
        found: list[int] = []
        for spec in self._specs:
            spec.collect(args, found)
        if len(self._specs) > 1:
            return sorted(set(found))
        return found


def _sort_keys(args: list[bytes]) -> list[int]:
    """Return the keys of SORT: the first argument, and what follows the last STORE (`sortGetKeys`)."""
    count: i64 = len(args)
    if count < 2:
        return []
    store: i64 = 0
    at: i64 = 2
    while at < count:
        if _is_word(args[at], b"LIMIT"):
            at += 2
        elif _is_word(args[at], b"GET") or _is_word(args[at], b"BY"):
            at += 1
        elif at + 1 < count and _is_word(args[at], b"STORE"):
            store = at + 1  # looked at again as an option, as the server does: STORE STORE x stores to x
        at += 1
    return [1] if store == 0 else [1, int(store)]


def _migrate_keys(args: list[bytes]) -> list[int]:
    """Return the keys of MIGRATE: the third argument, or if empty, all that follow KEYS (`migrateGetKeys`)."""
    count: i64 = len(args)
    if count < 4:
        return []
    at: i64 = 6
    # KEYS as the last argument has nothing to name, and does not count.
    while at < count - 1:
        if _is_word(args[at], b"KEYS"):
            if args[3]:
                return []  # "the key argument must be set to the empty string": the server refuses
            return [int(index) for index in range(at + 1, count)]
        if _is_word(args[at], b"AUTH2"):
            at += 2
        elif _is_word(args[at], b"AUTH"):
            at += 1
        at += 1
    return [3]


def _georadius_keys(args: list[bytes], begin: i64) -> list[int]:
    """Return the keys of GEORADIUS (BYMEMBER): the first argument, and what follows the last STORE or STOREDIST.

    They are looked for from argument 5 on (`georadiusGetKeys`), once the specification has found one from `begin` on.
    """
    count: i64 = len(args)
    if count < 2:
        return []
    store: i64 = 0
    at: i64 = begin
    while at < count - 1 and not (_is_word(args[at], b"STORE") or _is_word(args[at], b"STOREDIST")):
        at += 1
    if at < count - 1:
        at = 5
    while at < count - 1:
        if _is_word(args[at], b"STORE") or _is_word(args[at], b"STOREDIST"):
            at += 1
            store = at
        at += 1
    return [1] if store == 0 else [1, int(store)]


def _xread_keys(args: list[bytes]) -> list[int]:
    """Return the keys of XREAD and XREADGROUP: the first half of what follows STREAMS, options passed over (`xreadGetKeys`)."""
    count: i64 = len(args)
    at: i64 = 1
    while at < count:
        if _is_word(args[at], b"STREAMS"):
            rest: i64 = count - at - 1
            if rest % 2 != 0:
                return []
            return [int(index) for index in range(at + 1, at + 1 + rest // 2)]
        if _is_word(args[at], b"BLOCK") or _is_word(args[at], b"COUNT"):
            at += 1
        elif _is_word(args[at], b"GROUP"):
            at += 2
        elif not _is_word(args[at], b"NOACK"):
            return []
        at += 1
    return []


def _look_up(specs: dict[bytes, CommandSpec], name: bytes) -> CommandSpec | None:
    """Return the spec under `name` in any case; a name longer than any known one is not even copied."""
    spec = specs.get(name)
    if spec is None and len(name) <= _NAME_CAP:
        spec = specs.get(name.upper())
    return spec


def _build_commands() -> dict[bytes, CommandSpec]:
    """Return the commands of the generated table by name, in upper and lower case."""
    commands: dict[bytes, CommandSpec] = {}
    for name, arity, access, group, _since, _flags, rows in COMMANDS:
        # Channels are described as keys that are "not_key"; `COMMAND GETKEYS` leaves them out too.
        keys = [_KeySpec(row) for row in rows if "not_key" not in row[0]]
        spec = CommandSpec(name, arity, access, group, True, tuple(keys) if keys else _NO_SPECS)
        container, _, word = name.partition(" ")
        if word:
            # Rows are sorted: a command stands before its sub-commands.
            commands[container.encode("ascii")].add_subcommand(word.encode("ascii"), spec)
        else:
            commands[name.encode("ascii")] = spec
            commands[name.lower().encode("ascii")] = spec
    return commands


_COMMANDS: Final = _build_commands()


def find_command(name: bytes) -> CommandSpec | None:
    """Return the command of that name, in any case; None when the table has none such."""
    return _look_up(_COMMANDS, name)


_HTTP: Final = (b"POST", b"HOST:")
"""What looks like HTTP to the server, which then closes the connection without an answer (`securityWarningCommand`, redis/src/server.c)."""


def unknown_command(name: bytes) -> CommandSpec:
    """Return a new spec for a command that the table does not have.

    Its name is the first 64 octets in upper case; all but printable ASCII, the space (which would make one
    word look like a sub-command) and the backslash are backslash-escaped. It is stored nowhere: a peer that
    invents names must not make us remember them.
    """
    kept = name[:_NAME_CAP].upper()
    if not kept.isalnum():
        parts: list[str] = []
        for octet in kept:
            if octet == 0x5C:
                parts.append("\\\\")
            elif 0x20 < octet < 0x7F:
                parts.append(chr(octet))
            else:
                parts.append(f"\\x{octet:02x}")
        spec = CommandSpec("".join(parts), 0, "unknown", "", False, _NO_SPECS)
    else:
        spec = CommandSpec(kept.decode("ascii"), 0, "unknown", "", False, _NO_SPECS)
    if kept in _HTTP:
        spec.pins = "end"
    return spec
