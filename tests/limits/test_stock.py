"""Numbers that stock NetX is told of a layer, and the limits at which it stops being exact, each from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer.stock import input_message_bits, layer_arrays, network_arrays, smallest, stock_layer


def network(
    synapse: integer.Synapse, neuron: integer.Neuron, source: integer.Shape, timesteps: int = 1, maximum: int = 1
) -> integer.IntegerNetwork:
    layer = integer.Layer("a", (integer.Connection("input", synapse),), neuron)
    return integer.IntegerNetwork(integer.Input(source, maximum), timesteps, (layer,))


def dense(
    weight: Any, taps: tuple[int, ...] = (1,), threshold: int = 1, timesteps: int = 1, maximum: int = 1
) -> integer.IntegerNetwork:
    weight = np.asarray(weight)
    neuron = integer.MemoryFree(taps, [threshold] * len(weight))
    return network(integer.Dense(weight), neuron, weight.shape[1:], timesteps, maximum)


def readout(weight: int, taps: tuple[int, ...] = (1,), timesteps: int = 1, maximum: int = 1) -> integer.IntegerNetwork:
    return network(integer.Dense(np.array([[weight]])), integer.Readout(taps), (1,), timesteps, maximum)


def stored(thresholds: list[int], biases: list[int], leak: int = 3, shift: int = 0) -> integer.IntegerNetwork:
    zeros, shifts = [0] * len(thresholds), [shift] * len(thresholds)
    neuron = integer.QuantizedLIF(4, leak, "hard", zeros, shifts, biases, thresholds)
    return network(integer.OneToOne(np.ones(len(thresholds), int)), neuron, (len(thresholds),))


def said(network: integer.IntegerNetwork) -> tuple[int, int, int, list[int] | None, int]:
    stock = stock_layer(network, network.layers[0])
    assert stock is not None
    assert stock.spikes == (stock.bias is not None)
    bias = None if stock.bias is None else stock.bias.tolist()
    return stock.weight_shift, stock.current_decay, stock.voltage_decay, bias, stock.threshold


class TestNumbers:
    def test_a_neuron_without_a_past(self) -> None:
        assert said(dense([[1]], threshold=5)) == (0, 4096, 4096, [-4], 0)

    @pytest.mark.parametrize("timesteps", [2, 3, 7])
    def test_a_neuron_that_sees_the_whole_sample(self, timesteps: int) -> None:
        taps = integer.shift_taps(timesteps)
        assert said(dense([[1]], taps, 5, timesteps)) == (timesteps - 1, 2048, 4096, [-4], 0)

    def test_one_that_does_not_comes_as_near_as_it_can(self) -> None:
        assert said(dense([[1]], (4, 2, 1), 9, timesteps=5)) == (0, 2048, 4096, [1 - 3], 0)  # 9 / 4, rounded up
        assert said(dense([[1]], (4, 2, 1), 8, timesteps=5)) == (0, 2048, 4096, [1 - 2], 0)
        assert said(dense([[1]], integer.shift_taps(8), 256, timesteps=8)) == (0, 2048, 4096, [1 - 2], 0)

    def test_a_readout_never_spikes(self) -> None:
        assert said(readout(1)) == (0, 4096, 4096, None, 2**17 - 1)
        assert said(readout(1, (2, 1), timesteps=2)) == (0, 2048, 4096, None, 2**17 - 1)

    @pytest.mark.parametrize(("leak", "decay"), [(1, 2048), (3, 512), (8, 16)])
    def test_a_stored_potential_has_a_lif_that_is_near(self, leak: int, decay: int) -> None:
        """One threshold for all, the middle one; biases make up for the others."""
        assert said(stored([10, 20, 60], [1, 2, 3], leak)) == (0, 4096, decay, [11, 2, -37], 20)

    def test_its_numbers_are_in_units_of_the_current(self) -> None:
        assert said(stored([40, 80, 240], [4, 8, 12], shift=2)) == (0, 4096, 512, [11, 2, -37], 20)

    def test_its_threshold_stays_within_that_of_stock_netx(self) -> None:
        assert said(stored([2**17], [0])) == (0, 4096, 512, [-1], 2**17 - 1)
        assert said(stored([-5], [0])) == (0, 4096, 512, [5], 0)

    @pytest.mark.parametrize("threshold", [-(2**62) - 5, 5 - 2**63, -(2**63)])
    def test_thresholds_far_below_have_biases_far_above(self, threshold: int) -> None:
        for each in (dense([[1]], threshold=threshold), stored([threshold], [0])):
            bias = said(each)[3]
            assert bias is not None
            assert bias[0] >= 2**62

    def test_the_width_of_the_input(self) -> None:
        assert [input_message_bits(readout(1, maximum=maximum)) for maximum in (1, 2, 3, 4)] == [0, 2, 2, 3]


def obstacles(network: integer.IntegerNetwork) -> tuple[str, ...]:
    assert network.stock_exact == (not network.stock_obstacles)
    return network.stock_obstacles


def only(network: integer.IntegerNetwork) -> str:
    (reason,) = obstacles(network)
    assert reason.startswith("layer 'a': ")
    return reason


class TestObstacles:
    @pytest.mark.parametrize("timesteps", [1, 2, 7])
    def test_samples_of_up_to_7_steps_are_exact(self, timesteps: int) -> None:
        assert obstacles(dense([[1]], integer.shift_taps(timesteps), timesteps=timesteps)) == ()

    def test_one_step_more_is_not(self) -> None:
        assert "8 time steps exceed 7" in only(dense([[1]], integer.shift_taps(8), timesteps=8))

    def test_without_a_past_they_may_be_longer(self) -> None:
        assert obstacles(dense([[1]], timesteps=100)) == ()

    @pytest.mark.parametrize("timesteps", [64, 65, 100])
    def test_the_longest_history_is_named_as_it_is(self, timesteps: int) -> None:
        """64 taps are all there can be: their samples are too long, whatever their length."""
        neuron = integer.MemoryFree(tuple(2 ** (49 - k) if k < 50 else 1 for k in range(64)), [1])
        odd = network(integer.Dense(np.ones((1, 1), int)), neuron, (1,), timesteps)
        assert "(562949953421312, 281474976710656, 140737488355328, 70368744177664, .. 64 in all)" in obstacles(odd)[0]
        assert f"powers of two over all {timesteps} steps" in obstacles(odd)[0]

    def test_short_taps_are_named_in_full(self) -> None:
        assert "its taps (6, 5, 4, 3, 2, 1) are" in only(dense([[1]], (6, 5, 4, 3, 2, 1), timesteps=6))
        assert "its taps (7, 6, 5, 4, .. 7 in all) are" in only(dense([[1]], (7, 6, 5, 4, 3, 2, 1), timesteps=7))

    @pytest.mark.parametrize("sign", [1, -1])
    def test_potentials_up_to_2_to_the_17(self, sign: int) -> None:
        conv = integer.Conv(np.full((1, 1, 1, 1), sign))
        fires = integer.MemoryFree((1,), [1])
        assert obstacles(network(conv, fires, (1, 1, 1), maximum=2**17)) == ()
        reason = only(network(conv, fires, (1, 1, 1), maximum=2**17 + 1))
        assert "potentials may reach 131,073, beyond the 131,072 of its 24-bit state" in reason

    @pytest.mark.parametrize(("taps", "timesteps", "limit"), [((1,), 1, 2**17 - 1), ((2, 1), 2, 2 * (2**17 - 1))])
    def test_readouts_stay_below_the_threshold(self, taps: tuple[int, ...], timesteps: int, limit: int) -> None:
        assert obstacles(readout(1, taps, timesteps, limit // sum(taps))) == ()
        reason = only(readout(1, taps, timesteps, limit // sum(taps) + 1))
        assert f"beyond the {limit:,} of its 24-bit state" in reason

    @pytest.mark.parametrize(("low", "high"), [(-(2**15) + 2, 2**15 + 1)])
    def test_biases_of_16_bits(self, low: int, high: int) -> None:
        """A bias is 1 - threshold."""
        for threshold in (low, high):
            assert obstacles(dense([[1]], threshold=threshold)) == ()
        for threshold, bias in ((low - 1, 2**15), (high + 1, -(2**15) - 1)):
            reason = only(dense([[1]], threshold=threshold))
            assert f"biases from {bias} to {bias} do not fit the 16 bits" in reason

    @pytest.mark.parametrize(
        ("weights", "reason"),
        [
            ([255, 0], None),
            ([256, 0], "dense weights up to 256 (times 2^0) are clipped to 255"),
            ([-256, 254], None),
            ([-257, 254], "dense weights from -257 to 254 (times 2^0) are clipped to -256 .. 254"),
            ([-256, 255], "dense weights from -256 to 255 (times 2^0) are clipped to -256 .. 254"),
            ([-128, 127], None),
            ([-127, 128], "odd dense weights from -127 to 128 are truncated to even ones"),
            ([-129, 2], "odd dense weights from -129 to 2 are truncated to even ones"),
            ([-130, 2], None),
            ([-2, 128], None),
            ([-1, 1], None),
            ([-1, 0], "no dense weight is positive"),
            ([0, 1], None),
        ],
    )
    def test_dense_weights(self, weights: list[int], reason: str | None) -> None:
        found = obstacles(dense([weights]))
        assert found == (() if reason is None else found)
        assert reason is None or reason in only(dense([weights]))

    @pytest.mark.parametrize(("weight", "exact"), [(31, True), (32, False)])
    def test_the_taps_are_in_the_weights(self, weight: int, exact: bool) -> None:
        found = obstacles(dense([[weight, 0]], (8, 4, 2, 1), timesteps=4))
        assert found == (() if exact else ("layer 'a': dense weights up to 256 (times 2^3) are clipped to 255",))
        assert obstacles(dense([[-17, 1]], (8, 4, 2, 1), timesteps=4)) == ()  # -136 is even

    @pytest.mark.parametrize(("padding", "exact"), [(127, True), (128, False)])
    def test_the_geometry_of_convolutions(self, padding: int, exact: bool) -> None:
        conv = integer.Conv(np.ones((1, 1, 1, 1), int), padding=(0, padding))
        found = obstacles(network(conv, integer.MemoryFree((1,), [1]), (1, 1, 1)))
        assert (found == ()) == exact
        assert exact or "group count of 128 wraps in Lava's Conv" in found[0]

    def test_what_stock_netx_has_no_words_for(self) -> None:
        lif = stored([1], [0])
        assert obstacles(lif) == (
            "it has skip connections, and stock NetX only runs chains",
            "layer 'a': no stock neuron stores its potential in 4 bits",
        )
        skip = network(integer.OneToOne(np.ones(1, int)), integer.MemoryFree((1,), [1]), (1,))
        assert obstacles(skip)[1:] == ("layer 'a': stock NetX has no one-to-one synapses",)


@dataclass(frozen=True, eq=False)
class Mirror(integer.Neuron):
    """A neuron that only tests know."""

    kind = "mirror"


def way(synapse: integer.Synapse, source: integer.Shape, minimum: int = 0, **more: Any) -> integer.IntegerNetwork:
    """A layer of one connection with options of its own."""
    layer = integer.Layer("a", (integer.Connection("input", synapse, **more),), integer.Readout((1,)))
    return integer.IntegerNetwork(integer.Input(source, 1, minimum), 1, (layer,))


def pooled(size: int, weights: int = 4, source: integer.Shape = (1, 4, 4), padding: int = 0) -> integer.IntegerNetwork:
    pooling = integer.SumPool((size, size), (2, 2))
    synapse: integer.Synapse = integer.Dense([list(range(weights))])
    if padding:
        synapse = integer.Conv(np.ones((1, 1, 1, 1), int), padding=(padding, padding))
    return way(synapse, source, poolings=(pooling,))


class TestWhatElseItHasNoWordsFor:
    def test_inputs_below_zero(self) -> None:
        plain = integer.Dense([[1, 1]])
        assert obstacles(way(plain, (2,), 0)) == ()
        assert obstacles(way(plain, (2,), -1)) == (
            "its input may be negative, and what unmodified NetX makes of that is not compared here",
        )

    def test_delays(self) -> None:
        delayed = way(integer.Dense([[1, 1]]), (2,), delay=1)
        assert "its input is delayed by 1 steps" in only(delayed)
        assert list(network_arrays(delayed)) == ["0/type", "0/shape"]

    def test_poolings_are_in_the_weights(self) -> None:
        """Windows of 2 x 2 side by side, then of 3 x 3 that overlap by a row and a column."""
        apart = pooled(2)
        assert obstacles(apart) == ()
        arrays = network_arrays(apart)
        assert arrays["2/weight"].tolist() == [[0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]]
        assert (arrays["1/type"].tolist(), arrays["1/shape"].tolist()) == ([b"flatten"], [16])
        over = pooled(3, source=(1, 5, 5))
        rows = [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [2, 2, 6, 4, 4], [2, 2, 5, 3, 3], [2, 2, 5, 3, 3]]
        assert network_arrays(over)["2/weight"].reshape(5, 5).tolist() == rows

    def test_poolings_that_do_not_merge(self) -> None:
        odd = pooled(3, padding=1)
        assert "layer 'a': a pooling of kernel (3, 3) and stride (2, 2) over (4, 4) does not merge" in obstacles(odd)[0]
        assert len(obstacles(odd)) == 1
        assert list(network_arrays(odd)) == ["0/type", "0/shape"]

    def test_merged_weights_are_those_that_are_clipped(self) -> None:
        """The pixel in the middle is in four windows: 4 x 64 is 256."""
        for weight, exact in ((63, True), (64, False)):
            four = way(integer.Dense([[weight] * 4]), (1, 5, 5), poolings=(integer.SumPool((3, 3), (2, 2)),))
            assert (obstacles(four) == ()) == exact
            assert exact or "dense weights up to 256 (times 2^0) are clipped to 255" in only(four)

    def test_neurons_of_other_kinds(self) -> None:
        unknown = network(integer.Dense([[1]]), Mirror(), (1,))
        assert stock_layer(unknown, unknown.layers[0]) is None
        assert only(unknown) == "layer 'a': no stock neuron computes a mirror neuron"
        assert list(network_arrays(unknown)) == ["0/type", "0/shape"]
        with pytest.raises(DeploymentError, match="layer 'a': no stock neuron computes a mirror neuron"):
            layer_arrays(unknown, unknown.layers[0])


class TestArrays:
    """The stock part of a file, below /layer."""

    def test_a_dense_layer(self) -> None:
        arrays = network_arrays(dense([[1, -2, 3]], (2, 1), 5, timesteps=2))
        assert {path: array.tolist() for path, array in arrays.items()} == {
            "0/type": [b"input"],
            "0/shape": [3],
            "1/type": [b"dense"],
            "1/inFeatures": 3,
            "1/outFeatures": 1,
            "1/weight": [[2, -4, 6]],
            "1/bias": [-4],
            "1/shape": [1],
            "1/neuron/type": [b"CUBA"],
            "1/neuron/iDecay": 2048,
            "1/neuron/vDecay": 4096,
            "1/neuron/vThMant": 0,
            "1/neuron/refDelay": 1,
            "1/neuron/gradedSpike": False,
        }

    def test_a_convolution_and_what_flattens_its_maps(self) -> None:
        conv = integer.Conv(np.arange(48).reshape(4, 2, 3, 2), (1, 2), (3, 4), (3, 1), 2)
        fires = integer.MemoryFree((1,), [1] * 4)
        first = integer.Layer("a", (integer.Connection("input", conv),), fires)
        out = conv.output_shape((4, 3, 4))
        second = integer.Layer(
            "b", (integer.Connection("a", integer.Dense(np.ones((2, int(np.prod(out))), int))),), integer.Readout((1,))
        )
        arrays = network_arrays(integer.IntegerNetwork(integer.Input((4, 3, 4)), 1, (first, second)))
        found = {path: array.tolist() for path, array in arrays.items() if path[0] in "12"}
        weight = np.array(found.pop("1/weight"))
        assert weight.shape == (4, 2, 3, 2, 1)
        assert (weight[..., 0] == conv.weight).all()
        expected = {"inChannels": 4, "outChannels": 4, "kernelSize": [3, 2], "stride": [1, 2], "padding": [3, 4]}
        expected |= {"dilation": [3, 1], "groups": 2, "shape": list(out), "bias": [0] * 4}
        assert {name: found[f"1/{name}"] for name in expected} == expected
        assert {path: value for path, value in found.items() if path[0] == "2"} == {
            "2/type": [b"flatten"],
            "2/shape": [int(np.prod(out))],
        }
        assert "3/bias" not in arrays
        assert "4/type" not in arrays

    def test_only_the_input_of_what_is_no_chain(self) -> None:
        skip = network(integer.OneToOne(np.ones(1, int)), integer.MemoryFree((1,), [1]), (1,))
        assert list(network_arrays(skip)) == ["0/type", "0/shape"]
        two = integer.Connection("input", integer.Dense(np.ones((1, 1), int)))
        layer = integer.Layer("a", (two, two), integer.Readout((1,)))
        with pytest.raises(DeploymentError, match="layer 'a': stock NetX has no skip connections"):
            layer_arrays(integer.IntegerNetwork(integer.Input((1,)), 1, (layer,)), layer)

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            *((value, np.int8) for value in (127, -128)),
            *((value, np.int16) for value in (128, -129, 2**15 - 1, -(2**15))),
            *((value, np.int32) for value in (2**15, -(2**15) - 1, 2**31 - 1, -(2**31))),
            *((value, np.int64) for value in (2**31, -(2**31) - 1)),
        ],
    )
    def test_integers_take_the_smallest_type(self, value: int, dtype: type) -> None:
        assert smallest(np.array([0, value])).dtype == dtype
        assert smallest(np.array([0, value])).tolist() == [0, value]
