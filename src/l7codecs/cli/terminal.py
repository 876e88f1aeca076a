"""What the command writes: nothing in it moves a terminal's cursor, or turns the direction of its text.

Names of files, what a plugin says of itself and what stands on the wire are shown with escapes: ``\\x1b`` and the like in
text, ``\\u001b`` in JSON, which reads the same.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["discard", "json_safe", "printable", "say", "show"]


def printable(text: str) -> str:
    """`text` with everything escaped that would move a terminal's cursor, end the line, or turn its direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def json_safe(line: bytes) -> bytes:
    """JSON in UTF-8 with such characters as ``\\u`` escapes; ends of lines, which no string has, stay."""
    if line.isascii() and line.find(0x7F) < 0:  # an encoder escapes the other controls itself
        return line
    text = line.decode()
    if text.rstrip("\n").isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text).encode()


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


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
