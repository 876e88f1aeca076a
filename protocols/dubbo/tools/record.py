"""Record the vectors of this room from real peers: ``python protocols/dubbo/tools/record.py [name…]``.

Each is one connection, as a relay on the loopback has heard it between a consumer and a provider of `dubbo_peers`, and goes to
``vectors/<name>.txt``. Needs what these need (Java, Maven; Go and npm for theirs).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dubbo_peers import NEWEST, OLDER, OTHERS
from dubbo_raw import RAW, raw
from dubbo_scenarios import FAILING, SCENARIOS, TYPES
from dubbo_stage import Scenario, Stage, call

from l7codecs.testing import Recording, Relay

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SIZE_LIMIT = 60_000
"""Octets of one vector; a longer one is a mistake."""

SHORT_TYPES = [each for each in TYPES if not each.endswith("0000") and each != "bytes:9000"]
PAIRS = {"3.3-3.3": (NEWEST, NEWEST), "2.7-3.3": (OLDER, NEWEST), "3.3-2.7": (NEWEST, OLDER), "2.7-2.7": (OLDER, OLDER)}
EVERY = ("plain", "attachments", "declared", "unknown-method", "heartbeats", "stops")
"""What is recorded of every pair; the rest of two newest only."""

LEFT_OUT = ("large", "failing", "types", "fastjson2-large", "fastjson2-failing", "fastjson2-types")
OWN: dict[str, Scenario] = {
    "declared": Scenario(FAILING[:1]),
    "runtime": Scenario(FAILING[2:4]),
    "elsewhere": Scenario(FAILING[4:]),
    "types": Scenario([call("any", each) for each in SHORT_TYPES]),
    "chunks": Scenario([call("note", "chars:33000"), call("binary", "bytes:9000")]),
}
for _name in ("declared", "runtime", "types"):
    OWN[f"fastjson2-{_name}"] = Scenario(
        OWN[_name].calls, SCENARIOS["fastjson2-plain"].export, SCENARIOS["fastjson2-plain"].refer, (NEWEST,), (NEWEST,)
    )


def played(stage: Stage, pair: str) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """The scenarios that are recorded of a pair."""
    consumer, provider = PAIRS[pair]
    for name, scenario in {**SCENARIOS, **OWN}.items():
        fits = consumer in (scenario.consumers or (consumer,)) and provider in (scenario.providers or (provider,))
        if not fits or (name in LEFT_OUT and name not in OWN):
            continue
        if name in EVERY or pair == "3.3-3.3" or scenario.consumers:
            yield f"{pair}-{name}", lambda scenario=scenario: stage.play(scenario, consumer, provider).recordings[0]  # type: ignore[misc]


def others(stage: Stage, consumer: str) -> Recording:
    """A consumer that is not Apache Dubbo's own."""
    calls = [call("hello", "text:é😀", "int:2"), call("bare"), call("note", "text:n"), call("failing", "text:declared")]
    with Relay(("127.0.0.1", stage.port())) as relay:
        stage.peer(consumer).ask("call", to=relay.port, calls=[*calls, call("nowhere", "text:x")])
        return next(each for each in relay.recordings if each.pieces)


def all_of(stage: Stage) -> Iterator[tuple[str, str, Callable[[], Recording]]]:
    """Name and source of each vector, and what records it."""
    for pair, (consumer, provider) in PAIRS.items():
        source = f"Apache Dubbo {consumer} calls {provider}"
        for name, record in played(stage, pair):
            yield name, source, record
        yield f"{pair}-stops", source, lambda pair=pair: stage.stop(*PAIRS[pair])  # type: ignore[misc]
    for consumer in OTHERS:
        source = f"{OTHERS[consumer]} calls Apache Dubbo {NEWEST}"
        yield f"{consumer}-3.3", source, lambda consumer=consumer: others(stage, consumer)  # type: ignore[misc]
    for short, provider in (("3.3", NEWEST), ("2.7", OLDER)):
        for name in RAW:
            yield (
                f"raw-{short}-{name}",
                f"octets of dubbo_raw.py to Apache Dubbo {provider}",
                lambda name=name, provider=provider: raw(stage, name, provider),  # type: ignore[misc]
            )


def main(names: Sequence[str]) -> None:
    """Record those with these names, or all."""
    VECTORS.mkdir(exist_ok=True)
    stage = Stage()
    try:
        for name, source, record in all_of(stage):
            if names and name not in names:
                continue
            vector = record().to_vector(name)
            assert 0 < vector.size <= SIZE_LIMIT, (name, vector.size)
            vector.save(VECTORS, f"{source}: python protocols/dubbo/tools/record.py {name}")
            print(f"{name}: {vector.size} octets", flush=True)
    finally:
        stage.close()


if __name__ == "__main__":
    main(sys.argv[1:])
