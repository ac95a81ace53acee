"""Tiled layers: memory-free neurons behind one synapse of small weights, from spikes to spikes in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._kernels import channels_last, largest_sum
from lava_qsnn.integer._limits import INT32_LIMIT
from lava_qsnn.integer._synapses import Conv, Dense, OneToOne, Synapse
from lava_qsnn.integer._unmerge import unmerge
from lava_qsnn.integer._values import Shape

#: Bytes of a window that are multiplied at a time, and outputs computed at a time.
CHUNK, OUTPUTS = 64, 32

#: Windows that may be read beyond the last one.
BEYOND = 16


@dataclass(frozen=True)
class Tiled:
    """A synapse and its memory-free neurons, made ready for the processor's matrix unit."""

    loops: ModuleType
    taps: NDArray[np.uint8]  # (K,)
    thresholds: NDArray[np.int64]  # (out,)
    pooling: int  # words are summed over windows of so many pixels squared, before the synapse
    frame: Shape  # (rows, columns, channels) of words, padding included
    padding: tuple[int, int]
    strides: tuple[int, int, int]  # bytes, see `_tiles.fire`
    windows: Shape  # (frames, height, width) of the output, -1 for what is free
    offsets: NDArray[np.int64]  # see `_tiles.fire`
    weight: NDArray[np.int8]

    def __call__(self, source: NDArray[Any], spikes: NDArray[np.bool_]) -> None:
        """Compute all time steps.

        Args:
            source: 8-bit integers or bool (T, n, H, W, C), C-contiguous; (1, n, H, W, C) if the same at every step.
            spikes: bool (T, n, *), the output's channels last, C-contiguous; written.
        """
        still = len(source) == 1
        words = self._words(source.view(np.uint8), self.taps[:1] ** 0 if still else self.taps)
        thresholds = self.thresholds[None]
        if still:  # U[t] is the current times the taps so far
            factors = self.taps.astype(np.int64).cumsum()
            thresholds = -(-thresholds // factors[np.arange(len(spikes)).clip(max=len(factors) - 1), None])
        shape = (len(thresholds), *self.windows, spikes.shape[-1])
        self.loops.fire(
            words, self.strides, self.offsets, self.weight, _packed_thresholds(thresholds), spikes.reshape(shape).view(np.uint8)
        )

    def _words(self, source: NDArray[np.uint8], taps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """History words (bytes,), with some bytes more."""
        shape = (*source.shape[:2], *self.frame)
        size = int(np.prod(shape))
        words = (np.zeros if any(self.padding) else np.empty)(size + BEYOND * self.strides[2] + CHUNK, np.uint8)
        wide = np.uint64 if shape[-1] % 8 == 0 else np.uint8
        inside = words[:size].reshape(shape).view(wide)
        self.loops.fill(inside, self.padding, source.view(wide), taps.astype(wide), self.pooling)
        return words


def tiled(
    synapse: Synapse, source: Shape, taps: tuple[int, ...], thresholds: NDArray[np.int64], largest: int
) -> Tiled | None:
    """Prepare a layer.

    Args:
        synapse: integer weights.
        source: (C,) or (C, H, W), what it fits.
        taps: of the history words.
        thresholds: (channels,).
        largest: the source's numbers are from 0 to it.

    Returns:
        The layer; None if history words exceed 8 bits unsigned, weights 8 bits signed, or currents 32, if the
        convolution has groups, or if this processor has no such unit.
    """
    loops = compiled()
    if loops is None or isinstance(synapse, OneToOne) or (isinstance(synapse, Conv) and synapse.groups > 1):
        return None
    pooling, smaller = unmerge(synapse, source)
    if largest * sum(taps) * pooling**2 > 255:
        pooling, smaller = 1, synapse
    word = largest * sum(taps) * pooling**2
    in_bytes = word <= 255 and -128 <= smaller.weight.min() and smaller.weight.max() <= 127
    if not in_bytes or largest_sum(smaller) * word > INT32_LIMIT - 2:
        return None
    channels, height, width = (*source, 1, 1)[:3]
    return _prepare(loops, smaller, (channels, height // pooling, width // pooling), taps, thresholds, pooling)


def _prepare(loops: ModuleType, synapse: Synapse, source: Shape, taps, thresholds, pooling) -> Tiled:
    channels, height, width = source
    if isinstance(synapse, Dense):  # the convolution of one pixel, over an image whose pixels are the frames
        conv = Conv(channels_last(synapse, source)[:, :, None, None])
        frame, strides, windows = (height, width, channels), (0, 0, height * width * channels), (1, 1, -1)
    else:
        conv, (top, left) = synapse, synapse.padding
        frame = (height + 2 * top, width + 2 * left, channels)
        row = frame[1] * channels
        strides = (frame[0] * row, conv.stride[0] * row, conv.stride[1] * channels)
        windows = (-1, *conv.output_shape(source)[1:])
    offsets, weight = _pack(conv, frame[1])
    return Tiled(loops, np.array(taps, np.uint8), thresholds, pooling, frame, conv.padding, strides, windows, offsets, weight)


def _pack(conv: Conv, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Weights in the order of `_tiles.fire`, and where their chunks begin in frames of so many columns.

    A window is read in pieces that are contiguous in memory: rows, or pixels if it is dilated.
    """
    out, channels, height, width = conv.weight.shape
    y, x = np.mgrid[:height, : width if conv.dilation[1] > 1 else 1].reshape(2, -1)
    begin = (y * conv.dilation[0] * columns + x * conv.dilation[1]) * channels
    pieces = conv.weight.transpose(0, 2, 3, 1).reshape(out, len(begin), -1)
    chunks = -(-pieces.shape[2] // CHUNK)
    weight = np.zeros((-(-out // OUTPUTS) * OUTPUTS, len(begin), chunks * CHUNK), np.int8)
    weight[:out, :, : pieces.shape[2]] = pieces
    offsets = (begin[:, None] + CHUNK * np.arange(chunks)).reshape(-1)
    # (passes, 2 tiles of 16 outputs, chunks, rows of 4 words): in a tile the words of a row lie side by side.
    tiles = weight.reshape(-1, 2, 16, len(offsets), 16, 4).transpose(0, 3, 1, 4, 2, 5)
    return offsets, np.ascontiguousarray(tiles).reshape(-1, len(offsets), 2, 16, CHUNK)


def _packed_thresholds(thresholds: NDArray[np.int64]) -> NDArray[np.int32]:
    """In 32 bits, which no current leaves, for whole passes."""
    steps, out = thresholds.shape
    packed = np.zeros((steps, -(-out // OUTPUTS) * OUTPUTS), np.int32)
    packed[:, :out] = thresholds.clip(-INT32_LIMIT, INT32_LIMIT)
    return packed


@cache
def compiled() -> ModuleType | None:
    """The loops, compiled when first used; None without numba, its cache's folder, or the matrix unit."""
    try:
        from lava_qsnn.integer import _tiles
    except (ImportError, RuntimeError):
        return None
    return _tiles
