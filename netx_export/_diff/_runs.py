"""Two networks on the same input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Input, IntegerNetwork
from netx_export._activity import random_samples
from netx_export._diff._facts import LayerDiff, Overlay
from netx_export._diff._pairs import Pair, both
from netx_export._simulate import simulate_layers
from netx_export._telling import Telling, about
from netx_export._verify import Row, compare_outputs

#: Rows and time steps of an overlay at most.
MOST_ROWS, MOST_STEPS = 64, 256

Integers = NDArray[np.int64]


def common_samples(one: IntegerNetwork, other: IntegerNetwork, samples: int) -> Integers | None:
    """Random inputs that both networks take; None if there are none."""
    if one.input.shape != other.input.shape:
        return None
    least, greatest = max(one.input.minimum, other.input.minimum), min(one.input.maximum, other.input.maximum)
    shared = IntegerNetwork(Input(one.input.shape, greatest, least), min(one.timesteps, other.timesteps), one.layers)
    return random_samples(shared, samples)


def layer_diffs(
    one: IntegerNetwork,
    other: IntegerNetwork,
    found: list[Pair],
    x: NDArray[np.integer[Any]],
    progress: Telling | None = None,
) -> tuple[LayerDiff, ...]:
    """The differences on a batch of the outputs of layers that belong together and have one shape."""
    mine = simulate_layers(one, x, "fast", progress=about(progress, "the first network"))
    its = simulate_layers(other, x, "fast", progress=about(progress, "the second network"))
    names = [(a.name, b.name) for a, b in both(found) if mine[a.name].shape == its[b.name].shape]
    rows = [next(iter(compare_outputs("second", [a], mine, {a: its[b]}))) for a, b in names]
    parted = [row.first.sample for row in rows if row.first is not None]
    sample = parted[0] if parted else 0
    return tuple(_layer(a, b, row, mine[a], its[b], sample) for (a, b), row in zip(names, rows))


def _layer(one: str, other: str, row: Row, mine: Integers, its: Integers, sample: int) -> LayerDiff:
    differs = (mine != its).reshape(-1, mine.shape[-1])
    return LayerDiff(
        one,
        other,
        (float((mine != 0).mean()), float((its != 0).mean())),
        row,
        tuple(float(share) for share in differs.mean(0)),
        _overlay(mine[sample], its[sample]),
    )


def _overlay(mine: Integers, its: Integers) -> Overlay:
    """Of large layers the neurons that differ most often, then those that are active."""
    one, other = (values.reshape(-1, values.shape[-1]) for values in (mine, its))
    codes = np.where(one == other, (one != 0).astype(int), np.where(one > other, 2, 3))
    order = np.lexsort((-(codes > 0).sum(1), -(codes > 1).sum(1)))
    shown = np.sort(order[:MOST_ROWS])
    kept = codes[shown, :MOST_STEPS]
    return Overlay(len(one), one.shape[1], tuple(map(int, shown)), tuple(tuple(map(int, row)) for row in kept))
