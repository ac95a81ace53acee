"""The equations of deployed networks once more, in plain Python loops: the judge of the reference engine.

It shares nothing with the engines: it takes nested lists of Python integers and walks over every sample, step, neuron
and synapse. Slow on purpose. Kinds defined in tests add a row to NEURONS or SYNAPSES.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lava_qsnn import integer

Place = tuple[int, int, int]  # channel, row, column
Volume = Callable[[int, int, int, int], int]  # value at (channel, row, column, step)


def run(network: integer.IntegerNetwork, sample: Any) -> dict[str, list[Any]]:
    """Outputs of every layer for one sample (*input shape, T), as nested lists [channel][row][column][step]."""
    steps = sample.shape[-1]
    volumes = {integer.INPUT: sample.reshape(*_volume(network.input.shape), steps).tolist()}
    for layer in network.layers:
        channels, rows, columns = _volume(network.shapes[layer.name])
        volumes[layer.name] = [
            [[_neuron(layer, volumes, (c, y, x), steps) for x in range(columns)] for y in range(rows)]
            for c in range(channels)
        ]
    return volumes


def _volume(shape: tuple[int, ...]) -> Place:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


def _neuron(layer: integer.Layer, volumes: dict[str, Any], place: Place, steps: int) -> list[int]:
    """All steps of one neuron."""
    ports = range(len(layer.neuron.currents))
    currents = [[_current(layer, port, volumes, place, t) for t in range(steps)] for port in ports]
    return NEURONS[type(layer.neuron)](layer.neuron, currents, place)


def _memory_free(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    return [1 if current >= int(neuron.threshold[place[0]]) else 0 for current in currents[0]]


def _readout(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    return currents[0]


def _quantized_lif(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    c, stored, spikes = place[0], 0, []
    for current in currents[0]:
        potential = 2 ** int(neuron.potential_shift[c]) * stored + 2 ** int(neuron.current_shift[c]) * current
        potential += int(neuron.bias[c])
        spikes.append(1 if potential >= int(neuron.threshold[c]) else 0)
        if spikes[-1]:
            potential = 0 if neuron.reset == "hard" else potential - int(neuron.threshold[c])
        # In exact fractions: what a decay of 1 - 1/2^k leaves, in units of the step, rounded to the nearest, half up.
        left = Fraction(2**neuron.leak - 1, 2**neuron.leak) * potential / 2 ** int(neuron.potential_shift[c])
        stored = max(-(2 ** (neuron.bits - 1)), min(2 ** (neuron.bits - 1) - 1, math.floor(left + Fraction(1, 2))))
    return spikes


def _current(layer: integer.Layer, port: int, volumes: dict[str, Any], place: Place, t: int) -> int:
    total = 0
    for connection in layer.connections:
        if connection.port != port:
            continue
        source = volumes[connection.source]
        trace, shape = _traces(source, layer.neuron.taps, connection.delay), _extent(source)
        for pooling in connection.poolings:
            trace, shape = _pooled(trace, shape, pooling)
        total += SYNAPSES[type(connection.synapse)](connection.synapse, shape, trace, place, t)
    return total


def _extent(source: Any) -> Place:
    return len(source), len(source[0]), len(source[0][0])


def _traces(source: Any, taps: tuple[int, ...], delay: int) -> Volume:
    def trace(c: int, y: int, x: int, t: int) -> int:
        return sum(tap * source[c][y][x][t - k] for k, tap in enumerate(taps, delay) if t - k >= 0)

    return trace


def _pooled(trace: Volume, shape: Place, pooling: integer.SumPool) -> tuple[Volume, Place]:
    """Sums of traces over windows, zero outside of the map, and how many windows fit."""
    (height, width), (down, across) = pooling.kernel, pooling.stride
    (top, left), (step_y, step_x) = pooling.padding, pooling.dilation

    def total(c: int, y: int, x: int, t: int) -> int:
        rows = [y * down - top + b * step_y for b in range(height)]
        columns = [x * across - left + a * step_x for a in range(width)]
        return sum(trace(c, r, k, t) for r in rows for k in columns if 0 <= r < shape[1] and 0 <= k < shape[2])

    rows = len(range(-top, shape[1] + top - step_y * (height - 1), down))
    columns = len(range(-left, shape[2] + left - step_x * (width - 1), across))
    return total, (shape[0], rows, columns)


def places(shape: Place) -> list[Place]:
    """All places of a volume in C order, as dense weights count them."""
    return [(c, y, x) for c in range(shape[0]) for y in range(shape[1]) for x in range(shape[2])]


def _dense(synapse: Any, shape: Place, trace: Volume, target: Place, t: int) -> int:
    return sum(int(synapse.weight[target[0]][j]) * trace(*place, t) for j, place in enumerate(places(shape)))


def _one_to_one(synapse: Any, shape: Place, trace: Volume, target: Place, t: int) -> int:
    return int(synapse.weight[target[0]]) * trace(*target, t)


def _conv(synapse: Any, shape: Place, trace: Volume, target: Place, t: int) -> int:
    out, row, column = target
    per_group = synapse.weight.shape[1]
    first = (out // (synapse.weight.shape[0] // synapse.groups)) * per_group
    total = 0
    for c in range(per_group):
        for b in range(synapse.weight.shape[2]):
            for a in range(synapse.weight.shape[3]):
                y = row * synapse.stride[0] - synapse.padding[0] + b * synapse.dilation[0]
                x = column * synapse.stride[1] - synapse.padding[1] + a * synapse.dilation[1]
                if 0 <= y < shape[1] and 0 <= x < shape[2]:
                    total += int(synapse.weight[out][c][b][a]) * trace(first + c, y, x, t)
    return total


#: All steps of one neuron at a place, from its currents: [port][step] -> [step].
NEURONS: dict[type, Callable[[Any, list[list[int]], Place], list[int]]] = {
    integer.MemoryFree: _memory_free,
    integer.Readout: _readout,
    integer.QuantizedLIF: _quantized_lif,
}

#: The current of one target at one step, from traces over a volume of some shape.
SYNAPSES: dict[type, Callable[[Any, Place, Volume, Place, int], int]] = {
    integer.Dense: _dense,
    integer.OneToOne: _one_to_one,
    integer.Conv: _conv,
}
