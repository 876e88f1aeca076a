"""Mutated conversations against every registered protocol that has vectors here, for longer than the suite does.

``make fuzz`` runs it; FUZZ_SECONDS (default 60) is for each protocol, FUZZ_SEED repeats a run. Every conversation is
replayed whole, octet by octet and at random cuts, through the public interface: the same events and errors, no other
exception, every octet in one event.
"""

import os
import random
import time
from pathlib import Path

import pytest

from l7codecs import Limits, Sender, get_protocol, list_protocols
from l7codecs.testing import Outcome, Vector, load_vectors, replay

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"connect": "http2", "grpc": "http2", "grpc_web": "http2", "triple": "http2"}
SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 1_000_000)))


def vectors_of(name: str) -> list[Vector]:
    folder = ROOT / "protocols" / FOLDERS.get(name, name) / "vectors"
    return load_vectors(folder) if folder.is_dir() else []


NAMES = [entry.name for entry in list_protocols() if vectors_of(entry.name)]


def mutated(vector: Vector, others: list[Vector], chance: random.Random) -> Vector:
    """Octets flipped, cut, doubled, swapped for interesting ones, or pieces of other conversations put in."""
    pieces = list(vector.pieces)
    for _ in range(chance.randint(1, 6)):
        index = chance.randrange(len(pieces))
        sender, octets = pieces[index]
        at = chance.randint(0, len(octets))
        end = min(len(octets), at + chance.randint(0, 16))
        action = chance.randrange(8)
        if action == 0:
            octets = octets[:at] + chance.randbytes(end - at) + octets[end:]
        elif action == 1:
            octets = octets[:at] + octets[end:]
        elif action == 2:
            octets = octets[:end] + octets[at:end] + octets[end:]
        elif action == 3:
            octets = (
                octets[:at]
                + chance.choice((b"\0", b"\xff", b"\r\n", b"-1", b"9" * 20, b"\x7f\xff\xff\xff"))
                + octets[at:]
            )
        elif action == 4:
            other_sender, other = chance.choice(chance.choice(others).pieces)
            pieces.insert(index, (other_sender, other))
            continue
        elif action == 5:
            pieces.insert(chance.randrange(len(pieces)), pieces[index])
            continue
        elif action == 6 and len(pieces) > 1:
            del pieces[index]
            continue
        elif octets:
            flipped = bytearray(octets)
            flipped[at % len(octets)] ^= 1 << chance.randrange(8)
            octets = bytes(flipped)
        pieces[index] = (sender, octets)
    return Vector(f"{vector.name}, mutated", tuple(pieces))


@pytest.mark.parametrize("name", NAMES)
def test_mutated_conversations(name: str) -> None:
    chance = random.Random(SEED)
    protocol = get_protocol(name)
    vectors = vectors_of(name)
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until:
        vector = mutated(chance.choice(vectors), vectors, chance)
        limits = (
            Limits() if chance.random() < 0.7 else Limits(head=chance.randint(1, 300), message=chance.randint(1, 300))
        )
        cuts = [chance.randint(0, vector.size) for _ in range(chance.randint(1, 8))]
        outcomes: list[Outcome] = [
            replay(protocol.open(limits=limits), cut, eof=True)
            for cut in (vector, vector.octet_by_octet(), vector.split(*cuts))
        ]
        for other in outcomes[1:]:
            difference = outcomes[0].difference(other)
            assert not difference, f"seed {SEED}, case {count}: {difference}\n{vector.to_text()}"
        for sender in Sender:
            raw = outcomes[0].raw(sender)
            assert vector.octets(sender).startswith(raw)
            assert sender in outcomes[0].errors or raw == vector.octets(sender)
        count += 1
    print(f"{name}: {count} conversations, seed {SEED}")
