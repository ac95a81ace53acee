"""The common part of all timings: interleaved runs, their ratios, a log-log picture."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds of one contender's runs, warm-up left out."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """The factor by which one contender takes longer than another: median and quartiles over neighbouring runs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} .. {self.high:.2f})"


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    runs: int = 7,
    warmup: int = 2,
    synchronize: Callable[[], None] | None = None,
) -> dict[str, Timing]:
    """Run the contenders in turn, `runs` times after `warmup`, so that what slows the machine slows all of them.

    Args:
        contenders: functions without arguments, by name.
        synchronize: waits for an accelerator, before each clock is read.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    try:
        for run in range(warmup + runs):
            for name, function in contenders.items():
                _wait(synchronize)
                start = time.perf_counter()
                function()
                _wait(synchronize)
                if run >= warmup:
                    seconds[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def _wait(synchronize: Callable[[], None] | None) -> None:
    if synchronize is not None:
        synchronize()


def ratio(slow: Timing, fast: Timing) -> Ratio:
    """Compute how much longer `slow` takes than `fast`, run by run."""
    ratios = [one / other for one, other in zip(slow.seconds, fast.seconds)]
    if len(ratios) == 1:
        return Ratio(ratios[0], ratios[0], ratios[0])
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Ratio(middle, low, high)


def draw_growth(
    curves: Mapping[str, Mapping[float, float]],
    path: Path,
    title: str,
    axes: Sequence[str] = ("time steps T", "seconds"),
) -> None:
    """Plot how costs grow: one line per contender, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for name, curve in curves.items():
        axis.plot(list(curve), list(curve.values()), marker="o", markersize=4, label=name)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set(xlabel=axes[0], ylabel=axes[1], title=title)
    axis.grid(alpha=0.3, which="both")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
