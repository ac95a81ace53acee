"""Tiled layers: memory-free neurons behind one synapse of small weights, from spikes to spikes in one pass.

Instead of filtering and unfolding numbers, multiplying, and comparing currents, traces of 8 bits go to the processor's
matrix unit, and spikes come back (`_tiles`). A sum pooling before the synapse is done on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._kernels import weights_last
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import INT32_LIMIT, Connection, Conv, Dense, Shape, SumPool
from lava_qsnn.integer.layouts import channels_last, to_frames

#: Bytes of a window that are multiplied at a time, and outputs that are computed at a time.
CHUNK, OUTPUTS = 64, 32

#: Windows beyond the last one that may be read, in vain.
BEYOND = 16


@dataclass(frozen=True)
class Geometry:
    """The places in memory of a synapse's windows; of a dense one, each frame is a window."""

    frame: Shape  # (rows, columns, channels) of traces, padding included
    padding: tuple[int, int]
    strides: tuple[int, int, int]  # bytes from a window to those in the next frame, below it, and beside it
    windows: Shape  # (frames, height, width), -1 for as many as there are


@dataclass(frozen=True)
class Tiled:
    """A synapse and its memory-free neurons, made ready."""

    loops: ModuleType
    taps: NDArray[np.uint8]  # (K,)
    thresholds: NDArray[np.int64]  # (out,)
    pooling: int  # p: traces are sums over windows of p x p, 1 for single pixels
    geometry: Geometry
    offsets: NDArray[np.int64]  # see `_tiles.fire`, and so below
    weight: NDArray[np.int8]

    def __call__(self, source: NDArray[Any], spikes: NDArray[np.bool_]) -> None:
        """Compute all time steps.

        Args:
            source: bool or 8 bits (T, n, H, W, C), C-contiguous; (1, n, H, W, C) if the same at every step.
            spikes: bool (T, n, *), channels last, C-contiguous, written.
        """
        traces = self._pooled(source.view(np.uint8))
        thresholds = self.thresholds[None]
        if len(source) > 1:
            wide = np.uint16 if traces[0].size % 2 == 0 else np.uint8
            self.loops.filter_history(traces.reshape(len(traces), -1).view(wide), self.taps.astype(wide))
        else:  # U[t] is the current times the sum of the taps so far
            last = np.arange(len(spikes)).clip(max=len(self.taps) - 1)
            thresholds = -(-thresholds // self.taps.cumsum(dtype=np.int64)[last, None])
        shaped = spikes.view(np.uint8).reshape(len(thresholds), *self.geometry.windows, spikes.shape[-1])
        strides = self.geometry.strides
        self.loops.fire(traces.reshape(-1), strides, self.offsets, self.weight, _in_passes(thresholds), shaped)

    def _pooled(self, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Traces (T, n, *frame), zero in their padding, with some bytes after them that may be read."""
        shape = (*source.shape[:2], *self.geometry.frame)
        size = int(np.prod(shape))
        beyond = BEYOND * self.geometry.strides[2] + CHUNK
        traces = _bytes(size + beyond, zero=any(self.geometry.padding))[:size].reshape(shape)
        wide = np.uint64 if shape[-1] % 8 == 0 else np.uint8
        frames, pixels = (to_frames(array).view(wide) for array in (traces, source))
        self.loops.pool(frames, self.geometry.padding, pixels, self.pooling)
        return traces


def tiled(
    connection: Connection, source: Shape, taps: tuple[int, ...], thresholds: NDArray[np.int64], largest: int
) -> Tiled | None:
    """Prepare a layer of memory-free neurons behind one connection.

    Args:
        connection: its synapse and the poolings before it; without delay.
        source: (C,) or (C, H, W), what it fits.
        taps: of the traces.
        thresholds: (channels,).
        largest: the source's numbers are from 0 to it.

    Returns:
        The layer; None if traces exceed 8 bits unsigned, weights 8 bits signed, or currents 32, if the
        convolution has groups, or if this processor has no such unit.
    """
    loops = compiled()
    if loops is None:
        return None
    for pooling, synapse in _splits(connection, source):
        trace = largest * sum(taps) * pooling**2
        if trace <= 255 and _fits_bytes(synapse) and synapse.largest_sum * trace < INT32_LIMIT:
            channels, height, width = source if len(source) == 3 else (*source, 1, 1)
            conv, geometry = _geometry(synapse, (channels, height // pooling, width // pooling))
            offsets, weight = _pack(conv, geometry.frame[1])
            return Tiled(loops, np.array(taps, np.uint8), thresholds, pooling, geometry, offsets, weight)
    return None


def _splits(connection: Connection, source: Shape) -> Iterator[tuple[int, Dense | Conv]]:
    """A pooling p x p and the synapse after it, as the connection has them if it can, and merged, p = 1."""
    synapse, poolings = connection.synapse, connection.poolings
    if isinstance(synapse, (Dense, Conv)) and (not poolings or (len(poolings) == 1 and _is_square(poolings[0]))):
        yield (poolings[0].kernel[0] if poolings else 1), synapse
    if poolings:
        with suppress(DeploymentError):  # then it has no merged form
            merged = connection.merged(source).synapse
            if isinstance(merged, (Dense, Conv)):
                yield 1, merged


def _is_square(pooling: SumPool) -> bool:
    return pooling.is_partition and pooling.kernel[0] == pooling.kernel[1]


def _fits_bytes(synapse: Dense | Conv) -> bool:
    grouped = isinstance(synapse, Conv) and synapse.groups > 1
    return not grouped and int(synapse.weight.min()) >= -128 and int(synapse.weight.max()) <= 127


def _geometry(synapse: Dense | Conv, source: Shape) -> tuple[Conv, Geometry]:
    """A dense synapse is the convolution of one pixel, in an image of one row whose pixels are the frames."""
    channels, height, width = source
    if isinstance(synapse, Dense):
        conv = Conv(weights_last(synapse, source)[:, :, None, None])
        return conv, Geometry((height, width, channels), (0, 0), (0, 0, height * width * channels), (1, 1, -1))
    frame = (height + 2 * synapse.padding[0], width + 2 * synapse.padding[1], channels)
    row = frame[1] * channels
    strides = (frame[0] * row, synapse.stride[0] * row, synapse.stride[1] * channels)
    return synapse, Geometry(frame, synapse.padding, strides, (-1, *synapse.output_shape(source)[1:]))


def _pack(conv: Conv, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Weights in the order of `_tiles.fire`, and where their chunks begin in frames of so many columns.

    A window is read in pieces that lie together in memory: rows, or pixels if it is dilated.
    """
    out, channels, height, width = conv.weight.shape
    y, x = np.mgrid[:height, : width if conv.dilation[1] > 1 else 1].reshape(2, -1)
    begin = (y * conv.dilation[0] * columns + x * conv.dilation[1]) * channels
    pieces = channels_last(conv.weight, 1).reshape(out, len(begin), -1)
    chunks = -(-pieces.shape[2] // CHUNK)
    weight = np.zeros((-(-out // OUTPUTS) * OUTPUTS, len(begin), chunks * CHUNK), np.int8)
    weight[:out, :, : pieces.shape[2]] = pieces
    offsets = (begin[:, None] + CHUNK * np.arange(chunks)).reshape(-1)
    # (pass, tile, output, chunk, four bytes, byte) to tiles whose rows hold four bytes of each output.
    tiles = weight.reshape(-1, 2, 16, len(offsets), 16, 4).transpose(0, 3, 1, 4, 2, 5)
    packed = _bytes(weight.size).view(np.int8).reshape(tiles.shape)
    packed[...] = tiles
    return offsets, packed.reshape(-1, len(offsets), 2, 16, CHUNK)


def _bytes(size: int, zero: bool = False) -> NDArray[np.uint8]:
    """An array that begins with a line of the cache: rows of tiles that lie in two lines take a quarter more time."""
    array = (np.zeros if zero else np.empty)(size + CHUNK, np.uint8)
    return array[-array.ctypes.data % CHUNK :][:size]


def _in_passes(thresholds: NDArray[np.int64]) -> NDArray[np.int32]:
    """Thresholds (F, out) for whole passes, within 32 bits: no current is as large as their limit."""
    steps, out = thresholds.shape
    whole = np.zeros((steps, -(-out // OUTPUTS) * OUTPUTS), np.int32)
    whole[:, :out] = thresholds.clip(-INT32_LIMIT, INT32_LIMIT)
    return whole


@cache
def compiled() -> ModuleType | None:
    """The loops, compiled when first used; None without numba, a folder for its cache, or the matrix unit."""
    try:
        from lava_qsnn.engines import _tiles
    except (ImportError, RuntimeError):
        return None
    return _tiles
