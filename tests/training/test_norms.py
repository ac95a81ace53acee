"""The statistics of batch norms, taken anew with the weights at rest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import nn

from lava_qsnn.block import memory_free
from lava_qsnn.train import norms
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.curves import read_logs
from lava_qsnn.train.module import restore
from lava_qsnn.train.norms import settle_norms
from lava_qsnn.train.train import train
from tests.helpers.interrupted import interrupted

NORMED = {"threshold": 0.5, "history": 2, "norm": "batch"}

#: Weights that change fast until the end.
FAST = override(
    load_config("digits"),
    {
        "trainer.max_epochs": 3,
        "model.hidden": [64],
        "optimizer.learning_rate": 0.1,
        "optimizer.warmup": 0.0,
        "data.batch_size": 16,
    },
)


def batches(count: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(count)
    return [(torch.rand((6, 12, 5), generator=random) < 0.2 + 0.1 * index).float() for index in range(count)]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(memory_free.Dense(NORMED, 12, 9), memory_free.Dense(NORMED, 9, 4))


@pytest.mark.parametrize("count", [1, 3, 7])
def test_settled_statistics_are_means_over_batches(count: int) -> None:
    """Those that each batch alone would leave, averaged; whatever they were before, and with any momentum."""
    net, means, variances = network().eval(), [], []
    norm = net[1].neuron.norm
    norm.momentum = 0.01
    for x in batches(count):
        alone = network()
        alone[0].neuron.norm.momentum = alone[1].neuron.norm.momentum = 1.0
        alone(x)
        means.append(alone[1].neuron.norm.running_mean)
        variances.append(alone[1].neuron.norm.running_var)
    norm.running_mean.fill_(100.0)
    settle_norms(net, batches(count))
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))
    assert len(set(norm.running_mean.tolist())) > 1
    assert (norm.momentum, net.training, net[0].training) == (0.01, False, False)


def test_without_a_batch_or_a_norm_nothing_changes() -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    settle_norms(net, [])
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    settle_norms(nn.Linear(5, 3), batches(1))


def test_a_training_settles_them_before_each_validation(tmp_path: Path) -> None:
    """The same steps, and the same weights at the end; other statistics, with which the network does better."""
    plain = train(FAST, tmp_path / "plain", progress=False)
    settled = train(override(FAST, {"trainer.norm_batches": 20}), tmp_path / "settled", progress=False)
    one, two = (read_checkpoint(result.last)[1] for result in (plain, settled))
    differ = {name for name in one if not torch.equal(one[name], two[name])}
    assert differ == {
        f"network.0.neuron.norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    first, second = (read_logs(result.logs)["val_loss"] for result in (plain, settled))
    assert second[1] < first[1], "while the weights change fast"


def test_they_settle_in_32_bits_whatever_a_training_computes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statistics of a training in 16 bits are those that its weights have in 32."""
    seen: list[list[torch.Tensor]] = []

    def noted(net: nn.Module, given: Iterable[torch.Tensor]) -> None:
        seen.append(list(given))
        settle_norms(net, seen[-1])

    monkeypatch.setattr(norms, "settle_norms", noted)
    changes = {"trainer.norm_batches": 5, "trainer.precision": "bf16-mixed", "model.hidden": [64, 48]}
    found = restore(train(override(FAST, changes), tmp_path / "narrow", progress=False).last)
    stored = {name: value.clone() for name, value in found.network.state_dict().items() if "running" in name}
    settle_norms(found.network, seen[-1])
    again = found.network.state_dict()
    assert stored
    assert all(torch.equal(value, again[name]) for name, value in stored.items())
    with torch.autocast("cpu", torch.bfloat16):
        settle_norms(found.network, seen[-1])
    narrow = found.network.state_dict()
    assert any(not torch.equal(value, narrow[name]) for name, value in stored.items()), "there is a difference"


def test_a_resumed_training_is_as_if_never_interrupted(tmp_path: Path) -> None:
    config = override(FAST, {"trainer.norm_batches": 5, "data.batch_size": 64})
    whole = train(config, tmp_path / "whole", progress=False)
    last = interrupted(config, tmp_path / "part", 2)
    resumed = train(config, tmp_path / "part", resume=last, progress=False)
    one, two = (read_checkpoint(result.last)[1] for result in (whole, resumed))
    assert all(torch.equal(one[name], two[name]) for name in one)
