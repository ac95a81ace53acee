"""The verbs about the chip, and the picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import netx_export
from netx_export._chip.picture import OUTLINES, chip_flows
from tests.chip import published
from tests.helpers.command import call
from tests.helpers.files import network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    return tmp_path / "some.net"


def test_layout_shows_cores_limits_and_what_is_unknown(file: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "layout", file)
    assert status == 0
    for text in (
        "conv1",
        "dense2",
        "loihi2 (lava-loihi 2024)",
        "by the compiler's rules",
        "unknown",
        "Oheo Gulch",
        "[T]",
    ):
        assert text in out
    assert "SynOps" not in out


def test_layout_counts_what_moves_for_an_array(file: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    array = tmp_path / "x.npy"
    np.save(array, np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    status, out, _ = call(capsys, monkeypatch, "layout", file, "--input", array)
    assert status == 0
    assert "SynOps" in out
    assert "mean of 3" in out
    status, out, _ = call(capsys, monkeypatch, "layout", file, "--input", array, "--json", "--mapping", "delayed")
    found = json.loads(out)
    assert (status, found["version"], found["mapping"]) == (0, 1, "delayed")
    traffic = netx_export.layout(file, mapping="delayed", activity=np.load(array)).traffic
    assert found["traffic"]["per_sample"]["synops"]["mean"] == traffic.synops.mean() > 0


def test_layout_takes_shapes_alone_and_draws(tmp_path: Path, capsys, monkeypatch) -> None:
    shapes, picture = tmp_path / "mnist.yaml", tmp_path / "mnist.png"
    shapes.write_text("input: [784]\nlayers: [{channels: 128}, {channels: 64}, {channels: 10}]\n")
    status, out, _ = call(capsys, monkeypatch, "layout", shapes, "--picture", picture)
    assert status == 0
    assert "12,544 78%" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--chip", "loihi9"), "there is no chip 'loihi9'"),
        (("--chip", "loihi1"), "loihi1 sends spikes without a payload"),
        (("--mapping", "none"), "there is no mapping 'none'"),
    ],
)
def test_bad_wishes_end_with_one_line(
    file: Path, arguments: tuple[str, ...], problem: str, capsys, monkeypatch
) -> None:
    status, out, err = call(capsys, monkeypatch, "layout", file, *arguments)
    assert (status, out) == (1, "")
    assert problem in err
    assert len(err.strip().splitlines()) == 1


def test_a_layer_too_large_for_a_core_ends_with_one_line(tmp_path: Path, capsys, monkeypatch) -> None:
    shapes = tmp_path / "wide.yaml"
    shapes.write_text("input: [20000]\nlayers: [{channels: 10}]\n")
    status, _, err = call(capsys, monkeypatch, "layout", shapes)
    assert status == 1
    assert "it fits no core" in err
    assert "20,000 of 16,000 incoming axons" in err


def drawn(layout: netx_export.Layout, path: Path) -> dict[str, int]:
    """Numbers of outlines by colour, and of texts, in a picture as SVG."""
    netx_export.plot_layout(layout, path)
    root = ElementTree.parse(path).getroot()
    styles = [element.get("style", "") for element in root.iter("{http://www.w3.org/2000/svg}path")]
    from matplotlib.colors import to_hex

    return {name: sum(f"stroke: {to_hex(color)}" in style for style in styles) for name, color in OUTLINES.items()}


def test_the_picture_has_a_box_for_each_core_outlined_by_its_limit(tmp_path: Path) -> None:
    layout = netx_export.layout(published.PILOTNET_LIF, "loihi2-2022")
    found = drawn(layout, tmp_path / "chips.svg")
    for name in ("state_words", "synmem_words"):
        cores = sum(layer.cores for layer in layout.layers if layer.binding == name)
        assert cores <= found[name] <= cores + 40  # black is the colour of letters, too, and each has one in the legend
    assert sum(layer.cores for layer in layout.layers) == 74


def test_arrows_between_chips_follow_the_messages() -> None:
    layout = netx_export.layout(published.yolo(4))
    flows = chip_flows(layout)
    assert layout.chips == 6
    assert {(a, b) for a, b in flows if a != b} >= {(0, 2), (1, 2)}
    figure = netx_export.plot_layout(layout)
    (axes,) = figure.axes
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == sum(a != b for a, b in flows)
