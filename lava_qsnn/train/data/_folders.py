"""Folders of one's own with a folder for each class: images, and recordings of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.extras import extra
from lava_qsnn.train.data import _augment, _cache
from lava_qsnn.train.data._events import PIXELS, damage_named, frames
from lava_qsnn.train.data._own import OwnData, Raw
from lava_qsnn.train.description import Description

#: Folders of the parts, where they are apart.
PARTS = {"train": ("train", "training"), "validation": ("validation", "valid", "val"), "test": ("test", "testing")}

#: Endings of the files that are read.
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")

#: Modes of Pillow whose pixels have 8 bits.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB")


class FolderData(OwnData):
    """Files in folders that are named after their classes, in one folder, or apart in `train`, `test`, `validation`."""

    endings: tuple[str, ...]
    what: str

    def prepare_data(self) -> None:
        """Find the files, so that what is missing is said at once."""
        self.files()

    def raw(self) -> dict[str, Raw]:
        parts = self.files()
        names = tuple(sorted({path.parent.name for path in next(iter(parts.values()))}))
        every = [path for paths in parts.values() for path in paths]
        return {
            part: Raw(self.samples(paths, every), np.array([path.parent.name for path in paths]), names)
            for part, paths in parts.items()
        }

    def samples(self, paths: Sequence[Path], every: Sequence[Path]) -> NDArray[np.uint8]:
        """The samples of some files, of all that there are: (N, C, H, W[, T])."""
        raise NotImplementedError

    def files(self) -> dict[str, list[Path]]:
        """The files of each part that there is.

        Raises:
            ConfigurationError: there is no such folder, or there are no files in it.
        """
        root = self.root()
        apart = {
            part: next((root / name for name in names if (root / name).is_dir()), None) for part, names in PARTS.items()
        }
        found = {part: _files(folder, self.endings) for part, folder in apart.items() if folder and apart["train"]}
        found = found or {"train": _files(root, self.endings)}
        for part, paths in found.items():
            if not paths:
                raise ConfigurationError(
                    f"there are no {self.what} for '{part}' in folders of the folder '{root}'",
                    remedy=f"make a folder for each class there, with files {', '.join(self.endings)} in it",
                )
        return found

    def root(self) -> Path:
        """The folder itself."""
        given = self.data.source or self.data.folder
        if given is None:
            raise ConfigurationError(
                f"'{self.data.name}' needs a folder", remedy="name it by data.source, or by --data FOLDER"
            )
        root = Path(given).expanduser()
        if not root.is_dir():
            raise ConfigurationError(f"there is no folder '{root}'", remedy="name one by data.source (--data FOLDER)")
        return root


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in endings and path.is_file())


class ImageFolder(FolderData):
    """Images of any format that Pillow reads, grey where all of them are, else red, green and blue.

    Pixels from 0 to 255 are scaled to 0 .. 2^input_bits - 1, unless `data.range` says otherwise. With `data.size`, each
    image is scaled and cut in the middle to a square.
    """

    own = (*OwnData.own, "size")
    endings, what = IMAGES, "images"

    def _measure(self, raw: Raw) -> Description:
        found = super()._measure(raw)
        return found if found.low else replace(found, low=(0.0,), high=(255.0,))

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Shift up to an eighth of each side: uint8 (N, C, H, W)."""
        return _augment.shift(x, random, (2, 3), (x.shape[2] // 8, x.shape[3] // 8))

    def samples(self, paths: Sequence[Path], every: Sequence[Path]) -> NDArray[np.uint8]:
        if self.known is None:
            self.grey = all(_mode(path) in ("1", "L", "LA") for path in every)
        else:
            self.grey = self.known.shape[0] // (2 if self.data.signed else 1) == 1
        images = [self._pixels(path) for path in paths]
        sizes = {image.shape[1:] for image in images}
        if len(sizes) > 1:
            some = " and ".join(f"{width} x {height}" for height, width in sorted(sizes)[:2])
            raise ConfigurationError(
                f"the images differ in size, such as {some} pixels", remedy="set data.size to pixels along a side"
            )
        return np.stack(images)

    def _pixels(self, path: Path) -> NDArray[np.uint8]:
        with damage_named(f"'{path}'"), _pillow().open(path) as image:
            converted = image.convert("L" if self.grey else "RGB")
            if self.data.size is not None:
                from PIL import ImageOps

                converted = ImageOps.fit(converted, (self.data.size, self.data.size))
            pixels = np.asarray(converted, np.uint8)
        return pixels[None] if self.grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _mode(path: Path) -> str:
    with damage_named(f"'{path}'"), _pillow().open(path) as image:
        mode = str(image.mode)
    if mode not in MODES:
        raise FileFormatError(f"'{path}' has pixels of more than 8 bits ({mode})", remedy="convert it to 8 bits")
    return mode


def _pillow() -> Any:
    with extra("train"):
        from PIL import Image

    return Image


class EventFolder(FolderData):
    """Recordings of events, counted in T windows of equal length, in the formats that READERS names.

    `data.sensor` is the sensor's (width, height), or of sensors in a row, as a cochlea's channels, their number.
    """

    own = (*OwnData.own, "size", "sensor")
    encodings = ("levels",)  # counts of events
    what = "recordings"

    @property
    def endings(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(READERS)

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Shift up to 2 pixels along each side: uint8 (N, 2, H, W, T)."""
        return _augment.shift(x, random, (2, 3), (PIXELS, PIXELS))

    def samples(self, paths: Sequence[Path], every: Sequence[Path]) -> NDArray[np.uint8]:
        sensor = self._sensor(paths)
        shape = self._frame(sensor)
        parameters = (self.data.timesteps, shape, sensor, self.data.input_bits)
        folder = _cache.cache_folder(self.data.cache) / f"events-{_cache.digest(paths, *parameters)}"
        labels = [0] * len(paths)  # the folders tell them
        size = (*shape, self.data.timesteps)
        converted = _cache.cached(folder, self._frames(paths, shape, sensor), labels, size, "converting events")
        return converted.values.numpy()

    def _sensor(self, paths: Sequence[Path]) -> tuple[int, ...]:
        """(height, width) of the sensor, or its channels."""
        if self.data.sensor is None:
            reach = sensor_of(paths)
            raise ConfigurationError(
                "nothing tells the size of the sensor",
                remedy=f"set data.sensor to its width and height; some of its recordings reach {list(reach)}",
            )
        if len(self.data.sensor) > 2 or not self.data.sensor:
            raise ConfigurationError("data.sensor has a width and a height", remedy="write for example [346, 260]")
        return self.data.sensor[::-1]

    def _frame(self, sensor: tuple[int, ...]) -> tuple[int, ...]:
        """(2, H, W) of a frame after downsampling, or (C,)."""
        longest = self.data.size or max(sensor)
        if longest > max(sensor):
            raise ConfigurationError(
                f"data.size is {longest}, and the sensor has {max(sensor)}", remedy=f"set it to {max(sensor)} or less"
            )
        sides = tuple(max(1, round(side * longest / max(sensor))) for side in sensor)
        return (2, *sides) if len(sides) == 2 else sides

    def _frames(
        self, paths: Sequence[Path], shape: tuple[int, ...], sensor: tuple[int, ...]
    ) -> Iterator[NDArray[np.uint8]]:
        for path in paths:
            with damage_named(f"'{path}'"):
                events = read_events(path)
            try:
                yield frames(events, self.data.timesteps, shape, sensor, self.data.input_bits)
            except ValueError as error:
                raise FileFormatError(f"'{path}': {error}", remedy="check data.sensor, or take it out") from None


def sensor_of(paths: Sequence[Path], most: int = 20) -> tuple[int, ...]:
    """(width, height) that the events of some recordings reach, or the channels of those that have no y."""
    reach: dict[str, int] = {}
    for path in paths[:: max(1, len(paths) // most)]:  # of all classes
        with damage_named(f"'{path}'"):
            events = read_events(path)
            for name in [name for name in ("x", "y") if name in (events.dtype.names or ())]:
                reach[name] = max(reach.get(name, 0), int(events[name].max(initial=0)) + 1)
    return tuple(reach.values())


def read_events(path: Path) -> NDArray[Any]:
    """The events of a recording, structured (n,): t in microseconds, x, and of cameras y and p."""
    events = READERS[path.suffix.lower()](path)
    if events.dtype.names is None or not {"t", "x"} <= set(events.dtype.names):
        raise ValueError("its events have no t or no x")
    return events


def _read_numpy(path: Path) -> NDArray[Any]:
    """A structured array of events; or (n, 4), the columns x, y, t, p, as tonic orders them."""
    events = np.load(path, allow_pickle=False)
    if isinstance(events, np.lib.npyio.NpzFile):
        arrays = {name: events[name] for name in events.files}
        if len(arrays) == 1:
            events = next(iter(arrays.values()))
        else:
            names = [name for name in ("x", "y", "t", "p") if name in arrays]
            return _structured({name: arrays[name] for name in names})
    if events.dtype.names is not None:
        return np.asarray(events)
    if events.ndim != 2 or events.shape[1] != 4:
        raise ValueError(f"it holds an array of shape {events.shape}, neither structured nor (n, 4)")
    return _structured(dict(zip(("x", "y", "t", "p"), events.T)))


def _structured(columns: dict[str, NDArray[Any]]) -> NDArray[Any]:
    events = np.empty(len(next(iter(columns.values()))), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        events[name] = column
    return events


def _read_tonic(name: str) -> Callable[[Path], NDArray[Any]]:
    """A reader of tonic.io, by its name."""

    def read(path: Path) -> NDArray[Any]:
        import numpy.lib.recfunctions  # noqa: F401  tonic uses it and does not import it

        with extra("train"):
            from tonic import io

        found = getattr(io, name)(str(path), *([io.events_struct] if name == "read_mnist_file" else []))
        if isinstance(found, dict):
            return np.asarray(found["events"])
        return np.asarray(found[1] if isinstance(found, tuple) else found)

    return read


def _read_prophesee(encoding: str) -> Callable[[Path], NDArray[Any]]:
    """A reader of Prophesee's formats, by expelliarmus, as tonic uses it."""

    def read(path: Path) -> NDArray[Any]:
        with extra("train"):
            from expelliarmus import Wizard

        return np.asarray(Wizard(encoding=encoding).read(path))

    return read


#: The readers of event files, by their endings.
READERS: dict[str, Callable[[Path], NDArray[Any]]] = {
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".aedat4": _read_tonic("read_aedat4"),
    ".aedat": _read_tonic("read_dvs_128"),  # of a DVS128
    ".bin": _read_tonic("read_mnist_file"),  # of N-MNIST and N-Caltech101
    ".dat": _read_prophesee("dat"),
    ".raw": _read_prophesee("evt3"),
}


def kind_of_folder(folder: Path) -> str:
    """The data set that a folder holds: "images" or "events", by the endings of the files in its folders.

    Raises:
        ConfigurationError: it holds neither.
    """
    paths = [path for depth in ("*/*", "*/*/*") for path in folder.glob(depth)]
    counts = {
        name: sum(path.suffix.lower() in endings for path in paths)
        for name, endings in {"images": IMAGES, "events": tuple(READERS)}.items()
    }
    if not any(counts.values()):
        raise ConfigurationError(
            f"the folder '{folder}' holds neither images nor recordings of events in folders of classes",
            remedy="make a folder for each class there; for a data set with a name, use --data NAME --folder FOLDER",
        )
    return max(counts, key=counts.__getitem__)
