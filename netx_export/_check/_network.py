"""Checks of a network's numbers alone."""

from __future__ import annotations

from collections.abc import Iterator

from lava_qsnn.integer import Connection, IntegerNetwork, Layer
from netx_export._backends import BACKENDS
from netx_export._check._subject import Check, Subject, named
from netx_export._findings import Problem
from netx_export._silence import REMEDY, constant_channels, silent_channels


@named("error")
def layer_never_fires(subject: Subject) -> Iterator[Problem]:
    """No input makes any neuron of a layer fire: every threshold lies above the largest potential."""
    for name, never in silent_channels(subject.network).items():
        if never.all():
            yield Problem(name, "none of its neurons can ever fire, whatever comes in", REMEDY)


@named("warning")
def channels_never_fire(subject: Subject) -> Iterator[Problem]:
    """Some channels of a layer cannot fire, whatever comes in, and carry nothing on."""
    for name, never in silent_channels(subject.network).items():
        if never.any() and not never.all():
            yield Problem(
                name,
                f"{never.sum():,} of {len(never):,} channels can never fire: their thresholds lie above all potentials",
                "remove these channels, or train with a norm or a lower threshold",
            )


@named("error")
def layer_always_fires(subject: Subject) -> Iterator[Problem]:
    """Every neuron of a layer fires at every step, whatever comes in: it says nothing."""
    for name, always in constant_channels(subject.network).items():
        if always.all():
            yield Problem(
                name, "all of its neurons fire at every step, whatever comes in", "use higher thresholds, or a norm"
            )


@named("note")
def channels_always_fire(subject: Subject) -> Iterator[Problem]:
    """Some channels of a layer fire at every step, whatever comes in: a constant."""
    for name, always in constant_channels(subject.network).items():
        if always.any() and not always.all():
            yield Problem(
                name,
                f"{always.sum():,} of {len(always):,} channels fire at every step, whatever comes in",
                "a bias in the next layer would do the same for less",
            )


@named("error")
def weights_all_zero(subject: Subject) -> Iterator[Problem]:
    """A connection has no weight but 0, so nothing passes it; unmodified NetX cannot even open such a dense layer."""
    for layer, connection in _connections(subject.network):
        if not connection.synapse.weight.any():
            yield Problem(
                layer.name,
                f"all weights from '{connection.source}' are 0",
                "look at the scale that quantized them: rounding small weights gives 0",
            )


@named("warning")
def weights_all_equal(subject: Subject) -> Iterator[Problem]:
    """All weights of a connection to several channels are the same number, so that all of them see the same."""
    for layer, connection in _connections(subject.network):
        weight = connection.synapse.weight
        one = int(weight.flat[0])
        if one and len(weight) > 1 and weight.size > len(weight) and bool((weight == one).all()):
            yield Problem(
                layer.name,
                f"all {weight.size:,} weights from '{connection.source}' are {one}",
                "look at how they were initialized and quantized, and train again",
            )


@named("note")
def channels_without_weights(subject: Subject) -> Iterator[Problem]:
    """Some channels of a layer have no weight but 0 from a source."""
    for layer, connection in _connections(subject.network):
        weight = connection.synapse.weight
        empty = ~weight.reshape(len(weight), -1).any(1)
        if empty.any() and not empty.all():
            yield Problem(
                layer.name,
                f"{empty.sum():,} of {len(empty):,} channels have no weight but 0 from '{connection.source}'",
                "remove these channels if they were not pruned on purpose",
            )


@named("warning")
def dead_end(subject: Subject) -> Iterator[Problem]:
    """A layer before the last feeds no other one, so that it is computed for nothing."""
    for name in subject.network.dead_ends:
        yield Problem(name, "no other layer takes its output, and it is not the last", "remove it, or connect it")


@named("note")
def not_exact_in_netx(subject: Subject) -> Iterator[Problem]:
    """Unmodified NetX would not compute this network exactly."""
    refusal = BACKENDS["netx"].refusal(subject.network)
    if refusal is not None:
        problem, _, remedy = refusal.partition(". Remedy: ")
        yield Problem(None, problem, remedy or "run it on another backend")


def _connections(network: IntegerNetwork) -> Iterator[tuple[Layer, Connection]]:
    return ((layer, connection) for layer in network.layers for connection in layer.connections)


CHECKS: tuple[Check, ...] = (
    layer_never_fires,
    channels_never_fire,
    layer_always_fires,
    channels_always_fire,
    weights_all_zero,
    weights_all_equal,
    channels_without_weights,
    dead_end,
    not_exact_in_netx,
)
