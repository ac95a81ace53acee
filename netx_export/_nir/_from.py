"""NIR to IntegerNetwork: graphs of neurons become CUBA, the neuron of Loihi and of NetX."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.integer import CUBA, INPUT, Connection, Dense, Input, IntegerNetwork, Layer, check_input, whole
from netx_export._activity import random_samples
from netx_export._nir._checked import Floats
from netx_export._nir._evaluate import evaluate
from netx_export._nir._files import read_nir
from netx_export._nir._fixed import Precision, Scale, biased_at_once, check, needs_always, neuron_of, scale_of
from netx_export._nir._graph import FloatGraph, Population, read_graph
from netx_export._nir._report import NirReport, Source, compared
from netx_export._nir._to import DT
from netx_export._nir._wiring import Wiring, wire

#: Samples that a graph and its integers are compared on where none are given, and their time steps, at most.
SAMPLES, STEPS = 8, 256

#: The layer of the neuron that always fires.
ALWAYS = "always"

SCALES = ("neuron", "layer")

#: How biases come that NIR leads through a synaptic current.
BIASES = ("always", "potential")


def from_nir(
    graph: nir.NIRGraph | str | os.PathLike[str],
    timesteps: int,
    *,
    dt: float | None = None,
    input_bits: int | None = None,
    weight_bits: int = 8,
    synapses: int = 1,
    scale: str = "neuron",
    biases: str = "always",
    samples: NDArray[np.integer[Any]] | None = None,
) -> tuple[IntegerNetwork, NirReport]:
    """Turn a graph of NIR into a deployed network of CUBA neurons, and say what that changed.

    Graphs may have Linear, Affine, Conv2d, SumPool2d, AvgPool2d, Flatten, Scale and Delay nodes between IF, LIF,
    CubaLIF and Threshold neurons, LI, CubaLI, I or a plain sum at the end, and graphs in them; and circles, which one
    time step closes. Topology and the reset to zero are exact; IF and Threshold neurons are, but for the rounding of
    their weights; thresholds are rounded, decays to 1 / 4096, and potentials towards zero to 1 / 64 of a weight's unit.
    Biases that NIR leads through a CubaLIF's synaptic current come from one more neuron, which always fires.

    Args:
        graph: a nir.NIRGraph, or the path of a file.
        timesteps: the longest sample that the network takes.
        dt: seconds of a time step, since NIR has none; by default what the graph's metadata say, as those of `to_nir`
            do. Graphs without time constants and delays need none. The steps are forward Euler's.
        input_bits: the input holds integers from 0 to 2^input_bits - 1; by default what the metadata say, or 1 bit.
        weight_bits: 2 to 8, a sign included.
        synapses: 2 splits weights over two synapses of weight_bits each, one for the upper bits and one for the lower:
            finer weights and potentials, as far as these fit into 24 bits, for up to twice the synapses.
        scale: "neuron" gives each neuron (of maps, each channel) a scale of its own, which its threshold takes up;
            "layer" gives all neurons of a layer the same.
        biases: how those come that NIR leads through a synaptic current: "always", from a neuron that always fires;
            "potential", added to the potential at once, so that chains stay chains, which NetX runs, and agree less.
        samples: integers (N, *input shape, T) to compare graph and network on, from which also the range of potentials
            is taken that two synapses, and layers that are read out, must hold; by default 8 random ones, by turns
            dense and sparse.

    Returns:
        The network, and what differs from the graph in floating point, layer by layer, on the samples.

    Raises:
        ConfigurationError: an option makes no sense, or the graph has time constants and nobody says dt.
        DeploymentError: the graph, or one of its nodes, has no such form; the text names the node.
        FileFormatError: the file holds no graph of NIR.
        InputError: the samples do not fit.
    """
    precision = _precision(weight_bits, synapses, scale)
    if biases not in BIASES:
        raise ConfigurationError(
            f"there is no way {biases!r:.40} of biases", remedy=f"choose one of {', '.join(BIASES)}"
        )
    graph = graph if isinstance(graph, nir.NIRGraph) else read_nir(graph)
    floats = read_graph(graph, _dt(graph, dt))
    frame = IntegerNetwork(_input(graph, floats, input_bits), timesteps, (_always(floats),))
    if samples is None:
        samples = random_samples(frame.shortened(min(timesteps, STEPS)), SAMPLES)
    x = check_input(frame, samples)
    run = evaluate(floats, x)
    plan = _Plan(floats, frame.input.maximum, run.extremes, precision, _names(floats))
    wanted = [each if biases == "always" else biased_at_once(each) for each in floats.populations]
    made = [plan.layer(population) for population in wanted]
    layers = [layer for layer, _ in made]
    if any(needs_always(population) for population in wanted):
        layers.insert(0, _always(floats))
    network = IntegerNetwork(frame.input, timesteps, tuple(layers), {"nir": {"dt": floats.dt}})
    return network, compared(network, floats, {layer.name: source for layer, source in made}, x, run)


def evaluate_nir(
    graph: nir.NIRGraph | str | os.PathLike[str], x: NDArray[np.generic], *, dt: float | None = None
) -> dict[str, Floats]:
    """Compute a graph of NIR by its own equations, in float64 and forward Euler steps: what `from_nir` compares with.

    Args:
        graph: see `from_nir`.
        x: numbers (N, *input shape, T).
        dt: seconds of a time step, see `from_nir`.

    Returns:
        By the name of each neurons' node, and "readout" of a sum at the end, float64 (N, *shape, T): spikes 0 and 1, or
        potentials.

    Raises:
        ConfigurationError, DeploymentError, FileFormatError: as `from_nir`.
        InputError: x does not fit.
    """
    graph = graph if isinstance(graph, nir.NIRGraph) else read_nir(graph)
    floats = read_graph(graph, _dt(graph, dt))
    x = np.asarray(x)
    if x.dtype.kind not in "iufb" or x.shape[1:-1] != floats.input_shape or not x.size:
        shape = ", ".join(map(str, floats.input_shape))
        raise InputError(f"the input must be numbers (N, {shape}, T), not {x.dtype} {x.shape}")
    return evaluate(floats, x).outputs


def _precision(weight_bits: int, synapses: int, scale: str) -> Precision:
    if scale not in SCALES:
        raise ConfigurationError(f"there is no scale {scale!r:.40}", remedy=f"choose one of {', '.join(SCALES)}")
    bits = whole(weight_bits, "weight_bits", 2, 8, ConfigurationError)
    return Precision(bits, whole(synapses, "synapses", 1, 2, ConfigurationError), scale == "layer")


def _dt(graph: Any, dt: float | None) -> float:
    """The seconds of a time step: given, or the graph's own; any, where nothing depends on it."""
    if dt is not None:
        return dt
    if isinstance(said := _said(graph, "dt"), float) and said > 0:
        return said
    timed = [name for name, node in graph.nodes.items() if not isinstance(node, _TIMELESS)]
    if timed:
        raise ConfigurationError(
            f"the node '{timed[0]}' has a time in seconds, and nothing says how long a time step is",
            remedy="say dt, in seconds; the tools that train use 1e-4 or 1e-3",
        )
    return DT


#: Nodes without times.
_TIMELESS = (
    nir.Input,
    nir.Output,
    nir.Linear,
    nir.Affine,
    nir.Conv2d,
    nir.SumPool2d,
    nir.AvgPool2d,
    nir.Flatten,
    nir.Scale,
    nir.IF,
    nir.I,
    nir.Threshold,
)


def _said(graph: Any, name: str) -> float | int | None:
    """A number in a graph's metadata."""
    found = dict(getattr(graph, "metadata", None) or {}).get(name)
    found = found.item() if isinstance(found, np.generic) else found
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _input(graph: Any, floats: FloatGraph, input_bits: int | None) -> Input:
    if input_bits is not None:
        return Input(floats.input_shape, 2 ** whole(input_bits, "input_bits", 1, 24, ConfigurationError) - 1)
    maximum, minimum = _said(graph, "input_maximum"), _said(graph, "input_minimum")
    return Input(
        floats.input_shape, maximum if isinstance(maximum, int) else 1, minimum if isinstance(minimum, int) else 0
    )


def _names(floats: FloatGraph) -> dict[str, str]:
    """Names of layers by those of nodes, which may be any text."""
    names = {INPUT: INPUT}
    for population in floats.populations:
        name = "".join(letter if letter.isprintable() and letter != "/" else "_" for letter in population.name)[:60]
        while name in (*names.values(), ALWAYS, ""):
            name += "_"
        names[population.name] = name
    return names


@dataclass(frozen=True)
class _Plan:
    """The means to make layers: the graph, the largest input, the largest |v| seen, precision, and names of layers."""

    graph: FloatGraph
    maximum: int
    extremes: Mapping[str, Floats]
    precision: Precision
    names: Mapping[str, str]

    def layer(self, population: Population) -> tuple[Layer, Source]:
        """The layer of a population, and where it comes from."""
        check(population)
        shapes, name = self.graph.shapes, population.name
        wirings = [wire(path, shapes[path.source], population.shape, name) for path in population.paths]
        scale = scale_of(population, wirings, self.maximum, self.extremes[name], self.precision)
        connections: list[Connection] = []
        error = 0.0
        for wiring in wirings:
            weight = wiring.rounded(scale.weights)
            named = replace(wiring, source=self.names[wiring.source])
            connections += named.connections(weight, self.precision.half)
            error = max(error, _error(wiring, weight, scale))
        if needs_always(population):
            bias = Wiring(ALWAYS, 0, (), population.constant[:, None], Dense)
            connections += bias.connections(bias.rounded(scale.weights), self.precision.half)
        layer = Layer(self.names[name], tuple(connections), neuron_of(population, scale))
        return layer, Source(population, scale, error)


def _error(wiring: Wiring, weight: NDArray[np.int64], scale: Scale) -> float:
    """The root mean square of a rounding, over that of the weights."""
    exact = wiring.rows
    rounded = weight.reshape(len(weight), -1) / scale.weights[:, None]
    size = float(np.square(exact).mean())
    return float(np.sqrt(np.square(rounded - exact).mean() / size)) if size else 0.0


def _always(floats: FloatGraph) -> Layer:
    """A neuron that fires at every step, from the first on."""
    size = int(np.prod(floats.input_shape))
    one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
    silent = Connection(INPUT, Dense(np.zeros((1, size), np.int8)))
    return Layer(ALWAYS, (silent,), CUBA(4096 * one, 4096 * one, zero, one))
