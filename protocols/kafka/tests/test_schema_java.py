"""Every layout against the Java classes that the same definitions make: random instances, as the jar serialises them."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7codecs_kafka._schema.layouts import EVERY, ROLES, Layout
from l7codecs_kafka._schema.splice import splice
from l7codecs_kafka._schema.values import decode, encode
from l7codecs_kafka._schema.walk import pick, skip

from .schema_truth import change, entries, every_layout, expected, get_layout
from .test_schema_table import load_generator

pytestmark = pytest.mark.interop

PROGRAM = Path(__file__).parent / "java" / "FillMessages.java"
VERSIONS = ("4.4.0", "3.9.2")
COUNT = 20
CHANGED_LATER = frozenset({(87, 0, 1)})
"""Versions of 3.9.2 that were not stable, and that 4.x gave other fields."""


Instances = list[tuple[Layout, bytes]]


@pytest.fixture(scope="module")
def by_version(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Instances]:
    """Layouts and bodies of both jars."""
    return {version: make(version, tmp_path_factory.mktemp("classes")) for version in VERSIONS}


@pytest.fixture(params=VERSIONS)
def instances(request: pytest.FixtureRequest, by_version: dict[str, Instances]) -> Instances:
    """Layouts and bodies of one jar."""
    return by_version[request.param]


def make(version: str, classes: Path) -> Instances:
    """Run the program with one jar."""
    if not (shutil.which("mvn") and shutil.which("javac")):
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail("no Maven, or no JDK")
        pytest.skip("no Maven, or no JDK")
    generator = load_generator()
    jars = f"{generator.fetch(version, generator.default_cache())}/*"
    subprocess.run(["javac", "-cp", jars, "-d", classes, PROGRAM], check=True, timeout=120)
    command = ["java", "-cp", f"{classes}{os.pathsep}{jars}", "FillMessages", str(COUNT), "20261129"]
    done = subprocess.run(command, check=True, timeout=120, capture_output=True)
    return list(_read(done.stdout, frozenset() if version == VERSIONS[0] else CHANGED_LATER))


def _read(octets: bytes, without: frozenset[tuple[int, int, int]]) -> Iterator[tuple[Layout, bytes]]:
    at = 0
    while at < len(octets):
        key, version, response, size = struct.unpack_from(">hhbi", octets, at)
        body = octets[at + 9 : at + 9 + size]
        at += 9 + size
        if (key, version, response) not in without:
            found = get_layout(key, version, bool(response))
            assert found is not None, (key, version)
            yield found, body


def test_jars_have_every_layout(by_version: dict[str, Instances]) -> None:
    """Together they are all of the table, 20 instances of each at least."""
    seen: set[Layout] = set()
    for instances in by_version.values():
        counts = Counter(of for of, _ in instances)
        assert set(counts.values()) == {COUNT}
        seen.update(counts)
    assert seen == set(every_layout())


def test_values(instances: Instances) -> None:
    """Every octet is read, and written back the same."""
    for of, body in instances:
        value, end = decode(of, body, 0, len(body))
        assert end == len(body), of
        assert encode(of, value) == body, of


def test_picks(instances: Instances) -> None:
    """Every role, alone and together, is found where the values have it; the walk to the end ends where the body does."""
    for of, body in instances:
        value, _ = decode(of, body, 0, len(body))
        assert skip(of, body, 0, len(body)) == len(body), of
        padded = b"\xff" * 3 + body + b"\xff" * 5
        for wanted in [EVERY, *(1 << bit for bit in range(len(ROLES)) if of.has & 1 << bit)]:
            truth = expected(of, value, wanted)
            checked = pick(of, padded, 3, len(padded), wanted, check=True)
            assert entries(checked) == truth, (of, wanted)
            assert checked.at == len(body) + 3, (of, wanted)
            assert entries(pick(of, body, 0, len(body), wanted)) == truth, (of, wanted)


def test_splices(instances: Instances) -> None:
    """The same values change nothing; other values give what encoding them gives."""
    chance = random.Random(11)
    for of, body in instances:
        found = pick(of, body, 0, len(body), EVERY, check=True)
        assert splice(found, [(number, found.octets_of(number)) for number in range(len(found))]) == body, of
        value, _ = decode(of, body, 0, len(body))
        changes = change(of, value, EVERY, chance, chance.choice((0.05, 0.5, 1.0)))
        assert splice(found, changes) == encode(of, value), of
