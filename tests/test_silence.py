"""Neurons that never fire are told: by the export, by a network's summary, by verify, and while it trains."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn.block import memory_free, quantized_lif
from lava_qsnn.errors import QsnnWarning
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.train import train
from netx_export._silence import silent_channels
from tests.helpers.command import call


def network(threshold: float, family: object = memory_free) -> nn.Sequential:
    torch.manual_seed(0)
    dense = family.Dense({"threshold": threshold, "norm": None}, 12, 8)  # type: ignore[attr-defined]
    return nn.Sequential(dense, memory_free.Output(8, 3))


def test_an_export_tells_of_layers_that_can_never_fire() -> None:
    with pytest.warns(QsnnWarning, match="layer 'dense1': none of its neurons can ever fire.*Remedy: use norm"):
        deployed = netx_export.export(network(1e4), None, (12,), 4)
    assert netx_export.describe(deployed)[0].silent_channels == 8
    assert not netx_export.simulate(deployed, np.ones((1, 12, 4), int)).any()


@pytest.mark.parametrize("family", [memory_free, quantized_lif])
def test_an_export_tells_of_layers_that_did_not_fire(family: object) -> None:
    net = network(
        1.5 if family is memory_free else 1e4, family
    )  # nearly all inputs would have to agree with the weights
    with pytest.warns(QsnnWarning, match="layer 'dense1': none of its neurons fired on 4 random samples"):
        deployed = netx_export.export(net, None, (12,), 4)
    assert not silent_channels(deployed)["dense1"].all()


def test_an_export_of_neurons_that_fire_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deployed = netx_export.export(network(0.2), None, (12,), 4)
    assert netx_export.simulate(deployed, np.ones((1, 12, 4), int)).any()


def test_silent_channels_are_those_that_no_input_reaches() -> None:
    """Judged by trying every input there is."""
    deployed = netx_export.fold(network(0.75), (12,), 1)
    x = (np.arange(2**12)[:, None, None] >> np.arange(12)[None, :, None]) & 1
    fired = netx_export.simulate_layers(deployed, x, "reference")["dense1"].any((0, 2))
    assert (silent_channels(deployed)["dense1"] == ~fired).all()
    assert 0 < fired.sum() < 8


def test_verify_names_the_layers_that_were_silent() -> None:
    net = network(0.3)
    deployed = netx_export.fold(net, (12,), 4)
    x = np.ones((2, 12, 4), int)
    assert netx_export.verify(deployed, 0 * x, ["fast"], net).silent == ("dense1", "output")
    assert netx_export.verify(deployed, x, ["fast"], net).silent == ()


def test_the_command_tells_of_silence(tmp_path: Path, capsys, monkeypatch) -> None:
    with pytest.warns(QsnnWarning):
        netx_export.export(network(1e4), tmp_path / "silent.net", (12,), 4)
    _, out, _ = call(capsys, monkeypatch, "inspect", tmp_path / "silent.net")
    assert "layer_never_fires" in out
    assert "dense1" in out


def test_training_warns_of_a_layer_that_never_fires(tmp_path: Path) -> None:
    silent = {"model.neuron.threshold": 1e3, "model.neuron.norm": None, "model.hidden": [8], "trainer.max_epochs": 2}
    with pytest.warns(QsnnWarning, match="layer 'dense1'.*lower model.neuron.threshold") as told:
        train(override(load_config("digits"), silent), tmp_path / "run", progress=False)
    assert sum("dense1" in str(warning.message) for warning in told) == 1


@pytest.mark.parametrize("family", [memory_free, quantized_lif])
def test_blocks_that_know_their_channels_have_a_norm(family: object) -> None:
    make, parameters = family, {"threshold": 0.5}  # type: ignore[var-annotated]
    for block in (make.Dense(parameters, 3, 4), make.Conv(parameters, 3, 4, 2)):  # type: ignore[attr-defined]
        assert block.neuron.norm.num_features == 4
    assert make.Dense({**parameters, "norm": None}, 3, 4).neuron.norm is None  # type: ignore[attr-defined]
    assert make.Pool(parameters, 2).neuron.norm is None  # type: ignore[attr-defined]
    assert make.Pool({**parameters, "channels": 5}, 2).neuron.norm.num_features == 5  # type: ignore[attr-defined]
