"""The layout of time: slayer's N C [H W] T outside, frames (N T, C, [H, W]) inside.

Without recurrence, time is one more batch dimension. A tensor made by `from_frames` lies in memory time-major, so that
the next `to_frames` is a view: blocks in a row copy nothing. Frames of feature maps have their channels last in memory,
as convolutions compute them: it is what torch's are fastest on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lava_qsnn.errors import InputError


def to_frames(x: Tensor) -> tuple[Tensor, int]:
    """(N, C, [H, W,] T) -> frames (N T, C, [H, W]) and T; InputError for other dimensions."""
    if x.dim() not in (3, 5):
        raise InputError(
            f"a block takes tensors of shape N C T or N C H W T, not {tuple(x.shape)}", remedy="add the missing axes"
        )
    if x.shape[-1] < 1:
        raise InputError("a block needs at least one time step")
    return x.movedim(-1, 1).flatten(0, 1), x.shape[-1]


def from_frames(frames: Tensor, timesteps: int) -> Tensor:
    """Frames (N T, C, [H, W]) -> (N, C, [H, W,] T), a view."""
    return frames.unflatten(0, (-1, timesteps)).movedim(1, -1)


def is_channels_last(frames: Tensor) -> bool:
    """Whether frames (N T, C, H, W) lie in memory as (N T, H, W, C); False for those without space."""
    return frames.dim() == 4 and frames.is_contiguous(memory_format=torch.channels_last)
