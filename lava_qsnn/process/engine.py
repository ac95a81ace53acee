"""Layers computed a message at a time: all its samples and time steps at once, exactly, with state between messages.

What a process of one layer, and a process of a whole network, have inside: numpy, no Lava.
"""

from collections.abc import Callable
from operator import itemgetter

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from lava_qsnn import integer

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

    History is linear, so it may be taken on either side of the synapses, whichever is smaller: on spikes, or on the
    currents that spikes cause. On currents, a synapse's work follows the spikes, not the words, which live longer.

    Args:
        network: the deployed network.
        layer: one of its layers.
    """

    def __init__(self, network: integer.IntegerNetwork, layer: integer.Layer) -> None:
        sources = [network.shapes[connection.source] for connection in layer.connections]
        self.shape = network.shapes[layer.name]
        low, high = network.current_ranges[layer.name]
        dtype = integer.narrowest(max(-int(low.min()), int(high.max()) + 1))
        taps = layer.neuron.taps
        on_currents = sum(map(np.prod, sources)) >= np.prod(self.shape)
        self.histories = [HistoryFilter(() if on_currents else taps, dtype) for _ in sources]
        self.total_history = HistoryFilter(taps if on_currents else (), dtype)
        self.synapses = [
            synapse(connection.synapse, shape, network.largest_word(connection.source, (1,) if on_currents else taps))
            for connection, shape in zip(layer.connections, sources)
        ]
        self.dtype = dtype
        self.neuron = neuron(network, layer)

    def __call__(self, frames: list[np.ndarray], first: bool) -> np.ndarray:
        """Spikes, bool, or potentials, int64: (samples, steps, *shape); `first` says that samples begin."""
        samples, steps = frames[0].shape[:2]
        total: np.ndarray | None = None
        for compute, history, source in zip(self.synapses, self.histories, frames):
            words = history(source, first)
            currents = compute(words.reshape(-1, *words.shape[2:])).astype(self.dtype, copy=False)
            total = currents if total is None else total + currents
        assert total is not None
        return self.neuron(self.total_history(total.reshape(samples, steps, *self.shape), first), first)


class NetworkEngine:
    """A whole network, layer by layer. Args as LayerEngine's."""

    def __init__(self, network: integer.IntegerNetwork) -> None:
        self.network = network
        self.layers = [LayerEngine(network, layer) for layer in network.layers]

    def __call__(self, frames: np.ndarray, first: bool) -> dict[str, np.ndarray]:
        """Every layer's output, by name; see LayerEngine."""
        outputs = {integer.INPUT: frames}
        for layer, engine in zip(self.network.layers, self.layers):
            outputs[layer.name] = engine([outputs[connection.source] for connection in layer.connections], first)
        return outputs


class HistoryFilter:
    """h[t] = sum_k L_k s[t-k] over frames (samples, steps, ..), remembering what the next message needs.

    Args:
        taps: L_0 .. L_{K-1}; none to pass frames on as they are.
        dtype: of the words, in which they are exact.
    """

    def __init__(self, taps: tuple[int, ...], dtype: np.dtype) -> None:
        self.taps = np.array(taps, dtype)
        self.dtype = dtype
        self.past: np.ndarray | None = None
        self._matrices: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, frames: np.ndarray, first: bool) -> np.ndarray:
        if not len(self.taps) or (len(self.taps) == 1 and self.taps[0] == 1):
            return frames
        samples, steps = frames.shape[:2]
        flat = frames.reshape(samples, steps, -1).astype(self.dtype, copy=False)
        if not first and self.past is not None:
            flat = np.concatenate([self.past, flat], 1)
        self.past = flat[:, max(0, flat.shape[1] - len(self.taps) + 1) :]
        return np.matmul(self._lags(steps, flat.shape[1]), flat).reshape(frames.shape)

    def _lags(self, steps: int, length: int) -> np.ndarray:
        """The matrix (steps, length) that weights what lies k steps before the last `steps` of `length` by L_k."""
        if (steps, length) not in self._matrices:
            lags = np.arange(length - steps, length)[:, None] - np.arange(length)
            reached = (lags >= 0) & (lags < len(self.taps))
            matrix = np.where(reached, self.taps[lags.clip(0, len(self.taps) - 1)], 0)
            self._matrices[steps, length] = matrix.astype(self.dtype)
        return self._matrices[steps, length]


def synapse(of: integer.Synapse, source: integer.Shape, largest_word: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from words (frames, *source) to currents (frames, *output shape)."""
    if not isinstance(of, integer.Dense):
        return integer.kernel(of, source, largest_word)
    return EventDense(of, largest_word)


class EventDense:
    """A dense synapse whose cost follows its active sources where that is faster.

    Args:
        of: the synapse.
        largest_word: frames hold integers from 0 to it.
    """

    def __init__(self, of: integer.Dense, largest_word: int) -> None:
        reach = largest_word * max(1, int(np.abs(of.weight.astype(np.int64)).sum(1).max()))
        self.weight = np.ascontiguousarray(of.weight.T, integer.narrowest(reach))
        # What bounds adding is reading rows, so they are narrow: int16 may wrap on the way to a sum that it holds.
        self.rows = self.weight.astype(np.int16) if reach < 2**15 else self.weight

    def __call__(self, words: np.ndarray) -> np.ndarray:
        """Words (frames, *source) to currents (frames, out), by the way that should be the fastest."""
        flat = words.reshape(len(words), -1)
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
        places = np.flatnonzero(flat)
        rows = self.rows[places]
        if flat.dtype != bool:
            rows *= flat[0, places, None].astype(rows.dtype)
        return np.add.reduce(rows, 0, rows.dtype, keepdims=True)

    def _add_to_many(self, flat: np.ndarray) -> np.ndarray:
        frames, sources = flat.shape
        places = np.flatnonzero(flat)
        events = csr_matrix(flat.shape, dtype=self.rows.dtype)
        events.data = flat.ravel()[places].astype(self.rows.dtype)
        events.indices = (places % sources).astype(np.int32)
        events.indptr = np.searchsorted(places, sources * np.arange(frames + 1)).astype(np.int32)
        return events @ self.rows


def neuron(network: integer.IntegerNetwork, layer: integer.Layer) -> Callable[[np.ndarray, bool], np.ndarray]:
    """A function from potentials or currents (samples, steps, *shape), and whether samples begin, to outputs."""
    axes = len(network.shapes[layer.name])
    if isinstance(layer.neuron, integer.Readout):
        return lambda potentials, first: potentials.astype(np.int64)
    threshold, reach = network.thresholds(layer.name), network.reach(layer.name)
    if isinstance(layer.neuron, integer.QuantizedLIF):
        return StoredPotential(layer.neuron, threshold, axes, reach)
    compared = integer.per_channel(threshold, axes).astype(integer.narrowest(reach))
    return lambda potentials, first: potentials >= compared


class StoredPotential:
    """Neurons with a stored potential; equations at lava_qsnn.integer.QuantizedLIF.

    Args:
        neuron: the integers of its channels.
        threshold: of its channels, no further out than its spikes take.
        axes: of the population, 1 or 3.
        reach: the largest magnitude that computing its potential can meet.
    """

    def __init__(self, neuron: integer.QuantizedLIF, threshold: np.ndarray, axes: int, reach: int) -> None:
        self.dtype = np.dtype(np.int32 if reach <= integer.INT32_LIMIT else np.int64)
        self.threshold = self._spread(threshold, axes)
        self.bias = self._spread(neuron.bias, axes)
        self.shift = self._spread(neuron.potential_shift, axes)
        self.gain = self._spread(neuron.current_shift, axes)
        self.leak, self.hard, self.stored_range = neuron.leak, neuron.reset == "hard", neuron.stored_range
        self.stored: np.ndarray | None = None

    def __call__(self, currents: np.ndarray, first: bool) -> np.ndarray:
        if first or self.stored is None:
            self.stored = np.zeros((len(currents), *currents.shape[2:]), self.dtype)
        driven = (currents.astype(self.dtype) << self.gain) + self.bias
        spikes = np.empty(currents.shape, bool)
        total = self.shift + self.leak
        half = np.left_shift(1, total - 1, dtype=self.dtype)
        for step in range(currents.shape[1]):
            potential = (self.stored << self.shift) + driven[:, step]
            spikes[:, step] = fired = potential >= self.threshold
            left = np.where(fired, 0 if self.hard else potential - self.threshold, potential)
            leaked = ((2**self.leak - 1) * left + half) >> total
            self.stored = leaked.clip(*self.stored_range)
        return spikes

    def _spread(self, values: np.ndarray, axes: int) -> np.ndarray:
        return integer.per_channel(values, axes).astype(self.dtype)
