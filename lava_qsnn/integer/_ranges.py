"""The ranges of a network's currents, from those of its input to its last layer, and around its circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lava_qsnn.errors import RangeError
from lava_qsnn.integer._components import Component
from lava_qsnn.integer._layers import INPUT, Layer
from lava_qsnn.integer._values import REFERENCE_LIMIT, Shape
from lava_qsnn.integer.neurons import Bounds

if TYPE_CHECKING:
    from lava_qsnn.integer._network import IntegerNetwork

#: Times that ranges go around a circle, beyond the number of its layers, before the widest are assumed.
ROUNDS = 4

Range = tuple[int, int]


def port_ranges(network: IntegerNetwork) -> dict[str, tuple[Bounds, ...]]:
    """The range of each current that each layer's neurons take, by the layers' names.

    Raises:
        RangeError: outputs that come back to their layer grow without end.
    """
    outputs: dict[str, Range] = {INPUT: (network.input.minimum, network.input.maximum)}
    found: dict[str, tuple[Bounds, ...]] = {}
    for component in network.components:
        found.update(_component_ranges(network, component, outputs))
    return {name: found[name] for name in network}


def _component_ranges(
    network: IntegerNetwork, component: Component, outputs: dict[str, Range]
) -> dict[str, tuple[Bounds, ...]]:
    """The ranges of a component's layers; their outputs' are added to `outputs`.

    Around a circle they grow from silence until they settle. Where that takes long, the widest are assumed: if what
    follows from these is narrower, it holds, too.
    """
    names = [layer.name for layer in component.layers]
    outputs.update(dict.fromkeys(names, (0, 0)))
    for _ in range(len(names) + ROUNDS):
        before = dict(outputs)
        found = _once_around(network, component, outputs)
        if outputs == before or not component.feeds_back:
            return found
    outputs.update(dict.fromkeys(names, (-REFERENCE_LIMIT, REFERENCE_LIMIT)))
    _once_around(network, component, outputs)
    if any(outputs[name][0] < -REFERENCE_LIMIT or outputs[name][1] > REFERENCE_LIMIT for name in names):
        raise RangeError(
            "its outputs come back to it and grow without end",
            layer=names[0],
            remedy="let neurons with outputs of a bounded range feed back",
        )
    return _once_around(network, component, outputs)


def _once_around(
    network: IntegerNetwork, component: Component, outputs: dict[str, Range]
) -> dict[str, tuple[Bounds, ...]]:
    """The ranges of a component's layers from those of all outputs, of which its own are computed anew on the way."""
    found = {}
    for layer in component.layers:
        found[layer.name] = _layer_ranges(network, layer, outputs)
        outputs[layer.name] = layer.neuron.output_range(found[layer.name])
    return found


def _layer_ranges(network: IntegerNetwork, layer: Layer, outputs: dict[str, Range]) -> tuple[Bounds, ...]:
    channels: Shape = network.shapes[layer.name][:1]
    totals: list[Bounds] = [(np.zeros(channels, object), np.zeros(channels, object)) for _ in layer.neuron.currents]
    for connection in layer.connections:
        traces = traces_between(outputs[connection.source], layer.taps(connection)[: network.timesteps])
        bounds = connection.current_range(network.shapes[connection.source], *traces)
        least, greatest = totals[connection.port]
        totals[connection.port] = (least + bounds[0], greatest + bounds[1])
    return tuple(totals)


def traces_between(outputs: Range, taps: tuple[int, ...]) -> Range:
    """The range of traces by some taps, of a source's outputs in a range; 0 is among both."""
    return min(outputs[0], 0) * sum(taps), max(outputs[1], 0) * sum(taps)
