"""NIR nodes to torch modules, for nirtorch: those that its own map lacks, or changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir

from lava_qsnn.extras import extra
from netx_export._nir._dynamics import NEURONS, Dynamics, read_dynamics
from netx_export._nir._maps import READERS, Convolution, Flat, Map, Matrix, Pooling, Scaled, read_map
from netx_export._nir._routes import delay_steps
from netx_export._nir._to import DT

with extra("train"):
    import torch
    from torch import Tensor, nn


def nir_map(dt: float = DT) -> dict[type, Callable[[Any], nn.Module]]:
    """Return a map for nirtorch.nir_to_torch that computes NIR's equations, all nodes of `to_nir` included.

        net = nirtorch.nir_to_torch(graph, netx_export.nir_map(dt=1e-4))
        output, state = net(x[:, 0]); output, state = net(x[:, 1], state)

    nirtorch's own map has neither neurons nor Delay, Scale or Threshold, and gives an Affine the bias that torch drew.
    Modules take one time step, of any number of samples, (N, *shape); those with a state return it, too.

    Args:
        dt: seconds of a time step.

    Returns:
        By the kind of node, a function that makes its module, in float32.
    """
    maps = dict.fromkeys(READERS, _map_module)
    neurons = {kind: lambda node: _Neuron(read_dynamics(node, dt, type(node).__name__)) for kind in NEURONS}
    return {**maps, **neurons, nir.Delay: lambda node: _Delay(delay_steps(node, "Delay", dt))}


def _map_module(node: Any) -> nn.Module:
    found = read_map(node, type(node).__name__)
    return _MODULES[type(found)](found)


def _linear(found: Matrix) -> nn.Module:
    out, inner = found.weight.shape
    module = nn.Linear(inner, out, bias=found.bias is not None)
    return _filled(module, found.weight, found.bias)


def _convolution(found: Convolution) -> nn.Module:
    form, (out, inner, *kernel) = found.geometry, found.weight.shape
    module = nn.Conv2d(
        inner * form.groups,
        out,
        (kernel[0], kernel[1]),
        form.stride,
        form.padding,
        form.dilation,
        form.groups,
        bias=found.bias is not None,
    )
    return _filled(module, found.weight, found.bias)


def _filled(module: nn.Linear | nn.Conv2d, weight: Any, bias: Any) -> nn.Module:
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
        if module.bias is not None:
            module.bias.copy_(torch.tensor(bias))
    return module


class _Pooling(nn.Module):
    def __init__(self, found: Pooling) -> None:
        super().__init__()
        sums = found.sums
        self.pool = nn.AvgPool2d(sums.kernel, sums.stride, sums.padding, divisor_override=1)
        self.factor = found.factor

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x) * self.factor


class _Scale(nn.Module):
    def __init__(self, found: Scaled) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(found.scale, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class _Delay(nn.Module):
    """A delay: gives what it was given some steps ago; its state is what it still holds, the oldest first."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        held = (*([torch.zeros_like(x)] * self.steps if state is None else state), x)
        return held[0], held[1:]


class _Neuron(nn.Module):
    """`Dynamics`, in torch; its state is i and v."""

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__()
        self.dynamics = dynamics
        for name in ("current_leak", "potential_leak", "gain", "offset", "threshold", "reset"):
            value = getattr(dynamics, name)
            self.register_buffer(name, None if value is None else torch.tensor(value, dtype=torch.float32))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        current, potential = (torch.zeros_like(x),) * 2 if state is None else state
        current = (1 - self.current_leak) * current + x
        potential = (1 - self.potential_leak) * potential + self.gain * current + self.offset
        if self.threshold is None:
            return potential, (current, potential)
        fired = potential > self.threshold
        return fired.to(x.dtype), (current, torch.where(fired, self.reset, potential))


_MODULES: dict[type[Map], Callable[[Any], nn.Module]] = {
    Matrix: _linear,
    Convolution: _convolution,
    Pooling: _Pooling,
    Flat: lambda _: nn.Flatten(1),
    Scaled: _Scale,
}
