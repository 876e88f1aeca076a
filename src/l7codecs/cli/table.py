"""One line of text for each record, for people."""

from __future__ import annotations

from datetime import UTC, datetime

from l7codecs.capture.records import Record, text_of

__all__ = ["HEADING", "printable", "row_of"]

HEADING = "{:15} {:34} {:8} {:1} {:9} {:18} {:24} {:20} {}".format(
    "TIME (UTC)", "FLOW", "PROTOCOL", "", "KIND", "OPERATION", "RESOURCES", "STATUS", "OCTETS"
)


def printable(text: str) -> str:
    """`text` with everything escaped that would move a terminal's cursor or end the line."""
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def row_of(record: Record) -> str:
    """The line of one record, with its end."""
    time = record["time"]
    assert isinstance(time, float)
    moment = datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S.%f")
    kind = str(record["kind"])
    head = f"{moment} {record['flow']!s:34} {record['protocol'] or '?'!s:8} {'>' if record['sender'] == 'client' else '<'} {kind:9} "
    if kind == "error":
        return f"{head}at octet {record['offset']}: saw {record['seen']}, expected {record['expected']}\n"
    if kind == "gap":
        return f"{head}{record['size']} octets lost at octet {record['offset']}\n"
    service, operation = record["service"], record["operation"]
    called = f"{service}/{operation}" if service and operation else str(operation or service or "")
    resources = record["resources"]
    assert isinstance(resources, tuple)
    named = printable(" ".join(text_of(item) for item in resources))
    status = str(record["error"] or record["status"] or "")
    size = "" if record["size"] is None else str(record["size"])
    if record["more"]:
        size += "+"
    return f"{head}{_fit(printable(called), 18)} {_fit(named, 24)} {_fit(printable(status), 20)} {size}\n"


def _fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns, cut with an ellipsis where it is longer."""
    return f"{text:{width}}" if len(text) <= width else text[: width - 1] + "…"
