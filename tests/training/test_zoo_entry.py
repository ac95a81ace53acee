"""Adding to the zoo: what is recorded was measured, and a second time it replaces the first."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netx_export
import zoo_entry
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.train import train
from netx_export._zoo import _records, card, enclosed, names, record

CHANGES = {"trainer.max_epochs": 1, "model.hidden": [12], "seed": 3}


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """An empty zoo, with the words of one model card."""
    for kind in ("networks", "samples", "cards"):
        (tmp_path / "zoo" / kind).mkdir(parents=True)
    (tmp_path / "zoo" / "cards" / "tiny.md").write_text("**Limits.** It is tiny.", "utf-8")
    return tmp_path / "zoo"


@pytest.mark.slow
@pytest.mark.lava
def test_an_entry_tells_what_was_measured(zoo: Path, tmp_path: Path) -> None:
    train(override(load_config("digits"), CHANGES), tmp_path / "run", progress=False)
    zoo_entry.add(tmp_path / "run", "digits, badly", "tiny", "digits", None, "CC BY 4.0", 2, zoo)
    known, file = record("tiny", zoo), zoo / "networks" / "tiny.net"
    network = netx_export.load(file)
    assert known.training == "lava-qsnn train digits --seed 3 --set model.hidden=[12] --set trainer.max_epochs=1"
    assert (known.seed, known.layers, known.timesteps, known.input_shape) == (3, "64-12-10", 4, (64,))
    assert known.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert known.measured.command == "lava-qsnn run zoo:tiny --data digits --samples 360 --backend fast"
    x, labels = zoo_entry.test_data(network, None)
    right = (netx_export.simulate(network, x, "fast").sum(-1).argmax(1) == labels).mean()
    assert known.measured.value == f"{right:.2%}"
    assert 0.2 < right < 1
    assert {name: count.samples for name, count in known.exact.items()} == {
        "fast": 360,
        "lava": 2,
        "lava-async": 2,
        "lava-fused": 2,
        "netx": 2,
    }
    assert all(count.mismatches == 0 < count.values for count in known.exact.values())
    packed, packed_labels = enclosed("tiny", zoo)
    assert np.array_equal(packed, x[:20])
    assert np.array_equal(packed_labels, labels[:20])
    assert "It is tiny" in card("tiny", zoo)
    zoo_entry.add(tmp_path / "run", "digits, again", "tiny", "digits", None, None, 1, zoo, workers=2)
    assert names(zoo) == ("tiny",)
    assert (record("tiny", zoo).task, record("tiny", zoo).samples) == ("digits, again", None)
    assert not list((zoo / "samples").iterdir())


def test_an_entry_needs_a_card_and_a_shipped_configuration(zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no model card '.*other\.md'"):
        zoo_entry.add(tmp_path, "anything", "other", "digits", None, None, 2, zoo)
    with pytest.raises(ConfigurationError, match="no configuration 'imagenot' is shipped"):
        zoo_entry.training_command("imagenot", load_config("digits"))
    assert zoo_entry.training_command("digits", load_config("digits")) == "lava-qsnn train digits"
    moved = override(load_config("mnist"), {"data.folder": "somewhere", "trainer.accelerator": "cpu"})
    assert zoo_entry.training_command("mnist", moved) == "lava-qsnn train mnist --folder FOLDER"
    begun = override(load_config("digits"), {"model.initial": "/somewhere/first/best.ckpt"})
    assert zoo_entry.training_command("digits", begun) == "lava-qsnn train digits --initial runs/first/best.ckpt"
    of_zoo = override(begun, {"model.initial": "zoo:mnist"})
    assert zoo_entry.training_command("digits", of_zoo) == "lava-qsnn train digits --initial zoo:mnist"
    taught = override(begun, {"optimizer.teacher": "/elsewhere/wise/best.ckpt", "seed": 3})
    assert zoo_entry.training_command("digits", taught) == (
        "lava-qsnn train digits --initial runs/first/best.ckpt --teacher runs/wise/best.ckpt --seed 3"
    )


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    known = replace(record("digits"), task="ünïcode | and bars")
    _records.write_index({"digits": known}, tmp_path)
    assert names(tmp_path) == ("digits",)
    assert record("digits", tmp_path) == known
