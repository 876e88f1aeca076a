"""One line of text for each record, for people.

On a terminal columns are cut to what fits; in a file or a pipe nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from l7codecs.cli.terminal import printable
from l7codecs.records import Record, text_of

__all__ = ["Widths", "heading", "row_of", "widths"]

_BESIDE = 102
"""Columns of a row beside the operation and the resources."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Columns of the operation and of the resources; ``cut``: longer ones are cut."""

    operation: int = 32
    resources: int = 24
    cut: bool = False


def widths(columns: int | None) -> Widths:
    """What fits a terminal of so many columns; None for no terminal."""
    if columns is None:
        return Widths()
    spare = max(0, columns - _BESIDE - 56)
    return Widths(32 + spare // 2, 24 + spare - spare // 2, True)


def heading(widths: Widths) -> str:
    """The line above all rows, without its end."""
    columns = ("OPERATION", widths.operation), ("RESOURCES", widths.resources), ("STATUS", 20)
    named = " ".join(f"{name:{width}}" for name, width in columns)
    return f"{'TIME (UTC)':15} {'FLOW':34} {'PROTOCOL':8}   {'KIND':9} {named} OCTETS"


def row_of(record: Record, widths: Widths) -> str:
    """The line of one record, with its end."""
    time = record["time"]
    assert isinstance(time, float)
    moment = datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S.%f")
    kind = str(record["kind"])
    head = f"{moment} {record['flow']!s:34} {record['protocol'] or '?'!s:8} {'>' if record['sender'] == 'client' else '<'} {kind:9} "
    if kind == "error":
        return (
            printable(f"{head}at octet {record['offset']}: saw {record['seen']}, expected {record['expected']}") + "\n"
        )
    if kind == "gap":
        return f"{head}{record['size']} octets lost at octet {record['offset']}\n"
    if kind == "encrypted":
        return f"{head}its messages cannot be read\n"
    service, operation = record["service"], record["operation"]
    called = f"{service}/{operation}" if service and operation else str(operation or service or "")
    resources = record["resources"]
    assert isinstance(resources, tuple)
    named = printable(" ".join(text_of(item) for item in resources))
    status = str(record["error"] or record["status"] or "")
    size = "" if record["size"] is None else str(record["size"])
    if record["more"]:
        size += "+"
    what = _fit(printable(called), widths.operation, widths.cut), _fit(named, widths.resources, widths.cut)
    return f"{head}{' '.join(what)} {_fit(printable(status), 20, widths.cut)} {size}\n"


def _fit(text: str, width: int, cut: bool) -> str:
    """`text` in `width` columns or more; in exactly as many, with an ellipsis where it is longer, if `cut`."""
    return f"{text:{width}}" if len(text) <= width or not cut else text[: width - 1] + "…"
