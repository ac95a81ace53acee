"""The contents of an HDF5 file as plain numpy arrays, in which the format is written, read and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import FileFormatError

Arrays = dict[str, NDArray[Any]]

#: The remedy of most that can be wrong with a file.
AGAIN = "export it again"


@dataclass
class Contents:
    """Arrays by their paths from the root of a file, attributes by the paths of what they belong to.

    Each group has an entry in `attributes`, an array only if it has attributes. `stored` says what each array takes in
    the file, in bytes, if it comes from one. `refused` has the error that asking for a path gives, of what another
    writer stored in a way that is not read.
    """

    arrays: Arrays = field(default_factory=dict)
    attributes: dict[str, Arrays] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    refused: dict[str, FileFormatError] = field(default_factory=dict)


def differences(stored: Contents, expected: Contents) -> Iterator[str]:
    """List where two contents differ: paths of groups and arrays, and of attributes as `group/@name`."""
    yield from sorted(expected.attributes.keys() ^ stored.attributes.keys())
    for path, attributes in expected.attributes.items():
        yield from (f"{path}/@{name}" for name in _different(stored.attributes.get(path, {}), attributes))
    yield from _different(stored.arrays, expected.arrays)


def _different(stored: Arrays, expected: Arrays) -> Iterator[str]:
    for name in dict.fromkeys([*expected, *stored]):
        if name not in stored or name not in expected or not _same(stored[name], expected[name]):
            yield name


def _same(stored: NDArray[Any], expected: NDArray[Any]) -> bool:
    """The same kind of numbers, the same shape and the same values; integers may be stored wider, texts not."""
    kinds = stored.dtype.kind, expected.dtype.kind
    return (
        kinds[0] == kinds[1]
        and (kinds[0] != "S" or stored.dtype == expected.dtype)
        and np.array_equal(stored, expected)
    )
