"""The nodes of NIR that stand for a deployed layer's neurons, one row a kind and style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import (
    CUBA,
    Connection,
    CUBAReadout,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Neuron,
    QuantizedLIF,
    Readout,
    Shape,
    per_channel,
)

#: Bits of a decay of CUBA, and by which its currents lie above the lowest bit of its state; from where none fires.
DECAY_BITS, STATE_SHIFT, NEVER_EXCEEDED = 12, 6, 2**17


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


def _loihi(place: Place) -> Form:
    """CubaLIF(tau_syn = dt / a, w_in = 1 / a, tau_mem = dt / b, r = 1 / b, v_leak = bias / b), or IF for a = 1, b = 0.

    a and b are the decays; NIR has neither the roundings nor the 24 bits of `CUBA`. A potential that is read out is in
    units of 2^-6 there.
    """
    neuron: Any = place.layer.neuron
    a, b, bias, level = (
        np.broadcast_to(neuron.along(name, len(place.shape)).astype(np.float64), place.shape)
        for name in ("current_decay", "voltage_decay", "bias", "threshold")
    )
    if not neuron.spikes and (level < NEVER_EXCEEDED).any():
        raise DeploymentError(
            "it is read out and fires, too, which no neuron of NIR does",
            layer=place.layer.name,
            remedy=f"give it thresholds from {NEVER_EXCEEDED:,} on",
        )
    a, b = a / 2**DECAY_BITS, b / 2**DECAY_BITS
    level = np.where(level >= NEVER_EXCEEDED, 2.0**62, level)
    if neuron.spikes and (a == 1).all() and not b.any() and not bias.any():
        return Form(nir.IF(np.ones(place.shape), level, np.zeros(place.shape)), exact=False)
    if not (a.all() and b.all()):
        raise DeploymentError(
            "a decay of 0 has no time constant in NIR",
            layer=place.layer.name,
            remedy="let voltages keep all only where currents keep nothing and there is no bias",
        )
    times = place.dt / a, place.dt / b
    if not neuron.spikes:
        return Form(nir.CubaLI(*times, 2.0**STATE_SHIFT / b, 2.0**STATE_SHIFT * bias / b, 1 / a), exact=False)
    return Form(nir.CubaLIF(*times, 1 / b, bias / b, level, np.zeros(place.shape), 1 / a), exact=False)


#: Kinds that both styles write alike.
ALIKE: dict[type[Neuron], Callable[[Place], Form]] = {QuantizedLIF: _quantized_lif, CUBA: _loihi, CUBAReadout: _loihi}

#: How each kind of neuron is written, by style.
FORMS: dict[str, dict[type[Neuron], Callable[[Place], Form]]] = {
    "cuba": {MemoryFree: _cuba, Readout: _leaky_readout, **ALIKE},
    "delay": {MemoryFree: _delayed, Readout: lambda place: Form(None, place.taps), **ALIKE},
}


def needs_delay(layer: Layer, connection: Connection) -> bool:
    """True for a connection whose delay needs a node; a layer's own spikes come back one step later without."""
    return connection.delay > (connection.source == layer.name)


def cuba_obstacle(network: IntegerNetwork) -> str | None:
    """The reason why a network has no exact form with CubaLIF that importers compute; None if it has."""
    for layer in network.layers:
        if not halves(Place(network, layer, 1.0)):
            return (
                f"layer '{layer.name}' has {len(layer.neuron.taps)} taps, and CubaLIF has only a decay: one tap, or "
                f"powers of two for all {network.timesteps} time steps"
            )
        if any(needs_delay(layer, connection) for connection in layer.connections):
            return f"layer '{layer.name}' has delays, which no importer of CubaLIF computes"
    return None
