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
        rows = weight.reshape(len(weight), -1).astype(np.int64)
        negative, positive = (rows.clip(*limits).sum(1).astype(object) for limits in ((None, 0), (0, None)))
        low = low + negative * greatest + positive * least
        high = high + positive * greatest + negative * least
    return low, high
