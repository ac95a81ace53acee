"""Memory-free neurons with a norm, and so a threshold, of their own at each time step: exact everywhere but in NetX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn import integer
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError
from lava_qsnn.neuron import memory_free
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.norms import settle_norms
from lava_qsnn.train.train import train
from netx_export._plots import _thresholds

T = 6
TIMED = {"threshold": 0.5, "history": 3, "taps": "geometric", "decay": 0.75, "step_norms": T, "threshold_spread": 0.6}


def fresh(seed: int) -> nn.Sequential:
    """A network of both kinds of neurons."""
    torch.manual_seed(seed)
    return nn.Sequential(
        block.Conv(TIMED, 2, 6, 3, padding=1, weight_bits=4),
        block.Pool(None, 2),
        block.Flatten(),
        block.Dense({**TIMED, "taps": "shift"}, 6 * 9, 16),
        block.Dense({"threshold": 0.5, "history": 2}, 16, 12),
        block.Output(12, 4),
    )


def trained(seed: int) -> nn.Sequential:
    """The network, its norms with statistics of inputs, gains of either sign, and biases."""
    net = fresh(seed)
    for _ in range(5):
        net(torch.randint(0, 16, (40, 2, 6, 6, T)).float())
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.uniform_(-0.5, 1.5)
                module.bias.add_(0.3 * torch.randn_like(module.bias))
    return net.eval()


def samples(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 16, (count, 2, 6, 6, T))


def folded(net: nn.Module) -> integer.IntegerNetwork:
    return netx_export.fold(net, input_shape=(2, 6, 6), timesteps=T, input_bits=4)


def thresholds(network: integer.IntegerNetwork, name: str) -> np.ndarray[Any, Any]:
    neuron = network.layer(name).neuron
    assert isinstance(neuron, integer.TimedMemoryFree)
    return neuron.thresholds


@pytest.fixture(scope="module")
def network() -> integer.IntegerNetwork:
    return folded(trained(0))


class TestDeployed:
    @pytest.mark.parametrize("seed", range(5))
    def test_torch_equals_the_reference(self, seed: int) -> None:
        net = trained(seed)
        report = netx_export.verify(folded(net), samples(20, seed), backends=[], net=net)
        assert report.exact, report.rows
        assert all(0 < row.spikes < row.values for row in report.rows)

    @pytest.mark.parametrize("backend", ["fast", "lava-async"])
    def test_backends_without_lava_equal_the_reference(self, backend: str, network: integer.IntegerNetwork) -> None:
        assert netx_export.verify(network, samples(20), backends=[backend]).exact

    @pytest.mark.lava
    def test_lava_equals_the_reference_through_a_file(self, network: integer.IntegerNetwork, tmp_path: Path) -> None:
        netx_export.write(network, tmp_path / "timed.net")
        loaded = netx_export.load(tmp_path / "timed.net")
        assert (thresholds(loaded, "conv1") == thresholds(network, "conv1")).all()
        assert netx_export.verify(loaded, samples(2), backends=["lava", "lava-fused"]).exact

    def test_spikes_are_those_of_the_equation_in_real_numbers(self) -> None:
        """The filtered current through the norm of its step against the threshold, in float64."""
        dense = trained(3)[3]
        x = torch.randint(0, 5, (50, 54, T)).double()
        weight, step = dense.synapse.quantized()
        current = torch.einsum("oi,nit->not", weight.double().flatten(1) * step.double()[:, None], x)
        taps, potential = dense.neuron.taps, torch.zeros(50, 16, T, dtype=torch.float64)
        for lag, tap in enumerate(taps.integers()):
            potential[..., lag:] += tap / taps.scale * current[..., : T - lag]
        normed = torch.stack(
            [
                (norm.weight / (norm.running_var + norm.eps).sqrt()).double()[:, None]
                * (potential[..., t, None] - norm.running_mean.double()[:, None])
                + norm.bias.double()[:, None]
                for t, norm in enumerate(dense.neuron.norm.steps)
            ],
            2,
        )[..., 0]
        decided = (normed - 0.5).abs() > 1e-5
        expected = (normed >= 0.5)[decided]
        assert 0.1 < expected.double().mean() < 0.9
        assert torch.equal(dense(x.float())[decided] > 0, expected)

    def test_thresholds_differ_from_step_to_step_and_short_samples_take_the_first(
        self, network: integer.IntegerNetwork
    ) -> None:
        found = thresholds(network, "conv1")
        assert found.shape == (T, 6)
        assert (found[1:] != found[:-1]).any(1).all()
        short = network.shortened(2)
        assert (thresholds(short, "conv1") == found[:2]).all()
        x = samples(10)[..., :2]
        whole = netx_export.simulate(network, np.concatenate([x, 0 * x, 0 * x], -1), backend="reference")
        assert (netx_export.simulate(short, x, backend="fast") == whole[..., :2]).all()

    def test_a_still_image_has_other_spikes_at_each_step(self) -> None:
        network = folded(fresh_of_one_layer())
        x = np.repeat(np.random.default_rng(0).integers(0, 16, (30, 2, 6, 6, 1)), T, -1)
        rates = netx_export.simulate_layers(network, x, backend="fast")["conv1"].mean((0, 1, 2, 3))
        assert (np.diff(rates) > 0).all()

    def test_unmodified_netx_does_not_compute_it_and_says_so(self, network: integer.IntegerNetwork) -> None:
        assert not network.stock_exact
        with pytest.raises(DeploymentError, match="'conv1': no stock neuron computes a timed memory free neuron"):
            netx_export.simulate(network, samples(1), backend="netx")


class TestTraining:
    def test_each_step_has_a_norm_and_all_have_one_gain(self) -> None:
        neuron = memory_free.Neuron(**TIMED, channels=3)
        names = [name for name, _ in neuron.named_parameters()]
        assert names == ["norm.steps.0.weight", *(f"norm.steps.{t}.bias" for t in range(T))]
        biases = torch.stack([norm.bias for norm in neuron.norm.steps])[:, 0]
        torch.testing.assert_close(biases, torch.linspace(-0.6, 0.6, T))

    def test_gradients_reach_weights_and_norms(self) -> None:
        net = fresh(0)
        net(torch.randint(0, 16, (8, 2, 6, 6, T)).float()).square().sum().backward()
        for part in (net[0], net[3]):
            for parameter in part.parameters():
                assert parameter.grad is not None
                assert parameter.grad.abs().sum() > 0

    @pytest.mark.parametrize("shape", [(7, 3), (7, 3, 5, 4)])
    def test_a_step_s_norm_sees_its_step_alone(self, shape: tuple[int, ...]) -> None:
        """The spikes, and the gradient, of each step are those of a neuron of one step, of the filtered currents."""
        torch.manual_seed(0)
        timed = memory_free.Neuron(threshold=0.5, history=1, step_norms=3, channels=3, threshold_spread=0.4)
        x = torch.randn(*shape, 3).requires_grad_()
        spikes = timed(x)
        above = torch.randn_like(spikes)
        (gradient,) = torch.autograd.grad(spikes, x, above)
        for t, norm in enumerate(timed.norm.steps):
            alone = memory_free.Neuron(threshold=0.5, history=1, channels=3)
            alone.norm.bias.data = norm.bias.data
            one = x[..., t, None].detach().requires_grad_()
            found = alone(one)
            (expected,) = torch.autograd.grad(found, one, above[..., t, None])
            assert torch.equal(found[..., 0], spikes[..., t])
            assert 0 < found.mean() < 1
            torch.testing.assert_close(gradient[..., t], expected[..., 0])
            torch.testing.assert_close(norm.running_var, alone.norm.running_var)

    def test_settled_norms_are_those_of_each_step(self) -> None:
        timed = memory_free.Neuron(threshold=0.5, history=1, step_norms=2, channels=3)
        x = torch.randn(40, 3, 2) * torch.tensor([1.0, 5.0]) + torch.tensor([0.0, 2.0])
        settle_norms(timed, [x])
        for t, norm in enumerate(timed.norm.steps):
            torch.testing.assert_close(norm.running_mean, x[..., t].mean(0))
            torch.testing.assert_close(norm.running_var, x[..., t].var(0))

    def test_it_trains_from_a_network_of_one_step_and_deploys(self, tmp_path: Path) -> None:
        shared = {"trainer.max_epochs": 3, "model.hidden": [48], "model.target": "any"}
        one = override(load_config("digits"), {**shared, "data.timesteps": 1, "model.neuron.history": 1})
        begun = train(one, tmp_path / "one", progress=False)
        steps = {"model.neuron.step_norms": 2, "model.neuron.threshold_spread": 0.4, "model.neuron.history": 2}
        config = override(one, {**steps, "data.timesteps": 2, "model.initial": str(begun.best)})
        result = train(config, tmp_path / "two", progress=False)
        assert result.test_accuracy > 0.9
        names = read_checkpoint(result.last)[1]
        assert {"network.0.neuron.norm.steps.0.running_mean", "network.0.neuron.norm.steps.1.bias"} <= set(names)


class TestRefusals:
    def test_other_norms_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="step_norms are batch norms"):
            memory_free.Neuron(threshold=0.5, step_norms=2, norm=None, channels=3)

    def test_a_spread_is_for_step_norms(self) -> None:
        with pytest.raises(ConfigurationError, match="threshold_spread is for step_norms"):
            memory_free.Neuron(threshold=0.5, threshold_spread=0.5, channels=3)

    def test_channels_must_be_known(self) -> None:
        with pytest.raises(ConfigurationError, match="step_norms need the number of channels"):
            memory_free.Neuron(threshold=0.5, step_norms=2)

    def test_more_steps_than_norms_are_refused(self) -> None:
        net = fresh(0)
        with pytest.raises(InputError, match="norms of 6 time steps, and there are 7"):
            net(torch.zeros(2, 2, 6, 6, 7))
        with pytest.raises(DeploymentError, match="norms of 6 time steps, and there are 7"):
            netx_export.fold(net.eval(), input_shape=(2, 6, 6), timesteps=7, input_bits=4)

    def test_a_configuration_of_other_steps_is_refused(self, tmp_path: Path) -> None:
        config = override(load_config("digits"), {"model.neuron.step_norms": 3, "model.target": "any"})
        with pytest.raises(ConfigurationError, match=r"step_norms is 3, and the data have 4 time steps"):
            train(config, tmp_path / "run", progress=False)


def fresh_of_one_layer() -> nn.Sequential:
    """A network whose first layer sees the image at each step, without a history."""
    torch.manual_seed(1)
    one = {**TIMED, "history": 1}
    net = nn.Sequential(block.Conv(one, 2, 6, 3, weight_bits=4), block.Flatten(), block.Output(6 * 16, 4))
    x = torch.randint(0, 16, (200, 2, 6, 6, 1)).float().expand(-1, -1, -1, -1, T).contiguous()
    settle_norms(net, [x])
    return net.eval()


class TestTools:
    def test_what_is_told_of_thresholds_is_of_all_steps(self, network: integer.IntegerNetwork, tmp_path: Path) -> None:
        netx_export.write(network, tmp_path / "timed.net")
        (first, *_) = netx_export.inspect(tmp_path / "timed.net").layers
        found = thresholds(network, "conv1")
        assert first.thresholds == (found.min(), found.max())
        assert found.max() > network.layer("conv1").neuron.threshold.max()

    @pytest.mark.parametrize("mapping", ["word", "stock", "delayed"])
    def test_no_mapping_takes_it_for_a_neuron_that_a_chip_has(
        self, mapping: str, network: integer.IntegerNetwork
    ) -> None:
        laid = netx_export.layout(network, mapping=mapping)
        unknown = {each.layer for each in laid.findings if each.severity == "unknown" and each.rule == "program"}
        assert {"conv1", "dense2"} <= unknown

    def test_a_picture_shows_each_step_s_distance(self, network: integer.IntegerNetwork) -> None:
        found = _thresholds(network.layer("conv1"), (6, 6, 6, T)).reshape(6, 36, T)
        assert (found == thresholds(network, "conv1").T[:, None]).all()

    @pytest.mark.parametrize("mapping", ["stock", "delayed"])
    def test_sanafe_has_none(self, mapping: str, tmp_path: Path) -> None:
        link = integer.Connection("input", integer.Dense(np.eye(3, dtype=int)))
        first = integer.Layer("timed", (link,), integer.TimedMemoryFree((1,), [[1] * 3, [2] * 3]))
        link = integer.Connection("timed", integer.Dense(np.eye(3, dtype=int)))
        last = integer.Layer("output", (link,), integer.Readout((1,)))
        laid = netx_export.layout(integer.IntegerNetwork(integer.Input((3,), 1), 2, (first, last)), "loihi1", mapping)
        with pytest.raises(DeploymentError, match="'timed': .*cannot compute it: a timed memory free neuron is none"):
            netx_export.write_sanafe(laid, tmp_path / "no", np.ones((1, 3, 2), int), "computed")

    def test_nir_has_none(self, network: integer.IntegerNetwork) -> None:
        with pytest.raises(DeploymentError, match="timed memory free neuron has no form in NIR"):
            netx_export.to_nir(network)
