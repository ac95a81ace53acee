"""IntegerNetwork to NIR."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import INPUT, Connection, Conv, Dense, IntegerNetwork, Layer, OneToOne, Shape, SumPool
from netx_export._nir._graph import read_graph
from netx_export._nir._neurons import FORMS, Form, Place, cuba_obstacle, floats, needs_delay
from netx_export._nir._proof import compare, metadata
from netx_export._read import load

#: Seconds of a time step, where NIR has none and nobody says another: snnTorch's only one.
DT = 1e-4

STYLES = ("auto", *FORMS)


def to_nir(
    network: IntegerNetwork | str | os.PathLike[str],
    style: str = "auto",
    *,
    approximate: bool = False,
    dt: float = DT,
) -> nir.NIRGraph:
    """Write a deployed network as a graph of NIR (Pedersen et al., Nature Communications 2024).

    Every graph is compared with the network on random samples, by NIR's own equations in float64; the count of values
    that differ is in its metadata, and 0 unless `approximate` is set. Thresholds lie halfway between two integers,
    since NIR's neurons fire above their threshold and ours at it, too. What a graph answers is exact for samples of at
    most `network.timesteps`, from rest.

    Args:
        network: a deployed network, or the path of its file.
        style: "cuba", neurons without memory as CubaLIF, which norse and snnTorch import, exact with one tap, or with
            powers of two as many as time steps; "delay", taps as nodes Delay and Scale before a Threshold, exact for
            all neurons without memory, which no importer but `from_nir` and `nir_map` computes yet; "auto", the first
            that is exact.
        approximate: write neurons that have no exact form, too: a quantized LIF as LIF, CUBA as CubaLIF or IF, both
            without their roundings.
        dt: seconds of a time step; importers must be told the same (snnTorch has 1e-4 and no other).

    Returns:
        A nir.NIRGraph, for `nir.write`. Nodes that stand for layers have the layers' names. Its metadata say dt,
        timesteps, style, and of how many values how many differ.

    Raises:
        ConfigurationError: there is no such style.
        DeploymentError: a layer has no form in this style, or only an approximate one; the text names it.
    """
    network = (network if isinstance(network, IntegerNetwork) else load(network)).simplified
    if style not in STYLES:
        raise ConfigurationError(f"there is no style {style!r:.40}", remedy=f"choose one of {', '.join(STYLES)}")
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt < np.inf:
        raise ConfigurationError(f"dt must be a time above 0 in seconds, not {dt!r:.40}")
    obstacle = cuba_obstacle(network)
    if style == "cuba" and obstacle is not None:
        raise DeploymentError(f"style 'cuba' would not be exact: {obstacle}", remedy="use the style 'delay'")
    style = style if style != "auto" else "delay" if obstacle else "cuba"
    forms = {layer.name: _form(Place(network, layer, dt), style, approximate) for layer in network.layers}
    for layer in network.layers:
        _check_connections(layer)
    builder = _Builder(network, forms, dt)
    graph = builder.build()
    exact = all(form.exact for form in forms.values())
    graph.metadata = metadata(network, style, dt, compare(network, read_graph(graph, dt), builder.ends, exact))
    return graph


def _form(place: Place, style: str, approximate: bool) -> Form:
    kind = type(place.layer.neuron)
    if kind not in FORMS[style]:
        raise DeploymentError(f"{place.layer.neuron.described} has no form in NIR", layer=place.layer.name)
    if not place.layer.neuron.feeds and place.layer is not place.network.output:
        raise DeploymentError(
            "it is read out beside the network's output, and graphs have one Output",
            layer=place.layer.name,
            remedy="leave it out",
        )
    form = FORMS[style][kind](place)
    if not form.exact and not approximate:
        raise DeploymentError(
            f"{place.layer.neuron.described} has no exact form in NIR",
            layer=place.layer.name,
            remedy="approximate=True writes a near one, and counts on samples what differs",
        )
    return form


def _check_connections(layer: Layer) -> None:
    for connection in layer.connections:
        if connection.port:
            raise DeploymentError(
                f"{connection.described} reaches port {connection.port} of its neurons, and NIR's have one input",
                layer=layer.name,
            )
        if not connection.is_linear:
            raise DeploymentError(
                f"the sums of {connection.described} wrap or are shifted, and NIR's are not", layer=layer.name
            )


@dataclass
class _Builder:
    network: IntegerNetwork
    forms: dict[str, Form]
    dt: float
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)  # by layer, the node that puts out what it does
    taken: set[str] = field(default_factory=lambda: {".", "input", "output"})

    def build(self) -> nir.NIRGraph:
        self.nodes["input"] = nir.Input(np.array(self.network.input.shape))
        self.ends = {INPUT: "input"} | {name: self._free(name) for name in self.network}
        for layer in self.network.layers:
            self._add_layer(layer)
        last = self.network.output.name
        self.nodes["output"] = nir.Output(np.array(self.network.shapes[last]))
        self.edges.append((self.ends[last], "output"))
        return nir.NIRGraph(self.nodes, self.edges, type_check=False)  # nir's own takes kernels for squares

    def _add_layer(self, layer: Layer) -> None:
        """Its connections' nodes, then its neurons, into which their currents add up."""
        node, name = self.forms[layer.name].node, self.ends[layer.name]
        weights = [self._add_connection(layer, number) for number in range(len(layer.connections))]
        if node is None and len(weights) == 1:
            self.ends[layer.name] = weights[0]
            return
        self.nodes[name] = nir.Scale(np.ones(self.network.shapes[layer.name], np.float32)) if node is None else node
        self.edges += [(weight, name) for weight in weights]

    def _add_connection(self, layer: Layer, number: int) -> str:
        """The nodes of a connection; the last one's name."""
        connection, form = layer.connections[number], self.forms[layer.name]
        prefix = f"{self.ends[layer.name]}_{number}" if len(layer.connections) > 1 else self.ends[layer.name]
        source, shape = self.ends[connection.source], self.network.shapes[connection.source]
        delay = connection.delay if len(form.taps) > 1 or needs_delay(layer, connection) else 0
        sources = tuple(self._tap(f"{prefix}_{k}", source, shape, delay + k, tap) for k, tap in enumerate(form.taps))
        for position, pooling in enumerate(connection.poolings):
            sources = (self._add(f"{prefix}_pool_{position}", _pooling_node(pooling, shape), sources),)
            shape = pooling.output_shape(shape)
        if isinstance(connection.synapse, Dense) and len(shape) > 1:
            sources = (self._add(f"{prefix}_flatten", nir.Flatten(np.array(shape), 0, -1), sources),)
        node = _weight_node(connection, shape, form, layer.name, number)
        return self._add(f"{prefix}_weight", node, sources)

    def _tap(self, name: str, source: str, shape: Shape, delay: int, tap: int) -> str:
        if delay:
            source = self._add(f"{name}_delay", nir.Delay(np.full(shape, delay * self.dt)), (source,))
        if tap != 1:
            source = self._add(f"{name}_tap", nir.Scale(floats(np.full(shape, tap), name)), (source,))
        return source

    def _add(self, name: str, node: Any, sources: tuple[str, ...]) -> str:
        name = self._free(name)
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def _free(self, name: str) -> str:
        """The name, longer where another node has it or a file could not hold it."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _pooling_node(pooling: SumPool, shape: Shape) -> Any:
    """SumPool2d; where importers lack what it would need, a convolution of each channel with ones."""
    if pooling.padding == (0, 0) and pooling.dilation == (1, 1):
        return nir.SumPool2d(*(np.array(each) for each in (pooling.kernel, pooling.stride, pooling.padding)))
    return _conv_node(pooling.as_convolution(shape[0]), np.zeros(shape[0], np.float32), shape, "")


def _conv_node(conv: Conv, bias: NDArray[np.floating[Any]], shape: Shape, layer: str) -> Any:
    node = nir.Conv2d(
        (shape[1], shape[2]),
        floats(conv.weight, layer),
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        bias,
    )
    node.input_type, node.output_type = {"input": np.array(shape)}, {"output": np.array(conv.output_shape(shape))}
    return node


def _weight_node(connection: Connection, shape: Shape, form: Form, layer: str, number: int) -> Any:
    """A connection's weights, times the gain of its neurons' form; the bias is the first connection's."""
    synapse = connection.synapse
    if isinstance(synapse, OneToOne):
        square = synapse.weight.reshape(-1, 1, 1, 1)
        synapse = Conv(square, groups=len(square)) if len(shape) == 3 else Dense(np.diag(synapse.weight))
    if not isinstance(synapse, (Dense, Conv)):
        raise DeploymentError(f"{synapse.described} has no form in NIR", layer=layer)
    weight = synapse.weight.astype(np.int64)
    if form.gain is not None:
        weight = weight * form.gain.reshape(-1, *[1] * (weight.ndim - 1))
    bias = None if form.bias is None or number else floats(form.bias, layer)
    if isinstance(synapse, Conv):
        added = np.zeros(len(weight), np.float32) if bias is None else bias
        scaled = Conv(weight, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
        return _conv_node(scaled, added, shape, layer)
    return nir.Linear(floats(weight, layer)) if bias is None else nir.Affine(floats(weight, layer), bias)
