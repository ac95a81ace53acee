"""Still images: digits, MNIST, Fashion-MNIST, CIFAR-10."""

from __future__ import annotations

import contextlib
import gzip
import math
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn.errors import ConfigurationError, FileFormatError, printable
from lava_qsnn.extras import extra
from lava_qsnn.train.data import _augment
from lava_qsnn.train.data._base import Arrays, SampleData

#: The longest uncompressed idx file that is read: MNIST's training images are 47 MB.
LARGEST_FILE = 2**26


class Digits(SampleData):
    """scikit-learn's 1,797 digits of 8 x 8 pixels, in the package itself; a fifth of them are the test samples.

    Pixels are integers from 0 to 16, as they are with 5 input bits, and rescaled to 0 .. 2^input_bits - 1 with fewer.
    """

    shape = (1, 8, 8)
    most_bits = 5
    test_fraction = 0.2

    def read(self) -> tuple[Arrays, Arrays]:
        with extra("train"):
            from sklearn.datasets import load_digits  # takes a second to import

        digits = load_digits()
        images = digits.images.astype(np.uint8)[:, None]
        if self.data.input_bits < self.most_bits:
            images = (images * (2**self.data.input_bits - 1) + 8) // 16
        arrays = Arrays(torch.as_tensor(images), torch.as_tensor(digits.target.astype(np.int64)))
        return self._split(arrays, self.test_fraction)


class MNIST(SampleData):
    """MNIST's idx files, 60,000 + 10,000 images of 28 x 28 pixels, 8 bits shifted right to `input_bits`.

    `folder` holds the four files, as they are or gzipped, or torchvision's own layout of folders.
    """

    shape = (1, 28, 28)
    contents = "four idx files"
    source: ClassVar[str] = "MNIST"  # torchvision's name
    files: ClassVar[tuple[tuple[str, str], ...]] = (
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    )

    def prepare_data(self) -> None:
        """Download what is missing, if the configuration says so; Lightning calls it once per machine."""
        if self.data.download and any(self._find(name) is None for pair in self.files for name in pair):
            _download(self.source, self._folder())

    def read(self) -> tuple[Arrays, Arrays]:
        missing = [name for pair in self.files for name in pair if self._find(name) is None]
        if missing:
            raise ConfigurationError(
                f"there is no file '{missing[0]}' (or .gz) in the folder '{self._folder()}'",
                remedy=f"put the four idx files of {self.source} there, or download them with data.download "
                "(--download)",
            )
        training, test = (self._arrays(*pair) for pair in self.files)
        return training, test

    def _find(self, name: str) -> Path | None:
        folder = self._folder()
        roots = (folder, folder / self.source / "raw")
        candidates = (root / f"{name}{ending}" for root in roots for ending in ("", ".gz"))
        return next((path for path in candidates if path.is_file()), None)

    def _arrays(self, images_name: str, labels_name: str) -> Arrays:
        paths = [self._find(name) for name in (images_name, labels_name)]
        assert paths[0] is not None
        assert paths[1] is not None
        reading = torchvision_data().mnist
        images = _read_idx(paths[0], reading.read_image_file)
        labels = _read_idx(paths[1], reading.read_label_file)
        if images.shape[1:] != self.shape[1:] or not len(images):
            raise FileFormatError(f"'{paths[0]}' holds images of shape {tuple(images.shape)}, not (N, 28, 28)")
        if len(labels) != len(images) or int(labels.max()) >= self.classes:
            raise FileFormatError(f"'{paths[1]}' does not hold the labels, 0 to 9, of {len(images)} images")
        return Arrays((images >> (8 - self.data.input_bits)).unsqueeze(1), labels)


class FashionMNIST(MNIST):
    """Fashion-MNIST: ten kinds of clothes in MNIST's own format."""

    source = "FashionMNIST"
    names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


class CIFAR10(SampleData):
    """CIFAR-10: 50,000 + 10,000 coloured images of 32 x 32 pixels, 8 bits shifted right to `input_bits`.

    `folder` holds the binary version's six .bin files, their folder, or torchvision's own folder of the Python version.
    """

    shape = (3, 32, 32)
    contents = "binary or Python version"
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    binary: ClassVar[str] = "cifar-10-batches-bin"
    python: ClassVar[str] = "cifar-10-batches-py"
    files: ClassVar[tuple[tuple[str, ...], ...]] = (
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        ("test_batch.bin",),
    )

    def prepare_data(self) -> None:
        """Download the Python version if there is none, and the configuration says so."""
        if self.data.download and not self._found():
            _download("CIFAR10", self._folder())

    def read(self) -> tuple[Arrays, Arrays]:
        if not self._found():
            raise ConfigurationError(
                f"there is neither '{self.binary}' nor '{self.python}' in the folder '{self._folder()}'",
                remedy="put CIFAR-10's binary or Python version there, or download it with data.download (--download)",
            )
        root = self._binary()
        training, test = (
            self._python(number == 0) if root is None else self._rows([root / name for name in names])
            for number, names in enumerate(self.files)
        )
        return training, test

    def augmentation(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Turn left and right round, shift up to 4 pixels along each side, cut out: uint8 (N, 3, 32, 32)."""
        x = _augment.shift(_augment.flip(x, random, 3), random, (2, 3), (4, 4))
        grey = 2 ** (self.data.input_bits - 1)
        return _augment.cut_out(x, random, self.data.cutout, grey) if self.data.cutout else x

    def _found(self) -> bool:
        return self._binary() is not None or (self._folder() / self.python).is_dir()

    def _binary(self) -> Path | None:
        """The folder of the binary version."""
        roots = (self._folder(), self._folder() / self.binary)
        return next((root for root in roots if any((root / part[0]).is_file() for part in self.files)), None)

    def _python(self, training: bool) -> Arrays:
        """The Python version by torchvision, which unpickles nothing but files whose MD5 sums are the original's."""
        folder, given = self._folder(), torchvision_data()
        try:
            source = given.CIFAR10(str(folder), train=training)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            raise FileFormatError(
                f"'{folder / self.python}' is damaged, or lacks files ({error})", remedy="fetch it again"
            ) from None
        pixels = np.ascontiguousarray(source.data.transpose(0, 3, 1, 2))
        return self._arrays(pixels, np.asarray(source.targets, np.int64), folder)

    def _rows(self, paths: Sequence[Path]) -> Arrays:
        """The binary version: rows of a label and the red, green and blue pixels, a byte each."""
        length = 1 + math.prod(self.shape)
        contents = []
        for path in paths:
            if not path.is_file():
                raise ConfigurationError(f"there is no file '{path}'", remedy="put CIFAR-10's six .bin files there")
            rows = np.fromfile(path, np.uint8)
            if not len(rows) or len(rows) % length:
                raise FileFormatError(f"'{path}' does not hold rows of {length} bytes", remedy="fetch it again")
            contents.append(rows.reshape(-1, length))
        rows = np.concatenate(contents)
        return self._arrays(rows[:, 1:].reshape(-1, *self.shape), rows[:, 0].astype(np.int64), paths[0].parent)

    def _arrays(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], folder: Path) -> Arrays:
        if int(labels.max()) >= self.classes:
            raise FileFormatError(f"'{folder}' holds labels beyond 0 to 9", remedy="fetch it again")
        return Arrays(torch.from_numpy(pixels >> (8 - self.data.input_bits)), torch.from_numpy(labels))


def torchvision_data() -> Any:
    """The module of torchvision's data sets, imported where one is read: others need none.

    Raises:
        MissingPackageError: it is not installed.
        ConfigurationError: it was built for another torch.
    """
    try:
        with extra("train"):
            from torchvision import datasets
    except (OSError, RuntimeError) as error:  # its operators, or the libraries that they are linked to
        raise ConfigurationError(
            f"torchvision cannot be imported ({printable(str(error))})",
            remedy="install the torchvision that belongs to this torch, from where torch was installed",
        ) from error
    return datasets


def _download(name: str, folder: Path) -> None:
    source = getattr(torchvision_data(), name)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torchvision prints what it does
            source(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"cannot download {name} to '{folder}': {error}",
            remedy="put its files there by other means",
        ) from None


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
