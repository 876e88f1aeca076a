"""What may stand in a header block that is written for somebody. RFC 9110 §5; RFC 9113 §8.2, §8.3; gRPC over HTTP/2, "Requests".

What a caller gives may come from a peer: octets that the next hop reads in another way are how requests are smuggled. So this is stricter
than what is told of received messages as malformed.
"""

from __future__ import annotations

import re
from typing import Final

from l7codecs import Unsupported

from .._hpack.static_table import CONNECTION, header_name
from .._semantics.messages import Http2Message
from .._semantics.spoken import HTTP, TRIPLE_HTTP

__all__ = [
    "check_method",
    "check_name",
    "check_path",
    "check_query",
    "check_scheme",
    "check_value",
    "is_value",
    "text_octets",
]

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_METADATA_NAME: Final = re.compile(rb"[0-9a-z_.-]+")
_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SCHEME: Final = re.compile(rb"[a-z][a-z0-9+.-]*")
# Octets from 0x80 on, of UTF-8, are no part of a URI (RFC 3986), but every implementation passes them on.
_PATH: Final = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_QUERY: Final = re.compile(rb"[\x21-\x7e\x80-\xff]*")
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_ASCII: Final = re.compile(rb"[\x20-\x7e]*")
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}(?:, ?[A-Za-z0-9+/]*={0,2})*")
_DIGITS: Final = re.compile(rb"[0-9]{1,10}")

_FORMS: Final = {
    b"grpc-timeout": (re.compile(rb"[0-9]{1,8}[HMSmun]"), "1 to 8 digits and one of HMSmun"),
    b"grpc-status": (re.compile(rb"0|[1-9][0-9]{0,2}"), "a number of 1 to 3 digits"),
    b"grpc-message": (
        re.compile(rb"(?:[\x20-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*"),
        "printable ASCII, anything else as %XX",
    ),
    b"connect-timeout-ms": (_DIGITS, "1 to 10 digits"),
    b"tri-service-timeout": (_DIGITS, "1 to 10 digits"),
    b"triple-timeout-ms": (_DIGITS, "1 to 10 digits"),
}
"""Fields of RPCs, and what they are."""


def text_octets(name: str, value: object) -> bytes:
    """The octets of `value`, a text. Raises Unsupported where it is none, and ValueError where it has no octets."""
    if not isinstance(value, str):
        raise Unsupported(f"{name} is str, not {type(value).__name__}")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has a lone surrogate at character {error.start}, which has no octets") from None


def check_method(octets: bytes) -> None:
    """Raises ValueError for what is no method."""
    if _METHOD.fullmatch(octets) is None:
        raise ValueError(f"http.request.method is a token, not {_shown(octets)} (RFC 9110 §9.1)")


def check_scheme(octets: bytes) -> None:
    """Raises ValueError for what is no scheme."""
    if _SCHEME.fullmatch(octets) is None:
        raise ValueError(
            f"url.scheme is a letter and then letters, digits, + - ., all lower case, not {_shown(octets)} (RFC 3986 §3.1)"
        )


def check_path(name: str, octets: bytes) -> None:
    """Raises ValueError for what is no path, or more than that; `name` is the attribute's."""
    if not octets:
        raise ValueError(f"{name} is empty, and every request has a path (RFC 9113 §8.3.1)")
    if _PATH.fullmatch(octets) is None or b"?" in octets or b"#" in octets:
        raise ValueError(f"{name} has no space, control character, ? and #, unlike {_shown(octets)} (RFC 3986 §3.3)")


def check_query(octets: bytes) -> None:
    """Raises ValueError for what is no query."""
    if _QUERY.fullmatch(octets) is None or b"#" in octets:
        raise ValueError(f"url.query has no space, control character and #, unlike {_shown(octets)} (RFC 3986 §3.4)")


def check_name(name: object, message: Http2Message) -> str:
    """The name of a header, in lower case. Raises Unsupported or ValueError where `message` cannot have it."""
    if not isinstance(name, str):
        raise Unsupported(f"the name of a header is str, not {type(name).__name__}")
    if name.startswith(":"):
        raise Unsupported(f"{name} is no header: pseudo-headers are changed through attributes")
    if not name.isascii():  # before `lower`, which makes ASCII of some
        raise ValueError(f"the header {name!r} has a name beyond ASCII (RFC 9110 §5.1)")
    lower = name.lower()
    octets = lower.encode("ascii")
    if _NAME.fullmatch(octets) is None:
        raise ValueError(f"the header {name!r} has a name that is no token (RFC 9110 §5.6.2)")
    if header_name(octets).flags & CONNECTION != 0:
        raise ValueError(f"{lower} is of a connection of HTTP/1.1, and HTTP/2 has no such header (RFC 9113 §8.2.2)")
    if _has_metadata(message) and _METADATA_NAME.fullmatch(octets) is None:
        raise ValueError(
            f"the header {name!r} has a name with other than 0-9 a-z _ - . (gRPC over HTTP/2, Header-Name)"
        )
    return lower


def check_value(name: str, value: object, message: Http2Message) -> bytes:
    """The octets of the header `name` of `message`. Raises Unsupported or ValueError where it cannot have them."""
    octets = value if isinstance(value, bytes) else text_octets(name, value)
    if not is_value(octets):
        raise ValueError(
            f"{name} has no control characters, nor blanks at its ends, unlike {_shown(octets)} (RFC 9110 §5.5)"
        )
    if name == "te" and octets.lower() != b"trailers":
        raise ValueError(f"te is trailers or absent, not {_shown(octets)} (RFC 9113 §8.2.2)")
    if name == "host" and _HOST.fullmatch(octets) is None:
        raise ValueError(f"host is a name or an address and maybe a port, not {_shown(octets)} (RFC 9110 §7.2)")
    if message.speaks != HTTP:
        form = _FORMS.get(name.encode("ascii"))
        if form is not None and form[0].fullmatch(octets) is None:
            raise ValueError(f"{name} is {form[1]}, not {_shown(octets)}")
    if _has_metadata(message):
        if name.endswith("-bin"):
            if _BASE64.fullmatch(octets) is None:
                raise ValueError(f"{name} is base64, not {_shown(octets)} (gRPC over HTTP/2, Binary-Header)")
        elif _ASCII.fullmatch(octets) is None:
            raise ValueError(f"{name} is printable ASCII, not {_shown(octets)} (gRPC over HTTP/2, ASCII-Value)")
    return octets


def is_value(octets: bytes) -> bool:
    """Whether `octets` can be the value of a field."""
    return _VALUE.fullmatch(octets) is not None


def _has_metadata(message: Http2Message) -> bool:
    """Whether headers are metadata of a call, as gRPC and Connect have it."""
    return message.framed or (message.speaks != HTTP and message.speaks != TRIPLE_HTTP)


def _shown(octets: bytes) -> str:
    """`octets` in a sentence."""
    return repr(octets[:60]) + ("…" if len(octets) > 60 else "")
