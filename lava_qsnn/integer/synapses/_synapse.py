"""The contract of a synapse: all that engines, files, limits and reports need to know of one.

A kind of synapse is a frozen dataclass below `Synapse`: its parameters are fields, each declared with its role, and
`current` says what it computes. That alone makes it run on every engine, exactly; a faster form for an engine is one
more row in that engine's table.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._values import Shape, Value
from lava_qsnn.integer.neurons import Bounds

Integers = NDArray[np.int64]


class Synapse(Value):
    """Integer weights, and how they turn traces into currents.

    Class attributes:
        kind: its name in files and tables.

    Attributes:
        weight: its integer weights, (targets or output channels, ..).
    """

    kind: ClassVar[str]
    weight: NDArray[np.signedinteger[Any]]

    def output_shape(self, source: Shape) -> Shape:
        """The shape of its targets for a source (C,) or (C, H, W); DeploymentError if it does not fit."""
        raise NotImplementedError

    def current(self, traces: Integers) -> Integers:
        """Weighted sums of traces: int64 (N, *source shape, T) to (N, *output shape, T)."""
        raise NotImplementedError

    @property
    def delay(self) -> int:
        """The time steps before the present that its own delays reach back; 0 if it has none."""
        return 0

    @property
    def largest_sum(self) -> int:
        """The largest sum of |W| over the synapses of one target, at least 1: the bound of all partial sums."""
        rows = np.abs(self.weight.reshape(len(self.weight), -1).astype(np.int64))
        return max(int(rows.sum(1).max()), 1)

    def current_range(self, low: int, high: int) -> Bounds:
        """The range of each output channel's current, for traces from `low` <= 0 to `high` >= 0."""
        return weight_range(self.weight, low, high)

    @property
    def described(self) -> str:
        return f"a {self.kind.replace('_', ' ')} synapse"


def weight_range(weight: NDArray[Any], low: int, high: int) -> Bounds:
    """The range of sums, and of partial sums, of each channel's weights (channels, ..) times traces.

    Args:
        weight: integers.
        low, high: the least and the greatest trace, at most and at least 0.

    Returns:
        Exact Python integers (channels,), from the sums of negative and of positive weights.
    """
    rows = weight.reshape(len(weight), -1)
    total, positive = (values.sum(1, dtype=np.int64).astype(object) for values in (rows, np.maximum(rows, 0)))
    negative = total - positive
    return negative * high + positive * low, positive * high + negative * low
