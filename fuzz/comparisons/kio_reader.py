"""A process with kio, see kafka.py: "head body" a line, back the size and what is written of it again, or "!" and why it is none."""

import functools
import io
import struct
import sys
from typing import Any

from kio.index import UnknownAPIKey, UnknownEntity, load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer


@functools.cache
def schema(key: int, version: int, response: int) -> Any:
    try:
        return (load_response_schema if response else load_request_schema)(key, version)
    except (UnknownAPIKey, UnknownEntity):
        return None


def said(line: str) -> str:
    head, _, body = line.strip().partition(" ")
    of = schema(*struct.unpack(">hhB", bytes.fromhex(head)))
    if of is None:
        return "! no such version"
    octets = bytes.fromhex(body)
    try:
        entity, size = entity_reader(of)(octets, 0)
        out = io.BytesIO()
        entity_writer(of)(out, entity)
    except BaseException as error:
        return f"! {type(error).__name__}: {error}".replace("\n", " ")
    return f"{size} {out.getvalue().hex()}"


for each in sys.stdin:
    print(said(each), flush=True)
