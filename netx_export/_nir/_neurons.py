"""The nodes of NIR that stand for a deployed layer's neurons, one row a kind and style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import IntegerNetwork, Layer, MemoryFree, Neuron, QuantizedLIF, Readout, Shape, per_channel


@dataclass(frozen=True)
class Form:
    """The written form of one layer.

    Args:
        node: its neurons; None where the sum before them is what it puts out.
        taps: the weights of the present and of past steps that stand before its weights, as Delay and Scale nodes.
        gain: by channel, what its weights are multiplied by; None for 1.
        bias: by channel, what is added to its currents; None for nothing.
        exact: True if NIR's equations compute what the layer computes.
    """

    node: Any
    taps: tuple[int, ...] = (1,)
    gain: NDArray[np.int64] | None = None
    bias: NDArray[np.int64] | None = None
    exact: bool = True


@dataclass(frozen=True)
class Place:
    """A layer in its network, and the seconds of a time step."""

    network: IntegerNetwork
    layer: Layer
    dt: float

    @property
    def shape(self) -> Shape:
        return self.network.shapes[self.layer.name]

    @property
    def taps(self) -> tuple[int, ...]:
        """The taps that samples of the network's length reach."""
        return self.layer.neuron.taps[: self.network.timesteps]

    @property
    def levels(self) -> NDArray[np.float64]:
        """The levels that potentials must exceed, (*shape): halfway between integers, so that NIR's > is our >=."""
        levels = per_channel(self.network.thresholds(self.layer.name) - 0.5, len(self.shape))
        return np.broadcast_to(levels, self.shape)

    def full(self, value: float) -> NDArray[np.floating[Any]]:
        return floats(np.full(self.shape, value), self.layer.name)


def floats(values: NDArray[Any], layer: str) -> NDArray[np.floating[Any]]:
    """Numbers as float32 where that is exact, else as float64; DeploymentError if neither is."""
    wide = np.asarray(values, np.float64)
    if values.dtype.kind in "iu" and np.abs(wide).max() > 2**53:
        raise DeploymentError("its numbers exceed 2^53, beyond what NIR holds exactly", layer=layer)
    narrow = wide.astype(np.float32)
    return narrow if np.array_equal(narrow, wide) else wide


def halves(place: Place) -> bool:
    """True if a decay of one half is all that the taps are, for samples as long as the network's."""
    taps = place.taps
    shift = all(tap << k == taps[0] for k, tap in enumerate(taps))
    return len(taps) == 1 or (shift and len(taps) == place.network.timesteps)


def _cuba(place: Place) -> Form:
    """i[t] = d i[t-1] + x[t] is U / L_0, and v[t] = i[t]; d = 1/2, or 0 where there is one tap."""
    first = place.taps[0]
    decay = 0.5 if len(place.taps) > 1 else 0.0
    synaptic, membrane = place.full(place.dt / (1 - decay)), place.full(place.dt)
    one, zero, weight = place.full(1.0), place.full(0.0), place.full(1 / (1 - decay))
    level = floats(place.levels / first, place.layer.name)
    return Form(nir.CubaLIF(synaptic, membrane, one, zero, level, zero, weight))


def _delayed(place: Place) -> Form:
    return Form(nir.Threshold(floats(place.levels, place.layer.name)), place.taps)


def _leaky_readout(place: Place) -> Form:
    first, count = place.taps[0], len(place.taps)
    if count == 1 and first == 1:
        return Form(None)
    decay = 0.5 if count > 1 else 0.0
    tau, gain = place.full(place.dt / (1 - decay)), place.full(first / (1 - decay))
    return Form(nir.LI(tau, gain, place.full(0.0)))


def _quantized_lif(place: Place) -> Form:
    """LIF(tau = 2^k dt, r = 2^k): v[t] = (1 - 2^-k) v[t-1] + 2^c J[t] + B, without the rounding of what is stored."""
    neuron: Any = place.layer.neuron
    if neuron.reset != "hard":
        raise DeploymentError(
            "its soft reset has no form in NIR, whose neurons are set to a value",
            layer=place.layer.name,
            remedy='train with reset="hard"',
        )
    slow, zero = place.full(2.0**neuron.leak), place.full(0.0)
    node = nir.LIF(place.dt * slow, slow, zero, floats(place.levels, place.layer.name), zero)
    return Form(node, gain=1 << neuron.current_shift, bias=neuron.bias, exact=False)


#: How each kind of neuron is written, by style.
FORMS: dict[str, dict[type[Neuron], Callable[[Place], Form]]] = {
    "cuba": {MemoryFree: _cuba, Readout: _leaky_readout, QuantizedLIF: _quantized_lif},
    "delay": {
        MemoryFree: _delayed,
        Readout: lambda place: Form(None, place.taps),
        QuantizedLIF: _quantized_lif,
    },
}


def cuba_obstacle(network: IntegerNetwork) -> str | None:
    """The reason why a network has no exact form with CubaLIF that importers compute; None if it has."""
    for layer in network.layers:
        if not halves(Place(network, layer, 1.0)):
            return (
                f"layer '{layer.name}' has {len(layer.neuron.taps)} taps, and CubaLIF has only a decay: one tap, or "
                f"powers of two for all {network.timesteps} time steps"
            )
        if any(connection.delay for connection in layer.connections):
            return f"layer '{layer.name}' has delays, which no importer of CubaLIF computes"
    return None
