"""The golden vectors: what each layer answers to some samples, in the units in which it is read on a board."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import INPUT, IntegerNetwork
from lava_qsnn.integer.stock import SPIKES, StockAnswer
from netx_export._simulate import simulate_layers

#: Dtypes of golden vectors, the smallest that holds a layer's.
DTYPES = (np.int8, np.int16, np.int32, np.int64)


def key(index: int) -> str:
    """The name of a layer's array, by its place in the network."""
    return f"layer{index}"


def golden(network: IntegerNetwork, x: NDArray[np.integer[Any]], answer: StockAnswer) -> dict[str, NDArray[Any]]:
    """The samples, under the name "input", and each layer's answers, integers (N, *shape, T), by `key`.

    Raises:
        InputError: x does not fit the network.
    """
    outputs = simulate_layers(network, x, "fast")
    if answer.form == SPIKES:
        name = network.output.name
        outputs[name] = _levels_exceeded(outputs[name], answer, network.output.neuron.taps[0])
    found = {key(index): outputs[layer.name] for index, layer in enumerate(network.layers)}
    return {name: _small(values) for name, values in ({INPUT: np.asarray(x)} | found).items()}


def _levels_exceeded(potentials: NDArray[np.int64], answer: StockAnswer, unit: int) -> NDArray[np.int64]:
    """(N, C, .., T) to the spikes (N, C M, .., T) of M neurons for each potential, one for each level."""
    levels = np.array(answer.levels).reshape(-1, *[1] * (potentials.ndim - 2)) * unit
    spikes = (potentials[:, :, None] > levels).astype(np.int64)
    return spikes.reshape(len(potentials), -1, *potentials.shape[2:])


def _small(values: NDArray[Any]) -> NDArray[Any]:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    kind = next(each for each in DTYPES if np.iinfo(each).min <= low and high <= np.iinfo(each).max)
    return values.astype(kind)
