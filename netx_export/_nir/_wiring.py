"""The synapse that a path's linear maps amount to, in floating point, and its integer connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Connection, Dense, OneToOne, Shape, SumPool, Synapse
from netx_export._nir._checked import Floats
from netx_export._nir._graph import Path
from netx_export._nir._maps import Convolution, Flat, Map, Matrix, Pooling, Scaled

#: Weights of a dense layer that several maps in a row are multiplied into.
MOST_WEIGHTS = 2**24


@dataclass(frozen=True)
class Wiring:
    """Weights of a path by their targets' channels, float64 (channels, ..), and what makes a synapse of integers."""

    source: str
    delay: int
    poolings: tuple[SumPool, ...]
    weight: Floats
    synapse: Callable[[NDArray[np.int64]], Synapse]

    @property
    def rows(self) -> Floats:
        """The weights of each channel of the targets, (channels, synapses)."""
        return self.weight.reshape(len(self.weight), -1)

    @property
    def amplification(self) -> int:
        """The most outputs of the source that the poolings add up."""
        return math.prod(pooling.count for pooling in self.poolings)

    def rounded(self, scale: Floats) -> NDArray[np.int64]:
        """The weights times each channel's scale, (channels,), as integers."""
        return np.rint(self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))).astype(np.int64)

    def connections(self, weight: NDArray[np.int64], half: int) -> tuple[Connection, ...]:
        """Connections that carry integer weights.

        Args:
            weight: see `rounded`.
            half: 0 for one connection; else large weights are split into one for multiples of 2 half, and one for the
                rest, from -half to half - 1.
        """
        high = (weight + half) // (2 * half) * (2 * half) if half else np.zeros_like(weight)
        parts = [weight - high, high] if high.any() else [weight]
        return tuple(Connection(self.source, self.synapse(part), self.delay, 0, self.poolings) for part in parts)


def wire(path: Path, source: Shape, target: Shape, name: str) -> Wiring:
    """The wiring of a path between populations of some shapes.

    Poolings, then at most one Linear, Affine, Conv2d or Scale, become themselves; other rows of maps are multiplied
    into one dense layer.

    Raises:
        DeploymentError: that would take too many weights, or does not fit the targets' shape.
    """
    poolings, factor, rest = _split([each for each in path.maps if type(each) is not Map])
    wiring = Wiring(path.source, path.delay, poolings, np.ones((1, 1)), Dense)
    plain = [each for each in rest if not isinstance(each, Flat)]
    shape = source
    for pooling in poolings:
        shape = pooling.output_shape(shape)
    if len(plain) == 1 and isinstance(plain[0], Matrix) and len(target) == 1:
        return replace(wiring, weight=plain[0].weight * factor)
    if len(plain) == 1 and len(rest) == 1 and isinstance(plain[0], Convolution):
        form = plain[0].geometry
        return replace(wiring, weight=plain[0].weight * factor, synapse=lambda weight: replace(form, weight=weight))
    channels = _by_channel(rest, shape)
    if channels is not None:
        return replace(wiring, weight=channels * factor, synapse=lambda weight: OneToOne(weight.reshape(-1)))
    return replace(wiring, poolings=(), weight=_multiplied(path, source, target, name))


def _split(maps: list[Map]) -> tuple[tuple[SumPool, ...], float, list[Map]]:
    """The poolings at the start, the factor that they average by, and the maps after them."""
    count = next((number for number, each in enumerate(maps) if not isinstance(each, Pooling)), len(maps))
    leading = [each for each in maps[:count] if isinstance(each, Pooling)]
    return tuple(each.sums for each in leading), math.prod(each.factor for each in leading), maps[count:]


def _by_channel(maps: list[Map], shape: Shape) -> Floats | None:
    """One weight per channel, (channels, 1), if that is all that the maps are."""
    if not maps:
        return np.ones((shape[0], 1))
    if len(maps) > 1 or not isinstance(maps[0], Scaled):
        return None
    scale = np.broadcast_to(maps[0].scale if maps[0].scale.size > 1 else maps[0].scale.reshape(-1)[0], shape)
    rows = scale.reshape(shape[0], -1)
    return rows[:, :1] if (rows == rows[:, :1]).all() else None


def _multiplied(path: Path, source: Shape, target: Shape, name: str) -> Floats:
    """The dense weights, (targets, sources), that a path's maps amount to."""
    inputs, outputs = math.prod(source), math.prod(target)
    if inputs * outputs > MOST_WEIGHTS or len(target) > 1:
        raise DeploymentError(
            f"the maps from '{path.source}' to its {target} have no synapse, and as dense weights would be "
            f"{inputs:,} x {outputs:,}",
            layer=name,
            remedy="let a path be poolings, then one Linear or Conv2d, or put neurons between",
        )
    weight = np.empty((outputs, inputs))
    for start in range(0, inputs, 256):
        unit: Any = np.zeros((min(256, inputs - start), inputs))
        unit[np.arange(len(unit)), start + np.arange(len(unit))] = 1
        weight[:, start : start + 256] = path.apply(unit.reshape(-1, *source, 1)).reshape(len(unit), -1).T
    return weight
