"""Trainings made to diverge: each is noticed, named by layer, and ends with advice; the best network stays."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import netx_export
from lava_qsnn.errors import DivergenceError, QsnnWarning
from lava_qsnn.train import curves, divergence
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import Config, load_config, override
from lava_qsnn.train.divergence import FiringRange
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import Result, train
from tests.helpers.command import call

SMALL = override(load_config("digits"), {"model.hidden": [16, 8], "trainer.max_epochs": 6, "model.target": "any"})
#: Decoupled weight decay multiplies each weight by 1 - rate * decay: by -99 in the first step, or only in later epochs.
AT_ONCE = {"optimizer.learning_rate": 10.0, "optimizer.weight_decay": 10.0, "optimizer.warmup": 0.0}
LATER = {"optimizer.learning_rate": 1.0, "optimizer.weight_decay": 10.0, "optimizer.warmup": 0.9}
SILENT = {"model.neuron.threshold": 1e3, "model.neuron.norm": None}
ALWAYS = {"model.neuron.threshold": -1e4, "model.neuron.norm": None}


def run(folder: Path, changes: dict[str, Any], base: Config = SMALL) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QsnnWarning)
        return train(override(base, changes), folder, progress=False)


def test_weights_that_overflow_in_the_first_epoch_leave_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match=r"in epoch 1, at step \d+.*dense1, dense2, output; no epoch") as error:
        run(tmp_path, AT_ONCE)
    assert "lower optimizer.learning_rate" in str(error.value)
    assert list(tmp_path.glob("*.ckpt")) == []


def test_the_best_network_before_survives_and_deploys(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError) as error:
        run(tmp_path, LATER)
    assert f"the best network so far is kept in '{tmp_path / 'best.ckpt'}'" in str(error.value)
    for name in ("best.ckpt", "last.ckpt"):
        _, weights = read_checkpoint(tmp_path / name)
        assert all(bool(value.isfinite().all()) for value in weights.values())
    losses = curves.read_logs(tmp_path.glob("logs/*/metrics.csv"))["val_loss"]
    assert 1 <= len(losses) < 6
    assert all(map(math.isfinite, losses.values()))
    network = netx_export.fold(restore(tmp_path / "best.ckpt").network, (64,), 4, 5)
    assert list(network) == ["dense1", "dense2", "output"]
    assert (tmp_path / "curves.png").exists()


def test_a_training_may_stop_instead_with_its_best_network(tmp_path: Path) -> None:
    with pytest.warns(QsnnWarning, match="the training diverged in epoch .*best network so far"):
        result = train(override(SMALL, LATER | {"trainer.diverged": "stop"}), tmp_path, progress=False)
    assert result.best == tmp_path / "best.ckpt"
    assert 1 <= result.epochs < 6
    assert result.best_accuracy > 0
    with pytest.raises(DivergenceError, match="no epoch before was validated"):  # nothing to stop with
        run(tmp_path / "other", AT_ONCE | {"trainer.diverged": "stop"})


def test_the_loss_is_looked_at_within_long_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real weights overflow into the loss itself; an epoch of 80 steps ends after the next look at it."""
    monkeypatch.setattr(divergence, "CHECK_EVERY", 5)
    with pytest.raises(DivergenceError, match="the loss is no finite number; not finite are the numbers of") as error:
        run(tmp_path, AT_ONCE | {"data.batch_size": 16, "model.float_weights": True})
    step = int(str(error.value).partition("at step ")[2].partition(":")[0])
    assert step % 5 == 0
    assert step < 80


@pytest.mark.parametrize(
    ("changes", "text"),
    [(SILENT, "none of its neurons fired in 3 epochs"), (ALWAYS, "all of its neurons always fired in 3 epochs")],
)
def test_a_dead_layer_is_named_at_once_and_ends_the_training(
    changes: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.warns(QsnnWarning) as told, pytest.raises(DivergenceError, match=text) as error:
        train(override(SMALL, changes), tmp_path, progress=False)
    assert error.value.layer == "dense1"
    assert "model.neuron.threshold" in str(error.value)
    assert "best.ckpt" in str(error.value)
    first = [str(warning.message) for warning in told if "layer 'dense1'" in str(warning.message)]
    assert len(first) == 1
    assert "in a whole epoch" in first[0]
    patient = run(tmp_path / "patient", changes | {"trainer.dead_epochs": 7})
    assert patient.epochs == 6


def test_a_layer_that_wakes_up_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead in epochs 1, 2, 4 and 5: never three in a row."""
    true = FiringRange.take
    calls: list[int] = []

    def take(self: FiringRange, trainer: Any) -> dict[str, tuple[float, float]]:
        calls.append(1)
        rates = true(self, trainer)
        assert set(rates) == {"dense1", "dense2"}
        assert all(0 < low <= high < 1 for low, high in rates.values())
        return rates if len(calls) in (3, 6) else rates | {"dense2": (0.0, 0.0)}

    monkeypatch.setattr(FiringRange, "take", take)
    assert run(tmp_path, {}).epochs == len(calls) == 6


def test_a_training_that_goes_well_is_told_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(SMALL, tmp_path, progress=False).epochs == 6


def test_rates_are_ranges_over_batches() -> None:
    class Alone:
        class strategy:  # noqa: N801
            @staticmethod
            def reduce(value: torch.Tensor, reduce_op: str) -> torch.Tensor:
                assert reduce_op == "max"
                return value

    firing = FiringRange()
    assert firing.take(Alone) == {}
    for first, second in ((0.25, 0.0), (0.75, 0.0), (0.5, 1.0)):
        firing.note({"dense1": torch.tensor(first), "dense2": torch.tensor(second)})
    assert firing.take(Alone) == {"dense1": (0.25, 0.75), "dense2": (0.0, 1.0)}
    assert firing.take(Alone) == {}


def test_the_command_ends_with_one_line(tmp_path: Path, capsys, monkeypatch) -> None:
    settings = [f"{key}={value}" for key, value in (AT_ONCE | {"model.hidden": [8], "model.target": "any"}).items()]
    arguments = [part for setting in settings for part in ("--set", setting)]
    code, _, err = call(capsys, monkeypatch, "train", "digits", "--output", tmp_path / "run", *arguments)
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert "the training diverged in epoch 1" in err
