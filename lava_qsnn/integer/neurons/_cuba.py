"""The current-based leaky integrate-and-fire neuron of Loihi: 24-bit current and voltage, 12-bit decays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._dtypes import toward_zero, wrapped
from lava_qsnn.integer._values import Shape
from lava_qsnn.integer.neurons._neuron import Bounds, Integers, Neuron, PerPlace, State, Step, within_range

#: Bits by which a decay is scaled; 4096 leaves nothing of what was.
DECAY_BITS = 12

#: Bits by which currents, biases and thresholds lie above the lowest bit of the state.
STATE_SHIFT = 6

#: Current and voltage have 24 bits.
STATE_LIMIT = 2**23

#: A threshold from here on is never exceeded by the voltage.
NEVER_EXCEEDED = STATE_LIMIT >> STATE_SHIFT

#: Thresholds, shifted, keep within 32 bits.
THRESHOLDS = (-(2**25), 2**25 - 1)


@dataclass(frozen=True, eq=False)
class CUBA(Neuron):
    """The leaky integrate-and-fire neuron with a synaptic current, as Loihi and Lava's fixed-point LIF compute it.

    u[t] = W24( [u[t-1] (4096 - c) / 4096] + 2^6 I[t] )                      synaptic current
    x[t] = clip( [v[t-1] (4096 - d) / 4096] + u[t] + 2^6 (b + B[t]), +-(2^23 - 1) )     membrane potential
    s[t] = 1 iff x[t] > 2^6 theta
    v[t] = x[t] (1 - s[t])

    [] rounds towards zero; W24 subtracts 2^24 once from what exceeds 2^23, and adds it once to what is -2^23 or less.
    I is the port "current"; B is the port "bias", a current that passes u by; b + B wraps to 16 bits, all else on the
    way to 32 bits. With these wrappings no current is too large. Source: `lava.proc.lif`, models tagged `fixed_pt`.
    """

    kind: ClassVar[str] = "cuba"
    currents: ClassVar[tuple[str, ...]] = ("current", "bias")
    wraps: ClassVar[bool] = True
    current_decay: PerPlace  # c, 0 to 4096
    voltage_decay: PerPlace  # d, 0 to 4096
    threshold: PerPlace  # theta; from 131072 on it never fires
    bias: PerPlace  # b, 16 bits

    def __post_init__(self) -> None:
        super().__post_init__()
        within_range(self, "current_decay", 0, 2**DECAY_BITS)
        within_range(self, "voltage_decay", 0, 2**DECAY_BITS)
        within_range(self, "threshold", *THRESHOLDS)
        within_range(self, "bias", -(2**15), 2**15 - 1)

    def start(self, shape: Shape) -> State:
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        (u, v), (current, extra), axes = state, currents, currents[0].ndim - 1
        c, d, b, theta = (self.along(name, axes) for name in ("current_decay", "voltage_decay", "bias", "threshold"))
        u = _wrapped_once(wrapped(_left(u, c) + wrapped(current << STATE_SHIFT, 32), 32))
        x = wrapped(_left(v, d) + u + (wrapped(b + extra, 16) << STATE_SHIFT), 32)
        x = x.clip(1 - STATE_LIMIT, STATE_LIMIT - 1)
        fired = x > theta << STATE_SHIFT
        v = np.where(fired, 0, x)
        return Step(self.output(fired, v), x, (u, v))

    def output(self, fired: NDArray[np.bool_], voltage: Integers) -> Integers:
        """The output, from the spikes and the voltages that they leave."""
        return fired.astype(np.int64)

    def potential_range(self, currents: Sequence[Bounds]) -> Bounds:
        bound = np.full(currents[0][0].shape, STATE_LIMIT - 1, object)
        return -bound, bound

    def never_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        per_channel = self.threshold.reshape(len(self.threshold), -1)
        return np.asarray(per_channel.min(1) >= NEVER_EXCEEDED, bool)

    @property
    def state_bits(self) -> int:
        """Bits of the current and the voltage."""
        return 48

    def summary(self) -> str:
        return f"24 bits, decays {_span(self.current_decay)} and {_span(self.voltage_decay)} / 4096"


@dataclass(frozen=True, eq=False)
class CUBAReadout(CUBA):
    """A CUBA whose output is its voltage v[t], which no other layer takes; the equations are those of `CUBA`."""

    kind: ClassVar[str] = "cuba_readout"
    spikes: ClassVar[bool] = False
    feeds: ClassVar[bool] = False

    def output(self, fired: NDArray[np.bool_], voltage: Integers) -> Integers:
        return voltage

    @classmethod
    def affine(cls, channels: int) -> CUBAReadout:
        """Neurons without dynamics: u = v = 2^6 times the running sum of the current, wrapped; they never fire.

        Unmodified NetX makes these of a layer that has no neuron.
        """
        zero = np.zeros(channels, np.int64)
        return cls(zero, zero + 2**DECAY_BITS, zero + NEVER_EXCEEDED, zero)


def _left(state: Integers, decay: Integers) -> Integers:
    return toward_zero(state * (2**DECAY_BITS - decay), DECAY_BITS)


def _wrapped_once(u: Integers) -> Integers:
    return u - 2 * STATE_LIMIT * (u > STATE_LIMIT) + 2 * STATE_LIMIT * (u <= -STATE_LIMIT)


def _span(values: Integers) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"
