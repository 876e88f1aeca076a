"""What a value is, in the words of ``java/Jsonb.java``."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from l7codecs_dubbo._jsonb.values import Typed, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def told(value: Value) -> str:
    """As the program's `told`; of the classes that it writes, octets."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"n{value}"
    if isinstance(value, float):
        return f"f{struct.unpack('>q', struct.pack('>d', value))[0]}"
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        return f"d{Decimal((sign, digits, 0)):f}e{-exponent}".replace("d-0e", "d0e")
    if isinstance(value, datetime):
        return f"t{(value - EPOCH) // timedelta(milliseconds=1)}"
    if isinstance(value, bytes):
        return f"x{value.hex()}"
    if isinstance(value, str):
        return f"s{value.encode().hex()}"
    if isinstance(value, list):
        return f"[{','.join(told(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}={item}' for key, item in sorted((told(k), told(v)) for k, v in value.items()))}}}"
    assert isinstance(value, Typed) and value.class_name == "[B", value
    return told(value.value)
