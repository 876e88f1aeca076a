"""JSONB against fastjson2 itself: random maps and exceptions that it writes are read here, and it reads what is written here."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from l7codecs_dubbo._jsonb.scan import Scanner
from l7codecs_dubbo._jsonb.values import Value, decode, encode

from .conftest import tool
from .jsonb_java import told

pytestmark = pytest.mark.interop

PROGRAM = Path(__file__).parent / "java" / "Jsonb.java"
SEED, COUNT = 20260401, 3000


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the program."""
    folder = tmp_path_factory.mktemp("jsonb")
    jars = tool("dubbo_peers").jars("3.3.6")
    subprocess.run(["javac", "-cp", jars, "-d", folder, PROGRAM], check=True, timeout=120, capture_output=True)
    return ["java", "-cp", f"{folder}{os.pathsep}{jars}", "Jsonb"]


def test_what_fastjson2_writes(java: list[str]) -> None:
    done = subprocess.run(
        [*java, "write", str(SEED), str(COUNT)], capture_output=True, text=True, timeout=120, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == COUNT
    exceptions = 0
    for line in lines:
        hexed, truth = line.split(" ")
        octets = bytes.fromhex(hexed)
        scanner = Scanner(octets, 0, len(octets))
        scanner.skip()
        assert scanner.at == len(octets)
        if truth.startswith("!"):
            exceptions += 1
            reader = Scanner(octets, 0, len(octets))
            name, message = reader.throwable()
            assert reader.at == len(octets)
            assert f"!{name}:{told(message)}" == truth
        else:
            assert told(decode(octets, 0, len(octets), 64)) == truth
    assert exceptions == COUNT // 5


def values(chance: random.Random, depth: int) -> Value:
    kind = chance.randrange(11 if depth else 9)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind < 3:
        return chance.getrandbits(63) >> chance.randrange(63)
    if kind == 3:
        return -(chance.getrandbits(62) >> chance.randrange(62)) - 1
    if kind == 4:
        return chance.choice([0.0, 1.0, 0.1, 2.0**31, -5.0, 1e300, float(chance.randrange(10**6)), chance.random()])
    if kind == 5:
        return chance.randbytes(chance.randrange(100))
    if kind < 9:
        return text(chance)
    if kind == 9:
        return [values(chance, depth - 1) for _ in range(chance.randrange(20))]
    return {text(chance): values(chance, depth - 1) for _ in range(chance.randrange(8))}


def text(chance: random.Random) -> str:
    return "".join(chance.choice("abcé中😀") for _ in range(chance.randrange(chance.choice([5, 60, 3000]))))


def test_what_fastjson2_reads(java: list[str]) -> None:
    chance = random.Random(SEED)
    asked: list[Value] = [{text(chance): values(chance, 3) for _ in range(chance.randrange(10))} for _ in range(COUNT)]
    lines = "".join(f"{encode(value).hex()}\n" for value in asked)
    done = subprocess.run([*java, "read"], input=lines, capture_output=True, text=True, timeout=120, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(asked)
    for value, answer in zip(asked, answers, strict=True):
        assert told(value) == answer
