"""Data sets of one's own in Python: a Dataset or a LightningDataModule of torch, by its import path."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.train.data._base import Arrays, Batch
from lava_qsnn.train.data._own import OwnData, Values, labels, measured, ordered
from lava_qsnn.train.description import Description

#: The parts of data, by the words that a function may return them under, and in its order.
PARTS = ("train", "validation", "test")

#: Attributes under which data sets, those of torchvision among them, hold the labels of all samples.
LABELS = ("targets", "labels")

#: Samples of the training that are looked at for their shape and the kind of their numbers.
LOOKED_AT = 64


@dataclass(frozen=True)
class Items:
    """Samples of a torch Dataset, or a selection of them, fetched one by one when they are asked for.

    It is to ImageSet what Arrays is: each sample may be another one each time, as a data set that augments makes it.
    """

    dataset: Any
    owner: ImportedData
    name: str
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: NDArray[np.integer[Any]]) -> Items:
        """The samples of these numbers."""
        return replace(self, rows=self.rows[torch.as_tensor(chosen)])

    def raw(self, chosen: Tensor) -> tuple[Values, Values]:
        """The values and targets of some samples, as they are."""
        pairs = [pair(self.dataset[int(row)]) for row in self.rows[chosen]]
        return stacked([x for x, _ in pairs]), np.asarray([y for _, y in pairs])

    def take(self, chosen: Tensor) -> Batch:
        """The samples of these numbers, uint8 (n, ..), and their labels, (n,) or (n, outputs)."""
        return self.owner.batch(self.name, *self.raw(chosen))

    def targets(self) -> Values:
        """The targets of all samples, without fetching these where the data set holds them apart."""
        held = next((getattr(self.dataset, name) for name in LABELS if hasattr(self.dataset, name)), None)
        if held is not None and len(held) == len(self.dataset):
            return np.asarray(held)[self.rows.numpy()]
        return np.asarray([np.asarray(pair(self.dataset[int(row)])[1]) for row in self.rows])

    def every_label(self) -> Tensor:
        """The labels of all samples, (N,) or (N, outputs)."""
        return torch.from_numpy(labels(self.targets(), len(self), self.owner.description))


class ImportedData(OwnData):
    """A torch Dataset, or a LightningDataModule, that an import path names; their items are (x, y).

    `data.source` is "module:name", or "file.py:name"; modules are looked for in the working directory, too. The name is
    a data set, or what makes one with the arguments `data.options`: a class, or a function. One that takes an argument
    `train` is called twice, as torchvision's are. It may also give several data sets: (training, test), (training,
    validation, test), or a dictionary with such keys. A LightningDataModule keeps its own loaders.
    """

    own = (*OwnData.own, "axes", "options")
    module: LightningDataModule | None = None
    _loaded: tuple[NDArray[np.int64], NDArray[Any]] | None = None

    def setup(self, stage: str = "") -> None:
        if self._sets or self.module is not None:
            return
        found = self._found()
        if isinstance(found, LightningDataModule):
            self._take_module(found)
        else:
            self._given = found
            super().setup(stage)

    def parts(self) -> dict[str, Any]:
        items: dict[str, Any] = {
            name: Items(each, self, name, torch.arange(length(each, self.data.source)))
            for name, each in self._given.items()
        }
        if self.known is None:
            values, _ = items["train"].raw(torch.arange(min(LOOKED_AT, len(items["train"]))))
            self.known = self._measured(values, items["train"].targets, _names(self._given["train"]))
        for name, fraction in (("test", self.data.test), ("validation", self.data.validation)):
            if name not in items:
                items["train"], items[name] = self._split(items["train"], fraction)
        return items

    def batch(self, name: str, values: Values, targets: Values) -> Batch:
        """The integers, uint8, and the labels of some samples as they are."""
        arrays = self._arrays(name, values, targets)
        return arrays.values, arrays.labels

    def _arrays(self, name: str, values: Values, targets: Values) -> Arrays:
        found = self.quantized(name, ordered(values, self.data.axes), self.description)
        return Arrays(torch.from_numpy(found), torch.from_numpy(labels(targets, len(found), self.description)))

    def _measured(self, values: Values, targets: Callable[[], Values], names: tuple[str, ...]) -> Description:
        """The description of data by some samples, and the targets of all that are trained with."""
        values = ordered(values, self.data.axes)
        if values.dtype.kind == "f" and self.data.range is None:
            raise ConfigurationError(
                f"the values of '{self.data.source}' are no integers, and nothing tells their range",
                remedy=f"set data.range; the first {len(values)} samples reach from {values.min():g} to "
                f"{values.max():g}",
            )
        if not names and self.data.targets == "classes" and self.data.outputs is not None:
            names = tuple(map(str, range(self.data.outputs)))
        known_without = names and self.data.targets == "classes"
        return measured(values, np.zeros(1, np.int64) if known_without else targets(), names, self.data)

    # What follows is of a LightningDataModule alone.

    def _take_module(self, module: LightningDataModule) -> None:
        module.prepare_data()
        module.setup("fit")
        module.setup("test")
        for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
            if not inspect.isfunction(getattr(type(module), name, None)) or getattr(type(module), name) is getattr(
                LightningDataModule, name
            ):
                raise ConfigurationError(f"'{self.data.source}' has no {name}", remedy="let it have all three loaders")
        self.module = module
        if self.known is None:
            values, _ = (as_array(each) for each in pair(next(iter(module.train_dataloader()))))
            self.known = self._measured(values, self._loaded_targets, _names(module))

    def _loaded_targets(self) -> Values:
        assert self.module is not None
        return np.concatenate([as_array(pair(batch)[1]) for batch in self.module.train_dataloader()])

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Make integers of a batch of the module's own loaders; Lightning calls it with each."""
        if self.module is None:
            return batch
        values, targets = pair(batch)
        arrays = self._arrays("the batch", as_array(values), as_array(targets))
        return self.in_time(arrays.values, torch.float32), arrays.labels

    def train_dataloader(self) -> Any:
        return super().train_dataloader() if self.module is None else self.module.train_dataloader()

    def val_dataloader(self) -> Any:
        return super().val_dataloader() if self.module is None else self.module.val_dataloader()

    def test_dataloader(self) -> Any:
        return super().test_dataloader() if self.module is None else self.module.test_dataloader()

    def test_count(self, limit: int | None = None) -> int:
        self.setup()
        if self.module is None:
            return super().test_count(limit)
        every = len(self._tested()[0])
        return every if limit is None else min(limit, every)

    def _test_part(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        if self.module is None:
            return super()._test_part(start, stop)
        x, y = self._tested()
        return x[start:stop], y[start:stop]

    def _tested(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """All samples of the module's test loader, and their labels; loaded once."""
        assert self.module is not None
        if self._loaded is None:
            batches = [self.on_before_batch_transfer(batch, 0) for batch in self.module.test_dataloader()]
            x, y = (torch.cat(each) for each in zip(*batches))
            self._loaded = x.long().numpy(), y.numpy()
        return self._loaded

    def _found(self) -> Any:
        """A LightningDataModule, or data sets by their parts."""
        if self.data.source is None:
            raise ConfigurationError(
                "'dataset' needs an import path, and files do not name one that is executed",
                remedy="name it with --data module:name, or with data.source of your own configuration",
            )
        named = imported(self.data.source)
        makes = callable(named) and not isinstance(named, (Dataset, LightningDataModule))
        if not makes:
            return _parts(named, self.data.source)
        if "train" in _parameters(named):
            made = {name: _made(named, self.data.options | {"train": name == "train"}) for name in ("train", "test")}
            return _parts(made, self.data.source)
        return _parts(_made(named, self.data.options), self.data.source)


def imported(path: str) -> Any:
    """The object of an import path: "module:name" or "file.py:name"; executes the module.

    Raises:
        ConfigurationError: it is no import path, or there is no such module or name.
    """
    module_name, _, name = path.rpartition(":")
    if not module_name or not name:
        raise ConfigurationError(f"'{path}' is no import path", remedy="write it as module:name, or file.py:name")
    try:
        module = _from_file(Path(module_name)) if module_name.endswith(".py") else _from_name(module_name)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise ConfigurationError(
            f"'{path}' cannot be imported: {error}", remedy="name a module beside which you stand, or an installed one"
        ) from None
    if not hasattr(module, name):
        raise ConfigurationError(f"'{module_name}' has no '{name}'", remedy="name what makes the data set")
    return getattr(module, name)


def _from_name(name: str) -> Any:
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    finally:
        if added:
            sys.path.remove(here)


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # as pickling its classes for other processes needs it
    spec.loader.exec_module(module)
    return module


def _parameters(made: Any) -> Sequence[str]:
    try:
        return tuple(inspect.signature(made).parameters)
    except (TypeError, ValueError):
        return ()


def _made(kind: Any, options: Mapping[str, Any]) -> Any:
    try:
        return kind(**options)
    except TypeError as error:
        raise ConfigurationError(
            f"data.options do not fit: {error}", remedy="give the arguments by their names"
        ) from error


def _parts(found: Any, source: str | None) -> Any:
    """Data sets by their parts, of what a user's code made."""
    if isinstance(found, LightningDataModule):
        return found
    if isinstance(found, tuple) and len(found) in (2, 3):
        found = dict(zip(("train", "test") if len(found) == 2 else PARTS, found))
    parts = dict(found) if isinstance(found, Mapping) else {"train": found}
    if "train" not in parts or not set(parts) <= set(PARTS):
        raise ConfigurationError(
            f"'{source}' gives {', '.join(map(str, parts))}", remedy=f"use keys of {', '.join(PARTS)}"
        )
    return parts


def length(dataset: Any, source: str | None) -> int:
    """The number of samples of a data set; ConfigurationError if it is none with a length and items."""
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise ConfigurationError(
            f"'{source}' gives a {type(dataset).__name__}, which has no length and no items by their numbers",
            remedy="give a torch.utils.data.Dataset of pairs (x, y), or a LightningDataModule",
        )
    if not len(dataset):
        raise InputError(f"'{source}' has no samples")
    return len(dataset)


def pair(item: Any) -> tuple[Any, Any]:
    """The values and the target of an item or of a batch; InputError if it is no pair."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise InputError(f"an item is a {type(item).__name__}, not a pair (x, y)", remedy="let the data set give pairs")
    return item[0], item[1]


def as_array(value: Any) -> Values:
    """A tensor, an array, an image or a number as an array."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def stacked(values: Iterable[Any]) -> Values:
    """Samples as one array (N, ..); InputError if they differ in shape."""
    arrays = [as_array(value) for value in values]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise InputError(f"samples differ in shape: {shapes[0]} and {shapes[1]}", remedy="give all the same shape")
    return np.stack(arrays)


def _names(dataset: Any) -> tuple[str, ...]:
    """The names of the classes that a data set tells, as torchvision's do."""
    told = getattr(dataset, "classes", ())
    return tuple(map(str, told)) if isinstance(told, (list, tuple)) else ()
