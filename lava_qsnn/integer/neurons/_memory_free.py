"""The memory-free neuron, and the readout that shares its potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._taps import MAXIMUM_HISTORY
from lava_qsnn.integer._values import REFERENCE_LIMIT, Numbers
from lava_qsnn.integer.neurons._neuron import Bounds, Integers, Neuron, PerChannel, PerStepAndChannel, State, Step

#: The weights L_0 .. L_{K-1} of the last K time steps.
Taps = Annotated[tuple[int, ...], Numbers(1, REFERENCE_LIMIT, 1, MAXIMUM_HISTORY)]


@dataclass(frozen=True, eq=False)
class MemoryFree(Neuron):
    """The memory-free neuron: no membrane potential is stored.

    h_j[t] = sum_{k<K} L_k s_j[t-k]     trace of a source neuron
    U_i[t] = sum_j W_ij h_j[t]          potential, from this layer's connections
    s_i[t] = 1 iff U_i[t] >= Theta_i    Theta_i of i's channel
    """

    kind: ClassVar[str] = "memory_free"
    taps: Taps  # L
    threshold: PerChannel  # Theta

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        (potential,) = currents
        fired = potential >= self.along("threshold", potential.ndim - 1)
        return Step(fired.astype(np.int64), potential, state)

    def run(self, currents: Sequence[Integers]) -> tuple[Integers, Integers]:
        (potentials,) = currents
        threshold = self.along("threshold", potentials.ndim - 2)[..., None]
        return (potentials >= threshold).astype(np.int64), potentials

    def never_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.threshold > self.potential_range(currents)[1], bool)

    def always_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.threshold <= self.potential_range(currents)[0], bool)

    def within(self, currents: Sequence[Bounds]) -> Integers:
        ((low, high),) = currents
        return np.clip(self.threshold, low, high + 1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class TimedMemoryFree(Neuron):
    """The memory-free neuron with thresholds of its own at each time step: no membrane potential is stored.

    s_i[t] = 1 iff U_i[t] >= Theta_i[t]     U as of MemoryFree, Theta_i of i's channel
    """

    kind: ClassVar[str] = "timed_memory_free"
    compared: ClassVar[str] = "thresholds"
    taps: Taps  # L
    thresholds: PerStepAndChannel  # Theta

    @property
    def threshold(self) -> Integers:  # type: ignore[override]
        """The lowest threshold of each channel, (channels,): one of 0 or less fires at some step without any input."""
        return np.asarray(self.thresholds.min(0))

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        (potential,) = currents
        fired = potential >= self.along("thresholds", potential.ndim - 1, t)
        return Step(fired.astype(np.int64), potential, state)

    def never_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.thresholds.min(0) > self.potential_range(currents)[1], bool)

    def always_fires(self, currents: Sequence[Bounds]) -> NDArray[np.bool_]:
        return np.asarray(self.thresholds.max(0) <= self.potential_range(currents)[0], bool)

    def within(self, currents: Sequence[Bounds]) -> Integers:
        ((low, high),) = currents
        return np.clip(self.thresholds, low, high + 1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Readout(Neuron):
    """A layer that does not spike: its output is the potential U_i[t] itself, as MemoryFree defines it."""

    kind: ClassVar[str] = "readout"
    spikes: ClassVar[bool] = False
    feeds: ClassVar[bool] = False
    taps: Taps

    def step(self, state: State, currents: Sequence[Integers], t: int) -> Step:
        return Step(currents[0], currents[0], state)

    def run(self, currents: Sequence[Integers]) -> tuple[Integers, Integers]:
        return currents[0], currents[0]
