"""Values: frozen dataclasses of checked, read-only integers, whose fields say what they hold.

The role of a field is stated once, in its annotation, and tells everybody who handles values in general how: the
constructor checks by it, files are written and read by it, digests and tables follow it. The limits below are those of
the constructors, and so of files: what can be built can be written and read again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError, QsnnError

#: (C,) or (C, H, W), one time step.
Shape = tuple[int, ...]

#: Layers of a network, and connections of a layer.
MOST_LAYERS = 4096

#: Bytes of a layer's name in UTF-8.
LONGEST_NAME = 256

#: Numbers in one frame of a population, padding included: more would not fit into memory over some time steps.
MOST_NUMBERS = 2**28

#: Stride, padding, dilation and groups of a convolution.
LARGEST_GEOMETRY = 2**16 - 1

#: Time steps of a sample, and numbers in the input.
LARGEST_COUNT = 2**31 - 1

#: The time steps of a network for streams: nobody knows how many there will be.
ENDLESS = LARGEST_COUNT

#: Time steps of a connection's delay, and of a synapse's.
LONGEST_DELAY = 4096

#: Sums and traces of the int64 reference must not come near wrapping.
REFERENCE_LIMIT = 2**62

#: The axes of an array with one number for each channel, or for each neuron.
EITHER = ("channel or neuron",)


@dataclass(frozen=True)
class Number:
    """The role of an integer from `low` to `high`."""

    low: int
    high: int

    def checked(self, value: Any, what: str) -> int:
        return whole(value, what, self.low, self.high)


@dataclass(frozen=True)
class Numbers:
    """The role of a tuple of `least` to `most` integers from `low` to `high`."""

    low: int
    high: int
    least: int
    most: int

    def checked(self, value: Any, what: str) -> tuple[int, ...]:
        try:
            values = tuple(value)
        except TypeError:
            raise DeploymentError(f"{what} must be integers, not {value!r:.60}") from None
        if not self.least <= len(values) <= self.most:
            many = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
            raise DeploymentError(f"{what} must be {many} integers, not {len(values):,}")
        return tuple(whole(each, f"each of {what}", self.low, self.high) for each in values)


@dataclass(frozen=True)
class Choice:
    """The role of one text out of some."""

    texts: tuple[str, ...]

    def checked(self, value: Any, what: str) -> str:
        if not isinstance(value, str) or value not in self.texts:
            raise DeploymentError(f"{what} must be one of {', '.join(self.texts)}, not {value!r:.60}")
        return str(value)


@dataclass(frozen=True)
class Array:
    """The role of an array of integers.

    Args:
        axes: what its axes run over, "channel", "neuron", "step", or, of weights, the name of each axis. A single
            "neuron" stands for all axes of the population, 1 or 3; a single "channel or neuron" for either.
        dtype: in which it is kept.
    """

    axes: tuple[str, ...]
    dtype: type[np.signedinteger[Any]] = np.int64

    def checked(self, value: Any, what: str) -> NDArray[Any]:
        array = integers(value, self.dtype, what)
        wanted = (1, 3) if self.axes in (("neuron",), EITHER) else (len(self.axes),)
        if array.ndim not in wanted or 0 in array.shape:
            raise DeploymentError(f"{what} must have shape ({', '.join(self.axes)}), not {array.shape}")
        return array


Role = Number | Numbers | Choice | Array
ROLES = (Number, Numbers, Choice, Array)


def roles(kind: type[Value]) -> dict[str, Role]:
    """The roles of a dataclass' fields, by name, in order: `field: Annotated[type, role]`; others are left out."""
    found: Any = kind  # by mypy's book, a class of values without a hash has none itself
    return dict(_roles(found))


@cache
def _roles(kind: Any) -> dict[str, Role]:
    hints = get_type_hints(kind, include_extras=True)
    found = {entry.name: getattr(hints[entry.name], "__metadata__", ()) for entry in fields(kind)}
    return {name: notes[0] for name, notes in found.items() if notes and isinstance(notes[0], ROLES)}


class Value:
    """Dataclasses with arrays inside: their fields are checked by their roles, and they compare by value."""

    def __post_init__(self) -> None:
        for name, role in roles(type(self)).items():
            what = f"the {name.replace('_', ' ')} of {self.described}"
            object.__setattr__(self, name, role.checked(getattr(self, name), what))

    @property
    def described(self) -> str:
        """Its name in error texts."""
        return type(self).__name__

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        compared = [entry.name for entry in fields(self) if entry.compare]  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in compared)

    def __reduce__(self) -> tuple[object, ...]:
        # A value that comes from elsewhere is built by its constructor: checked, read-only, without what was cached.
        return _built, (type(self), {each.name: getattr(self, each.name) for each in fields(self) if each.init})  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _built(kind: type[Value], content: dict[str, Any]) -> Value:
    return kind(**content)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


def whole(value: Any, what: str, least: int, most: int, error: type[QsnnError] = DeploymentError) -> int:
    """`value` as an int, if it is a whole number from `least` to `most`; else `error`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise error(f"{what} must be an integer from {least:,} to {most:,}, not {value!r:.60}")
    return int(value)


def integers(values: Any, dtype: type[np.signedinteger[Any]], what: str) -> NDArray[Any]:
    """A read-only copy of `values` as `dtype`, C-contiguous; DeploymentError if they are no integers or do not fit."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DeploymentError(f"{what} are no array: {error}") from None
    if array.dtype.kind not in "iu":
        raise DeploymentError(f"{what} must be integers, not {array.dtype}", remedy="fold the network first")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise DeploymentError(f"{what} from {array.min()} to {array.max()} do not fit {np.dtype(dtype).name}")
    array = np.array(array, dtype, order="C")
    array.flags.writeable = False
    return array
