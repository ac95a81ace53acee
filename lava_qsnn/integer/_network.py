"""The deployed network: a few dataclasses of integers, the one truth every engine, file and report reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, InputError, RangeError

#: Name under which layers refer to the input of the network.
INPUT = "input"

#: int64 reference sums must not come near wrapping.
REFERENCE_LIMIT = 2**62

Shape = tuple[int, ...]


class _Value:
    """Dataclasses with arrays inside, compared by value."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


def _integers(values: Any, dtype: type[np.signedinteger[Any]], what: str) -> NDArray[Any]:
    """A read-only copy of `values` as `dtype`; DeploymentError if they are no integers or do not fit."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise DeploymentError(f"{what} must be integers, not {array.dtype}", remedy="fold the network first")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise DeploymentError(f"{what} from {array.min()} to {array.max()} do not fit {np.dtype(dtype).name}")
    array = array.astype(dtype)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Dense(_Value):
    """I_i[t] = sum_j W_ij h_j[t], the source flattened in C order (C H W)."""

    weight: NDArray[np.signedinteger[Any]]  # (out, in), int32

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _integers(self.weight, np.int32, "dense weights"))
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
class Conv(_Value):
    """Cross-correlation in two dimensions, as torch.nn.Conv2d computes it, without bias."""

    weight: NDArray[np.signedinteger[Any]]  # (out, in / groups, kernel height, kernel width), int32
    stride: tuple[int, int] = (1, 1)  # (height, width), and so below
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _integers(self.weight, np.int32, "convolution weights"))
        if self.weight.ndim != 4 or 0 in self.weight.shape:
            raise DeploymentError(
                f"convolution weights must have shape (out, in / groups, height, width), not {self.weight.shape}"
            )
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            pair = tuple(int(v) for v in getattr(self, name))
            if len(pair) != 2 or min(pair) < least:
                raise DeploymentError(f"{name} must be two integers from {least}, not {pair}")
            object.__setattr__(self, name, pair)
        if self.groups < 1 or self.weight.shape[0] % self.groups:
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
        return (self.weight.shape[0], *size)


Synapse = Dense | Conv


def _check_taps(taps: tuple[int, ...]) -> tuple[int, ...]:
    taps = tuple(int(tap) for tap in taps)
    if not taps or min(taps) < 1:
        raise DeploymentError(f"taps must be positive integers, not {taps}")
    return taps


@dataclass(frozen=True, eq=False)
class MemoryFree(_Value):
    """The memory-free neuron: no membrane potential is stored.

    h_j[t] = sum_{k<K} L_k s_j[t-k]     history word of a source neuron
    U_i[t] = sum_j W_ij h_j[t]          potential, from this layer's connections
    s_i[t] = 1 iff U_i[t] >= Theta_i    Theta_i of i's channel
    """

    taps: tuple[int, ...]  # L_0 .. L_{K-1}, positive
    threshold: NDArray[np.int64]  # (channels,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", _check_taps(self.taps))
        object.__setattr__(self, "threshold", _integers(self.threshold, np.int64, "thresholds"))
        if self.threshold.ndim != 1:
            raise DeploymentError(f"thresholds must have shape (channels,), not {self.threshold.shape}")


@dataclass(frozen=True, eq=False)
class Readout(_Value):
    """A layer that does not spike: its output is the potential U_i[t] itself, as MemoryFree defines it."""

    taps: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", _check_taps(self.taps))


Neuron = MemoryFree | Readout


@dataclass(frozen=True, eq=False)
class Connection(_Value):
    """A synapse and the name of the layer (or INPUT) whose output it carries."""

    source: str
    synapse: Synapse


@dataclass(frozen=True, eq=False)
class Layer(_Value):
    """Neurons of one kind and the connections whose currents they add up."""

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "connections", tuple(self.connections))
        if not self.name or self.name == INPUT or "/" in self.name:
            raise DeploymentError(f"'{self.name}' is no valid layer name")
        if not self.connections:
            raise DeploymentError("a layer needs at least one connection", layer=self.name)


@dataclass(frozen=True, eq=False)
class Input(_Value):
    """Integers from 0 to `maximum`, of shape (C,) or (C, H, W) at each time step."""

    shape: Shape
    maximum: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) not in (1, 3) or min(self.shape, default=0) < 1:
            raise DeploymentError(f"the input shape must be (C,) or (C, H, W), not {self.shape}")
        if not 1 <= self.maximum < 2**31:
            raise DeploymentError(f"the input maximum must be from 1 to 2^31 - 1, not {self.maximum}")

    @property
    def bits(self) -> int:
        """Bits of one input number."""
        return int(self.maximum).bit_length()


@dataclass(frozen=True, eq=False)
class IntegerNetwork(_Value):
    """A deployed network: an acyclic graph of layers in topological order, numpy integers only.

    Args:
        input: shape and range of what is fed in.
        timesteps: the largest T for which the network answers as training would; shorter inputs are exact, too.
        layers: each refers to the input or to layers before it; the last one is the output.

    Raises:
        DeploymentError: names, shapes or order do not fit.
        RangeError: a potential could leave the range of the int64 reference.
    """

    input: Input
    timesteps: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if isinstance(self.timesteps, bool) or not 1 <= self.timesteps < 2**31:
            raise DeploymentError(f"timesteps must be a positive integer, not {self.timesteps!r}")
        if not self.layers:
            raise DeploymentError("a network needs at least one layer")
        for layer in self.layers:
            _check_neuron(layer, self.shapes[layer.name])
            low, high = self.potential_ranges[layer.name]
            if max(-int(low.min()), int(high.max())) >= REFERENCE_LIMIT:
                raise RangeError("potentials may exceed 2^62", layer=layer.name, remedy="use a shorter history")

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of every layer's output at one time step: (C,) or (C, H, W)."""
        shapes: dict[str, Shape] = {INPUT: self.input.shape}
        for layer in self.layers:
            if layer.name in shapes:
                raise DeploymentError("two layers have the same name", layer=layer.name)
            found = {_connection_shape(layer, connection, shapes) for connection in layer.connections}
            if len(found) > 1:
                raise DeploymentError(f"its connections give different shapes {sorted(found)}", layer=layer.name)
            shapes[layer.name] = found.pop()
        return shapes

    @cached_property
    def potential_ranges(self) -> dict[str, tuple[NDArray[np.object_], NDArray[np.object_]]]:
        """The least and the greatest potential each channel of each layer can reach: two arrays (channels,).

        Exact Python integers, from the weights' negative and positive sums and the largest history word.
        """
        ranges = {}
        for layer in self.layers:
            low: Any = 0
            high: Any = 0
            for connection in layer.connections:
                negative, positive = _weight_sums(connection.synapse)
                word = self.largest_word(connection.source, layer.neuron.taps)
                low, high = low - negative * word, high + positive * word
            ranges[layer.name] = (low, high)
        return ranges

    def largest_word(self, source: str, taps: tuple[int, ...]) -> int:
        """The largest history word of a source under some taps."""
        return (self.input.maximum if source == INPUT else 1) * sum(taps)

    @property
    def output(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    @property
    def is_chain(self) -> bool:
        """True if each layer has one connection, from the layer before it (the first from the input)."""
        before = [INPUT, *(layer.name for layer in self.layers[:-1])]
        return all(
            len(layer.connections) == 1 and layer.connections[0].source == source
            for layer, source in zip(self.layers, before)
        )

    @property
    def stock_exact(self) -> bool:
        """True if unmodified lava-dl NetX computes exactly this network from its file."""
        return not self.stock_obstacles

    @cached_property
    def stock_obstacles(self) -> tuple[str, ...]:
        """Why unmodified lava-dl NetX would not compute this network exactly; empty if it would."""
        from lava_qsnn.integer._stock import stock_obstacles  # it reads networks, so it comes after this module

        return tuple(stock_obstacles(self))

    def layer(self, name: str) -> Layer:
        """The layer of that name; InputError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"there is no layer '{name}'", remedy=f"layers are {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)


def _connection_shape(layer: Layer, connection: Connection, shapes: dict[str, Shape]) -> Shape:
    if connection.source not in shapes:
        raise DeploymentError(
            f"its source '{connection.source}' is not before it",
            layer=layer.name,
            remedy="list the layers in topological order",
        )
    try:
        return connection.synapse.output_shape(shapes[connection.source])
    except DeploymentError as error:
        raise DeploymentError(error.problem, layer=layer.name, remedy=error.remedy) from None


def _check_neuron(layer: Layer, shape: Shape) -> None:
    if isinstance(layer.neuron, MemoryFree) and layer.neuron.threshold.shape != shape[:1]:
        raise DeploymentError(
            f"{layer.neuron.threshold.shape[0]} thresholds do not fit {shape[0]} channels", layer=layer.name
        )
    if any(connection.source == layer.name for connection in layer.connections):
        raise DeploymentError("a layer cannot be its own source", layer=layer.name)


def _weight_sums(synapse: Synapse) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Per output channel, the sum of |W| over its negative and over its positive weights, as Python integers."""
    rows = synapse.weight.reshape(len(synapse.weight), -1).astype(np.int64)
    negative, positive = -np.minimum(rows, 0).sum(1), np.maximum(rows, 0).sum(1)
    return negative.astype(object), positive.astype(object)
