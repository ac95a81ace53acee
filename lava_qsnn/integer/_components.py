"""Layers that feed back, found: a network's layers as strongly connected components, in topological order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lava_qsnn.integer._layers import Connection, Layer


@dataclass(frozen=True, eq=False)
class Component:
    """One layer, or several of which each is fed by each, if only through others.

    Attributes:
        layers: in the network's order, in which connections without delay lead forward.
        feeds_back: True if a layer's output comes back to it. All steps of such layers cannot be computed at once:
            step by step, each layer takes what was put out before.
    """

    layers: tuple[Layer, ...]
    feeds_back: bool

    def leads_back(self, layer: Layer, connection: Connection) -> bool:
        """True if a connection to one of the layers comes from one that is computed later in a step, or from itself."""
        names = [each.name for each in self.layers]
        return connection.source in names[names.index(layer.name) :]


def components(layers: Sequence[Layer]) -> tuple[Component, ...]:
    """The strongly connected components of layers, each after all those that feed it.

    Where nothing feeds back, they are the layers, one by one, in an order as near to theirs as that allows. The
    algorithm is Tarjan's (Depth-first search and linear graph algorithms, 1972), without recursion.
    """
    places = {layer.name: place for place, layer in enumerate(layers)}
    sources = [[places[each.source] for each in layer.connections if each.source in places] for layer in layers]
    found = []
    for members in _strongly_connected(sources):
        feeds_back = len(members) > 1 or members[0] in sources[members[0]]
        found.append(Component(tuple(layers[place] for place in sorted(members)), feeds_back))
    return tuple(found)


def _strongly_connected(sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places by component, a component after those that its places' sources lie in."""
    number: dict[int, int] = {}  # in the order in which places are met
    least: dict[int, int] = {}  # the earliest one on the stack that a place leads back to
    stack: list[int] = []
    found: list[list[int]] = []
    for start in range(len(sources)):
        ways = [] if start in number else [(start, iter(sources[start]))]
        while ways:
            place, rest = ways[-1]
            if place not in number:
                number[place] = least[place] = len(number)
                stack.append(place)
            following = next((source for source in rest if _leads(source, place, number, least, stack)), None)
            if following is not None:
                ways.append((following, iter(sources[following])))
                continue
            ways.pop()
            if ways:
                least[ways[-1][0]] = min(least[ways[-1][0]], least[place])
            if least[place] == number[place]:
                found.append(stack[stack.index(place) :])
                del stack[stack.index(place) :]
    return found


def _leads(source: int, place: int, number: dict[int, int], least: dict[int, int], stack: list[int]) -> bool:
    """True if a source has not been met; of one on the stack, note that the place leads back to it."""
    if source in number and source in stack:
        least[place] = min(least[place], number[source])
    return source not in number
