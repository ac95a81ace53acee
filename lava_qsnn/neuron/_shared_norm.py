"""Batch norm whose statistics are those of all processes that train one network, on any device.

torch's SyncBatchNorm is for GPUs alone, and takes the place of a norm that neurons know. This one computes the same:
the processes exchange the mean, the variance and the count of their frames, and backward the two sums that the gradient
of the frames depends on. Gradients of weight and bias are the process's own, as the network's others are, which are
averaged later. Every process computes with the same numbers in the same order, so that statistics are equal to the bit.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def is_shared() -> bool:
    """True where several processes train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def shared_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalize frames over those of all processes.

    Args:
        x: frames (N T, C, [H, W]), at least one.
        weight, bias: (C,).
        eps: added to the variance.

    Returns:
        The normalized frames, of the shape and dtype of `x`; and without gradient mean, variance (of the population)
        and variance (of a sample), (C,) in float32 or wider.
    """
    result: tuple[Tensor, Tensor, Tensor, Tensor] = _SharedNorm.apply(x, weight, bias, eps)
    return result


class _SharedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        wide = torch.promote_types(x.dtype, torch.float32)
        variance, mean = torch.var_mean(x.to(wide), _all_but_channels(x), unbiased=False)
        mean, variance, total = _pooled(mean, variance, x.numel() // x.shape[1])
        inverse = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.total = total
        y = _normalized(x.to(wide), mean, inverse) * _per_channel(weight, x) + _per_channel(bias, x)
        statistics = mean, variance, variance * (total / (total - 1))
        ctx.mark_non_differentiable(*statistics)
        return y.to(x.dtype), *statistics

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, weight, mean, inverse = ctx.saved_tensors
        slope, axes = gradients[0].to(mean.dtype), _all_but_channels(x)
        normalized = _normalized(x.to(mean.dtype), mean, inverse)
        of_bias, of_weight = slope.sum(axes), (slope * normalized).sum(axes)
        sums = torch.cat([of_bias, of_weight])
        dist.all_reduce(sums)
        for_all_bias, for_all_weight = (_per_channel(part / ctx.total, x) for part in sums.chunk(2))
        of_x = (slope - for_all_bias - normalized * for_all_weight) * _per_channel(weight * inverse, x)
        return of_x.to(x.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None


def _pooled(mean: Tensor, variance: Tensor, count: int) -> tuple[Tensor, Tensor, float]:
    """Mean and variance (C,) of the frames of all processes, and their number, from each one's own."""
    own = torch.cat([mean, variance, mean.new_tensor([count])]).double()
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own)
    means, variances, counts = torch.stack(every).split([len(mean), len(mean), 1], 1)
    shares = counts / counts.sum()
    pooled = (shares * means).sum(0)
    spread = (shares * (variances + (means - pooled).square())).sum(0)
    return pooled.to(mean.dtype), spread.to(mean.dtype), float(counts.sum())


def _all_but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.dim()) if axis != 1]


def _normalized(x: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
    return (x - _per_channel(mean, x)) * _per_channel(inverse, x)


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.dim() - 2))
