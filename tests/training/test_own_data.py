"""Data of one's own: arrays, folders, data sets of torch; what is measured, what is kept, and what is refused."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError, FileFormatError, InputError, QsnnError, QsnnWarning
from lava_qsnn.train.config import Config, Data, Model
from lava_qsnn.train.data import kind_of_folder, make
from lava_qsnn.train.data._events import frames
from lava_qsnn.train.data._folders import READERS, read_events, sensor_of
from lava_qsnn.train.data._own import ordered
from lava_qsnn.train.description import Description
from lava_qsnn.train.module import Classifier

N = 60


def own(**keys: Any) -> Data:
    return Data(**{"name": "arrays", "source": "my.npz", "axes": None, "timesteps": 3, **keys})


def saved(tmp_path: Path, **arrays: Any) -> str:
    np.savez(tmp_path / "my.npz", **arrays)
    return str(tmp_path / "my.npz")


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def labelled(count: int = N, classes: int = 3) -> np.ndarray[Any, Any]:
    return np.arange(count) % classes


class TestArrays:
    @pytest.mark.parametrize("axes", ["NCHW", "NHWC", "NWHC", "HWNC"])
    def test_axes_say_what_is_where(self, axes: str, tmp_path: Path) -> None:
        x = random().integers(0, 32, (N, 3, 5, 4))
        moved = x.transpose(["NCHW".index(letter) for letter in axes])
        source = saved(tmp_path, x=moved, y=labelled())
        module = make(own(source=source, axes=axes, flatten=False, test=1.0))
        found, labels = module.test_arrays()
        assert module.description == Description((3, 5, 4), ("0", "1", "2"))
        assert (found == x[..., None]).all()
        assert (labels == labelled()).all()

    @pytest.mark.parametrize(("axes", "shape"), [("NHW", (1, 4, 6)), ("NC", (24,)), ("NCT", (4,)), ("NTC", (6,))])
    def test_shapes_follow_the_axes(self, axes: str, shape: tuple[int, ...], tmp_path: Path) -> None:
        x = random().integers(0, 32, (N, 24) if axes == "NC" else (N, 4, 6))
        steps = {"NCT": 6, "NTC": 4}.get(axes, 3)
        module = make(own(source=saved(tmp_path, x=x, y=labelled()), axes=axes, timesteps=steps))
        assert module.description.shape == shape
        assert module.test_arrays()[0].shape == (12, int(np.prod(shape)), steps)

    def test_parts_that_are_apart_stay_apart(self, tmp_path: Path) -> None:
        x = np.arange(40)[:, None] % 32
        parts = {"x_train": x[:20], "x_val": x[20:26], "x_test": x[26:30]}
        source = saved(tmp_path, **parts, **{name.replace("x", "y"): part[:, 0] % 2 for name, part in parts.items()})
        module = make(own(source=source))
        module.setup()
        assert {name: len(part) for name, part in module._sets.items()} == {"train": 20, "validation": 6, "test": 4}
        assert (module.test_arrays()[0][:, 0, 0] == x[26:30, 0]).all()

    def test_held_out_parts_are_disjoint_and_of_every_class(self, tmp_path: Path) -> None:
        module = make(own(source=saved(tmp_path, x=np.arange(N)[:, None], y=labelled()), input_bits=8))
        module.setup()
        images = [set(part.images[:, 0].tolist()) for part in module._sets.values()]
        assert sum(map(len, images)) == len(set.union(*images)) == N
        assert all(len(set(part.labels.tolist())) == 3 for part in module._sets.values())

    def test_floats_are_scaled_by_the_range_of_the_training_samples(self, tmp_path: Path) -> None:
        x, test = np.linspace(-2, 3, 41)[:, None], np.array([[-2.0], [0.5], [3.0]])
        source = saved(tmp_path, x=x, y=labelled(41), x_test=test, y_test=labelled(3), x_val=x, y_val=labelled(41))
        module = make(own(source=source))
        assert (module.description.low, module.description.high) == ((-2.0,), (3.0,))
        assert module.test_arrays()[0][:, 0, 0].tolist() == [0, 16, 31]

    def test_each_channel_may_have_its_own_range(self, tmp_path: Path) -> None:
        x = random().normal(0, 1, (N, 2)) * [1, 1000]
        shared, each = (
            make(own(source=saved(tmp_path, x=x, y=labelled()), scale=scale)) for scale in ("all", "channel")
        )
        assert [len(module.description.low) for module in (shared, each)] == [1, 2]
        widths = [np.ptp(module._sets["train"].images.numpy(), axis=0) for module in (shared, each)]
        assert widths[0][0] <= 1
        assert widths[1].tolist() == [31, 31]

    def test_what_lies_outside_of_the_range_is_told_and_clipped(self, tmp_path: Path) -> None:
        x = np.linspace(0, 1, N)[:, None]
        apart = {"x_val": x, "y_val": labelled(), "x_test": [[2.0], [-1.0]], "y_test": [0, 1]}
        module = make(own(source=saved(tmp_path, x=x, y=labelled(), **apart)))
        with pytest.warns(QsnnWarning, match="2 of 2 values of 'test' lie outside of the range 0 to 1"):
            assert module.test_arrays()[0][:, 0, 0].tolist() == [31, 0]

    @pytest.mark.parametrize("encoding", ["levels", "rate", "latency"])
    def test_signed_values_have_a_channel_for_each_sign(self, encoding: Any, tmp_path: Path) -> None:
        x = np.array([[-1.0, 0.5]] * 30 + [[1.0, 0.0]] * 30)
        data = own(source=saved(tmp_path, x=x, y=labelled()), signed=True, encoding=encoding)
        module = make(data)
        assert module.description.shape == (4,)
        found = {tuple(sample) for sample in module._sets["train"].images.tolist()}
        assert found == {(0, 16, 31, 0), (31, 0, 0, 0)}
        assert module.properties.input_bits == (5 if encoding == "levels" else 1)

    @pytest.mark.parametrize("encoding", ["delta", "crossings"])
    def test_signals_become_rises_and_falls(self, encoding: Any, tmp_path: Path) -> None:
        x = np.cumsum(random().choice([-1, 0, 1], (N, 2, 12)), -1) + 16
        module = make(own(source=saved(tmp_path, x=x, y=labelled()), axes="NCT", timesteps=12, encoding=encoding))
        found, _ = module.test_arrays()
        assert found.shape == (12, 4, 12)
        assert set(np.unique(found)) == {0, 1}
        assert module.properties.input_bits == 1

    @pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint64, np.float32, bool])
    def test_labels_of_any_dtype_are_classes(self, dtype: Any, tmp_path: Path) -> None:
        module = make(own(source=saved(tmp_path, x=np.ones((N, 2), int), y=labelled(classes=2).astype(dtype))))
        module.setup()
        _, y = next(iter(module.train_dataloader()))
        assert y.dtype == torch.int64
        assert module.class_names == ("0", "1")

    def test_labels_may_be_names(self, tmp_path: Path) -> None:
        names = np.array(["cat", "dog", "ant"])
        module = make(own(source=saved(tmp_path, x=np.ones((N, 2), int), y=names[labelled()])))
        assert module.class_names == ("ant", "cat", "dog")
        known = Description((2,), ("dog", "cat", "ant"))
        assert set(make(module.data, known=known).test_arrays()[1]) == {0, 1, 2}

    def test_samples_without_targets_are_all_for_the_test(self, tmp_path: Path) -> None:
        module = make(own(source=saved(tmp_path, x=np.ones((7, 2), int))), known=Description((2,), ("a", "b")))
        x, labels = module.test_arrays()
        assert len(x) == 7
        assert (labels == -1).all()

    @pytest.mark.parametrize(
        ("arrays", "keys", "text"),
        [
            ({"x": np.ones((N, 4, 4)), "y": labelled()}, {}, "nothing tells what its axes are.* set data.axes: NHW"),
            (
                {"x": np.ones((N, 4)), "y": labelled()},
                {"axes": "NCHW"},
                "data.axes is 'NCHW', and the array has the shape",
            ),
            ({"x": np.ones((N, 4)), "y": labelled()}, {"axes": "NQ"}, "use each of N, C, H, W and T at most once"),
            (
                {"x": np.full((N, 2), 200), "y": labelled()},
                {},
                "from 200 to 200, and with data.input_bits 5 .* 8 to take",
            ),
            ({"x": np.full((N, 2), -3), "y": labelled()}, {}, "from -3 to -3.* data.signed to true"),
            ({"x": np.full((N, 2), np.nan), "y": labelled()}, {}, "must be finite"),
            ({"x": np.full((N, 2), 1j), "y": labelled()}, {}, "must be real numbers, not complex128"),
            ({"x": np.ones((N, 2), int), "y": labelled(7)}, {}, "there are 60 samples, and 7 targets"),
            ({"x": np.ones((N, 2), int), "y": labelled() - 1}, {}, "classes are integers from 0 on"),
            ({"x": np.ones((N, 2), int), "y": labelled() / 2}, {}, "or set data.targets to numbers"),
            ({"x": np.ones((N, 2), int), "y": np.eye(3)[labelled()]}, {}, "take the argmax of one-hot targets"),
            ({"x": np.ones((N, 2), int), "y": labelled()}, {"outputs": 2}, "there are 3 classes, and 2 are told"),
            ({"X": np.ones((N, 2), int), "y": labelled()}, {}, "holds X, y, and no x"),
            ({"x": np.ones((0, 2), int), "y": labelled(0)}, {}, "there are no samples"),
            (
                {"x": np.ones((N, 2, 5), int), "y": labelled()},
                {"axes": "NCT"},
                "set data.timesteps to the T of the samples",
            ),
            (
                {"x": np.ones((N, 2), int), "y": labelled()},
                {"encoding": "delta"},
                "does not take samples without a time",
            ),
            ({"x": np.ones((N, 2), int), "y": labelled()}, {"range": (1.0, 1.0)}, "give two numbers, the least first"),
            ({"x": np.ones((N, 2), int), "y": labelled()}, {"size": 3}, "has no size to choose"),
            (
                {"x": np.ones((N, 2), int), "y": labelled()},
                {"options": {"a": 1}},
                "data.options means nothing to 'arrays'",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, arrays: dict[str, Any], keys: dict[str, Any], text: str, tmp_path: Path
    ) -> None:
        with pytest.raises(QsnnError, match=text):
            make(own(source=saved(tmp_path, **arrays), **keys)).setup()

    @pytest.mark.parametrize(
        ("known", "text"),
        [
            (Description((3,), ("0", "1", "2")), r"'test' has samples of shape \(2, T\), and \(3, T\) is wanted"),
            (Description((2,), ("0", "1")), "a class 2, beyond the 2 classes"),
        ],
    )
    def test_data_that_are_not_as_in_training_are_refused(self, known: Description, text: str, tmp_path: Path) -> None:
        source = saved(tmp_path, x_test=np.ones((N, 2), int), y_test=labelled())
        with pytest.raises(InputError, match=text):
            make(own(source=source), known=known).test_arrays()

    @pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 but no more"])
    def test_a_damaged_file_is_refused(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "my.npz").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"my.npz' is no .npz file"):
            make(own(source=str(tmp_path / "my.npz"))).setup()

    def test_objects_are_not_unpickled(self, tmp_path: Path) -> None:
        with pytest.raises(FileFormatError, match="no .npz file of numbers"):
            make(own(source=saved(tmp_path, x=np.array([{}], object), y=[0]))).setup()

    @pytest.mark.parametrize(("source", "text"), [(None, "needs a file"), ("no.npz", "there is no file 'no.npz'")])
    def test_a_missing_file_names_the_remedy(self, source: str | None, text: str) -> None:
        with pytest.raises(ConfigurationError, match=text):
            make(own(source=source)).setup()

    def test_own_keys_mean_nothing_to_data_sets_with_a_name(self) -> None:
        with pytest.raises(ConfigurationError, match="data.axes means nothing to 'digits'"):
            make(Data(axes="NHW"))


def test_axes_are_ordered_without_copies() -> None:
    x = np.zeros((2, 7, 5, 6, 3))
    assert ordered(x, "NTHWC").shape == (2, 3, 5, 6, 7)
    assert np.shares_memory(ordered(x, "NTHWC"), x)


def picture(folder: Path, name: str, mode: str = "L", size: tuple[int, int] = (6, 5), value: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], *([3] if mode == "RGB" else [])), value, np.uint8)
    Image.fromarray(pixels, mode).save(folder / name)


class TestImages:
    @pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
    def test_folders_are_classes(self, mode: str, channels: int, tmp_path: Path) -> None:
        for number in range(N):
            picture(tmp_path / ("cat", "dog")[number % 2], f"{number}.png", mode, value=255 * (number % 2))
        module = make(Data("images", source=str(tmp_path), flatten=False, timesteps=2))
        assert module.description == Description((channels, 5, 6), ("cat", "dog"), (0.0,), (255.0,))
        x, labels = module.test_arrays()
        assert (x == 31 * labels[:, None, None, None, None]).all()
        assert set(labels) == {0, 1}

    def test_parts_may_lie_apart(self, tmp_path: Path) -> None:
        for part, count in (("train", 20), ("test", 3)):
            for number in range(2 * count):
                picture(tmp_path / part / "ab"[number % 2], f"{number}.png")
        module = make(Data("images", source=str(tmp_path)))
        assert len(module.test_arrays()[0]) == 6

    def test_images_of_several_sizes_need_one(self, tmp_path: Path) -> None:
        for number in range(N):
            picture(tmp_path / "ab"[number % 2], f"{number}.png", size=(8 + number % 3, 9))
        with pytest.raises(ConfigurationError, match="differ in size, such as 8 x 9 and .* set data.size"):
            make(Data("images", source=str(tmp_path))).setup()
        assert make(Data("images", source=str(tmp_path), size=4)).description.shape == (1, 4, 4)

    @pytest.mark.parametrize("content", [b"", b"no picture"])
    def test_damaged_files_are_named(self, content: bytes, tmp_path: Path) -> None:
        picture(tmp_path / "a", "good.png")
        (tmp_path / "a" / "bad.png").write_bytes(content)
        with pytest.raises(FileFormatError, match="bad.png' is damaged"):
            make(Data("images", source=str(tmp_path))).setup()

    def test_an_empty_folder_says_what_it_lacks(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="no images for 'train' .* make a folder for each class"):
            make(Data("images", source=str(tmp_path))).setup()
        with pytest.raises(ConfigurationError, match="neither images nor recordings"):
            kind_of_folder(tmp_path)


def recording(seed: int, count: int = 200) -> np.ndarray[Any, Any]:
    made = np.random.default_rng(seed)
    events = np.zeros(count, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")])
    events["t"] = np.sort(made.integers(0, 10_000, count))
    events["x"], events["y"], events["p"] = (
        made.integers(0, 12, count),
        made.integers(0, 8, count),
        made.integers(0, 2, count),
    )
    return events


class TestEvents:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for number in range(20):
            (tmp_path / "data" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "data" / "ab"[number % 2] / f"{number}.npy", recording(number))
        return tmp_path / "data"

    def data(self, folder: Path, **keys: Any) -> Data:
        keys = {"sensor": (12, 8), "input_bits": 3, "timesteps": 4, "flatten": False, **keys}
        return Data("events", source=str(folder), cache=str(folder.parent / "cache"), **keys)

    def test_recordings_are_counted_in_frames(self, folder: Path) -> None:
        module = make(self.data(folder, test=1.0, size=6), known=Description((2, 4, 6), ("a", "b")))
        x, labels = module.test_arrays()
        paths = sorted(folder.glob("*/*"))
        expected = [frames(np.load(path), 4, (2, 4, 6), (8, 12), 3) for path in paths]
        assert (x == np.stack(expected)).all()
        assert x.any()
        assert labels.tolist() == [0] * 10 + [1] * 10
        assert kind_of_folder(folder) == "events"

    def test_the_size_of_the_sensor_is_asked_for_with_what_events_reach(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"set data.sensor .* recordings reach \[12, 8\]"):
            make(self.data(folder, sensor=None)).setup()
        assert sensor_of(sorted(folder.glob("*/*"))) == (12, 8)

    def test_events_outside_of_the_sensor_are_refused(self, folder: Path) -> None:
        with pytest.raises(
            FileFormatError, match="there are events at 0 to 11, but the sensor ends at 9. Remedy: check data.sensor"
        ):
            make(self.data(folder, sensor=(10, 8))).setup()

    def test_all_forms_of_arrays_are_the_same_events(self, tmp_path: Path) -> None:
        events = recording(0)
        columns = {name: events[name] for name in ("x", "y", "t", "p")}
        np.save(tmp_path / "a.npy", events)
        np.save(tmp_path / "b.npy", np.stack([column.astype(int) for column in columns.values()], 1))
        np.savez(tmp_path / "c.npz", **columns)
        np.savez(tmp_path / "d.npz", events=events)
        for path in tmp_path.iterdir():
            found = read_events(path)
            assert all((found[name] == column).all() for name, column in columns.items())

    def test_n_mnist_s_format_is_read(self, tmp_path: Path) -> None:
        """Its 40 bits: x, y, then the polarity and 23 bits of time."""
        path = tmp_path / "a.bin"
        path.write_bytes(bytes([3, 5, 128, 1, 0, 7, 2, 0, 1, 44]))
        found = read_events(path)
        assert [tuple(int(event[name]) for name in ("x", "y", "t", "p")) for event in found] == [
            (3, 5, 256, 1),
            (7, 2, 300, 0),
        ]
        assert set(READERS) > {".bin", ".npy", ".aedat4", ".dat", ".raw"}


class Pairs(Dataset[Any]):
    """Twenty samples of two classes, in torchvision's manner."""

    classes = ("low", "high")

    def __init__(self, train: bool = True, noise: float = 0.0) -> None:
        self.targets = [number % 2 for number in range(40 if train else 10)]
        self.noise = noise

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((1, 2, 3), float(self.targets[index])) - self.noise * torch.rand(1), self.targets[index]


class Loaders(LightningDataModule):
    """The same with loaders of its own."""

    def train_dataloader(self) -> Any:
        return DataLoader(Pairs(), batch_size=8, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(Pairs(False), batch_size=5)

    test_dataloader = val_dataloader


def tensors() -> tuple[Any, Any]:
    x, y = torch.arange(40).reshape(40, 1).float(), torch.arange(40).float()
    return TensorDataset(x, y), TensorDataset(x[:5], y[:5])


HERE = f"{__name__}"


class TestImported:
    def data(self, name: str, **keys: Any) -> Data:
        keys = {"axes": "NCHW", "range": (0.0, 1.0), "flatten": False, "timesteps": 2, **keys}
        return Data("dataset", source=f"{HERE}:{name}", **keys)

    @pytest.mark.parametrize("name", ["Pairs", "Loaders"])
    def test_a_data_set_or_its_loaders_are_taken(self, name: str) -> None:
        module = make(self.data(name, outputs=2))
        assert module.description.shape == (1, 2, 3)
        assert module.properties.outputs == 2
        x, labels = module.test_arrays(7)
        assert x.shape == (7, 1, 2, 3, 2)
        assert (x == 31 * labels[:, None, None, None, None]).all()
        batch = next(iter(module.train_dataloader()))
        x, y = module.on_before_batch_transfer(batch, 0)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert (x == 31 * y[:, None, None, None, None]).all()

    def test_samples_are_fetched_anew_each_time(self) -> None:
        module = make(self.data("Pairs", options={"noise": 0.5}, range=(-1.0, 1.0)))
        module.setup()
        first, second = (torch.stack([module._sets["train"][row][0] for row in range(20)]) for _ in range(2))
        assert not torch.equal(first, second)

    def test_numbers_are_measured_on_all_training_targets(self) -> None:
        module = make(self.data("tensors", targets="numbers", axes="NC", range=(0.0, 39.0)))
        assert module.description.of_numbers
        module.setup()
        kept = [float(y) for _, y in (module._sets["train"][i] for i in range(len(module._sets["train"])))]
        assert 19 < np.mean(kept) < 21
        assert module.description.mean == (19.5,)
        assert module.test_arrays()[1].tolist() == [[0], [1], [2], [3], [4]]

    def test_modules_of_the_working_directory_are_found(self, tmp_path: Path, monkeypatch: Any) -> None:
        (tmp_path / "lying_here.py").write_text(
            "import torch\n"
            "from torch.utils.data import TensorDataset\n"
            "made = TensorDataset(torch.ones(30, 2, dtype=torch.uint8), torch.arange(30) % 3)\n"
        )
        monkeypatch.chdir(tmp_path)
        for path in ("lying_here:made", "lying_here.py:made"):
            assert make(Data("dataset", source=path, axes="NC")).description.names == ("0", "1", "2")
        assert str(tmp_path) not in sys.path

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            (None, "needs an import path, and files do not name one that is executed"),
            ("nowhere", "is no import path. Remedy: write it as module:name"),
            ("nowhere_at_all:x", "cannot be imported: No module named 'nowhere_at_all'"),
            (f"{HERE}:nothing", "has no 'nothing'"),
            (f"{HERE}:N", "gives a int, which has no length"),
        ],
    )
    def test_what_cannot_be_imported_is_told(self, source: str | None, text: str) -> None:
        with pytest.raises(ConfigurationError, match=text):
            make(Data("dataset", source=source)).setup()

    def test_floats_without_a_range_are_told_theirs(self) -> None:
        with pytest.raises(ConfigurationError, match="set data.range; the first .* reach from 0 to 1"):
            make(self.data("Pairs", range=None)).setup()

    def test_arguments_that_do_not_fit_are_told(self) -> None:
        with pytest.raises(ConfigurationError, match="data.options do not fit: .*sound"):
            make(self.data("Pairs", options={"sound": 1})).setup()


class TestLoadersOfOnesOwn:
    """A Classifier in Lightning's own Trainer, with a loader that is nobody's data module."""

    def fit(self, x: torch.Tensor, y: torch.Tensor, tmp_path: Path) -> Classifier:
        config = Config(data=Data("arrays", timesteps=4), model=Model(hidden=(8,)))
        classifier = Classifier(config, Description((6,), ("a", "b")))
        trainer = Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*(does not have many workers|no `val_dataloader`|validation_step).*")
            trainer.fit(classifier, DataLoader(TensorDataset(x, y), batch_size=10))
        return classifier

    def test_labels_may_be_int32(self, tmp_path: Path) -> None:
        x = torch.randint(0, 32, (20, 6, 4)).float()
        classifier = self.fit(x, torch.arange(20, dtype=torch.int32) % 2, tmp_path)
        assert classifier.global_step == 2

    @pytest.mark.parametrize(
        "x",
        [
            torch.ones(20, 4, 6),
            torch.ones(20, 6, 4) / 3,
            torch.full((20, 6, 4), 32.0),
            torch.ones(20, 6, 4, dtype=torch.int64),
        ],
    )
    def test_other_inputs_are_refused_with_the_layout(self, x: torch.Tensor, tmp_path: Path) -> None:
        text = r"a batch's x must be float \(N, 6, 4\), integers from 0 to 31, not torch"
        with pytest.raises(InputError, match=text):
            self.fit(x, torch.arange(20) % 2, tmp_path)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("block", "x", "text"),
    [
        ("Dense", torch.ones(2, 3, 6), "layer 'Dense': the weights are made for 6 inputs, and the input has shape"),
        ("Dense", torch.ones(2, 6), "layer 'Dense': a block takes tensors of shape N C T or N C H W T, not"),
        ("Dense", torch.ones(2, 6, 3).long(), "layer 'Dense': a block computes on floating-point tensors"),
        ("Conv", torch.ones(2, 5, 5, 3, 4), "layer 'Conv': the weights are made for 3 channels of maps"),
        ("Conv", torch.ones(2, 3, 4), "layer 'Conv': the weights are made for 3 channels of maps"),
        ("Pool", torch.ones(2, 3, 4), "layer 'Pool': pooling needs tensors of shape N C H W T"),
    ],
)
def test_blocks_name_their_layer_and_the_layout_in_training_as_in_evaluation(
    block: str, x: torch.Tensor, text: str, training: bool
) -> None:
    parameters = {"threshold": 1.0}
    made = {
        "Dense": lambda: memory_free.Dense(parameters, 6, 4),
        "Conv": lambda: memory_free.Conv(parameters, 3, 4, 3),
        "Pool": lambda: memory_free.Pool(None, 2),
    }[block]()
    with pytest.raises((ConfigurationError, InputError), match=text):
        made.train(training)(x)
