"""The reference engine: int64 numpy, as plain as the equations; the judge of all other engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError
from lava_qsnn.integer._network import INPUT, IntegerNetwork, Layer
from lava_qsnn.integer._neurons import MemoryFree, Neuron, QuantizedLIF
from lava_qsnn.integer._synapses import Conv, Dense, OneToOne, Synapse

Integers = NDArray[np.integer[Any]]


def check_input(network: IntegerNetwork, x: Any) -> Integers:
    """Return `x` as an integer array if it is a valid batch for the network.

    Args:
        x: integers (or booleans) of shape (N, *input shape, T), N >= 1, 1 <= T <= network.timesteps, each from 0 to
            the network's input maximum.

    Raises:
        InputError: wrong dtype, shape or range. Nothing is cast, clipped or dropped.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "iub":
        raise InputError(f"the input must be integers, not {x.dtype}", remedy="encode or quantize it explicitly")
    if x.ndim != len(network.input.shape) + 2 or x.shape[1:-1] != network.input.shape or not x.size:
        shape = ", ".join(map(str, network.input.shape))
        raise InputError(f"the input must have shape (N, {shape}, T), not {x.shape}", remedy="time is the last axis")
    if x.shape[-1] > network.timesteps:
        raise InputError(
            f"{x.shape[-1]} time steps exceed the {network.timesteps} the network was exported for",
            remedy="export it with a larger `timesteps`",
        )
    if x.dtype.kind == "b":
        x = x.astype(np.uint8)
    distinct = x[..., :1] if x.strides[-1] == 0 else x
    unsigned = distinct.view(x.dtype.str.replace("i", "u"))  # in which what is negative is huge: one pass finds both
    if int(unsigned.max()) > network.input.maximum:
        raise InputError(
            f"input values from {x.min()} to {x.max()} leave the range 0 to {network.input.maximum}",
            remedy="export with more `input_bits`, or rescale the input",
        )
    return x


def run_reference(network: IntegerNetwork, x: Any) -> dict[str, NDArray[np.int64]]:
    """Compute every layer's output for all time steps.

    Args:
        x: a valid batch, see `check_input`; int (N, *input shape, T).

    Returns:
        For each layer, by name: int64 (N, *shape, T), spikes 0 and 1, or the potentials of a Readout.
    """
    outputs: dict[str, NDArray[np.int64]] = {INPUT: check_input(network, x).astype(np.int64)}
    for layer in network.layers:
        outputs[layer.name] = fire(layer.neuron, total_current(layer, outputs))
    del outputs[INPUT]
    return outputs


def total_current(layer: Layer, outputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """The currents of a layer's connections, added, from the outputs of its sources (the input's under INPUT).

    Of memory-free neurons and readouts it is the potential U[t]. int64 (N, *shape, T).
    """
    currents = [
        current(connection.synapse, history_words(outputs[connection.source], layer.neuron.taps))
        for connection in layer.connections
    ]
    return np.sum(currents, axis=0)


def history_words(spikes: NDArray[np.int64], taps: tuple[int, ...]) -> NDArray[np.int64]:
    """h[t] = sum_k L_k s[t-k], with s[t] = 0 before the first step. `spikes` (..., T) -> (..., T)."""
    words = np.zeros_like(spikes)
    for k, tap in enumerate(taps[: spikes.shape[-1]]):
        words[..., k:] += tap * spikes[..., : spikes.shape[-1] - k]
    return words


def fire(neuron: Neuron, currents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Spikes (or, of a Readout, the potential) from a layer's total currents, (N, C, [H, W,] T)."""
    if isinstance(neuron, QuantizedLIF):
        return integrate(neuron, currents)[0]
    if isinstance(neuron, MemoryFree):
        return (currents >= per_channel(neuron.threshold, currents.ndim - 2)[..., None]).astype(np.int64)
    return currents


def integrate(neuron: QuantizedLIF, currents: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Spikes and potentials U, before reset, of neurons with a stored potential, step by step: both shaped (.., T)."""
    axes = currents.ndim - 2
    shift, gain = per_channel(neuron.potential_shift, axes), 1 << per_channel(neuron.current_shift, axes)
    bias, threshold = per_channel(neuron.bias, axes), per_channel(neuron.threshold, axes)
    stored = np.zeros(currents.shape[:-1], np.int64)
    spikes, potentials = np.empty_like(currents), np.empty_like(currents)
    for t in range(currents.shape[-1]):
        potential = (stored << shift) + gain * currents[..., t] + bias
        fired = potential >= threshold
        after = np.where(fired, 0 if neuron.reset == "hard" else potential - threshold, potential)
        total = shift + neuron.leak
        leaked = ((2**neuron.leak - 1) * after + (1 << (total - 1))) >> total
        stored = leaked.clip(*neuron.stored_range)
        spikes[..., t], potentials[..., t] = fired, potential
    return spikes, potentials


def per_channel(values: NDArray[np.int64], axes: int) -> NDArray[np.int64]:
    """Values (C,) or (1,) in a shape that broadcasts over the last `axes` axes, channels first."""
    return values.reshape(-1, *[1] * (axes - 1))


def current(synapse: Synapse, words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weighted sum of history words: (N, *source shape, T) -> (N, *output shape, T)."""
    if isinstance(synapse, Dense):
        flat = words.reshape(len(words), -1, words.shape[-1])
        return np.matmul(synapse.weight.astype(np.int64), flat)
    if isinstance(synapse, OneToOne):
        return words * per_channel(synapse.weight.astype(np.int64), words.ndim - 2)[..., None]
    return _convolve(synapse, words)


def _convolve(synapse: Conv, words: NDArray[np.int64]) -> NDArray[np.int64]:
    weight = synapse.weight.astype(np.int64)
    groups, (out, per_group, *kernel) = synapse.groups, weight.shape
    (pad_y, pad_x), (step_y, step_x), (stride_y, stride_x) = synapse.padding, synapse.dilation, synapse.stride
    _, height, width = synapse.output_shape(words.shape[1:-1])
    padded = np.pad(words, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    padded = padded.reshape(len(words), groups, per_group, *padded.shape[2:])
    weight = weight.reshape(groups, out // groups, per_group, *kernel)
    total = np.zeros((len(words), groups, out // groups, height, width, words.shape[-1]), np.int64)
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            top, left = y * step_y, x * step_x
            rows = slice(top, top + stride_y * (height - 1) + 1, stride_y)
            columns = slice(left, left + stride_x * (width - 1) + 1, stride_x)
            total += np.einsum("goi,ngihwt->ngohwt", weight[..., y, x], padded[..., rows, columns, :])
    return total.reshape(len(words), out, height, width, words.shape[-1])
