"""Taps: each number accepted at its limit and refused one beyond, and how taps are made."""

from __future__ import annotations

from typing import Any

import pytest

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError


class TestTaps:
    @pytest.mark.parametrize("history", [1, 2, 64])
    def test_histories_from_1_to_64_are_taken(self, history: int) -> None:
        assert integer.check_history(history) == history
        assert integer.shift_taps(history)[0] == 2 ** (history - 1)
        assert len(integer.geometric_taps(history, 1.0, 1)) == history

    @pytest.mark.parametrize("history", [0, 65, -1, True, 2.0])
    def test_others_are_refused(self, history: Any) -> None:
        with pytest.raises(ConfigurationError, match="from 1 to 64 time steps"):
            integer.check_history(history)
        with pytest.raises(ConfigurationError):
            integer.geometric_taps(history, 0.5, 4)

    @pytest.mark.parametrize("bits", [1, 2, 8])
    def test_widths_from_1_to_8_are_taken(self, bits: int) -> None:
        assert integer.check_tap_bits(bits) == bits
        assert integer.geometric_taps(2, 1.0, bits) == (2**bits - 1,) * 2

    @pytest.mark.parametrize("bits", [0, 9, True, 4.0])
    def test_other_widths_are_refused(self, bits: Any) -> None:
        with pytest.raises(ConfigurationError, match="tap_bits must be an integer from 1 to 8"):
            integer.geometric_taps(2, 1.0, bits)

    @pytest.mark.parametrize("decay", [0.0, -0.5, 1.0000001])
    def test_a_decay_beyond_1_or_without_taps_is_refused(self, decay: float) -> None:
        with pytest.raises(ConfigurationError, match="decay must be in"):
            integer.geometric_taps(2, decay, 4)

    def test_geometric_taps_are_rounded_half_up(self) -> None:
        assert integer.geometric_taps(4, 0.5, 2) == (3, 2, 1)  # 3, 1.5, 0.75, 0.375
        assert integer.geometric_taps(2, 0.5, 1) == (1, 1)  # 1, 0.5
        assert integer.geometric_taps(3, 0.1, 4) == (15, 2)  # 15, 1.5, 0.15

    def test_scales_of_training_are_powers_of_two(self) -> None:
        assert [integer.tap_scale("shift", history, 4) for history in (1, 2, 5)] == [1, 2, 16]
        assert [integer.tap_scale(family, 5, 4) for family in ("geometric", "learned")] == [16, 16]

    def test_taps_are_reduced_to_those_that_are_reached(self) -> None:
        assert integer.reduce_taps((12, 8, 6), 3) == ((6, 4, 3), 2)
        assert integer.reduce_taps((12, 8, 6), 2) == ((3, 2), 4)
        assert integer.reduce_taps((12, 8, 6), 1) == ((1,), 12)
        with pytest.raises(ConfigurationError, match="timesteps must be at least 1, not 0"):
            integer.reduce_taps((1,), 0)
