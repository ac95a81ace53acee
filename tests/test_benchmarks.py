"""Benchmarks run: their quick modes end with a table and a file. No time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import netx_export
from benchmarks import files, inference, kernels, nir_networks, stock, training_step
from benchmarks._timing import Timing, interleave, ratio
from tests.helpers import nir_graphs as graphs


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("module", [files, inference, kernels, training_step], ids=lambda module: module.__name__)
def test_quick_modes_write_their_figures(module: object, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(module.main)  # type: ignore[attr-defined]
    answer = CliRunner().invoke(app, ["--quick", "--results", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0
    (written,) = tmp_path.glob("*.json")
    content = json.loads(written.read_text("utf-8"))
    assert content["rows"]
    assert content["machine"]["versions"]["torch"] == torch.__version__.partition("+")[0]


@pytest.mark.lava
@pytest.mark.slow
def test_stock_networks_beside_unmodified_netx(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(stock.main)
    answer = CliRunner().invoke(app, ["--quick", "--results", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0
    (row,) = json.loads((tmp_path / "stock.json").read_text("utf-8"))["rows"]
    assert row["netx"]["wall"] > row["fast"]["wall"] > 0
    assert row["answers"] > 0


@pytest.mark.parametrize("name", stock.NETWORKS)
def test_the_stock_networks_are_active_in_every_layer(name: str, tmp_path: Path) -> None:
    make, shape, _ = stock.NETWORKS[name]
    torch.manual_seed(0)
    stock.export(make(), tmp_path / "own.net", shape)
    network = netx_export.load(tmp_path / "own.net", shape, 16)
    outputs = netx_export.simulate_layers(network, stock.inputs(network, 1), "fast")
    rates = {layer: np.count_nonzero(values) / values.size for layer, values in outputs.items()}
    assert min(rates.values()) > 0.02, rates


def test_slayers_files_hold_32_bits_for_each_of_ours(tmp_path: Path) -> None:
    files.slayers((256, 128, 10), tmp_path / "slayer.net")
    files.ours((256, 128, 10), tmp_path / "own.net")
    theirs, own = (files.read_all(tmp_path / name) for name in ("slayer.net", "own.net"))
    assert theirs >= 4 * (256 * 128 + 128 * 10)
    assert own < theirs
    assert (tmp_path / "own.net").stat().st_size < (tmp_path / "slayer.net").stat().st_size / 4


def test_runs_are_interleaved_and_compared_neighbour_by_neighbour() -> None:
    order: list[str] = []
    timings = interleave({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, runs=3, warmup=1)
    assert "".join(order) == "abababab"
    assert [len(timing.seconds) for timing in timings.values()] == [3, 3]
    assert ratio(Timing((2.0, 4.0, 9.0)), Timing((1.0, 2.0, 3.0))).median == 2.0


def test_networks_of_nir_are_measured(tmp_path: Path) -> None:
    """With a recurrent network in the place of the paper's, and a trace of a neuron that this project computes."""
    nir.write(tmp_path / "braille_noDelay_bias_zero.nir", graphs.recurrent(0))
    one = np.ones(1)
    lif = graphs.graph(
        {
            "input": graphs.source(1),
            "fc": nir.Linear(np.ones((1, 1))),
            "lif": nir.LIF(2.5e-3 * one, one, 0 * one, 0.1 * one),
            "output": graphs.target(1),
        }
    )
    nir.write(tmp_path / "lif_norse.nir", lif)
    network, _ = netx_export.from_nir(lif, 200, dt=graphs.DT)
    x = graphs.spikes((1,), 1, 200, 0.3)
    fired = np.roll(netx_export.simulate(network, x)[0, 0], 1)
    np.savetxt(tmp_path / "trace.csv", np.stack([x[0, 0], 0 * fired, fired], 1), delimiter=",")
    app = typer.Typer()
    app.command()(nir_networks.main)
    arguments = [str(tmp_path), "--chip", str(tmp_path / "trace.csv"), "--quick", "--results", str(tmp_path)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    rows = json.loads((tmp_path / "nir_networks.json").read_text("utf-8"))["rows"]
    assert rows["lif"]["differing steps"] == 0
    assert len(rows["lif"]["chip spikes"]) > 3
    means = {row["what"]: np.mean(row["agreement"]) for row in rows["braille"]}
    assert means["two synapses of 8 bits"] > means["8 bits, one scale a neuron"]
    assert all(0 < mean < 1 for mean in means.values())
