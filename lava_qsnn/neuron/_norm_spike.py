"""Batch norm, threshold and surrogate gradient in one step of training, in fewer passes over memory.

The same numbers as the norm followed by `surrogate.spike`, which stays the plain way beside it; a test compares them.
Only the potential is kept for the backward pass: its normalized form is overwritten by the spikes, and computed anew.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lava_qsnn.neuron._norm import BatchNorm
from lava_qsnn.surrogate import bump

_aten: Any = torch.ops.aten  # type: ignore[attr-defined]


def fits(norm: Any, potential: Tensor) -> bool:
    """Whether a norm in training, and its potential, can take this way."""
    return (
        type(norm) is BatchNorm
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and potential.dtype == torch.float32
        and potential.numel() > potential.shape[1]
    )


def norm_spike(potential: Tensor, norm: Any, threshold: float, surrogate: str, width: float, scale: float) -> Tensor:
    """1 where norm(potential) >= threshold and 0 elsewhere: float32 frames (N T, C, [H, W]) to the same.

    Running statistics follow as in torch's batch norm; width and scale are the surrogate gradient's.
    """
    norm.num_batches_tracked.add_(1)
    options = threshold, surrogate, width, scale
    result: Tensor = _NormSpike.apply(potential, norm.weight, norm.bias, norm, options)
    return result


class _NormSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, potential: Tensor, weight: Tensor, bias: Tensor, norm: Any, options: Any) -> Tensor:
        normed, mean, deviation = torch.native_batch_norm(
            potential, weight, bias, norm.running_mean, norm.running_var, True, norm.momentum, norm.eps
        )
        ctx.save_for_backward(potential, weight, bias, mean, deviation)
        ctx.options, ctx.eps = options, norm.eps
        return normed.ge_(options[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        potential, weight, bias, mean, deviation = ctx.saved_tensors
        threshold, surrogate, width, scale = ctx.options
        axes = (-1, *[1] * (potential.dim() - 2))
        # z - threshold, over the width, is one affine map of the potential.
        gain = weight * deviation / width
        shift = (bias - threshold) / width - mean * gain
        x = torch.addcmul(shift.reshape(axes), potential, gain.reshape(axes))
        slope = bump(x, 0.0, surrogate, 1.0, scale, fresh=True).mul_(gradients[0])
        found = _aten.native_batch_norm_backward(
            slope, potential, weight, None, None, mean, deviation, True, ctx.eps, (True, True, True)
        )
        return (*found, None, None)
