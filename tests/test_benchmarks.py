"""Benchmarks run: their quick modes end with a table and a file. No time is asserted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import netx_export
from benchmarks import chip, files, import_time, inference, kernels, memory, nir_networks, threads, training_step
from benchmarks._timing import Timing, interleave, ratio
from tests.helpers import nir_graphs as graphs


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    "module",
    [files, import_time, inference, kernels, memory, threads, training_step],
    ids=lambda module: module.__name__,
)
def test_quick_modes_write_their_figures(module: object, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(module.main)  # type: ignore[attr-defined]
    answer = CliRunner().invoke(app, ["--quick", "--results", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0
    (written,) = tmp_path.glob("*.json")
    content = json.loads(written.read_text("utf-8"))
    assert content["rows"]
    assert content["machine"]["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_processor_time_counts_to_the_end_or_to_the_first_words(tmp_path: Path) -> None:
    """A program that works on and on after its first words is ended there; one that fails is no measurement."""
    on_and_on = (sys.executable, "-c", "print('\\x1b[?25lword', flush=True)\nwhile True: pass")
    to_its_end = (sys.executable, "-c", "print('word', flush=True); sum(range(10**7)); print('another')")
    environment = dict(os.environ)
    assert import_time.processor_time(on_and_on, environment, whole=False) > 0
    early, late = (import_time.processor_time(to_its_end, environment, whole) for whole in (False, True))
    assert early < late
    for silent in ((*on_and_on[:2], ""), (*to_its_end[:2], "print('words'); 1 / 0")):
        with pytest.raises(RuntimeError, match="ended with status"):
            import_time.processor_time(silent, environment, whole=True)


def test_networks_are_laid_out(tmp_path: Path) -> None:
    answer = CliRunner().invoke(chip.app, ["layouts", "--quick", "--output", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0
    rows = json.loads((tmp_path / "chip_layouts.json").read_text("utf-8"))["rows"]
    assert {row["mapping"]: row["cores"] for row in rows} == {"word": 3, "delayed": 5, "stock": 3}


@pytest.mark.slow
@pytest.mark.lava
def test_both_networks_of_the_comparison_learn_and_are_counted(tmp_path: Path) -> None:
    arguments = ["beside-cuba", "--epochs", "4", "--output", str(tmp_path)]
    assert CliRunner().invoke(chip.app, arguments, catch_exceptions=False).exit_code == 0
    columns = json.loads((tmp_path / "chip_beside_cuba.json").read_text("utf-8"))["columns"]
    assert len(columns) == 4
    assert all(column["test accuracy"] > 0.8 for column in columns.values())
    assert all(column["SynOps"] > 0 for column in columns.values())


@pytest.mark.slow
@pytest.mark.lava
def test_a_simulator_counts_what_we_count(tmp_path: Path) -> None:
    pytest.importorskip("sanafe", reason="SANA-FE is no dependency here")
    from benchmarks import simulated

    arguments = ["--epochs", "1", "--samples", "2", "--output", str(tmp_path)]
    assert CliRunner().invoke(simulated.app, arguments, catch_exceptions=False).exit_code == 0
    columns = json.loads((tmp_path / "chip_simulated.json").read_text("utf-8"))["columns"]
    assert len(columns) == 3
    for column in columns.values():
        assert column["messages"] == column["messages, SANA-FE"] > 0
        late = column["of them late, left out here"]
        assert column["synaptic operations"] + late == column["synaptic operations, SANA-FE"] > 0


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
