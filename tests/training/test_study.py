"""The studies, a script of the folder `training`, which the tests have on their path."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

import study
from history_rows import append, read_rows
from lava_qsnn.train.config import load_config, override
from studies import STUDIES, Study
from study_report import Row, summarize


@pytest.mark.parametrize("name", STUDIES)
def test_every_variant_is_a_configuration_of_its_own(name: str) -> None:
    of = STUDIES[name]
    base = override(load_config(of.config), of.common)
    configs = [override(base, changes) for changes in of.variants.values()]
    assert len(configs) > 1
    assert all(config != other for index, config in enumerate(configs) for other in configs[:index])
    assert all(config.trainer == base.trainer for config in configs), "all have the same budget"


def test_a_study_resumes_where_it_stopped_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits, two variants, two seeds: what the file has is not trained again."""
    small = {"model.hidden": [8], "trainer.max_epochs": 1}
    variants = {f"threshold {value}": {"model.neuron.threshold": value} for value in (0.5, 1.0)}
    monkeypatch.setitem(STUDIES, "tiny", Study("Digits, two thresholds", "digits", small, variants))
    for seed in (0, 1):
        row = study.measure("tiny", "threshold 0.5", {}, seed, tmp_path / "runs")
        append(tmp_path / "study.csv", row)
    append(tmp_path / "study.csv", study.measure("tiny", "threshold 1.0", {}, 0, tmp_path / "runs"))
    before = read_rows(tmp_path / "study.csv", Row)
    study.main("tiny", seeds=1, only="", results=tmp_path, runs=tmp_path / "runs", report_only=False)
    assert read_rows(tmp_path / "study.csv", Row) == before, "nothing was left to train"
    low, high = summarize(before)
    assert (len(low.accuracies), len(high.accuracies)) == (2, 1)
    assert low.rates[0] > high.rates[0], "a lower threshold spikes more"
    assert "| threshold 0.5 |" in (tmp_path / "tiny.md").read_text("utf-8")
    assert (tmp_path / "tiny.png").stat().st_size > 5_000


def test_an_unknown_study_is_named_with_the_known_ones() -> None:
    with pytest.raises(typer.BadParameter, match="no study 'none'.*regulation"):
        study.main("none")
