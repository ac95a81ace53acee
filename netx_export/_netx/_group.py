"""One group of a stock file, whose numbers are asked for as NetX takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5 import Contents

Integers = NDArray[np.int64]

#: What NetX does silently: the name of the check that tells it, the layer, and the problem in words.
Note = dict[str, str]

#: Numbers from here on are no exact integers in float64.
LARGEST = 2**53

SAVE_ANEW = "open the file with h5py and save that array anew, as plain numbers without filters"


class Group:
    """A group of a file; `layer` names it in errors, `notes` collects what NetX does silently.

    Args:
        contents: of the file.
        path: of the group.
        layer: the layer's name.
        notes: to which `note` adds.
    """

    def __init__(self, contents: Contents, path: str, layer: str, notes: list[Note]) -> None:
        self.contents, self.path, self.layer, self.notes = contents, path, layer, notes

    def __contains__(self, name: str) -> bool:
        path = f"{self.path}/{name}"
        return path in self.contents.arrays or path in self.contents.attributes or path in self.contents.refused

    def refusal(self, problem: str, remedy: str | None = None) -> FileFormatError:
        return FileFormatError(problem, layer=self.layer, remedy=remedy)

    def note(self, name: str, problem: str) -> None:
        """Keep what NetX does with this layer and does not say, under a name."""
        self.notes.append({"check": name, "layer": self.layer, "problem": problem})

    def below(self, name: str) -> Group:
        """A group of this group."""
        if f"{self.path}/{name}" not in self.contents.attributes:
            raise self.refusal(f"it has no group '{name}'", remedy="NetX cannot read that either: export it again")
        return Group(self.contents, f"{self.path}/{name}", self.layer, self.notes)

    def array(self, name: str) -> NDArray[Any]:
        """An array of numbers, not empty, as it is stored."""
        path = f"{self.path}/{name}"
        if path in self.contents.refused:
            error = self.contents.refused[path]
            raise self.refusal(f"'{name}' cannot be read: {error.problem}", remedy=SAVE_ANEW)
        if path not in self.contents.arrays:
            raise self.refusal(f"it has no array '{name}'", remedy="NetX cannot read that either: export it again")
        array = self.contents.arrays[path]
        if not array.size:
            raise self.refusal(f"its '{name}' is empty")
        return array

    def text(self, name: str) -> str:
        """A text, or the first of several."""
        array = self.array(name)
        if array.dtype.kind != "S" or array.ndim > 1:
            raise self.refusal(f"its '{name}' is {array.dtype}, not a text")
        try:
            return bytes(array.ravel()[0]).decode("ascii")
        except UnicodeDecodeError:
            raise self.refusal(f"its '{name}' is no ASCII text") from None

    def truncated(self, name: str) -> Integers:
        """Numbers as NetX takes weights and biases: what is behind the decimal point is cut off."""
        array = self.array(name)
        if array.dtype.kind not in "iufb":
            raise self.refusal(f"its '{name}' holds {array.dtype}, not numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self.refusal(f"its '{name}' holds NaN or infinity", remedy="train and export the network again")
        if self._largest(array) > LARGEST:
            raise self.refusal(f"its '{name}' holds numbers beyond 2^53, which NetX takes for others")
        whole = array.astype(np.int64)
        if array.dtype.kind == "f" and (whole != array).any():
            self.note("numbers_not_whole", f"NetX cuts off what '{name}' has behind the decimal point")
        return whole

    def numbers(self, name: str, low: int, high: int) -> Integers:
        """Integers from `low` to `high`, of any shape."""
        array = self.array(name)
        if array.dtype.kind not in "iu":
            raise self.refusal(
                f"its '{name}' is {array.dtype}, and NetX ends with an error where this is no integer",
                remedy=f"write '{name}' as integers from {low:,} to {high:,}",
            )
        if int(array.min()) < low or int(array.max()) > high:
            found = str(array) if array.ndim == 0 else f"{array.min()} to {array.max()}"
            raise self.refusal(
                f"its '{name}' is {found}, beyond {low:,} to {high:,}", remedy="keep it within what the hardware holds"
            )
        return array.astype(np.int64)

    def reals(self, name: str, low: int, high: int) -> NDArray[Any]:
        """Numbers from `low` to `high`, of any shape, whole or not."""
        array = self.array(name)
        if array.dtype.kind not in "iuf" or not (low <= float(array.min()) <= float(array.max()) <= high):
            raise self.refusal(f"its '{name}' are no numbers from {low:,} to {high:,}", remedy="export it again")
        return array

    def shape(self) -> tuple[int, ...]:
        """The layer's own shape."""
        shape = self.numbers("shape", 1, 2**28)
        if shape.ndim > 1 or shape.size > 8:
            raise self.refusal(f"its shape is {shape.shape}, not a list of numbers")
        return tuple(int(extent) for extent in np.atleast_1d(shape))

    def _largest(self, array: NDArray[Any]) -> float:
        return max(abs(float(array.min())), abs(float(array.max())))
