"""The leaky integrate-and-fire neuron with a membrane potential of few bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._values import Choice, Number, Shape
from lava_qsnn.integer.neurons._neuron import Bounds, Integers, Neuron, PerChannel, State, Step

#: Widths of a quantized potential, in bits, and the exponents k of its leak 1/2^k.
POTENTIAL_BITS = range(2, 17)
LEAKS = range(1, 9)

#: What a spike does to the potential: "hard" sets it to 0, "soft" subtracts the threshold.
RESETS = ("hard", "soft")

LARGEST_SHIFT = 31


@dataclass(frozen=True, eq=False)
class QuantizedLIF(Neuron):
    """The leaky integrate-and-fire neuron whose membrane potential P is stored in b bits (of Q-SNN, reconstructed).

    U_i[t] = 2^p_i P_i[t-1] + 2^c_i J_i[t] + B_i          J: the currents of this layer's connections, P_i[-1] = 0
    s_i[t] = 1 iff U_i[t] >= Theta_i
    V_i[t] = U_i[t] (1 - s_i[t]), or U_i[t] - Theta_i s_i[t]                          hard reset, or soft
    P_i[t] = clip(floor((2^k - 1) V_i[t] / 2^(k + p_i) + 1/2), -2^(b-1), 2^(b-1) - 1)

    Leak and quantization are one rounding, halves upwards: what is stored has leaked already.
    """

    kind: ClassVar[str] = "quantized_lif"
    bits: Annotated[int, Number(POTENTIAL_BITS[0], POTENTIAL_BITS[-1])]  # b
    leak: Annotated[int, Number(LEAKS[0], LEAKS[-1])]  # k: a fraction 1/2^k leaks at each step
    reset: Annotated[str, Choice(RESETS)]
    potential_shift: PerChannel  # p, 0 to 31
    current_shift: PerChannel  # c, 0 to 31
    bias: PerChannel  # B
    threshold: PerChannel  # Theta

    def __post_init__(self) -> None:
        super().__post_init__()
        if len({len(values) for _, values in self.arrays().values()}) > 1:
            raise DeploymentError("shifts, biases and thresholds must be as many as channels")
        for shift in (self.potential_shift, self.current_shift):
            if not 0 <= int(shift.min()) <= int(shift.max()) <= LARGEST_SHIFT:
                raise DeploymentError(f"shifts must be from 0 to {LARGEST_SHIFT}, not {shift.min()} to {shift.max()}")

    @property
    def state_bits(self) -> int:
        """Bits of the stored potential."""
        return self.bits

    @property
    def stored_range(self) -> tuple[int, int]:
        """The least and the greatest potential that can be stored."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    def summary(self) -> str:
        return f"{self.bits} bits, leak 1/{2**self.leak}, {self.reset}"

    def start(self, shape: Shape) -> State:
        return (np.zeros(shape, np.int64),)

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        (stored,), (current,) = state, currents
        shift, gain, bias, threshold = (
            self.along(name, current.ndim - 1) for name in ("potential_shift", "current_shift", "bias", "threshold")
        )
        potential = (stored << shift) + (current << gain) + bias
        fired = potential >= threshold
        left = np.where(fired, 0 if self.reset == "hard" else potential - threshold, potential)
        total = shift + self.leak
        leaked = ((2**self.leak - 1) * left + (1 << (total - 1))) >> total
        return Step(fired.astype(np.int64), potential, (leaked.clip(*self.stored_range),))

    def potential_range(self, currents: Sequence[Bounds]) -> Bounds:
        ((low, high),) = currents
        least, greatest = self.stored_range
        unit, gain = 2 ** self.potential_shift.astype(object), 2 ** self.current_shift.astype(object)
        bias = self.bias.astype(object)
        return unit * least + gain * low + bias, unit * greatest + gain * high + bias

    def reach(self, currents: Sequence[Bounds]) -> int:
        """As of all neurons, with the potential before its bias, after its reset, and as it leaks and is rounded."""
        least, greatest = self.potential_range(currents)
        bias, threshold = self.bias.astype(object), self.threshold.astype(object)
        left = np.maximum(-least, greatest)
        if self.reset == "soft":  # subtracting a low threshold adds
            subtracted = np.maximum(greatest - threshold, -threshold)
            left = np.maximum(left, np.where(threshold <= greatest, subtracted, 0))
        half = 2 ** (self.potential_shift.astype(object) + self.leak - 1)
        driven = np.maximum(bias - least, greatest - bias)
        return max(int(((2**self.leak - 1) * left + half).max()), int(driven.max()), int(greatest.max()) + 1)

    def never_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.threshold > self.potential_range(currents)[1], bool)

    def always_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.threshold <= self.potential_range(currents)[0], bool)

    def within(self, currents: Sequence[Bounds]) -> Integers:
        least, greatest = self.potential_range(currents)
        threshold = np.minimum(self.threshold, greatest + 1)
        return (threshold if self.reset == "soft" else np.maximum(threshold, least)).astype(np.int64)
