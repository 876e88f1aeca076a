"""One connection: which answer is of which command, and answers that are made here."""

from __future__ import annotations

from l7codecs import Flow, Kind, Limits, Message, PairingTable, QuietPairing, Sender, Session, Status, Unsupported

from ._answers import META, Answer, AnswerDecoder
from ._commands import CommandDecoder, MetaCommand

__all__ = ["MemcachedSession"]

ERRORS = ("ERROR", "CLIENT_ERROR", "SERVER_ERROR")
ONLY = {
    "MN": "mn", "ME": "me", "VERSION": "version", "EN": "mg", "VA": "mg ma", "NS": "ms", "NF": "md ma ms",
    "EX": "md ma ms", "HD": "mg md ma ms",
}  # fmt: skip
"""What an answer can be of, where its first word tells."""
NEEDS = {"NS": b"M", "NF": b"C", "EX": b"C"}
"""The flag without which no ms is answered so: a mode, or a comparison."""


def quiet(request: Message) -> bool:
    """Whether an answer that tells nothing new is left out."""
    return isinstance(request, MetaCommand) and request.quiet


def fits(request: Message, answer: Message) -> int:
    """Whether `answer` can be of `request`: 0 no, 1 yes, 2 for certain, 3 no quiet one has it."""
    if not isinstance(answer, Answer) or answer.verb.note in ERRORS:
        return 1
    word = answer.verb.note or ""
    only = ONLY.get(word)
    if only is None:
        return 0 if isinstance(request, MetaCommand) else 3
    if request.operation is None or request.operation not in only.split():
        return 0
    if not isinstance(request, MetaCommand) or word not in META:
        return 3
    if answer.request_id != request.request_id:
        return 0
    if request.quiet and word == ("EN" if request.operation == "mg" else "HD"):
        return 0  # that is what it leaves out
    if request.operation == "ms" and word in NEEDS and not any(flag.startswith(NEEDS[word]) for flag in request.flags):
        return 0
    if answer.request_id is not None:
        return 2
    if word == "EN":
        return 3
    return int(answer.key is None or (answer.key,) == request.resources)


class MemcachedSession(Session):
    """One connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        commands = QuietPairing(limits.pending, quiet, fits, limits.waiting, strict=endpoint is not None)
        other = PairingTable()  # the server asks nothing
        client = CommandDecoder(flow, Sender.CLIENT, limits, commands, other)
        self._answers = AnswerDecoder(flow, Sender.SERVER, limits, other, commands)
        super().__init__(flow, client, self._answers, limits, endpoint)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """``SERVER_ERROR text``, or CLIENT_ERROR where the client is to blame, in its turn."""
        if request.kind is not Kind.REQUEST or request.sender is not Sender.CLIENT:
            raise Unsupported("only a command that waits for an answer can be answered with an error")
        if status is Status.OK:
            raise ValueError("an error needs a status other than OK")
        word = b"CLIENT_ERROR" if status in (Status.INVALID_ARGUMENT, Status.PERMISSION_DENIED) else b"SERVER_ERROR"
        octets = word + b" " + " ".join(text.split()).encode("utf-8", "replace")[:1000] + b"\r\n"
        reply = next(MemcachedSession(self.flow, self.limits).receive(Sender.SERVER, octets))
        assert isinstance(reply, Message)
        reply.request = request
        return self.answer(request, reply)
