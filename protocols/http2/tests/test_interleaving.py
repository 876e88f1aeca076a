"""Conversations at random through endpoint sessions, in any order that a network allows: nothing is lost, crossed, kept or leaked.

FUZZ_SECONDS makes it run for longer, with another seed each time; FUZZ_SEED repeats a run. A failure is reported with the fewest steps.
"""

from __future__ import annotations

import os
import re
import time
import tracemalloc

from .conversation import Conversation, Step, script

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 1_000_000 if SECONDS else 0)))
COUNT = 60
"""Conversations in the suite."""
KEPT = 100_000
"""Octets for outputs whose memory is used again, and the numbers of streams that were reset."""
PATIENCE = 30.0
"""Seconds for making one that fails shorter."""


def converse(seed: int, steps: list[Step]) -> None:
    talk = Conversation(seed)
    for step in steps:
        talk.do(step)
    talk.rest()
    talk.fill()


def failure(seed: int, steps: list[Step]) -> str | None:
    try:
        converse(seed, steps)
    except Exception as error:
        return type(error).__name__ + re.sub(r"[0-9]+", "", str(error)).partition("\n")[0][:60]
    return None


def shrunk(seed: int, steps: list[Step], why: str) -> list[Step]:
    """Fewer steps that fail alike."""
    until = time.monotonic() + PATIENCE
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps) and time.monotonic() < until:
            fewer = steps[:at] + steps[at + size :]
            if failure(seed, fewer) == why:
                steps = fewer
            else:
                at += size
        size //= 2
    return steps


def test_memory() -> None:
    """Of connections that go on and on, nothing is kept."""
    talk = Conversation(2, watched=False)
    sizes = []
    tracemalloc.start()
    try:
        for number in range(24):
            for step in script(number, 60):
                if step[0] not in ("goaway", "lose", "close", "connect", "rest"):
                    talk.do(step)
            talk.rest()
            ours = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, "*/l7codecs*"), tracemalloc.Filter(True, "*/tests/conversation.py")]
            )
            sizes.append(sum(each.size for each in ours.traces))
    finally:
        tracemalloc.stop()
    assert max(sizes[12:]) < max(sizes[:12]) + KEPT, sizes


def test_conversations() -> None:
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until if SECONDS else count < COUNT:
        seed = SEED + count
        steps = script(seed, 40 + 37 * count % 400)
        why = failure(seed, steps)
        if why is not None:
            fewest = shrunk(seed, steps, why)
            print(f"seed {seed}: {fewest}")
            converse(seed, fewest)
        count += 1
    print(f"{count} conversations, seed {SEED}")
