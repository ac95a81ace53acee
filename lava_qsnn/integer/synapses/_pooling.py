"""Sum poolings of what a connection carries, and merging one into the synapse after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._values import Shape, Value
from lava_qsnn.integer.synapses._kinds import Conv, Dense, OneToOne, PairFrom0, PairFrom1, windows
from lava_qsnn.integer.synapses._synapse import Integers, Synapse


@dataclass(frozen=True, eq=False)
class SumPool(Value):
    """p[y, x] = sum_{b, a} h[y stride + b dilation - padding, ..]: sums over windows of each channel, zero outside."""

    kind: ClassVar[str] = "sum_pool"
    kernel: PairFrom1  # (height, width), and so below
    stride: PairFrom1
    padding: PairFrom0 = (0, 0)
    dilation: PairFrom1 = (1, 1)

    @property
    def count(self) -> int:
        """Numbers in a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def is_partition(self) -> bool:
        """True if windows lie side by side, without gaps, overlaps or padding."""
        return self.kernel == self.stride and self.padding == (0, 0) and self.dilation == (1, 1)

    @property
    def described(self) -> str:
        return "a pooling"

    def output_shape(self, source: Shape) -> Shape:
        """(C, H, W) to (C, rows, columns); DeploymentError if there is no window."""
        if len(source) != 3:
            raise DeploymentError("pooling needs a source of shape (C, H, W)", remedy="pool before flattening")
        return (source[0], *windows(source, self.kernel, self.stride, self.padding, self.dilation))

    def as_convolution(self, channels: int) -> Conv:
        """The same sums as a convolution of each channel with ones."""
        ones = np.ones((channels, 1, *self.kernel), np.int64)
        return Conv(ones, self.stride, self.padding, self.dilation, groups=channels)

    def sums(self, traces: Integers) -> Integers:
        """Traces (N, C, H, W, T) to their sums (N, C, rows, columns, T), int64."""
        return self.as_convolution(traces.shape[1]).current(traces)


def merge(pooling: SumPool, synapse: Synapse, source: Shape) -> Synapse:
    """The one synapse that computes `synapse` after `pooling`, for a source of shape (C, H, W).

    Raises:
        DeploymentError: zero padding between the two would see pixels that the pooling left out or overlaps, or the
            synapse is of a kind that no larger weights can hold.
    """
    if isinstance(synapse, Dense):
        return _into_dense(pooling, synapse, source)
    if isinstance(synapse, OneToOne):
        synapse = Conv(synapse.weight.reshape(-1, 1, 1, 1), groups=len(synapse.weight))
    if not isinstance(synapse, Conv):
        raise DeploymentError(f"a pooling does not merge into {synapse.described}", remedy="give it neurons")
    _refuse_inexact_padding(pooling, synapse, source)
    return _into_conv(pooling, synapse)


def _into_dense(pooling: SumPool, dense: Dense, source: Shape) -> Dense:
    channels, height, width = source
    _, rows, columns = pooling.output_shape(source)
    dense.output_shape((channels, rows, columns))
    (pad_y, pad_x), (stride_y, stride_x), (step_y, step_x) = pooling.padding, pooling.stride, pooling.dilation
    pooled = dense.weight.astype(np.int64).reshape(-1, channels, rows, columns)
    merged = np.zeros((len(pooled), channels, height + 2 * pad_y, width + 2 * pad_x), np.int64)
    for y, x in np.ndindex(*pooling.kernel):
        top, left = y * step_y, x * step_x
        vertical = slice(top, top + stride_y * (rows - 1) + 1, stride_y)
        horizontal = slice(left, left + stride_x * (columns - 1) + 1, stride_x)
        merged[:, :, vertical, horizontal] += pooled
    inside = merged[:, :, pad_y : pad_y + height, pad_x : pad_x + width]
    return Dense(inside.reshape(len(pooled), -1))


def _into_conv(pooling: SumPool, conv: Conv) -> Conv:
    """Kernel of the composition: each tap of `conv`, spread by the pooling's stride, carries one pooling kernel."""
    size = [
        (outer - 1) * dilation * stride + (inner - 1) * step + 1
        for outer, dilation, stride, inner, step in zip(
            conv.weight.shape[2:], conv.dilation, pooling.stride, pooling.kernel, pooling.dilation
        )
    ]
    kernel = np.zeros((*conv.weight.shape[:2], *size), np.int64)
    for y, x in np.ndindex(*conv.weight.shape[2:]):
        for b, a in np.ndindex(*pooling.kernel):
            row = y * conv.dilation[0] * pooling.stride[0] + b * pooling.dilation[0]
            column = x * conv.dilation[1] * pooling.stride[1] + a * pooling.dilation[1]
            kernel[:, :, row, column] += conv.weight[:, :, y, x]
    stride = (conv.stride[0] * pooling.stride[0], conv.stride[1] * pooling.stride[1])
    padding = tuple(p * s + q for p, s, q in zip(conv.padding, pooling.stride, pooling.padding))
    return Conv(kernel, stride, (padding[0], padding[1]), (1, 1), conv.groups)


def _refuse_inexact_padding(pooling: SumPool, conv: Conv, source: Shape) -> None:
    """A convolution pads the pooled map with zeros; merged, those windows must lie outside the source entirely."""
    pooled = pooling.output_shape(source)
    for axis in (0, 1):
        if not conv.padding[axis]:
            continue
        # Where the window before the first one reached into the source, the one after the last would, too.
        after = pooled[1 + axis] * pooling.stride[axis] - pooling.padding[axis]
        if after < source[1 + axis]:
            raise DeploymentError(
                f"a pooling of kernel {pooling.kernel} and stride {pooling.stride} over {source[1:]} does "
                "not merge exactly into a padded convolution",
                remedy="let the kernel equal the stride and divide the size, use padding=0 after it, "
                "or give the Pool neuron_params",
            )
