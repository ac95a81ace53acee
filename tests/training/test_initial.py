"""A training that begins with the weights of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from lava_qsnn.cli.verbs import app
from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.train import train

ONE_STEP = override(
    load_config("digits"),
    {
        "trainer.max_epochs": 3,
        "model.hidden": [48],
        "model.float_weights": True,
        "model.neuron.history": 1,
        "data.timesteps": 1,
    },
)

#: So slow that a training ends where it began.
STILL = {"trainer.max_epochs": 1, "optimizer.learning_rate": 1e-8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of real weights and one time step."""
    return train(ONE_STEP, tmp_path_factory.mktemp("initial") / "run", progress=False).best


def test_more_time_steps_and_fewer_bits_begin_where_another_training_ended(trained: Path, tmp_path: Path) -> None:
    changes = {"model.float_weights": False, "model.neuron.history": 2, "data.timesteps": 2, **STILL}
    begun = train(override(ONE_STEP, {**changes, "model.initial": str(trained)}), tmp_path / "begun", progress=False)
    before, after = (read_checkpoint(path)[1]["network.0.synapse.weight"] for path in (trained, begun.last))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)
    anew = train(override(ONE_STEP, changes), tmp_path / "anew", progress=False)
    assert begun.last_accuracy > 0.7 > 0.4 > anew.last_accuracy, "chance is 0.1"


def test_the_command_line_takes_it(trained: Path, tmp_path: Path) -> None:
    settings = ["data.timesteps=1", "model.hidden=[48]", "model.neuron.history=1", "optimizer.learning_rate=1e-8"]
    options = [word for setting in settings for word in ("--set", setting)]
    place = ["--epochs", "1", "--output", str(tmp_path / "run"), "--initial", str(trained)]
    result = CliRunner().invoke(app, ["train", "digits", *options, *place], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    config, weights = read_checkpoint(tmp_path / "run" / "last.ckpt")
    assert config.model.initial == str(trained)
    before = read_checkpoint(trained)[1]
    torch.testing.assert_close(
        weights["network.0.synapse.weight"], before["network.0.synapse.weight"], rtol=0, atol=1e-4
    )


def test_a_deeper_network_begins_with_the_layers_of_a_shallower_one(trained: Path, tmp_path: Path) -> None:
    changes = {"model.hidden": [48, 48, 20], "model.initial": str(trained), **STILL}
    deeper = read_checkpoint(train(override(ONE_STEP, changes), tmp_path / "deeper", progress=False).last)[1]
    before = read_checkpoint(trained)[1]
    torch.testing.assert_close(
        deeper["network.0.synapse.weight"], before["network.0.synapse.weight"], rtol=0, atol=1e-4
    )
    assert deeper["network.1.synapse.weight"].shape == (48, 48, 1, 1, 1) != before["network.1.synapse.weight"].shape
    assert deeper["network.3.synapse.weight"].shape == (10, 20, 1, 1, 1), "its output is its own"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model.hidden": [32]}, r"model.initial: '.*' has 'network.0.*' of another shape or type .*48.*and.*32"),
        ({"model.hidden": []}, r"model.initial: '.*' (lacks|holds) 'network.*layers, of the same widths"),
        ({"model.hidden": [32, 48]}, r"model.initial: '.*' has 'network.0.*' of another shape"),
    ],
)
def test_other_layers_are_refused(changes: dict[str, Any], text: str, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=text):
        train(override(ONE_STEP, {**changes, "model.initial": str(trained)}), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not.ckpt").write_bytes(b"nothing")
    with pytest.raises(FileFormatError, match="not.ckpt"):
        train(override(ONE_STEP, {"model.initial": str(tmp_path / "not.ckpt")}), tmp_path / "run", progress=False)
    with pytest.raises(FileNotFoundError, match="none.ckpt"):
        train(override(ONE_STEP, {"model.initial": str(tmp_path / "none.ckpt")}), tmp_path / "run", progress=False)
