"""Settings of a connection. RFC 9113 §6.5.2; RFC 8441 §3; RFC 9218 §2.1.

number(16) value(32)    …
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import ProtocolError

__all__ = [
    "DEFAULT_FRAME_SIZE",
    "DEFAULT_TABLE_SIZE",
    "DEFAULT_WINDOW",
    "ENABLE_CONNECT_PROTOCOL",
    "ENABLE_PUSH",
    "HEADER_TABLE_SIZE",
    "INITIAL_WINDOW_SIZE",
    "MAX_CONCURRENT_STREAMS",
    "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "MAX_WINDOW",
    "NO_RFC7540_PRIORITIES",
    "parse_settings",
    "setting",
]

HEADER_TABLE_SIZE: Final[i64] = 1
ENABLE_PUSH: Final[i64] = 2
MAX_CONCURRENT_STREAMS: Final[i64] = 3
INITIAL_WINDOW_SIZE: Final[i64] = 4
MAX_FRAME_SIZE: Final[i64] = 5
MAX_HEADER_LIST_SIZE: Final[i64] = 6
ENABLE_CONNECT_PROTOCOL: Final[i64] = 8
NO_RFC7540_PRIORITIES: Final[i64] = 9

DEFAULT_TABLE_SIZE: Final[i64] = 4096
"""Octets of the dynamic table until a peer says otherwise."""
DEFAULT_WINDOW: Final[i64] = 65535
"""Octets of DATA that may be sent ahead."""
DEFAULT_FRAME_SIZE: Final[i64] = 16384
"""Octets of the largest payload of a frame."""
MAX_WINDOW: Final[i64] = 0x7FFFFFFF
_MAX_FRAME_SIZE: Final[i64] = 0xFFFFFF
_LAST_KNOWN: Final[i64] = 8


def setting(number: i64, value: i64) -> bytes:
    """The octets of one setting."""
    return int(number).to_bytes(2, "big") + int(value).to_bytes(4, "big")


def parse_settings(octets: bytes, start: i64, stop: i64, offset: i64) -> dict[int, int]:
    """The settings in ``octets[start:stop]`` that are known, by number; of one that comes twice the last.

    Raises `ProtocolError` with `offset` where a value is not allowed. A setting that is not known is ignored (RFC 9113 §6.5.2).
    """
    if (stop - start) % 6 != 0:
        raise ProtocolError(
            offset, f"SETTINGS of {stop - start} octets", "a multiple of 6", "RFC 9113 §6.5 FRAME_SIZE_ERROR"
        )
    settings: dict[int, int] = {}
    at = start
    while at < stop:
        number: i64 = (octets[at] << 8) | octets[at + 1]
        value: i64 = (octets[at + 2] << 24) | (octets[at + 3] << 16) | (octets[at + 4] << 8) | octets[at + 5]
        if number == ENABLE_PUSH and value > 1:
            raise ProtocolError(offset, f"SETTINGS_ENABLE_PUSH {value}", "0 or 1", "RFC 9113 §6.5.2 PROTOCOL_ERROR")
        if number == INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            raise ProtocolError(
                offset,
                f"SETTINGS_INITIAL_WINDOW_SIZE {value}",
                f"at most {MAX_WINDOW}",
                "RFC 9113 §6.5.2 FLOW_CONTROL_ERROR",
            )
        if number == MAX_FRAME_SIZE and not DEFAULT_FRAME_SIZE <= value <= _MAX_FRAME_SIZE:
            raise ProtocolError(
                offset,
                f"SETTINGS_MAX_FRAME_SIZE {value}",
                f"{DEFAULT_FRAME_SIZE} to {_MAX_FRAME_SIZE}",
                "RFC 9113 §6.5.2 PROTOCOL_ERROR",
            )
        if number == ENABLE_CONNECT_PROTOCOL and value > 1:
            raise ProtocolError(
                offset, f"SETTINGS_ENABLE_CONNECT_PROTOCOL {value}", "0 or 1", "RFC 8441 §3 PROTOCOL_ERROR"
            )
        if number == NO_RFC7540_PRIORITIES and value > 1:
            raise ProtocolError(
                offset, f"SETTINGS_NO_RFC7540_PRIORITIES {value}", "0 or 1", "RFC 9218 §2.1 PROTOCOL_ERROR"
            )
        if number <= _LAST_KNOWN:
            settings[int(number)] = int(value)
        at += 6
    return settings
