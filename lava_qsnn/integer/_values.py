"""What all dataclasses of a deployed network share: they hold checked, read-only integers and compare by value.

The limits below are those of the constructors, and so of files: what can be built can be written and read again.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

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

#: Sums and history words of the int64 reference must not come near wrapping.
REFERENCE_LIMIT = 2**62


class Value:
    """Dataclasses with arrays inside, compared by value."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
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
