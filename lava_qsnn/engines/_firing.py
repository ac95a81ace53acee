"""The loop from currents to spikes of memory-free neurons, compiled by numba: imported where it runs.

It is one call that leaves the interpreter, where numpy would need a dozen: threads beside each other wait for the
interpreter's lock between calls, and each of those calls would write what the next one reads again.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

#: Neurons whose sums are in the cache at a time.
BLOCK = 1024


@numba.njit(cache=True, nogil=True)
def _add(total: Any, tap: Any, values: Any) -> None:
    for p in range(len(total)):
        total[p] += tap * values[p]


@numba.njit(cache=True, nogil=True)
def _fire_once(current: Any, factor: Any, thresholds: Any, spikes: Any) -> None:
    for p in range(len(current)):
        spikes[p] = factor * current[p] >= thresholds[p]


@numba.njit(cache=True, nogil=True)
def _compare(total: Any, thresholds: Any, spikes: Any) -> None:
    for p in range(len(total)):
        spikes[p] = total[p] >= thresholds[p]


@numba.njit(cache=True, nogil=True)
def fire(currents: Any, factors: Any, thresholds: Any, spikes: Any) -> None:
    """Fill `spikes` with  sum_k a_k x[t - k] >= Theta.

    Args:
        currents: x, (F, n, P); numbers that `thresholds` holds, and so below.
        factors: (F, T), what each frame is multiplied by at each step.
        thresholds: Theta, (P,), of a type that holds all partial sums.
        spikes: uint8 (T, n, P), written.
    """
    steps, samples, neurons = spikes.shape
    if len(currents) == 1:
        for t in range(steps):
            for n in range(samples):
                _fire_once(currents[0, n], factors[0, t], thresholds, spikes[t, n])
        return
    sums = np.empty(BLOCK, thresholds.dtype)
    for n in range(samples):
        for start in range(0, neurons, BLOCK):
            block = slice(start, min(start + BLOCK, neurons))
            for t in range(steps):
                total = sums[: block.stop - start]
                total[:] = 0
                for frame in range(len(currents)):
                    if factors[frame, t] != 0:
                        _add(total, factors[frame, t], currents[frame, n, block])
                _compare(total, thresholds[block], spikes[t, n, block])
