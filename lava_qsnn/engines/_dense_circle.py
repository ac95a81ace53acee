"""A population of CUBA neurons with dense connections to itself, for the fast engine: compiled, whole batches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._forms import Currents
from lava_qsnn.engines._wires import Steps, wire
from lava_qsnn.engines._wrapping import compiled, cuba_numbers, in_int32
from lava_qsnn.integer import CUBA, Component, Connection, DelayedDense, Dense, IntegerNetwork

#: Numbers of all weights of a population to itself: beyond it, products of matrices need less memory.
LARGEST = 2**26


class DenseCircle:
    """One layer of CUBA neurons that feeds back by dense connections, made ready.

    Args:
        network: the network.
        component: one of its components; see `is_dense_circle`.
    """

    def __init__(self, network: IntegerNetwork, component: Component) -> None:
        (layer,) = component.layers
        self.layer, self.shape = layer, network.shapes[layer.name]
        inner = [each for each in layer.connections if each.source == layer.name]
        outer = [each for each in layer.connections if each.source != layer.name]
        self.wires = [(each.port, wire(network, layer, each)) for each in outer]
        self.weight = np.array([each.synapse.weight.T for each in inner], np.int32)
        self.delays = np.array(
            [np.broadcast_to(_delays(each), each.synapse.weight.shape).T for each in inner], np.int32
        )
        least, greatest = self.delays.min((1, 2)), self.delays.max((1, 2))
        self.one_delay = np.where(least == greatest, least, 0).astype(np.int32)
        self.numbers = np.array(cuba_numbers(layer.neuron, self._spread), np.int32)

    def _spread(self, name: str) -> NDArray[np.int64]:
        return np.broadcast_to(self.layer.neuron.along(name, 1), self.shape)

    def __call__(self, known: Mapping[str, Steps], steps: int) -> dict[str, Steps]:
        """The layer's spikes (T, n, P), by its name, from the outputs of the layers outside."""
        loops = compiled()
        assert loops is not None
        samples = next(iter(known.values())).shape[1]
        shape = (samples, *self.shape)
        ports = [
            Currents([made.product(known, steps) for to, made in self.wires if to == port], shape, np.dtype(np.int64))
            for port in (0, 1)
        ]
        current, extra = (port.every(steps) for port in ports)
        spikes = np.empty((steps, *shape), bool)
        current = np.zeros(spikes.shape, np.int32) if current is None else in_int32(current)
        extra = np.empty((0, 0, 0), np.int32) if extra is None else in_int32(extra).astype(np.int32)
        state = np.zeros((2, *shape), np.int32)
        numbers = (self.numbers, self.weight, self.delays, self.one_delay)
        loops.cuba_circle(current, extra, *numbers, state[0], state[1], spikes)
        return {self.layer.name: spikes}


def is_dense_circle(network: IntegerNetwork, component: Component) -> bool:
    """True if a component is one population of CUBA neurons, with plain dense connections to itself; and compiled."""
    layer = component.layers[0]
    inner = [each for each in layer.connections if each.source == layer.name]
    numbers = sum(each.synapse.weight.size for each in inner)
    is_one = len(component.layers) == 1 and isinstance(layer.neuron, CUBA) and len(network.shapes[layer.name]) == 1
    return is_one and numbers <= LARGEST and all(map(_is_plain, inner)) and compiled() is not None


def _is_plain(connection: Connection) -> bool:
    is_dense = isinstance(connection.synapse, (Dense, DelayedDense))
    return is_dense and connection.is_linear and not connection.poolings and connection.port == 0


def _delays(connection: Connection) -> NDArray[np.int64]:
    """The delays of a connection's weights (out, in), its own included."""
    own = connection.synapse.delays if isinstance(connection.synapse, DelayedDense) else np.zeros((1, 1), np.int64)
    return np.broadcast_to(own + connection.delay, connection.synapse.weight.shape)
