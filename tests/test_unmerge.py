"""Undoing a merged pooling: what `merge` made of a pooling and a synapse comes apart again, and nothing else does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lava_qsnn import integer
from lava_qsnn.integer._unmerge import unmerge
from netx_export._pooling import merge


def distinct(*shape: int) -> NDArray[np.int64]:
    """Weights of which no two are equal, so that nothing repeats by chance."""
    return np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape) - math.prod(shape) // 2


def pooling(channels: int, size: int) -> integer.Conv:
    return integer.Conv(np.ones((channels, 1, size, size), int), stride=(size, size), groups=channels)


def pooled(x: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Sums over whole windows of maps (N, C, H, W)."""
    rows, columns = x.shape[2] // size, x.shape[3] // size
    inside = x[:, :, : rows * size, : columns * size]
    return inside.reshape(*x.shape[:2], rows, size, columns, size).sum((3, 5))


def assert_splits(synapse: integer.Dense | integer.Conv, source: integer.Shape, size: int) -> integer.Synapse:
    """The synapse splits into that pooling and another synapse, with the same currents; returns the other."""
    found, smaller = unmerge(synapse, source)
    assert found == size
    assert smaller.weight.size * size**2 <= synapse.weight.size
    x = np.random.default_rng(1).integers(0, 9, (3, *source))
    expected = integer.current(synapse, x[..., None])
    assert np.ptp(expected) > 0
    assert (integer.current(smaller, pooled(x, size)[..., None]) == expected).all()
    return smaller


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=100)
@given(st.data(), st.integers(2, 4), PAIRS, PAIRS, st.sampled_from([1, 2]))
def test_a_convolution_after_a_pooling(
    data: st.DataObject, size: int, kernel: tuple[int, int], stride: tuple[int, int], groups: int
) -> None:
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    conv = integer.Conv(distinct(4, 3, *kernel), stride, padding, groups=groups)
    # Beside the whole windows, rows and columns that the pooling leaves out, where merging allows it.
    left_out = [0 if pad else data.draw(st.integers(0, size - 1)) for pad in padding]
    source = (3 * groups, *(size * data.draw(st.integers(3, 5)) + some for some in left_out))
    assert assert_splits(merge(pooling(source[0], size), conv, source), source, size) == conv


def test_a_dilated_convolution_after_a_pooling() -> None:
    conv = integer.Conv(distinct(4, 3, 2, 2), dilation=(2, 1))
    merged = merge(pooling(3, 2), conv, (3, 8, 8))
    smaller = assert_splits(merged, (3, 8, 8), 2)
    assert (smaller.weight[:, :, ::2] == conv.weight).all()


@settings(max_examples=50)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(0, 1))
def test_a_dense_synapse_after_a_pooling(size: int, rows: int, columns: int, below: int, beside: int) -> None:
    source = (3, rows * size + below, columns * size + beside)
    dense = integer.Dense(distinct(5, 3 * rows * columns))
    assert assert_splits(merge(pooling(3, size), dense, source), source, size) == dense


def test_the_largest_pooling_is_found() -> None:
    assert_splits(integer.Conv(np.ones((2, 1, 4, 4), int), (4, 4)), (1, 8, 8), 4)
    assert_splits(integer.Dense(np.ones((2, 12 * 18), int)), (1, 12, 18), 6)


ONES = np.ones((2, 3, 4, 4), int)


@pytest.mark.parametrize(
    ("synapse", "source"),
    [
        (integer.Conv(distinct(2, 3, 4, 4), (2, 2)), (3, 8, 8)),
        (integer.Conv(ONES, (1, 2)), (3, 8, 8)),
        (integer.Conv(ONES, (2, 2), (1, 0)), (3, 8, 8)),
        (integer.Conv(ONES, (2, 2), (2, 0)), (3, 7, 8)),
        (integer.Conv(ONES, (2, 2), dilation=(2, 1)), (3, 9, 9)),
        (integer.Conv(ONES[..., :3], (2, 2)), (3, 8, 8)),
        (integer.Dense(distinct(2, 3 * 16)), (3, 4, 4)),
        (integer.Dense(np.ones((2, 3 * 20), int)), (3, 5, 4)),  # windows would leave out pixels that have weights
        (integer.Dense(np.ones((2, 8), int)), (8,)),
        (integer.Dense(np.ones((2, 8), int)), (8, 1, 1)),
    ],
)
def test_what_does_not_factor_is_left_alone(synapse: Any, source: integer.Shape) -> None:
    assert unmerge(synapse, source) == (1, synapse)


def test_one_output_that_differs_is_enough() -> None:
    for synapse, source in (
        (integer.Conv(np.ones((9, 2, 2, 2), int), (2, 2)), (2, 4, 4)),
        (integer.Dense(np.ones((9, 2 * 4 * 4), int)), (2, 4, 4)),
    ):
        assert unmerge(synapse, source)[0] > 1
        weight = synapse.weight.copy()
        weight.reshape(-1)[-1] = -1
        other = type(synapse)(weight, **({"stride": (2, 2)} if isinstance(synapse, integer.Conv) else {}))
        assert unmerge(other, source) == (1, other)
