"""Answers that are made here against those that Java makes of the same requests (`AbstractRequest.getErrorResponse`)."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7codecs_kafka._change.answers import error_answer
from l7codecs_kafka._schema.layouts import (
    BOOL,
    BYTES,
    INT8,
    RECORDS,
    STRING,
    STRUCT,
    UUID,
    Field,
    Layout,
    Value,
    apis,
    layout,
)
from l7codecs_kafka._schema.values import decode, encode

from .test_schema_table import load_generator

pytestmark = pytest.mark.interop

PROGRAM = Path(__file__).parent / "java" / "ErrorAnswers.java"
CODE = 41
LOWEST = {
    0: 3, 1: 4, 2: 1, 8: 2, 9: 1, 19: 2, 20: 1, 23: 2, 27: 1, 29: 1, 30: 1, 31: 1, 32: 1, 34: 1, 35: 1, 38: 1, 39: 1, 40: 1, 41: 1, 56: 2,
    76: 1, 77: 1, 78: 1, 79: 1,
}  # fmt: skip
"""What 4.4.0 still has, where it is not 0."""
GONE = (4, 5, 6, 7)

OTHERWISE = {
    38: (
        "PrincipalType",
        "PrincipalName",
        "TokenRequesterPrincipalType",
        "TokenRequesterPrincipalName",
    ),  # a user that is none
    39: ("ExpiryTimestampMs",),  # 0
    40: ("ExpiryTimestampMs",),
    46: ("Topics",),  # those asked for, with nothing in them
    48: ("Entries",),  # null
    50: ("Results",),  # one without a name for each user
    65: ("ProducerId", "ProducerEpoch"),  # 0
    67: ("ProducerIdStart",),
    87: ("LeaderEpoch",),
}
"""Where Java says something else, by key: nothing that a client looks at beside the error."""
NO_PLACE = (35, 3)
"""DescribeLogDirs before version 3: Java says nothing where there is one place for it."""


def requests() -> list[tuple[Layout, bytes]]:
    """One of each API and version, with two of whatever can be many, and no two values alike."""
    found = []
    for each in apis():
        if each.key < 0 or each.key in GONE:
            continue
        for version in range(LOWEST.get(each.key, 0), each.highest + 1):
            known = layout(each.key, version, False)
            assert known is not None
            count = itertools.count(1)
            found.append((known, encode(known, {field.name: _value(field, count) for field in known.fields})))
    return found


def _value(field: Field, count: Iterator[int]) -> Value:
    return [_one(field, count), _one(field, count)] if field.array else _one(field, count)


def _one(field: Field, count: Iterator[int]) -> Value:
    if field.kind == STRUCT:
        return {each.name: _value(each, count) for each in field.fields}
    number = next(count)
    if field.kind == STRING:
        return f"s{number}"
    if field.kind == BYTES:
        return b"" if field.role == RECORDS else b"octets"
    if field.kind == UUID:
        return number.to_bytes(16, "big")
    return number % 2 if field.kind == BOOL else number % 50 + 1 if field.kind == INT8 else number


def _told(value: Value, otherwise: tuple[str, ...]) -> Value:
    """In any order, without texts, which Java does not always give, and without what it says otherwise."""
    if isinstance(value, dict):
        return {
            key: _told(item, otherwise) for key, item in value.items() if key != "ErrorMessage" and key not in otherwise
        }
    return sorted([_told(item, otherwise) for item in value], key=repr) if isinstance(value, list) else value


def test_as_java_answers(tmp_path: Path) -> None:
    if not (shutil.which("mvn") and shutil.which("javac")):
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("no Maven, or no JDK")
        pytest.skip("no Maven, or no JDK")
    generator = load_generator()
    jars = f"{generator.fetch('4.4.0', generator.default_cache())}/*"
    subprocess.run(["javac", "-cp", jars, "-d", tmp_path, PROGRAM], check=True, timeout=120)
    asked = requests()
    lines = "".join(f"{known.api.key} {known.version} {body.hex()}\n" for known, body in asked)
    command = ["java", "-cp", f"{tmp_path}{os.pathsep}{jars}", "ErrorAnswers", str(CODE)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(asked) == 309
    for (known, body), line in zip(asked, answers, strict=True):
        key, version = known.api.key, known.version
        answered = layout(key, version, True)
        assert answered is not None
        assert not line.endswith(" -"), known
        theirs = bytes.fromhex(line.split(" ")[3])
        truth, at = decode(answered, theirs, 0, len(theirs))
        assert at == len(theirs)
        ours = encode(answered, error_answer(answered, known, decode(known, body, 0, len(body))[0], CODE, ""))
        found, _ = decode(answered, ours, 0, len(ours))
        if key == NO_PLACE[0] and version < NO_PLACE[1]:
            assert found["Results"] and not truth["Results"]
            continue
        assert _told(found, OTHERWISE.get(key, ())) == _told(truth, OTHERWISE.get(key, ())), known
