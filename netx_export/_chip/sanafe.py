"""A layout on Loihi 1 as a network for SANA-FE, an existing simulator of spiking chips, and what it should count there.

SANA-FE (Boyle and others, IEEE TCAD 44(8), 2025) is a program of its own, under the GPL: this writes files for it, and
imports nothing of it. Neurons either replay the spikes that the `fast` engine found, or compute them again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines import run_fast
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError
from lava_qsnn.integer import ENDLESS, INPUT, check_input
from netx_export._chip.energy import TILE_CORES, TILES_HIGH
from netx_export._chip.layout import Layout
from netx_export._chip.mappings import Mapped, synapses
from netx_export._chip.sanafe_neurons import LifNeurons, lif_neurons
from netx_export._chip.sanafe_synapses import Edges, SynapseKind, edges, synapse_kind

Integers = NDArray[np.int64]

#: The ways in which neurons can spike: "replayed" from the fast engine's spikes, or "computed" by SANA-FE's own LIF.
NEURONS = ("replayed", "computed")

#: The neurons that a core of SANA-FE's Loihi holds, input neurons included: loihi.yaml [C].
MOST_NEURONS = 1_024

#: The cores of SANA-FE's Loihi: 8 x 4 tiles of 4, loihi.yaml [C].
MOST_CORES = 128


@dataclass(frozen=True)
class Group:
    """The neurons of one layer, or of the input, in SANA-FE.

    Args:
        name: in SANA-FE's files, and `layer` in the network.
        cores: number of the core of each neuron, (neurons,), in C order.
        trains: whether each neuron spikes, bool (neurons, steps), one sample after another, as `fast` has it.
        kind: the kind of its synapses, which SANA-FE prices.
        lif: its parameters where SANA-FE computes it; None where its spikes are given.
        depth: time steps that it is behind the input.
    """

    name: str
    layer: str
    cores: Integers
    trains: NDArray[np.bool_]
    kind: SynapseKind = "dense"
    lif: LifNeurons | None = None
    depth: int = 0

    @property
    def spikes(self) -> Integers:
        """The spikes of each neuron, (neurons,)."""
        return np.asarray(self.trains.sum(1), np.int64)


@dataclass(frozen=True)
class SanafeNetwork:
    """A network for SANA-FE.

    Args:
        layout: the cores it lies on.
        neurons: "replayed" or "computed".
        steps: time steps to run.
        timesteps: T of each sample.
        groups: of neurons, the input first.
        edges: the synapses between two groups, by the layers' names and the connection's number.
    """

    layout: Layout
    neurons: str
    steps: int
    timesteps: int
    groups: tuple[Group, ...]
    edges: Mapping[tuple[str, str, int], Edges]

    def group(self, layer: str) -> Group:
        """The group of a layer, or of the input."""
        return next(each for each in self.groups if each.layer == layer)


@dataclass(frozen=True)
class SanafeCounts:
    """Counts that SANA-FE should find, over all samples, whole numbers; those of the input's neurons are part of them.

    Args:
        spikes: of each layer, those of the input under "input".
        messages: one for each core that a spike goes to, by the layer that sends them.
        hops_east_west, hops_north_south: between tiles, by the layer that sends.
        operations: synapses that messages reach, whose weight is not 0, by the layer that they are in.
        late_operations: of the operations, those whose delay leads beyond the sample's last time step, by the layer;
            `Traffic` leaves them out, since they change nothing.
        zero_operations: of synapses of weight 0, which stand for a core that a message reaches without effect.
        updates: of neurons, those of the input left out, which cost nothing.
    """

    spikes: dict[str, int]
    messages: dict[str, int]
    hops_east_west: dict[str, int]
    hops_north_south: dict[str, int]
    operations: dict[str, int]
    late_operations: dict[str, int]
    zero_operations: dict[str, int]
    updates: int

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return dict(vars(self))


def sanafe_network(found: Layout, x: NDArray[np.integer[Any]] | None, neurons: str | None = None) -> SanafeNetwork:
    """Make a network for SANA-FE of a layout on Loihi 1.

    Args:
        found: a layout of a network on one chip.
        x: samples, int (N, *input shape, T); None for a silent input.
        neurons: "replayed", or "computed" for one sample; by default "replayed" with samples, "computed" without.

    Raises:
        ConfigurationError: the layout is of another chip, or of shapes alone.
        DeploymentError: it takes more than one chip, or SANA-FE's neurons cannot compute a layer; the text says why.
        InputError: the samples do not fit the network.
    """
    neurons = neurons or ("computed" if x is None else "replayed")
    mapped = _mapped(found, neurons)
    network = mapped.network
    if x is None and network.timesteps == ENDLESS:
        raise InputError("a stream has no number of time steps", remedy="give one sample")
    if x is None:
        x = np.zeros((1, *network.input.shape, network.timesteps), np.int64)
    x = check_input(network, x)
    if neurons == "computed" and len(x) != 1:
        raise InputError(
            f"computed neurons take one sample, since nothing resets them, and there are {len(x)}",
            remedy="give one sample, or let neurons replay their spikes",
        )
    computed = lif_neurons(mapped) if neurons == "computed" else {}
    groups = tuple(_groups(found, mapped, x, computed))
    places = {group.layer: group.cores for group in groups}
    all_edges = {
        (connection.source, layer.name, number): edges(mapped, layer, number, places[layer.name])
        for layer in network.layers
        for number, connection in synapses(layer)
    }
    steps = len(x) * x.shape[-1] + (max(group.depth for group in groups) if computed else 0)
    return SanafeNetwork(found, neurons, steps, x.shape[-1], groups, all_edges)


def _mapped(found: Layout, neurons: str) -> Mapped:
    """The network behind a layout that SANA-FE can have."""
    if neurons not in NEURONS:
        raise ConfigurationError(f"there are no {neurons!r:.60} neurons", remedy=f"choose {' or '.join(NEURONS)}")
    if found.chip.storage != "loihi1":
        raise ConfigurationError(
            f"SANA-FE's places and prices are those of Loihi 1, and the layout is of {found.chip.name}, mapping "
            f"'{found.mapping}'",
            remedy="lay it out on loihi1 with the mapping 'delayed' or 'stock'",
        )
    if found.mapped is None:
        raise ConfigurationError("shapes alone have no synapses", remedy="give a network's file")
    inputs = -(-math.prod(found.mapped.network.input.shape) // MOST_NEURONS)
    most = min(found.chip.cores, MOST_CORES)
    if found.cores + inputs > most:
        raise DeploymentError(
            f"it takes {found.cores} cores and {inputs} for the neurons of the input, and SANA-FE's Loihi 1 is one "
            f"chip of {most} cores",
            remedy="lay out a smaller network, or its first layers alone: SANA-FE has no messages between chips",
        )
    return found.mapped


def _groups(
    found: Layout, mapped: Mapped, x: NDArray[np.integer[Any]], computed: Mapping[str, LifNeurons]
) -> Iterator[Group]:
    network, taken = mapped.network, {INPUT}
    depths = _depths(mapped)
    inputs = np.arange(math.prod(network.input.shape))
    yield Group(INPUT, INPUT, found.cores + inputs // MOST_NEURONS, _trains(x))
    outputs = run_fast(network, x)
    for layer in network.layers:
        part = found.layer(layer.name)
        trains = (
            _trains(outputs[layer.name])
            if layer.neuron.feeds
            else np.zeros((part.population.neurons, len(x) * x.shape[-1]), bool)
        )
        yield Group(
            _name(layer.name, taken),
            layer.name,
            part.first_core + part.cut.cores_of_neurons.ravel(),
            trains,
            synapse_kind(layer),
            computed.get(layer.name),
            depths[layer.name],
        )


def _depths(mapped: Mapped) -> dict[str, int]:
    """The time steps that each layer is behind the input, by what its connections wait for."""
    depths = {INPUT: 0}
    for layer in mapped.network.layers:
        for number, connection in enumerate(layer.connections):
            if connection.source in depths:  # a connection backwards tells nothing new
                wait = mapped.waits[layer.name, number] - connection.delay
                depths[layer.name] = depths[connection.source] + 1 + wait
    return depths


def _trains(outputs: NDArray[Any]) -> NDArray[np.bool_]:
    """Outputs (N, *shape, T) as spike trains (neurons, N T)."""
    samples, steps = len(outputs), outputs.shape[-1]
    return np.moveaxis(outputs.reshape(samples, -1, steps) != 0, 0, 1).reshape(-1, samples * steps)


def _name(layer: str, taken: set[str]) -> str:
    """A name of letters, digits and underscores that no other group has."""
    clean = re.sub(r"\W", "_", layer, flags=re.ASCII) or "layer"
    name = next(each for each in (clean, *(f"{clean}_{n}" for n in range(2, len(taken) + 3))) if each not in taken)
    taken.add(name)
    return name


def sanafe_counts(made: SanafeNetwork) -> SanafeCounts:
    """Count what SANA-FE should find: of replayed neurons over the whole run, of computed ones over the sample.

    A message counts all synapses that it reaches, at once, those too whose delay leads beyond the last time step.
    """
    spikes = {group.layer: int(group.spikes.sum()) for group in made.groups}
    updates = made.steps * sum(len(group.cores) for group in made.groups[1:])
    none = [dict.fromkeys(spikes, 0) for _ in range(6)]
    counts = SanafeCounts(spikes, none[0], none[1], none[2], none[3], none[4], none[5], updates)
    for group in made.groups:
        _count_messages(counts, made, group)
    for (source, target, _), each in made.edges.items():
        _count_operations(counts, made, made.group(source), made.group(target), each)
    return counts


def _count_messages(counts: SanafeCounts, made: SanafeNetwork, group: Group) -> None:
    """Count the messages that a group sends, one for each core that a neuron's synapses lead to, and their hops."""
    reached = np.zeros((len(group.cores), MOST_CORES), bool)
    for (source, target, _), each in made.edges.items():
        if source == group.layer:
            reached[each.sources, made.group(target).cores[each.targets]] = True
    sent = group.spikes[:, None] * reached
    here, there = _tile(group.cores)[:, :, None], _tile(np.arange(MOST_CORES))[:, None, :]
    east_west, north_south = (sent * np.abs(here - there)).sum((1, 2)).tolist()
    counts.messages[group.layer] = int(sent.sum())
    counts.hops_east_west[group.layer], counts.hops_north_south[group.layer] = east_west, north_south


def _count_operations(counts: SanafeCounts, made: SanafeNetwork, source: Group, target: Group, each: Edges) -> None:
    """Count the operations of the synapses between two groups."""
    spikes, effective = source.spikes[each.sources], each.weights != 0
    steps = made.timesteps
    at_step = source.trains.reshape(len(source.cores), -1, steps).sum(1)
    lag = each.delays - (target.depth - source.depth - 1)
    before = np.cumsum(np.pad(at_step, ((0, 0), (1, 0))), 1)  # spikes before each step, (neurons, T + 1)
    in_time = before[each.sources, np.clip(steps - lag, 0, steps)]
    counts.operations[target.layer] += int(spikes[effective].sum())
    counts.late_operations[target.layer] += int((spikes - in_time)[effective].sum())
    counts.zero_operations[target.layer] += int(spikes[~effective].sum())


def _tile(cores: Integers) -> Integers:
    """Column and row of the tile of each core, (2, cores)."""
    return np.stack(np.divmod(cores // TILE_CORES, TILES_HIGH))
