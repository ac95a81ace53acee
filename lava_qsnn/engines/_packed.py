"""Packed kernels: 1-bit weights and binary spikes, 32 synapses in one word, counted instead of multiplied."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._kernels import Kernel, Numbers, weights_last
from lava_qsnn.integer import Conv, Dense, Shape, Synapse, integer_dtype
from lava_qsnn.integer.layouts import channels_first, channels_last

#: Bits of a packed word.
WORD = 32

#: Height and width.
Pair = tuple[int, int]

#: (spikes (B, H, W, C), padding, weight (height, width, P, out), stride, dilation, currents (B, h, w, out)).
Product = Callable[[NDArray[np.uint8], Pair, NDArray[np.uint32], Pair, Pair, NDArray[Any]], None]


def packed_kernel(synapse: Synapse, source_shape: Shape) -> Kernel | None:
    """Prepare a synapse of 1-bit weights for binary frames, by counting bits.

    The kernel takes frames of spikes, bool or 0 and 1, and returns int16 currents, int32 where sums exceed 2^15 - 1.
    With w in {0, 1} for W in {-1, 1}, a current is  sum W s = 2 popcount(w & s) - popcount(s).

    Returns:
        The kernel; None if some weight is neither -1 nor 1, if it would not pay, or if numba is not installed.
    """
    if not isinstance(synapse, (Dense, Conv)) or not _pays(synapse) or bool((np.abs(synapse.weight) != 1).any()):
        return None
    product = compiled()
    if product is None:
        return None
    return _convolution(_as_convolution(synapse, source_shape), source_shape, isinstance(synapse, Dense), product)


def _pays(synapse: Dense | Conv) -> bool:
    """True if counting bits is faster than BLAS.

    Milliseconds on one core, AVX-512, one fifth of the inputs spiking (`python -m benchmarks.kernels`; what the rule
    leaves to BLAS was counted before there was a rule):

    | synapse                             | frames | BLAS | counted | tiled, see `_tiled` |
    |-------------------------------------|--------|------|---------|---------------------|
    | dense 784 to 512                    | 256    | 1.7  | 0.3     | 0.3                 |
    | dense 784 to 512                    | 1,024  | 6.3  | 1.2     | 1.0                 |
    | dense 512 to 512                    | 4,096  | 16.9 | 2.7     | 3.0                 |
    | dense 4,096 to 1,024                | 256    | 23.0 | 2.6     | 2.5                 |
    | dense 128 to 10                     | 1,024  | 0.08 | 0.06    | 0.10                |
    | conv 64 to 64, 3 x 3, of 16 x 16    | 256    | 51   | 9.6     | 4.9                 |
    | conv 32 to 64, 3 x 3, of 14 x 14    | 256    | 20   | 5.1     | 2.5                 |
    | conv 16 to 8, 3 x 3, of 16 x 16     | 256    | 5.1  | 4.1     | 1.2                 |
    | conv 8 to 16, 3 x 3, of 32 x 32     | 256    | 12.6 | 14.2    |                     |

    Tiles give spikes; of the others the currents, from which history and thresholds still make spikes, are timed alone.
    A word holds the channels of one pixel: it pays once they fill half of it.
    """
    if isinstance(synapse, Conv) and synapse.groups > 1:
        return False
    return synapse.weight.shape[1] >= WORD // 2 and len(synapse.weight) >= WORD // 4


def _as_convolution(synapse: Dense | Conv, source: Shape) -> Conv:
    """A dense synapse as the convolution of one pixel, whose channels are its whole source, channels last in order."""
    if isinstance(synapse, Conv):
        return synapse
    return Conv(weights_last(synapse, source)[:, :, None, None])


def _convolution(conv: Conv, source: Shape, dense: bool, product: Product) -> Kernel:
    out, channels = conv.weight.shape[:2]
    most = conv.weight[0].size
    dtype: np.dtype[Any] = integer_dtype(-most, most, (np.int16, np.int32))
    weight = pack(conv.weight.transpose(2, 3, 0, 1) > 0).transpose(0, 1, 3, 2).copy()
    height, width = (1, 1) if dense else source[1:]
    rows, columns = conv.output_shape((channels, height, width))[1:]

    def compute(spikes: Numbers) -> Numbers:
        last = np.ascontiguousarray(channels_last(spikes, 1), bool).reshape(len(spikes), height, width, channels)
        currents = np.empty((len(spikes), rows, columns, out), dtype)
        product(last.view(np.uint8), conv.padding, weight, conv.stride, conv.dilation, currents)
        return currents.reshape(len(spikes), out) if dense else channels_first(currents, 1)

    return Kernel(dtype, compute)


def pack(bits: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Booleans (..., C) to words (..., ceil(C / 32)); beyond C they are 0. Channel 0 is the lowest bit."""
    *shape, channels = bits.shape
    if channels % WORD:
        wider = np.zeros((*shape, -(-channels // WORD) * WORD), bool)
        wider[..., :channels] = bits
        bits = wider
    return np.packbits(bits, bitorder="little").view("<u4").reshape(*shape, -1).astype(np.uint32, copy=False)


@cache
def compiled() -> Product | None:
    """The loop that counts, compiled when first used; None without numba, or if it finds no folder to cache in."""
    try:
        from lava_qsnn.engines._popcount import product
    except (ImportError, RuntimeError):
        return None
    return product
