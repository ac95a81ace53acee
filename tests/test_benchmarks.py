"""Benchmarks run: their quick modes end with a table and a file. No time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import chip, files, inference, kernels, training_step
from benchmarks._timing import Timing, interleave, ratio


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
