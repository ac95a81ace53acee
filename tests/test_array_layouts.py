"""Layouts: every conversion puts each number where its table says, and the way back is the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn.integer import layouts

N, T = 2, 5
SHAPES = [(3,), (3, 4, 6)]


def samples(shape: tuple[int, ...]) -> Any:
    """Numbers that tell where they belong."""
    return np.arange(N * int(np.prod(shape)) * T).reshape(N, *shape, T)


@pytest.mark.parametrize("shape", SHAPES)
def test_time_goes_where_the_name_says(shape: tuple[int, ...]) -> None:
    x = samples(shape)
    sequences, steps = layouts.to_sequences(x), layouts.to_steps(x)
    assert sequences.shape == (N, T, *shape)
    assert steps.shape == (T, N, *shape)
    for n, t in np.ndindex(N, T):
        assert (sequences[n, t] == x[n, ..., t]).all()
        assert (steps[t, n] == x[n, ..., t]).all()
        assert (layouts.to_frames(sequences)[n * T + t] == x[n, ..., t]).all()
    assert (layouts.from_sequences(sequences) == x).all()
    assert (layouts.from_steps(steps) == x).all()
    assert (layouts.from_frames(layouts.to_frames(sequences), sequences) == sequences).all()
    assert np.shares_memory(layouts.from_steps(steps), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_channels_go_last_and_back(shape: tuple[int, ...]) -> None:
    x = samples(shape)
    last = layouts.channels_last(x[..., 0], 1)
    assert last.shape == (N, *shape[1:], shape[0])
    assert all((last[..., c] == x[:, c, ..., 0]).all() for c in range(shape[0]))
    assert (layouts.channels_first(last, 1) == x[..., 0]).all()
    made = layouts.empty_channels_last((N, T, *shape), np.int16, 2)
    assert (made.shape, made.dtype) == ((N, T, *shape), np.int16)
    assert layouts.channels_last(made, 2).flags.c_contiguous


def test_frames_of_lava_have_w_h_c() -> None:
    x = samples((3, 4, 6))
    assert layouts.lava_shape((3, 4, 6)) == (6, 4, 3)
    frames = layouts.to_lava_frames(x, (6, 4, 3))
    assert (frames.dtype, frames.shape, frames.flags.c_contiguous) == (np.int32, (N * T, 6, 4, 3), True)
    for n, c, row, column, t in np.ndindex(*x.shape):
        assert frames[n * T + t, column, row, c] == x[n, c, row, column, t]
    assert (layouts.from_lava_frames(frames, T) == x).all()
    assert (layouts.to_lava(x[0, ..., 0]) == frames[0]).all()
    assert (layouts.from_lava(frames[0]) == x[0, ..., 0]).all()


def test_a_flat_port_takes_maps_in_the_order_of_training() -> None:
    x = samples((3, 4, 6))
    frames = layouts.to_lava_frames(x, (72,))
    assert all((frames[n * T + t] == x[n, ..., t].ravel()).all() for n, t in np.ndindex(N, T))
    flat = samples((3,))
    assert (layouts.from_lava_frames(layouts.to_lava_frames(flat, (3,)), T) == flat).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_number_per_channel_broadcasts_over_a_population(shape: tuple[int, ...]) -> None:
    values = layouts.per_channel(np.array([5, 6, 7]), len(shape))
    spread = np.broadcast_to(values, shape)
    assert all((spread[c] == 5 + c).all() for c in range(3))
