"""Changes to a message on its way: another list of fields, which every peer takes.

What HTTP/2 cannot say is refused, before anything is written: `checks` knows what each part may be, and what has come out is looked at as a
peer would (`find_fault`).
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from l7codecs import Changes, Unsupported

from .._hpack.block import block_of
from .._hpack.static_table import HeaderField, header_field, well_known
from .._semantics.malformed import find_fault
from .._semantics.meaning import digits
from .._semantics.messages import INTERIM, PROMISE, REQUEST, RESPONSE, TRAILERS, Http2Message
from .._semantics.names import AUTHORITY, HOST, METHOD, PATH, SCHEME
from .._semantics.spoken import CONNECT, HTTP
from .checks import check_method, check_name, check_path, check_query, check_scheme, check_value, text_octets

__all__ = ["CHANGEABLE", "changed_fields"]

CHANGEABLE: Final = frozenset({"http.request.method", "url.path", "url.query", "url.scheme", "rpc.method"})

_CONTENT_LENGTH: Final = well_known("content-length")
_OTHER_ANSWERS: Final = (b"HEAD", b"CONNECT")
"""Methods whose answers are read in another way than those of all others."""


def changed_fields(message: Http2Message, changes: Changes | None, limit: i64) -> list[HeaderField]:
    """The fields of `message` with `changes`; everything else in its order and as it is.

    Raises Unsupported or ValueError where that cannot be, also where the list would have more octets than the peer takes, `limit`; -1 is no
    limit.
    """
    if not message.block.known:
        raise Unsupported("a message with fields that are not known cannot be sent on another connection")
    fields = message.block.fields
    if changes is None:
        return fields
    other = [str(key) for key in cast("dict[object, object]", changes.attributes) if key not in CHANGEABLE]
    if other or (changes.attributes and message.role != REQUEST and message.role != PROMISE):
        raise Unsupported(
            f"{message.protocol} cannot change {', '.join(sorted(other or changes.attributes))} of this message"
        )
    pseudo = _pseudo(message, changes)
    named = _named(message, changes)
    removed = {check_name(name, message) for name in cast("tuple[object, ...]", changes.remove_headers)}
    if message.malformed is not None:
        return fields  # they are not written
    given = [*changes.attributes, *named]
    found: list[HeaderField] = []
    for field in fields:
        name = field.name
        if name in pseudo:
            found.append(header_field(name, pseudo[name], field.sensitive))
        elif name in named:
            found.append(header_field(name, named.pop(name), field.sensitive))
            removed.add(name)
        elif name not in removed:
            found.append(field)
    for name, value in named.items():
        found.append(header_field(name, value))
        removed.add(name)
    _check(message, found, ", ".join(given) or "what is left", limit)
    if "host" in removed:
        _check_host(found)
    return found


def _check_host(fields: list[HeaderField]) -> None:
    """Raise ValueError where host, which has been set or removed, leaves a request without a host or with two (RFC 9113 §8.3.1)."""
    block = block_of(fields)
    host, authority, scheme = block.get(HOST), block.get(AUTHORITY), block.get(SCHEME)
    if host is None:
        if authority is None and scheme is not None and scheme.value in (b"http", b"https"):
            raise ValueError("host cannot be removed: the request has no :authority")
    elif authority is not None and authority.value != host.value:
        raise ValueError(f"host {host.value!r} contradicts :authority {authority.value!r}")


def _check(message: Http2Message, fields: list[HeaderField], given: str, limit: i64) -> None:
    """Raise ValueError where `fields`, which `message` has with the attributes and headers `given`, would be refused."""
    block = block_of(fields)
    if limit >= 0 and block.size > limit:
        raise ValueError(
            f"{given} would make a header list of {block.size} octets, and the peer takes {limit} (SETTINGS_MAX_HEADER_LIST_SIZE)"
        )
    changed = Http2Message(
        message.flow, message.sender, message.kind, 0, b"", 0, 0, message.more, message.request, i64(message.stream),
        message.role, message.speaks, block,
    )  # fmt: skip
    fault = find_fault(changed, message.role != INTERIM and not message.more)
    if fault is not None:
        raise ValueError(f"{given} would make the message malformed: {fault}")


def _named(message: Http2Message, changes: Changes) -> dict[str, bytes]:
    """The headers that are set, by their names in lower case."""
    found: dict[str, bytes] = {}
    for given, value in cast(
        "dict[object, object]", changes.set_headers
    ).items():  # compiled, other types are a TypeError
        name = check_name(given, message)
        if name in found:
            raise ValueError(f"{name} is given twice, and its case means nothing")
        found[name] = check_value(name, value, message)
        if name == "content-length":
            _check_length(message, found[name])
    return found


def _check_length(message: Http2Message, value: bytes) -> None:
    """Raise ValueError where content-length would contradict the body, which is passed on as it comes (RFC 9110 §8.6)."""
    length = digits(value)
    if length < 0:
        raise ValueError(f"content-length is a number of up to 18 digits, not {value[:40]!r} (RFC 9110 §8.6)")
    role = message.role
    code = message.status_code
    asked = message if role == REQUEST else message.request
    method = asked.method if isinstance(asked, Http2Message) else None
    if role == TRAILERS or role == INTERIM or code == 204:
        raise ValueError("content-length does not stand in trailers, nor in an answer 1xx or 204 (RFC 9110 §8.6)")
    if method == "CONNECT" and (code is None or 200 <= code < 300):
        raise ValueError("content-length does not stand where CONNECT makes a tunnel (RFC 9110 §9.3.6)")
    if role == RESPONSE and (method == "HEAD" or code == 304):
        return  # it tells of another answer
    known = message.block.get(_CONTENT_LENGTH)
    if known is not None and digits(known.value) == length:
        return
    if message.more:
        raise ValueError("content-length says how long the body is, which changes do not touch; it can be removed")
    if length != 0:
        raise ValueError(f"content-length {length} contradicts the message, which has no body (RFC 9113 §8.1.1)")


def _pseudo(message: Http2Message, changes: Changes) -> dict[str, bytes]:
    """The pseudo-headers that change."""
    found: dict[str, bytes] = {}
    if not changes.attributes:
        return found
    field = message.block.get(PATH)
    path, mark, query = (b"" if field is None else field.value).partition(b"?")
    known = message.block.get(METHOD)
    method = b"" if known is None else known.value
    for key, value in cast("dict[str, object]", changes.attributes).items():
        octets = text_octets(key, value)
        if key == "http.request.method":
            check_method(octets)
            if octets != method and (octets in _OTHER_ANSWERS or method in _OTHER_ANSWERS):
                raise Unsupported(
                    f"http.request.method cannot change from {method.decode('latin-1')} to {value!r}: their answers have other forms"
                )
            if octets != method and message.speaks != HTTP:
                raise Unsupported(
                    f"http.request.method cannot change in a call of {message.protocol}, which prescribes it"
                )
            found[":method"] = octets
        elif key == "url.scheme":
            if message.block.get(SCHEME) is None:
                raise Unsupported("url.scheme cannot change: this request has no scheme")
            check_scheme(octets)
            found[":scheme"] = octets
        elif field is None:
            raise Unsupported(f"{key} cannot change: this request has no path")
        elif key == "url.query":
            check_query(octets)
            query, mark = octets, b"?" if octets else b""
        elif key == "url.path":
            check_path(key, octets)
            path = octets
        else:
            path = _rpc_path(message, octets)
            if "url.path" in changes.attributes:
                raise ValueError("rpc.method and url.path are the same part of the request")
            if message.speaks != CONNECT and "url.query" not in changes.attributes:
                query, mark = b"", b""  # of gRPC all of the path is the method's name
        if key != "http.request.method" and key != "url.scheme":
            found[":path"] = path + mark + query
    return found


def _rpc_path(message: Http2Message, octets: bytes) -> bytes:
    """The path of the method ``package.Service/Method``."""
    if message.speaks == HTTP:
        raise Unsupported("rpc.method is changed in an RPC only")
    check_path("rpc.method", octets)
    service, slash, name = octets.rpartition(b"/")
    if not slash or not name or not service or service.startswith(b"/"):
        raise ValueError(f"rpc.method is package.Service/Method, not {octets[:60]!r}")
    return b"/" + octets
