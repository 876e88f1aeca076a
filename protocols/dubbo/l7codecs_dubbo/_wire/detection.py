"""Is this Dubbo? Two octets that nothing else begins with, and a header that makes sense.

Text of the telnet console alone is not told from that of others.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Detection, Sender, Verdict

from .boundary import is_plausible
from .header import HEADER, MAGIC, REQUEST

__all__ = ["detect"]

_NO: Final = Detection(Verdict.NO)
_MORE: Final = Detection(Verdict.MORE, 100, "the beginning of a header", Sender.CLIENT)
_NOTHING: Final = Detection(Verdict.MORE, 0, "", Sender.CLIENT)


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions, see `Protocol`. The client's tell: what a provider says first is text too."""
    if client:
        return _judge(client)
    return _MORE if _judge(server).verdict is not Verdict.NO else _NOTHING


def _judge(octets: bytes) -> Detection:
    """What one direction says."""
    if not MAGIC.startswith(octets[:2]):
        return _NO
    if len(octets) < HEADER:
        return _MORE
    if not is_plausible(octets, 0):
        return _NO
    what = "a request" if i64(octets[2]) & REQUEST != 0 else "an answer"
    return Detection(Verdict.YES, 100, f"the magic number and the header of {what}")
