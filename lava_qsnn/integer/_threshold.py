"""Exact integer thresholds: where a normalized real potential crosses its threshold, as an integer comparison."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._dtypes import FLOAT64_LIMIT

#: Stands for "never fires" (and its negative for "always fires") until the range of the potential is known.
NEVER = 2**62


@dataclass(frozen=True)
class Affine:
    """A norm in evaluation: z -> gain (z - mean) / sqrt(variance) + bias, one number per channel.

    All arrays float64 of shape (channels,), `variance` > 0 with its epsilon included. float32 parameters convert
    without loss, so the fold sees exactly what training holds.
    """

    gain: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def identity(cls, channels: int) -> Affine:
        one, zero = np.ones(channels), np.zeros(channels)
        return cls(gain=one, mean=zero, variance=one, bias=zero)


def integer_threshold(
    affine: Affine, scale: NDArray[np.float64], ratio: Fraction, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fold a norm and a real threshold into an integer threshold per channel, exactly.

    Training fires where  gain (r a U - mean) / sqrt(variance) + bias >= threshold,  with U the integer potential,
    a the channel's `scale` > 0 and r the `ratio` > 0. The same spikes follow from  sign U >= Theta:  sign is -1
    where gain < 0 (the caller negates the weights of that channel), and a channel with gain 0 fires always or never.
    Estimated in float64; where the estimate lies so near an integer that rounding could decide, the comparison is
    repeated in rational arithmetic, so ties are exact.

    Returns:
        sign, int64 (channels,), of +1 and -1; Theta, int64 (channels,), within -NEVER and NEVER.
    """
    sign = np.where(affine.gain < 0, -1, 1).astype(np.int64)
    theta = np.empty(len(sign), np.int64)
    for channel in range(len(sign)):
        theta[channel] = _channel_threshold(
            float(affine.gain[channel]),
            float(affine.mean[channel]),
            float(affine.variance[channel]),
            float(affine.bias[channel]),
            Fraction(float(scale[channel])) * ratio,
            float(threshold),
        )
    return sign, theta


def _channel_threshold(
    gain: float, mean: float, variance: float, bias: float, scale: Fraction, threshold: float
) -> int:
    if gain == 0:
        return -NEVER if bias >= threshold else NEVER
    sign = 1 if gain > 0 else -1
    crossing = sign * (mean + (threshold - bias) * variance**0.5 / gain) / float(scale)
    if not abs(crossing) < FLOAT64_LIMIT:
        return NEVER if crossing > 0 else -NEVER
    nearest = round(crossing)
    # The error of the estimate is relative to the terms it adds, which can cancel: hence the sum of magnitudes.
    size = (abs(mean) + abs((threshold - bias) / gain) * variance**0.5) / float(scale)
    margin = 1e-12 * (size + 1)
    if abs(crossing - nearest) > margin:
        return math.ceil(crossing)
    reach = min(math.ceil(margin), FLOAT64_LIMIT)
    around = range(nearest - reach, nearest + reach + 1)
    fires = bisect_left(around, True, key=lambda U: _fires(sign * U, gain, mean, variance, bias, scale, threshold))
    return nearest - reach + fires


def _fires(
    potential: int, gain: float, mean: float, variance: float, bias: float, scale: Fraction, threshold: float
) -> bool:
    """gain (scale potential - mean) / sqrt(variance) + bias >= threshold, decided without any rounding."""
    left = Fraction(gain) * (scale * potential - Fraction(mean))
    right = Fraction(threshold) - Fraction(bias)  # left >= right sqrt(variance)
    squares = left * left - right * right * Fraction(variance)
    if left >= 0:
        return right <= 0 or squares >= 0
    return right < 0 and squares <= 0
