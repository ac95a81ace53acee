"""Data modules: images as integers, repeated at each of T time steps.

A data module is a LightningDataModule with `properties` and `test_arrays`. Its loaders give batches (x, y): x float32
integers from 0 to 2^input_bits - 1, of shape (N, C, T), or (N, C, H, W, T) with `flatten: false`; y int64 (N,).

Images stay in memory as one uint8 tensor; a batch is one indexing operation, and its time axis a view. The order of the
training samples depends on the seed and the epoch alone, so that a resumed training goes on as an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import gzip
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from torchvision import datasets

from lava_qsnn.errors import ConfigurationError, FileFormatError
from training.config import Data

Batch = tuple[Tensor, Tensor]

#: Samples per batch in validation and test.
EVALUATION_BATCH = 1000

#: The longest uncompressed idx file that is read: MNIST's training images are 47 MB.
LARGEST_FILE = 2**26


@dataclass(frozen=True)
class Properties:
    """What a model needs to know of its data: the shape (C,) or (C, H, W) of a time step, bits, T, and classes."""

    input_shape: tuple[int, ...]
    input_bits: int
    timesteps: int
    classes: int


class ImageSet(Dataset[Any]):
    """Images and labels as two tensors, repeated over time when a batch is made.

    Args:
        images: uint8 (N, *shape).
        labels: int64 (N,).
        timesteps: T.
    """

    def __init__(self, images: Tensor, labels: Tensor, timesteps: int) -> None:
        self.images, self.labels, self.timesteps = images, labels, timesteps

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch: float32 (N, *shape, T), a view without copies along T, and int64 (N,)."""
        chosen = torch.as_tensor(indices)
        x = self.images[chosen].float().unsqueeze(-1)
        return x.expand(*x.shape[:-1], self.timesteps), self.labels[chosen]


@dataclass(frozen=True)
class Arrays:
    """A whole data set: uint8 images (N, 1, H, W) as integers of `input_bits` bits, and int64 labels (N,)."""

    images: Tensor
    labels: Tensor

    def part(self, chosen: NDArray[np.integer[Any]]) -> Arrays:
        """The samples of these numbers."""
        index = torch.as_tensor(chosen)
        return Arrays(self.images[index], self.labels[index])


class ImageData(LightningDataModule):
    """A data set of grey images; a subclass says how to read it.

    Args:
        data: the configuration's part.
        seed: of the order of the training samples.
    """

    image_shape: ClassVar[tuple[int, int, int]]
    classes: ClassVar[int] = 10
    most_bits: ClassVar[int] = 8

    def __init__(self, data: Data, seed: int = 0) -> None:
        super().__init__()
        if data.input_bits > self.most_bits:
            raise ConfigurationError(
                f"data.input_bits is {data.input_bits}, but '{data.name}' holds {self.most_bits} bits",
                remedy=f"set data.input_bits from 1 to {self.most_bits}",
            )
        self.data, self.seed = data, seed
        self._sets: dict[str, ImageSet] = {}

    @property
    def properties(self) -> Properties:
        """Known without reading any file."""
        shape = (int(np.prod(self.image_shape)),) if self.data.flatten else self.image_shape
        return Properties(shape, self.data.input_bits, self.data.timesteps, self.classes)

    def read(self) -> tuple[Arrays, Arrays]:
        """Training and test samples; ConfigurationError if files are missing, FileFormatError if they are damaged."""
        raise NotImplementedError

    def setup(self, stage: str = "") -> None:
        """Read the data, once; `stage` makes no difference."""
        if self._sets:
            return
        training, test = self.read()
        kept, held_out = self._split(training, self.data.validation)
        self._sets = {"train": self._set(kept), "validation": self._set(held_out), "test": self._set(test)}

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew each epoch; the short last batch, which would disturb a norm's statistics, is left out."""
        world, rank = self._place()
        sampler: DistributedSampler[Any] = DistributedSampler(
            self._sets["train"], world, rank, shuffle=True, seed=self.seed
        )
        return self._loader("train", sampler, self.data.batch_size, len(sampler) >= self.data.batch_size)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader("validation", self._every_sample_once("validation"), EVALUATION_BATCH)

    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader("test", self._every_sample_once("test"), EVALUATION_BATCH)

    def test_arrays(self, limit: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Test samples for `netx_export.simulate`.

        Args:
            limit: the first so many of them; all by default.

        Returns:
            int64 (N, *input shape, T), a read-only view without copies along T, and labels, int64 (N,).
        """
        self.prepare_data()
        self.setup()
        test = self._sets["test"]
        x = test.images[:limit].numpy().astype(np.int64)
        return np.broadcast_to(x[..., None], (*x.shape, self.data.timesteps)), test.labels[:limit].numpy()

    def _split(self, arrays: Arrays, fraction: float) -> tuple[Arrays, Arrays]:
        """Set a fraction apart, the same of every class."""
        from sklearn.model_selection import train_test_split  # takes a second to import

        everything = np.arange(len(arrays.labels))
        try:
            kept, apart = train_test_split(
                everything, test_size=fraction, stratify=arrays.labels.numpy(), random_state=self.data.split_seed
            )
        except ValueError as error:
            raise ConfigurationError(
                f"cannot set {fraction:.1%} of {len(everything)} samples apart: {error}",
                remedy="change data.validation, or use more samples",
            ) from None
        return arrays.part(kept), arrays.part(apart)

    def _set(self, arrays: Arrays) -> ImageSet:
        images = arrays.images.flatten(1) if self.data.flatten else arrays.images
        return ImageSet(images, arrays.labels, self.data.timesteps)

    def _place(self) -> tuple[int, int]:
        """Number of processes, and this one's."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer is not None else (1, 0)

    def _every_sample_once(self, name: str) -> DistributedSampler[Any]:
        # Lightning's own choice would repeat samples to fill up the last process, and so change the accuracy.
        return UnrepeatedDistributedSampler(self._sets[name], *self._place(), shuffle=False)

    def _loader(
        self, name: str, sampler: DistributedSampler[Any], batch_size: int, drop_last: bool = False
    ) -> DataLoader[Any]:
        return DataLoader(self._sets[name], batch_size, sampler=sampler, drop_last=drop_last, collate_fn=_whole)


def _whole(batch: Any) -> Any:
    """ImageSet.__getitems__ has made the batch already."""
    return batch


class Digits(ImageData):
    """scikit-learn's 1,797 digits of 8 x 8 pixels, in the package itself; a fifth of them are the test samples.

    Pixels are integers from 0 to 16, as they are with 5 input bits, and rescaled to 0 .. 2^input_bits - 1 with fewer.
    """

    image_shape = (1, 8, 8)
    most_bits = 5
    test_fraction = 0.2

    def read(self) -> tuple[Arrays, Arrays]:
        from sklearn.datasets import load_digits  # takes a second to import

        digits = load_digits()
        images = digits.images.astype(np.uint8)[:, None]
        if self.data.input_bits < self.most_bits:
            images = (images * (2**self.data.input_bits - 1) + 8) // 16
        arrays = Arrays(torch.as_tensor(images), torch.as_tensor(digits.target.astype(np.int64)))
        return self._split(arrays, self.test_fraction)


class MNIST(ImageData):
    """MNIST's idx files, 60,000 + 10,000 images of 28 x 28 pixels, 8 bits shifted right to `input_bits`.

    `folder` holds the four files, as they are or gzipped, or torchvision's own layout of folders.
    """

    image_shape = (1, 28, 28)
    source: ClassVar[type[datasets.MNIST]] = datasets.MNIST
    files: ClassVar[tuple[tuple[str, str], ...]] = (
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    )

    def prepare_data(self) -> None:
        """Download what is missing, if the configuration says so; Lightning calls it once per machine."""
        if self.data.download and any(self._find(name) is None for pair in self.files for name in pair):
            self._download(self._folder())

    def read(self) -> tuple[Arrays, Arrays]:
        missing = [name for pair in self.files for name in pair if self._find(name) is None]
        if missing:
            raise ConfigurationError(
                f"there is no file '{missing[0]}' (or .gz) in the folder '{self._folder()}'",
                remedy=f"put the four idx files of {self.source.__name__} there, or download them with data.download "
                "(--download)",
            )
        training, test = (self._arrays(*pair) for pair in self.files)
        return training, test

    def _folder(self) -> Path:
        if self.data.folder is None:
            raise ConfigurationError(
                f"'{self.data.name}' needs a folder",
                remedy="set data.folder (--folder) to where its four idx files are, or are to be downloaded to",
            )
        return Path(self.data.folder).expanduser()

    def _find(self, name: str) -> Path | None:
        folder = self._folder()
        places = (folder, folder / self.source.__name__ / "raw")
        candidates = (place / f"{name}{ending}" for place in places for ending in ("", ".gz"))
        return next((path for path in candidates if path.is_file()), None)

    def _download(self, folder: Path) -> None:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # torchvision prints what it does
                self.source(str(folder), download=True)
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(
                f"cannot download {self.source.__name__} to '{folder}': {error}",
                remedy="put its four idx files there by other means",
            ) from None

    def _arrays(self, images_name: str, labels_name: str) -> Arrays:
        paths = [self._find(name) for name in (images_name, labels_name)]
        assert paths[0] is not None
        assert paths[1] is not None
        images = _read_idx(paths[0], datasets.mnist.read_image_file)
        labels = _read_idx(paths[1], datasets.mnist.read_label_file)
        if images.shape[1:] != self.image_shape[1:] or not len(images):
            raise FileFormatError(f"'{paths[0]}' holds images of shape {tuple(images.shape)}, not (N, 28, 28)")
        if len(labels) != len(images) or int(labels.max()) >= self.classes:
            raise FileFormatError(f"'{paths[1]}' does not hold the labels, 0 to 9, of {len(images)} images")
        return Arrays((images >> (8 - self.data.input_bits)).unsqueeze(1), labels)


class FashionMNIST(MNIST):
    """Fashion-MNIST: ten kinds of clothes in MNIST's own format."""

    source = datasets.FashionMNIST


def _read_idx(path: Path, reader: Callable[[str], Tensor]) -> Tensor:
    """One idx file by torchvision's reader, which knows plain files only; FileFormatError if it is damaged."""
    try:
        if path.suffix != ".gz":
            return reader(str(path))
        with gzip.open(path) as compressed, tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, path.stem)
            plain.write_bytes(compressed.read(LARGEST_FILE))
            return reader(str(plain))
    except (AssertionError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zlib.error) as error:
        raise FileFormatError(f"'{path}' is no idx file, or damaged ({error})", remedy="fetch it again") from None


#: The table of data sets. A new one is one more row: a LightningDataModule with `properties` and `test_arrays`.
DATA: dict[str, type[ImageData]] = {"digits": Digits, "mnist": MNIST, "fashion_mnist": FashionMNIST}


def make(data: Data, seed: int = 0) -> ImageData:
    """The data module of a configuration; nothing is read yet.

    Args:
        data: the configuration's part.
        seed: of the order of the training samples.

    Raises:
        ConfigurationError: there is no such data set, or it does not hold so many bits.
    """
    if data.name not in DATA:
        raise ConfigurationError(
            f"data.name: there is no data set '{data.name}'", remedy=f"choose one of {', '.join(DATA)}"
        )
    return DATA[data.name](data, seed)
