"""The fast engine: all time steps at once, whole batches; the reference's integers by faster arithmetic.

A layer of memory-free neurons with small weights is one pass from spikes to spikes where the processor has a matrix
unit for bytes (`_tiled`). All others go by currents: `_wires` chooses how these are computed, `_forms` has the neurons.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._circle import Circle
from lava_qsnn.engines._dense_circle import DenseCircle, is_dense_circle
from lava_qsnn.engines._forms import Currents, Form, form
from lava_qsnn.engines._threads import Cost, can_hold_blas, parts, side_by_side, thread_count, threads_that_pay
from lava_qsnn.engines._tiled import Tiled, tiled
from lava_qsnn.engines._wires import Graded, Steps, Wire, wire
from lava_qsnn.errors import InputError
from lava_qsnn.integer import (
    INPUT,
    Component,
    Connection,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Shape,
    check_form,
    check_input,
    integer_dtype,
    sum_dtype,
)
from lava_qsnn.integer.layouts import channels_last, empty_channels_last, from_steps, to_steps

#: Numbers in the largest array of a chunk of samples: some 10 bytes of memory each, and most stay in the cache.
CHUNK = 2**21


def run_fast(
    network: IntegerNetwork,
    x: Any,
    *,
    layers: Collection[str] | None = None,
    chunk: int = CHUNK,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Compute outputs as `run_reference` does, exactly, but fast, on all cores, and in bounded memory.

    Args:
        network: any deployed network; what float32 cannot hold is computed in float64 or int64. It is prepared in the
            first run of so many steps, and kept prepared as long as it lives.
        x: a valid batch, see `check_input`; int (N, *input shape, T). Where its time stride is 0 (`np.broadcast_to`),
            layers fed by the input alone compute their synapses once for all steps.
        layers: names of the layers wanted; all by default.
        chunk: as many samples are computed at a time by a thread as keep the largest layer, over all steps, within so
            many numbers; one sample at least.
        progress: called after each chunk with the fraction done, 0 to 1; never twice at a time, by any thread.
        threads: that take samples side by side, at most, see `thread_count`; as many as pay by default. One sample is
            computed by one. The answer is the same.

    Returns:
        For each layer wanted, by name: int64 (N, *shape, T), spikes 0 and 1, or the numbers of neurons without spikes.

    Raises:
        ConfigurationError: `threads` is no integer from 1.
        InputError: x is no valid batch.
        RangeError: sums of a convolution leave int32 where Lava's Conv converts them, see `Connection`.
    """
    x = np.asarray(x)
    check_form(network, x.shape, x.dtype)
    wanted = [name for name in network if layers is None or name in layers]
    steps = x.shape[-1]
    if x.strides[-1] == 0:
        x = x[..., :1]
    prepared = _prepared(network, steps, tuple(wanted))
    most = max(1, chunk // (steps * max(math.prod(shape) for shape in network.shapes.values())))
    results = {name: np.empty((len(x), *network.shapes[name], steps), np.int64) for name in wanted}
    done = _Done(len(x), progress)

    def compute(part: slice) -> None:
        for name, output in _run(network, prepared.plan, check_input(network, x[part]), steps):
            if name in results:
                results[name][part] = from_steps(output)
        done.more(part)

    try:
        _share(compute, prepared, len(x), most, threads)
    except InputError:
        check_input(network, x)  # which tells of all samples
        raise
    return results


def _share(compute: Callable[[slice], None], of: _Prepared, samples: int, most: int, threads: int | None) -> None:
    """Compute so many samples, at most so many at a time by a thread, on the threads that pay."""
    count = 1 if of.multiplies and not can_hold_blas() else thread_count(threads)
    count = threads_that_pay(of.cost.nanoseconds, samples, count)
    divided = parts(of.cost.nanoseconds, samples, count, most)

    def measured(part: slice) -> None:
        with of.cost.measured(part.stop - part.start):
            compute(part)

    if count > 1 or threads is not None:
        side_by_side(measured, divided, count)
    else:
        for part in divided:  # BLAS may have its own threads
            compute(part)


class _Done:
    """The samples that are done, and who is told."""

    def __init__(self, samples: int, progress: Callable[[float], None] | None) -> None:
        self.samples, self.progress = samples, progress
        self.count, self.lock = 0, Lock()

    def more(self, part: slice) -> None:
        """Tell that these samples are done, too."""
        if self.progress is not None:
            with self.lock:
                self.count += part.stop - part.start
                self.progress(self.count / self.samples)


@dataclass(frozen=True)
class _Stage:
    """A layer made ready, and the sources that no later layer needs."""

    layer: Layer
    shape: Shape
    wires: tuple[tuple[Wire | Graded, ...], ...]  # of each port
    dtype: np.dtype[Any]  # of its currents
    form: Form | None
    tiled: Tiled | None  # computes it all, without wires and form
    done: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its layers: one."""
        return (self.layer.name,)

    @property
    def multiplies(self) -> bool:
        """True if it may go to BLAS."""
        return self.tiled is None and not all(w.is_counted for wires in self.wires for w in wires)

    def outputs(self, known: dict[str, Steps], steps: int) -> dict[str, Steps]:
        """The layer's output, by its name, from those of the layers before it."""
        return {self.layer.name: _fire(self, known, steps)}


Plan = list["_Stage | _Circle"]


@dataclass(frozen=True)
class _Prepared:
    """A plan, and what it costs.

    Args:
        plan: the layers, in order.
        cost: of a sample.
        multiplies: True if some layer may go to BLAS.
    """

    plan: Plan
    cost: Cost
    multiplies: bool


#: Plans of the networks that are alive, by their identity: networks do not change, and preparing one takes a while.
_PLANS: dict[int, dict[tuple[int, tuple[str, ...]], _Prepared]] = {}


def _prepared(network: IntegerNetwork, steps: int, wanted: tuple[str, ...]) -> _Prepared:
    """The plan of a network, made once for so many steps and layers wanted."""
    if id(network) not in _PLANS:
        _PLANS[id(network)] = {}
        weakref.finalize(network, _PLANS.pop, id(network))
    plans = _PLANS[id(network)]
    if (steps, wanted) not in plans:
        plan = _plan(network, steps, wanted)
        multiplies = any(isinstance(stage, _Circle) or stage.multiplies for stage in plan)
        plans[steps, wanted] = _Prepared(plan, Cost(_cost(network, plan, steps)), multiplies)
    return plans[steps, wanted]


def _plan(network: IntegerNetwork, steps: int, wanted: Collection[str]) -> Plan:
    """The layers to compute, in order: those wanted and those they need."""
    # Ranges, types and thresholds follow from the taps that are reached.
    network = network.shortened(steps).simplified
    needed, components = set(wanted), list[Component]()
    for component in reversed(network.components):
        if any(layer.name in needed for layer in component.layers):
            needed.update(source for layer in component.layers for source in network.sources(layer.name))
            components.insert(0, component)
    last = {
        source: index
        for index, component in enumerate(components)
        for layer in component.layers
        for source in network.sources(layer.name)
    }
    done = [tuple(source for source, user in last.items() if user == index) for index in range(len(components))]
    return [_prepare(network, component, sources) for component, sources in zip(components, done)]


def _cost(network: IntegerNetwork, plan: Plan, steps: int) -> float:
    """Nanoseconds that a sample takes on one core, within a factor of some: by its numbers and its synapses."""
    numbers, synapses = math.prod(network.input.shape), 0
    for name in (name for stage in plan for name in stage.names):
        neurons = math.prod(network.shapes[name])
        weights = [getattr(each.synapse, "weight", None) for each in network.layer(name).connections]
        numbers += neurons
        synapses += sum(neurons * math.prod(weight.shape[1:]) for weight in weights if weight is not None)
    return steps * (numbers + 0.01 * synapses)


def _prepare(network: IntegerNetwork, component: Component, done: tuple[str, ...]) -> _Stage | _Circle:
    if component.feeds_back:
        dense = is_dense_circle(network, component)
        names = tuple(layer.name for layer in component.layers)
        return _Circle(names, DenseCircle(network, component) if dense else Circle(network, component), done)
    return _stage(network, component.layers[0], done)


@dataclass(frozen=True)
class _Circle:
    """Layers that feed each other back, made ready, and the sources that no later layer needs."""

    names: tuple[str, ...]
    circle: Circle | DenseCircle
    done: tuple[str, ...]

    def outputs(self, known: dict[str, Steps], steps: int) -> dict[str, Steps]:
        """The layers' outputs, by name, from those of the layers before them."""
        return self.circle(known, steps)


def _stage(network: IntegerNetwork, layer: Layer, done: tuple[str, ...]) -> _Stage:
    shape = network.shapes[layer.name]
    if (tiled_layer := _tiled(network, layer)) is not None:
        return _Stage(layer, shape, (), np.dtype(np.int32), None, tiled_layer, done)
    found = [(connection.port, wire(network, layer, connection)) for connection in layer.connections]
    ports = tuple(tuple(w for port, w in found if port == each) for each in range(len(layer.neuron.currents)))
    # All partial sums, in whatever order they are added, and the number above all of them, which is never reached.
    reach = 1 + sum(_largest_current(network, layer, connection) for connection in layer.connections)
    counted = all(w.is_counted for _, w in found)
    dtype = integer_dtype(-reach, reach, (np.int16, np.int32)) if counted else sum_dtype(reach)
    fire = form(layer.neuron, shape, network.port_ranges[layer.name], dtype)
    return _Stage(layer, shape, ports, dtype, fire, None, done)


def _largest_current(network: IntegerNetwork, layer: Layer, connection: Connection) -> int:
    """The largest magnitude of a connection's currents, and of the partial sums that they add up from."""
    low, high = network.trace_range(connection.source, layer.taps(connection)[: network.timesteps])
    if connection.is_linear:
        return connection.synapse.largest_sum * connection.amplification * max(-low, high)
    least, greatest = connection.current_range(network.shapes[connection.source], low, high)
    return int(max(np.abs(least).max(), np.abs(greatest).max()))


def _tiled(network: IntegerNetwork, layer: Layer) -> Tiled | None:
    """A layer of memory-free neurons with one connection, if the processor's matrix unit can compute it."""
    connection, taps = layer.connections[0], layer.taps(layer.connections[0])[: network.timesteps]
    low, high = network.output_ranges[connection.source]
    delayed = connection.delay or connection.synapse.delay
    delayed = delayed or not connection.is_linear
    if len(layer.connections) > 1 or not isinstance(layer.neuron, MemoryFree) or delayed or low < 0:
        return None
    return tiled(connection, network.shapes[connection.source], taps, network.thresholds(layer.name), high)


def _run(network: IntegerNetwork, plan: Plan, x: NDArray[Any], steps: int) -> Iterator[tuple[str, Steps]]:
    """The layers of a plan with their outputs, one after the other; x (n, *input shape, T), or 1 for T."""
    # First narrow numbers as they lie, then move them: less memory is read out of order.
    narrow = integer_dtype(*network.output_ranges[INPUT])
    moved = to_steps(x.astype(narrow, copy=False))
    outputs = {INPUT: empty_channels_last(moved.shape, moved.dtype, 2)}
    np.copyto(outputs[INPUT], moved)
    for stage in plan:
        found = stage.outputs(outputs, steps)
        outputs.update(found)
        yield from found.items()
        for source in stage.done:
            del outputs[source]


def _fire(stage: _Stage, outputs: dict[str, Steps], steps: int) -> Steps:
    """The output of a layer: bool spikes, or numbers; one frame of them if all steps are the same."""
    source = outputs[stage.layer.connections[0].source]
    if stage.tiled is not None:
        return _fire_tiled(stage, stage.tiled, source, steps)
    assert stage.form is not None
    shape = (source.shape[1], *stage.shape)
    ports = [Currents([w.product(outputs, steps) for w in wires], shape, stage.dtype) for wires in stage.wires]
    return stage.form(ports, steps)


def _fire_tiled(stage: _Stage, layer: Tiled, source: Steps, steps: int) -> Steps:
    """Its spikes; one frame of them if neither the source nor a history changes anything over time."""
    if len(stage.layer.neuron.taps) == 1:
        steps = len(source)
    spikes = empty_channels_last((steps, source.shape[1], *stage.shape), bool, 2)
    last = channels_last(source, 2)
    layer(last if last.ndim == 5 else last[:, :, None, None], channels_last(spikes, 2))
    return spikes
