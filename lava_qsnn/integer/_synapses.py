"""Synapses: integer weights, and how they turn history words into currents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._values import LARGEST_GEOMETRY, MOST_NUMBERS, Shape, Value, integers, whole


@dataclass(frozen=True, eq=False)
class Dense(Value):
    """I_i[t] = sum_j W_ij h_j[t], the source flattened in C order (C H W)."""

    weight: NDArray[np.signedinteger[Any]]  # (out, in), int32

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", integers(self.weight, np.int32, "dense weights"))
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise DeploymentError(f"dense weights must have shape (out, in), not {self.weight.shape}")

    def output_shape(self, source: Shape) -> Shape:
        if math.prod(source) != self.weight.shape[1]:
            raise DeploymentError(
                f"{self.weight.shape[1]} dense inputs do not fit a source of shape {source}",
                remedy="check input_shape and the sizes of neighbouring blocks",
            )
        return (self.weight.shape[0],)


@dataclass(frozen=True, eq=False)
class Conv(Value):
    """Cross-correlation in two dimensions, as torch.nn.Conv2d computes it, without bias."""

    weight: NDArray[np.signedinteger[Any]]  # (out, in / groups, kernel height, kernel width), int32
    stride: tuple[int, int] = (1, 1)  # (height, width), and so below
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", integers(self.weight, np.int32, "convolution weights"))
        if self.weight.ndim != 4 or 0 in self.weight.shape:
            raise DeploymentError(
                f"convolution weights must have shape (out, in / groups, height, width), not {self.weight.shape}"
            )
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            pair = tuple(whole(number, name, least, LARGEST_GEOMETRY) for number in getattr(self, name))
            if len(pair) != 2:
                raise DeploymentError(f"{name} must be two integers, not {pair}")
            object.__setattr__(self, name, pair)
        object.__setattr__(self, "groups", whole(self.groups, "groups", 1, LARGEST_GEOMETRY))
        if self.weight.shape[0] % self.groups:
            raise DeploymentError(f"{self.weight.shape[0]} output channels do not divide into {self.groups} groups")

    def output_shape(self, source: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        if len(source) != 3 or source[0] != channels:
            raise DeploymentError(
                f"a convolution of {channels} channels does not fit a source of shape {source}",
                remedy="its source must be (C, H, W) with as many channels",
            )
        size = tuple(
            (extent + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for extent, pad, dilation, kernel, stride in zip(
                source[1:], self.padding, self.dilation, self.weight.shape[2:], self.stride
            )
        )
        if min(size) < 1:
            raise DeploymentError(
                f"a kernel of {self.weight.shape[2:]} with dilation {self.dilation} is larger than its source {source}",
                remedy="pad more, pool less, or use a smaller kernel",
            )
        padded = channels * math.prod(extent + 2 * pad for extent, pad in zip(source[1:], self.padding))
        if padded > MOST_NUMBERS:
            raise DeploymentError(
                f"a source {source} with padding {self.padding} has {padded:,} numbers, more than {MOST_NUMBERS:,}",
                remedy="pad less",
            )
        return (self.weight.shape[0], *size)


@dataclass(frozen=True, eq=False)
class OneToOne(Value):
    """I_c[t] = w_c h_c[t]: each source neuron has one synapse, to its own target; one weight per channel."""

    weight: NDArray[np.signedinteger[Any]]  # (channels,), int32

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", integers(self.weight, np.int32, "one-to-one weights"))
        if self.weight.ndim != 1 or not self.weight.size:
            raise DeploymentError(f"one-to-one weights must have shape (channels,), not {self.weight.shape}")

    def output_shape(self, source: Shape) -> Shape:
        if source[0] != len(self.weight):
            raise DeploymentError(
                f"{len(self.weight)} one-to-one weights do not fit a source of shape {source}",
                remedy="a skip without weights needs as many channels at its end as at its start",
            )
        return source


Synapse = Dense | Conv | OneToOne
