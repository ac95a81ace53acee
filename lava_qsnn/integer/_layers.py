"""The parts of a deployed network: its input, its layers, and the connections between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, RangeError
from lava_qsnn.integer._dtypes import FLOAT64_LIMIT, INT32_LIMIT, wrapped
from lava_qsnn.integer._limits import CONV_BITS
from lava_qsnn.integer._values import (
    LARGEST_COUNT,
    LONGEST_DELAY,
    LONGEST_NAME,
    MOST_LAYERS,
    MOST_NUMBERS,
    Number,
    Numbers,
    Shape,
    Value,
    whole,
)
from lava_qsnn.integer.neurons import Bounds, Neuron
from lava_qsnn.integer.synapses import Conv, SumPool, Synapse, merge

#: Name under which layers refer to the input of the network.
INPUT = "input"

#: Poolings of a connection.
MOST_POOLINGS = 8


@dataclass(frozen=True, eq=False)
class Connection(Value):
    """A synapse and the name of the layer (or INPUT) whose output it carries.

    The current at step t is that of the traces of step t - delay, pooled; before the first step they are 0.
    Of a chip's synapses, which add up in few bits and shift the sum, it is the sum, wrapped and shifted:
    floor(W_b(sum_j W_ij h_j[t - delay]) / 2^k), b = sum_bits and k = sum_shift.
    A convolution whose sums wrap to 24 bits is Lava's own Conv (`lava.proc.conv.utils.conv`), which adds up in float64
    and converts to int32 before it wraps. What int32 does not hold has no defined result there: runs refuse it.

    Args:
        source: the name of a layer, or INPUT. Without delay it is one before the connection's own; with a delay of at
            least 1 it may be any, the same one included.
        synapse: what the traces are weighted by.
        delay: time steps, 0 to 4096.
        port: the number of the current, in the `currents` of the layer's neuron, that it adds to.
        poolings: sums over windows that the traces go through first, one after the other.
        sum_bits: the bits of two's complement to which the weighted sum wraps, 2 to 32; 0 if it does not.
        sum_shift: the bits by which it is shifted down, 0 to 31.
    """

    source: str
    synapse: Synapse
    delay: Annotated[int, Number(0, LONGEST_DELAY)] = 0
    port: Annotated[int, Number(0, 255)] = 0
    poolings: tuple[SumPool, ...] = ()
    sum_bits: Annotated[int, Number(0, 32)] = 0
    sum_shift: Annotated[int, Number(0, 31)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "source", str(self.source))
        object.__setattr__(self, "poolings", tuple(self.poolings))
        whole(len(self.poolings), f"the number of poolings of {self.described}", 0, MOST_POOLINGS)
        if self.sum_bits == 1:
            raise DeploymentError(f"the sum bits of {self.described} must be 0 or from 2 to 32, not 1")

    @property
    def described(self) -> str:
        return f"a connection from '{self.source}'"

    def pooled_shape(self, source: Shape) -> Shape:
        """The shape that the poolings make of a source's."""
        for pooling in self.poolings:
            source = pooling.output_shape(source)
        return source

    def output_shape(self, source: Shape) -> Shape:
        """The shape of the targets, for that of the source; DeploymentError if it does not fit."""
        return self.synapse.output_shape(self.pooled_shape(source))

    def merged(self, source: Shape) -> Connection:
        """The same connection with its poolings merged into larger weights; DeploymentError if that is not exact."""
        if not self.poolings:
            return self
        *before, last = self.poolings
        synapse = merge(last, self.synapse, replace(self, poolings=tuple(before)).pooled_shape(source))
        return replace(self, synapse=synapse, poolings=tuple(before)).merged(source)

    def current_range(self, source: Shape, low: int, high: int) -> Bounds:
        """The range of each channel's current, for traces of a source of some shape from `low` to `high`."""
        least, greatest = self.sum_range(source, low, high)
        if self.sum_bits:
            half = 2 ** (self.sum_bits - 1)
            beyond = (least < -half) | (greatest >= half)
            least, greatest = np.where(beyond, -half, least), np.where(beyond, half - 1, greatest)
        return least >> self.sum_shift, greatest >> self.sum_shift

    def sum_range(self, source: Shape, low: int, high: int) -> Bounds:
        """The same before sums wrap and are shifted.

        Where windows overlap or reach beyond the source, pixels count by the larger weights that they merge into.
        """
        if not all(pooling.is_partition for pooling in self.poolings):
            with suppress(DeploymentError):  # what does not merge has the wider range
                return self.merged(source).synapse.current_range(low, high)
        return self.synapse.current_range(self.amplification * low, self.amplification * high)

    @property
    def is_linear(self) -> bool:
        """True if its current is a weighted sum and no more."""
        return not (self.sum_bits or self.sum_shift)

    def finished(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Weighted sums, int64, to the currents that they make: wrapped and shifted."""
        return (wrapped(sums, self.sum_bits) if self.sum_bits else sums) >> self.sum_shift

    @property
    def is_converted(self) -> bool:
        """True if its sums are converted from float64 to int32 before they wrap, as Lava's Conv does it."""
        return isinstance(self.synapse, Conv) and self.sum_bits == CONV_BITS

    def may_leave_int32(self, source: Shape, low: int, high: int) -> bool:
        """True if its sums are converted to int32, and traces from `low` to `high` could take them beyond it."""
        if not self.is_converted:
            return False
        least, greatest = self.sum_range(source, low, high)
        return int(least.min()) < -INT32_LIMIT - 1 or int(greatest.max()) > INT32_LIMIT

    def checked(self, layer: str, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same as `finished`; RangeError with the layer's name if sums to be converted leave int32."""
        if self.is_converted and (sums.min(initial=0) < -INT32_LIMIT - 1 or sums.max(initial=0) > INT32_LIMIT):
            raise RangeError(
                f"sums of {self.described} leave int32 on this input, where the result of Lava's Conv is undefined",
                layer=layer,
                remedy="scale the layer's weights, or the input, down",
            )
        return self.finished(sums)

    def finisher(
        self, layer: str, source: Shape, low: int, high: int
    ) -> Callable[[NDArray[np.int64]], NDArray[np.int64]] | None:
        """The function from sums to currents for traces from `low` to `high`, None if these are the same.

        It looks at the sums, as `checked` does, only where they could leave int32.
        """
        if self.is_linear:
            return None
        return partial(self.checked, layer) if self.may_leave_int32(source, low, high) else self.finished

    def exceeds_float64(self, low: int, high: int) -> bool:
        """True if its sums are converted, and partial sums for traces from `low` to `high` may leave 2^53."""
        reach = max(-low, high) * self.amplification
        return self.is_converted and reach * self.synapse.largest_sum > FLOAT64_LIMIT

    def simplified(self, source: Shape, low: int, high: int) -> Connection:
        """The same for traces from `low` to `high`, linear if it can be: its sums never wrap, its shift divides all."""
        least, greatest = self.sum_range(source, low, high)
        half = 2 ** (self.sum_bits - 1) if self.sum_bits else None
        if half is not None and (int(least.min()) < -half or int(greatest.max()) >= half):
            return self
        weight = self.synapse.weight
        if self.sum_shift and not (weight & ((1 << self.sum_shift) - 1)).any():
            divided = replace(self.synapse, weight=weight >> self.sum_shift)  # type: ignore[type-var]
            return replace(self, synapse=divided, sum_bits=0, sum_shift=0)
        return replace(self, sum_bits=0)

    @property
    def amplification(self) -> int:
        """The most source traces that a pooled trace adds up."""
        return int(np.prod([pooling.count for pooling in self.poolings], dtype=object))


@dataclass(frozen=True, eq=False)
class Layer(Value):
    """Neurons of one kind and the connections whose currents they add up."""

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron

    def __post_init__(self) -> None:
        object.__setattr__(self, "connections", tuple(self.connections))
        _check_name(self.name)
        object.__setattr__(self, "name", str(self.name))
        try:
            whole(len(self.connections), "the number of connections", 1, MOST_LAYERS)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=self.name) from None
        ports = len(self.neuron.currents)
        for connection in self.connections:
            if connection.port >= ports:
                raise DeploymentError(
                    f"port {connection.port} of the connection from '{connection.source}' does not exist",
                    layer=self.name,
                    remedy=f"{self.neuron.described} takes {', '.join(self.neuron.currents)}: ports 0 to {ports - 1}",
                )

    def taps(self, connection: Connection) -> tuple[int, ...]:
        """The weights of the present step and those before it in what a connection carries, its delay included."""
        return (0,) * connection.delay + self.neuron.taps


@dataclass(frozen=True, eq=False)
class Input(Value):
    """Integers from `minimum` to `maximum`, of shape (C,) or (C, H, W) at each time step."""

    shape: Annotated[Shape, Numbers(1, MOST_NUMBERS, 0, 4)]
    maximum: Annotated[int, Number(1, LARGEST_COUNT)] = 1
    minimum: Annotated[int, Number(-LARGEST_COUNT, 0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) not in (1, 3):
            raise DeploymentError(f"the input shape must be (C,) or (C, H, W), not {self.shape}")
        whole(math.prod(self.shape), "the input's size", 1, MOST_NUMBERS)

    @property
    def described(self) -> str:
        return "the input"

    @property
    def bits(self) -> int:
        """Bits of one input number, a sign included if there are negative ones."""
        magnitude = max(int(self.maximum).bit_length(), (-self.minimum - 1).bit_length() if self.minimum else 0)
        return magnitude + (self.minimum < 0)


def _check_name(name: object) -> None:
    """A name is text that any file, table and terminal can show: letters without control characters or slashes."""
    is_text = isinstance(name, str) and name.isprintable() and "/" not in name and name != INPUT
    if not is_text or not 1 <= len(str(name).encode()) <= LONGEST_NAME:
        raise DeploymentError(
            f"{name!r:.60} is no valid layer name",
            remedy=f"use printable text without '/', other than '{INPUT}', up to {LONGEST_NAME} bytes",
        )
