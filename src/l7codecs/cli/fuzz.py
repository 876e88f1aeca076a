"""``l7codecs fuzz``: hold a protocol to its promises with octets that nobody wrote."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import l7codecs
from l7codecs.cli.errors import UsageError
from l7codecs.cli.terminal import printable, say, show
from l7codecs.errors import L7Error
from l7codecs.testing.fuzzing import Fuzzer, load_material
from l7codecs.testing.fuzzing.engine import FOUND, NOT_AGAIN, TookTooLong, inputs_of
from l7codecs.testing.fuzzing.material import Material, packages_of
from l7codecs.testing.fuzzing.measuring import Lines
from l7codecs.testing.fuzzing.properties import TookLonger

__all__ = ["run"]

_LARGEST_KEPT = 4096


def run(options: argparse.Namespace) -> int:
    """Fuzz, replay or make a corpus smaller; returns the exit status: 1 where a promise is broken."""
    try:
        material = load_material(
            options.protocol,
            vectors=[Path(each) for each in options.vectors],
            dictionary=Path(options.dictionary) if options.dictionary else None,
            corpus=Path(options.corpus) if options.corpus else None,
        )
        fuzzer = Fuzzer(material, options.target, options.seed)
        if options.replay:
            return _replay(fuzzer, [Path(each) for each in options.replay])
        if options.minimize:
            return _minimize(fuzzer, material)
    except (L7Error, ValueError, OSError) as error:
        raise UsageError(str(error)) from None
    return _fuzz(options, material, fuzzer)


def _fuzz(options: argparse.Namespace, material: Material, fuzzer: Fuzzer) -> int:
    if options.blind and options.engine == "atheris":
        raise UsageError("--blind has no guide: leave out --engine")
    guided = options.engine == "atheris" or (
        options.engine == "auto" and not options.blind and importlib.util.find_spec("atheris") is not None
    )
    if options.engine == "atheris" and importlib.util.find_spec("atheris") is None:
        raise UsageError("atheris is not installed: pip install 'l7codecs[fuzz]', on Linux and Python 3.11 to 3.13")
    seed = options.seed or time.time_ns() % 1_000_000
    how = "atheris" if guided else "without atheris"
    if options.blind:
        how = f"blind, {'compiled' if l7codecs.__compiled__ else 'pure'}"
    names = ", ".join(target.name for target in fuzzer.targets.values())
    show(
        printable(
            f"{options.protocol}: {len(material.vectors)} vectors, {len(material.tokens)} tokens; {names}; {how}, seed {seed}"
        )
    )
    if fuzzer.left_out:
        show(printable(f"left out, since there is nothing for them: {', '.join(fuzzer.left_out)}"))
    left = options.seconds
    while True:
        began = time.monotonic()
        found = _run_once(options, material, guided, seed, left)
        left -= time.monotonic() - began
        if found:
            return 1
        if found is None or options.runs or left < 1:
            show("nothing was found")
            return 0
        seed += 1


def _run_once(options: argparse.Namespace, material: Material, guided: bool, seed: int, seconds: float) -> bool | None:
    """Fuzz until something is found, or the time is over: whether what was found is found again; None where nothing was."""
    with tempfile.TemporaryDirectory(prefix="l7codecs-fuzz-") as grown:
        request = {
            "protocol": options.protocol,
            "vectors": options.vectors,
            "dictionary": options.dictionary,
            "corpus": options.corpus,
            "targets": options.target,
            "seed": seed,
            "seconds": seconds,
            "runs": options.runs,
            "folder": str(Path(grown) / "work"),
            "grown": str(material.corpus) if options.grow and material.corpus else str(Path(grown) / "grown"),
            "guided": guided,
            "blind": options.blind,
            "keep_going": options.keep_going,
            "shrink": "",
        }
        log = Path(grown) / "log.txt"
        with log.open("wb") as file:
            status = _start(request, material if guided else None, file.fileno())
        _report(Path(grown) / "work" / "figures.json", log, guided)
        found = sorted((Path(grown) / "work").glob("*.fuzz"))
        if not found:
            if status != 0:
                say(log.read_text("utf-8", "replace")[-4000:])
                raise UsageError(f"the process that fuzzes ended with status {status}")
            return None
        return sum([_show_finding(path, Path(options.findings), request) for path in found]) > 0


def _start(request: Mapping[str, object], material: Material | None, log: int | None) -> int:
    """Run the process that fuzzes, in pure Python but where it is blind; atheris is told of the packages of `material`."""
    packages = ["l7codecs", *packages_of(material.protocol)] if material is not None else []
    command = [sys.executable, "-m", "l7codecs_command.fuzzing", json.dumps(request), *packages]
    environment = os.environ if request["blind"] else {**os.environ, "L7CODECS_PURE": "1"}
    done = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
    return 0 if done.returncode == FOUND else done.returncode


def _report(figures: Path, log: Path, guided: bool) -> None:
    """What was done, a line for each target."""
    if figures.is_file():
        said = json.loads(figures.read_text())
        total, near = (
            sum(each.get(what, 0) for each in said["targets"].values()) for what in ("executions", "neighbours")
        )
        rate = (total + near) / max(said["seconds"], 0.001)
        show(f"{total} executions and {near} neighbours in {said['seconds']:.0f} s, {rate:.0f} a second")
        for name, counted in said["targets"].items():
            show(f"  {name:13} " + ", ".join(f"{number} {what}" for what, number in counted.items()))
        for what, number in said["found"].items():
            show(printable(f"found {number} times: {what}"))
    if guided:
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if " cov: " in line]
        if lines:
            show(f"  libFuzzer     {lines[-1].strip()}")


def _show_finding(path: Path, folder: Path, request: Mapping[str, object]) -> bool:
    """Have a process of its own find it again, and make it smaller; whether it is a finding: not where time alone said so, once."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / path.name
    kept.write_bytes(path.read_bytes())
    kept.with_suffix(".traceback.txt").write_bytes(path.with_suffix(".txt").read_bytes())
    again = _start({**request, "shrink": str(kept)}, None, None) != NOT_AGAIN
    text = kept.with_suffix(".txt")
    if not again:
        what = path.with_suffix(".txt").read_text("utf-8").partition("\n")[0]
        timed = what.startswith((TookLonger.__name__, TookTooLong.__name__))
        show(printable(f"once, and not again in a process of its own: {what}"))
        if timed:
            kept.unlink()
            kept.with_suffix(".traceback.txt").unlink()
            return False
    show(printable(f"found, and kept in {kept}; what was raised stands in {kept.with_suffix('.traceback.txt')}"))
    for line in text.read_text("utf-8").splitlines()[:60] if text.is_file() else ():
        show(printable(f"  {line}"))
    show(printable(f"again: l7codecs fuzz {request['protocol']} --replay {kept}"))
    return True


def _replay(fuzzer: Fuzzer, paths: list[Path]) -> int:
    """Run the inputs of files in the build that is at hand."""
    inputs = inputs_of(paths)
    began = time.perf_counter()
    wrong = 0
    for path, data in inputs:
        why = fuzzer.says(data)
        if why is not None:
            wrong += 1
            show(printable(f"{path}: {why}"))
            if len(inputs) == 1:
                for line in fuzzer.explain(data).splitlines()[:60]:
                    show(printable(f"  {line}"))
    seconds = time.perf_counter() - began
    build = "compiled" if l7codecs.__compiled__ else "pure"
    total = sum(fuzzer.executions.values())
    show(f"{total} inputs of {len(inputs)} replayed, {build}: {total / max(seconds, 1e-9):.0f} a second; {wrong} fail")
    for name, counted in fuzzer.figures().items():
        show(f"  {name:13} " + ", ".join(f"{number} {what}" for what, number in counted.items()))
    return 1 if wrong else 0


def _minimize(fuzzer: Fuzzer, material: Material) -> int:
    """Leave of the corpus the inputs that reach lines which smaller ones do not, and say what is covered."""
    if l7codecs.__compiled__:
        raise UsageError("lines are counted in pure Python alone: set L7CODECS_PURE=1")
    if material.corpus is None or not material.corpus.is_dir():
        raise UsageError("there is no corpus to make smaller: name it (--corpus)")
    inputs = sorted(inputs_of([material.corpus]), key=lambda each: len(each[1]))
    covered = Lines(("l7codecs", *packages_of(material.protocol)))
    kept = 0
    size = 0
    for path, data in inputs:
        covered.fresh = 0
        wrong = None
        if len(data) <= _LARGEST_KEPT:
            covered.start()
            try:
                wrong = fuzzer.fails(data)
            finally:
                covered.stop()
        if wrong is not None:
            show(printable(f"{path}: {wrong}"))
        if covered.fresh or wrong is not None:
            kept += 1
            size += len(data)
        else:
            path.unlink()
    show(f"{kept} of {len(inputs)} inputs stay, {size} octets")
    for folder, ran, lines in covered.by_folder():
        show(printable(f"{100 * ran // max(lines, 1)} % of {lines} lines: {folder}"))
    return 0
