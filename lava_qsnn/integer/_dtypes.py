"""The narrowest numbers that stay exact: one answer for every engine, file and message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Types of integers, narrowest first.
SIGNED: tuple[type[np.integer[Any]], ...] = (np.int8, np.int16, np.int32, np.int64)
INTEGERS: tuple[type[np.integer[Any]], ...] = (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64)

#: Sums of integers are exact in a floating-point type up to here, in any order, if all partial sums stay below.
FLOAT32_LIMIT, FLOAT64_LIMIT = 2**24, 2**53

INT32_LIMIT = 2**31 - 1


def integer_dtype(low: int, high: int, among: Sequence[type[np.integer[Any]]] = INTEGERS) -> np.dtype[np.integer[Any]]:
    """The first of some integer types that holds all integers from `low` to `high`; int64 if none does."""
    fits = (kind for kind in among if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.dtype(next(fits, np.int64))


def sum_dtype(reach: int) -> np.dtype[Any]:
    """The narrowest of float32, float64 and int64 that is exact for sums of integers up to a magnitude of `reach`."""
    if reach <= FLOAT32_LIMIT:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if reach <= FLOAT64_LIMIT else np.int64)


def wrapped(values: Any, bits: int) -> Any:
    """Integers as two's complement numbers of so many bits keep them: what lies beyond begins anew at the other end."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def toward_zero(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Integers divided by 2^bits, rounded towards zero."""
    return np.sign(values) * (np.abs(values) >> bits)
