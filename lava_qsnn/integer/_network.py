"""The deployed network: a few dataclasses of integers, the one truth every engine, file and report reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, InputError, RangeError
from lava_qsnn.integer._components import Component, components
from lava_qsnn.integer._layers import INPUT, Connection, Input, Layer
from lava_qsnn.integer._notebook import network_html
from lava_qsnn.integer._ranges import port_ranges, traces_between
from lava_qsnn.integer._values import (
    ENDLESS,
    LARGEST_COUNT,
    MOST_LAYERS,
    MOST_NUMBERS,
    REFERENCE_LIMIT,
    Number,
    Shape,
    Value,
    whole,
)
from lava_qsnn.integer.neurons import Bounds
from lava_qsnn.integer.stock import stock_obstacles
from lava_qsnn.integer.synapses import Conv, Dense

#: Characters of all metadata, as JSON.
LONGEST_METADATA = 2**16


@dataclass(frozen=True, eq=False)
class IntegerNetwork(Value):
    """A deployed network: a graph of layers, numpy integers only.

    Connections without delay make no circle: each comes from the input or a layer before. Those with a delay of at
    least 1 may come from any layer, so that layers feed back, to others or to themselves.

    Args:
        input: shape and range of what is fed in.
        timesteps: the largest T for which the network answers as training would; shorter inputs are exact, too. ENDLESS
            for streams, of which nobody knows how long they are.
        layers: in topological order of the connections without delay; the last one is the output.
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

    def __reduce__(self) -> tuple[object, ...]:
        return IntegerNetwork, (self.input, self.timesteps, self.layers, dict(self.metadata))

    def _check(self, layer: Layer, shape: Shape) -> None:
        try:
            layer.neuron.check(shape, self.timesteps)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None
        largest = max(self._largest(layer, connection) for connection in layer.connections)
        if max(largest, 0 if layer.neuron.wraps else self.reach(layer.name)) >= REFERENCE_LIMIT:
            raise RangeError("potentials may exceed 2^62", layer=layer.name, remedy="use a shorter history")
        for connection in layer.connections:
            if connection.exceeds_float64(*self._traces(layer, connection)):
                raise RangeError(
                    f"sums of {connection.described} may exceed 2^53, beyond which Lava's Conv rounds",
                    layer=layer.name,
                    remedy="use smaller weights",
                )

    def _largest(self, layer: Layer, connection: Connection) -> int:
        """The largest magnitude of a connection's traces, and of its sums, if it matters: int64 wraps as fewer bits do.

        A number that wraps to 64 bits first and then to fewer is the same as if it wrapped to these at once.
        """
        traces = self._traces(layer, connection)
        may_wrap = connection.sum_bits or (layer.neuron.wraps and not connection.sum_shift)
        sums = () if may_wrap else connection.sum_range(self.shapes[connection.source], *traces)
        return max(-traces[0], traces[1], *(int(np.abs(each).max()) for each in sums))

    def _traces(self, layer: Layer, connection: Connection) -> tuple[int, int]:
        """The range of the traces that a connection of a layer carries."""
        return self.trace_range(connection.source, layer.taps(connection)[: self.timesteps])

    @cached_property
    def may_leave_int32(self) -> bool:
        """True if sums could leave the int32 to which Lava's Conv converts them, so that some input is refused."""
        return any(
            connection.may_leave_int32(self.shapes[connection.source], *self._traces(layer, connection))
            for layer in self.layers
            for connection in layer.connections
        )

    @property
    def is_endless(self) -> bool:
        """True if nobody knows how many time steps there will be."""
        return self.timesteps == ENDLESS

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of every layer's output at one time step: (C,) or (C, H, W)."""
        self._check_order()
        shapes: dict[str, Shape] = {INPUT: self.input.shape}
        waiting = list(self.layers)
        while waiting:  # a layer may know its own shape only from one that comes later
            known = len(shapes)
            for layer in waiting:
                ready = [each for each in layer.connections if each.source in shapes]
                found = {self._connection_shape(layer, connection, shapes) for connection in ready}
                if len(found) > 1:
                    raise DeploymentError(f"its connections give different shapes {sorted(found)}", layer=layer.name)
                if found:
                    shapes[layer.name] = _counted(found.pop(), layer)
            waiting = [layer for layer in waiting if layer.name not in shapes]
            if len(shapes) == known:
                raise DeploymentError("no connection leads to it from the input", layer=waiting[0].name)
        for layer in self.layers:  # those that feed back fit, too
            if {self._connection_shape(layer, each, shapes) for each in layer.connections} != {shapes[layer.name]}:
                raise DeploymentError("its connections give different shapes", layer=layer.name)
        return {name: shapes[name] for name in (INPUT, *self)}

    def _check_order(self) -> None:
        """Raise DeploymentError unless names are unique and sources exist, in an order that can be computed."""
        names, before = set(self), {INPUT}
        for layer in self.layers:
            if layer.name in before:
                raise DeploymentError("two layers have the same name", layer=layer.name)
            for connection in layer.connections:
                self._check_source(layer, connection, connection.source in before, names)
            before.add(layer.name)

    def _check_source(self, layer: Layer, connection: Connection, is_before: bool, names: set[str]) -> None:
        source = connection.source
        if not is_before and (source not in names or not connection.delay):
            if source == layer.name:
                raise DeploymentError(
                    "a layer cannot be its own source without delay",
                    layer=layer.name,
                    remedy="give the connection a delay of at least 1",
                )
            raise DeploymentError(
                f"its source '{source}' is not before it",
                layer=layer.name,
                remedy="list the layers in topological order, or give a connection that feeds back a delay",
            )
        if source != INPUT and not self.layer(source).neuron.feeds:
            raise DeploymentError(
                f"its source '{source}' is a {self.layer(source).neuron.kind}, whose potentials are no spikes",
                layer=layer.name,
                remedy=f"let it take what the {self.layer(source).neuron.kind} takes",
            )

    def _connection_shape(self, layer: Layer, connection: Connection, shapes: dict[str, Shape]) -> Shape:
        try:
            return connection.output_shape(shapes[connection.source])
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None

    def is_forward(self, layer: Layer, connection: Connection) -> bool:
        """True if a connection's source, the input or a layer, is listed before the layer that it leads to."""
        names = [INPUT, *self]
        return names.index(connection.source) < names.index(layer.name)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The layers in an order in which they can be computed; those that feed each other back lie together."""
        return components(self.layers)

    @cached_property
    def port_ranges(self) -> dict[str, tuple[Bounds, ...]]:
        """The least and the greatest of each current a layer's neurons take, per channel: a pair of arrays a port.

        Exact Python integers, from the weights' negative and positive sums and the range of traces.
        """
        return port_ranges(self)

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
        return traces_between(self.output_ranges[source], taps)

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
        """The layers before the last whose outputs leave no way out: no layer needs them, or only such ones do."""
        component = {layer.name: index for index, each in enumerate(self.components) for layer in each.layers}
        component[INPUT] = -1
        needed = {component[self.output.name]}
        for name in self:
            needed.update({component[source] for source in self.sources(name)} - {component[name]})
        return tuple(name for name in self if component[name] not in needed)

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

    @cached_property
    def simplified(self) -> IntegerNetwork:
        """The same network with plain sums where sums never wrap and where shifts divide all weights."""
        if all(connection.is_linear for layer in self.layers for connection in layer.connections):
            return self
        return replace(self, layers=tuple(self._simplified(layer) for layer in self.layers))

    def _simplified(self, layer: Layer) -> Layer:
        traces = (self._traces(layer, each) for each in layer.connections)
        connections = (
            each.simplified(self.shapes[each.source], *between) for each, between in zip(layer.connections, traces)
        )
        return replace(layer, connections=tuple(connections))

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

    def _repr_html_(self) -> str:
        """The layers as a table, for notebooks."""
        return network_html(self)

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)


def _counted(shape: Shape, layer: Layer) -> Shape:
    if math.prod(shape) > MOST_NUMBERS:
        raise DeploymentError(f"its shape {shape} has more than {MOST_NUMBERS:,} numbers", layer=layer.name)
    return shape


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
