"""The common part of the neurons here: the form in which they are deployed, and small checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError


@dataclass(frozen=True)
class Deployed:
    """A neuron as integers.

    `sign` int64 (channels,) is -1 where the weights of a channel change their sign (a negative norm gain); `scale`
    float64 (channels,) is training's real potential per unit of the integer one.
    """

    neuron: integer.Neuron
    sign: NDArray[np.int64]
    scale: NDArray[np.float64]


def check_threshold(threshold: float) -> float:
    """Return `threshold` if it is a finite number; raise ConfigurationError otherwise."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not np.isfinite(threshold):
        raise ConfigurationError(f"threshold must be a finite number, not {threshold!r}")
    return float(threshold)


def per_channel(values: Tensor, frames: Tensor) -> Tensor:
    """Values (C,) or (1,) in a shape that broadcasts over frames (N T, C, [H, W])."""
    return values.reshape(-1, *[1] * (frames.dim() - 2))
