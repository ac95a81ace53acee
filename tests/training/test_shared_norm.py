"""Batch norms over two processes compute what one process computes of both halves: forward, backward, statistics."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from lava_qsnn import block
from lava_qsnn.neuron import synchronize
from lava_qsnn.neuron._shared_norm import shared_norm

SAMPLES, STEPS, TRAINED = 6, 3, 20
FAMILIES = ("memory_free", "quantized_lif", "lif")


def network(family: str) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = getattr(block, family)
    net = nn.Sequential(
        blocks.Conv({"threshold": 0.5}, 2, 4, 3, padding=1),
        block.memory_free.Flatten(),
        blocks.Dense({"threshold": 0.3}, 64, 8),
        blocks.Output(8, 3),
    )
    synchronize(net)
    return net


def samples() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(SAMPLES, 2, 4, 4, STEPS, generator=generator) < 0.4).float()


def step(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The outputs, gradients and statistics of one step of training, whose loss is a sum over samples."""
    y = net.train()(x)
    (y * torch.arange(y.numel() // len(y)).reshape(1, *y.shape[1:])).square().sum().backward()
    gradients = {f"gradient of {name}": value.grad for name, value in net.named_parameters()}
    statistics = {name: value for name, value in net.named_buffers() if "running" in name or "tracked" in name}
    return {"y": y.detach(), **{name: value for name, value in gradients.items() if value is not None}, **statistics}


def deployed_after(steps: int, x: Tensor) -> Tensor:
    """Every integer that is deployed of a network that was trained for some steps: weights and thresholds."""
    net = network("memory_free")
    optimizer = torch.optim.SGD(net.parameters(), 1e-4)
    for _ in range(steps):
        optimizer.zero_grad()
        step(net, x)
        for parameter in net.parameters():
            if dist.is_initialized():
                dist.all_reduce(parameter.grad)
        optimizer.step()
    blocks = [net[0], net[2], net[3]]
    integers = [each.integer_parameters(STEPS) for each in blocks]
    arrays = [each.weight for each in integers] + [each.neuron.threshold for each in integers[:2]]
    return torch.from_numpy(np.concatenate([np.ravel(array) for array in arrays]))


def half(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    # Unequal parts: two samples here, four there.
    own = samples()[: SAMPLES // 3] if rank == 0 else samples()[SAMPLES // 3 :]
    found: dict[str, Any] = {family: step(network(family), own) for family in FAMILIES}
    apart = network("memory_free")
    synchronize(apart, False)
    found["apart"] = step(apart, own)
    found["deployed"] = deployed_after(TRAINED, own)
    found["far from 0"] = far_from_zero(own + 1000)
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()
    # As a training does: while gloo's threads hold the last exchange, dissolving the group may wait forever.
    time.sleep(0.5)
    dist.destroy_process_group()


def far_from_zero(x: Tensor) -> Tensor:
    return shared_norm(x.flatten(2).transpose(0, 1).reshape(-1, 2), torch.ones(2), torch.zeros(2), 1e-5)[2]


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = str(tmp_path_factory.mktemp("halves"))
    spawn(half, (folder,), nprocs=2)
    return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_compute_what_one_does(family: str, halves: list[dict[str, Any]]) -> None:
    whole, (first, second) = step(network(family), samples()), (each[family] for each in halves)
    assert torch.equal(torch.cat([first["y"], second["y"]]), whole["y"]), "spikes and potentials, every one"
    assert (whole["y"] != 0).float().mean() > 0
    assert any(name.startswith("gradient of 0") for name in whole)
    for name, value in whole.items():
        if name.startswith("gradient"):
            torch.testing.assert_close(first[name] + second[name], value, rtol=1e-4, atol=1e-3, msg=name)
        elif name != "y":
            assert torch.equal(first[name], second[name]), name
            torch.testing.assert_close(first[name], value, rtol=1e-6, atol=1e-6, msg=name)


def test_few_deployed_integers_differ(halves: list[dict[str, Any]]) -> None:
    """Rounding may turn a spike round, and later others: differences are counted, of all weights and thresholds."""
    first, second = (each["deployed"] for each in halves)
    whole, untrained = deployed_after(TRAINED, samples()), deployed_after(0, samples())
    assert torch.equal(first, second)
    differ, learned = int((first != whole).sum()), int((whole != untrained).sum())
    assert len(whole) == 4 * 2 * 9 + 64 * 8 + 8 * 3 + 4 + 8
    assert learned > len(whole) // 20
    assert differ <= len(whole) // 100, f"{differ} of {len(whole)} deployed integers differ"


def test_apart_each_process_has_statistics_of_its_own(halves: list[dict[str, Any]]) -> None:
    first, second = (each["apart"] for each in halves)
    names = [name for name in first if "running" in name]
    assert len(names) == 4
    assert not any(torch.equal(first[name], second[name]) for name in names)


def test_a_large_mean_costs_no_digits(halves: list[dict[str, Any]]) -> None:
    """The variance of frames around 1000 is that of the same frames around 0."""
    frames = samples().flatten(2).transpose(0, 1).reshape(2, SAMPLES, -1)
    assert all(torch.equal(halves[0]["far from 0"], each["far from 0"]) for each in halves)
    assert halves[0]["far from 0"].min() > 0.1
    assert frames.var() > 0.1


def test_one_process_is_not_changed() -> None:
    net = network("memory_free")
    plain = copy.deepcopy(net)
    synchronize(plain, False)
    first, second = step(net, samples()), step(plain, samples())
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
