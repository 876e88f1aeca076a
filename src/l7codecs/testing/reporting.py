"""``python -m l7codecs.testing states``: the states that vectors lead to, and what grows in each."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from l7codecs.errors import L7Error
from l7codecs.testing.fuzzing.material import load_material
from l7codecs.testing.growth import READS
from l7codecs.testing.states import States, find_states

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what grows and what does not; returns the exit status: 1 where a cost is not constant."""
    parser = argparse.ArgumentParser(
        prog="python -m l7codecs.testing states",
        description="Which states the vectors of a protocol lead to, and which of them grow.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure time and memory in each state, in four sizes of reads"
    )
    parser.add_argument("protocol", metavar="PROTOCOL", help="a registered name")
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="*", help="of vectors; default: as pyproject.toml says for fuzzing"
    )
    given = parser.parse_args(arguments)
    try:
        material = load_material(given.protocol, vectors=[Path(each) for each in given.folders])
    except (L7Error, OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    states = find_states(material.protocol, material.all_vectors)
    for state in states.passed:
        print(f"never grows: {state}\n    holds {states.names(state)}")
    ways = ", ".join(f"{count} by {how}" for how, count in Counter(each.how for each in states.grown).most_common())
    print(f"{given.protocol}: {len(states.grown)} states grow ({ways}), {len(states.passed)} do not")
    return _measure(states) if given.measure else 0


def _measure(states: States) -> int:
    wrong = 0
    for grown in states.grown:
        for read in READS:
            try:
                states.check_time(grown, read)
                states.check_time(grown, read, 4)
                states.check_memory(grown, read)
            except AssertionError as error:
                wrong += 1
                print(error)
    print(f"measured in reads of {', '.join(map(str, READS))} octets: {wrong} findings")
    return int(wrong > 0)
