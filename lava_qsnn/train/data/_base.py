"""The base of all data sets: splits, loaders, batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra
from lava_qsnn.train import encodings
from lava_qsnn.train.config import Data
from lava_qsnn.train.description import Description, Properties

Batch = tuple[Tensor, Tensor]

#: Changes a batch of samples, uint8 (N, *shape[, T]), at random; a new tensor of the same shape.
Augmentation = Callable[[Tensor, np.random.Generator], Tensor]

InTime = Callable[[Tensor, torch.dtype], Tensor]

#: Samples per batch in validation and test.
EVALUATION_BATCH = 1000

#: Keys of the configuration that mean something to some data sets only; see SampleData.own.
OWN_KEYS = ("source", "axes", "range", "scale", "signed", "targets", "outputs", "options", "sensor")


@dataclass(frozen=True)
class Arrays:
    """Samples and labels, or a selection of them, which copies nothing.

    Args:
        values: uint8 (M, *shape) of still images, or (M, *shape, T), as integers of `input_bits` bits.
        labels: int64 (M,) of classes; float64 (M, outputs) of numbers, in their own units.
        rows: which N of the M samples these are, int64 (N,); all by default.
    """

    values: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels if self.rows is None else self.rows)

    def part(self, chosen: NDArray[np.integer[Any]]) -> Arrays:
        """The samples of these numbers."""
        return Arrays(self.values, self.labels, self._rows(torch.as_tensor(chosen)))

    def every_label(self) -> Tensor:
        """The labels of all samples, (N,) or (N, outputs)."""
        return self.labels if self.rows is None else self.labels[self.rows]

    def take(self, chosen: Tensor) -> Batch:
        """A copy of the samples of these numbers, uint8 (n, ..), and their labels, (n,) or (n, outputs)."""
        rows = self._rows(chosen)
        return self.values[rows], self.labels[rows]

    def _rows(self, chosen: Tensor) -> Tensor:
        return chosen if self.rows is None else self.rows[chosen]


class ImageSet(Dataset[Any]):
    """Samples that become batches of time steps.

    Args:
        arrays: the samples.
        in_time: makes time steps of samples, uint8 (N, *shape[, T]), as integers (N, *input shape, T) of a dtype.
        augmentation: of training samples.
        seed: of the augmentation.
    """

    def __init__(
        self, arrays: Arrays, in_time: InTime, augmentation: Augmentation | None = None, seed: int = 0
    ) -> None:
        self.arrays, self.in_time = arrays, in_time
        self.augmentation, self.seed, self.epoch = augmentation, seed, 0

    @property
    def images(self) -> Tensor:
        """All samples, uint8 (N, *shape[, T]); a copy."""
        return self.arrays.take(torch.arange(len(self)))[0]

    @property
    def labels(self) -> Tensor:
        """All labels, (N,) or (N, outputs); a copy."""
        return self.arrays.take(torch.arange(len(self)))[1]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch: float32 (N, *input shape, T), of repeated images a view without copies along T; and labels."""
        values, labels = self.arrays.take(torch.as_tensor(indices))
        if self.augmentation is not None:
            # The seed, the epoch and the samples alone: what was drawn before, or in another process, does not matter.
            values = self.augmentation(values, np.random.default_rng([self.seed, self.epoch, *indices]))
        return self.in_time(values, torch.float32), labels


class SampleData(LightningDataModule):
    """A data set; a subclass says how to read it.

    Args:
        data: the configuration's part.
        seed: of the order of the training samples, and of their augmentation.
        known: what is known of the data from a training before; by default what they are themselves.
    """

    classes: ClassVar[int] = 10
    names: ClassVar[tuple[str, ...]] = ()  # of the classes; none where their numbers say it all
    most_bits: ClassVar[int] = 8
    still: bool = True
    contents: ClassVar[str] = "files"  # of the folder, for error messages
    sensor: ClassVar[int | None] = None  # positions along a side, where data.size may choose fewer
    own: ClassVar[tuple[str, ...]] = ()  # keys of the configuration that mean something here, and not everywhere
    encodings: ClassVar[tuple[str, ...]] = encodings.names(still=True)
    augmentation: Augmentation | None = None

    def __init__(self, data: Data, seed: int = 0, known: Description | None = None) -> None:
        super().__init__()
        self.data, self.seed, self.known = data, seed, known
        self._refuse_meaningless()
        self._sets: dict[str, ImageSet] = {}

    def _refuse_meaningless(self) -> None:
        """Raise ConfigurationError for values that these data do not have, and keys that mean nothing here."""
        data, default = self.data, Data()
        if data.input_bits > self.most_bits:
            unit, choice = ("bits", f"from 1 to {self.most_bits}") if self.most_bits > 1 else ("bit", "to 1")
            raise ConfigurationError(
                f"data.input_bits is {data.input_bits}, but '{data.name}' holds {self.most_bits} {unit}",
                remedy=f"set data.input_bits {choice}",
            )
        if data.size is not None and "size" not in self.own and data.size > (self.sensor or 0):
            raise ConfigurationError(
                f"data.size is {data.size}, but '{data.name}' has {self.sensor or 'no size to choose'}",
                remedy=f"set data.size from 1 to {self.sensor}" if self.sensor else "leave data.size out",
            )
        if data.augment and self.augmentation is None:
            raise ConfigurationError(f"'{data.name}' has no augmentation", remedy="set data.augment to false")
        for name in OWN_KEYS:
            if name not in self.own and getattr(data, name) != getattr(default, name):
                raise ConfigurationError(f"data.{name} means nothing to '{data.name}'", remedy="leave it out")
        if data.encoding not in self.encodings:
            raise ConfigurationError(
                f"data.encoding is '{data.encoding}', which '{data.name}' does not have",
                remedy=f"choose one of {', '.join(self.encodings)}",
            )
        if self.encoding != "levels" and "source" not in self.own:  # what one's own data are, is not known yet
            encodings.check(self.encoding, data.timesteps, data.input_bits, self.still)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a time step before it is flattened, (C, H, W) or (C,): each data set says it."""
        raise NotImplementedError

    @property
    def description(self) -> Description:
        """The description of the data; of those with a name it is known without reading any file."""
        return Description(self.shape, self.class_names)

    @property
    def properties(self) -> Properties:
        """The properties of the data for a model."""
        return self.description.properties(self.data)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return self.names or tuple(map(str, range(self.classes)))

    @property
    def encoding(self) -> str:
        """The encoding of the values that are kept into time steps."""
        return self.data.encoding

    def in_time(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Time steps (N, *input shape, T) of samples, uint8 (N, *shape[, T]); a view where values are only repeated."""
        if self.encoding == "levels":
            x = values.to(dtype)
            x = x.unsqueeze(-1).expand(*x.shape, self.data.timesteps) if self.still else x
        else:
            encode = encodings.ENCODINGS[self.encoding].function
            x = torch.from_numpy(encode(values.numpy(), self.data.timesteps, self.data.input_bits)).to(dtype)
        return x.flatten(1, -2) if self.data.flatten else x

    def read(self) -> tuple[Arrays, Arrays]:
        """Training and test samples, as each data set reads them.

        Raises:
            ConfigurationError: files are missing.
            FileFormatError: files are damaged.
        """
        raise NotImplementedError

    def parts(self) -> dict[str, Arrays]:
        """The samples of "train", "validation" and "test"."""
        training, test = self.read()
        kept, held_out = self._split(training, self.data.validation)
        return {"train": kept, "validation": held_out, "test": test}

    def setup(self, stage: str = "") -> None:
        """Read the data, once; `stage` makes no difference."""
        if self._sets:
            return
        parts = self.parts()
        augmentation = self.augmentation if self.data.augment else None
        changes = {"train": augmentation}
        self._sets = {name: ImageSet(each, self.in_time, changes.get(name), self.seed) for name, each in parts.items()}

    def part(self, name: str) -> ImageSet:
        """The samples of "train", "validation" or "test", which are read; ConfigurationError if there are none."""
        if name not in self._sets:
            raise ConfigurationError(f"there are no samples for '{name}'", remedy="add some, or set data.test below 1")
        return self._sets[name]

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew each epoch; the short last batch, which would disturb a norm's statistics, is left out."""
        world, rank = self._place()
        sampler = _Shuffled(self.part("train"), world, rank, shuffle=True, seed=self.seed)
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
            int64 (N, *input shape, T), read-only, of repeated images without copies along T, and labels: classes, int64
            (N,), or numbers, float64 (N, outputs).
        """
        return self._test_part(0, self.test_count(limit))

    def test_batches(
        self, limit: int | None = None, size: int = EVALUATION_BATCH
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Give test samples in batches, each made when it is asked for: as `test_arrays`, of so many at a time."""
        count = self.test_count(limit)
        for start in range(0, count, size):
            yield self._test_part(start, min(start + size, count))

    def test_count(self, limit: int | None = None) -> int:
        """The number of test samples, or of the first so many of them."""
        self.prepare_data()
        self.setup()
        every = len(self.part("test"))
        return every if limit is None else min(limit, every)

    def _test_part(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        values, labels = self.part("test").arrays.take(torch.arange(start, stop))
        x = self.in_time(values, torch.int64).numpy()
        x.flags.writeable = False
        return x, labels.numpy()

    def _split(self, arrays: Arrays, fraction: float) -> tuple[Arrays, Arrays]:
        """Set a fraction apart, the same of every class; where numbers are learned, any."""
        labels = arrays.every_label()
        classes = None if labels.is_floating_point() else labels.numpy()
        kept, apart = split_rows(len(arrays), classes, fraction, self.data.split_seed)
        return arrays.part(kept), arrays.part(apart)

    def _folder(self) -> Path:
        if self.data.folder is None:
            raise ConfigurationError(
                f"'{self.data.name}' needs a folder",
                remedy=f"set data.folder (--folder) to where its {self.contents} are, or are to be downloaded to",
            )
        return Path(self.data.folder).expanduser()

    def _place(self) -> tuple[int, int]:
        """Number of processes, and this one's."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer is not None else (1, 0)

    def _every_sample_once(self, name: str) -> DistributedSampler[Any]:
        # Lightning's own choice would repeat samples to fill up the last process, and so change the accuracy.
        return UnrepeatedDistributedSampler(self.part(name), *self._place(), shuffle=False)

    def _loader(
        self, name: str, sampler: DistributedSampler[Any], batch_size: int, drop_last: bool = False
    ) -> DataLoader[Any]:
        return DataLoader(self.part(name), batch_size, sampler=sampler, drop_last=drop_last, collate_fn=_whole)


def split_rows(
    count: int, labels: NDArray[Any] | None, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the samples that are kept, and of a fraction that is set apart: the same of every class, if told.

    Raises:
        ConfigurationError: there are too few samples.
    """
    with extra("train"):
        from sklearn.model_selection import train_test_split  # takes a second to import

    if lack := _too_few(count, labels, fraction):
        raise ConfigurationError(
            f"cannot set {fraction:.1%} of {count} samples apart: {lack}",
            remedy="use more samples, change data.validation or data.test, or give these parts as files or arrays",
        )
    kept, apart = train_test_split(np.arange(count), test_size=fraction, stratify=labels, random_state=seed)
    return kept, apart


def _too_few(count: int, labels: NDArray[Any] | None, fraction: float) -> str | None:
    """Say why so many samples cannot be divided in two, each part with room for all classes; None if they can."""
    apart = math.ceil(fraction * count)
    parts = f"{count - apart} and {apart} samples"
    if labels is None:
        return None if 0 < apart < count else f"the parts would have {parts}"
    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        return f"class {classes[sizes.argmin()]} has one sample, and to divide it takes two"
    if min(apart, count - apart) < len(classes):
        return f"the parts would have {parts}, of {len(classes)} classes"
    return None


class _Shuffled(DistributedSampler[Any]):
    """Tells the samples, too, which epoch it is."""

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        assert isinstance(self.dataset, ImageSet)
        self.dataset.epoch = epoch


def _whole(batch: Any) -> Any:
    """ImageSet.__getitems__ has made the batch already."""
    return batch
