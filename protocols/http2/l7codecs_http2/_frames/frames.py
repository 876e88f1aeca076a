"""Frames: their nine-octet header, types, flags and error codes. RFC 9113 §4.1, §6, §7; RFC 9218 §7.1.

length(24) type(8) flags(8) R(1) stream(31) payload(length)
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

__all__ = ["ERROR_NAMES", "FIXED_SIZES", "FLAG_MASKS", "TYPE_NAMES", "error_name"]

HEADER_SIZE: Final[i64] = 9
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final[i64] = 0
HEADERS: Final[i64] = 1
PRIORITY: Final[i64] = 2
RST_STREAM: Final[i64] = 3
SETTINGS: Final[i64] = 4
PUSH_PROMISE: Final[i64] = 5
PING: Final[i64] = 6
GOAWAY: Final[i64] = 7
WINDOW_UPDATE: Final[i64] = 8
CONTINUATION: Final[i64] = 9
PRIORITY_UPDATE: Final[i64] = 16

END_STREAM: Final[i64] = 0x01
ACK: Final[i64] = 0x01
END_HEADERS: Final[i64] = 0x04
PADDED: Final[i64] = 0x08
PRIORITY_FLAG: Final[i64] = 0x20

TYPE_NAMES: Final = {
    0: "DATA",
    1: "HEADERS",
    2: "PRIORITY",
    3: "RST_STREAM",
    4: "SETTINGS",
    5: "PUSH_PROMISE",
    6: "PING",
    7: "GOAWAY",
    8: "WINDOW_UPDATE",
    9: "CONTINUATION",
    16: "PRIORITY_UPDATE",
}
FLAG_MASKS: Final = {0: 0x09, 1: 0x2D, 2: 0, 3: 0, 4: 0x01, 5: 0x0C, 6: 0x01, 7: 0, 8: 0, 9: 0x04}
"""The flags that each type defines: others are ignored, but speak against a frame when one is looked for."""
FIXED_SIZES: Final = {2: 5, 3: 4, 6: 8, 8: 4}
"""Octets of the payload of types that have one size only."""

ERROR_NAMES: Final = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


def error_name(code: int) -> str:
    """The name of an error code; its number in hexadecimal if it has none."""
    return ERROR_NAMES[code] if code < len(ERROR_NAMES) else f"0x{code:x}"
