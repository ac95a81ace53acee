"""Fewer bits in training: 16 under autocast, one byte for a spike that is kept. What is deployed does not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import netx_export
from lava_qsnn.block import lif, memory_free, quantized_lif
from lava_qsnn.block._bytes import largest_byte

NORMED = {"threshold": 0.5, "history": 3, "norm": "batch"}


def bf16(net: nn.Module, x: Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return net(x)


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(len(shape))) < 0.3).float()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    block = memory_free
    return nn.Sequential(
        block.Conv(NORMED, 2, 8, 3, padding=1, weight_bits=8),
        block.Pool(None, 2),
        block.Conv(NORMED, 8, 8, 3),
        block.Flatten(),
        block.Dense(NORMED, 32, 16),
        block.Output(16, 4),
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_sums_up_to_256_are_exact_in_16_bits(bits: int) -> None:
    """Weights and spikes are exact, and so is what they add up to; were weights scaled first, they would not be."""
    torch.manual_seed(bits)
    layer = memory_free.Dense({"threshold": 0.01, "history": 1}, 2, 200, weight_bits=bits)
    x = spikes(20, 2, 6)
    assert torch.equal(bf16(layer, x).float(), layer(x))
    assert 0.1 < layer(x).mean() < 0.9


def test_spikes_have_16_bits_and_logits_32() -> None:
    net = network()
    x = spikes(3, 2, 8, 8, 5)
    assert bf16(net[0], x).dtype == torch.bfloat16
    assert bf16(net, x).dtype == torch.float32


def test_gradients_point_the_same_way() -> None:
    net = network()
    gradients = []
    for forward in (bf16, lambda net, x: net(x)):
        net.zero_grad()
        forward(net, spikes(16, 2, 8, 8, 5)).sum(-1).square().sum().backward()
        gradients.append(
            torch.cat([parameter.grad.flatten() for parameter in net.parameters() if parameter.requires_grad])
        )
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.95
    assert gradients[0].abs().max() > 0


def test_a_network_trained_in_16_bits_deploys_exactly() -> None:
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    x, labels = spikes(24, 2, 8, 8, 5), torch.arange(24) % 4
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(bf16(net, x).sum(-1), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    network_, x_ = netx_export.export(net.eval(), None, (2, 8, 8), 5, 1), x.numpy().astype(np.int64)
    assert netx_export.verify(network_, x_, net=net, backends=["fast"]).exact
    with torch.no_grad():
        assert torch.equal(bf16(net, x), net(x))


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_stored_potentials_are_the_same_integers_under_autocast(reset: str) -> None:
    torch.manual_seed(0)
    layer = quantized_lif.Dense({"threshold": 0.5, "norm": "batch", "reset": reset}, 400, 8)
    x = spikes(6, 400, 9)
    assert torch.equal(bf16(layer, x), layer(x))
    assert 0.05 < layer(x).mean() < 0.95


@pytest.mark.parametrize("block", [quantized_lif, lif])
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_behind_a_stored_potential_are_rounded_to_16_bits(block: Any, groups: int) -> None:
    """The spikes are those of float32, bit for bit; gradients by weights and inputs are near, and of 8 digits."""
    torch.manual_seed(0)
    layer = block.Conv(
        {"threshold": 0.5, "norm": "batch"}, 8, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=groups
    )
    x = spikes(6, 8, 9, 8, 4).requires_grad_()
    upstream = torch.randn(layer(x).shape)
    found, exact = (run(layer, x) for run in (bf16, lambda net, x: net(x)))
    assert torch.equal(found, exact)
    assert found.dtype == torch.float32
    for by in (x, layer.synapse.weight):
        narrow, wide = (torch.autograd.grad(y, by, upstream, retain_graph=True)[0] for y in (found, exact))
        assert narrow.dtype == torch.float32
        assert 0 < (narrow - wide).norm() / wide.norm() < 0.01


def retained(net: nn.Module, x: Tensor) -> int:
    """Bytes that a forward pass leaves allocated: the least of ten, for the profiler misses some of what is freed."""
    net(x)  # what is made once, in the first of all passes, stays out of it
    return min(allocated(net, x) for _ in range(10))


def allocated(net: nn.Module, x: Tensor) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
        y = net(x)
    assert y.requires_grad
    return sum(event.self_cpu_memory_usage for event in measured.key_averages())


class Unmarked(nn.Module):
    """Passes on a tensor that nothing is said of."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view_as(x)


def test_spikes_are_kept_as_bytes_with_the_same_gradients() -> None:
    torch.manual_seed(0)
    blocks = [memory_free.Conv(NORMED, 4, 4, 3, padding=1) for _ in range(4)]
    x = spikes(10, 4, 16, 16, 8)
    marked, unmarked = nn.Sequential(*blocks), nn.Sequential(*(part for one in blocks for part in (one, Unmarked())))
    saved = retained(unmarked, x) - retained(marked, x)
    assert saved == pytest.approx(3 * 3 * x.numel(), rel=0.1)  # three bytes each, of three tensors
    gradients = []
    for net in (marked, unmarked):
        net.zero_grad()
        net(x).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in blocks[0].parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients))
    assert gradients[0][0].abs().max() > 0


def test_only_what_fits_a_byte_is_marked() -> None:
    x = spikes(2, 3, 32, 32, 4)
    y = memory_free.Conv(NORMED, 3, 4, 1)(x)
    assert largest_byte(x) is None
    assert largest_byte(y) == 1
    assert largest_byte(memory_free.Pool(None, 4)(y)) == 16
    assert largest_byte(memory_free.Pool(None, 16)(y)) is None
    assert largest_byte(memory_free.Flatten()(y)) == 1
    assert largest_byte(y * 300) is None
    assert largest_byte(memory_free.Output((32, 32, 4), 2)(y)) is None


@pytest.mark.parametrize("change", [nn.Dropout(0.3, inplace=True), nn.Hardtanh(-1, 0.5, inplace=True)])
def test_what_is_changed_in_place_is_no_longer_kept_as_bytes(change: Any) -> None:
    gradients = []
    for inplace in (True, False):
        torch.manual_seed(0)
        change.inplace = inplace
        first, last = memory_free.Dense({"threshold": 0.1}, 20, 30), memory_free.Output(30, 5)
        y = last(change(first(spikes(8, 20, 4))))
        y.square().sum().backward()
        gradients.append([*(p.grad for p in first.parameters()), last.synapse.weight.grad])
    assert all(torch.equal(*pair) for pair in zip(*gradients))
    assert gradients[0][-1].abs().max() > 0


def test_a_mark_is_forgotten_when_what_it_says_no_longer_holds() -> None:
    y = memory_free.Conv(NORMED, 3, 4, 1)(spikes(2, 3, 4, 4, 4))
    assert largest_byte(y) == 1
    y.mul_(300)
    assert largest_byte(y) is None
    with torch.inference_mode():
        assert largest_byte(memory_free.Conv(NORMED, 3, 4, 1)(spikes(2, 3, 4, 4, 4))) is None
