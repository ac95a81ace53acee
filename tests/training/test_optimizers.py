"""Muon beside AdamW: orthogonal updates of the inner weights, AdamW's own of all others, one state for both."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

from lava_qsnn.block import memory_free
from lava_qsnn.train.config import Optimizer, load_config, override
from lava_qsnn.train.optimizers import MOMENTUM, Muon, inner_weights, make_optimizer, orthogonal
from lava_qsnn.train.train import train
from tests.helpers.interrupted import interrupted

NEURON = {"threshold": 0.3, "history": 2}
OPTIONS = Optimizer(name="muon", learning_rate=0.01, muon_learning_rate=0.05, weight_decay=0.1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        memory_free.Conv(NEURON, 1, 4, 3, weight_bits=4),
        memory_free.Pool(None, 2),
        memory_free.Conv(NEURON, 4, 6, 3),
        memory_free.Flatten(),
        memory_free.Dense(NEURON, 24, 20),
        memory_free.Output(20, 3),
    )


def backward(net: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 16, (8, 1, 10, 10, 3), generator=generator).float()
    net.zero_grad()
    net(x).square().mean().backward()


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 10**6))
def test_an_orthogonal_update_has_singular_values_near_one_and_the_gradient_s_directions(
    rows: int, columns: int, seed: int
) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns))
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    result = orthogonal(torch.from_numpy(matrix).float()).numpy()
    clear = s > 0.1 * s.max()  # the iteration lifts the small ones in more steps
    lifted = np.diag(u.T @ result @ v.T)[clear]
    assert result.shape == matrix.shape
    assert ((lifted > 0.4) & (lifted < 1.4)).all()


def test_zeros_stay_zeros() -> None:
    assert not orthogonal(torch.zeros(3, 5)).any()


def test_the_inner_weights_are_those_between_the_first_and_the_last_synapse() -> None:
    net = network()
    assert [id(weight) for weight in inner_weights(net)] == [id(net[2].synapse.weight), id(net[4].synapse.weight)]


def test_all_parameters_are_somebody_s_once() -> None:
    net = network()
    groups = make_optimizer(net, OPTIONS).param_groups
    held = [id(entry) for group in groups for entry in group["params"]]
    assert sorted(held) == sorted(id(entry) for entry in net.parameters() if entry.requires_grad)


def test_steps_are_the_formula_s_and_those_of_adamw() -> None:
    net = network()
    inner = inner_weights(net)
    others = [entry for entry in net.parameters() if entry.requires_grad and all(entry is not own for own in inner)]
    copies = [nn.Parameter(entry.detach().clone()) for entry in others]
    expected = [weight.detach().clone() for weight in inner]
    momenta = [torch.zeros_like(weight) for weight in inner]
    adamw = torch.optim.AdamW(copies, OPTIONS.learning_rate, weight_decay=OPTIONS.weight_decay)
    optimizer = make_optimizer(net, OPTIONS)
    for seed in range(3):
        backward(net, seed)
        for copied, entry in zip(copies, others):
            copied.grad = entry.grad
        adamw.step()
        for weight, momentum, value in zip(inner, momenta, expected):
            assert weight.grad is not None
            momentum.mul_(MOMENTUM).add_(weight.grad)
            update = orthogonal((weight.grad + MOMENTUM * momentum).flatten(1))
            scale = 0.05 * 0.2 * math.sqrt(max(update.shape))
            value.mul_(1 - 0.05 * 0.1).sub_(scale * update.reshape(value.shape))
        optimizer.step()
    assert all(torch.equal(copied, entry) for copied, entry in zip(copies, others))
    assert all(torch.allclose(value, weight, atol=1e-6) for value, weight in zip(expected, inner))
    assert all(not torch.equal(value, before) for value, before in zip(inner, inner_weights(network())))


@pytest.mark.parametrize("kind", ["1 bit", "4 bits", "real"])
def test_weights_of_one_bit_stay_where_they_have_a_gradient(kind: str) -> None:
    """So fast that all others leave -1 to 1; and those that reach the end come back when the gradient turns."""
    net = nn.Sequential(
        memory_free.Dense(NEURON, 6, 12),
        memory_free.Dense(NEURON, 12, 12, weight_bits=4 if kind == "4 bits" else 1),
        memory_free.Output(12, 3),
    )
    net[1].real_weights = kind == "real"
    optimizer = make_optimizer(net, Optimizer(name="muon", muon_learning_rate=0.5))
    weight = net[1].synapse.weight
    gradient = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    turning_points = []
    for sign in (1, -1):
        for _ in range(1000):
            weight.grad = sign * gradient
            optimizer.step()
        turning_points.append(weight.detach().clone())
    before, after = turning_points
    if kind == "1 bit":
        assert before.abs().max() == 1
        ends = before.abs() == 1
        assert ends.float().mean() > 0.9
        assert (after[ends] == -before[ends]).float().mean() > 0.9, "those at an end come back"
    else:
        assert before.abs().max() > 2


def test_a_loaded_state_goes_on_as_the_one_that_was_saved() -> None:
    net = network()
    optimizer = make_optimizer(net, OPTIONS)
    for seed in range(2):
        backward(net, seed)
        optimizer.step()
    twin = copy.deepcopy(net)
    loaded = make_optimizer(twin, OPTIONS)
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for seed in range(2, 4):
        for each, its in ((net, optimizer), (twin, loaded)):
            backward(each, seed)
            its.step()
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), twin.parameters()))


def test_a_network_without_inner_weights_is_adamw_s() -> None:
    net = nn.Sequential(memory_free.Dense(NEURON, 4, 5), memory_free.Output(5, 2))
    assert type(make_optimizer(net, OPTIONS)) is torch.optim.AdamW
    assert type(make_optimizer(network(), Optimizer())) is torch.optim.AdamW
    assert type(make_optimizer(network(), OPTIONS)) is Muon


def test_a_closure_is_evaluated_with_gradients() -> None:
    net = network()
    optimizer = make_optimizer(net, OPTIONS)

    def closure() -> float:
        backward(net, 0)
        return 1.5

    with torch.no_grad():
        assert optimizer.step(closure) == 1.5


def test_it_trains_and_resumes_as_if_it_never_stopped(tmp_path: Path) -> None:
    changes = {"optimizer.name": "muon", "model.hidden": [32, 16], "trainer.max_epochs": 2}
    config = override(load_config("digits"), changes)
    whole = train(config, tmp_path / "whole", progress=False)
    assert whole.test_accuracy > 0.6

    last = interrupted(config, tmp_path / "run", 1)
    resumed = train(config, tmp_path / "run", resume=last, progress=False)
    assert resumed.epochs == 1
    assert resumed.test_accuracy == whole.test_accuracy
    one, other = (torch.load(result.last, weights_only=True)["state_dict"] for result in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
