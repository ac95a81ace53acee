"""Stock NetX files: what is loaded computes what unmodified NetX computes, in every layer at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn.integer import IntegerNetwork
from tests.helpers.stock_netx import run_netx, text, write_stock

RANDOM = np.random.default_rng(12)
STEPS = 12


def cuba(threshold: int = 20) -> dict[str, Any]:
    return {
        "neuron/type": text("CUBA"),
        "neuron/iDecay": 1024,
        "neuron/vDecay": 300,
        "neuron/vThMant": threshold,
    }


def sdnn(threshold: int = 3) -> dict[str, Any]:
    return {"neuron/type": text("SDNN"), "neuron/vThMant": threshold}


def dense(out: int, inputs: int, neuron: dict[str, Any], low: int = -20, high: int = 30) -> dict[str, Any]:
    weight = RANDOM.integers(low, high, (out, inputs)).astype(np.float32)
    return {"type": text("dense"), "shape": np.array([out]), "weight": weight, **neuron}


def conv(out: int, channels: int, shape: tuple[int, int], neuron: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": text("conv"),
        "shape": np.array([out, *shape]),
        "weight": RANDOM.integers(-20, 25, (out, channels, 3, 2, 1)).astype(np.float32),
        "stride": np.array([1, 2]),
        "padding": np.array([1, 0]),
        "dilation": np.array([1, 1]),
        "groups": 1,
        "bias": RANDOM.integers(-9, 9, out).astype(np.float32),
        **neuron,
    }


def frames(network: IntegerNetwork, low: int = 0, high: int = 1) -> np.ndarray:
    return RANDOM.integers(low, high + 1, (1, *network.input.shape, STEPS))


def assert_equal(path: Path, network: IntegerNetwork, x: np.ndarray, **options: Any) -> None:
    """All layers' outputs equal those of NetX, and there are some that are not zero."""
    truth = run_netx(path, x[0].transpose(*range(x.ndim - 3, -1, -1), x.ndim - 2), **options)
    for backend in ("reference", "fast"):
        found = netx_export.simulate_layers(network, x, backend)
        for expected, output in zip(truth, found.values(), strict=True):
            axes = (*range(expected.ndim - 2, -1, -1), expected.ndim - 1)
            np.testing.assert_array_equal(output[0], expected.transpose(axes))
    assert all(each.any() for each in truth)


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_layers_of_cuba_neurons(tmp_path: Path, libver: str) -> None:
    groups = [
        {"type": text("input"), "shape": np.array([2, 6, 5])},
        conv(3, 2, (6, 2), cuba()),
        {"type": text("flatten"), "shape": np.array([36])},
        dense(8, 36, cuba(60)),
        dense(4, 8, cuba()),
    ]
    write_stock(tmp_path / "a.net", groups, libver=libver)
    network = netx_export.load(tmp_path / "a.net", timing="lava")
    assert network.input.shape == (2, 6, 5)
    assert_equal(tmp_path / "a.net", network, frames(network))


def test_layers_of_sigma_delta_neurons_behind_an_input_block(tmp_path: Path) -> None:
    groups = [
        {"type": text("input"), "shape": np.array([2, 6, 5]), **sdnn(2)},
        conv(3, 2, (6, 2), sdnn()),
        {"type": text("flatten")},
        dense(8, 36, sdnn()),
        dense(4, 8, {**sdnn(), "neuron/sigma_output": True}),
    ]
    write_stock(tmp_path / "a.net", groups)
    network = netx_export.load(tmp_path / "a.net", timing="lava")
    assert_equal(tmp_path / "a.net", network, frames(network, 0, 99))
