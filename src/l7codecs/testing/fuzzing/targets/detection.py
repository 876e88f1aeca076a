"""Detection over all protocols at once: it never raises, is final, and what is found is the same however the octets were cut."""

from __future__ import annotations

import random
from collections.abc import Iterator

from l7codecs import Limits, open_session
from l7codecs.kinds import Sender
from l7codecs.protocol import Detection as Answer
from l7codecs.protocol import Protocol, Verdict
from l7codecs.registry import load_protocols
from l7codecs.session import Session
from l7codecs.testing.fuzzing.program import Program
from l7codecs.testing.fuzzing.targets.conversation import Conversation
from l7codecs.testing.replay import Outcome

__all__ = ["Detection"]

_ASKED = 2048


class Detection(Conversation):
    """As a conversation, of which nothing is known: every protocol is asked for each beginning, and one that is detected decodes it."""

    name = "detection"
    number = 5

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for program in super().seeds(chance):
            yield Program(self.number, program.steps[:6])

    def fresh(self, chance: random.Random) -> Program | None:
        program = super().fresh(chance)
        return program and Program(self.number, program.steps[:6], program.limits, program.seed)

    def run(self, program: Program) -> None:
        heard = {
            sender: b"".join(r.octets for r in self.reads(program) if r.sender is sender)[:_ASKED] for sender in Sender
        }
        for protocol in load_protocols()[0]:
            self.ask(protocol, heard[Sender.CLIENT], heard[Sender.SERVER])
        super().run(program)

    def ask(self, protocol: Protocol, client: bytes, server: bytes) -> None:
        """Ask for more and more octets: a YES or NO stays."""
        final: Answer | None = None
        for size in sorted({0, 1, 2, 3, 4, 5, 8, 12, 16, 24, 40, 100, 300, 1024, _ASKED}):
            try:
                answer = protocol.detect(client[:size], server[:size])
            except Exception as error:
                raise AssertionError(f"detection of {protocol.name} raises {error!r}") from error
            if final is not None:
                assert answer.verdict is final.verdict, (
                    f"{protocol.name} says {final.verdict.value} ({final.reason}), and with more octets "
                    f"{answer.verdict.value} ({answer.reason})"
                )
            elif answer.verdict is not Verdict.MORE:
                final = answer
            self.figures[answer.verdict.value] += 1
            if size >= len(client) and size >= len(server):
                break

    def difference(self, one: Outcome, other: Outcome) -> str:
        """But for the order of the two sides: what waited for detection comes when its side is iterated."""
        return one.difference(other)

    def open(self, limits: Limits) -> Session:
        return open_session("auto", limits=limits)
