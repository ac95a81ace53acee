"""The reference engine by hand and by the oracle, and the inputs that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import InputError
from tests.helpers import oracle
from tests.helpers.kinds import every_kind, inputs, layer, pooled_and_delayed


class TestReference:
    @pytest.mark.parametrize("make", [every_kind, pooled_and_delayed])
    def test_every_kind_of_layer_is_the_oracle_s(self, make: Callable[[], integer.IntegerNetwork]) -> None:
        network = make()
        x = inputs(network, 2)
        found = integer.run_reference(network, x)
        for name in network:
            expected = [oracle.run(network, sample)[name] for sample in x]
            assert found[name].tolist() == np.array(expected).reshape(found[name].shape).tolist()
            assert len(np.unique(found[name])) > 1
            assert found[name].dtype == np.int64

    def test_traces(self) -> None:
        spikes = np.array([[1, 0, 0, 1, 1], [0, 1, 1, 1, 0]])
        assert integer.traces(spikes, (5, 3, 1)).tolist() == [[5, 3, 1, 5, 8], [0, 5, 8, 9, 4]]
        assert integer.traces(spikes[:, :2], (5, 3, 1)).tolist() == [[5, 3], [0, 5]]

    @pytest.mark.parametrize(
        ("reset", "spikes", "potentials"),
        [("hard", [0, 1, 0, 1], [12, 21, 12, 21]), ("soft", [0, 1, 1, 1], [12, 21, 17, 14])],
    )
    def test_a_stored_potential_by_hand(self, reset: str, spikes: list[int], potentials: list[int]) -> None:
        """U = 12, stored (3 x 12 + 2) >> 2 = 9, and so on; the threshold is 14, at which it fires."""
        neuron = integer.QuantizedLIF(8, 2, reset, [0], [1], [2], [14])
        fired, found = neuron.run([np.full((1, 1, 4), 5)])
        assert (fired[0, 0].tolist(), found[0, 0].tolist()) == (spikes, potentials)

    def test_numbers_of_channels_in_front_of_the_axes_of_maps(self) -> None:
        values = np.arange(3)
        assert [integer.per_channel(values, axes).shape for axes in (1, 2, 3)] == [(3,), (3, 1), (3, 1, 1)]


class TestInput:
    network = integer.IntegerNetwork(
        integer.Input((2,), 200), 3, (layer("a", integer.Readout((1,)), ("input", integer.Dense([[1, 1]]))),)
    )

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64, ">i4"])
    def test_from_0_to_the_largest(self, dtype: Any) -> None:
        x = np.array([[[0, 200, 0], [200, 0, 1]]]).astype(dtype)
        assert (integer.check_input(self.network, x) == x).all()
        assert integer.run_reference(self.network, x)["a"].tolist() == [[[200, 200, 1]]]

    @pytest.mark.parametrize("value", [-1, 201, -(2**31), 2**31 - 1])
    def test_not_beyond(self, value: int) -> None:
        x = np.zeros((1, 2, 3), np.int32)
        x[0, 1, 2] = value
        with pytest.raises(InputError, match="leave the range 0 to 200"):
            integer.check_input(self.network, x)

    @pytest.mark.parametrize("steps", [1, 2, 3])
    def test_samples_may_be_shorter(self, steps: int) -> None:
        assert integer.run_reference(self.network, np.ones((2, 2, steps), int))["a"].tolist() == [[[2] * steps]] * 2
        with pytest.raises(InputError, match="4 time steps exceed the 3"):
            integer.check_input(self.network, np.ones((2, 2, 4), int))

    def test_what_is_the_same_at_every_step_is_looked_at_once(self) -> None:
        still = np.broadcast_to(np.array([[[0], [200]]]), (1, 2, 3))
        assert integer.check_input(self.network, still) is still
        with pytest.raises(InputError, match="leave the range"):
            integer.check_input(self.network, still + np.array([[[0], [1]]]) * np.ones(3, int))
        with pytest.raises(InputError, match="leave the range"):
            integer.check_input(self.network, np.broadcast_to(np.array([[[0], [201]]]), (1, 2, 3)))

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16])
    def test_what_is_the_same_elsewhere_is_looked_at_at_every_step(self, dtype: type) -> None:
        """Samples, channels, rows or columns that are views of one another, and none."""
        only = layer("a", integer.Readout((1,)), ("input", integer.OneToOne([1, 1])))
        network = integer.IntegerNetwork(integer.Input((2, 3, 4), 200), 3, (only,))
        x: Any = np.zeros((2, 2, 3, 4, 3), dtype)
        x[..., -1] = 201
        for values in (x, *(np.broadcast_to(x.take([0], axis), x.shape) for axis in range(4))):
            with pytest.raises(InputError, match="leave the range"):
                integer.check_input(network, values)

    def test_booleans_become_bytes(self) -> None:
        assert integer.check_input(self.network, np.ones((1, 2, 3), bool)).dtype == np.uint8

    @pytest.mark.parametrize("shape", [(), (2,), (2, 3), (1, 3, 3), (1, 2, 1, 3), (0, 2, 3), (1, 2, 0)])
    def test_of_no_other_shape(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(InputError, match=r"the input must have shape \(N, 2, T\)"):
            integer.check_input(self.network, np.zeros(shape, int))
