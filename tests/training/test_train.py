"""Training: it learns, repeats itself, resumes as if never interrupted, and its networks deploy bit for bit."""

from __future__ import annotations

import copy
import json
import logging
import signal
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer as LightningTrainer
from PIL import Image
from torch import nn

import netx_export
from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.parameters import LIF, MemoryFree, QuantizedLIF, TanhLIF
from lava_qsnn.train import curves, data
from lava_qsnn.train.checkpoint import CheckedIO, read_checkpoint, trained_epochs
from lava_qsnn.train.config import Config, Model, from_dict, load_config, override
from lava_qsnn.train.data import Properties
from lava_qsnn.train.models import MODELS, build, float_baseline, spiking_blocks
from lava_qsnn.train.module import Classifier, restore, warm_cosine
from lava_qsnn.train.train import Result, train
from tests.helpers.interrupted import interrupted

QUICK = override(load_config("digits"), {"trainer.max_epochs": 4, "model.hidden": [64, 32]})
CONVOLUTIONAL = from_dict(
    {
        "data": {"flatten": False},
        "model": {"name": "cnn", "channels": [4, 6], "hidden": [16]},
        "optimizer": {"learning_rate": 0.02},
        "trainer": {"max_epochs": 3},
    }
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return train(QUICK, tmp_path_factory.mktemp("quick") / "run", progress=False)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)[1]


def same(first: Path, second: Path) -> bool:
    one, two = weights(first), weights(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_short_training_learns(result: Result) -> None:
    assert min(result.test_accuracy, result.best_accuracy) > 0.75, "chance is 0.1"
    assert result.epochs == 4
    assert 0 < result.seconds_per_epoch < result.seconds


def test_what_a_training_leaves_behind(result: Result) -> None:
    folder = result.last.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "best.ckpt",
        "config.yaml",
        "curves.png",
        "last.ckpt",
        "logs",
    ]
    assert load_config(folder / "config.yaml") == QUICK == read_checkpoint(result.best)[0]
    assert result.logs == (folder / "logs" / "version_0" / "metrics.csv",)


def test_every_metric_is_logged_once_per_epoch(result: Result) -> None:
    table = curves.read_logs(result.logs)
    per_epoch = {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate"}
    layers = {"rate_dense1", "rate_dense2", "entropy_dense1", "entropy_dense2"}
    assert table.keys() == per_epoch | layers | {"test_loss", "test_accuracy"}
    assert all(list(table[name]) == [1, 2, 3, 4] for name in per_epoch)
    assert table["val_accuracy"][curves.best_epoch(table)] == result.best_accuracy
    assert all(0 < rate < 1 for rate in table["rate_dense1"].values())
    assert table["learning_rate"][4] == 0


def test_curves_are_a_picture(result: Result, tmp_path: Path) -> None:
    with Image.open(result.curves) as image:
        assert image.format == "PNG"
        assert image.width > 1000
    curves.draw({}, tmp_path / "empty.png")
    curves.draw({"val_loss": {1: 2.0}, "val_accuracy": {1: 0.5}, "rate_dense1": {1: 0.0}}, tmp_path / "one.png")


def test_logged_accuracy_is_that_of_the_deployed_integers(result: Result) -> None:
    classifier = restore(result.best)
    samples = data.make(QUICK.data)
    given = samples.properties
    network = netx_export.export(classifier.network, None, given.input_shape, given.timesteps, given.input_bits)
    x, y = samples.test_arrays()
    answers = netx_export.simulate(network, x, backend="reference").sum(-1).argmax(1)
    assert np.mean(answers == y) == pytest.approx(result.test_accuracy, abs=1e-6)
    assert netx_export.verify(network, x[:50], ["reference"], net=classifier.network).exact
    assert network.stock_exact


def test_a_convolutional_network_trains_and_deploys(tmp_path: Path) -> None:
    result = train(CONVOLUTIONAL, tmp_path / "run", progress=False)
    assert result.test_accuracy > 0.5, "chance is 0.1"
    classifier = restore(result.best)
    network = netx_export.export(classifier.network, tmp_path / "cnn.net", (1, 8, 8), 4, input_bits=5)
    x, _ = data.make(CONVOLUTIONAL.data).test_arrays(30)
    assert netx_export.verify(network, x, ["reference"], net=classifier.network).exact
    assert set(spiking_blocks(classifier.network)) == {"conv1", "conv2", "dense3"} <= set(network)


def test_the_same_seed_gives_the_same_weights(result: Result, tmp_path: Path) -> None:
    again = train(QUICK, tmp_path / "again", progress=False)
    assert same(result.last, again.last)
    other = train(override(QUICK, {"seed": 1, "trainer.max_epochs": 1}), tmp_path / "other", progress=False)
    assert not same(result.last, other.last)


def test_an_interrupted_training_resumes_as_if_it_never_stopped(result: Result, tmp_path: Path) -> None:
    last = interrupted(QUICK, tmp_path / "run", 2)
    resumed = train(QUICK, tmp_path / "run", resume=last, progress=False)
    assert same(result.last, resumed.last)
    assert same(result.best, resumed.best)
    assert resumed.epochs == 2
    assert len(resumed.logs) == 2
    expected, actual = curves.read_logs(result.logs), curves.read_logs(resumed.logs)
    assert actual == expected
    assert resumed.test_accuracy == result.test_accuracy


def test_a_training_can_be_prolonged_in_another_folder(result: Result, tmp_path: Path) -> None:
    longer = override(QUICK, {"trainer.max_epochs": 5})
    resumed = train(longer, tmp_path / "longer", resume=result.last, progress=False)
    assert resumed.epochs == 1
    assert resumed.best.parent == tmp_path / "longer"
    assert list(curves.read_logs(resumed.logs)["val_loss"]) == [5]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "has trained 4 of 4 epochs already. Remedy: set trainer.max_epochs higher"),
        ({"model.hidden": [64, 16]}, r"model.hidden is [64, 16], but"),
        ({"seed": 3}, "seed is 3, but"),
        ({"data.timesteps": 5}, "data.timesteps is 5, but"),
        ({"optimizer.learning_rate": 1.0}, "optimizer.learning_rate is 1.0, but"),
    ],
)
def test_resuming_something_else_is_refused(changes: dict[str, Any], text: str, result: Result, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        train(override(QUICK, changes), tmp_path / "new", resume=result.last, progress=False)
    assert text in str(error.value)


def test_a_folder_is_one_training_s_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second: list[str] = []

    def train_another(self: Classifier) -> None:
        with pytest.raises(ConfigurationError) as caught:
            train(QUICK, tmp_path, progress=False)
        second.append(str(caught.value))

    monkeypatch.setattr(Classifier, "on_train_epoch_start", train_another)
    once = override(QUICK, {"trainer.max_epochs": 1})
    train(once, tmp_path, progress=False)
    assert len(second) == 1
    assert f"another training writes to the folder '{tmp_path}'. Remedy: choose another one" in second[0]
    monkeypatch.undo()
    assert load_config(tmp_path / "config.yaml") == once, "the second one has written nothing"
    (tmp_path / "last.ckpt").unlink()
    (tmp_path / "best.ckpt").unlink()
    train(once, tmp_path, progress=False)  # a lock that nobody holds means nothing


def test_ctrl_c_in_a_program_of_one_s_own_is_a_keyboard_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Classifier) -> None:
        if self.current_epoch == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Classifier, "on_train_epoch_start", interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(QUICK, tmp_path, progress=False)
    assert signal.getsignal(signal.SIGINT) == before
    assert trained_epochs(tmp_path / "last.ckpt") == 1


def test_a_checkpoint_is_replaced_in_one_step(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(result.last.read_bytes())

    def stop_midway(contents: object, file: IO[bytes]) -> None:
        file.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stop_midway)
    with pytest.raises(KeyboardInterrupt):
        CheckedIO(tmp_path).save_checkpoint({}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
    assert path.read_bytes() == result.last.read_bytes()


def test_a_finished_training_is_not_overwritten(result: Result) -> None:
    before = result.last.read_bytes()
    with pytest.raises(ConfigurationError, match="holds a training already"):
        train(QUICK, result.last.parent, progress=False)
    assert result.last.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"acelerator": "cpu"}, "trainer.options.acelerator is no argument .* choose one of accumulate_grad_batches"),
        ({"callbacks": []}, "trainer.options.callbacks is no argument of Lightning's Trainer, or not yours to set"),
        ({"precision": 16}, "trainer.options.precision is no argument"),
        ({"gradient_clip_algorithm": "x"}, "trainer: "),
    ],
)
def test_lightning_s_options_are_checked(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=text):
        train(override(QUICK, {"trainer.options": options}), tmp_path / "run", progress=False)


@pytest.mark.parametrize("changes", [{"trainer.accelerator": "quantum"}, {"trainer.strategy": "x"}])
def test_impossible_hardware_is_one_clear_error(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="trainer: "):
        train(override(QUICK, changes), tmp_path / "run", progress=False)


def test_missing_data_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'mnist' needs a folder"):
        train(load_config("mnist"), tmp_path / "run", progress=False)


def test_training_tells_its_epochs_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(override(QUICK, {"trainer.max_epochs": 1}), tmp_path / "run")
    assert [str(warning.message) for warning in caught] == []
    printed = capfd.readouterr()
    assert printed.err == ""
    assert [line.partition(",")[0] for line in printed.out.splitlines()] == ["epoch 1 of 1"]
    assert logging.getLogger("lightning.pytorch").level != logging.WARNING, "the level is the user's own again"


def test_real_weights_learn_and_are_not_deployable(tmp_path: Path) -> None:
    result = train(QUICK, tmp_path / "run", float_weights=True, progress=False)
    assert result.test_accuracy > 0.75, "chance is 0.1"
    classifier = restore(result.best)
    assert classifier.config == override(QUICK, {"model.float_weights": True})
    with pytest.raises(DeploymentError, match="its weights are real"):
        netx_export.export(classifier.network, None, (64,), 4, input_bits=5)


def test_the_baseline_starts_from_the_weights_that_the_network_quantizes() -> None:
    for config in (QUICK, CONVOLUTIONAL):
        torch.manual_seed(3)
        net = Classifier(config).network
        torch.manual_seed(3)
        baseline = Classifier(override(config, {"model.float_weights": True})).network
        assert isinstance(net, nn.Sequential)
        expected = float_baseline(net).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in baseline.state_dict().items())
        assert torch.equal(net[0].synapse.weight, float_baseline(net)[0].synapse.weight)
        assert list(spiking_blocks(net)) == list(spiking_blocks(baseline))


def test_the_baseline_computes_with_real_weights() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(memory_free.Output(6, 3, neuron_params={"history": 2}))
    baseline = float_baseline(net)
    x = torch.randint(0, 5, (4, 6, 3)).float()
    weight = net[0].synapse.weight.flatten(1)
    current = torch.einsum("oi,nit->not", weight, x)
    expected = current + 0.5 * torch.nn.functional.pad(current, (1, 0))[..., :-1]
    for mode in (baseline.train(), baseline.eval()):
        assert torch.allclose(mode(x), expected, atol=1e-6)


def test_the_baseline_is_a_copy() -> None:
    net = nn.Sequential(memory_free.Dense({"threshold": 1.0, "norm": "batch"}, 6, 3))
    before = copy.deepcopy(net.state_dict())
    baseline = float_baseline(net)
    with torch.no_grad():
        for parameter in baseline.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (
            Model(name="mpl"),
            (64,),
            "model.name must be one of mlp, cnn, vgg, resnet, layers, rectified, not 'mpl'. Remedy: did you mean 'mlp'",
        ),
        (Model(channels=(4,)), (64,), "model.channels has no meaning for 'mlp'"),
        (Model(name="cnn", channels=(4,)), (64,), "'cnn' takes images. Remedy: set data.flatten to false"),
        (Model(name="cnn"), (1, 8, 8), "model.channels has 0 entries.*give 1 to 3 numbers of channels"),
        (Model(name="cnn", channels=(4,) * 4), (1, 8, 8), "model.channels has 4 entries"),
    ],
)
def test_models_that_do_not_fit_the_data_say_so(model: Model, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        build(model, Properties(shape, 5, 4, 10))


SHAPES: dict[str, dict[str, object]] = {
    "mlp": {},
    "cnn": {"channels": (3, 4)},
    "vgg": {"channels": (3, 4), "first_bits": 8},
    "resnet": {"channels": (4, 6), "blocks": (2, 1), "first_bits": 4, "weight_regulation": True},
    "layers": {"layers": ("conv 4 kernel 5 stride 2", "conv 6", "pool 2", "dense 16")},
}
FAMILY: dict[str, MemoryFree | QuantizedLIF] = {
    "memory_free": MemoryFree(threshold=0.3, history=3),
    "quantized_lif": QuantizedLIF(threshold=0.5, potential_bits=3, decay=0.75, reset="soft"),
}


@pytest.mark.parametrize("family", FAMILY)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "rectified"])  # a teacher is not deployed
def test_models_take_images_and_deploy_exactly(name: str, family: str) -> None:
    torch.manual_seed(0)
    model = Model(name=name, hidden=(16,), neuron=FAMILY[family], **SHAPES[name])  # type: ignore[arg-type]
    net = build(model, Properties((1, 12, 10), 3, 6, 7))
    for _ in range(40):
        y = net(torch.randint(0, 8, (8, 1, 12, 10, 6)).float())
    assert y.shape == (8, 7, 6)
    y.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
    network = netx_export.export(net, None, (1, 12, 10), 6, input_bits=3)
    assert list(spiking_blocks(net)) == list(network)[:-1]
    x = np.random.default_rng(0).integers(0, 8, (5, 1, 12, 10, 6))
    report = netx_export.verify(network, x, ["reference"], net.eval())
    assert report.exact
    assert all(0 < row.spikes < row.values for row in report.rows)


def test_a_baseline_with_quantized_potentials_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="real weights have no integer currents.*family to lif"):
        build(Model(neuron=QuantizedLIF(threshold=1.0), float_weights=True), Properties((4,), 1, 4, 2))


@pytest.mark.parametrize("neuron", [LIF(threshold=0.5), TanhLIF(threshold=0.5)], ids=["lif", "tanh_lif"])
def test_neurons_for_comparison_train_with_real_and_quantized_weights(neuron: LIF | TanhLIF) -> None:
    for real in (False, True):
        torch.manual_seed(0)
        net = build(Model(neuron=neuron, hidden=(16,), float_weights=real), Properties((8,), 1, 4, 2))
        x = torch.randint(0, 2, (16, 8, 4)).float()
        assert 0 < net[0](x).mean() < 1
        net(x).square().sum().backward()
        assert net[0].synapse.weight.grad.abs().sum() > 0
        assert net.eval()(x).shape == (16, 2, 4)


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [warm_cosine(step, 100, 0.2) for step in range(101)]
    assert factors.index(max(factors)) == 20
    assert max(factors) == 1.0
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)
    assert factors[100] == warm_cosine(1000, 100, 0.2) == 0
    assert warm_cosine(0, 100, 0.0) == 1.0
    assert warm_cosine(0, 1, 0.9) > 0


def test_hyperparameters_are_plain() -> None:
    config = Config()
    assert from_dict(json.loads(json.dumps(dict(Classifier(config).hparams)))) == config


def test_a_data_module_and_a_classifier_are_lightning_s_own(tmp_path: Path) -> None:
    classifier = Classifier(QUICK)
    trainer = LightningTrainer(
        max_steps=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=tmp_path,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(classifier, data.make(QUICK.data))
    assert trainer.global_step == 2
