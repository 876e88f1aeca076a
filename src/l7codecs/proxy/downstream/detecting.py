"""What a client of a listener of ``auto`` speaks, from its first octets alone: its server is not known before that.

Whoever plays a side need not tell apart what one session speaks (`Protocol.session`): clients may wait for what that session says first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from l7codecs.detect import detect
from l7codecs.kinds import Sender
from l7codecs.protocol import Protocol, Verdict

__all__ = ["choose"]


def choose(first: bytes, protocols: Sequence[Protocol], agreed: Collection[str], final: bool) -> Protocol | None:
    """The protocol of a client that begins with `first`; None while it is worth waiting, and, with `final`, where there is none.

    `agreed` are names that TLS has agreed on.
    """
    by_name = {each.name: each for each in protocols}
    found = [
        each
        for each in detect(first, b"", protocols)
        if not agreed or any(name in agreed for name in by_name[each.protocol].alpn)
    ]
    best = next((each for each in found if each.verdict is Verdict.YES), None)
    for each in found:
        if each is best:
            break
        if final or each.verdict is Verdict.YES or each.needs is Sender.SERVER:
            continue
        if best is not None and by_name[each.protocol].session is not None:
            if by_name[each.protocol].session is by_name[best.protocol].session:
                continue
        return None
    return None if best is None else by_name[best.protocol]
