"""Synapses and poolings at the limits of their shapes and geometry."""

from __future__ import annotations

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError


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
