"""Graphs of NIR as deployed networks of CUBA: exact where numbers allow it, and measured where they do not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import nir
import nirtorch
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError
from tests.helpers import nir_graphs as graphs
from tests.helpers.nir_oracle import Graph

DT = graphs.DT


def assert_exact(graph: nir.NIRGraph, x: NDArray[np.int64], **options: Any) -> netx_export.NirReport:
    """The network equals NIR's own equations at every neuron and step, and there is something to equal."""
    network, report = netx_export.from_nir(graph, x.shape[-1], dt=DT, samples=x, **options)
    oracle = Graph(graph, DT, x)
    for name, values in netx_export.simulate_layers(network, x, "fast").items():
        assert 0 < values.mean() < 1, name
        assert np.array_equal(values, oracle.outputs(name)), name
    assert all(row.agreement == row.agreement_alone == 1 for row in report.rows)
    assert report.same_class == 1
    return report


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_integrators_with_integer_weights_are_exact(seed: int) -> None:
    x = graphs.spikes((12,), 3, 25, 0.3, seed)
    report = assert_exact(graphs.dense_if(seed, integers=True), x)
    assert all(row.weight_error == 0 for row in report.rows)


def test_convolutions_poolings_and_biases_are_exact() -> None:
    assert_exact(graphs.convolutional_if(0), graphs.spikes((2, 12, 12), 3, 12, 0.2))


def test_counts_come_in_as_integers() -> None:
    x = 3 * graphs.spikes((12,), 3, 20, 0.3)
    assert_exact(graphs.dense_if(1, integers=True), x, input_bits=2)
    with pytest.raises(InputError, match="leave the range 0 to 1"):
        netx_export.from_nir(graphs.dense_if(1, integers=True), 20, samples=x)


@pytest.mark.parametrize("taps", [(1,), (4, 2, 1), (5, 3, 2, 1)])
def test_what_to_nir_wrote_comes_back_the_same(taps: tuple[int, ...]) -> None:
    """CUBA without memory is the memory-free neuron; taps become connections with delays."""
    random = np.random.default_rng(0)
    layers = (
        integer.Layer(
            "hidden",
            (integer.Connection(integer.INPUT, integer.Dense(random.integers(-3, 4, (16, 8)))),),
            integer.MemoryFree(taps, np.full(16, 3 * taps[0])),
        ),
        integer.Layer(
            "out",
            (integer.Connection("hidden", integer.Dense(random.integers(-3, 4, (4, 16)))),),
            integer.MemoryFree(taps, np.full(4, 2 * taps[0])),
        ),
    )
    network = integer.IntegerNetwork(integer.Input((8,), 3), 10, layers)
    back, report = netx_export.from_nir(netx_export.to_nir(network, "delay"), 10)
    assert all(isinstance(layer.neuron, integer.CUBA) for layer in back.layers)
    x = random.integers(0, 4, (5, 8, 10))
    expected = netx_export.simulate_layers(network, x)
    assert 0 < expected["out"].mean() < 1
    for name, values in netx_export.simulate_layers(back, x).items():
        assert np.array_equal(values, expected[name])
    assert all(row.agreement == 1 for row in report.rows)


def test_recurrence_closes_as_in_nirtorch() -> None:
    graph, x = graphs.recurrent(0, back_bias=False), graphs.spikes((10,), 4, 40, 0.2)
    answers = []
    for sample in torch.tensor(x, dtype=torch.float32):
        module, state, steps = nirtorch.nir_to_torch(graph, netx_export.nir_map(DT)), None, []
        for t in range(x.shape[-1]):
            output, state = module(sample[None, :, t], state)
            steps.append(output[0])
        answers.append(torch.stack(steps, -1).detach().numpy())
    assert np.array_equal(np.stack(answers), Graph(graph, DT, x).outputs("lif2"))
    _, report = netx_export.from_nir(graph, 40, dt=DT, samples=x)
    assert report.rows[1].float_spikes == np.sum(answers) > 100
    assert any("come back one step later" in note for note in report.notes)


def test_finer_numbers_lose_less() -> None:
    """One scale a layer, one a neuron, two synapses: each agrees better with the graph, and says what it costs."""
    x = graphs.spikes((10,), 20, 128, 0.15)
    rows = [
        netx_export.from_nir(graphs.recurrent(1, largest=9.0), 128, dt=DT, samples=x, **options)[1].rows[0]
        for options in ({"scale": "layer"}, {}, {"synapses": 2})
    ]
    coarse, neuron, split = (row.agreement_alone for row in rows)
    assert min(row.float_spikes for row in rows) > 500
    assert coarse + 0.05 < neuron < split - 0.05
    assert rows[2].agreement > 0.9 > 1.2 * max(rows[0].agreement, rows[1].agreement)
    assert rows[0].weight_error > rows[1].weight_error > 20 * rows[2].weight_error
    assert rows[1].synapses < rows[2].synapses < 2.3 * rows[1].synapses
    assert all(row.agreement_alone >= row.agreement for row in rows)


def test_the_report_counts_what_an_own_run_counts() -> None:
    graph, x = graphs.recurrent(2), graphs.spikes((10,), 8, 64, 0.2)
    network, report = netx_export.from_nir(graph, 64, dt=DT, samples=x)
    oracle = Graph(graph, DT, x)
    integers = netx_export.simulate_layers(network, x)
    for row in report.rows:
        floats = oracle.outputs(row.layer)
        counts = floats.sum(), integers[row.layer].sum(), (floats * integers[row.layer]).sum()
        assert (row.float_spikes, row.integer_spikes, row.common_spikes) == counts
        assert row.agreement == pytest.approx(2 * counts[2] / (counts[0] + counts[1]))
        assert 0.5 < row.agreement < 1
    same = oracle.outputs("lif2").sum(-1).argmax(1) == integers["lif2"].sum(-1).argmax(1)
    assert report.same_class == same.mean()
    assert (report.samples, report.timesteps, report.dt, report.unit) == (8, 64, DT, None)


@pytest.mark.parametrize(
    "backend",
    ["fast", pytest.param("lava-async", marks=pytest.mark.lava), pytest.param("lava-fused", marks=pytest.mark.lava)],
)
def test_backends_agree_on_an_imported_recurrent_network(backend: str) -> None:
    x = graphs.spikes((10,), 3, 20, 0.25)
    network, _ = netx_export.from_nir(graphs.recurrent(3), 20, dt=DT, samples=x, synapses=2)
    expected = netx_export.simulate_layers(network, x)
    assert expected["lif1.lif"].any()
    for name, values in netx_export.simulate_layers(network, x, backend).items():
        assert np.array_equal(values, expected[name])
    assert netx_export.BACKENDS["netx"].refusal(network) is not None


@pytest.mark.lava
def test_unmodified_netx_runs_a_recurrent_network_whose_biases_come_at_once() -> None:
    x = graphs.spikes((10,), 2, 15, 0.3)
    network, report = netx_export.from_nir(graphs.recurrent(3), 15, dt=DT, samples=x, biases="potential")
    assert len(network) == 2
    assert "layer 'lif1.lif': its biases are added to its potentials at once" in " ".join(report.notes)
    expected = netx_export.simulate_layers(network, x)
    assert expected["lif1.lif"].sum() > 20
    for name, values in netx_export.simulate_layers(network, x, "netx").items():
        assert np.array_equal(values, expected[name])


def test_an_imported_network_is_written_and_read(tmp_path: Any) -> None:
    network, _ = netx_export.from_nir(graphs.recurrent(3), 20, dt=DT)
    netx_export.write(network, tmp_path / "some.net")
    assert netx_export.load(tmp_path / "some.net") == network


def test_leaky_neurons_with_leak_potentials_and_biases() -> None:
    random = np.random.default_rng(0)
    one = np.ones(16)
    nodes = {
        "input": graphs.source(8),
        "fc": nir.Affine(random.normal(0.3, 1, (16, 8)), random.normal(0, 0.2, 16)),
        "lif": nir.LIF(DT * random.uniform(2, 30, 16), 4 * one, 0.1 * one, one),
        "output": graphs.target(16),
    }
    x = graphs.spikes((8,), 10, 200, 0.3)
    _, report = netx_export.from_nir(graphs.graph(nodes), 200, dt=DT, samples=x, synapses=2)
    (row,) = report.rows
    assert row.float_spikes > 1000
    assert row.agreement > 0.97


def test_a_readout_is_a_potential_in_a_unit_that_the_report_says() -> None:
    graph = graphs.dense_if(0, integers=True)
    nodes = dict(graph.nodes)
    nodes["if1"] = nir.LI(np.full(6, 5 * DT), np.full(6, 2.0), np.zeros(6))
    graph = nir.NIRGraph(nodes, graph.edges, type_check=False)
    x = graphs.spikes((12,), 4, 40, 0.3)
    network, report = netx_export.from_nir(graph, 40, dt=DT, samples=x)
    potentials = Graph(graph, DT, x).outputs("if1")
    assert np.ptp(potentials) > 5
    assert report.unit is not None
    found = netx_export.simulate(network, x) / report.unit
    assert np.abs(found - potentials).max() < 0.01 * np.ptp(potentials)
    assert report.rows[-1].agreement > 0.999


def test_a_sum_without_neurons_is_read_out() -> None:
    graph = graphs.dense_if(0, integers=True)
    nodes = {name: node for name, node in graph.nodes.items() if name != "if1"}
    x = graphs.spikes((12,), 4, 10, 0.3)
    network, report = netx_export.from_nir(graphs.graph(nodes), 10, samples=x)
    found = netx_export.simulate(network, x)
    assert report.unit is not None
    assert np.allclose(found / report.unit, Graph(graphs.graph(nodes), DT, x).outputs("output"))
    assert found.any()


def test_graphs_in_graphs_are_taken_as_their_nodes() -> None:
    flat = graphs.recurrent(0)
    names = ("lif1.lif", "lif1.w_rec")
    inner = nir.NIRGraph(
        {"in": graphs.source(24), "lif": flat.nodes[names[0]], "back": flat.nodes[names[1]], "out": graphs.target(24)},
        [("in", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")],
        type_check=False,
    )
    nodes = {"lif1" if name == names[0] else name: node for name, node in flat.nodes.items() if name != names[1]}
    nodes["lif1"] = inner
    outer = graphs.graph(nodes)
    x = graphs.spikes((10,), 3, 30, 0.2)
    answers = [netx_export.simulate(netx_export.from_nir(each, 30, dt=DT, samples=x)[0], x) for each in (flat, outer)]
    assert answers[0].any()
    assert np.array_equal(*answers)


def test_delays_are_those_of_connections() -> None:
    random = np.random.default_rng(0)
    nodes = {
        "input": graphs.source(6),
        "delay": nir.Delay(np.full(6, 3 * DT)),
        "fc": nir.Linear(random.integers(-3, 6, (8, 6)).astype(np.float32)),
        "if": graphs.if_neuron(np.full(8, 7.0)),
        "output": graphs.target(8),
    }
    x = graphs.spikes((6,), 3, 20, 0.4)
    assert_exact(graphs.graph(nodes), x)
    network, _ = netx_export.from_nir(graphs.graph(nodes), 20, dt=DT)
    assert network.layers[0].connections[0].delay == 3


def test_maps_in_a_row_are_multiplied() -> None:
    random = np.random.default_rng(0)
    nodes = {
        "input": graphs.source(1, 6, 6),
        "conv": nir.Conv2d((6, 6), random.integers(-2, 3, (2, 1, 3, 3)).astype(np.float32), 1, 0, 1, 1, np.ones(2)),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten(np.array([2, 2, 2]), 0, -1),
        "fc": nir.Linear(4 * random.integers(-2, 3, (10, 8)).astype(np.float32)),
        "if": graphs.if_neuron(np.full(10, 9.5)),
        "output": graphs.target(10),
    }
    network, report = netx_export.from_nir(graphs.graph(nodes), 12, samples=graphs.spikes((1, 6, 6), 4, 12, 0.3))
    assert network.layers[0].connections[0].synapse.weight.shape == (10, 36)
    assert report.rows[0].float_spikes > 20
    assert report.rows[0].agreement > 0.95


def test_the_graphs_own_metadata_say_what_files_do_not() -> None:
    graph = graphs.recurrent(0)
    with pytest.raises(ConfigurationError, match="'lif1.lif' has a time in seconds.*say dt"):
        netx_export.from_nir(graph, 10)
    graph.metadata = {"dt": DT, "input_maximum": 3}
    network, report = netx_export.from_nir(graph, 10)
    assert report.dt == DT
    assert network.input.maximum == 3


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": (
        {"fc0": nir.Conv1d(None, np.ones((20, 12, 1)), 1, 0, 1, 1, np.zeros(20))},
        "'fc0': nodes of kind Conv1d",
    ),
    "nan": (
        {"fc0": nir.Linear(np.full((20, 12), np.nan))},
        "'fc0': 'weight' of the Linear has numbers that are not fin",
    ),
    "infinite": ({"if0": graphs.if_neuron(np.full(20, np.inf))}, "'if0': 'v_threshold' of the IF has numbers"),
    "texts": ({"fc0": nir.Linear(np.full((20, 12), "1"))}, "'fc0': 'weight' of the Linear must be numbers"),
    "shape": ({"fc0": nir.Linear(np.ones((20, 11)))}, "'fc0': its 11 inputs do not fit a source of shape \\(12,\\)"),
    "targets": ({"fc0": nir.Linear(np.ones((19, 12)))}, "'if0': what comes from 'input' has shape \\(19,\\)"),
    "axes": ({"fc0": nir.Linear(np.ones((2, 20, 12)))}, "'fc0': its weight has shape \\(2, 20, 12\\)"),
    "reset": ({"if0": nir.IF(np.ones(20), np.ones(20), np.full(20, -1.0))}, "'if0': its reset potential is 1.*Remedy"),
    "resistance": ({"if0": nir.IF(-np.ones(20), np.ones(20))}, "'if0': its resistance.*Remedy: turn the sign"),
    "fast": ({"if0": nir.LIF(np.full(20, DT / 2), *[np.ones(20)] * 3)}, "'if0': its shortest tau is 5e-05 s.*Remedy"),
    "negative": ({"if0": nir.LIF(np.full(20, -1.0), *[np.ones(20)] * 3)}, "'if0': its shortest tau is -1 s"),
    "delay": ({"fc0": nir.Delay(np.full(12, 1.5 * DT))}, "'fc0': its delays of 0.00015 to 0.00015 s are not one whole"),
    "late": ({"fc0": nir.Delay(np.full(12, 1e9))}, "'fc0': its delays"),
    "uneven": ({"fc0": nir.Delay(DT * np.arange(12))}, "'fc0': its delays of 0 to 0.0011 s"),
    "flat": ({"fc0": nir.Flatten(np.array([3, 4]), 1, 1)}, "'fc0': it flattens the axes 1 to 1"),
    "wide": ({"input": nir.Input(np.array([2**40]))}, "'input': its shape"),
    "flat input": ({"input": nir.Input(np.array([3, 4]))}, "'input': its shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_refused_with_its_node(name: str) -> None:
    changed, text = REFUSED[name]
    graph = graphs.dense_if(0, integers=True)
    graph = nir.NIRGraph({**graph.nodes, **changed}, graph.edges, type_check=False)
    with pytest.raises(DeploymentError, match=text):
        netx_export.from_nir(graph, 10, dt=DT)


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        ([("fc0", "fc9")], "names nodes that are not there"),
        ([("fc0", "if0"), ("fc0", "if0")], "'if0': two edges lead from 'fc0'"),
        ([("fc1", "fc1")], "'fc1': it lies in a circle without a neuron"),
    ],
)
def test_edges_that_make_no_network_are_refused(edges: list[tuple[str, str]], text: str) -> None:
    graph = graphs.dense_if(0, integers=True)
    with pytest.raises(DeploymentError, match=text):
        netx_export.from_nir(nir.NIRGraph(graph.nodes, [*graph.edges, *edges], type_check=False), 10)


def test_missing_ends_and_too_many_ways_are_refused() -> None:
    graph = graphs.dense_if(0, integers=True)
    without = [edge for edge in graph.edges if edge != ("input", "fc0")]
    with pytest.raises(DeploymentError, match="'fc0': nothing leads to it"):
        netx_export.from_nir(nir.NIRGraph(graph.nodes, without, type_check=False), 10)
    nodes = {name: node for name, node in graph.nodes.items() if name != "output"}
    edges = [edge for edge in graph.edges if "output" not in edge]
    with pytest.raises(DeploymentError, match="has 0 nodes of kind Output, not 1"):
        netx_export.from_nir(nir.NIRGraph(nodes, edges, type_check=False), 10)
    unit = nir.Linear(np.eye(2))
    many: dict[str, Any] = {"input": graphs.source(2), "s0": unit}
    edges = [("input", "s0")]
    for level in range(1, 30):  # two ways at each of 29 levels
        many |= {f"a{level}": unit, f"b{level}": unit, f"s{level}": unit}
        edges += [(f"s{level - 1}", f"{way}{level}") for way in "ab"] + [(f"{way}{level}", f"s{level}") for way in "ab"]
    many |= {"if": graphs.if_neuron(np.ones(2)), "output": graphs.target(2)}
    with pytest.raises(DeploymentError, match="more than 4,096 ways lead to it.*merge"):
        netx_export.from_nir(nir.NIRGraph(many, [*edges, ("s29", "if"), ("if", "output")], type_check=False), 10)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"weight_bits": 9}, "weight_bits must be an integer from 2 to 8"),
        ({"synapses": 3}, "synapses must be an integer from 1 to 2"),
        ({"scale": "none"}, "no scale 'none'"),
        ({"biases": "none"}, "no way 'none' of biases.*always, potential"),
        ({"input_bits": 0}, "input_bits must be an integer from 1 to 24"),
        ({"dt": 0.0}, "dt must be a time above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises((ConfigurationError, DeploymentError), match=text):
        netx_export.from_nir(graphs.dense_if(0, integers=True), 10, **options)


def test_reports_are_plain_data() -> None:
    _, report = netx_export.from_nir(graphs.dense_if(0, integers=False), 10)
    assert {type(value) for row in report.rows for value in asdict(row).values()} == {str, int, float}
