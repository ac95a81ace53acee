"""Throughput of the Lava backends against depth, T, batch and spike rate, and its picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lava_qsnn.bench.lava import CONTENDERS, GOALS, Contender, Tell, dense_network, measure_throughput, timed
from lava_qsnn.extras import extra
from lava_qsnn.integer import IntegerNetwork

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Samples per second by what is varied, by contender, by value.
Curves = dict[str, dict[str, dict[float, float]]]

#: A network from which one number at a time is varied.
BASE: dict[str, float] = {"layers": 4, "time steps": 16, "samples per message": 0, "input spike rate": 0.1}

WIDTH = 256

#: What is drawn, and in which color. NetX and `lava` have no messages of samples.
COLORS = {
    "lava-async": "tab:blue",
    "lava-async, a step": "tab:cyan",
    "lava-fused": "tab:orange",
    "lava": "0.45",
    "netx": "0.7",
}
WITHOUT_MESSAGES = ("lava", "netx")


@dataclass(frozen=True)
class Plan:
    """A choice of measurements.

    Args:
        works: kinds of work of the table of throughput.
        repeats: runs of each backend; the median counts.
        share: of the samples that a full run takes.
        axes: values by what is varied.
        names: contenders of the table; None for all.
        curves: contenders of the picture.
    """

    works: tuple[str, ...] = tuple(GOALS)
    repeats: int = 3
    share: float = 1.0
    axes: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: {
            "layers": (1, 2, 4, 8),
            "time steps": (2, 4, 8, 16, 32, 64),
            "samples per message": (1, 4, 16, 64),
            "input spike rate": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
        }
    )
    names: tuple[str, ...] | None = None
    curves: tuple[str, ...] = tuple(COLORS)

    @property
    def runs(self) -> int:
        """The number of runs that there will be."""
        table = len(self.works) * len(CONTENDERS if self.names is None else self.names)
        return self.repeats * (table + sum(len(self._values(axis, name)) for axis in self.axes for name in self.curves))

    def _values(self, axis: str, name: str) -> tuple[float, ...]:
        """The values at which a contender is measured: one if it knows no messages."""
        values = self.axes[axis]
        return values[:1] if axis == "samples per message" and name in WITHOUT_MESSAGES else values

    def throughput(self, tell: Tell) -> dict[str, Any]:
        """The table of throughput, by kind of work."""
        return {work: measure_throughput(work, self.repeats, tell, self.names, self.share) for work in self.works}

    def sweep(self, tell: Tell) -> Curves:
        """Samples per second, one number varied at a time."""
        curves: Curves = {}
        for axis, values in self.axes.items():
            rates: dict[str, dict[float, list[float]]] = {name: {} for name in self.curves}
            for _ in range(self.repeats):
                for value in values:
                    for name in self.curves:
                        if value in self._values(axis, name):
                            tell(f"{axis} {value:g}: {name}")
                            rates[name].setdefault(value, []).append(self._rate(name, {**BASE, axis: value}))
            medians = {name: {value: statistics.median(of) for value, of in rates[name].items()} for name in rates}
            curves[axis] = {name: _continued(medians[name], values) for name in medians}
        return curves

    def _rate(self, name: str, point: dict[str, float]) -> float:
        """Samples per second at a point."""
        contender = next(contender for contender in CONTENDERS if contender.name == name)
        layers, steps, batch = (int(point[key]) for key in ("layers", "time steps", "samples per message"))
        network = dense_network((WIDTH,) * (layers + 1), steps, 1 if name == "netx" else 4, 1)
        cost = layers * steps / (BASE["layers"] * BASE["time steps"])
        samples = max(2, 16 * batch, math.ceil(self.share * contender.samples["layers"] / cost))
        if batch and name not in WITHOUT_MESSAGES:
            contender = Contender(name, contender.backend, {**contender.options, "batch": batch}, contender.samples)
        return 1000 / timed(contender, network, _spikes(network, samples, point["input spike rate"]))[0]


#: Within 20 seconds. NetX is left out: its import alone takes some.
QUICK = Plan(
    ("layers",),
    1,
    0.3,
    {
        "layers": (1, 4),
        "time steps": (4, 16),
        "samples per message": (1, 16),
        "input spike rate": (0.02, 0.5),
    },
    ("lava", "lava-async", "lava-async, a step", "lava-fused"),
    ("lava-async", "lava-async, a step", "lava-fused"),
)


def _spikes(network: IntegerNetwork, samples: int, rate: float) -> np.ndarray[Any, Any]:
    shape = (samples, *network.input.shape, network.timesteps)
    return (np.random.default_rng(0).random(shape) < rate).astype(np.int64)


def _continued(curve: dict[float, float], values: tuple[float, ...]) -> dict[float, float]:
    """A curve of one value, which does not depend on what is varied, over all values."""
    return curve if len(curve) > 1 else dict.fromkeys(values, next(iter(curve.values())))


def draw(curves: Curves, path: Path) -> None:
    """Draw samples per second, a panel for each number that was varied, all axes logarithmic."""
    with extra("plot"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True).flatten()
    for axis, (varied, lines) in zip(axes, curves.items()):
        _draw_panel(axis, varied, lines)
    for axis in axes[::2]:
        axis.set_ylabel("samples per second")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=130)


def _draw_panel(axis: Axes, varied: str, lines: Mapping[str, Mapping[float, float]]) -> None:
    for name, line in lines.items():
        flat = varied == "samples per message" and name in WITHOUT_MESSAGES
        style: dict[str, Any] = {"linestyle": "--"} if flat else {"marker": "o", "markersize": 4}
        axis.plot(list(line), list(line.values()), color=COLORS[name], label=name, **style)
    values = sorted({value for line in lines.values() for value in line})
    axis.set(xscale="log", yscale="log", xlabel=varied)
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.set_xticks([], minor=True)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
