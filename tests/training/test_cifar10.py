"""CIFAR-10: the binary and the Python version, and what missing or damaged files say."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train import data
from lava_qsnn.train.config import Data
from lava_qsnn.train.data import make

ROWS = 20
NAMES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def contents(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (rows, 3072) and labels (rows,) of a file."""
    random = np.random.default_rng(NAMES.index(name))
    return random.integers(0, 256, (ROWS, 3072), np.uint8), np.arange(ROWS, dtype=np.uint8) % 10


def write_binary(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        pixels, labels = contents(name)
        (folder / f"{name}.bin").write_bytes(np.concatenate([labels[:, None], pixels], 1).tobytes())
    return folder


@pytest.fixture
def python_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Python version whose sums torchvision takes for the original's."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    sums = {}
    for name in [*NAMES, "batches.meta"]:
        pixels, labels = contents(name) if name in NAMES else (None, None)
        entry = {"label_names": []} if labels is None else {"data": pixels, "labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(entry))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [[name, sums[name]] for name in NAMES[:5]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [[NAMES[5], sums[NAMES[5]]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": sums["batches.meta"]})
    return tmp_path


def part(folder: Path | None, **options: Any) -> Data:
    given = {"name": "cifar10", "folder": folder and str(folder), "input_bits": 8, "flatten": False, "timesteps": 3}
    return Data(**(given | {"validation": 0.2, "batch_size": 16} | options))


def check(module: data.SampleData) -> None:
    x, y = module.test_arrays()
    pixels, labels = contents("test_batch")
    assert x.shape == (ROWS, 3, 32, 32, 3)
    assert np.array_equal(x[..., 2], pixels.reshape(-1, 3, 32, 32))
    assert np.array_equal(y, labels)
    known = {bytes(row) for name in NAMES[:5] for row in contents(name)[0]}
    sets = list(module._sets.values())[:2]
    assert {image.numpy().tobytes() for samples in sets for image in samples.images} == known
    assert [len(samples) for samples in sets] == [80, 20]


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-bin"])
def test_the_binary_version_is_read(inner: str, tmp_path: Path) -> None:
    write_binary(tmp_path / inner)
    check(make(part(tmp_path)))


def test_the_python_version_is_read(python_version: Path) -> None:
    check(make(part(python_version)))


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("augment", [False, True])
def test_batches_are_integers_repeated_in_time(flatten: bool, augment: bool, tmp_path: Path) -> None:
    module = make(part(write_binary(tmp_path), flatten=flatten, augment=augment, input_bits=4))
    shape = (3072,) if flatten else (3, 32, 32)
    assert module.properties == data.Properties(shape, 4, 3, 10)
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert (x.shape, x.dtype, y.dtype) == ((16, *shape, 3), torch.float32, torch.int64)
    assert x.stride(-1) == 0, "time must be a view, not copies"
    assert (x.min(), x.max()) == (0, 15)
    known = {bytes(row) for name in NAMES[:5] for row in contents(name)[0] >> 4}
    assert ({image.to(torch.uint8).numpy().tobytes() for image in x[..., 0]} <= known) is not augment


def test_cutout_covers_one_square_of_each_image(tmp_path: Path) -> None:
    """Squares of 6 x 6 grey pixels, cut by the border, anywhere; the rest is as without."""
    folder, options = write_binary(tmp_path), {"augment": True, "input_bits": 8}
    plain, cut = (make(part(folder, cutout=side, **options)) for side in (0, 6))
    covered = np.zeros((32, 32), bool)
    for module in (plain, cut):
        module.setup()
    for _ in range(5):
        for (x, labels), (y, same) in zip(plain.train_dataloader(), cut.train_dataloader()):
            assert torch.equal(labels, same)
            for before, after in zip(x[..., 0].numpy(), y[..., 0].numpy()):
                rows, columns = np.nonzero((before != after).any(0))
                inside = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
                assert (after[:, inside[0], inside[1]] == 128).all()
                assert max(after[0][inside].shape) <= 6
                covered[inside] = True
    assert covered.mean() > 0.9, "squares must lie anywhere"


@pytest.mark.parametrize("content", [b"", b"\1" * 3072, b"\1" * 3074, b"\x0a" * 3073])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (write_binary(tmp_path) / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"rows of 3073 bytes|labels beyond 0 to 9"):
        make(part(tmp_path)).setup()


def test_a_changed_pickle_is_never_opened(python_version: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (python_version / "harm",)

    (python_version / "cifar-10-batches-py" / "data_batch_2").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(FileFormatError, match=r"is damaged, or lacks files .*Remedy: fetch it again"):
        make(part(python_version)).setup()
    assert not (python_version / "harm").exists()


def test_missing_files_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'cifar10' needs a folder. Remedy: set data.folder"):
        make(part(None)).test_arrays()
    with pytest.raises(ConfigurationError, match=r"neither 'cifar-10-batches-bin' nor 'cifar-10-b.*--download"):
        make(part(tmp_path)).test_arrays()
    (write_binary(tmp_path) / "data_batch_4.bin").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no file .*data_batch_4.bin"):
        make(part(tmp_path)).setup()


def test_a_failed_download_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(self: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(datasets.CIFAR10, "download", download)
    with pytest.raises(ConfigurationError, match=r"cannot download CIFAR10 .*no network.*by other means"):
        make(part(tmp_path, download=True)).prepare_data()
