"""Layers of two networks that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from lava_qsnn.integer import IntegerNetwork, Layer

#: A layer of the one network and its counterpart in the other; None where there is none.
Pair = tuple[Layer | None, Layer | None]


def pairs(one: IntegerNetwork, other: IntegerNetwork) -> list[Pair]:
    """Layers by their names, or, where the networks share none, by kind and shape; the rest by their places."""
    by_name = bool(set(one) & set(other))
    matcher = SequenceMatcher(None, _keys(one, by_name), _keys(other, by_name), autojunk=False)
    found: list[Pair] = []
    for tag, start, end, from_, to in matcher.get_opcodes():
        between = one.layers[start:end], other.layers[from_:to]
        found += zip(*between) if tag == "equal" else zip_longest(*between)
    return found


def both(found: list[Pair]) -> Iterator[tuple[Layer, Layer]]:
    """The pairs that have a layer of each network."""
    return ((one, other) for one, other in found if one is not None and other is not None)


def _keys(network: IntegerNetwork, by_name: bool) -> list[object]:
    return [layer.name if by_name else (layer.neuron.kind, network.shapes[layer.name]) for layer in network.layers]
