"""The folded integer threshold decides exactly as the real comparison it replaces, ties included."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lava_qsnn.integer import NEVER, Affine, integer_threshold

coarse = st.integers(-40, 40).map(lambda n: n / 8)  # eighths: sums and products meet exactly
squares = st.integers(1, 12).map(lambda n: (n / 4) ** 2)  # variances with a rational root, so that ties exist
any_float = st.floats(-1e3, 1e3, width=32)


def fires(U: int, gain: float, mean: float, variance: float, bias: float, scale: Fraction, threshold: float) -> bool:
    """gain (scale U - mean) / sqrt(variance) + bias >= threshold in exact arithmetic, by comparing with the root.

    The root is bracketed by rational bounds that shrink until they agree, which is another way than the library's.
    """
    left, right, v = (
        Fraction(gain) * (scale * U - Fraction(mean)),
        Fraction(threshold) - Fraction(bias),
        Fraction(variance),
    )
    for digits in (10**20, 10**60, 10**160):
        low = Fraction(isqrt(v.numerator * v.denominator * digits**2), v.denominator * digits)
        high = low if low * low == v else low + Fraction(1, v.denominator * digits)
        if (left >= right * low) == (left >= right * high):
            return left >= right * low
    raise AssertionError("the bounds do not separate")


def folded(gain: float, mean: float, variance: float, bias: float, scale: float, ratio: Fraction, threshold: float):
    one = [np.array([value], np.float64) for value in (gain, mean, variance, bias)]
    sign, theta = integer_threshold(Affine(*one), np.array([scale]), ratio, threshold)
    return int(sign[0]), int(theta[0])


def assert_decides_exactly(
    gain: float, mean: float, variance: float, bias: float, scale: float, ratio: Fraction, threshold: float
) -> None:
    sign, theta = folded(gain, mean, variance, bias, scale, ratio, threshold)
    assert sign == (-1 if gain < 0 else 1)
    if abs(theta) == NEVER:
        return
    for U in range(theta - 2, theta + 3):  # U here is sign * potential
        assert fires(sign * U, gain, mean, variance, bias, Fraction(scale) * ratio, threshold) == (theta <= U)


@given(coarse.filter(bool), coarse, squares, coarse, st.integers(1, 64).map(lambda n: n / 16), coarse)
def test_ties_are_decided_exactly(
    gain: float, mean: float, variance: float, bias: float, scale: float, threshold: float
) -> None:
    assert_decides_exactly(gain, mean, variance, bias, scale, Fraction(1, 8), threshold)


@given(
    any_float.filter(lambda g: abs(g) > 1e-3), any_float, st.floats(1e-6, 1e4), any_float, st.floats(1e-4, 1e2), coarse
)
def test_any_numbers_are_decided_exactly(
    gain: float, mean: float, variance: float, bias: float, scale: float, threshold: float
) -> None:
    assert_decides_exactly(gain, mean, variance, bias, scale, Fraction(3, 16), threshold)


@pytest.mark.parametrize(("bias", "threshold", "expected"), [(1.0, 1.0, -NEVER), (0.5, 1.0, NEVER), (-inf, 1.0, NEVER)])
def test_a_gain_of_zero_is_a_constant_neuron(bias: float, threshold: float, expected: int) -> None:
    assert folded(0.0, 0.3, 1.0, bias, 1.0, Fraction(1), threshold)[1] == expected


def test_a_threshold_out_of_reach_of_int64_is_never_or_always() -> None:
    assert folded(1e-30, 0.0, 1.0, 0.0, 1.0, Fraction(1), 1.0)[1] == NEVER
    assert folded(1e-30, 0.0, 1.0, 2.0, 1.0, Fraction(1), 1.0)[1] == -NEVER
