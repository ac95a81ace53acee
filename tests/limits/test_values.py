"""Values: integers at the limits of their types, refusals, and comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError
from tests.helpers.chains import stored


class TestValues:
    def test_numbers_at_the_limits_of_their_type_fit(self) -> None:
        weight = integer.Dense(np.array([[-(2**31), 2**31 - 1]])).weight
        assert weight.tolist() == [[-(2**31), 2**31 - 1]]
        assert weight.dtype == np.int32
        assert not weight.flags.writeable

    @pytest.mark.parametrize("value", [-(2**31) - 1, 2**31])
    def test_one_beyond_does_not(self, value: int) -> None:
        with pytest.raises(DeploymentError, match="do not fit int32"):
            integer.Dense(np.array([[0, value]]))

    def test_unsigned_numbers_are_integers_and_floats_are_not(self) -> None:
        assert integer.Dense(np.ones((1, 2), np.uint8)).weight.dtype == np.int32
        for dtype in (float, bool, object):
            with pytest.raises(DeploymentError, match="the weight of a dense synapse must be integers"):
                integer.Dense(np.ones((1, 2), dtype))

    def test_empty_arrays_are_refused(self) -> None:
        with pytest.raises(DeploymentError, match=r"the threshold of a memory free neuron must have shape \(channel\)"):
            integer.MemoryFree((1,), np.zeros(0, int))

    def test_what_is_no_array_is_refused(self) -> None:
        with pytest.raises(DeploymentError, match="the weight of a dense synapse are no array"):
            integer.Dense([[1, 2], [3]])

    @pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
    def test_numbers_of_channels_are_any_of_int64(self, value: int) -> None:
        assert integer.MemoryFree((1,), [value]).threshold.tolist() == [value]
        with pytest.raises(DeploymentError):
            integer.MemoryFree((1,), np.array([2**63], np.uint64))

    @pytest.mark.parametrize("value", [0, 3, np.int8(3), np.uint64(3)])
    def test_whole_numbers(self, value: Any) -> None:
        assert integer.whole(value, "it", 0, 3) == value
        assert type(integer.whole(value, "it", 0, 3)) is int

    @pytest.mark.parametrize("value", [-1, 4, 2.0, True, np.bool_(True), "2", None, np.array([2])])
    def test_what_is_none_is_shown(self, value: Any) -> None:
        with pytest.raises(DeploymentError, match="it must be an integer from 0 to 3, not"):
            integer.whole(value, "it", 0, 3)
        with pytest.raises(ConfigurationError):
            integer.whole(value, "it", 0, 3, ConfigurationError)

    @pytest.mark.parametrize("values", [5, None, 2.0])
    def test_lists_of_numbers_are_lists(self, values: Any) -> None:
        with pytest.raises(DeploymentError, match="the taps of a readout neuron must be integers"):
            integer.Readout(values)

    def test_they_are_compared_by_kind_and_number(self) -> None:
        one = integer.Dense(np.array([[1, 2]]))
        assert one == integer.Dense(np.array([[1, 2]], np.int8))
        assert one != integer.Dense(np.array([[1, 3]]))
        assert one != integer.Dense(np.array([[1], [2]]))
        assert one != "dense"
        assert integer.Readout((2, 1)) != integer.Readout((2, 2))
        assert integer.MemoryFree((1,), [4]) != integer.MemoryFree((1,), [5])
        assert stored() == stored()
        assert stored() != stored(reset="soft")
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)
