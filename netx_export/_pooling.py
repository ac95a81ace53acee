"""Merging a sum pooling into the synapse after it: one bigger kernel, or bigger dense weights, exactly."""

from __future__ import annotations

import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Conv, Dense, OneToOne, Shape, Synapse


def merge(pooling: Conv, synapse: Synapse, source: Shape) -> Synapse:
    """The synapse that computes `synapse` after `pooling` for a source of shape (C, H, W).

    Args:
        pooling: a depthwise convolution, one channel per group.
        synapse: what follows; a dense one takes the pooled source flattened.

    Raises:
        DeploymentError: zero padding between the two would see pixels that the pooling left out or overlaps.
    """
    assert not isinstance(synapse, OneToOne)
    if isinstance(synapse, Dense):
        return _into_dense(pooling, synapse, source)
    _refuse_inexact_padding(pooling, synapse, source)
    return _into_conv(pooling, synapse)


def _into_dense(pooling: Conv, dense: Dense, source: Shape) -> Dense:
    channels, height, width = source
    _, rows, columns = pooling.output_shape(source)
    dense.output_shape((channels, rows, columns))
    (pad_y, pad_x), (stride_y, stride_x), (step_y, step_x) = pooling.padding, pooling.stride, pooling.dilation
    pooled = dense.weight.astype(np.int64).reshape(-1, channels, rows, columns)
    merged = np.zeros((len(pooled), channels, height + 2 * pad_y, width + 2 * pad_x), np.int64)
    for y in range(pooling.weight.shape[2]):
        for x in range(pooling.weight.shape[3]):
            top, left = y * step_y, x * step_x
            vertical = slice(top, top + stride_y * (rows - 1) + 1, stride_y)
            horizontal = slice(left, left + stride_x * (columns - 1) + 1, stride_x)
            merged[:, :, vertical, horizontal] += pooled * pooling.weight[:, 0, y, x].reshape(1, -1, 1, 1)
    inside = merged[:, :, pad_y : pad_y + height, pad_x : pad_x + width]
    return Dense(inside.reshape(len(pooled), -1))


def _into_conv(pooling: Conv, conv: Conv) -> Conv:
    """Kernel of the composition: each tap of `conv`, spread by the pooling's stride, carries one pooling kernel."""
    size = [
        (outer - 1) * dilation * stride + (inner - 1) * step + 1
        for outer, dilation, stride, inner, step in zip(
            conv.weight.shape[2:], conv.dilation, pooling.stride, pooling.weight.shape[2:], pooling.dilation
        )
    ]
    per_group = conv.weight.shape[1]
    kernel = np.zeros((*conv.weight.shape[:2], *size), np.int64)
    # The input channel behind each (output channel, channel of its group), to find the pooling weights of that channel.
    group = np.arange(len(conv.weight)) // (len(conv.weight) // conv.groups)
    channel = group[:, None] * per_group + np.arange(per_group)
    for y, x in np.ndindex(*conv.weight.shape[2:]):
        for b, a in np.ndindex(*pooling.weight.shape[2:]):
            row = y * conv.dilation[0] * pooling.stride[0] + b * pooling.dilation[0]
            column = x * conv.dilation[1] * pooling.stride[1] + a * pooling.dilation[1]
            kernel[:, :, row, column] += conv.weight[:, :, y, x] * pooling.weight[channel, 0, b, a]
    stride = (conv.stride[0] * pooling.stride[0], conv.stride[1] * pooling.stride[1])
    padding = tuple(p * s + q for p, s, q in zip(conv.padding, pooling.stride, pooling.padding))
    return Conv(kernel, stride, (padding[0], padding[1]), (1, 1), conv.groups)


def _refuse_inexact_padding(pooling: Conv, conv: Conv, source: Shape) -> None:
    """A convolution pads the pooled map with zeros; merged, those windows must lie outside the source entirely."""
    pooled = pooling.output_shape(source)
    for axis in (0, 1):
        if not conv.padding[axis]:
            continue
        # Where the window before the first one reached into the source, the one after the last would, too.
        after = pooled[1 + axis] * pooling.stride[axis] - pooling.padding[axis]
        if after < source[1 + axis]:
            raise DeploymentError(
                f"a pooling of kernel {pooling.weight.shape[2:]} and stride {pooling.stride} over {source[1:]} does "
                "not merge exactly into a padded convolution",
                remedy="let the kernel equal the stride and divide the size, use padding=0 after it, "
                "or give the Pool neuron_params",
            )
