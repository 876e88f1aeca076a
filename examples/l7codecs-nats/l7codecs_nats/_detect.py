"""Is this NATS? The server speaks first: INFO, and JSON."""

from __future__ import annotations

from l7codecs import Detection, Sender, Verdict

from ._messages import CLIENT

__all__ = ["detect"]

_INFO = b"INFO {"
_SCORE = 80


def detect(client: bytes, server: bytes) -> Detection:
    """The server decides; what no client says is denied before."""
    word = client[:8].upper().replace(b"\t", b" ").replace(b"\r", b" ").replace(b"\n", b" ")
    if word:
        first, blank, _ = word.partition(b" ")
        if first not in CLIENT if blank or len(word) == 8 else not any(name.startswith(first) for name in CLIENT):
            return Detection(Verdict.NO)
    begun = server[: len(_INFO)].upper().replace(b"\t", b" ")
    if begun == _INFO:
        return Detection(Verdict.YES, _SCORE, "the server sends INFO and JSON")
    if _INFO.startswith(begun):
        return Detection(Verdict.MORE, _SCORE, "the server's INFO", Sender.SERVER)
    return Detection(Verdict.NO)
