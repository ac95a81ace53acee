"""Data of one's own: values and targets as they are, measured, checked and turned into integers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, InputError, QsnnWarning
from lava_qsnn.train.config import Data
from lava_qsnn.train.data._base import Arrays, SampleData, split_rows
from lava_qsnn.train.description import Description
from lava_qsnn.train.encodings import ENCODINGS, check

Values = NDArray[Any]

#: Axes of arrays that say it by their number alone.
PLAIN_AXES = {2: "NC", 5: "NCHWT"}

#: What the axes of other arrays may be, for errors.
LIKELY_AXES = {3: "NHW for grey images, NCT or NTC for signals", 4: "NHWC or NCHW for images"}


#: The share of values outside of the range of the training samples from which a warning tells of it: some always are.
OUTSIDE = 0.01


@dataclass(frozen=True)
class Raw:
    """Samples as a user has them.

    Args:
        values: any real numbers, in the order N C [H W] [T].
        targets: (N,) or (N, numbers), as they are; None where there are none.
        names: of the classes or numbers, where the data tell.
    """

    values: Values
    targets: Values | None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.targets is not None and len(self.targets) != len(self.values):
            raise InputError(f"there are {len(self.values)} samples, and {len(self.targets)} targets")
        if not len(self.values):
            raise InputError("there are no samples")

    def part(self, rows: NDArray[np.int64]) -> Raw:
        """The samples of these numbers."""
        return replace(self, values=self.values[rows], targets=None if self.targets is None else self.targets[rows])


class OwnData(SampleData):
    """Data that a user brings; a subclass says how to read them.

    What is not known of them from a training before is measured on the training samples, when they are read.
    """

    own: ClassVar[tuple[str, ...]] = ("source", "range", "scale", "signed", "targets", "outputs")
    encodings = tuple(ENCODINGS)

    def raw(self) -> dict[str, Raw]:
        """The samples, "train", and "validation" and "test" where they are apart.

        Raises:
            ConfigurationError: files are missing, or the configuration does not fit them.
            FileFormatError: files are damaged.
        """
        raise NotImplementedError

    @property
    def description(self) -> Description:
        """The description of the data, which are read if they are not known."""
        if self.known is None:
            self.setup()
        assert self.known is not None
        return self.known

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.description.names

    @property
    def shape(self) -> tuple[int, ...]:
        return self.description.shape

    def parts(self) -> dict[str, Arrays]:
        raw = self._divided(self.raw())
        if self.known is None:
            self.known = self._measure(raw.get("train", raw["test"]))
        return {name: self._integers(name, part, self.known) for name, part in raw.items()}

    def _measure(self, raw: Raw) -> Description:
        if raw.targets is None:
            raise InputError("the samples have no targets to learn from", remedy="give a y for each x")
        return measured(raw.values, raw.targets, raw.names, self.data)

    def _divided(self, raw: Mapping[str, Raw]) -> dict[str, Raw]:
        """The parts that are there, and those that are held out where they are not."""
        parts = dict(raw)
        if "train" not in parts:
            return parts
        if "test" not in parts and (self.data.test == 1 or parts["train"].targets is None):
            return {"test": parts["train"]}
        for name, fraction in (("test", self.data.test), ("validation", self.data.validation)):
            if name not in parts:
                parts["train"], parts[name] = self._held_out(parts["train"], fraction)
        return parts

    def _held_out(self, raw: Raw, fraction: float) -> tuple[Raw, Raw]:
        labels = None if self.data.targets == "numbers" else raw.targets
        kept, apart = split_rows(len(raw.values), labels, fraction, self.data.split_seed)
        return raw.part(kept), raw.part(apart)

    def _integers(self, name: str, raw: Raw, known: Description) -> Arrays:
        values = self.quantized(name, raw.values, known)
        return Arrays(torch.from_numpy(values), torch.from_numpy(labels(raw.targets, len(values), known)))

    def quantized(self, name: str, values: Values, known: Description) -> NDArray[np.uint8]:
        """The integers of a part's values, of the shape that is known."""
        self.still = still = is_still(values, known)
        check(self.data.encoding, self.data.timesteps, self.data.input_bits, still)
        steps = () if still else (self.data.timesteps,)
        doubled = ENCODINGS[self.data.encoding].channels
        found = quantize(values, self.data, known, name)
        shape = (found.shape[1] * doubled, *found.shape[2 : found.ndim - len(steps)])
        if shape != known.shape or found.shape[found.ndim - len(steps) :] != steps:
            given = found.shape[1:] if not still else (*found.shape[1:], "T")
            wanted = (known.shape[0] // doubled, *known.shape[1:], *(steps or ("T",)))
            raise InputError(
                f"'{name}' has samples of shape {_text(given)}, and {_text(wanted)} is wanted",
                remedy="give samples as in training" if still else "set data.timesteps to the T of the samples",
            )
        return found


def ordered(values: Values, axes: str | None) -> Values:
    """An array in the order N C [H W] [T], a view.

    Args:
        values: any array.
        axes: the letters of its axes; by default those that its number of axes tells.

    Raises:
        ConfigurationError: the axes do not fit the array, or are not told.
    """
    if axes is None:
        axes = PLAIN_AXES.get(values.ndim)
    if axes is None:
        likely = LIKELY_AXES.get(values.ndim, "at least two are needed: N, and C for features")
        raise ConfigurationError(
            f"the array has the shape {values.shape}, and nothing tells what its axes are",
            remedy=f"set data.axes: {likely}",
        )
    letters = set(axes)
    valid = len(letters) == len(axes) and letters <= set("NCHWT") and "N" in letters and len(letters) > 1
    if not valid or ("H" in letters) != ("W" in letters):
        raise ConfigurationError(
            f"data.axes is '{axes}'", remedy="use each of N, C, H, W and T at most once, N always, H and W together"
        )
    if len(axes) != values.ndim:
        raise ConfigurationError(
            f"data.axes is '{axes}', and the array has the shape {values.shape}", remedy="give a letter for each axis"
        )
    order = [axes.index(letter) for letter in "NCHWT" if letter in letters]
    found = values.transpose(order)
    return found if "C" in letters else found[:, None]


def measured(values: Values, targets: Values, names: tuple[str, ...], data: Data) -> Description:
    """The description of data by their training samples.

    Args:
        values: in the order N C [H W] [T].
        targets: as they are.
        names: of classes or numbers, where the data tell.
        data: the configuration's part.

    Raises:
        InputError: values or targets are no real numbers, or not what they should be.
        ConfigurationError: the configuration does not fit them.
    """
    values = real(values, "the values")
    still = values.ndim in (2, 4)
    channels = values.shape[1] * (2 if data.signed else 1) * ENCODINGS[data.encoding].channels
    shape = (channels, *(values.shape[2:] if still else values.shape[2:-1]))
    low, high = _range(values, data)
    if data.targets == "classes":
        return Description(shape, class_names(targets, names, data), low, high)
    numbers = targets_as_numbers(targets)
    names = names or tuple(map(str, range(numbers.shape[1])))
    _refuse_count(len(names), numbers.shape[1], "names of numbers")
    deviation = numbers.std(0)
    return Description(shape, names, low, high, _floats(numbers.mean(0)), _floats(np.where(deviation, deviation, 1)))


def _range(values: Values, data: Data) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values that become the least and the greatest integer; none where integers stay as they are."""
    if data.range is not None:
        if len(data.range) != 2 or data.range[0] >= data.range[1]:
            raise ConfigurationError(
                f"data.range is {list(data.range)}", remedy="give two numbers, the least first, such as [0, 255]"
            )
        return (data.range[0],), (data.range[1],)
    if values.dtype.kind in "iub":
        return (), ()
    axes = (0, *range(2, values.ndim)) if data.scale == "channel" else None
    if data.signed:
        high = np.atleast_1d(np.abs(values).max(axis=axes))
        return _floats(np.zeros_like(high)), _floats(high)
    return _floats(np.atleast_1d(values.min(axis=axes))), _floats(np.atleast_1d(values.max(axis=axes)))


def _floats(values: NDArray[Any]) -> tuple[float, ...]:
    """Numbers with seven digits, which a file holds in little room."""
    return tuple(float(f"{value:.7g}") for value in values)


def quantize(values: Values, data: Data, known: Description, name: str = "x") -> NDArray[np.uint8]:
    """Values as integers from 0 to 2^input_bits - 1: scaled by the range that is known, or as they are.

    Args:
        values: real numbers, in the order N C [H W] [T].
        data: the configuration's part.
        known: of the training samples.
        name: of the values, for errors and warnings.

    Raises:
        InputError: the values are no real numbers, or integers without a range that `data.input_bits` do not hold.
    """
    values = real(values, f"'{name}'")
    if data.signed:
        values = np.concatenate([np.maximum(values, 0), np.maximum(-values.astype(np.float64), 0)], axis=1)
    most = 2**data.input_bits - 1
    if known.low:
        return _scaled(values, most, known, name)
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise InputError(f"'{name}' holds fractions, and the training samples were integers", remedy="set data.range")
    low, high = values.min(), values.max()
    if low < 0 or high > most:
        remedy = f"set data.range to [{low:g}, {high:g}] to scale them"
        if low < 0:
            remedy += ", or data.signed to true"
        elif high < 256:
            remedy += f", or data.input_bits to {int(high).bit_length()} to take them as they are"
        raise InputError(
            f"'{name}' holds integers from {low:g} to {high:g}, and with data.input_bits {data.input_bits} an input is "
            f"0 to {most}",
            remedy=remedy,
        )
    return values.astype(np.uint8)


def _scaled(values: Values, most: int, known: Description, name: str) -> NDArray[np.uint8]:
    shape = (-1, *[1] * (values.ndim - 2))
    copies = 1 if len(known.low) == 1 else values.shape[1] // len(known.low)
    low, high = (np.tile(each, copies).reshape(shape) for each in (known.low, known.high))
    width = np.where(high > low, high - low, 1)
    try:
        share = (values - low) / width
    except ValueError:
        raise InputError(
            f"'{name}' has {values.shape[1] // copies} channels, and {len(known.low)} had ranges in training"
        ) from None
    # A measured range is kept with seven digits; its own ends are not outside.
    outside = int(((share < -1e-5) | (share > 1 + 1e-5)).sum())
    if outside > OUTSIDE * values.size:
        many = f"{outside:,} of {values.size:,} values of '{name}'"
        warnings.warn(QsnnWarning(f"{many} lie outside of the range {_ends(known)}, and are clipped"), stacklevel=2)
    return np.rint(share.clip(0, 1) * most).astype(np.uint8)


def _ends(known: Description) -> str:
    return f"{known.low[0]:g} to {known.high[0]:g}" if len(known.low) == 1 else "of their channels in training"


def real(values: Any, name: str) -> Values:
    """An array of finite real numbers; InputError for others."""
    found = np.asarray(values)
    if found.dtype.kind not in "iubf":
        raise InputError(f"{name} must be real numbers, not {found.dtype}", remedy="convert them, with astype(float)")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise InputError(f"{name} must be finite, and some are not", remedy="replace NaN and infinity")
    return found


def is_still(values: Values, known: Description) -> bool:
    """True if samples (N, C[, H, W][, T]) have no time axis."""
    return values.ndim == 1 + len(known.shape)


def class_names(targets: Values, names: tuple[str, ...], data: Data) -> tuple[str, ...]:
    """The names of all classes: those that are told, the texts that targets are, or the numbers from 0 on."""
    if names:
        return names
    if targets.dtype.kind in "US":
        return tuple(sorted({str(text) for text in targets}))
    count = int(targets_as_classes(targets).max()) + 1
    _refuse_count(data.outputs, count, "classes", at_most=True)
    return tuple(map(str, range(data.outputs or count)))


def _refuse_count(told: int | None, found: int, what: str, at_most: bool = False) -> None:
    if told is not None and (found > told or (found < told and not at_most)):
        raise ConfigurationError(
            f"there are {found} {what}, and {told} are told", remedy="check data.outputs and names"
        )


def labels(targets: Values | None, count: int, known: Description) -> NDArray[Any]:
    """Targets as classes, int64 (N,), or numbers, float64 (N, numbers); of no targets, -1 or NaN.

    Raises:
        InputError: they are neither, or classes that are not known.
    """
    if targets is None:
        return np.full((count, len(known.names)), np.nan) if known.of_numbers else np.full(count, -1)
    if known.of_numbers:
        numbers = targets_as_numbers(targets)
        if numbers.shape[1] != len(known.names):
            raise InputError(f"there are {numbers.shape[1]} targets for a sample, not {len(known.names)}")
        return numbers
    if targets.dtype.kind in "US":
        numbered = {name: number for number, name in enumerate(known.names)}
        unknown = sorted({str(text) for text in targets} - set(numbered))
        if unknown:
            raise InputError(f"'{unknown[0]}' is none of the classes {_listed(known.names)}")
        return np.array([numbered[str(text)] for text in targets], np.int64)
    classes = targets_as_classes(targets)
    if int(classes.max()) >= len(known.names):
        raise InputError(f"there is a class {classes.max()}, beyond the {len(known.names)} classes from 0 on")
    return classes


def targets_as_classes(targets: Values) -> NDArray[np.int64]:
    """Targets as classes, from 0 on, int64 (N,); InputError if they are none."""
    flat = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if flat.ndim != 1:
        raise InputError(
            f"the targets have the shape {targets.shape}, and classes are one number for each sample",
            remedy="take the argmax of one-hot targets, or set data.targets to numbers",
        )
    found = real(flat, "the targets")
    whole = np.rint(found).astype(np.int64)
    if (whole != found).any() or whole.min() < 0:
        raise InputError(
            f"classes are integers from 0 on, and the targets reach from {found.min():g} to {found.max():g}",
            remedy="number the classes from 0 on, or set data.targets to numbers",
        )
    return whole


def targets_as_numbers(targets: Values) -> NDArray[np.float64]:
    """Targets as numbers, float64 (N, numbers); InputError if they are none."""
    if targets.ndim > 2:
        raise InputError(f"the targets have the shape {targets.shape}, not (N,) or (N, numbers)")
    return real(targets, "the targets").astype(np.float64).reshape(len(targets), -1)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", .." if len(names) > 10 else "")


def _text(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"
