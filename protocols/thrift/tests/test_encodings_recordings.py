"""Every message that was recorded of real peers: its head as Apache Thrift reads it, its values as both sides report them."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Limits
from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, JSON, METADATA_JSON

FOLDER = Path(os.environ.get("L7CODECS_RECORDINGS", "")) / "thrift"
pytestmark = pytest.mark.skipif("L7CODECS_RECORDINGS" not in os.environ, reason="L7CODECS_RECORDINGS is not set")
TRUTH: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text()) if (FOLDER / "truth.json").exists() else {}
FILES = [(run, name) for run, said in TRUTH.items() for name in said["files"]]

ALL_NAMES = ("t", "f", "b", "s", "i", "l", "d", "str", "bin", "bools", "empty", "m", "st", "c", "ll", "many")
ALL = dict(enumerate(ALL_NAMES, 1)) | {40: "far", 300: "farbool"}
NODE, ID, OOPS, UNION = {1: "name", 2: "kids"}, {1: "id", 2: "ids"}, {1: "why", 2: "code"}, {1: "i", 2: "s"}
STRUCTS = {"echo": ALL, "tree": NODE, "ids": ID, "un": UNION}


def octets_of(name: str) -> dict[str, bytes]:
    found = {"C": b"", "S": b""}
    for line in (FOLDER / name).read_text().splitlines():
        side, _, octets = line.partition(" ")
        found[side] += bytes.fromhex(octets)
    return found


def messages(octets: bytes, transport: str, encoding: Encoding) -> Iterator[tuple[Encoding, bytes]]:
    """The messages of one side, each alone."""
    at = 0
    while at < len(octets):
        if transport == "buffered":
            head = encoding.head(octets, at, len(octets), 65536)
            assert head is not None
            skipper = encoding.skipper(head, 64, 1 << 20, 1 << 29)
            end = skipper.feed(octets, head.body, len(octets))
            assert skipper.done
            yield encoding, octets[at:end]
            at = end
            continue
        size = int.from_bytes(octets[at : at + 4], "big")
        frame = octets[at + 4 : at + 4 + size]
        at += 4 + size
        if transport != "header":
            yield encoding, frame
            continue
        assert frame[:2] == b"\x0f\xff"
        begin = 10 + 4 * int.from_bytes(frame[8:10], "big")
        body = zlib.decompressobj().decompress(frame[begin:]) if frame[11] else frame[begin:]
        if body:
            yield BINARY if frame[10] == 0 else COMPACT, body


def plain(value: Any, names: dict[int, str]) -> Any:
    """A value as the truth tells it."""
    if isinstance(value, dict):
        if names:
            return {names[key]: plain(each, names if names[key] == "kids" else {}) for key, each in value.items()}
        return {str(key): plain(each, {}) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each, names) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return value if isinstance(value, str | int | float | None) else str(value)


def told(run: str, method: str, side: str) -> list[Any]:
    """The arguments, or results, with which a method was called; those of Python's clients, where another one's print them otherwise."""
    own = run.startswith(("python", "thriftpy2")) or (
        method == "nul" and side == "S"
    )  # which returns an empty string where there is no null
    calls = TRUTH[run if own else "python-framed-binary"]["calls"]
    found = []
    for call in calls:
        if call["method"] != method:
            continue
        if side == "C" or "result" in call:
            value = call["args"] if side == "C" else call["result"]
            everything = json.loads((FOLDER / "all.json").read_text())
            found.append(everything if value == "ALL" else [everything] if value in ("ALL", ["ALL"]) else value)
            if side == "C" and value == "ALL":
                found[-1] = [everything]
    return found


@pytest.mark.parametrize(("run", "name"), FILES, ids=[name for _, name in FILES])
def test_recorded(run: str, name: str) -> None:
    said = TRUTH[run]
    protocol = said["client_protocol"]
    own = run.startswith("thriftpy2") and protocol == "json"
    encoding = METADATA_JSON if own else {"binary": BINARY, "compact": COMPACT, "json": JSON}.get(protocol, BINARY)
    for side, octets in octets_of(name).items():
        heads = []
        for used, message in messages(octets, said["client_transport"], encoding):
            head = used.head(message, 0, len(message), 65536)
            assert head is not None
            heads.append([head.name, head.kind, head.seqid])
            skipper = used.skipper(head, 64, 1 << 20, 1 << 29)
            at = head.body
            for end in range(at, len(message) + 1):
                at = skipper.feed(message[:end], at, end)
            assert skipper.done and at == len(message)
            assert used.with_head(message, head) == message[: head.body]
            values = used.structure(message, head.body, len(message), Limits())
            assert isinstance(values, dict)
            if own:
                continue
            if head.kind == 3:
                fault = used.application_exception(message, head.body, len(message))
                assert fault == (values.get(2), values.get(1)) and any(each is not None for each in fault)
                continue
            field = used.first_field(message, head.body, len(message))
            assert (field is None) == (not values)
            method = head.name.rpartition(":")[2]
            if side == "S" and field is not None and field.id > 0:
                assert plain(values[field.id], OOPS) == {"why": "why", "code": 7}
                continue
            if field is None:
                continue
            assert field.id == (1 if side == "C" else 0)
            value = plain(values[field.id], STRUCTS.get(method, {}))
            if method == "echo" and isinstance(value, dict):
                value["st"] = {"set": value["st"]}
                if used is JSON:
                    assert value["bin"].rstrip("=") == "AP8QQUJD"
                    value["bin"] = {"hex": "00ff10414243"}
                    value = json.loads(json.dumps(value).replace('"t": 1', '"t": true'))
            if not (method == "ids" and run.startswith("node")):
                assert (value if side == "S" else [value]) in told(run, method, side)
        if f"{side}_unread" in said["files"][name]:
            assert heads[: len(said["files"][name][side])] == said["files"][name][side]
            assert len(heads) > len(said["files"][name][side]) or not octets
        else:
            assert heads == said["files"][name][side]


def test_all_are_read() -> None:
    assert len(FILES) >= 20
