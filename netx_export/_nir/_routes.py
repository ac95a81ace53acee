"""The ways from populations, over maps and delays, to a population."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, NamedTuple

import nir

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import INPUT
from netx_export._nir._checked import numbers
from netx_export._nir._maps import Map, read_map
from netx_export._nir._nodes import Nodes

#: Ways into one population, nodes on one way, and time steps of its delays.
MOST_ROUTES, LONGEST_ROUTE, LONGEST_DELAY = 4096, 64, 4096

#: By which fraction of a time step a delay may miss a whole number of them.
DELAY_TOLERANCE = 1e-3


class Step(NamedTuple):
    """A node on the way; a delay has no map."""

    name: str
    map: Map | None
    delay: int


@dataclass(frozen=True)
class Route:
    """The nodes from a source, a population or INPUT, to a population."""

    source: str
    steps: tuple[Step, ...]

    @property
    def delay(self) -> int:
        return sum(step.delay for step in self.steps)

    @property
    def maps(self) -> tuple[Any, ...]:
        """The steps that are maps."""
        return tuple(step for step in self.steps if step.map is not None)


def routes(nodes: Nodes, target: str, populations: Container[str], dt: float) -> tuple[Route, ...]:
    """All routes into a node, found backwards.

    Raises:
        DeploymentError: nothing leads to a node; a circle has neither neuron nor delay, or no neuron; too many routes.
    """
    found: list[Route] = []
    open_ends: list[tuple[str, tuple[Step, ...]]] = [(target, ())]
    for _ in range(MOST_ROUTES * 8):
        if not open_ends:
            return tuple(found)
        name, steps = open_ends.pop()
        if not nodes.before[name]:
            raise DeploymentError("nothing leads to it", layer=name, remedy="add the edge, or remove the node")
        for source in reversed(nodes.before[name]):
            if source == nodes.entry or source in populations:
                found.append(Route(INPUT if source == nodes.entry else source, steps))
            else:
                open_ends.append((source, (_step(nodes, source, target, steps, dt), *steps)))
    raise DeploymentError(
        f"more than {MOST_ROUTES:,} ways lead to it", layer=target, remedy="merge linear nodes that follow each other"
    )


def _step(nodes: Nodes, name: str, target: str, after: tuple[Step, ...], dt: float) -> Step:
    if name == target or any(step.name == name for step in after):
        raise DeploymentError(
            "it lies in a circle without a neuron", layer=name, remedy="put a neuron into the circle, or cut it"
        )
    if len(after) >= LONGEST_ROUTE:
        raise DeploymentError(f"more than {LONGEST_ROUTE} nodes lie between neurons", layer=name, remedy="merge them")
    node = nodes.nodes[name]
    if isinstance(node, nir.Delay):
        return Step(name, None, delay_steps(node, name, dt))
    return Step(name, Map() if isinstance(node, (nir.Input, nir.Output)) else read_map(node, name), 0)


def delay_steps(node: Any, name: str, dt: float) -> int:
    """A delay in time steps."""
    seconds = numbers(node, "delay", name)
    steps = round(float(seconds.max()) / dt) if 0 <= seconds.max() / dt < 2**53 else -1
    if not 0 <= steps <= LONGEST_DELAY or abs(seconds / dt - steps).max() > DELAY_TOLERANCE:
        raise DeploymentError(
            f"its delays of {seconds.min():g} to {seconds.max():g} s are not one whole number of steps of {dt:g} s",
            layer=name,
            remedy=f"give all neurons of a Delay one, of 0 to {LONGEST_DELAY:,} steps, or another dt",
        )
    return steps
