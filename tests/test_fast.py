"""The fast engine: the reference's integers on every network, input and chunk, and bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import engines, integer
from lava_qsnn.engines import _history, _packed, _tiled
from lava_qsnn.errors import RangeError
from tests.helpers import tiles
from tests.helpers.networks import Case, conv_cases, dense_cases, lif_cases, residual_cases

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])

#: Numbers per chunk: one sample at a time, odd parts of a batch, all at once.
CHUNKS = st.sampled_from([1, 97, 1000, 2**20])


@pytest.fixture(autouse=True, params=["tiles", "counted bits", "numpy alone"])
def loops(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test on each path there is: tiled layers, counted bits, and numpy alone.

    Where the processor has no matrix unit for bytes, numpy stands in for the loops of tiled layers.
    """
    with ExitStack() as patches:
        if request.param != "tiles":
            patches.enter_context(patch.object(_tiled, "compiled", lambda: None))
        elif _tiled.compiled() is None:
            patches.enter_context(patch.object(_tiled, "compiled", lambda: tiles))
        if request.param == "numpy alone":
            for module in (_packed, _history):
                patches.enter_context(patch.object(module, "compiled", lambda: None))
        yield request.param


def assert_fast_equals_reference(network: integer.IntegerNetwork, x: np.ndarray, chunk: int = 2**20) -> None:
    expected, actual = integer.run_reference(network, x), engines.run_fast(network, x, chunk=chunk)
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


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64, np.uint64, ">i4"])
def test_inputs_of_every_integer_type(dtype: Any) -> None:
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
    neuron = integer.MemoryFree((1,), np.array([threshold] * 2))
    network = integer.IntegerNetwork(
        integer.Input((1,), 2**12), 1, (layer("dense", neuron, ("input", integer.Dense(weights))),)
    )
    assert_fast_equals_reference(network, np.array([[[0]], [[2**12]]]))


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("threshold", [3, -5, 2**33, -(2**33), 2**62, -(2**58), -(2**62)])
@pytest.mark.parametrize("shifts", [(0, 0), (3, 1), (20, 5), (31, 31)])
def test_stored_potentials_in_int32_and_int64(reset: str, threshold: int, shifts: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    channels = ([shifts[0]] * 4, [shifts[1]] * 4, [0, 3, -7, 2**20], [threshold] * 4)
    neuron = integer.QuantizedLIF(5, 3, reset, *map(np.array, channels))
    lif = layer("lif", neuron, ("input", integer.Dense(random.integers(-9, 10, (4, 6)))))
    if reset == "soft" and threshold == -(2**62):  # what it would subtract leaves int64, the reference's own
        with pytest.raises(RangeError, match=r"layer 'lif'.*2\^62"):
            integer.IntegerNetwork(integer.Input((6,), 3), 9, (lif,))
        return
    network = integer.IntegerNetwork(integer.Input((6,), 3), 9, (lif,))
    assert_fast_equals_reference(network, random.integers(0, 4, (20, 6, 9)))


def test_only_wanted_layers_and_their_sources_are_computed() -> None:
    network = one_bit_network()
    x = np.random.default_rng(1).integers(0, 10, (3, 2, 7, 7, 6))
    expected = integer.run_reference(network, x)
    actual = engines.run_fast(network, x, layers=["second", "out"])
    assert list(actual) == ["second", "out"]
    assert all((values == expected[name]).all() for name, values in actual.items())


def test_progress_grows_to_one() -> None:
    told: list[float] = []
    x = np.zeros((5, 2, 7, 7, 6), np.uint8)
    engines.run_fast(one_bit_network(), x, chunk=2 * 6 * 33 * 4 * 9, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == 1.0


def test_memory_does_not_grow_with_the_batch() -> None:
    def peak(samples: int) -> int:
        x = np.broadcast_to(np.uint8(1), (samples, 2, 7, 7, 6))
        tracemalloc.start()
        engines.run_fast(one_bit_network(), x, layers=["out"], chunk=2**16, threads=1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # whatever is loaded once
    assert peak(400) < peak(40) + 2 * 360 * 8 * 6 * 8


TAPS = st.lists(st.integers(1, 15), min_size=1, max_size=16).map(tuple) | st.sampled_from([(8, 4, 2, 1), (1,), (1, 1)])
LARGEST_WEIGHTS = st.sampled_from([1, 7, 127, 128])


@st.composite
def pooled_networks(draw: st.DrawFn) -> tuple[integer.IntegerNetwork, Any]:
    """Convolutions and dense layers with merged poolings, any geometry, thresholds amid what potentials are, inputs."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    timesteps, maximum = draw(st.integers(1, 16)), draw(st.sampled_from([1, 3, 15, 255, 256]))
    source: integer.Shape = (draw(st.sampled_from([1, 3, 8])), draw(st.integers(8, 13)), draw(st.integers(8, 20)))
    x = random.integers(0, maximum + 1, (draw(st.integers(1, 5)), *source, timesteps))
    x *= random.random(x.shape) < draw(st.sampled_from([0.3, 1]))
    x = np.broadcast_to(x[..., :1], x.shape) if draw(st.booleans()) else x
    layers: list[integer.Layer] = []
    kinds = {"one": draw(st.sampled_from(["conv", "conv", "grouped"])), "two": "conv", "three": "dense"}
    for name, kind in kinds.items():
        synapse, poolings = draw(pooled_synapses(source, random, kind))
        before = layers[-1].name if layers else "input"
        connection = integer.Connection(before, synapse, poolings=poolings)
        source = connection.output_shape(source)
        neuron = draw(neurons(source[0], draw(TAPS), random, synapse))
        layers.append(integer.Layer(name, (connection,), neuron))
    if draw(st.booleans()):
        skip = integer.OneToOne(random.integers(-3, 4, source[0]))
        more = integer.Dense(random.integers(-1, 2, (source[0], source[0])))
        neuron = integer.MemoryFree(draw(TAPS), random.integers(-9, 10, source[0]))
        layers.append(layer("skipped", neuron, ("three", more), ("three", skip)))
    layers.append(layer("out", integer.Readout((2, 1)), (layers[-1].name, integer.Dense(np.ones((3, source[0]), int)))))
    return integer.IntegerNetwork(integer.Input(x.shape[1:-1], maximum), timesteps, tuple(layers)), x


@st.composite
def pooled_synapses(draw: st.DrawFn, source: integer.Shape, random: np.random.Generator, kind: str) -> Any:
    """A synapse that fits a map, perhaps with a pooling of 2 x 2 before it."""
    pooled = min(source[1:]) >= 6 and draw(st.booleans())
    shape = (source[0], source[1] // 2, source[2] // 2) if pooled else source
    largest, out = draw(LARGEST_WEIGHTS), draw(st.sampled_from([1, 8, 33]))
    values = [-1, 1] if largest == 1 else np.arange(-largest, largest)
    if kind == "dense":
        synapse: Any = integer.Dense(random.choice(values, (out, np.prod(shape))))
    else:
        groups, drawn = (source[0] if kind == "grouped" else 1), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        size = tuple(min(pair) for pair in zip(drawn, shape[1:]))
        weight = random.choice(values, (2 * groups if groups > 1 else out, source[0] // groups, *size))
        stride, dilation = (draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) for _ in range(2))
        padding = draw(st.sampled_from([(0, 0), (1, 1), (0, 2)]))
        if pooled and (source[1] % 2 or source[2] % 2):
            padding = (0, 0)  # no other would merge exactly
        synapse = integer.Conv(weight, stride, padding, dilation if min(shape[1:]) >= 5 else (1, 1), groups)
    if not pooled:
        return synapse, ()
    pooling = integer.SumPool((2, 2), (2, 2))
    if draw(st.booleans()):
        return integer.merge(pooling, synapse, source), ()
    return synapse, (pooling,)


@st.composite
def neurons(
    draw: st.DrawFn, channels: int, taps: tuple[int, ...], random: np.random.Generator, synapse: integer.Synapse
) -> integer.Neuron:
    """Memory-free with some thresholds that are always or never reached, or now and then a stored potential."""
    if draw(st.integers(0, 4)) == 0:
        zero = np.zeros(channels, int)
        return integer.QuantizedLIF(4, 2, "soft", zero, zero, zero, random.integers(1, 30, channels))
    spread = int(np.sqrt(synapse.weight[0].size)) * int(np.abs(synapse.weight).max()) * sum(taps)
    threshold = random.integers(-spread, spread + 1, channels)
    threshold[::7] = draw(st.sampled_from([0, integer.NEVER, -integer.NEVER]))
    return integer.MemoryFree(taps, threshold)


@some
@given(pooled_networks(), CHUNKS)
def test_merged_poolings(case: tuple[integer.IntegerNetwork, Any], chunk: int) -> None:
    assert_fast_equals_reference(*case, chunk)


def chain(synapse: integer.Dense | integer.Conv, source: integer.Shape, taps: tuple[int, ...], maximum: int) -> Any:
    """A network of one layer, thresholds where about half the potentials of the inputs reach them, and inputs."""
    x = np.random.default_rng(0).integers(0, maximum + 1, (19, *source, 5))
    x[0], x[1] = 0, maximum
    potentials = synapse.current(integer.traces(x, taps))
    neuron = integer.MemoryFree(
        taps, np.median(potentials.swapaxes(0, 1).reshape(len(synapse.weight), -1), 1).astype(int)
    )
    network = integer.IntegerNetwork(integer.Input(source, maximum), 5, (layer("only", neuron, ("input", synapse)),))
    assert 0.2 < integer.run_reference(network, x)["only"].mean() < 0.8
    return network, x


def weights_of(largest: int, *shape: int) -> Any:
    return np.random.default_rng(1).choice([-largest, largest - (largest == 128)], shape)


#: Whether traces, weights and currents are such that a layer can be tiled, at the limits of each.
LIMITS = [
    (integer.Dense(weights_of(1, 33, 700)), (700,), (8, 4, 2, 1), 17, True),
    (integer.Dense(weights_of(1, 33, 700)), (700,), (8, 4, 2, 2), 16, False),
    (integer.Dense(weights_of(128, 40, 3000)), (3000,), (1,), 255, True),
    (integer.Dense(weights_of(129, 40, 30)), (30,), (1,), 255, False),
    (integer.Conv(weights_of(128, 70, 5, 3, 3), (2, 1), (1, 2), (1, 2)), (5, 9, 33), (5, 3), 31, True),
    (integer.Conv(weights_of(1, 8, 4, 3, 3), groups=2), (8, 9, 17), (5, 3), 31, False),
    (
        integer.Conv(np.kron(weights_of(1, 9, 4, 3, 3), np.ones((2, 2), int)), (2, 2), (2, 2)),
        (4, 16, 34),
        (2, 1),
        21,
        True,
    ),
    (
        integer.Conv(np.kron(weights_of(1, 9, 4, 3, 3), np.ones((2, 2), int)), (2, 2), (2, 2)),
        (4, 16, 34),
        (2, 1),
        85,
        True,
    ),
]


@pytest.mark.parametrize(("synapse", "source", "taps", "maximum", "fits"), LIMITS)
def test_the_limits_of_tiled_layers(
    synapse: Any, source: integer.Shape, taps: tuple[int, ...], maximum: int, fits: bool
) -> None:
    connection = integer.Connection("input", synapse)
    found = _tiled.tiled(connection, source, taps, np.zeros(len(synapse.weight), np.int64), maximum)
    assert (found is not None) == (fits and _tiled.compiled() is not None)
    network, x = chain(synapse, source, taps, maximum)
    assert_fast_equals_reference(network, x)
    assert_fast_equals_reference(network, np.broadcast_to(x[..., :1], x.shape))


def test_plans_are_kept_as_long_as_their_network() -> None:
    from lava_qsnn.engines import _fast

    before = len(_fast._PLANS)
    network = one_bit_network()
    x = np.random.default_rng(1).integers(0, 10, (2, 2, 7, 7, 6))
    for steps in (6, 3, 6):
        assert_fast_equals_reference(network, x[..., :steps])
    assert len(_fast._PLANS[id(network)]) == 2
    del network
    assert len(_fast._PLANS) <= before
