"""Random changes of training samples, whole batches at once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def shift(x: Tensor, random: np.random.Generator, axes: tuple[int, int], most: tuple[int, int]) -> Tensor:
    """Shift each sample along two axes, by its own numbers of positions; zeros come in.

    Args:
        x: uint8 (N, ..).
        random: source of the numbers.
        axes: which two, neither of them 0, and the first before the second.
        most: positions along each, to either side.

    Returns:
        uint8, of the same shape.
    """
    moved = x.movedim(axes, (1, 2))  # N, A, B, ..
    edge = [0, 0] * (moved.dim() - 3) + [most[1], most[1], most[0], most[0]]
    padded = F.pad(moved, edge)
    first, second = (_positions(x.shape[axis], positions, len(x), random) for axis, positions in zip(axes, most))
    chosen = padded[torch.arange(len(x))[:, None, None], first[:, :, None], second[:, None, :]]
    return chosen.movedim((1, 2), axes).contiguous()


def flip(x: Tensor, random: np.random.Generator, axis: int) -> Tensor:
    """Turn every other sample round along an axis, chosen at random: uint8 (N, ..)."""
    turned = torch.from_numpy(random.random(len(x)) < 0.5).reshape(-1, *[1] * (x.dim() - 1))
    return torch.where(turned, x.flip(axis), x)


def cut_out(x: Tensor, random: np.random.Generator, side: int, value: int) -> Tensor:
    """Fill a square of each image, its centre chosen at random: uint8 (N, C, H, W); the border may cut the square.

    (Cutout: DeVries and Taylor, arXiv 1708.04552.)

    Args:
        x: uint8 (N, C, H, W).
        random: source of the positions.
        side: of the squares, in pixels.
        value: what fills them.
    """
    rows, columns = (_within(x.shape[axis], side, len(x), random) for axis in (2, 3))
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], value)


def mask(x: Tensor, random: np.random.Generator, axis: int, most: int) -> Tensor:
    """Silence up to `most` neighbouring positions of each sample along an axis: uint8 (N, ..)."""
    length = x.shape[axis]
    width = random.integers(0, most + 1, len(x))[:, None]
    start = (random.random(len(x)) * (length - width[:, 0] + 1)).astype(np.int64)[:, None]
    positions = np.arange(length)
    kept = torch.from_numpy((positions < start) | (positions >= start + width))
    return x * kept.reshape(len(x), *(length if number == axis else 1 for number in range(1, x.dim())))


def _positions(length: int, most: int, samples: int, random: np.random.Generator) -> Tensor:
    """Draw the positions of an axis, `most` longer at either end, that each sample takes: int64 (N, length)."""
    starts = random.integers(0, 2 * most + 1, samples)
    return torch.from_numpy(starts[:, None] + np.arange(length))


def _within(length: int, side: int, samples: int, random: np.random.Generator) -> Tensor:
    """The positions of an axis that lie within `side` of neighbours, chosen for each sample: bool (N, length)."""
    start = random.integers(0, length, samples)[:, None] - side // 2
    positions = np.arange(length)
    return torch.from_numpy((positions >= start) & (positions < start + side))
