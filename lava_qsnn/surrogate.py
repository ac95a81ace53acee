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

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra

with extra("train"):
    import torch
    from torch import Tensor

#: Each takes x and a gradient, and returns gradient * bump(x) in the memory of x: a pass over memory costs more than
#: the arithmetic.
BUMPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "triangle": lambda x, gradient: torch.addcmul(gradient, gradient, x.abs_().clamp_(max=1), value=-1, out=x),
    "fast_sigmoid": lambda x, gradient: torch.div(gradient, x.abs_().add_(1).square_(), out=x),
    "arctan": lambda x, gradient: torch.div(gradient, x.square_().add_(1), out=x),
    "exponential": lambda x, gradient: x.abs_().neg_().exp_().mul_(gradient),
}


def through(z: Tensor, gradient: Tensor, threshold: float, name: str, width: float, scale: float) -> Tensor:
    """The gradient by normalized potentials z from that by their spikes; any shape, a new tensor."""
    slope = BUMPS[name]((z - threshold).mul_(1 / width), gradient)
    return slope if scale == 1.0 else slope.mul_(scale)


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
        return through(z, gradients[0], threshold, name, width, scale), None, None, None, None
