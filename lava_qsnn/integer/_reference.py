"""The reference engine: integers in numpy, as plain as the equations; the ground truth of all other engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError
from lava_qsnn.integer._components import Component
from lava_qsnn.integer._layers import INPUT, Connection, Layer
from lava_qsnn.integer._network import IntegerNetwork
from lava_qsnn.integer._values import Shape
from lava_qsnn.integer.neurons import State

Integers = NDArray[np.integer[Any]]


def check_form(network: IntegerNetwork, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Refuse arrays that are no batches for the network, whatever their values.

    Args:
        shape: of the array, to be (N, *input shape, T), N >= 1, 1 <= T <= network.timesteps.
        dtype: of the array, to be integers or booleans.

    Raises:
        InputError: wrong dtype or shape.
    """
    if dtype.kind not in "iub":
        raise InputError(f"the input must be integers, not {dtype}", remedy="encode or quantize it explicitly")
    inner = network.input.shape
    if len(shape) != len(inner) + 2 or shape[1:-1] != inner or 0 in shape:
        wanted = ", ".join(map(str, inner))
        remedy = "time is the last axis" if 0 not in shape else "give a sample at least, of a time step at least"
        raise InputError(f"the input must have shape (N, {wanted}, T), not {shape}", remedy=remedy)
    if shape[-1] > network.timesteps:
        raise InputError(
            f"{shape[-1]} time steps exceed the {network.timesteps} the network was exported for",
            remedy="export it with a larger `timesteps`",
        )


def check_input(network: IntegerNetwork, x: Any) -> Integers:
    """Return `x` as an integer array if it is a valid batch for the network.

    Args:
        network: the network.
        x: integers (or booleans) of shape (N, *input shape, T), N >= 1, 1 <= T <= network.timesteps, each within
            the range of the network's input.

    Raises:
        InputError: wrong dtype, shape or range. Nothing is cast, clipped or dropped.
    """
    x = np.asarray(x)
    check_form(network, x.shape, x.dtype)
    if x.dtype.kind == "b":
        x = x.astype(np.uint8)
    low, high = _extremes(x[..., :1] if x.strides[-1] == 0 else x, network.input.minimum)
    if low < network.input.minimum or high > network.input.maximum:
        raise InputError(
            f"input values from {x.min()} to {x.max()} leave the range {network.input.minimum} to "
            f"{network.input.maximum}",
            remedy="export with more `input_bits`, or rescale the input",
        )
    return x


def _extremes(x: Integers, least: int) -> tuple[int, int]:
    """The least and the greatest of some integers; where none may be negative, negative ones count as huge."""
    if least < 0:
        return int(x.min()), int(x.max())
    return 0, int(x.view(x.dtype.str.replace("i", "u")).max())  # one pass finds both


def run_reference(network: IntegerNetwork, x: Any) -> dict[str, NDArray[np.int64]]:
    """Compute every layer's output for all time steps.

    Args:
        x: a valid batch, see `check_input`; int (N, *input shape, T).

    Returns:
        For each layer, by name: int64 (N, *shape, T), spikes 0 and 1, or the potentials of a Readout.

    Raises:
        RangeError: sums of a convolution leave int32 where Lava's Conv converts them, see `Connection`.
    """
    outputs: dict[str, NDArray[np.int64]] = {INPUT: check_input(network, x).astype(np.int64)}
    for component in network.components:
        if component.feeds_back:
            _compute_steps(network, component, outputs)
        else:
            (layer,) = component.layers
            outputs[layer.name], _ = compute(layer, outputs)
    return {name: outputs[name] for name in network}


def _compute_steps(network: IntegerNetwork, component: Component, outputs: dict[str, NDArray[np.int64]]) -> None:
    """Add the outputs of layers that feed back, computed step by step."""
    samples, steps = len(outputs[INPUT]), outputs[INPUT].shape[-1]
    states: dict[str, State] = {}
    for layer in component.layers:
        shape = (samples, *network.shapes[layer.name])
        outputs[layer.name], states[layer.name] = np.zeros((*shape, steps), np.int64), layer.neuron.start(shape)
    for t in range(steps):
        for layer in component.layers:
            past = max(len(layer.taps(each)) + each.synapse.delay for each in layer.connections)
            seen = slice(max(0, t + 1 - past), t + 1)
            window = {source: outputs[source][..., seen] for source in network.sources(layer.name)}
            now = [current[..., -1] for current in currents(layer, window)]
            output, _, states[layer.name] = layer.neuron.step(states[layer.name], now, t)
            outputs[layer.name][..., t] = output


def compute(layer: Layer, outputs: Mapping[str, NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A layer's outputs and potentials, (N, *shape, T), from the outputs of its sources (the input's under INPUT).

    Of a layer that feeds back to itself, its own outputs are among its sources'.
    """
    return layer.neuron.run(currents(layer, outputs))


def currents(layer: Layer, outputs: Mapping[str, NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The currents a layer's neurons take, one for each port, as sums over connections: int64 (N, *shape, T)."""
    found = [
        (connection.port, _current(layer, connection, traces(outputs[connection.source], layer.taps(connection))))
        for connection in layer.connections
    ]
    silent = np.zeros_like(found[0][1])
    ports = range(len(layer.neuron.currents))
    return [sum((current for target, current in found if target == port), start=silent) for port in ports]


def _current(layer: Layer, connection: Connection, source: NDArray[np.int64]) -> NDArray[np.int64]:
    for pooling in connection.poolings:
        source = pooling.sums(source)
    return connection.checked(layer.name, connection.synapse.current(source))


def traces(spikes: NDArray[np.int64], taps: tuple[int, ...]) -> NDArray[np.int64]:
    """Filter spike trains by taps: h[t] = sum_k L_k s[t-k], with s[t] = 0 before the first step.

    Args:
        spikes: int64 (..., T), or graded input.
        taps: L_0 .. L_{K-1}.

    Returns:
        int64 (..., T).
    """
    filtered = np.zeros_like(spikes)
    for k, tap in enumerate(taps[: spikes.shape[-1]]):
        filtered[..., k:] += tap * spikes[..., : spikes.shape[-1] - k]
    return filtered
