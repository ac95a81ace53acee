"""Small charts as SVG, without text in them: they stretch with the page, and what they say stands beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from netx_export._report._elements import Element, tag
from netx_export._report._facts import Histogram, Raster

#: Steps of brightness by which graded values are drawn.
LEVELS = range(1, 5)

#: Bits of the widest bound that is drawn.
WIDEST = 32


def chart(width: float, height: float, label: str, *children: object, kind: str = "chart") -> Element:
    """A picture of some size in its own units, which fills its place on the page."""
    return tag(
        "svg",
        tag("title", label),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_=kind,
    )


def bars(histogram: Histogram, label: str) -> Element:
    """A histogram; bars that are not empty are seen, however small."""
    most = max(histogram.counts)
    drawn = []
    for index, count in enumerate(histogram.counts):
        height = max(2.0, 100 * count / most) if count else 0.0
        low = histogram.low + index * histogram.width
        values = f"{low:g}" if histogram.width == 1 else f"{low:.4g} to {low + histogram.width:.4g}"
        bar = tag(
            "rect", tag("title", f"{values}: {count:,}"), x=index + 0.08, y=100 - height, width=0.84, height=height
        )
        drawn.append(bar)
    return chart(len(histogram.counts), 100, label, drawn, kind="chart bars")


def steps(values: Sequence[float], label: str) -> Element:
    """One bar for each time step, of fractions from 0 to 1, against the largest of them."""
    most = max(max(values), 1e-9)
    drawn = [
        tag(
            "rect",
            tag("title", f"step {t}: {value:.1%}"),
            x=t + 0.04,
            y=100 - 100 * value / most,
            width=0.92,
            height=100 * value / most,
        )
        for t, value in enumerate(values)
    ]
    return chart(len(values), 100, label, drawn, kind="chart steps")


def spikes(raster: Raster, label: str) -> Element:
    """A raster: time to the right, a row a neuron; the larger a value the darker, negative ones in another colour."""
    largest = max((abs(value) for row in raster.rows for value in row), default=0) or 1
    coded = [[_level(value, largest) for value in row] for row in raster.rows]
    columns, count = max(map(len, raster.rows), default=1), max(1, len(raster.rows))
    looks = [(sign * level, f"{name} level{level}") for sign, name in ((1, "up"), (-1, "down")) for level in LEVELS]
    paths = [tag("path", d=path, class_=look) for code, look in looks if (path := cells(coded, code.__eq__))]
    return chart(columns, count, label, paths, kind="chart raster")


def _level(value: int, largest: int) -> int:
    """0 for 0, else the step of brightness, with the value's sign."""
    return int(math.copysign(math.ceil(LEVELS[-1] * abs(value) / largest), value)) if value else 0


def cells(rows: Sequence[Sequence[int]], chosen: Callable[[int], bool]) -> str:
    """The path of all cells whose value is chosen; those beside each other are one rectangle."""
    parts = []
    for y, row in enumerate(rows):
        for inside, run in groupby(enumerate(row), lambda cell: bool(chosen(cell[1]))):
            columns = [x for x, _ in run]
            if inside:
                parts.append(f"M{columns[0]} {y}h{len(columns)}v1h-{len(columns)}z")
    return "".join(parts)


def lines(rows: Sequence[Sequence[int]], label: str, chosen: int) -> Element:
    """Several numbers over time as lines, one of them set off."""
    low, high = min(0, *(min(row) for row in rows)), max(0, *(max(row) for row in rows))
    span, last = max(1, high - low), max(1, len(rows[0]) - 1)
    order = sorted(range(len(rows)), key=lambda index: index == chosen)
    drawn = [
        tag(
            "polyline",
            tag("title", f"output {index}"),
            points=" ".join(
                f"{100 * t / last:.2f},{100 * (high - value) / span:.2f}" for t, value in _held(rows[index])
            ),
            class_="chosen" if index == chosen else None,
        )
        for index in order
    ]
    zero = tag("line", x1=0, x2=100, y1=100 * high / span, y2=100 * high / span, class_="zero")
    return chart(100, 100, label, zero, drawn, kind="chart lines")


def _held(row: Sequence[int]) -> Iterable[tuple[int, int]]:
    """The points of a line; of a single step two, so that it is one."""
    return enumerate(row) if len(row) > 1 else ((0, row[0]), (1, row[0]))


def bound(reach: int, limits: dict[str, int], label: str) -> Element:
    """A bar of the bits that a reach takes, on a scale of WIDEST bits with a mark for each limit."""
    bits = min(WIDEST, math.log2(max(2, reach)))
    marks = [
        tag("line", tag("title", f"{name}: 2^{bit}"), x1=bit, x2=bit, y1=0, y2=10, class_="limit")
        for name, bit in limits.items()
    ]
    scale = tag("rect", x=0, y=3, width=WIDEST, height=4, class_="scale")
    return chart(
        WIDEST, 10, label, scale, tag("rect", x=0, y=3, width=bits, height=4, class_="reach"), marks, kind="chart bound"
    )
