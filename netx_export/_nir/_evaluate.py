"""A NIR graph in float64: the equations of its nodes, forward Euler, in time steps of dt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import INPUT
from netx_export._nir._checked import Floats
from netx_export._nir._graph import FloatGraph, Path, Population


class Run(NamedTuple):
    """The outputs of every population, float64 (N, *shape, T) by name, and its largest |v|, (*shape,)."""

    outputs: dict[str, Floats]  # spikes 0 and 1, or potentials of those that are read out
    extremes: dict[str, Floats]


def evaluate(graph: FloatGraph, x: NDArray[np.generic]) -> Run:
    """Compute what every population puts out for numbers (N, *input shape, T)."""
    outputs: dict[str, Floats] = {INPUT: np.asarray(x, np.float64)}
    extremes = {each.name: np.zeros(each.shape) for each in graph.populations}
    steps = outputs[INPUT].shape[-1]
    for group in _groups(graph):
        inside = {each.name for each in group}
        for each in group:
            outputs[each.name] = np.zeros((len(x), *each.shape, steps))
        drives = [_drive(each, outputs, inside) for each in group]
        _run(group, drives, Run(outputs, extremes), inside)
    del outputs[INPUT]
    return Run(outputs, extremes)


def _groups(graph: FloatGraph) -> list[list[Population]]:
    """Neighbours in the order that must be computed step by step together, because later ones lead to earlier ones."""
    place = {each.name: number for number, each in enumerate(graph.populations)} | {INPUT: -1}
    ends = list(range(len(place) - 1))  # the last member of the group that begins here
    for number, each in enumerate(graph.populations):
        for path in each.paths:
            ends[number] = max(ends[number], place[path.source])
    groups, first = [], 0
    while first < len(ends):
        last = first
        number = first
        while number <= last:
            last = max(last, ends[number])
            number += 1
        groups.append(list(graph.populations[first : last + 1]))
        first = last + 1
    return groups


def _drive(population: Population, outputs: Mapping[str, Floats], inside: set[str]) -> Floats:
    """The sum of biases and of paths from outside of a group, all steps at once."""
    total = np.zeros_like(outputs[population.name]) + population.constant[..., None]
    for path in population.paths:
        if path.source not in inside:
            total += path.apply(delayed(outputs[path.source], path.delay))
    return total


def delayed(values: Floats, delay: int) -> Floats:
    """The values of so many steps before, 0 at first."""
    if not delay:
        return values
    late = np.zeros_like(values)
    late[..., delay:] = values[..., : max(0, values.shape[-1] - delay)]
    return late


def _run(group: list[Population], drives: list[Floats], run: Run, inside: set[str]) -> None:
    samples, steps = len(drives[0]), drives[0].shape[-1]
    states = [None if each.dynamics is None else each.dynamics.start(samples) for each in group]
    within = [[path for path in each.paths if path.source in inside] for each in group]
    for t in range(steps):
        for number, each in enumerate(group):
            x = potential = drives[number][..., t] + _inner(within[number], run.outputs, t)
            state = states[number]
            if each.dynamics is not None and state is not None:
                x, potential, states[number] = each.dynamics.step(state, x)
            run.outputs[each.name][..., t] = x
            np.maximum(run.extremes[each.name], np.abs(potential).max(0), out=run.extremes[each.name])


def _inner(paths: list[Path], outputs: Mapping[str, Floats], t: int) -> Floats | float:
    """The sum that paths within a group carry at step t, (N, *shape); 0.0 without any, or before their delays."""
    carried = [path.apply(outputs[path.source][..., t - path.delay, None])[..., 0] for path in paths if t >= path.delay]
    return sum(carried[1:], start=carried[0]) if carried else 0.0
