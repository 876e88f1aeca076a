"""Is this DNS over TCP? There is no magic number: the structure of the first query has to hold."""

from __future__ import annotations

from l7codecs import Detection, Sender, Verdict

from ._wire import plausible

__all__ = ["detect"]

_SCORE = 50  # a structure checked on one side


def detect(client: bytes, server: bytes) -> Detection:
    """The client speaks first, and what it says decides."""
    verdict = plausible(client, 0, False)
    if verdict > 0:
        return Detection(Verdict.YES, _SCORE, "the client sends a length and a DNS header with one question")
    if verdict < 0:
        return Detection(Verdict.MORE, _SCORE, "a length and the beginning of a DNS header", Sender.CLIENT)
    return Detection(Verdict.NO)
