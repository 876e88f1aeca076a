"""The sides of each row of Dubbo find the same in the same octets: a benchmark that compares unequal work is a defect."""

from __future__ import annotations

import pytest

from l7codecs_dubbo._hessian.values import HessianObject

from .dubbo_octets import MESSAGE, METHOD, SERVICE, THROWN, VERSION, answers, bodies_of, calls, reads
from .dubbo_sides import (
    Loop,
    OurAttachments,
    OurHeads,
    OurThrown,
    OurValues,
    PythonHeads,
    PythonThrown,
    PythonWhole,
    dubbo_python,
    hessian_js,
    hessian_lite,
)

ATTACHMENTS = {
    "path": SERVICE, "remote.application": "shop-frontend", "interface": SERVICE, "version": VERSION, "timeout": "6000", "group": "blue",
}  # fmt: skip
TOLD = "{" + ", ".join(f"{key}={ATTACHMENTS[key]}" for key in sorted(ATTACHMENTS)) + "}"


def test_sizes() -> None:
    """What the rows say: calls of some 450 octets, 8 KiB of stack frames."""
    assert 430 <= len(bodies_of(calls())[0]) <= 470
    assert 8192 <= len(bodies_of(answers())[0]) <= 9000


def test_every_side_finds_the_same_heads() -> None:
    frames = calls()
    bodies = bodies_of(frames)
    found = OurHeads()(reads(frames))
    assert found == [(SERVICE, VERSION, METHOD)] * len(frames) == PythonHeads()(bodies)
    for command in (hessian_lite, dubbo_python):
        with Loop(command, bodies, "head") as loop:
            assert loop.ask()[1] == f"{SERVICE} {VERSION} {METHOD}"


def test_every_side_finds_the_same_attachments() -> None:
    frames = calls()
    bodies = bodies_of(frames)
    for *head, headers in OurAttachments()(reads(frames)):  # type: ignore[misc]
        assert head == [SERVICE, VERSION, METHOD]
        assert dict(headers) == ATTACHMENTS
    for values in PythonWhole()(bodies):
        assert values[-1] == ATTACHMENTS  # type: ignore[index]
    for command in (hessian_lite, hessian_js):
        with Loop(command, bodies, "whole") as loop:
            assert loop.ask()[1] == f"{SERVICE} {VERSION} {METHOD} {TOLD} 3 [book, green]"


def test_every_side_finds_the_same_exceptions() -> None:
    frames = answers()
    bodies = bodies_of(frames)
    ours = OurThrown()
    ours.ask(reads(calls()))
    assert ours(reads(frames)) == [(20, THROWN, MESSAGE)] * len(frames)
    assert PythonThrown()(bodies) == [(THROWN, MESSAGE)] * len(frames)
    for command in (hessian_lite, hessian_js):
        with Loop(command, bodies, "throwable") as loop:
            assert loop.ask()[1] == f"3 {THROWN} {MESSAGE} {{dubbo=2.0.2}}"


@pytest.mark.parametrize("at", [0, -1])
def test_both_sides_read_the_same_values(at: int) -> None:
    bodies = bodies_of(calls())
    ours, theirs = OurValues()(bodies)[at], PythonWhole()(bodies)[at]
    assert isinstance(ours, list) and isinstance(theirs, list)
    order = ours.pop(5)
    theirs_order = theirs.pop(5)
    assert ours == theirs
    assert isinstance(order, HessianObject)
    names = order.definition.fields
    values = [tuple(each) if isinstance(each, list) else each for each in order.values]
    assert {name: getattr(theirs_order, name) for name in names} == dict(zip(names, values, strict=True))
