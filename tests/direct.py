"""Networks built by hand from extreme numbers, and inputs of every layout: what folding never gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError, RangeError

Random = np.random.Generator

#: Where a number stops being exact somewhere: int16, Loihi's state, float32, int32, float64. And harmless ones.
BORDERS = [2**15, 2**17, 2**24, 2**31, 2**53]
WEIGHTS = [0, 1, 1, 1, 7, 127, 128, 2**15, 2**24 - 1, 2**31 - 1]
MAXIMA = [1, 1, 1, 3, 15, 255, 256, 2**16 + 1, 2**24, 2**31 - 1]
EXTREMES = [2**62, -(2**62), 2**63 - 1, -(2**63)]


@dataclass(frozen=True)
class Direct:
    """A network and a batch for it."""

    network: integer.IntegerNetwork
    x: Any


def direct_cases(tame: bool = False) -> st.SearchStrategy[Direct]:
    """Networks of one to five layers, with skips and dead ends, taps beyond T, T below the network's.

    `tame` ones mostly stay within what Lava's processes compute.
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: direct_case(np.random.default_rng(seed), tame))


def direct_case(random: Random, tame: bool = False) -> Direct:
    shape: tuple[int, ...] = (int(random.choice([1, 2, 5, 5, 20])),)
    if random.random() < 0.6:
        shape = (int(random.integers(1, 4)), int(random.integers(1, 7)), int(random.integers(1, 7)))
    maximum = int(random.choice(MAXIMA[:5] if tame else MAXIMA))
    timesteps = int(random.integers(1, 7))
    x = random.integers(0, maximum + 1, (int(random.integers(1, 4)), *shape, int(random.integers(1, timesteps + 1))))
    x = np.where(random.random(x.shape) < 0.3, random.choice([0, maximum], x.shape), x)
    network = _grown(random, integer.Input(shape, maximum), timesteps, x, tame)
    return Direct(network, laid_out(random, x, maximum))


def laid_out(random: Random, x: Any, maximum: int) -> Any:
    """The batch in another integer type and layout, sometimes the same at every step, in every sample or channel."""
    types = [bool] if maximum == 1 else []
    types += [kind for kind in ("u1", "i2", ">u2", ">i4", "u4", "i8", ">u8") if maximum <= np.iinfo(kind).max]
    x = x.astype(types[random.integers(len(types))])
    axis = int(random.integers(x.ndim))
    layouts = [
        lambda: x,
        lambda: np.asfortranarray(x),
        lambda: np.ascontiguousarray(x.transpose(*reversed(range(x.ndim)))).transpose(*reversed(range(x.ndim))),
        lambda: np.flip(np.ascontiguousarray(np.flip(x, axis)), axis),
        lambda: np.repeat(x, 2, axis)[(slice(None),) * axis + (slice(None, None, 2),)],
        lambda: np.broadcast_to(x.take([0], axis), x.shape),
        lambda: np.broadcast_to(x[..., :1], x.shape),
    ]
    return layouts[random.integers(len(layouts))]()


def _grown(random: Random, input: integer.Input, timesteps: int, x: Any, tame: bool) -> integer.IntegerNetwork:
    """A network to which layers are added that it takes; thresholds lie near what this batch causes."""
    layers: tuple[integer.Layer, ...] = ()
    wanted = int(random.integers(1, 6))
    for _ in range(40):
        if len(layers) == wanted:
            break
        layer = _layer(random, input, timesteps, layers, x, tame)
        try:
            layers = integer.IntegerNetwork(input, timesteps, (*layers, layer)).layers if layer else layers
        except RangeError:
            continue
    if not layers:
        neuron = integer.MemoryFree((1,), [1] * input.shape[0])
        synapse = integer.OneToOne(np.ones(input.shape[0], int))
        layers = (integer.Layer("plain", (integer.Connection("input", synapse),), neuron),)
    return integer.IntegerNetwork(input, timesteps, layers)


def _layer(
    random: Random,
    input: integer.Input,
    timesteps: int,
    layers: tuple[integer.Layer, ...],
    x: Any,
    tame: bool,
) -> integer.Layer | None:
    """A layer that may follow, or None if its numbers leave int64 while its neurons are chosen."""
    shapes = {integer.INPUT: input.shape}
    if layers:
        shapes.update(integer.IntegerNetwork(input, timesteps, layers).shapes)
    sources = [integer.INPUT, *(layer.name for layer in layers if layer.neuron.spikes)]
    connections = tuple(_connections(random, {name: shapes[name] for name in sources}, tame))
    taps = _taps(random, tame)
    stored = random.random() < 0.25
    try:
        probe = integer.Layer("probe", connections, integer.Readout((1,) if stored else taps))
        network = integer.IntegerNetwork(input, timesteps, (*layers, probe))
    except RangeError:
        return None
    neuron = _neuron(random, network, x, taps, stored, tame)
    return integer.Layer(f"{len(layers)}", connections, neuron)


def _connections(random: Random, shapes: dict[str, Any], tame: bool) -> Iterator[integer.Connection]:
    """One to three, all of one shape; the last source is the likeliest."""
    names = list(shapes)
    source = names[-1] if random.random() < 0.7 else str(random.choice(names))
    first = _synapse(random, shapes[source], tame)
    yield integer.Connection(source, first)
    shape = first.output_shape(shapes[source])
    for _ in range(int(random.choice([0, 0, 1, 2]))):
        source = str(random.choice(names))
        if shapes[source] == shape and random.random() < 0.5:
            yield integer.Connection(source, integer.OneToOne(_weights(random, tame, shape[0])))
        elif len(shape) == 1:
            yield integer.Connection(source, integer.Dense(_weights(random, tame, shape[0], np.prod(shapes[source]))))


def _synapse(random: Random, shape: Any, tame: bool) -> Any:
    kind = random.random()
    if len(shape) == 1 or kind < 0.3:
        if kind < 0.1:
            return integer.OneToOne(_weights(random, tame, shape[0]))
        return integer.Dense(_weights(random, tame, int(random.choice([1, 3, 8, 20])), np.prod(shape)))
    while True:
        groups = int(random.choice([1, 1, shape[0]]))
        size = random.integers(1, 4, 2)
        weight = _weights(random, tame, groups * int(random.integers(1, 4)), shape[0] // groups, *size)
        geometry = [tuple(map(int, random.integers(low, 4, 2))) for low in (1, 0, 1)]
        conv = integer.Conv(weight, *geometry, groups=groups)  # type: ignore[arg-type]
        try:
            conv.output_shape(shape)
        except DeploymentError:
            continue
        return conv


def _weights(random: Random, tame: bool, *shape: Any) -> Any:
    largest = int(random.choice(WEIGHTS[1:6] if tame else WEIGHTS))
    if random.random() < 0.5:
        return random.choice([-largest, largest], shape)
    return random.integers(-largest, largest + 1, shape)


def _taps(random: Random, tame: bool) -> tuple[int, ...]:
    """One, powers of two, small ones, or a sum that lies at a border; more than there are steps, too."""
    count = int(random.integers(1, 9))
    kind = random.integers(3 if tame else 4)
    if kind == 0:
        return (1,)
    if kind == 1:
        return integer.shift_taps(count if tame or random.random() < 0.7 else 40)
    if kind == 2:
        return tuple(map(int, random.integers(1, 16, count)))
    total = int(random.choice(BORDERS)) + int(random.integers(-1, 2))
    cuts = np.unique(random.integers(1, total, count - 1)) if count > 1 else np.array([], int)
    return tuple(int(part) for part in np.diff([0, *cuts, total]))


def _neuron(
    random: Random, network: integer.IntegerNetwork, x: Any, taps: tuple[int, ...], stored: bool, tame: bool
) -> Any:
    """Neurons for the readout at the end of a network: thresholds where its potentials are, and at their borders."""
    channels = network.shapes["probe"][0]
    low, high = network.current_ranges["probe"]
    seen = integer.run_reference(network, x)["probe"].swapaxes(0, 1).reshape(channels, -1)
    if stored:
        return _stored(random, channels, low, high, seen, tame)
    if random.random() < 0.15:
        return integer.Readout(taps)
    return integer.MemoryFree(taps, [_threshold(random, low[c], high[c], seen[c]) for c in range(channels)])


def _stored(random: Random, channels: int, low: Any, high: Any, seen: Any, tame: bool) -> Any:
    largest = int(random.choice([1, 4, 10] if tame else [0, 4, 16, 32]))
    potential_shift, current_shift = (random.integers(0, largest, channels, endpoint=largest < 32) for _ in range(2))
    if not tame and random.random() < 0.5:
        current_shift[:] = 0
    bias = random.integers(-(2 ** random.integers(1, 8 if tame else 34)), 2**5, channels)
    bits, leak = int(random.integers(2, 17)), int(random.integers(1, 9))
    thresholds = []
    for c in range(channels):
        unit, gain = 2 ** int(potential_shift[c]), 2 ** int(current_shift[c])
        least = -(2 ** (bits - 1)) * unit + gain * low[c] + int(bias[c])
        most = (2 ** (bits - 1) - 1) * unit + gain * high[c] + int(bias[c])
        driven = [gain * int(value) + int(bias[c]) for value in seen[c]]
        thresholds.append(_threshold(random, least, most, driven))
    reset = str(random.choice(["hard", "soft"]))
    return integer.QuantizedLIF(bits, leak, reset, potential_shift, current_shift, bias, thresholds)


def _threshold(random: Random, low: int, high: int, seen: Any) -> int:
    """Amid what is seen, at the ends of what can be, just beyond them, or far away."""
    near = [low - 1, low, low + 1, 0, 1, high - 1, high, high + 1, high + 2]
    choices = [int(seen[random.integers(len(seen))]) + int(random.integers(0, 2)) for _ in range(12)]
    choices += [*near, EXTREMES[random.integers(4)]]
    return max(-(2**63), min(2**63 - 1, int(choices[random.integers(len(choices))])))
