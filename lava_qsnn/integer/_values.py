"""What all dataclasses of a deployed network share: they hold checked, read-only integers and compare by value."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError

#: (C,) or (C, H, W), one time step.
Shape = tuple[int, ...]


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


def integers(values: Any, dtype: type[np.signedinteger[Any]], what: str) -> NDArray[Any]:
    """A read-only copy of `values` as `dtype`; DeploymentError if they are no integers or do not fit."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise DeploymentError(f"{what} must be integers, not {array.dtype}", remedy="fold the network first")
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise DeploymentError(f"{what} from {array.min()} to {array.max()} do not fit {np.dtype(dtype).name}")
    array = array.astype(dtype)
    array.flags.writeable = False
    return array
