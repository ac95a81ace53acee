"""The losses of a recurrent CubaLIF network by one change alone, everything else in floating point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

import netx_export

DT = 1e-4

#: Units of the threshold's 1.0 in the paper's conversion of its neuron to Lava, and what Lava's Dense clips weights to.
UNITS, CLIP = 256, (-256, 254)

Measure = Callable[[NDArray[np.int64]], tuple[float, float]]


def agreement(graph: nir.NIRGraph, x: NDArray[np.int64], found: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
    """F1 of the first layer's spikes with the graph's, and the fraction of samples of the same class."""
    wanted = netx_export.evaluate_nir(graph, x, dt=DT)
    first, last = next(iter(wanted)), list(wanted)[-1]
    common = 2 * (wanted[first] * found[first]).sum() / max(1, wanted[first].sum() + found[first].sum())
    classes = [each[last].sum(-1).argmax(1) for each in (wanted, found)]
    return float(common), float((classes[0] == classes[1]).mean())


def _changed(change: Callable[[Any], Any]) -> Callable[[nir.NIRGraph], Measure]:
    """The measure of a graph whose nodes were changed."""

    def measure(graph: nir.NIRGraph) -> Measure:
        other = _with(graph, {name: change(node) for name, node in graph.nodes.items()})
        return lambda x: agreement(graph, x, netx_export.evaluate_nir(other, x, dt=DT))

    return measure


def _with(graph: nir.NIRGraph, nodes: dict[str, Any]) -> nir.NIRGraph:
    return nir.NIRGraph(nodes, list(graph.edges), type_check=False)


def _clipped(node: Any) -> Any:
    """Even weights of 8 bits and a sign, in units of 1 / 256, the bias as it is."""
    if not isinstance(node, nir.Affine):
        return node
    even = 2 * np.rint(node.weight.astype(np.float64) * UNITS / 2)
    return nir.Affine(even.clip(*CLIP) / UNITS, node.bias)


def _decays(node: Any) -> Any:
    """Decays that are multiples of 1 / 4096."""
    if not isinstance(node, nir.CubaLIF):
        return node
    syn, mem = (DT / (np.rint(DT / tau * 4096) / 4096) for tau in (node.tau_syn, node.tau_mem))
    gain = (node.tau_syn * node.tau_mem) ** -1 * syn * mem  # so that a spike adds what it did
    return nir.CubaLIF(syn, mem, node.r, node.v_leak, node.v_threshold, node.v_reset, node.w_in * gain)


def _rounded(per_neuron: bool) -> Callable[[nir.NIRGraph], Measure]:
    """Weights of 8 bits, by one scale for each layer or each neuron, over all connections into it."""

    def measure(graph: nir.NIRGraph) -> Measure:
        peaks: dict[str, NDArray[Any]] = {}
        for source, target in graph.edges:
            if isinstance(graph.nodes[source], nir.Affine):
                peak = np.abs(graph.nodes[source].weight).max(1)
                peak = peak if per_neuron else np.full_like(peak, peak.max())
                peaks[target] = np.maximum(peaks.get(target, peak), peak)
        nodes = dict(graph.nodes)
        for source, target in graph.edges:
            if isinstance(node := graph.nodes[source], nir.Affine):
                unit = peaks[target][:, None] / 127
                nodes[source] = nir.Affine(np.rint(node.weight / unit) * unit, node.bias)
        other = _with(graph, nodes)
        return lambda x: agreement(graph, x, netx_export.evaluate_nir(other, x, dt=DT))

    return measure


def _biases_at_once(graph: nir.NIRGraph) -> Measure:
    """Biases added to the potential from the first step on, as a chip's are, not through the synaptic current."""
    nodes = dict(graph.nodes)
    biases: dict[str, NDArray[np.float64]] = {}
    for source, target in graph.edges:
        if isinstance(node := graph.nodes[source], nir.Affine):
            nodes[source] = nir.Linear(node.weight)
            biases[target] = biases.get(target, np.zeros(1)) + node.bias
    for name, bias in biases.items():
        node = graph.nodes[name]
        nodes[name] = replace(node, v_leak=node.v_leak + node.r * node.w_in * bias)
    other = _with(graph, nodes)
    return lambda x: agreement(graph, x, netx_export.evaluate_nir(other, x, dt=DT))


def _biases_early(graph: nir.NIRGraph) -> Measure:
    """Input that arrives one step late, as Lava's does without reset, while biases flow; compared one step later."""

    def measure(x: NDArray[np.int64]) -> tuple[float, float]:
        late = np.concatenate([np.zeros_like(x[..., :1]), x], -1)
        found = netx_export.evaluate_nir(graph, late, dt=DT)
        return agreement(graph, x, {name: values[..., 1:] for name, values in found.items()})

    return measure


LOSSES: dict[str, Callable[[nir.NIRGraph], Measure]] = {
    "alone: weights clipped to 8 bits at 256 to the threshold": _changed(_clipped),
    "alone: weights of 8 bits, one scale a layer": _rounded(False),
    "alone: weights of 8 bits, one scale a neuron": _rounded(True),
    "alone: decays in units of 1 / 4096": _changed(_decays),
    "alone: biases onto the potential, at once": _biases_at_once,
    "alone: input one step later than the biases": _biases_early,
}
