"""Neurons: how currents become spikes, one dataclass per kind, its equation in the docstring."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._taps import MAXIMUM_HISTORY
from lava_qsnn.integer._values import REFERENCE_LIMIT, Value, integers, whole

#: Widths of a quantized potential, in bits, and the exponents k of its leak 1/2^k.
POTENTIAL_BITS = range(2, 17)
LEAKS = range(1, 9)

#: What a spike does to the potential: "hard" sets it to 0, "soft" subtracts the threshold.
RESETS = ("hard", "soft")

Bounds = tuple[NDArray[np.object_], NDArray[np.object_]]
Some = TypeVar("Some", bound="_Neuron")


class _Neuron(Value):
    """What all neurons have: taps of the history words they take, and arrays with one number per channel."""

    taps: tuple[int, ...]
    spikes: ClassVar[bool] = True

    @property
    def state_bits(self) -> int:
        """Bits it keeps between time steps besides the history of its spikes."""
        return 0

    @property
    def channels(self) -> int | None:
        """How many channels its arrays describe; None if any number will do."""
        return next((len(values) for values in self._arrays().values()), None)

    def broadcast(self: Some, channels: int) -> Some:
        """The same neuron for so many channels, from arrays for one channel or for all."""
        return replace(self, **{name: np.broadcast_to(v, (channels,)) for name, v in self._arrays().items()})  # type: ignore[type-var]

    def potentials(self, low: Any, high: Any) -> Bounds:
        """The range of the potential, per channel, where that of the current is `low` to `high`."""
        return low, high

    def reach(self, low: Any, high: Any) -> int:
        """The largest magnitude that computing outputs from currents within `low` to `high` can meet.

        The first number beyond the largest potential counts: it stands for thresholds that are never reached.
        """
        return max(-int(low.min()), int(high.max()) + 1)

    def shortened(self: Some, timesteps: int) -> Some:
        """The same neuron for samples of so many steps: without the taps that they never reach."""
        return replace(self, taps=self.taps[:timesteps]) if len(self.taps) > timesteps else self  # type: ignore[type-var]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _channel_array(values: Any, what: str) -> NDArray[np.int64]:
    array = integers(values, np.int64, what)
    if array.ndim != 1:
        raise DeploymentError(f"{what} must have shape (channels,), not {array.shape}")
    return array


def _check_taps(taps: tuple[int, ...]) -> tuple[int, ...]:
    whole(len(taps), "the number of taps", 1, MAXIMUM_HISTORY)
    return tuple(whole(tap, "taps", 1, REFERENCE_LIMIT) for tap in taps)


@dataclass(frozen=True, eq=False)
class MemoryFree(_Neuron):
    """The memory-free neuron: no membrane potential is stored.

    h_j[t] = sum_{k<K} L_k s_j[t-k]     history word of a source neuron
    U_i[t] = sum_j W_ij h_j[t]          potential, from this layer's connections
    s_i[t] = 1 iff U_i[t] >= Theta_i    Theta_i of i's channel
    """

    taps: tuple[int, ...]  # L_0 .. L_{K-1}, positive
    threshold: NDArray[np.int64]  # (channels,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", _check_taps(self.taps))
        object.__setattr__(self, "threshold", _channel_array(self.threshold, "thresholds"))

    def within(self, low: Any, high: Any) -> NDArray[np.int64]:
        """Thresholds that give the same spikes for currents from `low` to `high`, no further out than that takes."""
        return np.clip(self.threshold, low, high + 1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Readout(_Neuron):
    """A layer that does not spike: its output is the potential U_i[t] itself, as MemoryFree defines it."""

    taps: tuple[int, ...]
    spikes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", _check_taps(self.taps))


@dataclass(frozen=True, eq=False)
class QuantizedLIF(_Neuron):
    """The leaky integrate-and-fire neuron whose membrane potential P is stored in b bits (of Q-SNN, reconstructed).

    U_i[t] = 2^p_i P_i[t-1] + 2^c_i J_i[t] + B_i          J: the currents of this layer's connections, P_i[-1] = 0
    s_i[t] = 1 iff U_i[t] >= Theta_i
    V_i[t] = U_i[t] (1 - s_i[t]), or U_i[t] - Theta_i s_i[t]                          hard reset, or soft
    P_i[t] = clip(floor((2^k - 1) V_i[t] / 2^(k + p_i) + 1/2), -2^(b-1), 2^(b-1) - 1)

    Leak and quantization are one rounding, halves upwards: what is stored has leaked already.
    """

    bits: int  # b
    leak: int  # k: a fraction 1/2^k leaks at each step
    reset: str  # "hard" or "soft"
    potential_shift: NDArray[np.int64]  # p (channels,), 0 to 31
    current_shift: NDArray[np.int64]  # c (channels,), 0 to 31
    bias: NDArray[np.int64]  # B (channels,)
    threshold: NDArray[np.int64]  # Theta (channels,)
    taps: ClassVar[tuple[int, ...]] = (1,)  # type: ignore[misc]

    def __post_init__(self) -> None:
        for name, allowed in (("bits", POTENTIAL_BITS), ("leak", LEAKS)):
            value = whole(getattr(self, name), f"the {name} of a quantized potential", allowed[0], allowed[-1])
            object.__setattr__(self, name, value)
        if self.reset not in RESETS:
            raise DeploymentError(f"the reset of a quantized potential cannot be {self.reset!r}")
        for name in ("potential_shift", "current_shift", "bias", "threshold"):
            object.__setattr__(self, name, _channel_array(getattr(self, name), f"{name} values"))
        if len({len(values) for values in self._arrays().values()}) > 1:
            raise DeploymentError("shifts, biases and thresholds must be as many as channels")
        for shift in (self.potential_shift, self.current_shift):
            if shift.size and not 0 <= int(shift.min()) <= int(shift.max()) <= 31:
                raise DeploymentError(f"shifts must be from 0 to 31, not {shift.min()} to {shift.max()}")

    @property
    def state_bits(self) -> int:
        """The stored potential's."""
        return self.bits

    @property
    def stored_range(self) -> tuple[int, int]:
        """The least and the greatest potential that can be stored."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    def potentials(self, low: Any, high: Any) -> Bounds:
        least, greatest = self.stored_range
        unit, gain = 2 ** self.potential_shift.astype(object), 2 ** self.current_shift.astype(object)
        bias = self.bias.astype(object)
        return unit * least + gain * low + bias, unit * greatest + gain * high + bias

    def reach(self, low: Any, high: Any) -> int:
        """As of all neurons, with the potential before its bias, after its reset, and as it leaks and is rounded."""
        least, greatest = self.potentials(low, high)
        bias, threshold = self.bias.astype(object), self.threshold.astype(object)
        left = np.maximum(-least, greatest)
        if self.reset == "soft":  # subtracting a low threshold adds
            subtracted = np.maximum(greatest - threshold, -threshold)
            left = np.maximum(left, np.where(threshold <= greatest, subtracted, 0))
        half = 2 ** (self.potential_shift.astype(object) + self.leak - 1)
        driven = np.maximum(bias - least, greatest - bias)
        return max(int(((2**self.leak - 1) * left + half).max()), int(driven.max()), int(greatest.max()) + 1)

    def within(self, low: Any, high: Any) -> NDArray[np.int64]:
        """Thresholds that give the same for currents from `low` to `high`, no further out than that takes."""
        least, greatest = self.potentials(low, high)
        threshold = np.minimum(self.threshold, greatest + 1)
        return (threshold if self.reset == "soft" else np.maximum(threshold, least)).astype(np.int64)


Neuron = MemoryFree | QuantizedLIF | Readout
