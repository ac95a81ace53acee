"""The backend that a network is trained for: what it would refuse is said early, and nothing else is."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import netx_export
from lava_qsnn.errors import DeploymentError, RangeError
from lava_qsnn.parameters import MemoryFree, TanhLIF
from lava_qsnn.synapse import Quantized
from lava_qsnn.train import data
from lava_qsnn.train.config import Config, Model, from_dict, load_config, override, shipped
from lava_qsnn.train.data import Properties
from lava_qsnn.train.models import build
from lava_qsnn.train.module import Classifier, restore
from lava_qsnn.train.target import check_before_training, deployed, worst_case
from lava_qsnn.train.train import train

#: What each target runs on.
ALWAYS = {"reference", "fast", "lava-async", "lava-fused"}
RUNS_ON = {"any": ALWAYS, "lava": ALWAYS | {"lava"}, "netx": ALWAYS | {"lava", "netx"}}

#: Images of 8 x 8 pixels with 5 bits, weights up to 7, four taps: at most 64 x 31 x 7 x 15; 2^17 are Lava's limit.
WIDE = {
    "model": {"hidden": [32], "first_bits": 4, "target": "lava"},
    "trainer": {"max_epochs": 3},
}


def accepted_by(net: nn.Module, given: Properties) -> set[str]:
    network = deployed(net, given)
    return {name for name, backend in netx_export.BACKENDS.items() if backend.refusal(network) is None}


def reach(net: nn.Module, given: Properties) -> dict[str, int]:
    """The largest magnitude of each layer's currents."""
    ranges = deployed(net, given).current_ranges
    return {name: max(-int(low.min()), int(high.max())) for name, (low, high) in ranges.items()}


def with_weights(net: nn.Module, seed: int) -> nn.Module:
    """Real weights of any size, in some networks most of one sign, as a training may leave them."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, Quantized) and module.learns:
                values = random.normal(random.choice([-2, 0, 2]), random.choice([0.1, 1, 100]), module.weight.shape)
                module.weight.copy_(torch.as_tensor(values))
    return net


#: What is not deployed: a teacher; and not here, for pictures of 224 x 224 pixels take minutes: see test_shards.py.
ELSEWHERE = ("cifar10_teacher", "imagenet")


@pytest.mark.parametrize("name", [name for name in shipped() if name not in ELSEWHERE])
def test_shipped_configurations_run_on_what_their_target_says_whatever_the_weights_become(name: str) -> None:
    config = load_config(name)
    given, expected = data.make(config.data).properties, RUNS_ON[config.model.target]
    torch.manual_seed(0)
    net = build(config.model, given)
    assert deployed(net, given).shapes["output"] == net(torch.zeros(1, *given.input_shape, given.timesteps)).shape[1:2]
    assert accepted_by(net, given) == accepted_by(worst_case(net), given) == expected
    for seed in range(2):
        assert accepted_by(with_weights(net, seed), given) >= expected - {"netx"}  # its thresholds are looked after


def test_the_documentation_says_what_shipped_configurations_run_on() -> None:
    page = (Path(__file__).parents[2] / "docs/explanation/results.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)`[^|]*\|[^|]*\| `(any|lava|netx)` \|", page, re.MULTILINE))
    assert told == {name: load_config(name).model.target for name in shipped() if name != "cifar10_teacher"}


@settings(max_examples=20)
@given(
    st.sampled_from(["mlp", "cnn", "resnet"]),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(["shift", "geometric", "learned"]),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_no_weights_exceed_the_worst_case(name: str, bits: Any, taps: Any, regulation: bool, seed: int) -> None:
    shapes: dict[str, Any] = {"cnn": {"channels": (2, 3)}, "resnet": {"channels": (2, 3), "blocks": (1, 1)}}
    neuron = MemoryFree(threshold=0.5, history=3, taps=taps)
    model = Model(
        name=name, hidden=(5,), weight_bits=bits, weight_regulation=regulation, neuron=neuron, **shapes.get(name, {})
    )
    given = Properties((1, 6, 6), 3, 4, 3)
    torch.manual_seed(0)
    net = build(model, given)
    worst = reach(worst_case(net), given)
    built = reach(net, given)
    assert all(0 < built[layer] <= worst[layer] for layer in worst)
    found = reach(with_weights(net, seed), given)
    assert all(0 < found[layer] <= worst[layer] for layer in worst)


@pytest.mark.parametrize(("bits", "level"), [(1, 1), (2, 1), (4, 7), (8, 127)])
def test_the_worst_case_is_what_equal_weights_reach(bits: Any, level: int) -> None:
    model = Model(hidden=(6,), weight_bits=bits, output_bits=bits, neuron=MemoryFree(threshold=0, history=3))
    given = Properties((20,), 5, 4, 3)
    expected = {"dense1": 20 * level * 31 * (4 + 2 + 1), "output": 6 * level}
    assert reach(worst_case(build(model, given)), given) == expected


def test_a_network_that_its_target_refuses_is_refused_before_its_data_are_read() -> None:
    config = override(load_config("mnist"), {"model.first_bits": 8, "data.folder": "/nowhere"})
    for target in ("lava", "netx"):
        with pytest.raises((RangeError, DeploymentError)) as caught:
            train(override(config, {"model.target": target}), "/nowhere/run", progress=False)
        text = str(caught.value)
        assert f"model.target is '{target}', and as it is built: " in text
        assert "dense1" in text
        assert "Remedy: " in text
        assert text.endswith("or set model.target to any")


def test_what_could_be_refused_later_is_a_warning() -> None:
    config = from_dict(WIDE)
    classifier, given = Classifier(config), data.make(config.data).properties
    with pytest.warns(UserWarning, match=r"layer 'dense1': with the worst of weights: .* may reach 208,320.*Remedy: "):
        check_before_training(config.model, classifier.network, given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_before_training(override(config, {"model.target": "any"}).model, classifier.network, given)


def test_a_training_that_leaves_the_limits_ends_in_that_epoch_with_checkpoints_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift(self: Classifier) -> None:
        if self.current_epoch == 2:
            nn.init.constant_(self.network[0].synapse.weight, 1.0)

    monkeypatch.setattr(Classifier, "on_train_epoch_start", drift)
    with pytest.warns(UserWarning, match="worst of weights"), pytest.raises(RangeError) as caught:
        train(from_dict(WIDE), tmp_path, progress=False)
    assert "layer 'dense1': after epoch 3: " in str(caught.value)
    assert "may reach 208,320, beyond 2^17" in str(caught.value)
    given = data.make(from_dict(WIDE).data).properties
    for name in ("best.ckpt", "last.ckpt"):
        assert "lava" in accepted_by(restore(tmp_path / name).network, given)


def test_what_is_trained_for_comparison_is_not_checked() -> None:
    config = override(from_dict(WIDE), {"model.first_bits": 8, "model.float_weights": True})
    paper = Config(model=Model(neuron=TanhLIF(threshold=0.5)))
    for each in (config, paper):
        check_before_training(each.model, Classifier(each).network, data.make(each.data).properties)
    lava = override(paper, {"model.target": "lava"})
    with pytest.raises(DeploymentError, match="model.target is 'lava'"):
        check_before_training(lava.model, Classifier(lava).network, data.make(lava.data).properties)
