"""Rules of torch and Lava: met at each limit, broken one beyond, and said with the place."""

from __future__ import annotations

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import RangeError
from lava_qsnn.integer import _limits
from tests.helpers.chains import chain, layer, stored


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
        doubled = chain(layer("a", [[sign]], integer.Readout((1, 1))), maximum=2**30 + 1, timesteps=2)
        (problem,) = self.problems(doubled, _limits.outputs_fit_lava_messages)
        assert "leave int32" in problem
        assert "2,147,483,650" in problem

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
