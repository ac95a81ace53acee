"""The loops of `lava_qsnn.engines._tiles` in plain numpy, by their docstrings: for processors without a matrix unit."""

from __future__ import annotations

from typing import Any

import numpy as np


def fire(traces: Any, strides: Any, offsets: Any, weight: Any, thresholds: Any, spikes: Any) -> None:
    _, frames, height, width, out = spikes.shape
    passes, chunks = weight.shape[:2]
    # (pass, chunk, tile, row of four bytes, output, byte) to (output, traces of a window in order).
    rows = weight.reshape(passes, chunks, 2, 16, 16, 4).transpose(0, 2, 4, 1, 3, 5).reshape(passes * 32, -1)
    begin = np.add.outer(
        np.add.outer(np.arange(frames) * strides[0], np.arange(height) * strides[1]), np.arange(width) * strides[2]
    )
    # Chunks at a window's end reach into what follows it, in memory that the caller keeps for that.
    known = np.lib.stride_tricks.as_strided(traces, (len(traces) + 64,), traces.strides)
    windows = known[(begin[..., None, None] + offsets[:, None] + np.arange(64)).reshape(*begin.shape, -1)]
    currents = windows.astype(np.int64) @ rows.T.astype(np.int64)
    spikes[...] = currents[None, ..., :out] >= thresholds[:, None, None, None, :out]


def pool(traces: Any, padding: Any, source: Any, size: int) -> None:
    (top, left), (_, rows, columns, _) = padding, traces.shape
    inside = traces[:, top : rows - top, left : columns - left]
    height, width = inside.shape[1:3]
    whole = source[:, : height * size, : width * size]
    cut = whole.reshape(len(source), height, size, width, size, -1)
    inside[...] = cut.sum((2, 4), dtype=traces.dtype)


def filter_history(traces: Any, taps: Any) -> None:
    for t in range(len(traces) - 1, -1, -1):
        traces[t] *= taps[0]
        for k in range(1, min(len(taps), t + 1)):
            traces[t] += taps[k] * traces[t - k]
