"""The equations of the memory-free network once more, in plain Python loops: the judge of the reference engine.

It shares nothing with the engines: it takes nested lists of Python integers and walks over every sample, step, neuron
and synapse. Slow on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lava_qsnn import integer

Volume = Callable[[int, int, int, int], int]  # value at (channel, row, column, step)


def run(network: integer.IntegerNetwork, sample: Any) -> dict[str, list[Any]]:
    """Outputs of every layer for one sample (*input shape, T), as nested lists [channel][row][column][step]."""
    steps = sample.shape[-1]
    volumes = {integer.INPUT: sample.reshape(*_volume(network.input.shape), steps).tolist()}
    for layer in network.layers:
        channels, rows, columns = _volume(network.shapes[layer.name])
        result = [[[[0] * steps for _ in range(columns)] for _ in range(rows)] for _ in range(channels)]
        for c in range(channels):
            for y in range(rows):
                for x in range(columns):
                    for t in range(steps):
                        result[c][y][x][t] = _output(layer, volumes, c, y, x, t)
        volumes[layer.name] = result
    return volumes


def _volume(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape if len(shape) == 3 else (shape[0], 1, 1)


def _output(layer: integer.Layer, volumes: dict[str, Any], c: int, y: int, x: int, t: int) -> int:
    potential = 0
    for connection in layer.connections:
        word = _words(volumes[connection.source], layer.neuron.taps)
        if isinstance(connection.synapse, integer.Dense):
            potential += _dense(connection.synapse, volumes[connection.source], word, c, t)
        else:
            potential += _conv(connection.synapse, volumes[connection.source], word, c, y, x, t)
    if isinstance(layer.neuron, integer.Readout):
        return potential
    return 1 if potential >= int(layer.neuron.threshold[c]) else 0


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
