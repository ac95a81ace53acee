"""Weight and spike regulation: what is computed, with which gradients, and that nothing of it reaches the integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.gradcheck import gradcheck

import netx_export
from lava_qsnn import quantize, regulation, synapse
from lava_qsnn._slayer import slayer
from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.train import curves, data
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.models import spiking_blocks
from lava_qsnn.train.module import Classifier, restore
from lava_qsnn.train.train import Result, train

REGULATED = override(
    load_config("digits"),
    {
        "trainer.max_epochs": 1,
        "model.hidden": [64, 32],
        "model.weight_regulation": True,
        "optimizer.spike_regulation": 0.5,
    },
)
NEURON = {"threshold": 0.5, "norm": "batch"}
PROGRESS = (0.0, 0.3, 0.5, 0.8, 1.0)


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small_net(bits: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        memory_free.Conv(NEURON, 1, 4, 3, padding=1, weight_bits=bits),
        memory_free.Pool(None, 2),
        memory_free.Flatten(),
        memory_free.Dense(NEURON, 36, 12, weight_bits=bits),
        memory_free.Output(12, 5),
    )
    for block in (net[0], net[3]):
        block.synapse.weight_regulation = True
    return net


def central_differences(function: Callable[[Tensor], Tensor], x: Tensor, width: float = 1e-5) -> Tensor:
    return (function(x + width) - function(x - width)) / (2 * width)


# Weights


@given(st.integers(0, 2**31), st.integers(2, 50), st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_standardized_weights_are_numpy_s(seed: int, inputs: int, size: float, offset: float) -> None:
    weight = size * (random(seed, 3, inputs, 2, 1, 1) + offset)
    rows = weight.numpy().reshape(3, -1)
    expected = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
    standardized = quantize.standardize(weight)
    assert standardized.shape == weight.shape
    assert np.allclose(standardized.numpy().reshape(3, -1), expected, rtol=1e-9, atol=1e-9)
    assert quantize.standardize(weight.float()).dtype == torch.float32


def test_gradients_flow_through_the_standardization() -> None:
    assert gradcheck(quantize.standardize, random(0, 3, 4, 2).requires_grad_())


@pytest.mark.parametrize("weight", [torch.full((2, 9), 0.1), torch.zeros(2, 9), torch.tensor([[3.0], [-1e-30]])])
@pytest.mark.parametrize("bits", quantize.WEIGHT_BITS)
def test_channels_without_variance_stay_finite(weight: Tensor, bits: int) -> None:
    layer = synapse.Dense(weight.shape[1], 2, weight_bits=bits, weight_regulation=True)
    layer.weight.data = weight.reshape(layer.weight.shape)
    integers, step = layer.quantized()
    integers.sum().backward()
    assert step.gt(0).all()
    assert layer.weight.grad is not None
    for values in (integers, step, layer.weight.grad):
        assert torch.isfinite(values).all()
    assert layer.real_weight().abs().max() < 1e-6


@given(st.integers(0, 2**31), st.floats(-20, 20))
def test_the_step_is_the_power_of_two_nearest_to_the_mean_magnitude(seed: int, exponent: float) -> None:
    weight = 2**exponent * random(seed, 4, 7, 1, 1, 1)
    step = quantize.power_of_two_step(weight)
    assert step.shape == (4, 1, 1, 1, 1)
    mean = weight.abs().mean((1, 2, 3, 4))
    candidates = 2.0 ** torch.arange(-40, 40, dtype=torch.float64)
    nearest = candidates[(candidates.log2() - mean.log2()[:, None]).abs().argmin(1)]
    assert torch.equal(step.flatten(), nearest)


def test_a_channel_of_zeros_has_a_step() -> None:
    assert quantize.power_of_two_step(torch.zeros(2, 5)).tolist() == [[1.0], [1.0]]


def test_the_schedule_is_ir_net_s() -> None:
    assert quantize.annealing(0.0) == pytest.approx((0.1, 10.0))
    assert quantize.annealing(0.5) == pytest.approx((1.0, 1.0))
    assert quantize.annealing(1.0) == pytest.approx((10.0, 1.0))


@pytest.mark.parametrize("progress", PROGRESS)
def test_the_gradient_of_the_sign_is_that_of_its_smooth_surrogate(progress: float) -> None:
    steepness, height = quantize.annealing(progress)
    weight = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    signs = quantize.annealed_sign(weight, progress)
    assert torch.equal(signs, torch.where(weight < 0, -1.0, 1.0).double())
    signs.sum().backward()
    expected = central_differences(lambda w: height * torch.tanh(steepness * w), weight.detach())
    assert weight.grad is not None
    assert torch.allclose(weight.grad, expected, atol=1e-7)


def test_regulated_weights_of_more_bits_are_standardized_and_quantized() -> None:
    layer = synapse.Conv(2, 3, 3, weight_bits=4, weight_regulation=True)
    standardized = quantize.standardize(layer.weight)
    expected = quantize.channel_step(standardized, 4)
    integers, step = layer.quantized()
    assert torch.equal(step, expected.flatten())
    assert torch.equal(integers, quantize.integer_weight(standardized, expected, 4))


def test_a_fixed_step_and_regulation_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="regulation standardizes them. Remedy: regulate the hidden layers"):
        synapse.Dense(3, 2, fixed=True, weight_regulation=True)


@pytest.mark.parametrize("bits", quantize.WEIGHT_BITS)
def test_annealing_changes_gradients_and_not_the_integers(bits: int) -> None:
    net = small_net(bits)
    x = torch.randint(0, 4, (3, 1, 6, 6, 4), generator=torch.Generator().manual_seed(1)).float()
    seen = []
    for progress in PROGRESS:
        regulation.anneal(net, progress)
        net.zero_grad()
        output = net.train()(x)
        output.square().mean().backward()
        seen.append((output.detach(), net[3].synapse.weight.grad.clone(), net[3].synapse.quantized()[0].detach()))
    for output, gradient, integers in seen[1:]:
        assert torch.equal(output, seen[0][0])
        assert torch.equal(integers, seen[0][2])
        assert torch.equal(gradient, seen[0][1]) == (bits > 1)


def test_annealing_reaches_regulated_synapses_only_and_no_state() -> None:
    net = small_net()
    before = set(net.state_dict())
    regulation.anneal(net, 0.25)
    assert [block.synapse.progress for block in (net[0], net[1], net[3], net[4])] == [0.25, 0.0, 0.25, 0.0]
    assert set(net.state_dict()) == before
    for progress in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="progress must lie from 0 to 1"):
            regulation.anneal(net, progress)


# Spikes


@given(st.floats(0, 1))
def test_entropies_are_scipy_s(p: float) -> None:
    actual = regulation.entropy(torch.tensor(p, dtype=torch.float64))
    assert float(actual) == pytest.approx(scipy.stats.entropy([p, 1 - p], base=2), abs=1e-12)


def test_entropies_at_the_ends_are_exact_and_their_gradients_finite() -> None:
    for dtype in (torch.float32, torch.float64):
        rate = torch.tensor([0.0, 0.5, 1.0], dtype=dtype, requires_grad=True)
        entropies = regulation.entropy(rate)
        assert entropies.tolist() == [0.0, 1.0, 0.0]
        entropies.sum().backward()
        assert rate.grad is not None
        assert torch.allclose(rate.grad, torch.tensor([20.0, 0.0, -20.0], dtype=dtype), atol=1e-4)


@pytest.mark.parametrize("kind", regulation.PENALTIES)
def test_gradients_of_the_term_are_right(kind: str) -> None:
    rates = torch.tensor([0.01, 0.2, 0.5, 0.77, 0.999], dtype=torch.float64, requires_grad=True)

    def term(values: Tensor) -> Tensor:
        return regulation.spike_regulation(dict(zip("abcde", values)), 0.3, kind)

    def with_one(i: int, p: Tensor) -> Tensor:
        return term(torch.cat([rates[:i], p[None], rates[i + 1 :]]))

    term(rates).backward()
    differences = [central_differences(partial(with_one, i), rates[i]) for i in range(5)]
    assert rates.grad is not None
    assert torch.allclose(rates.grad, torch.stack(differences).detach(), atol=1e-8)
    assert term(torch.full((5,), 0.5)) == 0


def test_the_term_is_a_mean_over_layers() -> None:
    rates = {"one": torch.tensor(0.0), "two": torch.tensor(0.5)}
    assert regulation.spike_regulation(rates, 0.1) == pytest.approx(0.1 * (1 + 0) / 2)
    assert regulation.spike_regulation(rates, 0.1, "squared") == pytest.approx(0.1 * (0.25 + 0) / 2)


def test_terms_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no spike regulation 'cubic'. Remedy: choose one of entropy, squared"):
        regulation.spike_regulation({"one": torch.tensor(0.5)}, 0.1, "cubic")
    with pytest.raises(InputError, match="no firing rates to regulate"):
        regulation.spike_regulation({}, 0.1)


def test_rates_are_those_of_hidden_layers_with_gradient() -> None:
    net = small_net()
    outputs = {}
    for name in ("0", "3"):
        net[int(name)].register_forward_hook(lambda _, __, spikes, name=name: outputs.update({name: spikes}))
    x = torch.randint(0, 4, (3, 1, 6, 6, 4)).float()
    with regulation.firing_rates(net) as rates:
        net(x)
    assert list(rates) == ["0", "3"]
    assert all(torch.equal(rate, outputs[name].mean()) for name, rate in rates.items())
    regulation.spike_regulation(rates, 1.0).backward()
    assert all(net[i].synapse.weight.grad.abs().sum() > 0 for i in (0, 3))
    net(x[:1])
    assert not any(torch.equal(rate, outputs[name].mean()) for name, rate in rates.items()), "a hook is left"


@pytest.mark.lava
def test_slayer_s_own_blocks_have_rates() -> None:
    parameters: dict[str, Any] = {"threshold": 0.1, "current_decay": 0.5, "voltage_decay": 0.5}
    net = nn.Sequential(
        slayer.block.cuba.Dense(dict(parameters), 6, 8),
        slayer.block.cuba.Affine(dict(parameters), 8, 3),
    )
    with regulation.firing_rates(net) as rates:
        net(torch.ones(2, 6, 5))
    assert list(rates) == ["0"]
    regulation.spike_regulation(rates, 1.0).backward()
    assert net[0].synapse.weight.grad is not None


def test_blocks_that_count_have_rates() -> None:
    block = memory_free.Dense(NEURON, 6, 8, count_log=True)
    with regulation.firing_rates({"last": block}) as rates:
        spikes, _ = block(torch.ones(2, 6, 5))
    assert torch.equal(rates["last"], spikes.mean())


# Training


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[float], list[float]]:
    losses, progress = [], []
    original = Classifier.training_step

    def step(self: Classifier, *arguments: Any) -> Tensor:
        loss = original(self, *arguments)
        losses.append(float(loss))
        progress.append(self.network[0].synapse.progress)
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", step)
        result = train(REGULATED, tmp_path_factory.mktemp("regulated") / "run", progress=False)
    return result, losses, progress


def test_a_regulated_training_learns_and_anneals(trained: tuple[Result, list[float], list[float]]) -> None:
    _, losses, progress = trained
    assert np.mean(losses[-3:]) < 0.75 * np.mean(losses[:3])
    assert progress == pytest.approx([step / len(progress) for step in range(len(progress))])


def test_entropies_are_logged_with_the_rates(trained: tuple[Result, list[float], list[float]]) -> None:
    table = curves.read_logs(trained[0].logs)
    for layer in ("dense1", "dense2"):
        rate, entropy = table[f"rate_{layer}"][1], table[f"entropy_{layer}"][1]
        assert entropy == pytest.approx(scipy.stats.entropy([rate, 1 - rate], base=2), abs=0.01)


def test_a_trained_regulated_network_deploys_exactly(
    trained: tuple[Result, list[float], list[float]], tmp_path: Path
) -> None:
    net = restore(trained[0].best).network
    assert all(block.synapse.weight_regulation for block in spiking_blocks(net).values())
    x, _ = data.make(REGULATED.data).test_arrays(50)
    for progress in (0.0, 1.0):
        regulation.anneal(net, progress)
        network = netx_export.export(net, tmp_path / f"{progress}.net", (64,), 4, input_bits=5)
        assert netx_export.verify(network, x, ["reference"], net=net).exact
    assert (tmp_path / "0.0.net").read_bytes() == (tmp_path / "1.0.net").read_bytes()


def test_the_baseline_of_a_regulated_network_has_standardized_weights() -> None:
    torch.manual_seed(0)
    baseline = Classifier(override(REGULATED, {"model.float_weights": True})).network
    weights = [block.synapse.real_weight().flatten(1) for block in spiking_blocks(baseline).values()]
    assert len(weights) == 2
    assert all(torch.allclose(rows.square().mean(1), torch.ones(len(rows))) for rows in weights)
