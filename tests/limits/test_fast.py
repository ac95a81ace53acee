"""The fast engine and its kernels at the ends of their ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lava_qsnn import engines, integer
from lava_qsnn.engines import _fast, _history, _kernels, _packed, _tiled, _wires
from tests.helpers import tiles
from tests.helpers.kinds import every_kind, inputs, layer, pooled_and_delayed, random


class TestKernels:
    @pytest.mark.parametrize(
        "synapse",
        [
            integer.Conv(random(3, 2, 2, 3), (2, 1), (1, 2), (1, 2), 3),  # one output in each group
            integer.Conv(random(6, 2, 3, 1), (1, 2), (0, 1), (2, 1), 3),
            integer.Conv(random(12, 1, 2, 3), (2, 3), (1, 2), (2, 1), 6),
            integer.Conv(random(5, 6, 1, 1)),
            integer.OneToOne(random(6)),
            integer.Dense(random(4, 6 * 7 * 8)),
        ],
    )
    @pytest.mark.parametrize("block", [1, 2**10, 2**18])
    def test_they_are_the_reference_s_in_blocks_of_any_size(
        self, synapse: integer.Synapse, block: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_kernels, "BLOCK", block)
        traces = random(7, 6, 7, 8, low=0, high=9)
        expected = synapse.current(traces[..., None])[..., 0]
        assert np.ptp(expected) > 0
        assert (engines.kernel(synapse, (6, 7, 8), 9)(traces) == expected).all()

    @pytest.mark.parametrize(
        ("largest", "dtype"),
        [(2**24 // 4, "f4"), (2**24 // 4 + 1, "f8"), (2**53 // 4, "f8"), (2**53 // 4 + 1, "i8")],
    )
    def test_they_compute_in_the_narrowest_numbers_that_are_exact(self, largest: int, dtype: str) -> None:
        for synapse in (integer.Dense([[3, -1]]), integer.Conv([[[[-3]], [[1]]]]), integer.OneToOne([4, -1])):
            assert _kernels.exact_dtype(synapse, largest) == np.dtype(dtype)
            source = (2, 1, 1) if isinstance(synapse, integer.Conv) else (2,)
            prepared = engines.kernel(synapse, source, largest)
            assert prepared.dtype == np.dtype(dtype)
            traces = np.array([largest, -largest]).reshape(1, *source)
            assert (prepared(traces) == synapse.current(traces[..., None])[..., 0]).all()


class TestFast:
    @pytest.mark.parametrize("make", [every_kind, pooled_and_delayed])
    def test_every_kind_of_layer_is_the_reference_s(
        self, make: Callable[[], integer.IntegerNetwork], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x = inputs(make(), 5)
        expected = integer.run_reference(make(), x)
        for absent in ((), (_tiled,), (_tiled, _packed), (_tiled, _packed, _history)):
            for module in absent:
                monkeypatch.setattr(module, "compiled", lambda: None)
            network = make()  # one is prepared once
            for chunk in (1, 2**20):
                alike = [np.broadcast_to(x.take([0], axis), x.shape) for axis in range(x.ndim)]
                for values in (x, *alike, x[..., :2]):
                    found, truth = (
                        engines.run_fast(network, values, chunk=chunk),
                        integer.run_reference(network, values),
                    )
                    assert all((found[name] == truth[name]).all() for name in network)
        assert all(len(np.unique(values)) > 1 for values in expected.values())

    def test_what_the_matrix_unit_may_compute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory-free neurons with one connection, with taps that are reached, whatever the processor says to it."""
        asked: list[Any] = []
        monkeypatch.setattr(_fast, "tiled", lambda *arguments: asked.append(arguments))
        network = every_kind()
        engines.run_fast(network, random(1, 2, 5, 6, 2, low=0, high=4))
        (first, *one), (dead, *two) = asked
        assert (first, dead) == tuple(network.layer(name).connections[0] for name in ("first", "dead"))
        assert (one[0], one[1], one[2].tolist(), one[3]) == ((2, 5, 6), (3, 2), [2, -4, 9, 0], 3)
        assert (two[0], two[1], two[2].tolist(), two[3]) == (network.shapes["first"], (1,), [0, 0], 1)

    def test_neither_delays_nor_negative_numbers_go_to_the_matrix_unit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(_fast, "tiled", lambda *arguments: asked.append(arguments))
        for minimum, delay, told in ((0, 0, 1), (-1, 0, 0), (0, 1, 0)):
            way = integer.Connection("input", integer.Dense([[1, 1]]), delay)
            only = integer.Layer("a", (way,), integer.MemoryFree((1,), [1]))
            network = integer.IntegerNetwork(integer.Input((2,), 1, minimum), 2, (only,))
            engines.run_fast(network, np.ones((1, 2, 2), int))
            assert len(asked) == told
            asked.clear()

    @pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
    def test_poolings_are_sums_over_windows(self, padding: tuple[int, int]) -> None:
        pooling = integer.SumPool((2, 3), (3, 1), padding, (2, 1))
        frames = random(4, 3, 2, 8, 7, low=-9, high=10)
        found = _wires.pooled(frames, pooling, np.dtype(np.int16))
        assert found.dtype == np.int16
        assert (found == np.moveaxis(pooling.sums(np.moveaxis(frames, 0, -1)), -1, 0)).all()

    @pytest.mark.parametrize("maximum", [1, 2, 3])
    def test_bits_of_graded_inputs_are_not_counted(self, maximum: int) -> None:
        signs = 2 * random(8, 16, low=0, high=2) - 1
        only = layer("a", integer.Readout((2, 1)), ("input", integer.Dense(signs)))
        network = integer.IntegerNetwork(integer.Input((16,), maximum), 4, (only,))
        x = random(5, 16, 4, low=0, high=maximum + 1)
        assert (engines.run_fast(network, x)["a"] == integer.run_reference(network, x)["a"]).all()

    @pytest.mark.parametrize("reset", ["hard", "soft"])
    @pytest.mark.parametrize("threshold", [-1000, -13, 13, 1000])
    def test_a_reset_subtracts_thresholds_that_are_always_reached(self, reset: str, threshold: int) -> None:
        lif = integer.QuantizedLIF(4, 1, reset, [0] * 3, [0] * 3, [1] * 3, [threshold] * 3)
        only = layer("a", lif, ("input", integer.Dense(random(3, 4))))
        second = layer("b", integer.Readout((1,)), ("a", integer.Dense(random(2, 3))))
        network = integer.IntegerNetwork(integer.Input((4,)), 6, (only, second))
        x = random(20, 4, 6, low=0, high=2)
        found, truth = engines.run_fast(network, x), integer.run_reference(network, x)
        assert all((found[name] == truth[name]).all() for name in network)

    @pytest.mark.parametrize("threshold", [-(2**63), -(2**62), -(2**31), 2**31, 2**62, 2**63 - 1])
    @pytest.mark.parametrize("still", [False, True])
    def test_thresholds_far_beyond_what_potentials_reach(
        self, threshold: int, still: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where tiles compute them, whose loops numpy stands in for where the processor has no matrix unit."""
        only = layer("a", integer.MemoryFree((2, 1), [threshold]), ("input", integer.Dense([[1, -1]])))
        x = random(2, 2, 3, low=0, high=2)
        x = np.broadcast_to(x[..., :1], x.shape) if still else x
        for loops in (None, _tiled.compiled() or tiles):
            monkeypatch.setattr(_tiled, "compiled", lambda loops=loops: loops)
            network = integer.IntegerNetwork(integer.Input((2,)), 3, (only,))
            assert (engines.run_fast(network, x)["a"] == (threshold < 0)).all()

    def test_layers_that_nobody_wants_are_not_computed(self) -> None:
        assert list(engines.run_fast(every_kind(), random(1, 2, 5, 6, 5, low=0, high=4), layers=["stored"])) == [
            "stored"
        ]
        plan = _fast._plan(every_kind(), 5, ["out"])
        assert [stage.layer.name for stage in plan] == ["first", "stored", "dense", "both", "out"]
        assert [stage.done for stage in plan] == [("input",), ("first",), ("stored",), ("dense",), ("both",)]

    @pytest.mark.parametrize(
        ("chunk", "told"), [(0, 5), (19, 5), (20, 5), (39, 5), (40, 3), (60, 2), (99, 2), (100, 1), (10**6, 1)]
    )
    def test_as_many_samples_at_a_time_as_a_chunk_holds(self, chunk: int, told: int) -> None:
        """The widest layer has 5 neurons, the sample 4 steps: 20 numbers."""
        dense = layer("a", integer.Readout((1,)), ("input", integer.Dense(random(5, 2))))
        network = integer.IntegerNetwork(integer.Input((2,)), 4, (dense,))
        fractions: list[float] = []
        engines.run_fast(network, np.ones((5, 2, 4), int), chunk=chunk, progress=fractions.append)
        samples = max(1, chunk // 20)
        assert fractions == [min(1.0, samples * (i + 1) / 5) for i in range(told)]

    @pytest.mark.parametrize("offset", [-1, 0, 1, 2])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_thresholds_at_the_ends_of_what_potentials_reach(self, offset: int, sign: int) -> None:
        for largest in (2**24 - 1, 2**15 - 3, 100):
            for threshold in (largest + offset, -largest + offset):
                neuron = integer.MemoryFree((1,), [threshold])
                only = layer("a", neuron, ("input", integer.Conv(np.full((1, 1, 1, 1), sign))))
                network = integer.IntegerNetwork(integer.Input((1, 1, 1), largest), 1, (only,))
                x = np.array([0, 1, largest - 1, largest]).reshape(4, 1, 1, 1, 1)
                assert (engines.run_fast(network, x)["a"] == integer.run_reference(network, x)["a"]).all()
