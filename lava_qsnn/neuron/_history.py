"""The filter over a neuron's last K time steps, all steps at once: as a product over time, or tap by tap."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lava_qsnn.frames import is_channels_last, laid_out

#: Beyond so many steps, with so many for each tap, adding taps one by one is faster than a product over time.
FEW_STEPS, STEPS_PER_TAP = 64, 16

#: So is adding the second of two taps, up to so many steps; in 16 bits it is rounded once, as a product is.
STEPS_OF_TWO_TAPS = 4


def filter_history(frames: Tensor, timesteps: int, taps: Tensor) -> Tensor:
    """sum_k taps[k] frames[t-k] within each sample, all steps at once.

    It is one matrix product over time, T x T (Toeplitz) times T x features for each sample; but few taps of many steps
    in float32, and two of few steps, are added one by one, shifted. `python -m benchmarks.kernels` compares the two.

    Args:
        frames: (N T, ...), float.
        timesteps: T.
        taps: float (K,), any K >= 1; taps beyond T are not used.

    Returns:
        Shaped like `frames`.
    """
    result: Tensor = _Filter.apply(frames, taps.to(frames)[:timesteps], timesteps)
    return result


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, frames: Tensor, taps: Tensor, timesteps: int) -> Tensor:
        ctx.timesteps = timesteps
        ctx.save_for_backward(taps, *(frames,) if ctx.needs_input_grad[1] else ())
        return filtered(frames, timesteps, taps)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        taps, *saved = ctx.saved_tensors
        of_taps = None
        if saved:
            above, x = (values.unflatten(0, (-1, ctx.timesteps)) for values in (gradients[0], saved[0]))
            of_taps = torch.stack([(above[:, k:] * x[:, : ctx.timesteps - k]).sum() for k in range(len(taps))])
        return filtered(gradients[0], ctx.timesteps, taps, adjoint=True), of_taps, None


def filtered(frames: Tensor, timesteps: int, taps: Tensor, adjoint: bool = False, out: Tensor | None = None) -> Tensor:
    """`filter_history` without gradient; its adjoint is sum_k taps[k] frames[t+k].

    Args:
        frames: of any strides, as gradients may be.
        taps: (K,), K <= T.
        out: where to put the result if it lies in memory as `frames` do; must not share memory with them.

    Returns:
        `out`, or a new tensor if that is None or lies in another way.
    """
    if len(taps) == 1:
        return torch.mul(frames, taps[0], out=out)
    if _are_added(frames, timesteps, len(taps)):
        return _sum_shifted(frames, timesteps, taps.tolist(), adjoint, out)
    return _multiply_over_time(frames, timesteps, taps, adjoint, out)


def _are_added(frames: Tensor, timesteps: int, taps: int) -> bool:
    """True if adding taps one by one is the faster way."""
    if taps == 2 and timesteps <= STEPS_OF_TWO_TAPS:
        return True
    return frames.dtype == torch.float32 and timesteps > FEW_STEPS and STEPS_PER_TAP * taps <= timesteps


def _multiply_over_time(frames: Tensor, timesteps: int, taps: Tensor, adjoint: bool, out: Tensor | None) -> Tensor:
    step = torch.arange(timesteps, device=frames.device)
    lag = step[None, :] - step[:, None] if adjoint else step[:, None] - step[None, :]
    reached = (lag >= 0) & (lag < len(taps))
    toeplitz = torch.where(reached, taps[lag.clamp(0, len(taps) - 1)], 0.0)
    frames = laid_out(frames)
    layout = torch.channels_last if is_channels_last(frames) else torch.contiguous_format
    if out is None or not out.is_contiguous(memory_format=layout):
        out = torch.empty_like(frames, memory_format=layout)
    features = frames.shape[1:].numel()
    # Views, never copies: what is written to a copy of `out` would be lost.
    in_time, out_in_time = (
        (values.movedim(1, -1) if layout == torch.channels_last else values).view(-1, timesteps, features)
        for values in (frames, out)
    )
    torch.matmul(toeplitz, in_time, out=out_in_time)
    return out


def _sum_shifted(frames: Tensor, timesteps: int, taps: list[float], adjoint: bool, out: Tensor | None) -> Tensor:
    result = torch.mul(frames, taps[0], out=out)
    x, total = (values.unflatten(0, (-1, timesteps)) for values in (frames, result))
    for lag, tap in enumerate(taps[1:], 1):
        early, late = slice(None, -lag), slice(lag, None)
        target, source = (early, late) if adjoint else (late, early)
        total[:, target].add_(x[:, source], alpha=tap)
    return result
