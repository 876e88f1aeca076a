"""What the table says of a message: its fields in one version and one direction.

A *layout* is the body of one API key, version and direction; what stands before it is the header of version ``header_version``:

    request     0  key(16) version(16) correlation(32)              ControlledShutdown v0 only
                1  … client id (16-bit length, nullable)            not flexible
                2  … the same, and tagged fields                    flexible: the client id's length is never compact
    response    0  correlation(32)                                  not flexible, and ApiVersions in every version
                1  … and tagged fields                              flexible

Every field has a *role*: one bit that says what it means in whatever message it stands, so that who looks for topics needs no names of
fields. The table is unpacked message by message, on first use.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, final

from mypy_extensions import i64

from .table import TABLE

__all__ = ["Api", "Field", "Layout", "Value", "api", "apis", "consumer_data", "layout", "role_of"]

Value: TypeAlias = "bool | int | float | str | bytes | list[Value] | dict[str, Value] | None"
"""A field's value: a struct is a dict by the definitions' names, an array a list, a uuid its 16 octets."""

API_VERSIONS: Final[i64] = 18
CONTROLLED_SHUTDOWN: Final[i64] = 7

ROLES: Final[tuple[str, ...]] = (
    "topic",
    "topic_id",
    "topic_pattern",
    "partition",
    "group",
    "transactional_id",
    "producer_id",
    "producer_epoch",
    "member_id",
    "instance_id",
    "node_id",
    "host",
    "port",
    "rack",
    "error_code",
    "error_message",
    "records",
    "acks",
    "timeout_ms",
    "max_wait_ms",
    "throttle_ms",
    "leader_epoch",
    "cluster_id",
    "session_id",
    "session_epoch",
    "software_name",
    "software_version",
    "base_offset",
    "offset",
    "high_watermark",
    "api_key",
    "min_version",
    "max_version",
    "key",
    "key_type",
    "resource_name",
    "resource_type",
    "pattern_type",
    "auth_bytes",
    "session_lifetime_ms",
    "mechanism",
    "generation",
    "protocol_type",
    "protocol_name",
    "subscription",
    "assignment",
    "committed",
    "isolation_level",
    "group_state",
    "envelope",
)
"""The roles by their bits: the table's words."""

TOPIC: Final[i64] = 1 << 0
"""A topic's name."""
TOPIC_ID: Final[i64] = 1 << 1
"""A topic's id, 16 octets; all zero where there is none."""
TOPIC_PATTERN: Final[i64] = 1 << 2
"""A regular expression over topics' names."""
PARTITION: Final[i64] = 1 << 3
"""A partition's number, or each of an array of them."""
GROUP: Final[i64] = 1 << 4
"""A group's id: consumer, share or streams group."""
TRANSACTIONAL_ID: Final[i64] = 1 << 5
PRODUCER_ID: Final[i64] = 1 << 6
PRODUCER_EPOCH: Final[i64] = 1 << 7
"""16 bits; 32 in DescribeProducers."""
MEMBER_ID: Final[i64] = 1 << 8
"""A member of a group, also the leader of JoinGroup's answer."""
INSTANCE_ID: Final[i64] = 1 << 9
"""The id of a static member."""
NODE_ID: Final[i64] = 1 << 10
"""A broker's or controller's id wherever one stands: leaders, replicas, controllers, coordinators; -1 and less are no node."""
HOST: Final[i64] = 1 << 11
"""Where a broker or controller listens."""
PORT: Final[i64] = 1 << 12
"""The port that goes with the host: 32 bits, or 16 without a sign."""
RACK: Final[i64] = 1 << 13
ERROR_CODE: Final[i64] = 1 << 14
ERROR_MESSAGE: Final[i64] = 1 << 15
RECORDS: Final[i64] = 1 << 16
"""Record batches."""
ACKS: Final[i64] = 1 << 17
TIMEOUT_MS: Final[i64] = 1 << 18
"""How long the broker may work at it."""
MAX_WAIT_MS: Final[i64] = 1 << 19
"""How long Fetch and ShareFetch wait for records."""
THROTTLE_MS: Final[i64] = 1 << 20
LEADER_EPOCH: Final[i64] = 1 << 21
CLUSTER_ID: Final[i64] = 1 << 22
SESSION_ID: Final[i64] = 1 << 23
"""Of a fetch session."""
SESSION_EPOCH: Final[i64] = 1 << 24
"""Of a fetch session or a share session."""
SOFTWARE_NAME: Final[i64] = 1 << 25
SOFTWARE_VERSION: Final[i64] = 1 << 26
BASE_OFFSET: Final[i64] = 1 << 27
"""Of what was produced."""
OFFSET: Final[i64] = 1 << 28
"""Fetched, committed or found."""
HIGH_WATERMARK: Final[i64] = 1 << 29
API_KEY: Final[i64] = 1 << 30
"""Of an entry of ApiVersions' answer, as the two that follow."""
MIN_VERSION: Final[i64] = 1 << 31
MAX_VERSION: Final[i64] = 1 << 32
KEY: Final[i64] = 1 << 33
"""FindCoordinator's: a group's id, a transactional id or a share partition, as KEY_TYPE says."""
KEY_TYPE: Final[i64] = 1 << 34
"""0 a group, 1 a transaction, 2 a share partition; FindCoordinator v0 has none and means 0."""
RESOURCE_NAME: Final[i64] = 1 << 35
"""Of a configuration or an ACL; what it names, RESOURCE_TYPE says."""
RESOURCE_TYPE: Final[i64] = 1 << 36
PATTERN_TYPE: Final[i64] = 1 << 37
"""How an ACL's RESOURCE_NAME is meant: 3 literally, 4 as a prefix."""
AUTH_BYTES: Final[i64] = 1 << 38
SESSION_LIFETIME_MS: Final[i64] = 1 << 39
MECHANISM: Final[i64] = 1 << 40
"""Of SASL, a name or each of an array of them."""
GENERATION: Final[i64] = 1 << 41
"""Of a classic group, or a member's epoch."""
PROTOCOL_TYPE: Final[i64] = 1 << 42
PROTOCOL_NAME: Final[i64] = 1 << 43
SUBSCRIPTION: Final[i64] = 1 << 44
"""What a member of a classic group says of itself: of protocol type ``consumer``, `consumer_data`."""
ASSIGNMENT: Final[i64] = 1 << 45
"""What a member of a classic group is given."""
COMMITTED: Final[i64] = 1 << 46
"""Whether a transaction ends in a commit."""
ISOLATION_LEVEL: Final[i64] = 1 << 47
GROUP_STATE: Final[i64] = 1 << 48
ENVELOPE: Final[i64] = 1 << 49
"""A whole request or response of another principal, which a broker forwards to the controller."""

EVERY: Final[i64] = (1 << 50) - 1
"""All of them."""

# Types of fields.
BOOL: Final[i64] = 0
INT8: Final[i64] = 1
INT16: Final[i64] = 2
UINT16: Final[i64] = 3
INT32: Final[i64] = 4
INT64: Final[i64] = 5
FLOAT64: Final[i64] = 6
UUID: Final[i64] = 7
STRING: Final[i64] = 8
BYTES: Final[i64] = 9
STRUCT: Final[i64] = 10

_TYPES: Final[dict[str, int]] = {
    "bool": 0,
    "int8": 1,
    "int16": 2,
    "uint16": 3,
    "int32": 4,
    "int64": 5,
    "float64": 6,
    "uuid": 7,
    "string": 8,
    "bytes": 9,
    "records": 9,
    "": 10,
}
SIZES: Final[tuple[int, ...]] = (1, 1, 2, 2, 4, 8, 8, 16, 0, 0, 0)
"""Octets of each type; 0 where they vary."""

_TOKEN: Final = re.compile(
    r"(?P<name>\w+):(?P<array>(?:\[\])?)(?P<type>\w*)(?:@(?P<versions>[\d-]+))?(?P<null>\?[\d-]*)?"
    r"(?:=(?P<default>[\w-]+))?(?:#(?P<tag>\d+))?(?:\*(?P<role>\w+))?"
)


@final
class Field:
    """One field of a layout."""

    def __init__(self, name: str, path: str, kind: i64, array: bool, nullable: bool, tag: i64, role: i64) -> None:
        self.name = name
        """As the definitions have it: ``PartitionIndex``."""
        self.path = path
        """With the names around it: ``Topics.Partitions.PartitionIndex``."""
        self.kind: i64 = kind
        """The type, of an array that of its elements: `INT32`…"""
        self.array = array
        self.nullable = nullable
        self.tag: i64 = tag
        """-1: not a tagged field."""
        self.role: i64 = role
        """One bit; 0: none."""
        self.default: Value = None
        """What is meant where it is not there. Of arrays and structs: None, or an empty one."""
        self.number: i64 = 0
        """Its place in `Layout.all`."""
        self.has: i64 = role
        """Its role and those inside it."""
        self.fields: list[Field] = []
        """Of a struct, or of the structs in an array, in the order of the wire; those with a tag last, by their tags."""
        self.tagged: list[Field] = []
        """Those of `fields` that have a tag."""

    def __repr__(self) -> str:
        return f"<{self.path}>"


@final
class Layout:
    """The body of one API key, version and direction."""

    def __init__(self, of: Api, version: i64, response: bool, flexible: bool) -> None:
        self.api = of
        self.version: i64 = version
        self.response = response
        self.flexible = flexible
        """Whether lengths are compact, and structs end in tagged fields."""
        self.header_version: i64 = _header_version(of.key, version, response, flexible)
        self.root = Field("", "", STRUCT, False, False, -1, 0)
        """The body as a struct."""
        self.all: list[Field] = []
        """All fields, also those inside others, in the order of the wire."""
        self.has: i64 = 0
        """The roles that occur in it."""
        self.programs: list[object] = []
        """What `walk` has made of it: a program for each set of wanted roles."""

    @property
    def fields(self) -> list[Field]:
        """The body's own fields."""
        return self.root.fields

    def __repr__(self) -> str:
        return f"<{self.api.name} {'response' if self.response else 'request'} v{self.version}>"


@final
class Api:
    """One API key."""

    def __init__(self, key: int, name: str, listeners: tuple[str, ...]) -> None:
        self.key = key
        """-1: no API, but what messages carry as bytes."""
        self.name = name
        """``Produce``"""
        self.listeners = listeners
        """Who takes it: ``broker``, ``controller``, ``zkBroker``."""
        self.lowest: int = 0x7FFF
        """The lowest version that the table has, as the next one the highest."""
        self.highest: int = -1
        self.unstable: int = -1
        """A version that is not final and that brokers do not list; -1: none."""
        self.parts: list[list[_Part]] = [[], []]
        """Of requests, and of responses."""

    def __repr__(self) -> str:
        return f"<{self.name} {self.lowest}-{self.highest}>"


@final
class _Part:
    """One paragraph of the table."""

    def __init__(self, low: int, high: int, flexible: int, text: str) -> None:
        self.low = low
        self.high = high
        self.flexible = flexible
        """The first flexible version; -1: none."""
        self.text = text


_apis: dict[int, Api] = {}
_data: dict[str, Api] = {}
_layouts: dict[int, Layout | None] = {}
_consumer: dict[tuple[str, int], Layout | None] = {}


def _load() -> None:
    """Read the first lines of the table's paragraphs."""
    for text in TABLE.split("\n\n"):
        head, _, fields = text.partition("\n")
        words = head.split()
        key = int(words[0])
        low, _, high = words[3].partition("-")
        known = _data.get(words[1]) if key < 0 else _apis.get(key)
        if known is None:
            listeners = () if words[5] == "-" else tuple(words[5].split(","))
            known = Api(key, words[1], listeners)
            if key < 0:
                _data[words[1]] = known
            else:
                _apis[key] = known
        flexible = -1 if words[4] == "none" else int(words[4])
        known.parts[1 if words[2] == "response" else 0].append(_Part(int(low), int(high), flexible, fields))
        known.lowest = min(known.lowest, int(low))
        known.highest = max(known.highest, int(high))
        if len(words) > 6:
            known.unstable = int(high)


def api(key: int) -> Api | None:
    """The API of `key`; None where the table has none."""
    if not _apis:
        _load()
    return _apis.get(key)


def apis() -> list[Api]:
    """Every API, by key."""
    if not _apis:
        _load()
    return list(_apis.values())


def layout(key: i64, version: i64, response: bool) -> Layout | None:
    """The body of requests of `key` and `version`, or of the answers to them; None where the table does not have that."""
    if 0 <= key < _KEYS and 0 <= version < _VERSIONS:
        place = (key * 2 + (1 if response else 0)) * _VERSIONS + version
        made = _made[place]
        if made is not None:
            return made
        made = _look_up(int(key), int(version), response)
        _made[place] = made
        return made
    return _look_up(int(key), int(version), response)


_KEYS: Final[i64] = 128
_VERSIONS: Final[i64] = 32
"""Keys and versions below these have a place of their own; in this version of the table all have."""
_made: Final[list[Layout | None]] = [None] * (128 * 2 * 32)


def _look_up(key: int, version: int, response: bool) -> Layout | None:
    """The same, slowly."""
    if not (0 <= key <= 0x7FFF and 0 <= version <= 0x7FFF):
        return None
    at = (key << 16) | (version << 1) | (1 if response else 0)
    found = _layouts.get(at)
    if found is None:
        if at in _layouts:
            return None
        known = api(key)
        if known is not None:
            found = _make(known, version, response)
        if found is not None or len(_layouts) < _LAYOUTS:
            _layouts[at] = found
    return found


_LAYOUTS: Final = 2048
"""Keys and versions that are remembered: a few more than there are, so that those which do not exist cannot fill the memory."""


def consumer_data(name: str, version: int) -> Layout | None:
    """The layout of ``ConsumerProtocolSubscription`` or ``ConsumerProtocolAssignment``, which stands behind its version (16 bits).

    They are what SUBSCRIPTION and ASSIGNMENT hold where the protocol type is ``consumer``. Newer versions only add: who meets one
    reads it as the highest that there is.
    """
    if not _apis:
        _load()
    found = _consumer.get((name, version))
    if found is None:
        known = _data.get(name)
        if known is not None:
            found = _make(known, version, False)
        if found is not None:
            _consumer[name, version] = found
    return found


def role_of(name: str) -> int:
    """The bit of a role by the table's word."""
    return 1 << ROLES.index(name)


def _header_version(key: int, version: i64, response: bool, flexible: bool) -> i64:
    if response:
        return 1 if flexible and key != API_VERSIONS else 0
    if key == CONTROLLED_SHUTDOWN and version == 0:
        return 0
    return 2 if flexible else 1


def _make(of: Api, version: int, response: bool) -> Layout | None:
    """Unpack one layout."""
    for part in of.parts[1 if response else 0]:
        if part.low <= version <= part.high:
            made = Layout(of, version, response, 0 <= part.flexible <= version)
            _unpack(part.text.split(), version, made)
            return made
    return None


def _unpack(tokens: list[str], version: int, made: Layout) -> None:
    """Fill in the fields that exist in `version`."""
    stack: list[Field] = [made.root]
    field = made.root
    absent = 0
    """How many braces deep what follows is inside of a field that this version does not have."""
    there = True
    for token in tokens:
        if token == "{":
            if absent or not there:
                absent += 1
            else:
                stack.append(field)
        elif token == "}":
            if absent:
                absent -= 1
            else:
                _close(stack.pop(), stack[-1])
        elif not absent:
            parsed = _TOKEN.fullmatch(token)
            if parsed is None:
                raise ValueError(f"not a field: {token}")
            there = _holds(parsed["versions"], version)
            if there:
                around = stack[-1]
                field = _field(parsed, version, around.path)
                around.fields.append(field)
                if not field.fields:
                    around.has |= field.has
    root = made.root
    _arrange(root)
    made.has = root.has
    _number(made)


def _close(field: Field, around: Field) -> None:
    """Finish a struct, which stands in `around`."""
    _arrange(field)
    around.has |= field.has


def _arrange(struct: Field) -> None:
    """Put the tagged fields last, by their tags."""
    struct.tagged = sorted((each for each in struct.fields if each.tag >= 0), key=_tag)
    struct.fields = [each for each in struct.fields if each.tag < 0] + struct.tagged


def _tag(field: Field) -> int:
    return field.tag


def _number(made: Layout) -> None:
    """Give every field its place in `Layout.all`."""
    rest: list[Field] = made.root.fields[::-1]
    while rest:
        field = rest.pop()
        field.number = len(made.all)
        made.all.append(field)
        rest.extend(field.fields[::-1])


def _holds(versions: str | None, version: int) -> bool:
    """Whether a range of the table, which is not said where it is all, has this version."""
    if not versions:
        return True
    low, _, high = versions.partition("-")
    return int(low) <= version and (not high or version <= int(high))


def _field(parsed: re.Match[str], version: int, around: str) -> Field:
    name = parsed["name"]
    null: str | None = parsed["null"]
    nullable = null is not None and _holds(null[1:], version)
    kind = _TYPES[parsed["type"]]
    array = bool(parsed["array"])
    tag: str | None = parsed["tag"]
    role: str | None = parsed["role"]
    made = Field(
        name,
        f"{around}.{name}" if around else name,
        kind,
        array,
        nullable,
        -1 if tag is None else int(tag),
        0 if role is None else role_of(role),
    )
    made.default = _default(parsed["default"], made)
    return made


def _default(text: str | None, field: Field) -> Value:
    kind = field.kind
    if text == "null" and field.nullable:
        return None
    if field.array:
        return []
    if kind == STRUCT:
        return {}
    if kind == BOOL:
        return text == "true"
    if kind == STRING:
        return ""
    if kind == BYTES:
        return b""
    if kind == UUID:
        return bytes(16)
    if kind == FLOAT64:
        return 0.0
    return int(text) if text and text != "null" else 0
