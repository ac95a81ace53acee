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
    """Outputs of every layer for one sample (*input shape, T), as nested lists [channel][row][column][step].

    Layers that feed back begin with silence, and are computed again until nothing changes: each time one more step,
    at least, is right.
    """
    steps = sample.shape[-1]
    volumes: dict[str, Any] = {integer.INPUT: sample.reshape(*_volume(network.input.shape), steps).tolist()}
    for name in network:
        channels, rows, columns = _volume(network.shapes[name])
        volumes[name] = [[[[0] * steps for _ in range(columns)] for _ in range(rows)] for _ in range(channels)]
    names = [integer.INPUT, *network]
    feeds_back = any(
        names.index(connection.source) >= names.index(layer.name)
        for layer in network.layers
        for connection in layer.connections
    )
    for _ in range(steps + 1 if feeds_back else 1):
        before = dict(volumes)
        for layer in network.layers:
            volumes[layer.name] = _layer(layer, volumes, _volume(network.shapes[layer.name]), steps)
        if volumes == before:
            break
    return volumes


def _layer(layer: integer.Layer, volumes: dict[str, Any], shape: Place, steps: int) -> list[Any]:
    return [
        [[_neuron(layer, volumes, (c, y, x), steps) for x in range(shape[2])] for y in range(shape[1])]
        for c in range(shape[0])
    ]


def _volume(shape: tuple[int, ...]) -> Place:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


def _neuron(layer: integer.Layer, volumes: dict[str, Any], place: Place, steps: int) -> list[int]:
    """All steps of one neuron."""
    ports = range(len(layer.neuron.currents))
    currents = [[_current(layer, port, volumes, place, t) for t in range(steps)] for port in ports]
    return NEURONS[type(layer.neuron)](layer.neuron, currents, place)


def _timed_memory_free(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    (current,) = currents
    return [int(value >= neuron.thresholds[t][place[0]]) for t, value in enumerate(current)]


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


def _at(values: Any, place: Place) -> int:
    """A parameter of one neuron, given for each channel or for each neuron."""
    return int(values[place] if values.ndim == 3 else values[place[0]])


def _wrap(value: int, bits: int) -> int:
    """Two's complement of so many bits, one turn at a time."""
    value %= 2**bits
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def _toward_zero(value: int, divisor: int) -> int:
    return value // divisor if value >= 0 else -(-value // divisor)


def _cuba(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    return [fired for fired, _ in _cuba_steps(neuron, currents, place)]


def _cuba_readout(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    return [voltage for _, voltage in _cuba_steps(neuron, currents, place)]


def _cuba_steps(neuron: Any, currents: list[list[int]], place: Place) -> list[tuple[int, int]]:
    """Spike and voltage of each step."""
    u = v = 0
    found = []
    for current, extra in zip(*currents):
        u = _toward_zero(u * (4096 - _at(neuron.current_decay, place)), 4096) + _wrap(64 * current, 32)
        u = _wrap(u, 32)
        if u > 2**23:
            u -= 2**24
        elif u <= -(2**23):
            u += 2**24
        bias = 64 * _wrap(_at(neuron.bias, place) + extra, 16)
        v = _toward_zero(v * (4096 - _at(neuron.voltage_decay, place)), 4096)
        v = max(1 - 2**23, min(2**23 - 1, _wrap(v + u + bias, 32)))
        fired = int(v > 64 * _at(neuron.threshold, place))
        v = 0 if fired else v
        found.append((fired, v))
    return found


def _sigma_delta(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    unit = 2 ** (neuron.exponent + 6)
    total = activation = residue = 0
    found = []
    for current in currents[0]:
        total = _wrap(total + current, 32)
        last = activation
        if neuron.form == "delta":
            activation = _wrap(current * unit, 32)
        else:
            activation = max(0, _wrap(total + _at(neuron.bias, place) * unit, 32))
        delta = _wrap(activation - last + residue, 32)
        is_sent = _wrap(abs(delta), 32) >= _at(neuron.threshold, place) * unit
        message = delta // 64 if is_sent else 0
        residue = delta if not is_sent else delta - 64 * message if neuron.rule == "corrected" else 0
        found.append(total if neuron.form == "sigma" else message)
    return found


def _resonate(neuron: Any, currents: list[list[int]], place: Place) -> list[int]:
    sine, cosine, threshold = (_at(getattr(neuron, name), place) for name in ("sine", "cosine", "threshold"))
    real = imaginary = 0
    spikes = []
    for one, other in zip(*currents):
        before = imaginary
        real, imaginary = (
            _toward_zero(cosine * real, 4096) - _toward_zero(sine * imaginary, 4096) + _wrap(64 * one, 32),
            _toward_zero(sine * real, 4096) + _toward_zero(cosine * imaginary, 4096) + _wrap(64 * other, 32),
        )
        real, imaginary = (max(1 - 2**23, min(2**23 - 1, each)) for each in (real, imaginary))
        if neuron.kind == "rf":
            spikes.append(int(real >= 64 * threshold and imaginary >= 0 and before < 0))
        else:
            spikes.append(int(imaginary >= 64 * threshold))
            if spikes[-1]:
                real, imaginary = 0, 64 * threshold - 1
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
        weighted = SYNAPSES[type(connection.synapse)](connection.synapse, shape, trace, place, t)
        if connection.sum_bits:
            weighted = _wrap(weighted, connection.sum_bits)
        total += weighted // 2**connection.sum_shift
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


def _delayed_dense(synapse: Any, shape: Place, trace: Volume, target: Place, t: int) -> int:
    total = 0
    for j, place in enumerate(places(shape)):
        delay = int(synapse.delays[target[0] % len(synapse.delays)][j % len(synapse.delays[0])])
        if delay <= t:
            total += int(synapse.weight[target[0]][j]) * trace(*place, t - delay)
    return total


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
    integer.TimedMemoryFree: _timed_memory_free,
    integer.Readout: _readout,
    integer.QuantizedLIF: _quantized_lif,
    integer.CUBA: _cuba,
    integer.CUBAReadout: _cuba_readout,
    integer.SigmaDelta: _sigma_delta,
    integer.RF: _resonate,
    integer.RFIzhikevich: _resonate,
}

#: The current of one target at one step, from traces over a volume of some shape.
SYNAPSES: dict[type, Callable[[Any, Place, Volume, Place, int], int]] = {
    integer.Dense: _dense,
    integer.DelayedDense: _delayed_dense,
    integer.OneToOne: _one_to_one,
    integer.Conv: _conv,
}
