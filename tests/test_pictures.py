"""Pictures show what was computed: samples on their way, and curves of a training with whole epochs below them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import netx_export
from lava_qsnn import integer
from lava_qsnn.train import curves

T = 5


def network() -> integer.IntegerNetwork:
    """Flattened images of 4 x 6 pixels, eight spiking neurons, three classes with names."""
    random = np.random.default_rng(0)
    hidden = integer.MemoryFree((2, 1), random.integers(-10, 10, 8))
    layers = (
        integer.Layer("hidden", (integer.Connection("input", integer.Dense(random.integers(-2, 3, (8, 24)))),), hidden),
        integer.Layer(
            "out",
            (integer.Connection("hidden", integer.Dense(random.integers(-7, 8, (3, 8)))),),
            integer.Readout((1,)),
        ),
    )
    return integer.IntegerNetwork(
        integer.Input((24,), 3), T, layers, {"classes": ["cat", "dog", "owl"], "shape": [1, 4, 6]}
    )


NETWORK, SAMPLE = network(), np.random.default_rng(1).integers(0, 4, (24, T))


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    """Each layer's output for the sample."""
    return {name: values[0] for name, values in netx_export.simulate_layers(NETWORK, SAMPLE[None], "reference").items()}


def drawn(label: int | None = None) -> list[Any]:
    """The panels of the picture, from left to right and from top to bottom."""
    figure = netx_export.plot_sample(NETWORK, SAMPLE, backend="fast", label=label, title="mine")
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


def test_the_input_is_drawn_as_the_images_that_it_was() -> None:
    left, right, *_ = drawn()
    picture = np.asarray(left.images[0].get_array())
    frames = SAMPLE.reshape(4, 6, T)
    assert all(any((part == frames[..., t]).all() for part in windows(picture)) for t in (0, T - 1))
    assert "4x6" in left.get_title()
    assert right.lines[0].get_ydata().tolist() == SAMPLE.sum(0).tolist()


def windows(picture: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """All parts of a picture, (4, ..), that are as large as an image."""
    return [picture[:, start : start + 6] for start in range(picture.shape[1] - 5)]


def test_spikes_and_potentials_are_those_that_were_computed(outputs: dict[str, Any]) -> None:
    _, _, raster, potentials, *_ = drawn()
    spikes = outputs["hidden"]
    assert 0.1 < spikes.mean() < 0.9
    assert (np.asarray(raster.images[0].get_array()) == spikes).all()
    assert f"{spikes.mean():.0%}" in raster.get_title()
    traces = [line.get_ydata() for line in potentials.lines if len(line.get_ydata()) == T]
    assert len(traces) == 6
    for trace in traces:
        assert any(((trace >= 0) == row).all() for row in spikes), "a neuron fires where it is not below its threshold"


@pytest.mark.parametrize("right", [True, False])
def test_the_answer_and_the_truth_stand_out(right: bool, outputs: dict[str, Any]) -> None:
    sums = outputs["out"].sum(-1)
    answer = int(sums.argmax())
    label = answer if right else (answer + 1) % 3
    *_, bars = drawn(label)
    assert [bar.get_height() for bar in bars.patches] == sums.tolist()
    colors = {bar.get_facecolor() for bar in bars.patches}
    assert len(colors) == (2 if right else 3)
    assert bars.patches[answer].get_facecolor() == to_rgba("tab:red")
    assert [text.get_text() for text in bars.get_xticklabels()] == ["cat", "dog", "owl"]
    names = NETWORK.metadata["classes"]
    title = bars.figure.get_suptitle()
    assert title.startswith(f"mine on 'fast': answer {names[answer]}")
    assert title.endswith("which is true" if right else f"truth {names[label]} (blue)")


def test_time_is_counted_in_whole_steps() -> None:
    for axis in drawn():
        if axis.get_gid() != "other":
            assert axis.get_xticks().tolist() == list(range(T))


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 40])
def test_learning_curves_have_whole_epochs(epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    fall = {epoch: 1 / epoch for epoch in range(1, epochs + 1)}
    rise = {epoch: 1 - 0.5 / epoch for epoch in fall}
    logged = {"train_loss": fall, "val_loss": fall, "train_accuracy": rise, "val_accuracy": rise, "rate_dense1": rise}
    curves.draw(logged, tmp_path / "curves.png", "mine")
    (figure,) = figures
    assert len(figure.axes) == 4
    for axis in figure.axes:
        low, high = axis.get_xlim()
        ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) for tick in ticks), ticks
    accuracy = figure.axes[1]
    assert [line.get_ydata()[-1] for line in accuracy.lines[:2]] == [rise[epochs]] * 2
    assert f"{rise[epochs]:.2%} in epoch {epochs}" in [line.get_label() for line in accuracy.lines]


def test_a_picture_of_numbers_tells_them_by_name_and_no_class() -> None:
    network, x = netx_export.zoo.load("road"), netx_export.zoo.samples("road")[0][0]
    ((number,),) = netx_export.predictions(network, netx_export.simulate(network, x[None]))
    for names, shown in ((["steering"], "steering"), (["a", "b"], "0"), (3, "0")):
        changed = replace(network, metadata={**network.metadata, "numbers": names})
        figure = netx_export.plot_sample(changed, x, title="a road")
        assert figure.get_suptitle() == f"a road on 'reference': answer {shown} {number:.4g}"
        assert [axis.get_xlabel() for axis in figure.axes[-2:]] == ["time step", "number"]
