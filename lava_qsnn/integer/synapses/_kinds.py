"""The synapses: dense, with delays or without, convolutional, one to one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._values import LARGEST_GEOMETRY, LONGEST_DELAY, MOST_NUMBERS, Array, Number, Numbers, Shape
from lava_qsnn.integer.layouts import per_channel
from lava_qsnn.integer.synapses._product import product
from lava_qsnn.integer.synapses._synapse import Integers, Synapse

Weights = NDArray[np.signedinteger[Any]]

#: A pair of numbers, (height, width), from 0 or from 1.
PairFrom0 = Annotated[tuple[int, int], Numbers(0, LARGEST_GEOMETRY, 2, 2)]
PairFrom1 = Annotated[tuple[int, int], Numbers(1, LARGEST_GEOMETRY, 2, 2)]


@dataclass(frozen=True, eq=False)
class Dense(Synapse):
    """I_i[t] = sum_j W_ij h_j[t], the source flattened in C order (C H W)."""

    kind: ClassVar[str] = "dense"
    weight: Annotated[Weights, Array(("out", "in"), np.int32)]

    def output_shape(self, source: Shape) -> Shape:
        if math.prod(source) != self.weight.shape[1]:
            raise DeploymentError(
                f"{self.weight.shape[1]} dense inputs do not fit a source of shape {source}",
                remedy="check input_shape and the sizes of neighbouring blocks",
            )
        return (self.weight.shape[0],)

    def current(self, traces: Integers) -> Integers:
        flat = traces.reshape(len(traces), -1, traces.shape[-1])
        return product(self.weight.astype(np.int64), flat)


@dataclass(frozen=True, eq=False)
class DelayedDense(Synapse):
    """I_i[t] = sum_j W_ij h_j[t - d_ij], the source flattened in C order: a dense synapse whose weights have delays."""

    kind: ClassVar[str] = "delayed_dense"
    weight: Annotated[Weights, Array(("out", "in"), np.int32)]
    delays: Annotated[Weights, Array(("out", "in"))]  # d; (out, 1) or (1, in) where all targets or sources share them

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(have not in (1, want) for have, want in zip(self.delays.shape, self.weight.shape)):
            raise DeploymentError(
                f"delays {self.delays.shape} do not fit weights {self.weight.shape}",
                remedy="give one for each weight, (out, in), for each target, (out, 1), or for each source, (1, in)",
            )
        low, high = int(self.delays.min()), int(self.delays.max())
        if low < 0 or high > LONGEST_DELAY:
            raise DeploymentError(f"delays must be from 0 to {LONGEST_DELAY:,} time steps, not {low:,} to {high:,}")

    def output_shape(self, source: Shape) -> Shape:
        return Dense(self.weight).output_shape(source)

    @property
    def delay(self) -> int:
        return int(self.delays.max())

    def current(self, traces: Integers) -> Integers:
        flat, steps = traces.reshape(len(traces), -1, traces.shape[-1]), traces.shape[-1]
        total = np.zeros((len(traces), len(self.weight), steps), np.int64)
        for delay in np.unique(self.delays[self.delays < steps]):
            weight = np.where(self.delays == delay, self.weight, 0).astype(np.int64)
            total[..., delay:] += product(weight, flat[..., : steps - delay])
        return total


@dataclass(frozen=True, eq=False)
class Conv(Synapse):
    """Cross-correlation in two dimensions, as torch.nn.Conv2d computes it, without bias."""

    kind: ClassVar[str] = "conv"
    weight: Annotated[Weights, Array(("out", "in / groups", "height", "width"), np.int32)]
    stride: PairFrom1 = (1, 1)  # (height, width), and so below
    padding: PairFrom0 = (0, 0)
    dilation: PairFrom1 = (1, 1)
    groups: Annotated[int, Number(1, LARGEST_GEOMETRY)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.shape[0] % self.groups:
            raise DeploymentError(f"{self.weight.shape[0]} output channels do not divide into {self.groups} groups")

    def output_shape(self, source: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        if len(source) != 3 or source[0] != channels:
            raise DeploymentError(
                f"a convolution of {channels} channels does not fit a source of shape {source}",
                remedy="its source must be (C, H, W) with as many channels",
            )
        kernel = (self.weight.shape[2], self.weight.shape[3])
        return (self.weight.shape[0], *windows(source, kernel, self.stride, self.padding, self.dilation))

    def current(self, traces: Integers) -> Integers:
        weight = self.weight.astype(np.int64)
        groups, (out, per_group, *kernel) = self.groups, weight.shape
        _, height, width = self.output_shape(traces.shape[1:-1])
        (pad_y, pad_x), (stride_y, stride_x) = self.padding, self.stride
        padded = np.pad(traces, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
        padded = padded.reshape(len(traces), groups, per_group, *padded.shape[2:])
        weight = weight.reshape(groups, out // groups, per_group, *kernel)
        total = np.zeros((len(traces), groups, out // groups, height * width * traces.shape[-1]), np.int64)
        for y, x in np.ndindex(*kernel):
            top, left = y * self.dilation[0], x * self.dilation[1]
            rows = slice(top, top + stride_y * (height - 1) + 1, stride_y)
            columns = slice(left, left + stride_x * (width - 1) + 1, stride_x)
            seen = padded[..., rows, columns, :].reshape(len(traces), groups, per_group, -1)
            total += product(weight[..., y, x], seen)
        return total.reshape(len(traces), out, height, width, traces.shape[-1])


@dataclass(frozen=True, eq=False)
class OneToOne(Synapse):
    """I_c[t] = w_c h_c[t]: each source neuron has one synapse, to its own target; one weight per channel."""

    kind: ClassVar[str] = "one_to_one"
    weight: Annotated[Weights, Array(("channel",), np.int32)]

    def output_shape(self, source: Shape) -> Shape:
        if source[0] != len(self.weight):
            raise DeploymentError(
                f"{len(self.weight)} one-to-one weights do not fit a source of shape {source}",
                remedy="a skip without weights needs as many channels at its end as at its start",
            )
        return source

    def current(self, traces: Integers) -> Integers:
        return traces * per_channel(self.weight.astype(np.int64), traces.ndim - 2)[..., None]


def windows(
    source: Shape, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int]:
    """Count the windows of a kernel in a source (C, H, W), in height and width; DeploymentError if there is none."""
    height, width = (
        (extent + 2 * pad - spread * (size - 1) - 1) // step + 1
        for extent, pad, spread, size, step in zip(source[1:], padding, dilation, kernel, stride)
    )
    if min(height, width) < 1:
        raise DeploymentError(
            f"a kernel of {tuple(kernel)} with dilation {dilation} is larger than its source {source}",
            remedy="pad more, pool less, or use a smaller kernel",
        )
    padded = source[0] * math.prod(extent + 2 * pad for extent, pad in zip(source[1:], padding))
    if padded > MOST_NUMBERS:
        raise DeploymentError(
            f"a source {source} with padding {padding} has {padded:,} numbers, more than {MOST_NUMBERS:,}",
            remedy="pad less",
        )
    return height, width
