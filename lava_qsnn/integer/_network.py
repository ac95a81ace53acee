"""The deployed network: a few dataclasses of integers, the one truth every engine, file and report reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, InputError, RangeError
from lava_qsnn.integer._neurons import Bounds, MemoryFree, Neuron, QuantizedLIF, Readout
from lava_qsnn.integer._ranges import current_range
from lava_qsnn.integer._synapses import OneToOne, Synapse
from lava_qsnn.integer._values import (
    LARGEST_COUNT,
    LONGEST_NAME,
    MOST_LAYERS,
    MOST_NUMBERS,
    REFERENCE_LIMIT,
    Shape,
    Value,
    whole,
)

#: Name under which layers refer to the input of the network.
INPUT = "input"


@dataclass(frozen=True, eq=False)
class Connection(Value):
    """A synapse and the name of the layer (or INPUT) whose output it carries."""

    source: str
    synapse: Synapse

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", str(self.source))


@dataclass(frozen=True, eq=False)
class Layer(Value):
    """Neurons of one kind and the connections whose currents they add up."""

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "connections", tuple(self.connections))
        if not _is_name(self.name):
            raise DeploymentError(
                f"{self.name!r:.60} is no valid layer name",
                remedy=f"use printable text without '/', other than '{INPUT}', up to {LONGEST_NAME} bytes",
            )
        object.__setattr__(self, "name", str(self.name))
        try:
            whole(len(self.connections), "the number of connections", 1, MOST_LAYERS)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=self.name) from None


@dataclass(frozen=True, eq=False)
class Input(Value):
    """Integers from 0 to `maximum`, of shape (C,) or (C, H, W) at each time step."""

    shape: Shape
    maximum: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(whole(n, "the input shape", 1, MOST_NUMBERS) for n in self.shape))
        if len(self.shape) not in (1, 3):
            raise DeploymentError(f"the input shape must be (C,) or (C, H, W), not {self.shape}")
        whole(math.prod(self.shape), "the input's size", 1, MOST_NUMBERS)
        object.__setattr__(self, "maximum", whole(self.maximum, "the input maximum", 1, LARGEST_COUNT))

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
        object.__setattr__(self, "timesteps", whole(self.timesteps, "timesteps", 1, LARGEST_COUNT))
        whole(len(self.layers), "the number of layers", 1, MOST_LAYERS)
        readouts = {layer.name for layer in self.layers if isinstance(layer.neuron, Readout)}
        for layer in self.layers:
            _check_layer(layer, self.shapes[layer.name], readouts)
            words = [self.largest_word(connection.source, layer.neuron.taps) for connection in layer.connections]
            if max(*words, layer.neuron.reach(*self.current_ranges[layer.name])) >= REFERENCE_LIMIT:
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
            shapes[layer.name] = shape = found.pop()
            if math.prod(shape) > MOST_NUMBERS:
                raise DeploymentError(f"its shape {shape} has more than {MOST_NUMBERS:,} numbers", layer=layer.name)
        return shapes

    @cached_property
    def current_ranges(self) -> dict[str, Bounds]:
        """The least and the greatest sum of currents each channel of each layer can get: two arrays (channels,).

        Exact Python integers, from the weights' negative and positive sums and the largest history word.
        """
        ranges = {}
        for layer in self.layers:
            words = (self.largest_word(connection.source, layer.neuron.taps) for connection in layer.connections)
            ranges[layer.name] = current_range(
                (connection.synapse.weight, 0, word) for connection, word in zip(layer.connections, words)
            )
        return ranges

    @cached_property
    def potential_ranges(self) -> dict[str, Bounds]:
        """The same for potentials: of the neurons here, the currents themselves but for QuantizedLIF."""
        return {layer.name: layer.neuron.potentials(*self.current_ranges[layer.name]) for layer in self.layers}

    def reach(self, name: str) -> int:
        """The largest magnitude that computing a layer's potentials can meet."""
        return self.layer(name).neuron.reach(*self.current_ranges[name])

    def thresholds(self, name: str) -> NDArray[np.int64]:
        """The thresholds (channels,) of a layer that spikes, no further out than its spikes take; see `reach`."""
        neuron = self.layer(name).neuron
        assert isinstance(neuron, (MemoryFree, QuantizedLIF))
        return neuron.within(*self.current_ranges[name])

    def shortened(self, timesteps: int) -> IntegerNetwork:
        """The same network for samples of at most so many steps, without the taps that they never reach."""
        if all(len(layer.neuron.taps) <= timesteps for layer in self.layers):
            return self
        layers = tuple(replace(layer, neuron=layer.neuron.shortened(timesteps)) for layer in self.layers)
        return replace(self, timesteps=timesteps, layers=layers)

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

    @cached_property
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


def _check_layer(layer: Layer, shape: Shape, readouts: set[str]) -> None:
    if layer.neuron.channels not in (None, shape[0]):
        raise DeploymentError(f"{layer.neuron.channels} thresholds do not fit {shape[0]} channels", layer=layer.name)
    for connection in layer.connections:
        if connection.source in readouts:
            raise DeploymentError(
                f"its source '{connection.source}' is a readout, whose potentials are no spikes",
                layer=layer.name,
                remedy="let it take what the readout takes",
            )


def _is_name(text: Any) -> bool:
    """Whether a layer may be called so: in files, which paths lead through, and on one line of an error."""
    if not isinstance(text, str) or not text.isprintable() or "/" in text:
        return False
    return text != INPUT and 1 <= len(text.encode()) <= LONGEST_NAME
