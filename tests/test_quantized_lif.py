"""Neurons whose potential leaks: what training computes, their gradients, those for comparison, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import netx_export
from lava_qsnn import integer
from lava_qsnn.block import lif as lif_block
from lava_qsnn.block import quantized_lif as block
from lava_qsnn.block import tanh_lif as tanh_lif_block
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError
from lava_qsnn.neuron import lif, tanh_lif
from lava_qsnn.neuron.quantized_lif import Neuron
from lava_qsnn.neuron.tanh_lif import quantize_by_batch
from lava_qsnn.surrogate import BUMPS
from tests.helpers.networks import lif_parameters, perturbed

PARAMETERS: dict[str, Any] = {"threshold": 0.5, "potential_bits": 3, "decay": 0.75}


def one_neuron(**values: Any) -> integer.QuantizedLIF:
    scalars: dict[str, Any] = {"bits": 3, "leak": 1, "reset": "hard"}
    numbers = {"potential_shift": 1, "current_shift": 0, "bias": 0, "threshold": 9, **values}
    arrays = {name: np.array([numbers.pop(name)]) for name in [*numbers] if name not in scalars}
    return integer.QuantizedLIF(**(scalars | numbers | arrays))


@pytest.mark.parametrize(
    ("neuron", "currents", "potentials", "spikes"),
    [
        # 5 -> stored (5/2) / 2 = 1.25 -> 1; 2 + 5 = 7 -> 1.75 -> 2; 4 + 5 = 9 fires and is set to 0; then again.
        (one_neuron(), [5, 5, 5, 5], [5, 7, 9, 5], [0, 0, 1, 0]),
        # A half is rounded up: 2 / 4 = 0.5 -> 1, -2 / 4 = -0.5 -> 0.
        (one_neuron(), [2, 0, -2, 0], [2, 2, 0, 0], [0, 0, 0, 0]),
        # Of 20, a soft reset leaves 11, of which 11 / 4 = 2.75 -> 3, the most that 3 bits store.
        (one_neuron(reset="soft"), [20, 0, 90, 0], [20, 6, 94, 6], [1, 0, 1, 0]),
        # 3 bits hold -4 at the least: -4 steps of 2.
        (one_neuron(), [-90, 0], [-90, -8], [0, 0]),
        # A leak of 1/8 of so small a potential rounds to nothing: what few bits lose.
        (one_neuron(leak=3), [2, 0, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]),
        (one_neuron(current_shift=2, bias=1), [2, 0, 2], [9, 1, 9], [1, 0, 1]),
    ],
)
def test_potentials_by_hand(
    neuron: integer.QuantizedLIF, currents: list[int], potentials: list[int], spikes: list[int]
) -> None:
    fired, reached = neuron.run([np.array(currents).reshape(1, 1, -1)])
    assert reached.flatten().tolist() == potentials
    assert fired.flatten().tolist() == spikes


@given(lif_parameters(), st.sampled_from([1, 2, 8]), st.integers(0, 2**32 - 1))
def test_training_computes_the_deployed_integers(parameters: dict[str, Any], bits: int, seed: int) -> None:
    """With its norm held still, a block in training gives the very spikes of evaluation."""
    torch.manual_seed(seed)
    net = perturbed(nn.Sequential(block.Dense(parameters, 9, 7, weight_bits=bits)), seed)
    x = torch.randint(0, 4, (5, 9, 12)).float()
    deployed = net(x)
    net.train()
    if net[0].neuron.norm is not None:
        net[0].neuron.norm.eval()
    assert torch.equal(net(x), deployed)


def test_training_follows_the_statistics_of_its_batch() -> None:
    torch.manual_seed(0)
    net = block.Dense({**PARAMETERS, "norm": "batch"}, 20, 16)
    x = torch.randint(0, 3, (32, 20, 10)).float()
    spikes = net(x)
    assert 0.05 < spikes.mean() < 0.6
    weight, step = net.synapse.quantized()
    current = torch.einsum("oi,nit->not", weight[..., 0, 0, 0], x) * step.reshape(-1, 1)
    variance, mean = torch.var_mean(current, (0, 2), correction=0)
    normed = (current - mean[:, None]) / (variance[:, None] + net.neuron.norm.eps).sqrt()
    real = real_neuron(normed, net.neuron)
    assert (real == spikes).float().mean() > 0.9, "three bits are near the real-valued neuron"
    assert torch.allclose(net.neuron.norm.running_mean, 0.1 * mean, atol=1e-6)


def make(bits: int | None, threshold: float, **options: Any) -> Neuron | lif.Neuron:
    """A neuron with a potential of so many bits, or, for None, of full precision."""
    return lif.Neuron(threshold, **options) if bits is None else Neuron(threshold, bits, **options)


def real_neuron(currents: Tensor, neuron: Neuron | lif.Neuron) -> Tensor:
    """The real-valued neuron, in a loop."""
    kept, spikes = torch.zeros_like(currents[..., 0]), []
    for current in currents.unbind(-1):
        potential = kept + current
        fired = (potential >= neuron.threshold).float()
        hard = neuron.settings.reset == "hard"
        kept = neuron.settings.decay * (potential * (1 - fired) if hard else potential - neuron.threshold * fired)
        spikes.append(fired)
    return torch.stack(spikes, -1)


@pytest.mark.parametrize("surrogate", BUMPS)
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("bits", [None, 16, 4, 2])
def test_gradients_are_those_of_the_loop_with_surrogates(bits: int | None, reset: str, surrogate: str) -> None:
    """Autograd through a plain loop, the rounding passed straight through, saturation and reset carrying nothing."""
    torch.manual_seed(1)
    neuron = make(bits, 2.0, decay=0.75, reset=reset, surrogate=surrogate, tau_grad=1.5, scale_grad=0.7)
    currents = torch.randint(-3, 5, (6, 4, 10)).float().requires_grad_()
    upstream = torch.randn(6, 4, 10)
    (found,) = torch.autograd.grad(neuron(currents), currents, upstream)
    (expected,) = torch.autograd.grad(_soft_loop(currents, neuron, bits), currents, upstream)
    assert torch.allclose(found, expected, atol=1e-5)
    assert found.abs().min(-1).values.max() > 0


class _Straight(torch.autograd.Function):
    """Replaces a value; its gradient is the given slope."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, replaced: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return replaced

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * ctx.saved_tensors[0], None, None


def _soft_loop(currents: Tensor, neuron: Neuron | lif.Neuron, potential_bits: int | None) -> Tensor:
    own = neuron.settings
    kept, spikes = torch.zeros_like(currents[..., 0]), []
    # The step is the smallest power of two, 2^(b-1) times which reaches the range: here 2 or 8 thresholds of 2.
    reached, bits = {16: 16.0, 4: 4.0, 2: 4.0, None: None}[potential_bits], potential_bits or 0
    step = None if reached is None else max(reached / 2 ** (bits - 1), 2.0**-8)
    for current in currents.unbind(-1):
        potential = kept + current
        x = ((potential - own.threshold) / own.tau_grad).detach()
        bump = own.scale_grad * BUMPS[own.surrogate](x, torch.ones_like(x))
        fired = (potential >= own.threshold).float()
        spikes.append(_Straight.apply(potential, fired, bump))
        fired = fired.detach()
        left = own.decay * (potential * (1 - fired) if own.reset == "hard" else potential - 2 * fired)
        if step is not None:
            most = 2 ** (bits - 1)
            rounded = (left / step + 0.5).floor()
            inside = ((rounded >= -most) & (rounded <= most - 1)).float()
            left = _Straight.apply(left, rounded.clamp(-most, most - 1).detach() * step, inside)
        kept = left
    return torch.stack(spikes, -1)


def test_quantizing_by_the_batch_is_near_and_its_gradient_that_of_the_identity() -> None:
    values = torch.linspace(-0.9, 0.7, 33, dtype=torch.double, requires_grad=True)
    rounded = quantize_by_batch(values, 3)
    assert len(set(rounded.tolist())) == 6
    assert (rounded - values).abs().max() <= 0.15 + 1e-9
    (gradient,) = torch.autograd.grad(rounded.sum(), values)
    smooth = [(quantize_by_batch(values + d, None).sum()).item() for d in (1e-6, -1e-6)]
    assert gradient.sum().item() == pytest.approx((smooth[0] - smooth[1]) / 2e-6)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("bits", [None, 3])
def test_the_tanh_neuron_is_its_equation(bits: int | None, reset: str) -> None:
    torch.manual_seed(0)
    currents = torch.randn(4, 3, 12)
    spikes = tanh_lif.Neuron(0.4, potential_bits=bits, decay=0.75, reset=reset)(currents)
    held = torch.zeros(4, 3)
    for t, current in enumerate(currents.unbind(-1)):
        potential = torch.tanh(held + current)
        if bits is not None:  # three steps to either side, the largest of the batch the last of them
            step = potential.abs().max() / 3
            potential = (potential / step).round() * step
        fired = potential >= 0.4
        assert torch.equal(spikes[..., t], fired.float())
        held = 0.75 * (torch.where(fired, 0.0, potential) if reset == "hard" else potential - 0.4 * fired)
    assert 0.1 < spikes.mean() < 0.6


def test_the_tanh_neuron_trains_depends_on_the_batch_and_is_refused_by_export() -> None:
    torch.manual_seed(0)
    parameters = {"threshold": 0.5, "potential_bits": 3, "decay": 0.75}
    net = nn.Sequential(tanh_lif_block.Dense(parameters, 12, 10), block.Output(10, 3))
    x = torch.randint(0, 3, (16, 12, 8)).float()
    net(x).square().sum().backward()
    assert net[0].synapse.weight.grad.abs().sum() > 0
    net.eval()
    alone, together = net[:1](x[:1]), net[:1](x)
    assert 0 < together.mean() < 1
    assert not torch.equal(alone, together[:1]), "the largest potential of the batch sets the scale"
    with pytest.raises(DeploymentError, match=r"layer 'dense1'.*largest of the batch.*Remedy.*quantized_lif"):
        netx_export.export(net, None, (12,), 8)


def test_full_precision_is_a_baseline_and_is_refused_by_export() -> None:
    torch.manual_seed(0)
    neuron = lif.Neuron(1.0, 0.875, "soft")
    currents = torch.randn(4, 3, 20)
    spikes = neuron(currents)
    assert torch.equal(spikes, real_neuron(currents, neuron))
    assert 0 < spikes.mean() < 1
    with pytest.raises(DeploymentError, match="full precision has no integer form"):
        netx_export.export(nn.Sequential(lif_block.Dense({"threshold": 0.5}, 4, 3)), None, (4,), 5)


def test_more_bits_come_nearer_to_full_precision() -> None:
    torch.manual_seed(0)
    currents = torch.randint(-4, 6, (64, 8, 30)).float()
    full = lif.Neuron(6.0, 0.9375)(currents)
    wrong = [int((Neuron(6.0, bits, 0.9375)(currents) != full).sum()) for bits in (2, 4, 8, 16)]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0] > 10 * wrong[-1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"threshold": 0.0}, "threshold must lie above 0 and at most 1000000000000.0, not be 0.0"),
        ({"potential_bits": 1}, "potential_bits must lie from 2 to 16, not be 1"),
        ({"potential_bits": True}, "potential_bits must be an integer, not True"),
        ({"potential_bits": None}, "potential_bits must be an integer, not None"),
        ({"decay": 0.9}, r"decay must be one of 0.5, 0.75, 0.875, .*, not 0.9"),
        ({"reset": "none"}, "reset must be one of hard, soft, not 'none'"),
        ({"norm": lambda: nn.GroupNorm(1, 3)}, "'quantized_lif' cannot use the norm GroupNorm"),
        ({"potential_range": 0}, "potential_range must lie from 1 to 64, not be 0"),
        ({"history": 4}, "there is no key 'history'. Remedy: choose one of threshold, potential_bits, decay, reset"),
    ],
)
def test_options_without_meaning_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        block.Dense({**PARAMETERS, **changes}, 4, 3)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_that_tanh_never_reaches_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match="threshold must lie above 0 and below 1"):
        tanh_lif_block.Dense({"threshold": threshold}, 4, 3)


def test_real_currents_are_refused_where_integers_are_integrated() -> None:
    with pytest.raises(InputError, match="integrates integer currents"):
        Neuron(1.0, 4)(torch.rand(2, 3, 4))


def test_a_leak_beyond_int32_is_refused() -> None:
    net = nn.Sequential(block.Dense({"threshold": 0.01, "potential_bits": 16, "decay": 1 - 0.5**8}, 900, 2)).eval()
    with pytest.raises(RangeError, match=r"leak may reach .*int32.*Remedy"):
        netx_export.export(net, None, (900,), 4, input_bits=8)


@pytest.mark.parametrize("reached", [1, 2, 3, 8])
def test_the_range_of_a_potential_is_chosen_in_thresholds(reached: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(block.Dense({**PARAMETERS, "potential_bits": 4, "potential_range": reached}, 6, 5))
    neuron = netx_export.export(net, None, (6,), 7, input_bits=4).layers[0].neuron
    assert isinstance(neuron, integer.QuantizedLIF)
    largest = 8 * 2.0**neuron.potential_shift
    assert (largest / (neuron.threshold - 1) >= reached).all(), "thresholds are rounded up"
    assert (largest / neuron.threshold < 2 * reached).all()


def test_state_is_the_potential_s_bits_and_the_spike() -> None:
    often = {**PARAMETERS, "threshold": 0.1}
    net = nn.Sequential(block.Dense(often, 6, 5), block.Dense(often, 5, 4), block.Output(4, 2))
    network = netx_export.export(net, None, (6,), 7, input_bits=2)
    assert [netx_export.state_bits(network, name) for name in ("input", *network)] == [2, 4, 4, 0]
    assert [layer.kind for layer in netx_export.describe(network)] == ["dense"] * 3
    assert "stores its potential in 3 bits" in network.stock_obstacles[0]
