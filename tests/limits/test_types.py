"""The types that engines compute in: the narrowest that hold every number, and no narrower."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn import engines, integer
from lava_qsnn.engines import _fast, _packed
from tests.helpers.kinds import layer


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
        unpacked = np.unpackbits(words.astype("<u4").view(np.uint8), axis=-1, bitorder="little")
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
                truth = neuron.step((np.array([[stored]]),), [np.array([[current]])], 0)
                found, spikes = np.array([[stored]], step.dtype), np.zeros((1, 1), bool)
                step(found, np.array([[current]]), spikes)
                assert (found.item(), spikes.item()) == (truth.state[0].item(), truth.output.item())
