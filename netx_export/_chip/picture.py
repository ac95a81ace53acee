"""A picture of a layout: every core of every chip, coloured by its layer, as opaque as it is full."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.extras import extra
from lava_qsnn.outputs import PICTURES, writable
from netx_export._chip.layout import LayerLayout, Layout
from netx_export._chip.partition import described
from netx_export._chip.report import cores_text, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Cores in a row of a chip, and chips in a row of the picture.
COLUMNS, CHIPS_IN_A_ROW = 12, 4

#: Space between chips, in cores, and chips that a picture shows, the first ones.
GAP, MOST_CHIPS = 2.5, 40

#: The outline of a core, by the limit that its layer comes nearest to.
OUTLINES = {
    "synmem_words": "black",
    "state_words": "red",
    "axons_in": "darkorange",
    "axons_out": "magenta",
    "total_words": "blue",
}

#: An empty core is not quite without colour, so that a layer is seen where it hardly fills its cores.
FAINTEST = 0.25


class _Core(NamedTuple):
    x: float
    y: float
    chip: int


def plot_layout(layout: Layout, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw a layout: a grid of cores for each chip, in which a colour is a layer.

    A core's opacity is the share that its layer's fullest core takes of the limit it comes nearest to, its outline says
    which limit that is. Arrows lead between chips where messages do, the wider the more, if their number is known.

    Args:
        layout: of any network.
        path: an image file to write, PNG for example; None writes none.

    Returns:
        The matplotlib figure.

    Raises:
        ConfigurationError: the picture cannot be written there, or not in such a format.
    """
    if path is not None:
        writable(path, PICTURES)
    with extra("plot"):
        from matplotlib.figure import Figure  # drawing is optional, and its import takes time

    shown = min(layout.chips, MOST_CHIPS)
    rows, columns = math.ceil(shown / CHIPS_IN_A_ROW), min(shown, CHIPS_IN_A_ROW)
    height = math.ceil(layout.chip.cores / COLUMNS)
    legend_rows = math.ceil((len(layout.parts) + 3) / min(4, columns + 2))
    unit = 0.4 if columns == 1 else 0.28  # inches of a core
    size = (
        max(9.0, unit * columns * (COLUMNS + GAP)),
        1.0 + unit * rows * (height + GAP) + 0.21 * legend_rows,
    )
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for chip in range(shown):
        _draw_grid(axes, layout, chip)
    colors = _colors(len(layout.parts))
    for layer, color in zip(layout.parts, colors):
        _draw_layer(axes, layout, layer, color)
    _draw_arrows(axes, layout, shown)
    _finish(figure, axes, layout, colors, shown)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _colors(number: int) -> list[Any]:
    """Colours that neighbours in a network do not share."""
    from matplotlib import colormaps

    table = colormaps["tab20"]  # ten pairs, dark and light
    return [table((2 * index) % 20 + (2 * index) // 20 % 2) for index in range(number)]


def _corner(layout: Layout, chip: int) -> tuple[float, float]:
    """The upper left corner of a chip: rows of chips lead to and fro, so that successors are neighbours."""
    row, column = divmod(chip, CHIPS_IN_A_ROW)
    column = CHIPS_IN_A_ROW - 1 - column if row % 2 else column
    height = math.ceil(layout.chip.cores / COLUMNS)
    return column * (COLUMNS + GAP), -row * (height + GAP)


def _draw_grid(axes: Axes, layout: Layout, chip: int) -> None:
    from matplotlib.patches import Rectangle

    left, top = _corner(layout, chip)
    for core in range(layout.chip.cores):
        y, x = divmod(core, COLUMNS)
        axes.add_patch(Rectangle((left + x, top - y - 1), 0.9, 0.9, facecolor="0.97", edgecolor="0.88", linewidth=0.5))
    axes.text(left, top + 0.35, f"chip {chip}", fontsize=9)


def _draw_layer(axes: Axes, layout: Layout, layer: LayerLayout, color: Any) -> None:
    from matplotlib.patches import Rectangle

    alpha = FAINTEST + (1 - FAINTEST) * layer.share
    places = list(_places(layout, layer))
    for place in places:
        box = (place.x, place.y), 0.9, 0.9
        axes.add_patch(Rectangle(*box, facecolor=color, alpha=alpha, linewidth=0))
        axes.add_patch(Rectangle(*box, fill=False, edgecolor=OUTLINES[layer.binding], linewidth=1.0))
    number = [each.name for each in layout.parts].index(layer.name) + 1
    for place in _first_of_each_chip(places):
        axes.text(place.x + 0.45, place.y + 0.45, str(number), ha="center", va="center", fontsize=7, weight="bold")


def _places(layout: Layout, layer: LayerLayout) -> Iterator[_Core]:
    """The cores of a layer and where they lie; cores of a chip are counted in its order."""
    used = _used_before(layout, layer)
    for chip in layer.chips.tolist():
        if chip < MOST_CHIPS:
            left, top = _corner(layout, chip)
            y, x = divmod(used[chip], COLUMNS)
            yield _Core(left + x, top - y - 1, chip)
        used[chip] += 1


def _used_before(layout: Layout, layer: LayerLayout) -> NDArray[np.int64]:
    before = [each.chips for each in layout.parts if each.first_core < layer.first_core]
    return np.bincount(np.concatenate([*before, np.zeros(0, np.int64)]).astype(np.int64), minlength=layout.chips)


def _first_of_each_chip(places: list[_Core]) -> list[_Core]:
    return list({place.chip: place for place in reversed(places)}.values())


def _draw_arrows(axes: Axes, layout: Layout, shown: int) -> None:
    """Arrows between chips, from the middle of one to the middle of the other, bent so that both ways are seen."""
    flows = chip_flows(layout)
    most = max([flow for (a, b), flow in flows.items() if a != b], default=0.0)
    height = math.ceil(layout.chip.cores / COLUMNS)
    for (source, target), flow in flows.items():
        if source == target or max(source, target) >= shown:
            continue
        ends = []
        for chip in (source, target):
            left, top = _corner(layout, chip)
            ends.append((left + COLUMNS / 2, top - height / 2))
        width = 0.8 + 2.2 * flow / most if layout.traffic is not None else 1.4
        style = {
            "arrowstyle": "-|>",
            "mutation_scale": 10 + 3 * width,
            "linewidth": width,
            "color": "0.15",
            "alpha": 0.6,
        }
        axes.annotate("", ends[1], ends[0], arrowprops={**style, "connectionstyle": "arc3,rad=-0.25", "shrinkA": 12})


def chip_flows(layout: Layout) -> dict[tuple[int, int], float]:
    """Messages from chip to chip for a sample, the mean; 1 for each pair that is connected, where none were counted."""
    if layout.traffic is not None:
        means = layout.traffic.chip_pairs.mean(0)[:-1, :-1]
        return {(int(a), int(b)): float(means[a, b]) for a, b in zip(*np.nonzero(means))}
    chips = {layer.name: sorted(set(layer.chips.tolist())) for layer in layout.parts}
    found: dict[tuple[int, int], float] = {}
    for layer in layout.parts:
        for projection in layer.population.projections:
            pairs = ((a, b) for a in chips.get(projection.source, ()) for b in chips[layer.name])
            found.update(dict.fromkeys(pairs, 1.0))
    return found


def _finish(figure: Figure, axes: Axes, layout: Layout, colors: list[Any], shown: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    height = math.ceil(layout.chip.cores / COLUMNS)
    rows, columns = math.ceil(shown / CHIPS_IN_A_ROW), min(shown, CHIPS_IN_A_ROW)
    axes.set_xlim(-0.3, columns * (COLUMNS + GAP) - GAP + 0.2)
    axes.set_ylim(-rows * (height + GAP) + GAP - 0.2, 1.3)
    axes.set_aspect("equal")
    axes.set_axis_off()
    left_out = f"; chips {shown} to {layout.chips - 1} are left out" if shown < layout.chips else ""
    axes.set_title(
        f"{layout.chip.name}: {cores_text(layout)} on {counted(layout.chips, 'chip')}{left_out}", fontsize=11
    )
    layers = [
        Patch(facecolor=color, label=f"{number}  {layer.name}: {counted(layer.cores, 'core')}, {layer.share:.0%}")
        for number, (layer, color) in enumerate(zip(layout.parts, colors), 1)
    ]
    limits = [
        Line2D([], [], marker="s", linestyle="", markerfacecolor="white", markeredgecolor=OUTLINES[name], label=text)
        for name, text in ((name, f"nearest limit: {described(name)}") for name in OUTLINES)
        if any(layer.binding == name for layer in layout.parts)
    ]
    figure.legend(handles=[*layers, *limits], loc="outside lower center", ncols=min(4, columns + 2), fontsize=8)
