"""Checks of a network against the one that was meant: a torch network, folded, or another file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lava_qsnn.integer import Connection, IntegerNetwork, Layer, roles
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._relations import RELATIONS, aligned, relation

EXPORT_AGAIN = "export it again, from the checkpoint that was meant"


@named("error", "original")
def structure_differs(subject: Subject) -> Iterator[Problem]:
    """The network and the one that was meant have other layers, or connect them in another way."""
    assert subject.original is not None
    if not _alike(subject.original, subject.network):
        yield Problem(
            None,
            f"it has {_listed(subject.network)}; meant were {_listed(subject.original)}",
            EXPORT_AGAIN,
        )


@named("error", "original")
def kernel_transposed(subject: Subject) -> Iterator[Problem]:
    """The kernels of a convolution are transposed, rows for columns."""
    yield from _related(subject, "transposed", "exchange the last two axes of its kernels where the file is written")


@named("error", "original")
def kernel_flipped(subject: Subject) -> Iterator[Problem]:
    """The kernels of a convolution are turned by 180 degrees."""
    yield from _related(subject, "flipped", "write torch's kernels as they are: NetX correlates, too")


@named("error", "original")
def weights_exchanged(subject: Subject) -> Iterator[Problem]:
    """The weights of a layer have sources and targets exchanged."""
    yield from _related(subject, "exchanged", "write dense weights as (targets, sources)")


@named("error", "original")
def weights_negated(subject: Subject) -> Iterator[Problem]:
    """All weights of a layer have the other sign."""
    yield from _related(subject, "negated", "look for a gain below 0 in its norm that was folded twice, or not")


@named("error", "original")
def weights_scaled(subject: Subject) -> Iterator[Problem]:
    """All weights of a layer are multiplied by one number, but its thresholds may not be."""
    yield from _related(subject, "scaled", "multiply thresholds and biases by the same, or neither")


@named("error", "original")
def weights_clipped(subject: Subject) -> Iterator[Problem]:
    """Large weights of a layer are clipped to what its format holds."""
    yield from _related(subject, "clipped", "quantize to fewer bits or use a larger scale, and train with that")


@named("error", "original")
def weights_truncated(subject: Subject) -> Iterator[Problem]:
    """The lowest bits of the weights of a layer are cut off."""
    yield from _related(subject, "truncated", "train with steps that the format holds: even integers in NetX")


@named("error", "original")
def weights_differ(subject: Subject) -> Iterator[Problem]:
    """Weights of a layer differ from those that were meant, in no way that has a name."""
    for name, meant, found in _connections(subject):
        one, other = meant.synapse.weight, found.synapse.weight
        if relation(one, other) is None:
            differs = np.count_nonzero(one != other) if one.shape == other.shape else one.size
            yield Problem(name, f"{differs:,} of {one.size:,} weights from '{found.source}' differ", EXPORT_AGAIN)


@named("error", "original")
def neuron_differs(subject: Subject) -> Iterator[Problem]:
    """The neurons of a layer have other parameters than were meant."""
    for meant, found in _layers(subject):
        if meant.neuron != found.neuron:
            yield Problem(found.name, f"its neurons have other {_parameters(meant, found)}", EXPORT_AGAIN)


def _related(subject: Subject, wanted: str, remedy: str) -> Iterator[Problem]:
    for name, meant, found in _connections(subject):
        if relation(meant.synapse.weight, found.synapse.weight) == wanted:
            yield Problem(name, f"{RELATIONS[wanted][0]}, in the weights from '{found.source}'", remedy)


def _layers(subject: Subject) -> Iterator[tuple[Layer, Layer]]:
    """Pairs of layers, meant and found; none where the two networks have another structure."""
    assert subject.original is not None
    if _alike(subject.original, subject.network):
        yield from zip(subject.original.layers, subject.network.layers)


def _connections(subject: Subject) -> Iterator[tuple[str, Connection, Connection]]:
    for meant, found in _layers(subject):
        yield from ((found.name, *aligned(one, other)) for one, other in zip(meant.connections, found.connections))


def _alike(one: IntegerNetwork, other: IntegerNetwork) -> bool:
    """True if the layers of two networks, and what connects them, are of the same kinds, by their order."""
    return one.input.shape == other.input.shape and _outline(one) == _outline(other)


def _outline(network: IntegerNetwork) -> list[tuple[object, ...]]:
    places = {name: place for place, name in enumerate(network)}
    return [
        (
            layer.neuron.kind,
            len(network.shapes[layer.name]),
            *((places.get(each.source), each.synapse.kind, each.delay, each.port) for each in layer.connections),
        )
        for layer in network.layers
    ]


def _listed(network: IntegerNetwork) -> str:
    kinds = [f"{layer.neuron.kind.replace('_', ' ')} {network.shapes[layer.name]}" for layer in network.layers]
    return ", ".join(kinds if len(kinds) <= 6 else [*kinds[:5], f".. {len(kinds)} layers in all"])


def _parameters(meant: Layer, found: Layer) -> str:
    names = set(roles(type(meant.neuron))) & set(roles(type(found.neuron)))
    one, other = meant.neuron, found.neuron
    differing = [name for name in sorted(names) if not np.array_equal(getattr(one, name), getattr(other, name))]
    return ", ".join(name.replace("_", " ") for name in differing)


CHECKS: tuple[Check, ...] = (
    structure_differs,
    kernel_transposed,
    kernel_flipped,
    weights_exchanged,
    weights_negated,
    weights_scaled,
    weights_clipped,
    weights_truncated,
    weights_differ,
    neuron_differs,
)
