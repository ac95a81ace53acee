"""NIR's own equations once more: node by node, step by step, in torch's float64; the judge of `to_nir` and `from_nir`.

It shares nothing with the package: it asks each node for its value at a step, which asks the nodes before it. A neuron
that is asked while it computes gives its last spikes, which closes recurrent graphs by one step.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F


class Graph:
    """A flat NIR graph run on samples from rest, in steps of dt."""

    def __init__(self, graph: Any, dt: float, x: NDArray[Any]) -> None:
        self.nodes, self.dt = graph.nodes, dt
        self.x = torch.tensor(np.asarray(x), dtype=torch.float64)
        self.before = {name: [a for a, b in graph.edges if b == name] for name in self.nodes}
        self.values: dict[tuple[str, int], torch.Tensor] = {}
        self.states: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self.busy: set[str] = set()

    def outputs(self, name: str) -> NDArray[np.float64]:
        """The outputs of a node, (N, *shape, T)."""
        steps = self.x.shape[-1]
        for t in range(steps):
            for neuron in (each for each, node in self.nodes.items() if type(node) in NEURONS):
                self.value(neuron, t)
        return torch.stack([self.value(name, t) for t in range(steps)], -1).numpy()

    def value(self, name: str, t: int) -> torch.Tensor:
        if (name, t) not in self.values:
            if name in self.busy:
                return self.values[name, t - 1] if t else torch.zeros(self.x.shape[0], *self._shape(name)).double()
            self.busy.add(name)
            found = self._computed(self.nodes[name], name, t)
            self.busy.discard(name)
            self.values[name, t] = found
        return self.values[name, t]

    def _shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.nodes[name].v_threshold.shape)

    def _before(self, name: str, t: int) -> torch.Tensor:
        first, *others = (self.value(source, t) for source in self.before[name])
        return sum(others, start=first)

    def _computed(self, node: Any, name: str, t: int) -> torch.Tensor:
        if isinstance(node, nir.Input):
            return self.x[..., t]
        if isinstance(node, nir.Delay):
            steps = round(float(np.max(node.delay)) / self.dt)
            now = self._before(name, t)
            return self._before(name, t - steps) if t >= steps else torch.zeros_like(now)
        x = self._before(name, t)
        return self._neuron(node, name, x) if type(node) in NEURONS else MAPS[type(node)](node, x)

    def _neuron(self, node: Any, name: str, x: torch.Tensor) -> torch.Tensor:
        i, v = self.states.get(name, (torch.zeros_like(x), torch.zeros_like(x)))
        i, v = NEURONS[type(node)](node, self.dt, i, v, x)
        if isinstance(node, (nir.LI, nir.CubaLI, nir.I)):
            self.states[name] = i, v
            return v
        z = v > tensor(node.v_threshold)
        self.states[name] = i, torch.where(z, tensor(node.v_reset), v)
        return z.double()


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def whole(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _lif(node: Any, dt: float, i: torch.Tensor, v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return i, v + dt / tensor(node.tau) * (tensor(node.v_leak) - v + tensor(node.r) * x)


def _cuba(node: Any, dt: float, i: torch.Tensor, v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    i = i + dt / tensor(node.tau_syn) * (tensor(node.w_in) * x - i)
    return i, v + dt / tensor(node.tau_mem) * (tensor(node.v_leak) - v + tensor(node.r) * i)


def _if(node: Any, dt: float, i: torch.Tensor, v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return i, v + tensor(node.r) * x


NEURONS: dict[type, Any] = {
    nir.IF: _if,
    nir.I: _if,
    nir.LIF: _lif,
    nir.LI: _lif,
    nir.CubaLIF: _cuba,
    nir.CubaLI: _cuba,
}

MAPS: dict[type, Any] = {
    nir.Output: lambda node, x: x,
    nir.Linear: lambda node, x: F.linear(x, tensor(node.weight)),
    nir.Affine: lambda node, x: F.linear(x, tensor(node.weight), tensor(node.bias)),
    nir.Scale: lambda node, x: x * tensor(node.scale),
    nir.Threshold: lambda node, x: (x > tensor(node.threshold)).double(),
    nir.Flatten: lambda node, x: x.flatten(1),
    nir.SumPool2d: lambda node, x: F.avg_pool2d(
        x, whole(node.kernel_size), whole(node.stride), whole(node.padding), divisor_override=1
    ),
    nir.Conv2d: lambda node, x: F.conv2d(
        x,
        tensor(node.weight),
        tensor(node.bias),
        whole(node.stride),
        whole(node.padding),
        whole(node.dilation),
        int(node.groups),
    ),
}
