"""Layers computed a message at a time: all its samples and time steps at once, exactly, with state between messages.

What a process of one layer, and a process of a whole network, have inside: numpy, no Lava.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from operator import itemgetter

import numpy as np

from lava_qsnn import integer
from lava_qsnn.engines._kernels import kernel
from lava_qsnn.engines._stored import StoredPotential
from lava_qsnn.engines._wires import pooled
from lava_qsnn.engines._wrapping import Loop, loop
from lava_qsnn.extras import extra
from lava_qsnn.integer.layouts import from_frames, from_sequences, per_channel, to_frames, to_sequences

with extra("lava"):
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

#: Microseconds of one thread for adding the weight rows of active sources, fixed and per byte of them, to one frame or
#: to many; for a product with one frame, fixed and per byte of weights; and for one of matrices, which copies weights
#: first, fixed, per byte of them, and per byte and frame. Medians from 256 x 256 to 4096 x 1024.
ADD_TO_ONE, ADD_TO_MANY = (4.0, 1.2e-4), (35.0, 6e-5)
MULTIPLY_ONE, MULTIPLY_MANY = (2.0, 2.5e-5), (5.0, 1.2e-4, 4e-6)


def one_thread() -> None:
    """Make numpy's products of matrices use one thread in this process: processes are the parallelism here."""
    threadpool_limits(1)


class LayerEngine:
    """One layer. Call it with the frames of each connection's source, (samples, steps, *shape), in order.

    Args:
        network: the deployed network.
        layer: one of its layers.
    """

    def __init__(self, network: integer.IntegerNetwork, layer: integer.Layer) -> None:
        self.connections = [ConnectionEngine(network, layer, connection) for connection in layer.connections]
        self.sources = [connection.source for connection in layer.connections]
        self.ports = [connection.port for connection in layer.connections]
        self.shape = network.shapes[layer.name]
        self.neurons = neurons(layer.neuron, network.port_ranges[layer.name], self.shape)
        self.count = len(layer.neuron.currents)

    def __call__(self, frames: list[np.ndarray], first: bool) -> np.ndarray:
        """Spikes, bool, or integers: (samples, steps, *shape); `first` says that samples begin."""
        totals: list[np.ndarray | None] = [None] * self.count
        for port, connection, source in zip(self.ports, self.connections, frames):
            current, before = connection(source, first), totals[port]
            totals[port] = current if before is None else before + current
        silent = np.broadcast_to(np.int16(0), (*frames[0].shape[:2], *self.shape))
        return self.neurons([silent if total is None else total for total in totals], first)


class ConnectionEngine:
    """One connection: frames of its source to the currents of its targets, both (samples, steps, *shape).

    History is linear, so it may be taken on either side of the synapse, whichever is smaller: on traces, or on the
    currents that they cause. On currents, a synapse's work follows the spikes, not the traces, which live longer.
    """

    def __init__(self, network: integer.IntegerNetwork, layer: integer.Layer, connection: integer.Connection) -> None:
        self.poolings = connection.poolings
        inner = connection.pooled_shape(network.shapes[connection.source])
        taps = layer.taps(connection)[: network.timesteps]
        low, high = network.trace_range(connection.source, (connection.amplification,))
        self.pooled = integer.integer_dtype(low, high)
        largest = max(-low, high)
        # Sums over several connections are at least as exact: numpy takes the wider of their types.
        self.dtype = integer.sum_dtype(network.reach(layer.name))
        between = network.trace_range(connection.source, taps)
        self.finish = connection.finisher(layer.name, network.shapes[connection.source], *between)
        on_currents = bool(connection.synapse.delay) or bool(np.prod(inner) >= np.prod(network.shapes[layer.name]))
        on_currents = on_currents and (connection.is_linear or sum(taps) <= 1)
        self.traces = HistoryFilter(() if on_currents else taps, integer.sum_dtype(largest * sum(taps)))
        self.currents = HistoryFilter(taps if on_currents else (), self.dtype)
        trace = largest * (1 if on_currents else sum(taps))
        self.synapse: Callable[[np.ndarray], np.ndarray] | DelayedSynapse
        if connection.synapse.delay:
            self.synapse = DelayedSynapse(connection.synapse)
        else:
            self.synapse = synapse(connection.synapse, inner, trace)

    def __call__(self, frames: np.ndarray, first: bool) -> np.ndarray:
        for pooling in self.poolings:
            frames = pooled(frames, pooling, self.pooled)
        traces = self.traces(frames, first)
        if isinstance(self.synapse, DelayedSynapse):
            found = self.synapse(traces, first)
        else:
            found = from_frames(self.synapse(to_frames(traces)), traces)
        if self.finish is not None:
            found = self.finish(found.astype(np.int64))
        return self.currents(found.astype(self.dtype, copy=False), first)


class ComponentEngine:
    """One layer, or layers that feed each other back, which are computed step by step.

    Args:
        network: the deployed network.
        component: one of its components.
    """

    def __init__(self, network: integer.IntegerNetwork, component: integer.Component) -> None:
        network = network.simplified
        self.feeds_back = component.feeds_back
        layers = [network.layer(layer.name) for layer in component.layers]
        self.back = {layer.name: [component.leads_back(layer, each) for each in layer.connections] for layer in layers}
        self.layers = {layer.name: LayerEngine(network, _caught_up(component, layer)) for layer in layers}
        self.silent = {
            layer.name: np.zeros((1, 1, *network.shapes[layer.name]), bool if layer.neuron.spikes else np.int64)
            for layer in layers
        }
        self.before: dict[str, np.ndarray] = {}

    def __call__(self, outputs: Mapping[str, np.ndarray], first: bool) -> dict[str, np.ndarray]:
        """The outputs of its layers, by name, from those of their sources; see LayerEngine."""
        if not self.feeds_back:
            return {
                name: engine([outputs[each] for each in engine.sources], first) for name, engine in self.layers.items()
            }
        samples, steps = next(iter(outputs.values())).shape[:2]
        parts = [self._step(outputs, slice(t, t + 1), samples, first and t == 0) for t in range(steps)]
        return {name: np.concatenate([part[name] for part in parts], 1) for name in self.layers}

    def _step(self, outputs: Mapping[str, np.ndarray], t: slice, samples: int, first: bool) -> dict[str, np.ndarray]:
        """One step; a connection that leads back gets what its source put out in the step before."""
        if first:
            self.before = {name: np.repeat(silent, samples, 0) for name, silent in self.silent.items()}
        now = {name: values[:, t] for name, values in outputs.items()}
        for name, engine in self.layers.items():
            ways = zip(self.back[name], engine.sources)
            now[name] = engine([self.before[source] if back else now[source] for back, source in ways], first)
        self.before = {name: now[name] for name in self.layers}
        return self.before


def _caught_up(component: integer.Component, layer: integer.Layer) -> integer.Layer:
    """A layer whose connections that lead back have one step less of delay, for sources that are one step behind."""
    connections = (
        replace(each, delay=each.delay - 1) if component.leads_back(layer, each) else each for each in layer.connections
    )
    return replace(layer, connections=tuple(connections))


class NetworkEngine:
    """A whole network, layer by layer. Args as LayerEngine's."""

    def __init__(self, network: integer.IntegerNetwork) -> None:
        self.network = network
        self.components = [ComponentEngine(network, component) for component in network.components]

    def __call__(self, frames: np.ndarray, first: bool) -> dict[str, np.ndarray]:
        """Every layer's output, by name; see LayerEngine."""
        outputs = {integer.INPUT: frames}
        for engine in self.components:
            outputs.update(engine(outputs, first))
        return outputs


class Past:
    """Keep what the next message needs of the ones before: the last frames of each sample.

    Args:
        length: how many.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.frames: np.ndarray | None = None

    def extend(self, frames: np.ndarray, first: bool) -> np.ndarray:
        """Frames (samples, steps, ..) behind those before them in their samples, as many as are kept."""
        if not first and self.frames is not None:
            frames = np.concatenate([self.frames, frames], 1)
        self.frames = frames[:, max(0, frames.shape[1] - self.length) :]
        return frames


class HistoryFilter:
    """h[t] = sum_k L_k s[t-k] over frames (samples, steps, ..), remembering what the next message needs.

    Args:
        taps: L_0 .. L_{K-1}; none to pass frames on as they are.
        dtype: of the traces, in which they are exact.
    """

    def __init__(self, taps: tuple[int, ...], dtype: np.dtype) -> None:
        self.taps = np.array(taps, dtype)
        self.dtype = dtype
        self.past = Past(len(taps) - 1)
        self._matrices: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, frames: np.ndarray, first: bool) -> np.ndarray:
        if not len(self.taps) or (len(self.taps) == 1 and self.taps[0] == 1):
            return frames
        samples, steps = frames.shape[:2]
        flat = frames.reshape(samples, steps, -1).astype(self.dtype, copy=False)
        flat = self.past.extend(flat, first)
        return np.matmul(self._lags(steps, flat.shape[1]), flat).reshape(frames.shape)

    def _lags(self, steps: int, length: int) -> np.ndarray:
        """The matrix (steps, length) that weights what lies k steps before the last `steps` of `length` by L_k."""
        if (steps, length) not in self._matrices:
            lags = np.arange(length - steps, length)[:, None] - np.arange(length)
            reached = (lags >= 0) & (lags < len(self.taps))
            matrix = np.where(reached, self.taps[lags.clip(0, len(self.taps) - 1)], 0)
            self._matrices[steps, length] = matrix.astype(self.dtype)
        return self._matrices[steps, length]


class DelayedSynapse:
    """A synapse that looks back in time by itself: traces (samples, steps, *source) to currents, int64."""

    def __init__(self, of: integer.Synapse) -> None:
        self.of = of
        self.past = Past(of.delay)

    def __call__(self, traces: np.ndarray, first: bool) -> np.ndarray:
        steps = traces.shape[1]
        known = from_sequences(self.past.extend(traces.astype(np.int64), first))
        return to_sequences(self.of.current(known)[..., -steps:])


@singledispatch
def synapse(of: integer.Synapse, source: integer.Shape, largest_trace: int) -> Callable[[np.ndarray], np.ndarray]:
    """Make a synapse ready: a function from traces (frames, *source) to currents (frames, *output shape)."""
    return kernel(of, source, largest_trace)


@synapse.register
def _(of: integer.Dense, source: integer.Shape, largest_trace: int) -> Callable[[np.ndarray], np.ndarray]:
    return EventDense(of, largest_trace)


class EventDense:
    """A dense synapse whose cost follows its active sources where that is faster.

    Args:
        of: the synapse.
        largest_trace: frames hold integers of at most this magnitude.
    """

    def __init__(self, of: integer.Dense, largest_trace: int) -> None:
        reach = largest_trace * of.largest_sum
        self.weight = np.ascontiguousarray(of.weight.T, integer.sum_dtype(reach))
        # What bounds adding is reading rows, so they are narrow: int16 may wrap on the way to a sum that it holds.
        narrow = integer.integer_dtype(-reach, reach, (np.int16,))
        self.rows = self.weight.astype(narrow) if narrow == np.int16 else self.weight

    def __call__(self, traces: np.ndarray) -> np.ndarray:
        """Traces (frames, *source) to currents (frames, out), by the method that should be the fastest."""
        flat = traces.reshape(len(traces), -1)
        active, frames = int(np.count_nonzero(flat)), len(flat)
        if not active:
            return np.zeros((frames, self.rows.shape[1]), self.rows.dtype)
        added, weights = active * self.rows.strides[0], self.weight.nbytes
        costs: list[tuple[float, Callable[[np.ndarray], np.ndarray]]] = [
            (ADD_TO_MANY[0] + ADD_TO_MANY[1] * added, self._add_to_many),
            (frames * (MULTIPLY_ONE[0] + MULTIPLY_ONE[1] * weights), self._multiply_each),
            (MULTIPLY_MANY[0] + (MULTIPLY_MANY[1] + MULTIPLY_MANY[2] * frames) * weights, self._multiply),
        ]
        if frames == 1:
            costs.append((ADD_TO_ONE[0] + ADD_TO_ONE[1] * added, self._add_to_one))
        return min(costs, key=itemgetter(0))[1](flat)

    def _multiply(self, flat: np.ndarray) -> np.ndarray:
        return flat.astype(self.weight.dtype, copy=False) @ self.weight

    def _multiply_each(self, flat: np.ndarray) -> np.ndarray:
        currents = np.empty((len(flat), self.weight.shape[1]), self.weight.dtype)
        for frame, current in zip(flat.astype(self.weight.dtype, copy=False), currents):
            np.dot(frame, self.weight, out=current)
        return currents

    def _add_to_one(self, flat: np.ndarray) -> np.ndarray:
        positions = np.flatnonzero(flat)
        rows = self.rows[positions]
        if flat.dtype != bool:
            rows *= flat[0, positions, None].astype(rows.dtype)
        return np.add.reduce(rows, 0, rows.dtype, keepdims=True)

    def _add_to_many(self, flat: np.ndarray) -> np.ndarray:
        frames, sources = flat.shape
        positions = np.flatnonzero(flat)
        events = csr_matrix(flat.shape, dtype=self.rows.dtype)
        events.data = flat.ravel()[positions].astype(self.rows.dtype)
        events.indices = (positions % sources).astype(np.int32)
        events.indptr = np.searchsorted(positions, sources * np.arange(frames + 1)).astype(np.int32)
        return events @ self.rows


#: Computes the currents of all ports, (samples, steps, *shape) each, and whether samples begin, to outputs.
Neurons = Callable[[Sequence[np.ndarray], bool], np.ndarray]


@singledispatch
def neurons(neuron: integer.Neuron, ranges: Sequence[integer.Bounds], shape: integer.Shape) -> Neurons:
    """Make neurons ready: by the row of their kind, or else by their own step, in int64.

    Args:
        neuron: the neurons.
        ranges: of their currents, per channel.
        shape: of the population.
    """
    return Stepping(neuron)


@neurons.register
def _(neuron: integer.Readout, ranges: Sequence[integer.Bounds], shape: integer.Shape) -> Neurons:
    return lambda currents, first: currents[0].astype(np.int64)


@neurons.register
def _(neuron: integer.MemoryFree, ranges: Sequence[integer.Bounds], shape: integer.Shape) -> Neurons:
    threshold = per_channel(neuron.within(ranges), len(shape)).astype(integer.sum_dtype(neuron.reach(ranges)))
    return lambda currents, first: currents[0] >= threshold


@neurons.register
def _(neuron: integer.QuantizedLIF, ranges: Sequence[integer.Bounds], shape: integer.Shape) -> Neurons:
    step = StoredPotential(neuron, ranges, lambda values: per_channel(values, len(shape)))
    return Storing(step)


@neurons.register(integer.CUBA)
@neurons.register(integer.SigmaDelta)
@neurons.register(integer.RF)
def _(neuron: integer.Neuron, ranges: Sequence[integer.Bounds], shape: integer.Shape) -> Neurons:
    made = loop(neuron, lambda name: np.broadcast_to(neuron.along(name, len(shape)), shape).ravel())
    return Stepping(neuron) if made is None else Looping(made)


class Looping:
    """Neurons with a compiled loop; their state lasts from message to message."""

    def __init__(self, made: Loop) -> None:
        self.loop = made
        self.state = made.start(0)

    def __call__(self, currents: Sequence[np.ndarray], first: bool) -> np.ndarray:
        samples, steps, *shape = currents[0].shape
        if first:
            self.state = self.loop.start(samples)
        # Of a port that nothing feeds there is but one number, spread out.
        fed = [np.ascontiguousarray(each.swapaxes(0, 1)) if any(each.strides) else None for each in currents]
        outputs = self.loop(fed, self.state, (steps, samples, math.prod(shape)))
        return outputs.reshape(steps, samples, *shape).swapaxes(0, 1)


class Stepping:
    """Neurons of any kind, by their own step; their state lasts from message to message."""

    def __init__(self, neuron: integer.Neuron) -> None:
        self.neuron = neuron
        self.state: integer.State = ()
        self.t = 0

    def __call__(self, currents: Sequence[np.ndarray], first: bool) -> np.ndarray:
        samples, steps = currents[0].shape[:2]
        if first:
            self.state, self.t = self.neuron.start((samples, *currents[0].shape[2:])), 0
        outputs = np.empty(currents[0].shape, bool if self.neuron.spikes else np.int64)
        for step in range(steps):
            now = [current[:, step].astype(np.int64) for current in currents]
            outputs[:, step], _, self.state = self.neuron.step(self.state, now, self.t)
            self.t += 1
        return outputs


class Storing:
    """Neurons with a stored potential, which lasts from message to message."""

    def __init__(self, step: StoredPotential) -> None:
        self.step = step
        self.stored = np.zeros(0, step.dtype)

    def __call__(self, currents: Sequence[np.ndarray], first: bool) -> np.ndarray:
        (current,) = currents
        if first:
            self.stored = np.zeros((len(current), *current.shape[2:]), self.step.dtype)
        spikes = np.empty(current.shape, bool)
        for step in range(current.shape[1]):
            self.step(self.stored, current[:, step], spikes[:, step])
        return spikes
