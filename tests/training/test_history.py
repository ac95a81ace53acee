"""The history experiment, a script of the folder `training`, which the tests have on their path."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import history
import history_runs
from history_rows import append, read, setting_of


def test_an_experiment_resumes_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits, with two neurons: the second call trains nothing, and the report has both."""
    monkeypatch.setitem(history_runs.NETWORKS, "digits", {"model.hidden": [16], "trainer.max_epochs": 1})
    grid = history.Grid((None,), (0.5,), (), (2,), ("shift",), False)
    settings = history.settings(4, grid)
    assert [setting.name for setting in settings] == [
        "potential full bits, decay 0.5, soft reset",
        "memory-free shift K=2",
    ]
    path = tmp_path / "history.csv"
    for setting in settings:
        append(path, history_runs.measure("digits", setting, 0, {}, tmp_path / "runs", 1))
    rows = read(path)
    assert [setting_of(row) for row in rows] == settings
    assert [row.file_bytes > 0 for row in rows] == [False, True]
    assert [row.state_bits for row in rows] == [32.0, pytest.approx((64 * 5 * 2 + 16 * 1) / 16)]
    with path.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    monkeypatch.setitem(history.GRIDS, "two", grid)
    history.main("digits", seeds=1, grid="two", results=tmp_path, runs=tmp_path / "runs")
    assert len(read(path)) == 2, "nothing was left to train"
    assert (tmp_path / "history_digits.png").stat().st_size > 10_000
    assert "memory-free shift K=2" in (tmp_path / "history_digits.md").read_text("utf-8")


def test_a_grid_is_trained_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two workers, and once more in this process: the same accuracies."""
    monkeypatch.setitem(history.GRIDS, "two", history.Grid((None,), (0.5,), (), (2,), ("shift",), False))
    history.main("digits", seeds=1, epochs=1, grid="two", workers=2, results=tmp_path, runs=tmp_path / "runs")
    rows = sorted(read(tmp_path / "history.csv"), key=lambda row: row.family)
    assert [row.family for row in rows] == ["memory_free", "quantized_lif"]
    changes = {"trainer.max_epochs": 1, "trainer.accelerator": "cpu"}
    for row in rows:
        same = history_runs.measure("digits", setting_of(row), 0, changes, tmp_path / "here", 1)
        assert same.test_accuracy == row.test_accuracy > 0.3
        assert same.file_bytes == row.file_bytes
