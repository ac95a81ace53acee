"""The deployed network: a few dataclasses of integers, the one truth every engine, file and report reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, InputError, RangeError
from lava_qsnn.integer._neurons import Bounds, Neuron, QuantizedLIF
from lava_qsnn.integer._synapses import OneToOne, Synapse
from lava_qsnn.integer._values import Shape, Value

#: Name under which layers refer to the input of the network.
INPUT = "input"

#: int64 reference sums must not come near wrapping.
REFERENCE_LIMIT = 2**62


@dataclass(frozen=True, eq=False)
class Connection(Value):
    """A synapse and the name of the layer (or INPUT) whose output it carries."""

    source: str
    synapse: Synapse


@dataclass(frozen=True, eq=False)
class Layer(Value):
    """Neurons of one kind and the connections whose currents they add up."""

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "connections", tuple(self.connections))
        if not self.name or self.name == INPUT or "/" in self.name:
            raise DeploymentError(f"'{self.name}' is no valid layer name")
        if not self.connections:
            raise DeploymentError("a layer needs at least one connection", layer=self.name)


@dataclass(frozen=True, eq=False)
class Input(Value):
    """Integers from 0 to `maximum`, of shape (C,) or (C, H, W) at each time step."""

    shape: Shape
    maximum: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) not in (1, 3) or min(self.shape) < 1:
            raise DeploymentError(f"the input shape must be (C,) or (C, H, W), not {self.shape}")
        if not 1 <= self.maximum < 2**31:
            raise DeploymentError(f"the input maximum must be from 1 to 2^31 - 1, not {self.maximum}")

    @property
    def bits(self) -> int:
        """Bits of one input number."""
        return int(self.maximum).bit_length()


@dataclass(frozen=True, eq=False)
class IntegerNetwork(Value):
    """A deployed network: an acyclic graph of layers in topological order, numpy integers only.

    Args:
        input: shape and range of what is fed in.
        timesteps: the largest T for which the network answers as training would; shorter inputs are exact, too.
        layers: each refers to the input or to layers before it; the last one is the output.

    Raises:
        DeploymentError: names, shapes or order do not fit.
        RangeError: a potential could leave the range of the int64 reference.
    """

    input: Input
    timesteps: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if isinstance(self.timesteps, bool) or not 1 <= self.timesteps < 2**31:
            raise DeploymentError(f"timesteps must be a positive integer, not {self.timesteps!r}")
        if not self.layers:
            raise DeploymentError("a network needs at least one layer")
        for layer in self.layers:
            _check_neuron(layer, self.shapes[layer.name])
            if self.reach(layer.name) >= REFERENCE_LIMIT:
                raise RangeError("potentials may exceed 2^62", layer=layer.name, remedy="use a shorter history")

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of every layer's output at one time step: (C,) or (C, H, W)."""
        shapes: dict[str, Shape] = {INPUT: self.input.shape}
        for layer in self.layers:
            if layer.name in shapes:
                raise DeploymentError("two layers have the same name", layer=layer.name)
            found = {_connection_shape(layer, connection, shapes) for connection in layer.connections}
            if len(found) > 1:
                raise DeploymentError(f"its connections give different shapes {sorted(found)}", layer=layer.name)
            shapes[layer.name] = found.pop()
        return shapes

    @cached_property
    def current_ranges(self) -> dict[str, Bounds]:
        """The least and the greatest sum of currents each channel of each layer can get: two arrays (channels,).

        Exact Python integers, from the weights' negative and positive sums and the largest history word.
        """
        ranges = {}
        for layer in self.layers:
            low: Any = 0
            high: Any = 0
            for connection in layer.connections:
                negative, positive = _weight_sums(connection.synapse)
                word = self.largest_word(connection.source, layer.neuron.taps)
                low, high = low - negative * word, high + positive * word
            ranges[layer.name] = (low, high)
        return ranges

    @cached_property
    def potential_ranges(self) -> dict[str, Bounds]:
        """The same for potentials: of the neurons here, the currents themselves but for QuantizedLIF."""
        return {layer.name: layer.neuron.potentials(*self.current_ranges[layer.name]) for layer in self.layers}

    def reach(self, name: str) -> int:
        """The largest magnitude that computing a layer's potentials can meet."""
        neuron = self.layer(name).neuron
        leak = 2**neuron.leak if isinstance(neuron, QuantizedLIF) else 1
        low, high = self.potential_ranges[name]
        return leak * max(-int(low.min()), int(high.max()))

    def largest_word(self, source: str, taps: tuple[int, ...]) -> int:
        """The largest history word of a source under some taps."""
        return (self.input.maximum if source == INPUT else 1) * sum(taps)

    @property
    def output(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    def sources(self, name: str) -> tuple[str, ...]:
        """What a layer needs the outputs of: names of layers, or INPUT, each once."""
        return tuple(dict.fromkeys(connection.source for connection in self.layer(name).connections))

    @property
    def dead_ends(self) -> tuple[str, ...]:
        """The layers before the last that no layer needs."""
        needed = {source for name in self for source in self.sources(name)}
        return tuple(layer.name for layer in self.layers[:-1] if layer.name not in needed)

    @property
    def is_chain(self) -> bool:
        """True if each layer has one dense or convolutional connection, from the layer before it or the input."""
        before = [INPUT, *(layer.name for layer in self.layers[:-1])]
        return all(
            len(layer.connections) == 1
            and layer.connections[0].source == source
            and not isinstance(layer.connections[0].synapse, OneToOne)
            for layer, source in zip(self.layers, before)
        )

    @property
    def stock_exact(self) -> bool:
        """True if unmodified lava-dl NetX computes exactly this network from its file."""
        return not self.stock_obstacles

    @cached_property
    def stock_obstacles(self) -> tuple[str, ...]:
        """Why unmodified lava-dl NetX would not compute this network exactly; empty if it would."""
        from lava_qsnn.integer._stock import stock_obstacles  # it reads networks, so it comes after this module

        return tuple(stock_obstacles(self))

    def layer(self, name: str) -> Layer:
        """The layer of that name; InputError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"there is no layer '{name}'", remedy=f"layers are {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)


def _connection_shape(layer: Layer, connection: Connection, shapes: dict[str, Shape]) -> Shape:
    if connection.source not in shapes:
        raise DeploymentError(
            f"its source '{connection.source}' is not before it",
            layer=layer.name,
            remedy="list the layers in topological order",
        )
    try:
        return connection.synapse.output_shape(shapes[connection.source])
    except DeploymentError as error:
        raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None


def _check_neuron(layer: Layer, shape: Shape) -> None:
    if layer.neuron.channels not in (None, shape[0]):
        raise DeploymentError(f"{layer.neuron.channels} thresholds do not fit {shape[0]} channels", layer=layer.name)
    if any(connection.source == layer.name for connection in layer.connections):
        raise DeploymentError("a layer cannot be its own source", layer=layer.name)


def _weight_sums(synapse: Synapse) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Per output channel, the sum of |W| over its negative and over its positive weights, as Python integers."""
    rows = synapse.weight.reshape(len(synapse.weight), -1).astype(np.int64)
    negative, positive = -np.minimum(rows, 0).sum(1), np.maximum(rows, 0).sum(1)
    return negative.astype(object), positive.astype(object)
