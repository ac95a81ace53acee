"""The loop of packed kernels, compiled by numba: imported where it runs, since it takes a second to import."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def popcount(_: Any, word: Any) -> Any:
    """The number of ones in a uint32, one instruction."""
    return types.uint32(types.uint32), lambda context, builder, signature, values: builder.ctpop(values[0])


@numba.njit(cache=True, nogil=True)
def _pack(frame: Any, top: int, left: int, words: Any) -> None:
    """Spikes uint8 (H, W, C) to the bits of `words`, inside of its padding; channel 0 is the lowest bit of word 0."""
    height, width, channels = frame.shape
    for y in range(height):
        for x in range(width):
            for p in range(channels // 32):
                word = np.uint32(0)
                for i in range(32):
                    word |= np.uint32(frame[y, x, 32 * p + i]) << np.uint32(i)
                words[top + y, left + x, p] = word
            if channels % 32:
                word = np.uint32(0)
                for i in range(channels % 32):
                    word |= np.uint32(frame[y, x, channels - channels % 32 + i]) << np.uint32(i)
                words[top + y, left + x, channels // 32] = word


@numba.njit(cache=True, nogil=True)
def _look(words: Any, y: int, x: int, dilation: Any, size: Any, window: Any) -> Any:
    """Fill `window` with the words of a window that begins at y, x, and count its spikes."""
    i, spikes = 0, np.int32(0)
    for row in range(size[0]):
        for column in range(size[1]):
            for p in range(size[2]):
                window[i] = words[y + row * dilation[0], x + column * dilation[1], p]
                spikes += np.int32(popcount(window[i]))
                i += 1
    return spikes


@numba.njit(cache=True, nogil=True)
def product(spikes: Any, padding: Any, weight: Any, stride: Any, dilation: Any, currents: Any) -> None:
    """Fill `currents` with sum W s = 2 popcount(w & s) - popcount(s), a convolution of spikes that are packed first.

    One call for all frames: a thread beside others leaves the interpreter once.

    Args:
        spikes: uint8 (B, H, W, C).
        padding: zeros around it, (height, width).
        weight: uint32 (kernel height, kernel width, P, out), ones for +1, P words for C channels.
        stride: (height, width).
        dilation: (height, width).
        currents: signed integers (B, height, width, out), written.
    """
    height, width, many, out = weight.shape
    # Four words of a window in one pass over the outputs, so that counts stay in registers that long.
    window = np.zeros(-(-height * width * many // 4) * 4, np.uint32)
    masks = np.zeros((len(window), out), np.uint32)
    masks[: height * width * many] = weight.reshape(-1, out)
    count = np.empty(out, np.int32)
    words = np.zeros((spikes.shape[1] + 2 * padding[0], spikes.shape[2] + 2 * padding[1], many), np.uint32)
    for b in range(len(spikes)):
        _pack(spikes[b], padding[0], padding[1], words)
        for row, column in np.ndindex(currents.shape[1:3]):
            found = _look(words, row * stride[0], column * stride[1], dilation, weight.shape, window)
            count[:] = 0
            for i in range(0, len(window), 4):
                one, two, three, four = window[i], window[i + 1], window[i + 2], window[i + 3]
                for o in range(out):
                    first = popcount(one & masks[i, o]) + popcount(two & masks[i + 1, o])
                    second = popcount(three & masks[i + 2, o]) + popcount(four & masks[i + 3, o])
                    count[o] += np.int32(first + second)
            for o in range(out):
                currents[b, row, column, o] = 2 * count[o] - found
