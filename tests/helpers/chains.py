"""Networks and neurons written in one line, for tests by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from lava_qsnn import integer


def chain(*layers: integer.Layer, inputs: int = 1, maximum: int = 1, timesteps: int = 1) -> integer.IntegerNetwork:
    return integer.IntegerNetwork(integer.Input((inputs,), maximum), timesteps, layers)


def layer(
    name: str, weight: Any, neuron: integer.Neuron | None = None, source: str = "input", **more: integer.Synapse
) -> integer.Layer:
    synapses = {source: integer.Dense(np.asarray(weight)), **more}
    connections = tuple(integer.Connection(start, synapse) for start, synapse in synapses.items())
    return integer.Layer(name, connections, neuron or integer.Readout((1,)))


def stored(**changes: Any) -> integer.QuantizedLIF:
    values = {"bits": 4, "leak": 2, "reset": "hard", "potential_shift": [0], "current_shift": [0], "bias": [0]}
    return integer.QuantizedLIF(**{**values, "threshold": [1], **changes})
