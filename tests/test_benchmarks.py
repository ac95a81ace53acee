"""Benchmarks run: their quick modes end with a table and a file. No time is asserted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import files, history, inference, kernels, training_step
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


def test_an_experiment_resumes_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits, with two neurons: the second call trains nothing, and the report has both."""
    monkeypatch.setitem(history.NETWORKS, "digits", {"model.hidden": [16], "trainer.max_epochs": 1})
    grid = history.Grid((None,), (0.5,), (), (2,), ("shift",), False)
    settings = history.settings(4, grid)
    assert [setting.name for setting in settings] == [
        "potential full bits, decay 0.5, soft reset",
        "memory-free shift K=2",
    ]
    path = tmp_path / "history.csv"
    for setting in settings:
        history.append(path, history.measure("digits", setting, 0, {}, tmp_path / "runs", 1))
    rows = history.read(path)
    assert [history._setting_of(row) for row in rows] == settings
    assert [row.file_bytes > 0 for row in rows] == [False, True]
    assert [row.state_bits for row in rows] == [32.0, pytest.approx((64 * 5 * 2 + 16 * 1) / 16)]
    with path.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    monkeypatch.setitem(history.GRIDS, "two", grid)
    history.main("digits", seeds=1, grid="two", results=tmp_path, runs=tmp_path / "runs")
    assert len(history.read(path)) == 2, "nothing was left to train"
    assert (tmp_path / "history_digits.png").stat().st_size > 10_000
    assert "memory-free shift K=2" in (tmp_path / "history_digits.md").read_text("utf-8")
