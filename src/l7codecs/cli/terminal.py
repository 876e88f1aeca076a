"""What the command writes: nothing in it moves a terminal's cursor, or turns the direction of its text.

Names of files, what a plugin says of itself and what stands on the wire are shown with escapes: ``\\x1b`` and the like in
text; `l7codecs.records.json_safe` does so with JSON.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["discard", "printable", "say", "show"]


def printable(text: str) -> str:
    """`text` with everything escaped that would move a terminal's cursor, end the line, or turn its direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: object) -> None:
    """One line on standard error, if there is one."""
    if sys.stderr is not None:
        try:
            print(f"l7codecs: {printable(str(text))}", file=sys.stderr, flush=True)
        except OSError:  # nobody is left to tell
            discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Let what `stream` still holds go nowhere, or Python tries to write it again when it ends, and complains."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def show(line: str) -> None:
    """One line on standard output; what its encoding lacks is escaped."""
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "backslashreplace"))
