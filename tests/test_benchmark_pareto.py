"""The picture of accuracy beside bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from benchmarks import pareto
from netx_export import zoo


def test_points_are_what_files_and_the_index_say(tmp_path: Path) -> None:
    """Digits: dense layers of +-1, and of more bits, as many as its numbers need, in the last."""
    pareto.main("digits", tmp_path)
    rows = {row["name"]: row for row in json.loads((tmp_path / "pareto_digits.json").read_text("utf-8"))["rows"]}
    network = zoo.load("digits")
    (*hidden, last) = (layer.connections[0].synapse.weight for layer in network.layers)
    assert all(set(np.unique(weight)) == {-1, 1} for weight in hidden)
    bits = next(bits for bits in range(2, 9) if -(2 ** (bits - 1)) <= last.min() and last.max() < 2 ** (bits - 1))
    assert rows["digits"]["weight_bytes"] == (sum(weight.size for weight in hidden) + last.size * bits) / 8
    assert rows["digits"]["accuracy"] == pytest.approx(0.9806)
    assert rows["digits"]["state_bytes"] == zoo.record("digits").neuron_state_bits / 8 > 0
    assert [row["weight_bytes"] + row["state_bytes"] for row in rows.values()] == sorted(
        row["weight_bytes"] + row["state_bytes"] for row in rows.values()
    )
    pixels = np.asarray(Image.open(tmp_path / "pareto_digits.png").convert("RGB"))
    blue = (pixels == (31, 119, 180)).all(-1)
    assert blue.sum() > 20 * len(rows), "a filled circle for each network"


def test_the_published_network_has_the_size_of_vgg_16() -> None:
    """14.7 million weights are VGG-16's for CIFAR-10, 276,480 its neurons; at 2 bits, four of them are a byte."""
    point = pareto.mint()
    assert (point.weight_bytes * 4, point.state_bytes * 4) == (14_715_584, 276_480)
    assert not point.measured_here


def test_a_data_set_without_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="no network of the zoo was measured on 'none'"):
        pareto.main("none", tmp_path)
