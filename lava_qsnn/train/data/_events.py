"""Recordings of event cameras and of an artificial cochlea, read by tonic, as T frames of event counts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn.errors import ConfigurationError, FileFormatError, QsnnError
from lava_qsnn.extras import extra
from lava_qsnn.train.data import _augment, _cache
from lava_qsnn.train.data._base import Arrays, SampleData

#: Pixels that augmentation shifts an event camera's frames, at most.
PIXELS = 2


def frames(
    events: NDArray[Any], timesteps: int, shape: tuple[int, ...], sensor: int | tuple[int, ...], input_bits: int
) -> NDArray[np.uint8]:
    """Events counted in T windows of equal length, as tonic's ToFrame with `n_time_bins` counts them.

    The windows begin with the first event. They are a whole number of microseconds long, so the last few events, fewer
    than T microseconds, may belong to none.

    Args:
        events: structured (n,), n > 0, with t in microseconds, x, and of cameras y and p.
        timesteps: T.
        shape: (2, H, W) of cameras, or (S,).
        sensor: positions along a side of the sensor, or (height, width): as many as the shape has, or more.
            Neighbouring positions are counted as one.
        input_bits: counts stop at 2^input_bits - 1.

    Returns:
        uint8 (*shape, T).

    Raises:
        ValueError: there are no events, or some are outside the sensor.
    """
    if not len(events):
        raise ValueError("there are no events")
    time = events["t"].astype(np.int64)
    time = time - time.min()
    step = time // max(1, time.max() // timesteps)
    names, space = (("x",), shape) if len(shape) == 1 else (("y", "x"), shape[1:])
    extents = (sensor,) * len(space) if isinstance(sensor, int) else sensor
    places = [_downsampled(events[name], *sizes) for name, *sizes in zip(names, extents, space)]
    positions = places if len(shape) == 1 else [(events["p"] > 0).astype(np.int64), *places]
    kept = step < timesteps
    position = np.ravel_multi_index([part[kept] for part in (*positions, step)], (*shape, timesteps))
    counts = np.bincount(position, minlength=int(np.prod(shape)) * timesteps)
    return np.minimum(counts, 2**input_bits - 1).astype(np.uint8).reshape(*shape, timesteps)


def _downsampled(positions: NDArray[Any], sensor: int, size: int) -> NDArray[np.int64]:
    whole = positions.astype(np.int64)
    if whole.min() < 0 or whole.max() >= sensor:
        raise ValueError(f"there are events at {whole.min()} to {whole.max()}, but the sensor ends at {sensor - 1}")
    return whole * size // sensor


class EventData(SampleData):
    """A data set that tonic reads; a subclass names tonic's class and what is where.

    `folder` holds what tonic unpacks, or tonic's own folder with it, named after the class. It may be a part of the
    set. Frames are cached; see `data.cache`.
    """

    still = False
    encodings = ("levels",)  # counts of events
    source: ClassVar[str]  # a class of tonic.datasets
    title: ClassVar[str]
    sensor: ClassVar[int]
    default_size: ClassVar[int]
    #: What must be in the folder: of the training samples, and of the test samples if they are apart.
    layout: ClassVar[tuple[str, ...]]

    @property
    def size(self) -> int:
        """Places along a side after downsampling."""
        return self.data.size or self.default_size

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, self.size, self.size)

    def prepare_data(self) -> None:
        """Download what is missing, if the configuration says so, and convert what is not in the cache."""
        if self.data.download and self._find() is None:
            self._download(self._folder())
        self.read()

    def read(self) -> tuple[Arrays, Arrays]:
        root = self._find()
        if root is None:
            raise ConfigurationError(
                f"there is no {self._layout()} in the folder '{self._folder()}'",
                remedy=f"put {self.title} there as tonic unpacks it, or download it with data.download (--download)",
            )
        return self._parts(root)

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Shift up to 2 pixels along each side: uint8 (N, 2, S, S, T)."""
        return _augment.shift(x, random, (2, 3), (PIXELS, PIXELS))

    def _parts(self, root: Path) -> tuple[Arrays, Arrays]:
        training, test = (self._arrays(root, {"train": train}) for train in (True, False))
        return training, test

    def _arrays(self, root: Path, part: dict[str, bool]) -> Arrays:
        """One part, from the cache if it is there."""
        samples = _open(self.source, root, part)
        files, labels, order = self._index(samples, root, part)
        if not files or not all(0 <= label < self.classes for label in labels):
            raise FileFormatError(
                f"'{root}' does not hold samples of the classes 0 to {self.classes - 1} in every part"
            )
        parameters = (self.data.timesteps, self.shape, self.data.input_bits)
        name = f"{self.data.name}-{_cache.digest(files, self.data.name, *parameters)}"
        return _cache.cached(
            _cache.cache_folder(self.data.cache) / name,
            self._frames(samples, files, order),
            labels,
            (*self.shape, self.data.timesteps),
            "converting events",
        )

    def _index(self, samples: Any, root: Path, part: dict[str, bool]) -> tuple[list[Path], list[int], list[int]]:
        """Files, labels, and tonic's numbers of the samples; sorted, since tonic takes files as the disk gives them."""
        order = sorted(range(len(samples.data)), key=lambda number: self._rank(Path(samples.data[number])))
        return [Path(samples.data[i]) for i in order], [int(samples.targets[i]) for i in order], order

    def _rank(self, path: Path) -> tuple[str, ...]:
        return path.parts

    def _frames(self, samples: Any, files: Sequence[Path], order: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        alone = len(files) == len(order)  # shd has one file of all samples
        for position, number in enumerate(order):
            with damage_named(f"'{files[position]}'" if alone else f"'{files[0]}', recording {number},"):
                events, _ = samples[number]
                result = frames(events, self.data.timesteps, self.shape, self.sensor, self.data.input_bits)
            yield result

    def _find(self) -> Path | None:
        folder = self._folder()
        roots = (folder, folder / self.source)
        return next((root for root in roots if all((root / name).exists() for name in self.layout)), None)

    def _layout(self) -> str:
        return " and ".join(f"'{name}'" for name in self.layout)

    def _download(self, folder: Path) -> None:
        with extra("train"):
            import tonic

        kind = getattr(tonic.datasets, self.source)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # tonic prints what it does
                for part in ({"train": True}, {"train": False}) if len(self.layout) == 2 else ({},):
                    kind(save_to=str(folder), **part)
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(
                f"cannot download {self.title} to '{folder}': {error}",
                remedy=f"unpack it there by other means: {self._layout()}",
            ) from None


class NMNIST(EventData):
    """N-MNIST: MNIST's digits before a moving event camera of 34 x 34 pixels, in the set's own .bin files."""

    source, title, contents = "NMNIST", "N-MNIST", "folders Train and Test"
    layout = ("Train", "Test")
    sensor = default_size = 34

    def _rank(self, path: Path) -> tuple[str, ...]:
        return (path.name, *path.parts)  # MNIST's own order, not digit by digit


class DVSGesture(EventData):
    """DVS128 Gesture: eleven gestures of the hand and arm, 128 x 128 pixels, in tonic's own .npy files."""

    source, title, contents = "DVSGesture", "DVS128 Gesture", "folders ibmGestureTrain and ibmGestureTest"
    layout = ("ibmGestureTrain", "ibmGestureTest")
    sensor, default_size, classes = 128, 64, 11
    names = (
        *("hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter-clockwise"),
        *("left arm clockwise", "left arm counter-clockwise", "arm roll", "air drums", "air guitar", "other gestures"),
    )


class CIFAR10DVS(EventData):
    """CIFAR10-DVS: ten kinds of moving pictures, 128 x 128 pixels, in .aedat4 files; a tenth are the test samples.

    It has no split of its own. `data.split_seed` chooses the test samples, as many of every class.
    """

    source, title, contents = "CIFAR10DVS", "CIFAR10-DVS", "ten folders of .aedat4 files"
    layout = names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    sensor, default_size = 128, 48
    test_fraction = 0.1

    def _parts(self, root: Path) -> tuple[Arrays, Arrays]:
        return self._split(self._arrays(root, {}), self.test_fraction)


class SHD(EventData):
    """Spiking Heidelberg Digits: 20 spoken digits, English and German, from 700 channels of an artificial cochlea."""

    source, title, contents = "SHD", "SHD", "files shd_train.h5 and shd_test.h5"
    layout = ("shd_train.h5", "shd_test.h5")
    sensor, default_size, classes = 700, 140, 20

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Shift up to 1 channel and T / 16 steps: uint8 (N, S, T)."""
        return _augment.shift(x, random, (1, 2), (1, x.shape[-1] // 16))

    def _index(self, samples: Any, root: Path, part: dict[str, bool]) -> tuple[list[Path], list[int], list[int]]:
        path = root / self.layout[0 if part["train"] else 1]
        with damage_named(f"'{path}'"), h5py.File(path, "r") as file:
            labels = [int(label) for label in file["labels"][()]]
        return [path], labels, list(range(len(labels)))


def _open(source: str, root: Path, part: dict[str, bool]) -> Any:
    """tonic's data set of a folder as it is: it may be incomplete and without the archives; nothing is downloaded."""
    import numpy.lib.recfunctions  # noqa: F401  tonic uses it and does not import it

    with extra("train"):
        import tonic  # takes seconds to import

    def exists(self: Any) -> bool:
        self.location_on_system = str(root)
        return True

    kind = getattr(tonic.datasets, source)
    with damage_named(f"'{root}'"):
        return type(source, (kind,), {"_check_exists": exists})(save_to=str(root), **part)


@contextlib.contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Whatever a reader raises, since tonic's raise anything, becomes an error that names the file."""
    try:
        yield
    except (QsnnError, KeyboardInterrupt, SystemExit):
        raise
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{what} needs the Python package '{error.name}' to be read", remedy=f"pip install {error.name}"
        ) from None
    except BaseException as error:  # a panic of aedat is no Exception
        raise FileFormatError(f"{what} is damaged, or no such file ({error})", remedy="fetch it again") from None
