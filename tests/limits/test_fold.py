"""Folding and merging by numbers worked out by hand, what they refuse, and what a deployed network costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn import integer
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import ConfigurationError, DeploymentError
from netx_export._describe import LIF_STATE_BITS, describe, state_bits, weight_bits
from netx_export._export import _proof_samples

PARAMETERS = {"threshold": 0.0, "history": 2}


def pooling(kernel: Any = (2, 2), stride: Any = (2, 2), padding: Any = (0, 0), step: Any = (1, 1)) -> integer.SumPool:
    return integer.SumPool(kernel, stride, padding, step)


def assert_merged(first: integer.SumPool, second: integer.Synapse, source: integer.Shape) -> integer.Synapse:
    """The merged synapse computes what the two do, one after the other."""
    merged = integer.merge(first, second, source)
    x = np.random.default_rng(0).integers(0, 9, (2, *source, 1))
    expected = second.current(first.sums(x))
    assert expected.any()
    assert (merged.current(x) == expected).all()
    return merged


def weights(*shape: int) -> Any:
    return np.random.default_rng(1).integers(-9, 10, shape)


class TestMerging:
    @pytest.mark.parametrize("axis", [0, 1])
    @pytest.mark.parametrize("name", ["kernel", "stride", "padding", "step"])
    def test_every_number_of_the_pooling_counts_for_each_axis(self, name: str, axis: int) -> None:
        options = {"kernel": [2, 2], "stride": [2, 2], "padding": [1, 1], "step": [1, 1]}
        options[name][axis] += 1
        first, source = pooling(**options), (2, 9, 10)
        shape = first.output_shape(source)
        assert_merged(first, integer.Dense(weights(3, int(np.prod(shape)))), source)
        assert_merged(first, integer.Conv(weights(4, 1, 2, 1), (1, 2), dilation=(2, 1), groups=2), source)

    @pytest.mark.parametrize("axis", [0, 1])
    @pytest.mark.parametrize("name", ["kernel", "stride", "dilation"])
    def test_every_number_of_the_convolution_counts_for_each_axis(self, name: str, axis: int) -> None:
        options = {"kernel": [2, 2], "stride": [1, 1], "dilation": [1, 1]}
        options[name][axis] += 1
        conv = integer.Conv(weights(6, 2, *options.pop("kernel")), **options, groups=3)
        assert_merged(pooling(), conv, (6, 9, 12))
        assert_merged(pooling((1, 3), (2, 3), (0, 1)), conv, (6, 9, 14))

    def test_the_geometry_of_the_merged_kernel(self) -> None:
        conv = integer.Conv(weights(6, 2, 2, 3), (2, 3), (1, 2), (3, 1), 3)
        merged = integer.merge(pooling((2, 3), (2, 3)), conv, (6, 12, 12))
        assert isinstance(merged, integer.Conv)
        assert (merged.stride, merged.padding, merged.dilation, merged.groups) == ((4, 9), (2, 6), (1, 1), 3)
        assert merged.weight.shape == (6, 2, (2 - 1) * 3 * 2 + 2, (3 - 1) * 1 * 3 + 3)
        assert_merged(pooling((2, 3), (2, 3)), conv, (6, 12, 12))

    def test_weights_of_each_channel_stay_with_it(self) -> None:
        assert_merged(pooling(), integer.Conv(weights(4, 3, 2, 1), groups=2), (6, 6, 6))
        assert_merged(pooling(), integer.Dense(weights(4, 6 * 3 * 3)), (6, 6, 6))
        merged = assert_merged(pooling(), integer.OneToOne(weights(6)), (6, 6, 6))
        assert isinstance(merged, integer.Conv)
        assert (merged.groups, merged.weight.shape) == (6, (6, 1, 2, 2))

    def test_two_in_a_row(self) -> None:
        """The last one merges first, for the source that the others leave."""
        chain = pooling((3, 2), (2, 1), (1, 0)), pooling((2, 2), (1, 2), step=(2, 1))
        connection = integer.Connection("input", integer.Conv(weights(3, 2, 2, 2)), 3, 0, chain)
        merged = connection.merged((2, 12, 12))
        assert (merged.poolings, merged.delay, merged.port) == ((), 3, 0)
        x = np.random.default_rng(0).integers(0, 9, (2, 2, 12, 12, 1))
        expected = connection.synapse.current(chain[1].sums(chain[0].sums(x)))
        assert (merged.synapse.current(x) == expected).all()
        assert merged.output_shape((2, 12, 12)) == connection.output_shape((2, 12, 12)) == expected.shape[1:-1]
        assert connection.amplification == 6 * 4
        assert merged.amplification == 1

    def test_synapses_of_other_kinds_do_not_merge(self) -> None:
        class Other(integer.Synapse):
            kind = "some_other"

        with pytest.raises(DeploymentError, match="a pooling does not merge into a some other synapse"):
            integer.merge(pooling(), Other(), (2, 4, 4))

    @pytest.mark.parametrize("axis", [0, 1])
    @pytest.mark.parametrize(
        ("kernel", "stride", "padding", "step", "extent", "exact"),
        [
            (2, 2, 0, 1, 8, True),
            (2, 2, 0, 1, 9, False),  # what the pooling leaves out, the window after the last one would see
            (3, 2, 0, 1, 9, False),  # the window before the first one overlaps it
            (3, 2, 1, 1, 9, True),  # it ends just before the first pixel, the one after the last begins just after it
            (3, 2, 1, 1, 10, False),
            (2, 2, 1, 2, 9, True),
            (2, 1, 0, 2, 9, False),
            (1, 1, 1, 1, 4, True),
            (1, 2, 0, 1, 8, True),
            (1, 2, 0, 1, 9, True),
        ],
    )
    def test_padding_between_the_two_merges_where_no_window_sees_it(
        self, axis: int, kernel: int, stride: int, padding: int, step: int, extent: int, exact: bool
    ) -> None:
        def along(value: int, other: int) -> tuple[int, int]:
            return (value, other) if axis == 0 else (other, value)

        first = pooling(along(kernel, 2), along(stride, 2), along(padding, 0), along(step, 1))
        second, source = integer.Conv(weights(2, 2, 2, 2), padding=along(1, 0)), (2, *along(extent, 8))
        if exact:
            assert_merged(first, second, source)
            return
        with pytest.raises(DeploymentError, match="does not merge exactly into a padded convolution") as caught:
            integer.merge(first, second, source)
        said = f"a pooling of kernel {along(kernel, 2)} and stride {along(stride, 2)} over {along(extent, 8)} does"
        assert said in caught.value.problem

    def test_what_pads_along_one_axis_asks_nothing_of_the_other(self) -> None:
        assert_merged(pooling(), integer.Conv(weights(2, 2, 2, 2), padding=(1, 0)), (2, 8, 9))
        assert_merged(pooling(), integer.Conv(weights(2, 2, 2, 2), padding=(0, 1)), (2, 9, 8))

    def test_a_dense_layer_that_does_not_fit_is_refused(self) -> None:
        with pytest.raises(DeploymentError, match="7 dense inputs do not fit"):
            integer.merge(pooling(), integer.Dense(weights(1, 7)), (2, 4, 4))


def dense(inputs: int = 3, outputs: int = 2, **more: Any) -> block.Dense:
    torch.manual_seed(0)
    return block.Dense(PARAMETERS, inputs, outputs, **more)


def conv(source: int, target: int, **more: Any) -> block.Conv:
    torch.manual_seed(0)
    return block.Conv(PARAMETERS, source, target, **{"kernel_size": 3, "padding": 1, **more})


class TestFolding:
    @pytest.mark.parametrize("bits", [1, 2, 20])
    def test_the_width_of_the_input(self, bits: int) -> None:
        network = netx_export.fold(nn.Sequential(dense(weight_bits=1)), (3,), 1, bits)
        assert network.input.maximum == 2**bits - 1

    def test_the_largest_width_of_the_input(self) -> None:
        narrow = nn.Sequential(block.Dense({**PARAMETERS, "history": 1}, 1, 1, weight_bits=1))
        assert netx_export.fold(narrow, (1,), 1, 24).input.maximum == 2**24 - 1
        assert netx_export.fold(narrow, (1,), 1).input.maximum == 1
        for bits in (0, 25, True, 2.0):
            with pytest.raises(ConfigurationError, match="input_bits must be an integer from 1 to 24"):
                netx_export.fold(narrow, (1,), 1, bits)  # type: ignore[arg-type]

    def test_an_input_block_comes_first_or_not_at_all(self) -> None:
        first = block.Input(PARAMETERS)
        assert list(netx_export.fold(nn.Sequential(first, dense()), (3,), 2)) == ["input1", "dense2"]
        assert list(netx_export.fold(nn.Sequential(block.Input(), dense()), (3,), 2)) == ["dense1"]
        for net, shape in (
            (nn.Sequential(dense(), block.Input(), dense(2)), (3,)),
            (nn.Sequential(block.Pool(None, 2), block.Input(), conv(2, 3)), (2, 4, 4)),
            (nn.Sequential(block.Flatten(), block.Input(), dense()), (3, 1, 1)),
        ):
            with pytest.raises(DeploymentError, match="an Input can only be the first block"):
                netx_export.fold(net, shape, 2)

    @pytest.mark.parametrize("parameters", [None, PARAMETERS])
    def test_delays_are_refused_in_every_block(self, parameters: Any) -> None:
        for each in (block.Input(parameters, delay_shift=True), block.Pool(parameters, 2, delay_shift=True)):
            with pytest.raises(DeploymentError, match="layer '.*1': delay_shift is a training option"):
                netx_export.fold(nn.Sequential(each, conv(2, 3)), (2, 4, 4), 2)

    def test_poolings_need_maps(self) -> None:
        with pytest.raises(DeploymentError, match="layer 'pool1': pooling needs a source of shape"):
            netx_export.fold(nn.Sequential(block.Pool(None, 2), dense()), (3,), 2)
        with pytest.raises(DeploymentError, match="layer 'pool1': pooling needs a source of shape"):
            netx_export.fold(nn.Sequential(block.Flatten(), block.Pool(None, 2), dense()), (3, 2, 2), 2)

    def test_what_comes_after_a_layer_starts_anew(self) -> None:
        net = nn.Sequential(
            block.Pool(None, 2), conv(2, 3), block.Pool(None, 2), block.Flatten(), dense(12, 5), block.Output(5, 2)
        )
        network = netx_export.export(net, None, (2, 8, 8), 3)
        assert network.shapes == {"input": (2, 8, 8), "conv1": (3, 4, 4), "dense2": (5,), "output": (2,)}
        assert [layer.connections[0].source for layer in network.layers] == ["input", "conv1", "dense2"]

    def test_blocks_before_and_in_a_residual_are_found(self) -> None:
        inner = conv(2, 2), conv(2, 2)
        net = nn.Sequential(conv(2, 2), block.Residual(*inner), block.Flatten(), block.Output(32, 2))
        assert len(netx_export._fold.spiking_blocks(net)) == 4
        network = netx_export.export(net, None, (2, 4, 4), 3)
        assert list(network) == ["conv1", "conv2", "conv3", "output"]
        assert network.sources("conv3") == ("conv2", "conv1")

    def test_a_residual_of_three_has_its_skip_at_the_last(self) -> None:
        inner = conv(2, 2), conv(2, 2), conv(2, 2)
        net = nn.Sequential(block.Residual(*inner), block.Flatten(), block.Output(32, 2))
        network = netx_export.export(net, None, (2, 4, 4), 3)
        assert [network.sources(name) for name in network] == [("input",), ("conv1",), ("conv2", "input"), ("conv3",)]

    def test_a_pooling_before_a_residual_goes_into_both_ways(self) -> None:
        from lava_qsnn import synapse

        for shortcut, target in ((None, 2), (synapse.Conv(2, 3, 1), 3)):
            inner = conv(2, 2), conv(2, target)
            net = nn.Sequential(block.Pool(None, 2), block.Residual(*inner, shortcut=shortcut), block.Flatten())
            net.append(block.Output(target * 16, 2))
            network = netx_export.export(net, None, (2, 8, 8), 3, input_bits=2)
            before = (integer.SumPool((2, 2), (2, 2)),)
            assert network.layers[0].connections[0].poolings == before
            assert network.layers[1].connections[0].poolings == network.layers[2].connections[0].poolings == ()
            skip = network.layers[1].connections[1]
            assert (skip.source, skip.poolings) == ("input", before)
            assert isinstance(skip.synapse, integer.OneToOne if shortcut is None else integer.Conv)
            merged = network.merged.layers[1].connections[1]
            assert merged.poolings == ()
            assert merged.synapse.weight.shape == (target, 1 if shortcut is None else 2, 2, 2)

    def test_thresholds_out_of_reach_move_to_its_border(self) -> None:
        """Neurons that always or never fire: -1 or 0 is what always holds where no potential is negative."""
        for threshold, expected in ((1e6, [10, 10, 1, 1]), (-1e6, [0, 0, -9, -9])):
            net = nn.Sequential(block.Dense({**PARAMETERS, "threshold": threshold}, 3, 4, weight_bits=1))
            net[0].synapse.weight.data[:] = torch.tensor([1.0, 1.0, -1.0, -1.0]).reshape(4, 1, 1, 1, 1)
            network = netx_export.fold(net.eval(), (3,), 2)
            assert network.layers[0].neuron.taps == (2, 1)
            assert network.layers[0].neuron.threshold.tolist() == expected

    def test_inputs_are_spikes_by_default_and_what_differs_is_named(self) -> None:
        class Turned(nn.Sequential):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self[1](1 - self[0](x))

        blocks = dense(3, 4), block.Output(4, 2)
        assert netx_export.export(nn.Sequential(*blocks), None, (3,), 2).input.maximum == 1
        with pytest.raises(DeploymentError) as caught:
            netx_export.export(Turned(*blocks), None, (3,), 2)
        assert caught.value.layer == "output"

    def test_proof_samples_are_dense_and_sparse_and_span_the_range(self) -> None:
        network = netx_export.fold(nn.Sequential(dense(3, weight_bits=1)), (3,), 500, input_bits=3)
        x = _proof_samples(network)
        assert x.shape == (4, 3, 500)
        assert (x.min(), x.max()) == (0, 7)
        busy = (x > 0).mean((1, 2))
        assert (abs(busy[:2] - 7 / 8) < 0.05).all()
        assert (abs(busy[2:] - 0.2 * 7 / 8) < 0.05).all()
        assert (x == _proof_samples(network)).all()


class TestDescription:
    @pytest.mark.parametrize(
        ("values", "bits"),
        [
            ([-1, 1], 1),
            ([1, 1], 1),
            ([-1, 0], 1),
            ([0, 1], 2),
            ([-1, 0, 1], 2),
            ([-2, 1], 2),
            ([-1, 2], 3),
            ([-2, -1], 2),
            ([-3, 1], 3),
            ([3, 3], 3),
            ([-128, 127], 8),
            ([-129, 0], 9),
            ([0, 128], 9),
            ([0, 0], 1),
        ],
    )
    def test_the_bits_of_weights(self, values: list[int], bits: int) -> None:
        assert weight_bits(integer.Dense(np.array([values]))) == bits

    def test_every_number_of_a_layer(self) -> None:
        lif = integer.QuantizedLIF(3, 3, "soft", [1] * 4, [0] * 4, [0] * 4, [4, 3, 9, -7])
        fires = integer.MemoryFree((5, 2, 1), [3, -1, 0, 9])
        network = integer.IntegerNetwork(
            integer.Input((2, 3, 4), 7),
            6,
            (
                integer.Layer("a", (integer.Connection("input", integer.Conv(np.ones((4, 2, 1, 1), int))),), fires),
                integer.Layer(
                    "b",
                    (
                        integer.Connection("a", integer.OneToOne([1, -2, 3, 4])),
                        integer.Connection("a", integer.Conv(np.eye(4, dtype=int)[:, :, None, None])),
                    ),
                    lif,
                ),
                integer.Layer(
                    "c", (integer.Connection("b", integer.Dense(np.ones((2, 48), int))),), integer.Readout((2, 1))
                ),
            ),
        )
        first, second, third = describe(network)
        assert (first.name, first.kind, first.shape, first.neurons, first.weights) == ("a", "conv", (4, 3, 4), 48, 8)
        assert (first.weight_bits, first.taps, first.potential, first.thresholds) == (1, (5, 2, 1), "", (-1, 9))
        assert (first.potentials, first.state_bits) == ((0, 2 * 7 * 8), 1)
        assert (second.kind, second.weights, second.weight_bits) == ("one to one + conv", 4 + 16, 4)
        assert (second.potential, second.thresholds) == ("3 bits, leak 1/8, soft", (-7, 9))
        assert (second.potentials, second.state_bits) == ((-8 - 2 + 0, 6 + 5), 2 + 3)
        assert (third.kind, third.thresholds, third.potentials, third.state_bits) == ("dense", None, (0, 48 * 3), 0)
        assert state_bits(network, "input") == 3 * 3
        assert LIF_STATE_BITS == 2 * 24

    def test_poolings_delays_and_signs(self) -> None:
        """Inputs of 4 bits and a sign, of which the last 2 + 3 steps are kept; windows of 2 x 3."""
        way = integer.Connection("input", integer.OneToOne([5, -1]), 3, poolings=(pooling((2, 3), (2, 3)),))
        layer = integer.Layer("a", (way,), integer.Readout((2, 1)))
        network = integer.IntegerNetwork(integer.Input((2, 4, 6), 9, -7), 8, (layer,))
        (only,) = describe(network)
        assert (only.kind, only.shape, only.taps) == ("pool 2x3, one to one, delay 3", (2, 2, 2), (2, 1))
        assert (only.weights, only.weight_bits) == (2, 4)
        assert only.potentials == (-7 * 6 * 3 * 5, 9 * 6 * 3 * 5)
        assert state_bits(network, "input") == 5 * (3 + 2)
