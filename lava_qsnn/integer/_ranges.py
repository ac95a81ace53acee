"""How far currents can reach, per channel: of a deployed layer for all its inputs, and of a block for those it got."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer._neurons import Bounds


def current_range(sources: Iterable[tuple[NDArray[Any], int, int]]) -> Bounds:
    """The least and the greatest sum of currents each channel can get, and any partial sum of them: (channels,) each.

    Exact Python integers, from the sums of each channel's negative and of its positive weights.

    Args:
        sources: for each, its integer weights (channels, ..), and the least and the greatest history word it sends, at
            most and at least 0.
    """
    low: Any = 0
    high: Any = 0
    for weight, least, greatest in sources:
        rows = weight.reshape(len(weight), -1)
        total, positive = (values.sum(1, dtype=np.int64).astype(object) for values in (rows, np.maximum(rows, 0)))
        negative = total - positive
        low = low + negative * greatest + positive * least
        high = high + positive * greatest + negative * least
    return low, high
