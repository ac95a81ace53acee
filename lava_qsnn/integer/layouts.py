"""Layouts of arrays: in which order the numbers of a population lie, and the conversions between them.

A frame is what a population puts out in one time step, of shape (C,) or (C, H, W). Of many there are

| layout | axes | where |
|---|---|---|
| samples | (N, *shape, T) | everywhere outside: slayer's order, time last |
| sequences | (N, T, *shape) | messages, and engines that take them |
| steps | (T, N, *shape) | the fast engine |
| frames | (N T, *shape) | synapses, of which each step is independent; blocks in training, see `lava_qsnn.frames` |
| Lava's frames | (N T, W, H, C) or (N T, C) | ports of Lava processes; flattened maps keep the order C, H, W |

All are views where numpy can give one, but the two for ports of Lava, which give int32 and int64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._values import Shape

Numbers = NDArray[Any]


def to_sequences(samples: Numbers) -> Numbers:
    """(N, *shape, T) -> (N, T, *shape)."""
    return np.moveaxis(samples, -1, 1)


def from_sequences(sequences: Numbers) -> Numbers:
    """(N, T, *shape) -> (N, *shape, T)."""
    return np.moveaxis(sequences, 1, -1)


def to_steps(samples: Numbers) -> Numbers:
    """(N, *shape, T) -> (T, N, *shape)."""
    return np.moveaxis(samples, -1, 0)


def from_steps(steps: Numbers) -> Numbers:
    """(T, N, *shape) -> (N, *shape, T)."""
    return np.moveaxis(steps, 0, -1)


def to_frames(many: Numbers) -> Numbers:
    """Sequences or steps, (a, b, *shape) -> frames (a b, *shape)."""
    return many.reshape(-1, *many.shape[2:])


def from_frames(frames: Numbers, like: Numbers) -> Numbers:
    """Frames (a b, *shape) -> (a, b, *shape), as `like` (a, b, ..) is divided."""
    return frames.reshape(*like.shape[:2], *frames.shape[1:])


def channels_last(values: Numbers, axis: int) -> Numbers:
    """(.., C, [H, W]) -> (.., [H, W,] C), where C is some axis."""
    return values.transpose(*range(axis), *range(axis + 1, values.ndim), axis)  # a tenth of moveaxis's time


def channels_first(values: Numbers, axis: int) -> Numbers:
    """(.., [H, W,] C) -> (.., C, [H, W]), where C becomes some axis."""
    last = values.ndim - 1
    return values.transpose(*range(axis), last, *range(axis, last))


def empty_channels_last(shape: Shape, dtype: Any, axis: int) -> Numbers:
    """An array (.., C, [H, W]) of unset numbers, C at some axis, that lies in memory with its channels last."""
    if len(shape) == axis + 1:
        return np.empty(shape, dtype)
    return channels_first(np.empty((*shape[:axis], *shape[axis + 1 :], shape[axis]), dtype), axis)


def per_channel(values: Numbers, axes: int) -> Numbers:
    """One number per channel (C,), or one for all (1,), to broadcast over a population of so many axes, 1 or 3."""
    return values.reshape(-1, *[1] * (axes - 1))


def lava_shape(shape: Shape) -> Shape:
    """(C,) or (C, H, W) -> Lava's (C,) or (W, H, C)."""
    return tuple(reversed(shape))


def to_lava(frame: Numbers) -> Numbers:
    """One frame (C,) or (C, H, W) -> Lava's (C,) or (W, H, C)."""
    return frame.transpose()


def from_lava(frame: Numbers) -> Numbers:
    """One frame of Lava's, (C,) or (W, H, C) -> (C,) or (C, H, W)."""
    return frame.transpose()


def to_lava_frames(samples: Numbers, port: Shape) -> NDArray[np.int32]:
    """(N, C, [H, W,] T) -> frames (N T, *port) for a port of shape (C,), (W, H, C), or (C H W,), maps flattened."""
    sequences = to_sequences(samples)
    ordered = sequences if len(port) == 1 else sequences.transpose(0, 1, *range(sequences.ndim - 1, 1, -1))
    return np.ascontiguousarray(ordered, np.int32).reshape(-1, *port)


def from_lava_frames(frames: Numbers, timesteps: int) -> NDArray[np.int64]:
    """Frames of a port, (N T, C) or (N T, W, H, C) -> (N, C, [H, W,] T)."""
    sequences = frames.reshape(-1, timesteps, *frames.shape[1:]).astype(np.int64)
    return sequences.transpose(0, *range(sequences.ndim - 1, 1, -1), 1)
