"""A training that begins where a deployed network's file ends, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn import synapse
from lava_qsnn.errors import ConfigurationError, DeploymentError, FileFormatError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.neuron._norm import BatchNorm
from lava_qsnn.train import data
from lava_qsnn.train.config import Config, Model, load_config, override
from lava_qsnn.train.data import Properties
from lava_qsnn.train.initial import begin, begin_with_network, real_weights
from lava_qsnn.train.models import build
from lava_qsnn.train.module import Classifier
from lava_qsnn.train.train import train

GIVEN = Properties((2, 8, 8), 4, 3, 5)

#: So slow that a training ends where it began.
STILL = {"trainer.max_epochs": 1, "optimizer.learning_rate": 1e-8}


def model(**changes: Any) -> Model:
    """A configuration's model of memory-free neurons with two taps."""
    own = changes.pop("neuron", {})
    neuron = own if "family" in own else {"history": 2, "threshold": 0.8, **own}
    return override(Config(), {"model": {"neuron": neuron, "hidden": [], **changes}}).model


def samples(seed: int) -> list[torch.Tensor]:
    """Four batches of random samples, (16, 2, 8, 8, 3)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 16, (16, *GIVEN.input_shape, 3), generator=generator).float() for _ in range(4)]


def trained(of: Model) -> nn.Sequential:
    """A network whose norms have seen samples and have random gains, some of them negative, and biases."""
    torch.manual_seed(1)
    net = build(of, GIVEN)
    for norm in (each for each in net.modules() if isinstance(each, BatchNorm)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias, std=0.3)
    for x in samples(2):
        net(x)
    return net.eval()


def folded(net: nn.Module) -> IntegerNetwork:
    return netx_export.fold(net, GIVEN.input_shape, GIVEN.timesteps, GIVEN.input_bits)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(model(name="layers", layers=["conv 6", "pool 2", "conv 8", "dense 12"]), id="convolutions"),
        pytest.param(model(name="layers", layers=["conv 6", "dense 12"], first_bits=4, output_bits=4), id="mixed bits"),
        pytest.param(model(name="layers", layers=["conv 6", "dense 12"], weight_bits=2), id="2 bits"),
        pytest.param(model(name="layers", layers=["conv 6", "dense 12"], weight_bits=8), id="8 bits"),
        pytest.param(model(name="layers", layers=["conv 6", "conv 6"], weight_regulation=True), id="regulated"),
        pytest.param(
            model(name="layers", layers=["conv 6", "conv 6"], weight_regulation=True, first_bits=4),
            id="regulated 4 bits",
        ),
        pytest.param(
            model(name="layers", layers=["conv 6", "dense 12"], neuron={"step_norms": 3}), id="norms of each step"
        ),
        pytest.param(model(name="resnet", channels=[6, 8], blocks=[1, 1]), id="residual"),
    ],
)
def test_a_network_of_blocks_begins_with_the_integers_of_a_deployed_one(of: Model) -> None:
    deployed = folded(trained(of))
    torch.manual_seed(3)
    net = build(of, GIVEN)
    assert folded(net).layers != deployed.layers, "it begins elsewhere"
    begin_with_network(deployed, net, GIVEN, samples(4))
    assert folded(net).layers == deployed.layers
    assert net.training, "its mode is as before"
    x = samples(5)[0]
    spikes = net[:1].eval()(x)
    assert 0.05 < spikes.mean() < 0.95, "its neurons are not silent"
    got = net.eval()(x)
    want = netx_export.simulate(deployed, x.numpy().astype(int), backend="reference")
    assert len(want.flatten()) > 200
    assert (got.sum(-1).argmax(1).numpy() == want.sum(-1).argmax(1)).all()


def test_a_deeper_network_begins_with_the_spiking_layers() -> None:
    shallow, deep = (model(name="layers", layers=layers) for layers in (["conv 6"], ["conv 6", "conv 7"]))
    deployed = folded(trained(shallow))
    net = build(deep, GIVEN)
    output = net[-1].synapse.weight.clone()
    begin_with_network(deployed, net, GIVEN, samples(4))
    assert folded(net).layers[0] == deployed.layers[0]
    assert torch.equal(net[-1].synapse.weight, output)


@pytest.mark.parametrize("regulated", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_real_weights_quantize_to_the_integers_that_they_were_made_of(bits: int, regulated: bool) -> None:
    torch.manual_seed(bits)
    made, again = (synapse.Conv(8, 64, 3, weight_bits=bits, weight_regulation=regulated) for _ in range(2))
    for weights in (
        torch.rand_like(made.weight) - 0.5,
        torch.randn_like(made.weight),
        torch.randn_like(made.weight) ** 3,
    ):
        made.weight.data.copy_(weights)
        integers = made.quantized()[0].detach()
        assert len(integers.unique()) >= (2 if bits == 1 else 3)
        again.weight.data.copy_(real_weights(integers.double(), again))
        assert torch.equal(again.quantized()[0], integers)


def test_one_bit_gets_every_magnitude_up_to_where_its_gradient_ends() -> None:
    torch.manual_seed(0)
    of = synapse.Dense(200, 50)
    magnitude = real_weights(torch.ones(50, 200, 1, 1, 1).double(), of)
    assert 0 < magnitude.min() < 0.01
    assert 0.99 < magnitude.max() <= 1


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (model(name="layers", layers=["conv 6"]), "it has 2 spiking layers, and the network to be trained 1"),
        (
            model(name="layers", layers=["conv 6", "dense 9"]),
            r"'dense2'.*has weights \(12, 384\), and the block \(9, 384",
        ),
        (
            model(name="layers", layers=["conv 6", "dense 12"], neuron={"history": 3}),
            "'conv1'.*the block's settings do not",
        ),
        (model(name="layers", layers=["conv 6", "dense 12"], neuron={"norm": None}), "'conv1'.*1 thresholds in time"),
        (
            model(name="layers", layers=["conv 6", "dense 12"], neuron={"family": "quantized_lif", "threshold": 0.8}),
            "'conv1'.*the block has neurons that store a potential",
        ),
        (
            model(name="resnet", channels=[6, 12], blocks=[1, 1]),
            r"'dense2'.*has weights \(12, 384\), and the block \(6, 6",
        ),
    ],
)
def test_what_the_blocks_cannot_hold_is_refused_by_layer(of: Model, text: str) -> None:
    deployed = folded(trained(model(name="layers", layers=["conv 6", "dense 12"])))
    with pytest.raises(ConfigurationError, match=text):
        begin_with_network(deployed, build(of, GIVEN), GIVEN, samples(4))


def test_other_poolings_and_other_inputs_are_refused() -> None:
    pooled, later = (
        model(name="layers", layers=layers)
        for layers in (["conv 6", "pool 2", "conv 8", "conv 8"], ["conv 6", "conv 8", "pool 2", "conv 8"])
    )
    with pytest.raises(ConfigurationError, match="'conv2'.*weights or poolings"):
        begin_with_network(folded(trained(pooled)), build(later, GIVEN), GIVEN, samples(4))
    brighter = Properties(GIVEN.input_shape, 5, 3, 5)
    with pytest.raises(ConfigurationError, match="it takes .*15.*, and the data give .*31"):
        begin_with_network(folded(trained(pooled)), build(pooled, brighter), brighter, samples(4))


def test_a_training_begins_with_a_network_of_the_zoo_and_goes_on(tmp_path: Path) -> None:
    config = override(load_config("digits"), {**STILL, "model.initial": "zoo:digits"})
    begun = train(config, tmp_path / "begun", progress=False)
    anew = train(override(config, {"model.initial": None}), tmp_path / "anew", progress=False)
    assert begun.last_accuracy > 0.95 > 0.5 > anew.last_accuracy, "chance is 0.1"


def test_the_classifier_is_the_file_before_its_first_step() -> None:
    config = load_config("digits_cnn")
    samples = data.make(config.data, config.seed)
    classifier = Classifier(config, samples.description)
    begin("zoo:digits_cnn", classifier, samples)
    given = classifier.properties
    mine = netx_export.fold(classifier.network, given.input_shape, given.timesteps, given.input_bits)
    assert mine.layers == netx_export.zoo.load("digits_cnn").layers


def test_files_that_cannot_be_begun_with_are_refused(tmp_path: Path) -> None:
    config = load_config("digits")
    samples = data.make(config.data, config.seed)
    classifier = Classifier(config, samples.description)
    with pytest.raises(ConfigurationError, match="digits_cnn"):
        begin("zoo:digit", classifier, samples)
    with pytest.raises(ConfigurationError, match=r"model.initial: 'zoo:digits_cnn': "):
        begin("zoo:digits_cnn", classifier, samples)
    real = Classifier(override(config, {"model.float_weights": True}), samples.description)
    with pytest.raises(DeploymentError, match=r"model.initial: 'zoo:digits': its weights are real"):
        begin("zoo:digits", real, samples)
    whole = netx_export.zoo.path("digits").read_bytes()
    (tmp_path / "half.net").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match=r"half\.net"):
        begin(str(tmp_path / "half.net"), classifier, samples)
