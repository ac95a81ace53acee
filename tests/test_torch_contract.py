"""The contract between blocks and neurons: a neuron from outside of the package trains, is deployed, and is exact."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import netx_export
from lava_qsnn import block, integer
from lava_qsnn.block import memory_free
from lava_qsnn.errors import DeploymentError
from lava_qsnn.neuron import contract, lif, quantized_lif, tanh_lif
from lava_qsnn.neuron.memory_free import Neuron, Readout
from lava_qsnn.surrogate import spike


class Untrained(nn.Module):
    """A neuron without memory, norm or state, and without an integer form; it has the contract's names alone."""

    spikes = True
    needs_float32 = True
    needs_integers = False
    early_taps = None
    shape: torch.Size | None = None

    def __init__(self, threshold: float, channels: int | None = None) -> None:
        super().__init__()
        self.threshold, self.channels = nn.Parameter(torch.tensor(threshold)), channels

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        real = current * step.reshape(-1, *[1] * (current.dim() - 2))
        return spike(real - self.threshold, 0.0)


class Deployed(Untrained):
    """The same with an integer form."""

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> contract.Deployed:
        theta = np.ceil(self.threshold.item() / step).astype(np.int64)
        return contract.Deployed(integer.MemoryFree((1,), theta), np.ones(len(step), np.int64), step)

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        assert isinstance(deployed, integer.MemoryFree)
        return current >= torch.tensor(deployed.threshold).reshape(-1, *[1] * (current.dim() - 2))


Dense, Conv, Pool, Input = block.family(__name__, Deployed)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        Conv({"threshold": 0.4}, 1, 4, 3, weight_bits=2),
        Pool({"threshold": 0.5}, 2),
        memory_free.Flatten(),
        Dense({"threshold": 0.3}, 16, 8),
        memory_free.Output(8, 3),
    )


def test_a_neuron_from_outside_trains_and_is_deployed_exactly() -> None:
    net, x = network(), torch.randint(0, 4, (16, 1, 6, 6, 5)).float()
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters() if p.requires_grad)
    deployed = netx_export.export(net, None, (1, 6, 6), 5, input_bits=2)
    report = netx_export.verify(deployed, x.numpy().astype(int), ["reference", "fast"], net.eval())
    assert report.exact
    assert all(0 < row.spikes < row.values for row in report.rows)
    assert list(deployed) == ["conv1", "pool2", "dense3", "output"]


def test_blocks_of_a_family_are_found_where_it_is_made() -> None:
    dense = Dense({"threshold": 0.3}, 16, 8)
    assert type(pickle.loads(pickle.dumps(dense))) is Dense
    assert dense.neuron.channels == 8
    assert Dense.__module__ == __name__
    assert memory_free.Dense.__module__ == "lava_qsnn.block.memory_free"
    assert issubclass(Dense, block.Synaptic)


def test_a_neuron_without_an_integer_form_trains_and_is_refused_by_name() -> None:
    blocks = block.family(__name__, Untrained)
    net = nn.Sequential(blocks.Dense({"threshold": 0.3}, 4, 6), memory_free.Output(6, 2))
    net(torch.ones(2, 4, 3)).sum().backward()
    assert net.eval()[0](torch.ones(2, 4, 3)).shape == (2, 6, 3)
    with pytest.raises(DeploymentError, match="layer 'dense1': a neuron of type Untrained has no integer form"):
        netx_export.export(net, None, (4,), 3)


@pytest.mark.parametrize(
    ("neuron", "deployable"),
    [
        (Neuron(threshold=1.0), True),
        (Readout(), True),
        (quantized_lif.Neuron(threshold=1.0), True),
        (lif.Neuron(threshold=1.0), False),
        (tanh_lif.Neuron(threshold=0.5), False),
        (None, False),
    ],
    ids=["memory_free", "readout", "quantized_lif", "lif", "tanh_lif", "none"],
)
def test_neurons_say_whether_they_can_be_deployed(neuron: Any, deployable: bool) -> None:
    assert contract.is_deployable(neuron) == deployable
    if deployable:
        assert contract.deployable(neuron) is neuron
    else:
        with pytest.raises(DeploymentError, match="Remedy: train with memory_free or quantized_lif"):
            contract.deployable(neuron)
