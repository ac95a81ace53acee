"""Learning curves: the CSV logs of a training as one table, and as one picture."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lava_qsnn.extras import extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: One metric over epochs.
Curve = dict[int, float]

TRAINING, VALIDATION = "tab:blue", "tab:orange"


def read_logs(paths: Iterable[str | os.PathLike[str]]) -> dict[str, Curve]:
    """Read Lightning's CSV logs of one training, in the order of its runs; each goes on from where it was resumed.

    Returns:
        For each metric, by name: its value in each epoch it was measured in, epochs from 1 on.
    """
    curves: dict[str, Curve] = {}
    for path in paths:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        start = min((_epoch(row) for row in rows), default=0)
        for curve in curves.values():
            for epoch in [epoch for epoch in curve if epoch >= start]:
                del curve[epoch]
        for row in rows:
            for name, value in row.items():
                if value and name not in ("epoch", "step"):
                    curves.setdefault(name, {})[_epoch(row)] = float(value)
    return curves


def _epoch(row: dict[str, str]) -> int:
    return int(row["epoch"]) + 1


def best_epoch(curves: dict[str, Curve]) -> int:
    """The first epoch with the lowest validation loss: that of best.ckpt."""
    losses = curves["val_loss"]
    return min(losses, key=losses.__getitem__)


def draw(curves: dict[str, Curve], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw loss, accuracy or mean squared error, firing rates and their entropies over epochs into a PNG file.

    Args:
        curves: what read_logs returns.
        path: the file to write.
        title: above the picture.
    """
    with extra("train"):
        from matplotlib.figure import Figure  # takes a second to import
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    figure = Figure(figsize=(12, 6.8), layout=ConstrainedLayoutEngine(wspace=0.06, hspace=0.06))
    (loss, metric), (rates, entropies) = figure.subplots(2, 2)
    of_numbers = "val_mse" in curves
    _draw_pair(loss, curves, "loss")
    loss.set(title="squared error, in deviations of the targets" if of_numbers else "cross entropy", yscale="log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    loss.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    loss.yaxis.set_minor_formatter(NullFormatter())
    _draw_pair(metric, curves, "mse" if of_numbers else "accuracy")
    if of_numbers:
        metric.set_title("mean squared error")
    _mark_best(loss, metric, curves, "mse" if of_numbers else "accuracy")
    _draw_layers(rates, curves, "rate_")
    rates.set(title="firing rate", ylabel="spikes per neuron and step", ylim=(0, None))
    _draw_layers(entropies, curves, "entropy_")
    entropies.set(title="entropy of the firing rate", ylabel="bits per neuron and step", ylim=(0, 1.03))
    for axis in (loss, metric, rates, entropies):
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def _draw_pair(axis: Axes, curves: dict[str, Curve], metric: str) -> None:
    for stage, label, color in (("train", "training", TRAINING), ("val", "validation", VALIDATION)):
        _plot(axis, curves.get(f"{stage}_{metric}", {}), label, color)
    axis.set_title(metric)


def _mark_best(loss: Axes, axis: Axes, curves: dict[str, Curve], metric: str) -> None:
    if metric == "accuracy":
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    if "val_loss" not in curves:
        return
    best = best_epoch(curves)
    value = curves[f"val_{metric}"][best]
    shown = f"{value:.2%}" if metric == "accuracy" else f"{value:.4g}"
    loss.plot(best, curves["val_loss"][best], "o", color=VALIDATION, label=f"lowest: epoch {best}")
    axis.plot(best, value, "o", color=VALIDATION, label=f"{shown} in epoch {best}")


def _draw_layers(axis: Axes, curves: dict[str, Curve], prefix: str) -> None:
    for name, curve in curves.items():
        if name.startswith(prefix):
            _plot(axis, curve, name.removeprefix(prefix), None)


def _plot(axis: Axes, curve: Curve, label: str, color: str | None) -> None:
    marker = "o" if len(curve) == 1 else None
    axis.plot(list(curve), list(curve.values()), color=color, label=label, marker=marker)
