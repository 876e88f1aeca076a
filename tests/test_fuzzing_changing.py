"""What is written anew, with another number or attribute, is held to what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import toys
from l7codecs import Changes, Message, Protocol, Unsupported
from l7codecs.testing.fuzzing import Fuzzer, Material, load_material
from toys import NumberedDecoder, NumberedMessage, NumberedSession, ToyMessage, ToySession, frame

ROOT = Path(__file__).resolve().parent.parent


def first_fault(protocol: Protocol, numbered: bool) -> str | None:
    """What is found among the seeds, some of them over again."""
    each = Fuzzer(Material(protocol, toys.framed_vectors(numbered)), ["conversation"], 1)
    target = each.targets[1]
    for seed in range(40):
        for program in target.seeds(each.chance):
            try:
                target.examine(dataclasses.replace(program, seed=seed))
            except AssertionError as error:
                return str(error)
    assert target.figures["changed"] > 10
    return None


class WritesBeside(NumberedMessage):
    def renumbered(self, number: int) -> bytes:
        octets = super().renumbered(number)
        return octets[:5] + octets[6:7] + octets[5:6] + octets[7:]


def test_a_number_in_the_wrong_order_is_found() -> None:
    decoder = type("Makes", (NumberedDecoder,), {"messages": WritesBeside})
    session = type("Opens", (NumberedSession,), {"decoders": decoder})
    assert "is meant" in str(first_fault(toys.numbered(session=session), True))
    assert first_fault(toys.numbered(), True) is None


class Changing(ToySession):
    """Changes the first word; a new size is written but where a subclass does not."""

    grows = 1

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if changes is None:
            return super().send_message(message, changes)
        word = changes.attributes.get("toy.operation")
        if not isinstance(message, ToyMessage) or not isinstance(word, str):
            raise Unsupported("only the first word changes")
        body = word.encode() + message.payload[len(message.operation or "") :]
        octets = frame(chr(message.octets[message.start + 4]), body)
        return octets if self.grows else message.raw[:4] + octets[4:]


class KeepsTheSize(Changing):
    grows = 0


def test_a_change_that_keeps_the_old_size_is_found() -> None:
    for session, says in ((KeepsTheSize, "sent with toy.operation = "), (Changing, "None")):
        protocol = toys.framed(session=session)
        attributes = tuple(
            dataclasses.replace(each, changeable=each.name == "toy.operation") for each in protocol.attributes
        )
        assert says in str(first_fault(dataclasses.replace(protocol, attributes=attributes), False))


@pytest.mark.parametrize("name", ["redis", "kafka", "thrift", "dubbo", "thriftmux"])
def test_nothing_is_found_in_our_rooms(name: str) -> None:
    each = Fuzzer(load_material(name, folder=ROOT), ["conversation"], 1)
    for data in each.seeds(60):
        each.run(data)
    assert each.targets[1].figures["changed"] > 0
