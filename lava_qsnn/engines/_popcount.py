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
def product(words: Any, weight: Any, stride: Any, dilation: Any, currents: Any) -> None:
    """Fill `currents` with sum W s = 2 popcount(w & s) - popcount(s), a convolution of packed spikes.

    Args:
        words: uint32 (B, H, W, P), spikes, padded already.
        weight: uint32 (kernel height, kernel width, P, out), ones for +1.
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
    for b, row, column in np.ndindex(currents.shape[:3]):
        i, spikes = 0, np.int32(0)
        for y in range(height):
            for x in range(width):
                for p in range(many):
                    window[i] = words[b, row * stride[0] + y * dilation[0], column * stride[1] + x * dilation[1], p]
                    spikes += np.int32(popcount(window[i]))
                    i += 1
        count[:] = 0
        for i in range(0, len(window), 4):
            one, two, three, four = window[i], window[i + 1], window[i + 2], window[i + 3]
            for o in range(out):
                first = popcount(one & masks[i, o]) + popcount(two & masks[i + 1, o])
                second = popcount(three & masks[i + 2, o]) + popcount(four & masks[i + 3, o])
                count[o] += np.int32(first + second)
        for o in range(out):
            currents[b, row, column, o] = 2 * count[o] - spikes
