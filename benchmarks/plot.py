"""Draw the figures of a report: ``python plot.py REPORT.json FOLDER`` writes ``speed.svg`` and ``sizes.svg``.

``report.py`` does the same where it writes the page. Each bar names its figure in a ``<title>``, as the table has it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from math import log10
from pathlib import Path
from textwrap import wrap
from typing import Any

if __package__:
    from .report import cells, read
else:
    from report import cells, read

__all__ = ["draw", "sizes", "speed"]

WIDTH = 480
"""As wide as a phone is nearly, so that the text stays readable there."""
LEFT = 208
RIGHT = 424
ROW = 18
FIGURE = 4
"""The place of the figure among the cells of a line."""
LEAST, MOST = 0.5, 200.0
OURS, AT_LEAST, WORSE, GRID, TEXT = "#3f51b5", "#d84315", "#b0795a", "#dddddd", "#222222"


def draw(folder: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Write both drawings into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.svg").write_text(speed(lines), "utf-8")
    (folder / "sizes.svg").write_text(sizes(lines), "utf-8")


def speed(lines: Sequence[dict[str, Any]]) -> str:
    """How many times as fast as each peer; the scale is logarithmic."""
    shapes: list[str] = []
    at = 44
    shown = [line for line in lines if line["unit"] == "×" and line["peer"] != "–"]
    for work, group in groupby(shown, lambda line: str(line["work"])):
        for part in wrap(work.replace("`", ""), 66):
            shapes.append(_text(8, at, part, weight="bold"))
            at += ROW - 2
        for line in group:
            shapes += _ratio(line, at)
            at += ROW
        at += 10
    grid: list[str] = []
    for value in (1, 3, 10, 30, 100):
        x = _place(value)
        grid.append(f'<path d="M{x:.1f} 30V{at - 14}" stroke="{TEXT if value == 1 else GRID}"/>')
        grid.append(_text(x, 24, f"{value:g}×", anchor="middle"))
    heading = _text(8, 24, "times as fast as", weight="bold")
    return _drawing(at, "Speed beside each peer", [*grid, heading, *shapes])


def sizes(lines: Sequence[dict[str, Any]]) -> str:
    """How much of its limit each size or growth takes."""
    shapes: list[str] = []
    at = 44
    for line in lines:
        if line["peer"] != "–" or not line["at_most"] or line["reach"] is None:
            continue
        for part in wrap(line["work"].replace("`", ""), 72):
            shapes.append(_text(8, at, part))
            at += ROW - 2
        text = cells(line)
        share = min(line["value"] / line["reach"], 1.2)
        shapes.append(
            f'<g><title>{escape(text[FIGURE])}</title><rect x="8" y="{at - 11}" width="{max(1.0, share * 300):.1f}" height="12"'
            f' fill="{OURS if line["reached"] else WORSE}"/></g>'
        )
        shapes.append(f'<path d="M308 {at - 14}v18" stroke="{AT_LEAST}" stroke-width="2"/>')
        shapes.append(_text(316, at, f"{text[FIGURE]}, {text[FIGURE + 2]}"))
        at += ROW + 8
    heading = _text(8, 24, "of what it may be (the mark)", weight="bold")
    return _drawing(at, "Sizes and growth beside their limits", [heading, *shapes])


def _ratio(line: dict[str, Any], at: int) -> Iterator[str]:
    """One bar of `speed`, at height `at`: from 1 to the ratio, the middle half of the rounds on it, and the reach."""
    figure = cells(line)[FIGURE]
    one, end = _place(1), _place(line["value"])
    color = OURS if line["value"] >= 1 else WORSE
    yield _text(16, at, line["peer"].replace("`", ""))
    yield (
        f'<g><title>{escape(figure)}</title><rect x="{min(one, end):.1f}" y="{at - 10}" width="{max(1.0, abs(end - one)):.1f}"'
        f' height="11" fill="{color}"/></g>'
    )
    if line["spread"]:
        low, high = map(_place, line["spread"])
        yield f'<path d="M{low:.1f} {at - 4.5}H{high:.1f}" stroke="#ffffff" stroke-opacity="0.8" stroke-width="3"/>'
    if line["reach"] is not None:
        yield f'<path d="M{_place(line["reach"]):.1f} {at - 13}v17" stroke="{AT_LEAST}" stroke-width="2"/>'
    yield _text(max(one, end) + 5, at, figure, weight="bold")


def _place(value: float) -> float:
    value = min(max(value, LEAST), MOST)
    return LEFT + (RIGHT - LEFT) * log10(value / LEAST) / log10(MOST / LEAST)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _drawing(height: int, title: str, shapes: Iterable[str]) -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11.5"'
            f' fill="{TEXT}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
            *shapes,
            "</svg>\n",
        )
    )


if __name__ == "__main__":
    draw(Path(sys.argv[2]), read(Path(sys.argv[1]))[1])
