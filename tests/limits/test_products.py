"""Products of integers: those of Python's integers, by BLAS up to 2^53 and without it beyond."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lava_qsnn.integer.synapses._product import COLUMNS, greatest_partial_sum, product

LIMIT = 2**53


def plainly(weight: Any, traces: Any) -> Any:
    """The product in Python's integers, which have no end."""
    return np.matmul(weight.astype(object), traces.astype(object))


@st.composite
def factors(draw: st.DrawFn) -> tuple[Any, Any]:
    """Weights and traces of one magnitude each, whose sums are far below, around or beyond 2^53, and within int64."""
    rows, inner, columns = (draw(st.integers(1, most)) for most in (4, 4, 20))
    bits = draw(st.integers(1, 31))
    trace = draw(st.sampled_from((1, 2**9, LIMIT >> bits, 2**60 >> bits)))
    weight = draw(arrays(np.int64, (rows, inner), elements=st.integers(-(2**bits), 2**bits)))
    return weight, draw(arrays(np.int64, (2, inner, columns), elements=st.integers(-trace, trace)))


@given(factors())
def test_products_are_those_of_python_s_integers(case: tuple[Any, Any]) -> None:
    found = product(*case)
    assert found.dtype == np.int64
    assert (found == plainly(*case)).all()
    greatest = max((abs(value) for value in plainly(abs(case[0]), abs(case[1])).flat), default=0)
    assert greatest <= greatest_partial_sum(*case)


@pytest.mark.parametrize(
    ("weight", "traces", "bound"),
    [
        ([[1, 1]], [[LIMIT // 2], [LIMIT // 2]], LIMIT),
        ([[-1, 1], [3, 0]], [[LIMIT // 3 - 1], [5]], LIMIT // 3 * 3 - 3),
        ([[1, 2]], [[-(LIMIT // 3)], [1]], LIMIT // 3 * 3),
        ([[1, 1]], [[LIMIT], [1]], 2 * LIMIT),  # float64 has no 2^53 + 1
        ([[1, -1, 1]], [[LIMIT], [-1], [0]], 3 * LIMIT),
        ([[3]], [[-(2**61)]], 3 * 2**61),
    ],
)
def test_blas_computes_what_float64_holds_and_no_more(weight: Any, traces: Any, bound: int) -> None:
    weight, traces = np.array(weight), np.repeat(traces, COLUMNS, 1)
    assert greatest_partial_sum(weight, traces) == bound
    expected = plainly(weight, traces)
    assert (product(weight, traces) == expected).all()
    assert (product(weight, traces[:, :1]) == expected[:, :1]).all()


def test_weights_of_groups_are_summed_over_their_sources() -> None:
    """Two groups of two targets and three sources: sums over targets would be smaller."""
    weight = np.array([[[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [-1, 0, 1]]])
    traces = np.full((2, 3, COLUMNS), LIMIT // 2)
    assert greatest_partial_sum(weight, traces) == 3 * (LIMIT // 2)
    assert (product(weight, traces) == plainly(weight, traces)).all()


@pytest.mark.parametrize("columns", [COLUMNS - 1, COLUMNS])
@pytest.mark.parametrize("bound", [LIMIT, LIMIT + 1])
def test_blas_takes_many_columns_and_no_sum_beyond_the_limit(columns: int, bound: int) -> None:
    weight, traces = np.ones((3, 1), np.int64), np.full((1, columns), bound)
    with patch.object(np, "matmul", wraps=np.matmul) as matmul:
        assert (product(weight, traces) == bound).all()
    (call,) = matmul.call_args_list
    assert [each.dtype == np.float64 for each in call.args] == [columns == COLUMNS and bound == LIMIT] * 2


def test_no_columns_have_no_sums() -> None:
    assert product(np.ones((3, 2), np.int64), np.zeros((5, 2, 0), np.int64)).shape == (5, 3, 0)
