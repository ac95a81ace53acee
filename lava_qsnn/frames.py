"""The layout of time: slayer's N C [H W] T outside, frames (N T, C, [H, W]) inside.

Without recurrence, time is one more batch dimension. A tensor made by `from_frames` lies in memory time-major, so that
the next `to_frames` is a view: blocks in a row copy nothing. Frames of feature maps have their channels last in memory,
as convolutions compute them: it is what torch's are fastest on.

A user's tensor may be any view: expanded, permuted, a slice. Frames are not: they lie in memory in the order of their
axes or with channels last, without gaps and without repetition, so that whoever computes on them has two cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from lava_qsnn.errors import InputError
from lava_qsnn.extras import extra

with extra("train"):
    import torch
    import torch.nn.functional as F
    from torch import Tensor


def check_tensor(x: Tensor) -> Tensor:
    """Return x if it is a floating-point tensor (N, C, [H, W,] T) with at least one step; InputError otherwise."""
    if not isinstance(x, Tensor):
        raise InputError(f"a block takes tensors, not {type(x).__name__}", remedy="use torch.as_tensor")
    if not x.dtype.is_floating_point:
        raise InputError(f"a block computes on floating-point tensors, not {x.dtype}", remedy="call .float()")
    if x.dim() not in (3, 5):
        raise InputError(
            f"a block takes tensors of shape N C T or N C H W T, not {tuple(x.shape)}", remedy="add the missing axes"
        )
    if x.shape[-1] < 1:
        raise InputError("a block needs at least one time step")
    return x


def to_frames(x: Tensor) -> tuple[Tensor, int]:
    """(N, C, [H, W,] T) of any strides -> frames (N T, C, [H, W]), laid out, and T; InputError for other tensors."""
    return laid_out(check_tensor(x).movedim(-1, 1).flatten(0, 1)), x.shape[-1]


def from_frames(frames: Tensor, timesteps: int) -> Tensor:
    """Frames (N T, C, [H, W]) -> (N, C, [H, W,] T), a view."""
    return in_time(frames, timesteps).movedim(1, -1)


def repeated(frames: Tensor, timesteps: int) -> Tensor:
    """Frames (N, C, [H, W]) of one step each -> frames (N T, C, [H, W]) of T equal ones, which lie in memory alike."""
    channels_last = is_channels_last(frames)
    as_they_lie = frames.movedim(1, -1) if channels_last else frames
    copies = as_they_lie.unsqueeze(1).expand(-1, timesteps, *as_they_lie.shape[1:]).flatten(0, 1)
    return copies.movedim(-1, 1) if channels_last else copies


def laid_out(frames: Tensor) -> Tensor:
    """Frames (N T, C, [H, W]) as they lie, if in the order of their axes or with channels last; else a copy."""
    return frames if is_channels_last(frames) else frames.contiguous()


def is_channels_last(frames: Tensor) -> bool:
    """True if frames (N T, C, H, W) lie in memory as (N T, H, W, C); False for those without space."""
    return frames.dim() == 4 and frames.is_contiguous(memory_format=torch.channels_last)


def per_channel(values: Tensor, frames: Tensor) -> Tensor:
    """Values (C,) or (1,) in a shape that broadcasts over frames (N T, C, [H, W])."""
    return values.reshape(-1, *[1] * (frames.dim() - 2))


def in_time(frames: Tensor, timesteps: int) -> Tensor:
    """Frames (N T, C, [H, W]) -> (N, T, C, [H, W]), a view."""
    return frames.unflatten(0, (-1, timesteps))


def split_steps(frames: Tensor, timesteps: int) -> list[Tensor]:
    """Frames (N T, C, [H, W]) -> T times (N, C, [H, W]), copies that lie in memory alike."""
    layout = torch.channels_last if is_channels_last(frames) else torch.contiguous_format
    return [step.contiguous(memory_format=layout) for step in in_time(frames, timesteps).unbind(1)]


def join_steps(steps: Sequence[Tensor]) -> Tensor:
    """T times (N, C, [H, W]) -> frames (N T, C, [H, W]) that lie in memory alike."""
    if not is_channels_last(steps[0]):
        return torch.stack(list(steps), 1).flatten(0, 1)
    return torch.stack([step.movedim(1, -1) for step in steps], 1).flatten(0, 1).movedim(-1, 1)


def delayed(x: Tensor) -> Tensor:
    """(N, C, [H, W,] T) one step later: zeros at the first step, and without the last one. Slayer's step of delay."""
    return F.pad(x, (1, 0))[..., :-1]
