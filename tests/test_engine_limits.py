"""Engines at their limits: the reference by hand and by the oracle, the types that the fast engine computes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import InputError
from lava_qsnn.integer import _fast, _kernels, _packed, _tiled
from lava_qsnn.integer._unmerge import unmerge
from tests import oracle


def layer(name: str, neuron: integer.Neuron, *connections: tuple[str, integer.Synapse]) -> integer.Layer:
    return integer.Layer(name, tuple(integer.Connection(source, synapse) for source, synapse in connections), neuron)


def random(*shape: int, low: int = -5, high: int = 6) -> Any:
    return np.random.default_rng(sum(shape)).integers(low, high, shape)


def every_kind() -> integer.IntegerNetwork:
    """Each neuron, each synapse, both resets, a skip and a dead end; all strides, paddings and dilations differ."""
    conv = integer.Conv(random(4, 1, 2, 3), (2, 1), (1, 2), (1, 2), 2)
    shape = conv.output_shape((2, 5, 6))
    hard = integer.QuantizedLIF(3, 2, "hard", [1, 0, 2, 0], [0, 1, 0, 2], [-3, 0, 5, 1], [9, 3, 20, 4])
    soft = integer.QuantizedLIF(4, 1, "soft", [2], [1], [1], [7]).broadcast(5)
    return integer.IntegerNetwork(
        integer.Input((2, 5, 6), 3),
        5,
        (
            layer("first", integer.MemoryFree((3, 2, 1), [2, -4, 9, 0]), ("input", conv)),
            layer(
                "stored", hard, ("first", integer.OneToOne([3, -2, 4, 1])), ("first", integer.Conv(random(4, 4, 1, 1)))
            ),
            layer("dead", integer.MemoryFree((1,), [0] * 2), ("first", integer.Dense(random(2, int(np.prod(shape)))))),
            layer("dense", soft, ("stored", integer.Dense(random(5, int(np.prod(shape)))))),
            layer(
                "both",
                integer.MemoryFree((2, 1), [2, 0, 3, -1, 4]),
                ("dense", integer.Dense(random(5, 5))),
                ("dense", integer.OneToOne([3, -1, 2, -2, 1])),
            ),
            layer("out", integer.Readout((2, 1)), ("both", integer.Dense(random(3, 5)))),
        ),
    )


def stored_dtype(neuron: integer.QuantizedLIF) -> Any:
    """What the fast engine computes a neuron with one binary input in; its spikes are the reference's."""
    only = layer("a", neuron, ("input", integer.Dense([[1]])))
    network = integer.IntegerNetwork(integer.Input((1,)), 4, (only,))
    x = np.array([[[0, 1, 1, 0]], [[1, 1, 1, 1]]])
    assert (integer.run_fast(network, x)["a"] == integer.run_reference(network, x)["a"]).all()
    (stage,) = _fast._plan(network, 4, ("a",))
    return stage.stored


class TestReference:
    def test_every_kind_of_layer_is_the_oracle_s(self) -> None:
        network = every_kind()
        x = random(2, 2, 5, 6, 5, low=0, high=4)
        found = integer.run_reference(network, x)
        for name in network:
            expected = [oracle.run(network, sample)[name] for sample in x]
            assert found[name].tolist() == np.array(expected).reshape(found[name].shape).tolist()
            assert len(np.unique(found[name])) > 1
            assert found[name].dtype == np.int64

    def test_history_words(self) -> None:
        spikes = np.array([[1, 0, 0, 1, 1], [0, 1, 1, 1, 0]])
        assert integer.history_words(spikes, (5, 3, 1)).tolist() == [[5, 3, 1, 5, 8], [0, 5, 8, 9, 4]]
        assert integer.history_words(spikes[:, :2], (5, 3, 1)).tolist() == [[5, 3], [0, 5]]

    @pytest.mark.parametrize(
        ("reset", "spikes", "potentials"),
        [("hard", [0, 1, 0, 1], [12, 21, 12, 21]), ("soft", [0, 1, 1, 1], [12, 21, 17, 14])],
    )
    def test_a_stored_potential_by_hand(self, reset: str, spikes: list[int], potentials: list[int]) -> None:
        """U = 12, stored (3 x 12 + 2) >> 2 = 9, and so on; the threshold is 14, at which it fires."""
        neuron = integer.QuantizedLIF(8, 2, reset, [0], [1], [2], [14])
        fired, found = integer.integrate(neuron, np.full((1, 1, 4), 5))
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
        x = np.zeros((2, 2, 3, 4, 3), dtype)
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


class TestTypes:
    @pytest.mark.parametrize(
        ("reach", "dtype"),
        [(0, "f4"), (2**24, "f4"), (2**24 + 1, "f8"), (2**53, "f8"), (2**53 + 1, "i8"), (2**62, "i8")],
    )
    def test_the_narrowest_that_is_exact(self, reach: int, dtype: str) -> None:
        assert integer.narrowest(reach) == np.dtype(dtype)

    def test_the_largest_sum_is_that_of_magnitudes_and_at_least_1(self) -> None:
        assert _kernels.largest_sum(integer.Dense([[1, -2], [-3, -4]])) == 7
        assert _kernels.largest_sum(integer.Conv(np.full((2, 3, 2, 2), -5))) == 60
        assert _kernels.largest_sum(integer.Dense([[0, 0]])) == 1
        assert _kernels.largest_sum(integer.Dense([[-(2**31), 2**31 - 1]])) == 2**32 - 1

    @pytest.mark.parametrize("sign", [1, -1])
    def test_counted_currents_never_wrap(self, sign: int) -> None:
        if _packed.compiled() is None:
            pytest.skip("numba is not installed")
        most = 2**15 - 1
        kernel = _packed.packed_kernel(integer.Dense(np.full((8, most), sign)), (most,))
        assert kernel is not None
        assert kernel.dtype == np.int16
        assert kernel(np.ones((2, most), bool)).tolist() == [[sign * most] * 8] * 2
        wider = _packed.packed_kernel(integer.Dense(np.full((8, most + 1), sign)), (most + 1,))
        assert wider is not None
        assert wider.dtype == np.int32

    @pytest.mark.parametrize(("out", "inputs", "counted"), [(8, 16, True), (7, 16, False), (8, 15, False)])
    def test_bits_are_counted_where_it_pays(self, out: int, inputs: int, counted: bool) -> None:
        if _packed.compiled() is None:
            pytest.skip("numba is not installed")
        ones = np.ones((out, inputs), int)
        assert (_packed.packed_kernel(integer.Dense(ones), (inputs,)) is not None) == counted
        conv = integer.Conv(ones[:, :, None, None])
        assert (_packed.packed_kernel(conv, (inputs, 2, 2)) is not None) == counted
        grouped = integer.Conv(np.ones((16, 16, 1, 1), int), groups=2)
        assert _packed.packed_kernel(grouped, (32, 2, 2)) is None
        ones[-1, -1] = 0
        assert _packed.packed_kernel(integer.Dense(ones), (inputs,)) is None
        assert _packed.packed_kernel(integer.OneToOne([1] * 32), (32,)) is None

    @pytest.mark.parametrize("channels", [1, 31, 32, 33, 64])
    def test_packed_words_hold_32_bits(self, channels: int) -> None:
        bits = np.random.default_rng(0).random((3, 2, channels)) < 0.5
        words = _packed.pack(bits)
        assert words.shape == (3, 2, -(-channels // 32))
        unpacked = np.unpackbits(words.view(np.uint8), axis=-1)
        assert (unpacked[..., :channels] == bits).all()
        assert not unpacked[..., channels:].any()

    @pytest.mark.parametrize(
        ("reach", "dtype"),
        [(1, np.int16), (2**15 - 1, np.int16), (2**15, np.int32), (2**31 - 1, np.int32), (2**31, np.int64)],
    )
    def test_the_narrowest_integers(self, reach: int, dtype: type) -> None:
        assert _fast._integer_dtype(reach) == dtype

    @pytest.mark.parametrize(("most", "dtype"), [(2**15 - 2, np.int16), (2**15 - 1, np.int32)])
    def test_counted_currents_leave_room_for_a_threshold_beyond_them(self, most: int, dtype: type) -> None:
        if _packed.compiled() is None:
            pytest.skip("numba is not installed")
        only = layer("a", integer.Readout((1,)), ("input", integer.Dense(np.ones((8, most), int))))
        (stage,) = _fast._plan(integer.IntegerNetwork(integer.Input((most,)), 1, (only,)), 1, ("a",))
        assert stage.dtype == dtype

    @pytest.mark.parametrize(
        ("bias", "threshold", "dtype"),
        [
            # U lies within 8 of the bias, and its rounding adds 1: 2^31 - 1 in all.
            (2**31 - 1 - 8 - 1, 1, np.int32),
            (2**31 - 8 - 1, 1, np.int64),
            (-(2**31 - 1 - 8 - 1), 1, np.int32),
            (-(2**31 - 8 - 1), 1, np.int64),
            # A threshold that is never reached is never subtracted; one below 0 adds to U.
            (0, 2**31 - 1, np.int32),
            (0, 2**62, np.int32),
            (0, -(2**31 - 1 - 8 - 1), np.int32),
            (0, -(2**31 - 8 - 1), np.int64),
        ],
    )
    def test_stored_potentials_that_leave_int32_are_computed_in_int64(
        self, bias: int, threshold: int, dtype: type
    ) -> None:
        assert stored_dtype(integer.QuantizedLIF(4, 1, "soft", [0], [0], [bias], [threshold])) == dtype

    @pytest.mark.parametrize(
        ("leak", "shift", "threshold", "dtype"),
        [
            # (2^leak - 1) (U - threshold) + 2^(shift + leak - 1), where U is at most 7 2^shift + 1
            (3, 0, -306_783_369, np.int32),  # 7 x (8 + 306,783,369) + 4 = 2^31 - 5
            (3, 0, -306_783_370, np.int64),
            (1, 26, -(2**31 - 1 - 2**29 - 1), np.int32),
            (1, 26, -(2**31 - 2**29 - 1), np.int64),
        ],
    )
    def test_leaks_and_shifts_of_stored_potentials_count(
        self, leak: int, shift: int, threshold: int, dtype: type
    ) -> None:
        assert stored_dtype(integer.QuantizedLIF(4, leak, "soft", [shift], [0], [0], [threshold])) == dtype


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
        words = random(7, 6, 7, 8, low=0, high=9)
        expected = integer.current(synapse, words[..., None])[..., 0]
        assert np.ptp(expected) > 0
        assert (integer.kernel(synapse, (6, 7, 8), 9)(words) == expected).all()


class TestFast:
    def test_every_kind_of_layer_is_the_reference_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network, x = every_kind(), random(5, 2, 5, 6, 5, low=0, high=4)
        expected = integer.run_reference(network, x)
        for absent in ((), (_tiled,), (_tiled, _packed)):
            for module in absent:
                monkeypatch.setattr(module, "compiled", lambda: None)
            for chunk in (1, 2**20):
                alike = [np.broadcast_to(x.take([0], axis), x.shape) for axis in range(5)]
                for values in (x, *alike, x[..., :2]):
                    found, judge = (
                        integer.run_fast(network, values, chunk=chunk),
                        integer.run_reference(network, values),
                    )
                    assert all((found[name] == judge[name]).all() for name in network)
        assert all(len(np.unique(values)) > 1 for values in expected.values())

    def test_what_the_matrix_unit_may_compute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory-free neurons with one connection, with taps that are reached, whatever the processor says to it."""
        asked: list[Any] = []
        monkeypatch.setattr(_fast, "tiled", lambda *arguments: asked.append(arguments))
        network = every_kind()
        integer.run_fast(network, random(1, 2, 5, 6, 2, low=0, high=4))
        (first, *one), (dead, *two) = asked
        assert (first, dead) == tuple(network.layer(name).connections[0].synapse for name in ("first", "dead"))
        assert (one[0], one[1], one[3]) == ((2, 5, 6), (3, 2), 3)
        assert (two[0], two[1], two[3]) == (network.shapes["first"], (1,), 1)

    @pytest.mark.parametrize("maximum", [1, 2, 3])
    def test_bits_of_graded_inputs_are_not_counted(self, maximum: int) -> None:
        signs = 2 * random(8, 16, low=0, high=2) - 1
        only = layer("a", integer.Readout((2, 1)), ("input", integer.Dense(signs)))
        network = integer.IntegerNetwork(integer.Input((16,), maximum), 4, (only,))
        x = random(5, 16, 4, low=0, high=maximum + 1)
        assert (integer.run_fast(network, x)["a"] == integer.run_reference(network, x)["a"]).all()

    @pytest.mark.parametrize("reset", ["hard", "soft"])
    @pytest.mark.parametrize("threshold", [-1000, -13, 13, 1000])
    def test_a_reset_subtracts_thresholds_that_are_always_reached(self, reset: str, threshold: int) -> None:
        lif = integer.QuantizedLIF(4, 1, reset, [0] * 3, [0] * 3, [1] * 3, [threshold] * 3)
        only = layer("a", lif, ("input", integer.Dense(random(3, 4))))
        second = layer("b", integer.Readout((1,)), ("a", integer.Dense(random(2, 3))))
        network = integer.IntegerNetwork(integer.Input((4,)), 6, (only, second))
        x = random(20, 4, 6, low=0, high=2)
        found, judge = integer.run_fast(network, x), integer.run_reference(network, x)
        assert all((found[name] == judge[name]).all() for name in network)

    def test_layers_that_nobody_wants_are_not_computed(self) -> None:
        assert list(integer.run_fast(every_kind(), random(1, 2, 5, 6, 5, low=0, high=4), layers=["stored"])) == [
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
        integer.run_fast(network, np.ones((5, 2, 4), int), chunk=chunk, progress=fractions.append)
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
                assert (integer.run_fast(network, x)["a"] == integer.run_reference(network, x)["a"]).all()


class TestPoolings:
    def test_windows_are_no_larger_than_the_source(self) -> None:
        for source, size in (((1, 2, 4), 2), ((1, 4, 2), 2), ((1, 1, 8), 1), ((2, 3, 9), 3)):
            assert unmerge(integer.Dense(np.zeros((1, int(np.prod(source))), int)), source)[0] == size

    @pytest.mark.parametrize("size", [2, 8, 9])
    def test_poolings_of_up_to_8_are_found(self, size: int) -> None:
        extents = (1, 2 * size, 3 * size)
        dense = integer.Dense(np.kron(random(2, 1, 2, 3), np.ones((size, size), int)).reshape(2, -1))
        conv = integer.Conv(np.kron(random(2, 1, 3, 2), np.ones((size, size), int)), (size, size))
        expected = {2: 2, 8: 8, 9: 3}[size]
        assert unmerge(dense, extents)[0] == expected
        assert unmerge(conv, (1, 4 * size, 3 * size))[0] == expected
