"""Deployed networks as graphs of NIR: exact by NIR's own equations, and in the tools that import them."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import nirtorch
import norse.torch
import numpy as np
import pytest
import snntorch.import_nir
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError
from tests.helpers.networks import Case, conv_cases, dense_cases, lif_cases, residual_cases
from tests.helpers.nir_oracle import Graph

DT = 1e-4


def chain(taps: tuple[int, ...], timesteps: int, seed: int = 0, readout: bool = False) -> integer.IntegerNetwork:
    """Two dense layers of some taps that spike now and then, on inputs from 0 to 3."""
    random = np.random.default_rng(seed)
    first, second = random.integers(-3, 4, (20, 12)), random.integers(-3, 4, (8, 20))
    scale = taps[0]
    last = integer.Readout(taps) if readout else integer.MemoryFree(taps, np.full(8, 2 * scale))
    layers = (
        integer.Layer(
            "hidden",
            (integer.Connection(integer.INPUT, integer.Dense(first)),),
            integer.MemoryFree(taps, np.full(20, 3 * scale)),
        ),
        integer.Layer("out", (integer.Connection("hidden", integer.Dense(second)),), last),
    )
    return integer.IntegerNetwork(integer.Input((12,), 3), timesteps, layers)


def convolutional(timesteps: int) -> integer.IntegerNetwork:
    """A convolution, a pooling, a strided convolution, a dense layer: what norse imports."""
    random = np.random.default_rng(3)
    taps = integer.shift_taps(timesteps)

    def neuron(channels: int, level: int) -> integer.MemoryFree:
        return integer.MemoryFree(taps, random.integers(1, level, channels) * taps[0])

    kernels = (random.integers(-3, 4, shape) for shape in ((4, 2, 3, 3), (6, 4, 2, 2)))
    pooling = integer.SumPool((2, 2), (2, 2))
    layers = (
        integer.Layer(
            "conv", (integer.Connection(integer.INPUT, integer.Conv(next(kernels), padding=(1, 1))),), neuron(4, 5)
        ),
        integer.Layer(
            "strided",
            (integer.Connection("conv", integer.Conv(next(kernels), stride=(2, 2)), poolings=(pooling,)),),
            neuron(6, 4),
        ),
        integer.Layer(
            "out", (integer.Connection("strided", integer.Dense(random.integers(-3, 4, (5, 24)))),), neuron(5, 6)
        ),
    )
    return integer.IntegerNetwork(integer.Input((2, 8, 8), 1), timesteps, layers)


def samples(network: integer.IntegerNetwork, count: int = 4, seed: int = 1) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    low, high = network.input.minimum, network.input.maximum
    x = random.integers(low, high + 1, (count, *network.input.shape, network.timesteps))
    return x * (random.random(x.shape) < 0.7)


def in_steps(make: Callable[[], Any], x: NDArray[np.int64], batched: bool = True) -> NDArray[np.float64]:
    """The outputs of an imported module, (N, *shape, T), one step after the other."""
    answers = []
    for sample in torch.tensor(x, dtype=torch.float32):
        module, state, steps = make(), None, []
        for t in range(x.shape[-1]):
            output, state = module(sample[None, ..., t] if batched else sample[..., t], state)
            steps.append(output[0] if batched else output)
        answers.append(torch.stack(steps, -1).detach().numpy())
    return np.stack(answers)


def in_norse(graph: nir.NIRGraph, x: NDArray[np.int64], batched: bool = True) -> NDArray[np.float64]:
    with warnings.catch_warnings():  # it uses what nirtorch deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        return in_steps(lambda: norse.torch.from_nir(graph, dt=DT), x, batched)


def in_snntorch(graph: nir.NIRGraph, x: NDArray[np.int64]) -> NDArray[np.float64]:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        return in_steps(lambda: snntorch.import_nir.import_from_nir(graph), x)


def assert_equal_by_nirs_equations(network: integer.IntegerNetwork, graph: nir.NIRGraph) -> None:
    x = samples(network)
    run = Graph(graph, DT, x)
    expected = netx_export.simulate_layers(network, x)
    for name, values in expected.items():
        found = run.outputs("output" if name == network.output.name else name)
        assert np.array_equal(values, found), name


@pytest.mark.parametrize("style", ["cuba", "delay"])
@pytest.mark.parametrize(("history", "timesteps"), [(1, 6), (6, 6), (20, 16)])
@pytest.mark.parametrize("readout", [False, True])
def test_powers_of_two_are_exact_in_both_styles(style: str, history: int, timesteps: int, readout: bool) -> None:
    network = chain(integer.shift_taps(history), timesteps, readout=readout)
    answers = netx_export.simulate(network, samples(network))
    assert 0.1 < (answers != 0).mean() < 1
    graph = netx_export.to_nir(network, style, dt=DT)
    assert any(isinstance(node, nir.CubaLIF if style == "cuba" else nir.Threshold) for node in graph.nodes.values())
    assert_equal_by_nirs_equations(network, graph)


def cases() -> st.SearchStrategy[Case]:
    return dense_cases() | conv_cases() | residual_cases(longest=4)


@settings(max_examples=15)
@given(case=cases())
def test_every_memory_free_network_that_exports_is_exact(case: Case) -> None:
    network = netx_export.fold(case.net, **case.export_arguments)
    if any(isinstance(layer.neuron, integer.QuantizedLIF) for layer in network.layers):
        with pytest.raises(DeploymentError, match="(no exact form|soft reset has no form) in NIR"):
            netx_export.to_nir(network)
        return
    graph = netx_export.to_nir(network)
    assert graph.metadata["mismatches"] == 0
    assert graph.metadata["values"] > 0
    x = case.inputs()
    found = Graph(graph, DT, x).outputs("output")
    assert np.array_equal(netx_export.simulate(network, x), found)


@pytest.mark.parametrize("history", [1, 6, 20])
def test_norse_and_snntorch_answer_as_the_network_does(history: int) -> None:
    network = chain(integer.shift_taps(history), 6 if history < 20 else 16)
    x = samples(network)
    expected = netx_export.simulate(network, x)
    assert 0.1 < expected.mean() < 0.9
    graph = netx_export.to_nir(network, "cuba", dt=DT)
    assert np.array_equal(in_norse(graph, x), expected)
    assert np.array_equal(in_snntorch(graph, x), expected)


def test_norse_runs_convolutions_and_poolings() -> None:
    network = convolutional(5)
    x = samples(network)
    expected = netx_export.simulate(network, x)
    assert 0.1 < expected.mean() < 0.9
    graph = netx_export.to_nir(network, dt=DT)
    assert graph.metadata["style"] == "cuba"
    assert np.array_equal(in_norse(graph, x, batched=False), expected)


@pytest.mark.parametrize("style", ["cuba", "delay"])
def test_nirtorch_runs_both_styles_by_our_map(style: str) -> None:
    for network in (chain((8, 4, 2, 1), 4), convolutional(4)):
        x = samples(network)
        expected = netx_export.simulate(network, x)
        assert expected.any()
        graph = netx_export.to_nir(network, style, dt=DT)
        make = lambda graph=graph: nirtorch.nir_to_torch(graph, netx_export.nir_map(DT))  # noqa: E731
        assert np.array_equal(in_steps(make, x), expected)


def test_taps_of_any_kind_and_delays_take_the_style_delay() -> None:
    network = chain((7, 5, 3), 9)
    layers = list(network.layers)
    connection = integer.Connection("hidden", layers[1].connections[0].synapse, delay=2)
    layers[1] = integer.Layer("out", (connection,), layers[1].neuron)
    network = integer.IntegerNetwork(network.input, 9, tuple(layers))
    assert netx_export.simulate(network, samples(network)).any()
    graph = netx_export.to_nir(network, dt=DT)
    assert graph.metadata["style"] == "delay"
    assert_equal_by_nirs_equations(network, graph)
    with pytest.raises(DeploymentError, match="'hidden' has 3 taps.*style 'delay'"):
        netx_export.to_nir(network, "cuba")


def test_a_file_holds_the_graph_and_what_it_is(tmp_path: Path) -> None:
    network = convolutional(4)
    nir.write(tmp_path / "some.nir", netx_export.to_nir(network, dt=1e-3))
    graph = nir.read(tmp_path / "some.nir")
    assert {name: graph.metadata[name] for name in ("dt", "timesteps", "mismatches")} == {
        "dt": 1e-3,
        "timesteps": 4,
        "mismatches": 0,
    }
    x = samples(network)
    assert np.array_equal(Graph(graph, 1e-3, x).outputs("output"), netx_export.simulate(network, x))


@settings(max_examples=10)
@given(case=lif_cases())
def test_quantized_potentials_are_approximate_and_counted(case: Case) -> None:
    network = netx_export.fold(case.net, **case.export_arguments)
    soft = any(getattr(layer.neuron, "reset", "hard") == "soft" for layer in network.layers)
    if soft:
        with pytest.raises(DeploymentError, match="soft reset has no form in NIR"):
            netx_export.to_nir(network, approximate=True)
        return
    with pytest.raises(DeploymentError, match="no exact form in NIR.*approximate=True"):
        netx_export.to_nir(network)
    graph = netx_export.to_nir(network, approximate=True)
    assert 0 <= graph.metadata["mismatches"] <= graph.metadata["values"]


def test_the_count_of_mismatches_is_that_of_the_equations() -> None:
    """Few-bit potentials lose what a LIF keeps; what is counted is what an own run of the graph shows."""
    random = np.random.default_rng(0)
    counts = {}
    for bits in (3, 12):
        shift = np.full(16, 12 - bits)
        neuron = integer.QuantizedLIF(bits, 2, "hard", shift, np.full(16, 5), np.full(16, 3), np.full(16, 700))
        connection = integer.Connection(integer.INPUT, integer.Dense(random.integers(-9, 10, (16, 12))))
        network = integer.IntegerNetwork(integer.Input((12,), 1), 40, (integer.Layer("lif", (connection,), neuron),))
        graph = netx_export.to_nir(network, approximate=True)
        counts[bits] = graph.metadata["mismatches"] / graph.metadata["values"]
        x = samples(network, 8)
        expected = netx_export.simulate(network, x)
        assert 0.02 < expected.mean() < 0.9
        differing = (Graph(graph, DT, x).outputs("output") != expected).mean()
        assert differing == pytest.approx(counts[bits], abs=0.1)
    assert counts[3] > 0
    assert counts[12] < counts[3]


def test_what_asks_for_nothing_that_exists_is_refused() -> None:
    network = chain((1,), 2)
    with pytest.raises(ConfigurationError, match="no style 'spikes'.*auto, cuba, delay"):
        netx_export.to_nir(network, "spikes")
    for dt in (0, -1.0, float("nan"), "0.1", True):
        with pytest.raises(ConfigurationError, match="dt must be a time"):
            netx_export.to_nir(network, dt=dt)  # type: ignore[arg-type]


def loihi(voltage_decay: int, current_decay: int, readout: bool = False) -> integer.IntegerNetwork:
    """A recurrent layer of CUBA, and one after it."""
    random = np.random.default_rng(0)
    full = np.full(16, 1)
    kind, level = (integer.CUBAReadout, 2**17) if readout else (integer.CUBA, 90)
    bias = 3 if current_decay < 4096 else 0
    layers = (
        integer.Layer(
            "hidden",
            (
                integer.Connection(integer.INPUT, integer.Dense(random.integers(-20, 40, (16, 8)))),
                integer.Connection("hidden", integer.Dense(random.integers(-20, 10, (16, 16))), delay=1),
            ),
            integer.CUBA(full * current_decay, full * voltage_decay, full * 150, full * bias),
        ),
        integer.Layer(
            "out",
            (integer.Connection("hidden", integer.Dense(random.integers(-20, 40, (4, 16)))),),
            kind(full[:4] * current_decay, full[:4] * voltage_decay, full[:4] * level, full[:4] * bias),
        ),
    )
    return integer.IntegerNetwork(integer.Input((8,)), 40, layers)


@pytest.mark.parametrize(
    ("decays", "node"), [((0, 4096), nir.IF), ((400, 4096), nir.CubaLIF), ((410, 1843), nir.CubaLIF)]
)
def test_loihis_neuron_is_written_with_what_its_rounding_changes(decays: tuple[int, int], node: type) -> None:
    """Without decays nothing rounds, and nothing differs; and the graph comes back as the same neurons."""
    network = loihi(*decays)
    with pytest.raises(DeploymentError, match="'hidden': a cuba neuron has no exact form in NIR.*approximate=True"):
        netx_export.to_nir(network)
    graph = netx_export.to_nir(network, approximate=True, dt=DT)
    assert isinstance(graph.nodes["hidden"], node)
    x = samples(network, 8)
    expected = netx_export.simulate_layers(network, x)
    assert 0.02 < expected["out"].mean() < 0.9
    differing = sum(int((Graph(graph, DT, x).outputs(name) != values).sum()) for name, values in expected.items())
    assert (differing == 0) == (decays == (0, 4096))
    assert graph.metadata["mismatches"] == 0 or differing
    assert graph.metadata["mismatches"] < 0.1 * graph.metadata["values"]
    back, report = netx_export.from_nir(graph, 40)
    neuron = back.layer("hidden").neuron
    assert isinstance(neuron, integer.CUBA)
    assert (int(neuron.voltage_decay[0]), int(neuron.current_decay[0])) == decays
    assert all(row.agreement > (0.8 if differing else 0.999) for row in report.rows)


def test_potentials_that_are_read_out_keep_their_unit() -> None:
    network = loihi(410, 1843, readout=True)
    graph = netx_export.to_nir(network, approximate=True, dt=DT)
    x = samples(network, 4)[..., :8]  # before spikes differ
    potentials = Graph(graph, DT, x).outputs("out")
    expected = netx_export.simulate(network, x)
    assert np.ptp(expected) > 2000
    assert np.abs(potentials - expected).max() < 64


def test_what_nir_has_no_words_for_is_refused() -> None:
    network = loihi(410, 1843)
    hidden, out = network.layers
    firing = replace(out, neuron=integer.CUBAReadout(*(np.full(4, number) for number in (1843, 410, 90, 0))))
    with pytest.raises(DeploymentError, match="'out': it is read out and fires, too"):
        netx_export.to_nir(replace(network, layers=(hidden, firing)), approximate=True)
    wrapping = integer.Connection(integer.INPUT, hidden.connections[0].synapse, sum_bits=8)
    other = integer.Connection(integer.INPUT, hidden.connections[0].synapse, port=1)
    slow = integer.CUBA(*(np.full(16, number) for number in (0, 410, 150, 0)))
    for connection, neuron, text in (
        (wrapping, hidden.neuron, "'hidden': the sums of a connection from 'input' wrap"),
        (other, hidden.neuron, "'hidden': a connection from 'input' reaches port 1"),
        (hidden.connections[0], slow, "'hidden': a decay of 0 has no time constant"),
    ):
        layer = integer.Layer("hidden", (connection,), neuron)
        with pytest.raises(DeploymentError, match=text):
            netx_export.to_nir(integer.IntegerNetwork(network.input, 40, (layer, out)), approximate=True)
