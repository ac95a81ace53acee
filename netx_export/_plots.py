"""A picture of one sample on its way through a deployed network: spikes, potentials and thresholds, the answer."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError
from lava_qsnn.extras import extra
from lava_qsnn.integer import IntegerNetwork, Layer, Shape, check_input, compute
from lava_qsnn.outputs import PICTURES, writable
from netx_export._images import Frames, class_names, frames
from netx_export._open import NetworkOrPath, opened, title_of
from netx_export._predictions import predictions, tells_numbers
from netx_export._simulate import simulate_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Integers = NDArray[np.int64]

#: Potentials of this many neurons are drawn per layer: those that cross their threshold, then the nearest to it.
TRACES = 6

#: Classes that have their names below the bars; of more, their numbers at some.
MOST_NAMES = 20

#: The answer, the true class where that is another one, and the others.
ANSWER, TRUTH, OTHERS = "tab:red", "tab:blue", "0.7"


@dataclass(frozen=True)
class _Told:
    """The names of classes, the one that the network answers, and the true one, if that is known; or numbers."""

    names: list[str]
    answer: int
    label: int | None
    numbers: tuple[float, ...] = ()

    def words(self) -> str:
        """The answer, and the truth, with their colours if they differ."""
        if self.numbers:
            return "answer " + ", ".join(f"{name} {number:.4g}" for name, number in zip(self.names, self.numbers))
        answer = f"answer {self.names[self.answer]}"
        if self.label is None:
            return answer
        return f"{answer}, which is true" if self.is_right else f"{answer} (red), truth {self.names[self.label]} (blue)"

    @property
    def is_right(self) -> bool:
        """True if the answer is the true class."""
        return self.answer == self.label

    def color(self, index: int) -> str:
        return ANSWER if index == self.answer or self.numbers else TRUTH if index == self.label else OTHERS


def plot_sample(
    network: NetworkOrPath,
    x: NDArray[np.integer[Any]],
    path: str | os.PathLike[str] | None = None,
    *,
    backend: str = "reference",
    label: int | None = None,
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw one sample: per layer a spike raster beside potentials relative to their thresholds; last, the answer.

    Input of maps, and flattened images whose shape the network's metadata tell, are drawn as images.

    Args:
        network: a deployed network, or the path of its file.
        x: one sample, int (*input shape, T).
        path: an image file to write, PNG for example; None writes none.
        backend: a name from BACKENDS, whose outputs are drawn.
        label: the true class, to be shown beside the answer.
        title: of the picture, before the backend; by default the file's name.
        options: of `load`, for stock files.

    Returns:
        The matplotlib figure.

    Raises:
        ConfigurationError: the picture cannot be written there, or not in such a format, or there is no such backend.
        DeploymentError, RangeError: the backend would not compute this network, or this input, exactly.
        InputError: x does not fit the network, or there is no such class.
        FileFormatError, FileNotFoundError: as `load`.
    """
    if path is not None:
        writable(path, PICTURES)
    with extra("plot"):
        from matplotlib.figure import Figure  # drawing is optional, and its import takes time

    loaded = opened(network, x[None], **options)
    batch = check_input(loaded, x[None]).astype(np.int64)
    outputs = {"input": batch, **simulate_layers(loaded, batch, backend)}
    told = _told(loaded, outputs[loaded.output.name][0], label)
    figure = Figure(figsize=(10, 1.9 * (len(loaded) + 1)), layout="constrained")
    axes = figure.subplots(len(loaded) + 1, 2, squeeze=False)
    _draw_input(axes[0], batch[0], frames(loaded, batch[0]))
    for pair, layer in zip(axes[1:], loaded.layers):
        potentials = compute(layer, outputs)[1]
        _draw_layer(pair, layer, outputs[layer.name][0], potentials[0])
    _draw_answer(axes[-1], loaded.output, outputs[loaded.output.name][0], told)
    _finish(axes, x.shape[-1])
    figure.suptitle(f"{title or title_of(network, 'a network')} on '{backend}': {told.words()}")
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _told(network: IntegerNetwork, output: Integers, label: int | None) -> _Told:
    total = output.reshape(-1, output.shape[-1]).sum(1)
    if tells_numbers(network):
        (numbers,) = predictions(network, output[None])
        return _Told(class_names(network, len(numbers), "numbers"), 0, None, tuple(numbers.tolist()))
    if label is not None and not 0 <= label < len(total):
        raise InputError(f"there is no class {label} of {len(total)}", remedy="give its number, from 0 on")
    return _Told(class_names(network, len(total)), int(total.argmax()), label)


def _finish(axes: NDArray[Any], steps: int) -> None:
    """Whole time steps below all panels that have them; their name below the last ones."""
    for axis in axes.flat:
        if axis.get_gid() != "other":
            axis.set_xticks(range(0, steps, max(1, math.ceil(steps / 12))))
            axis.set_xlim(-0.5, steps - 0.5)
    for axis in axes[-1]:
        if axis.get_gid() != "other":
            axis.set_xlabel("time step")


def _draw_input(axes: NDArray[Any], sample: Integers, images: Frames | None) -> None:
    left, right = axes
    flat = sample.reshape(-1, sample.shape[-1])
    if images is None:
        image = left.imshow(flat, aspect="auto", interpolation="nearest", cmap="Greys", origin="lower")
        left.figure.colorbar(image, ax=left, pad=0.01)
        left.set(title="input", ylabel="input number")
    else:
        left.imshow(images.picture, interpolation="nearest", cmap=images.colors, vmin=images.low, vmax=images.high)
        left.set(title=f"input: {images.words}", xticks=images.ticks, xticklabels=images.steps, yticks=[])
        left.set_gid("other")
    _draw_counts(right, flat.sum(0), "sum of the input")


def _draw_layer(axes: NDArray[Any], layer: Layer, output: Integers, potentials: Integers) -> None:
    flat, flat_potentials = (values.reshape(-1, values.shape[-1]) for values in (output, potentials))
    if layer.neuron.spikes:
        _draw_raster(axes[0], layer.name, flat)
        _draw_potentials(axes[1], layer.name, flat_potentials - _thresholds(layer, output.shape))
    elif layer.neuron.feeds:
        _draw_messages(axes, layer.name, flat)


def _thresholds(layer: Layer, shape: Shape) -> Integers:
    """The threshold of each neuron and time step, (neurons, T), from the layer's (*shape, T); 0 where there is none."""
    neuron, (*place, timesteps) = layer.neuron, shape
    if neuron.levels is None:
        return np.zeros((math.prod(place), timesteps), np.int64)
    steps = [neuron.along(neuron.compared, len(place), t) for t in range(timesteps)]
    steps = [np.broadcast_to(levels, place).reshape(-1) for levels in steps]
    return np.stack(steps, -1)


def _draw_raster(axis: Axes, name: str, spikes: Integers) -> None:
    axis.imshow(spikes, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1.3, origin="lower")
    axis.set(title=f"{name}: spikes, {spikes.mean():.0%} of all", ylabel="neuron")


def _draw_potentials(axis: Axes, name: str, margins: Integers) -> None:
    crosses = (margins.min(1) < 0) & (margins.max(1) >= 0)
    chosen = np.lexsort((np.abs(margins).min(1), ~crosses))[:TRACES]
    axis.plot(margins[chosen].T, marker="o", markersize=3, linewidth=1)
    axis.axhline(0, color="black", linewidth=0.8, linestyle="--")
    axis.set_title(f"{name}: potential minus threshold, {len(chosen)} neurons")


def _draw_messages(axes: NDArray[Any], name: str, messages: Integers) -> None:
    """Draw the messages of neurons that do not spike: numbers, and how many are not 0."""
    largest = max(1, int(np.abs(messages).max()))
    shown = {"aspect": "auto", "interpolation": "nearest", "cmap": "RdBu", "vmin": -largest, "vmax": largest}
    image = axes[0].imshow(messages, origin="lower", **shown)
    axes[0].figure.colorbar(image, ax=axes[0], pad=0.01)
    axes[0].set(title=f"{name}: messages", ylabel="neuron")
    _draw_counts(axes[1], (messages != 0).sum(0), f"{name}: messages that are not 0")


def _draw_counts(axis: Axes, counts: Integers, title: str) -> None:
    """A number at each time step, with 0 in sight."""
    axis.plot(counts, color="black", marker="o", markersize=3)
    axis.set(title=title, ylim=(min(0.0, 1.08 * int(counts.min())), max(1.0, 1.08 * int(counts.max()))))


def _draw_answer(axes: NDArray[Any], layer: Layer, output: Integers, told: _Told) -> None:
    """The sums over time that decide; of a readout, how they come about, too."""
    left, right = axes
    flat = output.reshape(-1, output.shape[-1])
    if not layer.neuron.feeds:
        order = sorted(range(len(flat)), key=lambda index: index in (told.answer, told.label))
        for index, trace in zip(order, flat.cumsum(1)[order]):
            width = 0.8 if told.color(index) == OTHERS else 2.0
            left.plot(trace, marker="o", markersize=3, color=told.color(index), linewidth=width)
        left.set_title(f"{layer.name}: potentials summed over time")
    right.clear()
    right.bar(range(len(flat)), flat.sum(1), color=[told.color(index) for index in range(len(flat))])
    what, ending = ("spikes", "") if layer.neuron.spikes else ("the sum", "s")
    right.set_title(f"{layer.name}: {what} {'tell' if told.numbers else 'decide'}{ending}")
    right.set_xlabel("number" if told.numbers else "class")
    right.set_gid("other")
    if len(flat) <= MOST_NAMES:
        long = max(map(len, told.names)) > 3
        right.set_xticks(range(len(flat)), told.names, **({"rotation": 30, "ha": "right"} if long else {}))
    else:
        right.xaxis.get_major_locator().set_params(integer=True)
