"""Numbers of neurons in plain words."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import (
    CUBA,
    RF,
    CUBAReadout,
    MemoryFree,
    Neuron,
    QuantizedLIF,
    Readout,
    RFIzhikevich,
    SigmaDelta,
    TimedMemoryFree,
    roles,
)

#: Taps that are listed one by one; of more, the first and the last.
LISTED_TAPS = 8

#: Decays are in units of 1/4096.
DECAY_BITS = 12


#: Kinds whose names are not simply written out.
NAMES = {
    "cuba": "CUBA",
    "cuba_readout": "CUBA readout",
    "memory_free": "memory-free",
    "quantized_lif": "quantized LIF",
    "rf": "RF",
    "rf_iz": "RF_IZ",
    "sigma_delta": "sigma-delta",
    "timed_memory_free": "timed memory-free",
}


def kind_words(kind: str) -> str:
    """The name of a kind of neuron or synapse as it is written."""
    return NAMES.get(kind, kind.replace("_", " "))


@singledispatch
def neuron_words(neuron: Neuron) -> tuple[str, ...]:
    """The meaning of a neuron's numbers, one clause each: a kind without a row of its own lists them by their names."""
    return tuple(f"{name.replace('_', ' ')} {spread(getattr(neuron, name))}" for name in roles(type(neuron)))


@neuron_words.register(MemoryFree)
@neuron_words.register(TimedMemoryFree)
def _(neuron: MemoryFree | TimedMemoryFree) -> tuple[str, ...]:
    reached = "its threshold of the time step" if isinstance(neuron, TimedMemoryFree) else "its threshold"
    assert neuron.levels is not None
    return (
        f"sees {_history(neuron.taps)}",
        f"fires when the weighted sum reaches {reached}, {spread(neuron.levels)}",
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


@neuron_words.register
def _(neuron: CUBA) -> tuple[str, ...]:
    fires = (
        "never fires: its answer is the voltage"
        if isinstance(neuron, CUBAReadout)
        else f"fires when the voltage exceeds {spread(neuron.threshold)}, and starts from 0 again"
    )
    return (
        f"keeps {_share(neuron.current_decay)} of its current and {_share(neuron.voltage_decay)} of its voltage",
        *((f"has a bias, {spread(neuron.bias)}",) if neuron.bias.any() else ()),
        fires,
    )


@neuron_words.register
def _(neuron: SigmaDelta) -> tuple[str, ...]:
    if neuron.form == "sigma":
        return ("adds up what comes in, and puts out the sum",)
    sums = "takes its input" if neuron.form == "delta" else f"adds up what comes in, and a bias, {spread(neuron.bias)}"
    forgets = "forgets what rounding a message leaves" if neuron.rule == "stock" else "keeps what rounding leaves"
    return (
        sums,
        f"sends a change of at least {spread(neuron.threshold)}, in messages of {neuron.exponent} fraction bits",
        forgets,
    )


@neuron_words.register
def _(neuron: RF) -> tuple[str, ...]:
    turn = np.degrees(np.arctan2(neuron.sine, neuron.cosine)) % 360
    kept = np.hypot(neuron.sine, neuron.cosine) / 2**DECAY_BITS
    after = ", and starts there again" if isinstance(neuron, RFIzhikevich) else ", once a turn"
    return (
        f"turns by {turn.min():.3g} to {turn.max():.3g} degrees at each step and keeps {kept.min():.3g} to "
        f"{kept.max():.3g} of its length",
        f"fires at {spread(neuron.threshold)}{after}",
    )


def _share(decay: NDArray[np.int64]) -> str:
    """The share that a decay, in units of 1/4096, leaves at each step."""
    low, high = (1 - int(each) / 2**DECAY_BITS for each in (decay.max(), decay.min()))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


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
