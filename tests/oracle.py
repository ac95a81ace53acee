"""The equations of the memory-free network once more, in plain Python loops: the judge of the reference engine.

It shares nothing with the engines: it takes nested lists of Python integers and walks over every sample, step, neuron
and synapse. Slow on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lava_qsnn import integer

Volume = Callable[[int, int, int, int], int]  # value at (channel, row, column, step)


def run(network: integer.IntegerNetwork, sample: Any) -> dict[str, list[Any]]:
    """Outputs of every layer for one sample (*input shape, T), as nested lists [channel][row][column][step]."""
    steps = sample.shape[-1]
    volumes = {integer.INPUT: sample.reshape(*_volume(network.input.shape), steps).tolist()}
    for layer in network.layers:
        channels, rows, columns = _volume(network.shapes[layer.name])
        volumes[layer.name] = [
            [[_neuron(layer, volumes, c, y, x, steps) for x in range(columns)] for y in range(rows)]
            for c in range(channels)
        ]
    return volumes


def _volume(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape if len(shape) == 3 else (shape[0], 1, 1)


def _neuron(layer: integer.Layer, volumes: dict[str, Any], c: int, y: int, x: int, steps: int) -> list[int]:
    """All steps of one neuron."""
    neuron = layer.neuron
    currents = [_current(layer, volumes, c, y, x, t) for t in range(steps)]
    if isinstance(neuron, integer.Readout):
        return currents
    if isinstance(neuron, integer.MemoryFree):
        return [1 if current >= int(neuron.threshold[c]) else 0 for current in currents]
    stored, spikes = 0, []
    for current in currents:
        potential = 2 ** int(neuron.potential_shift[c]) * stored + 2 ** int(neuron.current_shift[c]) * current
        potential += int(neuron.bias[c])
        spikes.append(1 if potential >= int(neuron.threshold[c]) else 0)
        if spikes[-1]:
            potential = 0 if neuron.reset == "hard" else potential - int(neuron.threshold[c])
        # In exact fractions: what a decay of 1 - 1/2^k leaves, in units of the step, rounded to the nearest, half up.
        left = Fraction(2**neuron.leak - 1, 2**neuron.leak) * potential / 2 ** int(neuron.potential_shift[c])
        stored = max(-(2 ** (neuron.bits - 1)), min(2 ** (neuron.bits - 1) - 1, math.floor(left + Fraction(1, 2))))
    return spikes


def _current(layer: integer.Layer, volumes: dict[str, Any], c: int, y: int, x: int, t: int) -> int:
    total = 0
    for connection in layer.connections:
        source = volumes[connection.source]
        word = _words(source, layer.neuron.taps)
        if isinstance(connection.synapse, integer.Dense):
            total += _dense(connection.synapse, source, word, c, t)
        elif isinstance(connection.synapse, integer.OneToOne):
            total += int(connection.synapse.weight[c]) * word(c, y, x, t)
        else:
            total += _conv(connection.synapse, source, word, c, y, x, t)
    return total


def _words(source: Any, taps: tuple[int, ...]) -> Volume:
    def word(c: int, y: int, x: int, t: int) -> int:
        return sum(tap * source[c][y][x][t - k] for k, tap in enumerate(taps) if t - k >= 0)

    return word


def _dense(synapse: integer.Dense, source: Any, word: Volume, target: int, t: int) -> int:
    total, j = 0, 0
    for c in range(len(source)):
        for y in range(len(source[0])):
            for x in range(len(source[0][0])):
                total += int(synapse.weight[target][j]) * word(c, y, x, t)
                j += 1
    return total


def _conv(synapse: integer.Conv, source: Any, word: Volume, target: int, row: int, column: int, t: int) -> int:
    per_group = synapse.weight.shape[1]
    first = (target // (synapse.weight.shape[0] // synapse.groups)) * per_group
    total = 0
    for c in range(per_group):
        for b in range(synapse.weight.shape[2]):
            for a in range(synapse.weight.shape[3]):
                y = row * synapse.stride[0] - synapse.padding[0] + b * synapse.dilation[0]
                x = column * synapse.stride[1] - synapse.padding[1] + a * synapse.dilation[1]
                if 0 <= y < len(source[0]) and 0 <= x < len(source[0][0]):
                    total += int(synapse.weight[target][c][b][a]) * word(first + c, y, x, t)
    return total
