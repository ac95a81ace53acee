"""NeuroBench as a judge: its synaptic operations of whole networks in torch are those of their layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import TorchModel
from torch import nn

import netx_export
from lava_qsnn.integer import INPUT, Conv, Dense, IntegerNetwork, OneToOne, Synapse, run_reference, traces
from tests.chip import networks


class Connections(nn.Module):
    """The synapses of a network as torch's layers; its input is what each of them is given, step after step."""

    def __init__(self, synapses: list[Synapse]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(as_torch, synapses))

    def forward(self, given: list[torch.Tensor]) -> torch.Tensor:
        for layer, words in zip(self.layers, given):
            for step in words.unbind(-1):
                layer(step.flatten(1) if isinstance(layer, nn.Linear) else step)
        return given[0]


def as_torch(synapse: Synapse) -> nn.Module:
    weight = torch.as_tensor(np.array(synapse.weight), dtype=torch.float32)
    layer: nn.Module
    if isinstance(synapse, Dense):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    elif isinstance(synapse, OneToOne):
        layer = nn.Conv2d(len(weight), len(weight), 1, groups=len(weight), bias=False)
        weight = weight.reshape(-1, 1, 1, 1)
    else:
        assert isinstance(synapse, Conv)
        channels, size = weight.shape[1] * synapse.groups, (weight.shape[2], weight.shape[3])
        rest = (synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
        layer = nn.Conv2d(channels, weight.shape[0], size, *rest, bias=False)
    layer.weight = nn.Parameter(weight)
    return layer


def judged(network: IntegerNetwork, x: np.ndarray[Any, Any]) -> dict[str, float]:
    """NeuroBench's effective multiplications and accumulations, and all operations, of one sample, on average."""
    outputs = {INPUT: x, **run_reference(network, x)}
    each = [(layer, connection) for layer in network.layers for connection in layer.connections]
    given = [
        torch.as_tensor(traces(outputs[connection.source], layer.taps(connection)), dtype=torch.float32)
        for layer, connection in each
    ]
    model = TorchModel(Connections([connection.synapse for _, connection in each]))
    model.register_hooks()
    with torch.no_grad():
        answer = model(given)
    metric: Callable[..., dict[str, float]] = SynapticOperations()
    return metric(model, answer, (torch.zeros(len(x)),))


@settings(max_examples=15, deadline=None)
@given(networks.networks(), st.integers(0, 2**32 - 1))
def test_effective_and_dense_operations_are_neurobenchs(network: IntegerNetwork, seed: int) -> None:
    x = networks.samples(network, seed)
    traffic = netx_export.layout(network, networks.TINY, activity=x).traffic
    assert traffic is not None
    judge = judged(network, x)
    assert judge["Effective_MACs"] + judge["Effective_ACs"] == pytest.approx(float(traffic.synops.mean()), rel=1e-6)
    assert judge["Dense"] == traffic.dense_synops > 0
    multiplied = sum(int(layer.multiplications.sum()) for layer in traffic.layers.values()) / len(x)
    if multiplied == 0:
        assert judge["Effective_MACs"] == 0


def test_neurobenchs_own_example() -> None:
    """Three inputs, two of them 1, and nine synapses, three of them 0: four effective operations of nine."""
    layer = Connections([Dense(np.array([[1, 0, 2], [0, 3, 4], [5, 6, 0]]))])
    model = TorchModel(layer)
    model.register_hooks()
    model([torch.tensor([[1.0, 0.0, 1.0]]).unsqueeze(-1)])
    metric: Callable[..., dict[str, float]] = SynapticOperations()
    found = metric(model, None, (torch.zeros(1),))
    assert found == {"Effective_MACs": 0.0, "Effective_ACs": 4.0, "Dense": 9.0}
