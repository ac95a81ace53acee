"""A deployed network in a notebook: a table of its layers, each with its weights as a small histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lava_qsnn.integer._layers import Layer
    from lava_qsnn.integer._network import IntegerNetwork

#: Bars of a histogram at most, and its extent in pixels.
MOST_BARS, WIDTH, HEIGHT = 24, 96, 20

#: The columns of the table; what stands right are numbers.
COLUMNS = ("layer", "shape", "neurons", "from", "weights", "least", "most", "histogram")


def network_html(network: IntegerNetwork) -> str:
    """A network as an HTML table, that shows in light and dark notebooks alike."""
    given = network.input
    steps = "any number of time steps" if network.is_endless else f"{network.timesteps} time steps"
    shape = "x".join(map(str, given.shape))
    head = "".join(f"<th style='padding:2px 12px 2px 0;text-align:left'>{name}</th>" for name in COLUMNS)
    rows = "".join(_row(network, layer) for layer in network.layers)
    exact = "exact" if network.stock_exact else "not exact"
    return (
        f"<div><p><b>IntegerNetwork</b>: input {shape}, {given.minimum} to {given.maximum}, {steps}, "
        f"{exact} in unmodified NetX</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(network: IntegerNetwork, layer: Layer) -> str:
    from html import escape  # most programs show none

    weights = np.concatenate([connection.synapse.weight.ravel() for connection in layer.connections])
    cells = (
        escape(layer.name),
        "x".join(map(str, network.shapes[layer.name])),
        escape(layer.neuron.kind.replace("_", " ")),
        escape(", ".join(network.sources(layer.name))),
        f"{weights.size:,}",
        f"{int(weights.min()):,}",
        f"{int(weights.max()):,}",
        histogram(weights),
    )
    return (
        f"<tr>{''.join(f'''<td style='padding:2px 12px 2px 0;text-align:left'>{cell}</td>''' for cell in cells)}</tr>"
    )


def histogram(weights: NDArray[np.integer[Any]]) -> str:
    """Integers as an SVG histogram: a bar for each number where they span few, the tallest as high as the picture."""
    least, greatest = int(weights.min()), int(weights.max())
    bars = min(MOST_BARS, greatest - least + 1)
    counts = np.histogram(weights, np.linspace(least, greatest + 1, bars + 1))[0]
    width = WIDTH / bars
    drawn = "".join(
        f"<rect x='{index * width:.2f}' y='{HEIGHT - height:.2f}' "
        f"width='{max(width - 1, 1):.2f}' height='{height:.2f}'/>"
        for index, height in enumerate(HEIGHT * counts / counts.max())
        if height
    )
    said = f"weights from {least} to {greatest}"
    return f"<svg width='{WIDTH}' height='{HEIGHT}' role='img' aria-label='{said}' fill='currentColor'>{drawn}</svg>"
