"""The measurements on a GPU run on a CPU, small: every stage, with data in the form that they travel in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import gpu, gpu_resnet19
from benchmarks._packed import pack, unpack
from lava_qsnn._sums import exact_sums

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """CIFAR-10's binary version of 240 pictures, whose classes have colours, packed into its two parts."""
    random = np.random.default_rng(0)
    source = tmp_path / "source"
    source.mkdir()
    for name in gpu_resnet19.FILES:
        labels = random.integers(0, 10, 40).astype(np.uint8)
        images = labels[:, None, None, None] * 20 + random.integers(0, 60, (40, 3, 32, 32))
        np.concatenate([labels[:, None], images.astype(np.uint8).reshape(40, -1)], 1).tofile(source / name)
    gpu_resnet19.write_parts(source, tmp_path / "parts")
    return tmp_path / "parts"


@given(st.integers(0, 99), st.tuples(*[st.integers(1, 5)] * 4), st.integers(1, 8), st.booleans())
def test_pictures_come_back_as_they_were_packed(seed: int, shape: tuple, bits: int, smooth: bool) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, shape).astype(np.uint8)
    images = np.sort(images, -1) if smooth else images
    labels = random.integers(0, 256, shape[0]).astype(np.uint8)
    found, told = unpack(pack(images, labels, bits))
    assert np.array_equal(found, images >> (8 - bits) << (8 - bits))
    assert np.array_equal(told, labels)


def test_smooth_pictures_become_small() -> None:
    ramp = (np.add.outer(np.arange(32), np.arange(32)) * 3).astype(np.uint8)
    images = np.broadcast_to(ramp, (200, 3, 32, 32)) + np.random.default_rng(0).integers(0, 4, (200, 3, 32, 32))
    assert len(pack(images.astype(np.uint8), np.zeros(200, np.uint8), 8)) < images.size / 2


@pytest.mark.parametrize("header", [{"shape": [2**40, 3, 32, 32], "bits": 6}, {"shape": [5, 3, 32, 32], "bits": 6}])
def test_a_header_that_lies_fills_no_memory(header: dict) -> None:
    body = pack(np.zeros((2, 3, 32, 32), np.uint8), np.zeros(2, np.uint8), 6).partition(b"\n")[2]
    with pytest.raises(ValueError, match="it tells of|it holds"):
        unpack(json.dumps(header).encode() + b"\n" + body)


@pytest.mark.slow
@pytest.mark.lava
def test_a_dry_run_measures_everything(folder: Path, tmp_path: Path) -> None:
    variables = {"FOLDER": str(folder), "RESULTS": str(tmp_path / "results"), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", str(ROOT / "benchmarks" / "gpu.sh"), "dry"],
        env=os.environ | variables | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {path.stem: json.loads(path.read_text("utf-8")) for path in (tmp_path / "results").glob("*.json")}
    assert told.keys() == {f"gpu_{stage}" for stage in gpu.STAGES}
    assert {each["device"] for each in told.values()} == {"the CPU, a dry run"}
    assert told["gpu_exact"]["mismatches"] == 0
    assert len(told["gpu_exact"]["rows"]) == 3 * 4
    assert {"ours / baseline", "other / ours"} <= told["gpu_steps"]["rows"][0].keys()
    assert "slayer CUBA" in told["gpu_steps"]["rows"][0]["other / ours"]
    assert told["gpu_unpack"]["still missing"] == []
    trained = told["gpu_resnet19"]
    assert trained["done"] == trained["epochs"] == len(trained["log"]) == 2
    assert 0 <= trained["test accuracy"] <= 1
    assert list((tmp_path / "results").glob("resnet19.weights.*"))


def test_a_training_goes_on_where_it_was_and_from_what_came_home(folder: Path, tmp_path: Path) -> None:
    gpu_resnet19.unpack(folder)
    before = gpu_resnet19.Training(folder, "cpu", quick=True)
    assert before.resume(folder) == "nothing"
    first = before.train_epoch()
    before.save()
    before.bring_home(tmp_path / "home")
    again = gpu_resnet19.Training(folder, "cpu", quick=True)
    assert again.resume(folder) == "the whole state"
    assert again.epoch == 1
    assert again.train_epoch() == before.train_epoch() != first, "to the last bit"
    (folder / "resnet19.pt").unlink()
    fresh = gpu_resnet19.Training(folder, "cpu", quick=True)
    assert fresh.resume(tmp_path / "home") == "weights"
    assert fresh.epoch == 1
    assert gpu_resnet19.run(folder, tmp_path / "results", "cpu", seconds=0, quick=True)["done"] == 0, (
        "no time, no epoch"
    )


def test_what_is_missing_is_said_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = gpu.Options("cpu", True, 10.0, tmp_path / "empty", tmp_path / "results")
    assert not gpu.run("unpack", options)
    assert not gpu.run("resnet19", options)
    assert gpu.run("look", options)
    monkeypatch.setitem(sys.modules, "benchmarks.training_step", None)
    assert not gpu.run("steps", options)
    told = {path.stem: json.loads(path.read_text("utf-8")) for path in (tmp_path / "results").glob("*.json")}
    assert "missing" in told["gpu_unpack"]["not run"]
    assert "unpack both parts" in told["gpu_resnet19"]["not run"]
    assert "benchmarks.training_step" in told["gpu_steps"]["not run"]
    assert told["gpu_look"]["packages"]["h5py"] == "here"


def test_sums_on_a_gpu_are_of_float32_alone() -> None:
    flags, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = flags.enabled, flags.allow_tf32, matmul.allow_tf32
    with exact_sums(torch.device("cpu")):
        assert (flags.enabled, flags.allow_tf32, matmul.allow_tf32) == before
    matmul.allow_tf32 = True
    try:
        with exact_sums(torch.device("cuda")):
            assert (flags.enabled, flags.allow_tf32, matmul.allow_tf32) == (False, False, False)
        assert (flags.enabled, flags.allow_tf32, matmul.allow_tf32) == (*before[:2], True)
    finally:
        matmul.allow_tf32 = before[2]
