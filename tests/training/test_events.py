"""Event data sets: small ones in each set's own format, frames as tonic's, and what missing or damaged files say.

The files of CIFAR10-DVS need the package aedat, which this project does not require and which only reads: its test
replaces tonic's reading of one file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
import tonic
import torch
from hypothesis import given

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train import data
from lava_qsnn.train.config import Data
from lava_qsnn.train.data import _events, make

STEPS = 5
EVENTS = np.dtype([("t", np.int64), ("x", np.int64), ("y", np.int64), ("p", np.int64)])
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def recording(seed: int, sensor: int, number: int = 200, duration: int = 300_000) -> np.ndarray:
    random = np.random.default_rng(seed)
    events = np.zeros(number, EVENTS)
    events["t"] = np.sort(random.integers(0, duration, number))
    for name, end in (("x", sensor), ("y", sensor), ("p", 2)):
        events[name] = random.integers(0, end, number)
    return events


def bin_file(events: np.ndarray) -> bytes:
    """N-MNIST's format: x, y, then 1 bit of polarity and 23 of time, high bytes first."""
    last = events["p"] << 23 | events["t"]
    columns = [events["x"], events["y"], last >> 16, last >> 8 & 255, last & 255]
    return np.stack(columns, 1).astype(np.uint8).tobytes()


def write_nmnist(folder: Path) -> None:
    for part, seed in (("Train", 0), ("Test", 100)):
        for number in range(40):
            path = folder / part / str(number * 7 % 10) / f"{number + 1:05d}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bin_file(recording(seed + number, 34)))


def write_dvs_gesture(folder: Path) -> None:
    for part, users in (("ibmGestureTrain", (1, 2, 3)), ("ibmGestureTest", (24,))):
        for user in users:
            place = folder / part / f"user{user:02d}_fluorescent"
            place.mkdir(parents=True)
            for gesture in range(11):
                events = recording(user * 11 + gesture, 128)
                columns = [events["x"], events["y"], events["p"], events["t"] // 1000]
                np.save(place / f"{gesture}.npy", np.stack(columns, 1))


def write_cifar10_dvs(folder: Path) -> None:
    for label, name in enumerate(CIFAR10_CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            (folder / name / f"cifar10_{name}_{number}.aedat4").write_text(f"{label * 10 + number}")


def read_number(path: str) -> np.ndarray:
    """In place of tonic's reader of aedat4 files: the events whose number a file holds."""
    events = recording(int(Path(path).read_text()), 128)
    result = np.zeros(len(events), [("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("on", bool)])
    for name, own in (("t", "t"), ("x", "x"), ("y", "y"), ("on", "p")):
        result[name] = events[own]
    return result


def write_shd(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, repeats in (("train", 3), ("test", 1)):
        with h5py.File(folder / f"shd_{part}.h5", "w") as file:
            labels = np.tile(np.arange(20), repeats)
            recordings = [recording(number, 700) for number in range(len(labels))]
            for name, kind, own, scale in (("times", np.float32, "t", 1e-6), ("units", np.uint16, "x", 1)):
                values = file.create_dataset(f"spikes/{name}", len(labels), h5py.vlen_dtype(np.dtype(kind)))
                for number, events in enumerate(recordings):
                    values[number] = (events[own] * scale).astype(kind)
            file["labels"] = labels
            file["extra/keys"] = np.array([f"{digit}".encode() for digit in range(20)])
            file["extra/speaker"] = labels % 4


WRITERS: dict[str, Callable[[Path], None]] = {
    "nmnist": write_nmnist,
    "dvs_gesture": write_dvs_gesture,
    "cifar10_dvs": write_cifar10_dvs,
    "shd": write_shd,
}
#: Shape of a time step, classes, training and test samples of the files above.
SETS = {
    "nmnist": ((2, 34, 34), 10, 40, 40),
    "dvs_gesture": ((2, 64, 64), 11, 33, 11),
    "cifar10_dvs": ((2, 48, 48), 10, 90, 10),
    "shd": ((140,), 20, 60, 20),
}


@pytest.fixture(autouse=True)
def _events_without_aedat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tonic.datasets.cifar10dvs, "read_aedat4", read_number)


def part(name: str, folder: Path | None, **options: Any) -> Data:
    where: dict[str, Any] = {"folder": str(folder / "set"), "cache": str(folder / "cache")} if folder else {}
    given = {"name": name, "timesteps": STEPS, "input_bits": 2, "flatten": False, "validation": 0.4, "batch_size": 8}
    chosen: dict[str, Any] = given | where | options
    return Data(**chosen)


def written(name: str, folder: Path, inner: str = ".") -> Path:
    WRITERS[name](folder / "set" / inner)
    return folder


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("flatten", [False, True])
def test_batches_are_counts_of_events(name: str, flatten: bool, tmp_path: Path) -> None:
    shape, classes, training, test = SETS[name]
    module = make(part(name, written(name, tmp_path), flatten=flatten))
    shape = (int(np.prod(shape)),) if flatten else shape
    assert module.properties == data.Properties(shape, 2, STEPS, classes)
    module.prepare_data()
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((8, *shape, STEPS), torch.float32, (8,), torch.int64)
    assert set(x.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert x.amax() > 0
    parts = [len(samples) for samples in module._sets.values()]
    assert (sum(parts[:2]), parts[2]) == (training, test)
    values, labels = module.test_arrays(5)
    assert (values.shape, values.dtype, labels.dtype) == ((5, *shape, STEPS), np.int64, np.int64)


@pytest.mark.parametrize("name", SETS)
def test_tonic_s_own_folder_is_read(name: str, tmp_path: Path) -> None:
    written(name, tmp_path, inner=_source(name))
    assert len(make(part(name, tmp_path)).test_arrays()[0]) == SETS[name][3]


def _source(name: str) -> str:
    return data.DATA[name].source  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SETS)
def test_every_sample_is_there_once_with_its_label(name: str, tmp_path: Path) -> None:
    module = make(part(name, written(name, tmp_path), input_bits=8))
    module.setup()
    shape, sensor = SETS[name][0], module.sensor
    assert sensor is not None
    test = module._sets["test"]
    found = {values.numpy().tobytes(): int(label) for values, label in zip(test.images, test.labels)}
    expected = {}
    for seed, label in {
        "nmnist": {100 + number: number * 7 % 10 for number in range(40)},
        "dvs_gesture": {24 * 11 + gesture: gesture for gesture in range(11)},
        "cifar10_dvs": {number: number // 10 for number in range(100)},
        "shd": {number: number for number in range(20)},
    }[name].items():
        events = recording(seed, sensor)
        if name == "dvs_gesture":
            events["t"] = events["t"] // 1000 * 1000
        if name == "shd":
            events["t"] = (events["t"] * 1e-6).astype(np.float32).astype(np.float64) * 1e6
        expected[_events.frames(events, STEPS, shape, sensor, 8).tobytes()] = label
    assert found.items() <= expected.items()
    assert len(found) == SETS[name][3]
    assert len(expected) == (100 if name == "cifar10_dvs" else len(found))


def test_n_mnist_comes_in_the_order_of_mnist(tmp_path: Path) -> None:
    _, labels = make(part("nmnist", written("nmnist", tmp_path))).test_arrays()
    assert labels.tolist() == [number * 7 % 10 for number in range(40)]


def test_the_test_samples_of_cifar10_dvs_follow_the_split_seed(tmp_path: Path) -> None:
    written("cifar10_dvs", tmp_path)
    first, again, other = (make(part("cifar10_dvs", tmp_path, split_seed=seed)).test_arrays() for seed in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    assert sorted(first[1]) == sorted(other[1]) == list(range(10))


@given(st.integers(0, 99), st.integers(1, 40), st.sampled_from([1, 2, 300, 100_000]), st.integers(1, 60))
def test_frames_are_tonic_s(seed: int, timesteps: int, duration: int, number: int) -> None:
    events = recording(seed, 34, number, duration)
    if events["t"][-1] - events["t"][0] < timesteps:
        return  # tonic counts no event of so short a recording
    theirs = tonic.functional.to_frame_numpy(events, (34, 34, 2), n_time_bins=timesteps)
    ours = _events.frames(events, timesteps, (2, 34, 34), 34, 8)
    assert np.array_equal(ours, theirs.transpose(1, 2, 3, 0))


@pytest.mark.parametrize("size", [1, 16, 17, 34])
def test_smaller_frames_count_neighbours_together(size: int) -> None:
    events = recording(3, 34)
    smaller, whole = (_events.frames(events, STEPS, (2, side, side), 34, 8) for side in (size, 34))
    assert smaller.sum() == whole.sum()
    if 34 % size == 0:
        blocks = whole.reshape(2, size, 34 // size, size, 34 // size, STEPS)
        assert np.array_equal(blocks.sum((2, 4)), smaller)


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_counts_stop_at_the_largest_integer(bits: int) -> None:
    events = np.repeat(recording(0, 34, number=1), 70_000)
    events["t"] += np.arange(70_000)
    frames = _events.frames(events, 2, (2, 34, 34), 34, bits)
    assert (frames.sum(), frames.max()) == (2 * (2**bits - 1), 2**bits - 1)


def test_a_recording_of_one_moment_is_in_the_first_frame() -> None:
    frames = _events.frames(recording(0, 34, number=9, duration=1), STEPS, (2, 34, 34), 34, 8)
    assert (frames[..., 0].sum(), frames.sum()) == (9, 9)


@pytest.mark.parametrize("name", SETS)
def test_frames_are_converted_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = make(part(name, written(name, tmp_path))).test_arrays()
    monkeypatch.setattr(_events, "frames", None)
    assert np.array_equal(make(part(name, tmp_path)).test_arrays()[0], first)
    for change in ({"timesteps": 4}, {"input_bits": 1}, {"size": 30}):
        with pytest.raises(FileFormatError):
            make(part(name, tmp_path, **change)).test_arrays()


@pytest.mark.parametrize("name", SETS)
def test_augmentation_shifts(name: str, tmp_path: Path) -> None:
    module = make(part(name, written(name, tmp_path), augment=True, timesteps=32))
    module.setup()
    plain = make(part(name, tmp_path, timesteps=32))
    plain.setup()
    (x, labels), (y, same) = (next(iter(source.train_dataloader())) for source in (module, plain))
    assert torch.equal(labels, same)
    assert x.shape == y.shape
    assert not torch.equal(x, y)
    assert (x.sum() / y.sum()) > 0.7


@pytest.mark.parametrize(("name", "size"), [("nmnist", 35), ("dvs_gesture", 129), ("shd", 701), ("mnist", 14)])
def test_sizes_are_those_of_the_sensor_or_less(name: str, size: int) -> None:
    text = "has no size to choose" if name == "mnist" else f"has {size - 1}. Remedy: set data.size from 1 to {size - 1}"
    with pytest.raises(ConfigurationError, match=f"data.size is {size}, but '{name}' {text}"):
        make(part(name, None, size=size))


@pytest.mark.parametrize(("name", "shape"), [("nmnist", (2, 17, 17)), ("shd", (70,))])
def test_a_chosen_size_is_the_shape(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    module = make(part(name, written(name, tmp_path), size=shape[-1]))
    assert module.test_arrays()[0].shape[1:-1] == module.properties.input_shape == shape


@pytest.mark.parametrize("name", SETS)
def test_missing_files_name_the_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}' needs a folder. Remedy: set data.folder"):
        make(part(name, None)).prepare_data()
    with pytest.raises(ConfigurationError, match=r"there is no '.*' in the folder .*as tonic unpacks it.*--download"):
        make(part(name, tmp_path)).prepare_data()


@pytest.mark.parametrize("name", SETS)
def test_download_is_asked_for_and_happens_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Source:
        def __init__(self, save_to: str, train: bool = True) -> None:
            calls.append(train)
            if len(calls) == 1:
                WRITERS[name](Path(save_to) / _source(name))

    with monkeypatch.context() as patch:
        patch.setattr(tonic.datasets, _source(name), Source)
        make(part(name, tmp_path))._download(tmp_path / "set")  # type: ignore[attr-defined]
    assert calls == ([True] if name == "cifar10_dvs" else [True, False])
    assert len(make(part(name, tmp_path, download=True)).test_arrays()[0]) == SETS[name][3]


@pytest.mark.parametrize("name", SETS)
def test_a_failed_download_names_the_remedy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(self: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(tonic.dataset.Dataset, "download", download)
    with pytest.raises(ConfigurationError, match=r"cannot download .*no network.*by other means"):
        make(part(name, tmp_path, download=True)).prepare_data()


def first_file(folder: Path, pattern: str) -> Path:
    return min(path for path in folder.rglob(pattern) if path.is_file())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("nmnist", "*.bin"), ("dvs_gesture", "*.npy"), ("cifar10_dvs", "*.aedat4"), ("shd", "shd_train.h5")],
)
@pytest.mark.parametrize("content", [b"", b"no such file", b"\0\xf1\x07"])
def test_damaged_files_are_refused(name: str, pattern: str, content: bytes, tmp_path: Path) -> None:
    written(name, tmp_path)
    path = first_file(tmp_path, pattern)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"is damaged, or no such file .*Remedy: fetch it again") as error:
        make(part(name, tmp_path)).setup()
    assert path.name in str(error.value) or name == "shd"
    assert list(tmp_path.glob("cache/*.*")) == [], "nothing half-written stays"


@pytest.mark.parametrize(
    "events",
    [np.zeros((3, 3), np.int64), np.full((3, 4), 128), np.full((3, 4), -1), np.array([{"code": 1}], object)],
)
def test_gestures_that_are_none_are_refused(events: np.ndarray, tmp_path: Path) -> None:
    path = first_file(written("dvs_gesture", tmp_path), "*.npy")
    np.save(path, events)
    with pytest.raises(FileFormatError, match=path.name):
        make(part("dvs_gesture", tmp_path)).setup()


@pytest.mark.parametrize("missing", ["labels", "spikes", "spikes/times", "extra"])
def test_incomplete_hdf5_files_are_refused(missing: str, tmp_path: Path) -> None:
    written("shd", tmp_path)
    with h5py.File(tmp_path / "set" / "shd_train.h5", "r+") as file:
        del file[missing]
    with pytest.raises(FileFormatError, match="is damaged"):
        make(part("shd", tmp_path)).setup()


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    written("shd", tmp_path)
    with h5py.File(tmp_path / "set" / "shd_train.h5", "r+") as file:
        file["labels"][3] = 20
    with pytest.raises(FileFormatError, match="does not hold samples of the classes 0 to 19 in every part"):
        make(part("shd", tmp_path)).setup()


def test_an_empty_part_is_refused(tmp_path: Path) -> None:
    written("nmnist", tmp_path)
    for path in (tmp_path / "set" / "Test").rglob("*.bin"):
        path.unlink()
    with pytest.raises(FileFormatError, match="does not hold samples of the classes 0 to 9 in every part"):
        make(part("nmnist", tmp_path)).setup()


class Panic(BaseException):
    """As aedat's, which is written in Rust."""


@pytest.mark.parametrize(("error", "expected"), [(Panic, FileFormatError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_panic_is_damage_and_an_interrupt_is_not(
    error: type[BaseException], expected: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: str) -> None:
        raise error

    monkeypatch.setattr(tonic.datasets.cifar10dvs, "read_aedat4", read)
    with pytest.raises(expected):
        make(part("cifar10_dvs", written("cifar10_dvs", tmp_path))).setup()
    assert list(tmp_path.glob("cache/*")) == []


def test_a_missing_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str) -> None:
        raise ModuleNotFoundError("No module named 'aedat'", name="aedat")

    monkeypatch.setattr(tonic.datasets.cifar10dvs, "read_aedat4", read)
    with pytest.raises(ConfigurationError, match="needs the Python package 'aedat' to be read. Remedy: pip install"):
        make(part("cifar10_dvs", written("cifar10_dvs", tmp_path))).setup()
