"""The resonate-and-fire neurons: a damped oscillation of two 24-bit numbers, driven by two currents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lava_qsnn.integer._dtypes import toward_zero, wrapped
from lava_qsnn.integer._values import Shape
from lava_qsnn.integer.neurons._cuba import DECAY_BITS, STATE_LIMIT, STATE_SHIFT, THRESHOLDS
from lava_qsnn.integer.neurons._neuron import Bounds, Integers, Neuron, PerPlace, State, Step, within_range

#: Coefficients are sines and cosines in units of 1/4096.
COEFFICIENTS = (-(2**16), 2**16)


@dataclass(frozen=True, eq=False)
class RF(Neuron):
    """The resonate-and-fire neuron that fires at a phase, as Lava's fixed-point RF computes it.

    re[t] = clip( [cos re[t-1] / 4096] - [sin im[t-1] / 4096] + 2^6 I_re[t], +-(2^23 - 1) )
    im[t] = clip( [sin re[t-1] / 4096] + [cos im[t-1] / 4096] + 2^6 I_im[t], +-(2^23 - 1) )
    s[t] = 1 iff re[t] >= 2^6 theta and im[t] >= 0 > im[t-1]

    [] rounds towards zero, currents wrap to 32 bits once shifted, by which none is too large. sin and cos are those of
    2 pi / period, times one minus the decay and times 4096. Source: `lava.proc.rf`, models tagged `fixed_pt`.
    """

    kind: ClassVar[str] = "rf"
    currents: ClassVar[tuple[str, ...]] = ("real", "imaginary")
    wraps: ClassVar[bool] = True
    sine: PerPlace  # sin
    cosine: PerPlace  # cos
    threshold: PerPlace  # theta

    def __post_init__(self) -> None:
        super().__post_init__()
        within_range(self, "sine", *COEFFICIENTS)
        within_range(self, "cosine", *COEFFICIENTS)
        within_range(self, "threshold", *THRESHOLDS)

    def start(self, shape: Shape) -> State:
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        real, imaginary = self.turned(state, currents)
        threshold = self.along("threshold", real.ndim - 1) << STATE_SHIFT
        fired = (real >= threshold) & (imaginary >= 0) & (state[1] < 0)
        return Step(fired.astype(np.int64), real, (real, imaginary))

    def turned(self, state: State, currents: Sequence[Integers]) -> State:
        """The two numbers of the next step, before any reset."""
        sine, cosine = (self.along(name, state[0].ndim - 1) for name in ("sine", "cosine"))
        real, imaginary = state
        driven = [wrapped(current << STATE_SHIFT, 32) for current in currents]
        turned = (
            toward_zero(cosine * real, DECAY_BITS) - toward_zero(sine * imaginary, DECAY_BITS) + driven[0],
            toward_zero(sine * real, DECAY_BITS) + toward_zero(cosine * imaginary, DECAY_BITS) + driven[1],
        )
        return turned[0].clip(1 - STATE_LIMIT, STATE_LIMIT - 1), turned[1].clip(1 - STATE_LIMIT, STATE_LIMIT - 1)

    def potential_range(self, currents: Sequence[Bounds]) -> Bounds:
        bound = np.full(currents[0][0].shape, STATE_LIMIT - 1, object)
        return -bound, bound

    @property
    def state_bits(self) -> int:
        """Bits of the real and the imaginary number."""
        return 48


@dataclass(frozen=True, eq=False)
class RFIzhikevich(RF):
    """The resonate-and-fire neuron with a reset, as Lava's fixed-point RF_IZ computes it; see `RF` for re and im.

    s[t] = 1 iff im[t] >= 2^6 theta;  where it fires, re[t] becomes 0 and im[t] becomes 2^6 theta - 1.

    Source: `lava.proc.rf_iz`, models tagged `fixed_pt`; after Izhikevich, Resonate-and-fire neurons, 2001.
    """

    kind: ClassVar[str] = "rf_iz"

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        real, imaginary = self.turned(state, currents)
        threshold = self.along("threshold", real.ndim - 1) << STATE_SHIFT
        fired = imaginary >= threshold
        after = np.where(fired, 0, real), np.where(fired, threshold - 1, imaginary)
        return Step(fired.astype(np.int64), imaginary, after)
