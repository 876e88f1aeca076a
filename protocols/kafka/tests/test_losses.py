"""What the fuzzing suite has found about loss: nobody sent what these were told to be."""

from pathlib import Path

import pytest

from l7codecs import get_protocol
from l7codecs.testing import load_vectors
from l7codecs.testing.fuzzing import Fuzzer, Material, Program, Step

VECTORS = {vector.name: vector for vector in load_vectors(Path(__file__).parent.parent / "vectors")}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        # The metadata of a member, at the end of an answer, looks like an answer with id 0; answer 4 follows.
        ("aiokafka-group", (Step(1, 3, 1, b"\x56\x99\x32\x01"),)),
        ("aiokafka-group", (Step(0, 0, 0, b"\x58\x7e\xf8\x00"), Step(0, 1, 1, b"\x4f\x8c\x33\x00"))),
        # So does a batch of records.
        (
            "kafka-go-fetch",
            (
                Step(0, 2, 0, b"\xcb\xf7\x20\x01"),
                Step(0, 3, 0, b"\xec\x35\x9a\x00"),
                Step(0, 1, 0, b"\x6c\xc8\x26\x00"),
                Step(0, 0, 0, b"\x9d\xd6\xe4\x01"),
            ),
        ),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_no_message_is_invented(name: str, steps: tuple[Step, ...], seed: int) -> None:
    fuzzer = Fuzzer(Material(get_protocol("kafka"), [VECTORS[name]]), ["loss"])
    fuzzer.run(Program(3, (Step(0), *steps), 0, seed).encode())
    assert fuzzer.executions["loss"] == 1
