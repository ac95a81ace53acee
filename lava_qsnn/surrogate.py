"""Surrogate gradients: a spike's step function forward, a smooth bump around the threshold backward.

With x = (z - threshold) / width, the gradient of a spike is scale * bump(x):

    triangle      max(0, 1 - |x|)
    fast_sigmoid  1 / (1 + |x|)^2
    arctan        1 / (1 + x^2)
    exponential   exp(-|x|)               (slayer's)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lava_qsnn.errors import ConfigurationError

BUMPS: dict[str, Callable[[Tensor], Tensor]] = {
    "triangle": lambda x: (1 - x.abs()).clamp(min=0),
    "fast_sigmoid": lambda x: (1 + x.abs()).pow(-2),
    "arctan": lambda x: 1 / (1 + x * x),
    "exponential": lambda x: torch.exp(-x.abs()),
}


def check_surrogate(name: str, width: float, scale: float) -> None:
    """Raise ConfigurationError unless `name` is known and width and scale are positive."""
    if name not in BUMPS:
        raise ConfigurationError(f"there is no surrogate gradient '{name}'", remedy=f"choose one of {', '.join(BUMPS)}")
    if not (width > 0 and scale > 0):
        raise ConfigurationError(f"tau_grad and scale_grad must be positive, not {width!r} and {scale!r}")


def spike(z: Tensor, threshold: float, name: str = "triangle", width: float = 1.0, scale: float = 1.0) -> Tensor:
    """1 where z >= threshold and 0 elsewhere, in z's dtype and shape, with a surrogate gradient.

    Args:
        z: normalized potentials, float, any shape.
        threshold: in units of z.
        name: a key of BUMPS.
        width: in units of z, positive.
        scale: height of the gradient at the threshold, positive.
    """
    result: Tensor = _Spike.apply(z, threshold, name, width, scale)
    return result


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, threshold: float, name: str, width: float, scale: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.options = threshold, name, width, scale
        return (z >= threshold).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (z,) = ctx.saved_tensors
        threshold, name, width, scale = ctx.options
        return gradients[0] * scale * BUMPS[name]((z - threshold) / width), None, None, None, None
