"""The memory-free neuron's step of training in one: history filter, batch norm, threshold, surrogate gradient.

The same numbers as the plain way, `filter_history`, the norm, `surrogate.spike`, which stays beside it; a test compares
them. What is saved is memory, and passes over it: currents are overwritten by the spikes, and only the potential is
kept for the backward pass, which normalizes it; forward, it is compared with what reaches the threshold. Currents come
in units of their weights' step, which the norm takes in, so that nobody multiplies by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lava_qsnn.frames import laid_out
from lava_qsnn.neuron._history import filtered
from lava_qsnn.neuron._norm import BatchNorm
from lava_qsnn.surrogate import BUMPS

_aten: Any = torch.ops.aten  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Chain:
    """The parameters of what a neuron does with its currents.

    `taps` float (K,); `norm` a module or None; `threshold` in units of the normalized potential, as is the `width` of
    the surrogate gradient, whose height is `scale`.
    """

    taps: Tensor
    norm: Any
    threshold: float
    surrogate: str
    width: float
    scale: float

    def fits(self, current: Tensor) -> bool:
        """True if `fused_spike` can take these frames (N T, C, [H, W]) through it; on a CPU, where it was measured."""
        norm = self.norm
        return (
            type(norm) is BatchNorm
            and current.device.type == "cpu"
            and norm.training
            and not norm.is_shared
            and norm.affine
            and norm.track_running_stats
            and norm.momentum is not None
            and not self.taps.requires_grad
            and current.dtype in (torch.float32, torch.bfloat16)
            and current.numel() > current.shape[1]
        )


def fused_spike(current: Tensor, timesteps: int, step: Tensor, chain: Chain, overwrite: bool = False) -> Tensor:
    """1 where norm(step sum_k L_k current[t-k]) >= threshold and 0 elsewhere: frames (N T, C, [H, W]) to the same.

    Running statistics follow as in torch's batch norm.

    Args:
        current: float32, or bfloat16 under autocast, as the spikes are then, too.
        step: float32 (C,) or (1,), without gradient.
        overwrite: the spikes may take the currents' memory.
    """
    chain.norm.num_batches_tracked.add_(1)
    current = laid_out(current)
    overwrite = overwrite and not current._is_view() and not (current.is_leaf and current.requires_grad)
    result: Tensor = _FusedSpike.apply(current, step, chain.norm.weight, chain.norm.bias, chain, timesteps, overwrite)
    return result


class _FusedSpike(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        step: Tensor,
        weight: Tensor,
        bias: Tensor,
        chain: Chain,
        timesteps: int,
        overwrite: bool,
    ) -> Tensor:
        taps, norm = chain.taps.to(current)[:timesteps], chain.norm
        unfiltered = taps.tolist() == [1.0]  # the current is the potential, and is kept
        potential = current if unfiltered else filtered(current, timesteps, taps)
        mean, unbiased = torch.zeros_like(weight), torch.zeros_like(weight)  # float32, however narrow the potential
        _, variance = torch.batch_norm_update_stats(potential, mean, unbiased, 1.0)
        norm.running_mean.lerp_(step * mean, norm.momentum)
        norm.running_var.lerp_(step.square() * unbiased, norm.momentum)
        variance = variance + norm.eps / step.square()
        overwrite = overwrite and not unfiltered
        spikes = current if overwrite else torch.empty_like(current)
        _compare(potential, weight, bias, mean, variance, chain.threshold, spikes)
        ctx.save_for_backward(potential, weight, bias, mean, variance, taps)
        ctx.chain, ctx.timesteps, ctx.unfiltered = chain, timesteps, unfiltered
        if overwrite:
            ctx.mark_dirty(current)
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        potential, weight, bias, mean, variance, taps = ctx.saved_tensors
        chain, width = ctx.chain, ctx.chain.width
        x = torch.empty_like(potential)
        _normalize(potential, weight / width, (bias - chain.threshold) / width, mean, variance, x)
        slope = BUMPS[chain.surrogate](x, gradients[0])
        if chain.scale != 1:
            slope.mul_(chain.scale)
        of_potential, of_weight, of_bias = _aten.native_batch_norm_backward(
            slope, potential, weight, None, None, mean, variance.rsqrt(), True, 0.0, (True, True, True)
        )
        if not ctx.unfiltered:
            of_potential = filtered(of_potential, ctx.timesteps, taps, adjoint=True, out=slope)
        return of_potential, None, of_weight, of_bias, None, None, None


def _compare(
    potential: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, threshold: float, out: Tensor
) -> None:
    """1 in `out` where the normalized potential reaches the threshold; with gains above 0, without normalizing it."""
    if not bool((weight > 0).all()):
        _normalize(potential, weight, bias, mean, variance, out).ge_(threshold)
        return
    least = _round_up(mean + (threshold - bias) * variance.sqrt() / weight, potential.dtype)
    torch.ge(potential, least.reshape(-1, *[1] * (potential.dim() - 2)), out=out)


def _round_up(values: Tensor, dtype: torch.dtype) -> Tensor:
    """The least numbers of a dtype that are not below: comparing with them is comparing with the values."""
    rounded = values.to(dtype)
    return torch.where(rounded < values, rounded.nextafter(torch.full_like(rounded, torch.inf)), rounded)


def _normalize(potential: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, out: Tensor) -> Tensor:
    """weight (potential - mean) / sqrt(variance) + bias, into `out`."""
    unused = torch.empty(0, device=out.device), torch.empty(0, device=out.device)
    arguments = potential, weight, bias, mean, variance, False, 0.0, 0.0
    torch.native_batch_norm(*arguments, out=(out, *unused))
    return out
