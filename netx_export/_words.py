"""Numbers of neurons in plain words."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from lava_qsnn.integer import MemoryFree, Neuron, QuantizedLIF, Readout, roles

#: Taps that are listed one by one; of more, the first and the last.
LISTED_TAPS = 8


@singledispatch
def neuron_words(neuron: Neuron) -> tuple[str, ...]:
    """What a neuron's numbers mean, one clause each: a kind without a row of its own lists them by their names."""
    return tuple(f"{name.replace('_', ' ')} {spread(getattr(neuron, name))}" for name in roles(type(neuron)))


@neuron_words.register
def _(neuron: MemoryFree) -> tuple[str, ...]:
    return (
        f"sees {_history(neuron.taps)}",
        f"fires when the weighted sum reaches its threshold, {spread(neuron.threshold)}",
        "keeps no potential",
    )


@neuron_words.register
def _(neuron: Readout) -> tuple[str, ...]:
    return f"sees {_history(neuron.taps)}", "does not fire: its answer is the weighted sum itself"


@neuron_words.register
def _(neuron: QuantizedLIF) -> tuple[str, ...]:
    reset = "back to 0" if neuron.reset == "hard" else "down by the threshold"
    return (
        f"keeps its potential in {neuron.bits} bits, of which 1/{2**neuron.leak} leaks at each step",
        f"adds a bias, {spread(neuron.bias)}, to its current times 2 to the power of {spread(neuron.current_shift)}",
        f"fires at {spread(neuron.threshold)}, and goes {reset}",
    )


def _history(taps: tuple[int, ...]) -> str:
    return "the present step alone" if taps == (1,) else f"the last {len(taps)} steps, weighted {taps_text(taps)}"


def taps_text(taps: tuple[int, ...]) -> str:
    """Taps as a list, of long ones the first and the last."""
    text = [str(tap) for tap in taps]
    return " ".join(text if len(text) <= LISTED_TAPS else [*text[:4], "..", *text[-2:], f"({len(text)})"])


def spread(values: object) -> str:
    """A number, a text, or the least and the greatest of some numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim == 0:
        return f"{int(array):,}" if array.dtype.kind in "iu" else str(values)
    low, high = int(array.min()), int(array.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
