"""What all encodings have in common: kinds of messages, types of values, a message's head.

The numbers are those of the binary protocol; the other encodings translate theirs. Source: `TMessageType`, `TType`, Apache Thrift 0.25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

from mypy_extensions import i64

from .names import Name

if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "BOOL",
    "CALL",
    "DOUBLE",
    "EXCEPTION",
    "I8",
    "I16",
    "I32",
    "I64",
    "LIST",
    "MAP",
    "ONEWAY",
    "REPLY",
    "SET",
    "STOP",
    "STRING",
    "STRUCT",
    "TYPE_NAMES",
    "UUID_TYPE",
    "Field",
    "Head",
    "Value",
]

CALL: Final[i64] = 1
REPLY: Final[i64] = 2
EXCEPTION: Final[i64] = 3
ONEWAY: Final[i64] = 4

STOP: Final[i64] = 0
BOOL: Final[i64] = 2
I8: Final[i64] = 3
DOUBLE: Final[i64] = 4
I16: Final[i64] = 6
I32: Final[i64] = 8
I64: Final[i64] = 10
STRING: Final[i64] = 11
STRUCT: Final[i64] = 12
MAP: Final[i64] = 13
SET: Final[i64] = 14
LIST: Final[i64] = 15
UUID_TYPE: Final[i64] = 16

TYPE_NAMES: Final[dict[int, str]] = {
    2: "bool", 3: "i8", 4: "double", 6: "i16", 8: "i32", 10: "i64", 11: "string", 12: "struct", 13: "map", 14: "set",
    15: "list", 16: "uuid",
}  # fmt: skip

Value: TypeAlias = (
    "bool | int | float | str | bytes | UUID | list[Value] | list[tuple[Value, Value]] | dict[Value, Value] | None"
)
"""One value without an IDL.

    bool, i8 to i64, double    bool, int, float
    string, binary             str where it is UTF-8, else bytes: the wire does not tell which it is
    uuid                       uuid.UUID
    list, set                  list
    map                        dict; a list of pairs where its keys are not different scalars
    struct                     dict by field id, an int; by name in thriftpy2's own JSON
"""


@final
class Head:
    """What stands before a message's body. Offsets count in the octets that it was read from.

    The message begins at `at`, its body at `body`. The name's own octets, without length or quotes, are ``name_at`` to ``name_stop``.
    `stop` is where the message ends, if its head says so; else -1. `strict` is False in the old binary encoding, which has no version.
    """

    def __init__(
        self,
        kind: i64,
        named: Name,
        seqid: i64,
        at: i64,
        body: i64,
        name_at: i64,
        name_stop: i64,
        seqid_at: i64,
        seqid_stop: i64,
        kind_at: i64,
        strict: bool = True,
        stop: i64 = -1,
    ) -> None:
        self.kind: i64 = kind
        """`CALL`, `REPLY`, `EXCEPTION` or `ONEWAY`."""
        self.named = named
        self.seqid: i64 = seqid
        """Signed, 32 bits."""
        self.at: i64 = at
        self.body: i64 = body
        self.name_at: i64 = name_at
        self.name_stop: i64 = name_stop
        self.seqid_at: i64 = seqid_at
        self.seqid_stop: i64 = seqid_stop
        self.kind_at: i64 = kind_at
        self.strict = strict
        self.stop: i64 = stop

    @property
    def name(self) -> str:
        """As it stands on the wire, with a multiplexed service; what is no UTF-8 in it is U+FFFD."""
        return self.named.text

    def __repr__(self) -> str:
        return f"<Head {self.kind} {self.name!r} {self.seqid} at {self.at}, body at {self.body}>"


@final
class Field:
    """The first field of a struct: its id, its type, where its value begins. `name` is None but in thriftpy2's own JSON.

    There a declared exception has its name only, and the id 1.
    """

    def __init__(self, id: i64, type: i64, at: i64, name: str | None = None) -> None:
        self.id: i64 = id
        self.type: i64 = type
        self.at: i64 = at
        self.name = name

    def __repr__(self) -> str:
        return f"Field({self.id}, {self.type}, {self.at}, {self.name!r})"
