"""Norms of the potential or the current: how they are made, and what they are in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lava_qsnn import _slayer
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import Affine
from lava_qsnn.neuron._shared_norm import is_shared, shared_norm
from lava_qsnn.parameters import NormChoice


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over samples, time and space of frames (N T, C, [H, W]), per channel.

    Where `synchronized` is set and several processes train, over the frames of all of them; see `synchronize`.
    """

    synchronized: bool = False

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from two on is fine."""

    @property
    def is_shared(self) -> bool:
        """True where its statistics are those of several processes."""
        return self.training and self.synchronized and is_shared()

    def forward(self, input: Tensor) -> Tensor:
        if not self.is_shared:
            return super().forward(input)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        return self.with_statistics(input)[0]

    def with_statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalize frames; in training, with the mean and 1 / the deviation of these, (C,), and keep track of them."""
        if not self.is_shared:
            return torch.native_batch_norm(
                x, self.weight, self.bias, self.running_mean, self.running_var, self.training, self.momentum, self.eps
            )
        assert self.running_mean is not None
        assert self.running_var is not None
        y, mean, variance, unbiased = shared_norm(x, self.weight, self.bias, self.eps)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)
        return y, mean, (variance + self.eps).rsqrt()


def synchronize(net: nn.Module, synchronized: bool = True) -> None:
    """Let the batch norms of a network take their statistics over all processes that train it, or each its own."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.synchronized = synchronized


def make_norm(norm: NormChoice, channels: int | None) -> nn.Module | None:
    """The norm that parameters ask for, or None; ConfigurationError if it needs channels that are not known."""
    if norm is None or norm is False or (norm == "auto" and channels is None):
        return None
    torchs = isinstance(norm, type) and issubclass(norm, nn.modules.batchnorm._BatchNorm)
    if callable(norm) and not torchs:
        return norm()
    if channels is None:
        raise ConfigurationError('norm="batch" needs the number of channels', remedy="pass `channels`, or use a block")
    if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
        raise ConfigurationError(f"channels must be a positive integer, not {channels!r}")
    return BatchNorm(channels)


def normalize(norm: nn.Module, frames: Tensor) -> Tensor:
    """A norm of frames (N T, C, [H, W]); norms that are not torch's get them in the order of their axes."""
    torchs = isinstance(norm, nn.modules.batchnorm._BatchNorm)
    result: Tensor = norm(frames if torchs else frames.contiguous())  # slayer's take views of them
    return result


def evaluation_affine(norm: nn.Module | None, channels: int) -> Affine:
    """A norm in evaluation as one affine map per channel; DeploymentError if it is not one, or not finite."""
    affine = _affine(norm, channels)
    values = (affine.gain, affine.mean, affine.variance, affine.bias)
    if not all(np.isfinite(value).all() for value in values) or not (affine.variance > 0).all():
        raise DeploymentError("its norm holds numbers that are not finite", remedy="check that training converged")
    return affine


def _affine(norm: nn.Module | None, channels: int) -> Affine:
    if norm is None:
        return Affine.identity(channels)
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        if norm.running_mean is None or norm.running_var is None:
            raise DeploymentError("its batch norm keeps no running statistics", remedy="use track_running_stats=True")
        one, zero = torch.ones(channels), torch.zeros(channels)
        gain = norm.weight if norm.weight is not None else one
        bias = norm.bias if norm.bias is not None else zero
        return _affine_of(channels, gain, norm.running_mean, _float64(norm.running_var, channels) + norm.eps, bias)
    if isinstance(norm, _slayer.WgtScaleBatchNorm):
        mean, deviation = norm.pre_hook_fx(norm.running_mean), norm.std(norm.running_var)
        return _affine_of(channels, torch.ones(1), mean, _float64(deviation, channels) ** 2, torch.zeros(1))
    if isinstance(norm, _slayer.MeanOnlyBatchNorm):
        mean = norm.pre_hook_fx(norm.running_mean)
        return _affine_of(channels, torch.ones(1), mean, np.ones(channels), torch.zeros(1))
    raise DeploymentError(
        f"its norm {type(norm).__name__} cannot be folded",
        remedy='use norm="batch", a torch batch norm or a slayer norm',
    )


def _affine_of(channels: int, gain: Tensor, mean: Tensor, variance: Any, bias: Tensor) -> Affine:
    return Affine(
        gain=_float64(gain, channels), mean=_float64(mean, channels), variance=variance, bias=_float64(bias, channels)
    )


def _float64(values: Tensor, channels: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    flat = values.detach().cpu().double().flatten().numpy()
    if flat.size not in (1, channels):
        raise DeploymentError(f"its norm has {flat.size} channels, its synapse {channels}")
    return np.broadcast_to(flat, (channels,)).copy()
