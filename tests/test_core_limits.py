"""The integer core at its limits: each number accepted at its limit and refused one beyond, and what is said of it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError
from lava_qsnn.integer import NEVER, Affine, integer_threshold
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
            with pytest.raises(DeploymentError, match="dense weights must be integers"):
                integer.Dense(np.ones((1, 2), dtype))

    def test_empty_arrays_have_no_range(self) -> None:
        assert integer.MemoryFree((1,), np.zeros(0, int)).channels == 0

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
        with pytest.raises(DeploymentError, match=r"shape \(channels,\)"):
            integer.OneToOne(np.ones(shape, int))

    def test_a_convolution_is_plain_by_default(self) -> None:
        conv = integer.Conv(np.ones((2, 3, 1, 1), int))
        assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((1, 1), (0, 0), (1, 1), 1)

    @pytest.mark.parametrize(("name", "least"), [("stride", 1), ("padding", 0), ("dilation", 1)])
    def test_its_geometry_has_least_numbers(self, name: str, least: int) -> None:
        ones = np.ones((1, 1, 1, 1), int)
        assert getattr(integer.Conv(ones, **{name: (least, least + 1)}), name) == (least, least + 1)
        for pair in ((least - 1, least), (least, least - 1), (least,), (least, least, least)):
            with pytest.raises(
                DeploymentError, match=f"{name} must be (two integers|an integer from {least} to 65,535)"
            ):
                integer.Conv(ones, **{name: pair})

    def test_groups_divide_the_outputs(self) -> None:
        for groups in (1, 2, 4):
            assert integer.Conv(np.ones((4, 1, 1, 1), int), groups=groups).groups == groups
        for groups in (3, 8):
            with pytest.raises(DeploymentError, match=f"4 output channels do not divide into {groups} groups"):
                integer.Conv(np.ones((4, 1, 1, 1), int), groups=groups)
        for groups in (0, -1):
            with pytest.raises(DeploymentError, match=f"groups must be an integer from 1 to 65,535, not {groups}"):
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


class TestNeurons:
    def test_what_they_keep_between_steps(self) -> None:
        assert integer.MemoryFree((2, 1), [1]).state_bits == integer.Readout((2, 1)).state_bits == 0
        assert stored(bits=5).state_bits == 5
        assert [stored(bits=bits).stored_range for bits in (2, 16)] == [(-2, 1), (-(2**15), 2**15 - 1)]

    def test_which_of_them_spike_and_for_how_many_channels(self) -> None:
        assert integer.MemoryFree((1,), [1]).spikes
        assert stored().spikes
        assert not integer.Readout((1,)).spikes
        assert integer.Readout((1,)).channels is None
        assert integer.MemoryFree((1,), [1, 2]).channels == 2
        assert integer.MemoryFree((1,), [7]).broadcast(3).threshold.tolist() == [7, 7, 7]
        assert stored().taps == (1,)

    @pytest.mark.parametrize("taps", [(0,), (1, 0), (2, -1), (2**62 + 1,)])
    def test_taps_are_positive_and_within_the_reference(self, taps: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match="taps must be an integer from 1 to 4,611,686,018,427,387,904"):
            integer.Readout(taps)

    @pytest.mark.parametrize("history", [0, 65])
    def test_so_many_taps_are_refused(self, history: int) -> None:
        with pytest.raises(DeploymentError, match=f"the number of taps must be an integer from 1 to 64, not {history}"):
            integer.Readout((1,) * history)

    def test_thresholds_are_one_per_channel(self) -> None:
        with pytest.raises(DeploymentError, match=r"thresholds must have shape \(channels,\), not \(1, 2\)"):
            integer.MemoryFree((1,), np.ones((1, 2), int))
        with pytest.raises(DeploymentError, match="shifts, biases and thresholds must be as many as channels"):
            stored(bias=[0, 0])

    @pytest.mark.parametrize(
        ("name", "good", "bad", "said"),
        [
            ("bits", (2, 16), (1, 17), "must be an integer from 2 to 16, not"),
            ("leak", (1, 8), (0, 9), "must be an integer from 1 to 8, not"),
            ("reset", ("hard", "soft"), ("", "none"), "cannot be"),
        ],
    )
    def test_options_of_a_stored_potential(
        self, name: str, good: tuple[Any, ...], bad: tuple[Any, ...], said: str
    ) -> None:
        for value in good:
            assert getattr(stored(**{name: value}), name) == value
        for value in bad:
            with pytest.raises(DeploymentError, match=f"the {name} of a quantized potential {said} {value!r}"):
                stored(**{name: value})

    @pytest.mark.parametrize("name", ["potential_shift", "current_shift"])
    def test_shifts_from_0_to_31(self, name: str) -> None:
        assert getattr(stored(**{name: [31]}), name).tolist() == [31]
        for shift in (-1, 32):
            with pytest.raises(DeploymentError, match="shifts must be from 0 to 31"):
                stored(**{name: [shift]})

    def test_the_range_of_a_stored_potential(self) -> None:
        neuron = stored(potential_shift=[3], current_shift=[2], bias=[5])
        low, high = neuron.potentials(np.array([-10], object), np.array([20], object))
        assert (low.tolist(), high.tolist()) == ([8 * -8 + 4 * -10 + 5], [8 * 7 + 4 * 20 + 5])


class TestNetworks:
    @pytest.mark.parametrize("shape", [(), (2, 2), (0,), (1, 0, 1), (1, 1, 1, 1)])
    def test_inputs_have_one_axis_or_three(self, shape: integer.Shape) -> None:
        with pytest.raises(DeploymentError, match="the input shape must be"):
            integer.Input(shape)

    @pytest.mark.parametrize(("maximum", "bits"), [(1, 1), (2, 2), (2**31 - 1, 31)])
    def test_the_largest_input(self, maximum: int, bits: int) -> None:
        assert integer.Input((1,), maximum).bits == bits
        assert integer.Input((1, 1, 1)).maximum == 1

    @pytest.mark.parametrize("maximum", [0, 2**31])
    def test_an_input_beyond_is_refused(self, maximum: int) -> None:
        with pytest.raises(DeploymentError, match="the input maximum must be an integer from 1 to 2,147,483,647, not"):
            integer.Input((1,), maximum)

    @pytest.mark.parametrize("timesteps", [1, 2**31 - 1])
    def test_time_steps(self, timesteps: int) -> None:
        assert chain(layer("a", [[1]]), timesteps=timesteps).timesteps == timesteps

    @pytest.mark.parametrize("timesteps", [0, True, 2**31])
    def test_time_steps_beyond_are_refused(self, timesteps: int) -> None:
        with pytest.raises(DeploymentError, match="timesteps must be an integer from 1 to 2,147,483,647, not"):
            chain(layer("a", [[1]]), timesteps=timesteps)

    @pytest.mark.parametrize("name", ["", "input", "a/b"])
    def test_names_of_layers(self, name: str) -> None:
        with pytest.raises(DeploymentError, match=f"'{name}' is no valid layer name"):
            layer(name, [[1]])

    def test_what_makes_no_network(self) -> None:
        with pytest.raises(DeploymentError, match="the number of layers must be an integer from 1 to 4,096, not 0"):
            chain()
        with pytest.raises(DeploymentError, match="layer 'a': the number of connections must be an integer from 1"):
            integer.Layer("a", (), integer.Readout((1,)))
        with pytest.raises(DeploymentError, match="two layers have the same name"):
            chain(layer("a", [[1]]), layer("a", [[1]]))
        one_and_two = layer("b", np.ones((2, 2), int), source="a", input=integer.Dense(np.ones((1, 1), int)))
        with pytest.raises(DeploymentError, match="layer 'b': its connections give different shapes"):
            chain(layer("a", [[1], [1]], integer.MemoryFree((1,), [1, 1])), one_and_two)
        with pytest.raises(DeploymentError, match="2 thresholds do not fit 1 channels"):
            chain(layer("a", [[1]], integer.MemoryFree((1,), [1, 2])))

    def test_the_int64_reference_has_a_limit(self) -> None:
        """One more than the largest potential counts, which stands for thresholds that none reaches."""
        assert chain(layer("a", [[1]], integer.Readout((2**62 - 2,)))).reach("a") == 2**62 - 1
        assert chain(layer("a", [[-1]], integer.Readout((2**62 - 1,)))).reach("a") == 2**62 - 1
        for weight, tap in ((1, 2**62 - 1), (-1, 2**62), (4, 2**60), (-4, 2**60), (0, 2**62)):
            with pytest.raises(RangeError, match="layer 'a': potentials may exceed"):
                chain(layer("a", [[weight]], integer.Readout((tap,))))

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
        assert [network.reach(name) for name in network] == [350 + 1, 7 * 19 + 4, 9]
        assert network.largest_word("input", (4, 1)) == 50
        assert network.largest_word("a", (4, 1)) == 5

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

        rule = integer.quantized_potentials_fit_int32
        assert leaks(2**31 - 10).reach("a") == 2**31 - 1  # a potential of 8 beyond the bias, and 1 to round it
        assert self.problems(leaks(2**31 - 10), rule) == []
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

    def test_the_first_violation_is_raised_with_its_place(self) -> None:
        network = chain(layer("a", [[2**24 + 1]]))
        integer.refuse_violations(network, (), "any backend")
        with pytest.raises(RangeError, match="layer 'a': not exact on Mars: potentials may reach 16,777,217") as caught:
            integer.refuse_violations(network, integer.TORCH_RULES, "Mars")
        assert caught.value.remedy
