"""Is this memcached's text protocol? The client speaks first, and its first line has to be one of the usual."""

from __future__ import annotations

import re

from l7codecs import Detection, Sender, Verdict

from ._commands import COMMANDS

__all__ = ["detect"]

_SCORE = 50  # a structure checked on one side
_LONGEST = max(map(len, COMMANDS))
_LINE = re.compile(
    rb"(?:gets?|touch|delete|mg|md|ma|me|gats?|incr|decr)(?: [^\x00-\x20]{1,250})+"
    rb"|(?:set|add|replace|append|prepend) [^\x00-\x20]{1,250} \d+ -?\d+ \d+(?: noreply)?"
    rb"|cas [^\x00-\x20]{1,250} \d+ -?\d+ \d+ \d+(?: noreply)?"
    rb"|ms [^\x00-\x20]{1,250} \d+(?: [^\x00-\x20]+)*"
    rb"|mn|version|quit|(?:stats|flush_all|verbosity|watch|slabs|lru_crawler)(?: [^\x00-\x20]+)*"
)


def detect(client: bytes, server: bytes) -> Detection:
    """The first line of the client decides."""
    line, lf, _ = client.partition(b"\n")
    if lf:
        if _LINE.fullmatch(line.removesuffix(b"\r").rstrip(b" ")):
            return Detection(Verdict.YES, _SCORE, "the client sends a command of memcached")
        return Detection(Verdict.NO)
    word, blank, _ = line.partition(b" ")
    known = word in COMMANDS if blank else any(name.startswith(word.removesuffix(b"\r")) for name in COMMANDS)
    if known and len(word) <= _LONGEST + 1:
        return Detection(Verdict.MORE, _SCORE, "the beginning of a command of memcached", Sender.CLIENT)
    return Detection(Verdict.NO)
