"""Networks trained with slayer and exported by its own blocks: what is loaded equals unmodified NetX everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import netx_export
from lava_qsnn._slayer import slayer
from tests.helpers.stock_netx import run_netx

STEPS, BATCH = 24, 4
CUBA = {"threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.1, "requires_grad": True}
OWN = {**CUBA, "shared_param": False}
NORM = {**CUBA, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
SDNN = {"threshold": 0.1, "activation": torch.relu}
RF = {"threshold": 1.0, "period": 9, "decay": 0.1, "requires_grad": True}

block = slayer.block


def delays() -> list[Any]:
    return [block.cuba.Dense(CUBA, 12, 16, weight_scale=3, delay=True), block.cuba.Dense(CUBA, 16, 5, weight_scale=3)]


def recurrence() -> list[Any]:
    """Recurrent blocks write into the parameters that they are given."""
    return [
        block.cuba.Recurrent(dict(CUBA), 12, 16, weight_scale=3, delay_shift=False),
        block.cuba.Dense(CUBA, 16, 5, weight_scale=3),
    ]


def own_decays_and_norms() -> list[Any]:
    return [
        block.cuba.Dense(OWN, 12, 16, weight_scale=3),
        block.cuba.Dense(NORM, 16, 5, weight_scale=4, weight_norm=True),
    ]


def convolutions() -> list[Any]:
    return [
        block.cuba.Conv(CUBA, 2, 4, 3, padding=1, weight_scale=3, groups=2),
        block.cuba.Conv(NORM, 4, 6, 3, stride=2, dilation=2, padding=2, weight_scale=3),
        block.cuba.Flatten(),
        block.cuba.Dense(CUBA, 54, 5, weight_scale=3),
        block.cuba.Affine(CUBA, 5, 3),
    ]


def sigma_deltas() -> list[Any]:
    return [
        block.sigma_delta.Input(SDNN),
        block.sigma_delta.Conv(SDNN, 2, 4, 3, padding=1, weight_scale=2),
        block.sigma_delta.Flatten(),
        block.sigma_delta.Dense(SDNN, 144, 8, weight_scale=2),
        block.sigma_delta.Output(SDNN, 8, 3, weight_scale=2),
    ]


def resonators() -> list[Any]:
    return [block.rf.Dense(RF, 12, 16, weight_scale=6), block.rf_iz.Dense(RF, 16, 5, weight_scale=9)]


def own_resonators() -> list[Any]:
    return [block.rf_iz.Dense({**RF, "shared_param": False}, 12, 16, weight_scale=6)]


#: The networks, with the shape of what they take and whether that is a number, not a spike.
NETWORKS: dict[str, tuple[Callable[[], list[Any]], tuple[int, ...], bool]] = {
    "delays": (delays, (12,), False),
    "recurrence": (recurrence, (12,), False),
    "own decays and norms": (own_decays_and_norms, (12,), False),
    "convolutions": (convolutions, (2, 6, 6), False),
    "sigma-deltas": (sigma_deltas, (2, 6, 6), True),
    "resonators": (resonators, (12,), False),
    "own resonators": (own_resonators, (12,), False),
}


def trained(blocks: list[Any], x: torch.Tensor) -> torch.nn.Sequential:
    """A few steps towards a rate of one half, so that no number is the one it was made with."""
    net = torch.nn.Sequential(*blocks)
    net(x)  # some parameters are made by the first input
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(8):
        loss = (net(x).mean() - 0.5) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net(x)
    return net


def exported(net: torch.nn.Sequential, path: Path) -> None:
    with h5py.File(path, "w") as file:
        for index, each in enumerate(net):
            each.export_hdf5(file.create_group(f"layer/{index}"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_what_slayer_trained_equals_netx(name: str, tmp_path: Path) -> None:
    make, shape, graded = NETWORKS[name]
    torch.manual_seed(len(name))
    x = torch.rand(BATCH, *shape, STEPS)
    net = trained(make(), x if graded else (x < 0.3).float())
    exported(net, tmp_path / "a.net")
    network = netx_export.load(tmp_path / "a.net", shape, timing="lava")
    fed = (
        (np.cumsum(x.numpy() - 0.4, -1)[:1] * 64).astype(np.int64) if graded else (x[:1].numpy() < 0.3).astype(np.int64)
    )
    truth = run_netx(tmp_path / "a.net", fed[0], network.output.neuron.kind == "cuba_readout", input_shape=shape[::-1])
    for backend in ("reference", "fast"):
        found = netx_export.simulate_layers(network, fed, backend)
        for layer, expected in zip(found, truth, strict=True):
            np.testing.assert_array_equal(found[layer][0], expected)
    assert truth[0].any()
    assert truth[-1].any()
