"""The fast engine: all time steps at once, whole batches; the reference's integers by faster arithmetic.

A layer of memory-free neurons with small weights is one pass from spikes to spikes where the processor has a matrix
unit for bytes (`_tiled`). All others go by currents: bits counted (`_packed`), or products of matrices (`_kernels`).
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._kernels import Kernel, exact_dtype, kernel, largest_sum, narrowest
from lava_qsnn.integer._limits import INT32_LIMIT
from lava_qsnn.integer._network import INPUT, Connection, IntegerNetwork, Layer
from lava_qsnn.integer._neurons import MemoryFree, QuantizedLIF, Readout
from lava_qsnn.integer._packed import packed_kernel
from lava_qsnn.integer._reference import check_input
from lava_qsnn.integer._tiled import Tiled, tiled
from lava_qsnn.integer._values import Shape

#: (T, n, *shape), maps with their channels last in memory; (1, n, *shape) of what is the same at every step.
Steps = NDArray[Any]

#: Currents of one connection, before or after their filter, and the taps still to apply.
_Product = tuple[Steps, tuple[int, ...]]

#: Numbers in the largest array of a chunk of samples: some 10 bytes of memory each, and most stay in the cache.
CHUNK = 2**21


def run_fast(
    network: IntegerNetwork,
    x: Any,
    *,
    layers: Collection[str] | None = None,
    chunk: int = CHUNK,
    progress: Callable[[float], None] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Compute outputs as `run_reference` does, exactly, but fast and in bounded memory.

    Args:
        network: any deployed network; what float32 cannot hold is computed in float64 or int64. It is prepared in the
            first run of so many steps, and kept prepared as long as it lives.
        x: a valid batch, see `check_input`; int (N, *input shape, T). Where its time stride is 0 (`np.broadcast_to`),
            layers fed by the input alone compute their synapses once for all steps.
        layers: names of the layers wanted; all by default.
        chunk: as many samples are computed at a time as keep the largest layer, over all steps, within so many
            numbers; one sample at least.
        progress: called after each chunk with the fraction done, 0 to 1.

    Returns:
        For each layer wanted, by name: int64 (N, *shape, T), spikes 0 and 1, or the potentials of a Readout.
    """
    x = check_input(network, x)
    wanted = [name for name in network if layers is None or name in layers]
    steps = x.shape[-1]
    if x.strides[-1] == 0:
        x = x[..., :1]
    plan = _prepared(network, steps, tuple(wanted))
    samples = max(1, chunk // (steps * max(math.prod(shape) for shape in network.shapes.values())))
    results = {name: np.empty((len(x), *network.shapes[name], steps), np.int64) for name in wanted}
    for start in range(0, len(x), samples):
        part = slice(start, start + samples)
        for name, output in _run(network, plan, x[part], steps):
            if name in results:
                results[name][part] = np.moveaxis(output, 0, -1)
        if progress is not None:
            progress(min(1.0, (start + samples) / len(x)))
    return results


@dataclass(frozen=True)
class _Wire:
    """A connection made ready. Taps filter spikes before the kernel, or currents after it, with the same result."""

    source: str
    kernel: Kernel
    taps: tuple[int, ...]
    words: np.dtype[Any] | None  # of history words, if they are what the kernel gets


@dataclass(frozen=True)
class _Stage:
    """A layer made ready, and the sources that no later layer needs."""

    layer: Layer
    shape: Shape
    wires: tuple[_Wire, ...]
    dtype: np.dtype[Any]  # of its currents
    stored: np.dtype[Any]  # of what a neuron with a stored potential computes
    thresholds: NDArray[np.int64]  # (channels,), no further out than spikes take
    done: tuple[str, ...]
    tiled: Tiled | None  # computes it all, without wires
    spread: dict[int, NDArray[Any]] = field(default_factory=dict)

    def threshold(self, factor: int) -> NDArray[Any]:
        """The least U of each neuron at which factor U reaches its threshold, (*shape)."""
        if factor not in self.spread:
            dtype = self.stored if isinstance(self.layer.neuron, QuantizedLIF) else self.dtype
            self.spread[factor] = _spread(-(-self.thresholds // factor), self.shape, dtype)
        return self.spread[factor]


#: Plans of the networks that are alive, by their identity: networks do not change, and preparing one takes a while.
_PLANS: dict[int, dict[tuple[int, tuple[str, ...]], list[_Stage]]] = {}


def _prepared(network: IntegerNetwork, steps: int, wanted: tuple[str, ...]) -> list[_Stage]:
    """The plan of a network, made once for so many steps and layers wanted."""
    if id(network) not in _PLANS:
        _PLANS[id(network)] = {}
        weakref.finalize(network, _PLANS.pop, id(network))
    plans = _PLANS[id(network)]
    if (steps, wanted) not in plans:
        plans[steps, wanted] = _plan(network, steps, wanted)
    return plans[steps, wanted]


def _plan(network: IntegerNetwork, steps: int, wanted: Collection[str]) -> list[_Stage]:
    """What to compute, in order: the layers wanted and those they need."""
    network = network.shortened(steps)  # so that ranges, types and thresholds follow from the same taps
    needed = set(wanted)
    for layer in reversed(network.layers):
        if layer.name in needed:
            needed.update(connection.source for connection in layer.connections)
    layers = [layer for layer in network.layers if layer.name in needed]
    last = {connection.source: layer.name for layer in layers for connection in layer.connections}
    return [
        _stage(network, layer, tuple(source for source, user in last.items() if user == layer.name)) for layer in layers
    ]


def _stage(network: IntegerNetwork, layer: Layer, done: tuple[str, ...]) -> _Stage:
    taps = layer.neuron.taps
    thresholds = np.zeros(1, np.int64) if isinstance(layer.neuron, Readout) else network.thresholds(layer.name)
    tiled_layer = _tiled(network, layer, thresholds)
    wires = tuple(_wire(network, layer, connection) for connection in layer.connections if tiled_layer is None)
    # Of all partial sums, in whatever order they are added; and one more, the threshold that none reaches.
    reach = 1 + sum(largest_sum(c.synapse) * network.largest_word(c.source, taps) for c in layer.connections)
    counted = all(wire.kernel.dtype.kind == "i" for wire in wires)
    dtype = _integer_dtype(reach) if counted else narrowest(reach)
    stored = np.dtype(np.int32 if network.reach(layer.name) <= INT32_LIMIT else np.int64)
    return _Stage(layer, network.shapes[layer.name], wires, dtype, stored, thresholds, done, tiled_layer)


def _tiled(network: IntegerNetwork, layer: Layer, thresholds: NDArray[np.int64]) -> Tiled | None:
    """A layer of memory-free neurons with one connection, if the processor's matrix unit can compute it."""
    if len(layer.connections) > 1 or not isinstance(layer.neuron, MemoryFree):
        return None
    source, synapse = layer.connections[0].source, layer.connections[0].synapse
    return tiled(synapse, network.shapes[source], layer.neuron.taps, thresholds, network.largest_word(source, (1,)))


def _wire(network: IntegerNetwork, layer: Layer, connection: Connection) -> _Wire:
    """Filter on the side with fewer numbers, or on the side that lets the kernel count bits or stay in float32."""
    source, shape, taps = connection.source, network.shapes[connection.source], layer.neuron.taps
    largest = network.largest_word(source, (1,))
    packed = packed_kernel(connection.synapse, shape) if largest == 1 else None
    if packed is not None:
        return _Wire(source, packed, taps, None)
    word = network.largest_word(source, taps)
    before = math.prod(shape) <= math.prod(network.shapes[layer.name])
    if exact_dtype(connection.synapse, largest) != exact_dtype(connection.synapse, word):
        before = False
    prepared = kernel(connection.synapse, shape, word if before else largest)
    return _Wire(source, prepared, taps, np.min_scalar_type(word) if before else None)


def _run(network: IntegerNetwork, plan: list[_Stage], x: NDArray[Any], steps: int) -> Iterator[tuple[str, Steps]]:
    """The layers of a plan with their outputs, one after the other; x (n, *input shape, T), or 1 for T."""
    # First narrow numbers as they lie, then move them: less memory is read out of order.
    moved = np.moveaxis(x.astype(np.min_scalar_type(network.input.maximum), copy=False), -1, 0)
    outputs = {INPUT: _empty(moved.shape, moved.dtype)}
    np.copyto(outputs[INPUT], moved)
    for stage in plan:
        outputs[stage.layer.name] = _fire(stage, outputs, steps)
        yield stage.layer.name, outputs[stage.layer.name]
        for source in stage.done:
            del outputs[source]


def _fire(stage: _Stage, outputs: dict[str, Steps], steps: int) -> Steps:
    """The output of a layer: bool spikes, or the potentials of a readout."""
    neuron = stage.layer.neuron
    if stage.tiled is not None:
        return _fire_tiled(stage, stage.tiled, outputs[stage.layer.connections[0].source], steps)
    products = [_product(wire, outputs[wire.source]) for wire in stage.wires]
    if isinstance(neuron, QuantizedLIF):
        return _integrate(stage, neuron, products, steps)
    if len(neuron.taps) == 1:
        steps = max(len(values) for values, _ in products)
    result = _empty((steps, products[0][0].shape[1], *stage.shape), bool if neuron.spikes else stage.dtype)
    for t in range(steps):
        terms = _terms(products, t)
        tap, frame = terms[0]
        if isinstance(neuron, Readout):
            result[t] = _sum(terms, stage.dtype)
        elif len(terms) == 1 and frame.dtype == stage.dtype:
            np.greater_equal(frame, stage.threshold(tap), out=result[t])  # tap U >= Theta, without the product
        else:
            np.greater_equal(_sum(terms, stage.dtype), stage.threshold(1), out=result[t])
    return result


def _fire_tiled(stage: _Stage, layer: Tiled, source: Steps, steps: int) -> Steps:
    """Its spikes; one frame of them if neither the source nor a history changes anything over time."""
    if len(stage.layer.neuron.taps) == 1:
        steps = len(source)
    spikes = _empty((steps, source.shape[1], *stage.shape), bool)
    last = np.moveaxis(source, 2, -1)
    layer(last if last.ndim == 5 else last[:, :, None, None], np.moveaxis(spikes, 2, -1))
    return spikes


def _product(wire: _Wire, source: Steps) -> _Product:
    if wire.words is not None and len(source) > 1:
        return _frames(wire.kernel, _filter(source, wire.taps, wire.words)), (1,)
    return _frames(wire.kernel, source), wire.taps


def _frames(kernel: Kernel, words: Steps) -> Steps:
    currents = kernel(words.reshape(-1, *words.shape[2:]))
    return currents.reshape(*words.shape[:2], *currents.shape[1:])


def _filter(source: Steps, taps: tuple[int, ...], dtype: np.dtype[Any]) -> Steps:
    """History words, from all steps of a source."""
    words = np.multiply(source, dtype.type(taps[0]), dtype=dtype)
    for k, tap in enumerate(taps[1:], start=1):
        words[k:] += np.multiply(source[:-k], dtype.type(tap), dtype=dtype)
    return words


def _terms(products: list[_Product], t: int) -> list[tuple[int, NDArray[Any]]]:
    """Step t of a layer's total current, as factors and the frames (n, *shape) they multiply."""
    terms: list[tuple[int, NDArray[Any]]] = []
    for values, taps in products:
        if len(values) == 1:
            terms.append((sum(taps[: t + 1]), values[0]))
        else:
            terms += [(tap, values[t - k]) for k, tap in enumerate(taps[: t + 1])]
    return terms


def _sum(terms: list[tuple[int, NDArray[Any]]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Factors times frames, added: possibly the only frame itself, so not to be written to."""
    (tap, frame), *others = terms
    if not others and tap == 1:
        return frame.astype(dtype, copy=False)
    total = np.multiply(frame, dtype.type(tap), dtype=dtype, casting="unsafe")
    for tap, frame in others:
        if tap == 1:
            np.add(total, frame, out=total, dtype=dtype, casting="unsafe")
        else:
            total += np.multiply(frame, dtype.type(tap), dtype=dtype, casting="unsafe")
    return total


def _integrate(stage: _Stage, neuron: QuantizedLIF, products: list[_Product], steps: int) -> Steps:
    """Spikes of neurons with a stored potential: the reference's arithmetic step by step, in int32 where it fits."""
    dtype, shape = stage.stored, stage.shape
    shift, gain = _spread(neuron.potential_shift, shape, dtype), _spread(neuron.current_shift, shape, dtype)
    bias, threshold = _spread(neuron.bias, shape, dtype), stage.threshold(1)
    leak = shift + dtype.type(neuron.leak)
    half = dtype.type(1) << (leak - dtype.type(1))
    spikes = _empty((steps, products[0][0].shape[1], *shape), bool)
    stored = _empty(spikes.shape[1:], dtype, frames=1)
    stored[...] = 0
    for t in range(steps):
        potential = stored << shift
        potential += _sum(_terms(products, t), stage.dtype).astype(dtype, copy=False) << gain
        potential += bias
        np.greater_equal(potential, threshold, out=spikes[t])
        if neuron.reset == "hard":
            np.copyto(potential, 0, where=spikes[t])
        else:
            potential -= threshold * spikes[t]
        potential *= dtype.type(2**neuron.leak - 1)
        potential += half
        potential >>= leak
        np.clip(potential, *neuron.stored_range, out=stored)
    return spikes


def _integer_dtype(reach: int) -> np.dtype[Any]:
    return np.dtype(next((dtype for dtype in (np.int16, np.int32) if reach <= np.iinfo(dtype).max), np.int64))


def _empty(shape: Shape, dtype: Any, frames: int = 2) -> Steps:
    """An array of `frames` axes and one frame more, (.., C) or (.., C, H, W), with channels last in memory."""
    if len(shape) == frames + 1:
        return np.empty(shape, dtype)
    return np.moveaxis(np.empty((*shape[:frames], *shape[frames + 1 :], shape[frames]), dtype), -1, frames)


def _spread(values: NDArray[np.int64], shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """One number per channel for every neuron, (*shape), so that loops over neurons run without breaks."""
    spread = _empty(shape, dtype, frames=0)
    spread[...] = values.reshape(-1, *[1] * (len(shape) - 1))
    return spread
