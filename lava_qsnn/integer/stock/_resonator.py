"""The coefficients of resonate-and-fire neurons, from those in a file to those that Lava computes with, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

#: Coefficients are in units of 1/4096.
UNIT = 1 << 12


def netx_coefficients(sine: NDArray[Any], cosine: NDArray[Any]) -> tuple[Integers, Integers] | None:
    """Lava's sine and cosine of a file's sinDecay and cosDecay; None if they make no numbers.

    NetX makes a decay and a period of them, and Lava of these sines and cosines again, in float64, cut off behind the
    point. Sources: `neuron_params` of slayer's `neuron/rf.py`, and `lava.proc.rf.process`.
    """
    imaginary, real = sine / UNIT, cosine / UNIT
    with np.errstate(all="ignore"):
        decay = 1 - np.sqrt(imaginary**2 + real**2)
        period = 1 / (np.arctan2(imaginary, real) / 2 / np.pi)
        angle = np.pi * 2 * 1 / period
        found = [(1 - decay) * turned(angle) * UNIT for turned in (np.sin, np.cos)]
    if not all(np.isfinite(each).all() for each in found):
        return None
    return found[0].astype(np.int32).astype(np.int64), found[1].astype(np.int32).astype(np.int64)


def file_coefficients(sine: Integers, cosine: Integers) -> tuple[Floats, Floats] | None:
    """A sinDecay and cosDecay of which NetX makes these; None if there are none."""
    wide = sine + 0.5 * np.sign(sine), cosine + 0.5 * np.sign(cosine)  # cutting off leaves them whatever floats do
    made = netx_coefficients(*wide)
    same = made is not None and np.array_equal(made[0], sine) and np.array_equal(made[1], cosine)
    return wide if same else None
