"""Products of integers, exact, by BLAS where that can be."""

from __future__ import annotations

import numpy as np

from lava_qsnn.integer._dtypes import FLOAT64_LIMIT
from lava_qsnn.integer.synapses._synapse import Integers

#: Columns from which on BLAS is the faster one.
COLUMNS = 16


def product(weight: Integers, traces: Integers) -> Integers:
    """weight @ traces, exactly, as numpy's matmul: int64 (.., out, in) and (.., in, columns) to (.., out, columns).

    As long as no partial sum can pass 2^53, all of them are integers that float64 holds, in whatever order BLAS adds:
    that is faster than numpy's own product of integers, which computes all others, and the few columns for which it
    does not pay to convert the weights.

    Args:
        weight: not empty.
        traces: of as many leading axes, or broadcast to them.
    """
    columns = traces.size * weight.shape[-2] // weight.size  # for each weight
    if columns < COLUMNS or greatest_partial_sum(weight, traces) > FLOAT64_LIMIT:
        return np.matmul(weight, traces)
    return np.matmul(weight.astype(np.float64), traces.astype(np.float64)).astype(np.int64)


def greatest_partial_sum(weight: Integers, traces: Integers) -> int:
    """The largest sum of |weight| over a row, times the largest |trace|: a bound of all partial sums, exact."""
    largest = max(int(traces.max()), -int(traces.min()))
    return int(np.abs(weight).sum(-1).max()) * largest
