"""Dubbo: the heads of calls, their attachments, exceptions behind their stack frames, and whole bodies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from pytest_benchmark.fixture import BenchmarkFixture

from .dubbo_octets import answers, bodies_of, call_body, calls, reads, thrown_body
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
from .measure import Side, add_row, compare, time_sides

ROUNDS = 21
RUNS = 20
"""Runs of ours in a round, as many as the loop of hessian-lite does at once."""
WARM = 40
"""Rounds in which the peers that compile as they run do so."""
CALLS = f"Dubbo calls with Hessian 2 of {len(call_body())} octets"


def _loop(
    stack: ExitStack, command: Callable[[str], list[str]], bodies: list[bytes], what: str, rounds: int = 1
) -> Side:
    loop = stack.enter_context(Loop(command, bodies, what, rounds))
    loop.warm(WARM)
    return Side(loop, own_time=True, once=True)


def test_heads(benchmark: BenchmarkFixture) -> None:
    frames = calls()
    bodies = bodies_of(frames)
    chunks = reads(frames)
    ours = OurHeads()
    with ExitStack() as stack:
        peers = {
            "python": Side(lambda: PythonHeads()(bodies), once=True),
            "dubbo-python": _loop(stack, dubbo_python, bodies, "head"),
            "lite": _loop(stack, hessian_lite, bodies, "head", RUNS),
        }
        own, theirs = time_sides(benchmark, Side(lambda: ours(chunks)), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        count = len(frames) * RUNS
        work = f"{CALLS}: interface, version, method"
        lines = [
            compare(work, own, "`python-hessian`, four strings", theirs["python"], count, 30.0),
            compare(work, own, "`dubbo-python`, four strings", theirs["dubbo-python"], count, 30.0),
            compare(work, own, "`hessian-lite` in a warm JVM, four strings", theirs["lite"], count, 0.8),
        ]
        add_row(benchmark, 190, lines)


def test_attachments(benchmark: BenchmarkFixture) -> None:
    frames = calls()
    bodies = bodies_of(frames)
    chunks = reads(frames)
    ours = OurAttachments()
    with ExitStack() as stack:
        peers = {
            "python": Side(lambda: PythonWhole()(bodies), once=True),
            "js": _loop(stack, hessian_js, bodies, "whole", 5),
            "lite": _loop(stack, hessian_lite, bodies, "whole", RUNS),
        }
        own, theirs = time_sides(benchmark, Side(lambda: ours(chunks)), peers, rounds=ROUNDS, runs=RUNS)
    if own:
        count = len(frames) * RUNS
        work = "the same, and all attachments, behind two arguments"
        lines = [
            compare(work, own, "`python-hessian`, the whole body", theirs["python"], count, 60.0),
            compare(work, own, "`hessian.js` in a warm V8, the whole body", theirs["js"], count, 3.0),
            compare(work, own, "`hessian-lite` in a warm JVM, the whole body", theirs["lite"], count, 2.0),
        ]
        add_row(benchmark, 191, lines)


def test_thrown(benchmark: BenchmarkFixture) -> None:
    frames = answers()
    bodies = bodies_of(frames)
    asked, told = reads(calls()), reads(frames)
    ours = OurThrown()
    with ExitStack() as stack:
        peers = {
            "python": Side(lambda: PythonThrown()(bodies)),
            "js": _loop(stack, hessian_js, bodies, "throwable"),
            "lite": _loop(stack, hessian_lite, bodies, "throwable", 3),
        }
        own, theirs = time_sides(benchmark, Side(lambda: ours(told), lambda: ours.ask(asked)), peers, rounds=ROUNDS)
    if own:
        work = f"answers of {len(thrown_body())} octets: status, class and message of an exception, behind its stack frames"
        lines = [
            compare(work, own, "`python-hessian`, the whole body", theirs["python"], len(frames), 60.0),
            compare(work, own, "`hessian.js` in a warm V8, the whole body", theirs["js"], len(frames), 3.0),
            compare(work, own, "`hessian-lite` in a warm JVM, the whole body", theirs["lite"], len(frames), 2.0),
        ]
        add_row(benchmark, 192, lines)


def test_values(benchmark: BenchmarkFixture) -> None:
    bodies = bodies_of(calls())
    peers = {"python": Side(lambda: PythonWhole()(bodies))}
    ours = OurValues()
    own, theirs = time_sides(benchmark, Side(lambda: ours(bodies)), peers, rounds=ROUNDS)
    if own:
        work = "the bodies of these calls, as values of Python"
        add_row(benchmark, 193, [compare(work, own, "`python-hessian`", theirs["python"], len(bodies), 10.0)])
