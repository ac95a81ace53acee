"""The fast engine: the reference's integers on every network, input and chunk, and bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import RangeError
from tests.networks import Case, conv_cases, dense_cases, lif_cases, residual_cases

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])

#: Numbers per chunk: one sample at a time, odd parts of a batch, all at once.
CHUNKS = st.sampled_from([1, 97, 1000, 2**20])


def assert_fast_equals_reference(network: integer.IntegerNetwork, x: np.ndarray, chunk: int = 2**20) -> None:
    expected, actual = integer.run_reference(network, x), integer.run_fast(network, x, chunk=chunk)
    assert list(actual) == list(expected)
    for name, values in expected.items():
        assert actual[name].dtype == np.int64
        assert actual[name].shape == values.shape
        assert (actual[name] == values).all(), name


def assert_case(case: Case, chunk: int, still: bool) -> None:
    x = case.inputs(5)
    if still:
        x = np.broadcast_to(x[..., :1], x.shape)
    assert_fast_equals_reference(netx_export.fold(case.net, **case.export_arguments), x, chunk)


@many
@given(dense_cases(), CHUNKS, st.booleans())
def test_dense_networks(case: Case, chunk: int, still: bool) -> None:
    assert_case(case, chunk, still)


@some
@given(conv_cases(), CHUNKS, st.booleans())
def test_convolutional_networks(case: Case, chunk: int, still: bool) -> None:
    assert_case(case, chunk, still)


@many
@given(lif_cases(), CHUNKS, st.booleans())
def test_stored_potentials(case: Case, chunk: int, still: bool) -> None:
    assert_case(case, chunk, still)


@some
@given(residual_cases(), CHUNKS, st.booleans())
def test_residual_blocks(case: Case, chunk: int, still: bool) -> None:
    assert_case(case, chunk, still)


def layer(name: str, neuron: integer.Neuron, *connections: tuple[str, integer.Synapse]) -> integer.Layer:
    return integer.Layer(name, tuple(integer.Connection(source, synapse) for source, synapse in connections), neuron)


def one_bit_network(taps: tuple[int, ...] = (8, 4, 2, 1), timesteps: int = 6) -> integer.IntegerNetwork:
    """Wide enough for packed kernels, dense and convolutional, with a skip of weights that are not 1-bit."""
    random = np.random.default_rng(0)

    def signs(*shape: int) -> Any:
        return random.choice([-1, 1], shape)

    def fires(channels: int) -> integer.MemoryFree:
        return integer.MemoryFree(taps, random.integers(-4, 5, channels))

    conv = integer.Conv(signs(33, 20, 3, 2), (2, 1), (1, 2), (1, 2))
    lif = integer.QuantizedLIF(
        4, 2, "soft", np.zeros(33, int), np.zeros(33, int), np.zeros(33, int), random.integers(1, 9, 33)
    )
    layers = (
        layer("first", fires(20), ("input", integer.Conv(signs(20, 2, 3, 3), padding=(1, 1)))),
        layer("second", fires(33), ("first", conv)),
        layer("stored", lif, ("second", integer.Conv(signs(33, 33, 1, 1)))),
        layer("third", fires(40), ("stored", integer.Dense(signs(40, 33 * 4 * 9)))),
        layer(
            "skipped", fires(40), ("third", integer.Dense(signs(40, 40))), ("third", integer.OneToOne(signs(40) * 7))
        ),
        layer("out", integer.Readout(taps), ("skipped", integer.Dense(signs(8, 40)))),
    )
    return integer.IntegerNetwork(integer.Input((2, 7, 7), 9), timesteps, layers)


@pytest.mark.parametrize("taps", [(8, 4, 2, 1), (1,), (900, 700, 1), (2**26, 2**25)])
@pytest.mark.parametrize("still", [False, True])
def test_one_bit_weights(taps: tuple[int, ...], still: bool) -> None:
    network = one_bit_network(taps)
    x = np.random.default_rng(1).integers(0, 10, (7, 2, 7, 7, 6))
    x = np.broadcast_to(x[..., :1], x.shape) if still else x
    for chunk in (1, 3000, 2**20):
        assert_fast_equals_reference(network, x, chunk)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64, np.uint64])
def test_inputs_of_every_integer_type(dtype: type) -> None:
    x = np.random.default_rng(1).integers(0, 2, (3, 2, 7, 7, 4)).astype(dtype)
    assert_fast_equals_reference(one_bit_network(), x)
    assert_fast_equals_reference(one_bit_network(), np.asfortranarray(x))


@pytest.mark.parametrize("taps", [(1,), (3, 2), (2**20, 2**19, 1)])
@pytest.mark.parametrize("weight", [1, 2**10, 2**22, 2**31 - 1])
@pytest.mark.parametrize("maximum", [1, 2**14, 2**18])
def test_sums_beyond_what_floats_hold(taps: tuple[int, ...], weight: int, maximum: int) -> None:
    """Beyond 2^24, 2^53, and thresholds that lie where rounding to either would decide."""
    random = np.random.default_rng(0)
    weights = random.choice([-weight, weight, weight - 1], (8, 12))
    x = random.integers(0, maximum + 1, (4, 12, 3))
    x[0] = maximum
    readout = layer("U", integer.Readout(taps), ("input", integer.Dense(weights)))
    if 12 * weight * maximum * sum(taps) >= 2**62:
        with pytest.raises(RangeError):
            integer.IntegerNetwork(integer.Input((12,), maximum), 3, (readout,))
        return
    probe = integer.IntegerNetwork(integer.Input((12,), maximum), 3, (readout,))
    potential = integer.run_reference(probe, x)["U"][0, :, -1]
    neurons = [integer.MemoryFree(taps, potential + offset) for offset in (0, 1)]
    layers = [layer(f"fires{i}", neuron, ("input", integer.Dense(weights))) for i, neuron in enumerate(neurons)]
    second = layer("second", integer.Readout(taps), ("fires0", integer.OneToOne(weights[0, :8])))
    assert_fast_equals_reference(integer.IntegerNetwork(probe.input, 3, (*layers, second)), x)
    assert_fast_equals_reference(probe, np.broadcast_to(x[..., :1], x.shape))


@pytest.mark.parametrize("threshold", [integer.NEVER, -integer.NEVER])
def test_constant_neurons(threshold: int) -> None:
    weights = np.array([[2**12], [-(2**12)]])
    neuron = integer.MemoryFree((1,), [threshold] * 2)
    network = integer.IntegerNetwork(
        integer.Input((1,), 2**12), 1, (layer("dense", neuron, ("input", integer.Dense(weights))),)
    )
    assert_fast_equals_reference(network, np.array([[[0]], [[2**12]]]))


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("threshold", [3, -5, 2**33, -(2**33), 2**62, -(2**62)])
@pytest.mark.parametrize("shifts", [(0, 0), (3, 1), (20, 5), (31, 31)])
def test_stored_potentials_in_int32_and_int64(reset: str, threshold: int, shifts: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    potential_shift, current_shift = ([shift] * 4 for shift in shifts)
    neuron = integer.QuantizedLIF(5, 3, reset, potential_shift, current_shift, [0, 3, -7, 2**20], [threshold] * 4)
    dense = integer.Dense(random.integers(-9, 10, (4, 6)))
    network = integer.IntegerNetwork(integer.Input((6,), 3), 9, (layer("lif", neuron, ("input", dense)),))
    assert_fast_equals_reference(network, random.integers(0, 4, (20, 6, 9)))


def test_only_wanted_layers_and_their_sources_are_computed() -> None:
    network = one_bit_network()
    x = np.random.default_rng(1).integers(0, 10, (3, 2, 7, 7, 6))
    expected = integer.run_reference(network, x)
    actual = integer.run_fast(network, x, layers=["second", "out"])
    assert list(actual) == ["second", "out"]
    assert all((values == expected[name]).all() for name, values in actual.items())


def test_progress_grows_to_one() -> None:
    told: list[float] = []
    x = np.zeros((5, 2, 7, 7, 6), np.uint8)
    integer.run_fast(one_bit_network(), x, chunk=2 * 6 * 33 * 4 * 9, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == 1.0


def test_memory_does_not_grow_with_the_batch() -> None:
    def peak(samples: int) -> int:
        x = np.broadcast_to(np.uint8(1), (samples, 2, 7, 7, 6))
        tracemalloc.start()
        integer.run_fast(one_bit_network(), x, layers=["out"], chunk=2**16)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # whatever is loaded once
    assert peak(400) < peak(40) + 2 * 360 * 8 * 6 * 8


def test_without_numba_it_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from lava_qsnn.integer import _packed

    monkeypatch.setattr(_packed, "compiled", lambda: None)
    assert_fast_equals_reference(one_bit_network(), np.random.default_rng(1).integers(0, 10, (3, 2, 7, 7, 6)))
