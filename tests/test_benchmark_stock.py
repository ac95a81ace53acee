"""The benchmark beside unmodified NetX runs, on networks that do something. No time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import netx_export
from benchmarks import stock


@pytest.mark.lava
@pytest.mark.slow
def test_it_measures_both(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(stock.main)
    answer = CliRunner().invoke(app, ["--quick", "--results", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0
    (row,) = json.loads((tmp_path / "stock.json").read_text("utf-8"))["rows"]
    assert row["netx"]["wall"] > 0
    assert row["fast"]["wall"] > 0
    assert row["answers"] > 0


@pytest.mark.parametrize("name", stock.NETWORKS)
def test_its_networks_are_active_in_every_layer(name: str, tmp_path: Path) -> None:
    make, shape, _ = stock.NETWORKS[name]
    torch.manual_seed(0)
    stock.export(make(), tmp_path / "own.net", shape)
    network = netx_export.load(tmp_path / "own.net", shape, 16)
    outputs = netx_export.simulate_layers(network, stock.inputs(network, 1), "fast")
    rates = {layer: np.count_nonzero(values) / values.size for layer, values in outputs.items()}
    assert min(rates.values()) > 0.02, rates
