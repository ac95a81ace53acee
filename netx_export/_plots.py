"""A picture of one sample on its way through a deployed network: spikes, potentials and thresholds, the answer."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.extras import extra
from lava_qsnn.integer import INPUT, IntegerNetwork, Layer, Shape, check_input, compute, run_reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Potentials of this many neurons are drawn per layer: those that cross their threshold, then the nearest to it.
TRACES = 6


def plot_sample(
    network: IntegerNetwork, x: NDArray[np.integer[Any]], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Draw one sample: per layer a spike raster beside potentials relative to their thresholds; last, the readout.

    Args:
        network: a deployed network.
        x: one sample, int (*input shape, T).
        path: an image file to write, PNG for example; None writes none.

    Returns:
        The matplotlib figure.
    """
    with extra("plot"):
        from matplotlib.figure import Figure  # drawing is optional, and its import takes time

    batch = check_input(network, x[None]).astype(np.int64)
    outputs = {INPUT: batch, **run_reference(network, batch)}
    potentials = {layer.name: compute(layer, outputs)[1] for layer in network.layers}
    rows = len(network) + 1
    figure = Figure(figsize=(10, 1.9 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, sharex=True, squeeze=False)
    _draw_input(axes[0], batch[0])
    for pair, layer in zip(axes[1:], network.layers):
        _draw_layer(pair, layer, outputs[layer.name][0], potentials[layer.name][0])
    for axis in axes[-1]:
        axis.set_xlabel("time step")
        axis.set_xticks(range(0, x.shape[-1], max(1, x.shape[-1] // 12)))
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _draw_input(axes: NDArray[Any], sample: NDArray[np.int64]) -> None:
    flat = sample.reshape(-1, sample.shape[-1])
    image = axes[0].imshow(flat, aspect="auto", interpolation="nearest", cmap="Greys", origin="lower")
    axes[0].figure.colorbar(image, ax=axes[0], pad=0.01)
    axes[0].set(title="input", ylabel="input number")
    axes[1].plot(flat.sum(0), color="black", marker="o", markersize=3)
    axes[1].set(title="sum of the input", ylim=(0, None))


def _draw_layer(axes: NDArray[Any], layer: Layer, output: NDArray[np.int64], potentials: NDArray[np.int64]) -> None:
    flat, flat_potentials = (values.reshape(-1, values.shape[-1]) for values in (output, potentials))
    if layer.neuron.spikes:
        _draw_raster(axes[0], layer.name, flat)
        _draw_potentials(axes[1], layer.name, flat_potentials - _thresholds(layer, output.shape[:-1])[:, None])
    else:
        _draw_readout(axes, layer.name, flat)


def _thresholds(layer: Layer, shape: Shape) -> NDArray[np.int64]:
    """The threshold of each neuron, flat; 0 where neurons have none."""
    if layer.neuron.threshold is None:
        return np.zeros(math.prod(shape), np.int64)
    return np.broadcast_to(layer.neuron.along("threshold", len(shape)), shape).reshape(-1)


def _draw_raster(axis: Axes, name: str, spikes: NDArray[np.int64]) -> None:
    axis.imshow(spikes, aspect="auto", interpolation="nearest", cmap="Blues", vmax=1.3, origin="lower")
    axis.set(title=f"{name}: spikes, {spikes.mean():.0%} of all", ylabel="neuron")


def _draw_potentials(axis: Axes, name: str, margins: NDArray[np.int64]) -> None:
    crosses = (margins.min(1) < 0) & (margins.max(1) >= 0)
    chosen = np.lexsort((np.abs(margins).min(1), ~crosses))[:TRACES]
    axis.plot(margins[chosen].T, marker="o", markersize=3, linewidth=1)
    axis.axhline(0, color="black", linewidth=0.8, linestyle="--")
    axis.set_title(f"{name}: potential minus threshold, {len(chosen)} neurons")


def _draw_readout(axes: NDArray[Any], name: str, potentials: NDArray[np.int64]) -> None:
    total = potentials.cumsum(1)
    winner = int(total[:, -1].argmax())
    for index, trace in enumerate(total):
        bold = index == winner
        style: dict[str, Any] = {"color": "tab:red", "linewidth": 2.0} if bold else {"color": "0.6", "linewidth": 0.8}
        axes[0].plot(trace, marker="o", markersize=3, label=f"class {index}" if bold else None, **style)
    axes[0].legend(loc="upper left", frameon=False)
    axes[0].set_title(f"{name}: potentials summed over time")
    colors = ["tab:red" if index == winner else "0.7" for index in range(len(total))]
    inset = axes[1].inset_axes((0, 0, 1, 1))
    axes[1].set_axis_off()
    inset.bar(range(len(total)), total[:, -1], color=colors)
    inset.set(title=f"{name}: the sum decides", xlabel="class", xticks=range(len(total)))
