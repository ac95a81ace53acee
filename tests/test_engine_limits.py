"""Engines at their limits: the reference by hand and by the oracle, the types that the fast engine computes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lava_qsnn import engines, integer
from lava_qsnn.engines import _fast, _kernels, _packed, _tiled, _wires, layerwise, message_format
from lava_qsnn.errors import InputError
from tests.helpers import oracle, tiles


def layer(name: str, neuron: integer.Neuron, *connections: tuple[str, integer.Synapse]) -> integer.Layer:
    return integer.Layer(name, tuple(integer.Connection(source, synapse) for source, synapse in connections), neuron)


def random(*shape: int, low: int = -5, high: int = 6) -> Any:
    return np.random.default_rng(sum(shape)).integers(low, high, shape)


def inputs(network: integer.IntegerNetwork, samples: int) -> Any:
    shape = (samples, *network.input.shape, network.timesteps)
    return random(*shape, low=network.input.minimum, high=network.input.maximum + 1)


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


def pooled_and_delayed() -> integer.IntegerNetwork:
    """Poolings that merge and such that do not, two in a row, delays, and an input with negative numbers."""
    pools = (
        integer.SumPool((2, 2), (2, 2)),
        integer.SumPool((3, 2), (2, 1), (1, 2), (1, 2)),
        integer.SumPool((2, 1), (1, 2), (0, 1), (3, 1)),
    )
    padded = integer.Conv(random(3, 2, 2, 2), padding=(1, 1))
    pair = integer.Connection("input", integer.Conv(random(3, 2, 1, 1)), 2, poolings=pools[1:])
    shape = pair.output_shape((2, 9, 7))
    grid = integer.Connection("input", padded, poolings=pools[:1])
    size = int(np.prod(grid.output_shape((2, 9, 7))))
    wide = integer.Connection("grid", integer.Dense(random(6, size)), 1)
    return integer.IntegerNetwork(
        integer.Input((2, 9, 7), 3, -2),
        5,
        (
            integer.Layer("grid", (grid,), integer.MemoryFree((2, 1), [3, 0, -4])),
            integer.Layer("pair", (pair,), integer.MemoryFree((1, 3), [-5, 9, 2])),
            integer.Layer("wide", (wide, wide), integer.QuantizedLIF(4, 1, "hard", [1], [1], [1], [9]).broadcast(6)),
            layer("out", integer.Readout((1, 1)), ("pair", integer.Dense(random(2, int(np.prod(shape)))))),
        ),
    )


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


class TestTypes:
    @pytest.mark.parametrize(
        ("reach", "dtype"),
        [(0, "f4"), (2**24, "f4"), (2**24 + 1, "f8"), (2**53, "f8"), (2**53 + 1, "i8"), (2**62, "i8")],
    )
    def test_the_narrowest_that_is_exact(self, reach: int, dtype: str) -> None:
        assert integer.sum_dtype(reach) == np.dtype(dtype)

    def test_the_largest_sum_is_that_of_magnitudes_and_at_least_1(self) -> None:
        assert integer.Dense([[1, -2], [-3, -4]]).largest_sum == 7
        assert integer.Conv(np.full((2, 3, 2, 2), -5)).largest_sum == 60
        assert integer.Dense([[0, 0]]).largest_sum == 1
        assert integer.Dense([[-(2**31), 2**31 - 1]]).largest_sum == 2**32 - 1

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
        ("low", "high", "dtype"),
        [
            *((0, high, "u1") for high in (0, 1, 255)),
            *((low, 127, "i1") for low in (-1, -128)),
            *((0, high, "u2") for high in (256, 2**16 - 1)),
            *((low, high, "i2") for low, high in ((-129, 0), (-(2**15), 2**15 - 1), (-1, 128))),
            *((low, high, "i4") for low, high in ((0, 2**16), (-(2**15) - 1, 0), (-(2**31), 2**31 - 1))),
            *((low, high, "i8") for low, high in ((0, 2**31), (-(2**31) - 1, 0), (-(2**62), 2**62))),
        ],
    )
    def test_the_narrowest_integers_that_hold_a_range(self, low: int, high: int, dtype: str) -> None:
        assert integer.integer_dtype(low, high) == np.dtype(dtype)

    @pytest.mark.parametrize(
        ("inputs", "tap", "dtype"),
        [
            (16, 1, np.int16),
            (5461, 6, np.int16),  # 2^15 - 2
            (1057, 31, np.int32),  # 2^15 - 1
            (331, 6487866, np.int32),  # 2^31 - 2; 2^31 - 1 is a prime
            (2048, 2**20, np.int64),  # 2^31
        ],
    )
    def test_counted_currents_leave_room_for_a_threshold_beyond_them(self, inputs: int, tap: int, dtype: type) -> None:
        if _packed.compiled() is None:
            pytest.skip("numba is not installed")
        counted = layer("a", integer.Readout((tap,)), ("input", integer.Dense(np.ones((8, inputs), int))))
        (stage,) = _fast._plan(integer.IntegerNetwork(integer.Input((inputs,)), 1, (counted,)), 1, ["a"])
        assert all(wire.is_counted for wires in stage.wires for wire in wires)
        assert stage.dtype == dtype

    @pytest.mark.parametrize(("tap", "dtype"), [(2**24 - 1, "f4"), (2**24, "f8"), (2**53 - 1, "f8"), (2**53, "i8")])
    def test_so_do_multiplied_ones(self, tap: int, dtype: str) -> None:
        only = layer("a", integer.Readout((tap,)), ("input", integer.Dense([[1]])))
        (stage,) = _fast._plan(integer.IntegerNetwork(integer.Input((1,)), 1, (only,)), 1, ["a"])
        assert stage.dtype == np.dtype(dtype)

    def test_all_connections_and_windows_count_towards_what_sums_reach(self) -> None:
        """3 windows of 3 numbers, weighted by 4 and -3: 63 tap, and 1 beyond; 63 x 266,305 is 2^24 - 1."""
        pool = integer.SumPool((3, 1), (3, 1))
        ways = (integer.Connection("input", integer.Dense([[4, 0, -3]]), poolings=(pool,)),) * 3
        for tap, dtype in ((266305, np.float32), (266306, np.float64)):
            only = integer.Layer("a", ways, integer.Readout((tap,)))
            (stage,) = _fast._plan(integer.IntegerNetwork(integer.Input((3, 3, 1)), 1, (only,)), 1, ["a"])
            assert stage.dtype == dtype

    @pytest.mark.parametrize(
        ("changes", "dtype"),
        [
            # U is from B - 8 to B + 8, what is left leaks by (2 - 1) |left| + 1.
            ({}, np.int32),
            ({"bias": [2**31 - 1 - 8 - 1]}, np.int32),
            ({"bias": [2**31 - 8 - 1]}, np.int64),
            ({"bias": [-(2**31) + 1 + 8 + 1]}, np.int32),
            ({"bias": [-(2**31) + 8 + 1]}, np.int64),
            # A low threshold is subtracted, and so added; one that is never reached is not.
            ({"threshold": [-(2**31) + 1 + 8 + 1]}, np.int32),
            ({"threshold": [-(2**31) + 8 + 1]}, np.int64),
            ({"threshold": [-(2**31)], "reset": "hard"}, np.int32),
            ({"threshold": [2**62]}, np.int32),
            ({"threshold": [2**62], "reset": "hard"}, np.int32),
            # 7 |left| + 4 at a leak of 1/8.
            ({"leak": 3, "threshold": [-((2**31 - 1 - 4) // 7) + 8]}, np.int32),
            ({"leak": 3, "threshold": [-((2**31 - 1 - 4) // 7) + 8 - 1]}, np.int64),
            # In units of 2^26, U is up to 7 2^26 + 1, and 2^26 is a half.
            ({"potential_shift": [26], "threshold": [-(2**31) + 1 + 8 * 2**26 + 1]}, np.int32),
            ({"potential_shift": [26], "threshold": [-(2**31) + 8 * 2**26 + 1]}, np.int64),
            ({"potential_shift": [27]}, np.int32),
            ({"potential_shift": [28]}, np.int64),
            ({"current_shift": [30]}, np.int32),
            ({"current_shift": [31]}, np.int64),
        ],
    )
    def test_stored_potentials_that_leave_int32_are_computed_in_int64(
        self, changes: dict[str, Any], dtype: type
    ) -> None:
        values = {"bits": 4, "leak": 1, "reset": "soft", "potential_shift": [0], "current_shift": [0], "bias": [0]}
        neuron = integer.QuantizedLIF(**{**values, "threshold": [1], **changes})
        only = layer("a", neuron, ("input", integer.Dense([[1]])))
        network = integer.IntegerNetwork(integer.Input((1,)), 2, (only,))
        step = engines.StoredPotential(neuron, network.port_ranges["a"], lambda values: values[:, None])
        assert step.dtype == dtype
        for stored in neuron.stored_range:
            for current in (0, 1):
                judge = neuron.step((np.array([[stored]]),), [np.array([[current]])], 0)
                found, spikes = np.array([[stored]], step.dtype), np.zeros((1, 1), bool)
                step(found, np.array([[current]]), spikes)
                assert (found.item(), spikes.item()) == (judge.state[0].item(), judge.output.item())


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
        for absent in ((), (_tiled,), (_tiled, _packed)):
            for module in absent:
                monkeypatch.setattr(module, "compiled", lambda: None)
            network = make()  # one is prepared once
            for chunk in (1, 2**20):
                alike = [np.broadcast_to(x.take([0], axis), x.shape) for axis in range(x.ndim)]
                for values in (x, *alike, x[..., :2]):
                    found, judge = (
                        engines.run_fast(network, values, chunk=chunk),
                        integer.run_reference(network, values),
                    )
                    assert all((found[name] == judge[name]).all() for name in network)
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
        found, judge = engines.run_fast(network, x), integer.run_reference(network, x)
        assert all((found[name] == judge[name]).all() for name in network)

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


class TestMessages:
    """Networks computed a message at a time, with state between messages."""

    @pytest.mark.parametrize("make", [every_kind, pooled_and_delayed])
    @pytest.mark.parametrize("steps", [1, 2, 5])
    def test_they_give_the_reference_s_numbers(self, make: Callable[[], integer.IntegerNetwork], steps: int) -> None:
        network = make()
        engine = layerwise.NetworkEngine(network)
        for samples in (3, 1):  # the second ones begin anew
            x = inputs(network, samples)
            expected, frames = integer.run_reference(network, x), np.moveaxis(x, -1, 1)
            for begin in range(0, network.timesteps, steps):
                found = engine(frames[:, begin : begin + steps], begin == 0)
                for name, values in expected.items():
                    assert (found[name] == np.moveaxis(values, -1, 1)[:, begin : begin + steps]).all()
                    assert found[name].dtype == (np.int64 if name == "out" else bool)

    @pytest.mark.parametrize("way", ["_multiply", "_multiply_each", "_add_to_one", "_add_to_many"])
    @pytest.mark.parametrize(("largest", "weight"), [(1, 2**13 - 1), (1, 2**13), (3, 2**13), (2**28, 2**31 - 1)])
    def test_every_way_to_a_dense_current_is_exact(self, way: str, largest: int, weight: int) -> None:
        """Rows of 4 weights: their sum is just below 2^15, at it, and beyond."""
        dense = integer.Dense([[weight] * 4, [-weight] * 4, [1, 0, -1, 2]])
        event = layerwise.EventDense(dense, largest)
        frames = np.array([[largest] * 4, [-largest, 0, 0, largest], [0, 1, 0, 0], [0] * 4])
        for part in [frames[:1], frames[1:2], frames[3:]] if way == "_add_to_one" else [frames, frames[2:]]:
            found = getattr(event, way)(part)
            assert (found == dense.current(part[..., None])[..., 0]).all()
            assert (event(part) == found).all()
        spikes = np.array([[True, False, True, True]])
        assert (getattr(event, way)(spikes) == dense.current(spikes[..., None].astype(int))[..., 0]).all()

    @pytest.mark.parametrize(("weight", "dtype"), [(2**13 - 1, np.int16), (2**13, np.float32)])
    def test_rows_are_narrow_where_their_sums_are(self, weight: int, dtype: type) -> None:
        assert layerwise.EventDense(integer.Dense([[weight] * 4]), 1).rows.dtype == dtype

    def test_history_lasts_from_message_to_message(self) -> None:
        history = layerwise.HistoryFilter((5, 0, 1), np.dtype(np.int32))
        for _ in range(2):  # a sample, and another one
            found = [history(np.array([[[step], [step + 1]]]), step == 1).ravel().tolist() for step in (1, 3, 5)]
            assert found == [[5, 10], [16, 22], [28, 34]]
        frames = np.ones((1, 1, 1), bool)
        for taps in ((), (1,)):
            assert layerwise.HistoryFilter(taps, np.dtype(np.int32))(frames, True) is frames
        assert layerwise.HistoryFilter((2,), np.dtype(np.int32))(frames, True).tolist() == [[[2]]]

    @pytest.mark.parametrize(
        ("low", "high", "dtype", "size"),
        [
            (0, 1, "?", 8 + 6),
            (0, 2, "u1", 8 + 42),
            (-1, 0, "i1", 8 + 42),
            (-1, 1, "i1", 8 + 42),
            (0, 256, "u2", 8 + 84),
        ],
    )
    def test_frames_come_back_from_their_bytes(self, low: int, high: int, dtype: str, size: int) -> None:
        """2 samples of 3 steps of 7 numbers: 42, in 6 bytes if they are bits."""
        form = message_format.Format((7,), low, high, 2, 3)
        assert (form.dtype, form.size) == (np.dtype(dtype), size)
        for samples in (1, 2):
            frames = random(samples, 3, 7, low=low, high=high + 1)
            frames[0, 0, :2] = low, high
            message = form.write(frames.astype(form.dtype), 2**32 - 1)
            assert (message.dtype, len(message) <= size) == (np.uint8, True)
            slot = np.full(size + 3, 255, np.uint8)
            slot[: len(message)] = message
            found, first = form.read(slot)
            assert (found.dtype, first) == (form.dtype, 2**32 - 1)
            assert (found == frames).all()
            assert not np.shares_memory(found, slot)

    @pytest.mark.parametrize("shape", [(3, 3, 7), (2, 2, 7), (2, 4, 7), (2, 3, 6), (2, 3, 7, 1)])
    def test_other_frames_are_no_message(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="are no frames of 3 steps of"):
            message_format.Format((7,), 0, 1, 2, 3).write(np.zeros(shape, bool), 0)

    def test_every_layer_has_the_format_of_what_it_puts_out(self) -> None:
        network = pooled_and_delayed()
        forms = {name: message_format.layer_format(network, name, 4, 5) for name in ("input", *network)}
        assert {name: form.dtype for name, form in forms.items()} == {
            **{name: np.dtype(bool) for name in ("grid", "pair", "wide")},
            "input": np.dtype(np.int8),
            "out": integer.integer_dtype(*network.output_ranges["out"]),
        }
        assert {name: form.shape for name, form in forms.items()} == network.shapes
