"""SANA-FE, a simulator of Loihi 1 by others, judges our counts: spikes, messages, hops, operations and energy."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn.engines import run_fast
from lava_qsnn.errors import ConfigurationError, DeploymentError, FileFormatError, InputError, QsnnError
from lava_qsnn.integer import (
    CUBA,
    ENDLESS,
    INPUT,
    Connection,
    Conv,
    DelayedDense,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Neuron,
    Readout,
    SumPool,
)
from netx_export import BASES, CHIPS, energy
from tests.chip.networks import networks, quantized_lif, samples, weights
from tests.helpers.command import call

sanafe = pytest.importorskip("sanafe", reason="SANA-FE is no dependency here")

#: Loihi 1 with cores so small that layers are cut into many.
SMALL = replace(CHIPS["loihi1"], state_words=9)

SHIFT = (8, 4, 2, 1)


def network(taps: tuple[int, ...] = SHIFT, first: Neuron | None = None) -> IntegerNetwork:
    """A convolution, a dense layer, and a readout of both: of the two, one passes the other by."""
    random = np.random.default_rng(5)
    conv = Layer(
        "conv 1",
        (Connection(INPUT, Conv(random.integers(-2, 3, (4, 1, 3, 3)), padding=(1, 1))),),
        first or MemoryFree(taps, random.integers(5, 15, 4)),
    )
    hidden = Dense(random.integers(-2, 3, (20, 4 * 25)))
    dense = Layer("dense", (Connection("conv 1", hidden),), MemoryFree(taps, random.integers(10, 40, 20)))
    both = (Connection("dense", Dense(weights(random, 3, 20))), Connection("conv 1", Dense(weights(random, 3, 100))))
    return IntegerNetwork(Input((1, 5, 5)), 4, (conv, dense, Layer("answer", both, Readout(taps))))


def inputs(number: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 2, (number, 1, 5, 5, 4))


@dataclass
class Simulated:
    """A run of SANA-FE of the files in a folder."""

    result: dict[str, Any]
    counts: dict[str, Any]

    def train(self, layer: str, neurons: int) -> np.ndarray[Any, Any]:
        """The spikes of a layer, (neurons, steps)."""
        name = self.counts["groups"][layer]["group"]
        found = np.zeros((neurons, self.counts["steps"]), np.int64)
        for step, fired in enumerate(self.result["spike_trace"]):
            for each in map(str, fired):
                group, _, neuron = each.rpartition(".")
                if group == name:
                    found[int(neuron), step] = 1
        return found

    def sent(self, layer: str, steps: range) -> tuple[int, int, int]:
        """Messages of a layer in some steps, their hops, and the synapses they reach."""
        group = self.counts["groups"][layer]["group"]
        mine = [
            each
            for step in steps
            for each in self.result["message_trace"][step]
            if each["src_neuron_group_id"] == group and not each["placeholder"]
        ]
        return len(mine), sum(each["hops"] for each in mine), sum(each["spikes"] for each in mine)


def simulate(folder: Path, perf_trace: Any = True) -> Simulated:
    counts = json.loads((folder / "counts.json").read_text())
    chip = sanafe.load_arch(str(folder / "loihi1.yaml"))
    simulator = sanafe.SpikingChip(chip)
    simulator.load(sanafe.load_net(str(folder / "network.yaml"), chip))
    result = simulator.sim(counts["steps"], spike_trace=True, message_trace=True, perf_trace=perf_trace)
    return Simulated(result, counts)


def agrees(layout: netx_export.Layout, x: np.ndarray[Any, Any], folder: Path) -> Simulated:
    """Replay samples, and compare all that SANA-FE counts with our traffic."""
    counts = netx_export.write_sanafe(layout, folder, x)
    run, traffic = simulate(folder), layout.traffic
    assert traffic is not None
    steps = range(len(x) * x.shape[-1])
    for layer, ours in traffic.layers.items():
        messages, hops, _ = run.sent(layer, steps)
        assert messages == counts.messages[layer]
        assert hops == counts.hops_east_west[layer] + counts.hops_north_south[layer]
        if layer != INPUT:
            assert counts.spikes[layer] == ours.spikes.sum()
    assert run.result["neurons_fired"] == sum(counts.spikes.values())
    assert run.result["spikes"] == sum(counts.operations.values()) + sum(counts.zero_operations.values())
    assert run.result["packets_sent"] == sum(counts.messages.values())
    assert sum(run.result["perf_trace"]["hops"]) == sum(run.sent(layer, steps)[1] for layer in traffic.layers)
    in_time = sum(counts.operations.values()) - sum(counts.late_operations.values())
    assert in_time == traffic.synops.sum()
    return run


@pytest.mark.parametrize("mapping", ["delayed", "stock"])
def test_replayed_spikes_move_what_we_count(mapping: str, tmp_path: Path) -> None:
    x = inputs(3)
    layout = netx_export.layout(network(), SMALL, mapping, activity=x)
    traffic = layout.traffic
    assert traffic is not None
    assert layout.cores > 10
    run = agrees(layout, x, tmp_path / "out")
    assert run.counts["messages"] == {name: each.messages.sum() for name, each in traffic.layers.items()}
    assert min(run.counts["messages"][name] for name in (INPUT, "conv 1", "dense")) > 0
    assert (sum(run.counts["late_operations"].values()) > 0) == (mapping == "delayed")
    outputs = run_fast(network(), x)
    for name in ("conv 1", "dense"):
        want = np.moveaxis(outputs[name].reshape(3, -1, 4), 0, 1).reshape(-1, 12)
        assert (run.train(name, len(want)) == want).all()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.sampled_from(["delayed", "stock"]), st.integers(0, 99), st.booleans())
def test_random_networks_move_what_we_count(
    tmp_path: Path, network: IntegerNetwork, mapping: str, seed: int, is_small: bool
) -> None:
    x = samples(network, seed)
    layout = netx_export.layout(network, replace(SMALL, state_words=5 if is_small else 50), mapping, activity=x)
    run, traffic = agrees(layout, x, tmp_path / "out"), layout.traffic
    assert traffic is not None
    for name, ours in traffic.layers.items():
        theirs = [each.delay for layer in network.layers for each in layer.connections if each.source == name]
        if not any(theirs):  # a message that waits beyond the last time step reaches nothing, and we leave it out
            assert run.counts["messages"][name] == ours.messages.sum()


@pytest.mark.parametrize("mapping", ["delayed", "stock"])
def test_energy_by_the_same_prices_is_the_same(mapping: str, tmp_path: Path) -> None:
    x = inputs(4)
    found = energy(network(), x, SMALL, mapping)
    bill = next(each for each in found.bills if each.basis.name == "SANA-FE")
    run = agrees(found.layout, x, tmp_path / "out")
    prices = {each.operation: each.high for each in bill.basis.prices}
    counts = run.counts
    synapses = {"conv 1": prices["synop_conv"]}
    late = sum(number * synapses.get(name, prices["synop_dense"]) for name, number in counts["late_operations"].items())
    entering = counts["messages"][INPUT] * prices["message"]
    entering += counts["hops_east_west"][INPUT] * prices["hop_east_west"]
    entering += counts["hops_north_south"][INPUT] * prices["hop_north_south"]
    assert bill.high is not None
    ours = bill.high * len(x) + late + entering
    assert run.result["energy"]["total"] * 1e12 == pytest.approx(ours, rel=1e-9)
    assert bill.high > 0
    assert run.result["energy"]["soma"] * 1e12 == pytest.approx(
        sum((line.high or 0) * len(x) for line in bill.lines if line.operation in ("update", "spike")), rel=1e-9
    )


@pytest.mark.parametrize("mapping", ["delayed", "stock"])
def test_its_own_neurons_compute_our_spikes(mapping: str, tmp_path: Path) -> None:
    total = 0
    for seed in range(3):
        x, deployed = inputs(1, seed), network()
        layout = netx_export.layout(deployed, SMALL, mapping, activity=x)
        netx_export.write_sanafe(layout, tmp_path / str(seed), x, "computed")
        run, outputs = simulate(tmp_path / str(seed)), run_fast(deployed, x)
        assert layout.traffic is not None
        for depth, name in enumerate(("conv 1", "dense"), 1):
            want = outputs[name].reshape(-1, 4)
            assert run.counts["groups"][name]["depth"] == depth
            assert (run.train(name, len(want))[:, depth : depth + 4] == want).all()
            assert run.sent(name, range(depth, depth + 4))[0] == layout.traffic.layers[name].messages.sum()
            total += int(want.sum())
    assert total > 50


def test_computed_neurons_use_all_their_taps(tmp_path: Path) -> None:
    """Taps that are no shifts are synapses with delays alone."""
    x, deployed = inputs(1), network((3, 1, 2))
    assert not np.array_equal(run_fast(deployed, x)["dense"], run_fast(network((3,)), x)["dense"])
    netx_export.write_sanafe(netx_export.layout(deployed, SMALL, "delayed"), tmp_path / "out", x, "computed")
    want = run_fast(deployed, x)["dense"].reshape(20, 4)
    assert want.any()
    assert (simulate(tmp_path / "out").train("dense", 20)[:, 2:6] == want).all()


def test_cuba_neurons_replay(tmp_path: Path) -> None:
    cuba = CUBA(*(np.full(4, value) for value in (1024, 512, 6, 0)))
    x, deployed = inputs(2), network(first=cuba)
    layout = netx_export.layout(deployed, SMALL, "stock", activity=x)
    assert agrees(layout, x, tmp_path / "out").counts["spikes"]["conv 1"] > 0
    with pytest.raises(DeploymentError, match="conv 1.*cannot compute it"):
        netx_export.write_sanafe(layout, tmp_path / "no", x[:1], "computed")


def test_delayed_weights_loops_and_poolings_move_what_we_count(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    cuba = CUBA(*(np.full(12, value) for value in (1024, 512, 6, 0)))
    first = DelayedDense(random.integers(-3, 6, (12, 4)), random.integers(0, 3, (12, 4)))
    again = Connection("loop", Dense(weights(random, 12, 12)), 2)
    pool = (Connection(INPUT, Dense(weights(random, 5, 4)), poolings=(SumPool((2, 2), (2, 2)),)),)
    layers = (
        Layer("loop", (Connection(INPUT, first, poolings=(SumPool((2, 2), (2, 2)),)), again), cuba),
        Layer("pooled", pool, MemoryFree((2, 1), np.full(5, 2))),
        Layer(
            "answer",
            tuple(Connection(each, Dense(weights(random, 3, n))) for each, n in (("loop", 12), ("pooled", 5))),
            Readout((2, 1)),
        ),
    )
    x = random.integers(0, 2, (2, 1, 4, 4, 5))
    network = IntegerNetwork(Input((1, 4, 4)), 5, layers)
    for number, mapping in enumerate(("delayed", "stock")):
        layout = netx_export.layout(network, SMALL, mapping, activity=x)
        counts = agrees(layout, x, tmp_path / str(number)).counts
        assert min(counts["spikes"][name] for name in ("loop", "pooled")) > 0
        assert counts["late_operations"]["loop"] > 0


def test_without_samples_the_input_is_silent(tmp_path: Path) -> None:
    netx_export.write_sanafe(netx_export.layout(network(), SMALL, "delayed"), tmp_path / "out")
    run = simulate(tmp_path / "out")
    assert run.counts["neurons"] == "computed"
    assert run.result["neurons_fired"] == run.result["packets_sent"] == 0


def test_prices_are_those_of_the_basis(tmp_path: Path) -> None:
    """Each of them is that of the description which SANA-FE brings."""
    import yaml

    netx_export.write_sanafe(netx_export.layout(network(), SMALL, "delayed"), tmp_path / "out")
    own = yaml.safe_load((tmp_path / "out" / "loihi1.yaml").read_text())["architecture"]
    theirs = Path(sanafe.__file__).parent / "examples" / "loihi.yaml"
    (tile,), (other,) = own["tile"], yaml.safe_load(theirs.read_text())["architecture"]["tile"]
    assert {name: pytest.approx(float(value)) for name, value in other["attributes"].items()} == tile["attributes"]
    units = {each["attributes"]["model"]: each["attributes"] for each in tile["core"][0]["soma"]}
    for each in other["core"][0]["soma"][:1]:
        for name, value in each["attributes"].items():
            assert name == "model" or units["leaky_integrate_fire"][name] == pytest.approx(float(value))
    kinds = [each["attributes"] for each in tile["core"][0]["synapse"]]
    for each, want in zip(kinds, other["core"][0]["synapse"]):
        assert each["energy_process_spike"] == pytest.approx(float(want["attributes"]["energy_process_spike"]))
        assert each["latency_process_spike"] == pytest.approx(float(want["attributes"]["latency_process_spike"]))
    assert any(each.name == "SANA-FE" for each in BASES)


def refused() -> list[Any]:
    lif = quantized_lif(np.random.default_rng(0), 4)
    low = MemoryFree(SHIFT, np.zeros(4, np.int64))
    long = (1,) * 4
    return [
        (network(), "loihi2", "delayed", None, "those of Loihi 1, and the layout is of loihi2"),
        (
            network(),
            replace(SMALL, state_words=1, cores=123),
            "delayed",
            None,
            "123 cores and 1 .* one chip of 123 cores",
        ),
        (network(first=lif), SMALL, "delayed", "computed", "conv 1.*cannot compute it"),
        (network(first=low), SMALL, "delayed", "computed", "fires before the sample begins"),
        (network(long), SMALL, "stock", "computed", "not halved from step to step"),
        (network(), SMALL, "delayed", "guessed", "there are no 'guessed' neurons"),
        (replace(network(), timesteps=9, layers=network((1,) * 9).layers), SMALL, "delayed", "computed", "at most 5"),
        (replace(network(), input=Input((1, 5, 5), 3)), SMALL, "delayed", "computed", "input from 0 to 3"),
    ]


@pytest.mark.parametrize(("deployed", "chip", "mapping", "neurons", "problem"), refused())
def test_what_it_cannot_have_is_refused(
    deployed: IntegerNetwork, chip: Any, mapping: str, neurons: str | None, problem: str, tmp_path: Path
) -> None:
    layout = netx_export.layout(deployed, chip, mapping)
    with pytest.raises((ConfigurationError, DeploymentError), match=problem):
        netx_export.write_sanafe(layout, tmp_path / "out", None, neurons)
    assert not (tmp_path / "out").exists()


def test_bad_folders_samples_and_shapes_are_refused(tmp_path: Path) -> None:
    layout = netx_export.layout(network(), SMALL, "delayed")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "none" / "out", tmp_path / "file"):
        with pytest.raises(ConfigurationError, match="can be no folder"):
            netx_export.write_sanafe(layout, place)
    with pytest.raises(InputError, match="computed neurons take one sample"):
        netx_export.write_sanafe(layout, tmp_path / "out", inputs(2), "computed")
    with pytest.raises(QsnnError):
        netx_export.write_sanafe(layout, tmp_path / "out", np.zeros((1, 3, 4), np.int64))
    stream = netx_export.layout(replace(network(), timesteps=ENDLESS), SMALL, "delayed")
    with pytest.raises(InputError, match="a stream has no number of time steps"):
        netx_export.write_sanafe(stream, tmp_path / "out")
    shapes = netx_export.layout(netx_export.chain((4,), [{"channels": 3}]), "loihi1", "delayed")
    with pytest.raises(ConfigurationError, match="shapes alone have no synapses"):
        netx_export.write_sanafe(shapes, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_command_writes_what_sana_fe_runs(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    file, array, out = tmp_path / "some.net", tmp_path / "x.npy", tmp_path / "out"
    netx_export.write(network(), file)
    np.save(array, inputs(2))
    status, text, _ = call(capsys, monkeypatch, "layout", file, "--input", array, "--sanafe", out)
    assert status == 0
    assert "for SANA-FE" in text
    assert "loihi1, mapping delayed" in text
    assert simulate(out).result["packets_sent"] > 0
    capsys.readouterr()  # SANA-FE prints its progress
    status, text, error = call(capsys, monkeypatch, "layout", file, "--sanafe", out, "--mapping", "word")
    assert (status, text) == (1, "")
    assert "graded messages" in error


def test_the_time_of_a_step_stands_beside_who_waits(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    file, out, table = tmp_path / "some.net", tmp_path / "out", tmp_path / "perf.csv"
    netx_export.write(network(), file)
    netx_export.write_sanafe(netx_export.layout(file, "loihi1", "delayed"), out, inputs(1))
    result = simulate(out, perf_trace=str(table)).result
    times = netx_export.read_sanafe(table)
    assert times.seconds.sum() == pytest.approx(result["sim_time"])
    assert times.joules.sum() == pytest.approx(result["energy"]["total"])
    capsys.readouterr()
    status, text, _ = call(capsys, monkeypatch, "layout", file, "--sanafe-results", table)
    assert status == 0
    assert f"{times.seconds.mean() * 1e6:.3f} us in the mean of 4" in text
    assert "answer waits for dense, conv 1" in text
    assert "by the simulator SANA-FE" in text
    status, text, _ = call(capsys, monkeypatch, "layout", file, "--sanafe-results", table, "--json")
    found = json.loads(text)
    assert found["sanafe"]["seconds"] == times.seconds.sum() > 0
    assert found["waits_for"]["conv 1"] == [INPUT]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no time step"),
        ("timestep,sim_time\n1,1e-6\n", "line 2 .* has no number total_energy"),
        ("sim_time,total_energy\n1e-6,1e-9\nsoon,1\n", "line 3 .* has no number sim_time"),
        ("sim_time,total_energy\n-1,1\n", "sim_time in line 2 .* is -1"),
        ("sim_time,total_energy\n1,nan\n", "total_energy in line 2 .* is nan"),
        ("\x00", "is no table of text"),
    ],
)
def test_tables_that_sana_fe_did_not_write_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "perf.csv").write_text(text)
    with pytest.raises(FileFormatError, match=problem):
        netx_export.read_sanafe(tmp_path / "perf.csv")
    with pytest.raises(FileNotFoundError):
        netx_export.read_sanafe(tmp_path / "none.csv")
