"""Changed attachments as Dubbo's own Hessian reads them: what stays, and what it refers to, is what it was."""

from __future__ import annotations

import random
from typing import Any

import pytest

from l7codecs import Changes, Unsupported
from l7codecs_dubbo._hessian.values import Value

from .hessian_peers import LIBRARIES, java, streams, tokens_of
from .hessian_truth import random_plain
from .test_change_numbers import HEAD, changed, request

pytestmark = pytest.mark.interop

COUNT = 600


@pytest.mark.parametrize("library", LIBRARIES[:2], ids=lambda library: library.name)
def test_references_as_java_reads_them(library: Any) -> None:
    chance = random.Random(20261129)
    lines: list[str] = []
    truth: list[Any] = []
    refused = 0
    for _ in range(COUNT):
        values = random_plain(chance, 25)
        cut = chance.randrange(len(values) + 1)
        attachments: dict[str, Value] = {f"a{number}": value for number, value in enumerate(values[cut:])}
        gone = [name for name in attachments if chance.random() < 0.3]
        new = {name: f"new {name}" for name in attachments if name not in gone and chance.random() < 0.2}
        octets = request(values[:cut], attachments)
        try:
            after = changed(octets, Changes(set_headers=new, remove_headers=gone))
        except Unsupported:
            refused += 1
            continue
        expected = {key: new.get(key, value) for key, value in attachments.items() if key not in gone}
        lines.append(after[16:].hex())
        truth.append(tokens_of([*HEAD, "Ljava/lang/Object;" * cut, *values[:cut], expected]))
    assert refused < COUNT // 2
    for line, tokens in zip(java(library, "read", lines=lines), truth, strict=True):
        assert streams([f"\t{line}"])[0][1] == tokens
