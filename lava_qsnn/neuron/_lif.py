"""The common part of the neurons whose potential leaks, is reset, and passes from step to step."""

from __future__ import annotations

import torch
from torch import Tensor

from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.neuron._spiking import Kind, SpikingNeuron


class LeakyNeuron(SpikingNeuron[Kind]):
    """A neuron that integrates its current step by step; how, its `integrate` says."""

    needs_float32 = True  # 16 bits would round potentials, and the integers of those that are quantized
    needs_integers = False
    early_taps = None  # it has no taps

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(self.integrate(frames, torch.ones(1), timesteps), timesteps)

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        """See contract.TorchNeuron."""
        raise NotImplementedError


def reset(potential: Tensor, threshold: Tensor | float, hard: bool) -> Tensor:
    """The potential after reset, where it reached the threshold: 0 if `hard`, or the threshold less; no gradient.

    Masks have the potential's dtype: with booleans, torch 2.3.1 takes many times as long on a CPU.
    """
    mask = torch.empty_like(potential)
    if hard:
        return torch.lt(potential, threshold, out=mask).mul_(potential)
    return torch.sub(potential, torch.ge(potential, threshold, out=mask).mul_(threshold), out=mask)


def per_step(values: Tensor, in_time: Tensor) -> Tensor:
    """Values (C,) or (1,) in a shape that broadcasts over one step (N, C, [H, W]) of (N, T, C, [H, W])."""
    return values.reshape(-1, *[1] * (in_time.dim() - 3))


def through_time(slope: Tensor, kept: Tensor) -> Tensor:
    """The gradient by the currents of all steps, backward through time.

    Args:
        slope: (N, T, ..), the gradient by each step's potential through its spikes; it is overwritten.
        kept: (N, T - 1, ..), the derivative of the next step's potential by this one's.
    """
    for t in range(slope.shape[1] - 2, -1, -1):
        slope[:, t].addcmul_(slope[:, t + 1], kept[:, t])
    return slope
