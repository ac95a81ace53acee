"""What the loops of tiled layers compute, in plain numpy: for processors without a matrix unit, and to say it again."""

from __future__ import annotations

from typing import Any

import numpy as np


def pool(words: Any, padding: Any, source: Any, size: int) -> None:
    """Fill `words` with sums over windows of size x size; see lava_qsnn.integer._tiles, and so below."""
    (top, left), (rows, columns) = padding, words.shape[1:3]
    height, width = rows - 2 * top, columns - 2 * left
    windows = source[:, : height * size, : width * size]
    windows = windows.reshape(len(source), height, size, width, size, -1)
    words[:, top : rows - top, left : columns - left] = windows.sum((2, 4), dtype=words.dtype)


def filter_history(words: Any, taps: Any) -> None:
    """Make history words of words (T, numbers), in place."""
    for t in range(len(words) - 1, -1, -1):
        words[t] *= taps[0]
        for k in range(1, min(len(taps), t + 1)):
            words[t] += taps[k] * words[t - k]


def fire(words: Any, strides: Any, offsets: Any, weight: Any, thresholds: Any, spikes: Any) -> None:
    """Fill `spikes` with  sum W h >= Theta  over windows of words."""
    out = spikes.shape[-1]
    words = np.concatenate([words, np.full(64, 255, np.uint8)])  # what is read in vain meets weights of 0
    # (pass, chunk, tile, four words, 16 outputs, word) to (chunk, byte, output).
    tiles = weight.reshape(*weight.shape[:4], 16, 4).transpose(1, 3, 5, 0, 2, 4)
    matrix = tiles.reshape(len(offsets), 64, -1)[..., :out].astype(np.int64)
    for place in np.ndindex(spikes.shape[1:-1]):
        address = sum(step * stride for step, stride in zip(place, strides))
        read = np.stack([words[address + offset : address + offset + 64] for offset in offsets]).astype(np.int64)
        currents = np.einsum("kb,kbo->o", read, matrix)
        spikes[(slice(None), *place)] = currents >= thresholds[:, :out]
