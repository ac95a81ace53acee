"""Memory-free neurons in one compiled pass over their currents: history, thresholds, spikes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Shape
from lava_qsnn.integer.layouts import channels_last, empty_channels_last

Numbers = NDArray[Any]

#: (currents (F, n, P), factors (F, T), thresholds (P,), spikes (T, n, P)), see `_firing.fire`.
Fire = Callable[[Numbers, Numbers, Numbers, Numbers], None]

#: Types of currents, and types of their sums.
SUMMED = {(np.dtype(one), np.dtype(other)) for one, other in ("hh", "hi", "ii", "ff")}


class History:
    """Spikes of memory-free neurons from the currents of all steps, made ready.

    Args:
        taps: of their history.
        thresholds: of each neuron, (P,), in the type in which partial sums are exact.
        shape: of the population.
    """

    def __init__(self, taps: Sequence[int], thresholds: Numbers, shape: Shape) -> None:
        self._taps, self._thresholds, self._shape = np.array(taps, thresholds.dtype), thresholds, shape

    def __call__(self, currents: Numbers, steps: int) -> NDArray[np.bool_] | None:
        """Compute all time steps.

        Args:
            currents: (T, n, *shape), or (1, n, *shape) if the same at all steps, with channels last in memory.
            steps: T.

        Returns:
            (T, n, *shape), one frame if all are the same; None if there is no loop for such numbers.
        """
        if (currents.dtype, self._thresholds.dtype) not in SUMMED or (fire := compiled()) is None:
            return None
        frames, samples = currents.shape[:2]
        times = 1 if frames == len(self._taps) == 1 else steps
        spikes = empty_channels_last((times, samples, *self._shape), bool, 2)
        flat = np.ascontiguousarray(channels_last(currents, 2)).reshape(frames, samples, -1)
        found = channels_last(spikes, 2).reshape(times, samples, -1).view(np.uint8)
        fire(flat, self._factors(frames, times), self._thresholds, found)
        return spikes

    def _factors(self, frames: int, steps: int) -> Numbers:
        """The factor of each frame at each step, (F, T)."""
        if frames == 1:
            return self._taps.cumsum(dtype=self._taps.dtype)[np.arange(steps).clip(max=len(self._taps) - 1)][None]
        factors = np.zeros((frames, steps), self._taps.dtype)
        for k, tap in enumerate(self._taps[:steps]):
            np.fill_diagonal(factors[:, k:], tap)
        return factors


@cache
def compiled() -> Fire | None:
    """The loop, compiled when first used; None without numba, or a folder for its cache."""
    try:
        from lava_qsnn.engines._firing import fire
    except (ImportError, RuntimeError):
        return None
    return fire
