"""A NIR graph as populations of neurons and the paths of linear maps between them, in an order to compute them in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import INPUT, Shape
from netx_export._nir._checked import Floats, population_shape
from netx_export._nir._dynamics import NEURONS, Dynamics, read_dynamics
from netx_export._nir._maps import Map
from netx_export._nir._nodes import Nodes, read_nodes
from netx_export._nir._routes import Route, routes

#: The name of a sum that is read out, where no neuron stands before the Output.
READOUT = "readout"


@dataclass(frozen=True)
class Path:
    """Maps from a source to a population, in order; at step t it carries what the source put out at t - delay."""

    source: str  # a population, or INPUT
    maps: tuple[Map, ...]
    delay: int
    recurrent: bool  # the delay is the one step that closes a circle

    def apply(self, x: Floats) -> Floats:
        """Its maps, without their constants, of float64 (N, *source, T)."""
        for each in self.maps:
            x = each.apply(x)
        return x


@dataclass(frozen=True)
class Population:
    """Neurons, or, without dynamics, a sum that is read out; and the paths into them."""

    name: str
    shape: Shape
    dynamics: Dynamics | None
    paths: tuple[Path, ...]
    constant: Floats  # what biases on the way add at each step, (*shape,)

    @property
    def spikes(self) -> bool:
        """True if it puts out spikes, and no potential."""
        return self.dynamics is not None and self.dynamics.threshold is not None


@dataclass(frozen=True)
class FloatGraph:
    """A NIR graph in time steps of dt: populations in an order in which only delayed paths point back."""

    input_shape: Shape
    populations: tuple[Population, ...]
    dt: float

    @property
    def output(self) -> Population:
        return self.populations[-1]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of the input and of every population."""
        return {INPUT: self.input_shape} | {each.name: each.shape for each in self.populations}


def read_graph(graph: Any, dt: float) -> FloatGraph:
    """Read a NIR graph.

    A circle is closed by one time step: that of a Delay in it or, where there is none, between a neuron's output and
    the population before it, as norse and snnTorch compute recurrent graphs.

    Args:
        graph: a nir.NIRGraph with one Input and one Output; graphs in it are taken as their nodes.
        dt: seconds of a time step.

    Raises:
        DeploymentError: nodes of other kinds, shapes that do not fit, a circle without a neuron, numbers that are not
            finite; the text names the node.
    """
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt < math.inf:
        raise DeploymentError(f"dt must be a time above 0 in seconds, not {dt!r:.40}")
    nodes = read_nodes(graph)
    shape = population_shape(nodes.declared_input, nodes.entry)
    dynamics = {name: read_dynamics(node, dt, name) for name, node in nodes.nodes.items() if isinstance(node, NEURONS)}
    if not dynamics:
        raise DeploymentError("the graph has no neurons", remedy="it needs nodes of the kinds IF, LIF or CubaLIF")
    found = {name: routes(nodes, name, dynamics, dt) for name in dynamics}
    last, readout = _output(nodes, dynamics, dt)
    if readout is not None:
        found[last] = readout
    return FloatGraph(shape, tuple(_populations(found, dynamics, shape, last)), float(dt))


def _output(nodes: Nodes, dynamics: Mapping[str, Dynamics], dt: float) -> tuple[str, tuple[Route, ...] | None]:
    """The population that is the graph's output; where that is a sum of others, its routes, too."""
    leading = routes(nodes, nodes.exit, dynamics, dt)
    if len(leading) == 1 and leading[0].source in dynamics and not leading[0].steps and not leading[0].delay:
        return leading[0].source, None
    name = READOUT
    while name in nodes.nodes:
        name += "_"
    return name, leading


def _populations(
    found: dict[str, tuple[Route, ...]], dynamics: Mapping[str, Dynamics], shape: Shape, last: str
) -> list[Population]:
    """All populations in order: sources first, the output last; what cannot be in that order is delayed by a step."""
    order = _order(found, last)
    place = {name: number for number, name in enumerate(order)} | {INPUT: -1}
    shapes = {INPUT: shape} | {name: each.shape for name, each in dynamics.items()}
    if last not in dynamics:
        shapes[last] = _target_shape(found[last][0], shapes, last)
    return [_population(name, found[name], dynamics.get(name), shapes, place) for name in order]


def _population(
    name: str, leading: tuple[Route, ...], dynamics: Dynamics | None, shapes: dict[str, Shape], place: dict[str, int]
) -> Population:
    paths = []
    for route in leading:
        made = _target_shape(route, shapes, name)
        if made != shapes[name]:
            raise DeploymentError(
                f"what comes from '{route.source}' has shape {made}, and its neurons {shapes[name]}",
                layer=name,
                remedy="mend the weights' or the neurons' shapes; a Flatten makes one axis of three",
            )
        closes = not route.delay and place[route.source] >= place[name]
        paths.append(Path(route.source, tuple(step.map for step in route.maps), route.delay or int(closes), closes))
    return Population(name, shapes[name], dynamics, tuple(paths), _constant(leading, shapes, name))


def _target_shape(route: Route, shapes: Mapping[str, Shape], name: str) -> Shape:
    shape = shapes[route.source]
    for step in route.maps:
        try:
            shape = step.map.output_shape(shape)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=step.name, remedy=error.remedy) from None
    return shape


def _constant(leading: tuple[Route, ...], shapes: Mapping[str, Shape], name: str) -> Floats:
    """The sum of all biases on the way to a population, each once for each way that leads on from it."""
    total, counted = np.zeros(shapes[name]), set()
    for route in leading:
        shape = shapes[route.source]
        for number, step in enumerate(route.steps):
            rest = tuple(each.name for each in route.steps[number:])
            bias = None if step.map is None else step.map.constant(shape)
            shape = shape if step.map is None else step.map.output_shape(shape)
            if bias is None or rest in counted:
                continue
            counted.add(rest)
            total = total + _carried(bias, route, number, name)
    return total


def _carried(bias: Floats, route: Route, number: int, name: str) -> Floats:
    value = bias[None, ..., None]
    for step in route.steps[number + 1 :]:
        if step.map is None:
            raise DeploymentError(
                "a bias comes before a Delay, and would begin late", layer=step.name, remedy="put it after the Delay"
            )
        value = step.map.apply(value)
    return value[0, ..., 0]


def _order(found: Mapping[str, tuple[Route, ...]], last: str) -> list[str]:
    """Populations such that undelayed sources come first; in circles, those nearest to the input do."""
    needs = {
        name: {route.source for route in leading if not route.delay} - {INPUT, name, last}
        for name, leading in found.items()
    }
    distance = _distances(found)
    waiting = [name for name in found if name != last]
    order: list[str] = []
    while waiting:
        ready = [name for name in waiting if needs[name].isdisjoint(waiting)]
        chosen = ready[0] if ready else min(waiting, key=lambda name: distance.get(name, len(found)))
        waiting.remove(chosen)
        order.append(chosen)
    return [*order, last]


def _distances(found: Mapping[str, tuple[Route, ...]]) -> dict[str, int]:
    """The fewest paths from the input to each population that it reaches."""
    distance, front = {INPUT: 0}, [INPUT]
    while front:
        targets = {name for name, leading in found.items() if any(route.source in front for route in leading)}
        front = [name for name in found if name in targets and name not in distance]
        distance |= {name: max(distance.values()) + 1 for name in front}
    return distance
