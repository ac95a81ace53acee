"""Data modules: shapes and ranges of batches, splits, idx files, and what a missing or damaged file says."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torchvision import datasets

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train import data
from lava_qsnn.train.config import Data
from lava_qsnn.train.data import DATA, ImageSet, make
from lava_qsnn.train.data._base import split_rows

TRAIN, TEST = 300, 50
FILES = {
    "train-images-idx3-ubyte": (TRAIN, 28, 28),
    "train-labels-idx1-ubyte": (TRAIN,),
    "t10k-images-idx3-ubyte": (TEST, 28, 28),
    "t10k-labels-idx1-ubyte": (TEST,),
}


def idx(values: np.ndarray[Any, Any]) -> bytes:
    """The idx format: two zeros, the type (8, unsigned bytes), the number of axes, their lengths, the bytes."""
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def contents() -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 256, shape, np.uint8) for name, shape in FILES.items() if len(shape) == 3}
    labels = {name: np.arange(shape[0]).astype(np.uint8) % 10 for name, shape in FILES.items() if len(shape) == 1}
    return images | labels


def write(folder: Path, compressed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in contents().items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(values)))
        else:
            (folder / name).write_bytes(idx(values))
    return folder


def test_digits_are_the_originals_in_five_bits() -> None:
    digits = make(Data(name="digits", input_bits=5))
    digits.setup()
    images = np.concatenate([part.images.numpy() for part in digits._sets.values()])
    assert sorted(map(bytes, images)) == sorted(map(bytes, load_digits().data.astype(np.uint8)))
    assert [len(part) for part in digits._sets.values()] == [1293, 144, 360]


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_digits_in_fewer_bits_use_the_whole_range(bits: int) -> None:
    x, _ = make(Data(name="digits", input_bits=bits)).test_arrays()
    assert (x.min(), x.max()) == (0, 2**bits - 1)


def test_digits_have_no_more_than_five_bits() -> None:
    with pytest.raises(ConfigurationError, match="data.input_bits is 8, but 'digits' holds 5 bits"):
        make(Data(name="digits", input_bits=8))


def test_splits_are_stratified_disjoint_and_follow_their_own_seed() -> None:
    def parts(seed: int, split_seed: int) -> list[ImageSet]:
        module = make(Data(split_seed=split_seed), seed)
        module.setup()
        return list(module._sets.values())

    for first, second, other in zip(parts(0, 0), parts(1, 0), parts(0, 1)):
        assert torch.equal(first.images, second.images)
        assert not torch.equal(first.images, other.images)
        share = torch.bincount(first.labels) / len(first)
        assert (share - 0.1).abs().max() < 0.02


@pytest.mark.parametrize(("flatten", "shape"), [(True, (64,)), (False, (1, 8, 8))])
def test_batches_are_integers_repeated_in_time(flatten: bool, shape: tuple[int, ...]) -> None:
    module = make(Data(flatten=flatten, timesteps=6, batch_size=32))
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert module.properties == data.Properties(shape, 5, 6, 10)
    assert (x.shape, x.dtype) == ((32, *shape, 6), torch.float32)
    assert (y.shape, y.dtype) == ((32,), torch.int64)
    assert torch.equal(x, x.round())
    assert (x == x[..., :1]).all()
    assert x.stride(-1) == 0, "time must be a view, not copies"
    assert (x.min(), x.max()) == (0, 16)


def test_a_single_sample_is_a_batch_without_its_first_axis() -> None:
    module = make(Data())
    module.setup()
    samples = module._sets["test"]
    assert samples[3][0].shape == (64, 4)
    assert samples[3][1] == samples.labels[3]


def test_test_arrays_fit_the_simulator() -> None:
    module = make(Data(timesteps=3))
    x, y = module.test_arrays(7)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((7, 64, 3), np.int64, (7,), np.int64)
    everything, labels = module.test_arrays()
    assert len(everything) == len(labels) == 360
    loader = module.test_dataloader()
    assert np.array_equal(torch.cat([x for x, _ in loader]).numpy(), everything)


def test_every_epoch_has_its_own_order_and_seeds_repeat_it() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        module = make(Data(), seed)
        module.setup()
        sampler = module.train_dataloader().sampler
        sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return list(sampler)

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert sorted(order(0, 0)) == list(range(1293))


class Place:
    """The part of a trainer that a data module asks."""

    def __init__(self, world_size: int, global_rank: int) -> None:
        self.world_size, self.global_rank = world_size, global_rank


def test_processes_share_the_training_samples_and_evaluate_each_once() -> None:
    seen: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for rank in range(7):
        module = make(Data(batch_size=10))
        module.setup()
        module.trainer = Place(7, rank)  # type: ignore[assignment]
        loaders = (module.train_dataloader(), module.val_dataloader(), module.test_dataloader())
        for name, loader in zip(seen, loaders):
            seen[name] += list(loader.sampler)
        assert len(loaders[0]) == 18
    assert sorted(seen["validation"]) == list(range(144))
    assert sorted(seen["test"]) == list(range(360))
    assert set(seen["train"]) == set(range(1293))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx_files_are_read_as_they_are_or_gzipped(name: str, compressed: bool, tmp_path: Path) -> None:
    write(tmp_path, compressed)
    x, y = make(Data(name=name, folder=str(tmp_path), input_bits=8, timesteps=2)).test_arrays()
    originals = contents()
    assert np.array_equal(x[..., 1], originals["t10k-images-idx3-ubyte"].reshape(TEST, 784))
    assert np.array_equal(y, originals["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_torchvision_s_own_layout_is_read(name: str, tmp_path: Path) -> None:
    write(tmp_path / DATA[name].source / "raw")  # type: ignore[attr-defined]
    module = make(Data(name=name, folder=str(tmp_path), flatten=False, input_bits=4))
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert x.shape == (64, 1, 28, 28, 4)
    originals = contents()["train-images-idx3-ubyte"] >> 4
    assert all(any(np.array_equal(image, original) for original in originals) for image in x[:3, 0, :, :, 0].numpy())
    assert set(y.tolist()) <= set(range(10))


@pytest.mark.parametrize("bits", [1, 3, 4])
def test_pixels_are_shifted_to_fewer_bits(bits: int, tmp_path: Path) -> None:
    x, _ = make(Data(name="mnist", folder=str(write(tmp_path)), input_bits=bits)).test_arrays(5)
    originals = contents()["t10k-images-idx3-ubyte"][:5].reshape(5, 784)
    assert np.array_equal(x[..., 0], originals // 2 ** (8 - bits))


def test_properties_are_known_without_files() -> None:
    assert make(Data(name="mnist")).properties == data.Properties((784,), 5, 4, 10)
    assert make(Data(name="mnist", flatten=False)).properties.input_shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        (None, "'mnist' needs a folder. Remedy: set data.folder"),
        ("missing", "no file 'train-images-idx3-ubyte' (or .gz) in the folder 'missing'. Remedy: put the four idx"),
    ],
)
def test_missing_files_name_the_remedy(folder: str | None, text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        make(Data(name="mnist", folder=folder)).test_arrays()
    assert text in str(error.value)
    assert "--download" in str(error.value) or folder is None


def test_one_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ConfigurationError, match="no file 't10k-labels-idx1-ubyte'"):
        make(Data(name="mnist", folder=str(tmp_path))).setup()


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lambda content: b"",
        lambda content: b"no idx file at all",
        lambda content: content[:3] + b"\x01" + content[4:],
        lambda content: content[:2] + b"\x0d" + content[3:],
        lambda content: content[:4] + b"\x7f\xff\xff\xff" + content[8:],
        lambda content: idx(np.zeros((TRAIN, 14, 56), np.uint8)),
        lambda content: idx(np.zeros((0, 28, 28), np.uint8)),
        lambda content: idx(np.zeros((TRAIN - 1, 28, 28), np.uint8)),
    ],
)
def test_damaged_images_are_refused(damage: Callable[[bytes], bytes], compressed: bool, tmp_path: Path) -> None:
    path = write(tmp_path) / "train-images-idx3-ubyte"
    content = damage(path.read_bytes())
    path.unlink()
    if compressed:
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match="train-"):
        make(Data(name="mnist", folder=str(tmp_path))).setup()


@pytest.mark.parametrize("damage", [cut, lambda content: b"no gzip file", lambda content: content[:30] + b"?" * 99])
def test_damaged_compression_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write(tmp_path, compressed=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match="train-images"):
        make(Data(name="mnist", folder=str(tmp_path))).setup()


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(np.full(TRAIN, 10, np.uint8)))
    with pytest.raises(FileFormatError, match="labels, 0 to 9"):
        make(Data(name="mnist", folder=str(tmp_path))).setup()


def test_too_few_samples_to_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 28, 28), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(3).astype(np.uint8)))
    with pytest.raises(ConfigurationError, match="cannot set 10.0% of 3 samples apart: class 0 has one sample"):
        make(Data(name="mnist", folder=str(tmp_path))).setup()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.sampled_from((0.1, 0.2, 0.5, 0.9)), st.booleans())
def test_samples_are_split_or_refused_with_a_reason(classes: list[int], fraction: float, are_classes: bool) -> None:
    """Every split has each sample once, and its share of each class but for one; what has none is told why."""
    labels = np.array(classes)
    refused = ""
    try:
        parts = split_rows(len(labels), labels if are_classes else None, fraction, 0)
    except ConfigurationError as error:
        refused = str(error)
    if refused:
        assert "one sample" in refused or "the parts would have" in refused
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all(len(part) for part in parts)
    if are_classes:
        share = np.bincount(labels, minlength=4) * len(parts[1]) / len(labels)
        assert (np.abs(np.bincount(labels[parts[1]], minlength=4) - share) < 1).all()


def test_download_is_asked_for_and_happens_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(self: datasets.MNIST) -> None:
        calls.append(self.raw_folder)
        write(Path(self.raw_folder))

    monkeypatch.setattr(datasets.MNIST, "download", download)
    with pytest.raises(ConfigurationError, match="--download"):
        make(Data(name="mnist", folder=str(tmp_path))).test_arrays()
    assert calls == []
    for _ in range(2):
        x, _ = make(Data(name="mnist", folder=str(tmp_path), download=True)).test_arrays()
        assert len(x) == TEST
    assert calls == [str(tmp_path / "MNIST" / "raw")]


def test_a_failed_download_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(self: datasets.MNIST) -> None:
        raise URLError("no network")

    monkeypatch.setattr(datasets.MNIST, "download", download)
    with pytest.raises(ConfigurationError, match="cannot download MNIST .*no network.*by other means"):
        make(Data(name="mnist", folder=str(tmp_path), download=True)).test_arrays()


def test_an_unknown_data_set_names_the_known_ones() -> None:
    with pytest.raises(
        ConfigurationError, match="must be one of digits, mnist, .* not 'minst'. Remedy: did you mean 'mnist'"
    ):
        make(Data(name="minst"))
