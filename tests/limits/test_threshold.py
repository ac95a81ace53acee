"""Integer thresholds where floating-point numbers end: ties, cancellation, the largest and the smallest."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from lava_qsnn.integer import NEVER, Affine, integer_threshold
from tests.test_threshold import fires


def threshold(
    gain: float, mean: float, variance: float, bias: float, scale: float, least: float, ratio: Fraction = Fraction(1)
) -> tuple[int, int]:
    one = [np.array([value], np.float64) for value in (gain, mean, variance, bias)]
    sign, theta = integer_threshold(Affine(*one), np.array([scale]), ratio, least)
    return int(sign[0]), int(theta[0])


class TestThresholds:
    """gain (ratio scale U - mean) / sqrt(variance) + bias >= threshold."""

    def test_every_number_counts(self) -> None:
        assert threshold(1.0, 0.0, 1.0, 0.0, 1.0, 5.25) == (1, 6)
        assert threshold(1.0, 3.0, 1.0, 0.0, 1.0, 5.25) == (1, 9)
        assert threshold(1.0, 0.0, 4.0, 0.0, 1.0, 5.25) == (1, 11)
        assert threshold(1.0, 0.0, 1.0, 2.0, 1.0, 5.25) == (1, 4)
        assert threshold(1.0, 0.0, 1.0, 0.0, 0.5, 5.25) == (1, 11)
        assert threshold(0.5, 0.0, 1.0, 0.0, 1.0, 5.25) == (1, 11)
        assert threshold(1.0, 0.0, 1.0, 0.0, 1.0, 5.25, Fraction(1, 4)) == (1, 21)
        assert threshold(-1.0, 0.0, 1.0, 0.0, 1.0, 5.25) == (-1, 6)
        assert threshold(-1.0, 3.0, 1.0, 0.0, 1.0, 5.25) == (-1, 3)
        assert threshold(-2.0, 3.0, 4.0, 1.0, 0.25, 5.25, Fraction(2)) == (-1, 3)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_ties_belong_to_the_spike(self, sign: int) -> None:
        for U in (-7, -1, 0, 1, 7):
            assert threshold(sign, 0.0, 1.0, 0.0, 1.0, U) == (sign, U)
        assert threshold(sign, 0.0, 1.0, 0.0, 0.5, 7.0) == (sign, 14)

    def test_a_crossing_that_rounds_to_an_integer_may_lie_beyond_it(self) -> None:
        """0.09 sqrt(2) is a little more than what float64 makes of it, and 0.01 sqrt(2) a little less."""
        for least, expected in ((0.09, 1), (0.01, 0)):
            assert threshold(1.0, -least * 2.0**0.5, 2.0, 0.0, 1.0, least) == (1, expected)

    def test_below_the_mean_no_positive_threshold_is_reached(self) -> None:
        assert threshold(1.0, 5.25, 1.0, 0.0, 1.0, 0.75) == (1, 6)
        assert threshold(1.0, 6.75, 1.0, 0.0, 1.0, -0.75) == (1, 6)

    def test_the_smallest_gain_counts(self) -> None:
        assert threshold(5e-324, 7.0, 1.0, 1.0, 1.0, 1.0) == (1, 7)
        assert threshold(-5e-324, 7.0, 1.0, 1.0, 1.0, 1.0) == (-1, -7)
        assert threshold(0.0, 7.0, 1.0, 1.0, 1.0, 1.0) == (1, -NEVER)

    def test_thresholds_are_kept_below_2_to_the_53(self) -> None:
        assert threshold(1.0, 0.0, 1.0, 0.0, 1.0, 2.0**53 - 1) == (1, 2**53 - 1)
        assert threshold(1.0, 0.0, 1.0, 0.0, 1.0, 2.0**53) == (1, NEVER)
        assert threshold(1.0, 0.0, 1.0, 0.0, 1.0, -(2.0**53)) == (1, -NEVER)
        assert NEVER == 2**62

    @pytest.mark.parametrize("large", [2.0**20, 2.0**40])
    def test_large_terms_that_cancel(self, large: float) -> None:
        for offset, expected in ((0.0, 3), (math.ulp(large), 4), (-math.ulp(large), 3)):
            assert threshold(1.0, -large, 1.0, 0.0, 1.0, large + 3.0 + offset) == (1, expected)

    @pytest.mark.parametrize("sign", [1, -1])
    @pytest.mark.parametrize(
        "numbers",
        [
            # Found by trying: float64 puts the crossing on the wrong side of an integer, by one unit in its last place.
            (
                1.5530095119306e-06,
                0.0,
                1.1528084038646845e-12,
                -1686897.8025532872,
                1.8242482090877836e-06,
                1686897.8025532872,
            ),
            (
                1528338.4132180223,
                0.0,
                1490428905325.722,
                -1.9220655738923817e18,
                1581236.6206574691,
                1.9220655738923817e18,
            ),
            (
                1.0836135774068644e-09,
                0.0,
                1.2083689196972325,
                -947.0143509371544,
                1.4003206565499031,
                947.0143509371544,
            ),
            (1.3364970764772806, -952309263039.5645, 1.0685586934570521, 0.0, 1.823318021229677, 1231251665089.1597),
            (1.897337939072902, -1109604829912.3777, 1.1603738280780371, 0.0, 1.543311592257159, 1954402758719.9453),
            # Terms so large that the estimate is off by many integers.
            (1.7, -1.2e18, 2.3, 0.0, 1.0, 1.7 * 1.2e18 / 2.3**0.5),
            (0.3, -1.1e21, 0.7, 0.0, 1.0, 0.3 * 1.1e21 / 0.7**0.5),
        ],
    )
    def test_what_an_estimate_gets_wrong_is_decided_exactly(self, numbers: tuple[float, ...], sign: int) -> None:
        gain, mean, variance, bias, scale, least = numbers
        gain, mean = sign * gain, sign * mean
        assert threshold(gain, mean, variance, bias, scale, least)[0] == sign
        theta = threshold(gain, mean, variance, bias, scale, least)[1]
        assert abs(theta) < NEVER
        fired = [fires(sign * U, gain, mean, variance, bias, Fraction(scale), least) for U in (theta - 1, theta)]
        assert fired == [False, True]

    def test_identity_changes_nothing(self) -> None:
        sign, theta = integer_threshold(Affine.identity(3), np.array([1.0, 0.5, 2.0]), Fraction(1, 2), 2.0)
        assert sign.tolist() == [1, 1, 1]
        assert theta.tolist() == [4, 8, 2]
        assert sign.dtype == theta.dtype == np.int64
