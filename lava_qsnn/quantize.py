"""Weight and tap quantizers, each with the gradient that trains through it.

A quantizer turns real numbers into integers and the real step between two of them: value = step * integer. The
integers are what is deployed. Their gradient is the straight-through estimator (Bengio et al., 2013): that of the real
number divided by the step, within the quantizer's range, and zero beyond it. Weight regulation (lava_qsnn.regulation)
standardizes weights first, and has a quantizer of its own for 1 bit: steps in powers of two, and an annealed gradient.
"""

from __future__ import annotations

import math
from typing import Any

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra

with extra("train"):
    import torch
    from torch import Tensor

_aten: Any = torch.ops.aten  # type: ignore[attr-defined]

#: Widths of weights that blocks accept.
WEIGHT_BITS = (1, 2, 4, 8)

#: A 1-bit weight gets a gradient while its real value is within -1 to 1 (Courbariaux et al., 2016).
BINARY_WINDOW = 1.0

#: A channel whose deviation is below this share of its largest weight has, up to rounding, no variance.
LEAST_DEVIATION = 1e-6


def check_weight_bits(bits: int) -> int:
    """Return `bits` if it is 1, 2, 4 or 8; raise ConfigurationError otherwise."""
    if isinstance(bits, bool) or bits not in WEIGHT_BITS:
        raise ConfigurationError(f"weight_bits must be one of {WEIGHT_BITS}, not {bits!r}")
    return bits


def largest_level(bits: int) -> int:
    """The largest integer of a symmetric quantizer: 1 for 1 and 2 bits, 7 for 4 bits, 127 for 8 bits."""
    return max(1, 2 ** (check_weight_bits(bits) - 1) - 1)


def channel_step(weight: Tensor, bits: int) -> Tensor:
    """The step of each output channel: float (out, 1, ..), positive, without gradient.

    1 bit: the mean magnitude (XNOR-Net, Rastegari et al., 2016). More bits: the smaller of max|w| / level and
    2 mean|w| / sqrt(level) (the initial step of LSQ, Esser et al., 2020), so that few-bit weights are not mostly 0.
    """
    magnitude = weight.detach().abs().flatten(1)
    mean = magnitude.mean(1)
    if bits == 1:
        step = mean
    else:
        level = largest_level(bits)
        step = torch.minimum(magnitude.amax(1) / level, 2 * mean / math.sqrt(level))
    step = torch.where(step > 0, step, torch.ones_like(step))
    return step.reshape(-1, *[1] * (weight.dim() - 1))


def fixed_step(inputs: int, bits: int) -> float:
    """One power-of-two step for a whole layer of `inputs` inputs: some 16 levels for initial 8-bit weights.

    A readout uses it: a common step keeps its integer potentials comparable between channels, and a power of two
    scales them to logits without rounding.
    """
    bound = 1 / math.sqrt(inputs)  # torch initializes uniformly within it
    return 2.0 ** round(math.log2(bound / math.sqrt(2 * largest_level(bits))))


def integer_weight(weight: Tensor, step: Tensor | float, bits: int) -> Tensor:
    """Quantize weights to integers: sign (with sign(0) = 1) for 1 bit, else rounding within -level to level.

    Args:
        weight: float, any shape.
        step: positive, broadcastable to `weight`.
        bits: 1, 2, 4 or 8.

    Returns:
        Integers as floats, shaped like `weight`; gradients flow to `weight` as the module describes.
    """
    step = torch.as_tensor(step, dtype=weight.dtype, device=weight.device)
    result: Tensor = _IntegerWeight.apply(weight, step, check_weight_bits(bits))
    return result


def standardize(weight: Tensor) -> Tensor:
    """Weights of zero mean and unit variance in each output channel: (w - mean) / deviation, with gradient.

    It computes in float64, so that all devices round a weight to the same integer. A channel without variance, such as
    one of a single weight, becomes zeros; its gradient is that of w - mean.

    Args:
        weight: float (out, ...).

    Returns:
        Shaped like `weight`, in its dtype. The deviation is that of the channel itself (divided by n, not n - 1).
    """
    wide = weight.double().flatten(1)
    centered = wide - wide.mean(1, keepdim=True)
    variance = centered.square().mean(1, keepdim=True)
    least = (LEAST_DEVIATION * wide.detach().abs().amax(1, keepdim=True)).square()
    deviation = torch.where(variance > least, variance, torch.ones_like(variance)).sqrt()
    return (centered / deviation).reshape(weight.shape).to(weight.dtype)


def power_of_two_step(weight: Tensor) -> Tensor:
    """The power of two nearest, in log2, to each output channel's mean |w|: float (out, 1, ..), without gradient.

    A channel of zeros has step 1. (IR-Net's scale of 1-bit weights, a shift; Qin et al., 2020.)
    """
    mean = weight.detach().double().abs().flatten(1).mean(1)
    step = torch.where(mean > 0, mean, torch.ones_like(mean)).log2().round().exp2()
    return step.reshape(-1, *[1] * (weight.dim() - 1)).to(weight.dtype)


def annealing(progress: float) -> tuple[float, float]:
    """Steepness t and height k of the annealed sign: t = 10^(2 progress - 1) from 0.1 to 10, k = max(1 / t, 1).

    IR-Net's schedule (Qin et al., 2020): k tanh(t w) is nearly w at first, so that all weights learn, and nearly the
    sign in the end, so that the gradient is that of what is computed.

    Args:
        progress: of the training, 0 to 1.
    """
    steepness = 10.0 ** (2 * progress - 1)
    return steepness, max(1 / steepness, 1.0)


def annealed_sign(weight: Tensor, progress: float) -> Tensor:
    """The sign (with sign(0) = 1), its gradient that of k tanh(t w): k t (1 - tanh^2(t w)), see `annealing`.

    Args:
        weight: float, any shape.
        progress: of the training, 0 to 1; it changes the gradient and not the result.

    Returns:
        -1.0 and 1.0, shaped like `weight`.
    """
    result: Tensor = _AnnealedSign.apply(weight, *annealing(progress))
    return result


def integer_taps(taps: Tensor, bits: int) -> Tensor:
    """Quantize real taps, in units of integers, to 1 .. 2^bits - 1: rounding, straight-through gradient."""
    result: Tensor = _RoundWithin.apply(taps, 1, 2**bits - 1)
    return result


class _IntegerWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, step: Tensor, bits: int) -> Tensor:
        ctx.save_for_backward(weight, step)
        ctx.bits, level = bits, largest_level(bits)
        return _sign(weight) if bits == 1 else (weight / step).round_().clamp_(-level, level)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        weight, step = ctx.saved_tensors
        values, limit = (weight, BINARY_WINDOW) if ctx.bits == 1 else (weight / step, float(largest_level(ctx.bits)))
        limit *= 1 + 2**-20  # the gradient of torch's hardtanh is zero at its ends, too
        return _aten.hardtanh_backward(gradients[0], values, -limit, limit).div_(step), None, None


def _sign(weight: Tensor) -> Tensor:
    """-1.0 and 1.0, sign(0) = 1; torch.where would take ten times as long."""
    return torch.ge(weight, 0, out=torch.empty_like(weight)).mul_(2).sub_(1)


class _AnnealedSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, steepness: float, height: float) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.options = steepness, height
        return _sign(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (weight,) = ctx.saved_tensors
        steepness, height = ctx.options
        return gradients[0] * height * steepness * (1 - torch.tanh(steepness * weight).square()), None, None


class _RoundWithin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward((values >= low) & (values <= high))
        return values.round().clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (passes,) = ctx.saved_tensors
        return gradients[0] * passes, None, None
