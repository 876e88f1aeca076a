"""The ``l7codecs`` command.

    l7codecs decode FILE…        one line for each message of a capture
    l7codecs detect FILE…        which protocol each connection speaks, and why
    l7codecs protocols           what is registered, with ports and metadata
    l7codecs proxy -c FILE       the reference engine: messages go where rules say

Exit status: 0; 1 where ``decode --strict`` met a protocol error; 2 for a bad option, an unknown protocol, a broken
plugin or an unreadable file (everything else is still done).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

import l7codecs
import l7codecs_command
from l7codecs import PluginWarning
from l7codecs.cli.errors import UsageError
from l7codecs.cli.terminal import discard, say

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="l7codecs", description="Decode application-layer protocols.", allow_abbrev=False)
    compiled = "compiled" if l7codecs.__compiled__ else "pure Python"
    parser.add_argument("--version", action="version", version=f"l7codecs {l7codecs.__version__} ({compiled})")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    decode = commands.add_parser("decode", help="decode the messages of captures", allow_abbrev=False)
    decode.add_argument("files", nargs="+", metavar="FILE", help="pcap or pcapng, also gzipped; - for standard input")
    decode.add_argument("--protocol", metavar="NAME", help="take every connection for this protocol")
    decode.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT=NAME",
        help="take connections of this port for this protocol",
    )
    decode.add_argument("--format", choices=("table", "jsonl"), default="table", help="default: table")
    decode.add_argument("--strict", action="store_true", help="exit with status 1 if there was a protocol error")
    decode.add_argument("--no-progress", action="store_true", help="no progress bar on a terminal")
    decode.set_defaults(module="l7codecs.cli.decode")

    detect = commands.add_parser("detect", help="tell which protocol each connection speaks", allow_abbrev=False)
    detect.add_argument("files", nargs="+", metavar="FILE", help="pcap or pcapng, also gzipped; - for standard input")
    detect.add_argument("--json", action="store_true", help="one JSON object for each connection")
    detect.set_defaults(module="l7codecs.cli.detect")

    protocols = commands.add_parser("protocols", help="list the registered protocols", allow_abbrev=False)
    protocols.add_argument("--json", action="store_true", help="one JSON array, with the schema of every attribute")
    protocols.set_defaults(module="l7codecs.cli.protocols")

    fuzz = commands.add_parser(
        "fuzz", help="hold a protocol to its promises with octets that nobody wrote", allow_abbrev=False
    )
    fuzz.add_argument("protocol", metavar="NAME", help="a registered protocol")
    fuzz.add_argument("--seconds", type=float, default=60, help="default: 60")
    fuzz.add_argument("--runs", type=int, default=0, metavar="N", help="no more than N inputs")
    fuzz.add_argument("--seed", type=int, default=0, help="repeat a run; default: another each time")
    fuzz.add_argument("--vectors", action="append", default=[], metavar="FOLDER", help="conversations to begin with")
    fuzz.add_argument("--dictionary", default="", metavar="FILE", help="tokens, as libFuzzer and AFL read them")
    fuzz.add_argument(
        "--corpus", default="", metavar="FOLDER", help="inputs that are kept; read, and added to with --grow"
    )
    fuzz.add_argument("--grow", action="store_true", help="write inputs that reach something new into the corpus")
    fuzz.add_argument("--target", action="append", default=[], metavar="TARGET", help="default: all")
    fuzz.add_argument(
        "--engine", choices=("auto", "atheris", "own"), default="auto", help="default: atheris, if there is"
    )
    fuzz.add_argument(
        "--blind",
        action="store_true",
        help="fuzz what is installed, compiled or not, guided by nothing but what is told",
    )
    fuzz.add_argument(
        "--keep-going", action="store_true", help="go on behind a finding, and count those that say the same"
    )
    fuzz.add_argument("--findings", default="fuzz-findings", metavar="FOLDER", help="where a finding is kept")
    fuzz.add_argument(
        "--replay", action="append", default=[], metavar="PATH", help="run files instead, or all of a folder"
    )
    fuzz.add_argument("--minimize", action="store_true", help="make the corpus small, and say what it covers")
    fuzz.set_defaults(module="l7codecs.cli.fuzz")

    proxy = commands.add_parser("proxy", help="route messages to servers as a file says", allow_abbrev=False)
    proxy.add_argument("-c", "--config", metavar="FILE", help="YAML or JSON")
    proxy.add_argument(
        "--check", nargs="?", const="", metavar="FILE", help="only tell what is wrong with the file, or that of -c"
    )
    proxy.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    proxy.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    proxy.set_defaults(module="l7codecs.cli.proxy")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: those of the process); returns the exit status."""
    try:
        if sys.stdout is None:
            raise UsageError("standard output is closed")
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except UsageError as error:
        say(error)
        return 2
    except BrokenPipeError:
        # The reader of our output has seen enough: `l7codecs decode FILE | head`.
        discard(sys.stdout)
        return 0
    except OSError as error:
        say(f"cannot write: {error.strerror or error}")
        discard(sys.stdout)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:  # --help and --version have been printed
        return int(done.code or 0)
    try:
        if options.module == "l7codecs.cli.decode":
            from l7codecs.cli.decode import run
        elif options.module == "l7codecs.cli.detect":
            from l7codecs.cli.detect import run
        elif options.module == "l7codecs.cli.fuzz":
            from l7codecs.cli.fuzz import run
        elif options.module == "l7codecs.cli.proxy":
            from l7codecs.cli.proxy import run
        else:
            from l7codecs.cli.protocols import run
    except ModuleNotFoundError as error:
        extra = {"l7codecs.cli.fuzz": "fuzz", "l7codecs.cli.proxy": "cli,proxy"}.get(options.module, "cli,capture")
        raise UsageError(f"{error.name} is not installed: pip install 'l7codecs[{extra}]'") from None
    l7codecs_command.imported()
    broken = 0

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """A warning in one line, as every problem is told."""
        nonlocal broken
        broken += issubclass(category, PluginWarning)
        say(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)
        warnings.showwarning = show
        status = run(options)
    return 2 if broken else status
