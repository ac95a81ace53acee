"""The changes that the integers of an imported network bring, measured against its graph in floating point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines import run_fast
from lava_qsnn.integer import INPUT, Connection, Conv, IntegerNetwork, Layer
from netx_export._nir._checked import Floats
from netx_export._nir._evaluate import Run, delayed
from netx_export._nir._fixed import DECAY, Scale, dynamics_of
from netx_export._nir._graph import FloatGraph, Population
from netx_export._nir._maps import Convolution, Pooling


@dataclass(frozen=True)
class Source:
    """The origin of a layer, the factor of its numbers, and the relative error of its weights."""

    population: Population
    scale: Scale
    weight_error: float


@dataclass(frozen=True)
class NirRow:
    """One layer of an imported network beside its population in floating point.

    Args:
        layer: its name.
        neurons: how many.
        synapses: of a sample, how many weights are not 0, those of convolutions once.
        float_spikes, integer_spikes, common_spikes: how many the graph had, the network, and both at the same neuron
            and step; of a layer that is read out 0.
        agreement: F1 of the spikes, 2 common / (float + integer), 1 where there are none; of a layer that is read out
            the correlation of potentials.
        agreement_alone: the same if the layer is given the graph's spikes, its own included: what its own numbers lose.
        weight_error: root mean square of what rounding changed, over that of the weights.
        decay_error, threshold_error: the largest relative one of any neuron.
    """

    layer: str
    neurons: int
    synapses: int
    float_spikes: int
    integer_spikes: int
    common_spikes: int
    agreement: float
    agreement_alone: float
    weight_error: float
    decay_error: float
    threshold_error: float


@dataclass(frozen=True)
class NirReport:
    """An imported network beside its graph, which the package computes in float64 with forward Euler steps of dt.

    Args:
        rows: one for each layer of the graph.
        dt: seconds of a time step.
        samples, timesteps: what both were given.
        same_class: of how many samples the output's largest sum over time is the same neuron's.
        unit: one unit of a read-out potential of the graph, in integers; None for an output of spikes.
        notes: what was decided, and what may surprise.
    """

    rows: tuple[NirRow, ...]
    dt: float
    samples: int
    timesteps: int
    same_class: float
    unit: float | None
    notes: tuple[str, ...]


def compared(
    network: IntegerNetwork, graph: FloatGraph, sources: Mapping[str, Source], x: NDArray[Any], run: Run
) -> NirReport:
    """Compute samples by the network, and count what differs from the graph's run on them."""
    floats = run.outputs
    integers = run_fast(network, x, layers=list(network))
    names = {source.population.name: name for name, source in sources.items()}
    given = {INPUT: x.astype(np.int64)} | {
        name: np.rint(floats[source.population.name]).astype(np.int64) for name, source in sources.items()
    }
    given |= {name: values for name, values in integers.items() if name not in given}
    rows = tuple(
        _row(network.layer(name), source, floats[source.population.name], integers[name], given)
        for name, source in sources.items()
    )
    last = graph.output
    answers = (floats[last.name], integers[names[last.name]])
    classes = [each.sum(-1).reshape(len(x), -1).argmax(1) for each in answers]
    unit = None if last.spikes else 64 * float(sources[names[last.name]].scale.potential.flat[0])
    same = float((classes[0] == classes[1]).mean())
    notes = tuple(_notes(network, graph, names))
    return NirReport(rows, graph.dt, len(x), x.shape[-1], same, unit, notes)


def _row(
    layer: Layer, source: Source, floats: Floats, integers: NDArray[np.int64], given: Mapping[str, NDArray[np.int64]]
) -> NirRow:
    alone, _ = layer.neuron.run(_currents(layer, given))
    spikes = source.population.spikes
    ours, theirs = (integers, floats) if spikes else (np.zeros(1), np.zeros(1))
    weights = (connection.synapse.weight for connection in layer.connections)
    agree = agreement if spikes else correlation
    return NirRow(
        layer.name,
        floats[0, ..., 0].size,
        sum(int(np.count_nonzero(weight)) for weight in weights),
        int(theirs.sum()),
        int(ours.sum()),
        int((theirs * ours).sum()),
        agree(floats, integers),
        agree(floats, alone),
        source.weight_error,
        _decay_error(source),
        _threshold_error(layer, source),
    )


def _currents(layer: Layer, given: Mapping[str, NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The currents of a layer's neurons, one for each port; all come by the first."""
    first, *others = (_current(connection, given[connection.source]) for connection in layer.connections)
    total = np.rint(sum(others, start=first)).astype(np.int64)
    return [total, *[np.zeros_like(total)] * (len(layer.neuron.currents) - 1)]


def _current(connection: Connection, outputs: NDArray[np.int64]) -> Floats:
    """The current that a connection carries; integers far below 2^53, which float64 sums exactly, and faster."""
    x = delayed(outputs.astype(np.float64), connection.delay)
    for pooling in connection.poolings:
        x = Pooling(pooling).apply(x)
    if isinstance(connection.synapse, Conv):
        return Convolution(connection.synapse.weight.astype(np.float64), connection.synapse).apply(x)
    return connection.synapse.current(np.rint(x).astype(np.int64)).astype(np.float64)


def agreement(one: NDArray[Any], other: NDArray[Any]) -> float:
    """F1 of spikes: twice those in common, of all of both; 1 where there are none."""
    total = float(one.sum() + other.sum())
    return 2 * float((one * other).sum()) / total if total else 1.0


def correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Pearson's correlation of two arrays; 1 where both are constant, 0 where one is."""
    first, second = (each.astype(np.float64).ravel() - each.mean() for each in (one, other))
    size = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return float(first @ second) / size if size else float(not (first.any() or second.any()))


def _decay_error(source: Source) -> float:
    dynamics = dynamics_of(source.population)
    leaks = np.stack([dynamics.current_leak, dynamics.potential_leak])
    return float((np.abs(np.rint(leaks * DECAY) / DECAY - leaks) / np.where(leaks > 0, leaks, 1)).max())


def _threshold_error(layer: Layer, source: Source) -> float:
    dynamics = dynamics_of(source.population)
    threshold = layer.neuron.threshold
    if dynamics.threshold is None or threshold is None:
        return 0.0
    axes = dynamics.threshold.ndim
    whole = threshold if threshold.ndim == axes else threshold.reshape(-1, *[1] * (axes - 1))
    size = np.where(dynamics.threshold != 0, np.abs(dynamics.threshold), 1)
    return float((np.abs(whole / source.scale.potential - dynamics.threshold) / size).max())


def _notes(network: IntegerNetwork, graph: FloatGraph, names: Mapping[str, str]) -> Iterator[str]:
    for population in graph.populations:
        name = names[population.name]
        for path in population.paths:
            if path.recurrent:
                yield f"layer '{name}': spikes of '{path.source}' come back one step later"
        if dynamics_of(population).current_leak.max() < 1 and population.constant.any():
            sources = {connection.source for connection in network.layer(name).connections}
            if sources <= {INPUT, *names.values()}:
                yield f"layer '{name}': its biases are added to its potentials at once, not through its currents"
            else:
                yield f"layer '{name}': its biases come from a neuron that always fires"
