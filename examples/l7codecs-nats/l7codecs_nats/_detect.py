"""Is this NATS? The server speaks first: INFO, and JSON."""

from __future__ import annotations

from l7codecs import Detection, Sender, Verdict

from ._messages import CLIENT

__all__ = ["detect"]

_INFO = b"INFO {"
_SCORE = 80
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")


def detect(client: bytes, server: bytes) -> Detection:
    """The server decides, whatever the client says: no verdict depends on who is seen first."""
    begun = server[: len(_INFO)].upper().replace(b"\t", b" ")
    if begun == _INFO:
        return Detection(Verdict.YES, _SCORE, "the server sends INFO and JSON")
    if not _INFO.startswith(begun):
        return Detection(Verdict.NO)
    word, blank, _ = client[:8].upper().translate(_BLANKS).partition(b" ")
    ours = word in CLIENT if blank or len(word) == 8 else any(name.startswith(word) for name in CLIENT)
    # What no client of NATS says holds up no other protocol.
    return Detection(Verdict.MORE, _SCORE if ours else 0, "the server's INFO", Sender.SERVER)
