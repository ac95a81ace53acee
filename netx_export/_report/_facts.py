"""The facts of a report: all that its page shows, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Connection, IntegerNetwork, Layer
from netx_export._activity import Activity, measure
from netx_export._check._check import CheckReport
from netx_export._chip.layout import Layout
from netx_export._describe import LayerSummary
from netx_export._inspect import Inspection
from netx_export._predictions import predictions, tells_numbers
from netx_export._report._text import extents
from netx_export._words import kind_words

#: Bars of a histogram at most, where there are more values.
MOST_BARS = 41

#: Rows and time steps of a raster at most.
MOST_ROWS, MOST_STEPS = 64, 256

#: Outputs that are drawn one by one.
MOST_CLASSES = 24


@dataclass(frozen=True)
class Histogram:
    """Counts of values in each of some intervals of equal width from `low` to `high`, both included."""

    low: int
    high: int
    counts: tuple[int, ...]

    @property
    def width(self) -> float:
        """Of one interval: 1 where each value has a bar of its own."""
        return (self.high - self.low + 1) / len(self.counts)


@dataclass(frozen=True)
class Raster:
    """The outputs of some neurons of a population at each step of a sample, int, a row a neuron."""

    neurons: int  # of the population
    steps: int  # of the sample
    shown: tuple[int, ...]  # the neurons of the rows, in their order
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LayerFacts:
    """One layer: what it is, what it did on the samples, and what it did on one of them."""

    summary: LayerSummary
    activity: Activity
    reach: int  # the largest magnitude that computing it can meet
    wraps: bool  # by definition, so that no reach is too large
    edges: tuple[tuple[str, str, int], ...]  # of each connection: source, synapse in words, delay
    weights: Histogram
    negative_weights: int
    thresholds: Histogram | None
    rates: Histogram  # of its neurons: percent of their values that are not 0
    raster: Raster


@dataclass(frozen=True)
class Answers:
    """The network's answers: sums over time, and, where labels are known, how many are right.

    Args:
        sums: of the outputs over time, of the sample that is drawn; empty if there are many outputs.
        traces: their running sums, an output a row.
        accuracy: of all samples, by the largest sum; None without labels.
        confusion: samples by label (rows) and answer (columns); None without labels.
        label: of the sample that is drawn.
        error: of a network that tells numbers, the mean squared error in their own units; None without labels.
    """

    sums: tuple[int, ...]
    traces: tuple[tuple[int, ...], ...]
    accuracy: float | None
    confusion: tuple[tuple[int, ...], ...] | None
    label: int | None
    error: float | None = None


@dataclass(frozen=True)
class NetworkReport:
    """All that the page of a network shows.

    Args:
        title: the file's name, or another one.
        inspection: what the network is.
        check: what was found, and how it was compared.
        source: what the samples are.
        samples: how many there are.
        layers: in the network's order.
        input: the sample that is drawn.
        answers: of the last layer.
        layout: on Loihi 2, with what moved on the samples; or the reason why there is none.
    """

    title: str
    inspection: Inspection
    check: CheckReport
    source: str
    samples: int
    layers: tuple[LayerFacts, ...]
    input: Raster
    answers: Answers
    layout: Layout | str


def layer_facts(
    network: IntegerNetwork, summaries: Mapping[str, LayerSummary], outputs: Mapping[str, NDArray[np.int64]]
) -> tuple[LayerFacts, ...]:
    """The facts of each layer, from the outputs of samples, int64 (N, *shape, T) by layer."""
    activities = {each.layer: each for each in measure(outputs)}
    return tuple(
        _layer(network, layer, summaries[layer.name], activities[layer.name], outputs[layer.name])
        for layer in network.layers
    )


def _layer(
    network: IntegerNetwork, layer: Layer, summary: LayerSummary, activity: Activity, values: NDArray[np.int64]
) -> LayerFacts:
    weights = np.concatenate([connection.synapse.weight.ravel() for connection in layer.connections])
    threshold = layer.neuron.levels
    rates = (values != 0).mean(axis=(0, values.ndim - 1)).ravel()
    return LayerFacts(
        summary,
        activity,
        network.reach(layer.name),
        getattr(layer.neuron, "wraps", False),
        tuple((each.source, _synapse(each), each.delay) for each in layer.connections),
        histogram(weights),
        int((weights < 0).sum()),
        None if threshold is None else histogram(threshold),
        histogram((100 * rates).round().astype(np.int64), 0, 100),
        raster(values[0]),
    )


def _synapse(connection: Connection) -> str:
    weight, name = connection.synapse.weight, kind_words(connection.synapse.kind)
    size = f" {extents(weight.shape[2:])}" if weight.ndim == 4 else ""
    pooled = "".join(f"pool {extents(pooling.kernel)}, " for pooling in connection.poolings)
    return f"{pooled}{name}{size}"


def histogram(values: NDArray[np.integer[Any]], low: int | None = None, high: int | None = None) -> Histogram:
    """Count integers: a bar each where they span few, otherwise in MOST_BARS intervals at most."""
    least = int(values.min()) if low is None else low
    greatest = int(values.max()) if high is None else high
    bars = min(MOST_BARS, greatest - least + 1)
    edges = np.linspace(least, greatest + 1, bars + 1)
    return Histogram(least, greatest, tuple(int(count) for count in np.histogram(values, edges)[0]))


def raster(sample: NDArray[np.integer[Any]]) -> Raster:
    """The outputs of a population in one sample, (*shape, T): of a large one neurons at equal distances."""
    rows = sample.reshape(-1, sample.shape[-1])
    shown = np.unique(np.linspace(0, len(rows) - 1, MOST_ROWS).astype(int))
    kept = rows[shown, :MOST_STEPS]
    return Raster(
        len(rows),
        sample.shape[-1],
        tuple(int(index) for index in shown),
        tuple(tuple(int(value) for value in row) for row in kept),
    )


def answers(network: IntegerNetwork, values: NDArray[np.int64], labels: NDArray[Any] | None) -> Answers:
    """The answers of a last layer, (N, *shape, T), and how many are right, or how wrong they are, by their labels."""
    error = None
    if tells_numbers(network) and labels is not None:
        error, labels = float(((predictions(network, values) - labels) ** 2).mean()), None
    rows = values.reshape(len(values), -1, values.shape[-1])
    few = rows.shape[1] <= MOST_CLASSES
    running = rows[0].cumsum(1) if few else rows[0][:0]
    sums = rows.sum(2)
    chosen = sums.argmax(1)
    accuracy, confusion = None, None
    if labels is not None and few and int(labels.max()) < rows.shape[1]:
        table = np.zeros((rows.shape[1],) * 2, np.int64)
        np.add.at(table, (labels.astype(np.int64), chosen), 1)
        confusion = tuple(tuple(int(count) for count in row) for row in table)
    if labels is not None:
        accuracy = float((chosen == labels).mean())
    return Answers(
        tuple(int(each) for each in sums[0]) if few else (),
        tuple(tuple(int(each) for each in row) for row in running[:, :MOST_STEPS]),
        accuracy,
        confusion,
        None if labels is None else int(labels[0]),
        error,
    )
