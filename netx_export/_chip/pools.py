"""Poolings on a chip: merged into the synapses after them, or, where these fit no core, neurons of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Connection, IntegerNetwork, Layer, Neuron, State, Step


@dataclass(frozen=True, eq=False)
class Relay(Neuron):
    """A neuron that passes its current on, a signed integer, at once."""

    kind: ClassVar[str] = "relay"
    spikes: ClassVar[bool] = False

    def step(self, state: State, currents: Sequence[NDArray[np.int64]], t: int) -> Step:
        (current,) = currents
        return Step(current, current, state)


def without_poolings(network: IntegerNetwork, apart: Collection[str] = ()) -> IntegerNetwork:
    """The same network with poolings merged into weights, or as layers of relays that add up in front of a layer.

    Args:
        network: any.
        apart: layers whose poolings become relays; those that do not merge exactly become relays, too.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        connections = []
        for number, connection in enumerate(layer.connections):
            found = list(_relays(network, layer, connection, f"{layer.name} pool {number}", layer.name in apart))
            layers += [each for each in found if isinstance(each, Layer)]
            connections += [each for each in found if isinstance(each, Connection)]
        layers.append(replace(layer, connections=tuple(connections)))
    return replace(network, layers=tuple(layers))


def can_be_apart(network: IntegerNetwork, name: str | None) -> bool:
    """True for the name of a layer that has poolings in front of it."""
    return any(each.poolings for layer in network.layers if layer.name == name for each in layer.connections)


def _relays(
    network: IntegerNetwork, layer: Layer, connection: Connection, name: str, apart: bool
) -> Iterator[Layer | Connection]:
    """The relays of a connection's poolings, if it needs any, and the connection that is left."""
    shape = network.shapes[connection.source]
    if not apart:
        try:
            yield connection.merged(shape)
            return
        except DeploymentError:  # its padding sees other pixels than that of the merged one: relays do not
            pass
    source = connection.source
    for index, pooling in enumerate(connection.poolings):
        own = name if not index else f"{name}.{index}"
        yield Layer(own, (Connection(source, pooling.as_convolution(shape[0])),), Relay())
        source, shape = own, pooling.output_shape(shape)
    yield replace(connection, source=source, poolings=())
