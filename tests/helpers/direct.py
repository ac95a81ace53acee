"""Networks built by hand from extreme numbers, and inputs of every layout: what folding never gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError, RangeError

#: Where a number stops being exact somewhere: int16, Loihi's state, float32, int32, float64.
BORDERS = [2**15, 2**17, 2**24, 2**15, 2**24, 2**31, 2**53]
WEIGHTS = [0, 7, 127, 128, 2**15, 2**24 - 1, 2**31 - 1]
MAXIMA = [1, 3, 15, 255, 256, 2**16 + 1, 2**24, 2**31 - 1]
EXTREMES = [2**62, -(2**62), 2**63 - 1, -(2**63)]
TYPES = ["u1", "i2", ">u2", ">i4", "u4", "i8", ">u8"]


@dataclass(frozen=True)
class Direct:
    """A network and a batch for it."""

    network: integer.IntegerNetwork
    x: Any


def direct_cases(tame: bool = False) -> st.SearchStrategy[Direct]:
    """Networks of one to four layers, with skips and dead ends, taps beyond T, T below the network's.

    `tame` ones mostly stay within what Lava's processes compute.
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: direct_case(np.random.default_rng(seed), tame))


def direct_case(random: np.random.Generator, tame: bool = False) -> Direct:
    """A case drawn by a generator of random numbers; half of them lie at the very borders of what is exact."""
    return _Maker(random, tame, edge=bool(random.random() < 0.5)).case()


@dataclass(frozen=True)
class _Maker:
    """Draws the parts of a case."""

    random: np.random.Generator
    tame: bool
    edge: bool  # potentials end at a border, thresholds lie there, and inputs lead there

    def pick(self, values: list[Any]) -> Any:
        return values[int(self.random.integers(len(values)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def between(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def case(self) -> Direct:
        shape: tuple[int, ...] = (self.pick([1, 2, 16, 32]),)
        if self.chance(0.3 if self.edge else 0.6):
            shape = (self.between(1, 3), self.between(1, 6), self.between(1, 6))
        maximum = self.pick([1, 1, 1, 2**10] if self.edge else MAXIMA[: 4 if self.tame else None])
        timesteps = self.between(1, 6)
        steps = timesteps if self.chance(0.5) else self.between(1, timesteps)
        x = self.random.integers(0, maximum + 1, (self.between(1, 3), *shape, steps))
        x = np.where(self.random.random(x.shape) < 0.3, self.random.choice([0, maximum], x.shape), x)
        x[0] = maximum if self.edge else x[0]
        return Direct(self.network(integer.Input(shape, maximum), timesteps, x), self.laid_out(x, maximum))

    def laid_out(self, x: Any, maximum: int) -> Any:
        """The batch in another integer type and layout, sometimes the same at every step, or in every sample."""
        types = [kind for kind in TYPES if maximum <= np.iinfo(kind).max] + [bool] * (maximum == 1)
        x = x.astype(self.pick(types))
        axis, order = self.between(0, x.ndim - 1), tuple(self.random.permutation(x.ndim))
        layouts = [
            lambda: x,
            lambda: np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order)),
            lambda: np.flip(np.ascontiguousarray(np.flip(x, axis)), axis),
            lambda: np.repeat(x, 2, axis)[(slice(None),) * axis + (slice(None, None, 2),)],
            lambda: np.broadcast_to(x.take([0], axis), x.shape),
            lambda: np.broadcast_to(x[..., :1], x.shape),
        ]
        return self.pick(layouts)()

    def network(self, input: integer.Input, timesteps: int, x: Any) -> integer.IntegerNetwork:
        """A network of layers that int64 takes; thresholds lie near what the batch causes."""
        layers: tuple[integer.Layer, ...] = ()
        wanted = self.between(1, 4)
        while len(layers) < wanted:
            try:
                layer = self.layer(input, timesteps, layers, x)
                layers = integer.IntegerNetwork(input, timesteps, (*layers, layer)).layers
            except RangeError:
                wanted = max(1, wanted - self.chance(0.2))
        return integer.IntegerNetwork(input, timesteps, layers)

    def layer(self, input: integer.Input, timesteps: int, layers: tuple[integer.Layer, ...], x: Any) -> integer.Layer:
        """A layer that may follow others; RangeError if its potentials leave int64."""
        shapes = {integer.INPUT: input.shape}
        if layers:
            shapes.update(integer.IntegerNetwork(input, timesteps, layers).shapes)
        sources = [integer.INPUT, *(layer.name for layer in layers if layer.neuron.spikes)]
        connections = tuple(self.connections({name: shapes[name] for name in sources}))
        stored = self.chance(0.25)
        taps = (1,) if stored else self.taps(max(_largest(each, input.maximum) for each in connections), x.shape[-1])
        probe = integer.Layer("probe", connections, integer.Readout(taps))
        network = integer.IntegerNetwork(input, timesteps, (*layers, probe))
        low, high = network.current_ranges["probe"]
        seen = integer.run_reference(network, x)["probe"].swapaxes(0, 1).reshape(len(low), -1)
        neuron: integer.Neuron
        if stored:
            neuron = self.stored(low, high, seen)
        elif self.chance(0.1):
            neuron = integer.Readout(taps)
        else:
            neuron = integer.MemoryFree(taps, [self.threshold(*each) for each in zip(low, high, seen)])
        return integer.Layer(str(len(layers)), connections, neuron)

    def connections(self, shapes: dict[str, Any]) -> Iterator[integer.Connection]:
        """One to three, all of one shape; the last source is the likeliest."""
        names = list(shapes)
        source = names[-1] if self.chance(0.7) else self.pick(names)
        first = self.synapse(shapes[source])
        yield integer.Connection(source, first)
        shape = first.output_shape(shapes[source])
        for _ in range(self.pick([0, 0, 1, 2])):
            source = self.pick(names)
            if shapes[source] == shape and self.chance(0.5):
                yield integer.Connection(source, integer.OneToOne(self.weights(shape[0])))
            elif len(shape) == 1:
                yield integer.Connection(source, integer.Dense(self.weights(shape[0], int(np.prod(shapes[source])))))

    def synapse(self, shape: Any) -> Any:
        if self.chance(0.1):
            return integer.OneToOne(self.weights(shape[0]))
        if len(shape) == 1 or self.chance(0.3):
            return integer.Dense(self.weights(self.pick([1, 8, 8, 16]), int(np.prod(shape))))
        while True:
            groups = self.pick([1, 1, shape[0]])
            weight = self.weights(
                groups * self.between(1, 3), shape[0] // groups, self.between(1, 3), self.between(1, 3)
            )
            stride, padding, dilation = ((self.between(low, 3), self.between(low, 3)) for low in (1, 0, 1))
            conv = integer.Conv(weight, stride, padding, dilation, groups)
            try:
                conv.output_shape(shape)
            except DeploymentError:
                continue
            return conv

    def weights(self, *shape: int) -> Any:
        """Of one magnitude, of one sign, or all that are small enough."""
        largest = 1 if self.edge or self.chance(0.4) else self.pick(WEIGHTS[1:3] if self.tame else WEIGHTS)
        if self.chance(0.8 if self.edge else 0.4):
            return np.full(shape, largest)
        return self.random.choice([-largest, largest], shape) if self.chance(0.6) else self.small(largest, shape)

    def small(self, largest: int, shape: tuple[int, ...]) -> Any:
        return self.random.integers(-largest, largest + 1, shape)

    def taps(self, largest: int, steps: int) -> tuple[int, ...]:
        """One, powers of two, small ones, or such that currents end at a border, within these steps or beyond them."""
        count = self.between(1, steps + 3)
        kind = 3 if self.edge else self.between(0, 3)
        if kind == 0:
            return (1,)
        if kind == 1:
            return integer.shift_taps(count if self.tame or self.chance(0.7) else 40)
        if kind == 2:
            return tuple(self.between(1, 15) for _ in range(count))
        border = self.pick(BORDERS[:2] if self.tame else BORDERS)
        total = max(64, border // largest + self.pick([-1, 0, 0, 1]))
        if self.chance(0.3):
            return (*([1] * steps), total)
        cuts = np.unique(self.random.integers(1, total, self.between(1, steps) - 1))
        return tuple(int(part) for part in np.diff([0, *cuts, total]))

    def stored(self, low: Any, high: Any, seen: Any) -> integer.QuantizedLIF:
        bits, leak, largest = (
            self.between(2, 16),
            self.between(1, 8),
            self.pick([1, 4, 10] if self.tame else [0, 4, 16, 31]),
        )
        shifts, gains = ([self.between(0, largest) for _ in low] for _ in range(2))
        gains = gains if self.chance(0.5) else [0] * len(low)
        biases = [self.between(-(2 ** self.between(1, 8 if self.tame else 34)), 32) for _ in low]
        thresholds = []
        for shift, gain, bias, least, most, values in zip(shifts, gains, biases, low, high, seen):
            below, above = -(2 ** (bits - 1 + shift)) + bias, (2 ** (bits - 1) - 1) * 2**shift + bias
            driven = [2**gain * int(value) + bias for value in values]
            thresholds.append(self.threshold(2**gain * int(least) + below, 2**gain * int(most) + above, driven))
        return integer.QuantizedLIF(bits, leak, self.pick(["hard", "soft"]), shifts, gains, biases, thresholds)

    def threshold(self, low: int, high: int, seen: Any) -> int:
        """Amid what is seen, at the ends of what can be, just beyond them, or far away."""
        kind = self.random.random()
        chosen = int(self.pick(list(seen))) + self.between(0, 1)
        if kind < (0.7 if self.edge else 0.3):
            chosen = int(self.pick([low - 1, low, low + 1, 0, 1, high - 1, high, high + 1, high + 1, high + 2]))
        elif kind > 0.95:
            chosen = self.pick(EXTREMES)
        return max(-(2**63), min(2**63 - 1, chosen))


def _largest(connection: integer.Connection, maximum: int) -> int:
    """The largest current that spikes, or the input, cause at once."""
    weight = connection.synapse.weight
    total = int(np.abs(weight.reshape(len(weight), -1).astype(np.int64)).sum(1).max())
    return max(1, total * (maximum if connection.source == integer.INPUT else 1))
