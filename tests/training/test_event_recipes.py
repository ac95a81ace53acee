"""Recipes for recordings that could not be had, run whole on files of their formats, read by tonic's own readers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn.errors import QsnnWarning
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.data import make
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import train
from tests.training.test_events import CIFAR10_CLASSES, recording, write_dvs_gesture, write_shd


def write_aedat4(folder: Path) -> None:
    """Ten recordings of every class, written by the makers of the camera."""
    dv = pytest.importorskip("dv_processing", reason="writes .aedat4 files, and is no dependency")
    for label, name in enumerate(CIFAR10_CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            layout = dv.io.MonoCameraWriter.EventOnlyConfig("camera", (128, 128))
            writer = dv.io.MonoCameraWriter(str(folder / name / f"cifar10_{name}_{number}.aedat4"), layout)
            events = dv.EventStore()
            for time, x, y, p in sorted_events(label * 10 + number):
                events.push_back(time, x, y, p)
            writer.writeEvents(events)
            del writer  # closes the file


def sorted_events(number: int) -> list[tuple[int, int, int, bool]]:
    events = recording(number, 128)
    events = events[np.argsort(events["t"], kind="stable")]
    return [(int(t), int(x), int(y), bool(p)) for t, x, y, p in zip(*(events[name] for name in "txyp"))]


#: How the files are made, and what makes the network small.
RECIPES: dict[str, tuple[Callable[[Path], None], dict[str, Any]]] = {
    "dvs_gesture": (write_dvs_gesture, {"model.channels": [4, 4, 4, 6], "model.hidden": [8], "data.batch_size": 8}),
    "cifar10_dvs": (write_aedat4, {"model.channels": [4, 4, 4, 6], "model.hidden": [8], "data.batch_size": 16}),
    "shd": (write_shd, {"model.hidden": [16, 16], "data.batch_size": 16}),
}


@pytest.mark.lava
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_deploys_and_is_exact(name: str, tmp_path: Path) -> None:
    write, small = RECIPES[name]
    write(tmp_path / "set")
    places = {"data.folder": str(tmp_path / "set"), "data.cache": str(tmp_path / "cache")}
    few = {"trainer.max_epochs": 1, "data.validation": 0.4}  # as many recordings as classes are held out
    lively = {"model.neuron.threshold": 0.0}  # random events in so few channels would be silent otherwise
    config = override(load_config(name), places | small | few | lively)
    with warnings.catch_warnings():
        warnings.simplefilter("error", QsnnWarning)  # within Lava's limits, whatever the weights become
        result = train(config, tmp_path / "run", progress=False)
        classifier, samples = restore(result.last), make(config.data)
        given = samples.properties
        network = netx_export.export(
            classifier.network, tmp_path / f"{name}.net", given.input_shape, given.timesteps, given.input_bits
        )
    x, labels = samples.test_arrays(4)
    assert len(set(labels.tolist())) > 1
    assert x.any()
    assert netx_export.verify(network, x, ["fast", "lava"], net=classifier.network).exact
    potentials = netx_export.simulate(network, x, backend="reference")
    assert len(np.unique(potentials)) > 2, "the answers differ"


@pytest.mark.parametrize("name", ["dvs_gesture", "cifar10_dvs"])
def test_pictures_of_a_camera_are_kept_whole(name: str) -> None:
    """Each pooling halves the pixels, and none is left out."""
    config = load_config(name)
    size = config.data.size
    assert size is not None
    assert size % 2 ** len(config.model.channels) == 0


def test_recordings_come_back_from_aedat4_files_as_they_were_written(tmp_path: Path) -> None:
    write_aedat4(tmp_path / "set")
    from tonic.io import read_aedat4

    events = read_aedat4(str(tmp_path / "set" / "airplane" / "cifar10_airplane_3.aedat4"))
    assert [(int(e["t"]), int(e["x"]), int(e["y"]), bool(e["on"])) for e in events] == sorted_events(3)
