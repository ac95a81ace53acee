"""Distillation: a network that learns from another one, and the network of rectified linear units that may teach it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from typer.testing import CliRunner

from lava_qsnn.cli.verbs import app
from lava_qsnn.errors import ConfigurationError, DeploymentError, FileFormatError
from lava_qsnn.train import data
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import Config, load_config, override
from lava_qsnn.train.models import spiking_blocks
from lava_qsnn.train.module import restore
from lava_qsnn.train.optimizers import inner_weights, windowed
from lava_qsnn.train.rectified import Rectified
from lava_qsnn.train.teacher import distillation_loss
from lava_qsnn.train.train import train
from netx_export import export
from tests.helpers.interrupted import interrupted

TEACHER = override(
    load_config("digits"),
    {
        "model.name": "rectified",
        "model.layers": ["dense 64"],
        "model.target": "any",
        "data.timesteps": 1,
        "trainer.max_epochs": 8,
    },
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a network that has learned the digits, in one time step."""
    result = train(TEACHER, tmp_path_factory.mktemp("teacher") / "run", progress=False)
    assert result.test_accuracy > 0.93
    return result.best


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digits, the labels of all but the test samples drawn by lot."""
    module = data.make(load_config("digits").data)
    x, y = module.test_arrays()
    module.setup()
    train_x, train_y = (torch.cat(parts).numpy() for parts in zip(*module.train_dataloader()))
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    lots = np.random.default_rng(0).permutation(train_y)
    np.savez(file, x_train=train_x[..., 0].astype(np.uint8), y_train=lots, x_test=x[..., 0], y_test=y)
    return str(file)


def pupil(**changes: Any) -> Config:
    return override(load_config("digits"), {"trainer.max_epochs": 4, **changes})


class TestLoss:
    @given(st.integers(1, 5), st.integers(2, 7), st.floats(0.5, 8.0), st.integers(0, 10**6))
    def test_it_is_the_mean_divergence_of_softened_classes(
        self, samples: int, classes: int, temperature: float, seed: int
    ) -> None:
        logits, taught = 3 * np.random.default_rng(seed).standard_normal((2, samples, classes))
        p, q = (np.exp(each / temperature) for each in (taught, logits))
        p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
        expected = temperature**2 * (p * np.log(p / q)).sum(1).mean()
        found = distillation_loss(torch.from_numpy(logits), torch.from_numpy(taught), temperature)
        assert found.item() == pytest.approx(expected, rel=1e-3, abs=1e-4)

    def test_it_is_zero_for_a_pupil_that_says_the_same_but_for_a_constant(self) -> None:
        logits = torch.tensor([[3.0, -1.0, 2.0], [0.0, 5.0, 1.0]])
        assert distillation_loss(logits + 7, logits, 4.0).item() == pytest.approx(0, abs=1e-5)

    def test_its_gradient_does_not_shrink_with_the_temperature(self) -> None:
        """For large t, logits of mean 0 are drawn by (logits - taught) / classes (arXiv 1503.02531, section 2.1)."""
        logits = torch.tensor([[0.3, -0.2, -0.1]], requires_grad=True)
        taught = torch.tensor([[-0.4, 0.1, 0.3]])
        (gradient,) = torch.autograd.grad(distillation_loss(logits, taught, 90.0), logits)
        torch.testing.assert_close(gradient, (logits - taught) / 3, rtol=0.02, atol=1e-4)


class TestTraining:
    def test_a_pupil_learns_from_its_teacher_what_labels_do_not_tell(
        self, teacher: Path, mislabelled: str, tmp_path: Path
    ) -> None:
        own = {"data.name": "arrays", "data.source": mislabelled, "data.input_bits": 5, "data.test": 0.0}
        given = override(load_config("digits"), {"trainer.max_epochs": 8, **own})
        untaught = train(given, tmp_path / "untaught", progress=False)
        changes = {"optimizer.teacher": str(teacher), "optimizer.distillation": 1.0}
        taught = train(override(given, changes), tmp_path / "taught", progress=False)
        assert taught.test_accuracy > 0.85
        assert untaught.test_accuracy < 0.4, "chance is 0.1"

    def test_without_a_share_of_the_loss_a_teacher_changes_nothing(self, teacher: Path, tmp_path: Path) -> None:
        alone = train(pupil(), tmp_path / "alone", progress=False)
        beside = {"optimizer.teacher": str(teacher), "optimizer.distillation": 0.0}
        unheard = train(pupil(**beside), tmp_path / "unheard", progress=False)
        assert same_weights(alone.last, unheard.last)
        heard = train(pupil(**{**beside, "optimizer.distillation": 0.5}), tmp_path / "heard", progress=False)
        assert not same_weights(alone.last, heard.last)

    def test_a_resumed_training_goes_on_as_an_uninterrupted_one(self, teacher: Path, tmp_path: Path) -> None:
        config = pupil(**{"optimizer.teacher": str(teacher)})
        whole = train(config, tmp_path / "whole", progress=False)
        last = interrupted(config, tmp_path / "parts", 2)
        resumed = train(config, tmp_path / "parts", resume=last, progress=False)
        assert resumed.epochs == 2
        assert same_weights(whole.last, resumed.last)

    def test_the_checkpoint_holds_the_pupil_alone(self, teacher: Path, tmp_path: Path) -> None:
        config = pupil(**{"optimizer.teacher": str(teacher), "trainer.max_epochs": 1})
        result = train(config, tmp_path / "run", progress=False)
        assert set(read_checkpoint(result.last)[1]) == set(restore(result.last).state_dict())
        assert restore(result.last).teacher is None

    def test_the_command_line_takes_one(self, teacher: Path, tmp_path: Path) -> None:
        place = ["--epochs", "1", "--output", str(tmp_path / "run"), "--teacher", str(teacher)]
        result = CliRunner().invoke(app, ["train", "digits", *place], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert read_checkpoint(tmp_path / "run" / "last.ckpt")[0].optimizer.teacher == str(teacher)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"data.input_bits": 4}, r"optimizer.teacher: '.*best.ckpt' .* input bits: 5, here: 4.*same data"),
            (
                {"data.flatten": False, "model.name": "cnn", "model.channels": [4]},
                r"input shape: \(64,\), here: \(1, 8, 8\)",
            ),
        ],
    )
    def test_a_teacher_of_other_data_is_refused(
        self, changes: dict[str, Any], text: str, teacher: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match=text):
            train(pupil(**{**changes, "optimizer.teacher": str(teacher)}), tmp_path / "run", progress=False)
        assert not (tmp_path / "run" / "last.ckpt").exists()

    def test_numbers_are_not_taught(self, teacher: Path, tmp_path: Path) -> None:
        random = np.random.default_rng(0)
        x, y = random.integers(0, 32, (90, 64)), random.standard_normal((90, 10))
        np.savez(tmp_path / "numbers.npz", x=x, y=y)
        own = {"data.name": "arrays", "data.source": str(tmp_path / "numbers.npz"), "data.targets": "numbers"}
        with pytest.raises(ConfigurationError, match="only classes can be taught"):
            train(pupil(**own, **{"optimizer.teacher": str(teacher)}), tmp_path / "run", progress=False)

    def test_what_is_no_checkpoint_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "not.ckpt").write_bytes(b"nothing")
        with pytest.raises(FileFormatError, match="not.ckpt"):
            train(pupil(**{"optimizer.teacher": str(tmp_path / "not.ckpt")}), tmp_path / "run", progress=False)
        with pytest.raises(FileNotFoundError, match="none.ckpt"):
            train(pupil(**{"optimizer.teacher": str(tmp_path / "none.ckpt")}), tmp_path / "run", progress=False)


class TestRectified:
    def test_it_computes_convolutions_norms_largest_values_and_one_layer_of_logits(self) -> None:
        torch.manual_seed(0)
        net = Rectified(["conv 5 kernel 3", "pool 2", "dense 7"], (2, 6, 4), 3, 10).eval()
        conv, norm, _, _, _, dense, dense_norm, _, _, last = net.parts
        for each in (norm, dense_norm):
            each.running_mean.normal_()
            each.running_var.uniform_(0.5, 2)
        x = torch.randint(0, 8, (3, 2, 6, 4, 5)).float()
        maps = F.conv2d(x.mean(-1) / 7, conv.weight, padding=1)
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var[:, None, None] + norm.eps).sqrt()
        maps = ((maps - mean) / deviation).clamp(min=0)
        hidden = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)).flatten(1) @ dense.weight.T
        hidden = ((hidden - dense_norm.running_mean) / (dense_norm.running_var + dense_norm.eps).sqrt()).clamp(min=0)
        logits = hidden @ last.weight.T + last.bias
        torch.testing.assert_close(net(x), logits.unsqueeze(-1).expand(3, 10, 5), rtol=1e-4, atol=1e-5)
        assert (hidden > 0).any()
        assert (hidden == 0).any()

    def test_muon_updates_its_inner_weights_and_clips_none(self) -> None:
        net = Rectified(["conv 4", "conv 5", "dense 6"], (1, 4, 4), 5, 3)
        assert [tuple(weight.shape) for weight in inner_weights(net)] == [(5, 4, 3, 3), (6, 80)]
        assert windowed(net) == []

    def test_nothing_of_it_can_be_deployed(self, teacher: Path, tmp_path: Path) -> None:
        classifier = restore(teacher)
        assert spiking_blocks(classifier.network) == {}
        with pytest.raises(DeploymentError, match="Rectified has no integer form"):
            export(classifier.network, tmp_path / "no.net", (64,), 1, 5)
        with pytest.raises(DeploymentError, match="model.target is 'lava'.*set model.target to any"):
            train(override(TEACHER, {"model.target": "lava"}), tmp_path / "run", progress=False)

    def test_its_layers_are_a_list(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="what 'rectified' consists of"):
            train(override(TEACHER, {"model.layers": []}), tmp_path / "run", progress=False)


def same_weights(*checkpoints: Path) -> bool:
    first, second = (read_checkpoint(path)[1] for path in checkpoints)
    return all(torch.equal(value, second[name]) for name, value in first.items())
