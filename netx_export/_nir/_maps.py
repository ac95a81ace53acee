"""The linear maps of NIR in float64: Linear, Affine, Conv2d, poolings, Flatten and Scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Conv, Shape, SumPool
from netx_export._nir._checked import Floats, kind, numbers, pair, spread

#: Numbers of the windows of a convolution that are laid out at once.
PART = 2**22


@dataclass(frozen=True)
class Map:
    """A linear map of arrays (N, *shape, T), and a constant added to its result; this one changes nothing."""

    def output_shape(self, source: Shape) -> Shape:
        """The shape that it makes of a source's (C,) or (C, H, W); DeploymentError if it does not fit."""
        return source

    def apply(self, x: Floats) -> Floats:
        """Apply it without its constant to float64 (N, *source, T)."""
        return x

    def constant(self, source: Shape) -> Floats | None:
        """The constant that it adds to each result, float64 (*output_shape,); None for nothing."""
        return None


@dataclass(frozen=True)
class Matrix(Map):
    """y = W x + b of a flat source, NIR's Linear and Affine."""

    weight: Floats  # (out, in)
    bias: Floats | None = None  # (out,)

    def output_shape(self, source: Shape) -> Shape:
        if source != (self.weight.shape[1],):
            raise DeploymentError(
                f"its {self.weight.shape[1]} inputs do not fit a source of shape {source}",
                remedy="put a Flatten before it, or mend its weight (out, in)",
            )
        return (self.weight.shape[0],)

    def apply(self, x: Floats) -> Floats:
        return np.matmul(self.weight, x)

    def constant(self, source: Shape) -> Floats | None:
        return self.bias


@dataclass(frozen=True)
class Convolution(Map):
    """Cross-correlation in two dimensions, and one constant per channel; NIR's Conv2d."""

    weight: Floats  # (out, in / groups, height, width)
    geometry: Conv  # the same without numbers: stride, padding, dilation, groups
    bias: Floats | None = None  # (out,)

    def output_shape(self, source: Shape) -> Shape:
        return self.geometry.output_shape(source)

    def apply(self, x: Floats) -> Floats:
        _, height, width = self.output_shape(x.shape[1:-1])
        result = np.empty((len(x), len(self.weight), height, width, x.shape[-1]))
        steps = max(1, PART // (self.weight[0].size * self.geometry.groups * height * width))
        for sample, answer in zip(x, result):
            for t in range(0, x.shape[-1], steps):
                answer[..., t : t + steps] = self._products(sample[..., t : t + steps], height, width)
        return result

    def _products(self, x: Floats, height: int, width: int) -> Floats:
        """All windows of (C, H, W, T) as the columns of one matrix for each group, times the weights."""
        form, (out, inner, *kernel) = self.geometry, self.weight.shape
        (pad_y, pad_x), (stride_y, stride_x), (step_y, step_x) = form.padding, form.stride, form.dilation
        padded = np.pad(x, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
        channel, row, column, time = padded.strides
        windows = np.lib.stride_tricks.as_strided(
            padded,
            (len(padded), *kernel, height, width, x.shape[-1]),
            (channel, row * step_y, column * step_x, row * stride_y, column * stride_x, time),
            writeable=False,
        )
        columns = windows.reshape(form.groups, inner * kernel[0] * kernel[1], -1)
        products = np.matmul(self.weight.reshape(form.groups, out // form.groups, -1), columns)
        return products.reshape(out, height, width, x.shape[-1])

    def constant(self, source: Shape) -> Floats | None:
        shape = self.output_shape(source)
        return None if self.bias is None else np.broadcast_to(self.bias[:, None, None], shape)


@dataclass(frozen=True)
class Pooling(Map):
    """Sums over windows, times a factor: NIR's SumPool2d, and AvgPool2d, which counts padding as torch does."""

    sums: SumPool
    factor: float = 1.0

    def output_shape(self, source: Shape) -> Shape:
        return self.sums.output_shape(source)

    def apply(self, x: Floats) -> Floats:
        conv = self.sums.as_convolution(x.shape[1])
        return Convolution(conv.weight * self.factor, conv).apply(x)


@dataclass(frozen=True)
class Flat(Map):
    """One axis of all, in C order."""

    def output_shape(self, source: Shape) -> Shape:
        return (math.prod(source),)

    def apply(self, x: Floats) -> Floats:
        return x.reshape(len(x), -1, x.shape[-1])


@dataclass(frozen=True)
class Scaled(Map):
    """y = s x, element by element; NIR's Scale."""

    scale: Floats

    def output_shape(self, source: Shape) -> Shape:
        spread(self.scale, source, "scale", "")
        return source

    def apply(self, x: Floats) -> Floats:
        return x * spread(self.scale, x.shape[1:-1], "scale", "")[..., None]


def _matrix(node: Any, place: str) -> Map:
    weight = numbers(node, "weight", place)
    if weight.ndim != 2:
        raise DeploymentError(f"its weight has shape {weight.shape}, not (out, in)", layer=place)
    return Matrix(weight, _bias(node, len(weight), place) if isinstance(node, nir.Affine) else None)


def _bias(node: Any, count: int, place: str) -> Floats | None:
    if getattr(node, "bias", None) is None:
        return None
    bias = numbers(node, "bias", place)
    if bias.size not in (1, count):
        raise DeploymentError(f"its bias {bias.shape} does not fit {count} outputs", layer=place)
    return np.broadcast_to(bias.reshape(-1), (count,)) if bias.any() else None


def _convolution(node: Any, place: str) -> Map:
    weight = numbers(node, "weight", place)
    if weight.ndim != 4:
        raise DeploymentError(f"its weight has shape {weight.shape}, not (out, in, height, width)", layer=place)
    stride, dilation = (pair(node, name, place, 1) for name in ("stride", "dilation"))
    geometry = Conv(
        np.zeros(weight.shape, np.int8),
        stride,
        _padding(node, weight.shape[2:], stride, dilation, place),
        dilation,
        pair(node, "groups", place, 1)[0],
    )
    return Convolution(weight, geometry, _bias(node, len(weight), place))


def _padding(
    node: Any, kernel: Shape, stride: tuple[int, int], dilation: tuple[int, int], place: str
) -> tuple[int, int]:
    if not isinstance(node.padding, str):
        return pair(node, "padding", place, 0)
    reach = [step * (size - 1) for step, size in zip(dilation, kernel)]
    if node.padding == "valid":
        return 0, 0
    if node.padding != "same" or stride != (1, 1) or any(each % 2 for each in reach):
        raise DeploymentError(
            f"its padding {node.padding!r:.20} with stride {stride} and kernel {tuple(kernel)} is not symmetric",
            layer=place,
            remedy="give the padding in numbers: as much on both sides",
        )
    return reach[0] // 2, reach[1] // 2


def _pooling(node: Any, place: str) -> Map:
    kernel, stride = (pair(node, name, place, 1) for name in ("kernel_size", "stride"))
    sums = SumPool(kernel, stride, pair(node, "padding", place, 0))
    return Pooling(sums, 1.0 / sums.count if isinstance(node, nir.AvgPool2d) else 1.0)


def _flat(node: Any, place: str) -> Map:
    if int(node.start_dim) not in (0, 1) or int(node.end_dim) not in (-1, 2, 3):
        raise DeploymentError(
            f"it flattens the axes {node.start_dim!r:.20} to {node.end_dim!r:.20}",
            layer=place,
            remedy="flatten all axes: start_dim=0, end_dim=-1, without batch and time",
        )
    return Flat()


#: How the maps of NIR are read, by their kind.
READERS: dict[type, Callable[[Any, str], Map]] = {
    nir.Linear: _matrix,
    nir.Affine: _matrix,
    nir.Conv2d: _convolution,
    nir.SumPool2d: _pooling,
    nir.AvgPool2d: _pooling,
    nir.Flatten: _flat,
    nir.Scale: lambda node, place: Scaled(numbers(node, "scale", place)),
}


def read_map(node: Any, place: str) -> Map:
    """The map of a NIR node; DeploymentError, with its name, if its parameters make none."""
    try:
        return READERS[type(node)](node, place)
    except DeploymentError as error:
        raise DeploymentError(error.problem, layer=place, remedy=error.remedy) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DeploymentError(f"the {kind(node)} cannot be read: {error}", layer=place) from None
