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
from lava_qsnn.train.config import Data

Batch = tuple[Tensor, Tensor]

#: Changes a batch of samples, uint8 (N, *shape[, T]), at random; a new tensor of the same shape.
Augmentation = Callable[[Tensor, np.random.Generator], Tensor]

#: Samples per batch in validation and test.
EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Properties:
    """The properties of data that a model is built for: (C,) or (C, H, W) of a time step, bits, T, and classes."""

    input_shape: tuple[int, ...]
    input_bits: int
    timesteps: int
    classes: int


@dataclass(frozen=True)
class Arrays:
    """Samples and labels, or a selection of them, which copies nothing.

    Args:
        values: uint8 (M, *shape) of still images, or (M, *shape, T), as integers of `input_bits` bits.
        labels: int64 (M,).
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

    def take(self, chosen: Tensor) -> Batch:
        """A copy of the samples of these numbers, uint8 (n, ..), and their labels, int64 (n,)."""
        rows = self._rows(chosen)
        return self.values[rows], self.labels[rows]

    def _rows(self, chosen: Tensor) -> Tensor:
        return chosen if self.rows is None else self.rows[chosen]


class ImageSet(Dataset[Any]):
    """Samples that become batches of time steps; still images are repeated at each.

    Args:
        arrays: the samples.
        properties: of the data set.
        still: whether the samples have no time axis of their own.
        augmentation: of training samples.
        seed: of the augmentation.
    """

    def __init__(
        self,
        arrays: Arrays,
        properties: Properties,
        still: bool,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.arrays, self.properties, self.still = arrays, properties, still
        self.augmentation, self.seed, self.epoch = augmentation, seed, 0

    @property
    def images(self) -> Tensor:
        """All samples, uint8 (N, *shape[, T]); a copy."""
        return self.arrays.take(torch.arange(len(self)))[0]

    @property
    def labels(self) -> Tensor:
        """All labels, int64 (N,); a copy."""
        return self.arrays.take(torch.arange(len(self)))[1]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.__getitems__([index])
        return x[0], y[0]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch: float32 (N, *input shape, T), of still images a view without copies along T; int64 (N,)."""
        values, labels = self.arrays.take(torch.as_tensor(indices))
        if self.augmentation is not None:
            # The seed, the epoch and the samples alone: what was drawn before, or in another process, does not matter.
            values = self.augmentation(values, np.random.default_rng([self.seed, self.epoch, *indices]))
        return self.in_time(values.float()), labels

    def in_time(self, values: Tensor) -> Tensor:
        """Samples (N, *shape[, T]) to (N, *input shape, T), a view."""
        x = values.unsqueeze(-1).expand(*values.shape, self.properties.timesteps) if self.still else values
        return x.flatten(1, -2) if len(self.properties.input_shape) == 1 else x


class SampleData(LightningDataModule):
    """A data set; a subclass says how to read it.

    Args:
        data: the configuration's part.
        seed: of the order of the training samples, and of their augmentation.
    """

    classes: ClassVar[int] = 10
    names: ClassVar[tuple[str, ...]] = ()  # of the classes; none where their numbers say it all
    most_bits: ClassVar[int] = 8
    still: ClassVar[bool] = True
    contents: ClassVar[str] = "files"  # of the folder, for error messages
    sensor: ClassVar[int | None] = None  # positions along a side, where data.size may choose fewer
    augmentation: Augmentation | None = None

    def __init__(self, data: Data, seed: int = 0) -> None:
        super().__init__()
        if data.input_bits > self.most_bits:
            unit, choice = ("bits", f"from 1 to {self.most_bits}") if self.most_bits > 1 else ("bit", "to 1")
            raise ConfigurationError(
                f"data.input_bits is {data.input_bits}, but '{data.name}' holds {self.most_bits} {unit}",
                remedy=f"set data.input_bits {choice}",
            )
        if data.size is not None and data.size > (self.sensor or 0):
            raise ConfigurationError(
                f"data.size is {data.size}, but '{data.name}' has {self.sensor or 'no size to choose'}",
                remedy=f"set data.size from 1 to {self.sensor}" if self.sensor else "leave data.size out",
            )
        if data.augment and self.augmentation is None:
            raise ConfigurationError(f"'{data.name}' has no augmentation", remedy="set data.augment to false")
        self.data, self.seed = data, seed
        self._sets: dict[str, ImageSet] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a time step before it is flattened, (C, H, W) or (C,): each data set says it."""
        raise NotImplementedError

    @property
    def properties(self) -> Properties:
        """Known without reading any file."""
        shape = (math.prod(self.shape),) if self.data.flatten else self.shape
        return Properties(shape, self.data.input_bits, self.data.timesteps, self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return self.names or tuple(map(str, range(self.classes)))

    def read(self) -> tuple[Arrays, Arrays]:
        """Training and test samples, as each data set reads them.

        Raises:
            ConfigurationError: files are missing.
            FileFormatError: files are damaged.
        """
        raise NotImplementedError

    def setup(self, stage: str = "") -> None:
        """Read the data, once; `stage` makes no difference."""
        if self._sets:
            return
        training, test = self.read()
        kept, held_out = self._split(training, self.data.validation)
        augmentation = self.augmentation if self.data.augment else None
        self._sets = {
            "train": ImageSet(kept, self.properties, self.still, augmentation, self.seed),
            "validation": ImageSet(held_out, self.properties, self.still),
            "test": ImageSet(test, self.properties, self.still),
        }

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew each epoch; the short last batch, which would disturb a norm's statistics, is left out."""
        world, rank = self._place()
        sampler = _Shuffled(self._sets["train"], world, rank, shuffle=True, seed=self.seed)
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
            int64 (N, *input shape, T), read-only, of still images without copies along T, and labels, int64 (N,).
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
        every = len(self._sets["test"])
        return every if limit is None else min(limit, every)

    def _test_part(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        test = self._sets["test"]
        values, labels = test.arrays.take(torch.arange(start, stop))
        x = test.in_time(values.long()).numpy()
        x.flags.writeable = False
        return x, labels.numpy()

    def _split(self, arrays: Arrays, fraction: float) -> tuple[Arrays, Arrays]:
        """Set a fraction apart, the same of every class."""
        with extra("train"):
            from sklearn.model_selection import train_test_split  # takes a second to import

        everything = np.arange(len(arrays))
        try:
            kept, apart = train_test_split(
                everything,
                test_size=fraction,
                stratify=arrays.take(torch.as_tensor(everything))[1].numpy(),
                random_state=self.data.split_seed,
            )
        except ValueError as error:
            raise ConfigurationError(
                f"cannot set {fraction:.1%} of {len(everything)} samples apart: {error}",
                remedy="change data.validation, or use more samples",
            ) from None
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
        return UnrepeatedDistributedSampler(self._sets[name], *self._place(), shuffle=False)

    def _loader(
        self, name: str, sampler: DistributedSampler[Any], batch_size: int, drop_last: bool = False
    ) -> DataLoader[Any]:
        return DataLoader(self._sets[name], batch_size, sampler=sampler, drop_last=drop_last, collate_fn=_whole)


class _Shuffled(DistributedSampler[Any]):
    """Tells the samples, too, which epoch it is."""

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        assert isinstance(self.dataset, ImageSet)
        self.dataset.epoch = epoch


def _whole(batch: Any) -> Any:
    """ImageSet.__getitems__ has made the batch already."""
    return batch
