"""What the fuzzing suite has found about loss: nobody sent what these were told to be."""

from pathlib import Path
from struct import pack

import pytest

from l7codecs import Message, Sender, get_protocol, open_session
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


@pytest.mark.parametrize("size", [49, 66, 300])
def test_a_batch_before_the_next_answer_is_none(size: int) -> None:
    """A leader epoch of 0 is followed by 1, the id that comes next."""
    session = open_session("kafka")
    ask = b"\0\x12\0\0" + b"\0\0\0\1" + b"\0\1c"
    list(session.gap(Sender.CLIENT))
    list(session.gap(Sender.SERVER))
    list(session.receive(Sender.CLIENT, pack(">i", len(ask)) + ask))
    batch = pack(">iibI", size, 0, 2, 0xEF93C737) + bytes(size - 9)
    answer = pack(">iihi", 10, 1, 0, 0)
    events = list(session.receive(Sender.SERVER, batch + answer)) + list(session.eof(Sender.SERVER))
    told = [event for event in events if isinstance(event, Message)]
    assert [(each.request_id, each.raw) for each in told] == [(1, answer)]
