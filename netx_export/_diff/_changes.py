"""The differences of two networks in structure and numbers, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lava_qsnn.integer import Connection, IntegerNetwork, Layer, Value, roles
from netx_export._diff._facts import Change
from netx_export._diff._pairs import Pair
from netx_export._relations import RELATIONS, aligned, relation


def changes(one: IntegerNetwork, other: IntegerNetwork, found: list[Pair]) -> Iterator[Change]:
    """All differences, from the input to the last layer."""
    if one.timesteps != other.timesteps:
        yield Change(None, "time steps", f"{one.timesteps:,} and {other.timesteps:,} time steps")
    yield from _values(None, "input", one.input, other.input)
    for mine, its in found:
        if mine is None or its is None:
            layer = its if mine is None else mine
            assert layer is not None
            where = "second" if mine is None else "first"
            yield Change(layer.name, "layer", f"only the {where} network has it: {layer.neuron.described}")
        else:
            yield from _layer(mine, its)


def _layer(mine: Layer, its: Layer) -> Iterator[Change]:
    if mine.name != its.name:
        yield Change(mine.name, "name", f"is '{its.name}' in the second network")
    if mine.neuron.kind != its.neuron.kind:
        yield Change(mine.name, "neuron", f"{mine.neuron.described} and {its.neuron.described}")
    else:
        yield from _values(mine.name, "", mine.neuron, its.neuron)
    if len(mine.connections) != len(its.connections):
        yield Change(mine.name, "connections", f"{len(mine.connections)} and {len(its.connections)}")
    else:
        for one, other in zip(mine.connections, its.connections):
            yield from _connection(mine.name, one, other)


def _connection(layer: str, one: Connection, other: Connection) -> Iterator[Change]:
    place = f"from '{one.source}'"
    one, other = aligned(one, other)
    if one.source != other.source:
        yield Change(layer, "source", f"'{one.source}' and '{other.source}'")
    yield from _values(layer, place, one, other)
    if [repr(each) for each in one.poolings] != [repr(each) for each in other.poolings]:
        yield Change(layer, "poolings", f"poolings {place} differ")
    if one.synapse.kind != other.synapse.kind:
        yield Change(layer, "synapse", f"{one.synapse.described} and {other.synapse.described} {place}")
    else:
        yield from _values(layer, place, one.synapse, other.synapse)


def _values(layer: str | None, place: str, one: Value, other: Value) -> Iterator[Change]:
    """The parameters in which two values of one kind differ, by the roles of their fields."""
    for name in roles(type(one)):
        mine, its = getattr(one, name), getattr(other, name)
        if not np.array_equal(mine, its):
            what = name.replace("_", " ")
            yield Change(layer, what, f"{what}{f' {place}' if place else ''}: {_difference(mine, its)}")


def _difference(mine: Any, its: Any) -> str:
    if not isinstance(mine, np.ndarray):
        return f"{mine} and {its}"
    known = relation(mine, its)
    if known is not None:
        return RELATIONS[known][0]
    if mine.shape != its.shape:
        return f"shapes {mine.shape} and {its.shape}"
    apart = np.abs(mine.astype(object) - its.astype(object))
    return f"{np.count_nonzero(apart):,} of {apart.size:,} differ, by at most {apart.max():,}"
