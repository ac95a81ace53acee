"""Kernels: synapses as products of matrices, for many frames at once, in the narrowest numbers that stay exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from lava_qsnn.integer import Conv, Dense, OneToOne, Shape, Synapse, sum_dtype
from lava_qsnn.integer.layouts import channels_first, channels_last, per_channel

Numbers = NDArray[Any]

#: Numbers in the unfolded windows of one block of frames: they must stay in a core's own cache.
BLOCK = 2**18


@dataclass(frozen=True)
class Kernel:
    """A synapse made ready for frames: traces (B, *source shape) -> currents (B, *output shape), exactly.

    Traces are integers of at most the magnitude it was made for, in any dtype that holds them; currents come back as
    `dtype`: float32, float64 or, beyond 2^53, int64. The frames are independent; those of feature maps may come, and
    are returned, with the channels last in memory.
    """

    dtype: np.dtype[Any]
    compute: Callable[[Numbers], Numbers]

    def __call__(self, traces: Numbers) -> Numbers:
        return self.compute(traces)


@singledispatch
def kernel(synapse: Synapse, source_shape: Shape, largest_trace: int) -> Kernel:
    """Prepare a synapse for many frames: by the row of its kind, or else by its own `current`, in int64.

    Args:
        synapse: integer weights, without delays of its own.
        source_shape: (C,) or (C, H, W), one frame of its source.
        largest_trace: frames hold integers of at most this magnitude.

    Raises:
        DeploymentError: the synapse does not fit the source.
    """
    synapse.output_shape(source_shape)
    return Kernel(np.dtype(np.int64), lambda traces: synapse.current(traces.astype(np.int64)[..., None])[..., 0])


@kernel.register
def _(synapse: Dense, source_shape: Shape, largest_trace: int) -> Kernel:
    synapse.output_shape(source_shape)
    dtype = exact_dtype(synapse, largest_trace)
    return Kernel(dtype, _dense(synapse, dtype, source_shape))


@kernel.register
def _(synapse: OneToOne, source_shape: Shape, largest_trace: int) -> Kernel:
    dtype = exact_dtype(synapse, largest_trace)
    return Kernel(dtype, _one_to_one(synapse, dtype, len(synapse.output_shape(source_shape))))


@kernel.register
def _(synapse: Conv, source_shape: Shape, largest_trace: int) -> Kernel:
    dtype, shape = exact_dtype(synapse, largest_trace), synapse.output_shape(source_shape)
    # One by one with few outputs in a group: its loops would run over these alone, and take up to 8 times as long.
    out, per_group = synapse.weight.shape[:2]
    prepare = _depthwise if per_group == 1 and out == synapse.groups else _convolution
    return Kernel(dtype, prepare(synapse, dtype, shape))


def exact_dtype(synapse: Synapse, largest_trace: int) -> np.dtype[Any]:
    """The narrowest of float32, float64 and int64 in which no sum of |W| times the largest trace is ever rounded."""
    return sum_dtype(synapse.largest_sum * largest_trace)


def _dense(synapse: Dense, dtype: np.dtype[Any], source: Shape) -> Callable[[Numbers], Numbers]:
    weight = np.ascontiguousarray(weights_last(synapse, source).T, dtype)
    return lambda traces: (
        channels_last(traces, 1).astype(dtype, order="C", copy=False).reshape(len(traces), -1) @ weight
    )


def weights_last(synapse: Dense, source: Shape) -> NDArray[np.signedinteger[Any]]:
    """Dense weights (out, in) for a source (C, H, W) that is flattened with its channels last."""
    weight = synapse.weight.reshape(-1, *source)
    return channels_last(weight, 1).reshape(len(weight), -1)


def _one_to_one(synapse: OneToOne, dtype: np.dtype[Any], axes: int) -> Callable[[Numbers], Numbers]:
    weight = per_channel(synapse.weight.astype(dtype), axes)
    return lambda traces: traces.astype(dtype, copy=False) * weight


def _convolution(synapse: Conv, dtype: np.dtype[Any], output_shape: Shape) -> Callable[[Numbers], Numbers]:
    """Windows unfolded to rows of (height, width, channels), for each group one product of matrices."""
    groups, (out, per_group, *size) = synapse.groups, synapse.weight.shape
    grouped = synapse.weight.reshape(groups, out // groups, per_group, *size)
    weight = np.ascontiguousarray(grouped.transpose(0, 3, 4, 2, 1), dtype).reshape(groups, -1, out // groups)
    _, height, width = output_shape

    def compute(traces: Numbers) -> Numbers:
        currents = np.empty((len(traces), height, width, groups, out // groups), dtype)
        block = max(1, BLOCK // (height * width * weight[..., 0].size))
        pad = _Padding(synapse, traces, block, dtype)
        unfolded = np.empty((groups, min(block, len(traces)), height, width, *size, per_group), dtype)
        for start in range(0, len(traces), block):
            padded = pad(traces[start : start + block])
            columns = unfolded[:, : len(padded)]
            np.copyto(columns, _windows(synapse, padded, height, width))
            result = currents[start : start + block].reshape(-1, groups, out // groups).transpose(1, 0, 2)
            np.matmul(columns.reshape(groups, result.shape[1], -1), weight, out=result)
        return channels_first(currents.reshape(len(traces), height, width, out), 1)

    return compute


def _depthwise(synapse: Conv, dtype: np.dtype[Any], output_shape: Shape) -> Callable[[Numbers], Numbers]:
    """One channel in and out per group: a multiplication for each offset in the kernel, all groups at once."""
    groups, (out, _, *size) = synapse.groups, synapse.weight.shape
    weight = np.ascontiguousarray(synapse.weight.transpose(2, 3, 1, 0), dtype).reshape(*size, groups, out // groups)
    _, height, width = output_shape

    def compute(traces: Numbers) -> Numbers:
        currents = np.zeros((len(traces), height, width, groups, out // groups), dtype)
        block = max(1, BLOCK // currents[0].size)
        pad = _Padding(synapse, traces, block, dtype)
        for start in range(0, len(traces), block):
            total = currents[start : start + block]
            windows = _windows(synapse, pad(traces[start : start + block]), height, width)
            for y, x in np.ndindex(*size):
                total += windows[..., y, x, :].transpose(1, 2, 3, 0, 4) * weight[y, x]
        return channels_first(currents.reshape(len(traces), height, width, out), 1)

    return compute


class _Padding:
    """Frames (b, C, H, W) to (b, H + 2 pad, W + 2 pad, C), C-contiguous, in one buffer whose borders stay zero."""

    def __init__(self, synapse: Conv, traces: Numbers, block: int, dtype: np.dtype[Any]) -> None:
        channels, height, width = traces.shape[1:]
        (self.top, self.left), (self.height, self.width) = synapse.padding, (height, width)
        shape = (min(block, len(traces)), height + 2 * self.top, width + 2 * self.left, channels)
        self.buffer = np.zeros(shape, dtype)

    def __call__(self, traces: Numbers) -> Numbers:
        padded = self.buffer[: len(traces)]
        inside = padded[:, self.top : self.top + self.height, self.left : self.left + self.width]
        np.copyto(inside, channels_last(traces, 1), casting="unsafe")
        return padded


def _windows(synapse: Conv, padded: Numbers, height: int, width: int) -> Numbers:
    """The windows of a kernel, as a view: (groups, b, height, width, kernel height, kernel width, C / groups)."""
    (_, per_group, *size), groups = synapse.weight.shape, synapse.groups
    item = padded.itemsize
    column = padded.shape[3] * item
    row = padded.shape[2] * column
    frame = padded.shape[1] * row
    (stride_y, stride_x), (step_y, step_x) = synapse.stride, synapse.dilation
    return as_strided(
        padded,
        (groups, len(padded), height, width, *size, per_group),
        (per_group * item, frame, stride_y * row, stride_x * column, step_y * row, step_x * column, item),
        writeable=False,
    )
