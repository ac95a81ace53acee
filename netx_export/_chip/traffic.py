"""The traffic of some samples: messages, payloads, synaptic operations, words read and updates, exact whole numbers.

Computed with the `fast` engine, layer by layer. SynOps are effective ones as NeuroBench (Yik and others 2025) counts
them: nonzero input times nonzero weight; biases and poolings are not counted; an accumulation (AC) where every input is
-1, 0 or 1, else a multiplication (MAC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines import run_fast
from lava_qsnn.integer import INPUT, Connection, Conv, Dense, IntegerNetwork, Layer, OneToOne, check_input, traces
from netx_export._chip import counting
from netx_export._chip.layout import LayerLayout, Layout
from netx_export._chip.mappings import Message, has_history, synapses
from netx_export._chip.partition import Cut
from netx_export._chip.populations import Projection
from netx_export._chip.storage import conv_row, dense_row, loihi_1_rows

Counts = NDArray[np.int64]

#: Output numbers of all layers that are held at a time.
PART = 2**24


@dataclass(frozen=True)
class LayerTraffic:
    """The traffic of one layer for N samples.

    Args:
        spikes: outputs that are not 0, (N,); none of a readout, which sends nothing.
        messages: that it sends, (N,): one for each core that a neuron's output, or trace, goes to.
        payload_bits: of these, (N,); 0 for spikes without payload.
        synops: effective synaptic operations in each of its cores, (N, cores).
        connection_synops: of them, those of each connection, (N, connections).
        graded: the connections whose input is other than -1, 0 and 1 somewhere, one row for each part of the samples.
        conv_synops, sparse_synops: of them, those of convolutions and of one-to-one synapses, (N,).
        dense_synops: what they would be if no input and no weight were 0, for a sample.
        words_read: words of synaptic memory that the messages into each of its cores read, (N, cores).
        received: messages that arrive in each of its cores, (N, cores).
        updates: of neurons, for a sample: one for each neuron and time step.
        idle_updates: of them, those that message-driven execution skips, (N,): nothing has arrived, and the neuron
            keeps no state and does not fire without input. Loihi, whose cores all take each step, does not skip them.
    """

    name: str
    spikes: Counts
    messages: Counts
    payload_bits: Counts
    synops: Counts
    connection_synops: Counts
    graded: NDArray[np.bool_]
    conv_synops: Counts
    sparse_synops: Counts
    dense_synops: int
    words_read: Counts
    received: Counts
    updates: int
    idle_updates: Counts

    @property
    def multiplications(self) -> Counts:
        """Synaptic operations whose input can be other than -1, 0 and 1 on these samples, (N,)."""
        return np.asarray(self.connection_synops[:, self.graded.any(0)].sum(1))


@dataclass(frozen=True)
class Traffic:
    """The traffic of a network for N samples of T time steps.

    Args:
        samples, timesteps: N and T.
        layers: the input first, under "input", which has messages alone; then the layers in the network's order.
        flows: messages between cores, summed over samples: (source cores, target cores), by the names of two layers;
            the input, which is no core, has one row.
        chip_pairs: messages between chips, (N, chips + 1, chips + 1); the last row is the input's.
    """

    samples: int
    timesteps: int
    layers: dict[str, LayerTraffic]
    flows: dict[tuple[str, str], Counts]
    chip_pairs: Counts

    @property
    def messages(self) -> Counts:
        """Messages of each sample, the input's included, (N,)."""
        return _total(self, "messages")

    @property
    def payload_bits(self) -> Counts:
        """Bits of payload of each sample, (N,)."""
        return _total(self, "payload_bits")

    @property
    def synops(self) -> Counts:
        """Effective synaptic operations of each sample, (N,)."""
        return np.asarray(sum(each.synops.sum(1) for each in self.layers.values()))

    @property
    def words_read(self) -> Counts:
        """Words of synaptic memory read for each sample, (N,)."""
        return np.asarray(sum(each.words_read.sum(1) for each in self.layers.values()))

    @property
    def updates(self) -> int:
        """Updates of neurons for a sample."""
        return sum(each.updates for each in self.layers.values())

    @property
    def idle_updates(self) -> Counts:
        """Of them, those that message-driven execution skips, (N,)."""
        return _total(self, "idle_updates")

    @property
    def dense_synops(self) -> int:
        """Synaptic operations of a sample if nothing were 0."""
        return sum(each.dense_synops for each in self.layers.values())

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data: means, and the spread over samples."""
        return {
            "samples": self.samples,
            "timesteps": self.timesteps,
            "per_sample": _numbers(self),
            "layers": {name: _numbers(each) | _per_core(each) for name, each in self.layers.items()},
            "chip_pairs_mean": self.chip_pairs.mean(0).tolist(),
        }


def _total(traffic: Traffic, name: str) -> Counts:
    return np.asarray(sum(getattr(each, name) for each in traffic.layers.values()))


def spread(counts: Counts) -> dict[str, float]:
    """Mean, standard deviation, least and greatest over samples."""
    deviation = float(counts.std(ddof=1)) if len(counts) > 1 else 0.0
    return {"mean": float(counts.mean()), "deviation": deviation, "least": int(counts.min()), "most": int(counts.max())}


def _numbers(of: Traffic | LayerTraffic) -> dict[str, Any]:
    synops, read = (each if each.ndim == 1 else each.sum(1) for each in (of.synops, of.words_read))
    return {
        "messages": spread(of.messages),
        "payload_bits": spread(of.payload_bits),
        "synops": spread(synops),
        "dense_synops": of.dense_synops,
        "synmem_words_read": spread(read),
        "updates": of.updates,
        "idle_updates": spread(of.idle_updates),
    }


def _per_core(layer: LayerTraffic) -> dict[str, Any]:
    return {
        "spikes": spread(layer.spikes),
        "multiplications": spread(layer.multiplications),
        "synops_per_core_mean": layer.synops.mean(0).tolist(),
        "messages_per_core_mean": layer.received.mean(0).tolist(),
    }


def count_traffic(layout: Layout, x: NDArray[np.integer[Any]]) -> Traffic:
    """Count what moves in a layout of a network.

    Args:
        layout: of an IntegerNetwork.
        x: int (N, *input shape, T).

    Raises:
        InputError: the samples do not fit the network.
    """
    assert layout.mapped is not None
    network = layout.mapped.network
    x = check_input(network, x)
    frame = sum(math.prod(shape) for shape in network.shapes.values()) * x.shape[-1]
    size = max(1, PART // frame)
    return joined([_counted(layout, x[start : start + size]) for start in range(0, len(x), size)])


def _counted(layout: Layout, x: NDArray[np.integer[Any]]) -> Traffic:
    part = _Part(layout, x)
    return Traffic(len(x), x.shape[-1], part.layers, part.flows, part.chip_pairs)


def joined(parts: Sequence[Traffic]) -> Traffic:
    """The traffic of all samples of some parts, in their order."""
    first = parts[0]
    layers = {name: _joined([part.layers[name] for part in parts]) for name in first.layers}
    flows: dict[tuple[str, str], Counts] = {}
    for part in parts:
        for pair, counts in part.flows.items():
            flows[pair] = flows.get(pair, np.zeros_like(counts)) + counts
    pairs = np.concatenate([part.chip_pairs for part in parts])
    return Traffic(sum(part.samples for part in parts), first.timesteps, layers, flows, pairs)


def _joined(parts: list[LayerTraffic]) -> LayerTraffic:
    """The same of all samples."""
    first = parts[0]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, value in vars(first).items()
        if isinstance(value, np.ndarray)
    }
    plain = {name: value for name, value in vars(first).items() if name not in arrays}
    return LayerTraffic(**plain, **arrays)


@dataclass
class _Tally:
    """The counts of one layer as they grow."""

    spikes: Counts
    messages: Counts
    payload_bits: Counts
    synops: Counts
    conv_synops: Counts
    sparse_synops: Counts
    words_read: Counts
    received: Counts
    dense_synops: int = 0
    connection_synops: list[Counts] = field(default_factory=list)
    graded: list[bool] = field(default_factory=list)


@dataclass
class _Part:
    """The counts of some samples, and what they are made of."""

    layout: Layout
    x: NDArray[np.integer[Any]]
    layers: dict[str, LayerTraffic] = field(init=False)
    flows: dict[tuple[str, str], Counts] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        assert self.layout.mapped is not None
        self.mapped, self.network = self.layout.mapped, self.layout.mapped.network
        self.outputs = {INPUT: self.x.astype(np.int64)} | _outputs(self.network, self.x)
        chips = self.layout.chips + 1
        self.chip_pairs = np.zeros((len(self.x), chips, chips), np.int64)
        cores = {INPUT: 1} | {layer.name: layer.cores for layer in self.layout.parts}
        self.tallies = {name: self._tally(number) for name, number in cores.items()}
        for name, tally in self.tallies.items():
            if name != INPUT and not self.network.layer(name).neuron.feeds:
                continue  # what it puts out is read, not sent
            tally.spikes += np.count_nonzero(self.outputs[name].reshape(len(self.x), -1), axis=1)
        for message in self.mapped.messages:
            self._send(message)
        for layer in self.network.layers:
            for number, connection in synapses(layer):
                self._compute(layer, number, connection)
        self.layers = {name: self._layer(name) for name in cores}

    def _tally(self, cores: int) -> _Tally:
        samples = len(self.x)
        of_all = ("spikes", "messages", "payload_bits", "conv_synops", "sparse_synops")
        of_cores = ("synops", "words_read", "received")
        shapes = dict.fromkeys(of_all, (samples,)) | dict.fromkeys(of_cores, (samples, cores))
        arrays: dict[str, Any] = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}
        return _Tally(**arrays)

    def _send(self, message: Message) -> None:
        """Count the messages of one source and one tuple of taps, target by target."""
        for name in dict.fromkeys(name for name, _ in message.targets):
            layer, target = self.network.layer(name), self.layout.layer(name)
            numbers = [number for each, number in message.targets if each == name]
            connections = [layer.connections[number] for number in numbers]
            first = min(connections, key=lambda each: each.delay)  # synapses wait, messages do not
            kinds = [each.synapse for each in connections]
            flows = counting.flows(_four(self._sent(layer, first)), self._cut(message.source), target.cut, kinds)
            self._add(message, target, flows)

    def _add(self, message: Message, target: LayerLayout, flows: Counts) -> None:
        sender, total = self.tallies[message.source], flows.sum((1, 2))
        sender.messages += total
        sender.payload_bits += total * message.payload_bits
        self.tallies[target.name].received += flows.sum(1)
        pair = message.source, target.name
        self.flows[pair] = self.flows.get(pair, 0) + flows.sum(0)
        from_chips = (
            np.array([self.layout.chips]) if message.source == INPUT else self.layout.layer(message.source).chips
        )
        for chip in np.unique(from_chips):
            for other in np.unique(target.chips):
                part = flows[:, from_chips == chip][:, :, target.chips == other]
                self.chip_pairs[:, chip, other] += part.sum((1, 2))

    def _compute(self, layer: Layer, number: int, connection: Connection) -> None:
        """Count the operations of one connection, and the words that its messages read."""
        target, tally, synapse = self.layout.layer(layer.name), self.tallies[layer.name], connection.synapse
        carried = self._carried(layer, connection)
        active = _four(_count(carried))
        if isinstance(synapse, (Dense, Conv, OneToOne)):
            synops = counting.operations(active, synapse, target.cut)
        else:
            synops = np.asarray(sum(counting.any_synapse(each != 0, synapse, target.cut) for each in carried))
        tally.synops += synops
        if isinstance(synapse, (Conv, OneToOne)):
            of_kind = tally.conv_synops if isinstance(synapse, Conv) else tally.sparse_synops
            of_kind += synops.sum(1)
        tally.connection_synops.append(synops.sum(1))
        tally.graded.append(any(int(np.abs(each).max(initial=0)) > 1 for each in carried))
        tally.dense_synops += _dense_synops(self.network, layer, connection) * self.x.shape[-1] * len(carried)
        tally.words_read += self._read(layer, number, connection, target)

    def _carried(self, layer: Layer, connection: Connection) -> list[Counts]:
        """The numbers that a connection's synapses are given, (N, *shape, T): one array, or one for each delay."""
        outputs = self.outputs[connection.source]
        before, taps = (0,) * connection.delay, layer.neuron.taps[: self.network.timesteps]
        if self.layout.mapping == "word" or not has_history(layer):
            return [traces(outputs, before + taps)]
        if self.layout.mapping == "stock":
            return [traces(outputs, (*before, 1))]
        return [traces(outputs, (*before, *(0,) * k, 1)) for k, tap in enumerate(taps) if tap]

    def _sent(self, layer: Layer, connection: Connection) -> Counts:
        """Count how often each source neuron sends a message for a connection: (N, *shape)."""
        return _count(self._carried(layer, connection)[:1])

    def _read(self, layer: Layer, number: int, connection: Connection, target: LayerLayout) -> Counts:
        """Words of synaptic memory that a connection's messages read, (N, cores)."""
        synapse, sent = connection.synapse, _four(self._sent(layer, connection))
        projection = _projection_of(self.mapped.network, layer, number, target)
        if isinstance(synapse, Conv) and self.layout.chip.storage == "loihi2":
            channels = np.minimum(target.cut.boxes.channels, target.cut.extent[0] // synapse.groups)
            return counting.rows_read(sent, synapse, target.cut) * conv_row(projection, channels)
        arriving = counting.flows(sent, self._cut(connection.source), target.cut, [synapse]).sum(1)
        if self.layout.chip.storage == "loihi2":
            targets = 1 if isinstance(synapse, OneToOne) else target.cut.boxes.neurons
            return np.asarray(arriving * dense_row(projection, targets))
        return np.asarray(arriving * row_of_loihi_1(projection, target))

    def _cut(self, name: str) -> Cut:
        if name == INPUT:
            extent = counting.extent(self.network.input.shape)
            return Cut(extent, extent)
        return self.layout.layer(name).cut

    def _layer(self, name: str) -> LayerTraffic:
        tally = self.tallies[name]
        updates = 0 if name == INPUT else math.prod(self.network.shapes[name]) * self.x.shape[-1]
        idle = np.zeros(len(self.x), np.int64) if name == INPUT else self._idle(self.network.layer(name))
        none = np.zeros((len(self.x), 0), np.int64)
        synops = np.column_stack([none, *tally.connection_synops])
        told = vars(tally) | {"connection_synops": synops, "graded": np.array([tally.graded], bool)}
        return LayerTraffic(name, **told, updates=updates, idle_updates=idle)

    def _idle(self, layer: Layer) -> Counts:
        """Updates of neurons that nothing has reached, keep no state, and stay silent without input: (N,)."""
        shape = counting.extent(self.network.shapes[layer.name])
        none = np.zeros(len(self.x), np.int64)
        if not has_history(layer) or layer.neuron.state_bits or self.layout.mapping == "stock":
            return none
        idle = np.ones(shape[0], bool) if layer.neuron.threshold is None else layer.neuron.threshold > 0
        reached: NDArray[np.bool_] = np.zeros((1, 1, 1, 1, 1), bool)
        for connection in layer.connections:
            carried = self._carried(layer, connection)
            indicator = np.logical_or.reduce([each != 0 for each in carried])
            five = indicator.reshape(len(indicator), *counting.extent(indicator.shape[1:-1]), indicator.shape[-1])
            reached = reached | counting.reached_by_any(five, connection.synapse, shape)
        silent = ~np.broadcast_to(reached, (len(self.x), *shape, self.x.shape[-1]))
        return np.asarray(silent[:, idle].sum((1, 2, 3, 4)), np.int64)


def row_of_loihi_1(projection: Projection, target: LayerLayout) -> Any:
    """Words of the longest row of a projection in each core of Loihi 1: an upper bound of what a message reads."""
    rows, words = loihi_1_rows(projection, target.population, target.cut.boxes)
    return words // np.maximum(rows, 1)


def _outputs(network: IntegerNetwork, x: NDArray[np.integer[Any]]) -> dict[str, Counts]:
    return {name: values.astype(np.int64) for name, values in run_fast(network, x).items()}


def _count(carried: list[Counts]) -> Counts:
    """Count at how many steps each neuron is not 0, over all time steps of arrays (N, *shape, T): (N, *shape)."""
    return np.asarray(sum((each != 0).sum(-1) for each in carried), np.int64)


def _four(counts: Counts) -> Counts:
    return counts.reshape(len(counts), *counting.extent(counts.shape[1:]))


def _projection_of(network: IntegerNetwork, layer: Layer, number: int, target: LayerLayout) -> Projection:
    index = [each for each, _ in synapses(layer)].index(number)
    return target.population.projections[index]


def _dense_synops(network: IntegerNetwork, layer: Layer, connection: Connection) -> int:
    """Synapses of a connection at one time step, those of padding left out, as if no weight were 0."""
    source = network.shapes[connection.source]
    cut = Cut(counting.extent(network.shapes[layer.name]), counting.extent(network.shapes[layer.name]))
    ones = np.ones((1, *counting.extent(source)), np.int64)
    synapse = connection.synapse
    if isinstance(synapse, (Dense, Conv, OneToOne)):
        return int(counting.operations(ones, synapse, cut, every=True).sum())
    return int(np.prod(synapse.weight.shape))
