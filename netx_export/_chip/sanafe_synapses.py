"""The synapses of a connection one by one, as a simulator takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Conv, DelayedDense, Layer, OneToOne, Synapse
from netx_export._chip.mappings import Mapped, has_history

Integers = NDArray[np.int64]

SynapseKind = Literal["dense", "conv", "sparse"]

#: Source neurons whose synapses are made at a time.
PART = 256


@dataclass(frozen=True)
class Edges:
    """Synapses between two groups of neurons, arrays of one length.

    Args:
        sources, targets: numbers of neurons in C order.
        weights: integers; 0 only where a source's message reaches a core without any weight that is not 0.
        delays: time steps, beyond the one that each layer takes.
    """

    sources: Integers
    targets: Integers
    weights: Integers
    delays: Integers


def synapse_kind(layer: Layer) -> SynapseKind:
    """The kind that SANA-FE prices a layer's synapses by: one for all of them, that of its first connection."""
    synapse = layer.connections[0].synapse
    return "conv" if isinstance(synapse, Conv) else "sparse" if isinstance(synapse, OneToOne) else "dense"


def edges(mapped: Mapped, layer: Layer, number: int, cores: Integers) -> Edges:
    """The synapses of a connection; with mapping "delayed" one for each tap.

    Args:
        mapped: the network; poolings are merged in it.
        layer, number: the connection's.
        cores: of each target neuron, (targets,).
    """
    connection, taps = layer.connections[number], layer.neuron.taps[: mapped.network.timesteps]
    wait = mapped.waits[layer.name, number]
    waves = [(1, wait)]
    if has_history(layer):
        delayed = [(tap, wait + k) for k, tap in enumerate(taps) if tap]
        waves = delayed if mapped.mapping == "delayed" else [(taps[0], wait)]
    shape, targets = mapped.network.shapes[connection.source], len(cores)
    found = [Edges(*each) for each in _pairs(connection.synapse, shape, targets, cores)]
    first = waves[0]
    return _joined([_wave(each, *wave, is_first=wave == first) for wave in waves for each in found])


def _wave(each: Edges, factor: int, delay: int, is_first: bool) -> Edges:
    """The synapses of one tap; those of weight 0 in the first alone, which is all that a message needs to arrive."""
    kept = np.full(len(each.weights), is_first) | (each.weights != 0)
    return Edges(each.sources[kept], each.targets[kept], each.weights[kept] * factor, each.delays[kept] + delay)


def _joined(parts: list[Edges]) -> Edges:
    names = ("sources", "targets", "weights", "delays")
    return Edges(*(np.concatenate([getattr(each, name) for each in parts]) for name in names))


def _pairs(
    synapse: Synapse, shape: tuple[int, ...], targets: int, cores: Integers
) -> Iterator[tuple[Integers, Integers, Integers, Integers]]:
    """The synapses of some sources after another: sources, targets, weights, delays."""
    delays, plain = np.zeros((1, 1), np.int64), synapse
    if isinstance(synapse, DelayedDense):
        delays, plain = synapse.delays.astype(np.int64), replace(synapse, delays=np.zeros_like(synapse.delays))
    own: Any = plain  # every kind is a dataclass
    stored: Synapse = replace(own, weight=np.ones_like(own.weight))
    members = cores[:, None] == np.unique(cores)
    size = math.prod(shape)
    for start in range(0, size, PART):
        units = np.zeros((min(PART, size - start), size), np.int64)
        units[np.arange(len(units)), start + np.arange(len(units))] = 1
        units = units.reshape(-1, *shape, 1)
        weights, there = (each.current(units).reshape(len(units), targets) for each in (plain, stored))
        kept = (weights != 0) | _without_effect(weights != 0, there != 0, members)
        sources, reached = np.nonzero(kept)
        waits = np.broadcast_to(delays.T, (size, targets))
        yield sources + start, reached, weights[sources, reached].astype(np.int64), waits[sources + start, reached]


def _without_effect(effective: NDArray[Any], there: NDArray[Any], members: NDArray[Any]) -> NDArray[np.bool_]:
    """One synapse of weight 0 for each core that a source reaches by such synapses alone: its message goes there, too.

    Args:
        effective, there: the synapses whose weight is not 0, and all, (sources, targets).
        members: the targets of each core, (targets, cores).
    """
    kept = np.zeros_like(there)
    for core in members.T:
        alone = there[:, core].any(1) & ~effective[:, core].any(1)
        first = np.nonzero(core)[0][there[:, core].argmax(1)]
        kept[np.nonzero(alone)[0], first[alone]] = True
    return kept
