"""The deployed network: a few dataclasses of integers, the one truth every engine, file and report reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, InputError, RangeError
from lava_qsnn.integer._values import (
    LARGEST_COUNT,
    LONGEST_NAME,
    MOST_LAYERS,
    MOST_NUMBERS,
    REFERENCE_LIMIT,
    Number,
    Numbers,
    Shape,
    Value,
    whole,
)
from lava_qsnn.integer.neurons import Bounds, Neuron
from lava_qsnn.integer.stock import stock_obstacles
from lava_qsnn.integer.synapses import Conv, Dense, SumPool, Synapse, merge

#: Name under which layers refer to the input of the network.
INPUT = "input"

#: Characters of all metadata, as JSON.
LONGEST_METADATA = 2**16

#: Time steps of a connection's delay.
LONGEST_DELAY = 4096

#: Poolings of a connection.
MOST_POOLINGS = 8


@dataclass(frozen=True, eq=False)
class Connection(Value):
    """A synapse and the name of the layer (or INPUT) whose output it carries.

    The current at step t is that of the traces of step t - delay, pooled; before the first step they are 0.

    Args:
        source: the name of a layer before, or INPUT.
        synapse: what the traces are weighted by.
        delay: time steps, 0 to 4096.
        port: the number of the current, in the `currents` of the layer's neuron, that it adds to.
        poolings: sums over windows that the traces go through first, one after the other.
    """

    source: str
    synapse: Synapse
    delay: Annotated[int, Number(0, LONGEST_DELAY)] = 0
    port: Annotated[int, Number(0, 255)] = 0
    poolings: tuple[SumPool, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "source", str(self.source))
        object.__setattr__(self, "poolings", tuple(self.poolings))
        whole(len(self.poolings), f"the number of poolings of {self.described}", 0, MOST_POOLINGS)

    @property
    def described(self) -> str:
        return f"a connection from '{self.source}'"

    def pooled_shape(self, source: Shape) -> Shape:
        """The shape that the poolings make of a source's."""
        for pooling in self.poolings:
            source = pooling.output_shape(source)
        return source

    def output_shape(self, source: Shape) -> Shape:
        """The shape of the targets, for that of the source; DeploymentError if it does not fit."""
        return self.synapse.output_shape(self.pooled_shape(source))

    def merged(self, source: Shape) -> Connection:
        """The same connection with its poolings merged into larger weights; DeploymentError if that is not exact."""
        if not self.poolings:
            return self
        *before, last = self.poolings
        synapse = merge(last, self.synapse, replace(self, poolings=tuple(before)).pooled_shape(source))
        return replace(self, synapse=synapse, poolings=tuple(before)).merged(source)

    def current_range(self, source: Shape, low: int, high: int) -> Bounds:
        """The range of each channel's current, for traces of a source of some shape from `low` to `high`.

        Where windows overlap or reach beyond the source, pixels count by the larger weights that they merge into.
        """
        if not all(pooling.is_partition for pooling in self.poolings):
            with suppress(DeploymentError):  # what does not merge has the wider range
                return self.merged(source).synapse.current_range(low, high)
        return self.synapse.current_range(self.amplification * low, self.amplification * high)

    @property
    def amplification(self) -> int:
        """The most source traces that a pooled trace adds up."""
        return int(np.prod([pooling.count for pooling in self.poolings], dtype=object))


@dataclass(frozen=True, eq=False)
class Layer(Value):
    """Neurons of one kind and the connections whose currents they add up."""

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "connections", tuple(self.connections))
        _check_name(self.name)
        object.__setattr__(self, "name", str(self.name))
        try:
            whole(len(self.connections), "the number of connections", 1, MOST_LAYERS)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=self.name) from None
        ports = len(self.neuron.currents)
        for connection in self.connections:
            if connection.port >= ports:
                raise DeploymentError(
                    f"port {connection.port} of the connection from '{connection.source}' does not exist",
                    layer=self.name,
                    remedy=f"{self.neuron.described} takes {', '.join(self.neuron.currents)}: ports 0 to {ports - 1}",
                )

    def taps(self, connection: Connection) -> tuple[int, ...]:
        """The weights of the present step and those before it in what a connection carries, its delay included."""
        return (0,) * connection.delay + self.neuron.taps


@dataclass(frozen=True, eq=False)
class Input(Value):
    """Integers from `minimum` to `maximum`, of shape (C,) or (C, H, W) at each time step."""

    shape: Annotated[Shape, Numbers(1, MOST_NUMBERS, 0, 4)]
    maximum: Annotated[int, Number(1, LARGEST_COUNT)] = 1
    minimum: Annotated[int, Number(-LARGEST_COUNT, 0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) not in (1, 3):
            raise DeploymentError(f"the input shape must be (C,) or (C, H, W), not {self.shape}")
        whole(math.prod(self.shape), "the input's size", 1, MOST_NUMBERS)

    @property
    def described(self) -> str:
        return "the input"

    @property
    def bits(self) -> int:
        """Bits of one input number, a sign included if there are negative ones."""
        magnitude = max(int(self.maximum).bit_length(), (-self.minimum - 1).bit_length() if self.minimum else 0)
        return magnitude + (self.minimum < 0)


@dataclass(frozen=True, eq=False)
class IntegerNetwork(Value):
    """A deployed network: an acyclic graph of layers in topological order, numpy integers only.

    Args:
        input: shape and range of what is fed in.
        timesteps: the largest T for which the network answers as training would; shorter inputs are exact, too.
        layers: each refers to the input or to layers before it; the last one is the output.
        metadata: what is known about the data it was made for, as plain texts, numbers and lists of them: the data's
            configuration, the classes' names, the image's shape. It changes no answer and does not count when
            networks are compared.

    Raises:
        DeploymentError: names, shapes or order do not fit.
        RangeError: a potential could leave the range of the int64 reference.
    """

    input: Input
    timesteps: Annotated[int, Number(1, LARGEST_COUNT)]
    layers: tuple[Layer, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "metadata", _plain(self.metadata))
        whole(len(self.layers), "the number of layers", 1, MOST_LAYERS)
        for layer, shape in zip(self.layers, list(self.shapes.values())[1:]):
            self._check(layer, shape)

    @property
    def described(self) -> str:
        return "the network"

    def _check(self, layer: Layer, shape: Shape) -> None:
        try:
            layer.neuron.check(shape, self.timesteps)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None
        traces = (self.trace_range(each.source, layer.taps(each)[: self.timesteps]) for each in layer.connections)
        largest = max(max(-low, high) for low, high in traces)
        if max(largest, self.reach(layer.name)) >= REFERENCE_LIMIT:
            raise RangeError("potentials may exceed 2^62", layer=layer.name, remedy="use a shorter history")

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of every layer's output at one time step: (C,) or (C, H, W)."""
        shapes: dict[str, Shape] = {INPUT: self.input.shape}
        for layer in self.layers:
            if layer.name in shapes:
                raise DeploymentError("two layers have the same name", layer=layer.name)
            found = {self._connection_shape(layer, connection, shapes) for connection in layer.connections}
            if len(found) > 1:
                raise DeploymentError(f"its connections give different shapes {sorted(found)}", layer=layer.name)
            shapes[layer.name] = shape = found.pop()
            if math.prod(shape) > MOST_NUMBERS:
                raise DeploymentError(f"its shape {shape} has more than {MOST_NUMBERS:,} numbers", layer=layer.name)
        return shapes

    def _connection_shape(self, layer: Layer, connection: Connection, shapes: dict[str, Shape]) -> Shape:
        source = connection.source
        if source == layer.name:
            raise DeploymentError("a layer cannot be its own source", layer=layer.name)
        if source not in shapes:
            raise DeploymentError(
                f"its source '{source}' is not before it",
                layer=layer.name,
                remedy="list the layers in topological order",
            )
        if source != INPUT and not self.layer(source).neuron.feeds:
            raise DeploymentError(
                f"its source '{source}' is a {self.layer(source).neuron.kind}, whose potentials are no spikes",
                layer=layer.name,
                remedy=f"let it take what the {self.layer(source).neuron.kind} takes",
            )
        try:
            return connection.output_shape(shapes[source])
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None

    @cached_property
    def port_ranges(self) -> dict[str, tuple[Bounds, ...]]:
        """The least and the greatest of each current a layer's neurons take, per channel: a pair of arrays a port.

        Exact Python integers, from the weights' negative and positive sums and the range of traces.
        """
        outputs: dict[str, tuple[int, int]] = {INPUT: (self.input.minimum, self.input.maximum)}
        ranges = {}
        for layer in self.layers:
            zero = np.zeros(self.shapes[layer.name][0], object)
            totals: list[Bounds] = [(zero, zero) for _ in layer.neuron.currents]
            for connection in layer.connections:
                traces = _trace_range(outputs[connection.source], layer.taps(connection)[: self.timesteps])
                bounds = connection.current_range(self.shapes[connection.source], *traces)
                least, greatest = totals[connection.port]
                totals[connection.port] = (least + bounds[0], greatest + bounds[1])
            ranges[layer.name] = tuple(totals)
            outputs[layer.name] = layer.neuron.output_range(ranges[layer.name])
        return ranges

    @cached_property
    def current_ranges(self) -> dict[str, Bounds]:
        """The least and the greatest current of each channel of each layer: two arrays (channels,), over all ports."""
        return {
            name: (np.minimum.reduce([low for low, _ in ports]), np.maximum.reduce([high for _, high in ports]))
            for name, ports in self.port_ranges.items()
        }

    @cached_property
    def potential_ranges(self) -> dict[str, Bounds]:
        """The same of potentials: of memory-free neurons and readouts the currents themselves."""
        return {layer.name: layer.neuron.potential_range(self.port_ranges[layer.name]) for layer in self.layers}

    @cached_property
    def output_ranges(self) -> dict[str, tuple[int, int]]:
        """The least and the greatest number that the input, and each layer, puts out."""
        ranges = {INPUT: (self.input.minimum, self.input.maximum)}
        return ranges | {layer.name: layer.neuron.output_range(self.port_ranges[layer.name]) for layer in self.layers}

    def trace_range(self, source: str, taps: tuple[int, ...]) -> tuple[int, int]:
        """The range of a source's traces under some taps; 0, what there is before the first step, included."""
        return _trace_range(self.output_ranges[source], taps)

    def reach(self, name: str) -> int:
        """The largest magnitude that computing a layer's currents and potentials can meet."""
        return self.layer(name).neuron.reach(self.port_ranges[name])

    @property
    def output(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    def sources(self, name: str) -> tuple[str, ...]:
        """The sources whose outputs a layer needs: names of layers, or INPUT, each once."""
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
            and isinstance(layer.connections[0].synapse, (Dense, Conv))
            for layer, source in zip(self.layers, before)
        )

    def thresholds(self, name: str) -> NDArray[np.int64]:
        """The thresholds of a layer that spikes, no further out than its spikes take."""
        return self.layer(name).neuron.within(self.port_ranges[name])

    def shortened(self, timesteps: int) -> IntegerNetwork:
        """The same network for samples of at most so many time steps: its ranges are those that these can reach."""
        layers = tuple(replace(layer, neuron=layer.neuron.shortened(timesteps)) for layer in self.layers)
        return replace(self, timesteps=timesteps, layers=layers)

    @cached_property
    def merged(self) -> IntegerNetwork:
        """The same network with poolings merged into synapses, for backends that have none.

        Raises:
            DeploymentError: a pooling does not merge exactly; the text names the layer.
        """
        if not any(connection.poolings for layer in self.layers for connection in layer.connections):
            return self
        return replace(self, layers=tuple(self._merged(layer) for layer in self.layers))

    def _merged(self, layer: Layer) -> Layer:
        try:
            connections = tuple(each.merged(self.shapes[each.source]) for each in layer.connections)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None
        return replace(layer, connections=connections)

    @property
    def stock_exact(self) -> bool:
        """True if unmodified lava-dl NetX computes exactly this network from its file."""
        return not self.stock_obstacles

    @cached_property
    def stock_obstacles(self) -> tuple[str, ...]:
        """The reasons why unmodified lava-dl NetX would not compute this network exactly; empty if it would."""
        try:
            return tuple(stock_obstacles(self.merged))
        except DeploymentError as error:
            return (str(error),)

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


def _trace_range(source: tuple[int, int], taps: tuple[int, ...]) -> tuple[int, int]:
    return min(source[0], 0) * sum(taps), max(source[1], 0) * sum(taps)


def _plain(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of metadata that a file can hold; DeploymentError if it is anything but plain data."""
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DeploymentError(
            f"metadata cannot be stored ({error})", remedy="use texts, numbers, truth values, lists and dicts of them"
        ) from None
    if len(text) > LONGEST_METADATA:
        raise DeploymentError(f"metadata of {len(text):,} characters exceed {LONGEST_METADATA:,}")
    return MappingProxyType(json.loads(text))


def _check_name(name: object) -> None:
    """A name is text that any file, table and terminal can show: letters without control characters or slashes."""
    is_text = isinstance(name, str) and name.isprintable() and "/" not in name and name != INPUT
    if not is_text or not 1 <= len(str(name).encode()) <= LONGEST_NAME:
        raise DeploymentError(
            f"{name!r:.60} is no valid layer name",
            remedy=f"use printable text without '/', other than '{INPUT}', up to {LONGEST_NAME} bytes",
        )
