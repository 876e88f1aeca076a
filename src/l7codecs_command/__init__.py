"""The first step of the ``l7codecs`` command: Ctrl-C while everything is imported ends the process, and shows no traceback.

A package of its own, since importing anything of ``l7codecs`` imports most of it. Importing this changes nothing.
"""

import signal

__all__ = ["begin", "imported", "main"]

_begun = False


def begin() -> None:
    """Let SIGINT end the process at once, unless whoever started it has it ignored."""
    global _begun
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _begun = True


def imported() -> None:
    """Everything is imported: from now on SIGINT is a KeyboardInterrupt again. Nothing where `begin` changed nothing."""
    global _begun
    if _begun:
        _begun = False
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> int:
    """Run the command; returns the exit status."""
    begin()
    from l7codecs.cli import main as run

    return run()
