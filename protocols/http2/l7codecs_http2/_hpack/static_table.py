"""Names, fields, and the static table of HPACK. RFC 7541 §2.3.1 and Appendix A.

A name that is met on every connection is one object, made here, whatever form it has on the wire. What RFC 9113 §8 says of names is
worked out once for each object and is a few bits of it (`NAME_BAD`, `PSEUDO`, …); the decoder ORs the bits of a block's fields, so that a
block with nothing wrong is told by one comparison.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

__all__ = [
    "AGAIN",
    "CONNECTION",
    "FIELD_OVERHEAD",
    "FIRST_MARK",
    "INDEX",
    "LATE_PSEUDO",
    "NAME_BAD",
    "NO_FIELD",
    "NO_NAME",
    "OTHER_PSEUDO",
    "PSEUDO",
    "REGULAR",
    "REPEATED",
    "SENSITIVE",
    "STATIC_COUNT",
    "STATIC_FIELDS",
    "TRIPLE",
    "UNKNOWN_NAME",
    "UNKNOWN_VALUE",
    "VALUE_BAD",
    "WAIT",
    "HeaderField",
    "HeaderName",
    "header_field",
    "header_name",
    "static_field",
    "well_known",
]

FIELD_OVERHEAD: Final[i64] = 32
"""Octets that a field counts beside its name and value (RFC 7541 §4.1)."""

# Bits of a name, of a field, and ORed of a block.
PSEUDO: Final[i64] = 0x001
"""The name begins with a colon."""
REGULAR: Final[i64] = 0x002
"""It does not."""
NAME_BAD: Final[i64] = 0x004
"""The name is empty, or has an octet that RFC 9113 §8.2.1 forbids: a control, space, upper case, 0x7F and above, a colon inside."""
VALUE_BAD: Final[i64] = 0x008
"""The value holds NUL, CR or LF, or begins or ends with space or tab (RFC 9113 §8.2.1)."""
CONNECTION: Final[i64] = 0x010
"""A field of HTTP/1.1 connections, which HTTP/2 forbids (RFC 9113 §8.2.2)."""
SENSITIVE: Final[i64] = 0x020
"""Never to be indexed, by any hop (RFC 7541 §6.2.3)."""
UNKNOWN_NAME: Final[i64] = 0x040
"""The name refers to an entry from before the decoder joined."""
UNKNOWN_VALUE: Final[i64] = 0x080
"""So does the value."""
LATE_PSEUDO: Final[i64] = 0x100
"""Of a block: a pseudo-header behind a regular field (RFC 9113 §8.3)."""
REPEATED: Final[i64] = 0x200
"""Of a block: a pseudo-header of RFC 9113 or RFC 8441 twice (§8.3)."""
TRIPLE: Final[i64] = 0x400
"""The name begins with "tri-": metadata of Triple."""
OTHER_PSEUDO: Final[i64] = 0x800
"""The name begins with a colon, and is none of RFC 9113 §8.3 and RFC 8441 §4."""
AGAIN: Final[i64] = 0x1000
"""Of a block: one of the names with a bit of their own comes twice."""
FIRST_MARK: Final[i64] = 0x2000
"""The bits from here on are those of names."""

# How the encoder represents a field of that name (`HeaderName.policy`).
INDEX: Final[i64] = 0
"""Into the dynamic table, until it turns out that values hardly repeat."""
WAIT: Final[i64] = 1
"""Into the dynamic table when the same value comes again, until it turns out that values mostly do."""
SECRET: Final[i64] = 2
"""Never indexed: knowing it is worth an attack on the compression (RFC 7541 §7.1.3)."""
SHORT_SECRET: Final[i64] = 3
"""Never indexed if the value is short enough to be guessed."""


@final
@mypyc_attr(acyclic=True)
class HeaderName:
    """One name. `text` is `octets` as Latin-1, which maps every octet to the character of the same number."""

    def __init__(self, octets: bytes, text: str, flags: i64, place: i64, policy: i64) -> None:
        self.octets = octets
        self.text = text
        self.flags = flags
        """Bits, among them one of its own for each name of `well_known`."""
        self.place = place
        """Of the nine names whose first place `HeaderBlock` keeps: which bits hold it. Otherwise -1."""
        self.policy = policy
        self.weight: i64 = len(octets) + FIELD_OVERHEAD
        """Octets that a field of that name counts beside its value (RFC 7541 §4.1)."""
        self.index: i64 = 0
        """The first index of the name in the static table, or 0."""
        self.misses: i64 = 0
        """Values of that name in a row that the cache of literals did not have."""

    def __repr__(self) -> str:
        return f"HeaderName({self.octets!r})"


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class HeaderField:
    """One field: a name, a value, and what is known of them. Shared between blocks, never changed.

    An entry that was inserted before the decoder joined has an empty name and an empty value, and is not `known`.
    """

    def __init__(self, title: HeaderName, value: bytes, flags: i64) -> None:
        self.title = title
        self.value = value
        self.flags = flags
        """The bits of the name, and those of the value."""

    @property
    def size(self) -> i64:
        """Octets that the field counts in a table and in a header list (RFC 7541 §4.1)."""
        return self.title.weight + len(self.value)

    @property
    def name(self) -> str:
        """The name as Latin-1; empty if it is not known."""
        return self.title.text

    @property
    def sensitive(self) -> bool:
        """Whether the peer marked it as never to be indexed."""
        return self.flags & SENSITIVE != 0

    @property
    def known(self) -> bool:
        """Whether both name and value are known."""
        return self.flags & (UNKNOWN_NAME | UNKNOWN_VALUE) == 0

    @property
    def name_known(self) -> bool:
        """Whether the name is known; the value may not be."""
        return self.flags & UNKNOWN_NAME == 0

    @property
    def value_known(self) -> bool:
        """Whether the value is known; the name may not be."""
        return self.flags & UNKNOWN_VALUE == 0

    def __repr__(self) -> str:
        name = repr(self.title.text) if not self.flags & UNKNOWN_NAME else "<unknown>"
        value = repr(self.value) if not self.flags & UNKNOWN_VALUE else "<unknown>"
        return f"HeaderField({name}, {value}{', sensitive' if self.sensitive else ''})"


def _name_flags(octets: bytes) -> i64:
    """What RFC 9113 §8.2 and §8.3 say of a name."""
    flags: i64 = REGULAR
    size: i64 = len(octets)
    at: i64 = 0
    if size > 0 and octets[0] == 0x3A:
        flags = PSEUDO | OTHER_PSEUDO
        at = 1
    if at == size:
        flags |= NAME_BAD
    if octets.startswith(b"tri-"):
        flags |= TRIPLE
    while at < size:
        octet: i64 = octets[at]
        if octet <= 0x20 or octet >= 0x7F or 0x41 <= octet <= 0x5A or octet == 0x3A:
            return flags | NAME_BAD
        at += 1
    return flags


# RFC 7541 Appendix A: in each line the name, and the value if it is not empty. (Text, because a tuple of tuples is a very long
# function in C.)
_STATIC: Final = """
    :authority
    :method GET
    :method POST
    :path /
    :path /index.html
    :scheme http
    :scheme https
    :status 200
    :status 204
    :status 206
    :status 304
    :status 400
    :status 404
    :status 500
    accept-charset
    accept-encoding gzip, deflate
    accept-language
    accept-ranges
    accept
    access-control-allow-origin
    age
    allow
    authorization
    cache-control
    content-disposition
    content-encoding
    content-language
    content-length
    content-location
    content-range
    content-type
    cookie
    date
    etag
    expect
    expires
    from
    host
    if-match
    if-modified-since
    if-none-match
    if-range
    if-unmodified-since
    last-modified
    link
    location
    max-forwards
    proxy-authenticate
    proxy-authorization
    range
    referer
    refresh
    retry-after
    server
    set-cookie
    strict-transport-security
    transfer-encoding
    user-agent
    vary
    via
    www-authenticate
"""
STATIC_COUNT: Final[i64] = 61

# The names whose first place a block keeps, 7 bits each.
_PLACED: Final = """
    :method :scheme :authority :path :status :protocol content-type content-length grpc-status
"""
# Further names with a bit of their own, so that a block without them is told at once.
_MARKED: Final = """
    te host cookie expect trailer user-agent content-encoding http2-settings connection proxy-connection keep-alive
    transfer-encoding upgrade priority grpc-timeout grpc-message grpc-encoding grpc-accept-encoding
    grpc-status-details-bin tri-service-version tri-service-group tri-consumer-appname tri-req-id tri-unit-info
    tri-exception-code traceparent tracestate x-request-id
"""
# Further names that are one object.
_PLAIN: Final = """
    grpc-previous-rpc-attempts grpc-retry-pushback-ms grpc-tags-bin grpc-trace-bin origin baggage b3 x-b3-traceid
    x-b3-spanid x-b3-parentspanid x-b3-sampled x-forwarded-for x-forwarded-proto x-forwarded-host
    x-envoy-upstream-service-time content-security-policy upgrade-insecure-requests
"""
_CONNECTION: Final = "connection proxy-connection keep-alive transfer-encoding upgrade"

# What the encoder does with them; any other name is `INDEX`.
_WAITING: Final = """
    :path age content-length content-range etag if-modified-since if-none-match location set-cookie
    grpc-timeout grpc-message grpc-status-details-bin grpc-trace-bin grpc-tags-bin tri-req-id
    traceparent tracestate baggage b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-request-id x-envoy-upstream-service-time
"""
_SECRET: Final = "authorization proxy-authorization"
_SHORT_SECRET: Final = "cookie"


def _static_rows() -> list[tuple[bytes, bytes]]:
    """Name and value of each entry."""
    rows: list[tuple[bytes, bytes]] = []
    for line in _STATIC.encode("ascii").strip().splitlines():
        name, _, value = line.strip().partition(b" ")
        rows.append((name, value))
    return rows


def _names() -> dict[bytes, HeaderName]:
    names: dict[bytes, HeaderName] = {}
    rows = _static_rows()
    connection = _CONNECTION.split()
    placed = _PLACED.split()
    marked = placed + _MARKED.split()
    plain = [name.decode("ascii") for name, _ in rows] + _PLAIN.split()
    mark: i64 = FIRST_MARK
    place: i64 = 0
    for number, name in enumerate(marked + plain):
        octets = name.encode("ascii")
        if octets in names:
            continue
        flags = _name_flags(octets)
        if name in connection:
            flags |= CONNECTION
        title = HeaderName(octets, name, flags, -1, INDEX)
        if number < len(marked):
            title.flags |= mark
            mark <<= 1
        if number < len(placed):
            title.flags &= ~OTHER_PSEUDO
            title.place = place
            place += 7
        names[octets] = title
    for policy, listed in ((WAIT, _WAITING), (SECRET, _SECRET), (SHORT_SECRET, _SHORT_SECRET)):
        for name in listed.split():
            names[name.encode("ascii")].policy = policy
    for number, (octets, _) in enumerate(rows):
        if names[octets].index == 0:
            names[octets].index = number + 1
    return names


_NAMES: Final = _names()
"""Fixed: what peers send is never added."""

NO_NAME: Final = HeaderName(b"", "", UNKNOWN_NAME, -1, 0)
"""The name of an entry from before the decoder joined."""
NO_FIELD: Final = HeaderField(NO_NAME, b"", UNKNOWN_NAME | UNKNOWN_VALUE)
"""An entry from before the decoder joined. Its size is the least that it can be."""


def header_name(octets: bytes) -> HeaderName:
    """The object for a name: the one that there is, or a new one."""
    found = _NAMES.get(octets)
    if found is not None:
        return found
    return HeaderName(octets, octets.decode("latin-1"), _name_flags(octets), -1, 0)


def well_known(name: str) -> HeaderName:
    """The one object for a name of the static table or of the lists here. Raises KeyError for any other."""
    return _NAMES[name.encode("latin-1")]


def value_flags(value: bytes) -> i64:
    """`VALUE_BAD`, or 0."""
    size: i64 = len(value)
    if size == 0:
        return 0
    octet: i64 = value[0]
    last: i64 = value[size - 1]
    if octet == 0x20 or octet == 0x09 or last == 0x20 or last == 0x09:
        return VALUE_BAD
    at: i64 = 0
    while at < size:
        octet = value[at]
        if octet <= 0x0D and (octet == 0 or octet == 0x0A or octet == 0x0D):
            return VALUE_BAD
        at += 1
    return 0


def header_field(name: str | bytes, value: bytes, sensitive: bool = False) -> HeaderField:
    """A field to encode. A `name` of type str is Latin-1; raises UnicodeEncodeError if it is not."""
    title = header_name(name.encode("latin-1") if isinstance(name, str) else name)
    flags = title.flags | value_flags(value)
    if sensitive:
        flags |= SENSITIVE
    return HeaderField(title, value, flags)


def _static_fields() -> list[HeaderField]:
    fields = [NO_FIELD]
    for name, value in _static_rows():
        fields.append(header_field(name, value))
    return fields


STATIC_FIELDS: Final = _static_fields()
"""By index; index 0 does not exist."""


def static_field(name: str, value: bytes) -> HeaderField:
    """The entry with that name and value. Raises ValueError where there is none."""
    for field in STATIC_FIELDS[1:]:
        if field.title.text == name and field.value == value:
            return field
    raise ValueError(f"no entry {name} {value!r}")
