"""The leaky integrate-and-fire neuron with a potential of full precision: to compare with, it has no integer form."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lava_qsnn import parameters
from lava_qsnn.frames import per_channel
from lava_qsnn.neuron._lif import LeakyNeuron, reset, through_time
from lava_qsnn.neuron._norm import normalize
from lava_qsnn.surrogate import through


class Neuron(LeakyNeuron[parameters.LIF]):
    """The leaky integrate-and-fire neuron, its potential a real number.

        u[t] = v[t-1] + norm(I[t]),   s[t] = 1 iff u[t] >= threshold,   v[t] = decay reset(u[t], s[t])

    with I the synapse's current, reset(u, s) = u (1 - s) if hard and u - threshold s if soft. The reset carries no
    gradient of its own. It is what quantized_lif would be with bits without end.

    Args:
        values, options: the parameters of parameters.LIF, in their order, by their names, or as one dataclass.
        channels: number of channels, needed with norm="batch"; blocks fill it in.
    """

    kind = parameters.LIF
    not_deployed = "a potential of full precision has no integer form"

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        drive = current * per_channel(step.to(current), current)
        if self.norm is not None:
            drive = normalize(self.norm, drive)
        spikes: Tensor = _Integrate.apply(drive.unflatten(0, (-1, timesteps)), self)
        return spikes.flatten(0, 1)


class _Integrate(torch.autograd.Function):
    """All steps of a layer: (N, T, ..) to spikes, backward through time by hand."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, neuron: Neuron) -> Tensor:
        own, potentials = neuron.settings, drive.clone()
        for before, potential in pairwise(potentials.unbind(1)):  # views: what is added stays
            potential.add_(reset(before, own.threshold, own.reset == "hard"), alpha=own.decay)
        ctx.neuron = neuron
        ctx.save_for_backward(potentials)
        return torch.ge(potentials, own.threshold, out=torch.empty_like(potentials))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (potentials,), own = ctx.saved_tensors, ctx.neuron.settings
        slope, before = through(potentials, gradients[0], *ctx.neuron.firing), potentials[:, :-1]
        kept = torch.full_like(before, own.decay)
        if own.reset == "hard":
            kept.mul_(torch.lt(before, own.threshold, out=torch.empty_like(before)))
        return through_time(slope, kept), None


__all__ = ["Neuron"]
