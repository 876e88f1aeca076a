"""Print the table of figures, and write it into the documentation: ``python report.py REPORT.json [PAGE.md]``.

REPORT.json is what ``pytest --benchmark-json`` wrote. The page is changed between its two markers only, and only by a whole run of the
compiled build: whoever measures a part, or the pure build, gets the table on the terminal alone. The drawings beside the page (`plot.py`)
are made of the same figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BEGIN = "<!-- figures: begin, written by benchmarks/report.py -->"
END = "<!-- figures: end -->"
HEADER = ("work", "ours", "peer", "peer's", "ratio or size", "middle half", "reach", "reached")
WHOLE = {
    10,
    20,
    30,
    40,
    *range(50, 53),
    60,
    61,
    70,
    110,
    120,
    130,
    140,
    150,
    160,
    161,
    170,
    *range(180, 188),
    *range(190, 194),
    *range(210, 216),
}
"""The places of the rows that make a whole run."""


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], set[int]]:
    """What was measured: the machine, the table's lines in their order, and their places."""
    report = json.loads(path.read_text())
    rows = sorted(
        (extra["order"], extra["rows"]) for one in report["benchmarks"] if "order" in (extra := one["extra_info"])
    )
    return (
        report["machine_info"]["l7codecs"],
        [line for _, lines in rows for line in lines],
        {order for order, _ in rows},
    )


def cells(line: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    unit = line["unit"]
    digits = 2 if line["value"] < 10 else 1
    text = "×" if unit == "×" else f" {unit}"
    spread = line["spread"]
    reach = line["reach"]
    return (
        line["work"],
        line["figure"],
        line["peer"],
        line["peer_figure"],
        f"{line['value']:.{digits}f}{text}",
        f"{spread[0]:.{digits}f}–{spread[1]:.{digits}f}" if spread else "",
        "" if reach is None else f"{'≤' if line['at_most'] else '≥'} {reach:g}{text}",
        {True: "yes", False: "NO", None: ""}[line["reached"]],
    )


def caption(machine: dict[str, Any]) -> list[str]:
    """What was measured where."""
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    build = "compiled" if machine["compiled"] else "pure Python"
    return [
        f"l7codecs {machine['version']} ({build}), {machine['python']}, {machine['system']}, {machine['cpu']}.",
        f"Peers: {peers}.",
    ]


def plain(lines: Iterable[tuple[str, ...]]) -> str:
    """The table for a terminal: columns as wide as they need."""
    rows = [tuple(cell.replace("`", "") for cell in line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def markdown(lines: Iterable[tuple[str, ...]]) -> str:
    """The table for the page."""
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    rows.insert(1, "|---|---|---|---|---|---|---|---|")
    return "\n".join(rows)


def main(arguments: list[str]) -> int:
    machine, lines, places = read(Path(arguments[0]))
    if not lines:
        print("nothing was measured")
        return 0
    table = [HEADER, *map(cells, lines)]
    print(plain(table), *caption(machine), sep="\n")
    if len(arguments) > 1:
        import plot  # which reads reports by this module

        page = Path(arguments[1])
        missing = sorted(WHOLE - places)
        if missing or not machine["compiled"]:
            why = f"rows {', '.join(map(str, missing))} are missing" if missing else "this is the pure build"
            print(f"{page} stays as it is: {why}.")
        else:
            before, _, rest = page.read_text().partition(BEGIN)
            _, _, after = rest.partition(END)
            words = "  \n".join(caption(machine))
            plot.draw(page.parent / "plots", lines)
            page.write_text(f"{before}{BEGIN}\n\n{words}\n\n{markdown(table)}\n\n{END}{after}")
            print(f"{page} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
