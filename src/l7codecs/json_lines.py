"""Records as lines of JSON. Needs orjson, which is in the extra ``cli``."""

from __future__ import annotations

import json
import re

import orjson

from l7codecs.records import Record, json_safe, text_of

__all__ = ["json_line"]

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def json_line(record: Record) -> bytes:
    """`record` in UTF-8, with its end of line. Octets are texts as `text_of` writes them."""
    try:
        line = orjson.dumps(record, default=text_of, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a text with octets that are no UTF-8
        text = json.dumps(record, ensure_ascii=False, default=text_of, separators=(",", ":"))
        line = _SURROGATE.sub(_escaped, text).encode() + b"\n"
    return json_safe(line)


def _escaped(found: re.Match[str]) -> str:
    """The octet that a lone surrogate stands for, as `text_of` writes it, in a string of JSON."""
    code = ord(found[0])
    return f"\\\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\\\u{code:04x}"
