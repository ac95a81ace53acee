"""The integer core at its limits: each number accepted at its limit and refused one beyond, and what is said of it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError
from lava_qsnn.integer import NEVER, Affine, _limits, integer_threshold
from tests.test_threshold import fires


def chain(*layers: integer.Layer, inputs: int = 1, maximum: int = 1, timesteps: int = 1) -> integer.IntegerNetwork:
    return integer.IntegerNetwork(integer.Input((inputs,), maximum), timesteps, layers)


def layer(
    name: str, weight: Any, neuron: integer.Neuron | None = None, source: str = "input", **more: integer.Synapse
) -> integer.Layer:
    synapses = {source: integer.Dense(np.asarray(weight)), **more}
    connections = tuple(integer.Connection(start, synapse) for start, synapse in synapses.items())
    return integer.Layer(name, connections, neuron or integer.Readout((1,)))


def stored(**changes: Any) -> integer.QuantizedLIF:
    values = {"bits": 4, "leak": 2, "reset": "hard", "potential_shift": [0], "current_shift": [0], "bias": [0]}
    return integer.QuantizedLIF(**{**values, "threshold": [1], **changes})


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


class TestSynapses:
    @pytest.mark.parametrize("shape", [(0, 2), (2, 0), (2,), (1, 1, 1)])
    def test_dense_weights_have_two_axes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match=r"shape \(out, in\)"):
            integer.Dense(np.ones(shape, int))

    @pytest.mark.parametrize("shape", [(0, 1, 1, 1), (1, 1, 0, 1), (1, 1, 1), (1, 1, 1, 1, 1)])
    def test_kernels_have_four(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match=r"shape \(out, in / groups, height, width\)"):
            integer.Conv(np.ones(shape, int))

    @pytest.mark.parametrize("shape", [(0,), (1, 1), ()])
    def test_one_to_one_weights_have_one(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match=r"shape \(channel\)"):
            integer.OneToOne(np.ones(shape, int))

    def test_a_convolution_is_plain_by_default(self) -> None:
        conv = integer.Conv(np.ones((2, 3, 1, 1), int))
        assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((1, 1), (0, 0), (1, 1), 1)

    @pytest.mark.parametrize(("name", "least"), [("stride", 1), ("padding", 0), ("dilation", 1)])
    def test_its_geometry_has_least_numbers(self, name: str, least: int) -> None:
        ones = np.ones((1, 1, 1, 1), int)
        for pair in ((least, least + 1), (2**16 - 1, least)):
            assert getattr(integer.Conv(ones, **{name: pair}), name) == pair
        for pair in ((least - 1, least), (least, least - 1), (2**16, least), (least, 2**16)):
            with pytest.raises(
                DeploymentError, match=f"each of the {name} of a conv .* integer from {least} to 65,535"
            ):
                integer.Conv(ones, **{name: pair})
        for other in ((least,), (least, least, least)):
            with pytest.raises(DeploymentError, match=f"the {name} of a conv synapse must be 2 integers, not"):
                integer.Conv(ones, **{name: other})

    def test_groups_divide_the_outputs(self) -> None:
        for groups in (1, 2, 4):
            assert integer.Conv(np.ones((4, 1, 1, 1), int), groups=groups).groups == groups
        for groups in (3, 8, 2**16 - 1):
            with pytest.raises(DeploymentError, match=f"4 output channels do not divide into {groups} groups"):
                integer.Conv(np.ones((4, 1, 1, 1), int), groups=groups)
        for groups in (0, -1, 2**16):
            with pytest.raises(
                DeploymentError, match="the groups of a conv synapse must be an integer from 1 to 65,535"
            ):
                integer.Conv(np.ones((4, 1, 1, 1), int), groups=groups)

    def test_output_shapes(self) -> None:
        conv = integer.Conv(np.ones((6, 2, 3, 2), int), (2, 3), (1, 2), (2, 1), 3)
        assert conv.output_shape((6, 9, 8)) == (6, 4, 4)  # (9 + 2 - 4 - 1) // 2 + 1, (8 + 4 - 1 - 1) // 3 + 1
        assert integer.Conv(np.ones((1, 1, 3, 3), int)).output_shape((1, 3, 3)) == (1, 1, 1)
        assert integer.Dense(np.ones((5, 12), int)).output_shape((3, 2, 2)) == (5,)
        assert integer.OneToOne(np.ones(3, int)).output_shape((3, 4, 5)) == (3, 4, 5)

    @pytest.mark.parametrize("source", [(1, 2, 3), (1, 3, 2)])
    def test_a_kernel_larger_than_its_source_is_refused(self, source: integer.Shape) -> None:
        with pytest.raises(DeploymentError, match=r"a kernel of \(3, 3\) .* is larger than its source"):
            integer.Conv(np.ones((1, 1, 3, 3), int)).output_shape(source)

    @pytest.mark.parametrize("source", [(3, 4, 4), (4,), (4, 4)])
    def test_a_source_of_other_channels_is_refused(self, source: integer.Shape) -> None:
        with pytest.raises(DeploymentError, match="a convolution of 4 channels does not fit"):
            integer.Conv(np.ones((2, 2, 1, 1), int), groups=2).output_shape(source)
        with pytest.raises(DeploymentError, match="5 one-to-one weights do not fit"):
            integer.OneToOne(np.ones(5, int)).output_shape(source)
        with pytest.raises(DeploymentError, match="5 dense inputs do not fit"):
            integer.Dense(np.ones((1, 5), int)).output_shape(source)

    def test_padded_sources_have_a_size(self) -> None:
        """2^28 numbers: 2^14 by 2^14 of one channel."""
        one = integer.Conv(np.ones((1, 1, 1, 1), int), padding=(2**13 - 1, 2**13 - 1))
        assert one.output_shape((1, 2, 2)) == (1, 2**14, 2**14)
        with pytest.raises(DeploymentError, match="with padding .* numbers, more than 268,435,456"):
            one.output_shape((1, 2, 3))
        with pytest.raises(DeploymentError, match="with padding .* numbers, more than 268,435,456"):
            one.output_shape((1, 3, 2))

    def test_the_range_of_currents(self) -> None:
        for synapse in (integer.Dense([[2, -3], [0, 5]]), integer.Conv([[[[2, -3]]], [[[0, 5]]]])):
            low, high = synapse.current_range(-7, 10)
            assert low.tolist() == [-7 * 2 - 10 * 3, -7 * 5]
            assert high.tolist() == [10 * 2 + 7 * 3, 10 * 5]
            assert [type(value) for value in (*low, *high)] == [int] * 4
        low, high = integer.OneToOne([2**31 - 1]).current_range(0, 2**61)
        assert (low.tolist(), high.tolist()) == ([0], [(2**31 - 1) * 2**61])

    def test_none_looks_back_by_itself(self) -> None:
        assert integer.Dense([[1]]).delay == 0


class TestPoolings:
    @pytest.mark.parametrize(("name", "least"), [("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)])
    def test_their_geometry_has_least_numbers(self, name: str, least: int) -> None:
        def pooling(pair: tuple[int, ...]) -> integer.SumPool:
            return integer.SumPool(**{"kernel": (2, 2), "stride": (2, 2), name: pair})

        for pair in ((least, least + 1), (2**16 - 1, least)):
            assert getattr(pooling(pair), name) == pair
        for pair in ((least - 1, least), (least, least - 1), (2**16, least)):
            with pytest.raises(DeploymentError, match=f"each of the {name} of a pooling .* from {least} to 65,535"):
                pooling(pair)

    def test_sums_by_hand(self) -> None:
        pooling = integer.SumPool((2, 1), (1, 2), (1, 0), (2, 1))
        traces = np.arange(1, 10).reshape(1, 1, 3, 3, 1)
        assert pooling.output_shape((1, 3, 3)) == (1, 3, 2)
        assert pooling.sums(traces)[..., 0].tolist() == [[[[4, 6], [1 + 7, 3 + 9], [4, 6]]]]
        assert pooling.count == 2
        with pytest.raises(DeploymentError, match="pooling needs a source of shape"):
            pooling.output_shape((9,))

    def test_windows_that_lie_side_by_side(self) -> None:
        assert integer.SumPool((2, 3), (2, 3)).is_partition
        for changes in ({"stride": (2, 2)}, {"padding": (0, 1)}, {"dilation": (1, 2)}):
            assert not integer.SumPool(**{"kernel": (2, 3), "stride": (2, 3), **changes}).is_partition


class TestNeurons:
    def test_what_they_keep_between_steps(self) -> None:
        assert integer.MemoryFree((2, 1), [1]).state_bits == integer.Readout((2, 1)).state_bits == 0
        assert stored(bits=5).state_bits == 5
        assert [stored(bits=bits).stored_range for bits in (2, 16)] == [(-2, 1), (-(2**15), 2**15 - 1)]

    def test_which_of_them_spike_and_for_how_many_channels(self) -> None:
        assert integer.MemoryFree((1,), [1]).spikes
        assert stored().spikes
        assert not integer.Readout((1,)).spikes
        assert integer.MemoryFree((1,), [7]).broadcast(3).threshold.tolist() == [7, 7, 7]
        assert integer.Readout((1,)).threshold is None
        assert integer.Readout((2, 1)).broadcast(3) == integer.Readout((2, 1))
        assert stored().taps == (1,)
        assert not integer.Readout.feeds
        assert integer.MemoryFree.feeds
        assert stored(bits=3, leak=4, reset="soft").summary() == "3 bits, leak 1/16, soft"
        assert integer.MemoryFree((1,), [1]).summary() == ""

    @pytest.mark.parametrize("shape", [(2,), (2, 3, 4)])
    def test_numbers_of_channels_are_as_many_as_channels(self, shape: integer.Shape) -> None:
        integer.Readout((1,)).check(shape, 1)
        integer.MemoryFree((1,), [1, 2]).check(shape, 1)
        for count in (1, 3):
            with pytest.raises(DeploymentError, match=rf"its threshold values \({count},\) do not fit \(2,\), one for"):
                integer.MemoryFree((1,), [1] * count).check(shape, 1)

    @pytest.mark.parametrize("taps", [(), (0,), (1, 0), (2, -1)])
    def test_taps_are_positive(self, taps: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match="the taps of a readout neuron must be"):
            integer.Readout(taps)

    def test_taps_are_up_to_64_of_up_to_2_to_the_62(self) -> None:
        assert integer.Readout((2**62, *[1] * 63)).taps == (2**62, *[1] * 63)
        with pytest.raises(DeploymentError, match="the taps of a readout neuron must be 1 to 64 integers, not 65"):
            integer.Readout((1,) * 65)
        with pytest.raises(
            DeploymentError, match="each of the taps of a memory free neuron must be an integer from 1 to"
        ):
            integer.MemoryFree((2**62 + 1,), [1])

    def test_thresholds_are_one_per_channel(self) -> None:
        with pytest.raises(DeploymentError, match=r"must have shape \(channel\), not \(1, 2\)"):
            integer.MemoryFree((1,), np.ones((1, 2), int))
        with pytest.raises(DeploymentError, match="shifts, biases and thresholds must be as many as channels"):
            stored(bias=[0, 0])

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [("bits", (2, 16), (1, 17)), ("leak", (1, 8), (0, 9)), ("reset", ("hard", "soft"), ("", "none", 1))],
    )
    def test_options_of_a_stored_potential(self, name: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
        for value in good:
            assert getattr(stored(**{name: value}), name) == value
        for value in bad:
            with pytest.raises(
                DeploymentError, match=f"the {name} of a quantized lif neuron must be .*, not {value!r}"
            ):
                stored(**{name: value})

    @pytest.mark.parametrize("name", ["potential_shift", "current_shift"])
    def test_shifts_from_0_to_31(self, name: str) -> None:
        assert getattr(stored(**{name: [31]}), name).tolist() == [31]
        for shift in (-1, 32):
            with pytest.raises(DeploymentError, match="shifts must be from 0 to 31"):
                stored(**{name: [shift]})

    def test_the_range_of_a_stored_potential(self) -> None:
        neuron = stored(potential_shift=[3], current_shift=[2], bias=[5])
        low, high = neuron.potential_range([(np.array([-10], object), np.array([20], object))])
        assert (low.tolist(), high.tolist()) == ([8 * -8 + 4 * -10 + 5], [8 * 7 + 4 * 20 + 5])

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            # U from -47 to 40, leaking by 3 |U| + 2.
            ({}, 3 * 47 + 2),
            ({"bias": [9]}, 3 * 49 + 2),
            ({"leak": 1}, 47 + 1),
            ({"leak": 3}, 7 * 47 + 4),
            ({"potential_shift": [3]}, 3 * 103 + 16),
            ({"reset": "soft", "threshold": [-20]}, 3 * 60 + 2),
            ({"reset": "soft", "threshold": [-7]}, 3 * 47 + 2),
            ({"reset": "soft", "threshold": [2**62]}, 3 * 47 + 2),
            ({"reset": "hard", "threshold": [-20]}, 3 * 47 + 2),
            # With its bias, U is from -44 to 43; before it is added, -47 is further out than what leaks.
            ({"leak": 1, "bias": [3]}, 47),
        ],
    )
    def test_what_computing_a_stored_potential_reaches(self, changes: dict[str, Any], expected: int) -> None:
        neuron = stored(**changes)
        currents = [(np.array([-39], object), np.array([33], object))]
        assert neuron.reach(currents) == expected

    def test_thresholds_within_what_potentials_reach(self) -> None:
        """All that are never reached are one beyond, all that always are the least; a soft reset subtracts these."""
        currents = [(np.array([-39] * 4, object), np.array([33] * 4, object))]
        far, zeros = (
            [-(2**63), -47, 40, 2**63 - 1],
            dict.fromkeys(("potential_shift", "current_shift", "bias"), [0] * 4),
        )
        for neuron, expected in (
            (integer.MemoryFree((1,), far), [-39, -39, 34, 34]),
            (integer.MemoryFree((1,), [-38, 0, 33, 34]), [-38, 0, 33, 34]),
            (stored(**zeros, threshold=far), [-47, -47, 40, 41]),
            (stored(**zeros, threshold=far, reset="soft"), [-(2**63), -47, 40, 41]),
        ):
            assert neuron.within(currents).tolist() == expected
            assert neuron.within(currents).dtype == np.int64

    def test_steps_are_what_a_run_is_made_of(self) -> None:
        """Also of kinds that compute all steps at once."""
        arrays = {name: [0, 1, 0] for name in ("potential_shift", "current_shift", "bias")}
        for shape in ((3,), (3, 2, 4)):
            currents = np.random.default_rng(0).integers(-4, 9, (5, *shape, 6))
            for neuron in (
                integer.MemoryFree((1,), [2, 4, -1]),
                integer.Readout((1,)),
                stored(**arrays, threshold=[3, 4, 5]),
            ):
                found, steps = neuron.run([currents]), integer.Neuron.run(neuron, [currents])
                for one, other in zip(found, steps):
                    assert (one == other).all()
                    assert (one.dtype, one.shape) == (np.int64, currents.shape)
                assert not neuron.spikes or 0 < found[0].mean() < 1

    def test_which_channels_never_fire(self) -> None:
        currents = [(np.array([-39] * 4, object), np.array([33] * 4, object))]
        assert integer.MemoryFree((1,), [33, 34, -99, 99]).never_fires(currents).tolist() == [False, True, False, True]
        zeros = dict.fromkeys(("potential_shift", "current_shift", "bias"), [0] * 4)
        silent = stored(**zeros, threshold=[40, 41, -99, 99]).never_fires(currents)
        assert silent.tolist() == [False, True, False, True]
        assert integer.Readout((1,)).never_fires(currents).tolist() == [False] * 4


class TestNetworks:
    @pytest.mark.parametrize("shape", [(), (2, 2), (0,), (1, 0, 1), (1, 1, 1, 1)])
    def test_inputs_have_one_axis_or_three(self, shape: integer.Shape) -> None:
        with pytest.raises(DeploymentError, match="the input shape must be|each of the shape of the input must be"):
            integer.Input(shape)

    @pytest.mark.parametrize("shape", [(2**28,), (2**14, 2**14, 1)])
    def test_the_size_of_an_input(self, shape: integer.Shape) -> None:
        assert integer.Input(shape).shape == shape
        with pytest.raises(DeploymentError):
            integer.Input((*shape[:-1], shape[-1] + 1))

    @pytest.mark.parametrize(("maximum", "bits"), [(1, 1), (2, 2), (2**31 - 1, 31)])
    def test_the_largest_input(self, maximum: int, bits: int) -> None:
        assert integer.Input((1,), maximum).bits == bits
        assert integer.Input((1, 1, 1)).maximum == 1

    @pytest.mark.parametrize("maximum", [0, 2**31])
    def test_an_input_beyond_is_refused(self, maximum: int) -> None:
        with pytest.raises(
            DeploymentError, match="the maximum of the input must be an integer from 1 to 2,147,483,647"
        ):
            integer.Input((1,), maximum)

    @pytest.mark.parametrize(
        ("minimum", "maximum", "bits"),
        [(-1, 1, 2), (-2, 1, 2), (-2, 2, 3), (-3, 1, 3), (-4, 3, 3), (-5, 1, 4), (-(2**31) + 1, 1, 32)],
    )
    def test_inputs_below_0_take_a_sign(self, minimum: int, maximum: int, bits: int) -> None:
        assert integer.Input((1,), maximum, minimum).bits == bits
        for beyond in (1, -(2**31)):
            with pytest.raises(
                DeploymentError, match="the minimum of the input must be an integer from -2,147,483,647"
            ):
                integer.Input((1,), maximum, beyond)

    @pytest.mark.parametrize("timesteps", [1, 2**31 - 1])
    def test_time_steps(self, timesteps: int) -> None:
        assert chain(layer("a", [[1]]), timesteps=timesteps).timesteps == timesteps

    @pytest.mark.parametrize("timesteps", [0, True, 2**31])
    def test_time_steps_beyond_are_refused(self, timesteps: int) -> None:
        with pytest.raises(DeploymentError, match="the timesteps of the network must be an integer from 1 to"):
            chain(layer("a", [[1]]), timesteps=timesteps)

    @pytest.mark.parametrize("name", ["", "input", "a/b", "a\n", "x" * 257, "\xe9" * 129, 5])
    def test_names_of_layers(self, name: Any) -> None:
        with pytest.raises(DeploymentError, match="is no valid layer name"):
            layer(name, [[1]])

    @pytest.mark.parametrize("name", ["x", "x" * 256, "\xe9" * 128, "an input"])
    def test_names_that_may_be(self, name: str) -> None:
        assert layer(name, [[1]]).name == name

    @pytest.mark.parametrize(("name", "most"), [("delay", 4096), ("port", 255)])
    def test_numbers_of_connections(self, name: str, most: int) -> None:
        for number in (0, most):
            assert getattr(integer.Connection("a", integer.Dense([[1]]), **{name: number}), name) == number
        for number in (-1, most + 1):
            with pytest.raises(DeploymentError, match=f"the {name} of a connection from 'a' must be an integer from 0"):
                integer.Connection("a", integer.Dense([[1]]), **{name: number})

    def test_a_connection_has_up_to_8_poolings(self) -> None:
        pooling = integer.SumPool((1, 1), (1, 1))
        assert len(integer.Connection("a", integer.Dense([[1]]), poolings=[pooling] * 8).poolings) == 8
        with pytest.raises(DeploymentError, match="the number of poolings of a connection from 'a' must be"):
            integer.Connection("a", integer.Dense([[1]]), poolings=[pooling] * 9)

    def test_a_connection_goes_to_a_port_that_is_there(self) -> None:
        one = integer.Connection("input", integer.Dense([[1]]), port=1)
        with pytest.raises(DeploymentError, match="layer 'a': port 1 of the connection from 'input' does not exist"):
            integer.Layer("a", (one,), integer.Readout((1,)))

    def test_layers_and_connections_are_up_to_4096(self) -> None:
        one = layer("0", [[1]], integer.MemoryFree((1,), [1]))
        with pytest.raises(DeploymentError, match="the number of layers must be an integer from 1 to 4,096, not 4097"):
            chain(*[one] * 4097)
        assert len(integer.Layer("a", one.connections * 4096, one.neuron).connections) == 4096
        with pytest.raises(DeploymentError, match="layer 'a': the number of connections must be .* 4,096, not 4097"):
            integer.Layer("a", one.connections * 4097, one.neuron)

    def test_a_frame_has_up_to_2_to_the_28_numbers(self) -> None:
        """2^14 by 2^14, of one channel, and of two."""
        for channels in (1, 2):
            conv = integer.Conv(np.ones((channels, 1, 1, 1), int), padding=(2**13 - 1, 2**13 - 1))
            wide = integer.Layer("wide", (integer.Connection("input", conv),), integer.Readout((1,)))
            if channels == 1:
                network = integer.IntegerNetwork(integer.Input((1, 2, 2)), 1, (wide,))
                assert network.shapes["wide"] == (1, 2**14, 2**14)
                continue
            with pytest.raises(DeploymentError, match="layer 'wide': its shape .* has more than 268,435,456 numbers"):
                integer.IntegerNetwork(integer.Input((1, 2, 2)), 1, (wide,))

    def test_metadata_are_plain_and_short(self) -> None:
        def about(**metadata: Any) -> integer.IntegerNetwork:
            return integer.IntegerNetwork(integer.Input((1,)), 1, (layer("a", [[1]]),), metadata)

        known = {"names": ["a", "b"], "size": [1, 2.5, None, True], "more": {"x": 1}}
        assert dict(about(**known).metadata) == known
        assert about(**known) == about()
        with pytest.raises(TypeError):
            about(**known).metadata["names"] = []  # type: ignore[index]
        for value in ({1}, b"x", float("nan"), np.arange(2)):
            with pytest.raises(DeploymentError, match="metadata cannot be stored"):
                about(x=value)
        longest = "x" * (2**16 - len('{"x": ""}'))
        assert about(x=longest).metadata["x"] == longest
        with pytest.raises(DeploymentError, match="metadata of 65,537 characters exceed 65,536"):
            about(x=longest + "x")

    def test_readouts_feed_nothing(self) -> None:
        with pytest.raises(
            DeploymentError, match="layer 'b': its source 'a' is a readout, whose potentials are no spikes"
        ):
            chain(layer("a", [[1]]), layer("b", [[1]], source="a"))

    def test_sources_come_before(self) -> None:
        fires = integer.MemoryFree((1,), [1])
        with pytest.raises(DeploymentError, match="layer 'a': a layer cannot be its own source"):
            chain(layer("a", [[1]], fires, source="a"))
        with pytest.raises(DeploymentError, match="layer 'a': its source 'b' is not before it"):
            chain(layer("a", [[1]], fires, source="b"), layer("b", [[1]], fires))

    def test_what_makes_no_network(self) -> None:
        with pytest.raises(DeploymentError, match="the number of layers must be an integer from 1 to 4,096, not 0"):
            chain()
        with pytest.raises(DeploymentError, match="layer 'a': the number of connections must be .*, not 0"):
            integer.Layer("a", (), integer.Readout((1,)))
        with pytest.raises(DeploymentError, match="two layers have the same name"):
            chain(layer("a", [[1]]), layer("a", [[1]]))
        one_and_two = layer("b", np.ones((2, 2), int), source="a", input=integer.Dense(np.ones((1, 1), int)))
        with pytest.raises(DeploymentError, match="layer 'b': its connections give different shapes"):
            chain(layer("a", [[1], [1]], integer.MemoryFree((1,), [1, 1])), one_and_two)
        with pytest.raises(DeploymentError, match=r"layer 'a': its threshold values \(2,\) do not fit \(1,\)"):
            chain(layer("a", [[1]], integer.MemoryFree((1,), [1, 2])))

    def test_the_int64_reference_has_a_limit(self) -> None:
        """2^62: sums, and the number above them, which stands for thresholds that are never reached, stay below."""
        assert chain(layer("a", [[2]], integer.Readout((2**61 - 1,)))).reach("a") == 2**62 - 1
        assert chain(layer("a", [[-1]], integer.Readout((2**62 - 1,)))).reach("a") == 2**62 - 1
        for weight, taps in ((1, (2**62 - 1,)), (-1, (2**62,)), (0, (2**62,))):
            with pytest.raises(RangeError, match=r"layer 'a': potentials may exceed 2\^62"):
                chain(layer("a", [[weight]], integer.Readout(taps)))
        soft = stored(threshold=[-(2**60)], reset="soft")
        assert chain(layer("a", [[1]], soft)).reach("a") == 3 * (2**60 + 8) + 2
        with pytest.raises(RangeError, match="layer 'a': potentials may exceed"):
            chain(layer("a", [[1]], stored(threshold=[-(2**62)], reset="soft")))

    def test_ranges_of_currents_and_potentials(self) -> None:
        first = layer("a", [[1, -2], [3, 4]], integer.MemoryFree((4, 1), [1, 1]))
        network = chain(
            first,
            layer("b", [[5, -6]], stored(leak=3, bias=[7]), source="a"),
            layer("c", [[-9]], source="b"),
            inputs=2,
            maximum=10,
            timesteps=2,
        )
        ranges = {name: (low.tolist(), high.tolist()) for name, (low, high) in network.potential_ranges.items()}
        assert ranges == {"a": ([-100, 0], [50, 350]), "b": ([-8 - 6 + 7], [7 + 5 + 7]), "c": ([-9], [0])}
        assert network.current_ranges["b"][0].tolist() == [-6]
        assert [network.reach(name) for name in network] == [351, 7 * 19 + 4, 9]
        assert network.trace_range("input", (4, 1)) == (0, 50)
        assert network.trace_range("a", (4, 1)) == (0, 5)
        assert network.output_ranges == {"input": (0, 10), "a": (0, 1), "b": (0, 1), "c": (-9, 0)}
        assert network.thresholds("a").tolist() == [1, 1]

    def test_ranges_of_what_may_be_negative_delayed_and_pooled(self) -> None:
        """Windows of 2 x 1; traces of the past two steps are from -3 x 6 to 5 x 6, the third is never reached."""
        pooling = integer.SumPool((2, 1), (2, 1))
        way = integer.Connection("input", integer.Dense([[2, -1]]), 1, poolings=(pooling,))
        only = integer.Layer("a", (way,), integer.Readout((4, 2, 7)))
        network = integer.IntegerNetwork(integer.Input((1, 2, 2), 5, -3), 3, (only,))
        assert network.layers[0].taps(way) == (0, 4, 2, 7)
        assert network.trace_range("input", (4, 2)) == (-18, 30)
        low, high = network.current_ranges["a"]
        assert (low.tolist(), high.tolist()) == ([2 * (-18 * 2 - 30)], [2 * (30 * 2 + 18)])
        assert way.amplification == 2
        assert network.shortened(2).current_ranges["a"][1].tolist() == [2 * (20 * 2 + 12)]
        assert network.shortened(1).current_ranges["a"][1].tolist() == [0]
        assert network.shortened(2).timesteps == 2

    def test_ranges_of_several_connections_add_up(self) -> None:
        skip = integer.OneToOne(np.array([2, -3]))
        network = chain(
            layer("a", [[1, 1], [1, 1]], integer.MemoryFree((1,), [1, 1])),
            layer("b", [[1, -1], [-1, 1]], integer.Readout((2,)), source="a", input=skip),
            inputs=2,
            maximum=5,
        )
        low, high = network.potential_ranges["b"]
        assert (low.tolist(), high.tolist()) == ([-2, -32], [22, 2])
        assert not network.is_chain
        assert network.sources("b") == ("a", "input")

    def test_chains_and_dead_ends(self) -> None:
        fires = integer.MemoryFree((1,), [1])
        straight = chain(layer("a", [[1]], fires), layer("b", [[1]], fires, source="a"), layer("c", [[1]], source="b"))
        assert straight.is_chain
        assert straight.dead_ends == ()
        assert straight.output.name == "c"
        assert (len(straight), list(straight)) == (3, ["a", "b", "c"])
        fork = chain(layer("a", [[1]], fires), layer("b", [[1]], fires, source="a"), layer("c", [[1]], source="a"))
        assert not fork.is_chain
        branched = chain(layer("a", [[1]], fires), layer("b", [[1]], fires), layer("c", [[1]], source="a"))
        assert not branched.is_chain
        assert branched.dead_ends == ("b",)
        one_to_one = integer.Connection("input", integer.OneToOne(np.ones(1, int)))
        assert not chain(integer.Layer("a", (one_to_one,), fires)).is_chain
        with pytest.raises(InputError, match="there is no layer 'd'.*layers are a, b, c"):
            straight.layer("d")


class TestRules:
    def problems(self, network: integer.IntegerNetwork, rule: integer.Rule) -> list[str]:
        return [f"{violation.layer}: {violation.problem}" for violation in rule(network)]

    @pytest.mark.parametrize(
        ("rule", "limit"), [(integer.currents_exact_in_float32, 2**24), (integer.currents_fit_loihi, 2**17)]
    )
    @pytest.mark.parametrize("sign", [1, -1])
    def test_currents_at_the_limit_are_exact_and_one_beyond_is_not(
        self, rule: integer.Rule, limit: int, sign: int
    ) -> None:
        assert self.problems(chain(layer("a", [[sign * limit]])), rule) == []
        (problem,) = self.problems(chain(layer("a", [[sign * (limit + 1)]])), rule)
        assert f"a: potentials may reach {limit + 1:,}, beyond" in problem

    def test_leaks_at_the_limit_of_int32(self) -> None:
        assert np.iinfo(np.int32).max == integer.INT32_LIMIT

        def leaks(bias: int) -> integer.IntegerNetwork:
            return chain(layer("a", [[1]], stored(leak=1, bias=[bias])))

        rule = integer.potentials_fit_int32
        assert leaks(2**31 - 10).reach("a") == 2**31 - 1
        assert self.problems(leaks(2**31 - 10), rule) == []
        assert self.problems(leaks(-(2**31) + 10), rule) == []
        assert len(self.problems(leaks(-(2**31) + 9), rule)) == 1
        (problem,) = self.problems(leaks(2**31 - 9), rule)
        assert "a: its potential's leak may reach 2,147,483,648, beyond int32" in problem
        assert self.problems(chain(layer("a", [[2**31 - 1]], integer.Readout((2,)))), rule) == []

    @pytest.mark.parametrize("sign", [1, -1])
    def test_dense_weights_of_lava(self, sign: int) -> None:
        assert self.problems(chain(layer("a", [[sign * 127]])), integer.weights_fit_lava_dense) == []
        (problem,) = self.problems(chain(layer("a", [[sign * 128]])), integer.weights_fit_lava_dense)
        assert "a: dense weights up to 128 exceed 127" in problem

    @pytest.mark.parametrize("name", ["stride", "padding", "dilation", "kernel", "groups"])
    @pytest.mark.parametrize("axis", [0, 1])
    def test_the_geometry_of_lava_s_convolution(self, name: str, axis: int) -> None:
        def problems(number: int) -> list[str]:
            pair = tuple(number if axis == each else 1 for each in (0, 1))
            kernel = pair if name == "kernel" else (1, 1)
            groups = number if name == "groups" else 1
            options = {name: pair} if name in ("stride", "padding", "dilation") else {}
            conv = integer.Conv(np.ones((groups, 1, *kernel), int), groups=groups, **options)
            network = integer.IntegerNetwork(
                integer.Input((groups, *kernel)),
                1,
                (integer.Layer("a", (integer.Connection("input", conv),), integer.Readout((1,))),),
            )
            return self.problems(network, integer.geometry_fits_lava_conv)

        assert problems(127) == []
        (problem,) = problems(128)
        assert "of 128 exceeds 127" in problem

    @pytest.mark.parametrize("sign", [1, -1])
    def test_words_that_fit_the_messages_of_lava(self, sign: int) -> None:
        def problems(largest: int) -> list[str]:
            signed = integer.Input((1,), *((largest, 0) if sign > 0 else (1, -largest)))
            only = layer("a", [[0]], integer.Readout((2, 1, 5)))
            return self.problems(integer.IntegerNetwork(signed, 2, (only,)), _limits.traces_fit_lava_messages)

        assert problems((2**23 - 1) // 3) == []
        (problem,) = problems((2**23 - 1) // 3 + 1)
        assert problem.startswith("a: traces of 'input' may reach 8,388,609, beyond 8,388,607")

    @pytest.mark.parametrize("sign", [1, -1])
    def test_outputs_that_fit_the_ports_of_lava(self, sign: int) -> None:
        def problems(largest: int) -> list[str]:
            return self.problems(
                chain(layer("a", [[sign]]), maximum=largest, timesteps=2), _limits.outputs_fit_lava_messages
            )

        assert problems(2**31 - 1) == []
        doubled = chain(layer("a", [[sign]], integer.Readout((1, 1))), maximum=2**30, timesteps=2)
        (problem,) = self.problems(doubled, _limits.outputs_fit_lava_messages)
        assert "leave int32" in problem
        assert "2,147,483,648" in problem

    def test_poolings_that_merge_and_such_that_do_not(self) -> None:
        def pooled(extent: int, weight: int = 1) -> integer.IntegerNetwork:
            conv = integer.Conv(np.full((1, 1, 1, 1), weight), padding=(1, 0))
            way = integer.Connection("input", conv, poolings=(integer.SumPool((2, 2), (2, 2)),))
            only = integer.Layer("a", (way,), integer.Readout((1,)))
            return integer.IntegerNetwork(integer.Input((1, extent, 4)), 1, (only,))

        assert self.problems(pooled(4), integer.poolings_merge) == []
        (problem,) = self.problems(pooled(5), integer.poolings_merge)
        assert "a: a pooling of kernel (2, 2) and stride (2, 2) over (5, 4) does not merge exactly" in problem
        assert self.problems(pooled(5), integer.geometry_fits_lava_conv) == []  # that is the other rule's affair

    def test_weights_and_geometry_are_those_after_merging(self) -> None:
        def pooled(synapse: integer.Synapse, kernel: int, stride: int) -> integer.IntegerNetwork:
            pooling = integer.SumPool((kernel, 1), (stride, 1))
            way = integer.Connection("input", synapse, poolings=(pooling,))
            only = integer.Layer("a", (way,), integer.Readout((1,)))
            return integer.IntegerNetwork(integer.Input((1, 2 * stride + kernel, 1)), 1, (only,))

        assert self.problems(pooled(integer.Dense([[64] * 3]), 2, 2), integer.weights_fit_lava_dense) == []
        (problem,) = self.problems(pooled(integer.Dense([[64] * 3]), 2, 1), integer.weights_fit_lava_dense)
        assert "dense weights up to 128 exceed 127" in problem
        point = integer.Conv(np.ones((1, 1, 1, 1), int))
        assert self.problems(pooled(point, 127, 127), integer.geometry_fits_lava_conv) == []
        assert len(self.problems(pooled(point, 128, 1), integer.geometry_fits_lava_conv)) == 1
        assert len(self.problems(pooled(point, 1, 128), integer.geometry_fits_lava_conv)) == 1

    def test_what_torch_computes_exactly_of_one_layer(self) -> None:
        def problems(high: int, neuron: integer.Neuron) -> list[str]:
            bounds = np.array([0, -high], object), np.array([high, 0], object)
            return [violation.problem for violation in integer.torch_violations("a", neuron, [bounds])]

        assert problems(2**24, integer.Readout((1,))) == []
        assert len(problems(2**24 + 1, integer.Readout((1,)))) == 1
        lif = stored(leak=8, potential_shift=[0, 0], current_shift=[0, 0], bias=[0, 0], threshold=[1, 1])
        most = (2**31 - 1 - 128) // 255 - 8  # 255 (8 + most) + 128
        assert problems(most, lif) == []
        (problem,) = problems(most + 1, lif)
        assert "its potential's leak may reach" in problem

    def test_the_first_violation_is_raised_with_its_place(self) -> None:
        network = chain(layer("a", [[2**24 + 1]]))
        integer.refuse_violations(network, (), "any backend")
        with pytest.raises(RangeError, match="layer 'a': not exact on Mars: potentials may reach 16,777,217") as caught:
            integer.refuse_violations(network, integer.TORCH_RULES, "Mars")
        assert caught.value.remedy
