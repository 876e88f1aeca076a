"""Sessions of the small protocols that pair or write wrongly, for whatever has to find that: fuzzing and stateful machines."""

from __future__ import annotations

import toys
from l7codecs import Flow, Limits, Message, Protocol, Sender
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.pairing.tables import FifoPairing
from toys import ToySession


class AfterLoss(ToySession):
    """Pairs on as if nothing were lost."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        super().__init__(flow, limits, endpoint)
        table = self.decoder(Sender.CLIENT).asks
        assert isinstance(table, FifoPairing)
        table.observes = False


class CrossesLate(AnswerOrder):
    """A late answer is written, as if it were the next request's."""

    def answer(self, request: Message | None, message: Message, octets: bytes) -> bytes:
        if request is not None and not self._waiting.waits(request):
            return self.push(message, octets)
        return super().answer(request, message, octets)


class WritesBackwards(AnswerOrder):
    """What is answered is written at once."""

    def answer(self, request: Message | None, message: Message, octets: bytes) -> bytes:
        return self.push(message, octets)


def with_order(order: type[AnswerOrder]) -> Protocol:
    """Frames whose sessions write in that order."""

    class Opens(ToySession):
        def new_order(self, sender: Sender) -> AnswerOrder:
            decoder = self.decoder(sender)
            return order(decoder.answers, self.limits, decoder.asks)

    return toys.framed(session=Opens)
