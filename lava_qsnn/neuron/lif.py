"""The leaky integrate-and-fire neuron with a potential of full precision: to compare with, it has no integer form."""

from __future__ import annotations

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
        kept = torch.zeros_like(drive[:, 0])
        for t in range(drive.shape[1]):
            potential = potentials[:, t]  # a view: what is added stays
            potential += kept
            kept = own.decay * reset(potential, own.threshold, own.reset == "hard")
        ctx.neuron = neuron
        ctx.save_for_backward(potentials)
        return (potentials >= own.threshold).to(drive.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (potentials,), neuron = ctx.saved_tensors, ctx.neuron
        slope = through(potentials, gradients[0], *neuron.firing)
        kept = torch.full_like(slope, neuron.settings.decay)
        if neuron.settings.reset == "hard":
            kept.masked_fill_(potentials >= neuron.threshold, 0)
        return through_time(slope, kept), None


__all__ = ["Neuron"]
